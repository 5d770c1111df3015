//! The editor as an operator has it: keys in, frames and texts out.

use super::testing::{SAVED, TYPED, document, ingredient, whole};
use super::*;
use crate::console::theme::Theme;
use crate::deck::look::EditSaved;
use crate::model::Fault;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
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

#[test]
fn frame_80x24() {
    let (text, cursor) = frame(&example(), 80, 24, 1_004_000);
    assert_eq!(cursor, Some((16, 5)));
    insta::assert_snapshot!(text);
}
#[test]
fn frame_60x20() {
    let mut editor = example();
    insta::assert_snapshot!(frame(&editor, 60, 20, 1_004_000).0);
    editor.key(ctrl('e'), 1_004_000);
    insta::assert_snapshot!(frame(&editor, 60, 20, 1_004_000).0);
}
#[test]
fn frame_200x60() {
    insta::assert_snapshot!(frame(&example(), 200, 60, 1_004_000).0);
}
#[test]
fn frame_of_the_difference() {
    let mut editor = example();
    editor.buffer.place((0, 0));
    editor.paste("api_token: t0psecret\n", 1_004_000);
    editor.key(ctrl('x'), 1_004_000);
    insta::assert_snapshot!(frame(&editor, 80, 24, 1_004_000).0);
}

#[test]
fn no_secret_is_in_any_frame() {
    let mut document = document();
    document.text = "db_password: saved-secret\ndb_url: postgres://u:saved-secret@h/x\n".into();
    let mut editor = Editor::open(document, 0);
    editor.key(key(KeyCode::End), 0);
    for c in "-typed-secret".chars() {
        editor.key(key(KeyCode::Char(c)), 0);
    }
    editor.tick(5_000);
    for act in ["text", "effective", "problems", "difference"] {
        for (width, height) in [(200, 60), (80, 24), (60, 20)] {
            let (text, _) = frame(&editor, width, height, 5_000);
            assert!(!text.contains("secret") && !text.contains("hunter2"), "{act}: {text}");
        }
        editor.key(if act == "problems" { ctrl('s') } else { ctrl('e') }, 5_000);
    }
    assert!(editor.is_asking());
    assert!(editor.text().contains("saved-secret-typed-secret"));
}

#[test]
fn saving_shows_the_difference_first_and_ignores_early_keys() {
    let mut editor = example();
    assert!(editor.key(ctrl('s'), 2_000_000).is_empty());
    assert!(editor.is_asking());
    // Not yet on the screen, then too early: nothing happens, whatever is typed or pasted.
    assert!(editor.key(key(KeyCode::Char('y')), 2_009_000).is_empty());
    editor.painted(2_010_000);
    editor.painted(2_010_200);
    for code in [KeyCode::Char('y'), KeyCode::Tab, KeyCode::Enter, KeyCode::Esc] {
        assert!(editor.key(key(code), 2_010_299).is_empty());
    }
    editor.paste("y", 2_011_000);
    assert!(editor.is_asking());
    // Cancel has the focus.
    assert!(editor.key(key(KeyCode::Enter), 2_010_300).is_empty());
    assert!(!editor.is_asking());
    editor.key(ctrl('x'), 2_020_000);
    editor.painted(2_020_000);
    let acts = editor.key(key(KeyCode::Char('y')), 2_020_300);
    assert_eq!(acts, [EditorAct::Save { text: TYPED.into(), rev: 7, then_plan: true }]);
    editor.saved(TYPED, &saved_as(8), "op1", 2_021_000);
    assert!(!editor.is_changed() && editor.rev() == 8 && editor.changes == 0);
    assert_eq!(editor.key(key(KeyCode::Esc), 2_022_000), [EditorAct::Close]);
}

#[test]
fn text_that_cannot_be_read_is_not_saved_but_drafted() {
    let mut editor = with_text("a: 1\n");
    editor.key(ctrl('a'), 0);
    editor.paste("a: [1\n", 10);
    assert!(editor.tick(100).is_empty());
    editor.key(ctrl('s'), 200);
    assert!(!editor.is_asking());
    assert!(frame(&editor, 80, 24, 200).0.contains("not saved: "));
    assert_eq!(editor.next_tick(), Some(2_010));
    assert_eq!(editor.tick(2_010), [EditorAct::Draft(draft("a: [1\n", "a: 1\n"))]);
    assert_eq!(editor.next_tick(), None);
    assert!(editor.tick(9_000).is_empty());
    editor.key(ctrl('u'), 10_000);
    assert_eq!(editor.tick(12_100), [EditorAct::DropDraft]);
    assert_eq!(editor.key(key(KeyCode::Esc), 12_200), [EditorAct::Close]);
}

#[test]
fn leaving_keeps_the_draft() {
    let mut editor = with_text("a: 1");
    typed(&mut editor, "b");
    assert_eq!(editor.key(key(KeyCode::Esc), 5), [EditorAct::Draft(draft("ba: 1", "a: 1")), EditorAct::Close]);
    let mut again = with_text("a: 1");
    again.offer_draft(&draft("ba: 1", "a: 1"), 5, 200_000);
    let (text, _) = frame(&again, 80, 24, 200_000);
    assert!(text.contains("YOUR DRAFT, kept 3m ago, of shop-prod-web config") && text.contains("+ ba: 1"), "{text}");
    assert!(again.key(key(KeyCode::Enter), 200_000).is_empty() && again.is_asking(), "not seen yet");
    again.painted(200_000);
    let mut dropped = again.clone();
    let mut left = again.clone();
    assert!(again.key(key(KeyCode::Enter), 200_300).is_empty());
    assert_eq!(again.text(), "ba: 1");
    again.key(ctrl('u'), 200_400);
    assert_eq!(again.text(), "a: 1");
    assert_eq!(dropped.key(key(KeyCode::Char('d')), 200_300), [EditorAct::DropDraft]);
    assert_eq!((dropped.text().as_str(), dropped.next_tick()), ("a: 1", None));
    assert_eq!(left.key(key(KeyCode::Esc), 200_300), [EditorAct::Close], "it stays kept");
}

#[test]
fn a_draft_comes_back_with_what_changed_since() {
    let mut editor = with_text("# ours\na: 7\nb: 2\n");
    editor.document.rev = 9;
    editor.offer_draft(&draft("# ours\na: 10\nb: 1\nc: 3\n", "# ours\na: 1\nb: 1\n"), 5, 1_000_000);
    let (text, _) = frame(&editor, 80, 24, 1_000_000);
    insta::assert_snapshot!(text);
    editor.painted(1_000_000);
    editor.key(key(KeyCode::Char('y')), 1_000_300);
    assert_eq!((editor.text().as_str(), editor.rev()), ("# ours\na: 10\nb: 2\nc: 3\n", 9));
    let clash = editor.problems().iter().find(|p| p.text.contains("op2")).cloned().unwrap();
    assert_eq!((clash.line, clash.text.as_str()), (2, "op2 saved 7 here too; saving keeps yours, ^t takes theirs"));
    editor.key(ctrl('n'), 1_000_400);
    editor.key(ctrl('t'), 1_000_400);
    assert_eq!(editor.text(), "# ours\na: 7\nb: 2\nc: 3\n");
    editor.tick(1_001_000);
    assert!(editor.problems().is_empty());
}

#[test]
fn problems_are_visited_and_mended() {
    let mut editor = example();
    editor.key(ctrl('e'), 0);
    editor.key(ctrl('n'), 0);
    assert_eq!(editor.buffer.cursor(), (5, 8));
    editor.key(ctrl('n'), 0);
    assert_eq!(editor.buffer.cursor(), (2, 11));
    for _ in 0..3 {
        editor.key(ctrl('t'), 0);
        editor.key(ctrl('n'), 0);
    }
    assert!(editor.problems().is_empty());
    assert_eq!(editor.text(), TYPED.replace("12:30", "\"12:30\"").replace("grteing", "greeting").replace("cart: on", "cart: \"on\""));
    for _ in 0..3 {
        editor.key(ctrl('u'), 0);
    }
    assert_eq!(editor.text(), TYPED);
}

#[test]
fn undo_goes_word_by_word_and_back_to_the_byte() {
    let mut editor = with_text(SAVED);
    typed(&mut editor, "one two  three\nx");
    for left in ["one two  three\n", "one two  three", "one two  ", "one ", ""] {
        editor.key(ctrl('u'), 0);
        assert_eq!(editor.text(), format!("{left}{SAVED}"));
    }
    editor.key(ctrl('u'), 0);
    assert_eq!(editor.text(), SAVED);
    for _ in 0..5 {
        editor.key(ctrl('r'), 0);
    }
    assert_eq!(editor.text(), format!("one two  three\nx{SAVED}"));
}

#[test]
fn lines_are_indented_as_yaml_wants() {
    let mut editor = with_text("");
    typed(&mut editor, "db:\nhost: a\nports:\n- 1\n");
    assert_eq!(editor.text(), "db:\n  host: a\n  ports:\n    - 1\n    ");
    editor.key(key(KeyCode::Backspace), 0);
    editor.key(key(KeyCode::Backspace), 0);
    typed(&mut editor, "x: |\ntext\nmore");
    assert!(editor.text().ends_with("- 1\nx: |\n  text\n  more"));
    editor.key(key(KeyCode::BackTab), 0);
    editor.key(key(KeyCode::Tab), 0);
    let mut editor = with_text("a: 1\n  # c\n  b: 2\n\nc: 3");
    editor.key(ctrl('a'), 0);
    editor.key(ctrl('k'), 0);
    assert_eq!(editor.text(), "# a: 1\n#   # c\n#   b: 2\n\n# c: 3");
    editor.key(ctrl('k'), 0);
    assert_eq!(editor.text(), "a: 1\n  # c\n  b: 2\n\nc: 3");
    editor.key(key(KeyCode::Tab), 0);
    assert_eq!(editor.text(), "  a: 1\n    # c\n    b: 2\n\n  c: 3");
    editor.key(KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT), 0);
    assert_eq!(editor.text(), "a: 1\n  # c\n  b: 2\n\nc: 3");
}

#[test]
fn what_others_save_comes_in_key_by_key() {
    let mut editor = with_text("# ours\na: 1\nb: 1\n");
    editor.key(key(KeyCode::Down), 0);
    editor.key(key(KeyCode::End), 0);
    typed(&mut editor, "0");
    let mut theirs = document();
    (theirs.text, theirs.rev) = ("# ours\na: 1\nb: 2\n".into(), 8);
    editor.merge_saved(theirs.clone());
    assert_eq!((editor.text().as_str(), editor.rev()), ("# ours\na: 10\nb: 2\n", 8));
    assert!(frame(&editor, 80, 24, 0).0.contains("OTHERS  op2 saved b here; no clash"));
    (theirs.text, theirs.rev) = ("a: 7\nb: 2\n".into(), 9);
    editor.merge_saved(theirs);
    assert_eq!((editor.text().as_str(), editor.rev()), ("# ours\na: 10\nb: 2\n", 9));
    assert!(frame(&editor, 80, 24, 0).0.contains("OTHERS  op2 saved a here too; CLASH, saving keeps yours"));
}

#[test]
fn another_editor_gets_the_text_and_gives_it_back() {
    let mut editor = with_text("a: 1 # x");
    assert_eq!(editor.key(ctrl('o'), 0), [EditorAct::External { text: "a: 1 # x".into() }]);
    editor.external_done(Some("a: 1 # x\n"), 0);
    assert!(!editor.is_changed());
    editor.external_done(Some("a: 2 # x\n"), 0);
    assert_eq!(editor.text(), "a: 2 # x");
    editor.external_done(None, 0);
    editor.key(ctrl('u'), 0);
    assert_eq!(editor.text(), "a: 1 # x");
}

#[test]
fn finding_goes_round_and_leaves_the_text_alone() {
    let mut editor = with_text("a: x\nb: X1\nc: x2");
    editor.key(ctrl('f'), 0);
    typed(&mut editor, "x");
    assert_eq!(editor.buffer.cursor(), (0, 3));
    typed(&mut editor, "\n\n");
    assert_eq!(editor.buffer.cursor(), (2, 3));
    typed(&mut editor, "\n");
    assert_eq!(editor.buffer.cursor(), (0, 3));
    assert!(frame(&editor, 80, 24, 0).0.contains("find: x"));
    editor.key(key(KeyCode::Esc), 0);
    assert_eq!(editor.text(), "a: x\nb: X1\nc: x2");
}

#[test]
fn wide_characters_and_long_lines_keep_the_cursor_in_sight() {
    let mut editor = with_text("name: 日本語\u{301}x\nlong: ");
    editor.key(key(KeyCode::End), 0);
    let (text, cursor) = frame(&editor, 40, 10, 0);
    assert!(text.contains("   1 name: 日本語\u{301}x"), "{text}");
    assert_eq!(cursor, Some((5 + 13, 2)));
    editor.key(KeyEvent::new(KeyCode::End, KeyModifiers::CONTROL), 0);
    editor.paste(&"0123456789".repeat(20), 0);
    let (text, cursor) = frame(&editor, 40, 10, 0);
    assert!(text.contains(" ~ 2 <"), "{text}");
    assert!(cursor.unwrap().0 < 40 && cursor.unwrap().1 == 3, "{cursor:?}");
    // Bytes that would steer a terminal are shown.
    editor.paste("\u{1b}[31m", 0);
    assert!(!frame(&editor, 40, 10, 0).0.contains('\u{1b}'));
}

#[test]
fn tab_completes_where_something_is_known_and_indents_elsewhere() {
    let mut editor = with_text("");
    typed(&mut editor, "gr");
    editor.key(key(KeyCode::Tab), 0);
    assert_eq!(editor.text(), "greeting: ", "the only one is taken at once");
    editor.key(key(KeyCode::Tab), 0);
    let (text, _) = frame(&editor, 80, 24, 0);
    assert!(text.contains(">hello  10 of 12 have it |") && text.contains("|hi     1 of 12 have it  |"), "{text}");
    editor.key(key(KeyCode::Tab), 0);
    editor.key(key(KeyCode::BackTab), 0);
    editor.key(key(KeyCode::Down), 0);
    editor.key(key(KeyCode::Enter), 0);
    assert_eq!(editor.text(), "greeting: hi");
    editor.key(key(KeyCode::Enter), 0);
    editor.key(key(KeyCode::Tab), 0);
    assert!(editor.completion.is_some(), "an empty line at a place for keys lists them");
    typed(&mut editor, "fe");
    assert_eq!(editor.completion.as_ref().map(|open| open.items.len()), Some(1));
    editor.key(key(KeyCode::Esc), 0);
    assert_eq!((editor.text().as_str(), editor.completion.is_none()), ("greeting: hi\nfe", true));
    for _ in 0..2 {
        editor.key(ctrl('u'), 0);
    }
    // Nothing to complete: in the indentation, behind a whole word, with a selection.
    let mut editor = with_text("zebra: 1");
    editor.key(key(KeyCode::Tab), 0);
    assert_eq!(editor.text(), "  zebra: 1");
    editor.key(ctrl('a'), 0);
    editor.key(key(KeyCode::Tab), 0);
    assert_eq!(editor.text(), "    zebra: 1");
    editor.key(key(KeyCode::BackTab), 0);
    editor.key(key(KeyCode::BackTab), 0);
    assert_eq!(editor.text(), "zebra: 1");
}

#[test]
fn frame_of_the_list() {
    let mut editor = Editor::open(whole(Object::Swarm), 1_000_000).with_fleet("PROD-EU", true);
    editor.buffer.place((7, 0));
    editor.paste("s\n", 1_000_000);
    editor.buffer.place((7, 1));
    editor.key(key(KeyCode::Tab), 1_000_000);
    insta::assert_snapshot!(frame(&editor, 80, 24, 1_000_000).0);
    insta::assert_snapshot!(frame(&editor, 60, 20, 1_000_000).0);
}

#[test]
fn frames_of_whole_objects() {
    for (name, kind) in [("swarm", Object::Swarm), ("squad", Object::Squad), ("app", Object::App)] {
        let editor = Editor::open(whole(kind), 1_000_000).with_fleet("PROD-EU", true);
        insta::assert_snapshot!(format!("whole_{name}_80x24"), frame(&editor, 80, 24, 1_000_000).0);
    }
    let editor = Editor::open(whole(Object::Swarm), 1_000_000).with_fleet("PROD-EU", true);
    insta::assert_snapshot!("whole_swarm_200x60", frame(&editor, 200, 60, 1_000_000).0);
}

#[test]
fn a_whole_object_is_asked_about_before_the_difference_is_shown() {
    let mut editor = Editor::open(whole(Object::Swarm), 0).with_fleet("PROD-EU", true);
    let renamed = editor.text().replace("config_name: prod", "config_name: live");
    editor.key(ctrl('a'), 0);
    editor.paste(&renamed, 0);
    assert_eq!(editor.key(ctrl('x'), 0), [EditorAct::Try { text: renamed.clone(), rev: 7 }]);
    assert!(!editor.is_asking());
    let mut moved = editor.clone();
    typed(&mut moved, "x");
    moved.tried(Ok(Vec::new()));
    assert!(!moved.is_asking(), "what was looked at is not what would be saved");
    let mut refused = editor.clone();
    refused.tried(Err(Fault::bad("text:3:14: config name 'li-ve' holds '-'")));
    assert!(frame(&refused, 80, 24, 0).0.contains("not saved: 3:14: config name"));
    let orphans = "4 procs of shop-prod-web@web become orphans of shop-live-web@web (web01:a, web02:b), and serve in pool shop@edge until then; one plan deploys the new, moves the route and retires the old: swarmdeck dispatch shop-live-web@web";
    editor.tried(Ok(vec![orphans.into()]));
    insta::assert_snapshot!(frame(&editor, 80, 24, 0).0);
    editor.painted(0);
    assert_eq!(editor.key(key(KeyCode::Char('y')), 300), [EditorAct::Save { text: renamed, rev: 7, then_plan: true }]);
}

#[test]
fn a_new_object_becomes_one_that_is_there() {
    let mut document = whole(Object::App);
    (document.target, document.title, document.rev) = (EditTarget::New(Object::App, String::new()), "new app".into(), 0);
    document.text = crate::model::document::schema::skeleton(Object::App, &|_| None);
    let mut editor = Editor::open(document, 0).with_fleet("PROD-EU", true);
    insta::assert_snapshot!(frame(&editor, 80, 24, 0).0);
    assert!(editor.key(ctrl('s'), 0).is_empty() && !editor.is_asking(), "it has no name yet");
    let text = "name: mail\nrepo:\n  url: /srv/git/mail.git\n";
    editor.key(ctrl('a'), 0);
    editor.paste(text, 0);
    assert_eq!(editor.key(ctrl('s'), 0), [EditorAct::Try { text: text.into(), rev: 0 }]);
    editor.tried(Ok(Vec::new()));
    assert!(frame(&editor, 80, 24, 0).0.contains("+ name: mail"));
    let saved = EditSaved {
        target: EditTarget::Whole(Object::App, "a9".into()),
        rev: 1,
        title: "app mail".into(),
        said: "app mail created".into(),
    };
    editor.painted(0);
    assert!(matches!(editor.key(key(KeyCode::Char('y')), 300).as_slice(), [EditorAct::Save { then_plan: false, .. }]));
    editor.saved(text, &saved, "op1", 0);
    assert_eq!((editor.target().id(), editor.rev(), editor.is_changed()), ("a9", 1, false));
    assert!(frame(&editor, 80, 24, 0).0.contains("app mail created") && frame(&editor, 80, 24, 0).0.contains("EDIT app mail "));
    assert!(editor.key(ctrl('x'), 0).is_empty());
    assert!(frame(&editor, 80, 24, 0).0.contains("nothing to plan"));
}

#[test]
fn saving_an_ingredient_says_what_it_means_for_each_swarm() {
    let mut editor = Editor::open(ingredient(), 0).with_fleet("PROD-EU", true);
    editor.key(key(KeyCode::Down), 0);
    editor.key(key(KeyCode::End), 0);
    editor.key(key(KeyCode::Backspace), 0);
    typed(&mut editor, "2");
    editor.tick(1_000);
    assert!(frame(&editor, 80, 24, 0).0.contains("USED BY 3 swarms, 1 change, 2 override: shop-prod-web@web"));
    editor.key(ctrl('s'), 1_000);
    insta::assert_snapshot!(frame(&editor, 80, 24, 0).0);
    insta::assert_snapshot!(frame(&editor, 60, 20, 0).0);
    editor.painted(1_000);
    let acts = editor.key(key(KeyCode::Char('p')), 1_300);
    assert!(matches!(acts.as_slice(), [EditorAct::Save { then_plan: true, .. }]), "{acts:?}");
}

#[test]
fn no_secret_of_others_is_in_any_frame() {
    let mut document = document();
    document.text = "db_password: mine-secret\nurl: x\n".into();
    let mut editor = Editor::open(document.clone(), 0);
    // Somebody else saved another secret: a clash shows none of both.
    typed(&mut editor, "x");
    editor.key(key(KeyCode::Backspace), 0);
    editor.key(key(KeyCode::End), 0);
    typed(&mut editor, "1");
    document.text = "db_password: their-secret\nurl: postgres://u:their-secret@h/x\n".into();
    document.rev = 8;
    editor.merge_saved(document);
    for keys in ["", "e", "e", "n"] {
        keys.chars().for_each(|c| drop(editor.key(ctrl(c), 0)));
        for (width, height) in [(200, 60), (80, 24), (60, 20)] {
            let (text, _) = frame(&editor, width, height, 5_000);
            assert!(!text.contains("secret") && !text.contains("hunter2"), "{text}");
        }
    }
    assert!(
        editor.problems().iter().any(|p| p.text == "op2 saved **** here too; saving keeps yours, ^t takes theirs"),
        "{:?}",
        editor.problems()
    );
    for line in ["db_password: ", "url: "] {
        editor.key(ctrl('a'), 0);
        editor.paste(line, 0);
        editor.key(key(KeyCode::Tab), 0);
        let (text, _) = frame(&editor, 80, 24, 5_000);
        assert!(!text.contains("secret") && !text.contains("hunter2"), "{text}");
    }
}

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
