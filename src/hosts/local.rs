//! This machine, without SSH: as root, or as an ordinary user who then owns everything that he deploys here.

use super::script;
use super::terminal::{Device, Terminal, Typed, Wanted};
use super::{Chunk, Link, Output, Stream};
use crate::model::{Fault, Result};
use async_trait::async_trait;
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// The link to this machine. Every command runs as the user of this process, in a session of its own (no terminal's
/// hang-up reaches it), and is ended with its whole process group at its limit or when its caller goes away.
pub struct Local {
    name: String,
    env: Vec<(String, String)>,
}

impl Local {
    /// This machine under the host name `name`.
    pub fn new(name: impl Into<String>) -> Local {
        Local { name: name.into(), env: Vec::new() }
    }

    /// Sets a variable for every command (a demo that brought its own Supervisor sets `PATH` and `PYTHONPATH`).
    #[must_use]
    pub fn with_env(mut self, key: impl Into<String>, value: impl Into<String>) -> Local {
        self.env.push((key.into(), value.into()));
        self
    }

    fn spawn(&self, argv: &[&str], limit: Duration) -> Result<Group> {
        let limit = script::seconds(limit);
        let mut command = session(&script::limited(&limit, argv));
        self.environment(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| {
            Fault::failed(format!("cannot start a process here: {error}")).on(&self.name).next("install coreutils and util-linux")
        })?;
        Ok(Group::new(child))
    }

    fn environment(&self, command: &mut Command) {
        command.env_clear().env("LC_ALL", script::LOCALE).env("PATH", script::PATH);
        for key in ["HOME", "USER", "LOGNAME", "TMPDIR"] {
            if let Some(value) = std::env::var_os(key) {
                command.env(key, value);
            }
        }
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
    }

    async fn finish(&self, mut group: Group, input: Input<'_>, limit: Duration) -> Result<Output> {
        let begun = Instant::now();
        let (stdin, stdout, stderr) = (group.child.stdin.take(), group.child.stdout.take(), group.child.stderr.take());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let write = async {
            let Some(mut stdin) = stdin else { return Ok(()) };
            match input {
                // A command that ends before it has read its input shows why by its status; the broken pipe is not news.
                Input::Bytes(bytes) => drop(stdin.write_all(&bytes).await),
                Input::From(source) => copy(source, &mut stdin).await?,
            }
            drop(stdin);
            Ok::<(), std::io::Error>(())
        };
        let work = async {
            let streams = async { tokio::try_join!(write, collect(stdout, &mut out), collect(stderr, &mut err)).map(drop) };
            tokio::pin!(streams);
            tokio::select! {
                result = &mut streams => {
                    result?;
                    group.child.wait().await
                }
                status = group.child.wait() => match tokio::time::timeout(script::LEFT_OPEN, streams).await {
                    Ok(result) => result.and(status),
                    Err(_) => status,
                },
            }
        };
        let status = tokio::time::timeout(limit + script::GRACE, work)
            .await
            .map_err(|_| self.too_long(limit))?
            .map_err(|error| Fault::failed(format!("a command's input or output broke: {error}")).on(&self.name))?;
        group.ended = true;
        let status = code(status);
        if script::ran_out(status, begun.elapsed(), limit) {
            return Err(self.too_long(limit));
        }
        Ok(Output { status, stdout: out, stderr: err })
    }

    fn too_long(&self, limit: Duration) -> Fault {
        Fault::failed(format!("a command took longer than its limit of {} and was ended", humantime::format_duration(limit))).on(&self.name)
    }
}

#[async_trait]
impl Link for Local {
    fn host(&self) -> &str {
        &self.name
    }

    async fn run(&self, body: &str, limit: Duration) -> Result<Output> {
        self.finish(self.spawn(&["sh", "-s"], limit)?, Input::Bytes(script::whole(body)), limit).await
    }

    async fn feed(&self, argv: &[&str], source: &mut (dyn AsyncRead + Send + Unpin), limit: Duration) -> Result<Output> {
        self.finish(self.spawn(argv, limit)?, Input::From(source), limit).await
    }

    async fn follow(&self, body: &str) -> Result<mpsc::Receiver<Chunk>> {
        let mut group = self.spawn(&["sh", "-s"], script::FOLLOW_LIMIT)?;
        let text = script::followed(body);
        let (sender, receiver) = mpsc::channel(64);
        tokio::spawn(async move {
            let (mut stdin, stdout, stderr) = (group.child.stdin.take(), group.child.stdout.take(), group.child.stderr.take());
            if let Some(stdin) = stdin.as_mut() {
                drop(stdin.write_all(&text).await);
            }
            let pump = async {
                tokio::join!(forward(stdout, &sender, Chunk::Out), forward(stderr, &sender, Chunk::Err));
                group.child.wait().await
            };
            let status = tokio::select! {
                status = pump => status,
                () = sender.closed() => return,
            };
            group.ended = true;
            drop((stdin, group));
            drop(sender.send(Chunk::End(status.map_or(255, code))).await);
        });
        Ok(receiver)
    }

    async fn terminal(&self, wanted: &Wanted) -> Result<Terminal> {
        let cannot = |error: std::io::Error| Fault::failed(format!("no terminal can be opened: {error}")).on(&self.name);
        let (columns, rows) = wanted.size;
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).map_err(|error| cannot(error.into()))?;
        let place = std::fs::read_link(format!("/proc/self/fd/{}", pair.slave.as_raw_fd())).map_err(cannot)?;
        // The terminal becomes the session's own: its end is a hang-up for all that runs on it.
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", "--", "sh", "-c", &wanted.script]);
        self.environment(&mut command);
        command.env("TERM", &wanted.term).env("SHELL", std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into()));
        let end = |fd: &OwnedFd| fd.try_clone().map(Stdio::from).map_err(cannot);
        command.stdin(end(&pair.slave)?).stdout(end(&pair.slave)?).stderr(end(&pair.slave)?).kill_on_drop(true);
        let mut child = command.spawn().map_err(cannot)?;
        drop((command, pair.slave));
        let device = Device::new(pair.master).map_err(cannot)?;
        let ((keys, mut typed), (sender, screen)) = (mpsc::channel(64), mpsc::channel(64));
        tokio::spawn(async move {
            let mut status = None;
            loop {
                tokio::select! {
                    read = device.read(), if status.is_none() => match read {
                        Ok(bytes) if !bytes.is_empty() => {
                            if sender.send(Chunk::Out(bytes)).await.is_err() {
                                break;
                            }
                        }
                        _ => status = Some(child.wait().await),
                    },
                    ended = child.wait(), if status.is_none() => {
                        // What it said last is still there to be read; what it left behind may hold the terminal open for ever.
                        while let Ok(Ok(bytes)) = tokio::time::timeout(script::LEFT_OPEN / 8, device.read()).await {
                            if bytes.is_empty() || sender.send(Chunk::Out(bytes)).await.is_err() {
                                break;
                            }
                        }
                        status = Some(ended);
                    }
                    key = typed.recv() => match key {
                        Some(Typed::Bytes(bytes)) => drop(device.write(&bytes).await),
                        Some(Typed::Size(columns, rows)) => {
                            let (columns, rows) = (columns.to_string(), rows.to_string());
                            let argv = ["cols", columns.as_str(), "rows", rows.as_str()];
                            drop(Command::new("stty").arg("-F").arg(&place).args(argv).stderr(Stdio::null()).status().await);
                        }
                        None => break,
                    },
                    () = sender.closed() => break,
                }
                if let Some(status) = status.take() {
                    drop(sender.send(Chunk::End(status.map_or(255, code))).await);
                    return;
                }
            }
        });
        Ok(Terminal { keys, screen })
    }

    async fn socket(&self, path: &str) -> Result<Box<dyn Stream>> {
        match UnixStream::connect(path).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(Fault::unreachable(format!("the socket {path} does not open: {error}")).on(&self.name)),
        }
    }
}

enum Input<'a> {
    Bytes(Vec<u8>),
    From(&'a mut (dyn AsyncRead + Send + Unpin)),
}

/// A child in its own session; when it is dropped before its end, its whole process group is told to end
/// (the `timeout` in it kills what has not ended 5 s later).
pub(super) struct Group {
    child: Child,
    ended: bool,
}

impl Group {
    /// A child that [`session`] started.
    pub(super) fn new(child: Child) -> Group {
        Group { child, ended: false }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok())
            && killpg(Pid::from_raw(id), Signal::SIGTERM).is_err()
        {
            drop(self.child.start_kill());
        }
    }
}

/// A command in a session of its own: no terminal's hang-up or interrupt reaches it, and it cannot ask on the terminal.
/// Its process id is also its process group's. `argv` may not be empty.
pub fn session(argv: &[&str]) -> Command {
    let mut command = Command::new("setsid");
    command.arg("--").args(argv);
    command
}

/// The exit status as a shell gives it: 128 + n when ended by signal n.
pub fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(255)
}

async fn collect(stream: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) -> std::io::Result<()> {
    if let Some(stream) = stream {
        stream.take(script::OUTPUT_MAX as u64 + 1).read_to_end(into).await?;
    }
    if into.len() > script::OUTPUT_MAX {
        return Err(std::io::Error::other(format!("more than {} MiB of output", script::OUTPUT_MAX >> 20)));
    }
    Ok(())
}

async fn copy(source: &mut (dyn AsyncRead + Send + Unpin), sink: &mut (impl AsyncWriteExt + Unpin)) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = source.read(&mut buffer).await?;
        let piece = buffer.get(..count).unwrap_or_default();
        if piece.is_empty() || sink.write_all(piece).await.is_err() {
            return Ok(());
        }
    }
}

async fn forward(stream: Option<impl AsyncRead + Unpin>, sender: &mpsc::Sender<Chunk>, kind: fn(Vec<u8>) -> Chunk) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; 32 << 10];
    while let Ok(count) = stream.read(&mut buffer).await {
        let piece = buffer.get(..count).unwrap_or_default();
        if piece.is_empty() || sender.send(kind(piece.to_vec())).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn alive(pid: i32) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    async fn gone(pid: i32) {
        let begun = Instant::now();
        while alive(pid) {
            assert!(begun.elapsed() < LIMIT, "process {pid} still lives");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test]
    async fn a_script_has_status_both_outputs_and_an_empty_input() {
        let out =
            Local::new("here").run("printf 'é'; echo no >&2; cat; test \"$LC_ALL\" = C.UTF-8 || exit 9; exit 3", LIMIT).await.unwrap();
        assert_eq!(out, Output { status: 3, stdout: "é".into(), stderr: b"no\n".to_vec() });
    }

    #[tokio::test]
    async fn what_a_script_leaves_running_does_not_hold_it_up() {
        let out = Local::new("here").run("sleep 600 & echo $!", LIMIT).await.unwrap();
        let pid: i32 = out.text().trim().parse().unwrap();
        assert!(alive(pid));
        nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    }

    #[tokio::test]
    async fn a_script_cut_short_does_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("mark");
        let text = script::whole(&format!("touch {}\nsleep 0\nif true; then echo half", mark.display()));
        let out = Local::new("here").feed(&["sh", "-s"], &mut &text[..text.len() - 14], LIMIT).await.unwrap();
        assert_ne!(out.status, 0);
        assert!(!mark.exists());
    }

    #[tokio::test]
    async fn a_megabyte_fed_arrives_whole() {
        let data: Vec<u8> = (0..1_000_003u32).map(|n| n as u8).collect();
        let out = Local::new("here").feed(&["sh", "-c", "exec cat"], &mut &data[..], LIMIT).await.unwrap();
        assert!(out.status == 0 && out.stdout == data);
    }

    #[tokio::test]
    async fn the_limit_ends_a_script_and_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let body = format!("trap '' TERM; sleep 600 & echo $! > {}; wait; wait", file.display());
        let fault = Local::new("here").run(&body, Duration::from_secs(3)).await.unwrap_err();
        assert!(fault.line().contains("longer than its limit of 3s"), "{fault}");
        gone(std::fs::read_to_string(file).unwrap().trim().parse().unwrap()).await;
    }

    #[tokio::test]
    async fn a_call_that_is_dropped_takes_its_processes_along() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let link = Local::new("here");
        let body = format!("sleep 600 & echo $! > {}.new; mv {0}.new {0}; wait", file.display());
        let wait = async {
            while !file.exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! { _ = link.run(&body, LIMIT) => panic!("ended"), () = wait => {} }
        gone(std::fs::read_to_string(file).unwrap().trim().parse().unwrap()).await;
    }

    #[tokio::test]
    async fn a_followed_script_streams_and_ends_with_its_status_or_its_reader() {
        let link = Local::new("here");
        let mut lines = link.follow("echo one; echo two >&2; exit 4").await.unwrap();
        let (mut out, mut err, mut end) = (Vec::new(), Vec::new(), None);
        while let Some(chunk) = lines.recv().await {
            match chunk {
                Chunk::Out(bytes) => out.extend(bytes),
                Chunk::Err(bytes) => err.extend(bytes),
                Chunk::End(status) => end = Some(status),
            }
        }
        assert_eq!((out.as_slice(), err.as_slice(), end), (&b"one\n"[..], &b"two\n"[..], Some(4)));

        let mut lines = link.follow("sleep 600 & echo $!; wait").await.unwrap();
        let Some(Chunk::Out(pid)) = lines.recv().await else { panic!("no pid") };
        let pid = String::from_utf8(pid).unwrap().trim().parse().unwrap();
        assert!(alive(pid));
        drop(lines);
        gone(pid).await;
    }
}
