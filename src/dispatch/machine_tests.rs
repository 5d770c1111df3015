//! Properties of the machine: whatever fails and whenever it is cancelled, it ends, and what it leaves is done or undone.

use super::*;
use crate::model::units::Absent;
use crate::plan::{PlannedProc, PoolChange, Timing};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn proc(host: usize, port: u16, batch: u32) -> PlannedProc {
    PlannedProc {
        host: format!("web{host}"),
        name: format!("p{port}"),
        port,
        node: format!("10.0.0.{host}:{port}"),
        instance: format!("i{port}"),
        pid: None,
        release: "r".into(),
        batch,
    }
}

/// How a plan is carried out, as a number makes it.
#[derive(Debug, Clone, Copy, Default)]
struct Form {
    soak: bool,
    batch: usize,
    canary: bool,
    in_place: bool,
    hosts_needed: Option<u32>,
}

fn plan(start: &[usize], keep: &[usize], retire: &[usize], pool: bool, form: Form) -> Plan {
    let batch_of = |n: usize| u32::try_from(n / form.batch.max(1)).unwrap() * u32::from(form.batch > 0);
    let last = start.len().checked_sub(1).map_or(0, batch_of);
    let procs = |hosts: &[usize], base: u16| {
        hosts.iter().zip(base..).enumerate().map(|(n, (host, port))| proc(*host, port, batch_of(n).min(last))).collect::<Vec<_>>()
    };
    let (start, keep, retire) = (procs(start, 5000), procs(keep, 5100), procs(retire, 5200));
    let nodes = |lists: &[&Vec<PlannedProc>]| lists.iter().flat_map(|list| list.iter().map(|proc| proc.node.clone())).collect::<Vec<_>>();
    let pool = pool.then(|| PoolChange {
        balancer: "edge".into(),
        pool: "shop".into(),
        before: nodes(&[&keep, &retire]),
        after: nodes(&[&start, &keep]),
        ..PoolChange::default()
    });
    let timing = Timing { soak_ms: u64::from(form.soak), lost_after_ms: 50, ..Timing::default() };
    let absent = form.hosts_needed.map_or(Absent::Abort, Absent::Quorum);
    let in_place = form.in_place && !retire.is_empty() && !start.is_empty();
    let canary = u32::from(form.canary && !in_place && last > 0);
    Plan { start, keep, retire, pool, timing, absent, in_place, canary, ..Plan::default() }
}

/// A world that believes what effects do to it: by batch and place.
#[derive(Default, Debug)]
struct Played {
    running_new: BTreeSet<(u32, String)>,
    routed_new: BTreeSet<u32>,
    old_out: BTreeSet<u32>,
    retired: BTreeSet<(u32, String)>,
}

impl Played {
    fn apply(&mut self, effect: &Effect, in_place: bool) {
        match effect {
            Effect::Do(name) => match name.phase {
                Phase::Start => drop(self.running_new.insert((name.batch, name.place.clone()))),
                Phase::Route => drop(self.routed_new.insert(name.batch)),
                Phase::Drain => drop(self.old_out.insert(name.batch)),
                Phase::Retire => drop(self.retired.insert((name.batch, name.place.clone()))),
                _ => {}
            },
            Effect::Undo(name) => match name.phase {
                Phase::Start => drop(self.running_new.remove(&(name.batch, name.place.clone()))),
                // Before the first stop the pool goes back as a whole.
                Phase::Route | Phase::Drain if !in_place => {
                    self.routed_new.clear();
                    self.old_out.clear();
                }
                Phase::Route => drop(self.routed_new.remove(&name.batch)),
                Phase::Drain => drop(self.old_out.remove(&name.batch)),
                _ => {}
            },
            Effect::GiveUp => {}
        }
    }
}

fn event_for(effect: &Effect, fails: bool, silent: bool) -> Option<Event> {
    let (Effect::Do(name) | Effect::Undo(name)) = effect else { return None };
    let fault = if silent { Fault::unreachable("played") } else { Fault::failed("played") };
    Some(if fails { Event::Failed(name.clone(), fault) } else { Event::Done(name.clone(), String::new()) })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1200))]

    /// Random failures, silent hosts, a cancel at a random moment, promotions, crashes (a new machine from the journal) at random
    /// moments, answers in random order; in every form of rollout.
    #[test]
    fn it_always_ends_and_leaves_done_or_before(
        start in proptest::collection::vec(1usize..5, 0..5),
        keep in proptest::collection::vec(1usize..5, 0..3),
        retire in proptest::collection::vec(1usize..5, 0..5),
        pool in any::<bool>(),
        form in (any::<bool>(), 0usize..3, any::<bool>(), proptest::bool::weighted(0.3), proptest::option::of(1u32..3)),
        // per answered effect: (which of those in flight answers, fails, crash after, cancel after, says nothing)
        script in proptest::collection::vec((any::<u8>(), 0u8..12, 0u8..20, 0u8..40, any::<bool>()), 1..60),
    ) {
        let form = Form { soak: form.0, batch: form.1, canary: form.2, in_place: form.3, hosts_needed: form.4 };
        let plan = plan(&start, &keep, &retire, pool, form);
        let rules = Rules::of(&plan);
        let mut run = Run::new(rules, steps(&plan), false, None);
        let mut world = Played::default();
        let mut journal = run.clone();
        let mut flying: Vec<Effect> = Vec::new();
        let mut next = run.step(Event::Begin, 0);
        let mut script = script.into_iter().cycle();
        let mut ended = None;
        for n in 0..4000 {
            // written before any effect runs
            journal = run.clone();
            for effect in next.effects.drain(..) {
                if let Effect::Do(name) = &effect {
                    prop_assert!(!run.undoing);
                    if name.phase == Phase::Route {
                        for step in run.steps.iter().filter(|step| step.phase == Phase::Prove && step.batch <= name.batch) {
                            prop_assert!(matches!(step.state, StepState::Done | StepState::Lost), "routed before all was proven");
                        }
                    }
                    if name.phase == Phase::Retire {
                        prop_assert!(world.old_out.contains(&name.batch) || plan.is_pool_untouched(), "an old proc stopped while it was in the pool");
                        if !plan.in_place {
                            let open = |phase: Phase| run.steps.iter().any(|step| step.phase == phase && !is_closed(step.state));
                            prop_assert!(!open(Phase::Prove) && !open(Phase::Route) && !open(Phase::Soak), "an old proc stopped too early");
                        }
                    }
                }
                world.apply(&effect, plan.in_place);
                if effect != Effect::GiveUp { flying.push(effect); }
            }
            if let Some(outcome) = next.outcome { ended = Some(outcome); break; }
            prop_assert!(!flying.is_empty(), "nothing under way and not ended: {run:?}");
            let (pick, fails, crash, cancel, silent) = script.next().unwrap();
            if cancel == 0 && n < 200 {
                next = run.step(Event::Cancel(Fault::interrupted("cancelled")), n);
                continue;
            }
            if cancel == 1 && n < 200 {
                next = run.step(Event::Promote("op1".into()), n);
                flying.retain(|effect| !matches!(effect, Effect::Do(name) if name.phase == Phase::Promote));
                continue;
            }
            // Failures stop after a while, so that it must end.
            let fails = fails == 0 && n < 200;
            let effect = flying.remove(usize::from(pick) % flying.len());
            next = run.step(event_for(&effect, fails, silent).unwrap(), n);
            if crash == 0 && n < 200 && next.outcome.is_none() {
                // the journal of the last write is all that the next process has
                run = Run::new(rules, journal.steps.clone(), journal.undoing, journal.cause.clone());
                flying.clear();
                next = run.step(Event::Begin, n);
            }
        }
        let Some(outcome) = ended else { return Err(TestCaseError::fail(format!("it did not end: {run:?}"))) };
        let owed: BTreeSet<String> = run.debts().into_iter().map(|debt| debt.host).collect();
        match outcome {
            Outcome::Done => {
                prop_assert!(run.cause.is_none());
                for proc in &plan.retire {
                    let gone = world.retired.iter().any(|(_, host)| host == &proc.host);
                    prop_assert!(gone || owed.contains(&proc.host));
                }
                for host in run.lost_hosts() {
                    prop_assert!(form.hosts_needed.is_some());
                    let runs = world.running_new.iter().any(|(_, place)| place == &host);
                    prop_assert!(!runs || owed.contains(&host), "new procs on a lost host are not owed");
                }
            }
            Outcome::Undone => {
                prop_assert!(world.retired.is_empty(), "undone after an old proc stopped");
                prop_assert!(world.running_new.is_empty(), "a new proc was left: {world:?}");
                prop_assert!(world.routed_new.is_empty() && world.old_out.is_empty());
                prop_assert!(run.cause.is_some() && owed.is_empty());
            }
            Outcome::Failed => prop_assert!(!owed.is_empty() || plan.in_place && !world.retired.is_empty()),
            other => prop_assert!(false, "{other:?}"),
        }
        // What is owed is paid when everything answers again, and then nothing is owed.
        if !owed.is_empty() {
            let mut paying = Run::to_pay(rules, run.steps.clone(), run.undoing, &owed, false);
            let mut next = paying.step(Event::Begin, 0);
            while next.outcome.is_none() {
                let effects: Vec<Effect> = next.effects.drain(..).filter(|effect| *effect != Effect::GiveUp).collect();
                prop_assert!(!effects.is_empty(), "nothing is paid and it has not ended: {paying:?}");
                for effect in effects {
                    world.apply(&effect, plan.in_place);
                    next.and_then(paying.step(event_for(&effect, false, false).unwrap(), 0));
                }
            }
            prop_assert_eq!(paying.debts(), Vec::new());
            if next.outcome == Some(Outcome::Undone) {
                prop_assert!(world.running_new.is_empty() && world.routed_new.is_empty() && world.old_out.is_empty());
            }
        }
        let _ = journal;
    }
}

fn run_of(plan: &Plan) -> Run {
    Run::new(Rules::of(plan), steps(plan), false, None)
}

/// Answers every effect as `says` does, until nothing is under way.
fn play(run: &mut Run, mut next: Next, now_ms: i64, says: &dyn Fn(&StepName) -> Option<Fault>) -> Next {
    let mut all = Next::default();
    loop {
        let effects: Vec<Effect> = next.effects.drain(..).collect();
        all.and_then(Next { effects: effects.clone(), ..next });
        next = Next::default();
        for effect in effects {
            let (Effect::Do(name) | Effect::Undo(name)) = &effect else { continue };
            if name.phase == Phase::Promote {
                continue;
            }
            let event = says(name).map_or_else(|| Event::Done(name.clone(), String::new()), |fault| Event::Failed(name.clone(), fault));
            next.and_then(run.step(event, now_ms));
        }
        if next.effects.is_empty() {
            all.and_then(next);
            return all;
        }
    }
}

#[test]
fn a_canary_waits_until_it_is_promoted() {
    let plan = plan(&[1, 2, 3], &[], &[1, 2, 3], true, Form { batch: 1, canary: true, ..Form::default() });
    let mut run = run_of(&plan);
    let begun = run.step(Event::Begin, 1);
    let first = play(&mut run, begun, 1, &|_| None);
    let started =
        |next: &Next| next.effects.iter().filter(|effect| matches!(effect, Effect::Do(name) if name.phase == Phase::Start)).count();
    assert_eq!((started(&first), first.outcome, run.phase()), (1, None, Phase::Promote));
    let promoted = run.step(Event::Promote("op1".into()), 2);
    let rest = play(&mut run, promoted, 2, &|_| None);
    assert_eq!((started(&rest), rest.outcome), (2, Some(Outcome::Done)));
}

#[test]
fn in_place_a_failure_leaves_what_was_replaced_and_takes_its_own_batch_back() {
    let plan = plan(&[1, 2, 3], &[], &[1, 2, 3], true, Form { batch: 1, in_place: true, ..Form::default() });
    let mut run = run_of(&plan);
    let begun = run.step(Event::Begin, 1);
    let all = play(&mut run, begun, 1, &|name| (name.phase == Phase::Prove && name.batch == 1).then(|| Fault::failed("no")));
    assert_eq!(all.outcome, Some(Outcome::Failed));
    let state = |phase: Phase, batch: u32| run.steps.iter().find(|step| step.phase == phase && step.batch == batch).unwrap().state;
    assert_eq!((state(Phase::Start, 0), state(Phase::Route, 0)), (StepState::Done, StepState::Done));
    assert_eq!((state(Phase::Retire, 1), state(Phase::Start, 1)), (StepState::Done, StepState::Undone));
    assert_eq!(state(Phase::Retire, 2), StepState::Pending);
}

#[test]
fn a_silent_host_is_waited_for_then_the_rule_decides() {
    for (hosts_needed, outcome) in [(None, Outcome::Undone), (Some(1), Outcome::Done), (Some(2), Outcome::Undone)] {
        let plan = plan(&[1, 2], &[], &[1, 2], true, Form { hosts_needed, ..Form::default() });
        let mut run = run_of(&plan);
        let begun = run.step(Event::Begin, 0);
        let silent = |name: &StepName| (name.place == "web2" && name.phase != Phase::Retire).then(|| Fault::unreachable("no route"));
        // It answers nothing; the clock stands still: it is asked again and again.
        let mut name = None;
        let mut next = begun;
        for _ in 0..5 {
            for effect in std::mem::take(&mut next.effects) {
                let Effect::Do(step) = &effect else { panic!("{effect:?}") };
                let fails = silent(step).is_some();
                if fails {
                    name = Some(step.clone());
                }
                next.and_then(run.step(event_for(&effect, fails, true).unwrap(), 10));
            }
        }
        assert_eq!((run.outcome, run.undoing), (None, false));
        let waiting = run.steps.iter().find(|step| step.place == "web2" && step.state == StepState::Intent).unwrap();
        assert!(waiting.detail.contains("does not answer"), "{waiting:?}");
        let last = run.step(Event::Failed(name.unwrap(), Fault::unreachable("no route")), 60);
        let end = play(&mut run, last, 60, &silent);
        assert_eq!(end.outcome, Some(outcome), "{hosts_needed:?}");
        if outcome == Outcome::Done {
            assert!(run.lost_hosts().contains("web2"));
            assert_eq!(run.debts().len(), 1, "its old proc: {:?}", run.debts());
        }
    }
}

#[test]
fn a_failed_proof_takes_the_new_procs_away_and_says_why() {
    let plan = plan(&[1, 2], &[], &[1, 2], true, Form::default());
    let mut run = run_of(&plan);
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
            let more = run.step(event_for(&effect, fails, false).unwrap(), 2);
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
    let plan = plan(&[1], &[2], &[1], true, Form::default());
    let mut run = run_of(&plan);
    let mut next = run.step(Event::Begin, 1);
    while !next.effects.iter().any(|effect| matches!(effect, Effect::Do(name) if name.phase == Phase::Drain)) {
        let effects = std::mem::take(&mut next.effects);
        assert!(!effects.is_empty());
        for effect in effects {
            next.effects.extend(run.step(event_for(&effect, false, false).unwrap(), 2).effects);
        }
    }
    let mut resumed = Run::new(Rules::of(&plan), run.steps.clone(), false, None);
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
    let proof = StepName { batch: 0, phase: Phase::Prove, place: "web1".into() };
    resumed.step(Event::Done(StepName { batch: 0, phase: Phase::Prove, place: "web2".into() }, String::new()), 4);
    let next = resumed.step(Event::Failed(proof, Fault::failed("gone")), 4);
    assert!(resumed.undoing && next.effects.iter().any(|effect| matches!(effect, Effect::Undo(name) if name.phase == Phase::Drain)));
}

/// Every effect until the machine has nothing more to ask for.
fn effects_of(run: &mut Run, says: &dyn Fn(&StepName) -> Option<Fault>) -> Next {
    let begun = run.step(Event::Begin, 1);
    play(run, begun, 1, says)
}

fn at_once(mut plan: Plan) -> Plan {
    plan.timing.lost_after_ms = 0;
    plan
}

#[test]
fn in_place_a_debt_of_an_earlier_batch_is_paid_and_nothing_else_is_taken_away() {
    let form = Form { batch: 2, in_place: true, hosts_needed: Some(1), ..Form::default() };
    let plan = at_once(plan(&[1, 2, 3], &[], &[1, 2, 3], true, form));
    let mut run = run_of(&plan);
    // Its way back goes well.
    let proven = std::cell::Cell::new(false);
    let ended = effects_of(&mut run, &|name| match (name.phase, name.place.as_str()) {
        (Phase::Start, "web1") => Some(Fault::unreachable("no route")),
        (Phase::Prove, "web3") => (!proven.replace(true)).then(|| Fault::failed("no")),
        _ => None,
    });
    assert_eq!((ended.outcome, run.debts().len()), (Some(Outcome::Failed), 1), "{:?}", run.debts());
    let mut paying = Run::to_pay(Rules::of(&plan), run.steps.clone(), true, &BTreeSet::from(["web1".to_string()]), false);
    let paid = effects_of(&mut paying, &|_| None);
    let owed = StepName { batch: 0, phase: Phase::Start, place: "web1".into() };
    assert_eq!(paid.effects, [Effect::Undo(owed)]);
    assert_eq!((paid.outcome, paying.debts()), (Some(Outcome::Failed), Vec::new()));
}

#[test]
fn in_place_nothing_starts_where_an_old_proc_could_not_be_stopped() {
    let plan = at_once(plan(&[1, 2], &[], &[1, 2], true, Form { batch: 1, in_place: true, ..Form::default() }));
    let mut run = run_of(&plan);
    let silent = |name: &StepName| (name.phase == Phase::Retire).then(|| Fault::unreachable("no route"));
    let ended = effects_of(&mut run, &silent);
    assert_eq!(ended.outcome, Some(Outcome::Failed));
    assert!(!ended.effects.iter().any(|effect| matches!(effect, Effect::Do(name) if name.phase == Phase::Start)), "{:?}", ended.effects);
}

#[test]
fn a_host_that_is_lost_after_it_was_routed_is_routed_no_more() {
    let plan = at_once(plan(&[1, 2], &[], &[1, 2], true, Form { soak: true, hosts_needed: Some(1), ..Form::default() }));
    let mut first = run_of(&plan);
    let mut next = first.step(Event::Begin, 1);
    while !next.effects.iter().any(|effect| matches!(effect, Effect::Do(name) if name.phase == Phase::Soak)) {
        let effects = std::mem::take(&mut next.effects);
        assert!(!effects.is_empty());
        for effect in effects {
            next.effects.extend(first.step(event_for(&effect, false, false).unwrap(), 1).effects);
        }
    }
    let mut resumed = Run::new(Rules::of(&plan), first.steps.clone(), false, None);
    let silent = |name: &StepName| (name.phase == Phase::Prove && name.place == "web2").then(|| Fault::unreachable("no route"));
    let ended = effects_of(&mut resumed, &silent);
    let again: Vec<Phase> = ended
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Do(name) if matches!(name.phase, Phase::Route | Phase::Drain) => Some(name.phase),
            _ => None,
        })
        .collect();
    assert_eq!((again, ended.outcome), (vec![Phase::Drain], Some(Outcome::Done)));
    assert!(resumed.lost_hosts().contains("web2"));
}

#[test]
fn what_a_promoted_wait_answers_late_is_no_debt() {
    let plan = plan(&[1, 2], &[], &[1, 2], true, Form { batch: 1, canary: true, ..Form::default() });
    let mut run = run_of(&plan);
    effects_of(&mut run, &|_| None);
    let mut next = run.step(Event::Promote("op1".into()), 2);
    let started = next.effects.pop().unwrap();
    next.and_then(run.step(event_for(&started, true, false).unwrap(), 3));
    assert!(run.undoing);
    let wait = StepName { batch: 0, phase: Phase::Promote, place: String::new() };
    for _ in 0..ATTEMPTS {
        next.and_then(run.step(Event::Failed(wait.clone(), Fault::failed("late")), 3));
    }
    let ended = play(&mut run, next, 3, &|_| None);
    assert_eq!((ended.outcome, run.debts()), (Some(Outcome::Undone), Vec::new()));
}

#[test]
fn in_place_a_pool_that_names_a_lost_host_is_written_before_that_hosts_debt_is_paid() {
    let form = Form { batch: 1, in_place: true, hosts_needed: Some(1), ..Form::default() };
    // The new procs of web1 are of the first batch; those of the second are under way when it falls silent.
    let mut plan = at_once(plan(&[1, 2, 1], &[], &[1, 2, 1], true, form));
    plan.start.iter_mut().zip([0, 1, 1]).for_each(|(proc, batch)| proc.batch = batch);
    plan.retire.iter_mut().zip([0, 1, 1]).for_each(|(proc, batch)| proc.batch = batch);
    let mut run = run_of(&plan);
    let drained = std::cell::Cell::new(0);
    let ended = effects_of(&mut run, &|name| match (name.batch, name.phase, name.place.as_str()) {
        (1, Phase::Prove, "web1") => Some(Fault::unreachable("no route")),
        (1, Phase::Drain, _) => (drained.replace(drained.get() + 1) > 0).then(|| Fault::failed("it refuses its configuration")),
        _ => None,
    });
    assert_eq!(ended.outcome, Some(Outcome::Failed));
    let owed: BTreeSet<String> = run.debts().into_iter().map(|debt| debt.host).collect();
    assert!(owed.len() == 2 && owed.contains("web1"), "{owed:?}");
    let pay = |places: &BTreeSet<String>, steps: &[Step]| {
        let mut paying = Run::to_pay(Rules::of(&plan), steps.to_vec(), true, places, false);
        let effects = effects_of(&mut paying, &|_| None).effects;
        (effects, paying)
    };
    let (nothing, _) = pay(&BTreeSet::from(["web1".to_string()]), &run.steps);
    assert_eq!(nothing, [], "the pool names it still");
    let (effects, paying) = pay(&owed, &run.steps);
    let phases: Vec<(bool, Phase)> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Do(name) => Some((true, name.phase)),
            Effect::Undo(name) => Some((false, name.phase)),
            Effect::GiveUp => None,
        })
        .collect();
    assert_eq!(phases, [(true, Phase::Drain), (false, Phase::Start), (false, Phase::Start)]);
    assert_eq!(paying.debts(), []);
}
