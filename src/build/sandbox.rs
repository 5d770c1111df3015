//! Where the processes of a build run: bubblewrap, where it can be had; else plainly, and the log says so.

use super::job::{Workspace, disk};
use super::process::{capture, command};
use super::tree;
use crate::model::{Fault, Result, shown};
use std::ffi::OsString;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::process::Command;

/// What a build finds on its search path.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What root becomes: `nobody` and `nogroup` of Debian.
const NOBODY: u32 = 65534;

/// The only directories that a build may write; all of them below one, so that a buildpack may rename and delete freely.
pub struct Room {
    temp: TempDir,
}

impl Room {
    /// Makes the room of one build.
    pub fn new(workspace: &Workspace, sandbox: &Sandbox) -> Result<Room> {
        // A plain build of root runs as nobody, who cannot pass through a private home.
        let open = sandbox.root && !sandbox.wrapped();
        let base = if open { std::env::temp_dir() } else { workspace.own_dir("work")? };
        let mode = std::fs::Permissions::from_mode(if open { 0o711 } else { 0o700 });
        let temp = tempfile::Builder::new().prefix("build-").permissions(mode).tempdir_in(&base).map_err(|error| disk(&base, &error))?;
        let room = Room { temp };
        for name in ["", "build", "env", "home", "cache"] {
            let path = room.path(name);
            std::fs::DirBuilder::new().mode(0o755).create(&path).map_err(|error| disk(&path, &error))?;
        }
        Ok(room)
    }

    /// A directory of the room, as this process sees it.
    pub fn path(&self, name: &str) -> PathBuf {
        let tmp = self.temp.path().join("tmp");
        if name.is_empty() { tmp } else { tmp.join(name) }
    }

    /// A file name outside of what the build can reach.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// Removes it all, also what ending processes still write.
    pub async fn clear(self) {
        tree::remove(self.temp.path()).await;
    }
}

/// How the processes of a build are shut in.
#[derive(Debug, Clone)]
pub struct Sandbox {
    /// Why bubblewrap is not used; none: it is.
    plain: Option<String>,
    root: bool,
    hidden: Vec<PathBuf>,
}

impl Sandbox {
    /// Tries bubblewrap once, exactly as a build would use it.
    pub async fn find(workspace: &Workspace) -> Sandbox {
        let root = nix::unistd::geteuid().is_root();
        let mut sandbox = Sandbox { plain: None, root, hidden: hidden(workspace) };
        if workspace.plain {
            sandbox.plain = Some("this installation says so".into());
            return sandbox;
        }
        let tried = async {
            let temp = tempfile::tempdir().map_err(|error| Fault::failed(error.to_string()))?;
            let mut probe = command(&sandbox.words(temp.path(), Path::new("/tmp")));
            probe.arg("true").env_clear().env("PATH", PATH);
            capture(probe, "bwrap").await
        };
        sandbox.plain = match tried.await {
            Ok(done) if done.status.success() => None,
            Ok(done) => Some(done.complaint()),
            Err(fault) => Some(fault.what),
        };
        sandbox
    }

    /// Is it really one?
    pub fn wrapped(&self) -> bool {
        self.plain.is_none()
    }

    /// One sentence for the log.
    pub fn says(&self) -> String {
        let user = if self.root { ", as nobody" } else { "" };
        match &self.plain {
            None => format!("sandboxed by bubblewrap{user}: it can write only its own directories, and sees no home"),
            Some(why) => format!(
                "not sandboxed: bubblewrap cannot be used here because {}; the build runs as a plain process{user}",
                shown::shown(why)
            ),
        }
    }

    /// Gives a directory of the room to the user that the build runs as.
    pub fn give(&self, path: &Path) -> Result<()> {
        if self.root { tree::give(path, NOBODY, NOBODY) } else { Ok(()) }
    }

    /// A directory of the room, as the build sees it: always the same path when it is sandboxed.
    pub fn inside(&self, room: &Room, name: &str) -> PathBuf {
        if self.wrapped() { Path::new("/tmp").join(name) } else { room.path(name) }
    }

    /// A command of the build, in its own directory, with nothing of our environment.
    pub fn command<S: Into<OsString> + Clone>(&self, room: &Room, argv: &[S]) -> Command {
        let mut words = if self.wrapped() { self.words(&room.path(""), &self.inside(room, "build")) } else { self.lesser() };
        words.extend(argv.iter().cloned().map(Into::into));
        let mut command = command(&words);
        if !self.wrapped() {
            command.current_dir(room.path("build"));
        }
        command.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8");
        command.env("HOME", self.inside(room, "home"));
        command.env("TMPDIR", if self.wrapped() { PathBuf::from("/tmp") } else { room.path("") });
        command
    }

    fn words(&self, tmp: &Path, dir: &Path) -> Vec<OsString> {
        let mut words: Vec<OsString> = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"].map(OsString::from).into();
        for path in &self.hidden {
            words.extend(["--tmpfs".into(), path.into()]);
        }
        // Names are looked up through these where the resolver's file is a link.
        for path in ["/run/systemd/resolve", "/run/resolvconf"] {
            words.extend(["--ro-bind-try", path, path].map(OsString::from));
        }
        words.extend(["--bind".into(), tmp.into(), "/tmp".into(), "--chdir".into(), dir.into()]);
        let apart =
            ["--unshare-pid", "--unshare-uts", "--unshare-ipc", "--unshare-cgroup-try", "--hostname", "build", "--die-with-parent", "--"];
        words.extend(apart.map(OsString::from));
        words.extend(self.lesser());
        words
    }

    /// What makes root nobody, for good.
    fn lesser(&self) -> Vec<OsString> {
        if !self.root {
            return Vec::new();
        }
        let id = NOBODY.to_string();
        let mut words: Vec<OsString> = ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"].map(OsString::from).into();
        words.extend(["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--"].map(OsString::from));
        words
    }
}

/// What a build must not see: homes, sockets and state under `/run`, our own home, what the caller adds. Parents first, `/tmp` is replaced anyway.
fn hidden(workspace: &Workspace) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = ["/root", "/home", "/run", "/var/tmp", "/etc/swarmdeck"].map(PathBuf::from).into();
    all.extend(std::env::var_os("HOME").map(PathBuf::from));
    all.push(workspace.data.clone());
    all.extend(workspace.hide.iter().cloned());
    let mut all: Vec<PathBuf> = all.iter().filter_map(|path| path.canonicalize().ok()).filter(|path| path.is_dir()).collect();
    all.sort();
    let mut kept: Vec<PathBuf> = Vec::new();
    for path in all {
        if path != Path::new("/") && !path.starts_with("/tmp") && !kept.iter().any(|above| path.starts_with(above)) {
            kept.push(path);
        }
    }
    kept
}
