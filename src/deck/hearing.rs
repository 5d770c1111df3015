//! What is heard while a dispatch goes on: lines and uptests become events, evidence is kept, other processes' wishes arrive.

use super::Deck;
use super::journal::DeckJournal;
use crate::dispatch::driver::Wish;
use crate::dispatch::hands::Ear;
use crate::hosts::procs::Evidence;
use crate::model::Result;
use crate::model::record::Event;
use crate::plan::Plan;
use crate::uptest::UptestResult;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Hears what other processes want of a dispatch that this one carries, and that it is not ours any more.
pub(super) async fn listen(journal: Arc<DeckJournal>, id: String, wishes: mpsc::Sender<Wish>) {
    let deck = &journal.deck;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if journal.held.is_lost() {
            wishes.send(Wish::Leave).await.ok();
            return;
        }
        if let Ok(Some(wish)) = deck.store.kept::<Wish>("wish", &id).await {
            deck.store.forget("wish", &id).await.ok();
            if wishes.send(wish).await.is_err() {
                return;
            }
        }
    }
}

/// Writes what is heard down as events of the dispatch, and keeps what removed procs leave behind.
pub(super) struct DeckEar {
    pub deck: Deck,
    pub plan: Arc<Plan>,
}

impl DeckEar {
    async fn event(&self, kind: &str, place: &str, what: String, result: &str) {
        let event = Event {
            at_ms: self.deck.now_ms(),
            kind: kind.into(),
            run: self.plan.id.clone(),
            who: self.plan.who.clone(),
            what,
            place: place.into(),
            result: result.into(),
            ..Event::default()
        };
        // A line that cannot be written must not stop what it tells of; the journal itself is what must be written.
        self.deck.store.note(&[event], None).await.ok();
        self.deck.refresh_soon();
    }
}

#[async_trait]
impl Ear for DeckEar {
    async fn line(&self, place: &str, what: String) {
        self.event("deploy", place, what, "").await;
    }
    async fn uptest(&self, place: &str, proc: &str, result: &UptestResult) {
        let word = if result.passed { "passed" } else { "failed" };
        let what = format!("uptest {} of {proc} {word} in {:.2} s", result.name, result.seconds);
        self.event("uptest", place, what, if result.passed { "success" } else { "failed" }).await;
        let name = format!("{}/{word}/{place}/{proc}/{}", self.plan.id, result.name);
        // It tells of what was tested; that it cannot be kept must not stop that.
        self.deck.store.keep(super::why::UPTEST, &name, result, self.deck.now_ms()).await.ok();
    }
    async fn evidence(&self, evidence: &Evidence) -> Result<()> {
        self.deck.keep_evidence(evidence).await
    }
}
