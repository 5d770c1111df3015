//! What keeps a fleet from harm on the command line: names instead of a yes, a fleet that is only looked at, a home that cannot be written.

use crate::support::deck::Deck;
use crate::support::fleet::Fleet;
use std::process::Command;

#[test]
fn what_is_protected_is_named_and_what_is_read_only_is_lifted_with_a_reason() {
    let Some(fleet) = Fleet::of(&["web01", "lb01"]) else { return };
    let deck = Deck::ready(&fleet, &["web01"]);
    let protected = deck.with("    size: 2\n", "    size: 2\n    protect: true\n");
    deck.apply(&protected).ended(0);
    let words = ["swarm shop-prod-web is protected: --yes is not enough", "--confirm shop-prod-web"];
    deck.dispatch(&["--version", "v2"]).refused(3, &words);
    deck.dispatch(&["--version", "v2", "--confirm", "shop-prod"]).refused(3, &["'shop-prod' is not its name"]);
    deck.dispatch(&["--version", "v2", "--confirm", "shop-prod-web"]).ended(0);

    let config = deck.path("home/config.yaml");
    let before = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("read_only: true\nprotect: true\n{before}")).unwrap();
    let name = ["--confirm", "shop-prod-web"];
    deck.dispatch(&[["--version", "v1"], name].concat()).refused(3, &["READ-ONLY", "--write WHY"]);
    for barred in [
        vec!["run", "shop-prod-web", "-o", "json", "--", "true"],
        vec!["shell", "web01", "-o", "json"],
        vec!["export", "-o", "json"],
        vec!["hold", "fleet", "-m", "x", "-o", "json"],
    ] {
        deck.run(&barred).refused(3, &["READ-ONLY"]);
    }
    assert_eq!(deck.json(&["get", "holds"]), serde_json::json!([]));
    deck.dispatch(&["--version", "v1", "--write", " "]).refused(2, &["say why"]);
    // Lifted, and the whole fleet is protected by now.
    deck.dispatch(&["--version", "v1", "--write", "OPS-880"]).refused(3, &["the fleet", "--confirm"]);
    let fleet_name = deck.json(&["audit", "--verb", "write"])[0]["object"].as_str().unwrap().to_string();
    deck.dispatch(&["--version", "v1", "--write", "OPS-880", "--confirm", &fleet_name]).ended(0);
    let lines = deck.json(&["audit", "--verb", "write"]);
    assert!(
        lines.as_array().unwrap().iter().all(|line| line["why"] == "OPS-880" && line["result"] == "while this command runs"),
        "{lines}"
    );

    // A home that cannot be written opens to look.
    let home = deck.path("home");
    let mount = |args: &[&str]| assert!(Command::new("mount").args(args).arg(&home).status().unwrap().success());
    mount(&["--bind", home.to_str().unwrap()]);
    mount(&["-o", "remount,ro,bind"]);
    let swarms = deck.json(&["get", "swarms"]);
    let refused = deck.dispatch(&["--version", "v2", "--confirm", &fleet_name, "--write", "OPS-881"]);
    assert!(Command::new("umount").arg(&home).status().unwrap().success());
    assert!(swarms.as_array().unwrap().iter().any(|swarm| swarm["version"] == "v1"), "{swarms}");
    refused.refused(3, &["cannot be written"]);
}
