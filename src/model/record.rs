//! What is remembered of work: dispatches with their steps, events, audit lines, leases.

use super::Fault;
use super::protect::Touched;
use serde::{Deserialize, Serialize};

/// The phases of a dispatch, in their order (DESIGN part 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Resolve,
    Build,
    Release,
    Plan,
    /// Raise the fence on every host and balancer host.
    Fence,
    Distribute,
    Start,
    Prove,
    Route,
    Drain,
    /// A canary waits: for its soak, or to be promoted by hand.
    Promote,
    Soak,
    Retire,
    Done,
}

impl Phase {
    pub const ALL: [Phase; 14] = [
        Phase::Resolve,
        Phase::Build,
        Phase::Release,
        Phase::Plan,
        Phase::Fence,
        Phase::Distribute,
        Phase::Start,
        Phase::Prove,
        Phase::Route,
        Phase::Drain,
        Phase::Promote,
        Phase::Soak,
        Phase::Retire,
        Phase::Done,
    ];
    pub fn word(self) -> &'static str {
        match self {
            Phase::Resolve => "resolve",
            Phase::Build => "build",
            Phase::Release => "release",
            Phase::Plan => "plan",
            Phase::Fence => "fence",
            Phase::Distribute => "distribute",
            Phase::Start => "start",
            Phase::Prove => "prove",
            Phase::Route => "route",
            Phase::Drain => "drain",
            Phase::Promote => "promote",
            Phase::Soak => "soak",
            Phase::Retire => "retire",
            Phase::Done => "done",
        }
    }
}

/// How far a step is. `Intent` is written before the effect, the others after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    Pending,
    Intent,
    Done,
    Failed,
    /// Its undoing is under way, or done.
    Undoing,
    Undone,
    /// Could neither be carried out nor taken back: a debt.
    Owed,
    /// Its host did not answer and the dispatch went on without it.
    Lost,
    Skipped,
}

/// One step of a dispatch, named by batch, phase and place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Counted from 0; what is done once has that of its first or last batch.
    #[serde(default)]
    pub batch: u32,
    pub phase: Phase,
    /// A host name, `balancer/pool`, or "" for the dispatch as a whole.
    pub place: String,
    pub state: StepState,
    /// ms since the epoch; 0 is none.
    pub started_ms: i64,
    pub ended_ms: i64,
    /// What was found or done, one line.
    pub detail: String,
}

/// How a dispatch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Done,
    Undone,
    Refused,
    /// Failed, and not all of it is as before: the undoing left debts, or it was in place and old procs are gone.
    Failed,
    Interrupted,
}

impl Outcome {
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Undone => "undone",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
            Outcome::Interrupted => "interrupted",
        }
    }
}

/// Something owed to a host or balancer, paid before it serves again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debt {
    pub host: String,
    pub what: String,
}

/// A dispatch as faces show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispatch {
    pub id: String,
    /// 412: what people call it.
    pub number: i64,
    pub swarm_id: String,
    /// `app-config-proc@squad` at that time.
    pub swarm: String,
    /// dispatch, rollback, size, retire …
    pub verb: String,
    pub who: String,
    pub why: String,
    pub from_version: String,
    pub to_version: String,
    pub from_release: String,
    pub to_release: String,
    pub phase: Phase,
    /// Whether it goes back.
    pub undoing: bool,
    pub outcome: Option<Outcome>,
    pub fault: Option<Fault>,
    pub debts: Vec<Debt>,
    pub steps: Vec<Step>,
    pub started_ms: i64,
    pub ended_ms: i64,
    /// Which process carries it (holder of its lease), or "".
    pub holder: String,
}

impl Dispatch {
    /// What a word to it changes: its swarm, and the places of its steps.
    pub fn touched(&self) -> Touched {
        let mut touched = Touched { swarms: [self.swarm_id.clone()].into(), ..Touched::default() };
        for step in self.steps.iter().filter(|step| !step.place.is_empty()) {
            match step.place.split_once('/') {
                Some((balancer, _)) => touched.balancers.insert(balancer.to_string()),
                None => touched.hosts.insert(step.place.clone()),
            };
        }
        touched
    }
}

/// Something that happened (W28): durable, ordered, followed from a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Set by the store.
    pub seq: i64,
    pub at_ms: i64,
    /// Velociraptor's tags where it had one: build, deploy, swarm, route, uptest, proc, host, edit …
    pub kind: String,
    /// Dispatch or build id, or "".
    pub run: String,
    pub who: String,
    /// What happened, one line.
    pub what: String,
    /// Object it is about: swarm name, host name …
    pub place: String,
    /// "", success, failed, warning.
    pub result: String,
    pub why: String,
}

/// Of which events an operator's program, the bell and the title tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alert {
    ProcDied,
    UptestFailed,
    HostLost,
    HostBack,
    DispatchEnded,
}

/// The kind of events of procs that ended though nobody asked.
pub const DIED: &str = "died";

impl Event {
    /// What it is told as; none for those that nobody need be told of at once.
    pub fn alert(&self) -> Option<Alert> {
        match (self.kind.as_str(), self.result.as_str()) {
            (DIED, _) => Some(Alert::ProcDied),
            ("uptest", "failed") => Some(Alert::UptestFailed),
            ("host", "warning") => Some(Alert::HostLost),
            ("host", "success") => Some(Alert::HostBack),
            // The beginning of a dispatch has no result yet.
            ("swarm", "success" | "failed") => Some(Alert::DispatchEnded),
            _ => None,
        }
    }
}

/// What somebody did, for the audit (VR-76).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    pub seq: i64,
    pub at_ms: i64,
    pub who: String,
    /// The verb's id.
    pub verb: String,
    /// Object it was done to.
    pub object: String,
    pub run: String,
    pub result: String,
    pub why: String,
}

/// Who holds what: "held by op1, step drain, renewed 4 s ago".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// `swarm/<id>` or `pool/<balancer>/<pool>`.
    pub name: String,
    /// Process id of swarmdeck's own making, unique per process: `<uuid>`.
    pub holder: String,
    pub who: String,
    pub why: String,
    pub step: String,
    pub run: String,
    /// Raised at each renewal.
    pub beat: i64,
    /// Only rises.
    pub epoch: i64,
}
