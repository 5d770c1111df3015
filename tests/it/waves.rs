//! Holds, somebody else at the swarm, waits that are seen, and several swarms as one wave, on real hosts.

use crate::support::deck::{Deck, answers, programs, state};
use crate::support::fleet::Fleet;
use crate::support::{repo, until};
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const WEB: [&str; 2] = ["web01", "web02"];
const LONG: Duration = Duration::from_secs(120);

/// The fleet's document with two more swarms of workers.
fn with_workers(deck: &mut Deck) {
    for config in ["stage", "eu"] {
        deck.document.push_str(&format!(
            "  - {{app: shop, config_name: {config}, proc_name: worker, squad: web, size: 1, version: v1, ingredients: [db], run_as: nobody, settle: 1s}}\n"
        ));
    }
    let document = deck.document.clone();
    deck.apply(&document).ended(0);
}

/// The version that each swarm runs.
fn running(deck: &Deck) -> BTreeMap<String, String> {
    let swarms = deck.json(&["get", "swarms"]);
    let text = |swarm: &Value, key: &str| swarm[key].as_str().unwrap().to_owned();
    swarms.as_array().unwrap().iter().map(|swarm| (text(swarm, "name").replace("@web", ""), text(swarm, "running"))).collect()
}

/// How far each member of a wave is.
fn states(wave: &Value) -> Vec<(String, String)> {
    let text = |member: &Value, key: &str| member[key].as_str().unwrap().replace("@web", "");
    wave["members"].as_array().unwrap().iter().map(|member| (text(member, "swarm"), text(member, "state"))).collect()
}

fn are(states: &[(&str, &str)]) -> Vec<(String, String)> {
    states.iter().map(|(swarm, state)| ((*swarm).into(), (*state).into())).collect()
}

#[test]
fn several_swarms_go_as_one_stop_at_the_first_failure_and_go_back_as_one() {
    let Some(fleet) = Fleet::of(&["web01", "web02", "lb01"]) else { return };
    let mut deck = Deck::ready(&fleet, &WEB);
    with_workers(&mut deck);
    let all = ["shop-prod-worker", "shop-prod-web", "shop-stage-worker", "shop-eu-worker"];
    let wave = |swarms: &[&str], more: &[&str]| deck.run(&[&["dispatch"], swarms, more, &["--yes", "-o", "json"]].concat());

    // Nothing of it runs yet: all are planned and shown at once, and go as one.
    let planned = deck.json(&[&["plan"], all.as_slice()].concat());
    assert_eq!(planned["wave"].as_array().unwrap().len(), 4, "{planned}");
    deck.run(&[&["dispatch"], all.as_slice(), &["-o", "json"]].concat())
        .refused(3, &["dispatch 4 swarms (shop-prod-worker@web, ", "Nobody can be asked"]);
    wave(&all, &["--size", "2"]).refused(2, &["--size is for one swarm"]);
    let report = wave(&all, &[]).ended(0).json();
    assert_eq!((&report["wave"], &report["result"], &report["done"]), (&json!(1), &json!("done"), &json!(4)), "{report}");
    answers(&fleet, &["version: v1"]);

    // The second fails on its hosts and is undone; the rest does not begin.
    let ran = wave(&all, &["--version", "v-badtest", "--at-once", "1"]).ended(1);
    let report = ran.json();
    let stopped = [
        ("shop-prod-worker", "done"),
        ("shop-prod-web", "failed"),
        ("shop-stage-worker", "not started"),
        ("shop-eu-worker", "not started"),
    ];
    assert_eq!(states(&report), are(&stopped));
    assert_eq!((&report["result"], &report["not_started"]), (&json!("stopped at a failure"), &json!(2)), "{report}");
    assert!(report["members"][1]["error"].as_str().unwrap().contains("02-fails"), "{report}");
    let begun: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("goes as dispatch")).collect();
    assert!(begun.len() == 2 && begun[0].contains("shop-prod-worker"), "the first alone: {begun:?}");
    let live = |versions: [&str; 4]| {
        let expected: BTreeMap<String, String> =
            all.iter().zip(versions).map(|(swarm, version)| ((*swarm).into(), version.into())).collect();
        assert_eq!(running(&deck), expected);
    };
    live(["v-badtest", "v1", "v1", "v1"]);
    assert_eq!(deck.json(&["get", "waves"])[0], deck.json(&["get", "waves", "2"])[0]);

    // Rolled back as one: what it brought live. Each leaves a hold, which stops the next dispatch till it is named.
    let report = deck.run(&["rollback", "wave", "2", "--yes", "-m", "bad test", "-o", "json"]).ended(0).json();
    assert_eq!((states(&report), &report["rolls_back"]), (are(&[("shop-prod-worker", "done")]), &json!(2)), "{report}");
    live(["v1", "v1", "v1", "v1"]);
    let holds = deck.json(&["holds"]);
    let hold = holds[0]["name"].as_str().unwrap();
    assert!(hold.starts_with("rollback-") && holds[0]["why"].as_str().unwrap().ends_with("bad test"), "{holds}");
    let before = state(&fleet, &deck, &WEB);
    let plan = deck.run(&["plan", "shop-prod-worker", "--version", "v2"]).ended(0).stdout;
    assert!(plan.contains(&format!("HELD shop-prod-worker@web by {hold}")), "{plan}");
    let worker = |more: &[&str]| deck.run(&[&["dispatch", "shop-prod-worker", "--version", "v2", "--yes", "-o", "json"], more].concat());
    worker(&[]).refused(3, &[hold, "bad test", &format!("--lift {hold}")]);
    worker(&["--lift", "rollback-0"]).refused(3, &["'rollback-0' does not hold", hold]);
    wave(&all, &["--version", "v2"]).refused(3, &[hold]);
    // A hold on a host: nothing is placed on it, nothing on it is changed.
    let held = deck.json(&["hold", "host", "web01", "--for", "2h", "-m", "its disk is changed"]);
    let other = held["hold"]["name"].as_str().unwrap();
    let elsewhere = deck.json(&["plan", "shop-prod-web", "--size", "3"]);
    assert!(elsewhere["start"].as_array().unwrap().iter().all(|proc| proc["host"] == "web02"), "{elsewhere}");
    deck.run(&["dispatch", "shop-prod-web", "--version", "v2", "--yes", "-o", "json"])
        .refused(3, &["host web01 is held", "its disk is changed"]);
    deck.run(&["hosts", "provision", "web01"]).refused(3, &["host web01 is held"]);
    let one = programs(&fleet, &["web01"], "shop-").remove(0);
    deck.run(&["restart", "web01", &one.name, "--yes"]).refused(3, &["host web01 is held"]);
    assert_eq!(state(&fleet, &deck, &WEB), before);
    deck.run(&["lift", other, "-m", "it is in"]).ended(0);
    worker(&["--lift", hold]).ended(0);
    assert_eq!(deck.json(&["holds"]), json!([]));

    // Its process dies: what was under way is finished by the next one, the rest waits to be resumed.
    let killed = deck.spawn(&["dispatch", "shop-stage-worker", "shop-eu-worker", "--version", "v2", "--yes", "-o", "json"]);
    killed.said("prove: begun");
    killed.signal(Signal::SIGKILL);
    killed.end().ended(-1);
    deck.run(&["upkeep"]).ended(0);
    assert_eq!(states(&deck.json(&["get", "waves"])[0]), are(&[("shop-stage-worker", "done"), ("shop-eu-worker", "not started")]));
    live(["v2", "v1", "v2", "v1"]);
    let number = deck.json(&["get", "waves"])[0]["number"].to_string();
    let report = deck.run(&["resume", "wave", &number, "--yes", "-o", "json"]).ended(0).json();
    assert_eq!((&report["result"], &report["done"]), (&json!("done"), &json!(2)), "{report}");
    live(["v2", "v1", "v2", "v2"]);
    deck.run(&["resume", "wave", &number, "--yes", "-o", "json"]).refused(3, &["is done"]);

    // An ingredient changed: all that use it and are not live yet go; a second time there is nothing to do.
    let document = deck.run(&["export"]).ended(0).stdout.replace("db_host: db1", "db_host: db2");
    deck.apply(&document).ended(0);
    let report = deck.run(&["wave", "db", "--yes", "-o", "json"]).ended(0).json();
    assert_eq!(report["done"], json!(4), "{report}");
    deck.run(&["wave", "db", "--yes", "-o", "json"]).refused(3, &["there is nothing to do", "runs this already"]);

    // A host is emptied: its swarms are one wave. Out of service it takes nothing, and says so where its squad is written.
    let procs = deck.json(&["get", "procs"]);
    let swarms_on = |host: &str| {
        let there = procs.as_array().unwrap().iter().filter(|proc| proc["host"] == host);
        there.map(|proc| proc["swarm"].to_string()).collect::<std::collections::BTreeSet<_>>().len()
    };
    // Four swarms are on two hosts: one of them has several.
    let (full, rest) = if swarms_on("web02") > 1 { ("web02", "web01") } else { ("web01", "web02") };
    let report = deck.run(&["hosts", "evacuate", full, "--yes", "-m", "new disk", "-o", "json"]).ended(0).json();
    assert_eq!((&report["verb"], &report["result"]), (&json!("evacuate"), &json!("done")), "{report}");
    assert_eq!(report["members"].as_array().unwrap().len(), swarms_on(full), "{report}");
    assert_eq!(programs(&fleet, &[full], "shop-").len(), 0);
    deck.run(&["hosts", "out-of-service", full, "-m", "new disk"]).ended(0);
    let elsewhere = deck.json(&["plan", "shop-prod-web", "--size", "3"]);
    assert!(elsewhere["start"].as_array().unwrap().iter().all(|proc| proc["host"] == rest), "{elsewhere}");
    let undo = deck.json(&["undo"]);
    let back = undo.as_array().unwrap().iter().find(|undo| undo["object"] == full).unwrap();
    assert_eq!(back["command"], format!("swarmdeck hosts in-service {full}"), "{undo}");
    deck.run(&["hosts", "in-service", full]).ended(0);

    // Somebody is at one of its swarms: refused, or that is undone first and the wave planned anew.
    let slow = deck.with("    settle: 1s\n    uptest_timeout: 20s\n", "    settle: 1s\n    uptest_timeout: 20s\n    soak: 20s\n");
    deck.apply(&slow).ended(0);
    let other = deck.spawn(&["dispatch", "shop-prod-web", "--version", "v2", "--yes", "-o", "json"]);
    other.said("soak: begun");
    let report = wave(&["shop-stage-worker", "shop-prod-web"], &["--version", "v1", "--on-busy", "supersede"]).ended(0).json();
    assert_eq!(other.end().ended(1).json()["result"], "undone");
    assert_eq!((&report["result"], &report["done"]), (&json!("done"), &json!(2)), "{report}");
    assert_eq!(deck.sql("SELECT name FROM leases WHERE holder <> ''"), Vec::<String>::new());
    assert_eq!(deck.sql("SELECT * FROM port_leases"), Vec::<String>::new());
}

#[test]
fn who_is_at_a_swarm_is_waited_for_or_superseded_and_every_wait_is_seen_and_can_be_ended() {
    let Some(fleet) = Fleet::of(&["web01", "web02", "lb01"]) else { return };
    let mut deck = Deck::ready(&fleet, &WEB);
    deck.done(&["--version", "v1"]);
    let before = state(&fleet, &deck, &WEB);
    // A canary waits for somebody to promote it: a dispatch that is under way as long as the test wants.
    deck.document = deck.with("    settle: 1s\n    uptest_timeout: 20s\n", "    settle: 1s\n    uptest_timeout: 20s\n    canary: 1\n");
    let document = deck.document.clone();
    deck.apply(&document).ended(0);
    let spawn = |version: &str, more: &[&str]| {
        deck.spawn(&[&["dispatch", "shop-prod-web", "--version", version, "--yes", "-o", "json"], more].concat())
    };
    let number = || deck.json(&["get", "dispatches"])[0]["number"].to_string();

    let first = spawn("v2", &[]);
    first.said("promote: begun");
    first.said("for somebody to promote or cancel");
    // What it waits for is said to programs too.
    let waiting = deck.json(&["describe", "dispatch", &number()])["waiting"].clone();
    assert_eq!((&waiting["for"], &waiting["left_ms"]), (&json!("promote"), &Value::Null), "{waiting}");
    assert!(waiting["since_ms"].as_i64() > Some(0), "{waiting}");
    assert_eq!(deck.json(&["get", "dispatches"])[0]["waiting"]["for"], "promote");

    // Refused, with who, why and which step; or it waits, visibly, and a ctrl-c ends the wait and nothing else.
    deck.dispatch(&["--version", "v1"]).refused(3, &["shop-prod-web@web is held by", "(dispatch v2), step promote", "--on-busy wait"]);
    let waiter = spawn("v1", &["--on-busy", "wait"]);
    waiter.said("for the lease: shop-prod-web@web is held by");
    waiter.signal(Signal::SIGINT);
    let ran = waiter.end().ended(5);
    assert!(ran.json()["error"]["what"].as_str().unwrap().contains("stopped before anything was begun"), "{ran:?}");

    // One waits till it has ended, sees that the world moved, and plans anew.
    let waiter = spawn("v1", &["--on-busy", "wait"]);
    waiter.said("for the lease: shop-prod-web@web is held by");
    deck.run(&["promote", &number()]).ended(0);
    assert_eq!(first.end().ended(0).json()["result"], "done");
    waiter.said("the world moved while this waited");
    waiter.said("promote: begun");
    answers(&fleet, &["version: v"]);

    // Superseded: the other is undone, then this one goes with the plan that was shown.
    let superseding = spawn("v1", &["--on-busy", "supersede"]);
    assert_eq!(waiter.end().ended(1).json()["result"], "undone");
    superseding.said("promote: begun");
    deck.run(&["cancel", &number()]).ended(0);
    assert_eq!(superseding.end().ended(1).json()["result"], "undone");

    // A plan that was stored is executed as it is, or not at all.
    let plan = deck.json(&["plan", "shop-prod-web", "--version", "v1"]);
    let other = spawn("v1", &[]);
    other.said("promote: begun");
    let stored = deck.spawn(&["dispatch", "--plan", plan["id"].as_str().unwrap(), "--on-busy", "wait", "--yes", "-o", "json"]);
    stored.said("for the lease: shop-prod-web@web is held by");
    deck.run(&["promote", &number()]).ended(0);
    assert_eq!(other.end().ended(0).json()["result"], "done");
    stored.end().refused(3, &["the world moved while this waited"]);
    answers(&fleet, &["version: v1"]);
    assert_eq!(state(&fleet, &deck, &WEB).ports, before.ports, "no port stays leased");

    // A build that hangs: whoever wants the same waits for it, visibly; when it fails, both are told.
    let seconds = 2_000_000_000 + u64::from(std::process::id());
    let pack = repo::stuck_buildpack(&deck.path(""), seconds);
    let url = deck.path("buildpack.git");
    deck.apply(&deck.with(url.to_str().unwrap(), pack.to_str().unwrap())).ended(0);
    let stuck = || {
        let of = |entry: std::fs::DirEntry| entry.file_name().into_string().ok()?.parse::<i32>().ok();
        let pids = std::fs::read_dir("/proc").unwrap().flatten().filter_map(of);
        pids.filter(|pid| {
            std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| words == format!("sleep\0{seconds}\0").as_bytes())
        })
        .collect::<Vec<_>>()
    };
    let build = |more: &[&str]| deck.spawn(&[&["build", "shop", "v2", "-o", "json"], more].concat());
    let building = build(&[]);
    building.said("about to hang");
    let waits = build(&[]);
    waits.said("for the build: build of shop v2 by");
    waits.said("s left at most");
    until(LONG, "it sleeps", || stuck().len() == 1);
    kill(nix::unistd::Pid::from_raw(stuck()[0]), Signal::SIGKILL).unwrap();
    building.end().refused(1, &["exit"]);
    waits.end().refused(1, &["was waited for and failed"]);
    // A ctrl-c ends a build with all its processes, and it is not under way any more.
    let building = build(&["--again"]);
    building.said("about to hang");
    until(LONG, "it sleeps", || stuck().len() == 1);
    building.signal(Signal::SIGINT);
    building.end().ended(5);
    until(LONG, "its processes are gone", || stuck().is_empty());
    let builds = deck.json(&["get", "builds"]);
    assert!(builds.as_array().unwrap().iter().all(|build| build["status"] != "started"), "{builds}");
    assert_eq!(deck.sql("SELECT name FROM leases WHERE holder <> ''"), Vec::<String>::new());
}
