//! Keys of a question: Cancel has the focus, and it is deaf until its frame was out for 0.3 s.

use super::{goto, verbs};
use crate::console::effect::Effect;
use crate::console::keys::Action;
use crate::console::state::{Confirm, DEAF_MS, Layer, State};
use crate::console::view::overlay;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

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
        Action::Accept if count == 2 && confirm.yes => return press(state, 1),
        Action::Choose => {
            let focus = confirm.focus;
            return press(state, focus);
        }
        _ => {}
    }
    Vec::new()
}

fn press(state: &mut State, number: usize) -> Vec<Effect> {
    let Some(Layer::Confirm(confirm)) = state.layers.last() else { return Vec::new() };
    let Some(button) = confirm.buttons.get(number).cloned() else { return Vec::new() };
    if let Some(by) = confirm.protected.as_ref().filter(|_| !confirm.may_press(&button)) {
        let text = format!("{}: type {} first", by.line(), by.asked());
        state.say(text, true);
        return Vec::new();
    }
    if confirm.protected.is_some() {
        // What was wrong with the name is over.
        state.toast = None;
    }
    // It may have fallen back while this was open.
    if button.acts() && verbs::is_read_only(state) {
        return Vec::new();
    }
    verbs::press(state, button)
}

/// A key where the name of what is protected is typed; none when it is for the buttons.
pub fn name_key(state: &mut State, key: KeyEvent) -> Option<Vec<Effect>> {
    let now_ms = state.now_ms;
    let Some(Layer::Confirm(confirm)) = state.layers.last_mut() else { return None };
    let heard = confirm.painted_ms.is_some_and(|painted| now_ms >= painted + DEAF_MS);
    let named = |confirm: &Confirm| confirm.protected.as_ref().is_some_and(|by| by.is_named(&confirm.name.text));
    let typed = match key.code {
        KeyCode::Char(_) => !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT),
        KeyCode::Backspace | KeyCode::Delete => true,
        // Half a name is no answer, and not a no either.
        KeyCode::Enter if heard && confirm.focus == 0 && !confirm.name.text.is_empty() && !named(confirm) => {
            let text = confirm.protected.as_ref().map(|by| format!("that is not its name: type {}, or esc", by.asked()));
            state.say(text.unwrap_or_default(), true);
            return Some(Vec::new());
        }
        _ => false,
    };
    if !typed {
        return None;
    }
    if heard {
        let was = named(confirm);
        confirm.name.key(key);
        let mut acting = confirm.buttons.iter().enumerate().filter(|(_, button)| button.acts());
        if let (Some((only, _)), None) = (acting.next(), acting.next()) {
            confirm.focus = match (was, named(confirm)) {
                (_, true) => only,
                (true, false) => 0,
                _ => confirm.focus,
            };
        }
    }
    Some(Vec::new())
}
