//! What is wrong with the text, or may be misread, while it is typed: each with its place and, where there is one, the fix.

use crate::deck::look::EditDocument;
use crate::model::secret::Secrets;
use crate::model::yaml_text::{Kind, Node, ambiguities, parse_mapping, tree};
use std::collections::BTreeSet;

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

/// All problems of a text, in its order. `env`: values must be scalars.
pub fn check(text: &str, env: bool, document: &EditDocument, secrets: &Secrets) -> Vec<Problem> {
    let mut found = tabs(text);
    match tree(text) {
        Err(error) => {
            // A tab in the indentation is the likelier cause, and has a fix.
            if !found.iter().any(|p| p.line == error.line) {
                let what = error.what.split(" at byte").next().unwrap_or("").to_string();
                found.push(problem(error.line, error.column, Severity::Error, &what, None));
            }
        }
        Ok(None) => {}
        Ok(Some(root)) => {
            let lines: Vec<&str> = text.split('\n').collect();
            let before = found.len();
            duplicates(&root, &mut found);
            if env {
                env_values(&root, &lines, &mut found);
            } else {
                traps(text, &root, secrets, &mut found);
            }
            strangers(&root, document, &mut found);
            if let Err(error) = parse_mapping(text)
                && !found.iter().skip(before).any(|p| p.severity == Severity::Error)
            {
                let text = if error.fix.is_empty() { error.what } else { format!("{}; {}", error.what, error.fix) };
                found.push(problem(error.line, error.column, Severity::Error, &text, None));
            }
        }
    }
    found.sort_by_key(|p| (p.line, p.column));
    found
}

fn problem(line: usize, column: usize, severity: Severity, text: &str, fix: Option<Fix>) -> Problem {
    let text = crate::model::shown::shown(text);
    Problem { line: line.max(1), column: column.max(1), severity, text, fix }
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
fn env_values(root: &Node, lines: &[&str], found: &mut Vec<Problem>) {
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

/// Values that readers of YAML 1.1 and 1.2 take for different things.
fn traps(text: &str, root: &Node, secrets: &Secrets, found: &mut Vec<Problem>) {
    let places: BTreeSet<(usize, usize)> = ambiguities(text).iter().map(|p| (p.line, p.column)).collect();
    if places.is_empty() {
        return;
    }
    let keys = secret_places(root, secrets);
    root.walk(false, &mut |node, is_key| {
        let Some(value) = node.scalar().filter(|_| places.contains(&(node.line, node.column))) else { return };
        let name = if keys.contains(&(node.line, node.column)) { "this value" } else { value };
        let quoted = format!("\"{value}\"");
        let written = if name == value { quoted.as_str() } else { "it in quotes" };
        let text = match (trap(value), is_key) {
            (Trap::Truth(truth), false) => format!("{name} is {truth} to YAML 1.1 and text to YAML 1.2; write {truth} or {written}"),
            (Trap::Truth(truth), true) => format!("the key {name} is {truth} to YAML 1.1; write {written}"),
            (Trap::Number(n), _) if name == value => format!("{name} is the number {n} to a YAML 1.1 reader; write {written}"),
            _ => format!("{name} is not text to every YAML reader; write {written}"),
        };
        let fix = Fix { from: node.column - 1, to: node.column - 1 + value.chars().count(), with: quoted };
        found.push(problem(node.line, node.column, Severity::Warning, &text, Some(fix)));
    });
}

enum Trap {
    Truth(bool),
    Number(i64),
    Other,
}

/// What a YAML 1.1 reader makes of a plain scalar (yaml.org/type/bool.html, int.html).
fn trap(value: &str) -> Trap {
    match value.to_ascii_lowercase().as_str() {
        "y" | "yes" | "on" => return Trap::Truth(true),
        "n" | "no" | "off" => return Trap::Truth(false),
        _ => {}
    }
    let (sign, digits) = value.strip_prefix('-').map_or((1, value), |rest| (-1, rest));
    let number = if digits.contains(':') {
        digits.split(':').try_fold(0i64, |sum, part| sum.checked_mul(60)?.checked_add(part.replace('_', "").parse().ok()?))
    } else if digits.starts_with('0') && digits.len() > 1 {
        i64::from_str_radix(&digits.replace('_', ""), 8).ok()
    } else {
        digits.replace('_', "").parse().ok()
    };
    number.map_or(Trap::Other, |n| Trap::Number(sign * n))
}

/// Places of scalars under a secret key.
fn secret_places(root: &Node, secrets: &Secrets) -> BTreeSet<(usize, usize)> {
    let mut places = BTreeSet::new();
    let mut look = vec![root];
    while let Some(node) = look.pop() {
        for (key, value) in node.entries() {
            if key.scalar().is_some_and(|name| secrets.is_secret_key(name)) {
                value.walk(false, &mut |scalar, _| {
                    places.insert((scalar.line, scalar.column));
                });
            }
            look.push(value);
        }
        look.extend(node.items());
    }
    places
}

/// Keys that nobody else sets, but that look like one that others do.
fn strangers(root: &Node, document: &EditDocument, found: &mut Vec<Problem>) {
    let below = document.below.iter().flat_map(|(layer, mapping, _)| mapping.keys().map(move |key| (key.as_str(), layer.as_str())));
    let below: Vec<(&str, &str)> = below.collect();
    for (key, _) in root.entries() {
        let Some(name) = key.scalar() else { continue };
        if document.sibling_keys.contains_key(name) || below.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let is_free = |near: &str| root.entry(near).is_none() && looks_like(name, near);
        let sibling = document.sibling_keys.iter().filter(|(near, _)| is_free(near)).max_by_key(|(_, count)| **count);
        let (near, text) = match (sibling, below.iter().rfind(|(near, _)| is_free(near))) {
            (Some((near, 1)), _) => (near.as_str(), format!("{name} is new to all siblings; one of them sets {near}")),
            (Some((near, count)), _) => (near.as_str(), format!("{name} is new to all siblings; {count} of them set {near}")),
            (None, Some((near, layer))) => (*near, format!("{name} is set nowhere else; {layer} sets {near}")),
            (None, None) => continue,
        };
        let is_plain = matches!(key.kind, Kind::Scalar { plain: true, .. });
        let fix = is_plain.then(|| Fix { from: key.column - 1, to: key.column - 1 + name.chars().count(), with: near.into() });
        found.push(problem(key.line, key.column, Severity::Warning, &text, fix));
    }
}

/// Whether one key may be the other, mistyped: one slip, or two that leave nearly the same letters.
fn looks_like(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.to_lowercase().chars().collect(), b.to_lowercase().chars().collect());
    let shortest = a.len().min(b.len());
    if a == b || shortest < 3 || a.len().abs_diff(b.len()) > 2 || a.len().max(b.len()) > 64 {
        return false;
    }
    let letters = |of: &[char]| of.iter().filter(|c| !c.is_ascii_digit()).copied().collect::<Vec<_>>();
    if letters(&a) == letters(&b) {
        return false; // host1 and host2 are two hosts
    }
    match distance(&a, &b) {
        1 => shortest >= 4,
        2 => shortest >= 6 && strays(&a, &b) <= 1,
        _ => false,
    }
}

/// How many letters one has more of than the other, the greater way.
fn strays(a: &[char], b: &[char]) -> usize {
    let over = |a: &[char], b: &[char]| {
        let mut left = b.to_vec();
        a.iter().filter(|c| left.iter().position(|l| l == *c).map(|at| left.swap_remove(at)).is_none()).count()
    };
    over(a, b).max(over(b, a))
}

/// Optimal string alignment distance: insertions, deletions, substitutions, neighbours swapped.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut last: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let at = |row: &[usize], n: usize| row.get(n).copied().unwrap_or(usize::MAX / 2);
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (at(&row, j) + usize::from(x != y)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            if i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x) {
                best = best.min(at(&last, j - 1) + 1);
            }
            next.push(best);
        }
        last = std::mem::replace(&mut row, next);
    }
    at(&row, b.len())
}

#[cfg(test)]
mod tests {
    use super::super::testing::document;
    use super::*;

    fn problems(text: &str, env: bool) -> Vec<String> {
        let found = check(text, env, &document(), &Secrets::default());
        found.iter().map(|p| format!("{}:{} {}", p.line, p.column, p.text)).collect()
    }

    #[test]
    fn every_kind_is_found_at_its_place() {
        assert_eq!(
            problems("cache_ttl: 12:30\ngrteing: hi\nfeature:\n  cart: on\nmode: 012\n", false),
            [
                "1:12 12:30 is the number 750 to a YAML 1.1 reader; write \"12:30\"",
                "2:1 grteing is new to all siblings; 11 of them set greeting",
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
    fn what_looks_like_what() {
        for (a, b) in [("grteing", "greeting"), ("db_hots", "db_host"), ("timout", "timeout")] {
            assert!(looks_like(a, b), "{a} {b}");
        }
        for (a, b) in [("db_host", "db_port"), ("host1", "host2"), ("a", "b"), ("db_host", "db_pass"), ("abc", "abcdef")] {
            assert!(!looks_like(a, b), "{a} {b}");
        }
    }

    #[test]
    fn fixes_mend_the_text() {
        let text = "cache_ttl: 12:30\ngrteing: hi\nl:\n\t- on\n";
        let mut text = text.to_string();
        for _ in 0..9 {
            let found = check(&text, false, &document(), &Secrets::default());
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
