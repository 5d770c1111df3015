//! The real hands: what each step of a dispatch does to hosts and balancers, and how it is taken back. Every one is idempotent.

use super::driver::Hands;
use super::machine::StepName;
use super::prove;
use crate::balancers::{self, Asks, Balancer, Snapshot};
use crate::hosts::Link;
use crate::hosts::procs::{self, Evidence, Fence, Guard, ProcSpec, Target};
use crate::model::entity::Host;
use crate::model::record::Phase;
use crate::model::release::Release;
use crate::model::{Fault, Result};
use crate::plan::{Plan, PlannedProc, PoolChange};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A host of the plan and the way to it.
#[derive(Clone)]
pub struct Reach {
    pub host: Host,
    pub link: Arc<dyn Link>,
    /// As uptests and balancers know it.
    pub address: String,
}

/// Who hears what happens while steps are carried out: lines for people, and what outlives a proc.
#[async_trait]
pub trait Ear: Send + Sync {
    /// One line: where, what.
    async fn line(&self, place: &str, what: String);
    /// The result of one uptest.
    async fn uptest(&self, place: &str, proc: &str, result: &crate::uptest::UptestResult);
    /// What a removed proc left behind; once this is done it is deleted on the host.
    async fn evidence(&self, evidence: &Evidence) -> Result<()>;
}

/// A pool besides the plan's own that procs which go are taken out of.
pub struct OtherPool {
    pub change: PoolChange,
    pub balancer: Arc<dyn Balancer>,
    pub root: String,
    /// As it was before, byte for byte.
    pub before: Snapshot,
}

/// Everything that the steps of one dispatch need.
pub struct RealHands {
    pub plan: Arc<Plan>,
    pub release: Arc<Release>,
    pub installation: String,
    pub epoch: u64,
    /// By host name.
    pub hosts: BTreeMap<String, Reach>,
    pub balancer: Option<Arc<dyn Balancer>>,
    pub balancer_root: String,
    /// The pool as it was before, byte for byte.
    pub before: Snapshot,
    /// The pools besides it that the plan takes nodes out of.
    pub others: Vec<OtherPool>,
    /// The artifact's file in the local store.
    pub artifact: PathBuf,
    pub ear: Arc<dyn Ear>,
}

#[async_trait]
impl Hands for RealHands {
    async fn carry(&self, step: &StepName, lost: &BTreeSet<String>, give_up: watch::Receiver<bool>) -> Result<String> {
        match step.phase {
            Phase::Fence => self.raise(&step.place).await,
            Phase::Distribute => self.distribute(&step.place).await,
            Phase::Start => self.start(step).await,
            Phase::Prove => self.prove(step, give_up).await,
            Phase::Route => self.route(step.batch, lost).await,
            Phase::Drain => match self.other(&step.place) {
                Some((other, fence)) => self.drain_other(other, &fence, give_up).await,
                None => self.drain(step.batch, lost, give_up).await,
            },
            Phase::Promote => self.watch_over(step.batch, true, lost, give_up).await,
            Phase::Soak => self.watch_over(step.batch, false, lost, give_up).await,
            Phase::Retire => self.remove(&step.place, self.old_of(step), "retire").await,
            _ => Ok(String::new()),
        }
    }

    async fn undo(&self, step: &StepName, lost: &BTreeSet<String>) -> Result<String> {
        match step.phase {
            Phase::Start => self.remove(&step.place, self.new_of(step), "undo").await,
            Phase::Route | Phase::Drain => self.put_pool_back(step, lost).await,
            _ => Ok("nothing to take back".into()),
        }
    }
}

impl RealHands {
    fn reach(&self, host: &str) -> Result<&Reach> {
        self.hosts.get(host).ok_or_else(|| Fault::failed(format!("{host} is in the plan but in no squad any more")).on(host))
    }

    fn fence(&self, host: &Host) -> Fence {
        Fence { root: host.root.clone(), installation: self.installation.clone(), key: self.plan.swarm_id.clone(), epoch: self.epoch }
    }

    /// The new procs that a step is about.
    fn new_of(&self, step: &StepName) -> Vec<&PlannedProc> {
        self.plan.start.iter().filter(|proc| proc.host == step.place && proc.batch == step.batch).collect()
    }

    /// The old procs that a step is about: in place those of its batch, else all of the host.
    fn old_of(&self, step: &StepName) -> Vec<&PlannedProc> {
        let of_batch = |proc: &&PlannedProc| !self.plan.in_place || proc.batch == step.batch;
        let here = self.plan.retire.iter().filter(of_batch).chain(&self.plan.lost);
        here.filter(|proc| proc.host == step.place).collect()
    }

    /// New procs up to a batch, without those on lost hosts.
    fn new_until(&self, batch: u32, lost: &BTreeSet<String>) -> Vec<&PlannedProc> {
        self.plan.start.iter().filter(|proc| proc.batch <= batch && !lost.contains(&proc.host)).collect()
    }

    fn stage(&self, batch: u32) -> Result<&crate::plan::PoolStage> {
        let stage = self.plan.pool.as_ref().and_then(|pool| pool.stages.get(batch as usize));
        stage.ok_or_else(|| Fault::failed(format!("the plan says nothing of the pool in batch {}", batch + 1)))
    }

    fn pool(&self) -> Result<(&Arc<dyn Balancer>, &PoolChange, balancers::Fence)> {
        let (Some(balancer), Some(pool)) = (&self.balancer, &self.plan.pool) else {
            return Err(Fault::failed("the plan has a pool and no balancer was opened for it"));
        };
        Ok((balancer, pool, self.pool_fence(pool, &self.balancer_root)))
    }

    fn pool_fence(&self, pool: &PoolChange, root: &str) -> balancers::Fence {
        let (installation, key) = (self.installation.clone(), format!("pool/{}", pool.place()));
        balancers::Fence { installation, key, epoch: self.epoch, root: root.to_string() }
    }

    fn other(&self, place: &str) -> Option<(&OtherPool, balancers::Fence)> {
        let other = self.others.iter().find(|other| other.change.place() == place)?;
        Some((other, self.pool_fence(&other.change, &other.root)))
    }

    async fn raise(&self, place: &str) -> Result<String> {
        if place.contains('/') {
            let (balancer, fence) = match self.other(place) {
                Some((other, fence)) => (&other.balancer, fence),
                None => self.pool().map(|(balancer, _, fence)| (balancer, fence))?,
            };
            let seen = balancer.raise(&fence).await?;
            if seen > self.epoch {
                return Err(Fault::refused(format!("the pool is fenced at epoch {seen}, ours is {}: somebody else took over", self.epoch)));
            }
        } else {
            let reach = self.reach(place)?;
            procs::raise(reach.link.as_ref(), &self.fence(&reach.host)).await?;
        }
        Ok(format!("epoch {}", self.epoch))
    }

    async fn distribute(&self, host: &str) -> Result<String> {
        let reach = self.reach(host)?;
        let (link, root, sha256) = (reach.link.as_ref(), &reach.host.root, &self.release.artifact);
        // Where the plan says that bytes travel, the host said that it does not hold them: it is not asked again.
        let sends = self.plan.send.iter().any(|send| send.host == host && send.bytes > 0);
        if !sends && procs::has(link, root, sha256).await? {
            return Ok("has this build".into());
        }
        procs::send(link, root, sha256, &self.artifact, self.plan.to.size, &|_| {}).await?;
        Ok(format!("{} bytes sent", self.plan.to.size))
    }

    fn specs(&self, reach: &Reach, step: &StepName) -> Vec<ProcSpec> {
        let here = self.new_of(step).into_iter();
        here.map(|proc| ProcSpec {
            name: proc.name.clone(),
            instance: proc.instance.clone(),
            installation: self.installation.clone(),
            swarm_id: self.plan.swarm_id.clone(),
            dispatch_id: self.plan.id.clone(),
            host_name: reach.host.name.clone(),
            port: proc.port,
            release: (*self.release).clone(),
            stop_timeout: Duration::from_millis(self.plan.timing.stop_timeout_ms),
            root: reach.host.root.clone(),
        })
        .collect()
    }

    async fn start(&self, step: &StepName) -> Result<String> {
        let reach = self.reach(&step.place)?;
        let specs = self.specs(reach, step);
        procs::start(reach.link.as_ref(), &self.fence(&reach.host), &reach.host.supervisor, &specs).await?;
        let ports: Vec<String> = specs.iter().map(|spec| format!(":{}", spec.port)).collect();
        Ok(format!("started {}", ports.join(" ")))
    }

    async fn prove(&self, step: &StepName, give_up: watch::Receiver<bool>) -> Result<String> {
        let reach = self.reach(&step.place)?;
        let mut here = self.new_of(step);
        if step.batch == 0 {
            here.extend(self.plan.keep.iter().filter(|proc| proc.host == step.place));
        }
        prove::prove(reach, &here, &self.plan, &self.release, self.ear.as_ref(), give_up).await
    }

    /// Old and new serve together from here; in place the old ones of the batch are gone.
    async fn route(&self, batch: u32, lost: &BTreeSet<String>) -> Result<String> {
        let (balancer, pool, fence) = self.pool()?;
        let nodes = self.plan.proven_of(&self.stage(batch)?.route, lost)?;
        // The old ones may be dead: that may be what this dispatch mends.
        let kept = self.plan.keep.iter();
        balancer.reaches(&kept.chain(self.new_until(batch, lost)).map(|proc| proc.node.clone()).collect()).await?;
        balancer.set(&pool.pool, &nodes, &fence).await?;
        balancer.verify(&pool.pool, &nodes).await?;
        let probed = probe(balancer.as_ref(), pool, &nodes).await?;
        let new = nodes.iter().filter(|node| pool.after.contains(node) && !pool.before.contains(node)).count();
        Ok(format!("{} nodes: {new} new beside {} old{probed}", nodes.len(), nodes.len() - new))
    }

    async fn drain(&self, batch: u32, lost: &BTreeSet<String>, give_up: watch::Receiver<bool>) -> Result<String> {
        let (balancer, pool, fence) = self.pool()?;
        let stage = self.stage(batch)?;
        let nodes = self.plan.proven_of(&stage.drain, lost)?;
        let earlier = match (self.plan.in_place, batch.checked_sub(1)) {
            (false, _) => &stage.route,
            (true, None) => &pool.before,
            (true, Some(earlier)) => &self.stage(earlier)?.route,
        };
        let removed: BTreeSet<String> =
            earlier.iter().filter(|node| pool.before.contains(node) && !nodes.contains(*node)).cloned().collect();
        // A host that is lost may still be in the pool.
        if removed.is_empty() && lost.is_empty() {
            return Ok("nothing to drain".into());
        }
        balancer.set(&pool.pool, &nodes, &fence).await?;
        balancer.verify(&pool.pool, &nodes).await?;
        let probed = probe(balancer.as_ref(), pool, &nodes).await?;
        let drained = self.wait_for(balancer.as_ref(), &pool.pool, &removed, give_up).await?;
        Ok(format!("{drained}{probed}"))
    }

    /// Takes what goes out of a pool besides the plan's own. Two balancers may write one and the same file: what was routed since stays.
    async fn drain_other(&self, other: &OtherPool, fence: &balancers::Fence, give_up: watch::Receiver<bool>) -> Result<String> {
        let pool = &other.change.pool;
        let removed: BTreeSet<String> = other.change.removed().into_iter().cloned().collect();
        let mut nodes = balancers::up(&other.balancer.nodes(pool).await?);
        nodes.retain(|node| !removed.contains(node));
        other.balancer.set(pool, &nodes, fence).await?;
        other.balancer.verify(pool, &nodes).await?;
        self.wait_for(other.balancer.as_ref(), pool, &removed, give_up).await
    }

    /// Until the connections of removed nodes are gone, at most `drain_timeout`.
    async fn wait_for(
        &self,
        balancer: &dyn Balancer,
        pool: &str,
        removed: &BTreeSet<String>,
        give_up: watch::Receiver<bool>,
    ) -> Result<String> {
        let limit = Duration::from_millis(self.plan.timing.drain_timeout_ms);
        let drained = unless(give_up, balancer.drained(pool, removed, limit)).await??;
        Ok(if drained.gone() {
            format!("{} old nodes out, their connections gone", removed.len())
        } else {
            format!("{} old nodes out; drain_timeout ended the wait for: {:?}", removed.len(), drained.left)
        })
    }

    /// Watches the new procs for `soak`, and has them pass their uptests once more at its end. A canary without a soak is watched
    /// until it is promoted by hand.
    async fn watch_over(&self, batch: u32, canary: bool, lost: &BTreeSet<String>, give_up: watch::Receiver<bool>) -> Result<String> {
        let soak = Duration::from_millis(self.plan.timing.soak_ms);
        let by_hand = canary && soak.is_zero();
        let new = self.new_until(batch, lost);
        let watching = self.hosts.iter().filter_map(|(host, reach)| {
            let here: Vec<&PlannedProc> = new.iter().copied().filter(|proc| &proc.host == host).collect();
            (!here.is_empty()).then_some((reach, here))
        });
        let each = watching.map(|(reach, here)| {
            let give_up = give_up.clone();
            async move {
                let limit = (!by_hand).then_some(soak);
                unless(give_up.clone(), prove::stays(reach, &here, limit)).await??;
                prove::uptests(reach, &here, &self.plan, &self.release, self.ear.as_ref(), give_up).await
            }
        });
        futures::future::try_join_all(each).await?;
        Ok(format!("{} procs soaked {}, uptests still pass", new.len(), humantime::format_duration(soak)))
    }

    /// Byte for byte as before; in place, where old procs are gone already, as it was before this step.
    async fn put_pool_back(&self, step: &StepName, lost: &BTreeSet<String>) -> Result<String> {
        if let Some((other, fence)) = self.other(&step.place) {
            other.balancer.restore(&other.change.pool, &other.before, &fence).await?;
            return Ok(format!("pool as before: {} nodes", other.change.before.len()));
        }
        let (balancer, pool, fence) = self.pool()?;
        let nodes = match (self.plan.in_place, step.phase, step.batch.checked_sub(1)) {
            (true, Phase::Route, _) => Some(&self.stage(step.batch)?.drain),
            (true, _, Some(earlier)) => Some(&self.stage(earlier)?.route),
            _ => None,
        };
        let Some(nodes) = nodes else {
            balancer.restore(&pool.pool, &self.before, &fence).await?;
            return Ok(format!("pool as before: {} nodes", pool.before.len()));
        };
        let nodes = self.plan.served_before(nodes, step.batch, lost)?;
        balancer.set(&pool.pool, &nodes, &fence).await?;
        Ok(format!("pool as before this batch: {} nodes", nodes.len()))
    }

    async fn remove(&self, host: &str, here: Vec<&PlannedProc>, step: &str) -> Result<String> {
        let reach = self.reach(host)?;
        let stop_timeout = Duration::from_millis(self.plan.timing.stop_timeout_ms);
        let target = |proc: &&PlannedProc| Target { name: proc.name.clone(), guard: Guard::Instance(proc.instance.clone()), stop_timeout };
        let targets: Vec<Target> = here.iter().map(target).collect();
        let left = procs::remove(reach.link.as_ref(), &self.fence(&reach.host), &reach.host.supervisor, step, &targets).await?;
        let mut stored = Vec::new();
        for evidence in left.iter().filter(|evidence| evidence.found) {
            // What cannot be stored now stays on the host, for whoever looks there next.
            if self.ear.evidence(evidence).await.is_ok() {
                stored.push(evidence);
            }
        }
        procs::forget(reach.link.as_ref(), &reach.host.root, &stored).await.ok();
        let ports: Vec<String> = here.iter().map(|proc| format!(":{}", proc.port)).collect();
        Ok(format!("removed {}", ports.join(" ")))
    }
}

/// The swarm's own request through every balancer host; what was answered, as the end of a line. While the pool holds old nodes one
/// good answer is enough, because they may be what this dispatch mends; where all of it was proven, every answer must be good.
async fn probe(balancer: &dyn Balancer, pool: &crate::plan::PoolChange, nodes: &BTreeSet<String>) -> Result<String> {
    let Some(probe) = pool.probe.as_ref().filter(|_| !nodes.is_empty()) else { return Ok(String::new()) };
    let a_round = u32::try_from(nodes.len()).unwrap_or(u32::MAX).clamp(1, 8);
    let proven = nodes.iter().all(|node| pool.after.contains(node));
    let asks = if proven { Asks::Each(a_round) } else { Asks::Any(2 * a_round) };
    Ok(balancer.probe(probe, asks).await?.map(|said| format!("; probed: {said}")).unwrap_or_default())
}

/// Waits, unless the dispatch turns round first.
pub(super) async fn unless<T>(mut give_up: watch::Receiver<bool>, wait: impl Future<Output = T>) -> Result<T> {
    tokio::select! {
        gone = async { give_up.wait_for(|gone| *gone).await.is_ok() }, if true => {
            if gone { return Err(Fault::interrupted("the wait was given up: the dispatch turned round")); }
            Err(Fault::interrupted("the wait was given up"))
        }
        done = wait => Ok(done),
    }
}
