//! Leaving with dispatches under way: they go on in a process without a screen, or it is stayed, or they are undone.

use super::verbs;
use crate::console::effect::Effect;
use crate::console::state::{Confirm, Layer, State};
use crate::model::Result;

/// Leaves, or asks when dispatches of this process are under way; those of others go on by themselves.
pub fn leave(state: &mut State) -> Vec<Effect> {
    let ours = state.look.dispatches.iter().filter(|dispatch| dispatch.outcome.is_none() && state.look.carried.contains(&dispatch.id));
    let (ids, mut lines): (Vec<String>, Vec<String>) = ours
        .map(|dispatch| (dispatch.id.clone(), format!("  dispatch {} {}: {}", dispatch.number, dispatch.swarm, dispatch.phase.word())))
        .unzip();
    if ids.is_empty() {
        return vec![Effect::Quit];
    }
    lines.insert(0, "Under way:".into());
    lines.push("Left going, a process without a screen carries it; any console shows it.".into());
    let ticket = state.ticket();
    // Leaving it going hurts nobody, so it has the focus (issue 3, item 2).
    let mut buttons = vec![verbs::button("leave it going", vec![Effect::HandOver { ticket }]), verbs::button("stay", Vec::new())];
    if state.may_write() {
        buttons.push(verbs::button("stop and undo", vec![Effect::QuitAndUndo(ids)]));
    }
    verbs::put(state, Confirm { buttons, ..Confirm::new("Leave?", lines, Vec::new()) });
    Vec::new()
}

/// The handing over begins; nothing is heard till it has ended.
pub fn begins(state: &mut State, ticket: u64) {
    state.layers.push(Layer::Leaving { ticket, said: "starting a process without a screen".into() });
}

/// Leaves without asking: what is under way is handed over first.
pub fn hand_over(state: &mut State) -> Vec<Effect> {
    if state.layers.iter().any(|layer| matches!(layer, Layer::Leaving { .. })) {
        return Vec::new();
    }
    let ticket = state.ticket();
    begins(state, ticket);
    vec![Effect::HandOver { ticket }]
}

/// It ended: the screen goes, or stays and says why.
pub fn ended(state: &mut State, ticket: u64, result: Result<()>) -> Vec<Effect> {
    state.layers.retain(|layer| !matches!(layer, Layer::Leaving { ticket: known, .. } if *known == ticket));
    match result {
        Ok(()) => vec![Effect::Quit],
        Err(fault) => {
            state.say(fault.line(), true);
            Vec::new()
        }
    }
}
