//! `history`, `revert` and `audit`: what was written down when by whom, the way back, and who did what.

use super::args::Yes;
use super::print::Report;
use super::verbs::kind_of;
use crate::deck::Deck;
use crate::deck::look::Target;
use crate::deck::past::AuditWanted;
use crate::deck::reading::Inquiry;
use crate::model::document::Kind;
use crate::model::units::moment;
use crate::model::{Fault, Result};
use serde_json::json;
use std::path::Path;

/// Which audit lines are asked for, as written.
pub struct Audit {
    pub who: Option<String>,
    pub object: Option<String>,
    pub verb: Option<String>,
    pub app: Option<String>,
    pub since: Option<String>,
    pub until: Option<String>,
}

pub async fn audit(deck: &Deck, asked: &Audit, export: Option<&Path>) -> Result<Report> {
    let time = |written: &Option<String>| match written {
        None => Ok(0),
        Some(written) => moment(deck.now_ms(), written)
            .ok_or_else(|| Fault::bad(format!("'{written}' is no time")).next("write 2h, 14:00, 2026-11-20 or 2026-11-20T14:00")),
    };
    let text = |word: &Option<String>| word.clone().unwrap_or_default();
    let wanted = AuditWanted {
        verb: text(&asked.verb),
        who: text(&asked.who),
        app: text(&asked.app),
        text: asked.object.iter().cloned().collect(),
        since_ms: time(&asked.since)?,
        until_ms: time(&asked.until)?,
    };
    if let Some(path) = export {
        let written = deck.export_audit(&wanted, path).await?;
        return Ok(Report::text(format!("{written} lines written to {}\n", path.display()), json!({"lines": written, "file": path})));
    }
    let rows = deck.audit(&wanted, 1000).await?.iter().map(|line| json!(line)).collect();
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
    let Some(now) = versions.iter().find(|it| it.current) else {
        return Err(Fault::bad(format!("{kind} {name} is not there any more")).next("apply it anew"));
    };
    let lines = deck.read(&Inquiry::Compare(Target::Version(now.id.clone(), now.rev), Target::Version(now.id.clone(), version))).await?;
    super::print::err(&format!("{}\n", lines.join("\n")));
    super::confirmed_or_stopped(format!("Write {kind} {name} down as it was at version {version}?"), yes, None).await?;
    let said = deck.revert(&now.id, version, &yes.why).await?;
    Ok(Report::text(format!("{said}\n"), json!({"said": said})))
}

async fn object(deck: &Deck, kind: &str, name: &str) -> Result<Target> {
    let catalog = deck.catalog().await?;
    Ok(match kind_of(kind)? {
        Kind::Swarm => Target::Swarm(catalog.swarm(name)?.id.clone()),
        Kind::Ingredient => Target::Ingredient(catalog.ingredient(name)?.id.clone()),
        Kind::App => Target::App(name.into()),
        Kind::Buildpack => Target::Buildpack(name.into()),
        Kind::Squad => Target::Squad(name.into()),
        Kind::Balancer => Target::Balancer(name.into()),
    })
}
