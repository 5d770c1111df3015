//! What is written down, edited with the real binary: on the command line through `$EDITOR`, and in the console, where what was typed
//! outlives a lost terminal and what another saved comes in key by key.

use crate::console::{applied, small, small_console};
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

const BINARY: &str = env!("CARGO_BIN_EXE_swarmdeck");

/// The binary on the command line, with an editor that runs this script on the file `$1`.
fn run(directory: &Path, script: &str, args: &[&str]) -> Output {
    let editor = directory.join("by-hand");
    fs::write(&editor, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).unwrap();
    Command::new(BINARY)
        .args(args)
        .env("SWARMDECK_HOME", directory.join("home"))
        .env("HOME", directory.join("user"))
        .env("TMPDIR", directory.join("user"))
        .env_remove("VISUAL")
        .env("EDITOR", &editor)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

fn said(output: &Output, code: i32) -> String {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

#[test]
fn every_kind_is_edited_made_and_cloned_through_the_operators_own_editor() {
    let directory = small();
    let place = directory.path();
    let run = |script: &str, args: &[&str]| run(place, script, args);
    let exported = || said(&run("", &["export"]), 0);
    said(&run("", &["apply", "-f", place.join("d.yaml").to_str().unwrap()]), 0);

    assert!(
        said(&run("sed -i 's/greeting: hi/greeting: ho # louder/' \"$1\"", &["edit", "swarm", "shop-prod-web"]), 0)
            .contains("not live until")
    );
    assert!(said(&run("sed -i 's/size: 1/size: 2 # more/' \"$1\"", &["edit", "swarm", "shop-prod-web", "--whole"]), 0).contains("saved"));
    said(&run("sed -i 's/name: here/name: there/' \"$1\"", &["edit", "host", "here"]), 0);
    said(&run("printf 'name: db\\nconfig: {db_host: db1}\\n' > \"$1\"", &["edit", "ingredient", "--new"]), 0);
    said(&run("sed -i 's/name: db/name: db2/' \"$1\"", &["edit", "ingredient", "--like", "db"]), 0);
    let text = exported();
    for line in ["greeting: ho # louder", "size: 2 # more", "name: there", "name: db2"] {
        assert!(text.contains(line), "{line}: {text}");
    }

    // Not saved, and not lost: the next time it goes on with what was written.
    let refused = said(&run("sed -i 's/size: 2/size: two/' \"$1\"", &["edit", "swarm", "shop-prod-web", "--whole"]), 2);
    assert!(refused.contains("text:6:7") || refused.contains("text:"), "{refused}");
    assert!(refused.contains("kept as a draft"), "{refused}");
    let again = said(&run("sed -i 's/size: two/size: 3/' \"$1\"", &["edit", "swarm", "shop-prod-web", "--whole"]), 0);
    assert!(again.contains("going on with your draft"), "{again}");
    assert!(exported().contains("size: 3 # more"));

    // A rename by hand that takes others along is asked about, and nobody is there to answer.
    let refused = said(&run("sed -i 's/name: shop/name: store/' \"$1\"", &["edit", "app", "shop"]), 3);
    assert!(refused.contains("swarm store-prod-web@web follows"), "{refused}");
    said(&run("true", &["edit", "app", "shop", "--yes"]), 0);
    assert!(exported().contains("app: store"));
    said(&run("kill -9 $$", &["edit", "app", "store"]), 1);
    let left: Vec<_> = fs::read_dir(place.join("user"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("swarmdeck-edit"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_was_typed_outlives_the_terminal_and_what_another_saved_comes_in() {
    let directory = small();
    let mut terminal = small_console(&directory, &[]);
    applied(&mut terminal, &directory);
    terminal.press("2.e");
    terminal.shows("EDIT shop-prod-web config");
    // Hung up at once, long before the draft is due by itself.
    terminal.press("typed: here\r");
    terminal.shows("typed: here");
    terminal.signal(Signal::SIGHUP);
    terminal.ended();

    let saved = run(directory.path(), "echo 'by_another: 1' >> \"$1\"", &["edit", "swarm", "shop-prod-web", "-o", "json"]);
    // The draft is the same operator's: the command line goes on with it, so it is not another's save yet.
    assert!(said(&saved, 0).contains("going on with your draft"));

    let mut terminal = small_console(&directory, &[]);
    terminal.shows("shop-prod-web");
    terminal.press("2.e");
    terminal.shows("by_another: 1");
    terminal.press("mine: 2\r");
    terminal.shows("mine: 2");
    said(
        &run(
            directory.path(),
            "sed -i 's/by_another: 1/by_another: 7/' \"$1\"; sed -i '/mine/d' \"$1\"",
            &["edit", "swarm", "shop-prod-web"],
        ),
        0,
    );
    terminal.shows("saved by_another here; no clash, merged when you save");
    terminal.press("\x13");
    terminal.shows("+ mine: 2");
    terminal.press_until("y", "not live until it is dispatched");
    terminal.shows("by_another: 7");
    terminal.press("\x1b");
    terminal.lacks("EDIT shop-prod-web");
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    let text = said(&run(directory.path(), "", &["export"]), 0);
    assert!(text.contains("by_another: 7") && text.contains("mine: 2") && text.contains("typed: here"), "{text}");
}
