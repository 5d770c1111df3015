//! What operators wrote: objects with revisions, changed by compare-and-set, every version kept.

use super::{Kind, Store, Write, get, read, written};
use crate::model::document::{Item, Written};
use crate::model::{Fault, Result};
use sqlx::any::AnyRow;

/// One object as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    pub id: String,
    pub kind: Kind,
    /// Unique among its kind.
    pub name: String,
    /// 1, 2, 3 … with each change.
    pub rev: i64,
    /// The operator's own text.
    pub text: String,
    /// The value as JSON.
    pub body: String,
    pub changed_ms: i64,
    pub changed_by: String,
}

impl Object {
    /// The value, with the object's id in it.
    pub fn item<T: Item>(&self) -> Result<Written<T>> {
        let mut body: T = super::parsed(self.kind.word(), &self.body)?;
        body.set_id(Some(self.id.clone()));
        Ok(Written { body, text: self.text.clone(), line: 1 })
    }
}

/// A former or the present state of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    pub object: Object,
    pub why: String,
    /// Whether this is the object's end.
    pub deleted: bool,
}

/// An object as it shall be.
#[derive(Debug, Clone, PartialEq)]
pub struct Put {
    /// None: that of the object with this kind and name, else a new one.
    pub id: Option<String>,
    pub kind: Kind,
    pub name: String,
    pub text: String,
    pub body: String,
    /// The revision that the operator saw: 0 = there was none, none = whatever is there.
    pub expected: Option<i64>,
}

impl Put {
    /// From an item of a document.
    pub fn of<T: Item>(item: &Written<T>, expected: Option<i64>) -> Result<Put> {
        let (id, name) = (item.body.id().map(str::to_string), item.body.name());
        Ok(Put { id, kind: T::KIND, name, text: item.text.clone(), body: super::body(&item.body)?, expected })
    }
}

/// One change among several that are made together.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    Put(Put),
    Delete { id: String, expected: Option<i64> },
}

impl Store {
    /// The object with this name.
    pub async fn get(&self, kind: Kind, name: &str) -> Result<Option<Object>> {
        let row = sqlx::query("SELECT id, kind, name, rev, text, body, changed_ms, changed_by FROM objects WHERE kind = $1 AND name = $2")
            .bind(kind.word())
            .bind(name.to_string())
            .fetch_optional(&self.pool)
            .await
            .map_err(read)?;
        row.as_ref().map(object).transpose()
    }
    /// The object with this id.
    pub async fn by_id(&self, id: &str) -> Result<Option<Object>> {
        let row = sqlx::query("SELECT id, kind, name, rev, text, body, changed_ms, changed_by FROM objects WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await
            .map_err(read)?;
        row.as_ref().map(object).transpose()
    }
    /// Every object of a kind, by name.
    pub async fn list(&self, kind: Kind) -> Result<Vec<Object>> {
        let rows = sqlx::query("SELECT id, kind, name, rev, text, body, changed_ms, changed_by FROM objects WHERE kind = $1 ORDER BY name")
            .bind(kind.word())
            .fetch_all(&self.pool)
            .await
            .map_err(read)?;
        rows.iter().map(object).collect()
    }
    /// Every object of a kind as items, by name.
    pub async fn items<T: Item>(&self) -> Result<Vec<Written<T>>> {
        self.list(T::KIND).await?.iter().map(Object::item).collect()
    }
    /// Saves one object.
    pub async fn put(&self, put: Put, who: &str, why: &str, now_ms: i64) -> Result<Object> {
        let mut saved = self.apply(&[Change::Put(put)], who, why, now_ms).await?;
        saved.pop().ok_or_else(|| Fault::failed("nothing was saved"))
    }
    /// Deletes one object; its versions stay.
    pub async fn delete(&self, id: &str, expected: Option<i64>, who: &str, why: &str, now_ms: i64) -> Result<()> {
        self.apply(&[Change::Delete { id: id.to_string(), expected }], who, why, now_ms).await.map(drop)
    }
    /// Makes all changes, or none. Returns what was put, in that order; what was so already keeps its revision.
    pub async fn apply(&self, changes: &[Change], who: &str, why: &str, now_ms: i64) -> Result<Vec<Object>> {
        let mut write = self.write().await?;
        let saved = write.changes(changes, who, why, now_ms).await?;
        write.commit().await?;
        Ok(saved)
    }
    /// Every version of an object, the newest first.
    pub async fn versions(&self, id: &str) -> Result<Vec<Version>> {
        let rows = sqlx::query(
            "SELECT id, kind, name, rev, text, body, changed_ms, changed_by, why, deleted FROM versions WHERE id = $1 ORDER BY rev DESC",
        )
        .bind(id.to_string())
        .fetch_all(&self.pool)
        .await
        .map_err(read)?;
        rows.iter().map(version).collect()
    }
    /// The versions that ended objects, the newest first; at most so many. Some of those objects may be there again.
    pub async fn deleted(&self, most: i64) -> Result<Vec<Version>> {
        let rows = sqlx::query(
            "SELECT id, kind, name, rev, text, body, changed_ms, changed_by, why, deleted FROM versions WHERE deleted = 1 \
             ORDER BY changed_ms DESC, rev DESC, id LIMIT $1",
        )
        .bind(most)
        .fetch_all(&self.pool)
        .await
        .map_err(read)?;
        rows.iter().map(version).collect()
    }
}

impl Write<'_> {
    /// The changes inside this transaction.
    pub(super) async fn changes(&mut self, changes: &[Change], who: &str, why: &str, now_ms: i64) -> Result<Vec<Object>> {
        let mut saved = Vec::new();
        for change in changes {
            match change {
                Change::Put(put) => saved.push(self.put(put, who, why, now_ms).await?),
                Change::Delete { id, expected } => self.delete(id, *expected, who, why, now_ms).await?,
            }
        }
        Ok(saved)
    }

    async fn put(&mut self, put: &Put, who: &str, why: &str, now_ms: i64) -> Result<Object> {
        let there = match &put.id {
            Some(id) => {
                self.find("SELECT id, kind, name, rev, text, body, changed_ms, changed_by FROM objects WHERE id = $1", &[id]).await?
            }
            None => self.named(put.kind, &put.name).await?,
        };
        check(there.as_ref(), put.expected, put.kind, &put.name)?;
        if let Some(other) = self.named(put.kind, &put.name).await?
            && there.as_ref().is_none_or(|there| there.id != other.id)
        {
            return Err(Fault::refused(format!("another {} is called {}", put.kind.word(), put.name))
                .next("choose another name, or take the id away"));
        }
        if let Some(there) = &there
            && (there.kind, &there.name, &there.text, &there.body) == (put.kind, &put.name, &put.text, &put.body)
        {
            return Ok(there.clone());
        }
        if there.as_ref().is_some_and(|there| there.kind != put.kind) {
            return Err(Fault::bad(format!("the id of {} {} is that of another kind of object", put.kind.word(), put.name))
                .next("take the id away"));
        }
        let id =
            there.as_ref().map(|there| there.id.clone()).or_else(|| put.id.clone()).unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
        // An id that was deleted and comes back (an export applied again) goes on where it ended.
        let rev = self.last_rev(&id).await? + 1;
        let object = Object {
            id,
            kind: put.kind,
            name: put.name.clone(),
            rev,
            text: put.text.clone(),
            body: put.body.clone(),
            changed_ms: now_ms,
            changed_by: who.to_string(),
        };
        sqlx::query(
            "INSERT INTO objects (id, kind, name, rev, text, body, changed_ms, changed_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, rev = excluded.rev, text = excluded.text, body = excluded.body, \
             changed_ms = excluded.changed_ms, changed_by = excluded.changed_by",
        )
        .bind(object.id.clone())
        .bind(object.kind.word())
        .bind(object.name.clone())
        .bind(object.rev)
        .bind(object.text.clone())
        .bind(object.body.clone())
        .bind(object.changed_ms)
        .bind(object.changed_by.clone())
        .execute(&mut *self.tx)
        .await
        .map_err(written)?;
        self.remember(&object, why, false).await?;
        Ok(object)
    }

    async fn delete(&mut self, id: &str, expected: Option<i64>, who: &str, why: &str, now_ms: i64) -> Result<()> {
        let there = self.find("SELECT id, kind, name, rev, text, body, changed_ms, changed_by FROM objects WHERE id = $1", &[id]).await?;
        let Some(mut object) = there else { return Ok(()) };
        check(Some(&object), expected, object.kind, &object.name)?;
        sqlx::query("DELETE FROM objects WHERE id = $1").bind(id.to_string()).execute(&mut *self.tx).await.map_err(written)?;
        (object.rev, object.changed_ms, object.changed_by) = (object.rev + 1, now_ms, who.to_string());
        self.remember(&object, why, true).await
    }

    async fn remember(&mut self, object: &Object, why: &str, deleted: bool) -> Result<()> {
        sqlx::query(
            "INSERT INTO versions (id, kind, name, rev, text, body, changed_ms, changed_by, why, deleted) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(object.id.clone())
        .bind(object.kind.word())
        .bind(object.name.clone())
        .bind(object.rev)
        .bind(object.text.clone())
        .bind(object.body.clone())
        .bind(object.changed_ms)
        .bind(object.changed_by.clone())
        .bind(why.to_string())
        .bind(i64::from(deleted))
        .execute(&mut *self.tx)
        .await
        .map(drop)
        .map_err(written)
    }

    async fn named(&mut self, kind: Kind, name: &str) -> Result<Option<Object>> {
        let sql = "SELECT id, kind, name, rev, text, body, changed_ms, changed_by FROM objects WHERE kind = $1 AND name = $2";
        self.find(sql, &[kind.word(), name]).await
    }

    async fn find(&mut self, sql: &'static str, words: &[&str]) -> Result<Option<Object>> {
        let mut query = sqlx::query(sql);
        for word in words {
            query = query.bind(word.to_string());
        }
        let row = query.fetch_optional(&mut *self.tx).await.map_err(read)?;
        row.as_ref().map(object).transpose()
    }

    async fn last_rev(&mut self, id: &str) -> Result<i64> {
        let row = sqlx::query("SELECT CAST(COALESCE(MAX(rev), 0) AS BIGINT) AS rev FROM versions WHERE id = $1")
            .bind(id.to_string())
            .fetch_one(&mut *self.tx)
            .await
            .map_err(read)?;
        get(&row, 0)
    }
}

/// Whether the object still is what the operator saw.
fn check(there: Option<&Object>, expected: Option<i64>, kind: Kind, name: &str) -> Result<()> {
    let Some(expected) = expected else { return Ok(()) };
    match there {
        Some(there) if there.rev != expected => {
            let at = jiff::Timestamp::from_millisecond(there.changed_ms).map(|at| at.strftime("%F %T UTC").to_string()).unwrap_or_default();
            let what = format!("{} {name} was saved by {} at {at}, after you opened it", kind.word(), there.changed_by);
            Err(Fault::refused(what).next("look at the difference, then save again"))
        }
        None if expected != 0 => Err(Fault::refused(format!("{} {name} was deleted after you opened it", kind.word()))
            .next("save it as a new one if it shall be again")),
        _ => Ok(()),
    }
}

fn version(row: &AnyRow) -> Result<Version> {
    Ok(Version { object: object(row)?, why: get(row, "why")?, deleted: get::<i64, _>(row, "deleted")? != 0 })
}

fn object(row: &AnyRow) -> Result<Object> {
    let kind: String = get(row, "kind")?;
    Ok(Object {
        id: get(row, "id")?,
        kind: Kind::from_word(&kind).ok_or_else(|| Fault::failed(format!("the store holds an object of the unknown kind '{kind}'")))?,
        name: get(row, "name")?,
        rev: get(row, "rev")?,
        text: get(row, "text")?,
        body: get(row, "body")?,
        changed_ms: get(row, "changed_ms")?,
        changed_by: get(row, "changed_by")?,
    })
}
