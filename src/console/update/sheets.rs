//! Texts that are read when they are opened: YAML, differences, history; and the way back to a version.

use super::{goto, verbs};
use crate::console::effect::Effect;
use crate::console::rows::find;
use crate::console::rows::text::or_dash;
use crate::console::state::{Confirm, Layer, Scope, Sheet, State};
use crate::deck::look::Target;
use crate::deck::reading::Inquiry;

fn read(state: &mut State, title: String, target: Target, inquiry: Inquiry) -> Vec<Effect> {
    let ticket = state.ticket();
    state.layers.push(Layer::Sheet(Box::new(Sheet { ticket, title, target, lines: None, top: 0 })));
    vec![Effect::Read { ticket, inquiry }]
}

/// `y`: the object as YAML.
pub fn yaml(state: &mut State) -> Vec<Effect> {
    let target = state.pointed();
    if target == Target::Nothing || target == Target::Strays {
        return Vec::new();
    }
    let title = format!("YAML {} {}", find::kind(&target), find::name(&state.look, &target));
    read(state, title, target.clone(), Inquiry::Yaml(target))
}

/// What a version changed.
pub fn change(state: &mut State, id: &str, rev: i64) -> Vec<Effect> {
    let target = Target::Version(id.into(), rev);
    let title = format!("CHANGE {}", find::name(&state.look, &target));
    read(state, title, target, Inquiry::Change(id.into(), rev))
}

/// `=`: of two marked rows one against the other; else what is saved against what runs, a release against the one that runs, a version
/// against the present one.
pub fn difference(state: &mut State) -> Vec<Effect> {
    let marked: Vec<Target> =
        state.pane().map(|pane| pane.order.iter().map(|(target, _)| target.clone()).collect::<Vec<_>>()).unwrap_or_default();
    let mut marked: Vec<Target> = marked.into_iter().filter(|target| state.marks.contains(target)).collect();
    let target = state.pointed();
    if marked.len() == 2 {
        // The lists of what was have the newest first.
        if matches!(target, Target::Release(..) | Target::Version(..) | Target::Dispatch(_)) {
            marked.reverse();
        }
        if let [one, other] = marked.as_slice() {
            return compare(state, one.clone(), other.clone());
        }
    }
    if marked.len() > 2 {
        state.say("two are compared; more are marked", true);
        return Vec::new();
    }
    match &target {
        Target::Swarm(id) => {
            let title = format!("RUNS -> SAVED {}", find::name(&state.look, &target));
            read(state, title, target.clone(), Inquiry::Running(id.clone()))
        }
        Target::Release(swarm, _) => {
            let current = state.look.lists.releases.iter().find(|release| release.swarm_id == *swarm && release.current);
            match current.map(|release| Target::Release(swarm.clone(), release.id.clone())) {
                Some(current) if current != target => compare(state, target.clone(), current),
                _ => {
                    state.say("it is the one that runs; mark two to compare them", false);
                    Vec::new()
                }
            }
        }
        Target::Version(id, _) => {
            let current = match state.pane().map(|pane| &pane.scope) {
                Some(Scope::Versions(versions)) => versions.iter().find(|version| version.current).map(|version| version.rev),
                _ => state.look.lists.saved.get(id).map(|saved| saved.rev),
            };
            match current.map(|rev| Target::Version(id.clone(), rev)) {
                Some(current) if current != target => compare(state, target.clone(), current),
                _ => {
                    state.say("it is the present one; enter says what it changed", false);
                    Vec::new()
                }
            }
        }
        Target::Pool(..) => goto::open(state, &target),
        _ => {
            state.say("mark two rows to compare them", false);
            Vec::new()
        }
    }
}

fn compare(state: &mut State, one: Target, other: Target) -> Vec<Effect> {
    let title = format!("{} -> {}", find::name(&state.look, &one), find::name(&state.look, &other));
    read(state, title, one.clone(), Inquiry::Compare(one, other))
}

/// `h`: the versions of an object.
pub fn history(state: &mut State) -> Vec<Effect> {
    let target = match state.pointed() {
        // A release is of a swarm, a proc too.
        Target::Release(swarm, _) => Target::Swarm(swarm),
        Target::Proc(host, name) => {
            let named = find::proc(&state.look, &host, &name).and_then(|proc| proc.swarm.clone());
            let swarm = state.look.swarms.iter().find(|swarm| Some(&swarm.name) == named.as_ref());
            swarm.map_or(Target::Nothing, |swarm| Target::Swarm(swarm.id.clone()))
        }
        Target::Host(name) => {
            let squad = state.look.hosts.iter().find(|host| host.name == name).map(|host| host.squad.clone()).unwrap_or_default();
            if squad.is_empty() { Target::Nothing } else { Target::Squad(squad) }
        }
        // Of what is listed to be undone, or of a version: the object.
        Target::Version(id, rev) => return history_of(state, Target::Version(id, rev)),
        target => target,
    };
    let kept = matches!(
        target,
        Target::Swarm(_) | Target::Ingredient(_) | Target::App(_) | Target::Squad(_) | Target::Buildpack(_) | Target::Balancer(_)
    );
    if !kept {
        state.say("nobody wrote it down, so it has no versions", false);
        return Vec::new();
    }
    history_of(state, target)
}

/// Reads the versions of an object, also of one that is gone.
pub fn history_of(state: &mut State, target: Target) -> Vec<Effect> {
    let ticket = state.ticket();
    state.history_ticket = ticket;
    vec![Effect::History { ticket, target }]
}

/// Asks before an object is written down again as it was.
pub fn revert(state: &mut State, id: &str, rev: i64) {
    let target = Target::Version(id.into(), rev);
    let version = state.layers.iter().rev().find_map(|layer| match layer {
        Layer::List { pane, .. } => match &pane.scope {
            Scope::Versions(versions) => versions.iter().find(|version| version.id == id && version.rev == rev).cloned(),
            _ => None,
        },
        _ => None,
    });
    let mut lines = vec![find::name(&state.look, &target)];
    if let Some(gone) = state.look.lists.deleted.iter().find(|gone| gone.id == id) {
        lines.push(format!(
            "{} {} was deleted {} by {}: {}",
            gone.kind.word(),
            gone.name,
            state.look.times.full(gone.at_ms),
            gone.who,
            or_dash(&gone.why)
        ));
    }
    if let Some(version) = version {
        lines.push(format!("saved {} by {}: {}", state.look.times.full(version.at_ms), or_dash(&version.who), or_dash(&version.why)));
    }
    lines.push("= shows what is different. Its text becomes a new version;".into());
    lines.push("what runs stays as it is until it is dispatched, which shows a plan.".into());
    let go = verbs::button("write it as it was", vec![Effect::Revert { id: id.into(), rev }]);
    verbs::confirm(state, Confirm::new("Back to this version?", lines, vec![go]));
}
