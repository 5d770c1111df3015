//! A private PostgreSQL for tests: its own directory, a unix socket and no port, gone when dropped or when this process ends.

use super::until;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

/// A running server. Several may run at once.
pub struct Postgres {
    directory: tempfile::TempDir,
    server: Child,
    /// The server's guard ends it when this closes.
    lifeline: Option<ChildStdin>,
}

impl Postgres {
    /// Starts a server with an empty database `swarmdeck` (two or three seconds). As root the server runs as `nobody`,
    /// because PostgreSQL refuses root. `None`, said on standard error, where there is no PostgreSQL.
    pub fn start() -> Option<Self> {
        let Some(binaries) = binaries() else {
            eprintln!("skipped: needs PostgreSQL's initdb and postgres");
            return None;
        };
        let root = nix::unistd::geteuid().is_root();
        let directory = tempfile::Builder::new().prefix("postgres-").tempdir().unwrap();
        if root {
            let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
            std::os::unix::fs::chown(directory.path(), Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).unwrap();
        }
        let data = directory.path().join("data");
        let mut initdb = unprivileged(root, &binaries.join("initdb"));
        let made =
            initdb.args(["-A", "trust", "-U", "swarmdeck", "-E", "UTF8", "--no-locale", "--no-sync", "-D"]).arg(&data).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        fs::write(directory.path().join("log"), "").unwrap();
        // SIGINT is PostgreSQL's fast shutdown; the guard is a shell that outlives a killed test process just long enough to send it.
        let guard = "\"$@\" </dev/null & server=$!; cat >/dev/null; kill -INT $server; wait $server";
        let mut command = Command::new("sh");
        command.args(["-c", guard, "guard"]);
        if root {
            command.args(SETPRIV);
        }
        command.arg(binaries.join("postgres")).arg("-D").arg(&data).arg("-k").arg(directory.path());
        command.args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200"]).process_group(0);
        let log = fs::File::options().append(true).open(directory.path().join("log")).unwrap();
        let mut server = command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let lifeline = server.stdin.take();
        let postgres = Self { directory, server, lifeline };
        until(Duration::from_secs(60), "PostgreSQL takes connections", || postgres.sql(&binaries, "postgres", "select 1"));
        assert!(postgres.sql(&binaries, "postgres", "create database swarmdeck"));
        Some(postgres)
    }

    /// The URL of its database, over the unix socket.
    pub fn url(&self) -> String {
        let socket = self.directory.path().to_str().unwrap().replace('/', "%2F");
        format!("postgres://swarmdeck@{socket}/swarmdeck")
    }

    fn sql(&self, binaries: &Path, database: &str, sql: &str) -> bool {
        let mut psql = Command::new(binaries.join("psql"));
        psql.args(["-X", "-q", "-U", "swarmdeck", "-d", database, "-c", sql, "-h"]).arg(self.directory.path());
        psql.output().unwrap().status.success()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.server.wait();
    }
}

const SETPRIV: [&str; 4] = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"];

fn unprivileged(root: bool, program: &Path) -> Command {
    if !root {
        return Command::new(program);
    }
    let [first, rest @ ..] = SETPRIV;
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}

/// Where initdb, postgres and psql are: Debian keeps them out of PATH.
fn binaries() -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    debian.chain(std::env::split_paths(&path)).find(|bin| ["initdb", "postgres", "psql"].iter().all(|name| bin.join(name).exists()))
}
