//! What the editor draws, and that no secret is in it.

use super::*;

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
