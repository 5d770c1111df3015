//! What objects alike set: for the check of keys that look like theirs, for completion, and beside the effective view.

use crate::deck::look::{EditTarget, SiblingKey, Siblings, env_mapping};
use crate::deck::{Catalog, Entry};
use crate::model::document::Kind;
use crate::model::entity::{Mapping, Swarm};
use serde_json::Value;

/// Values of one key that are kept, and how many different ones are counted.
const VALUES: usize = 8;
const DIFFERENT: usize = 64;

/// The swarms of the same app; for an ingredient the swarms that use it.
pub fn siblings(catalog: &Catalog, target: &EditTarget, like: Option<&Swarm>) -> Siblings {
    let alike: Vec<&Entry<Swarm>> = match target.kind() {
        Kind::Swarm => {
            let app = like.map(|swarm| swarm.app.as_str());
            catalog.swarms.iter().filter(|other| other.id != target.id() && Some(other.body.app.as_str()) == app).collect()
        }
        Kind::Ingredient => {
            let name = catalog.head(Kind::Ingredient, Some(target.id()), "").map(|(_, name, ..)| name.to_string()).unwrap_or_default();
            catalog.swarms.iter().filter(|other| other.body.ingredients.contains(&name)).collect()
        }
        _ => Vec::new(),
    };
    let mut siblings = Siblings { count: alike.len(), ..Siblings::default() };
    for swarm in alike {
        let env = env_mapping(&swarm.body.env);
        match target.block() {
            Some("env") => note(&mut siblings, &mut Vec::new(), &env),
            Some(_) => note(&mut siblings, &mut Vec::new(), &swarm.body.config),
            None => {
                note(&mut siblings, &mut vec!["config".into()], &swarm.body.config);
                note(&mut siblings, &mut vec!["env".into()], &env);
            }
        }
    }
    siblings.keys.values_mut().for_each(|key| {
        key.values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        key.values.truncate(VALUES);
    });
    siblings
}

fn note(siblings: &mut Siblings, path: &mut Vec<String>, mapping: &Mapping) {
    for (name, value) in mapping {
        path.push(name.clone());
        let key: &mut SiblingKey = siblings.keys.entry(path.clone()).or_default();
        key.count += 1;
        match value {
            Value::Object(inner) if !inner.is_empty() => note(siblings, path, inner),
            value => match key.values.iter().position(|(known, _)| known == value) {
                Some(at) => key.values.iter_mut().skip(at).take(1).for_each(|(_, count)| *count += 1),
                None if key.values.len() < DIFFERENT => key.values.push((value.clone(), 1)),
                None => {}
            },
        }
        path.pop();
    }
}
