//! Keys of the plan screen.

use super::{goto, holding};
use crate::console::effect::Effect;
use crate::console::keys::Action;
use crate::console::state::{DEAF_MS, Field, Layer, PlanFocus, PlanLayer, State};
use crate::model::quote::quote;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key while WHY is typed; none when it is for the screen.
pub fn why_key(state: &mut State, key: KeyEvent) -> Option<Vec<Effect>> {
    let Some(Layer::Plan(plan)) = state.layers.last_mut() else { return None };
    match key.code {
        KeyCode::Tab | KeyCode::BackTab => return None,
        KeyCode::Enter | KeyCode::Esc => plan.focus = PlanFocus::Cancel,
        _ => {
            plan.why.key(key);
        }
    }
    Some(Vec::new())
}

/// A letter that means nothing here begins the reason: whoever types one should not press a button with the next.
pub fn typed(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let now_ms = state.now_ms;
    let Some(Layer::Plan(plan)) = state.layers.last_mut() else { return Vec::new() };
    let heard = plan.painted_ms.is_some_and(|painted| now_ms >= painted + DEAF_MS);
    let ready = matches!(&plan.plan, Some(Ok(_))) && plan.waits_since.is_none() && !plan.sent;
    let letter = matches!(key.code, KeyCode::Char(c) if c.is_alphanumeric()) && key.modifiers.difference(KeyModifiers::SHIFT).is_empty();
    if heard && ready && letter {
        plan.focus = PlanFocus::Why;
        plan.why.key(key);
    }
    Vec::new()
}

/// A key while the name of what is protected is typed; none when it is for the screen.
pub fn name_key(state: &mut State, key: KeyEvent) -> Option<Vec<Effect>> {
    let named = is_named(state);
    let Some(Layer::Plan(plan)) = state.layers.last_mut() else { return None };
    match key.code {
        KeyCode::Tab | KeyCode::BackTab => return None,
        KeyCode::Esc => (plan.focus, plan.name) = (PlanFocus::Cancel, Field::default()),
        KeyCode::Enter if named => return Some(send(state)),
        KeyCode::Enter => {
            let text = state.layers.last().and_then(|layer| match layer {
                Layer::Plan(plan) => state.protected_of(plan).map(|by| format!("that is not its name: type {}, or esc", by.asked())),
                _ => None,
            });
            state.say(text.unwrap_or_default(), true);
        }
        _ => {
            plan.name.key(key);
        }
    }
    Some(Vec::new())
}

/// Whether the name that is asked for was typed, or none is.
fn is_named(state: &State) -> bool {
    match state.layers.last() {
        Some(Layer::Plan(plan)) => state.protected_of(plan).is_none_or(|by| by.is_named(&plan.name.text)),
        _ => false,
    }
}

/// Carries it out, unless something holds it or nothing may be changed; where something is protected its name comes first.
fn send(state: &mut State) -> Vec<Effect> {
    let Some(Layer::Plan(plan)) = state.layers.last() else { return Vec::new() };
    if let Some(held) = holding::stops(plan) {
        state.say(held, true);
    } else if !super::verbs::is_read_only(state) {
        let named = is_named(state);
        if let Some(Layer::Plan(plan)) = state.layers.last_mut() {
            if named {
                // What was wrong with the name is over.
                state.toast = None;
                return go(plan);
            }
            plan.focus = PlanFocus::Name;
        }
    }
    Vec::new()
}

/// An action on the plan.
pub fn act(state: &mut State, act: Action) -> Vec<Effect> {
    let now_ms = state.now_ms;
    let protected = matches!(state.layers.last(), Some(Layer::Plan(plan)) if state.protected_of(plan).is_some());
    let Some(Layer::Plan(plan)) = state.layers.last_mut() else { return Vec::new() };
    let heard = plan.painted_ms.is_some_and(|painted| now_ms >= painted + DEAF_MS);
    let held = plan.plan.as_ref().is_some_and(|plan| plan.as_ref().is_ok_and(|plan| !plan.held.is_empty()));
    let order = [PlanFocus::Lift, PlanFocus::Why, PlanFocus::Name, PlanFocus::Cancel, PlanFocus::Go];
    let there = |focus: &PlanFocus| match focus {
        PlanFocus::Lift => held,
        PlanFocus::Name => protected,
        _ => true,
    };
    let order: Vec<PlanFocus> = order.into_iter().filter(there).collect();
    let count = order.len();
    let at = order.iter().position(|focus| *focus == plan.focus).unwrap_or(1);
    match act {
        Action::Out | Action::Leave | Action::Stop => return goto::pop(state),
        Action::Down => plan.top = plan.top.saturating_add(1).min(1000),
        Action::Up => plan.top = plan.top.saturating_sub(1),
        Action::AllDifferences => plan.all_differences = !plan.all_differences,
        Action::Help => state.layers.push(Layer::Help { top: 0 }),
        Action::Refresh => return vec![Effect::Refresh],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Copy => {
            let line = command(plan);
            state.say(format!("copied: {line}"), false);
            return vec![Effect::Copy(line)];
        }
        _ if plan.plan.is_none() || plan.waits_since.is_some() || !heard => {}
        Action::NextField => plan.focus = order.get((at + 1) % count).copied().unwrap_or(PlanFocus::Cancel),
        Action::PreviousField => plan.focus = order.get((at + count - 1) % count).copied().unwrap_or(PlanFocus::Cancel),
        Action::Choose if plan.focus == PlanFocus::Lift => plan.lift = !plan.lift,
        Action::Choose if plan.focus == PlanFocus::Cancel => return goto::pop(state),
        Action::Choose if plan.focus != PlanFocus::Go => {}
        Action::Choose | Action::Accept => {
            return send(state);
        }
        _ => {}
    }
    Vec::new()
}

/// Sends it off.
pub fn go(layer: &mut PlanLayer) -> Vec<Effect> {
    match &layer.plan {
        // Sent once: a second y while the answer is under way is nothing.
        Some(Ok(plan)) if !layer.sent => {
            layer.sent = true;
            let lift = plan.held.iter().map(|hold| hold.name.clone()).collect();
            vec![Effect::Execute { plan_id: plan.id.clone(), why: layer.why.text.trim().to_string(), lift }]
        }
        _ => Vec::new(),
    }
}

/// The same as a command line.
pub fn command(layer: &PlanLayer) -> String {
    let Some(Ok(plan)) = &layer.plan else { return format!("swarmdeck plan {}", quote(&layer.swarm)) };
    let mut line = match plan.verb.as_str() {
        "rollback" => format!("swarmdeck rollback {} --to {}", quote(&plan.swarm), quote(&plan.to.release)),
        _ => format!("swarmdeck dispatch {} --version {}", quote(&plan.swarm), quote(&plan.to.version)),
    };
    if plan.size != plan.size_before && plan.verb != "rollback" {
        line.push_str(&format!(" --size {}", plan.size));
    }
    for hold in plan.held.iter().filter(|_| layer.lift) {
        line.push_str(&format!(" --lift {}", quote(&hold.name)));
    }
    if !layer.why.text.trim().is_empty() {
        line.push_str(&format!(" -m {}", quote(layer.why.text.trim())));
    }
    line
}
