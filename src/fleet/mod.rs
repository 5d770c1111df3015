//! What is: polls hosts, keeps the age of what is known, and says whose each proc is (ours, orphan, foreign).

pub mod classify;
pub mod observe;
mod strays;

pub use classify::{Known, procs};
pub use observe::{DEADLINE, Reached, poll, poll_all, seen};
pub use strays::{Facts, RunState, strays};
