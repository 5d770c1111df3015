//! A deck that is asked and never does a thing: it shows the look that it is given. The benches share it, so it names the crate from outside.

use std::sync::Arc;
use swarmdeck::console::port::{Port, Said};
use swarmdeck::deck::habits::Habits;
use swarmdeck::deck::logs::LogRequest;
use swarmdeck::deck::look::{DispatchRequest, Draft, EditDocument, EditSaved, EditTarget, LogLine, Look, Target, Word};
use swarmdeck::deck::past::{AuditWanted, VersionLook};
use swarmdeck::deck::reading::Inquiry;
use swarmdeck::deck::running::RunRequest;
use swarmdeck::deck::wave::{WaveGo, WavePlan, WaveRequest};
use swarmdeck::deck::{PoolPlan, PoolVerb, StrayPlan};
use swarmdeck::model::document::Kind;
use swarmdeck::model::hold::HoldOn;
use swarmdeck::model::{Fault, Result};
use swarmdeck::plan::Plan;
use tokio::sync::{mpsc, watch};

/// What a followed log says: lines go into the sender until it is closed.
pub type Log = Box<dyn Fn(mpsc::Sender<LogLine>) + Send + Sync>;

/// A deck that plans what it is asked to and never does a thing.
pub struct Fake {
    pub look: watch::Sender<Arc<Look>>,
    pub version: watch::Sender<u64>,
    /// Made whatever is asked for.
    pub plan: Option<Plan>,
    pub log: Log,
}

impl Fake {
    pub fn new(look: Look, plan: Option<Plan>, log: Log) -> Fake {
        Fake { version: watch::Sender::new(look.version), look: watch::Sender::new(Arc::new(look)), plan, log }
    }
}

#[async_trait::async_trait]
impl Port for Fake {
    fn look(&self) -> Arc<Look> {
        self.look.borrow().clone()
    }
    fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
    async fn refresh(&self) -> Result<()> {
        Ok(())
    }
    async fn why(&self, target: Target) -> Result<Vec<String>> {
        Ok(vec![format!("{target:?}"), "CAUSE  the test".into()])
    }
    async fn plan(&self, _: DispatchRequest, progress: mpsc::Sender<LogLine>) -> Result<Plan> {
        let _ = progress.send(LogLine { at_ms: 0, from: "build".into(), text: "compiling".into() }).await;
        self.plan.clone().ok_or_else(|| Fault::refused("this deck plans nothing"))
    }
    async fn execute(&self, plan_id: &str, _: &str, _: &[String]) -> Result<String> {
        Err(Fault::refused(format!("{plan_id}: the world moved")))
    }
    async fn wait_free(&self, _: &str, _: bool, _: mpsc::Sender<LogLine>) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
    async fn plan_wave(&self, _: WaveRequest, _: mpsc::Sender<LogLine>) -> Result<WavePlan> {
        Ok(WavePlan { plans: self.plan.iter().cloned().collect(), ..WavePlan::default() })
    }
    async fn begin_wave(&self, _: &WaveGo) -> Said {
        Ok("begun".into())
    }
    fn carries(&self) -> bool {
        false
    }
    async fn hand_over(&self, _: mpsc::Sender<LogLine>) -> Result<()> {
        Ok(())
    }
    async fn hold(&self, _: HoldOn, _: &str, _: &str, _: i64) -> Said {
        Ok("held".into())
    }
    async fn lift(&self, _: &str) -> Said {
        Ok("lifted".into())
    }
    async fn cancel(&self, _: &str) -> Said {
        Ok("cancelled".into())
    }
    async fn resume(&self, _: &str) -> Said {
        Ok("resumed".into())
    }
    async fn tell(&self, _: &str, _: &Word) -> Said {
        Ok("told".into())
    }
    async fn interrupt(&self) -> Said {
        Ok("stopped".into())
    }
    async fn lift_read_only(&self, _: i64, _: &str) -> Said {
        Ok("lifted".into())
    }
    fn show_times(&self, _: bool) -> String {
        "UTC".into()
    }
    async fn read_only_again(&self) -> Said {
        Ok("looks only".into())
    }
    async fn proc_verb(&self, verb: &str, _: &str, name: &str) -> Said {
        Ok(format!("{verb} {name}"))
    }
    async fn procs_verb(&self, verb: &str, procs: &[(String, String)], told: mpsc::UnboundedSender<(usize, Said)>) -> Result<()> {
        for (number, (_, name)) in procs.iter().enumerate() {
            let said = if number == 1 { Err(Fault::failed("it does not answer")) } else { Ok(format!("{verb} {name}")) };
            drop(told.send((number, said)));
        }
        Ok(())
    }
    async fn delete(&self, _: Kind, name: &str) -> Said {
        Ok(format!("{name} is deleted"))
    }
    async fn note(&self, _: &str, name: &str, _: &str) -> Said {
        Ok(format!("noted at {name}"))
    }
    async fn service(&self, host: &str, active: bool) -> Said {
        Ok(format!("{host}: {active}"))
    }
    async fn host_add(&self, name: &str, squad: &str, _: &str) -> Said {
        Ok(format!("{name} is in {squad}"))
    }
    async fn cancel_build(&self, build: &str) -> Said {
        Ok(build.into())
    }
    async fn upkeep(&self) -> Said {
        Ok("upkeep".into())
    }
    async fn pool_plan(&self, _: &str, _: PoolVerb) -> Result<PoolPlan> {
        Err(Fault::refused("nobody edited it"))
    }
    async fn pool_do(&self, plan: &PoolPlan) -> Said {
        Ok(plan.object())
    }
    async fn stray_plan(&self, verb: &str, place: &str, name: &str) -> Result<StrayPlan> {
        Ok(StrayPlan { verb: verb.into(), place: place.into(), name: name.into(), ..StrayPlan::default() })
    }
    async fn stray_plans(&self, verb: &str, all: &[(String, String)]) -> Result<Vec<Result<StrayPlan>>> {
        let plan = |(place, name): &(String, String)| {
            Ok(StrayPlan { verb: verb.into(), place: place.clone(), name: name.clone(), ..StrayPlan::default() })
        };
        Ok(all.iter().map(plan).collect())
    }
    async fn stray_do(&self, plan: &StrayPlan) -> Said {
        Ok(format!("{} {}", plan.verb, plan.name))
    }
    async fn stray_unignore(&self, _: &str, name: &str) -> Said {
        Ok(format!("{name} is trouble"))
    }
    async fn host_verb(&self, _: &str, _: &str, _: mpsc::Sender<LogLine>) -> Said {
        Ok("nothing is missing".into())
    }
    async fn build(&self, _: &str, _: bool) -> Result<String> {
        Ok("b1".into())
    }
    async fn uptest(&self, _: &str, _: mpsc::Sender<LogLine>) -> Said {
        Ok("passed".into())
    }
    async fn read(&self, inquiry: &Inquiry) -> Result<Vec<String>> {
        Ok(vec![format!("{inquiry:?}")])
    }
    async fn history(&self, _: &Target) -> Result<Vec<VersionLook>> {
        Ok(Vec::new())
    }
    async fn revert(&self, id: &str, rev: i64) -> Said {
        Ok(format!("{id} is as at {rev}"))
    }
    fn attend(&self, _: &str) {}
    async fn keep_habits(&self, _: &Habits) -> Result<()> {
        Ok(())
    }
    async fn export_events(&self, _: &AuditWanted, _: &str) -> Said {
        Ok("exported".into())
    }
    async fn export_audit(&self, _: &AuditWanted, path: &str) -> Said {
        Ok(path.into())
    }
    async fn edit_open(&self, target: EditTarget) -> Result<EditDocument> {
        let document = EditDocument::bare(target);
        Ok(EditDocument { title: "shop-eu-web config".into(), text: "greeting: hi\n".into(), rev: 1, ..document })
    }
    async fn kept_draft(&self, _: EditTarget) -> Option<(Draft, i64)> {
        None
    }
    async fn try_save(&self, _: EditTarget, _: &str, _: i64) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
    async fn save(&self, target: EditTarget, _: &str, rev: i64, _: &str) -> Result<EditSaved> {
        Ok(EditSaved { target, rev: rev + 1, title: "shop-eu-web config".into(), said: "saved".into() })
    }
    async fn draft(&self, _: EditTarget, _: Option<&Draft>) -> Result<()> {
        Ok(())
    }
    async fn report(&self, _: &str) -> Result<Vec<String>> {
        Ok(vec!["REPORT".into()])
    }
    fn in_view(&self, _: std::collections::BTreeSet<String>) {}
    async fn last_lives(&self, _: &str, _: &str) -> Result<Vec<LogLine>> {
        Err(Fault::bad("no lives"))
    }
    async fn run(&self, _: &RunRequest, _: mpsc::Sender<LogLine>) -> Said {
        Ok("exit 0".into())
    }
    async fn shell(&self, _: &Target, _: fn() -> (u16, u16)) -> Said {
        Ok("the shell ended".into())
    }
    async fn follow_log(&self, _: &LogRequest) -> Result<mpsc::Receiver<LogLine>> {
        let (sender, lines) = mpsc::channel(256);
        (self.log)(sender);
        Ok(lines)
    }
    async fn follow_build(&self, _: &str) -> Result<mpsc::Receiver<LogLine>> {
        Ok(mpsc::channel(1).1)
    }
    async fn apply(&self, _: &str) -> Said {
        Ok("applied".into())
    }
    async fn add_host(&self, _: &str) -> Said {
        Ok("added".into())
    }
}
