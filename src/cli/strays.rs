//! strays, adopt, retire, ignore, and hosts claim on the command line: what is done is shown first, and done only as it was shown.

use super::args::{Adopt, Format, Named, Yes};
use super::print::Report;
use super::{confirmed_or_stopped, print};
use crate::deck::{Deck, PoolVerb, StrayPlan};
use crate::model::protect::Touched;
use crate::model::shown::shown;
use crate::model::{Fault, Result};
use serde_json::{Value, json};

/// `strays`: those that are known are left out unless `all`.
pub async fn list(deck: &Deck, all: bool) -> Result<Report> {
    let strays = deck.strays().await?;
    let rows = strays.iter().filter(|stray| all || !stray.ignored).map(|stray| {
        json!({
            "kind": stray.kind.word(), "place": stray.place, "name": stray.name, "port": stray.port, "whose": stray.whose,
            "since_ms": (stray.since_ms > 0).then_some(stray.since_ms), "evidence": stray.evidence, "can": stray.can, "ignored": stray.ignored,
        })
    });
    Ok(Report::table(rows.collect(), &["kind", "place", "name", "port", "whose", "since_ms", "evidence", "can", "ignored"]))
}

pub async fn adopt(deck: &Deck, what: Adopt, format: Format) -> Result<Report> {
    let (host, name, swarm, anyway, yes) = match what {
        Adopt::Pool { name, yes } => return super::balancers::on_pool(deck, &name, PoolVerb::Adopt, &yes).await,
        Adopt::Proc { host, proc, swarm, anyway, yes } => (host, proc, swarm.unwrap_or_default(), anyway, yes),
        Adopt::Host { host, anyway, yes } => (host, String::new(), String::new(), anyway, yes),
    };
    carried(deck, deck.stray_plan("adopt", &host, &name, &swarm).await?, anyway, &yes, format).await
}

pub async fn retire(deck: &Deck, place: &str, name: &str, anyway: bool, yes: &Yes, format: Format) -> Result<Report> {
    carried(deck, deck.stray_plan("retire", place, name, "").await?, anyway, yes, format).await
}

pub async fn ignore(deck: &Deck, place: &str, name: &str, take_back: bool, why: &str, format: Format) -> Result<Report> {
    if take_back {
        let said = deck.stray_unignore(place, name, why).await?;
        return Ok(Report::text(format!("{said}\n"), json!({"done": said})));
    }
    let plan = deck.stray_plan("ignore", place, name, "").await?;
    // Nothing is touched by it, and it can be taken back.
    let yes = Yes { yes: true, why: why.to_string(), named: Named::default() };
    carried(deck, plan, true, &yes, format).await
}

/// Shows the plan, asks, and has exactly it done.
async fn carried(deck: &Deck, plan: StrayPlan, anyway: bool, yes: &Yes, format: Format) -> Result<Report> {
    if format == Format::Table {
        let lines: String = plan.lines.iter().map(|line| format!("  {}\n", shown(line))).collect();
        let asks: String = plan.asks.iter().map(|line| format!("  ! {}\n", shown(line))).collect();
        print::out(&format!("PLAN {} {} {}\n{lines}{asks}", plan.verb, shown(&plan.place), shown(&plan.name)));
    }
    if yes.yes && !anyway && !plan.asks.is_empty() {
        return Err(Fault::refused(plan.asks.join("; ")).at(&plan.verb).next("say --anyway as well, or answer on a terminal"));
    }
    let mut touched = Touched::default();
    if plan.verb != "ignore" {
        touched = deck.touched_by_proc(&plan.place, &plan.name).await;
        touched.swarms.extend(deck.catalog().await?.swarm(&plan.swarm).ok().map(|swarm| swarm.id.clone()));
    }
    let protected = deck.protected(&touched).await?;
    confirmed_or_stopped(format!("{} {} {}?", plan.verb, plan.place, plan.name), yes, protected).await?;
    let done = deck.stray_do(&plan, &yes.why).await?;
    let value: Value = json!({"done": done, "plan": plan.lines, "asked": plan.asks});
    Ok(Report::text(format!("{done}\n"), value))
}

/// Says which installation has the host before it is taken from it.
pub async fn claim(deck: &Deck, name: &str, yes: &Yes) -> Result<Report> {
    let holder = deck.host_holder(name).await?;
    let own = deck.store.installation();
    if holder.as_deref() == Some(own) {
        return Ok(Report::text(format!("{name} is ours already\n"), json!({"host": name, "before": own})));
    }
    let whose = holder.as_deref().map_or_else(|| "of nobody".to_string(), |holder| format!("of installation {holder}"));
    let protected = deck.protected(&deck.touched_by_proc(name, "").await).await?;
    let question = format!("{name} is {whose}, this is {own}; that one changes nothing on it any more. Claim {name}?");
    confirmed_or_stopped(question, yes, protected).await?;
    let before = deck.host_claim(name, holder.as_deref(), &yes.why).await?;
    let text = format!("{name} is ours now; it was {whose}\n");
    Ok(Report::text(text, json!({"host": name, "before": before})))
}
