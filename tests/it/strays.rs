//! Nothing goes rogue, on real hosts: strays are listed with evidence and adopted, retired or ignored; a renamed swarm is moved by one
//! plan; the four ways of cleaning up that Velociraptor's own page names (its "Defunct Procs") still work.

use crate::support::deck::{Deck, Program, Requests, answers, nodes, programs, write};
use crate::support::fleet::Fleet;
use crate::support::until;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

const TWO: [&str; 2] = ["web01", "web02"];

/// A fleet of two hosts and a balancer, with `shop-prod-web` at v1 on it.
fn at_v1() -> Option<(Fleet, Deck)> {
    let fleet = Fleet::of(&["web01", "web02", "lb01"])?;
    let deck = Deck::ready(&fleet, &TWO);
    deck.done(&["--version", "v1"]);
    Some((fleet, deck))
}

fn named(fleet: &Fleet, prefix: &str) -> Vec<Program> {
    programs(fleet, &TWO, prefix)
}

/// A swarm's own text with its id, as `apply` takes it.
fn text_of(deck: &Deck, swarm: &str) -> String {
    deck.run(&["export", "swarm", swarm]).ended(0).stdout
}

/// Changes a swarm's text; what the change says.
fn change(deck: &Deck, swarm: &str, pairs: &[(&str, &str)]) -> String {
    let mut text = text_of(deck, swarm);
    for (from, to) in pairs {
        assert!(text.contains(from), "{from} is not in {text}");
        text = text.replacen(from, to, 1);
    }
    deck.apply(&text).ended(0).stdout
}

/// A dispatch that must end `done`.
fn dispatched(deck: &Deck, swarm: &str, args: &[&str]) -> Value {
    let ran = deck.run(&[&["dispatch", swarm], args, &["--yes", "-o", "json"]].concat()).ended(0).json();
    assert_eq!(ran["result"], "done", "{ran}");
    deck.time(&ran);
    ran
}

fn strays(deck: &Deck) -> Vec<Value> {
    deck.json(&["strays"]).as_array().unwrap().clone()
}

fn of_kind<'a>(strays: &'a [Value], kind: &str) -> Vec<&'a Value> {
    strays.iter().filter(|stray| stray["kind"] == kind).collect()
}

/// What Velociraptor leaves after a change of config name: the new procs serve, the old ones run on and are nobody's.
fn renamed_as_velociraptor_did(fleet: &Fleet, deck: &Deck) {
    let said = change(deck, "shop-prod-web@web", &[("config_name: prod", "config_name: next")]);
    for word in ["2 procs of shop-prod-web@web become orphans", "pool shop@edge", "swarmdeck dispatch shop-next-web@web"] {
        assert!(said.contains(word), "{word} is not in {said}");
    }
    dispatched(deck, "shop-next-web", &["--leave-orphans"]);
    assert_eq!((named(fleet, "shop-v1-prod-").len(), named(fleet, "shop-v1-next-").len()), (2, 2));
    let all = strays(deck);
    let orphans = of_kind(&all, "orphan");
    assert_eq!((all.len(), orphans.len()), (2, 2), "{all:#?}");
    for (orphan, program) in orphans.iter().zip(named(fleet, "shop-v1-prod-")) {
        assert_eq!((orphan["name"].as_str().unwrap(), orphan["port"].as_u64()), (program.name.as_str(), Some(program.port().into())));
        assert!(orphan["evidence"].to_string().contains("config was prod, is next"), "{orphan}");
    }
}

/// Only the renamed swarm's procs are there, they serve, and nothing is out of place.
fn clean(fleet: &Fleet, deck: &Deck) {
    let all = named(fleet, "shop-");
    assert!(
        all.len() == 2 && all.iter().all(|program| program.name.starts_with("shop-v1-next-") && program.state == "RUNNING"),
        "{all:#?}"
    );
    let expected: BTreeSet<String> = all.iter().map(|program| format!("{}:{}", fleet.addr(&program.host), program.port())).collect();
    assert_eq!(nodes(fleet), expected);
    assert_eq!(strays(deck), Vec::<Value>::new());
    for host in TWO {
        assert_eq!(fleet.text(host, "ls -A /apps/procs").lines().count(), all.iter().filter(|program| program.host == host).count());
    }
}

#[test]
fn seed_003_way_1_orphans_are_deleted_by_hand() {
    let Some((fleet, deck)) = at_v1() else { return };
    let requests = Requests::start(&fleet);
    renamed_as_velociraptor_did(&fleet, &deck);
    let held = deck.json(&["hold", "host", TWO[0], "-m", "its disk is changed"]);
    let on_it = named(&fleet, "shop-v1-prod-").into_iter().find(|program| program.host == TWO[0]).unwrap();
    deck.run(&["retire", TWO[0], &on_it.name, "--yes"]).refused(3, &["host web01 is held", "its disk is changed"]);
    deck.run(&["lift", held["hold"]["name"].as_str().unwrap(), "-m", "it is in"]).ended(0);
    for orphan in named(&fleet, "shop-v1-prod-") {
        deck.run(&["retire", &orphan.host, &orphan.name]).refused(3, &["Nobody can be asked"]);
        let done = deck.json(&["retire", &orphan.host, &orphan.name, "--yes", "-m", "left over"]);
        assert!(done["plan"].to_string().contains(&format!("stop and remove {}", orphan.name)), "{done}");
        assert!(deck.sql("SELECT name FROM kept WHERE kind = 'evidence'").iter().any(|name| name.contains(&orphan.name)));
        assert!(deck.run(&["audit", "--object", &format!("{}:{}", orphan.host, orphan.name)]).ended(0).stdout.contains("left over"));
    }
    clean(&fleet, &deck);

    // One that serves leaves its pool and is drained first, and never as the last one while procs are wanted.
    let served = named(&fleet, "shop-v1-next-");
    let done = deck.json(&["retire", &served[0].host, &served[0].name, "--yes"]);
    assert!(done["plan"][0].as_str().unwrap().contains("out of pool shop@edge, which keeps 1"), "{done}");
    deck.run(&["retire", &served[1].host, &served[1].name, "--yes"]).refused(3, &["is the last node of pool shop@edge"]);
    assert_eq!(named(&fleet, "shop-"), served[1..]);
    requests.end();

    // A swarm is deleted only when nothing of it runs.
    deck.run(&["delete", "swarm", "shop-next-web"]).refused(3, &["procs still run", &served[1].name, "swarmdeck size"]);
    deck.json(&["size", "shop-next-web", "0", "--yes"]);
    deck.run(&["delete", "swarm", "shop-next-web"]).ended(0);
    assert!(named(&fleet, "shop-").is_empty() && nodes(&fleet).is_empty());
}

#[test]
fn seed_003_way_2_another_swarm_equal_to_the_original_is_dispatched_at_size_0() {
    let Some((fleet, deck)) = at_v1() else { return };
    let requests = Requests::start(&fleet);
    let original = text_of(&deck, "shop-prod-web@web");
    renamed_as_velociraptor_did(&fleet, &deck);
    let without = |line: &&str| !["id:", "pool:", "balancer:"].iter().any(|key| line.trim_start_matches([' ', '-']).starts_with(key));
    let again: String = original.lines().filter(without).map(|line| format!("{line}\n")).collect();
    // Where the id stood first, the next key opens the item.
    let again = if again.contains("  - ") { again } else { again.replacen("    app:", "  - app:", 1) };
    deck.apply(&again.replacen("size: 2", "size: 0", 1)).ended(0);
    let plan = deck.json(&["plan", "shop-prod-web"]);
    assert!(plan["warnings"].to_string().contains("retires 2 orphans that were deployed as shop-prod-web@web"), "{plan}");
    dispatched(&deck, "shop-prod-web", &[]);
    clean(&fleet, &deck);
    requests.end();
}

#[test]
fn seed_003_way_3_the_swarm_is_dispatched_at_size_0_before_the_change() {
    let Some((fleet, deck)) = at_v1() else { return };
    deck.done(&["--size", "0"]);
    assert!(named(&fleet, "shop-").is_empty());
    let said = change(&deck, "shop-prod-web@web", &[("config_name: prod", "config_name: next")]);
    assert!(!said.contains("orphan"), "{said}");
    dispatched(&deck, "shop-next-web", &["--size", "2"]);
    clean(&fleet, &deck);
}

#[test]
fn seed_003_way_4_the_swarm_is_mutated_back_without_routing_at_size_0_then_restored() {
    let Some((fleet, deck)) = at_v1() else { return };
    let requests = Requests::start(&fleet);
    renamed_as_velociraptor_did(&fleet, &deck);
    let served = named(&fleet, "shop-v1-next-");
    let back = [("config_name: next", "config_name: prod"), ("size: 2", "size: 0"), ("pool: shop", ""), ("balancer: edge", "")];
    change(&deck, "shop-next-web@web", &back);
    dispatched(&deck, "shop-prod-web", &["--leave-orphans"]);
    assert_eq!(named(&fleet, "shop-"), served, "the old ones are gone, routing was not affected");
    let restored = [
        ("config_name: prod", "config_name: next"),
        ("size: 0", "size: 2"),
        ("proc_name: web\n", "proc_name: web\n    pool: shop\n    balancer: edge\n"),
    ];
    change(&deck, "shop-prod-web@web", &restored);
    dispatched(&deck, "shop-next-web", &[]);
    assert_eq!(named(&fleet, "shop-"), served, "what serves is what is wanted: nothing is deployed");
    clean(&fleet, &deck);
    requests.end();
}

#[test]
fn one_plan_moves_a_renamed_swarm_to_another_squad_and_pool_without_a_lost_request() {
    let Some(fleet) = Fleet::up() else { return };
    let mut deck = Deck::new(&fleet);
    let at = deck.document.find("      - {name: web03,").unwrap();
    deck.document.insert_str(at, "  - name: east\n    hosts:\n");
    deck.apply(&deck.document).ended(0);
    for host in ["web01", "web02", "web03"] {
        deck.run(&["hosts", "provision", host]).ended(0);
    }
    deck.done(&["--version", "v1"]);
    let old = named(&fleet, "shop-");
    assert_eq!(old.len(), 2);

    let requests = Requests::start(&fleet);
    let said = change(&deck, "shop-prod-web@web", &[("config_name: prod", "config_name: next"), ("squad: web", "squad: east")]);
    assert!(said.contains("become orphans of shop-next-web@east"), "{said}");
    let plan = deck.json(&["plan", "shop-next-web"]);
    let retire: BTreeSet<&str> = plan["retire"].as_array().unwrap().iter().map(|proc| proc["name"].as_str().unwrap()).collect();
    assert_eq!(retire, old.iter().map(|program| program.name.as_str()).collect(), "{plan}");
    assert!(plan["hosts"].to_string().contains("not in squad east"), "{plan}");
    // A host of the former squad that is away is not gone.
    fleet.cut("web02");
    deck.run(&["dispatch", "shop-next-web", "--yes", "-o", "json"]).refused(3, &["web02", "last seen"]);
    fleet.heal("web02");
    dispatched(&deck, "shop-next-web", &[]);
    assert!(named(&fleet, "shop-").is_empty(), "{:#?}", named(&fleet, "shop-"));
    let new = programs(&fleet, &["web03"], "shop-v1-next-");
    assert_eq!((new.len(), nodes(&fleet).len()), (2, 2));
    answers(&fleet, &["version: v1"]);
    assert_eq!(strays(&deck), Vec::<Value>::new());
    deck.run(&["rollback", "shop-next-web", "--yes"]).refused(3, &["ran as shop-prod-web"]);
    requests.end();

    // Another pool: the old one keeps its nodes until the new one serves, also when the operator's process dies in between.
    let pool = |name: &str| {
        let text = fleet.text("lb01", &format!("cat /etc/nginx/conf.d/{name}.conf 2>/dev/null || true"));
        text.lines().filter(|line| line.trim().starts_with("server ") && !line.contains("down")).count()
    };
    change(&deck, "shop-next-web@east", &[("pool: shop", "pool: shop2")]);
    let plan = deck.json(&["plan", "shop-next-web", "--version", "v2"]);
    assert_eq!((&plan["other_pools"][0]["pool"], plan["other_pools"][0]["after"].as_array().unwrap().len()), (&"shop".into(), 0), "{plan}");
    let before = fleet.text("lb01", "cat /etc/nginx/conf.d/shop.conf; ls /etc/nginx/conf.d");
    deck.run(&["dispatch", "shop-next-web", "--version", "v-badtest", "--yes", "-o", "json"]).refused(1, &["02-fails"]);
    assert_eq!(fleet.text("lb01", "cat /etc/nginx/conf.d/shop.conf; ls /etc/nginx/conf.d"), before);
    let running = deck.spawn(&["dispatch", "shop-next-web", "--version", "v2", "--yes", "-o", "json"]);
    running.said("drain: begun");
    running.signal(Signal::SIGKILL);
    running.end().ended(-1);
    let ended = deck.json(&["resume"]);
    assert_eq!(ended[0]["result"], "done", "{ended}");
    assert_eq!((pool("shop"), pool("shop2")), (0, 2));
    assert_eq!((programs(&fleet, &["web03"], "shop-v1-").len(), programs(&fleet, &["web03"], "shop-v2-next-").len()), (0, 2));
    assert_eq!(strays(&deck), Vec::<Value>::new());
    assert!(!deck.sql("SELECT name FROM kept WHERE kind = 'pool owner'").contains(&"edge/shop".to_string()), "the old pool is nobody's");
    assert!(fleet.exec("lb01", "nginx -t").status.success());
}

/// A proc as Velociraptor deploys one: its directory, its proc.yaml, its program.
fn of_velociraptor(fleet: &Fleet, host: &str, port: u16) -> Program {
    let name = format!("shop-v0-prod-0a0b0c0d-web-{port}");
    let dir = format!("/apps/procs/{name}");
    let yaml = format!(
        "app_name: shop\nbuild_md5: null\nconfig_name: prod\nenv:\n  DB_PASSWORD: hunter2\nhost: {host}\nport: {port}\nproc_name: web\nrelease_hash: 0a0b0c0d\nsettings: {{}}\nuser: nobody\nversion: v0"
    );
    let conf =
        format!("[program:{name}]\ncommand=/usr/bin/python3 -m http.server {port}\ndirectory={dir}\nstartsecs=0\nstdout_logfile={dir}/log");
    fleet.text(host, &format!("mkdir -p {dir}"));
    write(fleet, host, Path::new(&format!("{dir}/proc.yaml")), &yaml);
    write(fleet, host, Path::new(&format!("{dir}/proc.conf")), &conf);
    fleet.text(host, &format!("supervisorctl reread && supervisorctl add {name}"));
    until(Duration::from_secs(20), "its proc runs", || programs(fleet, &[host], &name).iter().any(|program| program.state == "RUNNING"));
    programs(fleet, &[host], &name).remove(0)
}

#[test]
fn strays_are_listed_with_evidence_and_adopted_retired_or_ignored() {
    let Some((fleet, deck)) = at_v1() else { return };
    let swarm = deck.json(&["describe", "swarm", "shop-prod-web"])["id"].as_str().unwrap().to_string();
    let installation = fleet.text("web01", "cat /apps/fence/installation").trim().to_string();
    let theirs = of_velociraptor(&fleet, "web02", 5123);
    write(&fleet, "web01", Path::new("/etc/supervisor/conf.d/redis.conf"), "[program:redis]\ncommand=/bin/sleep 2147483647\nstartsecs=0");
    fleet.text("web01", "supervisorctl reread && supervisorctl add redis");
    // A directory of ours without a program; a node without a proc, left by somebody's own hands; a lease without a dispatch.
    let ghost = "shop-v0-prod-11111111-web-5124";
    fleet.text("web01", &format!("mkdir /apps/procs/{ghost}"));
    let stamp = format!("installation={installation}\nswarm={swarm}\ninstance=i-ghost\napp=shop\nconfig=prod\nproc=web\nport=5124");
    write(&fleet, "web01", Path::new(&format!("/apps/procs/{ghost}/stamp")), &stamp);
    let lost = named(&fleet, "shop-v1-prod-").remove(0);
    fleet.text(&lost.host, &format!("supervisorctl stop {0} && supervisorctl remove {0} && rm -rf /apps/procs/{0}", lost.name));
    let node = format!("{}:{}", fleet.addr(&lost.host), lost.port());
    let host_id = deck.json(&["get", "hosts", "web01"])[0]["id"].as_str().unwrap().to_string();
    deck.sql_do(&format!("INSERT INTO port_leases (host_id, port, dispatch_id) VALUES ('{host_id}', 5125, 'd-unknown')"));

    let all = strays(&deck);
    let one = |kind: &str, place: &str, name: &str, whose: &str, evidence: &str, can: &[&str]| {
        let found = of_kind(&all, kind).into_iter().find(|stray| stray["place"] == place && stray["name"] == name);
        let stray = found.unwrap_or_else(|| panic!("no {kind} {place} {name} in {all:#?}"));
        assert!(stray["whose"].as_str().unwrap().contains(whose), "{stray}");
        assert!(stray["evidence"].to_string().contains(evidence), "{stray}");
        let verbs: Vec<&str> = stray["can"].as_array().unwrap().iter().map(|verb| verb.as_str().unwrap()).collect();
        assert_eq!(verbs, can, "{stray}");
    };
    one("foreign", "web02", &theirs.name, "velociraptor", "proc.yaml of Velociraptor's form", &["adopt", "retire", "ignore"]);
    one("foreign", "web01", "redis", "nobody known", "no stamp of ours", &["ignore"]);
    one("ghost", "web01", ghost, "shop-prod-web", "no program for, without a proc.conf", &["retire", "ignore"]);
    one("node", "shop@edge", &node, "shop-prod-web@web", "nothing listens there", &["retire", "ignore"]);
    one("port", "web01", "port-5125", "d-unknown", "unknown and not about to begin", &["retire", "ignore"]);
    assert_eq!(all.len(), 5, "{all:#?}");
    assert!(!serde_json::to_string(&all).unwrap().contains("hunter2"));

    // Known is no trouble any more, until that is taken back.
    deck.run(&["retire", "web01", "redis", "--yes", "--anyway"]).refused(3, &["only what they made is retired"]);
    deck.run(&["ignore", "web01", "redis", "-m", "the cache"]).ended(0);
    assert!(strays(&deck).iter().all(|stray| stray["name"] != "redis"));
    assert!(deck.json(&["strays", "--all"]).to_string().contains("redis"));
    deck.run(&["ignore", "web01", "redis", "--take-back"]).ended(0);
    assert!(strays(&deck).iter().any(|stray| stray["name"] == "redis"));
    deck.run(&["ignore", "web01", "nothing"]).refused(2, &["nothing out of place on web01", "redis"]);

    // What is no proc goes with one question each.
    for (place, name) in [("shop@edge", node.as_str()), ("web01", ghost), ("web01", "port-5125")] {
        deck.run(&["retire", place, name, "--yes"]).ended(0);
    }
    assert!(!nodes(&fleet).contains(&node) && nodes(&fleet).len() == 1);
    assert_eq!(deck.sql("SELECT * FROM port_leases"), Vec::<String>::new());
    assert_eq!(strays(&deck).len(), 2);

    // A host that Velociraptor set up: its procs become ours where they are, with their pids, after it was asked.
    deck.run(&["adopt", "proc", "web01", "redis", "--yes", "--anyway"]).refused(3, &["has no proc.yaml"]);
    deck.run(&["adopt", "host", "web02", "--yes"]).refused(3, &["is foreign, of velociraptor", "--anyway"]);
    let adopted = deck.json(&["adopt", "host", "web02", "--yes", "--anyway"]);
    assert!(adopted["plan"][0].as_str().unwrap().contains(&format!("pid {} stays", theirs.pid.unwrap())), "{adopted}");
    assert_eq!(programs(&fleet, &["web02"], &theirs.name), std::slice::from_ref(&theirs));
    let proc = deck.json(&["get", "procs", &theirs.name])[0].clone();
    assert_eq!(
        (proc["owner"].as_str(), proc["swarm"].as_str(), proc["version"].as_str()),
        (Some("ours"), Some("shop-prod-web@web"), Some("v0")),
        "{proc}"
    );
    let yaml = fleet.text("web02", &format!("cat /apps/procs/{}/proc.yaml", theirs.name));
    assert!(yaml.contains("DB_PASSWORD: hunter2") && yaml.contains(&format!("swarm: \"{swarm}\"")), "{yaml}");
    // The next dispatch replaces it like any other.
    let report = deck.done(&["--version", "v2"]);
    assert!(!report["steps"].as_array().unwrap().is_empty());
    assert!(named(&fleet, "shop-v0-").is_empty() && named(&fleet, "shop-v1-").is_empty());
    let served = named(&fleet, "shop-v2-");
    assert_eq!(served.len(), 2);

    // Another installation looks and changes nothing, until it claims a host and was told whose it is.
    let other = Deck::new(&fleet);
    let kept: Vec<&str> = other.document.lines().filter(|line| !line.contains("name: web03,")).collect();
    other.apply(&format!("{}\n", kept.join("\n"))).ended(0);
    let seen = other.json(&["strays"]).to_string();
    assert!(seen.contains(&format!("installation {installation}")), "{seen}");
    other.run(&["hosts", "provision", "web01"]).refused(3, &[&format!("belongs to installation '{installation}'"), "hosts claim web01"]);
    other.dispatch(&["--version", "v1"]).refused(3, &["adopt pool shop@edge"]);
    other.run(&["dispatch", "shop-prod-worker", "--yes", "-o", "json"]).refused(3, &[&installation, "hosts claim"]);
    other.run(&["destroy", "web01", "redis", "--yes"]).refused(3, &["foreign"]);
    other.run(&["hosts", "claim", "web01"]).refused(3, &[&format!("of installation {installation}")]);
    assert_eq!(fleet.text("web01", "cat /apps/fence/installation").trim(), installation);
    let claimed = other.json(&["hosts", "claim", "web01", "--yes"]);
    assert_eq!(claimed["before"], installation.as_str(), "{claimed}");
    let on_web01 = served.iter().find(|program| program.host == "web01").unwrap();
    other.run(&["adopt", "proc", "web01", &on_web01.name, "--yes", "--anyway"]).ended(0);
    assert_eq!(programs(&fleet, &["web01"], &on_web01.name), std::slice::from_ref(on_web01));
    let proc = other.json(&["get", "procs", &on_web01.name])[0].clone();
    assert_eq!(proc["owner"], "ours", "{proc}");
    let proc = deck.json(&["get", "procs", &on_web01.name])[0].clone();
    assert_eq!(proc["owner"], "foreign", "{proc}");
    deck.dispatch(&["--version", "v1"]).refused(3, &["belongs to installation"]);
}
