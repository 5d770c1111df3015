//! The terminal as the loop has it: what it shows, what is typed on it, when its next frame may go, and lending it out.

use crate::console::msg::Msg;
use crate::console::term::{self, Guard, Keyboard, LOCAL, Pace, Parser, QUERY, REMOTE, Screen, Typed};
use crate::deck::outlet::Outlet;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use futures::FutureExt;
use nix::sys::signal::{Signal as Number, raise};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::io::Result;
use std::time::Instant;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a process is told from outside.
pub struct Signals {
    pub terminate: Signal,
    pub hang_up: Signal,
    pub stop: Signal,
    pub resize: Signal,
    pub interrupt: Signal,
    /// Heard so that it ends nobody while a child has the terminal.
    _quit: Signal,
}

impl Signals {
    /// Begins to hear them.
    ///
    /// # Errors
    /// The system has no handler to give.
    pub fn new() -> Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            stop: signal(SignalKind::from_raw(nix::libc::SIGTSTP))?,
            resize: signal(SignalKind::window_change())?,
            interrupt: signal(SignalKind::interrupt())?,
            _quit: signal(SignalKind::quit())?,
        })
    }
}

/// The terminal while the console has it.
pub struct Face {
    pub guard: Guard,
    pub out: &'static Outlet,
    pub parser: Parser,
    /// None while it is lent out.
    keyboard: Option<Keyboard>,
    screen: Screen,
    pace: Pace,
    /// A frame was sent, and it is not known yet that it is drawn.
    on_its_way: bool,
}

impl Face {
    /// Takes the terminal; `remote` when the keyboard is behind a link that splits what is typed, `titles` when its window can be
    /// given a title.
    ///
    /// # Errors
    /// There is no terminal.
    pub fn enter(remote: bool, titles: bool) -> Result<Face> {
        let guard = Guard::enter(titles)?;
        Ok(Face {
            guard,
            out: term::screen(),
            parser: Parser::new(if remote { REMOTE } else { LOCAL }),
            keyboard: Some(Keyboard::new()?),
            screen: Screen::new(area(crossterm::terminal::size()?)),
            pace: Pace::default(),
            on_its_way: false,
        })
    }

    /// What is typed next, as bytes.
    ///
    /// # Errors
    /// The terminal is gone.
    pub async fn typed(&self) -> Result<Vec<u8>> {
        match &self.keyboard {
            Some(keyboard) => keyboard.next().await,
            None => std::future::pending().await,
        }
    }

    /// Whether the next frame may go: the terminal takes it, and drew the last one.
    pub fn is_free(&self) -> bool {
        self.out.is_idle() && self.pace.is_free(Instant::now())
    }

    /// When to look again: for the next frame of a state that is `dirty`, or whether the last one is drawn. None while the terminal is still
    /// being written to; an answer comes before.
    pub fn wake(&self, dirty: bool, writing: bool) -> Option<Instant> {
        let waiting = (dirty || self.on_its_way) && !writing;
        waiting.then(|| self.pace.next().unwrap_or_else(Instant::now))
    }

    /// Sends a frame; false when the terminal shows it already.
    pub fn paint(&mut self, draw: impl FnOnce(&mut Buffer) -> Option<Position>) -> bool {
        let mut bytes = self.screen.frame(draw);
        if bytes.is_empty() {
            return false;
        }
        if self.pace.sent(Instant::now()) {
            bytes.extend_from_slice(QUERY);
        }
        self.guard.owe(self.pace.owes().then(|| self.pace.patience()));
        self.guard.show(bytes);
        self.on_its_way = true;
        true
    }

    /// Whether what was sent is drawn now: asked once for each frame.
    pub fn arrived(&mut self) -> bool {
        let arrived = self.on_its_way && self.out.is_idle() && (!self.pace.waits() || self.pace.is_free(Instant::now()));
        self.on_its_way &= !arrived;
        arrived
    }

    /// Whether the terminal still takes what was sent.
    pub fn is_writing(&self) -> bool {
        !self.out.is_idle()
    }

    /// What was typed, as messages; the terminal's answers are taken out.
    pub fn take(&mut self, typed: Vec<Typed>, now_ms: i64) -> Vec<Msg> {
        let mut messages = Vec::new();
        for typed in typed {
            match typed {
                Typed::Key(key) => messages.push(Msg::Key { key, now_ms }),
                Typed::Paste(text) => messages.push(Msg::Paste(text)),
                Typed::Mouse { mouse, x, y } => messages.push(Msg::Mouse { mouse, x, y, now_ms }),
                Typed::Answer => {
                    self.pace.answered(Instant::now());
                    self.guard.owe(self.pace.owes().then(|| self.pace.patience()));
                }
            }
        }
        messages
    }

    /// Takes the new size; none when it cannot be had.
    pub fn resized(&mut self) -> Option<Msg> {
        let size = crossterm::terminal::size().ok()?;
        self.screen.forget(area(size));
        Some(Msg::Resize(size.0, size.1))
    }

    /// ^z: gives the terminal back, stops, and takes it again when continued.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn suspend(&mut self) -> Result<()> {
        self.guard.release();
        raise(Number::SIGSTOP)?;
        self.take_back(true)
    }

    /// Lends the terminal to `work`, a child that has the screen for a while, and takes it back in every end of that.
    ///
    /// # Errors
    /// The terminal is gone.
    pub async fn lend<T>(&mut self, signals: &mut Signals, work: impl Future<Output = T>) -> Result<T> {
        // What reads the keyboard must be gone while somebody else does.
        self.keyboard = None;
        self.guard.release();
        tokio::pin!(work);
        let done = loop {
            tokio::select! {
                done = &mut work => break done,
                // The child was stopped with us: the shell that has us both must see that.
                _ = signals.stop.recv() => raise(Number::SIGSTOP)?,
            }
        };
        // Typed at the child.
        while signals.interrupt.recv().now_or_never().is_some() {}
        self.take_back(false)?;
        Ok(done)
    }

    fn take_back(&mut self, theirs: bool) -> Result<()> {
        self.guard.resume(theirs)?;
        self.keyboard = Some(Keyboard::new()?);
        self.screen.forget(area(crossterm::terminal::size()?));
        self.pace.forget();
        self.on_its_way = false;
        Ok(())
    }
}

/// What ctrl-c is when it comes as a signal.
pub fn interrupted(now_ms: i64) -> Msg {
    Msg::Key { key: KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL), now_ms }
}

fn area((width, height): (u16, u16)) -> Rect {
    Rect::new(0, 0, width, height)
}
