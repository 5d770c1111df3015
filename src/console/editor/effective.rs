//! The effective view: every key, its value, the layer it comes from, what that hides, and what runs now.

use crate::deck::look::{EditDocument, EditTarget};
use crate::model::document::Kind as Object;
use crate::model::entity::Mapping;
use crate::model::secret::{MASK, Secrets};
use crate::model::shown::shown;
use serde_json::Value;
use std::collections::BTreeMap;

/// A key of the effective view; values are masked and safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Dotted for nested keys.
    pub key: String,
    /// `-` when the key goes away.
    pub value: String,
    /// Name of the layer, "" when the key goes away.
    pub from: String,
    /// Whether this text sets it.
    pub ours: bool,
    /// What the value hides: (value, layer), the nearest first.
    pub hides: Vec<(String, String)>,
    /// What runs now, `-` when nothing does; equal secrets say `same`.
    pub running: String,
    pub differs: bool,
    /// How many siblings set the key.
    pub siblings: usize,
    /// Their values, masked, with how many have each: `hello 11, hi 1`.
    pub theirs: String,
}

/// Leaf path → (value, layer, hidden below, nearest first).
type Leaves = BTreeMap<Vec<String>, (Value, String, Vec<(Value, String)>)>;

/// What the layer of this text is called.
pub fn own_layer(target: &EditTarget) -> &'static str {
    if target.kind() == Object::Swarm { "swarm" } else { "this" }
}

/// Every key with where it comes from, in the order of the keys; those that go away too.
pub fn effective(mine: &Mapping, document: &EditDocument, secrets: &Secrets) -> Vec<Row> {
    // In a whole swarm or ingredient, config and env are layered key by key, each by itself.
    let inner: &[&str] = match document.target.whole() {
        Some(Object::Swarm | Object::Ingredient) => &["config", "env"],
        _ => &[],
    };
    let mut rows = Vec::new();
    for part in [None].into_iter().chain(inner.iter().copied().map(Some)) {
        section(mine, document, secrets, part, inner, &mut rows);
    }
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows
}

/// The rows of one part: config, env, or (none) all that is in neither.
fn section(mine: &Mapping, document: &EditDocument, secrets: &Secrets, part: Option<&str>, inner: &[&str], rows: &mut Vec<Row>) {
    let of = |mapping: &Mapping| -> Mapping {
        match part {
            Some(part) => mapping.get(part).and_then(Value::as_object).cloned().unwrap_or_default(),
            None => {
                mapping.iter().filter(|(key, _)| !inner.contains(&key.as_str())).map(|(key, value)| (key.clone(), value.clone())).collect()
            }
        }
    };
    let own = own_layer(&document.target);
    let mut leaves = Leaves::new();
    for (layer, mapping, deep) in &document.below {
        lay(&mut leaves, &short(layer), &of(mapping), *deep);
    }
    lay(&mut leaves, own, &of(mine), false);
    let mut running = BTreeMap::new();
    flatten(&of(&document.running), &mut Vec::new(), &mut |path, value| {
        running.insert(path.to_vec(), value.clone());
    });
    let whole = |path: &[String]| -> Vec<String> { part.iter().map(|part| part.to_string()).chain(path.iter().cloned()).collect() };
    for (path, (value, layer, hidden)) in &leaves {
        let now = running.remove(path);
        rows.push(row(&whole(path), Some((value, layer)), hidden, now.as_ref(), own, document, secrets));
    }
    for (path, now) in &running {
        rows.push(row(&whole(path), None, &[], Some(now), own, document, secrets));
    }
}

fn row(
    path: &[String],
    set: Option<(&Value, &String)>,
    hidden: &[(Value, String)],
    running: Option<&Value>,
    own: &str,
    document: &EditDocument,
    secrets: &Secrets,
) -> Row {
    let compared = document.compared.is_empty() || path.first().is_some_and(|first| document.compared.contains(&first.as_str()));
    let differs = compared && set.map(|(value, _)| value) != running;
    let secret = path.iter().any(|part| secrets.is_secret_key(part));
    let text = |value: &Value| masked(path, value, secrets);
    let now = match running {
        None if !compared => String::new(),
        None => "-".into(),
        Some(value) if text(value) == MASK || secret => if differs { "other" } else { "same" }.into(),
        Some(value) => text(value),
    };
    let sibling = document.siblings.keys.get(path);
    let theirs = sibling.map(|key| key.values.iter().map(|(value, count)| format!("{} {count}", text(value))).collect::<Vec<_>>());
    Row {
        key: shown(&path.join(".")),
        value: set.map_or("-".into(), |(value, _)| text(value)),
        from: set.map_or(String::new(), |(_, layer)| shown(layer)),
        ours: set.is_some_and(|(_, layer)| layer == own),
        hides: hidden.iter().map(|(value, layer)| (text(value), shown(layer))).collect(),
        running: now,
        differs,
        siblings: sibling.map_or(0, |key| key.count),
        theirs: if secret { String::new() } else { theirs.unwrap_or_default().join(", ") },
    }
}

/// One line for a value; anything under a secret key is masked.
fn masked(path: &[String], value: &Value, secrets: &Secrets) -> String {
    if path.iter().any(|part| secrets.is_secret_key(part)) {
        return MASK.into();
    }
    let key = path.last().map_or("", String::as_str);
    match secrets.mask_value(key, value) {
        Value::String(text) if text.is_empty() => "\"\"".into(),
        Value::String(text) => shown(&text),
        Value::Null => "null".into(),
        other => shown(&other.to_string()),
    }
}

/// `ingredient db` → `ingr db`: the column is narrow.
fn short(layer: &str) -> String {
    layer.strip_prefix("ingredient ").map_or_else(|| layer.to_string(), |name| format!("ingr {name}"))
}

fn flatten(mapping: &Mapping, path: &mut Vec<String>, each: &mut dyn FnMut(&[String], &Value)) {
    for (key, value) in mapping {
        path.push(key.clone());
        match value {
            Value::Object(inner) if !inner.is_empty() => flatten(inner, path, each),
            value => match named_items(value) {
                Some(items) => flatten(&items, path, each),
                None => each(path, value),
            },
        }
        path.pop();
    }
}

/// A list of objects that have names, as a mapping of them: hosts.
fn named_items(value: &Value) -> Option<Mapping> {
    let items = value.as_array().filter(|items| !items.is_empty())?;
    let named = |item: &Value| -> Option<(String, Value)> {
        let mut inner = item.as_object()?.clone();
        let name = inner.get("name")?.as_str()?.to_string();
        if inner.len() > 1 {
            inner.shift_remove("name");
        }
        Some((name, Value::Object(inner)))
    };
    items.iter().map(named).collect()
}

/// Puts a layer over the ones below: top-level keys replace each other whole, or key by key where it merges deep.
/// The values are those of [`crate::model::merge::compile`]; this keeps one origin for every leaf.
fn lay(leaves: &mut Leaves, layer: &str, mapping: &Mapping, deep: bool) {
    let below = std::mem::take(leaves);
    let replaced = |path: &[String]| -> bool {
        if !deep {
            return path.first().is_some_and(|key| mapping.contains_key(key));
        }
        // Deep: a leaf stays unless this layer sets it, something above it to a non-mapping, or something below it.
        let mut at = mapping;
        for (n, part) in path.iter().enumerate() {
            match at.get(part) {
                None => return false,
                Some(Value::Object(inner)) if n + 1 < path.len() => at = inner,
                Some(_) => return true,
            }
        }
        false
    };
    let mut gone = Leaves::new();
    for (path, leaf) in below {
        if replaced(&path) {
            gone.insert(path, leaf)
        } else {
            leaves.insert(path, leaf)
        };
    }
    flatten(mapping, &mut Vec::new(), &mut |path, value| {
        let mut hidden = Vec::new();
        if let Some((value, from, rest)) = gone.get(path) {
            hidden.push((value.clone(), from.clone()));
            hidden.extend(rest.iter().cloned());
        } else if let Some((under, (_, from, _))) = gone.iter().find(|(under, _)| under.starts_with(path) || path.starts_with(under)) {
            let what = if under.len() > path.len() { Value::String("a mapping".into()) } else { Value::String("a value".into()) };
            hidden.push((what, from.clone()));
        }
        leaves.insert(path.to_vec(), (value.clone(), layer.to_string(), hidden));
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::document;
    use super::*;
    use crate::model::entity::{Env, Ingredient, Merge, Swarm};
    use proptest::prelude::*;
    use serde_json::json;

    fn map(value: Value) -> Mapping {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn layers_hidden_values_and_what_runs() {
        let mine = map(json!({"db_host": "db2", "feature": {"cart": true}, "api_token": "t0p"}));
        let rows = effective(&mine, &document(), &Secrets::default());
        let text: Vec<String> =
            rows.iter().map(|r| format!("{} {} {} {} {}", r.key, r.value, r.from, r.running, if r.differs { "<" } else { "" })).collect();
        assert!(text.contains(&"db_host db2 swarm db1 <".to_string()), "{text:#?}");
        assert!(text.contains(&"db_password **** ingr db same ".to_string()), "{text:#?}");
        assert!(text.contains(&"api_token **** swarm - <".to_string()), "{text:#?}");
        assert!(!format!("{rows:?}").contains("hunter2") && !format!("{rows:?}").contains("t0p"));
        let host = rows.iter().find(|r| r.key == "db_host").unwrap();
        assert_eq!(host.hides, [("db1".to_string(), "ingr db".to_string())]);
        // The swarm's own mapping replaces the ingredient's whole: feature.tax goes away.
        assert!(text.contains(&"feature.tax -  true <".to_string()), "{text:#?}");
    }

    fn config() -> impl Strategy<Value = Value> {
        let leaf = (0i64..9).prop_map(|n| json!(n));
        let node = leaf.prop_recursive(2, 9, 3, |inner| {
            proptest::collection::btree_map("[a-c]", inner, 1..3).prop_map(|m| Value::Object(m.into_iter().collect()))
        });
        proptest::collection::btree_map("[a-c]", node, 0..3).prop_map(|m| Value::Object(m.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn values_are_those_that_a_release_would_have(layers in proptest::collection::vec((config(), any::<bool>()), 0..4), mine in config()) {
            let ingredients: Vec<Ingredient> = layers.iter().enumerate().map(|(n, (config, deep))| Ingredient {
                id: None, name: format!("i{n}"), config: map(config.clone()), env: Env::new(), merge: if *deep { Merge::Deep } else { Merge::Shallow },
            }).collect();
            let mut swarm: Swarm = serde_json::from_value(json!({"app": "a", "config_name": "c", "proc_name": "p", "squad": "s", "version": "v"})).unwrap();
            swarm.config = map(mine.clone());
            let compiled = crate::model::merge::compile(&Env::new(), &ingredients, &swarm);
            let mut wanted = BTreeMap::new();
            flatten(&compiled.config, &mut Vec::new(), &mut |path, value| { wanted.insert(path.join("."), value.to_string()); });
            let mut document = document();
            document.running = Mapping::new();
            document.below = layers.iter().enumerate().map(|(n, (config, deep))| (format!("i{n}"), map(config.clone()), *deep)).collect();
            let rows = effective(&map(mine), &document, &Secrets::default());
            let got: BTreeMap<String, String> = rows.into_iter().map(|r| (r.key, r.value)).collect();
            prop_assert_eq!(got, wanted);
        }
    }
}
