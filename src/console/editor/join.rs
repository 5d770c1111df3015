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

/// Paths whose values differ; inside mappings that both have, key by key.
fn changed(old: &Mapping, new: &Mapping) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
    for key in keys {
        match (old.get(key), new.get(key)) {
            (before, after) if before == after => {}
            (Some(Value::Object(before)), Some(Value::Object(after))) if !before.is_empty() && !after.is_empty() => {
                all.extend(changed(before, after).into_iter().map(|path| [vec![key.clone()], path].concat()));
            }
            _ => all.push(vec![key.clone()]),
        }
    }
    all
}

fn get<'m>(mapping: &'m Mapping, path: &[String]) -> Option<&'m Value> {
    let (last, above) = path.split_last()?;
    above.iter().try_fold(mapping, |here, part| here.get(part)?.as_object())?.get(last)
}

/// A mapping with another value at a path; none where what is above it is no mapping.
fn with(mapping: &Mapping, path: &[String], value: Option<&Value>) -> Option<Mapping> {
    let mut out = mapping.clone();
    let (last, above) = path.split_last()?;
    let here = above.iter().try_fold(&mut out, |here, part| here.get_mut(part)?.as_object_mut())?;
    match value {
        Some(value) => here.insert(last.clone(), value.clone()),
        None => here.shift_remove(last),
    };
    Some(out)
}

/// A text with the lines of one key as another text has them.
fn put(text: &str, theirs: &str, path: &[String]) -> Option<String> {
    let new = match span(theirs, path) {
        Some((from, to, column)) => {
            let lines: Vec<&str> = theirs.split('\n').skip(from).take(to - from).collect();
            let bare: String = lines
                .iter()
                .map(|line| format!("{}\n", line.get(column.min(line.len() - line.trim_start().len())..).unwrap_or("")))
                .collect();
            Some((bare, column))
        }
        None => None,
    };
    let lines: Vec<&str> = text.split('\n').collect();
    let (from, to, column) = match (span(text, path), path.split_last()?) {
        (Some(here), _) => here,
        (None, (_, [])) => {
            let end = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |n| n + 1);
            (end, end, 0)
        }
        (None, (_, above)) => {
            // As the last of its mapping, as deep as the others there.
            let root = tree(text).ok()??;
            let above: Vec<&str> = above.iter().map(String::as_str).collect();
            let (_, mapping) = entry(&root, &above)?;
            let (_, last) = mapping.entries().last().filter(|_| mapping.is_block_mapping())?;
            let end = last_line(text, last);
            (end, end, mapping.column - 1)
        }
    };
    let new = new.map(|(bare, _)| indent(&bare, column)).unwrap_or_default();
    let new: Vec<&str> = new.lines().collect();
    Some([lines.get(..from)?, &new, lines.get(to..)?].concat().join("\n"))
}

/// The entry at a path, all above it written as block mappings.
fn entry<'n>(root: &'n Node, path: &[&str]) -> Option<&'n (Node, Node)> {
    let (first, rest) = path.split_first()?;
    let found = root.entry(first).filter(|_| root.is_block_mapping())?;
    if rest.is_empty() { Some(found) } else { entry(&found.1, rest) }
}

fn last_line(text: &str, node: &Node) -> usize {
    text.get(node.start..node.end).map_or(0, |t| t.trim_end().matches('\n').count()) + node.line
}

/// Rows of a key and its value, from 0, end excluded, and the column of the key.
fn span(text: &str, path: &[String]) -> Option<(usize, usize, usize)> {
    let root = tree(text).ok()??;
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let (name, value) = entry(&root, &path)?;
    Some((name.line.checked_sub(1)?, last_line(text, value).max(name.line), name.column - 1))
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
