//! The crash matrix: a dispatch on four hosts behind a real nginx, stopped dead at every write of its journal and at every script and
//! upload it sends, then carried to its end by the same Unix user or taken over by another, under requests all the while.
//!
//! Points are named as in `SWARMDECK_STOP_AT` (src/dispatch/stop_at.rs). Without more, a sample that fits into four minutes, chosen by a
//! seed that is printed; `SWARMDECK_CRASH=SEED` plays that sample, `SWARMDECK_CRASH=effect:12:during` that point alone, and the whole of
//! it is `SWARMDECK_CRASH=all tests/run --test it crash:: -- --nocapture`.

use crate::support::deck::{Deck, OPERATORS, Requests, nodes};
use crate::support::fleet::{Fleet, POOL_FILE};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

const HOSTS: [&str; 4] = ["h001", "h002", "h003", "h004"];
/// How long a sample may take.
const SAMPLE: Duration = Duration::from_secs(240);
/// So many writes, and scripts and uploads, a sample is chosen from; a point beyond the last one is a dispatch that ends by itself.
const WRITES: usize = 22;
const EFFECTS: usize = 32;

/// Four hosts, one swarm with a pool. It goes to and fro between three procs of v1 and four of v2: procs are replaced, and added or taken away.
fn deck(fleet: &Fleet) -> Deck {
    let deck = Deck::shared(fleet);
    let hosts: Vec<String> = HOSTS
        .iter()
        .map(|host| format!("{{name: {host}, transport: ssh, address: {host}, user: root, root: /apps, ports: 5000-5999}}"))
        .collect();
    let (head, swarms) = deck.document.split_once("squads:\n").unwrap();
    let (_, rest) = swarms.split_once("balancers:\n").unwrap();
    let (balancers, swarm) = rest.split_once("swarms:\n").unwrap();
    let swarm = swarm.split_once("  - app: shop\n    config_name: prod\n    proc_name: worker").unwrap().0;
    let swarm = swarm.replace("size: 2", "size: 3").replace("settle: 1s", "settle: 200ms");
    let document = format!("{head}squads:\n  - name: web\n    hosts: [{}]\nbalancers:\n{balancers}swarms:\n{swarm}", hosts.join(", "));
    deck.apply(&document).ended(0);
    for host in HOSTS {
        deck.run(&["hosts", "provision", host]).ended(0);
    }
    // Both versions are built before anything is counted.
    deck.done(&["--version", "v2", "--size", "4"]);
    deck.done(&["--version", "v1", "--size", "3"]);
    deck
}

/// What there is, asked of hosts, balancer and store from the side.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    /// By host and proc directory: the processes that carry a proc's mark.
    procs: BTreeMap<(String, String), Vec<String>>,
    /// What is neither a proc, nor an artifact by its digest, nor a file of the fence.
    litter: Vec<String>,
    pool: String,
    store: Vec<String>,
}

const LOOK: &str = r#"cd /apps
for proc in procs/*; do
  [ -e "$proc/proc.conf" ] || continue
  mark=$(sed -n 's/^instance=//p' "$proc/stamp")
  echo "proc ${proc#procs/}" $(grep -lzsxF "SWARMDECK_INSTANCE=$mark" /proc/[0-9]*/environ | cut -d / -f 3)
done
for entry in procs/* procs/.[!.]*; do [ ! -e "$entry" ] || [ -e "$entry/proc.conf" ] || echo "litter $entry"; done
ls -A builds | grep -vxE '[0-9a-f]{64}' | sed 's/^/litter /'
ls -A fence | grep -vxE 'installation|.*[.](lock|epoch)' | sed 's/^/litter /'
for pid in $(grep -lzs '^SWARMDECK_INSTANCE=' /proc/[0-9]*/environ | cut -d / -f 3); do
  mark=$(tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | sed -n 's/^SWARMDECK_INSTANCE=//p')
  [ -z "$mark" ] || grep -qsxF "instance=$mark" procs/*/stamp || echo "litter process $pid"
done
true"#;

fn look(fleet: &Fleet, deck: &Deck) -> Seen {
    let (mut procs, mut litter) = (BTreeMap::new(), Vec::new());
    for host in HOSTS {
        for line in fleet.text(host, LOOK).lines() {
            match line.split_once(' ') {
                Some(("proc", proc)) => {
                    let mut words = proc.split(' ').map(str::to_owned);
                    procs.insert((host.to_owned(), words.next().unwrap()), words.collect());
                }
                _ => litter.push(format!("{host}: {line}")),
            }
        }
    }
    let half_done = "ls -A /etc/nginx/conf.d | grep -vx shop.conf; ls -A /apps/fence | grep -E 'owed|next'; true";
    litter.extend(fleet.text("lb01", half_done).lines().map(|line| format!("lb01: {line}")));
    litter.extend(deck.sql("SELECT 'port', host_id, port FROM port_leases"));
    litter.extend(deck.sql("SELECT 'lease', name, who, step FROM leases WHERE holder <> ''"));
    let mut store = deck.sql("SELECT text FROM objects WHERE kind = 'swarm'");
    store.extend(deck.sql("SELECT release_id FROM swarm_runs ORDER BY n DESC LIMIT 1"));
    Seen { procs, litter, pool: fleet.text("lb01", &format!("cat {POOL_FILE}")), store }
}

/// Whether this is `size` running procs of `version` that are the pool, and nothing else.
fn is_whole(fleet: &Fleet, seen: &Seen, (version, size): (&str, usize)) -> bool {
    let right = |(_, name): &(String, String)| name.starts_with(&format!("shop-{version}-prod-"));
    let node = |(host, name): &(String, String)| format!("{}:{}", fleet.addr(host), name.rsplit('-').next().unwrap());
    seen.litter.is_empty()
        && seen.procs.len() == size
        && seen.procs.keys().all(right)
        && seen.procs.values().all(|pids| !pids.is_empty())
        && nodes(fleet) == seen.procs.keys().map(node).collect::<BTreeSet<_>>()
}

/// One crash and what comes of it.
struct Cycle {
    /// "done", "undone", or "nothing" when no dispatch was written down yet.
    ended: String,
    seconds: f64,
}

/// Stops a dispatch at `point` and has it carried on. None: the dispatch ended by itself, it has no such point.
fn cycle(fleet: &Fleet, deck: &mut Deck, requests: &Requests, point: &str, turn: usize) -> Option<Cycle> {
    let begun = Instant::now();
    let before = look(fleet, deck);
    let (now, next) = if before.store.iter().any(|line| line == "version: v1") { (("v1", 3), ("v2", 4)) } else { (("v2", 4), ("v1", 3)) };
    assert!(is_whole(fleet, &before, now), "before {point}: {before:#?}");
    let size = next.1.to_string();
    let dispatch = ["dispatch", "shop-prod-web", "--version", next.0, "--size", &size, "--yes", "-o", "json"];
    let ran = deck.run_with(&dispatch, ("SWARMDECK_STOP_AT", point));
    let crashed = ran.code == -1;
    if !crashed {
        assert_eq!(ran.json()["result"], "done", "{point}: {ran:?}");
    }
    let number = deck.json(&["get", "dispatches"])[0]["number"].to_string();
    // Half by the same user, half by another; every fourth is to be undone, where that is still possible.
    let mut ended = "done".to_owned();
    if crashed {
        ended = deck.by(OPERATORS[turn % 2], |deck| {
            if turn % 8 >= 6 {
                deck.run(&["cancel", &number, "-o", "json"]);
            }
            let carried = deck.run(&["resume", "-o", "json"]);
            let open = deck.json(&["get", "dispatches"]);
            assert!(carried.code <= 1, "{point}: {carried:?}");
            open[0]["result"].as_str().unwrap().to_owned()
        });
    }
    // What was sent by the process that is dead may still end on its host.
    let mut after = look(fleet, deck);
    let good = |after: &Seen| if ended == "done" && *after != before { is_whole(fleet, after, next) } else { *after == before };
    let limit = Instant::now() + Duration::from_secs(60);
    while !good(&after) {
        assert!(Instant::now() < limit, "{point}, {ended}: neither done nor before\n{before:#?}\n{after:#?}");
        std::thread::sleep(Duration::from_millis(200));
        after = look(fleet, deck);
    }
    let procs = deck.json(&["get", "procs"]);
    let ours = |proc: &Value| proc["owner"] == "ours" && proc["routed"] == true && proc["state"] == "RUNNING";
    assert!(procs.as_array().unwrap().iter().all(ours) && procs.as_array().unwrap().len() == after.procs.len(), "{point}: {procs}");
    requests.none_failed(point);
    if after == before && ended == "done" {
        ended = "nothing".into();
    }
    crashed.then(|| Cycle { ended, seconds: begun.elapsed().as_secs_f64() })
}

fn points(kind: &str, count: usize, whens: &[&str]) -> Vec<String> {
    (1..=count).flat_map(|n| whens.iter().map(move |when| format!("{kind}:{n}:{when}"))).collect()
}

#[test]
fn stopped_dead_anywhere_a_dispatch_is_done_or_as_before() {
    let Some(fleet) = Fleet::of(&[&HOSTS[..], &["lb01"]].concat()) else { return };
    let wanted = std::env::var("SWARMDECK_CRASH").unwrap_or_else(|_| std::hash::RandomState::new().build_hasher().finish().to_string());
    let mut deck = deck(&fleet);
    let requests = Requests::start(&fleet);
    let mut totals: BTreeMap<String, usize> = BTreeMap::new();
    let mut turn = 0;
    let mut play = |deck: &mut Deck, point: &str| {
        let played = cycle(&fleet, deck, &requests, point, turn);
        let who = OPERATORS[turn % 2].name;
        turn += 1;
        match &played {
            Some(Cycle { ended, seconds }) => {
                eprintln!("crash at {point}, then {who}: {ended} in {seconds:.1} s");
                *totals.entry(ended.clone()).or_default() += 1;
            }
            None => eprintln!("no such point: {point}"),
        }
        played.is_some()
    };
    if wanted.contains(':') {
        assert!(play(&mut deck, &wanted), "no such point");
    } else if wanted == "all" {
        for (kind, whens) in [("journal", &["before", "after"][..]), ("effect", &["before", "during", "after"][..])] {
            for when in whens {
                let last = (1..).take_while(|n| play(&mut deck, &format!("{kind}:{n}:{when}"))).last().unwrap();
                eprintln!("{kind} {when}: every one of {last}");
            }
        }
    } else {
        let seed: u64 = wanted.parse().expect("SWARMDECK_CRASH is all, a seed, or a point");
        eprintln!("SWARMDECK_CRASH={seed}");
        let mut all = points("journal", WRITES, &["before", "after"]);
        all.extend(points("effect", EFFECTS, &["before", "during", "after"]));
        // The order of a hash of seed and name: the same points for the same seed.
        all.sort_by_cached_key(|point| point.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)));
        let end = Instant::now() + SAMPLE;
        for point in all.iter().take_while(|_| Instant::now() < end) {
            play(&mut deck, point);
        }
    }
    eprintln!("{totals:?}");
    assert!(totals.values().sum::<usize>() > 0);
    requests.end();
}
