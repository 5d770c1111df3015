//! The verbs: the `.` menu of one object, and how each verb begins. None of them changes anything before a plan or a question was answered.

use super::{bulk, edit, goto, guard, holding, leaving, waves, writing};
use crate::console::effect::Effect;
use crate::console::rows::find;
use crate::console::state::{
    Ask, Asks, Button, Confirm, Field, Kind, Layer, LogLayer, LogSource, PlanFocus, PlanLayer, State, on_of, verbs_on,
};
use crate::deck::PoolVerb;
use crate::deck::look::{DispatchRequest, Replaced, Target, Word};
use crate::deck::verbs;
use crate::deck::wave::WaveOf;
use crate::model::protect::Touched;
use crate::model::record::{Outcome, Step, StepState};
use crate::model::release::BuildStatus;
use crossterm::event::{KeyCode, KeyEvent};
use std::collections::{BTreeSet, VecDeque};

/// A button that asks for these effects.
pub fn button(label: &str, effects: Vec<Effect>) -> Button {
    Button { label: label.into(), effects, log: None }
}

/// Opens the menu of what the cursor is on; it holds the object, whatever the rows below do.
pub fn open_menu(state: &mut State) {
    let mut target = state.pointed();
    // A dispatch that ended for good has nothing left to do to it: what acts is its swarm.
    if let Target::Dispatch(id) = &target
        && let Some(dispatch) = find::dispatch(&state.look, id)
        && dispatch.outcome.is_some_and(|outcome| outcome != Outcome::Interrupted)
        && find::swarm(&state.look, &dispatch.swarm_id).is_some()
    {
        target = Target::Swarm(dispatch.swarm_id.clone());
    }
    if verbs_on(&target).is_empty() {
        state.say("nothing acts on this row", false);
    } else if !find::exists(&state.look, &target) {
        state.say(format!("{} is gone", find::name(&state.look, &target)), true);
    } else {
        state.layers.push(Layer::Menu { target, cursor: 0 });
    }
}

/// A key in the menu: its letter, or the cursor and Enter.
pub fn menu_key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let Some(Layer::Menu { target, cursor }) = state.layers.last_mut() else { return Vec::new() };
    let listed = verbs_on(target);
    let chosen = match key.code {
        KeyCode::Down => {
            *cursor = (*cursor + 1).min(listed.len().saturating_sub(1));
            return Vec::new();
        }
        KeyCode::Up => {
            *cursor = cursor.saturating_sub(1);
            return Vec::new();
        }
        KeyCode::Enter => listed.get(*cursor).copied(),
        KeyCode::Char(letter) if key.modifiers.is_empty() || key.modifiers == crossterm::event::KeyModifiers::SHIFT => {
            let looks = || listed.iter().find(|verb| verb.key == verbs::Key::Look(letter));
            listed.iter().find(|verb| verb.letter() == Some(letter)).or_else(looks).copied()
        }
        _ => None,
    };
    let target = target.clone();
    state.layers.pop();
    match chosen {
        Some(verb) => start(state, verb.id, &target),
        None => Vec::new(),
    }
}

/// Whether nothing may be changed from here; says so.
pub fn is_read_only(state: &mut State) -> bool {
    let refusal = state.look.writing.refusal(state.now_ms);
    if let Some(fault) = &refusal {
        state.say(fault.line(), true);
    }
    refusal.is_some()
}

/// Begins a verb on an object: opens its plan, its question, its editor or its log.
pub fn start(state: &mut State, verb: &str, target: &Target) -> Vec<Effect> {
    if *target != Target::Nothing && !find::exists(&state.look, target) {
        state.say(format!("{} is gone", find::name(&state.look, target)), true);
        return Vec::new();
    }
    let Some(known) = on_of(target).and_then(|on| verbs::verb(verb, on)) else {
        state.say(format!("{verb} does nothing on a {}", find::kind(target)), false);
        return Vec::new();
    };
    let looks_only = matches!(verb, "check" | "undo") || edit::target(verb, target).is_some();
    if !looks_only && is_read_only(state) {
        return Vec::new();
    }
    if let Some(targets) = bulk::marked(state, known, target) {
        return bulk::begin(state, known, targets);
    }
    match (verb, target) {
        ("undo", _) => return super::travel::list(state, Kind::Undo, ""),
        ("apply", _) => {
            ask(state, "Apply a document".into(), Asks::Apply, vec![("file", Field::default())]);
        }
        ("upkeep", _) => {
            let lines = vec![
                "Dispatches that nobody carries any more are finished or undone;".to_string(),
                "debts are paid where hosts answer again; what is old is forgotten.".into(),
            ];
            confirm(state, Confirm::new("Upkeep, once?", lines, vec![button("upkeep", vec![Effect::Upkeep])]));
        }
        ("delete", target) => writing::delete(state, target),
        ("note", target) => writing::ask_note(state, target),
        ("in-service" | "out-of-service", Target::Host(host)) => writing::service(state, host, verb == "in-service"),
        ("new" | "clone", Target::Host(host)) => writing::ask_host(state, host, verb == "clone"),
        ("wave", Target::Ingredient(id)) => return waves::plan_ingredient(state, id),
        ("rollback", Target::Wave(number)) => return waves::plan_what(state, Vec::new(), WaveOf::BackOf(*number)),
        ("resume", Target::Wave(number)) => return waves::plan_what(state, Vec::new(), WaveOf::RestOf(*number)),
        ("rollback", Target::Release(swarm, release)) => {
            let rollback_to = Some(release.clone());
            return plan(state, DispatchRequest { swarm: swarm.clone(), rollback_to, ..DispatchRequest::default() });
        }
        ("repair" | "adopt", Target::Pool(balancer, pool)) => {
            let verb = if verb == "repair" { PoolVerb::Repair } else { PoolVerb::Adopt };
            return vec![Effect::PlanPool { pool: format!("{pool}@{balancer}"), verb }];
        }
        ("drain" | "put-back", Target::Node { balancer, pool, node, .. }) => {
            let verb = if verb == "drain" { PoolVerb::Drain(node.clone()) } else { PoolVerb::PutBack(node.clone()) };
            return vec![Effect::PlanPool { pool: format!("{pool}@{balancer}"), verb }];
        }
        ("cancel", Target::Build(id)) => cancel_build(state, id),
        ("build", Target::Swarm(id)) => return build(state, id),
        ("revert", Target::Version(id, rev)) => super::sheets::revert(state, id, *rev),
        ("hold", target) => holding::toggle(state, target),
        ("lift", target) => holding::lift(state, target),
        ("dispatch", Target::Swarm(id)) => {
            let version = find::swarm(&state.look, id).map(|swarm| swarm.version.clone()).unwrap_or_default();
            let fields = vec![("version", Field::new(&version)), ("why", Field::default())];
            ask(state, format!("Dispatch {}", find::name(&state.look, target)), Asks::Dispatch(id.clone()), fields);
        }
        ("size", Target::Swarm(id)) => {
            let size = find::swarm(&state.look, id).map(|swarm| swarm.size.to_string()).unwrap_or_default();
            ask(
                state,
                format!("Size of {}", find::name(&state.look, target)),
                Asks::Size(id.clone()),
                vec![("procs", Field::new(&size)), ("why", Field::default())],
            );
        }
        ("rollback", Target::Swarm(id)) => {
            return plan(state, DispatchRequest { swarm: id.clone(), rollback_to: Some(String::new()), ..DispatchRequest::default() });
        }
        ("uptest", Target::Swarm(id)) => {
            let ticket = verb_log(state, "uptests of", target);
            return vec![Effect::Uptest { ticket, swarm: id.clone() }];
        }
        (verb, target) if let Some(edit) = edit::target(verb, target) => return vec![Effect::OpenEditor(edit)],
        ("check", Target::Host(host)) => {
            let ticket = verb_log(state, "check of", target);
            return vec![Effect::Host { ticket, verb: "check", host: host.clone() }];
        }
        ("provision", Target::Host(host)) => {
            let ticket = state.ticket();
            let log = LogLayer::new(ticket, format!("provision {host}"), LogSource::Verb(target.clone()));
            let lines = vec![
                format!("Puts on {host} what is missing: Supervisor, directories, the include line."),
                "Idempotent; restarts nothing that runs.".into(),
            ];
            let go = Button {
                label: "provision".into(),
                effects: vec![Effect::Host { ticket, verb: "provision", host: host.clone() }],
                log: Some(Box::new(log)),
            };
            confirm(state, Confirm::new(format!("Provision {host}?"), lines, vec![go]));
        }
        ("repair", Target::Swarm(id)) => return super::pools::repair(state, id),
        ("drain" | "put-back", Target::Proc(host, name)) => return super::pools::node(state, verb, host, name),
        ("retire", Target::Proc(place, name)) | ("adopt" | "retire" | "ignore", Target::Stray(place, name)) => {
            return super::strays::begin(state, verb, place, name);
        }
        ("run", target @ (Target::Proc(..) | Target::Swarm(_))) => super::running::ask(state, target),
        ("shell", target @ (Target::Proc(..) | Target::Host(_) | Target::Build(_))) => {
            return vec![Effect::Shell { target: target.clone() }];
        }
        (verb, Target::Proc(host, name)) => return confirm_proc(state, verb, host, name),
        ("cancel", Target::Dispatch(id)) => {
            let lines = vec![
                find::dispatch(&state.look, id)
                    .map(|dispatch| {
                        format!("{}  {} -> {}, at {}", dispatch.swarm, dispatch.from_version, dispatch.to_version, dispatch.phase.word())
                    })
                    .unwrap_or_default(),
                "Everything is undone: new procs out of the pool and removed,".into(),
                "old ones serve again. After the first stop of an old proc it cannot be undone.".into(),
            ];
            confirm(
                state,
                Confirm::new(
                    format!("Cancel {}?", find::name(&state.look, target)),
                    lines,
                    vec![button("stop and undo", vec![Effect::Cancel { dispatch: id.clone() }])],
                ),
            );
        }
        ("restart", Target::Swarm(id)) => {
            let replace = Some(Replaced::All);
            return plan(state, DispatchRequest { swarm: id.clone(), same_release: true, replace, ..DispatchRequest::default() });
        }
        ("evacuate" | "re-place", Target::Host(host)) => return move_away(state, verb, host),
        ("promote", Target::Swarm(id)) => match find::swarm(&state.look, id).map(|swarm| swarm.dispatch.clone()) {
            Some(dispatch) if !dispatch.is_empty() => return start(state, verb, &Target::Dispatch(dispatch)),
            _ => state.say("no dispatch of it is under way", true),
        },
        ("promote", Target::Dispatch(id)) => {
            tell(state, id, "Promote the canary", Word::Promote, "The procs that were left out follow, batch by batch.")
        }
        ("wait", Target::Dispatch(id)) => {
            tell(
                state,
                id,
                "Wait 5m longer",
                Word::Wait(5),
                "Hosts that do not answer are asked again so much longer before the rule decides.",
            );
        }
        ("go-on", Target::Dispatch(id)) => match silent(state, id) {
            Some(host) => {
                let title = format!("Go on without {host}");
                tell(state, id, &title, Word::GoWithout(host), "Nothing new is routed there; what it may hold of this dispatch is owed.");
            }
            None => state.say("it waits for no host", true),
        },
        ("resume", Target::Dispatch(id)) => {
            let lines = vec!["It goes on from its journal, after looking at what the hosts say now.".into()];
            confirm(
                state,
                Confirm::new(
                    format!("Carry {} on?", find::name(&state.look, target)),
                    lines,
                    vec![button("carry on", vec![Effect::Resume { dispatch: id.clone() }])],
                ),
            );
        }
        _ => state.say(format!("{verb} does nothing on a {}", find::kind(target)), false),
    }
    Vec::new()
}

/// Building changes no host, so it is not asked about; where there is a build of the version already, which is meant.
fn build(state: &mut State, id: &str) -> Vec<Effect> {
    let Some(swarm) = find::swarm(&state.look, id).cloned() else { return Vec::new() };
    let built = |build: &&crate::deck::look::BuildLook| {
        build.build.app == swarm.app && build.build.version == swarm.version && build.status == BuildStatus::Success
    };
    if !state.look.builds.iter().any(|build| built(&build)) {
        return vec![Effect::Build { swarm: id.into(), again: false }];
    }
    let lines = vec![
        format!("{} {} was built already.", swarm.app, swarm.version),
        "Reuse: builds only where its source or buildpack moved since. Again: builds it anew.".into(),
    ];
    let effect = |again: bool| vec![Effect::Build { swarm: id.into(), again }];
    let buttons = vec![button("reuse", effect(false)), button("again", effect(true))];
    confirm(state, Confirm::new(format!("Build {} {}?", swarm.app, swarm.version), lines, buttons));
    Vec::new()
}

fn cancel_build(state: &mut State, id: &str) {
    let Some(build) = find::build(&state.look, id) else { return };
    if !matches!(build.status, BuildStatus::Pending | BuildStatus::Started) {
        let said = format!("it has ended: {}", build.status.word());
        return state.say(said, true);
    }
    let title = format!("Cancel the build of {} {}?", build.build.app, build.build.version);
    let lines = vec!["Its processes end; whoever waits for it is told, dispatches too.".to_string()];
    let go = button("cancel the build", vec![Effect::CancelBuild { build: id.into() }]);
    confirm(state, Confirm::new(title, lines, vec![go]));
}

/// Asks before a word is said to a dispatch.
fn tell(state: &mut State, id: &str, title: &str, word: Word, what: &str) {
    let name = find::name(&state.look, &Target::Dispatch(id.into()));
    let go = button(&title.to_lowercase(), vec![Effect::Tell { dispatch: id.into(), word }]);
    confirm(state, Confirm::new(format!("{title}?"), vec![name, what.into()], vec![go]));
}

/// The host that a dispatch waits for because it does not answer.
fn silent(state: &State, id: &str) -> Option<String> {
    let dispatch = find::dispatch(&state.look, id)?;
    let waits = |step: &&Step| step.state == StepState::Intent && step.detail.starts_with("does not answer") && !step.place.contains('/');
    dispatch.steps.iter().find(waits).map(|step| step.place.clone())
}

/// The plan of the swarm with procs on a host; of several swarms as one wave.
fn move_away(state: &mut State, verb: &str, host: &str) -> Vec<Effect> {
    let procs = state.look.world.hosts.get(host).map(|seen| seen.procs.as_slice()).unwrap_or_default();
    let swarms: BTreeSet<String> = procs.iter().filter_map(|proc| proc.swarm.clone()).collect();
    let Some(swarm) = swarms.first().cloned() else {
        state.say(format!("no swarm has procs on {host}"), true);
        return Vec::new();
    };
    if swarms.len() > 1 {
        let what = if verb == "evacuate" { WaveOf::Evacuate(host.into()) } else { WaveOf::RePlace(host.into()) };
        return waves::plan_what(state, Vec::new(), what);
    }
    let request = DispatchRequest { swarm, same_release: true, ..DispatchRequest::default() };
    plan(
        state,
        match verb {
            "evacuate" => DispatchRequest { replace: Some(Replaced::OnHost(host.into())), ..request },
            _ => DispatchRequest { go_on: true, ..request },
        },
    )
}

fn confirm_proc(state: &mut State, verb: &str, host: &str, name: &str) -> Vec<Effect> {
    let Some(known) = ["start", "stop", "restart", "destroy"].into_iter().find(|known| *known == verb) else {
        state.say(format!("{verb} does nothing on a proc"), false);
        return Vec::new();
    };
    let mut lines = vec![format!("{name}"), format!("on {host}")];
    if let Some(proc) = find::proc(&state.look, host, name) {
        let pid = proc.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
        lines.push(format!("{}{pid}, {}", proc.state.word(), proc.swarm.clone().unwrap_or_else(|| proc.owner.word().into())));
        if proc.routed == Some(true) && known != "start" {
            lines.push("! It is in its pool: requests to it may fail, there is no drain.".into());
        }
    }
    if known == "destroy" {
        lines.push("! Stops it and removes its directory. This cannot be taken back.".into());
    }
    let go = button(known, vec![Effect::Proc { verb: known, host: host.into(), name: name.into() }]);
    confirm(
        state,
        Confirm::new(
            format!("{}{} this proc?", known.get(..1).unwrap_or_default().to_uppercase(), known.get(1..).unwrap_or_default()),
            lines,
            vec![go],
        ),
    );
    Vec::new()
}

/// Asks before the demo is made.
pub fn confirm_demo(state: &mut State) {
    let lines = vec![
        "Leaves this home for one of its own, and opens the console there.".into(),
        "Starts its own supervisord and nginx on high loopback ports,".into(),
        "makes a git repository of a small app and dispatches it.".into(),
        "Nothing is installed; demo --down takes all of it away.".into(),
    ];
    confirm(state, Confirm::new("Make the demo?", lines, vec![button("start the demo", vec![Effect::Demo])]));
}

/// Asks before a document is applied.
pub fn confirm_apply(state: &mut State, path: String) {
    let lines = vec![path.clone(), "Replaces the objects that it names, deletes nothing, dispatches nothing.".into()];
    confirm(state, Confirm::new("Apply this document?", lines, vec![button("apply", vec![Effect::Apply(path)])]));
}

/// Puts a question on top.
pub fn confirm(state: &mut State, confirm: Confirm) {
    // Every question is about a change.
    if !is_read_only(state) {
        put(state, confirm);
    }
}

/// [`confirm`], also where nothing may be changed: of what its buttons change, the most protected is named.
pub fn put(state: &mut State, mut confirm: Confirm) {
    if confirm.protected.is_none() {
        let mut touched = Touched::default();
        confirm.buttons.iter().flat_map(|button| &button.effects).for_each(|effect| touched.and(guard::touched(state, effect)));
        confirm.protected = state.look.protection.over(&touched).cloned();
    }
    state.layers.push(Layer::Confirm(Box::new(confirm)));
}

fn ask(state: &mut State, title: String, asks: Asks, fields: Vec<(&'static str, Field)>) {
    state.layers.push(Layer::Ask(Box::new(Ask { title, asks, fields, focus: 0 })));
}

fn verb_log(state: &mut State, what: &str, target: &Target) -> u64 {
    let ticket = state.ticket();
    let title = format!("{what} {}", find::name(&state.look, target));
    state.layers.push(Layer::Log(Box::new(LogLayer::new(ticket, title, LogSource::Verb(target.clone())))));
    ticket
}

/// Asks for a plan and opens its screen.
pub fn plan(state: &mut State, request: DispatchRequest) -> Vec<Effect> {
    if is_read_only(state) {
        return Vec::new();
    }
    let ticket = state.ticket();
    let why = Field::new(&request.why);
    state.layers.push(Layer::Plan(Box::new(PlanLayer {
        ticket,
        swarm: request.swarm.clone(),
        request: request.clone(),
        progress: VecDeque::new(),
        started_ms: state.now_ms,
        plan: None,
        why,
        name: Field::default(),
        focus: PlanFocus::Cancel,
        painted_ms: None,
        top: 0,
        all_differences: false,
        lift: false,
        waits_since: None,
        sent: false,
    })));
    vec![Effect::Plan { ticket, request }]
}

/// Runs what a pressed button asks for.
pub fn press(state: &mut State, button: Button) -> Vec<Effect> {
    let mut effects = goto::pop(state);
    for effect in &button.effects {
        match effect {
            Effect::HandOver { ticket } => leaving::begins(state, *ticket),
            Effect::WaitFree { ticket, .. } => holding::waits(state, *ticket),
            Effect::Procs { .. } | Effect::Bulk { .. } => bulk::begins(state, effect),
            _ => {}
        }
    }
    if let Some(log) = button.log {
        state.layers.push(Layer::Log(log));
    }
    effects.extend(button.effects);
    effects
}
