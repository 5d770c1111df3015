//! Text through the operator's own `$EDITOR`: in a private file, in a private directory where what the editor leaves beside it
//! stays too; both are removed in every end.

use crate::model::{Fault, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// An editor that is asked to end has so long to do it.
const PATIENCE: Duration = Duration::from_secs(2);
/// Directories of ours are called so, with the number of the process that made them.
const PREFIX: &str = "swarmdeck-edit-";

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edited {
    /// The editor ended; none: the text is the same.
    Done(Option<String>),
    /// A signal asks this process to end: the text as far as it was written.
    Stopped(Option<String>),
}

impl Edited {
    /// The text, when it is another one.
    pub fn text(self) -> Option<String> {
        match self {
            Edited::Done(text) | Edited::Stopped(text) => text,
        }
    }
}

/// The text as the operator's `$VISUAL` or `$EDITOR` leaves it. The caller has released the terminal.
///
/// # Errors
/// The editor could not be started, failed or was killed, or its file cannot be read.
pub async fn edit_outside(text: &str) -> Result<Edited> {
    let command = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))
        .unwrap_or_else(|| "vi".into());
    edit_with(&command, &std::env::temp_dir(), text).await
}

async fn edit_with(command: &str, place: &Path, text: &str) -> Result<Edited> {
    let wrong = |what: String| Fault::failed(format!("{command}: {what}")).next("set EDITOR to an editor that waits until you are done");
    let cannot = |error: std::io::Error| wrong(error.to_string());
    sweep(place);
    // Before anything is written: a signal that comes then is heard, and what is written is removed.
    let (mut terminate, mut hang_up) = (signal(SignalKind::terminate()).map_err(cannot)?, signal(SignalKind::hangup()).map_err(cannot)?);
    // These are the editor's while it has the terminal; heard here, they end nobody else.
    let _interrupt = (signal(SignalKind::interrupt()).map_err(cannot)?, signal(SignalKind::quit()).map_err(cannot)?);
    let directory = tempfile::Builder::new()
        .prefix(&format!("{PREFIX}{}-", std::process::id()))
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir_in(place)
        .map_err(cannot)?;
    let file = directory.path().join("text.yaml");
    write_private(&file, text).map_err(cannot)?;
    // As git does it: the variable is a command line of a shell, the file its last word.
    let mut child = tokio::process::Command::new("sh")
        .arg("-c")
        .arg(format!("{command} \"$@\""))
        .arg(command)
        .arg(&file)
        .kill_on_drop(true)
        .spawn()
        .map_err(cannot)?;
    let ended: Option<ExitStatus> = tokio::select! {
        status = child.wait() => Some(status.map_err(cannot)?),
        _ = terminate.recv() => None,
        _ = hang_up.recv() => None,
    };
    // By path: many editors write a new file in the old one's place.
    let read = || std::fs::read_to_string(&file).map_err(cannot);
    match ended {
        Some(status) if status.success() => {
            let edited = read()?;
            Ok(Edited::Done((edited != text).then_some(edited)))
        }
        Some(status) => Err(wrong(format!("ended with {status}; the text is as it was"))),
        None => {
            if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGHUP);
            }
            if tokio::time::timeout(PATIENCE, child.wait()).await.is_err() {
                let _ = child.kill().await;
            }
            Ok(Edited::Stopped(read().ok().filter(|edited| edited != text)))
        }
    }
}

fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    file.write_all(text.as_bytes())
}

/// Removes what processes of this user left that were killed while an editor was open.
fn sweep(place: &Path) {
    let own = Uid::current().as_raw();
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse::<i32>().ok());
        let dead = pid.is_some_and(|pid| pid > 0 && kill(Pid::from_raw(pid), None) == Err(nix::errno::Errno::ESRCH));
        let ours = entry.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == own);
        if dead && ours {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(place: &Path) -> usize {
        std::fs::read_dir(place).unwrap().count()
    }

    #[tokio::test]
    async fn the_file_is_private_and_gone_afterwards() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out");
        let script = format!(
            "sh -c 'stat -c %a \"$1\" > {0}; stat -c %a \"$(dirname \"$1\")\" >> {0}; touch \"$1.swp\"; echo \"b: 2\" >> \"$1\"' -",
            out.display()
        );
        let edited = edit_with(&script, place.path(), "a: 1\n").await.unwrap();
        assert_eq!(edited, Edited::Done(Some("a: 1\nb: 2\n".into())));
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "600\n700\n");
        assert_eq!(left(place.path()), 1, "only what the test wrote");
        assert_eq!(edit_with("true", place.path(), "a: 1\n").await.unwrap(), Edited::Done(None));
    }

    #[tokio::test]
    async fn a_killed_editor_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        for command in ["sh -c 'echo secret >> \"$1\"; kill -9 $$' -", "false", "/nowhere/at/all"] {
            let fault = edit_with(command, place.path(), "a: 1\n").await.unwrap_err();
            assert!(fault.line().contains("the text is as it was"), "{}", fault.line());
            assert_eq!(left(place.path()), 0, "{command}");
        }
    }

    #[tokio::test]
    async fn what_a_killed_process_left_is_swept_away() {
        let place = tempfile::tempdir().unwrap();
        let mut gone = std::process::Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        let (old, live) = (format!("{PREFIX}{}-x", gone.id()), format!("{PREFIX}{}-x", std::process::id()));
        for name in [&old, &live] {
            std::fs::create_dir(place.path().join(name)).unwrap();
        }
        edit_with("true", place.path(), "").await.unwrap();
        assert!(!place.path().join(old).exists() && place.path().join(live).exists());
    }
}
