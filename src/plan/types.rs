//! A plan: exactly what will be done, in a form that can be shown, stored, compared and executed. It holds no secret.

use crate::model::hold::Hold;
use crate::model::probe::Probe;
use crate::model::protect::Touched;
use crate::model::units::Absent;
use crate::model::{Fault, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The release that a plan makes live, or that runs now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseFacts {
    pub release: String,
    pub version: String,
    pub commit: String,
    pub build: String,
    pub artifact: String,
    /// Bytes of the artifact.
    pub size: u64,
}

/// A proc that the plan starts, keeps or retires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedProc {
    pub host: String,
    /// Program and directory name.
    pub name: String,
    pub port: u16,
    /// `address:port` for balancers.
    pub node: String,
    /// Our id of this very proc.
    pub instance: String,
    /// Its pid when the plan was made; none for a new one or one that does not run.
    pub pid: Option<u32>,
    /// Release it runs.
    pub release: String,
    /// The batch, from 0, in which it is started, or in which it leaves the pool.
    #[serde(default)]
    pub batch: u32,
}

/// Bytes that travel to a host; 0 when it holds the artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Send {
    pub host: String,
    pub bytes: u64,
}

/// What happens to the pool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolChange {
    pub balancer: String,
    pub pool: String,
    /// Nodes now and after; each sorted.
    pub before: Vec<String>,
    pub after: Vec<String>,
    /// What it holds on the way, batch by batch.
    pub stages: Vec<PoolStage>,
    /// Balancer hosts that are away and are left as they are; each is owed the change, and does not count until it is made there.
    #[serde(default)]
    pub left_out: Vec<String>,
    /// The request that must be answered through each of its hosts.
    #[serde(default)]
    pub probe: Option<Probe>,
}

/// What a pool holds in one batch; each sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolStage {
    /// When the batch's new procs are routed.
    pub route: Vec<String>,
    /// When its old procs are out. In place this comes before `route`.
    pub drain: Vec<String>,
}

impl PoolChange {
    pub fn added(&self) -> Vec<&String> {
        self.after.iter().filter(|node| !self.before.contains(node)).collect()
    }
    pub fn removed(&self) -> Vec<&String> {
        self.before.iter().filter(|node| !self.after.contains(node)).collect()
    }
    pub fn is_change(&self) -> bool {
        self.before != self.after
    }
    /// Its name as the place of a step: `balancer/pool`.
    pub fn place(&self) -> String {
        format!("{}/{}", self.balancer, self.pool)
    }
}

/// A key of config or env that changes; a secret's values are keyed hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyChange {
    /// `config` or `env`.
    pub file: String,
    pub key: String,
    pub before: Option<String>,
    pub after: Option<String>,
    /// The layer that decides the new value: `swarm`, `ingredient db`, `build`.
    pub layer: String,
    pub secret: bool,
}

/// A line of WHERE: everything about one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostLine {
    pub host: String,
    pub start: Vec<u16>,
    pub retire: Vec<u16>,
    pub keep: Vec<u16>,
    pub memory_free: Option<u64>,
    pub send: u64,
    pub note: String,
    /// Whether the note warns.
    pub warn: bool,
}

/// How long what takes (ms).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    pub settle_ms: u64,
    pub uptest_timeout_ms: u64,
    pub drain_timeout_ms: u64,
    pub stop_timeout_ms: u64,
    pub soak_ms: u64,
    #[serde(default)]
    pub lost_after_ms: u64,
}

/// What a dispatch will do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub id: String,
    /// `dispatch`, `rollback` or `size`.
    pub verb: String,
    pub swarm_id: String,
    /// `app-config-proc@squad`.
    pub swarm: String,
    /// The swarm's revision that it was made from.
    pub swarm_rev: i64,
    pub app: String,
    pub proc_name: String,
    pub made_ms: i64,
    pub who: String,
    /// What runs now; none on the first dispatch.
    pub from: Option<ReleaseFacts>,
    pub to: ReleaseFacts,
    pub size_before: u32,
    pub size: u32,
    pub start: Vec<PlannedProc>,
    pub keep: Vec<PlannedProc>,
    pub retire: Vec<PlannedProc>,
    /// Procs on hosts that do not answer: taken out of the pool, and to be retired there when the host is back.
    #[serde(default)]
    pub lost: Vec<PlannedProc>,
    pub send: Vec<Send>,
    pub pool: Option<PoolChange>,
    /// Pools that belong to no swarm any more, which procs that go are taken out of when the new ones serve; nothing is added.
    #[serde(default)]
    pub other_pools: Vec<PoolChange>,
    /// Names of uptests that each new or kept proc must pass.
    pub uptests: Vec<String>,
    /// Whether the port must answer.
    pub listens: bool,
    pub timing: Timing,
    /// What is done about a host that falls silent on the way.
    #[serde(default)]
    pub absent: Absent,
    /// So many of the first batch wait to be promoted; 0: no canary.
    #[serde(default)]
    pub canary: u32,
    /// Old procs stop before the new ones of their batch start.
    #[serde(default)]
    pub in_place: bool,
    /// Keys of config and env that this dispatch makes live.
    pub changes: Vec<KeyChange>,
    pub hosts: Vec<HostLine>,
    pub warnings: Vec<String>,
    /// The way back, one sentence.
    pub back: String,
    /// The holds that keep it from being executed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Hold>,
    /// Whether the build was reused.
    pub build_reused: bool,
}

impl Plan {
    /// Whether executing it would change anything on a host or balancer.
    pub fn is_empty(&self) -> bool {
        let nobody = self.start.is_empty() && self.retire.is_empty() && self.lost.is_empty();
        nobody && !self.pool.as_ref().is_some_and(PoolChange::is_change) && self.other_pools.is_empty()
    }
    /// Whether there is nothing to route: the pool stays as it is and no proc is new.
    pub fn is_pool_untouched(&self) -> bool {
        self.pool.as_ref().is_none_or(|pool| !pool.is_change() && self.start.is_empty() && self.keep.is_empty())
    }
    /// How many batches it has; at least one.
    pub fn batches(&self) -> u32 {
        self.start.iter().chain(&self.retire).map(|proc| proc.batch + 1).max().unwrap_or(1)
    }
    /// How it goes about it, one line; none when it is all at once and undone exactly.
    pub fn form(&self) -> Option<String> {
        let count = |batch: u32| self.start.iter().filter(|proc| proc.batch == batch).count();
        let sizes: Vec<String> = (0..self.batches()).map(|batch| count(batch).to_string()).collect();
        let mut parts = Vec::new();
        if sizes.len() > 1 {
            parts.push(format!("{} batches: {} procs", sizes.len(), sizes.join(" + ")));
        }
        if self.canary > 0 && self.timing.soak_ms > 0 {
            parts.push(format!("the first {} are a canary, the others follow after its soak or when it is promoted", self.canary));
        } else if self.canary > 0 {
            parts.push(format!("the first {} are a canary, the others follow when it is promoted", self.canary));
        }
        if self.in_place {
            parts.push("in place".into());
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
    /// Every host that it touches, in order, once.
    pub fn touched_hosts(&self) -> Vec<String> {
        let mut names: Vec<String> = self.start.iter().chain(&self.keep).chain(&self.retire).map(|proc| proc.host.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
    /// Nodes of a stage of the pool, without new ones on hosts that were `lost` on the way: those were never proven. A fault when
    /// nobody would be left in a pool that served.
    pub fn proven_of(&self, stage: &[String], lost: &BTreeSet<String>) -> Result<BTreeSet<String>> {
        let unproven = |node: &String| self.start.iter().any(|proc| &proc.node == node && lost.contains(&proc.host));
        let nodes: BTreeSet<String> = stage.iter().filter(|node| !unproven(node)).cloned().collect();
        self.not_emptied(stage, nodes, lost)
    }
    /// Nodes that a stage of the pool held, as what is begun in `batch` is taken back, in place: without new ones on hosts that were
    /// `lost` on the way; old ones that were not stopped yet stay. A fault as in [`Plan::proven_of`].
    pub fn served_before(&self, stage: &[String], batch: u32, lost: &BTreeSet<String>) -> Result<BTreeSet<String>> {
        let unproven = |proc: &PlannedProc| proc.batch < batch && lost.contains(&proc.host);
        let nodes: BTreeSet<String> =
            stage.iter().filter(|node| !self.start.iter().any(|proc| &proc.node == *node && unproven(proc))).cloned().collect();
        self.not_emptied(stage, nodes, lost)
    }

    fn not_emptied(&self, stage: &[String], nodes: BTreeSet<String>, lost: &BTreeSet<String>) -> Result<BTreeSet<String>> {
        let served = self.pool.as_ref().is_some_and(|pool| !pool.before.is_empty());
        if nodes.is_empty() && !stage.is_empty() && served {
            let without: Vec<&str> = lost.iter().map(String::as_str).collect();
            return Err(Fault::refused(format!("without {} nobody would be left in the pool", without.join(", "))));
        }
        Ok(nodes)
    }

    /// What it changes: its swarm, the hosts on which procs come and go, and the balancers of pools that change.
    pub fn touched(&self) -> Touched {
        let pools = self.pool.iter().filter(|pool| pool.is_change()).chain(&self.other_pools);
        Touched {
            swarms: [self.swarm_id.clone()].into(),
            hosts: self.start.iter().chain(&self.retire).chain(&self.lost).map(|proc| proc.host.clone()).collect(),
            balancers: pools.map(|pool| pool.balancer.clone()).collect(),
        }
    }

    /// Those, and the hosts that it goes on without: it owes them something.
    pub fn known_hosts(&self) -> Vec<String> {
        let lost = self.lost.iter().map(|proc| proc.host.clone());
        self.touched_hosts().into_iter().chain(lost).collect::<BTreeSet<_>>().into_iter().collect()
    }
}
