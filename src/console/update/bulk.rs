//! Marks: rows marked one by one, as a range, all; and a verb on several marked rows as one plan: one question that names them all,
//! then a row for what became of each.

use super::verbs::{button, confirm};
use super::{holding, waves, writing};
use crate::console::effect::Effect;
use crate::console::keys::Action;
use crate::console::rows::find;
use crate::console::state::{Confirm, Layer, Range, Sheet, State, on_of};
use crate::deck::StrayPlan;
use crate::deck::look::Target;
use crate::deck::verbs::{Danger, Verb};
use crate::deck::wave::WaveOf;
use crate::model::Result;

/// What a verb on the row under the cursor is done to: the marked rows of its kind, where there are others than itself; the cursor may
/// have gone on from them. Nothing that acts is done to one of several without a word; what only writes or looks opens on the one.
pub fn marked(state: &State, verb: &Verb, target: &Target) -> Option<Vec<Target>> {
    let on = on_of(target).filter(|_| verb.many || verb.danger >= Danger::Middle)?;
    let same = state.marks.iter().filter(|marked| on_of(marked) == Some(on) && find::exists(&state.look, marked));
    let same: Vec<Target> = same.cloned().collect();
    let others = same.iter().any(|marked| marked != target);
    (others && state.pointed() == *target).then_some(same)
}

/// Begins a verb on several rows: one plan or one question for all of them.
pub fn begin(state: &mut State, verb: &'static Verb, targets: Vec<Target>) -> Vec<Effect> {
    if !verb.many {
        let clear = state.key_of(Action::ClearMarks).to_string();
        state.say(format!("{} is done to one at a time; {} are marked, {clear} clears the marks", verb.id, targets.len()), true);
        return Vec::new();
    }
    let count = targets.len();
    let ids = |targets: &[Target]| -> Vec<String> {
        targets.iter().filter_map(|target| if let Target::Swarm(id) = target { Some(id.clone()) } else { None }).collect()
    };
    match (verb.id, targets.first()) {
        ("dispatch", Some(Target::Swarm(_))) => waves::ask(state, ids(&targets)),
        ("restart", Some(Target::Swarm(_))) => return waves::plan_what(state, ids(&targets), WaveOf::Restart),
        ("rollback", Some(Target::Swarm(_))) => return waves::plan_what(state, ids(&targets), WaveOf::Back),
        ("retire", Some(Target::Proc(..))) | ("adopt" | "retire" | "ignore", Some(Target::Stray(..))) => {
            let place = |target: &Target| match target {
                Target::Proc(place, name) | Target::Stray(place, name) => Some((place.clone(), name.clone())),
                _ => None,
            };
            state.say(format!("asking what {} of {count} would do", verb.id), false);
            return vec![Effect::PlanStrays { verb: verb.id, all: targets.iter().filter_map(place).collect() }];
        }
        ("hold", _) => {
            let free: Vec<Target> = targets.iter().filter(|target| !holding::is_held(state, target)).cloned().collect();
            if free.is_empty() {
                begin_lift(state, &targets);
                return Vec::new();
            }
            holding::ask_all(state, free);
        }
        ("lift", _) => begin_lift(state, &targets),
        (id @ ("start" | "stop" | "restart" | "destroy"), Some(Target::Proc(..))) => procs(state, id, &targets),
        ("delete", _) => writing::delete_all(state, &targets),
        ("in-service" | "out-of-service", _) => {
            let active = verb.id == "in-service";
            let act = |target: &Target| match target {
                Target::Host(host) => Some(Effect::Service { host: host.clone(), active }),
                _ => None,
            };
            let what = if active { "New procs may be placed on them." } else { "No new procs are placed on them; what runs goes on." };
            question(state, verb.id, "hosts", &targets, act, vec![what.into()]);
        }
        ("cancel" | "resume", Some(Target::Dispatch(_))) => {
            let act = |target: &Target| match target {
                Target::Dispatch(dispatch) if verb.id == "cancel" => Some(Effect::Cancel { dispatch: dispatch.clone() }),
                Target::Dispatch(dispatch) => Some(Effect::Resume { dispatch: dispatch.clone() }),
                _ => None,
            };
            let what = match verb.id {
                "cancel" => "Everything that they did is undone; after the first stop of an old proc it cannot be.",
                _ => "Each goes on from its journal, after looking at what the hosts say now.",
            };
            question(state, verb.id, "dispatches", &targets, act, vec![what.into()]);
        }
        _ => state.say(format!("{} is done to one at a time", verb.id), true),
    }
    Vec::new()
}

/// One question for all: its title has the number, its lines the names.
pub fn question(
    state: &mut State,
    verb: &'static str,
    things: &str,
    targets: &[Target],
    act: impl Fn(&Target) -> Option<Effect>,
    means: Vec<String>,
) {
    let acts: Vec<(String, Effect)> = targets.iter().filter_map(|target| Some((called(state, target), act(target)?))).collect();
    let title = format!("{verb} {} {things}", acts.len());
    let mut lines: Vec<String> = means;
    lines.extend(acts.iter().map(|(name, _)| name.clone()));
    let ticket = state.ticket();
    let go = button(&title, vec![Effect::Bulk { ticket, title: title.clone(), acts }]);
    confirm(state, Confirm::new(format!("{}?", capital(&title)), lines, vec![go]));
}

fn begin_lift(state: &mut State, targets: &[Target]) {
    let holds: Vec<Target> = targets.iter().flat_map(|target| holding::on(state, target)).map(|hold| Target::Hold(hold.name)).collect();
    if holds.is_empty() {
        return state.say("none of them is held", false);
    }
    let act = |target: &Target| match target {
        Target::Hold(name) => Some(Effect::Lift { name: name.clone() }),
        _ => None,
    };
    let why = holds.iter().filter_map(|hold| match hold {
        Target::Hold(name) => find::hold(&state.look, name).map(|hold| format!("{} holds {}", hold.line(), hold.object)),
        _ => None,
    });
    let means = why.collect();
    question(state, "lift", "holds", &holds, act, means);
}

/// Start, stop, restart or destroy of several procs: hosts at the same time, each result in its row.
fn procs(state: &mut State, verb: &'static str, targets: &[Target]) {
    let procs: Vec<(String, String)> = targets
        .iter()
        .filter_map(|target| if let Target::Proc(host, name) = target { Some((host.clone(), name.clone())) } else { None })
        .collect();
    let hosts: std::collections::BTreeSet<&str> = procs.iter().map(|(host, _)| host.as_str()).collect();
    let routed = procs.iter().filter(|(host, name)| find::proc(&state.look, host, name).is_some_and(|proc| proc.routed == Some(true)));
    let mut lines = vec![match hosts.len() {
        1 => "One after the other.".to_string(),
        several => format!("On {several} hosts at the same time, one after the other on each."),
    }];
    let routed = routed.count();
    if routed > 0 && verb != "start" {
        lines.push(format!("! {routed} are in their pool: requests to them may fail, there is no drain."));
    }
    if verb == "destroy" {
        lines.push("! Stops them and removes their directories. This cannot be taken back.".into());
    }
    lines.extend(procs.iter().map(|(host, name)| {
        let state = find::proc(&state.look, host, name).map_or("", |proc| proc.state.word());
        format!("{host}  {name}  {state}")
    }));
    let title = format!("{verb} {} procs", procs.len());
    let ticket = state.ticket();
    let go = button(&title, vec![Effect::Procs { ticket, title: title.clone(), verb, procs }]);
    confirm(state, Confirm::new(format!("{}?", capital(&title)), lines, vec![go]));
}

/// The plans of a verb on several things out of place came: they are one question.
pub fn strays_planned(state: &mut State, verb: &str, plans: Vec<(String, Result<StrayPlan>)>) {
    if !matches!(state.layers.last(), None | Some(Layer::List { .. } | Layer::Text { .. })) {
        return state.say(format!("{verb} of {} was planned and not shown: you were busy; ask again", plans.len()), false);
    }
    let (mut lines, mut refused, mut acts) = (Vec::new(), Vec::new(), Vec::new());
    for (name, plan) in plans {
        match plan {
            Ok(plan) => {
                lines.push(format!("{name}: {}", plan.lines.join("; ")));
                lines.extend(plan.asks.iter().map(|ask| format!("! {ask}")));
                acts.push((name, Effect::Stray(plan)));
            }
            Err(fault) => refused.push(format!("! left out: {name}: {}", fault.line())),
        }
    }
    lines.extend(refused);
    let title = format!("{verb} {}", acts.len());
    let ticket = state.ticket();
    let go = match acts.is_empty() {
        true => Vec::new(),
        false => vec![button(&title, vec![Effect::Bulk { ticket, title: title.clone(), acts }])],
    };
    confirm(state, Confirm::new(format!("{}?", capital(&title)), lines, go));
}

/// A verb on several rows begins: its screen has a row for each, and the marks are gone.
pub fn begins(state: &mut State, effect: &Effect) {
    let Some((ticket, title, names)) = effect.rows() else { return };
    state.marks.clear();
    state.range = None;
    let lines = names.iter().map(|name| format!("~ {name}")).collect();
    let sheet = Sheet { ticket, title: title.to_uppercase(), target: Target::Nothing, lines: Some(Ok(lines)), top: 0 };
    state.layers.push(Layer::Sheet(Box::new(sheet)));
}

/// `v`: every row from here to where the cursor goes is marked, till `v` again.
pub fn range(state: &mut State) {
    if state.range.take().is_some() {
        return;
    }
    let anchor = state.pointed();
    if state.pane().is_none_or(|pane| pane.at().is_none()) || !markable(&anchor) {
        return;
    }
    state.range = Some(Range { anchor: anchor.clone(), before: state.marks.clone() });
    state.marks.insert(anchor);
    state.say("range: j k extend it, v ends it, \\ clears the marks", false);
}

/// The cursor moved: the range ends where it is.
pub fn extend(state: &mut State) {
    let (Some(range), Some(pane)) = (&state.range, state.pane()) else { return };
    let from = pane.order.iter().position(|(target, _)| *target == range.anchor);
    let (Some(from), Some(to)) = (from, pane.at()) else { return };
    let mut marks = range.before.clone();
    let rows = pane.order.iter().skip(from.min(to)).take(from.abs_diff(to) + 1).map(|(target, _)| target);
    marks.extend(rows.filter(|target| markable(target)).cloned());
    state.marks = marks;
}

/// Whether a row can be marked.
pub fn markable(target: &Target) -> bool {
    !matches!(target, Target::Nothing | Target::Event(_) | Target::Squad(_) | Target::Strays)
}

/// The holds that were asked for, of several objects: asked once more, saying what it means.
pub fn hold_asked(state: &mut State, targets: &[Target], why: &str, until: &str, until_ms: i64) {
    let end = if until.is_empty() { "until it is lifted".to_string() } else { format!("until {until}") };
    let act = |target: &Target| {
        let (on, object) = holding::held_as(target)?;
        Some(Effect::Hold { on, object, why: why.to_string(), until_ms })
    };
    question(state, "hold", "rows", targets, act, vec![format!("{end}: {why}")]);
}

/// What the question and the row say of it.
pub fn called(state: &State, target: &Target) -> String {
    match target {
        Target::Hold(name) => name.clone(),
        target => format!("{} {}", find::kind(target), find::name(&state.look, target)),
    }
}

fn capital(text: &str) -> String {
    format!("{}{}", text.get(..1).unwrap_or_default().to_uppercase(), text.get(1..).unwrap_or_default())
}
