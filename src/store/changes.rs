//! The wake-up when the store changed, whoever changed it; what changed is read from the store itself.

use super::{Store, get};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// Waits for changes of the store. Ends its watching when dropped.
#[derive(Debug)]
pub struct Changes {
    seen: watch::Receiver<u64>,
}

impl Changes {
    /// Returns when the store changed since the last call; may also return without a change, never misses one.
    pub async fn changed(&mut self) {
        if self.seen.changed().await.is_err() {
            // The watcher is gone (the store was closed): do not spin.
            std::future::pending::<()>().await;
        }
    }

    /// Whether it changed since the last call, as far as was noticed by now: up to [`POLL`] late.
    pub fn noticed(&mut self) -> bool {
        let news = self.seen.has_changed().unwrap_or(true);
        self.seen.mark_unchanged();
        news
    }
}

/// How often SQLite is asked.
const POLL: Duration = Duration::from_millis(250);
/// After so many times its counter is read even where no file of it was written: 4 s.
const ANYWAY: u32 = 16;

impl Store {
    /// Starts watching: `data_version` on SQLite, LISTEN on PostgreSQL.
    pub fn changes(&self) -> Changes {
        let (tell, seen) = watch::channel(0);
        let store = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = tell.closed() => {}
                () = store.watch(&tell) => {}
            }
        });
        Changes { seen }
    }

    async fn watch(&self, tell: &watch::Sender<u64>) {
        loop {
            let end = if self.is_postgres() { self.listen(tell).await } else { self.poll(tell).await };
            if end.is_err() && self.pool.is_closed() {
                return;
            }
            // The connection was lost: something may have changed meanwhile.
            tell.send_modify(|count| *count += 1);
            tokio::time::sleep(POLL).await;
        }
    }

    async fn listen(&self, tell: &watch::Sender<u64>) -> Result<(), sqlx::Error> {
        let mut listener = sqlx::postgres::PgListener::connect(&self.place.url).await?;
        listener.listen("swarmdeck").await?;
        tell.send_modify(|count| *count += 1);
        loop {
            listener.try_recv().await?;
            tell.send_modify(|count| *count += 1);
        }
    }

    async fn poll(&self, tell: &watch::Sender<u64>) -> Result<(), sqlx::Error> {
        // A connection of its own: the counter only tells of commits by others.
        let mut connection = self.pool.acquire().await?.detach();
        let (mut last, mut log, mut written, mut rounds) = (-1, None, true, 0u32);
        loop {
            // The counter costs a statement in a thread of its own, the log's size and time one call; each commit writes to the log. Where it
            // was written the counter is read now and the next time: two commits may bear the same time.
            let now = self.log();
            let before = std::mem::replace(&mut written, now.is_none() || now != log);
            log = now;
            if written || before || rounds.is_multiple_of(ANYWAY) {
                let row = sqlx::query("PRAGMA data_version").fetch_one(&mut connection).await?;
                let version: i64 = get(&row, 0).unwrap_or(last);
                if version != last {
                    last = version;
                    tell.send_modify(|count| *count += 1);
                }
            }
            rounds = rounds.wrapping_add(1);
            tokio::time::sleep(POLL).await;
        }
    }

    /// Size and time of SQLite's write-ahead log; none where there is none.
    fn log(&self) -> Option<(u64, SystemTime)> {
        let mut path = self.file()?.as_os_str().to_owned();
        path.push("-wal");
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.len(), meta.modified().ok()?))
    }
}
