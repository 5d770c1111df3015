//! Versions, texts, audit and habits on a real store.

use super::look::Target;
use super::past::AuditWanted;
use super::reading::Inquiry;
use super::tests::{DOCUMENT, deck, planned};
use super::{Deck, habits};
use std::os::unix::fs::PermissionsExt;

const CHANGED: &str = "
ingredients:
  - name: db
    # the new one
    config: {db_host: db2, db_password: hunter2}
";

async fn text(deck: &Deck, inquiry: Inquiry) -> String {
    deck.read(&inquiry).await.unwrap().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_is_kept_compared_and_can_be_gone_back_to() {
    let (_dir, deck) = deck().await;
    deck.apply(DOCUMENT, "test", false, "the first").await.unwrap();
    deck.apply(CHANGED, "test", false, "primary moved").await.unwrap();
    let id = deck.catalog().await.unwrap().ingredient("db").unwrap().id.clone();
    let target = Target::Ingredient(id.clone());

    let versions = deck.history(&target).await.unwrap();
    let told: Vec<_> = versions.iter().map(|it| (it.rev, it.why.as_str(), it.current)).collect();
    assert_eq!(told, [(2, "primary moved", true), (1, "the first", false)]);
    assert!(versions[0].added > 0 && versions[0].removed > 0);

    let change = text(&deck, Inquiry::Change(id.clone(), 2)).await;
    assert!(change.contains("+# the new one") && change.contains("db_password: ****#"), "{change}");
    assert!(!change.contains("hunter2"));
    let yaml = text(&deck, Inquiry::Yaml(target.clone())).await;
    assert!(
        yaml.contains("ingredients:") && yaml.contains("# the new one") && yaml.contains("used_by") && !yaml.contains("hunter2"),
        "{yaml}"
    );

    let said = deck.revert(&id, 1, "it was right").await.unwrap();
    assert!(said.contains("as it was at version 1"), "{said}");
    let versions = deck.history(&target).await.unwrap();
    assert_eq!((versions[0].rev, versions[0].why.as_str()), (3, "back to version 1: it was right"));
    let both = Inquiry::Compare(Target::Version(id.clone(), 1), Target::Version(id.clone(), 3));
    assert_eq!(text(&deck, both).await, "no difference");
    let audit = deck.audit(&AuditWanted { verb: "revert".into(), ..AuditWanted::default() }, 9).await.unwrap();
    assert_eq!(audit.iter().map(|line| line.object.as_str()).collect::<Vec<_>>(), ["ingredient db"]);
    assert!(deck.revert(&id, 1, "").await.unwrap().contains("already"));
    assert_eq!(deck.history(&target).await.unwrap().len(), 3, "nothing was written");

    assert!(deck.revert(&id, 9, "").await.err().unwrap().what.contains("no version 9"));
    assert!(deck.history(&Target::Host("web01".into())).await.err().unwrap().what.contains("nobody wrote it down"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_is_compared_with_what_runs() {
    let (_dir, deck) = deck().await;
    deck.apply(DOCUMENT, "test", false, "").await.unwrap();
    let id = deck.catalog().await.unwrap().swarm("shop-prod-web").unwrap().id.clone();
    assert!(deck.read(&Inquiry::Running(id.clone())).await.err().unwrap().what.contains("nothing runs yet"));

    let plan = planned(&deck, Vec::new()).await;
    deck.execute(&plan.id, "").await.unwrap().done.await.unwrap();
    deck.apply(CHANGED, "test", false, "").await.unwrap();
    deck.make_look().await.unwrap();
    let look = deck.look();
    let [shown] = look.lists.releases.as_slice() else { panic!("{:?}", look.lists.releases) };
    assert!(shown.current && shown.version == "v1" && shown.dispatch == plan.id);

    let difference = text(&deck, Inquiry::Running(id.clone())).await;
    assert!(difference.contains("+  db_host: db2") && difference.contains("+  db_password: ****#"), "{difference}");
    assert!(!difference.contains("hunter2") && !difference.contains("-version"), "{difference}");
    let same = Target::Release(id, shown.id.clone());
    assert_eq!(text(&deck, Inquiry::Compare(same.clone(), same)).await, "no difference");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_is_exported_for_its_owner_and_habits_are_each_users_own() {
    let (dir, deck) = deck().await;
    deck.apply(DOCUMENT, "test", false, "OPS-1").await.unwrap();
    let wanted = AuditWanted { app: "shop".into(), verb: "apply".into(), ..AuditWanted::default() };
    let lines = deck.audit(&wanted, 100).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.object.as_str()).collect::<Vec<_>>(), ["swarm shop-prod-web@web", "app shop"]);
    let path = dir.path().join("audit.jsonl");
    assert_eq!(deck.export_audit(&wanted, &path).await.unwrap(), 2);
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.lines().count() == 2 && written.lines().next().unwrap().contains("app shop"), "{written}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(deck.export_audit(&wanted, &path).await.err().unwrap().what.contains("cannot be written"), "what is there is not overwritten");

    let dash = habits::Dash { name: "mine".into(), list: "procs".into(), filter: "app:shop".into(), ..Default::default() };
    let mine = habits::Habits { dashes: vec![dash], first: "mine".into(), ..Default::default() };
    deck.keep_habits(&mine).await.unwrap();
    deck.make_look().await.unwrap();
    assert_eq!(deck.look().habits, mine);
    assert!(deck.store.kept::<habits::Habits>("habits", "somebody else").await.unwrap().is_none());
    let audit = deck.look().lists.audit.clone();
    deck.told("edit", "app shop", "saved", "").await.unwrap();
    deck.make_look().await.unwrap();
    assert_eq!(deck.look().lists.audit.len(), audit.len() + 1, "only what is new is read");
}

#[tokio::test]
async fn events_are_asked_for_by_type_user_app_and_date_and_written_to_a_file_of_their_owner() {
    let (dir, deck) = super::tests::deck().await;
    let event = |seq: i64, kind: &str, who: &str, place: &str| crate::model::record::Event {
        at_ms: seq * 1000,
        kind: kind.into(),
        who: who.into(),
        place: place.into(),
        what: format!("event {seq}"),
        ..Default::default()
    };
    let all = [event(1, "swarm", "op1", "shop-prod-web@web"), event(2, "host", "", "web01"), event(3, "swarm", "op2", "mail-prod-web@web")];
    deck.store.note(&all, None).await.unwrap();
    let found =
        async |wanted: AuditWanted| -> Vec<String> { deck.events(&wanted, 0).await.unwrap().into_iter().map(|event| event.what).collect() };
    let any = AuditWanted::default;
    assert_eq!(found(any()).await, ["event 1", "event 2", "event 3"]);
    assert_eq!(found(AuditWanted { verb: "swarm".into(), ..any() }).await, ["event 1", "event 3"]);
    assert_eq!(found(AuditWanted { who: "op2".into(), ..any() }).await, ["event 3"]);
    assert_eq!(found(AuditWanted { app: "shop".into(), ..any() }).await, ["event 1"]);
    assert_eq!(found(AuditWanted { text: vec!["web01".into()], ..any() }).await, ["event 2"]);
    assert_eq!(found(AuditWanted { since_ms: 2000, until_ms: 3000, ..any() }).await, ["event 2"]);
    assert_eq!(deck.events(&any(), 2).await.unwrap().len(), 1, "after a number");
    let file = dir.path().join("events.jsonl");
    assert_eq!(deck.export_events(&any(), &file).await.unwrap(), 3);
    let lines = std::fs::read_to_string(&file).unwrap();
    assert_eq!(lines.lines().filter(|line| line.contains("\"what\":\"event")).count(), 3);
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions()) & 0o777, 0o600);
    assert_eq!(deck.export_events(&any(), &file).await.unwrap_err().exit_code(), 2, "never over a file that is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_keeps_its_history_and_is_written_down_again_as_it_was() {
    use crate::deck::undo::undoable;
    use crate::model::document::Kind;
    let (_dir, deck) = deck().await;
    deck.apply(DOCUMENT, "test", false, "").await.unwrap();
    let extra = "ingredients: [{name: extra, config: {a: 1}}]\n";
    deck.apply(extra, "test", false, "").await.unwrap();
    deck.apply(&extra.replace("a: 1", "a: 2"), "test", false, "").await.unwrap();
    let id = deck.catalog().await.unwrap().ingredient("extra").unwrap().id.clone();
    assert!(deck.delete(Kind::Ingredient, "db", "").await.unwrap_err().what.contains("shop-prod-web"), "it is used");
    deck.delete(Kind::Ingredient, "extra", "not needed").await.unwrap();
    assert!(deck.history(&Target::Ingredient(id.clone())).await.is_ok_and(|versions| versions[0].deleted), "by its id");
    assert_eq!(deck.deleted_named(Kind::Ingredient, "extra").await.unwrap(), Some(Target::Version(id.clone(), 3)));
    assert_eq!(deck.deleted_named(Kind::App, "extra").await.unwrap(), None);

    deck.make_look().await.unwrap();
    let look = deck.look();
    let listed = undoable(&look).into_iter().find(|undo| undo.what == "deleted").unwrap();
    assert_eq!(
        (listed.verb, listed.target.clone(), listed.object.as_str()),
        ("revert", Target::Version(id.clone(), 2), "ingredient extra")
    );
    assert_eq!(listed.command, "swarmdeck revert ingredient extra 2");
    let saved = undoable(&look).into_iter().filter(|undo| undo.verb == "revert").count();
    assert_eq!(saved, 1, "what was saved once has no version before it");

    assert!(deck.revert(&id, 3, "").await.unwrap_err().what.contains("ended with version 3"));
    deck.revert(&id, 2, "").await.unwrap();
    let versions = deck.history(&Target::Ingredient(id.clone())).await.unwrap();
    assert_eq!((versions[0].rev, versions[0].current), (4, true), "the same object again, with all it was");
    assert!(deck.catalog().await.unwrap().ingredient("extra").unwrap().text.contains("a: 2"));
    deck.make_look().await.unwrap();
    assert!(deck.look().lists.deleted.is_empty());
    assert!(!undoable(&deck.look()).iter().any(|undo| undo.object == "ingredient extra"), "there is nothing between its end and now");

    // Another one of that name is not written over.
    deck.delete(Kind::Ingredient, "extra", "").await.unwrap();
    deck.apply(extra, "test", false, "").await.unwrap();
    assert!(deck.revert(&id, 4, "").await.unwrap_err().what.contains("another ingredient is called extra now"));
    deck.make_look().await.unwrap();
    assert!(deck.look().lists.deleted.is_empty(), "nothing to be undone: the name is taken");
}
