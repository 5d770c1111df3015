//! Properties of the machine: whatever fails and whenever it is cancelled, it ends, and what it leaves is done or undone.

use super::*;
use crate::plan::{PlannedProc, PoolChange, Timing};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn proc(host: usize, port: u16) -> PlannedProc {
    PlannedProc {
        host: format!("web{host}"),
        name: format!("p{port}"),
        port,
        node: format!("10.0.0.{host}:{port}"),
        instance: format!("i{port}"),
        pid: None,
        release: "r".into(),
    }
}

fn plan(start: &[usize], keep: &[usize], retire: &[usize], pool: bool, soak: bool) -> Plan {
    let procs = |hosts: &[usize], base: u16| hosts.iter().zip(base..).map(|(host, port)| proc(*host, port)).collect::<Vec<_>>();
    let (start, keep, retire) = (procs(start, 5000), procs(keep, 5100), procs(retire, 5200));
    let nodes = |lists: &[&Vec<PlannedProc>]| lists.iter().flat_map(|list| list.iter().map(|proc| proc.node.clone())).collect::<Vec<_>>();
    let pool = pool.then(|| PoolChange {
        balancer: "edge".into(),
        pool: "shop".into(),
        before: nodes(&[&keep, &retire]),
        during: nodes(&[&start, &keep, &retire]),
        after: nodes(&[&start, &keep]),
        ..PoolChange::default()
    });
    Plan { start, keep, retire, pool, timing: Timing { soak_ms: u64::from(soak), ..Timing::default() }, ..Plan::default() }
}

/// A world that believes what effects do to it.
#[derive(Default, Debug)]
struct Played {
    running_new: BTreeSet<String>,
    routed_new: bool,
    old_out: bool,
    retired: BTreeSet<String>,
    proven: BTreeSet<String>,
}

impl Played {
    fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Do(name) => match name.phase {
                Phase::Start => drop(self.running_new.insert(name.place.clone())),
                Phase::Prove => drop(self.proven.insert(name.place.clone())),
                Phase::Route => self.routed_new = true,
                Phase::Drain => self.old_out = true,
                Phase::Retire => drop(self.retired.insert(name.place.clone())),
                _ => {}
            },
            Effect::Undo(name) => match name.phase {
                Phase::Start => drop(self.running_new.remove(&name.place)),
                Phase::Route => self.routed_new = false,
                Phase::Drain => self.old_out = false,
                _ => {}
            },
            Effect::GiveUp => {}
        }
    }
}

fn event_for(effect: &Effect, fails: bool) -> Option<Event> {
    let (Effect::Do(name) | Effect::Undo(name)) = effect else { return None };
    Some(if fails { Event::Failed(name.clone(), Fault::failed("played")) } else { Event::Done(name.clone(), String::new()) })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Random failures, a cancel at a random moment, crashes (a new machine from the journal) at random moments, answers in random order.
    #[test]
    fn it_always_ends_and_leaves_done_or_before(
        start in proptest::collection::vec(1usize..5, 0..5),
        keep in proptest::collection::vec(1usize..5, 0..3),
        retire in proptest::collection::vec(1usize..5, 0..5),
        pool in any::<bool>(),
        soak in any::<bool>(),
        // per answered effect: (which of those in flight answers, fails, crash after, cancel after)
        script in proptest::collection::vec((any::<u8>(), 0u8..12, 0u8..20, 0u8..40), 1..60),
    ) {
        let plan = plan(&start, &keep, &retire, pool, soak);
        let mut run = Run::new(steps(&plan), false, None, Vec::new());
        let mut world = Played::default();
        let mut journal = run.clone();
        let mut flying: Vec<Effect> = Vec::new();
        let mut next = run.step(Event::Begin, 0);
        let mut script = script.into_iter().cycle();
        let mut ended = None;
        for n in 0..3000 {
            // written before any effect runs
            journal = run.clone();
            for effect in next.effects.drain(..) {
                if let Effect::Do(name) = &effect {
                    prop_assert!(!run.undoing);
                    if name.phase == Phase::Route {
                        for step in run.steps.iter().filter(|step| step.phase == Phase::Prove) {
                            prop_assert_eq!(step.state, StepState::Done, "routed before all was proven");
                        }
                    }
                    if name.phase == Phase::Retire {
                        prop_assert!(world.old_out || plan.is_pool_untouched(), "an old proc stopped while it was in the pool");
                    }
                }
                world.apply(&effect);
                if effect != Effect::GiveUp { flying.push(effect); }
            }
            if let Some(outcome) = next.outcome { ended = Some(outcome); break; }
            prop_assert!(!flying.is_empty(), "nothing under way and not ended: {run:?}");
            let (pick, fails, crash, cancel) = script.next().unwrap();
            if cancel == 0 && n < 200 {
                next = run.step(Event::Cancel(Fault::interrupted("cancelled")), n);
                continue;
            }
            // Failures stop after a while, so that it must end.
            let fails = fails == 0 && n < 200;
            let effect = flying.remove(usize::from(pick) % flying.len());
            next = run.step(event_for(&effect, fails).unwrap(), n);
            if crash == 0 && n < 200 && next.outcome.is_none() {
                // the journal of the last write is all that the next process has
                run = Run::new(journal.steps.clone(), journal.undoing, journal.cause.clone(), journal.debts.clone());
                flying.clear();
                next = run.step(Event::Begin, n);
            }
        }
        let outcome = ended.expect("it ended");
        match outcome {
            Outcome::Done => {
                prop_assert!(run.cause.is_none());
                for host in &retire {
                    let owed = run.debts.iter().any(|debt| debt.host == format!("web{host}"));
                    let gone = world.retired.contains(&format!("web{host}"));
                    prop_assert!(gone || owed);
                }
            }
            Outcome::Undone => {
                prop_assert!(world.retired.is_empty(), "undone after an old proc stopped");
                prop_assert!(world.running_new.is_empty(), "a new proc was left: {world:?}");
                prop_assert!(!world.routed_new && !world.old_out);
                prop_assert!(run.cause.is_some());
            }
            Outcome::Failed => prop_assert!(!run.debts.is_empty()),
            other => prop_assert!(false, "{other:?}"),
        }
        let _ = journal;
    }
}

#[test]
fn a_failed_proof_takes_the_new_procs_away_and_says_why() {
    let plan = plan(&[1, 2], &[], &[1, 2], true, false);
    let mut run = Run::new(steps(&plan), false, None, Vec::new());
    let mut next = run.step(Event::Begin, 1);
    let mut undone = Vec::new();
    while next.outcome.is_none() {
        let effects: Vec<Effect> = next.effects.drain(..).filter(|effect| *effect != Effect::GiveUp).collect();
        assert!(!effects.is_empty());
        for effect in effects {
            if let Effect::Undo(name) = &effect {
                undone.push(name.clone());
            }
            let fails = matches!(&effect, Effect::Do(name) if name.phase == Phase::Prove && name.place == "web2");
            let more = run.step(event_for(&effect, fails).unwrap(), 2);
            next.effects.extend(more.effects);
            next.outcome = next.outcome.or(more.outcome);
        }
    }
    assert_eq!(next.outcome, Some(Outcome::Undone));
    assert!(undone.iter().any(|name| name.phase == Phase::Start && name.place == "web1"));
    assert!(!run.steps.iter().any(|step| step.phase == Phase::Route && step.state != StepState::Pending));
    assert_eq!(run.cause.unwrap().what, "played");
}

#[test]
fn a_new_process_proves_again_before_it_goes_on() {
    let plan = plan(&[1], &[2], &[1], true, false);
    let mut run = Run::new(steps(&plan), false, None, Vec::new());
    let mut next = run.step(Event::Begin, 1);
    while !next.effects.iter().any(|effect| matches!(effect, Effect::Do(name) if name.phase == Phase::Drain)) {
        let effects = std::mem::take(&mut next.effects);
        assert!(!effects.is_empty());
        for effect in effects {
            next.effects.extend(run.step(event_for(&effect, false).unwrap(), 2).effects);
        }
    }
    let mut resumed = Run::new(run.steps.clone(), false, None, Vec::new());
    let next = resumed.step(Event::Begin, 3);
    let places: BTreeSet<String> = next
        .effects
        .iter()
        .map(|effect| match effect {
            Effect::Do(name) if name.phase == Phase::Prove => name.place.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(places, BTreeSet::from(["web1".to_string(), "web2".to_string()]));
    // A proc that died meanwhile turns it round, the pool first.
    let proof = StepName { phase: Phase::Prove, place: "web1".into() };
    resumed.step(Event::Done(StepName { phase: Phase::Prove, place: "web2".into() }, String::new()), 4);
    let next = resumed.step(Event::Failed(proof, Fault::failed("gone")), 4);
    assert!(resumed.undoing && next.effects.iter().any(|effect| matches!(effect, Effect::Undo(name) if name.phase == Phase::Drain)));
}
