//! The loop on a real pseudo-terminal: this test binary plays the console on a made-up deck in a child process.

use super::fixture::{look, plan};
use crate::console::port::{Port, Said};
use crate::console::{Ended, Options, prompt, run};
use crate::deck::StrayPlan;
use crate::deck::habits::Habits;
use crate::deck::look::{DispatchRequest, EditDocument, EditTarget, LogLine, Look, Target, Word};
use crate::deck::past::{AuditWanted, VersionLook};
use crate::deck::reading::Inquiry;
use crate::deck::wave::{WavePlan, WaveRequest};
use crate::deck::{PoolPlan, PoolVerb};
use crate::model::hold::HoldOn;
use crate::model::{Fault, Result};
use crate::plan::Plan;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// A deck that plans what it is asked to and never does a thing.
struct Fake {
    version: watch::Sender<u64>,
}

#[async_trait::async_trait]
impl Port for Fake {
    fn look(&self) -> Arc<Look> {
        let mut look = look();
        look.dispatches.clear();
        look.version = *self.version.borrow();
        Arc::new(look)
    }
    fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
    async fn refresh(&self) -> Result<()> {
        Ok(())
    }
    async fn why(&self, target: Target) -> Result<Vec<String>> {
        Ok(vec![format!("{target:?}"), "CAUSE  the test".into()])
    }
    async fn plan(&self, _: DispatchRequest, progress: mpsc::Sender<LogLine>) -> Result<Plan> {
        let _ = progress.send(LogLine { at_ms: 0, from: "build".into(), text: "compiling".into() }).await;
        Ok(plan())
    }
    async fn execute(&self, plan_id: &str, _: &str, _: &[String]) -> Result<String> {
        Err(Fault::refused(format!("{plan_id}: the world moved")))
    }
    async fn wait_free(&self, _: &str, _: bool, _: mpsc::Sender<LogLine>) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
    async fn plan_wave(&self, _: WaveRequest, _: mpsc::Sender<LogLine>) -> Result<WavePlan> {
        Ok(WavePlan { plans: vec![plan()], left_out: Vec::new(), of: 0 })
    }
    async fn begin_wave(&self, _: &[String], _: &str) -> Said {
        Ok("begun".into())
    }
    fn carries(&self) -> bool {
        false
    }
    async fn hand_over(&self, _: mpsc::Sender<LogLine>) -> Result<()> {
        Ok(())
    }
    async fn hold(&self, _: HoldOn, _: &str, _: &str, _: i64) -> Said {
        Ok("held".into())
    }
    async fn lift(&self, _: &str) -> Said {
        Ok("lifted".into())
    }
    async fn cancel(&self, _: &str) -> Said {
        Ok("cancelled".into())
    }
    async fn resume(&self, _: &str) -> Said {
        Ok("resumed".into())
    }
    async fn tell(&self, _: &str, _: &Word) -> Said {
        Ok("told".into())
    }
    async fn interrupt(&self) -> Said {
        Ok("stopped".into())
    }
    async fn proc_verb(&self, verb: &str, _: &str, name: &str) -> Said {
        Ok(format!("{verb} {name}"))
    }
    async fn pool_plan(&self, _: &str, _: PoolVerb) -> Result<PoolPlan> {
        Err(Fault::refused("nobody edited it"))
    }
    async fn pool_do(&self, plan: &PoolPlan) -> Said {
        Ok(plan.object())
    }
    async fn stray_plan(&self, verb: &str, place: &str, name: &str) -> Result<StrayPlan> {
        Ok(StrayPlan { verb: verb.into(), place: place.into(), name: name.into(), ..StrayPlan::default() })
    }
    async fn stray_do(&self, plan: &StrayPlan) -> Said {
        Ok(format!("{} {}", plan.verb, plan.name))
    }
    async fn stray_unignore(&self, _: &str, name: &str) -> Said {
        Ok(format!("{name} is trouble"))
    }
    async fn host_verb(&self, _: &str, _: &str, _: mpsc::Sender<LogLine>) -> Said {
        Ok("nothing is missing".into())
    }
    async fn build(&self, _: &str) -> Result<String> {
        Ok("b1".into())
    }
    async fn uptest(&self, _: &str, _: mpsc::Sender<LogLine>) -> Said {
        Ok("passed".into())
    }
    async fn read(&self, inquiry: &Inquiry) -> Result<Vec<String>> {
        Ok(vec![format!("{inquiry:?}")])
    }
    async fn history(&self, _: &Target) -> Result<Vec<VersionLook>> {
        Ok(Vec::new())
    }
    async fn revert(&self, id: &str, rev: i64) -> Said {
        Ok(format!("{id} is as at {rev}"))
    }
    fn attend(&self, _: &str) {}
    async fn keep_habits(&self, _: &Habits) -> Result<()> {
        Ok(())
    }
    async fn export_audit(&self, _: &AuditWanted, path: &str) -> Said {
        Ok(path.into())
    }
    async fn edit_open(&self, target: EditTarget) -> Result<EditDocument> {
        let document = EditDocument {
            target,
            title: "shop-eu-web config".into(),
            text: "greeting: hi\n".into(),
            rev: 1,
            below: Vec::new(),
            running: Default::default(),
            sibling_keys: Default::default(),
            used_by: Vec::new(),
            saved_by: String::new(),
            saved_ms: 0,
        };
        Ok(document)
    }
    async fn kept_draft(&self, _: EditTarget) -> Option<(String, i64)> {
        None
    }
    async fn save(&self, _: EditTarget, _: &str, rev: i64, _: &str) -> Result<i64> {
        Ok(rev + 1)
    }
    async fn draft(&self, _: EditTarget, _: Option<&str>) -> Result<()> {
        Ok(())
    }
    async fn follow_log(&self, _: &str, _: &str) -> Result<mpsc::Receiver<LogLine>> {
        let (sender, lines) = mpsc::channel(1);
        tokio::spawn(async move {
            let _ = sender.send(LogLine { at_ms: 0, from: "web01".into(), text: "KeyError db_host".into() }).await;
            sender.closed().await;
        });
        Ok(lines)
    }
    async fn follow_build(&self, _: &str) -> Result<mpsc::Receiver<LogLine>> {
        Ok(mpsc::channel(1).1)
    }
    async fn apply(&self, _: &str) -> Said {
        Ok("applied".into())
    }
    async fn add_host(&self, _: &str) -> Said {
        Ok("added".into())
    }
}

/// Played in the child only.
#[test]
#[ignore = "the other test starts it on a terminal"]
fn child() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(run(Arc::new(Fake { version: watch::Sender::new(1) }), Options::default(), prompt().1)).unwrap();
    println!("ended {ended:?}");
    assert_eq!(ended, Ended::Left);
}

struct Terminal {
    parser: Arc<Mutex<vt100::Parser>>,
    bytes: Arc<Mutex<usize>>,
    keys: Box<dyn Write + Send>,
}

impl Terminal {
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
    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }
}

#[test]
fn open_look_edit_plan_and_leave_on_a_real_terminal() {
    let pty = native_pty_system().openpty(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 }).unwrap();
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", "console::tests::terminal::child", "--ignored", "--nocapture"]);
    command.env("TERM", "xterm-256color");
    command.env("NO_COLOR", "1");
    let mut child = pty.slave.spawn_command(command).unwrap();
    drop(pty.slave);
    let parser = Arc::new(Mutex::new(vt100::Parser::new(24, 80, 0)));
    let bytes = Arc::new(Mutex::new(0));
    let mut reader = pty.master.try_clone_reader().unwrap();
    let (into, count) = (parser.clone(), bytes.clone());
    std::thread::spawn(move || {
        let mut buffer = [0u8; 4096];
        while let Ok(read @ 1..) = reader.read(&mut buffer) {
            into.lock().unwrap().process(&buffer[..read]);
            *count.lock().unwrap() += read;
        }
    });
    let mut terminal = Terminal { parser, bytes, keys: pty.master.take_writer().unwrap() };

    terminal.shows("NEEDS YOU 4");
    terminal.until("the alternate screen", |screen| screen.alternate_screen());
    terminal.until("a cursor row in reverse, without colour", |screen| screen.cell(2, 40).is_some_and(|cell| cell.inverse()));
    // Nothing changes: nothing is written, though the clock ticks.
    std::thread::sleep(Duration::from_millis(300));
    let before = *terminal.bytes.lock().unwrap();
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(*terminal.bytes.lock().unwrap() - before, 0, "bytes while idle");

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
    assert!(child.wait().unwrap().success());
}
