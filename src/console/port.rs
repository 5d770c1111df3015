//! What the console asks of the deck: one method per effect, so that a recording fake can stand in for it.

use crate::deck::StrayPlan;
use crate::deck::habits::Habits;
use crate::deck::logs::LogRequest;
use crate::deck::look::{DispatchRequest, Draft, EditDocument, EditSaved, EditTarget, LogLine, Look, Target, Word};
use crate::deck::past::{AuditWanted, VersionLook};
use crate::deck::reading::Inquiry;
use crate::deck::running::RunRequest;
use crate::deck::wave::{WaveGo, WavePlan, WaveRequest};
use crate::deck::{PoolPlan, PoolVerb};
use crate::model::Result;
use crate::model::document::Kind;
use crate::model::hold::HoldOn;
use crate::plan::Plan;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// What a verb of one line answered, for the toast.
pub type Said = Result<String>;

/// The deck as the console sees it.
#[async_trait::async_trait]
pub trait Port: std::marker::Send + Sync {
    /// Everything as known now; cheap.
    fn look(&self) -> Arc<Look>;
    /// The version of the newest look; the console takes a new one when it changes.
    fn changes(&self) -> watch::Receiver<u64>;
    /// Observes every host now (`^r`).
    async fn refresh(&self) -> Result<()>;
    /// Why something is as it is, as lines; nothing for what has no why.
    async fn why(&self, target: Target) -> Result<Vec<String>>;

    /// Resolves, builds, releases and plans; nothing on a host changes. Build lines go to `progress`.
    async fn plan(&self, request: DispatchRequest, progress: mpsc::Sender<LogLine>) -> Result<Plan>;
    /// Starts exactly this plan and answers with the dispatch's id at once; the look shows how it goes on.
    async fn execute(&self, plan_id: &str, why: &str, lift: &[String]) -> Result<String>;
    /// Waits until nobody else is at the swarm (`supersede`: has it undone first); answers with what is different from what the
    /// plan was made from. Each change of the wait goes to `progress`.
    async fn wait_free(&self, plan_id: &str, supersede: bool, progress: mpsc::Sender<LogLine>) -> Result<Vec<String>>;
    /// Plans several swarms as one wave.
    async fn plan_wave(&self, request: WaveRequest, progress: mpsc::Sender<LogLine>) -> Result<WavePlan>;
    /// Begins a wave of exactly these plans, or takes one up again with them.
    async fn begin_wave(&self, go: &WaveGo) -> Said;
    /// Whether this process carries dispatches.
    fn carries(&self) -> bool;
    /// Hands every dispatch that this process carries to one without a screen.
    async fn hand_over(&self, progress: mpsc::Sender<LogLine>) -> Result<()>;
    /// Holds an object (by name or id), till its end or (0) till it is lifted.
    async fn hold(&self, on: HoldOn, object: &str, why: &str, until_ms: i64) -> Said;
    async fn lift(&self, name: &str) -> Said;
    /// Cancels a dispatch under way: everything is undone.
    async fn cancel(&self, dispatch: &str) -> Said;
    /// Carries an interrupted dispatch on.
    async fn resume(&self, dispatch: &str) -> Said;
    /// Says a word to a dispatch under way.
    async fn tell(&self, dispatch: &str, word: &Word) -> Said;
    /// Stops at the next step every dispatch that this process carries, resumable (`q`, then stop).
    async fn interrupt(&self) -> Said;

    /// Lifts that the fleet is read-only, in this console alone, for so long.
    async fn lift_read_only(&self, for_ms: i64, why: &str) -> Said;
    /// Shows times in this machine's zone, or in UTC; answers with the zone's name.
    fn show_times(&self, local: bool) -> String;
    /// Looks only again.
    async fn read_only_again(&self) -> Said;

    /// `start`, `stop`, `restart` or `destroy` of one proc.
    async fn proc_verb(&self, verb: &str, host: &str, name: &str) -> Said;
    /// The same of several, hosts at the same time; what became of each goes to `told`, by its place, when it is there.
    async fn procs_verb(&self, verb: &str, procs: &[(String, String)], told: mpsc::UnboundedSender<(usize, Said)>) -> Result<()>;
    /// Deletes an object that nothing uses.
    async fn delete(&self, kind: Kind, name: &str) -> Said;
    /// A line about an object; its kind is one word.
    async fn note(&self, kind: &str, name: &str, text: &str) -> Said;
    /// A host in service or out of it.
    async fn service(&self, host: &str, active: bool) -> Said;
    /// Another host in a squad, with the keys of `like` where that names one.
    async fn host_add(&self, name: &str, squad: &str, like: &str) -> Said;
    async fn cancel_build(&self, build: &str) -> Said;
    /// Finishes or undoes what was left behind, once.
    async fn upkeep(&self) -> Said;
    /// What a verb would do to a pool; nothing is changed.
    async fn pool_plan(&self, pool: &str, verb: PoolVerb) -> Result<PoolPlan>;
    /// Does exactly that.
    async fn pool_do(&self, plan: &PoolPlan) -> Said;
    /// What `adopt`, `retire` or `ignore` would do to something out of place; nothing is changed.
    async fn stray_plan(&self, verb: &str, place: &str, name: &str) -> Result<StrayPlan>;
    /// The same for several places and names, one answer each.
    async fn stray_plans(&self, verb: &str, all: &[(String, String)]) -> Result<Vec<Result<StrayPlan>>>;
    /// Does exactly that.
    async fn stray_do(&self, plan: &StrayPlan) -> Said;
    /// Takes back that it is known.
    async fn stray_unignore(&self, place: &str, name: &str) -> Said;
    /// `check` or `provision` of one host; lines go to `progress`.
    async fn host_verb(&self, verb: &str, host: &str, progress: mpsc::Sender<LogLine>) -> Said;
    /// Builds the swarm's version; answers with the build's id as soon as there is one.
    async fn build(&self, swarm: &str, again: bool) -> Result<String>;
    /// Runs the swarm's uptests on its procs.
    async fn uptest(&self, swarm: &str, progress: mpsc::Sender<LogLine>) -> Said;

    /// A text that is made when it is asked for, as lines; secrets are masked.
    async fn read(&self, inquiry: &Inquiry) -> Result<Vec<String>>;
    /// The versions of an object, the newest first.
    async fn history(&self, target: &Target) -> Result<Vec<VersionLook>>;
    /// Writes an object down again as it was at a version.
    async fn revert(&self, id: &str, rev: i64) -> Said;
    /// A dispatch of the past is looked at: the look holds its steps and events from now on.
    fn attend(&self, dispatch: &str);
    async fn keep_habits(&self, habits: &Habits) -> Result<()>;
    /// Writes events to a file that is not there yet.
    async fn export_events(&self, wanted: &AuditWanted, path: &str) -> Said;
    /// Writes audit lines to a file that is not there yet.
    async fn export_audit(&self, wanted: &AuditWanted, path: &str) -> Said;

    async fn edit_open(&self, target: EditTarget) -> Result<EditDocument>;
    /// A draft kept earlier and when, ms; none when there is none.
    async fn kept_draft(&self, target: EditTarget) -> Option<(Draft, i64)>;
    /// What saving would mean besides, as lines; refused where it could not be saved. Nothing is changed.
    async fn try_save(&self, target: EditTarget, text: &str, rev: i64) -> Result<Vec<String>>;
    /// Answers with what is edited then; refused when the object's revision is no longer `rev`.
    async fn save(&self, target: EditTarget, text: &str, rev: i64, why: &str) -> Result<EditSaved>;
    /// Keeps a draft, or with `None` forgets it.
    async fn draft(&self, target: EditTarget, draft: Option<&Draft>) -> Result<()>;

    /// Logs: their last lines, then what comes. Ends when the receiver is dropped.
    async fn follow_log(&self, request: &LogRequest) -> Result<mpsc::Receiver<LogLine>>;
    /// The text of an incident: one dispatch, by its id.
    async fn report(&self, dispatch: &str) -> Result<Vec<String>>;
    /// The hosts that are on the screen: they are asked more often.
    fn in_view(&self, hosts: BTreeSet<String>);
    /// What is kept of a proc's lives that have ended.
    async fn last_lives(&self, host: &str, name: &str) -> Result<Vec<LogLine>>;
    /// Runs a one-off command; what it says goes to `progress`. Dropped, it is ended there.
    async fn run(&self, request: &RunRequest, progress: mpsc::Sender<LogLine>) -> Said;
    /// A shell of a proc, host or build on the terminal, which the console has given back; ends with it. `size` is (columns, rows).
    async fn shell(&self, target: &Target, size: fn() -> (u16, u16)) -> Said;
    /// A build's log from its beginning, then what comes until it ends.
    async fn follow_build(&self, build: &str) -> Result<mpsc::Receiver<LogLine>>;

    /// Applies a document (welcome screen, `:apply PATH`).
    async fn apply(&self, path: &str) -> Said;
    /// Adds the first host from the welcome screen: a name that ssh knows, or `local`.
    async fn add_host(&self, name: &str) -> Said;
}
