//! The demo, whole: version after version under requests, as root and as an ordinary user; nothing of it is left behind.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use swarmdeck::deck::{NoPrompt, Outside, demo};
use swarmdeck::model::record::Outcome;

fn outside() -> Outside {
    Outside {
        now_ms: || jiff::Timestamp::now().as_millisecond(),
        new_id: || uuid::Uuid::now_v7().to_string(),
        since_boot: || nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap(),
        prompt: Arc::new(NoPrompt),
        local_env: BTreeMap::new(),
    }
}

/// Processes that have anything to do with this directory: by argument, environment or open file.
fn processes_of(home: &Path) -> Vec<String> {
    let home = home.to_str().unwrap();
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name == own || !name.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let read = |file: &str| String::from_utf8_lossy(&std::fs::read(entry.path().join(file)).unwrap_or_default()).replace('\0', " ");
        let files = std::fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten();
        let open = files.filter_map(|file| std::fs::read_link(file.path()).ok()).any(|file| file.starts_with(home));
        let words = read("cmdline");
        if open || words.contains(home) || std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(home)) {
            found.push(format!("{name} {words}"));
        }
    }
    found
}

fn pid(home: &Path, of: &str) -> i32 {
    std::fs::read_to_string(home.join(of).join("pid")).unwrap().trim().parse().unwrap()
}

/// Also what [`an_ordinary_user_has_it_too`] runs as another user.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_come_and_go_without_a_failed_request_and_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    // A long way down: Supervisor's socket has to go elsewhere.
    let home = dir.path().join("a-directory-with-quite-a-long-name/and-another-one-with-quite-a-long-name/swarmdeck-demo");
    let said = Mutex::new(Vec::new());
    let say = |line: String| {
        println!("{line}");
        said.lock().unwrap().push(line);
    };
    let totals = demo::headless(&home, outside(), &say).await.unwrap();
    assert!(totals.counted && totals.failed == 0 && totals.answered > 600, "{totals:?}");
    assert!(said.lock().unwrap().last().unwrap().contains(" requests, 0 failed"));
    assert_eq!(processes_of(&home).iter().filter(|words| words.contains("web.py")).count(), 2, "{:?}", processes_of(&home));

    // A second demo finds everything as it is.
    let before = (pid(&home, "supervisor"), pid(&home, "nginx"));
    let (deck, facts) = demo::up(&home, outside(), &say).await.unwrap();
    assert_eq!(before, (pid(&home, "supervisor"), pid(&home, "nginx")));
    let dispatches = deck.store.dispatches(None, 100).await.unwrap();
    assert_eq!(dispatches.len(), 6, "two swarms, each three times");
    assert!(dispatches.iter().all(|dispatch| dispatch.outcome == Some(Outcome::Done)));
    assert!(facts.url.starts_with("http://127.0.0.1:") && facts.repository.join(".git").is_dir());

    // While a console is open, it stays.
    assert!(demo::down(&home, &say).await.unwrap_err().what.contains("open on the demo"));
    deck.close().await;
    drop(deck);

    // The worst: supervisord is killed, its procs run on alone.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(before.0), nix::sys::signal::Signal::SIGKILL).unwrap();
    demo::down(&home, &say).await.unwrap();
    assert!(!home.exists());
    assert_eq!(processes_of(&home), Vec::<String>::new());
    demo::down(&home, &say).await.unwrap();
}

#[test]
fn an_ordinary_user_has_it_too() {
    if !nix::unistd::Uid::effective().is_root() {
        println!("skipped: needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (program, home) = (dir.path().join("it"), dir.path().join("home"));
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(65534), Some(65534)).unwrap();
    let done = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"])
        .arg(&program)
        .args(["demo::versions_come_and_go_without_a_failed_request_and_nothing_is_left", "--exact", "--nocapture"])
        .env("HOME", &home)
        .env("TMPDIR", &home)
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .current_dir(&home)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("1 passed") && said.contains(" requests, 0 failed"), "{said}");
    assert_eq!(processes_of(&home), Vec::<String>::new());
}
