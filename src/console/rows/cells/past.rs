//! Rows of what was: releases, uptest runs, holds, events, audit lines, versions; and of what is out of place.

use super::{Cell, Cells, TROUBLE, role_of};
use crate::console::rows::filter::About;
use crate::console::rows::find;
use crate::console::rows::text::{age, or_dash};
use crate::console::state::Scope;
use crate::deck::look::{Look, Target};
use crate::model::stray::{Stray, StrayKind};

/// Known ones are no trouble; neither is a foreign proc, which only wants to be known.
pub fn stray(now_ms: i64, stray: &Stray) -> Cells {
    let (glyph, rank) = match (stray.ignored, stray.kind) {
        (true, _) => ('o', 5),
        (false, StrayKind::Foreign) => ('.', 3),
        (false, _) => ('!', 0),
    };
    let state = if stray.ignored { format!("{} known", stray.kind.word()) } else { stray.kind.word().to_string() };
    let cells = vec![
        stray.place.clone().into(),
        state.clone().into(),
        stray.name.clone().into(),
        Cell::of(stray.port.map_or_else(|| "-".into(), |port| port.to_string()), stray.port.map_or(-1, i64::from)),
        stray.whose.clone().into(),
        stray.evidence.join("; ").into(),
        Cell::age(now_ms, stray.since_ms),
    ];
    let about = About { state, host: stray.place.clone(), swarm: stray.whose.clone(), at_ms: stray.since_ms, ..About::default() };
    Cells::new(glyph, rank, cells, about)
}

pub fn event(look: &Look, seq: i64) -> Option<Cells> {
    let event = find::event(look, seq)?;
    let (glyph, rank) = match event.result.as_str() {
        "failed" => ('!', 0),
        "warning" => ('?', 1),
        _ => (' ', 4),
    };
    let what = if event.why.is_empty() { event.what.clone() } else { format!("{} ({})", event.what, event.why) };
    let place = event.place.split('@').next().unwrap_or_default().to_string();
    let cells = vec![Cell::of(look.times.clock(event.at_ms), event.at_ms), or_dash(&event.who).into(), or_dash(&place).into(), what.into()];
    let about = About {
        state: event.result.clone(),
        host: event.place.clone(),
        swarm: event.place.clone(),
        who: event.who.clone(),
        kind: event.kind.clone(),
        at_ms: event.at_ms,
        ..About::default()
    };
    Some(Cells { glyph, role: (glyph != ' ').then(|| role_of(glyph)), cells, rank, about })
}

pub fn release(look: &Look, now_ms: i64, swarm: &str, id: &str) -> Option<Cells> {
    let release = find::release(look, swarm, id)?;
    let of = find::swarm(look, swarm);
    let (glyph, state) = if release.current { ('*', "runs") } else { ('o', "ran") };
    let dispatch = find::dispatch(look, &release.dispatch);
    let cells = vec![
        release.id.get(..8).unwrap_or(&release.id).into(),
        of.map_or_else(|| "gone".into(), |swarm| find::called(look, swarm)).into(),
        release.version.clone().into(),
        release.commit.get(..7).unwrap_or(&release.commit).into(),
        state.into(),
        Cell::count(release.config_keys),
        Cell::count(release.env_keys),
        dispatch.map_or_else(|| "-".into(), |dispatch| dispatch.number.to_string()).into(),
        dispatch.map_or_else(|| "-".into(), |dispatch| or_dash(&dispatch.who)).into(),
        Cell::age(now_ms, release.at_ms),
    ];
    let about = About {
        state: state.into(),
        app: of.map(|swarm| swarm.app.clone()).unwrap_or_default(),
        squad: of.map(|swarm| swarm.squad.clone()).unwrap_or_default(),
        swarm: of.map(|swarm| swarm.short.clone()).unwrap_or_default(),
        version: release.version.clone(),
        who: dispatch.map(|dispatch| dispatch.who.clone()).unwrap_or_default(),
        at_ms: release.at_ms,
        ..About::default()
    };
    Some(Cells::new(glyph, TROUBLE, cells, about))
}

pub fn uptests(look: &Look, now_ms: i64, id: &str) -> Option<Cells> {
    let run = find::uptests(look, id)?;
    let failed = run.failed();
    let first = run.reports.iter().find(|report| !report.passed);
    let (glyph, state, rank) = match (run.reports.is_empty(), failed) {
        (true, _) => ('o', "none", 5),
        (false, 0) => ('*', "passed", 4),
        (false, _) => ('!', "FAILED", 0),
    };
    let note = first.map_or_else(String::new, |report| {
        format!("{} {}: {}", report.host, report.test, report.output.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default())
    });
    let cells = vec![
        run.swarm.split('@').next().unwrap_or_default().into(),
        state.into(),
        Cell::count(run.reports.len() - failed),
        Cell::count(failed),
        or_dash(&run.who).into(),
        Cell::age(now_ms, run.at_ms),
        or_dash(&note).into(),
    ];
    let hosts: Vec<&str> = run.reports.iter().map(|report| report.host.as_str()).collect();
    let about = About {
        state: state.into(),
        host: hosts.join(" "),
        swarm: run.swarm.clone(),
        app: find::swarm(look, &run.swarm_id).map(|swarm| swarm.app.clone()).unwrap_or_default(),
        who: run.who.clone(),
        at_ms: run.at_ms,
        ..About::default()
    };
    Some(Cells::new(glyph, rank, cells, about))
}

pub fn hold(look: &Look, now_ms: i64, name: &str) -> Option<Cells> {
    let hold = find::hold(look, name)?;
    let until = if hold.until_ms == 0 { "till it is lifted".to_string() } else { format!("for {}", age(hold.until_ms, now_ms)) };
    let cells = vec![
        hold.name.clone().into(),
        hold.on.word().into(),
        or_dash(&hold.object).into(),
        or_dash(&hold.who).into(),
        Cell::age(now_ms, hold.since_ms),
        Cell::of(until, if hold.until_ms == 0 { i64::MAX } else { hold.until_ms }),
        or_dash(&hold.why).into(),
    ];
    let about = About {
        state: "held".into(),
        swarm: hold.object.clone(),
        host: hold.object.clone(),
        squad: hold.object.clone(),
        who: hold.who.clone(),
        kind: hold.on.word().into(),
        at_ms: hold.since_ms,
        ..About::default()
    };
    Some(Cells::new('.', 3, cells, about))
}

pub fn audit(look: &Look, seq: i64) -> Option<Cells> {
    let line = find::audit(look, seq)?;
    let bad = matches!(line.result.as_str(), "failed" | "refused");
    let cells = vec![
        Cell::of(look.times.date(line.at_ms), line.at_ms),
        or_dash(&line.who).into(),
        line.verb.clone().into(),
        or_dash(&line.object).into(),
        or_dash(&line.result).into(),
        or_dash(&line.why).into(),
    ];
    let app = look.apps.iter().find(|app| crate::deck::past::is_of_app(&line.object, &app.name));
    let about = About {
        state: line.result.clone(),
        host: line.object.clone(),
        swarm: line.object.clone(),
        app: app.map(|app| app.name.clone()).unwrap_or_default(),
        who: line.who.clone(),
        kind: line.verb.clone(),
        at_ms: line.at_ms,
        ..About::default()
    };
    Some(Cells::new(if bad { '!' } else { ' ' }, if bad { 0 } else { TROUBLE }, cells, about))
}

pub fn version(look: &Look, now_ms: i64, scope: &Scope, rev: i64) -> Option<Cells> {
    let Scope::Versions(versions) = scope else { return None };
    let version = versions.iter().find(|version| version.rev == rev)?;
    let (glyph, state) = match (version.current, version.deleted) {
        (true, _) => ('*', "now"),
        (_, true) => ('!', "deleted"),
        _ => ('o', "was"),
    };
    let cells = vec![
        Cell::of(version.rev.to_string(), version.rev),
        state.into(),
        Cell::of(look.times.date(version.at_ms), version.at_ms),
        or_dash(&version.who).into(),
        if version.deleted { "-".into() } else { format!("+{} -{}", version.added, version.removed).into() },
        or_dash(&version.why).into(),
        Cell::age(now_ms, version.at_ms),
    ];
    let about = About { state: state.into(), who: version.who.clone(), at_ms: version.at_ms, ..About::default() };
    Some(Cells::new(glyph, TROUBLE, cells, about))
}

pub fn undo(look: &Look, now_ms: i64, target: &Target) -> Option<Cells> {
    let undo = crate::deck::undo::undoable(look).into_iter().find(|undo| undo.target == *target)?;
    let cells = vec![
        undo.object.split('@').next().unwrap_or_default().into(),
        undo.what.clone().into(),
        undo.back.into(),
        or_dash(&undo.who).into(),
        Cell::age(now_ms, undo.at_ms),
    ];
    let about = About {
        state: undo.verb.into(),
        host: undo.object.clone(),
        swarm: undo.object,
        who: undo.who,
        kind: undo.verb.into(),
        at_ms: undo.at_ms,
        ..About::default()
    };
    Some(Cells::new(' ', TROUBLE, cells, about))
}
