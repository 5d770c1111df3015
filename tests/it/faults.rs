//! What breaks while a dispatch is under way, on real hosts: it ends done or as before, whoever broke is named, and requests go on.

use crate::support::deck::{Deck, Hold, Ran, Requests, Running, State, nodes, programs, state, write};
use crate::support::fleet::Fleet;
use crate::support::terminal::Terminal;
use crate::support::until;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const HOSTS: [&str; 3] = ["web01", "web02", "web03"];

/// v1 serves; the plan of v2, the one host that gets a proc of it and serves none of v1, and the hosts that it is not.
struct Planned {
    id: String,
    host: String,
    others: Vec<&'static str>,
}

fn planned(deck: &Deck) -> Planned {
    let plan = deck.json(&["plan", "shop-prod-web", "--version", "v2"]);
    let hosts =
        |list: &str| plan[list].as_array().unwrap().iter().map(|proc| proc["host"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let host = hosts("start").into_iter().find(|host| !hosts("retire").contains(host)).expect("a host that only gets a new proc");
    let others = HOSTS.into_iter().filter(|other| *other != host).collect();
    Planned { id: plan["id"].as_str().unwrap().into(), host, others }
}

fn dispatch(deck: &Deck, plan: &Planned) -> Running {
    deck.spawn(&["dispatch", "--plan", &plan.id, "--yes", "-o", "json"])
}

/// The fault that was told: of this host, or by another that cannot reach it, with one of these words, a step, and what to do next.
/// Its report.
fn told(fleet: &Fleet, ran: Ran, host: &str, words: &[&str]) -> Value {
    let report = ran.json();
    let error = &report["error"];
    let what = error["what"].as_str().unwrap_or_default();
    assert!(error["host"] == host || what.contains(&fleet.addr(host)), "{host}: {ran:?}");
    assert!(words.iter().any(|word| what.contains(word)), "{what:?} has none of {words:?}");
    assert!(!error["step"].is_null() && !error["next"].is_null(), "no step, or nothing to do next: {report}");
    report
}

/// Takes a proc of v2 away that could not be undone while its host was away.
fn clean_up(fleet: &Fleet, deck: &Deck, host: &str) {
    deck.run(&["upkeep"]);
    for left in programs(fleet, &[host], "shop-v2-") {
        deck.run(&["destroy", host, &left.name, "--yes"]).ended(0);
    }
    assert_eq!(fleet.text(host, "ls -A /apps/procs"), "", "{host}");
}

/// One host breaks when `phase` has begun. The dispatch may end as before, with what the host is owed told, or done.
fn broken(fleet: &Fleet, deck: &Deck, phase: &str, words: &[&str], act: impl FnOnce(&str), mend: impl FnOnce(&str)) {
    let before = state(fleet, deck, &HOSTS);
    let plan = planned(deck);
    eprintln!("{} breaks at {phase}", plan.host);
    let others =
        |of: &State| (of.programs.iter().filter(|program| program.host != plan.host).cloned().collect::<Vec<_>>(), of.pool.clone());
    // None is past its point of no return before the fault is there.
    let hold = Hold::on(fleet);
    let running = dispatch(deck, &plan);
    running.said(&format!("{phase}: begun"));
    act(&plan.host);
    drop(hold);
    let ran = running.end();
    eprintln!("exit {}: {}", ran.code, ran.json()["error"]);
    if ran.code == 0 {
        mend(&plan.host);
        assert_eq!(ran.json()["result"], "done", "{ran:?}");
        deck.done(&["--version", "v1"]);
        return;
    }
    assert!([1, 4].contains(&ran.code), "{ran:?}");
    let owed = ran.code == 4;
    let report = told(fleet, ran, &plan.host, words);
    assert_eq!(owed, report["debts"].as_array().unwrap().iter().any(|debt| debt["host"] == plan.host.as_str()), "{report}");
    let now = State { programs: programs(fleet, &plan.others, ""), ..state(fleet, deck, &plan.others) };
    assert_eq!(others(&now), others(&before), "what serves is as before");
    assert_eq!((now.ports, now.swarms, now.current), (before.ports.clone(), before.swarms.clone(), before.current.clone()));
    mend(&plan.host);
    if owed {
        clean_up(fleet, deck, &plan.host);
    }
    until(Duration::from_secs(60), "all is as before", || state(fleet, deck, &HOSTS) == before);
}

/// A host whose clock is a day behind: Supervisor's, every shell's and every proc's.
fn a_day_behind(fleet: &Fleet, host: &str) {
    let python = "import time\n_real = time.time\ntime.time = lambda: _real() - 86400\n";
    fleet.text(host, &format!("for dir in /etc/python3.*; do printf '%s' '{python}' >$dir/sitecustomize.py; done"));
    write(fleet, host, Path::new("/usr/local/bin/date"), "#!/bin/sh\nexec /bin/date -d \"@$(($(/bin/date +%s) - 86400))\" \"$@\"");
    fleet.text(host, "chmod 755 /usr/local/bin/date");
    restart_supervisor(fleet, host);
    let behind = fleet.text(host, "/usr/bin/python3 -c 'import time; print(int(time.time()))'").trim().parse::<u64>().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(now - behind > 86000, "its clock is right");
}

/// Kills supervisord and starts it again.
fn restart_supervisor(fleet: &Fleet, host: &str) {
    fleet.exec(host, "kill -9 $(cat /run/supervisord.pid)");
    fleet.text(host, "/usr/bin/python3 /usr/bin/supervisord -c /etc/supervisor/supervisord.conf");
    until(Duration::from_secs(30), "Supervisor answers", || fleet.exec(host, "supervisorctl pid").status.success());
}

#[test]
fn a_host_that_breaks_while_a_dispatch_is_under_way_is_named_and_what_serves_goes_on() {
    let Some(fleet) = Fleet::up() else { return };
    a_day_behind(&fleet, "web02");
    let mut deck = Deck::ready(&fleet, &HOSTS);
    deck.notices_soon();
    deck.document = deck.with("    settle: 1s\n", "    settle: 1s\n    lost_after: 2s\n");
    deck.apply(&deck.document).ended(0);
    // A clock that is a day off changes nothing.
    deck.done(&["--version", "v1"]);
    deck.done(&["--version", "v2"]);
    deck.done(&["--version", "v1"]);
    let requests = Requests::start(&fleet);
    let lost = ["the connection was lost", "does not answer", "did not end", "did not answer"];

    // A disk without room; nothing half made is left on it.
    let before = state(&fleet, &deck, &HOSTS);
    let plan = planned(&deck);
    fleet.text(
        &plan.host,
        "cp -a /apps /tmp/apps && mount -t tmpfs -o size=1m tmpfs /apps && cp -a /tmp/apps/. /apps; cat /dev/zero >/apps/filler; true",
    );
    let report = told(&fleet, dispatch(&deck, &plan).end().ended(1), &plan.host, &["the disk is full"]);
    assert_eq!(report["result"], "undone", "{report}");
    assert_eq!(state(&fleet, &deck, &HOSTS), before);
    fleet.text(&plan.host, "umount /apps");
    let reboot = |host: &str| {
        fleet.kill(host);
        fleet.boot(host);
    };
    broken(&fleet, &deck, "route", &[&lost[..], &["STARTING", "cannot connect to"]].concat(), reboot, |_| ());
    // Every session of its sshd is cut, which still listens.
    let cut_sessions = |host: &str| drop(fleet.text(host, "kill -9 $(ps -o pid= --ppid \"$(cat /run/sshd.pid)\")"));
    broken(&fleet, &deck, "start", &lost, cut_sessions, |_| ());
    let kill_supervisor = |host: &str| drop(fleet.text(host, "kill -9 $(cat /run/supervisord.pid)"));
    broken(&fleet, &deck, "prove", &["upervisor", "the socket"], kill_supervisor, |host| restart_supervisor(&fleet, host));

    broken(&fleet, &deck, "start", &lost, |host| fleet.cut(host), |host| fleet.heal(host));
    broken(&fleet, &deck, "prove", &lost, |host| fleet.freeze(host), |host| fleet.thaw(host));
    broken(&fleet, &deck, "prove", &lost, |host| fleet.kill(host), |host| fleet.boot(host));
    requests.end();
}

#[test]
fn a_host_whose_plug_is_pulled_starts_nothing_half_made_when_it_comes_back() {
    let Some(fleet) = Fleet::of(&["web01", "lb01"]) else { return };
    let mut deck = Deck::ready(&fleet, &["web01"]);
    deck.notices_soon();
    deck.document = deck.with("    settle: 1s\n", "    settle: 1s\n    lost_after: 0s\n");
    deck.apply(&deck.document).ended(0);
    deck.done(&["--version", "v1"]);
    let old = programs(&fleet, &["web01"], "shop-");
    // Held where the new procs are on the disk and Supervisor may not know of them yet.
    write(
        &fleet,
        "web01",
        Path::new("/usr/local/bin/sync"),
        "#!/bin/sh\n[ \"$1\" != -f ] || { : >/apps/held; sleep 600; }\nexec /bin/sync \"$@\"",
    );
    fleet.text("web01", "chmod 755 /usr/local/bin/sync");
    let running = deck.spawn(&["dispatch", "shop-prod-web", "--version", "v2", "--yes", "-o", "json"]);
    until(Duration::from_secs(60), "the host is about to write proc.conf", || fleet.exec("web01", "test -e /apps/held").status.success());
    let made = fleet.text("web01", "ls /apps/procs");
    assert_eq!(made.lines().filter(|name| name.starts_with("shop-v2-")).count(), 2, "{made}");
    assert_eq!(fleet.text("web01", "ls /apps/procs/shop-v2-*/proc.conf 2>/dev/null; true"), "");
    fleet.text("web01", "rm /usr/local/bin/sync");
    fleet.kill("web01");
    fleet.boot("web01");
    let names = |of: &[crate::support::deck::Program]| of.iter().map(|program| program.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&programs(&fleet, &["web01"], "shop-")), names(&old), "only what was whole came back");
    let ran = running.end();
    let report = told(&fleet, ran, "web01", &["the connection was lost", "does not answer"]);
    assert_eq!(report["result"], "undone", "{report}");
    assert_eq!(names(&programs(&fleet, &["web01"], "")), names(&old));
    assert_eq!(fleet.text("web01", "ls -A /apps/procs").lines().collect::<Vec<_>>(), names(&old));
    deck.done(&["--version", "v2"]);
}

/// A second swarm that names the same pool.
fn rival(deck: &Deck) -> String {
    let (_, swarms) = deck.document.split_once("swarms:\n").unwrap();
    let (first, _) = swarms.split_once("  - app: shop\n    config_name: prod\n    proc_name: worker").unwrap();
    format!("{}{}", deck.document, first.replace("config_name: prod", "config_name: rival"))
}

#[test]
fn an_operators_machine_that_breaks_loses_nothing_and_two_of_them_never_meet() {
    let Some(fleet) = Fleet::of(&["web01", "web02", "lb01"]) else { return };
    let hosts = ["web01", "web02"];
    let deck = Deck::ready(&fleet, &hosts);
    let begin = |deck: &Deck, version: &str| deck.spawn(&["dispatch", "shop-prod-web", "--version", version, "--yes", "-o", "json"]);
    let result = |deck: &Deck| deck.json(&["get", "dispatches"])[0]["result"].as_str().unwrap_or_default().to_owned();
    let live = |version: &str| {
        let all = programs(&fleet, &hosts, "shop-");
        let right = all.iter().all(|program| program.state == "RUNNING" && program.name.starts_with(&format!("shop-{version}-")));
        assert!(right && all.len() == 2 && nodes(&fleet).len() == 2, "{all:?}");
    };

    // Two consoles at once, on one swarm and on one pool: one of them dispatches, the other changes nothing and says who does.
    deck.apply(&rival(&deck)).refused(2, &["pool shop@edge", "shop-prod-web", "a pool belongs to one swarm"]);
    let both = [begin(&deck, "v1"), begin(&deck, "v1")].map(Running::end);
    let codes: Vec<i32> = both.iter().map(|ran| ran.code).collect();
    assert!(codes == [0, 3] || codes == [3, 0], "{both:?}");
    let lost = both.iter().find(|ran| ran.code == 3).unwrap();
    assert!(lost.stdout.contains("is held by") || lost.stdout.contains("the world moved"), "{lost:?}");
    live("v1");
    let requests = Requests::start(&fleet);
    let hold = Hold::on(&fleet);
    let running = begin(&deck, "v2");
    running.said("prove: begun");
    deck.run(&["adopt", "pool", "shop@edge", "--yes"]).refused(3, &["shop-prod-web@web is held by"]);
    drop(hold);
    running.end().ended(0);
    live("v2");
    deck.done(&["--version", "v1"]);

    // Stopped past its lease and continued: it finds its lease taken, stops, and changes nothing that the new holder reached.
    let hold = Hold::on(&fleet);
    let stopped = begin(&deck, "v2");
    stopped.said("prove: begun");
    stopped.signal(Signal::SIGSTOP);
    drop(hold);
    let ended = deck.run(&["resume", "-o", "json"]).ended(0).json();
    assert_eq!(ended[0]["result"], "done", "{ended}");
    live("v2");
    let before = state(&fleet, &deck, &hosts);
    stopped.signal(Signal::SIGCONT);
    let ran = stopped.end();
    assert!(ran.code == 3 || ran.code == 5, "{ran:?}");
    assert!(ran.stdout.contains("lease") && ran.json()["result"] != "done", "{ran:?}");
    assert_eq!(state(&fleet, &deck, &hosts), before);

    // SIGTERM stops between steps, resumable; SIGHUP does not stop it.
    let hold = Hold::on(&fleet);
    let running = begin(&deck, "v1");
    running.said("prove: begun");
    running.signal(Signal::SIGTERM);
    let ran = running.end().ended(5);
    assert!(ran.stdout.contains("swarmdeck resume"), "{ran:?}");
    drop(hold);
    deck.run(&["resume"]).ended(0);
    live("v1");
    let running = begin(&deck, "v2");
    running.said("prove: begun");
    running.signal(Signal::SIGHUP);
    assert_eq!(running.end().ended(0).json()["result"], "done");
    live("v2");

    // A standard error that nobody reads and a screen that nobody reads hold nothing up.
    let (unread, mut full) = std::io::pipe().unwrap();
    let stderr = full.try_clone().unwrap();
    std::thread::spawn(move || while full.write_all(&[b'.'; 4096]).is_ok() {});
    let mut command = deck.command(&["dispatch", "shop-prod-web", "--version", "v1", "--yes"]);
    assert!(command.stdout(Stdio::null()).stderr(stderr).status().unwrap().success());
    live("v1");
    drop(unread);

    let place = |name: &str| deck.path(name).to_str().unwrap().to_owned();
    let env = [("SWARMDECK_HOME", place("home")), ("HOME", place("user"))];
    let mut terminal = Terminal::start(&[env!("CARGO_BIN_EXE_swarmdeck")], &env);
    terminal.shows("shop-prod-web");
    terminal.press(":dispatch shop-prod-web v2");
    terminal.line(&["dispatch shop-prod-web", "plan"]);
    terminal.press("\r");
    terminal.shows("[[ CANCEL ]]");
    let hold = Hold::on(&fleet);
    terminal.press_until("y", "DISPATCH");
    terminal.read_no_more();
    for n in 0..40 {
        // Each size is a whole new screen.
        terminal.resize(80 + n, 24 + n / 2);
    }
    drop(hold);
    until(Duration::from_secs(90), "it is done", || programs(&fleet, &hosts, "shop-v1-").is_empty() && result(&deck) == "done");
    live("v2");
    drop(terminal);

    // The home's disk is full: what cannot be written down is not done, and the dispatch can be carried on when there is room.
    let small = deck.path("small");
    std::fs::create_dir(&small).unwrap();
    let mount = |argv: &[&str]| assert!(std::process::Command::new(argv[0]).args(&argv[1..]).arg(&small).status().unwrap().success());
    mount(&["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs"]);
    let home = deck.path("home");
    assert!(std::process::Command::new("cp").arg("-a").arg(home.join(".")).arg(&small).status().unwrap().success());
    std::fs::rename(&home, deck.path("home-before")).unwrap();
    std::os::unix::fs::symlink(&small, &home).unwrap();
    let hold = Hold::on(&fleet);
    let running = begin(&deck, "v1");
    running.said("start: begun");
    let mut filler = std::fs::File::create(small.join("filler")).unwrap();
    while filler.write_all(&[0; 4096]).is_ok() {}
    drop(filler);
    drop(hold);
    let ran = running.end().ended(5);
    assert!(ran.stdout.contains("the store cannot be written") && ran.stdout.contains("disk space"), "{ran:?}");
    assert_eq!(programs(&fleet, &hosts, "shop-v2-").len(), 2, "what serves goes on");
    std::fs::remove_file(small.join("filler")).unwrap();
    deck.run(&["resume"]).ended(0);
    live("v1");
    requests.end();
    std::fs::remove_file(&home).unwrap();
    mount(&["umount"]);
}
