//! What is somewhere: squads, balancers with their pools and nodes, holds, and what is out of place.

use super::{Cause, Found, ago, count};
use crate::deck::look::{Look, SwarmLook, Target};
use crate::model::hold::HoldOn;
use crate::model::stray::StrayKind;
use crate::model::world::{HostState, NodeState, PoolSeen};

pub(super) fn squad(look: &Look, name: &str) -> Option<Found> {
    let squad = look.squads.iter().find(|squad| squad.name == name)?;
    let hosts: Vec<_> = look.world.hosts.values().filter(|host| host.squad == name).collect();
    let mut causes = Vec::new();
    if squad.hosts.is_empty() {
        let next = format!("swarmdeck edit squad {name}");
        causes.push(Cause::new("squad-empty", name, "it has no hosts, so nothing can be placed in it").next(next));
    }
    for host in &hosts {
        let why = match &host.state {
            HostState::Unreachable(why) => format!("it cannot be reached: {why}"),
            HostState::Degraded(why) => format!("it is reached, but: {why}"),
            _ => continue,
        };
        let procs = format!("{} on it, last seen {}", count(host.procs.len(), "proc"), ago(look, host.seen_ms));
        causes.push(Cause::new("host-away", &host.name, why).shows([procs]).next(format!("swarmdeck why {}", host.name)));
    }
    for (host, debts) in look.lists.debts.iter().filter(|(name, _)| hosts.iter().any(|host| host.name == **name)) {
        let lines = debts.iter().map(|(number, debt)| format!("dispatch {number}: {}", debt.what));
        causes.push(Cause::new("owed", host, "something is owed to it").shows(lines).next("swarmdeck upkeep, once it answers"));
    }
    causes.extend(
        look.holds
            .iter()
            .filter(|hold| hold.on == HoldOn::Squad && hold.object == name)
            .map(|hold| held(look, &hold.name, &hold.who, &hold.why)),
    );
    let unseen = hosts.iter().filter(|host| host.state == HostState::Unseen).count();
    let answer = hosts.iter().filter(|host| host.is_ok()).count();
    let swarms = count(look.swarms.iter().filter(|swarm| swarm.squad == name).count(), "swarm");
    let not_asked = if unseen == 0 { String::new() } else { format!(", {unseen} not asked yet") };
    let so = format!("{answer} of {} answer{not_asked}; {swarms} live there.", count(squad.hosts.len(), "host"));
    Some(Found::new(&so, &so, causes))
}

fn held(look: &Look, name: &str, who: &str, why: &str) -> Cause {
    let since = look.holds.iter().find(|hold| hold.name == name).map(|hold| format!("held since {}", ago(look, hold.since_ms)));
    Cause::new("on-hold", name, format!("{who} holds it: {why}")).shows(since).next(format!("swarmdeck lift {name}"))
}

pub(super) fn balancer(look: &Look, name: &str) -> Option<Found> {
    look.balancers.iter().find(|balancer| balancer.name == name)?;
    let seen: Vec<&PoolSeen> = look.world.pools.iter().filter(|pool| pool.balancer == name).collect();
    let causes: Vec<Cause> = seen.iter().flat_map(|pool| of_pool(pool)).collect();
    let nodes: usize = seen.iter().map(|pool| pool.nodes.len()).sum();
    let so = format!("{} with {} seen in it.", count(seen.len(), "pool"), count(nodes, "node"));
    Some(Found::new(&so, &so, causes))
}

/// What is wrong with a pool, as it was last seen.
fn of_pool(pool: &PoolSeen) -> Vec<Cause> {
    let name = format!("{}@{}", pool.pool, pool.balancer);
    let mut causes = Vec::new();
    for host in &pool.hosts {
        let place = format!("{} {name}", host.host);
        if let Some(why) = &host.away {
            causes.push(Cause::new("host-away", &place, format!("it gave no answer: {why}")).next(format!("swarmdeck why {}", host.host)));
        }
        if let Some(edit) = &host.edited_by_hand {
            let sentence = format!("somebody edited the pool's file by hand: {}", edit.what);
            let next = format!("swarmdeck balancers repair {name}");
            causes.push(Cause::new("pool-edited", &place, sentence).shows(edit.difference.lines().map(String::from)).next(next));
        }
        if let Some(owed) = &host.owed {
            causes.push(
                Cause::new("owed", &place, format!("what it holds does not count: {owed}")).next("swarmdeck upkeep, once it answers"),
            );
        }
    }
    let id = if pool.hosts.len() > 1 { "pool-disagree" } else { "pool-unread" };
    let known = |line: &String| causes.iter().any(|cause| line.contains(cause.sentence.rsplit(": ").next().unwrap_or(line)));
    let trouble: Vec<String> = pool.trouble.iter().filter(|line| !known(line)).cloned().collect();
    causes.extend(trouble.into_iter().map(|line| Cause::new(id, &name, line).next(format!("swarmdeck balancers repair {name}"))));
    causes
}

fn of_swarm<'a>(look: &'a Look, balancer: &str, pool: &str) -> Option<&'a SwarmLook> {
    look.swarms.iter().find(|swarm| swarm.balancer == balancer && swarm.pool == pool)
}

pub(super) fn pool(look: &Look, balancer: &str, pool: &str) -> Found {
    let of = of_swarm(look, balancer, pool).map_or_else(|| "no swarm's".to_string(), |swarm| format!("{}'s", swarm.name));
    let Some(seen) = look.world.pool(balancer, pool) else {
        return Found { verdict: "It was not asked yet: nothing is known of it.".into(), ..Found::default() };
    };
    let out = seen.taken_out();
    let taken = if out.is_empty() {
        String::new()
    } else {
        format!(", {} taken out: {}", out.len(), out.into_iter().collect::<Vec<_>>().join(" "))
    };
    let so = format!("it is {of}, {} up{taken}.", count(seen.nodes.len(), "node"));
    Found::new(&so, &so, of_pool(seen))
}

pub(super) fn node(look: &Look, balancer: &str, pool: &str, host: &str, node: &str) -> Found {
    let name = format!("{pool}@{balancer}");
    let seen = look.world.pool(balancer, pool);
    let state = seen.iter().flat_map(|seen| &seen.hosts).find(|known| known.host == host).and_then(|known| known.nodes.get(node));
    let mut causes: Vec<Cause> = Vec::new();
    if let Some(stray) = look.strays.iter().find(|stray| stray.kind == StrayKind::Node && stray.place == name && stray.name == node) {
        causes.push(
            Cause::new("out-of-place", node, "no proc of ours is behind it")
                .shows(stray.evidence.clone())
                .next(format!("swarmdeck retire {name} {node}")),
        );
    }
    match state {
        None => causes.push(
            Cause::new("pool-disagree", host, format!("{host} does not have it, other hosts of {balancer} do"))
                .next(format!("swarmdeck balancers repair {name}")),
        ),
        Some(NodeState::Up) => {}
        Some(state) => causes.push(
            Cause::new("node-out", host, format!("it is {}: it gets nothing new there", state.word()))
                .shows(seen.iter().flat_map(|seen| of_pool(seen)).map(|cause| cause.sentence).take(2))
                .next(format!("swarmdeck balancers put-back {name} {node}")),
        ),
    }
    let so = format!("it is {} of {name} on {host}.", state.map_or("no node", |state| state.word()));
    Found::new(&so, &so, causes)
}

pub(super) fn hold(look: &Look, name: &str) -> Option<Found> {
    let hold = look.holds.iter().find(|hold| hold.name == name)?;
    let kept: Vec<&SwarmLook> = look.swarms.iter().filter(|swarm| swarm.held.iter().any(|held| held.name == name)).collect();
    let waits =
        kept.iter().filter(|swarm| !swarm.not_live.is_empty()).map(|swarm| format!("{}: not live yet: {}", swarm.name, swarm.not_live));
    let until = if hold.until_ms == 0 {
        "till somebody lifts it".to_string()
    } else {
        format!("for {} min more", (hold.until_ms - look.now_ms).max(0) / 60_000)
    };
    let cause = held(look, name, &hold.who, &hold.why).shows(waits);
    let of = if hold.object.is_empty() { hold.on.word().to_string() } else { format!("{} {}", hold.on.word(), hold.object) };
    Some(Found::new(format!("It keeps {} of {of} from being dispatched, {until}.", count(kept.len(), "swarm")), "", vec![cause]))
}

pub(super) fn stray(look: &Look, place: &str, name: &str) -> Option<Found> {
    let stray = look.strays.iter().find(|stray| stray.place == place && stray.name == name)?;
    let sentence = match stray.kind {
        StrayKind::Orphan => "we deployed it, and no swarm owns it any more",
        StrayKind::Node => "it is in a pool of ours, and no proc of ours is behind it",
        StrayKind::Ghost => "its directory is there, and Supervisor does not know it",
        StrayKind::Port => "its port is leased to a dispatch that is over",
        StrayKind::Foreign => "somebody else runs it",
    };
    let since = if stray.since_ms > 0 { format!(" since {}", ago(look, stray.since_ms)) } else { String::new() };
    let so = format!("{}'s{since}.", stray.whose);
    if stray.ignored {
        return Some(Found::new("", format!("somebody said that it is known. It is {so}"), Vec::new()));
    }
    let verb = ["adopt", "retire", "ignore"].into_iter().find(|verb| stray.can(verb));
    let next = match (verb, stray.kind) {
        (Some("adopt"), _) => format!("swarmdeck adopt proc {place} {name}, or retire it"),
        (Some(verb), _) => format!("swarmdeck {verb} {place} {name}"),
        (None, _) => String::new(),
    };
    let cause = Cause::new("out-of-place", place, sentence).shows(stray.evidence.clone()).next(next);
    Some(Found::new(format!("It is out of place: a {} of {so}", stray.kind.word()), "", vec![cause]))
}

/// The target that a word on the command line means: `KIND:NAME`, `POOL@BALANCER`, or a name that only one kind has.
pub(in crate::deck::why) fn named(look: &Look, word: &str) -> Option<Target> {
    let (kind, name) = word.split_once(':').unwrap_or(("", word));
    let of = |wanted: &str| kind.is_empty() || kind == wanted;
    if of("hold") && look.holds.iter().any(|hold| hold.name == name) {
        return Some(Target::Hold(name.into()));
    }
    if of("squad") && look.squads.iter().any(|squad| squad.name == name) {
        return Some(Target::Squad(name.into()));
    }
    if of("app") && look.apps.iter().any(|app| app.name == name) {
        return Some(Target::App(name.into()));
    }
    if of("buildpack") && look.buildpacks.iter().any(|pack| pack.name == name) {
        return Some(Target::Buildpack(name.into()));
    }
    if of("ingredient")
        && let Some(found) = look.ingredients.iter().find(|known| known.name == name)
    {
        return Some(Target::Ingredient(found.id.clone()));
    }
    if of("build") && look.builds.iter().any(|build| build.build.id == name) {
        return Some(Target::Build(name.into()));
    }
    if of("release")
        && name.len() >= 6
        && let Some(found) = look.lists.releases.iter().find(|known| known.id.starts_with(name))
    {
        return Some(Target::Release(found.swarm_id.clone(), found.id.clone()));
    }
    if kind == "wave"
        && let Some(number) = name.parse().ok().filter(|number| look.lists.waves.iter().any(|wave| wave.wave.number == *number))
    {
        return Some(Target::Wave(number));
    }
    if of("pool")
        && let Some((pool, balancer)) = name.split_once('@')
        && look.balancers.iter().any(|known| known.name == balancer)
    {
        return Some(Target::Pool(balancer.into(), pool.into()));
    }
    if kind == "stray"
        && let Some(found) = look.strays.iter().find(|stray| stray.name == name)
    {
        return Some(Target::Stray(found.place.clone(), found.name.clone()));
    }
    None
}
