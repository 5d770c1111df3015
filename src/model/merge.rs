//! Config merge: build env < ingredients in the swarm's order < swarm, with where each value came from (VR-13, W31).

use super::entity::{Env, Ingredient, Mapping, Merge, Swarm};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// One of the layers that a value can come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// `config_vars` of the buildpack's release script; env only (VR-26).
    Build,
    /// By the ingredient's name.
    Ingredient(String),
    Swarm,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Layer::Build => f.write_str("build"),
            Layer::Ingredient(name) => write!(f, "ingredient {name}"),
            Layer::Swarm => f.write_str("swarm"),
        }
    }
}

/// Where one value came from, and what it hides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// One key, or several where an ingredient with `merge: deep` joined nested mappings.
    pub path: Vec<String>,
    pub layer: Layer,
    /// Values of lower layers that this one hides, the nearest first.
    pub hidden: Vec<(Layer, Value)>,
}

impl Origin {
    /// The path as people read it: `db.host`.
    pub fn dotted(&self) -> String {
        self.path.join(".")
    }
}

/// Config and env as a release of this swarm would have them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Compiled {
    pub config: Mapping,
    pub env: Env,
    /// One per key of `config`; one per nested key where layers were joined.
    pub config_from: Vec<Origin>,
    /// One per key of `env`.
    pub env_from: Vec<Origin>,
}

impl Compiled {
    /// Where the value at a path of the config came from; a path inside a value asks for the value.
    pub fn config_origin(&self, path: &[&str]) -> Option<&Origin> {
        (1..=path.len()).rev().find_map(|n| {
            let wanted = path.get(..n)?;
            self.config_from.iter().find(|origin| origin.path == wanted)
        })
    }
    /// Where an environment variable came from.
    pub fn env_origin(&self, name: &str) -> Option<&Origin> {
        self.env_from.iter().find(|origin| origin.path == [name])
    }
}

/// What a swarm gets: `ingredients` in the order in which the swarm lists them, later over earlier, the swarm over all.
/// A key keeps the place where it first appeared.
pub fn compile<'a>(build_env: &Env, ingredients: impl IntoIterator<Item = &'a Ingredient>, swarm: &Swarm) -> Compiled {
    let mut out = Compiled::default();
    out.env_layer(&Layer::Build, build_env);
    for ingredient in ingredients {
        let layer = Layer::Ingredient(ingredient.name.clone());
        merge(&mut out.config, &mut out.config_from, &[], &layer, &ingredient.config, ingredient.merge);
        out.env_layer(&layer, &ingredient.env);
    }
    merge(&mut out.config, &mut out.config_from, &[], &Layer::Swarm, &swarm.config, Merge::Shallow);
    out.env_layer(&Layer::Swarm, &swarm.env);
    out
}

impl Compiled {
    fn env_layer(&mut self, layer: &Layer, env: &Env) {
        for (name, value) in env {
            let below = self.env.insert(name.clone(), value.clone());
            note(&mut self.env_from, vec![name.clone()], layer, below.map(Value::String));
        }
    }
}

fn merge(into: &mut Mapping, from: &mut Vec<Origin>, at: &[String], layer: &Layer, over: &Mapping, how: Merge) {
    for (key, value) in over {
        let path: Vec<String> = at.iter().chain([key]).cloned().collect();
        match (how, into.get_mut(key), value) {
            (Merge::Deep, Some(Value::Object(below)), Value::Object(above)) => {
                split(from, &path, below);
                merge(below, from, &path, layer, above, how);
            }
            _ => {
                let below = into.insert(key.clone(), value.clone());
                note(from, path, layer, below);
            }
        }
    }
}

/// One origin for a whole mapping becomes one for each of its keys, so that they can differ.
fn split(from: &mut Vec<Origin>, path: &[String], mapping: &Mapping) {
    let Some(at) = from.iter().position(|origin| origin.path == path) else { return };
    if mapping.is_empty() {
        return;
    }
    let whole = from.remove(at);
    let parts = mapping.keys().map(|key| {
        let hidden = whole.hidden.iter().filter_map(|(layer, value)| Some((layer.clone(), value.get(key)?.clone())));
        Origin { path: path.iter().chain([key]).cloned().collect(), layer: whole.layer.clone(), hidden: hidden.collect() }
    });
    let parts: Vec<Origin> = parts.collect();
    from.splice(at..at, parts);
}

/// Records that a layer set the value at a path, over what was there.
fn note(from: &mut Vec<Origin>, path: Vec<String>, layer: &Layer, below: Option<Value>) {
    let is_here = |origin: &Origin| origin.path.starts_with(&path);
    let at = from.iter().position(is_here).unwrap_or(from.len());
    let mut hidden = Vec::new();
    // The topmost of the layers that were joined below speaks for the mix.
    if let (Some(old), Some(value)) = (from.iter().rfind(|origin| is_here(origin)), below) {
        hidden.push((old.layer.clone(), value));
        if old.path == path {
            hidden.extend(old.hidden.iter().cloned());
        }
    }
    from.retain(|origin| !is_here(origin));
    from.insert(at.min(from.len()), Origin { path, layer: layer.clone(), hidden });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn map(value: Value) -> Mapping {
        value.as_object().unwrap().clone()
    }
    fn ingredient(name: &str, config: Value, merge: Merge) -> Ingredient {
        Ingredient { id: None, name: name.into(), config: map(config), env: Env::new(), merge }
    }
    fn swarm(config: Value) -> Swarm {
        let mut swarm: Swarm =
            serde_json::from_value(json!({"app": "shop", "config_name": "prod", "proc_name": "web", "squad": "web", "version": "v1"}))
                .unwrap();
        swarm.config = map(config);
        swarm
    }

    #[test]
    fn a_nested_mapping_is_replaced_whole_unless_the_ingredient_says_deep() {
        let base = ingredient("base", json!({"db": {"host": "a", "port": 1}, "x": 1}), Merge::Shallow);
        let shallow = ingredient("over", json!({"db": {"host": "b"}}), Merge::Shallow);
        let deep = ingredient("over", json!({"db": {"host": "b"}}), Merge::Deep);
        let out = compile(&Env::new(), [&base, &shallow], &swarm(json!({})));
        assert_eq!(Value::Object(out.config.clone()), json!({"db": {"host": "b"}, "x": 1}));
        assert_eq!(out.config_origin(&["db"]).unwrap().hidden, [(Layer::Ingredient("base".into()), json!({"host": "a", "port": 1}))]);

        let out = compile(&Env::new(), [&base, &deep], &swarm(json!({"x": 2})));
        assert_eq!(Value::Object(out.config.clone()), json!({"db": {"host": "b", "port": 1}, "x": 2}));
        assert_eq!(out.config_origin(&["db", "host"]).unwrap().layer.to_string(), "ingredient over");
        assert_eq!(out.config_origin(&["db", "host"]).unwrap().hidden, [(Layer::Ingredient("base".into()), json!("a"))]);
        assert_eq!(out.config_origin(&["db", "port"]).unwrap().layer.to_string(), "ingredient base");
        assert_eq!(out.config_origin(&["x"]).unwrap().layer, Layer::Swarm);
        assert!(out.config_origin(&["nothing"]).is_none());

        // A shallow layer over a joined mapping replaces it, and the origins of its parts are gone.
        let out = compile(&Env::new(), [&base, &deep], &swarm(json!({"db": "none"})));
        assert_eq!(out.config_from.iter().map(Origin::dotted).collect::<Vec<_>>(), ["db", "x"]);
    }

    #[test]
    fn env_of_the_build_is_lowest() {
        let env: Env = [("A".to_string(), "build".to_string()), ("B".into(), "build".into())].into_iter().collect();
        let mut over = swarm(json!({}));
        over.env.insert("A".into(), "swarm".into());
        let out = compile(&env, [], &over);
        assert_eq!(out.env.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(), ["A=swarm", "B=build"]);
        assert_eq!(out.env_origin("A").unwrap().hidden, [(Layer::Build, json!("build"))]);
        assert_eq!(out.env_origin("B").unwrap().layer, Layer::Build);
    }

    proptest! {
        #[test]
        fn the_last_layer_wins_and_no_key_is_lost(layers in proptest::collection::vec(proptest::collection::vec(("[a-e]", 0i64..100), 0..5), 1..6)) {
            let ingredients: Vec<Ingredient> = layers.iter().enumerate().map(|(n, layer)| {
                let config: Mapping = layer.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
                Ingredient { id: None, name: format!("i{n}"), config, env: Env::new(), merge: if n % 2 == 0 { Merge::Shallow } else { Merge::Deep } }
            }).collect();
            let out = compile(&Env::new(), &ingredients, &swarm(json!({})));
            let mut order: Vec<String> = Vec::new();
            for ingredient in &ingredients {
                for key in ingredient.config.keys() {
                    if !order.contains(key) { order.push(key.clone()); }
                }
            }
            prop_assert_eq!(out.config.keys().cloned().collect::<Vec<_>>(), order.clone());
            for key in &order {
                let last = ingredients.iter().rfind(|i| i.config.contains_key(key)).unwrap();
                prop_assert_eq!(out.config.get(key), last.config.get(key));
                let origin = out.config_origin(&[key]).unwrap();
                prop_assert_eq!(&origin.layer, &Layer::Ingredient(last.name.clone()));
                prop_assert_eq!(origin.hidden.len() + 1, ingredients.iter().filter(|i| i.config.contains_key(key)).count());
            }
        }

        #[test]
        fn the_swarm_is_over_everything(a in "[a-c]", b in "[a-c]", deep in any::<bool>()) {
            let how = if deep { Merge::Deep } else { Merge::Shallow };
            let low = ingredient("low", json!({a: {"x": 1}}), how);
            let out = compile(&Env::new(), [&low], &swarm(json!({b.clone(): 7})));
            prop_assert_eq!(out.config.get(&b), Some(&json!(7)));
        }
    }
}
