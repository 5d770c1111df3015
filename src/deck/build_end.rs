//! A build that is cancelled: said by one process, heard by the one that builds.

use super::Deck;
use crate::model::release::{Build, BuildStatus};
use crate::model::{Fault, Result};
use tokio::sync::watch;

/// Under which kind it is kept that a build shall end.
pub(super) const END_BUILD: &str = "end build";

impl Deck {
    /// Ends a build when this process gives all of them up, or somebody says so of this one.
    pub(super) async fn end_build_when_told(self, id: String, stop: watch::Sender<bool>) {
        let (mut none, mut changes) = (self.no_builds.subscribe(), self.store.changes());
        loop {
            let told = self.store.kept::<String>(END_BUILD, &id).await.is_ok_and(|who| who.is_some());
            if told || *none.borrow() {
                stop.send_replace(true);
                return;
            }
            tokio::select! {
                () = changes.changed() => {}
                _ = none.wait_for(|stop| *stop) => {}
            }
        }
    }

    /// Cancels a build under way, in whatever process; one whose process is gone is marked as failed.
    pub async fn cancel_build(&self, id: &str) -> Result<String> {
        let found = self.store.build(id).await?.ok_or_else(|| super::unknown("build", id, "builds"))?;
        let what = format!("build of {} {}", found.app, found.version);
        if !matches!(found.status, BuildStatus::Pending | BuildStatus::Started) {
            return Err(Fault::refused(format!("the {what} has ended: {}", found.status.word())).next("swarmdeck get builds"));
        }
        if self.store.lease(&format!("build/{}", found.identity)).await?.is_none() {
            let error = "the process that built it ended".to_string();
            self.store.put_build(&Build { status: BuildStatus::Failed, ended_ms: self.now_ms(), error, ..found }).await?;
        } else {
            self.store.keep(END_BUILD, id, &self.who, self.now_ms()).await?;
        }
        self.told("cancel", &what, "told to end", "").await?;
        self.refresh_soon();
        Ok(format!("the {what} was told to end"))
    }
}

#[cfg(test)]
mod tests {
    use crate::deck::tests::deck;
    use crate::model::release::{Build, BuildStatus};

    #[tokio::test]
    async fn a_build_is_told_to_end_and_one_without_a_builder_has_failed() {
        let (_dir, deck) = deck().await;
        let build: Build = serde_json::from_value(serde_json::json!({
            "id": "b1", "app": "shop", "version": "v1", "commit": "c", "identity": "i1", "status": "started", "artifact": "", "size": 0,
            "env": {}, "procfile": {}, "uptests": {}, "buildpack_url": "", "buildpack_commit": "", "sandboxed": false, "started_ms": 1,
            "ended_ms": 0, "error": "", "by": "op1"
        }))
        .unwrap();
        deck.store.put_build(&build).await.unwrap();
        let held = deck.acquire("build/i1", "build", "b1", 0).await.unwrap();
        let (stop, mut stopped) = tokio::sync::watch::channel(false);
        let hearing = tokio::spawn(deck.clone().end_build_when_told("b1".into(), stop));
        deck.cancel_build("b1").await.unwrap();
        assert!(*stopped.wait_for(|stop| *stop).await.unwrap());
        hearing.await.unwrap();
        held.release().await.unwrap();
        deck.cancel_build("b1").await.unwrap();
        let left = deck.store.build("b1").await.unwrap().unwrap();
        assert!(left.status == BuildStatus::Failed && left.error.contains("the process that built it ended"), "{left:?}");
        assert!(deck.cancel_build("b1").await.unwrap_err().what.contains("has ended"));
        assert!(deck.cancel_build("b2").await.is_err());
    }
}
