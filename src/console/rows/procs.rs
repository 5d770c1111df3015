//! The order of procs: there may be tens of thousands, so they are put in order once, and a filter asks again only what was prepared.

use super::cells::{TROUBLE, proc_glyph, proc_rank};
use super::filter::{Facts, Filter};
use super::find;
use super::natural::natural;
use super::order::Ordered;
use crate::console::state::{NOWHERE, Order, Pane, RowId, Scope, Sort};
use crate::deck::look::{Look, SwarmLook, Target};
use crate::model::world::{HostSeen, HostState, Owner, Proc, World};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::sync::{Arc, OnceLock, Weak};

/// What all procs of a swarm share: what it is called, its place among the names, and its number in the look.
struct Named<'a> {
    called: &'a str,
    short: &'a str,
    place: u32,
    number: u32,
}

/// Swarms by their full name.
pub(super) struct Names<'a>(HashMap<&'a str, Named<'a>>);

impl<'a> Names<'a> {
    pub fn new(look: &'a Look) -> Names<'a> {
        let mut times: HashMap<&str, u32> = HashMap::new();
        for swarm in &look.swarms {
            *times.entry(swarm.short.as_str()).or_default() += 1;
        }
        let called =
            |swarm: &'a SwarmLook| if times.get(swarm.short.as_str()) == Some(&1) { swarm.short.as_str() } else { swarm.name.as_str() };
        let mut sorted: Vec<(u32, &SwarmLook)> = (0u32..).zip(&look.swarms).collect();
        sorted.sort_by(|(_, a), (_, b)| natural(called(a), called(b)));
        let named = sorted
            .into_iter()
            .zip(0u32..)
            .map(|((number, swarm), place)| (swarm.name.as_str(), Named { called: called(swarm), short: &swarm.short, place, number }));
        Names(named.collect())
    }

    fn of(&self, proc: &Proc) -> Option<&Named<'a>> {
        if proc.owner == Owner::Ours { self.0.get(proc.swarm.as_deref()?) } else { None }
    }

    /// Whether a swarm of the look owns the proc.
    pub fn own(&self, proc: &Proc) -> bool {
        self.of(proc).is_some()
    }
}

/// The procs of a pane, filter or not, in its order; as numbers into the look that it was made of.
#[derive(Debug)]
pub struct Prepared {
    version: u64,
    world: Weak<World>,
    sort: Sort,
    ids: Arc<Vec<RowId>>,
    places: Vec<Place>,
    /// What each row shows, in small letters, and where each ends.
    texts: OnceLock<(String, Vec<u32>)>,
}

/// Where a proc is: its host's number, its own on the host, and its swarm's.
#[derive(Debug, Clone, Copy)]
struct Place {
    host: u32,
    proc: u32,
    swarm: Option<u32>,
    rank: u8,
}

impl Prepared {
    fn is_of(&self, look: &Look, sort: Sort) -> bool {
        self.version == look.version && self.world.as_ptr() == Arc::as_ptr(&look.world) && self.sort == sort
    }

    /// The text of a row.
    fn text(&self, look: &Look, hosts: &[&HostSeen], row: usize) -> &str {
        let (text, ends) = self.texts.get_or_init(|| {
            let names = Names::new(look);
            let (mut text, mut ends) = (String::new(), Vec::with_capacity(self.places.len()));
            for place in &self.places {
                if let Some((host, proc)) = place.of(hosts) {
                    write(&mut text, names.of(proc), host, proc);
                }
                ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
            }
            text.make_ascii_lowercase();
            (text, ends)
        });
        let end = |row: usize| ends.get(row).map_or(0, |end| *end as usize);
        text.get(row.checked_sub(1).map_or(0, end)..end(row)).unwrap_or_default()
    }

    /// Which of them a pane shows.
    fn shown(&self, look: &Look, now_ms: i64, pane: &Pane) -> Order {
        let mut filter = Filter::new(&pane.filter, now_ms, &look.times);
        if filter.is_empty() && !pane.trouble_only {
            return Order::whole(Arc::clone(&self.ids));
        }
        let hosts: Vec<&HostSeen> = look.world.hosts.values().collect();
        let (needs_text, needs_facts) = (filter.needs_text(), filter.needs_facts());
        let mut shown = Vec::new();
        for (number, (row, place)) in (0u32..).zip(self.places.iter().enumerate()) {
            if pane.trouble_only && place.rank >= TROUBLE {
                continue;
            }
            let text = if needs_text { self.text(look, &hosts, row) } else { "" };
            let kept = if needs_facts {
                let swarm = place.swarm.and_then(|number| look.swarms.get(number as usize)).map(|swarm| swarm.short.as_str());
                place.of(&hosts).is_some_and(|(host, proc)| filter.keeps(&facts(text, swarm, host, proc)))
            } else {
                filter.keeps(&Facts { text, ..Facts::default() })
            };
            if kept {
                shown.push(number);
            }
        }
        Order::of(Arc::clone(&self.ids), shown)
    }
}

impl Place {
    fn of<'a>(self, hosts: &[&'a HostSeen]) -> Option<(&'a HostSeen, &'a Proc)> {
        let host = *hosts.get(self.host as usize)?;
        Some((host, host.procs.get(self.proc as usize)?))
    }
}

/// The rows of a pane of procs.
pub(super) fn order(look: &Look, now_ms: i64, pane: &Pane) -> Ordered {
    let prepared = match &pane.prepared {
        Some(prepared) if prepared.is_of(look, pane.sort) => Arc::clone(prepared),
        _ => Arc::new(prepare(look, pane)),
    };
    Ordered { rows: prepared.shown(look, now_ms, pane), total: prepared.places.len(), prepared: Some(prepared) }
}

/// A proc that may be shown.
struct Row<'a> {
    proc: &'a Proc,
    place: Place,
    /// Its host's place among the hosts.
    host: u32,
    /// Its swarm's place among what procs are called; none where no swarm owns it.
    called: Option<u32>,
}

fn prepare(look: &Look, pane: &Pane) -> Prepared {
    let rows = rows(look, &pane.scope);
    let swarms = u32::try_from(look.swarms.len()).unwrap_or(u32::MAX);
    let strangers = ranked(rows.iter().filter(|row| row.called.is_none()).map(|row| row.proc.name.as_str()), plain);
    let called = |row: &Row<'_>| row.called.unwrap_or_else(|| swarms + strangers.get(row.proc.name.as_str()).copied().unwrap_or(0));
    // What needs somebody most, then by name, host and port: one number, since it is compared by the hundred thousand.
    let trouble = |row: &Row<'_>| {
        let host_and_port = u64::from(row.host) << 16 | u64::from(row.proc.port.unwrap_or(0));
        u64::from(row.place.rank) << 60 | u64::from(called(row)) << 36 | host_and_port
    };
    let column = match pane.sort {
        Sort::Trouble => vec![0; rows.len()],
        Sort::Column { column, down } => {
            let mut keys = keys(look, column, &rows, &called);
            if down {
                keys.iter_mut().for_each(|key| *key = !*key);
            }
            keys
        }
    };
    let mut sorted: Vec<(i64, u64, u32)> =
        rows.iter().zip(column).zip(0u32..).map(|((row, key), number)| (key, trouble(row), number)).collect();
    let name = |number: u32| rows.get(number as usize).map(|row| row.proc.name.as_str());
    sorted.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| name(a.2).cmp(&name(b.2))));
    // Made as the procs lie in memory, then put in order.
    let mut made: Vec<RowId> = rows.iter().map(|row| (Target::Proc(row.proc.host.clone(), row.proc.name.clone()), 0)).collect();
    let ids = sorted.iter().filter_map(|(_, _, number)| Some(std::mem::replace(made.get_mut(*number as usize)?, NOWHERE)));
    Prepared {
        version: look.version,
        world: Arc::downgrade(&look.world),
        sort: pane.sort,
        ids: Arc::new(ids.collect()),
        places: sorted.iter().filter_map(|(_, _, number)| rows.get(*number as usize)).map(|row| row.place).collect(),
        texts: OnceLock::new(),
    }
}

/// The procs of a part of the fleet, host by host.
fn rows<'a>(look: &'a Look, scope: &Scope) -> Vec<Row<'a>> {
    let names = Names::new(look);
    let mut sorted: Vec<(u32, &HostSeen)> = (0u32..).zip(look.world.hosts.values()).collect();
    sorted.sort_by(|(_, a), (_, b)| natural(&a.name, &b.name));
    // Those of a swarm are named one by one.
    let mut of_swarm: Option<HashMap<&str, Vec<&str>>> = None;
    if let Scope::Swarm(id) | Scope::Share(id, _) = scope {
        let wanted = of_swarm.insert(HashMap::new());
        for (host, name) in find::swarm(look, id).map(|swarm| swarm.procs.as_slice()).unwrap_or_default() {
            wanted.entry(host.as_str()).or_default().push(name);
        }
    }
    let mut rows = Vec::new();
    for (host, (number, seen)) in (0u32..).zip(sorted) {
        if let Scope::Host(only) | Scope::Share(_, only) = scope
            && *only != seen.name
        {
            continue;
        }
        let wanted = of_swarm.as_ref().map(|wanted| wanted.get(seen.name.as_str()).map(Vec::as_slice).unwrap_or_default());
        let reached = is_reached(seen);
        for (at, proc) in (0u32..).zip(&seen.procs) {
            if wanted.is_some_and(|wanted| !wanted.contains(&proc.name.as_str())) {
                continue;
            }
            let named = names.of(proc);
            let rank = proc_rank(proc_glyph(proc, reached), proc.owner);
            let place = Place { host: number, proc: at, swarm: named.map(|named| named.number), rank };
            rows.push(Row { proc, place, host, called: named.map(|named| named.place) });
        }
    }
    rows
}

fn plain(one: &str, other: &str) -> Ordering {
    one.cmp(other)
}

/// The place of each text among all that differ: they are few, and numbers are compared faster.
fn ranked<'a>(texts: impl Iterator<Item = &'a str>, order: fn(&str, &str) -> Ordering) -> HashMap<&'a str, u32> {
    let mut distinct: Vec<&str> = texts.collect::<HashSet<_>>().into_iter().collect();
    distinct.sort_unstable_by(|a, b| order(a, b));
    distinct.into_iter().zip(0..).collect()
}

/// What each row is ordered by in a column (`columns::PROCS`).
fn keys(look: &Look, column: usize, rows: &[Row<'_>], called: &dyn Fn(&Row<'_>) -> u32) -> Vec<i64> {
    let numbers = |of: &dyn Fn(&Proc) -> Option<u64>| -> Vec<i64> {
        rows.iter().map(|row| of(row.proc).map_or(-1, |number| i64::try_from(number).unwrap_or(i64::MAX))).collect()
    };
    let texts = |of: fn(&Proc) -> &str, order: fn(&str, &str) -> Ordering| -> Vec<i64> {
        let ranks = ranked(rows.iter().map(|row| of(row.proc)), order);
        rows.iter().map(|row| ranks.get(of(row.proc)).map_or(-1, |rank| i64::from(*rank))).collect()
    };
    match column {
        0 => rows.iter().map(|row| i64::from(called(row))).collect(),
        1 => rows.iter().map(|row| i64::from(row.host)).collect(),
        2 => numbers(&|proc| proc.port.map(u64::from)),
        3 => texts(|proc| proc.state.word(), plain),
        4 => texts(|proc| &proc.version, natural),
        5 => texts(|proc| &proc.release, plain),
        6 => numbers(&|proc| proc.pid.map(u64::from)),
        7 => rows.iter().map(|row| row.proc.uptime()).collect(),
        8 => numbers(&|proc| proc.routed.map(u64::from)),
        9 => numbers(&|proc| proc.cpu_percent.map(u64::from)),
        10 => numbers(&|proc| proc.rss_bytes),
        11 => numbers(&|proc| look.lists.restarts.get(&format!("{}/{}", proc.host, proc.name)).copied().map(u64::from)),
        12 | 13 => numbers(&|proc| Some(proc.owner as u64)),
        _ => texts(|proc| &proc.name, natural),
    }
}

fn is_reached(host: &HostSeen) -> bool {
    !matches!(host.state, HostState::Unreachable(_) | HostState::Unseen)
}

/// Everything that a row shows.
fn write(text: &mut String, named: Option<&Named<'_>>, host: &HostSeen, proc: &Proc) {
    text.push_str(named.map_or(proc.owner.word(), |named| named.called));
    for part in [&proc.host, state_of(host, proc), &proc.version, proc.release.get(..6).unwrap_or(&proc.release), &proc.name] {
        text.push(' ');
        text.push_str(part);
    }
    for number in [proc.port.map(u32::from), proc.pid].into_iter().flatten() {
        // Writing to a string does not fail.
        let _ = write!(text, " {number}");
    }
}

fn state_of(host: &HostSeen, proc: &Proc) -> &'static str {
    if is_reached(host) { proc.state.word() } else { "not seen" }
}

fn facts<'a>(text: &'a str, swarm: Option<&'a str>, host: &'a HostSeen, proc: &'a Proc) -> Facts<'a> {
    Facts {
        text,
        state: state_of(host, proc),
        host: &proc.host,
        app: &proc.app,
        squad: &host.squad,
        swarm: swarm.unwrap_or_default(),
        version: &proc.version,
        kind: proc.owner.word(),
        ..Facts::default()
    }
}

/// Whether a proc passes a filter, for the tree.
pub(super) fn passes(look: &Look, names: &Names<'_>, proc: &Proc, filter: &mut Filter, trouble_only: bool) -> bool {
    let Some(host) = find::host(look, &proc.host) else { return false };
    if trouble_only && proc_rank(proc_glyph(proc, is_reached(host)), proc.owner) >= TROUBLE {
        return false;
    }
    let named = names.of(proc);
    let mut text = String::new();
    if filter.needs_text() {
        write(&mut text, named, host, proc);
        text.make_ascii_lowercase();
    }
    filter.is_empty() || filter.keeps(&facts(&text, named.map(|named| named.short), host, proc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::state::Kind;
    use crate::console::tests::fixture::{NOW, look};

    fn names(found: &Ordered) -> Vec<String> {
        found.rows.iter().map(|(target, _)| format!("{target:?}")).collect()
    }

    /// What is prepared says the same as asking every proc, whatever is typed, in every order and of every part of the fleet.
    #[test]
    fn a_filter_of_what_is_prepared_keeps_what_each_proc_says_of_itself() {
        let look = look();
        let swarm = &look.swarms[0];
        let scopes =
            [Scope::All, Scope::Swarm(swarm.id.clone()), Scope::Host("web02".into()), Scope::Share(swarm.id.clone(), "web01".into())];
        for scope in scopes {
            for sort in
                std::iter::once(Sort::Trouble).chain((0..15).flat_map(|column| [true, false].map(|down| Sort::Column { column, down })))
            {
                let mut pane = Pane { sort, ..Pane::new(Kind::Procs, scope.clone()) };
                let whole = order(&look, NOW, &pane);
                for filter in [
                    "",
                    "shop",
                    "shop web01",
                    "!shop",
                    "~spweb",
                    "state:fatal",
                    "swarm:shop-eu* 50",
                    "host:*2 type:foreign",
                    "squad:web !app:api",
                    "user:x",
                ] {
                    for trouble_only in [false, true] {
                        pane.filter = filter.into();
                        pane.trouble_only = trouble_only;
                        pane.prepared = None;
                        let fresh = order(&look, NOW, &pane);
                        pane.prepared.clone_from(&whole.prepared);
                        assert_eq!(names(&order(&look, NOW, &pane)), names(&fresh));
                        let known = Names::new(&look);
                        let wanted: Vec<String> = (whole.rows.iter())
                            .filter(|(target, _)| {
                                let Target::Proc(host, name) = target else { panic!("{target:?}") };
                                let proc = find::proc(&look, host, name).unwrap();
                                passes(&look, &known, proc, &mut Filter::new(filter, NOW, &look.times), trouble_only)
                            })
                            .map(|(target, _)| format!("{target:?}"))
                            .collect();
                        assert_eq!(names(&fresh), wanted, "{scope:?} {sort:?} '{filter}'");
                        assert_eq!(fresh.total, whole.rows.len());
                    }
                }
            }
        }
    }

    #[test]
    fn what_was_prepared_of_another_look_or_order_is_not_asked() {
        let first = look();
        let mut pane = Pane::new(Kind::Procs, Scope::All);
        pane.prepared = order(&first, NOW, &pane).prepared;
        let other = Look { version: first.version + 1, ..first.clone() };
        let mut moved = (*first.world).clone();
        moved.hosts.remove("web01");
        let moved = Look { world: Arc::new(moved), ..first.clone() };
        for look in [&other, &moved] {
            let found = order(look, NOW, &pane);
            assert!(!Arc::ptr_eq(found.prepared.as_ref().unwrap(), pane.prepared.as_ref().unwrap()));
            assert_eq!(found.rows.len(), look.world.procs().count());
        }
        assert!(moved.world.procs().count() < first.world.procs().count());
        pane.sort = Sort::Column { column: 2, down: false };
        let ports: Vec<_> = order(&first, NOW, &pane).rows.iter().take(2).cloned().collect();
        assert!(matches!(&ports[0].0, Target::Proc(_, name) if name.ends_with("-5001")), "{ports:?}");
    }
}
