//! Marks and verbs on several rows, what can be undone, what is gone, and waves that are held.

use super::fake::Fake;
use super::fixture::{NOW, command, frame, hold, look, plan, press, state};
use crate::console::effect::Effect;
use crate::console::msg::Msg;
use crate::console::run::Runner;
use crate::console::state::{Confirm, Kind, Layer, State};
use crate::console::theme::Depth;
use crate::console::update::update;
use crate::deck::StrayPlan;
use crate::deck::lists::{Deleted, Lists};
use crate::deck::look::{Look, Replaced, Target};
use crate::deck::wave::{WaveGo, WaveOf, WavePlan};
use crate::model::Fault;
use crate::model::document;
use crate::model::hold::HoldOn;
use crate::model::record::{Audit, Outcome};
use std::sync::Arc;

fn question(state: &State) -> Confirm {
    match state.layers.last() {
        Some(Layer::Confirm(confirm)) => (**confirm).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn v_marks_a_range_that_follows_the_cursor_and_ends_with_v() {
    let mut state = state(80, 24);
    press(&mut state, "2 space j v j j");
    assert_eq!(state.marks.len(), 4, "one by itself, three in the range: {:?}", state.marks);
    press(&mut state, "k");
    assert_eq!(state.marks.len(), 3, "it goes back with the cursor");
    press(&mut state, "v j j");
    assert_eq!((state.marks.len(), state.range.is_some()), (3, false), "v ended it");
    press(&mut state, "\\ v G");
    assert_eq!(state.marks.len(), 4);
    press(&mut state, "esc");
    assert!(state.range.is_none() && state.marks.len() == 4, "esc ends the range, not the marks");
    press(&mut state, "3");
    assert!(state.marks.is_empty(), "another list");
}

#[test]
fn marked_procs_are_one_question_that_names_them_and_each_has_its_row() {
    let mut state = state(80, 24);
    press(&mut state, "4 v j j j v");
    let marked: Vec<Target> = state.marks.iter().cloned().collect();
    assert_eq!(marked.len(), 4);
    // The cursor has gone on to another row: those that are marked all the same, or that row would be taken for one of them.
    let mut other = state.clone();
    press(&mut other, "j . k");
    assert_eq!(question(&other).title, "Stop 4 procs?");
    let mut one = crate::console::tests::fixture::state(80, 24);
    press(&mut one, "4 space");
    let first = one.marks.iter().next().cloned().unwrap();
    press(&mut one, "j . k");
    let Target::Proc(host, _) = &first else { panic!("{first:?}") };
    assert!(question(&one).lines.iter().any(|line| line.contains(host.as_str())), "{:?}", question(&one));
    press(&mut one, "esc \\ . k");
    assert!(question(&one).title.starts_with("Stop this proc"), "{:?}", question(&one));
    press(&mut state, ". k");
    let asked = question(&state);
    assert_eq!(asked.title, "Stop 4 procs?");
    for target in &marked {
        let Target::Proc(host, name) = target else { panic!("{target:?}") };
        assert!(asked.lines.iter().any(|line| line.contains(host.as_str()) && line.contains(name.as_str())), "{name}: {asked:?}");
    }
    assert_eq!(press(&mut state.clone(), "enter"), [], "cancel has the focus");
    let effects = press(&mut state, "y");
    let [Effect::Procs { ticket, verb: "stop", procs, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(procs.len(), 4);
    assert!(state.marks.is_empty() && effects[0].changes_something());
    assert!(frame(&state, Depth::True).0.contains("~ web0"), "a row for each");
    let lines = vec!["* web01  a  stopped".to_string(), "! web02  b  it does not answer".into()];
    update(&mut state, Msg::Read { ticket: *ticket, lines: Ok(lines) });
    assert!(frame(&state, Depth::True).0.contains("! web02  b  it does not answer"));
}

#[test]
fn esc_clears_a_filter_that_nothing_matches_before_it_leaves_the_list() {
    let mut state = state(80, 24);
    press(&mut state, "2 enter / z z z z enter");
    assert!(state.pane().is_some_and(|pane| pane.order.is_empty()) && frame(&state, Depth::True).0.contains("esc clears it"));
    let layers = state.layers.len();
    press(&mut state, "esc");
    assert!(state.layers.len() == layers && state.pane().is_some_and(|pane| !pane.order.is_empty()), "{:?}", state.layers.len());
    press(&mut state, "esc");
    assert_eq!(state.layers.len(), layers - 1);
}

#[test]
fn what_a_text_covers_is_neither_marked_nor_sorted() {
    let mut state = state(80, 24);
    press(&mut state, "4");
    let before = state.pane().map(|pane| pane.sort);
    press(&mut state, "? space * v N");
    assert!(state.marks.is_empty() && state.range.is_none() && state.pane().map(|pane| pane.sort) == before);
    press(&mut state, "esc space");
    assert_eq!(state.marks.len(), 1);
}

#[tokio::test]
async fn the_rows_of_several_are_told_as_they_come_and_summed_up() {
    let (answers, mut heard) = tokio::sync::mpsc::channel(64);
    let fake = Fake::new(look(), None, Box::new(|_| {}));
    let mut runner = Runner::new(Arc::new(fake), answers);
    let procs = ["a", "b", "c"].map(|name| ("web01".to_string(), name.to_string())).to_vec();
    runner.start(Effect::Procs { ticket: 9, title: "stop 3 procs".into(), verb: "stop", procs });
    let mut rows = Vec::new();
    let summed = loop {
        match heard.recv().await.unwrap() {
            Msg::Read { ticket: 9, lines } => rows = lines.unwrap(),
            Msg::Said(said) => break said,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(rows, ["* web01  a  stop a", "! web01  b  it does not answer", "* web01  c  stop c"]);
    assert!(summed.unwrap_err().what.contains("2 of 3 done"));
    let acts = ["x", "y"].map(|name| (name.to_string(), Effect::Lift { name: name.into() })).to_vec();
    runner.start(Effect::Bulk { ticket: 10, title: "lift 2 holds".into(), acts });
    let said = loop {
        if let Msg::Said(said) = heard.recv().await.unwrap() {
            break said;
        }
    };
    assert_eq!(said.unwrap(), "lift 2 holds: done");
}

#[test]
fn what_is_done_to_one_at_a_time_says_so_and_long_questions_scroll() {
    let mut state = state(80, 24);
    press(&mut state, "2 * . =");
    assert!(state.layers.is_empty());
    assert!(frame(&state, Depth::True).0.contains("size is done to one at a time; 9 are marked"));
    press(&mut state, "4 *");
    let count = state.marks.len();
    press(&mut state, ". r");
    let shown = frame(&state, Depth::True).0;
    assert!(shown.contains(&format!("Restart {count} procs?")) && shown.contains("lines; pgdn, pgup --"), "{shown}");
    let before = shown;
    press(&mut state, "pgdn");
    let shown = frame(&state, Depth::True).0;
    assert!(shown != before && shown.contains(&format!("[ restart {count} procs ]")), "{shown}");
    press(&mut state, "pgdn pgdn pgdn pgdn pgdn pgdn");
    let end = frame(&state, Depth::True).0;
    let last = state.look.world.procs().filter(|proc| proc.swarm.is_some()).map(|proc| proc.name.clone()).max_by_key(|name| name.len());
    assert!(last.is_some() && end.contains(&format!("-- {} of {} lines", count + 2, count + 2)), "{end}");
}

#[test]
fn marked_rows_of_every_kind_have_one_question() {
    let asked = |keys: &str| {
        let mut state = state(80, 24);
        let effects = press(&mut state, keys);
        (state, effects)
    };
    // Retiring is planned for each, and shown as one.
    let (mut state, effects) = asked("4 space space k . q");
    let [Effect::PlanStrays { verb: "retire", all }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(all.len(), 2);
    let planned = StrayPlan { verb: "retire".into(), lines: vec!["out of shop@edge".into(), "stop".into()], ..StrayPlan::default() };
    let plans = vec![("web01  a".to_string(), Ok(planned.clone())), ("web02  b".into(), Err(Fault::refused("it is held")))];
    update(&mut state, Msg::StraysPlanned { verb: "retire", plans: Ok(plans) });
    let confirm = question(&state);
    assert_eq!(confirm.lines, ["web01  a: out of shop@edge; stop", "! left out: web02  b: it is held"]);
    let effects = press(&mut state, "y");
    let [Effect::Bulk { acts, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(acts.as_slice(), [("web01  a".to_string(), Effect::Stray(planned))]);
    // Holds of several: one reason, each its hold; those that are held are lifted by name.
    let (mut state, _) = asked("2 space space k . h s a l e enter");
    let confirm = question(&state);
    assert!(confirm.title == "Hold 2 rows?" && confirm.lines.iter().any(|line| line.starts_with("swarm shop-eu-web")), "{confirm:?}");
    let effects = press(&mut state, "y");
    let [Effect::Bulk { acts, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(acts.iter().all(|(_, act)| matches!(act, Effect::Hold { on: HoldOn::Swarm, why, .. } if why == "sale")), "{acts:?}");
    // Hosts out of service, swarms restarted as a wave, objects deleted.
    let (mut state, _) = asked("3 j space space k . 0");
    assert_eq!(question(&state).title, "Out-of-service 2 hosts?");
    assert!(matches!(press(&mut state, "y").as_slice(), [Effect::Bulk { acts, .. }] if acts.len() == 2));
    let (_, effects) = asked("2 space space k . r");
    assert!(
        matches!(effects.as_slice(), [Effect::PlanWave { request, .. }] if request.what == WaveOf::Restart && request.swarms.len() == 2)
    );
    let (state, _) = asked("2 space G space . -");
    let confirm = question(&state);
    assert!(
        confirm.title == "Delete 1 objects?" && confirm.lines[0].starts_with("! left out, swarm shop-eu-web is used by"),
        "{confirm:?}"
    );
}

/// With something of everything that can be undone.
fn undone() -> Look {
    let mut look = look();
    look.dispatches[0].outcome = Some(Outcome::Done);
    look.dispatches[0].ended_ms = NOW - 30_000;
    let mut hosts = vec![crate::model::entity::Host {
        id: "h-web02".into(),
        name: "web02".into(),
        squad: "web".into(),
        transport: Default::default(),
        address: "web02".into(),
        port: None,
        user: None,
        become_: Default::default(),
        root: "/apps".into(),
        ports: Default::default(),
        active: false,
        protect: false,
        supervisor: Default::default(),
    }];
    look.hosts.append(&mut hosts);
    let gone = Deleted {
        id: "a-gone".into(),
        kind: document::Kind::App,
        name: "crm".into(),
        rev: 5,
        who: "op2".into(),
        at_ms: NOW - 90_000,
        why: "sold".into(),
    };
    let mut audit = look.lists.audit.clone();
    audit.insert(0, Audit { seq: 40, at_ms: NOW, verb: "delete".into(), object: "app crm".into(), who: "op2".into(), ..Audit::default() });
    look.lists = Arc::new(Lists { deleted: vec![gone], audit, ..Lists::clone(&look.lists) });
    look
}

#[test]
fn u_lists_what_can_be_undone_and_each_row_opens_its_plan_or_question() {
    let mut state = state(100, 30);
    update(&mut state, Msg::Look(Arc::new(undone())));
    assert_eq!(press(&mut state, "u"), [], "it never acts at once");
    assert_eq!(state.pane().unwrap().kind, Kind::Undo);
    insta::assert_snapshot!(frame(&state, Depth::True).0);
    let rows: Vec<Target> = state.pane().unwrap().order.iter().map(|(target, _)| target.clone()).collect();
    for target in rows {
        let mut state = state.clone();
        let place = state.pane().unwrap().order.iter().position(|(row, _)| *row == target).unwrap();
        state.pane_mut().unwrap().put(place);
        let effects = press(&mut state, "enter");
        assert!(!effects.iter().any(Effect::changes_something), "{target:?}: {effects:?}");
        match &target {
            Target::Swarm(id) => {
                assert!(
                    matches!(effects.as_slice(), [Effect::Plan { request, .. }] if request.swarm == *id && request.rollback_to.is_some())
                );
            }
            Target::Version(id, rev) => {
                assert_eq!(press(&mut state, "y"), [Effect::Revert { id: id.clone(), rev: *rev }]);
                assert!(id != "a-gone" || *rev == 4, "what it was, not its end");
            }
            Target::Hold(name) => assert_eq!(press(&mut state, "y"), [Effect::Lift { name: name.clone() }]),
            Target::Host(host) => assert_eq!(press(&mut state, "y"), [Effect::Service { host: host.clone(), active: true }]),
            Target::Stray(place, name) => {
                assert_eq!(press(&mut state, "y"), [Effect::Unignore { place: place.clone(), name: name.clone() }]);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_is_gone_has_its_history_by_line_and_from_the_audit() {
    let mut state = state(80, 24);
    update(&mut state, Msg::Look(Arc::new(undone())));
    let gone = Target::Version("a-gone".into(), 5);
    let effects = command(&mut state, "history app crm");
    assert!(matches!(effects.as_slice(), [Effect::History { target, .. }] if *target == gone), "{effects:?}");
    let effects = command(&mut state, "history swarm shop-eu-web");
    assert!(matches!(effects.as_slice(), [Effect::History { target: Target::Swarm(_), .. }]), "{effects:?}");
    command(&mut state, "audit");
    let effects = press(&mut state, "enter");
    let [Effect::History { ticket, target }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(*target, gone);
    let version = |rev: i64, deleted: bool| crate::deck::past::VersionLook {
        id: "a-gone".into(),
        kind: document::Kind::App,
        name: "crm".into(),
        rev,
        who: "op2".into(),
        at_ms: NOW,
        why: String::new(),
        deleted,
        current: false,
        added: 3,
        removed: 0,
    };
    update(&mut state, Msg::History { ticket: *ticket, target: gone, versions: Ok(vec![version(5, true), version(4, false)]) });
    let shown = frame(&state, Depth::True).0;
    assert!(shown.contains("HISTORY app crm") && shown.contains("deleted"), "{shown}");
    press(&mut state, "j . b");
    assert!(question(&state).lines.iter().any(|line| line.contains("app crm was deleted") && line.contains("sold")));
    assert_eq!(press(&mut state, "y"), [Effect::Revert { id: "a-gone".into(), rev: 4 }]);
}

#[test]
fn a_wave_goes_past_holds_only_by_a_button_that_names_them() {
    let mut state = state(80, 24);
    press(&mut state, "2 space space k");
    let effects = press(&mut state, ". d enter");
    let Some(Effect::PlanWave { ticket, .. }) = effects.first().cloned() else { panic!("{effects:?}") };
    let mut held = plan();
    (held.id, held.held) = ("p-2".into(), vec![hold("rollback-97", HoldOn::Swarm, "s-shop-prod-web", "shop-prod-web@web")]);
    let planned = WavePlan { plans: vec![plan(), held], ..WavePlan::default() };
    update(&mut state, Msg::WavePlanned { ticket, why: "sale".into(), plan: Box::new(Ok(planned)) });
    let confirm = question(&state);
    assert!(confirm.lines.iter().any(|line| line.starts_with("! shop-prod-web@web is HELD by rollback-97 by op1")), "{confirm:?}");
    assert_eq!(press(&mut state, "y"), [], "never by y");
    let go = |plans: &[&str], lift: &[&str]| {
        let words = |words: &[&str]| words.iter().map(|word| word.to_string()).collect();
        Effect::BeginWave(WaveGo { plans: words(plans), what: WaveOf::Version, why: "sale".into(), lift: words(lift) })
    };
    assert_eq!(press(&mut state.clone(), "tab enter"), [go(&["p-1", "p-2"], &["rollback-97"])]);
    assert_eq!(press(&mut state, "tab tab enter"), [go(&["p-1"], &[])], "or only what is free");
}

#[test]
fn a_host_with_several_swarms_is_emptied_as_one_wave_and_waves_go_back_and_on() {
    let mut state = state(80, 24);
    let host = "web01".to_string();
    press(&mut state, "3 / w e b 0 1 enter");
    assert_eq!(state.pointed(), Target::Host(host.clone()));
    let effects = press(&mut state, ". v");
    let [Effect::PlanWave { request, ticket }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(request.what, WaveOf::Evacuate(host.clone()));
    let planned = WavePlan { plans: vec![plan(), plan()], what: request.what.clone(), ..WavePlan::default() };
    update(&mut state, Msg::WavePlanned { ticket: *ticket, why: String::new(), plan: Box::new(Ok(planned)) });
    assert_eq!(question(&state).title, format!("Evacuate {host}: 2 swarms as one wave?"));
    assert!(matches!(press(&mut state, "y").as_slice(), [Effect::BeginWave(go)] if go.what == WaveOf::Evacuate(host)));
    command(&mut state, "waves");
    for (key, what) in [("b", WaveOf::BackOf(7)), ("y", WaveOf::RestOf(7))] {
        let effects = press(&mut state.clone(), &format!(". {key}"));
        assert!(matches!(effects.as_slice(), [Effect::PlanWave { request, .. }] if request.what == what), "{effects:?}");
    }
    // One swarm there: its own plan.
    let mut one = look();
    let mut world = (*one.world).clone();
    for seen in world.hosts.values_mut() {
        seen.procs.retain(|proc| proc.swarm.as_deref() == Some("shop-eu-web@web"));
    }
    one.world = Arc::new(world);
    update(&mut state, Msg::Look(Arc::new(one)));
    press(&mut state, "esc 3");
    let effects = press(&mut state, ". v");
    assert!(
        matches!(effects.as_slice(), [Effect::Plan { request, .. }] if matches!(request.replace, Some(Replaced::OnHost(_)))),
        "{effects:?}"
    );
}

#[test]
fn several_rows_ask_for_the_name_of_what_is_protected_among_them() {
    use crate::model::protect::{Protected, Protection};
    let mut guarded = look();
    let mut protection = Protection::default();
    for swarm in &guarded.swarms {
        protection.swarm(&swarm.id, Protected { on: HoldOn::Squad, name: "web".into() });
    }
    guarded.protection = Arc::new(protection);
    let mut state = state(80, 24);
    update(&mut state, Msg::Look(Arc::new(guarded)));
    press(&mut state, "4 v j j v . k");
    assert_eq!(question(&state).protected.map(|by| by.asked().to_string()), Some("web".into()));
    assert_eq!(press(&mut state.clone(), "y enter"), [], "y is a letter of a name here");
    assert!(matches!(press(&mut state, "w e b enter").as_slice(), [Effect::Procs { procs, .. }] if procs.len() == 3));
}
