//! Rows of work: builds, dispatches, their places, waves and their swarms.

use super::{Cell, Cells, TROUBLE};
use crate::console::rows::filter::About;
use crate::console::rows::find;
use crate::console::rows::text::{bytes, or_dash, span};
use crate::deck::look::Look;
use crate::model::record::{Dispatch, Outcome, Phase, Step, StepState};
use crate::model::release::BuildStatus;
use crate::model::wave::State;
use crate::model::world::HostState;

pub fn build(look: &Look, now_ms: i64, id: &str) -> Option<Cells> {
    let found = find::build(look, id)?;
    let build = &found.build;
    let (glyph, rank) = match found.status {
        BuildStatus::Failed => ('!', 0),
        BuildStatus::Pending | BuildStatus::Started => ('~', 2),
        BuildStatus::Success => ('*', 4),
        BuildStatus::Expired => ('o', 5),
    };
    let note = if !build.error.is_empty() {
        build.error.clone()
    } else if build.sandboxed {
        String::new()
    } else {
        "not sandboxed".into()
    };
    let took = build.ended_ms - build.started_ms;
    let took = if build.ended_ms > 0 { Cell::of(span(took), took) } else { Cell::of("-", -1) };
    let cells = vec![
        build.app.clone().into(),
        build.version.clone().into(),
        build.commit.get(..7).unwrap_or(&build.commit).into(),
        found.status.word().into(),
        Cell::of(bytes(build.size), i64::try_from(build.size).unwrap_or(i64::MAX)),
        took,
        Cell::age(now_ms, build.started_ms),
        note.into(),
    ];
    let about = About {
        state: found.status.word().into(),
        app: build.app.clone(),
        version: build.version.clone(),
        at_ms: build.started_ms,
        ..About::default()
    };
    Some(Cells::new(glyph, rank, cells, about))
}

/// A dispatch's state in one word, and its glyph.
pub fn dispatch_state(dispatch: &Dispatch) -> (char, String) {
    match dispatch.outcome {
        Some(Outcome::Done) if dispatch.debts.is_empty() => ('*', "done".into()),
        Some(Outcome::Done) => ('.', "done, owing".into()),
        Some(Outcome::Undone) => ('o', "undone".into()),
        Some(outcome) => ('!', outcome.word().into()),
        None if dispatch.undoing => ('~', "undoing".into()),
        None => ('~', dispatch.phase.word().into()),
    }
}

pub fn dispatch(look: &Look, now_ms: i64, dispatch: &Dispatch) -> Cells {
    let (glyph, state) = dispatch_state(dispatch);
    let way = if dispatch.from_version.is_empty() {
        dispatch.to_version.clone()
    } else {
        format!("{} -> {}", dispatch.from_version, dispatch.to_version)
    };
    let end = if dispatch.ended_ms > 0 { dispatch.ended_ms } else { now_ms };
    let cells = vec![
        Cell::of(dispatch.number.to_string(), dispatch.number),
        dispatch.swarm.clone().into(),
        dispatch.verb.clone().into(),
        way.into(),
        state.clone().into(),
        dispatch.who.clone().into(),
        Cell::age(now_ms, dispatch.started_ms),
        Cell::of(span(end - dispatch.started_ms), end - dispatch.started_ms),
        Cell::count(dispatch.debts.len()),
        or_dash(&dispatch.why).into(),
    ];
    let rank = match (glyph, dispatch.outcome) {
        ('~', _) => 0,
        (_, Some(Outcome::Interrupted | Outcome::Failed)) => 1,
        _ => 4,
    };
    let swarm = find::swarm(look, &dispatch.swarm_id);
    let about = About {
        state,
        app: swarm.map(|swarm| swarm.app.clone()).unwrap_or_default(),
        squad: dispatch.swarm.split('@').nth(1).unwrap_or_default().into(),
        swarm: dispatch.swarm.clone(),
        version: dispatch.to_version.clone(),
        who: dispatch.who.clone(),
        kind: dispatch.verb.clone(),
        at_ms: dispatch.started_ms,
        ..About::default()
    };
    Cells::new(glyph, rank, cells, about)
}

/// One cell of the dispatch screen: `ok  3s`, `now 4s`, `-`.
fn step_cell(step: Option<&Step>, now_ms: i64) -> String {
    let Some(step) = step else { return "-".into() };
    let took = span(step.ended_ms.max(step.started_ms) - step.started_ms);
    match step.state {
        StepState::Pending => "-".into(),
        StepState::Intent => format!("now {:>3}", span(now_ms - step.started_ms)),
        StepState::Done => format!("ok {took:>3}"),
        StepState::Failed => format!("NO {took:>3}"),
        StepState::Undoing => "undoing".into(),
        StepState::Undone => "undone".into(),
        StepState::Owed => "OWED".into(),
        StepState::Lost => "LOST".into(),
        StepState::Skipped => "skip".into(),
    }
}

/// The phases that the dispatch screen has columns for.
pub const PLACE_PHASES: [Phase; 6] = [Phase::Distribute, Phase::Start, Phase::Prove, Phase::Route, Phase::Drain, Phase::Soak];

pub fn place_of(look: &Look, now_ms: i64, dispatch: &Dispatch, place: &str) -> Cells {
    // Of several batches: the one that is under way, else the last that began, else the next.
    let step = |phase: Phase| {
        let of = || dispatch.steps.iter().filter(move |step| step.place == place && step.phase == phase);
        let idle = |step: &&Step| matches!(step.state, StepState::Done | StepState::Pending | StepState::Skipped | StepState::Undone);
        of().find(|step| !idle(step)).or_else(|| of().rev().find(|step| step.state != StepState::Pending)).or_else(|| of().next())
    };
    let steps: Vec<&Step> = dispatch.steps.iter().filter(|step| step.place == place).collect();
    let lost = find::host(look, place).is_some_and(|host| matches!(host.state, HostState::Unreachable(_)));
    let failed = steps.iter().find(|step| step.state == StepState::Failed);
    let moving = steps.iter().find(|step| matches!(step.state, StepState::Intent | StepState::Undoing));
    let last = steps.iter().rev().find(|step| matches!(step.state, StepState::Done | StepState::Undone));
    let (glyph, now) = if lost {
        ('?', "LOST".to_string())
    } else if let Some(step) = failed {
        ('!', if step.detail.is_empty() { format!("{} failed", step.phase.word()) } else { step.detail.clone() })
    } else if let Some(step) = moving {
        ('~', if step.detail.is_empty() { step.phase.word().to_string() } else { step.detail.clone() })
    } else if let Some(step) = last {
        (
            if step.state == StepState::Undone { 'o' } else { '*' },
            if step.detail.is_empty() { step.phase.word().to_string() } else { step.detail.clone() },
        )
    } else {
        ('o', "waits".to_string())
    };
    let mut cells: Vec<Cell> = vec![place.into()];
    cells.extend(PLACE_PHASES.iter().map(|phase| step_cell(step(*phase), now_ms).into()));
    cells.push(now.into());
    Cells::new(glyph, TROUBLE, cells, About { host: place.into(), ..About::default() })
}

/// A wave's glyph and how much it needs somebody.
fn wave_glyph(word: &str) -> (char, u8) {
    match word {
        "done" => ('*', 4),
        "under way" => ('~', 1),
        "stopped" => ('o', 2),
        _ => ('!', 0),
    }
}

pub fn wave(look: &Look, now_ms: i64, number: i64) -> Option<Cells> {
    let found = find::wave(look, number)?;
    let count = |state: State| found.states.iter().filter(|known| **known == state).count();
    let (glyph, rank) = wave_glyph(found.word);
    let wave = &found.wave;
    let verb = match (wave.of, wave.place.as_str()) {
        (0, "") => wave.verb.clone(),
        (0, place) => format!("{} {place}", wave.verb),
        (of, _) => format!("{} of {of}", wave.verb),
    };
    let cells = vec![
        Cell::of(number.to_string(), number),
        verb.into(),
        found.word.into(),
        format!("{}/{}", count(State::Done), wave.members.len()).into(),
        Cell::count(count(State::Failed)),
        wave.who.clone().into(),
        Cell::age(now_ms, wave.started_ms),
        or_dash(&wave.why).into(),
    ];
    let about =
        About { state: found.word.into(), who: wave.who.clone(), kind: wave.verb.clone(), at_ms: wave.started_ms, ..About::default() };
    Some(Cells::new(glyph, rank, cells, about))
}

pub fn member(look: &Look, number: i64, swarm: &str) -> Option<Cells> {
    let found = find::wave(look, number)?;
    let (member, state) = found.wave.members.iter().zip(&found.states).find(|(member, _)| member.swarm_id == swarm)?;
    let dispatch = find::dispatch(look, &member.plan);
    let glyph = match state {
        State::Done => '*',
        State::UnderWay => '~',
        State::NotStarted => 'o',
        State::Failed | State::Interrupted => '!',
    };
    let note =
        dispatch.and_then(|dispatch| dispatch.fault.as_ref()).map(crate::model::Fault::line).unwrap_or_else(|| member.refused.clone());
    let cells = vec![
        member.swarm.clone().into(),
        state.word().into(),
        format!("{} -> {}", or_dash(&member.from_version), member.to_version).into(),
        dispatch.map_or_else(|| "-".into(), |dispatch| dispatch.number.to_string()).into(),
        note.into(),
    ];
    let about = About { state: state.word().into(), swarm: member.swarm.clone(), version: member.to_version.clone(), ..About::default() };
    Some(Cells::new(glyph, if glyph == '!' { 0 } else { 4 }, cells, about))
}
