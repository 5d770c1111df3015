//! Where a debug build stops dead, as after kill -9, so that tests can play a crash at every point. A release build has none of it.
//!
//! `SWARMDECK_STOP_AT=journal:N[:before|after]` stops the process at the N-th write of a dispatch's journal; the first is the one
//! that makes the dispatch. `SWARMDECK_STOP_AT=effect:N[:before|during|after]` stops it at the N-th script or upload that a dispatch
//! sends to a host or balancer: before it is sent, while it runs there, or when its answer came and nothing was made of it yet.
//! N counts from 1 over the life of the process; without a word for when, it is `after`.

use crate::hosts::{Chunk, Link, Output, Stream};
use crate::model::Result;
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::sync::mpsc;

/// How far into a script "during" is: it was sent, and few have ended.
const DURING: Duration = Duration::from_millis(100);

static WRITES: AtomicU32 = AtomicU32::new(0);
static EFFECTS: AtomicU32 = AtomicU32::new(0);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    During,
    After,
}

/// What `text` asks for at the `count`-th of `kind`.
fn asked(text: &str, kind: &str, count: u32) -> Option<When> {
    let mut words = text.split(':');
    if words.next() != Some(kind) || words.next()?.parse() != Ok(count) {
        return None;
    }
    match words.next() {
        Some("before") => Some(When::Before),
        Some("during") => Some(When::During),
        Some("after") | None => Some(When::After),
        Some(_) => None,
    }
}

fn stop() -> ! {
    nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL).ok();
    std::process::abort()
}

async fn point<T>(kind: &str, counter: &AtomicU32, work: impl Future<Output = T>) -> T {
    let count = counter.fetch_add(1, Ordering::SeqCst) + 1;
    let when = std::env::var("SWARMDECK_STOP_AT").ok().and_then(|text| asked(&text, kind, count));
    match when {
        None => work.await,
        Some(When::Before) => stop(),
        Some(When::During) => {
            tokio::time::timeout(DURING, work).await.ok();
            stop()
        }
        Some(When::After) => {
            work.await;
            stop()
        }
    }
}

/// A write of the journal.
pub async fn write<T>(work: impl Future<Output = T>) -> T {
    point("journal", &WRITES, work).await
}

/// A link by which a dispatch acts.
pub fn watched(link: Arc<dyn Link>) -> Arc<dyn Link> {
    Arc::new(Watched(link))
}

struct Watched(Arc<dyn Link>);

#[async_trait]
impl Link for Watched {
    fn host(&self) -> &str {
        self.0.host()
    }

    async fn run(&self, body: &str, limit: Duration) -> Result<Output> {
        point("effect", &EFFECTS, self.0.run(body, limit)).await
    }

    async fn feed(&self, argv: &[&str], source: &mut (dyn AsyncRead + Send + Unpin), limit: Duration) -> Result<Output> {
        point("effect", &EFFECTS, self.0.feed(argv, source, limit)).await
    }

    async fn follow(&self, body: &str) -> Result<mpsc::Receiver<Chunk>> {
        self.0.follow(body).await
    }

    async fn socket(&self, path: &str) -> Result<Box<dyn Stream>> {
        self.0.socket(path).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_names_one_point() {
        assert_eq!(asked("journal:3", "journal", 3), Some(When::After));
        assert_eq!(asked("effect:12:during", "effect", 12), Some(When::During));
        assert_eq!(asked("effect:12:before", "effect", 12), Some(When::Before));
        for text in ["", "journal", "journal:2", "effect:3", "journal:3:never", "journal:x"] {
            assert_eq!(asked(text, "journal", 3), None, "{text}");
        }
    }
}
