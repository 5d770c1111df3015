//! The console's port over the real deck: one call per effect.

use super::port::{Port, Said};
use crate::deck::habits::Habits;
use crate::deck::logs::LogRequest;
use crate::deck::look::{DispatchRequest, Draft, EditDocument, EditSaved, EditTarget, LogLine, Look, Target, Word};
use crate::deck::past::{AuditWanted, VersionLook};
use crate::deck::reading::Inquiry;
use crate::deck::running::RunRequest;
use crate::deck::wave::{WaveGo, WavePlan, WaveRequest};
use crate::deck::{Deck, PoolPlan, PoolVerb, Stop, StrayPlan};
use crate::model::document::Kind;
use crate::model::hold::HoldOn;
use crate::model::waiting::Waiting;
use crate::model::wave::AT_ONCE;
use crate::model::{Fault, Result};
use crate::plan::Plan;
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Hands what is said on as lines; nobody listening is fine.
fn told(deck: &Deck, progress: mpsc::Sender<LogLine>, from: &'static str) -> impl Fn(String) + Send + Sync {
    let deck = deck.clone();
    move |text| drop(progress.try_send(LogLine { at_ms: deck.now_ms(), from: from.into(), text }))
}

#[async_trait]
impl Port for Deck {
    fn look(&self) -> Arc<Look> {
        Deck::look(self)
    }
    fn changes(&self) -> watch::Receiver<u64> {
        Deck::changes(self)
    }
    async fn refresh(&self) -> Result<()> {
        self.observe_all().await
    }
    async fn why(&self, target: Target) -> Result<Vec<String>> {
        Ok(self.why_of(&target).await?.map(|why| why.lines()).unwrap_or_default())
    }

    async fn plan(&self, request: DispatchRequest, progress: mpsc::Sender<LogLine>) -> Result<Plan> {
        Deck::plan(self, &request, Some(progress)).await
    }
    async fn execute(&self, plan_id: &str, why: &str, lift: &[String]) -> Result<String> {
        self.may_change()?;
        Ok(self.execute_lifting(plan_id, why, lift).await?.id)
    }
    async fn wait_free(&self, plan_id: &str, supersede: bool, progress: mpsc::Sender<LogLine>) -> Result<Vec<String>> {
        let plan = self.stored_plan(plan_id).await?;
        let say = told(self, progress, "waits");
        let hear = |waiting: &Waiting| say(waiting.line(self.now_ms()));
        if supersede {
            self.may_change()?;
            self.supersede(&plan.swarm_id, &hear).await?;
        } else {
            self.wait_until_free(&plan.swarm_id, &hear).await?;
        }
        self.moved_since(&plan).await
    }
    async fn plan_wave(&self, request: WaveRequest, progress: mpsc::Sender<LogLine>) -> Result<WavePlan> {
        Deck::plan_wave(self, &request, Some(progress)).await
    }
    async fn begin_wave(&self, go: &WaveGo) -> Said {
        self.may_change()?;
        let carried = self.go_wave(go, AT_ONCE).await?;
        Ok(format!("wave {} of {} swarms is under way; :waves shows it, 6 its dispatches", carried.wave.number, go.plans.len()))
    }
    fn carries(&self) -> bool {
        !self.carrying().is_empty()
    }
    async fn hand_over(&self, progress: mpsc::Sender<LogLine>) -> Result<()> {
        let say = told(self, progress, "leaving");
        for id in self.carrying() {
            Deck::hand_over(self, &id, &say).await?;
        }
        Ok(())
    }
    async fn hold(&self, on: HoldOn, object: &str, why: &str, until_ms: i64) -> Said {
        self.may_change()?;
        let hold = Deck::hold(self, on, object, why, until_ms).await?;
        Ok(format!("{} holds {}", hold.name, hold.object))
    }
    async fn lift(&self, name: &str) -> Said {
        self.may_change()?;
        let hold = Deck::lift(self, name, "").await?;
        Ok(format!("{} is lifted from {}", hold.name, hold.object))
    }
    async fn cancel(&self, dispatch: &str) -> Said {
        self.may_change()?;
        let dispatch = self.dispatch_named(dispatch).await?;
        Deck::cancel(self, &dispatch).await?;
        Ok(format!("dispatch {} is being undone", dispatch.number))
    }
    async fn resume(&self, dispatch: &str) -> Said {
        self.may_change()?;
        let dispatch = self.dispatch_named(dispatch).await?;
        Deck::resume(self, &dispatch, None).await?;
        Ok(format!("dispatch {} goes on", dispatch.number))
    }
    async fn tell(&self, dispatch: &str, word: &Word) -> Said {
        self.may_change()?;
        let dispatch = self.dispatch_named(dispatch).await?;
        Deck::tell(self, &dispatch, word).await
    }
    async fn interrupt(&self) -> Said {
        let carried = self.carrying();
        for id in &carried {
            self.stop(id, Stop::Leave).await;
        }
        Ok(format!("{} dispatches stop at the next step", carried.len()))
    }

    async fn lift_read_only(&self, for_ms: i64, why: &str) -> Said {
        Deck::lift_read_only(self, for_ms, why).await
    }
    fn show_times(&self, local: bool) -> String {
        Deck::show_times(self, local)
    }
    async fn read_only_again(&self) -> Said {
        Deck::read_only_again(self).await
    }

    async fn proc_verb(&self, verb: &str, host: &str, name: &str) -> Said {
        self.may_change()?;
        Deck::proc_verb(self, verb, host, name, "").await
    }
    async fn procs_verb(&self, verb: &str, procs: &[(String, String)], told: mpsc::UnboundedSender<(usize, Said)>) -> Result<()> {
        self.may_change()?;
        // Whoever closed the screen needs no rows.
        let tell = |number: usize, said: &Said| drop(told.send((number, said.clone())));
        Deck::procs_verb(self, verb, procs, "", &tell).await
    }
    async fn delete(&self, kind: Kind, name: &str) -> Said {
        self.may_change()?;
        Deck::delete(self, kind, name, "").await?;
        Ok(format!("{} {name} is deleted; u writes it down again", kind.word()))
    }
    async fn note(&self, kind: &str, name: &str, text: &str) -> Said {
        self.may_change()?;
        Deck::note(self, kind, name, text).await
    }
    async fn service(&self, host: &str, active: bool) -> Said {
        self.may_change()?;
        self.host_service(host, active, "").await
    }
    async fn host_add(&self, name: &str, squad: &str, like: &str) -> Said {
        self.may_change()?;
        Deck::host_add(self, name, squad, like, "").await
    }
    async fn cancel_build(&self, build: &str) -> Said {
        self.may_change()?;
        Deck::cancel_build(self, build).await
    }
    async fn upkeep(&self) -> Said {
        self.may_change()?;
        let done = Deck::upkeep(self).await?;
        let swept = self.sweep().await?;
        let (ended, paid) = (done.ended.len(), done.paid.len());
        Ok(format!(
            "upkeep: {ended} dispatches finished or undone, {paid} gone about for their debts, {} last words fetched",
            swept.collected
        ))
    }
    async fn pool_plan(&self, pool: &str, verb: PoolVerb) -> Result<PoolPlan> {
        Deck::pool_plan(self, pool, verb).await
    }
    async fn pool_do(&self, plan: &PoolPlan) -> Said {
        self.may_change()?;
        let said = Deck::pool_do(self, plan, "").await?;
        Ok(format!("{}: {said}", plan.object()))
    }
    async fn stray_plan(&self, verb: &str, place: &str, name: &str) -> Result<StrayPlan> {
        Deck::stray_plan(self, verb, place, name, "").await
    }
    async fn stray_plans(&self, verb: &str, all: &[(String, String)]) -> Result<Vec<Result<StrayPlan>>> {
        Deck::stray_plans(self, verb, all).await
    }
    async fn stray_do(&self, plan: &StrayPlan) -> Said {
        self.may_change()?;
        Deck::stray_do(self, plan, "").await
    }
    async fn stray_unignore(&self, place: &str, name: &str) -> Said {
        self.may_change()?;
        Deck::stray_unignore(self, place, name, "").await
    }
    async fn host_verb(&self, verb: &str, host: &str, progress: mpsc::Sender<LogLine>) -> Said {
        if verb != "check" {
            self.may_change()?;
        }
        let lines = if verb == "provision" { self.host_provision(host, "").await? } else { self.host_check(host).await? };
        for text in &lines {
            // Nobody may be listening any more; the answer says how many there were.
            let _ = progress.send(LogLine { at_ms: self.now_ms(), from: host.to_string(), text: text.clone() }).await;
        }
        Ok(match (verb, lines.len()) {
            ("provision", 0) => format!("{host}: nothing was missing"),
            ("provision", n) => format!("{host}: {n} things done"),
            (_, 0) => format!("{host}: nothing is missing"),
            (_, n) => format!("{host}: {n} things are missing; .p provisions it"),
        })
    }
    async fn build(&self, swarm: &str, again: bool) -> Result<String> {
        self.may_change()?;
        self.begin_build(swarm, again).await
    }
    async fn uptest(&self, swarm: &str, progress: mpsc::Sender<LogLine>) -> Said {
        self.may_change()?;
        let reports = Deck::uptest(self, swarm).await?;
        for report in &reports {
            let word = if report.passed { "passed" } else { "FAILED" };
            let text = format!("{} {word} in {:.2} s  {}", report.test, report.seconds, report.output.lines().next().unwrap_or_default());
            let _ = progress.send(LogLine { at_ms: self.now_ms(), from: format!("{}:{}", report.host, report.proc), text }).await;
        }
        let failed = reports.iter().filter(|report| !report.passed).count();
        if failed > 0 {
            Err(Fault::failed(format!("{failed} of {} uptests failed", reports.len())))
        } else {
            Ok(format!("{} uptests passed", reports.len()))
        }
    }

    async fn read(&self, inquiry: &Inquiry) -> Result<Vec<String>> {
        Deck::read(self, inquiry).await
    }
    async fn history(&self, target: &Target) -> Result<Vec<VersionLook>> {
        Deck::history(self, target).await
    }
    async fn revert(&self, id: &str, rev: i64) -> Said {
        self.may_change()?;
        Deck::revert(self, id, rev, "").await
    }
    fn attend(&self, dispatch: &str) {
        Deck::attend(self, dispatch);
    }
    async fn keep_habits(&self, habits: &Habits) -> Result<()> {
        Deck::keep_habits(self, habits).await
    }
    async fn export_events(&self, wanted: &AuditWanted, path: &str) -> Said {
        let count = Deck::export_events(self, wanted, std::path::Path::new(path)).await?;
        Ok(format!("{count} events are in {path}"))
    }
    async fn export_audit(&self, wanted: &AuditWanted, path: &str) -> Said {
        let count = Deck::export_audit(self, wanted, std::path::Path::new(path)).await?;
        Ok(format!("{count} audit lines are in {path}"))
    }

    async fn edit_open(&self, target: EditTarget) -> Result<EditDocument> {
        Deck::edit_open(self, target).await
    }
    async fn kept_draft(&self, target: EditTarget) -> Option<(Draft, i64)> {
        self.edit_kept_draft(&target).await.ok().flatten()
    }
    async fn try_save(&self, target: EditTarget, text: &str, rev: i64) -> Result<Vec<String>> {
        self.edit_try(&target, text, rev).await
    }
    async fn save(&self, target: EditTarget, text: &str, rev: i64, why: &str) -> Result<EditSaved> {
        self.may_change()?;
        self.edit_save(&target, text, rev, why).await
    }
    async fn draft(&self, target: EditTarget, draft: Option<&Draft>) -> Result<()> {
        self.edit_draft(&target, draft).await
    }

    async fn follow_log(&self, request: &LogRequest) -> Result<mpsc::Receiver<LogLine>> {
        self.logs(request).await
    }
    async fn report(&self, dispatch: &str) -> Result<Vec<String>> {
        Deck::report(self, dispatch).await
    }
    fn in_view(&self, hosts: BTreeSet<String>) {
        self.set_view(hosts);
    }
    async fn last_lives(&self, host: &str, name: &str) -> Result<Vec<LogLine>> {
        Deck::last_lives(self, host, name).await
    }
    async fn run(&self, request: &RunRequest, progress: mpsc::Sender<LogLine>) -> Said {
        self.may_change()?;
        let ran = Deck::run(self, request, progress).await?;
        ran.said()
    }
    async fn shell(&self, target: &Target, size: fn() -> (u16, u16)) -> Said {
        self.may_change()?;
        let status = Deck::shell(self, target, size).await?;
        Ok(format!("the shell ended with status {status}"))
    }
    async fn follow_build(&self, build: &str) -> Result<mpsc::Receiver<LogLine>> {
        Deck::follow_build(self, build).await
    }

    async fn apply(&self, path: &str) -> Said {
        self.may_change()?;
        let text = tokio::fs::read_to_string(path)
            .await
            .map_err(|error| Fault::bad(format!("{path} cannot be read: {error}")).next("name a YAML document"))?;
        let applied = Deck::apply(self, &text, path, false, "").await?;
        let changed = applied.changes.iter().filter(|change| change.what != "unchanged").count();
        let mut said = format!("{changed} objects changed, {} as they were", applied.changes.len() - changed);
        applied.notices.iter().for_each(|notice| said.push_str(&format!("; {notice}")));
        Ok(said)
    }
    async fn add_host(&self, name: &str) -> Said {
        self.may_change()?;
        Deck::add_first_host(self, name).await
    }
}
