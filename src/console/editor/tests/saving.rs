//! Saving, drafts, and what others save meanwhile.

use super::*;
use crate::deck::look::EditDocument;
use crate::model::Fault;

/// `a` was changed here from 1 to 10, and somebody else saved another `b` meanwhile.
fn two_at_once() -> (Editor, EditDocument) {
    let mut editor = with_text("# ours\na: 1\nb: 1\n");
    editor.key(key(KeyCode::Down), 0);
    editor.key(key(KeyCode::End), 0);
    typed(&mut editor, "0");
    let theirs = EditDocument { text: "# ours\na: 1\nb: 2\n".into(), rev: 8, ..document() };
    (editor, theirs)
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
fn what_others_save_comes_in_key_by_key() {
    let (mut editor, mut theirs) = two_at_once();
    editor.merge_saved(theirs.clone());
    assert_eq!((editor.text().as_str(), editor.rev()), ("# ours\na: 10\nb: 2\n", 8));
    assert!(frame(&editor, 80, 24, 0).0.contains("OTHERS  op2 saved b here; no clash"));
    (theirs.text, theirs.rev) = ("a: 7\nb: 2\n".into(), 9);
    editor.merge_saved(theirs);
    assert_eq!((editor.text().as_str(), editor.rev()), ("# ours\na: 10\nb: 2\n", 9));
    assert!(frame(&editor, 80, 24, 0).0.contains("OTHERS  op2 saved a here too; CLASH, saving keeps yours"));
}

#[test]
fn what_others_save_is_told_at_once_and_comes_in_with_the_save() {
    let (mut editor, mut theirs) = two_at_once();
    editor.fresh(theirs.clone());
    assert_eq!((editor.text().as_str(), editor.rev()), ("# ours\na: 10\nb: 1\n", 7), "the text does not move under the fingers");
    assert!(frame(&editor, 80, 24, 0).0.contains("OTHERS  op2 saved b here; no clash, merged when you save"));
    editor.key(ctrl('s'), 0);
    assert_eq!((editor.text().as_str(), editor.rev()), ("# ours\na: 10\nb: 2\n", 8));
    assert!(editor.is_asking());
    // Refused, because another was quicker: what they saved comes in at once.
    editor.painted(0);
    assert!(matches!(editor.key(key(KeyCode::Char('y')), 300).as_slice(), [EditorAct::Save { rev: 8, .. }]));
    editor.not_saved(&Fault::refused("op2 saved it"), true);
    (theirs.text, theirs.rev) = ("# ours\na: 3\nb: 2\nc: 4\n".into(), 9);
    editor.fresh(theirs);
    assert_eq!((editor.text().as_str(), editor.rev()), ("# ours\na: 10\nb: 2\nc: 4\n", 9));
    assert!(frame(&editor, 80, 24, 0).0.contains("OTHERS  op2 saved a here too; CLASH, saving keeps yours; c came in"));
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
