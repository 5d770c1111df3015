//! Names of keys: `j`, `^d`, `enter`, `s-tab`, `pgdn`.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

const NAMED: &[(&str, KeyCode)] = &[
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("s-tab", KeyCode::BackTab),
    ("space", KeyCode::Char(' ')),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("del", KeyCode::Delete),
    ("back", KeyCode::Backspace),
];

/// A key from its name; none when nobody would know it.
pub fn parse_key(name: &str) -> Option<KeyEvent> {
    if let Some((_, code)) = NAMED.iter().find(|(known, _)| *known == name) {
        return Some(KeyEvent::new(*code, KeyModifiers::NONE));
    }
    if let Some(number) = name.strip_prefix('f').and_then(|digits| digits.parse::<u8>().ok()) {
        return (1..=12).contains(&number).then(|| KeyEvent::new(KeyCode::F(number), KeyModifiers::NONE));
    }
    let (modifiers, rest) = match name.strip_prefix('^') {
        Some(rest) if !rest.is_empty() => (KeyModifiers::CONTROL, rest),
        _ => (KeyModifiers::NONE, name),
    };
    let mut chars = rest.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Some(KeyEvent::new(KeyCode::Char(c), modifiers)),
        _ => None,
    }
}

/// The one name of a key.
pub fn format_key(key: KeyEvent) -> String {
    if let Some((name, _)) = NAMED.iter().find(|(_, code)| *code == key.code) {
        return (*name).to_string();
    }
    match key.code {
        KeyCode::F(number) => format!("f{number}"),
        KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::CONTROL) => format!("^{c}"),
        KeyCode::Char(c) => c.to_string(),
        code => format!("{code:?}").to_lowercase(),
    }
}
