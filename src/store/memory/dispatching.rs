//! The store in memory behind the same trait as the SQL one.

use super::super::{Acquired, Change, Entry, Object, SwarmRun};
use super::{DispatchStore, Memory};
use crate::model::Result;
use crate::model::record::{Dispatch, Event, Lease};
use async_trait::async_trait;
use std::collections::BTreeMap;

#[async_trait]
impl DispatchStore for Memory {
    async fn acquire(&self, wanted: &Lease, min_epoch: i64) -> Result<Acquired> {
        Memory::acquire(self, wanted, min_epoch)
    }
    async fn take_over(&self, seen: &Lease, wanted: &Lease, min_epoch: i64) -> Result<Acquired> {
        Memory::take_over(self, seen, wanted, min_epoch)
    }
    async fn renew(&self, lease: &Lease, step: &str) -> Result<Lease> {
        Memory::renew(self, lease, step)
    }
    async fn release_lease(&self, lease: &Lease) -> Result<()> {
        Memory::release_lease(self, lease)
    }
    async fn leases(&self) -> Result<Vec<Lease>> {
        Ok(Memory::leases(self))
    }
    async fn take_ports(&self, host_id: &str, ports: &[u16], dispatch_id: &str) -> Result<()> {
        Memory::take_ports(self, host_id, ports, dispatch_id)
    }
    async fn release_ports(&self, dispatch_id: &str) -> Result<()> {
        Memory::release_ports(self, dispatch_id)
    }
    async fn free_ports_of_nobody(&self) -> Result<()> {
        Memory::free_ports_of_nobody(self);
        Ok(())
    }
    async fn port_leases(&self) -> Result<BTreeMap<String, BTreeMap<u16, String>>> {
        Ok(Memory::port_leases(self))
    }
    async fn create_dispatch(&self, dispatch: &mut Dispatch, lease: &Lease, events: &[Event]) -> Result<()> {
        Memory::create_dispatch(self, dispatch, lease, events)
    }
    async fn record(&self, entry: &Entry<'_>) -> Result<()> {
        Memory::record(self, entry)
    }
    async fn dispatch(&self, id: &str) -> Result<Option<Dispatch>> {
        Ok(Memory::dispatch(self, id))
    }
    async fn open_dispatches(&self) -> Result<Vec<Dispatch>> {
        Ok(Memory::open_dispatches(self))
    }
    async fn owing_dispatches(&self) -> Result<Vec<Dispatch>> {
        Ok(Memory::owing_dispatches(self))
    }
    async fn runs_of(&self, swarm_id: &str, limit: i64) -> Result<Vec<SwarmRun>> {
        Ok(Memory::runs_of(self, swarm_id, limit))
    }
    async fn note(&self, events: &[Event]) -> Result<()> {
        Memory::note(self, events);
        Ok(())
    }
    async fn events_after(&self, cursor: i64, limit: i64) -> Result<Vec<Event>> {
        Ok(Memory::events_after(self, cursor, limit))
    }
    async fn apply(&self, changes: &[Change], who: &str, _why: &str, now_ms: i64) -> Result<Vec<Object>> {
        Memory::apply(self, changes, who, now_ms)
    }
    async fn by_id(&self, id: &str) -> Result<Option<Object>> {
        Ok(Memory::by_id(self, id))
    }
    async fn claim_pool(&self, balancer: &str, pool: &str, swarm_id: &str, _now_ms: i64) -> Result<()> {
        Memory::claim_pool(self, balancer, pool, swarm_id)
    }
    async fn pool_owner(&self, balancer: &str, pool: &str) -> Result<Option<String>> {
        Ok(Memory::pool_owner(self, balancer, pool))
    }
    async fn release_pool(&self, balancer: &str, pool: &str, swarm_id: &str) -> Result<()> {
        Memory::release_pool(self, balancer, pool, swarm_id);
        Ok(())
    }
    async fn keep_text(&self, kind: &str, name: &str, text: &str, _now_ms: i64) -> Result<()> {
        Memory::keep_text(self, kind, name, text);
        Ok(())
    }
    async fn keep_text_under(&self, lease: &Lease, kind: &str, name: &str, text: &str, _now_ms: i64) -> Result<()> {
        Memory::keep_text_under(self, lease, kind, name, text)
    }
    async fn give_back_unbegun(&self, lease: &Lease, dispatch_id: &str) -> Result<()> {
        Memory::give_back_unbegun(self, lease, dispatch_id)
    }
    async fn kept_text(&self, kind: &str, name: &str) -> Result<Option<String>> {
        Ok(Memory::kept_text(self, kind, name))
    }
    async fn forget(&self, kind: &str, name: &str) -> Result<()> {
        Memory::forget(self, kind, name);
        Ok(())
    }
}
