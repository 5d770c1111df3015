//! A program in a pseudo-terminal, and what its screen shows: waited for, never slept for.

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long anything may take before the test fails; the screen is then printed.
const LIMIT: Duration = Duration::from_secs(90);

type Keys = Arc<Mutex<Box<dyn Write + Send>>>;

/// What a program asks to know how far the terminal got, and what a terminal answers.
const QUERY: &[u8] = b"\x1b[5n";
const ANSWER: &[u8] = b"\x1b[0n";

/// A running program and its screen. Killed when dropped.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    parser: Arc<Mutex<vt100::Parser>>,
    /// Every byte that it wrote.
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Nobody reads what it writes any more.
    deaf: Arc<AtomicBool>,
    keys: Keys,
    /// The line settings before it ran.
    before: String,
}

impl Terminal {
    /// Starts a program on a terminal of 80x24.
    pub fn start(argv: &[&str], env: &[(&str, String)]) -> Self {
        let (columns, rows) = (80, 24);
        let pty = native_pty_system().openpty(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new(argv[0]);
        command.args(&argv[1..]);
        for variable in
            ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "SSH_AUTH_SOCK", "SSH_CONNECTION", "SUDO_USER", "TMUX", "VISUAL"]
        {
            command.env_remove(variable);
        }
        command.env("TERM", "xterm-256color");
        for (name, value) in env {
            command.env(name, value);
        }
        let before = settings(&*pty.master);
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let parser = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let mut reader = pty.master.try_clone_reader().unwrap();
        let keys: Keys = Arc::new(Mutex::new(pty.master.take_writer().unwrap()));
        let answers = Arc::clone(&keys);
        let (into, all) = (Arc::clone(&parser), Arc::clone(&bytes));
        let deaf = Arc::new(AtomicBool::new(false));
        let is_deaf = Arc::clone(&deaf);
        std::thread::spawn(move || {
            let mut buffer = [0u8; 4096];
            while !is_deaf.load(Ordering::SeqCst)
                && let Ok(read @ 1..) = reader.read(&mut buffer)
            {
                into.lock().unwrap().process(&buffer[..read]);
                let mut all = all.lock().unwrap();
                // A query may come in two pieces.
                let from = all.len().saturating_sub(QUERY.len() - 1);
                all.extend_from_slice(&buffer[..read]);
                for _ in all[from..].windows(QUERY.len()).filter(|window| *window == QUERY) {
                    let _ = answers.lock().unwrap().write_all(ANSWER);
                }
            }
        });
        Self { master: pty.master, child, parser, bytes, deaf, keys, before }
    }

    /// The screen as text.
    pub fn text(&self) -> String {
        self.parser.lock().unwrap().screen().contents()
    }

    /// Waits until the screen is so.
    pub fn until(&self, what: &str, holds: impl Fn(&vt100::Screen) -> bool) {
        let end = Instant::now() + LIMIT;
        while !holds(self.parser.lock().unwrap().screen()) {
            assert!(Instant::now() < end, "{what} never came:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the screen holds this text.
    pub fn shows(&self, text: &str) {
        self.until(text, |screen| screen.contents().contains(text));
    }

    /// Waits until the screen holds this text no more.
    pub fn lacks(&self, text: &str) {
        self.until(&format!("a screen without {text}"), |screen| !screen.contents().contains(text));
    }

    /// Waits until one line holds all of these words.
    pub fn line(&self, words: &[&str]) {
        self.until(&format!("a line with {words:?}"), |screen| {
            screen.contents().lines().any(|line| words.iter().all(|word| line.contains(word)))
        });
    }

    pub fn press(&mut self, keys: &str) {
        let mut to = self.keys.lock().unwrap();
        to.write_all(keys.as_bytes()).and_then(|()| to.flush()).unwrap();
    }

    /// Presses a key again and again until the screen holds this text: a question is deaf for 0.3 s after it was painted. `y` is pressed
    /// when that has passed, and seldom: on the screen that comes of it, it is another key.
    pub fn press_until(&mut self, keys: &str, text: &str) {
        let end = Instant::now() + LIMIT;
        let patience = Duration::from_millis(if keys == "y" { 10_000 } else { 200 });
        if keys == "y" {
            std::thread::sleep(Duration::from_millis(400));
        }
        while !self.text().contains(text) {
            assert!(Instant::now() < end, "{text} never came by {keys:?}:\n{}", self.text());
            self.press(keys);
            let soon = Instant::now() + patience;
            while Instant::now() < soon && !self.text().contains(text) {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }

    /// Its screen is not read any more: what it writes soon finds no room.
    pub fn read_no_more(&self) {
        self.deaf.store(true, Ordering::SeqCst);
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        self.parser.lock().unwrap().screen_mut().set_size(rows, columns);
        self.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    pub fn pid(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(self.child.process_id().unwrap().cast_signed())
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(self.pid(), signal).unwrap();
    }

    /// The letter of its state: `T` is stopped.
    pub fn state(&self) -> String {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).unwrap_or_default().to_owned()
    }

    /// Waits for its end; the exit code.
    pub fn ended(&mut self) -> u32 {
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(Instant::now() < end, "it does not end:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The terminal is as it was before: the first screen, a visible cursor, no paste brackets, no mouse, plain keys, the same line settings.
    pub fn is_restored(&self) {
        self.until("the screen from before", |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && !screen.application_cursor()
                && !screen.application_keypad()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
        });
        let end = Instant::now() + LIMIT;
        while settings(&*self.master) != self.before {
            assert!(Instant::now() < end, "the line settings: {} are not {}", settings(&*self.master), self.before);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Every byte that it ever wrote, as text.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn settings(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios())
}
