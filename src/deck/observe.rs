//! Asking hosts and balancers what is there now: in parallel, none waiting for another, what was seen before kept with its age.

use super::{Catalog, Deck, locked};
use crate::fleet;
use crate::model::entity::{Host, Swarm};
use crate::model::world::{HostSeen, PoolSeen, World};
use crate::model::{Fault, Result};
use futures::FutureExt;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Deck {
    /// The world as this process last saw it; what was never asked here is as the store has it.
    pub async fn last_world(&self) -> Arc<World> {
        locked(&self.world).clone()
    }

    /// Takes what any process saw last from the store; answers with it.
    pub async fn read_seen(&self) -> Result<Vec<HostSeen>> {
        let seen = self.store.seen().await?;
        let mut world = (*self.last_world().await).clone();
        for host in &seen {
            world.hosts.entry(host.name.clone()).or_insert_with(|| host.clone());
        }
        *locked(&self.world) = Arc::new(world);
        Ok(seen)
    }

    /// Asks hosts and pools now: all, or those of a swarm: its squad's, and wherever procs that concern it were last seen.
    pub async fn observe(&self, catalog: &Catalog, swarm: Option<&Swarm>) -> Result<World> {
        let pools_of = |wanted: Option<&Swarm>| -> BTreeSet<(String, String)> {
            let swarms = catalog.swarms.iter().filter(|entry| wanted.is_none_or(|swarm| swarm.full_name() == entry.body.full_name()));
            swarms.filter_map(|entry| Some((entry.body.balancer.clone()?, entry.body.pool.clone()?))).collect()
        };
        self.read_seen().await?;
        let before = self.last_world().await;
        let (mut hosts, mut pools) = (catalog.hosts()?, pools_of(swarm));
        if let Some(swarm) = swarm {
            let concerned = super::strays::hosts_concerned(catalog, swarm, &before);
            hosts.retain(|host| host.squad == swarm.squad || concerned.contains(&host.name));
            if super::strays::has_orphans(catalog, swarm, &before) {
                // They may be in any pool.
                pools = pools_of(None);
            }
        }
        pools.extend(self.former_pools(catalog).await?.into_iter().map(|former| (former.balancer, former.pool)));
        self.look_at(catalog, &hosts, &pools).await
    }

    /// Asks these hosts and pools now; what is news is written down.
    pub(super) async fn look_at(&self, catalog: &Catalog, hosts: &[Host], pools: &BTreeSet<(String, String)>) -> Result<World> {
        let before = self.last_world().await;
        let (seen, pools) = tokio::join!(self.ask_hosts(catalog, hosts), self.ask_pools(catalog, pools));
        let mut world = (*self.last_world().await).clone();
        let known: BTreeSet<String> = catalog.hosts()?.into_iter().map(|host| host.name).collect();
        world.hosts.retain(|name, _| known.contains(name));
        let seen = seen?;
        // Who only reads what this process sees must not see it too old.
        let kept_for = if self.read_by_others.load(std::sync::atomic::Ordering::Relaxed) { READ_FOR } else { KEPT_FOR };
        // What is kept is read only where it may have to be written anew: most looks bring no news.
        let as_before = |host: &HostSeen| {
            let fresh = locked(&self.kept_at).get(&host.id).is_some_and(|kept_ms| host.asked_ms - kept_ms < kept_for);
            fresh && before.hosts.get(&host.name).is_some_and(|before| still(before) == still(host))
        };
        let quiet = seen.iter().all(as_before);
        let kept = if quiet { Vec::new() } else { self.store.seen().await? };
        let kept_of = |host: &HostSeen| kept.iter().find(|kept| kept.id == host.id);
        let is_news = |host: &&HostSeen| !quiet && is_news(before.hosts.get(&host.name), kept_of(host), host, kept_for);
        let news: Vec<HostSeen> = seen.iter().filter(is_news).cloned().collect();
        let writes = self.store.look_only().is_none();
        if !news.is_empty() && writes {
            self.store.put_seen(&news).await?;
        }
        locked(&self.kept_at).extend(kept.iter().chain(&news).map(|host| (host.id.clone(), host.asked_ms)));
        let looks: Vec<_> = seen.iter().map(|host| (before.hosts.get(&host.name).or_else(|| kept_of(host)), host)).collect();
        self.note_lives(catalog, &looks).await;
        for host in news.iter().filter(|_| writes) {
            self.tell_of_host(before.hosts.get(&host.name), kept_of(host), host).await?;
        }
        for host in seen {
            world.hosts.insert(host.name.clone(), host);
        }
        for pool in pools {
            let calm = |pool: &PoolSeen| {
                let mut pool = pool.clone();
                pool.hosts.iter_mut().for_each(|host| host.connections.clear());
                pool
            };
            let known = before.pools.iter().find(|known| known.balancer == pool.balancer && known.pool == pool.pool);
            if writes && self.is_observer() && known.is_none_or(|known| calm(known) != calm(&pool)) {
                self.store.keep(super::observing::POOLS, &format!("{}/{}", pool.balancer, pool.pool), &pool, self.now_ms()).await?;
            }
            world.pools.retain(|known| known.balancer != pool.balancer || known.pool != pool.pool);
            world.pools.push(pool);
        }
        mark_routed(self.store.installation(), catalog, &mut world);
        *locked(&self.world) = Arc::new(world.clone());
        Ok(world)
    }

    /// Asks everything, and has the look made anew.
    pub async fn observe_all(&self) -> Result<()> {
        let catalog = self.catalog().await?;
        self.observe(&catalog, None).await?;
        self.refresh_soon();
        Ok(())
    }

    /// Asks everything; whether it is as it was, but for what moves by itself.
    pub(super) async fn observe_known(&self, catalog: &Catalog) -> Result<bool> {
        let before = self.last_world().await;
        let after = self.observe(catalog, None).await?;
        Ok(is_same(&before, &after))
    }

    /// One host, now.
    pub(super) async fn observe_host(&self, catalog: &Catalog, host: &Host) -> Result<HostSeen> {
        let seen = self.ask_hosts(catalog, std::slice::from_ref(host)).await?.pop();
        seen.ok_or_else(|| Fault::failed("it could not be asked").on(&host.name))
    }

    /// The address under which balancers and uptests know a host.
    pub(super) async fn address(&self, host: &Host) -> String {
        self.links.address(host).await.unwrap_or_else(|_| host.address.clone())
    }

    /// What these hosts say of themselves now, all asked at the same time.
    pub(super) async fn ask_hosts(&self, catalog: &Catalog, hosts: &[Host]) -> Result<Vec<HostSeen>> {
        let before = self.last_world().await;
        let swarms = swarms(catalog);
        let known = fleet::Known { installation: self.store.installation(), swarms: &swarms };
        let reach = |host: &Host| {
            let (deck, host) = (self.clone(), host.clone());
            async move { Ok(fleet::Reached { link: deck.links.link(&host).await?, address: deck.address(&host).await }) }.boxed()
        };
        Ok(fleet::poll_all(hosts, &known, &before.hosts, self.now_ms(), fleet::DEADLINE, reach).await)
    }

    async fn ask_pools(&self, catalog: &Catalog, pools: &BTreeSet<(String, String)>) -> Vec<PoolSeen> {
        futures::future::join_all(pools.iter().map(|(balancer, pool)| self.ask_pool(catalog, balancer, pool))).await
    }

    /// A host that went away or came back is one event, however many processes look at it.
    async fn tell_of_host(&self, before: Option<&HostSeen>, kept: Option<&HostSeen>, now: &HostSeen) -> Result<()> {
        let differs = |was: Option<&HostSeen>| was.is_some_and(|was| was.asked_ms > 0 && was.is_ok() != now.is_ok());
        if !differs(before) || !differs(kept) {
            return Ok(());
        }
        let what = if now.is_ok() {
            format!("{} answers again", now.name)
        } else {
            format!("{} does not answer as it should: {}", now.name, state_words(now))
        };
        let event = crate::model::record::Event {
            at_ms: self.now_ms(),
            kind: "host".into(),
            what,
            place: now.name.clone(),
            result: if now.is_ok() { "success".into() } else { "warning".into() },
            ..Default::default()
        };
        self.store.note(&[event], None).await
    }
}

/// How old what is kept of a host may get while nothing on it changes (ms): each write wakes every console on this store.
const KEPT_FOR: i64 = 60_000;
/// The same while other consoles read what this one sees.
const READ_FOR: i64 = 14_000;

/// Whether a look is worth a write: this process sees something else than before, or what is kept has become old. What moves by
/// itself (clocks, load, free memory and disk) is no news; two processes that see a host differently do not write in turns.
fn is_news(before: Option<&HostSeen>, kept: Option<&HostSeen>, now: &HostSeen, kept_for: i64) -> bool {
    let Some(kept) = kept else { return true };
    now.asked_ms - kept.asked_ms >= kept_for || before.is_none_or(|before| still(before) != still(now))
}

/// Whether nothing changed in between but what moves by itself.
pub(super) fn is_same(before: &World, after: &World) -> bool {
    let routed = |host: &HostSeen| host.procs.iter().map(|proc| proc.routed).collect::<Vec<_>>();
    let pools = |world: &World| {
        let mut pools = world.pools.clone();
        for host in pools.iter_mut().flat_map(|pool| &mut pool.hosts) {
            host.connections.clear();
        }
        pools.sort_by(|one, other| (&one.balancer, &one.pool).cmp(&(&other.balancer, &other.pool)));
        pools
    };
    before.hosts.len() == after.hosts.len()
        && before.hosts.values().zip(after.hosts.values()).all(|(one, other)| still(one) == still(other) && routed(one) == routed(other))
        && pools(before) == pools(after)
}

/// A host without what moves by itself.
fn still(host: &HostSeen) -> HostSeen {
    let mut still =
        HostSeen { asked_ms: 0, seen_ms: 0, load: None, memory_total: None, memory_free: None, disk_free: None, ..host.clone() };
    for proc in &mut still.procs {
        (proc.now, proc.description, proc.routed) = (0, String::new(), None);
        (proc.cpu_percent, proc.rss_bytes, proc.cpu) = (None, None, None);
    }
    still
}

fn state_words(host: &HostSeen) -> String {
    match &host.state {
        crate::model::world::HostState::Unreachable(why) => format!("unreachable: {why}"),
        crate::model::world::HostState::Degraded(why) => why.clone(),
        _ => String::new(),
    }
}

/// Whether each proc of ours is in its swarm's pool; not known where the pool could not be read.
pub(super) fn mark_routed(installation: &str, catalog: &Catalog, world: &mut World) {
    let swarms = swarms(catalog);
    let known = fleet::Known { installation, swarms: &swarms };
    let pools: Vec<PoolSeen> = world.pools.iter().filter(|pool| pool.trouble.is_empty()).cloned().collect();
    for host in world.hosts.values_mut() {
        fleet::classify::mark_routed(&mut host.procs, &host.address, &known, &pools);
    }
}

pub(super) fn swarms(catalog: &Catalog) -> Vec<Swarm> {
    catalog.swarms.iter().map(|entry| Swarm { id: Some(entry.id.clone()), ..entry.body.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::world::HostState;

    #[test]
    fn only_news_is_written() {
        let host = fleet::classify::tests::host();
        let seen = |asked_ms: i64, load: f64, builds: &[&str]| HostSeen {
            asked_ms,
            seen_ms: asked_ms,
            load: Some(load),
            state: HostState::Ok,
            builds: builds.iter().map(|build| build.to_string()).collect(),
            ..fleet::observe::unseen(&host)
        };
        let first = seen(1_000, 0.1, &[]);
        assert!(is_news(None, None, &first, KEPT_FOR), "never kept");
        assert!(!is_news(Some(&first), Some(&first), &seen(3_000, 0.9, &[]), KEPT_FOR), "the load alone");
        assert!(is_news(Some(&first), Some(&first), &seen(61_000, 0.1, &[]), KEPT_FOR), "what is kept has become old");
        assert!(is_news(Some(&first), Some(&first), &seen(3_000, 0.1, &["b"]), KEPT_FOR), "a build more");
        let away = HostSeen { state: HostState::Unreachable("no route".into()), ..first.clone() };
        assert!(is_news(Some(&first), Some(&first), &away, KEPT_FOR), "it went away");
        assert!(!is_news(Some(&first), Some(&away), &seen(3_000, 0.1, &[]), KEPT_FOR), "somebody else sees it away; we saw it as before");
    }
}
