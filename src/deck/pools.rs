//! Pools beyond one dispatch: whose they are, what absent balancer hosts are owed, and the verbs on them. Each verb is shown as a
//! plan, done under the lease of the swarm that has the pool, under its fence, and audited.

use super::balancing::{Opened, agreed};
use super::leasing::Held;
use super::{Catalog, Deck, Entry};
use crate::balancers::{Fence, HostNodes, NodeState, Owner, Snapshot, Was, up};
use crate::dispatch::rules;
use crate::hosts::Link;
use crate::model::entity::Swarm;
use crate::model::shown::shown_lines;
use crate::model::{Fault, FaultKind, Result, document};
use crate::plan::{Plan, PoolChange};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

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

/// What is done to a pool by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolVerb {
    /// Take over what somebody else wrote, or what another swarm has.
    Adopt,
    /// Go back to what we last wrote where somebody edited it since.
    Repair,
    /// Take a node out: it gets nothing new and goes on with what it has.
    Drain(String),
    /// Put back a node that was taken out.
    PutBack(String),
}

impl PoolVerb {
    pub fn word(&self) -> &'static str {
        match self {
            PoolVerb::Adopt => "adopt",
            PoolVerb::Repair => "repair",
            PoolVerb::Drain(_) => "drain",
            PoolVerb::PutBack(_) => "put-back",
        }
    }
}

/// A verb on a pool, shown before it is done: exactly this is done, or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PoolPlan {
    pub balancer: String,
    pub pool: String,
    pub verb: PoolVerb,
    /// What will be done, a line each.
    pub lines: Vec<String>,
    /// The pool as it was when this was made.
    #[serde(skip)]
    before: Snapshot,
}

impl PoolPlan {
    /// `pool shop@edge`.
    pub fn object(&self) -> String {
        format!("pool {}@{}", self.pool, self.balancer)
    }
}

impl Deck {
    /// Computes what a verb would do to a pool (`POOL@BALANCER`, or `POOL` where that is one); changes nothing.
    pub async fn pool_plan(&self, name: &str, verb: PoolVerb) -> Result<PoolPlan> {
        let catalog = self.catalog().await?;
        let (pool, balancer) = pool_named(&catalog, name)?;
        let opened = self.open_counted(&catalog, &balancer, &pool).await?;
        let hosts = opened.balancer.nodes(&pool).await?;
        let lines = match &verb {
            PoolVerb::Adopt => self.adopt_lines(&catalog, &balancer, &pool, &hosts).await?,
            PoolVerb::Repair => repair_lines(self.store.installation(), &pool, &hosts)?,
            PoolVerb::Drain(node) => drain_lines(&pool, node, &hosts)?,
            PoolVerb::PutBack(node) => put_back_lines(&pool, node, &hosts)?,
        };
        Ok(PoolPlan { balancer, pool, verb, lines, before: Snapshot::of(&hosts) })
    }

    /// Does it, or refuses because the pool is not as it was shown; answers with what came of it.
    pub async fn pool_do(&self, plan: &PoolPlan, why: &str) -> Result<String> {
        let catalog = self.catalog().await?;
        let opened = self.open_counted(&catalog, &plan.balancer, &plan.pool).await?;
        let verb = plan.verb.word();
        let (held, fence) = self.pool_lease(&catalog, &opened, &plan.balancer, &plan.pool, &format!("{verb} {}", plan.object())).await?;
        let done = self.pool_under(&catalog, &opened, plan, &held, &fence).await;
        held.release().await?;
        let done = done?;
        self.told(verb, &plan.object(), &done, why).await?;
        self.observe_soon();
        Ok(done)
    }

    async fn pool_under(&self, catalog: &Catalog, opened: &Opened, plan: &PoolPlan, held: &Held, fence: &Fence) -> Result<String> {
        let (balancer, pool) = (&opened.balancer, plan.pool.as_str());
        let hosts = balancer.nodes(pool).await?;
        if Snapshot::of(&hosts) != plan.before {
            return Err(Fault::refused(format!("{} was changed since this was shown", plan.object())).next("look again, then repeat it"));
        }
        held.may_act()?;
        let out = || hosts.first().map(HostNodes::out).unwrap_or_default();
        match &plan.verb {
            PoolVerb::Adopt => {
                balancer.adopt(pool, fence).await?;
                self.take_pool_over(catalog, &plan.balancer, pool).await?;
                let nodes = up(&balancer.nodes(pool).await?).into_iter().collect::<Vec<_>>();
                Ok(format!("ours now; it holds {}", if nodes.is_empty() { "no nodes".into() } else { nodes.join(" ") }))
            }
            PoolVerb::Repair => {
                let written = Snapshot::written(&hosts);
                balancer.restore(pool, &written, fence).await?;
                if let Some(host) = balancer.nodes(pool).await?.iter().find(|host| host.edited_by_hand.is_some()) {
                    return Err(Fault::failed("it is still not as it was written").on(&host.host).next("look who else writes the pool"));
                }
                Ok(format!("as we last wrote it on {}", written.0.keys().cloned().collect::<Vec<_>>().join(", ")))
            }
            PoolVerb::Drain(node) => {
                let mut out = out();
                out.insert(node.clone());
                balancer.drain(pool, &out, fence).await?;
                let limit = swarm_of(catalog, &plan.balancer, pool).map_or(Duration::from_secs(30), |entry| entry.body.drain_timeout.0);
                let drained = balancer.drained(pool, &BTreeSet::from([node.clone()]), limit).await?;
                let left: Vec<String> = drained.left.iter().map(|(host, count)| format!("{count} on {host}")).collect();
                Ok(match drained.gone() {
                    true => format!("{node} is out, its connections gone"),
                    false => format!("{node} is out; drain_timeout ended the wait for old workers: {}", left.join(", ")),
                })
            }
            PoolVerb::PutBack(node) => {
                // It may have died meanwhile, and nothing that is not reached is routed.
                balancer.reaches(&BTreeSet::from([node.clone()])).await?;
                let mut out = out();
                out.remove(node);
                balancer.drain(pool, &out, fence).await?;
                Ok(format!("{node} gets requests again"))
            }
        }
    }

    /// The balancer on the hosts that count for a pool: all but those that are owed a change.
    async fn open_counted(&self, catalog: &Catalog, balancer: &str, pool: &str) -> Result<Opened> {
        let owed = self.owed_of(balancer, pool).await?;
        self.open_balancer_on(catalog, balancer, |host| !owed.contains_key(host)).await
    }

    /// The lease under which a pool is changed, that of the swarm that has it, so that it never meets a dispatch; and the fence.
    async fn pool_lease(&self, catalog: &Catalog, opened: &Opened, balancer: &str, pool: &str, why: &str) -> Result<(Held, Fence)> {
        let lease = match swarm_of(catalog, balancer, pool) {
            Some(entry) => format!("swarm/{}", entry.id),
            None => format!("pool/{balancer}/{pool}"),
        };
        let mut fence = self.pool_fence(opened, balancer, pool, 0);
        let seen = opened.balancer.raise(&fence).await?;
        let held = self.acquire(&lease, why, "", i64::try_from(seen).unwrap_or(i64::MAX - 1)).await?;
        fence.epoch = held.epoch();
        Ok((held, fence))
    }

    async fn adopt_lines(&self, catalog: &Catalog, balancer: &str, pool: &str, hosts: &[HostNodes]) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        for host in hosts {
            let whose = match &host.owner {
                Owner::Nobody => "nobody's yet".to_string(),
                Owner::Installation(id) if id.is_empty() || id == self.store.installation() => "ours".into(),
                Owner::Installation(id) => format!("of installation {id}"),
                Owner::Velociraptor => "as Velociraptor writes it".into(),
                Owner::Stranger => "written by somebody else".into(),
            };
            let edited = if host.edited_by_hand.is_some() { ", edited by hand; the edits stay" } else { "" };
            lines.push(format!("{}: {whose}{edited}; {} nodes, all stay", host.host, host.nodes.len()));
        }
        if let (Some(owner), Some(new)) = (self.other_owner(catalog, balancer, pool).await?, swarm_of(catalog, balancer, pool)) {
            lines.push(format!(
                "! it belongs to {}; from now on to {}, whose next dispatch takes the other's nodes out",
                owner.name, new.name
            ));
        }
        Ok(lines)
    }

    /// The swarm that last routed through a pool, when it is still there and is not the one that the pool is written to.
    async fn other_owner<'c>(&self, catalog: &'c Catalog, balancer: &str, pool: &str) -> Result<Option<&'c Entry<Swarm>>> {
        let owner = self.store.pool_owner(balancer, pool).await?;
        let now = swarm_of(catalog, balancer, pool).map(|entry| entry.id.clone());
        Ok(owner.filter(|owner| Some(owner) != now.as_ref()).and_then(|owner| catalog.swarms.iter().find(|entry| entry.id == owner)))
    }

    /// Makes the swarm that a pool is written to its owner. Never while the other one is at work on it.
    async fn take_pool_over(&self, catalog: &Catalog, balancer: &str, pool: &str) -> Result<()> {
        let Some(new) = swarm_of(catalog, balancer, pool) else { return Ok(()) };
        if let Some(owner) = self.store.pool_owner(balancer, pool).await?.filter(|owner| *owner != new.id) {
            // Free only while nobody holds it.
            self.acquire(&format!("swarm/{owner}"), &format!("take pool {pool}@{balancer} over"), "", 0).await?.release().await?;
            self.store.release_pool(balancer, pool, &owner).await?;
        }
        self.store.claim_pool(balancer, pool, &new.id, self.now_ms()).await
    }

    /// A pool belongs to one swarm: a dispatch that would put another swarm's nodes out of it is refused until that was asked.
    pub(super) async fn refuse_taken(&self, catalog: &Catalog, change: Option<&PoolChange>) -> Result<()> {
        let Some(change) = change.filter(|change| !change.before.is_empty()) else { return Ok(()) };
        let (balancer, pool) = (&change.balancer, &change.pool);
        match self.other_owner(catalog, balancer, pool).await? {
            None => Ok(()),
            Some(owner) => Err(Fault::refused(format!("pool {pool}@{balancer} belongs to {}, whose nodes are in it", owner.name))
                .at("plan")
                .next(format!("swarmdeck adopt pool {pool}@{balancer} takes it over; or give the swarm another pool"))),
        }
    }

    /// The balancer of a change, without the hosts that the change leaves out.
    pub(super) async fn open_change(
        &self,
        catalog: &Catalog,
        change: &PoolChange,
        over: fn(Arc<dyn Link>) -> Arc<dyn Link>,
    ) -> Result<Opened> {
        self.open_balancer_over(catalog, &change.balancer, |host| !change.left_out.iter().any(|left| left == host), over).await
    }

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

impl PoolOwed {
    /// One sentence.
    pub fn words(&self) -> String {
        self.what.clone()
    }
}

/// The swarm that a pool is written to.
pub(super) fn swarm_of<'c>(catalog: &'c Catalog, balancer: &str, pool: &str) -> Option<&'c Entry<Swarm>> {
    catalog.swarms.iter().find(|entry| entry.body.pool.as_deref() == Some(pool) && entry.body.balancer.as_deref() == Some(balancer))
}

/// `POOL@BALANCER`, or `POOL` where one balancer has it.
fn pool_named(catalog: &Catalog, name: &str) -> Result<(String, String)> {
    if let Some((pool, balancer)) = name.split_once('@') {
        catalog.balancer(balancer)?;
        return Ok((pool.to_string(), balancer.to_string()));
    }
    let of = |entry: &Entry<Swarm>| Some((entry.body.pool.clone()?, entry.body.balancer.clone()?));
    let all: BTreeSet<(String, String)> = catalog.swarms.iter().filter_map(of).collect();
    let matching: Vec<&(String, String)> = all.iter().filter(|(pool, _)| pool == name).collect();
    let list = |pools: &mut dyn Iterator<Item = &(String, String)>| {
        let names: Vec<String> = pools.map(|(pool, balancer)| format!("{pool}@{balancer}")).collect();
        if names.is_empty() { "POOL@BALANCER".to_string() } else { names.join(", ") }
    };
    match matching.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(Fault::bad(format!("no swarm has a pool '{name}'")).next(format!("one of: {}", list(&mut all.iter())))),
        several => Err(Fault::bad(format!("'{name}' is a pool of several balancers"))
            .next(format!("say which: {}", list(&mut several.iter().copied())))),
    }
}

fn repair_lines(installation: &str, pool: &str, hosts: &[HostNodes]) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for host in hosts {
        let Some(edit) = &host.edited_by_hand else { continue };
        if let Owner::Installation(id) = &host.owner
            && !id.is_empty()
            && id != installation
        {
            return Err(Fault::refused(format!("pool {pool} is of installation {id} now")).on(&host.host).next("adopt it first"));
        }
        let Some(written) = &host.written else {
            return Err(Fault::refused(format!(
                "what was last written to pool {pool} is not remembered, so there is nothing to go back to"
            ))
            .on(&host.host)
            .next("swarmdeck adopt pool keeps it as it is; a dispatch writes it anew"));
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (now, then) = (text(host.text.as_deref().unwrap_or_default()), text(written));
        let difference = similar::TextDiff::from_lines(&now, &then).unified_diff().context_radius(2).to_string();
        lines.push(format!("{}: edited by hand: {}; back to what we last wrote:", host.host, edit.what));
        lines.extend(shown_lines(&difference).lines().map(|line| format!("  {line}")));
    }
    if lines.is_empty() {
        return Err(Fault::refused(format!("nobody edited pool {pool}; there is nothing to repair")).next("swarmdeck balancers"));
    }
    Ok(lines)
}

fn drain_lines(pool: &str, node: &str, hosts: &[HostNodes]) -> Result<Vec<String>> {
    let nodes = agreed(pool, hosts)?;
    match nodes.get(node) {
        None => {
            return Err(Fault::bad(format!("{node} is not in pool {pool}"))
                .next(format!("one of: {}", nodes.keys().cloned().collect::<Vec<_>>().join(", "))));
        }
        Some(NodeState::Up) => {}
        Some(_) => return Err(Fault::refused(format!("{node} is out of pool {pool} already")).next("swarmdeck balancers")),
    }
    let stay: Vec<String> = up(hosts).into_iter().filter(|other| other != node).collect();
    if stay.is_empty() {
        return Err(Fault::refused(format!("{node} is the last node of pool {pool} that is up: nobody would serve"))
            .next("start another proc first: swarmdeck size"));
    }
    let count: u32 = hosts.iter().filter_map(|host| host.connections.get(node)).sum();
    let counted = hosts.iter().any(|host| host.connections.contains_key(node));
    let names: Vec<&str> = hosts.iter().map(|host| host.host.as_str()).collect();
    let mut lines = vec![format!("{node} gets nothing new through {}; it goes on with what it has", names.join(", "))];
    if counted {
        lines.push(format!("it has {count} connections now"));
    }
    lines.push(format!("{} stay up: {}", stay.len(), stay.join(" ")));
    lines.push(format!("back: swarmdeck balancers put-back {pool} {node}; the next dispatch that proves it puts it back too"));
    Ok(lines)
}

fn put_back_lines(pool: &str, node: &str, hosts: &[HostNodes]) -> Result<Vec<String>> {
    let nodes = agreed(pool, hosts)?;
    match nodes.get(node) {
        None => Err(Fault::bad(format!("{node} is not in pool {pool}")).next("dispatch its swarm: only what is proven is routed")),
        Some(NodeState::Up) => Err(Fault::refused(format!("{node} is up in pool {pool} already")).next("swarmdeck balancers")),
        Some(_) => {
            let names: Vec<&str> = hosts.iter().map(|host| host.host.as_str()).collect();
            Ok(vec![format!("{node} gets requests again through {}, once each can connect to it", names.join(", "))])
        }
    }
}

#[cfg(test)]
#[path = "pools_tests.rs"]
mod tests;
