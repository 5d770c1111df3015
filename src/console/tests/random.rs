//! Sizes from nothing to huge, and keys at random: no panic, and nothing changes without a confirm that was seen.

use super::fixture::{NOW, frame, look, plan, state, versions};
use crate::console::effect::Effect;
use crate::console::keys::{BINDINGS, parse_key};
use crate::console::msg::Msg;
use crate::console::state::{Layer, State};
use crate::console::theme::Depth;
use crate::console::update::update;
use crate::deck::StrayPlan;
use crate::deck::wave::WavePlan;
use crate::model::Fault;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use std::sync::Arc;

fn keys() -> Vec<KeyEvent> {
    let mut keys: Vec<KeyEvent> =
        BINDINGS.iter().flat_map(|binding| binding.keys).flat_map(|keys| keys.split(' ')).filter_map(parse_key).collect();
    keys.extend(" abcdefghijklmnopqrstuvwxyz.:/!?=-[]0123456789SRV".chars().map(|c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
    keys
}

/// A small generator of our own: a run is repeated by its seed.
struct Dice(u64);
impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % sides
    }
}

fn answer(state: &mut State, effects: &[Effect]) {
    for effect in effects {
        match effect {
            Effect::Plan { ticket, .. } => drop(update(state, Msg::Planned { ticket: *ticket, plan: Box::new(Ok(plan())) })),
            Effect::Execute { lift, .. } if !lift.is_empty() => drop(update(state, Msg::Executed(Err(Fault::busy("held by op2"))))),
            Effect::Execute { .. } => drop(update(state, Msg::Executed(Ok("d-412".into())))),
            Effect::PlanStray { verb, place, name } => {
                let (verb, place, name) = ((*verb).into(), place.clone(), name.clone());
                let plan = StrayPlan { verb, place, name, lines: vec!["stop it".into()], ..StrayPlan::default() };
                drop(update(state, Msg::StrayPlanned(Ok(plan))));
            }
            Effect::Read { ticket, .. } => drop(update(state, Msg::Read { ticket: *ticket, lines: Ok(vec!["@@ -1 +1 @@".into(); 90]) })),
            Effect::History { ticket, target } => {
                drop(update(state, Msg::History { ticket: *ticket, target: target.clone(), versions: Ok(versions()) }))
            }
            Effect::WaitFree { ticket, .. } => drop(update(state, Msg::Freed { ticket: *ticket, moved: Ok(vec!["it moved".into()]) })),
            Effect::PlanWave { ticket, .. } => {
                let planned = WavePlan { plans: vec![plan()], left_out: Vec::new(), of: 0 };
                update(state, Msg::WavePlanned { ticket: *ticket, why: String::new(), plan: Box::new(Ok(planned)) });
            }
            Effect::HandOver { ticket } => {
                update(state, Msg::HandedOver { ticket: *ticket, result: Err(Fault::failed("it stays")) });
            }
            Effect::Build { .. } => drop(update(state, Msg::BuildStarted(Ok("b1".into())))),
            _ => {}
        }
    }
}

/// Plays keys; with `painted` false no frame ever reaches the terminal.
fn play(seed: u64, count: usize, painted: bool) -> usize {
    let keys = keys();
    let mut dice = Dice(seed);
    let mut state = state(80, 24);
    let mut changes = 0;
    for number in 0..count {
        let now_ms = state.now_ms + dice.roll(700) as i64;
        if painted && dice.roll(2) == 0 {
            let at = state.now_ms;
            update(&mut state, Msg::Painted { now_ms: at });
        }
        if dice.roll(40) == 0 {
            update(&mut state, Msg::Paste("y\ny .!y dispatch".into()));
        }
        if dice.roll(50) == 0 {
            let mut moved = look();
            moved.swarms.rotate_left(dice.roll(9));
            moved.version = number as u64;
            update(&mut state, Msg::Look(Arc::new(moved)));
        }
        let key = keys[dice.roll(keys.len())];
        let seen = match state.layers.last() {
            Some(Layer::Confirm(confirm)) => confirm.painted_ms.is_some_and(|at| now_ms >= at + 300),
            Some(Layer::Plan(plan)) => plan.plan.is_some() && plan.painted_ms.is_some_and(|at| now_ms >= at + 300),
            _ => false,
        };
        let effects = update(&mut state, Msg::Key { key, now_ms });
        for effect in effects.iter().filter(|effect| effect.changes_something()) {
            assert!(seen, "seed {seed}, key {number} {key:?}: {effect:?} without a confirm that was seen");
            changes += 1;
        }
        answer(&mut state, &effects);
        if number % 97 == 0 {
            frame(&state, Depth::True);
        }
    }
    changes
}

#[test]
fn fifty_thousand_keys_change_nothing_without_a_confirm() {
    let changes: usize = (0..10).map(|seed| play(seed * 7919 + 1, 5_000, true)).sum();
    assert!(changes > 0, "the keys do get as far as confirming");
}

#[test]
fn what_was_never_painted_is_never_confirmed() {
    assert_eq!((0..4).map(|seed| play(seed * 104_729 + 5, 5_000, false)).sum::<usize>(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_size_and_no_state_panics(width in 1u16..300, height in 1u16..100, rolls in prop::collection::vec(0usize..10_000, 0..30)) {
        let keys = keys();
        let mut state = state(width, height);
        for roll in rolls {
            let now_ms = state.now_ms;
            update(&mut state, Msg::Painted { now_ms });
            let effects = update(&mut state, Msg::Key { key: keys[roll % keys.len()], now_ms: now_ms + 350 });
            answer(&mut state, &effects);
        }
        frame(&state, Depth::Sixteen);
        update(&mut state, Msg::Resize(height, width.min(100)));
        frame(&state, Depth::Mono);
        prop_assert!(state.now_ms >= NOW);
    }
}
