//! What every backend must do, whatever it is: one function, run against each.

use super::rig::{Memory, Rig, nodes};
use super::{Balancer, Fence, NodeState, Owner, Snapshot, open};
use crate::model::{FaultKind, entity};
use std::sync::Arc;
use std::time::Duration;

async fn conforms(balancer: &dyn Balancer, again: &dyn Balancer, fence: impl Fn(u64) -> Fence) {
    let now = async || Snapshot::of(&balancer.nodes("shop").await.unwrap());
    let absent = balancer.nodes("shop").await.unwrap();
    assert!(absent.iter().all(|host| host.nodes.is_empty() && host.text.is_none() && host.owner == Owner::Nobody), "{absent:?}");

    // Created where absent; the same again changes nothing; another process sees it.
    let two = nodes(&["127.0.0.1:18001", "127.0.0.1:18002"]);
    balancer.set("shop", &two, &fence(3)).await.unwrap();
    let first = now().await;
    balancer.set("shop", &two, &fence(3)).await.unwrap();
    assert_eq!(now().await, first);
    for host in again.nodes("shop").await.unwrap() {
        assert_eq!(host.nodes.keys().cloned().collect::<std::collections::BTreeSet<_>>(), two);
        assert!(host.nodes.values().all(|state| *state == NodeState::Up));
        assert_eq!(host.edited_by_hand, None);
    }
    balancer.verify("shop", &two).await.unwrap();
    assert!(balancer.drained("shop", &nodes(&[]), Duration::from_secs(10)).await.unwrap().gone());

    // Adding and removing in one go; verify tells both ways of being wrong; no crosstalk between pools (W15).
    let other = nodes(&["127.0.0.1:18002", "127.0.0.1:18003"]);
    balancer.set("shop2", &two, &fence(3)).await.unwrap();
    balancer.set("shop", &other, &fence(3)).await.unwrap();
    balancer.verify("shop", &other).await.unwrap();
    balancer.verify("shop2", &two).await.unwrap();
    let wrong = balancer.verify("shop", &two).await.unwrap_err();
    assert!(wrong.what.contains("without 127.0.0.1:18001 and with 127.0.0.1:18003 too"), "{wrong}");

    // Emptied and refilled.
    balancer.set("shop", &nodes(&[]), &fence(3)).await.unwrap();
    balancer.verify("shop", &nodes(&[])).await.unwrap();
    balancer.set("shop", &two, &fence(3)).await.unwrap();

    // A lower epoch changes nothing; a raised one shuts the old holder out; asking changes nothing.
    assert_eq!(balancer.raise(&fence(0)).await.unwrap(), 3);
    assert_eq!(balancer.raise(&fence(5)).await.unwrap(), 5);
    assert_eq!(balancer.raise(&fence(4)).await.unwrap(), 5);
    let before = now().await;
    assert_eq!(balancer.set("shop", &other, &fence(4)).await.unwrap_err().kind, FaultKind::Refused);
    assert_eq!(balancer.restore("shop", &first, &fence(4)).await.unwrap_err().kind, FaultKind::Refused);
    assert_eq!(now().await, before);

    // Byte for byte back, to a text and to absence.
    balancer.set("shop", &other, &fence(5)).await.unwrap();
    balancer.restore("shop", &before, &fence(5)).await.unwrap();
    assert_eq!(now().await, before);
    balancer.restore("shop", &Snapshot::of(&absent), &fence(5)).await.unwrap();
    assert_eq!(now().await, Snapshot::of(&absent));

    // Names and nodes that could be anything else never get that far.
    for (pool, node) in [("a;b", "h:1"), ("../shop", "h:1"), ("shop", "h:1; }"), ("shop", "h")] {
        assert_eq!(balancer.set(pool, &nodes(&[node]), &fence(5)).await.unwrap_err().kind, FaultKind::BadInput);
    }
}

#[tokio::test]
async fn dummy_conforms_and_remembers() {
    let document: entity::Balancer = serde_json::from_str(r#"{"name": "none", "backend": "dummy"}"#).unwrap();
    let memory = Arc::new(Memory::default());
    let balancer = open(&document, Vec::new(), memory.clone()).unwrap();
    let again = open(&document, Vec::new(), memory).unwrap();
    let fence = |epoch| Fence { installation: "inst".into(), key: "pool/none/shop".into(), epoch, root: "/apps".into() };
    conforms(balancer.as_ref(), again.as_ref(), fence).await;
}

#[tokio::test]
async fn nginx_conforms() {
    let rig = Rig::start();
    conforms(rig.balancer().as_ref(), rig.balancer().as_ref(), |epoch| rig.fence(epoch)).await;
    assert_eq!(rig.names(), ["shop2.conf"]);
}

#[test]
fn an_unknown_backend_is_refused_with_the_list() {
    let document: entity::Balancer = serde_json::from_str(r#"{"name": "edge", "backend": "f5"}"#).unwrap();
    let fault = open(&document, Vec::new(), Arc::new(Memory::default())).err().unwrap();
    assert_eq!(fault.kind, FaultKind::BadInput);
    assert_eq!(fault.next.as_deref(), Some("use one of: dummy, nginx"));
}
