//! The editor as a layer: its keys, and the answers that it waits for.

use super::{verbs, waves};
use crate::console::editor::{Editor, EditorAct};
use crate::console::effect::Effect;
use crate::console::state::{Layer, State};
use crate::deck::look::{DispatchRequest, Draft, EditDocument, EditSaved, EditTarget, Target};
use crate::model::Result;
use crate::model::document::Kind;
use crate::model::fault::FaultKind;
use crate::model::writing::Writing;
use crossterm::event::KeyEvent;

fn editor(state: &mut State) -> Option<&mut Editor> {
    state.layers.iter_mut().rev().find_map(|layer| match layer {
        Layer::Editor(editor) => Some(editor.as_mut()),
        _ => None,
    })
}

/// What a verb on an object edits; none for verbs that edit nothing.
pub fn target(verb: &str, on: &Target) -> Option<EditTarget> {
    Some(match (verb, on) {
        ("edit", Target::Swarm(id)) => EditTarget::SwarmConfig(id.clone()),
        ("edit-env", Target::Swarm(id)) => EditTarget::SwarmEnv(id.clone()),
        ("edit", Target::Ingredient(id)) => EditTarget::IngredientConfig(id.clone()),
        ("edit-env", Target::Ingredient(id)) => EditTarget::IngredientEnv(id.clone()),
        ("edit", Target::Host(name)) => EditTarget::Host(name.clone()),
        ("edit" | "edit-whole" | "new" | "clone", on) => {
            let (kind, name) = match on {
                Target::Swarm(id) => (Kind::Swarm, id),
                Target::Ingredient(id) => (Kind::Ingredient, id),
                Target::Squad(name) => (Kind::Squad, name),
                Target::App(name) => (Kind::App, name),
                Target::Buildpack(name) => (Kind::Buildpack, name),
                Target::Balancer(name) => (Kind::Balancer, name),
                _ => return None,
            };
            match verb {
                "new" => EditTarget::New(kind, String::new()),
                "clone" => EditTarget::New(kind, name.clone()),
                _ => EditTarget::Whole(kind, name.clone()),
            }
        }
        _ => return None,
    })
}

/// A key of the editor on top.
pub fn key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let (now_ms, can_write) = (state.now_ms, state.may_write());
    let acts = editor(state).map(|editor| editor.with_write(can_write).key(key, now_ms)).unwrap_or_default();
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
    let (now_ms, can_write) = (state.now_ms, state.may_write());
    let acts = editor(state).map(|editor| editor.with_write(can_write).tick(now_ms)).unwrap_or_default();
    effects(state, acts)
}

fn effects(state: &mut State, acts: Vec<EditorAct>) -> Vec<Effect> {
    let Some(target) = editor(state).map(|editor| editor.target().clone()) else { return Vec::new() };
    let mut effects = Vec::new();
    for act in acts {
        match act {
            EditorAct::Draft(_) | EditorAct::DropDraft if !keeps_drafts(state) => {}
            EditorAct::Save { .. } | EditorAct::External { .. } if verbs::is_read_only(state) => {
                // The editor fills the screen: it says it itself.
                let refusal = state.look.writing.refusal(state.now_ms);
                if let (Some(open), Some(fault)) = (editor(state), refusal) {
                    open.not_saved(&fault, false);
                }
            }
            EditorAct::Draft(draft) => effects.push(Effect::SaveDraft { target: target.clone(), draft: Some(draft) }),
            EditorAct::DropDraft => effects.push(Effect::SaveDraft { target: target.clone(), draft: None }),
            EditorAct::Try { text, rev } => effects.push(Effect::TrySave { target: target.clone(), text, rev }),
            EditorAct::Save { text, rev, then_plan } => {
                effects.push(Effect::SaveEditor { target: target.clone(), text, rev, why: String::new(), then_plan });
            }
            EditorAct::Suspend => effects.push(Effect::Suspend),
            EditorAct::External { text } => effects.push(Effect::ExternalEditor { text }),
            EditorAct::Copy { text } => effects.push(Effect::Copy(text)),
            EditorAct::Close => state.layers.retain(|layer| !matches!(layer, Layer::Editor(_))),
        }
    }
    effects
}

/// What somebody else saved under the open editor; one that was closed meanwhile needs it no more.
pub fn read_again(state: &mut State, document: Result<EditDocument>) {
    if let Ok(document) = document
        && let Some(open) = editor(state).filter(|open| *open.target() == document.target)
    {
        open.fresh(document);
    }
}

/// A document came: a new editor.
pub fn opened(state: &mut State, document: Result<EditDocument>, draft: Option<(Draft, i64)>) {
    let now_ms = state.now_ms;
    match document {
        // Asked for twice: what is open may have been typed in.
        Ok(_) if editor(state).is_some() => {}
        Ok(document) => {
            let mut open = Editor::open(document, now_ms).with_fleet(&state.look.fleet, state.may_write());
            if let Some((draft, kept_ms)) = draft {
                open.offer_draft(&draft, kept_ms, now_ms);
            }
            open.asked_event = newest_edit(state);
            state.layers.push(Layer::Editor(Box::new(open)));
        }
        Err(fault) => state.say(fault.line(), true),
    }
}

/// A new look: when somebody saved something since, the open editor asks whether it was this.
pub fn looked(state: &mut State) -> Vec<Effect> {
    let newest = newest_edit(state);
    let Some(open) = editor(state).filter(|open| open.asked_event < newest && !open.target().id().is_empty()) else { return Vec::new() };
    open.asked_event = newest;
    vec![Effect::ReadAgain(open.target().clone())]
}

fn newest_edit(state: &State) -> i64 {
    state.look.events.iter().filter(|event| event.kind == "edit").map(|event| event.seq).max().unwrap_or(0)
}

/// What saving would mean.
pub fn tried(state: &mut State, target: &EditTarget, result: Result<Vec<String>>) {
    if let Some(open) = editor(state).filter(|open| open.target() == target) {
        open.tried(result);
    }
}

/// A save ended; one that was refused brings what the other saved, to be merged.
pub fn saved(state: &mut State, target: &EditTarget, text: &str, then_plan: bool, result: Result<EditSaved>) -> Vec<Effect> {
    let (now_ms, who) = (state.now_ms, state.look.who.clone());
    let mut reopen = false;
    if let Some(open) = editor(state).filter(|open| open.target() == target) {
        match &result {
            Ok(saved) => open.saved(text, saved, &who, now_ms),
            Err(fault) => {
                reopen = fault.kind == FaultKind::Refused && !target.id().is_empty();
                open.not_saved(fault, reopen);
            }
        }
    } else {
        match &result {
            Ok(saved) => state.say(saved.said.clone(), false),
            Err(fault) => state.say(fault.line(), true),
        }
    }
    if reopen {
        return vec![Effect::ReadAgain(target.clone())];
    }
    let Some(saved) = result.ok().filter(|_| then_plan) else { return Vec::new() };
    let id = saved.target.id().to_string();
    match saved.target.kind() {
        Kind::Swarm => {
            close(state);
            verbs::plan(state, DispatchRequest { swarm: id, ..DispatchRequest::default() })
        }
        Kind::Ingredient => {
            close(state);
            waves::plan_ingredient(state, &id)
        }
        _ => Vec::new(),
    }
}

fn close(state: &mut State) {
    state.layers.retain(|layer| !matches!(layer, Layer::Editor(_)));
}

/// Whether drafts can be kept: they are the user's own, and change nothing of the fleet.
fn keeps_drafts(state: &State) -> bool {
    !matches!(state.look.writing, Writing::Never(_))
}

/// The drafts of open editors that were not kept yet, with what they are of.
pub fn last_drafts(state: &mut State, now_ms: i64) -> Vec<(EditTarget, Option<Draft>)> {
    if !keeps_drafts(state) {
        return Vec::new();
    }
    let mut drafts = Vec::new();
    for layer in &mut state.layers {
        let Layer::Editor(open) = layer else { continue };
        for act in open.last_draft(now_ms) {
            match act {
                EditorAct::Draft(draft) => drafts.push((open.target().clone(), Some(draft))),
                EditorAct::DropDraft => drafts.push((open.target().clone(), None)),
                _ => {}
            }
        }
    }
    drafts
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
                open.not_saved(&fault, false);
            }
        }
    }
}
