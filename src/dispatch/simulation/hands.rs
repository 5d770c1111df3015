//! What each step does in a play: the same calls in the same order as the real hands, on hosts that may fail at any of them.

use super::fleet::{edge_name, host_number, pool_nodes, pool_text};
use super::scenario::{Sabotage, VERSIONS};
use super::scripts::{Expect, Fence};
use super::sim::{Place, Script, Sim};
use super::time::Ms;
use super::truth::By;
use crate::balancers::{Snapshot, Was};
use crate::dispatch::machine::StepName;
use crate::model::record::Phase;
use crate::model::world::ProcState;
use crate::model::{Fault, Result};
use crate::plan::{Plan, PlannedProc, PoolChange, PoolStage};
use futures::future::join_all;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// How often Supervisor is asked while procs settle.
const ASK: Ms = 500;
/// How long a proc may take to become RUNNING, besides `settle`; shorter than the real one, which changes nothing but the time.
const START: Ms = 10_000;

/// Everything that the steps of one dispatch need.
pub struct Hands {
    pub sim: Rc<Sim>,
    pub console: usize,
    pub plan: Rc<Plan>,
    pub by: Rc<By>,
    /// Hosts that could be reached when they were opened.
    pub hosts: BTreeSet<String>,
    /// Balancer hosts that the plan does not leave out.
    pub edges: Vec<usize>,
    pub before: Snapshot,
    pub give_up: Rc<Cell<bool>>,
}

impl Hands {
    pub async fn carry(&self, step: &StepName, lost: &BTreeSet<String>) -> Result<String> {
        match step.phase {
            Phase::Fence => self.raise(&step.place).await,
            Phase::Distribute => self.distribute(&step.place).await,
            Phase::Start => self.start(step).await,
            Phase::Prove => self.prove(step).await,
            Phase::Route => self.route(step.batch, lost).await,
            Phase::Drain => self.drain(step.batch, lost).await,
            Phase::Promote => self.watch_over(step.batch, true, lost).await,
            Phase::Soak => self.watch_over(step.batch, false, lost).await,
            Phase::Retire => self.remove(&step.place, self.old_of(step)).await,
            _ => Ok(()),
        }
        .map(|()| String::new())
    }

    pub async fn undo(&self, step: &StepName, lost: &BTreeSet<String>) -> Result<String> {
        match step.phase {
            Phase::Start => self.remove(&step.place, self.new_of(step)).await,
            Phase::Route | Phase::Drain => self.put_pool_back(step, lost).await,
            _ => Ok(()),
        }
        .map(|()| String::new())
    }

    fn new_of(&self, step: &StepName) -> Vec<PlannedProc> {
        self.plan.start.iter().filter(|proc| proc.host == step.place && proc.batch == step.batch).cloned().collect()
    }
    fn old_of(&self, step: &StepName) -> Vec<PlannedProc> {
        let of_batch = |proc: &&PlannedProc| !self.plan.in_place || proc.batch == step.batch;
        let all = self.plan.retire.iter().filter(of_batch).chain(&self.plan.lost);
        all.filter(|proc| proc.host == step.place).cloned().collect()
    }
    fn new_until(&self, batch: u32, lost: &BTreeSet<String>) -> impl Iterator<Item = &PlannedProc> {
        self.plan.start.iter().filter(move |proc| proc.batch <= batch && !lost.contains(&proc.host))
    }
    fn stage(&self, batch: u32) -> Result<&PoolStage> {
        let stage = self.plan.pool.as_ref().and_then(|pool| pool.stages.get(batch as usize));
        stage.ok_or_else(|| Fault::failed("the plan says nothing of the pool in this batch"))
    }

    async fn on<T: 'static, F>(&self, host: &str, work: impl FnOnce(Script) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>> + 'static,
    {
        let number = host_number(host).filter(|_| self.hosts.contains(host));
        let number = number.ok_or_else(|| Fault::failed(format!("{host} is in the plan but could not be reached")))?;
        self.sim.call(self.console, Place::Host(number), work).await.map_err(|fault| fault.on(host))
    }

    /// The same on every balancer host at once.
    async fn on_each<T: 'static, F>(&self, work: impl Fn(usize, Script) -> F) -> Vec<Result<T>>
    where
        F: Future<Output = Result<T>> + 'static,
    {
        let work = &work;
        let calls = self.edges.iter().copied().map(|edge| async move {
            self.sim.call(self.console, Place::Edge(edge), |script| work(edge, script)).await.map_err(|fault| fault.on(edge_name(edge)))
        });
        join_all(calls).await
    }

    fn host_fence(&self) -> Fence {
        Fence { key: self.plan.swarm_id.clone(), by: Rc::clone(&self.by) }
    }
    fn pool(&self) -> Result<(&PoolChange, Fence)> {
        let pool = self.plan.pool.as_ref().ok_or_else(|| Fault::failed("the plan has no pool"))?;
        Ok((pool, Fence { key: format!("pool/{}/{}", pool.balancer, pool.pool), by: Rc::clone(&self.by) }))
    }

    async fn raise(&self, place: &str) -> Result<()> {
        if !place.contains('/') {
            let fence = self.host_fence();
            return self.on(place, |script| script.raise(fence)).await;
        }
        let (_, fence) = self.pool()?;
        let held: Result<Vec<u64>> = self.on_each(|_, script| script.raise_pool(fence.clone())).await.into_iter().collect();
        match held?.into_iter().max() {
            Some(held) if held > self.by.epoch => Err(Fault::refused(format!("the pool is fenced at epoch {held}"))),
            _ => Ok(()),
        }
    }

    async fn distribute(&self, host: &str) -> Result<()> {
        let artifact = self.plan.to.artifact.clone();
        let sends = self.plan.send.iter().any(|send| send.host == host && send.bytes > 0);
        let asked = artifact.clone();
        if !sends && self.on(host, |script| script.has(asked)).await? {
            return Ok(());
        }
        let (bytes, by) = (self.plan.to.size, Rc::clone(&self.by));
        self.on(host, |script| script.receive(artifact, bytes, by)).await
    }

    async fn start(&self, step: &StepName) -> Result<()> {
        let (procs, fence) = (self.new_of(step), self.host_fence());
        let version: usize = self.plan.to.version.trim_start_matches('v').parse().unwrap_or(0);
        let artifact = self.plan.to.artifact.clone();
        self.on(&step.place, |script| script.start(fence, artifact, VERSIONS[version], procs)).await
    }

    /// Waits, unless the dispatch turns round first.
    pub async fn unless(&self, for_ms: Ms) -> Result<()> {
        let end = self.sim.time.now() + for_ms;
        while self.sim.time.now() < end {
            if self.give_up.get() {
                return Err(Fault::interrupted("the wait was given up: the dispatch turned round"));
            }
            self.sim.time.sleep((end - self.sim.time.now()).min(1_000)).await;
        }
        Ok(())
    }

    async fn prove(&self, step: &StepName) -> Result<()> {
        let host = &step.place;
        let mut here = self.new_of(step);
        if step.batch == 0 {
            here.extend(self.plan.keep.iter().filter(|proc| &proc.host == host).cloned());
        }
        self.settle(host, &here).await?;
        for proc in &here {
            if self.plan.listens {
                let begun = self.sim.time.now();
                while !self.on(host, |script| script.port_answers(proc.port)).await? {
                    if self.sim.time.now() > begun + START {
                        return Err(Fault::failed(format!("{} runs but its port does not answer", proc.name)));
                    }
                    self.unless(ASK).await?;
                }
            }
        }
        self.uptests(host, &here).await?;
        if self.sim.scenario.sabotage != Some(Sabotage::NoProof) {
            self.sim.truth.borrow_mut().proven(&self.by, &here);
        }
        Ok(())
    }

    async fn uptests(&self, host: &str, here: &[PlannedProc]) -> Result<()> {
        for proc in here {
            let name = proc.name.clone();
            if !self.on(host, |script| script.uptest(name)).await? {
                return Err(Fault::failed(format!("the uptest of {} failed", proc.name)));
            }
        }
        self.still_running(host, here).await
    }

    async fn settle(&self, host: &str, here: &[PlannedProc]) -> Result<()> {
        let begun = self.sim.time.now();
        let names: Vec<String> = here.iter().map(|proc| proc.name.clone()).collect();
        let settle = self.plan.timing.settle_ms;
        let mut steady: BTreeMap<String, (u32, Ms)> = BTreeMap::new();
        loop {
            let asked = names.clone();
            let all = self.on(host, |script| script.processes(asked)).await?;
            let mut waiting = false;
            for (name, process) in names.iter().zip(all) {
                let now = self.sim.time.now();
                match (process, steady.get(name)) {
                    (Some((ProcState::Running, pid)), Some((seen, _))) if *seen != pid => return Err(died(name)),
                    (Some((ProcState::Running, _)), Some((_, since))) => waiting |= now - since < settle,
                    (Some((ProcState::Running, pid)), None) => {
                        steady.insert(name.clone(), (pid, now));
                        waiting |= settle > 0;
                    }
                    (Some((ProcState::Starting, _)), None) => waiting = true,
                    _ => return Err(died(name)),
                }
            }
            if !waiting {
                return Ok(());
            }
            if self.sim.time.now() > begun + START + settle {
                return Err(Fault::failed(format!("{names:?} did not become RUNNING and stay so")));
            }
            self.unless(ASK).await?;
        }
    }

    async fn still_running(&self, host: &str, here: &[PlannedProc]) -> Result<()> {
        let names: Vec<String> = here.iter().map(|proc| proc.name.clone()).collect();
        let asked = names.clone();
        let all = self.on(host, |script| script.processes(asked)).await?;
        let dead = names.iter().zip(all).find(|(_, process)| !matches!(process, Some((ProcState::Running, _))));
        dead.map_or(Ok(()), |(name, _)| Err(died(name)))
    }

    async fn route(&self, batch: u32, lost: &BTreeSet<String>) -> Result<()> {
        let (_, fence) = self.pool()?;
        let nodes = self.plan.proven_of(&self.stage(batch)?.route, lost)?;
        let reached: Vec<String> = self.plan.keep.iter().chain(self.new_until(batch, lost)).map(|proc| proc.node.clone()).collect();
        self.on_each(|_, script| script.reaches(reached.clone())).await.into_iter().collect::<Result<Vec<()>>>()?;
        self.set(&nodes, &fence).await
    }

    async fn drain(&self, batch: u32, lost: &BTreeSet<String>) -> Result<()> {
        let (pool, fence) = self.pool()?;
        let stage = self.stage(batch)?;
        let nodes = self.plan.proven_of(&stage.drain, lost)?;
        let earlier = match (self.plan.in_place, batch.checked_sub(1)) {
            (false, _) => &stage.route,
            (true, None) => &pool.before,
            (true, Some(earlier)) => &self.stage(earlier)?.route,
        };
        if lost.is_empty() && !earlier.iter().any(|node| pool.before.contains(node) && !nodes.contains(node)) {
            return Ok(());
        }
        self.set(&nodes, &fence).await?;
        self.unless(self.sim.chance.between("drain", 0, 0, self.plan.timing.drain_timeout_ms)).await
    }

    /// Watches the new procs for `soak`; a canary without one until it is promoted by hand.
    async fn watch_over(&self, batch: u32, canary: bool, lost: &BTreeSet<String>) -> Result<()> {
        let soak = self.plan.timing.soak_ms;
        let end = if canary && soak == 0 { Ms::MAX } else { self.sim.time.now() + soak };
        loop {
            for host in &self.hosts {
                let here: Vec<PlannedProc> = self.new_until(batch, lost).filter(|proc| &proc.host == host).cloned().collect();
                if here.is_empty() {
                    continue;
                }
                self.still_running(host, &here).await?;
                if self.sim.time.now() >= end {
                    self.uptests(host, &here).await?;
                }
            }
            if self.sim.time.now() >= end {
                return Ok(());
            }
            self.unless(1_000.min(end - self.sim.time.now())).await?;
        }
    }

    /// On every balancer host, or on none: those that succeeded go back when another failed.
    async fn set(&self, desired: &BTreeSet<String>, fence: &Fence) -> Result<()> {
        let name = &self.pool()?.0.pool;
        let read = self.on_each(|_, script| script.read_pool(name.clone())).await;
        let read: Vec<Option<Vec<u8>>> = read.into_iter().collect::<Result<_>>()?;
        let before: BTreeMap<usize, Option<Vec<u8>>> = self.edges.iter().copied().zip(read).collect();
        let changed = self
            .on_each(|edge, script| {
                script.change_pool(name.clone(), Some(pool_text(desired)), Expect::Exactly(before[&edge].clone()), fence.clone())
            })
            .await;
        if let Some(fault) = changed.iter().find_map(|result| result.as_ref().err()) {
            let back = before.into_iter().zip(&changed).filter(|(_, result)| result.is_ok());
            let back: BTreeMap<_, _> = back.map(|((edge, text), _)| (edge_name(edge), Was { text, written: None })).collect();
            self.restore(&Snapshot(back), fence).await?;
            return Err(fault.clone());
        }
        let read = self.on_each(|_, script| script.read_pool(name.clone())).await;
        let same = read.into_iter().map(|text| Ok(pool_nodes(text?.as_ref()) == *desired)).collect::<Result<Vec<bool>>>()?;
        if same.contains(&false) { Err(Fault::failed("a balancer host does not hold what was set")) } else { Ok(()) }
    }

    async fn restore(&self, before: &Snapshot, fence: &Fence) -> Result<()> {
        let name = &self.pool()?.0.pool;
        let calls = before.0.iter().filter_map(|(edge, was)| Some((edge.strip_prefix("lb")?.parse::<usize>().ok()?, was.text.clone())));
        let calls = calls.map(|(edge, text)| {
            let (name, fence) = (name.clone(), fence.clone());
            self.sim.call(self.console, Place::Edge(edge), |script| script.change_pool(name, text, Expect::Anything, fence))
        });
        join_all(calls).await.into_iter().collect::<Result<Vec<()>>>().map(drop)
    }

    async fn put_pool_back(&self, step: &StepName, lost: &BTreeSet<String>) -> Result<()> {
        let (_, fence) = self.pool()?;
        let nodes = match (self.plan.in_place, step.phase, step.batch.checked_sub(1)) {
            (true, Phase::Route, _) => &self.stage(step.batch)?.drain,
            (true, _, Some(earlier)) => &self.stage(earlier)?.route,
            _ => return self.restore(&self.before, &fence).await,
        };
        self.set(&self.plan.served_before(nodes, step.batch, lost)?, &fence).await
    }

    async fn remove(&self, host: &str, procs: Vec<PlannedProc>) -> Result<()> {
        let (fence, limit) = (self.host_fence(), self.plan.timing.stop_timeout_ms);
        self.on(host, |script| script.remove(fence, limit, procs)).await
    }
}

fn died(name: &str) -> Fault {
    Fault::failed(format!("{name} does not stay up"))
}
