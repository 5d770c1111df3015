//! The text of an incident: one dispatch, who and why, what was planned, each step with its times, what failed, the evidence, and
//! what happened around it. Plain text that can be pasted into a ticket; no secret is in it.

use super::Deck;
use super::why::{EVIDENCE, UPTEST};
use crate::hosts::procs::Evidence;
use crate::model::Result;
use crate::model::record::{Dispatch, Event, Phase, StepState};
use crate::model::shown::shown;
use crate::plan::Plan;
use crate::uptest::UptestResult;
use std::collections::BTreeSet;

/// How long before and after it what happened elsewhere is told, ms.
const AROUND: i64 = 300_000;
/// Events that are looked through for that, and lines of evidence of each proc.
const EVENTS: i64 = 5_000;
const LINES: usize = 30;

impl Deck {
    /// The lines of the report of a dispatch, by its number or id.
    ///
    /// # Errors
    /// There is no such dispatch, or the store cannot be read.
    pub async fn report(&self, name: &str) -> Result<Vec<String>> {
        let mut dispatch = self.dispatch_named(name).await?;
        dispatch.steps = self.store.steps(&dispatch.id).await?;
        let plan = self.store.kept::<Plan>("plan", &dispatch.id).await?;
        let mut lines = head(&dispatch, self.now_ms());
        lines.extend(plan.as_ref().map(of_plan).unwrap_or_else(|| vec![String::new(), "PLAN  not kept any more".into()]));
        lines.extend(steps(&dispatch));
        if let Some(fault) = &dispatch.fault {
            lines.extend([String::new(), "FAILED".into(), format!("  {}", fault.line())]);
        }
        lines.extend(self.evidence_lines(&dispatch).await?);
        if !dispatch.debts.is_empty() {
            lines.extend([String::new(), format!("OWED  {}", dispatch.debts.len())]);
            lines.extend(dispatch.debts.iter().map(|debt| format!("  {}: {}", debt.host, debt.what)));
        }
        lines.extend(self.event_lines(&dispatch).await?);
        Ok(lines.iter().map(|line| self.secrets.mask_text(&shown(line))).collect())
    }

    async fn evidence_lines(&self, dispatch: &Dispatch) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        let prefix = format!("{}/", dispatch.id);
        for (key, _) in self.store.kept_names(UPTEST, &format!("{prefix}failed/")).await? {
            let Some(result) = self.store.kept::<UptestResult>(UPTEST, &key).await.ok().flatten() else { continue };
            let place: Vec<&str> = key.split('/').skip(2).take(2).collect();
            lines.push(format!("  uptest {} of {} failed in {:.2} s", result.name, place.join(":"), result.seconds));
            lines.extend(last(&result.output.lines().map(str::to_string).collect::<Vec<_>>()).map(|line| format!("    | {line}")));
        }
        for (key, _) in self.store.kept_names(EVIDENCE, &prefix).await? {
            let Some(left) = self.store.kept::<Evidence>(EVIDENCE, &key).await.ok().flatten() else { continue };
            let error = if left.spawn_error.is_empty() { String::new() } else { format!("  {}", left.spawn_error) };
            lines.push(format!("  {} on {}: {}{error}", left.name, left.host, left.status));
            lines.extend(last(&left.lines(LINES)).map(|line| format!("    | {line}")));
        }
        if !lines.is_empty() {
            lines.splice(0..0, [String::new(), "EVIDENCE  what was kept of procs that were removed, and of uptests that failed".into()]);
        }
        Ok(lines)
    }

    async fn event_lines(&self, dispatch: &Dispatch) -> Result<Vec<String>> {
        let own = self.store.events_of(&dispatch.id, EVENTS).await?;
        let mut lines = vec![String::new(), format!("EVENTS  {} of this dispatch", own.len())];
        lines.extend(own.iter().map(of_event));
        let ended = if dispatch.ended_ms > 0 { dispatch.ended_ms } else { self.now_ms() };
        let span = dispatch.started_ms - AROUND..=ended + AROUND;
        let around: Vec<Event> = match (own.first(), own.last()) {
            (Some(first), Some(_)) => self.store.events_after((first.seq - EVENTS / 2).max(0), EVENTS).await?,
            _ => self.store.events_latest(EVENTS).await?,
        };
        let around: Vec<&Event> = around.iter().filter(|event| event.run != dispatch.id && span.contains(&event.at_ms)).collect();
        lines.extend([String::new(), format!("AROUND IT  {} other events, from 5 minutes before to 5 minutes after", around.len())]);
        lines.extend(around.into_iter().map(of_event));
        Ok(lines)
    }
}

fn last(lines: &[String]) -> impl Iterator<Item = &String> {
    lines.iter().skip(lines.len().saturating_sub(LINES))
}

/// Day and time in UTC.
fn at(ms: i64) -> String {
    if ms <= 0 {
        return "-".into();
    }
    jiff::Timestamp::from_millisecond(ms).map(|at| at.strftime("%F %T").to_string()).unwrap_or_default()
}

fn seconds(from_ms: i64, to_ms: i64) -> String {
    if from_ms <= 0 || to_ms <= 0 { "-".into() } else { format!("{:.1} s", (to_ms - from_ms).max(0) as f64 / 1000.0) }
}

fn of_event(event: &Event) -> String {
    let who = if event.who.is_empty() { "-" } else { &event.who };
    let why = if event.why.is_empty() { String::new() } else { format!("  ({})", event.why) };
    format!("  {}  {who:<8} {:<16} {}{why}", at(event.at_ms), event.place, event.what)
}

fn head(dispatch: &Dispatch, now_ms: i64) -> Vec<String> {
    let outcome = match dispatch.outcome {
        Some(outcome) => outcome.word().to_string(),
        None if dispatch.undoing => format!("being undone, at {}", dispatch.phase.word()),
        None => format!("under way, at {}", dispatch.phase.word()),
    };
    let end = if dispatch.ended_ms > 0 { dispatch.ended_ms } else { now_ms };
    let or_none = |text: &str| if text.is_empty() { "-".to_string() } else { text.to_string() };
    let release = |id: &str| or_none(&id.chars().take(8).collect::<String>());
    vec![
        format!("REPORT of dispatch {}: {} of {}: {outcome}", dispatch.number, dispatch.verb, dispatch.swarm),
        String::new(),
        format!("who      {}", or_none(&dispatch.who)),
        format!("why      {}", or_none(&dispatch.why)),
        format!("version  {} -> {}", or_none(&dispatch.from_version), or_none(&dispatch.to_version)),
        format!("release  {} -> {}", release(&dispatch.from_release), release(&dispatch.to_release)),
        format!("began    {} UTC", at(dispatch.started_ms)),
        format!("ended    {} UTC, after {}", at(dispatch.ended_ms), seconds(dispatch.started_ms, end)),
    ]
}

fn of_plan(plan: &Plan) -> Vec<String> {
    let mut lines = vec![String::new(), format!("PLAN  {} procs -> {}, as it was confirmed", plan.size_before, plan.size)];
    let mut procs = |word: &str, all: &[crate::plan::PlannedProc]| {
        lines.extend(all.iter().map(|proc| format!("  {word:<7} {} :{}  {}", proc.host, proc.port, proc.name)));
    };
    procs("start", &plan.start);
    procs("keep", &plan.keep);
    procs("retire", &plan.retire);
    procs("lost", &plan.lost);
    for pool in plan.pool.iter().chain(&plan.other_pools).filter(|pool| pool.is_change()) {
        lines.push(format!("  pool    {}@{}: +{} -{}", pool.pool, pool.balancer, pool.added().len(), pool.removed().len()));
    }
    for change in &plan.changes {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
        lines.push(format!(
            "  {:<7} {}: {} -> {}  ({})",
            change.file,
            change.key,
            value(&change.before),
            value(&change.after),
            change.layer
        ));
    }
    lines.extend(plan.warnings.iter().map(|warning| format!("  warning {warning}")));
    if !plan.back.is_empty() {
        lines.push(format!("  back    {}", plan.back));
    }
    lines
}

/// Host by host, in the order of the phases.
fn steps(dispatch: &Dispatch) -> Vec<String> {
    let mut lines = vec![String::new(), "STEPS  place by place; times in UTC".into()];
    let places: BTreeSet<&str> = dispatch.steps.iter().map(|step| step.place.as_str()).collect();
    for place in places {
        lines.push(format!("  {}", if place.is_empty() { "the dispatch as a whole" } else { place }));
        let mut of_it: Vec<_> = dispatch.steps.iter().filter(|step| step.place == place).collect();
        of_it.sort_by_key(|step| (step.started_ms == 0, step.started_ms, step.batch, step.phase));
        for step in of_it {
            let batch = if step.batch > 0 { format!(" batch {}", step.batch + 1) } else { String::new() };
            let word = match step.state {
                StepState::Pending => "not begun",
                StepState::Intent => "BEGUN, NOT ENDED",
                StepState::Done => "done",
                StepState::Failed => "FAILED",
                StepState::Undoing => "being undone",
                StepState::Undone => "undone",
                StepState::Owed => "OWED",
                StepState::Lost => "LOST",
                StepState::Skipped => "skipped",
            };
            let time = at(step.started_ms);
            let clock = time.get(11..).unwrap_or("-       ");
            let phase = if step.phase == Phase::Distribute { "send" } else { step.phase.word() };
            lines.push(
                format!("    {clock:<8}  {phase:<8}{batch} {word:<10} {:>8}  {}", seconds(step.started_ms, step.ended_ms), step.detail)
                    .trim_end()
                    .to_string(),
            );
        }
    }
    lines
}
