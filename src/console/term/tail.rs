//! Esc waits for its tail: a sequence that a slow link splits after ESC becomes the key that it was, or nothing, never a verb.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::time::{Duration, Instant};

/// How long a bare Esc waits.
pub const LOCAL: Duration = Duration::from_millis(50);
/// How long it waits when the keyboard is behind SSH.
pub const REMOTE: Duration = Duration::from_millis(100);
/// A sequence that is longer than this is none.
const LONGEST: usize = 64;

/// What came out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    Key(KeyEvent),
    /// A paste whose opening bracket was split.
    Paste(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Held {
    Nothing,
    Esc,
    /// After `ESC [` or `ESC O`.
    Sequence(char, String),
    /// After a split `ESC [200~`: all that follows closely is text.
    Paste(String),
}

/// Holds an Esc back until its tail had time to come.
#[derive(Debug)]
pub struct Tail {
    wait: Duration,
    held: Held,
    since: Option<Instant>,
}

impl Tail {
    pub fn new(wait: Duration) -> Tail {
        Tail { wait, held: Held::Nothing, since: None }
    }

    /// When [`Tail::expire`] has something to say, if nothing comes before.
    pub fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + self.wait)
    }

    /// Takes a key as the terminal library read it.
    pub fn take(&mut self, key: KeyEvent, now: Instant) -> Vec<Typed> {
        let mut out = self.expire(now);
        let bare_esc = key.code == KeyCode::Esc && key.modifiers.is_empty();
        let letter = match key.code {
            KeyCode::Char(c) if key.modifiers.difference(KeyModifiers::SHIFT).is_empty() => Some(c),
            _ => None,
        };
        match (std::mem::replace(&mut self.held, Held::Nothing), letter) {
            (Held::Nothing, _) if bare_esc => self.hold(Held::Esc, now),
            (Held::Nothing, _) => out.push(Typed::Key(key)),
            (Held::Esc, Some(kind @ ('[' | 'O'))) => self.hold(Held::Sequence(kind, String::new()), now),
            // The split form of alt with a key.
            (Held::Esc, _) if !bare_esc => out.push(Typed::Key(KeyEvent::new(key.code, key.modifiers | KeyModifiers::ALT))),
            (Held::Esc, _) => {
                out.push(Typed::Key(esc()));
                self.hold(Held::Esc, now);
            }
            (Held::Sequence(kind, mut body), Some(c)) => {
                body.push(c);
                // X10 mouse reports have three bytes after their M.
                let mouse = kind == '[' && body.starts_with('M');
                let ended = if mouse { body.chars().count() == 4 } else { ('@'..='~').contains(&c) && !(kind == '[' && body == "[") };
                if kind == '[' && body == "200~" {
                    self.hold(Held::Paste(String::new()), now);
                } else if ended {
                    out.extend(decode(kind, &body).map(Typed::Key));
                } else if body.len() < LONGEST {
                    self.hold(Held::Sequence(kind, body), now);
                }
            }
            // Torn in a way that nobody can read.
            (Held::Sequence(..), None) if bare_esc => self.hold(Held::Esc, now),
            (Held::Sequence(..), None) => {}
            (Held::Paste(mut text), _) => {
                match key.code {
                    KeyCode::Char(c) => text.push(c),
                    KeyCode::Enter => text.push('\n'),
                    KeyCode::Tab => text.push('\t'),
                    _ => {}
                }
                self.hold(Held::Paste(text), now);
            }
        }
        out
    }

    /// What was held long enough.
    pub fn expire(&mut self, now: Instant) -> Vec<Typed> {
        if self.due().is_none_or(|due| now < due) {
            return Vec::new();
        }
        self.since = None;
        match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Esc => vec![Typed::Key(esc())],
            Held::Paste(text) => vec![Typed::Paste(text)],
            Held::Nothing | Held::Sequence(..) => Vec::new(),
        }
    }

    fn hold(&mut self, held: Held, now: Instant) {
        self.held = held;
        self.since = Some(now);
    }
}

fn esc() -> KeyEvent {
    KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)
}

/// The keys that a console knows; anything else is nothing.
fn decode(kind: char, body: &str) -> Option<KeyEvent> {
    // The Linux console's own function keys.
    if body.starts_with('[') {
        return None;
    }
    let last = body.chars().last()?;
    let mut numbers = body.trim_end_matches(last).split(';').map(|part| part.parse::<u8>().ok());
    let (first, held) = (numbers.next().flatten(), numbers.next().flatten());
    let code = match last {
        'A' => KeyCode::Up,
        'B' => KeyCode::Down,
        'C' => KeyCode::Right,
        'D' => KeyCode::Left,
        'H' => KeyCode::Home,
        'F' => KeyCode::End,
        'Z' if kind == '[' => KeyCode::BackTab,
        'P' if kind == 'O' => KeyCode::F(1),
        '~' => match first? {
            1 | 7 => KeyCode::Home,
            4 | 8 => KeyCode::End,
            3 => KeyCode::Delete,
            5 => KeyCode::PageUp,
            6 => KeyCode::PageDown,
            11 => KeyCode::F(1),
            _ => return None,
        },
        _ => return None,
    };
    let bits = held.unwrap_or(1).saturating_sub(1);
    let mut modifiers = KeyModifiers::NONE;
    for (bit, modifier) in [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL)] {
        if bits & bit != 0 {
            modifiers |= modifier;
        }
    }
    Some(KeyEvent::new(code, modifiers))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Esc, then the text as keys that came one by one, then silence.
    fn split(text: &str) -> Vec<Typed> {
        let start = Instant::now();
        let mut tail = Tail::new(LOCAL);
        let mut out = tail.take(esc(), start);
        assert!(out.is_empty(), "it waits");
        for (number, c) in text.chars().enumerate() {
            let now = start + Duration::from_millis(20 * (number as u64 + 1));
            out.extend(tail.take(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE), now));
        }
        out.extend(tail.expire(start + Duration::from_secs(5)));
        out
    }
    fn key(code: KeyCode) -> Vec<Typed> {
        vec![Typed::Key(KeyEvent::new(code, KeyModifiers::NONE))]
    }

    #[test]
    fn split_sequences_are_the_keys_that_they_were_or_nothing() {
        assert_eq!(split(""), key(KeyCode::Esc));
        for (text, code) in [
            ("[A", KeyCode::Up),
            ("OB", KeyCode::Down),
            ("[6~", KeyCode::PageDown),
            ("[Z", KeyCode::BackTab),
            ("[1~", KeyCode::Home),
            ("OP", KeyCode::F(1)),
        ] {
            assert_eq!(split(text), key(code), "{text}");
        }
        assert_eq!(split("[1;5D"), [Typed::Key(KeyEvent::new(KeyCode::Left, KeyModifiers::CONTROL))]);
        for nothing in ["[M yy", "[<0;12;9M", "[24~", "[?1;2c", "[9", "[I", "[", "[[A"] {
            assert_eq!(split(nothing), [], "{nothing}");
        }
        assert_eq!(split("y"), [Typed::Key(KeyEvent::new(KeyCode::Char('y'), KeyModifiers::ALT))], "alt-y is no y");
        assert_eq!(split("[200~.!y"), [Typed::Paste(".!y".into())], "a torn paste is a paste");
    }

    #[test]
    fn a_key_after_the_wait_is_a_key_of_its_own() {
        let start = Instant::now();
        let mut tail = Tail::new(LOCAL);
        tail.take(esc(), start);
        let y = KeyEvent::new(KeyCode::Char('['), KeyModifiers::NONE);
        assert_eq!(tail.take(y, start + LOCAL), [Typed::Key(esc()), Typed::Key(y)]);
        assert_eq!(tail.due(), None);
        tail.take(esc(), start);
        assert_eq!(tail.take(esc(), start), key(KeyCode::Esc), "twice is two");
        assert_eq!(tail.expire(start + LOCAL), key(KeyCode::Esc));
    }
}
