//! Makes the look: one snapshot of everything for faces, made anew when the store, the world or a dispatch changes.

use super::look::{BuildLook, IngredientLook, Look, Need, SwarmLook, SwarmState, Target};
use super::{Catalog, Deck, Entry, locked};
use crate::model::entity::Swarm;
use crate::model::hold::{self, Hold, HoldOn};
use crate::model::merge;
use crate::model::record::{Dispatch, Event, Outcome};
use crate::model::release::Release;
use crate::model::stray::{Stray, StrayKind};
use crate::model::world::{HostState, Owner, Proc, ProcState, World};
use crate::model::{FaultKind, Result};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How many of each list a look holds.
const BUILDS: i64 = 200;
const DISPATCHES: i64 = 200;
const EVENTS: i64 = 1000;
/// How long changes are gathered before the look is made anew.
const BURST: Duration = Duration::from_millis(50);
/// How often dispatches are looked for whose process died.
const LEFT: Duration = Duration::from_secs(30);
/// Every how many of those rounds what is old is forgotten: an hour.
const SWEEP: u32 = 120;

impl Deck {
    /// The newest look.
    pub fn look(&self) -> Arc<Look> {
        self.look.borrow().clone()
    }

    /// The version of the newest look.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Starts what keeps the look fresh while a console is open: polling, and making it anew. Ends with the process.
    pub async fn keep_looking(&self) -> Result<()> {
        self.read_seen().await?;
        self.make_look().await?;
        let deck = self.clone();
        tokio::spawn(async move {
            let mut store = deck.store.changes();
            loop {
                tokio::select! {
                    () = store.changed() => {}
                    () = deck.bell.notified() => {}
                }
                // Changes come in bursts; one look is enough for a burst.
                tokio::time::sleep(BURST).await;
                // A store that cannot be read now is asked again at the next change; the screen keeps what it has.
                deck.make_look().await.ok();
            }
        });
        let deck = self.clone();
        tokio::spawn(async move {
            // One that lives is refused as held and asked again; a store that cannot be read now is read next time.
            let mut rounds = 0u32;
            while deck.store.look_only().is_none() {
                deck.carry_on().await.ok();
                if rounds.is_multiple_of(SWEEP) {
                    deck.sweep().await.ok();
                }
                rounds = rounds.wrapping_add(1);
                tokio::time::sleep(LEFT).await;
            }
        });
        tokio::spawn(self.clone().keep_observing());
        Ok(())
    }

    /// Shows what the hosts say of themselves now, where nothing changed that the rest of the look is made from.
    pub(super) async fn show_world(&self) {
        let world = self.last_world().await;
        let version = *self.version.borrow() + 1;
        let look = Look { version, now_ms: self.now_ms(), world, ..Look::clone(&self.look()) };
        self.look.send_replace(Arc::new(look));
        self.version.send_replace(version);
    }

    /// Makes the look anew.
    pub async fn make_look(&self) -> Result<()> {
        let catalog = Arc::new(self.catalog().await?);
        *locked(&self.known) = Arc::clone(&catalog);
        let world = self.last_world().await;
        let old = self.look();
        let mut dispatches = self.store.dispatches(None, DISPATCHES).await?;
        for dispatch in dispatches.iter_mut().take(20) {
            // The steps of one that has ended do not change any more.
            let ended = |known: &&Dispatch| known.id == dispatch.id && known.outcome == dispatch.outcome && known.ended_ms > 0;
            dispatch.steps = match old.dispatches.iter().find(ended) {
                Some(known) => known.steps.clone(),
                None => self.store.steps(&dispatch.id).await?,
            };
        }
        self.add_attended(&mut dispatches).await?;
        dispatches.sort_by_key(|dispatch| (dispatch.outcome.is_some(), -dispatch.number));
        let events = self.newest_events(&old).await?;
        let holds = self.holds().await?;
        let lists = Arc::new(self.lists(&catalog, &dispatches, &old).await?);
        let habits = self.habits().await?;
        let mut waits = std::collections::BTreeMap::new();
        for dispatch in dispatches.iter().filter(|dispatch| dispatch.outcome.is_none()) {
            if let Some(waiting) = self.waiting(dispatch).await {
                waits.insert(dispatch.id.clone(), waiting);
            }
        }
        let mut swarms = Vec::new();
        for entry in &catalog.swarms {
            let mut swarm = self.swarm_look(&catalog, entry, &world, &dispatches).await?;
            let squad = super::hold::squad_id(&catalog, &entry.body.squad);
            swarm.held = hold::over_swarm(&holds, &entry.id, &squad, self.now_ms()).into_iter().cloned().collect();
            swarms.push(swarm);
        }
        let ingredients = catalog.ingredients.iter().map(|entry| IngredientLook {
            id: entry.id.clone(),
            name: entry.name.clone(),
            keys: entry.body.config.len() + entry.body.env.len(),
            used_by: catalog
                .swarms
                .iter()
                .filter(|swarm| swarm.body.ingredients.contains(&entry.name))
                .map(|swarm| swarm.name.clone())
                .collect(),
            changed_ms: entry.changed_ms,
            who_changed: entry.changed_by.clone(),
        });
        let builds = self.store.builds(BUILDS).await?.into_iter().map(|build| BuildLook { status: build.status, build });
        let strays = self.strays_in(&catalog, &world).await?;
        let mut needs = needs(&swarms, &dispatches, &world, &strays, &holds);
        let kept = self.kept_cancels();
        for dispatch in dispatches.iter().filter(|dispatch| kept.contains(&dispatch.id)) {
            let need = Need {
                glyph: '!',
                object: dispatch.swarm.split('@').next().unwrap_or_default().to_string(),
                target: Target::Dispatch(dispatch.id.clone()),
                text: format!("dispatch {}: its cancel is kept here till the store can be written; leave this open", dispatch.number),
                since_ms: dispatch.started_ms,
            };
            needs.insert(0, need);
        }
        let version = *self.version.borrow() + 1;
        let look = Look {
            version,
            now_ms: self.now_ms(),
            fleet: self.fleet_name(),
            who: self.who.clone(),
            writing: self.writing(),
            times: locked(&self.times).clone(),
            protection: Arc::new(self.protection_in(&catalog)?),
            hosts: catalog.hosts()?,
            needs,
            strays,
            holds,
            lists,
            habits,
            waits,
            carried: self.carrying().into_iter().collect(),
            last_event: events.first().map_or(0, |event| event.seq),
            ingredients: ingredients.collect(),
            builds: builds.collect(),
            swarms,
            world,
            dispatches,
            events: Arc::new(events),
            squads: catalog.squads.iter().map(|entry| entry.body.clone()).collect(),
            apps: catalog.apps.iter().map(|entry| entry.body.clone()).collect(),
            buildpacks: catalog.buildpacks.iter().map(|entry| entry.body.clone()).collect(),
            balancers: catalog.balancers.iter().map(|entry| entry.body.clone()).collect(),
            hints: locked(&self.hints).clone(),
        };
        self.look.send_replace(Arc::new(look));
        self.version.send_replace(version);
        Ok(())
    }

    /// The newest events, newest first; only those that came since the last look are read.
    async fn newest_events(&self, old: &Look) -> Result<Vec<Event>> {
        let most = usize::try_from(EVENTS).unwrap_or(usize::MAX);
        let mut events = if old.last_event > 0 { self.store.events_after(old.last_event, EVENTS).await? } else { Vec::new() };
        if old.last_event == 0 || events.len() >= most {
            events = self.store.events_latest(EVENTS).await?;
            events.reverse();
            return Ok(events);
        }
        events.reverse();
        events.extend(old.events.iter().take(most - events.len()).cloned());
        Ok(events)
    }

    /// Carries on what a process left that died: DESIGN promise 2. What an operator stopped waits for an operator.
    async fn carry_on(&self) -> Result<()> {
        for dispatch in self.store.open_dispatches().await?.iter().filter(|dispatch| dispatch.outcome.is_none()) {
            if !self.carrying().contains(&dispatch.id)
                && let Ok(carried) = self.resume(dispatch, None).await
            {
                carried.done.await.ok();
            }
        }
        self.pay_pools().await.map(drop)
    }

    pub(super) async fn swarm_look(
        &self,
        catalog: &Catalog,
        entry: &Entry<Swarm>,
        world: &World,
        dispatches: &[Dispatch],
    ) -> Result<SwarmLook> {
        let swarm = &entry.body;
        let run = self.store.current_run(&entry.id).await?;
        let release = match &run {
            Some(run) => self.known_release(&run.release_id).await?,
            None => None,
        };
        let procs: Vec<&Proc> = world
            .procs()
            .filter(|proc| proc.owner == Owner::Ours && proc.stamp.as_ref().is_some_and(|stamp| stamp.swarm == entry.id))
            .collect();
        let open = dispatches.iter().find(|dispatch| dispatch.swarm_id == entry.id && dispatch.outcome.is_none());
        let running =
            |proc: &&&Proc| proc.state == ProcState::Running && release.as_ref().is_some_and(|release| proc.release == release.id);
        let ready = procs.iter().filter(running).count();
        let state = if open.is_some() {
            SwarmState::Moving
        } else if run.is_none() {
            SwarmState::New
        } else if swarm.size == 0 && procs.is_empty() {
            SwarmState::Off
        } else if procs.iter().any(|proc| proc.state.is_bad()) {
            SwarmState::Failing
        } else if procs.iter().any(|proc| proc.state == ProcState::Unknown) {
            SwarmState::Lost
        } else if ready < swarm.size as usize {
            SwarmState::Short
        } else {
            SwarmState::Ok
        };
        let not_live = match (open, &release) {
            (Some(open), _) => format!("dispatch {}", open.number),
            (None, None) => String::new(),
            (None, Some(release)) => self.not_live(catalog, swarm, release).await?,
        };
        let last = dispatches
            .iter()
            .filter(|dispatch| dispatch.swarm_id == entry.id)
            .map(|dispatch| dispatch.ended_ms.max(dispatch.started_ms))
            .max();
        Ok(SwarmLook {
            id: entry.id.clone(),
            name: entry.name.clone(),
            short: swarm.short_name(),
            app: swarm.app.clone(),
            config_name: swarm.config_name.clone(),
            proc_name: swarm.proc_name.clone(),
            squad: swarm.squad.clone(),
            size: swarm.size,
            version: swarm.version.clone(),
            running: release.as_ref().map(|release| release.version.clone()).unwrap_or_default(),
            release: release.as_ref().map(|release| release.id.clone()).unwrap_or_default(),
            pool: swarm.pool.clone().unwrap_or_default(),
            balancer: swarm.balancer.clone().unwrap_or_default(),
            ingredients: swarm.ingredients.clone(),
            state,
            ready: u32::try_from(ready).unwrap_or(u32::MAX),
            procs: procs.iter().map(|proc| (proc.host.clone(), proc.name.clone())).collect(),
            not_live,
            held: Vec::new(),
            last_ms: last.unwrap_or(0).max(run.map_or(0, |run| run.at_ms)),
            dispatch: open.map(|open| open.id.clone()).unwrap_or_default(),
            who_changed: entry.changed_by.clone(),
            changed_ms: entry.changed_ms,
        })
    }

    /// What is saved but does not run, in a few words.
    async fn not_live(&self, catalog: &Catalog, swarm: &Swarm, release: &Release) -> Result<String> {
        if (&swarm.app, &swarm.config_name, &swarm.proc_name) != (&release.app, &release.config_name, &release.proc_name) {
            return Ok(format!("was {}-{}-{}", release.app, release.config_name, release.proc_name));
        }
        if swarm.version != release.version {
            return Ok(format!("version {}", swarm.version));
        }
        let env = match self.store.build(&release.build).await? {
            Some(build) => build.env,
            None => Default::default(),
        };
        let ingredients = match catalog.ingredients_of(swarm) {
            Ok(ingredients) => ingredients,
            Err(fault) if fault.kind == FaultKind::BadInput => return Ok(fault.what),
            Err(fault) => return Err(fault),
        };
        let compiled = merge::compile(&env, ingredients.iter().map(|entry| &entry.body), swarm);
        let mut own = 0;
        let mut others: Vec<String> = Vec::new();
        let mut count = |origin: Option<String>| match origin {
            Some(layer) if layer == "swarm" => own += 1,
            Some(layer) => others.push(layer),
            None => own += 1,
        };
        let keys: std::collections::BTreeSet<&String> = compiled.config.keys().chain(release.config.keys()).collect();
        for key in keys.into_iter().filter(|key| compiled.config.get(*key) != release.config.get(*key)) {
            count(compiled.config_origin(&[key.as_str()]).map(|origin| origin.layer.to_string()));
        }
        let keys: std::collections::BTreeSet<&String> = compiled.env.keys().chain(release.env.keys()).collect();
        for key in keys.into_iter().filter(|key| compiled.env.get(*key) != release.env.get(*key)) {
            count(compiled.env_origin(key).map(|origin| origin.layer.to_string()));
        }
        Ok(match (own, others.first()) {
            (0, None) => String::new(),
            (0, Some(layer)) => layer.clone(),
            (1, _) => "1 edit".into(),
            (n, _) => format!("{n} edits"),
        })
    }

    /// Releases never change, so each is read once.
    pub(super) async fn known_release(&self, id: &str) -> Result<Option<Arc<Release>>> {
        let known: Option<Arc<Release>> = locked(&self.releases).get(id).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let read = self.store.release(id).await?.map(Arc::new);
        if let Some(release) = &read {
            let mut releases: std::sync::MutexGuard<'_, HashMap<String, Arc<Release>>> = locked(&self.releases);
            releases.insert(id.to_string(), Arc::clone(release));
        }
        Ok(read)
    }
}

/// What needs the operator, worst first.
fn needs(swarms: &[SwarmLook], dispatches: &[Dispatch], world: &World, strays: &[Stray], holds: &[Hold]) -> Vec<Need> {
    let mut all = Vec::new();
    for swarm in swarms.iter().filter(|swarm| matches!(swarm.state, SwarmState::Failing | SwarmState::Short)) {
        let bad = swarm.procs.iter().filter_map(|(host, name)| world.hosts.get(host)?.procs.iter().find(|proc| &proc.name == name));
        let bad: Vec<&Proc> = bad.filter(|proc| proc.state.is_bad()).collect();
        let text = match bad.first() {
            Some(proc) => format!("{} of {} procs {}: {}", bad.len(), swarm.size, proc.state.word(), proc.description),
            None => format!("{} of {} procs run", swarm.ready, swarm.size),
        };
        all.push(Need { glyph: '!', object: swarm.short.clone(), target: Target::Swarm(swarm.id.clone()), text, since_ms: swarm.last_ms });
    }
    for dispatch in dispatches.iter().filter(|dispatch| dispatch.outcome == Some(Outcome::Interrupted)) {
        let short = dispatch.swarm.split('@').next().unwrap_or_default().to_string();
        let text = format!("dispatch {} by {} was interrupted at {}; .y resumes it", dispatch.number, dispatch.who, dispatch.phase.word());
        all.push(Need { glyph: '!', object: short, target: Target::Dispatch(dispatch.id.clone()), text, since_ms: dispatch.started_ms });
    }
    for host in world.hosts.values() {
        let (glyph, text) = match &host.state {
            HostState::Unreachable(why) if host.procs.is_empty() => ('?', format!("unreachable: {why}")),
            HostState::Unreachable(why) => ('?', format!("unreachable, its {} procs not seen: {why}", host.procs.len())),
            HostState::Degraded(why) => ('!', why.clone()),
            HostState::Ok | HostState::Unseen => continue,
        };
        all.push(Need { glyph, object: host.name.clone(), target: Target::Host(host.name.clone()), text, since_ms: host.seen_ms });
    }
    for dispatch in dispatches.iter().filter(|dispatch| dispatch.outcome.is_none()) {
        let short = dispatch.swarm.split('@').next().unwrap_or_default().to_string();
        let text = format!(
            "dispatch {} by {}: {}",
            dispatch.number,
            dispatch.who,
            if dispatch.undoing { "being undone" } else { dispatch.phase.word() }
        );
        all.push(Need { glyph: '~', object: short, target: Target::Dispatch(dispatch.id.clone()), text, since_ms: dispatch.started_ms });
    }
    all.extend(super::pools::needs(swarms, world));
    for hold in holds {
        let target = match hold.on {
            HoldOn::Swarm => Target::Swarm(hold.id.clone()),
            HoldOn::Squad => Target::Squad(hold.object.clone()),
            HoldOn::Host => Target::Host(hold.object.clone()),
            HoldOn::Fleet => Target::Nothing,
        };
        let object = hold.object.split('@').next().unwrap_or_default().to_string();
        let text = format!("HELD by {}, {}: {}", hold.who, hold.name, hold.why);
        all.push(Need { glyph: '.', object, target, text, since_ms: hold.since_ms });
    }
    let trouble: Vec<&Stray> = strays.iter().filter(|stray| !stray.ignored).collect();
    if !trouble.is_empty() {
        let counts = StrayKind::ALL.map(|kind| (kind.word(), trouble.iter().filter(|stray| stray.kind == kind).count()));
        let text: Vec<String> = counts.iter().filter(|(_, n)| *n > 0).map(|(word, n)| format!("{n} {word}")).collect();
        let object = format!("{} strays", trouble.len());
        all.push(Need { glyph: '.', object, target: Target::Strays, text: text.join(", "), since_ms: 0 });
    }
    all
}
