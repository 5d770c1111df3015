//! Whether the world moved since a plan was made, in a way that matters to it (DESIGN promise 1).

use super::types::Plan;
use crate::model::world::{Owner, ProcState, World};
use std::collections::BTreeSet;

/// The differences, a sentence each; empty when the plan still holds. `world` is what hosts and balancers report now, `indebted` the
/// hosts that something is owed to: none of the plan's procs serves there before that is paid.
pub fn moved(plan: &Plan, world: &World, indebted: &BTreeSet<String>) -> Vec<String> {
    let mut all = Vec::new();
    let serving: BTreeSet<&String> = plan.start.iter().chain(&plan.keep).map(|proc| &proc.host).collect();
    all.extend(serving.into_iter().filter(|host| indebted.contains(*host)).map(|host| format!("{host} is owed something now")));
    for host in plan.touched_hosts() {
        match world.hosts.get(&host) {
            Some(seen) if seen.is_ok() => {}
            _ => all.push(format!("{host} does not answer any more")),
        }
    }
    for host in plan.lost.iter().map(|proc| &proc.host).collect::<BTreeSet<_>>() {
        if world.hosts.get(host).is_some_and(|seen| seen.is_ok()) {
            all.push(format!("{host} answers again"));
        }
    }
    for old in plan.keep.iter().chain(&plan.retire) {
        let now = world.hosts.get(&old.host).and_then(|seen| seen.procs.iter().find(|proc| proc.name == old.name));
        match now {
            None => all.push(format!("{} is gone from {}", old.name, old.host)),
            Some(proc) if proc.stamp.as_ref().is_some_and(|stamp| stamp.instance != old.instance) => {
                all.push(format!("{} on {} was put there anew by another dispatch", old.name, old.host));
            }
            // One that goes and does not run may have any pid: a proc that dies all the time must not keep its cure from being dispatched.
            Some(proc) if proc.pid != old.pid && (plan.keep.contains(old) || proc.state == ProcState::Running) => {
                all.push(format!("{} on {} was restarted (pid {} then, {} now)", old.name, old.host, pid(old.pid), pid(proc.pid)))
            }
            Some(_) => {}
        }
    }
    let known: BTreeSet<(&str, &str)> =
        plan.keep.iter().chain(&plan.retire).chain(&plan.lost).map(|proc| (proc.host.as_str(), proc.name.as_str())).collect();
    for proc in world.procs() {
        let of_swarm = proc.owner == Owner::Ours && proc.stamp.as_ref().is_some_and(|stamp| stamp.swarm == plan.swarm_id);
        if of_swarm && !known.contains(&(proc.host.as_str(), proc.name.as_str())) {
            all.push(format!("{} appeared on {}", proc.name, proc.host));
        }
    }
    let in_place_of =
        |new: &super::PlannedProc| plan.in_place && plan.retire.iter().any(|old| old.host == new.host && old.port == new.port);
    for new in plan.start.iter().filter(|new| !in_place_of(new)) {
        if world
            .hosts
            .get(&new.host)
            .is_some_and(|seen| seen.listening.contains(&new.port) || seen.procs.iter().any(|proc| proc.port == Some(new.port)))
        {
            all.push(format!("port {} on {} is taken now", new.port, new.host));
        }
    }
    if let Some(pool) = &plan.pool {
        let seen = world.pool(&pool.balancer, &pool.pool);
        let away = seen.iter().flat_map(|seen| &seen.hosts).filter(|host| host.away.is_some() && !pool.left_out.contains(&host.host));
        all.extend(away.map(|host| format!("balancer host {} does not answer any more", host.host)));
    }
    for pool in plan.pool.iter().chain(&plan.other_pools) {
        let now: Vec<String> = world.pool(&pool.balancer, &pool.pool).map(|seen| seen.nodes.iter().cloned().collect()).unwrap_or_default();
        if now != pool.before {
            all.push(format!("pool {}@{} holds [{}] now, [{}] then", pool.pool, pool.balancer, now.join(" "), pool.before.join(" ")));
        }
    }
    all
}

fn pid(pid: Option<u32>) -> String {
    pid.map_or_else(|| "none".into(), |pid| pid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::world::{HostSeen, HostState, Proc, Stamp};
    use crate::plan::PlannedProc;

    #[test]
    fn a_proc_of_the_same_name_that_another_put_there_and_a_new_debt_are_differences() {
        let host = crate::fleet::classify::tests::host();
        let old = PlannedProc {
            host: host.name.clone(),
            name: "p".into(),
            port: 5000,
            node: "h:5000".into(),
            instance: "i1".into(),
            pid: None,
            release: "r".into(),
            batch: 0,
        };
        let plan = Plan { swarm_id: "s1".into(), keep: vec![old.clone()], retire: vec![old], ..Plan::default() };
        let moved_to = |instance: &str, owed: &[&str]| {
            let stamp = Stamp { installation: "me".into(), swarm: "s1".into(), dispatch: "d".into(), instance: instance.into() };
            let proc = Proc { stamp: Some(stamp), ..Proc::unknown(&host.name, "p", Owner::Ours) };
            let seen = HostSeen { state: HostState::Ok, procs: vec![proc], ..crate::fleet::observe::unseen(&host) };
            let world = World { hosts: [(host.name.clone(), seen)].into(), ..World::default() };
            moved(&plan, &world, &owed.iter().map(ToString::to_string).collect())
        };
        assert_eq!(moved_to("i1", &[]), Vec::<String>::new());
        assert!(moved_to("i2", &[]).iter().all(|line| line.contains("put there anew")) && moved_to("i2", &[]).len() == 2);
        assert_eq!(moved_to("i1", &[&host.name]), [format!("{} is owed something now", host.name)]);
    }
}
