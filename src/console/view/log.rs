//! A followed log, and the lines of a verb that is under way.

use super::ansi::spans;
use super::{Pen, header, layout};
use crate::console::rows::text::count;
use crate::console::state::{Kept, LineKind, LogLayer, LogSource, SINCE, State};
use crate::console::theme::Role;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

/// How wide the column may be that says where lines are from.
const FROM_MOST: usize = 22;

/// Draws it.
pub fn draw(pen: &mut Pen<'_>, state: &State, log: &LogLayer) -> Option<Position> {
    header::draw(pen, state, "LOG");
    let Rect { x, y, width, .. } = pen.area;
    let rows = layout::screen_rows(state.size);
    pen.rule(Rect { y: y + 1, height: 1, ..pen.area }, &log.title, &facts(log).join(" - "), false);
    let area = Rect { x, y: y + 2, width, height: rows as u16 };
    if log.lines.is_empty() {
        let text = match &log.fault {
            Some(fault) => fault.line(),
            None if log.ended => "it says nothing".into(),
            None => "nothing yet".into(),
        };
        pen.text(x + 1, y + 2, width.saturating_sub(1), &text, if log.fault.is_some() { Role::Wrong } else { Role::Dim });
    }
    if !log.lines.is_empty() && log.lines.iter().all(|kept| kept.hidden) {
        let text = if log.only.is_some() { "no line of it is shown; & shows all procs" } else { "no line matches; / tab esc shows all" };
        pen.text(x + 1, y + 2, width.saturating_sub(1), text, Role::Dim);
    }
    let from = from_width(log);
    if log.follow {
        from_the_end(pen, area, log, from)
    } else {
        from_the_top(pen, area, log, from)
    }
    let status = pen.area.bottom().saturating_sub(3);
    if status > y + 1 {
        return last_line(pen, log, Rect { y: status, height: 1, ..pen.area });
    }
    None
}

/// The end of a log, beside something else.
pub fn beside(pen: &mut Pen<'_>, area: Rect, log: &LogLayer) {
    if log.lines.is_empty() {
        let (text, role) = match &log.fault {
            Some(fault) => (fault.line(), Role::Wrong),
            None if log.ended => ("it says nothing".to_string(), Role::Dim),
            None => ("nothing yet".to_string(), Role::Dim),
        };
        pen.text(area.x, area.y, area.width, &text, role);
    } else {
        from_the_end(pen, area, log, from_width(log));
    }
}

/// What the title line says of it.
fn facts(log: &LogLayer) -> Vec<String> {
    let mut facts = vec![format!("{} lines", count(log.lines.len() as i64))];
    if log.dropped > 0 {
        facts.push(format!("{} older gone", count(log.dropped as i64)));
    }
    if matches!(log.source, LogSource::Logs(_)) {
        let untimed = log.sources.values().filter(|timed| !**timed).count();
        match (log.sources.len(), untimed) {
            (0 | 1, _) => {}
            (_, 0) => facts.push("by time".into()),
            (all, none) if all == none => facts.push("BY ARRIVAL, no times".into()),
            (all, some) => facts.push(format!("by time, {some} of {all} BY ARRIVAL")),
        }
        if let Some((words, _)) = SINCE.get(log.since).filter(|_| log.since > 0) {
            facts.push(format!("since {words}"));
        }
    }
    if let Some(only) = &log.only {
        facts.push(format!("only {}", label(only)));
    }
    facts.push(match (&log.paused, log.ended, log.follow) {
        (Some(waiting), _, _) => format!("PAUSED, {} wait", waiting.len()),
        (None, true, _) => "ended".into(),
        (None, false, true) => "following".into(),
        (None, false, false) => "not following".into(),
    });
    facts
}

fn label(from: &str) -> String {
    crate::deck::look::LogLine { at_ms: 0, from: from.into(), text: String::new() }.label()
}

/// The line below the log: what is searched for or alone shown, or what went wrong.
fn last_line(pen: &mut Pen<'_>, log: &LogLayer, area: Rect) -> Option<Position> {
    let Rect { x, y, width, .. } = area;
    let pattern = if log.filtering { &log.filter } else { &log.search };
    let numbers = if log.filtering {
        format!("{} of {} lines", count(log.shown().len() as i64), count(log.lines.len() as i64))
    } else {
        format!("{} found", count(log.matches().len() as i64))
    };
    if log.finding {
        let end = pen.text(x, y, width, if log.filtering { "only lines with " } else { "search " }, Role::Focus);
        let after = pen.text(end, y, width, &log.find.text, Role::Input);
        let wrong = pattern.wrong.as_deref().unwrap_or_default();
        pen.text(after + 2, y, area.right().saturating_sub(after + 2), &format!("{numbers}  {wrong}"), Role::Dim);
        return Some(Position::new(end + log.find.text.chars().take(log.find.cursor).count() as u16, y));
    }
    let mut said = Vec::new();
    if !log.filter.is_empty() {
        said.push(format!(
            "only lines with {}  ({} of {})",
            log.filter.text,
            count(log.shown().len() as i64),
            count(log.lines.len() as i64)
        ));
    }
    if !log.search.is_empty() {
        let matches = log.matches();
        let at = log.found.and_then(|row| matches.iter().position(|found| *found == row)).map_or(0, |at| at + 1);
        said.push(format!("search {}  {at} of {}", log.search.text, matches.len()));
    }
    match log.fault.as_ref().filter(|_| !log.lines.is_empty()) {
        _ if !said.is_empty() => pen.text(x, y, width, &said.join("   "), Role::Dim),
        Some(fault) => pen.text(x, y, width, &format!("! {}", fault.line()), Role::Wrong),
        None => x,
    };
    None
}

/// How wide the column of sources is; 0 with one source.
fn from_width(log: &LogLayer) -> usize {
    if log.sources.len() < 2 {
        return 0;
    }
    log.sources.keys().map(|from| label(from).chars().count()).max().unwrap_or(0).min(FROM_MOST)
}

/// A line cut into screen rows: as many as it needs when wrapping, else one.
fn cut(log: &LogLayer, kept: &Kept, width: u16, from: usize, pen: &Pen<'_>, most_rows: u16) -> Vec<Vec<(Style, String)>> {
    let width = usize::from(width.max(1));
    let most = if log.wrap { width * usize::from(most_rows.max(1)) } else { width };
    let (dim, note) = (pen.theme.style(Role::Dim), pen.theme.style(Role::Note));
    let line = &kept.line;
    let mut pieces: Vec<(Style, String)> = Vec::new();
    match kept.kind {
        LineKind::Mark => {
            let text = format!("---- mark {} ", pen.times.clock(line.at_ms));
            let rest = "-".repeat(width.saturating_sub(text.chars().count()));
            return vec![vec![(pen.theme.style(Role::Focus), text + &rest)]];
        }
        LineKind::Own => {
            if log.times {
                pieces.push((dim, format!("{}  ", pen.times.clock(line.at_ms))));
            }
            pieces.push((note, format!("-- {}", line.text)));
        }
        LineKind::Said | LineKind::Stage => {
            if log.times {
                let sign = if log.by_arrival(kept) { '~' } else { ' ' };
                pieces.push((dim, format!("{}{sign} ", pen.times.clock(line.at_ms))));
            }
            if from > 0 {
                let label: String = line.label().chars().take(from).collect();
                pieces.push((dim, format!("{label:<from$} ")));
            }
            if kept.kind == LineKind::Stage {
                pieces.push((pen.theme.style(Role::Title), line.text.clone()));
            } else {
                pieces.extend(spans(&line.text, pen.theme.depth, most));
            }
        }
    }
    let times = if kept.times > 1 { format!("  x{}", kept.times) } else { String::new() };
    let room = if log.wrap { width } else { width.saturating_sub(times.chars().count()) };
    let mut rows: Vec<Vec<(Style, String)>> = vec![Vec::new()];
    let mut used = 0;
    'pieces: for (style, text) in pieces {
        let mut chars = text.chars().peekable();
        while chars.peek().is_some() {
            if used >= room {
                if !log.wrap || rows.len() >= usize::from(most_rows) {
                    break 'pieces;
                }
                rows.push(Vec::new());
                used = 0;
            }
            let part: String = chars.by_ref().take(room - used).collect();
            used += part.chars().count();
            if let Some(row) = rows.last_mut() {
                row.push((style, part));
            }
        }
    }
    if !times.is_empty()
        && let Some(row) = rows.last_mut()
    {
        row.push((note, times));
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
    } else if log.lines.get(number).is_some_and(|kept| kept.hit) {
        pen.lay(Rect { y, height: 1, ..area }, Role::Match);
    }
}

fn from_the_top(pen: &mut Pen<'_>, area: Rect, log: &LogLayer, from: usize) {
    let mut y = area.y;
    for (number, kept) in log.lines.iter().enumerate().skip(log.top).filter(|(_, kept)| !kept.hidden) {
        for row in cut(log, kept, area.width, from, pen, area.height) {
            if y >= area.bottom() {
                return;
            }
            put(pen, area, y, &row);
            mark(pen, area, y, log, number);
            y += 1;
        }
    }
}

fn from_the_end(pen: &mut Pen<'_>, area: Rect, log: &LogLayer, from: usize) {
    let mut rows: Vec<(usize, Vec<(Style, String)>)> = Vec::new();
    for (number, kept) in log.lines.iter().enumerate().rev().filter(|(_, kept)| !kept.hidden) {
        if rows.len() >= usize::from(area.height) {
            break;
        }
        let cut = cut(log, kept, area.width, from, pen, area.height);
        rows.extend(cut.into_iter().rev().map(|row| (number, row)));
    }
    rows.truncate(usize::from(area.height));
    for (y, (number, row)) in (area.y..area.bottom()).zip(rows.into_iter().rev()) {
        put(pen, area, y, &row);
        mark(pen, area, y, log, number);
    }
}
