//! `on_event`: an operator's own program is told, as JSON on its standard input, what went wrong or ended.

use super::Deck;
use crate::hosts::local::session;
use crate::model::record::Event;
use crate::model::shown::shown_lines;
use serde_json::json;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;

/// How long it may take, how many run at once, and how many events wait for one to end.
const LIMIT: Duration = Duration::from_secs(10);
const AT_ONCE: usize = 4;
const WAITING: usize = 200;
/// How far the events have been told, in the store: no event is told twice, nor missed while no console is open.
const CURSOR: &str = "on_event";

impl Deck {
    /// Tells the program of each event that is for it; run by the observer alone. Never blocks anything else.
    pub(super) async fn keep_hooks(self) {
        let argv = self.home.config.on_event.clone();
        if argv.is_empty() {
            std::future::pending::<()>().await;
        }
        let places = Arc::new(Semaphore::new(AT_ONCE));
        // A program that fails again and again is one event until it works again.
        let failing = Arc::new(AtomicBool::new(false));
        let mut changes = self.store.changes();
        let mut told: Option<i64> = self.store.kept(CURSOR, "told").await.ok().flatten();
        loop {
            let after = match told {
                Some(after) => after,
                // The first time: what was before is history.
                None => self.store.events_latest(1).await.ok().and_then(|last| last.last().map(|event| event.seq)).unwrap_or(0),
            };
            let events = self.store.events_after(after, 1000).await.unwrap_or_default();
            let mut last = None;
            for event in &events {
                if event.alert().is_some() {
                    last = Some(event.seq);
                    let waits = tokio::time::timeout(LIMIT * u32::try_from(WAITING / AT_ONCE).unwrap_or(1), places.clone().acquire_owned());
                    let Ok(Ok(place)) = waits.await else { continue };
                    let (deck, argv, failing, event) = (self.clone(), argv.clone(), failing.clone(), event.clone());
                    tokio::spawn(async move {
                        deck.tell_program(&argv, &event, &failing).await;
                        drop(place);
                    });
                }
            }
            let seen = events.last().map_or(after, |event| event.seq);
            if told.is_none() || last.is_some() {
                // Each write wakes every console: only what was told is worth one.
                self.store.keep(CURSOR, "told", &last.unwrap_or(seen), self.now_ms()).await.ok();
            }
            told = Some(seen);
            if events.len() < 1000 {
                changes.changed().await;
            }
        }
    }

    async fn tell_program(&self, argv: &[String], event: &Event, failing: &AtomicBool) {
        let fleet = self.home.config.name.clone().unwrap_or_default();
        let text = json!({"fleet": fleet, "alert": event.alert(), "event": event}).to_string() + "\n";
        let trouble = match tokio::time::timeout(LIMIT, play(argv, &text)).await {
            Ok(Ok(())) => None,
            Ok(Err(what)) => Some(what),
            Err(_) => Some(format!("took longer than {} and was ended", humantime::format_duration(LIMIT))),
        };
        let program = argv.first().cloned().unwrap_or_default();
        match trouble {
            None => failing.store(false, Ordering::Relaxed),
            Some(what) if !failing.swap(true, Ordering::Relaxed) => {
                let event = Event {
                    at_ms: self.now_ms(),
                    kind: "on_event".into(),
                    what: format!("on_event: {program} {what}; it is told the next ones all the same"),
                    place: "on_event".into(),
                    result: "warning".into(),
                    ..Event::default()
                };
                self.store.note(&[event], None).await.ok();
            }
            Some(_) => {}
        }
    }
}

/// Runs the program once; what went wrong, in a few words.
async fn play(argv: &[String], text: &str) -> Result<(), String> {
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let mut command = session(&argv);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("cannot be started: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read is judged by its end.
        drop(stdin.write_all(text.as_bytes()).await);
    }
    let output = child.wait_with_output().await.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = shown_lines(String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default());
    Err(format!("ended with {}: {}", output.status, said.chars().take(200).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_gets_the_event_and_its_failure_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let got = dir.path().join("got");
        let argv = |script: &str| vec!["sh".to_string(), "-c".into(), script.into()];
        play(&argv(&format!("cat >{}", got.display())), "{\"a\": 1}\n").await.unwrap();
        assert_eq!(std::fs::read_to_string(got).unwrap(), "{\"a\": 1}\n");
        let what = play(&argv("echo no mail >&2; exit 3"), "x").await.unwrap_err();
        assert!(what.contains("exit status: 3") && what.contains("no mail"), "{what}");
        assert!(play(&["/no/such/program".to_string()], "x").await.is_err());
    }
}
