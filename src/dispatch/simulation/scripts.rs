//! What the scripts do on hosts and balancer hosts, command by command under the fence: the same order as the real ones
//! (`hosts::procs`, `balancers::nginx`), so that each can be cut short anywhere.

use super::fleet::{self, SimHost, SimProc};
use super::scenario::{App, Sabotage};
use super::sim::{Place, Script};
use super::time::Ms;
use super::truth::By;
use crate::model::world::{ProcState, Stamp};
use crate::model::{Fault, Result};
use crate::plan::PlannedProc;
use std::cell::RefMut;
use std::rc::Rc;

/// Who may act, for one key.
#[derive(Debug, Clone)]
pub struct Fence {
    pub key: String,
    pub by: Rc<By>,
}

/// How long a script waits for the one before it.
const WAIT: Ms = 90_000;

impl Script {
    fn host(&self) -> RefMut<'_, SimHost> {
        let Place::Host(host) = self.place else { panic!("not a host") };
        RefMut::map(self.sim.fleet.borrow_mut(), |fleet| &mut fleet.hosts[host])
    }
    fn host_number(&self) -> usize {
        let Place::Host(host) = self.place else { panic!("not a host") };
        host
    }

    /// Runs `work` under the lock and the fence of a host.
    async fn fenced<T>(&self, fence: &Fence, work: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
        let begun = self.sim.time.now();
        while self.host().locks.contains(&fence.key) {
            if self.sim.time.now() > begun + WAIT {
                return Err(Fault::refused("another change is under way here and did not end"));
            }
            self.sim.time.sleep(150).await;
        }
        self.host().locks.insert(fence.key.clone());
        let result = async {
            self.act(1, 10).await?;
            let seen = self.host().fences.get(&fence.key).copied().unwrap_or(0);
            if seen > fence.by.epoch && self.sim.scenario.sabotage != Some(Sabotage::NoFence) {
                return Err(Fault::refused(format!("the lease was lost: epoch {seen} was seen here, ours is {}", fence.by.epoch)));
            }
            self.host().fences.insert(fence.key.clone(), seen.max(fence.by.epoch));
            self.sim.truth.borrow_mut().reached(self.place, fence);
            work().await
        }
        .await;
        self.host().locks.remove(&fence.key);
        result
    }

    pub async fn raise(self, fence: Fence) -> Result<()> {
        self.fenced(&fence, async || Ok(())).await
    }

    pub async fn has(self, artifact: String) -> Result<bool> {
        self.act(5, 30).await?;
        Ok(self.host().builds.contains(&artifact))
    }

    /// Under a private name, then the true name in one step; without a lock.
    pub async fn receive(self, artifact: String, bytes: u64, by: Rc<By>) -> Result<()> {
        self.act(100, 2_000).await?;
        if self.host().disk_full {
            return Err(Fault::failed("No space left on device"));
        }
        self.host().builds.insert(artifact);
        self.sim.truth.borrow_mut().sent(&by, self.host_number(), bytes);
        Ok(())
    }

    pub async fn start(self, fence: Fence, artifact: String, app: App, procs: Vec<PlannedProc>) -> Result<()> {
        self.fenced(&fence, async || {
            let mut made = Vec::new();
            let result = self.start_under(&fence, &artifact, app, &procs, &mut made).await;
            if result.is_err() {
                // The trap: what Supervisor was not told of goes.
                self.host().procs.retain(|name, proc| proc.known || !made.contains(name));
            }
            result
        })
        .await
    }

    async fn start_under(&self, fence: &Fence, artifact: &str, app: App, procs: &[PlannedProc], made: &mut Vec<String>) -> Result<()> {
        let sim = &self.sim;
        for planned in procs {
            self.act(20, 300).await?;
            let now = sim.time.now();
            if self.host().supervisor_down {
                return Err(Fault::failed("Supervisor does not answer"));
            }
            let there = self.host().procs.get(&planned.name).map(|proc| (proc.instance().to_string(), proc.known));
            match there {
                Some((instance, _)) if instance != planned.instance => return Err(Fault::refused("is there already and is another proc")),
                Some((_, true)) => {
                    sim.truth.borrow_mut().started(&fence.by, self.host_number(), &planned.name, &sim.fleet.borrow());
                    continue;
                }
                Some((_, false)) => drop(self.host().procs.remove(&planned.name)),
                None => {}
            }
            if self.host().listening(now).contains(&planned.port) {
                return Err(Fault::refused(format!("port {} is taken by a stranger", planned.port)));
            }
            if !self.host().builds.contains(artifact) {
                return Err(Fault::failed("the artifact is not on this host"));
            }
            if self.host().disk_full {
                return Err(Fault::failed("No space left on device"));
            }
            let stamp = Stamp {
                installation: "i".into(),
                swarm: fence.by.swarm.clone(),
                dispatch: fence.by.dispatch.clone(),
                instance: planned.instance.clone(),
            };
            let proc = SimProc {
                name: planned.name.clone(),
                stamp: Some(stamp),
                port: planned.port,
                release: planned.release.clone(),
                app,
                conf: false,
                known: false,
                pid: None,
                running_from: 0,
                listens_from: 0,
                dies_at: Ms::MAX,
            };
            made.push(planned.name.clone());
            self.host().procs.insert(planned.name.clone(), proc);
        }
        for name in made.iter() {
            self.act(1, 5).await?;
            if let Some(proc) = self.host().procs.get_mut(name) {
                proc.conf = true;
            }
        }
        for name in made.iter() {
            self.act(20, 200).await?;
            if self.host().supervisor_down {
                return Err(Fault::failed("Supervisor does not answer"));
            }
            self.sim.run_proc(self.host_number(), name);
            sim.truth.borrow_mut().started(&fence.by, self.host_number(), name, &sim.fleet.borrow());
        }
        Ok(())
    }

    /// Everything before the program leaves Supervisor for each of them, then all the rest for each.
    pub async fn remove(self, fence: Fence, stop_timeout: Ms, procs: Vec<PlannedProc>) -> Result<()> {
        self.fenced(&fence, async || {
            self.act(20, 200).await?;
            if self.host().supervisor_down {
                return Err(Fault::failed("Supervisor does not answer"));
            }
            let there =
                |planned: &&PlannedProc| self.host().procs.get(&planned.name).is_some_and(|proc| proc.instance() == planned.instance);
            let here: Vec<&PlannedProc> = procs.iter().filter(there).collect();
            for planned in &here {
                self.act(1, 20).await?;
                let (sim, number) = (&self.sim, self.host_number());
                sim.truth.borrow_mut().stopping(&fence.by, number, &planned.name, &sim.fleet.borrow(), sim.time.now());
                if let Some(proc) = self.host().procs.get_mut(&planned.name) {
                    proc.conf = false;
                }
            }
            self.act(50, stop_timeout).await?;
            for planned in &here {
                if let Some(proc) = self.host().procs.get_mut(&planned.name) {
                    (proc.pid, proc.known) = (None, false);
                }
                self.act(5, 60).await?;
                self.host().procs.remove(&planned.name);
            }
            Ok(())
        })
        .await
    }

    /// What Supervisor says of some procs now: state and pid.
    pub async fn processes(self, names: Vec<String>) -> Result<Vec<Option<(ProcState, u32)>>> {
        self.act(5, 30).await?;
        if self.host().supervisor_down {
            return Err(Fault::failed("Supervisor does not answer"));
        }
        let now = self.sim.time.now();
        let host = self.host();
        let look = |name: &String| host.procs.get(name).filter(|proc| proc.known).map(|proc| (proc.state(now), proc.pid(now).unwrap_or(0)));
        Ok(names.iter().map(look).collect())
    }

    pub async fn port_answers(self, port: u16) -> Result<bool> {
        self.act(1, 10).await?;
        Ok(self.host().procs.values().any(|proc| proc.port == port && proc.listens(self.sim.time.now())))
    }

    /// Whether the uptests of a proc pass.
    pub async fn uptest(self, name: String) -> Result<bool> {
        self.act(20, 1_500).await?;
        let now = self.sim.time.now();
        Ok(self.host().procs.get(&name).is_some_and(|proc| proc.app != App::Fails && proc.pid(now).is_some()))
    }
}

/// What a pool's file must hold for a change to go ahead.
pub enum Expect {
    Anything,
    Exactly(Option<Vec<u8>>),
}

impl Script {
    fn edge(&self) -> RefMut<'_, fleet::Edge> {
        let Place::Edge(edge) = self.place else { panic!("not a balancer host") };
        RefMut::map(self.sim.fleet.borrow_mut(), |fleet| &mut fleet.edges[edge])
    }

    /// Runs `work` under the lock of the balancer host with the epoch that is held then, raised to ours.
    async fn edge_fenced<T>(&self, fence: &Fence, work: impl AsyncFnOnce(u64) -> Result<T>) -> Result<T> {
        let begun = self.sim.time.now();
        while self.edge().locked {
            if self.sim.time.now() > begun + WAIT / 3 {
                return Err(Fault::refused("another change of this balancer host is under way"));
            }
            self.sim.time.sleep(150).await;
        }
        self.edge().locked = true;
        let result = async {
            self.act(1, 10).await?;
            let held = self.edge().fences.get(&fence.key).copied().unwrap_or(0).max(fence.by.epoch);
            if fence.by.epoch == held && held > 0 {
                self.edge().fences.insert(fence.key.clone(), held);
                self.sim.truth.borrow_mut().reached(self.place, fence);
            }
            work(held).await
        }
        .await;
        self.edge().locked = false;
        result
    }

    pub async fn raise_pool(self, fence: Fence) -> Result<u64> {
        self.edge_fenced(&fence, async |held| Ok(held)).await
    }

    pub async fn read_pool(self, pool: String) -> Result<Option<Vec<u8>>> {
        self.act(1, 10).await?;
        Ok(self.edge().pools.get(&pool).cloned())
    }

    pub async fn change_pool(self, pool: String, new: Option<Vec<u8>>, expect: Expect, fence: Fence) -> Result<()> {
        self.edge_fenced(&fence, async |held| {
            if held > fence.by.epoch && self.sim.scenario.sabotage != Some(Sabotage::NoFence) {
                return Err(Fault::refused(format!("another holder has taken over pool {pool} (epoch {held})")));
            }
            let there = self.edge().pools.get(&pool).cloned();
            if matches!(&expect, Expect::Exactly(expected) if *expected != there) {
                return Err(Fault::refused("the pool was changed meanwhile"));
            }
            if there == new {
                return Ok(());
            }
            self.act(10, 80).await?;
            if self.edge().refuses {
                return Err(Fault::failed("nginx refuses its configuration; nothing was changed"));
            }
            match &new {
                Some(text) => drop(self.edge().pools.insert(pool.clone(), text.clone())),
                None => drop(self.edge().pools.remove(&pool)),
            }
            let (before, after) = (fleet::pool_nodes(there.as_ref()), fleet::pool_nodes(new.as_ref()));
            {
                let (fleet, now) = (self.sim.fleet.borrow(), self.sim.time.now());
                self.sim.truth.borrow_mut().pool_set(&fence.by, self.place, &pool, (&before, &after), &fleet, now);
            }
            self.sim.say(|| format!("{:?} {pool}: {after:?} by epoch {}", self.place, fence.by.epoch));
            self.act(20, 400).await
        })
        .await
    }

    /// Whether the balancer host can connect to each of these nodes.
    pub async fn reaches(self, nodes: Vec<String>) -> Result<()> {
        self.act(5, 50).await?;
        let (fleet, now) = (self.sim.fleet.borrow(), self.sim.time.now());
        let away: Vec<&String> = nodes.iter().filter(|node| !fleet.answers(node, now)).collect();
        if away.is_empty() { Ok(()) } else { Err(Fault::failed(format!("cannot connect to {away:?}"))) }
    }
}
