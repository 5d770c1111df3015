//! Builds and releases: what runs, identified by content (W6, W13).

use super::entity::{Env, Mapping, RepoType};
use super::units::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How far a build is (velociraptor.md Build.status).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BuildStatus {
    Pending,
    Started,
    Success,
    Failed,
    Expired,
}

impl BuildStatus {
    pub fn word(self) -> &'static str {
        match self {
            BuildStatus::Pending => "pending",
            BuildStatus::Started => "started",
            BuildStatus::Success => "success",
            BuildStatus::Failed => "failed",
            BuildStatus::Expired => "expired",
        }
    }
}

/// A build of an app's source at one commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    pub id: String,
    pub app: String,
    /// What the operator asked for (tag, branch …), and what it was then.
    pub version: String,
    pub commit: String,
    /// Same source, same buildpacks, same stack → same identity: reused (W12, VR-27).
    pub identity: String,
    pub status: BuildStatus,
    /// sha256 of the artifact, and its size in bytes; "" and 0 until it is there.
    pub artifact: String,
    pub size: u64,
    /// `config_vars` of the buildpack's release script (VR-26).
    pub env: Env,
    /// Procfile entries.
    pub procfile: Env,
    /// Names of uptests per proc name.
    #[serde(default)]
    pub uptests: std::collections::BTreeMap<String, Vec<String>>,
    pub buildpack_url: String,
    pub buildpack_commit: String,
    pub sandboxed: bool,
    /// ms since the epoch; 0 is none.
    pub started_ms: i64,
    pub ended_ms: i64,
    /// Why it failed, or "".
    pub error: String,
    /// The dispatch that asked for it, and who.
    pub by: String,
}

/// What a release is made of; everything here decides its id, so a release never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// First 40 hex digits of [`Release::digest`].
    pub id: String,
    pub build: String,
    pub artifact: String,
    pub app: String,
    pub app_repo_url: String,
    #[serde(default)]
    pub app_repo_type: RepoType,
    pub version: String,
    pub commit: String,
    pub proc_name: String,
    pub config_name: String,
    /// The Procfile's command.
    pub command: String,
    pub config: Mapping,
    pub env: Env,
    pub volumes: Vec<(String, String)>,
    pub run_as: String,
    pub mem_limit: Option<Bytes>,
    pub memsw_limit: Option<Bytes>,
    pub runtime: String,
    /// Names of its uptests.
    pub uptests: Vec<String>,
    pub buildpack_url: String,
    pub buildpack_commit: String,
    pub created_ms: i64,
}

impl Release {
    /// sha256 over what decides behaviour: artifact, config, env, volumes, user, limits, runtime, command, names.
    /// Key order of mappings does not matter (VR-33); the time and who built it do not.
    pub fn digest(&self) -> String {
        let content = serde_json::json!([
            self.artifact,
            sorted(&serde_json::Value::Object(self.config.clone())),
            self.env.iter().collect::<std::collections::BTreeMap<_, _>>(),
            self.volumes,
            self.run_as,
            self.mem_limit,
            self.memsw_limit,
            self.runtime,
            self.command,
            self.app,
            self.config_name,
            self.proc_name,
            self.version,
        ]);
        hex(&Sha256::digest(content.to_string().as_bytes()))
    }
    /// The same release with its id set from its content.
    #[must_use]
    pub fn sealed(mut self) -> Release {
        self.id = self.digest().chars().take(40).collect();
        self
    }
    /// The eight characters shown and used in proc names.
    pub fn short(&self) -> String {
        self.id.chars().take(8).collect()
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The value with the keys of every mapping in order, so that equal content has equal text.
pub fn sorted(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by(|a, b| a.0.cmp(b.0));
            Value::Object(keys.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}
