//! What the terminal shows of what lies on top: a question hears nothing before its frame was drawn.

use crate::console::state::{Layer, SENT, State};

/// When the question on top was drawn.
fn top(state: &mut State) -> Option<&mut Option<i64>> {
    match state.layers.last_mut()? {
        Layer::Confirm(confirm) => Some(&mut confirm.painted_ms),
        Layer::Plan(plan) if plan.plan.is_some() => Some(&mut plan.painted_ms),
        Layer::Editor(editor) => editor.drawn(),
        Layer::Question(question) => Some(&mut question.painted_ms),
        _ => None,
    }
}

/// A frame of the state as it is was sent.
pub fn sent(state: &mut State) {
    if let Some(painted) = top(state) {
        painted.get_or_insert(SENT);
    }
}

/// What was sent last is drawn: what came on top since then is not.
pub fn arrived(state: &mut State, now_ms: i64) {
    if let Some(painted) = top(state).filter(|painted| **painted == Some(SENT)) {
        *painted = Some(now_ms);
    }
}

/// The terminal shows the state as it is.
pub fn painted(state: &mut State, now_ms: i64) {
    if let Some(painted) = top(state)
        && painted.is_none_or(|at| at == SENT)
    {
        *painted = Some(now_ms);
    }
}
