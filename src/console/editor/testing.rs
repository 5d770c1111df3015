//! The example of the editor's screen, for its tests.

use crate::deck::look::{EditDocument, EditTarget};
use crate::model::entity::Mapping;
use serde_json::{Value, json};

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
        sibling_keys: [("greeting", 11), ("cache_ttl", 12), ("db_host", 3), ("feature", 12), ("limits", 9)]
            .map(|(k, n)| (k.to_string(), n))
            .into(),
        used_by: vec!["shop-prod-web@web".into()],
        saved_by: "op2".into(),
        saved_ms: 1_000_000 - 40_000,
    }
}
