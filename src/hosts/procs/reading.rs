//! Reads and follows the logs of many procs of one host over one session: tails, rotations, procs that come and go.
//!
//! Not by `tail -F`: its heads for several files can be forged by what is in them, it does not say where it is (so nothing can go on
//! after a lost connection without a gap or lines twice), and it does not tell a rotation that was missed. Not by Supervisor's own
//! `readProcessStdoutLog` either: it answers with an internal error when a piece cuts a character in two.

use crate::hosts::{Chunk, Link};
use crate::model::quote::quote;
use crate::model::shown::{shown, shown_lines};
use crate::model::{Fault, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use tokio::sync::mpsc;

const READER: &str = include_str!("reading.py");
/// A head above this is none.
const HEAD_MAX: usize = 400;

/// Which logs of a host are read.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Wanted {
    /// The path of each, by its proc's name.
    pub files: BTreeMap<String, String>,
    /// The host's root: the procs below it whose stamp has all of `match` are read too, those that come later included.
    pub root: String,
    /// No keys: only `files`.
    #[serde(rename = "match")]
    pub stamped: BTreeMap<String, String>,
    /// So much of the end of each, bytes; the last rotated file counts as its beginning.
    pub bytes: u64,
    pub follow: bool,
    /// While following: who is so many bytes behind goes on at the end, and it is said; 0 never.
    pub behind: u64,
    /// Where an earlier reading was, by name: the file's identity and the offset in it.
    pub at: BTreeMap<String, (String, u64)>,
}

/// What a reading says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Bytes of a log, and where the next ones begin.
    Bytes { name: String, bytes: Vec<u8>, at: (String, u64) },
    /// Something about a log, safe for a terminal.
    Gap { name: String, what: String },
    /// There is more of it before what is read.
    Older(String),
    /// A proc that was not there at the beginning.
    Appeared(String),
    /// Its directory is gone.
    Gone(String),
    /// The ends of all logs have been read; what comes now is new.
    Ready,
}

/// Reads; ends with the logs, or (following) when the receiver is dropped; a fault is the last thing said when the host is lost.
///
/// # Errors
/// The host cannot be reached, or too much of it is followed already.
pub async fn read(link: &dyn Link, wanted: &Wanted) -> Result<mpsc::Receiver<Result<Heard>>> {
    let spec = serde_json::to_string(wanted).map_err(|error| Fault::failed(format!("logs cannot be asked for: {error}")))?;
    let body = format!("exec python3 -S -c {} {}", quote(READER), quote(&spec));
    let mut chunks = link.follow(&body).await?;
    let host = link.host().to_string();
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        let (mut frames, mut words) = (Frames::default(), Vec::new());
        loop {
            let chunk = tokio::select! {
                chunk = chunks.recv() => chunk,
                () = sender.closed() => return,
            };
            let last = match chunk {
                Some(Chunk::Out(bytes)) => match frames.push(&bytes) {
                    Ok(heard) => {
                        for heard in heard {
                            if sender.send(Ok(heard)).await.is_err() {
                                return;
                            }
                        }
                        continue;
                    }
                    Err(fault) => Some(fault.on(&host)),
                },
                Some(Chunk::Err(bytes)) => {
                    words.extend(bytes);
                    words.truncate(4096);
                    continue;
                }
                Some(Chunk::End(0)) => None,
                Some(Chunk::End(127)) => Some(Fault::failed("python3, which Supervisor needs too, is not there").on(&host)),
                Some(Chunk::End(255)) | None => Some(Fault::unreachable("the connection was lost").on(&host)),
                Some(Chunk::End(status)) => {
                    let said = shown_lines(String::from_utf8_lossy(&words).trim().lines().last().unwrap_or_default());
                    Some(Fault::failed(format!("reading logs ended with status {status}: {said}")).on(&host))
                }
            };
            if let Some(fault) = last {
                drop(sender.send(Err(fault)).await);
            }
            return;
        }
    });
    Ok(receiver)
}

/// The reader's own lines, put together from bytes: `KIND NAMELENGTH LENGTH PLACE`, then the name and the bytes.
#[derive(Default)]
struct Frames {
    buffer: Vec<u8>,
}

impl Frames {
    fn push(&mut self, bytes: &[u8]) -> Result<Vec<Heard>> {
        self.buffer.extend_from_slice(bytes);
        let (mut heard, mut done) = (Vec::new(), 0);
        while let Some((frame, length)) = one(self.buffer.get(done..).unwrap_or_default())? {
            heard.push(frame);
            done += length;
        }
        self.buffer.drain(..done);
        Ok(heard)
    }
}

/// The first frame and how long it is; none while it is not whole.
fn one(buffer: &[u8]) -> Result<Option<(Heard, usize)>> {
    let wrong = || Fault::failed("the host's answer about its logs cannot be read");
    let Some(end) = buffer.iter().take(HEAD_MAX).position(|byte| *byte == b'\n') else {
        return if buffer.len() >= HEAD_MAX { Err(wrong()) } else { Ok(None) };
    };
    let head = std::str::from_utf8(buffer.get(..end).unwrap_or_default()).map_err(|_| wrong())?;
    let words: Vec<&str> = head.split(' ').collect();
    let [kind, name, data, place] = words.as_slice() else { return Err(wrong()) };
    let (name, data): (usize, usize) = (name.parse().map_err(|_| wrong())?, data.parse().map_err(|_| wrong())?);
    if name > 1024 || data > 1 << 20 {
        return Err(wrong());
    }
    let (from, to) = (end + 1 + name, end + 1 + name + data);
    let Some(bytes) = buffer.get(from..to) else { return Ok(None) };
    let name = shown(&String::from_utf8_lossy(buffer.get(end + 1..from).unwrap_or_default()));
    let frame = match *kind {
        "D" => {
            let at = place.split_once('@').and_then(|(id, at)| Some((id.to_string(), at.parse().ok()?))).ok_or_else(wrong)?;
            Heard::Bytes { name, bytes: bytes.to_vec(), at }
        }
        "G" => Heard::Gap { name, what: shown(&String::from_utf8_lossy(bytes)) },
        "O" => Heard::Older(name),
        "N" => Heard::Appeared(name),
        "E" => Heard::Gone(name),
        "R" => Heard::Ready,
        _ => return Err(wrong()),
    };
    Ok(Some((frame, to)))
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
