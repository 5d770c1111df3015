//! What the terminal shows of what lies on top: a question, and a screen that came by itself, hear nothing before their frame was drawn.

use crate::console::state::{DEAF_MS, Layer, SENT, State};

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

/// Tells whatever waits for its frame.
fn tell(state: &mut State, change: impl Fn(&mut Option<i64>)) {
    if let Some(came) = &mut state.came {
        change(&mut came.painted_ms);
    }
    if let Some(painted) = top(state) {
        change(painted);
    }
}

/// A frame of the state as it is was sent.
pub fn sent(state: &mut State) {
    tell(state, |painted| *painted = painted.or(Some(SENT)));
}

/// What was sent last is drawn: what came on top since then is not.
pub fn arrived(state: &mut State, now_ms: i64) {
    tell(state, |painted| {
        if *painted == Some(SENT) {
            *painted = Some(now_ms);
        }
    });
}

/// The terminal shows the state as it is.
pub fn painted(state: &mut State, now_ms: i64) {
    tell(state, |painted| {
        if painted.is_none_or(|at| at == SENT) {
            *painted = Some(now_ms);
        }
    });
}

/// Whether a key counts: one that was typed before the screen that came by itself was seen does not.
pub fn is_heard(state: &mut State) -> bool {
    let heard = state.came.is_none_or(|came| came.painted_ms.is_some_and(|painted| state.now_ms >= painted.saturating_add(DEAF_MS)));
    if heard {
        state.came = None;
    }
    heard
}
