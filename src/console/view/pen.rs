//! Draws text into a clipped part of the buffer. Every text passes `model::shown` here, so no control byte reaches a cell.

use crate::console::editor::Editor;
use crate::console::theme::{Role, Theme};
use crate::model::shown::shown;
use crate::model::times::Times;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

/// A buffer, a theme and the area that may be drawn on.
pub struct Pen<'a> {
    buffer: &'a mut Buffer,
    pub theme: &'a Theme,
    pub area: Rect,
    /// In which zone times are written.
    pub times: Times,
}

impl<'a> Pen<'a> {
    pub fn new(buffer: &'a mut Buffer, theme: &'a Theme, area: Rect) -> Pen<'a> {
        let area = area.intersection(buffer.area);
        Pen { buffer, theme, area, times: Times::default() }
    }

    /// Writes text at most `width` cells wide; answers where it ended.
    pub fn text(&mut self, x: u16, y: u16, width: u16, text: &str, role: Role) -> u16 {
        let style = self.theme.style(role);
        self.styled(x, y, width, text, style)
    }

    /// [`Pen::text`] in a style of one's own.
    pub fn styled(&mut self, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
        let inside = x >= self.area.left() && x < self.area.right() && y >= self.area.top() && y < self.area.bottom();
        if !inside || width == 0 {
            return x;
        }
        let width = width.min(self.area.right() - x);
        let (end, _) = self.buffer.set_stringn(x, y, shown(text), usize::from(width), style);
        end
    }

    /// Text that ends at the right end of `width` cells.
    pub fn right(&mut self, x: u16, y: u16, width: u16, text: &str, role: Role) {
        let wide = self.width(text).min(width);
        self.text(x + (width - wide), y, wide, text, role);
    }

    /// How many cells a text takes.
    pub fn width(&self, text: &str) -> u16 {
        u16::try_from(shown(text).width()).unwrap_or(u16::MAX)
    }

    /// Lays a style over an area; what is written there stays.
    pub fn lay(&mut self, area: Rect, role: Role) {
        let style = self.theme.style(role);
        let area = area.intersection(self.area);
        self.buffer.set_style(area, style);
    }

    /// Empties an area.
    pub fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.area);
        for position in area.positions() {
            if let Some(cell) = self.buffer.cell_mut(position) {
                cell.reset();
                cell.set_style(self.theme.style(Role::Ground));
            }
        }
    }

    /// `TITLE 4 ------------ right`: a section's first line.
    pub fn rule(&mut self, area: Rect, title: &str, right: &str, focused: bool) {
        if area.is_empty() {
            return;
        }
        let width = area.width;
        let role = if focused { Role::Focus } else { Role::Title };
        self.text(area.x, area.y, width, &"-".repeat(usize::from(width)), Role::Border);
        let title = if title.is_empty() { String::new() } else { format!("{title} ") };
        let end = self.text(area.x, area.y, width, &title, role);
        if !right.is_empty() {
            let text = format!(" {right}");
            let room = area.right().saturating_sub(end + 1);
            self.right(area.right().saturating_sub(room), area.y, room, &text, Role::Title);
        }
    }

    /// Lets the editor draw itself over the whole area.
    pub fn editor(&mut self, editor: &Editor, now_ms: i64) -> Option<Position> {
        editor.render(self.theme, self.area, self.buffer, now_ms).map(|(x, y)| Position::new(x, y))
    }

    /// A box with a title, emptied; answers its inside.
    pub fn frame(&mut self, area: Rect, title: &str) -> Rect {
        let area = area.intersection(self.area);
        self.clear(area);
        if area.width < 4 || area.height < 3 {
            return area;
        }
        let line = format!("+{}+", "-".repeat(usize::from(area.width) - 2));
        self.text(area.x, area.y, area.width, &line, Role::Border);
        self.text(area.x, area.bottom() - 1, area.width, &line, Role::Border);
        for y in area.y + 1..area.bottom() - 1 {
            self.text(area.x, y, 1, "|", Role::Border);
            self.text(area.right() - 1, y, 1, "|", Role::Border);
        }
        if !title.is_empty() {
            self.text(area.x + 2, area.y, area.width.saturating_sub(4), &format!(" {title} "), Role::Focus);
        }
        Rect { x: area.x + 2, y: area.y + 1, width: area.width.saturating_sub(4), height: area.height - 2 }
    }
}
