//! An operator's YAML text: read with places, checked for what YAML 1.1 readers would mistake, and changed with its comments kept.

mod ambiguity;
mod edit;
mod tree;

pub use ambiguity::ambiguities;
pub use edit::{block, dedent, indent, remove, set_block, set_item, set_scalar};
pub(crate) use edit::{last_line, lines, margin};
pub use tree::{Kind, Node, tree};

use super::entity::{Env, Mapping};
use super::{Fault, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is wrong at a place of a text; line and column count from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    pub line: usize,
    pub column: usize,
    pub what: String,
    /// What to write instead, or "".
    pub fix: String,
}

impl Problem {
    /// As an error about a named text: `FILE:LINE:COLUMN: what`.
    pub fn fault(&self, source: &str) -> Fault {
        let fault = Fault::bad(format!("{source}:{}:{}: {}", self.line, self.column, self.what));
        fault.next(if self.fix.is_empty() { "correct it there" } else { &self.fix })
    }
}

/// How we read YAML: as PyYAML-era tools did, so that a config taken over from Velociraptor keeps its meaning and the hosts' own
/// readers agree with us. `yes` is true and `012` is ten where the type is open (the editor warns of both); where text is asked for
/// (names, versions, env) what is written is taken as it stands: `version: 1.10` is "1.10", `DEBUG: yes` is "yes".
fn options() -> serde_yaml::Options {
    serde_yaml::options! {
        with_snippet: false,
        legacy_octal_numbers: true,
        strict_booleans: false,
    }
}

/// A text as a typed value.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    serde_yaml::from_str_with_options(text, options()).map_err(|error| problem(&error))
}

/// A value as YAML text, in block style; a string that a YAML 1.1 reader would take for something else is quoted.
pub fn emit<T: Serialize>(value: &T) -> Result<String> {
    let mut text = serde_yaml::to_string(value).map_err(|error| Fault::failed(format!("cannot write YAML: {error}")))?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// A text as a mapping; a text with nothing but comments is an empty one.
pub fn parse_mapping(text: &str) -> Result<Mapping, Problem> {
    match tree(text)? {
        None => Ok(Mapping::new()),
        Some(node) if matches!(node.kind, Kind::Mapping { .. }) => read(text),
        Some(node) if node.scalar().is_some_and(|value| value.is_empty() || value == "~" || value == "null") => Ok(Mapping::new()),
        Some(node) => Err(Problem {
            line: node.line,
            column: node.column,
            what: "this is not a mapping".into(),
            fix: "write keys and values: `greeting: hi`".into(),
        }),
    }
}

/// A text as environment variables: names with text values, taken as they are written.
pub fn parse_env(text: &str) -> Result<Env, Problem> {
    parse_mapping(text)?;
    let Some(node) = tree(text)? else { return Ok(Env::new()) };
    if node.entries().is_empty() {
        return Ok(Env::new());
    }
    for (key, value) in node.entries() {
        if let Some(name) = key.scalar()
            && let Err(what) = env_name(name)
        {
            return Err(Problem { line: key.line, column: key.column, what, fix: ENV_RULE.into() });
        }
        if matches!(value.kind, Kind::Mapping { .. } | Kind::Sequence { .. }) {
            let what = format!("the value of {} is not plain text", key.scalar().unwrap_or("an environment variable"));
            return Err(Problem { line: value.line, column: value.column, what, fix: "write one text value, in quotes if need be".into() });
        }
    }
    read(text)
}

const ENV_RULE: &str = "use letters, digits and _, not starting with a digit";

/// Whether a word may name an environment variable (POSIX.1-2017, 8.1).
pub(super) fn env_name(name: &str) -> Result<(), String> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit());
    if name.is_empty() || !plain { Err(format!("'{name}' cannot name an environment variable")) } else { Ok(()) }
}

/// A reader's error with its place; for an unknown key with the nearest one that exists.
pub(super) fn problem(error: &serde_yaml::Error) -> Problem {
    use serde_yaml::Error;
    let error = error.without_snippet();
    let (line, column) = error.location().map_or((1, 1), |at| (at.line() as usize, at.column() as usize));
    let (what, fix) = match error {
        Error::SerdeUnknownField { field, expected, .. } => (format!("unknown key '{field}'"), hint(field, expected)),
        Error::SerdeUnknownVariant { variant, expected, .. } => (format!("'{variant}' is not known here"), hint(variant, expected)),
        Error::SerdeInvalidType { unexpected, expected, .. } | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            (format!("{unexpected} where {expected} belongs"), String::new())
        }
        Error::SerdeMissingField { field, .. } => (format!("the key '{field}' is missing"), format!("add `{field}:`")),
        Error::NullIntoString { .. } => ("nothing where text belongs".into(), "write the text, or '' for none".into()),
        Error::Message { msg, .. } => (msg.clone(), String::new()),
        Error::ExternalMessage { msg, .. } => (msg.clone(), String::new()),
        other => (plain(&other.to_string()), String::new()),
    };
    Problem { line: line.max(1), column: column.max(1), what, fix }
}

/// The reader's own words without its place, which stands before them already.
fn plain(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    let line = line.split_once(" at line ").map_or(line, |(what, _)| what);
    match line.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((_, what)) => what.to_string(),
        None => line.to_string(),
    }
}

/// The known word nearest to one that is not, when one is near; else all of them.
pub(super) fn hint(word: &str, known: &[&str]) -> String {
    let near = known.iter().map(|other| (distance(word, other), other)).min();
    match near {
        Some((far, other)) if far <= 2.max(word.chars().count() / 3) => format!("did you mean '{other}'?"),
        _ if known.is_empty() => String::new(),
        _ => format!("use one of: {}", known.join(", ")),
    }
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((y, &up), &diagonal) in b.iter().zip(row.iter().skip(1)).zip(row.iter()) {
            let left = next.last().copied().unwrap_or(0);
            next.push((diagonal + usize::from(x != *y)).min(up + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_read_as_the_hosts_would_and_text_as_it_is_written() {
        let config = parse_mapping("debug: yes\nmode: 012\nat: 12:30\nbig: 1_000\nday: 2026-11-21\nquoted: 'yes'\n").unwrap();
        assert_eq!(
            serde_json::Value::Object(config),
            json!({"debug": true, "mode": 10, "at": "12:30", "big": 1000, "day": "2026-11-21", "quoted": "yes"})
        );
        let env = parse_env("DEBUG: yes\nVERSION: 1.10\nMODE: 012 # octal?\nNAME: \"a b\"\n").unwrap();
        assert_eq!(env.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(), ["DEBUG=yes", "VERSION=1.10", "MODE=012", "NAME=a b"]);
        assert!(parse_mapping("# nothing\n").unwrap().is_empty());
        assert!(parse_env("").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let at = |text: &str| {
            let problem = parse_mapping(text).unwrap_err();
            (problem.line, problem.column)
        };
        assert_eq!(at("a: 1\nb: [1,\n"), (2, 4));
        assert_eq!(at("a: 1\na: 2\n").0, 2);
        assert_eq!(at("- a\n"), (1, 1));
        let problem = parse_env("A: x\n9B: y\n").unwrap_err();
        assert_eq!((problem.line, problem.column), (2, 1), "{problem:?}");
        let problem = parse_env("A: x\nB: [y]\n").unwrap_err();
        assert_eq!((problem.line, problem.column), (2, 4), "{problem:?}");
        assert!(parse_env("A:\n").is_err(), "nothing is not text");
    }

    #[test]
    fn what_we_write_is_not_mistaken_by_a_yaml_1_1_reader() {
        let text =
            emit(&json!({"a": "yes", "b": "012", "c": "12:30", "d": "1_000", "e": "on", "f": "2026-11-21", "g": true, "h": "plain"}))
                .unwrap();
        for line in text.lines().take(6) {
            assert!(line.contains('"') || line.contains('\''), "{line}");
        }
        assert!(text.contains("g: true\nh: plain\n"), "{text}");
        assert!(ambiguities(&text).is_empty(), "{text}");
    }

    #[test]
    fn the_nearest_key_is_offered() {
        assert_eq!(hint("versoin", &["version", "volumes"]), "did you mean 'version'?");
        assert_eq!(hint("zzz", &["version", "volumes"]), "use one of: version, volumes");
    }
}
