//! A user's own keys, from `keys.yaml` beside his configuration: actions by name, each in its place. A file with anything wrong in it
//! is refused whole, with the line and what to do.

use super::map::chord;
use super::{Action, Keymap, Where, format_key};
use crate::model::yaml_text::{self, Node, tree};
use crate::model::{Fault, Result};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::collections::BTreeMap;
use std::path::Path;

/// The keys of `keys.yaml` in a directory; the keymap's own where there is no such file.
///
/// # Errors
/// It cannot be read, or something in it is wrong: with file, line and column.
pub fn load(directory: Option<&Path>) -> Result<Keymap> {
    let Some(file) = directory.map(|directory| directory.join("keys.yaml")) else { return Ok(Keymap::default()) };
    match std::fs::read_to_string(&file) {
        Ok(text) => read(&text, &file.display().to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Keymap::default()),
        Err(error) => Err(Fault::bad(format!("{} cannot be read: {error}", file.display())).next("the keys of the keymap hold meanwhile")),
    }
}

/// The keymap with the keys of a text in place of its own.
///
/// # Errors
/// See [`load`].
pub fn read(text: &str, source: &str) -> Result<Keymap> {
    let mut keys = Keymap::default();
    let Some(root) = tree(text).map_err(|problem| problem.fault(source))? else { return Ok(keys) };
    yaml_text::parse_mapping(text).map_err(|problem| problem.fault(source))?;
    let wrong = |node: &Node, what: String, next: String| Fault::bad(format!("{source}:{}:{}: {what}", node.line, node.column)).next(next);
    // Where each action was given other keys.
    let mut lines: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for (place_node, actions) in root.entries() {
        let word = place_node.scalar().unwrap_or_default();
        let Some(place) = Where::ALL.into_iter().find(|place| place.title() == word) else {
            let known: Vec<&str> = Where::ALL.iter().map(|place| place.title()).collect();
            return Err(wrong(place_node, format!("'{word}' is no place for keys"), format!("one of: {}", known.join(", "))));
        };
        for (action_node, value) in actions.entries() {
            let word = action_node.scalar().unwrap_or_default();
            let there: Vec<(Action, String)> =
                keys.bound().iter().filter(|bound| bound.place == place).map(|bound| (bound.action, name(bound.action))).collect();
            let Some((action, named)) = there.iter().find(|(_, name)| name == word).cloned() else {
                let known: Vec<&str> = there.iter().map(|(_, name)| name.as_str()).collect();
                return Err(wrong(
                    action_node,
                    format!("there is no action '{word}' in {}", place.title()),
                    format!("one of: {}", known.join(", ")),
                ));
            };
            let nodes: Vec<&Node> = if value.scalar().is_some() { vec![value] } else { value.items().iter().collect() };
            let mut written = Vec::new();
            for node in nodes {
                let key = node.scalar().unwrap_or_default();
                let Some((first, second)) = chord(key) else {
                    let next = "write j, ^d, enter, s-tab, f5, pgdn, or two of them with a blank between: \"g g\"";
                    return Err(wrong(node, format!("'{key}' is no key"), next.into()));
                };
                if let Some(why) = [Some(first), second].into_iter().flatten().find_map(|key| refused(place, action, key)) {
                    return Err(wrong(node, why, "choose another key".into()));
                }
                written.push(key.to_string());
            }
            if written.is_empty() {
                return Err(wrong(value, format!("'{word}' needs a key"), "write one, or leave the line out".into()));
            }
            keys.rebind(place, action, written);
            lines.insert((place.title(), named), action_node.line);
        }
    }
    clash(&keys, &lines, source)?;
    Ok(keys)
}

/// `half-down`, `tab-1`: what an action is called.
pub fn name(action: Action) -> String {
    let mut name = String::new();
    for c in format!("{action:?}").chars() {
        match c {
            '(' => name.push('-'),
            ')' => {}
            c if c.is_ascii_uppercase() && !name.is_empty() => {
                name.push('-');
                name.push(c.to_ascii_lowercase());
            }
            c => name.push(c.to_ascii_lowercase()),
        }
    }
    name
}

/// Why nothing that changes something may be on a key (`screens/keymap.txt`, never); none where it may.
pub fn never(key: KeyEvent) -> Option<&'static str> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char(c) if control && "hjklab".contains(c) => Some("that is a prefix of tmux or screen, or a motion"),
        KeyCode::Char(c) if !control && (c.is_ascii_uppercase() || c.is_ascii_digit() || "[O~".contains(c)) => {
            Some("a slow link can leave that behind of an arrow, mouse or function key")
        }
        KeyCode::Up
        | KeyCode::Down
        | KeyCode::Left
        | KeyCode::Right
        | KeyCode::PageUp
        | KeyCode::PageDown
        | KeyCode::Home
        | KeyCode::End => Some("that is a motion"),
        _ => None,
    }
}

/// Why a key cannot be an action's.
fn refused(place: Where, action: Action, key: KeyEvent) -> Option<String> {
    let named = format_key(key);
    // The ways out are the same for everybody who sits down here.
    let out = match named.as_str() {
        "esc" => Some(Action::Out),
        "^c" => Some(Action::Stop),
        "^z" => Some(Action::Suspend),
        _ => None,
    };
    if out.is_some_and(|out| out != action) {
        return Some(format!("{named} is the way out everywhere"));
    }
    let leads = matches!(action, Action::Menu | Action::Shell | Action::Edit);
    let why = never(key).filter(|_| action.acts() || leads)?;
    Some(format!("{named} may not be '{}' in {}: {why}", name(action), place.title()))
}

/// Two actions of one place on one key, or on a key that another's chord begins with.
fn clash(keys: &Keymap, lines: &BTreeMap<(&str, String), usize>, source: &str) -> Result<()> {
    for (number, bound) in keys.bound().iter().enumerate() {
        for other in keys.bound().iter().take(number).filter(|other| other.place == bound.place) {
            let mut both = bound.keys.iter().flat_map(|a| other.keys.iter().map(move |b| (a, b)));
            let Some((key, _)) = both.find(|(a, b)| is_same(a, b)) else { continue };
            let line = |it: &super::Bound| lines.get(&(it.place.title(), name(it.action))).copied();
            let at = line(bound).into_iter().chain(line(other)).max().unwrap_or(1);
            let (a, b) = (name(other.action), name(bound.action));
            return Err(Fault::bad(format!("{source}:{at}: '{key}' is both '{a}' and '{b}' in {}", bound.place.title()))
                .next(format!("give '{a}' or '{b}' another key")));
        }
    }
    Ok(())
}

fn is_same(a: &str, b: &str) -> bool {
    match (chord(a), chord(b)) {
        (Some((a, a_second)), Some((b, b_second))) => a == b && (a_second == b_second || a_second.is_none() || b_second.is_none()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Pressed, parse_key};
    use super::*;

    #[test]
    fn own_keys_take_the_place_of_the_keymaps() {
        let keys = read("# mine\nlists:\n  down: [n, down]\n  top: \"g t\"\n  describe: D\nlogs: {wrap: ^w}\n", "keys.yaml").unwrap();
        let means = |key: &str| keys.action(&[Where::Table, Where::Base], None, parse_key(key).unwrap());
        assert_eq!(means("n"), Pressed::Action(Action::Down));
        assert_eq!(means("j"), Pressed::Nothing, "the old one is free");
        assert_eq!((means("g"), means("home")), (Pressed::Begins, Pressed::Nothing));
        assert_eq!(keys.action(&[Where::Table], parse_key("g"), parse_key("t").unwrap()), Pressed::Action(Action::Top));
        let shown = |place, action| keys.key_of(&[place], action);
        assert_eq!(
            (shown(Where::Table, Action::Down), shown(Where::Table, Action::Describe), shown(Where::Plan, Action::Down)),
            ("n", "D", "j")
        );
        assert_eq!(read("# nothing yet\n", "keys.yaml").unwrap(), Keymap::default());
        assert_eq!(load(None).unwrap(), Keymap::default());
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_line_and_what_to_do() {
        for (text, said, next) in [
            ("list: {down: n}", "keys.yaml:1:1: 'list' is no place for keys", "one of: everywhere, lists, plan, logs, questions"),
            ("lists:\n  dwon: n", "keys.yaml:2:3: there is no action 'dwon' in lists", "down"),
            ("lists:\n  down: ^^x", "keys.yaml:2:9: '^^x' is no key", "write j, ^d"),
            ("lists:\n  down: []", "keys.yaml:2:9: 'down' needs a key", "leave the line out"),
            ("lists:\n  mark: j", "keys.yaml:2: 'j' is both 'down' and 'mark' in lists", "give 'down' or 'mark' another key"),
            ("lists:\n  up: n\n  down: n", "keys.yaml:3: 'n' is both 'down' and 'up'", "another key"),
            ("lists:\n  mark: g", "'g' is both 'top' and 'mark'", "another key"),
            ("questions:\n  accept: Y", "keys.yaml:2:11: Y may not be 'accept' in questions: a slow link", "another key"),
            ("plan:\n  accept: ^b", "^b may not be 'accept' in plan: that is a prefix of tmux", "another key"),
            ("questions:\n  accept: \"1\"", "1 may not be 'accept'", "another key"),
            ("plan:\n  choose: down", "down may not be 'choose' in plan: that is a motion", "another key"),
            ("lists:\n  menu: O", "O may not be 'menu'", "another key"),
            ("lists:\n  mark: esc", "esc is the way out everywhere", "another key"),
            ("everywhere:\n  leave: ^c", "^c is the way out everywhere", "another key"),
            ("lists: {down: n", "keys.yaml:", ""),
        ] {
            let fault = read(text, "keys.yaml").unwrap_err();
            assert_eq!(fault.exit_code(), 2, "{text}");
            assert!(fault.line().contains(said) && fault.line().contains(next), "{text}: {}", fault.line());
        }
    }

    #[test]
    fn names_are_words_and_no_two_of_a_place_are_alike() {
        assert_eq!([name(Action::HalfDown), name(Action::Tab(1)), name(Action::Yaml)], ["half-down", "tab-1", "yaml"]);
        let mut seen = std::collections::BTreeSet::new();
        for bound in Keymap::default().bound() {
            assert!(seen.insert((bound.place.title(), name(bound.action))), "{:?}", bound.action);
        }
    }
}
