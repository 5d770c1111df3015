//! What was: every version of an object and the way back to one; the audit by type, user, app and dates, and its file.

use super::look::Target;
use super::{Catalog, Deck};
use crate::model::document::{self, Document, Item, Kind, Written};
use crate::model::entity::{App, Balancer, Buildpack, Ingredient, Squad, Swarm};
use crate::model::record::{Audit, Event};
use crate::model::{Fault, Result};
use crate::store::Version;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// How many events are read at once.
const PAGE: i64 = 10_000;

/// One version of an object, for lists; without its text, which may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionLook {
    /// The object's id, kind and name then.
    pub id: String,
    pub kind: Kind,
    pub name: String,
    pub rev: i64,
    pub who: String,
    pub at_ms: i64,
    pub why: String,
    /// Whether the object ended with it.
    pub deleted: bool,
    /// Whether it is the present one.
    pub current: bool,
    /// Lines that it added to and took from the version before it.
    pub added: usize,
    pub removed: usize,
}

/// Which audit lines are wanted; what is empty matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditWanted {
    /// The type: the verb's id, or its beginning.
    pub verb: String,
    pub who: String,
    pub app: String,
    /// Words that the line must hold.
    pub text: Vec<String>,
    /// ms since the epoch; 0 is without end.
    pub since_ms: i64,
    pub until_ms: i64,
}

impl AuditWanted {
    /// Whether an event is one of them; its kind is its type, its place what it is about.
    pub fn holds_event(&self, event: &Event) -> bool {
        let what = format!("{} {}", event.what, event.result);
        let (who, verb, object, why) = (event.who.clone(), event.kind.clone(), event.place.clone(), event.why.clone());
        self.holds(&Audit { seq: event.seq, at_ms: event.at_ms, who, verb, object, run: event.run.clone(), result: what, why })
    }

    /// Whether the line is one of them.
    pub fn holds(&self, line: &Audit) -> bool {
        let all = format!("{} {} {} {} {}", line.who, line.verb, line.object, line.result, line.why).to_lowercase();
        line.verb.starts_with(&self.verb)
            && (self.who.is_empty() || line.who.split('@').next() == self.who.split('@').next())
            && (self.app.is_empty() || is_of_app(&line.object, &self.app))
            && (self.since_ms == 0 || line.at_ms >= self.since_ms)
            && (self.until_ms == 0 || line.at_ms < self.until_ms)
            && self.text.iter().all(|word| all.contains(&word.to_lowercase()))
    }
}

/// Whether what an audit line is about belongs to an app: the app itself, or something that is called after it.
pub fn is_of_app(object: &str, app: &str) -> bool {
    object.split([' ', ':', '/']).any(|word| word == app || word.strip_prefix(app).is_some_and(|rest| rest.starts_with('-')))
}

impl Deck {
    /// Every version of an object, the newest first.
    pub async fn history(&self, target: &Target) -> Result<Vec<VersionLook>> {
        let id = self.object_id(&self.catalog().await?, target)?;
        let all = self.store.versions(&id).await?;
        Ok(all
            .iter()
            .enumerate()
            .map(|(place, version)| {
                let before = all.get(place + 1).map_or("", |older| older.object.text.as_str());
                let (added, removed) = if version.deleted { (0, 0) } else { changed_lines(before, &version.object.text) };
                VersionLook {
                    id: id.clone(),
                    kind: version.object.kind,
                    name: version.object.name.clone(),
                    rev: version.object.rev,
                    who: version.object.changed_by.clone(),
                    at_ms: version.object.changed_ms,
                    why: version.why.clone(),
                    deleted: version.deleted,
                    current: place == 0 && !version.deleted,
                    added,
                    removed,
                }
            })
            .collect())
    }

    /// One version of an object.
    pub(super) async fn version(&self, id: &str, rev: i64) -> Result<Version> {
        let found = self.store.versions(id).await?.into_iter().find(|version| version.object.rev == rev);
        found.ok_or_else(|| Fault::bad(format!("there is no version {rev} of it")).next("look at its history"))
    }

    /// Writes an object down again as it was at a version: a new version with the old text, by the rules of `apply`.
    pub async fn revert(&self, id: &str, rev: i64, why: &str) -> Result<String> {
        let version = self.version(id, rev).await?;
        let name = version.object.name.clone();
        if version.deleted {
            return Err(Fault::bad(format!("{} {name} ended with version {rev}", version.object.kind.word())).next("take one before it"));
        }
        let catalog = self.catalog().await?;
        let kind = version.object.kind;
        let gone = catalog.head(kind, Some(id), "").is_none_or(|(found, ..)| found != id);
        if let (true, Some((_, other, ..))) = (gone, catalog.head(kind, None, &name)) {
            let what = format!("another {} is called {other} now", kind.word());
            return Err(Fault::refused(what).next("delete or rename that one first"));
        }
        let text = as_document(&version)?;
        let why = if why.is_empty() { format!("back to version {rev}") } else { format!("back to version {rev}: {why}") };
        let applied = self.apply(&text, &format!("version {rev}"), false, &why).await?;
        let what = applied.changes.first().map_or("unchanged", |change| change.what.as_str());
        if what != "unchanged" {
            let object = format!("{} {name}", version.object.kind.word());
            self.told("revert", &object, &format!("as at version {rev}"), &why).await?;
        }
        Ok(match what {
            "unchanged" => format!("{} {name} is as it was at version {rev} already", version.object.kind.word()),
            _ => format!("{} {name} is written as it was at version {rev}; not live until it is dispatched", version.object.kind.word()),
        })
    }

    /// A version of an object that is gone, by its kind and name: the newest of those that were called so.
    pub async fn deleted_named(&self, kind: Kind, name: &str) -> Result<Option<Target>> {
        let (all, catalog) = (self.store.deleted(i64::MAX).await?, self.catalog().await?);
        let is = |version: &&Version| {
            let object = &version.object;
            let gone = catalog.head(object.kind, Some(&object.id), "").is_none_or(|(id, ..)| id != object.id);
            gone && object.kind == kind && (object.name == name || object.id == name || object.name.split('@').next() == Some(name))
        };
        Ok(all.iter().find(is).map(|version| Target::Version(version.object.id.clone(), version.object.rev)))
    }

    /// The id of an object that somebody wrote down.
    pub(super) fn object_id(&self, catalog: &Catalog, target: &Target) -> Result<String> {
        let id = match target {
            Target::Swarm(id) | Target::Ingredient(id) | Target::Version(id, _) => Some(id.clone()),
            Target::Release(swarm, _) => Some(swarm.clone()),
            target => written(target).and_then(|(kind, name)| catalog.head(kind, None, name).map(|(id, ..)| id.to_string())),
        };
        id.ok_or_else(|| {
            Fault::bad("nobody wrote it down, so it has no versions").next("swarms, apps, squads and what else apply takes have")
        })
    }

    /// Audit lines, the newest first.
    pub async fn audit(&self, wanted: &AuditWanted, limit: i64) -> Result<Vec<Audit>> {
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.store.audit_after(0, i64::MAX).await?.into_iter().filter(|line| wanted.holds(line)).take(most).collect())
    }

    /// Writes audit lines to a file that is not there yet, one JSON value a line, oldest first; answers with how many.
    pub async fn export_audit(&self, wanted: &AuditWanted, path: &Path) -> Result<usize> {
        let mut lines = self.audit(wanted, i64::MAX).await?;
        lines.reverse();
        write_lines(path, &lines)
    }

    /// Events after a number (0: all), oldest first.
    pub async fn events(&self, wanted: &AuditWanted, after: i64) -> Result<Vec<Event>> {
        let (mut cursor, mut found) = (after, Vec::new());
        loop {
            let page = self.store.events_after(cursor, PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            cursor = last.seq;
            found.extend(page.into_iter().filter(|event| wanted.holds_event(event)));
        }
    }

    /// Writes events to a file that is not there yet, one JSON value a line, oldest first; answers with how many.
    pub async fn export_events(&self, wanted: &AuditWanted, path: &Path) -> Result<usize> {
        write_lines(path, &self.events(wanted, 0).await?)
    }
}

/// Writes one JSON value a line to a file that is not there yet.
fn write_lines<T: serde::Serialize>(path: &Path, lines: &[T]) -> Result<usize> {
    let cannot = |error: std::io::Error| {
        Fault::bad(format!("{} cannot be written: {error}", path.display())).next("name a file that is not there yet, where you may write")
    };
    // It says who did what and why: for its owner's eyes.
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(cannot)?;
    for line in lines {
        writeln!(file, "{}", serde_json::to_string(line).unwrap_or_default()).map_err(cannot)?;
    }
    file.sync_all().map_err(cannot)?;
    Ok(lines.len())
}

/// Kind and name of an object that is known by its name.
pub(super) fn written(target: &Target) -> Option<(Kind, &str)> {
    match target {
        Target::App(name) => Some((Kind::App, name)),
        Target::Buildpack(name) => Some((Kind::Buildpack, name)),
        Target::Squad(name) => Some((Kind::Squad, name)),
        Target::Balancer(name) => Some((Kind::Balancer, name)),
        _ => None,
    }
}

/// How many lines came and went.
fn changed_lines(old: &str, new: &str) -> (usize, usize) {
    let difference = similar::TextDiff::from_lines(old, new);
    let count = |tag: similar::ChangeTag| difference.iter_all_changes().filter(|change| change.tag() == tag).count();
    (count(similar::ChangeTag::Insert), count(similar::ChangeTag::Delete))
}

/// A version as a document that `apply` takes.
fn as_document(version: &Version) -> Result<String> {
    fn one<T: Item>(version: &Version) -> Result<Vec<Written<T>>> {
        Ok(vec![version.object.item::<T>()?])
    }
    let mut document = Document::default();
    match version.object.kind {
        Kind::App => document.apps = one::<App>(version)?,
        Kind::Buildpack => document.buildpacks = one::<Buildpack>(version)?,
        Kind::Ingredient => document.ingredients = one::<Ingredient>(version)?,
        Kind::Squad => document.squads = one::<Squad>(version)?,
        Kind::Balancer => document.balancers = one::<Balancer>(version)?,
        Kind::Swarm => document.swarms = one::<Swarm>(version)?,
    }
    document::export(&document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audit_lines_are_chosen_by_type_user_app_dates_and_words() {
        let line = Audit {
            at_ms: 5_000,
            who: "op1@jump1".into(),
            verb: "dispatch".into(),
            object: "shop-prod-web@web".into(),
            why: "OPS-880 Checkout".into(),
            ..Audit::default()
        };
        let holds = |change: fn(&mut AuditWanted)| {
            let mut wanted = AuditWanted::default();
            change(&mut wanted);
            wanted.holds(&line)
        };
        assert!(holds(|_| {}) && holds(|it| it.verb = "disp".into()) && holds(|it| it.who = "op1".into()));
        assert!(holds(|it| it.app = "shop".into()) && holds(|it| it.text = vec!["checkout".into()]));
        assert!(holds(|it| (it.since_ms, it.until_ms) = (5_000, 5_001)));
        assert!(!holds(|it| it.verb = "edit".into()) && !holds(|it| it.who = "op".into()) && !holds(|it| it.app = "sho".into()));
        assert!(!holds(|it| it.since_ms = 5_001) && !holds(|it| it.until_ms = 5_000) && !holds(|it| it.text = vec!["mail".into()]));
        assert!(is_of_app("ingredient shop-db", "shop") && is_of_app("web01:shop-v1", "shop") && !is_of_app("workshop-1", "shop"));
    }

    #[test]
    fn lines_that_changed() {
        assert_eq!(changed_lines("a\nb\n", "a\nc\nd\n"), (2, 1));
        assert_eq!(changed_lines("", "a\n"), (1, 0));
    }
}
