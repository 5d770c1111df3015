//! Lists for `get` and everything about one thing for `describe`: plain values without secrets.

use super::{Catalog, Deck};
use crate::model::document::Kind;
use crate::model::world::{HostState, NodeState, Owner, PoolHost, PoolSeen, ProcState};
use crate::model::{Fault, Result};
use serde_json::{Value, json};

/// What can be listed.
pub const KINDS: [&str; 18] = [
    "procs",
    "swarms",
    "hosts",
    "squads",
    "apps",
    "buildpacks",
    "ingredients",
    "balancers",
    "builds",
    "releases",
    "dispatches",
    "leases",
    "holds",
    "waves",
    "pools",
    "uptests",
    "strays",
    "audit",
];

impl Deck {
    /// Objects of a kind, each one JSON object; `name` narrows to names that hold it.
    pub async fn list(&self, kind: &str, name: Option<&str>) -> Result<Vec<Value>> {
        let catalog = self.catalog().await?;
        if let "proc" | "swarm" | "host" | "balancer" | "pool" | "stray" = kind.strip_suffix('s').unwrap_or(kind) {
            self.observe(&catalog, None).await?;
        }
        if let "swarm" | "stray" = kind.strip_suffix('s').unwrap_or(kind) {
            self.make_look().await?;
        }
        self.rows(&catalog, kind, name).await
    }

    /// [`Deck::list`] of what is known already: nothing is asked.
    pub(super) async fn rows(&self, catalog: &Catalog, kind: &str, name: Option<&str>) -> Result<Vec<Value>> {
        let rows = match kind.strip_suffix('s').unwrap_or(kind) {
            "proc" => self.list_procs().await,
            "swarm" => self.list_swarms(),
            "host" => self.list_hosts(catalog).await?,
            "squad" => catalog.squads.iter().map(|squad| json!({"name": squad.name, "hosts": catalog.squad_hosts(&squad.name).unwrap_or_default().iter().map(|host| host.name.clone()).collect::<Vec<_>>(), "id": squad.id})).collect(),
            "app" => catalog.apps.iter().map(|app| json!({"name": app.name, "repo": crate::model::reference::without_user(&app.body.repo.url), "type": app.body.repo.repo_type, "buildpack": app.body.buildpack, "id": app.id})).collect(),
            "buildpack" => catalog.buildpacks.iter().map(|pack| json!({"name": pack.name, "url": crate::model::reference::without_user(&pack.body.url), "type": pack.body.repo_type, "order": pack.body.order, "id": pack.id})).collect(),
            "ingredient" => catalog.ingredients.iter().map(|entry| json!({"name": entry.name, "config": self.secrets.mask_mapping(&entry.body.config), "env": self.secrets.mask_env(&entry.body.env), "used_by": catalog.users_of(Kind::Ingredient, &entry.name), "id": entry.id})).collect(),
            "balancer" => self.list_balancers(catalog).await,
            "build" => self.store.builds(200).await?.iter().map(|build| json!({"id": build.id, "app": build.app, "version": build.version, "commit": build.commit, "status": build.status.word(), "size": build.size, "artifact": build.artifact, "sandboxed": build.sandboxed, "started_ms": build.started_ms, "ended_ms": build.ended_ms, "error": build.error, "by": build.by})).collect(),
            "release" => self.list_releases(catalog, name).await?,
            "dispatche" | "dispatch" => self.list_dispatches().await?,
            "lease" => self.store.leases().await?.iter().map(|lease| json!({"name": lease.name, "who": lease.who, "why": lease.why, "step": lease.step, "beat": lease.beat, "epoch": lease.epoch})).collect(),
            "hold" => self.list_holds().await?,
            "wave" => self.list_waves().await?,
            "pool" => self.pool_rows().await,
            "uptest" => self.uptest_runs(&[]).await?.iter().map(|run| json!({"id": run.id, "swarm": run.swarm, "who": run.who, "at_ms": run.at_ms, "passed": run.reports.len() - run.failed(), "failed": run.failed(), "reports": run.reports})).collect(),
            "stray" => self.look().strays.iter().map(|stray| json!(stray)).collect(),
            "audit" => self.audit(&super::past::AuditWanted::default(), 1000).await?.iter().map(|line| json!(line)).collect(),
            _ => return Err(Fault::bad(format!("there is nothing called '{kind}' to list")).next(format!("one of: {}", KINDS.join(", ")))),
        };
        let wanted = |row: &Value| match name {
            None => true,
            Some(name) if kind.starts_with("release") => !name.is_empty(),
            Some(name) => ["name", "swarm", "id", "host", "app", "number", "object", "pool", "place"]
                .iter()
                .any(|key| row.get(key).is_some_and(|value| as_text(value).contains(name))),
        };
        Ok(rows.into_iter().filter(wanted).collect())
    }

    async fn list_procs(&self) -> Vec<Value> {
        let world = self.last_world().await;
        let mut rows = Vec::new();
        for host in world.hosts.values() {
            let reached = !matches!(host.state, HostState::Unreachable(_) | HostState::Unseen);
            for proc in &host.procs {
                let installation = proc.stamp.as_ref().map(|stamp| stamp.installation.clone()).or_else(|| proc.foreign_of.clone());
                rows.push(json!({
                    "host": proc.host, "name": proc.name, "app": proc.app, "version": proc.version, "config": proc.config,
                    "release": proc.release, "proc": proc.proc, "port": proc.port,
                    "state": if reached { proc.state.word() } else { ProcState::Unknown.word() },
                    "pid": proc.pid, "swarm": proc.swarm, "owner": proc.owner.word(), "routed": proc.routed, "installation": installation,
                    "host_state": if reached { "ok" } else { "unreachable" }, "seen_ms": host.seen_ms,
                }));
            }
        }
        rows
    }

    fn list_swarms(&self) -> Vec<Value> {
        let look = self.look();
        look.swarms
            .iter()
            .map(|swarm| {
                json!({
                    "name": swarm.name, "state": swarm.state.word(), "ready": swarm.ready, "size": swarm.size, "version": swarm.version,
                    "running": swarm.running, "release": swarm.release, "not_live_yet": swarm.not_live,
                    "held": swarm.held.iter().map(|hold| hold.name.clone()).collect::<Vec<_>>(), "pool": swarm.pool, "balancer": swarm.balancer,
                    "last_ms": swarm.last_ms, "id": swarm.id,
                })
            })
            .collect()
    }

    async fn list_hosts(&self, catalog: &Catalog) -> Result<Vec<Value>> {
        let world = self.last_world().await;
        let mut rows = Vec::new();
        for host in catalog.hosts()? {
            let Some(seen) = world.hosts.get(&host.name) else { continue };
            let (state, reason) = match &seen.state {
                HostState::Ok => ("ok", String::new()),
                HostState::Degraded(why) => ("degraded", why.clone()),
                HostState::Unreachable(why) => ("unreachable", why.clone()),
                HostState::Unseen => ("unseen", String::new()),
            };
            let count = |owner: Owner| seen.procs.iter().filter(|proc| proc.owner == owner).count();
            rows.push(json!({
                "name": host.name, "squad": host.squad, "state": state, "reason": reason, "active": host.active, "procs": count(Owner::Ours),
                "orphans": count(Owner::Orphan), "foreign": count(Owner::Foreign), "load": seen.load, "memory_free": seen.memory_free,
                "disk_free": seen.disk_free, "installation": seen.installation, "address": seen.address, "seen_ms": seen.seen_ms, "id": host.id,
            }));
        }
        Ok(rows)
    }

    async fn list_balancers(&self, catalog: &Catalog) -> Vec<Value> {
        let world = self.last_world().await;
        let mut rows = Vec::new();
        for entry in &catalog.balancers {
            let pools: Vec<Value> = world
                .pools
                .iter()
                .filter(|pool| pool.balancer == entry.name)
                .map(|pool| json!({"pool": pool.pool, "nodes": pool.nodes, "trouble": pool.trouble, "hosts": pool_hosts(pool)}))
                .collect();
            rows.push(json!({"name": entry.name, "backend": entry.body.backend, "pools": pools, "id": entry.id}));
        }
        rows
    }

    /// Every pool, a line for each of its balancer hosts.
    pub async fn list_pools(&self) -> Result<Vec<Value>> {
        self.observe(&self.catalog().await?, None).await?;
        Ok(self.pool_rows().await)
    }

    async fn pool_rows(&self) -> Vec<Value> {
        let world = self.last_world().await;
        let rows = world.pools.iter().flat_map(|pool| {
            let mut hosts = pool_hosts(pool);
            if hosts.is_empty() {
                hosts.push(json!({"host": null, "state": pool.trouble.first()}));
            }
            hosts.into_iter().map(|mut host| {
                if let Value::Object(line) = &mut host {
                    line.shift_insert(0, "balancer".into(), json!(pool.balancer));
                    line.shift_insert(1, "pool".into(), json!(pool.pool));
                }
                host
            })
        });
        rows.collect()
    }

    async fn list_releases(&self, catalog: &Catalog, swarm: Option<&str>) -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        for entry in &catalog.swarms {
            if swarm.is_some_and(|wanted| !entry.name.contains(wanted)) {
                continue;
            }
            let current = self.store.current_run(&entry.id).await?.map(|run| run.release_id);
            for release in self.store.releases_of(&entry.id, 20).await? {
                rows.push(json!({
                    "swarm": entry.name, "id": release.id, "version": release.version, "commit": release.commit, "build": release.build,
                    "current": current.as_deref() == Some(&release.id), "created_ms": release.created_ms,
                }));
            }
        }
        Ok(rows)
    }

    async fn list_holds(&self) -> Result<Vec<Value>> {
        let all = self.holds().await?;
        Ok(all
            .iter()
            .map(|hold| {
                json!({
                    "name": hold.name, "on": hold.on, "object": hold.object, "who": hold.who, "why": hold.why, "since_ms": hold.since_ms,
                    "until_ms": hold.until_ms, "id": hold.id,
                })
            })
            .collect())
    }

    async fn list_dispatches(&self) -> Result<Vec<Value>> {
        let mut all = self.store.dispatches(None, 200).await?;
        let mut waits = std::collections::BTreeMap::new();
        for dispatch in all.iter_mut().filter(|dispatch| dispatch.outcome.is_none()) {
            dispatch.steps = self.store.steps(&dispatch.id).await?;
            if let Some(waiting) = self.waiting(dispatch).await {
                waits.insert(dispatch.number, waiting.json(self.now_ms()));
            }
        }
        Ok(all
            .iter()
            .map(|dispatch| {
                json!({
                    "number": dispatch.number, "swarm": dispatch.swarm, "verb": dispatch.verb, "version": dispatch.to_version, "who": dispatch.who,
                    "why": dispatch.why, "phase": dispatch.phase.word(), "result": dispatch.outcome.map_or("under way", |outcome| outcome.word()),
                    "started_ms": dispatch.started_ms, "ended_ms": dispatch.ended_ms, "waiting": waits.get(&dispatch.number), "id": dispatch.id,
                })
            })
            .collect())
    }

    /// Everything about one thing, as one JSON object.
    pub async fn describe(&self, kind: &str, name: &str) -> Result<Value> {
        let catalog = self.catalog().await?;
        match kind.strip_suffix('s').unwrap_or(kind) {
            "dispatch" | "dispatche" => {
                let dispatch = self.dispatch_named(name).await?;
                let plan = self.stored_plan(&dispatch.id).await.ok();
                let events = self.store.events_of(&dispatch.id, 1000).await?;
                let waiting = self.waiting(&dispatch).await.map(|waiting| waiting.json(self.now_ms()));
                return Ok(json!({"dispatch": dispatch, "waiting": waiting, "plan": plan, "events": events}));
            }
            "build" => {
                let all = self.store.builds(1000).await?;
                let build = all.iter().find(|build| build.id.starts_with(name)).ok_or_else(|| super::unknown("build", name, "builds"))?;
                let log = tokio::fs::read_to_string(self.build_log_path(&build.id)).await.unwrap_or_default();
                let log = crate::model::shown::without_colour(&log);
                let build = crate::model::release::Build { env: self.secrets.mask_env(&build.env), ..build.clone() };
                return Ok(json!({"build": build, "log": log.lines().collect::<Vec<_>>()}));
            }
            "release" => {
                let release = self.store.release(name).await?.ok_or_else(|| super::unknown("release", name, "releases"))?;
                let (config, env) = (self.secrets.mask_mapping(&release.config), self.secrets.mask_env(&release.env));
                let shown = crate::model::release::Release { config, env, ..release };
                return serde_json::to_value(&shown).map_err(|error| Fault::failed(error.to_string()));
            }
            "proc" => {
                let rows = self.list("procs", Some(name)).await?;
                let mut row = named(rows, name).ok_or_else(|| super::unknown("proc", name, "procs"))?;
                let of = |key: &str| row.get(key).map(as_text).unwrap_or_default();
                let swarm = catalog.swarm(&of("swarm")).map(|entry| entry.id.clone()).unwrap_or_default();
                let lives = self.lives(&swarm, &of("host"), &of("name")).await?;
                if let Value::Object(row) = &mut row {
                    row.insert("lives".into(), json!(lives));
                }
                return Ok(row);
            }
            "host" => {
                let rows = self.list("hosts", Some(name)).await?;
                return named(rows, name).ok_or_else(|| super::unknown("host", name, "hosts"));
            }
            _ => {}
        }
        if let "pool" | "uptest" | "stray" | "hold" | "wave" | "audit" | "lease" = kind.strip_suffix('s').unwrap_or(kind) {
            let list = format!("{}s", kind.strip_suffix('s').unwrap_or(kind));
            let list = if list == "audits" { "audit" } else { list.as_str() };
            let rows = self.list(list, None).await?;
            let keys = ["name", "pool", "id", "number", "seq", "swarm"];
            let is = |row: &Value| keys.iter().any(|key| row.get(key).is_some_and(|value| as_text(value) == name));
            let mut found: Vec<Value> = rows.into_iter().filter(is).collect();
            return match found.len() {
                0 => Err(super::unknown(kind, name, list)),
                1 => Ok(found.swap_remove(0)),
                _ => Ok(Value::Array(found)),
            };
        }
        let Some(kind) = Kind::from_word(kind) else {
            return Err(Fault::bad(format!("there is nothing called '{kind}' to describe")).next(format!("one of: {}", KINDS.join(", "))));
        };
        let name = if kind == Kind::Swarm { catalog.swarm(name)?.name.clone() } else { name.to_string() };
        let Some((id, name, rev, text)) = catalog.head(kind, None, &name) else {
            return Err(super::unknown(kind.word(), &name, kind.section()));
        };
        let history: Vec<Value> = self
            .store
            .versions(id)
            .await?
            .iter()
            .take(10)
            .map(|version| json!({"rev": version.object.rev, "by": version.object.changed_by, "at_ms": version.object.changed_ms, "why": version.why}))
            .collect();
        if kind == Kind::Balancer {
            let world = self.observe(&catalog, None).await?;
            let of = |pool: &&PoolSeen| pool.balancer == name;
            let pools: Vec<Value> = world
                .pools
                .iter()
                .filter(of)
                .map(|pool| json!({"pool": pool.pool, "nodes": pool.nodes, "trouble": pool.trouble, "hosts": pool_hosts(pool)}))
                .collect();
            return Ok(json!({"kind": kind.word(), "name": name, "id": id, "rev": rev, "text": self.masked_yaml(text),
                "used_by": catalog.users_of(kind, name), "pools": pools, "history": history}));
        }
        Ok(
            json!({"kind": kind.word(), "name": name, "id": id, "rev": rev, "text": self.masked_yaml(text), "used_by": catalog.users_of(kind, name), "history": history}),
        )
    }

    /// Where a build's log is.
    pub(super) fn build_log_path(&self, id: &str) -> std::path::PathBuf {
        self.home.path.join("logs").join(format!("build-{id}.log"))
    }
}

/// A pool on each host of its balancer: its state in words, its nodes with state and connections, and what was edited by hand.
fn pool_hosts(pool: &PoolSeen) -> Vec<Value> {
    let line = |host: &PoolHost| {
        let of = |wanted: NodeState| host.nodes.iter().filter(|(_, state)| **state == wanted).count();
        let state = match host {
            PoolHost { away: Some(why), .. } => format!("away: {why}"),
            PoolHost { owed: Some(what), .. } => format!("does not count: {what}"),
            PoolHost { edited_by_hand: Some(edit), .. } => format!("edited by hand: {}", edit.what),
            _ => "ok".into(),
        };
        let nodes: Vec<Value> = host
            .nodes
            .iter()
            .map(|(node, state)| json!({"node": node, "state": state.word(), "connections": host.connections.get(node)}))
            .collect();
        let connections = (!host.connections.is_empty()).then(|| host.connections.values().sum::<u32>());
        json!({
            "host": host.host, "state": state, "up": of(NodeState::Up), "draining": of(NodeState::Draining), "down": of(NodeState::Down),
            "connections": connections, "nodes": nodes, "difference": host.edited_by_hand.as_ref().map(|edit| edit.difference.clone()),
        })
    };
    pool.hosts.iter().map(line).collect()
}

/// The row of exactly this name, else the first whose name holds it.
fn named(mut rows: Vec<Value>, name: &str) -> Option<Value> {
    let at = rows.iter().position(|row| row.get("name").is_some_and(|value| value == name)).unwrap_or(0);
    (at < rows.len()).then(|| rows.swap_remove(at))
}

/// A JSON value as one cell of a table.
pub fn as_text(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) if text.is_empty() => "-".into(),
        Value::String(text) => text.clone(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
        Value::Array(items) => items.iter().map(as_text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
