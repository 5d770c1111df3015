//! Someone else saved meanwhile: their keys into this text, key by key, where both did not change the same one.

use crate::model::entity::Mapping;
use crate::model::yaml_text::{Node, parse_mapping, tree};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// This text with their changes; comments of this text kept.
    pub text: String,
    /// Top-level keys taken over from them.
    pub taken: Vec<String>,
    /// Top-level keys that both changed, differently; this text's value stays.
    pub clash: Vec<String>,
}

/// Joins what another operator saved (`theirs`) and this text (`ours`), both made from `base`.
/// None when one of them cannot be read as a mapping.
pub fn join(base: &str, theirs: &str, ours: &str) -> Option<Joined> {
    if ours == base {
        let (old, new) = (parse_mapping(base).unwrap_or_default(), parse_mapping(theirs).ok()?);
        return Some(Joined { text: theirs.into(), taken: changed(&old, &new), clash: Vec::new() });
    }
    let (old, new) = (parse_mapping(base).ok()?, parse_mapping(theirs).ok()?);
    let mut mine = parse_mapping(ours).ok()?;
    let mut joined = Joined { text: ours.into(), taken: Vec::new(), clash: Vec::new() };
    for key in changed(&old, &new) {
        if mine.get(&key) == new.get(&key) {
            continue;
        }
        let mut meant = mine.clone();
        match new.get(&key) {
            Some(value) => meant.insert(key.clone(), value.clone()),
            None => meant.shift_remove(&key),
        };
        let put = if mine.get(&key) == old.get(&key) { put(&joined.text, theirs, &key) } else { None };
        match put.filter(|text| parse_mapping(text).is_ok_and(|read| read == meant)) {
            Some(text) => {
                joined.text = text;
                joined.taken.push(key);
                mine = meant;
            }
            None => joined.clash.push(key),
        }
    }
    Some(joined)
}

/// Top-level keys whose values differ.
fn changed(old: &Mapping, new: &Mapping) -> Vec<String> {
    let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
    keys.filter(|key| old.get(*key) != new.get(*key)).cloned().collect()
}

/// A text with the lines of one top-level key as another text has them.
fn put(text: &str, theirs: &str, key: &str) -> Option<String> {
    let new = span(theirs, key).map(|(from, to)| theirs.split('\n').skip(from).take(to - from).collect::<Vec<_>>()).unwrap_or_default();
    let lines: Vec<&str> = text.split('\n').collect();
    let (from, to) = span(text, key).unwrap_or_else(|| {
        let end = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |n| n + 1);
        (end, end)
    });
    Some([lines.get(..from)?, &new, lines.get(to..)?].concat().join("\n"))
}

/// Rows of a top-level key and its value, from 0, end excluded.
fn span(text: &str, key: &str) -> Option<(usize, usize)> {
    let root = tree(text).ok()??;
    let (name, value) = root.entry(key).filter(|_| root.is_block_mapping())?;
    let last = |node: &Node| text.get(node.start..node.end).map_or(0, |t| t.trim_end().matches('\n').count()) + node.line;
    Some((name.line.checked_sub(1)?, last(value).max(name.line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn their_keys_come_in_and_our_comments_stay() {
        let base = "# top\na: 1\nb:\n  x: 1\nc: 3\n";
        let theirs = "# top\na: 1\nb:\n  x: 2 # theirs\nd: new\n";
        let ours = "# mine\na: 9 # ours\nb:\n  x: 1\nc: 3\n# end";
        let joined = join(base, theirs, ours).unwrap();
        assert_eq!(joined.text, "# mine\na: 9 # ours\nb:\n  x: 2 # theirs\n# end\nd: new");
        assert_eq!((joined.taken.join(" "), joined.clash.len()), ("b c d".into(), 0));
    }

    #[test]
    fn the_same_key_changed_twice_is_a_clash_and_ours_stays() {
        let joined = join("a: 1\nb: 1\n", "a: 2\nb: 2\n", "a: 3\nb: 1\n").unwrap();
        assert_eq!((joined.text.as_str(), joined.clash.join(" "), joined.taken.join(" ")), ("a: 3\nb: 2\n", "a".into(), "b".into()));
        assert_eq!(join("a: 1", "a: 2", "a: 1").unwrap().text, "a: 2");
        assert!(join("a: 1", "a: 2", "a: [").is_none());
        // Changed alike is no clash.
        assert_eq!(join("a: 1", "a: 2", "a: 2 # we too").unwrap(), Joined { text: "a: 2 # we too".into(), taken: vec![], clash: vec![] });
    }
}
