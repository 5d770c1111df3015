//! What could stand at the cursor: keys of the kind and of siblings, names of objects, words, values that siblings have.
//! Tolerant: the text seldom can be read while it is typed, so places are found by lines and their indentation.

use super::check::written;
use super::lex::{self, Kind};
use crate::deck::look::EditDocument;
use crate::model::document::Kind as Object;
use crate::model::document::schema::{self, Holds};
use crate::model::secret::Secrets;
use crate::model::shown::shown;
use serde_json::Value;

/// One thing that could stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What is put into the text.
    pub text: String,
    /// What is shown of it, safe for a terminal.
    pub name: String,
    /// Why it is offered: `11 of 12 set it`.
    pub note: String,
}

/// What is offered, and the characters `from..to` of the row that it would take the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    pub row: usize,
    pub from: usize,
    pub to: usize,
    pub items: Vec<Item>,
    /// The chosen one.
    pub at: usize,
}

/// How many are offered.
const OFFERED: usize = 100;

/// Where the cursor is.
#[derive(Debug, PartialEq)]
struct Place {
    /// Keys above; "0" for an item of a list.
    path: Vec<String>,
    /// The first character of the word before the cursor.
    from: usize,
    word: String,
    what: At,
}

#[derive(Debug, PartialEq)]
enum At {
    /// A key, beside these.
    Key(Vec<String>),
    Value,
}

/// What could stand at the cursor (row and column from 0); none where nothing is known.
pub fn complete(lines: &[String], (row, col): (usize, usize), document: &EditDocument, secrets: &Secrets) -> Option<Completion> {
    let place = place(lines, row, col)?;
    let line = lines.get(row)?;
    let tail: String = line.chars().skip(col).collect();
    let mut items = match &place.what {
        At::Key(present) => {
            // A key that goes on behind the cursor is replaced as a whole, its colon stays.
            let colon = tail.trim_start().starts_with(':');
            let mut items = keys(document, &place.path);
            items.retain(|item| !present.contains(&item.text));
            for item in &mut items {
                let quoted = written(&Value::String(item.text.clone())).unwrap_or_else(|| item.text.clone());
                item.text = if colon { quoted } else { format!("{quoted}:{}", if tail.trim().is_empty() { " " } else { "" }) };
            }
            items
        }
        At::Value => values(document, &place.path, secrets),
    };
    let word = place.word.to_lowercase();
    let begins = |item: &Item| item.name.to_lowercase().starts_with(&word);
    if items.iter().any(begins) {
        items.retain(begins);
    } else {
        items.retain(|item| item.name.to_lowercase().contains(&word));
    }
    items.truncate(OFFERED);
    let said = matches!(items.as_slice(), [only] if only.name == place.word);
    (!items.is_empty() && !said).then_some(Completion { row, from: place.from, to: col, items, at: 0 })
}

/// Keys that may stand below a path.
fn keys(document: &EditDocument, path: &[String]) -> Vec<Item> {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    let item = |name: &str, note: String| Item { text: name.to_string(), name: shown(name), note: shown(&note) };
    if let Some(kind) = document.target.whole()
        && !in_section(kind, path)
    {
        let Some(Holds::Keys(keys)) = schema::at(kind, &parts) else { return Vec::new() };
        let note =
            |key: &schema::Key| if key.default.is_empty() { key.about.to_string() } else { format!("{} [{}]", key.about, key.default) };
        return keys.iter().map(|key| item(key.name, note(key))).collect();
    }
    let all = document.siblings.count;
    let set = |count: usize| if count == all { format!("all {all} set it") } else { format!("{count} of {all} set it") };
    let mut beside = super::check::beside(document, path);
    beside.sort_by(|(a, n), (b, m)| m.cmp(n).then(a.cmp(b)));
    let mut items: Vec<Item> = beside.into_iter().map(|(name, count)| item(name, set(count))).collect();
    for (layer, mapping, _) in document.below.iter().rev() {
        for name in super::check::at(mapping, path).into_iter().flat_map(|mapping| mapping.keys()) {
            if !items.iter().any(|item| item.text == *name) {
                items.push(item(name, format!("{layer} sets it")));
            }
        }
    }
    items
}

/// Values that may stand at a path.
fn values(document: &EditDocument, path: &[String], secrets: &Secrets) -> Vec<Item> {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    let item = |text: &str, note: &str| Item { text: text.to_string(), name: shown(text), note: shown(note) };
    if let Some(kind) = document.target.whole()
        && !in_section(kind, path)
    {
        let default = schema::keys(kind).iter().find(|key| parts.as_slice() == [key.name]).map_or("", |key| key.default);
        let note = |word: &str| if word == default { "default" } else { "" };
        return match schema::at(kind, &parts) {
            Some(Holds::Word(words)) => words.iter().map(|word| item(word, note(word))).collect(),
            Some(Holds::Truth) => ["true", "false"].iter().map(|word| item(word, note(word))).collect(),
            Some(Holds::Name(named)) => document.known.get(&named).into_iter().flatten().map(|name| item(name, "")).collect(),
            _ if !default.is_empty() => vec![item(default, "default")],
            _ => Vec::new(),
        };
    }
    let key = path.last().map_or("", String::as_str);
    let shows = |value: &Value| -> Option<String> {
        let text = written(value)?;
        (!path.iter().any(|part| secrets.is_secret_key(part)) && !secrets.is_secret(key, &text)).then_some(text)
    };
    let mut items = Vec::new();
    let mut offer = |value: &Value, note: String| {
        if let Some(text) = shows(value).filter(|text| !items.iter().any(|item: &Item| item.text == *text)) {
            items.push(item(&text, &note));
        }
    };
    let sibling = document.siblings.keys.get(path);
    sibling
        .iter()
        .flat_map(|key| &key.values)
        .for_each(|(value, count)| offer(value, format!("{count} of {} have it", document.siblings.count)));
    if let Some((last, above)) = path.split_last() {
        for (layer, mapping, _) in document.below.iter().rev() {
            if let Some(value) = super::check::at(mapping, above).and_then(|mapping| mapping.get(last)) {
                offer(value, format!("in {layer}"));
            }
        }
    }
    items
}

fn in_section(kind: Object, path: &[String]) -> bool {
    matches!(kind, Object::Swarm | Object::Ingredient) && path.first().is_some_and(|first| first == "config" || first == "env")
}

/// A line taken apart: the columns of its dashes, where its content begins, and its key with what follows it.
struct Parts<'l> {
    dashes: Vec<usize>,
    start: usize,
    key: Option<(&'l str, &'l str)>,
    content: &'l str,
}

fn parts(line: &str) -> Parts<'_> {
    let mut start = line.len() - line.trim_start_matches(' ').len();
    let mut dashes = Vec::new();
    let mut content = line.get(start..).unwrap_or("");
    while let Some(rest) = content.strip_prefix('-').filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
        dashes.push(start);
        let inner = rest.trim_start_matches(' ');
        start += content.len() - inner.len();
        content = inner;
    }
    let at = content.find(": ").or_else(|| content.strip_suffix(':').map(str::len));
    let key = at.and_then(|at| Some((content.get(..at)?.trim_matches(['"', '\'']), content.get(at + 1..)?.trim_start())));
    let key = key.filter(|(key, _)| !key.is_empty() && !key.starts_with(['#', '{', '[']));
    Parts { dashes, start, key, content }
}

fn skipped(line: &str) -> bool {
    line.trim().is_empty() || line.trim_start().starts_with('#')
}

fn place(lines: &[String], row: usize, col: usize) -> Option<Place> {
    let line = lines.get(row)?;
    let head: String = line.chars().take(col).collect();
    let tail: String = line.chars().skip(col).collect();
    let lexed = lex::lex(lines.get(..=row)?);
    let (state, tokens) = lexed.last()?;
    let comment = tokens.iter().any(|t| t.kind == Kind::Comment && t.start < head.len());
    let word_goes_on = tail.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if state.is_inside() || comment || word_goes_on {
        return None;
    }
    let here = parts(&head);
    // Columns count characters from here on; what stands before a key are spaces and dashes.
    let start = here.start;
    if let Some((key, value)) = here.key.filter(|_| head.contains(": ")) {
        let mut path = above(lines, row, start, &here.dashes)?;
        path.push(key.to_string());
        let mut word = value;
        if let Some(list) = value.strip_prefix('[') {
            if list.contains(']') {
                return None;
            }
            word = list.rsplit(',').next().unwrap_or("").trim_start();
            path.push("0".into());
        }
        if word.starts_with(['{', '"', '\'', '&', '*', '|', '>', '!']) || (word.contains(' ') && !word.starts_with("quorum")) {
            return None;
        }
        return Some(Place { path, from: col - word.chars().count(), word: word.to_string(), what: At::Value });
    }
    let word = here.content;
    if word.contains([' ', ':', '{', '[', '"', '\'', '#']) || (word.is_empty() && !tail.trim().is_empty()) {
        return None;
    }
    let path = above(lines, row, start, &here.dashes)?;
    let from = col - word.chars().count();
    // An item of a list may be a name, or the first key of a mapping.
    if !here.dashes.is_empty() && !tail.trim_start().starts_with(':') && beside_keys(lines, row, start, &here.dashes).is_none() {
        return Some(Place { path, from, word: word.to_string(), what: At::Value });
    }
    let present = beside_keys(lines, row, start, &here.dashes).unwrap_or_default();
    Some(Place { path, from, word: word.to_string(), what: At::Key(present) })
}

/// The keys above a place whose content begins at a column; none where nothing can stand there.
fn above(lines: &[String], row: usize, start: usize, dashes: &[usize]) -> Option<Vec<String>> {
    let mut path: Vec<String> = Vec::new();
    let mut limit = start;
    // The key of a list may stand as deep as its dashes.
    let mut equal = false;
    for dash in dashes.iter().rev() {
        path.push("0".into());
        (limit, equal) = (*dash, true);
    }
    for line in lines.get(..row)?.iter().rev().filter(|line| !skipped(line)) {
        if limit == 0 && !equal {
            break;
        }
        let other = parts(line);
        if other.start > limit || (other.start == limit && !equal && other.dashes.is_empty()) {
            continue;
        }
        let is_parent = other.start < limit || (other.start == limit && equal && other.dashes.is_empty());
        if is_parent {
            match other.key {
                Some((key, "")) => path.push(key.to_string()),
                Some((key, value)) if value.starts_with(['#', '&', '!']) => path.push(key.to_string()),
                // Another item of the same list.
                _ if equal && !other.dashes.is_empty() && other.dashes.contains(&limit) => continue,
                _ => return None,
            }
            (limit, equal) = (other.start, false);
        }
        if other.start == limit
            && let Some(dash) = other.dashes.last()
        {
            for _ in &other.dashes {
                path.push("0".into());
            }
            (limit, equal) = (*other.dashes.first().unwrap_or(dash), true);
        }
    }
    path.reverse();
    (limit == 0).then_some(path)
}

/// The keys of the mapping that begins at a column around a row; none for an item that has none.
fn beside_keys(lines: &[String], row: usize, start: usize, dashes: &[usize]) -> Option<Vec<String>> {
    let mut keys: Option<Vec<String>> = if dashes.is_empty() { Some(Vec::new()) } else { None };
    let mut note = |line: &str| -> bool {
        if skipped(line) {
            return true;
        }
        let other = parts(line);
        if other.start == start
            && let Some((key, _)) = other.key
        {
            keys.get_or_insert_default().push(key.to_string());
        }
        other.start > start || (other.start == start && other.dashes.is_empty())
    };
    if dashes.is_empty() {
        for line in lines.get(..row).into_iter().flatten().rev() {
            if !note(line) {
                break;
            }
        }
    }
    for line in lines.get(row + 1..).into_iter().flatten() {
        let other = parts(line);
        if !skipped(line) && (other.start < start || !other.dashes.is_empty() && other.dashes.iter().any(|dash| *dash < start)) {
            break;
        }
        note(line);
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::super::testing::{document, whole};
    use super::*;
    use proptest::prelude::*;

    /// What is offered where `^` stands, as `name (note)`.
    fn offered(document: &EditDocument, text: &str) -> Vec<String> {
        let before = text.split('^').next().unwrap();
        let row = before.matches('\n').count();
        let col = before.rsplit('\n').next().unwrap().chars().count();
        let lines: Vec<String> = text.replace('^', "").split('\n').map(String::from).collect();
        let found = complete(&lines, (row, col), document, &Secrets::default());
        found.map(|found| found.items.iter().map(|item| format!("{} ({})", item.name, item.note)).collect()).unwrap_or_default()
    }
    fn first(document: &EditDocument, text: &str) -> String {
        offered(document, text).first().cloned().unwrap_or_default()
    }

    #[test]
    fn keys_of_siblings_and_of_the_layers_below() {
        let config = document();
        assert_eq!(offered(&config, "db_host: x\ngr^"), ["greeting (11 of 12 set it)"]);
        assert_eq!(first(&config, "^"), "cache_ttl (all 12 set it)");
        assert_eq!(offered(&config, "feature:\n  c^"), ["cart (8 of 12 set it)"]);
        assert_eq!(offered(&config, "feature:\n  cart: on\n  ^"), ["tax (ingredient tax sets it)"]);
        assert_eq!(offered(&config, "wor^"), ["workers (ingredient web sets it)"]);
        assert_eq!(offered(&config, "gr^: hi"), ["greeting (11 of 12 set it)"]);
        for none in ["greeting^", "# gr^", "a: |\n  gr^", "a: \"gr^", "greeting: x\ngr^", "gr^eet", "a: 1\n  gr^", "  ^a: 1"] {
            assert_eq!(offered(&config, none), [] as [&str; 0], "{none}");
        }
    }

    #[test]
    fn values_of_siblings_but_no_secrets() {
        let config = document();
        assert_eq!(offered(&config, "greeting: ^"), ["hello (10 of 12 have it)", "hi (1 of 12 have it)"]);
        assert_eq!(offered(&config, "greeting: hi^"), [] as [&str; 0]);
        assert_eq!(offered(&config, "feature:\n  cart: t^"), ["true (5 of 12 have it)"]);
        for secret in ["db_password: ^", "url: ^"] {
            assert_eq!(offered(&config, secret), [] as [&str; 0]);
        }
    }

    #[test]
    fn keys_and_names_of_whole_objects() {
        let swarm = whole(Object::Swarm);
        assert_eq!(offered(&swarm, "app: ^"), ["blog ()", "shop ()"]);
        assert_eq!(offered(&swarm, "ingredients: [db, w^"), ["web ()"]);
        assert_eq!(offered(&swarm, "ingredients:\n  - db\n  - w^"), ["web ()"]);
        assert_eq!(offered(&swarm, "ingredients:\n- ^").len(), 3);
        assert_eq!(offered(&swarm, "no_uptests: ^"), ["warn (default)", "refuse ()"]);
        assert_eq!(offered(&swarm, "in_pl^"), ["in_place (true: no room for old and new at once, so no exact undo [false])"]);
        assert_eq!(offered(&swarm, "config:\n  gr^"), ["greeting (11 of 12 set it)"]);
        assert_eq!(
            offered(&swarm, "probe:\n  ^"),
            ["url (asked by each balancer host itself)", "host (the name that the request asks for)"]
        );
        let squad = whole(Object::Squad);
        assert_eq!(offered(&squad, "hosts:\n  - name: a\n    tra^"), ["transport (local: this machine, without ssh [ssh])"]);
        assert_eq!(offered(&squad, "hosts:\n- name: a\n  become: ^"), ["none ()", "sudo ()"]);
        assert_eq!(offered(&squad, "hosts:\n  - name: a\n    supervisor:\n      so^").len(), 1);
        assert_eq!(offered(&squad, "hosts:\n  - name: a\n  - name: b\n    act^").len(), 1);
        assert!(first(&squad, "hosts:\n  - name: a\nde^").starts_with("defaults"));
    }

    #[test]
    fn what_is_taken_goes_on_well() {
        let config = document();
        let lines = |text: &str| -> Vec<String> { text.split('\n').map(String::from).collect() };
        let text = |line: &str, col| complete(&lines(line), (0, col), &config, &Secrets::default()).unwrap().items[0].text.clone();
        assert_eq!(text("gr", 2), "greeting: ");
        assert_eq!(text("gr: hi", 2), "greeting");
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "([a-c]: |- |  |gr|:|#|\n|\t|é|\\[|\\{|'|\"|\\||config:\n){0,20}", row in 0usize..12, col in 0usize..24) {
            let lines: Vec<String> = text.split('\n').map(String::from).collect();
            for document in [document(), whole(Object::Swarm), whole(Object::Squad)] {
                if let Some(line) = lines.get(row).filter(|line| col <= line.chars().count())
                    && let Some(found) = complete(&lines, (row, col), &document, &Secrets::default())
                {
                    prop_assert!(found.from <= found.to && found.to <= line.chars().count() && !found.items.is_empty());
                }
            }
        }
    }
}
