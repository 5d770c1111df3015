//! One line of text that is typed into.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A text field with its cursor, counted in characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field {
    pub text: String,
    pub cursor: usize,
}

impl Field {
    pub fn new(text: &str) -> Field {
        Field { text: text.into(), cursor: text.chars().count() }
    }

    /// Takes a key; false when it means nothing here.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let length = self.text.chars().count();
        match key.code {
            KeyCode::Char('u') if control => {
                self.text = self.text.chars().skip(self.cursor).collect();
                self.cursor = 0;
            }
            KeyCode::Char('w') if control => {
                let kept: String = self.text.chars().take(self.cursor).collect();
                let kept = kept.trim_end();
                let start = kept.rfind(' ').map_or(0, |at| at + 1);
                let start = kept.get(..start).map_or(0, |before| before.chars().count());
                self.text = self.text.chars().take(start).chain(self.text.chars().skip(self.cursor)).collect();
                self.cursor = start;
            }
            KeyCode::Char(c) if !control && !key.modifiers.contains(KeyModifiers::ALT) => self.insert(&c.to_string()),
            KeyCode::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.remove();
            }
            KeyCode::Backspace => {}
            KeyCode::Delete if self.cursor < length => self.remove(),
            KeyCode::Left => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Right => self.cursor = (self.cursor + 1).min(length),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = length,
            _ => return false,
        }
        true
    }

    /// Puts text at the cursor; line ends become blanks.
    pub fn insert(&mut self, text: &str) {
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.text = self.text.chars().take(self.cursor).chain(text.chars()).chain(self.text.chars().skip(self.cursor)).collect();
        self.cursor += text.chars().count();
    }

    fn remove(&mut self) {
        let at = self.cursor;
        self.text = self.text.chars().enumerate().filter(|(index, _)| *index != at).map(|(_, c)| c).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing() {
        let mut field = Field::new("v5.3 ünd");
        for code in [KeyCode::Left, KeyCode::Backspace, KeyCode::Char('x'), KeyCode::Home, KeyCode::Delete, KeyCode::End] {
            assert!(field.key(KeyEvent::new(code, KeyModifiers::NONE)));
        }
        assert_eq!((field.text.as_str(), field.cursor), ("5.3 üxd", 7));
        field.key(KeyEvent::new(KeyCode::Char('w'), KeyModifiers::CONTROL));
        assert_eq!((field.text.as_str(), field.cursor), ("5.3 ", 4));
        field.insert("a\nb");
        assert_eq!(field.text, "5.3 a b");
    }
}
