//! `apply`, `export`, `delete`: what operators write down goes in whole or not at all.

use super::catalog::Catalog;
use super::{Deck, Orphaned};
use crate::model::document::{self, Document, Item, Kind, Written};
use crate::model::entity::{App, Swarm};
use crate::model::record::{Audit, Event};
use crate::model::world::Owner;
use crate::model::{Fault, Result, yaml_text};
use crate::store::{Change, Put};
use serde::Serialize;
use std::collections::BTreeMap;

/// What applying a document changes, or would.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Applied {
    pub changes: Vec<ObjectChange>,
    /// Things to know that are no errors: hosts that moved, procs that would be orphans.
    pub notices: Vec<String>,
    /// Swarms that are called something else then, and what they lose sight of.
    pub orphans: Vec<Orphaned>,
}

/// One object of it.
#[derive(Debug, Clone, Serialize)]
pub struct ObjectChange {
    pub kind: String,
    pub name: String,
    /// `created`, `changed` or `unchanged`.
    pub what: String,
    /// Unified difference of the texts, secrets masked; empty when unchanged.
    pub difference: String,
}

/// An object that an operator has before him, as he last saw it.
pub(super) struct Seen {
    pub id: String,
    pub rev: i64,
}

impl Deck {
    /// Creates or changes what the document names; deletes nothing; all or nothing. `source` names it in errors.
    pub async fn apply(&self, text: &str, source: &str, dry_run: bool, why: &str) -> Result<Applied> {
        self.apply_document(document::parse(text, source)?, "apply", None, dry_run, why).await
    }

    /// The same with a document that is read already; refused where what was seen has another revision now.
    pub(super) async fn apply_document(
        &self,
        mut document: Document,
        verb: &str,
        seen: Option<&Seen>,
        dry_run: bool,
        why: &str,
    ) -> Result<Applied> {
        let before = self.catalog().await?;
        cascade_renames(&before, &mut document)?;
        let after = before.with(&document);
        after.check()?;
        let orphans = self.orphaned(&before, &after).await?;
        let mut applied = Applied { notices: self.notices(&before, &after, &orphans).await?, orphans, ..Applied::default() };
        let mut changes = Vec::new();
        self.collect(&before, &document.buildpacks, &mut changes, &mut applied)?;
        self.collect(&before, &document.apps, &mut changes, &mut applied)?;
        self.collect(&before, &document.ingredients, &mut changes, &mut applied)?;
        self.collect(&before, &document.squads, &mut changes, &mut applied)?;
        self.collect(&before, &document.balancers, &mut changes, &mut applied)?;
        self.collect(&before, &document.swarms, &mut changes, &mut applied)?;
        for change in &mut changes {
            if let (Change::Put(put), Some(seen)) = (change, seen)
                && put.id.as_deref() == Some(&seen.id)
            {
                put.expected = Some(seen.rev);
            }
        }
        if dry_run {
            return Ok(applied);
        }
        self.store.apply(&changes, &self.who, why, self.now_ms()).await?;
        for change in applied.changes.iter().filter(|change| change.what != "unchanged") {
            self.told(verb, &format!("{} {}", change.kind, change.name), &change.what, why).await?;
        }
        self.refresh_soon();
        Ok(applied)
    }

    fn collect<T: Item>(&self, before: &Catalog, items: &[Written<T>], changes: &mut Vec<Change>, applied: &mut Applied) -> Result<()> {
        for item in items {
            let name = item.body.name();
            let head = before.head(T::KIND, item.body.id(), &name);
            let old = head.map(|(_, _, _, text)| text).unwrap_or_default();
            let renamed = head.is_some_and(|(_, old_name, _, _)| old_name != name);
            let what = match head {
                None => "created",
                Some(_) if old == item.text && !renamed => "unchanged",
                Some(_) => "changed",
            };
            let difference = if what == "unchanged" { String::new() } else { self.difference(old, &item.text) };
            applied.changes.push(ObjectChange { kind: T::KIND.word().into(), name: name.clone(), what: what.into(), difference });
            if what != "unchanged" {
                let mut put = Put::of(item, Some(head.map_or(0, |(_, _, rev, _)| rev)))?;
                put.id = head.map(|(id, ..)| id.to_string()).or(put.id);
                changes.push(Change::Put(put));
            }
        }
        Ok(())
    }

    /// A unified difference with secrets masked.
    pub fn difference(&self, old: &str, new: &str) -> String {
        let (old, new) = (self.masked_yaml(old), self.masked_yaml(new));
        similar::TextDiff::from_lines(&old, &new).unified_diff().context_radius(2).to_string()
    }

    /// What an operator should know before saving.
    async fn notices(&self, before: &Catalog, after: &Catalog, orphans: &[Orphaned]) -> Result<Vec<String>> {
        let mut notices = Vec::new();
        let squads = |catalog: &Catalog| -> BTreeMap<String, String> {
            catalog.hosts().unwrap_or_default().into_iter().map(|host| (host.name, host.squad)).collect()
        };
        let now = squads(after);
        for (host, squad) in squads(before) {
            if let Some(to) = now.get(&host).filter(|to| **to != squad) {
                notices.push(format!("host {host} moves from squad {squad} to {to}"));
            }
        }
        notices.extend(self.out_of_sight(before, after).await?);
        notices.extend(orphans.iter().map(Orphaned::line));
        Ok(notices)
    }

    /// A first host from the console's welcome: a name that ssh knows, or `local` for this machine; in a squad of its own.
    pub async fn add_first_host(&self, name: &str) -> Result<String> {
        let host = if name == "local" {
            let root =
                if nix::unistd::geteuid().is_root() { "/apps".to_string() } else { self.home.path.join("apps").display().to_string() };
            serde_json::json!({"name": "here", "transport": "local", "root": root})
        } else {
            crate::model::name::host(name)?;
            serde_json::json!({"name": name})
        };
        let document = serde_json::json!({"squads": [{"name": "main", "hosts": [host]}]});
        self.apply(&document.to_string(), "the first host", false, "first host").await?;
        Ok(format!("squad main has {name}; look at it with .j, put what is missing on it with .p"))
    }

    /// Everything, one kind or one object as a document that `apply` takes; the ids are in it. It is the operator's own text, so
    /// secrets stand in it as they were written (masked, it could not be applied again): each export is an audit line.
    pub async fn export(&self, kind: Option<Kind>, name: Option<&str>) -> Result<String> {
        let text = document::export(&self.catalog().await?.document(kind, name))?;
        let object = format!("{} {}", kind.map_or("everything", Kind::word), name.unwrap_or_default());
        let audit = Audit {
            at_ms: self.now_ms(),
            who: self.who.clone(),
            verb: "export".into(),
            object: object.trim().into(),
            result: "done".into(),
            ..Audit::default()
        };
        if self.store.look_only().is_none() {
            self.store.note(&[], Some(&audit)).await?;
        }
        Ok(text)
    }

    /// Deletes an object. Refused while others refer to it or procs of it run, with the list.
    pub async fn delete(&self, kind: Kind, name: &str, why: &str) -> Result<()> {
        let catalog = self.catalog().await?;
        let name = if kind == Kind::Swarm { catalog.swarm(name)?.name.clone() } else { name.to_string() };
        let Some((id, name, rev, _)) = catalog.head(kind, None, &name) else {
            return Err(Fault::bad(format!("there is no {} '{name}'", kind.word())).next(format!("swarmdeck get {}", kind.section())));
        };
        let users = catalog.users_of(kind, name);
        if !users.is_empty() {
            return Err(
                Fault::refused(format!("{} {name} is used by {}", kind.word(), users.join(", "))).next("change or delete those first")
            );
        }
        // Under its lease, so that no dispatch starts procs of a swarm while it goes.
        let held = match kind {
            Kind::Swarm => Some(self.acquire(&format!("swarm/{id}"), "delete", "", 0).await?),
            _ => None,
        };
        let deleted = self.delete_unused(&catalog, kind, (id, name, rev), why).await;
        if let Some(held) = held {
            held.release().await.ok();
        }
        deleted
    }

    async fn delete_unused(&self, catalog: &Catalog, kind: Kind, (id, name, rev): (&str, &str, i64), why: &str) -> Result<()> {
        let running = self.procs_on(catalog, kind, name, id).await?;
        if !running.is_empty() {
            return Err(Fault::refused(format!("procs still run for {} {name}: {}", kind.word(), running.join(", ")))
                .next(if kind == Kind::Swarm { format!("swarmdeck size {name} 0") } else { "retire them first".into() }));
        }
        self.store.delete(id, Some(rev), &self.who, why, self.now_ms()).await?;
        self.told("delete", &format!("{} {name}", kind.word()), "deleted", why).await?;
        self.refresh_soon();
        Ok(())
    }

    /// Procs that would lose their owner, as `host:proc`.
    async fn procs_on(&self, catalog: &Catalog, kind: Kind, name: &str, id: &str) -> Result<Vec<String>> {
        if !matches!(kind, Kind::Swarm | Kind::Squad) {
            return Ok(Vec::new());
        }
        let hosts = catalog.hosts()?;
        let of_squad: Vec<&str> = hosts.iter().filter(|host| host.squad == name).map(|host| host.name.as_str()).collect();
        let world = self.observe(catalog, None).await?;
        let concerned = world.procs().filter(|proc| match kind {
            Kind::Swarm => proc.stamp.as_ref().is_some_and(|stamp| stamp.swarm == id && stamp.installation == self.store.installation()),
            _ => of_squad.contains(&proc.host.as_str()) && proc.owner == Owner::Ours,
        });
        Ok(concerned.map(|proc| format!("{}:{}", proc.host, proc.name)).collect())
    }

    /// Writes an event and an audit line about something that an operator did.
    pub async fn told(&self, verb: &str, object: &str, result: &str, why: &str) -> Result<()> {
        let at_ms = self.now_ms();
        let event = Event {
            at_ms,
            kind: "edit".into(),
            who: self.who.clone(),
            what: format!("{verb} {object}: {result}"),
            place: object.into(),
            why: why.into(),
            ..Event::default()
        };
        let audit = Audit {
            at_ms,
            who: self.who.clone(),
            verb: verb.into(),
            object: object.into(),
            result: result.into(),
            why: why.into(),
            ..Audit::default()
        };
        self.store.note(&[event], Some(&audit)).await
    }
}

/// An object whose id says that it has a new name: everything that refers to it by name follows, in the same transaction.
fn cascade_renames(before: &Catalog, document: &mut Document) -> Result<()> {
    let mut renames: Vec<(Kind, String, String)> = Vec::new();
    let mut note = |kind: Kind, id: Option<&str>, name: String| {
        let head = id.and_then(|id| before.head(kind, Some(id), ""));
        if let Some((_, old, ..)) = head.filter(|(_, old, ..)| *old != name) {
            renames.push((kind, old.to_string(), name));
        }
    };
    document.buildpacks.iter().for_each(|item| note(Kind::Buildpack, item.body.id(), item.body.name()));
    document.apps.iter().for_each(|item| note(Kind::App, item.body.id(), item.body.name()));
    document.ingredients.iter().for_each(|item| note(Kind::Ingredient, item.body.id(), item.body.name()));
    document.squads.iter().for_each(|item| note(Kind::Squad, item.body.id(), item.body.name()));
    document.balancers.iter().for_each(|item| note(Kind::Balancer, item.body.id(), item.body.name()));
    for (kind, old, new) in &renames {
        for entry in &before.apps {
            if *kind == Kind::Buildpack
                && entry.body.buildpack.as_ref() == Some(old)
                && !document.apps.iter().any(|item| item.body.name == entry.name)
            {
                document.apps.push(rewritten::<App>(&entry.text, "buildpack", new, &entry.id)?);
            }
        }
    }
    for entry in &before.swarms {
        let named = |item: &Written<Swarm>| item.body.id.as_deref() == Some(&entry.id) || item.body.full_name() == entry.name;
        if document.swarms.iter().any(named) {
            // It is written down anew: its own names count.
            continue;
        }
        let mut text = entry.text.clone();
        for (kind, old, new) in &renames {
            let value = serde_json::Value::String(new.clone());
            text = match kind {
                Kind::App if entry.body.app == *old => yaml_text::set_scalar(&text, "app", &value)?,
                Kind::Squad if entry.body.squad == *old => yaml_text::set_scalar(&text, "squad", &value)?,
                Kind::Balancer if entry.body.balancer.as_ref() == Some(old) => yaml_text::set_scalar(&text, "balancer", &value)?,
                Kind::Ingredient if entry.body.ingredients.contains(old) => yaml_text::set_item(&text, "ingredients", old, new)?,
                _ => text,
            };
        }
        if text != entry.text {
            let mut item = document::parse_item::<Swarm>(&text, "the saved text")?;
            item.body.set_id(Some(entry.id.clone()));
            document.swarms.push(item);
        }
    }
    Ok(())
}

/// The same text with one key changed, as an item with its id.
fn rewritten<T: Item>(text: &str, key: &str, value: &str, id: &str) -> Result<Written<T>> {
    let text = yaml_text::set_scalar(text, key, &serde_json::Value::String(value.into()))?;
    let mut item = document::parse_item::<T>(&text, "the saved text")?;
    item.body.set_id(Some(id.to_string()));
    Ok(item)
}
