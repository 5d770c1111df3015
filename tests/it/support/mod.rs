//! What the integration tests stand on: a fleet of real hosts, repositories, a database, waiting on conditions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test or bench fails by panicking")]
#![allow(dead_code, reason = "each helper is for tests that come and go")]

pub mod deck;
pub mod fleet;
pub mod postgres;
pub mod repo;
pub mod terminal;

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Whether this is root; if not, says so past the test harness's capture: the caller then returns.
pub fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        let name = std::thread::current().name().unwrap_or("a test").to_owned();
        let _ = writeln!(std::io::stderr(), "{name}: skipped: needs root");
    }
    root
}

/// Waits until `condition` holds; fails after `limit`, naming `what`.
pub fn until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A file of `tests/it/support/`.
pub fn support_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/support").join(name)
}

/// A file or directory of `fixtures/`.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}
