//! Holds: placed and lifted with a reason, listed, and what they keep from being dispatched.

use super::{Catalog, Deck, Entry};
use crate::model::document;
use crate::model::entity::{Host, Swarm};
use crate::model::hold::{self, Hold, HoldOn};
use crate::model::record::{Audit, Event};
use crate::model::{Fault, Result};
use crate::plan::{Plan, PoolChange};
use crate::store::Telling;
use std::collections::BTreeSet;

impl Deck {
    /// Places a hold on a swarm, squad, host (by name) or on the fleet, until its end or (0) until it is lifted.
    pub async fn hold(&self, on: HoldOn, object: &str, why: &str, until_ms: i64) -> Result<Hold> {
        if why.trim().is_empty() {
            return Err(Fault::bad("a hold needs a reason: others will read it").next("say why: -m WHY"));
        }
        let (id, object) = self.held_object(&self.catalog().await?, on, object).await?;
        let wanted =
            Hold { name: String::new(), on, id, object, who: self.who.clone(), why: why.trim().into(), since_ms: self.now_ms(), until_ms };
        let hold = self.store.place_hold(&wanted, |hold| self.telling(hold, "hold", &hold.why, "")).await?;
        self.refresh_soon();
        Ok(hold)
    }

    /// Lifts a hold by its name.
    pub async fn lift(&self, name: &str, why: &str) -> Result<Hold> {
        let all = self.holds().await?;
        let Some(hold) = all.iter().find(|hold| hold.name == name) else {
            let known: Vec<&str> = all.iter().map(|hold| hold.name.as_str()).collect();
            let known = if known.is_empty() { "nothing is held".into() } else { format!("one of: {}", known.join(", ")) };
            return Err(Fault::bad(format!("there is no hold '{name}'")).next(known));
        };
        self.store.lift_hold(name, &self.telling(hold, "lift", why, "")).await?;
        self.refresh_soon();
        Ok(hold.clone())
    }

    /// The holds that count now, the newest first.
    pub async fn holds(&self) -> Result<Vec<Hold>> {
        let now_ms = self.now_ms();
        let mut all: Vec<Hold> = self.store.holds().await?.into_iter().filter(|hold| hold.counts(now_ms)).collect();
        all.sort_by_key(|hold| -hold.since_ms);
        Ok(all)
    }

    /// The holds that keep this plan from being executed now: of the fleet, its squad, its swarm, and of every host on which
    /// something would change.
    pub(super) async fn holds_over(&self, catalog: &Catalog, entry: &Entry<Swarm>, plan: &Plan) -> Result<Vec<Hold>> {
        let (all, now_ms) = (self.holds().await?, self.now_ms());
        let mut found: Vec<Hold> =
            hold::over_swarm(&all, &entry.id, &squad_id(catalog, &entry.body.squad), now_ms).into_iter().cloned().collect();
        let changed: BTreeSet<&str> = plan.start.iter().chain(&plan.retire).map(|proc| proc.host.as_str()).collect();
        let mut ids: BTreeSet<String> =
            catalog.hosts()?.into_iter().filter(|host| changed.contains(host.name.as_str())).map(|host| host.id).collect();
        if let Some(pool) = plan.pool.as_ref().filter(|pool| PoolChange::is_change(pool)) {
            let hosts = document::balancer_hosts(&catalog.balancer(&pool.balancer)?.body, &catalog.hosts()?)?;
            ids.extend(hosts.into_iter().map(|host| host.id));
        }
        found.extend(ids.iter().filter_map(|id| hold::over_host(&all, id, now_ms)).cloned());
        Ok(found)
    }

    /// Refuses to change something out of place (on a host, or in `pool@balancer`) while the fleet, the host, a host of the balancer,
    /// or the swarm (by name, or "") is held.
    pub(super) async fn refuse_held_place(&self, catalog: &Catalog, place: &str, swarm: &str) -> Result<()> {
        let (all, now_ms) = (self.holds().await?, self.now_ms());
        let hosts = match place.split_once('@') {
            Some((_, balancer)) => match catalog.balancer(balancer) {
                Ok(balancer) => document::balancer_hosts(&balancer.body, &catalog.hosts()?)?,
                Err(_) => Vec::new(),
            },
            None => catalog.host(place).ok().into_iter().collect(),
        };
        let over_host = hosts.iter().find_map(|host| hold::over_host(&all, &host.id, now_ms));
        let over_swarm = || match catalog.swarm(swarm) {
            Ok(entry) => hold::over_swarm(&all, &entry.id, &squad_id(catalog, &entry.body.squad), now_ms).into_iter().next(),
            Err(_) => all.iter().find(|hold| hold.on == HoldOn::Fleet),
        };
        match over_host.or_else(over_swarm) {
            Some(held) => Err(held.refusal(place)),
            None => Ok(()),
        }
    }

    /// What an execution does about holds: the ones it lifts with what is told of each, or the refusal.
    pub(super) async fn lifting(
        &self,
        catalog: &Catalog,
        entry: &Entry<Swarm>,
        plan: &Plan,
        named: &[String],
    ) -> Result<Vec<(String, Telling)>> {
        let holds = self.holds_over(catalog, entry, plan).await?;
        let holds: Vec<&Hold> = holds.iter().collect();
        let lifted = hold::lifted(&holds, named, &entry.name)?;
        Ok(lifted.into_iter().map(|hold| (hold.name.clone(), self.telling(hold, "lift", "", &plan.id))).collect())
    }

    /// Refuses when something holds the plan that is not named, or a name holds nothing of it: said before anybody is asked.
    pub async fn may_go(&self, plan: &Plan, lift: &[String]) -> Result<()> {
        let catalog = self.catalog().await?;
        let entry = catalog.swarm(&plan.swarm_id)?;
        self.lifting(&catalog, entry, plan, lift).await.map(drop)
    }

    /// Hosts as they are for placing: one that is held takes nothing.
    pub(super) async fn without_held(&self, hosts: Vec<Host>) -> Result<Vec<Host>> {
        let (all, now_ms) = (self.holds().await?, self.now_ms());
        let placed = |host: Host| Host { active: host.active && hold::over_host(&all, &host.id, now_ms).is_none(), ..host };
        Ok(hosts.into_iter().map(placed).collect())
    }

    /// Says on the plan what holds it, and on which hosts nothing is placed for that.
    pub(super) async fn show_holds(&self, catalog: &Catalog, entry: &Entry<Swarm>, plan: &mut Plan) -> Result<()> {
        plan.held = self.holds_over(catalog, entry, plan).await?;
        let (all, now_ms, hosts) = (self.holds().await?, self.now_ms(), catalog.hosts()?);
        for line in &mut plan.hosts {
            let host = hosts.iter().find(|host| host.name == line.host);
            if let Some(hold) = host.and_then(|host| hold::over_host(&all, &host.id, now_ms)) {
                (line.note, line.warn) = (format!("HELD {}: {}", hold.who, hold.why), true);
            }
        }
        Ok(())
    }

    /// Refuses when a host is held: nothing on it is changed.
    pub(super) async fn refuse_held(&self, host: &Host) -> Result<()> {
        match hold::over_host(&self.holds().await?, &host.id, self.now_ms()) {
            Some(hold) => Err(hold.refusal(&host.name).on(&host.name)),
            None => Ok(()),
        }
    }

    async fn held_object(&self, catalog: &Catalog, on: HoldOn, object: &str) -> Result<(String, String)> {
        match on {
            HoldOn::Fleet => Ok((String::new(), "the fleet".into())),
            HoldOn::Swarm => catalog.swarm(object).map(|entry| (entry.id.clone(), entry.name.clone())),
            HoldOn::Squad => {
                let entry = catalog.squads.iter().find(|entry| entry.name == object || entry.id == object);
                entry.map(|entry| (entry.id.clone(), entry.name.clone())).ok_or_else(|| super::unknown("squad", object, "squads"))
            }
            HoldOn::Host => self.any_host(object).await.map(|host| (host.id, host.name)),
        }
    }

    fn telling(&self, hold: &Hold, verb: &str, why: &str, run: &str) -> Telling {
        let at_ms = self.now_ms();
        let what = if verb == "hold" {
            format!("{} holds {}", hold.name, hold.object)
        } else {
            format!("{} is lifted from {}", hold.name, hold.object)
        };
        let event = Event {
            at_ms,
            kind: "hold".into(),
            run: run.into(),
            who: self.who.clone(),
            what,
            place: hold.object.clone(),
            why: why.into(),
            ..Event::default()
        };
        let audit = Audit {
            at_ms,
            who: self.who.clone(),
            verb: verb.into(),
            object: hold.object.clone(),
            run: run.into(),
            result: hold.name.clone(),
            why: why.into(),
            ..Audit::default()
        };
        Telling { event, audit }
    }
}

/// The id of a squad by its name.
pub(super) fn squad_id(catalog: &Catalog, squad: &str) -> String {
    catalog.squads.iter().find(|entry| entry.name == squad).map(|entry| entry.id.clone()).unwrap_or_default()
}
