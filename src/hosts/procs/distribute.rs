//! Artifacts on a host: there once per host, whole or not at all, without a lock (VR-59).

use super::script;
use crate::hosts::Link;
use crate::model::{Fault, Result, quote::quote};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};

const STEP: &str = "distribute";
/// No upload takes longer.
const LIMIT: Duration = Duration::from_secs(1800);

/// Whether the host holds the artifact, its bytes checked: a corrupt file counts as none.
pub async fn has(link: &dyn Link, root: &str, sha256: &str) -> Result<bool> {
    script::check_root(root)?;
    script::check_id("artifact", sha256)?;
    let file = quote(&format!("{root}/builds/{sha256}"));
    let body = format!(
        "[ -f {file} ] || exit 3\nsum=$(sha256sum <{file}) || exit 4\n[ \"${{sum%% *}}\" = {} ] || exit 3\ntouch {file}",
        quote(sha256)
    );
    let output = link.run(&body, Duration::from_secs(120)).await.map_err(|fault| fault.at(STEP))?;
    match output.status {
        3 => Ok(false),
        _ => script::judge(link.host(), STEP, &output).map(|()| true),
    }
}

/// What the host does with what it is fed: a private name, the digest checked, then the true name in one step.
const RECEIVE: &str = r#"umask 077
mkdir -p "$1/builds" || exit 10
staged="$1/builds/.new-$2-$$"
trap 'rm -f "$staged"' EXIT
trap 'exit 99' HUP INT TERM PIPE
cat >"$staged" || exit 11
sum=$(sha256sum <"$staged") || exit 11
[ "${sum%% *}" = "$2" ] || { echo "fault failed the artifact arrived damaged (sha256 ${sum%% *}) || try again" >&2; exit 12; }
sync "$staged" && mv -f "$staged" "$1/builds/$2" && sync "$1/builds""#;

/// Sends the artifact at `path`, in place of whatever file has its name there; `progress` hears of every byte read (running total).
///
/// # Errors
/// Disk full, damaged on the way, unreachable: each leaves nothing behind on the host.
pub async fn send(link: &dyn Link, root: &str, sha256: &str, path: &Path, size: u64, progress: &(dyn Fn(u64) + Send + Sync)) -> Result<()> {
    script::check_root(root)?;
    script::check_id("artifact", sha256)?;
    let fault = |error: std::io::Error| Fault::failed(format!("the artifact {} cannot be read: {error}", path.display())).at(STEP);
    let file = tokio::fs::File::open(path).await.map_err(fault)?;
    let there = file.metadata().await.map_err(fault)?.len();
    if there != size {
        return Err(Fault::failed(format!("the artifact {} has {there} bytes, not {size}", path.display()))
            .at(STEP)
            .next("build it again"));
    }
    let mut source = Counted { file, done: 0, progress };
    let argv = ["sh", "-c", RECEIVE, "swarmdeck", root, sha256];
    let output = link.feed(&argv, &mut source, LIMIT).await.map_err(|fault| fault.at(STEP))?;
    script::judge(link.host(), STEP, &output)
}

/// A file that tells how much of it was read.
struct Counted<'a> {
    file: tokio::fs::File,
    done: u64,
    progress: &'a (dyn Fn(u64) + Send + Sync),
}

impl AsyncRead for Counted<'_> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.file).poll_read(cx, buffer);
        let got = buffer.filled().len().saturating_sub(before) as u64;
        if got > 0 {
            self.done += got;
            (self.progress)(self.done);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::Local;
    use crate::model::release::hex;
    use sha2::{Digest, Sha256};
    use std::sync::atomic::{AtomicU64, Ordering};

    #[tokio::test]
    async fn an_artifact_is_there_whole_or_not_at_all_and_a_corrupt_one_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("apps").display().to_string();
        let link = Local::new("web01");
        let bytes: Vec<u8> = (0..300_000u32).map(|n| (n / 7) as u8).collect();
        let source = dir.path().join("artifact");
        std::fs::write(&source, &bytes).unwrap();
        let sha = hex(&Sha256::digest(&bytes));
        assert!(!has(&link, &root, &sha).await.unwrap());
        let seen = AtomicU64::new(0);
        send(&link, &root, &sha, &source, bytes.len() as u64, &|n| seen.store(n, Ordering::Relaxed)).await.unwrap();
        assert_eq!(seen.load(Ordering::Relaxed), bytes.len() as u64);
        assert!(has(&link, &root, &sha).await.unwrap());

        let there = format!("{root}/builds/{sha}");
        std::fs::write(&there, b"rotten").unwrap();
        assert!(!has(&link, &root, &sha).await.unwrap(), "a corrupt file counts as none");
        send(&link, &root, &sha, &source, bytes.len() as u64, &|_| ()).await.unwrap();
        assert_eq!(std::fs::read(&there).unwrap(), bytes);

        let wrong = "0".repeat(64);
        let fault = send(&link, &root, &wrong, &source, bytes.len() as u64, &|_| ()).await.unwrap_err();
        assert!(fault.line().contains("damaged"), "{fault}");
        let left: Vec<_> = std::fs::read_dir(format!("{root}/builds")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [std::ffi::OsString::from(&sha)]);
    }
}
