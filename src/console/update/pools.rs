//! Verbs on pools: the plan is asked for, shown as a question, and done only as it was shown.

use super::verbs::{button, confirm};
use crate::console::effect::Effect;
use crate::console::rows::find;
use crate::console::state::{Confirm, Layer, State};
use crate::deck::{PoolPlan, PoolVerb};

/// `.f` on a swarm: what was edited by hand in its pool goes back to what was last written.
pub fn repair(state: &mut State, swarm: &str) -> Vec<Effect> {
    match find::swarm(&state.look, swarm).filter(|swarm| !swarm.pool.is_empty()) {
        Some(swarm) => vec![Effect::PlanPool { pool: format!("{}@{}", swarm.pool, swarm.balancer), verb: PoolVerb::Repair }],
        None => {
            state.say("it has no pool", true);
            Vec::new()
        }
    }
}

/// `.o` and `.u` on a proc: its node out of the pool, or back in.
pub fn node(state: &mut State, verb: &str, host: &str, name: &str) -> Vec<Effect> {
    let look = &state.look;
    let found = find::proc(look, host, name).and_then(|proc| {
        let swarm = look.swarms.iter().find(|swarm| proc.swarm.as_deref() == Some(&swarm.name) && !swarm.pool.is_empty())?;
        Some((format!("{}@{}", swarm.pool, swarm.balancer), proc.node(&find::host(look, host)?.address)?))
    });
    match found {
        Some((pool, node)) => {
            let verb = if verb == "drain" { PoolVerb::Drain(node) } else { PoolVerb::PutBack(node) };
            vec![Effect::PlanPool { pool, verb }]
        }
        None => {
            state.say("it is in no pool of ours", true);
            Vec::new()
        }
    }
}

/// The plan came: it is the question. Whoever writes or answers something else by now is not interrupted.
pub fn show(state: &mut State, plan: PoolPlan) {
    let word = plan.verb.word();
    if !matches!(state.layers.last(), None | Some(Layer::List { .. } | Layer::Text { .. })) {
        state.say(format!("{word} of {} was planned and not shown: you were busy; ask again", plan.object()), false);
        return;
    }
    let (title, lines) = (format!("{word} {}?", plan.object()), plan.lines.clone());
    confirm(state, Confirm::new(title, lines, vec![button(word, vec![Effect::Pool(plan)])]));
}
