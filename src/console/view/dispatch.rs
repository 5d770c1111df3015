//! A dispatch, live or past (`screens/dispatch.txt`): each host's way through the phases, and the last lines.

use super::footer::wrap;
use super::{Pen, header, layout, table};
use crate::console::rows::cells::dispatch_state;
use crate::console::rows::find;
use crate::console::rows::text::span;
use crate::console::state::{Kind, Pane, State};
use crate::console::theme::Role;
use crate::deck::look::Target;
use crate::model::record::{Dispatch, Event, Outcome, Phase, StepState};
use ratatui::layout::{Position, Rect};

/// Draws it.
pub fn draw(pen: &mut Pen<'_>, state: &State, id: &str, pane: &Pane) -> Option<Position> {
    let Some(dispatch) = find::dispatch(&state.look, id) else {
        header::draw(pen, state, "DISPATCH");
        pen.text(pen.area.x + 1, pen.area.y + 2, pen.area.width, "~ reading", Role::Moving);
        return None;
    };
    let short = dispatch.swarm.split('@').next().unwrap_or_default();
    let way = if dispatch.from_version.is_empty() || dispatch.from_version == dispatch.to_version {
        dispatch.to_version.clone()
    } else {
        format!("{} -> {}", dispatch.from_version, dispatch.to_version)
    };
    header::draw(pen, state, &format!("{} {} {short}  {way}", dispatch.verb.to_uppercase(), dispatch.number));
    let body = layout::body(pen.area);
    let (glyph, word) = dispatch_state(dispatch);
    let end = if dispatch.ended_ms > 0 { dispatch.ended_ms } else { state.now_ms };
    let gone = span(end - dispatch.started_ms);
    let said = if dispatch.outcome.is_some() {
        format!("{glyph} {} in {gone}", word.to_uppercase())
    } else {
        format!("{glyph} {word}  {gone} gone")
    };
    pen.text(body.x + 1, body.y, body.width.saturating_sub(2), &dispatch.why, Role::Text);
    pen.right(body.x, body.y, body.width.saturating_sub(2), &format!("  {said}"), crate::console::rows::cells::role_of(glyph));
    pen.text(body.x + 1, body.y + 2, body.width.saturating_sub(1), &phases(dispatch), Role::Text);
    let table_at = Rect { y: body.y + 3, height: body.height.saturating_sub(3), ..body };
    table::names(pen, Rect { height: table_at.height.min(1), ..table_at }, Kind::Places, &state.habits);
    let mut notes = notes(dispatch, usize::from(body.width.saturating_sub(7).max(1)));
    if let Some(waiting) = state.look.waits.get(id).filter(|_| dispatch.outcome.is_none()) {
        notes.insert(0, ("WAIT", waiting.line(state.now_ms), Role::Moving));
    }
    let lines = if state.zoom {
        body.height
    } else if body.height > 34 {
        12
    } else {
        5.min(body.height / 4)
    };
    let hosts = (pane.order.len() as u16).max(1).min(table_at.height.saturating_sub(1 + notes.len() as u16 + lines + 3).max(2));
    let rows = Rect { y: table_at.y + 1, height: hosts.min(table_at.height.saturating_sub(1)), ..table_at };
    // The pane scrolls by the height of a whole screen; here its window is smaller.
    let mut window = pane.clone();
    window.scroll(usize::from(rows.height));
    let cursor = table::rows(pen, rows, state, &window, true);
    let mut y = rows.bottom() + 1;
    for (label, text, role) in &notes {
        if y >= body.bottom() {
            return cursor;
        }
        pen.text(body.x, y, 6, label, Role::Title);
        pen.text(body.x + 6, y, body.width.saturating_sub(6), text, *role);
        y += 1;
    }
    last_lines(pen, state, dispatch, Rect { y: y + 1, height: body.bottom().saturating_sub(y + 1), ..body }, pane);
    cursor
}

/// `resolve ok - build reused - release 41b0aa - plan ok - fence ok`.
fn phases(dispatch: &Dispatch) -> String {
    let mut said = Vec::new();
    for phase in [Phase::Resolve, Phase::Build, Phase::Release, Phase::Plan, Phase::Fence, Phase::Retire] {
        let steps: Vec<_> = dispatch.steps.iter().filter(|step| step.phase == phase).collect();
        let done = steps.iter().filter(|step| matches!(step.state, StepState::Done | StepState::Skipped)).count();
        let word = if steps.iter().any(|step| step.state == StepState::Failed) {
            "FAILED".to_string()
        } else if steps.iter().any(|step| matches!(step.state, StepState::Undoing | StepState::Undone)) {
            "undone".into()
        } else if !steps.is_empty() && done == steps.len() {
            match steps.last().map(|step| step.detail.as_str()) {
                Some(detail) if steps.len() == 1 && !detail.is_empty() && detail.len() <= 12 => detail.to_string(),
                _ => "ok".into(),
            }
        } else if done > 0 {
            format!("{done} of {}", steps.len())
        } else if dispatch.phase == phase && dispatch.outcome.is_none() {
            "now".into()
        } else if dispatch.phase > phase {
            "ok".into()
        } else {
            "-".into()
        };
        said.push(format!("{} {word}", phase.word()));
    }
    said.join(" - ")
}

fn notes(dispatch: &Dispatch, width: usize) -> Vec<(&'static str, String, Role)> {
    let mut notes = Vec::new();
    let mut note = |label: &'static str, text: &str, role: Role| {
        for (number, line) in wrap(text, width).into_iter().enumerate() {
            notes.push((if number == 0 { label } else { "" }, line, role));
        }
    };
    if let Some(fault) = &dispatch.fault {
        note("FAULT", &fault.line(), Role::Wrong);
    }
    match dispatch.outcome {
        None if dispatch.undoing => note("BACK", "going back to what was before", Role::Moving),
        None if dispatch.phase < Phase::Retire => note("BACK", "exact undo, nothing lost: the old procs are warm", Role::Text),
        None => note("BACK", "old procs are being stopped: only a rollback leads back now", Role::Warning),
        Some(outcome) => {
            let (said, next, role) = ended(dispatch, outcome);
            note("ENDED", &said, role);
            note("NEXT", next, Role::Text);
        }
    }
    for debt in &dispatch.debts {
        note("OWED", &format!("{}: {}", debt.host, debt.what), Role::Warning);
    }
    notes
}

/// What an end means, and the next verb.
fn ended(dispatch: &Dispatch, outcome: Outcome) -> (String, &'static str, Role) {
    let was = if dispatch.from_version.is_empty() { "nothing" } else { dispatch.from_version.as_str() };
    match outcome {
        Outcome::Done => (
            format!("done: {} is live, what ran before it is stopped and removed", dispatch.to_version),
            ".b rolls back to what ran before; .t runs its uptests; esc goes back",
            Role::Ok,
        ),
        Outcome::Undone => (
            format!("undone: all is as it was, {was} is live and was all the time"),
            "enter on a host shows its procs, i every event; .e edits, .d plans again",
            Role::Warning,
        ),
        Outcome::Refused => ("refused: nothing was begun, nothing was changed".into(), ".d makes a new plan", Role::Warning),
        Outcome::Failed => (
            "failed, and could not be undone in full: what is owed stands here".into(),
            "put the host right, then .d plans again; w says what is known",
            Role::Wrong,
        ),
        Outcome::Interrupted => (
            "stopped between two steps; nothing is lost, all that serves goes on serving".into(),
            ".y carries it on, .x undoes it",
            Role::Warning,
        ),
    }
}

fn last_lines(pen: &mut Pen<'_>, state: &State, dispatch: &Dispatch, area: Rect, pane: &Pane) {
    if area.height < 2 {
        return;
    }
    let host = match &pane.cursor.0 {
        Target::Host(host) if layout::is_wide(state.size) => Some(host.as_str()),
        _ => None,
    };
    pen.rule(Rect { height: 1, ..area }, &format!("LAST LINES  {}", host.unwrap_or("all hosts")), "", false);
    let room = usize::from(area.height - 1);
    // Of one of the past all events are there, whether among the newest or not.
    let all: Vec<&Event> = match state.look.lists.past.get(&dispatch.id) {
        Some(events) => events.iter().rev().collect(),
        None => state.look.events.iter().collect(),
    };
    let lines: Vec<_> = all
        .into_iter()
        .filter(|event| {
            (event.run == dispatch.id || event.run == dispatch.number.to_string())
                && host.is_none_or(|host| event.place == host || event.what.contains(host))
        })
        .take(room)
        .collect();
    for (y, event) in (area.y + 1..area.bottom()).zip(lines.into_iter().rev()) {
        let role = if event.result == "failed" { Role::Wrong } else { Role::Text };
        let end = pen.text(area.x + 1, y, 9, &pen.times.clock(event.at_ms), Role::Dim);
        let place = event.place.split('@').next().unwrap_or_default();
        let end = pen.text(end + 1, y, area.width, &format!("{place} "), Role::Dim);
        pen.text(end, y, area.width, &event.what, role);
    }
}
