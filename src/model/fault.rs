//! What an operator is told when something did not work: what, on which host, at which step, and what to do next.

use super::shown::shown;
use serde::{Deserialize, Serialize};

/// The result of everything that can fail towards an operator.
pub type Result<T, E = Fault> = std::result::Result<T, E>;

/// What kind of failure it is; decides the exit code of the command line (DESIGN part 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The operator's input is wrong (exit 2).
    BadInput,
    /// On hold, the world moved, not ours (exit 3).
    Refused,
    /// Somebody else is at it now; it may be waited for (exit 3).
    Busy,
    /// A host or balancer does not answer (exit 3 before anything was done).
    Unreachable,
    /// It was tried and did not work (exit 1).
    Failed,
    /// Stopped on the way; can be resumed (exit 5).
    Interrupted,
}

/// An error for the operator. `what` holds no control bytes and no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}", self.line())]
pub struct Fault {
    pub kind: FaultKind,
    /// One sentence: what failed, with its place (`file:line:column` for text).
    pub what: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The next thing to do, as an imperative sentence or a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Fault {
    /// A fault of any kind; control bytes in `what` are made visible.
    pub fn new(kind: FaultKind, what: impl AsRef<str>) -> Fault {
        Fault { kind, what: shown(what.as_ref()), host: None, step: None, next: None }
    }
    /// The operator's input is wrong.
    pub fn bad(what: impl AsRef<str>) -> Fault {
        Fault::new(FaultKind::BadInput, what)
    }
    /// Refused: on hold, moved, not ours.
    pub fn refused(what: impl AsRef<str>) -> Fault {
        Fault::new(FaultKind::Refused, what)
    }
    /// Tried, and it did not work.
    pub fn failed(what: impl AsRef<str>) -> Fault {
        Fault::new(FaultKind::Failed, what)
    }
    /// Somebody else is at it now.
    pub fn busy(what: impl AsRef<str>) -> Fault {
        Fault::new(FaultKind::Busy, what)
    }
    /// No answer.
    pub fn unreachable(what: impl AsRef<str>) -> Fault {
        Fault::new(FaultKind::Unreachable, what)
    }
    /// Stopped between steps.
    pub fn interrupted(what: impl AsRef<str>) -> Fault {
        Fault::new(FaultKind::Interrupted, what)
    }
    /// On which host.
    #[must_use]
    pub fn on(mut self, host: impl AsRef<str>) -> Fault {
        self.host.get_or_insert_with(|| shown(host.as_ref()));
        self
    }
    /// At which step.
    #[must_use]
    pub fn at(mut self, step: impl AsRef<str>) -> Fault {
        self.step.get_or_insert_with(|| shown(step.as_ref()));
        self
    }
    /// What to do next.
    #[must_use]
    pub fn next(mut self, next: impl AsRef<str>) -> Fault {
        self.next.get_or_insert_with(|| shown(next.as_ref()));
        self
    }
    /// The exit code of the command line for this fault (DESIGN part 7).
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            FaultKind::BadInput => 2,
            FaultKind::Refused | FaultKind::Busy | FaultKind::Unreachable => 3,
            FaultKind::Failed => 1,
            FaultKind::Interrupted => 5,
        }
    }
    /// The fault in one line: `web01, start: what. Next: …`.
    pub fn line(&self) -> String {
        let mut line = String::new();
        match (&self.host, &self.step) {
            (Some(host), Some(step)) => line.push_str(&format!("{host}, {step}: ")),
            (Some(place), None) | (None, Some(place)) => line.push_str(&format!("{place}: ")),
            (None, None) => {}
        }
        line.push_str(&self.what);
        if let Some(next) = &self.next {
            line.push_str(if line.ends_with(['.', '!', '?']) { " Next: " } else { ". Next: " });
            line.push_str(next);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_has_every_part_and_no_control_bytes() {
        let fault = Fault::failed("exit 1:\x1b[31m boom").on("web01").at("start").next("swarmdeck why shop-prod-web");
        assert_eq!(fault.line(), "web01, start: exit 1:\u{241b}[31m boom. Next: swarmdeck why shop-prod-web");
        assert_eq!(fault.exit_code(), 1);
    }
}
