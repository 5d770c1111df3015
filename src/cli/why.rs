//! `why`, and `upkeep` in its rounds.

use super::args::Format;
use super::print::{Report, out};
use crate::deck::Deck;
use crate::deck::why::CATALOGUE;
use crate::model::{Fault, Result};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// How long `upkeep --follow` waits between two rounds.
const ROUND: Duration = Duration::from_secs(30);

/// Why one thing is as it is; without a name, everything that can be found.
pub async fn why(deck: &Deck, name: Option<&str>) -> Result<Report> {
    let Some(name) = name else {
        let rows = CATALOGUE.iter().map(|(id, sign)| json!({"cause": id, "sign": sign})).collect();
        return Ok(Report::table(rows, &["cause", "sign"]));
    };
    let why = deck.why(name).await?;
    let value = serde_json::to_value(&why).map_err(|error| Fault::failed(error.to_string()))?;
    Ok(Report::text(why.lines().join("\n") + "\n", value))
}

/// One round, or round after round until a signal.
pub async fn upkeep(deck: &Deck, follow: bool, format: Format) -> Result<Report> {
    if !follow {
        return round(deck).await;
    }
    let cannot = |error: std::io::Error| Fault::failed(format!("signals cannot be heard: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    loop {
        // Whoever died while no console was open is seen here.
        deck.observe_all().await.ok();
        match round(deck).await {
            Ok(report) if format == Format::Table => out(report.text.as_deref().unwrap_or_default()),
            Ok(report) => out(&format!("{}\n", report.value)),
            Err(fault) => super::print::err(&format!("swarmdeck: {}\n", fault.line())),
        }
        tokio::select! {
            () = tokio::time::sleep(ROUND) => {}
            _ = terminate.recv() => return Ok(Report::nothing()),
            _ = interrupt.recv() => return Ok(Report::nothing()),
        }
    }
}

async fn round(deck: &Deck) -> Result<Report> {
    let mut report = super::dispatch::resume(deck, None, &Default::default()).await?;
    let swept = deck.sweep().await?;
    let gone: Vec<String> = swept.forgotten.iter().filter(|(_, n)| *n > 0).map(|(kind, n)| format!("{n} of {kind}")).collect();
    let mut text = report.text.take().unwrap_or_default();
    if swept.collected > 0 {
        text.push_str(&format!("last words of {} removed procs fetched\n", swept.collected));
    }
    if !gone.is_empty() {
        text.push_str(&format!("forgotten after 14 days: {}\n", gone.join(", ")));
    }
    let forgotten: serde_json::Map<String, Value> = swept.forgotten.iter().map(|(kind, n)| (kind.clone(), json!(n))).collect();
    report.value = json!({"dispatches": report.value, "collected": swept.collected, "forgotten": forgotten});
    report.text = Some(text);
    Ok(report)
}
