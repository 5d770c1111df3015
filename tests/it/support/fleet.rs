//! A fleet of real hosts on this machine, for tests: namespaces over an overlay of `/`, each with its own sshd and supervisord.

use super::{is_root, support_file, until};
use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// The pool that the server block of `lb01` (port 80) hands its requests to.
pub const POOL: &str = "shop";
/// The file on `lb01` that holds the pool: at first one placeholder node, marked down.
pub const POOL_FILE: &str = "/etc/nginx/conf.d/shop.conf";
/// All hosts. `web03` stands on a second network that only `jump` and `lb01` are on.
pub const HOSTS: [&str; 5] = ["jump", "web01", "web02", "web03", "lb01"];

/// A running fleet. Dropping it, or the end of this process however it comes, takes everything away: processes, networks, disks, keys.
pub struct Fleet {
    directory: PathBuf,
    network: u8,
    site: Child,
    site_pid: u32,
    /// The site lives as long as this is open.
    lifeline: Option<ChildStdin>,
    hosts: Mutex<BTreeMap<String, Host>>,
}

struct Host {
    /// The `nsenter` that waits for the host's PID 1.
    keeper: Child,
    /// The host's PID 1 as this process sees it.
    pid: u32,
}

impl Fleet {
    /// Starts all of [`HOSTS`], about a second; `None`, said on standard error, when this is not root.
    pub fn up() -> Option<Self> {
        Self::of(&HOSTS)
    }

    /// Starts some of [`HOSTS`] (`web03` can only be reached when `jump` is among them), `lb02`, which is as `lb01`, or any number of others: `h001`, `h002`, ….
    pub fn of(names: &[&str]) -> Option<Self> {
        if !is_root() {
            return None;
        }
        let fleet = Self::prepare(names);
        let started: Vec<_> = names.iter().map(|name| (*name, fleet.spawn(name))).collect();
        for (name, keeper) in started {
            fleet.ready(name, keeper);
        }
        Some(fleet)
    }

    /// One fleet for all tests of this process that leave its hosts as they found them; gone when the process ends.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Fleet>> = OnceLock::new();
        SHARED.get_or_init(Self::up).as_ref()
    }

    /// The ssh configuration that reaches every host by its name (user root; `-l deploy` for the other): its own key and known hosts.
    pub fn ssh_config(&self) -> PathBuf {
        self.directory.join("ssh_config")
    }

    /// The private key that every host lets in.
    pub fn key(&self) -> PathBuf {
        self.directory.join("keys/client")
    }

    /// The host keys of all hosts, by name and address.
    pub fn known_hosts(&self) -> PathBuf {
        self.directory.join("known_hosts")
    }

    /// A host's IPv4 address.
    pub fn addr(&self, host: &str) -> String {
        address(self.network, host)
    }

    /// The address at which hosts see this process.
    pub fn console_addr(&self) -> String {
        format!("198.18.{}.1", self.network)
    }

    /// Runs a shell script as root on a host, through its namespaces and not through ssh: reality, whatever the network says.
    pub fn exec(&self, host: &str, script: &str) -> Output {
        let pid = self.pid(host).unwrap_or_else(|| panic!("{host} is down"));
        let mut command = Command::new("nsenter");
        command.args(["-t", &pid.to_string(), "-m", "-u", "-i", "-n", "-p", "--", "env", "-i", "HOME=/root", "LC_ALL=C.UTF-8"]);
        command.args(["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c", script]);
        command.stdin(Stdio::null()).output().expect("nsenter")
    }

    /// [`Fleet::exec`] that must succeed; its standard output.
    pub fn text(&self, host: &str, script: &str) -> String {
        let output = self.exec(host, script);
        assert!(output.status.success(), "{host}: {script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a shell script on a host through the real `ssh`, as `user`: an outside check of what the network allows.
    pub fn ssh(&self, user: &str, host: &str, script: &str) -> Output {
        let mut command = Command::new("ssh");
        command.arg("-F").arg(self.ssh_config()).args(["-l", user, host, script]);
        command.stdin(Stdio::null()).output().expect("ssh")
    }

    /// Pulls a host's network cables: what is sent to it vanishes, open connections hang.
    pub fn cut(&self, host: &str) {
        self.cables(host, "down");
    }

    /// Puts the cables back.
    pub fn heal(&self, host: &str) {
        self.cables(host, "up");
    }

    /// Stops every process of a host, sshd first to notice: it takes connections and never says a word.
    pub fn freeze(&self, host: &str) {
        self.text(host, "kill -STOP -1");
    }

    /// Lets a frozen host go on.
    pub fn thaw(&self, host: &str) {
        self.text(host, "kill -CONT -1");
    }

    /// Pulls a host's plug; its disk stays.
    pub fn kill(&self, host: &str) {
        let Some(mut gone) = self.hosts.lock().unwrap().remove(host) else { return };
        if gone.keeper.try_wait().unwrap().is_none() {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(gone.pid.cast_signed()), nix::sys::signal::Signal::SIGKILL);
        }
        gone.keeper.wait().unwrap();
        // The kernel takes the network of a dead host away a moment later; a boot before that would find its names taken.
        until(Duration::from_secs(20), "the network of a killed host is gone", || {
            legs(self.network, host)
                .iter()
                .enumerate()
                .all(|(port, _)| !self.in_site(&["ip", "link", "show", &format!("{host}.{port}")]).status.success())
        });
    }

    /// Boots a killed host from its disk and waits until it answers.
    pub fn boot(&self, host: &str) {
        assert!(self.pid(host).is_none(), "{host} is up");
        let keeper = self.spawn(host);
        self.ready(host, keeper);
    }

    fn pid(&self, host: &str) -> Option<u32> {
        self.hosts.lock().unwrap().get(host).map(|running| running.pid)
    }

    fn cables(&self, host: &str, state: &str) {
        for port in 0..legs(self.network, host).len() {
            let output = self.in_site(&["ip", "link", "set", &format!("{host}.{port}"), state]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }

    fn in_site(&self, argv: &[&str]) -> Output {
        Command::new("nsenter").args(["-t", &self.site_pid.to_string(), "-n", "--"]).args(argv).output().expect("nsenter")
    }

    /// The keys, the site, and this process's own leg on its first network.
    fn prepare(names: &[&str]) -> Self {
        let all: Vec<&str> = HOSTS.iter().chain(names.iter().filter(|name| !HOSTS.contains(name))).copied().collect();
        let directory = tempfile::Builder::new().prefix("fleet-").tempdir().unwrap().keep();
        for sub in ["keys", "disks"] {
            fs::create_dir(directory.join(sub)).unwrap();
        }
        for name in all.iter().copied().chain(["client"]) {
            let key = directory.join("keys").join(name);
            check(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&key));
        }
        // A process group of its own: ctrl-c at the tests' terminal must not hit the site before it has cleaned up.
        let mut command = Command::new("unshare");
        command.args(["-n", "-m", "-p", "-f", "--kill-child", "sh"]).arg(support_file("site")).arg(&directory).process_group(0);
        let log = fs::File::create(directory.join("site.log")).unwrap();
        let mut site = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().expect("unshare");
        let lifeline = site.stdin.take();
        let site_pid = said_ready(&mut site, &directory.join("site.log"));
        let network = connect(site_pid);
        let fleet = Self { directory, network, site, site_pid, lifeline, hosts: Mutex::default() };
        fleet.write_client_files(&all);
        fleet
    }

    fn write_client_files(&self, all: &[&str]) {
        let (here, mut hosts, mut known) = (self.directory.display(), String::from("127.0.0.1 localhost\n"), String::new());
        // The second ssh that ProxyJump starts reads the same file, because the first was given it with -F.
        let mut config = format!(
            "Host *\n  IdentityFile {here}/keys/client\n  IdentitiesOnly yes\n  IdentityAgent none\n  User root\n  UserKnownHostsFile {here}/known_hosts\n  \
             GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  BatchMode yes\n  ConnectTimeout 10\n  LogLevel ERROR\n\n"
        );
        for name in all {
            let addr = self.addr(name);
            let jump = if *name == "web03" { "  ProxyJump jump\n" } else { "" };
            config.push_str(&format!("Host {name}\n  HostName {addr}\n{jump}"));
            hosts.push_str(&format!("{addr} {name}\n"));
            let public = fs::read_to_string(self.directory.join("keys").join(format!("{name}.pub"))).unwrap();
            let words: Vec<_> = public.split_whitespace().take(2).collect();
            known.push_str(&format!("{name},{addr} {}\n", words.join(" ")));
        }
        for (file, text) in [("ssh_config", config), ("hosts", hosts), ("known_hosts", known)] {
            fs::File::create(self.directory.join(file)).unwrap().write_all(text.as_bytes()).unwrap();
        }
    }

    fn spawn(&self, host: &str) -> Child {
        let site = self.site_pid.to_string();
        let mut command = Command::new("nsenter");
        command.args(["-t", &site, "-n", "-m", "-p", "--", "sh"]).arg(support_file("host"));
        command.arg("enter").arg(&self.directory).args([host, &site]).args(legs(self.network, host)).process_group(0);
        command.env("FLEET_POOL", if host.starts_with("lb") { POOL } else { "" });
        let log = fs::File::options().create(true).append(true).open(self.log(host)).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().expect("nsenter")
    }

    fn ready(&self, host: &str, mut keeper: Child) {
        let pid = said_ready(&mut keeper, &self.log(host));
        self.hosts.lock().unwrap().insert(host.to_owned(), Host { keeper, pid });
    }

    fn log(&self, host: &str) -> PathBuf {
        self.directory.join(format!("{host}.log"))
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.site.wait();
        for running in self.hosts.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).values_mut() {
            let _ = running.keeper.wait();
        }
    }
}

/// 198.18.0.0/15 is set aside for tests of networks (RFC 2544); the two networks of a fleet are 198.18.N.0/24 and 198.19.N.0/24.
fn address(network: u8, host: &str) -> String {
    match host {
        "jump" => format!("198.18.{network}.2"),
        "web01" => format!("198.18.{network}.11"),
        "web02" => format!("198.18.{network}.12"),
        "web03" => format!("198.19.{network}.13"),
        "lb01" => format!("198.18.{network}.21"),
        "lb02" => format!("198.18.{network}.22"),
        other => match other.strip_prefix('h').and_then(|number| number.parse::<u8>().ok()) {
            Some(number @ 1..=150) => format!("198.18.{network}.{}", 100 + number),
            _ => panic!("no host {other} in the fleet"),
        },
    }
}

/// The cables of a host, as `BRIDGE=ADDRESS`.
fn legs(network: u8, host: &str) -> Vec<String> {
    match host {
        "jump" => vec![format!("direct={}", address(network, host)), format!("behind=198.19.{network}.2")],
        "web03" => vec![format!("behind={}", address(network, host))],
        "lb01" => vec![format!("direct={}", address(network, host)), format!("behind=198.19.{network}.21")],
        _ => vec![format!("direct={}", address(network, host))],
    }
}

/// Lays a cable from this process's network to the site's first bridge; the interface's name is what keeps two fleets from one number.
fn connect(site_pid: u32) -> u8 {
    for _ in 0..100 {
        let number = std::hash::RandomState::new().build_hasher().finish() % 254 + 1;
        let (network, cable) = (number as u8, format!("fleet{number}"));
        let peer = site_pid.to_string();
        let made = Command::new("ip")
            .args(["link", "add", &cable, "type", "veth", "peer", "name", "console", "netns", &peer])
            .output()
            .expect("ip");
        if !made.status.success() {
            assert!(String::from_utf8_lossy(&made.stderr).contains("exists"), "{}", String::from_utf8_lossy(&made.stderr));
            continue;
        }
        check(Command::new("ip").args(["addr", "add", &format!("198.18.{network}.1/24"), "dev", &cable]));
        check(Command::new("ip").args(["link", "set", &cable, "up"]));
        // What is meant for the network behind the jump host must fail here, not leave by a default route.
        check(Command::new("ip").args(["route", "add", &format!("198.19.{network}.0/24"), "dev", &cable]));
        check(Command::new("nsenter").args(["-t", &peer, "-n", "ip", "link", "set", "console", "master", "direct", "up"]));
        return network;
    }
    panic!("no free network for a fleet");
}

/// Reads `ready PID` from a child's standard output.
fn said_ready(child: &mut Child, log: &Path) -> u32 {
    let (stdout, (tell, told)) = (child.stdout.take().unwrap(), std::sync::mpsc::channel());
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = BufReader::new(stdout).read_line(&mut line);
        let _ = tell.send(line);
    });
    let line = told.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| String::from("nothing said for 60 s"));
    let pid = line.strip_prefix("ready ").and_then(|pid| pid.trim().parse().ok());
    pid.unwrap_or_else(|| panic!("not ready ({line:?}): {}", fs::read_to_string(log).unwrap_or_default()))
}

fn check(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
