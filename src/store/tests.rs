//! One suite for both engines: what holds on SQLite holds on PostgreSQL; then what only SQLite's file can get wrong.

mod file;
mod server;
mod suite;

use super::*;
use crate::model::record::{Dispatch, Event, Lease, Phase};

pub(super) fn event(what: &str) -> Event {
    Event { what: what.into(), kind: "test".into(), ..Event::default() }
}

pub(super) fn put(name: &str, text: &str, expected: Option<i64>) -> Put {
    Put { id: None, kind: Kind::Ingredient, name: name.into(), text: text.into(), body: format!("{{\"name\":\"{name}\"}}"), expected }
}

pub(super) fn lease(name: &str, holder: &str) -> Lease {
    Lease { name: name.into(), holder: holder.into(), who: format!("user {holder}"), why: "test".into(), ..Lease::default() }
}

pub(super) fn dispatch(id: &str, swarm: &str, release: &str) -> Dispatch {
    Dispatch {
        id: id.into(),
        number: 0,
        swarm_id: swarm.into(),
        swarm: "shop-prod-web@web".into(),
        verb: "dispatch".into(),
        who: "op1".into(),
        why: "test".into(),
        from_version: String::new(),
        to_version: "v1".into(),
        from_release: String::new(),
        to_release: release.into(),
        phase: Phase::Resolve,
        undoing: false,
        outcome: None,
        fault: None,
        debts: Vec::new(),
        steps: Vec::new(),
        started_ms: 1,
        ended_ms: 0,
        holder: "a".into(),
    }
}

/// The held lease, or a failed test.
pub(super) fn held(acquired: Acquired) -> Lease {
    match acquired {
        Acquired::Held(lease) => lease,
        Acquired::Busy(lease) => panic!("busy: {lease:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_suite_holds_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    suite::all(|name| format!("sqlite://{}/{name}.sqlite", dir.display())).await;
}

#[tokio::test]
async fn what_a_dispatch_needs_holds_in_memory() {
    suite::what_a_dispatch_needs(async |_| super::memory::Memory::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_suite_holds_on_postgresql() {
    let Some(server) = server::Server::start() else {
        println!("skipped: needs PostgreSQL's initdb and postgres");
        return;
    };
    let server = &server;
    suite::all(|name| server.database(name)).await;

    // Whoever may only read opens it to look.
    let url = server.database("looked_at");
    let writer = Store::open_url(&url).await.unwrap();
    writer.note(&[event("written")], None).await.unwrap();
    assert!(server.sql("CREATE ROLE looker LOGIN IN ROLE pg_read_all_data"));
    let looker = Store::open_url(&url.replace("swarmdeck@", "looker@")).await.unwrap();
    assert_eq!(looker.look_only().as_deref(), Some("this database user may not write the store"));
    assert_eq!(looker.events_after(0, 10).await.unwrap().len(), 1);
    assert_eq!(looker.note(&[event("not written")], None).await.unwrap_err().exit_code(), 3);
    looker.close().await;
    writer.close().await;
}
