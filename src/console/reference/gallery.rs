//! A picture of every theme: the same few lines, drawn with each theme's own looks, as SVG.

use crate::console::theme::{self, Depth, Role, Theme};
use crate::console::view::Pen;
use crate::model::Result;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use std::fmt::Write;

/// Cells of a sample, and how large a cell is.
const SIZE: (u16, u16) = (64, 12);
const CELL: (u32, u32) = (8, 18);
const MARGIN: u32 = 12;
const TITLE: u32 = 28;
/// Samples side by side.
const ACROSS: u32 = 2;

/// Every embedded theme, drawn.
///
/// # Errors
/// A theme that cannot be read.
pub fn svg() -> Result<String> {
    let (wide, high) = (u32::from(SIZE.0) * CELL.0 + 2 * MARGIN, u32::from(SIZE.1) * CELL.1 + 2 * MARGIN + TITLE);
    let rows = u32::try_from(theme::EMBEDDED.len()).unwrap_or(u32::MAX).div_ceil(ACROSS);
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"ui-monospace,Menlo,Consolas,monospace\" font-size=\"13\" \
         xml:space=\"preserve\">",
        wide * ACROSS,
        high * rows
    );
    for (number, (name, _)) in (0u32..).zip(theme::EMBEDDED) {
        let (x, y) = (number % ACROSS * wide, number / ACROSS * high);
        let theme = theme::load(name, None, Depth::True)?;
        let (ground, ink) = theme::paper(name)?;
        let _ = writeln!(out, "<g transform=\"translate({x},{y})\"><text x=\"{MARGIN}\" y=\"20\" fill=\"#808080\">{name}</text>");
        let _ = writeln!(out, "<rect y=\"{TITLE}\" width=\"{wide}\" height=\"{}\" fill=\"{}\"/>", high - TITLE, hex(ground, ground));
        draw(&mut out, &sample(&theme), ground, ink);
        out.push_str("</g>\n");
    }
    out.push_str("</svg>\n");
    Ok(out)
}

/// A line of a sample: pieces of text, one after the other.
type Line = &'static [(Role, &'static str)];

const LINES: [(bool, Line); 12] = [
    (false, &[(Role::Fleet, "[PROD-EU]"), (Role::Header, "  hosts 41/42  procs 308/320        op1 WRITE  seen 3s ")]),
    (false, &[(Role::Focus, "SWARMS 5 "), (Role::Border, "-------------------------- "), (Role::Title, "filter none - sort TROUBLE")]),
    (true, &[(Role::Wrong, ">! shop-eu-web    failing   "), (Role::Text, "3/6   KeyError 'db_host'         "), (Role::Dim, "40s")]),
    (false, &[(Role::Unseen, " ? blog-prod-web  lost 1    "), (Role::Text, "3/4   web03 is unreachable       "), (Role::Dim, " 4m")]),
    (false, &[(Role::Moving, " ~ shop-prod-web  moving    "), (Role::Text, "8/8   dispatch 412               "), (Role::Dim, " 1m")]),
    (false, &[(Role::Ok, " * mail-prod-web  ok        "), (Role::Marked, "6/6   marked                     "), (Role::Dim, " 9d")]),
    (false, &[(Role::Off, " o old-prod-web   off       0/0   "), (Role::Note, "HELD op1                   60d")]),
    (
        false,
        &[
            (Role::LineNumber, "  1 "),
            (Role::Key, "db_host"),
            (Role::Punctuation, ": "),
            (Role::String, "db2"),
            (Role::Comment, "   # moved, OPS-880   "),
            (Role::Error, "grteing"),
            (Role::Warning, "  new to all 12"),
        ],
    ),
    (
        false,
        &[
            (Role::LineNumber, "  2 "),
            (Role::Key, "db_pool"),
            (Role::Punctuation, ": "),
            (Role::Number, "20"),
            (Role::Text, "    password "),
            (Role::Secret, "****"),
            (Role::Text, "   found "),
            (Role::Match, "db_"),
            (Role::Text, "   "),
            (Role::Input, "OPS-880______"),
        ],
    ),
    (false, &[(Role::DiffHunk, "@@ -1,2 +1,2 @@   "), (Role::DiffRemove, "- db_host: db1   "), (Role::DiffAdd, "+ db_host: db2")]),
    (false, &[(Role::ButtonFocus, "[[ CANCEL ]]"), (Role::Button, "    [ dispatch ]"), (Role::Footer, "      enter open  . act  ? help")]),
    (false, &[(Role::Toast, " saved: 2 keys "), (Role::Text, "   "), (Role::ToastError, " held by op2, step drain ")]),
];

fn sample(theme: &Theme) -> Buffer {
    let area = Rect::new(0, 0, SIZE.0, SIZE.1);
    let mut buffer = Buffer::empty(area);
    buffer.set_style(area, theme.style(Role::Ground));
    let mut pen = Pen::new(&mut buffer, theme, area);
    for (y, (selected, line)) in (0u16..).zip(LINES) {
        if y == 0 {
            pen.lay(Rect { y, height: 1, ..area }, Role::Header);
        }
        let mut x = 0;
        for (role, text) in line {
            x = pen.text(x, y, SIZE.0.saturating_sub(x), text, *role);
        }
        if selected {
            pen.lay(Rect { y, height: 1, ..area }, Role::Selection);
        }
    }
    buffer
}

/// What is seen of a cell: its ink, its ground and its modifiers.
fn seen(cell: &Cell, ground: Color, ink: Color) -> (String, String, Modifier) {
    let (fg, bg) = (hex(cell.fg, ink), hex(cell.bg, ground));
    let (fg, bg) = if cell.modifier.contains(Modifier::REVERSED) { (bg, fg) } else { (fg, bg) };
    (fg, bg, cell.modifier)
}

fn draw(out: &mut String, buffer: &Buffer, ground: Color, ink: Color) {
    let paper = hex(ground, ground);
    for (y, row) in (0u32..).zip(buffer.content.chunks(usize::from(SIZE.0))) {
        let mut rest = row;
        let mut x = 0u32;
        while let Some(first) = rest.first() {
            let look = seen(first, ground, ink);
            let alike = rest.iter().take_while(|cell| seen(cell, ground, ink) == look).count();
            let (piece, after) = rest.split_at(alike);
            rest = after;
            let (fg, bg, modifier) = look;
            let (left, top, wide) = (MARGIN + x * CELL.0, TITLE + MARGIN + y * CELL.1, u32::try_from(alike).unwrap_or(0) * CELL.0);
            x += u32::try_from(alike).unwrap_or(0);
            if bg != paper {
                let _ = writeln!(out, "<rect x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"{}\" fill=\"{bg}\"/>", CELL.1);
            }
            let text: String = piece.iter().map(Cell::symbol).collect();
            if text.trim().is_empty() && !modifier.contains(Modifier::UNDERLINED) {
                continue;
            }
            let styles = [
                (Modifier::BOLD, " font-weight=\"bold\""),
                (Modifier::ITALIC, " font-style=\"italic\""),
                (Modifier::UNDERLINED, " text-decoration=\"underline\""),
                (Modifier::DIM, " opacity=\"0.6\""),
            ];
            let style: String = styles.iter().filter(|(flag, _)| modifier.contains(*flag)).map(|(_, style)| *style).collect();
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let _ = writeln!(out, "<text x=\"{left}\" y=\"{}\" textLength=\"{wide}\" fill=\"{fg}\"{style}>{text}</text>", top + 13);
        }
    }
}

/// A colour as SVG writes it; the terminal's own 16 as xterm has them.
fn hex(color: Color, own: Color) -> String {
    let (r, g, b) = match color {
        Color::Rgb(r, g, b) => (r, g, b),
        Color::Reset => match own {
            Color::Reset => (0, 0, 0),
            own => return hex(own, Color::Reset),
        },
        Color::Black => (0, 0, 0),
        Color::Red => (205, 0, 0),
        Color::Green => (0, 205, 0),
        Color::Yellow => (205, 205, 0),
        Color::Blue => (0, 0, 238),
        Color::Magenta => (205, 0, 205),
        Color::Cyan => (0, 205, 205),
        Color::Gray => (229, 229, 229),
        Color::DarkGray => (127, 127, 127),
        Color::LightRed => (255, 0, 0),
        Color::LightGreen => (0, 255, 0),
        Color::LightYellow => (255, 255, 0),
        Color::LightBlue => (92, 92, 255),
        Color::LightMagenta => (255, 0, 255),
        Color::LightCyan => (0, 255, 255),
        Color::White => (255, 255, 255),
        // No embedded theme has one.
        Color::Indexed(number) => (number, number, number),
    };
    format!("#{r:02x}{g:02x}{b:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_that_has_a_look_of_its_own_is_drawn() {
        let drawn: Vec<Role> = LINES.iter().flat_map(|(_, line)| line.iter().map(|(role, _)| *role)).collect();
        for role in Role::ALL.into_iter().filter(|role| !matches!(role, Role::Ground | Role::Selection)) {
            assert!(drawn.contains(&role), "{role:?}");
        }
        for (_, line) in LINES {
            assert!(line.iter().map(|(_, text)| text.len()).sum::<usize>() <= usize::from(SIZE.0), "{line:?}");
        }
    }
}
