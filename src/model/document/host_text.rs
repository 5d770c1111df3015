//! A squad's text with one host changed: in or out of service, or a new one; comments kept, what came of it read back and compared.

use super::{parse_item, resolve_hosts};
use crate::model::entity::{Host, HostKeys, Squad};
use crate::model::yaml_text::{self, Kind, Node, tree};
use crate::model::{Fault, Result, name};
use std::collections::BTreeMap;

/// The squad's text with a host in service or out of it. A host that a pattern names gets an item of its own.
pub fn with_active(text: &str, host: &str, active: bool) -> Result<String> {
    let (text, root, before) = open(text)?;
    let item = item_of(&root, host)
        .ok_or_else(|| Fault::bad(format!("host {host} is not written in squad {}", before.name)).next("swarmdeck get hosts"))?;
    let out = match item.pieces.as_slice() {
        [_] => in_service(&text, item.node, active),
        pieces => {
            let (from, to) = (item.node.start, content_end(&text, item.node));
            let raw = text.get(from..to).unwrap_or_default();
            let glue = glue(&text, item.node);
            let mut all = Vec::new();
            for piece in pieces {
                let mut written = raw.to_string();
                if let Some((_, named)) = item.node.entry("name") {
                    let flow = matches!(item.node.kind, Kind::Mapping { flow: true, .. });
                    let piece = if flow && piece.contains('[') { format!("'{piece}'") } else { piece.clone() };
                    written = splice(&written, named.start - from, content_end(&text, named) - from, &piece);
                }
                if piece == host {
                    let alone = dedented(&written, item.node);
                    if let Ok(Some(node)) = tree(&alone) {
                        written = indented(&in_service(&alone, &node, active), item.node);
                    }
                }
                all.push(written);
            }
            splice(&text, from, to, &all.join(&glue))
        }
    };
    let mut meant = hosts(&before)?;
    meant.iter_mut().filter(|known| known.name == host).for_each(|known| known.active = active);
    proven(out, meant, host)
}

/// The squad's text with one more host; `like`: with the keys of that one, but for its id and its address.
pub fn with_host(text: &str, new: &str, like: Option<&str>) -> Result<String> {
    name::host(new)?;
    let (text, root, before) = open(text)?;
    let keys = match like {
        None => HostKeys::default(),
        Some(like) => {
            let is = |keys: &&HostKeys| name::expand_hosts(&keys.name).is_ok_and(|names| names.iter().any(|name| name == like));
            before.hosts.iter().find(is).cloned().ok_or_else(|| Fault::bad(format!("host {like} is not in squad {}", before.name)))?
        }
    };
    let keys = HostKeys { id: None, address: None, name: new.to_string(), ..keys };
    let block = yaml_text::emit(&keys)?;
    let list = root.entry("hosts");
    let last = list.and_then(|(_, list)| list.items().last());
    let out = match (list, last) {
        (_, Some(last)) => {
            let glue = glue(&text, last);
            let end = content_end(&text, last);
            let (at, written) = match glue.starts_with('\n') {
                true => (line_end(&text, end), yaml_text::indent(block.trim_end(), last.column - 1).trim_start().to_string()),
                false => (end, serde_json::to_string(&keys).map_err(|error| Fault::failed(error.to_string()))?),
            };
            splice(&text, at, at, &format!("{glue}{written}"))
        }
        (Some((key, list)), None) => {
            let written = yaml_text::indent(block.trim_end(), 4);
            splice(&text, key.end, list.end.max(key.end), &format!(":\n  - {}", written.trim_start()))
        }
        (None, None) => {
            let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            format!("{text}{end}hosts:\n  - {}\n", yaml_text::indent(block.trim_end(), 4).trim_start())
        }
    };
    let squad = Squad { hosts: before.hosts.iter().cloned().chain([keys]).collect(), ..before };
    proven(out, hosts(&squad)?, new)
}

/// An item of `hosts` that names a host, and the patterns that it falls into when that host stands by itself.
struct Found<'n> {
    node: &'n Node,
    pieces: Vec<String>,
}

fn item_of<'n>(root: &'n Node, host: &str) -> Option<Found<'n>> {
    let (_, list) = root.entry("hosts")?;
    list.items().iter().find_map(|node| {
        let pattern = node.entry("name")?.1.scalar()?;
        let named = name::expand_hosts(pattern).is_ok_and(|names| names.iter().any(|name| name == host));
        named.then(|| Found { node, pieces: split(pattern, host) })
    })
}

/// `web[01-05]` without web03: `web[01-02]`, `web03`, `web[04-05]`.
fn split(pattern: &str, host: &str) -> Vec<String> {
    let parts = || {
        let (before, rest) = pattern.split_once('[')?;
        let (range, after) = rest.split_once(']')?;
        let (from, to) = range.split_once('-')?;
        Some((before, after, from.len(), from.parse::<u32>().ok()?, to.parse::<u32>().ok()?))
    };
    let Some((before, after, width, low, high)) = parts() else { return vec![pattern.to_string()] };
    let one = |n: u32| format!("{before}{n:0width$}{after}");
    let is = |n: &u32| name::expand_hosts(&one(*n)).is_ok_and(|names| names.iter().any(|name| name == host));
    let Some(at) = (low..=high).find(is) else { return vec![pattern.to_string()] };
    let range = |from: u32, to: u32| match from.cmp(&to) {
        std::cmp::Ordering::Less => Some(format!("{before}[{from:0width$}-{to:0width$}]{after}")),
        std::cmp::Ordering::Equal => Some(one(from)),
        std::cmp::Ordering::Greater => None,
    };
    let first = if at > low { range(low, at - 1) } else { None };
    first.into_iter().chain(split(&one(at), host)).chain(range(at + 1, high)).collect()
}

/// The text with the key `active` of one item set.
fn in_service(text: &str, item: &Node, active: bool) -> String {
    if let Some((_, value)) = item.entry("active") {
        return splice(text, value.start, content_end(text, value), &active.to_string());
    }
    let Some((_, named)) = item.entry("name") else { return text.to_string() };
    let at = content_end(text, named);
    if matches!(item.kind, Kind::Mapping { flow: true, .. }) {
        return splice(text, at, at, &format!(", active: {active}"));
    }
    // After the line of its name, so that a comment there stays with the name.
    let line = line_end(text, at);
    splice(text, line, line, &format!("\n{}active: {active}", " ".repeat(item.column - 1)))
}

/// What stands between two items of the list that an item is in.
fn glue(text: &str, item: &Node) -> String {
    let line = text.get(..item.start).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    let lead = text.get(line..item.start).unwrap_or_default();
    if lead.trim() == "-" { format!("\n{lead}") } else { ", ".into() }
}

/// Where what a node says ends, without the blanks and comments after it.
fn content_end(text: &str, node: &Node) -> usize {
    let own = || node.start + text.get(node.start..node.end).unwrap_or_default().trim_end().len();
    match &node.kind {
        Kind::Mapping { flow: false, entries } => entries.last().map_or_else(own, |(_, value)| content_end(text, value)),
        Kind::Sequence { items } if text.get(node.start..).is_some_and(|rest| !rest.starts_with('[')) => {
            items.last().map_or_else(own, |item| content_end(text, item))
        }
        _ => own(),
    }
}

fn line_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |end| at + end)
}

/// An item's text by itself: its later lines moved to the margin, where its first one stands.
fn dedented(raw: &str, item: &Node) -> String {
    let margin = " ".repeat(item.column - 1);
    raw.split('\n')
        .enumerate()
        .map(|(n, line)| if n == 0 { line } else { line.strip_prefix(&margin).unwrap_or(line) })
        .collect::<Vec<_>>()
        .join("\n")
}

fn indented(raw: &str, item: &Node) -> String {
    raw.replace('\n', &format!("\n{}", " ".repeat(item.column - 1)))
}

fn splice(text: &str, from: usize, to: usize, new: &str) -> String {
    format!("{}{new}{}", text.get(..from).unwrap_or_default(), text.get(to..).unwrap_or_default())
}

/// The text as a block mapping with its tree, and what it says. Another form is written anew from its values.
fn open(text: &str) -> Result<(String, Node, Squad)> {
    let squad = parse_item::<Squad>(text, "the squad's text")?.body;
    let fault = |problem: yaml_text::Problem| problem.fault("the squad's text");
    let root = tree(text).map_err(fault)?.filter(Node::is_block_mapping);
    match root {
        Some(root) => Ok((text.to_string(), root, squad)),
        None => {
            let text = yaml_text::emit(&squad)?;
            let root = tree(&text).map_err(fault)?;
            root.map(|root| (text, root, squad)).ok_or_else(|| Fault::bad("the squad's text is empty"))
        }
    }
}

fn hosts(squad: &Squad) -> Result<Vec<Host>> {
    resolve_hosts(squad, &BTreeMap::new())
}

/// The text, if it says what was meant.
fn proven(out: String, mut meant: Vec<Host>, host: &str) -> Result<String> {
    let mut now = parse_item::<Squad>(&out, "the squad's text").and_then(|read| hosts(&read.body)).unwrap_or_default();
    now.sort_by(|a, b| a.name.cmp(&b.name));
    meant.sort_by(|a, b| a.name.cmp(&b.name));
    if now == meant {
        return Ok(out);
    }
    Err(Fault::refused(format!("the squad's text cannot be changed for {host} alone without changing something else"))
        .next("change it by hand in the editor (.e)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUAD: &str = "# ours\nname: web\ndefaults: {user: deploy}\nhosts:\n  # the first ones\n  - name: web[01-03] # blue\n    port: 22\n  - {name: web07, port: 22} # red\n  - name: web09\n    active: true # since May\n# end\n";

    #[test]
    fn a_host_goes_out_of_service_and_back_with_every_comment_kept() {
        let out = with_active(SQUAD, "web07", false).unwrap();
        assert_eq!(out, SQUAD.replace("{name: web07, port: 22}", "{name: web07, active: false, port: 22}"));
        assert_eq!(with_active(&out, "web07", true).unwrap(), out.replace("active: false", "active: true"));
        assert_eq!(with_active(SQUAD, "web09", false).unwrap(), SQUAD.replace("active: true #", "active: false #"));
        let out = with_active(SQUAD, "web02", false).unwrap();
        assert!(out.contains("  - name: web01 # blue\n    port: 22\n  - name: web02 # blue\n    active: false\n    port: 22\n  - name: web03 # blue\n    port: 22\n  - {"), "{out}");
        let out = with_active(&out, "web01", false).unwrap();
        assert!(out.contains("  - name: web01 # blue\n    active: false\n    port: 22\n"), "{out}");
        assert!(with_active(SQUAD, "web08", false).unwrap_err().what.contains("web08"));
        let flow = "{name: web, hosts: [{name: 'web[1-4]-[1-2]'}]}";
        let squad = parse_item::<Squad>(&with_active(flow, "web2-1", false).unwrap(), "x").unwrap().body;
        let names: Vec<&str> = squad.hosts.iter().map(|host| host.name.as_str()).collect();
        assert_eq!(names, ["web1-[1-2]", "web2-1", "web2-2", "web[3-4]-[1-2]"]);
    }

    #[test]
    fn a_new_host_comes_last_with_the_keys_of_another() {
        let out = with_host(SQUAD, "web10", Some("web02")).unwrap();
        assert!(out.contains("    active: true # since May\n") && out.contains("  - name: web10\n    port: 22\n"), "{out}");
        assert!(with_host("name: web\n", "web01", None).unwrap().ends_with("hosts:\n  - name: web01\n"));
        assert!(with_host("name: web\nhosts: []\n", "web01", None).unwrap().contains("hosts:\n  - name: web01\n"));
        assert!(with_host("name: web\nhosts: [{name: a1}]\n", "web01", None).unwrap().contains("[{name: a1}, {\"name\":\"web01\"}]"));
        assert!(with_host(SQUAD, "no such name!", None).is_err() && with_host(SQUAD, "web11", Some("web99")).is_err());
    }
}
