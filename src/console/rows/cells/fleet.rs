//! Rows of what serves: swarms, squads, hosts, procs.

use super::{Cell, Cells};
use crate::console::rows::filter::About;
use crate::console::rows::find;
use crate::console::rows::text::{age, bytes, or_dash, seen};
use crate::console::theme::Role;
use crate::deck::look::{Look, SwarmLook, SwarmState};
use crate::model::world::{HostSeen, HostState, Owner, Proc, ProcState};

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

/// How much a proc needs somebody.
pub fn proc_rank(glyph: char, owner: Owner) -> u8 {
    match (glyph, owner) {
        ('!', Owner::Ours) => 0,
        ('?', _) => 1,
        ('~', _) => 2,
        (_, Owner::Orphan) => 3,
        ('*', Owner::Ours) => 4,
        (_, Owner::Ours) => 5,
        _ => 6,
    }
}

/// How much a swarm needs somebody.
pub fn swarm_rank(state: SwarmState) -> u8 {
    match state {
        SwarmState::Failing => 0,
        SwarmState::Lost => 1,
        SwarmState::Short => 2,
        SwarmState::Moving => 3,
        SwarmState::Ok => 4,
        SwarmState::Off => 5,
        SwarmState::New => 6,
    }
}

/// Whether what is known of a host's procs is of now.
fn is_reached(host: Option<&HostSeen>) -> bool {
    host.is_some_and(|host| matches!(host.state, HostState::Ok | HostState::Degraded(_)))
}

/// Whose a proc is, as the list says it.
pub fn who_of(look: &Look, proc: &Proc) -> String {
    match (&proc.swarm, proc.owner) {
        (Some(swarm), Owner::Ours) => {
            look.swarms.iter().find(|known| known.name == *swarm).map_or_else(|| swarm.clone(), |known| find::called(look, known))
        }
        (_, owner) => format!("{} {}", proc.name, owner.word()),
    }
}

/// How many procs of a swarm show each glyph, the good ones first.
fn counts(look: &Look, swarm: &SwarmLook) -> [(char, usize); 5] {
    let mut counts = [('*', 0usize), ('!', 0), ('?', 0), ('~', 0), ('o', 0)];
    for (on, name) in &swarm.procs {
        let glyph = find::proc(look, on, name).map_or('?', |proc| proc_glyph(proc, is_reached(find::host(look, on))));
        if let Some((_, number)) = counts.iter_mut().find(|(known, _)| *known == glyph) {
            *number += 1;
        }
    }
    counts
}

pub fn swarm(look: &Look, now_ms: i64, swarm: &SwarmLook) -> Cells {
    let counts = counts(look, swarm);
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
    let pool = if swarm.pool.is_empty() { "-".to_string() } else { format!("{}@{}", swarm.pool, swarm.balancer) };
    let cells = vec![
        find::called(look, swarm).into(),
        Cell::of(state.clone(), i64::from(swarm_rank(swarm.state))),
        Cell::of(format!("{}/{}", swarm.ready, swarm.size), i64::from(swarm.ready) - i64::from(swarm.size)),
        Cell::of(drawn, i64::try_from(swarm.procs.len()).unwrap_or(i64::MAX)),
        or_dash(version).into(),
        or_dash(&not_live).into(),
        Cell::age(now_ms, swarm.last_ms),
        or_dash(swarm.release.get(..6).unwrap_or(&swarm.release)).into(),
        pool.into(),
        swarm.squad.clone().into(),
        or_dash(&swarm.ingredients.join(" ")).into(),
        or_dash(&swarm.who_changed).into(),
        Cell::age(now_ms, swarm.changed_ms),
    ];
    let mut hosts: Vec<&str> = swarm.procs.iter().map(|(host, _)| host.as_str()).collect();
    hosts.dedup();
    let about = About {
        state,
        host: hosts.join(" "),
        app: swarm.app.clone(),
        squad: swarm.squad.clone(),
        swarm: swarm.short.clone(),
        version: version.clone(),
        who: swarm.who_changed.clone(),
        at_ms: swarm.last_ms,
        ..About::default()
    };
    Cells::new(swarm.state.glyph(), swarm_rank(swarm.state), cells, about)
}

/// A host's glyph, word, what is to be said, and how much it needs somebody.
pub fn host_state(host: &HostSeen) -> (char, &'static str, &str, u8) {
    match &host.state {
        HostState::Unreachable(reason) => ('?', "unreachable", reason, 1),
        HostState::Degraded(reason) => ('!', "degraded", reason, 0),
        HostState::Unseen => ('o', "not asked", "", 5),
        HostState::Ok if !host.active => ('o', "out", "out of service: takes no new procs", 5),
        HostState::Ok => ('*', "ok", "", 4),
    }
}

pub fn host(look: &Look, now_ms: i64, name: &str) -> Option<Cells> {
    let debts = look.lists.debts.get(name).map_or(0, Vec::len);
    let Some(host) = find::host(look, name) else {
        let known = look.hosts.iter().find(|host| host.name == name)?;
        let mut cells: Vec<Cell> = vec![format!(" {}", known.name).into(), "not asked".into()];
        cells.extend((2..7).map(|_| Cell::from("-")));
        cells.extend([Cell::count(debts), "".into(), known.squad.clone().into(), known.address.clone().into(), "-".into()]);
        let about = About { state: "not asked".into(), host: name.into(), squad: known.squad.clone(), ..About::default() };
        return Some(Cells::new('o', 5, cells, about));
    };
    let (glyph, state, note, rank) = host_state(host);
    let held = look.holds.iter().find(|hold| hold.on == crate::model::hold::HoldOn::Host && hold.object == name);
    let note = match held {
        Some(hold) if note.is_empty() => format!("HELD {}", hold.who),
        _ => note.to_string(),
    };
    let number = |amount: Option<u64>| Cell {
        text: amount.map_or_else(|| "-".into(), bytes),
        number: Some(amount.map_or(-1, |amount| i64::try_from(amount).unwrap_or(i64::MAX))),
    };
    let load = host.load.map_or_else(|| "-".into(), |load| format!("{load:.1}"));
    let cells = vec![
        format!(" {}", host.name).into(),
        Cell::of(state, i64::from(rank)),
        Cell::count(host.procs.len()),
        Cell::of(load, host.load.map_or(-1, |load| (load * 100.0) as i64)),
        number(host.memory_free),
        number(host.disk_free),
        Cell { text: seen(now_ms, host.seen_ms), number: Cell::age(now_ms, host.seen_ms).number },
        Cell { text: if debts == 0 { "-".into() } else { debts.to_string() }, number: Cell::count(debts).number },
        note.into(),
        host.squad.clone().into(),
        host.address.clone().into(),
        number(host.memory_total),
    ];
    let about = About { state: state.into(), host: name.into(), squad: host.squad.clone(), at_ms: host.seen_ms, ..About::default() };
    Some(Cells::new(glyph, if debts > 0 { rank.min(2) } else { rank }, cells, about))
}

/// What is known of a squad's hosts: how many there are, how many are well, their procs and free memory.
struct Sum {
    hosts: usize,
    ok: usize,
    worst: Option<(char, &'static str, u8)>,
    procs: usize,
    memory_free: u64,
}

fn sum(look: &Look, name: &str) -> Sum {
    let known = look.hosts.iter().filter(|host| host.squad == name).map(|host| host.name.as_str());
    let seen_names = look.world.hosts.values().filter(|host| host.squad == name).map(|host| host.name.as_str());
    let names: std::collections::BTreeSet<&str> = known.chain(seen_names).collect();
    let hosts: Vec<_> = names.iter().filter_map(|host| find::host(look, host)).collect();
    let states = hosts.iter().map(|host| host_state(host)).map(|(glyph, word, _, rank)| (glyph, word, rank));
    Sum {
        hosts: names.len(),
        ok: hosts.iter().filter(|host| host.is_ok()).count(),
        worst: states.min_by_key(|(_, _, rank)| *rank),
        procs: hosts.iter().map(|host| host.procs.len()).sum(),
        memory_free: hosts.iter().filter_map(|host| host.memory_free).sum(),
    }
}

/// The line over a squad's hosts.
pub fn squad_head(look: &Look, name: &str) -> Cells {
    let sum = sum(look, name);
    let label = if name.is_empty() { "no squad" } else { name };
    let mut cells: Vec<Cell> = vec![label.into(), format!("{}/{} ok", sum.ok, sum.hosts).into(), Cell::count(sum.procs)];
    cells.extend((3..8).map(|_| Cell::from("")));
    cells.push("squad".into());
    cells.extend((9..12).map(|_| Cell::from("")));
    let about = About { state: "squad".into(), squad: name.into(), ..About::default() };
    Cells { glyph: ' ', role: Some(Role::Title), cells, about, rank: 0 }
}

/// A squad in the list of squads.
pub fn squad(look: &Look, now_ms: i64, name: &str) -> Cells {
    let sum = sum(look, name);
    let (glyph, state, rank) = sum.worst.unwrap_or(('o', "empty", 5));
    let swarms: Vec<&SwarmLook> = look.swarms.iter().filter(|swarm| swarm.squad == name).collect();
    let held = look.holds.iter().find(|hold| hold.on == crate::model::hold::HoldOn::Squad && hold.object == name);
    let saved = look.squads.iter().find(|squad| squad.name == name).and_then(|squad| look.lists.saved.get(squad.id.as_ref()?));
    let cells = vec![
        name.into(),
        Cell::of(state, i64::from(rank)),
        Cell::of(format!("{}/{}", sum.ok, sum.hosts), sum.ok as i64 - sum.hosts as i64),
        Cell::count(swarms.len()),
        Cell::count(sum.procs),
        Cell::of(bytes(sum.memory_free), i64::try_from(sum.memory_free).unwrap_or(i64::MAX)),
        held.map_or_else(|| "-".into(), |hold| format!("HELD {}", hold.who)).into(),
        saved.map_or_else(|| "-".into(), |saved| or_dash(&saved.who)).into(),
        Cell::age(now_ms, saved.map_or(0, |saved| saved.at_ms)),
    ];
    Cells::new(glyph, rank, cells, About { state: state.into(), squad: name.into(), ..About::default() })
}

pub fn proc(look: &Look, proc: &Proc) -> Cells {
    let reached = find::host(look, &proc.host).is_some_and(|host| !matches!(host.state, HostState::Unreachable(_) | HostState::Unseen));
    let glyph = proc_glyph(proc, reached);
    let state = if reached { proc.state.word() } else { "not seen" };
    let up = proc.uptime();
    let restarts = look.lists.restarts.get(&format!("{}/{}", proc.host, proc.name)).copied().unwrap_or(0);
    let swarm = proc.swarm.as_deref().and_then(|name| look.swarms.iter().find(|swarm| swarm.name == name));
    let cells = vec![
        who_of(look, proc).into(),
        proc.host.clone().into(),
        Cell::of(proc.port.map_or_else(|| "-".into(), |port| port.to_string()), proc.port.map_or(-1, i64::from)),
        state.into(),
        or_dash(&proc.version).into(),
        or_dash(proc.release.get(..6).unwrap_or(&proc.release)).into(),
        Cell::of(proc.pid.map_or_else(|| "-".into(), |pid| pid.to_string()), proc.pid.map_or(-1, i64::from)),
        Cell::of(if up > 0 { age(up * 1000 + 1, 1) } else { "-".into() }, up),
        match proc.routed {
            Some(true) => "yes",
            Some(false) => "no",
            None => "-",
        }
        .into(),
        Cell::of(proc.cpu_percent.map_or_else(|| "-".into(), |percent| format!("{percent}%")), proc.cpu_percent.map_or(-1, i64::from)),
        Cell::of(
            proc.rss_bytes.map_or_else(|| "-".into(), bytes),
            proc.rss_bytes.map_or(-1, |held| i64::try_from(held).unwrap_or(i64::MAX)),
        ),
        Cell::of(if restarts > 0 { restarts.to_string() } else { "-".into() }, i64::from(restarts)),
        uptest_word(look, proc).into(),
        proc.owner.word().into(),
        proc.name.clone().into(),
    ];
    let about = About {
        state: state.into(),
        host: proc.host.clone(),
        app: proc.app.clone(),
        squad: find::host(look, &proc.host).map(|host| host.squad.clone()).unwrap_or_default(),
        swarm: swarm.map(|swarm| swarm.short.clone()).unwrap_or_default(),
        version: proc.version.clone(),
        kind: proc.owner.word().into(),
        ..About::default()
    };
    Cells::new(glyph, proc_rank(glyph, proc.owner), cells, about)
}

/// What the last run of its swarm's uptests by hand said of a proc.
fn uptest_word(look: &Look, proc: &Proc) -> &'static str {
    let swarm = proc.stamp.as_ref().map(|stamp| stamp.swarm.as_str()).unwrap_or_default();
    let Some(run) = look.lists.uptests.iter().find(|run| !swarm.is_empty() && run.swarm_id == swarm) else { return "-" };
    let mut reports = run.reports.iter().filter(|report| report.host == proc.host && report.proc == proc.name).peekable();
    match (reports.peek().is_some(), reports.all(|report| report.passed)) {
        (false, _) => "-",
        (true, true) => "ok",
        (true, false) => "FAILED",
    }
}
