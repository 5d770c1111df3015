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
/// How much longer each further try of a step waits, and how long at most.
const PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(6);

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

/// Refuses a plan that ran already; to be asked under the lease of its swarm.
pub fn never_ran(plan: &Plan, executed: Option<&Dispatch>) -> Result<()> {
    let Some(dispatch) = executed else { return Ok(()) };
    let what = format!("plan {} was executed already, as dispatch {}", plan.id, dispatch.number);
    Err(Fault::refused(what).next("make a new plan"))
}

/// Whether what is owed for a swarm may be paid: not while a dispatch of it is half way, whose plan counts on things as they are.
pub fn may_pay(swarm_id: &str, open: &[Dispatch]) -> Result<()> {
    let Some(other) = open.iter().find(|other| other.swarm_id == swarm_id) else { return Ok(()) };
    Err(Fault::refused(format!("dispatch {} of {} has not ended", other.number, other.swarm)).next("its debts are paid after it"))
}

/// Refuses to pay twice; to be asked under the lease: another process may have paid since we looked.
pub fn still_owes(dispatch: &Dispatch) -> Result<()> {
    if dispatch.debts.is_empty() {
        return Err(Fault::refused(format!("dispatch {} of {} owes nothing any more", dispatch.number, dispatch.swarm)));
    }
    Ok(())
}

/// Whether a later dispatch of the swarm (`all`: its dispatches) went on from what this one left.
pub fn overtaken(dispatch: &Dispatch, all: &[Dispatch]) -> bool {
    let changed = |outcome| matches!(outcome, Some(Outcome::Done | Outcome::Failed));
    all.iter().any(|other| other.swarm_id == dispatch.swarm_id && other.number > dispatch.number && changed(other.outcome))
}

/// The highest epoch that any of these hosts has seen of a swarm.
pub fn highest_fence(hosts: &[String], swarm_id: &str, world: &World) -> u64 {
    hosts.iter().filter_map(|host| world.hosts.get(host)?.fences.get(swarm_id).copied()).max().unwrap_or(0)
}

/// The dispatch as its machine has it now. One whose debts are paid ended before: only what it owes changes.
pub fn write_down(dispatch: &mut Dispatch, run: &Run, now_ms: i64) {
    dispatch.phase = run.phase();
    dispatch.undoing = run.undoing;
    dispatch.fault.clone_from(&run.cause);
    dispatch.debts = run.debts();
    dispatch.steps.clone_from(&run.steps);
    if !run.paying || run.outcome.is_some() {
        dispatch.outcome = run.outcome;
    }
    if run.outcome.is_some() && !run.paying {
        dispatch.ended_ms = now_ms;
        dispatch.holder = String::new();
    }
}

/// How long a step waits before it is tried: nothing at first; then 2 s, 4 s, 6 s, 6 s …
pub fn pause(failures: &BTreeMap<StepName, u32>, name: &StepName) -> Duration {
    failures.get(name).map_or(Duration::ZERO, |failures| (PAUSE * *failures).min(LONGEST_PAUSE))
}
