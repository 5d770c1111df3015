//! The one way to do something on a machine, whatever carries it: run a script, send bytes, open a socket, follow lines.

use super::terminal::{Terminal, Wanted};
use crate::model::{Fault, Result};
use async_trait::async_trait;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

/// What a finished command left behind. Bytes, as the host sent them; not yet safe for a terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Exit status; 128 + n when ended by signal n.
    pub status: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Output {
    /// Standard output as text, invalid UTF-8 replaced; control bytes still in it.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// A two-way byte stream (a socket on the host).
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A machine that can be worked on. One multiplexed connection per host stands behind every clone of it.
///
/// All commands run as the host's privileged user (root, or through `sudo -n`/a sudo password, or, on the local
/// host of an ordinary user, as that user), with `LC_ALL=C.UTF-8` and a fixed `PATH`.
#[async_trait]
pub trait Link: Send + Sync {
    /// The host's name, for faults.
    fn host(&self) -> &str;

    /// Runs a POSIX shell script (`sh -s`, the body on standard input, never on a command line; the body itself
    /// sees an empty standard input) and waits for its end, at most `limit`. A non-zero exit is not a fault:
    /// look at [`Output::status`]. Faults: unreachable, time limit (the script is killed there too).
    async fn run(&self, body: &str, limit: Duration) -> Result<Output>;

    /// Runs one argument vector with `source` as its standard input (uploads: `["sh", "-c", "umask 077; exec cat > …"]`).
    async fn feed(&self, argv: &[&str], source: &mut (dyn AsyncRead + Send + Unpin), limit: Duration) -> Result<Output>;

    /// Runs a script like [`Link::run`] and hands over its standard output and error in chunks as they come;
    /// dropping the receiver ends the script. The last message is the exit status.
    async fn follow(&self, body: &str) -> Result<mpsc::Receiver<Chunk>>;

    /// Opens a terminal for a person and starts a program on it. Faults: unreachable; this way of reaching a host has none.
    async fn terminal(&self, wanted: &Wanted) -> Result<Terminal> {
        let _ = wanted;
        Err(Fault::refused("no terminal can be opened there").on(self.host()))
    }

    /// Opens a unix socket on the host (streamlocal; or a relay as root where the user may not open it).
    async fn socket(&self, path: &str) -> Result<Box<dyn Stream>>;
}

/// A piece of what a followed script prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunk {
    Out(Vec<u8>),
    Err(Vec<u8>),
    End(i32),
}
