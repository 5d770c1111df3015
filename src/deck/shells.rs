//! A shell for the operator: in a proc's environment, on a host, or in the tree that a build made; on his own terminal.

use super::Deck;
use super::look::Target;
use crate::build::Artifacts;
use crate::hosts::procs::script::check_name;
use crate::hosts::terminal::{self, Device, Typed, Wanted};
use crate::hosts::{Chunk, Link, Local};
use crate::model::quote::quote;
use crate::model::record::{Audit, Event};
use crate::model::shown::shown;
use crate::model::{Fault, Result};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// What takes back whatever a program may have left a terminal in: its other screen, mouse, brackets, keys, a hidden cursor, colours.
const WHOLE: &[u8] =
    b"\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?1l\x1b>\x1b[?25h\x1b[0m\x1b(B\r\n";

/// What every shell's script begins with: keys are shown again, and an interactive shell is found.
const PRELUDE: &str = "stty echo 2>/dev/null\nshell=/bin/sh\n[ ! -x /bin/bash ] || shell=/bin/bash\n";

impl Deck {
    /// Gives the terminal to a shell and answers with its exit status. The environment of a proc comes from its own files on its host;
    /// nothing of it is on a command line. Who opened it is in the audit. `size` is the terminal's now: columns, rows.
    ///
    /// # Errors
    /// There is no terminal; refused: the store only looks, or the proc is not ours; the host cannot be reached.
    pub async fn shell(&self, target: &Target, size: fn() -> (u16, u16)) -> Result<i32> {
        if let Some(why) = self.store.look_only() {
            return Err(Fault::refused(format!("no shell from here: {why}")));
        }
        let term = terminal::term(&std::env::var("TERM").unwrap_or_default());
        let no_terminal = |error: std::io::Error| Fault::refused(format!("a shell needs a terminal: {error}"));
        let device = Device::controlling().map_err(no_terminal)?;
        let wanted = |script: String, privileged: bool| Wanted { script, privileged, term: term.clone(), size: size() };
        // Kept until the shell has ended.
        let mut tree = None;
        let (link, wanted, object): (Arc<dyn Link>, Wanted, String) = match target {
            Target::Proc(host, name) => {
                let host = self.catalog().await?.host(host)?;
                let run = self.run_file(&host, name).await?;
                let script = format!("{PRELUDE}exec {} exec /usr/bin/env TERM={term} \"$shell\" -i", quote(&run));
                (self.links.link(&host).await?, wanted(script, true), format!("{}:{name}", host.name))
            }
            Target::Host(name) => {
                let host = self.any_host(name).await?;
                (self.links.link(&host).await?, wanted(format!("{PRELUDE}cd; exec \"${{SHELL:-$shell}}\" -l"), false), name.clone())
            }
            Target::Build(id) => {
                let build = self.store.build(id).await?.ok_or_else(|| super::unknown("build", id, "builds"))?;
                let artifact = Artifacts::of(&self.workspace)?.open(&build.artifact)?;
                let cannot = |error: std::io::Error| Fault::failed(format!("the build's tree cannot be unpacked: {error}"));
                let dir = tempfile::Builder::new().prefix("swarmdeck-build-").tempdir().map_err(cannot)?;
                let place = quote(&dir.path().display().to_string());
                let unpack = format!("tar -xzf {} -C {place}", quote(&artifact.display().to_string()));
                let script = format!("{PRELUDE}{unpack} || exit\ncd {place}; exec \"$shell\" -i");
                tree = Some(dir);
                (Arc::new(Local::new("this machine")), wanted(script, false), format!("build {id}"))
            }
            _ => return Err(Fault::bad("only a proc, a host or a build has a shell").next("swarmdeck shell HOST:PROC, HOST or BUILD")),
        };
        let opened = link.terminal(&wanted).await?;
        self.shell_told(&object, "opened").await?;
        let heading = format!("\r\nshell of {}; its exit leads back\r\n", shown(&object));
        device.write(heading.as_bytes()).await.map_err(no_terminal)?;
        let status = attached(&device, opened, size).await;
        drop(tree);
        let said = status.as_ref().map_or_else(|fault| fault.what.clone(), |status| format!("ended with status {status}"));
        // The shell is over whether or not that can be written down.
        self.shell_told(&object, &said).await.ok();
        status.map_err(|fault| fault.on(link.host()))
    }

    async fn shell_told(&self, object: &str, result: &str) -> Result<()> {
        let (at_ms, who, place) = (self.now_ms(), self.who.clone(), object.to_string());
        let event = Event {
            at_ms,
            kind: "shell".into(),
            who: who.clone(),
            what: format!("shell of {object}: {result}"),
            place,
            ..Event::default()
        };
        let audit = Audit { at_ms, who, verb: "shell".into(), object: object.into(), result: result.into(), ..Audit::default() };
        self.store.note(&[event], Some(&audit)).await
    }

    /// The file that runs commands as a proc runs: only procs that this installation made have one.
    pub(super) async fn run_file(&self, host: &crate::model::entity::Host, name: &str) -> Result<String> {
        self.read_seen().await?;
        let world = self.last_world().await;
        let known = world.hosts.get(&host.name).and_then(|seen| seen.procs.iter().find(|proc| proc.name == name));
        if known.is_some_and(|proc| proc.stamp.as_ref().is_none_or(|stamp| stamp.installation != self.store.installation())) {
            return Err(Fault::refused(format!("{name} was not made by this installation: its environment is not known"))
                .on(&host.name)
                .next(format!("swarmdeck shell {}", host.name)));
        }
        check_name(name)?;
        Ok(format!("{}/procs/{name}/run", host.root))
    }
}

/// The terminal in raw mode; as it was before when this is dropped.
struct Raw<'a> {
    device: &'a Device,
    before: Termios,
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        // The terminal may be gone; there is nobody left to tell.
        let _ = tcsetattr(self.device.file(), SetArg::TCSADRAIN, &self.before);
    }
}

/// Carries keys and screen between the operator's terminal and another until that one ends.
async fn attached(device: &Device, mut open: terminal::Terminal, size: fn() -> (u16, u16)) -> Result<i32> {
    let cannot = |error: std::io::Error| Fault::failed(format!("the terminal: {error}"));
    let before = tcgetattr(device.file()).map_err(|error| cannot(error.into()))?;
    let mut raw = before.clone();
    cfmakeraw(&mut raw);
    let _raw = Raw { device, before };
    tcsetattr(device.file(), SetArg::TCSADRAIN, &raw).map_err(|error| cannot(error.into()))?;
    let hear = |kind: SignalKind| signal(kind).map_err(cannot);
    let (mut resized, mut ended, mut gone) =
        (hear(SignalKind::window_change())?, hear(SignalKind::terminate())?, hear(SignalKind::hangup())?);
    let status = loop {
        tokio::select! {
            chunk = open.screen.recv() => match chunk {
                // A shell of one's own: what it sends is for this terminal.
                Some(Chunk::Out(bytes) | Chunk::Err(bytes)) => device.write(&bytes).await.map_err(cannot)?,
                Some(Chunk::End(status)) => break Ok(status),
                None => break Err(Fault::unreachable("the connection was lost")),
            },
            key = device.read() => match key {
                Ok(bytes) if !bytes.is_empty() => drop(open.keys.send(Typed::Bytes(bytes)).await),
                _ => break Err(Fault::interrupted("the terminal is gone")),
            },
            _ = resized.recv() => {
                let (columns, rows) = size();
                drop(open.keys.send(Typed::Size(columns, rows)).await);
            }
            _ = ended.recv() => break Err(Fault::interrupted("stopped")),
            _ = gone.recv() => break Err(Fault::interrupted("the terminal is gone")),
        }
    };
    drop(device.write(WHOLE).await);
    status
}
