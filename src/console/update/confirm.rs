//! Keys of a question: Cancel has the focus, and it is deaf until its frame was out for 0.3 s.

use super::{goto, verbs};
use crate::console::effect::Effect;
use crate::console::keys::Action;
use crate::console::state::{DEAF_MS, Layer, State};
use crate::console::view::overlay;

/// An action on the question on top.
pub fn act(state: &mut State, act: Action) -> Vec<Effect> {
    let now_ms = state.now_ms;
    let Some(Layer::Confirm(confirm)) = state.layers.last_mut() else { return Vec::new() };
    let count = confirm.buttons.len().max(1);
    let heard = confirm.painted_ms.is_some_and(|painted| now_ms >= painted + DEAF_MS);
    match act {
        Action::Refuse | Action::Out | Action::Leave | Action::Stop => return goto::pop(state),
        Action::PageDown | Action::PageUp => {
            let (total, seen) = overlay::confirm_room(state.size, confirm);
            let page = seen.saturating_sub(1).max(1);
            let to = if act == Action::PageDown { confirm.top + page } else { confirm.top.saturating_sub(page) };
            confirm.top = to.min(total.saturating_sub(seen));
        }
        // Type-ahead neither moves the focus nor presses.
        _ if !heard => {}
        Action::NextField => confirm.focus = (confirm.focus + 1) % count,
        Action::PreviousField => confirm.focus = (confirm.focus + count - 1) % count,
        Action::Accept if count == 2 && confirm.yes => {
            return confirm.buttons.get(1).cloned().map(|button| verbs::press(state, button)).unwrap_or_default();
        }
        Action::Choose => return confirm.buttons.get(confirm.focus).cloned().map(|button| verbs::press(state, button)).unwrap_or_default(),
        _ => {}
    }
    Vec::new()
}
