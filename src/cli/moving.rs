//! Verbs that move procs without a new release, and words to a dispatch under way.

use super::args::{Format, Go, Named};
use super::dispatch::{Wanted, carried, ended};
use super::print::Report;
use crate::deck::Deck;
use crate::deck::look::{DispatchRequest, Replaced, Word};
use crate::deck::wave::{WaveOf, WaveRequest};
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

/// Empties a host: its swarm, or several as one wave.
pub async fn evacuate(deck: &Deck, host: &str, go: &Go, format: Format) -> Result<Report> {
    if deck.swarms_on(host).await?.len() > 1 {
        return as_wave(deck, WaveOf::Evacuate(host.to_string()), go, format).await;
    }
    let request = |swarm: String| DispatchRequest {
        swarm,
        why: go.yes.why.clone(),
        same_release: true,
        replace: Some(Replaced::OnHost(host.to_string())),
        ..DispatchRequest::default()
    };
    of_one(deck, host, &request, go, format).await
}

/// Replaces what was last seen on a host that does not answer; of several swarms as one wave.
pub async fn re_place(deck: &Deck, host: &str, go: &Go, format: Format) -> Result<Report> {
    if deck.swarms_on(host).await?.len() > 1 {
        return as_wave(deck, WaveOf::RePlace(host.to_string()), go, format).await;
    }
    let request =
        |swarm: String| DispatchRequest { swarm, why: go.yes.why.clone(), same_release: true, go_on: true, ..DispatchRequest::default() };
    of_one(deck, host, &request, go, format).await
}

async fn as_wave(deck: &Deck, what: WaveOf, go: &Go, format: Format) -> Result<Report> {
    let request = WaveRequest { what, why: go.yes.why.clone(), ..WaveRequest::default() };
    super::wave::dispatch(deck, &request, None, go, format).await
}

/// The plan and dispatch of the only swarm with procs on a host.
async fn of_one(deck: &Deck, host: &str, request: &dyn Fn(String) -> DispatchRequest, go: &Go, format: Format) -> Result<Report> {
    match deck.swarms_on(host).await?.first() {
        None => Ok(Report::text(format!("no swarm has procs on {host}\n"), Value::Array(Vec::new()))),
        Some(swarm) => {
            let report = ended(deck, carried(deck, Wanted::Request(&request(swarm.clone())), go, format).await, swarm).await?;
            Ok(Report { value: Value::Array(vec![report.value]), ..report })
        }
    }
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
