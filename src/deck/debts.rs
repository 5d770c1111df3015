//! What dispatches owe to hosts and balancers that did not answer: paid as soon as they do, before they serve or count again.

use super::carry::TakingUp;
use super::{Catalog, Deck};
use crate::model::record::Dispatch;
use crate::model::world::{PoolSeen, World};
use crate::model::{Fault, FaultKind, Result};
use std::collections::BTreeSet;

impl Deck {
    /// Hosts and pools (`balancer/pool`) that something is owed to.
    pub(super) async fn indebted(&self) -> Result<BTreeSet<String>> {
        let owing = self.store.owing_dispatches().await?;
        Ok(owing.iter().flat_map(|dispatch| dispatch.debts.iter().map(|debt| debt.host.clone())).collect())
    }

    /// The swarms with procs on a host, as it was seen last; it is asked first.
    pub async fn swarms_on(&self, host: &str) -> Result<Vec<String>> {
        let catalog = self.catalog().await?;
        let known = catalog.host(host)?;
        let world = self.observe(&catalog, None).await?;
        let procs = world.hosts.get(&known.name).map(|seen| seen.procs.clone()).unwrap_or_default();
        Ok(procs.into_iter().filter_map(|proc| proc.swarm).collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// Pays what can be paid: for every dispatch that owes something to places that answer now. Answers with the dispatches that were
    /// gone about, and the first fault.
    pub(super) async fn pay_debts(&self) -> Result<(Vec<Dispatch>, Option<Fault>)> {
        let (mut paid, mut failed) = (Vec::new(), None);
        let owing = self.store.owing_dispatches().await?;
        if owing.is_empty() {
            return Ok((paid, failed));
        }
        let catalog = self.catalog().await?;
        let world = self.observe(&catalog, None).await?;
        for dispatch in owing {
            let places = answering(&dispatch, &catalog, &world);
            if places.is_empty() {
                continue;
            }
            match self.take_up(&dispatch, TakingUp::Pay(places)).await {
                Ok(carried) => paid.extend(carried.done.await.ok()),
                // Whoever holds the swarm may be paying.
                Err(fault) if fault.kind == FaultKind::Refused => {}
                Err(fault) => drop(failed.get_or_insert(fault)),
            }
        }
        Ok((paid, failed))
    }
}

/// The places that a dispatch owes to and that answer now. A host that is in no squad any more is nobody's to pay.
fn answering(dispatch: &Dispatch, catalog: &Catalog, world: &World) -> BTreeSet<String> {
    let answers = |place: &str| match place.split_once('/') {
        Some((balancer, pool)) => {
            // Hosts that disagree are what such a debt mends.
            let answer = |seen: &PoolSeen| !seen.hosts.is_empty() && seen.hosts.iter().all(|host| host.away.is_none());
            catalog.balancer(balancer).is_ok() && world.pool(balancer, pool).is_some_and(answer)
        }
        None => world.hosts.get(place).is_some_and(|seen| seen.is_ok()),
    };
    dispatch.debts.iter().map(|debt| debt.host.clone()).filter(|place| answers(place)).collect()
}
