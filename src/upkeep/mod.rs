//! Schedules: left-over dispatches and retention.

pub mod retention;
