//! Finds an object in a look by its id, and says what people call it.

use crate::deck::lists::{ReleaseLook, UptestRun, WaveLook};
use crate::deck::look::{BuildLook, IngredientLook, Look, SwarmLook, Target};
use crate::model::entity::{App, Balancer, Buildpack};
use crate::model::hold::Hold;
use crate::model::record::{Audit, Dispatch, Event};
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
/// The newest ones, or one of a dispatch of the past that is looked at.
pub fn event(look: &Look, seq: i64) -> Option<&Event> {
    look.events.iter().find(|event| event.seq == seq).or_else(|| look.lists.past.values().flatten().find(|event| event.seq == seq))
}
pub fn app<'a>(look: &'a Look, name: &str) -> Option<&'a App> {
    look.apps.iter().find(|app| app.name == name)
}
pub fn buildpack<'a>(look: &'a Look, name: &str) -> Option<&'a Buildpack> {
    look.buildpacks.iter().find(|pack| pack.name == name)
}
pub fn balancer<'a>(look: &'a Look, name: &str) -> Option<&'a Balancer> {
    look.balancers.iter().find(|balancer| balancer.name == name)
}
pub fn release<'a>(look: &'a Look, swarm: &str, id: &str) -> Option<&'a ReleaseLook> {
    look.lists.releases.iter().find(|release| release.swarm_id == swarm && release.id == id)
}
pub fn uptests<'a>(look: &'a Look, id: &str) -> Option<&'a UptestRun> {
    look.lists.uptests.iter().find(|run| run.id == id)
}
pub fn hold<'a>(look: &'a Look, name: &str) -> Option<&'a Hold> {
    look.holds.iter().find(|hold| hold.name == name)
}
pub fn wave(look: &Look, number: i64) -> Option<&WaveLook> {
    look.lists.waves.iter().find(|wave| wave.wave.number == number)
}
pub fn audit(look: &Look, seq: i64) -> Option<&Audit> {
    look.lists.audit.iter().find(|line| line.seq == seq)
}

/// Every pool, of one balancer or of all: those that swarms have, and those that were seen; as (balancer, pool), in order.
pub fn pools<'a>(look: &'a Look, of: Option<&str>) -> std::collections::BTreeSet<(&'a str, &'a str)> {
    let had = look.swarms.iter().filter(|swarm| !swarm.pool.is_empty()).map(|swarm| (swarm.balancer.as_str(), swarm.pool.as_str()));
    let seen = look.world.pools.iter().map(|pool| (pool.balancer.as_str(), pool.pool.as_str()));
    had.chain(seen).filter(|(balancer, _)| of.is_none_or(|of| of == *balancer)).collect()
}

/// The swarm that a pool belongs to.
pub fn swarm_of_pool<'a>(look: &'a Look, balancer: &str, pool: &str) -> Option<&'a SwarmLook> {
    look.swarms.iter().find(|swarm| swarm.balancer == balancer && swarm.pool == pool && !pool.is_empty())
}

/// The proc behind a node `host:port`, by the hosts' addresses.
pub fn proc_of_node<'a>(look: &'a Look, node: &str) -> Option<&'a Proc> {
    let (address, port) = node.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    let hosts = look.world.hosts.values().filter(|host| host.address == address || host.name == address);
    hosts.flat_map(|host| &host.procs).find(|proc| proc.port == Some(port))
}

/// What people call an object that was written down, by its id.
pub fn written(look: &Look, id: &str) -> Option<String> {
    let is = |known: &Option<String>| known.as_deref() == Some(id);
    swarm(look, id)
        .map(|swarm| called(look, swarm))
        .or_else(|| ingredient(look, id).map(|ingredient| ingredient.name.clone()))
        .or_else(|| look.apps.iter().find(|app| is(&app.id)).map(|app| app.name.clone()))
        .or_else(|| look.squads.iter().find(|squad| is(&squad.id)).map(|squad| squad.name.clone()))
        .or_else(|| look.buildpacks.iter().find(|pack| is(&pack.id)).map(|pack| pack.name.clone()))
        .or_else(|| look.balancers.iter().find(|balancer| is(&balancer.id)).map(|balancer| balancer.name.clone()))
        .or_else(|| look.lists.deleted.iter().find(|gone| gone.id == id).map(|gone| gone.name.clone()))
}

/// An object that was written down, by its kind and what people call it; one that is gone by its last version.
pub fn named(look: &Look, kind: &str, name: &str) -> Option<Target> {
    let swarm = || look.swarms.iter().find(|swarm| swarm.name == name || swarm.short == name).map(|swarm| Target::Swarm(swarm.id.clone()));
    let there = match kind {
        "swarm" => swarm(),
        "ingredient" => look.ingredients.iter().find(|it| it.name == name).map(|it| Target::Ingredient(it.id.clone())),
        "app" => app(look, name).map(|app| Target::App(app.name.clone())),
        "buildpack" => buildpack(look, name).map(|pack| Target::Buildpack(pack.name.clone())),
        "balancer" => balancer(look, name).map(|balancer| Target::Balancer(balancer.name.clone())),
        "squad" => look.squads.iter().find(|squad| squad.name == name).map(|squad| Target::Squad(squad.name.clone())),
        _ => None,
    };
    let called = |full: &str| full == name || full.split('@').next() == Some(name);
    let gone = || look.lists.deleted.iter().find(|gone| gone.kind.word() == kind && called(&gone.name));
    there.or_else(|| gone().map(|gone| Target::Version(gone.id.clone(), gone.rev)))
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
        Target::App(name) => app(look, name).is_some(),
        Target::Buildpack(name) => buildpack(look, name).is_some(),
        Target::Balancer(name) => balancer(look, name).is_some(),
        Target::Pool(balancer, pool) => pools(look, Some(balancer)).contains(&(balancer.as_str(), pool.as_str())),
        Target::Node { balancer, pool, .. } => look.world.pool(balancer, pool).is_some(),
        Target::Release(swarm, id) => release(look, swarm, id).is_some(),
        Target::Uptests(id) => uptests(look, id).is_some(),
        Target::Hold(name) => hold(look, name).is_some(),
        Target::Wave(number) => wave(look, *number).is_some(),
        Target::Member(number, swarm) => {
            wave(look, *number).is_some_and(|wave| wave.wave.members.iter().any(|member| member.swarm_id == *swarm))
        }
        Target::Audit(seq) => audit(look, *seq).is_some(),
        Target::Version(id, _) => written(look, id).is_some(),
        Target::Share(id, host) => swarm(look, id).is_some_and(|swarm| swarm.procs.iter().any(|(on, _)| on == host)),
        Target::Strays => true,
        Target::Nothing => false,
    }
}

/// What people call it.
pub fn name(look: &Look, target: &Target) -> String {
    match target {
        Target::Swarm(id) => swarm(look, id).map_or_else(|| id.clone(), |swarm| called(look, swarm)),
        Target::Host(name) | Target::Squad(name) | Target::App(name) | Target::Buildpack(name) | Target::Balancer(name) => name.clone(),
        Target::Pool(balancer, pool) => format!("{pool}@{balancer}"),
        Target::Node { balancer, pool, node, .. } => format!("{node} of {pool}@{balancer}"),
        Target::Release(swarm, id) => {
            let of = self::swarm(look, swarm).map(|swarm| called(look, swarm)).unwrap_or_default();
            format!("{} of {of}", id.get(..8).unwrap_or(id))
        }
        Target::Uptests(id) => {
            uptests(look, id).map_or_else(|| id.clone(), |run| format!("of {}", run.swarm.split('@').next().unwrap_or_default()))
        }
        Target::Hold(name) => name.clone(),
        Target::Wave(number) => format!("wave {number}"),
        Target::Member(number, swarm) => {
            format!("{} of wave {number}", self::swarm(look, swarm).map_or_else(|| swarm.clone(), |swarm| called(look, swarm)))
        }
        Target::Audit(seq) => format!("audit line {seq}"),
        Target::Version(id, rev) => format!("version {rev} of {}", written(look, id).unwrap_or_default()),
        Target::Share(id, host) => {
            format!("{} on {host}", swarm(look, id).map_or_else(|| id.clone(), |swarm| called(look, swarm)))
        }
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
        Target::App(_) => "app",
        Target::Buildpack(_) => "buildpack",
        Target::Balancer(_) => "balancer",
        Target::Pool(..) => "pool",
        Target::Node { .. } => "node",
        Target::Release(..) => "release",
        Target::Uptests(_) => "uptests",
        Target::Hold(_) => "hold",
        Target::Wave(_) => "wave",
        Target::Member(..) => "swarm",
        Target::Audit(_) => "audit",
        Target::Version(..) => "version",
        Target::Share(..) => "procs",
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
        Target::App(name) | Target::Buildpack(name) | Target::Balancer(name) => vec![name.clone(), format!("{} {name}", kind(target))],
        Target::Pool(balancer, pool) | Target::Node { balancer, pool, .. } => {
            vec![format!("{pool}@{balancer}"), format!("{balancer}/{pool}"), pool.clone()]
        }
        Target::Release(swarm, id) => release(look, swarm, id).map(|release| vec![release.dispatch.clone()]).unwrap_or_default(),
        Target::Uptests(id) => uptests(look, id).map(|run| vec![run.swarm.clone()]).unwrap_or_default(),
        Target::Hold(name) => hold(look, name).map(|hold| vec![hold.object.clone(), hold.name.clone()]).unwrap_or_default(),
        Target::Wave(number) => wave(look, *number).map(|wave| vec![wave.wave.id.clone(), format!("wave {number}")]).unwrap_or_default(),
        Target::Member(_, swarm) | Target::Share(swarm, _) => aliases(look, &Target::Swarm(swarm.clone())),
        Target::Audit(seq) => audit(look, *seq).map(|line| vec![line.object.clone()]).unwrap_or_default(),
        Target::Version(id, _) => written(look, id).into_iter().collect(),
        Target::Event(_) | Target::Strays | Target::Nothing => Vec::new(),
    }
}
