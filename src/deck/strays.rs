//! What is out of place, and what can be done about it: listed with evidence, adopted, retired, or remembered as known.

use super::leasing::Held;
use super::{Catalog, Deck};
use crate::fleet::{self, Facts, Known, RunState};
use crate::model::entity::Swarm;
use crate::model::record::Outcome;
use crate::model::stray::{Stray, id};
use crate::model::world::World;
use crate::model::{Fault, Result};
use crate::plan::Plan;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Exactly what a verb will do to something out of place, or to a proc; made again when it is carried out, and compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StrayPlan {
    /// `adopt`, `retire` or `ignore`.
    pub verb: String,
    pub place: String,
    /// A proc, a node, `port-5003`; "" is every proc of the host that can be adopted.
    pub name: String,
    /// The swarm that it is adopted into; "" is the one that it matches.
    pub swarm: String,
    /// What is done, in order.
    pub lines: Vec<String>,
    /// Why it must be said explicitly: it is somebody else's, or it is not what the swarm is.
    pub asks: Vec<String>,
}

/// A pool that no swarm has any more and that is still ours.
pub(super) struct Former {
    pub balancer: String,
    pub pool: String,
    /// The id of the swarm that had it.
    pub owner: String,
}

impl Deck {
    /// Asks everything, then says what is out of place.
    pub async fn strays(&self) -> Result<Vec<Stray>> {
        let catalog = self.catalog().await?;
        let world = self.observe(&catalog, None).await?;
        self.strays_in(&catalog, &world).await
    }

    /// What is out of place in the world as it was seen.
    pub(super) async fn strays_in(&self, catalog: &Catalog, world: &World) -> Result<Vec<Stray>> {
        let swarms = super::observe::swarms(catalog);
        let open = self.store.open_dispatches().await?;
        let mut runs: BTreeMap<String, RunState> = open.iter().map(|dispatch| (dispatch.id.clone(), RunState::Open)).collect();
        // A dispatch takes its lease, then its ports, and only then is written down.
        runs.extend(self.store.leases().await?.into_iter().map(|lease| (lease.run, RunState::Open)));
        let leases = self.store.port_leases().await?;
        for dispatch in leases.values().flat_map(BTreeMap::values) {
            if !runs.contains_key(dispatch)
                && let Some(ended) = self.store.dispatch(dispatch).await?
            {
                let word = ended.outcome.map_or("under way", Outcome::word).to_string();
                runs.insert(dispatch.clone(), RunState::Ended { number: ended.number, word, at_ms: ended.ended_ms });
            }
        }
        let former = self.former_pools(catalog).await?;
        let mut pools: BTreeMap<(String, String), Option<String>> =
            former.into_iter().map(|former| ((former.balancer, former.pool), None)).collect();
        for entry in &catalog.swarms {
            if let (Some(balancer), Some(pool)) = (&entry.body.balancer, &entry.body.pool) {
                pools.insert((balancer.clone(), pool.clone()), Some(entry.id.clone()));
            }
        }
        let ignored = self.store.all_kept::<String>(IGNORED).await?.into_iter().map(|(name, ..)| name).collect();
        Ok(fleet::strays(&Facts {
            known: Known { installation: self.store.installation(), swarms: &swarms },
            world,
            hosts: &catalog.hosts()?,
            pools: &pools,
            leases: &leases,
            runs: &runs,
            busy: &open.iter().map(|dispatch| dispatch.swarm_id.clone()).collect(),
            ignored: &ignored,
        }))
    }

    /// Pools that were claimed, are in no swarm's text any more, and whose balancer is still there.
    pub(super) async fn former_pools(&self, catalog: &Catalog) -> Result<Vec<Former>> {
        let has =
            |swarm: &Swarm, balancer: &str, pool: &str| swarm.balancer.as_deref() == Some(balancer) && swarm.pool.as_deref() == Some(pool);
        let owners = self.store.pool_owners().await?.into_iter();
        Ok(owners
            .filter(|(balancer, pool, _)| {
                catalog.balancer(balancer).is_ok() && !catalog.swarms.iter().any(|entry| has(&entry.body, balancer, pool))
            })
            .map(|(balancer, pool, owner)| Former { balancer, pool, owner })
            .collect())
    }

    /// A former pool of this swarm that holds nobody is nobody's any more.
    pub(super) async fn give_up_pools(&self, catalog: &Catalog, world: &World, swarm_id: &str) -> Result<()> {
        for former in self.former_pools(catalog).await?.iter().filter(|former| former.owner == swarm_id) {
            let seen = world.pool(&former.balancer, &former.pool);
            if seen.is_some_and(|seen| seen.nodes.is_empty() && seen.trouble.is_empty()) {
                self.store.release_pool(&former.balancer, &former.pool, swarm_id).await?;
            }
        }
        Ok(())
    }

    /// A host of another installation is looked at and never planned on.
    pub(super) fn refuse_unclaimed(&self, plan: &Plan, world: &World) -> Result<()> {
        for host in plan.touched_hosts() {
            let holder = world.hosts.get(&host).and_then(|seen| seen.installation.clone());
            if let Some(other) = holder.filter(|holder| holder != self.store.installation()) {
                return Err(Fault::refused(format!("the host belongs to installation '{other}', this is '{}'", self.store.installation()))
                    .next(format!("swarmdeck hosts claim {host}, if that installation no longer works with it"))
                    .on(host)
                    .at("plan"));
            }
        }
        Ok(())
    }

    /// What `adopt`, `retire` or `ignore` would do; nothing is changed. `swarm` is for `adopt`.
    pub async fn stray_plan(&self, verb: &str, place: &str, name: &str, swarm: &str) -> Result<StrayPlan> {
        let catalog = self.catalog().await?;
        let world = self.observe(&catalog, None).await?;
        self.stray_plan_in(&catalog, &world, verb, place, name, swarm).await
    }

    async fn stray_plan_in(&self, catalog: &Catalog, world: &World, verb: &str, place: &str, name: &str, swarm: &str) -> Result<StrayPlan> {
        let empty = StrayPlan { verb: verb.into(), place: place.into(), name: name.into(), swarm: swarm.into(), ..StrayPlan::default() };
        if verb != "ignore" {
            self.refuse_held_place(catalog, place, swarm).await?;
        }
        match verb {
            "adopt" => Ok(self.adoption(catalog, world, empty).await?.0),
            "retire" => Ok(self.retirement(catalog, world, empty).await?.0),
            "ignore" => {
                let all = self.strays_in(catalog, world).await?;
                let stray =
                    all.iter().find(|stray| stray.place == place && stray.name == name).ok_or_else(|| no_stray(place, name, &all))?;
                let lines = vec![
                    format!("remember {name} on {place} as known ({}, {})", stray.kind.word(), stray.whose),
                    "it is not shown as trouble; its port still counts as used".into(),
                ];
                Ok(StrayPlan { lines, ..empty })
            }
            other => Err(Fault::bad(format!("there is no verb '{other}' for strays"))),
        }
    }

    /// The same for several places and names, in the world as it is seen once: a plan or a refusal for each, in that order.
    pub async fn stray_plans(&self, verb: &str, all: &[(String, String)]) -> Result<Vec<Result<StrayPlan>>> {
        let catalog = self.catalog().await?;
        let world = self.observe(&catalog, None).await?;
        let mut plans = Vec::new();
        for (place, name) in all {
            plans.push(self.stray_plan_in(&catalog, &world, verb, place, name, "").await);
        }
        Ok(plans)
    }

    /// Does exactly what the plan says, or refuses because the world moved. Answers with what was done.
    pub async fn stray_do(&self, plan: &StrayPlan, why: &str) -> Result<String> {
        let catalog = self.catalog().await?;
        if plan.verb != "ignore" {
            self.refuse_held_place(&catalog, &plan.place, &plan.swarm).await?;
        }
        let world = self.observe(&catalog, None).await?;
        let empty = StrayPlan { lines: Vec::new(), asks: Vec::new(), ..plan.clone() };
        let moved =
            |now: &StrayPlan| match now.lines == plan.lines {
                true => Ok(()),
                false => Err(Fault::refused(format!("the world moved since it was shown: now it would be: {}", now.lines.join("; ")))
                    .next("look again")),
            };
        let done = match plan.verb.as_str() {
            "adopt" => {
                let (now, procs) = self.adoption(&catalog, &world, empty).await?;
                moved(&now)?;
                self.adopt_procs(&catalog, &world, &procs).await?
            }
            "retire" => {
                let (now, gone) = self.retirement(&catalog, &world, empty).await?;
                moved(&now)?;
                self.retire_gone(&catalog, &world, gone).await?
            }
            _ => {
                self.store.keep(IGNORED, &id(&plan.place, &plan.name), &self.who, self.now_ms()).await?;
                format!("{} on {} is known", plan.name, plan.place)
            }
        };
        let object = if plan.name.is_empty() { plan.place.clone() } else { format!("{}:{}", plan.place, plan.name) };
        self.told(&plan.verb, &object, &done, why).await?;
        self.observe_soon();
        self.refresh_soon();
        Ok(done)
    }

    /// Takes back that a stray is known: it is trouble again.
    pub async fn stray_unignore(&self, place: &str, name: &str, why: &str) -> Result<String> {
        let known = self.store.kept::<String>(IGNORED, &id(place, name)).await?;
        let who = known.ok_or_else(|| Fault::bad(format!("{name} on {place} was never ignored")).next("swarmdeck strays --all"))?;
        self.store.forget(IGNORED, &id(place, name)).await?;
        self.told("ignore", &format!("{place}:{name}"), &format!("taken back; {who} had said that it is known"), why).await?;
        self.refresh_soon();
        Ok(format!("{name} on {place} is shown as trouble again"))
    }

    /// Takes several leases, none twice, each with an epoch above `min`; when one cannot be had, none is kept.
    pub(super) async fn acquire_all(&self, names: &BTreeSet<String>, why: &str, min: u64) -> Result<BTreeMap<String, Held>> {
        let mut all = BTreeMap::new();
        for name in names {
            // In name order, so that two who want the same never wait for each other; those taken are given back when dropped.
            let held = self.acquire(name, why, "", i64::try_from(min).unwrap_or(i64::MAX - 1)).await?;
            all.insert(name.clone(), held);
        }
        Ok(all)
    }
}

/// Under which kind it is kept what is known.
const IGNORED: &str = "ignored stray";

/// Whose lease guards a pool: its swarm's, or its own.
pub(super) fn lease_of_pool(catalog: &Catalog, balancer: &str, pool: &str) -> String {
    let has = |swarm: &Swarm| swarm.balancer.as_deref() == Some(balancer) && swarm.pool.as_deref() == Some(pool);
    catalog
        .swarms
        .iter()
        .find(|entry| has(&entry.body))
        .map_or_else(|| format!("pool/{balancer}/{pool}"), |entry| format!("swarm/{}", entry.id))
}

/// What there is, when something was called by a wrong name.
pub(super) fn no_stray(place: &str, name: &str, all: &[Stray]) -> Fault {
    let here: Vec<&str> = all.iter().filter(|stray| stray.place == place).map(|stray| stray.name.as_str()).collect();
    let next = if here.is_empty() { "swarmdeck strays lists what is out of place".into() } else { format!("one of: {}", here.join(", ")) };
    Fault::bad(format!("nothing out of place on {place} is called '{name}'")).next(next)
}

/// A swarm's id by what it is.
fn id_of<'a>(catalog: &'a Catalog, swarm: &Swarm) -> &'a str {
    catalog.swarms.iter().find(|entry| entry.body.full_name() == swarm.full_name()).map(|entry| entry.id.as_str()).unwrap_or_default()
}

/// By its stamp alone, whatever was thought of it when it was last seen: (carries the swarm's id, was deployed as what the swarm is).
fn ties(world: &World, id: &str, swarm: &Swarm) -> Vec<(String, bool, bool)> {
    let of_host = |host: &crate::model::world::HostSeen| {
        let ties = host.procs.iter().filter_map(|proc| {
            let by_id = proc.stamp.as_ref()?.swarm == id;
            let named =
                proc.app == swarm.app && proc.config == swarm.config_name && proc.proc == swarm.proc_name && host.squad == swarm.squad;
            (by_id || named).then(|| (host.name.clone(), by_id, named))
        });
        ties.collect::<Vec<_>>()
    };
    world.hosts.values().flat_map(of_host).collect()
}

/// Hosts on which procs that concern the swarm were last seen.
pub(super) fn hosts_concerned(catalog: &Catalog, swarm: &Swarm, world: &World) -> BTreeSet<String> {
    ties(world, id_of(catalog, swarm), swarm).into_iter().map(|(host, ..)| host).collect()
}

/// Whether procs were last seen that are the swarm's by id or by name and not by both.
pub(super) fn has_orphans(catalog: &Catalog, swarm: &Swarm, world: &World) -> bool {
    ties(world, id_of(catalog, swarm), swarm).iter().any(|(_, by_id, named)| by_id != named)
}
