//! What keeps prod from harm: names that are typed, a fleet that is only looked at, and a first line that says which fleet it is.

use super::fixture::{command, frame, look, plan, press, state};
use super::frames::screens;
use crate::console::effect::Effect;
use crate::console::keys::parse_key;
use crate::console::msg::Msg;
use crate::console::state::{Confirm, Layer, State};
use crate::console::theme::{self, Depth};
use crate::console::update::update;
use crate::console::view::view;
use crate::deck::look::Look;
use crate::deck::wave::WavePlan;
use crate::model::colour::Colour;
use crate::model::hold::HoldOn;
use crate::model::protect::{Protected, Protection};
use crate::model::writing::Writing;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use std::sync::Arc;

fn with(state: &mut State, change: impl FnOnce(&mut Look)) {
    let mut look = look();
    change(&mut look);
    update(state, Msg::Look(Arc::new(look)));
}

fn protect(state: &mut State, change: impl FnOnce(&mut Protection)) {
    with(state, |look| change(Arc::make_mut(&mut look.protection)));
}

fn swarm(name: &str) -> Protected {
    Protected { on: HoldOn::Swarm, name: format!("{name}@web") }
}

fn question(state: &State) -> &Confirm {
    match state.layers.last() {
        Some(Layer::Confirm(confirm)) => confirm,
        other => panic!("{other:?}"),
    }
}

/// Types a word, a key each.
fn word(state: &mut State, word: &str) -> Vec<Effect> {
    press(state, &word.chars().map(String::from).collect::<Vec<_>>().join(" "))
}

#[test]
fn a_question_about_what_is_protected_wants_its_name_and_no_y() {
    let mut state = state(80, 24);
    protect(&mut state, |all| all.swarm("s-shop-eu-web", swarm("shop-eu-web")));
    press(&mut state, "2 enter . k");
    assert_eq!(question(&state).title, "Stop this proc?");
    let shown = frame(&state, Depth::True).0;
    assert!(shown.contains("swarm shop-eu-web is protected: type shop-eu-web to go on") && shown.contains("type its name"), "{shown}");
    // Too early, pasted, a yes, half of it: none of these.
    let early = Msg::Key { key: parse_key("s").unwrap(), now_ms: state.now_ms };
    update(&mut state, early);
    update(&mut state, Msg::Paste("shop-eu-web".into()));
    assert_eq!(question(&state).name.text, "");
    assert!(press(&mut state, "y enter").is_empty());
    assert!(frame(&state, Depth::True).0.contains("that is not its name: type shop-eu-web, or esc"));
    assert!(press(&mut state, "tab enter").is_empty(), "the button asks for it too");
    press(&mut state, "back s-tab");
    assert!(word(&mut state, "shop-eu-we").is_empty());
    assert_eq!(question(&state).focus, 0);
    press(&mut state, "b");
    assert_eq!(question(&state).focus, 1, "the whole name goes to the button");
    let effects = press(&mut state, "enter");
    assert!(matches!(&effects[..], [Effect::Proc { verb: "stop", .. }]), "{effects:?}");
    press(&mut state, "d");
    let shown = frame(&state, Depth::True).0;
    assert!(shown.contains("swarm shop-eu-web is protected: its name is asked for"), "{shown}");
    press(&mut state, "esc");
    // What is not protected goes by y, and esc always leaves.
    press(&mut state, "esc g g j j enter . k");
    assert!(question(&state).protected.is_none());
    press(&mut state, "esc");
    assert!(!matches!(state.layers.last(), Some(Layer::Confirm(_))));
}

#[test]
fn a_plan_of_what_is_protected_is_carried_out_by_its_name() {
    let mut state = state(80, 24);
    protect(&mut state, |all| {
        all.swarm(&plan().swarm_id, swarm("shop-prod-web"));
        all.host("web01", Protected { on: HoldOn::Squad, name: "web".into() });
    });
    let effects = press(&mut state, ". d enter");
    let Some(Effect::Plan { ticket, .. }) = effects.first().cloned() else { panic!("{effects:?}") };
    update(&mut state, Msg::Planned { ticket, plan: Box::new(Ok(plan())) });
    for (width, height) in [(80, 24), (60, 20), (200, 60)] {
        update(&mut state, Msg::Resize(width, height));
        let shown = frame(&state, Depth::True).0;
        assert!(shown.contains("squad web is protected: y, then type web"), "the widest name\n{shown}");
    }
    assert!(press(&mut state, "y").is_empty());
    update(&mut state, Msg::Paste("web".into()));
    assert!(press(&mut state, "w e enter").is_empty());
    assert!(frame(&state, Depth::True).0.contains("that is not its name"));
    let mut left = state.clone();
    press(&mut left, "esc");
    assert!(press(&mut left, "tab enter").is_empty(), "the button asks for it too");
    // Planned anew: it is typed again.
    let mut again = state.clone();
    update(&mut again, Msg::Planned { ticket, plan: Box::new(Ok(plan())) });
    let effects = press(&mut again, "b enter");
    assert!(!effects.iter().any(Effect::changes_something), "{effects:?}");
    let effects = press(&mut state, "b enter");
    assert!(matches!(&effects[..], [Effect::Execute { plan_id, .. }] if plan_id == "p-1"), "{effects:?}");
    assert!(press(&mut state, "enter").is_empty(), "once");
}

#[test]
fn waves_cancels_and_leaving_ask_for_the_most_protected_name() {
    let mut state = state(80, 24);
    let fleet = |all: &mut Protection| {
        all.fleet("PROD-EU");
        all.swarm("s-shop-prod-web", swarm("shop-prod-web"));
    };
    protect(&mut state, fleet);
    let asked = |state: &State| question(state).protected.as_ref().map(|by| by.asked().to_string());
    let mut wave = state.clone();
    press(&mut wave, "2 space space k");
    let effects = press(&mut wave, ". d enter");
    let Some(Effect::PlanWave { ticket, .. }) = effects.first().cloned() else { panic!("{effects:?}") };
    let planned = WavePlan { plans: vec![plan(), plan()], ..WavePlan::default() };
    update(&mut wave, Msg::WavePlanned { ticket, why: String::new(), plan: Box::new(Ok(planned)) });
    assert_eq!(asked(&wave).as_deref(), Some("PROD-EU"));
    assert!(press(&mut wave, "y enter").is_empty());
    press(&mut wave, "back");
    word(&mut wave, "PROD-EU");
    assert!(matches!(&press(&mut wave, "enter")[..], [Effect::BeginWave(_)]));

    let mut cancel = state.clone();
    press(&mut cancel, "6 . x");
    assert_eq!(asked(&cancel).as_deref(), Some("PROD-EU"));
    // Leaving it going hurts nobody; undoing it does.
    let mut leave = state.clone();
    press(&mut leave, "q");
    assert_eq!(asked(&leave).as_deref(), Some("PROD-EU"));
    let undo = press(&mut leave.clone(), "s-tab enter");
    assert!(undo.is_empty(), "{undo:?}");
    assert!(matches!(&press(&mut leave, "enter")[..], [Effect::HandOver { .. }]));
    // What is only written down is nobody's name.
    let mut held = state.clone();
    press(&mut held, "2 . h s tab 2 h enter");
    assert_eq!(asked(&held), None);
}

#[test]
fn a_read_only_fleet_bars_every_change_until_it_is_lifted_and_again_after() {
    let mut state = state(80, 24);
    with(&mut state, |look| look.writing = Writing::ReadOnly);
    for keys in ["2 . d", "2 . >", "2 . h", "4 . k", "4 s", "4 . >", "9 . q", "9 . i", "6 . x", "3 j s", "5 s"] {
        let effects = press(&mut state, keys);
        assert!(effects.iter().all(|effect| !effect.changes_something() && !matches!(effect, Effect::Shell { .. })), "{keys}: {effects:?}");
        assert!(state.layers.is_empty(), "{keys}: {:?}", state.layers);
        let shown = frame(&state, Depth::True).0;
        assert!(shown.contains("READ-ONLY") && shown.contains(":write 15m WHY"), "{keys}\n{shown}");
    }
    // An editor opens to look, and neither saves nor hands what it shows to another program.
    update(&mut state, Msg::EditorOpened { document: Box::new(Ok(crate::console::editor::example())), draft: None });
    assert!(
        press(&mut state, "^s ^x ^o").iter().all(|effect| !matches!(effect, Effect::SaveEditor { .. } | Effect::ExternalEditor { .. }))
    );
    assert!(frame(&state, Depth::True).0.lines().next().is_some_and(|line| line.contains("READ-ONLY")));
    assert!(frame(&state, Depth::True).0.contains("READ-ONLY: this fleet is looked at"));
    press(&mut state, "esc");

    assert_eq!(command(&mut state, "write 15m OPS-880 hot fix"), [Effect::Writing { for_ms: 900_000, why: "OPS-880 hot fix".into() }]);
    assert_eq!(command(&mut state, "write off"), [Effect::Writing { for_ms: 0, why: String::new() }]);
    let until_ms = state.now_ms + 15 * 60_000;
    with(&mut state, |look| look.writing = Writing::Until { until_ms, why: "OPS-880".into() });
    let head = |state: &State| frame(state, Depth::True).0.lines().next().unwrap_or_default().to_string();
    assert!(head(&state).contains("WRITE 15m"), "{}", head(&state));
    press(&mut state, "4 . k");
    assert_eq!(question(&state).title, "Stop this proc?");
    press(&mut state, "esc");
    update(&mut state, Msg::Tick { now_ms: until_ms - 5_000 });
    assert!(head(&state).contains("WRITE 1m"));
    // It falls back by itself, also under an open question.
    press(&mut state, "4 . k");
    update(&mut state, Msg::Tick { now_ms: until_ms });
    assert!(head(&state).contains("READ-ONLY"));
    assert!(press(&mut state, "y").is_empty());
    press(&mut state, "esc");
    let mut leave = state.clone();
    press(&mut leave, "q");
    assert_eq!(question(&leave).buttons.len(), 2, "what is under way is left going, or stayed with");
}

#[test]
fn every_screen_says_which_fleet_it_is() {
    let red = Colour::parse("red");
    for (width, height) in [(60, 20), (80, 24), (200, 60)] {
        for (name, go) in screens() {
            let mut state = state(width, height);
            go(&mut state);
            for depth in [Depth::Mono, Depth::Sixteen, Depth::Indexed, Depth::True] {
                let area = Rect::new(0, 0, width, height);
                let mut buffer = Buffer::empty(area);
                view(&state, &theme::load("dark", None, depth).unwrap().with_band(red), area, &mut buffer);
                let first: String = (0..width).map(|x| buffer[(x, 0)].symbol()).collect();
                let fleet = if state.look.fleet.is_empty() { "[swarmdeck]" } else { "[PROD-EU]" };
                assert!(first.starts_with(fleet) && first.is_ascii(), "{name} {width}x{height}: {first}");
                for x in 0..width {
                    let cell = &buffer[(x, 0)];
                    let seen = match depth {
                        Depth::Mono => cell.modifier.contains(Modifier::REVERSED),
                        Depth::Sixteen => (cell.bg, cell.fg) == (Color::Red, Color::White),
                        Depth::Indexed => matches!(cell.bg, Color::Indexed(_)),
                        Depth::True => cell.bg == Color::Rgb(0xb0, 0x10, 0x10),
                    };
                    assert!(seen, "{name} {width}x{height} {depth:?} at {x}: {cell:?}");
                }
            }
        }
    }
}
