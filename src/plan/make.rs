//! Makes the exact plan of one dispatch from what is wanted and what the hosts report now.

use super::change::{Shown, changes};
use super::orphans;
use super::place::{Room, place};
use super::rollout;
use super::types::{HostLine, Plan, PlannedProc, PoolChange, ReleaseFacts, Send, Timing};
use crate::model::entity::{Host, Swarm};
use crate::model::name::ProcName;
use crate::model::release::{Build, Release};
use crate::model::units::Absent;
use crate::model::world::{HostSeen, HostState, Owner, PoolSeen, Proc, ProcState, World};
use crate::model::{Fault, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Everything a plan is made from.
pub struct Want<'a> {
    /// The dispatch's id; also the seed of ports and instance ids, so that equal input makes an equal plan.
    pub id: &'a str,
    pub verb: &'a str,
    pub who: &'a str,
    pub now_ms: i64,
    pub swarm_id: &'a str,
    pub swarm_rev: i64,
    pub swarm: &'a Swarm,
    pub size: u32,
    pub release: &'a Release,
    pub build: &'a Build,
    pub build_reused: bool,
    /// What runs now by our records, for the differences.
    pub running: Option<&'a Release>,
    /// The squad's hosts.
    pub hosts: &'a [Host],
    pub world: &'a World,
    /// Ports leased to other dispatches, by host name.
    pub leased: &'a BTreeMap<String, BTreeSet<u16>>,
    /// (balancer, pool) that belong to no swarm any more: procs that go are taken out of them.
    pub former: &'a [(String, String)],
    /// Leave orphans as they are: neither unrouted by name nor retired.
    pub leave_orphans: bool,
    /// The layer that decides each key of (`config`|`env`, key).
    pub layer: &'a dyn Fn(&str, &str) -> String,
    /// How a value is shown: secrets as keyed hashes.
    pub show: &'a dyn Fn(&str, &str) -> Shown,
    /// Procs of the right release that are replaced all the same.
    pub replace: Replace<'a>,
    /// Hosts that owe something: nothing is placed on them and nothing on them counts until it is paid.
    pub indebted: &'a BTreeSet<String>,
    /// Goes on without hosts that do not answer, whatever the swarm's rule: the operator said so.
    pub go_on: bool,
}

/// Which procs of the right release are replaced by new ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Replace<'a> {
    #[default]
    None,
    /// A rolling restart.
    All,
    /// The host is emptied: nothing is placed there either.
    Host(&'a str),
}

/// The plan, or why there can be none: a host with procs of this swarm is away, no room, no port.
pub fn make(want: &Want) -> Result<Plan> {
    let mine: Vec<&Proc> = procs_of(want);
    let away = away(want, &mine)?;
    let is_away = |proc: &&Proc| away.contains(proc.host.as_str());
    let lost: Vec<&Proc> = mine.iter().copied().filter(is_away).collect();
    let (current, stale): (Vec<&Proc>, Vec<&Proc>) =
        mine.iter().copied().filter(|proc| !is_away(proc)).partition(|proc| is_current(want, proc));

    let mut keep = current;
    let mut retire = stale;
    let mut rooms = rooms(want, &keep);
    scale_down(want, &mut keep, &mut retire, &mut rooms);
    let missing = (want.size as usize).saturating_sub(keep.len());
    if missing > 0 && rooms.is_empty() {
        return Err(nowhere(want));
    }
    let old = |procs: &[&Proc]| procs.iter().filter_map(|proc| planned_old(want, proc)).collect::<Vec<PlannedProc>>();
    let (keep, mut retire, lost) = (old(&keep), old(&retire), old(&lost));
    let in_place = want.swarm.in_place && !retire.is_empty() && missing > 0;
    let other_pools = orphans::other_pools(want, &retire, &lost, in_place)?;
    let mut places = if in_place { instead_of(&mut retire, &rooms, missing) } else { Vec::new() };
    places.extend(place(&mut rooms, missing - places.len(), want.id)?);
    let mut start: Vec<PlannedProc> =
        places.iter().enumerate().map(|(n, (host, address, port))| planned_new(want, n, host, address, *port)).collect();
    // What went wrong is taken back at once, in one go.
    let canary = want.swarm.canary.filter(|canary| want.verb != "rollback" && !in_place && (*canary as usize) < start.len()).unwrap_or(0);
    let one_by_one = u32::from(in_place && want.swarm.pool.is_some() || want.replace == Replace::All);
    rollout::batches(&mut start, &mut retire, canary, want.swarm.batch.unwrap_or(one_by_one));
    let pool = pool_change(want, &start, &keep, &retire, &lost, in_place)?;
    let send = sends(want, &start);
    let mut plan = Plan {
        id: want.id.to_string(),
        verb: want.verb.to_string(),
        swarm_id: want.swarm_id.to_string(),
        swarm: want.swarm.full_name(),
        swarm_rev: want.swarm_rev,
        app: want.swarm.app.clone(),
        proc_name: want.swarm.proc_name.clone(),
        made_ms: want.now_ms,
        who: want.who.to_string(),
        from: want.running.map(|release| facts(release, None)),
        to: facts(want.release, Some(want.build)),
        size_before: count(mine.len()),
        size: want.size,
        start,
        keep,
        retire,
        lost,
        send,
        pool,
        other_pools,
        uptests: want.release.uptests.clone(),
        listens: want.swarm.must_listen(),
        timing: Timing {
            settle_ms: ms(want.swarm.settle.0),
            uptest_timeout_ms: ms(want.swarm.uptest_timeout.0),
            drain_timeout_ms: ms(want.swarm.drain_timeout.0),
            stop_timeout_ms: ms(want.swarm.stop_timeout.0),
            soak_ms: ms(want.swarm.soak.0),
            lost_after_ms: ms(want.swarm.lost_after.0),
        },
        absent: if want.go_on && want.swarm.absent == Absent::Abort { Absent::GoOn } else { want.swarm.absent },
        canary,
        in_place,
        changes: changes(want.running, want.release, want.layer, want.show),
        hosts: Vec::new(),
        warnings: Vec::new(),
        back: String::new(),
        held: Vec::new(),
        build_reused: want.build_reused,
    };
    plan.hosts = host_lines(want, &plan);
    plan.warnings = warnings(want, &plan);
    plan.back = match plan.retire.len() {
        _ if plan.in_place => match &plan.from {
            Some(from) => {
                format!("in place: no exact undo once the first old proc stops; the way back is to dispatch {} again", from.version)
            }
            None => "in place: no exact undo once the first old proc stops".into(),
        },
        0 => "exact undo until it is done".into(),
        n => format!("exact undo until the first old proc stops; the {n} old procs stay warm till then"),
    };
    Ok(plan)
}

/// Every proc that is stamped as this swarm's, wherever it is and whatever it was called then, and orphans that it names.
fn procs_of<'a>(want: &Want<'a>) -> Vec<&'a Proc> {
    let concerned = |proc: &&Proc| !(want.leave_orphans && proc.owner == Owner::Orphan);
    let of = |host: &'a HostSeen| host.procs.iter().filter(|proc| orphans::concerns(proc, &host.squad, want.swarm_id, want.swarm));
    want.world.hosts.values().flat_map(of).filter(concerned).collect()
}

/// DESIGN promise 4: an unreachable host is not empty. With procs of this swarm last seen there the swarm's rule decides: there is
/// no plan, or it goes on without these hosts.
fn away<'a>(want: &'a Want, mine: &[&Proc]) -> Result<BTreeSet<&'a str>> {
    let mut away = BTreeSet::new();
    let answering = want.hosts.iter().filter(|host| want.world.hosts.get(&host.name).is_some_and(|seen| seen.is_ok())).count();
    let needed = if want.go_on { want.swarm.absent.hosts_needed().or(Some(1)) } else { want.swarm.absent.hosts_needed() };
    for host in want.world.hosts.values().filter(|host| !host.is_ok()) {
        let procs = mine.iter().filter(|proc| proc.host == host.name).count();
        let in_squad = want.hosts.iter().any(|squad_host| squad_host.name == host.name);
        let never_seen = in_squad && host.seen_ms == 0;
        if procs == 0 && !never_seen {
            continue;
        }
        if needed.is_some_and(|needed| answering >= needed as usize) {
            away.insert(host.name.as_str());
            continue;
        }
        let reason = match &host.state {
            HostState::Unreachable(why) | HostState::Degraded(why) => why.clone(),
            _ => "it was never seen".into(),
        };
        let what = if procs > 0 {
            format!("{} procs of {} were last seen on it and it cannot be asked now: {reason}", procs, want.swarm.full_name())
        } else {
            format!("it has never been seen, so nobody knows what runs on it: {reason}")
        };
        return Err(Fault::unreachable(what).on(&host.name).at("plan").next(match needed {
            Some(needed) => format!(
                "bring it back: its rule is `absent: {}`, {answering} hosts of squad {} answer and {needed} must",
                want.swarm.absent, want.swarm.squad
            ),
            None => format!(
                "bring it back (swarmdeck hosts check {}), go on without it (swarmdeck hosts re-place {}), or say `absent: go-on`",
                host.name, host.name
            ),
        }));
    }
    Ok(away)
}

/// In place every new proc takes the place and port of an old one; the old ones are put into that order.
fn instead_of(retire: &mut Vec<PlannedProc>, rooms: &[Room], missing: usize) -> Vec<(String, String, u16)> {
    let room = |proc: &PlannedProc| rooms.iter().find(|room| room.host == proc.host);
    retire.sort_by_key(|proc| room(proc).is_none());
    retire.iter().take(missing).filter_map(|proc| room(proc).map(|room| (proc.host.clone(), room.address.clone(), proc.port))).collect()
}

/// There is no room at all: why, host by host.
fn nowhere(want: &Want) -> Fault {
    let why = |host: &Host| match want.world.hosts.get(&host.name).map(|seen| &seen.state) {
        _ if !host.active => format!("{} is out of service or held", host.name),
        _ if want.indebted.contains(&host.name) => format!("{} owes something first (swarmdeck upkeep)", host.name),
        _ if want.replace == Replace::Host(&host.name) => format!("{} is being emptied", host.name),
        Some(HostState::Unreachable(why) | HostState::Degraded(why)) => format!("{}: {why}", host.name),
        _ => format!("{} was never seen", host.name),
    };
    let hosts: Vec<String> = want.hosts.iter().map(why).collect();
    Fault::refused(format!("no host of squad {} can take procs: {}", want.swarm.squad, hosts.join("; ")))
        .at("plan")
        .next("swarmdeck hosts, then bring one back or add one to the squad")
}

fn is_current(want: &Want, proc: &Proc) -> bool {
    let alive = matches!(proc.state, ProcState::Running | ProcState::Starting);
    let replaced = want.replace == Replace::All || want.replace == Replace::Host(&proc.host) || want.indebted.contains(&proc.host);
    let alive = alive && !replaced && proc.owner == Owner::Ours;
    alive && proc.release == want.release.id && want.hosts.iter().any(|host| host.name == proc.host)
}

/// The rooms of every active host that answers.
fn rooms(want: &Want, keep: &[&Proc]) -> Vec<Room> {
    let nothing = BTreeSet::new();
    let usable =
        want.hosts.iter().filter(|host| host.active && !want.indebted.contains(&host.name) && want.replace != Replace::Host(&host.name));
    usable
        .filter_map(|host| {
            let seen = want.world.hosts.get(&host.name).filter(|seen| seen.is_ok())?;
            let mut used: BTreeSet<u16> = seen.procs.iter().filter_map(|proc| proc.port).collect();
            used.extend(&seen.listening);
            // A node without its proc would route to whatever gets that port.
            used.extend(orphans::routed_ports(want.world, &seen.address));
            used.extend(want.leased.get(&host.name).unwrap_or(&nothing));
            Some(Room {
                host: host.name.clone(),
                address: seen.address.clone(),
                own: keep.iter().filter(|proc| proc.host == host.name).count(),
                all: seen.procs.len(),
                memory_free: seen.memory_free.unwrap_or(0),
                ports: host.ports,
                used,
            })
        })
        .collect()
}

/// Too many of the right release: the busiest host gives first, an unrouted proc before a routed one (VR-48, W7).
fn scale_down<'a>(want: &Want, keep: &mut Vec<&'a Proc>, retire: &mut Vec<&'a Proc>, rooms: &mut [Room]) {
    while keep.len() > want.size as usize {
        let own = |host: &str, keep: &[&Proc]| keep.iter().filter(|proc| proc.host == host).count();
        let all = |host: &str| rooms.iter().find(|room| room.host == host).map_or(usize::MAX, |room| room.all);
        let victim = keep
            .iter()
            .enumerate()
            .max_by_key(|(_, proc)| {
                (proc.routed == Some(false), own(&proc.host, keep), all(&proc.host), proc.host.clone(), proc.name.clone())
            })
            .map(|(n, _)| n);
        let Some(victim) = victim else { return };
        let gone = keep.remove(victim);
        if let Some(room) = rooms.iter_mut().find(|room| room.host == gone.host) {
            room.own = room.own.saturating_sub(1);
            room.all = room.all.saturating_sub(1);
        }
        retire.push(gone);
    }
}

fn planned_new(want: &Want, n: usize, host: &str, address: &str, port: u16) -> PlannedProc {
    let name = ProcName {
        app: want.swarm.app.clone(),
        version: want.release.version.clone(),
        config: want.swarm.config_name.clone(),
        release: want.release.id.clone(),
        proc: want.swarm.proc_name.clone(),
        port,
    };
    PlannedProc {
        host: host.to_string(),
        name: name.format(),
        port,
        node: format!("{address}:{port}"),
        instance: format!("{}-{}", want.id, n + 1),
        pid: None,
        release: want.release.id.clone(),
        batch: 0,
    }
}

fn planned_old(want: &Want, proc: &Proc) -> Option<PlannedProc> {
    // One that was adopted may have none.
    let port = proc.port.unwrap_or(0);
    let address = &want.world.hosts.get(&proc.host)?.address;
    Some(PlannedProc {
        host: proc.host.clone(),
        name: proc.name.clone(),
        port,
        node: format!("{address}:{port}"),
        instance: proc.stamp.as_ref().map(|stamp| stamp.instance.clone()).unwrap_or_default(),
        pid: proc.pid,
        release: proc.release.clone(),
        batch: 0,
    })
}

/// Only procs that this dispatch proves are in the pool after it (VR-45); both old and new while it moves.
fn pool_change(
    want: &Want,
    start: &[PlannedProc],
    keep: &[PlannedProc],
    retire: &[PlannedProc],
    lost: &[PlannedProc],
    in_place: bool,
) -> Result<Option<PoolChange>> {
    let Some(pool) = want.swarm.pool.clone() else { return Ok(None) };
    let Some(balancer) = want.swarm.balancer.clone() else {
        return Err(Fault::bad(format!("{} has a pool but no balancer", want.swarm.full_name())).next("give it `balancer:`"));
    };
    let seen = want.world.pool(&balancer, &pool);
    if let Some(trouble) = seen.and_then(|seen| seen.trouble.first()) {
        return Err(Fault::refused(format!("pool {pool}@{balancer} cannot be trusted as it is: {trouble}"))
            .at("plan")
            .next("mend the balancer host, then plan again"));
    }
    let left_out = left_out(want, seen)?;
    let before: BTreeSet<String> = seen.map(|seen| seen.nodes.clone()).unwrap_or_default();
    let after: BTreeSet<String> = start.iter().chain(keep).map(|proc| proc.node.clone()).collect();
    let list = |nodes: BTreeSet<String>| nodes.into_iter().collect();
    let probe = want.swarm.probe.clone().filter(|_| seen.is_some_and(|seen| seen.moves_traffic) && want.size > 0);
    let mut change = PoolChange { balancer, pool, before: list(before), after: list(after), stages: Vec::new(), left_out, probe };
    rollout::stages(&mut change, start, keep, retire, lost, in_place);
    let emptied = |stage: &super::PoolStage| stage.drain.is_empty() || stage.route.is_empty();
    if in_place && want.size > 0 && change.stages.iter().any(emptied) {
        return Err(Fault::refused(format!(
            "in place, with one batch of {} procs, nobody would serve in pool {}@{} meanwhile",
            start.len(),
            change.pool,
            change.balancer
        ))
        .at("plan")
        .next("give it `batch:` smaller than its size, a size of two or more, or take `in_place` away"));
    }
    Ok(Some(change))
}

/// Balancer hosts that this dispatch goes without, by the swarm's rule; at least one must always answer.
fn left_out(want: &Want, seen: Option<&PoolSeen>) -> Result<Vec<String>> {
    let Some(seen) = seen else { return Ok(Vec::new()) };
    let away: Vec<(&String, &String)> = seen.hosts.iter().filter_map(|host| Some((&host.host, host.away.as_ref()?))).collect();
    let Some((host, why)) = away.first() else { return Ok(Vec::new()) };
    let answering = seen.hosts.iter().filter(|host| host.counts()).count();
    let needed = if want.go_on { want.swarm.absent.hosts_needed().or(Some(1)) } else { want.swarm.absent.hosts_needed() };
    if answering > 0 && needed.is_some_and(|needed| answering >= seen.hosts.len().min(needed as usize)) {
        return Ok(away.into_iter().map(|(host, _)| host.clone()).collect());
    }
    Err(Fault::unreachable(format!("pool {}@{} cannot be changed there: {why}", seen.pool, seen.balancer)).on(host).at("plan").next(
        format!(
            "bring it back: the swarm's rule is `absent: {}`, {answering} of {} hosts of balancer {} answer",
            want.swarm.absent,
            seen.hosts.len(),
            seen.balancer
        ),
    ))
}

fn sends(want: &Want, start: &[PlannedProc]) -> Vec<Send> {
    let hosts: BTreeSet<&String> = start.iter().map(|proc| &proc.host).collect();
    let holds = |host: &String| want.world.hosts.get(host).is_some_and(|seen| seen.builds.contains(&want.release.artifact));
    hosts.into_iter().map(|host| Send { host: host.clone(), bytes: if holds(host) { 0 } else { want.build.size } }).collect()
}

fn facts(release: &Release, build: Option<&Build>) -> ReleaseFacts {
    ReleaseFacts {
        release: release.id.clone(),
        version: release.version.clone(),
        commit: release.commit.clone(),
        build: release.build.clone(),
        artifact: release.artifact.clone(),
        size: build.map_or(0, |build| build.size),
    }
}

fn host_lines(want: &Want, plan: &Plan) -> Vec<HostLine> {
    let ports = |procs: &[PlannedProc], host: &str| procs.iter().filter(|proc| proc.host == host).map(|proc| proc.port).collect::<Vec<_>>();
    let squad = want.hosts.iter().map(|host| {
        let seen = want.world.hosts.get(&host.name);
        let send = plan.send.iter().find(|send| send.host == host.name);
        let (note, warn) = match seen.map(|seen| &seen.state) {
            Some(HostState::Unreachable(why)) => (format!("unreachable: {why}"), true),
            Some(HostState::Degraded(why)) => (why.clone(), true),
            None | Some(HostState::Unseen) => ("never seen".into(), true),
            Some(HostState::Ok) if !host.active => ("out of service".into(), false),
            Some(HostState::Ok) if send.is_some_and(|send| send.bytes == 0) => ("has this build".into(), false),
            Some(HostState::Ok) => (String::new(), false),
        };
        HostLine {
            host: host.name.clone(),
            start: ports(&plan.start, &host.name),
            retire: ports(&plan.retire, &host.name),
            keep: ports(&plan.keep, &host.name),
            memory_free: seen.and_then(|seen| seen.memory_free),
            send: send.map_or(0, |send| send.bytes),
            note,
            warn,
        }
    });
    squad.chain(orphans::other_hosts(want, plan, &ports)).collect()
}

fn warnings(want: &Want, plan: &Plan) -> Vec<String> {
    let mut all = Vec::new();
    if plan.uptests.is_empty() && want.size > 0 {
        all.push(format!("{} has no uptests for {}: only RUNNING and its port are proven", plan.app, plan.proc_name));
    }
    if plan.in_place {
        all.push(
            "in place: old procs stop before new ones start; a failure leaves old and new side by side, there is no exact undo".into(),
        );
    }
    if !plan.lost.is_empty() {
        let hosts: BTreeSet<&str> = plan.lost.iter().map(|proc| proc.host.as_str()).collect();
        all.push(format!(
            "{} procs on {} are not seen: their nodes leave the pool, and they are to be retired when it is back",
            plan.lost.len(),
            hosts.into_iter().collect::<Vec<_>>().join(", ")
        ));
    }
    if want.size == 0 && plan.pool.is_some() {
        all.push("size 0: the pool will be empty and nobody serves".into());
    }
    let seen = plan.pool.as_ref().and_then(|pool| Some((pool, want.world.pool(&pool.balancer, &pool.pool)?)));
    if let Some((pool, seen)) = seen {
        all.extend(pool_warnings(pool, seen, want.size));
    }
    all.extend(orphans::warnings(want, plan));
    all
}

/// What an operator should know of the pool before it is changed.
fn pool_warnings(pool: &PoolChange, seen: &PoolSeen, size: u32) -> Vec<String> {
    let name = format!("{}@{}", pool.pool, pool.balancer);
    let mut all = Vec::new();
    if seen.moves_traffic && pool.probe.is_none() && size > 0 {
        all.push(format!("nothing is asked through {} once {} is routed: the swarm has no `probe:`", pool.balancer, pool.pool));
    }
    for host in &seen.hosts {
        if let Some(edit) = &host.edited_by_hand {
            let kept = "what it says of nodes that stay is kept";
            all.push(format!("pool {name} was edited by hand on {}: {}; {kept}", host.host, edit.what));
        }
        if let (Some(owed), None) = (&host.owed, &host.away) {
            all.push(format!("{} is brought right before anything else: {owed}", host.host));
        }
    }
    let back: Vec<String> = seen.taken_out().into_iter().filter(|node| pool.after.contains(node)).collect();
    if !back.is_empty() {
        all.push(format!("taken out of pool {name}, and back in it after this: {}", back.join(" ")));
    }
    all.extend(pool.left_out.iter().map(|host| format!("{host} is away and left out: it is owed this change of pool {name}")));
    all
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "make_tests.rs"]
mod tests;
