//! Verbs on what is written down: delete, note, hosts in and out of service, hosts added.

use super::bulk;
use super::verbs::{button, confirm};
use crate::console::effect::Effect;
use crate::console::rows::find;
use crate::console::state::{Ask, Asks, Confirm, Field, Layer, State};
use crate::deck::look::{Look, Target};
use crate::model::document::Kind;

/// Kind and name of an object that can be deleted, as the deck knows it.
fn object(look: &Look, target: &Target) -> Option<(Kind, String)> {
    Some(match target {
        Target::Swarm(id) => (Kind::Swarm, find::swarm(look, id)?.name.clone()),
        Target::Ingredient(id) => (Kind::Ingredient, find::ingredient(look, id)?.name.clone()),
        Target::App(name) => (Kind::App, name.clone()),
        Target::Buildpack(name) => (Kind::Buildpack, name.clone()),
        Target::Squad(name) => (Kind::Squad, name.clone()),
        Target::Balancer(name) => (Kind::Balancer, name.clone()),
        _ => return None,
    })
}

/// What keeps an object from being deleted: what names it, or the procs that run of it.
fn users(look: &Look, target: &Target) -> Vec<String> {
    let swarms = |uses: &dyn Fn(&crate::deck::look::SwarmLook) -> bool| -> Vec<String> {
        look.swarms.iter().filter(|swarm| uses(swarm)).map(|swarm| format!("swarm {}", find::called(look, swarm))).collect()
    };
    match target {
        Target::App(name) => swarms(&|swarm| swarm.app == *name),
        Target::Squad(name) => swarms(&|swarm| swarm.squad == *name),
        Target::Balancer(name) => swarms(&|swarm| swarm.balancer == *name),
        Target::Ingredient(id) => {
            find::ingredient(look, id).map(|it| it.used_by.iter().map(|swarm| format!("swarm {swarm}")).collect()).unwrap_or_default()
        }
        Target::Buildpack(name) => {
            let pins = look.apps.iter().filter(|app| app.buildpack.as_ref() == Some(name));
            pins.map(|app| format!("app {}", app.name)).collect()
        }
        Target::Swarm(id) => {
            let procs = find::swarm(look, id).map(|swarm| swarm.procs.as_slice()).unwrap_or_default();
            procs.iter().map(|(host, name)| format!("proc {name} on {host}")).collect()
        }
        _ => Vec::new(),
    }
}

/// `.-`: asks; what is used is refused, with the list of what uses it.
pub fn delete(state: &mut State, target: &Target) {
    let Some((kind, name)) = object(&state.look, target) else { return };
    let used = users(&state.look, target);
    if used.is_empty() {
        let lines = vec![
            "Nothing uses it. Its versions stay: u, or its history, writes it down again.".to_string(),
            format!("Nothing on a host is changed; :history {} {name}", kind.word()),
        ];
        let go = button("delete", vec![Effect::Delete { kind, name: name.clone() }]);
        return confirm(state, Confirm::new(format!("Delete {} {name}?", kind.word()), lines, vec![go]));
    }
    let next = match kind {
        Kind::Swarm => "Its procs run: .= to 0 first.",
        _ => "Change or delete those first.",
    };
    let mut lines = vec![format!("! It cannot be deleted: {} use it. {next}", used.len())];
    if kind == Kind::Swarm {
        lines = vec![format!("! It cannot be deleted: {} procs run of it. {next}", used.len())];
    }
    lines.extend(used);
    confirm(state, Confirm::new(format!("{} {name} is used", kind.word()), lines, Vec::new()));
}

/// Several at once; those that are used are left out, and said.
pub fn delete_all(state: &mut State, targets: &[Target]) {
    let (used, free): (Vec<&Target>, Vec<&Target>) = targets.iter().partition(|target| !users(&state.look, target).is_empty());
    let free: Vec<Target> = free.into_iter().cloned().collect();
    let left_out = used.iter().map(|target| {
        let users = users(&state.look, target);
        format!("! left out, {} is used by {}", bulk::called(state, target), users.join(", "))
    });
    let mut means: Vec<String> = left_out.collect();
    means.push("Their versions stay: u writes them down again. Nothing on a host is changed.".into());
    let look = state.look.clone();
    let act = |target: &Target| object(&look, target).map(|(kind, name)| Effect::Delete { kind, name });
    bulk::question(state, "delete", "objects", &free, act, means);
}

/// Kind and name of what a note is about, as the deck takes them.
fn noted(look: &Look, target: &Target) -> Option<(&'static str, String)> {
    match target {
        Target::Host(name) => Some(("host", name.clone())),
        Target::Proc(host, name) => Some(("proc", format!("{host}:{name}"))),
        Target::Dispatch(id) => Some(("dispatch", id.clone())),
        target => object(look, target).map(|(kind, name)| (kind.word(), name)),
    }
}

/// `.#`: asks for the line.
pub fn ask_note(state: &mut State, target: &Target) {
    if noted(&state.look, target).is_none() {
        return;
    }
    let title = format!("Note about {} {}", find::kind(target), find::name(&state.look, target));
    let fields = vec![("note", Field::default())];
    state.layers.push(Layer::Ask(Box::new(Ask { title, asks: Asks::Note(target.clone()), fields, focus: 0 })));
}

/// The line was written: asked once more, since everybody reads it.
pub fn note(state: &mut State, target: &Target, text: &str) {
    let Some((kind, name)) = noted(&state.look, target) else { return };
    let lines = vec![text.to_string(), "Everybody sees it among its events (i) and in the audit.".into()];
    let title = format!("Note about {} {}?", find::kind(target), find::name(&state.look, target));
    let go = button("note it", vec![Effect::Note { kind, name, text: text.into() }]);
    confirm(state, Confirm::new(title, lines, vec![go]));
}

/// `.1` and `.0` on a host.
pub fn service(state: &mut State, host: &str, active: bool) {
    let procs = find::host(&state.look, host).map_or(0, |seen| seen.procs.len());
    let (title, what) = match active {
        true => (format!("{host} in service?"), "New procs may be placed on it.".to_string()),
        false => (format!("{host} out of service?"), format!("No new procs are placed on it; the {procs} that run there go on.")),
    };
    let lines = vec![what, "Its squad's text says so then (active:); u takes it back.".into()];
    let label = if active { "in service" } else { "out of service" };
    let go = button(label, vec![Effect::Service { host: host.into(), active }]);
    confirm(state, Confirm::new(title, lines, vec![go]));
}

/// `.n` and `.c` on a host: asks for the new one's name.
pub fn ask_host(state: &mut State, host: &str, like: bool) {
    let squad = find::host(&state.look, host).map(|seen| seen.squad.clone()).unwrap_or_default();
    let title = if like { format!("Another host like {host}") } else { format!("Another host in squad {squad}") };
    let fields = vec![("name", Field::default()), ("squad", Field::new(&squad))];
    let asks = Asks::HostAdd(if like { host.to_string() } else { String::new() });
    state.layers.push(Layer::Ask(Box::new(Ask { title, asks, fields, focus: 0 })));
}

/// Its name was written.
pub fn add_host(state: &mut State, name: String, squad: String, like: String) {
    let with = if like.is_empty() { String::new() } else { format!(", with the keys of {like}") };
    let lines = vec![format!("{name} is written into squad {squad}{with}."), "It is looked at; nothing on it changes.".into()];
    let title = format!("Add host {name}?");
    let go = button("add", vec![Effect::HostAdd { name, squad, like }]);
    confirm(state, Confirm::new(title, lines, vec![go]));
}
