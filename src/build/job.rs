//! What is to be built, and where on this machine.

use crate::model::entity::RepoType;
use crate::model::{Fault, Result, reference};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// One buildpack that may build the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildpackRef {
    pub name: String,
    /// Its repository; a `#rev` fragment pins a version.
    pub url: String,
    #[serde(rename = "type", default)]
    pub repo_type: RepoType,
    /// Lower is tried first; then by name.
    #[serde(default)]
    pub order: i64,
    /// The exact commit, once it was resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// One build. As YAML in the build's log it is what a person needs to repeat the build by hand (VR-23).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Names the log file: letters, digits, `-` and `_`.
    pub id: String,
    pub app: String,
    pub repo_url: String,
    #[serde(default)]
    pub repo_type: RepoType,
    /// Tag, branch, bookmark or revision.
    pub version: String,
    /// The exact commit, once it was resolved; then `version` is only a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    pub buildpacks: Vec<BuildpackRef>,
    /// The one buildpack of the app; without it they are asked in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// For the whole build, waiting included.
    #[serde(default = "an_hour", with = "seconds")]
    pub limit: Duration,
    /// Build with an empty cache (VR-29). Whether a build is reused is the caller's choice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

/// The time limit of a build when nothing else is said (Velociraptor's: one hour).
pub fn an_hour() -> Duration {
    Duration::from_secs(3600)
}

mod seconds {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;
    pub fn serialize<S: Serializer>(time: &Duration, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u64(time.as_secs())
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Ok(Duration::from_secs(u64::deserialize(from)?))
    }
}

impl Job {
    /// Checks everything that an operator wrote, before any process sees it.
    pub fn check(&self) -> Result<()> {
        reference::check(&self.version)?;
        reference::check_url(&self.repo_url)?;
        if let Some(commit) = &self.commit {
            reference::check(commit)?;
        }
        if self.id.is_empty() || !self.id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            return Err(Fault::bad(format!("build id `{}`: only letters, digits, `-` and `_`", self.id)));
        }
        for pack in self.candidates()? {
            let (url, pin) = reference::split_pin(&pack.url);
            reference::check_url(url).map_err(|fault| fault.at(format!("buildpack {}", pack.name)))?;
            for rev in pin.into_iter().chain(pack.commit.as_deref()) {
                reference::check(rev).map_err(|fault| fault.at(format!("buildpack {}", pack.name)))?;
            }
        }
        Ok(())
    }

    /// The buildpacks that may be used: the pinned one, or all by `order`, then name.
    pub fn candidates(&self) -> Result<Vec<&BuildpackRef>> {
        let mut packs: Vec<&BuildpackRef> = match &self.pinned {
            Some(name) => self.buildpacks.iter().filter(|pack| pack.name == *name).collect(),
            None => self.buildpacks.iter().collect(),
        };
        packs.sort_by(|a, b| (a.order, &a.name).cmp(&(b.order, &b.name)));
        match (packs.is_empty(), &self.pinned) {
            (false, _) => Ok(packs),
            (true, Some(name)) => {
                Err(Fault::bad(format!("app {}: there is no buildpack `{name}`", self.app)).next("swarmdeck get buildpacks"))
            }
            (true, None) => {
                Err(Fault::bad(format!("app {}: there are no buildpacks", self.app)).next("apply a document with `buildpacks:`"))
            }
        }
    }

    /// The job as YAML, without secrets, fit for a log.
    pub fn yaml(&self) -> String {
        let mut job = self.clone();
        job.repo_url = reference::without_user(&job.repo_url);
        for pack in &mut job.buildpacks {
            pack.url = reference::without_user(&pack.url);
        }
        serde_yaml::to_string(&job).unwrap_or_default()
    }
}

/// Where builds live on this machine.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The installation's home; `mirrors/`, `cache/`, `locks/`, `logs/`, `artifacts/` and `work/` are made in it.
    pub data: PathBuf,
    /// The home is shared by several Unix users: files 0660, directories 2770; else 0600 and 0700 (DESIGN part 7).
    pub shared: bool,
    /// Directories that a sandboxed build must not see, besides homes, `/run` and the installation's home.
    pub hide: Vec<PathBuf>,
    /// Never use bubblewrap (then the log says so).
    pub plain: bool,
}

impl Workspace {
    /// A private workspace in this home.
    pub fn new(data: impl Into<PathBuf>) -> Workspace {
        Workspace { data: data.into(), shared: false, hide: vec![PathBuf::from("/apps")], plain: false }
    }

    /// The mode of files here.
    pub fn file_mode(&self) -> u32 {
        if self.shared { 0o660 } else { 0o600 }
    }

    /// A directory of the home that all its users share, made when it is missing.
    pub fn dir(&self, name: &str) -> Result<PathBuf> {
        let mode = if self.shared { 0o2770 } else { 0o700 };
        made(made(self.data.clone(), mode)?.join(name), mode)
    }

    /// A directory of this Unix user alone (git refuses another user's repository), made when it is missing.
    pub fn own_dir(&self, name: &str) -> Result<PathBuf> {
        let uid = nix::unistd::geteuid();
        let user = nix::unistd::User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name);
        made(self.dir(name)?.join(user), 0o700)
    }
}

fn made(path: PathBuf, mode: u32) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    if !path.is_dir() {
        std::fs::create_dir_all(&path).map_err(|error| disk(&path, &error))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).map_err(|error| disk(&path, &error))?;
    }
    Ok(path)
}

/// The fault for a file operation that did not work; a full disk is said plainly.
pub fn disk(path: &std::path::Path, error: &std::io::Error) -> Fault {
    let place = path.display();
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            Fault::failed(format!("the disk is full at {place}")).next("free space there, or `swarmdeck gc`, and build again")
        }
        _ => Fault::failed(format!("{place}: {error}")),
    }
}
