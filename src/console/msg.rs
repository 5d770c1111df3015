//! Everything that can happen to the console; a session is a list of these and can be replayed.

use crate::deck::look::{Draft, EditDocument, EditSaved, EditTarget, LogLine, Look, Target};
use crate::deck::past::VersionLook;
use crate::deck::wave::WavePlan;
use crate::deck::{PoolPlan, StrayPlan};
use crate::model::{Fault, Result};
use crate::plan::Plan;
use crossterm::event::KeyEvent;
use std::sync::Arc;

/// What the mouse did; it only ever looks, never acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mouse {
    Click,
    WheelUp,
    WheelDown,
}

/// One thing that happened. Times are ms since the epoch by our clock.
#[derive(Debug, Clone)]
pub enum Msg {
    Key {
        key: KeyEvent,
        now_ms: i64,
    },
    /// Text pasted in one piece (bracketed paste); never keys.
    Paste(String),
    /// Where it was is counted from 0.
    Mouse {
        mouse: Mouse,
        x: u16,
        y: u16,
        now_ms: i64,
    },
    Resize(u16, u16),
    Tick {
        now_ms: i64,
    },
    /// A frame of the state as it is was sent to the terminal.
    Sent,
    /// The terminal drew what was sent last; the state may be another by now.
    Arrived {
        now_ms: i64,
    },
    /// The terminal shows the state as it is.
    Painted {
        now_ms: i64,
    },
    Look(Arc<Look>),
    /// The answer to the `ticket`th question; one for a plan screen that was closed is dropped.
    Planned {
        ticket: u64,
        plan: Box<Result<Plan>>,
    },
    /// Why something is as it is, as lines.
    Why {
        target: Target,
        lines: Result<Vec<String>>,
    },
    /// A text that was read.
    Read {
        ticket: u64,
        lines: Result<Vec<String>>,
    },
    /// The versions of an object, the newest first.
    History {
        ticket: u64,
        target: Target,
        versions: Result<Vec<VersionLook>>,
    },
    /// The text of an incident.
    Reported {
        dispatch: String,
        lines: Result<Vec<String>>,
    },
    /// A line while a ticket's answer is awaited.
    Progress {
        ticket: u64,
        line: LogLine,
    },
    /// A host asks something.
    Asked {
        ticket: u64,
        lines: Vec<String>,
        echo: bool,
    },
    /// The plan of a verb on something out of place.
    StrayPlanned(Result<StrayPlan>),
    /// The plans of a verb on several, each with what it is called; or why none could be made.
    StraysPlanned {
        verb: &'static str,
        plans: Result<Vec<(String, Result<StrayPlan>)>>,
    },
    Executed(Result<String>),
    /// Nobody else is at the swarm any more, and what is different since the ticket's plan was made.
    Freed {
        ticket: u64,
        moved: Result<Vec<String>>,
    },
    WavePlanned {
        ticket: u64,
        why: String,
        plan: Box<Result<WavePlan>>,
    },
    WaveBegun(Result<String>),
    /// The operator leaves while dispatches are carried here that the screen does not know of yet.
    Leaving,
    /// Dispatches under way are carried by a process without a screen now, or stay here.
    HandedOver {
        ticket: u64,
        result: Result<()>,
    },
    /// The plan of a verb on a pool.
    PoolPlanned(Result<PoolPlan>),
    BuildStarted(Result<String>),
    /// A verb answered with one line.
    Said(Result<String>),
    /// With a draft kept earlier, and when.
    EditorOpened {
        document: Box<Result<EditDocument>>,
        draft: Option<(Draft, i64)>,
    },
    /// The document of an open editor as it is saved now.
    ReadAgain(Box<Result<EditDocument>>),
    /// What saving would mean, or why it cannot be.
    Tried {
        target: EditTarget,
        result: Result<Vec<String>>,
    },
    /// A save ended: the text, and what is edited from now on.
    Saved {
        target: EditTarget,
        text: String,
        then_plan: bool,
        result: Result<EditSaved>,
    },
    /// `$EDITOR` ended; none when it failed or changed nothing.
    ExternalEditorDone(Result<Option<String>>),
    /// Lines of the log that is followed under this ticket.
    LogLines {
        ticket: u64,
        lines: Vec<LogLine>,
    },
    /// A verb that says lines while it runs is done.
    VerbEnded {
        ticket: u64,
        text: String,
    },
    LogEnded {
        ticket: u64,
        fault: Option<Fault>,
    },
}
