//! The keys of one user: those of the keymap, or his own in their place.

use super::{Action, BINDINGS, Pressed, Where, normal, parse_key};
use crossterm::event::KeyEvent;

/// One action with its keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    pub action: Action,
    pub place: Where,
    /// Each is a key, or a chord of two with a blank between.
    pub keys: Vec<String>,
    pub title: &'static str,
    /// The same, read.
    chords: Vec<(KeyEvent, Option<KeyEvent>)>,
}

/// What every key means.
#[derive(Debug, Clone, PartialEq)]
pub struct Keymap {
    bound: Vec<Bound>,
}

impl Default for Keymap {
    fn default() -> Self {
        let bound = BINDINGS.iter().map(|binding| {
            let keys: Vec<String> = binding.keys.iter().map(|key| (*key).to_string()).collect();
            let chords = keys.iter().filter_map(|key| chord(key)).collect();
            Bound { action: binding.action, place: binding.place, keys, title: binding.title, chords }
        });
        Keymap { bound: bound.collect() }
    }
}

/// A key, or two with a blank between; none when nobody would know them.
pub(super) fn chord(written: &str) -> Option<(KeyEvent, Option<KeyEvent>)> {
    let mut parts = written.split(' ');
    let first = normal(parse_key(parts.next()?)?);
    let second = parts.next().map(|part| parse_key(part).map(normal));
    match (second, parts.next()) {
        (None, None) => Some((first, None)),
        (Some(Some(second)), None) => Some((first, Some(second))),
        _ => None,
    }
}

impl Keymap {
    /// Every action, in the order of the help.
    pub fn bound(&self) -> &[Bound] {
        &self.bound
    }

    /// Gives an action other keys.
    pub(super) fn rebind(&mut self, place: Where, action: Action, keys: Vec<String>) {
        if let Some(bound) = self.bound.iter_mut().find(|bound| bound.place == place && bound.action == action) {
            bound.chords = keys.iter().filter_map(|key| chord(key)).collect();
            bound.keys = keys;
        }
    }

    /// What a key means, if anything, in a place; places are asked from the innermost to the outermost.
    pub fn action(&self, places: &[Where], pending: Option<KeyEvent>, key: KeyEvent) -> Pressed {
        let (key, pending) = (normal(key), pending.map(normal));
        for place in places {
            for bound in self.bound.iter().filter(|bound| bound.place == *place) {
                for (first, second) in &bound.chords {
                    match (second, pending) {
                        (None, None) if *first == key => return Pressed::Action(bound.action),
                        (Some(second), Some(before)) if *first == before && *second == key => return Pressed::Action(bound.action),
                        (Some(_), None) if *first == key => return Pressed::Begins,
                        _ => {}
                    }
                }
            }
        }
        Pressed::Nothing
    }

    /// The first key of an action as the footer shows it, in the innermost of these places that has it, else anywhere.
    pub fn key_of(&self, places: &[Where], action: Action) -> &str {
        let inside = |place: &Where| self.bound.iter().find(|bound| bound.place == *place && bound.action == action);
        let found = places.iter().find_map(inside).or_else(|| self.bound.iter().find(|bound| bound.action == action));
        found.and_then(|bound| bound.keys.first()).map_or("", String::as_str)
    }
}
