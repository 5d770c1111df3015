//! Verbs that move procs without a new release, and words to a dispatch under way.

use super::args::{Format, Go, Named};
use super::dispatch::{Wanted, carried, ended};
use super::print::Report;
use crate::deck::Deck;
use crate::deck::look::{DispatchRequest, Replaced, Word};
use crate::model::{Fault, Result};
use serde_json::{Value, json};
use std::time::Duration;

/// A rolling restart.
pub async fn restart(deck: &Deck, swarm: &str, go: &Go, format: Format) -> Result<Report> {
    let request = DispatchRequest {
        swarm: swarm.into(),
        why: go.yes.why.clone(),
        same_release: true,
        replace: Some(Replaced::All),
        ..DispatchRequest::default()
    };
    ended(deck, carried(deck, Wanted::Request(&request), go, format).await, swarm).await
}

/// Empties a host, swarm after swarm.
pub async fn evacuate(deck: &Deck, host: &str, go: &Go, format: Format) -> Result<Report> {
    let request = |swarm: String| DispatchRequest {
        swarm,
        why: go.yes.why.clone(),
        same_release: true,
        replace: Some(Replaced::OnHost(host.to_string())),
        ..DispatchRequest::default()
    };
    one_by_one(deck, host, &request, go, format).await
}

/// Replaces what was last seen on a host that does not answer.
pub async fn re_place(deck: &Deck, host: &str, go: &Go, format: Format) -> Result<Report> {
    let request =
        |swarm: String| DispatchRequest { swarm, why: go.yes.why.clone(), same_release: true, go_on: true, ..DispatchRequest::default() };
    one_by_one(deck, host, &request, go, format).await
}

/// One plan and dispatch for each swarm with procs on a host; the first that does not end done is the last.
async fn one_by_one(deck: &Deck, host: &str, request: &dyn Fn(String) -> DispatchRequest, go: &Go, format: Format) -> Result<Report> {
    let swarms = deck.swarms_on(host).await?;
    if swarms.is_empty() {
        return Ok(Report::text(format!("no swarm has procs on {host}\n"), Value::Array(Vec::new())));
    }
    let (mut text, mut values, mut exit) = (String::new(), Vec::new(), 0);
    for (n, swarm) in swarms.iter().enumerate() {
        let report = ended(deck, carried(deck, Wanted::Request(&request(swarm.clone())), go, format).await, swarm).await?;
        exit = exit.max(report.exit);
        text.push_str(report.text.as_deref().unwrap_or_default());
        values.push(report.value);
        let left = swarms.get(n + 1..).unwrap_or_default();
        if !matches!(exit, 0 | 4) && !left.is_empty() {
            text.push_str(&format!("not started: {}\n", left.join(", ")));
            values.extend(left.iter().map(|swarm| json!({"swarm": swarm, "result": "not started"})));
            break;
        }
    }
    Ok(Report { value: Value::Array(values), text: Some(text), columns: &[], exit })
}

pub async fn promote(deck: &Deck, name: &str, named: &Named) -> Result<Report> {
    let dispatch = deck.dispatch_named(name).await?;
    super::named_or_stopped(deck, format!("Promote the canary of {}?", dispatch.swarm), &dispatch.touched(), named).await?;
    let said = deck.tell(&dispatch, &Word::Promote).await?;
    Ok(Report::text(format!("{said}\n"), json!({"promoted": dispatch.number})))
}

pub async fn go_on(deck: &Deck, name: &str, host: &str, named: &Named) -> Result<Report> {
    let dispatch = deck.dispatch_named(name).await?;
    if !dispatch.steps.iter().any(|step| step.place == host) {
        return Err(Fault::bad(format!("dispatch {} does nothing on {host}", dispatch.number)));
    }
    super::named_or_stopped(deck, format!("Go on without {host}?"), &dispatch.touched(), named).await?;
    let said = deck.tell(&dispatch, &Word::GoWithout(host.to_string())).await?;
    Ok(Report::text(format!("{said}\n"), json!({"without": host})))
}

pub async fn wait(deck: &Deck, name: &str, more: Duration) -> Result<Report> {
    let dispatch = deck.dispatch_named(name).await?;
    let minutes = more.as_secs().div_ceil(60);
    let said = deck.tell(&dispatch, &Word::Wait(minutes)).await?;
    Ok(Report::text(format!("{said}\n"), json!({"waits_minutes": minutes})))
}
