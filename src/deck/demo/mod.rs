//! The demo: own supervisord, own nginx, a git repository of the sample app, a real dispatch; nothing system-wide.

mod daemons;
mod document;
mod down;
mod home;
pub mod load;
mod source;
pub mod tools;

pub use down::down;

use super::look::{DispatchRequest, LogLine};
use super::{Deck, Outside};
use crate::model::record::{Dispatch, Outcome};
use crate::model::world::{Owner, ProcState};
use crate::model::{Fault, Result};
use crate::store::Home;
use document::SWARMS;
use home::{Places, Record, replace};
use load::Load;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;

/// Told what is done, a line each.
pub type Say<'a> = &'a (dyn Fn(String) + Send + Sync);

/// What a face says about the demo that runs.
#[derive(Debug, Clone)]
pub struct DemoFacts {
    /// Where the shop answers, through nginx; empty without nginx.
    pub url: String,
    pub nginx: bool,
    pub home: PathBuf,
    /// The shop's git repository: commit and tag there, then dispatch the tag.
    pub repository: PathBuf,
}

/// What became of the requests during a headless demo.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// False without nginx: then nothing can be asked all the time.
    pub counted: bool,
    pub answered: u64,
    pub retried: u64,
    pub failed: u64,
}

/// How many clients ask during a headless demo.
const CLIENTS: usize = 4;
/// How many answers must be right after a dispatch before the next begins.
const ANSWERS: u64 = 200;

/// Where the demo lives unless told otherwise: beside swarmdeck's own data.
pub fn home_dir() -> PathBuf {
    let dirs = directories::BaseDirs::new();
    dirs.map_or_else(|| std::env::temp_dir().join("swarmdeck-demo"), |dirs| dirs.data_dir().join("swarmdeck-demo"))
}

/// Brings the demo up: tools, supervisord, nginx, repositories, document, and version v1 of both swarms; each only where it is not
/// there yet. What it started runs on when this process ends.
///
/// # Errors
/// Refused: the home is no demo's, or another demo command is under way. Failed: whatever did not work, with where to look.
pub async fn up(home: &Path, outside: Outside, say: Say<'_>) -> Result<(Deck, DemoFacts)> {
    let places = Places::of(home)?;
    let (_lock, mut record) = places.take()?;
    let (deck, facts) = stand(&places, &mut record, outside, say).await?;
    for left in deck.upkeep().await?.ended {
        let word = left.outcome.map_or("", Outcome::word);
        say(format!("dispatch {} of {}, which was cut off, is {word} now", left.number, left.swarm));
    }
    for swarm in SWARMS {
        let id = deck.catalog().await?.swarm(swarm)?.id.clone();
        if deck.store.current_run(&id).await?.is_none() {
            dispatch(&deck, swarm, Some("v1"), say).await?;
        }
    }
    deck.set_hints(vec![".e edit its config".into(), ".d dispatch v2".into(), ".b roll back".into()]);
    Ok((deck, facts))
}

/// Everything but the dispatches.
async fn stand(places: &Places, record: &mut Record, outside: Outside, say: Say<'_>) -> Result<(Deck, DemoFacts)> {
    let tools = tools::gather(places, record.nginx != Some(false), say).await?;
    let nginx = match record.nginx {
        Some(true) if tools.nginx.is_none() => {
            return Err(Fault::failed("nginx, which this demo uses, is gone").next("swarmdeck demo --down, then again"));
        }
        Some(nginx) => nginx,
        None => tools.nginx.is_some(),
    };
    if !nginx {
        say("without nginx the demo uses the dummy balancer: it remembers its nodes and moves no traffic".into());
    }
    record.nginx = Some(nginx);
    places.write(record)?;
    let config = places.at("config.yaml");
    if !config.exists() {
        replace(&config, "name: demo\n", 0o600)?;
    }
    let home = Home::open(&places.home)?;
    let deck = Deck::open(home, outside).await?;
    if daemons::up_supervisord(places).await? {
        say(format!("supervisord  started, its log is {}", places.text("supervisor/log")));
    } else {
        say("supervisord  runs already".into());
    }
    if nginx {
        let started = daemons::up_nginx(places, record, &tools, deck.store.installation()).await?;
        say(format!("nginx        {} on http://127.0.0.1:{}/", if started { "started" } else { "runs already" }, record.port));
    }
    let repositories = places.at("repos");
    home::private_dir(&repositories)?;
    source::make(&tools.git, &repositories).await?;
    let catalog = deck.catalog().await?;
    if SWARMS.iter().any(|swarm| catalog.swarm(swarm).is_err()) {
        deck.apply(&document::text(places, nginx, tools.own_python)?, "demo", false, "the demo").await?;
        say(format!("applied      swarms {}", SWARMS.join(" and ")));
    }
    let url = if nginx { format!("http://127.0.0.1:{}/", record.port) } else { String::new() };
    Ok((deck, DemoFacts { url, nginx, home: places.home.clone(), repository: repositories.join("shop") }))
}

/// The demo without a screen: v1, v2, and back, each step said, under requests all the time; the last line that is said counts them.
///
/// # Errors
/// As [`up`]; failed when a dispatch did not end done, or a single request failed or was answered by a version that should not be.
pub async fn headless(home: &Path, outside: Outside, say: Say<'_>) -> Result<Totals> {
    let (deck, facts) = up(home, outside, say).await?;
    let result = tour(&deck, &facts, say).await;
    deck.close().await;
    result
}

async fn tour(deck: &Deck, facts: &DemoFacts, say: Say<'_>) -> Result<Totals> {
    for swarm in SWARMS {
        if running(deck, swarm).await? != "v1" {
            dispatch(deck, swarm, Some("v1"), say).await?;
        }
    }
    if !facts.nginx {
        for version in [Some("v2"), None] {
            for swarm in SWARMS {
                dispatch(deck, swarm, version, say).await?;
            }
            each_proc_answers(deck, version.unwrap_or("v1"), say).await?;
        }
        say("requests are not counted: without nginx there is no address that stays while procs come and go".into());
        return Ok(Totals::default());
    }
    say(format!("{CLIENTS} clients ask {} all the time from here on", facts.url));
    let load = Load::start(&facts.url, CLIENTS, "v1");
    let result = under_load(deck, &load, say).await;
    let ended = load.end().await;
    let retried = if ended.retried > 0 { format!(" ({} retried as RFC 9112 9.3.1 allows)", ended.retried) } else { String::new() };
    if let Some(failure) = &ended.first_failure {
        say(format!("the first that failed: {failure}"));
    }
    say(format!("{} requests, {} failed{retried}", ended.answered + ended.failed, ended.failed));
    result?;
    match ended.first_failure {
        None => Ok(Totals { counted: true, answered: ended.answered, retried: ended.retried, failed: ended.failed }),
        Some(failure) => Err(Fault::failed(format!("{} requests failed; the first: {failure}", ended.failed))),
    }
}

async fn under_load(deck: &Deck, load: &Load, say: Say<'_>) -> Result<()> {
    settled(load, "v1", say).await?;
    for (to, version) in [("v2", Some("v2")), ("v1", None)] {
        load.also(to);
        for swarm in SWARMS {
            dispatch(deck, swarm, version, say).await?;
        }
        load.only(to);
        settled(load, to, say).await?;
    }
    Ok(())
}

/// Waits until enough requests that began after now were answered, all by this version.
async fn settled(load: &Load, version: &str, say: Say<'_>) -> Result<()> {
    let (answered, failed) = load.so_far();
    loop {
        let (now, failing) = load.so_far();
        if failing > failed {
            return Err(Fault::failed(format!("a request failed after {version} was dispatched")));
        }
        // Requests that were under way when counting began may be among the first.
        if now >= answered + ANSWERS + CLIENTS as u64 {
            say(format!("{ANSWERS} answers, each from {version}"));
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Plans and executes: a version, or (none) back to the release that ran before. Every line of build and dispatch is said.
async fn dispatch(deck: &Deck, swarm: &str, version: Option<&str>, say: Say<'_>) -> Result<Dispatch> {
    say(match version {
        Some(version) => format!("== {swarm}: dispatch {version}"),
        None => format!("== {swarm}: roll back"),
    });
    let rollback_to = if version.is_none() { Some(String::new()) } else { None };
    let request = DispatchRequest {
        swarm: swarm.into(),
        version: version.map(str::to_string),
        why: "the demo".into(),
        rollback_to,
        ..DispatchRequest::default()
    };
    let (sender, mut lines) = mpsc::channel::<LogLine>(1024);
    let telling = async {
        while let Some(line) = lines.recv().await {
            say(format!("  {:<10} {}", line.from, crate::model::shown::shown(&line.text)));
        }
    };
    let (plan, ()) = tokio::join!(deck.plan(&request, Some(sender)), telling);
    let plan = plan?;
    // The last tour of the demo ended with a rollback, whose hold is the demo's own.
    let lift: Vec<String> = plan.held.iter().map(|hold| hold.name.clone()).collect();
    for name in &lift {
        say(format!("  lifts the hold {name}, which the rollback left"));
    }
    let mut carried = deck.execute_lifting(&plan.id, "the demo", &lift).await?;
    let mut cursor = 0;
    let ended = loop {
        let ended = tokio::select! {
            ended = &mut carried.done => Some(ended),
            () = tokio::time::sleep(Duration::from_millis(100)) => None,
        };
        for event in deck.store.events_of(&carried.id, 10_000).await? {
            if event.seq > cursor {
                cursor = event.seq;
                say(format!("  {:<10} {}", event.place, event.what));
            }
        }
        if let Some(ended) = ended {
            break ended.map_err(|error| Fault::interrupted(format!("the dispatch broke off: {error}")))?;
        }
    };
    match ended.outcome {
        Some(Outcome::Done) => Ok(ended),
        outcome => Err(ended.fault.unwrap_or_else(|| Fault::failed(format!("{swarm}: {}", outcome.map_or("not ended", Outcome::word))))),
    }
}

/// The version that a swarm runs.
async fn running(deck: &Deck, swarm: &str) -> Result<String> {
    let id = deck.catalog().await?.swarm(swarm)?.id.clone();
    let Some(run) = deck.store.current_run(&id).await? else { return Ok(String::new()) };
    Ok(deck.store.release(&run.release_id).await?.map(|release| release.version).unwrap_or_default())
}

/// Without a balancer: every web proc is asked itself, once.
async fn each_proc_answers(deck: &Deck, version: &str, say: Say<'_>) -> Result<()> {
    let catalog = deck.catalog().await?;
    let [web, _] = SWARMS;
    let entry = catalog.swarm(web)?;
    let world = deck.observe(&catalog, Some(&entry.body)).await?;
    let ours = world.procs().filter(|proc| proc.owner == Owner::Ours && proc.state == ProcState::Running);
    let ports: Vec<u16> =
        ours.filter(|proc| proc.stamp.as_ref().is_some_and(|stamp| stamp.swarm == entry.id)).filter_map(|proc| proc.port).collect();
    if ports.len() != entry.body.size as usize {
        return Err(Fault::failed(format!("{} of {} procs of {web} run", ports.len(), entry.body.size)));
    }
    for port in ports {
        load::ask_once(&format!("http://127.0.0.1:{port}/"), version).await?;
        say(format!("the proc on port {port} answers as {version}"));
    }
    Ok(())
}
