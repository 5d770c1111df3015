//! A private PostgreSQL for one test: own directory, own socket, no port; gone with the test.

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Server {
    child: Child,
    dir: tempfile::TempDir,
    bin: PathBuf,
}

impl Server {
    /// None where PostgreSQL is not installed.
    pub fn start() -> Option<Server> {
        let bin = bin()?;
        let dir = tempfile::Builder::new().prefix("swpg").tempdir_in("/tmp").unwrap();
        let data = dir.path().join("data");
        if Uid::current().is_root() {
            // PostgreSQL refuses to run as root: nobody does it.
            chown(dir.path(), Some(Uid::from_raw(65534)), None).unwrap();
        }
        let made = as_nobody(&bin.join("initdb"))
            .args(["-A", "trust", "-U", "swarmdeck", "-E", "UTF8", "--no-sync", "-D"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let child = as_nobody(&bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(dir.path())
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=60"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server { child, dir, bin };
        let until = Instant::now() + Duration::from_secs(60);
        while !server.sql("SELECT 1") {
            assert!(Instant::now() < until, "PostgreSQL did not start");
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(server)
    }
    /// Whether a statement went well.
    pub fn sql(&self, sql: &str) -> bool {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.arg("-h").arg(self.dir.path()).args(["-U", "swarmdeck", "-d", "postgres", "-qc", sql]);
        psql.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }
    /// A new empty database's URL.
    pub fn database(&self, name: &str) -> String {
        assert!(self.sql(&format!("CREATE DATABASE {name}")));
        format!("postgres://swarmdeck@localhost/{name}?host={}", self.dir.path().display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown: it ends its own children.
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGINT);
        let _ = self.child.wait();
    }
}

fn as_nobody(program: &Path) -> Command {
    if !Uid::current().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--pdeathsig=INT", "--"]).arg(program).current_dir("/tmp");
    command
}

fn bin() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    dirs.extend(installed.map(|version| version.path().join("bin")));
    dirs.into_iter().find(|dir| dir.join("initdb").exists() && dir.join("postgres").exists() && dir.join("psql").exists())
}
