//! Waves on the command line: several swarms as one plan, carried out, taken up again, rolled back as one.

use super::args::{Busy, Format, Go};
use super::dispatch::text;
use super::print::{self, Report, err};
use super::signals::{Signals, unless_stopped};
use crate::deck::wave::{CarriedWave, MemberNow, WavePlan, WaveRequest, WaveStop, exit_of};
use crate::deck::{Deck, Lines, Said};
use crate::model::protect::Touched;
use crate::model::record::Outcome;
use crate::model::shown::shown_lines;
use crate::model::waiting::Waiting;
use crate::model::wave::{AT_ONCE, State};
use crate::model::{Fault, Result};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

/// `plan A B C`.
pub async fn plan(deck: &Deck, request: &WaveRequest) -> Result<Report> {
    let planned = made(deck, |lines| deck.plan_wave(request, lines)).await?;
    let value = json!({"wave": planned.plans, "left_out": left_out(&planned)});
    Ok(Report::text(said(&planned, AT_ONCE), value))
}

/// `dispatch A B C` and `wave INGREDIENT`.
pub async fn dispatch(deck: &Deck, request: &WaveRequest, at_once: Option<usize>, go: &Go, format: Format) -> Result<Report> {
    let at_once = at_once.unwrap_or(AT_ONCE);
    let planned = confirmed(deck, async || made(deck, |lines| deck.plan_wave(request, lines)).await, at_once, go, format).await?;
    let cursor = latest(deck).await?;
    ended(deck, cursor, deck.begin_wave(&planned, &go.yes.why, at_once, &go.lift).await?).await
}

/// `rollback wave 7`.
pub async fn rollback(deck: &Deck, number: &str, go: &Go, format: Format) -> Result<Report> {
    let wave = deck.wave_named(number).await?;
    let plan = async || made(deck, |lines| deck.plan_wave_back(&wave, &go.yes.why, lines)).await;
    let planned = confirmed(deck, plan, wave.at_once, go, format).await?;
    let cursor = latest(deck).await?;
    ended(deck, cursor, deck.begin_wave(&planned, &go.yes.why, wave.at_once, &go.lift).await?).await
}

/// `resume wave 7`.
pub async fn resume(deck: &Deck, number: &str, go: &Go, format: Format) -> Result<Report> {
    let wave = deck.wave_named(number).await?;
    if deck.members(&wave).await?.iter().all(|now| now.state == State::Done) {
        return Err(Fault::refused(format!("wave {} is done", wave.number)).next(format!("swarmdeck rollback wave {}", wave.number)));
    }
    let planned = confirmed(deck, async || made(deck, |lines| deck.plan_wave_rest(&wave, lines)).await, wave.at_once, go, format).await?;
    let cursor = latest(deck).await?;
    ended(deck, cursor, deck.take_up_wave(&wave, &planned, &go.lift).await?).await
}

async fn made<F: Future<Output = Result<WavePlan>>>(deck: &Deck, plan: impl FnOnce(Option<Lines>) -> F) -> Result<WavePlan> {
    let (sender, printing) = print::lines();
    let planned = unless_stopped(deck, plan(Some(sender))).await;
    printing.await.ok();
    planned
}

/// A wave that is shown and confirmed. With `--on-busy` its swarms are made free after that; what changed by it is planned and shown anew.
async fn confirmed(deck: &Deck, plan: impl AsyncFn() -> Result<WavePlan>, at_once: usize, go: &Go, format: Format) -> Result<WavePlan> {
    loop {
        let planned = plan().await?;
        confirm(deck, &planned, at_once, go, format).await?;
        let mut moved = Vec::new();
        for plan in planned.plans.iter().filter(|_| go.on_busy != Busy::Refuse) {
            let hear = |waiting: &Waiting| err(&format!("  {:<22} {}\n", plan.swarm, waiting.line(deck.now_ms())));
            unless_stopped(deck, async {
                match go.on_busy {
                    Busy::Supersede => deck.supersede(&plan.swarm_id, &hear).await,
                    Busy::Wait | Busy::Refuse => deck.wait_until_free(&plan.swarm_id, &hear).await,
                }
            })
            .await?;
            moved.extend(deck.moved_since(plan).await?);
        }
        if moved.is_empty() {
            return Ok(planned);
        }
        err(&format!("the world moved while this waited: {}\n", moved.join("; ")));
    }
}

async fn confirm(deck: &Deck, planned: &WavePlan, at_once: usize, go: &Go, format: Format) -> Result<()> {
    if format == Format::Table {
        print::out(&shown_lines(&said(planned, at_once)));
    }
    deck.wave_may_go(&planned.plans, &go.lift).await?;
    if planned.plans.is_empty() {
        return Ok(());
    }
    let (verb, place) = planned.what.verb();
    let names: Vec<&str> = planned.plans.iter().map(|plan| plan.swarm.as_str()).collect();
    let question = format!("{verb} {place}{}{} swarms ({})?", if place.is_empty() { "" } else { ": " }, names.len(), names.join(", "));
    let mut touched = Touched::default();
    planned.plans.iter().for_each(|plan| touched.and(plan.touched()));
    let protected = deck.protected(&touched).await?;
    super::confirmed_or_stopped(question, &go.yes, protected).await
}

/// All plans, one under the other, and how they go.
fn said(planned: &WavePlan, at_once: usize) -> String {
    let mut all: String = planned.plans.iter().map(text).collect();
    for (swarm, why) in &planned.left_out {
        all.push_str(&format!("  left out: {swarm} {why}\n"));
    }
    if let Some(first) = planned.plans.first() {
        let count = planned.plans.len();
        all.push_str(&format!(
            "WAVE of {count} swarms: {} first, alone; then {at_once} at a time; the first failure stops it\n",
            first.swarm
        ));
    }
    all
}

fn left_out(planned: &WavePlan) -> Vec<serde_json::Value> {
    planned.left_out.iter().map(|(swarm, why)| json!({"swarm": swarm, "why": why})).collect()
}

/// Follows a wave to its end on stderr; ctrl-c undoes what is under way, a second one (or SIGTERM) stops it resumable.
async fn ended(deck: &Deck, mut cursor: i64, carried: CarriedWave) -> Result<Report> {
    let CarriedWave { wave, stop, mut done } = carried;
    err(&format!("wave {} of {} swarms is under way\n", wave.number, wave.members.len()));
    let runs: BTreeSet<String> = wave.members.iter().map(|member| member.plan.clone()).chain([wave.id.clone()]).collect();
    let mut changes = deck.store.changes();
    let mut signals = Signals::heard()?;
    let (mut interrupted, mut waits) = (false, Said::default());
    let members = loop {
        cursor = tell(deck, &runs, cursor).await;
        for id in deck.carrying() {
            if let Ok(Some(dispatch)) = deck.store.dispatch(&id).await
                && let Some(waiting) = deck.waiting(&dispatch).await
            {
                waits.say(waiting, deck.now_ms(), &|waiting| err(&format!("  {:<22} {}\n", dispatch.swarm, waiting.line(deck.now_ms()))));
            }
        }
        tokio::select! {
            members = &mut done => break members.map_err(|error| Fault::interrupted(format!("the wave broke off: {error}")))??,
            () = changes.changed() => {}
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            _ = signals.interrupt.recv() => {
                err(if interrupted { "stopping between steps\n" } else { "cancelling: what is under way is undone, nothing more begins\n" });
                stop.send_replace(Some(if interrupted { WaveStop::Leave } else { WaveStop::Undo }));
                interrupted = true;
            }
            _ = signals.terminate.recv() => drop(stop.send_replace(Some(WaveStop::Leave))),
            _ = signals.hang_up.recv() => {}
        }
    };
    tell(deck, &runs, cursor).await;
    let mut value = deck.wave_value(&deck.wave_named(&wave.id).await?).await?;
    if let Some(value) = value.as_object_mut() {
        value.insert("wave".into(), json!(wave.number));
    }
    Ok(Report::text(listed(wave.number, &members), value).with_exit(exit_of(&members)))
}

/// The newest event's number.
async fn latest(deck: &Deck) -> Result<i64> {
    Ok(deck.store.events_latest(1).await?.last().map_or(0, |event| event.seq))
}

async fn tell(deck: &Deck, runs: &BTreeSet<String>, cursor: i64) -> i64 {
    let mut last = cursor;
    for event in deck.store.events_after(cursor, 10_000).await.unwrap_or_default() {
        last = event.seq;
        if runs.contains(&event.run) {
            err(&format!("  {:<22} {}\n", event.place, event.what));
        }
    }
    last
}

/// How far each member is, and what to do next.
fn listed(number: i64, members: &[MemberNow]) -> String {
    let mut said = String::new();
    for now in members {
        let dispatch = now.dispatch.as_ref().map_or(String::new(), |dispatch| format!(" (dispatch {})", dispatch.number));
        let fault =
            now.dispatch.as_ref().filter(|dispatch| dispatch.outcome != Some(Outcome::Done)).and_then(|dispatch| dispatch.fault.as_ref());
        let why = fault.map(Fault::line).or_else(|| Some(now.member.refused.clone()).filter(|refused| !refused.is_empty()));
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        said.push_str(&format!("{:<12} {}{dispatch}{why}\n", now.state.word(), now.member.swarm));
        for debt in now.dispatch.iter().flat_map(|dispatch| &dispatch.debts) {
            said.push_str(&format!("owed to {}: {}\n", debt.host, debt.what));
        }
    }
    let done = members.iter().filter(|now| now.state == State::Done).count();
    said.push_str(&format!("wave {number}: {done} of {} done\n", members.len()));
    if done < members.len() {
        said.push_str(&format!("next: swarmdeck resume wave {number}, or swarmdeck rollback wave {number}\n"));
    }
    said
}
