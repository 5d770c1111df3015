//! Every screen at three sizes, kept as text, with its looks in true colour, in 16 colours and without any.

use super::fixture::{NOW, command, frame, hold, look, plan, press, state, versions};
use super::forms;
use crate::console::effect::Effect;
use crate::console::msg::Msg;
use crate::console::state::State;
use crate::console::theme::Depth;
use crate::console::update::update;
use crate::deck::StrayPlan;
use crate::deck::look::{EditDocument, LogLine, Look};
use crate::deck::wave::WavePlan;
use crate::model::Fault;
use crate::model::hold::HoldOn;
use ratatui::style::Modifier;
use std::sync::Arc;

fn with_plan(state: &mut State) {
    let effects = press(state, ". b");
    let Some(Effect::Plan { ticket, .. }) = effects.first().cloned() else { panic!("{effects:?}") };
    update(state, Msg::Planned { ticket, plan: Box::new(Ok(plan())) });
}

fn with_held_plan(state: &mut State) {
    let effects = press(state, ". b");
    let Some(Effect::Plan { ticket, .. }) = effects.first().cloned() else { panic!("{effects:?}") };
    let mut plan = plan();
    plan.held = vec![hold("rollback-411", HoldOn::Swarm, "s-shop-eu-web", "shop-eu-web@web")];
    update(state, Msg::Planned { ticket, plan: Box::new(Ok(plan)) });
}

fn with_busy(state: &mut State) {
    with_plan(state);
    press(state, "y");
    update(state, Msg::Executed(Err(Fault::busy("shop-prod-web@web is held by op2 (dispatch v5.3.2), step drain"))));
}

fn with_wave(state: &mut State) {
    let effects = press(state, "2 space space k . d enter");
    let Some(Effect::PlanWave { ticket, .. }) = effects.first().cloned() else { panic!("{effects:?}") };
    let planned = WavePlan { plans: vec![plan(), plan()], ..WavePlan::default() };
    update(state, Msg::WavePlanned { ticket, why: String::new(), plan: Box::new(Ok(planned)) });
}

fn with_log(state: &mut State) {
    let effects = press(state, "4 l");
    let Some(Effect::FollowLog { ticket, .. }) = effects.iter().rev().find(|effect| matches!(effect, Effect::FollowLog { .. })).cloned()
    else {
        panic!("{effects:?}")
    };
    let line = |text: &str| LogLine { at_ms: NOW, from: "web01".into(), text: text.into() };
    update(
        state,
        Msg::LogLines { ticket, lines: vec![line("plain"), line("\x1b[31mred\x1b[0m \x1b]0;title\x07 end"), line(&"long ".repeat(60))] },
    );
}

fn with_retirement(state: &mut State) {
    let effects = press(state, "9 . q");
    let Some(Effect::PlanStray { verb, place, name }) = effects.first().cloned() else { panic!("{effects:?}") };
    let lines = vec![
        "take web02.example:5011 out of pool shop@edge, which keeps 2, and wait for its connections".into(),
        "keep the end of its log, its exit and its spawn error".into(),
        format!("stop and remove {name} on {place} (RUNNING, pid 8011, orphan)"),
    ];
    let plan = StrayPlan { verb: verb.into(), place, name, lines, ..StrayPlan::default() };
    update(state, Msg::StrayPlanned(Ok(plan)));
}

fn with_history(state: &mut State) {
    let effects = press(state, "2 h");
    let Some(Effect::History { ticket, target }) = effects.first().cloned() else { panic!("{effects:?}") };
    update(state, Msg::History { ticket, target, versions: Ok(versions()) });
}

fn read(state: &mut State, key: &str, lines: &[&str]) {
    let effects = press(state, &format!("2 {key}"));
    let Some(Effect::Read { ticket, .. }) = effects.first().cloned() else { panic!("{effects:?}") };
    update(state, Msg::Read { ticket, lines: Ok(lines.iter().map(|line| line.to_string()).collect()) });
}

fn with_editor(state: &mut State) {
    let effects = press(state, "2 e");
    let Some(Effect::OpenEditor(target)) = effects.first().cloned() else { panic!("{effects:?}") };
    let document = EditDocument { target, ..crate::console::editor::example() };
    update(state, Msg::EditorOpened { document: Box::new(Ok(document)), draft: None });
}

/// A screen's name, and the way there.
pub type Screen = (&'static str, fn(&mut State));

/// Every screen.
pub fn screens() -> Vec<Screen> {
    vec![
        ("dash", |_| {}),
        ("swarms", |s| drop(press(s, "2"))),
        ("hosts", |s| drop(press(s, "3"))),
        ("procs", |s| drop(press(s, "4"))),
        ("builds", |s| drop(press(s, "5"))),
        ("dispatches", |s| drop(press(s, "6"))),
        ("ingredients", |s| drop(press(s, "7"))),
        ("events", |s| drop(press(s, "8"))),
        ("strays", |s| drop(press(s, "9"))),
        ("stray", |s| drop(press(s, "9 enter"))),
        ("retire", with_retirement),
        ("swarm-procs", |s| drop(press(s, "enter"))),
        ("dispatch", |s| drop(press(s, "6 enter"))),
        ("plan", with_plan),
        ("log", with_log),
        ("why", |s| drop(press(s, "w"))),
        ("describe", |s| drop(press(s, "d"))),
        ("menu", |s| drop(press(s, "."))),
        ("palette", |s| drop(press(s, ": s h o p"))),
        ("filter", |s| drop(press(s, "2 / b l o g"))),
        ("help", |s| drop(press(s, "?"))),
        ("destroy", |s| drop(press(s, "4 . !"))),
        ("ask", |s| drop(press(s, ". d"))),
        ("plan-held", with_held_plan),
        ("busy", with_busy),
        ("lift", |s| drop(press(s, "2 G . h"))),
        ("leave", |s| drop(press(s, "q"))),
        ("leaving", |s| drop(press(s, "q enter"))),
        ("wave", with_wave),
        ("apps", |s| drop(command(s, "apps"))),
        ("app", |s| drop((command(s, "apps"), press(s, "d")))),
        ("buildpacks", |s| drop(command(s, "buildpacks"))),
        ("squads", |s| drop(command(s, "squads"))),
        ("squad", |s| drop((command(s, "squads"), press(s, "d")))),
        ("releases", |s| drop(command(s, "releases shop-eu-web"))),
        ("release", |s| drop((command(s, "releases"), press(s, "enter")))),
        ("balancers", |s| drop(command(s, "balancers"))),
        ("pools", |s| drop((command(s, "balancers"), press(s, "enter")))),
        ("nodes", |s| drop((command(s, "pools"), press(s, "enter")))),
        ("uptests", |s| drop(command(s, "uptests"))),
        ("uptest", |s| drop((command(s, "uptests"), press(s, "enter")))),
        ("holds", |s| drop(command(s, "holds"))),
        ("waves", |s| drop(command(s, "waves"))),
        ("wave-swarms", |s| drop((command(s, "waves"), press(s, "enter")))),
        ("audit", |s| drop(command(s, "audit user:op1"))),
        ("history", |s| with_history(s)),
        ("revert", |s| {
            with_history(s);
            press(s, "j . b");
        }),
        ("yaml", |s| {
            read(s, "y", &["# as it is written", "swarms:", "- app: shop", "  config:", "    db_password: ****#1f2e", "    pool: 20"])
        }),
        ("difference", |s| read(s, "=", &["@@ -1,4 +1,4 @@", " config:", "-  db_host: db1", "+  db_host: db2", "   db_pool: 20"])),
        ("tree", |s| drop(press(s, "2 t j right j right j"))),
        ("columns", |s| drop((press(s, "3"), command(s, "columns"), press(s, "j space")))),
        ("zoom", |s| drop(press(s, "z"))),
        ("editor", with_editor),
        ("welcome", |s| {
            update(s, Msg::Look(Arc::new(Look { now_ms: NOW, who: "op1".into(), ..Look::default() })));
        }),
    ]
}

#[test]
fn frames_of_every_screen() {
    for (name, go) in screens() {
        let text = forms::of(go);
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(name, text);
        });
    }
}

#[test]
fn without_colour_the_cursors_row_is_still_reversed() {
    let state = state(80, 24);
    let (text, buffer) = frame(&state, Depth::Mono);
    let row = text.lines().position(|line| line.starts_with('>')).unwrap() as u16;
    assert!(buffer[(10, row)].modifier.contains(Modifier::REVERSED));
    assert!(buffer.content.iter().all(|cell| cell.fg == ratatui::style::Color::Reset && cell.bg == ratatui::style::Color::Reset));
}

#[test]
fn no_control_byte_of_a_host_reaches_a_cell() {
    for (_, go) in screens() {
        let mut state = state(200, 60);
        go(&mut state);
        let (text, _) = frame(&state, Depth::True);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
    }
    assert!(look().world.procs().any(|proc| proc.name.contains('\x1b')), "the fleet has one");
}
