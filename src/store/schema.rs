//! The tables, how an older store becomes a newer one (after a copy of it), and an older binary that may only look.

use super::{failed, get, read, written};
use crate::model::{Fault, Result, release};
use sqlx::{Any, AnyPool, Transaction};
use std::path::Path;

/// Each entry leads from the schema before it to the next; what was released is never changed.
const STEPS: [&[&str]; 1] = [&[
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
    "INSERT INTO counters (name, value) VALUES ('events', 0), ('audit', 0), ('dispatches', 0), ('runs', 0)",
    "CREATE TABLE objects (id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, rev BIGINT NOT NULL, text TEXT NOT NULL, body TEXT NOT NULL, \
     changed_ms BIGINT NOT NULL, changed_by TEXT NOT NULL, UNIQUE (kind, name))",
    "CREATE TABLE versions (id TEXT NOT NULL, rev BIGINT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL, body TEXT NOT NULL, \
     changed_ms BIGINT NOT NULL, changed_by TEXT NOT NULL, why TEXT NOT NULL, deleted BIGINT NOT NULL, PRIMARY KEY (id, rev))",
    "CREATE TABLE builds (id TEXT PRIMARY KEY, identity TEXT NOT NULL, status TEXT NOT NULL, app TEXT NOT NULL, started_ms BIGINT NOT NULL, body TEXT NOT NULL)",
    "CREATE INDEX builds_by_identity ON builds (identity, status)",
    "CREATE TABLE releases (id TEXT PRIMARY KEY, build TEXT NOT NULL, app TEXT NOT NULL, config_name TEXT NOT NULL, proc_name TEXT NOT NULL, \
     created_ms BIGINT NOT NULL, body TEXT NOT NULL)",
    "CREATE TABLE swarm_runs (n BIGINT PRIMARY KEY, swarm_id TEXT NOT NULL, release_id TEXT NOT NULL, dispatch_id TEXT NOT NULL, at_ms BIGINT NOT NULL)",
    "CREATE INDEX swarm_runs_by_swarm ON swarm_runs (swarm_id, n)",
    "CREATE TABLE dispatches (id TEXT PRIMARY KEY, number BIGINT NOT NULL UNIQUE, swarm_id TEXT NOT NULL, outcome TEXT NOT NULL, \
     debts BIGINT NOT NULL, started_ms BIGINT NOT NULL, body TEXT NOT NULL)",
    "CREATE INDEX dispatches_by_swarm ON dispatches (swarm_id, number)",
    "CREATE TABLE steps (dispatch_id TEXT NOT NULL REFERENCES dispatches (id), batch BIGINT NOT NULL, phase TEXT NOT NULL, place TEXT NOT NULL, \
     position BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (dispatch_id, batch, phase, place))",
    "CREATE TABLE port_leases (host_id TEXT NOT NULL, port BIGINT NOT NULL, dispatch_id TEXT NOT NULL, PRIMARY KEY (host_id, port))",
    "CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL, step TEXT NOT NULL, run TEXT NOT NULL, \
     beat BIGINT NOT NULL, epoch BIGINT NOT NULL)",
    "CREATE TABLE events (seq BIGINT PRIMARY KEY, run TEXT NOT NULL, place TEXT NOT NULL, body TEXT NOT NULL)",
    "CREATE INDEX events_by_run ON events (run, seq)",
    "CREATE TABLE audit (seq BIGINT PRIMARY KEY, at_ms BIGINT NOT NULL, who TEXT NOT NULL, verb TEXT NOT NULL, object TEXT NOT NULL, run TEXT NOT NULL, body TEXT NOT NULL)",
    "CREATE TABLE kept (kind TEXT NOT NULL, name TEXT NOT NULL, at_ms BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, name))",
]];

/// The schema that this binary knows.
pub fn newest() -> i64 {
    STEPS.len() as i64
}

/// Brings the store to our schema. Returns the schema when it is newer than ours, the installation's id, and its key.
pub async fn prepare(pool: &AnyPool, file: Option<&Path>) -> Result<(Option<i64>, String, Vec<u8>)> {
    // Several processes may open a new store at once: this one statement decides nothing and may be repeated.
    if let Err(error) = sqlx::query("CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)").execute(pool).await {
        // PostgreSQL lets two of them collide; then the other one made it. A store that may only be read has it.
        sqlx::query("SELECT value FROM meta").fetch_optional(pool).await.map_err(|_| failed("the store cannot be prepared", &error))?;
    }
    let found = schema(meta(pool, "schema").await?)?;
    if found > 0 && found < newest() {
        back_up(pool, file, found).await?;
    }
    if found < newest() {
        let begin = if file.is_some() { "BEGIN IMMEDIATE" } else { "BEGIN" };
        let mut tx = pool.begin_with(begin).await.map_err(written)?;
        if file.is_none() {
            sqlx::query("LOCK TABLE meta IN EXCLUSIVE MODE").execute(&mut *tx).await.map_err(written)?;
        }
        // Read again under the lock: another process may have done it meanwhile.
        let now = schema(meta(&mut *tx, "schema").await?)?;
        for step in STEPS.iter().skip(usize::try_from(now).unwrap_or(0)) {
            for statement in step.iter() {
                sqlx::query(*statement).execute(&mut *tx).await.map_err(written)?;
            }
        }
        if now < newest() {
            set(&mut tx, "schema", &newest().to_string()).await?;
        }
        for (key, value) in [("installation", uuid::Uuid::now_v7().to_string()), ("key", random_key()?)] {
            if meta(&mut *tx, key).await?.is_none() {
                set(&mut tx, key, &value).await?;
            }
        }
        tx.commit().await.map_err(written)?;
    }
    let of = |what: &'static str| Fault::failed(format!("the store has no {what}")).next("restore it from its last copy");
    let installation = meta(pool, "installation").await?.ok_or_else(|| of("installation id"))?;
    let key = meta(pool, "key").await?.ok_or_else(|| of("key"))?;
    Ok(((found > newest()).then_some(found), installation, key.into_bytes()))
}

/// Why a PostgreSQL store cannot be written by this user: a standby, a session that only reads, a role without the right.
pub async fn closed(pool: &AnyPool) -> Result<Option<String>> {
    let asked = "SELECT CAST(CASE WHEN pg_is_in_recovery() THEN 1 WHEN current_setting('transaction_read_only') = 'on' THEN 2 \
                 WHEN NOT has_table_privilege('events', 'INSERT') THEN 3 ELSE 0 END AS BIGINT)";
    let row = sqlx::query(asked).fetch_one(pool).await.map_err(read)?;
    Ok(match get::<i64, _>(&row, 0)? {
        1 => Some("this store is a standby, which is only read".into()),
        2 => Some("this store is opened for reading only".into()),
        3 => Some("this database user may not write the store".into()),
        _ => None,
    })
}

fn schema(found: Option<String>) -> Result<i64> {
    let Some(found) = found else { return Ok(0) };
    found.parse().map_err(|_| Fault::failed("this is not a store of swarmdeck: its schema is not a number"))
}

/// 256 random bits as hex, from the kernel.
fn random_key() -> Result<String> {
    use std::io::Read;
    let mut bytes = [0u8; 32];
    let random = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    random.map_err(|error| Fault::failed(format!("/dev/urandom cannot be read: {error}")))?;
    Ok(release::hex(&bytes))
}

/// A copy of a SQLite store beside it, before it is changed; on PostgreSQL copies are the operator's.
pub(super) async fn back_up(pool: &AnyPool, file: Option<&Path>, found: i64) -> Result<()> {
    let Some(file) = file else { return Ok(()) };
    let copy = file.with_extension(format!("schema-{found}.sqlite"));
    if copy.exists() {
        return Ok(());
    }
    // Made empty first, so that it never has other rights than the store itself.
    let rights = std::fs::metadata(file).map(|meta| meta.permissions());
    let made = std::fs::File::create(&copy).and_then(|made| rights.and_then(|rights| made.set_permissions(rights)));
    made.map_err(|error| Fault::failed(format!("the store cannot be copied to {}: {error}", copy.display())))?;
    sqlx::query("VACUUM INTO $1").bind(copy.display().to_string()).execute(pool).await.map(drop).map_err(|error| {
        let _ = std::fs::remove_file(&copy);
        failed(&format!("the store cannot be copied to {}", copy.display()), &error).next("make room on its disk; nothing was changed")
    })
}

async fn meta<'e>(executor: impl sqlx::Executor<'e, Database = Any>, key: &str) -> Result<Option<String>> {
    let row = sqlx::query("SELECT value FROM meta WHERE key = $1").bind(key.to_string()).fetch_optional(executor).await.map_err(read)?;
    row.map(|row| get(&row, 0)).transpose()
}

async fn set(tx: &mut Transaction<'static, Any>, key: &str, value: &str) -> Result<()> {
    sqlx::query("INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        .bind(key)
        .bind(value)
        .execute(&mut **tx)
        .await
        .map(drop)
        .map_err(written)
}
