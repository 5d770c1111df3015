//! The `/` filter: words that must all hold; `text`, `!x`, `~x` (fuzzy), `state:fatal`, `host:web*`.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// What a filter asks about a row.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Everything that the row shows.
    pub text: String,
    pub state: String,
    pub host: String,
}

enum Word {
    Text(String),
    Fuzzy(Box<Pattern>),
    State(String),
    Host(String),
}

/// A filter, ready to ask.
pub struct Filter {
    /// Each with whether it must not hold.
    words: Vec<(bool, Word)>,
    matcher: Matcher,
}

impl Filter {
    pub fn new(written: &str) -> Filter {
        let words = written
            .split_whitespace()
            .filter_map(|word| {
                let (not, word) = word.strip_prefix('!').map_or((false, word), |rest| (true, rest));
                let lower = word.to_lowercase();
                let word = if let Some(rest) = lower.strip_prefix('~') {
                    (!rest.is_empty()).then(|| Word::Fuzzy(Box::new(Pattern::parse(rest, CaseMatching::Ignore, Normalization::Smart))))
                } else if let Some(rest) = lower.strip_prefix("state:") {
                    (!rest.is_empty()).then(|| Word::State(rest.to_string()))
                } else if let Some(rest) = lower.strip_prefix("host:") {
                    (!rest.is_empty()).then(|| Word::Host(rest.to_string()))
                } else {
                    (!lower.is_empty()).then_some(Word::Text(lower))
                };
                word.map(|word| (not, word))
            })
            .collect();
        Filter { words, matcher: Matcher::new(Config::DEFAULT) }
    }

    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether the row stays.
    pub fn keeps(&mut self, facts: &Facts) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let text = facts.text.to_lowercase();
        let matcher = &mut self.matcher;
        self.words.iter().all(|(not, word)| {
            let holds = match word {
                Word::Text(wanted) => text.contains(wanted.as_str()),
                Word::State(wanted) => glob(wanted, &facts.state.to_lowercase()),
                Word::Host(wanted) => glob(wanted, &facts.host.to_lowercase()),
                Word::Fuzzy(pattern) => pattern.score(Utf32Str::new(&text, &mut Vec::new()), matcher).is_some(),
            };
            holds != *not
        })
    }
}

/// `*` stands for any text; without one the pattern is a beginning.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return true };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_must_all_hold() {
        let facts = Facts { text: "shop-prod-web web01 5001 FATAL v5.3.0".into(), state: "FATAL".into(), host: "web01".into() };
        for (written, kept) in [
            ("", true),
            ("shop", true),
            ("SHOP fatal", true),
            ("shop blog", false),
            ("!blog", true),
            ("!shop", false),
            ("state:fatal", true),
            ("state:run", false),
            ("!state:fatal", false),
            ("host:web*", true),
            ("host:*01", true),
            ("host:db*", false),
            ("~shpweb", true),
            ("~zzz", false),
            ("state: ! ~", true),
        ] {
            assert_eq!(Filter::new(written).keeps(&facts), kept, "{written}");
        }
    }
}
