//! Lists: only the rows in the window are built.

use super::{Pen, layout};
use crate::console::rows::text::count;
use crate::console::rows::{Cells, cells, chosen, columns, fit};
use crate::console::state::{Kind, Pane, Sort, State};
use crate::console::theme::Role;
use crate::deck::habits::Habits;
use ratatui::layout::{Position, Rect};

/// A list with its rule and column names; answers where the cursor is.
pub fn framed(pen: &mut Pen<'_>, area: Rect, state: &State, pane: &Pane, focused: bool) -> Option<Position> {
    let name = pane.kind.word().to_uppercase();
    framed_as(pen, area, state, pane, focused, &name)
}

/// [`framed`] under a name of one's own.
pub fn framed_as(pen: &mut Pen<'_>, area: Rect, state: &State, pane: &Pane, focused: bool, name: &str) -> Option<Position> {
    if area.height == 0 {
        return None;
    }
    let shown_rows = pane.order.len();
    let filtered = !pane.filter.is_empty() || pane.trouble_only;
    let numbers = if pane.kind == Kind::Events && !filtered {
        name.to_string()
    } else if filtered {
        format!("{name} {} of {}", count(shown_rows as i64), count(pane.total as i64))
    } else {
        format!("{name} {}", count(pane.total as i64))
    };
    let right = match pane.kind {
        Kind::Needs | Kind::Places => String::new(),
        Kind::Events if !filtered => pane
            .order
            .last()
            .and_then(|(target, _)| match target {
                crate::deck::look::Target::Event(seq) => crate::console::rows::find::event(&state.look, *seq),
                _ => None,
            })
            .map(|event| {
                let (clock, zone) = (state.look.times.clock(event.at_ms), state.look.times.word(event.at_ms));
                format!("{} since {} {zone}", count(pane.total as i64), clock.get(..5).unwrap_or_default())
            })
            .unwrap_or_default(),
        _ => {
            let filter = match (pane.filter.as_str(), pane.trouble_only) {
                ("", false) => "none".to_string(),
                ("", true) => "trouble".to_string(),
                (filter, false) => filter.to_string(),
                (filter, true) => format!("{filter} + trouble"),
            };
            let sort = match pane.sort {
                Sort::Trouble if is_newest_first(pane.kind) => "NEWEST",
                Sort::Trouble => "TROUBLE",
                Sort::Column { column, .. } => columns(pane.kind).get(column).map_or("TROUBLE", |column| column.title),
            };
            let way = if matches!(pane.sort, Sort::Column { down: true, .. }) { " down" } else { "" };
            format!("filter {filter} - sort {sort}{way}")
        }
    };
    pen.rule(
        Rect { height: 1, ..area },
        &numbers,
        &right,
        focused && state.tab == crate::console::state::Tab::Dash && state.layers.is_empty(),
    );
    let mut rows = Rect { y: area.y + 1, height: area.height - 1, ..area };
    if layout::head(pane.kind) == 2 && rows.height > 0 {
        names(pen, rows, pane.kind, &state.habits);
        rows = Rect { y: rows.y + 1, height: rows.height - 1, ..rows };
    }
    self::rows(pen, rows, state, pane, focused)
}

/// Lists of what was, and of what is under way.
fn is_newest_first(kind: Kind) -> bool {
    matches!(kind, Kind::Builds | Kind::Releases | Kind::Uptests | Kind::Holds | Kind::Waves | Kind::Audit | Kind::Versions | Kind::Events)
}

fn prefix(kind: Kind) -> u16 {
    if kind == Kind::Events { 1 } else { 3 }
}

/// The line of column names.
pub fn names(pen: &mut Pen<'_>, area: Rect, kind: Kind, habits: &Habits) {
    let inset = prefix(kind);
    for (number, x, width) in fit(&chosen(kind, habits), area.width.saturating_sub(inset)) {
        let Some(column) = columns(kind).get(number) else { continue };
        let x = area.x + inset + x;
        if column.right {
            pen.right(x, area.y, width, column.title, Role::Title);
        } else {
            pen.text(x, area.y, width.saturating_sub(1).max(1), column.title, Role::Title);
        }
    }
}

/// The rows in the window; answers where the cursor is.
pub fn rows(pen: &mut Pen<'_>, area: Rect, state: &State, pane: &Pane, focused: bool) -> Option<Position> {
    let mut cursor = None;
    if pane.order.is_empty() {
        let text = match (pane.kind, pane.filter.is_empty() && !pane.trouble_only) {
            (Kind::Needs, _) => "nothing; all is well",
            (_, false) => "nothing matches the filter; esc clears it",
            _ => "none",
        };
        pen.text(area.x + 3, area.y, area.width.saturating_sub(3), text, Role::Dim);
    }
    let inset = prefix(pane.kind);
    let placed = fit(&chosen(pane.kind, &state.habits), area.width.saturating_sub(inset));
    let at = pane.at();
    for (number, id) in pane.order.iter().enumerate().skip(pane.top).take(usize::from(area.height)) {
        let y = area.y + (number - pane.top) as u16;
        let Some(row) = cells(&state.look, state.now_ms, pane, id) else { continue };
        let marked = state.marks.contains(&id.0);
        draw_row(pen, Rect { y, height: 1, ..area }, pane.kind, &placed, &row, marked);
        if focused && at == Some(number) {
            pen.lay(Rect { y, height: 1, width: barred(&placed, inset, area.width), ..area }, Role::Selection);
            pen.text(area.x, y, 1, ">", Role::Selection);
            cursor = Some(Position::new(area.x, y));
        }
    }
    cursor
}

/// A list as wide as this is barred over its whole width where the cursor is.
const BARRED_WHOLE: u16 = 120;
/// In a wider one the bar ends with the last column that ends before this.
const BARRED: u16 = 64;

/// How many cells of the cursor's row the selection covers. When the list moves on by a row they are written twice, so on a wide screen,
/// where a whole row is more than a slow line should carry, only the columns that say what the row is are covered.
fn barred(placed: &[(usize, u16, u16)], inset: u16, width: u16) -> u16 {
    if width <= BARRED_WHOLE {
        return width;
    }
    let ends = placed.iter().map(|(_, x, wide)| inset + x + wide);
    ends.clone().filter(|end| *end <= BARRED).max().or_else(|| ends.min()).unwrap_or(width)
}

fn draw_row(pen: &mut Pen<'_>, area: Rect, kind: Kind, placed: &[(usize, u16, u16)], row: &Cells, marked: bool) {
    let role = row.role.unwrap_or(Role::Text);
    let inset = prefix(kind);
    if inset == 3 {
        pen.text(area.x + 1, area.y, 1, &row.glyph.to_string(), role);
        if marked {
            pen.text(area.x + 2, area.y, 1, "+", Role::Marked);
        }
    }
    for (place, (number, x, width)) in placed.iter().enumerate() {
        let (Some(column), Some(text)) = (columns(kind).get(*number), row.cells.get(*number)) else { continue };
        let role = match column.title {
            "STATE" => role,
            "PROCS" if kind == Kind::Swarms => role,
            "TIME" | "WHO" => Role::Dim,
            "WHAT" if kind == Kind::Events => role,
            "NOW" => role,
            _ if marked => Role::Marked,
            _ if row.role == Some(Role::Title) => Role::Title,
            _ if row.role == Some(Role::Off) => Role::Off,
            _ => Role::Text,
        };
        let x = area.x + inset + x;
        if column.right {
            pen.right(x, area.y, *width, &text.text, Role::Dim);
        } else {
            let gap = u16::from(place + 1 < placed.len());
            pen.text(x, area.y, width.saturating_sub(gap), &text.text, role);
        }
    }
}
