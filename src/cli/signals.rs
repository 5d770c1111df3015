//! Ctrl-c, SIGTERM and a lost terminal, while nothing has begun yet and while something waits.

use super::print::err;
use crate::deck::Deck;
use crate::model::{Fault, Result};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long what was stopped may take to end by itself.
const ENDING: Duration = Duration::from_secs(10);

/// The signals that a verb under way hears.
pub struct Signals {
    pub interrupt: Signal,
    pub terminate: Signal,
    pub hang_up: Signal,
}

impl Signals {
    /// From now on they do not end the process.
    pub fn heard() -> Result<Signals> {
        let hear = |kind: SignalKind| signal(kind).map_err(|error| Fault::failed(format!("signals cannot be heard: {error}")));
        Ok(Signals {
            interrupt: hear(SignalKind::interrupt())?,
            terminate: hear(SignalKind::terminate())?,
            hang_up: hear(SignalKind::hangup())?,
        })
    }

    /// Returns when any of them comes.
    pub async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

/// Runs what changes nothing on hosts yet; a signal ends it, its builds and their processes included.
pub async fn unless_stopped<T>(deck: &Deck, work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut signals = Signals::heard()?;
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = signals.any() => {}
    }
    err("stopping\n");
    deck.end_builds();
    // It ends by itself in a moment, its build marked as ended; what does not is dropped, and its processes go with it.
    let _ = tokio::time::timeout(ENDING, work).await;
    Err(Fault::interrupted("stopped before anything was begun; nothing was changed").next("run it again"))
}
