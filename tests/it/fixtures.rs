//! The fixtures: that what the tests and the demo build on does what it says, without swarmdeck.

use crate::support::{postgres::Postgres, repo, until};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A shop's web proc at `version`, from a real clone, on a free port.
fn start(repository: &Path, version: &str, tree: &Path) -> (Child, u16) {
    let cloned = Command::new("git")
        .args(["clone", "-q", "-c", "advice.detachedHead=false", "-b", version])
        .arg(repository)
        .arg(tree)
        .status()
        .unwrap();
    assert!(cloned.success());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut web = Command::new("/usr/bin/python3");
    web.arg("web.py").current_dir(tree).env("PORT", port.to_string()).stdout(Stdio::null()).stderr(Stdio::piped());
    (web.spawn().unwrap(), port)
}

fn ask(port: u16, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").unwrap();
    stream
}

fn answer(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn uptest(tree: &Path, name: &str, port: u16) -> bool {
    Command::new(tree.join("uptests/web").join(name))
        .args(["127.0.0.1", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}

#[test]
fn both_good_versions_pass_their_uptest_and_finish_what_they_began_when_told_to_stop() {
    let home = tempfile::tempdir().unwrap();
    let repository = repo::shop(home.path());
    for (version, greeting) in [("v1", "Welcome to the shop."), ("v2", "Welcome to the new shop.")] {
        let tree = home.path().join(version);
        let (mut web, port) = start(&repository, version, &tree);
        assert!(uptest(&tree, "01-health", port));
        assert!(!uptest(&tree, "01-health", 9), "an uptest that passes when nothing listens");
        let page = answer(ask(port, "/"));
        assert!(page.contains(greeting) && page.contains(&format!("version: {version}\n")), "{page}");
        let slow = ask(port, "/slow?s=1");
        // The connection is accepted in order: once this later one is answered, the slow request is under way.
        answer(ask(port, "/"));
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(web.id().cast_signed()), nix::sys::signal::Signal::SIGTERM).unwrap();
        assert!(answer(slow).contains(greeting), "a request under way was lost");
        assert!(web.wait().unwrap().success());
    }
}

#[test]
fn the_broken_versions_break_as_they_say() {
    let home = tempfile::tempdir().unwrap();
    let repository = repo::shop(home.path());
    let (mut crash, _) = start(&repository, "v-crash", &home.path().join("crash"));
    let mut error = String::new();
    crash.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert!(!crash.wait().unwrap().success() && error.contains("KeyError"), "{error}");
    let tree = home.path().join("bad");
    let (mut bad, port) = start(&repository, "v-badtest", &tree);
    until(Duration::from_secs(10), "the shop listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    assert!(uptest(&tree, "01-health", port) && !uptest(&tree, "02-fails", port));
    bad.kill().unwrap();
    bad.wait().unwrap();
    let files = |tag: &str| Command::new("git").arg("-C").arg(&repository).args(["ls-tree", "--name-only", tag]).output().unwrap().stdout;
    assert!(
        String::from_utf8(files("v1")).unwrap().contains("Procfile")
            && !String::from_utf8(files("v-noprocfile")).unwrap().contains("Procfile")
    );
    assert_ne!(repo::commit_of(&repository, "v1"), repo::commit_of(&repository, "v2"));
}

#[test]
fn the_buildpack_detects_and_compiles_the_shop_and_the_failing_one_fails() {
    let home = tempfile::tempdir().unwrap();
    for (name, make, code) in [("good", repo::buildpack as fn(&Path) -> _, 0), ("bad", repo::failing_buildpack, 3)] {
        let (pack, build) = (home.path().join(name), home.path().join(format!("{name}-build")));
        assert!(Command::new("git").args(["clone", "-q"]).arg(make(home.path())).arg(&pack).status().unwrap().success());
        assert!(Command::new("cp").arg("-a").arg(crate::support::fixture("shop")).arg(&build).status().unwrap().success());
        assert!(Command::new(pack.join("bin/detect")).arg(&build).output().unwrap().status.success());
        assert!(!Command::new(pack.join("bin/detect")).arg(&pack).output().unwrap().status.success());
        let compiled = Command::new(pack.join("bin/compile")).arg(&build).arg(home.path().join("cache")).arg(home.path()).output().unwrap();
        assert_eq!(compiled.status.code(), Some(code), "{compiled:?}");
    }
    assert!(repo::hanging_buildpack(home.path()).join("HEAD").exists());
}

#[test]
fn a_private_postgres_starts_and_goes() {
    let Some(postgres) = Postgres::start() else { return };
    let url = postgres.url();
    let directory = url.split(['@', '/']).nth(3).unwrap().replace("%2F", "/");
    assert!(Path::new(&directory).join(".s.PGSQL.5432").exists(), "{url}");
    drop(postgres);
    assert!(!Path::new(&directory).exists());
}
