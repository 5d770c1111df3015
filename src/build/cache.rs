//! The build cache: per app, repository and buildpack; copied in, and replaced only by a build that went well.

use super::job::{Job, Workspace, disk};
use super::process::{capture, command};
use super::source::short_hash;
use super::tree;
use crate::model::reference::without_user;
use crate::model::{Fault, Result};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The name that a job's files share: readable, and unique for app and repository.
pub fn key(job: &Job) -> String {
    let name: String = job.app.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).take(60).collect();
    format!("{name}-{}", short_hash(&without_user(&job.repo_url)))
}

/// Where the cache of this job and buildpack is kept; whoever builds as another Unix user has another.
pub fn place(workspace: &Workspace, job: &Job, buildpack_url: &str) -> Result<PathBuf> {
    Ok(workspace.own_dir("cache")?.join(format!("{}-{}", key(job), short_hash(buildpack_url))))
}

/// Copies the kept cache to `into` (which must not exist), or makes it empty. Says whether there was one.
pub async fn copy_in(kept: &Path, into: &Path, fresh: bool) -> Result<bool> {
    if fresh || !tree::is_dir(kept) {
        std::fs::create_dir(into).map_err(|error| disk(into, &error))?;
        return Ok(false);
    }
    run(&["cp".into(), "-a".into(), "--reflink=auto".into(), "--".into(), kept.into(), into.into()], "the build cache cannot be copied")
        .await?;
    Ok(true)
}

/// Makes `from` the kept cache.
pub async fn move_back(from: &Path, kept: &Path) -> Result<()> {
    if !tree::is_dir(from) {
        return clear(kept).await;
    }
    // First beside it: it may come from another file system, and then takes its time.
    let (new, old) = (kept.with_extension("new"), kept.with_extension("old"));
    tree::remove(&new).await;
    tree::remove(&old).await;
    run(&["mv".into(), "-T".into(), "--".into(), from.into(), new.clone().into()], "the build cache cannot be kept").await?;
    if kept.exists() {
        std::fs::rename(kept, &old).map_err(|error| disk(kept, &error))?;
    }
    std::fs::rename(&new, kept).map_err(|error| disk(kept, &error))?;
    tree::remove(&old).await;
    Ok(())
}

/// Forgets a kept cache (VR-24).
pub async fn clear(kept: &Path) -> Result<()> {
    tree::remove(kept).await;
    Ok(())
}

async fn run(argv: &[OsString], what: &str) -> Result<()> {
    let done = capture(command(argv), "cp").await?;
    if done.status.success() { Ok(()) } else { Err(Fault::failed(format!("{what}: {}", done.complaint()))) }
}
