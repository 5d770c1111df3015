//! Builds, releases, and which release each swarm runs.

use super::{Store, Write, body, get, parsed, read, written};
use crate::model::Result;
use crate::model::release::{Build, BuildStatus, Release};
use sqlx::any::AnyRow;

/// One release that a swarm came to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwarmRun {
    pub swarm_id: String,
    pub release_id: String,
    pub dispatch_id: String,
    pub at_ms: i64,
}

impl Store {
    /// Saves a build, new or changed.
    pub async fn put_build(&self, build: &Build) -> Result<()> {
        let mut write = self.write().await?;
        sqlx::query(
            "INSERT INTO builds (id, identity, status, app, started_ms, body) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (id) DO UPDATE SET identity = excluded.identity, status = excluded.status, body = excluded.body",
        )
        .bind(build.id.clone())
        .bind(build.identity.clone())
        .bind(build.status.word())
        .bind(build.app.clone())
        .bind(build.started_ms)
        .bind(body(build)?)
        .execute(&mut *write.tx)
        .await
        .map_err(written)?;
        write.commit().await
    }
    /// The build with this id.
    pub async fn build(&self, id: &str) -> Result<Option<Build>> {
        let row =
            sqlx::query("SELECT body FROM builds WHERE id = $1").bind(id.to_string()).fetch_optional(&self.pool).await.map_err(read)?;
        row.map(|row| parsed("build", &get::<String, _>(&row, 0)?)).transpose()
    }
    /// The newest build of an identity with a status: `Success` to reuse it, `Started` to wait for it (VR-27, VR-28).
    pub async fn build_by_identity(&self, identity: &str, status: BuildStatus) -> Result<Option<Build>> {
        let row = sqlx::query("SELECT body FROM builds WHERE identity = $1 AND status = $2 ORDER BY started_ms DESC, id DESC LIMIT 1")
            .bind(identity.to_string())
            .bind(status.word())
            .fetch_optional(&self.pool)
            .await
            .map_err(read)?;
        row.map(|row| parsed("build", &get::<String, _>(&row, 0)?)).transpose()
    }
    /// The newest builds.
    pub async fn builds(&self, limit: i64) -> Result<Vec<Build>> {
        let rows =
            sqlx::query("SELECT body FROM builds ORDER BY started_ms DESC, id DESC LIMIT $1").bind(limit).fetch_all(&self.pool).await;
        rows.map_err(read)?.iter().map(|row| parsed("build", &get::<String, _>(row, 0)?)).collect()
    }

    /// Saves a release unless it is there; it never changes.
    pub async fn put_release(&self, release: &Release) -> Result<()> {
        let mut write = self.write().await?;
        sqlx::query(
            "INSERT INTO releases (id, build, app, config_name, proc_name, created_ms, body) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
        )
        .bind(release.id.clone())
        .bind(release.build.clone())
        .bind(release.app.clone())
        .bind(release.config_name.clone())
        .bind(release.proc_name.clone())
        .bind(release.created_ms)
        .bind(body(release)?)
        .execute(&mut *write.tx)
        .await
        .map_err(written)?;
        write.commit().await
    }
    /// The release with this id.
    pub async fn release(&self, id: &str) -> Result<Option<Release>> {
        let row =
            sqlx::query("SELECT body FROM releases WHERE id = $1").bind(id.to_string()).fetch_optional(&self.pool).await.map_err(read)?;
        row.map(|row| parsed("release", &get::<String, _>(&row, 0)?)).transpose()
    }
    /// The releases that a swarm ran, the latest first, each once.
    pub async fn releases_of(&self, swarm_id: &str, limit: i64) -> Result<Vec<Release>> {
        let mut releases = Vec::new();
        for run in self.runs_of(swarm_id, limit).await? {
            if releases.iter().all(|known: &Release| known.id != run.release_id) {
                releases.extend(self.release(&run.release_id).await?);
            }
        }
        Ok(releases)
    }

    /// What swarms came to run, the latest first.
    pub async fn runs(&self, limit: i64) -> Result<Vec<SwarmRun>> {
        let query = sqlx::query("SELECT swarm_id, release_id, dispatch_id, at_ms FROM swarm_runs ORDER BY n DESC LIMIT $1").bind(limit);
        query.fetch_all(&self.pool).await.map_err(read)?.iter().map(run).collect()
    }
    /// What a swarm came to run, the latest first.
    pub async fn runs_of(&self, swarm_id: &str, limit: i64) -> Result<Vec<SwarmRun>> {
        let rows =
            sqlx::query("SELECT swarm_id, release_id, dispatch_id, at_ms FROM swarm_runs WHERE swarm_id = $1 ORDER BY n DESC LIMIT $2")
                .bind(swarm_id.to_string())
                .bind(limit)
                .fetch_all(&self.pool)
                .await
                .map_err(read)?;
        rows.iter().map(run).collect()
    }
    /// The release that a swarm runs.
    pub async fn current_run(&self, swarm_id: &str) -> Result<Option<SwarmRun>> {
        Ok(self.runs_of(swarm_id, 1).await?.pop())
    }
    /// The last release that a swarm ran before the one it runs now: where `rollback` goes.
    pub async fn previous_run(&self, swarm_id: &str) -> Result<Option<SwarmRun>> {
        let row = sqlx::query(
            "SELECT swarm_id, release_id, dispatch_id, at_ms FROM swarm_runs WHERE swarm_id = $1 AND release_id <> \
             (SELECT release_id FROM swarm_runs WHERE swarm_id = $2 ORDER BY n DESC LIMIT 1) ORDER BY n DESC LIMIT 1",
        )
        .bind(swarm_id.to_string())
        .bind(swarm_id.to_string())
        .fetch_optional(&self.pool)
        .await
        .map_err(read)?;
        row.as_ref().map(run).transpose()
    }
}

impl Write<'_> {
    /// A swarm runs a release from now on.
    pub(super) async fn swarm_runs(&mut self, new: &SwarmRun) -> Result<()> {
        let n = self.count("runs").await?;
        sqlx::query("INSERT INTO swarm_runs (n, swarm_id, release_id, dispatch_id, at_ms) VALUES ($1, $2, $3, $4, $5)")
            .bind(n)
            .bind(new.swarm_id.clone())
            .bind(new.release_id.clone())
            .bind(new.dispatch_id.clone())
            .bind(new.at_ms)
            .execute(&mut *self.tx)
            .await
            .map(drop)
            .map_err(written)
    }
}

fn run(row: &AnyRow) -> Result<SwarmRun> {
    Ok(SwarmRun { swarm_id: get(row, 0)?, release_id: get(row, 1)?, dispatch_id: get(row, 2)?, at_ms: get(row, 3)? })
}
