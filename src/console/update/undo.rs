//! `u`: what can be undone. Enter opens the plan or the question that takes a row back; the list itself changes nothing.

use super::verbs;
use crate::console::effect::Effect;
use crate::console::state::State;
use crate::deck::look::Target;
use crate::deck::undo::undoable;

/// Begins what takes a row back.
pub fn begin(state: &mut State, target: &Target) -> Vec<Effect> {
    match undoable(&state.look).into_iter().find(|undo| undo.target == *target) {
        Some(undo) => verbs::start(state, undo.verb, target),
        None => {
            state.say("that is undone already", false);
            Vec::new()
        }
    }
}
