//! Which values are secret, and how they are shown: masked, or as a keyed hash that only tells equal from different (DESIGN part 3).

use super::entity::{Env, Mapping};
use super::release::hex;
use super::{Fault, Result};
use hmac::{Hmac, Mac};
use regex::Regex;
use serde_json::Value;
use sha2::Sha256;

/// The keys whose values are secret, unless `secret_keys` of config.yaml says otherwise.
pub const SECRET_KEYS: &str = "(?i)pass|secret|token|credential|private|api_?key|dsn";

/// What stands for a secret; always the same, so that not even its length shows.
pub const MASK: &str = "****";

/// The rule for what is secret.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// None (a pattern of ours that does not compile, which a test excludes) calls everything secret.
    keys: Option<Regex>,
    url: Option<Regex>,
}

impl Default for Secrets {
    fn default() -> Self {
        Secrets { keys: Regex::new(SECRET_KEYS).ok(), url: Regex::new(USER_INFO).ok() }
    }
}

impl Secrets {
    /// The rule with the operator's own pattern for keys (a regular expression, searched for anywhere in the key).
    pub fn new(pattern: &str) -> Result<Secrets> {
        let keys = Regex::new(pattern)
            .map_err(|error| Fault::bad(format!("secret_keys is not a regular expression: {error}")).next("mend secret_keys"))?;
        Ok(Secrets { keys: Some(keys), ..Secrets::default() })
    }

    /// Whether a value is secret: by its key, or because it holds a URL with user info.
    pub fn is_secret(&self, key: &str, value: &str) -> bool {
        self.is_secret_key(key) || self.url.as_ref().is_none_or(|url| url.is_match(value))
    }

    /// Whether every value under this key is secret.
    pub fn is_secret_key(&self, key: &str) -> bool {
        self.keys.as_ref().is_none_or(|keys| keys.is_match(key))
    }

    /// The value as it may be shown.
    pub fn mask<'a>(&self, key: &str, value: &'a str) -> &'a str {
        if self.is_secret(key, value) { MASK } else { value }
    }

    /// An environment as it may be shown.
    pub fn mask_env(&self, env: &Env) -> Env {
        env.iter().map(|(key, value)| (key.clone(), self.mask(key, value).to_string())).collect()
    }

    /// A config as it may be shown: everything under a secret key is masked, whatever its type.
    pub fn mask_mapping(&self, mapping: &Mapping) -> Mapping {
        mapping.iter().map(|(key, value)| (key.clone(), self.mask_value(key, value))).collect()
    }

    /// One value as it may be shown; `key` is that of the nearest mapping.
    pub fn mask_value(&self, key: &str, value: &Value) -> Value {
        match value {
            Value::Null => Value::Null,
            _ if self.is_secret_key(key) => Value::String(MASK.into()),
            Value::String(text) => Value::String(self.mask(key, text).to_string()),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.mask_value(key, item)).collect()),
            Value::Object(mapping) => Value::Object(self.mask_mapping(mapping)),
            other => other.clone(),
        }
    }

    /// Free text (a log line, an error) with the user info of every URL in it masked.
    pub fn mask_text(&self, text: &str) -> String {
        self.url.as_ref().map_or_else(|| MASK.to_string(), |url| url.replace_all(text, "${1}****@").into_owned())
    }
}

/// A URL's scheme and user info; a password may itself hold an `@`.
const USER_INFO: &str = r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#]*@";

/// Eight hex digits that tell equal values from different ones to who holds the installation's key, and nothing else (HMAC-SHA256).
pub fn keyed_hash(installation_key: &[u8], value: &str) -> String {
    match Hmac::<Sha256>::new_from_slice(installation_key) {
        Ok(mut mac) => {
            mac.update(value.as_bytes());
            hex(&mac.finalize().into_bytes()).chars().take(8).collect()
        }
        Err(_) => MASK.into(), // HMAC takes keys of any length; the type does not know it
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_is_secret_is_masked_wherever_it_stands() {
        let secrets = Secrets::default();
        let config = json!({"db": {"password": "hunter2", "host": "db1", "url": "postgres://u:p@db1/x"}, "API_KEY": 5, "tokens": ["a"], "plain": ["x", "amqp://u:p@h"]});
        let masked = Value::Object(secrets.mask_mapping(config.as_object().unwrap()));
        assert_eq!(
            masked,
            json!({"db": {"password": "****", "host": "db1", "url": "****"}, "API_KEY": "****", "tokens": "****", "plain": ["x", "****"]})
        );
        assert!(secrets.is_secret("SENTRY_DSN", "x"));
        assert!(!secrets.is_secret("GREETING", "https://example/a@b"));
        assert_eq!(secrets.mask_text("cannot clone https://u:p@git/x.git now"), "cannot clone https://****@git/x.git now");
        assert!(Secrets::new("(").is_err());
    }

    proptest! {
        #[test]
        fn a_hash_tells_equal_from_different_and_nothing_without_the_key(a in ".{0,20}", b in ".{0,20}") {
            let key = [7u8; 32];
            prop_assert_eq!(keyed_hash(&key, &a) == keyed_hash(&key, &b), a == b);
            prop_assert_ne!(keyed_hash(&key, &a), keyed_hash(&[8u8; 32], &a));
            prop_assert_eq!(keyed_hash(&key, &a).len(), 8);
        }
        #[test]
        fn no_password_of_a_url_is_left(user in "[a-z]{1,5}", password in "[a-zA-Z0-9@:]{6,10}") {
            let url = format!("https://{user}:{password}@h/x");
            prop_assert!(!crate::model::reference::without_user(&url).contains(&password));
            prop_assert!(!Secrets::default().mask_text(&url).contains(&password));
        }
    }
}
