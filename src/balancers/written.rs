//! What we last wrote to a pool on each balancer host: kept, so that an edit by hand is seen and can be shown as a difference.

use super::Remember;
use super::pool::EditedByHand;
use crate::model::Result;
use crate::model::shown::{shown, shown_lines};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;

/// The memory of one balancer.
pub(super) struct Written {
    balancer: String,
    memory: Arc<dyn Remember>,
}

impl Written {
    pub fn new(balancer: &str, memory: Arc<dyn Remember>) -> Written {
        Written { balancer: balancer.to_string(), memory }
    }

    /// No pool's name has a `/`.
    fn place(pool: &str, host: &str) -> String {
        format!("written/{pool}/{host}")
    }

    pub async fn last(&self, pool: &str, host: &str) -> Result<Option<Vec<u8>>> {
        let text = self.memory.get(&self.balancer, &Self::place(pool, host)).await?;
        Ok(text.and_then(|text| STANDARD.decode(text).ok()))
    }

    /// None forgets. What is remembered already is not written again: each write wakes every console.
    pub async fn keep(&self, pool: &str, host: &str, text: Option<&[u8]>) -> Result<()> {
        if self.last(pool, host).await?.as_deref() == text {
            return Ok(());
        }
        self.memory.put(&self.balancer, &Self::place(pool, host), text.map(|text| STANDARD.encode(text)).as_deref()).await
    }
}

/// An edit, with the difference from what was written; bytes that are no text are shown as well as they can be.
pub(super) fn edit(what: &str, written: Option<&[u8]>, now: Option<&[u8]>) -> EditedByHand {
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let difference = match written {
        None => String::new(),
        Some(written) => {
            let (written, now) = (text(Some(written)), text(now));
            similar::TextDiff::from_lines(&written, &now).unified_diff().context_radius(2).header("written", "now").to_string()
        }
    };
    EditedByHand { what: shown(what), difference: shown_lines(&difference) }
}
