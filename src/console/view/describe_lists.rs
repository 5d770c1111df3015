//! Describe, for what is beside the fleet: apps, buildpacks, balancers, pools, releases, uptest runs, holds, waves, audit, versions.

use super::describe::{Line, fact, line, pool_lines, title, wrong};
use crate::console::rows::find;
use crate::console::rows::text::{age, or_dash};
use crate::console::state::State;
use crate::deck::look::{Look, Target};
use crate::model::reference::without_user;
use crate::model::wave::State as Stage;

/// What is known of it; nothing for other targets.
pub fn lines(state: &State, target: &Target) -> Vec<Line> {
    let (look, now) = (&*state.look, state.now_ms);
    let lines = match target {
        Target::App(name) => app(look, now, name),
        Target::Buildpack(name) => buildpack(look, now, name),
        Target::Balancer(name) => balancer(look, now, name),
        Target::Pool(balancer, name) => pool(look, balancer, name),
        Target::Node { balancer, pool, host, node } => {
            let proc = find::proc_of_node(look, node);
            let mut lines = vec![title(node), fact("pool", format!("{pool}@{balancer}")), fact("on", host)];
            lines.push(fact(
                "proc",
                proc.map_or_else(
                    || "nobody's: no proc that is known has that port".into(),
                    |proc| format!("{} on {}", proc.name, proc.host),
                ),
            ));
            Some(lines)
        }
        Target::Release(swarm, id) => release(look, now, swarm, id),
        Target::Uptests(id) => uptests(look, now, id),
        Target::Hold(name) => hold(look, now, name),
        Target::Wave(number) => wave(look, now, *number),
        Target::Audit(seq) => audit(look, *seq),
        Target::Version(id, rev) => version(state, id, *rev),
        _ => None,
    };
    lines.unwrap_or_default()
}

fn saved(look: &Look, now: i64, id: Option<&String>) -> Line {
    let saved = id.and_then(|id| look.lists.saved.get(id));
    fact(
        "saved",
        saved.map(|saved| format!("by {} {} ago, revision {}", or_dash(&saved.who), age(now, saved.at_ms), saved.rev)).unwrap_or_default(),
    )
}

fn app(look: &Look, now: i64, name: &str) -> Option<Vec<Line>> {
    let app = find::app(look, name)?;
    let mut lines = vec![
        title(name),
        fact("repository", without_user(&app.repo.url)),
        fact("type", format!("{:?}", app.repo.repo_type).to_lowercase()),
        fact("buildpack", app.buildpack.clone().unwrap_or_else(|| "whichever says that it can build it".into())),
        saved(look, now, app.id.as_ref()),
        line(""),
        title("SWARMS"),
    ];
    for swarm in look.swarms.iter().filter(|swarm| swarm.app == name) {
        let text =
            format!("  {} {:<9} {:>7}  {}", swarm.state.glyph(), swarm.state.word(), format!("{}/{}", swarm.ready, swarm.size), swarm.name);
        lines.push(line(text));
    }
    let builds: Vec<_> = look.builds.iter().filter(|build| build.build.app == name).take(8).collect();
    lines.push(line(""));
    lines.push(title("BUILDS"));
    lines.extend(
        builds
            .iter()
            .map(|build| line(format!("  {:<10} {:<14} {}", build.status.word(), build.build.version, age(now, build.build.started_ms)))),
    );
    Some(lines)
}

fn buildpack(look: &Look, now: i64, name: &str) -> Option<Vec<Line>> {
    let pack = find::buildpack(look, name)?;
    let mut lines = vec![
        title(name),
        fact("url", without_user(&pack.url)),
        fact("type", format!("{:?}", pack.repo_type).to_lowercase()),
        fact("order", format!("{}: lower ones are asked first", pack.order)),
        saved(look, now, pack.id.as_ref()),
        line(""),
        title("APPS THAT PIN IT"),
    ];
    lines.extend(look.apps.iter().filter(|app| app.buildpack.as_deref() == Some(name)).map(|app| line(format!("  {}", app.name))));
    Some(lines)
}

fn balancer(look: &Look, now: i64, name: &str) -> Option<Vec<Line>> {
    let balancer = find::balancer(look, name)?;
    let hosts: Vec<String> = balancer
        .hosts
        .iter()
        .map(|host| match host {
            crate::model::entity::BalancerHost::Name(name) => name.clone(),
            crate::model::entity::BalancerHost::Keys(keys) => keys.name.clone(),
        })
        .collect();
    let mut lines = vec![
        title(name),
        fact("backend", &balancer.backend),
        fact("hosts", hosts.join(", ")),
        fact("include dir", balancer.include_dir.clone().unwrap_or_default()),
        fact("reload", balancer.reload_cmd.clone().unwrap_or_default()),
        fact("test", balancer.test_cmd.clone().unwrap_or_default()),
        saved(look, now, balancer.id.as_ref()),
    ];
    for (_, name) in find::pools(look, Some(name)) {
        lines.push(line(""));
        lines.push(title(&format!("POOL {name}")));
        lines.extend(pool(look, &balancer.name, name).unwrap_or_default().into_iter().skip(1));
    }
    Some(lines)
}

fn pool(look: &Look, balancer: &str, name: &str) -> Option<Vec<Line>> {
    let swarm = find::swarm_of_pool(look, balancer, name);
    let mut lines = vec![title(&format!("{name}@{balancer}")), fact("swarm", swarm.map(|swarm| swarm.name.clone()).unwrap_or_default())];
    match look.world.pool(balancer, name) {
        Some(seen) => {
            lines.push(fact("traffic", if seen.moves_traffic { "goes through it" } else { "none goes through it: a dummy" }));
            lines.extend(pool_lines(seen));
            lines.extend(seen.trouble.iter().map(wrong));
        }
        None => lines.push(line("  It was not asked yet.")),
    }
    Some(lines)
}

fn release(look: &Look, now: i64, swarm: &str, id: &str) -> Option<Vec<Line>> {
    let release = find::release(look, swarm, id)?;
    let name = find::swarm(look, swarm).map(|swarm| swarm.name.clone()).unwrap_or_default();
    let dispatch = find::dispatch(look, &release.dispatch);
    Some(vec![
        title(&format!("release {} of {name}", release.id.get(..8).unwrap_or(&release.id))),
        fact(
            "state",
            if release.current { "* runs" } else { "o ran; .b on the swarm goes back to the one before, = compares it with what runs" },
        ),
        fact("version", &release.version),
        fact("commit", &release.commit),
        fact("build", &release.build),
        fact("config", format!("{} keys", release.config_keys)),
        fact("env", format!("{} keys", release.env_keys)),
        fact("live since", format!("{}, {} ago", look.times.full(release.at_ms), age(now, release.at_ms))),
        fact("made", look.times.full(release.created_ms)),
        fact("dispatch", dispatch.map(|it| format!("{} by {}: {}", it.number, it.who, or_dash(&it.why))).unwrap_or_default()),
        line(""),
        title("NEXT"),
        line("  y all of it, secrets masked   = compare with what runs   space space = compare two"),
    ])
}

fn uptests(look: &Look, now: i64, id: &str) -> Option<Vec<Line>> {
    let run = find::uptests(look, id)?;
    let failed = run.failed();
    let mut lines = vec![
        title(&format!("uptests of {}", run.swarm)),
        fact(
            "state",
            if failed == 0 { format!("* {} passed", run.reports.len()) } else { format!("! {failed} of {} failed", run.reports.len()) },
        ),
        fact("by", &run.who),
        fact("when", format!("{}, {} ago", look.times.full(run.at_ms), age(now, run.at_ms))),
    ];
    let mut reports: Vec<_> = run.reports.iter().collect();
    reports.sort_by_key(|report| report.passed);
    for report in reports {
        lines.push(line(""));
        let head =
            format!("{} {} {:.2}s  on {} {}", if report.passed { "*" } else { "!" }, report.test, report.seconds, report.host, report.proc);
        lines.push(if report.passed { line(head) } else { wrong(head.trim_start_matches("! ")) });
        lines.extend(report.output.lines().take(if report.passed { 3 } else { 40 }).map(|text| line(format!("    {text}"))));
    }
    Some(lines)
}

fn hold(look: &Look, now: i64, name: &str) -> Option<Vec<Line>> {
    let hold = find::hold(look, name)?;
    let until = if hold.until_ms == 0 { "till it is lifted".to_string() } else { look.times.full(hold.until_ms) };
    Some(vec![
        title(&hold.name),
        fact("holds", format!("{} {}", hold.on.word(), hold.object)),
        fact("by", &hold.who),
        fact("why", &hold.why),
        fact("since", format!("{}, {} ago", look.times.full(hold.since_ms), age(now, hold.since_ms))),
        fact("until", until),
        line(""),
        title("NEXT"),
        line("  enter goes to what it holds; .h there lifts it"),
    ])
}

fn wave(look: &Look, now: i64, number: i64) -> Option<Vec<Line>> {
    let found = find::wave(look, number)?;
    let wave = &found.wave;
    let mut lines = vec![
        title(&format!("wave {number}")),
        fact("state", found.word),
        fact("verb", &wave.verb),
        fact("by", &wave.who),
        fact("why", &wave.why),
        fact("begun", format!("{}, {} ago", look.times.full(wave.started_ms), age(now, wave.started_ms))),
        fact("at once", wave.at_once.to_string()),
        line(""),
        title("SWARMS"),
    ];
    for (member, stage) in wave.members.iter().zip(&found.states) {
        let text = format!("  {:<13} {}  {} -> {}", stage.word(), member.swarm, or_dash(&member.from_version), member.to_version);
        lines.push(if matches!(stage, Stage::Failed | Stage::Interrupted) { wrong(text.trim_start()) } else { line(text) });
        if !member.refused.is_empty() {
            lines.push(line(format!("    {}", member.refused)));
        }
    }
    Some(lines)
}

fn audit(look: &Look, seq: i64) -> Option<Vec<Line>> {
    let it = find::audit(look, seq)?;
    Some(vec![
        title(&format!("audit line {}", it.seq)),
        fact("when", look.times.full(it.at_ms)),
        fact("who", &it.who),
        fact("verb", &it.verb),
        fact("object", &it.object),
        fact("run", &it.run),
        fact("result", &it.result),
        fact("why", &it.why),
    ])
}

fn version(state: &State, id: &str, rev: i64) -> Option<Vec<Line>> {
    let version = state.layers.iter().rev().find_map(|layer| match layer {
        crate::console::state::Layer::List { pane, .. } => match &pane.scope {
            crate::console::state::Scope::Versions(all) => all.iter().find(|version| version.id == id && version.rev == rev),
            _ => None,
        },
        _ => None,
    })?;
    Some(vec![
        title(&format!("version {rev} of {} {}", version.kind.word(), version.name)),
        fact("saved", format!("{} by {}", state.look.times.full(version.at_ms), or_dash(&version.who))),
        fact("why", &version.why),
        fact("change", if version.deleted { "deleted".into() } else { format!("+{} -{} lines", version.added, version.removed) }),
        fact("state", if version.current { "* the present one" } else { "o was" }),
        line(""),
        title("NEXT"),
        line("  enter what it changed   = against the present one   y its text   .b back to it"),
    ])
}
