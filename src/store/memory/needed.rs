//! What a dispatch needs of a store, and nothing else: leases, the journal, ports, pools, what is kept. The SQL store and the one
//! in memory both keep it, and one suite holds both to it.

use super::super::{Acquired, Change, Entry, Object, Store, SwarmRun};
use crate::model::Result;
use crate::model::record::{Dispatch, Event, Lease};
use async_trait::async_trait;
use std::collections::BTreeMap;

/// Each method as the one of the same name of [`Store`].
#[async_trait]
pub trait DispatchStore: Send + Sync {
    async fn acquire(&self, wanted: &Lease, min_epoch: i64) -> Result<Acquired>;
    async fn take_over(&self, seen: &Lease, wanted: &Lease, min_epoch: i64) -> Result<Acquired>;
    async fn renew(&self, lease: &Lease, step: &str) -> Result<Lease>;
    async fn release_lease(&self, lease: &Lease) -> Result<()>;
    async fn leases(&self) -> Result<Vec<Lease>>;

    async fn take_ports(&self, host_id: &str, ports: &[u16], dispatch_id: &str) -> Result<()>;
    async fn release_ports(&self, dispatch_id: &str) -> Result<()>;
    async fn give_back_unbegun(&self, lease: &Lease, dispatch_id: &str) -> Result<()>;
    async fn free_ports_of_nobody(&self) -> Result<()>;
    async fn port_leases(&self) -> Result<BTreeMap<String, BTreeMap<u16, String>>>;

    async fn create_dispatch(&self, dispatch: &mut Dispatch, lease: &Lease, events: &[Event]) -> Result<()>;
    async fn record(&self, entry: &Entry<'_>) -> Result<()>;
    async fn dispatch(&self, id: &str) -> Result<Option<Dispatch>>;
    async fn open_dispatches(&self) -> Result<Vec<Dispatch>>;
    async fn owing_dispatches(&self) -> Result<Vec<Dispatch>>;
    async fn runs_of(&self, swarm_id: &str, limit: i64) -> Result<Vec<SwarmRun>>;
    async fn note(&self, events: &[Event]) -> Result<()>;
    async fn events_after(&self, cursor: i64, limit: i64) -> Result<Vec<Event>>;

    async fn apply(&self, changes: &[Change], who: &str, why: &str, now_ms: i64) -> Result<Vec<Object>>;
    async fn by_id(&self, id: &str) -> Result<Option<Object>>;

    async fn claim_pool(&self, balancer: &str, pool: &str, swarm_id: &str, now_ms: i64) -> Result<()>;
    async fn pool_owner(&self, balancer: &str, pool: &str) -> Result<Option<String>>;
    async fn release_pool(&self, balancer: &str, pool: &str, swarm_id: &str) -> Result<()>;

    /// `keep` of a text.
    async fn keep_text(&self, kind: &str, name: &str, text: &str, now_ms: i64) -> Result<()>;
    /// `keep_under` of a text.
    async fn keep_text_under(&self, lease: &Lease, kind: &str, name: &str, text: &str, now_ms: i64) -> Result<()>;
    /// `kept` of a text.
    async fn kept_text(&self, kind: &str, name: &str) -> Result<Option<String>>;
    async fn forget(&self, kind: &str, name: &str) -> Result<()>;
}

#[async_trait]
impl DispatchStore for Store {
    async fn acquire(&self, wanted: &Lease, min_epoch: i64) -> Result<Acquired> {
        Store::acquire(self, wanted, min_epoch).await
    }
    async fn take_over(&self, seen: &Lease, wanted: &Lease, min_epoch: i64) -> Result<Acquired> {
        Store::take_over(self, seen, wanted, min_epoch).await
    }
    async fn renew(&self, lease: &Lease, step: &str) -> Result<Lease> {
        Store::renew(self, lease, step).await
    }
    async fn release_lease(&self, lease: &Lease) -> Result<()> {
        Store::release_lease(self, lease).await
    }
    async fn leases(&self) -> Result<Vec<Lease>> {
        Store::leases(self).await
    }
    async fn take_ports(&self, host_id: &str, ports: &[u16], dispatch_id: &str) -> Result<()> {
        Store::take_ports(self, host_id, ports, dispatch_id).await
    }
    async fn release_ports(&self, dispatch_id: &str) -> Result<()> {
        Store::release_ports(self, dispatch_id).await
    }
    async fn give_back_unbegun(&self, lease: &Lease, dispatch_id: &str) -> Result<()> {
        Store::give_back_unbegun(self, lease, dispatch_id).await
    }
    async fn free_ports_of_nobody(&self) -> Result<()> {
        Store::free_ports_of_nobody(self).await
    }
    async fn port_leases(&self) -> Result<BTreeMap<String, BTreeMap<u16, String>>> {
        Store::port_leases(self).await
    }
    async fn create_dispatch(&self, dispatch: &mut Dispatch, lease: &Lease, events: &[Event]) -> Result<()> {
        Store::create_dispatch(self, dispatch, lease, events).await
    }
    async fn record(&self, entry: &Entry<'_>) -> Result<()> {
        Store::record(self, entry).await
    }
    async fn dispatch(&self, id: &str) -> Result<Option<Dispatch>> {
        Store::dispatch(self, id).await
    }
    async fn open_dispatches(&self) -> Result<Vec<Dispatch>> {
        Store::open_dispatches(self).await
    }
    async fn owing_dispatches(&self) -> Result<Vec<Dispatch>> {
        Store::owing_dispatches(self).await
    }
    async fn runs_of(&self, swarm_id: &str, limit: i64) -> Result<Vec<SwarmRun>> {
        Store::runs_of(self, swarm_id, limit).await
    }
    async fn note(&self, events: &[Event]) -> Result<()> {
        Store::note(self, events, None).await
    }
    async fn events_after(&self, cursor: i64, limit: i64) -> Result<Vec<Event>> {
        Store::events_after(self, cursor, limit).await
    }
    async fn apply(&self, changes: &[Change], who: &str, why: &str, now_ms: i64) -> Result<Vec<Object>> {
        Store::apply(self, changes, who, why, now_ms).await
    }
    async fn by_id(&self, id: &str) -> Result<Option<Object>> {
        Store::by_id(self, id).await
    }
    async fn claim_pool(&self, balancer: &str, pool: &str, swarm_id: &str, now_ms: i64) -> Result<()> {
        Store::claim_pool(self, balancer, pool, swarm_id, now_ms).await
    }
    async fn pool_owner(&self, balancer: &str, pool: &str) -> Result<Option<String>> {
        Store::pool_owner(self, balancer, pool).await
    }
    async fn release_pool(&self, balancer: &str, pool: &str, swarm_id: &str) -> Result<()> {
        Store::release_pool(self, balancer, pool, swarm_id).await
    }
    async fn keep_text(&self, kind: &str, name: &str, text: &str, now_ms: i64) -> Result<()> {
        Store::keep(self, kind, name, &text, now_ms).await
    }
    async fn keep_text_under(&self, lease: &Lease, kind: &str, name: &str, text: &str, now_ms: i64) -> Result<()> {
        Store::keep_under(self, lease, kind, name, &text, now_ms).await
    }
    async fn kept_text(&self, kind: &str, name: &str) -> Result<Option<String>> {
        Store::kept(self, kind, name).await
    }
    async fn forget(&self, kind: &str, name: &str) -> Result<()> {
        Store::forget(self, kind, name).await
    }
}
