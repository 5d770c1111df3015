//! What one YAML reader takes for text and another for a number, a date or a truth value: told to the operator, never guessed.

use super::{Problem, tree};
use regex::Regex;

/// The traps of YAML 1.1 (yaml.org/type: bool, int, float, timestamp): how they look and what a reader may take them for.
const TRAPS: [(&str, &str); 7] = [
    (r"^(?i:y|n|yes|no|on|off)$", "true or false"),
    (r"^[-+]?0[0-9_]+$", "an octal number"),
    (r"^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$", "a number to base 60"),
    (r"^[-+]?[0-9]+(_[0-9]*)+(\.[0-9_]*)?$", "a number without its underscores"),
    (r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?$", "a date"),
    (r"^[-+]?(0o[0-7]+|0b[01_]+)$", "an octal or binary number"),
    (r"^[-+]?[0-9]+[eE][-+]?[0-9]+$", "a number with an exponent"),
];

/// Every unquoted scalar that readers of YAML 1.1 and 1.2 take for different things. Text that cannot be read has none:
/// its error is told by who reads it.
pub fn ambiguities(text: &str) -> Vec<Problem> {
    let Ok(Some(root)) = tree(text) else { return Vec::new() };
    let traps: Vec<(Regex, &str)> = TRAPS.iter().filter_map(|(look, taken)| Some((Regex::new(look).ok()?, *taken))).collect();
    let mut found = Vec::new();
    root.walk(false, &mut |node, _| {
        let super::Kind::Scalar { value, plain: true, .. } = &node.kind else { return };
        if let Some((_, taken)) = traps.iter().find(|(look, _)| look.is_match(value)) {
            found.push(Problem {
                line: node.line,
                column: node.column,
                what: format!("{value} without quotes is {taken} to some readers and text to others"),
                fix: match *taken {
                    "true or false" => format!("write true or false, or '{value}' for text"),
                    _ => format!("write '{value}' for text"),
                },
            });
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trap_is_found_at_its_place_and_nothing_else() {
        let text = "a: yes\nb: {c: 012, d: 'yes', on: 1}\nt:\n  - 12:30\n  - 1_000\n  - 2026-11-21\n  - v1.2\n  - 10\n  - 0.5\n  - web01\n  - 1e3\n  - 0o17\n  - -0b11\n  - 0x1f\n";
        let places: Vec<(usize, usize)> = ambiguities(text).iter().map(|p| (p.line, p.column)).collect();
        assert_eq!(places, [(1, 4), (2, 8), (2, 23), (4, 5), (5, 5), (6, 5), (11, 5), (12, 5), (13, 5)]);
        assert!(ambiguities("a: [").is_empty());
    }
}
