//! `edit`: what is written down, in `$EDITOR`; a part of an object, the whole of one, or a new one.

use super::args::EditArgs;
use super::confirmed;
use super::print::{Report, err};
use crate::deck::look::{Draft, EditDocument, EditTarget};
use crate::deck::{Catalog, Deck, Edited, edit_outside};
use crate::model::document::Kind;
use crate::model::shown::shown;
use crate::model::{Fault, Result};
use serde_json::json;

/// Edits, says what saving would mean, saves. A text that cannot be saved is kept as a draft.
pub async fn edit(deck: &Deck, args: &EditArgs) -> Result<Report> {
    let document = deck.edit_open(target(&deck.catalog().await?, args)?).await?;
    let begun = match deck.edit_kept_draft(&document.target).await? {
        Some((draft, _)) if draft.base == document.text => {
            err("going on with your draft\n");
            draft.text
        }
        Some(_) => {
            err("note: a draft of yours is older than what is saved; the console shows both\n");
            document.text.clone()
        }
        None => document.text.clone(),
    };
    let text = match edit_outside(&begun).await? {
        Edited::Done(text) => text.unwrap_or(begun),
        Edited::Stopped(text) => {
            keep(deck, &document, &text.unwrap_or(begun)).await?;
            return Err(
                Fault::interrupted("the editor was stopped; nothing was saved").next("swarmdeck edit again: the text is kept as a draft")
            );
        }
    };
    if text == document.text {
        return Ok(Report::text("unchanged\n".into(), json!({"saved": false})));
    }
    match save(deck, &document, &text, args).await {
        Ok(said) => Ok(Report::text(format!("{said}\n"), json!({"saved": true, "said": said}))),
        Err(fault) => {
            keep(deck, &document, &text).await?;
            err("the text is kept as a draft: edit again goes on with it\n");
            Err(fault)
        }
    }
}

async fn save(deck: &Deck, document: &EditDocument, text: &str, args: &EditArgs) -> Result<String> {
    let notices = deck.edit_try(&document.target, text, document.rev).await?;
    notices.iter().for_each(|notice| err(&format!("note: {}\n", shown(notice))));
    if !notices.is_empty() {
        confirmed("Save it so?", &args.yes, None)?;
    }
    Ok(deck.edit_save(&document.target, text, document.rev, &args.yes.why).await?.said)
}

async fn keep(deck: &Deck, document: &EditDocument, text: &str) -> Result<()> {
    let draft = Draft { text: text.into(), base: document.text.clone(), rev: document.rev };
    deck.edit_draft(&document.target, Some(&draft)).await
}

/// What the words mean.
fn target(catalog: &Catalog, args: &EditArgs) -> Result<EditTarget> {
    let word = args.kind.as_str();
    if word == "host" || word == "hosts" {
        return match (&args.name, args.new || args.like.is_some()) {
            (Some(name), false) => Ok(EditTarget::Host(name.clone())),
            _ => Err(Fault::bad("a host is written in its squad").next("swarmdeck edit squad NAME")),
        };
    }
    let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
    let kind = Kind::from_word(word)
        .ok_or_else(|| Fault::bad(format!("'{word}' cannot be edited")).next(format!("one of: host, {}", known.join(", "))))?;
    if let Some(like) = &args.like {
        let id = if kind == Kind::Swarm { catalog.swarm(like)?.id.clone() } else { like.clone() };
        return Ok(EditTarget::New(kind, id));
    }
    if args.new {
        return Ok(EditTarget::New(kind, String::new()));
    }
    let Some(name) = &args.name else {
        return Err(Fault::bad(format!("which {}?", kind.word())).next(format!("swarmdeck edit {} NAME, or --new", kind.word())));
    };
    Ok(match (kind, args.env, args.whole) {
        (Kind::Swarm, false, false) => EditTarget::SwarmConfig(catalog.swarm(name)?.id.clone()),
        (Kind::Swarm, true, _) => EditTarget::SwarmEnv(catalog.swarm(name)?.id.clone()),
        (Kind::Ingredient, false, false) => EditTarget::IngredientConfig(catalog.ingredient(name)?.id.clone()),
        (Kind::Ingredient, true, _) => EditTarget::IngredientEnv(catalog.ingredient(name)?.id.clone()),
        (_, true, _) => {
            return Err(Fault::bad(format!("a {} has no env", kind.word())).next(format!("swarmdeck edit {} {name}", kind.word())));
        }
        _ => EditTarget::Whole(kind, name.clone()),
    })
}
