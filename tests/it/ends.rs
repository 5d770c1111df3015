//! Every end of the console, by the real binary: whoever has the terminal next finds it as it was.

use crate::console::{applied, small, small_console};
use crate::support::terminal::Terminal;
use crate::support::until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_swarmdeck");
const LIMIT: Duration = Duration::from_secs(60);

fn opened(directory: &tempfile::TempDir, more: &[(&str, String)]) -> Terminal {
    let terminal = small_console(directory, more);
    terminal.shows("Nothing is written down here yet.");
    terminal.until("the alternate screen", |screen| screen.alternate_screen() && screen.bracketed_paste());
    terminal
}

#[test]
fn left_by_key_or_told_to_end_it_gives_the_terminal_back() {
    let directory = small();
    for keys in ["q", "\x03"] {
        let mut terminal = opened(&directory, &[]);
        terminal.press(keys);
        assert_eq!(terminal.ended(), 0, "{}", terminal.text());
        terminal.is_restored();
    }
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let mut terminal = opened(&directory, &[]);
        // The mouse is ours when the end comes.
        terminal.press(":mouse");
        terminal.line(&["mouse", "a click selects"]);
        terminal.press("\r");
        terminal.until("a mouse of ours", |screen| screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None);
        terminal.signal(signal);
        assert_eq!(terminal.ended(), 0, "{signal}: {}", terminal.text());
        terminal.is_restored();
    }
}

#[test]
fn what_the_terminal_still_answers_is_not_typed_to_the_shell() {
    let directory = small();
    let place = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let script = format!("{BINARY}; read -r line; echo \"<$line>\" | cat -v");
    let env = [("SWARMDECK_HOME", place("home")), ("HOME", place("user"))];
    let mut terminal = Terminal::start(&["sh", "-c", &script], &env);
    terminal.shows("Nothing is written down here yet.");
    // Frames are under way when it is left.
    terminal.press("?\x1b[B\x1b[B\x1b[Bqq");
    terminal.until("the screen from before", |screen| !screen.alternate_screen());
    terminal.press("typed\r");
    terminal.shows("<typed>");
    terminal.ended();
}

#[test]
fn a_panic_wherever_it_is_gives_the_terminal_back_and_is_said() {
    let directory = small();
    for place in ["update", "view", "task"] {
        let mut terminal = opened(&directory, &[("SWARMDECK_TEST_PANIC", place.into())]);
        terminal.press("?");
        // The next message is what update panics at.
        terminal.press("j");
        terminal.ended();
        terminal.is_restored();
        until(LIMIT, &format!("the panic in {place} is said"), || terminal.written().contains("SWARMDECK_TEST_PANIC"));
    }
}

#[test]
fn when_its_terminal_is_gone_it_ends() {
    let directory = small();
    let place = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let env = [("SWARMDECK_HOME", place("home")), ("HOME", place("user"))];
    // The second hears no hang-up: it finds out by reading.
    for argv in [["script", "-qfec", BINARY, "/dev/null"], ["script", "-qfec", &format!("trap '' HUP; exec {BINARY}"), "/dev/null"]] {
        let terminal = Terminal::start(&argv, &env);
        terminal.shows("Nothing is written down here yet.");
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", terminal.pid())).unwrap();
        let console = children.split_whitespace().next().unwrap().to_owned();
        terminal.signal(Signal::SIGKILL);
        until(LIMIT, "it has ended", || fs::read_to_string(format!("/proc/{console}/stat")).map_or(true, |stat| stat.contains(") Z ")));
    }
}

#[test]
fn a_store_that_cannot_be_read_is_said_and_the_terminal_is_not_touched() {
    let directory = small();
    let mut terminal = opened(&directory, &[]);
    terminal.press("q");
    terminal.ended();
    let store = fs::read_dir(directory.path().join("home")).unwrap().flatten().map(|entry| entry.path());
    let stores: Vec<_> =
        store.filter(|path| path.extension().is_some_and(|extension| extension.to_str().unwrap().starts_with("sqlite"))).collect();
    assert!(!stores.is_empty(), "the store's file has another name");
    for store in stores {
        fs::write(store, "this is no store\n".repeat(1000)).unwrap();
    }
    let mut terminal = small_console(&directory, &[]);
    assert_ne!(terminal.ended(), 0);
    terminal.is_restored();
    assert!(!terminal.written().contains("\x1b[?1049h"), "{}", terminal.written());
    assert!(!terminal.text().trim().is_empty());
}

/// An editor that runs this.
fn editor(directory: &Path, script: &str) -> (&'static str, String) {
    let path = directory.join("editor");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    ("EDITOR", path.to_str().unwrap().to_owned())
}

/// A console that has lent its terminal to that editor.
fn lent(directory: &tempfile::TempDir, script: &str) -> Terminal {
    let mut terminal = small_console(directory, &[editor(directory.path(), script)]);
    applied(&mut terminal, directory);
    terminal.press("2.e");
    terminal.shows("EDIT shop-prod-web config");
    terminal.press("\x0f");
    terminal.shows("EDITOR RUNS");
    terminal
}

/// It has the terminal again, hears keys, and gives all back when it is left.
fn goes_on(terminal: &mut Terminal) {
    terminal.until("the screen again", |screen| {
        screen.alternate_screen()
            && screen.contents().contains("EDIT shop-prod-web")
            && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
    });
    terminal.press("\x1b");
    terminal.lacks("EDIT shop-prod-web");
    terminal.press("q");
    assert_eq!(terminal.ended(), 0, "{}", terminal.text());
    terminal.is_restored();
}

#[test]
fn a_child_that_is_killed_leaves_nothing_of_its_own() {
    // As an editor leaves it that had no time: its screen, its keys, the mouse, its line settings, a region.
    let modes = r"stty raw -echo; printf '\033[?1049h\033[?1h\033=\033[?1002h\033[?1006h\033[3;5r\033[?25lEDITOR RUNS\r\n'";
    let directory = small();
    let mut terminal = lent(&directory, &format!("{modes}; sleep 0.2; kill -9 $$"));
    terminal.shows("ended with signal: 9");
    goes_on(&mut terminal);
}

#[test]
fn ctrl_c_and_ctrl_z_are_the_childs_while_it_has_the_terminal() {
    let directory = small();
    let mut terminal = lent(&directory, "trap 'echo HEARD' INT\necho EDITOR RUNS\nread a\necho \"ONE $a\"\nread b");
    terminal.press("\x03");
    terminal.shows("HEARD");
    // Some shells end a read that was interrupted, some do not.
    terminal.press("\r");
    terminal.shows("ONE");
    // Both are stopped, as a shell that has them both expects.
    terminal.press("\x1a");
    until(LIMIT, "it is stopped", || terminal.state() == "T");
    kill(Pid::from_raw(-terminal.pid().as_raw()), Signal::SIGCONT).unwrap();
    until(LIMIT, "it goes on", || terminal.state() != "T");
    terminal.press("\r");
    goes_on(&mut terminal);
}

#[test]
fn told_to_end_while_a_child_has_the_terminal_it_does() {
    let directory = small();
    let mut terminal = lent(&directory, "echo EDITOR RUNS\nread a");
    terminal.signal(Signal::SIGTERM);
    // Until the child ends the terminal is the child's.
    terminal.press("\r");
    terminal.ended();
    terminal.is_restored();
}
