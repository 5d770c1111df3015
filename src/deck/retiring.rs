//! `retire` of one proc, stray node or stray port lease: out of every pool, drained, its evidence kept, stopped, removed (VR-93).

use super::strays::{StrayPlan, lease_of_pool, no_stray};
use super::{Catalog, Deck};
use crate::balancers;
use crate::hosts::procs::{self, Fence, Guard, Target};
use crate::model::stray::StrayKind;
use crate::model::world::{Owner, Proc, World};
use crate::model::{Fault, Result};
use std::collections::BTreeSet;
use std::time::Duration;

/// What goes.
pub(super) struct Gone {
    /// A proc, with its host.
    proc: Option<Proc>,
    /// (balancer, pool, node) that are taken out first.
    nodes: Vec<(String, String, String)>,
    /// The dispatch whose port leases are given back.
    lease: Option<String>,
    /// How long the connections of what goes may take.
    drain: Duration,
}

impl Deck {
    /// What would be done, and to what.
    pub(super) async fn retirement(&self, catalog: &Catalog, world: &World, plan: StrayPlan) -> Result<(StrayPlan, Gone)> {
        if let Some(proc) = world.hosts.get(&plan.place).and_then(|host| host.procs.iter().find(|proc| proc.name == plan.name)) {
            return self.retire_proc(catalog, world, plan.clone(), proc);
        }
        let all = self.strays_in(catalog, world).await?;
        let stray = all.iter().find(|stray| stray.place == plan.place && stray.name == plan.name);
        let stray = stray.ok_or_else(|| no_stray(&plan.place, &plan.name, &all))?;
        let mut gone = Gone { proc: None, nodes: Vec::new(), lease: None, drain: DRAIN };
        let lines = match stray.kind {
            StrayKind::Node => {
                let (pool, balancer) = plan.place.split_once('@').unwrap_or((&plan.place, ""));
                gone.nodes.push((balancer.into(), pool.into(), plan.name.clone()));
                gone.drain = drain_of(catalog, balancer, pool);
                vec![self.out_of(catalog, world, balancer, pool, &plan.name)?]
            }
            StrayKind::Port => {
                let leases = self.store.port_leases().await?;
                let host = catalog.host(&plan.place).map_or(plan.place.clone(), |host| host.id);
                let dispatch = stray.port.and_then(|port| leases.get(&host)?.get(&port).cloned());
                let dispatch = dispatch.ok_or_else(|| no_stray(&plan.place, &plan.name, &all))?;
                let line = format!("give every port back that is leased to dispatch {dispatch}: {}", stray.evidence.join("; "));
                gone.lease = Some(dispatch);
                vec![line]
            }
            _ => return Err(no_stray(&plan.place, &plan.name, &all)),
        };
        Ok((StrayPlan { lines, ..plan }, gone))
    }

    fn retire_proc(&self, catalog: &Catalog, world: &World, plan: StrayPlan, proc: &Proc) -> Result<(StrayPlan, Gone)> {
        let host = world.hosts.get(&proc.host).filter(|host| host.is_ok());
        let host = host.ok_or_else(|| {
            Fault::unreachable("it does not answer now").on(&proc.host).next(format!("swarmdeck hosts check {}", proc.host))
        })?;
        let mut asks = Vec::new();
        if proc.owner == Owner::Foreign {
            let Some(of) = &proc.foreign_of else {
                return Err(Fault::refused(format!(
                    "{} was not made by swarmdeck or Velociraptor; only what they made is retired",
                    proc.name
                ))
                .on(&proc.host)
                .next("remove it with what made it, or: swarmdeck ignore"));
            };
            asks.push(format!("{} is foreign, of {of}: be sure that nobody works with it any more", proc.name));
        }
        let (mut lines, mut gone) = (Vec::new(), Gone { proc: Some(proc.clone()), nodes: Vec::new(), lease: None, drain: DRAIN });
        if let Some(node) = proc.node(&host.address) {
            for pool in world.pools.iter().filter(|pool| pool.nodes.contains(&node)) {
                if let Some(trouble) = pool.trouble.first() {
                    return Err(Fault::refused(format!(
                        "it is in pool {}@{}, which cannot be trusted as it is: {trouble}",
                        pool.pool, pool.balancer
                    )));
                }
                lines.push(self.out_of(catalog, world, &pool.balancer, &pool.pool, &node)?);
                gone.drain = drain_of(catalog, &pool.balancer, &pool.pool);
                gone.nodes.push((pool.balancer.clone(), pool.pool.clone(), node.clone()));
            }
        }
        let pid = proc.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
        let whose = proc.swarm.clone().unwrap_or_else(|| proc.owner.word().to_string());
        lines.push("keep the end of its log, its exit and its spawn error".into());
        lines.push(format!("stop and remove {} on {} ({}{pid}, {whose})", proc.name, proc.host, proc.state.word()));
        Ok((StrayPlan { lines, asks, ..plan }, gone))
    }

    /// The line of a node that goes; a pool is never emptied while its swarm wants procs.
    fn out_of(&self, catalog: &Catalog, world: &World, balancer: &str, pool: &str, node: &str) -> Result<String> {
        let left = world.pool(balancer, pool).map_or(0, |seen| seen.nodes.iter().filter(|other| *other != node).count());
        let has = |swarm: &crate::model::entity::Swarm| swarm.balancer.as_deref() == Some(balancer) && swarm.pool.as_deref() == Some(pool);
        if left == 0
            && let Some(entry) = catalog.swarms.iter().find(|entry| has(&entry.body) && entry.body.size > 0)
        {
            return Err(Fault::refused(format!(
                "{node} is the last node of pool {pool}@{balancer}, and {} wants {} procs",
                entry.name, entry.body.size
            ))
            .next(format!("swarmdeck dispatch {}: it serves first, then this goes", entry.name)));
        }
        Ok(format!("take {node} out of pool {pool}@{balancer}, which keeps {left}, and wait for its connections"))
    }

    /// Carries it out, under the leases of whoever it and its pools belong to.
    pub(super) async fn retire_gone(&self, catalog: &Catalog, world: &World, gone: Gone) -> Result<String> {
        if let Some(dispatch) = &gone.lease {
            self.store.release_ports(dispatch).await?;
            return Ok(format!("the ports of dispatch {dispatch} are free"));
        }
        let mut names: BTreeSet<String> = gone.nodes.iter().map(|(balancer, pool, _)| lease_of_pool(catalog, balancer, pool)).collect();
        let mut seen = 0;
        // The swarm of its stamp, or the host: nobody else changes this proc meanwhile.
        let key = gone.proc.as_ref().map(|proc| self.fence_key(catalog, proc)).transpose()?;
        if let (Some((key, lease)), Some(proc)) = (&key, &gone.proc) {
            names.insert(lease.clone());
            seen = world.hosts.get(&proc.host).and_then(|host| host.fences.get(key)).copied().unwrap_or(0);
        }
        for (balancer, pool, _) in &gone.nodes {
            seen = seen.max(self.pool_epoch(&self.open_counted(catalog, balancer, pool).await?, balancer, pool).await?);
        }
        let what = gone.proc.as_ref().map_or("a node", |proc| proc.name.as_str());
        let held = self.acquire_all(&names, &format!("retire {what}"), seen).await?;
        for (balancer, pool, node) in &gone.nodes {
            let lease = held.get(&lease_of_pool(catalog, balancer, pool)).ok_or_else(|| Fault::failed("a lease is missing"))?;
            lease.may_act()?;
            self.take_out(catalog, balancer, pool, node, lease.epoch(), gone.drain).await?;
        }
        let mut done: Vec<String> = gone.nodes.iter().map(|(balancer, pool, node)| format!("{node} out of {pool}@{balancer}")).collect();
        if let (Some(proc), Some((key, lease))) = (&gone.proc, &key) {
            let held = held.get(lease).ok_or_else(|| Fault::failed("a lease is missing"))?;
            held.may_act()?;
            self.remove_proc(catalog, proc, key, held.epoch()).await?;
            done.push(format!("{} retired; its log is kept", proc.name));
        }
        for (_, held) in held {
            held.release().await?;
        }
        Ok(done.join(", "))
    }

    /// Under whose fence and lease something is done to a proc.
    pub(super) fn fence_key(&self, catalog: &Catalog, proc: &Proc) -> Result<(String, String)> {
        match proc.stamp.as_ref().filter(|_| proc.owner != Owner::Foreign) {
            Some(stamp) => Ok((stamp.swarm.clone(), format!("swarm/{}", stamp.swarm))),
            None => {
                let host = catalog.host(&proc.host)?;
                Ok((host.id.clone(), format!("host/{}", host.id)))
            }
        }
    }

    async fn take_out(&self, catalog: &Catalog, balancer: &str, pool: &str, node: &str, epoch: u64, drain: Duration) -> Result<()> {
        let opened = self.open_counted(catalog, balancer, pool).await?;
        let fence = self.pool_fence(&opened, balancer, pool, epoch);
        let mut nodes = balancers::up(&opened.balancer.nodes(pool).await?);
        if nodes.remove(node) {
            opened.balancer.set(pool, &nodes, &fence).await?;
            opened.balancer.verify(pool, &nodes).await?;
            opened.balancer.drained(pool, &BTreeSet::from([node.to_string()]), drain).await?;
        }
        Ok(())
    }

    async fn remove_proc(&self, catalog: &Catalog, proc: &Proc, key: &str, epoch: u64) -> Result<()> {
        let host = catalog.host(&proc.host)?;
        let link = self.links.link(&host).await?;
        let fence = Fence { root: host.root.clone(), installation: self.store.installation().to_string(), key: key.to_string(), epoch };
        let instance = proc.stamp.as_ref().map(|stamp| stamp.instance.clone()).filter(|instance| !instance.is_empty());
        let guard = instance.map_or(Guard::Any, Guard::Instance);
        let target = Target { name: proc.name.clone(), guard, stop_timeout: self.stop_timeout(catalog, proc) };
        let left = procs::remove(link.as_ref(), &fence, &host.supervisor, "retire", &[target]).await?;
        let left: Vec<_> = left.iter().filter(|evidence| evidence.found).collect();
        for evidence in &left {
            self.keep_evidence(evidence).await?;
        }
        // It is stored; what stays on the host is found again by the next upkeep.
        procs::forget(link.as_ref(), &host.root, &left).await.ok();
        Ok(())
    }
}

/// How long connections may take where no swarm says.
const DRAIN: Duration = Duration::from_secs(30);

/// `drain_timeout` of the swarm that has the pool.
fn drain_of(catalog: &Catalog, balancer: &str, pool: &str) -> Duration {
    let has = |swarm: &crate::model::entity::Swarm| swarm.balancer.as_deref() == Some(balancer) && swarm.pool.as_deref() == Some(pool);
    catalog.swarms.iter().find(|entry| has(&entry.body)).map_or(DRAIN, |entry| entry.body.drain_timeout.0)
}
