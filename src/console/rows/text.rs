//! Ages, amounts and times as people read them; coarse, so that a still screen stays still.

/// How long ago, in one unit: `<1m`, `3m`, `2h`, `9d`; `-` for never.
pub fn age(now_ms: i64, then_ms: i64) -> String {
    if then_ms <= 0 {
        return "-".into();
    }
    let minutes = (now_ms - then_ms).max(0) / 60_000;
    match minutes {
        0 => "<1m".into(),
        1..=59 => format!("{minutes}m"),
        60..=1439 => format!("{}h", minutes / 60),
        _ => format!("{}d", minutes / 1440),
    }
}

/// How old what is shown is: `<15s`, `<1m`, then as [`age`]. Polls come every 2 to 15 s, so it is still while all is well.
pub fn seen(now_ms: i64, then_ms: i64) -> String {
    if then_ms > 0 && now_ms - then_ms < 15_000 { "<15s".into() } else { age(now_ms, then_ms) }
}

/// A length of time to the second: `18s`, `60s`, `1m52s`, `3h04m`.
pub fn span(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    match seconds {
        0..=99 => format!("{seconds}s"),
        100..=3599 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// An amount of bytes in at most six characters: `41 M`, `2.1 G`, `0`.
pub fn bytes(amount: u64) -> String {
    const UNITS: [&str; 4] = ["K", "M", "G", "T"];
    let mut value = amount as f64;
    if amount < 1024 {
        return if amount == 0 { "0".into() } else { format!("{amount} B") };
    }
    let mut unit = "B";
    for next in UNITS {
        if value < 1000.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if value < 10.0 && unit != "K" && unit != "M" { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// A number with its thousands apart: `1,204`.
pub fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if number < 0 { format!("-{out}") } else { out }
}

/// `-` where there is nothing.
pub fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let minute = 60_000;
        let ages: Vec<String> =
            [0, 30_000, 3 * minute, 119 * minute, 47 * 60 * minute, 9 * 1440 * minute].iter().map(|ms| age(1 + ms, 1)).collect();
        assert_eq!(ages, ["<1m", "<1m", "3m", "1h", "1d", "9d"]);
        assert_eq!([span(18_400), span(112_000), span(11_040_000)], ["18s", "1m52s", "3h04m"]);
        assert_eq!([bytes(0), bytes(900), bytes(41 << 20), bytes(2_254_857_830), bytes(1 << 40)], ["0", "900 B", "41 M", "2.1 G", "1.0 T"]);
        assert_eq!([count(1204), count(7), count(1_000_000)], ["1,204", "7", "1,000,000"]);
    }
}
