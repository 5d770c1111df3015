//! The one integration-test binary: what crosses floors, on real hosts, real tools, a real terminal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

mod bad_input;
mod balancers;
mod boundaries;
mod console;
mod crash;
mod demo;
mod edit;
mod ends;
mod faults;
mod fixtures;
mod fleet;
mod guard;
mod logs;
mod main_job;
mod requests;
mod rollout;
mod strays;
mod waves;
mod why;
