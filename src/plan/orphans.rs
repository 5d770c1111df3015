//! What a dispatch does with procs that its swarm has lost sight of: the swarm was renamed or moved, or is made anew (W1, seed 003).

use super::make::Want;
use super::types::{HostLine, Plan, PlannedProc, PoolChange};
use crate::model::entity::Swarm;
use crate::model::world::{Owner, Proc, World};
use crate::model::{Fault, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Whether a swarm's dispatch has to do with a proc on a host of `squad`: it carries the swarm's stamp, whatever it was called
/// then; or it is an orphan that was deployed as exactly what the swarm is now. Nothing foreign ever does.
pub fn concerns(proc: &Proc, squad: &str, swarm_id: &str, swarm: &Swarm) -> bool {
    let Some(stamp) = proc.stamp.as_ref().filter(|_| proc.owner != Owner::Foreign) else { return false };
    let named = proc.app == swarm.app && proc.config == swarm.config_name && proc.proc == swarm.proc_name && squad == swarm.squad;
    stamp.swarm == swarm_id || (proc.owner == Owner::Orphan && named)
}

/// Pools besides the swarm's own that procs which go are nodes of: they leave those that belong to nobody. In a pool of another
/// swarm only that swarm's own dispatch may change what is routed.
pub(super) fn other_pools(want: &Want, retire: &[PlannedProc], lost: &[PlannedProc], in_place: bool) -> Result<Vec<PoolChange>> {
    let own = want.swarm.balancer.as_ref().zip(want.swarm.pool.as_ref());
    let mut all = Vec::new();
    for seen in want.world.pools.iter().filter(|seen| own != Some((&seen.balancer, &seen.pool))) {
        let gone: BTreeSet<&String> = retire.iter().chain(lost).map(|proc| &proc.node).filter(|node| seen.nodes.contains(*node)).collect();
        let Some(first) = gone.first() else { continue };
        if !want.former.contains(&(seen.balancer.clone(), seen.pool.clone())) {
            return Err(Fault::refused(format!("{first} would go, and is in pool {}@{} of another swarm", seen.pool, seen.balancer))
                .at("plan")
                .next("dispatch the swarm that has that pool first: its plan takes the node out, then it is drained"));
        }
        if in_place {
            return Err(Fault::refused(format!(
                "in place {first} would stop before anything serves instead of it, and is still in pool {}@{}",
                seen.pool, seen.balancer
            ))
            .at("plan")
            .next("take `in_place` away for this dispatch"));
        }
        if let Some(trouble) = seen.trouble.first() {
            return Err(Fault::refused(format!("pool {}@{} cannot be trusted as it is: {trouble}", seen.pool, seen.balancer))
                .at("plan")
                .next("mend the balancer host, then plan again"));
        }
        let before: Vec<String> = seen.nodes.iter().cloned().collect();
        let after = before.iter().filter(|node| !gone.contains(*node)).cloned().collect();
        all.push(PoolChange { balancer: seen.balancer.clone(), pool: seen.pool.clone(), before, after, ..PoolChange::default() });
    }
    Ok(all)
}

/// Ports at an address that some pool has a node for.
pub(super) fn routed_ports(world: &World, address: &str) -> BTreeSet<u16> {
    let nodes = world.pools.iter().flat_map(|pool| &pool.nodes).filter_map(|node| node.rsplit_once(':'));
    nodes.filter(|(at, _)| *at == address).filter_map(|(_, port)| port.parse().ok()).collect()
}

/// The lines of hosts that are not of the squad and lose procs.
pub(super) fn other_hosts<'a>(want: &'a Want, plan: &Plan, ports: &impl Fn(&[PlannedProc], &str) -> Vec<u16>) -> Vec<HostLine> {
    let others = plan.touched_hosts().into_iter().filter(|name| !want.hosts.iter().any(|host| host.name == *name));
    others
        .map(|host| HostLine {
            start: Vec::new(),
            retire: ports(&plan.retire, &host),
            keep: Vec::new(),
            memory_free: want.world.hosts.get(&host).and_then(|seen| seen.memory_free),
            send: 0,
            note: format!("not in squad {}", want.swarm.squad),
            warn: false,
            host,
        })
        .collect()
}

/// What an operator should know about procs of an earlier name, and about pools that they leave.
pub(super) fn warnings(want: &Want, plan: &Plan) -> Vec<String> {
    let going: BTreeSet<(&str, &str)> = plan.retire.iter().map(|proc| (proc.host.as_str(), proc.name.as_str())).collect();
    let mut earlier: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for host in want.world.hosts.values() {
        for proc in
            host.procs.iter().filter(|proc| proc.owner == Owner::Orphan && going.contains(&(proc.host.as_str(), proc.name.as_str())))
        {
            let name = format!("{}-{}-{}@{}", proc.app, proc.config, proc.proc, host.squad);
            earlier.entry(name).or_default().push(&host.name);
        }
    }
    let orphans = earlier
        .iter()
        .map(|(name, hosts)| format!("retires {} orphans that were deployed as {name}: on {}", hosts.len(), hosts.join(", ")));
    let pools = plan.other_pools.iter().map(|pool| {
        let left = if pool.after.is_empty() { "is empty then".to_string() } else { format!("keeps {}", pool.after.len()) };
        format!("pool {}@{}, which no swarm has any more, loses {} nodes and {left}", pool.pool, pool.balancer, pool.removed().len())
    });
    orphans.chain(pools).collect()
}
