//! Two real balancer hosts under one pool: probed, edited by hand, drained, one of them away and brought right.

use crate::support::deck::{Deck, Ran, state};
use crate::support::fleet::{Fleet, POOL_FILE};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;

const WEB: [&str; 2] = ["web01", "web02"];
const BALANCERS: [&str; 2] = ["lb01", "lb02"];
const PROBE: &str = "    probe: {url: http://127.0.0.1/, host: shop.example}\n";

fn file(fleet: &Fleet, host: &str) -> String {
    fleet.text(host, &format!("cat {POOL_FILE}"))
}

/// The nodes of a pool's file that get requests.
fn up(fleet: &Fleet, host: &str) -> BTreeSet<String> {
    let text = file(fleet, host);
    let servers = text.lines().filter_map(|line| line.trim().strip_prefix("server ")).filter(|line| !line.contains("down"));
    servers.map(|line| line.trim_end_matches(';').split(' ').next().unwrap().to_owned()).collect()
}

fn get(fleet: &Fleet, host: &str) -> String {
    let mut stream = TcpStream::connect((fleet.addr(host), 80)).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn serves(fleet: &Fleet, version: &str) {
    for host in BALANCERS {
        for _ in 0..6 {
            let page = get(fleet, host);
            assert!(page.contains(&format!("version: {version}")), "{host}: {page}");
        }
    }
}

fn details(report: &Value, phase: &str) -> String {
    let of = |step: &&Value| step["phase"] == phase;
    report["steps"].as_array().unwrap().iter().filter(of).map(|step| step["detail"].as_str().unwrap_or_default()).collect()
}

/// The line of a balancer host in `swarmdeck balancers`.
fn line(deck: &Deck, host: &str) -> Value {
    let all = deck.json(&["balancers"]);
    all.as_array().unwrap().iter().find(|line| line["host"] == host).unwrap_or_else(|| panic!("no {host} in {all}")).clone()
}

fn apply(deck: &mut Deck, from: &str, to: &str) -> Ran {
    deck.document = deck.with(from, to);
    deck.apply(&deck.document).ended(0)
}

#[test]
fn two_balancer_hosts_are_one_pool() {
    let Some(fleet) = Fleet::of(&["web01", "web02", "lb01", "lb02"]) else { return };
    let mut deck = Deck::new(&fleet);
    deck.document =
        deck.document.lines().filter(|line| !line.contains("name: web03,")).fold(String::new(), |text, line| text + line + "\n");
    deck.document = deck.with("hosts: [lb01]", "hosts: [lb01, lb02]");
    apply(&mut deck, "    balancer: edge\n", &format!("    balancer: edge\n{PROBE}"));
    for host in WEB {
        deck.run(&["hosts", "provision", host]).ended(0);
    }

    // Both change, both are read back, both are asked.
    let report = deck.done(&["--version", "v1"]);
    for host in BALANCERS {
        assert!(details(&report, "route").contains(&format!("{host}: 2 of 2 requests answered")), "{report}");
        assert_eq!(up(&fleet, host).len(), 2);
        assert_eq!((line(&deck, host)["state"].as_str(), line(&deck, host)["up"].as_u64()), (Some("ok"), Some(2)));
    }
    assert_eq!(file(&fleet, "lb01"), file(&fleet, "lb02"));
    serves(&fleet, "v1");

    // A probe that is not answered as it should be undoes everything, byte for byte.
    apply(&mut deck, "http://127.0.0.1/,", "http://127.0.0.1/no-such-page,");
    let before = (state(&fleet, &deck, &WEB), file(&fleet, "lb02"));
    let said = deck.dispatch(&["--version", "v2"]).ended(1);
    assert!(said.stdout.contains("no-such-page") && said.stdout.contains("404"), "{said:?}");
    assert_eq!((state(&fleet, &deck, &WEB), file(&fleet, "lb02")), before);
    apply(&mut deck, "http://127.0.0.1/no-such-page,", "http://127.0.0.1/,");

    edited_by_hand(&fleet, &deck);
    taken_out(&fleet, &deck);
    one_is_away(&fleet, &mut deck);
}

fn edited_by_hand(fleet: &Fleet, deck: &Deck) {
    let clean = file(fleet, "lb02");
    fleet.text("lb02", &format!("sed -i 's/;$/ weight=3;/' {POOL_FILE}"));
    let edited = line(deck, "lb02");
    assert!(edited["state"].as_str().unwrap().starts_with("edited by hand: it has:"), "{edited}");
    assert!(edited["difference"].as_str().unwrap().contains("weight=3;"), "{edited}");
    assert_eq!(line(deck, "lb01")["state"], "ok");
    let plan = deck.json(&["plan", "shop-prod-web", "--version", "v1"]);
    assert!(plan["warnings"].to_string().contains("edited by hand on lb02"), "{plan}");
    // Never by itself, and never unasked.
    assert!(file(fleet, "lb02").contains("weight=3"));
    deck.run(&["balancers", "repair", "shop"]).refused(3, &["weight=3", "there is no terminal"]);
    assert!(file(fleet, "lb02").contains("weight=3"));
    deck.run(&["balancers", "repair", "shop@edge", "--yes", "-m", "tidy"]).ended(0);
    assert_eq!(file(fleet, "lb02"), clean);
    assert_eq!(line(deck, "lb02")["state"], "ok");
    deck.run(&["balancers", "repair", "shop", "--yes"]).refused(3, &["nobody edited"]);
    assert!(deck.json(&["audit", "--object", "pool shop@edge"]).to_string().contains("tidy"));
}

fn taken_out(fleet: &Fleet, deck: &Deck) {
    let clean = file(fleet, "lb01");
    let nodes: Vec<String> = up(fleet, "lb01").into_iter().collect();
    deck.run(&["balancers", "drain", "shop", &nodes[0]]).refused(3, &["gets nothing new through lb01, lb02", "there is no terminal"]);
    assert_eq!(file(fleet, "lb01"), clean);
    let said = deck.run(&["balancers", "drain", "shop", &nodes[0], "--yes"]).ended(0);
    assert!(said.stdout.contains("is out, its connections gone"), "{said:?}");
    for host in BALANCERS {
        assert_eq!(up(fleet, host), BTreeSet::from([nodes[1].clone()]));
        let line = line(deck, host);
        assert_eq!((&line["state"], line["up"].as_u64(), line["down"].as_u64()), (&Value::from("ok"), Some(1), Some(1)), "{line}");
    }
    serves(fleet, "v1");
    deck.run(&["balancers", "drain", "shop", &nodes[1], "--yes"]).refused(3, &["the last node"]);
    let plan = deck.json(&["plan", "shop-prod-web", "--version", "v1"]);
    assert!(plan["warnings"].to_string().contains("back in it after this"), "{plan}");
    deck.run(&["balancers", "put-back", "shop", &nodes[0], "--yes"]).ended(0);
    assert!(BALANCERS.iter().all(|host| file(fleet, host) == clean));
}

fn one_is_away(fleet: &Fleet, deck: &mut Deck) {
    let old = file(fleet, "lb02");
    fleet.cut("lb02");
    // The default rule: nothing is done without it.
    let before = state(fleet, deck, &WEB);
    deck.dispatch(&["--version", "v2"]).refused(3, &["lb02", "absent: abort"]);
    assert_eq!(state(fleet, deck, &WEB), before);
    let away = line(deck, "lb02");
    assert!(away["state"].as_str().unwrap().starts_with("away: "), "{away}");
    assert_eq!(
        (line(deck, "lb01")["state"].as_str(), line(deck, "lb01")["up"].as_u64()),
        (Some("ok"), Some(2)),
        "it hides nothing of the others"
    );
    // As the swarm says: without it, named in the plan, owed from then on.
    apply(deck, "    balancer: edge\n", "    balancer: edge\n    absent: go-on\n");
    let plan = deck.json(&["plan", "shop-prod-web", "--version", "v2"]);
    assert_eq!(plan["pool"]["left_out"], serde_json::json!(["lb02"]), "{plan}");
    assert!(plan["warnings"].to_string().contains("lb02 is away and left out"), "{plan}");
    deck.done(&["--version", "v2"]);
    assert_eq!(file(fleet, "lb02"), old, "it could not be reached, and was not");
    assert!(deck.run(&["events"]).ended(0).stdout.contains("lb02 is away and left out"));
    let new = up(fleet, "lb01");

    fleet.heal("lb02");
    let owed = line(deck, "lb02");
    assert!(owed["state"].as_str().unwrap().starts_with("does not count"), "{owed}");
    // It hides nothing of the others: what it still holds is not the pool.
    assert_eq!(deck.json(&["get", "procs"]).as_array().unwrap().iter().filter(|proc| proc["routed"] == true).count(), 2);
    deck.run(&["upkeep"]).ended(0);
    assert_eq!((up(fleet, "lb02"), up(fleet, "lb01")), (new.clone(), new));
    assert_eq!(line(deck, "lb02")["state"], "ok");
    serves(fleet, "v2");
    // And it counts again.
    deck.done(&["--version", "v1"]);
    assert_eq!(file(fleet, "lb01"), file(fleet, "lb02"));
    serves(fleet, "v1");
}
