//! Everything that the console may do to the world; `update` only asks for it.

use crate::deck::habits::Habits;
use crate::deck::logs::LogRequest;
use crate::deck::look::{DispatchRequest, Draft, EditTarget, Target, Word};
use crate::deck::past::AuditWanted;
use crate::deck::reading::Inquiry;
use crate::deck::running::RunRequest;
use crate::deck::wave::{WaveGo, WaveRequest};
use crate::deck::{PoolPlan, PoolVerb, Secret, StrayPlan};
use crate::model::document::Kind;
use crate::model::hold::HoldOn;

/// One thing to do. Those that change something are only ever asked for behind a plan, a question or a save.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Leave; dispatches that are still carried here are handed over first.
    Quit,
    /// Leave; dispatches under way stop between steps, resumable.
    QuitAndStop,
    /// Leave after cancelling these.
    QuitAndUndo(Vec<String>),
    /// ^z.
    Suspend,
    Refresh,
    /// Ask the hosts why this is as it is.
    Why {
        target: Target,
    },
    Plan {
        ticket: u64,
        request: DispatchRequest,
    },
    Execute {
        plan_id: String,
        why: String,
        /// Holds of the swarm that are lifted with it.
        lift: Vec<String>,
    },
    /// Waits until nobody else is at the plan's swarm; with `supersede` what is under way is undone first.
    WaitFree {
        ticket: u64,
        plan_id: String,
        supersede: bool,
    },
    PlanWave {
        ticket: u64,
        request: WaveRequest,
    },
    /// Exactly these plans, as one wave.
    BeginWave(WaveGo),
    Hold {
        on: HoldOn,
        object: String,
        why: String,
        until_ms: i64,
    },
    Lift {
        name: String,
    },
    /// Gives dispatches under way to a process without a screen, then leaves.
    HandOver {
        ticket: u64,
    },
    Proc {
        verb: &'static str,
        host: String,
        name: String,
    },
    /// A verb on several procs; a row of its screen says what became of each.
    Procs {
        ticket: u64,
        title: String,
        verb: &'static str,
        /// Host and name.
        procs: Vec<(String, String)>,
    },
    /// Several effects that answer with a line each, one after the other; a row for each.
    Bulk {
        ticket: u64,
        title: String,
        acts: Vec<(String, Effect)>,
    },
    Delete {
        kind: Kind,
        name: String,
    },
    /// A line about an object; its kind is one word.
    Note {
        kind: &'static str,
        name: String,
        text: String,
    },
    /// A host in service or out of it.
    Service {
        host: String,
        active: bool,
    },
    /// Another host in a squad, with the keys of `like` where that names one.
    HostAdd {
        name: String,
        squad: String,
        like: String,
    },
    CancelBuild {
        build: String,
    },
    /// Finishes or undoes what was left behind, once.
    Upkeep,
    Host {
        ticket: u64,
        verb: &'static str,
        host: String,
    },
    /// Makes the plan of a verb on a pool; nothing is changed.
    PlanPool {
        pool: String,
        verb: PoolVerb,
    },
    /// Does exactly that.
    Pool(PoolPlan),
    /// Makes the plan of `adopt`, `retire` or `ignore`; nothing is changed.
    PlanStray {
        verb: &'static str,
        place: String,
        name: String,
    },
    /// Makes the plans of a verb on several (place and name).
    PlanStrays {
        verb: &'static str,
        all: Vec<(String, String)>,
    },
    /// Does exactly that.
    Stray(StrayPlan),
    /// Takes back that something out of place is known.
    Unignore {
        place: String,
        name: String,
    },
    Cancel {
        dispatch: String,
    },
    Resume {
        dispatch: String,
    },
    /// A word to a dispatch under way.
    Tell {
        dispatch: String,
        word: Word,
    },
    Build {
        swarm: String,
        /// Even where a build could be reused.
        again: bool,
    },
    Uptest {
        ticket: u64,
        swarm: String,
    },
    /// The answer to a host's question; none: not answered. Never shown, never kept.
    Answer {
        ticket: u64,
        text: Option<Secret>,
    },
    OpenEditor(EditTarget),
    /// Reads again what the open editor edits: somebody else saved it.
    ReadAgain(EditTarget),
    SaveEditor {
        target: EditTarget,
        text: String,
        rev: i64,
        why: String,
        then_plan: bool,
    },
    /// Says what saving would mean; nothing is changed.
    TrySave {
        target: EditTarget,
        text: String,
        rev: i64,
    },
    /// Keeps a draft, or forgets it.
    SaveDraft {
        target: EditTarget,
        draft: Option<Draft>,
    },
    ExternalEditor {
        text: String,
    },
    FollowLog {
        ticket: u64,
        request: LogRequest,
    },
    /// What is kept of the lives of a proc that have ended.
    LastLives {
        ticket: u64,
        host: String,
        name: String,
    },
    /// The text of an incident.
    Report {
        dispatch: String,
    },
    /// The terminal's bell: something happened that an operator should look at.
    Bell,
    /// Writes a new file, readable by the operator only.
    SaveText {
        path: String,
        text: String,
    },
    /// A one-off command in the environment of a proc, or of one or all procs of a swarm.
    Run {
        ticket: u64,
        request: RunRequest,
    },
    /// Gives the terminal to a shell, and takes it back.
    Shell {
        target: Target,
    },
    FollowBuild {
        ticket: u64,
        build: String,
    },
    /// Stops what was started under the ticket: a plan, a log.
    Stop {
        ticket: u64,
    },
    /// Reads a text: YAML, a difference.
    Read {
        ticket: u64,
        inquiry: Inquiry,
    },
    /// Reads the versions of an object.
    History {
        ticket: u64,
        target: Target,
    },
    /// Writes an object (by id) down again as it was at a version.
    Revert {
        id: String,
        rev: i64,
    },
    /// A dispatch of the past is looked at.
    Attend {
        dispatch: String,
    },
    /// Keeps this user's views and columns.
    KeepHabits(Habits),
    /// Writes audit lines to a file that is not there yet.
    ExportAudit {
        wanted: AuditWanted,
        path: String,
    },
    /// Writes events to a file that is not there yet.
    ExportEvents {
        wanted: AuditWanted,
        path: String,
    },
    Copy(String),
    Apply(String),
    AddHost(String),
    /// Leave for the demo, which has a home of its own.
    Demo,
    Theme(String),
    /// Lifts that the fleet is read-only, here, for so long; with 0 it is looked at only again.
    Writing {
        for_ms: i64,
        why: String,
    },
    /// Shows times in this machine's zone, or in UTC.
    Times {
        local: bool,
    },
    /// Takes the mouse from the terminal, or gives it back.
    Mouse(bool),
}

impl Effect {
    /// Of a verb on several rows: the ticket and the title of its screen, and what its rows are called.
    pub fn rows(&self) -> Option<(u64, &str, Vec<String>)> {
        match self {
            Effect::Procs { ticket, title, procs, .. } => {
                Some((*ticket, title, procs.iter().map(|(host, name)| format!("{host}  {name}")).collect()))
            }
            Effect::Bulk { ticket, title, acts } => Some((*ticket, title, acts.iter().map(|(name, _)| name.clone()).collect())),
            _ => None,
        }
    }

    /// Whether it changes what runs or what is written down: the fuzz test holds that none of these comes without a confirm.
    pub fn changes_something(&self) -> bool {
        match self {
            Effect::QuitAndStop
            | Effect::QuitAndUndo(_)
            | Effect::Execute { .. }
            | Effect::BeginWave(_)
            | Effect::Hold { .. }
            | Effect::Lift { .. }
            | Effect::Proc { .. }
            | Effect::Procs { .. }
            | Effect::Delete { .. }
            | Effect::Note { .. }
            | Effect::Service { .. }
            | Effect::HostAdd { .. }
            | Effect::CancelBuild { .. }
            | Effect::Upkeep
            | Effect::Pool(_)
            | Effect::Stray(_)
            | Effect::Unignore { .. }
            | Effect::Cancel { .. }
            | Effect::Resume { .. }
            | Effect::Tell { .. }
            | Effect::SaveEditor { .. }
            | Effect::Revert { .. }
            | Effect::Apply(_)
            | Effect::AddHost(_)
            | Effect::Run { .. }
            | Effect::Demo => true,
            Effect::Host { verb, .. } => *verb != "check",
            Effect::Bulk { acts, .. } => acts.iter().any(|(_, act)| act.changes_something()),
            Effect::WaitFree { supersede, .. } => *supersede,
            Effect::Quit
            | Effect::Suspend
            | Effect::Refresh
            | Effect::Why { .. }
            | Effect::Plan { .. }
            | Effect::PlanWave { .. }
            | Effect::HandOver { .. }
            | Effect::PlanPool { .. }
            | Effect::PlanStray { .. }
            | Effect::PlanStrays { .. }
            | Effect::Build { .. }
            | Effect::Uptest { .. }
            | Effect::Answer { .. }
            | Effect::OpenEditor(_)
            | Effect::ReadAgain(_)
            | Effect::TrySave { .. }
            | Effect::SaveDraft { .. }
            | Effect::ExternalEditor { .. }
            | Effect::FollowLog { .. }
            | Effect::LastLives { .. }
            | Effect::Report { .. }
            | Effect::Bell
            | Effect::SaveText { .. }
            | Effect::Shell { .. }
            | Effect::FollowBuild { .. }
            | Effect::Stop { .. }
            | Effect::Read { .. }
            | Effect::History { .. }
            | Effect::Attend { .. }
            | Effect::KeepHabits(_)
            | Effect::ExportAudit { .. }
            | Effect::ExportEvents { .. }
            | Effect::Copy(_)
            // It changes nothing yet, and is refused without a reason.
            | Effect::Writing { .. }
            | Effect::Times { .. }
            | Effect::Mouse(_)
            | Effect::Theme(_) => false,
        }
    }
}
