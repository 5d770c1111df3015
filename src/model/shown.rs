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

/// The text without the escape sequences of a terminal (ECMA-48: CSI, OSC and the like): what is left are the words.
pub fn without_colour(text: &str) -> String {
    if !text.contains('\x1b') {
        return text.to_string();
    }
    let (mut out, mut chars) = (String::with_capacity(text.len()), text.chars().peekable());
    while let Some(c) = chars.next() {
        if c != '\x1b' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('[') => drop(chars.by_ref().find(|c| ('\x40'..='\x7e').contains(c))),
            Some(']' | 'P' | '_' | '^' | 'X') => {
                let mut before = ' ';
                for c in chars.by_ref() {
                    if c == '\x07' || (before == '\x1b' && c == '\\') {
                        break;
                    }
                    before = c;
                }
            }
            _ => {}
        }
    }
    out
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

    #[test]
    fn escape_sequences_go_and_the_words_stay() {
        assert_eq!(without_colour("a\x1b[1;31mred\x1b[0m b\x1b]0;title\x07c\x1b]8;;x\x1b\\d"), "ared bcd");
        assert_eq!(without_colour("plain"), "plain");
    }

    proptest! {
        #[test]
        fn nothing_shown_is_a_control_character(text in any::<String>()) {
            prop_assert!(!shown(&text).chars().any(char::is_control));
            prop_assert!(!shown_lines(&text).chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
        }
    }
}
