//! One-off commands in the environment of procs: what they say as lines, how each ended as an event with who and why.

use super::Deck;
use super::look::{LogLine, Target};
use crate::hosts::Chunk;
use crate::model::cut::Lines;
use crate::model::entity::Host;
use crate::model::quote;
use crate::model::record::{Audit, Event};
use crate::model::secret::{MASK, Secrets};
use crate::model::world::{Owner, ProcState};
use crate::model::{Fault, Result};
use serde::Serialize;
use tokio::sync::mpsc;

/// A command that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRequest {
    /// A proc, or a swarm.
    pub of: Target,
    pub argv: Vec<String>,
    /// Of a swarm on each of its running procs, else on one.
    pub all: bool,
    pub why: String,
}

/// How a command ended at one proc.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ran {
    pub host: String,
    pub proc: String,
    /// As a shell gives it: 128 + n when signal n ended it; none: it is not known, the connection was lost.
    pub status: Option<i32>,
    /// Why there is no status.
    pub trouble: String,
}

/// How a command ended everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AllRan(pub Vec<Ran>);

impl AllRan {
    /// The exit status of the whole: the first that is not 0.
    pub fn status(&self) -> i32 {
        self.0.iter().map(|ran| ran.status.unwrap_or(255)).find(|status| *status != 0).unwrap_or(0)
    }

    /// One line: how it ended.
    ///
    /// # Errors
    /// It did not end with 0 everywhere.
    pub fn said(&self) -> Result<String> {
        let bad: Vec<&Ran> = self.0.iter().filter(|ran| ran.status != Some(0)).collect();
        match bad.as_slice() {
            [] => Ok(format!("exit 0 on {}", if self.0.len() == 1 { "it".to_string() } else { format!("all {} procs", self.0.len()) })),
            [first, ..] => {
                let how = first.status.map_or_else(|| first.trouble.clone(), |status| format!("exit {status}"));
                Err(Fault::failed(format!("{how} of {}; {} of {} did not end with 0", first.proc, bad.len(), self.0.len())).on(&first.host))
            }
        }
    }
}

/// A command's words as they may be written down: what follows a key that is secret is not.
fn written(secrets: &Secrets, argv: &[String]) -> String {
    let mut hide = false;
    let word = |word: &String| {
        let mut parts = Vec::new();
        for part in word.split(' ') {
            let masked = match part.split_once('=') {
                _ if std::mem::take(&mut hide) => MASK.to_string(),
                Some((key, value)) if secrets.is_secret(key, value) => format!("{key}={MASK}"),
                _ => {
                    // `--api-key`: as the key would be written.
                    hide = part.starts_with('-') && secrets.is_secret_key(&part.trim_start_matches('-').replace('-', "_"));
                    secrets.mask_text(part)
                }
            };
            parts.push(masked);
        }
        quote::quote(&parts.join(" "))
    };
    argv.iter().map(word).collect::<Vec<_>>().join(" ")
}

impl Deck {
    /// Runs the command as the procs run: their release's environment, directory and user. Ends there when this is dropped.
    /// Lines go to `said`, standard error too.
    ///
    /// # Errors
    /// There is no such thing, no proc of it runs, or it is held; what went wrong at one of several procs is in the answer.
    pub async fn run(&self, request: &RunRequest, said: mpsc::Sender<LogLine>) -> Result<AllRan> {
        if request.argv.iter().all(String::is_empty) {
            return Err(Fault::bad("no command").next("swarmdeck run TARGET -- COMMAND"));
        }
        if let Some(why) = self.store.look_only() {
            return Err(Fault::refused(format!("nothing is run from here: {why}")));
        }
        let places = self.run_places(request).await?;
        let all = places.into_iter().map(|(host, name)| self.run_at(host, name, request, said.clone()));
        Ok(AllRan(futures::future::join_all(all).await.into_iter().collect::<Result<Vec<_>>>()?))
    }

    async fn run_places(&self, request: &RunRequest) -> Result<Vec<(Host, String)>> {
        let catalog = self.catalog().await?;
        let places = match &request.of {
            Target::Proc(host, name) => vec![(catalog.host(host)?, name.clone())],
            Target::Swarm(id) => {
                let entry = catalog.swarm(id)?.clone();
                let world = self.observe(&catalog, Some(&entry.body)).await?;
                let current = self.store.current_run(&entry.id).await?.map(|run| run.release_id).unwrap_or_default();
                let mut procs: Vec<_> = world
                    .procs()
                    .filter(|proc| proc.owner == Owner::Ours && proc.state == ProcState::Running)
                    .filter(|proc| proc.stamp.as_ref().is_some_and(|stamp| stamp.swarm == entry.id))
                    .collect();
                // Of its present release first.
                procs.sort_by_key(|proc| proc.release != current);
                procs.truncate(if request.all { usize::MAX } else { 1 });
                if procs.is_empty() {
                    return Err(Fault::refused(format!("no proc of {} runs, so there is no environment to run in", entry.name)));
                }
                procs.into_iter().map(|proc| Ok((catalog.host(&proc.host)?, proc.name.clone()))).collect::<Result<_>>()?
            }
            _ => return Err(Fault::bad("a command is run on a proc or a swarm").next("swarmdeck run SWARM or HOST:PROC -- COMMAND")),
        };
        for (host, _) in &places {
            self.refuse_held(host).await?;
        }
        Ok(places)
    }

    async fn run_at(&self, host: Host, name: String, request: &RunRequest, said: mpsc::Sender<LogLine>) -> Result<Ran> {
        let run = self.run_file(&host, &name).await?;
        let mut noted = Noted { deck: self.clone(), place: host.name.clone(), name: name.clone(), request: request.clone(), result: None };
        let ended = self.run_script(&host, &name, &run, &request.argv, &said).await;
        let ran = match ended {
            Ok(status) => Ran { host: host.name, proc: name, status: Some(status), trouble: String::new() },
            Err(fault) => Ran { host: host.name, proc: name, status: None, trouble: fault.what },
        };
        let how = ran.status.map_or_else(|| ran.trouble.clone(), |status| format!("exit {status}"));
        noted.result = Some((how.clone(), ran.status == Some(0)));
        let line = LogLine { at_ms: self.now_ms(), from: String::new(), text: format!("{}:{}: {how}", ran.host, ran.proc) };
        drop(said.send(line).await);
        noted.write().await?;
        Ok(ran)
    }

    async fn run_script(&self, host: &Host, name: &str, run: &str, argv: &[String], said: &mpsc::Sender<LogLine>) -> Result<i32> {
        let link = self.links.link(host).await?;
        let run = quote::quote(run);
        let there = format!("[ -f {run} ] || {{ echo 'there is no such proc, or it was not made by this installation' >&2; exit 126; }}");
        let mut chunks = link.follow(&format!("{there}\nexec {run} exec {}", quote::command(argv))).await?;
        let (mut out, mut err) = (Lines::default(), Lines::default());
        let from = format!("{}:{name}", host.name);
        while let Some(chunk) = chunks.recv().await {
            let (texts, status) = match chunk {
                Chunk::Out(bytes) => (out.push(&bytes), None),
                Chunk::Err(bytes) => (err.push(&bytes), None),
                Chunk::End(status) => (out.rest().into_iter().chain(err.rest()).collect(), Some(status)),
            };
            for text in texts {
                // Whoever does not listen any more stops it by dropping this.
                drop(said.send(LogLine { at_ms: self.now_ms(), from: from.clone(), text }).await);
            }
            if let Some(status) = status {
                return Ok(status);
            }
        }
        Err(Fault::unreachable("the connection was lost; whether it ended there is not known").on(&host.name))
    }
}

/// Writes down that a command was run; one that was dropped on the way too.
struct Noted {
    deck: Deck,
    place: String,
    name: String,
    request: RunRequest,
    result: Option<(String, bool)>,
}

impl Noted {
    async fn write(mut self) -> Result<()> {
        let (event, audit) = self.records();
        self.result = None;
        self.place.clear();
        self.deck.store.note(&[event], Some(&audit)).await
    }

    fn records(&self) -> (Event, Audit) {
        let (how, well) = self.result.clone().unwrap_or_else(|| ("stopped by its operator".into(), false));
        let (at_ms, who, why) = (self.deck.now_ms(), self.deck.who.clone(), self.request.why.clone());
        let what = format!("ran {} in {}: {how}", written(&self.deck.secrets, &self.request.argv), self.name);
        let object = format!("{}:{}", self.place, self.name);
        let (verb, result) = ("run".to_string(), how);
        let audit = Audit { at_ms, who: who.clone(), verb, object, result, why: why.clone(), ..Audit::default() };
        let result = if well { "success" } else { "failed" }.to_string();
        (Event { at_ms, kind: "proc".into(), who, what, place: self.place.clone(), result, why, ..Event::default() }, audit)
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if self.place.is_empty() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (store, (event, audit)) = (self.deck.store.clone(), self.records());
            runtime.spawn(async move { store.note(&[event], Some(&audit)).await.ok() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_a_command_are_not_written_down() {
        let words = |argv: &[&str]| written(&Secrets::default(), &argv.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(words(&["ls", "-l", "it's"]), r#"ls -l 'it'\''s'"#);
        assert_eq!(words(&["sh", "-c", "DB_PASSWORD=hunter2 ./x --api-key k1 y"]), "sh -c 'DB_PASSWORD=**** ./x --api-key **** y'");
        assert_eq!(words(&["x", "--password", "hunter2", "postgres://u:hunter2@db/x"]), "x --password '****' 'postgres://****@db/x'");
    }

    #[test]
    fn the_whole_ends_with_the_first_that_went_wrong() {
        let ran = |status: Option<i32>| Ran { host: "h".into(), proc: "p".into(), status, trouble: "lost".into() };
        let all = AllRan(vec![ran(Some(0)), ran(Some(3)), ran(None)]);
        assert_eq!((all.status(), all.said().unwrap_err().line().contains("exit 3 of p; 2 of 3")), (3, true));
        assert_eq!((AllRan(vec![ran(None)]).status(), AllRan(vec![ran(Some(0))]).said().unwrap()), (255, "exit 0 on it".into()));
    }
}
