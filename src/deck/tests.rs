//! The deck on a real store, without hosts: what is taken is given back, whatever fails.

use super::*;
use crate::model::document::Kind;
use crate::model::record::{Dispatch, Phase, Step, StepState};
use crate::model::release::Release;
use crate::plan::{Plan, PlannedProc, PoolChange};

/// An opened deck on a home of its own, which is removed with it.
pub(super) async fn deck() -> (tempfile::TempDir, Deck) {
    let dir = tempfile::tempdir().unwrap();
    let outside = Outside {
        now_ms: || jiff::Timestamp::now().as_millisecond(),
        new_id: || uuid::Uuid::now_v7().to_string(),
        since_boot: || nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap(),
        prompt: Arc::new(NoPrompt),
        local_env: BTreeMap::new(),
    };
    let deck = Deck::open(Home::open(&dir.path().join("home")).unwrap(), outside).await.unwrap();
    (dir, deck)
}

pub(super) const DOCUMENT: &str = "
buildpacks: [{name: python, url: /srv/bp.git, type: git}]
apps: [{name: shop, repo: {url: /srv/shop.git, type: git}, buildpack: python}]
ingredients:
  - name: db
    config: {db_host: db1}
squads: [{name: web, hosts: []}]
balancers: [{name: edge, backend: dummy}]
swarms:
  - app: shop
    config_name: prod
    proc_name: web
    squad: web
    size: 1
    version: v1
    pool: shop
    balancer: edge
    # the database of the shop
    ingredients:
      - db
";

/// The text of one object of a kind.
async fn text_of(deck: &Deck, kind: Kind, name: &str) -> String {
    deck.store.get(kind, name).await.unwrap().unwrap().text
}

async fn planned(deck: &Deck, start: Vec<PlannedProc>) -> Plan {
    let catalog = deck.catalog().await.unwrap();
    let entry = catalog.swarm("shop-prod-web").unwrap();
    let release: Release = serde_json::from_value(serde_json::json!({
        "id": "r1", "build": "b1", "artifact": "a1", "app": "shop", "app_repo_url": "", "app_repo_type": "git", "version": "v1",
        "commit": "c1", "proc_name": "web", "config_name": "prod", "command": "true", "config": {}, "env": {}, "volumes": [],
        "run_as": "nobody", "mem_limit": null, "memsw_limit": null, "runtime": "process", "uptests": [], "buildpack_url": "",
        "buildpack_commit": "", "created_ms": 1
    }))
    .unwrap();
    deck.store.put_release(&release).await.unwrap();
    let mut plan = Plan {
        id: deck.new_id(),
        verb: "dispatch".into(),
        swarm_id: entry.id.clone(),
        swarm: entry.name.clone(),
        swarm_rev: entry.rev,
        start,
        size: 1,
        pool: Some(PoolChange { balancer: "edge".into(), pool: "shop".into(), ..PoolChange::default() }),
        ..Plan::default()
    };
    (plan.to.release, plan.to.version) = ("r1".into(), "v1".into());
    deck.store.keep("plan", &plan.id, &plan, 1).await.unwrap();
    plan
}

fn proc(host: &str) -> PlannedProc {
    PlannedProc {
        host: host.into(),
        name: "p".into(),
        port: 5000,
        node: "h:5000".into(),
        instance: "i".into(),
        pid: None,
        release: "r1".into(),
        batch: 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatch_that_cannot_begin_gives_everything_back() {
    let (_dir, deck) = deck().await;
    deck.apply(DOCUMENT, "test", false, "").await.unwrap();
    let plan = planned(&deck, vec![proc("gone01")]).await;
    let fault = deck.execute(&plan.id, "").await.err().unwrap();
    assert!(fault.what.contains("gone01 does not answer"), "{fault}");
    assert_eq!(fault.exit_code(), 3);
    assert!(deck.store.leases().await.unwrap().is_empty(), "the swarm's lease");
    assert!(deck.store.port_leases().await.unwrap().is_empty(), "its ports");
    assert!(deck.store.dispatch(&plan.id).await.unwrap().is_none(), "no dispatch was written down");

    // A lease that is dropped on the way is given back too.
    drop(deck.acquire("swarm/x", "", "", 0).await.unwrap());
    let begun = std::time::Instant::now();
    while deck.store.lease("swarm/x").await.unwrap().is_some() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_a_deleted_swarm_can_be_claimed_and_a_dispatch_ends_with_everything_given_back() {
    let (_dir, deck) = deck().await;
    deck.apply(DOCUMENT, "test", false, "").await.unwrap();
    deck.store.claim_pool("edge", "shop", "a swarm that is gone", 1).await.unwrap();
    let plan = planned(&deck, Vec::new()).await;
    let dispatch = deck.execute(&plan.id, "").await.unwrap().done.await.unwrap();
    assert_eq!(dispatch.outcome, Some(crate::model::record::Outcome::Done), "{dispatch:?}");
    assert_eq!(deck.store.pool_owner("edge", "shop").await.unwrap(), Some(plan.swarm_id.clone()));
    assert!(deck.store.leases().await.unwrap().is_empty() && deck.carrying().is_empty());
    let fault = deck.execute(&plan.id, "").await.err().unwrap();
    assert!(fault.what.contains("executed already"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_begun_to_stop_old_procs_is_not_cancelled() {
    let (_dir, deck) = deck().await;
    let step = |phase, state| Step { batch: 0, phase, place: "web01".into(), state, started_ms: 1, ended_ms: 0, detail: String::new() };
    let mut dispatch: Dispatch = serde_json::from_value(serde_json::json!({
        "id": "d1", "number": 7, "swarm_id": "s", "swarm": "shop-prod-web@web", "verb": "dispatch", "who": "op", "why": "", "from_version": "",
        "to_version": "", "from_release": "", "to_release": "", "phase": "retire", "undoing": false, "outcome": null, "fault": null,
        "debts": [], "steps": [], "started_ms": 1, "ended_ms": 0, "holder": ""
    }))
    .unwrap();
    dispatch.steps = vec![step(Phase::Start, StepState::Done), step(Phase::Retire, StepState::Intent)];
    let fault = deck.cancel(&dispatch).await.err().unwrap();
    assert!(fault.what.contains("only goes forward") && fault.exit_code() == 3, "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_reaches_every_text_that_names_it_and_no_edit_is_lost() {
    let (_dir, deck) = deck().await;
    deck.apply(DOCUMENT, "test", false, "").await.unwrap();
    let catalog = deck.catalog().await.unwrap();
    let (db, web) = (catalog.ingredient("db").unwrap().id.clone(), catalog.squads[0].id.clone());
    let renamed = format!("ingredients: [{{id: {db}, name: database}}]\nsquads: [{{id: {web}, name: front, hosts: []}}]\n");
    deck.apply(&renamed, "test", false, "").await.unwrap();
    let text = text_of(&deck, Kind::Swarm, "shop-prod-web@front").await;
    assert!(text.contains("- database") && text.contains("squad: front") && text.contains("# the database of the shop"), "{text}");

    // The document names the swarm itself: its own text counts, not the old one.
    let swarm = deck.catalog().await.unwrap().swarm("shop-prod-web").unwrap().id.clone();
    let both = format!(
        "ingredients: [{{id: {db}, name: main-db}}]\nswarms: [{{id: {swarm}, app: shop, config_name: prod, proc_name: web, squad: front, size: 5, version: v1, ingredients: [main-db]}}]\n"
    );
    deck.apply(&both, "test", false, "").await.unwrap();
    let catalog = deck.catalog().await.unwrap();
    let body = &catalog.swarm("shop-prod-web").unwrap().body;
    assert_eq!((body.size, body.ingredients.as_slice()), (5, ["main-db".to_string()].as_slice()));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stands_in_a_text_that_is_shown() {
    let (_dir, deck) = deck().await;
    let text = "db_password: hunter2 # old: hunter1\nplain: x\ntokens:\n  - hunter3\n  - a: hunter4\nkey:\n  api_key: |\n    hunter5\n  x: 1\n# secret: hunter6\n\
                url: postgres://u:hunter7@h/x\ninline: {a: 1, password: hunter8, b: 2}\npass: \"hunter9\n  hunter10\"\nz: 2\nsecrets:\n- hunter11\nlast: 3\n\
                \"the pass word\": hunter12\nflow: {token: {a: hunter13, b: hunter14}, c: 3}\n";
    let shown = deck.masked_yaml(text);
    assert!(!shown.contains("hunter"), "{shown}");
    for kept in ["plain: x", "  x: 1", "z: 2", "last: 3", "inline: {a: 1, password: ****", "db_password: ****#"] {
        assert!(shown.contains(kept), "{kept}: {shown}");
    }
    assert_ne!(deck.masked_yaml("pass: a\n"), deck.masked_yaml("pass: b\n"), "a change of a secret shows");
    assert_ne!(deck.masked_yaml("tokens:\n- a\n"), deck.masked_yaml("tokens:\n- b\n"), "below its key too");
    assert_eq!(deck.masked_yaml("tokens:\n- a\n"), deck.masked_yaml("tokens:\n- a\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_refer_to_is_not_deleted_and_a_rename_by_id_takes_them_along() {
    let (_dir, deck) = deck().await;
    deck.apply(DOCUMENT, "doc.yaml", false, "").await.unwrap();
    for (kind, name, user) in [
        (Kind::App, "shop", "swarm shop-prod-web@web"),
        (Kind::Buildpack, "python", "app shop"),
        (Kind::Ingredient, "db", "swarm shop-prod-web@web"),
        (Kind::Squad, "web", "swarm shop-prod-web@web"),
        (Kind::Balancer, "edge", "swarm shop-prod-web@web"),
    ] {
        let fault = deck.delete(kind, name, "").await.unwrap_err();
        assert_eq!(fault.exit_code(), 3);
        assert!(fault.what.contains(user), "{fault}");
    }
    // The export has the ids; a new name under an old id is the same object, and what refers to it follows, comments kept.
    let renamed = deck.export(Some(Kind::Ingredient), None).await.unwrap().replace("name: db", "name: database");
    assert!(renamed.contains("name: database"));
    deck.apply(&renamed, "doc.yaml", false, "").await.unwrap();
    let swarm = text_of(&deck, Kind::Swarm, "shop-prod-web@web").await;
    assert!(swarm.contains("- database") && swarm.contains("# the database of the shop"), "{swarm}");
    assert!(deck.store.get(Kind::Ingredient, "db").await.unwrap().is_none());
    deck.delete(Kind::Swarm, "shop-prod-web", "done with it").await.unwrap();
    deck.delete(Kind::Ingredient, "database", "").await.unwrap();
    deck.close().await;
}
