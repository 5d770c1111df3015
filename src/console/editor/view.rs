//! The editor's frame: what stands where at every size (`screens/editor.txt`).

use super::check::Severity;
use super::review::Answer;
use super::{Editor, Pane};
use crate::console::theme::{Role, Theme};
use crate::deck::look::EditTarget;
use crate::model::document::Kind as Object;
use crate::model::shown::shown;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How a role looks.
pub(super) type Paint<'a> = &'a dyn Fn(Role) -> Style;

/// Below this width only one pane is shown; from `WIDE` three.
const TWO: u16 = 72;
const WIDE: u16 = 150;

impl Editor {
    /// Draws the editor; answers with the place for the terminal's cursor.
    pub fn render(&self, theme: &Theme, area: Rect, buf: &mut Buffer, now_ms: i64) -> Option<(u16, u16)> {
        let paint: Paint = &|role| theme.style(role);
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return None;
        }
        fill(buf, area, paint(Role::Text));
        if area.height < 3 {
            return self.text_pane(paint, area, buf);
        }
        self.title(paint, row(area, 0), buf, now_ms);
        let foot = row(area, area.height - 1);
        let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
        if self.review.is_some() {
            self.hint_line(paint, foot, buf);
            return self.review_layer(paint, body, buf);
        }
        let cursor = self.body(paint, body, buf, now_ms);
        if let (Some(at), None) = (cursor, &self.find) {
            self.popup(paint, body, buf, at);
        }
        match &self.find {
            Some(find) => Some(self.find_line(paint, foot, buf, find)),
            None => {
                self.hint_line(paint, foot, buf);
                cursor
            }
        }
    }

    /// Between the title and the hints.
    fn body(&self, paint: Paint, area: Rect, buf: &mut Buffer, now_ms: i64) -> Option<(u16, u16)> {
        let roomy = area.width >= TWO && area.height >= 14;
        let message = u16::from(area.height >= 3 && (roomy || self.message.is_some() || self.pane == Pane::Effective));
        let about = if roomy { 2 } else { u16::from(area.height >= 10 && self.others.is_some()) };
        let listed = self.problem_lines(usize::from(area.width.max(12)));
        let lines = u16::try_from(self.buffer.lines().len()).unwrap_or(u16::MAX);
        let spare = if roomy { 0 } else { area.height.saturating_sub(lines.saturating_add(3 + message + about)) };
        let room = if self.pane == Pane::Problems { area.height / 2 } else { area.height / 5 }.max(spare);
        let wanted = u16::try_from(listed.len()).unwrap_or(u16::MAX);
        let problems = match (roomy, area.height) {
            (_, ..6) => 0,
            (false, _) if self.pane == Pane::Effective => 0,
            (_, ..10) => wanted.min(1),
            (true, _) => 1 + wanted.clamp(3, room.max(3)),
            (false, _) if wanted == 0 => 0,
            (false, _) => 1 + wanted.min(room.max(3)),
        };
        let main = area.height - message - about - problems;
        let (top, rest) = (Rect { height: main, ..area }, Rect { y: area.y + main, height: area.height - main, ..area });
        let cursor = self.panes(paint, top, buf, roomy && main > 2);
        let list = Rect { height: problems, ..rest };
        let at = self.problem_pane(
            paint,
            list,
            buf,
            &listed,
            if area.width >= WIDE || area.width < TWO || self.is_new() { None } else { Some(split(area.width)) },
        );
        let lines = Rect { y: rest.y + problems, height: about, ..rest };
        self.about(paint, lines, buf, now_ms);
        if message > 0 {
            self.message_line(paint, Rect { y: rest.y + problems + about, height: 1, ..rest }, buf);
        }
        if self.pane == Pane::Problems { at.or(cursor) } else { cursor }
    }

    /// The text and the effective view, beside each other where there is room.
    fn panes(&self, paint: Paint, area: Rect, buf: &mut Buffer, ruled: bool) -> Option<(u16, u16)> {
        if area.is_empty() {
            return None;
        }
        if area.width < TWO || (self.is_new() && area.width < WIDE) {
            // A new text says in comments what each key is for: it gets the room.
            return match self.pane {
                Pane::Effective => {
                    self.effective_header(paint, row(area, 0), buf);
                    self.effective_pane(paint, below(area), buf, None)
                }
                _ => {
                    let width = usize::from(area.width);
                    self.yours_header(paint, row(area, 0), buf, width);
                    self.text_pane(paint, below(area), buf)
                }
            };
        }
        let at = split(area.width);
        let left = Rect { width: at, ..area };
        let right = Rect { x: area.x + at, width: area.width - at, ..area };
        self.yours_header(paint, row(left, 0), buf, usize::from(at));
        put(buf, row(right, 0), if ruled { "+" } else { "|" }, paint(Role::Border));
        for y in 1..area.height {
            put(buf, row(right, y), "|", paint(Role::Border));
        }
        let right = Rect { x: right.x + 2, width: right.width - 2, ..right };
        self.effective_header(paint, row(right, 0), buf);
        let text = self.text_pane(paint, below(left), buf);
        let running = (area.width >= WIDE).then(|| right.width - right.width * 2 / 5);
        let list = self.effective_pane(paint, below(right), buf, running);
        if self.pane == Pane::Effective { list } else { text }
    }

    fn title(&self, paint: Paint, area: Rect, buf: &mut Buffer, now_ms: i64) {
        fill(buf, area, paint(Role::Header));
        let fleet = if self.fleet.is_empty() { String::new() } else { format!("[{}]", shown(&self.fleet)) };
        let state = match (self.is_changed() || self.is_new(), self.drafted == self.buffer.version, self.draft_ms) {
            (false, ..) => "saved".to_string(),
            (true, true, Some(at)) => format!("draft kept {} ago - NOT SAVED", age(now_ms - at)),
            (true, ..) => "NOT SAVED".to_string(),
        };
        let state = if area.width < TWO && (self.is_changed() || self.is_new()) { "NOT SAVED".into() } else { state };
        let right = format!("{state}  {} ", if self.can_write { "WRITE" } else { "READ-ONLY" });
        let used = put(buf, area, &fleet, paint(Role::Fleet));
        let gap = if used > 0 { 2 } else { 0 };
        let rest = right_part(area, used + gap);
        let used = put(buf, rest, &format!("EDIT {}", shown(&self.document.title)), paint(Role::Header));
        let width = u16::try_from(right.width()).unwrap_or(u16::MAX);
        if rest.width > used + width {
            put(buf, right_part(rest, rest.width - width), &right, paint(Role::Header));
        } else if rest.width > used + 2 {
            put(buf, right_part(rest, used + 2), &state, paint(Role::Header));
        }
    }

    fn yours_header(&self, paint: Paint, area: Rect, buf: &mut Buffer, width: usize) {
        let style = paint(if self.pane == Pane::Text { Role::Focus } else { Role::Title });
        let lines = self.buffer.lines().len();
        let text = format!("YOURS  {}, {} changed ", plural(lines, "line"), self.changes);
        let used = put(buf, area, &text, style);
        put(buf, right_part(area, used), &"-".repeat(width), paint(Role::Border));
    }

    fn effective_header(&self, paint: Paint, area: Rect, buf: &mut Buffer) {
        let style = paint(if self.pane == Pane::Effective { Role::Focus } else { Role::Title });
        let keys = self.rows.iter().filter(|row| !row.from.is_empty()).count();
        let differ = self.rows.iter().filter(|row| row.differs).count();
        let verb = if differ == 1 { "differs" } else { "differ" };
        let mut text = format!("EFFECTIVE  {}, {differ} {verb} from running", plural(keys, "key"));
        if !self.runs() {
            text = format!("EFFECTIVE  {}", plural(keys, "key"));
        } else if self.document.running.is_empty() {
            text = format!("EFFECTIVE  {}, nothing runs yet", plural(keys, "key"));
        }
        if self.stale {
            text = format!("EFFECTIVE  {}, as before the error", plural(keys, "key"));
        }
        put(buf, area, &text, style);
    }

    /// OTHERS and USED BY.
    fn about(&self, paint: Paint, area: Rect, buf: &mut Buffer, now_ms: i64) {
        let saved = age(now_ms - self.document.saved_ms);
        let (text, role) = match &self.others {
            Some((text, clash)) => (text.clone(), if *clash { Role::Warning } else { Role::Moving }),
            None if self.is_new() => ("not there yet: saving creates it".into(), Role::Dim),
            None if self.document.saved_by.is_empty() => ("nobody else".into(), Role::Dim),
            None => (format!("none since {} saved it {saved} ago", shown(&self.document.saved_by)), Role::Dim),
        };
        labelled(buf, row(area, 0), paint, "OTHERS", &text, role);
        let users = &self.document.used_by;
        let kind = self.document.target.kind();
        let text = match (kind, users.len()) {
            (Object::Swarm, _) if self.document.target.block().is_some() => "this swarm only".to_string(),
            (Object::Swarm, _) => "nothing else names a swarm".into(),
            (Object::Ingredient, n) if n > 0 && !self.impact.is_empty() => {
                let (change, hidden) = super::users::counts(&self.impact);
                format!("{}, {change} change, {hidden} override: {}", plural(n, "swarm"), shown(&users.join(", ")))
            }
            (_, 0) => "nothing yet".into(),
            (_, n) => format!("{n}: {}", shown(&users.join(", "))),
        };
        labelled(buf, row(area, 1), paint, "USED BY", &text, Role::Dim);
    }

    /// News, else the chosen row of the effective view in full.
    fn message_line(&self, paint: Paint, area: Rect, buf: &mut Buffer) {
        if let Some((text, bad)) = &self.message {
            put(buf, area, text, paint(if *bad { Role::ToastError } else { Role::Toast }));
        } else if let (Pane::Effective, Some(row)) = (self.pane, self.rows.get(self.row)) {
            let mut text = format!("{} = {}", row.key, row.value);
            if !row.from.is_empty() {
                text.push_str(&format!(" ({})", row.from));
            }
            for (value, from) in &row.hides {
                text.push_str(&format!(", hides {value} ({from})"));
            }
            if self.runs() && !row.running.is_empty() {
                text.push_str(&format!(", runs {}", row.running));
            }
            if !row.theirs.is_empty() {
                text.push_str(&format!(", siblings {}", row.theirs));
            }
            put(buf, area, &text, paint(Role::Note));
        }
    }

    fn find_line(&self, paint: Paint, area: Rect, buf: &mut Buffer, find: &str) -> (u16, u16) {
        fill(buf, area, paint(Role::Input));
        let used = put(buf, area, &format!("find: {}", shown(find)), paint(Role::Input));
        let end = (area.x + used).min(area.right().saturating_sub(1));
        let hint = right_part(area, used + 3);
        put(buf, hint, "enter next  up last  esc done", paint(Role::Dim));
        (end, area.y)
    }

    fn hint_line(&self, paint: Paint, area: Rect, buf: &mut Buffer) {
        fill(buf, area, paint(Role::Footer));
        let width = |(key, what): &(&str, &str)| u16::try_from(key.width() + what.width() + 3).unwrap_or(u16::MAX);
        let mut hints = self.hints();
        // The way out stays; what stands before it goes first.
        while hints.len() > 1 && hints.iter().map(width).sum::<u16>() > area.width.saturating_add(2) {
            hints.remove(hints.len() - 2);
        }
        let mut rest = area;
        for hint in &hints {
            let used = put(buf, rest, hint.0, paint(Role::Key));
            put(buf, right_part(rest, used + 1), hint.1, paint(Role::Footer));
            rest = right_part(rest, width(hint));
        }
    }

    /// The difference, with its buttons.
    fn review_layer(&self, paint: Paint, area: Rect, buf: &mut Buffer) -> Option<(u16, u16)> {
        let review = self.review.as_ref()?;
        let head = format!(
            "{} {}  {} added, {} taken away ",
            review.head,
            shown(&self.document.title),
            plural(review.added, "line"),
            review.removed
        );
        let used = put(buf, row(area, 0), &head, paint(Role::Focus));
        put(buf, right_part(row(area, 0), used), &"-".repeat(usize::from(area.width)), paint(Role::Border));
        let ask = !review.asks_for_draft();
        let warnings = self.problems.iter().filter(|_| ask).filter(|p| p.severity == Severity::Warning).count();
        let others = self.others.as_ref().filter(|_| ask);
        let tail = 2 + u16::from(warnings > 0) + u16::from(others.is_some());
        let list = Rect { y: area.y + 1, height: area.height.saturating_sub(1 + tail), ..area };
        let top = review.scroll.min(review.lines.len().saturating_sub(usize::from(list.height).max(1)));
        for (y, line) in (0..list.height).zip(review.lines.iter().skip(top)) {
            let role = match line.sign {
                '+' => Role::DiffAdd,
                '-' => Role::DiffRemove,
                '@' => Role::DiffHunk,
                '!' => Role::Warning,
                '.' => Role::Dim,
                _ => Role::Text,
            };
            put(buf, row(list, y), &format!("{} {}", line.sign, shown(&line.text)), paint(role));
        }
        if review.lines.is_empty() {
            put(buf, row(list, 0), "  nothing changed; the plan is made of what is saved", paint(Role::Dim));
        }
        let below = review.lines.len().saturating_sub(top + usize::from(list.height));
        let mut y = list.bottom();
        let mut line = |buf: &mut Buffer, text: &str, role| {
            if y < area.bottom() {
                put(buf, Rect { y, height: 1, ..area }, text, paint(role));
            }
            y += 1;
        };
        line(buf, &if below > 0 { format!("  {below} more below") } else { String::new() }, Role::Dim);
        if let Some((text, clash)) = others {
            line(buf, &format!("{} {text}", if *clash { '!' } else { '.' }), if *clash { Role::Warning } else { Role::Dim });
        }
        if warnings > 0 {
            line(buf, &format!("! {} left in the text", plural(warnings, "problem")), Role::Warning);
        }
        let foot = row(area, area.height.saturating_sub(1));
        let mut rest = foot;
        let mut cursor = (foot.x, foot.y);
        for (n, button) in review.buttons.iter().enumerate() {
            let on = n == review.focus;
            let word = if button.answer == Answer::Cancel { button.word.to_string() } else { format!("{} {}", button.key, button.word) };
            let text = if on { format!("[ {word} ]") } else { format!("  {word}  ") };
            if on {
                cursor.0 = rest.x + 1.min(rest.width.saturating_sub(1));
            }
            let used = put(buf, rest, &text, paint(if on { Role::ButtonFocus } else { Role::Button }));
            rest = right_part(rest, used + 2);
        }
        Some((cursor.0.min(foot.right().saturating_sub(1)), cursor.1))
    }

    pub(super) fn is_new(&self) -> bool {
        matches!(self.document.target, EditTarget::New(..))
    }

    /// Whether anything runs of this that could be compared with it.
    pub(super) fn runs(&self) -> bool {
        self.document.target.kind() == Object::Swarm
    }
}

/// Where the second column begins.
fn split(width: u16) -> u16 {
    if width >= WIDE { width * 3 / 10 } else { width * 7 / 16 }
}

/// `1 line`, `2 lines`.
pub(super) fn plural(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// A coarse age: a screen that shows it is not redrawn every second.
pub(super) fn age(ms: i64) -> String {
    match ms / 60_000 {
        ..1 => "<1m".into(),
        minutes @ 1..120 => format!("{minutes}m"),
        minutes @ 120..2880 => format!("{}h", minutes / 60),
        minutes => format!("{}d", minutes / 1440),
    }
}

/// One row of an area; empty when it has not so many.
pub(super) fn row(area: Rect, n: u16) -> Rect {
    if n < area.height { Rect { y: area.y + n, height: 1, ..area } } else { Rect { height: 0, ..area } }
}
/// All rows but the first.
pub(super) fn below(area: Rect) -> Rect {
    if area.height == 0 { area } else { Rect { y: area.y + 1, height: area.height - 1, ..area } }
}
/// What is right of the first `by` columns.
pub(super) fn right_part(area: Rect, by: u16) -> Rect {
    let by = by.min(area.width);
    Rect { x: area.x + by, width: area.width - by, ..area }
}
pub(super) fn fill(buf: &mut Buffer, area: Rect, style: Style) {
    buf.set_style(area.intersection(buf.area), style);
}
/// Writes what fits into the first row of the area; answers with the columns used.
pub(super) fn put(buf: &mut Buffer, area: Rect, text: &str, style: Style) -> u16 {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return 0;
    }
    let (end, _) = buf.set_stringn(area.x, area.y, text, usize::from(area.width), style);
    end.saturating_sub(area.x)
}
/// The text cut to a width, with `+` where something is missing.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.into();
    }
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used < width
    };
    let head: String = text.chars().take_while(fits).collect();
    if width == 0 { String::new() } else { head + "+" }
}

fn labelled(buf: &mut Buffer, area: Rect, paint: Paint, label: &str, text: &str, role: Role) {
    put(buf, area, label, paint(Role::Title));
    put(buf, right_part(area, 8), text, paint(role));
}
