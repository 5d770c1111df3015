//! How traffic is moved: the trait of every balancer, its words, and one file per backend.

mod all_or_none;
#[cfg(test)]
mod conformance;
pub mod dummy;
pub mod nginx;
pub mod pool;
mod probe;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod stage;
mod written;

use crate::hosts::link::Link;
use crate::model::entity;
use crate::model::probe::Probe;
use crate::model::{Fault, Result};
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub use dummy::Remember;
pub use pool::{Asks, Description, Drained, EditedByHand, Fence, HostNodes, NodeState, Owner, Snapshot, Was};

/// A balancer: pools of nodes (`host:port`) on one or several balancer hosts. Rules and server blocks stay the operator's.
///
/// Every change says what shall be, not what to do, so that a retry or a resume is harmless. All balancer hosts change or none:
/// all that it was opened with. A host that is left out of a change is left out when it is opened, and brought right later by
/// opening that host alone and setting what the others hold.
#[async_trait]
pub trait Balancer: Send + Sync {
    /// What it is and where, for a screen.
    fn describe(&self) -> Description;

    /// The pool as each balancer host has it now, in host order; every host answers for itself, none hides the others.
    async fn look(&self, pool: &str) -> Result<Vec<(String, Result<HostNodes>)>>;

    /// The pool on all hosts, in host order; one that does not answer is a fault that names it.
    async fn nodes(&self, pool: &str) -> Result<Vec<HostNodes>> {
        Ok(all_or_none::all(self.look(pool).await?)?.into_iter().map(|(_, nodes)| nodes).collect())
    }

    /// Makes the pool hold exactly `desired`, all up, creating it where it is absent, and waits until every balancer host
    /// serves by it. Parameters and directives that an operator wrote beside a node that stays are kept. Empty: the pool stays
    /// valid, with no node that is up.
    /// Faults: refused (lower epoch, another installation, a pool that is not ours, changed meanwhile), unreachable, failed
    /// (with the balancer's own words). After a fault every host is as before, or the fault says which is not.
    async fn set(&self, pool: &str, desired: &BTreeSet<String>, fence: &Fence) -> Result<()>;

    /// Makes exactly `out` of the pool's nodes get nothing new and every other one be up; none is added or removed. What is out
    /// goes on with what it has, and [`Balancer::set`] brings it back. Faults as of `set`.
    async fn drain(&self, pool: &str, out: &BTreeSet<String>, fence: &Fence) -> Result<()>;

    /// Puts each host in the snapshot back to it, byte for byte. Hosts that are not in it are left alone; one that fails does
    /// not keep the others from being put back.
    async fn restore(&self, pool: &str, before: &Snapshot, fence: &Fence) -> Result<()>;

    /// Takes over a pool that somebody else wrote (an operator, Velociraptor, another installation): its nodes and
    /// parameters stay, the mark becomes ours. Refused when its form is not one pool that can be read.
    async fn adopt(&self, pool: &str, fence: &Fence) -> Result<()>;

    /// Waits until nothing that began before the last change can still reach the removed nodes, at most `limit`.
    async fn drained(&self, pool: &str, removed: &BTreeSet<String>, limit: Duration) -> Result<Drained>;

    /// Reads back on every host that the pool holds exactly `desired` and that the balancer really uses it.
    async fn verify(&self, pool: &str, desired: &BTreeSet<String>) -> Result<()>;

    /// Whether every balancer host can connect to these nodes, asked before they are routed: a proc may answer on its own host and
    /// yet be out of the balancer's reach. A backend that moves no traffic has nothing to ask.
    async fn reaches(&self, _nodes: &BTreeSet<String>) -> Result<()> {
        Ok(())
    }

    /// Makes the swarm's own request through every balancer host, after routing; says what was answered. None: this backend moves
    /// no traffic, so there is nothing to ask.
    async fn probe(&self, _probe: &Probe, _asks: Asks) -> Result<Option<String>> {
        Ok(None)
    }

    /// Raises the epoch of the fence's key on every host, never lowers it, and changes nothing else. The answer is the highest
    /// epoch now held anywhere: above the fence's own means that somebody else has taken over. Epoch 0 only asks.
    async fn raise(&self, fence: &Fence) -> Result<u64>;
}

/// The nodes that any balancer host has up.
pub fn up(hosts: &[HostNodes]) -> BTreeSet<String> {
    let up = |host: &HostNodes| {
        host.nodes.iter().filter(|(_, state)| **state == NodeState::Up).map(|(node, _)| node.clone()).collect::<Vec<_>>()
    };
    hosts.iter().flat_map(up).collect()
}

/// A kind of balancer that can be opened by name.
pub struct Backend {
    /// As in `backend:` of a document.
    pub name: &'static str,
    /// One line for help and errors.
    pub about: &'static str,
    open: Open,
}

type Open = fn(&entity::Balancer, Links, Arc<dyn Remember>) -> Result<Arc<dyn Balancer>>;

/// Balancer hosts by name, each with the way to it.
pub type Links = Vec<(String, Arc<dyn Link>)>;

/// Every backend that this binary knows. A new one is one file and one line here.
pub fn backends() -> &'static [Backend] {
    &[
        Backend { name: "dummy", about: "remembers its nodes and moves no traffic", open: dummy::open },
        Backend { name: "nginx", about: "one upstream file per pool in an include directory", open: nginx::open },
    ]
}

/// Opens a balancer as written, on these of its hosts. `remember` is where `dummy` keeps its nodes, and every backend what it last
/// wrote.
/// Faults: bad input for an unknown backend or a key that it cannot use.
pub fn open(balancer: &entity::Balancer, links: Links, remember: Arc<dyn Remember>) -> Result<Arc<dyn Balancer>> {
    let Some(backend) = backends().iter().find(|backend| backend.name == balancer.backend) else {
        let known = backends().iter().map(|backend| backend.name).collect::<Vec<_>>().join(", ");
        return Err(Fault::bad(format!("balancer {}: backend `{}` is not known", balancer.name, balancer.backend))
            .next(format!("use one of: {known}")));
    };
    (backend.open)(balancer, links, remember)
}
