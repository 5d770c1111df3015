//! The mouse looks and never acts: a click puts the cursor on a row, by its id; the wheel moves.

use super::on_key;
use crate::console::effect::Effect;
use crate::console::msg::Mouse;
use crate::console::state::{Layer, Pane, State, Tab};
use crate::console::view::layout;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::{Position, Rect};

/// How many rows a notch of the wheel moves.
const NOTCH: usize = 3;

/// Does what the mouse says.
pub fn act(state: &mut State, mouse: Mouse, x: u16, y: u16) -> Vec<Effect> {
    // On what asks or is written in, it does nothing.
    if state.layers.last().is_some_and(|layer| {
        !matches!(layer, Layer::List { .. } | Layer::Text { .. } | Layer::Dispatch { .. } | Layer::Log(_) | Layer::Help { .. })
    }) {
        return Vec::new();
    }
    match mouse {
        Mouse::Click => click(state, Position::new(x, y)),
        Mouse::WheelUp => (0..NOTCH).for_each(|_| drop(on_key(state, KeyEvent::from(KeyCode::Up)))),
        Mouse::WheelDown => (0..NOTCH).for_each(|_| drop(on_key(state, KeyEvent::from(KeyCode::Down)))),
    }
    Vec::new()
}

/// Puts the cursor on the row that was clicked, in whatever pane it is.
fn click(state: &mut State, at: Position) {
    let whole = Rect::new(0, 0, state.size.0, state.size.1);
    if matches!(state.layers.last(), Some(Layer::List { .. })) || (state.layers.is_empty() && state.tab != Tab::Dash) {
        if let Some(pane) = state.pane_mut() {
            put(pane, layout::body(whole), at);
        }
        return;
    }
    if !state.layers.is_empty() || state.is_empty_home() {
        return;
    }
    if let Some((slot, area)) = layout::dash(state).into_iter().find(|(_, area)| area.contains(at))
        && let Some(pane) = state.panes.get_mut(&slot)
    {
        put(pane, area, at);
        state.focus = slot;
    }
}

fn put(pane: &mut Pane, area: Rect, at: Position) {
    let first = area.y.saturating_add(layout::head(pane.kind));
    if area.contains(at) && at.y >= first {
        pane.put(pane.top + usize::from(at.y - first));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::tests::fixture::state;

    #[test]
    fn a_click_selects_by_id_and_what_asks_hears_nothing() {
        let mut state = state(80, 24);
        let (slot, area) = layout::dash(&state)[1];
        act(&mut state, Mouse::Click, 10, area.y + 2 + 2);
        assert_eq!((state.focus, state.panes[&slot].row), (slot, 2));
        let on = state.pointed();
        act(&mut state, Mouse::WheelDown, 10, 10);
        assert_eq!(state.panes[&slot].row, 5);
        act(&mut state, Mouse::WheelUp, 10, 10);
        assert_eq!(state.pointed(), on);
        on_key(&mut state, KeyEvent::from(KeyCode::Char('.')));
        let layers = state.layers.len();
        for mouse in [Mouse::Click, Mouse::WheelDown, Mouse::WheelUp] {
            assert_eq!(act(&mut state, mouse, 10, area.y + 3), []);
        }
        assert_eq!((state.layers.len(), state.pointed()), (layers, on));
    }
}
