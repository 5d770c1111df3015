//! The `dummy` balancer: it remembers its nodes in the store and moves no traffic; for demos, tests and swarms without one.

use super::pool::{Description, Drained, Fence, HostNodes, NodeState, Owner, Snapshot, check, check_pool};
use super::written::{Written, edit};
use super::{Balancer, Links};
use crate::model::{Fault, Result, entity};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Where `dummy` keeps its pools, and every backend what it last wrote: text by balancer and place. What was put is there after a
/// restart and for every process.
#[async_trait]
pub trait Remember: Send + Sync {
    async fn get(&self, balancer: &str, place: &str) -> Result<Option<String>>;
    /// None forgets it.
    async fn put(&self, balancer: &str, place: &str, text: Option<&str>) -> Result<()>;
}

/// The name under which it reports its one "host".
pub const HOST: &str = "store";

struct Dummy {
    name: String,
    memory: Arc<dyn Remember>,
    written: Written,
}

pub(super) fn open(balancer: &entity::Balancer, _: Links, memory: Arc<dyn Remember>) -> Result<Arc<dyn Balancer>> {
    let written = Written::new(&balancer.name, Arc::clone(&memory));
    Ok(Arc::new(Dummy { name: balancer.name.clone(), memory, written }))
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

/// One `host:port` a line, with ` down` behind it when it is taken out.
fn render(nodes: &BTreeMap<String, NodeState>) -> String {
    nodes.iter().map(|(node, state)| format!("{node}{}\n", if *state == NodeState::Up { "" } else { " down" })).collect()
}

fn read(text: &str) -> BTreeMap<String, NodeState> {
    let node = |line: &str| match line.strip_suffix(" down") {
        Some(node) => (node.to_string(), NodeState::Down),
        None => (line.to_string(), NodeState::Up),
    };
    text.lines().map(node).collect()
}

impl Dummy {
    async fn write(&self, pool: &str, nodes: &BTreeMap<String, NodeState>) -> Result<()> {
        let text = render(nodes);
        self.memory.put(&self.name, pool, Some(&text)).await?;
        self.written.keep(pool, HOST, Some(text.as_bytes())).await
    }

    async fn seen(&self, pool: &str) -> Result<HostNodes> {
        let text = self.memory.get(&self.name, pool).await?.map(String::into_bytes);
        let written = self.written.last(pool, HOST).await?;
        let is_edited = written.is_some() && written != text;
        Ok(HostNodes {
            host: HOST.into(),
            nodes: read(&String::from_utf8_lossy(text.as_deref().unwrap_or_default())),
            connections: BTreeMap::new(),
            owner: if text.is_some() { Owner::Installation(String::new()) } else { Owner::Nobody },
            edited_by_hand: is_edited.then(|| edit("its nodes are not those last written", written.as_deref(), text.as_deref())),
            // What stands there was written by us, though by a binary that did not remember.
            written: written.or_else(|| text.clone()),
            text,
        })
    }
}

#[async_trait]
impl Balancer for Dummy {
    fn describe(&self) -> Description {
        Description {
            name: self.name.clone(),
            backend: "dummy",
            hosts: vec![HOST.into()],
            place: "remembered in the store".into(),
            moves_traffic: false,
        }
    }

    async fn look(&self, pool: &str) -> Result<Vec<(String, Result<HostNodes>)>> {
        check_pool(pool)?;
        Ok(vec![(HOST.into(), self.seen(pool).await)])
    }

    async fn set(&self, pool: &str, desired: &BTreeSet<String>, fence: &Fence) -> Result<()> {
        check(pool, desired)?;
        self.pass(fence).await?;
        self.write(pool, &desired.iter().map(|node| (node.clone(), NodeState::Up)).collect()).await
    }

    async fn drain(&self, pool: &str, out: &BTreeSet<String>, fence: &Fence) -> Result<()> {
        check(pool, out)?;
        self.pass(fence).await?;
        let mut nodes = self.seen(pool).await?.nodes;
        for (node, state) in &mut nodes {
            *state = if out.contains(node) { NodeState::Down } else { NodeState::Up };
        }
        self.write(pool, &nodes).await
    }

    async fn restore(&self, pool: &str, before: &Snapshot, fence: &Fence) -> Result<()> {
        check_pool(pool)?;
        self.pass(fence).await?;
        let Some(was) = before.0.get(HOST) else { return Ok(()) };
        let text = was.text.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        self.memory.put(&self.name, pool, text.as_deref()).await?;
        self.written.keep(pool, HOST, was.written.as_deref()).await
    }

    async fn adopt(&self, pool: &str, fence: &Fence) -> Result<()> {
        check_pool(pool)?;
        self.pass(fence).await?;
        let text = self.memory.get(&self.name, pool).await?;
        self.written.keep(pool, HOST, text.as_ref().map(String::as_bytes)).await
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
