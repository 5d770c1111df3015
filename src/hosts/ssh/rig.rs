//! For the tests: a real sshd on loopback with its own keys and configuration.

use super::{Dialer, Spec, SshLink};
use crate::hosts::prompt::{NoPrompt, Prompt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub const LIMIT: Duration = Duration::from_secs(30);

/// Whether sshd can be run here as tests need it; says so if not.
pub fn rooted() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("skipped: needs root");
    }
    root
}

pub fn sh(line: &str) -> String {
    let out = Command::new("sh").args(["-c", line]).output().unwrap();
    assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

pub fn keygen(file: &Path, passphrase: &str) {
    sh(&format!("rm -f {0} {0}.pub; ssh-keygen -q -t ed25519 -N '{passphrase}' -f {0}", file.display()));
}

/// A daemon that is killed, with its sessions, when dropped.
pub struct Sshd {
    pub dir: tempfile::TempDir,
    pub port: u16,
    child: Option<Child>,
}

impl Sshd {
    /// Takes logins of root with the key `user` in its directory. `extra` goes to the end of its configuration.
    pub fn start(extra: &str) -> Sshd {
        let dir = tempfile::tempdir().unwrap();
        keygen(&dir.path().join("host"), "");
        keygen(&dir.path().join("user"), "");
        std::fs::create_dir_all("/run/sshd").unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = dir.path().display();
        let conf = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {at}/host\nPidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nLogLevel VERBOSE\n\
             MaxStartups 100\nAuthorizedKeysFile {at}/user.pub {at}/more.pub\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n{}\n",
            extra.replace("{at}", &at.to_string())
        );
        std::fs::write(dir.path().join("sshd_config"), conf).unwrap();
        let mut one = Sshd { dir, port, child: None };
        one.up();
        one
    }

    pub fn up(&mut self) {
        let child =
            Command::new("/usr/sbin/sshd").arg("-De").arg("-f").arg(self.at("sshd_config")).arg("-E").arg(self.at("log")).spawn().unwrap();
        self.child = Some(child);
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < LIMIT, "sshd did not come up: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the daemon and every session of it.
    pub fn down(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        for pid in sh(&format!("ps -o pid= --ppid {} || true", child.id())).split_whitespace() {
            sh(&format!("kill -9 {pid} $(ps -o pid= --ppid {pid}) 2>/dev/null || true"));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.at("log")).unwrap_or_default()
    }
    pub fn logins(&self) -> usize {
        self.log().matches("Accepted publickey").count()
    }
    pub fn known_line(&self) -> String {
        let public = std::fs::read_to_string(self.at("host.pub")).unwrap();
        format!("[127.0.0.1]:{} {public}", self.port)
    }

    /// An ssh_config `Host` block for this daemon, with the key file `user` and no agent.
    pub fn block(&self, host: &str, more: &str) -> String {
        format!(
            "Host {host}\n HostName 127.0.0.1\n Port {}\n User root\n IdentityFile {}\n UserKnownHostsFile {}\n GlobalKnownHostsFile none\n{more}\n",
            self.port,
            self.at("user").display(),
            self.at("known_hosts").display()
        )
    }
    pub fn trust(&self) {
        std::fs::write(self.at("known_hosts"), self.known_line()).unwrap();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.down();
    }
}

/// A link by an ssh_config text, kept in `dir`.
pub fn link(dir: &Path, config: &str, host: &str, sudo: bool) -> SshLink {
    SshLink::new(spec(host, sudo), dialer(dir, config, Arc::new(NoPrompt)))
}

pub fn dialer(dir: &Path, config: &str, prompt: Arc<dyn Prompt>) -> Arc<Dialer> {
    let file = dir.join("ssh_config");
    std::fs::write(&file, format!("{config}\nHost *\n IdentityAgent none\n")).unwrap();
    Arc::new(Dialer::new(Some(file), prompt))
}

pub fn spec(host: &str, sudo: bool) -> Spec {
    Spec { name: host.into(), address: host.into(), port: None, user: None, sudo }
}

/// A real ssh-agent, killed when dropped.
pub struct Agent {
    pub socket: PathBuf,
    child: Child,
}

impl Agent {
    pub fn start(dir: &Path, keys: &[PathBuf]) -> Agent {
        let socket = dir.join("agent");
        let child = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        let one = Agent { socket, child };
        let begun = Instant::now();
        while !one.socket.exists() {
            assert!(begun.elapsed() < LIMIT);
            std::thread::sleep(Duration::from_millis(20));
        }
        for key in keys {
            sh(&format!("SSH_AUTH_SOCK={} ssh-add -q {}", one.socket.display(), key.display()));
        }
        one
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
