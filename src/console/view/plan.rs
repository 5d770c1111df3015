//! The plan screen (`screens/plan.txt`): exactly what will be done; Cancel has the focus.

use super::footer::wrap;
use super::{Pen, header, layout};
use crate::console::rows::find;
use crate::console::rows::text::{bytes, or_dash, span};
use crate::console::state::{PlanFocus, PlanLayer, State};
use crate::console::theme::Role;
use crate::model::hold::HoldOn;
use crate::model::protect::Protected;
use crate::plan::{HostLine, KeyChange, Plan};
use ratatui::layout::{Position, Rect};

/// Draws it: being made, refused, or shown.
pub fn draw(pen: &mut Pen<'_>, state: &State, layer: &PlanLayer) -> Option<Position> {
    match &layer.plan {
        Some(Ok(plan)) if layer.waits_since.is_none() => shown_plan(pen, state, layer, plan),
        other => {
            let name = find::name(&state.look, &crate::deck::look::Target::Swarm(layer.swarm.clone()));
            header::draw(pen, state, &format!("PLAN {name}"));
            let body = layout::body(pen.area);
            let mut y = body.y + 1;
            if let Some(Err(fault)) = other {
                for line in wrap(&format!("! {}", fault.line()), usize::from(body.width.saturating_sub(2).max(1))) {
                    pen.text(body.x + 1, y, body.width.saturating_sub(1), &line, Role::Wrong);
                    y += 1;
                }
                pen.text(body.x + 1, y + 1, body.width.saturating_sub(1), "Nothing was changed.", Role::Text);
                y += 3;
            } else if let Some(since) = layer.waits_since {
                let text = format!("~ Waiting till nobody else is at it; esc stops the waiting.  {}", span(state.now_ms - since));
                pen.text(body.x + 1, y, body.width.saturating_sub(1), &text, Role::Moving);
                y += 2;
            } else {
                let text = format!("~ Making the plan: version, build, release, hosts.  {}", span(state.now_ms - layer.started_ms));
                pen.text(body.x + 1, y, body.width.saturating_sub(1), &text, Role::Moving);
                y += 2;
            }
            let room = usize::from(body.bottom().saturating_sub(y));
            let skip = layer.progress.len().saturating_sub(room);
            for line in layer.progress.iter().skip(skip) {
                let text: String =
                    super::ansi::spans(&line.text, pen.theme.depth, usize::from(body.width)).into_iter().map(|(_, text)| text).collect();
                let end = pen.text(body.x + 1, y, 12, &line.from, Role::Dim);
                pen.text(end + 1, y, body.width, &text, Role::Text);
                y += 1;
            }
            None
        }
    }
}

enum Part {
    Rule(String),
    Text(Role, String),
}

fn shown_plan(pen: &mut Pen<'_>, state: &State, layer: &PlanLayer, plan: &Plan) -> Option<Position> {
    let short = plan.swarm.split('@').next().unwrap_or_default();
    let from = plan.from.as_ref();
    let way = match from {
        Some(from) if from.version != plan.to.version => format!("{} -> {}", or_dash(&from.version), plan.to.version),
        _ => plan.to.version.clone(),
    };
    header::draw(pen, state, &format!("PLAN {} {short}  {way}", plan.verb));
    let body = layout::body(pen.area);
    let wide = layout::is_wide((pen.area.width, pen.area.height));
    pen.text(body.x + 1, body.y, body.width.saturating_sub(1), &summary(plan), Role::Text);

    let mut foot = foot(plan, usize::from(body.width.saturating_sub(7).max(1)));
    let held_at = foot.len();
    foot.extend(held(layer, plan));
    let named_at = foot.len();
    let by = state.protected_of(layer);
    foot.extend(by.map(|by| named(layer, by)));
    // WHY, the buttons, and one line above them.
    let foot_height = (foot.len() as u16 + 2).min(body.height.saturating_sub(3));
    let upper = Rect { y: body.y + 2, height: body.height.saturating_sub(2 + foot_height), ..body };
    let (left, right) = if wide {
        (
            Rect { width: upper.width / 2, ..upper },
            Some(Rect { x: upper.x + upper.width / 2 + 1, width: upper.width - upper.width / 2 - 1, ..upper }),
        )
    } else {
        (upper, None)
    };
    let limit = if layer.all_differences || wide {
        usize::MAX
    } else {
        usize::from(upper.height.saturating_sub(plan.hosts.len() as u16 + 5)).max(2)
    };
    let changes_width = usize::from(right.unwrap_or(upper).width);
    let changes = changes(plan, limit, changes_width, layer.all_differences);
    let place = place(plan);
    if let Some(right) = right {
        parts(pen, left, &place, layer.top);
        parts(pen, right, &changes, 0);
    } else {
        let all: Vec<Part> = changes.into_iter().chain(place).collect();
        let most = all.len().saturating_sub(usize::from(upper.height));
        parts(pen, upper, &all, layer.top.min(most));
        if most > layer.top.min(most) {
            pen.right(
                upper.x,
                upper.bottom().saturating_sub(1),
                upper.width,
                &format!(" {} more below: j", most - layer.top.min(most)),
                Role::Note,
            );
        }
    }
    for (y, (label, text, role)) in (upper.bottom()..body.bottom().saturating_sub(1)).zip(&foot) {
        pen.text(body.x, y, 6, label, Role::Title);
        pen.text(body.x + 6, y, body.width.saturating_sub(6), text, *role);
    }
    let cursor = why_and_buttons(pen, body, layer);
    match layer.focus {
        PlanFocus::Lift => Some(Position::new(body.x + 7, upper.bottom() + held_at as u16)),
        PlanFocus::Name => {
            let before = by.map_or(0, |by| asks(by).chars().count() + 1 + layer.name.cursor);
            Some(Position::new(body.x + 6 + before as u16, upper.bottom() + named_at as u16))
        }
        _ => cursor,
    }
}

/// What holds it, and the tick that lifts it: only the swarm's own hold is lifted from here.
fn held(layer: &PlanLayer, plan: &Plan) -> Vec<(&'static str, String, Role)> {
    let Some(first) = plan.held.iter().max_by_key(|hold| hold.on) else { return Vec::new() };
    let text = format!("by {} \"{}\"", first.who, first.why);
    let role = if layer.focus == PlanFocus::Lift { Role::Focus } else { Role::Warning };
    if first.on == HoldOn::Swarm {
        let tick = if layer.lift { "[x]" } else { "[ ]" };
        vec![("HELD", format!("{tick} lift {} (needed)  {text}", first.name), role)]
    } else {
        vec![("HELD", format!("{} {}, {}; lift it first: .h  {text}", first.on.word(), first.object, first.name), Role::Warning)]
    }
}

fn asks(by: &Protected) -> String {
    format!("{}: y, then type {}", by.line(), by.asked())
}

/// What is protected, and where its name is typed.
fn named(layer: &PlanLayer, by: &Protected) -> (&'static str, String, Role) {
    let role = if layer.focus == PlanFocus::Name { Role::Focus } else { Role::Warning };
    ("NAME", format!("{} {:_<16}", asks(by), layer.name.text), role)
}

fn why_and_buttons(pen: &mut Pen<'_>, body: Rect, layer: &PlanLayer) -> Option<Position> {
    let y = body.bottom().saturating_sub(2);
    let role = |focus: PlanFocus| if layer.focus == focus { Role::Focus } else { Role::Title };
    pen.text(body.x, y, 6, "WHY", role(PlanFocus::Why));
    let width = body.width.saturating_sub(30).max(8);
    let field = format!("{:_<1$}", layer.why.text, usize::from(width));
    // The end of a long reason stays in sight while it is typed.
    let skip = layer.why.cursor.saturating_sub(usize::from(width) - 1);
    let seen: String = field.chars().skip(skip).take(usize::from(width)).collect();
    pen.text(body.x + 6, y, width, &seen, Role::Input);
    pen.text(body.x + 8 + width, y, body.width, "kept in the audit", Role::Dim);
    let y = y + 1;
    let verb = layer.plan.as_ref().and_then(|plan| plan.as_ref().ok()).map_or("dispatch", |plan| plan.verb.as_str());
    let go = if layer.sent { "[ sent ... ]".to_string() } else { format!("[ {verb} ]") };
    let x = body.right().saturating_sub(34).max(body.x);
    let cancel_has_it = layer.focus == PlanFocus::Cancel;
    let (cancel, cancel_role) = if cancel_has_it { ("[[ CANCEL ]]", Role::ButtonFocus) } else { (" [ CANCEL ] ", Role::Button) };
    let (go, go_role) = if layer.focus == PlanFocus::Go { (format!("[{go}]"), Role::ButtonFocus) } else { (go, Role::Button) };
    pen.text(x, y, 12, cancel, cancel_role);
    pen.text(x + 18, y, 16, &go, go_role);
    Some(match layer.focus {
        PlanFocus::Lift | PlanFocus::Name => Position::new(body.x, y),
        PlanFocus::Why => Position::new(body.x + 6 + (layer.why.cursor - skip) as u16, y - 1),
        PlanFocus::Cancel => Position::new(x + 3, y),
        PlanFocus::Go => Position::new(x + 20, y),
    })
}

fn parts(pen: &mut Pen<'_>, area: Rect, parts: &[Part], top: usize) {
    for (y, part) in (area.y..area.bottom()).zip(parts.iter().skip(top)) {
        match part {
            Part::Rule(title) => pen.rule(Rect { y, height: 1, ..area }, title, "", false),
            Part::Text(role, text) => {
                pen.text(area.x, y, area.width, text, *role);
            }
        }
    }
}

fn summary(plan: &Plan) -> String {
    if plan.is_empty() {
        return "Nothing on any host or balancer changes.".into();
    }
    let touched = plan.touched_hosts().len();
    let mut facts = vec![format!("{} procs on {} of {} hosts", plan.size, touched, plan.hosts.len().max(touched))];
    if plan.size != plan.size_before {
        facts.push(format!("size {} -> {}", plan.size_before, plan.size));
    }
    if let Some(pool) = &plan.pool {
        facts.push(format!("pool {}@{}", pool.pool, pool.balancer));
    }
    let six = |id: &str| id.get(..6).unwrap_or(id).to_string();
    facts.push(match &plan.from {
        Some(from) if from.release == plan.to.release => format!("release {} stays", six(&plan.to.release)),
        Some(from) => format!("release {} -> {}", six(&from.release), six(&plan.to.release)),
        None => format!("release {}", six(&plan.to.release)),
    });
    facts.join(" - ")
}

/// One line; with `whole` as many as its values take.
fn change_lines(change: &KeyChange, width: usize, whole: bool) -> Vec<Part> {
    let value = |value: &Option<String>| match value {
        Some(_) if change.secret => "****".to_string(),
        Some(value) => value.clone(),
        None => "(none)".into(),
    };
    let what = if change.secret && change.before.is_some() && change.after.is_some() {
        "**** changes".into()
    } else {
        format!("{} -> {}", value(&change.before), value(&change.after))
    };
    let (role, glyph) = match (&change.before, &change.after) {
        (None, _) => (Role::DiffAdd, '+'),
        (_, None) => (Role::DiffRemove, '-'),
        _ => (Role::Text, ' '),
    };
    // What stands before and after the values: glyph, file and key; the layer.
    let room = width.saturating_sub(28 + 1 + change.layer.chars().count().max(14)).max(12);
    let mut values = if whole { wrap_hard(&what, room) } else { vec![cut(&what, room)] };
    let first = values.remove(0);
    let line = format!(" {glyph} {:<7} {:<16} {first:<room$} {}", change.file, cut(&change.key, 16), change.layer);
    let rest = values.into_iter().map(|text| Part::Text(role, format!("{:28}{text}", "")));
    std::iter::once(Part::Text(role, line)).chain(rest).collect()
}

/// Pieces of at most `width`; there is always one.
fn wrap_hard(text: &str, width: usize) -> Vec<String> {
    let all: Vec<char> = text.chars().collect();
    if all.is_empty() { vec![String::new()] } else { all.chunks(width.max(1)).map(|piece| piece.iter().collect()).collect() }
}

/// What is left out is said to be.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    text.chars().take(width.saturating_sub(2)).chain("..".chars()).collect()
}

fn changes(plan: &Plan, limit: usize, width: usize, whole: bool) -> Vec<Part> {
    let mut parts = Vec::new();
    if !plan.changes.is_empty() {
        parts.push(Part::Rule(format!("ALSO GOES LIVE  keys of config and env: {}", plan.changes.len())));
        let shown = if plan.changes.len() > limit { limit.saturating_sub(1) } else { limit };
        parts.extend(plan.changes.iter().take(shown).flat_map(|change| change_lines(change, width, whole)));
        if plan.changes.len() > limit {
            parts.push(Part::Text(Role::Note, format!("   {} more: = shows all", plan.changes.len() - shown)));
        }
    }
    let same_code = plan.from.as_ref().is_some_and(|from| from.commit == plan.to.commit);
    parts.push(Part::Rule("NEW HERE".into()));
    let commit = plan.to.commit.get(..7).unwrap_or(&plan.to.commit);
    let built = if plan.build_reused { "build reused" } else { "built for this" };
    let code = match &plan.from {
        _ if same_code => format!("   code    {} {commit}, the same as now; {built}", plan.to.version),
        Some(from) => format!(
            "   code    {} {commit}, now {} {}; {built}",
            plan.to.version,
            from.version,
            from.commit.get(..7).unwrap_or(&from.commit)
        ),
        None => format!("   code    {} {commit}, the first that runs; {built}", plan.to.version),
    };
    parts.push(Part::Text(Role::Text, code));
    parts
}

fn ports(ports: &[u16]) -> String {
    match ports {
        [] => "-".into(),
        [first, second] => format!("{first} {second}"),
        [only] => only.to_string(),
        [first, .., last] => format!("{first}..{last}"),
    }
}

fn place(plan: &Plan) -> Vec<Part> {
    let mut parts = vec![
        Part::Rule("WHERE".into()),
        Part::Text(Role::Title, "   HOST    START       RETIRE      IN POOL   MEM FREE   SEND   NOTE".into()),
    ];
    let routed = plan.pool.as_ref().is_some_and(|pool| pool.is_change());
    parts.extend(plan.hosts.iter().map(|host| host_line(host, routed)));
    parts
}

fn host_line(host: &HostLine, routed: bool) -> Part {
    let pool = match (host.start.len(), host.retire.len()) {
        (0, 0) => "-".to_string(),
        _ if !routed => "-".to_string(),
        (start, retire) => format!("+{start} -{retire}"),
    };
    let untouched = host.start.is_empty() && host.retire.is_empty() && host.keep.is_empty();
    let glyph = match (host.warn, untouched) {
        (true, true) => '?',
        (true, false) => '!',
        _ => ' ',
    };
    let keep = if host.keep.is_empty() { String::new() } else { format!("keeps {} ", ports(&host.keep)) };
    let memory = host.memory_free.map_or_else(|| "-".into(), bytes);
    let send = if untouched { "-".into() } else { bytes(host.send) };
    let name = if host.host.chars().count() > 7 { format!("{} ", host.host) } else { format!("{:<8}", host.host) };
    let text = format!(
        " {glyph} {name}{:<11} {:<11} {:<9}{:>9} {:>6}   {keep}{}",
        ports(&host.start),
        ports(&host.retire),
        pool,
        memory,
        send,
        host.note
    );
    Part::Text(if host.warn { Role::Warning } else { Role::Text }, text)
}

fn foot(plan: &Plan, width: usize) -> Vec<(&'static str, String, Role)> {
    let timing = &plan.timing;
    let ms = |ms: u64| span(i64::try_from(ms).unwrap_or(i64::MAX));
    let mut how = Vec::new();
    if plan.listens {
        how.push("port answers".to_string());
    }
    how.push(format!("uptests {}", plan.uptests.len()));
    how.push(format!("settle {}", ms(timing.settle_ms)));
    how.push(format!("drain {}", ms(timing.drain_timeout_ms)));
    how.push(format!("soak {}", ms(timing.soak_ms)));
    let mut foot = vec![("HOW", how.join(", "), Role::Text)];
    foot.extend(plan.form().iter().flat_map(|form| wrap(form, width)).map(|line| ("", line, Role::Text)));
    let back = if plan.back.is_empty() { "exact undo until the first stop of an old proc".to_string() } else { plan.back.clone() };
    let label = |first: bool, label: &'static str| if first { label } else { "" };
    foot.extend(wrap(&back, width).into_iter().enumerate().map(|(number, line)| (label(number == 0, "BACK"), line, Role::Text)));
    for warning in &plan.warnings {
        foot.extend(wrap(warning, width).into_iter().enumerate().map(|(number, line)| (label(number == 0, "!"), line, Role::Warning)));
    }
    foot
}
