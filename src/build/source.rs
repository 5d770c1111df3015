//! Repositories: one bare mirror per URL and Unix user, what a version means there now, a commit's files.

use super::job::{Workspace, disk};
use super::lock;
use super::process::{Captured, capture, command};
use super::tree;
use crate::model::entity::RepoType;
use crate::model::reference::{self, without_user};
use crate::model::{Fault, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// Told what is waited for.
pub type Say<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// What a version turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reference {
    Tag,
    Branch,
    Bookmark,
    Revision,
    /// No version was asked for; the repository's own default.
    Default,
}

/// A version, resolved once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// The full id of the commit.
    pub commit: String,
    pub reference: Reference,
}

/// The local copy of one repository.
#[derive(Debug, Clone)]
pub struct Mirror {
    dir: PathBuf,
    kind: RepoType,
    /// As written, with what logs in.
    url: String,
}

/// The first 12 hex digits of a text's sha256: long enough to keep file names apart.
pub fn short_hash(text: &str) -> String {
    format!("{:x}", Sha256::digest(text)).chars().take(12).collect()
}

impl Mirror {
    /// The mirror of this repository; nothing is fetched yet. A `#fragment` is no part of it.
    pub fn of(workspace: &Workspace, url: &str, kind: RepoType) -> Result<Mirror> {
        let (url, _) = reference::split_pin(url);
        reference::check_url(url)?;
        let name = format!("{}-{}", reference::basename(url), short_hash(&without_user(url)));
        Ok(Mirror { dir: workspace.own_dir("mirrors")?.join(name), kind, url: url.to_string() })
    }

    /// The URL without what logs in.
    pub fn shown_url(&self) -> String {
        without_user(&self.url)
    }

    /// Fetches and says which commit `version` is; without a version, the repository's default. With `commit`
    /// (resolved before) nothing is fetched when the mirror has it.
    pub async fn resolve(&self, version: Option<&str>, commit: Option<&str>, say: Say<'_>) -> Result<Resolved> {
        for name in version.into_iter().chain(commit) {
            reference::check(name)?;
        }
        let lock = self.dir.with_extension("lock");
        let _held = lock::take(&lock, 0o600, &format!("fetch of {}", self.shown_url()), |holder| {
            say(&format!("waiting for another fetch of {} ({holder})", self.shown_url()));
        })
        .await?;
        match self.kind {
            RepoType::Git => self.resolve_git(version, commit, say).await,
            RepoType::Hg => self.resolve_hg(version, commit, say).await,
        }
    }

    /// Puts the files of a commit into an empty directory. `index` is a file name that may be used meanwhile.
    pub async fn checkout(&self, commit: &str, into: &Path, index: &Path) -> Result<()> {
        reference::check(commit)?;
        let done = match self.kind {
            RepoType::Git => {
                let mut git = self.git(&["read-tree", "-u", "--reset", &format!("{commit}^{{tree}}")], Some(into));
                git.env("GIT_INDEX_FILE", index).current_dir(into);
                capture(git, "git").await?
            }
            RepoType::Hg => {
                let into = into.as_os_str().to_string_lossy().into_owned();
                self.hg(&["archive", "--config", "ui.archivemeta=false", "--type", "files", "-r", commit, "--", &into]).await?
            }
        };
        self.or_fault(&done, &format!("commit {commit} cannot be checked out"))
    }

    async fn resolve_git(&self, version: Option<&str>, commit: Option<&str>, say: Say<'_>) -> Result<Resolved> {
        if !self.dir.join("HEAD").exists() {
            let dir = self.dir.as_os_str().to_string_lossy().into_owned();
            let made = capture(clean_git(&["git", "init", "--quiet", "--bare", "--", &dir]), "git").await?;
            self.or_fault(&made, "its mirror cannot be made")?;
        }
        if let Some(commit) = commit
            && let Some(commit) = self.git_commit(commit).await?
        {
            return Ok(Resolved { reference: self.git_kind(version, &commit).await?, commit });
        }
        self.unlock()?;
        say(&format!("fetching {}", self.shown_url()));
        let mut refs = vec!["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
        if version.is_none() {
            refs.push("+HEAD:refs/swarmdeck/default");
        }
        self.fetch(&refs).await?;
        let Some(version) = version else {
            let found = self.git_commit(commit.unwrap_or("refs/swarmdeck/default")).await?;
            return found.map(|commit| Resolved { commit, reference: Reference::Default }).ok_or_else(|| self.missing("default branch"));
        };
        let wanted = commit.unwrap_or(version);
        for (name, reference) in [
            (format!("refs/tags/{wanted}"), Reference::Tag),
            (format!("refs/heads/{wanted}"), Reference::Branch),
            (wanted.to_string(), Reference::Revision),
        ] {
            if let Some(found) = self.git_commit(&name).await? {
                let reference = if commit.is_some() { self.git_kind(Some(version), &found).await? } else { reference };
                return Ok(Resolved { commit: found, reference });
            }
        }
        // A server may give a commit that no branch or tag has any more.
        if wanted.len() == 40
            && wanted.chars().all(|c| c.is_ascii_hexdigit())
            && self.fetch(&[wanted]).await.is_ok()
            && let Some(commit) = self.git_commit(wanted).await?
        {
            return Ok(Resolved { commit, reference: Reference::Revision });
        }
        Err(self.missing(wanted))
    }

    /// What a version is, when its commit is known already.
    async fn git_kind(&self, version: Option<&str>, commit: &str) -> Result<Reference> {
        let Some(version) = version else { return Ok(Reference::Default) };
        for (name, reference) in [(format!("refs/tags/{version}"), Reference::Tag), (format!("refs/heads/{version}"), Reference::Branch)] {
            // A branch that moved since is still a branch.
            if self.git_commit(&name).await?.is_some_and(|now| now == commit || reference == Reference::Branch) {
                return Ok(reference);
            }
        }
        Ok(Reference::Revision)
    }

    async fn git_commit(&self, name: &str) -> Result<Option<String>> {
        let name = format!("{name}^{{commit}}");
        let found = capture(self.git(&["rev-parse", "--quiet", "--verify", "--end-of-options", &name], None), "git").await?;
        Ok(found.status.success().then(|| found.first_line().to_string()).filter(|commit| commit.len() >= 40))
    }

    async fn fetch(&self, refs: &[&str]) -> Result<()> {
        let url = self.shown_url();
        let mut words = vec!["-c", "gc.autoDetach=false", "-c", "maintenance.autoDetach=false"];
        words.extend(["fetch", "--quiet", "--prune", "--force", "--no-tags", "--no-write-fetch-head", "--", url.as_str()]);
        words.extend(refs);
        let mut git = self.git(&words, None);
        if let Some((user, password)) = reference::user_info(&self.url) {
            // By the environment: a URL with a password would be in the process list of git's own helpers.
            git.env("SWARMDECK_GIT_USER", decoded(&user)).env("SWARMDECK_GIT_PASSWORD", decoded(&password));
            let helper =
                r#"!f() { test "$1" = get && printf 'username=%s\npassword=%s\n' "$SWARMDECK_GIT_USER" "$SWARMDECK_GIT_PASSWORD"; }; f"#;
            git.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "credential.helper").env("GIT_CONFIG_VALUE_0", helper);
        }
        let done = capture(git, "git").await?;
        self.or_fault(&done, "it cannot be fetched")
    }

    /// Takes away what a git that was killed here left locked; the mirror's own lock is ours, so nobody else is at work.
    fn unlock(&self) -> Result<()> {
        let refs = tree::list(&self.dir.join("refs"))?.into_iter().map(|entry| Path::new("refs").join(entry.path));
        let names = ["packed-refs.lock", "HEAD.lock", "config.lock", "shallow.lock"].map(PathBuf::from);
        for path in refs.filter(|path| path.extension().is_some_and(|end| end == "lock")).chain(names).map(|path| self.dir.join(path)) {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(disk(&path, &error)),
                _ => {}
            }
        }
        Ok(())
    }

    fn git(&self, words: &[&str], work_tree: Option<&Path>) -> Command {
        let mut git = clean_git(&["git", "-c", "protocol.ext.allow=never", "-c", "core.autocrlf=false"]);
        git.arg("--git-dir").arg(&self.dir);
        if let Some(tree) = work_tree {
            git.arg("--work-tree").arg(tree);
        }
        git.args(words);
        git
    }

    async fn resolve_hg(&self, version: Option<&str>, commit: Option<&str>, say: Say<'_>) -> Result<Resolved> {
        if !self.dir.join(".hg/requires").exists() {
            let dir = self.dir.as_os_str().to_string_lossy().into_owned();
            let made = capture(clean_hg(&["hg", "init", "--", &dir]), "hg").await?;
            self.or_fault(&made, "its mirror cannot be made")?;
        }
        // In a private file, not on a command line: the URL may hold a password.
        let rc = self.dir.join(".hg/hgrc");
        std::fs::write(&rc, format!("[paths]\ndefault = {}\n", self.url)).map_err(|error| disk(&rc, &error))?;
        let known = match commit {
            Some(commit) => self.hg_node(commit).await?,
            None => None,
        };
        let commit = match known {
            Some(commit) => commit,
            None => {
                say(&format!("pulling {}", self.shown_url()));
                if self.dir.join(".hg/store/journal").exists() {
                    // A pull was killed here; only hg itself can undo its half.
                    let done = self.hg(&["recover", "--quiet"]).await?;
                    self.or_fault(&done, "its mirror cannot be recovered")?;
                }
                // Looked up there as a name, never read as an expression (revset).
                let wanted = commit.or(version).unwrap_or("default");
                let found = self.hg(&["identify", "--debug", "--id", "--rev", wanted, "default"]).await?;
                if !found.status.success() {
                    let text = found.complaint();
                    let unknown = text.contains("unknown revision") || text.contains("ambiguous");
                    return Err(if unknown { self.missing(wanted) } else { self.fault(&found, "it cannot be read") });
                }
                let node = found.first_line().to_string();
                // All of it: a tag is in a later commit than the one it names.
                let done = self.hg(&["pull", "--quiet", "default"]).await?;
                self.or_fault(&done, "it cannot be pulled")?;
                self.hg_node(&node).await?.ok_or_else(|| self.missing(wanted))?
            }
        };
        let Some(version) = version else { return Ok(Resolved { commit, reference: Reference::Default }) };
        if version.len() >= 6 && commit.starts_with(version) {
            return Ok(Resolved { commit, reference: Reference::Revision });
        }
        let about = self.hg(&["log", "--rev", &commit, "--template", "{join(tags, '\\n')}\\n//\\n{branch}"]).await?;
        let (tags, branch) = about.out.split_once("//\n").unwrap_or_default();
        let reference = if tags.lines().any(|tag| tag == version) {
            Reference::Tag
        } else if branch.trim() == version {
            Reference::Branch
        } else {
            Reference::Bookmark
        };
        Ok(Resolved { commit, reference })
    }

    async fn hg_node(&self, node: &str) -> Result<Option<String>> {
        if node.len() != 40 || !node.chars().all(|c| c.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let found = self.hg(&["log", "--rev", node, "--template", "{node}"]).await?;
        Ok(found.status.success().then(|| found.first_line().to_string()).filter(|found| found == node))
    }

    async fn hg(&self, words: &[&str]) -> Result<Captured> {
        let mut hg = clean_hg(&["hg", "--noninteractive", "-R"]);
        hg.arg(&self.dir).args(words);
        capture(hg, "hg").await
    }

    fn missing(&self, name: &str) -> Fault {
        Fault::bad(format!("repository {}: there is no tag, branch or revision `{name}`", self.shown_url()))
            .next("push it, or give another version")
    }

    fn or_fault(&self, done: &Captured, what: &str) -> Result<()> {
        if done.status.success() { Ok(()) } else { Err(self.fault(done, what)) }
    }

    fn fault(&self, done: &Captured, what: &str) -> Fault {
        // hg repeats its URL, and what logs in with it.
        let why = done.complaint().replace(&self.url, &self.shown_url());
        let fault = Fault::failed(format!("repository {}: {what}: {why}", self.shown_url()));
        if why.contains("dubious ownership") {
            return fault.next("if you trust its owner: git config --global --add safe.directory with that path");
        }
        if why.contains("No space left on device") {
            return fault.next("free space, and build again");
        }
        fault.next("check that this user can read it, with the same URL by hand")
    }
}

fn clean_git(argv: &[&str]) -> Command {
    let mut git = command(argv);
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE"]
    {
        git.env_remove(name);
    }
    no_questions(&mut git);
    git
}

fn clean_hg(argv: &[&str]) -> Command {
    let mut hg = command(argv);
    hg.env("HGPLAIN", "1");
    no_questions(&mut hg);
    hg
}

/// Nobody sits there to answer.
fn no_questions(command: &mut Command) {
    command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C.UTF-8").env("SSH_ASKPASS_REQUIRE", "never").env_remove("GIT_ASKPASS");
}

/// Percent-encoding undone (RFC 3986, 2.1).
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
