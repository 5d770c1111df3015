//! Pools on a real store without hosts: every verb is shown, done as shown, and audited; a pool changes its swarm only when asked.

use super::super::tests::{DOCUMENT, deck};
use super::*;
use crate::model::FaultKind;
use crate::plan::Plan;

const POOL: &str = "shop@edge";

fn nodes(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(ToString::to_string).collect()
}

/// A deck whose pool `shop@edge` holds two nodes, written by us.
async fn with_pool() -> (tempfile::TempDir, Deck) {
    let (dir, deck) = deck().await;
    deck.apply(DOCUMENT, "test", false, "").await.unwrap();
    let catalog = deck.catalog().await.unwrap();
    let opened = deck.open_balancer(&catalog, "edge").await.unwrap();
    opened.balancer.set("shop", &nodes(&["h:1", "h:2"]), &deck.pool_fence(&opened, "edge", "shop", 1)).await.unwrap();
    (dir, deck)
}

async fn seen(deck: &Deck) -> crate::model::world::PoolSeen {
    deck.ask_pool(&deck.catalog().await.unwrap(), "edge", "shop").await
}

/// What a look in the store changes, as an operator would who edits a file.
async fn edit(deck: &Deck, text: &str) {
    deck.store.keep("dummy pool", "edge/shop", &text, 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_taken_out_and_put_back_and_the_last_one_stays() {
    let (_dir, deck) = with_pool().await;
    let plan = deck.pool_plan("shop", PoolVerb::Drain("h:1".into())).await.unwrap();
    assert!(plan.lines.iter().any(|line| line == "1 stay up: h:2"), "{plan:?}");
    assert_eq!(seen(&deck).await.nodes, nodes(&["h:1", "h:2"]), "a plan changes nothing");
    deck.pool_do(&plan, "its disk").await.unwrap();
    let now = seen(&deck).await;
    assert_eq!((now.nodes.clone(), now.taken_out(), now.trouble.len()), (nodes(&["h:2"]), nodes(&["h:1"]), 0));
    for (verb, words) in [
        (PoolVerb::Drain("h:2".into()), "last node"),
        (PoolVerb::Drain("h:1".into()), "out of pool shop already"),
        (PoolVerb::Drain("h:3".into()), "not in pool"),
        (PoolVerb::PutBack("h:2".into()), "up in pool shop already"),
        (PoolVerb::PutBack("h:3".into()), "not in pool"),
        (PoolVerb::Repair, "nobody edited"),
    ] {
        let fault = deck.pool_plan(POOL, verb.clone()).await.unwrap_err();
        assert!(fault.what.contains(words) && fault.next.is_some(), "{verb:?}: {fault}");
    }
    // Shown twice, done once: what was shown is not what is there any more.
    let (one, other) = (
        deck.pool_plan(POOL, PoolVerb::PutBack("h:1".into())).await.unwrap(),
        deck.pool_plan(POOL, PoolVerb::PutBack("h:1".into())).await.unwrap(),
    );
    deck.pool_do(&one, "").await.unwrap();
    let fault = deck.pool_do(&other, "").await.unwrap_err();
    assert!(fault.kind == FaultKind::Refused && fault.what.contains("changed since this was shown"), "{fault}");
    assert_eq!(seen(&deck).await.nodes, nodes(&["h:1", "h:2"]));
    let audit = deck.store.audit("", "", "pool shop@edge", 10).await.unwrap();
    let lines: Vec<(&str, &str)> = audit.iter().map(|line| (line.verb.as_str(), line.why.as_str())).collect();
    assert!(lines.contains(&("drain", "its disk")) && lines.contains(&("put-back", "")), "{lines:?}");
    assert!(deck.store.leases().await.unwrap().is_empty());
    // Never beside a dispatch.
    let plan = deck.pool_plan(POOL, PoolVerb::Drain("h:1".into())).await.unwrap();
    let swarm = deck.catalog().await.unwrap().swarm("shop-prod-web").unwrap().id.clone();
    let held = deck.acquire(&format!("swarm/{swarm}"), "dispatch v2", "", 0).await.unwrap();
    assert!(deck.pool_do(&plan, "").await.unwrap_err().what.contains("is held by"));
    held.release().await.unwrap();
    assert_eq!(seen(&deck).await.nodes, nodes(&["h:1", "h:2"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_by_hand_is_shown_with_its_difference_and_repaired_or_kept_only_when_asked() {
    let (_dir, deck) = with_pool().await;
    edit(&deck, "h:1\nh:9\n").await;
    let now = seen(&deck).await;
    let edited = now.hosts[0].edited_by_hand.as_ref().unwrap();
    assert!(edited.difference.contains("-h:2\n+h:9\n"), "{edited:?}");
    let rows = deck.list_pools().await.unwrap();
    assert!(rows[0]["state"].as_str().unwrap().starts_with("edited by hand"), "{rows:?}");
    assert!(deck.describe("balancer", "edge").await.unwrap()["pools"].to_string().contains("+h:9"));

    let needs = async || {
        deck.observe_all().await.unwrap();
        deck.make_look().await.unwrap();
        deck.look().needs.iter().filter(|need| need.text.starts_with("pool ")).map(|need| need.text.clone()).collect::<Vec<_>>()
    };
    assert!(needs().await.contains(&"pool shop@edge was edited by hand on store; .f goes back".to_string()), "{:?}", needs().await);

    let plan = deck.pool_plan(POOL, PoolVerb::Repair).await.unwrap();
    assert!(plan.lines.iter().any(|line| line.trim() == "-h:9") && plan.lines.iter().any(|line| line.trim() == "+h:2"), "{plan:?}");
    deck.pool_do(&plan, "").await.unwrap();
    let now = seen(&deck).await;
    assert_eq!((now.nodes, now.hosts[0].edited_by_hand.clone()), (nodes(&["h:1", "h:2"]), None));
    assert_eq!(needs().await, Vec::<String>::new());

    edit(&deck, "h:9\n").await;
    deck.pool_do(&deck.pool_plan(POOL, PoolVerb::Adopt).await.unwrap(), "").await.unwrap();
    let now = seen(&deck).await;
    assert_eq!((now.nodes, now.hosts[0].edited_by_hand.clone()), (nodes(&["h:9"]), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_goes_to_another_swarm_only_when_that_was_asked() {
    let (_dir, deck) = with_pool().await;
    let old = deck.catalog().await.unwrap().swarm("shop-prod-web").unwrap().id.clone();
    deck.store.claim_pool("edge", "shop", &old, 1).await.unwrap();
    // Two swarms on one pool are refused in the document.
    let other = DOCUMENT.split("swarms:").nth(1).unwrap().replace("config_name: prod", "config_name: beta");
    let fault = deck.apply(&format!("swarms:{other}"), "test", false, "").await.unwrap_err();
    assert!(fault.what.contains("a pool belongs to one swarm"), "{fault}");

    let moved = DOCUMENT.replace("pool: shop", "pool: old-shop") + other.trim_start_matches('\n');
    deck.apply(&moved, "test", false, "").await.unwrap();
    let catalog = deck.catalog().await.unwrap();
    let new = catalog.swarm("shop-beta-web").unwrap().id.clone();
    let change = |before: &[&str]| PoolChange {
        balancer: "edge".into(),
        pool: "shop".into(),
        before: before.iter().map(ToString::to_string).collect(),
        ..PoolChange::default()
    };
    deck.refuse_taken(&catalog, Some(&change(&[]))).await.unwrap();
    let fault = deck.refuse_taken(&catalog, Some(&change(&["h:1"]))).await.unwrap_err();
    assert!(fault.kind == FaultKind::Refused && fault.next.as_ref().unwrap().contains("adopt pool shop@edge"), "{fault}");

    let plan = deck.pool_plan(POOL, PoolVerb::Adopt).await.unwrap();
    assert!(plan.lines.iter().any(|line| line.contains("belongs to shop-prod-web@web; from now on to shop-beta-web@web")), "{plan:?}");
    let held = deck.acquire(&format!("swarm/{old}"), "dispatch v2", "", 0).await.unwrap();
    assert!(deck.pool_do(&plan, "").await.unwrap_err().what.contains("is held by"), "never under the other's hands");
    held.release().await.unwrap();
    let plan = deck.pool_plan(POOL, PoolVerb::Adopt).await.unwrap();
    deck.pool_do(&plan, "").await.unwrap();
    assert_eq!(deck.store.pool_owner("edge", "shop").await.unwrap(), Some(new));
    deck.refuse_taken(&catalog, Some(&change(&["h:1"]))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_owed_to_a_host_that_is_in_the_balancer_no_more_is_forgotten() {
    let (_dir, deck) = with_pool().await;
    let change = PoolChange { balancer: "edge".into(), pool: "shop".into(), left_out: vec!["lb02".into()], ..PoolChange::default() };
    let plan = Plan { id: "d1".into(), verb: "dispatch".into(), swarm: "shop".into(), pool: Some(change), ..Plan::default() };
    deck.owe_pool(&plan).await.unwrap();
    assert_eq!(deck.owed_of("edge", "shop").await.unwrap()["lb02"].words(), "dispatch of shop went without it");
    assert_eq!(deck.pay_pools().await.unwrap().len(), 1);
    assert!(deck.owed_of("edge", "shop").await.unwrap().is_empty());
}
