//! Finds what is out of place: orphans, foreign procs, ghosts, stray nodes, stray port leases, each with its evidence; pure.

use super::classify::Known;
use crate::model::entity::Host;
use crate::model::stray::{Stray, StrayKind};
use crate::model::world::{HostSeen, HostState, Owner, PoolSeen, Proc, ProcState, World};
use std::collections::{BTreeMap, BTreeSet};

/// How far the dispatch is that something is stamped with or leased to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// It begins, is under way, or can be resumed: what it made is not out of place.
    Open,
    /// Its number, how it ended, and when (ms).
    Ended { number: i64, word: String, at_ms: i64 },
}

/// Everything that strays are found in.
pub struct Facts<'a> {
    pub known: Known<'a>,
    pub world: &'a World,
    /// Every host of every squad.
    pub hosts: &'a [Host],
    /// (balancer, pool) of every pool of ours, with the swarm that has it now.
    pub pools: &'a BTreeMap<(String, String), Option<String>>,
    /// Per host id, port and dispatch id.
    pub leases: &'a BTreeMap<String, BTreeMap<u16, String>>,
    /// By dispatch id; one that is not in it is unknown.
    pub runs: &'a BTreeMap<String, RunState>,
    /// Ids of swarms with a dispatch under way: what moves is not out of place.
    pub busy: &'a BTreeSet<String>,
    /// What operators said is known.
    pub ignored: &'a BTreeSet<String>,
}

/// Every stray, those that need somebody most first.
pub fn strays(facts: &Facts) -> Vec<Stray> {
    let procs = facts.world.hosts.values().flat_map(|host| host.procs.iter().filter_map(|proc| of_proc(facts, host, proc)));
    let mut at: BTreeMap<&str, Vec<&HostSeen>> = BTreeMap::new();
    for host in facts.world.hosts.values() {
        at.entry(&host.address).or_default().push(host);
    }
    let nodes = facts.world.pools.iter().flat_map(|pool| of_pool(facts, &at, pool));
    let mut all: Vec<Stray> = procs.chain(nodes).chain(of_leases(facts)).collect();
    for stray in &mut all {
        stray.ignored = facts.ignored.contains(&stray.id());
    }
    all.sort_by(|a, b| (a.kind, &a.place, &a.name).cmp(&(b.kind, &b.place, &b.name)));
    all
}

fn of_proc(facts: &Facts, host: &HostSeen, proc: &Proc) -> Option<Stray> {
    let kind = match (proc.state, proc.owner) {
        (ProcState::Ghost, _) => StrayKind::Ghost,
        (_, Owner::Orphan) => StrayKind::Orphan,
        (_, Owner::Foreign) => StrayKind::Foreign,
        (_, Owner::Ours) => return None,
    };
    let stamp = proc.stamp.as_ref().filter(|_| proc.owner != Owner::Foreign);
    // A directory that a dispatch has just made, or is taking away, is on its way.
    let moves =
        |stamp: &crate::model::world::Stamp| facts.busy.contains(&stamp.swarm) || facts.runs.get(&stamp.dispatch) == Some(&RunState::Open);
    if kind == StrayKind::Ghost && stamp.is_some_and(moves) {
        return None;
    }
    let (whose, mut evidence) = whose(facts, host, proc);
    if kind == StrayKind::Ghost {
        evidence.push(proc.description.clone());
    } else if host.is_ok() {
        let pid = proc.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
        evidence.push(format!("Supervisor says {}{pid}", proc.state.word()));
    }
    if let Some(reason) = not_seen(host) {
        evidence.push(format!("not seen now: {reason}"));
    }
    let routed = facts.world.pools.iter().filter(|pool| proc.node(&host.address).is_some_and(|node| pool.nodes.contains(&node)));
    evidence.extend(routed.map(|pool| format!("it is in pool {}@{}", pool.pool, pool.balancer)));
    let removable = proc.owner != Owner::Foreign || proc.foreign_of.is_some();
    let can: &[&str] = match kind {
        _ if !host.is_ok() || !removable => &["ignore"],
        StrayKind::Ghost => &["retire", "ignore"],
        _ => &["adopt", "retire", "ignore"],
    };
    let running = proc.start > 0 && proc.state == ProcState::Running && host.seen_ms > 0;
    Some(Stray {
        kind,
        place: host.name.clone(),
        name: proc.name.clone(),
        port: proc.port,
        whose,
        evidence,
        // By the difference of the host's own clock, so that a clock that is off does not matter.
        since_ms: if running { host.seen_ms - (proc.now - proc.start).max(0) * 1000 } else { 0 },
        can: can.iter().map(ToString::to_string).collect(),
        ignored: false,
    })
}

/// Whose a proc is, and the evidence for it.
fn whose(facts: &Facts, host: &HostSeen, proc: &Proc) -> (String, Vec<String>) {
    let stamp = proc.stamp.clone().unwrap_or_default();
    let stamped = format!("{}-{}-{}", proc.app, proc.config, proc.proc);
    match (proc.owner, &proc.foreign_of) {
        (Owner::Foreign, Some(of)) if of == "velociraptor" => {
            ("velociraptor".into(), vec!["its directory has a proc.yaml of Velociraptor's form and no stamp of ours".into()])
        }
        (Owner::Foreign, Some(of)) => (
            format!("installation {of}"),
            vec![format!("stamped by installation {of}, as swarm {}; this one is {}", stamp.swarm, facts.known.installation)],
        ),
        (Owner::Foreign, None) => ("nobody known".into(), vec![format!("no stamp of ours is with it on {}", host.name)]),
        (Owner::Ours, _) => (stamped, Vec::new()),
        (Owner::Orphan, _) => {
            let why = match facts.known.swarms.iter().find(|swarm| swarm.id.as_deref() == Some(&stamp.swarm)) {
                None => format!("stamped with swarm {}, which is deleted", stamp.swarm),
                Some(swarm) => {
                    let parts = [
                        ("app", &swarm.app, &proc.app),
                        ("config", &swarm.config_name, &proc.config),
                        ("proc", &swarm.proc_name, &proc.proc),
                        ("squad", &swarm.squad, &host.squad),
                    ];
                    let changed: Vec<String> = parts
                        .iter()
                        .filter(|(_, now, then)| now != then)
                        .map(|(part, now, then)| format!("{part} was {then}, is {now}"))
                        .collect();
                    format!("stamped as a proc of the swarm that is {} now: {}", swarm.full_name(), changed.join(", "))
                }
            };
            (stamped, vec![why])
        }
    }
}

fn not_seen(host: &HostSeen) -> Option<String> {
    match &host.state {
        HostState::Ok => None,
        HostState::Unreachable(why) | HostState::Degraded(why) => Some(why.clone()),
        HostState::Unseen => Some("the host was never asked".into()),
    }
}

/// Nodes without a proc of ours behind them. A pool that cannot be trusted as it is says nothing; a host that does not answer either.
fn of_pool(facts: &Facts, hosts: &BTreeMap<&str, Vec<&HostSeen>>, pool: &PoolSeen) -> Vec<Stray> {
    let Some(swarm) = facts.pools.get(&(pool.balancer.clone(), pool.pool.clone())) else { return Vec::new() };
    if !pool.trouble.is_empty() || swarm.as_ref().is_some_and(|swarm| facts.busy.contains(swarm)) {
        return Vec::new();
    }
    let stray = |node: &String| {
        let (address, port) = node.rsplit_once(':')?;
        let port: Option<u16> = port.parse().ok();
        let at = hosts.get(address).map(Vec::as_slice).unwrap_or_default();
        let behind: Vec<&Proc> =
            at.iter().flat_map(|host| host.procs.iter()).filter(|proc| proc.port == port && proc.state != ProcState::Ghost).collect();
        if behind.iter().any(|proc| proc.owner != Owner::Foreign) || at.iter().any(|host| !host.is_ok()) {
            return None;
        }
        let evidence = match (at.first(), behind.first()) {
            (None, _) => format!("{address} is no host of any squad"),
            (Some(host), Some(proc)) => format!("{} on {} has that port, which is not ours", proc.name, host.name),
            (Some(host), None) if port.is_some_and(|port| host.listening.contains(&port)) => {
                format!("no proc on {} has that port; a stranger listens there", host.name)
            }
            (Some(host), None) => format!("no proc on {} has that port, and nothing listens there", host.name),
        };
        Some(Stray {
            kind: StrayKind::Node,
            place: format!("{}@{}", pool.pool, pool.balancer),
            name: node.clone(),
            port,
            whose: swarm.as_deref().and_then(|id| name_of(facts, id)).unwrap_or_else(|| "no swarm".into()),
            evidence: vec![evidence],
            since_ms: 0,
            can: vec!["retire".into(), "ignore".into()],
            ignored: false,
        })
    };
    pool.nodes.iter().filter_map(stray).collect()
}

fn name_of(facts: &Facts, swarm: &str) -> Option<String> {
    facts.known.swarms.iter().find(|known| known.id.as_deref() == Some(swarm)).map(|known| known.full_name())
}

fn of_leases(facts: &Facts) -> Vec<Stray> {
    let mut all = Vec::new();
    for (host_id, ports) in facts.leases {
        for (port, dispatch) in ports {
            let (whose, why, since_ms) = match facts.runs.get(dispatch) {
                Some(RunState::Open) => continue,
                Some(RunState::Ended { number, word, at_ms }) => {
                    (format!("dispatch {number}"), format!("leased to dispatch {number}, which ended: {word}"), *at_ms)
                }
                None => {
                    (format!("dispatch {dispatch}"), format!("leased to dispatch {dispatch}, which is unknown and not about to begin"), 0)
                }
            };
            let host = facts.hosts.iter().find(|host| host.id == *host_id).map_or(host_id.as_str(), |host| host.name.as_str());
            all.push(Stray {
                kind: StrayKind::Port,
                place: host.into(),
                name: format!("port-{port}"),
                port: Some(*port),
                whose,
                evidence: vec![why],
                since_ms,
                can: vec!["retire".into(), "ignore".into()],
                ignored: false,
            });
        }
    }
    all
}

#[cfg(test)]
#[path = "strays_tests.rs"]
mod tests;
