//! Every verb but those of a dispatch: objects, lists, procs, logs, events, hosts, demo.

use super::args::{Cli, Demo, Format, HostCommand, ProcArgs, Yes};
use super::confirmed_or_stopped;
use super::print::{self, Report, err, out};
use super::signals::unless_stopped;
use crate::deck::past::AuditWanted;
use crate::deck::{Deck, Outside, demo};
use crate::model::document::Kind;
use crate::model::record::Event;
use crate::model::shown::shown;
use crate::model::{Fault, Result};
use clap::CommandFactory;
use serde_json::{Value, json};
use std::io::Read;
use std::path::Path;

pub fn completions(shell: clap_complete::Shell) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "swarmdeck", &mut script);
    let text = String::from_utf8_lossy(&script).into_owned();
    Report::text(text.clone(), Value::String(text))
}

pub fn init(home: Option<&Path>, dir: Option<&Path>, group: Option<&str>) -> Result<Report> {
    let place = crate::deck::home_place(dir.or(home))?;
    let made = crate::deck::init_home(&place, group)?;
    let text = format!("home {}{}\n", made.path.display(), if made.shared { ", shared by its group" } else { "" });
    Ok(Report::text(text, json!({"home": made.path, "shared": made.shared})))
}

/// Without a screen: `--headless` and `--down`.
pub async fn demo(args: &Demo, home: Option<&Path>, outside: Outside, format: Format) -> Result<Report> {
    let home = home.map_or_else(demo::home_dir, Path::to_path_buf);
    // For people the steps are the result; a program gets one value.
    let say = |line: String| match format {
        Format::Table => out(&format!("{}\n", shown(&line))),
        Format::Json | Format::Yaml => err(&format!("{line}\n")),
    };
    if args.down {
        demo::down(&home, &say).await?;
        return Ok(Report::text(String::new(), json!({"removed": home})));
    }
    let totals = demo::headless(&home, outside, &say).await?;
    let requests = totals.answered + totals.failed;
    let value = json!({"counted": totals.counted, "requests": requests, "failed": totals.failed, "retried": totals.retried});
    Ok(Report::text(String::new(), value).with_exit(u8::from(totals.failed > 0)))
}

/// Brings the demo up for the console.
pub async fn demo_up(home: Option<&Path>, outside: Outside) -> Result<Deck> {
    let home = home.map_or_else(demo::home_dir, Path::to_path_buf);
    let say = |line: String| err(&format!("{line}\n"));
    let (deck, _) = demo::up(&home, outside, &say).await?;
    print::flush();
    Ok(deck)
}

pub async fn get(deck: &Deck, kind: &str, name: Option<&str>) -> Result<Report> {
    let rows = deck.list(kind, name).await?;
    let columns: &'static [&'static str] = match kind.strip_suffix('s').unwrap_or(kind) {
        "proc" => &["host", "name", "version", "release", "port", "state", "pid", "swarm", "owner", "routed", "host_state"],
        "swarm" => &["name", "state", "ready", "size", "version", "running", "not_live_yet", "pool", "last_ms"],
        "host" => &["name", "squad", "state", "procs", "orphans", "foreign", "load", "active", "seen_ms", "reason"],
        "squad" => &["name", "hosts", "id"],
        "app" => &["name", "repo", "type", "buildpack", "id"],
        "buildpack" => &["name", "url", "type", "order", "id"],
        "ingredient" => &["name", "used_by", "id"],
        "balancer" => &["name", "backend", "pools", "id"],
        "build" => &["id", "app", "version", "commit", "status", "size", "started_ms", "error"],
        "release" => &["swarm", "id", "version", "commit", "current", "created_ms"],
        "lease" => &["name", "who", "why", "step", "epoch"],
        "hold" => &["name", "on", "object", "who", "since_ms", "until_ms", "why"],
        "pool" => &["balancer", "pool", "host", "state", "up", "draining", "down", "connections"],
        "uptest" => &["at_ms", "swarm", "who", "passed", "failed", "id"],
        "stray" => &["place", "kind", "name", "port", "whose", "since_ms"],
        "audit" => &["seq", "at_ms", "who", "verb", "object", "result", "why"],
        "wave" => &["number", "verb", "who", "result", "done", "failed", "not_started", "started_ms", "why"],
        _ => &["number", "swarm", "verb", "version", "who", "phase", "result", "started_ms", "why"],
    };
    Ok(Report::table(rows, columns))
}

pub async fn apply(deck: &Deck, file: &Path, dry_run: bool, why: &str) -> Result<Report> {
    let source = file.display().to_string();
    let mut text = String::new();
    let read = if source == "-" {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text)).map(drop)
    };
    read.map_err(|error| Fault::bad(format!("{source} cannot be read: {error}")).next("name a YAML document, or - for standard input"))?;
    let applied = deck.apply(&text, &source, dry_run, why).await?;
    let mut said = String::new();
    for change in &applied.changes {
        said.push_str(&format!("{} {} {}\n", change.kind, change.name, change.what));
        if dry_run {
            said.push_str(&change.difference);
        }
    }
    for notice in &applied.notices {
        said.push_str(&format!("note: {notice}\n"));
    }
    let value = serde_json::to_value(&applied).map_err(|error| Fault::failed(error.to_string()))?;
    Ok(Report::text(said, value))
}

pub async fn export(deck: &Deck, kind: Option<&str>, name: Option<&str>) -> Result<Report> {
    let kind = kind.map(kind_of).transpose()?;
    let text = deck.export(kind, name).await?;
    Ok(Report::text(text.clone(), Value::String(text)))
}

pub async fn delete(deck: &Deck, kind: &str, name: &str, why: &str) -> Result<Report> {
    deck.delete(kind_of(kind)?, name, why).await?;
    Ok(Report::text(format!("{kind} {name} deleted\n"), json!({"deleted": name})))
}

pub(super) fn kind_of(word: &str) -> Result<Kind> {
    let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
    Kind::from_word(word).ok_or_else(|| Fault::bad(format!("there is no kind '{word}'")).next(format!("one of: {}", known.join(", "))))
}

pub async fn build(deck: &Deck, app: &str, version: &str, again: bool) -> Result<Report> {
    let catalog = deck.catalog().await?;
    let (sender, printing) = print::lines();
    let result = unless_stopped(deck, deck.built(&catalog, catalog.app(app)?, version, again, Some(sender))).await;
    printing.await.ok();
    let (build, reused) = result?;
    let text = format!("build {} {} of {app} {version}, {} bytes\n", build.id, if reused { "reused" } else { "done" }, build.size);
    Ok(Report::text(
        text,
        json!({"build": build.id, "artifact": build.artifact, "commit": build.commit, "size": build.size, "reused": reused}),
    ))
}

pub async fn proc(deck: &Deck, verb: &str, args: &ProcArgs) -> Result<Report> {
    let protected = deck.protected(&deck.touched_by_proc(&args.host, &args.proc).await).await?;
    let yes = Yes { yes: args.yes.yes || verb == "start", ..args.yes.clone() };
    confirmed_or_stopped(format!("{verb} {} on {}?", args.proc, args.host), &yes, protected).await?;
    let said = deck.proc_verb(verb, &args.host, &args.proc, &args.yes.why).await?;
    Ok(Report::text(format!("{said}\n"), json!({"done": said})))
}

pub async fn uptest(deck: &Deck, swarm: &str) -> Result<Report> {
    let reports = deck.uptest(swarm).await?;
    let failed = reports.iter().any(|report| !report.passed);
    let rows = reports.iter().map(|report| serde_json::to_value(report).unwrap_or_default()).collect();
    Ok(Report::table(rows, &["host", "proc", "test", "passed", "seconds", "output"]).with_exit(u8::from(failed)))
}

pub async fn events(deck: &Deck, after: i64, follow: bool, dispatch: Option<&str>, asked: &AuditWanted, format: Format) -> Result<Report> {
    let run = match dispatch {
        Some(name) => Some(deck.dispatch_named(name).await?.id),
        None => None,
    };
    let wanted = |event: &Event| run.as_ref().is_none_or(|run| &event.run == run) && asked.holds_event(event);
    let columns: &'static [&'static str] = &["seq", "at_ms", "kind", "who", "place", "what", "result", "why"];
    if !follow {
        let events = deck.events(asked, after).await?;
        let rows = events.iter().filter(|event| wanted(event)).map(|event| serde_json::to_value(event).unwrap_or_default()).collect();
        return Ok(Report::table(rows, columns));
    }
    let mut cursor = after;
    let mut changes = deck.store.changes();
    loop {
        for event in deck.store.events_after(cursor, 1000).await? {
            cursor = event.seq;
            if wanted(&event) {
                out(&line(&event, format));
            }
        }
        tokio::select! {
            () = changes.changed() => {}
            _ = tokio::signal::ctrl_c() => return Ok(Report::nothing()),
        }
    }
}

/// One event as one line; with json one value a line.
fn line(event: &Event, format: Format) -> String {
    if format == Format::Json {
        return format!("{}\n", serde_json::to_value(event).unwrap_or_default());
    }
    let at = jiff::Timestamp::from_millisecond(event.at_ms).map(|at| at.strftime("%T").to_string()).unwrap_or_default();
    format!("{at} {:<6} {:<20} {}\n", shown(&event.who), shown(&event.place), shown(&event.what))
}

fn told(said: String) -> Result<Report> {
    Ok(Report::text(format!("{said}\n"), json!({"said": said})))
}

pub async fn hosts(deck: &Deck, command: Option<HostCommand>) -> Result<Report> {
    match command {
        None | Some(HostCommand::Evacuate { .. } | HostCommand::RePlace { .. }) => get(deck, "hosts", None).await,
        Some(HostCommand::Check { name }) => {
            let missing = deck.host_check(&name).await?;
            let text = if missing.is_empty() {
                format!("{name}: nothing is missing\n")
            } else {
                missing.iter().map(|line| format!("{line}\n")).collect()
            };
            let exit = if missing.is_empty() { 0 } else { 3 };
            Ok(Report::text(text, json!({"host": name, "missing": missing})).with_exit(exit))
        }
        Some(HostCommand::Provision { name, named }) => {
            super::named_or_stopped(deck, format!("Provision {name}?"), &deck.touched_by_proc(&name, "").await, &named).await?;
            let done = deck.host_provision(&name, "").await?;
            let text = if done.is_empty() {
                format!("{name}: nothing was missing\n")
            } else {
                done.iter().map(|line| format!("{line}\n")).collect()
            };
            Ok(Report::text(text, json!({"host": name, "done": done})))
        }
        Some(HostCommand::InService { name, why }) => told(deck.host_service(&name, true, &why).await?),
        Some(HostCommand::OutOfService { name, why }) => told(deck.host_service(&name, false, &why).await?),
        Some(HostCommand::Add { name, squad, like, why }) => {
            let (squad, like) = (squad.unwrap_or_default(), like.unwrap_or_default());
            told(deck.host_add(&name, &squad, &like, &why).await?)
        }
        Some(HostCommand::Claim { name, yes }) => super::strays::claim(deck, &name, &yes).await,
    }
}
