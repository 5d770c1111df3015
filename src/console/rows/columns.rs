//! The columns of each list, and which of them fit a width.

use crate::console::state::Kind;
use crate::deck::habits::Habits;

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    pub title: &'static str,
    /// Cells that it takes at least, with the gap after it.
    pub width: u16,
    /// Its share of what is left over.
    pub flex: u16,
    pub right: bool,
    /// The highest goes first where it is narrow; 0 never goes, 10 and above are for wide screens only.
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
    column("RELEASE", 8, 0, 12),
    column("POOL", 16, 1, 11),
    column("SQUAD", 9, 1, 13),
    column("INGREDIENTS", 14, 1, 14),
    column("BY", 7, 1, 15),
    right("SAVED", 5, 15),
];
const HOSTS: &[Column] = &[
    column("HOST", 14, 2, 0),
    column("STATE", 12, 0, 0),
    column("PROCS", 6, 0, 0),
    column("LOAD", 6, 0, 4),
    column("MEM FREE", 9, 0, 3),
    column("DISK", 7, 0, 5),
    column("AGE", 5, 0, 1),
    column("OWES", 5, 0, 2),
    column("NOTE", 10, 4, 1),
    column("SQUAD", 9, 1, 13),
    column("ADDRESS", 20, 1, 12),
    column("MEMORY", 7, 0, 14),
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
    column("POOL", 5, 0, 1),
    right("CPU", 5, 10),
    right("RSS", 6, 10),
    column("RESTARTS", 9, 0, 11),
    column("UPTEST", 8, 0, 12),
    column("OWNER", 8, 0, 13),
    column("NAME", 24, 2, 14),
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
    column("BY", 7, 1, 3),
    right("WHEN", 4, 0),
    right("TOOK", 8, 10),
    right("OWED", 6, 11),
    column("WHY", 20, 4, 12),
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
const APPS: &[Column] = &[
    column("APP", 14, 2, 0),
    column("STATE", 9, 0, 0),
    column("READY", 7, 0, 0),
    column("SWARMS", 7, 0, 1),
    column("LAST BUILD", 16, 1, 2),
    column("BUILDPACK", 15, 1, 3),
    column("REPOSITORY", 30, 4, 10),
    column("BY", 7, 1, 11),
    right("SAVED", 5, 4),
];
const BUILDPACKS: &[Column] = &[
    column("BUILDPACK", 16, 1, 0),
    column("ORDER", 6, 0, 0),
    column("TYPE", 5, 0, 4),
    column("PINNED", 11, 1, 2),
    column("APPS", 12, 2, 3),
    column("URL", 20, 4, 1),
    column("BY", 7, 1, 10),
    right("SAVED", 5, 4),
];
const SQUADS: &[Column] = &[
    column("SQUAD", 16, 2, 0),
    column("STATE", 12, 0, 0),
    column("HOSTS OK", 9, 0, 0),
    column("SWARMS", 7, 0, 1),
    column("PROCS", 6, 0, 1),
    column("MEM FREE", 9, 0, 2),
    column("NOTE", 8, 2, 0),
    column("BY", 5, 1, 3),
    right("SAVED", 5, 3),
];
const RELEASES: &[Column] = &[
    column("RELEASE", 9, 0, 0),
    column("SWARM", 18, 3, 0),
    column("VERSION", 10, 1, 0),
    column("COMMIT", 8, 0, 3),
    column("STATE", 6, 0, 0),
    column("CONFIG", 7, 0, 4),
    column("ENV", 4, 0, 4),
    column("NO", 5, 0, 2),
    column("BY", 6, 1, 1),
    right("WHEN", 4, 0),
];
const BALANCERS: &[Column] = &[
    column("BALANCER", 14, 1, 0),
    column("STATE", 10, 0, 0),
    column("BACKEND", 9, 0, 1),
    column("HOSTS", 6, 0, 2),
    column("POOLS", 6, 0, 0),
    column("NODES", 6, 0, 2),
    column("NOTE", 20, 5, 0),
];
const POOLS: &[Column] = &[
    column("POOL", 13, 1, 0),
    column("BALANCER", 10, 1, 1),
    column("STATE", 10, 0, 0),
    column("UP", 4, 0, 0),
    column("DRAIN", 6, 0, 2),
    column("DOWN", 5, 0, 2),
    column("CONNS", 6, 0, 3),
    column("SWARM", 14, 1, 0),
    column("NOTE", 9, 5, 1),
];
const NODES: &[Column] = &[
    column("NODE", 20, 1, 0),
    column("ON", 10, 1, 0),
    column("STATE", 9, 0, 0),
    column("CONNS", 6, 0, 1),
    column("PROC", 9, 0, 0),
    column("NAME", 20, 3, 2),
];
const UPTESTS: &[Column] = &[
    column("SWARM", 18, 2, 0),
    column("STATE", 7, 0, 0),
    column("PASSED", 7, 0, 1),
    column("FAILED", 7, 0, 0),
    column("BY", 7, 1, 2),
    column("WHEN", 5, 0, 0),
    column("FIRST FAILURE", 20, 6, 1),
];
const HOLDS: &[Column] = &[
    column("HOLD", 13, 1, 0),
    column("ON", 6, 0, 1),
    column("OBJECT", 18, 2, 0),
    column("BY", 6, 1, 0),
    column("SINCE", 6, 0, 2),
    column("UNTIL", 18, 0, 3),
    column("WHY", 10, 5, 1),
];
const WAVES: &[Column] = &[
    column("NO", 5, 0, 0),
    column("VERB", 14, 0, 2),
    column("STATE", 21, 0, 0),
    column("DONE", 6, 0, 0),
    column("FAILED", 7, 0, 1),
    column("BY", 7, 1, 2),
    column("WHEN", 5, 0, 0),
    column("WHY", 12, 4, 1),
];
const MEMBERS: &[Column] = &[
    column("SWARM", 22, 2, 0),
    column("STATE", 13, 0, 0),
    column("FROM -> TO", 18, 1, 1),
    column("NO", 6, 0, 0),
    column("NOTE", 18, 5, 2),
];
const AUDIT: &[Column] = &[
    column("WHEN", 20, 0, 0),
    column("BY", 7, 1, 0),
    column("VERB", 10, 0, 0),
    column("OBJECT", 18, 3, 0),
    column("RESULT", 10, 1, 2),
    column("WHY", 12, 4, 1),
];
const VERSIONS: &[Column] = &[
    column("REV", 5, 0, 0),
    column("STATE", 8, 0, 0),
    column("SAVED", 20, 0, 1),
    column("BY", 9, 1, 0),
    column("CHANGE", 10, 0, 0),
    column("WHY", 18, 6, 0),
    right("AGE", 5, 2),
];
const TREE: &[Column] = &[
    column("APP > SWARM > HOST > PROC", 30, 4, 0),
    column("STATE", 10, 0, 0),
    column("READY", 7, 0, 0),
    column("VERSION", 10, 1, 1),
    column("NOTE", 13, 3, 2),
    right("LAST", 5, 3),
];

const UNDO: &[Column] =
    &[column("OBJECT", 18, 3, 0), column("WHAT", 24, 4, 1), column("UNDONE BY", 22, 2, 0), column("BY", 6, 1, 2), right("WHEN", 4, 0)];

/// Between a column that is set to the right and the one after it.
const GAP: u16 = 2;

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
        Kind::Apps => APPS,
        Kind::Buildpacks => BUILDPACKS,
        Kind::Squads => SQUADS,
        Kind::Releases => RELEASES,
        Kind::Balancers => BALANCERS,
        Kind::Pools => POOLS,
        Kind::Nodes => NODES,
        Kind::Uptests => UPTESTS,
        Kind::Holds => HOLDS,
        Kind::Waves => WAVES,
        Kind::Members => MEMBERS,
        Kind::Audit => AUDIT,
        Kind::Versions => VERSIONS,
        Kind::Tree => TREE,
        Kind::Undo => UNDO,
    }
}

/// The columns of a kind that this user wants, with their numbers, in the user's order; all of them where nothing was chosen.
pub fn chosen(kind: Kind, habits: &Habits) -> Vec<(usize, Column)> {
    let all = columns(kind);
    let wanted = habits.columns.get(kind.word()).map(Vec::as_slice).unwrap_or_default();
    let number = |title: &String| all.iter().position(|column| column.title == title.as_str());
    let picked: Vec<(usize, Column)> = wanted.iter().filter_map(number).filter_map(|number| Some((number, *all.get(number)?))).collect();
    if picked.is_empty() { all.iter().copied().enumerate().collect() } else { picked }
}

/// Which columns fit, as (number of the column, its place from the left, its width).
pub fn fit(columns: &[(usize, Column)], width: u16) -> Vec<(usize, u16, u16)> {
    let mut kept: Vec<(usize, Column)> = columns.to_vec();
    let gap = |place: usize, column: &Column, all: usize| if column.right && place + 1 < all { GAP } else { 0 };
    let wide = |kept: &[(usize, Column)]| {
        kept.iter().enumerate().map(|(place, (_, column))| column.width + gap(place, column, kept.len())).sum::<u16>()
    };
    while wide(&kept) > width {
        let Some(worst) = kept.iter().map(|(_, column)| column.drop).max().filter(|drop| *drop > 0) else { break };
        kept.retain(|(_, column)| column.drop != worst);
    }
    let spare = width.saturating_sub(wide(&kept));
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
        x += wide + gap(place, column, kept.len());
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: u8 = 10;

    fn titles(kind: Kind, width: u16) -> Vec<&'static str> {
        let chosen = chosen(kind, &Habits::default());
        fit(&chosen, width).iter().map(|(number, _, _)| columns(kind)[*number].title).collect()
    }

    #[test]
    fn narrow_screens_lose_columns_in_the_keymaps_order() {
        assert_eq!(titles(Kind::Swarms, 77).len(), 7);
        assert_eq!(titles(Kind::Swarms, 57), ["SWARM", "STATE", "READY", "NOT LIVE YET", "LAST"]);
        assert_eq!(titles(Kind::Swarms, 36), ["SWARM", "STATE", "READY"]);
        assert_eq!(titles(Kind::Swarms, 197).len(), 13);
    }

    #[test]
    fn columns_never_leave_the_width() {
        for kind in Kind::ALL {
            for width in 0..250 {
                for (_, x, wide) in fit(&chosen(kind, &Habits::default()), width) {
                    assert!(x + wide <= width, "{kind:?} {width}");
                }
            }
            let always: u16 = columns(kind).iter().filter(|column| column.drop < WIDE).map(|column| column.width).sum();
            assert!(always <= 77, "{kind:?} fits 80 columns whole, not {always}");
        }
    }

    #[test]
    fn a_user_chooses_columns_and_their_order() {
        let mut habits = Habits::default();
        habits.columns.insert("hosts".into(), vec!["OWES".into(), "HOST".into(), "GONE".into()]);
        let titles: Vec<_> = chosen(Kind::Hosts, &habits).iter().map(|(_, column)| column.title).collect();
        assert_eq!(titles, ["OWES", "HOST"]);
        habits.columns.insert("hosts".into(), vec!["GONE".into()]);
        assert_eq!(chosen(Kind::Hosts, &habits).len(), columns(Kind::Hosts).len(), "nothing left is all");
    }
}
