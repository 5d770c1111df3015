//! Hold and lift, and what is done when somebody else is at the swarm.

use super::verbs;
use crate::console::effect::Effect;
use crate::console::rows::find;
use crate::console::state::{Ask, Asks, Button, Confirm, Field, Layer, PlanLayer, State};
use crate::deck::look::Target;
use crate::model::hold::{self, Hold, HoldOn};
use crate::model::{Fault, Result};

/// What a hold on this row would be on: which kind, and the name or id by which the deck knows it.
pub fn held_as(target: &Target) -> Option<(HoldOn, String)> {
    match target {
        Target::Swarm(id) => Some((HoldOn::Swarm, id.clone())),
        Target::Squad(name) => Some((HoldOn::Squad, name.clone())),
        Target::Host(name) => Some((HoldOn::Host, name.clone())),
        Target::Nothing => Some((HoldOn::Fleet, String::new())),
        _ => None,
    }
}

/// Whether this very object is held.
pub fn is_held(state: &State, target: &Target) -> bool {
    !on(state, target).is_empty()
}

/// The holds on this very object; a hold itself is its own.
pub fn on(state: &State, target: &Target) -> Vec<Hold> {
    if let Target::Hold(name) = target {
        return find::hold(&state.look, name).cloned().into_iter().collect();
    }
    let Some((on, object)) = held_as(target) else { return Vec::new() };
    let its = |hold: &&Hold| hold.on == on && (hold.id == object || hold.object == object || on == HoldOn::Fleet);
    state.look.holds.iter().filter(its).cloned().collect()
}

fn called(state: &State, target: &Target) -> String {
    if let Target::Hold(name) = target {
        return find::hold(&state.look, name)
            .map(|hold| if hold.object.is_empty() { "the fleet".into() } else { hold.object.clone() })
            .unwrap_or_default();
    }
    if *target == Target::Nothing { "the fleet".into() } else { format!("{} {}", find::kind(target), find::name(&state.look, target)) }
}

/// `.h`: lifts what holds it, or asks for the reason of a new hold.
pub fn toggle(state: &mut State, target: &Target) {
    if on(state, target).is_empty() { ask(state, target) } else { lift(state, target) }
}

fn ask(state: &mut State, target: &Target) {
    let Some((on, object)) = held_as(target) else { return };
    let fields = vec![("why", Field::default()), ("until", Field::default())];
    let title = format!("Hold {}; until: 2h or 18:00 UTC, empty: till lifted", called(state, target));
    state.layers.push(Layer::Ask(Box::new(Ask { title, asks: Asks::Hold(on, object), fields, focus: 0 })));
}

/// Asks for one reason and one end of holds on several rows.
pub fn ask_all(state: &mut State, targets: Vec<Target>) {
    let fields = vec![("why", Field::default()), ("until", Field::default())];
    let title = format!("Hold {} rows; until: 2h or 18:00 UTC, empty: till lifted", targets.len());
    state.layers.push(Layer::Ask(Box::new(Ask { title, asks: Asks::HoldAll(targets), fields, focus: 0 })));
}

/// They were typed: asks once more, naming all.
pub fn asked_all(state: &mut State, targets: &[Target], why: &str, until: &str) {
    match hold::end_of(state.now_ms, until) {
        Ok(_) if why.is_empty() => state.say("a hold needs a reason: others will read it", true),
        Ok(until_ms) => {
            state.layers.pop();
            super::bulk::hold_asked(state, targets, why, until, until_ms);
        }
        Err(fault) => state.say(fault.line(), true),
    }
}

/// The reason and the end were typed: asks once more, saying what it means.
pub fn asked(state: &mut State, on: HoldOn, object: &str, why: &str, until: &str) {
    let until_ms = match hold::end_of(state.now_ms, until) {
        Ok(until_ms) if !why.is_empty() => until_ms,
        Ok(_) => return state.say("a hold needs a reason: others will read it", true),
        Err(fault) => return state.say(fault.line(), true),
    };
    state.layers.pop();
    let named = state.look.swarms.iter().find(|swarm| on == HoldOn::Swarm && swarm.id == object);
    let named = named.map_or_else(|| if object.is_empty() { "the fleet".into() } else { object.to_string() }, |swarm| swarm.name.clone());
    let means = match on {
        HoldOn::Host => "Nothing is placed on it and nothing on it is changed till it is lifted.",
        HoldOn::Swarm | HoldOn::Squad | HoldOn::Fleet => "Nobody dispatches it till it is lifted; what is under way goes on.",
    };
    let end = if until.is_empty() { "until it is lifted".to_string() } else { format!("until {until}") };
    let lines = vec![means.to_string(), format!("{end}: {why}")];
    let effect = Effect::Hold { on, object: object.into(), why: why.into(), until_ms };
    verbs::confirm(state, Confirm::new(format!("Hold {named}?"), lines, vec![verbs::button("hold", vec![effect])]));
}

/// Asks which hold is lifted.
pub fn lift(state: &mut State, target: &Target) {
    let holds = on(state, target);
    if holds.is_empty() {
        return state.say(format!("{} is not held", called(state, target)), false);
    }
    let lines = holds.iter().map(Hold::line).collect();
    let buttons =
        holds.iter().map(|hold| verbs::button(&format!("lift {}", hold.name), vec![Effect::Lift { name: hold.name.clone() }])).collect();
    verbs::confirm(state, Confirm::new(format!("Lift the hold of {}?", called(state, target)), lines, buttons));
}

/// What keeps a shown plan from going, if the tick for its hold is not set: said instead of sent.
pub fn stops(layer: &PlanLayer) -> Option<String> {
    let Some(Ok(plan)) = &layer.plan else { return None };
    match plan.held.first() {
        None => None,
        Some(_) if layer.lift && plan.held.iter().all(|hold| hold.on == HoldOn::Swarm) => None,
        Some(first) => {
            let stays = plan.held.iter().find(|hold| hold.on != HoldOn::Swarm).unwrap_or(first);
            Some(match stays.on {
                HoldOn::Swarm => format!("HELD by {}: tick \"lift {}\" first (s-tab goes up to it, space ticks)", stays.line(), stays.name),
                on => format!("{} {} is HELD by {}; lift that first (.h on its row)", on.word(), stays.object, stays.line()),
            })
        }
    }
}

/// Somebody else is at the swarm: asks what to do.
pub fn busy(state: &mut State, fault: &Fault) {
    let sent = |layer: &&mut Layer| matches!(layer, Layer::Plan(plan) if plan.sent);
    let Some(Layer::Plan(plan)) = state.layers.iter_mut().rev().find(sent) else { return state.say(fault.line(), true) };
    plan.sent = false;
    let (ticket, plan_id) =
        (plan.ticket, plan.plan.as_ref().and_then(|plan| plan.as_ref().ok()).map(|plan| plan.id.clone()).unwrap_or_default());
    let wait = |supersede: bool| vec![Effect::WaitFree { ticket, plan_id: plan_id.clone(), supersede }];
    let lines = vec![fault.what.clone(), "Refuse leaves it alone; nothing was changed.".to_string()];
    let buttons = vec![
        Button { label: "refuse".into(), effects: Vec::new(), log: None },
        verbs::button("wait for it", wait(false)),
        verbs::button("undo it, then go", wait(true)),
    ];
    verbs::put(state, Confirm { buttons, ..Confirm::new("Somebody else is at it", lines, Vec::new()) });
}

/// The wait begins: its plan's screen says so.
pub fn waits(state: &mut State, ticket: u64) {
    let now_ms = state.now_ms;
    for layer in &mut state.layers {
        if let Layer::Plan(plan) = layer
            && plan.ticket == ticket
        {
            plan.waits_since = Some(now_ms);
            plan.progress.clear();
        }
    }
}

/// Nobody is at the swarm any more: the plan goes if it still holds, else it is made anew and shown again.
pub fn freed(state: &mut State, ticket: u64, moved: Result<Vec<String>>) -> Vec<Effect> {
    let now_ms = state.now_ms;
    let Some(Layer::Plan(layer)) = state.layers.iter_mut().find(|layer| matches!(layer, Layer::Plan(plan) if plan.ticket == ticket)) else {
        return Vec::new();
    };
    layer.waits_since = None;
    match moved {
        Err(fault) => {
            layer.plan = Some(Err(fault));
            Vec::new()
        }
        Ok(moved) if moved.is_empty() => super::plan::go(layer),
        Ok(moved) => {
            (layer.plan, layer.painted_ms, layer.started_ms, layer.lift) = (None, None, now_ms, false);
            let effect = Effect::Plan { ticket, request: layer.request.clone() };
            state.say(format!("the world moved while this waited, so it is planned anew: {}", moved.join("; ")), true);
            vec![effect]
        }
    }
}
