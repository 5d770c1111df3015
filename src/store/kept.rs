//! Small things kept by kind and name: hosts as last seen, nodes of dummy pools, owners of pools, drafts, stored plans.

use super::{Store, Write, body, get, parsed, read, written};
use crate::model::world::HostSeen;
use crate::model::{Fault, Result};
use std::collections::BTreeSet;

impl Store {
    /// Keeps a value under a kind and name, replacing what was there.
    pub async fn keep<T: serde::Serialize>(&self, kind: &str, name: &str, value: &T, now_ms: i64) -> Result<()> {
        let mut write = self.write().await?;
        write.keep(kind, name, &body(value)?, now_ms).await?;
        write.commit().await
    }
    /// The value kept under a kind and name.
    pub async fn kept<T: serde::de::DeserializeOwned>(&self, kind: &str, name: &str) -> Result<Option<T>> {
        let row = sqlx::query("SELECT body FROM kept WHERE kind = $1 AND name = $2").bind(kind.to_string()).bind(name.to_string());
        let row = row.fetch_optional(&self.pool).await.map_err(read)?;
        row.map(|row| parsed(kind, &get::<String, _>(&row, 0)?)).transpose()
    }
    /// Everything kept of a kind, by name, with the time of its last change.
    pub async fn all_kept<T: serde::de::DeserializeOwned>(&self, kind: &str) -> Result<Vec<(String, i64, T)>> {
        let rows = sqlx::query("SELECT name, at_ms, body FROM kept WHERE kind = $1 ORDER BY name")
            .bind(kind.to_string())
            .fetch_all(&self.pool)
            .await;
        rows.map_err(read)?.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?, parsed(kind, &get::<String, _>(row, 2)?)?))).collect()
    }
    /// Forgets a value.
    pub async fn forget(&self, kind: &str, name: &str) -> Result<()> {
        let mut write = self.write().await?;
        write.forget(kind, name).await?;
        write.commit().await
    }
    /// The names kept of a kind that begin with `prefix`, in order, with the time of each one's last change.
    pub async fn kept_names(&self, kind: &str, prefix: &str) -> Result<Vec<(String, i64)>> {
        let rows = sqlx::query("SELECT name, at_ms FROM kept WHERE kind = $1 AND substr(name, 1, $2) = $3 ORDER BY name")
            .bind(kind.to_string())
            .bind(length(prefix))
            .bind(prefix.to_string())
            .fetch_all(&self.pool)
            .await;
        rows.map_err(read)?.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect()
    }
    /// Keeps values under names below `prefix`, and of all there only the last `most` by name.
    pub async fn keep_last<T: serde::Serialize>(
        &self,
        kind: &str,
        prefix: &str,
        values: &[(String, T)],
        most: usize,
        now_ms: i64,
    ) -> Result<()> {
        let mut write = self.write().await?;
        for (name, value) in values {
            write.keep(kind, name, &body(value)?, now_ms).await?;
        }
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        sqlx::query(
            "DELETE FROM kept WHERE kind = $1 AND substr(name, 1, $2) = $3 AND name NOT IN \
             (SELECT name FROM kept WHERE kind = $4 AND substr(name, 1, $5) = $6 ORDER BY name DESC LIMIT $7)",
        )
        .bind(kind.to_string())
        .bind(length(prefix))
        .bind(prefix.to_string())
        .bind(kind.to_string())
        .bind(length(prefix))
        .bind(prefix.to_string())
        .bind(most)
        .execute(&mut *write.tx)
        .await
        .map_err(written)?;
        write.commit().await
    }
    /// Forgets what was kept of a kind and not changed since `before_ms`, but for names that begin with one of `spared`; how many.
    pub async fn forget_before(&self, kind: &str, before_ms: i64, spared: &[String]) -> Result<u64> {
        let old: Vec<String> = self
            .kept_names(kind, "")
            .await?
            .into_iter()
            .filter(|(name, at_ms)| *at_ms < before_ms && !spared.iter().any(|prefix| name.starts_with(prefix.as_str())))
            .map(|(name, _)| name)
            .collect();
        let mut gone = 0;
        for names in old.chunks(200) {
            let mut write = self.write().await?;
            for name in names {
                let query = sqlx::query("DELETE FROM kept WHERE kind = $1 AND name = $2 AND at_ms < $3");
                let done = query.bind(kind.to_string()).bind(name.clone()).bind(before_ms).execute(&mut *write.tx).await;
                gone += done.map_err(written)?.rows_affected();
            }
            write.commit().await?;
        }
        Ok(gone)
    }

    /// Remembers hosts as they were last seen, for when they cannot be reached; all in one transaction.
    pub async fn put_seen(&self, hosts: &[HostSeen]) -> Result<()> {
        let mut write = self.write().await?;
        for host in hosts {
            write.keep("host seen", &host.id, &body(host)?, host.asked_ms).await?;
        }
        write.commit().await
    }
    /// Every host as it was last seen.
    pub async fn seen(&self) -> Result<Vec<HostSeen>> {
        Ok(self.all_kept("host seen").await?.into_iter().map(|(_, _, host)| host).collect())
    }

    /// The nodes of a pool of a `dummy` balancer.
    pub async fn pool_nodes(&self, balancer: &str, pool: &str) -> Result<BTreeSet<String>> {
        Ok(self.kept("pool nodes", &format!("{balancer}/{pool}")).await?.unwrap_or_default())
    }
    /// Every pool of a `dummy` balancer with its nodes.
    pub async fn pools(&self, balancer: &str) -> Result<Vec<(String, BTreeSet<String>)>> {
        let all = self.all_kept::<BTreeSet<String>>("pool nodes").await?;
        let prefix = format!("{balancer}/");
        Ok(all.into_iter().filter_map(|(name, _, nodes)| Some((name.strip_prefix(&prefix)?.to_string(), nodes))).collect())
    }
    /// Adds and removes nodes of a pool at once; returns them as they are then. An emptied pool is forgotten.
    pub async fn change_pool(
        &self,
        balancer: &str,
        pool: &str,
        add: &BTreeSet<String>,
        remove: &BTreeSet<String>,
        now_ms: i64,
    ) -> Result<BTreeSet<String>> {
        let name = format!("{balancer}/{pool}");
        let mut write = self.write().await?;
        let there = write.find_kept("pool nodes", &name).await?;
        let there: BTreeSet<String> = there.map(|body| parsed("pool", &body)).transpose()?.unwrap_or_default();
        let nodes: BTreeSet<String> = there.union(add).filter(|node| !remove.contains(*node)).cloned().collect();
        match nodes.is_empty() {
            true => write.forget("pool nodes", &name).await?,
            false => write.keep("pool nodes", &name, &body(&nodes)?, now_ms).await?,
        }
        write.commit().await?;
        Ok(nodes)
    }

    /// Claims a pool for a swarm; refused when another swarm has it.
    pub async fn claim_pool(&self, balancer: &str, pool: &str, swarm_id: &str, now_ms: i64) -> Result<()> {
        let name = format!("{balancer}/{pool}");
        let mut write = self.write().await?;
        let owner: Option<String> = write.find_kept("pool owner", &name).await?.map(|body| parsed("pool owner", &body)).transpose()?;
        match owner {
            Some(owner) if owner == swarm_id => Ok(()),
            Some(owner) => Err(Fault::refused(format!("the pool {name} belongs to another swarm ({owner})")).next("choose another pool")),
            None => {
                write.keep("pool owner", &name, &body(&swarm_id)?, now_ms).await?;
                write.commit().await
            }
        }
    }
    /// The swarm id that a pool belongs to.
    pub async fn pool_owner(&self, balancer: &str, pool: &str) -> Result<Option<String>> {
        self.kept("pool owner", &format!("{balancer}/{pool}")).await
    }
    /// Every pool that was claimed, as (balancer, pool, swarm id).
    pub async fn pool_owners(&self) -> Result<Vec<(String, String, String)>> {
        let all = self.all_kept::<String>("pool owner").await?;
        let split = |(name, _, owner): (String, i64, String)| {
            let (balancer, pool) = name.split_once('/')?;
            Some((balancer.to_string(), pool.to_string(), owner))
        };
        Ok(all.into_iter().filter_map(split).collect())
    }
    /// Gives a pool back; nothing when it belongs to another swarm.
    pub async fn release_pool(&self, balancer: &str, pool: &str, swarm_id: &str) -> Result<()> {
        let name = format!("{balancer}/{pool}");
        let mut write = self.write().await?;
        let owner: Option<String> = write.find_kept("pool owner", &name).await?.map(|body| parsed("pool owner", &body)).transpose()?;
        if owner.as_deref() == Some(swarm_id) {
            write.forget("pool owner", &name).await?;
        }
        write.commit().await
    }

    /// Keeps what somebody was editing; each user has their own.
    pub async fn put_draft<T: serde::Serialize + ?Sized>(&self, who: &str, name: &str, draft: &T, now_ms: i64) -> Result<()> {
        self.keep(&format!("draft of {who}"), name, &draft, now_ms).await
    }
    /// The draft of a user, if there is one, and when it was kept. One that cannot be read any more is none.
    pub async fn draft<T: serde::de::DeserializeOwned>(&self, who: &str, name: &str) -> Result<Option<(T, i64)>> {
        let row = sqlx::query("SELECT body, at_ms FROM kept WHERE kind = $1 AND name = $2")
            .bind(format!("draft of {who}"))
            .bind(name.to_string())
            .fetch_optional(&self.pool)
            .await;
        let Some(row) = row.map_err(read)? else { return Ok(None) };
        let at_ms = get(&row, 1)?;
        Ok(parsed("draft", &get::<String, _>(&row, 0)?).ok().map(|draft| (draft, at_ms)))
    }
    /// Drops a draft that was saved or thrown away.
    pub async fn drop_draft(&self, who: &str, name: &str) -> Result<()> {
        self.forget(&format!("draft of {who}"), name).await
    }
}

/// In characters, as `substr` counts.
fn length(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

impl Write<'_> {
    pub(super) async fn keep(&mut self, kind: &str, name: &str, body: &str, now_ms: i64) -> Result<()> {
        sqlx::query(
            "INSERT INTO kept (kind, name, at_ms, body) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (kind, name) DO UPDATE SET at_ms = excluded.at_ms, body = excluded.body",
        )
        .bind(kind.to_string())
        .bind(name.to_string())
        .bind(now_ms)
        .bind(body.to_string())
        .execute(&mut *self.tx)
        .await
        .map(drop)
        .map_err(written)
    }
    pub(super) async fn find_kept(&mut self, kind: &str, name: &str) -> Result<Option<String>> {
        let row = sqlx::query("SELECT body FROM kept WHERE kind = $1 AND name = $2").bind(kind.to_string()).bind(name.to_string());
        row.fetch_optional(&mut *self.tx).await.map_err(read)?.map(|row| get(&row, 0)).transpose()
    }
    pub(super) async fn forget(&mut self, kind: &str, name: &str) -> Result<()> {
        let query = sqlx::query("DELETE FROM kept WHERE kind = $1 AND name = $2").bind(kind.to_string()).bind(name.to_string());
        query.execute(&mut *self.tx).await.map(drop).map_err(written)
    }
}
