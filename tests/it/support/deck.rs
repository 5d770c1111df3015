//! The real binary with a home of its own against a test fleet, and what the fleet's hosts say from the side.

use super::fleet::{Fleet, POOL_FILE};
use super::{fixture, repo, until};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use swarmdeck::deck::demo::load::{Ended, Load};

/// A home, repositories, and the document of `fixtures/fleet.yaml` with their places in it.
pub struct Deck {
    directory: tempfile::TempDir,
    /// Who works with it; none: whoever runs the tests.
    pub operator: Option<Operator>,
    pub document: String,
    pub shop: PathBuf,
}

/// A Unix user of the machine and his primary group: one of those who share a home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operator {
    pub name: &'static str,
    pub uid: u32,
}

/// Two users that every Debian has; in a shared home they are of the group [`OPERATORS_GROUP`].
pub const OPERATORS: [Operator; 2] = [Operator { name: "daemon", uid: 1 }, Operator { name: "bin", uid: 2 }];
const OPERATORS_GROUP: (&str, u32) = ("users", 100);

/// How a run of the binary ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The one value that `-o json` puts on standard output.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not one JSON value ({error}): {self:?}"))
    }

    /// It must have ended with this code.
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Bad input or a refusal: this code, all of `words` in what it said, and a next step.
    pub fn refused(self, code: i32, words: &[&str]) -> Self {
        let ran = self.ended(code);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        for word in words {
            assert!(said.contains(word), "{word:?} is not in: {said}");
        }
        assert!(said.contains("Next: ") || said.contains("\"next\": \""), "no next step: {said}");
        ran
    }
}

impl Deck {
    /// For this fleet; nothing is applied yet.
    pub fn new(fleet: &Fleet) -> Self {
        let directory = tempfile::Builder::new().prefix("deck-").tempdir().unwrap();
        let (shop, pack) = (repo::shop(directory.path()), repo::buildpack(directory.path()));
        let document = fs::read_to_string(fixture("fleet.yaml")).unwrap();
        let document =
            document.replace("/srv/git/shop.git", shop.to_str().unwrap()).replace("/srv/git/buildpack.git", pack.to_str().unwrap());
        let deck = Self { directory, operator: None, document, shop };
        fs::create_dir(deck.path("user")).unwrap();
        deck.command(&["init"]).output().unwrap();
        deck.configure(fleet, &fleet.key());
        deck
    }

    /// In a home that [`OPERATORS`] share; each has the binary, a home directory and a key. The first of them works with it.
    pub fn shared(fleet: &Fleet) -> Self {
        let mut deck = Self::new(fleet);
        let open = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let give = |path: &Path, uid: u32| std::os::unix::fs::chown(path, Some(uid), Some(OPERATORS_GROUP.1)).unwrap();
        open(deck.directory.path(), 0o755);
        fs::copy(env!("CARGO_BIN_EXE_swarmdeck"), deck.path("swarmdeck")).unwrap();
        for operator in OPERATORS {
            fs::create_dir(deck.path(operator.name)).unwrap();
            give(&deck.path(operator.name), operator.uid);
            let key = deck.path(&format!("key-{}", operator.uid));
            fs::copy(fleet.key(), &key).unwrap();
            give(&key, operator.uid);
        }
        fs::remove_dir_all(deck.path("home")).unwrap();
        fs::create_dir(deck.path("home")).unwrap();
        give(&deck.path("home"), OPERATORS[0].uid);
        // git reads no repository of another user.
        for repository in ["shop.git", "buildpack.git"] {
            let owner = OPERATORS[0].uid.to_string();
            assert!(Command::new("chown").args(["-R", &owner]).arg(deck.path(repository)).status().unwrap().success());
        }
        deck.operator = Some(OPERATORS[0]);
        deck.run(&["init", "--shared", OPERATORS_GROUP.0]).ended(0);
        deck.configure(fleet, &deck.path("key-%i"));
        deck
    }

    /// The same deck, worked with by another operator.
    pub fn by<T>(&mut self, operator: Operator, work: impl FnOnce(&Self) -> T) -> T {
        let before = self.operator.replace(operator);
        let result = work(self);
        self.operator = before;
        result
    }

    /// A host that does not answer any more is noticed within some seconds.
    pub fn notices_soon(&self) {
        let config = fs::read_to_string(self.path("ssh_config")).unwrap();
        fs::write(self.path("ssh_config"), format!("Host *\n  ServerAliveInterval 2\n  ServerAliveCountMax 4\n\n{config}")).unwrap();
    }

    /// ssh by this key.
    fn configure(&self, fleet: &Fleet, key: &Path) {
        let known = self.path("known_hosts");
        fs::copy(fleet.known_hosts(), &known).unwrap();
        let theirs = fs::read_to_string(fleet.ssh_config()).unwrap();
        let theirs = theirs.replace(fleet.key().to_str().unwrap(), key.to_str().unwrap());
        let theirs = theirs.replace(fleet.known_hosts().to_str().unwrap(), known.to_str().unwrap());
        fs::write(self.path("ssh_config"), theirs).unwrap();
        fs::set_permissions(self.path("ssh_config"), fs::Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(&known, fs::Permissions::from_mode(0o644)).unwrap();
        let config = format!("name: test\nssh: {{config_file: {}}}\n", self.path("ssh_config").display());
        fs::write(self.path("home/config.yaml"), config).unwrap();
        fs::set_permissions(self.path("home/config.yaml"), fs::Permissions::from_mode(0o644)).unwrap();
    }

    /// With the document applied and its hosts provisioned; others than these are left out of it.
    pub fn ready(fleet: &Fleet, hosts: &[&str]) -> Self {
        let mut deck = Self::new(fleet);
        for host in ["web01", "web02", "web03"].iter().filter(|host| !hosts.contains(host)) {
            let kept: Vec<&str> = deck.document.lines().filter(|line| !line.contains(&format!("name: {host},"))).collect();
            deck.document = kept.join("\n") + "\n";
        }
        deck.apply(&deck.document).ended(0);
        for host in hosts {
            deck.run(&["hosts", "provision", host]).ended(0);
        }
        deck
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let (program, user) = match self.operator {
            Some(operator) => (self.path("swarmdeck"), operator.name),
            None => (PathBuf::from(env!("CARGO_BIN_EXE_swarmdeck")), "user"),
        };
        let mut command = Command::new(program);
        if let Some(operator) = self.operator {
            command.uid(operator.uid).gid(OPERATORS_GROUP.1).env_remove("TMPDIR").current_dir(self.directory.path());
        }
        command.args(args).env("SWARMDECK_HOME", self.path("home")).env("HOME", self.path(user)).env_remove("SUDO_USER");
        for variable in ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "SSH_AUTH_SOCK"] {
            command.env_remove(variable);
        }
        // Without a controlling terminal, so that nothing can ask.
        command.stdin(Stdio::null()).process_group(0);
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        ran(&mut self.command(args))
    }

    /// `-o json`: its value, when it ended with 0.
    pub fn json(&self, args: &[&str]) -> Value {
        self.run(&[args, &["-o", "json"]].concat()).ended(0).json()
    }

    /// [`Deck::run`] with more in its environment.
    pub fn run_with(&self, args: &[&str], variable: (&str, &str)) -> Ran {
        ran(self.command(args).env(variable.0, variable.1))
    }

    /// Applies a document from a file, whose name it is known by in errors.
    pub fn apply(&self, text: &str) -> Ran {
        let file = self.path("document.yaml");
        fs::write(&file, text).unwrap();
        self.run(&["apply", "-f", file.to_str().unwrap()])
    }

    /// The document with another swarm text for `shop-prod-web`.
    pub fn with(&self, from: &str, to: &str) -> String {
        assert!(self.document.contains(from), "{from} is not in the document");
        self.document.replacen(from, to, 1)
    }

    /// Dispatches `shop-prod-web` with these arguments; the report, and how long it took.
    pub fn dispatch(&self, args: &[&str]) -> Ran {
        let begun = Instant::now();
        let ran = self.run(&[&["dispatch", "shop-prod-web"], args, &["--yes", "-o", "json"]].concat());
        eprintln!("dispatch {args:?}: exit {} in {:.1} s", ran.code, begun.elapsed().as_secs_f64());
        ran
    }

    /// A dispatch that must end `done`; its report.
    pub fn done(&self, args: &[&str]) -> Value {
        let value = self.dispatch(args).ended(0).json();
        assert_eq!(value["result"], "done", "{value}");
        self.time(&value);
        value
    }

    /// Says on standard error how long each phase took.
    pub fn time(&self, report: &Value) {
        let mut phases: Vec<(String, i64, i64)> = Vec::new();
        for step in report["steps"].as_array().into_iter().flatten() {
            let (phase, from, to) =
                (step["phase"].as_str().unwrap(), step["started_ms"].as_i64().unwrap(), step["ended_ms"].as_i64().unwrap());
            match phases.last_mut().filter(|(known, ..)| known == phase) {
                Some((_, first, last)) => (*first, *last) = ((*first).min(from), (*last).max(to)),
                None => phases.push((phase.into(), from, to)),
            }
        }
        let text: Vec<String> = phases.iter().map(|(phase, from, to)| format!("{phase} {} ms", to - from)).collect();
        eprintln!("  {}", text.join(", "));
    }

    /// Starts the binary and goes on.
    pub fn spawn(&self, args: &[&str]) -> Running {
        let mut child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("swarmdeck");
        let said = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let into = Arc::clone(&said);
        let reading = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                into.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        Running { child, said, reading: Some(reading) }
    }

    /// Changes the store by hand, as nothing of ours ever does.
    pub fn sql_do(&self, statement: &str) {
        let script = "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as store: store.execute(sys.argv[2])";
        let output =
            Command::new("/usr/bin/python3").args(["-c", script]).arg(self.path("home/store.sqlite")).arg(statement).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Rows of the store, `|` between their columns: what no verb shows.
    pub fn sql(&self, query: &str) -> Vec<String> {
        let script = "import sqlite3, sys\nfor row in sqlite3.connect('file:%s?mode=ro' % sys.argv[1], uri=True).execute(sys.argv[2]): \
                      print('|'.join(map(str, row)))";
        let output = Command::new("/usr/bin/python3").args(["-c", script]).arg(self.path("home/store.sqlite")).arg(query).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }
}

fn ran(command: &mut Command) -> Ran {
    let output = command.output().expect("swarmdeck");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// A run of the binary that is under way; killed when dropped.
pub struct Running {
    child: Child,
    said: Arc<Mutex<String>>,
    reading: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    /// Waits until it has said this on standard error.
    pub fn said(&self, words: &str) {
        until(Duration::from_secs(60), &format!("{words:?} in {}", self.text()), || self.text().contains(words));
    }

    pub fn text(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    pub fn end(mut self) -> Ran {
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        self.reading.take().unwrap().join().unwrap();
        Ran { code, stdout, stderr: self.text() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program of a host's Supervisor, asked for on the host itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Program {
    pub host: String,
    pub name: String,
    pub state: String,
    pub pid: Option<u32>,
}

impl Program {
    pub fn port(&self) -> u16 {
        self.name.rsplit('-').next().unwrap().parse().unwrap()
    }
}

/// Every program on these hosts whose name begins with `prefix`.
pub fn programs(fleet: &Fleet, hosts: &[&str], prefix: &str) -> Vec<Program> {
    let mut all = Vec::new();
    for host in hosts {
        let text = String::from_utf8_lossy(&fleet.exec(host, "supervisorctl status").stdout).into_owned();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (name, state) = (words[0], words[1]);
            let pid = words.iter().position(|word| *word == "pid").map(|at| words[at + 1].trim_end_matches(',').parse().unwrap());
            if name.starts_with(prefix) {
                all.push(Program { host: (*host).into(), name: name.into(), state: state.into(), pid });
            }
        }
    }
    all.sort();
    all
}

/// All that a dispatch that was undone must leave as it was.
#[derive(Debug, PartialEq, Eq)]
pub struct State {
    pub programs: Vec<Program>,
    pub directories: BTreeMap<String, String>,
    pub pool: String,
    pub ports: Vec<String>,
    pub swarms: Vec<String>,
    pub current: Vec<String>,
}

/// Looks at hosts, balancer and store from the side.
pub fn state(fleet: &Fleet, deck: &Deck, hosts: &[&str]) -> State {
    State {
        programs: programs(fleet, hosts, ""),
        directories: hosts.iter().map(|host| ((*host).into(), fleet.text(host, "ls -A /apps/procs"))).collect(),
        pool: fleet.text("lb01", &format!("cat {POOL_FILE}; ls -A /etc/nginx/conf.d")),
        ports: deck.sql("SELECT * FROM port_leases"),
        swarms: deck.sql("SELECT name, rev, text FROM objects WHERE kind = 'swarm' ORDER BY name"),
        current: deck.sql("SELECT swarm_id, release_id FROM swarm_runs ORDER BY n"),
    }
}

/// The nodes of the pool that nginx may ask.
pub fn nodes(fleet: &Fleet) -> BTreeSet<String> {
    let text = fleet.text("lb01", &format!("cat {POOL_FILE}"));
    let servers = text.lines().filter_map(|line| line.trim().strip_prefix("server ")).filter(|line| !line.contains("down"));
    servers.map(|line| line.trim_end_matches(';').to_owned()).collect()
}

/// One request through the load balancer, on a connection of its own; headers and body.
pub fn get(fleet: &Fleet, path: &str) -> String {
    let mut stream = TcpStream::connect((fleet.addr("lb01"), 80)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// A request that nginx's present workers go on receiving until this is dropped: a drain waits for them that long.
pub struct Hold(TcpStream);

impl Hold {
    pub fn on(fleet: &Fleet) -> Self {
        let mut stream = TcpStream::connect((fleet.addr("lb01"), 80)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n").unwrap();
        let mut goes_on = [0; 12];
        stream.read_exact(&mut goes_on).unwrap();
        assert_eq!(&goes_on, b"HTTP/1.1 100");
        Self(stream)
    }
}

/// Every one of some requests is answered with all of these words.
pub fn answers(fleet: &Fleet, words: &[&str]) {
    for _ in 0..12 {
        let page = get(fleet, "/");
        for word in words {
            let log = || fleet.text("lb01", &format!("tail -n 5 /var/log/nginx/error.log; cat {POOL_FILE}"));
            assert!(page.contains(word), "{word:?} is not in {page}\n{}\n{:#?}", log(), programs(fleet, &["web01", "web02", "web03"], ""));
        }
    }
}

/// Requests through the load balancer all the time, until [`Requests::end`].
pub struct Requests {
    runtime: tokio::runtime::Runtime,
    loads: Vec<Load>,
}

impl Requests {
    /// Over kept connections; v1 and v2 may answer.
    pub fn start(fleet: &Fleet) -> Self {
        let requests = Self::of(|url| vec![Load::start(url, 3, "v1")], fleet);
        requests.also("v2");
        requests
    }

    /// Over kept connections, over one each, and some that take five seconds; only v1 may answer.
    pub fn of_all_kinds(fleet: &Fleet) -> Self {
        let slow = |url: &str| Load::start(&format!("{url}slow?s=5"), 1, "v1");
        let closing_slow = |url: &str| Load::start_closing(&format!("{url}slow?s=5"), 1, "v1");
        Self::of(|url| vec![Load::start(url, 3, "v1"), Load::start_closing(url, 2, "v1"), slow(url), closing_slow(url)], fleet)
    }

    fn of(loads: impl FnOnce(&str) -> Vec<Load>, fleet: &Fleet) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let url = format!("http://{}/", fleet.addr("lb01"));
        let loads = runtime.block_on(async { loads(&url) });
        Self { runtime, loads }
    }

    /// From now on this version may answer, too.
    pub fn also(&self, version: &str) {
        self.loads.iter().for_each(|load| load.also(version));
    }

    /// Requests that begin from now on may only be answered by this version.
    pub fn only(&self, version: &str) {
        self.loads.iter().for_each(|load| load.only(version));
    }

    /// None has failed until now.
    pub fn none_failed(&self, when: &str) {
        assert!(self.loads.iter().all(|load| load.so_far().1 == 0), "failed requests after {when}");
    }

    /// None may have failed, and there must have been some.
    pub fn end(self) {
        let ended: Vec<_> = self.loads.into_iter().map(|load| self.runtime.block_on(load.end())).collect();
        let sum = |of: fn(&Ended) -> u64| ended.iter().map(of).sum::<u64>();
        let (answered, retried, failed) = (sum(|end| end.answered), sum(|end| end.retried), sum(|end| end.failed));
        eprintln!("{answered} requests answered, {retried} retried, {failed} failed");
        let first = ended.iter().find_map(|end| end.first_failure.clone());
        assert_eq!((failed, first), (0, None), "{answered} answered, {retried} retried");
        assert!(answered > 100, "only {answered} requests");
    }
}

/// A file on a host, through its namespaces.
pub fn write(fleet: &Fleet, host: &str, path: &Path, text: &str) {
    fleet.text(host, &format!("cat > {} <<'END'\n{text}\nEND", path.display()));
}
