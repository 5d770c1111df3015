//! Keys that nobody else sets but that look like one that others do, and values of another type than theirs.

use super::near::looks_like;
use super::{Fix, Problem, Section, Severity, instead, problem, written};
use crate::deck::look::EditDocument;
use crate::model::entity::Mapping;
use crate::model::yaml_text::{Kind, Node};
use serde_json::Value;

/// Keys of a section that look like one that siblings or the layers below set.
pub fn strangers(section: &Section, document: &EditDocument, found: &mut Vec<Problem>) {
    look(section.node, &section.path, document, found);
}

fn look(node: &Node, path: &[String], document: &EditDocument, found: &mut Vec<Problem>) {
    let beside = beside(document, path);
    let below: Vec<(&str, &str)> = document
        .below
        .iter()
        .flat_map(|(layer, mapping, _)| {
            at(mapping, path).into_iter().flat_map(move |m| m.keys().map(move |k| (k.as_str(), layer.as_str())))
        })
        .collect();
    for (key, value) in node.entries() {
        let Some(name) = key.scalar() else { continue };
        if beside.iter().any(|(known, _)| *known == name) || below.iter().any(|(known, _)| *known == name) {
            look(value, &[path, &[name.to_string()]].concat(), document, found);
            continue;
        }
        let is_free = |near: &str| node.entry(near).is_none() && looks_like(name, near);
        let sibling = beside.iter().filter(|(near, _)| is_free(near)).max_by_key(|(_, count)| *count);
        let all = document.siblings.count;
        let new = if all == 1 { "the one sibling".to_string() } else { format!("all {all} siblings") };
        let (near, text) = match (sibling, below.iter().rfind(|(near, _)| is_free(near))) {
            (Some((near, _)), _) if all == 1 => (*near, format!("{name} is new to {new}; it sets {near}")),
            (Some((near, 1)), _) => (*near, format!("{name} is new to {new}; one of them sets {near}")),
            (Some((near, count)), _) => (*near, format!("{name} is new to {new}; {count} of them set {near}")),
            (None, Some((near, layer))) => (*near, format!("{name} is set nowhere else; {layer} sets {near}")),
            (None, None) => continue,
        };
        let is_plain = matches!(key.kind, Kind::Scalar { plain: true, .. });
        let fix = is_plain.then(|| Fix { from: key.column - 1, to: key.column - 1 + name.chars().count(), with: near.into() });
        found.push(problem(key.line, key.column, Severity::Warning, &text, fix));
    }
}

/// The keys that siblings set below a path, with how many do.
pub fn beside<'d>(document: &'d EditDocument, path: &[String]) -> Vec<(&'d str, usize)> {
    let from = document.siblings.keys.range(path.to_vec()..);
    let inside = from.take_while(|(key, _)| key.starts_with(path)).filter(|(key, _)| key.len() == path.len() + 1);
    inside.filter_map(|(key, sibling)| Some((key.last()?.as_str(), sibling.count))).collect()
}

/// The mapping at a path.
pub fn at<'m>(mapping: &'m Mapping, path: &[String]) -> Option<&'m Mapping> {
    path.iter().try_fold(mapping, |here, part| here.get(part)?.as_object())
}

/// Values whose type is not the one that they have in the layer that they hide, or in every sibling.
pub fn types(text: &str, section: &Section, values: &Mapping, document: &EditDocument, found: &mut Vec<Problem>) {
    let mut look: Vec<(&Node, Vec<String>)> = vec![(section.node, section.path.clone())];
    while let Some((node, path)) = look.pop() {
        let Some(mine) = at(values, &path) else { continue };
        for (key, value) in node.entries() {
            let Some(name) = key.scalar() else { continue };
            let here = [path.as_slice(), &[name.to_string()]].concat();
            if let Some(mine) = mine.get(name) {
                if let Some((wanted, whose)) = wanted(document, &path, &here)
                    && wanted != kind_of(mine)
                    && !mine.is_null()
                    && !found.iter().any(|p| p.line == value.line && p.column == value.column)
                {
                    let says = format!("{name} is {} here and {wanted} {whose}", kind_of(mine));
                    found.push(problem(value.line, value.column, Severity::Warning, &says, fix(text, value, mine, wanted)));
                }
                look.push((value, here));
            }
        }
    }
}

/// The type that others have at a path, and who they are.
fn wanted(document: &EditDocument, above: &[String], path: &[String]) -> Option<(&'static str, String)> {
    let name = path.last()?;
    let hidden = document.below.iter().rev().find_map(|(layer, mapping, _)| Some((layer, at(mapping, above)?.get(name)?)));
    if let Some((layer, value)) = hidden.filter(|(_, value)| !value.is_null()) {
        return Some((kind_of(value), format!("in {layer}")));
    }
    let sibling = document.siblings.keys.get(path)?;
    let known: usize = sibling.values.iter().map(|(_, count)| count).sum();
    let mut kinds = sibling.values.iter().map(|(value, _)| kind_of(value));
    let first = kinds.next()?;
    let alike = known >= 2 && known == sibling.count && kinds.all(|kind| kind == first);
    alike.then(|| (first, format!("in all {known} siblings that set it")))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

fn fix(text: &str, node: &Node, mine: &Value, wanted: &str) -> Option<Fix> {
    match (mine, wanted) {
        (Value::String(inner), "a number" | "true or false") => {
            let read: Value = crate::model::yaml_text::read(inner).ok()?;
            (kind_of(&read) == wanted && !matches!(node.kind, Kind::Scalar { plain: true, .. })).then(|| instead(text, node, inner))?
        }
        (Value::Number(_) | Value::Bool(_), "text") => {
            let plain = node.scalar().filter(|_| matches!(node.kind, Kind::Scalar { plain: true, .. }))?;
            instead(text, node, &written(&Value::String(plain.into()))?)
        }
        _ => None,
    }
}
