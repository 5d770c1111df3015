//! Keys of a question with text fields.

use super::{goto, holding, verbs, waves, writing};
use crate::console::effect::Effect;
use crate::console::state::{Asks, Confirm, Layer, State};
use crate::deck::look::{DispatchRequest, Target};
use crossterm::event::{KeyCode, KeyEvent};

/// A key of the question on top.
pub fn key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let Some(Layer::Ask(ask)) = state.layers.last_mut() else { return Vec::new() };
    let count = ask.fields.len().max(1);
    match key.code {
        KeyCode::Esc => return goto::pop(state),
        KeyCode::Tab | KeyCode::Down => ask.focus = (ask.focus + 1) % count,
        KeyCode::BackTab | KeyCode::Up => ask.focus = (ask.focus + count - 1) % count,
        KeyCode::Enter => return answer(state),
        _ => {
            let focus = ask.focus;
            if let Some((_, field)) = ask.fields.get_mut(focus) {
                field.key(key);
            }
        }
    }
    Vec::new()
}

fn answer(state: &mut State) -> Vec<Effect> {
    let Some(Layer::Ask(ask)) = state.layers.last() else { return Vec::new() };
    let text = |at: usize| ask.fields.get(at).map(|(_, field)| field.text.trim().to_string()).unwrap_or_default();
    let (first, why) = (text(0), text(1));
    match ask.asks.clone() {
        Asks::Dispatch(swarm) => {
            state.layers.pop();
            let version = (!first.is_empty()).then_some(first);
            verbs::plan(state, DispatchRequest { swarm, version, why, ..DispatchRequest::default() })
        }
        Asks::Size(swarm) => match first.parse::<u32>() {
            Ok(size) => {
                state.layers.pop();
                verbs::plan(state, DispatchRequest { swarm, size: Some(size), why, ..DispatchRequest::default() })
            }
            Err(_) => {
                state.say(format!("'{first}' is not a number of procs"), true);
                Vec::new()
            }
        },
        Asks::Wave(swarms) => {
            state.layers.pop();
            waves::plan(state, swarms, &first, &why)
        }
        Asks::Hold(on, object) => {
            holding::asked(state, on, &object, &first, &why);
            Vec::new()
        }
        Asks::HoldAll(targets) => {
            holding::asked_all(state, &targets, &first, &why);
            Vec::new()
        }
        Asks::Apply | Asks::AddHost | Asks::SaveLog(_) | Asks::Run(_) | Asks::Note(_) | Asks::HostAdd(_) if first.is_empty() => Vec::new(),
        Asks::Note(target) => {
            state.layers.pop();
            writing::note(state, &target, &first);
            Vec::new()
        }
        Asks::HostAdd(like) => {
            state.layers.pop();
            writing::add_host(state, first, why, like);
            Vec::new()
        }
        Asks::SaveLog(ticket) => {
            state.layers.pop();
            let text = state.layers.iter().find_map(|layer| match layer {
                Layer::Log(log) if log.ticket == ticket => Some(log.text(&log.shown())),
                _ => None,
            });
            text.map(|text| Effect::SaveText { path: first, text }).into_iter().collect()
        }
        Asks::Run(target) => {
            let last = ask.fields.last().map(|(_, field)| field.text.trim().to_string()).unwrap_or_default();
            let all = match (&target, why.as_str()) {
                (Target::Swarm(_), "all") => true,
                (Target::Swarm(_), other) if other != "one" => {
                    state.say(format!("'{other}': write one or all"), true);
                    return Vec::new();
                }
                _ => false,
            };
            state.layers.pop();
            super::running::confirm(state, &target, first, all, last);
            Vec::new()
        }
        Asks::Apply => {
            state.layers.pop();
            verbs::confirm_apply(state, first);
            Vec::new()
        }
        Asks::AddHost => {
            state.layers.pop();
            let lines = vec![first.clone(), "Is written down and looked at; nothing on it changes.".into()];
            verbs::confirm(state, Confirm::new("Add this host?", lines, vec![verbs::button("add", vec![Effect::AddHost(first)])]));
            Vec::new()
        }
    }
}
