//! What one row says: its glyph, what the glyph means, and the text of each column.

use super::find;
use super::text::{age, bytes, clock, count, or_dash, seen, span};
use crate::console::state::{Kind, RowId, Scope};
use crate::console::theme::Role;
use crate::deck::look::{Look, SwarmLook, SwarmState, Target};
use crate::model::record::{Dispatch, Outcome, Phase, Step, StepState};
use crate::model::release::BuildStatus;
use crate::model::stray::{Stray, StrayKind};
use crate::model::world::{HostState, Owner, Proc, ProcState};

/// One row, ready to draw.
#[derive(Debug, Clone, Default)]
pub struct Cells {
    pub glyph: char,
    pub role: Option<Role>,
    /// One per column of its kind.
    pub cells: Vec<String>,
    /// For the filter.
    pub state: String,
    pub host: String,
    /// How much it needs somebody; 0 is worst.
    pub rank: u8,
}

/// Ranks below this are trouble.
pub const TROUBLE: u8 = 4;

/// What the row says; none when its object is gone.
pub fn cells(look: &Look, now_ms: i64, kind: Kind, scope: &Scope, id: &RowId) -> Option<Cells> {
    match (kind, &id.0) {
        (Kind::Needs, _) => need(look, now_ms, id),
        (_, Target::Swarm(id)) => Some(swarm(look, now_ms, find::swarm(look, id)?)),
        (Kind::Places, Target::Host(place)) => {
            let Scope::Run(run) = scope else { return None };
            Some(place_of(look, now_ms, find::dispatch(look, run)?, place))
        }
        (_, Target::Host(name)) => host(look, now_ms, name),
        (_, Target::Squad(name)) => Some(squad(look, name)),
        (_, Target::Proc(on, name)) => Some(proc(look, find::proc(look, on, name)?)),
        (_, Target::Build(id)) => build(look, now_ms, id),
        (_, Target::Dispatch(id)) => Some(dispatch(now_ms, find::dispatch(look, id)?)),
        (_, Target::Ingredient(id)) => ingredient(look, now_ms, id),
        (_, Target::Event(seq)) => event(look, *seq),
        (_, Target::Stray(place, name)) => Some(stray(now_ms, find::stray(look, place, name)?)),
        (_, Target::Strays | Target::Nothing) => None,
    }
}

/// The role of a state's glyph.
pub fn role_of(glyph: char) -> Role {
    match glyph {
        '*' => Role::Ok,
        '~' => Role::Moving,
        '!' => Role::Wrong,
        '?' => Role::Unseen,
        '.' => Role::Note,
        _ => Role::Off,
    }
}

fn need(look: &Look, now_ms: i64, (target, nth): &RowId) -> Option<Cells> {
    let need = look.needs.iter().filter(|need| need.target == *target).nth(usize::from(*nth))?;
    let rank = match need.glyph {
        '!' => 0,
        '?' => 1,
        '~' => 2,
        _ => 3,
    };
    let cells = vec![need.object.clone(), need.text.clone(), age(now_ms, need.since_ms)];
    Some(Cells { glyph: need.glyph, role: Some(role_of(need.glyph)), cells, rank, ..Cells::default() })
}

/// Known ones are no trouble; neither is a foreign proc, which only wants to be known.
fn stray(now_ms: i64, stray: &Stray) -> Cells {
    let (glyph, rank) = match (stray.ignored, stray.kind) {
        (true, _) => ('o', 5),
        (false, StrayKind::Foreign) => ('.', 3),
        (false, _) => ('!', 0),
    };
    let state = if stray.ignored { format!("{} known", stray.kind.word()) } else { stray.kind.word().to_string() };
    let cells = vec![
        stray.place.clone(),
        state.clone(),
        stray.name.clone(),
        stray.port.map_or_else(|| "-".into(), |port| port.to_string()),
        stray.whose.clone(),
        stray.evidence.join("; "),
        age(now_ms, stray.since_ms),
    ];
    Cells { glyph, role: Some(role_of(glyph)), cells, state, host: stray.place.clone(), rank }
}

/// A proc's glyph.
pub fn proc_glyph(proc: &Proc, reachable: bool) -> char {
    match proc.state {
        _ if !reachable => '?',
        ProcState::Running => '*',
        ProcState::Starting | ProcState::Stopping => '~',
        ProcState::Backoff | ProcState::Fatal | ProcState::Exited | ProcState::Ghost => '!',
        ProcState::Unknown => '?',
        ProcState::Stopped => 'o',
    }
}

fn swarm(look: &Look, now_ms: i64, swarm: &SwarmLook) -> Cells {
    let mut counts = [('*', 0usize), ('!', 0), ('?', 0), ('~', 0), ('o', 0)];
    for (on, name) in &swarm.procs {
        let reachable = find::host(look, on).is_some_and(|host| matches!(host.state, HostState::Ok | HostState::Degraded(_)));
        let glyph = find::proc(look, on, name).map_or('?', |proc| proc_glyph(proc, reachable));
        if let Some((_, number)) = counts.iter_mut().find(|(known, _)| *known == glyph) {
            *number += 1;
        }
    }
    let drawn = if swarm.procs.is_empty() {
        "-".to_string()
    } else if swarm.procs.len() <= 8 {
        counts.iter().map(|(glyph, number)| glyph.to_string().repeat(*number)).collect()
    } else {
        counts.iter().filter(|(_, number)| *number > 0).map(|(glyph, number)| format!("{number}{glyph}")).collect::<Vec<_>>().join(" ")
    };
    let lost = counts.iter().find(|(glyph, _)| *glyph == '?').map_or(0, |(_, number)| *number);
    let state = if swarm.state == SwarmState::Lost && lost > 0 { format!("lost {lost}") } else { swarm.state.word().to_string() };
    let not_live = match (swarm.held.first(), swarm.not_live.as_str()) {
        (None, text) => text.to_string(),
        (Some(hold), "") => format!("HELD {}", hold.who),
        (Some(hold), text) => format!("HELD {}, {text}", hold.who),
    };
    let version = if swarm.running.is_empty() { &swarm.version } else { &swarm.running };
    let rank = match swarm.state {
        SwarmState::Failing => 0,
        SwarmState::Lost => 1,
        SwarmState::Short => 2,
        SwarmState::Moving => 3,
        SwarmState::Ok => 4,
        SwarmState::Off => 5,
        SwarmState::New => 6,
    };
    Cells {
        glyph: swarm.state.glyph(),
        role: Some(role_of(swarm.state.glyph())),
        cells: vec![
            find::called(look, swarm),
            state.clone(),
            format!("{}/{}", swarm.ready, swarm.size),
            drawn,
            or_dash(version),
            or_dash(&not_live),
            age(now_ms, swarm.last_ms),
        ],
        state,
        host: swarm.procs.iter().map(|(host, _)| host.as_str()).next().unwrap_or_default().to_string(),
        rank,
    }
}

fn host(look: &Look, now_ms: i64, name: &str) -> Option<Cells> {
    let Some(seen_host) = find::host(look, name) else {
        let known = look.hosts.iter().find(|host| host.name == name)?;
        let cells =
            vec![format!(" {}", known.name), "not asked".into(), "-".into(), "-".into(), "-".into(), "-".into(), "-".into(), String::new()];
        return Some(Cells { glyph: 'o', role: Some(Role::Off), cells, state: "not asked".into(), host: name.into(), rank: 5 });
    };
    let (glyph, state, note, rank) = match &seen_host.state {
        HostState::Unreachable(reason) => ('?', "unreachable", reason.clone(), 1),
        HostState::Degraded(reason) => ('!', "degraded", reason.clone(), 0),
        HostState::Unseen => ('o', "not asked", String::new(), 5),
        HostState::Ok if !seen_host.active => ('o', "out", "out of service: takes no new procs".into(), 5),
        HostState::Ok => ('*', "ok", String::new(), 4),
    };
    let number = |amount: Option<u64>| amount.map_or_else(|| "-".into(), bytes);
    let cells = vec![
        format!(" {}", seen_host.name),
        state.to_string(),
        seen_host.procs.len().to_string(),
        seen_host.load.map_or_else(|| "-".into(), |load| format!("{load:.1}")),
        number(seen_host.memory_free),
        number(seen_host.disk_free),
        seen(now_ms, seen_host.seen_ms),
        note,
    ];
    Some(Cells { glyph, role: Some(role_of(glyph)), cells, state: state.into(), host: name.into(), rank })
}

fn squad(look: &Look, name: &str) -> Cells {
    let known = look.hosts.iter().filter(|host| host.squad == name).map(|host| host.name.as_str());
    let seen_names = look.world.hosts.values().filter(|host| host.squad == name).map(|host| host.name.as_str());
    let hosts: std::collections::BTreeSet<&str> = known.chain(seen_names).collect();
    let seen_hosts: Vec<_> = hosts.iter().filter_map(|host| find::host(look, host)).collect();
    let ok = seen_hosts.iter().filter(|host| host.is_ok()).count();
    let procs: usize = seen_hosts.iter().map(|host| host.procs.len()).sum();
    let label = if name.is_empty() { "no squad" } else { name };
    let cells = vec![
        label.to_string(),
        format!("{ok}/{} ok", hosts.len()),
        procs.to_string(),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        "squad".into(),
    ];
    Cells { glyph: ' ', role: Some(Role::Title), cells, state: "squad".into(), ..Cells::default() }
}

fn proc(look: &Look, proc: &Proc) -> Cells {
    let reachable = find::host(look, &proc.host).is_some_and(|host| !matches!(host.state, HostState::Unreachable(_) | HostState::Unseen));
    let glyph = proc_glyph(proc, reachable);
    let who = match (&proc.swarm, proc.owner) {
        (Some(swarm), Owner::Ours) => {
            look.swarms.iter().find(|known| known.name == *swarm).map_or_else(|| swarm.clone(), |known| find::called(look, known))
        }
        (_, Owner::Foreign) => format!("{} foreign", proc.name),
        (_, owner) => format!("{} {}", proc.name, owner.word()),
    };
    let state = if reachable { proc.state.word() } else { "not seen" };
    let rank = match (glyph, proc.owner) {
        ('!', Owner::Ours) => 0,
        ('?', _) => 1,
        ('~', _) => 2,
        (_, Owner::Orphan) => 3,
        ('*', Owner::Ours) => 4,
        (_, Owner::Ours) => 5,
        _ => 6,
    };
    let up = proc.uptime();
    let cells = vec![
        who,
        proc.host.clone(),
        proc.port.map_or_else(|| "-".into(), |port| port.to_string()),
        state.to_string(),
        or_dash(&proc.version),
        or_dash(proc.release.get(..6).unwrap_or(&proc.release)),
        proc.pid.map_or_else(|| "-".into(), |pid| pid.to_string()),
        if up > 0 { age(up * 1000 + 1, 1) } else { "-".into() },
        match proc.routed {
            Some(true) => "yes",
            Some(false) => "no",
            None => "-",
        }
        .to_string(),
    ];
    Cells { glyph, role: Some(role_of(glyph)), cells, state: state.into(), host: proc.host.clone(), rank }
}

fn build(look: &Look, now_ms: i64, id: &str) -> Option<Cells> {
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
    let took = if build.ended_ms > 0 { span(build.ended_ms - build.started_ms) } else { "-".into() };
    let cells = vec![
        build.app.clone(),
        build.version.clone(),
        build.commit.get(..7).unwrap_or(&build.commit).to_string(),
        found.status.word().to_string(),
        bytes(build.size),
        took,
        age(now_ms, build.started_ms),
        note,
    ];
    Some(Cells { glyph, role: Some(role_of(glyph)), cells, state: found.status.word().into(), rank, ..Cells::default() })
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

fn dispatch(now_ms: i64, dispatch: &Dispatch) -> Cells {
    let (glyph, state) = dispatch_state(dispatch);
    let way = if dispatch.from_version.is_empty() {
        dispatch.to_version.clone()
    } else {
        format!("{} -> {}", dispatch.from_version, dispatch.to_version)
    };
    let cells = vec![
        dispatch.number.to_string(),
        dispatch.swarm.clone(),
        dispatch.verb.clone(),
        way,
        state.clone(),
        dispatch.who.clone(),
        age(now_ms, dispatch.started_ms),
    ];
    let rank = match (glyph, dispatch.outcome) {
        ('~', _) => 0,
        (_, Some(Outcome::Interrupted | Outcome::Failed)) => 1,
        _ => 4,
    };
    Cells { glyph, role: Some(role_of(glyph)), cells, state, rank, ..Cells::default() }
}

fn ingredient(look: &Look, now_ms: i64, id: &str) -> Option<Cells> {
    let found = find::ingredient(look, id)?;
    let used = match found.used_by.len() {
        0 => "nobody".to_string(),
        1 => found.used_by.join(", "),
        number => format!("{number}: {}", found.used_by.join(", ")),
    };
    let cells = vec![found.name.clone(), found.keys.to_string(), used, or_dash(&found.who_changed), age(now_ms, found.changed_ms)];
    Some(Cells { glyph: ' ', role: None, cells, rank: TROUBLE, ..Cells::default() })
}

fn event(look: &Look, seq: i64) -> Option<Cells> {
    let event = find::event(look, seq)?;
    let (glyph, rank) = match event.result.as_str() {
        "failed" => ('!', 0),
        "warning" => ('?', 1),
        _ => (' ', 4),
    };
    let what = if event.why.is_empty() { event.what.clone() } else { format!("{} ({})", event.what, event.why) };
    let place = event.place.split('@').next().unwrap_or_default().to_string();
    let cells = vec![clock(event.at_ms), or_dash(&event.who), or_dash(&place), what];
    Some(Cells { glyph, role: (glyph != ' ').then(|| role_of(glyph)), cells, state: event.kind.clone(), host: event.place.clone(), rank })
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

fn place_of(look: &Look, now_ms: i64, dispatch: &Dispatch, place: &str) -> Cells {
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
    let mut cells = vec![place.to_string()];
    cells.extend(PLACE_PHASES.iter().map(|phase| step_cell(step(*phase), now_ms)));
    cells.push(now);
    Cells { glyph, role: Some(role_of(glyph)), cells, host: place.into(), rank: TROUBLE, ..Cells::default() }
}

/// Numbers for the header: hosts seen and known, procs running and wanted.
pub fn totals(look: &Look) -> (String, String, String) {
    let seen_hosts = look.world.hosts.values().filter(|host| matches!(host.state, HostState::Ok | HostState::Degraded(_))).count();
    let known = look.world.hosts.len().max(look.hosts.len());
    let ready: u32 = look.swarms.iter().map(|swarm| swarm.ready).sum();
    let wanted: u32 = look.swarms.iter().map(|swarm| swarm.size).sum();
    (
        format!("{}/{}", seen_hosts, known),
        format!("{}/{}", count(i64::from(ready)), count(i64::from(wanted))),
        count(look.swarms.len() as i64),
    )
}
