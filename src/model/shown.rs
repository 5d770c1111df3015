//! Text from hosts, repositories and procs, made safe for a terminal: control bytes are shown, not sent.

/// The text with every control character (C0, DEL, C1, bidi overrides) replaced by a visible form;
/// tabs and newlines too. For one line or one table cell.
pub fn shown(text: &str) -> String {
    text.chars().map(visible).collect()
}

/// Like [`shown`], but newlines and tabs stay: for text of several lines.
pub fn shown_lines(text: &str) -> String {
    text.chars().map(|c| if c == '\n' || c == '\t' { c } else { visible(c) }).collect()
}

/// Bytes as text, invalid UTF-8 replaced, made safe like [`shown`].
pub fn shown_bytes(bytes: &[u8]) -> String {
    shown(&String::from_utf8_lossy(bytes))
}

fn visible(c: char) -> char {
    match c {
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        '\u{80}'..='\u{9f}' => '\u{fffd}',
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => '\u{fffd}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_shown_is_a_control_character(text in any::<String>()) {
            prop_assert!(!shown(&text).chars().any(char::is_control));
            prop_assert!(!shown_lines(&text).chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
        }
    }
}
