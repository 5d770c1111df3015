//! The conformance suite: every promise of the store, on a fresh store each.

use super::{dispatch, event, held, lease, put};
use crate::model::FaultKind;
use crate::model::record::{Audit, Debt, Outcome, Phase, Step, StepState};
use crate::store::memory::DispatchStore;
use crate::store::*;
use std::collections::BTreeSet;
use std::time::Duration;

/// Runs everything; `fresh` gives the URL of a new empty store.
pub async fn all(fresh: impl Fn(&str) -> String) {
    opened_by_many_at_once(&fresh("opened")).await;
    let open = async |name: &str| Store::open_url(&fresh(name)).await.unwrap();
    objects(&open("objects").await).await;
    all_or_nothing(&open("apply").await).await;
    what_a_dispatch_needs(async |name| open(name).await).await;
    history(&open("history").await).await;
    builds_and_releases(&open("builds").await).await;
    events_and_audit(&open("events").await).await;
    kept(&open("kept").await).await;
    wake_up(&fresh("wake")).await;
    concurrent_writers(&fresh("writers")).await;
    one_of_many_wins(&open("race").await).await;
}

/// What the store in memory must keep, too; `open` gives a new empty store.
pub async fn what_a_dispatch_needs<S: DispatchStore>(open: impl AsyncFn(&str) -> S) {
    journal(&open("journal").await).await;
    leases(&open("leases").await).await;
    ports(&open("ports").await).await;
    claims_and_texts(&open("claims").await).await;
    changes(&open("changes").await).await;
}

async fn opened_by_many_at_once(url: &str) {
    let opening = (0..6).map(|_| {
        let url = url.to_string();
        tokio::spawn(async move { Store::open_url(&url).await.unwrap() })
    });
    let mut ids = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for store in futures::future::join_all(opening.collect::<Vec<_>>()).await {
        let store = store.unwrap();
        ids.insert(store.installation().to_string());
        keys.insert(store.installation_key().to_vec());
        assert!(store.look_only().is_none());
    }
    assert_eq!((ids.len(), keys.len()), (1, 1), "one store is one installation");
}

async fn objects(store: &Store) {
    let first = store.put(put("db", "name: db # one\n", Some(0)), "op1", "", 10).await.unwrap();
    assert_eq!((first.rev, first.text.as_str()), (1, "name: db # one\n"));
    assert_eq!(store.put(put("db", "x", Some(0)), "op2", "", 11).await.unwrap_err().kind, FaultKind::Refused);
    let second = store.put(put("db", "two", Some(1)), "op2", "because", 20_000).await.unwrap();
    assert_eq!((second.id.as_str(), second.rev), (first.id.as_str(), 2));
    let stale = store.put(put("db", "three", Some(1)), "op1", "", 30).await.unwrap_err();
    assert_eq!(stale.kind, FaultKind::Refused);
    assert!(stale.what.contains("saved by op2 at 1970-01-01 00:00:20"), "{stale}");
    // The same again is no new version; an unconditional save is one.
    assert_eq!(store.put(put("db", "two", None), "op1", "", 40).await.unwrap(), second);
    // Renamed in place by its id.
    let renamed = Put { id: Some(first.id.clone()), ..put("db2", "two", Some(2)) };
    assert_eq!(store.put(renamed, "op1", "", 50).await.unwrap().id, first.id);
    assert_eq!(store.get(Kind::Ingredient, "db").await.unwrap(), None);
    assert_eq!(store.by_id(&first.id).await.unwrap().unwrap().name, "db2");
    // A name that another has is refused.
    store.put(put("other", "o", Some(0)), "op1", "", 60).await.unwrap();
    let taken = Put { id: Some(first.id.clone()), ..put("other", "two", None) };
    assert_eq!(store.put(taken, "op1", "", 70).await.unwrap_err().kind, FaultKind::Refused);
    assert_eq!(store.list(Kind::Ingredient).await.unwrap().iter().map(|o| o.name.as_str()).collect::<Vec<_>>(), ["db2", "other"]);
    assert!(store.list(Kind::Swarm).await.unwrap().is_empty());
    // Deleted: gone, but its versions are not; it may come back.
    assert!(store.delete(&first.id, Some(1), "op1", "", 80).await.is_err());
    store.delete(&first.id, Some(3), "op1", "old", 80).await.unwrap();
    assert_eq!(store.by_id(&first.id).await.unwrap(), None);
    let versions = store.versions(&first.id).await.unwrap();
    assert_eq!(versions.iter().map(|v| (v.object.rev, v.deleted)).collect::<Vec<_>>(), [(4, true), (3, false), (2, false), (1, false)]);
    assert_eq!(versions[2].why, "because");
    let back = Put { id: Some(first.id.clone()), ..put("db", "again", None) };
    assert_eq!(store.put(back, "op1", "", 90).await.unwrap().rev, 5);
}

async fn all_or_nothing(store: &Store) {
    store.put(put("there", "1", Some(0)), "op1", "", 1).await.unwrap();
    let changes = [Change::Put(put("new", "1", Some(0))), Change::Put(put("there", "2", Some(7)))];
    assert!(store.apply(&changes, "op1", "", 2).await.is_err());
    assert_eq!(store.list(Kind::Ingredient).await.unwrap().len(), 1, "the first change is not there either");
    let changes = [Change::Put(put("new", "1", Some(0))), Change::Put(put("there", "2", Some(1)))];
    assert_eq!(store.apply(&changes, "op1", "", 3).await.unwrap().iter().map(|o| o.rev).collect::<Vec<_>>(), [1, 2]);
}

fn step(phase: Phase, place: &str, state: StepState) -> Step {
    Step { batch: 0, phase, place: place.into(), state, started_ms: 1, ended_ms: 0, detail: String::new() }
}

async fn journal(store: &impl DispatchStore) {
    let ours = held(store.acquire(&lease("swarm/1", "a"), 0).await.unwrap());
    let mut first = dispatch("d1", "1", "r1");
    first.steps = vec![step(Phase::Resolve, "", StepState::Intent)];
    store.create_dispatch(&mut first, &ours, &[event("begun")]).await.unwrap();
    let mut other = dispatch("d2", "1", "r2");
    store.create_dispatch(&mut other, &ours, &[]).await.unwrap();
    assert_eq!((first.number, other.number), (1, 2));

    first.phase = Phase::Start;
    let steps = [
        step(Phase::Resolve, "", StepState::Done),
        step(Phase::Start, "web02", StepState::Intent),
        step(Phase::Start, "web01", StepState::Intent),
    ];
    let entry = Entry { dispatch: &first, lease: &ours, steps: &steps, events: &[event("started")], changes: &[], now_ms: 5 };
    store.record(&entry).await.unwrap();
    let read = store.dispatch("d1").await.unwrap().unwrap();
    assert_eq!(read.steps, steps, "changed in place, in the order in which they were first written");
    assert_eq!(read.phase, Phase::Start);
    assert_eq!(store.open_dispatches().await.unwrap().len(), 2);
    assert!(store.runs_of("1", 1).await.unwrap().is_empty());

    store.take_ports("h1", &[5000], "d1").await.unwrap();
    store.take_ports("h1", &[5001], "d2").await.unwrap();
    first.outcome = Some(Outcome::Interrupted);
    store.record(&Entry { dispatch: &first, lease: &ours, steps: &[], events: &[], changes: &[], now_ms: 5 }).await.unwrap();
    assert_eq!(store.port_leases().await.unwrap()["h1"].len(), 2, "it may be resumed");
    // Done: the swarm runs the release, its text goes live, and its ports are free, in the same transaction.
    first.outcome = Some(Outcome::Done);
    first.debts = vec![Debt { host: "web01".into(), what: "retire".into() }];
    let changes = [Change::Put(Put { id: Some("db-id".into()), ..put("db", "live", None) })];
    let done = Entry { dispatch: &first, lease: &ours, steps: &[], events: &[], changes: &changes, now_ms: 6 };
    store.record(&done).await.unwrap();
    store.record(&done).await.unwrap();
    assert_eq!(store.runs_of("1", 9).await.unwrap().len(), 1, "ending twice is ending once");
    assert_eq!(store.port_leases().await.unwrap()["h1"].keys().copied().collect::<Vec<_>>(), [5001]);
    assert_eq!(store.by_id("db-id").await.unwrap().unwrap().text, "live");
    // The answer to that may have been lost: whoever wrote it cannot make it one that was interrupted.
    let interrupted = crate::model::record::Dispatch { outcome: Some(Outcome::Interrupted), ..first.clone() };
    let late = Entry { dispatch: &interrupted, lease: &ours, steps: &[], events: &[], changes: &[], now_ms: 6 };
    assert_eq!(store.record(&late).await.unwrap_err().kind, FaultKind::Refused);
    assert_eq!(store.dispatch("d1").await.unwrap().unwrap().outcome, Some(Outcome::Done));
    let owing: Vec<String> = store.owing_dispatches().await.unwrap().into_iter().map(|dispatch| dispatch.id).collect();
    assert_eq!(owing, ["d1"]);
    first.debts.clear();
    store.record(&Entry { dispatch: &first, lease: &ours, steps: &[], events: &[], changes: &[], now_ms: 7 }).await.unwrap();
    assert!(store.owing_dispatches().await.unwrap().is_empty(), "it is paid");
    for (id, release) in [("d2", "r2"), ("d3", "r2")] {
        let mut next = dispatch(id, "1", release);
        if id == "d2" {
            next.number = 2
        } else {
            store.create_dispatch(&mut next, &ours, &[]).await.unwrap()
        }
        next.outcome = Some(Outcome::Done);
        store.record(&Entry { dispatch: &next, lease: &ours, steps: &[], events: &[], changes: &[], now_ms: 7 }).await.unwrap();
    }
    let runs: Vec<String> = store.runs_of("1", 2).await.unwrap().into_iter().map(|run| run.dispatch_id).collect();
    assert_eq!(runs, ["d3", "d2"], "the latest first");
    assert!(store.runs_of("2", 9).await.unwrap().is_empty() && store.open_dispatches().await.unwrap().is_empty());

    // Somebody else took the lease over: nothing of the entry is written.
    let theirs = held(store.take_over(&ours, &lease("swarm/1", "b"), 0).await.unwrap());
    assert_eq!(theirs.epoch, ours.epoch + 1);
    first.outcome = Some(Outcome::Undone);
    let late = Entry {
        dispatch: &first,
        lease: &ours,
        steps: &[step(Phase::Retire, "", StepState::Intent)],
        events: &[event("late")],
        changes: &[],
        now_ms: 8,
    };
    let refused = store.record(&late).await.unwrap_err();
    assert_eq!(refused.kind, FaultKind::Refused);
    assert!(refused.what.contains("user b"), "{refused}");
    assert_eq!(store.dispatch("d1").await.unwrap().unwrap().outcome, Some(Outcome::Done));
    assert!(store.events_after(0, 100).await.unwrap().iter().all(|event| event.what != "late"));
    // The same holder with an old epoch is refused as well.
    store.release_lease(&theirs).await.unwrap();
    assert!(store.record(&late).await.is_err());
    held(store.acquire(&lease("swarm/1", "a"), 0).await.unwrap());
    assert!(store.record(&late).await.is_err());
}

/// By number, by swarm, and what ran before: only faces ask for it.
async fn history(store: &Store) {
    let ours = held(store.acquire(&lease("swarm/1", "a"), 0).await.unwrap());
    for (id, release) in [("d1", "r1"), ("d2", "r2"), ("d3", "r2")] {
        let mut next = dispatch(id, "1", release);
        store.create_dispatch(&mut next, &ours, &[]).await.unwrap();
        next.outcome = Some(Outcome::Done);
        store.record(&Entry { dispatch: &next, lease: &ours, steps: &[], events: &[], changes: &[], now_ms: 7 }).await.unwrap();
    }
    assert_eq!(store.dispatch_number(2).await.unwrap().unwrap().id, "d2");
    assert_eq!(store.current_run("1").await.unwrap().unwrap().release_id, "r2");
    assert_eq!(store.previous_run("1").await.unwrap().unwrap().release_id, "r1", "the same release twice is not its own predecessor");
    assert_eq!((store.current_run("2").await.unwrap(), store.previous_run("2").await.unwrap()), (None, None));
    assert_eq!(store.dispatches(Some("1"), 2).await.unwrap().iter().map(|d| d.number).collect::<Vec<_>>(), [3, 2]);
}

async fn leases(store: &impl DispatchStore) {
    let a = held(store.acquire(&lease("swarm/1", "a"), 7).await.unwrap());
    assert_eq!((a.epoch, a.beat), (8, 1), "above what the hosts have seen");
    let Acquired::Busy(seen) = store.acquire(&lease("swarm/1", "b"), 0).await.unwrap() else { panic!("two holders") };
    assert_eq!((seen.who.as_str(), seen.epoch), ("user a", 8));
    let a2 = store.renew(&a, "drain").await.unwrap();
    assert_eq!((a2.beat, a2.step.as_str()), (2, "drain"));
    // It beat since it was seen: alive.
    assert!(matches!(store.take_over(&seen, &lease("swarm/1", "b"), 0).await.unwrap(), Acquired::Busy(_)));
    let b = held(store.take_over(&a2, &lease("swarm/1", "b"), 20).await.unwrap());
    assert_eq!(b.epoch, 21);
    assert_eq!(store.renew(&a, "x").await.unwrap_err().kind, FaultKind::Refused);
    store.release_lease(&a).await.unwrap();
    assert_eq!(store.leases().await.unwrap()[0].holder, "b", "who lost it cannot give it back");
    store.release_lease(&b).await.unwrap();
    assert!(store.leases().await.unwrap().is_empty());
    assert_eq!(held(store.acquire(&lease("swarm/1", "a"), 0).await.unwrap()).epoch, 22, "an epoch only rises");
}

async fn claims_and_texts(store: &impl DispatchStore) {
    store.claim_pool("edge", "shop", "s1", 1).await.unwrap();
    store.claim_pool("edge", "shop", "s1", 1).await.unwrap();
    assert_eq!(store.claim_pool("edge", "shop", "s2", 1).await.unwrap_err().kind, FaultKind::Refused);
    store.release_pool("edge", "shop", "s2").await.unwrap();
    assert_eq!(store.pool_owner("edge", "shop").await.unwrap().as_deref(), Some("s1"));
    store.release_pool("edge", "shop", "s1").await.unwrap();
    store.claim_pool("edge", "shop", "s2", 1).await.unwrap();
    store.keep_text("wish", "d1", "first", 1).await.unwrap();
    store.keep_text("wish", "d1", "cancelled by \u{1f41d}", 2).await.unwrap();
    assert_eq!(store.kept_text("wish", "d1").await.unwrap().as_deref(), Some("cancelled by \u{1f41d}"));
    assert_eq!(store.kept_text("other", "d1").await.unwrap(), None);
    store.forget("wish", "d1").await.unwrap();
    assert_eq!(store.kept_text("wish", "d1").await.unwrap(), None);
}

async fn changes(store: &impl DispatchStore) {
    let named = |id: &str, name: &str, text: &str, expected| Put { id: Some(id.into()), ..put(name, text, expected) };
    let apply = async |changes: &[Change]| store.apply(changes, "op1", "", 1).await;
    assert_eq!(apply(&[Change::Put(named("a", "db", "1", Some(0)))]).await.unwrap()[0].rev, 1);
    assert_eq!(apply(&[Change::Put(named("a", "db", "1", Some(1)))]).await.unwrap()[0].rev, 1, "the same again is no new version");
    let stale = [Change::Put(named("b", "new", "1", Some(0))), Change::Put(named("a", "db", "2", Some(7)))];
    assert_eq!(apply(&stale).await.unwrap_err().kind, FaultKind::Refused);
    assert_eq!(store.by_id("b").await.unwrap(), None, "the first change is not there either");
    assert_eq!(apply(&[Change::Put(named("b", "db", "1", None))]).await.unwrap_err().kind, FaultKind::Refused, "the name is another's");
    assert!(apply(&[Change::Delete { id: "a".into(), expected: Some(9) }]).await.is_err());
    apply(&[Change::Delete { id: "a".into(), expected: Some(1) }]).await.unwrap();
    assert_eq!(store.by_id("a").await.unwrap(), None);
    assert_eq!(apply(&[Change::Put(named("a", "db", "3", None))]).await.unwrap()[0].rev, 3, "it goes on where it ended");
    store.note(&[event("one"), event("two"), event("three")]).await.unwrap();
    let seen: Vec<(i64, String)> = store.events_after(1, 1).await.unwrap().into_iter().map(|event| (event.seq, event.what)).collect();
    assert_eq!(seen, [(2, "two".to_string())]);
}

async fn ports(store: &impl DispatchStore) {
    store.take_ports("h1", &[5000, 5001], "d1").await.unwrap();
    store.take_ports("h1", &[5001], "d1").await.unwrap();
    assert_eq!(store.take_ports("h1", &[5002, 5001], "d2").await.unwrap_err().kind, FaultKind::Refused);
    store.take_ports("h2", &[5001], "d2").await.unwrap();
    let leases = store.port_leases().await.unwrap();
    assert_eq!(leases["h1"].keys().copied().collect::<Vec<_>>(), [5000, 5001], "5002 was not taken either");
    store.release_ports("d1").await.unwrap();
    assert_eq!(store.port_leases().await.unwrap().keys().map(String::as_str).collect::<Vec<_>>(), ["h2"]);
    // Of two dispatches that were never written down, one has a lease held for it: it is about to begin.
    store.take_ports("h1", &[5003], "d3").await.unwrap();
    let begins = held(store.acquire(&crate::model::record::Lease { run: "d3".into(), ..lease("swarm/9", "a") }, 0).await.unwrap());
    store.free_ports_of_nobody().await.unwrap();
    assert_eq!(store.port_leases().await.unwrap().keys().map(String::as_str).collect::<Vec<_>>(), ["h1"]);
    // What was begun keeps its ports, whoever gives back; a lease that was lost gives back and keeps nothing.
    let mut begun = dispatch("d4", "9", "r1");
    store.create_dispatch(&mut begun, &begins, &[]).await.unwrap();
    store.take_ports("h1", &[5004], "d4").await.unwrap();
    store.give_back_unbegun(&begins, "d4").await.unwrap();
    store.give_back_unbegun(&begins, "d3").await.unwrap();
    assert_eq!(store.port_leases().await.unwrap()["h1"].keys().copied().collect::<Vec<_>>(), [5004]);
    store.keep_text_under(&begins, "pool before", "d4", "ours", 1).await.unwrap();
    store.take_ports("h1", &[5005], "d5").await.unwrap();
    store.release_lease(&begins).await.unwrap();
    assert_eq!(store.give_back_unbegun(&begins, "d5").await.unwrap_err().kind, FaultKind::Refused);
    assert_eq!(store.keep_text_under(&begins, "pool before", "d4", "late", 2).await.unwrap_err().kind, FaultKind::Refused);
    assert_eq!(store.kept_text("pool before", "d4").await.unwrap().as_deref(), Some("ours"));
    store.release_ports("d4").await.unwrap();
    store.free_ports_of_nobody().await.unwrap();
    assert!(store.port_leases().await.unwrap().is_empty());
}

async fn builds_and_releases(store: &Store) {
    use crate::model::release::{Build, BuildStatus, Release};
    let build = |id: &str, status, started_ms| -> Build {
        serde_json::from_value(serde_json::json!({"id": id, "app": "shop", "version": "v1", "commit": "c", "identity": "same", "status": status,
            "artifact": "a", "size": 1, "env": {"B": "1", "A": "2"}, "procfile": {}, "buildpack_url": "", "buildpack_commit": "", "sandboxed": false,
            "started_ms": started_ms, "ended_ms": 0, "error": "", "by": ""}))
        .unwrap()
    };
    store.put_build(&build("b1", "failed", 1)).await.unwrap();
    assert_eq!(store.build_by_identity("same", BuildStatus::Success).await.unwrap(), None);
    store.put_build(&build("b2", "started", 2)).await.unwrap();
    store.put_build(&build("b2", "success", 2)).await.unwrap();
    let found = store.build_by_identity("same", BuildStatus::Success).await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.env.keys().map(String::as_str).collect::<Vec<_>>()), ("b2", vec!["B", "A"]));
    assert_eq!(store.builds(10).await.unwrap().iter().map(|b| b.id.as_str()).collect::<Vec<_>>(), ["b2", "b1"]);
    let release: Release = serde_json::from_value(serde_json::json!({"id": "", "build": "b2", "artifact": "a", "app": "shop", "app_repo_url": "/x", "version": "v1",
        "commit": "c", "proc_name": "web", "config_name": "prod", "command": "run", "config": {"z": 1, "a": [true, null]}, "env": {}, "volumes": [["/a", "/b"]],
        "run_as": "nobody", "mem_limit": "256M", "memsw_limit": null, "runtime": "process", "uptests": [], "buildpack_url": "", "buildpack_commit": "", "created_ms": 1}))
    .unwrap();
    let release = release.sealed();
    store.put_release(&release).await.unwrap();
    store.put_release(&Release { created_ms: 99, ..release.clone() }).await.unwrap();
    assert_eq!(store.release(&release.id).await.unwrap().unwrap(), release, "a release never changes");
    assert_eq!(store.release("none").await.unwrap(), None);
}

async fn events_and_audit(store: &Store) {
    let mut of_run = event("two");
    of_run.run = "d1".into();
    store
        .note(&[event("one"), of_run], Some(&Audit { who: "op1".into(), verb: "edit".into(), object: "x".into(), ..Audit::default() }))
        .await
        .unwrap();
    store
        .note(&[event("three \u{1f41d} 'quoted'")], Some(&Audit { who: "op2".into(), verb: "edit".into(), ..Audit::default() }))
        .await
        .unwrap();
    let words = |events: Vec<crate::model::record::Event>| events.into_iter().map(|event| (event.seq, event.what)).collect::<Vec<_>>();
    assert_eq!(words(store.events_after(1, 10).await.unwrap()), [(2, "two".into()), (3, "three \u{1f41d} 'quoted'".into())]);
    assert_eq!(words(store.events_latest(2).await.unwrap()).first().unwrap().0, 2);
    assert_eq!(words(store.events_of("d1", 10).await.unwrap()), [(2, "two".into())]);
    assert_eq!(store.audit("", "edit", "", 10).await.unwrap().iter().map(|line| line.who.as_str()).collect::<Vec<_>>(), ["op2", "op1"]);
    assert_eq!(store.audit("op1", "", "x", 10).await.unwrap().len(), 1);
    assert_eq!(store.audit("op1", "delete", "", 10).await.unwrap().len(), 0);
}

async fn kept(store: &Store) {
    let nodes = |list: &[&str]| list.iter().map(|node| node.to_string()).collect::<BTreeSet<_>>();
    assert_eq!(store.change_pool("edge", "shop", &nodes(&["a:1", "b:1"]), &nodes(&[]), 1).await.unwrap(), nodes(&["a:1", "b:1"]));
    assert_eq!(store.change_pool("edge", "shop", &nodes(&["c:1"]), &nodes(&["a:1", "z:1"]), 1).await.unwrap(), nodes(&["b:1", "c:1"]));
    assert_eq!(store.pools("edge").await.unwrap(), [("shop".to_string(), nodes(&["b:1", "c:1"]))]);
    store.change_pool("edge", "shop", &nodes(&[]), &nodes(&["b:1", "c:1"]), 1).await.unwrap();
    assert!(store.pools("edge").await.unwrap().is_empty() && store.pool_nodes("edge", "shop").await.unwrap().is_empty());
    store.put_draft("op1", "shop", "half", 1).await.unwrap();
    assert_eq!(store.draft("op1", "shop").await.unwrap(), Some(("half".to_string(), 1)));
    assert_eq!(store.draft::<i64>("op1", "shop").await.unwrap(), None, "one that cannot be read is none");
    assert_eq!(store.draft::<String>("op2", "shop").await.unwrap(), None);
    store.drop_draft("op1", "shop").await.unwrap();
    assert_eq!(store.draft::<String>("op1", "shop").await.unwrap(), None);
}

async fn wake_up(url: &str) {
    let (mine, other) = (Store::open_url(url).await.unwrap(), Store::open_url(url).await.unwrap());
    let mut changes = mine.changes();
    // The first wake-up says that watching began.
    tokio::time::timeout(Duration::from_secs(20), changes.changed()).await.unwrap();
    for writer in [&other, &mine] {
        let seen = mine.events_latest(1).await.unwrap().last().map_or(0, |event| event.seq);
        writer.note(&[event("x")], None).await.unwrap();
        tokio::time::timeout(Duration::from_secs(20), async {
            while mine.events_after(seen, 1).await.unwrap().is_empty() {
                changes.changed().await;
            }
            changes.changed().await;
        })
        .await
        .expect("a change by anybody wakes us");
    }
}

/// Two stores (as two processes have), eight tasks; a reader who follows the cursor sees every number once, in order.
async fn concurrent_writers(url: &str) {
    let stores = [Store::open_url(url).await.unwrap(), Store::open_url(url).await.unwrap()];
    let reader = stores[0].clone();
    let writers: Vec<_> = (0..8)
        .map(|n: usize| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move {
                for i in 0..15 {
                    store.note(&[event(&format!("{n}/{i}")), event("second")], None).await.unwrap();
                }
            })
        })
        .collect();
    let follow = tokio::spawn(async move {
        let mut cursor = 0;
        while cursor < 240 {
            for event in reader.events_after(cursor, 50).await.unwrap() {
                assert_eq!(event.seq, cursor + 1, "a number was skipped");
                cursor = event.seq;
            }
        }
    });
    for writer in writers {
        writer.await.unwrap();
    }
    tokio::time::timeout(Duration::from_secs(60), follow).await.unwrap().unwrap();
}

async fn one_of_many_wins(store: &Store) {
    let saved = store.put(put("db", "0", Some(0)), "op", "", 1).await.unwrap();
    let tries = (0..8).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let saved = store.put(put("db", &format!("by {n}"), Some(1)), "op", "", 2).await.is_ok();
            let leased = matches!(store.acquire(&lease("swarm/1", &n.to_string()), 0).await.unwrap(), Acquired::Held(_));
            let ported = store.take_ports("h", &[6000], &n.to_string()).await.is_ok();
            (saved, leased, ported)
        })
    });
    let won: Vec<_> = futures::future::join_all(tries.collect::<Vec<_>>()).await.into_iter().map(|won| won.unwrap()).collect();
    assert_eq!(won.iter().filter(|won| won.0).count(), 1);
    assert_eq!(won.iter().filter(|won| won.1).count(), 1);
    assert_eq!(won.iter().filter(|won| won.2).count(), 1);
    assert_eq!(store.versions(&saved.id).await.unwrap().len(), 2);
}
