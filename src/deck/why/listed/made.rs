//! What is made of source and text: apps, buildpacks, builds, releases, ingredients; and what came of them: uptest runs, waves.

use super::super::facts::{Facts, Said};
use super::super::rules;
use super::{Cause, Found, ago, count, ready, troubled};
use crate::deck::look::{BuildLook, IngredientLook, Look, SwarmLook};
use crate::model::reference::without_user;
use crate::model::release::BuildStatus;
use crate::model::wave::State;

pub(super) fn app(look: &Look, name: &str) -> Option<Found> {
    look.apps.iter().find(|app| app.name == name)?;
    let swarms = || look.swarms.iter().filter(|swarm| swarm.app == name);
    let newest = look.builds.iter().find(|build| build.build.app == name);
    let mut causes = newest.map(failure).unwrap_or_default();
    causes.extend(troubled(look, swarms()));
    let ((ready, size), swarms) = (ready(swarms()), count(swarms().count(), "swarm"));
    let built = newest.map_or_else(
        || "it was never built".to_string(),
        |build| format!("its newest build, of {}, is {}", build.build.version, build.status.word()),
    );
    Some(Found::new(
        format!("{ready} of {size} procs of its {swarms} are ready; {built}."),
        format!("{ready} of {size} procs of its {swarms} are ready, and {built}."),
        causes,
    ))
}

/// Why a build failed, if it did: by what its last step said.
fn failure(build: &BuildLook) -> Vec<Cause> {
    if build.status != BuildStatus::Failed {
        return Vec::new();
    }
    let it = &build.build;
    let by = format!("build of {} {}", it.app, it.version);
    let text = if it.error.is_empty() { "it ended with a failure and said nothing".into() } else { it.error.clone() };
    let next = format!("swarmdeck build {} {}", it.app, it.version);
    let said = Said { by: by.clone(), host: String::new(), text: text.clone(), next: next.clone() };
    let mut causes = rules::judge(&Facts { said: vec![said], ..Facts::default() });
    // What the step said alone is no more than what the build says of itself.
    if causes.first().is_none_or(|cause| cause.id == "said") {
        causes = vec![Cause::new("build-failed", by, text).next(next)];
    }
    let commit: String = it.commit.chars().take(8).collect();
    let with = if it.buildpack_url.is_empty() { String::new() } else { format!("buildpack {}", without_user(&it.buildpack_url)) };
    if let Some(first) = causes.first_mut() {
        first.evidence.extend([format!("build {}, commit {commit}", it.id), with].into_iter().filter(|line| !line.is_empty()));
    }
    causes
}

pub(super) fn build(look: &Look, id: &str) -> Option<Found> {
    let build = look.builds.iter().find(|known| known.build.id == id)?;
    let it = &build.build;
    let seconds = (it.ended_ms - it.started_ms).max(0) / 1000;
    let used = look.lists.releases.iter().filter(|release| release.build == id).count();
    let well = match build.status {
        BuildStatus::Success => format!("it took {seconds} s, made {} bytes, and {} it.", it.size, releases(used)),
        BuildStatus::Started => format!("it is under way, begun {}.", ago(look, it.started_ms)),
        BuildStatus::Pending => "it waits for its turn.".into(),
        BuildStatus::Expired => "its artifact was forgotten because nothing ran it; a dispatch of that version builds it again.".into(),
        BuildStatus::Failed => String::new(),
    };
    Some(Found::new(format!("It failed after {seconds} s, {}.", ago(look, it.ended_ms)), well, failure(build)))
}

fn releases(used: usize) -> String {
    if used == 1 { "1 release uses".into() } else { format!("{used} releases use") }
}

pub(super) fn buildpack(look: &Look, name: &str) -> Option<Found> {
    let pack = look.buildpacks.iter().find(|pack| pack.name == name)?;
    let pins = |app: &str| look.apps.iter().any(|known| known.name == app && known.buildpack.as_deref() == Some(name));
    let same = |url: &str| without_user(url).split('#').next() == without_user(&pack.url).split('#').next();
    let newest = look.apps.iter().filter_map(|app| look.builds.iter().find(|build| build.build.app == app.name));
    let of_it: Vec<&BuildLook> = newest.filter(|build| pins(&build.build.app) || same(&build.build.buildpack_url)).collect();
    let causes: Vec<Cause> = of_it.iter().flat_map(|build| failure(build)).collect();
    let pinned = look.apps.iter().filter(|app| app.buildpack.as_deref() == Some(name)).count();
    let so = format!("The newest builds of {} were made with it, {} of them failed.", count(of_it.len(), "app"), causes.len());
    let well = format!("{} pin it, and no app's newest build with it failed.", count(pinned, "app"));
    Some(Found::new(so, well, causes))
}

pub(super) fn release(look: &Look, swarm: &str, id: &str) -> Option<Found> {
    let release = look.lists.releases.iter().find(|release| release.swarm_id == swarm && release.id == id)?;
    let of: Option<&SwarmLook> = look.swarms.iter().find(|known| known.id == swarm);
    let by = look.dispatches.iter().find(|dispatch| dispatch.id == release.dispatch);
    let by = by.map(|dispatch| format!(" by {} {} of {}", dispatch.verb, dispatch.number, dispatch.who)).unwrap_or_default();
    if !release.current {
        let now = look.lists.releases.iter().find(|known| known.swarm_id == swarm && known.current);
        let now = now.map_or_else(
            || "the swarm runs none now".to_string(),
            |now| format!("{} of {} runs now, since {}", now.id.chars().take(8).collect::<String>(), now.version, ago(look, now.at_ms)),
        );
        let mut found = Found::new("", format!("it went live{by} and was replaced; {now}."), Vec::new());
        found.next = of.map(|swarm| format!("swarmdeck rollback {} --to {}", swarm.name, release.id)).unwrap_or_default();
        return Some(found);
    }
    let (ready, size) = ready(of.into_iter());
    let so = format!("It went live{by}, {}; {ready} of {size} procs are ready.", ago(look, release.at_ms));
    Some(Found::new(
        &so,
        format!("it went live{by}, {}, and {ready} of {size} procs are ready.", ago(look, release.at_ms)),
        troubled(look, of.into_iter()),
    ))
}

pub(super) fn ingredient(look: &Look, ingredient: &IngredientLook) -> Found {
    let wanted = format!("ingredient {}", ingredient.name);
    let users: Vec<&SwarmLook> = look.swarms.iter().filter(|swarm| ingredient.used_by.contains(&swarm.name)).collect();
    let waiting: Vec<&&SwarmLook> = users.iter().filter(|swarm| swarm.not_live.contains(&wanted)).collect();
    let mut causes = Vec::new();
    if !waiting.is_empty() {
        let sentence = format!(
            "{} saved it {}, and {} did not get that yet",
            ingredient.who_changed,
            ago(look, ingredient.changed_ms),
            count(waiting.len(), "swarm")
        );
        let lines = waiting.iter().map(|swarm| {
            let held = swarm.held.first().map(|hold| format!(", held by {}: {}", hold.who, hold.why)).unwrap_or_default();
            format!("{}: not live yet: {}{held}", swarm.name, swarm.not_live)
        });
        causes.push(Cause::new("not-live", &ingredient.name, sentence).shows(lines).next(format!("swarmdeck wave {}", ingredient.name)));
    }
    let well = match users.len() {
        0 => "no swarm uses it, so nothing depends on it.".to_string(),
        number => format!("{} use it, and all run with what it says now.", count(number, "swarm")),
    };
    Found::new(format!("{} of {} that use it run with an older one.", waiting.len(), count(users.len(), "swarm")), well, causes)
}

pub(super) fn uptests(look: &Look, id: &str) -> Option<Found> {
    let run = look.lists.uptests.iter().find(|run| run.id == id)?;
    let failed = run.reports.iter().filter(|report| !report.passed);
    let causes: Vec<Cause> = failed
        .map(|report| {
            // What went wrong is said last.
            let lines: Vec<&str> = report.output.lines().filter(|line| !line.trim().is_empty()).collect();
            let place = format!("{} {}", report.host, report.proc);
            let sentence = format!("{} failed after {:.2} s", report.test, report.seconds);
            let shown = lines.iter().rev().take(6).rev().map(|line| line.to_string());
            Cause::new("uptest-failed", place, sentence).shows(shown).next(format!("swarmdeck why {}:{}", report.host, report.proc))
        })
        .collect();
    let so = format!("{} of {} uptests of {} failed, {}.", causes.len(), run.reports.len(), run.swarm, ago(look, run.at_ms));
    Some(Found::new(so, format!("all {} uptests of {} passed, {}.", run.reports.len(), run.swarm, ago(look, run.at_ms)), causes))
}

pub(super) fn wave(look: &Look, number: i64) -> Option<Found> {
    let found = look.lists.waves.iter().find(|wave| wave.wave.number == number)?;
    let each = || found.wave.members.iter().zip(&found.states);
    let bad = each().filter(|(_, state)| matches!(state, State::Failed | State::Interrupted));
    let causes: Vec<Cause> = bad
        .map(|(member, state)| {
            let dispatch = look.dispatches.iter().find(|dispatch| dispatch.id == member.plan);
            let said = match dispatch.and_then(|dispatch| dispatch.fault.as_ref()) {
                Some(fault) => fault.line(),
                None if member.refused.is_empty() => state.word().to_string(),
                None => member.refused.clone(),
            };
            let next =
                dispatch.map_or_else(|| format!("swarmdeck why {}", member.swarm), |dispatch| format!("swarmdeck why {}", dispatch.number));
            Cause::new("said", &member.swarm, said).next(next)
        })
        .collect();
    let done = each().filter(|(_, state)| **state == State::Done).count();
    let so = format!("{}; {done} of {} are done.", found.word, count(found.wave.members.len(), "swarm"));
    Some(Found::new(&so, format!("{so} None failed."), causes))
}
