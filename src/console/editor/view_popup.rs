//! The list of what could stand at the cursor.

use super::Editor;
use super::view::{Paint, cut, put};
use crate::console::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

/// Rows of the list, and its widest.
const ROWS: u16 = 8;
const WIDEST: usize = 60;

impl Editor {
    /// Below the cursor, or above where there is more room.
    pub(super) fn popup(&self, paint: Paint, area: Rect, buf: &mut Buffer, (x, y): (u16, u16)) {
        let Some(open) = &self.completion else { return };
        let back = u16::try_from(open.to - open.from).unwrap_or(0);
        let (under, over) = (area.bottom().saturating_sub(y + 1), y.saturating_sub(area.y));
        let count = u16::try_from(open.items.len()).unwrap_or(u16::MAX).min(ROWS);
        let below = under >= count || under >= over;
        let height = count.min(if below { under } else { over });
        let names = open.items.iter().map(|item| item.name.width()).max().unwrap_or(0).min(WIDEST / 2);
        let notes = open.items.iter().map(|item| item.note.width()).max().unwrap_or(0);
        let wanted = (names + if notes > 0 { notes + 5 } else { 3 }).min(WIDEST);
        let width = u16::try_from(wanted).unwrap_or(u16::MAX).min(area.width);
        if height == 0 || width < 4 {
            return;
        }
        let left = x.saturating_sub(back + 1).min(area.right() - width).max(area.x);
        let top = if below { y + 1 } else { y - height };
        let first = (open.at + 1).saturating_sub(usize::from(height));
        for (row, (n, item)) in (top..top + height).zip(open.items.iter().enumerate().skip(first)) {
            let line = Rect { x: left, y: row, width, height: 1 };
            let style = paint(if n == open.at { Role::Selection } else { Role::Input });
            put(buf, line, &" ".repeat(usize::from(width)), style);
            put(buf, line, if n == open.at { ">" } else { "|" }, style);
            put(buf, Rect { x: line.right() - 1, width: 1, ..line }, "|", style);
            let name = cut(&item.name, names.min(usize::from(width).saturating_sub(3)));
            put(buf, Rect { x: line.x + 1, width: width - 1, ..line }, &name, style);
            let at = u16::try_from(names + 3).unwrap_or(u16::MAX);
            if at + 4 < width {
                let note = Rect { x: line.x + at, width: width - at - 1, ..line };
                let dim = if n == open.at { style } else { style.patch(paint(Role::Dim)) };
                put(buf, note, &cut(&item.note, usize::from(note.width).saturating_sub(1)), dim);
            }
        }
    }
}
