//! Two buffers and their difference: nothing changed means no bytes, rows that moved are moved by the terminal, anything else is one write.

use super::ink::{Ink, Look, PLAIN};
use super::scroll;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// Above this many bytes a frame is wrapped in a synchronized update (mode 2026); a scroll with its new row stays below.
const SYNC_ABOVE: usize = 400;
/// How many regions of one frame are moved.
const SCROLLS: usize = 4;
/// Blank cells in a row from which erasing them is shorter than writing them.
const ERASE_FROM: usize = 5;
/// A frame with more styles than this is drawn row by row.
const MOST_STYLES: usize = 24;
/// Cells that are written again where that is no longer than going over them.
const GAP: u16 = 3;

/// What can be seen of a blank cell.
const ON_BLANK: Modifier = Modifier::REVERSED.union(Modifier::UNDERLINED).union(Modifier::CROSSED_OUT);

/// What the terminal shows, as far as we know.
#[derive(Debug)]
pub struct Screen {
    shown: Buffer,
    next: Buffer,
    ink: Ink,
    /// Whether the cursor can be seen.
    seen: Option<bool>,
    fresh: bool,
}

impl Screen {
    pub fn new(area: Rect) -> Screen {
        Screen { shown: Buffer::empty(area), next: Buffer::empty(area), ink: Ink::default(), seen: None, fresh: true }
    }

    /// Forgets what is shown, after a resize or when somebody else wrote to the terminal.
    pub fn forget(&mut self, area: Rect) {
        *self = Screen::new(area);
    }

    /// The bytes that turn what is shown into what `draw` draws; empty when it is the same.
    pub fn frame(&mut self, draw: impl FnOnce(&mut Buffer) -> Option<Position>) -> Vec<u8> {
        self.next.reset();
        let cursor = draw(&mut self.next);
        calm(&mut self.next);
        if std::mem::take(&mut self.fresh) {
            self.ink.clear();
        }
        for _ in 0..SCROLLS {
            let Some(found) = scroll::find(&self.shown, &self.next) else { break };
            self.ink.scroll(found);
            scroll::apply(&mut self.shown, found);
        }
        write(&mut self.ink, &self.shown, &self.next);
        match cursor {
            Some(at) => {
                self.ink.go(at.x, at.y);
                if self.seen != Some(true) {
                    self.ink.raw("\x1b[?25h");
                    self.seen = Some(true);
                }
            }
            None if self.seen != Some(false) => {
                self.ink.raw("\x1b[?25l");
                self.seen = Some(false);
            }
            None => {}
        }
        std::mem::swap(&mut self.shown, &mut self.next);
        let out = self.ink.take();
        if out.len() > SYNC_ABOVE { format!("\x1b[?2026h{out}\x1b[?2026l").into_bytes() } else { out.into_bytes() }
    }
}

/// One thing to do where a cell differs.
enum Stroke<'a> {
    Put(&'a Cell),
    Erase { cells: usize, to_end: bool },
}

/// What differs, row by row.
fn strokes<'a>(shown: &Buffer, next: &'a Buffer) -> Vec<(u16, u16, Stroke<'a>)> {
    let right = next.area.right();
    let updates = shown.diff(next);
    let (mut rest, mut strokes) = (updates.as_slice(), Vec::new());
    while let Some(((x, y, cell), after)) = rest.split_first() {
        let (x, y) = (*x, *y);
        if **cell == Cell::EMPTY {
            let blank = |(at, row, cell): &(u16, u16, &Cell), x: u16| (*at, *row) == (x, y) && **cell == Cell::EMPTY;
            let run = rest.iter().zip(x..right).take_while(|(update, x)| blank(update, *x)).count();
            let in_row = rest.iter().take_while(|(_, row, _)| *row == y).count();
            let to_end = in_row >= 3 && (x..right).all(|x| next.cell((x, y)).is_some_and(|cell| *cell == Cell::EMPTY));
            if to_end || run >= ERASE_FROM {
                strokes.push((x, y, Stroke::Erase { cells: run, to_end }));
                rest = rest.get(if to_end { in_row } else { run }..).unwrap_or_default();
                continue;
            }
        }
        strokes.push((x, y, Stroke::Put(cell)));
        rest = after;
    }
    strokes
}

/// Writes what differs: row by row, or style by style, whichever is shorter. Where rows are alike it is cheaper to go than to change colours.
fn write(ink: &mut Ink, shown: &Buffer, next: &Buffer) {
    let mut strokes = strokes(shown, next);
    let mut by_row = ink.clone();
    draw(&mut by_row, next, &strokes);
    let mut looks: Vec<Look> = ink.look.into_iter().collect();
    let mut places: Vec<usize> = Vec::new();
    for (_, _, stroke) in &strokes {
        let wanted = match stroke {
            Stroke::Put(cell) => look(cell),
            Stroke::Erase { .. } => PLAIN,
        };
        let place = looks.iter().position(|known| *known == wanted).unwrap_or_else(|| {
            looks.push(wanted);
            looks.len() - 1
        });
        places.push(place);
    }
    if (2..=MOST_STYLES).contains(&looks.len()) {
        let mut places = places.into_iter();
        // Stable: within a style it stays row by row.
        strokes.sort_by_cached_key(|_| places.next().unwrap_or_default());
        let mut by_style = ink.clone();
        draw(&mut by_style, next, &strokes);
        if by_style.bytes() < by_row.bytes() {
            *ink = by_style;
            return;
        }
    }
    *ink = by_row;
}

fn draw(ink: &mut Ink, next: &Buffer, strokes: &[(u16, u16, Stroke<'_>)]) {
    for (x, y, stroke) in strokes {
        match stroke {
            Stroke::Put(cell) => {
                over(ink, next, *x, *y);
                ink.go(*x, *y);
                ink.put(cell.symbol(), look(cell), next.area.right());
            }
            Stroke::Erase { cells, to_end } => {
                ink.go(*x, *y);
                ink.erase(*cells, *to_end);
            }
        }
    }
}

/// Goes over a short gap by writing again what stands there, where that needs no other style.
fn over(ink: &mut Ink, next: &Buffer, x: u16, y: u16) {
    let Some(at) = ink.at.filter(|at| at.y == y && at.x < x && x - at.x <= GAP) else { return };
    let plain = |cell: &Cell| cell.symbol().len() == 1 && Some(look(cell)) == ink.look;
    if (at.x..x).all(|x| next.cell((x, y)).is_some_and(plain)) {
        for cell in (at.x..x).filter_map(|x| next.cell((x, y))) {
            ink.put(cell.symbol(), look(cell), next.area.right());
        }
    }
}

fn look(cell: &Cell) -> Look {
    (cell.fg, cell.bg, cell.modifier)
}

/// Takes from blank cells what cannot be seen of them, so that it is never written; a wide character whose other half was drawn over is gone.
fn calm(buffer: &mut Buffer) {
    let width = usize::from(buffer.area.width).max(1);
    for row in buffer.content.chunks_mut(width) {
        let mut after_is_blank = false;
        for cell in row.iter_mut().rev() {
            cell.underline_color = Color::Reset;
            if cell.symbol().len() > 1 && !after_is_blank && cell.symbol().width() > 1 {
                cell.set_symbol(" ");
            }
            after_is_blank = cell.symbol() == " ";
            if after_is_blank && cell.modifier.intersection(ON_BLANK).is_empty() {
                cell.fg = Color::Reset;
                cell.modifier = Modifier::empty();
            }
        }
    }
}

#[cfg(test)]
#[path = "screen_tests.rs"]
mod tests;
