//! Values that readers of YAML 1.1 and 1.2 take for different things.

use super::{Fix, Problem, Severity, problem};
use crate::model::secret::Secrets;
use crate::model::yaml_text::{Node, ambiguities};
use std::collections::BTreeSet;

/// Those of one section of a text.
pub fn traps(text: &str, section: &Node, secrets: &Secrets, found: &mut Vec<Problem>) {
    let places: BTreeSet<(usize, usize)> = ambiguities(text).iter().map(|p| (p.line, p.column)).collect();
    if places.is_empty() {
        return;
    }
    let keys = secret_places(section, secrets);
    section.walk(false, &mut |node, is_key| {
        let Some(value) = node.scalar().filter(|_| places.contains(&(node.line, node.column))) else { return };
        let name = if keys.contains(&(node.line, node.column)) { "this value" } else { value };
        let quoted = format!("\"{value}\"");
        let written = if name == value { quoted.as_str() } else { "it in quotes" };
        let text = match (trap(value), is_key) {
            (Trap::Truth(truth), false) => format!("{name} is {truth} to YAML 1.1 and text to YAML 1.2; write {truth} or {written}"),
            (Trap::Truth(truth), true) => format!("the key {name} is {truth} to YAML 1.1; write {written}"),
            (Trap::Number(n), _) if name == value => format!("{name} is the number {n} to a YAML 1.1 reader; write {written}"),
            (Trap::Date, _) => format!("{name} is a date to a YAML 1.1 reader; write {written}"),
            (Trap::Later, _) => format!("{name} is a number to YAML 1.2 and text to YAML 1.1; write the number out, or {written}"),
            _ => format!("{name} is not text to every YAML reader; write {written}"),
        };
        let fix = Fix { from: node.column - 1, to: node.column - 1 + value.chars().count(), with: quoted };
        found.push(problem(node.line, node.column, Severity::Warning, &text, Some(fix)));
    });
}

enum Trap {
    Truth(bool),
    Number(i64),
    Date,
    /// A number by the later standard only.
    Later,
    Other,
}

/// What a YAML 1.1 reader makes of a plain scalar (yaml.org/type/bool.html, int.html, timestamp.html).
fn trap(value: &str) -> Trap {
    match value.to_ascii_lowercase().as_str() {
        "y" | "yes" | "on" => return Trap::Truth(true),
        "n" | "no" | "off" => return Trap::Truth(false),
        _ => {}
    }
    let (sign, digits) = value.strip_prefix('-').map_or((1, value), |rest| (-1, rest));
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    if digits.len() > 4 && digits.as_bytes().get(4) == Some(&b'-') {
        return Trap::Date;
    }
    if digits.starts_with("0o") || digits.contains(['e', 'E']) {
        return Trap::Later;
    }
    let number = if digits.contains(':') {
        digits.split(':').try_fold(0i64, |sum, part| sum.checked_mul(60)?.checked_add(part.replace('_', "").parse().ok()?))
    } else if let Some(bits) = digits.strip_prefix("0b") {
        i64::from_str_radix(&bits.replace('_', ""), 2).ok()
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
