//! The time that a line of a log carries, in the forms that programs write: ISO 8601, Go and nginx, Apache, syslog, Unix seconds.

use std::ops::Range;

/// How far into a line a time is looked for, bytes.
const FAR: usize = 200;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A time found in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped {
    /// ms since the epoch; a time without a zone is read as UTC.
    pub at_ms: i64,
    /// Where it stands, in bytes.
    pub place: Range<usize>,
}

/// The first time in the line; none where it has none that can be read. `now_ms` gives the year to forms without one.
pub fn time_of(line: &str, now_ms: i64) -> Option<Stamped> {
    let bytes = line.as_bytes();
    let begin = bytes.iter().take(4).take_while(|byte| matches!(byte, b' ' | b'[' | b'(' | b'"')).count();
    if let Some((at_ms, end)) = unix(bytes, begin).or_else(|| syslog(bytes, begin, now_ms)) {
        return Some(Stamped { at_ms, place: begin..end });
    }
    let mut before = b' ';
    for at in 0..bytes.len().min(FAR) {
        let byte = *bytes.get(at)?;
        if byte.is_ascii_digit() && !before.is_ascii_alphanumeric() {
            let named = || NAMES.iter().any(|name| bytes.get(..at).is_some_and(|head| head.ends_with(name.as_bytes())));
            let found = iso(bytes, at).or_else(|| apache(bytes, at)).or_else(|| if named() { unix(bytes, at) } else { None });
            if let Some((at_ms, end)) = found {
                return Some(Stamped { at_ms, place: at..end });
            }
        }
        before = byte;
    }
    None
}

/// What stands before Unix seconds in JSON and logfmt.
const NAMES: [&str; 6] = ["\"ts\":", "\"time\":", "\"timestamp\":", "\"@timestamp\":", "ts=", "time="];

/// Whether two lines say the same but for their times.
pub fn same_but_for_time(a: &str, a_time: Option<&Range<usize>>, b: &str, b_time: Option<&Range<usize>>) -> bool {
    let parts = |text: &str, time: Option<&Range<usize>>| match time {
        Some(time) => (text.get(..time.start).unwrap_or_default().to_string(), text.get(time.end..).unwrap_or_default().to_string()),
        None => (String::new(), text.to_string()),
    };
    a_time.is_some() == b_time.is_some() && parts(a, a_time) == parts(b, b_time)
}

fn number(bytes: &[u8], from: usize, digits: usize) -> Option<i64> {
    let text = bytes.get(from..from + digits)?;
    text.iter().try_fold(0i64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
}

/// `2026-11-21T10:41:55.123+01:00`, with a blank for the T, `/` for `-`, `,` for `.`, and the fraction and zone left out.
fn iso(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let apart = *bytes.get(at + 4)?;
    if !matches!(apart, b'-' | b'/') || *bytes.get(at + 7)? != apart || !matches!(*bytes.get(at + 10)?, b'T' | b't' | b' ') {
        return None;
    }
    let day = days(number(bytes, at, 4)?, number(bytes, at + 5, 2)?, number(bytes, at + 8, 2)?)?;
    let (ms, end) = clock(bytes, at + 11)?;
    let (fraction, end) = fraction(bytes, end);
    let (zone, end) = zone(bytes, end);
    Some((day * 86_400_000 + ms + fraction - zone, end))
}

/// `21/Nov/2026:10:41:55 +0100`
fn apache(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    if *bytes.get(at + 2)? != b'/' || *bytes.get(at + 6)? != b'/' || *bytes.get(at + 11)? != b':' {
        return None;
    }
    let day = days(number(bytes, at + 7, 4)?, month(bytes, at + 3)?, number(bytes, at, 2)?)?;
    let (ms, end) = clock(bytes, at + 12)?;
    let (zone, end) = if bytes.get(end) == Some(&b' ') { zone(bytes, end + 1) } else { (0, end) };
    Some((day * 86_400_000 + ms - zone, end))
}

/// `Nov 21 10:41:55`, of the year that brings it nearest to now.
fn syslog(bytes: &[u8], at: usize, now_ms: i64) -> Option<(i64, usize)> {
    let month = month(bytes, at)?;
    if *bytes.get(at + 3)? != b' ' {
        return None;
    }
    let day = number(bytes, at + 4, 2).or_else(|| if bytes.get(at + 4) == Some(&b' ') { number(bytes, at + 5, 1) } else { None })?;
    if *bytes.get(at + 6)? != b' ' {
        return None;
    }
    let (ms, end) = clock(bytes, at + 7)?;
    let year = 1970 + now_ms.div_euclid(31_556_952_000);
    let of_year = |year| days(year, month, day).map(|day| day * 86_400_000 + ms);
    let nearest = [year - 1, year, year + 1].into_iter().filter_map(of_year).min_by_key(|at_ms| (at_ms - now_ms).abs())?;
    Some((nearest, end))
}

/// Seconds since 1970 (10 digits, perhaps a fraction) or milliseconds (13 digits).
fn unix(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let digits = bytes.get(at..)?.iter().take(14).take_while(|byte| byte.is_ascii_digit()).count();
    let (ms, end) = match digits {
        10 => {
            let (fraction, end) = fraction(bytes, at + 10);
            (number(bytes, at, 10)? * 1000 + fraction, end)
        }
        13 => (number(bytes, at, 13)?, at + 13),
        _ => return None,
    };
    let ends = bytes.get(end).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    (ends && (1_000_000_000_000..4_000_000_000_000).contains(&ms)).then_some((ms, end))
}

fn month(bytes: &[u8], at: usize) -> Option<i64> {
    let name = bytes.get(at..at + 3)?;
    MONTHS.iter().position(|month| month.as_bytes() == name).and_then(|month| i64::try_from(month + 1).ok())
}

/// `10:41:55` as ms of its day.
fn clock(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    if *bytes.get(at + 2)? != b':' || *bytes.get(at + 5)? != b':' {
        return None;
    }
    let (hour, minute, second) = (number(bytes, at, 2)?, number(bytes, at + 3, 2)?, number(bytes, at + 6, 2)?);
    (hour < 24 && minute < 60 && second < 61).then_some(((hour * 3600 + minute * 60 + second) * 1000, at + 8))
}

fn fraction(bytes: &[u8], at: usize) -> (i64, usize) {
    if !matches!(bytes.get(at), Some(b'.' | b',')) {
        return (0, at);
    }
    let digits = bytes.iter().skip(at + 1).take(9).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return (0, at);
    }
    let ms = (0..3).fold(0, |ms, digit| ms * 10 + if digit < digits { number(bytes, at + 1 + digit, 1).unwrap_or(0) } else { 0 });
    (ms, at + 1 + digits)
}

/// How far the zone is ahead of UTC, ms.
fn zone(bytes: &[u8], at: usize) -> (i64, usize) {
    let sign = match bytes.get(at) {
        Some(b'Z' | b'z') => return (0, at + 1),
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return (0, at),
    };
    let Some(hours) = number(bytes, at + 1, 2) else { return (0, at) };
    let colon = usize::from(bytes.get(at + 3) == Some(&b':'));
    let (minutes, end) = number(bytes, at + 3 + colon, 2).map_or((0, at + 3), |minutes| (minutes, at + 5 + colon));
    (sign * (hours * 60 + minutes) * 60_000, end)
}

/// Days since 1970-01-01 of a day of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1970..=2200).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years that begin in March, so that the leap day is a year's last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_795_226_551_000;

    #[test]
    fn the_forms_that_programs_write() {
        // 2026-11-21 10:41:55 UTC
        let at = 1_795_257_715_000;
        for (line, ms) in [
            ("2026-11-21T10:41:55Z hello", at),
            ("2026-11-21T10:41:55.123Z hello", at + 123),
            ("2026-11-21 10:41:55,9 INFO hello", at + 900),
            ("2026-11-21T11:41:55+01:00 x", at),
            ("2026-11-21T07:11:55-0330 x", at),
            ("2026/11/21 10:41:55 [error] 7#7: x", at),
            ("[2026-11-21 10:41:55 +0000] [7] [INFO] Booting worker", at),
            ("INFO  2026-11-21T10:41:55Z x", at),
            ("127.0.0.1 - - [21/Nov/2026:10:41:55 +0000] \"GET / HTTP/1.1\" 200 2", at),
            ("Nov 21 10:41:55 web01 sshd[1]: x", at),
            ("Nov  1 10:41:55 web01 x", at - 20 * 86_400_000),
            ("1795257715 x", at),
            ("1795257715.25 x", at + 250),
            ("{\"level\":\"info\",\"ts\":1795257715.5,\"msg\":\"x\"}", at + 500),
            ("{\"time\":\"2026-11-21T10:41:55.001Z\",\"msg\":\"x\"}", at + 1),
            ("level=info ts=2026-11-21T10:41:55Z msg=x", at),
            ("-- swarmdeck: started as pid 7 at 2026-11-21T10:41:55Z", at),
        ] {
            let found = time_of(line, NOW).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(found.at_ms, ms, "{line}: {:?}", &line[found.place.clone()]);
        }
        for line in ["", "hello", "port 5000 is open", "10:41:55 x", "2026-13-45T10:41:55Z", "99999999999999", "x 1795257715 y", "Nov 21"] {
            assert_eq!(time_of(line, NOW), None, "{line}");
        }
    }

    #[test]
    fn lines_that_differ_in_their_time_only_are_the_same() {
        let (a, b) = ("2026-11-21T10:41:55Z lost", "2026-11-21T10:41:56Z lost");
        let place = |line: &str| time_of(line, NOW).map(|found| found.place);
        assert!(same_but_for_time(a, place(a).as_ref(), b, place(b).as_ref()));
        assert!(!same_but_for_time(a, place(a).as_ref(), "lost", None));
        assert!(!same_but_for_time("one", None, "two", None));
    }

    proptest! {
        #[test]
        fn no_line_panics_and_what_is_found_lies_in_it(line in "[0-9TZ :,./+-]{0,40}|\\PC{0,60}") {
            if let Some(found) = time_of(&line, NOW) {
                prop_assert!(line.get(found.place).is_some());
            }
        }
        #[test]
        fn a_day_and_its_number_agree(days_since in 0i64..80_000) {
            let at = jiff::Timestamp::from_second(days_since * 86_400).unwrap();
            let line = at.strftime("%FT%TZ").to_string();
            prop_assert_eq!(time_of(&line, NOW).map(|found| found.at_ms), Some(days_since * 86_400_000));
        }
    }
}
