//! What is remembered: SQLite by default, PostgreSQL by URL; journal, leases, events, audit.
//!
//! One SQL text for both (sqlx `Any`): `$1` style, only 64-bit integers and text bound, times as ms since the epoch, bodies as JSON,
//! no NULL. Every write is one transaction that excludes every other writer, on both engines, so what is tested on one holds on the other.

mod changes;
pub mod config;
mod events;
mod holds;
pub mod home;
mod journal;
mod kept;
mod leases;
#[cfg(test)]
pub mod memory;
mod objects;
mod runs;
mod schema;

pub use changes::Changes;
pub use config::Config;
pub use holds::Telling;
pub use home::Home;
pub use journal::Entry;
pub use leases::{Acquired, HolderLock, LeaseWatch, Liveness};
pub use objects::{Change, Object, Put, Version};
pub use runs::SwarmRun;

use crate::model::reference::without_user;
use crate::model::{Fault, Result, document};
use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::{Any, AnyConnection, AnyPool, ColumnIndex, Connection, Decode, Executor, Row, Transaction, Type};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};

/// The kinds of objects that an operator writes.
pub use document::Kind;

/// The store: cheap to clone, shared by everything in one process.
#[derive(Clone, Debug)]
pub struct Store {
    pool: AnyPool,
    place: Arc<Place>,
    /// Writers of one process queue here, fairly; SQLite's own waiting is not fair.
    turn: Arc<Mutex<()>>,
}

#[derive(Debug)]
struct Place {
    url: String,
    /// SQLite's file.
    file: Option<PathBuf>,
    /// Why it may only be looked at.
    look_only: Option<String>,
    installation: String,
    key: Vec<u8>,
}

impl Store {
    /// The store of a home: `store:` of its config.yaml, else `store.sqlite` in it.
    pub async fn open(home: &Home) -> Result<Store> {
        match &home.config.store {
            Some(url) => Store::open_url_as(url, home.look_only.clone()).await,
            None => {
                let file = home.path.join("store.sqlite");
                if home.look_only.is_none() {
                    home.make_file(&file)?;
                }
                Store::open_file_as(&file, home.look_only.clone()).await
            }
        }
    }

    /// A SQLite store at a path; refused on a network file system, where its locks do not hold.
    pub async fn open_file(file: &Path) -> Result<Store> {
        Store::open_file_as(file, None).await
    }

    /// [`Store::open_file`], to look only when there is a reason for that or the file cannot be written.
    async fn open_file_as(file: &Path, look_only: Option<String>) -> Result<Store> {
        home::refuse_network(file)?;
        let look_only = look_only.or_else(|| home::unwritable(file));
        let path = file.to_str().ok_or_else(|| Fault::bad(format!("the path {} is not UTF-8", file.display())))?;
        let mut url = url_of(path);
        url.insert_str(0, "sqlite://");
        let rights = if look_only.is_some() { "ro" } else { "rwc" };
        let opened = Store::connect(format!("{url}?mode={rights}"), Some(file.to_path_buf()), look_only.clone()).await;
        match opened {
            // Nobody has it open, and what a reader needs beside it cannot be made: then nobody writes it either.
            Err(_) if look_only.is_some() => {
                Store::connect(format!("{url}?mode=ro&immutable=true"), Some(file.to_path_buf()), look_only).await
            }
            opened => opened,
        }
    }

    /// A store by URL: `postgres://…`, or `sqlite:///path`.
    pub async fn open_url(url: &str) -> Result<Store> {
        Store::open_url_as(url, None).await
    }

    async fn open_url_as(url: &str, look_only: Option<String>) -> Result<Store> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return Store::open_file_as(Path::new(path.split('?').next().unwrap_or(path)), look_only).await;
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(
                Fault::bad(format!("'{}' is not the URL of a store", without_user(url))).next("write store: postgres://user@host/database")
            );
        }
        Store::connect(url.to_string(), None, look_only).await
    }

    async fn connect(url: String, file: Option<PathBuf>, look_only: Option<String>) -> Result<Store> {
        sqlx::any::install_default_drivers();
        let (sqlite, writes) = (file.is_some(), look_only.is_none());
        let shown = file.as_ref().map_or_else(|| without_user(&url), |file| file.display().to_string());
        let fault = |error: sqlx::Error| {
            failed(&format!("the store {shown} cannot be opened"), &error).next("check its path or URL, its rights, and that it runs")
        };
        // Once by itself: the pool would try again until its time limit before it says what is wrong.
        let mut first = AnyConnection::connect(&url).await.map_err(fault)?;
        prepare_connection(&mut first, sqlite, writes).await.map_err(fault)?;
        first.close().await.map_err(fault)?;
        let pool = AnyPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(30))
            .after_connect(move |connection, _| Box::pin(prepare_connection(connection, sqlite, writes)))
            // SQLite itself takes a transaction back when the disk is full; the library then holds it for open, for ever.
            .before_acquire(|connection, _| {
                let sound = !connection.is_in_transaction();
                Box::pin(async move { Ok(sound) })
            })
            .connect(&url)
            .await
            .map_err(fault)?;
        let (newer, installation, key) = schema::prepare(&pool, file.as_deref()).await?;
        let newer =
            newer.map(|newer| format!("this store was written by a newer swarmdeck (schema {newer}, this one knows {})", schema::newest()));
        let look_only = match newer.or(look_only) {
            None if !sqlite => schema::closed(&pool).await?,
            look_only => look_only,
        };
        let place = Place { url, file, look_only, installation, key };
        Ok(Store { pool, place: Arc::new(place), turn: Arc::default() })
    }

    /// The id of this installation (one store is one installation), made once.
    pub fn installation(&self) -> &str {
        &self.place.installation
    }
    /// The key for hashes of secrets; never leaves the store.
    pub fn installation_key(&self) -> &[u8] {
        &self.place.key
    }
    /// SQLite's file; none on PostgreSQL.
    pub fn file(&self) -> Option<&Path> {
        self.place.file.as_deref()
    }
    /// Why nothing can be written: the store is of a newer swarmdeck, or this user may not.
    pub fn look_only(&self) -> Option<String> {
        self.place.look_only.clone()
    }
    fn is_postgres(&self) -> bool {
        self.place.file.is_none()
    }

    /// A writing transaction: no other writer runs until it ends; dropped without `commit`, it leaves nothing.
    async fn write(&self) -> Result<Write<'_>> {
        if let Some(why) = self.look_only() {
            return Err(Fault::refused(why).next("this one can only look: use the swarmdeck, or be the user, that may write it"));
        }
        let turn = self.turn.lock().await;
        let begin = if self.is_postgres() { "BEGIN" } else { "BEGIN IMMEDIATE" };
        let mut tx = self.pool.begin_with(begin).await.map_err(written)?;
        if self.is_postgres() {
            // Readers go on; writers queue, as on SQLite.
            sqlx::query("LOCK TABLE meta IN EXCLUSIVE MODE").execute(&mut *tx).await.map_err(written)?;
        }
        Ok(Write { tx, postgres: self.is_postgres(), _turn: turn })
    }

    /// Ends all connections; used by tests and at the very end.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// What every connection is told first.
async fn prepare_connection(connection: &mut AnyConnection, sqlite: bool, writes: bool) -> sqlx::Result<()> {
    // The time limit first: setting the journal mode may itself have to wait.
    let pragmas = ["PRAGMA busy_timeout = 20000", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON"];
    let told = match (sqlite, writes) {
        (false, _) => 0,
        (true, false) => 1,
        (true, true) => pragmas.len(),
    };
    for pragma in pragmas.iter().take(told) {
        connection.execute(*pragma).await?;
    }
    if sqlite && !writes {
        // Said now that it cannot be read so, not at the first question.
        connection.execute("SELECT value FROM meta WHERE key = 'schema'").await?;
    }
    Ok(())
}

/// A path as the path of a URL.
fn url_of(path: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b);
    path.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

struct Write<'s> {
    tx: Transaction<'static, Any>,
    postgres: bool,
    _turn: MutexGuard<'s, ()>,
}

impl Write<'_> {
    async fn commit(mut self) -> Result<()> {
        if self.postgres {
            sqlx::query("NOTIFY swarmdeck").execute(&mut *self.tx).await.map_err(written)?;
        }
        self.tx.commit().await.map_err(written)
    }
    /// The next value of a counter; gaps only where a transaction failed.
    async fn count(&mut self, counter: &str) -> Result<i64> {
        let row = sqlx::query("UPDATE counters SET value = value + 1 WHERE name = $1 RETURNING value")
            .bind(counter)
            .fetch_one(&mut *self.tx)
            .await
            .map_err(written)?;
        get(&row, 0)
    }
}

/// The row's value, or a fault that names the store.
fn get<'r, T, I>(row: &'r AnyRow, index: I) -> Result<T>
where
    T: Decode<'r, Any> + Type<Any>,
    I: ColumnIndex<AnyRow>,
{
    row.try_get(index).map_err(read)
}

/// A body as it is stored.
fn body<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Fault::failed(format!("cannot be stored: {error}")))
}

/// A stored body.
fn parsed<T: serde::de::DeserializeOwned>(what: &str, body: &str) -> Result<T> {
    serde_json::from_str(body).map_err(|error| Fault::failed(format!("the store holds a {what} that cannot be read: {error}")))
}

fn failed(what: &str, error: &sqlx::Error) -> Fault {
    let why = match error {
        sqlx::Error::Database(error) => error.message().to_string(),
        sqlx::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    };
    Fault::failed(format!("{what}: {why}"))
}
/// How a fault begins that nothing was written for.
const UNWRITTEN: &str = "the store cannot be written";
/// Whether nothing could be written: a full disk, a server that is gone. It may go another time.
pub fn is_unwritten(fault: &Fault) -> bool {
    fault.what.starts_with(UNWRITTEN)
}
fn written(error: sqlx::Error) -> Fault {
    failed(UNWRITTEN, &error).next("check its disk space and that it runs; nothing was changed")
}
fn read(error: sqlx::Error) -> Fault {
    failed("the store cannot be read", &error).next("check that it runs")
}

#[cfg(test)]
mod tests;
