//! The driver of a play: the same loop as the real one, with virtual time: write, see that the lease is ours, act, hear.

use super::hands::Hands;
use super::leasing::Held;
use super::scenario::Sabotage;
use super::sim::{Heard, Sim};
use super::time::{Mailbox, Ms, TaskId};
use crate::dispatch::driver::{Wish, progress};
use crate::dispatch::machine::{Effect, Event, Next, Run, StepName};
use crate::dispatch::rules;
use crate::model::document::Kind;
use crate::model::record::{Dispatch, Outcome, Step};
use crate::model::{Fault, Result};
use crate::plan::Plan;
use crate::store::memory::Memory;
use crate::store::{Change, Entry, Put};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A dispatch on its way in one process.
pub struct Carrying {
    pub sim: Rc<Sim>,
    pub console: usize,
    pub hands: Rc<Hands>,
    pub held: Rc<Held>,
    pub dispatch: RefCell<Dispatch>,
    pub heard: Mailbox<Heard>,
}

impl Carrying {
    /// Drives it to its end, or until it is told to leave or may not act any more.
    pub async fn drive(&self, mut run: Run) -> (Outcome, Option<Fault>) {
        let mut tasks: Vec<(StepName, TaskId)> = Vec::new();
        let mut failures: BTreeMap<StepName, u32> = BTreeMap::new();
        self.hands.give_up.set(run.undoing);
        let mut next = run.step(Event::Begin, self.sim.now_ms());
        let ended = loop {
            if let Err(fault) = self.settle(&run, &next).await {
                break (Outcome::Interrupted, Some(fault));
            }
            if let Some(outcome) = next.outcome {
                break (outcome, run.cause.clone());
            }
            for effect in std::mem::take(&mut next.effects) {
                self.start(effect, &run, &failures, &mut tasks);
            }
            if tasks.is_empty() {
                let how = format!("{} has nothing under way and has not ended: {run:?}", self.hands.plan.id);
                self.sim.truth.borrow_mut().break_promise("every dispatch ends", how);
            }
            let mut heard = self.heard.receive(&self.sim.time, Ms::MAX).await;
            next = Next::default();
            // Answers that are there together are written together; a wish is gone about by itself.
            while let Some(Heard::Answer(event, name)) = heard {
                if let Some(ended) = tasks.iter().position(|(task, _)| *task == name) {
                    tasks.remove(ended);
                }
                if matches!(event, Event::Failed(..)) {
                    *failures.entry(name).or_default() += 1;
                }
                next.and_then(run.step(event, self.sim.now_ms()));
                heard = self.heard.take_if(|message| matches!(message, Heard::Answer(..)));
            }
            let Some(Heard::Wish(wish)) = heard else { continue };
            let event = match wish {
                Wish::Undo(fault) => Event::Cancel(fault),
                Wish::Promote(who) => Event::Promote(who),
                Wish::GoWithout(host) => Event::GoWithout(host),
                Wish::Wait(ms) => Event::Wait(ms),
                Wish::Leave => {
                    let stopped = || Fault::interrupted("stopped between steps");
                    break (Outcome::Interrupted, Some(self.held.may_act().err().unwrap_or_else(stopped)));
                }
            };
            next.and_then(run.step(event, self.sim.now_ms()));
        };
        self.sim.time.abort(&tasks.into_iter().map(|(_, task)| task).collect::<Vec<_>>());
        ended
    }

    /// Records first, then the right to act.
    async fn settle(&self, run: &Run, next: &Next) -> Result<()> {
        if !next.records.is_empty() || !next.effects.is_empty() || next.outcome.is_some() {
            self.write(&next.records, run).await?;
        }
        if next.effects.is_empty() { Ok(()) } else { self.held.may_act() }
    }

    fn start(&self, effect: Effect, run: &Run, failures: &BTreeMap<StepName, u32>, tasks: &mut Vec<(StepName, TaskId)>) {
        let (name, undoes) = match effect {
            Effect::GiveUp => return self.hands.give_up.set(true),
            Effect::Do(name) => {
                // On the way back nothing is given up any more.
                self.hands.give_up.set(self.hands.give_up.get() && !run.undoing);
                (name, false)
            }
            Effect::Undo(name) => (name, true),
        };
        let (pause, lost) = (rules::pause(failures, &name).as_millis() as Ms, run.lost_hosts());
        let (hands, heard, step) = (Rc::clone(&self.hands), self.heard.clone(), name.clone());
        let task = self.sim.spawn(self.console, async move {
            if undoes {
                hands.sim.time.sleep(pause).await;
            } else {
                hands.unless(pause).await.ok();
            }
            let result = if undoes { hands.undo(&step, &lost).await } else { hands.carry(&step, &lost).await };
            hands.sim.say(|| {
                let how = result.as_ref().map_or_else(Fault::line, |_| "ok".into());
                let undo = if undoes { "undo " } else { "" };
                format!("c{} {undo}{} {} {}: {how}", hands.console, step.phase.word(), step.batch, step.place)
            });
            let event = match result {
                Ok(detail) => Event::Done(step.clone(), detail),
                Err(fault) => Event::Failed(step.clone(), fault.at(step.phase.word())),
            };
            heard.send(&hands.sim.time, Heard::Answer(event, step));
        });
        tasks.push((name, task));
    }

    /// Steps and header, and at the very end the swarm's text, in one transaction.
    async fn write(&self, records: &[Step], run: &Run) -> Result<()> {
        let now_ms = self.sim.now_ms();
        let header = {
            let mut dispatch = self.dispatch.borrow_mut();
            rules::write_down(&mut dispatch, run, now_ms);
            dispatch.clone()
        };
        let lease = self.held.lease();
        let plan = &self.hands.plan;
        let sim = &self.sim;
        sim.ask_store(self.console, true, |store| {
            let changes: Vec<Change> =
                if run.outcome == Some(Outcome::Done) && !run.paying { live_text(store, plan).into_iter().collect() } else { Vec::new() };
            store.record(&Entry { dispatch: &header, lease: &lease, steps: records, events: &[], changes: &changes, now_ms })?;
            if let Some(outcome) = run.outcome {
                sim.say(|| format!("c{} {} ends {} {:?}", self.console, header.id, outcome.word(), header.debts));
            }
            if run.outcome.is_some() && sim.scenario.sabotage == Some(Sabotage::PortsKept) {
                let ports = plan.start.first().map(|proc| proc.port);
                store.take_ports("h0", &ports.into_iter().collect::<Vec<_>>(), "nobody").ok();
            }
            let mut truth = sim.truth.borrow_mut();
            truth.gone_without(&plan.id, run.lost_hosts());
            if run.undoing && !run.paying {
                truth.turned_round(&plan.id);
            }
            if run.outcome.is_some() {
                truth.ended(&header, &sim.fleet.borrow());
            }
            Ok(())
        })
        .await?;
        self.held.set_step(progress(run));
        Ok(())
    }
}

/// The swarm's text with the version and size that are live now.
fn live_text(store: &Memory, plan: &Plan) -> Option<Change> {
    let object = store.by_id(&plan.swarm_id)?;
    let mut body: serde_json::Value = serde_json::from_str(&object.body).ok()?;
    (body["version"], body["size"]) = (plan.to.version.clone().into(), plan.size.into());
    let put = Put {
        id: Some(object.id),
        kind: Kind::Swarm,
        name: object.name,
        text: object.text,
        body: body.to_string(),
        expected: Some(object.rev),
    };
    Some(Change::Put(put))
}
