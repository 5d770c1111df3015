//! Taking the demo away: everything that it started is ended, everything that it made is removed; after any crash, too.

use super::daemons::{self, Daemon};
use super::home::{Places, io};
use crate::model::{Fault, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

/// Procs may take their `stop_timeout` (10 s), and supervisord ends them all at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// Stops and removes everything that the demo in this home made; says what it does. Nothing there is no fault.
///
/// # Errors
/// Refused: the home is no demo's, or a console or another demo command is open on it. Failed: something does not end.
pub async fn down(home: &Path, say: super::Say<'_>) -> Result<()> {
    let places = Places::of(home)?;
    if !places.home.exists() {
        say(format!("there is no demo in {}", places.home.display()));
        return Ok(());
    }
    if !places.is_demo() && !only_the_lock(&places) {
        return Err(Fault::refused(format!("{} is not a demo's home; it is left as it is", places.home.display())));
    }
    let _lock = places.lock()?;
    if let Some(holder) = open_elsewhere(&places) {
        return Err(Fault::refused(format!("a console or a command is open on the demo ({holder})")).next("quit it, then try again"));
    }
    stop(&daemons::nginx(&places), Signal::SIGQUIT, say).await?;
    let instances = instances(&places);
    stop(&daemons::supervisord(&places), Signal::SIGTERM, say).await?;
    left_over(&instances, say).await?;
    if places.socket().starts_with(places.short_dir()) {
        remove(&places.short_dir())?;
    }
    remove(&places.home)?;
    say(format!("removed {}", places.home.display()));
    Ok(())
}

/// A demo that was cut off before it wrote anything else.
fn only_the_lock(places: &Places) -> bool {
    let Ok(entries) = fs::read_dir(&places.home) else { return false };
    entries.flatten().all(|entry| ["demo.lock", "demo.next"].iter().any(|name| entry.file_name() == *name))
}

/// A process that has the demo's store open holds a lock in `run`.
fn open_elsewhere(places: &Places) -> Option<String> {
    let entries = fs::read_dir(places.at("run")).ok()?;
    let locks = entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|ending| ending == "lock"));
    let held = |path: &std::path::PathBuf| File::open(path).is_ok_and(|file| file.try_lock_shared().is_err());
    locks.filter(held).map(|path| path.display().to_string()).next()
}

/// What the procs' stamps say: each of their processes has its instance in its environment.
fn instances(places: &Places) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(places.at("apps/procs")) else { return BTreeSet::new() };
    let stamps = entries.flatten().filter_map(|entry| fs::read_to_string(entry.path().join("stamp")).ok());
    stamps.filter_map(|stamp| Some(stamp.lines().find_map(|line| line.strip_prefix("instance="))?.to_string())).collect()
}

/// Ends a daemon and waits until it and its children are gone; harder when asking nicely does not do.
async fn stop(daemon: &Daemon, first: Signal, say: super::Say<'_>) -> Result<()> {
    let Some(pid) = daemon.pid() else { return Ok(()) };
    let all: BTreeSet<Process> = std::iter::once(pid).chain(children(pid)).filter_map(Process::of).collect();
    say(format!("stopping {} (pid {pid}) and its {} processes", daemon.name, all.len().saturating_sub(1)));
    let master: Vec<Process> = all.iter().filter(|process| process.pid == pid).cloned().collect();
    for (signal, patience) in [(first, PATIENCE), (Signal::SIGTERM, PATIENCE / 3)] {
        signal_all(&master, signal);
        if gone(&all, patience).await {
            return Ok(());
        }
    }
    signal_all(&all.iter().cloned().collect::<Vec<_>>(), Signal::SIGKILL);
    if gone(&all, PATIENCE).await { Ok(()) } else { Err(Fault::failed(format!("{} (pid {pid}) does not end", daemon.name))) }
}

/// Ends procs that lost their supervisord.
async fn left_over(instances: &BTreeSet<String>, say: super::Say<'_>) -> Result<()> {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let left: BTreeSet<Process> = processes().filter(|pid| has_instance(*pid, instances)).filter_map(Process::of).collect();
        if left.is_empty() {
            return Ok(());
        }
        say(format!("stopping {} processes of procs that nobody supervises any more", left.len()));
        signal_all(&left.iter().cloned().collect::<Vec<_>>(), signal);
        if gone(&left, PATIENCE / 3).await {
            return Ok(());
        }
    }
    Err(Fault::failed("processes of the demo's procs do not end"))
}

/// A process, told apart from a later one with the same number by when it began.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Process {
    pid: i32,
    /// Clock ticks since boot.
    began: String,
}

impl Process {
    fn of(pid: i32) -> Option<Process> {
        let fields = stat(pid)?;
        // A zombie has ended; only its parent has not yet looked.
        (fields.first()? != "Z").then_some(Process { pid, began: fields.get(19)?.clone() })
    }
    fn lives(&self) -> bool {
        Process::of(self.pid).as_ref() == Some(self)
    }
}

/// The fields of /proc/PID/stat behind the name, from the state on (proc(5)).
fn stat(pid: i32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    Some(rest.split(' ').map(str::to_string).collect())
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn children(of: i32) -> Vec<i32> {
    let of = of.to_string();
    processes().filter(|pid| stat(*pid).is_some_and(|fields| fields.get(1) == Some(&of))).collect()
}

fn has_instance(pid: i32, instances: &BTreeSet<String>) -> bool {
    let Ok(environ) = fs::read(format!("/proc/{pid}/environ")) else { return false };
    let mut variables = environ.split(|byte| *byte == 0).filter_map(|variable| variable.strip_prefix(b"SWARMDECK_INSTANCE="));
    variables.any(|value| std::str::from_utf8(value).is_ok_and(|value| instances.contains(value)))
}

fn signal_all(all: &[Process], signal: Signal) {
    for process in all.iter().filter(|process| process.lives()) {
        // One that has just ended needs no signal.
        let _ = kill(Pid::from_raw(process.pid), signal);
    }
}

async fn gone(all: &BTreeSet<Process>, limit: Duration) -> bool {
    let begun = Instant::now();
    while all.iter().any(Process::lives) {
        if begun.elapsed() > limit {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    true
}

fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io(dir)(error)),
        _ => Ok(()),
    }
}
