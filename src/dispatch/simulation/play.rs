//! Plays one scenario to its end: everything that happens, then calm, then upkeep, then one more dispatch of each swarm; judged all along.

use super::console;
use super::planning;
use super::scenario::{CALM, Scenario};
use super::sim::{Heard, Sim};
use super::time::{Mailbox, Ms, Owner};
use super::truth::Broken;
use crate::dispatch::driver::Wish;
use crate::model::hold::HoldOn;
use crate::model::record::{Dispatch, Outcome};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

/// How one play went.
pub struct Played {
    pub broken: Option<Broken>,
    /// What happened; empty unless it was asked for.
    pub trace: Vec<String>,
    /// How often something was woken.
    pub steps: u64,
    /// How the dispatches ended, in their order.
    pub outcomes: Vec<Option<Outcome>>,
}

/// Nothing takes longer; what does has not ended.
const END: Ms = CALM + 3_600_000;
const STEPS: u64 = 400_000;

pub fn play(scenario: &Scenario, traced: bool) -> Played {
    let sim = Sim::new(scenario.clone(), traced);
    for swarm in 0..scenario.swarms.len() {
        planning::create_swarm(&sim, swarm);
    }
    for console in 0..scenario.consoles {
        console::keep_resuming(&sim, console);
    }
    for (at, happening) in scenario.happenings.iter().copied() {
        let other = Rc::clone(&sim);
        sim.time.spawn(Owner::Nature, async move {
            other.time.sleep(at).await;
            other.happen(happening);
        });
    }
    let over = Rc::new(Cell::new(false));
    let (other, ends) = (Rc::clone(&sim), Rc::clone(&over));
    sim.time.spawn(Owner::Nature, async move {
        other.time.sleep(CALM).await;
        other.becalm();
        other.promote_what_waits();
        other.finale().await;
        ends.set(true);
    });
    let frozen = |owner: Owner| match owner {
        Owner::Console(console) => sim.consoles.borrow()[console].frozen_until,
        _ => 0,
    };
    let mut steps = 0;
    while !over.get() && sim.truth.borrow().broken.is_none() {
        steps += 1;
        if steps > STEPS || !sim.time.step(END, frozen) {
            sim.truth.borrow_mut().break_promise("every dispatch ends", format!("still going on at {} ms", sim.time.now()));
        }
    }
    sim.time.kill_all();
    let outcomes = sim.store.dispatches().into_iter().map(|dispatch| dispatch.outcome).collect();
    let trace = sim.trace.borrow_mut().take().unwrap_or_default();
    let broken = sim.truth.borrow().broken.clone();
    Played { broken, trace, steps, outcomes }
}

impl Sim {
    fn breaks(&self, promise: &'static str, how: String) {
        self.truth.borrow_mut().break_promise(promise, how);
    }

    /// A task of a console, waited for.
    async fn by_console<F: Future<Output = ()> + 'static>(self: &Rc<Sim>, console: usize, work: F) {
        let done = Mailbox::new();
        let (tell, sim) = (done.clone(), Rc::clone(self));
        self.spawn(console, async move {
            work.await;
            tell.send(&sim.time, ());
        });
        if done.receive(&self.time, 900_000).await.is_none() {
            self.breaks("every dispatch ends", "a console waits for ever".into());
        }
    }

    /// A canary that nobody promotes would wait for ever.
    fn promote_what_waits(self: &Rc<Sim>) {
        let sim = Rc::clone(self);
        self.time.spawn(Owner::Nature, async move {
            loop {
                sim.time.sleep(5_000).await;
                let consoles = sim.consoles.borrow();
                for wishes in consoles.iter().flat_map(|console| console.carried.values()) {
                    wishes.send(&sim.time, Heard::Wish(Wish::Promote("op".into())));
                }
            }
        });
    }

    async fn finale(self: &Rc<Sim>) {
        let busy = |sim: &Sim| sim.consoles.borrow().iter().any(|console| !console.carried.is_empty());
        for round in 0..40 {
            self.time.sleep(15_000).await;
            let owing = !self.store.owing_dispatches().is_empty() || !self.owed_pools.borrow().is_empty();
            let open = owing || !self.store.open_dispatches().is_empty();
            if round > 1 && !open && !busy(self) {
                break;
            }
            let sim = Rc::clone(self);
            self.by_console(0, async move { drop(sim.upkeep(0, true).await) }).await;
        }
        if let Some(open) = self.store.open_dispatches().first() {
            return self.breaks("every dispatch ends", format!("{} is still {:?} at {}", open.id, open.outcome, open.phase.word()));
        }
        // What a scheduled upkeep does once more, when all has been quiet for a while.
        let sim = Rc::clone(self);
        self.by_console(0, async move { drop(sim.upkeep(0, true).await) }).await;
        self.time.sleep(15_000).await;
        self.judge_what_is_left(false);
        for swarm in 0..self.scenario.swarms.len() {
            planning::not_in_place(self, swarm);
            self.holds.borrow_mut().retain(|hold| hold.on == HoldOn::Swarm);
            self.dispatch_once_more(swarm).await;
        }
        self.judge_leases();
        let sim = Rc::clone(self);
        self.by_console(0, async move { drop(sim.upkeep(0, true).await) }).await;
        self.judge_what_is_left(true);
    }

    /// Whatever happened, a good version can be dispatched, and then the world is what that plan says.
    async fn dispatch_once_more(self: &Rc<Sim>, swarm: usize) {
        let size = self.scenario.swarms[swarm].size;
        let id = planning::swarm_id(swarm);
        let last = |sim: &Sim| sim.store.dispatches().into_iter().rev().find(|dispatch| dispatch.swarm_id == id);
        let before = last(self).map(|dispatch| dispatch.id);
        let told = Rc::new(Cell::new(None));
        // A proc that dies by itself between plan and execution is a world that moved: then it is planned again.
        for _ in 0..4 {
            let (sim, heard) = (Rc::clone(self), Rc::clone(&told));
            self.by_console(0, async move {
                let done = async {
                    let plan = sim.plan(0, swarm, 0, size, crate::plan::Replace::None).await?;
                    sim.execute(0, &plan, true).await
                };
                heard.set(done.await.err());
            })
            .await;
            if let Some(dispatch) = last(self).filter(|dispatch| Some(&dispatch.id) != before.as_ref())
                && dispatch.outcome == Some(Outcome::Done)
                && dispatch.debts.is_empty()
            {
                return;
            }
            self.time.sleep(15_000).await;
        }
        let why = told.take().map(|fault| fault.line()).unwrap_or_default();
        let how = format!("{id}: the last dispatch is {:?}; {why}", last(self).map(|last| (last.id, last.outcome, last.fault)));
        self.breaks("it can be dispatched again", how);
    }

    fn judge_leases(&self) {
        let (leases, ports) = (self.store.leases(), self.store.port_leases());
        if !leases.is_empty() || !ports.is_empty() {
            self.breaks("nothing is left behind", format!("leases {leases:?}, ports {ports:?}"));
        }
    }

    /// No lease, no port, no proc and no directory that nobody owns; what is owed is listed. What would leave nobody in a pool may be owed
    /// until somebody else serves there, at the `last`.
    fn judge_what_is_left(&self, last: bool) {
        let waits = |dispatch: &Dispatch| !last && dispatch.debts.iter().any(|debt| debt.what.contains("nobody would be left in the pool"));
        self.judge_leases();
        let promise = "nothing is left behind";
        let owed = self.owed_pools.borrow().clone();
        if !owed.is_empty() {
            self.breaks("debts are paid", format!("balancer hosts are owed pools: {owed:?}"));
        }
        for swarm in 0..self.scenario.swarms.len() {
            let id = planning::swarm_id(swarm);
            let (mut owned, mut maybe, mut partly) = (BTreeSet::new(), BTreeSet::new(), false);
            for dispatch in self.store.dispatches().iter().filter(|dispatch| dispatch.swarm_id == id) {
                if dispatch.outcome == Some(Outcome::Done) {
                    let truth = self.truth.borrow();
                    (owned, maybe) = (truth.courses[&dispatch.id].owned(), truth.courses[&dispatch.id].may_own());
                }
                // In place there is no exact way back.
                partly = dispatch.outcome == Some(Outcome::Failed) || partly && dispatch.outcome != Some(Outcome::Done);
                if !dispatch.debts.is_empty() && !waits(dispatch) {
                    self.breaks("debts are paid", format!("{} owes {:?}", dispatch.id, dispatch.debts));
                }
            }
            if partly {
                continue;
            }
            let fleet = self.fleet.borrow();
            let there = fleet.hosts.iter().enumerate().flat_map(|(number, host)| {
                host.procs
                    .values()
                    .filter(|proc| proc.swarm() == id)
                    .map(move |proc| (super::fleet::host_name(number), proc.instance().to_string()))
            });
            let there: BTreeSet<_> = there.collect();
            let lost: Vec<_> = owned.difference(&there).collect();
            let orphans: Vec<_> = there.difference(&owned).filter(|proc| !maybe.contains(*proc)).collect();
            if !lost.is_empty() || !orphans.is_empty() {
                self.breaks(promise, format!("{id}: lost {lost:?}, orphans {orphans:?}"));
            }
        }
    }
}
