//! The loop on a real pseudo-terminal: this test binary plays the console on a made-up deck in a child process.

use super::fake::Fake;
use super::fixture::{look, plan};
use crate::console::{Ended, Options, prompt, run};
use crate::deck::look::LogLine;
use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Played in the child only.
#[test]
#[ignore = "the other test starts it on a terminal"]
fn child() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut look = look();
    look.dispatches.clear();
    let says = |sender: tokio::sync::mpsc::Sender<LogLine>| {
        tokio::spawn(async move {
            let _ = sender.send(LogLine { at_ms: 0, from: "web01".into(), text: "KeyError db_host".into() }).await;
            sender.closed().await;
        });
    };
    let deck = Fake::new(look, Some(plan()), Box::new(says));
    let ended = runtime.block_on(run(Arc::new(deck), Options::default(), prompt().1)).unwrap();
    println!("ended {ended:?}");
    assert_eq!(ended, Ended::Left);
}

type Keys = Arc<Mutex<Box<dyn Write + Send>>>;

struct Terminal {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
    parser: Arc<Mutex<vt100::Parser>>,
    /// Every byte that came.
    bytes: Arc<Mutex<Vec<u8>>>,
    keys: Keys,
}

impl Terminal {
    /// The child on a terminal that answers status queries, or does not.
    fn start(answers: bool) -> Terminal {
        let pty = native_pty_system().openpty(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        command.args(["--exact", "console::tests::terminal::child", "--ignored", "--nocapture"]);
        command.env("TERM", "xterm-256color");
        command.env("NO_COLOR", "1");
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let parser = Arc::new(Mutex::new(vt100::Parser::new(24, 80, 0)));
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let mut reader = pty.master.try_clone_reader().unwrap();
        let keys: Keys = Arc::new(Mutex::new(pty.master.take_writer().unwrap()));
        let (into, all, answer) = (parser.clone(), bytes.clone(), keys.clone());
        std::thread::spawn(move || {
            let mut buffer = [0u8; 4096];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                into.lock().unwrap().process(&buffer[..read]);
                all.lock().unwrap().extend_from_slice(&buffer[..read]);
                if answers && queries(&buffer[..read]) > 0 {
                    let _ = answer.lock().unwrap().write_all(b"\x1b[0n");
                }
            }
        });
        Terminal { child, _master: pty.master, parser, bytes, keys }
    }

    fn until(&self, what: &str, holds: impl Fn(&vt100::Screen) -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !holds(self.parser.lock().unwrap().screen()) {
            assert!(Instant::now() < end, "{what} never came:\n{}", self.parser.lock().unwrap().screen().contents());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    fn shows(&self, text: &str) {
        self.until(text, |screen| screen.contents().contains(text));
    }
    fn press(&self, keys: &str) {
        let mut to = self.keys.lock().unwrap();
        to.write_all(keys.as_bytes()).and_then(|()| to.flush()).unwrap();
    }
    fn queries(&self) -> usize {
        queries(&self.bytes.lock().unwrap())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn queries(bytes: &[u8]) -> usize {
    bytes.windows(4).filter(|window| *window == b"\x1b[5n").count()
}

#[test]
fn no_frame_goes_before_the_last_one_is_drawn() {
    let terminal = Terminal::start(false);
    terminal.shows("NEEDS YOU 4");
    // The answers are this test's to give: so many as frames are out.
    let answer_all = |answered: &mut usize| {
        while *answered < terminal.queries() {
            terminal.press("\x1b[0n");
            *answered += 1;
        }
    };
    let mut answered = 0;
    terminal.press("2");
    terminal.shows("SWARMS 9 ");
    answer_all(&mut answered);
    // It knows now that this terminal answers: many keys, and one frame that nobody answers.
    terminal.press("j");
    terminal.until("a frame on its way", |_| terminal.queries() > answered);
    let out = terminal.queries();
    for key in ["j", "j", "j", "k", "k", "d"] {
        terminal.press(key);
    }
    // Not a wait for something: nothing comes.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(terminal.queries(), out, "a frame went while one was on its way");
    answer_all(&mut answered);
    terminal.shows("DESCRIBE");
    assert_eq!(terminal.queries(), out + 1, "what happened meanwhile is one frame");
    // One that falls silent is waited for a while only.
    terminal.press("q");
    terminal.shows("SWARMS 9 ");
}

#[test]
fn open_look_edit_plan_and_leave_on_a_real_terminal() {
    let mut terminal = Terminal::start(true);
    terminal.shows("NEEDS YOU 4");
    terminal.until("the alternate screen", |screen| screen.alternate_screen());
    terminal.until("a cursor row in reverse, without colour", |screen| screen.cell(2, 40).is_some_and(|cell| cell.inverse()));
    // Nothing changes: nothing is written, though the clock ticks.
    std::thread::sleep(Duration::from_millis(300));
    let before = terminal.bytes.lock().unwrap().len();
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(terminal.bytes.lock().unwrap().len() - before, 0, "bytes while idle");

    terminal.press("2/blog\r");
    terminal.shows("SWARMS 1 of 9");
    terminal.press("\x1b");
    terminal.shows("SWARMS 9 ");
    terminal.press("gge");
    terminal.shows("EDIT shop-eu-web config");
    terminal.press("\x1b");
    terminal.shows("SWARMS 9 ");
    terminal.press("l");
    terminal.shows("KeyError db_host");
    terminal.press("\x1b");
    terminal.shows("SWARMS 9 ");
    terminal.press(".b");
    terminal.shows("[[ CANCEL ]]");
    std::thread::sleep(Duration::from_millis(400));
    terminal.press("y");
    terminal.shows("the world moved");
    terminal.press("qq");
    terminal.until("the screen from before", |screen| !screen.alternate_screen() && !screen.hide_cursor());
    terminal.shows("ended Left");
    assert!(terminal.child.wait().unwrap().success());
}
