//! What hosts and balancers report: the world as it was last seen, with the age of what is known.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Supervisor's process states (supervisord.org "Subprocess states"), and a directory that Supervisor does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ProcState {
    Stopped,
    Starting,
    Running,
    Backoff,
    Stopping,
    Exited,
    Fatal,
    /// Supervisor's own UNKNOWN, or a proc of a host that cannot be reached.
    Unknown,
    /// A proc directory that Supervisor has no program for (VR-90).
    Ghost,
}

impl ProcState {
    /// The word shown beside the glyph.
    pub fn word(self) -> &'static str {
        match self {
            ProcState::Stopped => "STOPPED",
            ProcState::Starting => "STARTING",
            ProcState::Running => "RUNNING",
            ProcState::Backoff => "BACKOFF",
            ProcState::Stopping => "STOPPING",
            ProcState::Exited => "EXITED",
            ProcState::Fatal => "FATAL",
            ProcState::Unknown => "UNKNOWN",
            ProcState::Ghost => "GHOST",
        }
    }
    /// From Supervisor's `statename`.
    pub fn from_word(word: &str) -> ProcState {
        match word {
            "STOPPED" => ProcState::Stopped,
            "STARTING" => ProcState::Starting,
            "RUNNING" => ProcState::Running,
            "BACKOFF" => ProcState::Backoff,
            "STOPPING" => ProcState::Stopping,
            "EXITED" => ProcState::Exited,
            "FATAL" => ProcState::Fatal,
            _ => ProcState::Unknown,
        }
    }
    /// Whether something is wrong that needs an operator.
    pub fn is_bad(self) -> bool {
        matches!(self, ProcState::Backoff | ProcState::Fatal | ProcState::Exited)
    }
}

/// Whose a proc is (DESIGN part 3); decided by the stamp in `proc.yaml`, never by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    Ours,
    Orphan,
    Foreign,
}

impl Owner {
    pub fn word(self) -> &'static str {
        match self {
            Owner::Ours => "ours",
            Owner::Orphan => "orphan",
            Owner::Foreign => "foreign",
        }
    }
}

/// What is stamped into `proc.yaml`: the proof of ownership.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub installation: String,
    pub swarm: String,
    pub dispatch: String,
    pub instance: String,
}

/// A proc on a host, as last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proc {
    pub host: String,
    /// Supervisor's program name (with its group where they differ: `group:name`).
    pub name: String,
    pub app: String,
    /// The true ref (from proc.yaml where it is ours, from the name otherwise).
    pub version: String,
    pub config: String,
    pub release: String,
    pub proc: String,
    pub port: Option<u16>,
    pub state: ProcState,
    pub pid: Option<u32>,
    /// Unix time in seconds of the last start and stop, by the host's clock; 0 is none.
    pub start: i64,
    pub stop: i64,
    /// The host's clock when this was read.
    pub now: i64,
    pub exit_status: Option<i64>,
    /// Supervisor's spawn error, or "".
    pub spawn_error: String,
    /// Supervisor's own description (pid, uptime, exit).
    pub description: String,
    pub stamp: Option<Stamp>,
    pub owner: Owner,
    /// The swarm's `app-config-proc@squad` when it is ours; the swarm's id is in the stamp.
    pub swarm: Option<String>,
    /// The other installation, `velociraptor`, or none.
    pub foreign_of: Option<String>,
    /// Whether it is in its swarm's pool; none when that is not known or it has no pool.
    pub routed: Option<bool>,
    /// Processor time since the look before, in percent of one processor, its children's with it; none when it was not measured twice.
    #[serde(default)]
    pub cpu_percent: Option<u32>,
    /// Memory that it and its children hold, bytes; shared pages count once for each.
    #[serde(default)]
    pub rss_bytes: Option<u64>,
    /// What `cpu_percent` is reckoned from at the next look.
    #[serde(default)]
    pub cpu: Option<CpuTime>,
}

/// Processor time used up to a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuTime {
    /// ms of processor time since its processes began.
    pub used_ms: u64,
    /// The host's time since boot at that moment, ms.
    pub at_ms: u64,
}

impl CpuTime {
    /// Percent of one processor between two moments; none when they do not follow on each other (a restart, a child that ended).
    pub fn percent_since(self, before: CpuTime) -> Option<u32> {
        let (used, passed) = (self.used_ms.checked_sub(before.used_ms)?, self.at_ms.checked_sub(before.at_ms)?);
        if passed == 0 {
            return None;
        }
        u32::try_from(used.saturating_mul(100).saturating_add(passed / 2) / passed).ok()
    }
}

impl Proc {
    /// One of which only this is known.
    pub fn unknown(host: &str, name: &str, owner: Owner) -> Proc {
        Proc {
            host: host.to_string(),
            name: name.to_string(),
            app: String::new(),
            version: String::new(),
            config: String::new(),
            release: String::new(),
            proc: String::new(),
            port: None,
            state: ProcState::Unknown,
            pid: None,
            start: 0,
            stop: 0,
            now: 0,
            exit_status: None,
            spawn_error: String::new(),
            description: String::new(),
            stamp: None,
            owner,
            swarm: None,
            foreign_of: None,
            routed: None,
            cpu_percent: None,
            rss_bytes: None,
            cpu: None,
        }
    }
    /// `host:port`, as balancers name it (velociraptor.md part 7), by the host's address.
    pub fn node(&self, address: &str) -> Option<String> {
        self.port.map(|port| format!("{address}:{port}"))
    }
    /// Seconds since it started, by its host's clock; 0 when it does not run.
    pub fn uptime(&self) -> i64 {
        if self.state == ProcState::Running { (self.now - self.start).max(0) } else { 0 }
    }
}

/// Whether a host answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostState {
    /// Never asked yet.
    Unseen,
    Ok,
    /// Reached, but something on it does not answer as it should (Supervisor down, garbage).
    Degraded(String),
    /// With the reason.
    Unreachable(String),
}

/// A host as last seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostSeen {
    pub id: String,
    pub name: String,
    pub squad: String,
    pub active: bool,
    pub state: HostState,
    /// When it last answered, ms since the epoch by our clock; 0 is never.
    pub seen_ms: i64,
    /// When it was last asked.
    pub asked_ms: i64,
    /// The address under which balancers and uptests know it (what `ssh -G` says; 127.0.0.1 for the local host).
    pub address: String,
    /// The installation that claimed it.
    pub installation: Option<String>,
    /// As last seen; from before when it does not answer now.
    pub procs: Vec<Proc>,
    /// Every TCP port something listens on.
    pub listening: BTreeSet<u16>,
    /// Artifacts (sha256) it holds.
    pub builds: BTreeSet<String>,
    /// Epoch per swarm id, as in its fence directory.
    pub fences: BTreeMap<String, u64>,
    pub load: Option<f64>,
    pub memory_total: Option<u64>,
    pub memory_free: Option<u64>,
    pub disk_free: Option<u64>,
}

impl HostSeen {
    /// Whether procs may be placed on it and its report is of now.
    pub fn is_ok(&self) -> bool {
        self.state == HostState::Ok
    }
}

/// What a balancer does with a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    Up,
    /// Serves what it has, gets nothing new.
    Draining,
    /// Gets nothing and serves nothing.
    Down,
}

impl NodeState {
    pub fn word(self) -> &'static str {
        match self {
            NodeState::Up => "up",
            NodeState::Draining => "draining",
            NodeState::Down => "down",
        }
    }
}

/// What somebody changed in a pool since it was last written. Safe to display.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditedByHand {
    /// One sentence.
    pub what: String,
    /// Unified difference from what was last written; empty where that is not known.
    pub difference: String,
}

/// A pool on one balancer host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolHost {
    pub host: String,
    /// By `host:port`.
    pub nodes: BTreeMap<String, NodeState>,
    /// Established connections to a node; a node that is missing here cannot be counted.
    pub connections: BTreeMap<String, u32>,
    /// Why it gave no answer; none when it did.
    pub away: Option<String>,
    /// What it is owed, since a change left it out; until that is paid it does not count.
    pub owed: Option<String>,
    pub edited_by_hand: Option<EditedByHand>,
}

impl PoolHost {
    /// The nodes that get requests.
    pub fn up(&self) -> BTreeSet<String> {
        self.nodes.iter().filter(|(_, state)| **state == NodeState::Up).map(|(node, _)| node.clone()).collect()
    }
    /// Whether what it holds is what the pool is: it answered and owes nothing.
    pub fn counts(&self) -> bool {
        self.away.is_none() && self.owed.is_none()
    }
}

/// A pool as one balancer reports it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolSeen {
    pub balancer: String,
    pub pool: String,
    /// Nodes `host:port` that are up, sorted; the union where balancer hosts disagree.
    pub nodes: BTreeSet<String>,
    /// Where its hosts disagree or the pool cannot be read: a sentence each.
    pub trouble: Vec<String>,
    /// Host by host, in the balancer's order.
    #[serde(default)]
    pub hosts: Vec<PoolHost>,
    /// Whether requests go through it (none do through `dummy`).
    #[serde(default)]
    pub moves_traffic: bool,
}

impl PoolSeen {
    /// Nodes that are in the pool and get nothing new: taken out, by us or by hand.
    pub fn taken_out(&self) -> BTreeSet<String> {
        let out = |host: &PoolHost| host.nodes.keys().filter(|node| !self.nodes.contains(*node)).cloned().collect::<Vec<_>>();
        self.hosts.iter().filter(|host| host.counts()).flat_map(out).collect()
    }
}

/// Everything as last seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct World {
    /// By host name.
    pub hosts: BTreeMap<String, HostSeen>,
    /// By (balancer, pool).
    pub pools: Vec<PoolSeen>,
}

impl World {
    /// Every proc of every host, in host and name order.
    pub fn procs(&self) -> impl Iterator<Item = &Proc> {
        self.hosts.values().flat_map(|host| host.procs.iter())
    }
    pub fn pool(&self, balancer: &str, pool: &str) -> Option<&PoolSeen> {
        self.pools.iter().find(|seen| seen.balancer == balancer && seen.pool == pool)
    }
}
