//! A made-up fleet of any size, and the console on it: in process, on no store and no host, so that what is measured is the console alone.

use crate::fake::Fake;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use swarmdeck::console::{Options, prompt, run};
use swarmdeck::deck::look::{LogLine, Look, SwarmLook, SwarmState};
use swarmdeck::model::world::{HostSeen, Proc, World};
use tokio::sync::mpsc;

/// Procs on one host.
const ON_ONE: usize = 25;
const NOW: i64 = 1_795_226_551_000;

/// What the child plays.
#[derive(Debug, Clone, Copy)]
pub struct Play {
    pub procs: usize,
    /// How often something changes, a second.
    pub updates: u32,
    /// Lines that a followed log says: so many bytes in all, and how long between two lines.
    pub log_bytes: u64,
    pub log_every_ms: u64,
}

impl Play {
    pub fn words(self) -> [String; 4] {
        [self.procs.to_string(), self.updates.to_string(), self.log_bytes.to_string(), self.log_every_ms.to_string()]
    }

    pub fn read(words: &[String]) -> Option<Play> {
        let number = |at: usize| words.get(at)?.parse::<u64>().ok();
        Some(Play {
            procs: usize::try_from(number(0)?).ok()?,
            updates: u32::try_from(number(1)?).ok()?,
            log_bytes: number(2)?,
            log_every_ms: number(3)?,
        })
    }
}

fn proc(number: usize) -> Proc {
    let (host, app, port) = (number / ON_ONE, number % 40, 20_000 + number % ON_ONE);
    let (host, app) = (format!("web{host:03}"), format!("shop{app:02}"));
    let text = json!({
        "host": host, "name": format!("{app}-v5.{}.0-prod-9c1e77aa-web-{port}", number % 7), "app": app, "version": format!("v5.{}.0", number % 7),
        "config": "prod", "release": format!("9c1e{:04x}", number % 40), "proc": "web", "port": port,
        "state": if number.is_multiple_of(97) { "FATAL" } else { "RUNNING" }, "pid": 3000 + number, "start": 1000, "stop": 0, "now": 8300 + number as i64 * 61,
        "exit_status": null, "spawn_error": "", "description": "", "stamp": null, "owner": "ours",
        "swarm": format!("{app}-prod-web@web"), "foreign_of": null, "routed": !number.is_multiple_of(3),
    });
    serde_json::from_value(text).unwrap()
}

/// The whole of it as it is at the `version`th change.
pub fn look(procs: usize, version: u64) -> Look {
    let mut world = World::default();
    for host in 0..procs.div_ceil(ON_ONE) {
        let name = format!("web{host:03}");
        let seen = json!({
            "id": format!("h-{host}"), "name": name, "squad": "web", "active": true, "state": "ok", "seen_ms": NOW, "asked_ms": NOW,
            "address": format!("{name}.example"), "installation": null, "procs": [], "listening": [], "builds": [], "fences": {},
            "load": 0.4, "memory_total": 8u64 << 30, "memory_free": 2u64 << 30, "disk_free": 41u64 << 30,
        });
        let mut seen: HostSeen = serde_json::from_value(seen).unwrap();
        seen.procs = (host * ON_ONE..((host + 1) * ON_ONE).min(procs)).map(proc).collect();
        world.hosts.insert(name, seen);
    }
    let swarms = (0..procs.min(40)).map(|number| {
        let app = format!("shop{number:02}");
        let mine = world.procs().filter(|proc| proc.app == app).map(|proc| (proc.host.clone(), proc.name.clone()));
        let procs: Vec<(String, String)> = mine.collect();
        let size = u32::try_from(procs.len()).unwrap_or(u32::MAX);
        swarm(&app, number, size, procs)
    });
    Look {
        swarms: swarms.collect(),
        world: Arc::new(world),
        version,
        now_ms: NOW,
        fleet: "BENCH".into(),
        who: "op1".into(),
        squads: vec![serde_json::from_value(json!({"name": "web"})).unwrap()],
        ..Look::default()
    }
}

fn swarm(app: &str, number: usize, size: u32, procs: Vec<(String, String)>) -> SwarmLook {
    SwarmLook {
        id: format!("s-{app}"),
        name: format!("{app}-prod-web@web"),
        short: format!("{app}-prod-web"),
        app: app.into(),
        config_name: "prod".into(),
        proc_name: "web".into(),
        squad: "web".into(),
        size,
        version: "v5.3.0".into(),
        running: "v5.3.0".into(),
        release: format!("9c1e{number:04x}"),
        pool: app.into(),
        balancer: "edge".into(),
        ingredients: Vec::new(),
        state: SwarmState::Ok,
        ready: size,
        procs,
        not_live: String::new(),
        held: Vec::new(),
        last_ms: NOW - 600_000,
        dispatch: String::new(),
        who_changed: "op1".into(),
        changed_ms: NOW,
    }
}

/// Another look, in which one proc is not as it was.
fn changed(look: &Look, step: u64) -> Look {
    let mut world = World::clone(&look.world);
    let hosts = world.hosts.len().max(1);
    if let Some(host) = world.hosts.values_mut().nth(step as usize * 7 % hosts)
        && let Some(proc) = host.procs.get_mut(step as usize % ON_ONE)
    {
        proc.pid = Some(10_000 + step as u32);
    }
    Look { world: Arc::new(world), version: look.version + 1, ..look.clone() }
}

/// A line of 150 columns that is like no other.
fn line(number: u64) -> String {
    let words = ["GET", "/orders", "200", "checkout", "payment", "took", "retry", "worker", "queue", "session"];
    let mut text = format!("{number:>8} ");
    for step in 0..40u64 {
        text.push_str(words[((number * 7 + step * (number + 3)) % 10) as usize]);
        text.push(' ');
    }
    text.truncate(150);
    text
}

/// Plays the console in this process until it is left.
pub fn play(play: Play) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async move {
        let says = move |sender: mpsc::Sender<LogLine>| {
            tokio::spawn(async move {
                let (mut said, mut number) = (0, 0);
                while said < play.log_bytes {
                    let text = line(number);
                    (said, number) = (said + text.len() as u64, number + 1);
                    if sender.send(LogLine { at_ms: NOW, from: "web001".into(), text }).await.is_err() {
                        return;
                    }
                    if play.log_every_ms > 0 {
                        tokio::time::sleep(Duration::from_millis(play.log_every_ms)).await;
                    }
                }
                let last = LogLine { at_ms: NOW, from: "web001".into(), text: "THE LAST LINE".into() };
                let _ = sender.send(last).await;
                sender.closed().await;
            });
        };
        let deck = Arc::new(Fake::new(look(play.procs, 1), None, Box::new(says)));
        if play.updates > 0 {
            let deck = deck.clone();
            tokio::task::spawn_blocking(move || {
                for step in 0.. {
                    std::thread::sleep(Duration::from_secs(1) / play.updates);
                    let next = changed(&deck.look.borrow().clone(), step);
                    let version = next.version;
                    deck.look.send_replace(Arc::new(next));
                    deck.version.send_replace(version);
                }
            });
        }
        run(deck, Options::default(), prompt().1).await.unwrap();
        // The task that changes things never ends.
        std::process::exit(0);
    });
}
