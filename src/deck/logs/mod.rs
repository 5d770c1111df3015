//! Logs of a proc, a swarm with its replacements, a host, a squad or a dispatch's hosts: one session per host, put into one order.

mod merge;

use super::look::{LogLine, Target};
use super::{Catalog, Deck};
use crate::hosts::procs::logs::start_of;
use crate::hosts::procs::reading::{self, Heard, Wanted};
use crate::hosts::supervisor;
use crate::model::cut::Lines;
use crate::model::entity::Host;
use crate::model::life::Life;
use crate::model::stamped::time_of;
use crate::model::world::World;
use crate::model::{Fault, FaultKind, Result};
use merge::Merge;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;
use tokio::sync::mpsc;

/// What is wanted of logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRequest {
    /// A proc, swarm, host, squad, dispatch or build.
    pub of: Target,
    pub follow: bool,
    /// Only lines since then, ms since the epoch, where lines carry times; 0: all that is kept.
    pub since_ms: Option<i64>,
    /// At most so many of what there is.
    pub lines: Option<usize>,
    /// Whoever reads slower than it comes goes on at the end; otherwise the reading waits.
    pub skip: bool,
}

impl LogRequest {
    /// The end of it, and what comes.
    pub fn follow(of: Target) -> LogRequest {
        LogRequest { of, follow: true, since_ms: None, lines: None, skip: true }
    }
}

/// How much of the end of each log is read: when nothing is said, for so many lines, and for a time.
const TAIL: u64 = 64 << 10;
const MANY: u64 = 8 << 20;
/// How much of a line is reckoned with.
const A_LINE: u64 = 400;
/// Who is so far behind goes on at the end.
const BEHIND: u64 = 8 << 20;
/// How long the beginning waits for a host that does not answer.
const SLOW: Duration = Duration::from_secs(10);
/// Between tries to reach a host again, at most.
const AGAIN: Duration = Duration::from_secs(15);
/// What is kept in flight between a host and its reader, lines.
const IN_FLIGHT: usize = 128;

/// What a host's reader hands on.
enum Piece {
    Line { from: String, text: String },
    Gap(String),
    Older(String),
    Ready,
}

/// What is read of one host.
struct Place {
    host: Host,
    wanted: Wanted,
}

impl Deck {
    /// The lines; each is from `HOST:PROC`, with the time that it carries, else when it came. What this says itself (gaps, hosts that
    /// do not answer) is from "". Ends with the logs, or, following, when the receiver is dropped. One session per host.
    ///
    /// # Errors
    /// There is no such thing, or it has no procs and no host to have some.
    pub async fn logs(&self, request: &LogRequest) -> Result<mpsc::Receiver<LogLine>> {
        if let Target::Build(id) = &request.of {
            return self.follow_build(id).await;
        }
        let places = self.log_places(request).await?;
        let (sender, receiver) = mpsc::channel(IN_FLIGHT);
        let (pieces, heard) = mpsc::channel(IN_FLIGHT);
        let hosts = places.len();
        for place in places {
            tokio::spawn(self.clone().read_host(place, request.follow, pieces.clone()));
        }
        let mut of_run = None;
        if let Target::Dispatch(id) = &request.of {
            of_run = Some(id.clone());
            tokio::spawn(self.clone().read_events(id.clone(), request.follow, pieces.clone()));
        }
        drop(pieces);
        let one = matches!(request.of, Target::Proc(..));
        tokio::spawn(self.clone().order(request.clone(), one, hosts + usize::from(of_run.is_some()), heard, sender));
        Ok(receiver)
    }

    /// What a name on a command line means: `HOST:PROC`, a swarm, a dispatch's number, a host, a squad, or a proc's name.
    ///
    /// # Errors
    /// It means nothing, or more than one thing.
    pub async fn target_named(&self, name: &str) -> Result<Target> {
        let catalog = self.catalog().await?;
        match catalog.swarm(name) {
            Ok(entry) => return Ok(Target::Swarm(entry.id.clone())),
            Err(fault) if fault.what.contains("is more than one") => return Err(fault),
            Err(_) => {}
        }
        if name.parse::<i64>().is_ok() {
            return Ok(Target::Dispatch(self.dispatch_named(name).await?.id));
        }
        let hosts = catalog.hosts()?;
        if let Some((host, proc)) = name.split_once(':')
            && hosts.iter().any(|known| known.name == host)
        {
            return Ok(Target::Proc(host.into(), proc.into()));
        }
        if hosts.iter().any(|host| host.name == name) {
            return Ok(Target::Host(name.into()));
        }
        if let Some(squad) = catalog.squads.iter().find(|squad| squad.name == name) {
            return Ok(Target::Squad(squad.name.clone()));
        }
        self.read_seen().await?;
        let world = self.last_world().await;
        let named: Vec<Target> =
            world.procs().filter(|proc| proc.name == name).map(|proc| Target::Proc(proc.host.clone(), proc.name.clone())).collect();
        match named.as_slice() {
            [one] => Ok(one.clone()),
            [] if self.store.build(name).await?.is_some() => Ok(Target::Build(name.into())),
            [] => Err(Fault::bad(format!("there is no swarm, dispatch, host, squad, proc or build '{name}'"))
                .next("swarmdeck get swarms, get procs (HOST:PROC) or get hosts")),
            _ => Err(Fault::bad(format!("'{name}' is on more than one host")).next("write HOST:PROC")),
        }
    }

    async fn log_places(&self, request: &LogRequest) -> Result<Vec<Place>> {
        let catalog = self.catalog().await?;
        self.read_seen().await?;
        let world = self.last_world().await;
        let bytes = match (request.since_ms, request.lines) {
            (Some(_), _) => MANY,
            (None, Some(lines)) => (lines as u64).saturating_mul(A_LINE).clamp(TAIL, MANY),
            (None, None) => TAIL,
        };
        let base = Wanted { bytes, follow: request.follow, behind: if request.skip { BEHIND } else { 0 }, ..Wanted::default() };
        let ours = |swarm: Option<&str>| -> BTreeMap<String, String> {
            let own = ("installation".to_string(), self.store.installation().to_string());
            [own].into_iter().chain(swarm.map(|swarm| ("swarm".to_string(), swarm.to_string()))).collect()
        };
        let below = |host: Host, stamped: BTreeMap<String, String>| Place {
            wanted: Wanted { root: host.root.clone(), stamped, ..base.clone() },
            host,
        };
        let places: Vec<Place> = match &request.of {
            Target::Proc(host, name) => {
                let host = catalog.host(host)?;
                let path = self.log_path(&host, name).await?;
                vec![Place { host, wanted: Wanted { files: [(name.clone(), path)].into(), ..base } }]
            }
            Target::Swarm(id) => {
                let squad = catalog.swarm(id)?.body.squad.clone();
                hosts_of(&catalog, &world, id, &squad)?.into_iter().map(|host| below(host, ours(Some(id)))).collect()
            }
            Target::Dispatch(id) => {
                let dispatch = self.dispatch_named(id).await?;
                let squad = dispatch.swarm.rsplit('@').next().unwrap_or_default();
                let hosts = hosts_of(&catalog, &world, &dispatch.swarm_id, squad)?;
                let concerned: BTreeSet<&str> = dispatch.steps.iter().map(|step| step.place.as_str()).collect();
                let of_it = |host: &Host| concerned.contains(host.name.as_str()) || dispatch.steps.is_empty();
                hosts.into_iter().filter(of_it).map(|host| below(host, ours(Some(&dispatch.swarm_id)))).collect()
            }
            Target::Host(name) => {
                let host = catalog.host(name)?;
                let link = self.links.link(&host).await?;
                // What is not ours has its log where its Supervisor says.
                let processes = supervisor::processes(link.as_ref(), &host.supervisor.socket).await.unwrap_or_default();
                let below_root = format!("{}/procs/", host.root);
                let other = |process: &&supervisor::Process| !process.logfile.is_empty() && !process.logfile.starts_with(&below_root);
                let files = processes.iter().filter(other).map(|process| (process.name.clone(), process.logfile.clone())).collect();
                let mut place = below(host, ours(None));
                place.wanted.files = files;
                vec![place]
            }
            Target::Squad(name) => {
                let hosts = catalog.hosts()?.into_iter().filter(|host| &host.squad == name);
                hosts.map(|host| below(host, ours(None))).collect()
            }
            _ => return Err(Fault::bad("this has no logs").next("swarmdeck logs SWARM, HOST:PROC, HOST, SQUAD or DISPATCH")),
        };
        if places.is_empty() {
            return Err(Fault::bad("no host has procs of it, so it has no log"));
        }
        Ok(places)
    }

    /// Where a proc's log is: as its Supervisor says; a foreign one's may be anywhere.
    async fn log_path(&self, host: &Host, name: &str) -> Result<String> {
        let link = self.links.link(host).await?;
        let all = supervisor::processes(link.as_ref(), &host.supervisor.socket).await?;
        let process = all.iter().find(|process| process.name == name || format!("{}:{}", process.group, process.name) == name);
        match process {
            Some(process) if !process.logfile.is_empty() => Ok(process.logfile.clone()),
            Some(_) => Err(Fault::failed(format!("Supervisor keeps no log of {name}")).on(&host.name)),
            None => Err(Fault::bad(format!("there is no proc '{name}'"))
                .on(&host.name)
                .next(format!("swarmdeck get procs; its last lives: swarmdeck logs {}:{name} --last-life", host.name))),
        }
    }

    /// Reads one host until its logs end or nobody listens; following, it is reached again and again, and goes on where it was.
    async fn read_host(self, mut place: Place, follow: bool, pieces: mpsc::Sender<Piece>) {
        let name = place.host.name.clone();
        let mut lines: HashMap<String, Lines> = HashMap::new();
        let (mut ready, mut tried, mut lost) = (false, 0u32, None::<i64>);
        loop {
            let ended = self.read_once(&mut place, &mut lines, &mut ready, &mut lost, &pieces).await;
            if pieces.is_closed() {
                return;
            }
            for (source, mut left) in lines.drain() {
                if let Some(text) = left.rest() {
                    drop(pieces.send(Piece::Line { from: format!("{name}:{source}"), text }).await);
                }
            }
            let Err(fault) = ended else { return };
            if lost.is_none() {
                lost = Some(self.now_ms());
                tried = 0;
                drop(pieces.send(Piece::Gap(format!("{name}: {}", fault.what))).await);
            }
            if !std::mem::replace(&mut ready, true) {
                drop(pieces.send(Piece::Ready).await);
            }
            if !follow || !matches!(fault.kind, FaultKind::Unreachable) {
                return;
            }
            tried += 1;
            let wait = Duration::from_secs(1 << tried.min(4)).min(AGAIN);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = pieces.closed() => return,
            }
        }
    }

    async fn read_once(
        &self,
        place: &mut Place,
        lines: &mut HashMap<String, Lines>,
        ready: &mut bool,
        lost: &mut Option<i64>,
        pieces: &mpsc::Sender<Piece>,
    ) -> Result<()> {
        let host = place.host.name.clone();
        let link = self.links.link(&place.host).await?;
        let mut said = reading::read(link.as_ref(), &place.wanted).await?;
        loop {
            let heard = tokio::select! {
                heard = said.recv() => heard,
                () = pieces.closed() => return Ok(()),
            };
            let Some(heard) = heard else { return Ok(()) };
            let heard = heard?;
            if let Some(since) = lost.take() {
                let seconds = (self.now_ms() - since).max(0) / 1000;
                drop(pieces.send(Piece::Gap(format!("{host}: answers again after {seconds}s, and goes on where it was"))).await);
            }
            let from = |name: &str| format!("{host}:{name}");
            let short = |name: &str| LogLine { at_ms: 0, from: from(name), text: String::new() }.label();
            let piece = match heard {
                Heard::Bytes { name, bytes, at } => {
                    let whole = lines.entry(name.clone()).or_default().push(&bytes);
                    for text in whole {
                        if pieces.send(Piece::Line { from: from(&name), text }).await.is_err() {
                            return Ok(());
                        }
                    }
                    place.wanted.at.insert(name, at);
                    continue;
                }
                // What was before a gap does not go on after it.
                Heard::Gap { name, what } if let Some(text) = lines.get_mut(&name).and_then(Lines::rest) => {
                    drop(pieces.send(Piece::Line { from: from(&name), text }).await);
                    Piece::Gap(format!("{}: {what}", short(&name)))
                }
                Heard::Gap { name, what } => Piece::Gap(format!("{}: {what}", short(&name))),
                Heard::Older(name) => Piece::Older(from(&name)),
                Heard::Appeared(name) => Piece::Gap(format!("{} is new here", from(&name))),
                Heard::Gone(name) => {
                    place.wanted.at.remove(&name);
                    if let Some(text) = lines.remove(&name).and_then(|mut left| left.rest()) {
                        drop(pieces.send(Piece::Line { from: from(&name), text }).await);
                    }
                    Piece::Gap(format!("{} is gone: it was removed", from(&name)))
                }
                Heard::Ready if std::mem::replace(ready, true) => continue,
                Heard::Ready => Piece::Ready,
            };
            if pieces.send(piece).await.is_err() {
                return Ok(());
            }
        }
    }

    /// What happened in a dispatch, as lines among those of its procs.
    async fn read_events(self, run: String, follow: bool, pieces: mpsc::Sender<Piece>) {
        let (mut changes, mut told, mut first) = (self.store.changes(), 0, true);
        loop {
            for event in self
                .store
                .events_of(&run, 100_000)
                .await
                .unwrap_or_default()
                .into_iter()
                .filter(|event| event.seq > told)
                .collect::<Vec<_>>()
            {
                told = event.seq;
                let at = jiff::Timestamp::from_millisecond(event.at_ms).map(|at| format!("{at:.3}")).unwrap_or_default();
                let from = if event.place.is_empty() { "dispatch".to_string() } else { format!("{} dispatch", event.place) };
                if pieces.send(Piece::Line { from, text: format!("{at} {}", event.what) }).await.is_err() {
                    return;
                }
            }
            if std::mem::take(&mut first) && pieces.send(Piece::Ready).await.is_err() {
                return;
            }
            let over = self.dispatch_named(&run).await.is_ok_and(|dispatch| dispatch.outcome.is_some());
            if !follow || over {
                return;
            }
            tokio::select! {
                () = changes.changed() => {}
                () = pieces.closed() => return,
            }
        }
    }

    /// Puts what the readers hand on into order: first all that there is, then what comes.
    async fn order(self, request: LogRequest, one: bool, places: usize, mut heard: mpsc::Receiver<Piece>, sender: mpsc::Sender<LogLine>) {
        let since = request.since_ms.filter(|since| *since > 0);
        let mut merge = Merge::default();
        let mut sources: BTreeSet<String> = BTreeSet::new();
        let mut older: BTreeSet<String> = BTreeSet::new();
        let mut waits = places;
        let slow = tokio::time::Instant::now() + SLOW;
        // A single log needs no order: its lines pass as they come, however many there are.
        let straight = one && since.is_none() && request.lines.is_none();
        while waits > 0 && !straight {
            let piece = match tokio::time::timeout_at(slow, heard.recv()).await {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(_) => {
                    merge.take(self.own_line(format!("{waits} of {places} places have not answered yet; their lines come later")), false);
                    break;
                }
            };
            match piece {
                Piece::Ready => waits -= 1,
                Piece::Older(from) => drop(older.insert(from)),
                piece => {
                    if let Piece::Line { from, .. } = &piece
                        && !sources.contains(from)
                    {
                        sources.insert(from.clone());
                    }
                    self.give(&mut merge, piece);
                    merge.trim();
                }
            }
        }
        let mut first = Vec::new();
        if let Some(since) = since {
            for from in &sources {
                let short = LogLine { at_ms: 0, from: from.clone(), text: String::new() }.label();
                let kept_from = merge.first(from).filter(|first| *first > since && older.contains(from));
                if !merge.is_timed(from) {
                    first.push(format!("{short}: no times in its lines, since cannot be kept: this is its end"));
                } else if let Some(at) = kept_from.and_then(|at| jiff::Timestamp::from_millisecond(at).ok()) {
                    first.push(format!("{short}: too much for since: what is read begins at {at:.0}"));
                }
            }
        }
        if merge.left_out() > 0 {
            first.push(format!("{} older lines left out: too many to be put into order", merge.left_out()));
        }
        let first: Vec<LogLine> = first.into_iter().map(|text| self.own_line(text)).collect();
        for line in first.into_iter().chain(merge.all(since, request.lines)) {
            if sender.send(line).await.is_err() {
                return;
            }
        }
        loop {
            let due = merge.next_due().map_or(3_600_000, |due| (due - self.now_ms()).max(0));
            let piece = tokio::select! {
                piece = heard.recv() => piece,
                () = tokio::time::sleep(Duration::from_millis(due.unsigned_abs())) => {
                    if !send_all(merge.due(self.now_ms()), &sender).await { return; }
                    continue;
                }
                () = sender.closed() => return,
            };
            let Some(piece) = piece else { break };
            match piece {
                Piece::Line { from, text } if one => {
                    let came = self.now_ms();
                    let at_ms = time_of(&text, came).map_or(came, |found| found.at_ms);
                    if sender.send(LogLine { at_ms, from, text }).await.is_err() {
                        return;
                    }
                }
                Piece::Gap(text) if one => {
                    if sender.send(self.own_line(text)).await.is_err() {
                        return;
                    }
                }
                Piece::Ready | Piece::Older(_) => {}
                piece => {
                    self.give(&mut merge, piece);
                    if !send_all(merge.due(self.now_ms()), &sender).await {
                        return;
                    }
                }
            }
        }
        send_all(merge.all(None, None), &sender).await;
    }

    fn give(&self, merge: &mut Merge, piece: Piece) {
        match piece {
            Piece::Line { from, text } => {
                let mark = start_of(&text).is_some();
                merge.take(LogLine { at_ms: self.now_ms(), from, text }, mark);
            }
            Piece::Gap(text) => merge.take(self.own_line(text), false),
            Piece::Older(_) | Piece::Ready => {}
        }
    }

    /// A line of this console's own, among those of logs.
    fn own_line(&self, text: String) -> LogLine {
        LogLine { at_ms: self.now_ms(), from: String::new(), text }
    }

    /// The last lives of a proc, the oldest first: how each ended, and the lines before its end. It need not be there any more.
    ///
    /// # Errors
    /// None is kept.
    pub async fn last_lives(&self, host: &str, name: &str) -> Result<Vec<LogLine>> {
        let tail = format!("/{host}/{name}/");
        let mut lives: Vec<Life> = Vec::new();
        for (key, _) in self.store.kept_names(super::why::LIVES, "").await? {
            if key.contains(&tail) {
                lives.extend(self.store.kept::<Life>(super::why::LIVES, &key).await.ok().flatten());
            }
        }
        if lives.is_empty() {
            return Err(Fault::bad(format!("no earlier life of {name} is kept")).on(host).next(format!("swarmdeck logs {host}:{name}")));
        }
        lives.sort_by_key(|life| life.start);
        let (from, count) = (format!("{host}:{name}"), lives.len());
        let at = |seconds: i64| jiff::Timestamp::from_second(seconds).map(|at| format!("{at:.0}")).unwrap_or_default();
        let mut lines = Vec::new();
        for (number, life) in lives.into_iter().enumerate() {
            let ended = if life.end > 0 { at(life.end) } else { "?".into() };
            let pid = life.pid.map(|pid| format!(" pid {pid}")).unwrap_or_default();
            let head = format!("life {} of {count}: {}{pid}, {} to {ended}: {}", number + 1, life.version, at(life.start), life.how());
            lines.push(LogLine { at_ms: life.start * 1000, from: String::new(), text: head });
            if life.lines.is_empty() {
                lines.push(LogLine { at_ms: life.end * 1000, from: String::new(), text: "it said nothing that is kept".into() });
            }
            let end_ms = life.end.max(life.start) * 1000;
            let of = |text: String| LogLine { at_ms: time_of(&text, end_ms).map_or(end_ms, |found| found.at_ms), from: from.clone(), text };
            lines.extend(life.lines.into_iter().map(of));
        }
        Ok(lines)
    }
}

async fn send_all(lines: Vec<LogLine>, sender: &mpsc::Sender<LogLine>) -> bool {
    for line in lines {
        if sender.send(line).await.is_err() {
            return false;
        }
    }
    true
}

/// Where procs of a swarm are or may appear: its squad's hosts, and wherever some were last seen.
fn hosts_of(catalog: &Catalog, world: &World, swarm: &str, squad: &str) -> Result<Vec<Host>> {
    let has = |host: &Host| {
        let procs = world.hosts.get(&host.name).map(|seen| seen.procs.as_slice()).unwrap_or_default();
        procs.iter().any(|proc| proc.stamp.as_ref().is_some_and(|stamp| stamp.swarm == swarm))
    };
    Ok(catalog.hosts()?.into_iter().filter(|host| host.squad == squad || has(host)).collect())
}
