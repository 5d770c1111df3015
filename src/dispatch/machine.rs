//! The machine: (journal state, event, now) -> (records to write, effects to run). Pure; it decides everything, it does nothing.
//!
//! Steps go phase by phase; within a phase every place works in parallel. Until the first old proc stops, any failure or cancel
//! turns the dispatch round: what was begun is undone in reverse order. After that it only goes forward (DESIGN part 4).

use crate::model::Fault;
use crate::model::record::{Debt, Outcome, Phase, Step, StepState};
use crate::plan::Plan;

/// The name of a step: what, and where. A place is a host's name, `balancer/pool`, or "".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepName {
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

/// A dispatch on its way: everything that is in the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub steps: Vec<Step>,
    pub undoing: bool,
    /// Why it turned round.
    pub cause: Option<Fault>,
    pub debts: Vec<Debt>,
    pub outcome: Option<Outcome>,
    /// Tries of steps that are retried, not journaled: a new process starts counting anew.
    tries: Vec<(StepName, u32)>,
    in_flight: Vec<StepName>,
}

/// Every step of a plan, in order.
pub fn steps(plan: &Plan) -> Vec<Step> {
    let mut all = Vec::new();
    let mut add = |phase: Phase, places: Vec<String>| {
        all.extend(places.into_iter().map(|place| Step {
            phase,
            place,
            state: StepState::Pending,
            started_ms: 0,
            ended_ms: 0,
            detail: String::new(),
        }));
    };
    let pool: Vec<String> =
        plan.pool.iter().filter(|_| !plan.is_pool_untouched()).map(crate::plan::PoolChange::place).collect();
    let others: Vec<String> = plan.other_pools.iter().map(crate::plan::PoolChange::place).collect();
    add(Phase::Fence, plan.touched_hosts().into_iter().chain(pool.clone()).chain(others.clone()).collect());
    add(Phase::Distribute, hosts(plan.start.iter()));
    add(Phase::Start, hosts(plan.start.iter()));
    add(Phase::Prove, hosts(plan.start.iter().chain(&plan.keep)));
    add(Phase::Route, pool.clone());
    add(Phase::Drain, pool.into_iter().chain(others).collect());
    if plan.timing.soak_ms > 0 && !plan.start.is_empty() {
        add(Phase::Soak, vec![String::new()]);
    }
    add(Phase::Retire, hosts(plan.retire.iter()));
    all
}

fn hosts<'a>(procs: impl Iterator<Item = &'a crate::plan::PlannedProc>) -> Vec<String> {
    let mut names: Vec<String> = procs.map(|proc| proc.host.clone()).collect();
    names.sort();
    names.dedup();
    names
}

impl Run {
    /// From the journal (or, for a new dispatch, from [`steps`]).
    pub fn new(steps: Vec<Step>, undoing: bool, cause: Option<Fault>, debts: Vec<Debt>) -> Run {
        Run { steps, undoing, cause, debts, outcome: None, tries: Vec::new(), in_flight: Vec::new() }
    }

    /// The phase that it is in.
    pub fn phase(&self) -> Phase {
        let open = |step: &&Step| !matches!(step.state, StepState::Done | StepState::Skipped | StepState::Undone);
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

    /// Whether an old proc may have been stopped: from here it only goes forward.
    pub fn past_return(&self) -> bool {
        self.steps.iter().any(|step| step.phase == Phase::Retire && !matches!(step.state, StepState::Pending | StepState::Skipped))
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
        }
        self.go_on(now_ms, &mut next);
        next
    }

    /// Nothing is under way yet. What an earlier process proved may have died since: it is proven again before anything rests on it.
    fn begin(&mut self, next: &mut Next) {
        self.in_flight.clear();
        if self.undoing || self.past_return() {
            return;
        }
        for step in self.steps.iter_mut().filter(|step| step.phase == Phase::Prove && step.state == StepState::Done) {
            step.state = StepState::Pending;
            next.records.push(step.clone());
        }
    }

    fn done(&mut self, name: &StepName, detail: String, now_ms: i64, next: &mut Next) {
        self.in_flight.retain(|flying| flying != name);
        let Some(step) = self.find(name) else { return };
        step.state = match step.state {
            StepState::Intent => StepState::Done,
            StepState::Undoing => StepState::Undone,
            other => other,
        };
        step.detail = detail;
        step.ended_ms = now_ms;
        next.records.push(step.clone());
    }

    fn failed(&mut self, name: &StepName, fault: Fault, now_ms: i64, next: &mut Next) {
        self.in_flight.retain(|flying| flying != name);
        let undoing = self.undoing;
        let Some(step) = self.find(name) else { return };
        // A step that was still under way when the dispatch turned round is undone like the others.
        let was_undo = step.state == StepState::Undoing;
        let must_succeed = was_undo || name.phase == Phase::Retire;
        if must_succeed && self.try_again(name) {
            return;
        }
        let Some(step) = self.find(name) else { return };
        step.state = if must_succeed { StepState::Owed } else { StepState::Failed };
        step.detail = fault.line();
        step.ended_ms = now_ms;
        next.records.push(step.clone());
        if must_succeed {
            self.debts.push(Debt { host: name.place.clone(), what: format!("{}: {}", name.phase.word(), fault.what) });
        } else if !undoing {
            self.turn_round(fault, next);
        }
    }

    fn turn_round(&mut self, fault: Fault, next: &mut Next) {
        if self.undoing || self.past_return() {
            return;
        }
        self.undoing = true;
        self.cause.get_or_insert(fault);
        next.effects.push(Effect::GiveUp);
    }

    fn try_again(&mut self, name: &StepName) -> bool {
        if let Some((_, tries)) = self.tries.iter_mut().find(|(tried, _)| tried == name) {
            *tries += 1;
            return *tries < ATTEMPTS;
        }
        self.tries.push((name.clone(), 1));
        true
    }

    fn go_on(&mut self, now_ms: i64, next: &mut Next) {
        if self.undoing { self.back(next) } else { self.forward(now_ms, next) }
    }

    fn forward(&mut self, now_ms: i64, next: &mut Next) {
        let Some(phase) = self.open_phase() else {
            self.end(Outcome::Done, next);
            return;
        };
        for step in self.steps.iter_mut().filter(|step| step.phase == phase) {
            let name = StepName { phase, place: step.place.clone() };
            if !matches!(step.state, StepState::Pending | StepState::Intent) || self.in_flight.contains(&name) {
                continue;
            }
            if step.state == StepState::Pending {
                step.state = StepState::Intent;
                step.started_ms = now_ms;
                next.records.push(step.clone());
            }
            self.in_flight.push(name.clone());
            next.effects.push(Effect::Do(name));
        }
    }

    /// The first phase with a step that is neither done nor owed.
    fn open_phase(&self) -> Option<Phase> {
        let closed = |step: &Step| matches!(step.state, StepState::Done | StepState::Skipped | StepState::Owed);
        self.steps.iter().find(|step| !closed(step)).map(|step| step.phase)
    }

    /// In reverse phase order; a phase is undone only when all above it is, and never while one of its steps is still under way.
    /// What cannot be undone stays, and nothing that rests on it is taken away: a pool that could not be put back may still
    /// name the new procs.
    fn back(&mut self, next: &mut Next) {
        if self.steps.iter().any(|step| step.state == StepState::Intent && self.in_flight.contains(&name_of(step))) {
            return;
        }
        let owed = |step: &Step| step.state == StepState::Owed;
        let pool_owed = self.steps.iter().any(|step| matches!(step.phase, Phase::Route | Phase::Drain) && owed(step));
        let begun = |step: &Step| matches!(step.state, StepState::Intent | StepState::Done | StepState::Undoing | StepState::Failed);
        let Some(phase) = self.steps.iter().rev().find(|step| begun(step)).map(|step| step.phase).filter(|_| !pool_owed) else {
            let outcome = if self.steps.iter().any(owed) { Outcome::Failed } else { Outcome::Undone };
            self.end(outcome, next);
            return;
        };
        for step in self.steps.iter_mut().filter(|step| step.phase == phase) {
            let name = name_of(step);
            if !begun(step) || self.in_flight.contains(&name) {
                continue;
            }
            if step.state != StepState::Undoing {
                step.state = StepState::Undoing;
                next.records.push(step.clone());
            }
            self.in_flight.push(name.clone());
            next.effects.push(Effect::Undo(name));
        }
    }

    fn end(&mut self, outcome: Outcome, next: &mut Next) {
        self.outcome = Some(outcome);
        next.outcome = Some(outcome);
    }

    fn find(&mut self, name: &StepName) -> Option<&mut Step> {
        self.steps.iter_mut().find(|step| step.phase == name.phase && step.place == name.place)
    }
}

fn name_of(step: &Step) -> StepName {
    StepName { phase: step.phase, place: step.place.clone() }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
