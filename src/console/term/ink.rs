//! What is written to the terminal: the cursor goes and the style changes by the fewest bytes.

use super::scroll::Scroll;
use ratatui::layout::Position;
use ratatui::style::{Color, Modifier};
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// Colours and modifiers of a cell.
pub type Look = (Color, Color, Modifier);
pub const PLAIN: Look = (Color::Reset, Color::Reset, Modifier::empty());

const CODES: [(Modifier, u8, u8); 9] = [
    (Modifier::BOLD, 1, 22),
    (Modifier::DIM, 2, 22),
    (Modifier::ITALIC, 3, 23),
    (Modifier::UNDERLINED, 4, 24),
    (Modifier::SLOW_BLINK, 5, 25),
    (Modifier::RAPID_BLINK, 6, 25),
    (Modifier::REVERSED, 7, 27),
    (Modifier::HIDDEN, 8, 28),
    (Modifier::CROSSED_OUT, 9, 29),
];

/// The bytes of a frame, and what the terminal is in after them.
#[derive(Debug, Default, Clone)]
pub struct Ink {
    out: String,
    /// The style that it writes in; none when unknown.
    pub look: Option<Look>,
    /// Where its cursor is; none when that is anybody's guess.
    pub at: Option<Position>,
}

impl Ink {
    /// How many bytes were written since.
    pub fn bytes(&self) -> usize {
        self.out.len()
    }

    /// Takes what was written since.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    /// Writes as it is.
    pub fn raw(&mut self, bytes: &str) {
        self.out.push_str(bytes);
    }

    /// Everything is blank, in plain style.
    pub fn clear(&mut self) {
        self.out.push_str("\x1b[0m\x1b[2J");
        (self.look, self.at) = (Some(PLAIN), None);
    }

    /// Moves the cursor.
    pub fn go(&mut self, x: u16, y: u16) {
        let wanted = Position::new(x, y);
        // Writing to a String cannot fail.
        let _ = match self.at {
            Some(now) if now == wanted => Ok(()),
            Some(now) if now.y == y && now.x + 1 == x => write!(self.out, "\x1b[C"),
            Some(now) if now.y == y && now.x < x => write!(self.out, "\x1b[{}C", x - now.x),
            Some(now) if now.y == y && x == 0 => write!(self.out, "\r"),
            Some(now) if now.y + 1 == y && x == 0 => write!(self.out, "\r\n"),
            _ if x == 0 => write!(self.out, "\x1b[{}H", u32::from(y) + 1),
            _ => write!(self.out, "\x1b[{};{}H", u32::from(y) + 1, u32::from(x) + 1),
        };
        self.at = Some(wanted);
    }

    /// Writes one cell where the cursor is; `right` is the column after the last.
    pub fn put(&mut self, symbol: &str, look: Look, right: u16) {
        self.style(look);
        self.out.push_str(symbol);
        let wide = u16::try_from(symbol.width().max(1)).unwrap_or(1);
        // In the last column terminals wait with the wrap, and of what is more than one character they think differently.
        let one = symbol.chars().nth(1).is_none();
        self.at = self.at.map(|at| Position::new(at.x + wide, at.y)).filter(|at| one && at.x < right);
    }

    /// Empties so many cells from the cursor on, which stays; all to the end of the line when `to_end`.
    pub fn erase(&mut self, cells: usize, to_end: bool) {
        self.bare();
        let _ = if to_end { write!(self.out, "\x1b[K") } else { write!(self.out, "\x1b[{cells}X") };
    }

    /// Has the terminal move rows. The region is the whole screen again afterwards, whatever comes next.
    pub fn scroll(&mut self, scroll: Scroll) {
        self.bare();
        let Scroll { top, bottom, by } = scroll;
        let _ = write!(self.out, "\x1b[{};{}r\x1b[{}H", u32::from(top) + 1, u32::from(bottom) + 1, u32::from(top) + 1);
        let letter = if by > 0 { 'M' } else { 'L' };
        let _ = match by.unsigned_abs() {
            1 => write!(self.out, "\x1b[{letter}\x1b[r"),
            rows => write!(self.out, "\x1b[{rows}{letter}\x1b[r"),
        };
        // Setting a region takes the cursor home.
        self.at = Some(Position::ORIGIN);
    }

    /// Rows and cells that come free take the background that is set: it must be none.
    fn bare(&mut self) {
        if self.look.is_none_or(|(_, bg, modifier)| bg != Color::Reset || !modifier.is_empty()) {
            self.style(PLAIN);
        }
    }

    /// We never leave it to a backend, so `NO_COLOR` keeps reverse, bold and underline.
    fn style(&mut self, look: Look) {
        if self.look == Some(look) {
            return;
        }
        let whole = codes(PLAIN, look);
        let whole = match whole.as_str() {
            "" => "\x1b[m".to_string(),
            codes => format!("\x1b[0;{codes}m"),
        };
        let step = self.look.map(|now| format!("\x1b[{}m", codes(now, look))).filter(|step| step.len() < whole.len());
        self.out.push_str(step.as_deref().unwrap_or(&whole));
        self.look = Some(look);
    }
}

/// What turns one style into another.
fn codes(from: Look, to: Look) -> String {
    let mut out: Vec<String> = Vec::new();
    let gone = from.2.difference(to.2);
    let mut off: Vec<u8> = CODES.iter().filter(|(flag, ..)| gone.contains(*flag)).map(|(.., off)| *off).collect();
    off.dedup();
    // Bold and dim, slow and rapid go together: what stays is said again.
    let said_again = |off_code: u8| off.contains(&off_code);
    for (flag, on, off_code) in CODES {
        if to.2.contains(flag) && (!from.2.contains(flag) || said_again(off_code)) {
            out.push(on.to_string());
        }
    }
    let mut codes: Vec<String> = off.iter().map(u8::to_string).collect();
    codes.append(&mut out);
    if from.0 != to.0 {
        codes.push(color(to.0, 30));
    }
    if from.1 != to.1 {
        codes.push(color(to.1, 40));
    }
    codes.join(";")
}

/// The number of a colour that is in the cube or the greys of the 256-colour table, which a terminal of true colour has too: half the bytes.
fn in_table(r: u8, g: u8, b: u8) -> Option<u8> {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let step = |part: u8| STEPS.iter().position(|step| *step == part).and_then(|at| u8::try_from(at).ok());
    if let (Some(r), Some(g), Some(b)) = (step(r), step(g), step(b)) {
        return Some(16 + 36 * r + 6 * g + b);
    }
    let grey = r.checked_sub(8).filter(|over| r == g && g == b && over % 10 == 0).map(|over| over / 10)?;
    (grey < 24).then_some(232 + grey)
}

fn color(color: Color, base: u8) -> String {
    let number = match color {
        Color::Reset => 9,
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
        Color::Indexed(number) => return format!("{};5;{number}", base + 8),
        Color::Rgb(r, g, b) => {
            let wanted = in_table(r, g, b).map_or_else(|| format!("2;{r};{g};{b}"), |number| format!("5;{number}"));
            return format!("{};{wanted}", base + 8);
        }
    };
    (base + number).to_string()
}
