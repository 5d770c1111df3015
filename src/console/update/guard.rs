//! What each effect changes: where something of that is protected, its name is typed instead of `y`.

use crate::console::effect::Effect;
use crate::console::rows::find;
use crate::console::state::{Layer, State};
use crate::deck::look::{Target, Word};
use crate::model::protect::Touched;

/// The swarms, hosts and balancers on which something that runs is changed by it. What a plan changes is the plan's own to say.
pub fn touched(state: &State, effect: &Effect) -> Touched {
    let look = &state.look;
    let mut touched = Touched::default();
    match effect {
        Effect::Proc { host, name, .. } => proc(state, host, name, &mut touched),
        Effect::Procs { procs, .. } => procs.iter().for_each(|(host, name)| proc(state, host, name, &mut touched)),
        Effect::Bulk { acts, .. } => acts.iter().for_each(|(_, act)| touched.and(self::touched(state, act))),
        Effect::Host { verb, host, .. } if *verb != "check" => touched.place(host),
        Effect::Pool(plan) => {
            touched.balancers.insert(plan.balancer.clone());
            touched.swarms.extend(find::swarm_of_pool(look, &plan.balancer, &plan.pool).map(|swarm| swarm.id.clone()));
        }
        Effect::Stray(plan) if plan.verb != "ignore" => {
            proc(state, &plan.place, &plan.name, &mut touched);
            touched.swarms.extend(
                look.swarms.iter().filter(|swarm| swarm.name == plan.swarm || swarm.id == plan.swarm).map(|swarm| swarm.id.clone()),
            );
        }
        Effect::Run { request, .. } => match &request.of {
            Target::Swarm(id) => drop(touched.swarms.insert(id.clone())),
            Target::Proc(host, name) => proc(state, host, name, &mut touched),
            _ => {}
        },
        Effect::Tell { word: Word::Wait(_), .. } => {}
        Effect::Cancel { dispatch } | Effect::Resume { dispatch } | Effect::Tell { dispatch, .. } => run(state, dispatch, &mut touched),
        Effect::QuitAndUndo(ids) => ids.iter().for_each(|id| run(state, id, &mut touched)),
        Effect::WaitFree { plan_id, supersede: true, .. } => {
            for layer in &state.layers {
                if let Layer::Plan(layer) = layer
                    && let Some(Ok(plan)) = &layer.plan
                    && plan.id == *plan_id
                {
                    touched.and(plan.touched());
                }
            }
        }
        _ => {}
    }
    touched
}

/// A proc, node or port at a place, and the swarm that the proc belongs to.
fn proc(state: &State, place: &str, name: &str, touched: &mut Touched) {
    touched.place(place);
    let of = find::proc(&state.look, place, name).and_then(|proc| proc.swarm.as_deref());
    touched.swarms.extend(state.look.swarms.iter().filter(|swarm| of == Some(&swarm.name)).map(|swarm| swarm.id.clone()));
}

fn run(state: &State, dispatch: &str, touched: &mut Touched) {
    touched.and(find::dispatch(&state.look, dispatch).map(|dispatch| dispatch.touched()).unwrap_or_default());
}
