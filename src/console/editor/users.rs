//! What saving an ingredient means for each swarm that uses it: it changes, it is overridden by the swarm's own key, or it is untouched.

use crate::deck::look::{EditDocument, EditTarget, UsedBy};
use crate::model::entity::{Env, Ingredient, Mapping};
use crate::model::merge::{Compiled, Layer, compile};
use crate::model::yaml_text;
use serde_json::Value;
use std::collections::BTreeMap;

/// What becomes of one swarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// These keys of it change.
    Changes(Vec<String>),
    /// All that was changed is hidden: each key with the layer that hides it.
    Overridden(Vec<(String, String)>),
    Untouched,
}

/// A swarm, by its short name where that is enough, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impact {
    pub swarm: String,
    pub what: What,
}

/// What this text means for every user of the ingredient; none where it cannot be read.
pub fn impact(text: &str, document: &EditDocument) -> Option<Vec<Impact>> {
    if document.users.is_empty() {
        return Some(Vec::new());
    }
    let id = document.target.id();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    document.users.iter().for_each(|user| *names.entry(user.swarm.short_name()).or_default() += 1);
    let mut all = Vec::new();
    for user in &document.users {
        let Some(old) = user.ingredients.iter().find(|ingredient| ingredient.id.as_deref() == Some(id)) else { continue };
        let new = changed(text, document, old)?;
        let short = user.swarm.short_name();
        let swarm = if names.get(&short).is_some_and(|count| *count > 1) { user.swarm.full_name() } else { short };
        all.push(Impact { swarm, what: what(user, old, &new) });
    }
    Some(all)
}

/// The ingredient as the text says.
fn changed(text: &str, document: &EditDocument, old: &Ingredient) -> Option<Ingredient> {
    match &document.target {
        EditTarget::IngredientConfig(_) => Some(Ingredient { config: yaml_text::parse_mapping(text).ok()?, ..old.clone() }),
        EditTarget::IngredientEnv(_) => Some(Ingredient { env: yaml_text::parse_env(text).ok()?, ..old.clone() }),
        _ => Some(Ingredient { id: old.id.clone(), ..yaml_text::read(text).ok()? }),
    }
}

fn what(user: &UsedBy, old: &Ingredient, new: &Ingredient) -> What {
    let with: Vec<Ingredient> = user.ingredients.iter().map(|i| if i.id == old.id { new.clone() } else { i.clone() }).collect();
    let (before, after) = (compile(&Env::new(), &user.ingredients, &user.swarm), compile(&Env::new(), &with, &user.swarm));
    let changes = [differing(&before.config, &after.config), differing(&env(&before.env), &env(&after.env))].concat();
    if !changes.is_empty() {
        return What::Changes(changes);
    }
    let touched = [differing(&old.config, &new.config), differing(&env(&old.env), &env(&new.env))].concat();
    if touched.is_empty() {
        return What::Untouched;
    }
    let by = |key: &String| (key.clone(), hiding(&after, key, &new.name));
    What::Overridden(touched.iter().map(by).collect())
}

/// The layer that has the last word on a key.
fn hiding(compiled: &Compiled, key: &str, own: &str) -> String {
    let first = key.split('.').next().unwrap_or(key);
    let origins = compiled.config_from.iter().chain(&compiled.env_from);
    let mut last = origins.filter(|origin| origin.path.first().is_some_and(|part| part == first)).map(|origin| &origin.layer);
    let other = last.rfind(|layer| **layer != Layer::Ingredient(own.to_string()));
    other.map_or_else(|| "another layer".into(), |layer| if *layer == Layer::Swarm { "its own".into() } else { layer.to_string() })
}

/// Keys whose values differ, nested ones dotted.
fn differing(before: &Mapping, after: &Mapping) -> Vec<String> {
    let mut all = Vec::new();
    let keys = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key)));
    for key in keys {
        match (before.get(key), after.get(key)) {
            (a, b) if a == b => {}
            (Some(Value::Object(a)), Some(Value::Object(b))) => {
                all.extend(differing(a, b).into_iter().map(|inner| format!("{key}.{inner}")))
            }
            _ => all.push(key.clone()),
        }
    }
    all
}

fn env(env: &Env) -> Mapping {
    crate::deck::look::env_mapping(env)
}

/// How many change, and how many hide it.
pub fn counts(impact: &[Impact]) -> (usize, usize) {
    let change = impact.iter().filter(|one| matches!(one.what, What::Changes(_))).count();
    let hidden = impact.iter().filter(|one| matches!(one.what, What::Overridden(_))).count();
    (change, hidden)
}

/// A line for each swarm: those that change first.
pub fn lines(impact: &[Impact]) -> Vec<String> {
    let width = impact.iter().map(|one| one.swarm.chars().count()).max().unwrap_or(0).min(40);
    let mut lines: Vec<(usize, String)> = impact
        .iter()
        .map(|one| {
            let (rank, word, rest) = match &one.what {
                What::Changes(keys) => (0, "changes", keys.join(", ")),
                What::Overridden(keys) => {
                    let told: Vec<String> = keys.iter().map(|(key, by)| format!("{key} by {by}")).collect();
                    (1, "overridden", told.join(", "))
                }
                What::Untouched => (2, "untouched", String::new()),
            };
            (rank, format!("{word:<10}  {:<width$}  {rest}", one.swarm).trim_end().to_string())
        })
        .collect();
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::ingredient;
    use super::*;

    #[test]
    fn each_swarm_is_told_what_it_means_for_it() {
        let document = ingredient();
        let told = |text: &str| lines(&impact(text, &document).unwrap());
        assert_eq!(
            told("db_host: db2\ndb_pool: 20\n"),
            [
                "changes     shop-prod-web     db_host",
                "overridden  blog-prod-web     db_host by its own",
                "overridden  shop-prod-worker  db_host by ingredient late"
            ]
        );
        assert_eq!(counts(&impact("db_host: db2\ndb_pool: 20\n", &document).unwrap()), (1, 2));
        assert_eq!(told("# a comment\ndb_host: db1\ndb_pool: 20\n").iter().filter(|line| line.starts_with("untouched")).count(), 3);
        assert_eq!(told("db_host: db1\ndb_pool: 20\nnew: {a: 1}\n")[0], "changes     blog-prod-web     new");
        assert!(impact("a: [", &document).is_none());
    }
}
