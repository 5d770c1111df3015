//! Two buffers and their difference: nothing changed means no bytes, anything else is one write.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier};
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// Above this many bytes a frame is wrapped in a synchronized update (mode 2026).
const SYNC_ABOVE: usize = 200;

type Look = (Color, Color, Modifier);

/// What the terminal shows, as far as we know.
#[derive(Debug)]
pub struct Screen {
    shown: Buffer,
    next: Buffer,
    /// The style that the terminal is in; none when unknown.
    look: Option<Look>,
    /// Where the terminal's cursor is, and whether it can be seen.
    at: Option<Position>,
    seen: Option<bool>,
    fresh: bool,
}

impl Screen {
    pub fn new(area: Rect) -> Screen {
        Screen { shown: Buffer::empty(area), next: Buffer::empty(area), look: None, at: None, seen: None, fresh: true }
    }

    /// Forgets what is shown, after a resize or when somebody else wrote to the terminal.
    pub fn forget(&mut self, area: Rect) {
        *self = Screen::new(area);
    }

    /// The bytes that turn what is shown into what `draw` draws; empty when it is the same.
    pub fn frame(&mut self, draw: impl FnOnce(&mut Buffer) -> Option<Position>) -> Vec<u8> {
        self.next.reset();
        let cursor = draw(&mut self.next);
        let mut out = String::new();
        if std::mem::take(&mut self.fresh) {
            out.push_str("\x1b[0m\x1b[2J");
            self.look = Some((Color::Reset, Color::Reset, Modifier::empty()));
        }
        let right = self.next.area.right();
        for (x, y, cell) in self.shown.diff(&self.next) {
            move_to(&mut out, &mut self.at, x, y);
            let look = (cell.fg, cell.bg, cell.modifier);
            if self.look != Some(look) {
                style(&mut out, look);
                self.look = Some(look);
            }
            out.push_str(cell.symbol());
            let end = x.saturating_add(u16::try_from(cell.symbol().width().max(1)).unwrap_or(1));
            // In the last column terminals wait with the wrap: where the cursor is, is anybody's guess.
            self.at = (end < right).then_some(Position::new(end, y));
        }
        match cursor {
            Some(at) => {
                if self.at != Some(at) {
                    move_to(&mut out, &mut self.at, at.x, at.y);
                }
                if self.seen != Some(true) {
                    out.push_str("\x1b[?25h");
                    self.seen = Some(true);
                }
            }
            None if self.seen != Some(false) => {
                out.push_str("\x1b[?25l");
                self.seen = Some(false);
            }
            None => {}
        }
        std::mem::swap(&mut self.shown, &mut self.next);
        if out.len() > SYNC_ABOVE {
            out = format!("\x1b[?2026h{out}\x1b[?2026l");
        }
        out.into_bytes()
    }
}

fn move_to(out: &mut String, at: &mut Option<Position>, x: u16, y: u16) {
    let wanted = Position::new(x, y);
    // Writing to a String cannot fail.
    let _ = match *at {
        Some(now) if now == wanted => Ok(()),
        Some(now) if now.y == y && now.x < x && x - now.x == 1 => write!(out, "\x1b[C"),
        Some(now) if now.y == y && now.x < x => write!(out, "\x1b[{}C", x - now.x),
        _ => write!(out, "\x1b[{};{}H", u32::from(y) + 1, u32::from(x) + 1),
    };
    *at = Some(wanted);
}

/// One whole SGR: we never leave it to a backend, so `NO_COLOR` keeps reverse, bold and underline.
fn style(out: &mut String, (fg, bg, modifier): Look) {
    out.push_str("\x1b[0");
    for (flag, code) in [
        (Modifier::BOLD, 1),
        (Modifier::DIM, 2),
        (Modifier::ITALIC, 3),
        (Modifier::UNDERLINED, 4),
        (Modifier::SLOW_BLINK, 5),
        (Modifier::RAPID_BLINK, 6),
        (Modifier::REVERSED, 7),
        (Modifier::HIDDEN, 8),
        (Modifier::CROSSED_OUT, 9),
    ] {
        if modifier.contains(flag) {
            let _ = write!(out, ";{code}");
        }
    }
    color(out, fg, 30);
    color(out, bg, 40);
    out.push('m');
}

fn color(out: &mut String, color: Color, base: u8) {
    let number = match color {
        Color::Reset => return,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 60,
        Color::LightRed => 61,
        Color::LightGreen => 62,
        Color::LightYellow => 63,
        Color::LightBlue => 64,
        Color::LightMagenta => 65,
        Color::LightCyan => 66,
        Color::White => 67,
        Color::Indexed(number) => {
            let _ = write!(out, ";{};5;{number}", base + 8);
            return;
        }
        Color::Rgb(r, g, b) => {
            let _ = write!(out, ";{};2;{r};{g};{b}", base + 8);
            return;
        }
    };
    let _ = write!(out, ";{}", base + number);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Style;

    #[test]
    fn an_identical_frame_is_no_bytes_and_a_terminal_shows_what_was_drawn() {
        let area = Rect::new(0, 0, 20, 4);
        let mut screen = Screen::new(area);
        let mut terminal = vt100::Parser::new(4, 20, 0);
        let mut paint = |screen: &mut Screen, text: &str, cursor: Option<Position>| {
            let bytes = screen.frame(|buffer| {
                buffer.set_stringn(2, 1, text, 18, Style::new().fg(Color::Red).add_modifier(Modifier::REVERSED));
                cursor
            });
            terminal.process(&bytes);
            (bytes.len(), terminal.screen().contents(), terminal.screen().cursor_position())
        };
        let (_, contents, at) = paint(&mut screen, "hello wörld 日本", Some(Position::new(0, 1)));
        assert_eq!((contents.trim_end(), at), ("\n  hello wörld 日本", (1, 0)));
        assert_eq!(paint(&mut screen, "hello wörld 日本", Some(Position::new(0, 1))).0, 0);
        let (bytes, contents, _) = paint(&mut screen, "hello wOrld 日本", Some(Position::new(0, 1)));
        assert!(bytes < 40, "{bytes}");
        assert_eq!(contents.trim_end(), "\n  hello wOrld 日本");
        let (_, contents, _) = paint(&mut screen, "12345678901234567890", None);
        assert_eq!(contents.trim_end(), "\n  123456789012345678");
        assert_eq!(paint(&mut screen, "12345678901234567890", None).0, 0);
    }

    #[test]
    fn reverse_survives_without_colours() {
        let mut screen = Screen::new(Rect::new(0, 0, 5, 1));
        let bytes = screen.frame(|buffer| {
            buffer.set_stringn(0, 0, "x", 1, Style::new().add_modifier(Modifier::REVERSED));
            None
        });
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains("\x1b[0;7mx"), "{text:?}");
    }
}
