//! Verbs on what is out of place: the plan is asked for, shown as a question, and done only as it was shown.

use super::verbs::{button, confirm};
use crate::console::effect::Effect;
use crate::console::rows::find;
use crate::console::state::{Confirm, Layer, State};
use crate::deck::StrayPlan;

/// Asks for the plan; `ignore` of what is known asks whether to take that back.
pub fn begin(state: &mut State, verb: &str, place: &str, name: &str) -> Vec<Effect> {
    let (place, name) = (place.to_string(), name.to_string());
    let known = find::stray(&state.look, &place, &name).is_some_and(|stray| stray.ignored);
    let verb = match verb {
        "adopt" => "adopt",
        "ignore" if known => {
            let lines = vec![format!("{name} on {place} is shown as trouble again.")];
            let go = button("take it back", vec![Effect::Unignore { place, name }]);
            confirm(state, Confirm::new("Take back that it is known?", lines, vec![go]));
            return Vec::new();
        }
        "ignore" => "ignore",
        _ => "retire",
    };
    state.say(format!("asking what {verb} of {name} would do"), false);
    vec![Effect::PlanStray { verb, place, name }]
}

/// The plan came: it is the question. Whoever writes or answers something else by now is not interrupted.
pub fn show(state: &mut State, plan: StrayPlan) {
    if !matches!(state.layers.last(), None | Some(Layer::List { .. } | Layer::Text { .. })) {
        state.say(format!("{} of {} was planned and not shown: you were busy; ask again", plan.verb, plan.name), false);
        return;
    }
    let mut lines: Vec<String> = plan.lines.iter().enumerate().map(|(n, line)| format!("{}. {line}", n + 1)).collect();
    lines.extend(plan.asks.iter().map(|line| format!("! {line}")));
    let title = format!("{} {}?", plan.verb, if plan.name.is_empty() { &plan.place } else { &plan.name });
    let go = button(&plan.verb.clone(), vec![Effect::Stray(plan)]);
    confirm(state, Confirm::new(title, lines, vec![go]));
}
