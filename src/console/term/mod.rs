//! The terminal: entered and left without a trace, written to once per frame and no faster than it draws, read byte by byte.

mod guard;
mod ink;
mod keyboard;
mod pace;
mod parse;
mod screen;
mod scroll;
mod writer;

pub use guard::Guard;
pub use keyboard::Keyboard;
pub use pace::{Pace, QUERY};
pub use parse::{LOCAL, Parser, REMOTE, Typed};
pub use screen::Screen;
pub use writer::screen;

use base64::Engine;

/// Whether a terminal knows of window titles, by its `TERM`: the Linux console and old terminals show them as text.
pub fn has_titles(term: Option<&str>) -> bool {
    let term = term.unwrap_or_default();
    !term.is_empty() && !["linux", "dumb", "vt", "ansi", "cons", "sun", "wsvt"].iter().any(|old| term.starts_with(old))
}

/// The bytes that put text on the operator's clipboard (OSC 52), through tmux too.
pub fn copy(text: &str, in_tmux: bool) -> Vec<u8> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    if in_tmux { format!("\x1bPtmux;\x1b\x1b]52;c;{encoded}\x07\x1b\\") } else { format!("\x1b]52;c;{encoded}\x1b\\") }.into_bytes()
}
