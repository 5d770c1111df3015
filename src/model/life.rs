//! One life of a proc: from a start to its end, how it ended, and what it said last.

use serde::{Deserialize, Serialize};

/// How many lives of each proc are kept.
pub const KEPT: usize = 20;
/// How many lines before the end of a life are kept.
pub const LINES: usize = 50;

/// That a life was ended for want of memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Oom {
    /// Where it was read.
    pub sign: String,
    /// The kernel's log names its pid; otherwise the signs only fit.
    pub sure: bool,
}

/// One life of a proc.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Life {
    pub host: String,
    pub name: String,
    /// The swarm's id, from the stamp.
    pub swarm: String,
    pub version: String,
    pub release: String,
    pub pid: Option<u32>,
    /// Unix seconds by the host's clock; 0 is not known.
    pub start: i64,
    /// 0 while it lives, or not known.
    pub end: i64,
    pub exit_status: Option<i64>,
    /// `SIGKILL` where a signal ended it.
    pub signal: String,
    /// Supervisor ended it because it was asked to.
    pub stopped: bool,
    pub spawn_error: String,
    pub oom: Option<Oom>,
    /// The lines before its end, at most [`LINES`], safe for a terminal.
    pub lines: Vec<String>,
}

impl Life {
    /// Whether it ended though nobody asked.
    pub fn died(&self) -> bool {
        !self.stopped && (self.end > 0 || !self.spawn_error.is_empty())
    }

    /// How it ended, in a few words.
    pub fn how(&self) -> String {
        let mut how = match (&self.exit_status, self.signal.as_str()) {
            (Some(status), _) if *status >= 0 => format!("exit {status}"),
            (_, signal) if !signal.is_empty() => signal.to_string(),
            _ if !self.spawn_error.is_empty() => self.spawn_error.clone(),
            _ if self.end == 0 => "runs".into(),
            _ => "ended".into(),
        };
        if let Some(oom) = &self.oom {
            how.push_str(if oom.sure { ", out of memory" } else { ", perhaps out of memory" });
        }
        if self.stopped {
            how.push_str(", stopped");
        }
        how
    }

    /// Its name in the store, below `swarm/host/name/`: sorted by its start.
    pub fn key(&self) -> String {
        format!("{}{:012}-{}", prefix(&self.swarm, &self.host, &self.name), self.start.max(0), self.pid.unwrap_or(0))
    }
}

/// Under which all lives of one proc are kept.
pub fn prefix(swarm: &str, host: &str, name: &str) -> String {
    format!("{swarm}/{host}/{name}/")
}
