//! Where things are on the screen; asked by the view to draw and by the update to scroll.

use super::{describe, overlay};
use crate::console::state::{Kind, Layer, Slot, State, Tab};
use ratatui::layout::Rect;
use std::collections::BTreeMap;

/// From this size on the parts of a screen stand side by side.
const WIDE: (u16, u16) = (160, 40);

/// Whether the parts stand side by side.
pub fn is_wide((width, height): (u16, u16)) -> bool {
    width >= WIDE.0 && height >= WIDE.1
}

/// What lies between the header and the two lines at the foot (toast, keys).
pub fn body(area: Rect) -> Rect {
    Rect { y: area.y.saturating_add(1), height: area.height.saturating_sub(3), ..area }
}

/// Where the help lies: the fleet's name above it and the keys below stay in sight.
pub fn help(area: Rect) -> Rect {
    let top = u16::from(area.height > 4);
    Rect { y: area.y + top, height: area.height.saturating_sub(1 + top), ..area }
}

/// Rows of a list or text that fills the screen.
pub fn screen_rows((_, height): (u16, u16)) -> usize {
    usize::from(height.saturating_sub(5)).max(1)
}

/// The panes of the dash, in the order that tab visits them.
///
/// ```text
/// header                      | header
/// NEEDS YOU                   | NEEDS YOU
/// SWARMS                      | hosts | SWARMS          | why and log of
/// LATEST                      |       | procs of it     | the selection
/// toast, keys                 | LATEST
/// ```
pub fn dash(state: &State) -> Vec<(Slot, Rect)> {
    let (width, height) = state.size;
    let body = body(Rect::new(0, 0, width, height));
    let wide = is_wide(state.size);
    let room = body.height;
    let most: u16 = if height >= 40 { 10 } else { (room / 5).max(1) };
    let needs = (state.look.needs.len().max(1).min(usize::from(most)) as u16 + 1).min(room);
    let latest = match (width, height) {
        (_, 40..) => 13,
        (70.., 20..) => 5,
        _ => 0,
    };
    let middle = room.saturating_sub(needs + latest);
    let needs_at = Rect { height: needs, ..body };
    let middle_at = Rect { y: body.y + needs, height: middle, ..body };
    let latest_at = Rect { y: body.y + needs + middle, height: latest, ..body };
    let mut panes = vec![(Slot::Needs, needs_at)];
    if state.zoom && panes_of(wide, latest).contains(&state.focus) {
        return vec![(state.focus, body)];
    }
    if wide {
        let (left, why) = (42, why_width(width));
        let swarms = (middle * 3 / 5).max(3);
        let x = middle_at.x + left;
        let center = width.saturating_sub(left + why);
        panes.push((Slot::DashHosts, Rect { width: left - 2, ..middle_at }));
        panes.push((Slot::DashSwarms, Rect { x, width: center, height: swarms, ..middle_at }));
        panes.push((Slot::DashProcs, Rect { x, y: middle_at.y + swarms, width: center, height: middle - swarms }));
    } else {
        panes.push((Slot::DashSwarms, middle_at));
    }
    if latest > 0 {
        panes.push((Slot::Latest, latest_at));
    }
    panes
}

/// The panes that a dash has.
fn panes_of(wide: bool, latest: u16) -> Vec<Slot> {
    let all = [Slot::Needs, Slot::DashHosts, Slot::DashSwarms, Slot::DashProcs, Slot::Latest];
    all.into_iter()
        .filter(|slot| match slot {
            Slot::DashHosts | Slot::DashProcs => wide,
            Slot::Latest => latest > 0,
            _ => true,
        })
        .collect()
}

fn why_width(width: u16) -> u16 {
    (width / 4).clamp(40, 60)
}

/// The place of why and log on a wide dash.
pub fn why(state: &State) -> Option<Rect> {
    if !is_wide(state.size) {
        return None;
    }
    let panes = dash(state);
    let hosts = panes.iter().find(|(slot, _)| *slot == Slot::DashHosts).map(|(_, rect)| *rect)?;
    let wide = why_width(state.size.0).saturating_sub(2);
    Some(Rect { x: state.size.0.saturating_sub(wide), width: wide, ..hosts })
}

/// Lines that a pane's title and column names take.
pub fn head(kind: Kind) -> u16 {
    match kind {
        Kind::Needs | Kind::Events => 1,
        _ => 2,
    }
}

/// Rows that each visible pane shows.
pub fn heights(state: &State) -> BTreeMap<Slot, usize> {
    let rows = |slot: Slot, rect: Rect| (slot, usize::from(rect.height.saturating_sub(head(slot.kind()))));
    if state.tab == Tab::Dash {
        return dash(state).into_iter().map(|(slot, rect)| rows(slot, rect)).collect();
    }
    let slot = state.tab.slot();
    let body = body(Rect::new(0, 0, state.size.0, state.size.1));
    BTreeMap::from([rows(slot, body)])
}

/// The panes that are drawn, covered or not.
pub fn visible(state: &State) -> Vec<Slot> {
    heights(state).into_keys().collect()
}

/// Rows that a page motion moves by.
pub fn page(state: &State) -> usize {
    match state.layers.last() {
        None => heights(state).get(&state.slot()).copied().unwrap_or(1),
        Some(_) => screen_rows(state.size),
    }
}

/// Keeps the text on top from scrolling past its end.
pub fn clamp_text(state: &mut State) {
    let rows = screen_rows(state.size);
    let lines = match state.layers.last() {
        Some(Layer::Text { kind, target, .. }) => describe::lines(state, *kind, target).len(),
        Some(Layer::Sheet(sheet)) => sheet.lines.as_ref().and_then(|lines| lines.as_ref().ok()).map_or(0, Vec::len),
        Some(Layer::Help { .. }) => overlay::help_lines(&state.keys).len(),
        _ => return,
    };
    let most = lines.saturating_sub(rows);
    match state.layers.last_mut() {
        Some(Layer::Text { top, .. } | Layer::Help { top }) => *top = (*top).min(most),
        Some(Layer::Sheet(sheet)) => sheet.top = sheet.top.min(most),
        _ => {}
    }
}
