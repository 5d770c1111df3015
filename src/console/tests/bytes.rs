//! What goes over the wire when a list moves on by a row; the numbers are the issue's.

use super::fixture::press;
use super::speed::fleet;
use crate::console::state::State;
use crate::console::term::{QUERY, Screen};
use crate::console::theme::{self, Depth};
use crate::console::view::view;
use ratatui::layout::Rect;
use std::sync::Arc;

/// The bytes of each of some rows further down (or up) in the list of procs, with the question for the terminal's answer.
fn scrolled(theme: &str, depth: Depth, width: u16, key: &str) -> Vec<usize> {
    let theme = theme::load(theme, None, depth).unwrap();
    let mut state = State::new(Arc::new(fleet(1_000)), (width, 60), "dark");
    let mut screen = Screen::new(Rect::new(0, 0, width, 60));
    let mut paint = |state: &State| screen.frame(|buffer| view(state, &theme, buffer.area, buffer)).len();
    press(&mut state, "4");
    // To where the next row is not in the window.
    for _ in 0..if key == "j" { 80 } else { 1 } {
        press(&mut state, "j");
    }
    if key == "k" {
        press(&mut state, "G");
        paint(&state);
        for _ in 0..80 {
            press(&mut state, "k");
        }
    }
    paint(&state);
    let mut each: Vec<usize> = Vec::new();
    for _ in 0..40 {
        press(&mut state, key);
        each.push(paint(&state) + QUERY.len());
    }
    each.sort_unstable();
    each
}

#[test]
fn a_row_further_is_at_most_250_bytes_at_200_columns() {
    for (theme, depth) in [("dark", Depth::True), ("light", Depth::True), ("dark", Depth::Sixteen), ("dark", Depth::Mono)] {
        for key in ["j", "k"] {
            let each = scrolled(theme, depth, 200, key);
            assert!(each[each.len() / 2] <= 250, "{theme} {depth:?} {key}: {each:?}");
        }
    }
}

#[test]
fn a_row_further_is_at_most_250_bytes_at_80_columns() {
    let each = scrolled("dark", Depth::True, 80, "j");
    assert!(each[each.len() - 1] <= 250, "{each:?}");
}
