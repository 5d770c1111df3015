//! Why what stands in lists is as it is: apps, buildpacks, builds, releases, ingredients, squads, balancers, pools, holds, strays, uptest
//! runs and waves. Judged from one look alone; pure.

mod made;
mod placed;

pub(super) use placed::named;

use super::{ALSO, Cause, Why};
use crate::deck::look::{Look, SwarmLook, SwarmState, Target};

/// The answer from what is known; none for what has none here: swarms, procs, hosts and dispatches are asked themselves.
pub fn of_look(look: &Look, target: &Target) -> Option<Why> {
    let (kind, name, found) = match target {
        Target::App(name) => ("app", name.clone(), made::app(look, name)?),
        Target::Buildpack(name) => ("buildpack", name.clone(), made::buildpack(look, name)?),
        Target::Build(id) => ("build", id.clone(), made::build(look, id)?),
        Target::Release(swarm, id) => ("release", id.chars().take(8).collect(), made::release(look, swarm, id)?),
        Target::Ingredient(id) => {
            let ingredient = look.ingredients.iter().find(|known| known.id == *id)?;
            ("ingredient", ingredient.name.clone(), made::ingredient(look, ingredient))
        }
        Target::Uptests(id) => ("uptests", id.clone(), made::uptests(look, id)?),
        Target::Wave(number) => ("wave", number.to_string(), made::wave(look, *number)?),
        Target::Squad(name) => ("squad", name.clone(), placed::squad(look, name)?),
        Target::Balancer(name) => ("balancer", name.clone(), placed::balancer(look, name)?),
        Target::Pool(balancer, pool) => ("pool", format!("{pool}@{balancer}"), placed::pool(look, balancer, pool)),
        Target::Node { balancer, pool, host, node } => ("node", node.clone(), placed::node(look, balancer, pool, host, node)),
        Target::Hold(name) => ("hold", name.clone(), placed::hold(look, name)?),
        Target::Stray(place, name) => ("stray", format!("{name} on {place}"), placed::stray(look, place, name)?),
        _ => return None,
    };
    let mut causes = found.causes.into_iter();
    let cause = causes.next();
    let next = cause.as_ref().map_or(found.next, |cause| cause.next.clone());
    Some(Why { kind: kind.into(), name, verdict: found.verdict, cause, also: causes.take(ALSO).collect(), next, ..Why::default() })
}

/// What the rules of one kind found.
#[derive(Debug, Default)]
struct Found {
    verdict: String,
    causes: Vec<Cause>,
    /// What to do where there is no cause.
    next: String,
}

impl Found {
    /// Causes with what is so; without any, why nothing is wrong.
    fn new(so: impl Into<String>, well: impl Into<String>, causes: Vec<Cause>) -> Found {
        let verdict = if causes.is_empty() { format!("nothing is wrong with it: {}", well.into()) } else { so.into() };
        Found { verdict, causes, next: String::new() }
    }
}

/// The swarms among these that are in trouble, the worst first.
fn troubled<'a>(look: &Look, swarms: impl Iterator<Item = &'a SwarmLook>) -> Vec<Cause> {
    let is_bad = |swarm: &&SwarmLook| matches!(swarm.state, SwarmState::Failing | SwarmState::Lost | SwarmState::Short);
    let mut bad: Vec<&SwarmLook> = swarms.filter(is_bad).collect();
    bad.sort_by_key(|swarm| swarm.state);
    let cause = |swarm: &SwarmLook| {
        let needs = look.needs.iter().filter(|need| need.target == Target::Swarm(swarm.id.clone())).map(|need| need.text.clone());
        let sentence = format!("it is {}: {} of {} procs are ready", swarm.state.word(), swarm.ready, swarm.size);
        Cause::new("swarm-trouble", &swarm.name, sentence).shows(needs).next(format!("swarmdeck why {}", swarm.name))
    };
    bad.into_iter().map(cause).collect()
}

/// How many there are, in words: `1 swarm`, `3 swarms`.
fn count(number: usize, of: &str) -> String {
    if number == 1 { format!("1 {of}") } else { format!("{number} {of}s") }
}

/// How many procs of swarms are ready, and of how many.
fn ready<'a>(swarms: impl Iterator<Item = &'a SwarmLook>) -> (u32, u32) {
    swarms.fold((0, 0), |(ready, size), swarm| (ready + swarm.ready, size + swarm.size))
}

/// How long ago, roughly.
fn ago(look: &Look, at_ms: i64) -> String {
    let minutes = (look.now_ms - at_ms).max(0) / 60_000;
    match minutes {
        0 => "less than a minute ago".into(),
        1..=119 => format!("{minutes} min ago"),
        120..=2879 => format!("{} h ago", minutes / 60),
        _ => format!("{} days ago", minutes / 1440),
    }
}
