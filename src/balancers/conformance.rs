//! What every backend must do, whatever it is: one suite, run against each backend's stage.

use super::rig::{Memory, nodes};
use super::stage::{Dummy, Nginx, Stage};
use super::{Asks, Balancer, Fence, NodeState, Owner, Snapshot, open};
use crate::model::{FaultKind, entity};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(20);
const A: &str = "127.0.0.1:18001";
const B: &str = "127.0.0.1:18002";
const C: &str = "127.0.0.1:18003";

/// The whole suite. It begins without the pools `shop` and `shop2`, and ends with both.
pub async fn conforms(stage: &dyn Stage) {
    let all = stage.open(&stage.hosts());
    desired_state(stage, all.as_ref()).await;
    epochs(stage, all.as_ref()).await;
    taken_out(stage, all.as_ref()).await;
    edited_by_hand(stage, all.as_ref()).await;
    all_or_none(stage, all.as_ref()).await;
    left_out(stage, all.as_ref()).await;
    half_done(stage, all.as_ref()).await;
    all.restore("shop", &nothing(stage), &stage.fence(8)).await.unwrap();
    assert!(all.nodes("shop").await.unwrap().iter().all(|host| host.text.is_none() && host.edited_by_hand.is_none()));
    probed(stage, all.as_ref()).await;
}

/// No host has the pool.
fn nothing(stage: &dyn Stage) -> Snapshot {
    Snapshot(stage.hosts().into_iter().map(|host| (host, super::Was::default())).collect())
}

async fn now(balancer: &dyn Balancer) -> Snapshot {
    Snapshot::of(&balancer.nodes("shop").await.unwrap())
}

async fn desired_state(stage: &dyn Stage, all: &dyn Balancer) {
    assert_eq!(all.describe().hosts, stage.hosts());
    let absent = all.nodes("shop").await.unwrap();
    assert!(absent.iter().all(|host| host.nodes.is_empty() && host.text.is_none() && host.owner == Owner::Nobody), "{absent:?}");

    // Created where absent; the same again changes nothing; another process sees it.
    let two = nodes(&[A, B]);
    all.set("shop", &two, &stage.fence(3)).await.unwrap();
    let first = now(all).await;
    all.set("shop", &two, &stage.fence(3)).await.unwrap();
    assert_eq!(now(all).await, first);
    let seen = stage.open(&stage.hosts()).nodes("shop").await.unwrap();
    assert_eq!(seen.iter().map(|host| host.host.clone()).collect::<Vec<_>>(), stage.hosts());
    for host in seen {
        assert_eq!(host.nodes.keys().cloned().collect::<BTreeSet<_>>(), two);
        assert!(host.nodes.values().all(|state| *state == NodeState::Up));
        assert_eq!(host.edited_by_hand, None);
        assert_eq!(host.written, host.text);
    }
    all.verify("shop", &two).await.unwrap();
    assert!(all.drained("shop", &nodes(&[]), WAIT).await.unwrap().gone());

    // Adding and removing in one go; verify tells both ways of being wrong; no crosstalk between pools (W15).
    let other = nodes(&[B, C]);
    all.set("shop2", &two, &stage.fence(3)).await.unwrap();
    all.set("shop", &other, &stage.fence(3)).await.unwrap();
    all.verify("shop", &other).await.unwrap();
    all.verify("shop2", &two).await.unwrap();
    let wrong = all.verify("shop", &two).await.unwrap_err();
    assert!(wrong.what.contains(&format!("without {A} and with {C} too")), "{wrong}");

    // Emptied and refilled.
    all.set("shop", &nodes(&[]), &stage.fence(3)).await.unwrap();
    all.verify("shop", &nodes(&[])).await.unwrap();
    all.set("shop", &two, &stage.fence(3)).await.unwrap();

    // Names and nodes that could be anything else never get that far.
    for (pool, node) in [("a;b", "h:1"), ("../shop", "h:1"), ("shop", "h:1; }"), ("shop", "h")] {
        assert_eq!(all.set(pool, &nodes(&[node]), &stage.fence(5)).await.unwrap_err().kind, FaultKind::BadInput);
        assert_eq!(all.drain(pool, &nodes(&[node]), &stage.fence(5)).await.unwrap_err().kind, FaultKind::BadInput);
    }
}

/// A lower epoch changes nothing, in no way and on no host; a raised one shuts the old holder out; asking changes nothing.
async fn epochs(stage: &dyn Stage, all: &dyn Balancer) {
    let (two, other) = (nodes(&[A, B]), nodes(&[B, C]));
    assert_eq!(all.raise(&stage.fence(0)).await.unwrap(), 3);
    assert_eq!(all.raise(&stage.fence(4)).await.unwrap(), 4);
    // One host that has seen the new holder is enough.
    let last = stage.hosts().pop().unwrap();
    assert_eq!(stage.open(&[last]).raise(&stage.fence(5)).await.unwrap(), 5);
    assert_eq!(all.raise(&stage.fence(4)).await.unwrap(), 5);
    let before = now(all).await;
    let refused = |outcome: crate::model::Result<()>| assert_eq!(outcome.unwrap_err().kind, FaultKind::Refused);
    refused(all.set("shop", &other, &stage.fence(4)).await);
    assert_eq!(now(all).await, before);
    refused(all.drain("shop", &nodes(&[A]), &stage.fence(4)).await);
    assert_eq!(now(all).await, before);
    all.raise(&stage.fence(6)).await.unwrap();
    refused(all.restore("shop", &nothing(stage), &stage.fence(5)).await);
    refused(all.adopt("shop", &stage.fence(5)).await);
    assert_eq!(now(all).await, before);
    all.verify("shop", &two).await.unwrap();

    // Byte for byte back, to a text and to absence; twice is as once.
    all.set("shop", &other, &stage.fence(6)).await.unwrap();
    for _ in 0..2 {
        all.restore("shop", &before, &stage.fence(6)).await.unwrap();
        assert_eq!(now(all).await, before);
    }
    for _ in 0..2 {
        all.restore("shop", &nothing(stage), &stage.fence(6)).await.unwrap();
        assert_eq!(now(all).await, nothing(stage));
    }
    all.set("shop", &two, &stage.fence(6)).await.unwrap();
}

async fn taken_out(stage: &dyn Stage, all: &dyn Balancer) {
    let two = nodes(&[A, B]);
    let full = now(all).await;
    for _ in 0..2 {
        all.drain("shop", &nodes(&[A, C]), &stage.fence(6)).await.unwrap();
        for host in all.nodes("shop").await.unwrap() {
            assert_eq!(host.nodes.keys().cloned().collect::<BTreeSet<_>>(), two, "none is added or removed");
            assert_eq!(host.out(), nodes(&[A]));
            assert_eq!(host.edited_by_hand, None);
        }
    }
    assert!(all.drained("shop", &nodes(&[A]), WAIT).await.unwrap().gone());
    assert!(all.verify("shop", &two).await.unwrap_err().what.contains(&format!("without {A}")));
    all.drain("shop", &nodes(&[]), &stage.fence(6)).await.unwrap();
    assert_eq!(now(all).await, full);
    // What a dispatch proves and sets is up, whoever took it out.
    all.drain("shop", &nodes(&[B]), &stage.fence(6)).await.unwrap();
    all.set("shop", &two, &stage.fence(6)).await.unwrap();
    all.verify("shop", &two).await.unwrap();
}

async fn edited_by_hand(stage: &dyn Stage, all: &dyn Balancer) {
    let edited = async || {
        let hosts = all.nodes("shop").await.unwrap();
        hosts.into_iter().filter_map(|host| Some((host.host, host.edited_by_hand?))).collect::<Vec<_>>()
    };
    let clean = now(all).await;
    let host = stage.hosts().pop().unwrap();
    let words = stage.edit(&host).await;
    let seen = edited().await;
    assert_eq!(seen.len(), 1);
    assert!(seen[0].0 == host && seen[0].1.difference.contains(words), "{seen:?}");

    // A dispatch that changes the pool and is undone leaves the edit as it was, and still seen for what it is.
    let before = now(all).await;
    assert_ne!(before, clean);
    all.set("shop", &nodes(&[A, B, C]), &stage.fence(6)).await.unwrap();
    assert_eq!(edited().await, []);
    all.restore("shop", &before, &stage.fence(6)).await.unwrap();
    assert_eq!((now(all).await, edited().await), (before, seen));

    // Repaired on request: that host alone goes back to what we last wrote.
    let repair = Snapshot::written(&all.nodes("shop").await.unwrap());
    assert_eq!(repair.0.keys().collect::<Vec<_>>(), [&host]);
    all.restore("shop", &repair, &stage.fence(6)).await.unwrap();
    assert_eq!((now(all).await, edited().await), (clean.clone(), vec![]));
    stage.lose(&host).await;
    assert_eq!(edited().await.len(), 1, "a pool that is gone was taken away by somebody");
    all.restore("shop", &Snapshot::written(&all.nodes("shop").await.unwrap()), &stage.fence(6)).await.unwrap();
    assert_eq!((now(all).await, edited().await), (clean, vec![]));
    // Or taken for good as it is.
    stage.edit(&host).await;
    all.adopt("shop", &stage.fence(6)).await.unwrap();
    assert_eq!(edited().await, []);
    all.restore("shop", &nothing(stage), &stage.fence(6)).await.unwrap();
    all.set("shop", &nodes(&[A, B]), &stage.fence(6)).await.unwrap();
}

/// A host whose balancer refuses the change keeps all of them from changing.
async fn all_or_none(stage: &dyn Stage, all: &dyn Balancer) {
    let host = stage.hosts().pop().unwrap();
    let before = now(all).await;
    if !stage.refuse(&host, true) {
        return;
    }
    let fault = all.set("shop", &nodes(&[C]), &stage.fence(6)).await.unwrap_err();
    assert_eq!((fault.kind, fault.host.as_deref()), (FaultKind::Failed, Some(host.as_str())));
    all.drain("shop", &nodes(&[A]), &stage.fence(6)).await.unwrap_err();
    assert_eq!(now(all).await, before);
    stage.refuse(&host, false);
    all.set("shop", &nodes(&[A, B]), &stage.fence(6)).await.unwrap();
    assert_eq!(now(all).await, before);
}

/// One host is away: it hides nothing of the others, keeps a change of all from happening, can be left out, and is brought right.
async fn left_out(stage: &dyn Stage, all: &dyn Balancer) {
    let mut rest = stage.hosts();
    let Some(gone) = rest.pop().filter(|_| !rest.is_empty()) else { return };
    let (two, other) = (nodes(&[A, B]), nodes(&[B, C]));
    if !stage.cut(&gone, true) {
        return;
    }
    let looked = all.look("shop").await.unwrap();
    let away: Vec<&str> = looked.iter().filter(|(_, answer)| answer.is_err()).map(|(host, _)| host.as_str()).collect();
    assert_eq!((looked.len(), away), (rest.len() + 1, vec![gone.as_str()]));
    for fault in [
        all.nodes("shop").await.unwrap_err(),
        all.set("shop", &other, &stage.fence(7)).await.unwrap_err(),
        all.raise(&stage.fence(7)).await.unwrap_err(),
    ] {
        assert_eq!((fault.kind, fault.host.as_deref()), (FaultKind::Unreachable, Some(gone.as_str())), "{fault}");
    }
    let narrow = stage.open(&rest);
    narrow.verify("shop", &two).await.unwrap();
    let before = now(narrow.as_ref()).await;
    narrow.set("shop", &other, &stage.fence(7)).await.unwrap();
    narrow.verify("shop", &other).await.unwrap();
    narrow.restore("shop", &before, &stage.fence(7)).await.unwrap();
    narrow.set("shop", &other, &stage.fence(8)).await.unwrap();

    stage.cut(&gone, false);
    let fault = all.verify("shop", &other).await.unwrap_err();
    assert!(fault.what.starts_with(&format!("{gone}: pool shop is without {C} and with {A} too")), "{fault}");
    let alone = stage.open(&[gone]);
    for _ in 0..2 {
        alone.set("shop", &other, &stage.fence(8)).await.unwrap();
    }
    alone.verify("shop", &other).await.unwrap();
    all.verify("shop", &other).await.unwrap();
    all.set("shop", &two, &stage.fence(8)).await.unwrap();
}

/// Whatever a process that dies leaves, doing it again ends where it should, and so does going back.
async fn half_done(stage: &dyn Stage, all: &dyn Balancer) {
    let (two, other) = (nodes(&[A, B]), nodes(&[B, C]));
    let before = now(all).await;
    // Dead between two hosts.
    let first: Vec<String> = stage.hosts().into_iter().take(1).collect();
    for back in [false, true] {
        stage.open(&first).set("shop", &other, &stage.fence(8)).await.unwrap();
        if back {
            all.restore("shop", &before, &stage.fence(8)).await.unwrap();
        } else {
            all.set("shop", &other, &stage.fence(8)).await.unwrap();
            all.verify("shop", &other).await.unwrap();
            all.set("shop", &two, &stage.fence(8)).await.unwrap();
        }
        assert_eq!(now(all).await, before);
        all.verify("shop", &two).await.unwrap();
    }
    // Dead on one host, in the middle of it.
    let last = stage.hosts().pop().unwrap();
    for point in 0..stage.deaths() {
        for back in [false, true] {
            stage.die(&last, point);
            all.set("shop", &other, &stage.fence(8)).await.unwrap_err();
            if !back {
                all.set("shop", &other, &stage.fence(8)).await.unwrap();
                all.verify("shop", &other).await.unwrap();
            }
            for _ in 0..2 {
                all.restore("shop", &before, &stage.fence(8)).await.unwrap();
                assert_eq!(now(all).await, before, "point {point}, back {back}");
            }
            all.verify("shop", &two).await.unwrap();
        }
    }
}

/// A request through every host: answered by a node that serves, not by one that does not.
async fn probed(stage: &dyn Stage, all: &dyn Balancer) {
    all.set("shop", &nodes(&[A]), &stage.fence(8)).await.unwrap();
    let Some((probe, good)) = stage.serve() else {
        let nowhere = crate::model::probe::Probe { url: "http://127.0.0.1:1/".into(), host: None };
        assert!(!all.describe().moves_traffic);
        assert_eq!(all.probe(&nowhere, Asks::Each(1)).await.unwrap(), None);
        return;
    };
    all.set("shop", &nodes(&[&good]), &stage.fence(8)).await.unwrap();
    let said = all.probe(&probe, Asks::Each(3)).await.unwrap().unwrap();
    assert!(stage.hosts().iter().all(|host| said.contains(&format!("{host}: 3 of 3 requests answered"))), "{said}");
    all.probe(&probe, Asks::Any(3)).await.unwrap();
    all.set("shop", &nodes(&[]), &stage.fence(8)).await.unwrap();
    for asks in [Asks::Any(2), Asks::Each(2)] {
        let fault = all.probe(&probe, asks).await.unwrap_err();
        assert_eq!((fault.kind, fault.host), (FaultKind::Failed, stage.hosts().first().cloned()));
        assert!(
            fault.what.contains("502") && stage.hosts().iter().all(|host| fault.what.contains(host) || fault.what.starts_with("asked"))
        );
    }
}

#[tokio::test]
async fn dummy_conforms() {
    conforms(&Dummy::default()).await;
}

#[tokio::test]
async fn nginx_conforms_on_one_host_and_on_two() {
    for hosts in [&["lb01"][..], &["lb01", "lb02"]] {
        let stage = Nginx::start(hosts);
        conforms(&stage).await;
        for host in stage.hosts() {
            assert_eq!(stage.rig(&host).names(), ["shop.conf", "shop2.conf"]);
        }
    }
}

#[test]
fn an_unknown_backend_is_refused_with_the_list() {
    let document: entity::Balancer = serde_json::from_str(r#"{"name": "edge", "backend": "f5"}"#).unwrap();
    let fault = open(&document, Vec::new(), Arc::new(Memory::default())).err().unwrap();
    assert_eq!(fault.kind, FaultKind::BadInput);
    assert_eq!(fault.next.as_deref(), Some("use one of: dummy, nginx"));
}

#[tokio::test]
async fn dummy_remembers_beyond_the_process() {
    let stage = Dummy::default();
    let fence: Fence = stage.fence(1);
    stage.open(&[]).set("shop", &nodes(&[A]), &fence).await.unwrap();
    stage.open(&[]).verify("shop", &nodes(&[A])).await.unwrap();
}
