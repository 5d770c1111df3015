//! The keymap as data: what every key does where, and its name for the footer and the help.

mod default;
mod name;

pub use default::{Action, BINDINGS, Binding, Where};
pub use name::{format_key, parse_key};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key means, if anything, in a place; places are asked from the innermost to the outermost.
pub fn action(places: &[Where], pending: Option<KeyEvent>, key: KeyEvent) -> Pressed {
    let key = normal(key);
    for place in places {
        for binding in BINDINGS.iter().filter(|binding| binding.place == *place) {
            for written in binding.keys {
                let mut chord = written.split(' ').filter_map(parse_key);
                let (first, second) = (chord.next(), chord.next());
                match (first, second, pending) {
                    (Some(only), None, None) if only == key => return Pressed::Action(binding.action),
                    (Some(first), Some(second), Some(before)) if first == normal(before) && second == key => {
                        return Pressed::Action(binding.action);
                    }
                    (Some(first), Some(_), None) if first == key => return Pressed::Begins,
                    _ => {}
                }
            }
        }
    }
    Pressed::Nothing
}

/// What pressing a key meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressed {
    Action(Action),
    /// The first key of a chord.
    Begins,
    Nothing,
}

/// The first key of an action as the footer shows it.
pub fn key_of(action: Action) -> &'static str {
    BINDINGS.iter().find(|binding| binding.action == action).and_then(|binding| binding.keys.first()).copied().unwrap_or("")
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
                    assert!(!c.is_ascii_uppercase() && !c.is_ascii_digit() && !"[O~".contains(c), "{written}");
                    assert!(!(key.modifiers.contains(KeyModifiers::CONTROL) && "hjklab".contains(c)), "{written}");
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
        assert_eq!(action(&[Where::Table], None, g), Pressed::Begins);
        assert_eq!(action(&[Where::Table], Some(g), g), Pressed::Action(Action::Top));
        assert_eq!(action(&[Where::Table], Some(g), parse_key("x").unwrap()), Pressed::Nothing);
        let shifted = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT);
        assert_eq!(action(&[Where::Table], None, shifted), Pressed::Action(Action::Bottom));
    }
}
