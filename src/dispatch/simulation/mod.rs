//! The simulator: the machine and the planner, unchanged, under another driver, with virtual time, a store in memory, and a seed that
//! decides everything that happens: crashes, partitions, slow and lying hosts, full disks, several consoles, operators at random.
//!
//! `cargo test simulation` plays 2,000 seeds, `SWARMDECK_SEEDS=1000000` as many as that says, from `SWARMDECK_FROM` on;
//! `SWARMDECK_SEED=7` replays one and prints what happened. A seed that breaks a promise is printed, made smaller, and printed again.

mod chance;
mod console;
mod driver;
mod fleet;
mod habits;
mod hands;
mod leasing;
mod nature;
mod planning;
mod play;
mod scenario;
mod scripts;
mod shrink;
mod sim;
mod time;
mod truth;

use play::{Played, play};
use scenario::{Happening, Sabotage, Scenario, SwarmOf};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The report of a seed that broke a promise: the smallest scenario that breaks the same one, and what happens in it.
fn report(seed: u64, played: &Played) -> String {
    let broken = played.broken.as_ref().unwrap();
    let small = shrink::shrink(&Scenario::of(seed), broken.promise);
    let again = play(&small, true);
    let how = again.broken.map(|broken| broken.how).unwrap_or_default();
    let last = again.trace.len().saturating_sub(400);
    format!(
        "seed {seed} breaks \"{}\": {}\nsmaller: {how}\n{}\n{}\nreplay it whole: SWARMDECK_SEED={seed} cargo test simulation",
        broken.promise,
        broken.how,
        small.lines(),
        again.trace[last..].join("\n")
    )
}

#[test]
fn every_promise_holds_whatever_happens() {
    if let Some(seed) = number("SWARMDECK_SEED") {
        let scenario = Scenario::of(seed);
        let played = play(&scenario, true);
        println!("{}\n{}", scenario.lines(), played.trace.join("\n"));
        println!("{} steps, outcomes {:?}", played.steps, played.outcomes);
        assert!(played.broken.is_none(), "{:?}\n{}", played.broken, report(seed, &played));
        return;
    }
    let (seeds, from) = (number("SWARMDECK_SEEDS").unwrap_or(2_000), number("SWARMDECK_FROM").unwrap_or(1));
    let (next, stop) = (AtomicU64::new(from), AtomicBool::new(false));
    let (broken, tally) = (Mutex::new(BTreeMap::new()), Mutex::new(BTreeMap::<String, u64>::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds || stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let played = play(&Scenario::of(seed), false);
                    let mut tally = tally.lock().unwrap();
                    for outcome in &played.outcomes {
                        *tally.entry(outcome.map_or("open", |outcome| outcome.word()).into()).or_default() += 1;
                    }
                    *tally.entry("steps".into()).or_default() += played.steps;
                    if played.broken.is_some() {
                        broken.lock().unwrap().insert(seed, played);
                        stop.store(number("SWARMDECK_ALL").is_none(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    println!("{seeds} seeds: {:?}", tally.into_inner().unwrap());
    let broken = broken.into_inner().unwrap();
    if broken.len() > 1 {
        for (seed, played) in &broken {
            let broken = played.broken.as_ref().unwrap();
            println!("seed {seed}: {}: {:.300}", broken.promise, broken.how);
        }
    }
    if let Some((seed, played)) = broken.first_key_value() {
        panic!("{}", report(*seed, played));
    }
}

/// What the simulator would say of mistakes that it is there to find.
#[test]
fn a_mistake_is_found_and_made_small() {
    let mistakes = [
        (Sabotage::NoProof, vec!["nothing unproven is routed", "old procs stay till the new ones serve"]),
        (Sabotage::PortsKept, vec!["nothing is left behind"]),
    ];
    for (sabotage, promises) in mistakes {
        let with = |seed| Scenario { sabotage: Some(sabotage), ..Scenario::of(seed) };
        let found = (1..2_000).find_map(|seed| Some((seed, play(&with(seed), false).broken?)));
        let (seed, broken) = found.unwrap_or_else(|| panic!("{sabotage:?} is not found"));
        assert!(promises.contains(&broken.promise), "{sabotage:?} in seed {seed}: {broken:?}");
        let small = shrink::shrink(&with(seed), broken.promise);
        assert!(small.happenings.len() <= with(seed).happenings.len());
        assert_eq!(play(&small, false).broken.unwrap().promise, broken.promise, "{}", small.lines());
    }
}

/// Two consoles on two machines; the one that dispatches is stopped `at` a moment of its dispatch, past its lease, and goes on later.
fn stopped(at: u64, sabotage: Option<Sabotage>) -> Scenario {
    let swarm = SwarmOf { size: 2, pool: true, soak: 0, settle: 0, batch: None, canary: None, in_place: false, absent: "abort" };
    let dispatch = |version| Happening::Dispatch { console: 0, swarm: 0, version, size: 2, think: 500, twice: false, lifts: false };
    Scenario {
        seed: at,
        hosts: 2,
        edges: 1,
        machines: 2,
        consoles: 2,
        automatic: false,
        swarms: vec![swarm],
        sabotage,
        happenings: vec![
            (0, dispatch(0)),
            (20_000, dispatch(1)),
            (20_000 + at, Happening::Freeze { console: 0, during: 40_000 }),
            (21_000 + at, Happening::Upkeep { console: 1 }),
        ],
    }
}

#[test]
fn a_stopped_process_changes_nothing_that_the_new_holder_reached() {
    for at in (500..9_000).step_by(40) {
        let played = play(&stopped(at, None), false);
        assert!(played.broken.is_none(), "at {at}: {:?}", played.broken);
    }
    // Without a fence it would.
    let broken = |at| play(&stopped(at, Some(Sabotage::NoFence)), false).broken;
    assert!((500..9_000).step_by(7).any(|at| broken(at).is_some_and(|broken| ["fenced", "ended is ended"].contains(&broken.promise))));
}

#[test]
fn the_same_seed_plays_the_same_way() {
    for seed in [3, 14, 159] {
        let (first, second) = (play(&Scenario::of(seed), true), play(&Scenario::of(seed), true));
        assert!(first.trace.len() > 20, "{:?}", first.trace);
        assert_eq!(first.trace, second.trace);
    }
}
