//! What upkeep does besides left-over dispatches: fetches what removed procs left on hosts, and forgets what is old.

use super::{EVIDENCE, LIVES, REFUSED, UPTEST};
use crate::deck::Deck;
use crate::model::Result;
use crate::model::life::prefix;
use crate::upkeep::retention::{self, Keeping};
use serde::Serialize;

/// What one pass did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Procs whose last words were fetched from hosts.
    pub collected: usize,
    /// What was forgotten, by kind.
    pub forgotten: Vec<(String, u64)>,
}

impl Deck {
    /// One pass. Events, audit, builds, releases and objects stay.
    pub async fn sweep(&self) -> Result<Swept> {
        let catalog = self.catalog().await?;
        let collected = self.collect_left(&catalog).await?;
        // A proc that is there keeps its lives, however long ago they were.
        let seen = self.store.seen().await?;
        let procs = seen.iter().flat_map(|host| host.procs.iter());
        let living = procs.filter_map(|proc| Some(prefix(&proc.stamp.as_ref()?.swarm, &proc.host, &proc.name))).collect();
        let keeping =
            Keeping { of_dispatches: &["plan", "pool before", EVIDENCE, UPTEST], lives: LIVES, living, others: &[REFUSED, "wish"] };
        let forgotten = retention::forget(&self.store, &keeping, self.now_ms()).await?;
        Ok(Swept { collected, forgotten })
    }
}
