//! The journal of a dispatch in the store: each write is one transaction with the header, the steps, the events, and, at the
//! very end, the swarm's text.

use super::leasing::Held;
use super::{Deck, locked};
use crate::dispatch::driver::{Journal, progress};
use crate::dispatch::machine::Run;
use crate::dispatch::rules;
use crate::model::document::{self, Kind};
use crate::model::entity::Swarm;
use crate::model::record::{Dispatch, Event, Outcome, Step, StepState};
use crate::model::{Result, yaml_text};
use crate::plan::Plan;
use crate::store::{Change, Entry, Put};
use async_trait::async_trait;
use std::sync::{Arc, Mutex};

/// One dispatch's journal, under its lease.
pub struct DeckJournal {
    pub deck: Deck,
    pub held: Held,
    pub plan: Arc<Plan>,
    pub dispatch: Mutex<Dispatch>,
    /// It ended before; only its debts change.
    pub paying: bool,
}

#[async_trait]
impl Journal for DeckJournal {
    async fn write(&self, records: &[Step], run: &Run) -> Result<()> {
        let now_ms = self.deck.now_ms();
        let header = {
            let mut dispatch = locked(&self.dispatch);
            rules::write_down(&mut dispatch, run, now_ms);
            dispatch.clone()
        };
        let mut events: Vec<Event> = records.iter().filter_map(|step| self.step_event(&header, step, now_ms)).collect();
        let mut changes = Vec::new();
        if let Some(outcome) = run.outcome {
            events.push(if self.paying { self.paid_event(&header, now_ms) } else { self.end_event(&header, outcome, now_ms) });
            if outcome == Outcome::Done && !self.paying {
                changes.extend(self.live_text().await?);
            }
        }
        let lease = self.held.lease();
        let entry = Entry { dispatch: &header, lease: &lease, steps: records, events: &events, changes: &changes, now_ms };
        let writing = self.deck.store.record(&entry);
        #[cfg(debug_assertions)]
        let writing = crate::dispatch::stop_at::write(writing);
        writing.await?;
        self.held.refresh().await?;
        self.held.set_step(progress(run));
        self.deck.refresh_soon();
        Ok(())
    }

    fn may_act(&self) -> Result<()> {
        self.held.may_act()
    }
}

impl DeckJournal {
    fn step_event(&self, dispatch: &Dispatch, step: &Step, now_ms: i64) -> Option<Event> {
        let (result, word) = match step.state {
            StepState::Intent if step.detail.is_empty() => ("", "begun"),
            // It waits for a host that does not answer.
            StepState::Intent => ("warning", step.detail.as_str()),
            StepState::Done => ("success", step.detail.as_str()),
            StepState::Failed => ("failed", step.detail.as_str()),
            StepState::Undoing => ("", "being undone"),
            StepState::Undone => ("warning", step.detail.as_str()),
            StepState::Owed | StepState::Lost => ("failed", step.detail.as_str()),
            StepState::Pending | StepState::Skipped => return None,
        };
        Some(Event {
            at_ms: now_ms,
            kind: step.phase.word().into(),
            run: dispatch.id.clone(),
            who: dispatch.who.clone(),
            what: format!("{}: {word}", step.phase.word()),
            place: if step.place.is_empty() { dispatch.swarm.clone() } else { step.place.clone() },
            result: result.into(),
            why: dispatch.why.clone(),
            ..Event::default()
        })
    }

    fn paid_event(&self, dispatch: &Dispatch, now_ms: i64) -> Event {
        let left = dispatch.debts.len();
        Event {
            at_ms: now_ms,
            kind: "debt".into(),
            run: dispatch.id.clone(),
            who: self.deck.who.clone(),
            what: match left {
                0 => format!("all debts of dispatch {} are paid", dispatch.number),
                left => format!("{left} debts of dispatch {} are left", dispatch.number),
            },
            place: dispatch.swarm.clone(),
            result: if left == 0 { "success".into() } else { "warning".into() },
            ..Event::default()
        }
    }

    fn end_event(&self, dispatch: &Dispatch, outcome: Outcome, now_ms: i64) -> Event {
        let why = dispatch.fault.as_ref().map(|fault| format!(": {}", fault.line())).unwrap_or_default();
        Event {
            at_ms: now_ms,
            kind: "swarm".into(),
            run: dispatch.id.clone(),
            who: dispatch.who.clone(),
            what: format!("{} {} of {} {}{why}", dispatch.verb, dispatch.number, dispatch.swarm, outcome.word()),
            place: dispatch.swarm.clone(),
            result: if outcome == Outcome::Done { "success".into() } else { "failed".into() },
            why: dispatch.why.clone(),
            ..Event::default()
        }
    }

    /// The swarm's text with the version and size that are live now; comments stay.
    async fn live_text(&self) -> Result<Option<Change>> {
        let Some(object) = self.deck.store.by_id(&self.plan.swarm_id).await?.filter(|object| object.kind == Kind::Swarm) else {
            return Ok(None);
        };
        let before = object.item::<Swarm>()?.body;
        let mut text = object.text.clone();
        // What keeps the release that runs leaves a version that was saved meanwhile alone.
        let to_version = matches!(self.plan.verb.as_str(), "dispatch" | "rollback");
        if to_version && before.version != self.plan.to.version {
            text = yaml_text::set_scalar(&text, "version", &serde_json::Value::String(self.plan.to.version.clone()))?;
        }
        if before.size != self.plan.size {
            text = yaml_text::set_scalar(&text, "size", &serde_json::Value::from(self.plan.size))?;
        }
        if text == object.text {
            return Ok(None);
        }
        let mut item = document::parse_item::<Swarm>(&text, &object.name)?;
        item.body.id = Some(object.id.clone());
        Ok(Some(Change::Put(Put::of(&item, Some(object.rev))?)))
    }
}
