//! Leases as a process of a play holds them: the same as the deck's, on virtual time.

use super::sim::Sim;
use super::time::{Ms, TaskId};
use crate::dispatch::rules;
use crate::model::record::Lease;
use crate::model::{Fault, FaultKind, Result};
use crate::store::{Acquired, LeaseWatch};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// A lease that is ours, renewed until it is given back.
pub struct Held {
    sim: Rc<Sim>,
    console: usize,
    lease: RefCell<Lease>,
    renewed: Cell<Ms>,
    lost: RefCell<Option<Fault>>,
    step: RefCell<String>,
    renewing: Cell<TaskId>,
}

impl Held {
    fn new(sim: &Rc<Sim>, console: usize, lease: Lease) -> Rc<Held> {
        let held = Rc::new(Held {
            sim: Rc::clone(sim),
            console,
            lease: RefCell::new(lease),
            renewed: Cell::new(sim.time.now()),
            lost: RefCell::default(),
            step: RefCell::default(),
            renewing: Cell::default(),
        });
        let renewing = Rc::clone(&held);
        held.renewing.set(sim.spawn(console, async move { renewing.renew().await }));
        held
    }

    async fn renew(&self) {
        loop {
            self.sim.time.sleep(rules::BEAT.as_millis() as Ms).await;
            let (lease, step, asked) = (self.lease(), self.step.borrow().clone(), self.sim.time.now());
            match self.sim.ask_store(self.console, true, |store| store.renew(&lease, &step)).await {
                Ok(renewed) => {
                    *self.lease.borrow_mut() = renewed;
                    self.renewed.set(asked);
                }
                Err(fault) if fault.kind == FaultKind::Refused => {
                    *self.lost.borrow_mut() = Some(fault);
                    return;
                }
                Err(_) => {}
            }
        }
    }

    pub fn lease(&self) -> Lease {
        self.lease.borrow().clone()
    }
    pub fn epoch(&self) -> u64 {
        u64::try_from(self.lease.borrow().epoch).unwrap_or(0)
    }
    pub fn set_step(&self, step: String) {
        *self.step.borrow_mut() = step;
    }
    pub fn is_lost(&self) -> bool {
        self.lost.borrow().is_some()
    }
    pub fn may_act(&self) -> Result<()> {
        if let Some(lost) = &*self.lost.borrow() {
            return Err(lost.clone());
        }
        rules::may_act(&self.lease.borrow().name, Duration::from_millis(self.sim.time.now() - self.renewed.get()))
    }
    pub async fn release(&self) -> Result<()> {
        self.sim.time.abort(&[self.renewing.get()]);
        let lease = self.lease();
        self.sim.ask_store(self.console, true, |store| store.release_lease(&lease)).await
    }
}

impl Sim {
    /// Takes a lease; one whose holder is dead is taken over, otherwise it is refused.
    pub async fn acquire(self: &Rc<Sim>, console: usize, name: &str, run: &str, min_epoch: u64) -> Result<Rc<Held>> {
        let min_epoch = i64::try_from(min_epoch).unwrap_or(i64::MAX - 1);
        let holder = self.holder(console);
        let wanted = Lease { name: name.into(), who: holder.clone(), holder, run: run.into(), ..Lease::default() };
        let mut acquired = self.ask_store(console, true, |store| store.acquire(&wanted, min_epoch)).await?;
        let mut watch = LeaseWatch::default();
        loop {
            let busy = match acquired {
                Acquired::Held(lease) => return Ok(Held::new(self, console, lease)),
                Acquired::Busy(busy) => busy,
            };
            let since_boot = Duration::from_millis(self.time.now());
            if rules::is_dead(&busy, self.look(console, &busy.holder), &mut watch, since_boot) {
                self.say(|| format!("c{console} takes {name} over from {}", busy.holder));
                acquired = self.ask_store(console, true, |store| store.take_over(&busy, &wanted, min_epoch)).await?;
                continue;
            }
            self.time.sleep(rules::LOOK.as_millis() as Ms).await;
            let now = self.ask_store(console, false, |store| Ok(store.lease(name))).await?;
            match now {
                Some(now) if now.beat != busy.beat && now.holder == busy.holder => {
                    return Err(Fault::refused(format!("{name} is held by {}", now.holder)));
                }
                _ => acquired = self.ask_store(console, true, |store| store.acquire(&wanted, min_epoch)).await?,
            }
        }
    }
}
