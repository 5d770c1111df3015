//! Which hosts the screen shows: they are asked more often than the others.

use super::find;
use crate::console::state::{Layer, Slot, State, Tab};
use crate::deck::look::Target;
use std::collections::BTreeSet;

/// How many rows of a pane count as shown, and how many hosts at most.
const ROWS: usize = 100;
const HOSTS: usize = 64;

/// The hosts of the rows that are in sight, and of what lies on top.
pub fn in_view(state: &State) -> BTreeSet<String> {
    let mut targets: Vec<Target> = Vec::new();
    match state.screen() {
        Some(Layer::Log(log)) => targets.push(log.source.target()),
        Some(Layer::Text { target, .. }) => targets.push(target.clone()),
        Some(Layer::Plan(plan)) => targets.push(Target::Swarm(plan.swarm.clone())),
        _ => {}
    }
    if let Some(Layer::Dispatch { id, .. }) = state.screen() {
        targets.push(Target::Dispatch(id.clone()));
    }
    let dash = [Slot::Needs, Slot::DashSwarms];
    let slots: &[Slot] = if state.layers.is_empty() && state.tab == Tab::Dash { &dash } else { &[] };
    for pane in state.pane().into_iter().chain(slots.iter().filter_map(|slot| state.panes.get(slot))) {
        targets.extend(pane.order.iter().skip(pane.top).take(ROWS).map(|(target, _)| target.clone()));
    }
    let mut hosts = BTreeSet::new();
    for target in targets {
        match target {
            Target::Host(host) | Target::Proc(host, _) => drop(hosts.insert(host)),
            Target::Swarm(id) => {
                let procs = find::swarm(&state.look, &id).map(|swarm| swarm.procs.as_slice()).unwrap_or_default();
                hosts.extend(procs.iter().map(|(host, _)| host.clone()));
            }
            Target::Dispatch(id) => {
                let steps = find::dispatch(&state.look, &id).map(|dispatch| dispatch.steps.as_slice()).unwrap_or_default();
                hosts.extend(steps.iter().map(|step| step.place.clone()).filter(|place| state.look.world.hosts.contains_key(place)));
            }
            _ => {}
        }
        if hosts.len() >= HOSTS {
            break;
        }
    }
    hosts
}
