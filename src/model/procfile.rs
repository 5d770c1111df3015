//! The Procfile: which processes an app has, and the command of each.

use super::{Fault, Result};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Process names and their commands, in the order of the file. Commands are shell text and expand where the proc runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Procfile {
    pub entries: IndexMap<String, String>,
}

impl Procfile {
    /// Reads `name: command` lines; blank lines and `#` comments are skipped, and a command that is quoted as in YAML
    /// (Velociraptor reads a Procfile as YAML) loses its quotes. Faults name the line as `Procfile:N`.
    pub fn parse(text: &str) -> Result<Procfile> {
        let mut entries = IndexMap::new();
        for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let bad = |why: String| Err(Fault::bad(format!("Procfile:{}: {why}", at + 1)).next("write one `name: command` on each line"));
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') || line == "---" {
                continue;
            }
            let Some((name, command)) = line.split_once(':') else { return bad(format!("`{line}` has no `:`")) };
            let name = name.trim();
            if let Err(why) = check_name(name) {
                return bad(why);
            }
            let command = unquoted(command.trim());
            if command.is_empty() {
                return bad(format!("`{name}` has no command"));
            }
            if ["|", ">", "|-", ">-", "{", "["].contains(&command.as_str()) || command.contains('\0') {
                return bad(format!("the command of `{name}` must be plain text on the same line"));
            }
            if entries.insert(name.to_string(), command).is_some() {
                return bad(format!("`{name}` is there twice"));
            }
        }
        Ok(Procfile { entries })
    }

    /// The command of a process; the fault lists the names that there are.
    pub fn command(&self, name: &str) -> Result<&str> {
        self.entries.get(name).map(String::as_str).ok_or_else(|| {
            let known = if self.entries.is_empty() { "it is empty".to_string() } else { format!("it has {}", self.names()) };
            Fault::bad(format!("the Procfile has no `{name}`; {known}")).next("add the line to the Procfile, or change proc_name")
        })
    }

    /// The process names, with commas between.
    pub fn names(&self) -> String {
        self.entries.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// The file's text, one `name: command` a line.
    pub fn text(&self) -> String {
        self.entries.iter().map(|(name, command)| format!("{name}: {command}\n")).collect()
    }
}

/// A process name is letters, digits and `_`; a `-` would make the proc's name unreadable (velociraptor.md part 1, derived names).
fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the name is missing".into());
    }
    if name.contains('-') {
        return Err(format!("`{name}`: a `-` is not allowed, because `-` separates the parts of a proc's name"));
    }
    match name.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '_') {
        Some(c) => Err(format!("`{name}`: `{c}` is not allowed; a process name is letters, digits and `_`")),
        None => Ok(()),
    }
}

/// Takes the quotes off a value that stands in quotes as a whole; a shell command that merely begins or ends with one keeps them.
fn unquoted(command: &str) -> String {
    let inner = |quote: char| command.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    match (inner('\''), inner('"')) {
        (Some(text), _) if !text.replace("''", "").contains('\'') => text.replace("''", "'"),
        (_, Some(text)) if !text.replace("\\\"", "").contains('"') => text.replace("\\\"", "\"").replace("\\\\", "\\"),
        _ => command.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_entries_in_order() {
        let file = Procfile::parse(
            "# shop\nweb: python3 web.py --port=$PORT\n\nworker: 'sh -c \"a: b\"'\r\nquoted: \"echo \\\"hi\\\"\"\nmix: 'a' 'b'\n",
        )
        .unwrap();
        let entries: Vec<_> = file.entries.iter().map(|(name, command)| (name.as_str(), command.as_str())).collect();
        assert_eq!(
            entries,
            [("web", "python3 web.py --port=$PORT"), ("worker", "sh -c \"a: b\""), ("quoted", "echo \"hi\""), ("mix", "'a' 'b'")]
        );
        assert_eq!(file.command("web").unwrap(), "python3 web.py --port=$PORT");
        assert!(file.command("cron").unwrap_err().what.contains("web, worker, quoted, mix"));
        assert_eq!(Procfile::parse(&file.text()).unwrap().entries.keys().collect::<Vec<_>>(), file.entries.keys().collect::<Vec<_>>());
    }

    #[test]
    fn errors_name_the_line() {
        for (text, want) in [
            ("web: a\nno colon here", "Procfile:2"),
            ("web-1: a", "a `-` is not allowed"),
            ("we b: a", "Procfile:1"),
            ("web:", "has no command"),
            ("web: a\nweb: b", "Procfile:2: `web` is there twice"),
            ("web: |\n  a", "same line"),
        ] {
            let fault = Procfile::parse(text).unwrap_err();
            assert!(fault.what.contains(want), "{} does not say {want}", fault.what);
        }
    }
}
