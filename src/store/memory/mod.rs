//! A store in memory: what a dispatch needs of a store, without a disk, for the simulator. It passes the SQL store's own suite.

mod dispatching;
mod needed;

pub use needed::DispatchStore;

use super::{Acquired, Change, Entry, Object, Put, SwarmRun};
use crate::model::record::{Dispatch, Event, Lease, Outcome, Step};
use crate::model::{Fault, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Everything that is remembered. Each method is one transaction: all of it, or nothing.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    leases: BTreeMap<String, Lease>,
    ports: BTreeMap<String, BTreeMap<u16, String>>,
    dispatches: BTreeMap<String, Dispatch>,
    numbers: i64,
    runs: Vec<SwarmRun>,
    events: Vec<Event>,
    objects: BTreeMap<String, Object>,
    /// The highest revision of each object that ever was.
    revisions: BTreeMap<String, i64>,
    owners: BTreeMap<String, String>,
    kept: BTreeMap<(String, String), String>,
}

impl Memory {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn acquire(&self, wanted: &Lease, min_epoch: i64) -> Result<Acquired> {
        self.take(wanted, min_epoch, None)
    }
    pub fn take_over(&self, seen: &Lease, wanted: &Lease, min_epoch: i64) -> Result<Acquired> {
        self.take(wanted, min_epoch, Some(seen))
    }
    fn take(&self, wanted: &Lease, min_epoch: i64, dead: Option<&Lease>) -> Result<Acquired> {
        let mut tables = self.tables();
        let there = tables.leases.get(&wanted.name);
        if let Some(there) = there.filter(|there| !there.holder.is_empty())
            && dead.is_none_or(|dead| (&dead.holder, dead.beat, dead.epoch) != (&there.holder, there.beat, there.epoch))
        {
            return Ok(Acquired::Busy(there.clone()));
        }
        let last = there.map_or(0, |there| there.epoch);
        let lease = Lease { beat: 1, epoch: last.max(min_epoch) + 1, ..wanted.clone() };
        tables.leases.insert(lease.name.clone(), lease.clone());
        Ok(Acquired::Held(lease))
    }
    pub fn renew(&self, lease: &Lease, step: &str) -> Result<Lease> {
        let mut tables = self.tables();
        let there = tables.leases.get_mut(&lease.name).filter(|there| there.holder == lease.holder && there.epoch == lease.epoch);
        let Some(there) = there else { return Err(Fault::refused(format!("the lease {} is no longer ours", lease.name))) };
        there.beat += 1;
        there.step = step.to_string();
        Ok(there.clone())
    }
    pub fn release_lease(&self, lease: &Lease) -> Result<()> {
        self.tables().free(lease);
        Ok(())
    }
    pub fn leases(&self) -> Vec<Lease> {
        self.tables().leases.values().filter(|lease| !lease.holder.is_empty()).cloned().collect()
    }
    pub fn lease(&self, name: &str) -> Option<Lease> {
        self.tables().leases.get(name).filter(|lease| !lease.holder.is_empty()).cloned()
    }

    pub fn take_ports(&self, host_id: &str, ports: &[u16], dispatch_id: &str) -> Result<()> {
        let mut tables = self.tables();
        let host = tables.ports.entry(host_id.to_string()).or_default();
        if let Some((port, other)) = ports.iter().filter_map(|port| Some((port, host.get(port)?))).find(|(_, other)| *other != dispatch_id)
        {
            return Err(Fault::refused(format!("port {port} is leased by dispatch {other}")));
        }
        host.extend(ports.iter().map(|port| (*port, dispatch_id.to_string())));
        Ok(())
    }
    pub fn release_ports(&self, dispatch_id: &str) -> Result<()> {
        self.tables().free_ports(dispatch_id);
        Ok(())
    }
    pub fn give_back_unbegun(&self, lease: &Lease, dispatch_id: &str) -> Result<()> {
        let mut tables = self.tables();
        tables.hold(lease)?;
        if !tables.dispatches.contains_key(dispatch_id) {
            tables.free_ports(dispatch_id);
        }
        Ok(())
    }
    pub fn free_ports_of_nobody(&self) {
        let mut tables = self.tables();
        let open = |dispatch: &Dispatch| dispatch.outcome.is_none_or(|outcome| outcome == Outcome::Interrupted);
        let open = tables.dispatches.values().filter(|dispatch| open(dispatch)).map(|dispatch| dispatch.id.clone());
        let held = tables.leases.values().filter(|lease| !lease.holder.is_empty()).map(|lease| lease.run.clone());
        let used: BTreeSet<String> = open.chain(held).collect();
        for ports in tables.ports.values_mut() {
            ports.retain(|_, dispatch| used.contains(dispatch));
        }
    }
    pub fn port_leases(&self) -> BTreeMap<String, BTreeMap<u16, String>> {
        self.tables().ports.iter().filter(|(_, ports)| !ports.is_empty()).map(|(host, ports)| (host.clone(), ports.clone())).collect()
    }

    pub fn claim_pool(&self, balancer: &str, pool: &str, swarm_id: &str) -> Result<()> {
        let name = format!("{balancer}/{pool}");
        let mut tables = self.tables();
        let owner = tables.owners.entry(name.clone()).or_insert_with(|| swarm_id.to_string());
        if owner == swarm_id { Ok(()) } else { Err(Fault::refused(format!("the pool {name} belongs to another swarm ({owner})"))) }
    }
    pub fn pool_owner(&self, balancer: &str, pool: &str) -> Option<String> {
        self.tables().owners.get(&format!("{balancer}/{pool}")).cloned()
    }
    pub fn release_pool(&self, balancer: &str, pool: &str, swarm_id: &str) {
        let name = format!("{balancer}/{pool}");
        let mut tables = self.tables();
        if tables.owners.get(&name).is_some_and(|owner| owner == swarm_id) {
            tables.owners.remove(&name);
        }
    }

    pub fn keep_text(&self, kind: &str, name: &str, text: &str) {
        self.tables().kept.insert((kind.into(), name.into()), text.into());
    }
    pub fn keep_text_under(&self, lease: &Lease, kind: &str, name: &str, text: &str) -> Result<()> {
        let mut tables = self.tables();
        tables.hold(lease)?;
        tables.kept.insert((kind.into(), name.into()), text.into());
        Ok(())
    }
    pub fn kept_text(&self, kind: &str, name: &str) -> Option<String> {
        self.tables().kept.get(&(kind.to_string(), name.to_string())).cloned()
    }
    pub fn forget(&self, kind: &str, name: &str) {
        self.tables().kept.remove(&(kind.to_string(), name.to_string()));
    }

    pub fn apply(&self, changes: &[Change], who: &str, now_ms: i64) -> Result<Vec<Object>> {
        let mut tables = self.tables();
        let mut changed = Changed { objects: tables.objects.clone(), revisions: tables.revisions.clone(), saved: Vec::new() };
        changed.apply(changes, who, now_ms)?;
        (tables.objects, tables.revisions) = (changed.objects, changed.revisions);
        Ok(changed.saved)
    }
    pub fn by_id(&self, id: &str) -> Option<Object> {
        self.tables().objects.get(id).cloned()
    }
}

/// Objects under change: taken over as a whole, or not at all.
struct Changed {
    objects: BTreeMap<String, Object>,
    revisions: BTreeMap<String, i64>,
    saved: Vec<Object>,
}

impl Changed {
    fn apply(&mut self, changes: &[Change], who: &str, now_ms: i64) -> Result<()> {
        for change in changes {
            match change {
                Change::Put(put) => self.put(put, who, now_ms)?,
                Change::Delete { id, expected } => {
                    let Some(there) = self.objects.get(id) else { continue };
                    check(Some(there), *expected, &there.name)?;
                    *self.revisions.entry(id.clone()).or_default() += 1;
                    self.objects.remove(id);
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, put: &Put, who: &str, now_ms: i64) -> Result<()> {
        let named = self.objects.values().find(|object| (object.kind, &object.name) == (put.kind, &put.name)).cloned();
        let there = put.id.as_ref().map_or_else(|| named.clone(), |id| self.objects.get(id).cloned());
        check(there.as_ref(), put.expected, &put.name)?;
        if named.is_some_and(|other| there.as_ref().is_none_or(|there| there.id != other.id)) {
            return Err(Fault::refused(format!("another {} is called {}", put.kind.word(), put.name)));
        }
        if let Some(there) = &there
            && (there.kind, &there.name, &there.text, &there.body) == (put.kind, &put.name, &put.text, &put.body)
        {
            self.saved.push(there.clone());
            return Ok(());
        }
        let new = format!("object-{}", self.revisions.len() + 1);
        let id = there.map(|there| there.id).or_else(|| put.id.clone()).unwrap_or(new);
        let rev = self.revisions.entry(id.clone()).or_default();
        *rev += 1;
        let (rev, changed_by) = (*rev, who.to_string());
        let object = Object {
            id: id.clone(),
            kind: put.kind,
            name: put.name.clone(),
            rev,
            text: put.text.clone(),
            body: put.body.clone(),
            changed_ms: now_ms,
            changed_by,
        };
        self.objects.insert(id, object.clone());
        self.saved.push(object);
        Ok(())
    }
}

fn check(there: Option<&Object>, expected: Option<i64>, name: &str) -> Result<()> {
    let rev = there.map_or(0, |there| there.rev);
    match expected {
        Some(expected) if there.is_some() && rev != expected => Err(Fault::refused(format!("{name} was saved after you opened it"))),
        Some(expected) if there.is_none() && expected != 0 => Err(Fault::refused(format!("{name} was deleted after you opened it"))),
        _ => Ok(()),
    }
}

impl Tables {
    fn free(&mut self, lease: &Lease) {
        let ours = self.leases.get_mut(&lease.name).filter(|there| there.holder == lease.holder && there.epoch == lease.epoch);
        if let Some(there) = ours {
            *there = Lease { name: there.name.clone(), beat: there.beat, epoch: there.epoch, ..Lease::default() };
        }
    }
    fn free_ports(&mut self, dispatch_id: &str) {
        for ports in self.ports.values_mut() {
            ports.retain(|_, holder| holder != dispatch_id);
        }
    }
    fn hold(&self, lease: &Lease) -> Result<()> {
        let there = self.leases.get(&lease.name);
        if there.is_some_and(|there| there.holder == lease.holder && there.epoch == lease.epoch && !there.holder.is_empty()) {
            return Ok(());
        }
        let now = there.map_or("nobody", |there| if there.holder.is_empty() { "nobody" } else { &there.who });
        Err(Fault::refused(format!("the lease {} is no longer ours: {now} holds it", lease.name)))
    }
    fn tell(&mut self, events: &[Event]) {
        for event in events {
            let seq = self.events.len() as i64 + 1;
            self.events.push(Event { seq, ..event.clone() });
        }
    }
    /// A step is changed in place, or comes last.
    fn steps(&mut self, dispatch_id: &str, steps: &[Step]) {
        let Some(dispatch) = self.dispatches.get_mut(dispatch_id) else { return };
        for step in steps {
            match dispatch.steps.iter_mut().find(|there| (there.batch, there.phase, &there.place) == (step.batch, step.phase, &step.place))
            {
                Some(there) => *there = step.clone(),
                None => dispatch.steps.push(step.clone()),
            }
        }
    }
}

impl Memory {
    pub fn create_dispatch(&self, dispatch: &mut Dispatch, lease: &Lease, events: &[Event]) -> Result<()> {
        let mut tables = self.tables();
        tables.hold(lease)?;
        tables.numbers += 1;
        dispatch.number = tables.numbers;
        tables.dispatches.insert(dispatch.id.clone(), dispatch.clone());
        tables.tell(events);
        Ok(())
    }
    pub fn record(&self, entry: &Entry<'_>) -> Result<()> {
        let mut tables = self.tables();
        tables.hold(entry.lease)?;
        let id = &entry.dispatch.id;
        let Some(before) = tables.dispatches.get(id) else {
            return Err(Fault::failed(format!("the dispatch {id} is not in the store")));
        };
        let open = |outcome: Option<Outcome>| outcome.is_none_or(|outcome| outcome == Outcome::Interrupted);
        if open(entry.dispatch.outcome) && !open(before.outcome) {
            return Err(Fault::refused(format!("dispatch {} has ended", entry.dispatch.number)));
        }
        let (ended, steps) = (before.outcome == Some(Outcome::Done), before.steps.clone());
        let mut changed = Changed { objects: BTreeMap::new(), revisions: BTreeMap::new(), saved: Vec::new() };
        if !entry.changes.is_empty() {
            (changed.objects, changed.revisions) = (tables.objects.clone(), tables.revisions.clone());
            changed.apply(entry.changes, &entry.dispatch.who, entry.now_ms)?;
            (tables.objects, tables.revisions) = (changed.objects, changed.revisions);
        }
        tables.dispatches.insert(id.clone(), Dispatch { steps, ..entry.dispatch.clone() });
        tables.steps(id, entry.steps);
        tables.tell(entry.events);
        if entry.dispatch.outcome.is_some_and(|outcome| outcome != Outcome::Interrupted) {
            tables.free_ports(id);
            tables.kept.remove(&("wish".to_string(), id.clone()));
        }
        if entry.dispatch.outcome == Some(Outcome::Done) && !ended && !entry.dispatch.to_release.is_empty() {
            let (swarm_id, release_id) = (entry.dispatch.swarm_id.clone(), entry.dispatch.to_release.clone());
            tables.runs.push(SwarmRun { swarm_id, release_id, dispatch_id: id.clone(), at_ms: entry.now_ms });
        }
        Ok(())
    }
    pub fn dispatch(&self, id: &str) -> Option<Dispatch> {
        self.tables().dispatches.get(id).cloned()
    }
    /// Every dispatch, in the order of their numbers.
    pub fn dispatches(&self) -> Vec<Dispatch> {
        let mut all: Vec<Dispatch> = self.tables().dispatches.values().cloned().collect();
        all.sort_by_key(|dispatch| dispatch.number);
        all
    }
    pub fn open_dispatches(&self) -> Vec<Dispatch> {
        let open = |dispatch: &Dispatch| dispatch.outcome.is_none_or(|outcome| outcome == Outcome::Interrupted);
        self.dispatches().into_iter().filter(open).collect()
    }
    /// Dispatches that ended and owe something.
    pub fn owing_dispatches(&self) -> Vec<Dispatch> {
        let owing =
            |dispatch: &Dispatch| !dispatch.debts.is_empty() && dispatch.outcome.is_some_and(|outcome| outcome != Outcome::Interrupted);
        self.dispatches().into_iter().filter(owing).collect()
    }
    pub fn runs_of(&self, swarm_id: &str, limit: i64) -> Vec<SwarmRun> {
        let limit = usize::try_from(limit).unwrap_or(0);
        self.tables().runs.iter().rev().filter(|run| run.swarm_id == swarm_id).take(limit).cloned().collect()
    }
    pub fn note(&self, events: &[Event]) {
        self.tables().tell(events);
    }
    pub fn events_after(&self, cursor: i64, limit: i64) -> Vec<Event> {
        let limit = usize::try_from(limit).unwrap_or(0);
        self.tables().events.iter().filter(|event| event.seq > cursor).take(limit).cloned().collect()
    }
}
