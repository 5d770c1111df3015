//! The catalogue is whole, its patterns compile, and each line is read as what it means.

use super::*;
use crate::deck::why::facts::{HostFacts, ProcFacts, Said};
use crate::model::life::Life;
use crate::model::world::{HostState, ProcState};
use std::collections::BTreeSet;

fn proc(lines: &[&str]) -> ProcFacts {
    ProcFacts {
        host: "web01".into(),
        name: "p".into(),
        port: Some(5000),
        state: ProcState::Fatal,
        gone: false,
        uptime: 0,
        spawn_error: String::new(),
        lives: vec![Life { start: 1, end: 2, exit_status: Some(1), pid: Some(3), ..Life::default() }],
        lines: lines.iter().map(|line| (*line).to_string()).collect(),
        probe: None,
        must_listen: true,
        stopped_by: String::new(),
    }
}

fn first_of(line: &str) -> String {
    judge(&Facts { procs: vec![proc(&[line])], ..Facts::default() }).remove(0).id
}

#[test]
fn the_catalogue_holds_every_sign_once_and_every_pattern_compiles() {
    let ids: BTreeSet<&str> = CATALOGUE.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids.len(), CATALOGUE.len(), "one is there twice");
    assert!(ids.len() >= 40);
    for table in [&log::SIGNS, &said::SIGNS] {
        assert!(table.are_well_formed());
        for sign in table.table {
            assert!(ids.contains(sign.id), "{}", sign.id);
        }
    }
}

#[test]
fn the_words_of_each_language_are_known() {
    for (line, id) in [
        ("OSError: [Errno 98] Address already in use", "port-taken"),
        ("Error: listen EADDRINUSE: address already in use :::5000", "port-taken"),
        ("listen tcp :5000: bind: address already in use", "port-taken"),
        ("Error: listen EACCES: permission denied 0.0.0.0:80", "port-privileged"),
        ("nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)", "port-privileged"),
        ("Error: Cannot find module 'express'", "module-missing"),
        ("Error: Cannot find module '/apps/procs/x/app/server.js'", "file-missing"),
        ("<internal>: cannot load such file -- sinatra (LoadError)", "module-missing"),
        ("Error: Could not find or load main class com.shop.Main", "module-missing"),
        ("Can't locate Plack/Runner.pm in @INC (you may need to install", "module-missing"),
        ("java.lang.OutOfMemoryError: Java heap space", "app-memory"),
        ("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", "app-memory"),
        ("config.rb:3:in `fetch': key not found: \"DATABASE_URL\" (KeyError)", "variable-missing"),
        ("bash: line 1: DATABASE_URL: unbound variable", "variable-missing"),
        ("panic: environment variable DATABASE_URL is not set", "variable-missing"),
        ("Error: connect ECONNREFUSED 127.0.0.1:6379", "backend-refused"),
        ("dial tcp 127.0.0.1:5432: connect: connection refused", "backend-refused"),
        ("Error: getaddrinfo ENOTFOUND db1", "dns"),
        ("dial tcp: lookup db1: no such host", "dns"),
        ("psycopg2.OperationalError: FATAL:  password authentication failed for user \"shop\"", "backend-login"),
        ("PG::UndefinedTable: ERROR:  relation \"orders\" does not exist", "schema-missing"),
        ("x509: certificate has expired or is not yet valid", "tls-expired"),
        ("Error: self-signed certificate in certificate chain", "tls-untrusted"),
        ("bash: line 1: gunicorn: command not found", "command-missing"),
        ("sh: 1: gunicorn: not found", "command-missing"),
        ("/usr/bin/env: 'ruby': No such file or directory", "command-missing"),
        ("/usr/bin/env: 'python3\\r': No such file or directory", "bad-interpreter"),
        ("bash: ./start: /bin/sh^M: bad interpreter: No such file or directory", "bad-interpreter"),
        ("bash: line 1: ./start: Permission denied", "not-executable"),
        ("bash: line 1: ./start: No such file or directory", "file-missing"),
        ("bash: line 1: ./prog: cannot execute binary file: Exec format error", "exec-format"),
        ("./prog: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by ./prog)", "library-missing"),
        ("SyntaxError: Unexpected token } in JSON at position 12", "settings-unreadable"),
        ("yaml.scanner.ScannerError: mapping values are not allowed here", "settings-unreadable"),
        ("IndentationError: unexpected indent", "syntax-error"),
        ("Error: EMFILE: too many open files, open 'x'", "files-exhausted"),
        ("RuntimeError: can't start new thread", "threads-exhausted"),
        ("PermissionError: [Errno 13] Permission denied: '/etc/shadow'", "permission-denied"),
        ("something else went wrong", "exit-status"),
    ] {
        assert_eq!(first_of(line), id, "{line}");
    }
}

#[test]
fn what_fills_the_sentence_is_named() {
    let cause = |line: &str| judge(&Facts { procs: vec![proc(&[line])], ..Facts::default() }).remove(0).sentence;
    assert_eq!(cause("ModuleNotFoundError: No module named 'flask'"), "the module flask is not there");
    assert_eq!(cause("Connection refused"), "nothing listens where it connects to");
    assert_eq!(
        cause("./x: error while loading shared libraries: libz.so.9: cannot open"),
        "the shared library libz.so.9 is not on the host, or not in that version"
    );
}

#[test]
fn the_earliest_cause_of_the_chain_wins_and_the_others_follow() {
    let host = HostFacts {
        name: "web01".into(),
        root: "/apps".into(),
        socket: String::new(),
        state: HostState::Ok,
        installation: None,
        ours: "here".into(),
        probe: Some(crate::hosts::probe::HostProbe { mount: "/apps".into(), disk_size: 100_000, disk_free: 0, ..Default::default() }),
        our_clock: 0,
    };
    let facts = Facts { hosts: vec![host], procs: vec![proc(&["OSError: [Errno 28] No space left on device"])], ..Facts::default() };
    let ids: Vec<String> = judge(&facts).into_iter().map(|cause| cause.id).collect();
    assert_eq!(ids, ["disk-full", "app-disk-full", "exit-status"]);
}

#[test]
fn many_procs_that_die_of_one_thing_are_one_cause() {
    let line = "ModuleNotFoundError: No module named 'flask'";
    let procs = (1..4).map(|n| ProcFacts { host: format!("web0{n}"), ..proc(&[line]) }).collect();
    let causes = judge(&Facts { procs, ..Facts::default() });
    assert_eq!(causes.iter().filter(|cause| cause.id == "module-missing").count(), 1);
    assert!(causes[0].evidence.contains(&"web03 p: the same".to_string()), "{:?}", causes[0]);
}

#[test]
fn our_own_faults_are_known_and_what_is_not_is_said_as_it_is() {
    let of = |text: &str| {
        let said = Said { by: "plan of op1".into(), host: String::new(), text: text.into(), next: "their advice".into() };
        judge(&Facts { said: vec![said], ..Facts::default() }).remove(0)
    };
    let held = of("shop-prod-web@web is held by op2 (dispatch v2), step drain");
    assert_eq!((held.id.as_str(), held.next.as_str()), ("held", "their advice"));
    assert!(held.sentence.contains("op2"));
    for (text, id) in [
        ("its host key ssh-ed25519 SHA256:x is not known, and StrictHostKeyChecking is yes", "host-key-unknown"),
        ("h asks for a yes to the unknown host key of h, SHA256:x; there is no terminal", "host-key-unknown"),
        ("h asks for the sudo password of op1; there is no terminal", "sudo-password"),
        ("p runs but its port does not answer: port 5000: [Errno 111] Connection refused", "loopback-only"),
        ("p runs but its port does not answer: port 5000: nothing listens on port 5000", "no-listen"),
        ("nginx was not reloaded; /etc/x.conf is as before: ", "reload-failed"),
    ] {
        assert_eq!(of(text).id, id, "{text}");
    }
    let other = of("the moon is in the wrong place");
    assert_eq!((other.id.as_str(), other.sentence.as_str()), ("said", "the moon is in the wrong place"));
}

#[test]
fn a_proc_that_is_well_has_no_cause() {
    let mut well = proc(&["Permission denied: once", "serving"]);
    (well.state, well.uptime, well.must_listen) = (ProcState::Running, 4000, false);
    assert!(judge(&Facts { procs: vec![well], ..Facts::default() }).is_empty());
}
