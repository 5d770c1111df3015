//! Finds an object in a look by its id, and says what people call it.

use crate::deck::look::{BuildLook, IngredientLook, Look, SwarmLook, Target};
use crate::model::record::{Dispatch, Event};
use crate::model::stray::Stray;
use crate::model::world::{HostSeen, Proc};

pub fn swarm<'a>(look: &'a Look, id: &str) -> Option<&'a SwarmLook> {
    look.swarms.iter().find(|swarm| swarm.id == id)
}
pub fn host<'a>(look: &'a Look, name: &str) -> Option<&'a HostSeen> {
    look.world.hosts.get(name)
}
pub fn proc<'a>(look: &'a Look, on: &str, name: &str) -> Option<&'a Proc> {
    host(look, on)?.procs.iter().find(|proc| proc.name == name)
}
pub fn build<'a>(look: &'a Look, id: &str) -> Option<&'a BuildLook> {
    look.builds.iter().find(|build| build.build.id == id)
}
pub fn dispatch<'a>(look: &'a Look, id: &str) -> Option<&'a Dispatch> {
    look.dispatches.iter().find(|dispatch| dispatch.id == id)
}
pub fn ingredient<'a>(look: &'a Look, id: &str) -> Option<&'a IngredientLook> {
    look.ingredients.iter().find(|ingredient| ingredient.id == id)
}
pub fn event(look: &Look, seq: i64) -> Option<&Event> {
    look.events.iter().find(|event| event.seq == seq)
}

pub fn stray<'a>(look: &'a Look, place: &str, name: &str) -> Option<&'a Stray> {
    look.strays.iter().find(|stray| stray.place == place && stray.name == name)
}

/// Whether it is still there.
pub fn exists(look: &Look, target: &Target) -> bool {
    match target {
        Target::Swarm(id) => swarm(look, id).is_some(),
        Target::Host(name) => host(look, name).is_some() || look.hosts.iter().any(|host| host.name == *name),
        Target::Squad(name) => look.squads.iter().any(|squad| squad.name == *name),
        Target::Proc(host, name) => proc(look, host, name).is_some(),
        Target::Build(id) => build(look, id).is_some(),
        Target::Dispatch(id) => dispatch(look, id).is_some(),
        Target::Ingredient(id) => ingredient(look, id).is_some(),
        Target::Event(seq) => event(look, *seq).is_some(),
        Target::Stray(place, name) => stray(look, place, name).is_some(),
        Target::Strays => true,
        Target::Nothing => false,
    }
}

/// What people call it.
pub fn name(look: &Look, target: &Target) -> String {
    match target {
        Target::Swarm(id) => swarm(look, id).map_or_else(|| id.clone(), |swarm| called(look, swarm)),
        Target::Host(name) | Target::Squad(name) => name.clone(),
        Target::Proc(host, name) => format!("{name} on {host}"),
        Target::Build(id) => build(look, id).map_or_else(|| id.clone(), |build| format!("{} {}", build.build.app, build.build.version)),
        Target::Dispatch(id) => dispatch(look, id).map_or_else(|| id.clone(), |dispatch| format!("dispatch {}", dispatch.number)),
        Target::Ingredient(id) => ingredient(look, id).map_or_else(|| id.clone(), |ingredient| ingredient.name.clone()),
        Target::Event(seq) => format!("event {seq}"),
        Target::Stray(place, name) => format!("{name} on {place}"),
        Target::Strays => "strays".into(),
        Target::Nothing => String::new(),
    }
}

/// What kind of thing it is, in one word.
pub fn kind(target: &Target) -> &'static str {
    match target {
        Target::Swarm(_) => "swarm",
        Target::Host(_) => "host",
        Target::Squad(_) => "squad",
        Target::Proc(..) => "proc",
        Target::Build(_) => "build",
        Target::Dispatch(_) => "dispatch",
        Target::Ingredient(_) => "ingredient",
        Target::Event(_) => "event",
        Target::Stray(..) | Target::Strays => "stray",
        Target::Nothing => "",
    }
}

/// A swarm's short name; with its squad where two swarms share the short one.
pub fn called(look: &Look, swarm: &SwarmLook) -> String {
    let ambiguous = look.swarms.iter().filter(|other| other.short == swarm.short).count() > 1;
    if ambiguous { swarm.name.clone() } else { swarm.short.clone() }
}

/// The names under which events may speak of it.
pub fn aliases(look: &Look, target: &Target) -> Vec<String> {
    match target {
        Target::Swarm(id) => {
            swarm(look, id).map(|swarm| vec![swarm.name.clone(), swarm.short.clone(), swarm.id.clone()]).unwrap_or_default()
        }
        Target::Proc(_, name) => vec![name.clone()],
        Target::Stray(place, name) => vec![name.clone(), format!("{place}:{name}")],
        Target::Ingredient(id) => ingredient(look, id).map(|ingredient| vec![ingredient.name.clone()]).unwrap_or_default(),
        Target::Build(id) => build(look, id).map(|build| vec![build.build.app.clone()]).unwrap_or_default(),
        Target::Dispatch(id) | Target::Host(id) | Target::Squad(id) => vec![id.clone()],
        Target::Event(_) | Target::Strays | Target::Nothing => Vec::new(),
    }
}
