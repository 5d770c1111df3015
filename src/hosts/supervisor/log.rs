//! Log files of procs, read in pieces or followed.
//!
//! Not by Supervisor's own `readProcessStdoutLog`: it answers with an internal error, and a traceback in its log,
//! when a piece is not UTF-8 or cuts a character in two.

use crate::hosts::{Chunk, Link};
use crate::model::quote::quote;
use crate::model::{Fault, Result};
use std::time::Duration;
use tokio::sync::mpsc;

/// A piece of a log file, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where in the file the piece begins; its end, `from + bytes.len()`, is where to go on.
    pub from: u64,
    /// The file's size at that moment.
    pub size: u64,
    pub bytes: Vec<u8>,
}

/// At most `max` bytes from offset `from` (of the end when `None`). A file that became shorter (rotated) is read from its start.
pub async fn read(link: &dyn Link, path: &str, from: Option<u64>, max: u64) -> Result<Piece> {
    let from = from.map_or_else(String::new, |from| from.to_string());
    let body = format!(
        "file={}\nsize=$(stat -L -c %s -- \"$file\") || exit 44\nfrom={from}\n[ -n \"$from\" ] || from=$((size > {max} ? size - {max} : 0))\n\
         [ \"$from\" -le \"$size\" ] || from=0\necho \"$from $size\"\ntail -c \"+$((from + 1))\" -- \"$file\" | head -c {max}\n",
        quote(path)
    );
    let out = link.run(&body, Duration::from_secs(20)).await?;
    let piece = || {
        let at = out.stdout.iter().position(|byte| *byte == b'\n')?;
        let (from, size) = std::str::from_utf8(out.stdout.get(..at)?).ok()?.split_once(' ')?;
        Some(Piece { from: from.parse().ok()?, size: size.parse().ok()?, bytes: out.stdout.get(at + 1..)?.to_vec() })
    };
    piece().ok_or_else(|| {
        let words = String::from_utf8_lossy(&out.stderr).trim().to_string();
        Fault::failed(format!("the log {path} cannot be read: {words}")).on(link.host())
    })
}

/// The last `max` bytes of a log and then whatever comes, over rotations, until the receiver is dropped.
pub async fn follow(link: &dyn Link, path: &str, max: u64) -> Result<mpsc::Receiver<Chunk>> {
    link.follow(&format!("exec tail -c {max} -F -- {} 2>/dev/null", quote(path))).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::Local;

    #[tokio::test]
    async fn pieces_go_on_where_the_last_one_ended() {
        let dir = tempfile::tempdir().unwrap();
        let (link, path) = (Local::new("here"), dir.path().join("it's a log"));
        let text = b"one\n\xff\xfe two\n".to_vec();
        std::fs::write(&path, &text).unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(read(&link, path, None, 5).await.unwrap(), Piece { from: 6, size: 11, bytes: text[6..].to_vec() });
        assert_eq!(read(&link, path, None, 500).await.unwrap(), Piece { from: 0, size: 11, bytes: text.clone() });
        assert_eq!(read(&link, path, Some(4), 3).await.unwrap(), Piece { from: 4, size: 11, bytes: text[4..7].to_vec() });
        assert_eq!(read(&link, path, Some(11), 3).await.unwrap(), Piece { from: 11, size: 11, bytes: vec![] });
        assert_eq!(read(&link, path, Some(99), 3).await.unwrap().bytes, b"one");
        let line = read(&link, "/no/such.log", None, 3).await.unwrap_err().line();
        assert!(line.contains("/no/such.log cannot be read") && line.contains("No such file"), "{line}");

        let mut lines = follow(&link, path, 5).await.unwrap();
        assert_eq!(lines.recv().await, Some(Chunk::Out(text[6..].to_vec())));
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        std::io::Write::write_all(&mut file, b"more\n").unwrap();
        assert_eq!(lines.recv().await, Some(Chunk::Out(b"more\n".to_vec())));
    }
}
