//! Apps, swarms, hosts and procs as a tree; each row says what lies below it.

use super::cells::{Cell, Cells, TROUBLE, proc_glyph, proc_rank, swarm_rank};
use super::filter::{About, Filter};
use super::natural::natural;
use super::text::{age, or_dash};
use super::{find, procs};
use crate::console::state::{Pane, RowId};
use crate::deck::look::{Look, SwarmLook, Target};
use crate::model::world::{HostState, Owner, Proc};
use std::collections::{BTreeMap, BTreeSet};

/// The rows that are not folded away, and how many procs there are.
pub fn order(look: &Look, now_ms: i64, pane: &Pane) -> (Vec<RowId>, usize) {
    let names = procs::Names::new(look);
    let mut filter = Filter::new(&pane.filter, now_ms, &look.times);
    let plain = pane.is_plain();
    let mut rows = Vec::new();
    for (app, mut swarms) in apps(look) {
        swarms.sort_by(|a, b| swarm_rank(a.state).cmp(&swarm_rank(b.state)).then_with(|| natural(&a.short, &b.short)));
        let mut below = Vec::new();
        for swarm in swarms {
            let shown: Vec<&Proc> = swarm
                .procs
                .iter()
                .filter_map(|(host, name)| find::proc(look, host, name))
                .filter(|proc| plain || procs::passes(look, &names, proc, &mut filter, pane.trouble_only))
                .collect();
            // A swarm without procs is there all the same, unless something is looked for.
            let itself = plain || (is_named(swarm, &mut filter) && (!pane.trouble_only || swarm_rank(swarm.state) < TROUBLE));
            if !itself && shown.is_empty() {
                continue;
            }
            let target = Target::Swarm(swarm.id.clone());
            let folded = pane.is_folded(&target);
            below.push(target);
            if !folded {
                below.extend(shares(pane, swarm, &shown));
            }
        }
        if below.is_empty() {
            continue;
        }
        let target = Target::App(app.to_string());
        let folded = pane.is_folded(&target);
        rows.push((target, 0));
        if !folded {
            rows.extend(below.into_iter().map(|target| (target, 0)));
        }
    }
    let strangers: Vec<&Proc> = look.world.procs().filter(|proc| !names.own(proc)).collect();
    let shown: Vec<&&Proc> =
        strangers.iter().filter(|proc| plain || procs::passes(look, &names, proc, &mut filter, pane.trouble_only)).collect();
    if !shown.is_empty() {
        rows.push((Target::Strays, 0));
        if !pane.is_folded(&Target::Strays) {
            rows.extend(shown.into_iter().map(|proc| (Target::Proc(proc.host.clone(), proc.name.clone()), 0)));
        }
    }
    (rows, look.world.procs().count())
}

/// Swarms by their app.
fn apps(look: &Look) -> BTreeMap<&str, Vec<&SwarmLook>> {
    let mut apps: BTreeMap<&str, Vec<&SwarmLook>> = BTreeMap::new();
    for swarm in &look.swarms {
        apps.entry(&swarm.app).or_default().push(swarm);
    }
    apps
}

fn is_owned(look: &Look, proc: &Proc) -> bool {
    proc.owner == Owner::Ours && proc.swarm.as_ref().is_some_and(|name| look.swarms.iter().any(|swarm| swarm.name == *name))
}

fn is_named(swarm: &SwarmLook, filter: &mut Filter) -> bool {
    let about = About {
        state: swarm.state.word().into(),
        app: swarm.app.clone(),
        squad: swarm.squad.clone(),
        swarm: swarm.short.clone(),
        version: swarm.version.clone(),
        ..About::default()
    };
    filter.keeps(&about.facts(&format!("{} {}", swarm.name, swarm.state.word()).to_lowercase()))
}

/// A swarm's hosts with their procs.
fn shares(pane: &Pane, swarm: &SwarmLook, shown: &[&Proc]) -> Vec<Target> {
    let mut hosts: Vec<&str> = shown.iter().map(|proc| proc.host.as_str()).collect::<BTreeSet<_>>().into_iter().collect();
    hosts.sort_by(|a, b| natural(a, b));
    let mut rows = Vec::new();
    for host in hosts {
        let share = Target::Share(swarm.id.clone(), host.to_string());
        let folded = pane.is_folded(&share);
        rows.push(share);
        if !folded {
            let mut procs: Vec<&&Proc> = shown.iter().filter(|proc| proc.host == host).collect();
            procs.sort_by_key(|proc| (proc.port, &proc.name));
            rows.extend(procs.into_iter().map(|proc| Target::Proc(proc.host.clone(), proc.name.clone())));
        }
    }
    rows
}

/// What stands over a row of the tree.
pub fn parent(look: &Look, target: &Target) -> Option<Target> {
    match target {
        Target::Swarm(id) => find::swarm(look, id).map(|swarm| Target::App(swarm.app.clone())),
        Target::Share(id, _) => Some(Target::Swarm(id.clone())),
        Target::Proc(host, name) => {
            let proc = find::proc(look, host, name)?;
            let swarm = look.swarms.iter().find(|swarm| proc.owner == Owner::Ours && proc.swarm.as_ref() == Some(&swarm.name));
            Some(swarm.map_or(Target::Strays, |swarm| Target::Share(swarm.id.clone(), host.clone())))
        }
        _ => None,
    }
}

/// Name with its depth and whether it is open: `  - shop-prod-web`.
fn label(depth: usize, fold: Option<bool>, name: &str) -> Cell {
    let mark = match fold {
        Some(true) => "+ ",
        Some(false) => "- ",
        None => "  ",
    };
    format!("{}{mark}{name}", "  ".repeat(depth)).into()
}

/// What a row of the tree says.
pub fn cells(look: &Look, now_ms: i64, pane: &Pane, target: &Target) -> Option<Cells> {
    let fold = Some(pane.is_folded(target));
    match target {
        Target::App(name) => {
            let swarms: Vec<&SwarmLook> = look.swarms.iter().filter(|swarm| swarm.app == *name).collect();
            let worst = swarms.iter().min_by_key(|swarm| swarm_rank(swarm.state))?;
            let (ready, size) = swarms.iter().fold((0, 0), |(ready, size), swarm| (ready + swarm.ready, size + swarm.size));
            let count = if swarms.len() == 1 { "1 swarm".to_string() } else { format!("{} swarms", swarms.len()) };
            let last = swarms.iter().map(|swarm| swarm.last_ms).max().unwrap_or(0);
            Some(row(
                worst.state.glyph(),
                swarm_rank(worst.state),
                [label(0, fold, name), worst.state.word().into(), ratio(ready, size), "".into(), count.into(), Cell::age(now_ms, last)],
            ))
        }
        Target::Swarm(id) => {
            let swarm = find::swarm(look, id)?;
            let version = if swarm.running.is_empty() { &swarm.version } else { &swarm.running };
            let cells = [
                label(1, fold, &find::called(look, swarm)),
                swarm.state.word().into(),
                ratio(swarm.ready, swarm.size),
                or_dash(version).into(),
                if swarm.not_live.is_empty() { "".into() } else { format!("not live: {}", swarm.not_live).into() },
                Cell::age(now_ms, swarm.last_ms),
            ];
            Some(row(swarm.state.glyph(), swarm_rank(swarm.state), cells))
        }
        Target::Share(id, host) => {
            let swarm = find::swarm(look, id)?;
            let procs: Vec<&Proc> =
                swarm.procs.iter().filter(|(on, _)| on == host).filter_map(|(on, name)| find::proc(look, on, name)).collect();
            let seen = find::host(look, host)?;
            let (glyph, word, note, rank) = super::cells::host_state(seen);
            let ready = procs.iter().filter(|proc| proc.state == crate::model::world::ProcState::Running).count();
            let cells = [
                label(2, fold, host),
                word.into(),
                format!("{ready}/{}", procs.len()).into(),
                "".into(),
                note.into(),
                Cell::age(now_ms, seen.seen_ms),
            ];
            Some(row(glyph, rank, cells))
        }
        Target::Proc(on, name) => {
            let proc = find::proc(look, on, name)?;
            let reached = find::host(look, on).is_some_and(|host| !matches!(host.state, HostState::Unreachable(_) | HostState::Unseen));
            let glyph = proc_glyph(proc, reached);
            let owned = is_owned(look, proc);
            let port = proc.port.map(|port| format!(":{port}")).unwrap_or_default();
            let pid = proc.pid.map(|pid| format!("pid {pid}")).unwrap_or_default();
            let shown = if owned { label(3, None, port.trim()) } else { label(1, None, &format!("{name} {port}")) };
            let bad = if proc.spawn_error.is_empty() { pid } else { proc.spawn_error.clone() };
            let note = if owned { bad } else { format!("{} on {on}", proc.owner.word()) };
            let up = proc.uptime();
            let cells = [
                shown,
                if reached { proc.state.word() } else { "not seen" }.into(),
                "".into(),
                or_dash(&proc.version).into(),
                note.into(),
                if up > 0 { age(up * 1000 + 1, 1) } else { "-".into() }.into(),
            ];
            Some(row(glyph, proc_rank(glyph, proc.owner), cells))
        }
        Target::Strays => {
            let count = look.world.procs().filter(|proc| !is_owned(look, proc)).count();
            let note = format!("{count} procs that no swarm owns");
            Some(row('.', 3, [label(0, fold, "no swarm"), "".into(), "".into(), "".into(), note.into(), "".into()]))
        }
        _ => None,
    }
}

fn ratio(ready: u32, size: u32) -> Cell {
    format!("{ready}/{size}").into()
}

fn row(glyph: char, rank: u8, cells: [Cell; 6]) -> Cells {
    Cells::new(glyph, rank, cells.into(), About::default())
}
