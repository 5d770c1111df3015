//! Balancers as the deck opens them: the way to their hosts, and where `dummy` remembers its nodes.

use super::{Catalog, Deck};
use crate::balancers::{self, Balancer, Fence, HostNodes, Owner, Remember};
use crate::hosts::Link;
use crate::model::entity::Host;
use crate::model::{Fault, Result, document};
use crate::store::Store;
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::sync::Arc;

/// `dummy`'s memory: the store.
struct Memory(Store, fn() -> i64);

#[async_trait]
impl Remember for Memory {
    async fn get(&self, balancer: &str, pool: &str) -> Result<Option<String>> {
        self.0.kept("dummy pool", &format!("{balancer}/{pool}")).await
    }
    async fn put(&self, balancer: &str, pool: &str, text: Option<&str>) -> Result<()> {
        let name = format!("{balancer}/{pool}");
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
        self.open_balancer_over(catalog, name, |link| link).await
    }

    /// The same, over links that are made of ours.
    pub(super) async fn open_balancer_over(
        &self,
        catalog: &Catalog,
        name: &str,
        over: fn(Arc<dyn Link>) -> Arc<dyn Link>,
    ) -> Result<Opened> {
        let entry = catalog.balancer(name)?;
        let hosts = document::balancer_hosts(&entry.body, &catalog.hosts()?)?;
        let mut links = Vec::new();
        for host in &hosts {
            links.push((host.name.clone(), over(self.links.link(host).await?)));
        }
        let memory = Arc::new(Memory(self.store.clone(), self.outside.now_ms));
        Ok(Opened { balancer: balancers::open(&entry.body, links, memory)?, hosts })
    }

    /// Takes a pool (`POOL@BALANCER`) over that somebody else wrote; answers with its nodes. Under the lease of the swarm that
    /// the pool belongs to, so that it never meets a dispatch.
    pub async fn pool_adopt(&self, name: &str, why: &str) -> Result<Vec<String>> {
        let catalog = self.catalog().await?;
        let (pool, balancer) = name
            .split_once('@')
            .ok_or_else(|| Fault::bad(format!("'{name}' does not say of which balancer")).next("write POOL@BALANCER"))?;
        let opened = self.open_balancer(&catalog, balancer).await?;
        let of_pool = |entry: &&super::Entry<crate::model::entity::Swarm>| {
            entry.body.pool.as_deref() == Some(pool) && entry.body.balancer.as_deref() == Some(balancer)
        };
        let lease =
            catalog.swarms.iter().find(of_pool).map_or_else(|| format!("pool/{balancer}/{pool}"), |entry| format!("swarm/{}", entry.id));
        let mut fence = Fence {
            installation: self.store.installation().to_string(),
            key: format!("pool/{balancer}/{pool}"),
            epoch: 0,
            root: opened.root(),
        };
        let seen = opened.balancer.raise(&fence).await?;
        let held = self.acquire(&lease, &format!("adopt pool {name}"), "", i64::try_from(seen).unwrap_or(i64::MAX - 1)).await?;
        fence.epoch = held.epoch();
        let adopted = match held.may_act() {
            Ok(()) => opened.balancer.adopt(pool, &fence).await,
            Err(fault) => Err(fault),
        };
        held.release().await?;
        adopted?;
        self.told("adopt", &format!("pool {name}"), "done", why).await?;
        let nodes: BTreeSet<String> = opened.balancer.nodes(pool).await?.into_iter().flat_map(|host| host.nodes.into_keys()).collect();
        Ok(nodes.into_iter().collect())
    }
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
