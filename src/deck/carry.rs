//! Carrying plans out: execute, resume, cancel.

use super::hearing::listen;
use super::journal::DeckJournal;
use super::leasing::Held;
use super::look::Word;
use super::{Catalog, Deck, Entry, locked};
use crate::balancers::Snapshot;
use crate::dispatch::driver::{self, Hands, Wish};
use crate::dispatch::hands::RealHands;
use crate::dispatch::machine::{Rules, Run, StepName};
use crate::dispatch::rules;
use crate::model::entity::Swarm;
use crate::model::record::{Dispatch, Event, Outcome, Phase};
use crate::model::release::Release;
use crate::model::world::World;
use crate::model::{Fault, FaultKind, Result};
use crate::plan::{self, Plan};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A dispatch under way in this process.
pub struct Carried {
    pub id: String,
    pub number: i64,
    /// Ends with the dispatch as it was last written.
    pub done: JoinHandle<Dispatch>,
}

/// What upkeep did.
#[derive(Debug, Default)]
pub struct Upkept {
    /// Dispatches that were left behind.
    pub ended: Vec<Dispatch>,
    /// Dispatches whose debts were gone about; what could not be paid is listed in them still.
    pub paid: Vec<Dispatch>,
}

/// How a dispatch under way is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Cancel and undo.
    Undo,
    /// Between steps; it can be resumed.
    Leave,
}

impl Deck {
    /// Executes a stored plan: exactly that, or refuses because the world moved. Answers when it is under way.
    pub async fn execute(&self, plan_id: &str, why: &str) -> Result<Carried> {
        self.execute_lifting(plan_id, why, &[]).await
    }

    /// [`Deck::execute`] that goes past the swarm's holds of these names, and lifts them.
    pub async fn execute_lifting(&self, plan_id: &str, why: &str, lift: &[String]) -> Result<Carried> {
        let plan = Arc::new(self.stored_plan(plan_id).await?);
        let begun = self.begun(plan_id, Arc::clone(&plan), why, lift).await;
        if let Err(fault) = &begun {
            self.note_refusal(&plan.swarm_id, &plan.verb, fault).await;
        }
        begun
    }

    async fn begun(&self, plan_id: &str, plan: Arc<Plan>, why: &str, lift: &[String]) -> Result<Carried> {
        if let Some(dispatch) = self.store.dispatch(&plan.id).await? {
            return Err(
                Fault::refused(format!("plan {plan_id} was executed already, as dispatch {}", dispatch.number)).next("make a new plan")
            );
        }
        let catalog = self.catalog().await?;
        let entry = catalog.swarm(&plan.swarm_id).map_err(|_| Fault::refused(format!("{} is deleted", plan.swarm)))?.clone();
        if entry.rev != plan.swarm_rev {
            return Err(
                Fault::refused(format!("{} was saved by {} after the plan was made", entry.name, entry.changed_by)).next("plan again")
            );
        }
        self.lifting(&catalog, &entry, &plan, lift).await?;
        let release = self.release_of(&plan).await?;
        let (held, world) = self.take_lease(&catalog, &plan, Some(&entry.body), &format!("{} {}", plan.verb, plan.to.version)).await?;
        match self.begin(&catalog, &entry, &plan, &release, &held, &world, why, lift).await {
            Ok((dispatch, hands)) => {
                let run = Run::new(Rules::of(&plan), dispatch.steps.clone(), false, None);
                Ok(self.carry(run, dispatch, plan, held, hands))
            }
            Err(fault) => {
                // Nothing was begun: nothing stays taken. The fault itself is what the operator needs to hear.
                self.store.give_back_unbegun(&held.lease(), &plan.id).await.ok();
                held.release().await.ok();
                Err(fault)
            }
        }
    }

    /// Everything before the first step, in an order in which whatever fails leaves nothing behind but what `execute` gives back:
    /// every connection is open before the dispatch is written down.
    #[expect(clippy::too_many_arguments, reason = "each is one fact of the dispatch")]
    async fn begin(
        &self,
        catalog: &Catalog,
        entry: &Entry<Swarm>,
        plan: &Arc<Plan>,
        release: &Arc<Release>,
        held: &Held,
        world: &World,
        why: &str,
        lift: &[String],
    ) -> Result<(Dispatch, RealHands)> {
        // Only under the lease this cannot change any more.
        rules::never_ran(plan, self.store.dispatch(&plan.id).await?.as_ref())?;
        self.refuse_unfinished(&plan.swarm_id).await?;
        let mut seen = world.clone();
        self.add_made_and_never_seen(entry, &mut seen).await?;
        let moved = plan::moved(plan, &seen, &self.indebted().await?);
        if !moved.is_empty() {
            return Err(Fault::refused(format!("the world moved since the plan was made: {}", moved.join("; "))).next("plan again"));
        }
        self.claim_pool(catalog, plan).await?;
        self.pay_change(catalog, plan, held).await?;
        let before = self.reserve(catalog, plan, held).await?;
        let hands = self.hands(catalog, plan, release, held, before, true).await?;
        let mut dispatch = self.header(plan, &entry.name, why);
        let begun = Event {
            at_ms: self.now_ms(),
            kind: "swarm".into(),
            run: plan.id.clone(),
            who: self.who.clone(),
            what: format!("{} of {} {} began", plan.verb, entry.name, plan.to.version),
            place: entry.name.clone(),
            why: why.into(),
            ..Event::default()
        };
        // Asked again under the lease: a hold that came meanwhile holds.
        let lifts = self.lifting(catalog, entry, plan, lift).await?;
        self.audit_of(&dispatch, "begun").await?;
        let (lease, events) = (held.lease(), [begun]);
        let writing = self.store.begin_dispatch(&mut dispatch, &lease, &events, &lifts);
        #[cfg(debug_assertions)]
        let writing = crate::dispatch::stop_at::write(writing);
        writing.await?;
        Ok((dispatch, hands))
    }

    /// Carries a dispatch on that an earlier process left: its lease is taken over, the fence raised, and every step with an
    /// intent done again. `undo` turns it round first.
    pub async fn resume(&self, dispatch: &Dispatch, undo: Option<Fault>) -> Result<Carried> {
        self.take_up(dispatch, undo.map_or(TakingUp::CarryOn, TakingUp::Undo)).await
    }

    /// Takes the lease of a dispatch that nobody carries, and carries it as asked.
    pub(super) async fn take_up(&self, dispatch: &Dispatch, how: TakingUp) -> Result<Carried> {
        if self.carrying().contains(&dispatch.id) {
            return Err(Fault::busy(format!("dispatch {} is carried here", dispatch.number)));
        }
        let plan = Arc::new(self.stored_plan(&dispatch.id).await?);
        let catalog = self.catalog().await?;
        let release = self.release_of(&plan).await?;
        let swarm = catalog.swarm(&plan.swarm_id).ok().map(|entry| entry.body.clone());
        let (held, _) = self.take_lease(&catalog, &plan, swarm.as_ref(), &how.why(dispatch.number)).await?;
        match self.take_on(&catalog, &plan, &release, &held, how).await {
            Ok((run, dispatch, hands)) => Ok(self.carry(run, dispatch, plan, held, hands)),
            Err(fault) => {
                held.release().await.ok();
                Err(fault)
            }
        }
    }

    async fn take_on(
        &self,
        catalog: &Catalog,
        plan: &Arc<Plan>,
        release: &Arc<Release>,
        held: &Held,
        how: TakingUp,
    ) -> Result<(Run, Dispatch, RealHands)> {
        // Read again under the lease: the former holder may have written after we looked.
        let mut dispatch = self.store.dispatch(&plan.id).await?.ok_or_else(|| Fault::failed("the dispatch is gone from the store"))?;
        let paying = matches!(how, TakingUp::Pay(_));
        if !paying && dispatch.outcome.is_some_and(|outcome| outcome != Outcome::Interrupted) {
            return Err(Fault::refused(format!("dispatch {} has ended: {}", dispatch.number, dispatch.outcome.map_or("", Outcome::word))));
        }
        if paying {
            rules::may_pay(&dispatch.swarm_id, &self.store.open_dispatches().await?)?;
        }
        let before: Snapshot = match (self.store.kept("pool before", &plan.id).await?, &plan.pool) {
            (Some(before), _) => before,
            (None, None) => Snapshot::default(),
            // An empty one would empty the pool when it is put back.
            (None, Some(pool)) => {
                return Err(Fault::failed(format!("what pool {}@{} held before is not kept any more", pool.pool, pool.balancer)));
            }
        };
        let hands = self.hands(catalog, plan, release, held, before, false).await?;
        // A new holder first raises the fence wherever it can; where it cannot, the step there fails and says so.
        let fenced = dispatch.steps.iter().filter(|step| step.phase == Phase::Fence).map(|step| step.place.clone());
        let places: BTreeSet<String> = match &how {
            TakingUp::Pay(places) => places.clone(),
            _ => fenced.collect(),
        };
        let raising = places.iter().map(|place| async {
            let name = StepName { batch: 0, phase: Phase::Fence, place: place.clone() };
            let (_keep, give_up) = tokio::sync::watch::channel(false);
            (place.clone(), hands.carry(&name, &BTreeSet::new(), give_up).await)
        });
        for (place, raised) in futures::future::join_all(raising).await {
            if let Err(fault) = raised {
                let event = Event {
                    at_ms: self.now_ms(),
                    kind: "fence".into(),
                    run: plan.id.clone(),
                    what: fault.line(),
                    place,
                    result: "warning".into(),
                    ..Event::default()
                };
                self.store.note(&[event], None).await?;
            }
        }
        let rules = Rules::of(plan);
        if let TakingUp::Pay(places) = &how {
            let overtaken = rules::overtaken(&dispatch, &self.store.dispatches(Some(&dispatch.swarm_id), 1000).await?);
            let mut run = Run::to_pay(rules, dispatch.steps.clone(), dispatch.undoing, places, overtaken);
            run.cause.clone_from(&dispatch.fault);
            self.audit_of(&dispatch, "debts paid").await?;
            return Ok((run, dispatch, hands));
        }
        dispatch.outcome = None;
        dispatch.holder.clone_from(&self.holder);
        let cause = dispatch.fault.clone().filter(|_| dispatch.undoing);
        let mut run = Run::new(rules, dispatch.steps.clone(), dispatch.undoing, cause);
        if let TakingUp::Undo(fault) = how
            && run.may_turn()
        {
            run.undoing = true;
            run.cause.get_or_insert(fault);
        }
        self.audit_of(&dispatch, "resumed").await?;
        Ok((run, dispatch, hands))
    }

    /// The swarm's lease with an epoch above every one that a host or balancer of the plan has seen, and the world as it is under it.
    async fn take_lease(&self, catalog: &Catalog, plan: &Plan, swarm: Option<&Swarm>, why: &str) -> Result<(Held, World)> {
        let mut min = 0;
        loop {
            let held = self.acquire(&rules::lease_name(&plan.swarm_id), why, &plan.id, min).await?;
            let world = match self.observe(catalog, swarm).await {
                Ok(world) => world,
                Err(fault) => {
                    held.release().await.ok();
                    return Err(fault);
                }
            };
            let fenced = self.highest_fence(catalog, plan, &world).await;
            if fenced < held.epoch() {
                return Ok((held, world));
            }
            // Between two leases others may act: the world is looked at again.
            held.release().await?;
            min = i64::try_from(fenced).unwrap_or(i64::MAX - 1);
        }
    }

    /// A pool belongs to one swarm; one that is deleted, or has another pool now, has lost it.
    async fn claim_pool(&self, catalog: &Catalog, plan: &Plan) -> Result<()> {
        let Some(pool) = &plan.pool else { return Ok(()) };
        self.refuse_taken(catalog, Some(pool)).await?;
        if let Some(owner) = self.store.pool_owner(&pool.balancer, &pool.pool).await?
            && !catalog.swarms.iter().any(|entry| {
                entry.id == owner && entry.body.pool.as_ref() == Some(&pool.pool) && entry.body.balancer.as_ref() == Some(&pool.balancer)
            })
        {
            self.store.release_pool(&pool.balancer, &pool.pool, &owner).await?;
        }
        self.store.claim_pool(&pool.balancer, &pool.pool, &plan.swarm_id, self.now_ms()).await
    }

    /// One try of [`Deck::cancel`].
    pub(super) async fn cancel_now(&self, dispatch: &Dispatch) -> Result<Option<Carried>> {
        if !Run::new(Rules::default(), dispatch.steps.clone(), dispatch.undoing, None).may_turn() {
            return Err(Fault::refused(format!("dispatch {} has begun to stop old procs, so it only goes forward", dispatch.number))
                .next(format!("let it end (swarmdeck resume {}), then: swarmdeck rollback {}", dispatch.number, dispatch.swarm)));
        }
        let fault = Fault::interrupted(format!("cancelled by {}", self.who));
        if self.carrying().contains(&dispatch.id) {
            self.wish(dispatch, Wish::Undo(fault)).await?;
            return Ok(None);
        }
        match self.resume(dispatch, Some(fault.clone())).await {
            Ok(carried) => Ok(Some(carried)),
            Err(busy) if busy.kind == FaultKind::Busy => {
                self.wish(dispatch, Wish::Undo(fault)).await?;
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Tells whoever carries a dispatch what is wanted of it: here at once, elsewhere through the store.
    pub(super) async fn wish(&self, dispatch: &Dispatch, wish: Wish) -> Result<()> {
        let carried = locked(&self.carried).get(&dispatch.id).cloned();
        match carried {
            Some(wishes) => drop(wishes.send(wish).await),
            None => self.store.keep("wish", &dispatch.id, &wish, self.now_ms()).await?,
        }
        Ok(())
    }

    /// Says a word to a dispatch under way, whoever carries it.
    pub async fn tell(&self, dispatch: &Dispatch, word: &Word) -> Result<String> {
        let number = dispatch.number;
        match word {
            Word::Promote => self.promote(dispatch).await.map(|()| format!("dispatch {number}: its canary is promoted")),
            Word::GoWithout(host) => self.go_without(dispatch, host).await.map(|()| format!("dispatch {number} goes on without {host}")),
            Word::Wait(minutes) => {
                self.wait_longer(dispatch, Duration::from_secs(minutes * 60)).await?;
                Ok(format!("dispatch {number} waits {minutes} minutes longer"))
            }
        }
    }

    /// Promotes the canary of a dispatch: the other procs follow.
    async fn promote(&self, dispatch: &Dispatch) -> Result<()> {
        let waits =
            |step: &crate::model::record::Step| step.phase == Phase::Promote && step.state == crate::model::record::StepState::Intent;
        if !dispatch.steps.iter().any(waits) {
            return Err(Fault::refused(format!("dispatch {} has no canary that waits to be promoted", dispatch.number))
                .next(format!("look where it is: swarmdeck describe dispatch {}", dispatch.number)));
        }
        self.audit_of(dispatch, "promoted").await?;
        self.wish(dispatch, Wish::Promote(self.who.clone())).await
    }

    /// Goes on without a host that does not answer; what it may hold of the dispatch is owed.
    async fn go_without(&self, dispatch: &Dispatch, host: &str) -> Result<()> {
        self.audit_of(dispatch, &format!("told to go on without {host}")).await?;
        self.wish(dispatch, Wish::GoWithout(host.to_string())).await
    }

    /// Waits longer for hosts that do not answer.
    async fn wait_longer(&self, dispatch: &Dispatch, more: Duration) -> Result<()> {
        self.audit_of(dispatch, "told to wait longer").await?;
        self.wish(dispatch, Wish::Wait(u64::try_from(more.as_millis()).unwrap_or(u64::MAX))).await
    }

    /// Stops a dispatch that this process carries.
    pub async fn stop(&self, dispatch_id: &str, how: Stop) {
        let wishes = locked(&self.carried).get(dispatch_id).cloned();
        if let Some(wishes) = wishes {
            let wish = match how {
                Stop::Undo => Wish::Undo(Fault::interrupted(format!("cancelled by {}", self.who))),
                Stop::Leave => Wish::Leave,
            };
            wishes.send(wish).await.ok();
        }
    }

    /// Ids of dispatches that this process carries.
    pub fn carrying(&self) -> Vec<String> {
        locked(&self.carried).keys().cloned().collect()
    }

    /// Waits until this process does not carry a dispatch any more; the dispatch as it was last written.
    pub async fn wait_for(&self, id: &str) -> Option<Dispatch> {
        let mut changes = self.store.changes();
        while self.carrying().iter().any(|carried| carried == id) {
            tokio::select! {
                () = changes.changed() => {}
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
            }
        }
        self.store.dispatch(id).await.ok().flatten()
    }

    /// Dispatches left behind by processes that are gone: finished or undone, one after the other; then debts are paid where hosts
    /// answer again. Answers with what became of each.
    pub async fn upkeep(&self) -> Result<Upkept> {
        let (mut ended, mut failed) = (Vec::new(), None);
        for dispatch in self.store.open_dispatches().await? {
            match self.resume(&dispatch, None).await {
                Ok(carried) => {
                    if let Ok(dispatch) = carried.done.await {
                        ended.push(dispatch);
                    }
                }
                Err(fault) if fault.kind == FaultKind::Busy => {}
                // One that cannot be carried on does not keep the others waiting.
                Err(fault) => drop(failed.get_or_insert(fault)),
            }
        }
        self.free_what_the_dead_held().await?;
        let (paid, owing) = self.pay_debts().await?;
        let pools = self.pay_pools().await.map(drop);
        failed.or(owing).map_or(pools.map(|()| Upkept { ended, paid }), Err)
    }

    /// A dispatch by number or id.
    pub async fn dispatch_named(&self, name: &str) -> Result<Dispatch> {
        let found = match name.parse::<i64>() {
            Ok(number) => self.store.dispatch_number(number).await?,
            Err(_) => self.store.dispatch(name).await?,
        };
        found.ok_or_else(|| super::unknown("dispatch", name, "dispatches"))
    }

    fn carry(&self, run: Run, dispatch: Dispatch, plan: Arc<Plan>, held: Held, hands: RealHands) -> Carried {
        let (id, number) = (dispatch.id.clone(), dispatch.number);
        let (sender, wishes) = mpsc::channel(8);
        locked(&self.carried).insert(id.clone(), sender.clone());
        let deck = self.clone();
        let task_id = id.clone();
        let done = tokio::spawn(async move {
            let journal = Arc::new(DeckJournal { deck: deck.clone(), held, plan, dispatch: Mutex::new(dispatch), paying: run.paying });
            let listening = tokio::spawn(listen(Arc::clone(&journal), task_id.clone(), sender));
            let now_ms = deck.outside.now_ms;
            let ended = driver::drive(run, journal.clone(), Arc::new(hands), &now_ms, wishes).await;
            listening.abort();
            // It holds the journal, and with it the lease.
            listening.await.ok();
            deck.end(&task_id, journal, ended).await
        });
        Carried { id, number, done }
    }

    /// What remains when the driving has ended: port leases and the lease are given back, an interruption is written down if it can be.
    async fn end(&self, id: &str, journal: Arc<DeckJournal>, ended: driver::Ended) -> Dispatch {
        let interrupted = ended.outcome == Outcome::Interrupted;
        // What could not be written down may have been a cancel.
        let unwritten = interrupted && ended.run.undoing && ended.fault.as_ref().is_some_and(crate::store::is_unwritten);
        // What is handed to another process is not interrupted: that one has it the next moment.
        let handed = interrupted && locked(&self.handing).contains(id);
        // One whose debts are paid has ended already; what was not paid stays owed.
        if interrupted && !handed && !journal.paying {
            {
                let mut dispatch = locked(&journal.dispatch);
                dispatch.outcome = Some(Outcome::Interrupted);
                dispatch.holder = String::new();
                dispatch.fault = dispatch.fault.clone().or(ended.fault);
            }
            let header = locked(&journal.dispatch).clone();
            let lease = journal.held.lease();
            let entry =
                crate::store::Entry { dispatch: &header, lease: &lease, steps: &[], events: &[], changes: &[], now_ms: self.now_ms() };
            // It may be that nothing can be written at all: the journal says enough without it.
            self.store.record(&entry).await.ok();
        }
        let dispatch = locked(&journal.dispatch).clone();
        // What was just made is seen before anybody can lose sight of it: "not seen is never gone" rests on what was seen last.
        if !interrupted && let Ok(catalog) = self.catalog().await {
            let swarm = catalog.swarm(&dispatch.swarm_id).map(|entry| entry.body.clone());
            if let Ok(world) = self.observe(&catalog, swarm.as_ref().ok()).await {
                self.give_up_pools(&catalog, &world, &dispatch.swarm_id).await.ok();
            }
        }
        self.audit_of(&dispatch, dispatch.outcome.map_or(if handed { "handed over" } else { "" }, Outcome::word)).await.ok();
        locked(&self.carried).remove(id);
        if let Ok(journal) = Arc::try_unwrap(journal).map_err(drop) {
            journal.held.release().await.ok();
        }
        if unwritten && !handed {
            self.cancel_later(id);
        }
        self.observe_soon();
        self.refresh_soon();
        dispatch
    }
}

/// What a dispatch that nobody carries is taken up for.
pub(super) enum TakingUp {
    CarryOn,
    Undo(Fault),
    /// It ended and owes something to these places, which answer again.
    Pay(BTreeSet<String>),
}

impl TakingUp {
    fn why(&self, number: i64) -> String {
        match self {
            TakingUp::CarryOn => format!("resume {number}"),
            TakingUp::Undo(_) => format!("cancel {number}"),
            TakingUp::Pay(_) => format!("debts of {number}"),
        }
    }
}
