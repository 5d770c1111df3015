//! A proc's log: its end, and what is added to it, as lines that are safe for a terminal.

use crate::hosts::{Chunk, Link};
use crate::model::shown::shown;
use crate::model::{Fault, Result, quote::quote};
use std::time::Duration;
use tokio::sync::mpsc;

/// A line above this is cut in pieces.
const LINE_MAX: usize = 16 << 10;

/// How the line begins that each start of a proc writes into its log; then its pid, ` at `, and the time.
pub const START: &str = "-- swarmdeck: started as pid ";

/// The pid of a line that is our mark of a start; `None` for the proc's own words.
pub fn start_of(line: &str) -> Option<u32> {
    line.strip_prefix(START)?.split(' ').next()?.parse().ok()
}

/// A piece of a log cut into lives, oldest first: the pid of each (none before the first mark) and its lines, safe for a terminal.
pub fn lives(bytes: &[u8]) -> Vec<(Option<u32>, Vec<String>)> {
    let mut lines = Lines::default();
    let mut all: Vec<String> = lines.push(bytes);
    all.extend(lines.rest());
    let mut lives: Vec<(Option<u32>, Vec<String>)> = Vec::new();
    for line in all {
        match (start_of(&line), lives.last_mut()) {
            (Some(pid), _) => lives.push((Some(pid), Vec::new())),
            (None, Some((_, lines))) => lines.push(line),
            (None, None) => lives.push((None, vec![line])),
        }
    }
    lives
}

/// `<root>/procs/<name>/log`; of other Supervisor programs, what Supervisor calls `logfile`.
pub fn path(root: &str, name: &str) -> String {
    format!("{root}/procs/{name}/log")
}

/// The last `bytes` of the log, as lines; the first may be the end of one. A log that is not there yet is empty.
pub async fn tail(link: &dyn Link, path: &str, bytes: usize) -> Result<Vec<String>> {
    let file = checked(path)?;
    let body = format!("[ -f {file} ] || exit 0\ntail -c {} {file}", bytes.min(32 << 20));
    let output = link.run(&body, Duration::from_secs(30)).await?;
    super::script::judge(link.host(), "logs", &output)?;
    let mut lines = Lines::default();
    let mut all = lines.push(&output.stdout);
    all.extend(lines.rest());
    Ok(all)
}

/// The last `bytes`, then every line as it is written, through rotations, until the receiver is dropped or the host is gone.
pub async fn follow(link: &dyn Link, path: &str, bytes: usize) -> Result<mpsc::Receiver<String>> {
    let file = checked(path)?;
    let mut chunks = link.follow(&format!("exec tail -c {} -F {file} 2>/dev/null", bytes.min(32 << 20))).await?;
    let (sender, receiver) = mpsc::channel(256);
    tokio::spawn(async move {
        let mut lines = Lines::default();
        loop {
            let chunk = tokio::select! {
                chunk = chunks.recv() => chunk,
                () = sender.closed() => return,
            };
            let ready = match chunk {
                Some(Chunk::Out(bytes)) => lines.push(&bytes),
                Some(Chunk::Err(_)) => continue,
                Some(Chunk::End(_)) | None => {
                    if let Some(line) = lines.rest() {
                        drop(sender.send(line).await);
                    }
                    return;
                }
            };
            for line in ready {
                if sender.send(line).await.is_err() {
                    return;
                }
            }
        }
    });
    Ok(receiver)
}

fn checked(path: &str) -> Result<String> {
    if !path.starts_with('/') || path.contains('\0') {
        return Err(Fault::bad(format!("'{path}' is not the path of a log")));
    }
    Ok(quote(path))
}

/// Bytes put together to lines.
#[derive(Default)]
struct Lines {
    part: Vec<u8>,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.part.extend(piece);
            if self.part.ends_with(b"\n") || self.part.len() >= LINE_MAX {
                lines.extend(self.rest());
            }
        }
        lines
    }
    fn rest(&mut self) -> Option<String> {
        let part = std::mem::take(&mut self.part);
        let text = String::from_utf8_lossy(&part);
        (!part.is_empty()).then(|| shown(&text.trim_end_matches(['\n', '\r']).replace('\t', "    ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::Local;
    use std::io::Write;

    #[test]
    fn a_log_is_cut_into_lives() {
        let log = "old end\n-- swarmdeck: started as pid 7 at 2026-11-21T10:41:55Z\none\ntwo\n-- swarmdeck: started as pid 9 at x\n";
        let cut = lives(log.as_bytes());
        assert_eq!(cut, [(None, vec!["old end".into()]), (Some(7), vec!["one".into(), "two".into()]), (Some(9), vec![])]);
        assert_eq!(start_of("-- swarmdeck: started as pid x"), None);
    }

    #[tokio::test]
    async fn a_log_is_followed_through_a_rotation_and_never_reaches_the_terminal_raw() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log");
        std::fs::write(&file, "old\none \x1b[2J\n").unwrap();
        let link = Local::new("web01");
        let path = file.display().to_string();
        assert_eq!(tail(&link, &path, 9).await.unwrap(), ["one \u{241b}[2J"]);
        assert!(tail(&link, &format!("{path}.no"), 9).await.unwrap().is_empty());
        let mut lines = follow(&link, &path, 9).await.unwrap();
        assert_eq!(lines.recv().await.unwrap(), "one \u{241b}[2J");
        let mut open = std::fs::OpenOptions::new().append(true).open(&file).unwrap();
        write!(open, "half").unwrap();
        writeln!(open, " whole").unwrap();
        assert_eq!(lines.recv().await.unwrap(), "half whole");
        std::fs::rename(&file, dir.path().join("log.1")).unwrap();
        std::fs::write(&file, "after\n").unwrap();
        assert_eq!(lines.recv().await.unwrap(), "after");
    }
}
