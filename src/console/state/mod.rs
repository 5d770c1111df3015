//! The whole state of the console as plain data: what is known, where the operator is, and what lies on top.

mod field;
mod layer;
mod log;
mod order;
mod pane;
mod place;

pub use field::Field;
pub use layer::{
    Ask, Asks, Button, Columns, Confirm, HostQuestion, Layer, Palette, PaletteGo, PaletteItem, PlanFocus, PlanLayer, Sheet, TextKind,
    on_of, verbs_on,
};
pub use log::{Kept, LineKind, LogLayer, LogSource, Pattern, SINCE};
pub use order::Order;
pub use pane::{Kind, NOWHERE, Pane, RowId, Scope, Slot, Sort, Tab};
pub use place::{Peek, Place, Travel};

use crate::console::keys::{Action, Keymap, Where};
use crate::deck::habits::Habits;
use crate::deck::look::{Look, Target};
use crate::model::protect::Protected;
use crossterm::event::KeyEvent;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How long a confirm is deaf after its frame was written, ms (DESIGN part 6).
pub const DEAF_MS: i64 = 300;
/// Stands for when a frame was drawn that is on its way to the terminal.
pub const SENT: i64 = i64::MAX / 2;
/// How long rows keep their order after a key, ms.
pub const STILL_MS: i64 = 1000;

/// A range of marks that is being made.
#[derive(Debug, Clone)]
pub struct Range {
    /// Where it began.
    pub anchor: Target,
    /// What was marked before it.
    pub before: BTreeSet<Target>,
}

/// A line at the foot of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    pub text: String,
    pub error: bool,
    pub until_ms: i64,
}

/// A screen that nobody asked for just now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Came {
    /// When its frame was written; none before.
    pub painted_ms: Option<i64>,
}

/// Everything that the view draws from.
#[derive(Debug, Clone)]
pub struct State {
    pub look: Arc<Look>,
    /// Our clock at the last message that carried it, ms since the epoch.
    pub now_ms: i64,
    pub size: (u16, u16),
    pub tab: Tab,
    /// The pane of the dash that has the focus.
    pub focus: Slot,
    pub panes: BTreeMap<Slot, Pane>,
    /// What lies on top, the last the topmost.
    pub layers: Vec<Layer>,
    /// Marked objects, by id.
    pub marks: BTreeSet<Target>,
    /// While `v` marks a range.
    pub range: Option<Range>,
    pub toast: Option<Toast>,
    /// The first key of a chord.
    pub pending: Option<KeyEvent>,
    pub last_key_ms: i64,
    pub next_ticket: u64,
    /// The name of the theme that is asked for.
    pub theme: String,
    /// What the hosts last answered to why, and of what.
    pub why: Option<(Target, Vec<String>)>,
    /// What this user keeps: views and columns.
    pub habits: Habits,
    /// Whether the focused pane has the dash for itself.
    pub zoom: bool,
    pub travel: Travel,
    pub peek: Peek,
    /// The question for versions whose answer opens a list.
    pub history_ticket: u64,
    /// The text of the report that was asked for last, and of what.
    pub report: Option<(Target, Vec<String>)>,
    /// What each key means.
    pub keys: Arc<Keymap>,
    /// A screen that came by itself: it hears nothing that was typed before it was seen.
    pub came: Option<Came>,
    /// Whether the mouse is ours; off, the terminal selects with it.
    pub mouse: bool,
}

impl State {
    /// The state at the start; the terminal's size comes with the first `Resize`.
    pub fn new(look: Arc<Look>, size: (u16, u16), theme: &str) -> State {
        let now_ms = look.now_ms;
        let habits = look.habits.clone();
        let panes = Slot::ALL.iter().map(|slot| (*slot, Pane::new(slot.kind(), Scope::All))).collect();
        let focus = if look.needs.is_empty() { Slot::DashSwarms } else { Slot::Needs };
        State {
            look,
            now_ms,
            size,
            tab: Tab::Dash,
            focus,
            panes,
            layers: Vec::new(),
            marks: BTreeSet::new(),
            range: None,
            toast: None,
            pending: None,
            last_key_ms: 0,
            next_ticket: 1,
            theme: theme.to_string(),
            why: None,
            habits,
            zoom: false,
            travel: Travel::default(),
            peek: Peek::default(),
            history_ticket: 0,
            report: None,
            keys: Arc::default(),
            came: None,
            mouse: false,
        }
    }

    /// A number for a question whose answer comes later.
    pub fn ticket(&mut self) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        ticket
    }

    /// Whether nothing was written down yet: the welcome screen.
    pub fn is_empty_home(&self) -> bool {
        self.look.swarms.is_empty() && self.look.squads.is_empty() && self.look.apps.is_empty() && self.look.hosts.is_empty()
    }

    /// The slot whose rows the keys move, when no layer covers it.
    pub fn slot(&self) -> Slot {
        if self.tab == Tab::Dash { self.focus } else { self.tab.slot() }
    }

    /// The topmost layer that fills the screen.
    pub fn screen(&self) -> Option<&Layer> {
        self.layers.iter().rev().find(|layer| layer.is_screen())
    }

    /// The pane that keys move: the topmost screen's own, or the tab's.
    pub fn pane(&self) -> Option<&Pane> {
        match self.screen() {
            Some(Layer::List { pane, .. } | Layer::Dispatch { pane, .. }) => Some(pane),
            Some(_) => None,
            None => self.panes.get(&self.slot()),
        }
    }

    /// [`State::pane`], to change it.
    pub fn pane_mut(&mut self) -> Option<&mut Pane> {
        let slot = self.slot();
        match self.layers.iter_mut().rev().find(|layer| layer.is_screen()) {
            Some(Layer::List { pane, .. } | Layer::Dispatch { pane, .. }) => Some(pane),
            Some(_) => None,
            None => self.panes.get_mut(&slot),
        }
    }

    /// What the cursor is on, whatever screen is open.
    pub fn pointed(&self) -> Target {
        match self.screen() {
            Some(Layer::Text { target, .. }) => target.clone(),
            Some(Layer::Sheet(sheet)) => sheet.target.clone(),
            Some(Layer::Log(log)) => log.source.target(),
            Some(Layer::Dispatch { id, .. }) => Target::Dispatch(id.clone()),
            Some(Layer::Plan(plan)) => Target::Swarm(plan.swarm.clone()),
            // What is gone from the list is not pointed at, though it may live on elsewhere.
            _ => match self.pane().filter(|pane| pane.at().is_some()).map(|pane| &pane.cursor.0) {
                // What is done to a swarm's share of a host is done to the host.
                Some(Target::Share(_, host)) => Target::Host(host.clone()),
                // What is done to a wave's member is done to the swarm.
                Some(Target::Member(_, swarm)) => Target::Swarm(swarm.clone()),
                target => target.cloned().unwrap_or(Target::Nothing),
            },
        }
    }

    /// Where keys are looked up, the innermost place first.
    pub fn places(&self) -> &'static [Where] {
        match self.layers.last() {
            Some(Layer::Confirm(_)) => &[Where::Confirm, Where::Base],
            Some(Layer::Plan(_)) => &[Where::Plan, Where::Base],
            Some(Layer::Log(_)) => &[Where::Log, Where::Table, Where::Base],
            _ => &[Where::Table, Where::Base],
        }
    }

    /// The key of an action where the operator is.
    pub fn key_of(&self, action: Action) -> &str {
        self.keys.key_of(self.places(), action)
    }

    /// Whether anything may be changed from here now.
    pub fn may_write(&self) -> bool {
        self.look.writing.may(self.now_ms)
    }

    /// Whose name is typed before a plan is carried out; none: a `y` is enough.
    pub fn protected_of(&self, plan: &PlanLayer) -> Option<&Protected> {
        plan.plan.as_ref().and_then(|plan| plan.as_ref().ok()).and_then(|plan| self.look.protection.over(&plan.touched()))
    }

    /// Shows a line for some seconds.
    pub fn say(&mut self, text: impl Into<String>, error: bool) {
        let seconds = if error { 20 } else { 6 };
        self.toast = Some(Toast { text: text.into(), error, until_ms: self.now_ms + seconds * 1000 });
    }
}
