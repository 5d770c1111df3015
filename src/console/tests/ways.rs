//! Keys in, effects out: the rules of DESIGN part 6.

use super::fixture::{NOW, frame, look, plan, press, state};
use crate::console::effect::Effect;
use crate::console::keys::parse_key;
use crate::console::msg::Msg;
use crate::console::state::{Layer, PlanFocus, Slot, Tab};
use crate::console::term::Screen;
use crate::console::theme::{self, Depth};
use crate::console::update::update;
use crate::console::view::view;
use crate::deck::look::Target;
use crate::model::Fault;
use ratatui::layout::Rect;
use std::sync::Arc;

#[test]
fn a_plan_is_dispatched_by_y_only_after_it_was_seen() {
    let mut state = state(80, 24);
    let effects = press(&mut state, ". d enter");
    let Some(Effect::Plan { ticket, request }) = effects.first().cloned() else { panic!("{effects:?}") };
    assert_eq!((request.swarm.as_str(), request.version.as_deref()), ("s-shop-eu-web", Some("v5.3.0")));
    update(&mut state, Msg::Planned { ticket, plan: Box::new(Ok(plan())) });
    let y = parse_key("y").unwrap();
    let at = state.now_ms;
    assert!(update(&mut state, Msg::Key { key: y, now_ms: at + 5000 }).is_empty(), "not painted yet");
    update(&mut state, Msg::Painted { now_ms: at + 5000 });
    assert!(update(&mut state, Msg::Key { key: y, now_ms: at + 5299 }).is_empty(), "type-ahead");
    assert!(update(&mut state, Msg::Key { key: parse_key("enter").unwrap(), now_ms: at + 5299 }).is_empty());
    let effects = update(&mut state, Msg::Key { key: y, now_ms: at + 5300 });
    assert_eq!(effects, [Effect::Execute { plan_id: "p-1".into(), why: String::new() }]);
    assert!(update(&mut state, Msg::Key { key: y, now_ms: at + 6000 }).is_empty(), "sent once");
    update(&mut state, Msg::Executed(Ok("d-412".into())));
    assert!(matches!(state.layers.last(), Some(Layer::Dispatch { id, .. }) if id == "d-412"));
}

#[test]
fn cancel_has_the_focus_and_a_moved_world_is_asked_again() {
    let mut state = state(80, 24);
    let effects = press(&mut state, ". b");
    let Some(Effect::Plan { ticket, .. }) = effects.first().cloned() else { panic!() };
    update(&mut state, Msg::Planned { ticket, plan: Box::new(Ok(plan())) });
    assert!(matches!(state.layers.last(), Some(Layer::Plan(plan)) if plan.focus == PlanFocus::Cancel));
    let mut other = state.clone();
    assert_eq!(press(&mut other, "enter"), [Effect::Stop { ticket }], "enter cancels");
    assert!(
        matches!(press(&mut state, "s-tab a y enter y")[..], [Effect::Execute { ref why, .. }] if why == "ay"),
        "WHY takes letters, y after it dispatches"
    );
    update(&mut state, Msg::Executed(Err(Fault::refused("the world moved"))));
    assert!(press(&mut state, "y").is_empty());
    assert!(frame(&state, Depth::True).0.contains("the world moved"));
}

#[test]
fn a_pool_is_repaired_and_a_node_taken_out_only_behind_the_plan_that_is_shown() {
    use crate::deck::{PoolPlan, PoolVerb};
    let mut state = state(80, 24);
    let asked = press(&mut state, ". f");
    let [Effect::PlanPool { pool, verb: PoolVerb::Repair }] = asked.as_slice() else { panic!("{asked:?}") };
    assert!(pool.ends_with("@edge"), "{pool}");
    let plan = PoolPlan::example(PoolVerb::Repair, "lb01: edited by hand: it has: h:1 weight=3");
    assert!(update(&mut state, Msg::PoolPlanned(Ok(plan.clone()))).is_empty());
    assert!(frame(&state, Depth::True).0.contains("weight=3"));
    let mut other = state.clone();
    assert_eq!(press(&mut other, "enter"), [], "enter cancels");
    assert_eq!(press(&mut state, "tab enter"), [Effect::Pool(plan)]);
    update(&mut state, Msg::PoolPlanned(Err(Fault::refused("nobody edited pool shop"))));
    assert!(frame(&state, Depth::True).0.contains("nobody edited"));

    // On a proc its own node is meant; one that is in no pool of ours says so.
    press(&mut state, "4");
    let asked = press(&mut state, ". o");
    match asked.as_slice() {
        [Effect::PlanPool { verb: PoolVerb::Drain(node), .. }] => assert!(node.contains(':'), "{node}"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(press(&mut state, ". u").as_slice(), [Effect::PlanPool { verb: PoolVerb::PutBack(_), .. }]));
}

#[test]
fn rows_hold_still_for_a_second_after_a_key() {
    let mut state = state(80, 24);
    press(&mut state, "2 j j");
    let before: Vec<_> = state.pane().unwrap().order.clone();
    let pointed = state.pointed();
    let mut other = look();
    other.swarms[7].state = crate::deck::look::SwarmState::Failing;
    other.swarms.remove(0);
    update(&mut state, Msg::Look(Arc::new(other)));
    assert_eq!(state.pane().unwrap().order, before[1..], "what is gone goes, nothing else moves");
    assert_eq!(state.pointed(), pointed);
    let now_ms = state.now_ms + 1001;
    update(&mut state, Msg::Tick { now_ms });
    assert_eq!(state.pane().unwrap().order[0].0, Target::Swarm("s-api-prod-web".into()));
    assert_eq!(state.pointed(), pointed, "the cursor is on its object still");
}

#[test]
fn a_verb_on_what_is_gone_does_nothing() {
    let mut state = state(80, 24);
    press(&mut state, "2");
    let mut other = look();
    other.swarms.remove(0);
    update(&mut state, Msg::Look(Arc::new(other)));
    assert!(press(&mut state, ". b").is_empty());
    assert!(state.layers.is_empty());
}

#[test]
fn leaving_with_a_dispatch_under_way_asks() {
    let mut state = state(80, 24);
    assert!(press(&mut state, "q").is_empty());
    assert_eq!(press(&mut state.clone(), "tab enter"), [Effect::Quit]);
    assert_eq!(press(&mut state.clone(), "tab tab enter"), [Effect::QuitAndStop]);
    assert_eq!(press(&mut state.clone(), "tab tab tab enter"), [Effect::QuitAndUndo(vec!["d-412".into()])]);
    assert!(press(&mut state, "enter").is_empty(), "cancel stays");
    let mut idle = look();
    idle.dispatches.clear();
    update(&mut state, Msg::Look(Arc::new(idle)));
    assert_eq!(press(&mut state, "q"), [Effect::Quit]);
}

#[test]
fn a_paste_is_never_keys() {
    let mut state = state(80, 24);
    update(&mut state, Msg::Paste(".!y".into()));
    assert!(state.layers.is_empty());
    press(&mut state, "2 /");
    update(&mut state, Msg::Paste("api\n".into()));
    assert_eq!(state.pane().unwrap().order.len(), 1);
    press(&mut state, "esc");
    assert_eq!(state.pane().unwrap().order.len(), 9);
}

#[test]
fn the_cursor_flows_over_the_dash_and_tab_goes_round() {
    let mut state = state(80, 24);
    assert_eq!(state.focus, Slot::Needs);
    press(&mut state, "j j j j");
    assert_eq!(state.focus, Slot::DashSwarms);
    press(&mut state, "tab");
    assert_eq!(state.focus, Slot::Latest);
    press(&mut state, "tab 3");
    assert_eq!((state.focus, state.tab), (Slot::Needs, Tab::Hosts));
}

#[test]
fn the_palette_finds_objects_and_verbs() {
    let mut state = state(80, 24);
    press(&mut state, ": w e b 0 3 enter");
    assert!(matches!(state.layers.last(), Some(Layer::List { .. })));
    press(&mut state, "esc");
    let effects = press(&mut state, ": r o l l b a c k space a p i enter");
    assert!(
        matches!(&effects[..], [Effect::Plan { request, .. }] if request.swarm == "s-api-prod-web" && request.rollback_to.is_some()),
        "{effects:?}"
    );
}

#[test]
fn enter_on_a_dispatch_opens_the_host_and_its_verbs_are_the_dispatchs() {
    let mut state = state(80, 24);
    press(&mut state, "6 enter");
    let mut host = state.clone();
    press(&mut host, "enter");
    assert!(matches!(host.layers.last(), Some(Layer::List { title, .. }) if title.starts_with("web01")));
    assert_eq!(press(&mut state, ". x y"), [Effect::Cancel { dispatch: "d-412".into() }]);
}

#[test]
fn an_identical_frame_is_no_bytes_on_the_wire() {
    let mut state = state(80, 24);
    let theme = theme::load("dark", None, Depth::True).unwrap();
    let area = Rect::new(0, 0, 80, 24);
    let mut screen = Screen::new(area);
    assert!(!screen.frame(|buffer| view(&state, &theme, area, buffer)).is_empty());
    update(&mut state, Msg::Tick { now_ms: NOW + 5_000 });
    let bytes = screen.frame(|buffer| view(&state, &theme, area, buffer));
    assert!(bytes.is_empty(), "{:?}", String::from_utf8_lossy(&bytes));
    press(&mut state, "j");
    let bytes = screen.frame(|buffer| view(&state, &theme, area, buffer)).len();
    assert!(bytes > 0 && bytes < 1000, "{bytes}");
}

#[test]
fn a_host_question_hears_no_type_ahead_shows_no_secret_and_is_answered_once() {
    let mut state = state(80, 24);
    let start = state.now_ms;
    let key = |name: &str, after: i64| Msg::Key { key: parse_key(name).unwrap(), now_ms: start + after };
    update(&mut state, Msg::Asked { ticket: 7, lines: vec!["Passphrase of \u{1b}[31mkey".into()], echo: false });
    // Typed before its frame was out, and just after: not heard.
    assert!(update(&mut state, key("q", 10)).is_empty());
    update(&mut state, Msg::Painted { now_ms: start + 20 });
    assert!(update(&mut state, key("enter", 100)).is_empty());
    for c in "s3cret".chars() {
        assert!(update(&mut state, key(&c.to_string(), 400)).is_empty());
    }
    let (text, _) = frame(&state, Depth::True);
    assert!(text.contains("******") && !text.contains("s3cret") && !text.contains('\u{1b}'), "{text}");
    let effects = update(&mut state, key("enter", 500));
    assert_eq!(effects, [Effect::Answer { ticket: 7, text: Some(crate::deck::Secret("s3cret".into())) }]);
    assert!(!format!("{effects:?}").contains("s3cret"));
    assert!(state.layers.is_empty());
}

#[test]
fn lines_of_the_palette_take_words() {
    let type_line = |line: &str| {
        let mut state = state(80, 24);
        press(&mut state, ":");
        update(&mut state, Msg::Paste(line.into()));
        let effects = press(&mut state, "enter");
        (state, effects)
    };
    let (_, effects) = type_line("dispatch shop-eu-web v5.4.0");
    assert!(
        matches!(&effects[..], [Effect::Plan { request, .. }] if request.swarm == "s-shop-eu-web" && request.version.as_deref() == Some("v5.4.0")),
        "{effects:?}"
    );
    let (_, effects) = type_line("size shop-eu-web 3");
    assert!(matches!(&effects[..], [Effect::Plan { request, .. }] if request.size == Some(3)), "{effects:?}");
    let (mut state, effects) = type_line("apply /tmp/a file.yaml");
    assert!(effects.is_empty() && matches!(state.layers.last(), Some(Layer::Confirm(_))), "asks first");
    assert_eq!(press(&mut state, "y"), [Effect::Apply("/tmp/a file.yaml".into())]);
    let (state, _) = type_line("q");
    assert!(matches!(state.layers.last(), Some(Layer::Confirm(_))), "a dispatch is under way: asks");
    assert_eq!(type_line("theme light").1, [Effect::Theme("light".into())]);
    assert!(type_line("dispatch nosuch v1").1.is_empty());
}

#[test]
fn read_only_looks_and_says_so_before_any_change() {
    for keys in [". d", ". b", ". =", ". g", "4 . r", "4 . !", "6 . x", "3 j . p"] {
        let mut state = state(80, 24);
        let mut other = look();
        other.can_write = false;
        update(&mut state, Msg::Look(Arc::new(other)));
        press(&mut state, "2");
        let effects = press(&mut state, keys);
        assert!(effects.iter().all(|effect| matches!(effect, Effect::Stop { .. })), "{keys}: {effects:?}");
        assert!(state.layers.is_empty(), "{keys}: {:?}", state.layers);
        let shown = frame(&state, Depth::True).0;
        assert!(shown.contains("! READ-ONLY: ") && shown.lines().next().is_some_and(|line| line.contains("READ-ONLY")), "{keys}\n{shown}");
    }
}

#[test]
fn a_dispatch_that_ended_says_how_and_what_next() {
    use crate::model::record::Outcome;
    for (outcome, said, next) in [
        (Outcome::Done, "ENDED done: v5.3.1 is live", ".b rolls back"),
        (Outcome::Undone, "ENDED undone: all is as it was", ".d plans again"),
        (Outcome::Interrupted, "ENDED stopped between two steps", ".y carries it on"),
    ] {
        let mut state = state(80, 24);
        let mut other = look();
        other.dispatches[0].outcome = Some(outcome);
        update(&mut state, Msg::Look(Arc::new(other)));
        press(&mut state, "6 enter");
        let shown = frame(&state, Depth::True).0;
        assert!(shown.contains(said) && shown.contains(next), "{shown}");
        press(&mut state, ".");
        let swarms = outcome != Outcome::Interrupted;
        assert_eq!(matches!(state.layers.last(), Some(Layer::Menu { target: Target::Swarm(_), .. })), swarms);
    }
}

#[test]
fn latest_shows_the_latest_while_nobody_moves_in_it() {
    let mut state = state(80, 24);
    let mut other = look();
    let mut newest = other.events[0].clone();
    newest.seq += 1;
    newest.what = "the very newest".into();
    other.events.insert(0, newest);
    let now_ms = state.now_ms + 5_000;
    update(&mut state, Msg::Tick { now_ms });
    update(&mut state, Msg::Look(Arc::new(other)));
    assert!(frame(&state, Depth::True).0.contains("the very newest"));
}
