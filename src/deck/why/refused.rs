//! Remembers why the last plan or dispatch of a swarm was refused: nothing else tells of what never began.

use super::REFUSED;
use super::facts::Said;
use crate::deck::Deck;
use crate::model::Fault;
use serde::{Deserialize, Serialize};

/// What was refused, to whom and when.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refused {
    /// plan, dispatch.
    pub verb: String,
    pub who: String,
    pub at_ms: i64,
    pub fault: Fault,
}

impl Refused {
    pub(super) fn said(&self) -> Said {
        super::gather::said(&format!("{} of {}", self.verb, self.who), &self.fault)
    }
}

impl Deck {
    /// Keeps a refusal for `why`; that it cannot be kept must not hide it.
    pub(in crate::deck) async fn note_refusal(&self, swarm: &str, verb: &str, fault: &Fault) {
        let Ok(catalog) = self.catalog().await else { return };
        let Ok(entry) = catalog.swarm(swarm) else { return };
        let refused = Refused { verb: verb.into(), who: self.who.clone(), at_ms: self.now_ms(), fault: fault.clone() };
        self.store.keep(REFUSED, &entry.id, &refused, self.now_ms()).await.ok();
    }
}
