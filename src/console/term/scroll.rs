//! Which rows only moved between two frames: the terminal moves them itself, for a few bytes.

use ratatui::buffer::{Buffer, Cell};

/// Rows `top` to `bottom` move up by `by` rows, or down where it is negative; the rows that come free are blank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scroll {
    pub top: u16,
    pub bottom: u16,
    pub by: i16,
}

/// About how many bytes a scroll is: the region, the move, the whole screen again.
const PRICE: usize = 20;
/// What it costs to go to a row, about.
const ROW: usize = 8;
/// What it costs to go on behind what stays.
const GO_ON: usize = 4;
/// How many distances are tried.
const DISTANCES: usize = 4;

type Row<'a> = &'a [Cell];

/// The scroll that saves most; none when none saves anything.
pub fn find(shown: &Buffer, next: &Buffer) -> Option<Scroll> {
    let width = usize::from(next.area.width);
    if width == 0 || shown.area != next.area {
        return None;
    }
    let (old, new): (Vec<Row<'_>>, Vec<Row<'_>>) = (shown.content.chunks(width).collect(), next.content.chunks(width).collect());
    let changed: Vec<usize> = (0..new.len()).filter(|y| old.get(*y) != new.get(*y)).collect();
    // Two rows are drawn as cheaply as moved.
    if changed.len() < 3 {
        return None;
    }
    let mut best: Option<(usize, Scroll)> = None;
    for by in distances(&old, &new, &changed) {
        let moved = |y: usize| y.checked_add_signed(by).and_then(|from| old.get(from));
        let same = |y: usize| moved(y).is_some_and(|row| Some(row) == new.get(y));
        let matching: Vec<usize> = (0..new.len()).filter(|y| same(*y)).collect();
        let mut regions: Vec<(usize, usize)> = Vec::new();
        for y in &matching {
            match regions.last_mut() {
                Some((_, last)) if *last + 1 == *y => *last = *y,
                _ => regions.push((*y, *y)),
            }
        }
        // Or all of them as one, with rows between that changed while they moved.
        if regions.len() > 1
            && let (Some(first), Some(last)) = (matching.first(), matching.last())
        {
            regions.push((*first, *last));
        }
        // And each with the row before or after it, which may have moved and look another way now: the cursor's.
        let wider = regions.iter().map(|(first, last)| if by > 0 { (*first, *last + 1) } else { (first.saturating_sub(1), *last) });
        let wider: Vec<(usize, usize)> = wider.filter(|(_, last)| last.saturating_add_signed(by.max(0)) < new.len()).collect();
        regions.extend(wider);
        for (first, last) in regions {
            // The region takes in the rows that the first or last comes from.
            let (top, bottom) = if by > 0 { (first, last.saturating_add_signed(by)) } else { (first.saturating_add_signed(by), last) };
            let in_region = |y: usize| (top..=bottom).contains(&y);
            let (mut before, mut after) = (0, PRICE);
            for y in top..=bottom {
                let Some(wanted) = new.get(y) else { continue };
                before += price(old.get(y).copied(), wanted);
                let from = y.checked_add_signed(by).filter(|from| in_region(*from));
                after += price(from.and_then(|from| old.get(from)).copied(), wanted);
            }
            let saved = before.saturating_sub(after);
            if saved > best.map_or(0, |(most, _)| most)
                && let (Ok(top), Ok(bottom), Ok(by)) = (u16::try_from(top), u16::try_from(bottom), i16::try_from(by))
            {
                best = Some((saved, Scroll { top, bottom, by }));
            }
        }
    }
    best.map(|(_, scroll)| scroll)
}

/// How far rows that changed may have moved.
fn distances(old: &[Row<'_>], new: &[Row<'_>], changed: &[usize]) -> Vec<isize> {
    let mut found: Vec<isize> = Vec::new();
    for y in changed {
        let Some(row) = new.get(*y).filter(|row| row.iter().any(|cell| cell.symbol() != " ")) else { continue };
        for (from, _) in old.iter().enumerate().filter(|(from, was)| from != y && *was == row) {
            let by = (from as isize).saturating_sub_unsigned(*y);
            if !found.contains(&by) {
                found.push(by);
            }
        }
        if found.len() >= DISTANCES {
            break;
        }
    }
    found
}

/// About how many bytes it takes to make one row of another, or of a blank one.
fn price(was: Option<Row<'_>>, wanted: Row<'_>) -> usize {
    let (mut written, mut erased, mut pieces, mut stayed) = (0, 0, 0, true);
    for (x, cell) in wanted.iter().enumerate() {
        let same = match was {
            Some(was) => was.get(x) == Some(cell),
            None => *cell == Cell::EMPTY,
        };
        if !same && *cell == Cell::EMPTY {
            erased += 1;
        } else if !same {
            written += 1;
            pieces += usize::from(stayed);
        }
        stayed = same || *cell == Cell::EMPTY;
    }
    if written + erased == 0 { 0 } else { ROW + written + GO_ON * pieces + erased.min(4) }
}

/// Does to a buffer what the terminal does.
pub fn apply(buffer: &mut Buffer, scroll: Scroll) {
    let width = usize::from(buffer.area.width);
    let (from, to) = (usize::from(scroll.top) * width, (usize::from(scroll.bottom) + 1) * width);
    let cells = width * usize::from(scroll.by.unsigned_abs());
    let Some(region) = buffer.content.get_mut(from..to).filter(|region| region.len() >= cells) else { return };
    let free = if scroll.by > 0 {
        region.rotate_left(cells);
        region.len() - cells..region.len()
    } else {
        region.rotate_right(cells);
        0..cells
    };
    for cell in region.get_mut(free).into_iter().flatten() {
        cell.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Buffer {
        let mut buffer = Buffer::with_lines(lines.iter().map(|line| format!("{line:<40}")));
        for cell in &mut buffer.content {
            if cell.symbol() == " " {
                cell.reset();
            }
        }
        buffer
    }

    #[test]
    fn rows_that_moved_are_found_among_rows_that_stay() {
        let rows =
            ["the head of it all", "alpha beta gamma", "on the second day", "1 2 3 4 5 6 7 8 9", "x-y-z-x-y-z-x-y-z", "the foot of it all"];
        let before = of(&rows);
        let after = of(&[rows[0], rows[2], rows[3], rows[4], "nobody knows this", rows[5]]);
        let up = Scroll { top: 1, bottom: 4, by: 1 };
        assert_eq!(find(&before, &after), Some(up));
        assert_eq!(find(&after, &before), Some(Scroll { by: -1, ..up }));
        let mut moved = before.clone();
        apply(&mut moved, up);
        assert_eq!(moved, of(&[rows[0], rows[2], rows[3], rows[4], "", rows[5]]));
        apply(&mut moved, Scroll { by: -1, ..up });
        assert_eq!(moved, of(&[rows[0], "", rows[2], rows[3], rows[4], rows[5]]));
        assert_eq!(find(&before, &before), None);
        assert_eq!(find(&before, &of(&["1", "2", "3", "4", "5", "6"])), None, "nothing moved");
        assert_eq!(find(&before, &of(&rows[..5])), None, "another size");
    }
}
