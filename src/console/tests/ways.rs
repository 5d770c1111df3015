//! Keys in, effects out: the rules of DESIGN part 6.

use super::fixture::{NOW, frame, hold, look, plan, press, state};
use crate::console::effect::Effect;
use crate::console::keys::parse_key;
use crate::console::msg::Msg;
use crate::console::state::{Confirm, Layer, PlanFocus, Slot, State, Tab};
use crate::console::term::Screen;
use crate::console::theme::{self, Depth};
use crate::console::update::{edit, update};
use crate::console::view::view;
use crate::deck::look::{EditDocument, EditSaved, EditTarget, LogLine, Target};
use crate::deck::verbs::VERBS;
use crate::deck::wave::{WaveGo, WaveOf, WavePlan};
use crate::model::Fault;
use crate::model::document::Kind;
use crate::model::hold::HoldOn;
use ratatui::layout::Rect;
use std::sync::Arc;

#[test]
fn a_reason_typed_into_a_plan_is_a_reason_and_presses_nothing() {
    let mut state = state(80, 24);
    let effects = press(&mut state, ". b");
    let Some(Effect::Plan { ticket, .. }) = effects.first().cloned() else { panic!("{effects:?}") };
    update(&mut state, Msg::Planned { ticket, plan: Box::new(Ok(plan())) });
    press(&mut state, "x");
    assert_eq!(press(&mut state, "space t y p o space y"), []);
    let Some(Layer::Plan(layer)) = state.layers.last() else { panic!("{:?}", state.layers) };
    assert_eq!((layer.why.text.as_str(), layer.focus), ("x typo y", PlanFocus::Why));
    press(&mut state, "enter");
    let effects = press(&mut state, "y");
    assert!(matches!(&effects[..], [Effect::Execute { why, .. }] if why == "x typo y"), "{effects:?}");
}

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
    assert_eq!(effects, [Effect::Execute { plan_id: "p-1".into(), why: String::new(), lift: vec![] }]);
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
    let rows = |state: &State| state.pane().unwrap().order.iter().cloned().collect::<Vec<_>>();
    let before = rows(&state);
    let pointed = state.pointed();
    let mut other = look();
    other.swarms[7].state = crate::deck::look::SwarmState::Failing;
    other.swarms.remove(0);
    update(&mut state, Msg::Look(Arc::new(other)));
    assert_eq!(rows(&state), before[1..], "what is gone goes, nothing else moves");
    assert_eq!(state.pointed(), pointed);
    let now_ms = state.now_ms + 1001;
    update(&mut state, Msg::Tick { now_ms });
    assert_eq!(rows(&state)[0].0, Target::Swarm("s-api-prod-web".into()));
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
    assert_eq!(press(&mut state.clone(), "tab tab enter"), [Effect::QuitAndUndo(vec!["d-412".into()])]);
    let mut stays = state.clone();
    assert!(press(&mut stays, "tab enter").is_empty() && stays.layers.is_empty(), "stay");
    // Leaving it going has the focus; no key is heard till a process without a screen has it.
    let mut leaves = state.clone();
    let effects = press(&mut leaves, "enter");
    let [Effect::HandOver { ticket }] = effects[..] else { panic!("{effects:?}") };
    assert!(press(&mut leaves, "q y esc ^c").is_empty());
    let line = LogLine { at_ms: NOW, from: "leaving".into(), text: "dispatch 412: takes over; 29 s left".into() };
    update(&mut leaves, Msg::Progress { ticket, line });
    assert!(frame(&leaves, Depth::True).0.contains("takes over; 29 s left"));
    let mut kept = leaves.clone();
    assert_eq!(update(&mut leaves, Msg::HandedOver { ticket, result: Ok(()) }), [Effect::Quit]);
    let asks = Fault::refused("web01 asks for the passphrase of /home/op1/.ssh/id");
    assert!(update(&mut kept, Msg::HandedOver { ticket, result: Err(asks) }).is_empty(), "it stays");
    assert!(frame(&kept, Depth::True).0.contains("passphrase of /home/op1/.ssh/id"));
    // Begun so short ago that the screen does not know of it: handed over all the same.
    let effects = update(&mut kept, Msg::Leaving);
    assert!(matches!(effects[..], [Effect::HandOver { .. }]), "{effects:?}");

    press(&mut state, "esc");
    let mut theirs = look();
    theirs.carried.clear();
    update(&mut state, Msg::Look(Arc::new(theirs)));
    assert_eq!(press(&mut state, "q"), [Effect::Quit], "what others carry goes on by itself");
}

#[test]
fn words_to_a_dispatch_under_way_are_asked_first_and_hosts_are_emptied_by_a_plan() {
    use crate::deck::look::{Replaced, Word};
    let mut state = state(80, 24);
    update(&mut state, Msg::Executed(Ok("d-412".into())));
    let told = |state: &mut State, keys: &str| {
        assert!(press(state, keys).is_empty(), "asked first");
        match press(state, "y").as_slice() {
            [Effect::Tell { dispatch, word }] if dispatch == "d-412" => word.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told(&mut state, ". m"), Word::Promote);
    assert_eq!(told(&mut state, ". w"), Word::Wait(5));
    press(&mut state, ". o");
    assert!(frame(&state, Depth::True).0.contains("it waits for no host"));
    let mut silent = look();
    let step = silent.dispatches[0].steps.iter_mut().find(|step| step.place == "web04" && step.ended_ms == 0).unwrap();
    (step.state, step.detail) = (crate::model::record::StepState::Intent, "does not answer: no route".into());
    update(&mut state, Msg::Look(Arc::new(silent)));
    assert_eq!(told(&mut state, ". o"), Word::GoWithout("web04".into()));

    press(&mut state, "esc 3 j");
    let Target::Host(host) = state.pointed() else { panic!("{:?}", state.pointed()) };
    let effects = press(&mut state, ". v");
    let [Effect::Plan { request, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(request.same_release && request.replace == Some(Replaced::OnHost(host)), "{request:?}");
    press(&mut state, "esc 2");
    let effects = press(&mut state, ". r");
    let [Effect::Plan { request, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(request.same_release && request.replace == Some(Replaced::All), "{request:?}");
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
        other.writing = crate::model::writing::Writing::Never("a newer swarmdeck wrote this store".into());
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
    Arc::make_mut(&mut other.events).insert(0, newest);
    let now_ms = state.now_ms + 5_000;
    update(&mut state, Msg::Tick { now_ms });
    update(&mut state, Msg::Look(Arc::new(other)));
    assert!(frame(&state, Depth::True).0.contains("the very newest"));
}

#[test]
fn a_hold_is_asked_for_with_a_reason_and_lifted_by_its_name() {
    let mut state = state(80, 24);
    press(&mut state, "2 . h");
    assert!(press(&mut state, "enter").is_empty(), "without a reason");
    assert!(frame(&state, Depth::True).0.contains("needs a reason"));
    press(&mut state, "s a l e tab 2 h enter");
    let held = find_confirm(&state);
    assert!(held.title.starts_with("Hold ") && held.lines.iter().any(|line| line == "until 2h: sale"), "{held:?}");
    let effects = press(&mut state, "y");
    let [Effect::Hold { on: HoldOn::Swarm, object, why, until_ms }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((object.as_str(), why.as_str()), ("s-shop-eu-web", "sale"));
    assert!(*until_ms > NOW + 7_190_000 && *until_ms < NOW + 7_230_000);
    // Hosts and squads too, and the fleet by the line.
    press(&mut state, "3 j . h");
    assert!(matches!(state.layers.last(), Some(Layer::Ask(ask)) if ask.title.starts_with("Hold host web0")), "{:?}", state.layers);
    press(&mut state, "esc k . h");
    assert!(matches!(state.layers.last(), Some(Layer::Ask(ask)) if ask.title.starts_with("Hold squad web")), "{:?}", state.layers);
    press(&mut state, "esc : h o l d space t h e space f l e e t enter");
    assert!(matches!(state.layers.last(), Some(Layer::Ask(ask)) if ask.title.starts_with("Hold the fleet")), "{:?}", state.layers);
    // What is held says so, and `.h` lifts it.
    press(&mut state, "esc 2 G . h");
    assert!(find_confirm(&state).lines[0].starts_with("rollback-97 by op1 since"));
    assert_eq!(press(&mut state, "y"), [Effect::Lift { name: "rollback-97".into() }]);
}

fn find_confirm(state: &State) -> Confirm {
    match state.layers.last() {
        Some(Layer::Confirm(confirm)) => (**confirm).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_held_plan_goes_only_with_its_tick_and_a_busy_swarm_is_asked_about() {
    let mut state = state(80, 24);
    let effects = press(&mut state, ". b");
    let Some(Effect::Plan { ticket, .. }) = effects.first().cloned() else { panic!() };
    let mut held = plan();
    held.held = vec![hold("rollback-97", HoldOn::Swarm, "s-shop-eu-web", "shop-eu-web@web")];
    update(&mut state, Msg::Planned { ticket, plan: Box::new(Ok(held)) });
    assert!(press(&mut state, "y").is_empty(), "held");
    let shown = frame(&state, Depth::True).0;
    assert!(shown.contains("HELD  [ ] lift rollback-97 (needed)  by op1") && shown.contains("! HELD by rollback-97"), "{shown}");
    press(&mut state, "s-tab s-tab space");
    assert!(frame(&state, Depth::True).0.contains("[x] lift rollback-97"));
    let effects = press(&mut state, "y");
    assert_eq!(effects, [Effect::Execute { plan_id: "p-1".into(), why: String::new(), lift: vec!["rollback-97".into()] }]);

    // Somebody else is at it: refuse has the focus; wait goes with the same plan when the world holds, and plans anew when it moved.
    update(&mut state, Msg::Executed(Err(Fault::busy("shop-eu-web@web is held by op2 (dispatch v2), step drain"))));
    assert!(frame(&state, Depth::True).0.contains("held by op2 (dispatch v2), step drain"));
    let mut refused = state.clone();
    assert!(press(&mut refused, "enter").is_empty() && matches!(refused.layers.last(), Some(Layer::Plan(plan)) if !plan.sent));
    let mut supersedes = state.clone();
    assert_eq!(press(&mut supersedes, "tab tab enter"), [Effect::WaitFree { ticket, plan_id: "p-1".into(), supersede: true }]);
    assert_eq!(press(&mut state, "tab enter"), [Effect::WaitFree { ticket, plan_id: "p-1".into(), supersede: false }]);
    let line = LogLine { at_ms: NOW, from: "waits".into(), text: "waits 3 s for the lease: held by op2".into() };
    update(&mut state, Msg::Progress { ticket, line });
    let shown = frame(&state, Depth::True).0;
    assert!(shown.contains("~ Waiting till nobody else is at it") && shown.contains("waits 3 s for the lease"), "{shown}");
    assert!(press(&mut state, "y").is_empty(), "while it waits");
    let mut moved = state.clone();
    let effects = update(&mut moved, Msg::Freed { ticket, moved: Ok(vec!["port 5001 is taken".into()]) });
    assert!(matches!(&effects[..], [Effect::Plan { ticket: again, .. }] if *again == ticket), "{effects:?}");
    let effects = update(&mut state, Msg::Freed { ticket, moved: Ok(vec![]) });
    assert!(matches!(&effects[..], [Effect::Execute { plan_id, .. }] if plan_id == "p-1"), "{effects:?}");
    // A hold of more than the swarm is not lifted from here.
    let mut fleet = plan();
    fleet.held = vec![hold("hold-3", HoldOn::Fleet, "", "the fleet")];
    let effects = press(&mut moved, "esc . b");
    let Some(Effect::Plan { ticket, .. }) = effects.iter().rev().find(|effect| matches!(effect, Effect::Plan { .. })).cloned() else {
        panic!()
    };
    update(&mut moved, Msg::Planned { ticket, plan: Box::new(Ok(fleet)) });
    assert!(press(&mut moved, "s-tab s-tab space y").is_empty());
    assert!(frame(&moved, Depth::True).0.contains("lift that first"));
}

#[test]
fn marked_swarms_are_one_wave_with_one_question() {
    let mut state = state(80, 24);
    press(&mut state, "2 space space k");
    let effects = press(&mut state, ". d v 6 tab s a l e enter");
    let Some(Effect::PlanWave { ticket, request }) = effects.first().cloned() else { panic!("{effects:?}") };
    assert_eq!((request.swarms.len(), request.version.as_deref(), request.why.as_str()), (2, Some("v6"), "sale"));
    let planned = |plans: Vec<crate::plan::Plan>| {
        Box::new(Ok(WavePlan { plans, left_out: vec![("x-y-z@web".into(), "runs this already".into())], ..WavePlan::default() }))
    };
    let mut held = state.clone();
    update(&mut state, Msg::WavePlanned { ticket, why: "sale".into(), plan: planned(vec![plan(), plan()]) });
    let confirm = find_confirm(&state);
    assert!(confirm.lines[0].contains("shop-prod-web  v5.3.0 -> v5.3.1  +4 -1, 3 keys"), "{confirm:?}");
    assert_eq!(
        press(&mut state, "y"),
        [Effect::BeginWave(WaveGo { plans: vec!["p-1".into(), "p-1".into()], what: WaveOf::Version, why: "sale".into(), lift: vec![] })]
    );
    update(&mut state, Msg::WaveBegun(Ok("wave 7 is under way".into())));
    assert!(state.marks.is_empty());
    let mut stopped = plan();
    stopped.held = vec![hold("hold-3", HoldOn::Fleet, "", "the fleet")];
    update(&mut held, Msg::WavePlanned { ticket, why: "sale".into(), plan: planned(vec![plan(), stopped]) });
    let confirm = find_confirm(&held);
    assert!(confirm.lines.iter().any(|line| line.contains("fleet the fleet is HELD by hold-3")), "{confirm:?}");
    assert_eq!(confirm.buttons[1].label, "dispatch the 1 that are free", "the other stays held");
}

#[test]
fn why_asks_the_hosts_and_shows_what_they_answer_to_this_very_question() {
    let mut state = state(80, 24);
    let target = state.pointed();
    let effects = press(&mut state, "2 w");
    let Some(Effect::Why { target: asked }) = effects.last().cloned() else { panic!("{effects:?} of {target:?}") };
    assert!(!frame(&state, Depth::True).0.contains("CAUSE"), "what is known here comes first");
    let lines = vec!["swarm shop: It fails.".to_string(), String::new(), "CAUSE  module-missing  web01: flask is not there".to_string()];
    update(&mut state, Msg::Why { target: crate::deck::look::Target::Host("another".into()), lines: Ok(lines.clone()) });
    assert!(!frame(&state, Depth::True).0.contains("CAUSE"), "an answer to another question");
    update(&mut state, Msg::Why { target: asked, lines: Ok(lines) });
    assert!(frame(&state, Depth::True).0.contains("CAUSE  module-missing"));
}

/// The document of a swarm's config, as the deck would open it.
fn document(target: EditTarget, text: &str, rev: i64) -> EditDocument {
    EditDocument { title: "shop-eu-web config".into(), text: text.into(), rev, saved_by: "op2".into(), ..EditDocument::bare(target) }
}

#[test]
fn every_kind_of_editor_opens_from_its_row_and_saving_is_behind_its_difference() {
    let mut state = state(80, 24);
    for (keys, wanted) in [
        ("e", EditTarget::SwarmConfig("s-shop-eu-web".into())),
        (". e", EditTarget::SwarmConfig("s-shop-eu-web".into())),
        (". v", EditTarget::SwarmEnv("s-shop-eu-web".into())),
        (". w", EditTarget::Whole(Kind::Swarm, "s-shop-eu-web".into())),
        (". n", EditTarget::New(Kind::Swarm, String::new())),
        (". c", EditTarget::New(Kind::Swarm, "s-shop-eu-web".into())),
    ] {
        assert_eq!(press(&mut state, keys), [Effect::OpenEditor(wanted)], "{keys}");
    }
    let mut hosts = state.clone();
    press(&mut hosts, "3");
    let opened = press(&mut hosts, "e");
    assert!(matches!(opened.as_slice(), [Effect::OpenEditor(EditTarget::Whole(Kind::Squad, _) | EditTarget::Host(_))]), "{opened:?}");
    for (word, kind) in [("apps", Kind::App), ("buildpacks", Kind::Buildpack), ("balancers", Kind::Balancer)] {
        let verbs = VERBS.iter().filter(|verb| format!("{:?}s", verb.on).to_lowercase() == word).map(|verb| verb.id);
        let name = "any".to_string();
        let row = match kind {
            Kind::App => Target::App(name.clone()),
            Kind::Buildpack => Target::Buildpack(name.clone()),
            _ => Target::Balancer(name.clone()),
        };
        let edits: Vec<EditTarget> = verbs.filter_map(|verb| edit::target(verb, &row)).collect();
        assert_eq!(
            edits,
            [EditTarget::Whole(kind, name.clone()), EditTarget::New(kind, String::new()), EditTarget::New(kind, name)],
            "{word}"
        );
    }
    let mut ingredients = state.clone();
    press(&mut ingredients, "7");
    assert!(matches!(press(&mut ingredients, ". w").as_slice(), [Effect::OpenEditor(EditTarget::Whole(Kind::Ingredient, _))]));

    let target = EditTarget::SwarmConfig("s-shop-eu-web".into());
    update(&mut state, Msg::EditorOpened { document: Box::new(Ok(document(target.clone(), "a: 1\nb: 1\n", 1))), draft: None });
    assert!(press(&mut state, "end 0 ^s").is_empty(), "the difference comes first");
    let mut early = state.clone();
    let y = Msg::Key { key: parse_key("y").unwrap(), now_ms: state.now_ms };
    assert!(update(&mut early, y).is_empty(), "not drawn yet");
    let text = "a: 10\nb: 1\n".to_string();
    assert_eq!(
        press(&mut state, "y"),
        [Effect::SaveEditor { target: target.clone(), text: text.clone(), rev: 1, why: String::new(), then_plan: false }]
    );
    // Somebody was quicker: theirs is read and comes in.
    let refused = Msg::Saved { target: target.clone(), text, then_plan: false, result: Err(Fault::refused("op2 saved it 3s ago")) };
    assert_eq!(update(&mut state, refused), [Effect::ReadAgain(target.clone())]);
    update(&mut state, Msg::ReadAgain(Box::new(Ok(document(target.clone(), "a: 1\nb: 2\n", 2)))));
    let shown = frame(&state, Depth::True).0;
    assert!(shown.contains("b: 2") && shown.contains("a: 10"), "{shown}");
    // Closed before the answer comes: it does not open again, and the draft is kept.
    let kept = press(&mut state, "esc");
    assert!(
        matches!(kept.as_slice(), [Effect::SaveDraft { draft: Some(draft), .. }] if draft.rev == 2 && draft.text == "a: 10\nb: 2\n"),
        "{kept:?}"
    );
    update(&mut state, Msg::ReadAgain(Box::new(Ok(document(target, "a: 7\n", 3)))));
    assert!(state.layers.is_empty());
}

#[test]
fn an_ingredient_saved_with_its_plan_goes_on_to_the_wave() {
    let mut state = state(80, 24);
    let id = state.look.ingredients[0].id.clone();
    let target = EditTarget::IngredientConfig(id.clone());
    update(&mut state, Msg::EditorOpened { document: Box::new(Ok(document(target.clone(), "a: 1\n", 1))), draft: None });
    let saved = EditSaved { target: target.clone(), rev: 2, title: "ingredient db config".into(), said: "saved".into() };
    let effects = update(&mut state, Msg::Saved { target, text: "a: 2\n".into(), then_plan: true, result: Ok(saved) });
    assert!(matches!(effects.as_slice(), [Effect::PlanWave { request, .. }] if request.ingredient.as_ref() == Some(&id)), "{effects:?}");
}
