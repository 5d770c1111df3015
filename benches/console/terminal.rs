//! A terminal that a program is measured on: it answers status queries, stamps what it gets, and may be far away.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const QUERY: &[u8] = b"\x1b[5n";
const ANSWER: &[u8] = b"\x1b[0n";
const LIMIT: Duration = Duration::from_secs(20);

/// The line between the program and the eyes.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// There and back.
    pub trip: Duration,
    /// Bytes a second towards the eyes; 0: as many as come.
    pub rate: u64,
}

pub const NEAR: Line = Line { trip: Duration::ZERO, rate: 0 };

/// What the eyes have.
#[derive(Default)]
pub struct Seen {
    pub bytes: usize,
    /// How many frames (queries, of a program that asks none: pieces), and when the last byte came.
    pub frames: usize,
    pub last: Option<Instant>,
}

pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
    pub parser: Arc<Mutex<vt100::Parser>>,
    pub seen: Arc<Mutex<Seen>>,
    keys: Sender<(Instant, Vec<u8>)>,
    line: Line,
    pub begun: Instant,
}

impl Terminal {
    pub fn start(argv: &[String], columns: u16, rows: u16, line: Line) -> Terminal {
        let pty = native_pty_system().openpty(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new(&argv[0]);
        command.args(&argv[1..]);
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        for variable in ["NO_COLOR", "SSH_CONNECTION", "TMUX"] {
            command.env_remove(variable);
        }
        let begun = Instant::now();
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let parser = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (keys, typed) = channel::<(Instant, Vec<u8>)>();
        let mut writer = pty.master.take_writer().unwrap();
        // Upwards: each piece arrives half a trip after it was sent.
        std::thread::spawn(move || {
            for (at, bytes) in typed {
                std::thread::sleep((at + line.trip / 2).saturating_duration_since(Instant::now()));
                if writer.write_all(&bytes).and_then(|()| writer.flush()).is_err() {
                    return;
                }
            }
        });
        let mut reader = pty.master.try_clone_reader().unwrap();
        let eyes = Eyes { parser: Arc::clone(&parser), seen: Arc::clone(&seen), keys: keys.clone(), line };
        if line.rate == 0 && line.trip.is_zero() {
            std::thread::spawn(move || {
                let (mut buffer, mut eyes) = (vec![0; 65536], eyes);
                while let Ok(read @ 1..) = reader.read(&mut buffer) {
                    eyes.see(&buffer[..read]);
                }
            });
        } else {
            // Downwards: at the line's rate, half a trip late; what the line does not take yet stays with the program's side.
            let (sent, arriving) = channel::<(Instant, Vec<u8>)>();
            std::thread::spawn(move || {
                let mut buffer = [0; 256];
                let mut free = Instant::now();
                while let Ok(read @ 1..) = reader.read(&mut buffer) {
                    free = free.max(Instant::now()) + Duration::from_secs_f64(read as f64 / line.rate as f64);
                    std::thread::sleep(free.saturating_duration_since(Instant::now()));
                    if sent.send((free + line.trip / 2, buffer[..read].to_vec())).is_err() {
                        return;
                    }
                }
            });
            std::thread::spawn(move || {
                let mut eyes = eyes;
                for (at, bytes) in arriving {
                    std::thread::sleep(at.saturating_duration_since(Instant::now()));
                    eyes.see(&bytes);
                }
            });
        }
        Terminal { child, _master: pty.master, parser, seen, keys, line, begun }
    }

    pub fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    pub fn press(&self, keys: &str) -> Instant {
        let now = Instant::now();
        self.keys.send((now, keys.as_bytes().to_vec())).unwrap();
        now
    }

    /// Waits until the screen is so; when the byte came that made it so.
    pub fn until(&self, what: &str, holds: impl Fn(&vt100::Screen) -> bool) -> Instant {
        let end = Instant::now() + LIMIT;
        loop {
            {
                let parser = self.parser.lock().unwrap();
                if holds(parser.screen()) {
                    return self.seen.lock().unwrap().last.unwrap_or_else(Instant::now);
                }
                assert!(Instant::now() < end, "{what} never came:\n{}", parser.screen().contents());
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    pub fn shows(&self, text: &str) -> Instant {
        self.until(text, |screen| screen.contents().contains(text))
    }

    /// Waits until nothing came for so long; when the last byte came.
    pub fn still(&self, quiet: Duration) -> Instant {
        let began = Instant::now();
        loop {
            let last = self.seen.lock().unwrap().last.unwrap_or(began);
            if last.max(began).elapsed() >= quiet {
                return last;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn bytes(&self) -> usize {
        self.seen.lock().unwrap().bytes
    }
    pub fn frames(&self) -> usize {
        self.seen.lock().unwrap().frames
    }

    /// Resident memory now and at most, in MB.
    pub fn memory(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let of = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
        };
        (of("VmRSS:"), of("VmHWM:"))
    }

    /// CPU time so far.
    pub fn cpu(&self) -> Duration {
        let mut all = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap().flatten() {
            let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            all += text.split_whitespace().next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0);
        }
        Duration::from_nanos(all)
    }

    pub fn trip(&self) -> Duration {
        self.line.trip
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Eyes {
    parser: Arc<Mutex<vt100::Parser>>,
    seen: Arc<Mutex<Seen>>,
    keys: Sender<(Instant, Vec<u8>)>,
    line: Line,
}

impl Eyes {
    fn see(&mut self, bytes: &[u8]) {
        let now = Instant::now();
        let asked = bytes.windows(QUERY.len()).filter(|window| *window == QUERY).count();
        {
            let mut parser = self.parser.lock().unwrap();
            parser.process(bytes);
            let mut seen = self.seen.lock().unwrap();
            seen.bytes += bytes.len();
            seen.last = Some(now);
            seen.frames += if asked > 0 || self.line.rate > 0 { asked } else { 1 };
        }
        for _ in 0..asked {
            let _ = self.keys.send((now, ANSWER.to_vec()));
        }
    }
}
