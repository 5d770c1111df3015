//! `history`, `revert`, `undo`, `note` and `audit`: what was written down when by whom, the ways back, and who did what.

use super::args::{Wanted, Yes};
use super::print::Report;
use super::verbs::kind_of;
use crate::deck::Deck;
use crate::deck::look::Target;
use crate::deck::past::AuditWanted;
use crate::deck::reading::Inquiry;
use crate::deck::undo::undoable;
use crate::model::document::Kind;
use crate::model::units::moment;
use crate::model::{Fault, Result};
use serde_json::json;
use std::path::Path;

/// What is asked for, as written; `verb` is the type.
pub fn wanted(deck: &Deck, asked: &Wanted, verb: Option<String>) -> Result<AuditWanted> {
    let time = |written: &Option<String>| match written {
        None => Ok(0),
        Some(written) => moment(deck.now_ms(), written, &jiff::tz::TimeZone::UTC)
            .ok_or_else(|| Fault::bad(format!("'{written}' is no time")).next("write 2h, 14:00, 2026-11-20 or 2026-11-20T14:00")),
    };
    let text = |word: &Option<String>| word.clone().unwrap_or_default();
    Ok(AuditWanted {
        verb: verb.unwrap_or_default(),
        who: text(&asked.who),
        app: text(&asked.app),
        text: asked.object.iter().cloned().collect(),
        since_ms: time(&asked.since)?,
        until_ms: time(&asked.until)?,
    })
}

/// Events into a file.
pub async fn export_events(deck: &Deck, wanted: &AuditWanted, path: &Path) -> Result<Report> {
    let written = deck.export_events(wanted, path).await?;
    Ok(Report::text(format!("{written} events written to {}\n", path.display()), json!({"lines": written, "file": path})))
}

pub async fn audit(deck: &Deck, wanted: &AuditWanted, export: Option<&Path>) -> Result<Report> {
    if let Some(path) = export {
        let written = deck.export_audit(wanted, path).await?;
        return Ok(Report::text(format!("{written} lines written to {}\n", path.display()), json!({"lines": written, "file": path})));
    }
    let rows = deck.audit(wanted, 1000).await?.iter().map(|line| json!(line)).collect();
    Ok(Report::table(rows, &["seq", "at_ms", "who", "verb", "object", "result", "why"]))
}

pub async fn history(deck: &Deck, kind: &str, name: &str, version: Option<i64>) -> Result<Report> {
    let target = object(deck, kind, name).await?;
    let versions = deck.history(&target).await?;
    if let (Some(rev), Some(any)) = (version, versions.first()) {
        let lines = deck.read(&Inquiry::Change(any.id.clone(), rev)).await?;
        return Ok(Report::text(format!("{}\n", lines.join("\n")), json!({"version": rev, "difference": lines})));
    }
    let rows = versions.iter().map(|it| {
        let change = if it.deleted { "deleted".to_string() } else { format!("+{} -{}", it.added, it.removed) };
        json!({"version": it.rev, "at_ms": it.at_ms, "who": it.who, "change": change, "why": it.why, "now": it.current})
    });
    Ok(Report::table(rows.collect(), &["version", "at_ms", "who", "change", "now", "why"]))
}

pub async fn revert(deck: &Deck, kind: &str, name: &str, version: i64, yes: &Yes) -> Result<Report> {
    let target = object(deck, kind, name).await?;
    let versions = deck.history(&target).await?;
    // Of one that is gone the newest version is its end.
    let Some(now) = versions.first() else { return Err(Fault::bad(format!("{kind} {name} has no versions"))) };
    let lines = deck.read(&Inquiry::Compare(Target::Version(now.id.clone(), now.rev), Target::Version(now.id.clone(), version))).await?;
    super::print::err(&format!("{}\n", lines.join("\n")));
    super::confirmed_or_stopped(format!("Write {kind} {name} down as it was at version {version}?"), yes, None).await?;
    let said = deck.revert(&now.id, version, &yes.why).await?;
    Ok(Report::text(format!("{said}\n"), json!({"said": said})))
}

pub async fn note(deck: &Deck, kind: &str, name: &str, text: &str) -> Result<Report> {
    let said = deck.note(kind, name, text).await?;
    Ok(Report::text(format!("{said}\n"), json!({"said": said})))
}

/// What can be undone, newest first.
pub async fn undo(deck: &Deck) -> Result<Report> {
    deck.make_look().await?;
    let rows = undoable(&deck.look()).into_iter().map(|undo| {
        json!({"at_ms": undo.at_ms, "who": undo.who, "object": undo.object, "what": undo.what, "back": undo.back, "command": undo.command})
    });
    Ok(Report::table(rows.collect(), &["at_ms", "who", "object", "what", "command"]))
}

async fn object(deck: &Deck, kind: &str, name: &str) -> Result<Target> {
    let (catalog, kind) = (deck.catalog().await?, kind_of(kind)?);
    let there = match kind {
        Kind::Swarm => catalog.swarm(name).is_ok(),
        kind => catalog.head(kind, Some(name), name).is_some(),
    };
    if !there && let Some(gone) = deck.deleted_named(kind, name).await? {
        return Ok(gone);
    }
    Ok(match kind {
        Kind::Swarm => Target::Swarm(catalog.swarm(name)?.id.clone()),
        Kind::Ingredient => Target::Ingredient(catalog.ingredient(name)?.id.clone()),
        Kind::App => Target::App(name.into()),
        Kind::Buildpack => Target::Buildpack(name.into()),
        Kind::Squad => Target::Squad(name.into()),
        Kind::Balancer => Target::Balancer(name.into()),
    })
}
