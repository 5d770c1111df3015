//! The window's title: which fleet, and how much of it needs somebody.

use crate::console::state::State;
use crate::model::shown::shown;

/// Cells that a title has at most.
const MOST: usize = 60;

/// `PROD-EU: 4 need you`; nothing in it could be taken for a control sequence.
pub fn title(state: &State) -> String {
    let fleet = if state.look.fleet.is_empty() { "swarmdeck" } else { &state.look.fleet };
    let fleet: String = shown(fleet).chars().take(MOST).collect();
    match state.look.needs.len() {
        0 => fleet,
        1 => format!("{fleet}: 1 needs you"),
        count => format!("{fleet}: {count} need you"),
    }
}
