//! The text with its gutter: line number, `~` changed, `!` problem; tokens, selection, what was found; secrets masked.

use super::check::Severity;
use super::lex::Kind;
use super::view::{Paint, put, right_part, row};
use super::{Editor, Pane, Window};
use crate::console::theme::Role;
use crate::model::secret::MASK;
use crate::model::shown::shown;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthChar;

/// A character of a line as it is drawn.
struct Glyph {
    text: String,
    /// Cells: 0 joins the one before.
    width: usize,
    style: Style,
}

impl Editor {
    /// Draws the text; answers with the cursor's place.
    pub(super) fn text_pane(&self, paint: Paint, area: Rect, buf: &mut Buffer) -> Option<(u16, u16)> {
        if area.is_empty() {
            return None;
        }
        let lines = self.buffer.lines();
        let digits = lines.len().to_string().len().max(2);
        let gutter = if area.width >= 20 { u16::try_from(digits + 3).unwrap_or(5).min(area.width - 1) } else { 0 };
        let body = right_part(area, gutter);
        let (row_at, col_at) = self.buffer.cursor();
        let cursor_line = self.glyphs(row_at, paint);
        let cursor_col = self.display_column(row_at, col_at, &cursor_line);
        let window = self.scrolled(row_at, cursor_col, usize::from(body.height), usize::from(body.width));
        for y in 0..body.height {
            let n = window.top + usize::from(y);
            if n >= lines.len() {
                break;
            }
            if gutter > 0 {
                let worst = self.problems.iter().filter(|p| p.line == n + 1).map(|p| p.severity).min();
                let changed = self.changed.get(n).copied().unwrap_or(false);
                let (mark, role) = match worst {
                    Some(Severity::Error) => ('!', Role::Error),
                    Some(Severity::Warning) => ('!', Role::Warning),
                    None if changed => ('~', Role::Moving),
                    None => (' ', Role::LineNumber),
                };
                let line = row(area, y);
                put(buf, line, &format!(" {mark}"), paint(role));
                put(buf, right_part(line, 2), &format!("{:>digits$}", n + 1), paint(Role::LineNumber));
            }
            draw(buf, row(body, y), &self.glyphs(n, paint), window.left);
        }
        let x = u16::try_from(cursor_col.saturating_sub(window.left)).unwrap_or(0).min(body.width.saturating_sub(1));
        let y = u16::try_from(row_at.saturating_sub(window.top)).unwrap_or(0).min(body.height.saturating_sub(1));
        (self.pane == Pane::Text).then_some((body.x + x, body.y + y))
    }

    /// The window moved so little that the cursor is in it.
    fn scrolled(&self, row: usize, col: usize, height: usize, width: usize) -> Window {
        let mut window = self.window.get();
        let lines = self.buffer.lines().len();
        window.top = window.top.min(row).max((row + 1).saturating_sub(height)).min(lines.saturating_sub(1));
        if lines <= height {
            window.top = 0;
        }
        // Sideways by a quarter, so that typing at the edge does not move every key.
        if col < window.left || col >= window.left + width {
            window.left = if col < width { 0 } else { (col + 1 + width / 4).saturating_sub(width) };
        }
        window.height = height;
        self.window.set(window);
        window
    }

    /// Column on the screen of a character, from the text's left edge.
    fn display_column(&self, row: usize, col: usize, glyphs: &[Glyph]) -> usize {
        let at = match self.hidden.get(row).copied().flatten().filter(|_| !self.shows_length(row)) {
            Some(from) => {
                let from = self.buffer.line(row).get(..from).map_or(0, |head| head.chars().count());
                col.min(from + MASK.len())
            }
            None => col,
        };
        glyphs.iter().take(at).map(|g| g.width).sum()
    }

    /// A secret that the operator types here is masked character by character, a saved one always alike.
    fn shows_length(&self, row: usize) -> bool {
        self.changed.get(row).copied().unwrap_or(false)
    }

    /// A line as it is drawn.
    fn glyphs(&self, row: usize, paint: Paint) -> Vec<Glyph> {
        let line = self.buffer.line(row);
        let hidden = self.hidden.get(row).copied().flatten();
        let mut glyphs = Vec::with_capacity(line.len());
        let tokens = self.lexed.get(row).map(|(_, tokens)| tokens.as_slice()).unwrap_or_default();
        let mut tokens = tokens.iter().peekable();
        let problems: Vec<(usize, usize, Severity)> = self.problems.iter().filter(|p| p.line == row + 1).map(|p| span(p, line)).collect();
        let found = self.find.as_deref().map(|find| matches(line, find)).unwrap_or_default();
        let selection = self.buffer.selection();
        for (n, (byte, c)) in line.char_indices().enumerate() {
            while tokens.peek().is_some_and(|t| t.end <= byte) {
                tokens.next();
            }
            let masked = hidden.is_some_and(|from| byte >= from);
            if masked && !self.shows_length(row) {
                let text = MASK.chars().map(|c| Glyph { text: c.into(), width: 1, style: paint(Role::Secret) });
                glyphs.extend(text);
                break;
            }
            let mut style = paint(if masked { Role::Secret } else { role(tokens.peek().map(|t| t.kind)) });
            if let Some((_, _, severity)) = problems.iter().find(|(from, to, _)| (*from..*to).contains(&n)) {
                style = style
                    .patch(paint(if *severity == Severity::Error { Role::Error } else { Role::Warning }))
                    .add_modifier(Modifier::UNDERLINED);
            }
            if found.iter().any(|(from, to)| (*from..*to).contains(&byte)) {
                style = style.patch(paint(Role::Match));
            }
            if selection.is_some_and(|(start, end)| (row, n) >= start && (row, n) < end) {
                style = style.patch(paint(Role::Selection));
            }
            let text = if masked { "*".into() } else { shown(c.encode_utf8(&mut [0; 4])) };
            let width = text.chars().next().and_then(UnicodeWidthChar::width).unwrap_or(1);
            glyphs.push(Glyph { text, width, style });
        }
        if selection.is_some_and(|(start, end)| (row, line.chars().count()) >= start && row < end.0) {
            glyphs.push(Glyph { text: " ".into(), width: 1, style: paint(Role::Selection) });
        }
        glyphs
    }
}

/// Characters of a problem's line that it is about.
fn span(problem: &super::check::Problem, line: &str) -> (usize, usize, Severity) {
    let from = problem.column - 1;
    let word = line.chars().skip(from).take_while(|c| !c.is_whitespace() && *c != ':').count().max(1);
    match &problem.fix {
        Some(fix) if fix.from <= from && fix.to > from => (fix.from, fix.to, problem.severity),
        _ => (from, from + word, problem.severity),
    }
}

/// Bytes of a line where a text is found, case folded as the search does it.
fn matches(line: &str, find: &str) -> Vec<(usize, usize)> {
    if find.is_empty() {
        return Vec::new();
    }
    if find.chars().any(char::is_uppercase) || !line.is_ascii() {
        return line.match_indices(find).map(|(at, text)| (at, at + text.len())).collect();
    }
    line.to_ascii_lowercase().match_indices(find).map(|(at, text)| (at, at + text.len())).collect()
}

fn role(kind: Option<Kind>) -> Role {
    match kind {
        Some(Kind::Key) => Role::Key,
        Some(Kind::Comment) => Role::Comment,
        Some(Kind::Punct) => Role::Punctuation,
        Some(Kind::Number | Kind::Word) => Role::Number,
        Some(Kind::Plain | Kind::Quoted | Kind::Block) => Role::String,
        Some(Kind::Anchor) => Role::Note,
        Some(Kind::Directive) => Role::Dim,
        Some(Kind::Space) | None => Role::Text,
    }
}

/// Draws what of the glyphs is in the area, the first `left` columns being out of it.
fn draw(buf: &mut Buffer, area: Rect, glyphs: &[Glyph], left: usize) {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    let end = left + usize::from(area.width);
    let mut column = 0usize;
    let mut last: Option<(u16, u16)> = None;
    for glyph in glyphs {
        if column >= end {
            break;
        }
        if glyph.width == 0 {
            // Marks join the character before; a cell holds only so much of them.
            if let Some(cell) = last.and_then(|at| buf.cell_mut(at)).filter(|cell| cell.symbol().len() < 32) {
                let joined = format!("{}{}", cell.symbol(), glyph.text);
                cell.set_symbol(&joined);
            }
            continue;
        }
        let whole = column >= left && column + glyph.width <= end;
        for k in 0..glyph.width {
            let Some(x) = (column + k).checked_sub(left).and_then(|x| u16::try_from(x).ok()).filter(|x| *x < area.width) else { continue };
            let at = (area.x + x, area.y);
            if let Some(cell) = buf.cell_mut(at) {
                cell.set_style(glyph.style);
                match (whole, k) {
                    (true, 0) => {
                        cell.set_symbol(&glyph.text);
                        last = Some(at);
                    }
                    _ => {
                        cell.set_symbol(" ");
                    }
                }
            }
        }
        column += glyph.width;
    }
    if left > 0
        && let Some(cell) = buf.cell_mut((area.x, area.y))
    {
        cell.set_symbol("<");
    }
    let total: usize = glyphs.iter().map(|g| g.width).sum();
    if total > end
        && let Some(cell) = buf.cell_mut((area.right() - 1, area.y))
    {
        cell.set_symbol(">");
    }
}
