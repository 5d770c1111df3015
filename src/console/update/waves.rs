//! Several marked swarms dispatched as one wave: one plan, one question.

use super::verbs;
use crate::console::effect::Effect;
use crate::console::rows::find;
use crate::console::state::{Ask, Asks, Confirm, Field, Layer, LogLayer, LogSource, State};
use crate::deck::look::Target;
use crate::deck::wave::{WavePlan, WaveRequest};
use crate::model::protect::Touched;
use crate::model::wave::AT_ONCE;
use crate::model::{Fault, Result};
use crate::plan::Plan;

/// How many swarms a question lists.
const LISTED: usize = 12;

/// The marked swarms, when there are several and this is one of them.
pub fn marked(state: &State, id: &str) -> Option<Vec<String>> {
    let swarms: Vec<String> = state
        .look
        .swarms
        .iter()
        .filter(|swarm| state.marks.contains(&Target::Swarm(swarm.id.clone())))
        .map(|swarm| swarm.id.clone())
        .collect();
    (swarms.len() > 1 && swarms.iter().any(|swarm| swarm == id)).then_some(swarms)
}

/// Asks for the version and the reason.
pub fn ask(state: &mut State, swarms: Vec<String>) {
    let title = format!("Dispatch {} swarms as one wave", swarms.len());
    let fields = vec![("version", Field::default()), ("why", Field::default())];
    state.layers.push(Layer::Ask(Box::new(Ask { title, asks: Asks::Wave(swarms), fields, focus: 0 })));
}

/// Plans it; its lines are shown meanwhile. No version: each its own.
pub fn plan(state: &mut State, swarms: Vec<String>, version: &str, why: &str) -> Vec<Effect> {
    let ticket = state.ticket();
    let title = format!("plan of a wave of {} swarms", swarms.len());
    state.layers.push(Layer::Log(Box::new(LogLayer::new(ticket, title, LogSource::Verb(Target::Nothing)))));
    let version = (!version.is_empty()).then(|| version.to_string());
    vec![Effect::PlanWave { ticket, request: WaveRequest { swarms, ingredient: None, version, why: why.into() } }]
}

/// Plans every swarm that uses an ingredient and would change.
pub fn plan_ingredient(state: &mut State, id: &str) -> Vec<Effect> {
    let ticket = state.ticket();
    let name = find::name(&state.look, &Target::Ingredient(id.into()));
    let title = format!("plan of the wave of ingredient {name}");
    state.layers.push(Layer::Log(Box::new(LogLayer::new(ticket, title, LogSource::Verb(Target::Nothing)))));
    let request = WaveRequest { swarms: Vec::new(), ingredient: Some(id.into()), version: None, why: String::new() };
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
    let mut lines: Vec<String> = planned.plans.iter().take(LISTED).map(|plan| line(state, plan)).collect();
    if planned.plans.len() > LISTED {
        lines.push(format!("and {} more", planned.plans.len() - LISTED));
    }
    lines.extend(planned.left_out.iter().map(|(swarm, why)| format!("{swarm} {why}: left out")));
    let held: Vec<&Plan> = planned.plans.iter().filter(|plan| !plan.held.is_empty()).collect();
    let buttons = if held.is_empty() {
        lines.push(format!("The first goes alone, then {AT_ONCE} at a time; the first failure stops it."));
        let plans = planned.plans.iter().map(|plan| plan.id.clone()).collect();
        vec![verbs::button(&format!("dispatch {} swarms", planned.plans.len()), vec![Effect::BeginWave { plans, why: why.into() }])]
    } else {
        lines.push(format!("! {} are HELD: lift that first (.h on the row).", held.len()));
        Vec::new()
    };
    let mut touched = Touched::default();
    planned.plans.iter().for_each(|plan| touched.and(plan.touched()));
    let protected = state.look.protection.over(&touched).filter(|_| !buttons.is_empty()).cloned();
    let title = format!("Dispatch {} swarms as one wave?", planned.plans.len());
    verbs::confirm(state, Confirm { protected, ..Confirm::new(title, lines, buttons) });
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
