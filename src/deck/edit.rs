//! Editing what is written down: opening and saving a whole object, a new one, or a swarm's or ingredient's config or env;
//! comments kept. Drafts of what was not saved.

mod opening;
mod siblings;
#[cfg(test)]
mod tests;

use super::Deck;
use super::apply::Seen;
use super::look::{Draft, EditSaved, EditTarget};
use crate::model::document::{self, Item, Kind};
use crate::model::entity::{Ingredient, Swarm};
use crate::model::{Fault, Result, yaml_text};
use crate::store::{Change, Put};

/// Errors about an edited text name it so.
const SOURCE: &str = "text";

impl Deck {
    /// What saving would mean besides: hosts that move, procs that would be orphans. Refused where it could not be saved.
    pub async fn edit_try(&self, target: &EditTarget, text: &str, rev: i64) -> Result<Vec<String>> {
        let Some(kind) = target.whole() else { return Ok(Vec::new()) };
        let document = self.edited(kind, target, text).await?;
        let applied = self.apply_document(document, "edit", seen(target, rev).as_ref(), true, "").await?;
        let others = applied.changes.iter().filter(|change| change.what == "changed" && change.kind != kind.word());
        let follow = others.map(|change| format!("{} {} follows: it names this one", change.kind, change.name));
        Ok(follow.chain(applied.notices).collect())
    }

    /// Saves the text; refused when the object's revision is no longer `rev`, saying who saved it when.
    pub async fn edit_save(&self, target: &EditTarget, text: &str, rev: i64, why: &str) -> Result<EditSaved> {
        let saved = match target.whole() {
            Some(kind) => self.save_whole(kind, target, text, rev, why).await?,
            None => self.save_block(target, text, rev, why).await?,
        };
        self.store.drop_draft(&self.who, &target.draft_name()).await?;
        self.refresh_soon();
        Ok(saved)
    }

    async fn save_whole(&self, kind: Kind, target: &EditTarget, text: &str, rev: i64, why: &str) -> Result<EditSaved> {
        let document = self.edited(kind, target, text).await?;
        let name = name_in(&document);
        let applied = self.apply_document(document, "edit", seen(target, rev).as_ref(), false, why).await?;
        let catalog = self.catalog().await?;
        let id = Some(target.id()).filter(|id| !id.is_empty());
        let Some((id, name, rev, _)) = catalog.head(kind, id, &name) else {
            return Err(Fault::failed(format!("{} {name} was saved and is gone again", kind.word())));
        };
        let what = if matches!(target, EditTarget::New(..)) { "created" } else { "saved" };
        let next = if kind == Kind::Swarm { "; not live until it is dispatched" } else { "" };
        let notices: String = applied.notices.iter().map(|notice| format!("; {notice}")).collect();
        let said = format!("{} {name} {what}{next}{notices}", kind.word());
        let title = opening::title(kind, name);
        Ok(EditSaved { target: EditTarget::Whole(kind, id.to_string()), rev, title, said })
    }

    /// The document of a whole object's text; a new one must not be there yet.
    async fn edited(&self, kind: Kind, target: &EditTarget, text: &str) -> Result<document::Document> {
        let id = Some(target.id()).filter(|id| !id.is_empty());
        let document = document::single(kind, text, SOURCE, id)?;
        let name = name_in(&document);
        let catalog = self.catalog().await?;
        let other = catalog.head(kind, None, &name).filter(|(other, found, ..)| *found == name && Some(*other) != id);
        if other.is_some() {
            let what = if kind == Kind::Swarm { "app, config_name, proc_name or squad" } else { "its name" };
            return Err(Fault::bad(format!("there is a {} {name} already", kind.word())).next(format!("change {what}")));
        }
        if let Some(id) = id
            && catalog.head(kind, Some(id), "").is_none_or(|(found, ..)| found != id)
        {
            return Err(
                Fault::bad(format!("the {} was deleted meanwhile", kind.word())).next("copy the text and make a new one of it (.n)")
            );
        }
        Ok(document)
    }

    async fn save_block(&self, target: &EditTarget, text: &str, rev: i64, why: &str) -> Result<EditSaved> {
        let catalog = self.catalog().await?;
        let key = target.block().unwrap_or("config");
        let parsed = if key == "env" { yaml_text::parse_env(text).map(drop) } else { yaml_text::parse_mapping(text).map(drop) };
        parsed.map_err(|problem| problem.fault(key))?;
        let (change, name, said) = match target.kind() {
            Kind::Ingredient => {
                let entry = catalog.ingredient(target.id())?;
                let users = catalog.swarms.iter().filter(|swarm| swarm.body.ingredients.contains(&entry.name)).count();
                let item = with_block::<Ingredient>(&entry.text, key, text, &entry.id)?;
                let said = format!("saved; {users} swarms use it, live when they are dispatched");
                (Change::Put(Put::of(&item, Some(rev))?), format!("ingredient {}", entry.name), said)
            }
            _ => {
                let entry = catalog.swarm(target.id())?;
                let item = with_block::<Swarm>(&entry.text, key, text, &entry.id)?;
                (Change::Put(Put::of(&item, Some(rev))?), entry.name.clone(), "saved; not live until it is dispatched".to_string())
            }
        };
        let saved = self.store.apply(&[change], &self.who, why, self.now_ms()).await?;
        let rev = saved.first().map_or(rev, |object| object.rev);
        self.told("edit", &format!("{name} {key}"), "saved", why).await?;
        let title = format!("{} {key}", name.split('@').next().unwrap_or(&name));
        Ok(EditSaved { target: target.clone(), rev, title, said })
    }

    /// Keeps a draft, or with `None` forgets it.
    pub async fn edit_draft(&self, target: &EditTarget, draft: Option<&Draft>) -> Result<()> {
        let name = target.draft_name();
        match draft {
            Some(draft) => self.store.put_draft(&self.who, &name, draft, self.now_ms()).await,
            None => self.store.drop_draft(&self.who, &name).await,
        }
    }

    /// The draft that was kept, and when (ms).
    pub async fn edit_kept_draft(&self, target: &EditTarget) -> Result<Option<(Draft, i64)>> {
        self.store.draft(&self.who, &target.draft_name()).await
    }
}

fn seen(target: &EditTarget, rev: i64) -> Option<Seen> {
    (!target.id().is_empty()).then(|| Seen { id: target.id().to_string(), rev })
}

/// The name of a document's only object.
fn name_in(document: &document::Document) -> String {
    let first = |names: Vec<String>| names.into_iter().next();
    fn names<T: Item>(items: &[document::Written<T>]) -> Vec<String> {
        items.iter().map(|item| item.body.name()).collect()
    }
    first(names(&document.swarms))
        .or_else(|| first(names(&document.apps)))
        .or_else(|| first(names(&document.ingredients)))
        .or_else(|| first(names(&document.squads)))
        .or_else(|| first(names(&document.balancers)))
        .or_else(|| first(names(&document.buildpacks)))
        .unwrap_or_default()
}

/// The object's text with one block changed, as an item with its id.
fn with_block<T: Item>(text: &str, key: &str, block: &str, id: &str) -> Result<document::Written<T>> {
    let text = yaml_text::set_block(text, key, block)?;
    let mut item = document::parse_item::<T>(&text, key)?;
    item.body.set_id(Some(id.to_string()));
    Ok(item)
}
