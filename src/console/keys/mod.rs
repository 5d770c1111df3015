//! The keymap as data: what every key does where, and its name for the footer and the help; a user may have keys of his own.

mod default;
mod map;
mod name;
mod own;

pub use default::{Action, BINDINGS, Binding, Where};
pub use map::{Bound, Keymap};
pub use name::{format_key, parse_key};
pub use own::{load, read};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What pressing a key meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressed {
    Action(Action),
    /// The first key of a chord.
    Begins,
    Nothing,
}

/// Terminals differ in whether SHIFT is reported with a capital or a symbol, and in what BackTab carries.
pub fn normal(key: KeyEvent) -> KeyEvent {
    let mut modifiers = key.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
    if matches!(key.code, KeyCode::Char(_) | KeyCode::BackTab) {
        modifiers -= KeyModifiers::SHIFT;
    }
    KeyEvent::new(key.code, modifiers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_key_parses_and_no_two_bindings_of_a_place_clash() {
        let mut seen: BTreeMap<(String, &str), Action> = BTreeMap::new();
        for binding in BINDINGS {
            assert!(!binding.keys.is_empty() && !binding.title.is_empty(), "{:?}", binding.action);
            for written in binding.keys {
                for part in written.split(' ') {
                    let key = parse_key(part).unwrap_or_else(|| panic!("{written} does not parse"));
                    assert_eq!(format_key(key), part, "written in its one form");
                }
                if let Some(other) = seen.insert((format!("{:?}", binding.place), written), binding.action) {
                    panic!("{written} in {:?} is both {other:?} and {:?}", binding.place, binding.action);
                }
                if let Some((first, _)) = written.split_once(' ') {
                    assert!(!seen.contains_key(&(format!("{:?}", binding.place), first)), "{first} alone hides {written}");
                }
            }
        }
    }

    #[test]
    fn nothing_that_acts_is_on_the_tail_of_an_escape_sequence_or_a_prefix_key() {
        for binding in BINDINGS.iter().filter(|binding| binding.action.acts()) {
            for written in binding.keys {
                let key = parse_key(written.split(' ').next().unwrap()).unwrap();
                if let KeyCode::Char(c) = key.code {
                    assert!(own::never(KeyEvent::new(KeyCode::Char(c), key.modifiers)).is_none(), "{written}");
                }
            }
        }
        for verb in crate::deck::verbs::VERBS.iter().filter_map(|verb| verb.letter()) {
            assert!(!verb.is_ascii_uppercase() && !"[O~".contains(verb), "{verb}");
        }
    }

    #[test]
    fn chords() {
        let g = parse_key("g").unwrap();
        let keys = Keymap::default();
        let action = |places: &[Where], pending, key| keys.action(places, pending, key);
        assert_eq!(action(&[Where::Table], None, g), Pressed::Begins);
        assert_eq!(action(&[Where::Table], Some(g), g), Pressed::Action(Action::Top));
        assert_eq!(action(&[Where::Table], Some(g), parse_key("x").unwrap()), Pressed::Nothing);
        let shifted = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT);
        assert_eq!(action(&[Where::Table], None, shifted), Pressed::Action(Action::Bottom));
    }
}
