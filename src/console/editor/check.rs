//! What is wrong with the text, or may be misread, while it is typed: each with its place and, where there is one, the fix.

mod near;
mod strangers;
mod traps;
mod typed;

pub use strangers::{at, beside};

use super::join::Clash;
use crate::deck::look::EditDocument;
use crate::model::document::Kind as Object;
use crate::model::secret::{MASK, Secrets};
use crate::model::yaml_text::{Kind, Node, parse_mapping, tree};
use serde_json::Value;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The text cannot be saved.
    Error,
    /// It can, but may not be what is meant.
    Warning,
}

/// A problem at a place; line and column count from 1, in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub line: usize,
    pub column: usize,
    pub severity: Severity,
    /// One line; holds no secret.
    pub text: String,
    pub fix: Option<Fix>,
}

/// Characters `from..to` (from 0) of the problem's line are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    pub from: usize,
    pub to: usize,
    pub with: String,
}

/// A part of a text that holds config or env.
struct Section<'n> {
    node: &'n Node,
    /// The path that leads to it.
    path: Vec<String>,
    env: bool,
}

/// The config and env in a text.
fn sections<'n>(root: &'n Node, document: &EditDocument) -> Vec<Section<'n>> {
    match (document.target.block(), document.target.whole()) {
        (Some(block), _) => vec![Section { node: root, path: Vec::new(), env: block == "env" }],
        (None, Some(Object::Swarm | Object::Ingredient)) => {
            let part = |name: &str| root.entry(name).map(|(_, node)| Section { node, path: vec![name.into()], env: name == "env" });
            ["config", "env"].into_iter().filter_map(part).collect()
        }
        _ => Vec::new(),
    }
}

/// All problems of a text, in its order. `clashes`: keys that somebody else saved too, and who.
pub fn check(text: &str, document: &EditDocument, clashes: &[(Clash, String)], secrets: &Secrets) -> Vec<Problem> {
    let mut found = tabs(text);
    let root = match tree(text) {
        Err(error) => {
            // A tab in the indentation is the likelier cause, and has a fix.
            if !found.iter().any(|p| p.line == error.line) {
                let what = error.what.split(" at byte").next().unwrap_or("").to_string();
                found.push(problem(error.line, error.column, Severity::Error, &what, None));
            }
            None
        }
        Ok(root) => root,
    };
    if let Some(root) = &root {
        let before = found.len();
        duplicates(root, &mut found);
        let values = parse_mapping(text);
        for section in sections(root, document) {
            if section.env {
                env_values(section.node, text, &mut found);
            } else {
                traps::traps(text, section.node, secrets, &mut found);
            }
            strangers::strangers(&section, document, &mut found);
            if let (false, Ok(values)) = (section.env, &values) {
                strangers::types(text, &section, values, document, &mut found);
            }
        }
        if let Err(error) = values
            && !found.iter().skip(before).any(|p| p.severity == Severity::Error)
        {
            let text = if error.fix.is_empty() { error.what } else { format!("{}; {}", error.what, error.fix) };
            found.push(problem(error.line, error.column, Severity::Error, &text, None));
        }
        clashed(text, root, clashes, secrets, &mut found);
    }
    if let Some(kind) = document.target.whole()
        && (root.is_some() || !found.iter().any(|p| p.severity == Severity::Error))
    {
        typed::typed(text, root.as_ref(), kind, document, &mut found);
    }
    found.sort_by_key(|p| (p.line, p.column));
    found
}

fn problem(line: usize, column: usize, severity: Severity, text: &str, fix: Option<Fix>) -> Problem {
    let text = crate::model::shown::shown(text);
    Problem { line: line.max(1), column: column.max(1), severity, text, fix }
}

/// The fix that puts other words in the place of a node that is written on one line.
fn instead(text: &str, node: &Node, with: &str) -> Option<Fix> {
    let written = text.get(node.start..node.end)?.trim_end();
    let one_line = !written.contains('\n') && !written.is_empty();
    one_line.then(|| Fix { from: node.column - 1, to: node.column - 1 + written.chars().count(), with: with.into() })
}

/// A scalar as YAML writes it on one line; none for what needs several.
pub fn written(value: &Value) -> Option<String> {
    if matches!(value, Value::Array(_) | Value::Object(_)) {
        return None;
    }
    let text = crate::model::yaml_text::emit(value).ok()?;
    let text = text.trim_end();
    (!text.contains('\n') && !text.starts_with(['|', '>'])).then(|| text.to_string())
}

/// Tabs in the indentation, which YAML forbids.
fn tabs(text: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    for (row, line) in text.split('\n').enumerate() {
        let margin: Vec<char> = line.chars().take_while(|c| matches!(c, ' ' | '\t')).collect();
        let Some(at) = margin.iter().position(|c| *c == '\t') else { continue };
        if margin.len() == line.chars().count() {
            continue;
        }
        let with: String = margin.iter().map(|c| if *c == '\t' { "  " } else { " " }).collect();
        let fix = Fix { from: 0, to: margin.len(), with };
        found.push(problem(row + 1, at + 1, Severity::Error, "a tab cannot indent YAML; write spaces", Some(fix)));
    }
    found
}

fn duplicates(node: &Node, found: &mut Vec<Problem>) {
    let mut seen: Vec<(&str, usize)> = Vec::new();
    for (key, value) in node.entries() {
        if let Some(name) = key.scalar() {
            match seen.iter().find(|(other, _)| *other == name) {
                Some((_, line)) => {
                    let text = format!("{name} is already set on line {line}; take one away");
                    found.push(problem(key.line, key.column, Severity::Error, &text, None));
                }
                None => seen.push((name, key.line)),
            }
        }
        duplicates(value, found);
    }
    node.items().iter().for_each(|item| duplicates(item, found));
}

/// Env values are text: no mappings, no lists.
fn env_values(root: &Node, text: &str, found: &mut Vec<Problem>) {
    let lines: Vec<&str> = text.split('\n').collect();
    for (key, value) in root.entries() {
        if matches!(value.kind, Kind::Scalar { .. } | Kind::Alias) {
            continue;
        }
        let name = key.scalar().unwrap_or("this");
        let what = if matches!(value.kind, Kind::Sequence { .. }) { "a list" } else { "a mapping" };
        let line = lines.get(value.line - 1).unwrap_or(&"");
        let rest: String = line.chars().skip(value.column - 1).collect();
        let one_line = rest.trim_end();
        let is_flow = one_line.starts_with(['[', '{']) && one_line.ends_with([']', '}']) && !one_line.contains(['\'', '"']);
        let fix =
            is_flow.then(|| Fix { from: value.column - 1, to: value.column - 1 + one_line.chars().count(), with: format!("'{one_line}'") });
        let text = format!("{name} is {what}; the environment holds text only{}", if is_flow { ": write it in quotes" } else { "" });
        found.push(problem(value.line, value.column, Severity::Error, &text, fix));
    }
}

/// Keys that somebody else saved too, with another value.
fn clashed(text: &str, root: &Node, clashes: &[(Clash, String)], secrets: &Secrets, found: &mut Vec<Problem>) {
    for (clash, who) in clashes {
        let path: Vec<&str> = clash.path.iter().map(String::as_str).collect();
        let Some((above, name)) = path.split_last().map(|(name, above)| (root.nearest(above), name)) else { continue };
        let secret = path.iter().any(|part| secrets.is_secret_key(part));
        let dotted = path.join(".");
        let Some((key, value)) = above.entry(name) else {
            let text = format!("{who} changed {dotted} here, which this text took away; saving takes theirs away too");
            found.push(problem(above.line, above.column, Severity::Warning, &text, None));
            continue;
        };
        let theirs = clash.theirs.as_ref().map(|value| written(value).unwrap_or_else(|| "something else".into()));
        let (says, fix) = match &theirs {
            None => (format!("{who} took {dotted} away here; saving keeps yours"), None),
            Some(_) if secret => {
                (format!("{who} saved {MASK} here too; saving keeps yours, ^t takes theirs"), instead_of(text, value, clash))
            }
            Some(theirs) => {
                let masked = secrets.mask(name, theirs);
                (format!("{who} saved {masked} here too; saving keeps yours, ^t takes theirs"), instead_of(text, value, clash))
            }
        };
        let says = if fix.is_none() { says.replace(", ^t takes theirs", "") } else { says };
        found.push(problem(key.line, value.column, Severity::Warning, &says, fix));
    }
}

fn instead_of(text: &str, value: &Node, clash: &Clash) -> Option<Fix> {
    let theirs = clash.theirs.as_ref().and_then(written)?;
    let scalar = matches!(value.kind, Kind::Scalar { block: false, .. });
    if scalar { instead(text, value, &theirs) } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::testing::document;
    use super::*;

    fn problems(text: &str, env: bool) -> Vec<String> {
        let mut document = document();
        if env {
            document.target = crate::deck::look::EditTarget::SwarmEnv("s1".into());
        }
        let found = check(text, &document, &[], &Secrets::default());
        found.iter().map(|p| format!("{}:{} {}", p.line, p.column, p.text)).collect()
    }

    #[test]
    fn every_kind_is_found_at_its_place() {
        assert_eq!(
            problems("cache_ttl: 12:30\ngrteing: hi\nfeature:\n  cart: on\nmode: 012\n", false),
            [
                "1:12 12:30 is the number 750 to a YAML 1.1 reader; write \"12:30\"",
                "2:1 grteing is new to all 12 siblings; 11 of them set greeting",
                "4:9 on is true to YAML 1.1 and text to YAML 1.2; write true or \"on\"",
                "5:7 012 is the number 10 to a YAML 1.1 reader; write \"012\"",
            ]
        );
        assert_eq!(
            problems("a: 1\nb:\n  c: 1\n  c: 2\na: 2\n", false),
            ["4:3 c is already set on line 3; take one away", "5:1 a is already set on line 1; take one away"]
        );
        assert_eq!(problems("a:\n\tb: 1\n", false), ["2:1 a tab cannot indent YAML; write spaces"]);
        assert_eq!(problems("A: [1, 2]\nB: yes\nC: {x: 1}\n", true).len(), 2);
        let list = problems("- a\n", false);
        assert!(list.len() == 1 && list[0].starts_with("1:1 ") && list[0].contains("mapping"), "{list:?}");
        let syntax = problems("a: [1\nb: 2\n", false);
        assert!(
            syntax.len() == 1 && (syntax[0].starts_with("2:") || syntax[0].starts_with("3:") || syntax[0].starts_with("1:")),
            "{syntax:?}"
        );
        assert!(problems("# only a comment\n", false).is_empty() && problems("", false).is_empty());
    }

    #[test]
    fn a_secret_is_not_in_the_problem() {
        let found = problems("db_password: 12:34:56\n", false);
        assert_eq!(found.len(), 1);
        assert!(!found[0].contains("12:34"), "{found:?}");
    }

    #[test]
    fn fixes_mend_the_text() {
        let text = "cache_ttl: 12:30\ngrteing: hi\nl:\n\t- on\n";
        let mut text = text.to_string();
        for _ in 0..9 {
            let found = check(&text, &document(), &[], &Secrets::default());
            let Some((problem, fix)) = found.iter().find_map(|p| Some((p, p.fix.clone()?))) else { break };
            let mut lines: Vec<String> = text.split('\n').map(String::from).collect();
            let line: Vec<char> = lines[problem.line - 1].chars().collect();
            lines[problem.line - 1] = line[..fix.from].iter().collect::<String>() + &fix.with + &line[fix.to..].iter().collect::<String>();
            text = lines.join("\n");
        }
        assert_eq!(text, "cache_ttl: \"12:30\"\ngreeting: hi\nl:\n  - \"on\"\n");
        assert!(problems(&text, false).is_empty());
    }
}
