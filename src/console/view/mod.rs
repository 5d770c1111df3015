//! What the state looks like: pure functions into a buffer, one file per screen part.

mod ansi;
mod dash;
mod describe;
mod describe_lists;
mod dispatch;
mod footer;
mod header;
pub mod layout;
mod log;
pub mod overlay;
mod pen;
mod plan;
mod sheet;
mod table;
pub mod title;
mod welcome;

pub use overlay::help_lines;
pub use pen::Pen;

use super::state::{Layer, State, Tab};
use super::theme::{Role, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Draws the whole screen; answers where the terminal's own cursor belongs (on the focused row or in the text field).
pub fn view(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let area = area.intersection(buffer.area);
    if area.is_empty() {
        return None;
    }
    buffer.set_style(area, theme.style(Role::Ground));
    let mut pen = Pen::new(buffer, theme, area);
    pen.times = state.look.times.clone();
    let mut cursor = match state.screen() {
        Some(Layer::List { title, pane }) => {
            header::draw(&mut pen, state, title);
            table::framed(&mut pen, layout::body(area), state, pane, true)
        }
        Some(Layer::Text { kind, target, top }) => describe::draw(&mut pen, state, *kind, target, *top),
        Some(Layer::Sheet(sheet)) => sheet::draw(&mut pen, state, sheet),
        Some(Layer::Plan(plan)) => plan::draw(&mut pen, state, plan),
        Some(Layer::Dispatch { id, pane }) => dispatch::draw(&mut pen, state, id, pane),
        Some(Layer::Log(log)) => log::draw(&mut pen, state, log),
        Some(Layer::Editor(editor)) => pen.editor(editor, state.now_ms),
        _ if state.is_empty_home() => welcome::draw(&mut pen, state),
        _ if state.tab == Tab::Dash => dash::draw(&mut pen, state),
        _ => {
            header::draw(&mut pen, state, "");
            state.panes.get(&state.tab.slot()).and_then(|pane| table::framed(&mut pen, layout::body(area), state, pane, true))
        }
    };
    // The editor fills its screen to the last line.
    if !matches!(state.screen(), Some(Layer::Editor(_))) {
        footer::draw(&mut pen, state);
    }
    let first_overlay = state.layers.iter().rposition(Layer::is_screen).map_or(0, |at| at + 1);
    for layer in state.layers.iter().skip(first_overlay) {
        cursor = overlay::draw(&mut pen, state, layer).or(cursor);
    }
    // Where nothing has the focus it is on the screen's first line: a screen reader begins there.
    let first = Position::new(area.x, area.y.saturating_add(1).min(area.bottom().saturating_sub(1)));
    Some(cursor.filter(|at| area.contains(*at)).unwrap_or(first))
}
