//! Leases as this process holds them: taken, renewed while it lives, measured by its own boot-time clock, given back.

use super::{Deck, locked};
use crate::dispatch::rules;
use crate::model::record::Lease;
use crate::model::{Fault, Result};
use crate::store::{Acquired, HolderLock, LeaseWatch, Liveness, Store};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

/// A lease that is ours, renewed until it is dropped or released.
pub struct Held {
    store: Store,
    state: Arc<Mutex<State>>,
    since_boot: fn() -> Duration,
    renewing: JoinHandle<()>,
    given_back: bool,
}

struct State {
    lease: Lease,
    renewed: Duration,
    lost: Option<Fault>,
    step: String,
}

impl Held {
    fn new(store: Store, lease: Lease, since_boot: fn() -> Duration) -> Held {
        let state = Arc::new(Mutex::new(State { lease, renewed: since_boot(), lost: None, step: String::new() }));
        let renewing = tokio::spawn(renew(store.clone(), Arc::clone(&state), since_boot));
        Held { store, state, since_boot, renewing, given_back: false }
    }

    /// The lease as it is now.
    pub fn lease(&self) -> Lease {
        locked(&self.state).lease.clone()
    }

    /// Its epoch.
    pub fn epoch(&self) -> u64 {
        u64::try_from(self.lease().epoch).unwrap_or(0)
    }

    /// What others are shown: "held by op1, step drain".
    pub fn set_step(&self, step: String) {
        locked(&self.state).step = step;
    }

    /// Whether somebody else has it, or had it: nothing is done under it any more.
    pub fn is_lost(&self) -> bool {
        locked(&self.state).lost.is_some()
    }

    /// Whether it was renewed within half its life, by our own clock since boot: only then anything may be done under it.
    pub fn may_act(&self) -> Result<()> {
        let state = locked(&self.state);
        if let Some(lost) = &state.lost {
            return Err(lost.clone());
        }
        rules::may_act(&state.lease.name, (self.since_boot)().saturating_sub(state.renewed))
    }

    /// Renews it at once when its last renewal is a while ago: a machine that was too busy to beat has not lost it by that.
    pub async fn refresh(&self) -> Result<()> {
        let (age, lease, step) = {
            let state = locked(&self.state);
            ((self.since_boot)().saturating_sub(state.renewed), state.lease.clone(), state.step.clone())
        };
        if age > rules::LIFE / 4 { renewed(&self.store, &self.state, self.since_boot, &lease, &step).await } else { Ok(()) }
    }

    /// Gives it back.
    pub async fn release(mut self) -> Result<()> {
        self.renewing.abort();
        self.given_back = true;
        let lease = self.lease();
        self.store.release_lease(&lease).await
    }
}

impl Drop for Held {
    /// One that was forgotten on the way (a future that was dropped) is given back too: while this process lives nobody could take it.
    fn drop(&mut self) {
        self.renewing.abort();
        if !self.given_back
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (store, lease) = (self.store.clone(), self.lease());
            runtime.spawn(async move { store.release_lease(&lease).await.ok() });
        }
    }
}

async fn renew(store: Store, state: Arc<Mutex<State>>, since_boot: fn() -> Duration) {
    loop {
        tokio::time::sleep(rules::BEAT).await;
        let (lease, step) = {
            let state = locked(&state);
            (state.lease.clone(), state.step.clone())
        };
        if renewed(&store, &state, since_boot, &lease, &step).await.is_err() {
            return;
        }
    }
}

/// Renews it once; refused when it is lost for good.
async fn renewed(store: &Store, state: &Mutex<State>, since_boot: fn() -> Duration, lease: &Lease, step: &str) -> Result<()> {
    // Taken before the store is asked: what counts is when the renewal was surely not yet too late.
    let asked = since_boot();
    match store.renew(lease, step).await {
        Ok(renewed) => {
            let mut state = locked(state);
            (state.lease, state.renewed) = (renewed, asked);
            Ok(())
        }
        Err(fault) if fault.kind == crate::model::FaultKind::Refused => {
            locked(state).lost = Some(fault.clone());
            Err(fault)
        }
        // A store that does not answer may answer again; half the life decides.
        Err(_) => Ok(()),
    }
}

impl Deck {
    /// Takes a lease. One whose holder is dead is taken over: its lock in this home is free, or its beat stands still for
    /// [`rules::LIFE`] (it is stopped, or on another machine). Otherwise refused, saying who holds it, for what, and at which step.
    pub(super) async fn acquire(&self, name: &str, why: &str, run: &str, min_epoch: i64) -> Result<Held> {
        let wanted = Lease {
            name: name.into(),
            holder: self.holder.clone(),
            who: self.who.clone(),
            why: why.into(),
            run: run.into(),
            ..Lease::default()
        };
        let mut acquired = self.store.acquire(&wanted, min_epoch).await?;
        let mut watch = LeaseWatch::default();
        loop {
            let busy = match acquired {
                Acquired::Held(lease) => return Ok(Held::new(self.store.clone(), lease, self.outside.since_boot)),
                Acquired::Busy(busy) => busy,
            };
            // A process that is stopped still holds its lock: its beat decides.
            if rules::is_dead(&busy, HolderLock::look(&self.home, &busy.holder), &mut watch, (self.outside.since_boot)()) {
                acquired = self.store.take_over(&busy, &wanted, min_epoch).await?;
                continue;
            }
            tokio::time::sleep(rules::LOOK).await;
            let now = self.store.lease(name).await?;
            match now {
                Some(now) if now.beat != busy.beat && now.holder == busy.holder => return Err(self.held_by(&now).await),
                _ => acquired = self.store.acquire(&wanted, min_epoch).await?,
            }
        }
    }

    /// Gives back what processes that are gone still held: their leases, and the ports of dispatches that were never begun or have ended.
    pub(super) async fn free_what_the_dead_held(&self) -> Result<()> {
        let open: BTreeSet<String> = self.store.open_dispatches().await?.into_iter().map(|dispatch| dispatch.id).collect();
        for lease in self.store.leases().await? {
            if HolderLock::look(&self.home, &lease.holder) == Liveness::Dead {
                self.store.release_lease(&lease).await?;
            } else if lease.name.starts_with("swarm/") && !open.contains(&lease.run) {
                // One whose beat stands still although its holder lives: the answer to taking it, or to giving it back, was lost.
                if let Ok(held) = self.acquire(&lease.name, "give back what nobody uses", &lease.run, 0).await {
                    held.release().await?;
                }
            }
        }
        self.store.free_ports_of_nobody().await
    }

    pub(super) async fn held_by(&self, lease: &Lease) -> Fault {
        let swarm = match lease.name.strip_prefix("swarm/") {
            Some(id) => self.store.by_id(id).await.ok().flatten().map(|object| object.name),
            None => None,
        };
        let what = if lease.why.is_empty() { String::new() } else { format!(" ({})", lease.why) };
        // The journal knows the step at once; the lease is told of it with the next beat.
        let under_way = self.store.dispatch(&lease.run).await.ok().flatten().map(|dispatch| dispatch.phase.word().to_string());
        let step = under_way.or_else(|| Some(lease.step.clone()).filter(|step| !step.is_empty()));
        let step = step.map(|step| format!(", step {step}")).unwrap_or_default();
        Fault::busy(format!("{} is held by {}{what}{step}", swarm.as_ref().unwrap_or(&lease.name), lease.who))
            .next("wait for it (--on-busy wait), or go instead of it (--on-busy supersede)")
    }
}
