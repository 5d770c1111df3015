//! What can lie on top of a tab: full screens and overlays.

use super::{Field, LogLayer, Pane};
use crate::console::editor::Editor;
use crate::console::effect::Effect;
use crate::console::state::Kind;
use crate::deck::look::{DispatchRequest, LogLine, Target};
use crate::deck::verbs::{On, VERBS, Verb};
use crate::model::Result;
use crate::model::hold::HoldOn;
use crate::model::protect::Protected;
use crate::plan::Plan;
use std::collections::VecDeque;

/// One layer.
#[derive(Debug, Clone)]
pub enum Layer {
    /// A list that was opened from a row.
    List {
        title: String,
        pane: Box<Pane>,
    },
    /// Describe, why: text that scrolls.
    Text {
        kind: TextKind,
        target: Target,
        top: usize,
    },
    /// A text that is read when it is opened: YAML, a difference.
    Sheet(Box<Sheet>),
    /// Chooses the columns of a list.
    Columns(Box<Columns>),
    Plan(Box<PlanLayer>),
    /// A dispatch, live or past.
    Dispatch {
        id: String,
        pane: Box<Pane>,
    },
    Log(Box<LogLayer>),
    Editor(Box<Editor>),
    /// The verbs of one object; the letter picks.
    Menu {
        target: Target,
        cursor: usize,
    },
    Palette(Palette),
    /// Edits the filter of the pane below; holds what it was.
    Filter {
        field: Field,
        before: String,
    },
    Help {
        top: usize,
    },
    Ask(Box<Ask>),
    /// A host asks.
    Question(Box<HostQuestion>),
    Confirm(Box<Confirm>),
    /// Dispatches are being handed to a process without a screen; no key is heard.
    Leaving {
        ticket: u64,
        said: String,
    },
}

impl Layer {
    /// Whether it fills the screen.
    pub fn is_screen(&self) -> bool {
        matches!(
            self,
            Layer::List { .. }
                | Layer::Text { .. }
                | Layer::Sheet(_)
                | Layer::Plan(_)
                | Layer::Dispatch { .. }
                | Layer::Log(_)
                | Layer::Editor(_)
        )
    }
    /// The ticket of what it waits for or follows.
    pub fn ticket(&self) -> Option<u64> {
        match self {
            Layer::Plan(plan) => Some(plan.ticket),
            Layer::Log(log) => Some(log.ticket),
            Layer::Sheet(sheet) if sheet.lines.is_none() => Some(sheet.ticket),
            _ => None,
        }
    }
}

/// A text that is read when it is opened.
#[derive(Debug, Clone)]
pub struct Sheet {
    pub ticket: u64,
    pub title: String,
    /// What it is about.
    pub target: Target,
    /// None while it is read.
    pub lines: Option<Result<Vec<String>>>,
    pub top: usize,
}

/// The columns of a list, being chosen.
#[derive(Debug, Clone)]
pub struct Columns {
    pub kind: Kind,
    /// The number of each, in the order shown, and whether it is shown.
    pub rows: Vec<(usize, bool)>,
    pub cursor: usize,
}

/// What a text screen says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    Describe,
    Why,
    /// Of a dispatch, for an incident.
    Report,
}

/// Which field of the plan screen has the focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanFocus {
    /// The tick that lifts what holds the swarm.
    Lift,
    Why,
    /// The name of what is protected, typed instead of `y`.
    Name,
    Cancel,
    Go,
}

/// A plan: being made, shown, or refused.
#[derive(Debug, Clone)]
pub struct PlanLayer {
    pub ticket: u64,
    /// The swarm's id.
    pub swarm: String,
    pub request: DispatchRequest,
    /// What the build says while the plan is made; the last lines.
    pub progress: VecDeque<LogLine>,
    pub started_ms: i64,
    pub plan: Option<Result<Plan>>,
    pub why: Field,
    /// The name that is typed where something is protected.
    pub name: Field,
    pub focus: PlanFocus,
    /// When its frame was written; none before.
    pub painted_ms: Option<i64>,
    pub top: usize,
    pub all_differences: bool,
    /// Whether what holds the swarm is lifted with it.
    pub lift: bool,
    /// Since when it waits for somebody else to be done with the swarm.
    pub waits_since: Option<i64>,
    /// Whether it was sent off.
    pub sent: bool,
}

/// Something that the palette offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaletteItem {
    pub text: String,
    /// The live key, or what kind of object it is.
    pub note: String,
    pub go: PaletteGo,
}

/// What choosing it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaletteGo {
    Tab(super::Tab),
    Object(Target),
    /// A verb on an object.
    Verb(&'static str, Target),
    Theme(String),
    /// A line with words of its own: `:dispatch NAME VERSION`, `:size NAME N`, `:apply PATH`.
    Plan(DispatchRequest),
    Apply(String),
    /// A list with the words after its name: an object, or a filter.
    List(Kind, String),
    Columns,
    /// A saved view: saved under a name, opened, opened first from now on, forgotten.
    DashSave(String),
    DashOpen(String),
    DashFirst(String),
    DashForget(String),
    /// The audit lines that the filter of the list wants, to this file; or the events.
    ExportAudit(String),
    ExportEvents(String),
    /// The text of an incident, by the dispatch's id.
    Report(String),
    /// The versions of an object, also of one that is gone.
    History(Target),
    /// A new object.
    New(crate::model::document::Kind),
    /// Lifts that the fleet is read-only, for so long (ms; 0: looks only again), with a reason.
    Write(i64, String),
    /// Shows times in this machine's zone, or in UTC.
    Times(bool),
    /// Takes the mouse, or gives it back.
    Mouse,
    Refresh,
    Help,
    Quit,
}

/// The `:` line.
#[derive(Debug, Clone, Default)]
pub struct Palette {
    pub field: Field,
    pub items: Vec<PaletteItem>,
    pub cursor: usize,
}

/// What a host asks; the answer is never drawn unless it may be.
#[derive(Debug, Clone)]
pub struct HostQuestion {
    pub ticket: u64,
    pub lines: Vec<String>,
    pub echo: bool,
    pub field: Field,
    /// When its frame was written; none before.
    pub painted_ms: Option<i64>,
}

/// A question with text fields.
#[derive(Debug, Clone)]
pub struct Ask {
    pub title: String,
    pub asks: Asks,
    /// Label and text.
    pub fields: Vec<(&'static str, Field)>,
    pub focus: usize,
}

/// What the answer is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asks {
    /// Version and why; the swarm's id.
    Dispatch(String),
    /// Size and why.
    Size(String),
    /// Version and why; the swarms' ids.
    Wave(Vec<String>),
    /// Why and until when; what is held, by name or id.
    Hold(HoldOn, String),
    /// The same of several rows.
    HoldAll(Vec<Target>),
    /// A line about an object.
    Note(Target),
    /// The name and squad of a new host; like this one, or "".
    HostAdd(String),
    /// A file to apply.
    Apply,
    /// A host to add.
    AddHost,
    /// A file for the lines of the log with this ticket.
    SaveLog(u64),
    /// A one-off command, on which procs (of a swarm), and why.
    Run(Target),
}

/// A button of a question; none of its effects are asked for before it is pressed.
#[derive(Debug, Clone)]
pub struct Button {
    pub label: String,
    pub effects: Vec<Effect>,
    /// A log opened with it, for verbs that say lines while they run.
    pub log: Option<Box<LogLayer>>,
}

/// A question with buttons; the first is Cancel and has the focus.
#[derive(Debug, Clone)]
pub struct Confirm {
    pub title: String,
    pub lines: Vec<String>,
    pub buttons: Vec<Button>,
    pub focus: usize,
    /// When its frame was written; none before.
    pub painted_ms: Option<i64>,
    /// The first line shown, where they do not all fit.
    pub top: usize,
    /// Whether `y` presses the only other button; else it must be chosen.
    pub yes: bool,
    /// Whose name is typed before a button that changes something can be pressed.
    pub protected: Option<Protected>,
    pub name: Field,
}

impl Button {
    /// Whether something is changed by it.
    pub fn acts(&self) -> bool {
        self.effects.iter().any(Effect::changes_something)
    }
}

impl Confirm {
    /// Whether a button may be pressed: it changes nothing, nothing is protected, or its name was typed.
    pub fn may_press(&self, button: &Button) -> bool {
        !button.acts() || self.protected.as_ref().is_none_or(|by| by.is_named(&self.name.text))
    }

    /// A question: Cancel, and what else there is.
    pub fn new(title: impl Into<String>, lines: Vec<String>, others: Vec<Button>) -> Confirm {
        let mut buttons = vec![Button { label: "CANCEL".into(), effects: Vec::new(), log: None }];
        buttons.extend(others);
        let name = Field::default();
        Confirm { title: title.into(), lines, buttons, focus: 0, painted_ms: None, top: 0, yes: true, protected: None, name }
    }
}

/// What the verbs of an object are on; none for what has no verbs.
pub fn on_of(target: &Target) -> Option<On> {
    Some(match target {
        Target::Swarm(_) => On::Swarm,
        Target::Proc(..) => On::Proc,
        Target::Host(_) => On::Host,
        Target::Build(_) => On::Build,
        Target::Dispatch(_) => On::Dispatch,
        Target::Ingredient(_) => On::Ingredient,
        Target::Stray(..) => On::Stray,
        Target::Squad(_) => On::Squad,
        Target::Version(..) => On::Version,
        Target::Release(..) => On::Release,
        Target::App(_) => On::App,
        Target::Buildpack(_) => On::Buildpack,
        Target::Balancer(_) => On::Balancer,
        Target::Pool(..) => On::Pool,
        Target::Node { .. } => On::Node,
        Target::Hold(_) => On::Hold,
        Target::Wave(_) => On::Wave,
        // The verbs of the fleet are on no row.
        Target::Nothing => On::Fleet,
        _ => return None,
    })
}

/// The verbs of a menu.
pub fn verbs_on(target: &Target) -> Vec<&'static Verb> {
    match on_of(target) {
        None | Some(On::Fleet) => Vec::new(),
        Some(on) => VERBS.iter().filter(|verb| verb.on == on).collect(),
    }
}
