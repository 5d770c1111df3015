//! One build, stage by stage: source, buildpack, detect, compile, release, slugignore, Procfile, pack.

use super::artifact::Artifacts;
use super::buildpack::{Buildpack, PACK, Release};
use super::identity::{self, Identity, PackCommit};
use super::job::{Job, Workspace};
use super::log::{Log, LogSink, Stage};
use super::sandbox::{Room, Sandbox};
use super::source::{Mirror, Reference, Say};
use super::{cache, lock, slugignore, tree};
use crate::model::procfile::Procfile;
use crate::model::{Fault, Result};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// What a good build gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Built {
    /// The artifact's sha256, hex.
    pub artifact: String,
    /// Of the artifact, bytes.
    pub size: u64,
    pub commit: String,
    pub reference: Reference,
    pub buildpack: String,
    pub buildpack_url: String,
    pub buildpack_commit: String,
    /// `config_vars` of the buildpack.
    pub env: IndexMap<String, String>,
    pub default_process_types: IndexMap<String, String>,
    /// The Procfile, completed by the buildpack's default processes.
    pub procfile: Procfile,
    pub identity: String,
    pub seconds: f64,
    pub log_path: PathBuf,
    pub sandboxed: bool,
}

/// Resolves the job's version and buildpacks, so that the caller can look for a build that can be used again.
/// `say` is told what is waited for. Faults: bad input, no such version, an unreadable repository, the time limit.
pub async fn identify(job: &Job, workspace: &Workspace, say: Say<'_>) -> Result<Identity> {
    job.check()?;
    let all = async {
        let (_, source) = identity::source(job, workspace, say).await.map_err(|fault| fault.at("resolve"))?;
        let packs = identity::packs(job, workspace, say).await?;
        Ok(Identity::new(job, source, packs.into_iter().map(|(_, pack)| pack).collect()))
    };
    let late = Fault::failed(format!("resolving took longer than {}", humantime::format_duration(job.limit))).at("resolve");
    tokio::time::timeout(job.limit, all).await.unwrap_or(Err(late))
}

/// Builds. Every line goes to `sink` and to `<data>/logs/build-<id>.log`, which stays, whatever happens. The build ends
/// with all its processes at `job.limit`, or when `cancel` becomes true ([`crate::model::FaultKind::Interrupted`]).
pub async fn build(job: &Job, workspace: &Workspace, sink: &dyn LogSink, mut cancel: watch::Receiver<bool>) -> Result<Built> {
    job.check()?;
    let log = Log::open(workspace, &job.id, sink)?;
    let sandbox = Sandbox::find(workspace).await;
    let room = Room::new(workspace, &sandbox).map_err(|fault| log.explain(fault))?;
    let run = Run { job, workspace, log: &log, sandbox: &sandbox, room: &room };
    // Whichever loses is dropped, and with it every process group, lock and temporary file that it holds.
    let done = tokio::select! {
        done = run.all() => done,
        () = tokio::time::sleep(job.limit) => {
            let stage = log.stage().word();
            let limit = humantime::format_duration(job.limit);
            Err(Fault::failed(format!("the build took longer than {limit}; it hung at {stage} and was ended")))
        }
        Ok(_) = cancel.wait_for(|&stop| stop) => Err(Fault::interrupted("the build was cancelled")),
    };
    room.clear().await;
    done.map_err(|fault| log.explain(fault))
}

struct Run<'a> {
    job: &'a Job,
    workspace: &'a Workspace,
    log: &'a Log<'a>,
    sandbox: &'a Sandbox,
    room: &'a Room,
}

impl Run<'_> {
    async fn all(&self) -> Result<Built> {
        let (job, log) = (self.job, self.log);
        log.begin(Stage::Source);
        let name = format!("{}.lock", cache::key(job));
        let about = format!("build {} of {} {}", job.id, job.app, job.version);
        let path = self.workspace.dir("locks")?.join(name);
        let _held = lock::take(&path, self.workspace.file_mode(), &about, |holder| log.note(format!("waiting for {holder}"))).await?;
        let say = |text: &str| log.note(text);
        let (mirror, source) = identity::source(job, self.workspace, &say).await?;
        log.note(format!("{} {} is {} ({})", mirror.shown_url(), job.version, source.commit, word(source.reference)));
        mirror.checkout(&source.commit, &self.room.path("build"), &self.room.beside("index")).await?;
        if self.room.path("build/.gitmodules").exists() {
            log.warn("submodules are not supported: their directories stay empty");
        }

        log.begin(Stage::Buildpack);
        let packs = identity::packs(job, self.workspace, &say).await?;
        let (mirrors, commits): (Vec<Mirror>, Vec<PackCommit>) = packs.into_iter().unzip();
        for pack in &commits {
            log.note(format!("buildpack {}: {} at {}", pack.name, pack.url, pack.commit));
        }
        let identity = Identity::new(job, source, commits);
        log.note("this job, to repeat it by hand:");
        for line in job.pinned_to(&identity).yaml().lines() {
            log.note(format!("  {line}"));
        }
        log.note(self.sandbox.says());

        log.begin(Stage::Detect);
        let chosen = self.choose(&identity, &mirrors).await?;
        let pack = self.pack(chosen, &identity);

        log.begin(Stage::Compile);
        let kept = cache::place(self.workspace, job, &chosen.url)?;
        let cached = self.room.path("cache");
        tree::remove(&cached).await;
        let had = cache::copy_in(&kept, &cached, job.force).await?;
        log.note(if had { "with the cache of the last good build" } else { "with an empty cache" });
        pack.compile().await?;

        log.begin(Stage::Release);
        let release = pack.release().await?;
        log.note(format!("env: {}", names(&release.config_vars)));

        log.begin(Stage::Slugignore);
        let app = self.room.path("build");
        if !tree::is_dir(&app) {
            return Err(Fault::failed(format!("buildpack {} left no build directory", chosen.name)));
        }
        let ignored = slugignore::apply(&app)?;
        for warning in &ignored.warnings {
            log.warn(warning);
        }
        log.note(format!("{} left out", ignored.removed));

        log.begin(Stage::Procfile);
        let procfile = self.procfile(&release)?;
        log.note(format!("processes: {}", procfile.names()));

        log.begin(Stage::Pack);
        let packed = self.artifact().await?;
        for path in &packed.skipped {
            log.warn(format!("{path} is no file, directory or link, and was left out"));
        }
        cache::move_back(&cached, &kept).await.unwrap_or_else(|fault| log.warn(fault.line()));
        log.note(format!("artifact {}, {} bytes, {:.1} s", packed.sha256, packed.size, log.seconds()));
        Ok(Built {
            artifact: packed.sha256,
            size: packed.size,
            commit: identity.commit.clone(),
            reference: identity.reference,
            buildpack: chosen.name.clone(),
            buildpack_url: chosen.url.clone(),
            buildpack_commit: chosen.commit.clone(),
            env: release.config_vars,
            default_process_types: release.default_process_types,
            procfile,
            identity: identity.identity.clone(),
            seconds: log.seconds(),
            log_path: log.path().to_path_buf(),
            sandboxed: self.sandbox.wrapped(),
        })
    }

    /// The pinned buildpack, or the first that says yes; it lies ready in the room.
    async fn choose<'b>(&self, identity: &'b Identity, mirrors: &[Mirror]) -> Result<&'b PackCommit> {
        self.sandbox.give(&self.room.path(""))?;
        for (candidate, mirror) in identity.buildpacks.iter().zip(mirrors) {
            let place = self.room.path(PACK);
            tree::remove(&place).await;
            std::fs::create_dir(&place).map_err(|error| super::job::disk(&place, &error))?;
            mirror.checkout(&candidate.commit, &place, &self.room.beside("index")).await?;
            let pack = self.pack(candidate, identity);
            pack.prepare()?;
            if self.job.pinned.is_some() {
                self.log.note(format!("buildpack {} is the app's own: detect is skipped", candidate.name));
                return Ok(candidate);
            }
            if pack.detect().await? {
                return Ok(candidate);
            }
        }
        let tried: Vec<&str> = identity.buildpacks.iter().map(|pack| pack.name.as_str()).collect();
        Err(Fault::failed(format!("no buildpack knows this app; asked were {}", tried.join(", ")))
            .next(format!("name one with `buildpack:` at app {}, or add one", self.job.app)))
    }

    fn pack<'b>(&'b self, commit: &'b PackCommit, identity: &'b Identity) -> Buildpack<'b> {
        let Run { job, log, sandbox, room, .. } = self;
        Buildpack { name: &commit.name, room, sandbox, log, job, commit: &identity.commit }
    }

    /// Reads the Procfile; without one, the buildpack's default processes become it.
    fn procfile(&self, release: &Release) -> Result<Procfile> {
        let path = self.room.path("build/Procfile");
        let written = match path.symlink_metadata() {
            // Never through a link: it could show a file of ours in the log.
            Ok(meta) if meta.is_file() => {
                let bytes = std::fs::read(&path).map_err(|error| super::job::disk(&path, &error))?;
                Some(Procfile::parse(&String::from_utf8_lossy(&bytes))?)
            }
            Ok(_) => return Err(Fault::failed("the Procfile is no ordinary file").next("make it one")),
            Err(_) => None,
        };
        let missing = written.is_none();
        let mut procfile = written.unwrap_or_default();
        for (name, command) in &release.default_process_types {
            procfile.entries.entry(name.clone()).or_insert_with(|| command.clone());
        }
        if procfile.entries.is_empty() {
            let what = if missing { "the app has no Procfile" } else { "the Procfile is empty" };
            return Err(Fault::failed(format!("{what}, and the buildpack names no default process"))
                .next("add a Procfile with a line `web: command`"));
        }
        if missing {
            std::fs::write(&path, procfile.text()).map_err(|error| super::job::disk(&path, &error))?;
            self.log.note("the app has no Procfile; the buildpack's default processes become it");
        }
        Ok(procfile)
    }

    async fn artifact(&self) -> Result<super::artifact::Packed> {
        let store = Artifacts::of(self.workspace)?;
        let root = self.room.path("build");
        let stop = StopOnDrop(Arc::new(AtomicBool::new(false)));
        let seen = stop.0.clone();
        let packing = tokio::task::spawn_blocking(move || store.pack(&root, &seen));
        packing.await.map_err(|error| Fault::failed(format!("packing ended early: {error}")))?
    }
}

/// Stops a thread that outlives the build which waited for it.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn names(vars: &IndexMap<String, String>) -> String {
    if vars.is_empty() { "nothing".to_string() } else { vars.keys().map(String::as_str).collect::<Vec<_>>().join(", ") }
}

fn word(reference: Reference) -> &'static str {
    match reference {
        Reference::Tag => "tag",
        Reference::Branch => "branch",
        Reference::Bookmark => "bookmark",
        Reference::Revision => "revision",
        Reference::Default => "default",
    }
}
