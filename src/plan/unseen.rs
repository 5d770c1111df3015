//! Procs that a dispatch made and nobody has seen since: a host that falls silent right after it is not empty (DESIGN promise 4).

use super::types::{Plan, PlannedProc};
use crate::model::record::{Dispatch, Outcome, Phase, StepState};
use crate::model::world::{HostSeen, Owner, Proc, Stamp, World};

/// The dispatches of a swarm that may have left such procs, in their order: the last that ended done, and those after it that failed.
/// `all` is the newest first.
pub fn that_left_procs(all: &[Dispatch]) -> impl Iterator<Item = &Dispatch> {
    let last = all.iter().position(|dispatch| dispatch.outcome == Some(Outcome::Done)).map_or(all.len(), |at| at + 1);
    let changed = |dispatch: &&Dispatch| matches!(dispatch.outcome, Some(Outcome::Done | Outcome::Failed));
    all.iter().take(last).rev().filter(changed)
}

/// Adds what a dispatch (with its steps) left on hosts that do not answer now and did not since it ended. What is owed there is not
/// added: nothing is placed on a host before that is paid.
pub fn add_made_and_never_seen(world: &mut World, plan: &Plan, dispatch: &Dispatch, config_name: &str, swarm: &str, installation: &str) {
    let stayed = |proc: &&PlannedProc| {
        let of = |step: &&crate::model::record::Step| (step.batch, step.phase, &step.place) == (proc.batch, Phase::Start, &proc.host);
        let begun = [StepState::Done, StepState::Intent, StepState::Failed, StepState::Undoing];
        dispatch.steps.iter().find(of).is_some_and(|step| begun.contains(&step.state))
    };
    let kept = plan.keep.iter().filter(|_| dispatch.outcome == Some(Outcome::Done));
    for made in plan.start.iter().filter(stayed).chain(kept) {
        let silent_since = |seen: &&mut HostSeen| !seen.is_ok() && seen.seen_ms < dispatch.ended_ms;
        let Some(seen) = world.hosts.get_mut(&made.host).filter(silent_since) else { continue };
        // In place the new proc may have the name of the one that was stopped for it.
        let replaced = |proc: &Proc| {
            let instance = proc.stamp.as_ref().map(|stamp| &stamp.instance);
            let old = |old: &PlannedProc| old.host == made.host && old.name == proc.name && Some(&old.instance) == instance;
            proc.name == made.name && plan.in_place && plan.retire.iter().any(old)
        };
        seen.procs.retain(|proc| !replaced(proc));
        if seen.procs.iter().any(|proc| proc.name == made.name) {
            continue;
        }
        seen.procs.push(Proc {
            app: plan.app.clone(),
            version: plan.to.version.clone(),
            config: config_name.to_string(),
            release: made.release.clone(),
            proc: plan.proc_name.clone(),
            port: Some(made.port),
            stamp: Some(Stamp {
                installation: installation.to_string(),
                swarm: plan.swarm_id.clone(),
                dispatch: plan.id.clone(),
                instance: made.instance.clone(),
            }),
            swarm: Some(swarm.to_string()),
            ..Proc::unknown(&made.host, &made.name, Owner::Ours)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::Step;
    use crate::model::world::HostState;

    fn dispatch() -> Dispatch {
        let text = String::new;
        Dispatch {
            id: "d1".into(),
            number: 1,
            swarm_id: "s1".into(),
            swarm: text(),
            verb: text(),
            who: text(),
            why: text(),
            from_version: text(),
            to_version: text(),
            from_release: text(),
            to_release: text(),
            phase: Phase::Done,
            undoing: false,
            outcome: None,
            fault: None,
            debts: Vec::new(),
            steps: Vec::new(),
            started_ms: 0,
            ended_ms: 0,
            holder: text(),
        }
    }

    #[test]
    fn what_was_made_on_a_host_that_fell_silent_before_anybody_looked_is_not_forgotten() {
        let host = crate::fleet::classify::tests::host();
        let made = PlannedProc {
            host: host.name.clone(),
            name: "shop-v1-prod-r-web-5000".into(),
            port: 5000,
            node: "h:5000".into(),
            instance: "i1".into(),
            pid: None,
            release: "r".into(),
            batch: 0,
        };
        let plan = Plan { start: vec![made], ..Plan::default() };
        let after_start = |start: StepState, outcome: Outcome, state: HostState, seen_ms: i64| {
            let step = Step {
                batch: 0,
                phase: Phase::Start,
                place: host.name.clone(),
                state: start,
                started_ms: 1,
                ended_ms: 2,
                detail: String::new(),
            };
            let dispatch = Dispatch { outcome: Some(outcome), ended_ms: 100, steps: vec![step], ..dispatch() };
            let mut world = World::default();
            world.hosts.insert(host.name.clone(), HostSeen { state, seen_ms, ..crate::fleet::observe::unseen(&host) });
            for dispatch in that_left_procs(&[dispatch.clone(), dispatch]) {
                add_made_and_never_seen(&mut world, &plan, dispatch, "prod", "shop-prod-web@web", "me");
            }
            world.procs().map(|proc| proc.stamp.clone().unwrap().instance).collect::<Vec<_>>()
        };
        let after = |state, seen_ms| after_start(StepState::Done, Outcome::Done, state, seen_ms);
        let silent = || HostState::Unreachable("no route".into());
        assert_eq!(after(silent(), 99), ["i1"]);
        assert!(after(silent(), 101).is_empty(), "it was looked at since: what is not there is gone");
        assert!(after(HostState::Ok, 99).is_empty());
        let failed = |start| after_start(start, Outcome::Failed, silent(), 99);
        assert_eq!(failed(StepState::Done), ["i1"], "the pool could not be put back, so its procs stayed");
        assert!(failed(StepState::Undone).is_empty());
        assert!(failed(StepState::Owed).is_empty());
        assert!(after_start(StepState::Done, Outcome::Undone, silent(), 99).is_empty());
    }
    #[test]
    fn in_place_what_was_started_under_the_name_of_what_was_stopped_takes_its_place() {
        let host = crate::fleet::classify::tests::host();
        let proc = |instance: &str| PlannedProc {
            host: host.name.clone(),
            name: "p".into(),
            port: 5000,
            node: "h:5000".into(),
            instance: instance.into(),
            pid: None,
            release: "r".into(),
            batch: 0,
        };
        let plan = |made, stopped| Plan { start: vec![proc(made)], retire: vec![proc(stopped)], in_place: true, ..Plan::default() };
        let step = Step {
            batch: 0,
            phase: Phase::Start,
            place: host.name.clone(),
            state: StepState::Done,
            started_ms: 1,
            ended_ms: 2,
            detail: String::new(),
        };
        let of = |outcome| Dispatch { outcome: Some(outcome), ended_ms: 100, steps: vec![step.clone()], ..dispatch() };
        let stamp =
            |instance: &str| Stamp { installation: "me".into(), swarm: "s1".into(), dispatch: "d".into(), instance: instance.into() };
        let seen = |instance: &str| {
            let proc = Proc { stamp: Some(stamp(instance)), ..Proc::unknown(&host.name, "p", Owner::Ours) };
            let state = HostState::Unreachable("no route".into());
            HostSeen { state, seen_ms: 99, procs: vec![proc], ..crate::fleet::observe::unseen(&host) }
        };
        // The newest first: one that failed after it had replaced what the last that was done had started.
        let all = [of(Outcome::Failed), of(Outcome::Done)];
        let left: Vec<&Dispatch> = that_left_procs(&all).collect();
        assert_eq!(left.iter().map(|dispatch| dispatch.outcome).collect::<Vec<_>>(), [Some(Outcome::Done), Some(Outcome::Failed)]);
        let mut world = World { hosts: [(host.name.clone(), seen("i1"))].into(), ..World::default() };
        for (dispatch, plan) in left.into_iter().zip([plan("i2", "i1"), plan("i3", "i2")]) {
            add_made_and_never_seen(&mut world, &plan, dispatch, "prod", "shop-prod-web@web", "me");
        }
        assert_eq!(world.procs().map(|proc| proc.stamp.clone().unwrap().instance).collect::<Vec<_>>(), ["i3"]);
    }
}
