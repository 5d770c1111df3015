//! The editor as a layer: its keys, and the answers that it waits for.

use super::verbs;
use crate::console::editor::{Editor, EditorAct};
use crate::console::effect::Effect;
use crate::console::state::{Layer, State};
use crate::deck::look::{DispatchRequest, EditDocument, EditTarget};
use crate::model::Result;
use crate::model::fault::FaultKind;
use crossterm::event::KeyEvent;

fn editor(state: &mut State) -> Option<&mut Editor> {
    state.layers.iter_mut().rev().find_map(|layer| match layer {
        Layer::Editor(editor) => Some(editor.as_mut()),
        _ => None,
    })
}

/// A key of the editor on top.
pub fn key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let now_ms = state.now_ms;
    let acts = editor(state).map(|editor| editor.key(key, now_ms)).unwrap_or_default();
    effects(state, acts)
}

/// A paste is one edit.
pub fn paste(state: &mut State, text: &str) -> Vec<Effect> {
    let now_ms = state.now_ms;
    let acts = editor(state).map(|editor| editor.paste(text, now_ms)).unwrap_or_default();
    effects(state, acts)
}

/// Time for its check and its draft.
pub fn tick(state: &mut State) -> Vec<Effect> {
    let now_ms = state.now_ms;
    let acts = editor(state).map(|editor| editor.tick(now_ms)).unwrap_or_default();
    effects(state, acts)
}

fn effects(state: &mut State, acts: Vec<EditorAct>) -> Vec<Effect> {
    let Some(target) = editor(state).map(|editor| editor.target().clone()) else { return Vec::new() };
    let mut effects = Vec::new();
    for act in acts {
        match act {
            EditorAct::Draft { .. } | EditorAct::DropDraft if !state.look.can_write => {}
            EditorAct::Draft { text } => effects.push(Effect::SaveDraft { target: target.clone(), text: Some(text) }),
            EditorAct::DropDraft => effects.push(Effect::SaveDraft { target: target.clone(), text: None }),
            EditorAct::Save { text, rev, then_plan } => {
                effects.push(Effect::SaveEditor { target: target.clone(), text, rev, why: String::new(), then_plan });
            }
            EditorAct::External { text } => effects.push(Effect::ExternalEditor { text }),
            EditorAct::Copy { text } => effects.push(Effect::Copy(text)),
            EditorAct::Close => state.layers.retain(|layer| !matches!(layer, Layer::Editor(_))),
        }
    }
    effects
}

/// A document came: a new editor, or what somebody else saved under the open one.
pub fn opened(state: &mut State, document: Result<EditDocument>, draft: Option<(String, i64)>) {
    let now_ms = state.now_ms;
    match document {
        Ok(document) => {
            if let Some(open) = editor(state).filter(|open| *open.target() == document.target) {
                open.merge_saved(document);
                return;
            }
            let mut open = Editor::open(document, now_ms).with_fleet(&state.look.fleet, state.look.can_write);
            if let Some((text, kept_ms)) = draft {
                open.offer_draft(&text, kept_ms, now_ms);
            }
            state.layers.push(Layer::Editor(Box::new(open)));
        }
        Err(fault) => state.say(fault.line(), true),
    }
}

/// A save ended; one that was refused brings what the other saved, to be merged.
pub fn saved(state: &mut State, target: &EditTarget, text: &str, then_plan: bool, result: Result<i64>) -> Vec<Effect> {
    let (now_ms, who) = (state.now_ms, state.look.who.clone());
    let mut reopen = false;
    if let Some(open) = editor(state).filter(|open| open.target() == target) {
        match &result {
            Ok(rev) => open.saved(text, *rev, &who, now_ms),
            Err(fault) => {
                open.not_saved(&fault.line());
                reopen = fault.kind == FaultKind::Refused;
            }
        }
    } else if let Err(fault) = &result {
        state.say(fault.line(), true);
    }
    if reopen {
        return vec![Effect::OpenEditor(target.clone())];
    }
    match target {
        EditTarget::SwarmConfig(id) | EditTarget::SwarmEnv(id) if then_plan && result.is_ok() => {
            state.layers.retain(|layer| !matches!(layer, Layer::Editor(_)));
            verbs::plan(state, DispatchRequest { swarm: id.clone(), ..DispatchRequest::default() })
        }
        _ => Vec::new(),
    }
}

/// `$EDITOR` ended.
pub fn external_done(state: &mut State, result: Result<Option<String>>) {
    let now_ms = state.now_ms;
    match result {
        Ok(text) => {
            if let Some(open) = editor(state) {
                open.external_done(text.as_deref(), now_ms);
            }
        }
        Err(fault) => {
            if let Some(open) = editor(state) {
                open.external_done(None, now_ms);
                open.not_saved(&fault.line());
            }
        }
    }
}
