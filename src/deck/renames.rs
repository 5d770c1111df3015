//! What a change of app, proc name, config name or squad would orphan: said before it is saved, with the one plan that mends it (W1).

use super::{Catalog, Deck};
use crate::model::Result;
use serde::Serialize;
use std::collections::BTreeMap;

/// A swarm whose procs would not be known as its own any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Orphaned {
    /// What it is called now, and after.
    pub swarm: String,
    pub becomes: String,
    /// `host:proc`, each.
    pub procs: Vec<String>,
    /// `pool@balancer` that they serve in, or "".
    pub pool: String,
    /// The command that deploys the new, moves the route and retires the old.
    pub next: String,
}

impl Orphaned {
    /// For people.
    pub fn line(&self) -> String {
        let pool = if self.pool.is_empty() { String::new() } else { format!(", and serve in pool {} until then", self.pool) };
        format!(
            "{} procs of {} become orphans of {} ({}){pool}; one plan deploys the new, moves the route and retires the old: {}",
            self.procs.len(),
            self.swarm,
            self.becomes,
            self.procs.join(", "),
            self.next
        )
    }
}

impl Deck {
    /// What would be orphaned between two catalogs. Hosts are asked only when a swarm is called something else.
    pub(super) async fn orphaned(&self, before: &Catalog, after: &Catalog) -> Result<Vec<Orphaned>> {
        let renamed: Vec<_> = before
            .swarms
            .iter()
            .filter_map(|old| Some((old, after.swarms.iter().find(|new| new.id == old.id)?)))
            .filter(|(old, new)| old.body.full_name() != new.body.full_name())
            .collect();
        if renamed.is_empty() {
            return Ok(Vec::new());
        }
        let world = self.observe(before, None).await?;
        let mut all = Vec::new();
        for (old, new) in renamed {
            let own = |proc: &&crate::model::world::Proc| {
                proc.stamp.as_ref().is_some_and(|stamp| stamp.swarm == old.id && stamp.installation == self.store.installation())
            };
            let procs: Vec<String> = world.procs().filter(own).map(|proc| format!("{}:{}", proc.host, proc.name)).collect();
            let pool = old.body.pool.as_ref().zip(old.body.balancer.as_ref()).map(|(pool, balancer)| format!("{pool}@{balancer}"));
            if !procs.is_empty() {
                all.push(Orphaned {
                    swarm: old.name.clone(),
                    becomes: new.body.full_name(),
                    procs,
                    pool: pool.unwrap_or_default(),
                    next: format!("swarmdeck dispatch {}", new.body.full_name()),
                });
            }
        }
        Ok(all)
    }

    /// Hosts that would be in no squad any more although procs of ours were last seen on them: nobody would look at them again.
    pub(super) async fn out_of_sight(&self, before: &Catalog, after: &Catalog) -> Result<Vec<String>> {
        let names = |catalog: &Catalog| -> Result<Vec<String>> { Ok(catalog.hosts()?.into_iter().map(|host| host.name).collect()) };
        let (then, now) = (names(before)?, names(after)?);
        let gone: Vec<&String> = then.iter().filter(|host| !now.contains(host)).collect();
        if gone.is_empty() {
            return Ok(Vec::new());
        }
        self.read_seen().await?;
        let world = self.last_world().await;
        let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
        for host in gone {
            let ours = |proc: &&crate::model::world::Proc| {
                proc.stamp.as_ref().is_some_and(|stamp| stamp.installation == self.store.installation())
            };
            let procs = world.hosts.get(host).map_or(0, |seen| seen.procs.iter().filter(ours).count());
            if procs > 0 {
                counts.insert(host, procs);
            }
        }
        Ok(counts
            .iter()
            .map(|(host, procs)| format!("host {host} would be in no squad, and {procs} procs of ours on it out of sight: take it out of service and dispatch first"))
            .collect())
    }
}
