//! A cancel that cannot be written down (a full disk) is not lost: this process keeps it, says so, and makes it when it can.

use super::carry::Carried;
use super::{Deck, locked};
use crate::model::Result;
use crate::model::record::{Dispatch, Outcome};
use crate::store::is_unwritten;
use std::collections::BTreeSet;
use std::time::Duration;

/// Between two tries.
const AGAIN: Duration = Duration::from_secs(2);

impl Deck {
    /// Cancels: here at once, or by a word to the process that carries it, or, when that is dead, by undoing it here. What cannot be written
    /// down now is kept by this process.
    ///
    /// # Errors
    /// It only goes forward by now; or it could not be written, and is kept here.
    pub async fn cancel(&self, dispatch: &Dispatch) -> Result<Option<Carried>> {
        match self.cancel_now(dispatch).await {
            Err(mut fault) if is_unwritten(&fault) => {
                self.cancel_later(&dispatch.id);
                fault.what = format!("dispatch {} is not cancelled yet: {}", dispatch.number, fault.what);
                fault.next =
                    Some("this process keeps the cancel and makes it as soon as it can: leave it open, or cancel again then".into());
                Err(fault)
            }
            cancelled => cancelled,
        }
    }

    /// Keeps a cancel till it can be made, or there is nothing left to cancel.
    pub(super) fn cancel_later(&self, id: &str) {
        if !locked(&self.cancels).insert(id.to_string()) {
            return;
        }
        let (deck, id) = (self.clone(), id.to_string());
        self.refresh_soon();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(AGAIN).await;
                let dispatch = match deck.store.dispatch(&id).await {
                    Ok(Some(dispatch)) => dispatch,
                    Ok(None) => break,
                    // It cannot even be read now.
                    Err(_) => continue,
                };
                let is_over = dispatch.outcome.is_some_and(|outcome| outcome != Outcome::Interrupted);
                if is_over || !matches!(deck.cancel_now(&dispatch).await, Err(fault) if is_unwritten(&fault)) {
                    break;
                }
            }
            locked(&deck.cancels).remove(&id);
            deck.refresh_soon();
        });
    }

    /// Dispatches whose cancel this process keeps, by id.
    pub fn kept_cancels(&self) -> BTreeSet<String> {
        locked(&self.cancels).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deck::Home;
    use crate::deck::tests::{DOCUMENT, deck, planned};
    use crate::dispatch::driver::Wish;
    use sqlx::{AnyConnection, Connection, Executor};

    async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
        let end = std::time::Instant::now() + Duration::from_secs(60);
        while !holds().await {
            assert!(std::time::Instant::now() < end, "{what} never came");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_cancel_while_nothing_can_be_written_is_made_when_it_can() {
        let (dir, carries) = deck().await;
        carries.apply(DOCUMENT, "test", false, "").await.unwrap();
        let plan = planned(&carries, Vec::new()).await;
        // Somebody else carries it: the cancel is a word that must be written down.
        let held = carries.acquire(&format!("swarm/{}", plan.swarm_id), "dispatch 1", &plan.id, 0).await.unwrap();
        let mut dispatch: Dispatch = serde_json::from_value(serde_json::json!({
            "id": plan.id, "number": 0, "swarm_id": plan.swarm_id, "swarm": plan.swarm, "verb": "dispatch", "who": "op", "why": "",
            "from_version": "", "to_version": "v1", "from_release": "", "to_release": "r1", "phase": "start", "undoing": false,
            "outcome": null, "fault": null, "debts": [], "steps": [], "started_ms": 1, "ended_ms": 0, "holder": ""
        }))
        .unwrap();
        carries.store.create_dispatch(&mut dispatch, &held.lease(), &[]).await.unwrap();
        let home = dir.path().join("home");
        let other = Deck::open(Home::open(&home).unwrap(), carries.outside.clone()).await.unwrap();
        let mut full = AnyConnection::connect(&format!("sqlite://{}", home.join("store.sqlite").display())).await.unwrap();
        full.execute("CREATE TRIGGER full BEFORE INSERT ON kept BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END").await.unwrap();
        let fault = other.cancel(&dispatch).await.err().unwrap();
        assert!(fault.line().contains("is not cancelled yet") && fault.line().contains("disk is full"), "{fault}");
        assert!(fault.line().contains("keeps the cancel"), "{fault}");
        assert!(other.kept_cancels().contains(&dispatch.id));
        other.make_look().await.unwrap();
        assert!(other.look().needs.iter().any(|need| need.text.contains("its cancel is kept here")), "{:?}", other.look().needs);
        full.execute("DROP TRIGGER full").await.unwrap();
        let written = async || matches!(carries.store.kept::<Wish>("wish", &dispatch.id).await.unwrap(), Some(Wish::Undo(_)));
        until("the cancel", written).await;
        until("an end of keeping it", async || other.kept_cancels().is_empty()).await;
        held.release().await.unwrap();
    }
}
