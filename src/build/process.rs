//! One child process of a build: own session, no terminal, lines as they come, gone with all its children when it is dropped.

use crate::model::{Fault, Result, shown};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

/// A line is cut here; the rest follows as the next line.
const LONGEST_LINE: u64 = 16 << 10;
/// What a captured output may hold.
const MOST_CAPTURED: usize = 4 << 20;
/// How long after its end a process's pipes are read, when a left-over child still holds them open.
const LINGER: Duration = Duration::from_secs(1);

/// Which pipe a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pipe {
    Out,
    Err,
}

/// A command in a session of its own, so that no terminal can be asked for a password and the whole group can be ended.
pub fn command<S: AsRef<OsStr>>(argv: &[S]) -> Command {
    let mut command = Command::new("setsid");
    command.args(argv).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Ends the process group when the build goes away before the process does.
struct Group(Option<Pid>);

impl Group {
    fn end(&mut self) {
        if let Some(pid) = self.0.take() {
            // Already gone is fine.
            let _ = killpg(pid, Signal::SIGKILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

fn start(mut command: Command, name: &str) -> Result<(Child, Group)> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| Fault::failed(format!("{name} cannot be started: {error}")))?;
    let group = Group(child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw));
    Ok((child, group))
}

/// Runs it to its end and hands over each line. What it left behind in its group is ended with it.
pub async fn lines(command: Command, name: &str, mut each: impl FnMut(Pipe, String)) -> Result<ExitStatus> {
    let (mut child, mut group) = start(command, name)?;
    let (sender, mut receiver) = tokio::sync::mpsc::channel(256);
    let readers = [
        child.stdout.take().map(|pipe| tokio::spawn(read(pipe, Pipe::Out, sender.clone()))),
        child.stderr.take().map(|pipe| tokio::spawn(read(pipe, Pipe::Err, sender.clone()))),
    ];
    drop(sender);
    let status = loop {
        tokio::select! {
            Some((pipe, line)) = receiver.recv() => each(pipe, line),
            status = child.wait() => break status.map_err(|error| Fault::failed(format!("{name}: {error}")))?,
        }
    };
    group.end();
    // When the time is up, something escaped the group and still prints; it is not waited for.
    let _ = tokio::time::timeout(LINGER, async {
        while let Some((pipe, line)) = receiver.recv().await {
            each(pipe, line);
        }
    })
    .await;
    for reader in readers.into_iter().flatten() {
        reader.abort();
    }
    Ok(status)
}

async fn read(pipe: impl AsyncRead + Unpin, kind: Pipe, sender: tokio::sync::mpsc::Sender<(Pipe, String)>) {
    let mut pipe = BufReader::new(pipe);
    loop {
        let mut line = Vec::new();
        match (&mut pipe).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_string();
        if sender.send((kind, text)).await.is_err() {
            return;
        }
    }
}

/// What a finished tool printed.
#[derive(Debug)]
pub struct Captured {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Captured {
    /// Its first output line.
    pub fn first_line(&self) -> &str {
        self.out.lines().next().unwrap_or_default().trim()
    }

    /// The last error lines, in one line.
    pub fn complaint(&self) -> String {
        let lines: Vec<&str> = self.err.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        shown::shown(&lines.get(lines.len().saturating_sub(4)..).unwrap_or_default().join(" / "))
    }
}

/// Runs it to its end and keeps what it printed (4 MiB of each pipe at most). A non-zero exit is no fault.
pub async fn capture(command: Command, name: &str) -> Result<Captured> {
    let (mut out, mut err) = (String::new(), String::new());
    let status = lines(command, name, |pipe, line| {
        let text = if pipe == Pipe::Out { &mut out } else { &mut err };
        if text.len() < MOST_CAPTURED {
            text.push_str(&line);
            text.push('\n');
        }
    })
    .await?;
    if status.code() == Some(127) && err.contains("failed to execute") {
        return Err(Fault::failed(format!("{name} is not installed on this machine")).next(format!("install {name}")));
    }
    Ok(Captured { status, out, err })
}

/// How it ended, for a sentence: `exit 1`, `signal 9`.
pub fn ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".to_string(),
    }
}
