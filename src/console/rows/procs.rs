//! The order of procs: there may be tens of thousands, so no cell is made and nothing is allocated for one that is not shown.

use super::cells::{TROUBLE, proc_glyph, proc_rank};
use super::filter::{Facts, Filter};
use super::find;
use super::natural::natural;
use crate::console::state::{Pane, RowId, Scope, Sort};
use crate::deck::look::{Look, SwarmLook, Target};
use crate::model::world::{HostSeen, HostState, Owner, Proc};
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

/// What all procs of a swarm share: what it is called, and its place among the names.
struct Named<'a> {
    called: &'a str,
    short: &'a str,
    place: u32,
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
        let mut sorted: Vec<&SwarmLook> = look.swarms.iter().collect();
        sorted.sort_by(|a, b| natural(called(a), called(b)));
        let named = sorted
            .into_iter()
            .zip(0u32..)
            .map(|(swarm, place)| (swarm.name.as_str(), Named { called: called(swarm), short: &swarm.short, place }));
        Names(named.collect())
    }

    fn of(&self, proc: &'a Proc) -> Option<&Named<'a>> {
        if proc.owner == Owner::Ours { self.0.get(proc.swarm.as_deref()?) } else { None }
    }
}

/// A proc that may be shown.
struct Row<'a> {
    proc: &'a Proc,
    /// Its rank, then its swarm's place among the names: numbers, because they are compared by the hundred thousand.
    first: u64,
    /// What it is called where no swarm owns it.
    name: &'a str,
    /// Its host's place, then its port.
    second: u64,
}

/// A host with its place among the hosts.
struct On<'a> {
    seen: &'a HostSeen,
    place: u32,
    reached: bool,
}

/// The rows of a pane of procs, and how many there are without its filter.
pub fn order<'a>(look: &'a Look, now_ms: i64, pane: &Pane) -> (Vec<RowId>, usize) {
    let names = Names::new(look);
    let mut hosts: Vec<&HostSeen> = look.world.hosts.values().collect();
    hosts.sort_by(|a, b| natural(&a.name, &b.name));
    let hosts: BTreeMap<&str, On<'a>> = hosts
        .into_iter()
        .zip(0u32..)
        .map(|(seen, place)| {
            let reached = !matches!(seen.state, HostState::Unreachable(_) | HostState::Unseen);
            (seen.name.as_str(), On { seen, place, reached })
        })
        .collect();
    let mut total = 0;
    let mut filter = Filter::new(&pane.filter, now_ms, &look.times);
    let mut text = String::new();
    let mut rows: Vec<Row<'a>> = Vec::new();
    let mut take = |on: &On<'a>, proc: &'a Proc| {
        total += 1;
        rows.extend(row(&names, on, proc, pane, &mut filter, &mut text));
    };
    match &pane.scope {
        Scope::Swarm(id) | Scope::Share(id, _) => {
            let only = if let Scope::Share(_, host) = &pane.scope { Some(host) } else { None };
            for (host, name) in find::swarm(look, id).map(|swarm| swarm.procs.as_slice()).unwrap_or_default() {
                if let (Some(on), true) = (hosts.get(host.as_str()), only.is_none_or(|only| only == host)) {
                    on.seen.procs.iter().filter(|proc| proc.name == *name).for_each(|proc| take(on, proc));
                }
            }
        }
        Scope::Host(name) => {
            if let Some(on) = hosts.get(name.as_str()) {
                on.seen.procs.iter().for_each(|proc| take(on, proc));
            }
        }
        _ => hosts.values().for_each(|on| on.seen.procs.iter().for_each(|proc| take(on, proc))),
    }
    match pane.sort {
        Sort::Trouble => rows.sort_unstable_by(by_trouble),
        Sort::Column { column, down } => rows.sort_unstable_by(|a, b| {
            let order = by_column(look, column, a, b);
            if down { order.reverse() } else { order }.then_with(|| by_trouble(a, b))
        }),
    }
    (rows.into_iter().map(|row| (Target::Proc(row.proc.host.clone(), row.proc.name.clone()), 0)).collect(), total)
}

/// The swarm's place in a row's `first`.
const PLACE: u64 = 0xffff_ffff;

/// What needs somebody most, then by name, host and port.
fn by_trouble(a: &Row<'_>, b: &Row<'_>) -> Ordering {
    let names = || a.name.cmp(b.name);
    let places = || a.second.cmp(&b.second);
    a.first.cmp(&b.first).then_with(names).then_with(places).then_with(|| a.proc.name.cmp(&b.proc.name))
}

/// The proc as a row, if the pane shows it.
fn row<'a>(names: &Names<'a>, on: &On<'a>, proc: &'a Proc, pane: &Pane, filter: &mut Filter, text: &mut String) -> Option<Row<'a>> {
    let rank = proc_rank(proc_glyph(proc, on.reached), proc.owner);
    if pane.trouble_only && rank >= TROUBLE {
        return None;
    }
    let named = names.of(proc);
    if !filter.is_empty() && !keeps(named, on.seen, on.reached, proc, filter, text) {
        return None;
    }
    let name = if named.is_some() { "" } else { proc.name.as_str() };
    let swarm = named.map_or(u32::MAX, |named| named.place);
    let second = u64::from(on.place) << 32 | u64::from(proc.port.unwrap_or(0));
    Some(Row { proc, first: u64::from(rank) << 32 | u64::from(swarm), name, second })
}

fn keeps(named: Option<&Named<'_>>, host: &HostSeen, reached: bool, proc: &Proc, filter: &mut Filter, text: &mut String) -> bool {
    let state = if reached { proc.state.word() } else { "not seen" };
    text.clear();
    if filter.needs_text() {
        match named {
            Some(named) => text.push_str(named.called),
            None => text.push_str(proc.owner.word()),
        }
        for part in [&proc.host, state, &proc.version, proc.release.get(..6).unwrap_or(&proc.release), &proc.name] {
            text.push(' ');
            text.push_str(part);
        }
        for number in [proc.port.map(u32::from), proc.pid].into_iter().flatten() {
            // Writing to a string does not fail.
            let _ = write!(text, " {number}");
        }
        text.make_ascii_lowercase();
    }
    filter.keeps(&Facts {
        text,
        state,
        host: &proc.host,
        app: &proc.app,
        squad: &host.squad,
        swarm: named.map(|named| named.short).unwrap_or_default(),
        version: &proc.version,
        kind: proc.owner.word(),
        ..Facts::default()
    })
}

/// By what a column shows (`columns::PROCS`).
fn by_column(look: &Look, column: usize, a: &Row<'_>, b: &Row<'_>) -> Ordering {
    let (x, y) = (a.proc, b.proc);
    let restarts = |proc: &Proc| look.lists.restarts.get(&format!("{}/{}", proc.host, proc.name)).copied();
    match column {
        0 => (a.first & PLACE, a.name).cmp(&(b.first & PLACE, b.name)),
        1 => (a.second >> 32).cmp(&(b.second >> 32)),
        2 => x.port.cmp(&y.port),
        3 => x.state.word().cmp(y.state.word()),
        4 => natural(&x.version, &y.version),
        5 => x.release.cmp(&y.release),
        6 => x.pid.cmp(&y.pid),
        7 => x.uptime().cmp(&y.uptime()),
        8 => x.routed.cmp(&y.routed),
        9 => x.cpu_percent.cmp(&y.cpu_percent),
        10 => x.rss_bytes.cmp(&y.rss_bytes),
        11 => restarts(x).cmp(&restarts(y)),
        12 | 13 => x.owner.cmp(&y.owner),
        _ => natural(&x.name, &y.name),
    }
}

/// Whether a proc passes a filter, for the tree.
pub(super) fn passes(look: &Look, names: &Names<'_>, proc: &Proc, filter: &mut Filter, trouble_only: bool) -> bool {
    let Some(host) = find::host(look, &proc.host) else { return false };
    let reached = !matches!(host.state, HostState::Unreachable(_) | HostState::Unseen);
    if trouble_only && proc_rank(proc_glyph(proc, reached), proc.owner) >= TROUBLE {
        return false;
    }
    let named = if proc.owner == Owner::Ours { proc.swarm.as_deref().and_then(|name| names.0.get(name)) } else { None };
    filter.is_empty() || keeps(named, host, reached, proc, filter, &mut String::new())
}
