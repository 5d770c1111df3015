//! The catalogue of causes, and the rules that find them: pure functions over gathered facts. The order is that of the chain, from
//! the network up to the dispatch: where several match, the earliest is the cause and the others follow from it.

mod balancer;
mod dispatch;
mod host;
mod log;
mod proc;
mod said;
mod signs;
#[cfg(test)]
mod tests;
mod uptest;

use super::facts::Facts;
use serde::Serialize;

/// A cause that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    pub id: String,
    /// Host, proc, pool or step that it is about.
    pub place: String,
    /// The cause in one sentence.
    pub sentence: String,
    /// Lines that show it.
    pub evidence: Vec<String>,
    /// The next thing to do.
    pub next: String,
}

impl Cause {
    pub(super) fn new(id: &'static str, place: impl Into<String>, sentence: impl Into<String>) -> Cause {
        Cause { id: id.into(), place: place.into(), sentence: sentence.into(), evidence: Vec::new(), next: String::new() }
    }
    pub(super) fn shows(mut self, evidence: impl IntoIterator<Item = impl Into<String>>) -> Cause {
        self.evidence.extend(evidence.into_iter().map(Into::into).filter(|line: &String| !line.trim().is_empty()));
        self
    }
    pub(super) fn next(mut self, next: impl Into<String>) -> Cause {
        self.next = next.into();
        self
    }
}

/// Every cause, in the order of the chain, with the sign that is looked for.
pub const CATALOGUE: &[(&str, &str)] = &[
    ("ssh-config", "ssh refuses its configuration, or a jump or ProxyCommand in it is none"),
    ("host-dns", "the host's name has no address"),
    ("jump-host", "its jump host cannot connect to it"),
    ("host-no-route", "the network has no way to it"),
    ("host-refused", "nothing listens at its SSH port"),
    ("host-silent", "it takes too long to answer: off, frozen, or a firewall that drops"),
    ("host-key-changed", "it sends another host key than known_hosts has"),
    ("host-key-unknown", "known_hosts has no key of it"),
    ("login-refused", "it lets none of our keys in"),
    ("sudo-password", "sudo there asks for a password"),
    ("sudo-refused", "sudo there refuses the user"),
    ("privilege", "the user is not root and does not become it"),
    ("disk-read-only", "its root directory's file system is read-only"),
    ("disk-full", "no space is left under its root directory"),
    ("inodes-gone", "no inode is left under its root directory"),
    ("tool-missing", "a program that every host must have is not in PATH"),
    ("supervisor-conf-missing", "supervisord.conf is not there"),
    ("supervisor-down", "no supervisord runs"),
    ("supervisor-socket-missing", "supervisord runs, its socket is gone"),
    ("supervisor-silent", "supervisord runs and does not answer"),
    ("supervisor-old", "Supervisor is older than 3.0"),
    ("supervisor-file-broken", "supervisord cannot read one of its files"),
    ("supervisor-include", "supervisord.conf does not include our procs"),
    ("directory-missing", "a directory under its root is not there"),
    ("installation-other", "the host belongs to another installation"),
    ("repo-unreachable", "the repository cannot be read"),
    ("source-unknown", "no tag, branch or revision has that name"),
    ("buildpack-none", "no buildpack knows the app"),
    ("compile-failed", "the buildpack's compile ended with a failure"),
    ("build-timeout", "the build took longer than its limit"),
    ("procfile-lacks", "the Procfile has no such process"),
    ("build-failed", "the build ended with another failure"),
    ("no-uptests", "the swarm refuses to go without uptests and there are none"),
    ("runtime-cannot", "a volume or limit that the runtime cannot keep"),
    ("squad-empty", "the squad has no hosts, or none that takes procs"),
    ("host-absent", "a host that has procs of the swarm cannot be asked"),
    ("ports-exhausted", "no free port is left on any host of the squad"),
    ("on-hold", "somebody holds it"),
    ("held", "another dispatch of the swarm is under way"),
    ("saved-since", "the swarm was saved after the plan was made"),
    ("world-moved", "hosts or pools changed after the plan was made"),
    ("lease-lost", "another process took the dispatch over, or its lease was not renewed"),
    ("pool-owned", "the pool belongs to another swarm"),
    ("user-missing", "the user that it runs as is not on the host"),
    ("host-variable", "an env value asks for a variable that the host lacks"),
    ("port-stranger", "a stranger listens on the port that was chosen"),
    ("artifact-lost", "the build's artifact is gone or damaged"),
    ("app-gone", "the proc's unpacked app is not there any more"),
    ("ghost", "a proc's directory that Supervisor does not know"),
    ("proc-frozen", "its process is stopped by a signal"),
    ("oom-killed", "the kernel ended it for want of memory"),
    ("app-disk-full", "it says that no space is left where it writes"),
    ("app-read-only", "it says that it writes on a read-only file system"),
    ("exec-format", "its program is none for this machine"),
    ("bad-interpreter", "the interpreter in its first line is not there, or the line ends as on Windows"),
    ("library-missing", "a shared library, or a version of it, is not there"),
    ("command-missing", "a command is not found"),
    ("file-missing", "a file that it opens first is not there"),
    ("not-executable", "its program has no right to be executed"),
    ("module-missing", "a module, gem or class is not there"),
    ("import-broken", "a module is there in a version without what is asked of it"),
    ("settings-unreadable", "its own settings file is no YAML, JSON, TOML or INI"),
    ("syntax-error", "its source does not parse"),
    ("variable-missing", "an environment variable that it needs is not set"),
    ("dns", "a name that it connects to has no address"),
    ("backend-refused", "nothing listens where it connects to"),
    ("backend-timeout", "what it connects to does not answer, or has no route"),
    ("backend-login", "what it connects to refuses its login"),
    ("schema-missing", "its database or a table of it is not there"),
    ("clock-off", "the host's clock is off by more than a minute"),
    ("tls-expired", "a certificate has expired or is not valid yet"),
    ("tls-untrusted", "a certificate is signed by nobody that it trusts, or for another name"),
    ("port-privileged", "it listens on a port below 1024 and is not root"),
    ("port-taken", "another process listens on its port"),
    ("files-exhausted", "it has too many files open"),
    ("threads-exhausted", "it may start no more processes or threads"),
    ("app-memory", "it says itself that memory ran out"),
    ("permission-denied", "it may not do what it tries"),
    ("wrong-port", "it listens on another port than $PORT"),
    ("loopback-only", "it listens on 127.0.0.1 only"),
    ("daemonised", "it put itself into the background, so Supervisor saw it end"),
    ("exits-at-once", "it ends by itself with status 0"),
    ("signalled", "a signal ended it"),
    ("crash-loop", "it dies again and again, for no reason that is known here"),
    ("exit-status", "it ended with a failure, for no reason that is known here"),
    ("spawn-failed", "Supervisor could not start it"),
    ("slow-start", "it has just started and does not listen yet"),
    ("no-listen", "it runs and listens nowhere"),
    ("stopped-by-hand", "an operator stopped it"),
    ("uptest-not-executable", "an uptest is no executable file"),
    ("uptest-interpreter", "an uptest's interpreter or command is not there"),
    ("uptest-timeout", "an uptest took longer than uptest_timeout"),
    ("uptest-failed", "an uptest failed"),
    ("nginx-config", "nginx refuses its configuration"),
    ("nginx-down", "nginx does not run"),
    ("pool-dir-missing", "the include directory is not there, or not writable"),
    ("pool-not-included", "nginx does not read the pool's file"),
    ("reload-failed", "nginx was not reloaded, or did not take the file up"),
    ("pool-not-ours", "somebody else wrote the pool's file"),
    ("pool-edited", "somebody edited the pool's file by hand"),
    ("pool-unfinished", "a change of the pool was cut off half way"),
    ("node-out-of-reach", "the balancer cannot connect to a node"),
    ("pool-disagree", "the balancer's hosts disagree"),
    ("pool-unread", "the pool cannot be read"),
    ("node-out", "a node was taken out and gets nothing new"),
    ("out-of-place", "it is there and no swarm owns it"),
    ("host-away", "a host of it does not answer, or not as it should"),
    ("swarm-trouble", "a swarm that it belongs to is in trouble"),
    ("not-live", "it was saved, and swarms that use it run without that"),
    ("cancelled", "an operator cancelled it"),
    ("interrupted", "the process that carried it ended, or was told to stop"),
    ("owed", "something is owed to a host that could not be reached"),
    ("said", "what the step itself said"),
    ("under-way", "it is under way"),
];

/// Everything that the rules find, the cause first; what is said twice is said once.
pub fn judge(facts: &Facts) -> Vec<Cause> {
    let mut all = Vec::new();
    host::find(facts, &mut all);
    said::find(facts, &mut all);
    proc::find(facts, &mut all);
    log::find(facts, &mut all);
    uptest::find(facts, &mut all);
    balancer::find(facts, &mut all);
    dispatch::find(facts, &mut all);
    all.sort_by_key(|cause: &Cause| rank(&cause.id));
    let mut kept: Vec<Cause> = Vec::new();
    for cause in all {
        match kept.iter_mut().find(|known| known.id == cause.id) {
            // Many procs die of one thing: it is one cause, with the others named.
            Some(known) if known.place != cause.place => {
                let line = format!("{}: the same", cause.place);
                if known.evidence.len() < 12 && !known.evidence.contains(&line) {
                    known.evidence.push(line);
                }
            }
            Some(_) => {}
            None => kept.push(cause),
        }
    }
    kept
}

/// How early in the chain a cause stands.
fn rank(id: &str) -> usize {
    CATALOGUE.iter().position(|(known, _)| *known == id).unwrap_or(CATALOGUE.len())
}
