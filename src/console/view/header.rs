//! The first line: the fleet, what is open, who looks, and how old the oldest thing shown is.

use super::Pen;
use crate::console::rows::cells::totals;
use crate::console::rows::text::seen;
use crate::console::state::State;
use crate::console::theme::Role;
use crate::model::world::HostState;
use ratatui::layout::Rect;

/// How long is left, begun minutes counted: `15m`, `1m`.
fn minutes(ms: i64) -> String {
    format!("{}m", ms.div_euclid(60_000) + i64::from(ms % 60_000 > 0))
}

/// Draws it; without a title it says the numbers of the fleet.
pub fn draw(pen: &mut Pen<'_>, state: &State, title: &str) {
    let look = &state.look;
    let Rect { x, y, width, .. } = pen.area;
    pen.lay(Rect { height: 1, ..pen.area }, Role::Header);
    let fleet = if look.fleet.is_empty() { "swarmdeck" } else { &look.fleet };
    let end = pen.text(x, y, width, &format!("[{fleet}]"), Role::Fleet);
    let left = if title.is_empty() {
        let (hosts, procs, swarms) = totals(look);
        format!("hosts {hosts}  procs {procs}  swarms {swarms}")
    } else {
        title.to_string()
    };
    let oldest = look
        .world
        .hosts
        .values()
        .filter(|host| matches!(host.state, HostState::Ok | HostState::Degraded(_)))
        .map(|host| host.seen_ms)
        .min();
    let age = oldest.map_or_else(|| "no hosts".into(), |at| format!("seen {}", seen(state.now_ms, at)));
    // A narrow screen has no room for who looks.
    let name = if title.is_empty() { look.who.as_str() } else { look.who.split('@').next().unwrap_or_default() };
    let who = if width < 72 { String::new() } else { format!("{name} ") };
    let right = match look.writing.left_ms(state.now_ms) {
        Some(left) => format!("{who}WRITE {}  {age}  ", minutes(left)),
        None if state.may_write() => format!("{who}WRITE  {age}  "),
        None => format!("{who} {age} READ-ONLY"),
    };
    let wide = pen.width(&right).min(width);
    let room = width.saturating_sub(wide + 1 + (end - x));
    if room > 10 {
        pen.right(x, y, width, &right, Role::Header);
        pen.text(end + 2, y, room.saturating_sub(2), &left, Role::Header);
    } else {
        pen.text(end + 2, y, width, &left, Role::Header);
    }
}
