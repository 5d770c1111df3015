//! What only a file can get wrong: several processes, several Unix users, rights, migrations, locks of dead processes.

use super::{event, put};
use crate::store::*;
use nix::unistd::{Gid, Uid};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Runs in a child process: see the tests below.
#[tokio::test]
async fn child_writes() {
    let Some(home) = std::env::var_os("SWARMDECK_TEST_HOME") else { return };
    // The worst umask: rights must not depend on it.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let home = Home::open(Path::new(&home)).unwrap();
    let store = Store::open(&home).await.unwrap();
    for n in 0..20 {
        store.note(&[event(&format!("{} {n}", nix::unistd::getpid()))], None).await.unwrap();
    }
    let name = format!("of_{}", Uid::current());
    store.put(put(&name, "x", None), &home::who(None), "", 1).await.unwrap();
    // The last one to leave checkpoints and removes -wal and -shm: leave without it, as a killed process would.
    if std::env::var_os("SWARMDECK_TEST_CRASH").is_some() {
        let _lock = HolderLock::take(&home, "crashed").unwrap();
        std::process::abort();
    }
    store.close().await;
}

fn child(program: &Path, home: &Path) -> Command {
    let mut child = Command::new(program);
    child.args(["--exact", "store::tests::file::child_writes", "--nocapture"]).env("SWARMDECK_TEST_HOME", home);
    child
}

#[tokio::test]
async fn two_processes_write_one_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("home");
    let home = Home::open(&path).unwrap();
    let store = Store::open(&home).await.unwrap();
    let exe = std::env::current_exe().unwrap();
    let children: Vec<_> = (0..2).map(|_| child(&exe, &path).stdout(std::process::Stdio::null()).spawn().unwrap()).collect();
    for n in 0..20 {
        store.note(&[event(&format!("parent {n}"))], None).await.unwrap();
    }
    for mut child in children {
        assert!(tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap().success());
    }
    let events = store.events_after(0, 1000).await.unwrap();
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), (1..=60).collect::<Vec<_>>());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&path), 0o700);
    for name in ["store.sqlite", "store.sqlite-wal", "store.sqlite-shm"] {
        assert_eq!(mode(&path.join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_dead_process_frees_its_lock_and_leaves_the_store_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("home");
    let home = Home::open(&path).unwrap();
    let mut crash = child(&std::env::current_exe().unwrap(), &path);
    let status =
        crash.env("SWARMDECK_TEST_CRASH", "1").stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).status().unwrap();
    assert!(!status.success());
    assert_eq!(HolderLock::look(&home, "crashed"), Liveness::Dead);
    assert_eq!(HolderLock::look(&home, "elsewhere"), Liveness::Unknown);
    let lock = HolderLock::take(&home, "me").unwrap();
    assert_eq!(HolderLock::look(&home, "me"), Liveness::Alive);
    drop(lock);
    assert_eq!(HolderLock::look(&home, "me"), Liveness::Unknown);
    let store = Store::open(&home).await.unwrap();
    assert_eq!(store.events_after(0, 100).await.unwrap().len(), 20, "what was committed is there");
}

#[tokio::test]
async fn two_unix_users_share_a_home() {
    if !Uid::current().is_root() {
        println!("skipped: needs root");
        return;
    }
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // The users must be able to run the test, wherever it was built.
    let exe = dir.path().join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
    let path = dir.path().join("home");
    let (users, group) = ([61_001u32, 61_002], 61_000u32);
    Home::init_shared(&path, Gid::from_raw(group)).unwrap();
    let run = |uid: u32, group: u32, crash: bool| {
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={uid}"), format!("--regid={uid}"), format!("--groups={group}")]).arg("--").arg(&exe);
        command.args(["--exact", "store::tests::file::child_writes", "--nocapture"]).env("SWARMDECK_TEST_HOME", &path).current_dir("/tmp");
        if crash {
            command.env("SWARMDECK_TEST_CRASH", "1");
        }
        let out = command.output().unwrap();
        (out.status.success(), format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)))
    };
    // The first user makes the store and dies with its -wal and -shm open; the second goes on with all of it.
    assert!(!run(users[0], group, true).0);
    let check = |stage: &str| {
        for entry in std::fs::read_dir(&path).unwrap() {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            let wanted = if meta.is_dir() { 0o2770 } else { 0o660 };
            assert_eq!(meta.permissions().mode() & 0o7777, wanted, "{stage}: {}", entry.path().display());
            assert_eq!(std::os::unix::fs::MetadataExt::gid(&meta), group, "{stage}: {}", entry.path().display());
        }
        path.join("store.sqlite-wal").exists()
    };
    assert!(check("first"), "the crash left its -wal");
    let (ok, output) = run(users[1], group, false);
    assert!(ok, "{output}");
    let (ok, output) = run(users[0], group, false);
    assert!(ok, "{output}");
    check("both");
    // Somebody outside the group gets nowhere.
    assert!(!run(61_009, 61_009, false).0);

    let store = Store::open(&Home::open(&path).unwrap()).await.unwrap();
    assert_eq!(store.events_after(0, 100).await.unwrap().len(), 60);
    let who: Vec<String> = store.list(Kind::Ingredient).await.unwrap().into_iter().map(|object| object.changed_by).collect();
    assert_eq!(who, ["uid 61001", "uid 61002"]);
}

#[tokio::test]
async fn a_newer_store_may_be_looked_at_only() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("s.sqlite");
    let store = Store::open_file(&file).await.unwrap();
    store.note(&[event("x")], None).await.unwrap();
    sqlx::query("UPDATE meta SET value = '99' WHERE key = 'schema'").execute(&store.pool).await.unwrap();
    let older = Store::open_file(&file).await.unwrap();
    assert!(older.look_only().unwrap().contains("schema 99"));
    assert_eq!(older.events_after(0, 10).await.unwrap().len(), 1);
    assert_eq!(older.note(&[event("y")], None).await.unwrap_err().kind, crate::model::FaultKind::Refused);
}

#[tokio::test]
async fn a_copy_is_made_beside_before_a_store_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::open(&dir.path().join("home")).unwrap();
    let store = Store::open(&home).await.unwrap();
    store.note(&[event("before")], None).await.unwrap();
    schema::back_up(&store.pool, store.file(), 1).await.unwrap();
    store.note(&[event("after")], None).await.unwrap();
    let copy = home.path.join("store.schema-1.sqlite");
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let copy = Store::open_file(&copy).await.unwrap();
    assert_eq!(copy.events_after(0, 10).await.unwrap().len(), 1);
    assert_eq!(copy.installation(), store.installation());
}

#[tokio::test]
async fn odd_paths_and_urls() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("a b?c#d%20");
    std::fs::create_dir(&odd).unwrap();
    let store = Store::open_file(&odd.join("s.sqlite")).await.unwrap();
    store.note(&[event("x")], None).await.unwrap();
    assert!(odd.join("s.sqlite").exists());
    let fault = Store::open_url("mysql://op:hunter2@db/x").await.unwrap_err();
    assert!(!fault.line().contains("hunter2"), "{fault}");
    let fault = Store::open_url("postgres://op:hunter2@127.0.0.1:1/x").await.unwrap_err();
    assert!(!fault.line().contains("hunter2"), "{fault}");
    std::fs::write(dir.path().join("text"), "this is not a database, whatever its name says, and it is long enough").unwrap();
    assert!(Store::open_file(&dir.path().join("text")).await.is_err());
}

#[test]
fn the_home_is_found_in_its_order() {
    let dir = tempfile::tempdir().unwrap();
    let etc = dir.path().join("etc.yaml");
    let place = |flag: Option<&str>, variable: Option<&str>| {
        Home::place(flag.map(Path::new), variable.map(Path::new), &etc, Some(Path::new("/data"))).unwrap().display().to_string()
    };
    assert_eq!(place(None, None), "/data/swarmdeck");
    std::fs::write(&etc, "home: /srv/deck\n").unwrap();
    assert_eq!(place(None, None), "/srv/deck");
    assert_eq!(place(None, Some("/var/v")), "/var/v");
    assert_eq!(place(Some("/flag"), Some("/var/v")), "/flag");
    assert_eq!(place(None, Some("")), "/srv/deck");
}

#[test]
fn who_is_the_real_user() {
    let me = home::who(None);
    assert!(!me.is_empty());
    if Uid::current().is_root() {
        assert_eq!(home::who(Some("op1")), "op1 (sudo)");
        assert_eq!(home::who(Some("op1\u{1b}[31m")), me, "not a user name");
    }
}

#[tokio::test]
async fn a_disk_that_was_full_is_written_to_again_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_file(&dir.path().join("store.sqlite")).await.unwrap();
    let big = "x".repeat(1 << 20);
    // Each of its connections takes this for the size of the disk.
    let mut all = Vec::new();
    for _ in 0..4 {
        let mut connection = store.pool.acquire().await.unwrap();
        sqlx::query("PRAGMA max_page_count = 1").execute(&mut *connection).await.unwrap();
        all.push(connection);
    }
    drop(all);
    let mut full = 0;
    while let Err(fault) = store.keep("a", "b", &big, 1).await {
        full += 1;
        assert!(full <= 4 && fault.what.contains("full"), "{fault}");
    }
    assert!(full > 0);
    assert_eq!(store.kept::<String>("a", "b").await.unwrap(), Some(big));
}
