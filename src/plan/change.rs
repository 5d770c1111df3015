//! What of config and env a plan makes live: every key that differs, compared over the whole structure, secrets as hashes.

use super::types::KeyChange;
use crate::model::entity::Mapping;
use crate::model::release::Release;
use serde_json::Value;
use std::collections::BTreeMap;

/// A value as a plan shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub text: String,
    pub secret: bool,
}

/// Every leaf of a mapping under its dotted key, as text.
pub fn leaves(mapping: &Mapping) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (key, value) in mapping {
        collect(key.clone(), value, &mut all);
    }
    all
}

fn collect(key: String, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(map) if !map.is_empty() => map.iter().for_each(|(part, value)| collect(format!("{key}.{part}"), value, into)),
        // A secret inside a list of mappings is found by its own key.
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            items.iter().enumerate().for_each(|(n, value)| collect(format!("{key}.{n}"), value, into));
        }
        Value::String(text) => drop(into.insert(key, text.clone())),
        other => drop(into.insert(key, other.to_string())),
    }
}

/// The keys that differ between what runs and the release, config first, each in key order.
pub fn changes(
    running: Option<&Release>,
    release: &Release,
    layer: &dyn Fn(&str, &str) -> String,
    show: &dyn Fn(&str, &str) -> Shown,
) -> Vec<KeyChange> {
    let env = |release: &Release| release.env.iter().map(|(key, value)| (key.clone(), value.clone())).collect::<BTreeMap<_, _>>();
    let mut all = Vec::new();
    for (file, before, after) in [
        ("config", running.map(|running| leaves(&running.config)).unwrap_or_default(), leaves(&release.config)),
        ("env", running.map(env).unwrap_or_default(), env(release)),
    ] {
        let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for key in keys.into_iter().filter(|key| before.get(*key) != after.get(*key)) {
            let shown = |value: Option<&String>| value.map(|value| show(key, value));
            let (old, new) = (shown(before.get(key)), shown(after.get(key)));
            all.push(KeyChange {
                file: file.into(),
                key: key.clone(),
                secret: old.iter().chain(&new).any(|value| value.secret),
                before: old.map(|value| value.text),
                after: new.map(|value| value.text),
                layer: if after.contains_key(key) { layer(file, key) } else { "removed".into() },
            });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_leaf_has_the_key_that_says_whether_it_is_secret() {
        let config = json!({"dbs": [{"host": "a", "password": "x"}, {"password": "y"}], "list": ["a", 1], "empty": {}, "n": {"m": null}});
        let Value::Object(config) = config else { unreachable!() };
        let all: Vec<(String, String)> = leaves(&config).into_iter().collect();
        let pair = |key: &str, value: &str| (key.to_string(), value.to_string());
        assert_eq!(
            all,
            [
                pair("dbs.0.host", "a"),
                pair("dbs.0.password", "x"),
                pair("dbs.1.password", "y"),
                pair("empty", "{}"),
                pair("list", "[\"a\",1]"),
                pair("n.m", "null")
            ]
        );
    }
}
