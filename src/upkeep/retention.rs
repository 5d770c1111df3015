//! How long what is kept of work stays: 14 days, unless a dispatch that is still open needs it. Events and audit stay.

use crate::model::Result;
use crate::store::Store;

/// DESIGN part 4.
pub const DAYS: i64 = 14;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// What is kept, by kind.
pub struct Keeping<'a> {
    /// Kinds whose names begin with the id of a dispatch (a plan's id is its dispatch's).
    pub of_dispatches: &'a [&'a str],
    /// The kind of lives; those whose names begin with one of `living` stay.
    pub lives: &'a str,
    pub living: Vec<String>,
    pub others: &'a [&'a str],
}

/// Forgets what is older than [`DAYS`] at `now_ms`; how many of each kind.
///
/// # Errors
/// The store cannot be read or written.
pub async fn forget(store: &Store, keeping: &Keeping<'_>, now_ms: i64) -> Result<Vec<(String, u64)>> {
    let before_ms = now_ms - DAYS * DAY_MS;
    let open: Vec<String> = store.open_dispatches().await?.into_iter().map(|dispatch| dispatch.id).collect();
    let mut gone = Vec::new();
    let spared = keeping.of_dispatches.iter().map(|kind| (*kind, open.as_slice()));
    let lives = std::iter::once((keeping.lives, keeping.living.as_slice()));
    let others = keeping.others.iter().map(|kind| (*kind, open.as_slice()));
    for (kind, spared) in spared.chain(lives).chain(others) {
        gone.push((kind.to_string(), store.forget_before(kind, before_ms, spared).await?));
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::{Dispatch, Event, Lease, Outcome, Phase};

    const DAY: i64 = DAY_MS;

    async fn dispatched(store: &Store, id: &str, outcome: Option<Outcome>) {
        let lease = Lease { name: format!("swarm/{id}"), holder: "h".into(), ..Lease::default() };
        let crate::store::Acquired::Held(lease) = store.acquire(&lease, 0).await.unwrap() else { panic!("held") };
        let text = serde_json::json!({"id": id, "number": 0, "swarm_id": id, "swarm": "s", "verb": "dispatch", "who": "op1", "why": "",
            "from_version": "", "to_version": "v1", "from_release": "", "to_release": "", "phase": "fence", "undoing": false, "outcome": outcome,
            "fault": null, "debts": [], "steps": [], "started_ms": 1, "ended_ms": 0, "holder": "h"});
        let mut dispatch: Dispatch = serde_json::from_value(text).unwrap();
        assert_eq!(dispatch.phase, Phase::Fence);
        store.create_dispatch(&mut dispatch, &lease, &[]).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_older_than_fourteen_days_goes_but_not_of_an_open_dispatch() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_file(&dir.path().join("store.sqlite")).await.unwrap();
        dispatched(&store, "open", None).await;
        dispatched(&store, "left", Some(Outcome::Interrupted)).await;
        dispatched(&store, "done", Some(Outcome::Done)).await;
        store.note(&[Event { at_ms: 0, what: "old".into(), ..Event::default() }], None).await.unwrap();
        let now = 100 * DAY;
        for id in ["open", "left", "done"] {
            store.keep("plan", id, &1, now - 15 * DAY).await.unwrap();
            store.keep("evidence", &format!("{id}/web01/p@i"), &1, now - 15 * DAY).await.unwrap();
        }
        store.keep("plan", "young", &1, now - 13 * DAY).await.unwrap();
        for (name, days) in [("s/web01/there/1-1", 40), ("s/web01/gone/1-1", 40), ("s/web01/gone/2-2", 2)] {
            store.keep("life", name, &1, now - days * DAY).await.unwrap();
        }
        store.keep("host seen", "h1", &1, 0).await.unwrap();
        let keeping =
            Keeping { of_dispatches: &["plan", "evidence"], lives: "life", living: vec!["s/web01/there/".into()], others: &["refused"] };
        let names = async |kind: &str| store.kept_names(kind, "").await.unwrap().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        let gone = forget(&store, &keeping, now).await.unwrap();
        assert_eq!(gone, [("plan".into(), 1), ("evidence".into(), 1), ("life".into(), 1), ("refused".into(), 0)]);
        assert_eq!(names("plan").await, ["left", "open", "young"]);
        assert_eq!(names("evidence").await, ["left/web01/p@i", "open/web01/p@i"]);
        assert_eq!(names("life").await, ["s/web01/gone/2-2", "s/web01/there/1-1"]);
        assert_eq!(names("host seen").await, ["h1"]);
        assert_eq!(store.events_latest(10).await.unwrap().last().unwrap().what, "old");
        assert_eq!(forget(&store, &keeping, now).await.unwrap().iter().map(|(_, n)| n).sum::<u64>(), 0);
        let later = forget(&store, &keeping, now + 2 * DAY).await.unwrap();
        assert_eq!(later[0], ("plan".into(), 1), "young is old two days later");
    }
}
