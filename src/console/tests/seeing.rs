//! Seeing everything: lists and what lies below them, filters, sort, columns, tree, texts, versions, views, and the way back.

use super::fixture::{command, frame, look, press, state, versions};
use crate::console::effect::Effect;
use crate::console::msg::Msg;
use crate::console::state::{Kind, Layer, Scope, Sort, State, Tab};
use crate::console::theme::Depth;
use crate::console::update::{begin, update};
use crate::deck::look::{Look, Target};
use crate::deck::reading::Inquiry;
use std::sync::Arc;

fn kind(state: &State) -> Kind {
    state.pane().map(|pane| pane.kind).unwrap()
}

fn shown(state: &State) -> String {
    frame(state, Depth::Mono).0
}

fn targets(state: &State) -> Vec<Target> {
    state.pane().unwrap().order.iter().map(|(target, _)| target.clone()).collect()
}

#[test]
fn every_list_opens_by_its_name_and_enter_leads_to_what_lies_below() {
    for (line, ways) in [
        ("apps", &[Kind::Apps, Kind::Swarms, Kind::Procs][..]),
        ("buildpacks", &[Kind::Buildpacks, Kind::Apps, Kind::Swarms]),
        ("squads", &[Kind::Squads, Kind::Hosts]),
        ("balancers", &[Kind::Balancers, Kind::Pools, Kind::Nodes]),
        ("waves", &[Kind::Waves, Kind::Members, Kind::Places]),
        ("holds", &[Kind::Holds, Kind::Procs]),
        ("ingredients", &[Kind::Ingredients, Kind::Swarms]),
        ("audit", &[Kind::Audit, Kind::Places]),
        ("releases", &[Kind::Releases]),
        ("uptests", &[Kind::Uptests]),
    ] {
        let mut state = state(80, 24);
        command(&mut state, line);
        for (place, wanted) in ways.iter().enumerate() {
            assert_eq!(kind(&state), *wanted, "{line}");
            if place + 1 < ways.len() {
                press(&mut state, "enter");
            }
        }
        press(&mut state, "d");
        assert!(
            matches!(state.layers.last(), Some(Layer::Text { .. } | Layer::Dispatch { .. })) || ways.last() == Some(&Kind::Procs),
            "{line}"
        );
    }
}

#[test]
fn a_name_after_a_list_narrows_it() {
    let mut state = state(80, 24);
    command(&mut state, "releases shop-eu-web");
    assert_eq!(state.pane().unwrap().scope, Scope::Swarm("s-shop-eu-web".into()));
    assert_eq!(targets(&state).len(), 3);
    command(&mut state, "releases v5.2.9");
    assert_eq!(targets(&state), [Target::Release("s-shop-eu-web".into(), "41b0aabb00".into())]);
    command(&mut state, "swarms app:mail");
    assert_eq!((state.tab, targets(&state).len()), (Tab::Swarms, 2));
}

#[test]
fn filters_are_combined() {
    let mut state = state(120, 30);
    press(&mut state, "4");
    for (filter, count) in [
        ("app:shop", 20),
        ("app:shop host:web01", 6),
        ("app:shop host:web01 state:fatal", 1),
        ("state:fatal", 3),
        ("state:fatal !host:web05", 2),
        ("squad:web type:foreign", 1),
        ("~blogprod", 4),
        ("swarm:mail* !swarm:*cron", 6),
    ] {
        press(&mut state, "/ ^u");
        update(&mut state, Msg::Paste(filter.into()));
        press(&mut state, "enter");
        assert_eq!(targets(&state).len(), count, "{filter}");
    }
    command(&mut state, "audit");
    for (filter, seqs) in
        [("user:op1", vec![31]), ("type:edit", vec![30]), ("app:old", vec![29]), ("since:2h", vec![31, 30]), ("until:2h", vec![29])]
    {
        press(&mut state, "/ ^u");
        update(&mut state, Msg::Paste(filter.into()));
        press(&mut state, "enter");
        assert_eq!(targets(&state), seqs.into_iter().map(Target::Audit).collect::<Vec<_>>(), "{filter}");
    }
    press(&mut state, "/ ^u");
    update(&mut state, Msg::Paste("type:edit app:shop since:2h sale".into()));
    press(&mut state, "enter");
    let effects = command(&mut state, "audit export /tmp/a file");
    let [Effect::ExportAudit { wanted, path }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((wanted.verb.as_str(), wanted.app.as_str(), path.as_str()), ("edit", "shop", "/tmp/a file"));
    assert!(wanted.since_ms > 0 && wanted.text == ["sale"]);
}

#[test]
fn a_capital_sorts_up_then_down_then_by_the_next_column_with_that_letter() {
    let mut state = state(80, 24);
    press(&mut state, "3");
    let mut sorts = Vec::new();
    for _ in 0..5 {
        press(&mut state, "M");
        sorts.push(state.pane().unwrap().sort);
    }
    let column = |column, down| Sort::Column { column, down };
    assert_eq!(sorts, [column(4, false), column(4, true), column(11, false), column(11, true), Sort::Trouble]);
    // Ages are ordered as ages, not as text.
    press(&mut state, "2 L L");
    assert_eq!(targets(&state).first(), Some(&Target::Swarm("s-old-prod-web".into())), "{}", shown(&state));
    press(&mut state, "4 P P");
    let ports: Vec<String> = targets(&state).iter().map(|target| format!("{target:?}")).collect();
    assert!(ports[0].contains("8080") || ports[0].contains("job"), "{}", ports[0]);
}

#[test]
fn the_tree_folds_and_unfolds_and_its_cursor_is_an_object() {
    let mut state = state(100, 30);
    press(&mut state, "2 t");
    assert_eq!(kind(&state), Kind::Tree);
    let all = targets(&state);
    assert!(all.contains(&Target::App("shop".into())) && all.contains(&Target::Swarm("s-shop-eu-web".into())), "apps are open");
    assert!(!all.iter().any(|target| matches!(target, Target::Proc(..) | Target::Share(..))), "all else is folded");
    while state.pointed() != Target::Swarm("s-shop-eu-web".into()) {
        press(&mut state, "j");
    }
    press(&mut state, "right j");
    assert_eq!(state.pointed(), Target::Host("web01".into()), "what acts on a swarm's share of a host is the host");
    press(&mut state, "right j");
    assert!(matches!(state.pointed(), Target::Proc(host, _) if host == "web01"));
    press(&mut state, "left left left");
    assert_eq!(state.pointed(), Target::Swarm("s-shop-eu-web".into()));
    press(&mut state, "left");
    assert!(!targets(&state).iter().any(|target| matches!(target, Target::Share(..))), "folded again");
    press(&mut state, "left left");
    assert!(!targets(&state).contains(&Target::Swarm("s-shop-eu-web".into())), "the app is folded");
    // What is looked for is shown wherever it is folded away.
    press(&mut state, "/");
    update(&mut state, Msg::Paste("state:fatal".into()));
    press(&mut state, "enter");
    assert_eq!(targets(&state).iter().filter(|target| matches!(target, Target::Proc(..))).count(), 3);
    press(&mut state, "esc t");
    assert_eq!(kind(&state), Kind::Swarms);
}

#[test]
fn texts_are_read_and_copied_and_late_ones_are_dropped() {
    let mut state = state(80, 24);
    let effects = press(&mut state, "2 y");
    let [Effect::Read { ticket, inquiry: Inquiry::Yaml(Target::Swarm(id)) }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(id, "s-shop-eu-web");
    assert!(shown(&state).contains("reading"));
    let lines: Vec<String> = (0..100).map(|number| format!("key{number}: value")).collect();
    update(&mut state, Msg::Read { ticket: *ticket, lines: Ok(lines.clone()) });
    assert!(shown(&state).contains("key0: value") && shown(&state).contains("more below"));
    press(&mut state, "G");
    assert!(shown(&state).contains("key99: value") && !shown(&state).contains("more below"));
    assert_eq!(press(&mut state, "c"), [Effect::Copy(lines.join("\n"))]);
    press(&mut state, "esc");
    assert!(state.layers.is_empty());
    let effects = press(&mut state, "=");
    let [Effect::Read { ticket, inquiry: Inquiry::Running(_) }] = effects.as_slice() else { panic!("{effects:?}") };
    let ticket = *ticket;
    assert_eq!(press(&mut state, "esc"), [Effect::Stop { ticket }]);
    update(&mut state, Msg::Read { ticket, lines: Ok(vec!["late".into()]) });
    assert!(!shown(&state).contains("late"));
}

#[test]
fn two_marked_releases_are_compared_and_one_with_what_runs() {
    let mut state = state(80, 24);
    command(&mut state, "releases");
    let release = |id: &str| Target::Release("s-shop-eu-web".into(), id.into());
    assert!(press(&mut state, "=").is_empty(), "it runs");
    let effects = press(&mut state, "j =");
    assert!(
        matches!(&effects[..], [Effect::Read { inquiry: Inquiry::Compare(old, new), .. }] if *old == release("41b0aabb00") && *new == release("9c1e77aa00"))
    );
    press(&mut state, "esc g g j space space");
    let effects = press(&mut state, "=");
    assert!(
        matches!(&effects[..], [Effect::Read { inquiry: Inquiry::Compare(old, new), .. }] if *old == release("77aa001100") && *new == release("41b0aabb00")),
        "{effects:?}"
    );
}

#[test]
fn a_version_is_gone_back_to_behind_one_question() {
    let mut state = state(80, 24);
    let effects = press(&mut state, "2 h");
    let [Effect::History { ticket, target }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(*target, Target::Swarm("s-shop-eu-web".into()));
    let (ticket, target) = (*ticket, target.clone());
    update(&mut state, Msg::History { ticket: ticket + 9, target: target.clone(), versions: Ok(versions()) });
    assert!(state.layers.is_empty(), "nobody asked for those");
    update(&mut state, Msg::History { ticket, target, versions: Ok(versions()) });
    assert_eq!(kind(&state), Kind::Versions);
    let version = |rev| Target::Version("s-shop-eu-web".into(), rev);
    let effects = press(&mut state, "enter");
    assert!(matches!(&effects[..], [Effect::Read { inquiry: Inquiry::Change(_, 3), .. }]));
    press(&mut state, "esc j");
    let effects = press(&mut state, "=");
    assert!(matches!(&effects[..], [Effect::Read { inquiry: Inquiry::Compare(old, new), .. }] if *old == version(2) && *new == version(3)));
    let mut cancelled = state.clone();
    assert_eq!(press(&mut cancelled, ". b enter"), [], "cancel has the focus");
    // From the difference too.
    assert_eq!(press(&mut state, ". b y"), [Effect::Revert { id: "s-shop-eu-web".into(), rev: 2 }]);
    press(&mut state, "4 j");
    assert!(press(&mut state, "8 h").is_empty(), "an event has no versions");
}

#[test]
fn brackets_lead_back_and_forth() {
    let mut state = state(80, 24);
    press(&mut state, "2 j j enter");
    let procs = state.pane().unwrap().scope.clone();
    press(&mut state, "d 3");
    assert_eq!((state.tab, state.layers.len()), (Tab::Hosts, 0));
    press(&mut state, "[");
    assert!(state.tab == Tab::Swarms && matches!(state.layers.last(), Some(Layer::Text { .. })));
    press(&mut state, "[");
    assert_eq!(state.pane().unwrap().scope, procs);
    assert!(!targets(&state).is_empty());
    press(&mut state, "[");
    assert_eq!((kind(&state), state.pane().unwrap().at()), (Kind::Swarms, Some(2)));
    press(&mut state, "[");
    assert_eq!(state.tab, Tab::Dash);
    press(&mut state, "[");
    assert!(shown(&state).contains("where you began"));
    press(&mut state, "] ] ]");
    assert!(matches!(state.layers.last(), Some(Layer::Text { .. })));
    press(&mut state, "[ 5");
    press(&mut state, "]");
    assert_eq!(state.tab, Tab::Builds, "a new way ends the old one");
}

#[test]
fn views_are_saved_and_the_chosen_one_opens_first() {
    let mut state = state(80, 24);
    press(&mut state, "4 ! P");
    press(&mut state, "/");
    update(&mut state, Msg::Paste("app:shop".into()));
    press(&mut state, "enter");
    let effects = command(&mut state, "dash save shop");
    let [Effect::KeepHabits(habits)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((habits.dashes[0].list.as_str(), habits.dashes[0].sort.as_str()), ("procs", "PORT"));
    let effects = command(&mut state, "dash default shop");
    let [Effect::KeepHabits(habits)] = effects.as_slice() else { panic!("{effects:?}") };
    let mut fresh = State::new(Arc::new(Look { habits: habits.clone(), ..look() }), (80, 24), "dark");
    begin(&mut fresh);
    let pane = fresh.pane().unwrap();
    assert_eq!((fresh.tab, pane.filter.as_str(), pane.trouble_only), (Tab::Procs, "app:shop", true));
    assert_eq!(pane.sort, Sort::Column { column: 2, down: false });
    assert_eq!(targets(&fresh).len(), 5);
    // Another console of this user changed them.
    update(&mut fresh, Msg::Look(Arc::new(look())));
    assert!(fresh.habits.dashes.is_empty());
    press(&mut state, "1");
    command(&mut state, "dash shop");
    assert_eq!(state.tab, Tab::Procs);
    assert!(matches!(&command(&mut state, "dash forget shop")[..], [Effect::KeepHabits(habits)] if habits.first.is_empty()));
}

#[test]
fn columns_are_chosen_and_kept() {
    let mut state = state(80, 24);
    press(&mut state, "3");
    assert!(shown(&state).contains("LOAD"));
    assert!(command(&mut state, "columns").is_empty());
    let effects = press(&mut state, "j j j space k left enter");
    let [Effect::KeepHabits(habits)] = effects.as_slice() else { panic!("{effects:?}") };
    let titles = &habits.columns["hosts"];
    assert!(!titles.contains(&"LOAD".to_string()) && titles[..3] == ["HOST", "PROCS", "STATE"], "{titles:?}");
    assert!(!shown(&state).contains("LOAD"));
    let effects = (command(&mut state, "columns"), press(&mut state, "* enter")).1;
    assert!(matches!(&effects[..], [Effect::KeepHabits(habits)] if habits.columns.is_empty()));
}

#[test]
fn a_dispatch_of_the_past_is_read_when_it_is_opened() {
    let mut state = state(80, 24);
    let mut past = look();
    past.dispatches[0].outcome = Some(crate::model::record::Outcome::Done);
    past.dispatches[0].steps.clear();
    update(&mut state, Msg::Look(Arc::new(past)));
    assert_eq!(press(&mut state, "6 enter"), [Effect::Attend { dispatch: "d-412".into() }]);
    press(&mut state, "esc 1");
    command(&mut state, "audit");
    press(&mut state, "enter");
    assert!(matches!(state.layers.last(), Some(Layer::Dispatch { .. })));
}

#[test]
fn beside_a_wide_dash_the_log_of_what_the_cursor_rests_on_is_followed() {
    use crate::deck::logs::LogRequest;
    use crate::deck::look::LogLine;
    let mut state = state(200, 60);
    press(&mut state, "tab tab");
    assert!(state.peek.log.is_none(), "it moved just now");
    let now_ms = state.now_ms + 800;
    let effects = update(&mut state, Msg::Tick { now_ms });
    let [Effect::FollowLog { ticket, request: LogRequest { of: Target::Swarm(_), .. } }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    let ticket = *ticket;
    let line = LogLine { at_ms: now_ms, from: "web01".into(), text: "KeyError: db_host".into() };
    update(&mut state, Msg::LogLines { ticket, lines: vec![line] });
    assert!(shown(&state).contains("KeyError: db_host"));
    let now_ms = state.now_ms + 800;
    assert!(update(&mut state, Msg::Tick { now_ms }).is_empty(), "once");
    assert_eq!(press(&mut state, "j"), [Effect::Stop { ticket }]);
    assert!(!shown(&state).contains("KeyError: db_host"));
}

#[test]
fn what_was_written_is_edited_and_cloned_from_its_list() {
    use crate::deck::look::EditTarget;
    use crate::model::document::Kind as Written;
    for (list, kind, name) in
        [("apps", Written::App, "shop"), ("buildpacks", Written::Buildpack, "python"), ("balancers", Written::Balancer, "edge")]
    {
        let mut state = state(80, 24);
        command(&mut state, list);
        assert_eq!(press(&mut state, "e"), [Effect::OpenEditor(EditTarget::Whole(kind, name.into()))], "{list}");
        assert_eq!(press(&mut state, ". c"), [Effect::OpenEditor(EditTarget::New(kind, name.into()))], "{list}");
    }
}

#[test]
fn a_filter_puts_the_cursor_on_its_first_row() {
    let mut state = state(80, 24);
    press(&mut state, "2 G / m a i l enter");
    assert_eq!(state.pane().unwrap().at(), Some(0));
    let before = state.pointed();
    // What goes away by itself does not move it to another object.
    let mut other = look();
    other.swarms.retain(|swarm| Target::Swarm(swarm.id.clone()) != before);
    update(&mut state, Msg::Look(Arc::new(other)));
    assert_eq!(state.pointed(), Target::Nothing);
}

#[test]
fn zoom_gives_one_pane_the_dash() {
    let mut state = state(80, 24);
    press(&mut state, "tab");
    assert!(shown(&state).contains("NEEDS YOU") && shown(&state).contains("LATEST"));
    press(&mut state, "z");
    assert!(!shown(&state).contains("NEEDS YOU") && shown(&state).contains("SWARMS 9"));
    press(&mut state, "esc");
    assert!(shown(&state).contains("LATEST"));
}
