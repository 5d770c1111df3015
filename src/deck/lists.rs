//! Lists of a look beside the fleet itself: releases, waves, uptest runs, audit, restarts, debts, who saved what. Plain data, and how it is made.

use super::look::Look;
use super::proc_verbs::UptestReport;
use super::{Catalog, Deck, Entry, locked};
use crate::model::Result;
use crate::model::document::Kind;
use crate::model::record::{Audit, Debt, Dispatch, Event};
use crate::model::wave::{self, State, Wave};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How many of each a look holds.
const RUNS: i64 = 1000;
const AUDIT: i64 = 1000;
/// How many deleted objects.
const DELETED: i64 = 200;
/// How many uptest runs are kept.
const UPTESTS: usize = 200;
/// The kind under which they are kept.
const UPTEST_RUN: &str = "uptest run";
/// How long the number of restarts may be old, ms: counting reads every life that is kept.
const COUNTED_FOR: i64 = 30_000;
/// How many dispatches of the past are looked at at once.
const ATTENDED: usize = 8;

/// What a look holds beside the fleet.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    /// Who saved an object last, by the object's id.
    pub saved: BTreeMap<String, Saved>,
    /// What each swarm came to run, newest first, each release of a swarm once.
    pub releases: Vec<ReleaseLook>,
    /// Newest first.
    pub waves: Vec<WaveLook>,
    /// Newest first.
    pub uptests: Vec<UptestRun>,
    /// Newest first, the last 1,000.
    pub audit: Vec<Audit>,
    /// What was deleted and is not there again, newest first.
    pub deleted: Vec<Deleted>,
    /// The versions (id and revision) that ended objects: what was written after one has no way back to it.
    pub ends: BTreeSet<(String, i64)>,
    /// How often a proc ended and was there again, by `host/proc`; only those that did.
    pub restarts: BTreeMap<String, u32>,
    /// When they were counted, ms.
    pub counted_ms: i64,
    /// What is owed to hosts and pools, by the place's name, each with the dispatch's number.
    pub debts: BTreeMap<String, Vec<(i64, Debt)>>,
    /// Events of dispatches of the past that somebody looks at, oldest first, by the dispatch's id.
    pub past: BTreeMap<String, Vec<Event>>,
}

/// An object that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    pub id: String,
    pub kind: Kind,
    pub name: String,
    /// The revision that ended it; the one before it is what it was.
    pub rev: i64,
    pub who: String,
    pub at_ms: i64,
    pub why: String,
}

/// The last save of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    pub kind: Kind,
    pub name: String,
    pub rev: i64,
    pub who: String,
    pub at_ms: i64,
}

/// A release that a swarm ran or runs; without values, which may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseLook {
    pub swarm_id: String,
    pub id: String,
    pub version: String,
    pub commit: String,
    pub build: String,
    pub config_keys: usize,
    pub env_keys: usize,
    /// Whether the swarm runs it now.
    pub current: bool,
    /// The dispatch that made it live, and when.
    pub dispatch: String,
    pub at_ms: i64,
    /// When it was made, ms.
    pub created_ms: i64,
}

/// A wave with how far each member is.
#[derive(Debug, Clone)]
pub struct WaveLook {
    pub wave: Wave,
    /// One per member.
    pub states: Vec<State>,
    /// The whole in one word or two.
    pub word: &'static str,
}

/// One run of a swarm's uptests by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UptestRun {
    pub id: String,
    pub swarm_id: String,
    pub swarm: String,
    pub who: String,
    pub at_ms: i64,
    pub reports: Vec<UptestReport>,
}

impl UptestRun {
    pub fn failed(&self) -> usize {
        self.reports.iter().filter(|report| !report.passed).count()
    }
}

impl Deck {
    /// The lists, with what did not change taken from the look before.
    pub(super) async fn lists(&self, catalog: &Catalog, dispatches: &[Dispatch], old: &Look) -> Result<Lists> {
        let now_ms = self.now_ms();
        let (restarts, counted_ms) = match now_ms - old.lists.counted_ms < COUNTED_FOR {
            true => (old.lists.restarts.clone(), old.lists.counted_ms),
            false => (self.restarts().await?, now_ms),
        };
        let mut debts: BTreeMap<String, Vec<(i64, Debt)>> = BTreeMap::new();
        for dispatch in self.store.owing_dispatches().await? {
            for debt in dispatch.debts {
                debts.entry(debt.host.clone()).or_default().push((dispatch.number, debt));
            }
        }
        let mut past = BTreeMap::new();
        let attended: Vec<String> = locked(&self.attended).iter().cloned().collect();
        for id in attended {
            past.insert(id.clone(), self.store.events_of(&id, RUNS).await?);
        }
        let audit = self.newest_audit(&old.lists.audit).await?;
        // Whatever is deleted or written again has an audit line.
        let quiet = audit.first().map(|line| line.seq) == old.lists.audit.first().map(|line| line.seq) && !audit.is_empty();
        let (deleted, ends) = if quiet { (old.lists.deleted.clone(), old.lists.ends.clone()) } else { self.deleted_looks(catalog).await? };
        Ok(Lists {
            deleted,
            ends,
            saved: saved(catalog),
            releases: self.release_looks().await?,
            waves: self.wave_looks(dispatches, &old.lists.waves).await?,
            uptests: self.uptest_runs(&old.lists.uptests).await?,
            audit,
            restarts,
            counted_ms,
            debts,
            past,
        })
    }

    /// A dispatch of the past is looked at: looks hold its steps and events from now on.
    pub fn attend(&self, dispatch: &str) {
        let mut attended = locked(&self.attended);
        attended.retain(|id| id != dispatch);
        attended.push_back(dispatch.to_string());
        if attended.len() > ATTENDED {
            attended.pop_front();
        }
        drop(attended);
        self.refresh_soon();
    }

    /// Puts the dispatches that are looked at among the others, with their steps.
    pub(super) async fn add_attended(&self, dispatches: &mut Vec<Dispatch>) -> Result<()> {
        let attended: Vec<String> = locked(&self.attended).iter().cloned().collect();
        for id in attended {
            if !dispatches.iter().any(|dispatch| dispatch.id == id) {
                dispatches.extend(self.store.dispatch(&id).await?);
            }
            if let Some(dispatch) = dispatches.iter_mut().find(|dispatch| dispatch.id == id && dispatch.steps.is_empty()) {
                dispatch.steps = self.store.steps(&id).await?;
            }
        }
        Ok(())
    }

    async fn release_looks(&self) -> Result<Vec<ReleaseLook>> {
        let mut all: Vec<ReleaseLook> = Vec::new();
        let mut known: std::collections::BTreeSet<(String, String)> = std::collections::BTreeSet::new();
        let mut begun: std::collections::BTreeSet<String> = std::collections::BTreeSet::new();
        for run in self.store.runs(RUNS).await? {
            // The newest run of a swarm is what it runs now.
            let current = begun.insert(run.swarm_id.clone());
            if !known.insert((run.swarm_id.clone(), run.release_id.clone())) {
                continue;
            }
            let Some(release) = self.known_release(&run.release_id).await? else { continue };
            all.push(ReleaseLook {
                swarm_id: run.swarm_id,
                id: release.id.clone(),
                version: release.version.clone(),
                commit: release.commit.clone(),
                build: release.build.clone(),
                config_keys: release.config.len(),
                env_keys: release.env.len(),
                current,
                dispatch: run.dispatch_id,
                at_ms: run.at_ms,
                created_ms: release.created_ms,
            });
        }
        Ok(all)
    }

    async fn wave_looks(&self, dispatches: &[Dispatch], old: &[WaveLook]) -> Result<Vec<WaveLook>> {
        let mut all = Vec::new();
        for found in self.store.waves().await? {
            // One that is done stays so.
            if let Some(done) = old.iter().find(|look| look.wave == found && look.word == "done") {
                all.push(done.clone());
                continue;
            }
            let mut states = Vec::new();
            for member in &found.members {
                let known = dispatches.iter().find(|dispatch| dispatch.id == member.plan);
                let stored = if known.is_none() { self.store.dispatch(&member.plan).await? } else { None };
                states.push(State::of(member, known.or(stored.as_ref())));
            }
            let driven = self.store.lease(&super::wave::wave_lease(found.number)).await?.is_some();
            all.push(WaveLook { word: wave::word(&states, driven), states, wave: found });
        }
        Ok(all)
    }

    /// Keeps a run of uptests; of all runs the newest stay.
    pub(super) async fn keep_uptests(&self, run: UptestRun) -> Result<()> {
        let name = format!("{:013} {}", run.at_ms, run.id);
        self.store.keep_last(UPTEST_RUN, "", &[(name, run)], UPTESTS, self.now_ms()).await
    }

    /// The runs that are kept, newest first; those that are known are not read again.
    pub(super) async fn uptest_runs(&self, known: &[UptestRun]) -> Result<Vec<UptestRun>> {
        let mut all = Vec::new();
        for (name, _) in self.store.kept_names(UPTEST_RUN, "").await?.into_iter().rev() {
            match known.iter().find(|run| name.ends_with(&run.id)) {
                Some(run) => all.push(run.clone()),
                None => all.extend(self.store.kept::<UptestRun>(UPTEST_RUN, &name).await?),
            }
        }
        Ok(all)
    }

    async fn newest_audit(&self, old: &[Audit]) -> Result<Vec<Audit>> {
        let most = usize::try_from(AUDIT).unwrap_or(usize::MAX);
        let last = old.first().map_or(0, |line| line.seq);
        let mut lines = self.store.audit_after(last, AUDIT).await?;
        lines.extend(old.iter().take(most.saturating_sub(lines.len())).cloned());
        Ok(lines)
    }

    async fn deleted_looks(&self, catalog: &Catalog) -> Result<(Vec<Deleted>, BTreeSet<(String, i64)>)> {
        let all = self.store.deleted(DELETED).await?;
        let ends = all.iter().map(|version| (version.object.id.clone(), version.object.rev)).collect();
        let mut seen = BTreeSet::new();
        // Neither it nor another one of its name is there; of several ends of one object the last counts.
        let gone = all.into_iter().filter(|version| {
            catalog.head(version.object.kind, Some(&version.object.id), &version.object.name).is_none()
                && seen.insert(version.object.id.clone())
        });
        let look = gone.map(|version| Deleted {
            id: version.object.id,
            kind: version.object.kind,
            name: version.object.name,
            rev: version.object.rev,
            who: version.object.changed_by,
            at_ms: version.object.changed_ms,
            why: version.why,
        });
        Ok((look.collect(), ends))
    }

    async fn restarts(&self) -> Result<BTreeMap<String, u32>> {
        let mut counts = BTreeMap::new();
        for (name, _) in self.store.kept_names("life", "").await? {
            // swarm/host/proc/start-pid
            let mut parts = name.splitn(3, '/');
            let (Some(_), Some(host), Some(rest)) = (parts.next(), parts.next(), parts.next()) else { continue };
            let Some((proc, _)) = rest.rsplit_once('/') else { continue };
            *counts.entry(format!("{host}/{proc}")).or_insert(0) += 1;
        }
        Ok(counts)
    }
}

fn saved(catalog: &Catalog) -> BTreeMap<String, Saved> {
    fn note<T>(all: &mut BTreeMap<String, Saved>, kind: Kind, entries: &[Entry<T>]) {
        for entry in entries {
            let (name, who) = (entry.name.clone(), entry.changed_by.clone());
            all.insert(entry.id.clone(), Saved { kind, name, rev: entry.rev, who, at_ms: entry.changed_ms });
        }
    }
    let mut all = BTreeMap::new();
    note(&mut all, Kind::Buildpack, &catalog.buildpacks);
    note(&mut all, Kind::App, &catalog.apps);
    note(&mut all, Kind::Ingredient, &catalog.ingredients);
    note(&mut all, Kind::Squad, &catalog.squads);
    note(&mut all, Kind::Balancer, &catalog.balancers);
    note(&mut all, Kind::Swarm, &catalog.swarms);
    all
}
