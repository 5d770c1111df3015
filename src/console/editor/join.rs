//! Someone else saved meanwhile: their keys into this text, key by key, where both did not change the same one.

use crate::model::entity::Mapping;
use crate::model::yaml_text::{Node, indent, parse_mapping, tree};
use serde_json::Value;

/// A key that both changed, differently.
#[derive(Debug, Clone, PartialEq)]
pub struct Clash {
    pub path: Vec<String>,
    /// Their value; none where they took the key away.
    pub theirs: Option<Value>,
}

impl Clash {
    /// `feature.cart`.
    pub fn dotted(&self) -> String {
        self.path.join(".")
    }
    /// Whether a text says what they say now.
    pub fn is_settled(&self, mine: &Mapping) -> bool {
        get(mine, &self.path) == self.theirs.as_ref()
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    /// This text with their changes; comments of this text kept.
    pub text: String,
    /// Keys taken over from them, dotted.
    pub taken: Vec<String>,
    /// Keys that both changed; this text's value stays.
    pub clash: Vec<Clash>,
}

/// Joins what another operator saved (`theirs`) and this text (`ours`), both made from `base`.
/// None when one of them cannot be read as a mapping.
pub fn join(base: &str, theirs: &str, ours: &str) -> Option<Joined> {
    if ours == base {
        let (old, new) = (parse_mapping(base).unwrap_or_default(), parse_mapping(theirs).ok()?);
        let taken = changed(&old, &new).iter().map(|path| path.join(".")).collect();
        return Some(Joined { text: theirs.into(), taken, clash: Vec::new() });
    }
    let (old, new) = (parse_mapping(base).ok()?, parse_mapping(theirs).ok()?);
    let mut mine = parse_mapping(ours).ok()?;
    let mut joined = Joined { text: ours.into(), taken: Vec::new(), clash: Vec::new() };
    for path in changed(&old, &new) {
        let (before, wanted) = (get(&old, &path), get(&new, &path));
        if get(&mine, &path) == wanted {
            continue;
        }
        let meant = (get(&mine, &path) == before).then(|| with(&mine, &path, wanted)).flatten();
        let put = meant.and_then(|meant| Some((put(&joined.text, theirs, &path)?, meant)));
        match put.filter(|(text, meant)| parse_mapping(text).is_ok_and(|read| read == *meant)) {
            Some((text, meant)) => {
                joined.text = text;
                joined.taken.push(path.join("."));
                mine = meant;
            }
            None => joined.clash.push(Clash { theirs: wanted.cloned(), path }),
        }
    }
    Some(joined)
}

/// Paths whose values differ; inside mappings that both have, key by key; in lists of things with names, name by name.
fn changed(old: &Mapping, new: &Mapping) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
    for key in keys {
        let mut inside = |paths: Vec<Vec<String>>| all.extend(paths.into_iter().map(|path| [vec![key.clone()], path].concat()));
        match (old.get(key), new.get(key)) {
            (before, after) if before == after => {}
            (Some(Value::Object(before)), Some(Value::Object(after))) if !before.is_empty() && !after.is_empty() => {
                inside(changed(before, after));
            }
            (Some(Value::Array(before)), Some(Value::Array(after))) => match items_changed(before, after) {
                Some(names) => inside(names.into_iter().map(|name| vec![name]).collect()),
                None => inside(vec![Vec::new()]),
            },
            _ => inside(vec![Vec::new()]),
        }
    }
    all
}

/// The names of the items that differ; none where a list has items without names, or its order is what changed.
fn items_changed(before: &[Value], after: &[Value]) -> Option<Vec<String>> {
    let names = |items: &[Value]| -> Option<Vec<String>> {
        let names: Vec<String> = items.iter().map(|item| name_of(item).map(str::to_string)).collect::<Option<_>>()?;
        let unique: std::collections::BTreeSet<&String> = names.iter().collect();
        (!names.is_empty() && unique.len() == names.len()).then_some(names)
    };
    let (old, new) = (names(before)?, names(after)?);
    let kept: Vec<&String> = old.iter().filter(|name| new.contains(name)).collect();
    let stay: Vec<&String> = new.iter().filter(|name| old.contains(name)).collect();
    if kept != stay {
        return None;
    }
    let all = old.iter().chain(new.iter().filter(|name| !old.contains(name)));
    let of = |items: &[Value], name: &String| items.iter().find(|item| name_of(item) == Some(name.as_str())).cloned();
    let differing: Vec<String> = all.filter(|name| of(before, name) != of(after, name)).cloned().collect();
    (!differing.is_empty()).then_some(differing)
}

fn name_of(item: &Value) -> Option<&str> {
    item.as_object()?.get("name")?.as_str()
}

fn get<'m>(mapping: &'m Mapping, path: &[String]) -> Option<&'m Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(mapping.get(first)?, |here, part| match here {
        Value::Object(inner) => inner.get(part),
        Value::Array(items) => items.iter().find(|item| name_of(item) == Some(part.as_str())),
        _ => None,
    })
}

/// A mapping with another value at a path; none where what is above it can hold none.
fn with(mapping: &Mapping, path: &[String], value: Option<&Value>) -> Option<Mapping> {
    let mut out = Value::Object(mapping.clone());
    let (last, above) = path.split_last()?;
    let here = above.iter().try_fold(&mut out, |here, part| match here {
        Value::Object(inner) => inner.get_mut(part),
        Value::Array(items) => items.iter_mut().find(|item| name_of(item) == Some(part.as_str())),
        _ => None,
    })?;
    match (here, value) {
        (Value::Object(inner), Some(value)) => drop(inner.insert(last.clone(), value.clone())),
        (Value::Object(inner), None) => drop(inner.shift_remove(last)),
        (Value::Array(items), value) => {
            let at = items.iter().position(|item| name_of(item) == Some(last.as_str()));
            match (at, value) {
                (Some(at), Some(value)) => items.iter_mut().skip(at).take(1).for_each(|item| *item = value.clone()),
                (Some(at), None) => drop(items.remove(at)),
                (None, Some(value)) => items.push(value.clone()),
                (None, None) => {}
            }
        }
        _ => return None,
    }
    match out {
        Value::Object(out) => Some(out),
        _ => None,
    }
}

/// A text with the lines of one key as another text has them.
fn put(text: &str, theirs: &str, path: &[String]) -> Option<String> {
    let new = span(theirs, path).map(|(from, to, column)| {
        let bare = |line: &str| format!("{}\n", line.get(column.min(line.len() - line.trim_start().len())..).unwrap_or(""));
        theirs.split('\n').skip(from).take(to - from).map(bare).collect::<String>()
    });
    let lines: Vec<&str> = text.split('\n').collect();
    let (from, to, column) = match (span(text, path), path.split_last()?) {
        (Some(here), _) => here,
        (None, (_, [])) => {
            let end = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |n| n + 1);
            (end, end, 0)
        }
        (None, (_, above)) => {
            // As the last of its mapping or list, as deep as the others there.
            let root = tree(text).ok()??;
            let holder = find(text, &root, above).filter(|found| !found.in_braces)?.value;
            let (last, column) = match holder.entries().last() {
                Some((_, last)) if holder.is_block_mapping() => (last, holder.column - 1),
                _ => {
                    let last = holder.items().last()?;
                    (last, dash(text, last)?)
                }
            };
            let end = last_line(text, last);
            (end, end, column)
        }
    };
    let new = new.map(|bare| indent(&bare, column)).unwrap_or_default();
    let new: Vec<&str> = new.lines().collect();
    Some([lines.get(..from)?, &new, lines.get(to..)?].concat().join("\n"))
}

/// Where something at a path is written: the line and column of its key or dash, from 1, and its value.
pub struct Found<'n> {
    pub line: usize,
    pub column: usize,
    pub value: &'n Node,
    /// It stands in braces: its lines are not its own.
    in_braces: bool,
}

/// Follows a path of keys, and of names in lists.
pub fn find<'n>(text: &str, node: &'n Node, path: &[String]) -> Option<Found<'n>> {
    let (first, rest) = path.split_first()?;
    let mut found = if let Some((key, value)) = node.entry(first) {
        Found { line: key.line, column: key.column, value, in_braces: !node.is_block_mapping() }
    } else {
        let named = |item: &&Node| item.entry("name").is_some_and(|(_, name)| name.scalar() == Some(first.as_str()));
        let item = node.items().iter().find(named)?;
        Found { line: item.line, column: dash(text, item)? + 1, value: item, in_braces: false }
    };
    if !rest.is_empty() {
        let below = find(text, found.value, rest)?;
        found = Found { in_braces: found.in_braces || below.in_braces, ..below };
    }
    Some(found)
}

/// The column, from 0, of the dash that an item stands behind; none where something else stands before it.
fn dash(text: &str, item: &Node) -> Option<usize> {
    let line = text.split('\n').nth(item.line.checked_sub(1)?)?;
    let before: String = line.chars().take(item.column - 1).collect();
    (before.trim() == "-").then(|| before.len() - before.trim_start().len())
}

fn last_line(text: &str, node: &Node) -> usize {
    text.get(node.start..node.end).map_or(0, |t| t.trim_end().matches('\n').count()) + node.line
}

/// Rows of a key and its value, from 0, end excluded, and the column of the key.
fn span(text: &str, path: &[String]) -> Option<(usize, usize, usize)> {
    let root = tree(text).ok()??;
    let found = find(text, &root, path).filter(|found| !found.in_braces)?;
    Some((found.line.checked_sub(1)?, last_line(text, found.value).max(found.line), found.column - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn clashes(joined: &Joined) -> String {
        joined.clash.iter().map(Clash::dotted).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn their_keys_come_in_and_our_comments_stay() {
        let base = "# top\na: 1\nb:\n  x: 1\nc: 3\n";
        let theirs = "# top\na: 1\nb:\n  x: 2 # theirs\nd: new\n";
        let ours = "# mine\na: 9 # ours\nb:\n  x: 1\nc: 3\n# end";
        let joined = join(base, theirs, ours).unwrap();
        assert_eq!(joined.text, "# mine\na: 9 # ours\nb:\n  x: 2 # theirs\n# end\nd: new");
        assert_eq!((joined.taken.join(" "), joined.clash.len()), ("b.x c d".into(), 0));
    }

    #[test]
    fn nested_keys_are_joined_one_by_one() {
        let base = "app: shop\nconfig:\n  a: 1\n  b:\n    x: 1\nenv: {A: x}\n";
        let theirs = "app: shop\nconfig:\n    a: 2\n    b:\n        x: 1\n        y:\n            - 1\n    d: {e: 1}\nenv: {A: z}\n";
        let ours = "app: shop\nconfig:\n  # mine\n  a: 1\n  b:\n    x: 7 # mine\n  c: 3\nenv: {A: x}\n";
        let joined = join(base, theirs, ours).unwrap();
        assert_eq!(
            joined.text,
            "app: shop\nconfig:\n  # mine\n  a: 2\n  b:\n    x: 7 # mine\n    y:\n        - 1\n  c: 3\n  d: {e: 1}\nenv: {A: x}\n"
        );
        // Written in braces: not taken apart.
        assert_eq!((joined.taken.join(" "), clashes(&joined)), ("config.a config.b.y config.d".into(), "env.A".into()));
        assert_eq!(joined.clash[0].theirs, Some(json!("z")));
    }

    #[test]
    fn lists_of_things_with_names_are_joined_by_name() {
        let base = "name: web\nhosts:\n  - name: a\n  - name: b # spare\n    port: 22\n";
        let theirs = "name: web\nhosts:\n- name: a\n- name: b # spare\n  port: 23\n- name: c\n  user: x\n";
        let ours = "name: web\nhosts:\n  - name: a\n    port: 7 # ours\n  - name: b # spare\n    port: 22\n  - name: d\n";
        let joined = join(base, theirs, ours).unwrap();
        assert_eq!(
            joined.text,
            "name: web\nhosts:\n  - name: a\n    port: 7 # ours\n  - name: b # spare\n    port: 23\n  - name: d\n  - name: c\n    user: x\n"
        );
        assert_eq!((joined.taken.join(" "), joined.clash.len()), ("hosts.b hosts.c".into(), 0));
        let both = join(base, &base.replace("22", "23"), &base.replace("22", "24")).unwrap();
        assert_eq!((clashes(&both).as_str(), both.text.contains("24")), ("hosts.b", true));
        // Taken away there, untouched here.
        let gone = join(base, "name: web\nhosts:\n  - name: a\n", &base.replace("web", "edge")).unwrap();
        assert_eq!(gone.text, "name: edge\nhosts:\n  - name: a\n");
        // Another order is a change of the whole list.
        let order =
            join("l:\n  - name: a\n  - name: b\n", "l:\n  - name: b\n  - name: a\n", "l:\n  - name: a\n  - name: b\nx: 1\n").unwrap();
        assert_eq!((order.taken.join(" "), order.text.as_str()), ("l".into(), "l:\n  - name: b\n  - name: a\nx: 1\n"));
    }

    #[test]
    fn the_same_key_changed_twice_is_a_clash_and_ours_stays() {
        let joined = join("a: 1\nb: 1\n", "a: 2\nb: 2\n", "a: 3\nb: 1\n").unwrap();
        assert_eq!((joined.text.as_str(), clashes(&joined), joined.taken.join(" ")), ("a: 3\nb: 2\n", "a".into(), "b".into()));
        assert!(joined.clash[0].is_settled(json!({"a": 2}).as_object().unwrap()));
        assert_eq!(join("a: 1", "a: 2", "a: 1").unwrap().text, "a: 2");
        assert!(join("a: 1", "a: 2", "a: [").is_none());
        // Changed alike is no clash.
        assert_eq!(join("a: 1", "a: 2", "a: 2 # we too").unwrap(), Joined { text: "a: 2 # we too".into(), taken: vec![], clash: vec![] });
    }

    fn config() -> impl Strategy<Value = Value> {
        let leaf = (0i64..4).prop_map(|n| json!(n));
        let node = leaf.prop_recursive(2, 8, 3, |inner| {
            proptest::collection::btree_map("[a-c]", inner, 1..3).prop_map(|m| Value::Object(m.into_iter().collect()))
        });
        proptest::collection::btree_map("[a-c]", node, 0..4).prop_map(|m| Value::Object(m.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn every_change_of_theirs_is_in_or_told(base in config(), theirs in config(), ours in config()) {
            let text = |value: &Value| if value == &json!({}) { String::new() } else { crate::model::yaml_text::emit(value).unwrap() };
            let joined = join(&text(&base), &text(&theirs), &text(&ours)).unwrap();
            let read = parse_mapping(&joined.text).unwrap();
            let (base, theirs, ours) = (base.as_object().unwrap(), theirs.as_object().unwrap(), ours.as_object().unwrap());
            for path in changed(base, theirs) {
                let settled = get(&read, &path) == get(theirs, &path);
                let told = joined.clash.iter().any(|clash| clash.path == path);
                prop_assert!(settled || told, "{path:?} in {}", joined.text);
            }
            for clash in &joined.clash {
                prop_assert_eq!(get(&read, &clash.path), get(ours, &clash.path), "ours stays");
            }
        }
    }
}
