//! Tables of signs: a pattern that a line shows, the sentence it means, and what to do.

use regex::Regex;
use std::sync::OnceLock;

/// A pattern, and what a line that it matches means. `{}` in the texts is the first group of the pattern that took part.
pub struct Sign {
    pub id: &'static str,
    pub pattern: &'static str,
    pub sentence: &'static str,
    pub next: &'static str,
}

/// A table of signs, its patterns compiled once.
pub struct Signs {
    pub table: &'static [Sign],
    compiled: OnceLock<Vec<Option<Regex>>>,
}

/// A sign that some line shows.
pub struct Shown {
    pub sign: &'static Sign,
    pub sentence: String,
    pub next: String,
    /// Which line.
    pub line: usize,
}

impl Signs {
    pub const fn new(table: &'static [Sign]) -> Signs {
        Signs { table, compiled: OnceLock::new() }
    }

    fn patterns(&self) -> &[Option<Regex>] {
        // One that does not compile matches nothing; a test excludes that.
        self.compiled.get_or_init(|| self.table.iter().map(|sign| Regex::new(sign.pattern).ok()).collect())
    }

    /// Whether every pattern compiles.
    #[cfg(test)]
    pub fn are_well_formed(&self) -> bool {
        self.patterns().iter().all(Option::is_some)
    }

    /// Each sign that a line shows, by the last such line. A line shows the first sign of the table that matches it.
    pub fn shown_by(&self, lines: &[String]) -> Vec<Shown> {
        let mut found: Vec<Shown> = Vec::new();
        for (n, line) in lines.iter().enumerate().rev() {
            let hit = self.table.iter().zip(self.patterns()).find_map(|(sign, pattern)| Some((sign, pattern.as_ref()?.captures(line)?)));
            let Some((sign, captures)) = hit else { continue };
            if found.iter().any(|known| known.sign.id == sign.id) {
                continue;
            }
            let group = captures.iter().skip(1).flatten().map(|group| group.as_str()).find(|text| !text.is_empty());
            found.push(Shown { sign, sentence: filled(sign.sentence, group), next: filled(sign.next, group), line: n });
        }
        found
    }
}

/// `{}` filled in; without anything to fill in, what leads to it goes too.
fn filled(text: &str, with: Option<&str>) -> String {
    match with {
        Some(with) => text.replace("{}", with),
        None => [": {}", " ({})", " {}", "{}"].iter().fold(text.to_string(), |text, hole| text.replace(hole, "")),
    }
}
