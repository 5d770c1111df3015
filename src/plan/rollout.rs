//! In which order a plan goes about it: batches, the canary, and what the pool holds on the way.

use super::types::{PlannedProc, PoolChange, PoolStage};
use std::collections::BTreeSet;

/// Gives every new proc its batch, and every old one the batch in which it leaves the pool: as many as came, the rest with the
/// last, so that there are never fewer in the pool than before (DESIGN part 4: in every form of rollout).
/// `canary` new procs go first, the others `batch` at a time; 0 is all at once.
pub fn batches(start: &mut [PlannedProc], retire: &mut [PlannedProc], canary: u32, batch: u32) {
    let started = start.len();
    let mut ends = Vec::new();
    let mut done = 0;
    while done < started {
        let most = match (done, canary, batch) {
            (0, 1.., _) => canary as usize,
            (_, _, 1..) => batch as usize,
            _ => started,
        };
        done = (done + most).min(started);
        ends.push(done);
    }
    let last = u32::try_from(ends.len().saturating_sub(1)).unwrap_or(0);
    let batch_of = |n: usize| u32::try_from(ends.iter().take_while(|end| **end <= n).count()).map_or(last, |batch| batch.min(last));
    for (n, proc) in start.iter_mut().enumerate() {
        proc.batch = batch_of(n);
    }
    for (n, proc) in retire.iter_mut().enumerate() {
        proc.batch = batch_of(n);
    }
}

/// What the pool holds batch by batch. Nodes of lost procs are out from the first change on.
pub fn stages(
    pool: &mut PoolChange,
    start: &[PlannedProc],
    keep: &[PlannedProc],
    retire: &[PlannedProc],
    lost: &[PlannedProc],
    in_place: bool,
) {
    let count = start.iter().chain(retire).map(|proc| proc.batch + 1).max().unwrap_or(1);
    let mut now: BTreeSet<String> = pool.before.iter().cloned().collect();
    for proc in lost {
        now.remove(&proc.node);
    }
    let kept = || keep.iter().map(|proc| proc.node.clone());
    // In place nothing is proven before the first drain: a kept proc that is not routed joins with the first new ones.
    if !in_place {
        now.extend(kept());
    }
    let list = |nodes: &BTreeSet<String>| nodes.iter().cloned().collect::<Vec<_>>();
    for batch in 0..count {
        let last = batch + 1 == count;
        let route = |now: &mut BTreeSet<String>| {
            now.extend(start.iter().filter(|proc| proc.batch == batch).map(|proc| proc.node.clone()));
            now.extend(kept());
            list(now)
        };
        let drain = |now: &mut BTreeSet<String>| {
            for proc in retire.iter().filter(|proc| proc.batch == batch) {
                now.remove(&proc.node);
            }
            // Nodes that nobody answers for any more go with the last.
            if last && !in_place {
                *now = pool.after.iter().cloned().collect();
            }
            list(now)
        };
        let stage = if in_place {
            let drain = drain(&mut now);
            let mut routed = route(&mut now);
            if last {
                routed.clone_from(&pool.after);
            }
            PoolStage { drain, route: routed }
        } else {
            PoolStage { route: route(&mut now), drain: drain(&mut now) }
        };
        pool.stages.push(stage);
    }
}
