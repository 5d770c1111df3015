//! The `/` filter: words that must all hold; `text`, `!x`, `~x` (fuzzy), `state:fatal`, `host:web*`, `since:2h`.

use crate::model::times::Times;
use crate::model::units::moment;
use jiff::tz::TimeZone;

/// What a filter may ask about a row, beside its text.
#[derive(Debug, Clone, Default)]
pub struct About {
    pub state: String,
    /// Names, with blanks between.
    pub host: String,
    pub app: String,
    pub squad: String,
    pub swarm: String,
    pub version: String,
    pub who: String,
    /// The type: a verb, an event's kind.
    pub kind: String,
    /// ms since the epoch; 0 has no time.
    pub at_ms: i64,
}

impl About {
    /// With the text that the row shows, in small letters.
    pub fn facts<'a>(&'a self, text: &'a str) -> Facts<'a> {
        Facts {
            text,
            state: &self.state,
            host: &self.host,
            app: &self.app,
            squad: &self.squad,
            swarm: &self.swarm,
            version: &self.version,
            who: &self.who,
            kind: &self.kind,
            at_ms: self.at_ms,
        }
    }
}

/// [`About`] borrowed, with the row's text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// Everything that the row shows, in small letters.
    pub text: &'a str,
    pub state: &'a str,
    pub host: &'a str,
    pub app: &'a str,
    pub squad: &'a str,
    pub swarm: &'a str,
    pub version: &'a str,
    pub who: &'a str,
    pub kind: &'a str,
    pub at_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    State,
    Host,
    App,
    Squad,
    Swarm,
    Version,
    Who,
    Kind,
}

/// The words before the colon, as the help says them.
const FIELDS: [(&str, Field); 11] = [
    ("state", Field::State),
    ("host", Field::Host),
    ("app", Field::App),
    ("squad", Field::Squad),
    ("swarm", Field::Swarm),
    ("version", Field::Version),
    ("user", Field::Who),
    ("who", Field::Who),
    ("type", Field::Kind),
    ("verb", Field::Kind),
    ("kind", Field::Kind),
];

enum Word {
    Text(String),
    /// Its letters in this order, with anything between.
    Fuzzy(String),
    Field(Field, String),
    /// ms since the epoch.
    Since(i64),
    Until(i64),
}

/// A filter, ready to ask.
pub struct Filter {
    /// Each with whether it must not hold.
    words: Vec<(bool, Word)>,
    small: String,
}

impl Filter {
    /// Reads what was written; what is not finished yet asks nothing.
    pub fn new(written: &str, now_ms: i64, times: &Times) -> Filter {
        let words = written
            .split_whitespace()
            .filter_map(|word| {
                let (not, word) = word.strip_prefix('!').map_or((false, word), |rest| (true, rest));
                read(&word.to_lowercase(), now_ms, times.zone()).map(|word| (not, word))
            })
            .collect();
        Filter { words, small: String::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether it asks for the text of a row.
    pub fn needs_text(&self) -> bool {
        self.words.iter().any(|(_, word)| matches!(word, Word::Text(_) | Word::Fuzzy(_)))
    }

    /// Whether it asks for more of a row than its text.
    pub fn needs_facts(&self) -> bool {
        self.words.iter().any(|(_, word)| !matches!(word, Word::Text(_) | Word::Fuzzy(_)))
    }

    /// Whether the row stays.
    pub fn keeps(&mut self, facts: &Facts<'_>) -> bool {
        let small = &mut self.small;
        self.words.iter().all(|(not, word)| {
            let holds = match word {
                Word::Text(wanted) => facts.text.contains(wanted.as_str()),
                Word::Fuzzy(letters) => in_order(letters, facts.text),
                Word::Field(field, wanted) => {
                    let value = facts.field(*field);
                    small.clear();
                    small.push_str(value);
                    small.make_ascii_lowercase();
                    glob(wanted, small) || (*field != Field::State && small.split(' ').any(|one| glob(wanted, one)))
                }
                Word::Since(at) => facts.at_ms >= *at,
                Word::Until(at) => facts.at_ms < *at,
            };
            holds != *not
        })
    }

    /// What of it the audit can be asked for: type, user, app, dates and text.
    pub fn wanted(&self) -> crate::deck::past::AuditWanted {
        let mut wanted = crate::deck::past::AuditWanted::default();
        for (_, word) in self.words.iter().filter(|(not, _)| !not) {
            match word {
                Word::Text(text) => wanted.text.push(text.clone()),
                Word::Field(Field::Who, who) => wanted.who.clone_from(who),
                Word::Field(Field::Kind, verb) => wanted.verb.clone_from(verb),
                Word::Field(Field::App, app) => wanted.app.clone_from(app),
                Word::Since(at) => wanted.since_ms = *at,
                Word::Until(at) => wanted.until_ms = *at,
                // What it is about is among the words of a line.
                Word::Field(Field::Host | Field::Swarm, name) => wanted.text.push(name.trim_matches('*').to_string()),
                Word::Field(..) | Word::Fuzzy(_) => {}
            }
        }
        wanted
    }
}

impl<'a> Facts<'a> {
    fn field(&self, field: Field) -> &'a str {
        match field {
            Field::State => self.state,
            Field::Host => self.host,
            Field::App => self.app,
            Field::Squad => self.squad,
            Field::Swarm => self.swarm,
            Field::Version => self.version,
            Field::Who => self.who,
            Field::Kind => self.kind,
        }
    }
}

fn read(word: &str, now_ms: i64, zone: &TimeZone) -> Option<Word> {
    if let Some(rest) = word.strip_prefix('~') {
        return (!rest.is_empty()).then(|| Word::Fuzzy(rest.to_string()));
    }
    if let Some((name, value)) = word.split_once(':') {
        if let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == name) {
            return (!value.is_empty()).then(|| Word::Field(*field, value.to_string()));
        }
        match name {
            "since" => return moment(now_ms, value, zone).or_else(|| moment(now_ms, &value.to_uppercase(), zone)).map(Word::Since),
            "until" => return moment(now_ms, value, zone).or_else(|| moment(now_ms, &value.to_uppercase(), zone)).map(Word::Until),
            _ => {}
        }
    }
    (!word.is_empty()).then(|| Word::Text(word.to_string()))
}

/// Whether all letters come in the text, one after the other.
fn in_order(letters: &str, text: &str) -> bool {
    let mut chars = text.chars();
    letters.chars().all(|letter| chars.any(|c| c == letter))
}

/// `*` stands for any text; without one the pattern is a beginning.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(mut last) = parts.next() else { return true };
    for part in parts {
        let Some(at) = rest.find(last) else { return false };
        rest = rest.get(at + last.len()..).unwrap_or_default();
        last = part;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_must_all_hold() {
        let about = About {
            state: "FATAL".into(),
            host: "web01 web02".into(),
            app: "shop".into(),
            squad: "web".into(),
            swarm: "shop-prod-web".into(),
            version: "v5.3.0".into(),
            who: "op1".into(),
            kind: "dispatch".into(),
            at_ms: 1_000_000,
        };
        let facts = about.facts("shop-prod-web web01 5001 fatal v5.3.0");
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
            ("host:*02", true),
            ("host:w*b*2", true),
            ("host:db*", false),
            ("app:shop squad:web", true),
            ("app:blog", false),
            ("version:v5 swarm:*web", true),
            ("user:op1 type:disp", true),
            ("user:op2", false),
            ("since:10m", true),
            ("since:1s", false),
            ("until:1s", true),
            ("!since:10m", false),
            ("since:yesterdayish until:", true),
            ("~shpweb", true),
            ("~zzz", false),
            ("state: ! ~", true),
        ] {
            assert_eq!(Filter::new(written, 1_100_000, &Times::default()).keeps(&facts), kept, "{written}");
        }
    }

    #[test]
    fn the_audit_is_asked_for_what_the_filter_says() {
        let wanted = Filter::new("type:edit user:op1 app:shop since:10m OPS-880 !x state:y", 1_000_000, &Times::default()).wanted();
        assert_eq!((wanted.verb.as_str(), wanted.who.as_str(), wanted.app.as_str()), ("edit", "op1", "shop"));
        assert_eq!((wanted.since_ms, wanted.until_ms, wanted.text), (400_000, 0, vec!["ops-880".to_string()]));
    }
}
