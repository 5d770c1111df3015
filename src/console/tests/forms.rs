//! A screen in every form, as one text that people can review: at each size the letters, then the looks row by row, then what each look is
//! in true colour, in 16 colours and in none. There is no other form for terminals that draw ASCII alone: all that is ours is ASCII.

use super::fixture::{frame, state};
use crate::console::state::State;
use crate::console::theme::Depth;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::fmt::Write;

const SIZES: [(u16, u16); 3] = [(60, 20), (80, 24), (200, 60)];
const DEPTHS: [(Depth, &str); 3] = [(Depth::True, "true"), (Depth::Sixteen, "16"), (Depth::Mono, "mono")];
/// Signs of looks, in the order in which they are met; a plain cell is a dot.
const SIGNS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The screen that `go` leads to.
pub fn of(go: fn(&mut State)) -> String {
    let (mut out, mut legend) = (String::new(), Vec::new());
    for (width, height) in SIZES {
        let mut state = state(width, height);
        go(&mut state);
        let frames = DEPTHS.map(|(depth, _)| frame(&state, depth));
        for (text, _) in &frames {
            assert_eq!(*text, frames[0].0, "the words are the same in every depth");
            // Control bytes of hosts are shown as pictures of themselves.
            assert!(text.chars().all(|c| c.is_ascii() || ('\u{2400}'..='\u{2426}').contains(&c)), "{text}");
        }
        writeln!(out, "{width}x{height}\n{}looks {width}x{height}", frames[0].0).unwrap();
        let buffers = frames.map(|(_, buffer)| buffer);
        let rows: Vec<String> = (0..height).map(|y| row(&buffers, y, &mut legend)).collect();
        let mut y = 0;
        while let Some(wanted) = rows.get(y) {
            let alike = rows[y..].iter().take_while(|row| *row == wanted).count();
            let rows = if alike > 1 { format!("{y}-{}", y + alike - 1) } else { y.to_string() };
            if !wanted.is_empty() {
                writeln!(out, "{rows:>6} {wanted}").unwrap();
            }
            y += alike;
        }
    }
    writeln!(out, "what the looks are").unwrap();
    for (sign, looks) in SIGNS.chars().zip(&legend) {
        let each: Vec<String> = DEPTHS.iter().zip(looks).map(|((_, depth), look)| format!("{depth}: {look}")).collect();
        writeln!(out, "     {sign} {}", each.join(" | ")).unwrap();
    }
    assert!(legend.len() <= SIGNS.len());
    out
}

/// How a row looks: each look with the number of cells in a row that have it; what is plain to the end is left out.
fn row(buffers: &[Buffer; 3], y: u16, legend: &mut Vec<[String; 3]>) -> String {
    let mut runs: Vec<(char, usize)> = Vec::new();
    for x in 0..buffers[0].area.width {
        let looks = [0, 1, 2].map(|depth| look(&buffers[depth][(x, y)]));
        let sign = if looks.iter().all(|look| look == "plain") {
            '.'
        } else {
            let at = legend.iter().position(|known| *known == looks).unwrap_or_else(|| {
                legend.push(looks);
                legend.len() - 1
            });
            SIGNS.chars().nth(at).unwrap()
        };
        match runs.last_mut() {
            Some((last, count)) if *last == sign => *count += 1,
            _ => runs.push((sign, 1)),
        }
    }
    if runs.last().is_some_and(|(sign, _)| *sign == '.') {
        runs.pop();
    }
    runs.iter().map(|(sign, count)| format!("{sign}{count}")).collect::<Vec<_>>().join(" ")
}

/// What can be seen of a cell's style.
fn look(cell: &Cell) -> String {
    let (mut fg, mut modifier) = (cell.fg, cell.modifier);
    if cell.symbol() == " " && modifier.intersection(Modifier::REVERSED | Modifier::UNDERLINED).is_empty() {
        (fg, modifier) = (Color::Reset, Modifier::empty());
    }
    let mut words = Vec::new();
    if fg != Color::Reset {
        words.push(fg.to_string().to_lowercase());
    }
    if cell.bg != Color::Reset {
        words.push(format!("on {}", cell.bg).to_lowercase());
    }
    words.extend(modifier.iter_names().map(|(name, _)| name.to_lowercase()));
    if words.is_empty() { "plain".into() } else { words.join(" ") }
}
