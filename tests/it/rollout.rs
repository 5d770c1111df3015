//! Forms of rollout on real hosts: batches, a canary, soak, rolling restart, in place, evacuation, and hosts that fall silent.

use crate::support::deck::{Deck, Program, Requests, nodes, programs};
use crate::support::fleet::Fleet;
use crate::support::until;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

const WEB: [&str; 3] = ["web01", "web02", "web03"];
const LONG: Duration = Duration::from_secs(120);

fn web(fleet: &Fleet, hosts: &[&str]) -> Vec<Program> {
    programs(fleet, hosts, "shop-")
}

/// The pool is these procs, all of this version.
fn serve(fleet: &Fleet, hosts: &[&str], version: &str, size: usize) -> Vec<Program> {
    let all = web(fleet, hosts);
    assert_eq!(all.len(), size, "{all:#?}");
    assert!(all.iter().all(|program| program.state == "RUNNING" && program.name.starts_with(&format!("shop-{version}-"))), "{all:#?}");
    let expected: BTreeSet<String> = all.iter().map(|program| format!("{}:{}", fleet.addr(&program.host), program.port())).collect();
    assert_eq!(nodes(fleet), expected);
    all
}

/// The phases of a report's steps in the order in which they began, each with its batch.
fn order(report: &Value) -> Vec<String> {
    let mut steps: Vec<&Value> = report["steps"].as_array().unwrap().iter().collect();
    steps.sort_by_key(|step| step["started_ms"].as_i64());
    let mut order: Vec<String> = steps
        .iter()
        .map(|step| format!("{} {}", step["phase"].as_str().unwrap(), step["batch"]))
        .filter(|name| !name.starts_with("fence"))
        .collect();
    order.dedup();
    order
}

/// Applies the document with three procs and these keys for `shop-prod-web`.
fn keys(deck: &mut Deck, keys: &str) {
    deck.document = deck.document.replacen("size: 2", "size: 3", 1);
    let document = deck.with("    settle: 1s\n    uptest_timeout: 20s\n", &format!("    settle: 1s\n    uptest_timeout: 20s\n{keys}"));
    deck.apply(&document).ended(0);
}

/// An ssh_config under which a host that was cut is noticed soon.
fn notices_soon(fleet: &Fleet, deck: &Deck) {
    let config = std::fs::read_to_string(fleet.ssh_config()).unwrap();
    let quick = format!("Host *\n  ServerAliveInterval 1\n  ServerAliveCountMax 3\n  ConnectTimeout 4\n\n{config}");
    std::fs::write(deck.path("ssh_config"), quick).unwrap();
    let config = format!("name: test\nssh: {{config_file: {}}}\n", deck.path("ssh_config").display());
    std::fs::write(deck.path("home/config.yaml"), config).unwrap();
}

#[test]
fn batches_a_canary_a_soak_and_a_rolling_restart_keep_the_old_procs_warm() {
    let Some(fleet) = Fleet::up() else { return };
    let mut deck = Deck::ready(&fleet, &WEB);
    deck.done(&["--version", "v1", "--size", "3"]);
    let old = serve(&fleet, &WEB, "v1", 3);
    let requests = Requests::start(&fleet);

    keys(&mut deck, "    batch: 2\n");
    let report = deck.done(&["--version", "v2", "--size", "3"]);
    let one_by_one = ["distribute 0", "start 0", "prove 0", "route 0", "drain 0", "start 1", "prove 1", "route 1", "drain 1", "retire 1"];
    assert_eq!(order(&report), one_by_one);
    let second = serve(&fleet, &WEB, "v2", 3);
    assert!(second.iter().all(|program| !old.contains(program)));

    // The canary waits; the old procs run, warm, until it is promoted.
    keys(&mut deck, "    canary: 1\n");
    let running = deck.spawn(&["dispatch", "shop-prod-web", "--version", "v1", "--yes", "-o", "json"]);
    running.said("promote: begun");
    assert_eq!(web(&fleet, &WEB).len(), 4, "three old procs and the canary");
    let number = deck.json(&["get", "dispatches"])[0]["number"].to_string();
    deck.run(&["promote", &number]).ended(0);
    let report = running.end().ended(0).json();
    assert_eq!(report["result"], "done", "{report}");
    let third = serve(&fleet, &WEB, "v1", 3);
    deck.run(&["promote", &number]).refused(3, &["no canary that waits"]);

    // A new proc that dies while it soaks undoes everything.
    keys(&mut deck, "    soak: 60s\n");
    let running = deck.spawn(&["dispatch", "shop-prod-web", "--version", "v2", "--yes", "-o", "json"]);
    running.said("soak: begun");
    let new = web(&fleet, &WEB).into_iter().find(|program| program.name.starts_with("shop-v2-")).unwrap();
    fleet.text(&new.host, &format!("kill -9 {}", new.pid.unwrap()));
    let report = running.end().ended(1).json();
    assert_eq!(report["result"], "undone", "{report}");
    assert!(report["error"]["what"].as_str().unwrap().contains("does not stay up"), "{report}");
    assert_eq!(serve(&fleet, &WEB, "v1", 3), third);

    // A rolling restart: new procs of the same release, one at a time.
    keys(&mut deck, "");
    let report = deck.run(&["restart", "shop-prod-web", "--yes", "-o", "json"]).ended(0).json();
    assert_eq!(order(&report).iter().filter(|name| name.starts_with("start")).count(), 3, "{report}");
    let fourth = serve(&fleet, &WEB, "v1", 3);
    assert!(fourth.iter().all(|program| third.iter().all(|old| (&old.host, old.pid) != (&program.host, program.pid))));

    // A host is emptied.
    deck.run(&["hosts", "evacuate", "web02", "--yes", "-o", "json"]).ended(0);
    serve(&fleet, &["web01", "web03"], "v1", 3);
    assert_eq!(web(&fleet, &["web02"]), []);

    // In place: the same ports, never all at once.
    keys(&mut deck, "    in_place: true\n    batch: 1\n");
    let ports = |programs: &[Program]| programs.iter().map(|program| (program.host.clone(), program.port())).collect::<BTreeSet<_>>();
    let before = ports(&web(&fleet, &WEB));
    let plan = deck.run(&["plan", "shop-prod-web", "--version", "v2"]).ended(0).stdout;
    assert!(plan.contains("no exact undo"), "{plan}");
    let report = deck.done(&["--version", "v2", "--size", "3"]);
    assert_eq!(order(&report)[1..6], ["drain 0", "retire 0", "start 0", "prove 0", "route 0"]);
    assert_eq!(ports(&serve(&fleet, &WEB, "v2", 3)), before);
    requests.end();
}

#[test]
fn a_host_that_falls_silent_is_waited_for_then_the_rule_decides_and_it_pays_before_it_serves_again() {
    let Some(fleet) = Fleet::up() else { return };
    let mut deck = Deck::ready(&fleet, &WEB);
    notices_soon(&fleet, &deck);
    deck.done(&["--version", "v1", "--size", "3"]);
    let old = serve(&fleet, &WEB, "v1", 3);
    let only = |hosts: &[&str]| -> BTreeSet<String> {
        let all = web(&fleet, hosts);
        all.iter()
            .filter(|program| program.name.starts_with("shop-v2-"))
            .map(|program| format!("{}:{}", fleet.addr(&program.host), program.port()))
            .collect()
    };

    // Cut on the way, and back in time: nothing happened.
    keys(&mut deck, "    lost_after: 60s\n");
    let running = deck.spawn(&["dispatch", "shop-prod-web", "--version", "v2", "--yes", "-o", "json"]);
    running.said("start: begun");
    fleet.cut("web02");
    running.said("does not answer");
    fleet.heal("web02");
    let report = running.end().ended(0).json();
    assert_eq!(report["result"], "done", "{report}");
    let second = serve(&fleet, &WEB, "v2", 3);
    assert!(second.iter().all(|program| !old.contains(program)));
    deck.done(&["--version", "v1", "--size", "3"]);
    let third = serve(&fleet, &WEB, "v1", 3);

    // Gone for good, with the rule abort: undone, and what cannot be taken away there is owed.
    keys(&mut deck, "    lost_after: 3s\n");
    let running = deck.spawn(&["dispatch", "shop-prod-web", "--version", "v2", "--yes", "-o", "json"]);
    running.said("prove: begun");
    fleet.cut("web02");
    let report = running.end().ended(4).json();
    assert_eq!(report["debts"][0]["host"], "web02", "{report}");
    assert_eq!(web(&fleet, &["web01", "web03"]), third.iter().filter(|program| program.host != "web02").cloned().collect::<Vec<_>>());
    // It is not gone: it stays in the pool, there is no plan without it, and what it owes is listed.
    assert_eq!(nodes(&fleet).len(), 3);
    deck.dispatch(&["--version", "v2"]).refused(3, &["web02", "last seen"]);

    // With the rule go-on it is unrouted by a line of the plan.
    keys(&mut deck, "    lost_after: 3s\n    absent: go-on\n");
    let plan = deck.json(&["plan", "shop-prod-web", "--version", "v2", "--size", "3"]);
    assert!(plan["lost"].as_array().unwrap().iter().any(|proc| proc["host"] == "web02"), "{plan}");
    assert!(plan["start"].as_array().unwrap().iter().all(|proc| proc["host"] != "web02"), "{plan}");
    let report = deck.dispatch(&["--version", "v2", "--size", "3"]).ended(4).json();
    assert_eq!(report["result"], "done", "{report}");
    assert_eq!(nodes(&fleet), only(&["web01", "web03"]));
    assert_eq!(nodes(&fleet).len(), 3);

    // Back again it owes first: nothing is placed on it until upkeep has paid.
    fleet.heal("web02");
    until(LONG, "web02 answers", || deck.run(&["hosts", "check", "web02"]).code == 0);
    assert_eq!(web(&fleet, &["web02"]).len(), 2, "an old proc, and a new one of the dispatch that was undone");
    let plan = deck.json(&["plan", "shop-prod-web", "--version", "v2", "--size", "5"]);
    assert!(plan["start"].as_array().unwrap().iter().all(|proc| proc["host"] != "web02"), "{plan}");
    deck.run(&["upkeep"]).ended(0);
    assert_eq!(web(&fleet, &["web02"]), []);
    assert!(
        deck.json(&["get", "dispatches"]).as_array().unwrap().iter().all(|dispatch| dispatch["debts"].as_array().is_none_or(Vec::is_empty))
    );
    let plan = deck.json(&["plan", "shop-prod-web", "--version", "v2", "--size", "5"]);
    assert!(plan["start"].as_array().unwrap().iter().any(|proc| proc["host"] == "web02"), "{plan}");

    // Lost on the way with the rule go-on: it goes on with fewer, and the new proc there is owed.
    deck.done(&["--version", "v1", "--size", "3"]);
    let running = deck.spawn(&["dispatch", "shop-prod-web", "--version", "v2", "--yes", "-o", "json"]);
    running.said("prove: begun");
    fleet.cut("web03");
    let report = running.end().ended(4).json();
    assert_eq!(report["result"], "done", "{report}");
    assert!(report["debts"].as_array().unwrap().iter().all(|debt| debt["host"] == "web03"), "{report}");
    assert_eq!(nodes(&fleet), only(&["web01", "web02"]));
    fleet.heal("web03");
    until(LONG, "web03 answers", || deck.run(&["hosts", "check", "web03"]).code == 0);
    deck.run(&["upkeep"]).ended(0);
    assert_eq!(web(&fleet, &["web03"]), []);
    assert_eq!(deck.sql("SELECT * FROM port_leases"), Vec::<String>::new());
}
