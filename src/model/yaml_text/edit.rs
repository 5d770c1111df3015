//! Changes of single keys in an operator's text: only the bytes that must change do, so comments, order and layout stay.
//!
//! Each change is read back and compared with what was meant; a text that cannot be changed so is refused, never guessed at.

use super::{Kind, Node, Problem, emit, parse_mapping, tree};
use crate::model::entity::Mapping;
use crate::model::{Fault, Result};
use serde_json::Value;
use std::ops::Range;

/// The text with a top-level key set to a scalar; the key is added at the end when it is not there.
pub fn set_scalar(text: &str, key: &str, value: &Value) -> Result<String> {
    let (text, root, mut meant) = open(text)?;
    meant.insert(key.to_string(), value.clone());
    let written = scalar(value)?;
    let entry = root.as_ref().and_then(|root| root.entry(key));
    let out = match entry {
        Some((name, old)) if matches!(&old.kind, Kind::Scalar { block: false, .. }) && old.start < old.end => {
            let end = old.start + text.get(old.start..old.end).unwrap_or_default().trim_end().len();
            let joined = if old.line == name.line { written } else { format!(" {written}") };
            splice(&text, old.start..end, &joined)
        }
        Some((name, old)) if matches!(&old.kind, Kind::Scalar { block: false, .. }) => {
            let colon = text.get(name.end..).and_then(|rest| rest.find(':')).map_or(name.end, |n| name.end + n + 1);
            splice(&text, colon..colon, &format!(" {written}"))
        }
        Some((name, _)) => replace_entry(&text, root.as_ref(), name, &format!("{}: {written}\n", key_text(key)?)),
        None => format!("{text}{}: {written}\n", key_text(key)?),
    };
    proven(out, &meant, key)
}

/// The text with every item `old` of a top-level list of scalars replaced by `new`.
pub fn set_item(text: &str, key: &str, old: &str, new: &str) -> Result<String> {
    let (mut text, root, mut meant) = open(text)?;
    if let Some(Value::Array(items)) = meant.get_mut(key) {
        items.iter_mut().filter(|item| item.as_str() == Some(old)).for_each(|item| *item = Value::String(new.to_string()));
    }
    let written = scalar(&Value::String(new.to_string()))?;
    let items = root.as_ref().and_then(|root| root.entry(key)).map(|(_, list)| list.items()).unwrap_or_default();
    for item in items.iter().rev().filter(|item| item.scalar() == Some(old)) {
        let end = item.start + text.get(item.start..item.end).unwrap_or_default().trim_end().len();
        text = splice(&text, item.start..end, &written);
    }
    proven(text, &meant, key)
}

/// The dedented text of a top-level key whose value is a mapping, comments inside and after it kept; none when the key is absent.
pub fn block(text: &str, key: &str) -> Option<String> {
    let (text, root, values) = open(text).ok()?;
    let root = root?;
    let (name, value) = root.entry(key)?;
    let Some(Value::Object(mapping)) = values.get(key) else { return Some(String::new()) };
    if value.is_block_mapping() {
        let lines = lines(&text);
        let range = entry_lines(&text, &root, name);
        let inner = lines.get(name.line..range.end).unwrap_or_default().concat();
        let dedented = dedent(&inner);
        if parse_mapping(&dedented).is_ok_and(|read| read == *mapping) {
            return Some(dedented);
        }
    }
    if mapping.is_empty() { Some(String::new()) } else { emit(mapping).ok() }
}

/// The text with a top-level key set to the mapping that `new` holds, its comments included; an empty `new` takes the key away.
pub fn set_block(text: &str, key: &str, new: &str) -> Result<String> {
    if new.trim().is_empty() {
        return remove(text, key);
    }
    let new = dedent(new);
    let mapping = parse_mapping(&new).map_err(|problem| problem.fault(key))?;
    let (text, root, mut meant) = open(text)?;
    meant.insert(key.to_string(), Value::Object(mapping.clone()));
    let entry = root.as_ref().and_then(|root| root.entry(key));
    let width = match entry {
        Some((_, value)) if value.is_block_mapping() => (value.column - 1).max(1),
        _ => 2,
    };
    let tail = entry.map_or("", |(name, value)| comment_after(&text, name, value));
    let empty = if mapping.is_empty() { " {}" } else { "" };
    let block = format!("{}:{empty}{tail}\n{}", key_text(key)?, indent(&new, width));
    let out = match entry {
        Some((name, _)) => replace_entry(&text, root.as_ref(), name, &block),
        None => format!("{text}{block}"),
    };
    proven(out, &meant, key)
}

/// The text without a top-level key; a comment above the key stays, those inside go with it.
pub fn remove(text: &str, key: &str) -> Result<String> {
    let (text, root, mut meant) = open(text)?;
    if meant.shift_remove(key).is_none() {
        return Ok(text);
    }
    let out = match root.as_ref().and_then(|root| root.entry(key)) {
        Some((name, _)) => replace_entry(&text, root.as_ref(), name, ""),
        None => text,
    };
    proven(out, &meant, key)
}

/// Every line moved right; blank lines stay empty.
pub fn indent(text: &str, by: usize) -> String {
    lines(text).into_iter().map(|line| if line.trim().is_empty() { line.to_string() } else { format!("{:by$}{line}", "") }).collect()
}

/// Moved left until the leftmost content stands at the margin; comments go along as far as they can.
pub fn dedent(text: &str) -> String {
    let content = |line: &&&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let all = lines(text);
    let by = all.iter().filter(content).map(|line| margin(line)).min().or_else(|| all.iter().map(|line| margin(line)).min()).unwrap_or(0);
    let mut out: String = all.iter().map(|line| line.get(margin(line).min(by)..).unwrap_or_default()).collect();
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// The lines with their ends.
pub(crate) fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// How many spaces a line starts with.
pub(crate) fn margin(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The number of lines up to and including the last line of a node's content.
pub(crate) fn last_line(text: &str, node: &Node) -> usize {
    let content = text.get(node.start..node.end).unwrap_or_default().trim_end();
    node.line + content.matches('\n').count()
}

/// The text as a block mapping at the margin, its tree and its values. A text in another form is written anew from its values.
fn open(text: &str) -> Result<(String, Option<Node>, Mapping)> {
    let fault = |problem: Problem| problem.fault("text");
    let values = parse_mapping(text).map_err(fault)?;
    let mut text = dedent(text);
    let mut root = tree(&text).map_err(fault)?;
    let marked = lines(&text).iter().any(|line| line.starts_with("---") || line.starts_with("...") || line.starts_with('%'));
    if root.as_ref().is_some_and(|root| !root.is_block_mapping() || root.column != 1) || marked {
        text = if values.is_empty() { String::new() } else { emit(&values)? };
        root = tree(&text).map_err(fault)?;
    }
    Ok((text, root, values))
}

/// The change, read back and compared with what was meant.
fn proven(out: String, meant: &Mapping, key: &str) -> Result<String> {
    if parse_mapping(&out).is_ok_and(|read| read == *meant) {
        Ok(out)
    } else {
        Err(Fault::refused(format!("the key '{key}' cannot be changed in this text without changing something else"))
            .next("change the text by hand in the editor"))
    }
}

fn splice(text: &str, range: Range<usize>, new: &str) -> String {
    format!("{}{new}{}", text.get(..range.start).unwrap_or_default(), text.get(range.end..).unwrap_or_default())
}

/// The lines of a top-level entry, counted from 0, end excluded: its key, its value, and the deeper comments after it.
fn entry_lines(text: &str, root: &Node, key: &Node) -> Range<usize> {
    let value = root.entries().iter().find(|(name, _)| name.start == key.start).map(|(_, value)| value);
    let mut end = value.map_or(key.line, |value| last_line(text, value).max(key.line));
    let next = root.entries().iter().map(|(name, _)| name.line - 1).find(|line| *line >= key.line);
    let all = lines(text);
    let limit = next.unwrap_or(all.len());
    for (number, line) in all.iter().enumerate().take(limit).skip(end) {
        let text = line.trim_start();
        match text.is_empty() {
            true => {}
            false if text.starts_with('#') && margin(line) > 0 => end = number + 1,
            false => break,
        }
    }
    key.line - 1..end.min(limit.max(key.line))
}

fn replace_entry(text: &str, root: Option<&Node>, key: &Node, new: &str) -> String {
    let Some(root) = root else { return text.to_string() };
    let range = entry_lines(text, root, key);
    let all = lines(text);
    let before = all.get(..range.start).unwrap_or_default().concat();
    let after = all.get(range.end..).unwrap_or_default().concat();
    format!("{before}{new}{after}")
}

/// The comment at the end of a key's line, with the space before it.
fn comment_after<'t>(text: &'t str, key: &Node, value: &Node) -> &'t str {
    let from = if value.line == key.line { value.end.max(key.end) } else { key.end };
    let rest = text.get(from..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    if rest.trim_start().starts_with('#') && rest.starts_with(' ') { rest.trim_end() } else { "" }
}

/// A scalar on one line.
fn scalar(value: &Value) -> Result<String> {
    if matches!(value, Value::Array(_) | Value::Object(_)) {
        return Err(Fault::bad("a mapping or list is not a scalar"));
    }
    let text = emit(value)?;
    let text = text.trim_end();
    if text.contains('\n') { Ok(value.to_string()) } else { Ok(text.to_string()) }
}

fn key_text(key: &str) -> Result<String> {
    scalar(&Value::String(key.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const SWARM: &str = "# the shop\napp: shop\nversion: v1   # pinned until Monday\nsize: 2\nconfig: # shop's own\n  # said hello\n  greeting: hi\n  db:\n    host: a # main\n  # end of config\n\n# where it runs\nsquad: web\nenv: {LOG: info} # quiet\n";

    #[test]
    fn only_the_scalar_changes() {
        let out = set_scalar(SWARM, "version", &json!("v2")).unwrap();
        assert_eq!(out, SWARM.replace("version: v1 ", "version: v2 "));
        let out = set_scalar(SWARM, "size", &json!(3)).unwrap();
        assert_eq!(out, SWARM.replace("size: 2", "size: 3"));
        let out = set_scalar(SWARM, "version", &json!("1.10")).unwrap();
        assert!(parse_mapping(&out).unwrap().get("version") == Some(&json!("1.10")), "{out}");
        let out = set_scalar("a:\nb: |\n  x\n  y\nc: 1\n", "a", &json!("n")).unwrap();
        let out = set_scalar(&out, "b", &json!("one")).unwrap();
        let out = set_scalar(&out, "d", &json!("two\nlines")).unwrap();
        assert_eq!(out, "a: \"n\"\nb: one\nc: 1\nd: \"two\\nlines\"\n".replace("\"n\"", emit(&json!("n")).unwrap().trim()));
    }

    #[test]
    fn a_block_is_taken_out_and_put_back_with_its_comments() {
        let config = block(SWARM, "config").unwrap();
        assert_eq!(config, "# said hello\ngreeting: hi\ndb:\n  host: a # main\n# end of config\n");
        assert_eq!(set_block(SWARM, "config", &config).unwrap(), SWARM);
        let out = set_block(SWARM, "config", "greeting: hello # new\n").unwrap();
        assert!(out.contains("config: # shop's own\n  greeting: hello # new\n\n# where it runs\nsquad: web\n"), "{out}");
        assert_eq!(block(SWARM, "env").unwrap(), "LOG: info\n");
        let out = set_block(SWARM, "env", "# loud\nLOG: debug\n").unwrap();
        assert!(out.ends_with("env: # quiet\n  # loud\n  LOG: debug\n"), "{out}");
        assert_eq!(block(SWARM, "nothing"), None);
        let out = set_block("a: 1\n", "env", "B: x\n").unwrap();
        assert_eq!(out, "a: 1\nenv:\n  B: x\n");
        let out = set_block(SWARM, "config", "# nothing for now\n").unwrap();
        assert!(out.contains("config: {} # shop's own\n  # nothing for now\n"), "{out}");
        assert!(!set_block(SWARM, "config", "").unwrap().contains("greeting"));
        assert!(set_block(SWARM, "config", "- x\n").is_err());
    }

    #[test]
    fn a_removed_key_leaves_the_rest() {
        let out = remove(SWARM, "config").unwrap();
        assert_eq!(
            out,
            "# the shop\napp: shop\nversion: v1   # pinned until Monday\nsize: 2\n\n# where it runs\nsquad: web\nenv: {LOG: info} # quiet\n"
        );
        assert_eq!(remove(SWARM, "nothing").unwrap(), SWARM);
        // An anchor that is used elsewhere cannot go: the change is refused, not half made.
        assert!(remove("a: &x 1\nb: *x\n", "a").is_err());
    }

    #[test]
    fn other_forms_are_written_anew() {
        let out = set_scalar("{a: 1, b: {c: 2}}", "a", &json!(5)).unwrap();
        assert_eq!(out, "a: 5\nb:\n  c: 2\n");
        assert_eq!(set_scalar("", "a", &json!(1)).unwrap(), "a: 1\n");
        assert_eq!(set_scalar("# only this\n", "a", &json!(1)).unwrap(), "# only this\na: 1\n");
    }

    fn keys() -> impl Strategy<Value = Vec<(String, i64, bool, bool)>> {
        proptest::collection::vec(("[a-f]{1,2}", 0i64..50, any::<bool>(), any::<bool>()), 1..6)
    }

    proptest! {
        #[test]
        fn any_text_is_changed_rightly_or_refused(text in "([a-c]: |  |- |#|\n|\r\n|\t|x|é|[|]|\\{|'|\"|&a|\\*a|---\n|[a-c]:\n){0,14}", key in "[a-c]") {
            for out in [set_scalar(&text, &key, &json!("new")), set_block(&text, &key, "z: 1"), remove(&text, &key)].into_iter().flatten() {
                let (before, mut after) = (parse_mapping(&text).unwrap(), parse_mapping(&out).unwrap());
                for (name, value) in before.iter().filter(|(name, _)| **name != key) {
                    let left = after.shift_remove(name);
                    prop_assert_eq!(left.as_ref(), Some(value));
                }
                after.shift_remove(&key);
                prop_assert!(after.is_empty());
            }
            let _ = (block(&text, &key), super::super::ambiguities(&text));
        }

        #[test]
        fn comments_survive_and_values_are_right(entries in keys(), pick in any::<prop::sample::Index>(), text in "[ -~]{0,12}", what in 0..3) {
            let mut written = String::new();
            let mut seen: Vec<String> = Vec::new();
            for (key, value, nested, above) in &entries {
                let name = format!("k{key}");
                if seen.contains(&name) { continue }
                if *above { written.push_str(&format!("# above {name}\n")); }
                if *nested {
                    written.push_str(&format!("{name}: # beside {name}\n  # in {name}\n  x: {value}\n\n"));
                } else {
                    written.push_str(&format!("{name}: {value} # beside {name}\n"));
                }
                seen.push(name);
            }
            let key = seen[pick.index(seen.len())].clone();
            let before = parse_mapping(&written).unwrap();
            let (out, meant) = match what {
                0 => (set_scalar(&written, &key, &json!(text)).unwrap(), Some(json!(text))),
                1 => (set_block(&written, &key, "# new\nz: 1\n").unwrap(), Some(json!({"z": 1}))),
                _ => (remove(&written, &key).unwrap(), None),
            };
            let after = parse_mapping(&out).unwrap();
            prop_assert_eq!(after.get(&key), meant.as_ref());
            for name in &seen {
                if *name == key { continue }
                prop_assert_eq!(after.get(name), before.get(name));
                for place in ["above", "beside", "in"] {
                    let comment = format!("# {place} {name}\n");
                    prop_assert_eq!(written.matches(&comment).count(), out.matches(&comment).count(), "{}", out);
                }
            }
            prop_assert_eq!(written.contains(&format!("# above {key}\n")), out.contains(&format!("# above {key}\n")));
        }
    }
}
