//! hold, lift and holds on the command line.

use super::args::HoldArgs;
use super::print::Report;
use crate::deck::Deck;
use crate::model::hold::{self, HoldOn};
use crate::model::{Fault, Result};
use serde_json::json;

pub async fn hold(deck: &Deck, args: &HoldArgs) -> Result<Report> {
    let on = HoldOn::from_word(&args.what)
        .ok_or_else(|| Fault::bad(format!("a {} cannot be held", args.what)).next("one of: swarm, squad, host, fleet"))?;
    let object = match (on, &args.name) {
        (HoldOn::Fleet, None) => "",
        (HoldOn::Fleet, Some(_)) => {
            return Err(Fault::bad("there is one fleet, and it has no name here").next("swarmdeck hold fleet -m WHY"));
        }
        (_, Some(name)) => name,
        (_, None) => return Err(Fault::bad(format!("which {}?", on.word())).next(format!("swarmdeck hold {} NAME -m WHY", on.word()))),
    };
    let until_ms = hold::end(deck.now_ms(), args.after.as_deref(), args.until.as_deref())?;
    let hold = deck.hold(on, object, &args.why, until_ms).await?;
    Ok(Report::text(format!("{} holds {}: {}\n", hold.name, hold.object, hold.line()), json!({"hold": hold})))
}

pub async fn lift(deck: &Deck, name: &str, why: &str) -> Result<Report> {
    let hold = deck.lift(name, why).await?;
    Ok(Report::text(format!("{} is lifted from {}\n", hold.name, hold.object), json!({"lifted": hold})))
}
