//! The columns of each list, and which of them fit a width.

use crate::console::state::Kind;

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    pub title: &'static str,
    /// Cells that it takes at least, with the gap after it.
    pub width: u16,
    /// Its share of what is left over.
    pub flex: u16,
    pub right: bool,
    /// The highest goes first where it is narrow; 0 never goes.
    pub drop: u8,
}

const fn column(title: &'static str, width: u16, flex: u16, drop: u8) -> Column {
    Column { title, width, flex, right: false, drop }
}
const fn right(title: &'static str, width: u16, drop: u8) -> Column {
    Column { title, width, flex: 0, right: true, drop }
}

const SWARMS: &[Column] = &[
    column("SWARM", 19, 4, 0),
    column("STATE", 10, 0, 0),
    column("READY", 6, 0, 0),
    column("PROCS", 11, 1, 3),
    column("VERSION", 11, 1, 4),
    column("NOT LIVE YET", 16, 2, 1),
    right("LAST", 4, 2),
];
const HOSTS: &[Column] = &[
    column("HOST", 17, 2, 0),
    column("STATE", 12, 0, 0),
    column("PROCS", 6, 0, 0),
    column("LOAD", 6, 0, 3),
    column("MEM FREE", 9, 0, 2),
    column("DISK", 7, 0, 4),
    column("SEEN", 5, 0, 1),
    column("NOTE", 15, 4, 1),
];
const PROCS: &[Column] = &[
    column("SWARM", 20, 3, 0),
    column("HOST", 9, 1, 0),
    column("PORT", 6, 0, 0),
    column("STATE", 9, 0, 0),
    column("VERSION", 9, 1, 2),
    column("REL", 7, 0, 4),
    column("PID", 7, 0, 3),
    column("UP", 4, 0, 1),
    column("POOL", 6, 0, 1),
];
const BUILDS: &[Column] = &[
    column("APP", 14, 1, 0),
    column("VERSION", 12, 1, 0),
    column("COMMIT", 9, 0, 3),
    column("STATE", 9, 0, 0),
    column("SIZE", 7, 0, 2),
    column("TOOK", 7, 0, 4),
    column("WHEN", 5, 0, 0),
    column("NOTE", 14, 3, 1),
];
const DISPATCHES: &[Column] = &[
    column("NO", 6, 0, 0),
    column("SWARM", 20, 2, 0),
    column("VERB", 9, 0, 2),
    column("FROM -> TO", 19, 2, 1),
    column("STATE", 12, 0, 0),
    column("WHO", 7, 1, 3),
    right("WHEN", 4, 0),
];
const INGREDIENTS: &[Column] =
    &[column("INGREDIENT", 20, 1, 0), column("KEYS", 6, 0, 0), column("USED BY", 37, 3, 1), column("BY", 9, 0, 2), right("SAVED", 5, 0)];
const EVENTS: &[Column] = &[column("TIME", 9, 0, 0), column("WHO", 5, 0, 1), column("ABOUT", 15, 0, 0), column("WHAT", 20, 8, 0)];
const STRAYS: &[Column] = &[
    column("PLACE", 11, 1, 0),
    column("STATE", 8, 0, 0),
    column("NAME", 20, 3, 0),
    column("PORT", 6, 0, 3),
    column("WHOSE", 13, 1, 2),
    column("EVIDENCE", 13, 6, 1),
    right("AGE", 4, 4),
];
const NEEDS: &[Column] = &[column("WHAT", 15, 0, 0), column("WHY", 30, 8, 0), right("AGE", 4, 0)];
const PLACES: &[Column] = &[
    column("HOST", 10, 1, 0),
    column("SEND", 9, 0, 0),
    column("START", 9, 0, 0),
    column("PROVE", 9, 0, 0),
    column("ROUTE", 9, 0, 0),
    column("DRAIN", 9, 0, 2),
    column("SOAK", 9, 0, 3),
    column("NOW", 13, 8, 1),
];

/// The columns of a kind.
pub fn columns(kind: Kind) -> &'static [Column] {
    match kind {
        Kind::Needs => NEEDS,
        Kind::Swarms => SWARMS,
        Kind::Hosts => HOSTS,
        Kind::Procs => PROCS,
        Kind::Builds => BUILDS,
        Kind::Dispatches => DISPATCHES,
        Kind::Ingredients => INGREDIENTS,
        Kind::Events => EVENTS,
        Kind::Strays => STRAYS,
        Kind::Places => PLACES,
    }
}

/// Which columns fit, as (number of the column, its place from the left, its width).
pub fn fit(columns: &[Column], width: u16) -> Vec<(usize, u16, u16)> {
    let mut kept: Vec<(usize, Column)> = columns.iter().copied().enumerate().collect();
    while kept.iter().map(|(_, column)| column.width).sum::<u16>() > width {
        let Some(worst) = kept.iter().map(|(_, column)| column.drop).max().filter(|drop| *drop > 0) else { break };
        kept.retain(|(_, column)| column.drop != worst);
    }
    let spare = width.saturating_sub(kept.iter().map(|(_, column)| column.width).sum());
    let shares: u16 = kept.iter().map(|(_, column)| column.flex).sum();
    let mut x = 0u16;
    let mut given = 0u16;
    let last_flex = kept.iter().rposition(|(_, column)| column.flex > 0);
    let mut placed = Vec::new();
    for (place, (number, column)) in kept.iter().enumerate() {
        let share = if Some(place) == last_flex {
            spare - given
        } else {
            (u32::from(spare) * u32::from(column.flex)).checked_div(u32::from(shares)).unwrap_or(0) as u16
        };
        given += share;
        let wide = (column.width + share).min(width.saturating_sub(x));
        placed.push((*number, x, wide));
        x += wide;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(kind: Kind, width: u16) -> Vec<&'static str> {
        fit(columns(kind), width).iter().map(|(number, _, _)| columns(kind)[*number].title).collect()
    }

    #[test]
    fn narrow_screens_lose_columns_in_the_keymaps_order() {
        assert_eq!(titles(Kind::Swarms, 77).len(), 7);
        assert_eq!(titles(Kind::Swarms, 57), ["SWARM", "STATE", "READY", "NOT LIVE YET", "LAST"]);
        assert_eq!(titles(Kind::Swarms, 36), ["SWARM", "STATE", "READY"]);
    }

    #[test]
    fn columns_never_leave_the_width() {
        for kind in [
            Kind::Needs,
            Kind::Swarms,
            Kind::Hosts,
            Kind::Procs,
            Kind::Builds,
            Kind::Dispatches,
            Kind::Ingredients,
            Kind::Events,
            Kind::Strays,
            Kind::Places,
        ] {
            for width in 0..250 {
                for (_, x, wide) in fit(columns(kind), width) {
                    assert!(x + wide <= width, "{kind:?} {width}");
                }
            }
            assert!(columns(kind).iter().map(|column| column.width).sum::<u16>() <= 77, "{kind:?} fits 80 columns whole");
        }
    }
}
