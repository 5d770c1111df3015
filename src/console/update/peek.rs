//! Beside a wide dash: the log of what the cursor rests on, followed once it has rested there.

use crate::console::effect::Effect;
use crate::console::state::{LogLayer, LogSource, Peek, State, Tab};
use crate::console::view::layout;
use crate::deck::look::Target;

/// How long the cursor rests on a row before its log is asked for, ms.
const RESTS_MS: i64 = 700;

/// Follows the log of the selection, and stops that of the one before.
pub fn follow(state: &mut State) -> Vec<Effect> {
    let wanted = wanted(state);
    if state.peek.target != wanted {
        let old = std::mem::replace(&mut state.peek, Peek { target: wanted, since_ms: state.now_ms, log: None });
        return old.log.map(|log| Effect::Stop { ticket: log.ticket }).into_iter().collect();
    }
    if wanted == Target::Nothing || state.peek.log.is_some() || state.now_ms - state.peek.since_ms < RESTS_MS {
        return Vec::new();
    }
    let ticket = state.ticket();
    let log = LogLayer::new(ticket, String::new(), LogSource::Logs(wanted));
    let request = log.request(state.now_ms);
    state.peek.log = Some(Box::new(log));
    request.map(|request| Effect::FollowLog { ticket, request }).into_iter().collect()
}

/// What has a log and lies under the cursor, where there is room for it.
fn wanted(state: &State) -> Target {
    let room = state.tab == Tab::Dash && state.layers.is_empty() && layout::why(state).is_some();
    match state.pointed() {
        target @ (Target::Swarm(_) | Target::Proc(..)) if room => target,
        _ => Target::Nothing,
    }
}
