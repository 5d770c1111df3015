//! The hosts and balancer hosts of a play: procs, directories, fences, pools, and what can be wrong with each.

use super::scenario::{App, PORTS};
use super::time::Ms;
use crate::fleet::classify::not_seen;
use crate::model::entity::{Become, Host, SupervisorAt, Transport};
use crate::model::units::Ports;
use crate::model::world::{HostSeen, HostState, Owner, Proc, ProcState, Stamp};
use std::collections::{BTreeMap, BTreeSet};

/// A proc's directory, and what Supervisor makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimProc {
    pub name: String,
    /// None: somebody else's.
    pub stamp: Option<Stamp>,
    pub port: u16,
    pub release: String,
    pub app: App,
    /// Whether `proc.conf` is there: only then a reboot starts it.
    pub conf: bool,
    /// Whether Supervisor has the program.
    pub known: bool,
    pub pid: Option<u32>,
    pub running_from: Ms,
    pub listens_from: Ms,
    pub dies_at: Ms,
}

impl SimProc {
    pub fn state(&self, now: Ms) -> ProcState {
        match self.pid {
            _ if !self.known => ProcState::Ghost,
            None => ProcState::Fatal,
            Some(_) if now >= self.dies_at => ProcState::Fatal,
            Some(_) if now >= self.running_from => ProcState::Running,
            Some(_) => ProcState::Starting,
        }
    }
    pub fn pid(&self, now: Ms) -> Option<u32> {
        self.pid.filter(|_| self.known && now < self.dies_at)
    }
    pub fn listens(&self, now: Ms) -> bool {
        self.pid(now).is_some() && now >= self.listens_from
    }
    pub fn instance(&self) -> &str {
        self.stamp.as_ref().map_or("", |stamp| stamp.instance.as_str())
    }
    pub fn swarm(&self) -> &str {
        self.stamp.as_ref().map_or("", |stamp| stamp.swarm.as_str())
    }
}

/// A host.
#[derive(Debug, Clone, Default)]
pub struct SimHost {
    pub up: bool,
    pub active: bool,
    /// Machines that cannot reach it.
    pub cut: BTreeSet<usize>,
    pub answers_lost: bool,
    pub slow: u64,
    pub disk_full: bool,
    pub supervisor_down: bool,
    pub strangers: BTreeSet<u16>,
    pub procs: BTreeMap<String, SimProc>,
    pub builds: BTreeSet<String>,
    /// Per key.
    pub fences: BTreeMap<String, u64>,
    /// Keys whose lock a script holds.
    pub locks: BTreeSet<String>,
}

/// A balancer host.
#[derive(Debug, Clone, Default)]
pub struct Edge {
    pub cut: BTreeSet<usize>,
    pub refuses: bool,
    /// Each pool's file.
    pub pools: BTreeMap<String, Vec<u8>>,
    pub fences: BTreeMap<String, u64>,
    pub locked: bool,
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    pub hosts: Vec<SimHost>,
    pub edges: Vec<Edge>,
    pub pids: u32,
}

pub fn host_name(n: usize) -> String {
    format!("web{n}")
}
/// The number in a host's name.
pub fn host_number(name: &str) -> Option<usize> {
    name.strip_prefix("web")?.parse().ok()
}
pub fn edge_name(n: usize) -> String {
    format!("lb{n}")
}

impl Fleet {
    pub fn pid(&mut self) -> u32 {
        self.pids += 1;
        self.pids
    }
    /// Whether something takes connections at a node.
    pub fn answers(&self, node: &str, now: Ms) -> bool {
        let Some((host, port)) = node.rsplit_once(':').and_then(|(host, port)| Some((host_number(host)?, port.parse::<u16>().ok()?)))
        else {
            return false;
        };
        self.hosts.get(host).is_some_and(|host| host.up && host.procs.values().any(|proc| proc.port == port && proc.listens(now)))
    }
}

impl SimHost {
    pub fn listening(&self, now: Ms) -> BTreeSet<u16> {
        let procs = self.procs.values().filter(|proc| proc.listens(now)).map(|proc| proc.port);
        procs.chain(self.strangers.iter().copied()).collect()
    }
}

/// A host as the catalog has it.
pub fn entity(n: usize, active: bool) -> Host {
    Host {
        id: format!("h{n}"),
        name: host_name(n),
        squad: "web".into(),
        transport: Transport::Ssh,
        address: host_name(n),
        port: None,
        user: None,
        become_: Become::None,
        root: "/apps".into(),
        ports: Ports { first: PORTS.0, last: PORTS.1 },
        active,
        supervisor: SupervisorAt::default(),
        protect: false,
    }
}

/// A host as a look finds it; `sim` is none when it cannot be reached.
pub fn seen(host: &Host, before: Option<&HostSeen>, sim: Option<&SimHost>, now: Ms) -> HostSeen {
    let now_ms = i64::try_from(now).unwrap_or(i64::MAX).max(1);
    let mut seen = before.cloned().unwrap_or_else(|| crate::fleet::observe::unseen(host));
    (seen.active, seen.asked_ms) = (host.active, now_ms);
    let Some(sim) = sim else {
        seen.state = HostState::Unreachable("timed out".into());
        seen.procs = not_seen(&seen.procs);
        return seen;
    };
    seen.listening = sim.listening(now);
    seen.builds.clone_from(&sim.builds);
    seen.fences = sim.fences.clone();
    seen.memory_free = Some(1 << 30);
    if sim.supervisor_down {
        seen.state = HostState::Degraded("Supervisor does not answer".into());
        seen.procs = not_seen(&seen.procs);
        return seen;
    }
    (seen.state, seen.seen_ms) = (HostState::Ok, now_ms);
    seen.procs = sim.procs.values().map(|proc| proc_seen(&host.name, proc, now)).collect();
    seen
}

fn proc_seen(host: &str, proc: &SimProc, now: Ms) -> Proc {
    let owner = if proc.stamp.is_some() { Owner::Ours } else { Owner::Foreign };
    Proc {
        app: "shop".into(),
        config: "prod".into(),
        release: proc.release.clone(),
        proc: "web".into(),
        port: Some(proc.port),
        state: proc.state(now),
        pid: proc.pid(now),
        stamp: proc.stamp.clone(),
        ..Proc::unknown(host, &proc.name, owner)
    }
}

/// A pool's file with these nodes; an operator's own line stays in front.
pub fn pool_text(nodes: &BTreeSet<String>) -> Vec<u8> {
    let lines: String = nodes.iter().map(|node| format!("{node}\n")).collect();
    format!("# ours\n{lines}").into_bytes()
}
/// The nodes in a pool's file.
pub fn pool_nodes(text: Option<&Vec<u8>>) -> BTreeSet<String> {
    let text = text.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_string).collect()
}
