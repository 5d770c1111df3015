//! Enters the terminal's full screen and always leaves it: on drop, on panic, before a suspend or a child; twice does no harm.

use super::writer::{screen, write_now};
use super::{keyboard, pace};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use std::io::{IsTerminal, Result};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

static STATE: Mutex<State> = Mutex::new(State { entered: false, before: None, mouse: false, title: None, owed: None });
/// Rung when the terminal was restored, by whomever.
static LEFT: Notify = Notify::const_new();
static HOOK: Once = Once::new();
/// Held while a panic is being said: whoever leaves meanwhile waits, or its message would end with the process.
static SAYING: Mutex<()> = Mutex::new(());

struct State {
    entered: bool,
    /// The line settings from before.
    before: Option<Termios>,
    /// Whether the mouse is ours while we are in.
    mouse: bool,
    /// What the window is called while we are in; none where the terminal does not know of titles.
    title: Option<String>,
    /// How long answers of the terminal may still take that nobody else should get.
    owed: Option<Duration>,
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Alternate screen, bracketed paste, cleared.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?2004h\x1b[2J";
/// What a child that was killed may have left: cursor and keypad keys, mouse, focus, wrap, insert mode, letters, region, modified keys.
const CLEAN: &[u8] = b"\x1b[?1l\x1b>\x1b[?1000;1002;1003;1004;1006l\x1b[?7h\x1b[4l\x1b(B\x0f\x1b[r\x1b[>4m\x1b[0 q";
/// Keeps the window's title, and brings it back.
const PUSH_TITLE: &[u8] = b"\x1b[22;2t";
const POP_TITLE: &[u8] = b"\x1b[23;2t";
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";
/// End a synchronized update, the whole screen as region, plain style, no mouse, no paste brackets, cursor, the screen from before.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[r\x1b[0m\x1b[?1006l\x1b[?1000l\x1b[?2004l\x1b[?25h\x1b[?1049l";

/// Holds the terminal in full screen while it lives.
#[derive(Debug)]
pub struct Guard(());

impl Guard {
    /// Enters, with the window's title as ours where the terminal has `titles`; a panic anywhere restores the terminal before it is printed.
    ///
    /// # Errors
    /// There is no terminal.
    pub fn enter(titles: bool) -> Result<Guard> {
        if !std::io::stdout().is_terminal() {
            return Err(std::io::Error::other("standard output is no terminal"));
        }
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                let _saying = SAYING.lock();
                restore();
                before(panic);
            }));
        });
        state().title = titles.then(String::new);
        let guard = Guard(());
        guard.resume(true)?;
        Ok(guard)
    }

    /// Enters again after [`Guard::release`]. What the line settings are now comes back in the end only where they are `theirs`: a shell's that
    /// continues us, not those of a child that may have been killed.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn resume(&self, theirs: bool) -> Result<()> {
        let terminal = keyboard::terminal()?;
        let mut bytes = Vec::new();
        {
            let mut state = state();
            if theirs || state.before.is_none() {
                state.before = Some(tcgetattr(terminal)?);
            } else {
                bytes.extend_from_slice(CLEAN);
            }
            if let Some(mut raw) = state.before.clone() {
                cfmakeraw(&mut raw);
                tcsetattr(terminal, SetArg::TCSANOW, &raw)?;
            }
            state.entered = true;
            bytes.extend_from_slice(ENTER);
            if state.mouse {
                bytes.extend_from_slice(MOUSE_ON);
            }
            if let Some(title) = &state.title {
                bytes.extend_from_slice(PUSH_TITLE);
                bytes.extend(titled(title));
            }
        }
        write_now(&bytes)
    }

    /// Leaves for a while: a suspend, an editor.
    pub fn release(&self) {
        restore();
    }

    /// Whether a panic took the terminal from us.
    pub fn is_lost(&self) -> bool {
        !state().entered
    }

    /// Waits until it is.
    pub async fn lost(&self) {
        loop {
            let rung = LEFT.notified();
            if self.is_lost() {
                return;
            }
            rung.await;
        }
    }

    /// Has a frame written, unless the terminal is not ours any more.
    pub fn show(&self, bytes: Vec<u8>) {
        let state = state();
        if state.entered {
            screen().send(bytes);
        }
    }

    /// Says how long answers may take that are still to come; none: none are.
    pub fn owe(&self, owed: Option<Duration>) {
        state().owed = owed;
    }

    /// Calls the window so, where that is known to work and it is not called so already. The text has no control characters.
    pub fn title(&self, text: &str) {
        let mut state = state();
        let entered = state.entered;
        if let Some(title) = state.title.as_mut().filter(|title| *title != text) {
            *title = text.to_string();
            if entered {
                screen().send(titled(text));
            }
        }
    }

    /// Takes the mouse from the terminal, or gives it back.
    pub fn mouse(&self, ours: bool) {
        let mut state = state();
        state.mouse = ours;
        if state.entered {
            screen().send(if ours { MOUSE_ON } else { MOUSE_OFF }.to_vec());
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
        let _said = SAYING.lock();
        state().mouse = false;
    }
}

fn restore() {
    let (before, owed) = {
        let mut state = state();
        if !std::mem::take(&mut state.entered) {
            return;
        }
        // Under the lock: no frame comes after it.
        let titles = state.title.is_some();
        screen().send([if titles { POP_TITLE } else { &[] }, LEAVE].concat());
        (state.before.clone(), state.owed.take())
    };
    LEFT.notify_waiters();
    // The terminal may be gone; there is nobody left to tell.
    let written = write_now(&[]);
    if let (Ok(()), Some(patience)) = (written, owed) {
        drain(patience);
    }
    if let (Some(before), Ok(terminal)) = (before, keyboard::terminal()) {
        let _ = tcsetattr(terminal, SetArg::TCSANOW, &before);
    }
}

/// The sequence that gives the window a title; control characters in it would be the terminal's to obey.
fn titled(text: &str) -> Vec<u8> {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    format!("\x1b]2;{text}\x1b\\").into_bytes()
}

/// Takes the answer that is on its way, so that it is not typed to whoever comes next.
fn drain(patience: Duration) {
    let (end, mut seen) = (Instant::now() + patience, Vec::new());
    while Instant::now() < end {
        match keyboard::read() {
            Ok(bytes) if bytes.is_empty() => std::thread::sleep(Duration::from_millis(2)),
            Ok(bytes) => seen.extend(bytes),
            Err(_) => return,
        }
        if seen.windows(pace::ANSWER.len()).any(|window| window == pace::ANSWER) {
            return;
        }
    }
}
