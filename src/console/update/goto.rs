//! Ways through the console: in, out, tabs, panes, logs, leaving.

use crate::console::effect::Effect;
use crate::console::rows::find;
use crate::console::state::{Kind, Layer, LogLayer, LogSource, Pane, Scope, Slot, State, Tab, TextKind};
use crate::console::view::layout;
use crate::deck::look::{BuildLook, Target};
use crate::deck::past::VersionLook;
use crate::model::Result;
use crate::model::hold::HoldOn;
use crate::model::record::Phase;
use std::sync::Arc;

/// Opens an object.
pub fn open(state: &mut State, target: &Target) -> Vec<Effect> {
    let kept = matches!(target, Target::Nothing | Target::Host(_) | Target::Dispatch(_));
    if !kept && !find::exists(&state.look, target) {
        state.say(format!("{} is gone", find::name(&state.look, target)), true);
        return Vec::new();
    }
    let name = find::name(&state.look, target);
    let below = |what: &str| format!("{name}  {what}");
    match target {
        Target::Swarm(id) => list(state, below("procs"), Kind::Procs, Scope::Swarm(id.clone())),
        Target::Share(id, host) => list(state, below("procs"), Kind::Procs, Scope::Share(id.clone(), host.clone())),
        Target::Host(host) if find::host(&state.look, host).is_some() => {
            list(state, below("procs"), Kind::Procs, Scope::Host(host.clone()))
        }
        Target::Squad(squad) => list(state, below("hosts"), Kind::Hosts, Scope::Squad(squad.clone())),
        Target::App(app) => list(state, below("swarms"), Kind::Swarms, Scope::App(app.clone())),
        Target::Buildpack(pack) => list(state, below("apps"), Kind::Apps, Scope::Buildpack(pack.clone())),
        Target::Ingredient(_) => list(state, below("swarms that use it"), Kind::Swarms, Scope::Ingredient(name.clone())),
        Target::Balancer(balancer) => list(state, below("pools"), Kind::Pools, Scope::Balancer(balancer.clone())),
        Target::Pool(balancer, pool) => list(state, below("nodes"), Kind::Nodes, Scope::Pool(balancer.clone(), pool.clone())),
        Target::Wave(number) => list(state, below("swarms"), Kind::Members, Scope::Wave(*number)),
        Target::Node { node, .. } => {
            let proc = find::proc_of_node(&state.look, node).map(|proc| Target::Proc(proc.host.clone(), proc.name.clone()));
            describe(state, &proc.unwrap_or_else(|| target.clone()));
        }
        Target::Member(number, swarm) => {
            let plan = find::wave(&state.look, *number)
                .and_then(|wave| wave.wave.members.iter().find(|member| member.swarm_id == *swarm))
                .map(|member| member.plan.clone())
                .filter(|plan| find::dispatch(&state.look, plan).is_some());
            return open(state, &plan.map_or_else(|| Target::Swarm(swarm.clone()), Target::Dispatch));
        }
        Target::Hold(hold) => {
            let held = find::hold(&state.look, hold).map(|hold| match hold.on {
                HoldOn::Swarm => Target::Swarm(hold.id.clone()),
                HoldOn::Squad => Target::Squad(hold.object.clone()),
                HoldOn::Host => Target::Host(hold.object.clone()),
                HoldOn::Fleet => Target::Nothing,
            });
            match held {
                Some(held) if find::exists(&state.look, &held) => return open(state, &held),
                _ => describe(state, target),
            }
        }
        Target::Version(id, rev) => return super::sheets::change(state, id, *rev),
        Target::Audit(seq) => {
            let line = find::audit(&state.look, *seq).cloned().unwrap_or_default();
            // What was written, changed or deleted has its versions.
            let object = line.object.split_once(' ').and_then(|(kind, name)| find::named(&state.look, kind, name.split(' ').next()?));
            match object.filter(|_| matches!(line.verb.as_str(), "apply" | "edit" | "revert" | "delete")) {
                Some(object) => return super::sheets::history_of(state, object),
                None => return open_run(state, target, line.run),
            }
        }
        Target::Dispatch(id) => {
            state.layers.push(Layer::Dispatch { id: id.clone(), pane: Box::new(Pane::new(Kind::Places, Scope::Run(id.clone()))) });
            // What ended long ago is read for this screen.
            let live = find::dispatch(&state.look, id).is_some_and(|dispatch| dispatch.outcome.is_none());
            if !live && !state.look.lists.past.contains_key(id) {
                return vec![Effect::Attend { dispatch: id.clone() }];
            }
        }
        Target::Build(_) => return logs(state, target),
        Target::Event(seq) => {
            let run = find::event(&state.look, *seq).map(|event| event.run.clone()).unwrap_or_default();
            return open_run(state, target, run);
        }
        Target::Proc(..) | Target::Host(_) | Target::Stray(..) | Target::Release(..) | Target::Uptests(_) => describe(state, target),
        Target::Strays => return tab(state, Tab::Strays),
        Target::Nothing => {}
    }
    Vec::new()
}

/// The dispatch that an event or audit line belongs to, else the line itself.
fn open_run(state: &mut State, target: &Target, run: String) -> Vec<Effect> {
    if find::dispatch(&state.look, &run).is_some() {
        return open(state, &Target::Dispatch(run));
    }
    describe(state, target);
    Vec::new()
}

/// The versions of an object, if they are still waited for.
pub fn versions(state: &mut State, ticket: u64, target: &Target, versions: Result<Vec<VersionLook>>) {
    if state.history_ticket != ticket {
        return;
    }
    state.history_ticket = 0;
    match versions {
        Ok(versions) => {
            let title = match (target, versions.first()) {
                (Target::Version(..), Some(newest)) => format!("HISTORY {} {}", newest.kind.word(), newest.name),
                _ => format!("HISTORY {} {}", find::kind(target), find::name(&state.look, target)),
            };
            list(state, title, Kind::Versions, Scope::Versions(Arc::new(versions)));
        }
        Err(fault) => state.say(fault.line(), true),
    }
}

fn describe(state: &mut State, target: &Target) {
    if !matches!(state.layers.last(), Some(Layer::Text { .. })) {
        state.layers.push(Layer::Text { kind: TextKind::Describe, target: target.clone(), top: 0 });
    }
}

/// A list over what is shown.
pub fn list(state: &mut State, title: String, kind: Kind, scope: Scope) {
    let mut pane = Pane::new(kind, scope);
    let found = crate::console::rows::order(&state.look, state.now_ms, &pane);
    pane.take(found.rows, found.total);
    state.range = None;
    state.layers.push(Layer::List { title, pane: Box::new(pane) });
}

/// The events about an object.
pub fn events(state: &mut State, target: &Target) {
    let names = find::aliases(&state.look, target);
    if !names.is_empty() {
        let title = format!("{}  events", find::name(&state.look, target));
        list(state, title, Kind::Events, Scope::About(names));
    }
}

/// Follows logs: of a proc, of all procs of a swarm, host, squad or dispatch, or of a build.
pub fn logs(state: &mut State, target: &Target) -> Vec<Effect> {
    match target {
        Target::Proc(host, name) => follow(state, format!("{name} on {host}"), target),
        Target::Build(id) => {
            let ticket = state.ticket();
            let title = format!("build {}", find::name(&state.look, target));
            state.layers.push(Layer::Log(Box::new(LogLayer::new(ticket, title, LogSource::Build(id.clone())))));
            vec![Effect::FollowBuild { ticket, build: id.clone() }]
        }
        Target::Swarm(_) | Target::Host(_) | Target::Squad(_) => {
            follow(state, format!("{}, all procs", find::name(&state.look, target)), target)
        }
        Target::Dispatch(id) => {
            let dispatch = find::dispatch(&state.look, id);
            // Before it has a release there is nothing on hosts: what it does is build.
            let builds = dispatch.is_some_and(|dispatch| dispatch.phase <= Phase::Build);
            let of = |build: &&BuildLook| {
                build.build.by.contains(id.as_str()) || dispatch.is_some_and(|dispatch| dispatch.to_version == build.build.version)
            };
            match state.look.builds.iter().find(of).map(|build| build.build.id.clone()).filter(|_| builds) {
                Some(build) => logs(state, &Target::Build(build)),
                None => follow(state, format!("{}, its hosts", find::name(&state.look, target)), target),
            }
        }
        Target::Stray(host, name) if find::proc(&state.look, host, name).is_some() => {
            logs(state, &Target::Proc(host.clone(), name.clone()))
        }
        _ => {
            state.say("nothing here has a log", false);
            Vec::new()
        }
    }
}

fn follow(state: &mut State, title: String, target: &Target) -> Vec<Effect> {
    let ticket = state.ticket();
    let log = LogLayer::new(ticket, title, LogSource::Logs(target.clone()));
    let request = log.request(state.now_ms);
    state.layers.push(Layer::Log(Box::new(log)));
    request.map(|request| Effect::FollowLog { ticket, request }).into_iter().collect()
}

/// The logs of a proc's lives that have ended; of a swarm those of the proc that is in trouble most.
pub fn last_life(state: &mut State, target: &Target) -> Vec<Effect> {
    let proc = match target {
        Target::Swarm(id) => {
            let pane = Pane::new(Kind::Procs, Scope::Swarm(id.clone()));
            crate::console::rows::order(&state.look, state.now_ms, &pane).rows.get(0).map(|(proc, _)| proc.clone())
        }
        other => Some(other.clone()),
    };
    let Some(Target::Proc(host, name) | Target::Stray(host, name)) = proc else {
        state.say("only procs have lives", false);
        return Vec::new();
    };
    let ticket = state.ticket();
    let source = LogSource::LastLives(Target::Proc(host.clone(), name.clone()));
    state.layers.push(Layer::Log(Box::new(LogLayer::new(ticket, format!("last lives of {name} on {host}"), source))));
    vec![Effect::LastLives { ticket, host, name }]
}

/// Goes to a tab; what lay on top is closed.
pub fn tab(state: &mut State, tab: Tab) -> Vec<Effect> {
    let mut effects = Vec::new();
    while !state.layers.is_empty() {
        effects.extend(pop(state));
    }
    state.range = None;
    if state.tab != tab {
        state.marks.clear();
        state.tab = tab;
    }
    if tab == Tab::Dash {
        state.focus = if state.look.needs.is_empty() { Slot::DashSwarms } else { Slot::Needs };
    }
    effects
}

/// The next pane of the dash; elsewhere the next tab.
pub fn next_pane(state: &mut State, by: isize) {
    if !state.layers.is_empty() {
        return;
    }
    if state.tab == Tab::Dash {
        let slots: Vec<_> = layout::dash(state).into_iter().map(|(slot, _)| slot).collect();
        let at = slots.iter().position(|slot| *slot == state.focus).unwrap_or(0) as isize;
        if let Some(slot) = slots.get((at + by).rem_euclid(slots.len().max(1) as isize) as usize) {
            state.focus = *slot;
        }
        return;
    }
    let at = Tab::ALL.iter().position(|tab| *tab == state.tab).unwrap_or(0) as isize;
    if let Some(tab) = Tab::ALL.get((at + by).rem_euclid(Tab::ALL.len() as isize) as usize) {
        state.tab = *tab;
        state.marks.clear();
    }
}

/// The cursor leaves a pane of the dash at its end and enters the next one.
pub fn flow(state: &mut State, by: isize) {
    let slots: Vec<_> = layout::dash(state).into_iter().map(|(slot, _)| slot).collect();
    let Some(at) = slots.iter().position(|slot| *slot == state.focus) else { return };
    let Some(slot) = at.checked_add_signed(by).and_then(|next| slots.get(next)).copied() else { return };
    if let Some(pane) = state.panes.get_mut(&slot).filter(|pane| !pane.order.is_empty()) {
        pane.put(if by > 0 { 0 } else { pane.order.len().saturating_sub(1) });
        state.focus = slot;
    }
}

/// Closes the topmost layer and stops what it waited for.
pub fn pop(state: &mut State) -> Vec<Effect> {
    let Some(layer) = state.layers.pop() else { return Vec::new() };
    if layer.is_screen() {
        state.range = None;
    }
    if let Layer::Filter { before, .. } = &layer
        && let Some(pane) = state.pane_mut()
    {
        pane.filter.clone_from(before);
        pane.stale = true;
    }
    layer.ticket().map(|ticket| Effect::Stop { ticket }).into_iter().collect()
}
