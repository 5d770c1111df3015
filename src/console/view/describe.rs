//! Describe: everything that is known of an object. Why: what is wrong, the evidence, and the next verb.

use super::{Pen, header, layout};
use crate::console::rows::cells::dispatch_state;
use crate::console::rows::find;
use crate::console::rows::text::{age, bytes, or_dash, span};
use crate::console::state::{State, TextKind};
use crate::console::theme::Role;
use crate::deck::look::{Look, SwarmLook, SwarmState, Target};
use crate::deck::why::of_look;
use crate::model::protect::{Protected, Touched};
use crate::model::record::StepState;
use crate::model::stray::Stray;
use crate::model::world::{HostState, PoolSeen, Proc};
use ratatui::layout::Position;

/// A line of text with its meaning.
#[derive(Debug, Clone)]
pub struct Line {
    pub role: Role,
    pub text: String,
}

pub(super) fn line(text: impl Into<String>) -> Line {
    Line { role: Role::Text, text: text.into() }
}
pub(super) fn title(text: &str) -> Line {
    Line { role: Role::Title, text: text.into() }
}
pub(super) fn fact(name: &str, value: impl AsRef<str>) -> Line {
    line(format!("  {name:<14}{}", or_dash(value.as_ref())))
}
pub(super) fn wrong(text: impl Into<String>) -> Line {
    Line { role: Role::Wrong, text: format!("! {}", text.into()) }
}

/// Draws the screen.
pub fn draw(pen: &mut Pen<'_>, state: &State, kind: TextKind, target: &Target, top: usize) -> Option<Position> {
    let word = match kind {
        TextKind::Why => "WHY",
        TextKind::Describe => "DESCRIBE",
        TextKind::Report => "REPORT",
    };
    header::draw(pen, state, &format!("{word} {} {}", find::kind(target), find::name(&state.look, target)));
    let body = layout::body(pen.area);
    let lines = lines(state, kind, target);
    for (y, line) in (body.y..body.bottom()).zip(lines.iter().skip(top)) {
        pen.text(body.x + 1, y, body.width.saturating_sub(1), &line.text, line.role);
    }
    if lines.len() > top + usize::from(body.height) {
        let more = format!("{} more below", lines.len() - top - usize::from(body.height));
        pen.right(body.x, body.bottom(), body.width, &more, Role::Dim);
    }
    Some(Position::new(body.x, body.y))
}

/// A line of a report: headings begin with a word in capitals.
fn reported(text: &str) -> Line {
    let heading = text.split(' ').next().is_some_and(|word| word.len() > 3 && word.chars().all(|c| c.is_ascii_uppercase()));
    let bad = ["FAILED", "LOST", "OWED", "BEGUN, NOT ENDED"].iter().any(|word| text.starts_with("    ") && text.contains(word));
    let role = if heading {
        Role::Title
    } else if bad {
        Role::Wrong
    } else {
        Role::Text
    };
    Line { role, text: text.to_string() }
}

/// The lines of a text screen.
pub fn lines(state: &State, kind: TextKind, target: &Target) -> Vec<Line> {
    let look = &state.look;
    let now = state.now_ms;
    if !find::exists(look, target) {
        return vec![Line { role: Role::Dim, text: "It is gone.".into() }];
    }
    if kind == TextKind::Report {
        return match &state.report {
            Some((of, lines)) if of == target => lines.iter().map(|text| reported(text)).collect(),
            _ => vec![Line { role: Role::Dim, text: "it is put together ...".into() }],
        };
    }
    if let (TextKind::Why, Some((of, lines))) = (kind, &state.why)
        && of == target
    {
        return lines.iter().map(|text| answered(text)).collect();
    }
    let mut lines = match (kind, target) {
        (TextKind::Why, Target::Swarm(id)) => find::swarm(look, id).map(|swarm| why_swarm(look, now, swarm)).unwrap_or_default(),
        (TextKind::Why, Target::Proc(host, name)) => find::proc(look, host, name).map(|proc| why_proc(look, proc)).unwrap_or_default(),
        (TextKind::Why, Target::Host(name)) => why_host(look, now, name),
        (TextKind::Why, Target::Dispatch(id)) => why_dispatch(look, id),
        (TextKind::Why, other) if let Some(why) = of_look(look, other) => why.lines().iter().map(|text| answered(text)).collect(),
        (_, Target::Swarm(id)) => find::swarm(look, id).map(|swarm| swarm_lines(look, now, swarm)).unwrap_or_default(),
        (_, Target::Proc(host, name)) => find::proc(look, host, name).map(proc_lines).unwrap_or_default(),
        (_, Target::Host(name)) => host_lines(look, now, name),
        (_, Target::Squad(name)) => squad_lines(look, now, name),
        (_, Target::Build(id)) => build_lines(look, id),
        (_, Target::Dispatch(id)) => dispatch_lines(look, id),
        (_, Target::Ingredient(id)) => ingredient_lines(look, now, id),
        (_, Target::Event(seq)) => event_lines(look, *seq),
        (_, Target::Stray(place, name)) => find::stray(look, place, name).map(|stray| stray_lines(state, stray)).unwrap_or_default(),
        (_, other) => super::describe_lists::lines(state, other),
    };
    if kind == TextKind::Describe
        && let Some(by) = protected(look, target)
    {
        lines.insert(lines.len().min(1), fact("protected", format!("{}: its name is asked for", by.line())));
    }
    let names = if matches!(target, Target::Audit(_)) { Vec::new() } else { find::aliases(look, target) };
    let last: Vec<_> =
        look.events.iter().filter(|event| names.iter().any(|name| event.place == *name || event.run == *name)).take(12).collect();
    if !last.is_empty() && !matches!(target, Target::Event(_)) {
        lines.push(line(""));
        lines.push(title("LATEST"));
        lines.extend(
            last.iter().map(|event| line(format!("  {} {:<5} {}", look.times.clock(event.at_ms), or_dash(&event.who), event.what))),
        );
    }
    lines
}

/// What protects an object.
fn protected<'l>(look: &'l Look, target: &Target) -> Option<&'l Protected> {
    let mut touched = Touched::default();
    match target {
        Target::Swarm(id) => drop(touched.swarms.insert(id.clone())),
        Target::Host(name) => touched.place(name),
        Target::Balancer(name) => drop(touched.balancers.insert(name.clone())),
        Target::Proc(host, name) => {
            touched.place(host);
            let of = find::proc(look, host, name).and_then(|proc| proc.swarm.as_ref());
            touched.swarms.extend(look.swarms.iter().filter(|swarm| of == Some(&swarm.name)).map(|swarm| swarm.id.clone()));
        }
        Target::Squad(name) => touched.hosts.extend(look.hosts.iter().filter(|host| host.squad == *name).map(|host| host.name.clone())),
        _ => {}
    }
    look.protection.over(&touched)
}

/// A line of the deck's own answer.
fn answered(text: &str) -> Line {
    let role = match text.split(' ').next() {
        Some("CAUSE") => Role::Wrong,
        Some("ALSO" | "CHANGED" | "LIVES" | "NEXT") => Role::Title,
        _ => Role::Text,
    };
    Line { role, text: text.to_string() }
}

fn why_swarm(look: &Look, now: i64, swarm: &SwarmLook) -> Vec<Line> {
    let mut lines = Vec::new();
    let procs: Vec<&Proc> = swarm.procs.iter().filter_map(|(host, name)| find::proc(look, host, name)).collect();
    let bad: Vec<&&Proc> = procs.iter().filter(|proc| proc.state.is_bad()).collect();
    let verdict = match swarm.state {
        SwarmState::Ok => line(format!("It is well: {} of {} procs run {}.", swarm.ready, swarm.size, or_dash(&swarm.running))),
        SwarmState::Off => line("Its size is 0: nothing is meant to run."),
        SwarmState::New => line("It was written down and never dispatched."),
        SwarmState::Moving => line("A dispatch is under way."),
        SwarmState::Failing => wrong(format!("{} of {} procs die or do not start.", bad.len(), swarm.size)),
        SwarmState::Lost => wrong("Procs are on hosts that cannot be reached; what they do now is not known."),
        SwarmState::Short => wrong(format!("{} of {} procs run, and no dispatch is under way.", swarm.ready, swarm.size)),
    };
    lines.push(verdict);
    for need in look.needs.iter().filter(|need| need.target == Target::Swarm(swarm.id.clone())) {
        lines.push(line(format!("{} {}  ({})", need.glyph, need.text, age(now, need.since_ms))));
    }
    for proc in &bad {
        lines.push(line(""));
        lines.extend(why_proc(look, proc));
    }
    if !swarm.not_live.is_empty() {
        lines.push(line(""));
        lines.push(line(format!("Not live yet: {}  (by {}, {})", swarm.not_live, or_dash(&swarm.who_changed), age(now, swarm.changed_ms))));
    }
    lines.push(line(""));
    lines.push(title("NEXT"));
    lines.push(line(match swarm.state {
        SwarmState::Failing => "  l log of the first bad proc   .b roll back   e edit config",
        SwarmState::Lost => "  3 hosts, then w on the one that is lost   .d dispatch places procs anew",
        SwarmState::Short | SwarmState::New => "  .d dispatch",
        SwarmState::Moving => "  6 dispatches, enter on the one under way",
        SwarmState::Ok | SwarmState::Off => "  .d dispatch   .= size   e edit config",
    }));
    lines
}

fn why_proc(look: &Look, proc: &Proc) -> Vec<Line> {
    let mut lines = Vec::new();
    let place = format!("{} on {}{}", proc.name, proc.host, proc.port.map(|port| format!(" :{port}")).unwrap_or_default());
    if let Some(HostState::Unreachable(reason)) = find::host(look, &proc.host).map(|host| &host.state) {
        lines.push(Line { role: Role::Unseen, text: format!("? {place} is not seen: {} cannot be reached, {reason}", proc.host) });
    } else if proc.state.is_bad() {
        let exit = proc.exit_status.map(|status| format!(", exit {status}")).unwrap_or_default();
        lines.push(wrong(format!("{place} is {}{exit}", proc.state.word())));
        if !proc.spawn_error.is_empty() {
            lines.push(line(format!("  {}", proc.spawn_error)));
        }
        if !proc.description.is_empty() {
            lines.push(line(format!("  Supervisor: {}", proc.description)));
        }
        lines.push(line("  Its log says more: l"));
    } else {
        lines.push(line(format!("{place} is {}, up {}", proc.state.word(), span(proc.uptime() * 1000))));
    }
    lines
}

fn why_host(look: &Look, now: i64, name: &str) -> Vec<Line> {
    let Some(host) = find::host(look, name) else { return vec![line("It was never asked.")] };
    match &host.state {
        HostState::Unreachable(reason) => vec![
            Line { role: Role::Unseen, text: format!("? It cannot be reached: {reason}") },
            line(format!("  last seen {} ago, {}", age(now, host.seen_ms), look.times.full(host.seen_ms))),
            line(format!("  {} procs on it are not seen; they are left in their pools and not moved", host.procs.len())),
            line(""),
            title("NEXT"),
            line("  ^r observe now   .j check   .d on a swarm places procs anew"),
        ],
        HostState::Degraded(reason) => {
            vec![wrong(format!("Reached, but: {reason}")), line(""), title("NEXT"), line("  .j check   .p provision")]
        }
        HostState::Unseen => vec![line("It was not asked yet.")],
        HostState::Ok if !host.active => vec![line("Out of service: its procs run on, it takes no new ones.")],
        HostState::Ok => vec![line(format!("It is well; seen {} ago.", age(now, host.seen_ms)))],
    }
}

fn why_dispatch(look: &Look, id: &str) -> Vec<Line> {
    let Some(dispatch) = find::dispatch(look, id) else { return Vec::new() };
    let (glyph, state) = dispatch_state(dispatch);
    let mut lines = vec![line(format!("{glyph} {state}"))];
    if let Some(fault) = &dispatch.fault {
        lines.push(wrong(fault.line()));
    }
    for step in dispatch.steps.iter().filter(|step| step.state == StepState::Failed) {
        lines.push(wrong(format!("{} {}: {}", step.phase.word(), step.place, or_dash(&step.detail))));
    }
    lines.extend(dispatch.debts.iter().map(|debt| line(format!("  owed on {}: {}", debt.host, debt.what))));
    lines
}

fn swarm_lines(look: &Look, now: i64, swarm: &SwarmLook) -> Vec<Line> {
    let mut lines = vec![
        title(&swarm.name),
        fact("state", format!("{} {}  {}/{} ready", swarm.state.glyph(), swarm.state.word(), swarm.ready, swarm.size)),
        fact("version", format!("wanted {}  running {}", or_dash(&swarm.version), or_dash(&swarm.running))),
        fact("release", &swarm.release),
        fact("not live yet", &swarm.not_live),
        fact("app", &swarm.app),
        fact("config", &swarm.config_name),
        fact("proc", &swarm.proc_name),
        fact("squad", &swarm.squad),
        fact("pool", if swarm.pool.is_empty() { String::new() } else { format!("{}@{}", swarm.pool, swarm.balancer) }),
        fact("ingredients", swarm.ingredients.join(", ")),
        fact("changed", format!("by {} {}", or_dash(&swarm.who_changed), age(now, swarm.changed_ms))),
        line(""),
        title("PROCS"),
    ];
    lines.extend(swarm.procs.iter().map(|(host, name)| {
        let state = find::proc(look, host, name).map_or("gone", |proc| proc.state.word());
        line(format!("  {host:<14} {state:<9} {name}"))
    }));
    if let Some(seen) = look.world.pool(&swarm.balancer, &swarm.pool) {
        lines.push(line(""));
        lines.push(title("POOL"));
        lines.extend(pool_lines(seen));
        lines.extend(seen.trouble.iter().map(wrong));
    }
    lines
}

/// Host by host: what it holds, and what of it is not as it should be.
pub(super) fn pool_lines(seen: &PoolSeen) -> Vec<Line> {
    let mut lines = Vec::new();
    for host in &seen.hosts {
        let state = match (&host.away, &host.owed) {
            (Some(why), _) => format!("away: {why}"),
            (None, Some(what)) => format!("does not count: {what}"),
            (None, None) => String::new(),
        };
        lines.push(if state.is_empty() { line(format!("  {}", host.host)) } else { wrong(format!("  {}  {state}", host.host)) });
        for (node, state) in &host.nodes {
            let connections = host.connections.get(node).map(|count| format!("  {count} connections")).unwrap_or_default();
            lines.push(line(format!("    {node:<21} {:<8}{connections}", state.word())));
        }
        if let Some(edit) = &host.edited_by_hand {
            lines.push(wrong(format!("    edited by hand: {}; .f goes back", edit.what)));
            lines.extend(edit.difference.lines().map(|text| line(format!("      {text}"))));
        }
    }
    lines
}

fn proc_lines(proc: &Proc) -> Vec<Line> {
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    let stamp = proc.stamp.clone().unwrap_or_default();
    vec![
        title(&proc.name),
        fact("host", &proc.host),
        fact("state", proc.state.word()),
        fact("owner", format!("{}{}", proc.owner.word(), proc.foreign_of.as_ref().map(|of| format!(" of {of}")).unwrap_or_default())),
        fact("swarm", proc.swarm.clone().unwrap_or_default()),
        fact("port", number(proc.port.map(u32::from))),
        fact("pid", number(proc.pid)),
        fact("up", if proc.uptime() > 0 { span(proc.uptime() * 1000) } else { String::new() }),
        fact("version", &proc.version),
        fact("release", &proc.release),
        fact("routed", proc.routed.map(|routed| if routed { "yes" } else { "no" }).unwrap_or_default()),
        fact("exit", proc.exit_status.map(|status| status.to_string()).unwrap_or_default()),
        fact("spawn error", &proc.spawn_error),
        fact("supervisor", &proc.description),
        fact("installation", stamp.installation),
        fact("dispatch", stamp.dispatch),
        fact("instance", stamp.instance),
    ]
}

fn stray_lines(state: &State, stray: &Stray) -> Vec<Line> {
    let (look, now) = (&state.look, state.now_ms);
    let mut lines = vec![
        title(&stray.name),
        fact("kind", stray.kind.word()),
        fact("place", &stray.place),
        fact("port", stray.port.map(|port| format!("{port}, counted as used")).unwrap_or_default()),
        fact("whose", &stray.whose),
        fact(
            "since",
            if stray.since_ms > 0 {
                format!("{} ago, {}", age(now, stray.since_ms), look.times.full(stray.since_ms))
            } else {
                String::new()
            },
        ),
        fact("known", if stray.ignored { "yes: it is no trouble" } else { "no" }),
        line(""),
        title("EVIDENCE"),
    ];
    let width = usize::from(state.size.0.saturating_sub(4)).max(20);
    let evidence = stray.evidence.iter().flat_map(|evidence| super::footer::wrap(evidence, width));
    lines.extend(evidence.map(|evidence| line(format!("  {evidence}"))));
    lines.push(line(""));
    lines.push(title("NEXT"));
    let verbs = [
        ("adopt", ".a adopt"),
        ("retire", ".q retire"),
        ("ignore", if stray.ignored { ".i take back that it is known" } else { ".i ignore, known" }),
    ];
    let can: Vec<&str> = verbs.iter().filter(|(verb, _)| stray.can(verb)).map(|(_, words)| *words).collect();
    lines.push(line(format!("  {}", can.join("   "))));
    if let Some(proc) = find::proc(look, &stray.place, &stray.name) {
        lines.push(line(""));
        lines.push(title("PROC"));
        lines.extend(proc_lines(proc).into_iter().skip(1));
    }
    lines
}

fn host_lines(look: &Look, now: i64, name: &str) -> Vec<Line> {
    let mut lines = vec![title(name)];
    if let Some(known) = look.hosts.iter().find(|host| host.name == name) {
        let user = known.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let port = known.port.map(|port| format!(":{port}")).unwrap_or_default();
        lines.push(fact("squad", &known.squad));
        lines.push(fact("reached by", format!("{:?} {user}{}{port}", known.transport, known.address).to_lowercase()));
        lines.push(fact("becomes root", format!("{:?}", known.become_).to_lowercase()));
        lines.push(fact("root", &known.root));
        lines.push(fact("ports", known.ports.to_string()));
        lines.push(fact("in service", if known.active { "yes" } else { "no" }));
        lines.push(fact("supervisor", format!("{}  {}", known.supervisor.socket, known.supervisor.conf)));
    }
    let Some(host) = find::host(look, name) else { return lines };
    let amount = |amount: Option<u64>| amount.map(bytes).unwrap_or_default();
    lines.extend([
        fact("seen", format!("{} ago, {}", age(now, host.seen_ms), look.times.full(host.seen_ms))),
        fact("address", &host.address),
        fact("load", host.load.map(|load| format!("{load:.2}")).unwrap_or_default()),
        fact("memory", format!("{} free of {}", amount(host.memory_free), amount(host.memory_total))),
        fact("disk free", amount(host.disk_free)),
        fact("builds", format!("{} held", host.builds.len())),
        fact("installation", host.installation.clone().unwrap_or_default()),
        line(""),
    ]);
    if let Some(debts) = look.lists.debts.get(name) {
        lines.push(title(&format!("OWED TO IT {}", debts.len())));
        lines.extend(debts.iter().map(|(number, debt)| wrong(format!("dispatch {number}: {}", debt.what))));
        lines.push(line(""));
    }
    lines.push(title(&format!("PROCS {}", host.procs.len())));
    lines.extend(host.procs.iter().map(|proc| line(format!("  {:<9} {:<8} {}", proc.state.word(), proc.owner.word(), proc.name))));
    lines
}

fn squad_lines(look: &Look, now: i64, name: &str) -> Vec<Line> {
    let known = look.hosts.iter().filter(|host| host.squad == name).map(|host| (host.name.as_str(), host.address.as_str()));
    let seen = look.world.hosts.values().filter(|host| host.squad == name).map(|host| (host.name.as_str(), host.address.as_str()));
    let hosts: std::collections::BTreeMap<&str, &str> = seen.chain(known).collect();
    let saved = look.squads.iter().find(|squad| squad.name == name).and_then(|squad| look.lists.saved.get(squad.id.as_ref()?));
    let mut lines = vec![
        title(name),
        fact("saved", saved.map(|saved| format!("by {} {} ago", or_dash(&saved.who), age(now, saved.at_ms))).unwrap_or_default()),
        line(""),
        title(&format!("HOSTS {}", hosts.len())),
    ];
    lines.extend(hosts.iter().map(|(host, address)| {
        let state = find::host(look, host).map_or("not asked", |seen| crate::console::rows::cells::host_state(seen).1);
        line(format!("  {state:<12} {host:<20} {address}"))
    }));
    let swarms: Vec<_> = look.swarms.iter().filter(|swarm| swarm.squad == name).collect();
    lines.push(line(""));
    lines.push(title(&format!("SWARMS {}", swarms.len())));
    lines.extend(swarms.iter().map(|swarm| line(format!("  {:<9} {}/{}  {}", swarm.state.word(), swarm.ready, swarm.size, swarm.short))));
    lines
}

fn build_lines(look: &Look, id: &str) -> Vec<Line> {
    let Some(found) = find::build(look, id) else { return Vec::new() };
    let build = &found.build;
    let mut lines = vec![
        title(&format!("{} {}", build.app, build.version)),
        fact("state", found.status.word()),
        fact("error", &build.error),
        fact("commit", &build.commit),
        fact("identity", &build.identity),
        fact("artifact", &build.artifact),
        fact("size", bytes(build.size)),
        fact("buildpack", format!("{} {}", build.buildpack_url, build.buildpack_commit)),
        fact("sandboxed", if build.sandboxed { "yes" } else { "no: it could reach this machine" }),
        fact("started", look.times.full(build.started_ms)),
        fact("ended", look.times.full(build.ended_ms)),
        fact("asked by", &build.by),
        line(""),
        title("PROCFILE"),
    ];
    lines.extend(build.procfile.iter().map(|(name, command)| line(format!("  {name}: {command}"))));
    lines
}

fn dispatch_lines(look: &Look, id: &str) -> Vec<Line> {
    let Some(dispatch) = find::dispatch(look, id) else { return Vec::new() };
    let (glyph, state) = dispatch_state(dispatch);
    let mut lines = vec![
        title(&format!("dispatch {} of {}", dispatch.number, dispatch.swarm)),
        fact("state", format!("{glyph} {state}")),
        fact("verb", &dispatch.verb),
        fact("version", format!("{} -> {}", or_dash(&dispatch.from_version), dispatch.to_version)),
        fact("release", format!("{} -> {}", or_dash(&dispatch.from_release), dispatch.to_release)),
        fact("by", &dispatch.who),
        fact("why", &dispatch.why),
        fact("started", look.times.full(dispatch.started_ms)),
        fact("ended", look.times.full(dispatch.ended_ms)),
        fact("carried by", &dispatch.holder),
    ];
    lines.extend(dispatch.fault.iter().map(|fault| wrong(fault.line())));
    lines.extend(dispatch.debts.iter().map(|debt| line(format!("  owed on {}: {}", debt.host, debt.what))));
    lines.push(line(""));
    lines.push(title("STEPS"));
    for step in &dispatch.steps {
        let took = if step.ended_ms > 0 { span(step.ended_ms - step.started_ms) } else { "-".into() };
        let text = format!(
            "  {:<11} {:<16} {:<8} {:>6}  {}",
            step.phase.word(),
            or_dash(&step.place),
            format!("{:?}", step.state).to_lowercase(),
            took,
            step.detail
        );
        lines.push(if step.state == StepState::Failed { Line { role: Role::Wrong, text } } else { line(text) });
    }
    lines
}

fn ingredient_lines(look: &Look, now: i64, id: &str) -> Vec<Line> {
    let Some(found) = find::ingredient(look, id) else { return Vec::new() };
    let mut lines = vec![
        title(&found.name),
        fact("keys", found.keys.to_string()),
        fact("saved", format!("by {} {}", or_dash(&found.who_changed), age(now, found.changed_ms))),
        line(""),
        title(&format!("USED BY {}", found.used_by.len())),
    ];
    lines.extend(found.used_by.iter().map(|name| line(format!("  {name}"))));
    lines
}

fn event_lines(look: &Look, seq: i64) -> Vec<Line> {
    let Some(event) = find::event(look, seq) else { return Vec::new() };
    vec![
        title(&format!("event {}", event.seq)),
        fact("when", look.times.full(event.at_ms)),
        fact("who", &event.who),
        fact("kind", &event.kind),
        fact("about", &event.place),
        fact("run", &event.run),
        fact("result", &event.result),
        fact("why", &event.why),
        line(""),
        line(event.what.clone()),
    ]
}
