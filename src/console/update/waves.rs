//! Several swarms as one wave: one plan, one question; also a host that is emptied, and the ways on and back of a wave.

use super::verbs;
use crate::console::effect::Effect;
use crate::console::rows::find;
use crate::console::state::{Ask, Asks, Confirm, Field, Layer, LogLayer, LogSource, State};
use crate::deck::look::Target;
use crate::deck::wave::{WaveGo, WaveOf, WavePlan, WaveRequest};
use crate::model::hold::{Hold, HoldOn};
use crate::model::protect::Touched;
use crate::model::wave::AT_ONCE;
use crate::model::{Fault, Result};
use crate::plan::Plan;
use std::collections::BTreeMap;

/// Asks for the version and the reason.
pub fn ask(state: &mut State, swarms: Vec<String>) {
    let title = format!("Dispatch {} swarms as one wave", swarms.len());
    let fields = vec![("version", Field::default()), ("why", Field::default())];
    state.layers.push(Layer::Ask(Box::new(Ask { title, asks: Asks::Wave(swarms), fields, focus: 0 })));
}

/// Plans it; its lines are shown meanwhile. No version: each its own.
pub fn plan(state: &mut State, swarms: Vec<String>, version: &str, why: &str) -> Vec<Effect> {
    let version = (!version.is_empty()).then(|| version.to_string());
    let title = format!("plan of a wave of {} swarms", swarms.len());
    ask_plan(state, title, WaveRequest { swarms, version, why: why.into(), ..WaveRequest::default() })
}

/// Plans something else with several swarms, or with those that it means itself.
pub fn plan_what(state: &mut State, swarms: Vec<String>, what: WaveOf) -> Vec<Effect> {
    let (verb, place) = what.verb();
    let of = match &what {
        WaveOf::BackOf(number) | WaveOf::RestOf(number) => format!("wave {number}"),
        _ if swarms.is_empty() => place.to_string(),
        _ => format!("{} swarms", swarms.len()),
    };
    let title = format!("plan: {verb} {of}");
    ask_plan(state, title, WaveRequest { swarms, what, ..WaveRequest::default() })
}

/// Plans every swarm that uses an ingredient and would change.
pub fn plan_ingredient(state: &mut State, id: &str) -> Vec<Effect> {
    let name = find::name(&state.look, &Target::Ingredient(id.into()));
    let title = format!("plan of the wave of ingredient {name}");
    ask_plan(state, title, WaveRequest { ingredient: Some(id.into()), ..WaveRequest::default() })
}

fn ask_plan(state: &mut State, title: String, request: WaveRequest) -> Vec<Effect> {
    if verbs::is_read_only(state) {
        return Vec::new();
    }
    let ticket = state.ticket();
    state.layers.push(Layer::Log(Box::new(LogLayer::new(ticket, title, LogSource::Verb(Target::Nothing)))));
    vec![Effect::PlanWave { ticket, request }]
}

/// The plans are there: all are shown, and asked for once.
pub fn planned(state: &mut State, ticket: u64, why: &str, planned: Result<WavePlan>) {
    let Some(at) = state.layers.iter().position(|layer| matches!(layer, Layer::Log(log) if log.ticket == ticket)) else { return };
    let planned = match planned {
        Ok(planned) => planned,
        Err(fault) => {
            if let Some(Layer::Log(log)) = state.layers.get_mut(at) {
                (log.ended, log.fault) = (true, Some(fault));
            }
            return;
        }
    };
    state.layers.remove(at);
    let (verb, place) = planned.what.verb();
    let doing = if place.is_empty() { verb.to_string() } else { format!("{verb} {place}:") };
    let lines: Vec<String> = planned.plans.iter().map(|plan| line(state, plan)).collect();
    let left_out = planned.left_out.iter().map(|(swarm, why)| format!("{swarm} {why}: left out"));
    let mut lines: Vec<String> = lines.into_iter().chain(left_out).collect();
    lines.push(format!("The first goes alone, then {AT_ONCE} at a time; the first failure stops it."));
    let go = |plans: Vec<&Plan>, lift: Vec<String>| {
        let plans = plans.into_iter().map(|plan| plan.id.clone()).collect();
        vec![Effect::BeginWave(WaveGo { plans, what: planned.what.clone(), why: why.into(), lift })]
    };
    let count = planned.plans.len();
    let (held, free): (Vec<&Plan>, Vec<&Plan>) = planned.plans.iter().partition(|plan| !plan.held.is_empty());
    let holds: BTreeMap<&str, &Hold> = held.iter().flat_map(|plan| &plan.held).map(|hold| (hold.name.as_str(), hold)).collect();
    let mut buttons = Vec::new();
    if held.is_empty() {
        buttons.push(verbs::button(&format!("{verb} {count} swarms"), go(planned.plans.iter().collect(), Vec::new())));
    } else {
        // A hold of more than its swarm stands for others too: it is lifted where it is.
        match holds.values().find(|hold| hold.on != HoldOn::Swarm) {
            Some(stays) => {
                lines.push(format!("! {} {} is HELD by {}; lift that first (:holds, .h)", stays.on.word(), stays.object, stays.line()))
            }
            None => {
                lines.extend(holds.values().map(|hold| format!("! {} is HELD by {}", hold.object, hold.line())));
                let names: Vec<String> = holds.keys().map(|name| name.to_string()).collect();
                let label = format!("lift {}, {verb} {count} swarms", names.join(", "));
                buttons.push(verbs::button(&label, go(planned.plans.iter().collect(), names)));
            }
        }
        if !free.is_empty() {
            buttons.push(verbs::button(&format!("{verb} the {} that are free", free.len()), go(free, Vec::new())));
        }
    }
    // What lifts a hold is chosen, never answered by `y`.
    let mut touched = Touched::default();
    planned.plans.iter().for_each(|plan| touched.and(plan.touched()));
    let protected = state.look.protection.over(&touched).filter(|_| !buttons.is_empty()).cloned();
    let title = format!("{} {count} swarms as one wave?", capital(&doing));
    let confirm = Confirm { yes: held.is_empty(), protected, ..Confirm::new(title, lines, buttons) };
    verbs::confirm(state, confirm);
}

fn capital(text: &str) -> String {
    format!("{}{}", text.get(..1).unwrap_or_default().to_uppercase(), text.get(1..).unwrap_or_default())
}

/// `shop-prod-web  v1 -> v2  +2 -2, 3 keys`.
fn line(state: &State, plan: &Plan) -> String {
    let name = find::name(&state.look, &Target::Swarm(plan.swarm_id.clone()));
    let from = plan.from.as_ref().map_or("nothing", |from| from.version.as_str());
    let keys = if plan.changes.is_empty() { String::new() } else { format!(", {} keys", plan.changes.len()) };
    let held = plan.held.first().map(|hold| format!("  HELD by {}", hold.who)).unwrap_or_default();
    format!("{name}  {from} -> {}  +{} -{}{keys}{held}", plan.to.version, plan.start.len(), plan.retire.len())
}

/// It began, or was refused.
pub fn begun(state: &mut State, result: Result<String, Fault>) {
    match result {
        Ok(said) => {
            state.marks.clear();
            state.say(said, false);
        }
        Err(fault) => state.say(fault.line(), true),
    }
}
