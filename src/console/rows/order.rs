//! Which objects a list shows, and in what order.

use super::cells::{TROUBLE, cells};
use super::filter::{Facts, Filter};
use super::find;
use crate::console::state::{Kind, Pane, RowId, Scope, Sort};
use crate::deck::look::{Look, Target};
use std::collections::BTreeMap;

/// The rows of a pane, and how many there are without its filter.
pub fn order(look: &Look, now_ms: i64, pane: &Pane) -> (Vec<RowId>, usize) {
    let all = members(look, pane.kind, &pane.scope);
    let total = match pane.kind {
        Kind::Hosts => all.iter().filter(|(target, _)| matches!(target, Target::Host(_))).count(),
        _ => all.len(),
    };
    let plain = pane.filter.trim().is_empty() && !pane.trouble_only;
    // Needs, events and places come in the order that they mean; most events are never looked at, so no cell is made for them.
    if plain
        && pane.sort == Sort::Trouble
        && matches!(
            pane.kind,
            Kind::Needs | Kind::Events | Kind::Strays | Kind::Places | Kind::Ingredients | Kind::Builds | Kind::Dispatches
        )
    {
        return (all, total);
    }
    let mut filter = Filter::new(&pane.filter);
    let mut rows: Vec<(Key, RowId)> = all
        .into_iter()
        .enumerate()
        .filter_map(|(number, id)| {
            let row = cells(look, now_ms, pane.kind, &pane.scope, &id)?;
            let facts =
                Facts { text: if filter.is_empty() { String::new() } else { row.cells.join(" ") }, state: row.state, host: row.host };
            let squad = matches!(id.0, Target::Squad(_));
            if squad && !plain {
                return None;
            }
            if !squad && ((pane.trouble_only && row.rank >= TROUBLE) || !filter.keeps(&facts)) {
                return None;
            }
            let key = match (pane.sort, pane.kind) {
                (Sort::Column(column), _) if !squad => {
                    Key { group: 0, rank: 0, text: natural(row.cells.get(column).map_or("", String::as_str)), number }
                }
                (_, Kind::Hosts) => Key {
                    group: group(look, &id),
                    rank: if squad { 0 } else { 1 + row.rank },
                    text: natural(row.cells.first().map_or("", String::as_str)),
                    number,
                },
                (_, Kind::Procs) => Key {
                    group: 0,
                    rank: row.rank,
                    text: natural(&row.cells.iter().take(3).cloned().collect::<Vec<_>>().join(" ")),
                    number,
                },
                (_, Kind::Swarms) => Key { group: 0, rank: row.rank, text: natural(row.cells.first().map_or("", String::as_str)), number },
                _ => Key { group: 0, rank: 0, text: Vec::new(), number },
            };
            if squad && matches!(pane.sort, Sort::Column(_)) {
                return None;
            }
            Some((key, id))
        })
        .collect();
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    (rows.into_iter().map(|(_, id)| id).collect(), total)
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    group: usize,
    rank: u8,
    text: Vec<Part>,
    number: usize,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Text(String),
}

/// Text in which `web9` comes before `web10`.
fn natural(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let length = if digits > 0 { digits } else { rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len()) };
        let (part, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        parts.push(part.parse().map_or_else(|_| Part::Text(part.to_lowercase()), Part::Number));
        rest = after;
    }
    parts
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

fn members(look: &Look, kind: Kind, scope: &Scope) -> Vec<RowId> {
    let first = |target: Target| (target, 0);
    match kind {
        Kind::Needs => {
            let mut times: BTreeMap<&Target, u16> = BTreeMap::new();
            let row = |need: &'_ crate::deck::look::Need, nth: u16| (need.target.clone(), nth);
            look.needs
                .iter()
                .map(|need| {
                    let nth = times.entry(&need.target).or_default();
                    let id = row(need, *nth);
                    *nth = nth.saturating_add(1);
                    id
                })
                .collect()
        }
        Kind::Swarms => look.swarms.iter().map(|swarm| first(Target::Swarm(swarm.id.clone()))).collect(),
        Kind::Hosts => {
            let in_scope = |squad: &str| !matches!(scope, Scope::Squad(wanted) if wanted != squad);
            let mut rows: Vec<RowId> =
                look.squads.iter().filter(|squad| in_scope(&squad.name)).map(|squad| first(Target::Squad(squad.name.clone()))).collect();
            let mut names: Vec<&String> = look.world.hosts.keys().chain(look.hosts.iter().map(|host| &host.name)).collect();
            names.sort();
            names.dedup();
            rows.extend(names.into_iter().filter(|name| in_scope(squad_of(look, name))).map(|name| first(Target::Host(name.clone()))));
            rows
        }
        Kind::Procs => match scope {
            Scope::Swarm(id) => find::swarm(look, id)
                .map(|swarm| swarm.procs.iter().map(|(host, name)| first(Target::Proc(host.clone(), name.clone()))).collect())
                .unwrap_or_default(),
            Scope::Host(name) => find::host(look, name)
                .map(|host| host.procs.iter().map(|proc| first(Target::Proc(proc.host.clone(), proc.name.clone()))).collect())
                .unwrap_or_default(),
            _ => look.world.procs().map(|proc| first(Target::Proc(proc.host.clone(), proc.name.clone()))).collect(),
        },
        Kind::Builds => look.builds.iter().map(|build| first(Target::Build(build.build.id.clone()))).collect(),
        Kind::Dispatches => look
            .dispatches
            .iter()
            .filter(|dispatch| !matches!(scope, Scope::Swarm(id) if *id != dispatch.swarm_id))
            .map(|dispatch| first(Target::Dispatch(dispatch.id.clone())))
            .collect(),
        Kind::Ingredients => look.ingredients.iter().map(|ingredient| first(Target::Ingredient(ingredient.id.clone()))).collect(),
        Kind::Events => look
            .events
            .iter()
            .filter(|event| match scope {
                Scope::About(names) => names.iter().any(|name| event.place == *name || event.run == *name),
                Scope::Run(id) => event.run == *id,
                _ => true,
            })
            .map(|event| first(Target::Event(event.seq)))
            .collect(),
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
    }
}
