//! What comes back from effects: plans, dispatches, saves, log lines.

use crate::console::effect::Effect;
use crate::console::msg::Msg;
use crate::console::state::{Came, Field, Kind, Layer, Pane, PlanFocus, Scope, State};
use crate::deck::look::Target;
use crate::model::{FaultKind, Result};

/// Build lines kept on a plan screen while the plan is made.
const PROGRESS_KEPT: usize = 200;

/// Takes an answer; one for a layer that was closed is dropped.
pub fn take(state: &mut State, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Planned { ticket, plan } => {
            let layer = state.layers.iter_mut().find_map(|layer| match layer {
                Layer::Plan(layer) if layer.ticket == ticket => Some(layer),
                _ => None,
            });
            if let Some(layer) = layer {
                layer.plan = Some(*plan);
                layer.painted_ms = None;
                // A name is typed for the plan that is seen.
                layer.name = Field::default();
                if layer.focus == PlanFocus::Name {
                    layer.focus = PlanFocus::Cancel;
                }
            }
        }
        Msg::Reported { dispatch, lines: Ok(lines) } => state.report = Some((Target::Dispatch(dispatch), lines)),
        Msg::Reported { lines: Err(fault), .. } => state.say(fault.line(), true),
        Msg::Why { target, lines: Ok(lines) } => state.why = Some((target, lines)),
        Msg::Why { lines: Err(fault), .. } => state.say(fault.line(), true),
        Msg::Progress { ticket, line } => {
            for layer in &mut state.layers {
                match layer {
                    Layer::Plan(layer) if layer.ticket == ticket => {
                        layer.progress.push_back(line.clone());
                        if layer.progress.len() > PROGRESS_KEPT {
                            layer.progress.pop_front();
                        }
                    }
                    Layer::Log(log) if log.ticket == ticket => log.push(vec![line.clone()]),
                    Layer::Leaving { ticket: known, said } if *known == ticket => said.clone_from(&line.text),
                    _ => {}
                }
            }
        }
        Msg::Read { ticket, lines } => {
            for layer in &mut state.layers {
                match layer {
                    Layer::Sheet(sheet) if sheet.ticket == ticket => sheet.lines = Some(lines.clone()),
                    _ => {}
                }
            }
        }
        Msg::History { ticket, target, versions } => super::goto::versions(state, ticket, &target, versions),
        Msg::StrayPlanned(Ok(plan)) => super::strays::show(state, plan),
        Msg::StrayPlanned(Err(fault)) => state.say(fault.line(), true),
        Msg::StraysPlanned { verb, plans: Ok(plans) } => super::bulk::strays_planned(state, verb, plans),
        Msg::StraysPlanned { plans: Err(fault), .. } => state.say(fault.line(), true),
        Msg::Executed(Ok(id)) => {
            state.layers.retain(|layer| !matches!(layer, Layer::Plan(plan) if plan.sent));
            if is_busy(state) {
                state.say("it is under way: 6 shows it", false);
                return Vec::new();
            }
            let pane = Box::new(Pane::new(Kind::Places, Scope::Run(id.clone())));
            state.layers.push(Layer::Dispatch { id, pane });
            state.came = Some(Came::default());
        }
        Msg::Executed(Err(fault)) if fault.kind == FaultKind::Busy => super::holding::busy(state, &fault),
        Msg::Freed { ticket, moved } => return super::holding::freed(state, ticket, moved),
        Msg::WavePlanned { ticket, why, plan } => super::waves::planned(state, ticket, &why, *plan),
        Msg::WaveBegun(result) => super::waves::begun(state, result),
        Msg::Leaving => return super::leaving::hand_over(state),
        Msg::HandedOver { ticket, result } => return super::leaving::ended(state, ticket, result),
        Msg::Executed(Err(fault)) => {
            for layer in &mut state.layers {
                if let Layer::Plan(plan) = layer
                    && plan.sent
                {
                    // The world moved, or somebody holds it: what was shown is no longer what would be done.
                    plan.plan = Some(Err(fault.clone()));
                    plan.painted_ms = None;
                    plan.sent = false;
                }
            }
            state.say(fault.line(), true);
        }
        Msg::BuildStarted(Ok(_)) if is_busy(state) => state.say("it is being built: 5 shows it", false),
        Msg::BuildStarted(Ok(id)) => {
            state.came = Some(Came::default());
            return super::goto::logs(state, &Target::Build(id));
        }
        Msg::PoolPlanned(Ok(plan)) => super::pools::show(state, plan),
        Msg::PoolPlanned(Err(fault)) => state.say(fault.line(), true),
        Msg::Said(result) => told(state, result),
        Msg::BuildStarted(result) => told(state, result),
        Msg::EditorOpened { document, draft } => super::edit::opened(state, *document, draft),
        Msg::Saved { target, text, then_plan, result } => return super::edit::saved(state, &target, &text, then_plan, result),
        Msg::ReadAgain(document) => super::edit::read_again(state, *document),
        Msg::Tried { target, result } => super::edit::tried(state, &target, result),
        Msg::ExternalEditorDone(result) => super::edit::external_done(state, result),
        Msg::LogLines { ticket, lines } => {
            if let Some(log) = log_of(state, ticket) {
                log.push(lines);
            }
        }
        Msg::VerbEnded { ticket, text } => {
            if let Some(log) = log_of(state, ticket) {
                log.ended = true;
            }
            state.say(text, false);
        }
        Msg::LogEnded { ticket, fault } => {
            // Whoever closed the screen is still told that it went wrong.
            if let (None, Some(fault)) = (log_of(state, ticket), &fault) {
                state.say(fault.line(), true);
            }
            if let Some(log) = log_of(state, ticket) {
                log.ended = true;
                log.fault = fault;
            }
        }
        _ => {}
    }
    Vec::new()
}

/// Whether the operator writes or answers something: no screen comes over that by itself.
fn is_busy(state: &State) -> bool {
    state.layers.last().is_some_and(|layer| !layer.is_screen() || matches!(layer, Layer::Editor(_) | Layer::Plan(_)))
}

fn log_of(state: &mut State, ticket: u64) -> Option<&mut crate::console::state::LogLayer> {
    let beside = state.peek.log.as_deref_mut().filter(|log| log.ticket == ticket);
    let over = state.layers.iter_mut().find_map(|layer| match layer {
        Layer::Log(log) if log.ticket == ticket => Some(log.as_mut()),
        _ => None,
    });
    over.or(beside)
}

fn told(state: &mut State, result: Result<String>) {
    match result {
        Ok(text) => state.say(text, false),
        Err(fault) => state.say(fault.line(), true),
    }
}
