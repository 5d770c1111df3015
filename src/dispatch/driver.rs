//! The driver: feeds the machine, writes what it says to write, then does what it says to do. The same loop whatever stands behind it.

use super::machine::{Effect, Event, Next, Run, StepName};
use super::rules::pause;
use crate::model::record::{Outcome, Phase, Step, StepState};
use crate::model::{Fault, Result};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Where the machine's records go.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Writes steps and what the dispatch as a whole is, in one transaction, durably. Refused when the lease is not ours any more.
    async fn write(&self, records: &[Step], run: &Run) -> Result<()>;
    /// Whether our lease was renewed within half its life, by our own boot-time clock: asked before each effect.
    fn may_act(&self) -> Result<()>;
}

/// What carries steps out.
#[async_trait]
pub trait Hands: Send + Sync {
    /// Carries a step out; idempotent. Nothing new is routed on hosts that are `lost`. Waiting ends early when `give_up` turns true.
    /// Answers with one line of what was found or done.
    async fn carry(&self, step: &StepName, lost: &BTreeSet<String>, give_up: watch::Receiver<bool>) -> Result<String>;
    /// Takes a step back; idempotent. Hosts that are `lost` are routed no more than on the way forward.
    async fn undo(&self, step: &StepName, lost: &BTreeSet<String>) -> Result<String>;
}

/// What somebody outside wants of a dispatch under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// Cancel and undo.
    Undo(Fault),
    /// Stop between steps; it can be resumed.
    Leave,
    /// Promote the canary; who says so.
    Promote(String),
    /// Go on without a host that does not answer.
    GoWithout(String),
    /// Wait so much longer (ms) for hosts that do not answer.
    Wait(u64),
}

/// How the driving ended.
#[derive(Debug)]
pub struct Ended {
    pub run: Run,
    pub outcome: Outcome,
    pub fault: Option<Fault>,
}

/// Drives a dispatch to its end, or until it is told to leave or may not act any more.
pub async fn drive(
    mut run: Run,
    journal: Arc<dyn Journal>,
    hands: Arc<dyn Hands>,
    now_ms: &(dyn Fn() -> i64 + Send + Sync),
    mut wishes: mpsc::Receiver<Wish>,
) -> Ended {
    let (give_up, _) = watch::channel(run.undoing);
    let mut tasks: JoinSet<(Event, StepName)> = JoinSet::new();
    let mut next = run.step(Event::Begin, now_ms());
    let mut wishes_open = true;
    // Steps that failed and are tried again wait a little longer each time: a host may be back by then.
    let mut failures: BTreeMap<StepName, u32> = BTreeMap::new();
    loop {
        if let Err(fault) = settle(&journal, &mut run, &next).await {
            // What cannot be written down is not done: the next process decides.
            tasks.shutdown().await;
            return Ended { run, outcome: Outcome::Interrupted, fault: Some(fault) };
        }
        if let Some(outcome) = next.outcome {
            let fault = run.cause.clone();
            return Ended { run, outcome, fault };
        }
        for effect in std::mem::take(&mut next.effects) {
            start(effect, &hands, &run, &give_up, &failures, &mut tasks);
        }
        tokio::select! {
            biased;
            wish = wishes.recv(), if wishes_open => match wish {
                Some(Wish::Undo(fault)) => next = run.step(Event::Cancel(fault), now_ms()),
                Some(Wish::Promote(who)) => next = run.step(Event::Promote(who), now_ms()),
                Some(Wish::GoWithout(host)) => next = run.step(Event::GoWithout(host), now_ms()),
                Some(Wish::Wait(ms)) => next = run.step(Event::Wait(ms), now_ms()),
                Some(Wish::Leave) => {
                    tasks.shutdown().await;
                    let stopped = || Fault::interrupted("stopped between steps").next("swarmdeck resume");
                    let fault = journal.may_act().err().unwrap_or_else(stopped);
                    return Ended { run, outcome: Outcome::Interrupted, fault: Some(fault) };
                }
                None => { wishes_open = false; next = Next::default(); }
            },
            answer = tasks.join_next() => {
                if answer.is_none() {
                    let fault = Fault::interrupted("the dispatch has nothing under way and has not ended").next("swarmdeck resume");
                    return Ended { run, outcome: Outcome::Interrupted, fault: Some(fault) };
                }
                next = Next::default();
                // What else has ended meanwhile is written with it: hosts that work in step cost one transaction, not one each.
                let mut ended = answer;
                while let Some(answer) = ended {
                    match answer {
                        Ok((event, name)) => {
                            if matches!(event, Event::Failed(..)) {
                                *failures.entry(name).or_default() += 1;
                            }
                            next.and_then(run.step(event, now_ms()));
                        }
                        Err(broken) => {
                            tasks.shutdown().await;
                            let fault = Fault::interrupted(format!("a step of the dispatch broke off: {broken}")).next("swarmdeck resume");
                            return Ended { run, outcome: Outcome::Interrupted, fault: Some(fault) };
                        }
                    }
                    ended = tasks.try_join_next();
                }
            }
        }
    }
}

/// Records first, then the right to act.
async fn settle(journal: &Arc<dyn Journal>, run: &mut Run, next: &Next) -> Result<()> {
    if !next.records.is_empty() || !next.effects.is_empty() || next.outcome.is_some() {
        journal.write(&next.records, run).await?;
    }
    if next.effects.is_empty() { Ok(()) } else { journal.may_act() }
}

fn start(
    effect: Effect,
    hands: &Arc<dyn Hands>,
    run: &Run,
    give_up: &watch::Sender<bool>,
    failures: &BTreeMap<StepName, u32>,
    tasks: &mut JoinSet<(Event, StepName)>,
) {
    let hands = Arc::clone(hands);
    match effect {
        Effect::GiveUp => drop(give_up.send_replace(true)),
        Effect::Do(name) => {
            // On the way back nothing is given up any more.
            let never = watch::Sender::new(false);
            let mut give_up = if run.undoing { never.subscribe() } else { give_up.subscribe() };
            let (pause, lost) = (pause(failures, &name), run.lost_hosts());
            tasks.spawn(async move {
                let _never = never;
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    _ = give_up.wait_for(|gone| *gone) => {}
                }
                (answer(&name, hands.carry(&name, &lost, give_up).await), name)
            });
        }
        Effect::Undo(name) => {
            let (pause, lost) = (pause(failures, &name), run.lost_hosts());
            tasks.spawn(async move {
                tokio::time::sleep(pause).await;
                (answer(&name, hands.undo(&name, &lost).await), name)
            });
        }
    }
}

fn answer(name: &StepName, result: Result<String>) -> Event {
    match result {
        Ok(detail) => Event::Done(name.clone(), detail),
        Err(fault) => Event::Failed(name.clone(), fault.at(name.phase.word())),
    }
}

/// How far it is, for people: `prove 2 of 3`.
pub fn progress(run: &Run) -> String {
    let phase = run.phase();
    let here = |step: &&Step| step.phase == phase;
    let all = run.steps.iter().filter(here).count();
    let done = run.steps.iter().filter(here).filter(|step| step.state == StepState::Done).count();
    match phase {
        Phase::Done => "done".into(),
        phase if run.undoing => format!("undo {}", phase.word()),
        phase if all > 1 => format!("{} {done} of {all}", phase.word()),
        phase => phase.word().into(),
    }
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
