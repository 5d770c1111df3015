//! What is edited, through a real store: every kind, new ones, renames, others' saves, drafts.

use crate::deck::Deck;
use crate::deck::look::{Draft, EditTarget};
use crate::deck::tests::{DOCUMENT, deck};
use crate::model::document::Kind;
use crate::model::document::schema::Named;
use crate::model::fault::FaultKind;

async fn text_of(deck: &Deck, kind: Kind, name: &str) -> String {
    deck.store.get(kind, name).await.unwrap().map(|object| object.text).unwrap_or_default()
}

#[tokio::test]
async fn every_kind_is_edited_as_a_whole_with_its_comments() {
    let (_dir, deck) = deck().await;
    deck.apply(DOCUMENT, "x", false, "").await.unwrap();
    for (kind, name, from, to) in [
        (Kind::App, "shop", "name: shop", "# ours\nname: shop # sells"),
        (Kind::Buildpack, "python", "name: python", "name: python # the one"),
        (Kind::Ingredient, "db", "db_host: db1", "db_host: db2"),
        (Kind::Squad, "web", "name: web", "name: web # few"),
        (Kind::Balancer, "edge", "name: edge", "name: edge # dummy yet"),
        (Kind::Swarm, "shop-prod-web@web", "size: 1", "size: 2 # busy"),
    ] {
        let open = deck.edit_open(EditTarget::Whole(kind, name.into())).await.unwrap();
        assert_eq!(open.target.kind(), kind);
        assert_ne!(open.target.id(), name, "by its id from now on");
        assert!(open.known[&Named::Ingredient].contains(&"db".to_string()));
        let text = open.text.replace(from, to);
        assert_ne!(text, open.text, "{kind:?}");
        assert!(deck.edit_try(&open.target, &text, open.rev).await.unwrap().is_empty());
        let saved = deck.edit_save(&open.target, &text, open.rev, "why").await.unwrap();
        assert_eq!((saved.rev, saved.target.clone()), (open.rev + 1, open.target.clone()));
        assert_eq!(text_of(&deck, kind, name).await, text);
        // The same revision again: somebody else was there.
        let fault = deck.edit_save(&open.target, &open.text, open.rev, "").await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Refused, "{fault:?}");
        assert_eq!(text_of(&deck, kind, name).await, text);
    }
    let audit = deck.store.audit("", "edit", "", 100).await.unwrap();
    assert_eq!(audit.iter().filter(|line| line.verb == "edit" && line.why == "why").count(), 6);
}

#[tokio::test]
async fn a_rename_takes_what_names_it_along_and_another_name_may_not_be_taken() {
    let (_dir, deck) = deck().await;
    deck.apply(DOCUMENT, "x", false, "").await.unwrap();
    let app = deck.edit_open(EditTarget::Whole(Kind::App, "shop".into())).await.unwrap();
    let text = app.text.replace("name: shop", "name: store");
    assert_eq!(deck.edit_try(&app.target, &text, app.rev).await.unwrap(), ["swarm store-prod-web@web follows: it names this one"]);
    assert!(text_of(&deck, Kind::App, "store").await.is_empty(), "only tried");
    let saved = deck.edit_save(&app.target, &text, app.rev, "").await.unwrap();
    assert_eq!(saved.title, "app store");
    assert!(text_of(&deck, Kind::Swarm, "store-prod-web@web").await.contains("app: store"));

    let swarm = deck.edit_open(EditTarget::Whole(Kind::Swarm, "store-prod-web".into())).await.unwrap();
    let clone = EditTarget::New(Kind::Swarm, swarm.target.id().into());
    let open = deck.edit_open(clone.clone()).await.unwrap();
    assert_eq!((open.rev, open.title.as_str()), (0, "new swarm, like store-prod-web@web"));
    assert_eq!(open.text.lines().nth(open.at.0).unwrap(), "config_name: prod", "the cursor is where it must change");
    let fault = deck.edit_try(&clone, &open.text, 0).await.unwrap_err();
    assert!(fault.line().contains("there is a swarm store-prod-web@web already"), "{}", fault.line());
    // Another pool too, or it would be refused.
    let text = open.text.replace("config_name: prod", "config_name: stage");
    assert!(deck.edit_save(&clone, &text, 0, "").await.unwrap_err().line().contains("a pool belongs to one swarm"));
    let text = text.replace("pool: shop", "pool: stage");
    let saved = deck.edit_save(&clone, &text, 0, "").await.unwrap();
    assert_eq!((saved.rev, saved.said.as_str()), (1, "swarm store-stage-web@web created; not live until it is dispatched"));
    assert!(text_of(&deck, Kind::Swarm, "store-stage-web@web").await.contains("# the database of the shop"));
    assert!(text_of(&deck, Kind::Swarm, "store-prod-web@web").await.contains("pool: shop"), "the first is as it was");

    // The new one gone, its editor still open: nothing comes back by itself.
    deck.delete(Kind::Swarm, "store-stage-web", "").await.unwrap();
    let fault = deck.edit_save(&saved.target, &text, saved.rev, "").await.unwrap_err();
    assert!(fault.line().contains("was deleted meanwhile"), "{}", fault.line());
}

#[tokio::test]
async fn a_new_object_of_every_kind_begins_with_a_text_that_needs_only_names() {
    let (_dir, deck) = deck().await;
    deck.apply(DOCUMENT, "x", false, "").await.unwrap();
    for kind in Kind::ALL {
        let open = deck.edit_open(EditTarget::New(kind, String::new())).await.unwrap();
        assert_eq!((open.rev, open.title.clone()), (0, format!("new {}", kind.word())));
        let text = open.text.replace("\nname:", "\nname: fresh").replace("config_name: prod", "config_name: fresh");
        let text = text.replace("\napp:", "\napp: shop").replace("\nsquad:", "\nsquad: web");
        let saved = deck.edit_save(&open.target, &text, 0, "").await.unwrap();
        assert!(matches!(&saved.target, EditTarget::Whole(made, id) if *made == kind && !id.is_empty()));
        let again = deck.edit_open(saved.target.clone()).await.unwrap();
        assert_eq!((again.text, again.rev), (text, saved.rev), "comments and all");
    }
    assert!(deck.edit_open(EditTarget::Whole(Kind::App, "none".into())).await.unwrap_err().line().contains("there is no app 'none'"));
}

#[tokio::test]
async fn a_host_is_opened_where_it_is_written() {
    let (_dir, deck) = deck().await;
    let squads = "squads:\n  - name: web\n    hosts:\n      - name: web[01-03]\n      - {name: web07, port: 22}\nbalancers:\n  - name: edge\n    backend: dummy\n    hosts:\n      - {name: lb01, port: 22}\n";
    deck.apply(squads, "x", false, "").await.unwrap();
    let at = async |host: &str| {
        let open = deck.edit_open(EditTarget::Host(host.into())).await.unwrap();
        (open.target.kind(), open.text.lines().nth(open.at.0).unwrap_or_default().trim().to_string())
    };
    assert_eq!(at("web02").await, (Kind::Squad, "- name: web[01-03]".to_string()));
    assert_eq!(at("web07").await, (Kind::Squad, "- {name: web07, port: 22}".to_string()));
    assert_eq!(at("lb01").await, (Kind::Balancer, "- {name: lb01, port: 22}".to_string()));
    assert!(deck.edit_open(EditTarget::Host("web09".into())).await.is_err());
}

#[tokio::test]
async fn layers_siblings_and_users_stand_around_the_text() {
    let (_dir, deck) = deck().await;
    deck.apply(DOCUMENT, "x", false, "").await.unwrap();
    for (config, host) in [("stage", "db9"), ("test", "db9"), ("live", "db7")] {
        let swarm = format!(
            "swarms: [{{app: shop, config_name: {config}, proc_name: web, squad: web, version: v1, ingredients: [db], config: {{db: {{host: {host}}}}}}}]"
        );
        deck.apply(&swarm, "x", false, "").await.unwrap();
    }
    let id = deck.catalog().await.unwrap().swarm("shop-prod-web").unwrap().id.clone();
    let open = deck.edit_open(EditTarget::SwarmConfig(id.clone())).await.unwrap();
    let key = |path: &[&str]| path.iter().map(|part| part.to_string()).collect::<Vec<_>>();
    assert_eq!((open.siblings.count, open.siblings.keys[&key(&["db", "host"])].count), (3, 3));
    assert_eq!(open.siblings.keys[&key(&["db", "host"])].values, [("db9".into(), 2), ("db7".into(), 1)]);
    assert_eq!(open.below.len(), 1);
    let whole = deck.edit_open(EditTarget::Whole(Kind::Swarm, id)).await.unwrap();
    assert!(whole.siblings.keys.contains_key(&key(&["config", "db", "host"])));
    assert_eq!(whole.below.iter().map(|(layer, ..)| layer.as_str()).collect::<Vec<_>>(), ["default", "ingredient db"]);
    let ingredient = deck.edit_open(EditTarget::Whole(Kind::Ingredient, "db".into())).await.unwrap();
    assert_eq!((ingredient.users.len(), ingredient.used_by.len(), ingredient.siblings.count), (4, 4, 4));
}

#[tokio::test]
async fn a_draft_is_kept_with_what_it_was_made_from_and_goes_with_the_save() {
    let (_dir, deck) = deck().await;
    deck.apply(DOCUMENT, "x", false, "").await.unwrap();
    let open = deck.edit_open(EditTarget::Whole(Kind::Ingredient, "db".into())).await.unwrap();
    let draft = Draft { text: "name: db # half".into(), base: open.text.clone(), rev: open.rev };
    deck.edit_draft(&open.target, Some(&draft)).await.unwrap();
    assert_eq!(deck.edit_kept_draft(&open.target).await.unwrap().map(|(draft, _)| draft), Some(draft));
    deck.edit_save(&open.target, &open.text.replace("db1", "db2"), open.rev, "").await.unwrap();
    assert_eq!(deck.edit_kept_draft(&open.target).await.unwrap(), None);
}
