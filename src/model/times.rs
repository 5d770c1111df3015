//! In which zone times are shown and read: UTC, or the operator's own.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A zone for times.
#[derive(Debug, Clone, PartialEq)]
pub struct Times(TimeZone);

impl Default for Times {
    /// UTC: the same for all who look at one fleet.
    fn default() -> Self {
        Times(TimeZone::UTC)
    }
}

impl Times {
    pub fn of(zone: TimeZone) -> Times {
        Times(zone)
    }
    /// The zone that times without one are written in.
    pub fn zone(&self) -> &TimeZone {
        &self.0
    }
    /// What it is called at a time: `UTC`, `CET`, `+03`.
    pub fn word(&self, ms: i64) -> String {
        Timestamp::from_millisecond(ms).map_or_else(|_| "UTC".into(), |at| self.0.to_offset_info(at).abbreviation().to_string())
    }
    /// The time of day: `14:02:31`.
    pub fn clock(&self, ms: i64) -> String {
        self.written(ms, "%T")
    }
    /// Day and time: `2026-11-21 14:02:31`; `-` for never.
    pub fn date(&self, ms: i64) -> String {
        if ms <= 0 { "-".into() } else { self.written(ms, "%F %T") }
    }
    /// Day, time and zone: `2026-11-21 14:02:31 UTC`; `-` for never.
    pub fn full(&self, ms: i64) -> String {
        if ms <= 0 { "-".into() } else { format!("{} {}", self.date(ms), self.word(ms)) }
    }

    fn written(&self, ms: i64, form: &str) -> String {
        Timestamp::from_millisecond(ms).map_or_else(|_| "-".into(), |at| at.to_zoned(self.0.clone()).strftime(form).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_says_its_zone() {
        let (utc, west) = (Times::default(), Times::of(TimeZone::posix("EST5").unwrap()));
        let at = 1_795_225_365_000;
        assert_eq!(
            (utc.clock(at), utc.date(at), utc.full(at)),
            ("01:42:45".into(), "2026-11-21 01:42:45".into(), "2026-11-21 01:42:45 UTC".into())
        );
        assert_eq!((west.clock(at), west.full(at)), ("20:42:45".into(), "2026-11-20 20:42:45 EST".into()));
        assert_eq!((utc.date(0), utc.full(-1), utc.clock(50_551_000)), ("-".into(), "-".into(), "14:02:31".into()));
    }
}
