//! The editor's lists: the effective view and the problems.

use super::check::Severity;
use super::effective::Row;
use super::view::{Paint, cut, put, right_part, row};
use super::{Editor, Pane};
use crate::console::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

/// A line of the problem list: its problem, and whether it goes on from the line above.
pub(super) struct ProblemLine {
    problem: usize,
    place: String,
    text: String,
}

/// Widths of KEY, VALUE and FROM; RUNNING has the rest.
struct Columns {
    key: u16,
    value: u16,
    from: u16,
    /// Where RUNNING begins.
    running: u16,
    /// Its width; SIBLINGS stand behind it where there is a third column.
    now: u16,
    siblings: bool,
}

fn columns(width: u16, third: Option<u16>, runs: bool) -> Columns {
    if !runs && third.is_none() {
        let key = width.saturating_sub(10) * 9 / 20;
        let value = width.saturating_sub(key + 10);
        return Columns { key: key.max(4), value: value.max(4), from: 10, running: width, now: 0, siblings: false };
    }
    let room = third.unwrap_or(width);
    let base = if third.is_some() { 32 } else { 40 + 3 };
    let more = room.saturating_sub(base);
    let (key, value, from) = (14 + more * 2 / 5, 8 + more * 2 / 5, 10);
    let running = third.map_or(key + value + from, |at| at + 2);
    let rest = width.saturating_sub(running);
    let now = if third.is_some() { rest.saturating_sub(6) / 2 } else { rest.saturating_sub(3) };
    Columns { key, value, from, running, now, siblings: third.is_some() }
}

impl Editor {
    /// KEY, VALUE, FROM, RUNNING; with `third`, RUNNING and the siblings in a column of their own that begins there.
    pub(super) fn effective_pane(&self, paint: Paint, area: Rect, buf: &mut Buffer, third: Option<u16>) -> Option<(u16, u16)> {
        if area.is_empty() {
            return None;
        }
        let columns = columns(area.width, third, self.runs());
        let head = row(area, 0);
        let style = paint(Role::Dim);
        put(buf, head, "KEY", style);
        put(buf, right_part(head, columns.key), "VALUE", style);
        put(buf, right_part(head, columns.key + columns.value), "FROM", style);
        if self.runs() {
            put(buf, right_part(head, columns.running), "RUNNING", style);
        }
        if columns.siblings {
            let siblings = &self.document.siblings;
            let title = if siblings.count == 0 { String::new() } else { format!("SIBLINGS {}", siblings.count) };
            put(buf, right_part(head, columns.running + columns.now + 4), &title, style);
            for y in 0..area.height {
                put(buf, right_part(row(area, y), columns.running.saturating_sub(2)), "|", paint(Role::Border));
            }
        }
        let list = Rect { y: area.y + 1, height: area.height - 1, ..area };
        let height = usize::from(list.height);
        let wanted: usize = self.rows.iter().map(|r| 1 + r.hides.len()).sum();
        let focused = self.pane == Pane::Effective;
        let (shown, left) = if wanted <= height { (self.rows.iter().collect(), 0) } else { self.chosen(height, focused) };
        let mut y = 0;
        let mut cursor = None;
        for entry in shown {
            let line = row(list, y);
            if line.is_empty() {
                break;
            }
            let current = focused && self.rows.get(self.row).is_some_and(|at| at.key == entry.key);
            if current {
                cursor = Some((line.x, line.y));
            }
            self.effective_row(paint, line, buf, &columns, entry, current);
            y += 1;
            for (value, from) in &entry.hides {
                let line = row(list, y);
                let style = paint(Role::Dim);
                put(buf, line, "  hides", style);
                put(buf, right_part(line, columns.key), &cut(value, usize::from(columns.value) - 1), style);
                put(buf, right_part(line, columns.key + columns.value), &cut(from, usize::from(columns.from) - 1), style);
                y += 1;
            }
        }
        if left > 0 && list.height > 0 {
            let differ = self.rows.iter().filter(|r| r.differs).count();
            let text = if focused || differ > height || !self.runs() {
                format!("{left} more")
            } else {
                format!("{left} more, all same as running")
            };
            put(buf, row(list, list.height - 1), &text, paint(Role::Dim));
        }
        cursor
    }

    /// The rows to show where not all fit, one line kept for the count of the rest: with the keys here those around
    /// the chosen one, else first what differs, then what this text sets, then the others; always in the order of the keys.
    fn chosen(&self, height: usize, focused: bool) -> (Vec<&Row>, usize) {
        let mut room = height.saturating_sub(2);
        let mut picked: Vec<usize> = Vec::new();
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        if focused {
            let first = self.row.saturating_sub(room / 2).min(self.rows.len().saturating_sub(room));
            order = (first..self.rows.len()).collect();
            order.sort_by_key(|n| n.abs_diff(self.row));
        } else {
            order.sort_by_key(|n| self.rows.get(*n).map(|row| (!row.differs, !row.ours)));
        }
        for n in order {
            let Some(entry) = self.rows.get(n) else { continue };
            if entry.hides.len() < room || (picked.is_empty() && room > 0) {
                room = room.saturating_sub(1 + entry.hides.len());
                picked.push(n);
            } else {
                break;
            }
        }
        picked.sort_unstable();
        let left = self.rows.len() - picked.len();
        (picked.into_iter().filter_map(|n| self.rows.get(n)).collect(), left)
    }

    fn effective_row(&self, paint: Paint, line: Rect, buf: &mut Buffer, columns: &Columns, entry: &Row, current: bool) {
        let style = |role| if current { paint(Role::Text).patch(paint(Role::Selection)) } else { paint(role) };
        if current {
            buf.set_style(line.intersection(buf.area), paint(Role::Selection));
        }
        let problem = self.marked.contains(&entry.key);
        let key = tail(&entry.key, usize::from(columns.key) - 1);
        put(buf, line, &key, style(if entry.ours { Role::Key } else { Role::Text }));
        let room = usize::from(columns.value) - 1 - if problem { 2 } else { 0 };
        let role = if entry.value == crate::model::secret::MASK { Role::Secret } else { Role::Text };
        let used = put(buf, right_part(line, columns.key), &cut(&entry.value, room), style(role));
        if problem {
            put(buf, right_part(line, columns.key + used + 1), "!", style(Role::Warning));
        }
        let from = if entry.from.is_empty() { "gone" } else { &entry.from };
        put(buf, right_part(line, columns.key + columns.value), &cut(from, usize::from(columns.from) - 1), style(Role::Dim));
        let now = right_part(line, columns.running);
        if self.runs() {
            put(buf, now, &cut(&entry.running, usize::from(columns.now).saturating_sub(1)), style(Role::Text));
        }
        if entry.differs && self.runs() {
            put(buf, right_part(now, columns.now), "<", style(Role::Moving));
        }
        if columns.siblings && entry.siblings > 0 {
            let theirs = right_part(now, columns.now + 4);
            let text = if entry.theirs.is_empty() { format!("{} set it", entry.siblings) } else { entry.theirs.clone() };
            put(buf, theirs, &cut(&text, usize::from(theirs.width)), style(Role::Dim));
        }
    }

    /// The problems as lines of this width; long ones go on below.
    pub(super) fn problem_lines(&self, width: usize) -> Vec<ProblemLine> {
        let mut lines = Vec::new();
        for (n, problem) in self.problems.iter().enumerate() {
            let place = format!("{}:{}", problem.line, problem.column);
            for (k, text) in wrap(&problem.text, width.saturating_sub(10)).into_iter().enumerate() {
                lines.push(ProblemLine { problem: n, place: if k == 0 { place.clone() } else { String::new() }, text });
            }
        }
        lines
    }

    /// `rule`: where the line between the panes above ends.
    pub(super) fn problem_pane(
        &self,
        paint: Paint,
        area: Rect,
        buf: &mut Buffer,
        lines: &[ProblemLine],
        rule: Option<u16>,
    ) -> Option<(u16, u16)> {
        if area.is_empty() {
            return None;
        }
        let list = if area.height > 1 {
            let head = row(area, 0);
            let role = if self.pane == Pane::Problems { Role::Focus } else { Role::Title };
            let count = if self.problems.is_empty() { "none".into() } else { self.problems.len().to_string() };
            let used = put(buf, head, &format!("PROBLEMS {count} "), paint(role));
            let rest = right_part(head, used);
            put(buf, rest, &"-".repeat(usize::from(rest.width)), paint(Role::Border));
            if let Some(at) = rule.filter(|at| *at >= used) {
                put(buf, right_part(head, at), "+", paint(Role::Border));
            }
            Rect { y: area.y + 1, height: area.height - 1, ..area }
        } else {
            area
        };
        let current = self.current_problem();
        let first = lines.iter().position(|line| Some(line.problem) == current).unwrap_or(0);
        let of = lines.iter().filter(|line| Some(line.problem) == current).count();
        let height = usize::from(list.height);
        let top = (first + of).saturating_sub(height).min(first);
        let mut cursor = None;
        for (y, line) in (0..list.height).zip(lines.iter().skip(top)) {
            let at = row(list, y);
            let is_first = !line.place.is_empty();
            let role = match self.problems.get(line.problem).map(|p| p.severity) {
                Some(Severity::Error) => Role::Error,
                _ => Role::Warning,
            };
            if is_first {
                let here = Some(line.problem) == current;
                put(buf, at, if here { ">!" } else { " !" }, paint(role));
                put(buf, right_part(at, 3), &line.place, paint(role));
                if here {
                    cursor = Some((at.x, at.y));
                }
            }
            put(buf, right_part(at, 9), &line.text, paint(Role::Text));
        }
        cursor
    }
}

/// A dotted key cut to a width: its end says most.
fn tail(key: &str, width: usize) -> String {
    if key.width() <= width {
        return key.into();
    }
    let ends = key.match_indices('.').filter_map(|(at, _)| key.get(at..));
    let end = ends.into_iter().find(|end| end.width() < width);
    end.map_or_else(|| cut(key, width), |end| format!("+{end}"))
}

/// The text in lines of a width, broken at spaces.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(last) = lines.last_mut() else { break };
        if !last.is_empty() && last.width() + 1 + word.width() > width {
            lines.push(word.into());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}
