//! A process of a play: plan, execute, resume, cancel, upkeep, in the order in which the deck does them.

use super::driver::Carrying;
use super::fleet::{self, edge_name, entity, host_number, pool_nodes};
use super::hands::Hands;
use super::leasing::Held;
use super::planning;
use super::scenario::Happening;
use super::scripts::{Expect, Fence};
use super::sim::{Heard, Place, Sim};
use super::time::Mailbox;
use super::truth::By;
use crate::balancers::{Snapshot, Was};
use crate::dispatch::driver::Wish;
use crate::dispatch::machine::{Rules, Run, StepName};
use crate::dispatch::rules;
use crate::model::entity::Swarm;
use crate::model::record::{Dispatch, Outcome, Phase};
use crate::model::world::World;
use crate::model::{Fault, Result};
use crate::plan::{self, Plan};
use crate::store::{Entry, Liveness};
use futures::future::join_all;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What a dispatch that nobody carries is taken up for.
#[derive(Debug)]
enum TakingUp {
    CarryOn,
    Undo(Fault),
    Pay(BTreeSet<String>),
}

/// A wish as it is kept in the store.
pub fn wish(wish: &Wish) -> String {
    serde_json::to_string(wish).unwrap()
}

/// What an operator does, as a task of the console.
pub fn operate(sim: &Rc<Sim>, happening: Happening) {
    let (Happening::Dispatch { console, .. }
    | Happening::Replace { console, .. }
    | Happening::Hold { console, .. }
    | Happening::Rename { console, .. }
    | Happening::Cancel { console, .. }
    | Happening::Resume { console, .. }
    | Happening::Upkeep { console }
    | Happening::Promote { console, .. }
    | Happening::GoWithout { console, .. }
    | Happening::Edit { console, .. }) = happening
    else {
        return;
    };
    if !sim.consoles.borrow()[console].up {
        return;
    }
    let other = Rc::clone(sim);
    sim.spawn(console, async move {
        let done = other.operated(console, happening).await;
        if let Err(fault) = done {
            other.say(|| format!("c{console} is told: {}", fault.line()));
        }
    });
}

/// An open console looks every 30 s for what a dead process left.
pub fn keep_resuming(sim: &Rc<Sim>, console: usize) {
    if !sim.scenario.automatic {
        return;
    }
    let other = Rc::clone(sim);
    sim.spawn(console, async move {
        while !other.calm.get() {
            other.time.sleep(30_000).await;
            other.upkeep(console, false).await.ok();
        }
    });
}

impl Sim {
    async fn operated(self: &Rc<Sim>, console: usize, happening: Happening) -> Result<()> {
        match happening {
            Happening::Dispatch { swarm, version, size, think, twice, lifts, .. } => {
                let plan = self.plan(console, swarm, version, size, plan::Replace::None).await?;
                self.time.sleep(think).await;
                let other = (console + 1) % self.scenario.consoles;
                if twice && self.consoles.borrow()[other].up {
                    let (sim, id) = (Rc::clone(self), plan.clone());
                    self.spawn(other, async move { drop(sim.execute(other, &id, lifts).await) });
                }
                self.execute(console, &plan, lifts).await
            }
            Happening::Hold { swarm, host, during, .. } => self.hold(console, swarm, host, during).await,
            Happening::Rename { swarm, .. } => self.rename(console, swarm).await,
            Happening::Replace { swarm, host, .. } => {
                let size = self.swarm(swarm)?.0.size;
                let version = self.version_that_runs(swarm)?;
                let host = host.map(fleet::host_name);
                let replace = host.as_deref().map_or(plan::Replace::All, plan::Replace::Host);
                let plan = self.plan(console, swarm, version, size, replace).await?;
                self.execute(console, &plan, false).await
            }
            Happening::Cancel { swarm, .. } => self.cancel(console, &self.open_of(swarm)?).await,
            Happening::Resume { swarm, .. } => self.take_up(console, &self.open_of(swarm)?, TakingUp::CarryOn).await,
            Happening::Upkeep { .. } => self.upkeep(console, true).await,
            Happening::Promote { swarm, .. } => self.wish(console, &self.open_of(swarm)?, Wish::Promote("op".into())).await,
            Happening::GoWithout { swarm, host, .. } => {
                self.wish(console, &self.open_of(swarm)?, Wish::GoWithout(fleet::host_name(host))).await
            }
            Happening::Edit { swarm, .. } => planning::edit(self, console, swarm).await,
            _ => Ok(()),
        }
    }

    fn version_that_runs(&self, swarm: usize) -> Result<usize> {
        let id = planning::swarm_id(swarm);
        let done = |dispatch: &Dispatch| dispatch.swarm_id == id && dispatch.outcome == Some(Outcome::Done);
        let last = self.store.dispatches().into_iter().rev().find(done);
        let version = last.and_then(|last| last.to_version.trim_start_matches('v').parse().ok());
        version.ok_or_else(|| Fault::refused("it was never dispatched"))
    }

    fn open_of(&self, swarm: usize) -> Result<Dispatch> {
        let id = planning::swarm_id(swarm);
        let open = self.store.open_dispatches().into_iter().find(|dispatch| dispatch.swarm_id == id);
        open.ok_or_else(|| Fault::refused("nothing of it is under way"))
    }

    /// Executes a stored plan: exactly that, or refuses because the world moved.
    pub async fn execute(self: &Rc<Sim>, console: usize, id: &str, lifts: bool) -> Result<()> {
        let plan = self.plans.borrow().get(id).cloned().ok_or_else(|| Fault::bad("there is no such plan"))?;
        let (done, entry) = self.ask_store(console, false, |store| Ok((store.dispatch(id), store.by_id(&plan.swarm_id)))).await?;
        if done.is_some() {
            return Err(Fault::refused("the plan was executed already"));
        }
        let entry = entry.ok_or_else(|| Fault::refused("the swarm is deleted"))?;
        if entry.rev != plan.swarm_rev {
            return Err(Fault::refused("the swarm was saved after the plan was made"));
        }
        let (held, world) = self.take_lease(console, &plan).await?;
        match self.begin(console, &plan, &held, &world, lifts).await {
            Ok(carrying) => {
                let run = Run::new(Rules::of(&plan), carrying.dispatch.borrow().steps.clone(), false, None);
                self.carry(carrying, run).await;
                Ok(())
            }
            Err(fault) => {
                let lease = held.lease();
                self.ask_store(console, true, |store| store.give_back_unbegun(&lease, id)).await.ok();
                held.release().await.ok();
                Err(fault)
            }
        }
    }

    async fn begin(self: &Rc<Sim>, console: usize, plan: &Rc<Plan>, held: &Rc<Held>, world: &World, lifts: bool) -> Result<Carrying> {
        let under_lease = self.now_ms();
        let (executed, open) = self.ask_store(console, false, |store| Ok((store.dispatch(&plan.id), store.open_dispatches()))).await?;
        rules::never_ran(plan, executed.as_ref())?;
        if open.iter().any(|open| open.swarm_id == plan.swarm_id) {
            return Err(Fault::refused("a dispatch of the swarm has not ended"));
        }
        let lifted = self.lifting(console, plan, lifts).await?;
        let owing = self.ask_store(console, false, |store| Ok(store.owing_dispatches())).await?;
        let mut seen = world.clone();
        self.add_made_and_never_seen(console, planning::swarm_number(&plan.swarm_id), &mut seen).await?;
        let moved = plan::moved(plan, &seen, &planning::indebted(&owing));
        if !moved.is_empty() {
            return Err(Fault::refused(format!("the world moved since the plan was made: {}", moved.join("; "))));
        }
        if let Some(pool) = &plan.pool {
            self.ask_store(console, true, |store| store.claim_pool(&pool.balancer, &pool.pool, &plan.swarm_id)).await?;
        }
        let swarm = planning::swarm_number(&plan.swarm_id);
        let owed: Vec<usize> = self.owed_edges(swarm).into_iter().filter(|edge| self.edges_of(plan).contains(edge)).collect();
        for edge in owed.into_iter().filter(|_| plan.pool.is_some()) {
            self.bring_right(console, swarm, edge, held).await?;
        }
        let before = self.reserve(console, plan, held).await?;
        let hands = self.hands(console, plan, held, before, true)?;
        let mut dispatch = planning::header(plan, &self.holder(console));
        dispatch.started_ms = self.now_ms();
        let lease = held.lease();
        self.ask_store(console, true, |store| {
            store.create_dispatch(&mut dispatch, &lease, &[])?;
            self.lift(&lifted);
            self.judge_holds(plan, under_lease);
            self.truth.borrow_mut().begun(plan, &self.fleet.borrow(), &store.open_dispatches());
            Ok(())
        })
        .await?;
        self.say(|| format!("c{console} begins {} {} epoch {}", plan.id, plan.swarm_id, held.epoch()));
        Ok(self.carrying(console, hands, held, dispatch))
    }

    fn carrying(self: &Rc<Sim>, console: usize, hands: Hands, held: &Rc<Held>, dispatch: Dispatch) -> Carrying {
        let heard = Mailbox::new();
        Carrying { sim: Rc::clone(self), console, hands: Rc::new(hands), held: Rc::clone(held), dispatch: RefCell::new(dispatch), heard }
    }

    /// Port leases, and the pool as it is before, byte for byte.
    async fn reserve(self: &Rc<Sim>, console: usize, plan: &Rc<Plan>, held: &Held) -> Result<Snapshot> {
        let mut ports: BTreeMap<String, Vec<u16>> = BTreeMap::new();
        for proc in &plan.start {
            ports.entry(format!("h{}", host_number(&proc.host).unwrap_or(0))).or_default().push(proc.port);
        }
        for (host, ports) in &ports {
            self.ask_store(console, true, |store| store.take_ports(host, ports, &plan.id)).await?;
        }
        let Some(pool) = &plan.pool else { return Ok(Snapshot::default()) };
        let mut before = Snapshot::default();
        for edge in self.edges_of(plan) {
            let name = pool.pool.clone();
            let text = self.call(console, Place::Edge(edge), |script| script.read_pool(name)).await?;
            before.0.insert(edge_name(edge), Was { text, written: None });
        }
        let text = serde_json::to_string(&before).map_err(|error| Fault::failed(error.to_string()))?;
        let lease = held.lease();
        self.ask_store(console, true, |store| {
            store.keep_text_under(&lease, "pool before", &plan.id, &text)?;
            let left = (0..self.scenario.edges).filter(|edge| !self.edges_of(plan).contains(edge));
            self.owed_pools.borrow_mut().extend(left.map(|edge| (planning::swarm_number(&plan.swarm_id), edge)));
            Ok(())
        })
        .await?;
        Ok(before)
    }

    /// The hands of a dispatch, with the way to each host open. With `all` every host must be there; balancer hosts must be always.
    fn hands(self: &Rc<Sim>, console: usize, plan: &Rc<Plan>, held: &Rc<Held>, before: Snapshot, all: bool) -> Result<Hands> {
        let reachable = |host: &String| host_number(host).is_some_and(|host| self.reachable(console, Place::Host(host)));
        let (hosts, away): (BTreeSet<String>, BTreeSet<String>) = plan.known_hosts().into_iter().partition(reachable);
        let needed = |host: &&String| plan.touched_hosts().contains(*host);
        if all && away.iter().any(|host| needed(&host)) {
            return Err(Fault::unreachable(format!("{away:?} do not answer")));
        }
        let edges = self.edges_of(plan);
        if plan.pool.is_some() && edges.iter().any(|edge| !self.reachable(console, Place::Edge(*edge))) {
            return Err(Fault::unreachable("a balancer host does not answer"));
        }
        let by = By { dispatch: plan.id.clone(), swarm: plan.swarm_id.clone(), epoch: held.epoch() };
        let give_up = Rc::new(Cell::new(false));
        Ok(Hands { sim: Rc::clone(self), console, plan: Rc::clone(plan), by: Rc::new(by), hosts, edges, before, give_up })
    }

    /// Takes the lease of a dispatch that nobody carries, and carries it as asked.
    async fn take_up(self: &Rc<Sim>, console: usize, dispatch: &Dispatch, how: TakingUp) -> Result<()> {
        if self.consoles.borrow()[console].carried.contains_key(&dispatch.id) {
            return Err(Fault::busy("it is carried here"));
        }
        let plan = self.plans.borrow().get(&dispatch.id).cloned().ok_or_else(|| Fault::bad("there is no such plan"))?;
        let (held, _) = self.take_lease(console, &plan).await?;
        match self.take_on(console, &plan, &held, how).await {
            Ok((run, carrying)) => {
                self.carry(carrying, run).await;
                Ok(())
            }
            Err(fault) => {
                held.release().await.ok();
                Err(fault)
            }
        }
    }

    async fn take_on(self: &Rc<Sim>, console: usize, plan: &Rc<Plan>, held: &Rc<Held>, how: TakingUp) -> Result<(Run, Carrying)> {
        let read = self.ask_store(console, false, |store| Ok((store.dispatch(&plan.id), store.kept_text("pool before", &plan.id)))).await?;
        let mut dispatch = read.0.ok_or_else(|| Fault::failed("the dispatch is gone from the store"))?;
        let paying = matches!(how, TakingUp::Pay(_));
        if !paying && dispatch.outcome.is_some_and(|outcome| outcome != Outcome::Interrupted) {
            return Err(Fault::refused("it has ended"));
        }
        if paying {
            rules::may_pay(&dispatch.swarm_id, &self.ask_store(console, false, |store| Ok(store.open_dispatches())).await?)?;
        }
        let before = match (&read.1, &plan.pool) {
            (Some(text), _) => serde_json::from_str(text).map_err(|error| Fault::failed(error.to_string()))?,
            (None, None) => Snapshot::default(),
            (None, Some(_)) => return Err(Fault::failed("what the pool held before is not kept any more")),
        };
        let hands = self.hands(console, plan, held, before, false)?;
        let fenced = dispatch.steps.iter().filter(|step| step.phase == Phase::Fence).map(|step| step.place.clone());
        let places: BTreeSet<String> = if let TakingUp::Pay(places) = &how { places.clone() } else { fenced.collect() };
        let raising: Vec<StepName> = places.iter().map(|place| StepName { batch: 0, phase: Phase::Fence, place: place.clone() }).collect();
        let nobody = BTreeSet::new();
        drop(join_all(raising.iter().map(|step| hands.carry(step, &nobody))).await);
        self.say(|| format!("c{console} takes {} on for {how:?}, epoch {}", plan.id, held.epoch()));
        let rules = Rules::of(plan);
        if let TakingUp::Pay(places) = &how {
            let all = self.ask_store(console, false, |store| Ok(store.dispatches())).await?;
            let overtaken = rules::overtaken(&dispatch, &all);
            let mut run = Run::to_pay(rules, dispatch.steps.clone(), dispatch.undoing, places, overtaken);
            run.cause.clone_from(&dispatch.fault);
            self.truth.borrow_mut().pays(&plan.id);
            return Ok((run, self.carrying(console, hands, held, dispatch)));
        }
        dispatch.outcome = None;
        dispatch.holder = self.holder(console);
        let cause = dispatch.fault.clone().filter(|_| dispatch.undoing);
        let mut run = Run::new(rules, dispatch.steps.clone(), dispatch.undoing, cause);
        if let TakingUp::Undo(fault) = how
            && run.may_turn()
        {
            run.undoing = true;
            run.cause.get_or_insert(fault);
        }
        Ok((run, self.carrying(console, hands, held, dispatch)))
    }

    /// The lease with an epoch above every one that was seen, and the world as it is under it.
    async fn take_lease(self: &Rc<Sim>, console: usize, plan: &Rc<Plan>) -> Result<(Rc<Held>, World)> {
        let name = rules::lease_name(&plan.swarm_id);
        let mut min = 0;
        loop {
            let held = self.acquire(console, &name, &plan.id, min).await?;
            let world = match self.observe(console, planning::swarm_number(&plan.swarm_id)).await {
                Ok(world) => world,
                Err(fault) => {
                    held.release().await.ok();
                    return Err(fault);
                }
            };
            let fenced = rules::highest_fence(&plan.known_hosts(), &plan.swarm_id, &world).max(self.pool_epoch(console, plan).await);
            if fenced < held.epoch() {
                return Ok((held, world));
            }
            held.release().await?;
            min = fenced;
        }
    }

    /// Balancer hosts that a plan does not leave out.
    fn edges_of(&self, plan: &Plan) -> Vec<usize> {
        let left_out = |edge: &usize| plan.pool.as_ref().is_some_and(|pool| pool.left_out.contains(&edge_name(*edge)));
        (0..self.scenario.edges).filter(|edge| !left_out(edge)).collect()
    }
    pub fn owed_edges(&self, swarm: usize) -> Vec<usize> {
        self.owed_pools.borrow().iter().filter(|(owed, _)| *owed == swarm).map(|(_, edge)| *edge).collect()
    }

    /// Gives a balancer host the pool as those that count have it; from then on it counts.
    async fn bring_right(self: &Rc<Sim>, console: usize, swarm: usize, edge: usize, held: &Rc<Held>) -> Result<()> {
        let (pool, owed) = (format!("p{swarm}"), self.owed_edges(swarm));
        let owing = self.ask_store(console, false, |store| Ok(store.owing_dispatches())).await?;
        if planning::indebted(&owing).contains(&format!("edge/{pool}")) {
            return Err(Fault::refused("the pool is to be put back first"));
        }
        let mut wanted = BTreeSet::new();
        for counted in (0..self.scenario.edges).filter(|edge| !owed.contains(edge)) {
            wanted.insert(self.read_pool(console, counted, &pool).await?);
        }
        let (Some(wanted), 0) = (wanted.pop_first(), wanted.len()) else { return Err(Fault::refused(planning::DISAGREE)) };
        let by = By { dispatch: String::new(), swarm: planning::swarm_id(swarm), epoch: held.epoch() };
        let fence = Fence { key: format!("pool/edge/{pool}"), by: Rc::new(by) };
        held.may_act()?;
        let text = Some(fleet::pool_text(&wanted));
        self.call(console, Place::Edge(edge), |script| script.change_pool(pool, text, Expect::Anything, fence)).await?;
        self.ask_store(console, true, |_| {
            self.owed_pools.borrow_mut().remove(&(swarm, edge));
            Ok(())
        })
        .await
    }

    /// Balancer hosts that are back get the pools that they are owed.
    async fn pay_pools(self: &Rc<Sim>, console: usize) -> Result<()> {
        let all: Vec<(usize, usize)> = self.owed_pools.borrow().iter().copied().collect();
        for (swarm, edge) in all.into_iter().filter(|(_, edge)| self.reachable(console, Place::Edge(*edge))) {
            let by = Rc::new(By { dispatch: String::new(), swarm: planning::swarm_id(swarm), epoch: 0 });
            let fence = Fence { key: format!("pool/edge/p{swarm}"), by };
            let seen = self.call(console, Place::Edge(edge), |script| script.raise_pool(fence)).await?;
            let held = self.acquire(console, &rules::lease_name(&planning::swarm_id(swarm)), "", seen).await?;
            let open = self.ask_store(console, false, |store| Ok(store.open_dispatches())).await?;
            if rules::may_pay(&planning::swarm_id(swarm), &open).is_ok() {
                self.bring_right(console, swarm, edge, &held).await.ok();
            }
            held.release().await?;
        }
        Ok(())
    }

    /// The highest epoch that the pool's balancer hosts have seen; nothing where one does not answer.
    async fn pool_epoch(self: &Rc<Sim>, console: usize, plan: &Plan) -> u64 {
        let Some(pool) = &plan.pool else { return 0 };
        let by = Rc::new(By { dispatch: plan.id.clone(), swarm: plan.swarm_id.clone(), epoch: 0 });
        let fence = Fence { key: format!("pool/{}/{}", pool.balancer, pool.pool), by };
        let asked = self.edges_of(plan).into_iter().map(|edge| {
            let fence = fence.clone();
            self.call(console, Place::Edge(edge), |script| script.raise_pool(fence))
        });
        let held: Result<Vec<u64>> = join_all(asked).await.into_iter().collect();
        held.ok().and_then(|held| held.into_iter().max()).unwrap_or(0)
    }

    /// Cancels: here at once, or by a word to the process that carries it, or, when that is dead, by undoing it here.
    async fn cancel(self: &Rc<Sim>, console: usize, dispatch: &Dispatch) -> Result<()> {
        if !Run::new(Rules::default(), dispatch.steps.clone(), dispatch.undoing, None).may_turn() {
            return Err(Fault::refused("it only goes forward"));
        }
        let fault = Fault::interrupted(format!("cancelled by c{console}"));
        if self.consoles.borrow()[console].carried.contains_key(&dispatch.id) {
            return self.wish(console, dispatch, Wish::Undo(fault)).await;
        }
        match self.take_up(console, dispatch, TakingUp::Undo(fault.clone())).await {
            Err(refused) if refused.what.contains("is held by") => self.wish(console, dispatch, Wish::Undo(fault)).await,
            other => other,
        }
    }

    /// Tells whoever carries a dispatch what is wanted of it: here at once, elsewhere through the store.
    async fn wish(self: &Rc<Sim>, console: usize, dispatch: &Dispatch, what: Wish) -> Result<()> {
        let carried = self.consoles.borrow()[console].carried.get(&dispatch.id).cloned();
        match carried {
            Some(wishes) => wishes.send(&self.time, Heard::Wish(what)),
            None => {
                let text = wish(&what);
                self.ask_store(console, true, |store| {
                    store.keep_text("wish", &dispatch.id, &text);
                    Ok(())
                })
                .await?;
            }
        }
        Ok(())
    }

    /// What processes left behind that are gone; with `all`, what was interrupted on purpose, too. Then debts are paid.
    pub async fn upkeep(self: &Rc<Sim>, console: usize, all: bool) -> Result<()> {
        for dispatch in self.ask_store(console, false, |store| Ok(store.open_dispatches())).await? {
            if all || !dispatch.holder.is_empty() {
                self.take_up(console, &dispatch, TakingUp::CarryOn).await.ok();
            }
        }
        self.free_what_the_dead_held(console).await?;
        for dispatch in self.ask_store(console, false, |store| Ok(store.owing_dispatches())).await? {
            let world = self.observe(console, planning::swarm_number(&dispatch.swarm_id)).await?;
            let answers = |place: &String| match place.split_once('/') {
                Some((balancer, pool)) => world.pool(balancer, pool).is_some_and(|seen| seen.hosts.iter().all(|host| host.away.is_none())),
                None => world.hosts.get(place).is_some_and(|seen| seen.is_ok()),
            };
            let places: BTreeSet<String> = dispatch.debts.iter().map(|debt| debt.host.clone()).filter(answers).collect();
            if !places.is_empty() {
                self.take_up(console, &dispatch, TakingUp::Pay(places)).await.ok();
            }
        }
        self.pay_pools(console).await
    }

    /// Gives back what processes that are gone still held, and what nobody uses although its holder lives.
    async fn free_what_the_dead_held(self: &Rc<Sim>, console: usize) -> Result<()> {
        let (open, leases) = self.ask_store(console, false, |store| Ok((store.open_dispatches(), store.leases()))).await?;
        for lease in leases {
            if self.look(console, &lease.holder) == Liveness::Dead {
                self.ask_store(console, true, |store| store.release_lease(&lease)).await?;
            } else if !open.iter().any(|open| open.id == lease.run)
                && let Ok(held) = self.acquire(console, &lease.name, &lease.run, 0).await
            {
                held.release().await?;
            }
        }
        self.ask_store(console, true, |store| {
            store.free_ports_of_nobody();
            Ok(())
        })
        .await
    }

    async fn carry(self: &Rc<Sim>, carrying: Carrying, run: Run) {
        let paying = run.paying;
        let (console, id) = (carrying.console, carrying.hands.plan.id.clone());
        self.consoles.borrow_mut()[console].carried.insert(id.clone(), carrying.heard.clone());
        let (sim, heard, held, wished) = (Rc::clone(self), carrying.heard.clone(), Rc::clone(&carrying.held), id.clone());
        let listening = self.spawn(console, async move {
            loop {
                sim.time.sleep(1_000).await;
                if held.is_lost() {
                    heard.send(&sim.time, Heard::Wish(Wish::Leave));
                    return;
                }
                if let Some(wish) = sim.store.kept_text("wish", &wished).and_then(|text| serde_json::from_str(&text).ok()) {
                    sim.store.forget("wish", &wished);
                    heard.send(&sim.time, Heard::Wish(wish));
                }
            }
        });
        let (outcome, fault) = carrying.drive(run).await;
        self.time.abort(&[listening]);
        self.end(&carrying, outcome, fault, paying).await;
    }

    /// What remains when the driving has ended: port leases and the lease are given back, an interruption is written down if it can be.
    async fn end(self: &Rc<Sim>, carrying: &Carrying, outcome: Outcome, fault: Option<Fault>, paying: bool) {
        let (console, id) = (carrying.console, &carrying.hands.plan.id);
        if outcome == Outcome::Interrupted && paying {
            self.say(|| format!("c{console} leaves the debts of {id}: {}", fault.as_ref().map(Fault::line).unwrap_or_default()));
        } else if outcome == Outcome::Interrupted {
            self.say(|| format!("c{console} leaves {id}: {}", fault.as_ref().map(Fault::line).unwrap_or_default()));
            let header = {
                let mut dispatch = carrying.dispatch.borrow_mut();
                dispatch.outcome = Some(Outcome::Interrupted);
                dispatch.holder = String::new();
                dispatch.fault = dispatch.fault.clone().or(fault);
                dispatch.clone()
            };
            let lease = carrying.held.lease();
            let now_ms = self.now_ms();
            let entry = Entry { dispatch: &header, lease: &lease, steps: &[], events: &[], changes: &[], now_ms };
            self.ask_store(console, true, |store| store.record(&entry)).await.ok();
        } else {
            self.observe(console, planning::swarm_number(&carrying.hands.plan.swarm_id)).await.ok();
        }
        self.consoles.borrow_mut()[console].carried.remove(id);
        carrying.held.release().await.ok();
    }

    /// Asks hosts and pools now.
    pub async fn observe(self: &Rc<Sim>, console: usize, swarm: usize) -> Result<World> {
        let mut world = World::default();
        for host in 0..self.scenario.hosts {
            self.time.sleep(self.chance.between("a look", host as u64, 1, 30)).await;
            let reached = self.reachable(console, Place::Host(host));
            if !reached {
                self.time.sleep(self.chance.between("a look", host as u64, 10, 3_000)).await;
            }
            let entry = entity(host, self.fleet.borrow().hosts[host].active);
            let mut seen = self.seen.borrow_mut();
            let looked = {
                let fleet = self.fleet.borrow();
                fleet::seen(&entry, seen.get(&entry.name), fleet.hosts.get(host).filter(|_| reached), self.time.now())
            };
            seen.insert(entry.name.clone(), looked.clone());
            world.hosts.insert(entry.name, looked);
        }
        if self.scenario.swarms[swarm].pool {
            world.pools.push(planning::pool_seen(self, console, swarm).await);
        }
        for host in world.hosts.values_mut() {
            let address = host.address.clone();
            for proc in
                host.procs.iter_mut().filter(|proc| proc.stamp.as_ref().is_some_and(|stamp| stamp.swarm == planning::swarm_id(swarm)))
            {
                let node = proc.node(&address);
                proc.routed =
                    world.pools.first().filter(|pool| pool.trouble.is_empty()).zip(node).map(|(pool, node)| pool.nodes.contains(&node));
            }
        }
        Ok(world)
    }

    /// What is read of one balancer host's pool.
    pub async fn read_pool(self: &Rc<Sim>, console: usize, edge: usize, pool: &str) -> Result<BTreeSet<String>> {
        let name = pool.to_string();
        self.call(console, Place::Edge(edge), |script| script.read_pool(name)).await.map(|text| pool_nodes(text.as_ref()))
    }

    pub fn swarm(&self, swarm: usize) -> Result<(Swarm, i64)> {
        let object = self.store.by_id(&planning::swarm_id(swarm)).ok_or_else(|| Fault::refused("the swarm is deleted"))?;
        let body = serde_json::from_str(&object.body).map_err(|error| Fault::failed(error.to_string()))?;
        Ok((body, object.rev))
    }
}
