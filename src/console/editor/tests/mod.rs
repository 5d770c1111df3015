//! The editor as an operator has it: keys in, frames and texts out.

mod frames;
mod random;
mod saving;
mod typing;

use super::testing::{SAVED, TYPED, document, ingredient, whole};
use super::*;
use crate::console::theme::Theme;
use crate::deck::look::EditSaved;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer as Frame;
use ratatui::layout::Rect;

fn frame(editor: &Editor, width: u16, height: u16, now_ms: i64) -> (String, Option<(u16, u16)>) {
    let mut buf = Frame::empty(Rect::new(0, 0, width, height));
    let cursor = editor.render(&Theme::default(), buf.area, &mut buf, now_ms);
    let mut lines = Vec::new();
    for y in 0..height {
        let mut line = String::new();
        let mut x = 0;
        while x < width {
            let symbol = buf[(x, y)].symbol();
            line.push_str(symbol);
            x += u16::try_from(unicode_width::UnicodeWidthStr::width(symbol).max(1)).unwrap();
        }
        lines.push(line.trim_end().to_string());
    }
    (lines.join("\n"), cursor)
}
fn key(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}
fn ctrl(c: char) -> KeyEvent {
    KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL)
}
impl Editor {
    fn painted(&mut self, now_ms: i64) {
        if let Some(drawn) = self.drawn() {
            drawn.get_or_insert(now_ms);
        }
    }
}
fn draft(text: &str, base: &str) -> Draft {
    Draft { text: text.into(), base: base.into(), rev: 7 }
}
fn saved_as(rev: i64) -> EditSaved {
    EditSaved {
        target: EditTarget::SwarmConfig("s1".into()),
        rev,
        title: "shop-prod-web config".into(),
        said: "saved; not live until it is dispatched".into(),
    }
}
fn with_text(text: &str) -> Editor {
    let mut document = document();
    document.text = text.into();
    Editor::open(document, 0)
}
fn typed(editor: &mut Editor, text: &str) {
    for c in text.chars() {
        editor.key(key(if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) }), 0);
    }
}
/// The example of `screens/editor.txt`.
fn example() -> Editor {
    let mut editor = Editor::open(document(), 1_000_000).with_fleet("PROD-EU", true);
    editor.buffer.replace(TYPED, (3, 11));
    editor.edited(1_000_000);
    editor.tick(1_002_000);
    editor
}
