//! Enters the terminal's full screen and always leaves it: on drop, on panic, before a suspend; twice does no harm.

use super::writer::write_now;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

static ENTERED: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// Alternate screen, bracketed paste, cleared.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?2004h\x1b[2J";
/// End a synchronized update, plain style, no paste brackets, cursor, the screen from before.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[0m\x1b[?2004l\x1b[?25h\x1b[?1049l";

/// Holds the terminal in full screen while it lives.
#[derive(Debug)]
pub struct Guard(());

impl Guard {
    /// Enters; a panic anywhere restores the terminal before it is printed.
    ///
    /// # Errors
    /// There is no terminal.
    pub fn enter() -> std::io::Result<Guard> {
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                before(panic);
            }));
        });
        let guard = Guard(());
        guard.resume()?;
        Ok(guard)
    }

    /// Enters again after [`Guard::release`].
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn resume(&self) -> std::io::Result<()> {
        crossterm::terminal::enable_raw_mode()?;
        ENTERED.store(true, Ordering::SeqCst);
        write_now(ENTER)
    }

    /// Leaves for a while: a suspend, an editor.
    pub fn release(&self) {
        restore();
    }

    /// Whether a panic took the terminal from us.
    pub fn is_lost(&self) -> bool {
        !ENTERED.load(Ordering::SeqCst)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    if ENTERED.swap(false, Ordering::SeqCst) {
        // The terminal may be gone; there is nobody left to tell.
        let _ = write_now(LEAVE);
        let _ = crossterm::terminal::disable_raw_mode();
    }
}
