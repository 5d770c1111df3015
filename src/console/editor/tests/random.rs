//! Anything typed: the text is what a simple model says, and nothing breaks.

use super::*;
use proptest::prelude::*;

/// What the text must be, kept in the simplest way.
struct Model {
    text: Vec<char>,
    at: usize,
}
impl Model {
    fn insert(&mut self, text: &str) {
        let chars: Vec<char> = text.chars().collect();
        self.text.splice(self.at..self.at, chars.iter().copied());
        self.at += chars.len();
    }
    fn head(&self) -> String {
        let line: Vec<char> = self.text[..self.at].iter().rev().take_while(|c| **c != '\n').copied().collect();
        line.into_iter().rev().collect()
    }
}

#[derive(Debug, Clone)]
enum Do {
    Type(char),
    Paste(String),
    Enter,
    Backspace,
    Delete,
    Left,
    Right,
}
fn doing() -> impl Strategy<Value = Do> {
    prop_oneof![
        4 => prop_oneof![Just(':'), Just(' '), Just('#'), Just('"'), Just('-'), Just('日'), proptest::char::range('a', 'f')].prop_map(Do::Type),
        1 => "[a-c:\\- \n'\"|\t日]{0,12}".prop_map(Do::Paste),
        1 => Just(Do::Enter),
        2 => Just(Do::Backspace),
        1 => Just(Do::Delete),
        3 => Just(Do::Left),
        1 => Just(Do::Right),
    ]
}
fn any_key() -> impl Strategy<Value = KeyEvent> {
    let code = prop_oneof![
        6 => prop_oneof![proptest::char::range(' ', '~'), Just('é'), Just('日')].prop_map(KeyCode::Char),
        4 => prop::sample::select(vec![
            KeyCode::Enter, KeyCode::Esc, KeyCode::Tab, KeyCode::BackTab, KeyCode::Backspace, KeyCode::Delete, KeyCode::Left, KeyCode::Right, KeyCode::Up,
            KeyCode::Down, KeyCode::Home, KeyCode::End, KeyCode::PageUp, KeyCode::PageDown, KeyCode::F(5), KeyCode::Insert,
        ]),
    ];
    let modifiers = prop::sample::select(vec![
        KeyModifiers::NONE,
        KeyModifiers::NONE,
        KeyModifiers::CONTROL,
        KeyModifiers::SHIFT,
        KeyModifiers::ALT,
        KeyModifiers::CONTROL | KeyModifiers::SHIFT,
    ]);
    (code, modifiers).prop_map(|(code, modifiers)| KeyEvent::new(code, modifiers))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_text_is_what_was_typed(start in "[a-b: \n]{0,20}", steps in proptest::collection::vec(doing(), 0..60)) {
        let mut editor = with_text(&start);
        let mut model = Model { text: start.chars().collect(), at: 0 };
        for step in steps {
            match step {
                Do::Type(c) => { editor.key(key(KeyCode::Char(c)), 0); model.insert(&c.to_string()); }
                Do::Paste(text) => { editor.paste(&text, 0); model.insert(&text); }
                Do::Enter => {
                    editor.key(key(KeyCode::Enter), 0);
                    let indent = buffer::next_indent(&model.head());
                    model.insert(&format!("\n{}", " ".repeat(indent)));
                }
                Do::Backspace => {
                    editor.key(key(KeyCode::Backspace), 0);
                    let head = model.head();
                    let spaces = !head.is_empty() && head.chars().all(|c| c == ' ');
                    let gone = if spaces { (head.len() - 1) % 2 + 1 } else { 1 }.min(model.at);
                    model.text.drain(model.at - gone..model.at);
                    model.at -= gone;
                }
                Do::Delete => { editor.key(key(KeyCode::Delete), 0); if model.at < model.text.len() { model.text.remove(model.at); } }
                Do::Left => { editor.key(key(KeyCode::Left), 0); model.at = model.at.saturating_sub(1); }
                Do::Right => { editor.key(key(KeyCode::Right), 0); model.at = (model.at + 1).min(model.text.len()); }
            }
            prop_assert_eq!(editor.text(), model.text.iter().collect::<String>());
        }
        while editor.buffer.undo() {}
        prop_assert_eq!(editor.text(), start);
    }

    #[test]
    fn nothing_typed_or_pasted_can_break_it(keys in proptest::collection::vec((any_key(), proptest::option::weighted(0.1, "(\\PC|[\n\t:#\"'|]){0,30}")), 0..60), width in 1u16..300, height in 1u16..100, kind in 0..4) {
        let start = match kind { 0 => example(), 1 => Editor::open(whole(Object::Swarm), 1_000_000), 2 => Editor::open(whole(Object::Squad), 1_000_000), _ => Editor::open(ingredient(), 1_000_000) };
        let mut editor = start;
        let saved = editor.document.text.clone();
        let mut now = 1_010_000;
        for (key, paste) in keys {
            now += 97;
            let before = editor.text();
            let acts = editor.key(key, now);
            for act in &acts {
                if let EditorAct::Save { text, .. } | EditorAct::External { text } = act {
                    prop_assert_eq!(text, &before);
                }
            }
            if acts.iter().any(|act| matches!(act, EditorAct::Try { .. })) {
                editor.tried(Ok(vec!["procs become orphans".into()]));
            }
            if acts.iter().any(|act| matches!(act, EditorAct::Save { .. })) {
                editor.saved(&before, &EditSaved { target: editor.target().clone(), ..saved_as(9) }, "me", now);
            }
            if let Some(paste) = paste {
                editor.paste(&paste, now);
            }
            editor.tick(now);
            let (_, cursor) = frame(&editor, width, height, now);
            editor.painted(now);
            prop_assert!(cursor.is_none_or(|(x, y)| x < width && y < height));
        }
        while editor.buffer.undo() {}
        prop_assert_eq!(editor.text(), saved);
    }
}
