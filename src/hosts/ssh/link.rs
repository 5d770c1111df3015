//! The link to a host over SSH: scripts, uploads, followed output and sockets on its one connection.

use super::connection::{Connection, Dialer, LOOK};
use crate::hosts::kept::Kept;
use crate::hosts::prompt::{self, Question, Secret};
use crate::hosts::script;
use crate::hosts::terminal::{Terminal, Typed, Wanted};
use crate::hosts::{Chunk, Link, Output, Stream};
use crate::model::{Fault, Result, quote};
use async_trait::async_trait;
use russh::client::Msg;
use russh::{Channel, ChannelMsg};
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc};

/// How a host is reached; what is absent comes from ssh_config.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Spec {
    /// The host's name, for faults and questions.
    pub name: String,
    pub address: String,
    pub port: Option<u16>,
    pub user: Option<String>,
    /// Commands run through sudo.
    pub sudo: bool,
}

/// The relay to a unix socket for users who may not open it themselves: standard input and output are the socket,
/// after one `+` that says that it opened. One line, since login shells differ on newlines in quotes.
const RELAY: &str = concat!(
    r#"exec("import os,socket,sys,select\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\nos.write(1,b\x27+\x27)\nr=[0,s]\n"#,
    r#"while 1:\n for f in select.select(r,[],[])[0]:\n  if f==0:\n   d=os.read(0,65536)\n   if d: s.sendall(d)\n   else: s.shutdown(1); r.remove(0)\n"#,
    r#"  else:\n   d=s.recv(65536)\n   if not d: sys.exit()\n   while d: d=d[os.write(1,d):]")"#
);
/// Sessions that may be followed at once: the rest of the connection's are for short commands.
const FOLLOWED: usize = 6;
/// How long opening a channel may take on a live connection.
const OPEN: Duration = Duration::from_secs(30);

/// A host over SSH. Connects at the first call, and anew at the first call after the connection was lost.
pub struct SshLink {
    spec: Spec,
    dialer: Arc<Dialer>,
    live: Mutex<Live>,
    followed: Arc<Semaphore>,
    /// Streamlocal was refused once: relay from now on.
    relay: AtomicBool,
}

#[derive(Default)]
struct Live {
    connection: Option<Ready>,
    /// The last failure and when it ended: whoever waited meanwhile is told the same instead of waiting again.
    failed: Option<(Instant, Fault)>,
}

#[derive(Clone)]
struct Ready {
    connection: Arc<Connection>,
    sudo_password: Option<Secret>,
}

/// An exec channel and its place among the connection's sessions.
struct Exec {
    channel: Channel<Msg>,
    permit: OwnedSemaphorePermit,
    connection: Arc<Connection>,
}

impl SshLink {
    /// Does not connect yet.
    pub fn new(spec: Spec, dialer: Arc<Dialer>) -> SshLink {
        let (live, followed, relay) = (Mutex::default(), Arc::new(Semaphore::new(FOLLOWED)), AtomicBool::new(false));
        SshLink { spec, dialer, live, followed, relay }
    }

    /// Connects now if it is not connected (so that all questions are asked before the first effect).
    pub async fn connect(&self) -> Result<()> {
        self.ready().await.map(drop)
    }

    /// Closes the connection; the next call opens a new one.
    pub async fn close(&self) {
        if let Some(ready) = self.live.lock().await.connection.take() {
            ready.connection.close().await;
        }
    }

    async fn ready(&self) -> Result<Ready> {
        let asked = Instant::now();
        let mut live = self.live.lock().await;
        if let Some(ready) = live.connection.as_ref().filter(|ready| !ready.connection.dead()) {
            return Ok(ready.clone());
        }
        live.connection = None;
        if let Some((when, fault)) = live.failed.as_ref()
            && *when > asked
        {
            return Err(fault.clone());
        }
        let made = async {
            let connection = self.dialer.dial(&self.spec.name, &self.spec.address, self.spec.port, self.spec.user.as_deref()).await?;
            let sudo_password = if self.spec.sudo { self.sudo(&connection).await? } else { None };
            Ok::<Ready, Fault>(Ready { connection, sudo_password })
        };
        match made.await {
            Ok(ready) => {
                live.connection = Some(ready.clone());
                live.failed = None;
                Ok(ready)
            }
            Err(fault) => {
                live.failed = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }

    /// Whether sudo wants a password, and which. `-k` keeps a remembered password from answering for it.
    async fn sudo(&self, connection: &Arc<Connection>) -> Result<Option<Secret>> {
        let limit = Duration::from_secs(30);
        let probe = async |command: &str, input: Vec<u8>| {
            let exec = self.exec(connection, command).await?;
            self.collect(exec, Input::Bytes(input), limit).await
        };
        let out = probe("env LC_ALL=C sudo -n -k true", Vec::new()).await?;
        if out.status == 0 {
            return Ok(None);
        }
        let words = String::from_utf8_lossy(&out.stderr).trim().to_string();
        if !words.contains("password is required") {
            let fault = Fault::refused(format!("{} may not use sudo there: {words}", connection.user)).on(&self.spec.name);
            return Err(fault.next("allow it in sudoers, or set become: none and user: root"));
        }
        for _ in 0..3 {
            let question = Question::SudoPassword { user: connection.user.clone(), host: self.spec.name.clone() };
            let secret = prompt::ask(self.dialer.prompt(), &self.spec.name, question).await?;
            let out = probe("sudo -S -k -p '' true", format!("{}\n", secret.0).into_bytes()).await?;
            if out.status == 0 {
                return Ok(Some(secret));
            }
        }
        Err(Fault::refused(format!("sudo refused the password of {}", connection.user)).on(&self.spec.name))
    }

    /// The command line for `argv` as the privileged user, and what goes before its input.
    fn command(&self, ready: &Ready, limit: &str, argv: &[&str]) -> (String, Vec<u8>) {
        let (locale, path) = (format!("LC_ALL={}", script::LOCALE), format!("PATH={}", script::PATH));
        let argv = [&["env", &locale, &path][..], &script::limited(limit, argv)].concat();
        let line = quote::command(&argv);
        match (&self.spec.sudo, &ready.sudo_password) {
            (false, _) => (format!("exec {line}"), Vec::new()),
            (true, None) => (format!("exec sudo -n {line}"), Vec::new()),
            (true, Some(secret)) => (format!("exec sudo -S -k -p '' {line}"), format!("{}\n", secret.0).into_bytes()),
        }
    }

    /// Opens a session channel and starts `command` on it. Nothing has happened on the host when this fails to open.
    async fn exec(&self, connection: &Arc<Connection>, command: &str) -> Result<Exec> {
        let exec = self.session(connection).await?;
        exec.channel.exec(true, command).await.map_err(|_| self.lost("while a command was sent"))?;
        Ok(exec)
    }

    async fn session(&self, connection: &Arc<Connection>) -> Result<Exec> {
        let permit = connection.sessions.clone().acquire_owned().await.map_err(|_| self.lost("before a command was sent"))?;
        let begun = Instant::now();
        let channel = loop {
            match connection.session.channel_open_session().await {
                Ok(channel) => break channel,
                // The server counts sessions whose commands have not quite ended; its limit may also be lower than the default.
                Err(russh::Error::ChannelOpenFailure(_)) if begun.elapsed() < OPEN => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(russh::Error::ChannelOpenFailure(why)) => {
                    return Err(Fault::unreachable(format!("the host opens no more sessions: {why:?}"))
                        .on(&self.spec.name)
                        .next("look at MaxSessions in its sshd_config"));
                }
                Err(_) => return Err(self.lost("before a command was sent")),
            }
        };
        Ok(Exec { channel, permit, connection: connection.clone() })
    }

    async fn collect(&self, exec: Exec, input: Input<'_>, limit: Duration) -> Result<Output> {
        let begun = Instant::now();
        let Exec { channel, permit: _permit, connection: _connection } = exec;
        let (mut read, write) = channel.split();
        let write = Closing(Arc::new(write));
        let mut sink = write.0.make_writer();
        let feed = async {
            match input {
                Input::Bytes(bytes) => drop(sink.write_all(&bytes).await),
                Input::From(before, source) => {
                    drop(sink.write_all(&before).await);
                    let mut buffer = vec![0; 128 << 10];
                    loop {
                        let count = source.read(&mut buffer).await?;
                        let piece = buffer.get(..count).unwrap_or_default();
                        // A host that stops reading says why by its exit status.
                        if piece.is_empty() || sink.write_all(piece).await.is_err() {
                            break;
                        }
                    }
                }
            }
            drop(sink.shutdown().await);
            Ok::<(), std::io::Error>(())
        };
        let listen = async {
            let mut out = Output { status: -1, ..Output::default() };
            let mut ended = false;
            loop {
                let wait = if ended { script::LEFT_OPEN } else { limit + script::GRACE + script::GRACE };
                let Ok(Some(message)) = tokio::time::timeout(wait, read.wait()).await else { break };
                match message {
                    ChannelMsg::Data { data } => out.stdout.extend_from_slice(&data),
                    ChannelMsg::ExtendedData { data, ext: 1 } => out.stderr.extend_from_slice(&data),
                    ChannelMsg::ExitStatus { exit_status } => (out.status, ended) = (exit_status as i32, true),
                    ChannelMsg::ExitSignal { signal_name, .. } => (out.status, ended) = (128 + signal(&signal_name), true),
                    ChannelMsg::Failure => return Err(Fault::refused("the host's sshd does not run commands").on(&self.spec.name)),
                    ChannelMsg::Close => break,
                    _ => {}
                }
                if out.stdout.len().max(out.stderr.len()) > script::OUTPUT_MAX {
                    return Err(Fault::failed(format!("a command printed more than {} MiB", script::OUTPUT_MAX >> 20)).on(&self.spec.name));
                }
            }
            if ended { Ok(out) } else { Err(self.lost("while a command ran; whether it ended there is not known")) }
        };
        let both = async {
            tokio::pin!(feed);
            tokio::pin!(listen);
            let mut fed = false;
            loop {
                tokio::select! {
                    end = &mut listen => return end,
                    result = &mut feed, if !fed => match result {
                        Ok(()) => fed = true,
                        Err(error) => return Err(Fault::failed(format!("what was to be sent cannot be read: {error}")).on(&self.spec.name)),
                    },
                }
            }
        };
        let out = tokio::time::timeout(limit + script::GRACE, both).await.map_err(|_| {
            Fault::unreachable(format!("a command did not end within {}", humantime::format_duration(limit + script::GRACE)))
                .on(&self.spec.name)
                .next(LOOK)
        })??;
        if script::ran_out(out.status, begun.elapsed(), limit) {
            let what = format!("a command took longer than its limit of {} and was ended", humantime::format_duration(limit));
            return Err(Fault::failed(what).on(&self.spec.name));
        }
        Ok(out)
    }

    fn lost(&self, when: &str) -> Fault {
        Fault::unreachable(format!("the connection was lost {when}")).on(&self.spec.name).next(LOOK)
    }

    async fn relay(&self, ready: &Ready, path: &str) -> Result<Box<dyn Stream>> {
        let (line, before) = self.command(ready, "3600", &["python3", "-c", RELAY, path]);
        let Exec { mut channel, permit, connection } = self.exec(&ready.connection, &line).await?;
        if !before.is_empty() {
            channel.data_bytes(before).await.map_err(|_| self.lost("while a socket was opened"))?;
        }
        let mut words = Vec::new();
        let wait = async {
            while let Some(message) = channel.wait().await {
                match message {
                    ChannelMsg::Data { data } => return Some(data),
                    ChannelMsg::ExtendedData { data, .. } => words.extend_from_slice(&data),
                    _ => {}
                }
            }
            None
        };
        let first = tokio::time::timeout(OPEN, wait).await.ok().flatten();
        let Some(rest) = first.as_deref().and_then(|data| data.strip_prefix(b"+")).map(<[u8]>::to_vec) else {
            let words = String::from_utf8_lossy(&words).trim().lines().last().unwrap_or("no answer").to_string();
            return Err(self.no_socket(path, &words));
        };
        let (read, write) = tokio::io::split(channel.into_stream());
        let stream = tokio::io::join(AsyncReadExt::chain(Cursor::new(rest), read), write);
        Ok(Box::new(Kept::new(stream, (permit, connection))))
    }

    fn no_socket(&self, path: &str, why: &str) -> Fault {
        let fault = Fault::unreachable(format!("the socket {path} does not open: {why}")).on(&self.spec.name);
        fault.next(format!("see that whoever owns it runs there: swarmdeck hosts check {}", self.spec.name))
    }
}

#[async_trait]
impl Link for SshLink {
    fn host(&self) -> &str {
        &self.spec.name
    }

    async fn run(&self, body: &str, limit: Duration) -> Result<Output> {
        let ready = self.ready().await?;
        let (line, mut input) = self.command(&ready, &script::seconds(limit), &["sh", "-s"]);
        input.extend(script::whole(body));
        let exec = self.exec(&ready.connection, &line).await?;
        self.collect(exec, Input::Bytes(input), limit).await
    }

    async fn feed(&self, argv: &[&str], source: &mut (dyn AsyncRead + Send + Unpin), limit: Duration) -> Result<Output> {
        let ready = self.ready().await?;
        let (line, before) = self.command(&ready, &script::seconds(limit), argv);
        let exec = self.exec(&ready.connection, &line).await?;
        self.collect(exec, Input::From(before, source), limit).await
    }

    async fn follow(&self, body: &str) -> Result<mpsc::Receiver<Chunk>> {
        let ready = self.ready().await?;
        let Ok(place) = self.followed.clone().try_acquire_owned() else {
            return Err(Fault::refused(format!("{FOLLOWED} outputs of this host are followed already")).on(&self.spec.name));
        };
        let (line, mut input) = self.command(&ready, &script::seconds(script::FOLLOW_LIMIT), &["sh", "-s"]);
        input.extend(script::followed(body));
        let exec = self.exec(&ready.connection, &line).await?;
        let (sender, receiver) = mpsc::channel(64);
        tokio::spawn(async move {
            let _place = place;
            let Exec { channel, permit: _permit, connection: _connection } = exec;
            let (mut read, write) = channel.split();
            // Its input stays open: its end is what ends the script.
            let write = Closing(Arc::new(write));
            let mut sink = write.0.make_writer();
            let mut status = 255;
            let pump = async {
                if sink.write_all(&input).await.is_err() {
                    return;
                }
                while let Some(message) = read.wait().await {
                    let chunk = match message {
                        ChannelMsg::Data { data } => Chunk::Out(data.to_vec()),
                        ChannelMsg::ExtendedData { data, ext: 1 } => Chunk::Err(data.to_vec()),
                        ChannelMsg::ExitStatus { exit_status } => {
                            status = exit_status as i32;
                            continue;
                        }
                        ChannelMsg::ExitSignal { signal_name, .. } => {
                            status = 128 + signal(&signal_name);
                            continue;
                        }
                        ChannelMsg::Close | ChannelMsg::Failure => return,
                        _ => continue,
                    };
                    if sender.send(chunk).await.is_err() {
                        return;
                    }
                }
            };
            tokio::select! {
                () = pump => {}
                () = sender.closed() => return,
            }
            drop(sender.send(Chunk::End(status)).await);
        });
        Ok(receiver)
    }

    async fn terminal(&self, wanted: &Wanted) -> Result<Terminal> {
        let ready = self.ready().await?;
        let script = ["sh", "-c", &wanted.script];
        let (line, before) = match (wanted.privileged && self.spec.sudo, &ready.sudo_password) {
            (false, _) => (format!("exec {}", quote::command(&script)), Vec::new()),
            (true, None) => (format!("exec sudo -n {}", quote::command(&script)), Vec::new()),
            (true, Some(secret)) => (format!("exec sudo -S -k -p '' {}", quote::command(&script)), format!("{}\n", secret.0).into_bytes()),
        };
        let Exec { channel, permit, connection } = self.session(&ready.connection).await?;
        let (columns, rows) = (u32::from(wanted.size.0), u32::from(wanted.size.1));
        // Without echo: what sudo reads is not shown. The script turns it on again.
        let modes = [(russh::Pty::ECHO, u32::from(before.is_empty()))];
        let lost = |_| self.lost("while a terminal was opened");
        channel.request_pty(true, &wanted.term, columns, rows, 0, 0, &modes).await.map_err(lost)?;
        channel.exec(true, line).await.map_err(lost)?;
        let ((keys, mut typed), (sender, screen)) = (mpsc::channel(64), mpsc::channel(64));
        tokio::spawn(async move {
            let (_permit, _connection) = (permit, connection);
            let (mut read, write) = channel.split();
            let write = Closing(Arc::new(write));
            let mut sink = write.0.make_writer();
            let mut status = 255;
            if !before.is_empty() && sink.write_all(&before).await.is_err() {
                return;
            }
            loop {
                tokio::select! {
                    message = read.wait() => {
                        let chunk = match message {
                            Some(ChannelMsg::Data { data }) => Chunk::Out(data.to_vec()),
                            Some(ChannelMsg::ExtendedData { data, .. }) => Chunk::Err(data.to_vec()),
                            Some(ChannelMsg::ExitStatus { exit_status }) => {
                                status = exit_status as i32;
                                continue;
                            }
                            Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                                status = 128 + signal(&signal_name);
                                continue;
                            }
                            Some(ChannelMsg::Close | ChannelMsg::Failure) | None => break,
                            Some(_) => continue,
                        };
                        if sender.send(chunk).await.is_err() {
                            return;
                        }
                    }
                    key = typed.recv() => match key {
                        Some(Typed::Bytes(bytes)) => {
                            if sink.write_all(&bytes).await.is_err() {
                                break;
                            }
                        }
                        Some(Typed::Size(columns, rows)) => drop(write.0.window_change(u32::from(columns), u32::from(rows), 0, 0).await),
                        None => return,
                    },
                    () = sender.closed() => return,
                }
            }
            drop(sender.send(Chunk::End(status)).await);
        });
        Ok(Terminal { keys, screen })
    }

    async fn socket(&self, path: &str) -> Result<Box<dyn Stream>> {
        let ready = self.ready().await?;
        if !(self.spec.sudo && self.relay.load(Ordering::Relaxed)) {
            let opened = tokio::time::timeout(OPEN, ready.connection.session.channel_open_direct_streamlocal(path)).await;
            match opened.map_err(|_| self.no_socket(path, "no answer"))? {
                Ok(channel) => return Ok(Box::new(Kept::new(channel.into_stream(), ready.connection))),
                Err(russh::Error::ChannelOpenFailure(_)) if self.spec.sudo => {}
                Err(russh::Error::ChannelOpenFailure(why)) => return Err(self.no_socket(path, &format!("{why:?}"))),
                Err(_) => return Err(self.lost("before a socket was opened")),
            }
        }
        let stream = self.relay(&ready, path).await?;
        self.relay.store(true, Ordering::Relaxed);
        Ok(stream)
    }
}

enum Input<'a> {
    Bytes(Vec<u8>),
    From(Vec<u8>, &'a mut (dyn AsyncRead + Send + Unpin)),
}

/// Closes its channel when dropped: the library does not.
struct Closing(Arc<russh::ChannelWriteHalf<Msg>>);

impl Drop for Closing {
    fn drop(&mut self) {
        let write = self.0.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { write.close().await });
        }
    }
}

fn signal(name: &russh::Sig) -> i32 {
    match name {
        russh::Sig::HUP => 1,
        russh::Sig::INT => 2,
        russh::Sig::QUIT => 3,
        russh::Sig::ILL => 4,
        russh::Sig::ABRT => 6,
        russh::Sig::FPE => 8,
        russh::Sig::KILL => 9,
        russh::Sig::USR1 => 10,
        russh::Sig::SEGV => 11,
        russh::Sig::PIPE => 13,
        russh::Sig::ALRM => 14,
        russh::Sig::TERM => 15,
        russh::Sig::Custom(_) => 127,
    }
}
