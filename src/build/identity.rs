//! What makes two builds the same build (W12): source, buildpacks, stack and this builder's way of working.

use super::job::{Job, Workspace};
use super::source::{Mirror, Reference, Resolved, Say};
use crate::model::Result;
use crate::model::reference::{split_pin, without_user};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Rises when the same input would give another artifact.
const FORMAT: u32 = 1;

/// A buildpack at an exact commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackCommit {
    pub name: String,
    /// Without user info and fragment.
    pub url: String,
    pub commit: String,
}

/// A job with everything resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub commit: String,
    pub reference: Reference,
    /// Those that may build it, in the order in which they are asked.
    pub buildpacks: Vec<PackCommit>,
    /// sha256, hex: a good build with the same one can be used again.
    pub identity: String,
}

impl Identity {
    /// The identity of a job whose commits are known. The app's name is no part of it, nor the version's.
    pub fn new(job: &Job, source: Resolved, buildpacks: Vec<PackCommit>) -> Identity {
        let packs: Vec<_> = buildpacks.iter().map(|pack| (&pack.url, &pack.commit)).collect();
        let all = (FORMAT, without_user(&job.repo_url), &source.commit, packs, &job.stack);
        let text = serde_json::to_string(&all).unwrap_or_default();
        Identity { identity: format!("{:x}", Sha256::digest(text)), commit: source.commit, reference: source.reference, buildpacks }
    }
}

impl Job {
    /// The same job at exactly these commits: it builds what was identified, whatever moved since.
    pub fn pinned_to(&self, identity: &Identity) -> Job {
        let mut job = self.clone();
        job.commit = Some(identity.commit.clone());
        for pack in &mut job.buildpacks {
            let known = identity.buildpacks.iter().find(|known| known.name == pack.name);
            pack.commit = known.map(|known| known.commit.clone());
        }
        job
    }
}

/// Resolves the source's version.
pub async fn source(job: &Job, workspace: &Workspace, say: Say<'_>) -> Result<(Mirror, Resolved)> {
    let mirror = Mirror::of(workspace, &job.repo_url, job.repo_type)?;
    let resolved = mirror.resolve(Some(&job.version), job.commit.as_deref(), say).await?;
    Ok((mirror, resolved))
}

/// Resolves every buildpack that may be used.
pub async fn packs(job: &Job, workspace: &Workspace, say: Say<'_>) -> Result<Vec<(Mirror, PackCommit)>> {
    let mut found = Vec::new();
    for pack in job.candidates()? {
        let (url, pin) = split_pin(&pack.url);
        let mirror = Mirror::of(workspace, url, pack.repo_type)?;
        let resolved =
            mirror.resolve(pin, pack.commit.as_deref(), say).await.map_err(|fault| fault.at(format!("buildpack {}", pack.name)))?;
        let commit = PackCommit { name: pack.name.clone(), url: mirror.shown_url(), commit: resolved.commit };
        found.push((mirror, commit));
    }
    Ok(found)
}
