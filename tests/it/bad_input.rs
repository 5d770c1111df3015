//! Bad input: each gives one clear error with place and next step, and nothing is lost or half done.

use crate::support::deck::{Deck, programs, state, write};
use crate::support::fleet::Fleet;
use crate::support::{repo, until};
use std::path::Path;
use std::time::Duration;

const WEB: [&str; 1] = ["web01"];

#[test]
fn documents_and_arguments_that_are_wrong_are_refused_whole_and_say_where() {
    let Some(fleet) = Fleet::of(&[]) else { return };
    let deck = Deck::new(&fleet);
    let swarm = |from: &str, to: &str| deck.with(from, to);
    let refused = |text: &str, words: &[&str]| {
        deck.apply(text).refused(2, words);
        assert_eq!(deck.sql("SELECT name FROM objects"), Vec::<String>::new());
    };
    let line = |text: &str, of: &str| format!("document.yaml:{}:", text.lines().position(|line| line.contains(of)).unwrap() + 1);
    for (from, to, words) in [
        ("swarms:", "swarms: [", vec![]),
        ("    pool: shop\n", "    poool: shop\n", vec!["poool", "did you mean 'pool'"]),
        ("config_name: prod", "config_name: 'prod;reboot'", vec!["prod;reboot"]),
        ("name: web01,", "name: 'web01 $(reboot)',", vec!["web01 $(reboot)"]),
        ("version: v1\n    pool", "version: '--upload-pack=reboot'\n    pool", vec!["--upload-pack=reboot"]),
        ("size: 2", "size: -2", vec![]),
        ("    run_as: nobody\n    listens", "    run_as: 'no body'\n    listens", vec!["no body"]),
        ("config: {greeting: hi}", "config: {greeting: hi, greeting: ho}", vec!["greeting"]),
    ] {
        let text = swarm(from, to);
        let place = if to == "swarms: [" { "document.yaml:".to_owned() } else { line(&text, to.lines().next().unwrap()) };
        let words: Vec<&str> = std::iter::once(place.as_str()).chain(words).collect();
        refused(&text, &words);
    }
    refused(&swarm("squad: web\n    size: 2", "squad: nowhere\n    size: 2"), &["nowhere"]);

    deck.apply(&deck.document).ended(0);
    for version in ["v1;reboot", "$(reboot)", "`reboot`", "-x", "--upload-pack=reboot", "v1\nv2", "", "a..b"] {
        let version = format!("--version={version}");
        deck.dispatch(&[&version]).refused(2, &[]);
    }
    deck.dispatch(&["--version", "v99"]).refused(2, &["v99"]);
    deck.run(&["dispatch", "nobody-knows-it", "--yes", "-o", "json"]).refused(2, &["nobody-knows-it"]);
    deck.run(&["get", "things", "-o", "json"]).refused(2, &["things"]);
    assert_eq!(deck.json(&["get", "dispatches"]), serde_json::json!([]));
}

#[test]
fn what_cannot_be_built_or_kept_is_refused_before_any_host_is_touched() {
    let Some(fleet) = Fleet::of(&["web01", "lb01"]) else { return };
    let deck = Deck::ready(&fleet, &WEB);
    let before = state(&fleet, &deck, &WEB);
    let hosts_as_before = |what: &str| {
        let now = state(&fleet, &deck, &WEB);
        assert_eq!(
            (&now.programs, &now.directories, &now.pool, &now.ports),
            (&before.programs, &before.directories, &before.pool, &before.ports),
            "{what}"
        );
    };
    // Without a Procfile the buildpack's default processes stand: web, and no worker.
    let worker = ["dispatch", "shop-prod-worker", "--version", "v-noprocfile", "--yes", "-o", "json"];
    deck.run(&worker).refused(2, &["worker", "Procfile"]);
    for (key, word) in [("volumes: [[/var/data, /data]]", "volume"), ("mem_limit: 256M", "mem_limit")] {
        deck.apply(&deck.with("    settle: 1s\n    uptest", &format!("    settle: 1s\n    {key}\n    uptest"))).ended(0);
        deck.dispatch(&["--version", "v1"]).refused(2, &[word]);
        hosts_as_before(key);
    }
    deck.apply(&deck.with("proc_name: worker", "proc_name: nosuch")).ended(0);
    deck.run(&["dispatch", "shop-prod-nosuch", "--version", "v1", "--yes", "-o", "json"]).refused(2, &["nosuch", "Procfile"]);
    hosts_as_before("a proc that is not in the Procfile");

    // Buildpacks that fail and that hang.
    let pack = deck.document.lines().find(|line| line.contains("plain-python, url")).unwrap();
    let url = pack.split("url: ").nth(1).unwrap().split(',').next().unwrap();
    let failing = repo::failing_buildpack(&deck.path(""));
    deck.apply(&deck.with(url, failing.to_str().unwrap())).ended(0);
    let ran = deck.dispatch(&["--version", "v2"]).refused(1, &["bin/compile ended with exit 3", "about to fail", "logs/build-"]);
    assert!(ran.stderr.contains("\ncompile   about to fail\n"), "the log is not shown while it runs: {ran:?}");
    let builds = deck.json(&["get", "builds"]);
    let failed = builds.as_array().unwrap().iter().find(|build| build["status"] == "failed").unwrap();
    assert!(deck.json(&["describe", "build", failed["id"].as_str().unwrap()])["log"].to_string().contains("about to fail"));

    let hanging = repo::hanging_buildpack(&deck.path(""));
    deck.apply(&deck.with(url, hanging.to_str().unwrap())).ended(0);
    let config = std::fs::read_to_string(deck.path("home/config.yaml")).unwrap();
    std::fs::write(deck.path("home/config.yaml"), config + "build_limit: 2s\n").unwrap();
    deck.dispatch(&["--version", "v2"]).refused(1, &["2s"]);
    hosts_as_before("a buildpack that hangs");
    assert_eq!(deck.json(&["get", "leases"]), serde_json::json!([]));
}

#[test]
fn hosts_that_are_away_full_broken_or_mad_are_named_and_nothing_is_half_done() {
    let Some(fleet) = Fleet::of(&["web01", "lb01"]) else { return };
    let deck = Deck::ready(&fleet, &WEB);

    // A full disk, where the build goes and where the proc goes.
    for place in ["builds", "procs"] {
        fleet.text(
            "web01",
            &format!("mount -t tmpfs -o size=4k,mode=755 full /apps/{place} && head -c 4096 /dev/zero > /apps/{place}/.full"),
        );
        let before = state(&fleet, &deck, &WEB);
        deck.dispatch(&["--version", "v1"]).refused(1, &["web01", "disk is full"]);
        assert_eq!(state(&fleet, &deck, &WEB), before);
        fleet.text("web01", &format!("umount /apps/{place}"));
    }

    // Somebody else's Supervisor file that cannot be read.
    let before = state(&fleet, &deck, &WEB);
    write(&fleet, "web01", Path::new("/etc/supervisor/conf.d/broken.conf"), "[program:x]\nnonsense");
    deck.dispatch(&["--version", "v1"]).refused(1, &["web01", "/etc/supervisor/conf.d/broken.conf"]);
    fleet.text("web01", "rm /etc/supervisor/conf.d/broken.conf");
    assert_eq!(state(&fleet, &deck, &WEB), before);

    // A port that was free when the plan was made.
    let plan = deck.json(&["plan", "shop-prod-web", "--version", "v1"]);
    let port = plan["start"][0]["port"].as_u64().unwrap();
    let stranger = format!("[program:stranger]\ncommand=/usr/bin/python3 -m http.server {port}\nstartsecs=0");
    write(&fleet, "web01", Path::new("/etc/supervisor/conf.d/stranger.conf"), &stranger);
    fleet.text("web01", "supervisorctl reread && supervisorctl add stranger");
    let listening = format!("cat /proc/net/tcp | grep -qi ':{port:04X} 00000000:0000 0A'");
    until(Duration::from_secs(20), "the stranger listens", || fleet.exec("web01", &listening).status.success());
    let before = state(&fleet, &deck, &WEB);
    let id = plan["id"].as_str().unwrap();
    deck.run(&["dispatch", "--plan", id, "--yes", "-o", "json"]).refused(3, &[&format!("port {port} on web01 is taken")]);
    assert_eq!(state(&fleet, &deck, &WEB), before);
    assert_eq!(programs(&fleet, &WEB, "stranger")[0].state, "RUNNING");
    deck.done(&["--version", "v1", "--size", "1"]);

    // A host where nobody listens, and one that is not there.
    let before = state(&fleet, &deck, &WEB);
    for (address, words) in [("web01, port: 1", "refused"), ("198.18.0.1", "")] {
        deck.apply(&deck.with("address: web01", &format!("address: {address}")).replace("size: 2", "size: 1")).ended(0);
        deck.dispatch(&["--version", "v2"]).refused(3, &["web01", words]);
    }
    deck.apply(&deck.document.replace("size: 2", "size: 1")).ended(0);
    let now = state(&fleet, &deck, &WEB);
    assert_eq!((now.programs, now.directories, now.pool, now.ports), (before.programs, before.directories, before.pool, before.ports));

    // A supervisord that answers garbage.
    let pool = state(&fleet, &deck, &WEB).pool;
    let mad = "import os, socket, threading\n\
               os.rename('/run/supervisor.sock', '/run/supervisor.sane')\n\
               s = socket.socket(socket.AF_UNIX); s.bind('/run/supervisor.sock'); s.listen(9)\n\
               os.chmod('/run/supervisor.sock', 0o700); open('/run/mad', 'w').close()\n\
               while True:\n c, _ = s.accept(); c.recv(4096); c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\n<garbage>'); c.close()";
    write(&fleet, "web01", Path::new("/run/mad.py"), mad);
    fleet.text("web01", "setsid python3 /run/mad.py </dev/null >/dev/null 2>&1 & for n in $(seq 200); do [ ! -e /run/mad ] || exit 0; sleep 0.05; done; exit 1");
    deck.dispatch(&["--version", "v2"]).refused(3, &["web01", "Supervisor"]);
    let hosts = deck.json(&["get", "hosts", "web01"]);
    assert_eq!(hosts[0]["state"], "degraded", "{hosts}");
    let procs = deck.json(&["get", "procs", "shop-v1"]);
    assert_eq!(procs.as_array().unwrap().len(), 1, "not seen is not gone: {procs}");
    fleet.text("web01", "mv /run/supervisor.sane /run/supervisor.sock");
    assert_eq!(state(&fleet, &deck, &WEB).pool, pool);
    deck.done(&["--version", "v2"]);
    assert_eq!(programs(&fleet, &WEB, "shop-v2").len(), 1);
}
