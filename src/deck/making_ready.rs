//! What a dispatch needs before it begins: its release, epochs that were seen, ports, the pool as it is, hands, its header.

use super::hearing::DeckEar;
use super::leasing::Held;
use super::{Catalog, Deck};
use crate::balancers::Snapshot;
use crate::dispatch::hands::{OtherPool, Reach, RealHands};
use crate::dispatch::machine;
use crate::dispatch::rules;
use crate::hosts::Link;
use crate::model::record::{Audit, Dispatch, Phase};
use crate::model::release::Release;
use crate::model::world::World;
use crate::model::{Fault, Result};
use crate::plan::Plan;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A link by which a dispatch acts: a debug build can be made to stop there.
fn acting(link: Arc<dyn Link>) -> Arc<dyn Link> {
    #[cfg(debug_assertions)]
    let link = crate::dispatch::stop_at::watched(link);
    link
}

impl Deck {
    pub(super) async fn release_of(&self, plan: &Plan) -> Result<Arc<Release>> {
        let release = self.store.release(&plan.to.release).await?;
        Ok(Arc::new(release.ok_or_else(|| Fault::failed(format!("release {} is not kept any more", plan.to.release)).next("plan again"))?))
    }

    /// The highest epoch that any host or balancer host of the plan has seen; one that does not answer says nothing here, and its
    /// own step fails.
    pub(super) async fn highest_fence(&self, catalog: &Catalog, plan: &Plan, world: &World) -> u64 {
        let mut highest = rules::highest_fence(&plan.known_hosts(), &plan.swarm_id, world);
        if let Some(pool) = &plan.pool
            && let Ok(opened) = self.open_change(catalog, pool, |link| link).await
        {
            let fence = self.pool_fence(&opened, &pool.balancer, &pool.pool, 0);
            highest = highest.max(opened.balancer.raise(&fence).await.unwrap_or(0));
        }
        for pool in &plan.other_pools {
            if let Ok(opened) = self.open_balancer(catalog, &pool.balancer).await {
                highest = highest.max(self.pool_epoch(&opened, &pool.balancer, &pool.pool).await.unwrap_or(0));
            }
        }
        highest
    }

    /// Port leases, and the pool as it is before, byte for byte.
    pub(super) async fn reserve(&self, catalog: &Catalog, plan: &Plan, held: &Held) -> Result<Snapshot> {
        let mut ports: BTreeMap<String, Vec<u16>> = BTreeMap::new();
        for proc in &plan.start {
            ports.entry(catalog.host(&proc.host)?.id).or_default().push(proc.port);
        }
        for (host_id, ports) in &ports {
            self.store.take_ports(host_id, ports, &plan.id).await?;
        }
        for pool in &plan.other_pools {
            let opened = self.open_balancer(catalog, &pool.balancer).await?;
            let before = Snapshot::of(&opened.balancer.nodes(&pool.pool).await?);
            let name = format!("{}/{}", plan.id, pool.place());
            self.store.keep_under(&held.lease(), "pool before", &name, &before, self.now_ms()).await?;
        }
        let Some(pool) = &plan.pool else { return Ok(Snapshot::default()) };
        let opened = self.open_change(catalog, pool, |link| link).await?;
        let before = Snapshot::of(&opened.balancer.nodes(&pool.pool).await?);
        self.store.keep_under(&held.lease(), "pool before", &plan.id, &before, self.now_ms()).await?;
        self.owe_pool(plan).await?;
        Ok(before)
    }

    /// The hands of a dispatch, with the way to each host open. With `all` every host must be there; without, the steps of one that
    /// is not fail by themselves, so that the rest can still be finished or undone.
    pub(super) async fn hands(
        &self,
        catalog: &Catalog,
        plan: &Arc<Plan>,
        release: &Arc<Release>,
        held: &Held,
        before: Snapshot,
        all: bool,
    ) -> Result<RealHands> {
        let mut hosts = BTreeMap::new();
        for name in plan.known_hosts() {
            let reached = async {
                let host = catalog.host(&name)?;
                let link = acting(self.links.link(&host).await?);
                let address = self.address(&host).await;
                Ok::<_, Fault>(Reach { host, link, address })
            };
            match reached.await {
                Ok(reach) => drop(hosts.insert(name, reach)),
                Err(fault) if all && plan.touched_hosts().contains(&name) => return Err(fault),
                Err(_) => {}
            }
        }
        let opened = match &plan.pool {
            Some(pool) => Some(self.open_change(catalog, pool, acting).await?),
            None => None,
        };
        let mut others = Vec::new();
        for change in &plan.other_pools {
            let opened = self.open_balancer(catalog, &change.balancer).await?;
            let before: Option<Snapshot> = self.store.kept("pool before", &format!("{}/{}", plan.id, change.place())).await?;
            // An empty one would leave alone what is to be put back.
            let before = before.ok_or_else(|| Fault::failed(format!("what pool {} held before is not kept any more", change.place())))?;
            others.push(OtherPool { change: change.clone(), root: opened.root(), balancer: opened.balancer, before });
        }
        let artifact =
            crate::build::Artifacts::of(&self.workspace)?.open(&release.artifact).unwrap_or_else(|_| PathBuf::from("/nonexistent"));
        Ok(RealHands {
            plan: Arc::clone(plan),
            release: Arc::clone(release),
            installation: self.store.installation().to_string(),
            epoch: held.epoch(),
            hosts,
            balancer_root: opened.as_ref().map(super::balancing::Opened::root).unwrap_or_default(),
            balancer: opened.map(|opened| opened.balancer),
            before,
            others,
            artifact,
            ear: Arc::new(DeckEar { deck: self.clone(), plan: Arc::clone(plan) }),
        })
    }

    pub(super) fn header(&self, plan: &Plan, swarm: &str, why: &str) -> Dispatch {
        Dispatch {
            id: plan.id.clone(),
            number: 0,
            swarm_id: plan.swarm_id.clone(),
            swarm: swarm.to_string(),
            verb: plan.verb.clone(),
            who: self.who.clone(),
            why: why.to_string(),
            from_version: plan.from.as_ref().map(|from| from.version.clone()).unwrap_or_default(),
            to_version: plan.to.version.clone(),
            from_release: plan.from.as_ref().map(|from| from.release.clone()).unwrap_or_default(),
            to_release: plan.to.release.clone(),
            phase: Phase::Fence,
            undoing: false,
            outcome: None,
            fault: None,
            debts: Vec::new(),
            steps: machine::steps(plan),
            started_ms: self.now_ms(),
            ended_ms: 0,
            holder: self.holder.clone(),
        }
    }

    pub(super) async fn audit_of(&self, dispatch: &Dispatch, result: &str) -> Result<()> {
        let audit = Audit {
            at_ms: self.now_ms(),
            who: self.who.clone(),
            verb: dispatch.verb.clone(),
            object: dispatch.swarm.clone(),
            run: dispatch.id.clone(),
            result: result.into(),
            why: dispatch.why.clone(),
            ..Audit::default()
        };
        self.store.note(&[], Some(&audit)).await
    }
}
