//! Opening and saving what the editor edits: a swarm's config or env, an ingredient's config or env; comments kept.

use super::look::{EditDocument, EditTarget, env_mapping};
use super::{Catalog, Deck, Entry};
use crate::model::document::{self, Item};
use crate::model::entity::{Ingredient, Mapping, Merge, Swarm};
use crate::model::{Result, yaml_text};
use crate::store::{Change, Put};
use std::collections::BTreeMap;

impl Deck {
    /// What an editor needs to open; a draft of ours that was never saved comes back instead of the saved text.
    pub async fn edit_open(&self, target: EditTarget) -> Result<EditDocument> {
        let catalog = self.catalog().await?;
        let key = key_of(&target);
        match &target {
            EditTarget::SwarmConfig(id) | EditTarget::SwarmEnv(id) => {
                let entry = catalog.swarm(id)?;
                let mut below = Vec::new();
                let run = self.store.current_run(&entry.id).await?;
                let release = match run {
                    Some(run) => self.store.release(&run.release_id).await?,
                    None => None,
                };
                if key == "env"
                    && let Some(release) = &release
                    && let Some(build) = self.store.build(&release.build).await?
                {
                    below.push(("build".to_string(), env_mapping(&build.env), false));
                }
                for ingredient in catalog.ingredients_of(&entry.body)? {
                    below.push((
                        format!("ingredient {}", ingredient.name),
                        layer(&ingredient.body, key),
                        ingredient.body.merge == Merge::Deep,
                    ));
                }
                let running = match (&release, key) {
                    (Some(release), "config") => release.config.clone(),
                    (Some(release), _) => env_mapping(&release.env),
                    (None, _) => Mapping::new(),
                };
                Ok(EditDocument {
                    title: format!("{} {key}", entry.body.short_name()),
                    text: yaml_text::block(&entry.text, key).unwrap_or_default(),
                    rev: entry.rev,
                    below,
                    running,
                    sibling_keys: sibling_keys(&catalog, entry, key),
                    used_by: Vec::new(),
                    saved_by: entry.changed_by.clone(),
                    saved_ms: entry.changed_ms,
                    target,
                })
            }
            EditTarget::IngredientConfig(id) | EditTarget::IngredientEnv(id) => {
                let entry = catalog.ingredient(id)?;
                let used_by = catalog.swarms.iter().filter(|swarm| swarm.body.ingredients.contains(&entry.name));
                Ok(EditDocument {
                    title: format!("ingredient {} {key}", entry.name),
                    text: yaml_text::block(&entry.text, key).unwrap_or_default(),
                    rev: entry.rev,
                    below: Vec::new(),
                    running: Mapping::new(),
                    sibling_keys: BTreeMap::new(),
                    used_by: used_by.map(|swarm| swarm.body.short_name()).collect(),
                    saved_by: entry.changed_by.clone(),
                    saved_ms: entry.changed_ms,
                    target,
                })
            }
        }
    }

    /// Saves the text; refused when the object's revision is no longer `rev`, saying who saved it when. Answers what it means,
    /// and the new revision.
    pub async fn edit_save(&self, target: &EditTarget, text: &str, rev: i64, why: &str) -> Result<(String, i64)> {
        let catalog = self.catalog().await?;
        let key = key_of(target);
        let parsed = if key == "env" { yaml_text::parse_env(text).map(drop) } else { yaml_text::parse_mapping(text).map(drop) };
        parsed.map_err(|problem| problem.fault(key))?;
        let (change, name, said) = match target {
            EditTarget::SwarmConfig(id) | EditTarget::SwarmEnv(id) => {
                let entry = catalog.swarm(id)?;
                let item = saved::<Swarm>(&entry.text, key, text, &entry.id)?;
                (Change::Put(Put::of(&item, Some(rev))?), entry.name.clone(), "saved; not live until it is dispatched".to_string())
            }
            EditTarget::IngredientConfig(id) | EditTarget::IngredientEnv(id) => {
                let entry = catalog.ingredient(id)?;
                let users = catalog.swarms.iter().filter(|swarm| swarm.body.ingredients.contains(&entry.name)).count();
                let item = saved::<Ingredient>(&entry.text, key, text, &entry.id)?;
                (
                    Change::Put(Put::of(&item, Some(rev))?),
                    format!("ingredient {}", entry.name),
                    format!("saved; {users} swarms use it, live when they are dispatched"),
                )
            }
        };
        let saved = self.store.apply(&[change], &self.who, why, self.now_ms()).await?;
        let rev = saved.first().map_or(rev, |object| object.rev);
        self.store.drop_draft(&self.who, &draft_name(target)).await?;
        self.told("edit", &format!("{name} {key}"), "saved", why).await?;
        self.refresh_soon();
        Ok((said, rev))
    }

    /// Keeps a draft, or with `None` forgets it.
    pub async fn edit_draft(&self, target: &EditTarget, text: Option<&str>) -> Result<()> {
        let name = draft_name(target);
        match text {
            Some(text) => self.store.put_draft(&self.who, &name, text, self.now_ms()).await,
            None => self.store.drop_draft(&self.who, &name).await,
        }
    }

    /// The draft that was kept, and when (ms).
    pub async fn edit_kept_draft(&self, target: &EditTarget) -> Result<Option<(String, i64)>> {
        let name = draft_name(target);
        let all = self.store.all_kept::<String>(&format!("draft of {}", self.who)).await?;
        Ok(all.into_iter().find(|(kept, ..)| *kept == name).map(|(_, at_ms, text)| (text, at_ms)))
    }
}

fn key_of(target: &EditTarget) -> &'static str {
    match target {
        EditTarget::SwarmConfig(_) | EditTarget::IngredientConfig(_) => "config",
        EditTarget::SwarmEnv(_) | EditTarget::IngredientEnv(_) => "env",
    }
}

fn draft_name(target: &EditTarget) -> String {
    let (EditTarget::SwarmConfig(id) | EditTarget::SwarmEnv(id) | EditTarget::IngredientConfig(id) | EditTarget::IngredientEnv(id)) =
        target;
    format!("{id}/{}", key_of(target))
}

fn layer(ingredient: &Ingredient, key: &str) -> Mapping {
    if key == "config" { ingredient.config.clone() } else { env_mapping(&ingredient.env) }
}

/// The object's text with one block changed, as an item with its id.
fn saved<T: Item>(text: &str, key: &str, block: &str, id: &str) -> Result<document::Written<T>> {
    let text = yaml_text::set_block(text, key, block)?;
    let mut item = document::parse_item::<T>(&text, key)?;
    item.body.set_id(Some(id.to_string()));
    Ok(item)
}

/// Keys that the other swarms of the same app set, with how many do.
fn sibling_keys(catalog: &Catalog, entry: &Entry<Swarm>, key: &str) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for sibling in catalog.swarms.iter().filter(|other| other.id != entry.id && other.body.app == entry.body.app) {
        let mapping = if key == "config" { sibling.body.config.clone() } else { env_mapping(&sibling.body.env) };
        mapping.keys().for_each(|key| *all.entry(key.clone()).or_insert(0) += 1);
    }
    all
}
