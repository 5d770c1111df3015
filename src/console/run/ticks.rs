//! When something that is shown may change by itself, with nobody telling: the loop sleeps until then.

use crate::console::state::{Layer, State};
use std::time::Duration;

/// When a visible text may change by itself: each second while something is under way or rows wait to be ordered, else seldom.
pub fn until(state: &State) -> Duration {
    let editor = state.layers.iter().find_map(|layer| match layer {
        Layer::Editor(editor) => editor.next_tick(),
        _ => None,
    });
    if let Some(at) = editor {
        return Duration::from_millis(u64::try_from(at - state.now_ms).unwrap_or(0).clamp(10, 1000));
    }
    let waiting = state.layers.iter().any(|layer| matches!(layer, Layer::Plan(plan) if plan.plan.is_none() || plan.waits_since.is_some()));
    let live =
        matches!(state.screen(), Some(Layer::Dispatch { .. })) && state.look.dispatches.iter().any(|dispatch| dispatch.outcome.is_none());
    let fresh_key = state.now_ms - state.last_key_ms < 2000;
    if waiting || live || fresh_key || state.toast.is_some() { Duration::from_secs(1) } else { Duration::from_secs(10) }
}
