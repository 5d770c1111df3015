//! What is typed, from the bytes that the terminal sends: keys, pastes, the mouse, its answers. A sequence that a slow link splits becomes the
//! key that it was, or nothing, never a verb. Pure: the clock is passed in.

use crate::console::msg::Mouse;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::time::{Duration, Instant};

/// How long a bare Esc waits for its tail.
pub const LOCAL: Duration = Duration::from_millis(50);
/// How long it waits when the keyboard is behind SSH.
pub const REMOTE: Duration = Duration::from_millis(100);
/// How long the rest of a sequence is waited for: nobody types its beginning.
const REST: Duration = Duration::from_millis(500);
/// How long the rest of a paste is waited for.
const PASTE: Duration = Duration::from_secs(2);
/// A sequence that is longer than this is none.
const LONGEST: usize = 4096;
/// Of a paste so much is kept, in bytes.
const PASTE_KEPT: usize = 4 << 20;
const PASTE_END: &[u8] = b"\x1b[201~";

/// One thing that was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    Key(KeyEvent),
    Paste(String),
    Mouse {
        mouse: Mouse,
        x: u16,
        y: u16,
    },
    /// The terminal's answer to a status query.
    Answer,
}

/// Takes bytes, gives what they mean.
#[derive(Debug)]
pub struct Parser {
    wait: Duration,
    /// What is not understood yet.
    held: Vec<u8>,
    pasting: bool,
    /// When the last byte came that is held.
    since: Option<Instant>,
}

enum Step {
    /// The rest must come first.
    More,
    /// So many bytes are this, or nothing.
    Took(usize, Option<Typed>),
    PasteBegins(usize),
}

impl Parser {
    pub fn new(wait: Duration) -> Parser {
        Parser { wait, held: Vec::new(), pasting: false, since: None }
    }

    /// When [`Parser::expire`] has something to say, if nothing comes before.
    pub fn due(&self) -> Option<Instant> {
        let wait = match self.held.as_slice() {
            _ if self.pasting => PASTE,
            b"\x1b" => self.wait,
            _ => REST,
        };
        self.since.map(|since| since + wait)
    }

    /// Takes what came.
    pub fn feed(&mut self, bytes: &[u8], now: Instant) -> Vec<Typed> {
        let mut out = self.expire(now);
        self.held.extend_from_slice(bytes);
        while !self.held.is_empty() {
            if self.pasting {
                match find(&self.held, PASTE_END) {
                    Some(at) => {
                        let text = self.held.get(..at).unwrap_or_default();
                        out.push(pasted(text));
                        self.held.drain(..at + PASTE_END.len());
                        self.pasting = false;
                        continue;
                    }
                    None => {
                        if self.held.len() > PASTE_KEPT {
                            let end = self.held.split_off(self.held.len() - PASTE_END.len());
                            self.held.truncate(PASTE_KEPT - PASTE_END.len());
                            self.held.extend(end);
                        }
                        break;
                    }
                }
            }
            match step(&self.held) {
                Step::More if self.held.len() < LONGEST => break,
                Step::More => self.held.clear(),
                Step::Took(bytes, typed) => {
                    self.held.drain(..bytes);
                    out.extend(typed);
                }
                Step::PasteBegins(bytes) => {
                    self.held.drain(..bytes);
                    self.pasting = true;
                }
            }
        }
        self.since = (self.pasting || !self.held.is_empty()).then_some(now);
        out
    }

    /// What was held long enough.
    pub fn expire(&mut self, now: Instant) -> Vec<Typed> {
        if self.due().is_none_or(|due| now < due) {
            return Vec::new();
        }
        self.since = None;
        let held = std::mem::take(&mut self.held);
        if std::mem::take(&mut self.pasting) {
            return vec![pasted(&held)];
        }
        if held == b"\x1b" { vec![Typed::Key(key(KeyCode::Esc))] } else { Vec::new() }
    }
}

fn pasted(bytes: &[u8]) -> Typed {
    // Terminals send a line's end as the key does.
    Typed::Paste(String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n"))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn key(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

/// What stands at the front.
fn step(bytes: &[u8]) -> Step {
    match bytes {
        [] | [0x1b] => Step::More,
        [0x1b, 0x1b, ..] => Step::Took(1, Some(Typed::Key(key(KeyCode::Esc)))),
        [0x1b, b'[', rest @ ..] => control_sequence(rest),
        [0x1b, b'O'] => Step::More,
        [0x1b, b'O', 0x1b, ..] => Step::Took(2, None),
        [0x1b, b'O', last, ..] => Step::Took(3, named(*last, &[]).map(Typed::Key)),
        // Answers as long texts: nothing asks for them.
        [0x1b, b'P' | b']' | b'_' | b'^' | b'X', rest @ ..] => {
            let bell = rest.iter().position(|byte| *byte == 0x07).map(|at| at + 1);
            let end = find(rest, b"\x1b\\").map(|at| at + 2);
            match (bell, end) {
                (None, None) => Step::More,
                (Some(at), None) | (None, Some(at)) => Step::Took(at + 2, None),
                (Some(one), Some(other)) => Step::Took(one.min(other) + 2, None),
            }
        }
        [0x1b, rest @ ..] => match character(rest) {
            Step::Took(bytes, typed) => {
                let with_alt = typed.map(|typed| match typed {
                    Typed::Key(key) => Typed::Key(KeyEvent::new(key.code, key.modifiers | KeyModifiers::ALT)),
                    other => other,
                });
                Step::Took(bytes + 1, with_alt)
            }
            other => other,
        },
        _ => character(bytes),
    }
}

/// A character, or a key with ctrl, by its byte.
fn character(bytes: &[u8]) -> Step {
    let Some(first) = bytes.first().copied() else { return Step::More };
    let control = |c: char| KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
    let event = match first {
        b'\r' => key(KeyCode::Enter),
        b'\t' => key(KeyCode::Tab),
        0x7f => key(KeyCode::Backspace),
        0 => control(' '),
        0x01..=0x1a => control(char::from(first - 1 + b'a')),
        0x1c..=0x1f => control(char::from(first - 0x1c + b'4')),
        0x20..=0x7e => plain(char::from(first)),
        _ => {
            let long = match first {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf4 => 4,
                _ => return Step::Took(1, None),
            };
            let Some(letter) = bytes.get(..long) else {
                let torn = bytes.iter().skip(1).any(|byte| !(0x80..0xc0).contains(byte));
                return if torn { Step::Took(1, None) } else { Step::More };
            };
            let letter = std::str::from_utf8(letter).ok().and_then(|text| text.chars().next());
            return match letter {
                Some(c) => Step::Took(long, Some(Typed::Key(plain(c)))),
                None => Step::Took(1, None),
            };
        }
    };
    Step::Took(1, Some(Typed::Key(event)))
}

fn plain(c: char) -> KeyEvent {
    KeyEvent::new(KeyCode::Char(c), if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE })
}

/// After `ESC [`.
fn control_sequence(rest: &[u8]) -> Step {
    match rest {
        [] | [b'['] => return Step::More,
        // The Linux console's own function keys.
        [b'[', _, ..] => return Step::Took(4, None),
        // X10 mouse reports have three bytes after their M; we ask for others.
        [b'M', ..] => return if rest.len() < 4 { Step::More } else { Step::Took(6, None) },
        _ => {}
    }
    let Some(end) = rest.iter().position(|byte| !(0x20..=0x3f).contains(byte)) else { return Step::More };
    let (body, last) = (rest.get(..end).unwrap_or_default(), rest.get(end).copied().unwrap_or_default());
    // Torn by another sequence or a control byte: that one counts by itself.
    if !(0x40..=0x7e).contains(&last) {
        return Step::Took(end + 2, None);
    }
    let took = end + 3;
    let text = std::str::from_utf8(body).unwrap_or_default();
    let numbers: Vec<u32> = text
        .trim_start_matches('<')
        .split(';')
        .map(|part| part.split(':').next().and_then(|part| part.parse().ok()).unwrap_or(0))
        .collect();
    let typed = match (last, text) {
        (b'~', "200") => return Step::PasteBegins(took),
        (b'n', "0" | "3") => Some(Typed::Answer),
        (b'M' | b'm', text) if text.starts_with('<') => mouse(last == b'M', &numbers),
        // xterm's and kitty's way to write any key.
        (b'~', text) if text.starts_with("27;") => written(&numbers, 2, 1),
        (b'u', _) => written(&numbers, 0, 1),
        (_, text) if text.starts_with(|c: char| !c.is_ascii_digit()) => None,
        _ => named(last, &numbers).map(Typed::Key),
    };
    Step::Took(took, typed)
}

fn mouse(pressed: bool, numbers: &[u32]) -> Option<Typed> {
    let [button, x, y] = numbers else { return None };
    let mouse = match button {
        0 if pressed => Mouse::Click,
        64 => Mouse::WheelUp,
        65 => Mouse::WheelDown,
        _ => return None,
    };
    let place = |number: &u32| u16::try_from(*number).ok()?.checked_sub(1);
    Some(Typed::Mouse { mouse, x: place(x)?, y: place(y)? })
}

fn modifiers(number: u32) -> KeyModifiers {
    let bits = number.saturating_sub(1);
    let mut modifiers = KeyModifiers::NONE;
    for (bit, modifier) in [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL)] {
        if bits & bit != 0 {
            modifiers |= modifier;
        }
    }
    modifiers
}

/// A key written by its character's number.
fn written(numbers: &[u32], code: usize, held: usize) -> Option<Typed> {
    let c = char::from_u32(*numbers.get(code)?)?;
    let code = match c {
        '\r' => KeyCode::Enter,
        '\t' => KeyCode::Tab,
        '\x1b' => KeyCode::Esc,
        '\x7f' => KeyCode::Backspace,
        c if c.is_control() => return None,
        c => KeyCode::Char(c),
    };
    Some(Typed::Key(KeyEvent::new(code, modifiers(numbers.get(held).copied().unwrap_or(1)))))
}

/// A key that has a name, by the last byte of its sequence and the numbers before it.
fn named(last: u8, numbers: &[u32]) -> Option<KeyEvent> {
    let function = |first: u32, number: u32, from: u8| KeyCode::F(from + u8::try_from(number - first).unwrap_or(0));
    let code = match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'H' => KeyCode::Home,
        b'F' => KeyCode::End,
        b'Z' => KeyCode::BackTab,
        // With another number it says where the cursor is.
        b'P'..=b'S' if numbers.first().is_none_or(|number| *number <= 1) => KeyCode::F(last - b'P' + 1),
        b'~' => match *numbers.first()? {
            1 | 7 => KeyCode::Home,
            2 => KeyCode::Insert,
            3 => KeyCode::Delete,
            4 | 8 => KeyCode::End,
            5 => KeyCode::PageUp,
            6 => KeyCode::PageDown,
            number @ 11..=15 => function(11, number, 1),
            number @ 17..=21 => function(17, number, 6),
            number @ 23..=24 => function(23, number, 11),
            _ => return None,
        },
        _ => return None,
    };
    let held = if code == KeyCode::BackTab { KeyModifiers::SHIFT } else { modifiers(numbers.get(1).copied().unwrap_or(1)) };
    Some(KeyEvent::new(code, held))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Esc, then the bytes one by one as a slow line brings them, then silence.
    fn split(text: &str) -> Vec<Typed> {
        let start = Instant::now();
        let mut parser = Parser::new(LOCAL);
        let mut out = parser.feed(b"\x1b", start);
        assert!(out.is_empty(), "it waits");
        for (number, byte) in text.bytes().enumerate() {
            out.extend(parser.feed(&[byte], start + Duration::from_millis(20 * (number as u64 + 1))));
        }
        out.extend(parser.expire(start + Duration::from_secs(9)));
        assert_eq!(parser.due(), None);
        out
    }
    fn keyed(code: KeyCode) -> Vec<Typed> {
        vec![Typed::Key(key(code))]
    }

    #[test]
    fn split_sequences_are_the_keys_that_they_were_or_nothing() {
        assert_eq!(split(""), keyed(KeyCode::Esc));
        for (text, code) in [
            ("[A", KeyCode::Up),
            ("OB", KeyCode::Down),
            ("[6~", KeyCode::PageDown),
            ("[1~", KeyCode::Home),
            ("OP", KeyCode::F(1)),
            ("[15~", KeyCode::F(5)),
            ("[24~", KeyCode::F(12)),
            ("[27;1;13~", KeyCode::Enter),
        ] {
            assert_eq!(split(text), keyed(code), "{text}");
        }
        assert_eq!(split("[Z"), [Typed::Key(KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT))]);
        assert_eq!(split("[1;5D"), [Typed::Key(KeyEvent::new(KeyCode::Left, KeyModifiers::CONTROL))]);
        assert_eq!(split("[99;5u"), [Typed::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL))]);
        for nothing in ["[M yy", "[<0;12;9m", "[?1;2c", "[9", "[I", "[", "[[A", "O", "]52;c;eQ==\x07", "P1$r0m\x1b\\", "[201~", "[12;3R"] {
            assert_eq!(split(nothing), [], "{nothing}");
        }
        assert_eq!(split("[0n"), [Typed::Answer]);
        assert_eq!(split("[<0;12;9M"), [Typed::Mouse { mouse: Mouse::Click, x: 11, y: 8 }]);
        assert_eq!(split("[<65;1;1M"), [Typed::Mouse { mouse: Mouse::WheelDown, x: 0, y: 0 }]);
        assert_eq!(split("y"), [Typed::Key(KeyEvent::new(KeyCode::Char('y'), KeyModifiers::ALT))], "alt-y is no y");
        assert_eq!(split("[200~.!y\r\x1b[201~"), [Typed::Paste(".!y\n".into())]);
        assert_eq!(split("[200~.!y"), [Typed::Paste(".!y".into())], "a torn paste is a paste");
    }

    #[test]
    fn a_key_after_the_wait_is_a_key_of_its_own() {
        let start = Instant::now();
        let mut parser = Parser::new(LOCAL);
        parser.feed(b"\x1b", start);
        let bracket = Typed::Key(key(KeyCode::Char('[')));
        assert_eq!(parser.feed(b"[", start + LOCAL), [Typed::Key(key(KeyCode::Esc)), bracket]);
        assert_eq!(parser.due(), None);
        parser.feed(b"\x1b", start);
        assert_eq!(parser.feed(b"\x1b", start), keyed(KeyCode::Esc), "twice is two");
        assert_eq!(parser.expire(start + LOCAL), keyed(KeyCode::Esc));
    }

    #[test]
    fn characters_and_keys_with_ctrl() {
        let mut parser = Parser::new(LOCAL);
        let now = Instant::now();
        let all = parser.feed("aÖ日\r\t\x7f\x03\x1a\x08\x00".as_bytes(), now);
        let control = |c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
        let wanted = [
            key(KeyCode::Char('a')),
            KeyEvent::new(KeyCode::Char('Ö'), KeyModifiers::SHIFT),
            key(KeyCode::Char('日')),
            key(KeyCode::Enter),
            key(KeyCode::Tab),
            key(KeyCode::Backspace),
            control('c'),
            control('z'),
            control('h'),
            control(' '),
        ];
        assert_eq!(all, wanted.map(Typed::Key));
        assert_eq!(parser.feed(b"\xe6\x97", now), []);
        assert_eq!(parser.feed(b"\xa5\xff\xc3x", now), [Typed::Key(key(KeyCode::Char('日'))), Typed::Key(key(KeyCode::Char('x')))]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn however_the_bytes_are_cut_they_mean_the_same(
            parts in prop::collection::vec(
                prop::sample::select(vec!["j", "\x1b[A", "\x1bOB", "\x1b[200~y\ny\x1b[201~", "\x1b[0n", "日", "\x1b[<64;3;4M", "\x1b[5~", "\r", "\x1bx"]), 0..20),
            cuts in prop::collection::vec(1usize..5, 1..40),
        ) {
            let bytes: Vec<u8> = parts.concat().into_bytes();
            let now = Instant::now();
            let whole = Parser::new(LOCAL).feed(&bytes, now);
            let (mut parser, mut rest, mut cut) = (Parser::new(LOCAL), bytes.as_slice(), Vec::new());
            for size in cuts.iter().cycle() {
                let (piece, after) = rest.split_at((*size).min(rest.len()));
                cut.extend(parser.feed(piece, now));
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(whole, cut);
        }
        #[test]
        fn no_bytes_are_too_wild(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut parser = Parser::new(LOCAL);
            let now = Instant::now();
            parser.feed(&bytes, now);
            parser.expire(now + Duration::from_secs(9));
            prop_assert_eq!(parser.feed(b"j", now + Duration::from_secs(9)), keyed(KeyCode::Char('j')));
        }
    }
}
