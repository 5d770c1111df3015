//! The machine: (journal state, event, now) -> (records to write, effects to run). Pure; it decides everything, it does nothing.
//!
//! Steps go phase by phase; within a phase every place works in parallel. Until the first old proc stops, any failure or cancel
//! turns the dispatch round: what was begun is undone in reverse order. After that it only goes forward (DESIGN part 4).

use crate::model::record::{Debt, Outcome, Phase, Step, StepState};
use crate::model::{Fault, FaultKind};
use crate::plan::{Plan, PlannedProc};
use std::collections::BTreeSet;

/// The name of a step: in which batch, what, and where. A place is a host's name, `balancer/pool`, or "".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepName {
    pub batch: u32,
    pub phase: Phase,
    pub place: String,
}

/// What the driver is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Carry the step out; idempotent.
    Do(StepName),
    /// Take the step back; idempotent.
    Undo(StepName),
    /// Stop waiting where waiting can be given up: the dispatch turned round.
    GiveUp,
}

/// What the driver reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A process took it over, or begins it: everything with an intent is done again.
    Begin,
    Done(StepName, String),
    Failed(StepName, Fault),
    /// The operator wants it undone.
    Cancel(Fault),
    /// The operator promotes the canary; who.
    Promote(String),
    /// The operator goes on without a host that does not answer.
    GoWithout(String),
    /// The operator waits so much longer (ms) for hosts that do not answer.
    Wait(u64),
}

/// What follows from an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Next {
    /// Steps whose state changed: to be written, in one transaction, before any effect runs.
    pub records: Vec<Step>,
    pub effects: Vec<Effect>,
    /// Set once, when it has ended.
    pub outcome: Option<Outcome>,
}

impl Next {
    /// What followed from a later event, written and done together with this.
    pub fn and_then(&mut self, later: Next) {
        self.records.extend(later.records);
        self.effects.extend(later.effects);
        self.outcome = self.outcome.or(later.outcome);
    }
}

/// How often a step that must not be given up is tried.
pub const ATTEMPTS: u32 = 3;

/// What is done about hosts that fall silent on the way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// How long a step is tried again on a host that does not answer (ms).
    pub lost_after_ms: u64,
    /// How many hosts with new procs must be left for it to go on without the others; none: it turns round.
    pub hosts_needed: Option<u32>,
}

impl Rules {
    pub fn of(plan: &Plan) -> Rules {
        Rules { lost_after_ms: plan.timing.lost_after_ms, hosts_needed: plan.absent.hosts_needed() }
    }
}

/// Tries of a step that is tried again: how many failed, and when the first did. Not journaled: a new process counts anew.
#[derive(Debug, Clone, PartialEq)]
struct Tries {
    name: StepName,
    failed: u32,
    since_ms: i64,
}

/// A dispatch on its way: everything that is in the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub steps: Vec<Step>,
    pub undoing: bool,
    /// Why it turned round.
    pub cause: Option<Fault>,
    pub outcome: Option<Outcome>,
    /// It ended before; what it owes is being paid.
    pub paying: bool,
    /// A later dispatch of the swarm went on from what this one left: only what is owed to hosts is still to be done.
    overtaken: bool,
    rules: Rules,
    tries: Vec<Tries>,
    in_flight: Vec<StepName>,
    /// Of those, writes of a pool that may still name a host which was lost after they began: they are done once more.
    stale: Vec<StepName>,
}

/// Every step of a plan, in order.
pub fn steps(plan: &Plan) -> Vec<Step> {
    let mut all = Vec::new();
    let mut add = |batch: u32, phase: Phase, places: Vec<String>, state: StepState, detail: &str| {
        all.extend(places.into_iter().map(|place| Step {
            batch,
            phase,
            place,
            state,
            started_ms: 0,
            ended_ms: 0,
            detail: detail.to_string(),
        }));
    };
    let pending = StepState::Pending;
    let pool: Vec<String> = plan.pool.iter().filter(|_| !plan.is_pool_untouched()).map(crate::plan::PoolChange::place).collect();
    let others: Vec<String> = plan.other_pools.iter().map(crate::plan::PoolChange::place).collect();
    let last = plan.batches() - 1;
    let pools = pool.iter().chain(&others).cloned();
    add(0, Phase::Fence, plan.touched_hosts().into_iter().chain(pools).collect(), pending, "");
    add(0, Phase::Distribute, hosts(plan.start.iter()), pending, "");
    for batch in 0..=last {
        let of_batch = |procs: &'static str| {
            let list = if procs == "start" { &plan.start } else { &plan.retire };
            list.iter().filter(move |proc| proc.batch == batch)
        };
        let kept = plan.keep.iter().filter(|_| batch == 0);
        if plan.in_place {
            add(batch, Phase::Drain, pool.clone(), pending, "");
            add(batch, Phase::Retire, hosts(of_batch("retire")), pending, "");
        }
        add(batch, Phase::Start, hosts(of_batch("start")), pending, "");
        add(batch, Phase::Prove, hosts(of_batch("start").chain(kept)), pending, "");
        add(batch, Phase::Route, pool.clone(), pending, "");
        if !plan.in_place {
            // Only when everything new serves, nobody needs the other pools any more.
            let others = others.iter().filter(|_| batch == last);
            add(batch, Phase::Drain, pool.iter().chain(others).cloned().collect(), pending, "");
        }
        if batch == 0 && plan.canary > 0 && last > 0 {
            add(batch, Phase::Promote, vec![String::new()], pending, "");
        }
    }
    if plan.timing.soak_ms > 0 && !plan.start.is_empty() {
        add(last, Phase::Soak, vec![String::new()], pending, "");
    }
    if !plan.in_place {
        add(last, Phase::Retire, hosts(plan.retire.iter()), pending, "");
    }
    add(last, Phase::Retire, hosts(plan.lost.iter()), StepState::Owed, "its old procs are to be retired when it answers again");
    all
}

fn hosts<'a>(procs: impl Iterator<Item = &'a PlannedProc>) -> Vec<String> {
    procs.map(|proc| proc.host.clone()).collect::<BTreeSet<_>>().into_iter().collect()
}

impl Run {
    /// From the journal (or, for a new dispatch, from [`steps`]).
    pub fn new(rules: Rules, steps: Vec<Step>, undoing: bool, cause: Option<Fault>) -> Run {
        let (tries, in_flight, stale) = (Vec::new(), Vec::new(), Vec::new());
        Run { steps, undoing, cause, outcome: None, paying: false, overtaken: false, rules, tries, in_flight, stale }
    }

    /// One that has ended and owes something, to be paid at these places (hosts, `balancer/pool`) now. What a later dispatch went on
    /// from is its own: the pool is not put back, and procs that stayed because of the pool are not taken away any more.
    pub fn to_pay(rules: Rules, steps: Vec<Step>, undoing: bool, places: &BTreeSet<String>, overtaken: bool) -> Run {
        let mut run = Run { paying: true, overtaken, ..Run::new(rules, steps, undoing, None) };
        let stayed = |step: &Step| matches!(step.state, StepState::Done | StepState::Failed);
        for step in run.steps.iter_mut().filter(|step| overtaken && undoing && stayed(step)) {
            step.state = StepState::Skipped;
        }
        let floor = run.floor();
        for (at, step) in run.steps.iter_mut().enumerate().filter(|(_, step)| is_debt(step.state, true)) {
            step.state = match step.phase {
                _ if routes(step) && overtaken => StepState::Skipped,
                _ if !places.contains(&step.place) => StepState::Owed,
                Phase::Retire => StepState::Intent,
                _ if undoing && routes(step) && at < floor => StepState::Intent,
                _ => StepState::Undoing,
            };
        }
        run
    }

    /// What is owed to hosts and balancers.
    pub fn debts(&self) -> Vec<Debt> {
        let owed = self.steps.iter().filter(|step| is_debt(step.state, self.paying));
        owed.map(|step| Debt { host: step.place.clone(), what: format!("{}: {}", step.phase.word(), step.detail) }).collect()
    }

    /// Hosts that the dispatch went on without.
    pub fn lost_hosts(&self) -> BTreeSet<String> {
        self.steps.iter().filter(|step| step.state == StepState::Lost).map(|step| step.place.clone()).collect()
    }

    /// The phase that it is in.
    pub fn phase(&self) -> Phase {
        let open = |step: &&Step| !is_closed(step.state);
        if self.undoing {
            let undoing = self
                .steps
                .iter()
                .rev()
                .find(|step| matches!(step.state, StepState::Undoing | StepState::Done | StepState::Intent | StepState::Failed));
            return undoing.map_or(Phase::Done, |step| step.phase);
        }
        self.steps.iter().find(open).map_or(Phase::Done, |step| step.phase)
    }

    /// Where the last step is that stopped, or may have stopped, an old proc: what stands before it is never undone.
    fn last_stop(&self) -> Option<usize> {
        let stops = |step: &Step| {
            step.phase == Phase::Retire && matches!(step.state, StepState::Intent | StepState::Done | StepState::Failed)
                || step.phase == Phase::Retire && step.state == StepState::Owed && step.started_ms > 0
        };
        self.steps.iter().rposition(stops)
    }

    /// What stands before this is never undone: the last stop of an old proc and, in place, the new procs that took over from it.
    fn floor(&self) -> usize {
        let Some(stop) = self.last_stop() else { return 0 };
        let batch = self.steps.get(stop).map(|step| step.batch);
        let took_over = |step: &Step| Some(step.batch) == batch && matches!(step.phase, Phase::Start | Phase::Prove | Phase::Route);
        // Routed, or where there is no pool proven; what a lost host was to start is a debt, paid or not, and says nothing here.
        let at = self.steps.iter().rfind(|step| took_over(step)).map(|step| step.phase);
        let serves = |step: &&Step| took_over(step) && Some(step.phase) == at;
        let whole = self.steps.iter().filter(serves).all(|step| is_closed(step.state) && step.state != StepState::Undone);
        let end = self.steps.iter().rposition(took_over).filter(|_| whole).unwrap_or(0);
        stop.max(end) + 1
    }

    /// Whether an old proc may have been stopped.
    pub fn past_return(&self) -> bool {
        self.last_stop().is_some()
    }

    /// Whether it can still turn round: no old proc was stopped, or it is in place, where the batch that is under way is taken back.
    pub fn may_turn(&self) -> bool {
        let starts_after = |at: usize| self.steps.iter().skip(at + 1).any(|step| step.phase == Phase::Start);
        self.last_stop().is_none_or(starts_after)
    }

    /// Takes an event; says what to write and what to do.
    pub fn step(&mut self, event: Event, now_ms: i64) -> Next {
        let mut next = Next::default();
        if self.outcome.is_some() {
            return next;
        }
        match event {
            Event::Begin => self.begin(&mut next),
            Event::Done(name, detail) => self.done(&name, detail, now_ms, &mut next),
            Event::Failed(name, fault) => self.failed(&name, fault, now_ms, &mut next),
            Event::Cancel(fault) => self.turn_round(fault, &mut next),
            Event::Promote(who) => self.promote(&who, now_ms, &mut next),
            // Said of a host that answers it is late: that one was silent once.
            Event::GoWithout(host) if self.tries.iter().any(|tries| tries.name.place == host) => {
                self.go_without(&host, 1, now_ms, &mut next);
            }
            Event::GoWithout(_) => {}
            Event::Wait(ms) => self.rules.lost_after_ms = self.rules.lost_after_ms.saturating_add(ms),
        }
        self.go_on(now_ms, &mut next);
        next
    }

    /// Nothing is under way yet. What an earlier process proved may have died since: it is proven again before anything rests on it.
    fn begin(&mut self, next: &mut Next) {
        self.in_flight.clear();
        self.stale.clear();
        if self.paying {
            next.records.extend(self.steps.iter().filter(|step| !is_closed(step.state)).cloned());
        }
        if self.undoing || self.paying {
            return;
        }
        // In place, what serves already is left alone; what is still to be routed is not.
        let past = self.past_return();
        let to_route = |step: &&Step| step.phase == Phase::Route && !is_closed(step.state);
        let to_route: BTreeSet<u32> = self.steps.iter().filter(to_route).map(|step| step.batch).collect();
        let again = |step: &Step| step.phase == Phase::Prove && step.state == StepState::Done && (!past || to_route.contains(&step.batch));
        for step in self.steps.iter_mut().filter(|step| again(step)) {
            step.state = StepState::Pending;
            next.records.push(step.clone());
        }
    }

    fn done(&mut self, name: &StepName, detail: String, now_ms: i64, next: &mut Next) {
        self.in_flight.retain(|flying| flying != name);
        let stale = self.stale.iter().position(|stale| stale == name).map(|at| self.stale.remove(at)).is_some();
        let Some(step) = self.find(name) else { return };
        step.state = match step.state {
            StepState::Intent if stale => return,
            StepState::Intent => StepState::Done,
            StepState::Undoing => StepState::Undone,
            // Promoted by hand, or lost, before the answer came.
            _ => return,
        };
        step.detail = detail;
        step.ended_ms = now_ms;
        next.records.push(step.clone());
    }

    fn failed(&mut self, name: &StepName, fault: Fault, now_ms: i64, next: &mut Next) {
        self.in_flight.retain(|flying| flying != name);
        let (undoing, stops) = (self.undoing, name.phase == Phase::Retire && (self.paying || !self.makes_room(name)));
        let Some(state) = self.find(name).map(|step| step.state) else { return };
        if !matches!(state, StepState::Intent | StepState::Undoing) {
            return;
        }
        // A step that was still under way when the dispatch turned round is undone like the others; an old proc that was being
        // stopped then is left as it is: the next dispatch sees it.
        let must_succeed = state == StepState::Undoing || stops || self.is_unsettled(name);
        let given_up = undoing && stops && state == StepState::Intent && !self.paying;
        if must_succeed && !given_up && self.try_again(name, now_ms) < ATTEMPTS {
            return;
        }
        let silent = !must_succeed && !undoing && fault.kind == FaultKind::Unreachable;
        if silent && self.may_answer_yet(name, &fault, now_ms, next) {
            return;
        }
        let needed = self.rules.hosts_needed;
        if silent && needed.is_some_and(|needed| self.go_without(&name.place, needed, now_ms, next)) {
            return;
        }
        let Some(step) = self.find(name) else { return };
        step.state = if must_succeed && !given_up { StepState::Owed } else { StepState::Failed };
        step.detail = fault.line();
        step.ended_ms = now_ms;
        next.records.push(step.clone());
        if !must_succeed && !undoing {
            self.turn_round(fault, next);
        }
    }

    /// Whether a stop of old procs makes room for new ones, in place: those cannot start before it is done.
    fn makes_room(&self, name: &StepName) -> bool {
        let instead = |step: &Step| (step.batch, step.phase, &step.place) == (name.batch, Phase::Start, &name.place);
        self.steps.iter().any(|step| instead(step) && step.state == StepState::Pending)
    }

    /// A host that does not answer is asked again until `lost_after` has passed; the first time that is written down.
    fn may_answer_yet(&mut self, name: &StepName, fault: &Fault, now_ms: i64, next: &mut Next) -> bool {
        let failed = self.try_again(name, now_ms);
        let since_ms = self.tries.iter().find(|tries| &tries.name == name).map_or(now_ms, |tries| tries.since_ms);
        let patience = i64::try_from(self.rules.lost_after_ms).unwrap_or(i64::MAX);
        if now_ms.saturating_sub(since_ms) >= patience {
            return false;
        }
        let what = if self.rules.hosts_needed.is_some() { "it goes on without it" } else { "everything is undone" };
        if failed == 1
            && let Some(step) = self.find(name)
        {
            step.detail = format!("does not answer: {}; if that lasts {} s {what}", fault.what, patience / 1000);
            next.records.push(step.clone());
        }
        true
    }

    /// Goes on without a host, if `needed` others with new procs are left: what it may hold of ours is owed.
    fn go_without(&mut self, host: &str, needed: u32, now_ms: i64, next: &mut Next) -> bool {
        if host.contains('/') {
            return false;
        }
        let lost = self.lost_hosts();
        let new_on = |step: &&Step| step.phase == Phase::Start && step.place != host && !lost.contains(&step.place);
        let left: BTreeSet<&String> = self.steps.iter().filter(new_on).map(|step| &step.place).collect();
        let under_way = |step: &Step| step.place == host && step.state == StepState::Intent;
        let early = |step: &Step| matches!(step.phase, Phase::Fence | Phase::Distribute | Phase::Start | Phase::Prove);
        if left.len() < needed as usize || self.undoing || !self.steps.iter().any(|step| under_way(step) && early(step)) {
            return false;
        }
        for step in self.steps.iter_mut().filter(|step| step.place == host) {
            let (state, what) = match (step.phase, step.state) {
                (Phase::Start, StepState::Intent | StepState::Done) => {
                    (StepState::Owed, "its new procs are to be removed when it answers again")
                }
                (Phase::Retire, StepState::Pending | StepState::Intent) => {
                    (StepState::Owed, "its old procs are to be retired when it answers again")
                }
                (_, state) if is_closed(state) => continue,
                _ => (StepState::Lost, "does not answer; gone on without it"),
            };
            (step.state, step.ended_ms) = (state, now_ms);
            step.detail = what.into();
            next.records.push(step.clone());
        }
        self.in_flight.retain(|flying| flying.place != host);
        self.route_again(host, next);
        true
    }

    /// The pool as it was last written is written again, without a host that was lost after that.
    fn route_again(&mut self, host: &str, next: &mut Next) {
        let writes = self.steps.iter().filter(|step| routes(step) && step.state == StepState::Intent).map(name_of);
        self.stale = writes.filter(|name| self.in_flight.contains(name)).collect();
        let written = |step: &&Step| routes(step) && step.state == StepState::Done;
        let Some((batch, phase)) = self.steps.iter().rfind(written).map(|step| (step.batch, step.phase)) else { return };
        if !self.steps.iter().any(|step| step.phase == Phase::Start && step.place == host && step.batch <= batch) {
            return;
        }
        let last = |step: &Step| (step.batch, step.phase, step.state) == (batch, phase, StepState::Done);
        for step in self.steps.iter_mut().filter(|step| last(step)) {
            step.state = StepState::Pending;
            next.records.push(step.clone());
        }
    }

    /// Whether a step is a write of the pool that stands before what is never undone and was not carried out: on the way back it is
    /// still done, or the pool would name procs of a lost host for ever.
    fn is_unsettled(&self, name: &StepName) -> bool {
        let is_it = |step: &Step| name_of(step) == *name && routes(step) && !is_closed(step.state);
        self.undoing && self.steps.iter().take(self.floor()).any(is_it)
    }

    fn promote(&mut self, who: &str, now_ms: i64, next: &mut Next) {
        let waiting = |step: &&mut Step| step.phase == Phase::Promote && step.state == StepState::Intent;
        let Some(step) = self.steps.iter_mut().find(waiting) else { return };
        (step.state, step.ended_ms, step.detail) = (StepState::Done, now_ms, format!("promoted by {who}"));
        let name = name_of(step);
        next.records.push(step.clone());
        self.in_flight.retain(|flying| *flying != name);
    }

    fn turn_round(&mut self, fault: Fault, next: &mut Next) {
        if self.undoing || self.paying || !self.may_turn() {
            return;
        }
        self.undoing = true;
        self.cause.get_or_insert(fault);
        next.effects.push(Effect::GiveUp);
    }

    /// Counts a failure; answers with how many there were.
    fn try_again(&mut self, name: &StepName, now_ms: i64) -> u32 {
        if let Some(tries) = self.tries.iter_mut().find(|tries| &tries.name == name) {
            tries.failed += 1;
            return tries.failed;
        }
        self.tries.push(Tries { name: name.clone(), failed: 1, since_ms: now_ms });
        1
    }

    fn go_on(&mut self, now_ms: i64, next: &mut Next) {
        if self.undoing { self.back(next) } else { self.forward(now_ms, next) }
    }

    fn forward(&mut self, now_ms: i64, next: &mut Next) {
        let open = |step: &Step| !is_closed(step.state);
        let Some((batch, phase)) = self.steps.iter().find(|step| open(step)).map(|step| (step.batch, step.phase)) else {
            self.end(Outcome::Done, next);
            return;
        };
        for step in self.steps.iter_mut().filter(|step| (step.batch, step.phase) == (batch, phase) && open(step)) {
            let name = name_of(step);
            if self.in_flight.contains(&name) {
                continue;
            }
            if step.state == StepState::Pending {
                step.state = StepState::Intent;
                step.started_ms = now_ms;
                next.records.push(step.clone());
            }
            next.effects.push(if step.state == StepState::Undoing { Effect::Undo(name.clone()) } else { Effect::Do(name.clone()) });
            self.in_flight.push(name);
        }
    }

    /// In reverse order; a phase is undone only when all after it is, and never while one of its steps is still under way.
    /// What cannot be undone stays, and nothing that rests on it is taken away: a pool that could not be put back may still
    /// name the new procs. In place it goes back to the last stop of an old proc.
    fn back(&mut self, next: &mut Next) {
        if self.steps.iter().any(|step| step.state == StepState::Intent && self.in_flight.contains(&name_of(step))) {
            return;
        }
        let begun = |step: &Step| matches!(step.state, StepState::Intent | StepState::Done | StepState::Undoing | StepState::Failed);
        // A wait has nothing to take back; what it answers later says nothing any more.
        let waits = |step: &Step| matches!(step.phase, Phase::Promote | Phase::Soak) && begun(step);
        for step in self.steps.iter_mut().filter(|step| waits(step)) {
            step.state = StepState::Undone;
            next.records.push(step.clone());
        }
        let floor = self.floor();
        let owed = |step: &Step| step.state == StepState::Owed;
        let pool_owed = self.steps.iter().any(|step| routes(step) && owed(step));
        // A debt is paid wherever it stands.
        let paid = |step: &Step| self.paying && step.state == StepState::Undoing;
        let to_undo: Vec<bool> = self.steps.iter().enumerate().map(|(at, step)| begun(step) && at >= floor || paid(step)).collect();
        let unsettled = |at: usize, step: &Step| at < floor && routes(step) && !is_closed(step.state);
        let last = self.steps.iter().zip(&to_undo).rev().find(|(_, undo)| **undo);
        let last = last.map(|(step, _)| (step.batch, step.phase));
        let to_settle = self.steps.iter().enumerate().find(|(at, step)| unsettled(*at, step)).map(|(_, step)| (step.batch, step.phase));
        // What was begun is taken back first; what a lost host owes may be in the pool until that is settled.
        let settles = to_settle.is_some() && (last.is_none() || self.paying);
        let Some(group) = (if settles { to_settle } else { last }).filter(|_| !pool_owed) else {
            let left = floor > 0 || self.overtaken || self.steps.iter().any(|step| owed(step) && step.started_ms > 0);
            self.end(if left { Outcome::Failed } else { Outcome::Undone }, next);
            return;
        };
        let state = if settles { StepState::Intent } else { StepState::Undoing };
        for (at, (step, undo)) in self.steps.iter_mut().zip(to_undo).enumerate() {
            let name = name_of(step);
            let is_due = if settles { unsettled(at, step) } else { undo };
            if !is_due || (step.batch, step.phase) != group || self.in_flight.contains(&name) {
                continue;
            }
            if step.state != state {
                step.state = state;
                next.records.push(step.clone());
            }
            self.in_flight.push(name.clone());
            next.effects.push(if settles { Effect::Do(name) } else { Effect::Undo(name) });
        }
    }

    fn end(&mut self, outcome: Outcome, next: &mut Next) {
        // Old procs that were to go stay now, where none of them was stopped already.
        for step in self.steps.iter_mut().filter(|step| self.undoing && step.phase == Phase::Retire && step.state == StepState::Owed) {
            step.state = if step.started_ms == 0 { StepState::Skipped } else { StepState::Failed };
            next.records.push(step.clone());
        }
        if outcome == Outcome::Undone {
            // Nothing was taken from hosts that were away from the beginning.
            for step in self.steps.iter_mut().filter(|step| step.state == StepState::Owed && step.started_ms == 0) {
                step.state = StepState::Skipped;
                next.records.push(step.clone());
            }
        }
        self.outcome = Some(outcome);
        next.outcome = Some(outcome);
    }

    fn find(&mut self, name: &StepName) -> Option<&mut Step> {
        self.steps.iter_mut().find(|step| step.batch == name.batch && step.phase == name.phase && step.place == name.place)
    }
}

/// Whether nothing is left to do about it on the way forward.
fn is_closed(state: StepState) -> bool {
    matches!(state, StepState::Done | StepState::Skipped | StepState::Owed | StepState::Lost | StepState::Undone)
}

/// Whether it writes a pool.
fn routes(step: &Step) -> bool {
    matches!(step.phase, Phase::Route | Phase::Drain)
}

/// Whether something is owed; while it is being paid, what was begun is owed still.
fn is_debt(state: StepState, paying: bool) -> bool {
    state == StepState::Owed || paying && matches!(state, StepState::Intent | StepState::Undoing)
}

fn name_of(step: &Step) -> StepName {
    StepName { batch: step.batch, phase: step.phase, place: step.place.clone() }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
