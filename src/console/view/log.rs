//! A followed log, and the lines of a verb that is under way.

use super::ansi::spans;
use super::{Pen, header, layout};
use crate::console::rows::text::{clock, count};
use crate::console::state::{LogLayer, State};
use crate::console::theme::Role;
use crate::deck::look::LogLine;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

/// Draws it.
pub fn draw(pen: &mut Pen<'_>, state: &State, log: &LogLayer) -> Option<Position> {
    header::draw(pen, state, "LOG");
    let Rect { x, y, width, .. } = pen.area;
    let rows = layout::screen_rows(state.size);
    let mut facts = vec![format!("{} lines", count(log.lines.len() as i64))];
    if log.dropped > 0 {
        facts.push(format!("{} older gone", count(log.dropped as i64)));
    }
    facts.push(match (&log.paused, log.ended, log.follow) {
        (Some(waiting), _, _) => format!("PAUSED, {} wait", waiting.len()),
        (None, true, _) => "ended".into(),
        (None, false, true) => "following".into(),
        (None, false, false) => "not following".into(),
    });
    pen.rule(Rect { y: y + 1, height: 1, ..pen.area }, &log.title, &facts.join(" - "), false);
    let area = Rect { x, y: y + 2, width, height: rows as u16 };
    if log.lines.is_empty() {
        let text = match &log.fault {
            Some(fault) => fault.line(),
            None if log.ended => "it says nothing".into(),
            None => "nothing yet".into(),
        };
        pen.text(x + 1, y + 2, width.saturating_sub(1), &text, if log.fault.is_some() { Role::Wrong } else { Role::Dim });
    }
    if log.follow {
        from_the_end(pen, area, log)
    } else {
        from_the_top(pen, area, log)
    }
    let status = pen.area.bottom().saturating_sub(3);
    if status > y + 1 {
        if log.finding {
            let end = pen.text(x, status, width, "search ", Role::Focus);
            pen.text(end, status, width, &log.find.text, Role::Input);
            return Some(Position::new(end + log.find.text.chars().take(log.find.cursor).count() as u16, status));
        }
        if !log.find.text.is_empty() {
            let matches = log.matches();
            let at = log.found.and_then(|row| matches.iter().position(|found| *found == row)).map_or(0, |at| at + 1);
            pen.text(x, status, width, &format!("search {}  {} of {}", log.find.text, at, matches.len()), Role::Dim);
        } else if let Some(fault) = log.fault.as_ref().filter(|_| !log.lines.is_empty()) {
            pen.text(x, status, width, &format!("! {}", fault.line()), Role::Wrong);
        }
    }
    None
}

/// A line cut into screen rows: as many as it needs when wrapping, else one.
fn cut(log: &LogLayer, line: &LogLine, width: u16, pen: &Pen<'_>, most_rows: u16) -> Vec<Vec<(Style, String)>> {
    let width = usize::from(width.max(1));
    let most = if log.wrap { width * usize::from(most_rows.max(1)) } else { width };
    let mut pieces: Vec<(Style, String)> = Vec::new();
    if log.times {
        pieces.push((pen.theme.style(Role::Dim), format!("{} ", clock(line.at_ms))));
    }
    pieces.extend(spans(&line.text, pen.theme.depth, most));
    let mut rows: Vec<Vec<(Style, String)>> = vec![Vec::new()];
    let mut used = 0;
    for (style, text) in pieces {
        let mut chars = text.chars().peekable();
        while chars.peek().is_some() {
            if used >= width {
                if !log.wrap || rows.len() >= usize::from(most_rows) {
                    return rows;
                }
                rows.push(Vec::new());
                used = 0;
            }
            let part: String = chars.by_ref().take(width - used).collect();
            used += part.chars().count();
            if let Some(row) = rows.last_mut() {
                row.push((style, part));
            }
        }
    }
    rows
}

fn put(pen: &mut Pen<'_>, area: Rect, y: u16, row: &[(Style, String)]) {
    let mut x = area.x;
    for (style, text) in row {
        x = pen.styled(x, y, area.right().saturating_sub(x), text, *style);
    }
}

fn mark(pen: &mut Pen<'_>, area: Rect, y: u16, log: &LogLayer, number: usize) {
    if log.found == Some(number) {
        pen.lay(Rect { y, height: 1, ..area }, Role::Selection);
    } else if !log.find.text.is_empty()
        && log.lines.get(number).is_some_and(|line| line.text.to_lowercase().contains(&log.find.text.to_lowercase()))
    {
        pen.lay(Rect { y, height: 1, ..area }, Role::Match);
    }
}

fn from_the_top(pen: &mut Pen<'_>, area: Rect, log: &LogLayer) {
    let mut y = area.y;
    for (number, line) in log.lines.iter().enumerate().skip(log.top) {
        for row in cut(log, line, area.width, pen, area.height) {
            if y >= area.bottom() {
                return;
            }
            put(pen, area, y, &row);
            mark(pen, area, y, log, number);
            y += 1;
        }
    }
}

fn from_the_end(pen: &mut Pen<'_>, area: Rect, log: &LogLayer) {
    let mut rows: Vec<(usize, Vec<(Style, String)>)> = Vec::new();
    for (number, line) in log.lines.iter().enumerate().rev() {
        if rows.len() >= usize::from(area.height) {
            break;
        }
        let cut = cut(log, line, area.width, pen, area.height);
        rows.extend(cut.into_iter().rev().map(|row| (number, row)));
    }
    rows.truncate(usize::from(area.height));
    for (y, (number, row)) in (area.y..area.bottom()).zip(rows.into_iter().rev()) {
        put(pen, area, y, &row);
        mark(pen, area, y, log, number);
    }
}
