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

pub(super) async fn planned(deck: &Deck, start: Vec<PlannedProc>) -> Plan {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_procs_of_ours_does_not_slip_out_of_sight_and_a_lease_that_leaked_is_listed_and_given_back() {
    let (_dir, deck) = deck().await;
    let with = DOCUMENT.replace("hosts: []", "hosts: [{name: web01, transport: local, root: /nowhere/at/all}]");
    deck.apply(&with, "test", false, "").await.unwrap();
    let host = deck.catalog().await.unwrap().host("web01").unwrap();
    let mut seen = crate::fleet::observe::unseen(&host);
    let stamp = crate::model::world::Stamp { installation: deck.store.installation().into(), ..Default::default() };
    let proc = serde_json::json!({
        "host": "web01", "name": "p", "app": "shop", "version": "v1", "config": "prod", "release": "r", "proc": "web", "port": 5000,
        "state": "RUNNING", "pid": 1, "start": 1, "stop": 0, "now": 2, "exit_status": null, "spawn_error": "", "description": "",
        "stamp": stamp, "owner": "ours", "swarm": null, "foreign_of": null, "routed": null
    });
    seen.procs = vec![serde_json::from_value(proc).unwrap()];
    deck.store.put_seen(&[seen]).await.unwrap();
    let squad = deck.catalog().await.unwrap().squads[0].id.clone();
    let applied = deck.apply(&format!("squads: [{{id: {squad}, name: web, hosts: []}}]\n"), "test", true, "").await.unwrap();
    assert!(applied.notices.iter().any(|notice| notice.contains("host web01 would be in no squad, and 1 procs of ours")), "{applied:?}");

    // Ports of a dispatch that never began, and of one that is about to.
    deck.store.take_ports(&host.id, &[5001, 5002], "d-leaked").await.unwrap();
    deck.store.take_ports(&host.id, &[5003], "d-begins").await.unwrap();
    let held = deck.acquire("swarm/x", "dispatch", "d-begins", 0).await.unwrap();
    let leased = async || {
        let all = deck.strays().await.unwrap();
        all.iter().filter(|stray| stray.kind == crate::model::stray::StrayKind::Port).map(|stray| stray.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(leased().await, ["port-5001", "port-5002"]);
    let plan = deck.stray_plan("retire", "web01", "port-5001", "").await.unwrap();
    deck.stray_do(&plan, "leaked").await.unwrap();
    assert_eq!(leased().await, Vec::<String>::new());
    assert_eq!(deck.store.port_leases().await.unwrap()[&host.id].len(), 1);
    let fault = deck.stray_do(&plan, "again").await.unwrap_err();
    assert!(fault.what.contains("nothing out of place"), "{fault}");
    held.release().await.unwrap();
    assert_eq!(leased().await, ["port-5003"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_stops_every_dispatch_until_it_is_lifted_by_its_name_or_has_ended() {
    use crate::model::hold::HoldOn;
    let (_dir, deck) = deck().await;
    deck.apply(DOCUMENT, "test", false, "").await.unwrap();
    assert_eq!(deck.hold(HoldOn::Swarm, "shop-prod-web", " ", 0).await.unwrap_err().exit_code(), 2, "without a reason");
    let first = deck.hold(HoldOn::Swarm, "shop-prod-web", "the sale", 0).await.unwrap();
    let squad = deck.hold(HoldOn::Squad, "web", "new switches", 0).await.unwrap();
    assert_eq!((first.name.as_str(), squad.name.as_str()), ("hold-1", "hold-2"));
    let plan = planned(&deck, Vec::new()).await;
    let named = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();

    // The squad's cannot be gone past; it is lifted by itself.
    let fault = deck.execute_lifting(&plan.id, "", &named(&["hold-1", "hold-2"])).await.err().unwrap();
    assert!(fault.exit_code() == 3 && fault.line().contains("squad web is held: hold-2"), "{fault}");
    assert!(deck.lift("hold-9", "").await.unwrap_err().line().contains("one of: "));
    deck.lift("hold-2", "they work").await.unwrap();
    let fault = deck.execute(&plan.id, "").await.err().unwrap();
    assert!(fault.line().contains("hold-1 by") && fault.line().contains("the sale") && fault.line().contains("--lift hold-1"), "{fault}");
    let fault = deck.execute_lifting(&plan.id, "", &named(&["rollback-3"])).await.err().unwrap();
    assert!(fault.line().contains("'rollback-3' does not hold") && fault.line().contains("--lift hold-1"), "{fault}");
    assert!(deck.store.leases().await.unwrap().is_empty() && deck.store.dispatch(&plan.id).await.unwrap().is_none());

    // Named, it goes, and the hold is gone with it, told as an event of the dispatch and an audit line.
    let ended = deck.execute_lifting(&plan.id, "", &named(&["hold-1"])).await.unwrap().done.await.unwrap();
    assert_eq!(ended.outcome, Some(crate::model::record::Outcome::Done), "{ended:?}");
    assert!(deck.holds().await.unwrap().is_empty());
    let events = deck.store.events_of(&plan.id, 100).await.unwrap();
    assert!(events.iter().any(|event| event.kind == "hold" && event.what == "hold-1 is lifted from shop-prod-web@web"), "{events:?}");
    assert_eq!(deck.store.audit("", "lift", "", 10).await.unwrap().len(), 2);
    assert_eq!(deck.store.audit("", "hold", "", 10).await.unwrap().len(), 2);

    // One whose end has come counts no more, and its name is not used again.
    let short = deck.hold(HoldOn::Fleet, "", "for a moment", deck.now_ms() + 1).await.unwrap();
    assert_eq!(short.name, "hold-3");
    while deck.now_ms() <= short.until_ms {
        tokio::task::yield_now().await;
    }
    let plan = planned(&deck, Vec::new()).await;
    let mut rollback = deck.stored_plan(&plan.id).await.unwrap();
    rollback.verb = "rollback".into();
    deck.store.keep("plan", &plan.id, &rollback, 1).await.unwrap();
    let ended = deck.execute(&plan.id, "v2 was slow").await.unwrap().done.await.unwrap();

    // A rollback leaves one, in the transaction in which it ends.
    let left = deck.holds().await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!((left[0].name.clone(), left[0].on), (format!("rollback-{}", ended.number), HoldOn::Swarm));
    assert!(left[0].why.ends_with(": v2 was slow"), "{left:?}");
    let plan = planned(&deck, Vec::new()).await;
    assert!(deck.execute(&plan.id, "").await.err().unwrap().line().contains(&left[0].name));
    deck.make_look().await.unwrap();
    let look = deck.look();
    assert_eq!(look.swarms[0].held, left);
    assert!(look.needs.iter().any(|need| need.text.contains("HELD by") && need.text.contains("v2 was slow")), "{:?}", look.needs);
    deck.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_at_a_swarm_is_waited_for_visibly_and_what_nobody_carries_is_not_stepped_over() {
    let (_dir, deck) = deck().await;
    deck.apply(DOCUMENT, "test", false, "").await.unwrap();
    let plan = planned(&deck, Vec::new()).await;
    let held = deck.acquire(&format!("swarm/{}", plan.swarm_id), "dispatch v9", "", 0).await.unwrap();
    let busy = deck.execute(&plan.id, "").await.err().unwrap();
    assert_eq!((busy.kind, busy.exit_code()), (crate::model::FaultKind::Busy, 3));
    assert!(busy.what.contains("shop-prod-web@web is held by") && busy.what.contains("(dispatch v9)"), "{busy}");

    // It is said who is waited for, and the wait ends when it does.
    let said = Arc::new(Mutex::new(Vec::new()));
    let (its, into, id) = (deck.clone(), said.clone(), plan.swarm_id.clone());
    let waiting = tokio::spawn(async move {
        let hear = |waiting: &crate::model::waiting::Waiting| locked(&into).push(waiting.line(its.now_ms()));
        its.wait_until_free(&id, &hear).await
    });
    while locked(&said).is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(locked(&said)[0].contains("for the lease: shop-prod-web@web is held by"), "{said:?}");
    assert!(!waiting.is_finished());
    held.release().await.unwrap();
    waiting.await.unwrap().unwrap();
    assert!(deck.moved_since(&plan).await.unwrap().is_empty());

    // A dispatch that was interrupted waits for an operator: it is neither waited for nor stepped over, and superseding undoes it.
    let mut left: Dispatch = deck.header(&plan, &plan.swarm, "");
    left.outcome = Some(crate::model::record::Outcome::Interrupted);
    let held = deck.acquire(&format!("swarm/{}", plan.swarm_id), "", &left.id, 0).await.unwrap();
    deck.reserve(&deck.catalog().await.unwrap(), &plan, &held).await.unwrap();
    deck.store.create_dispatch(&mut left, &held.lease(), &[]).await.unwrap();
    held.release().await.unwrap();
    let next = planned(&deck, Vec::new()).await;
    let fault = deck.execute(&next.id, "").await.err().unwrap();
    assert!(
        fault.exit_code() == 3 && fault.what.contains("dispatch 1 of shop-prod-web@web by") && fault.what.contains("was interrupted"),
        "{fault}"
    );
    assert!(deck.store.leases().await.unwrap().is_empty() && deck.store.dispatch(&next.id).await.unwrap().is_none());
    assert!(deck.wait_until_free(&plan.swarm_id, &|_| {}).await.unwrap_err().what.contains("was interrupted"));
    deck.supersede(&plan.swarm_id, &|_| {}).await.unwrap();
    assert_eq!(deck.dispatch_named("1").await.unwrap().outcome, Some(crate::model::record::Outcome::Undone));
    let ended = deck.execute(&next.id, "").await.unwrap().done.await.unwrap();
    assert_eq!(ended.outcome, Some(crate::model::record::Outcome::Done));
    deck.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wave_goes_first_alone_stops_at_the_first_failure_and_is_taken_up_again() {
    use super::wave::{WaveGo, WaveOf, WavePlan, exit_of};
    use crate::model::wave::State;
    let (_dir, deck) = deck().await;
    let more = |config: &str| {
        format!(
            "  - {{app: shop, config_name: {config}, proc_name: web, squad: web, size: 1, version: v1, pool: shop-{config}, balancer: edge}}\n"
        )
    };
    let document = format!("{DOCUMENT}{}{}{}", more("b"), more("c"), more("d"));
    deck.apply(&document, "test", false, "").await.unwrap();
    let of = async |name: &str, start: Vec<PlannedProc>| {
        let mut plan = planned(&deck, start).await;
        let entry = deck.catalog().await.unwrap().swarm(name).unwrap().clone();
        (plan.swarm_id, plan.swarm, plan.swarm_rev) = (entry.id.clone(), entry.name.clone(), entry.rev);
        plan.pool = Some(PoolChange { balancer: "edge".into(), pool: entry.body.pool.clone().unwrap(), ..PoolChange::default() });
        deck.store.keep("plan", &plan.id, &plan, 1).await.unwrap();
        plan
    };
    // The third is on a host that is not there: it is refused, and the fourth does not begin.
    let plans = vec![
        of("shop-prod-web", vec![]).await,
        of("shop-b-web", vec![]).await,
        of("shop-c-web", vec![proc("gone01")]).await,
        of("shop-d-web", vec![]).await,
    ];
    let planned = WavePlan { plans, ..WavePlan::default() };
    let fault = deck.begin_wave(&planned, "", 1, &["rollback-1".to_string()]).await.err().unwrap();
    assert!(fault.exit_code() == 3 && fault.what.contains("'rollback-1' holds no swarm of this wave"), "{fault}");
    let carried = deck.begin_wave(&planned, "all of them", 1, &[]).await.unwrap();
    assert_eq!(carried.wave.number, 1);
    let ended = carried.done.await.unwrap().unwrap();
    let states: Vec<State> = ended.iter().map(|now| now.state).collect();
    assert_eq!(states, [State::Done, State::Done, State::Failed, State::NotStarted]);
    assert!(ended[2].member.refused.contains("gone01 does not answer"), "{:?}", ended[2]);
    assert_eq!(exit_of(&ended), 3, "the third was refused, nothing failed on a host");
    let wave = deck.wave_named("1").await.unwrap();
    let value = deck.wave_value(&wave).await.unwrap();
    assert_eq!(
        (&value["result"], &value["done"], &value["not_started"]),
        (&"stopped at a failure".into(), &2.into(), &1.into()),
        "{value}"
    );
    let events = deck.store.events_of(&wave.id, 100).await.unwrap();
    assert!(events.iter().any(|event| event.what == "wave 1 stopped at a failure, 1 not started"), "{events:?}");
    assert!(deck.store.leases().await.unwrap().is_empty());

    // Taken up again with new plans for the rest, it ends done.
    let rest = WavePlan { plans: vec![of("shop-c-web", vec![]).await, of("shop-d-web", vec![]).await], ..WavePlan::default() };
    let ended = deck.take_up_wave(&wave, &rest, &[]).await.unwrap().done.await.unwrap().unwrap();
    assert!(ended.iter().all(|now| now.state == State::Done), "{ended:?}");
    assert_eq!(exit_of(&ended), 0);
    assert_eq!(deck.list("waves", None).await.unwrap()[0]["result"], "done");
    // A wave that was shown goes past the hold that its operator named, and remembers what it is.
    let held = deck.hold(crate::model::hold::HoldOn::Swarm, "shop-b-web", "sale", 0).await.unwrap();
    let plans = vec![of("shop-prod-web", vec![]).await.id, of("shop-b-web", vec![]).await.id];
    let go = |lift: Vec<String>| WaveGo { plans: plans.clone(), what: WaveOf::Evacuate("web02".into()), why: "disk".into(), lift };
    assert!(deck.go_wave(&go(vec![]), 4).await.err().unwrap().what.contains("is held"));
    let carried = deck.go_wave(&go(vec![held.name]), 4).await.unwrap();
    assert_eq!((carried.wave.verb.as_str(), carried.wave.place.as_str()), ("evacuate", "web02"));
    assert!(carried.done.await.unwrap().unwrap().iter().all(|now| now.state == State::Done) && deck.holds().await.unwrap().is_empty());
    // None of them ran anything before, so there is no way back.
    let wave = deck.wave_named("1").await.unwrap();
    let fault = deck.plan_wave_back(&wave, "", None).await.unwrap_err();
    assert!(fault.exit_code() == 3 && fault.what.contains("shop-d-web@web ran nothing before"), "{fault}");
    deck.close().await;
}
