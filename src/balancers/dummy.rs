//! The `dummy` balancer: it remembers its nodes in the store and moves no traffic; for demos, tests and swarms without one.

use super::pool::{Description, Drained, Fence, HostNodes, NodeState, Owner, Snapshot, check, check_pool};
use super::{Balancer, Links};
use crate::model::{Fault, Result, entity};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Where `dummy` keeps its pools: text by balancer and pool. What was put is there after a restart and for every process.
#[async_trait]
pub trait Remember: Send + Sync {
    async fn get(&self, balancer: &str, pool: &str) -> Result<Option<String>>;
    /// None forgets it.
    async fn put(&self, balancer: &str, pool: &str, text: Option<&str>) -> Result<()>;
}

/// The name under which it reports its one "host".
pub const HOST: &str = "store";

struct Dummy {
    name: String,
    memory: Arc<dyn Remember>,
}

pub(super) fn open(balancer: &entity::Balancer, _: Links, memory: Arc<dyn Remember>) -> Result<Arc<dyn Balancer>> {
    Ok(Arc::new(Dummy { name: balancer.name.clone(), memory }))
}

impl Dummy {
    /// The epoch is kept beside the pools; no pool's name has a `/`.
    fn fence_place(fence: &Fence) -> String {
        format!("fence/{}", fence.key)
    }

    async fn epoch(&self, fence: &Fence) -> Result<u64> {
        let text = self.memory.get(&self.name, &Self::fence_place(fence)).await?;
        Ok(text.and_then(|text| text.trim().parse().ok()).unwrap_or(0))
    }

    async fn pass(&self, fence: &Fence) -> Result<()> {
        let held = self.raise(fence).await?;
        if held > fence.epoch {
            return Err(Fault::refused(format!("another holder has taken over (epoch {held}, ours is {})", fence.epoch))
                .on(HOST)
                .next("look at the dispatch that holds the pool"));
        }
        Ok(())
    }
}

/// One `host:port` a line.
fn render(nodes: &BTreeSet<String>) -> String {
    nodes.iter().map(|node| format!("{node}\n")).collect()
}

#[async_trait]
impl Balancer for Dummy {
    fn describe(&self) -> Description {
        Description { name: self.name.clone(), backend: "dummy", hosts: vec![HOST.into()], place: "remembered in the store".into() }
    }

    async fn nodes(&self, pool: &str) -> Result<Vec<HostNodes>> {
        check_pool(pool)?;
        let text = self.memory.get(&self.name, pool).await?;
        let nodes: BTreeMap<_, _> = text.iter().flat_map(|text| text.lines()).map(|node| (node.to_string(), NodeState::Up)).collect();
        let owner = if text.is_some() { Owner::Installation(String::new()) } else { Owner::Nobody };
        Ok(vec![HostNodes { host: HOST.into(), nodes, owner, edited_by_hand: None, text: text.map(String::into_bytes) }])
    }

    async fn set(&self, pool: &str, desired: &BTreeSet<String>, fence: &Fence) -> Result<()> {
        check(pool, desired)?;
        self.pass(fence).await?;
        self.memory.put(&self.name, pool, Some(&render(desired))).await
    }

    async fn restore(&self, pool: &str, before: &Snapshot, fence: &Fence) -> Result<()> {
        check_pool(pool)?;
        self.pass(fence).await?;
        let Some(text) = before.0.get(HOST) else { return Ok(()) };
        let text = text.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        self.memory.put(&self.name, pool, text.as_deref()).await
    }

    async fn adopt(&self, _: &str, fence: &Fence) -> Result<()> {
        self.pass(fence).await
    }

    async fn drained(&self, _: &str, _: &BTreeSet<String>, _: Duration) -> Result<Drained> {
        Ok(Drained::default())
    }

    async fn verify(&self, pool: &str, desired: &BTreeSet<String>) -> Result<()> {
        let hosts = self.nodes(pool).await?;
        super::pool::same(pool, &hosts, desired)
    }

    async fn raise(&self, fence: &Fence) -> Result<u64> {
        let held = self.epoch(fence).await?;
        if fence.epoch > held {
            self.memory.put(&self.name, &Self::fence_place(fence), Some(&fence.epoch.to_string())).await?;
        }
        Ok(held.max(fence.epoch))
    }
}
