//! nginx's pool file, pure: what is written, what is read, whose it is, and whether somebody edited it.

use super::super::pool::{NodeState, Owner, check_node};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// nginx refuses an upstream without a server; this one is never asked.
const PLACEHOLDER: &str = "127.0.0.1:9";
const MARK: &str = "# swarmdeck pool ";

/// One `upstream` block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pool {
    pub name: String,
    /// Parameters (`weight=3`, `down`) by node.
    pub servers: BTreeMap<String, Vec<String>>,
    /// An operator's own directives and comments inside the block, each without its `;`, in order.
    pub extra: Vec<String>,
}

impl Pool {
    /// The nodes with what nginx does with them.
    pub fn nodes(&self) -> BTreeMap<String, NodeState> {
        let state = |params: &[String]| {
            let has = |word: &str| params.iter().any(|param| param == word);
            if has("down") {
                NodeState::Down
            } else if has("drain") {
                NodeState::Draining
            } else {
                NodeState::Up
            }
        };
        self.servers.iter().map(|(node, params)| (node.clone(), state(params))).collect()
    }

    /// Makes it hold exactly these nodes, all up; what an operator wrote beside those that stay is kept.
    pub fn hold(&mut self, desired: &BTreeSet<String>) {
        self.servers.retain(|node, _| desired.contains(node));
        for params in self.servers.values_mut() {
            params.retain(|param| param != "down" && param != "drain");
        }
        for node in desired {
            self.servers.entry(node.clone()).or_default();
        }
    }

    /// Exactly `out` of its nodes get nothing new.
    pub fn put_out(&mut self, out: &BTreeSet<String>) {
        for (node, params) in &mut self.servers {
            params.retain(|param| param != "down" && param != "drain");
            if out.contains(node) {
                params.push("down".into());
            }
        }
    }
}

/// The file's text: the mark with a digest of what follows, then Velociraptor's form.
pub fn render(pool: &Pool, installation: &str) -> String {
    let mut body = format!("upstream {} {{\n", pool.name);
    for line in &pool.extra {
        body.push_str(&if line.starts_with('#') { format!("  {line}\n") } else { format!("  {line};\n") });
    }
    for (node, params) in &pool.servers {
        let words: Vec<&str> = std::iter::once(node.as_str()).chain(params.iter().map(String::as_str)).collect();
        body.push_str(&format!("  server {};\n", words.join(" ")));
    }
    if pool.servers.is_empty() {
        body.push_str(&format!("  server {PLACEHOLDER} down;\n"));
    }
    body.push_str("}\n");
    format!("{MARK}{}, installation {installation}, nodes {}\n{body}", pool.name, digest(&body))
}

/// What a pool file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    pub owner: Owner,
    /// Whether it is not as it was last written (only known of marked files).
    pub edited: bool,
    /// Or why it is not one pool of this name.
    pub pool: Result<Pool, String>,
}

/// Reads a pool file of any author.
pub fn read(name: &str, bytes: &[u8]) -> Read {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Read { owner: Owner::Stranger, edited: false, pool: Err("it is not UTF-8".into()) };
    };
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    match mark(first) {
        Some((installation, written)) => {
            let pool = parse(name, rest);
            Read { owner: Owner::Installation(installation), edited: written != digest(rest), pool }
        }
        None => {
            let pool = parse(name, text);
            let plain = |pool: &Pool| pool.extra.is_empty() && pool.servers.values().all(Vec::is_empty);
            // An upstream that routes to nobody is what an operator writes so that a server block is valid before the first
            // dispatch: nothing is lost by making it ours.
            let empty = |pool: &Pool| plain(pool) && pool.servers.is_empty();
            let owner = match &pool {
                Ok(pool) if empty(pool) => Owner::Nobody,
                Ok(pool) if plain(pool) => Owner::Velociraptor,
                _ => Owner::Stranger,
            };
            Read { owner, edited: false, pool }
        }
    }
}

/// What an operator wrote into it that we would not, in one sentence.
pub fn edits(pool: &Pool) -> String {
    let mut parts: Vec<String> =
        pool.servers.iter().filter(|(_, params)| !params.is_empty()).map(|(node, params)| format!("{node} {}", params.join(" "))).collect();
    parts.extend(pool.extra.iter().cloned());
    if parts.is_empty() { "its nodes are not those last written".into() } else { format!("it has: {}", parts.join("; ")) }
}

fn mark(line: &str) -> Option<(String, String)> {
    let mut parts = line.strip_prefix(MARK)?.trim_end().split(", ");
    parts.next()?;
    let installation = parts.next()?.strip_prefix("installation ")?;
    let written = parts.next().and_then(|part| part.strip_prefix("nodes ")).unwrap_or_default();
    Some((installation.to_string(), written.to_string()))
}

fn digest(body: &str) -> String {
    Sha256::digest(body.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Exactly one `upstream NAME { … }`, comments anywhere; quotes, variables and nested blocks are not understood.
fn parse(name: &str, text: &str) -> Result<Pool, String> {
    let mut pool = Pool { name: name.to_string(), ..Pool::default() };
    let mut inside = None; // none before the block, true in it, false behind it
    let mut words: Vec<String> = Vec::new();
    for token in tokens(text) {
        match (token.as_str(), inside) {
            (comment, _) if comment.starts_with('#') => pool.extra.push(comment.to_string()),
            ("{", None) if words == ["upstream", name] => {
                inside = Some(true);
                words.clear();
            }
            ("{", _) => return Err(format!("`{} {{` is not `upstream {name} {{`", words.join(" "))),
            ("}", Some(true)) if words.is_empty() => inside = Some(false),
            (";", Some(true)) if !words.is_empty() => statement(&mut pool, std::mem::take(&mut words))?,
            ("}" | ";", _) => return Err(format!("`{token}` where it cannot stand")),
            (word, Some(false)) => return Err(format!("`{word}` behind the upstream block")),
            (word, _) if word.contains(['"', '\'', '\\', '$']) => return Err(format!("`{word}` has a quote or a variable")),
            (word, _) => words.push(word.to_string()),
        }
    }
    if inside == Some(false) { Ok(pool) } else { Err(format!("it has no whole `upstream {name}` block")) }
}

fn statement(pool: &mut Pool, words: Vec<String>) -> Result<(), String> {
    match words.split_first() {
        Some((first, rest)) if first == "server" => {
            let (node, params) = rest.split_first().ok_or("a server without an address")?;
            if node == PLACEHOLDER && params == ["down"] {
                return Ok(());
            }
            check_node(node).map_err(|fault| fault.what)?;
            match pool.servers.insert(node.clone(), params.to_vec()) {
                None => Ok(()),
                Some(_) => Err(format!("{node} is listed twice")),
            }
        }
        _ => {
            pool.extra.push(words.join(" "));
            Ok(())
        }
    }
}

/// Words, `{`, `}`, `;`, and comments whole.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    for line in text.lines() {
        let mut word = String::new();
        let mut rest = line.chars();
        while let Some(c) = rest.next() {
            let starts_comment = c == '#' && word.is_empty();
            if !(c.is_whitespace() || "{};".contains(c) || starts_comment) {
                word.push(c);
                continue;
            }
            if !word.is_empty() {
                tokens.push(std::mem::take(&mut word));
            }
            if starts_comment {
                tokens.push(format!("#{}", rest.as_str().trim_end()));
                break;
            }
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
        }
        if !word.is_empty() {
            tokens.push(word);
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pools() -> impl Strategy<Value = Pool> {
        let params = proptest::collection::vec("weight=[1-9]|max_fails=[0-9]|backup|down", 0..3);
        let servers = proptest::collection::btree_map("[a-z][a-z0-9.-]{0,8}:[1-9][0-9]{0,3}", params, 0..6);
        let extra = proptest::collection::vec("least_conn|keepalive [1-9]|# [a-z;{}\"]{0,9}x", 0..3);
        ("[a-z][a-z0-9_]{0,9}", servers, extra).prop_map(|(name, servers, extra)| Pool { name, servers, extra })
    }

    proptest! {
        #[test]
        fn what_is_rendered_is_read_back(pool in pools()) {
            let read = read(&pool.name, render(&pool, "inst").as_bytes());
            prop_assert_eq!(read, Read { owner: Owner::Installation("inst".into()), edited: false, pool: Ok(pool) });
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = read("shop", text.as_bytes());
        }
    }

    #[test]
    fn the_form_is_velociraptors_below_the_mark() {
        let mut pool = Pool { name: "shop".into(), ..Pool::default() };
        pool.hold(&["b:2".to_string(), "a:1".to_string()].into());
        let text = render(&pool, "i1");
        let (first, body) = text.split_once('\n').unwrap();
        assert!(first.starts_with("# swarmdeck pool shop, installation i1, nodes "), "{first}");
        assert_eq!(body, "upstream shop {\n  server a:1;\n  server b:2;\n}\n");
        pool.hold(&BTreeSet::new());
        assert!(render(&pool, "i1").ends_with("upstream shop {\n  server 127.0.0.1:9 down;\n}\n"));
    }

    #[test]
    fn edits_are_seen_and_kept_on_nodes_that_stay() {
        let mut pool = Pool { name: "shop".into(), ..Pool::default() };
        pool.hold(&["a:1".to_string(), "b:2".to_string()].into());
        let text = render(&pool, "i").replace("a:1;", "a:1 weight=3 down;").replace("shop {\n", "shop { keepalive 8; # mine\n");
        let read = read("shop", text.as_bytes());
        assert!(read.edited);
        let mut pool = read.pool.unwrap();
        assert_eq!(edits(&pool), "it has: a:1 weight=3 down; keepalive 8; # mine");
        assert_eq!(pool.nodes()["a:1"], NodeState::Down);
        pool.hold(&["a:1".to_string(), "c:3".to_string()].into());
        assert!(render(&pool, "i").ends_with("shop {\n  keepalive 8;\n  # mine\n  server a:1 weight=3;\n  server c:3;\n}\n"));
    }

    #[test]
    fn whose_a_file_is() {
        assert_eq!(read("shop", b"upstream shop {\n  server a:1;\n}\n").owner, Owner::Velociraptor);
        assert_eq!(read("shop", b"upstream shop { server 127.0.0.1:9 down; }\n").owner, Owner::Nobody);
        for stranger in
            ["upstream shop { server a:1 weight=2; }", "server { listen 80; }", "", "upstream other { server a:1; }", "upstream shop {"]
        {
            assert_eq!(read("shop", stranger.as_bytes()).owner, Owner::Stranger, "{stranger}");
        }
        assert!(read("shop", b"upstream shop { server a:1; }\nserver { listen 1; }").pool.is_err());
        assert!(read("shop", b"upstream shop { server a:1; server a:1; }").pool.is_err());
    }
}
