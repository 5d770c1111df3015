//! Whether anything may be changed from here, and until when: a fleet that is `read_only` is looked at until that is lifted.

use super::Fault;

/// Whether this process may change anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Writing {
    /// It may.
    #[default]
    Always,
    /// The fleet is read-only; that was lifted here, for this reason, until then (ms since the epoch; 0: while this process lives).
    Until { until_ms: i64, why: String },
    /// The fleet is read-only.
    ReadOnly,
    /// The store cannot be written from here, and why.
    Never(String),
}

/// The longest that it is lifted for, ms.
pub const LONGEST_MS: i64 = 12 * 3_600_000;

impl Writing {
    /// Whether something may be changed now.
    pub fn may(&self, now_ms: i64) -> bool {
        self.refusal(now_ms).is_none()
    }

    /// How long it still may, ms; none when it may for ever, or not at all.
    pub fn left_ms(&self, now_ms: i64) -> Option<i64> {
        match self {
            Writing::Until { until_ms, .. } if *until_ms > now_ms => Some(until_ms - now_ms),
            _ => None,
        }
    }

    /// What whoever would change something is told; none when it may be changed.
    pub fn refusal(&self, now_ms: i64) -> Option<Fault> {
        let read_only = || {
            Fault::refused("READ-ONLY: this fleet is looked at until that is lifted, with a reason")
                .next("in the console :write 15m WHY, on the command line --write WHY; both are written down")
        };
        match self {
            Writing::Always => None,
            Writing::Until { until_ms, .. } => (*until_ms != 0 && now_ms >= *until_ms).then(read_only),
            Writing::ReadOnly => Some(read_only()),
            Writing::Never(why) => Some(Fault::refused(format!("READ-ONLY: {why}")).next("this one only looks")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_falls_back_by_itself() {
        let lifted = Writing::Until { until_ms: 1_000, why: "OPS-1".into() };
        assert!(lifted.may(999) && !lifted.may(1_000));
        assert_eq!((lifted.left_ms(400), lifted.left_ms(1_000)), (Some(600), None));
        assert_eq!(lifted.refusal(1_000), Writing::ReadOnly.refusal(0));
        assert!(Writing::Until { until_ms: 0, why: String::new() }.may(i64::MAX));
        assert!(Writing::Always.may(0));
        assert_eq!(Writing::Never("disk".into()).refusal(0).unwrap().exit_code(), 3);
    }
}
