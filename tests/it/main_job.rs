//! From a git tag to routed procs, over SSH, on real hosts behind a real nginx: the main job and what must happen when it fails.

use crate::support::deck::{Deck, Hold, Program, Requests, answers, get, nodes, programs, state, write};
use crate::support::fleet::{Fleet, POOL_FILE};
use crate::support::{repo, until};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

const WEB: [&str; 3] = ["web01", "web02", "web03"];

/// An operator's own program on a host, which nobody may touch.
fn foreign(fleet: &Fleet, host: &str) -> Program {
    let conf = "[program:theirs]\ncommand=/bin/sleep 2147483647\nstartsecs=0";
    write(fleet, host, Path::new("/etc/supervisor/conf.d/theirs.conf"), conf);
    fleet.text(host, "supervisorctl reread && supervisorctl add theirs");
    until(Duration::from_secs(20), "their program runs", || programs(fleet, &[host], "theirs").iter().any(|p| p.state == "RUNNING"));
    programs(fleet, &[host], "theirs").remove(0)
}

fn web(fleet: &Fleet) -> Vec<Program> {
    programs(fleet, &WEB, "shop-")
}

fn pids(programs: &[Program]) -> BTreeMap<String, Option<u32>> {
    programs.iter().map(|program| (format!("{}:{}", program.host, program.name), program.pid)).collect()
}

/// What the pool must hold for these procs.
fn expected(fleet: &Fleet, programs: &[Program]) -> BTreeSet<String> {
    programs.iter().map(|program| format!("{}:{}", fleet.addr(&program.host), program.port())).collect()
}

/// All procs are RUNNING, of this version, `size` of them on at least `hosts` hosts, and they are the pool.
fn live(fleet: &Fleet, version: &str, size: usize, hosts: usize) -> Vec<Program> {
    let all = web(fleet);
    assert_eq!(all.len(), size, "{all:#?}");
    for program in &all {
        assert!(program.state == "RUNNING" && program.name.starts_with(&format!("shop-{version}-prod-")), "{program:?}");
    }
    assert!(all.iter().map(|program| &program.host).collect::<BTreeSet<_>>().len() >= hosts, "{all:#?}");
    assert_eq!(nodes(fleet), expected(fleet, &all));
    all
}

fn steps<'a>(report: &'a Value, phase: &str) -> Vec<&'a str> {
    let of = |step: &&Value| step["phase"] == phase;
    report["steps"].as_array().unwrap().iter().filter(of).map(|step| step["state"].as_str().unwrap()).collect()
}

#[test]
fn a_host_says_what_it_lacks_and_provisioning_puts_it_there_once_and_restarts_nothing() {
    let Some(fleet) = Fleet::of(&["jump", "web01", "web03"]) else { return };
    let theirs = foreign(&fleet, "web01");
    let deck = Deck::new(&fleet);
    deck.apply(&deck.document).ended(0);
    for host in ["web01", "web03"] {
        let supervisord = fleet.text(host, "cat /run/supervisord.pid");
        let missing = deck.run(&["hosts", "check", host, "-o", "json"]).ended(3).json()["missing"].to_string();
        assert!(missing.contains("/apps/procs") && missing.contains("does not include"), "{missing}");
        let done = deck.json(&["hosts", "provision", host])["done"].to_string();
        assert!(done.contains("/apps/procs/*/proc.conf"), "{done}");
        let conf = fleet.text(host, "cat /etc/supervisor/supervisord.conf; ls -lR --time-style=full-iso /apps /etc/supervisor");
        assert!(conf.contains("/etc/supervisor/conf.d/*.conf") && conf.contains("; (the path to the socket file)"), "{conf}");
        assert_eq!(deck.json(&["hosts", "check", host])["missing"], serde_json::json!([]));
        assert_eq!(deck.json(&["hosts", "provision", host])["done"], serde_json::json!([]));
        let again = fleet.text(host, "cat /etc/supervisor/supervisord.conf; ls -lR --time-style=full-iso /apps /etc/supervisor");
        assert_eq!(conf, again, "provisioning again changed something");
        assert_eq!(fleet.text(host, "cat /run/supervisord.pid"), supervisord);
    }
    assert_eq!(programs(&fleet, &["web01"], "theirs"), [theirs]);
}

#[test]
fn the_main_job() {
    let Some(fleet) = Fleet::up() else { return };
    let theirs = foreign(&fleet, "web01");
    let mut deck = Deck::new(&fleet);

    // What is applied comes back as it was written, and what is wrong is refused whole.
    std::fs::write(deck.path("d.yaml"), &deck.document).unwrap();
    let dry = deck.run(&["apply", "-f", deck.path("d.yaml").to_str().unwrap(), "--dry-run"]).ended(0);
    assert!(dry.stdout.contains("swarm shop-prod-web"), "{dry:?}");
    assert_eq!(deck.json(&["get", "swarms"]), serde_json::json!([]));
    let typo = deck.with("    proc_name: web\n", "    proc_name: web\n    sizee: 3\n");
    let line = typo.lines().position(|line| line.contains("sizee")).unwrap() + 1;
    deck.apply(&typo).refused(2, &[&format!("document.yaml:{line}:5"), "sizee"]);
    assert_eq!(deck.json(&["get", "apps"]), serde_json::json!([]));
    deck.apply(&deck.document).ended(0);
    let exported = deck.run(&["export"]).ended(0).stdout;
    let again = deck.apply(&exported).ended(0).stdout;
    assert!(again.lines().all(|line| line.ends_with(" unchanged")), "{again}");
    assert_eq!(deck.run(&["export"]).ended(0).stdout, exported);

    for host in WEB {
        deck.run(&["hosts", "provision", host]).ended(0);
    }
    // A pool's file that an operator wrote himself is not touched until he says so; what he wrote in it then stays.
    write(&fleet, "lb01", Path::new(POOL_FILE), "upstream shop {\n    keepalive 8;\n    server 127.0.0.1:9 down;\n}");
    let before = state(&fleet, &deck, &WEB);
    deck.dispatch(&["--version", "v1"]).refused(3, &["adopt pool shop@edge"]);
    assert_eq!(state(&fleet, &deck, &WEB), before);
    deck.run(&["adopt", "pool", "shop@edge", "--yes"]).ended(0);

    // v1, from nothing.
    let report = deck.done(&["--version", "v1", "-m", "first"]);
    for key in ["dispatch", "swarm", "result", "release", "procs", "steps", "debts"] {
        assert!(!report[key].is_null(), "{key}: {report}");
    }
    assert_eq!(report["procs"].as_array().unwrap().len(), 2, "{report}");
    let first = live(&fleet, "v1", 2, 2);
    answers(&fleet, &["version: v1", "hi"]);
    let environment = get(&fleet, "/env");
    for line in ["SHOP_PROFILE=sourced", "SHOP_BUILT_BY=plain python", "LOG=info", "TZ=UTC"] {
        assert!(environment.contains(line), "{line} is not in {environment}");
    }
    seen(&fleet, &deck, &first, &theirs);

    let requests = Requests::start(&fleet);
    // v2: the old ones are gone, the new ones serve.
    let report = deck.done(&["--version", "v2"]);
    assert!(steps(&report, "retire").iter().all(|state| *state == "done") && !steps(&report, "retire").is_empty());
    let two = live(&fleet, "v2", 2, 2);
    answers(&fleet, &["version: v2"]);

    // Up: those that serve stay as they are. Down: the busiest host gives first.
    deck.done(&["--size", "4"]);
    let four = live(&fleet, "v2", 4, 3);
    assert!(pids(&two).iter().all(|(name, pid)| pids(&four).get(name) == Some(pid)), "{two:#?} {four:#?}");
    deck.done(&["--size", "3"]);
    live(&fleet, "v2", 3, 3);
    deck.done(&["--size", "1"]);
    let one = live(&fleet, "v2", 1, 1);
    assert!(one.iter().all(|program| four.contains(program)));

    // The same again: nothing is deployed, what runs is tested and routed again.
    let report = deck.done(&[]);
    assert!(steps(&report, "start").is_empty() && steps(&report, "retire").is_empty(), "{report}");
    assert_eq!((steps(&report, "prove"), steps(&report, "route")), (vec!["done"], vec!["done"]), "{report}");
    assert_eq!(live(&fleet, "v2", 1, 1), one);
    let events = deck.run(&["events", "--dispatch", &report["dispatch"].to_string()]).ended(0).stdout;
    assert!(events.contains("uptest 01-health"), "{events}");

    // An edit is live when it is dispatched, not before; a rollback takes it back.
    let exported = deck.run(&["export"]).ended(0).stdout;
    assert!(exported.contains("greeting: hi") && exported.contains("size: 1"), "{exported}");
    deck.document = exported.replace("greeting: hi", "greeting: good day");
    let document = deck.document.clone();
    deck.apply(&document).ended(0);
    answers(&fleet, &["hi"]);
    let plan = deck.json(&["plan", "shop-prod-web"]);
    assert!(plan["changes"].to_string().contains("greeting"), "{plan}");
    deck.done(&[]);
    answers(&fleet, &["good day", "version: v2"]);
    live(&fleet, "v2", 1, 1);
    let back = deck.json(&["rollback", "shop-prod-web", "--yes"]);
    assert_eq!(back["result"], "done", "{back}");
    answers(&fleet, &["hi", "version: v2"]);
    requests.end();
    assert!(fleet.text("lb01", &format!("cat {POOL_FILE}")).contains("keepalive 8;"), "the operator's own directive is lost");

    // Nobody serves, and nginx is still sound; then back.
    deck.done(&["--size", "0"]);
    assert!(web(&fleet).is_empty() && nodes(&fleet).is_empty());
    assert!(fleet.exec("lb01", "nginx -t").status.success());
    assert!(get(&fleet, "/").contains("502"), "{}", get(&fleet, "/"));
    deck.done(&["--size", "2"]);
    live(&fleet, "v2", 2, 2);
    answers(&fleet, &["version: v2", "good day"]);

    // A proc that listens to nobody, without a pool.
    let worker = deck.json(&["dispatch", "shop-prod-worker", "--yes"]);
    assert_eq!(worker["result"], "done", "{worker}");
    assert_eq!(web(&fleet).iter().filter(|program| program.name.contains("-worker-") && program.state == "RUNNING").count(), 1);
    assert_eq!(programs(&fleet, &["web01"], "theirs"), [theirs]);
}

/// `get procs` shows what is there: ours with all that is known, theirs as foreign.
fn seen(fleet: &Fleet, deck: &Deck, ours: &[Program], theirs: &Program) {
    let procs = deck.json(&["get", "procs"]);
    let procs = procs.as_array().unwrap();
    assert_eq!(procs.len(), ours.len() + 1, "{procs:#?}");
    let keys = "host name app version config release proc port state pid swarm owner routed installation host_state seen_ms";
    for proc in procs {
        let mut has: Vec<&str> = proc.as_object().unwrap().keys().map(String::as_str).collect();
        let mut wanted: Vec<&str> = keys.split(' ').collect();
        has.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(has, wanted);
    }
    for program in ours {
        let proc = procs.iter().find(|proc| proc["name"] == program.name.as_str()).unwrap();
        let text = |key: &str| proc[key].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            (text("host"), text("app"), text("version"), text("config"), text("proc"), text("state")),
            (program.host.clone(), "shop".into(), "v1".into(), "prod".into(), "web".into(), "RUNNING".into())
        );
        assert_eq!((proc["pid"].as_u64(), proc["port"].as_u64()), (program.pid.map(u64::from), Some(program.port().into())));
        assert_eq!((text("owner"), &proc["routed"], text("host_state")), ("ours".into(), &Value::Bool(true), "ok".into()));
        assert_eq!(text("installation"), fleet.text(&program.host, "cat /apps/fence/installation").trim());
        assert!(text("swarm").starts_with("shop-prod-web") && proc["seen_ms"].as_i64() > Some(0), "{proc}");
    }
    let proc = procs.iter().find(|proc| proc["name"] == "theirs").unwrap();
    assert_eq!((proc["owner"].as_str(), proc["pid"].as_u64()), (Some("foreign"), theirs.pid.map(u64::from)), "{proc}");
    assert!(proc["port"].is_null() && proc["swarm"].is_null() && proc["routed"].is_null(), "{proc}");
}

#[test]
fn what_fails_before_the_first_old_proc_stops_leaves_everything_as_it_was() {
    let Some(fleet) = Fleet::up() else { return };
    let deck = Deck::ready(&fleet, &WEB);
    deck.done(&["--version", "v1"]);
    let first = live(&fleet, "v1", 2, 2);
    let before = state(&fleet, &deck, &WEB);

    // A new proc that answers on its own host and is out of the balancer's reach is not routed.
    for host in WEB {
        fleet.text("lb01", &format!("ip route add unreachable {}/32", fleet.addr(host)));
    }
    deck.dispatch(&["--version", "v2"]).refused(1, &["lb01", "cannot connect to 198.1"]);
    assert_eq!(state(&fleet, &deck, &WEB), before);
    for host in WEB {
        fleet.text("lb01", &format!("ip route del unreachable {}/32", fleet.addr(host)));
    }

    let as_before = |what: &str| {
        let now = state(&fleet, &deck, &WEB);
        assert_eq!(now, before, "after {what}");
    };
    let requests = Requests::start(&fleet);

    let undone = |ran: crate::support::deck::Ran, words: &[&str]| {
        let report = ran.refused(1, words).json();
        assert_eq!(report["result"], "undone", "{report}");
    };
    undone(deck.dispatch(&["--version", "v-badtest"]), &["02-fails", "100% wrong on purpose"]);
    as_before("an uptest that failed");
    undone(deck.dispatch(&["--version", "v-crash"]), &["NOBODY_SETS_THIS"]);
    as_before("a proc that crashed");
    write(&fleet, "lb01", Path::new("/etc/nginx/conf.d/broken.conf"), "nonsense;");
    undone(deck.dispatch(&["--version", "v2"]), &["lb01", "broken.conf"]);
    fleet.text("lb01", "rm /etc/nginx/conf.d/broken.conf");
    as_before("an nginx that refused its configuration");

    // The first ctrl-c undoes. However late it is heard, the old procs still drain.
    for phase in ["start: begun", "prove: begun", "route: begun", "drain: begun"] {
        let _hold = Hold::on(&fleet);
        let running = deck.spawn(&["dispatch", "shop-prod-web", "--version", "v2", "--yes", "-o", "json"]);
        running.said(phase);
        running.signal(Signal::SIGINT);
        let report = running.end().ended(1).json();
        assert_eq!(report["result"], "undone", "{report}");
        as_before(&format!("ctrl-c at {phase}"));
    }

    // Two at once: the second is told who is at it.
    let hold = Hold::on(&fleet);
    let running = deck.spawn(&["dispatch", "shop-prod-web", "--version", "v2", "--yes", "-o", "json"]);
    running.said("prove: begun");
    let me = String::from_utf8(std::process::Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    deck.dispatch(&["--version", "v2"]).refused(3, &[&format!("shop-prod-web@web is held by {} (dispatch v2), step ", me.trim())]);
    drop(hold);
    let report = running.end().ended(0).json();
    assert_eq!(report["result"], "done", "{report}");
    assert!(live(&fleet, "v2", 2, 2).iter().all(|program| !first.contains(program)));
    requests.end();
}

#[test]
fn a_dispatch_whose_process_was_killed_is_carried_to_its_end_by_the_next_one() {
    let Some(fleet) = Fleet::up() else { return };
    let deck = Deck::ready(&fleet, &WEB);
    deck.done(&["--version", "v1"]);
    let requests = Requests::start(&fleet);
    let mut version = "v1";
    for phase in ["distribute: begun", "start: begun", "drain: begun", "retire: begun"] {
        version = if version == "v1" { "v2" } else { "v1" };
        // None of these is over before the signal: the drain waits for nginx, and an old proc for its last request until `stop_timeout`.
        let hold = (phase != "retire: begun").then(|| Hold::on(&fleet));
        let old = web(&fleet).remove(0);
        let mut last = TcpStream::connect((fleet.addr(&old.host), old.port())).unwrap();
        if hold.is_none() {
            last.write_all(b"GET /slow?s=600 HTTP/1.1\r\nHost: shop\r\n\r\n").unwrap();
        }
        let running = deck.spawn(&["dispatch", "shop-prod-web", "--version", version, "--yes", "-o", "json"]);
        running.said(phase);
        running.signal(Signal::SIGKILL);
        running.end().ended(-1);
        drop(hold);
        let open = deck.json(&["get", "dispatches"]);
        assert_eq!(open[0]["result"], "under way", "{open}");
        let ended = deck.json(&["resume"]);
        assert_eq!(ended[0]["result"], "done", "killed at {phase}: {ended}");
        live(&fleet, version, 2, 2);
        answers(&fleet, &[&format!("version: {version}")]);
        assert_eq!(deck.sql("SELECT * FROM port_leases"), Vec::<String>::new());
        let procs = deck.json(&["get", "procs"]);
        assert!(procs.as_array().unwrap().iter().all(|proc| proc["owner"] == "ours"), "{procs}");
    }
    // Or is undone by it.
    let before = state(&fleet, &deck, &WEB);
    let hold = Hold::on(&fleet);
    let running = deck.spawn(&["dispatch", "shop-prod-web", "--version", "v2", "--size", "3", "--yes", "-o", "json"]);
    running.said("route: begun");
    running.signal(Signal::SIGKILL);
    running.end().ended(-1);
    drop(hold);
    let number = deck.json(&["get", "dispatches"])[0]["number"].to_string();
    let report = deck.run(&["cancel", &number, "-o", "json"]).ended(1).json();
    assert_eq!(report["result"], "undone", "{report}");
    assert_eq!(state(&fleet, &deck, &WEB), before);
    requests.end();
}

#[test]
fn a_plan_is_executed_exactly_or_not_at_all_and_a_host_that_is_away_is_not_gone() {
    let Some(fleet) = Fleet::up() else { return };
    let deck = Deck::ready(&fleet, &WEB);
    deck.done(&["--version", "v1"]);
    let plan = deck.json(&["plan", "shop-prod-web", "--version", "v2"]);
    let id = plan["id"].as_str().unwrap();
    let report = deck.run(&["dispatch", "--plan", id, "--yes", "-o", "json"]).ended(0).json();
    assert_eq!(report["result"], "done", "{report}");
    let two = live(&fleet, "v2", 2, 2);
    let planned: BTreeSet<(&str, &str)> =
        plan["start"].as_array().unwrap().iter().map(|proc| (proc["host"].as_str().unwrap(), proc["name"].as_str().unwrap())).collect();
    assert_eq!(planned, two.iter().map(|program| (program.host.as_str(), program.name.as_str())).collect());
    deck.run(&["dispatch", "--plan", id, "--yes", "-o", "json"]).refused(3, &["was executed already"]);

    // The world moves under a plan: a proc is restarted by somebody.
    let plan = deck.json(&["plan", "shop-prod-web", "--version", "v1"]);
    fleet.text(&two[0].host, &format!("supervisorctl restart {}", two[0].name));
    let before = state(&fleet, &deck, &WEB);
    let id = plan["id"].as_str().unwrap();
    deck.run(&["dispatch", "--plan", id, "--yes", "-o", "json"]).refused(3, &["the world moved", "was restarted"]);
    assert_eq!(state(&fleet, &deck, &WEB), before);

    // A host is cut off: its procs are not seen, which is not gone.
    let away = two[1].host.as_str();
    fleet.cut(away);
    deck.dispatch(&["--version", "v1"]).refused(3, &[away, "last seen"]);
    let procs = deck.json(&["get", "procs"]);
    let gone: Vec<&Value> = procs.as_array().unwrap().iter().filter(|proc| proc["host"] == away).collect();
    assert_eq!(gone.len(), 1, "{procs}");
    assert_eq!((gone[0]["state"].as_str(), gone[0]["host_state"].as_str()), (Some("UNKNOWN"), Some("unreachable")), "{procs}");
    assert_eq!(gone[0]["name"], two[1].name.as_str());
    assert_eq!(procs.as_array().unwrap().iter().filter(|proc| proc["state"] == "RUNNING").count(), 1, "{procs}");
    fleet.heal(away);
    assert_eq!(state(&fleet, &deck, &WEB), before);
    deck.done(&["--version", "v1"]);
    live(&fleet, "v1", 2, 2);
    assert_eq!(fleet.text("lb01", &format!("grep -c '^  server' {POOL_FILE}")).trim(), "2");
    assert_eq!(deck.sql("SELECT * FROM port_leases"), Vec::<String>::new());
    let commit = deck.json(&["get", "releases", "shop-prod-web"]);
    let current = commit.as_array().unwrap().iter().find(|release| release["current"] == true).unwrap();
    assert_eq!(current["commit"].as_str().unwrap(), repo::commit_of(&deck.shop, "v1"));
}
