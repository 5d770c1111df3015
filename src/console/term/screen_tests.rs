//! A terminal that is given our bytes shows the frame, whatever frames follow one another; and what a scroll costs.

use super::*;
use proptest::prelude::*;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

/// A screen of ours and a terminal that gets its bytes.
struct Pair {
    screen: Screen,
    terminal: vt100::Parser,
}

impl Pair {
    fn new(width: u16, height: u16) -> Pair {
        Pair { screen: Screen::new(Rect::new(0, 0, width, height)), terminal: vt100::Parser::new(height, width, 0) }
    }

    /// Draws; how many bytes it was.
    fn draw(&mut self, draw: impl FnOnce(&mut Buffer) -> Option<Position>) -> usize {
        let mut cursor = None;
        let bytes = self.screen.frame(|buffer| {
            cursor = draw(buffer);
            cursor
        });
        self.terminal.process(&bytes);
        self.shows_the_frame(cursor);
        bytes.len()
    }

    /// Cell by cell; of a blank cell only what can be seen.
    fn shows_the_frame(&self, cursor: Option<Position>) {
        let (buffer, screen) = (&self.screen.shown, self.terminal.screen());
        let mut covered = 0;
        for position in buffer.area.positions() {
            let (wanted, cell) = (&buffer[position], screen.cell(position.y, position.x).unwrap());
            if position.x == 0 {
                covered = 0;
            }
            if covered > 0 {
                covered -= 1;
                continue;
            }
            covered = wanted.symbol().width().saturating_sub(1);
            let text = if cell.has_contents() { cell.contents() } else { " " };
            assert_eq!(text, wanted.symbol(), "{position:?}\n{}", screen.contents());
            let seen = |modifier: Modifier| wanted.modifier.contains(modifier);
            assert_eq!((cell.underline(), cell.inverse()), (seen(Modifier::UNDERLINED), seen(Modifier::REVERSED)), "{position:?}");
            assert_eq!(cell.bgcolor(), color(wanted.bg), "background {position:?} {text:?}\n{}", screen.contents());
            if text != " " {
                assert_eq!(cell.fgcolor(), color(wanted.fg), "{position:?} {text:?}");
                assert_eq!(
                    (cell.bold(), cell.dim(), cell.italic()),
                    (seen(Modifier::BOLD), seen(Modifier::DIM), seen(Modifier::ITALIC)),
                    "{position:?} {text:?}"
                );
            }
        }
        assert_eq!(screen.hide_cursor(), cursor.is_none());
        if let Some(at) = cursor {
            assert_eq!(screen.cursor_position(), (at.y, at.x));
        }
    }
}

fn color(color: Color) -> vt100::Color {
    match color {
        Color::Red => vt100::Color::Idx(1),
        Color::LightBlue => vt100::Color::Idx(12),
        Color::Indexed(number) => vt100::Color::Idx(number),
        Color::Rgb(r, g, b) => vt100::Color::Rgb(r, g, b),
        _ => vt100::Color::Default,
    }
}

#[test]
fn an_identical_frame_is_no_bytes_and_a_small_change_few() {
    let mut pair = Pair::new(20, 4);
    let paint = |pair: &mut Pair, text: &str, cursor: Option<Position>| {
        pair.draw(|buffer| {
            buffer.set_stringn(2, 1, text, 18, Style::new().fg(Color::Red).add_modifier(Modifier::REVERSED));
            cursor
        })
    };
    paint(&mut pair, "hello wörld 日本", Some(Position::new(0, 1)));
    assert_eq!(paint(&mut pair, "hello wörld 日本", Some(Position::new(0, 1))), 0);
    let bytes = paint(&mut pair, "hello wOrld 日本", Some(Position::new(0, 1)));
    assert!(bytes < 40, "{bytes}");
    paint(&mut pair, "12345678901234567890", None);
    assert_eq!(paint(&mut pair, "12345678901234567890", None), 0);
}

#[test]
fn reverse_survives_without_colours() {
    let mut screen = Screen::new(Rect::new(0, 0, 5, 1));
    let bytes = screen.frame(|buffer| {
        buffer.set_stringn(0, 0, "x", 1, Style::new().add_modifier(Modifier::REVERSED));
        None
    });
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("\x1b[7mx"), "{text:?}");
}

/// Long lines that differ from one another in many places.
fn line(number: usize) -> String {
    let words = ["GET", "/orders", "200", "checkout", "payment", "took", "retry", "worker", "queue", "session"];
    let mut text = format!("{number:>6} ");
    for step in 0..40 {
        text.push_str(words[(number * 7 + step * (number + 3)) % words.len()]);
        text.push(' ');
    }
    text.truncate(190);
    text
}

#[test]
fn a_followed_log_line_at_200_columns_is_at_most_250_bytes() {
    let mut pair = Pair::new(200, 60);
    for first in 0..20 {
        let bytes = pair.draw(|buffer| {
            buffer.set_stringn(
                0,
                0,
                format!("LOG web01  {} lines", first + 57),
                200,
                Style::new().fg(Color::Indexed(244)).bg(Color::Rgb(38, 48, 60)),
            );
            for row in 0..57 {
                buffer.set_stringn(0, row + 1, line(first + usize::from(row)), 200, Style::new());
            }
            buffer.set_stringn(0, 59, "f follow  space pause", 200, Style::new().fg(Color::Rgb(139, 149, 165)));
            None
        });
        assert!(first == 0 || bytes <= 250, "{bytes}");
    }
}

/// One change to a page of lines: the page, the cursor's row, a side column that stays, a mark.
#[derive(Debug, Clone)]
struct Change {
    top: usize,
    cursor: Option<u16>,
    edit: Option<(u16, u16, String)>,
    styled: bool,
    side: bool,
    clear: bool,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let edit = prop::option::weighted(0.3, (0u16..30, 0u16..12, "[a-c日本ö ]{1,6}"));
    let change = (0usize..8, prop::option::of(0u16..12), edit, any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.1));
    prop::collection::vec(
        change.prop_map(|(top, cursor, edit, styled, side, clear)| Change { top, cursor, edit, styled, side, clear }),
        1..12,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_terminal_shows_the_frame_whatever_frames_follow_one_another(width in 1u16..40, height in 1u16..16, changes in changes()) {
        let mut pair = Pair::new(width, height);
        for change in changes {
            let cursor = change.cursor.map(|y| Position::new(0, y.min(height - 1)));
            pair.draw(|buffer| {
                if change.clear {
                    return cursor;
                }
                for y in 1..height.saturating_sub(1) {
                    let number = change.top + usize::from(y);
                    let style = if number % 3 == 0 { Style::new().fg(Color::LightBlue).add_modifier(Modifier::BOLD) } else { Style::new() };
                    buffer.set_stringn(1, y, line(number * 31), usize::from(width), style);
                }
                if change.styled {
                    buffer.set_style(Rect::new(0, height / 2, width, 1), Style::new().bg(Color::Rgb(47, 74, 107)).add_modifier(Modifier::ITALIC));
                }
                if let Some(at) = cursor {
                    buffer.set_style(Rect::new(0, at.y, width, 1), Style::new().add_modifier(Modifier::REVERSED | Modifier::UNDERLINED));
                }
                if change.side {
                    for y in 0..height {
                        buffer.set_stringn(width / 2, y, "|日", usize::from(width - width / 2), Style::new().fg(Color::Indexed(99)));
                    }
                }
                if let Some((x, y, text)) = &change.edit
                    && (*x < width && *y < height)
                {
                    buffer.set_stringn(*x, *y, text, usize::from(width - x), Style::new().add_modifier(Modifier::ITALIC));
                }
                cursor
            });
        }
    }
}
