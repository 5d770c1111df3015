//! Balancers as the deck opens and sees them: the way to their hosts, what every backend remembers, and each pool host by host.

use super::{Catalog, Deck};
use crate::balancers::{self, Balancer, Fence, HostNodes, Owner, Remember};
use crate::hosts::Link;
use crate::model::entity::Host;
use crate::model::shown::shown;
use crate::model::world::{PoolHost, PoolSeen};
use crate::model::{Fault, Result, document};
use crate::store::Store;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The memory of balancers: the store.
struct Memory(Store, fn() -> i64);

#[async_trait]
impl Remember for Memory {
    async fn get(&self, balancer: &str, place: &str) -> Result<Option<String>> {
        self.0.kept("dummy pool", &format!("{balancer}/{place}")).await
    }
    async fn put(&self, balancer: &str, place: &str, text: Option<&str>) -> Result<()> {
        let name = format!("{balancer}/{place}");
        match text {
            Some(text) => self.0.keep("dummy pool", &name, &text, (self.1)()).await,
            None => self.0.forget("dummy pool", &name).await,
        }
    }
}

/// An opened balancer and its hosts.
pub struct Opened {
    pub balancer: Arc<dyn Balancer>,
    pub hosts: Vec<Host>,
}

impl Opened {
    /// The root of its first host, where the fence lies.
    pub fn root(&self) -> String {
        self.hosts.first().map_or_else(|| "/apps".to_string(), |host| host.root.clone())
    }
}

impl Deck {
    /// Opens a balancer by name; connects to nothing yet.
    pub async fn open_balancer(&self, catalog: &Catalog, name: &str) -> Result<Opened> {
        self.open_balancer_on(catalog, name, |_| true).await
    }

    /// Opens it on some of its hosts, so that a change leaves the others out. What it changes on the way is owed to those.
    pub async fn open_balancer_on(&self, catalog: &Catalog, name: &str, wanted: impl Fn(&str) -> bool) -> Result<Opened> {
        self.open_balancer_over(catalog, name, wanted, |link| link).await
    }

    /// The same, over links that are made of ours.
    pub(super) async fn open_balancer_over(
        &self,
        catalog: &Catalog,
        name: &str,
        wanted: impl Fn(&str) -> bool,
        over: fn(Arc<dyn Link>) -> Arc<dyn Link>,
    ) -> Result<Opened> {
        let entry = catalog.balancer(name)?;
        let all = document::balancer_hosts(&entry.body, &catalog.hosts()?)?;
        let hosts: Vec<Host> = all.iter().filter(|host| wanted(&host.name)).cloned().collect();
        if hosts.is_empty() && !all.is_empty() {
            return Err(Fault::unreachable(format!("every host of balancer {name} is left out"))
                .next("bring one of them back: what nobody serves cannot be routed"));
        }
        let mut links = Vec::new();
        for host in &hosts {
            links.push((host.name.clone(), over(self.links.link(host).await?)));
        }
        let memory = Arc::new(Memory(self.store.clone(), self.outside.now_ms));
        Ok(Opened { balancer: balancers::open(&entry.body, links, memory)?, hosts })
    }

    /// The fence of a pool at an epoch.
    pub(super) fn pool_fence(&self, opened: &Opened, balancer: &str, pool: &str, epoch: u64) -> Fence {
        Fence { installation: self.store.installation().to_string(), key: format!("pool/{balancer}/{pool}"), epoch, root: opened.root() }
    }

    /// A pool as each host of its balancer has it now. What a host holds that is owed a change does not count.
    pub(super) async fn ask_pool(&self, catalog: &Catalog, balancer: &str, pool: &str) -> PoolSeen {
        let mut seen = PoolSeen { balancer: balancer.into(), pool: pool.into(), ..PoolSeen::default() };
        let asked = async {
            let opened = self.open_balancer(catalog, balancer).await?;
            Ok::<_, Fault>((opened.balancer.describe(), self.owed_of(balancer, pool).await?))
        };
        let (described, owed) = match asked.await {
            Ok(answer) => answer,
            Err(fault) => {
                seen.trouble.push(fault.line());
                return seen;
            }
        };
        seen.moves_traffic = described.moves_traffic;
        // Each alone and within the time: one that hangs hides none of the others.
        let looking = described.hosts.iter().map(|host| async move {
            let asked = async {
                let alone = self.open_balancer_on(catalog, balancer, |name| name == host).await?;
                let mut looked = alone.balancer.look(pool).await?;
                looked.pop().ok_or_else(|| Fault::failed("it said nothing of the pool"))?.1
            };
            let late = || Err(Fault::unreachable(format!("no answer within {:?}", crate::fleet::DEADLINE)));
            (host.clone(), tokio::time::timeout(crate::fleet::DEADLINE, asked).await.unwrap_or_else(|_| late()))
        });
        let looked: Vec<(String, Result<HostNodes>)> = futures::future::join_all(looking).await;
        let mut answered = Vec::new();
        for (host, answer) in looked {
            let mut line = PoolHost { owed: owed.get(&host).map(|owed| owed.words()), host, ..PoolHost::default() };
            match answer {
                Ok(nodes) => {
                    (line.nodes, line.connections) = (nodes.nodes.clone(), nodes.connections.clone());
                    line.edited_by_hand = nodes.edited_by_hand.clone();
                    if line.counts() {
                        answered.push(nodes);
                    }
                }
                Err(fault) if fault.kind == crate::model::FaultKind::Unreachable => line.away = Some(shown(&fault.what)),
                Err(fault) => {
                    line.away = Some(shown(&fault.what));
                    seen.trouble.push(fault.line());
                }
            }
            seen.hosts.push(line);
        }
        if answered.is_empty() && !seen.hosts.is_empty() && seen.trouble.is_empty() {
            let why = |host: &PoolHost| format!("{}: {}", host.host, host.away.as_deref().or(host.owed.as_deref()).unwrap_or_default());
            seen.trouble.push(format!("no balancer host can be asked: {}", seen.hosts.iter().map(why).collect::<Vec<_>>().join("; ")));
        }
        seen.nodes = seen.hosts.iter().filter(|host| host.counts()).flat_map(PoolHost::up).collect();
        seen.trouble.extend(not_ours(balancer, pool, self.store.installation(), &answered));
        seen.trouble.extend(disagreement(&seen));
        seen
    }
}

/// Where the hosts that count differ: who lacks what another has.
fn disagreement(seen: &PoolSeen) -> Option<String> {
    let lacks = |host: &PoolHost| {
        let missing: Vec<String> = seen.nodes.difference(&host.up()).cloned().collect();
        (!missing.is_empty()).then(|| format!("{} lacks {}", host.host, missing.join(" ")))
    };
    let all: Vec<String> = seen.hosts.iter().filter(|host| host.counts()).filter_map(lacks).collect();
    (!all.is_empty()).then(|| format!("its balancer hosts disagree: {}", all.join("; ")))
}

/// What the hosts of a pool hold, when they agree; otherwise a fault that says how they differ.
pub(super) fn agreed(pool: &str, hosts: &[HostNodes]) -> Result<BTreeMap<String, balancers::NodeState>> {
    let states = |host: &HostNodes| -> BTreeMap<String, bool> {
        host.nodes.iter().map(|(node, state)| (node.clone(), *state == balancers::NodeState::Up)).collect()
    };
    let mut pairs = hosts.iter().zip(hosts.iter().skip(1));
    if let Some((one, other)) = pairs.find(|(one, other)| states(one) != states(other)) {
        return Err(Fault::refused(format!("{} and {} do not agree on pool {pool}", one.host, other.host))
            .next(format!("swarmdeck balancers repair {pool}@BALANCER, or dispatch its swarm")));
    }
    Ok(hosts.first().map(|host| host.nodes.clone()).unwrap_or_default())
}

/// Why a dispatch could not change a pool that is there: somebody else's file is never overwritten without being asked.
pub(super) fn not_ours(balancer: &str, pool: &str, installation: &str, hosts: &[HostNodes]) -> Option<String> {
    // `dummy` keeps its pools in our own store and names no installation.
    let is_ours = |id: &str| id.is_empty() || id == installation;
    let strange = |host: &&HostNodes| match &host.owner {
        Owner::Nobody => false,
        Owner::Installation(id) => !is_ours(id),
        Owner::Velociraptor | Owner::Stranger => true,
    };
    let host = hosts.iter().find(strange)?;
    Some(format!("its file on {} was written by somebody else; swarmdeck adopt pool {pool}@{balancer} takes it over", host.host))
}
