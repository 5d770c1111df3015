//! Schedules: left-over dispatches and retention.
