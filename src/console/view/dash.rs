//! The dash: what needs you first, then the swarms, then the latest events (`screens/dash.txt`).

use super::{Pen, describe, header, layout, table};
use crate::console::state::{Slot, State, TextKind};
use crate::console::theme::Role;
use crate::deck::look::Target;
use ratatui::layout::{Position, Rect};

/// Draws it.
pub fn draw(pen: &mut Pen<'_>, state: &State) -> Option<Position> {
    header::draw(pen, state, "");
    let mut cursor = None;
    for (slot, rect) in layout::dash(state) {
        let Some(pane) = state.panes.get(&slot) else { continue };
        let focused = state.focus == slot;
        let name = match slot {
            Slot::Needs => "NEEDS YOU",
            Slot::Latest => "LATEST",
            Slot::DashHosts => "HOSTS",
            Slot::DashProcs => "PROCS of the selection",
            _ => "SWARMS",
        };
        cursor = table::framed_as(pen, rect, state, pane, focused, name).or(cursor);
    }
    if let Some(rect) = layout::why(state) {
        why(pen, state, rect);
    }
    cursor
}

/// Beside a wide dash: why the selection is as it is, and what it said last.
fn why(pen: &mut Pen<'_>, state: &State, area: Rect) {
    let target = state.pointed();
    pen.rule(Rect { height: 1, ..area }, "WHY", "", false);
    if target == Target::Nothing {
        return;
    }
    let mut inside = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    if let Some(log) = &state.peek.log {
        // Below: what it said last.
        let height = inside.height / 2;
        let below = Rect { y: inside.bottom() - height, height, ..inside };
        inside.height -= height;
        pen.rule(Rect { height: below.height.min(1), ..below }, "LOG", "l opens it", false);
        super::log::beside(pen, Rect { y: below.y + 1, height: below.height.saturating_sub(1), ..below }, log);
    }
    let mut y = inside.y;
    for line in describe::lines(state, TextKind::Why, &target) {
        for part in super::footer::wrap(&line.text, usize::from(inside.width.max(1))) {
            if y >= inside.bottom() {
                return;
            }
            pen.text(inside.x, y, inside.width, &part, if line.role == Role::Title { Role::Title } else { line.role });
            y += 1;
        }
    }
}
