//! The example of the editor's screen, for its tests.

use crate::deck::look::{EditDocument, EditTarget, SiblingKey, Siblings, UsedBy};
use crate::model::document::Kind;
use crate::model::document::schema::Named;
use crate::model::entity::{Ingredient, Mapping, Swarm};
use crate::model::secret::Secrets;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn map(value: Value) -> Mapping {
    value.as_object().cloned().unwrap_or_default()
}

/// What was saved.
pub const SAVED: &str =
    "# primary moved, OPS-880\ndb_host: db1\ncache_ttl: 300\ngreeting: hello\nfeature:\n  cart: off\n  # tax: off\nlimits:\n  upload: 10M";

/// What is being typed.
pub const TYPED: &str =
    "# primary moved, OPS-880\ndb_host: db2\ncache_ttl: 12:30\ngrteing: hi\nfeature:\n  cart: on\n  # tax: off\nlimits:\n  upload: 10M";

/// A swarm's config with layers below, what runs, and siblings.
pub fn document() -> EditDocument {
    EditDocument {
        target: EditTarget::SwarmConfig("s1".into()),
        title: "shop-prod-web config".into(),
        text: SAVED.into(),
        rev: 7,
        below: vec![
            (
                "ingredient db".into(),
                map(json!({"db_host": "db1", "db_password": "hunter2", "db_pool": 20, "url": "postgres://u:hunter2@db1/x"})),
                false,
            ),
            ("ingredient tax".into(), map(json!({"feature": {"tax": true}})), true),
            ("ingredient web".into(), map(json!({"greeting": "hello", "locale": "de", "workers": 4, "zone": "eu"})), false),
        ],
        running: map(json!({
            "cache_ttl": 300, "db_host": "db1", "db_password": "hunter2", "db_pool": 20, "feature": {"cart": false, "tax": true}, "greeting": "hello",
            "limits": {"upload": "10M"}, "locale": "de", "workers": 4, "zone": "eu", "url": "postgres://u:hunter2@db1/x"
        })),
        siblings: siblings(),
        known: known(),
        users: Vec::new(),
        at: (0, 0),
        compared: Vec::new(),
        secrets: Secrets::default(),
        used_by: vec!["shop-prod-web@web".into()],
        saved_by: "op2".into(),
        saved_ms: 1_000_000 - 40_000,
    }
}

/// Twelve of them.
fn siblings() -> Siblings {
    let key = |path: &[&str], count: usize, values: Vec<(Value, usize)>| {
        (path.iter().map(|part| part.to_string()).collect(), SiblingKey { count, values })
    };
    let keys: BTreeMap<Vec<String>, SiblingKey> = BTreeMap::from([
        key(&["greeting"], 11, vec![(json!("hello"), 10), (json!("hi"), 1)]),
        key(&["cache_ttl"], 12, vec![(json!(300), 11), (json!("5m"), 1)]),
        key(&["db_host"], 3, vec![(json!("db1"), 3)]),
        key(&["db_password"], 2, vec![(json!("hunter2"), 2)]),
        key(&["feature"], 12, vec![]),
        key(&["feature", "cart"], 8, vec![(json!(true), 5), (json!("on"), 3)]),
        key(&["limits"], 9, vec![]),
        key(&["limits", "upload"], 9, vec![(json!("10M"), 9)]),
    ]);
    Siblings { count: 12, keys }
}

fn known() -> BTreeMap<Named, Vec<String>> {
    let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
    BTreeMap::from([
        (Named::App, names(&["blog", "shop"])),
        (Named::Buildpack, names(&["python"])),
        (Named::Squad, names(&["web"])),
        (Named::Ingredient, names(&["db", "tax", "web"])),
        (Named::Balancer, names(&["edge"])),
        (Named::Pool, names(&["shop"])),
        (Named::Swarm, names(&["shop-prod-web@web", "shop-stage-web@web"])),
    ])
}

/// A whole object of a kind; of a swarm the same as in [`document`].
pub fn whole(kind: Kind) -> EditDocument {
    let swarm = "# the shop\napp: shop\nconfig_name: prod\nproc_name: web\nsquad: web\nversion: v5.3.0\nsize: 2\ningredients: [db, tax, web]\nconfig:\n  # primary\n  db_host: db2\nenv:\n  LOG: info\n";
    let text = match kind {
        Kind::Swarm => swarm,
        Kind::App => "name: shop\nrepo:\n  url: git@git.example:shop.git\nbuildpack: python\n",
        Kind::Buildpack => "name: python\nurl: https://git.example/python.git#v1\n",
        Kind::Ingredient => "name: db\nconfig:\n  db_host: db1\n",
        Kind::Squad => "name: web\ndefaults:\n  user: deploy\nhosts:\n  - name: web01\n    ports: 5000-5999\n  - name: web02 # spare\n",
        Kind::Balancer => "name: edge\nbackend: nginx\nhosts: [lb01, lb02]\n",
    };
    let inside = |(layer, mapping, deep): (String, Mapping, bool)| (layer, map(json!({"config": mapping})), deep);
    let config = document();
    let mut below = vec![("default".to_string(), map(json!({"size": 1, "run_as": "nobody", "settle": "5s"})), false)];
    below.extend(config.below.into_iter().map(inside));
    let keys = config.siblings.keys.into_iter().map(|(path, key)| ([vec!["config".to_string()], path].concat(), key));
    let is_swarm = kind == Kind::Swarm;
    EditDocument {
        target: EditTarget::Whole(kind, "o1".into()),
        title: if is_swarm { "swarm shop-prod-web".into() } else { format!("{} shop", kind.word()) },
        text: text.into(),
        below: if is_swarm { below } else { Vec::new() },
        running: if is_swarm {
            map(json!({"version": "v5.2.0", "run_as": "nobody", "config": config.running, "env": {"LOG": "info"}}))
        } else {
            Mapping::new()
        },
        compared: if is_swarm { vec!["version", "run_as", "config", "env"] } else { Vec::new() },
        siblings: Siblings { count: if is_swarm { 12 } else { 0 }, keys: if is_swarm { keys.collect() } else { BTreeMap::new() } },
        ..document()
    }
}

/// An ingredient that three swarms use: one takes it, one has its own key, one has a later ingredient over it.
pub fn ingredient() -> EditDocument {
    let ingredient = |id: &str, name: &str, config: Value| -> Ingredient {
        Ingredient { id: Some(id.into()), ..serde_json::from_value(json!({"name": name, "config": config})).unwrap() }
    };
    let db = ingredient("i1", "db", json!({"db_host": "db1", "db_pool": 20}));
    let late = ingredient("i2", "late", json!({"db_host": "late"}));
    let swarm = |app: &str, proc: &str, config: Value| -> Swarm {
        serde_json::from_value(
            json!({"app": app, "config_name": "prod", "proc_name": proc, "squad": "web", "version": "v", "config": config}),
        )
        .unwrap()
    };
    let users = vec![
        UsedBy { swarm: swarm("shop", "web", json!({})), ingredients: vec![db.clone()] },
        UsedBy { swarm: swarm("blog", "web", json!({"db_host": "own"})), ingredients: vec![db.clone()] },
        UsedBy { swarm: swarm("shop", "worker", json!({})), ingredients: vec![db, late] },
    ];
    EditDocument {
        target: EditTarget::IngredientConfig("i1".into()),
        title: "ingredient db config".into(),
        text: "# the primary\ndb_host: db1\ndb_pool: 20\n".into(),
        below: Vec::new(),
        running: Mapping::new(),
        siblings: Siblings::default(),
        used_by: vec!["shop-prod-web@web".into(), "blog-prod-web@web".into(), "shop-prod-worker@web".into()],
        users,
        ..document()
    }
}
