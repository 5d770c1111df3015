//! Events and audit: append-only, numbered inside the writing transaction, so that a reader who follows a cursor misses none.

use super::{Store, Write, body, get, parsed, read, written};
use crate::model::Result;
use crate::model::record::{Audit, Event};
use sqlx::any::AnyRow;

impl Store {
    /// Events after a cursor, the oldest first.
    pub async fn events_after(&self, cursor: i64, limit: i64) -> Result<Vec<Event>> {
        let query = sqlx::query("SELECT seq, body FROM events WHERE seq > $1 ORDER BY seq LIMIT $2").bind(cursor).bind(limit);
        query.fetch_all(&self.pool).await.map_err(read)?.iter().map(event).collect()
    }
    /// The latest events, the oldest of them first.
    pub async fn events_latest(&self, limit: i64) -> Result<Vec<Event>> {
        let query = sqlx::query("SELECT seq, body FROM events ORDER BY seq DESC LIMIT $1").bind(limit);
        query.fetch_all(&self.pool).await.map_err(read)?.iter().rev().map(event).collect()
    }
    /// The events of one dispatch or build, the oldest first.
    pub async fn events_of(&self, run: &str, limit: i64) -> Result<Vec<Event>> {
        let query = sqlx::query("SELECT seq, body FROM events WHERE run = $1 ORDER BY seq LIMIT $2").bind(run.to_string()).bind(limit);
        query.fetch_all(&self.pool).await.map_err(read)?.iter().map(event).collect()
    }
    /// Audit lines after a number, the latest first.
    pub async fn audit_after(&self, seq: i64, limit: i64) -> Result<Vec<Audit>> {
        let query = sqlx::query("SELECT seq, body FROM audit WHERE seq > $1 ORDER BY seq DESC LIMIT $2").bind(seq).bind(limit);
        query.fetch_all(&self.pool).await.map_err(read)?.iter().map(audit_line).collect()
    }
    /// Audit lines, the latest first; "" matches every user, verb or object.
    pub async fn audit(&self, who: &str, verb: &str, object: &str, limit: i64) -> Result<Vec<Audit>> {
        let query = sqlx::query(
            "SELECT seq, body FROM audit WHERE ($1 = '' OR who = $2) AND ($3 = '' OR verb = $4) AND ($5 = '' OR object = $6) ORDER BY seq DESC LIMIT $7",
        );
        let query = [who, verb, object].iter().fold(query, |query, word| query.bind(word.to_string()).bind(word.to_string()));
        let rows = query.bind(limit).fetch_all(&self.pool).await.map_err(read)?;
        rows.iter().map(audit_line).collect()
    }
}

impl Write<'_> {
    pub(super) async fn events(&mut self, events: &[Event]) -> Result<()> {
        for event in events {
            let seq = self.count("events").await?;
            sqlx::query("INSERT INTO events (seq, run, place, body) VALUES ($1, $2, $3, $4)")
                .bind(seq)
                .bind(event.run.clone())
                .bind(event.place.clone())
                .bind(body(&Event { seq, ..event.clone() })?)
                .execute(&mut *self.tx)
                .await
                .map_err(written)?;
        }
        Ok(())
    }
    pub(super) async fn audit(&mut self, audit: &Audit) -> Result<()> {
        let seq = self.count("audit").await?;
        sqlx::query("INSERT INTO audit (seq, at_ms, who, verb, object, run, body) VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(seq)
            .bind(audit.at_ms)
            .bind(audit.who.clone())
            .bind(audit.verb.clone())
            .bind(audit.object.clone())
            .bind(audit.run.clone())
            .bind(body(audit)?)
            .execute(&mut *self.tx)
            .await
            .map(drop)
            .map_err(written)
    }
}

fn event(row: &AnyRow) -> Result<Event> {
    Ok(Event { seq: get(row, 0)?, ..parsed("event", &get::<String, _>(row, 1)?)? })
}

fn audit_line(row: &AnyRow) -> Result<Audit> {
    Ok(Audit { seq: get(row, 0)?, ..parsed("audit line", &get::<String, _>(row, 1)?)? })
}
