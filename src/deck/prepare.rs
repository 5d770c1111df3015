//! Resolve, build, release, plan: everything before anything on a host changes.

use super::catalog::{Catalog, Entry};
use super::leasing::Held;
use super::look::{DispatchRequest, LogLine, Replaced};
use super::{Deck, Said};
use crate::build::{self, BuildpackRef, Identity, Job, LogSink};
use crate::hosts::procs;
use crate::model::entity::{App, NoUptests, Swarm};
use crate::model::merge;
use crate::model::procfile::Procfile;
use crate::model::record::{Dispatch, Event};
use crate::model::release::{Build, BuildStatus, Release};
use crate::model::waiting::Waiting;
use crate::model::world::World;
use crate::model::{Fault, FaultKind, Result};
use crate::plan::{self, Plan, Replace, Want};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Where lines of what is under way go; nobody listening is fine.
pub type Lines = mpsc::Sender<LogLine>;

/// Hands a build's log on as lines.
struct Sink {
    lines: Option<Lines>,
    now_ms: fn() -> i64,
}

impl LogSink for Sink {
    fn line(&self, line: build::LogLine) {
        if let Some(lines) = &self.lines {
            // A listener that cannot keep up loses lines here, never in the file.
            let _ = lines.try_send(LogLine { at_ms: (self.now_ms)(), from: line.stage.word().into(), text: line.text });
        }
    }
}

impl Deck {
    /// Resolves, builds, releases and plans; stores the plan. Nothing on a host changes. What was refused is remembered for `why`.
    pub async fn plan(&self, request: &DispatchRequest, lines: Option<Lines>) -> Result<Plan> {
        let made = self.made_plan(request, lines).await;
        if let Err(fault) = &made {
            self.note_refusal(&request.swarm, "plan", fault).await;
        }
        made
    }

    async fn made_plan(&self, request: &DispatchRequest, lines: Option<Lines>) -> Result<Plan> {
        let catalog = self.catalog().await?;
        let entry = catalog.swarm(&request.swarm)?.clone();
        let size = request.size.unwrap_or(entry.body.size);
        let same = if request.same_release { self.store.current_run(&entry.id).await?.map(|run| run.release_id) } else { None };
        let (release, build, reused) = match request.rollback_to.as_ref().or(same.as_ref()) {
            Some(to) => self.earlier_release(&entry, to).await?,
            None => {
                let version = request.version.clone().unwrap_or_else(|| entry.body.version.clone());
                let app = catalog.app(&entry.body.app)?;
                let (build, reused) = self.built(&catalog, app, &version, request.rebuild, lines.clone()).await?;
                let release = self.release(&catalog, &entry, app, &build, &version)?;
                self.store.put_release(&release).await?;
                (release, build, reused)
            }
        };
        let plan = self.planned(&catalog, &entry, request, size, &release, &build, reused).await?;
        self.store.keep("plan", &plan.id, &plan, self.now_ms()).await?;
        Ok(plan)
    }

    /// A stored plan.
    pub async fn stored_plan(&self, id: &str) -> Result<Plan> {
        self.store
            .kept("plan", id)
            .await?
            .ok_or_else(|| Fault::bad(format!("there is no plan {id}")).next("make one: swarmdeck plan SWARM"))
    }

    /// The release that ran before the present one, or a named one; it needs no build and no source (DESIGN part 4).
    async fn earlier_release(&self, entry: &Entry<Swarm>, to: &str) -> Result<(Release, Build, bool)> {
        let id = if to.is_empty() {
            let run = self.store.previous_run(&entry.id).await?;
            run.map(|run| run.release_id).ok_or_else(|| {
                Fault::refused(format!("{} has run only one release, so there is nothing to go back to", entry.name))
                    .next("dispatch another version")
            })?
        } else {
            let all = self.store.releases_of(&entry.id, 1000).await?;
            let matching: Vec<&Release> = all.iter().filter(|release| release.id.starts_with(to)).collect();
            match matching.as_slice() {
                [one] => one.id.clone(),
                [] => {
                    return Err(Fault::bad(format!("{} never ran a release {to}", entry.name))
                        .next(format!("swarmdeck get releases {}", entry.name)));
                }
                _ => return Err(Fault::bad(format!("'{to}' is the beginning of several releases")).next("write more of it")),
            }
        };
        let gone =
            |what: &str| Fault::failed(format!("the {what} of release {id} is not kept any more")).next("dispatch its version instead");
        let release = self.store.release(&id).await?.ok_or_else(|| gone("record"))?;
        let (then, now) =
            ((&release.app, &release.config_name, &release.proc_name), (&entry.body.app, &entry.body.config_name, &entry.body.proc_name));
        if then != now {
            return Err(Fault::refused(format!(
                "release {} ran as {}-{}-{}; the swarm is {} now",
                short(&id),
                then.0,
                then.1,
                then.2,
                entry.name
            ))
            .next("dispatch its version instead, or change the swarm's app, config and proc back first"));
        }
        let build = self.store.build(&release.build).await?.ok_or_else(|| gone("build"))?;
        build::Artifacts::of(&self.workspace)?.open(&release.artifact).map_err(|_| gone("artifact"))?;
        Ok((release, build, true))
    }

    /// What the build of a version is made from.
    pub(super) fn job(&self, catalog: &Catalog, app: &Entry<App>, version: &str, force: bool) -> Job {
        let pack = |entry: &Entry<crate::model::entity::Buildpack>| BuildpackRef {
            name: entry.name.clone(),
            url: entry.body.url.clone(),
            repo_type: entry.body.repo_type,
            order: entry.body.order,
            commit: None,
        };
        Job {
            id: self.new_id(),
            app: app.name.clone(),
            repo_url: app.body.repo.url.clone(),
            repo_type: app.body.repo.repo_type,
            version: version.to_string(),
            commit: None,
            buildpacks: catalog.buildpacks.iter().map(pack).collect(),
            pinned: app.body.buildpack.clone(),
            stack: None,
            limit: self.home.config.build_limit.map_or_else(build::job::an_hour, |limit| limit.0),
            force,
        }
    }

    /// A good build of this version: one of equal identity, one that is under way, or a new one. The flag says it was reused.
    pub async fn built(
        &self,
        catalog: &Catalog,
        app: &Entry<App>,
        version: &str,
        again: bool,
        lines: Option<Lines>,
    ) -> Result<(Build, bool)> {
        let job = self.job(catalog, app, version, again);
        let sink = Sink { lines, now_ms: self.outside.now_ms };
        self.built_of(job, again, &sink).await
    }

    /// Begins to build a swarm's version; answers with the build's id as soon as it is known.
    /// `again`: even where a build could be reused.
    pub async fn begin_build(&self, swarm: &str, again: bool) -> Result<String> {
        let catalog = self.catalog().await?;
        let entry = catalog.swarm(swarm)?;
        let job = self.job(&catalog, catalog.app(&entry.body.app)?, &entry.body.version, again);
        let identity = build::identify(&job, &self.workspace, &|_| {}).await?;
        if !again && let Some(build) = self.reusable(&identity).await? {
            return Ok(build.id);
        }
        let (id, deck) = (job.id.clone(), self.clone());
        tokio::spawn(async move {
            let sink = Sink { lines: None, now_ms: deck.outside.now_ms };
            // How it ends is in the store: status, error and log.
            deck.built_of(job, again, &sink).await.ok();
        });
        Ok(id)
    }

    async fn built_of(&self, job: Job, again: bool, sink: &Sink) -> Result<(Build, bool)> {
        let say =
            |text: &str| sink.line(build::LogLine { stage: build::Stage::Source, kind: build::LineKind::Note, text: text.into(), ms: 0 });
        let identity = build::identify(&job, &self.workspace, &say).await?;
        if !again && let Some(build) = self.reusable(&identity).await? {
            say(&format!("build {} is reused: same source, same buildpacks", short(&build.id)));
            return Ok((build, true));
        }
        // One process builds an identity at a time; the others wait for it, visibly, and share what comes of it.
        let (mut waiting_since, mut said, mut stop) = (None, Said::default(), self.no_builds.subscribe());
        let lease = format!("build/{}", identity.identity);
        let held = loop {
            match self.acquire(&lease, &format!("build of {} {}", job.app, job.version), &job.id, 0).await {
                Ok(held) => break held,
                Err(fault) if fault.kind == FaultKind::Busy => {
                    let since_ms = *waiting_since.get_or_insert_with(|| self.now_ms());
                    let waiting = self.build_wait(&lease, &identity, &job, since_ms).await?;
                    said.say(waiting, self.now_ms(), &|waiting| say(&waiting.line(self.now_ms())));
                    tokio::select! {
                        () = tokio::time::sleep(Duration::from_secs(1)) => {}
                        _ = stop.wait_for(|stop| *stop) => return Err(fault.at("build").next("it was given up; nothing was begun")),
                    }
                }
                Err(fault) => return Err(fault),
            }
        };
        let result = self.built_under(&held, &job, &identity, again, waiting_since, sink).await;
        held.release().await?;
        result
    }

    /// Whose build is waited for, and how long it may take yet.
    async fn build_wait(&self, lease: &str, identity: &Identity, job: &Job, since_ms: i64) -> Result<Waiting> {
        let by = self.store.lease(lease).await?;
        let on = by.map_or_else(|| format!("{} {}", job.app, job.version), |by| format!("{} by {}", by.why, by.who));
        let begun = self.store.build_by_identity(&identity.identity, BuildStatus::Started).await?;
        let limit = i64::try_from(job.limit.as_millis()).unwrap_or(i64::MAX);
        let until_ms = begun.map_or(0, |begun| begun.started_ms.saturating_add(limit));
        Ok(Waiting { what: "build".into(), on, since_ms, until_ms })
    }

    /// Ends every build of this process, and every wait for one.
    pub fn end_builds(&self) {
        self.no_builds.send_replace(true);
    }

    /// Under the lease of its identity: what was waited for, or a build of our own.
    async fn built_under(
        &self,
        held: &Held,
        job: &Job,
        identity: &Identity,
        again: bool,
        waiting_since: Option<i64>,
        sink: &Sink,
    ) -> Result<(Build, bool)> {
        if (!again || waiting_since.is_some())
            && let Some(build) = self.reusable(identity).await?
            && waiting_since.is_none_or(|since| !again || build.ended_ms >= since)
        {
            return Ok((build, true));
        }
        if let Some(since) = waiting_since
            && let Some(failed) = self.store.build_by_identity(&identity.identity, BuildStatus::Failed).await?
            && failed.ended_ms >= since
        {
            return Err(Fault::failed(format!("build {} by {} was waited for and failed: {}", short(&failed.id), failed.by, failed.error))
                .at("build")
                .next(format!("its log is kept: swarmdeck describe build {}", failed.id)));
        }
        // We hold the lease, so whoever began one and did not end it is gone.
        if let Some(mut left) = self.store.build_by_identity(&identity.identity, BuildStatus::Started).await? {
            (left.status, left.ended_ms, left.error) = (BuildStatus::Failed, self.now_ms(), "the process that built it ended".into());
            self.store.put_build(&left).await?;
        }
        held.may_act()?;
        let build = self.build_now(&job.pinned_to(identity), identity, sink).await?;
        Ok((build, false))
    }

    async fn reusable(&self, identity: &Identity) -> Result<Option<Build>> {
        let found = self.store.build_by_identity(&identity.identity, BuildStatus::Success).await?;
        let artifacts = build::Artifacts::of(&self.workspace)?;
        Ok(found.filter(|build| artifacts.has(&build.artifact)))
    }

    async fn build_now(&self, job: &Job, identity: &Identity, sink: &Sink) -> Result<Build> {
        let mut build = Build {
            id: job.id.clone(),
            app: job.app.clone(),
            version: job.version.clone(),
            commit: identity.commit.clone(),
            identity: identity.identity.clone(),
            status: BuildStatus::Started,
            artifact: String::new(),
            size: 0,
            env: Default::default(),
            procfile: Default::default(),
            uptests: BTreeMap::new(),
            buildpack_url: String::new(),
            buildpack_commit: String::new(),
            sandboxed: false,
            started_ms: self.now_ms(),
            ended_ms: 0,
            error: String::new(),
            by: self.who.clone(),
        };
        self.store.put_build(&build).await?;
        self.build_event(&build, "").await?;
        let (stop, cancel) = watch::channel(false);
        let ending = tokio::spawn(self.clone().end_build_when_told(build.id.clone(), stop));
        let done = build::build(job, &self.workspace, sink, cancel).await;
        ending.abort();
        self.store.forget(super::build_end::END_BUILD, &build.id).await.ok();
        build.ended_ms = self.now_ms();
        let result = done.and_then(|built| {
            let artifact = build::Artifacts::of(&self.workspace)?.open(&built.artifact)?;
            build.uptests = build::uptests::uptests(&artifact)?;
            Ok(built)
        });
        match result {
            Ok(built) => {
                build.status = BuildStatus::Success;
                (build.artifact, build.size, build.commit) = (built.artifact, built.size, built.commit);
                (build.env, build.procfile) = (built.env, built.procfile.entries);
                (build.buildpack_url, build.buildpack_commit, build.sandboxed) =
                    (built.buildpack_url, built.buildpack_commit, built.sandboxed);
                self.store.put_build(&build).await?;
                self.build_event(&build, "success").await?;
                Ok(build)
            }
            Err(fault) => {
                build.status = BuildStatus::Failed;
                build.error = fault.line();
                self.store.put_build(&build).await?;
                self.build_event(&build, "failed").await?;
                Err(fault.at("build").next(format!("its log is kept: swarmdeck describe build {}", build.id)))
            }
        }
    }

    async fn build_event(&self, build: &Build, result: &str) -> Result<()> {
        let what = match result {
            "" => format!("build of {} {} started, commit {}", build.app, build.version, short(&build.commit)),
            "success" => format!("build of {} {} done in {} s", build.app, build.version, (build.ended_ms - build.started_ms) / 1000),
            _ => format!("build of {} {} failed: {}", build.app, build.version, build.error),
        };
        let event = Event {
            at_ms: self.now_ms(),
            kind: "build".into(),
            run: build.id.clone(),
            who: self.who.clone(),
            what,
            place: build.app.clone(),
            result: result.into(),
            ..Event::default()
        };
        self.store.note(&[event], None).await?;
        self.refresh_soon();
        Ok(())
    }

    /// Artifact, compiled config, env, user, limits: sealed under the hash of its content.
    fn release(&self, catalog: &Catalog, entry: &Entry<Swarm>, app: &Entry<App>, build: &Build, version: &str) -> Result<Release> {
        let swarm = &entry.body;
        let procfile = Procfile { entries: build.procfile.clone() };
        let command = procfile.command(&swarm.proc_name).map_err(|fault| fault.at("release"))?.to_string();
        let compiled = merge::compile(&build.env, catalog.ingredients_of(swarm)?.iter().map(|entry| &entry.body), swarm);
        let uptests = build.uptests.get(&swarm.proc_name).cloned().unwrap_or_default();
        if uptests.is_empty() && swarm.no_uptests == NoUptests::Refuse {
            return Err(Fault::refused(format!(
                "{} has no uptests for {} and `no_uptests: refuse` says that it must",
                app.name, swarm.proc_name
            ))
            .at("release")
            .next(format!("add executables in uptests/{}/, or say no_uptests: warn", swarm.proc_name)));
        }
        let release = Release {
            id: String::new(),
            build: build.id.clone(),
            artifact: build.artifact.clone(),
            app: app.name.clone(),
            app_repo_url: crate::model::reference::without_user(&app.body.repo.url),
            app_repo_type: app.body.repo.repo_type,
            version: version.to_string(),
            commit: build.commit.clone(),
            proc_name: swarm.proc_name.clone(),
            config_name: swarm.config_name.clone(),
            command,
            config: compiled.config,
            env: compiled.env,
            volumes: swarm.volumes.clone(),
            run_as: swarm.run_as.clone(),
            mem_limit: swarm.mem_limit,
            memsw_limit: swarm.memsw_limit,
            runtime: "process".into(),
            uptests,
            buildpack_url: build.buildpack_url.clone(),
            buildpack_commit: build.buildpack_commit.clone(),
            created_ms: self.now_ms(),
        }
        .sealed();
        procs::refuse_unkeepable(&release).map_err(|fault| fault.at("release"))?;
        Ok(release)
    }

    #[expect(clippy::too_many_arguments, reason = "each is one fact of the plan")]
    async fn planned(
        &self,
        catalog: &Catalog,
        entry: &Entry<Swarm>,
        request: &DispatchRequest,
        size: u32,
        release: &Release,
        build: &Build,
        reused: bool,
    ) -> Result<Plan> {
        let swarm = &entry.body;
        let hosts = self.without_held(catalog.squad_hosts(&swarm.squad)?).await?;
        if hosts.is_empty() && size > 0 {
            return Err(Fault::refused(format!("squad {} has no hosts", swarm.squad)).at("plan").next("add hosts to it"));
        }
        self.check_users(&hosts, swarm)?;
        let mut world = self.observe(catalog, Some(swarm)).await?;
        self.add_made_and_never_seen(entry, &mut world).await?;
        let running = match self.store.current_run(&entry.id).await? {
            Some(run) => self.store.release(&run.release_id).await?,
            None => None,
        };
        let mut leased = self.leased_ports(&hosts).await?;
        for (host, ports) in &request.taken {
            leased.entry(host.clone()).or_default().extend(ports);
        }
        let indebted = self.indebted().await?;
        let ingredients = catalog.ingredients_of(swarm)?;
        let compiled = merge::compile(&build.env, ingredients.iter().map(|entry| &entry.body), swarm);
        let layer = |file: &str, key: &str| {
            let path: Vec<&str> = key.split('.').collect();
            let origin = if file == "env" { compiled.env_origin(key) } else { compiled.config_origin(&path) };
            origin.map_or_else(|| "earlier release".to_string(), |origin| origin.layer.to_string())
        };
        let former: Vec<(String, String)> =
            self.former_pools(catalog).await?.into_iter().map(|former| (former.balancer, former.pool)).collect();
        let mut plan = plan::make(&Want {
            id: &self.new_id(),
            verb: request.verb(),
            who: &self.who,
            now_ms: self.now_ms(),
            swarm_id: &entry.id,
            swarm_rev: entry.rev,
            swarm,
            size,
            release,
            build,
            build_reused: reused,
            running: running.as_ref(),
            hosts: &hosts,
            world: &world,
            leased: &leased,
            former: &former,
            leave_orphans: request.leave_orphans,
            layer: &layer,
            show: &|key, value| self.shown(key, value),
            replace: request.replace.as_ref().map_or(Replace::None, |replaced| match replaced {
                Replaced::All => Replace::All,
                Replaced::OnHost(host) => Replace::Host(host),
            }),
            indebted: &indebted,
            go_on: request.go_on,
        })?;
        self.refuse_taken(catalog, plan.pool.as_ref()).await?;
        self.refuse_unclaimed(&plan, &world)?;
        self.show_holds(catalog, entry, &mut plan).await?;
        Ok(plan)
    }

    /// As an ordinary user, the local host can run procs only as oneself (issue: Hosts).
    fn check_users(&self, hosts: &[crate::model::entity::Host], swarm: &Swarm) -> Result<()> {
        let local = hosts.iter().any(|host| host.transport == crate::model::entity::Transport::Local);
        if !local || nix::unistd::geteuid().is_root() {
            return Ok(());
        }
        let me = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.name).unwrap_or_default();
        if swarm.run_as == me {
            return Ok(());
        }
        Err(Fault::bad(format!(
            "{} runs as {}, but the local host of an ordinary user can run procs only as {me}",
            swarm.full_name(),
            swarm.run_as
        ))
        .at("plan")
        .next(format!("say run_as: {me}")))
    }

    /// What dispatches of the swarm left on hosts that nobody has seen since ("not seen is never gone").
    pub(super) async fn add_made_and_never_seen(&self, entry: &Entry<Swarm>, world: &mut World) -> Result<()> {
        let all = self.store.dispatches(Some(&entry.id), 1000).await?;
        for dispatch in plan::that_left_procs(&all) {
            let Some(plan) = self.store.kept::<Plan>("plan", &dispatch.id).await? else { continue };
            let whole = Dispatch { steps: self.store.steps(&dispatch.id).await?, ..dispatch.clone() };
            plan::add_made_and_never_seen(world, &plan, &whole, &entry.body.config_name, &entry.name, self.store.installation());
        }
        Ok(())
    }

    /// Ports leased to dispatches under way, by host name.
    async fn leased_ports(&self, hosts: &[crate::model::entity::Host]) -> Result<BTreeMap<String, BTreeSet<u16>>> {
        let leases = self.store.port_leases().await?;
        let of = |host: &crate::model::entity::Host| leases.get(&host.id).map(|ports| (host.name.clone(), ports.keys().copied().collect()));
        Ok(hosts.iter().filter_map(of).collect())
    }
}

/// The first eight characters of an id or commit.
pub(super) fn short(id: &str) -> String {
    id.chars().take(8).collect()
}
