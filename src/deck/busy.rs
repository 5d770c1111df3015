//! Somebody else is at the swarm: who, why, which step; waiting for it, or cancelling it and going instead.

use super::Deck;
use crate::dispatch::machine::{Rules, Run};
use crate::model::record::{Dispatch, Outcome};
use crate::model::waiting::{self, Limits, Waiting};
use crate::model::{Fault, FaultKind, Result};
use crate::plan::{self, Plan};
use crate::store::{HolderLock, LeaseWatch, Liveness};
use std::time::Duration;

/// What is done when somebody else is at the swarm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnBusy {
    #[default]
    Refuse,
    /// Wait until it has ended.
    Wait,
    /// Cancel it, wait until it is undone, go.
    Supersede,
}

/// Hears what is waited for, each time that it changes and now and then.
pub type Hear<'h> = &'h (dyn Fn(&Waiting) + Send + Sync);

/// How often an unchanged wait is said again.
const AGAIN: Duration = Duration::from_secs(10);
/// How often a lease is looked at when the store says nothing.
const LOOK: Duration = Duration::from_secs(1);
/// How long a dispatch may be without a holder while it goes from one process to another.
const HANDS: Duration = Duration::from_secs(5);

impl Deck {
    /// Waits until nobody is at the swarm. Refused when what is in the way waits for an operator itself.
    pub async fn wait_until_free(&self, swarm_id: &str, hear: Hear<'_>) -> Result<()> {
        let name = format!("swarm/{swarm_id}");
        let (mut changes, mut watch, since_ms) = (self.store.changes(), LeaseWatch::default(), self.now_ms());
        let (mut said, mut left_since) = (Said::default(), None);
        loop {
            let alive = match self.store.lease(&name).await? {
                None => None,
                Some(lease) => match HolderLock::look(&self.home, &lease.holder) {
                    Liveness::Dead => None,
                    // It may be stopped, or on another machine: its beat decides.
                    _ if watch.is_dead(&lease, (self.outside.since_boot)(), crate::dispatch::rules::LIFE) => None,
                    Liveness::Alive | Liveness::Unknown => Some(lease),
                },
            };
            if let Some(lease) = alive {
                left_since = None;
                let on = self.held_by(&lease).await.what;
                said.say(Waiting { what: "lease".into(), on, since_ms, until_ms: 0 }, self.now_ms(), hear);
            } else {
                let Some(left) = self.unfinished(swarm_id).await? else { return Ok(()) };
                // It may be changing hands at this moment.
                let now = (self.outside.since_boot)();
                if left.outcome.is_some() || now.saturating_sub(*left_since.get_or_insert(now)) > HANDS {
                    return Err(left_behind(&left));
                }
            }
            tokio::select! {
                () = changes.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Cancels what is under way on the swarm, and waits until it is undone. Refused when it is past the point of no return.
    pub async fn supersede(&self, swarm_id: &str, hear: Hear<'_>) -> Result<()> {
        if let Some(other) = self.unfinished(swarm_id).await? {
            if !Run::new(Rules::default(), other.steps.clone(), other.undoing, None).may_turn() {
                return Err(Fault::busy(format!(
                    "dispatch {} of {} by {} has begun to stop old procs, so it only goes forward",
                    other.number, other.swarm, other.who
                ))
                .next("let it end: --on-busy wait"));
            }
            if let Some(carried) = self.cancel_now(&other).await? {
                // Its process was dead or had left it: it was undone here.
                carried.done.await.map_err(|error| Fault::interrupted(format!("undoing dispatch {} broke off: {error}", other.number)))?;
            }
        }
        self.wait_until_free(swarm_id, hear).await
    }

    /// Refuses a new dispatch of a swarm whose last one has not ended: two journals must never speak of the same procs.
    pub(super) async fn refuse_unfinished(&self, swarm_id: &str) -> Result<()> {
        self.unfinished(swarm_id).await?.map_or(Ok(()), |left| Err(left_behind(&left)))
    }

    async fn unfinished(&self, swarm_id: &str) -> Result<Option<Dispatch>> {
        Ok(self.store.open_dispatches().await?.into_iter().find(|dispatch| dispatch.swarm_id == swarm_id))
    }

    /// What is different from what the plan was made from, a sentence each; empty when it still holds.
    pub async fn moved_since(&self, plan: &Plan) -> Result<Vec<String>> {
        let catalog = self.catalog().await?;
        let entry = catalog.swarm(&plan.swarm_id).map_err(|_| Fault::refused(format!("{} is deleted", plan.swarm)))?;
        let mut moved = Vec::new();
        if entry.rev != plan.swarm_rev {
            moved.push(format!("{} was saved by {}", entry.name, entry.changed_by));
        }
        let mut world = self.observe(&catalog, Some(&entry.body)).await?;
        self.add_made_and_never_seen(entry, &mut world).await?;
        moved.extend(plan::moved(plan, &world, &self.indebted().await?));
        Ok(moved)
    }

    /// What a dispatch under way waits for now.
    pub async fn waiting(&self, dispatch: &Dispatch) -> Option<Waiting> {
        if dispatch.outcome.is_some() {
            return None;
        }
        let plan = self.stored_plan(&dispatch.id).await.ok()?;
        let limits = Limits { drain_ms: plan.timing.drain_timeout_ms, soak_ms: plan.timing.soak_ms };
        waiting::of(dispatch, limits, self.now_ms())
    }
}

/// What was said last of a wait, so that it is said again only when it changes, or after a while.
#[derive(Debug, Default)]
pub struct Said {
    last: Option<(Waiting, i64)>,
}

impl Said {
    pub fn say(&mut self, waiting: Waiting, now_ms: i64, hear: Hear<'_>) {
        let again = i64::try_from(AGAIN.as_millis()).unwrap_or(i64::MAX);
        let known = |(last, at): &(Waiting, i64)| (&last.what, &last.on) == (&waiting.what, &waiting.on) && now_ms - at < again;
        if !self.last.as_ref().is_some_and(known) {
            hear(&waiting);
            self.last = Some((waiting, now_ms));
        }
    }
}

/// A dispatch that nobody carries stands in the way.
fn left_behind(left: &Dispatch) -> Fault {
    let how = if left.outcome == Some(Outcome::Interrupted) { "was interrupted" } else { "was left on its way" };
    Fault::new(FaultKind::Refused, format!("dispatch {} of {} by {} {how} at {}", left.number, left.swarm, left.who, left.phase.word()))
        .next(format!("finish it (swarmdeck resume {0}) or undo it (swarmdeck cancel {0}; --on-busy supersede does)", left.number))
}
