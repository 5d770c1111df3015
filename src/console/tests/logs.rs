//! Logs on the screen: following, since, filters, marks, copies and files; shells and one-off commands behind their questions.

use super::fixture::{NOW, frame, press, state};
use crate::console::effect::Effect;
use crate::console::msg::Msg;
use crate::console::state::{Layer, LogLayer, State};
use crate::console::theme::Depth;
use crate::console::update::update;
use crate::deck::look::{LogLine, Target};
use crate::model::Fault;

fn line(from: &str, text: &str) -> LogLine {
    LogLine { at_ms: NOW, from: from.into(), text: text.into() }
}

fn log(state: &State) -> &LogLayer {
    let Some(Layer::Log(log)) = state.layers.last() else { panic!("{:?}", state.layers.last()) };
    log
}

/// The log of the first swarm, followed, with lines of two procs.
fn followed(state: &mut State) -> u64 {
    let effects = press(state, "2 l");
    let [Effect::FollowLog { ticket, request }] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(request.of, Target::Swarm(_)) && request.follow && request.since_ms.is_none());
    let ticket = *ticket;
    let lines = vec![
        line("web01:a-v1-p-r-web-5001", "2026-11-21T10:41:55Z GET /a 200"),
        line("web02:a-v1-p-r-web-5002", "no time in this one"),
        line("", "web02:5002: its file was rotated"),
        line("web01:a-v1-p-r-web-5001", "2026-11-21T10:41:56Z GET /b 500"),
        line("web01:a-v1-p-r-web-5001", "2026-11-21T10:41:57Z GET /b 500"),
    ];
    update(state, Msg::LogLines { ticket, lines });
    ticket
}

#[test]
fn lines_say_where_they_are_from_whose_order_is_by_arrival_and_fold() {
    let mut state = state(80, 24);
    followed(&mut state);
    let text = frame(&state, Depth::True).0;
    for words in ["by time, 1 of 2 BY ARRIVAL", "web01:5001 2026", "web02:5002 no time", "-- web02:5002: its file was rotated", "x2"] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    press(&mut state, "t m");
    let text = frame(&state, Depth::True).0;
    assert!(text.contains("~ web02:5002") && text.contains("---- mark"), "{text}");
    assert_eq!(log(&state).lines.len(), 5);
}

#[test]
fn since_follows_it_anew_and_what_was_chosen_stays() {
    let mut state = state(80, 24);
    let ticket = followed(&mut state);
    press(&mut state, "w t");
    let effects = press(&mut state, "3");
    let [Effect::Stop { ticket: old }, Effect::FollowLog { ticket: new, request }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((*old, request.since_ms), (ticket, Some(state.now_ms - 900_000)));
    assert!(log(&state).ticket == *new && log(&state).lines.is_empty() && log(&state).wrap && log(&state).times);
    assert!(update(&mut state, Msg::LogLines { ticket, lines: vec![line("x", "late")] }).is_empty() && log(&state).lines.is_empty());
    assert!(frame(&state, Depth::True).0.contains("since 15m"));
    // A build's log is there whole.
    press(&mut state, "esc 5 l");
    assert_eq!(press(&mut state, "3"), []);
    assert!(frame(&state, Depth::True).0.contains("shown whole"));
}

#[test]
fn filters_searches_and_one_proc_alone() {
    let mut state = state(80, 24);
    followed(&mut state);
    press(&mut state, "/ b space 5");
    assert!(frame(&state, Depth::True).0.contains("1 found"));
    press(&mut state, "tab");
    assert!(frame(&state, Depth::True).0.contains("only lines with b 5"));
    press(&mut state, "enter");
    assert_eq!(log(&state).shown().len(), 2, "the gap stays in sight");
    press(&mut state, "/ tab esc &");
    assert_eq!(log(&state).only.as_deref(), Some("web01:a-v1-p-r-web-5001"));
    press(&mut state, "& n c");
    let effects = press(&mut state, "c");
    let [Effect::Copy(text)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn a_log_is_saved_to_a_file_whose_name_is_asked_for() {
    let mut state = state(80, 24);
    followed(&mut state);
    press(&mut state, "^s");
    let effects = press(&mut state, "enter");
    let [Effect::SaveText { path, text }] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(path.ends_with(".log") && !path.contains([' ', '/', ',']), "{path}");
    assert!(text.contains("web02:5002  no time in this one\n") && text.contains("x2"), "{text}");
    assert!(matches!(state.layers.last(), Some(Layer::Log(_))));
}

#[test]
fn the_last_lives_of_a_proc_and_none() {
    let mut state = state(80, 24);
    let effects = press(&mut state, "4 p");
    let [Effect::LastLives { ticket, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    let fault = Some(Fault::bad("no earlier life is kept"));
    update(&mut state, Msg::LogEnded { ticket: *ticket, fault });
    assert!(frame(&state, Depth::True).0.contains("no earlier life is kept"));
    press(&mut state, "esc 3");
    assert_eq!(press(&mut state, "p"), [], "a host has no lives");
}

#[test]
fn a_command_is_run_only_behind_its_question_and_a_shell_only_where_it_may_write() {
    let mut state = state(80, 24);
    press(&mut state, "2 . >");
    let asked = press(&mut state, "l s enter");
    assert_eq!(asked, [], "first the question");
    assert!(frame(&state, Depth::True).0.contains("sh -c ls"));
    let mut other = state.clone();
    assert_eq!(press(&mut other, "enter"), [], "enter cancels");
    let run = press(&mut state, "tab enter");
    let [Effect::Run { request, .. }] = run.as_slice() else { panic!("{run:?}") };
    assert_eq!((request.argv.as_slice(), request.all), (&["sh".to_string(), "-c".into(), "ls".into()][..], false));
    assert!(run.iter().all(Effect::changes_something) && matches!(state.layers.last(), Some(Layer::Log(_))));

    press(&mut state, "esc 4");
    assert!(matches!(press(&mut state, "s").as_slice(), [Effect::Shell { target: Target::Proc(..) }]));
    let mut looks = (*state.look).clone();
    looks.writing = crate::model::writing::Writing::ReadOnly;
    update(&mut state, Msg::Look(std::sync::Arc::new(looks)));
    assert_eq!(press(&mut state, "s"), []);
}

#[test]
fn what_goes_wrong_rings_once_and_the_first_look_is_history() {
    let mut state = state(80, 24);
    let mut look = (*state.look).clone();
    let event = crate::model::record::Event {
        seq: look.last_event + 1,
        kind: crate::model::record::DIED.into(),
        result: "failed".into(),
        ..Default::default()
    };
    look.last_event = event.seq;
    std::sync::Arc::make_mut(&mut look.events).insert(0, event);
    let look = std::sync::Arc::new(look);
    assert_eq!(update(&mut state, Msg::Look(look.clone())), [Effect::Bell]);
    assert_eq!(update(&mut state, Msg::Look(look)), []);
}
