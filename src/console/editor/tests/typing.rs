//! Typing: undo, indentation, completion, search, problems and their fixes.

use super::*;

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
