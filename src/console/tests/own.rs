//! What a user makes his own: keys, the zone of times; the window's title; and screens that come by themselves.

use super::fixture::{command, frame, look, plan, press, state};
use crate::console::effect::Effect;
use crate::console::keys::{self, parse_key};
use crate::console::msg::Msg;
use crate::console::state::{Layer, State};
use crate::console::theme::Depth;
use crate::console::update::update;
use crate::console::view::title::title;
use crate::deck::look::{EditTarget, Look};
use crate::model::times::Times;
use std::sync::Arc;

fn key(state: &mut State, name: &str, now_ms: i64) -> Vec<Effect> {
    update(state, Msg::Key { key: parse_key(name).unwrap(), now_ms })
}

#[test]
fn a_screen_that_came_by_itself_hears_nothing_typed_before_it_was_seen() {
    let mut state = state(80, 24);
    let effects = press(&mut state, ". d enter");
    let Some(Effect::Plan { ticket, .. }) = effects.first().cloned() else { panic!("{effects:?}") };
    update(&mut state, Msg::Planned { ticket, plan: Box::new(Ok(plan())) });
    assert!(matches!(press(&mut state, "y").as_slice(), [Effect::Execute { .. }]));
    update(&mut state, Msg::Executed(Ok("d-412".into())));
    assert!(matches!(state.layers.last(), Some(Layer::Dispatch { .. })));
    // A second y, meant for the plan: YAML here.
    let now_ms = state.now_ms;
    assert!(key(&mut state, "y", now_ms + 900).is_empty(), "not drawn yet");
    update(&mut state, Msg::Sent);
    assert!(key(&mut state, "q", now_ms + 950).is_empty(), "still on its way");
    update(&mut state, Msg::Arrived { now_ms: now_ms + 1000 });
    assert!(key(&mut state, "y", now_ms + 1299).is_empty(), "0.3 s");
    assert!(matches!(state.layers.last(), Some(Layer::Dispatch { .. })));
    assert!(!key(&mut state, "y", now_ms + 1300).is_empty(), "now it is meant");

    // Whoever writes something by then is not interrupted at all.
    let mut busy = super::fixture::state(80, 24);
    let document = crate::deck::look::EditDocument::bare(EditTarget::SwarmConfig("s".into()));
    update(&mut busy, Msg::EditorOpened { document: Box::new(Ok(document)), draft: None });
    update(&mut busy, Msg::Executed(Ok("d-412".into())));
    update(&mut busy, Msg::BuildStarted(Ok("b1".into())));
    assert!(matches!(busy.layers.last(), Some(Layer::Editor(_))), "{:?}", busy.layers.last());
    assert!(busy.came.is_none() && busy.toast.is_some_and(|toast| toast.text.contains("5 shows it")));
}

#[test]
fn the_window_is_called_after_the_fleet_and_what_needs_somebody() {
    let mut state = state(80, 24);
    assert_eq!(title(&state), "PROD-EU: 4 need you");
    let say = |state: &mut State, fleet: &str, needs: usize| {
        let mut other = look();
        other.fleet = fleet.into();
        other.needs.truncate(needs);
        update(state, Msg::Look(Arc::new(other)));
        title(state)
    };
    assert_eq!(say(&mut state, "PROD-EU", 1), "PROD-EU: 1 needs you");
    assert_eq!(say(&mut state, "PROD-EU", 0), "PROD-EU");
    let odd = say(&mut state, "a\x1b]2;b\x07\u{9d}c", 0);
    assert!(!odd.chars().any(char::is_control), "{odd:?}");
}

#[test]
fn own_keys_work_and_are_what_help_and_footer_show() {
    let mut state = state(80, 24);
    let own =
        "lists: {why: W, down: [n, down], menu: \",\"}\nquestions: {accept: ^y, refuse: u}\nplan: {accept: ^y}\neverywhere: {help: f2}\n";
    state.keys = Arc::new(keys::read(own, "keys.yaml").unwrap());
    let footer = |state: &State| frame(state, Depth::True).0.lines().last().unwrap_or_default().to_string();
    let shown = footer(&state);
    assert!(shown.contains("W why") && shown.contains(", act") && shown.contains("f2 help"), "{shown}");
    let before = state.pointed();
    press(&mut state, "2 j");
    let first = state.pointed();
    press(&mut state, "n");
    assert_ne!(state.pointed(), first, "n moves, j does not: {before:?}");
    press(&mut state, "4 , k");
    let shown = footer(&state);
    assert!(shown.contains("^y yes") && shown.contains("u no"), "{shown}");
    assert!(press(&mut state, "y").is_empty());
    assert!(matches!(press(&mut state, "^y").as_slice(), [Effect::Proc { verb: "stop", .. }]));
    press(&mut state, "f2");
    update(&mut state, Msg::Resize(200, 200));
    let shown = frame(&state, Depth::True).0;
    for line in ["n  down       down", "W             why is it so", "^y            yes (dead", "f2            help"] {
        assert!(shown.contains(line), "{line} is not in\n{shown}");
    }
}

#[test]
fn times_are_utc_or_local_and_say_which() {
    let mut state = state(80, 24);
    let dash = frame(&state, Depth::True).0;
    assert!(dash.contains(" UTC") && dash.contains(" 02:02:31 op2"), "{dash}");
    assert_eq!(command(&mut state, "local"), [Effect::Times { local: true }]);
    assert_eq!(command(&mut state, "utc"), [Effect::Times { local: false }]);
    let zone = jiff::tz::TimeZone::posix("EST5").unwrap();
    update(&mut state, Msg::Look(Arc::new(Look { times: Times::of(zone), ..look() })));
    let dash = frame(&state, Depth::True).0;
    assert!(dash.contains(" EST") && dash.contains(" 21:02:31 op2") && !dash.contains("UTC"), "{dash}");
    press(&mut state, "8 enter");
    press(&mut state, "d");
    let shown = frame(&state, Depth::True).0;
    assert!(shown.contains("EST"), "{shown}");
    // What is typed in the filter is in the zone that is shown.
    press(&mut state, "8 /");
    update(&mut state, Msg::Paste("since:21:00".into()));
    press(&mut state, "enter");
    let shown = frame(&state, Depth::True).0;
    assert!(shown.contains("EVENTS 2 of 4"), "{shown}");
}
