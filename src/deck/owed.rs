//! What balancer hosts are owed that a change left out: the pool as the others have it, brought right before they count again.

use super::balancing::agreed;
use super::leasing::Held;
use super::pools::swarm_of;
use super::{Catalog, Deck, Entry};
use crate::balancers::{HostNodes, NodeState, Snapshot, Was};
use crate::dispatch::rules;
use crate::model::record::Event;
use crate::model::{Fault, FaultKind, Result, document};
use crate::plan::Plan;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is kept of a balancer host that a change left out.
const OWED: &str = "pool owed";

/// Why a balancer host is owed the pool as the others have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolOwed {
    /// The dispatch that went without it.
    pub run: String,
    pub what: String,
    pub since_ms: i64,
}

impl PoolOwed {
    /// One sentence.
    pub fn words(&self) -> String {
        self.what.clone()
    }
}

impl Deck {
    /// Writes down that the hosts which a plan leaves out are owed what it changes: before it changes anything.
    pub(super) async fn owe_pool(&self, plan: &Plan) -> Result<()> {
        let Some(change) = &plan.pool else { return Ok(()) };
        for host in &change.left_out {
            let owed = PoolOwed {
                run: plan.id.clone(),
                what: format!("{} of {} went without it", plan.verb, plan.swarm),
                since_ms: self.now_ms(),
            };
            self.store.keep(OWED, &format!("{}/{}/{host}", change.balancer, change.pool), &owed, self.now_ms()).await?;
            let event = Event {
                at_ms: self.now_ms(),
                kind: "balancer".into(),
                run: plan.id.clone(),
                what: format!("{host} is away and left out: it is owed pool {}@{} as it is then", change.pool, change.balancer),
                place: host.clone(),
                result: "warning".into(),
                ..Event::default()
            };
            self.store.note(&[event], None).await?;
        }
        Ok(())
    }

    /// What hosts of a balancer are owed of a pool, by host.
    pub(super) async fn owed_of(&self, balancer: &str, pool: &str) -> Result<BTreeMap<String, PoolOwed>> {
        let prefix = format!("{balancer}/{pool}/");
        let all = self.store.all_kept::<PoolOwed>(OWED).await?;
        Ok(all.into_iter().filter_map(|(name, _, owed)| Some((name.strip_prefix(&prefix)?.to_string(), owed))).collect())
    }

    /// Pays, under a dispatch's lease, what hosts are owed that it does not leave out.
    pub(super) async fn pay_change(&self, catalog: &Catalog, plan: &Plan, held: &Held) -> Result<()> {
        let Some(change) = &plan.pool else { return Ok(()) };
        for host in self.owed_of(&change.balancer, &change.pool).await?.keys().filter(|host| !change.left_out.contains(host)) {
            self.bring_right(catalog, &change.balancer, &change.pool, host, held).await?;
        }
        Ok(())
    }

    /// Pays what balancer hosts are owed that are back; says what was brought right. One that is away or held waits for next time.
    pub async fn pay_pools(&self) -> Result<Vec<String>> {
        let catalog = self.catalog().await?;
        let mut paid = Vec::new();
        for (name, ..) in self.store.all_kept::<PoolOwed>(OWED).await? {
            let mut parts = name.splitn(3, '/');
            let (Some(balancer), Some(pool), Some(host)) = (parts.next(), parts.next(), parts.next()) else { continue };
            match self.pay_pool(&catalog, balancer, pool, host).await {
                Ok(()) => paid.push(format!("{host}: pool {pool}@{balancer} is brought right")),
                Err(fault) if matches!(fault.kind, FaultKind::Unreachable | FaultKind::Refused) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(paid)
    }

    async fn pay_pool(&self, catalog: &Catalog, balancer: &str, pool: &str, host: &str) -> Result<()> {
        let is_host = |entry: &Entry<crate::model::entity::Balancer>| -> Result<bool> {
            Ok(document::balancer_hosts(&entry.body, &catalog.hosts()?)?.iter().any(|known| known.name == host))
        };
        if !catalog.balancer(balancer).and_then(is_host).unwrap_or(false) {
            return self.store.forget(OWED, &format!("{balancer}/{pool}/{host}")).await;
        }
        let alone = self.open_balancer_on(catalog, balancer, |name| name == host).await?;
        let (held, _) = self.pool_lease(catalog, &alone, balancer, pool, &format!("bring {host} right")).await?;
        let done = async {
            // A dispatch that is half way leaves this host out to its end: what it is owed then is another pool.
            if let Some(entry) = swarm_of(catalog, balancer, pool) {
                rules::may_pay(&entry.id, &self.store.open_dispatches().await?)?;
            }
            self.bring_right(catalog, balancer, pool, host, &held).await
        }
        .await;
        held.release().await?;
        done
    }

    /// Gives one host the pool as the hosts that count have it; from then on it counts. Under the lease that is held.
    async fn bring_right(&self, catalog: &Catalog, balancer: &str, pool: &str, host: &str, held: &Held) -> Result<()> {
        // What the others hold is about to be taken back on them: this host was left out of that and would keep it.
        if self.indebted().await?.contains(&format!("{balancer}/{pool}")) {
            return Err(Fault::refused(format!("pool {pool}@{balancer} is to be put back before {host} gets it")).next("swarmdeck upkeep"));
        }
        let counted = self.open_counted(catalog, balancer, pool).await?.balancer.look(pool).await?;
        let (answered, away): (Vec<_>, Vec<_>) = counted.into_iter().map(|(_, answer)| answer).partition(Result::is_ok);
        let answered: Vec<HostNodes> = answered.into_iter().flatten().collect();
        if let (true, Some(Err(fault))) = (answered.is_empty(), away.into_iter().next()) {
            return Err(fault);
        }
        let wanted = agreed(pool, &answered)?;
        let alone = self.open_balancer_on(catalog, balancer, |name| name == host).await?;
        let fence = self.pool_fence(&alone, balancer, pool, held.epoch());
        held.may_act()?;
        if answered.iter().all(|host| host.text.is_none()) {
            let gone = Snapshot(BTreeMap::from([(host.to_string(), Was::default())]));
            alone.balancer.restore(pool, &gone, &fence).await?;
        } else {
            let all: BTreeSet<String> = wanted.keys().cloned().collect();
            let out: BTreeSet<String> = wanted.into_iter().filter(|(_, state)| *state != NodeState::Up).map(|(node, _)| node).collect();
            alone.balancer.set(pool, &all, &fence).await?;
            alone.balancer.verify(pool, &all).await?;
            if !out.is_empty() {
                alone.balancer.drain(pool, &out, &fence).await?;
            }
        }
        self.store.forget(OWED, &format!("{balancer}/{pool}/{host}")).await?;
        self.told("bring right", &format!("pool {pool}@{balancer} on {host}"), "as the others have it", "").await?;
        self.observe_soon();
        Ok(())
    }
}
