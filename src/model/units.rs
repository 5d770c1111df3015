//! Quantities as an operator writes them: `5s`, `256M`, `5000-5999`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time, written like `5s`, `2m`, `1h 30m`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", humantime::format_duration(self.0))
    }
}
impl FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text).map(Span).map_err(|_| format!("'{text}' is not a length of time; write 5s, 2m or 1h"))
    }
}

/// An amount of memory, written like `256M` or `1G` (powers of 1024, as Velociraptor's `mem_limit`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut value, mut unit) = (self.0, "");
        for next in ["K", "M", "G", "T"] {
            if value == 0 || value % 1024 != 0 {
                break;
            }
            (value, unit) = (value / 1024, next);
        }
        write!(f, "{value}{unit}")
    }
}
impl FromStr for Bytes {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not an amount of memory; write 256M or 1G");
        let trimmed = text.trim();
        let digits = trimmed.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = trimmed.strip_prefix(digits).unwrap_or_default().trim();
        let factor: u64 = match unit.to_ascii_uppercase().as_str() {
            "" | "B" => 1,
            "K" | "KB" | "KIB" => 1 << 10,
            "M" | "MB" | "MIB" => 1 << 20,
            "G" | "GB" | "GIB" => 1 << 30,
            "T" | "TB" | "TIB" => 1 << 40,
            _ => return Err(wrong()),
        };
        digits.parse::<u64>().ok().and_then(|n| n.checked_mul(factor)).map(Bytes).ok_or_else(wrong)
    }
}

/// A time in the past as somebody writes it: `2h` (ago), `14:00` (the last one), `2026-11-20`, `2026-11-20T14:00`; in `zone` where none is
/// said. None when it is no time.
pub fn moment(now_ms: i64, text: &str, zone: &jiff::tz::TimeZone) -> Option<i64> {
    let at = |time: jiff::civil::DateTime| zone.to_timestamp(time).ok().map(|at| at.as_millisecond());
    if let Ok(ago) = humantime::parse_duration(text) {
        return i64::try_from(ago.as_millis()).ok().map(|ago| now_ms.saturating_sub(ago));
    }
    if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
        return Some(stamp.as_millisecond());
    }
    if let Ok(clock) = text.parse::<jiff::civil::Time>() {
        let today = jiff::Timestamp::from_millisecond(now_ms).ok()?.to_zoned(zone.clone()).date();
        let first = at(today.to_datetime(clock))?;
        return if first <= now_ms { Some(first) } else { at(today.yesterday().ok()?.to_datetime(clock)) };
    }
    // A date alone is its beginning.
    text.parse::<jiff::civil::DateTime>().ok().and_then(at)
}

/// The ports that procs of a host may have, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    pub first: u16,
    pub last: u16,
}

impl Default for Ports {
    /// Velociraptor's range (PORT_RANGE_START 5000, PORT_RANGE_END 6000 exclusive).
    fn default() -> Self {
        Ports { first: 5000, last: 5999 }
    }
}
impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}
impl FromStr for Ports {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not a range of ports; write 5000-5999");
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let (first, last) = (first.trim().parse().map_err(|_| wrong())?, last.trim().parse().map_err(|_| wrong())?);
        if first == 0 || last < first { Err(wrong()) } else { Ok(Ports { first, last }) }
    }
}

/// What a dispatch does about hosts that do not answer (DESIGN part 4, `absent`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Absent {
    /// There is no plan; a dispatch under way is undone.
    #[default]
    Abort,
    /// It goes on while at least so many hosts of the squad answer; what is owed to the others is a debt.
    Quorum(u32),
    /// It goes on while any host answers.
    GoOn,
}

impl Absent {
    /// How many hosts must answer for it to go on without the others; none: it never does.
    pub fn hosts_needed(self) -> Option<u32> {
        match self {
            Absent::Abort => None,
            Absent::Quorum(hosts) => Some(hosts.max(1)),
            Absent::GoOn => Some(1),
        }
    }
}
impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Absent::Abort => f.write_str("abort"),
            Absent::Quorum(hosts) => write!(f, "quorum {hosts}"),
            Absent::GoOn => f.write_str("go-on"),
        }
    }
}
impl FromStr for Absent {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not a rule for absent hosts; write abort, quorum 3 or go-on");
        match text.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["abort"] => Ok(Absent::Abort),
            ["go-on"] => Ok(Absent::GoOn),
            ["quorum", hosts] => hosts.parse().ok().filter(|hosts| *hosts > 0).map(Absent::Quorum).ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }
}

macro_rules! as_text {
    ($($kind:ty),*) => {$(
        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
as_text!(Span, Bytes, Ports, Absent);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bytes in any::<u64>(), seconds in 0u64..1_000_000, first in 1u16..30000, more in 0u16..30000) {
            prop_assert_eq!(Bytes(bytes).to_string().parse::<Bytes>().unwrap(), Bytes(bytes));
            let span = Span(Duration::from_secs(seconds));
            prop_assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
            let ports = Ports { first, last: first + more };
            prop_assert_eq!(ports.to_string().parse::<Ports>().unwrap(), ports);
            for rule in [Absent::Abort, Absent::GoOn, Absent::Quorum(u32::from(first))] {
                prop_assert_eq!(rule.to_string().parse::<Absent>().unwrap(), rule);
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        assert!("12Q".parse::<Bytes>().is_err());
        assert!("99999999999999999999G".parse::<Bytes>().is_err());
        assert!("6000-5000".parse::<Ports>().is_err());
        assert!("soon".parse::<Span>().is_err());
        assert!("quorum 0".parse::<Absent>().is_err());
        assert!("ignore".parse::<Absent>().is_err());
    }

    #[test]
    fn moments() {
        let now = 1_795_226_551_000; // 2026-11-21 02:02:31 UTC
        assert_eq!(moment(now, "2h", &jiff::tz::TimeZone::UTC), Some(now - 7_200_000));
        assert_eq!(moment(now, "02:00", &jiff::tz::TimeZone::UTC), Some(now - 151_000));
        assert_eq!(moment(now, "03:00", &jiff::tz::TimeZone::UTC), Some(now + 3_449_000 - 86_400_000), "yesterday's");
        assert_eq!(moment(now, "2026-11-21", &jiff::tz::TimeZone::UTC), Some(now - 7_351_000));
        assert_eq!(moment(now, "2026-11-21T02:02:31Z", &jiff::tz::TimeZone::UTC), Some(now));
        assert_eq!(moment(now, "2026-11-21T02:02:31", &jiff::tz::TimeZone::UTC), Some(now));
        assert_eq!(moment(now, "soon", &jiff::tz::TimeZone::UTC), None);
    }
}
