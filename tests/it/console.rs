//! The console as an operator meets it: the real binary in a pseudo-terminal, over SSH, with a real dispatch; and all its ends.

use crate::support::deck::{Deck, Hold, answers, programs};
use crate::support::fleet::Fleet;
use crate::support::terminal::Terminal;
use crate::support::until;
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_swarmdeck");

fn console(deck: &Deck, argv: &[&str], more: &[(&str, String)]) -> Terminal {
    let place = |name: &str| deck.path(name).to_str().unwrap().to_owned();
    let mut env = vec![("SWARMDECK_HOME", place("home")), ("HOME", place("user"))];
    env.extend(more.iter().cloned());
    Terminal::start(argv, &env)
}

/// Opens the plan of a version of `shop-prod-web` and waits until it is shown.
fn plan(terminal: &mut Terminal, version: &str) {
    terminal.press(&format!(":dispatch shop-prod-web {version}"));
    terminal.line(&["dispatch shop-prod-web", "plan"]);
    terminal.press("\r");
    terminal.shows("[[ CANCEL ]]");
}

fn outcomes(deck: &Deck) -> Vec<String> {
    let all = deck.json(&["get", "dispatches"]);
    all.as_array().unwrap().iter().map(|dispatch| dispatch["result"].as_str().unwrap_or("under way").to_owned()).collect()
}

#[test]
fn from_opening_it_to_a_routed_version_and_back() {
    let Some(fleet) = Fleet::of(&["web01", "lb01"]) else { return };
    let deck = Deck::ready(&fleet, &["web01"]);
    deck.done(&["--version", "v1"]);
    let mut terminal = console(&deck, &[BINARY], &[]);

    // Open, and see what is.
    terminal.line(&["shop-prod-web", "ok", "2/2", "v1"]);
    terminal.line(&["shop-prod-worker", "new"]);
    terminal.until("the alternate screen", |screen| screen.alternate_screen() && screen.bracketed_paste());
    // Filter.
    terminal.press("2/prod-web");
    terminal.shows("SWARMS 1 of 2");
    terminal.lacks("shop-prod-worker");
    terminal.press("\r");
    terminal.shows("filter prod-web");
    terminal.press("d");
    terminal.shows("DESCRIBE swarm shop-prod-web");
    terminal.press("q");
    terminal.lacks("DESCRIBE");

    // Edit: what is wrong is said while it is typed, the difference is shown before it is saved.
    terminal.press(".e");
    terminal.shows("EDIT shop-prod-web config");
    terminal.press("\x1b[1;5F\rgreeting2: hello from here");
    terminal.shows("NOT SAVED");
    terminal.shows("PROBLEMS none");
    terminal.press("\x18");
    terminal.shows("SAVE, THEN PLAN");
    terminal.line(&["+", "greeting2: hello from here"]);
    terminal.press_until("y", "PLAN dispatch shop-prod-web");

    // The plan: what goes live with it, and where; a look at it changes nothing.
    terminal.shows("[[ CANCEL ]]");
    terminal.line(&["+ config", "greeting2", "(none) -> hello from here"]);
    terminal.line(&["code", "v1", "build reused"]);
    terminal.line(&["web01", "+2 -2"]);
    terminal.shows("BACK  exact undo");
    assert_eq!(outcomes(&deck), ["done"]);
    terminal.press("\x1b");
    terminal.lacks("[[ CANCEL ]]");
    terminal.line(&["shop-prod-web", "ok", "edit"]);

    // Another version, with a reason, dispatched and watched to its end.
    plan(&mut terminal, "v2");
    terminal.line(&["v1 -> v2"]);
    terminal.line(&["code", "v2", "built for this"]);
    terminal.line(&["greeting2"]);
    // The plan is deaf for 0.3 s after it was painted; that time is the rule itself, not a wait for something.
    std::thread::sleep(Duration::from_millis(350));
    terminal.press("\x1b[Z");
    terminal.until("the cursor in WHY", |screen| screen.cursor_position() == (20, 6));
    terminal.press("OPS-1");
    terminal.shows("OPS-1");
    terminal.press("\r");
    terminal.press_until("y", "DISPATCH 2 shop-prod-web");
    terminal.line(&["web01", "ok"]);
    terminal.shows("ENDED done: v2 is live");
    terminal.shows(".b rolls back");
    terminal.line(&["OPS-1", "DONE in"]);
    answers(&fleet, &["v2"]);
    assert_eq!(programs(&fleet, &["web01"], "shop-v2-prod-").len(), 2);
    assert_eq!(programs(&fleet, &["web01"], "shop-v1-prod-"), []);

    // A proc's log, followed.
    terminal.press("14");
    terminal.shows("PROCS 2");
    terminal.press("l");
    terminal.line(&["listens on"]);
    terminal.shows("following");
    terminal.press("\x1b");
    terminal.shows("PROCS 2");

    // Roll back from the swarm.
    terminal.press("2.b");
    terminal.shows("PLAN rollback shop-prod-web");
    terminal.shows("v2 -> v1");
    terminal.shows("[[ CANCEL ]]");
    terminal.press_until("y", "ROLLBACK 3 shop-prod-web");
    terminal.shows("ENDED done: v1 is live");
    answers(&fleet, &["v1"]);

    // The rollback left a hold; it is lifted by its name.
    terminal.press("12");
    terminal.line(&["shop-prod-web", "HELD"]);
    terminal.press(".h");
    terminal.shows("[ lift rollback-3 ]");
    terminal.press_until("y", "rollback-3 is lifted");
    terminal.lacks("HELD");

    // A version that its uptest fails is undone, with its cause on the screen.
    let before = programs(&fleet, &["web01"], "");
    plan(&mut terminal, "v-badtest");
    terminal.press_until("y", "DISPATCH 4");
    terminal.shows("ENDED undone: all is as it was, v1 is live");
    terminal.shows("FAULT");
    terminal.shows("02-fails");
    assert_eq!(programs(&fleet, &["web01"], ""), before, "the same procs, the same pids");

    // Every size, then out.
    for (columns, rows) in [(200, 60), (60, 20), (80, 24)] {
        terminal.resize(columns, rows);
        terminal.shows("ENDED undone");
        terminal.shows("DISPATCH 4");
    }
    // crossterm returns a resize before it has read a key that came in the same instant; it hears the key with the next one.
    terminal.press_until("1", "NEEDS YOU");
    terminal.press("q");
    assert_eq!(terminal.ended(), 0, "{}", terminal.text());
    terminal.is_restored();
    assert!(!terminal.written().contains("\x1b[?1000h"), "the mouse stays the terminal's");
    let mut all = outcomes(&deck);
    all.sort();
    assert_eq!(all, ["done", "done", "done", "undone"]);
}

#[test]
fn a_dispatch_outlives_the_screen_however_it_goes() {
    let Some(fleet) = Fleet::of(&["web01", "lb01"]) else { return };
    let mut deck = Deck::ready(&fleet, &["web01"]);
    deck.document = deck.with("    settle: 1s\n", "    settle: 4s\n");
    deck.apply(&deck.document).ended(0);
    // A console with a dispatch that proves for a while, and then drains as long as it is held.
    let under_way = |number: usize, version: &str, argv: &[&str], more: &[(&str, String)]| {
        let hold = Hold::on(&fleet);
        let mut terminal = console(&deck, argv, more);
        terminal.shows("shop-prod-web");
        plan(&mut terminal, version);
        terminal.press_until("y", &format!("DISPATCH {number} shop-prod-web"));
        terminal.line(&["~ web01", "now"]);
        assert_eq!(outcomes(&deck).iter().filter(|outcome| *outcome == "under way").count(), 1);
        (terminal, hold)
    };
    let ended_done = |number: usize, version: &str| {
        assert_eq!(outcomes(&deck), vec!["done"; number]);
        answers(&fleet, &[version]);
    };

    // The terminal is lost: the kernel hangs up, and the dispatch is finished without a screen.
    let (terminal, hold) = under_way(1, "v1", &["script", "-qfec", BINARY, "/dev/null"], &[]);
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", terminal.pid())).unwrap();
    let console = children.split_whitespace().next().unwrap().to_owned();
    terminal.signal(Signal::SIGKILL);
    drop(hold);
    until(Duration::from_secs(60), "the console is gone", || {
        fs::read_to_string(format!("/proc/{console}/stat")).map_or(true, |stat| stat.contains(") Z "))
    });
    ended_done(1, "v1");

    // SIGTERM: it stops between two steps, and another process carries it on.
    let (mut terminal, hold) = under_way(2, "v2", &[BINARY], &[]);
    terminal.signal(Signal::SIGTERM);
    assert_eq!(terminal.ended(), 5, "interrupted, resumable:\n{}", terminal.text());
    terminal.is_restored();
    drop(hold);
    deck.run(&["resume"]).ended(0);
    ended_done(2, "v2");

    // The screen panics: the terminal is restored, what happened is said, the dispatch is finished.
    let (mut terminal, hold) = under_way(3, "v1", &[BINARY], &[("SWARMDECK_TEST_PANIC", "view".into())]);
    // The dispatch came by itself, and is deaf at first.
    until(Duration::from_secs(60), "it is said what happened", || {
        terminal.press("?");
        terminal.written().contains("SWARMDECK_TEST_PANIC")
    });
    drop(hold);
    assert_eq!(terminal.ended(), 0, "{}", terminal.text());
    terminal.is_restored();
    ended_done(3, "v1");
}

/// Processes that carry a dispatch of this home without a screen: each must be a session of its own without a terminal.
fn heirs(deck: &Deck) -> Vec<String> {
    let home = deck.path("home").to_str().unwrap().to_owned();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let pid = entry.file_name().into_string().unwrap();
        let words = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        if !words.contains("--unattended") || !words.contains(&home) {
            continue;
        }
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        // After its name: state, parent, group, session, terminal (proc(5)); one that has ended says no more.
        if let [state, _, group, session, terminal, ..] = fields[..]
            && state != "Z"
        {
            assert_eq!((group, session, terminal), (pid.as_str(), pid.as_str(), "0"), "{stat}");
            found.push(pid);
        }
    }
    found
}

#[test]
fn left_going_a_dispatch_is_seen_live_by_the_next_console_which_undoes_it() {
    let Some(fleet) = Fleet::of(&["web01", "lb01"]) else { return };
    let mut deck = Deck::ready(&fleet, &["web01"]);
    deck.done(&["--version", "v1"]);
    let before = programs(&fleet, &["web01"], "");
    // A canary waits for somebody: it is under way as long as the test wants.
    deck.document = deck.with("    settle: 1s\n", "    settle: 1s\n    canary: 1\n");
    deck.apply(&deck.document).ended(0);
    let mut terminal = console(&deck, &[BINARY], &[]);
    terminal.line(&["shop-prod-web", "ok"]);
    plan(&mut terminal, "v2");
    terminal.press_until("y", "DISPATCH 2 shop-prod-web");
    terminal.line(&["WAIT", "for somebody to promote or cancel dispatch 2"]);
    // Stay has no effect; leaving it going gives the terminal back while the dispatch goes on.
    terminal.press("q");
    terminal.shows("[[ leave it going ]]");
    terminal.press_until("\t", "[[ stay ]]");
    terminal.press("\r");
    terminal.lacks("Leave?");
    terminal.press("1");
    terminal.shows("NEEDS YOU");
    terminal.press("q");
    terminal.shows("[[ leave it going ]]");
    terminal.press_until("\r", "dispatch 2 of shop-prod-web@web goes on without a screen");
    assert_eq!(terminal.ended(), 0, "{}", terminal.text());
    terminal.is_restored();
    assert_eq!(heirs(&deck).len(), 1);
    assert_eq!(outcomes(&deck), ["under way", "done"]);

    // The next one shows it live, and undoes it.
    let mut terminal = console(&deck, &[BINARY], &[]);
    terminal.line(&["shop-prod-web", "moving"]);
    terminal.press("6");
    terminal.line(&["2", "shop-prod-web", "v1 -> v2"]);
    terminal.press("\r");
    terminal.line(&["WAIT", "for somebody to promote or cancel dispatch 2"]);
    terminal.press(".x");
    terminal.shows("Cancel dispatch 2?");
    terminal.press_until("y", "dispatch 2 is being undone");
    terminal.shows("ENDED undone: all is as it was");
    until(Duration::from_secs(60), "the process without a screen has ended", || heirs(&deck).is_empty());
    assert_eq!(programs(&fleet, &["web01"], ""), before, "the same procs, the same pids");
    let log = fs::read_to_string(deck.path("home/logs/dispatch-2.log")).unwrap();
    assert!(log.contains("dispatch 2 is under way") && log.contains("undone"), "{log}");
    // Nothing of ours is under way: it leaves without asking.
    terminal.press_until("1", "NEEDS YOU");
    terminal.press("q");
    assert_eq!(terminal.ended(), 0, "{}", terminal.text());

    // A key with a passphrase is of no use to a process that nobody can be asked by: it stays, and the key is named.
    let key = deck.path("locked-key");
    fs::copy(fleet.key(), &key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let keygen =
        std::process::Command::new("ssh-keygen").args(["-q", "-p", "-P", "", "-N", "1111111111", "-f"]).arg(&key).status().unwrap();
    assert!(keygen.success());
    let config = fs::read_to_string(fleet.ssh_config()).unwrap().replace(fleet.key().to_str().unwrap(), key.to_str().unwrap());
    fs::write(deck.path("ssh_config"), config).unwrap();
    fs::write(deck.path("home/config.yaml"), format!("name: test\nssh: {{config_file: {}}}\n", deck.path("ssh_config").display())).unwrap();
    let mut terminal = console(&deck, &[BINARY], &[]);
    terminal.shows("Passphrase of");
    // It hears nothing that was typed before it was on the screen for a while; three stars are its own, two procs make two.
    terminal.press_until("1", "***");
    terminal.press("\x151111111111\r");
    terminal.lacks("Passphrase of");
    plan(&mut terminal, "v2");
    terminal.press_until("y", "DISPATCH 3 shop-prod-web");
    terminal.line(&["WAIT", "for somebody to promote or cancel dispatch 3"]);
    terminal.press("1");
    terminal.shows("NEEDS YOU");
    terminal.press("q");
    terminal.shows("[[ leave it going ]]");
    terminal.press_until("\r", "asks for the passphrase of");
    terminal.shows("dispatch 3 stays here");
    terminal.shows("locked-key");
    assert_eq!(outcomes(&deck), ["under way", "undone", "done"]);
    assert!(heirs(&deck).is_empty());
    terminal.press("q");
    terminal.shows("[[ leave it going ]]");
    terminal.press_until("\t", "[[ stop and undo ]]");
    terminal.press("\r");
    assert_eq!(terminal.ended(), 1, "failed and undone: {}", terminal.text());
    terminal.is_restored();
    assert_eq!(outcomes(&deck), ["undone", "undone", "done"]);
    assert_eq!(programs(&fleet, &["web01"], ""), before);
    let said = format!("{}{}", terminal.written(), fs::read_to_string(deck.path("home/logs/dispatch-3.log")).unwrap());
    assert!(!said.contains("1111111111"), "the passphrase was said");
}

/// A directory with a document of one swarm on this machine; nothing runs.
pub fn small() -> tempfile::TempDir {
    let directory = tempfile::Builder::new().prefix("console-").tempdir().unwrap();
    fs::create_dir(directory.path().join("user")).unwrap();
    let document = "apps: [{name: shop, repo: {url: /nowhere.git, type: git}}]\n\
                    squads: [{name: web, hosts: [{name: here, transport: local}]}]\n\
                    swarms: [{app: shop, config_name: prod, proc_name: web, squad: web, size: 1, version: v1, config: {greeting: hi}}]\n";
    fs::write(directory.path().join("d.yaml"), document).unwrap();
    directory
}

/// Applies it from the welcome screen.
pub fn applied(terminal: &mut Terminal, directory: &tempfile::TempDir) {
    terminal.shows("Nothing is written down here yet.");
    terminal.press(&format!(":apply {}", directory.path().join("d.yaml").display()));
    terminal.line(&["d.yaml", "asks"]);
    terminal.press("\r");
    terminal.shows("Apply this document?");
    terminal.press_until("y", "NEEDS YOU");
    terminal.shows("shop-prod-web");
}

pub fn small_console(directory: &tempfile::TempDir, more: &[(&str, String)]) -> Terminal {
    let place = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let mut env = vec![("SWARMDECK_HOME", place("home")), ("HOME", place("user"))];
    env.extend(more.iter().cloned());
    Terminal::start(&[BINARY], &env)
}

#[test]
fn suspended_it_gives_the_terminal_back_and_takes_it_again() {
    let directory = small();
    let mut terminal = small_console(&directory, &[]);
    terminal.shows("Nothing is written down here yet.");
    for _ in 0..2 {
        terminal.press("\x1a");
        until(Duration::from_secs(20), "it is stopped", || terminal.state() == "T");
        terminal.is_restored();
        terminal.signal(Signal::SIGCONT);
        terminal.until("the screen again", |screen| screen.alternate_screen() && screen.contents().contains("Nothing is written down"));
    }
    // It hears keys as before.
    terminal.press("?");
    terminal.shows("observe now");
    terminal.press("qq");
    assert_eq!(terminal.ended(), 0);
    terminal.is_restored();
}

#[test]
fn the_operators_own_editor_gets_a_private_file_that_is_removed() {
    let directory = small();
    let place = |name: &str| directory.path().join(name);
    let script = format!(
        "#!/bin/sh\nstat -c '%a %n' \"$1\" >{0}/seen\ncp \"$1\" {0}/given\necho 'from_outside: true' >>\"$1\"\nprintf 'EDITOR RUNS\\n'\nread line\n",
        directory.path().display()
    );
    fs::write(place("editor"), script).unwrap();
    fs::set_permissions(place("editor"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut terminal = small_console(&directory, &[("EDITOR", place("editor").to_str().unwrap().to_owned())]);
    applied(&mut terminal, &directory);
    terminal.press("2.e");
    terminal.shows("EDIT shop-prod-web config");
    terminal.press("\x0f");
    terminal.shows("EDITOR RUNS");
    terminal.until("a screen of its own", |screen| !screen.alternate_screen());
    let seen = fs::read_to_string(place("seen")).unwrap();
    let (mode, file) = seen.trim().split_once(' ').unwrap();
    assert_eq!(mode, "600");
    assert!(fs::read_to_string(place("given")).unwrap().contains("greeting: hi"));
    terminal.press("\r");
    terminal.line(&["from_outside: true"]);
    terminal.shows("NOT SAVED");
    assert!(!fs::exists(file).unwrap(), "{file} is left");
    // Esc keeps the draft; nothing was saved.
    terminal.press("\x1b");
    terminal.lacks("EDIT shop-prod-web");
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    terminal.is_restored();
}

#[test]
fn an_escape_sequence_that_comes_late_is_no_verb() {
    let directory = small();
    let mut terminal = small_console(&directory, &[]);
    applied(&mut terminal, &directory);
    // ESC and its tail in two writes: the library reports three keys, the console hears the one that it was.
    terminal.press("2d");
    terminal.shows("DESCRIBE swarm shop-prod-web");
    for _ in 0..5 {
        terminal.press("\x1b");
        // Not a wait for anything: this is the slow line.
        std::thread::sleep(Duration::from_millis(10));
        terminal.press("[B");
    }
    terminal.press("w");
    terminal.shows("WHY swarm shop-prod-web");
    terminal.press("q");
    terminal.shows("DESCRIBE swarm shop-prod-web");
    // A bare Esc is heard, a moment later.
    terminal.press("\x1b");
    terminal.lacks("DESCRIBE");
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
}
