//! Rules of carrying a dispatch that need no IO: who may act, with which epoch, and what is written down. The deck and the simulator
//! keep the same ones.

use super::machine::{Run, StepName};
use crate::model::record::{Dispatch, Lease, Outcome};
use crate::model::world::World;
use crate::model::{Fault, Result};
use crate::plan::Plan;
use crate::store::{LeaseWatch, Liveness};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a beat may stand still before an observer takes the holder for dead.
pub const LIFE: Duration = Duration::from_secs(10);
/// How often a lease is renewed.
pub const BEAT: Duration = Duration::from_secs(2);
/// How long is waited between two looks at somebody else's lease.
pub const LOOK: Duration = Duration::from_millis(300);
/// How much longer each further try of a step waits.
const PAUSE: Duration = Duration::from_secs(2);

/// The name of a swarm's lease.
pub fn lease_name(swarm_id: &str) -> String {
    format!("swarm/{swarm_id}")
}

/// Refuses to act under a lease that was last renewed `age` ago, by our own clock since boot, when that is over half its life.
pub fn may_act(lease: &str, age: Duration) -> Result<()> {
    if age <= LIFE / 2 {
        return Ok(());
    }
    let what = format!("the lease {lease} was last renewed {} s ago; nothing more is done under it", age.as_secs());
    Err(Fault::interrupted(what).next("swarmdeck resume"))
}

/// Whether the holder of a lease is dead: its lock is free, or its beat stands still for [`LIFE`].
pub fn is_dead(busy: &Lease, liveness: Liveness, watch: &mut LeaseWatch, since_boot: Duration) -> bool {
    liveness == Liveness::Dead || watch.is_dead(busy, since_boot, LIFE)
}

/// The highest epoch that any host of the plan has seen, or its pool's balancer hosts (`pool`).
pub fn highest_fence(plan: &Plan, world: &World, pool: u64) -> u64 {
    let hosts = plan.touched_hosts();
    let seen = hosts.iter().filter_map(|host| world.hosts.get(host)?.fences.get(&plan.swarm_id).copied());
    seen.max().unwrap_or(0).max(pool)
}

/// The machine of a dispatch that an earlier process left; `undo` turns it round, unless an old proc may have been stopped.
pub fn taken_on(dispatch: &Dispatch, undo: Option<Fault>) -> Result<Run> {
    if let Some(outcome) = dispatch.outcome.filter(|outcome| *outcome != Outcome::Interrupted) {
        return Err(Fault::refused(format!("dispatch {} has ended: {}", dispatch.number, outcome.word())));
    }
    let cause = dispatch.fault.clone().filter(|_| dispatch.undoing);
    let mut run = Run::new(dispatch.steps.clone(), dispatch.undoing, cause, dispatch.debts.clone());
    if let Some(fault) = undo.filter(|_| !run.past_return()) {
        run.undoing = true;
        run.cause.get_or_insert(fault);
    }
    Ok(run)
}

/// The dispatch as its machine has it now.
pub fn write_down(dispatch: &mut Dispatch, run: &Run, now_ms: i64) {
    dispatch.phase = run.phase();
    dispatch.undoing = run.undoing;
    dispatch.fault.clone_from(&run.cause);
    dispatch.debts.clone_from(&run.debts);
    dispatch.steps.clone_from(&run.steps);
    dispatch.outcome = run.outcome;
    if run.outcome.is_some() {
        dispatch.ended_ms = now_ms;
        dispatch.holder = String::new();
    }
}

/// How long a step waits before it is tried: nothing at first; then 2 s, 4 s …
pub fn pause(failures: &BTreeMap<StepName, u32>, name: &StepName) -> Duration {
    failures.get(name).map_or(Duration::ZERO, |failures| PAUSE * *failures)
}
