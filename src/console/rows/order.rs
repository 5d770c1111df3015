//! Which objects a list shows, and in what order.

use super::cells::{Cell, TROUBLE, cells, swarm_rank};
use super::filter::Filter;
use super::natural::natural;
use super::{find, procs, tree};
use crate::console::state::{Kind, Order, Pane, RowId, Scope, Sort};
use crate::deck::look::{Look, Target};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The rows of a pane.
#[derive(Debug, Default)]
pub struct Ordered {
    pub rows: Order,
    /// How many there are without its filter.
    pub total: usize,
    /// For the next key of a filter: the pane keeps it.
    pub prepared: Option<Arc<procs::Prepared>>,
}

/// The rows of a pane in their order.
pub fn order(look: &Look, now_ms: i64, pane: &Pane) -> Ordered {
    if pane.kind == Kind::Procs {
        return procs::order(look, now_ms, pane);
    }
    let (rows, total) = if pane.kind == Kind::Tree { tree::order(look, now_ms, pane) } else { listed(look, now_ms, pane) };
    Ordered { rows: rows.into(), total, prepared: None }
}

fn listed(look: &Look, now_ms: i64, pane: &Pane) -> (Vec<RowId>, usize) {
    let all = members(look, pane.kind, &pane.scope);
    let total = match pane.kind {
        Kind::Hosts => all.iter().filter(|(target, _)| matches!(target, Target::Host(_))).count(),
        _ => all.len(),
    };
    let plain = pane.is_plain();
    // These come in the order that they mean; most events are never looked at, so no cell is made for them.
    if plain && pane.sort == Sort::Trouble && is_ordered(pane.kind) {
        return (all, total);
    }
    if plain && pane.sort == Sort::Trouble && pane.kind == Kind::Swarms {
        return (swarms(look, all), total);
    }
    let mut filter = Filter::new(&pane.filter, now_ms, &look.times);
    let needs_text = filter.needs_text();
    let mut rows: Vec<(Key, RowId)> = all
        .into_iter()
        .enumerate()
        .filter_map(|(number, id)| {
            let row = cells(look, now_ms, pane, &id)?;
            // A squad's line stands over its hosts only where all of them are shown, in their order.
            let squad = pane.kind == Kind::Hosts && matches!(id.0, Target::Squad(_));
            if squad && (!plain || pane.sort != Sort::Trouble) {
                return None;
            }
            let text = if needs_text { row.text() } else { String::new() };
            if !squad && ((pane.trouble_only && row.rank >= TROUBLE) || !filter.keeps(&row.about.facts(&text))) {
                return None;
            }
            let first = || row.cells.first().cloned().unwrap_or_default();
            let (group, rank, cell) = match (pane.sort, pane.kind) {
                (Sort::Column { column, .. }, _) => (0, 0, row.cells.get(column).cloned().unwrap_or_default()),
                (_, Kind::Hosts) => (group(look, &id), if squad { 0 } else { 1 + row.rank }, first()),
                (_, kind) if is_ordered(kind) => (0, 0, Cell::default()),
                _ => (0, row.rank, first()),
            };
            Some((Key { group, rank, cell, number }, id))
        })
        .collect();
    rows.sort_by(|(a, _), (b, _)| a.cmp(b, pane.sort));
    (rows.into_iter().map(|(_, id)| id).collect(), total)
}

/// Whether the members of a kind come in the order that they mean.
fn is_ordered(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Swarms | Kind::Hosts | Kind::Procs | Kind::Tree | Kind::Apps | Kind::Squads | Kind::Balancers | Kind::Pools | Kind::Nodes
    )
}

struct Key {
    group: usize,
    rank: u8,
    cell: Cell,
    number: usize,
}

impl Key {
    fn cmp(&self, other: &Key, sort: Sort) -> Ordering {
        let cells = by_cell(&self.cell, &other.cell);
        let cells = if matches!(sort, Sort::Column { down: true, .. }) { cells.reverse() } else { cells };
        (self.group, self.rank).cmp(&(other.group, other.rank)).then(cells).then(self.number.cmp(&other.number))
    }
}

/// By number where both have one, else as text in which `web9` comes before `web10`.
fn by_cell(one: &Cell, other: &Cell) -> Ordering {
    match (one.number, other.number) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => natural(&one.text, &other.text),
    }
}

/// Swarms by what needs somebody most, then by name; no cell is made.
fn swarms(look: &Look, all: Vec<RowId>) -> Vec<RowId> {
    let mut rows: Vec<(u8, &str, RowId)> = all
        .into_iter()
        .filter_map(|id| match &id.0 {
            Target::Swarm(swarm) => find::swarm(look, swarm).map(|swarm| (swarm_rank(swarm.state), swarm.name.as_str(), id)),
            _ => None,
        })
        .collect();
    rows.sort_by(|(rank, name, _), (other_rank, other, _)| rank.cmp(other_rank).then_with(|| natural(name, other)));
    rows.into_iter().map(|(_, _, id)| id).collect()
}

fn group(look: &Look, id: &RowId) -> usize {
    let squad = match &id.0 {
        Target::Squad(name) => name.as_str(),
        Target::Host(name) => squad_of(look, name),
        _ => "",
    };
    look.squads.iter().position(|known| known.name == squad).unwrap_or(look.squads.len())
}

fn squad_of<'a>(look: &'a Look, host: &str) -> &'a str {
    find::host(look, host)
        .map(|seen| seen.squad.as_str())
        .or_else(|| look.hosts.iter().find(|known| known.name == host).map(|known| known.squad.as_str()))
        .unwrap_or_default()
}

fn first(target: Target) -> RowId {
    (target, 0)
}

fn members(look: &Look, kind: Kind, scope: &Scope) -> Vec<RowId> {
    match kind {
        Kind::Needs => needs(look),
        Kind::Swarms => {
            let in_scope = |swarm: &&crate::deck::look::SwarmLook| match scope {
                Scope::App(app) => swarm.app == *app,
                Scope::Ingredient(name) => swarm.ingredients.contains(name),
                Scope::Squad(squad) => swarm.squad == *squad,
                _ => true,
            };
            look.swarms.iter().filter(in_scope).map(|swarm| first(Target::Swarm(swarm.id.clone()))).collect()
        }
        Kind::Hosts => {
            let in_scope = |squad: &str| !matches!(scope, Scope::Squad(wanted) if wanted != squad);
            let mut rows: Vec<RowId> =
                look.squads.iter().filter(|squad| in_scope(&squad.name)).map(|squad| first(Target::Squad(squad.name.clone()))).collect();
            let names: std::collections::BTreeSet<&String> =
                look.world.hosts.keys().chain(look.hosts.iter().map(|host| &host.name)).collect();
            rows.extend(names.into_iter().filter(|name| in_scope(squad_of(look, name))).map(|name| first(Target::Host(name.clone()))));
            rows
        }
        Kind::Builds => {
            let in_scope = |build: &&crate::deck::look::BuildLook| !matches!(scope, Scope::App(app) if *app != build.build.app);
            look.builds.iter().filter(in_scope).map(|build| first(Target::Build(build.build.id.clone()))).collect()
        }
        Kind::Dispatches => look
            .dispatches
            .iter()
            .filter(|dispatch| !matches!(scope, Scope::Swarm(id) if *id != dispatch.swarm_id))
            .map(|dispatch| first(Target::Dispatch(dispatch.id.clone())))
            .collect(),
        Kind::Ingredients => look.ingredients.iter().map(|ingredient| first(Target::Ingredient(ingredient.id.clone()))).collect(),
        Kind::Events => events(look, scope),
        Kind::Strays => {
            // Those that are known come last, in the same order.
            let mut rows: Vec<&crate::model::stray::Stray> = look.strays.iter().collect();
            rows.sort_by_key(|stray| stray.ignored);
            rows.into_iter().map(|stray| first(Target::Stray(stray.place.clone(), stray.name.clone()))).collect()
        }
        Kind::Places => {
            let Scope::Run(id) = scope else { return Vec::new() };
            let mut rows: Vec<RowId> = Vec::new();
            for step in find::dispatch(look, id).map(|dispatch| dispatch.steps.as_slice()).unwrap_or_default() {
                let id = first(Target::Host(step.place.clone()));
                if !step.place.is_empty() && !rows.contains(&id) {
                    rows.push(id);
                }
            }
            // Balancers and their pools come after the hosts.
            rows.sort_by_key(|(target, _)| matches!(target, Target::Host(place) if place.contains('/')));
            rows
        }
        Kind::Apps => look
            .apps
            .iter()
            .filter(|app| !matches!(scope, Scope::Buildpack(name) if app.buildpack.as_ref() != Some(name)))
            .map(|app| first(Target::App(app.name.clone())))
            .collect(),
        Kind::Buildpacks => {
            let mut packs: Vec<_> = look.buildpacks.iter().collect();
            packs.sort_by_key(|pack| pack.order);
            packs.into_iter().map(|pack| first(Target::Buildpack(pack.name.clone()))).collect()
        }
        Kind::Squads => look.squads.iter().map(|squad| first(Target::Squad(squad.name.clone()))).collect(),
        Kind::Releases => {
            let in_scope = |release: &&crate::deck::lists::ReleaseLook| match scope {
                Scope::Swarm(id) => release.swarm_id == *id,
                Scope::App(app) => find::swarm(look, &release.swarm_id).is_some_and(|swarm| swarm.app == *app),
                _ => true,
            };
            let target = |release: &crate::deck::lists::ReleaseLook| Target::Release(release.swarm_id.clone(), release.id.clone());
            look.lists.releases.iter().filter(in_scope).map(|release| first(target(release))).collect()
        }
        Kind::Balancers => look.balancers.iter().map(|balancer| first(Target::Balancer(balancer.name.clone()))).collect(),
        Kind::Pools => {
            let of = if let Scope::Balancer(name) = scope { Some(name.as_str()) } else { None };
            find::pools(look, of).into_iter().map(|(balancer, pool)| first(Target::Pool(balancer.into(), pool.into()))).collect()
        }
        Kind::Nodes => nodes(look, scope),
        Kind::Uptests => {
            let in_scope = |run: &&crate::deck::lists::UptestRun| !matches!(scope, Scope::Swarm(id) if *id != run.swarm_id);
            look.lists.uptests.iter().filter(in_scope).map(|run| first(Target::Uptests(run.id.clone()))).collect()
        }
        Kind::Holds => look.holds.iter().map(|hold| first(Target::Hold(hold.name.clone()))).collect(),
        Kind::Waves => look.lists.waves.iter().map(|wave| first(Target::Wave(wave.wave.number))).collect(),
        Kind::Members => {
            let Scope::Wave(number) = scope else { return Vec::new() };
            let members = find::wave(look, *number).map(|wave| wave.wave.members.as_slice()).unwrap_or_default();
            members.iter().map(|member| first(Target::Member(*number, member.swarm_id.clone()))).collect()
        }
        Kind::Audit => look.lists.audit.iter().map(|line| first(Target::Audit(line.seq))).collect(),
        Kind::Versions => {
            let Scope::Versions(versions) = scope else { return Vec::new() };
            versions.iter().map(|version| first(Target::Version(version.id.clone(), version.rev))).collect()
        }
        Kind::Undo => crate::deck::undo::undoable(look).into_iter().map(|undo| first(undo.target)).collect(),
        Kind::Procs | Kind::Tree => Vec::new(),
    }
}

fn needs(look: &Look) -> Vec<RowId> {
    let mut times: BTreeMap<&Target, u16> = BTreeMap::new();
    let mut rows = Vec::new();
    for need in &look.needs {
        let nth = times.entry(&need.target).or_default();
        rows.push((need.target.clone(), *nth));
        *nth = nth.saturating_add(1);
    }
    rows
}

fn events(look: &Look, scope: &Scope) -> Vec<RowId> {
    let wanted = |event: &&crate::model::record::Event| match scope {
        Scope::About(names) => names.iter().any(|name| event.place == *name || event.run == *name),
        Scope::Run(id) => event.run == *id,
        _ => true,
    };
    let mut rows: Vec<RowId> = look.events.iter().filter(wanted).map(|event| first(Target::Event(event.seq))).collect();
    if !matches!(scope, Scope::All) {
        // What fell out of the newest ones and is looked at.
        let oldest = look.events.last().map_or(i64::MAX, |event| event.seq);
        let past = look.lists.past.values().flatten().rev().filter(|event| event.seq < oldest).filter(wanted);
        rows.extend(past.map(|event| first(Target::Event(event.seq))));
    }
    rows
}

/// A row for each node on each balancer host; where hosts disagree, one that lacks a node of the pool has a row for it too.
fn nodes(look: &Look, scope: &Scope) -> Vec<RowId> {
    let Scope::Pool(balancer, pool) = scope else { return Vec::new() };
    let Some(seen) = look.world.pool(balancer, pool) else { return Vec::new() };
    let row = |host: &str, node: &str| {
        first(Target::Node { balancer: balancer.clone(), pool: pool.clone(), host: host.into(), node: node.into() })
    };
    let mut rows = Vec::new();
    for host in &seen.hosts {
        let names: std::collections::BTreeSet<&String> = host.nodes.keys().chain(&seen.nodes).collect();
        rows.extend(names.into_iter().map(|node| row(&host.host, node)));
    }
    rows
}
