//! Colours that a log line carries: SGR sequences become styles, every other escape sequence is dropped.

use crate::console::theme::Depth;
use ratatui::style::{Color, Modifier, Style};

/// The line in pieces of one style, at most `most` characters of text; a longer line is cut before it is looked at.
pub fn spans(text: &str, depth: Depth, most: usize) -> Vec<(Style, String)> {
    let mut spans = Vec::new();
    let mut style = Style::default();
    let mut piece = String::new();
    let mut taken = 0;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if taken >= most {
            break;
        }
        if c == '\t' {
            let gap = 8 - taken % 8;
            piece.extend(std::iter::repeat_n(' ', gap));
            taken += gap;
        } else if c == '\r' {
        } else if c == '\x1b' {
            let mut rest = chars.clone();
            match rest.next() {
                Some('[') => {}
                // A title or other command of the terminal: gone up to its end, BEL or ESC \\.
                Some(']' | 'P' | '_' | '^' | 'X') => {
                    let mut before = ' ';
                    for c in chars.by_ref().take(4096) {
                        if c == '\x07' || (before == '\x1b' && c == '\\') {
                            break;
                        }
                        before = c;
                    }
                    continue;
                }
                _ => {
                    chars.next();
                    continue;
                }
            }
            let body: String = rest.by_ref().take(64).take_while(|c| !('\x40'..='\x7e').contains(c)).collect();
            let end = text_after(&mut chars, body.chars().count() + 1);
            if end == Some('m') {
                if !piece.is_empty() {
                    spans.push((style, std::mem::take(&mut piece)));
                }
                style = if depth == Depth::Mono { style } else { sgr(style, &body, depth) };
            }
        } else {
            piece.push(c);
            taken += 1;
        }
    }
    if !piece.is_empty() {
        spans.push((style, piece));
    }
    spans
}

/// Skips so many characters and answers with the one after.
fn text_after(chars: &mut std::str::Chars<'_>, skip: usize) -> Option<char> {
    chars.nth(skip)
}

fn sgr(mut style: Style, body: &str, depth: Depth) -> Style {
    const COLORS: [Color; 8] =
        [Color::Black, Color::Red, Color::Green, Color::Yellow, Color::Blue, Color::Magenta, Color::Cyan, Color::Gray];
    const BRIGHT: [Color; 8] = [
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ];
    let mut numbers = body.split(';').map(|number| number.parse::<u16>().unwrap_or(0));
    while let Some(number) = numbers.next() {
        match number {
            0 => style = Style::default(),
            1 => style = style.add_modifier(Modifier::BOLD),
            2 => style = style.add_modifier(Modifier::DIM),
            4 => style = style.add_modifier(Modifier::UNDERLINED),
            30..=37 => style = style.fg(COLORS.get(usize::from(number - 30)).copied().unwrap_or_default()),
            90..=97 => style = style.fg(BRIGHT.get(usize::from(number - 90)).copied().unwrap_or_default()),
            39 => style.fg = None,
            38 | 48 => {
                let color = match numbers.next() {
                    Some(5) => numbers.next().and_then(|n| u8::try_from(n).ok()).map(Color::Indexed),
                    Some(2) => {
                        let mut part = || numbers.next().and_then(|n| u8::try_from(n).ok()).unwrap_or(0);
                        Some(Color::Rgb(part(), part(), part()))
                    }
                    _ => None,
                };
                if let Some(color) = color.filter(|_| number == 38) {
                    style = style.fg(depth.nearest(color));
                }
            }
            _ => {}
        }
    }
    style
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        spans(text, Depth::True, 1000).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn colours_become_styles_and_the_rest_goes() {
        let got = spans("a\x1b[1;31mred\x1b[0m b\x1b[2Kc\x1b]0;t", Depth::True, 1000);
        assert_eq!(got.first().unwrap(), &(Style::default(), "a".into()));
        assert_eq!(got.get(1).unwrap(), &(Style::default().fg(Color::Red).add_modifier(Modifier::BOLD), "red".into()));
        assert_eq!(plain("a\x1b]0;title\x07b\x1b]8;;x\x1b\\c"), "abc");
        assert!(plain("a\x1b[2Kb\x1b[").starts_with("ab"));
        assert_eq!(spans("\x1b[31mx", Depth::Mono, 10), vec![(Style::default(), "x".into())]);
        assert_eq!(plain("a\tb"), "a       b");
        assert_eq!(spans(&"x".repeat(10_000_000), Depth::True, 80).first().map(|(_, text)| text.len()), Some(80));
    }
}
