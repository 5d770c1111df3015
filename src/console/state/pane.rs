//! A list of rows: which objects, in what order, and where the cursor is; all by id.

use super::order::Order;
use crate::console::rows::Prepared;
use crate::deck::look::Target;
use crate::deck::past::VersionLook;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a list lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Needs,
    Swarms,
    Hosts,
    Procs,
    Builds,
    Dispatches,
    Ingredients,
    Events,
    Strays,
    /// The places of one dispatch.
    Places,
    Apps,
    Buildpacks,
    Squads,
    Releases,
    Balancers,
    Pools,
    /// The nodes of a pool on each host of its balancer.
    Nodes,
    /// Runs of uptests.
    Uptests,
    Holds,
    Waves,
    /// The swarms of one wave.
    Members,
    Audit,
    /// The versions of one object.
    Versions,
    /// App, swarm, host, proc.
    Tree,
    /// What can be undone.
    Undo,
}

impl Kind {
    pub const ALL: [Kind; 25] = [
        Kind::Needs,
        Kind::Swarms,
        Kind::Hosts,
        Kind::Procs,
        Kind::Builds,
        Kind::Dispatches,
        Kind::Ingredients,
        Kind::Events,
        Kind::Strays,
        Kind::Places,
        Kind::Apps,
        Kind::Buildpacks,
        Kind::Squads,
        Kind::Releases,
        Kind::Balancers,
        Kind::Pools,
        Kind::Nodes,
        Kind::Uptests,
        Kind::Holds,
        Kind::Waves,
        Kind::Members,
        Kind::Audit,
        Kind::Versions,
        Kind::Tree,
        Kind::Undo,
    ];
    /// Lists that have no tab: `:` opens them.
    pub const LISTED: [Kind; 11] = [
        Kind::Apps,
        Kind::Buildpacks,
        Kind::Squads,
        Kind::Releases,
        Kind::Balancers,
        Kind::Pools,
        Kind::Uptests,
        Kind::Holds,
        Kind::Waves,
        Kind::Audit,
        Kind::Undo,
    ];
    /// Its name, as after `:`.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Needs => "needs you",
            Kind::Swarms => "swarms",
            Kind::Hosts | Kind::Places => "hosts",
            Kind::Procs => "procs",
            Kind::Builds => "builds",
            Kind::Dispatches => "dispatches",
            Kind::Ingredients => "ingredients",
            Kind::Events => "events",
            Kind::Strays => "strays",
            Kind::Apps => "apps",
            Kind::Buildpacks => "buildpacks",
            Kind::Squads => "squads",
            Kind::Releases => "releases",
            Kind::Balancers => "balancers",
            Kind::Pools => "pools",
            Kind::Nodes => "nodes",
            Kind::Uptests => "uptests",
            Kind::Holds => "holds",
            Kind::Waves => "waves",
            Kind::Members => "members",
            Kind::Audit => "audit",
            Kind::Versions => "versions",
            Kind::Tree => "tree",
            Kind::Undo => "undo",
        }
    }
}

/// Which of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    All,
    /// By swarm id.
    Swarm(String),
    /// By host name.
    Host(String),
    /// By squad name.
    Squad(String),
    /// Events about an object, by the names that people call it.
    About(Vec<String>),
    /// What belongs to a dispatch or build.
    Run(String),
    /// Swarms of an app, by name.
    App(String),
    /// Apps that pin a buildpack, by name.
    Buildpack(String),
    /// Swarms that use an ingredient, by name.
    Ingredient(String),
    /// Pools of a balancer, by name.
    Balancer(String),
    /// Nodes of a pool: balancer and pool.
    Pool(String, String),
    /// Swarms of a wave, by number.
    Wave(i64),
    /// Procs of a swarm (by id) on one host.
    Share(String, String),
    /// The versions of one object, as they were read.
    Versions(Arc<Vec<VersionLook>>),
}

/// A row: the object, and the how-manieth row about it (two needs may be about one host).
pub type RowId = (Target, u16);

/// Where the cursor is before it was on any row.
pub const NOWHERE: RowId = (Target::Nothing, u16::MAX);

/// What decides the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// What needs you first, then by name.
    Trouble,
    /// A column, by its number; `down` from the highest to the lowest.
    Column { column: usize, down: bool },
}

/// One list of rows.
#[derive(Debug, Clone)]
pub struct Pane {
    pub kind: Kind,
    pub scope: Scope,
    pub order: Order,
    /// What a filter of procs is asked of, until what is known changes.
    pub prepared: Option<Arc<Prepared>>,
    /// How many there are without the filter.
    pub total: usize,
    pub cursor: RowId,
    /// Where the cursor was last seen, so that motion goes on from there when its object is gone.
    pub row: usize,
    /// The first row shown.
    pub top: usize,
    pub filter: String,
    pub trouble_only: bool,
    pub sort: Sort,
    /// Whether the order is older than what is known.
    pub stale: bool,
    /// Whether its rows kept their places when they had to, and are put in order once they may move.
    pub unordered: bool,
    /// What it lists when it is no tree.
    pub flat: Kind,
    /// Rows of a tree that are not folded as they are at first.
    pub turned: BTreeSet<Target>,
}

impl Pane {
    pub fn new(kind: Kind, scope: Scope) -> Pane {
        Pane {
            kind,
            scope,
            order: Order::default(),
            prepared: None,
            total: 0,
            cursor: NOWHERE,
            row: 0,
            top: 0,
            filter: String::new(),
            trouble_only: false,
            sort: Sort::Trouble,
            stale: true,
            unordered: false,
            flat: kind,
            turned: BTreeSet::new(),
        }
    }

    /// Whether it shows all there is.
    pub fn is_plain(&self) -> bool {
        self.filter.trim().is_empty() && !self.trouble_only
    }

    /// Whether what lies below a row of a tree is hidden. At first apps are open and all else is folded; a filter opens everything.
    pub fn is_folded(&self, target: &Target) -> bool {
        self.is_plain() && (matches!(target, Target::App(_)) == self.turned.contains(target))
    }

    /// Turns a list of swarms or procs into a tree, and back; false when it is neither.
    pub fn toggle_tree(&mut self) -> bool {
        if !matches!(self.flat, Kind::Swarms | Kind::Procs) {
            return false;
        }
        self.kind = if self.kind == Kind::Tree { self.flat } else { Kind::Tree };
        (self.sort, self.stale, self.top) = (Sort::Trouble, true, 0);
        true
    }

    /// The row that the cursor is on; none when its object is gone.
    pub fn at(&self) -> Option<usize> {
        match self.order.get(self.row) {
            Some(id) if *id == self.cursor => Some(self.row),
            _ => self.order.position(&self.cursor),
        }
    }

    /// Moves the cursor by rows; false when it was at that end already.
    pub fn step(&mut self, by: isize) -> bool {
        let from = self.at().unwrap_or_else(|| self.row.min(self.order.len()));
        let last = self.order.len().saturating_sub(1);
        let to = from.saturating_add_signed(by).min(last);
        self.put(to);
        to != from
    }

    /// Puts the cursor on a row.
    pub fn put(&mut self, row: usize) {
        if let Some(id) = self.order.get(row) {
            self.cursor = id.clone();
            self.row = row;
        }
    }

    /// Takes a new order; the cursor stays on its object, and goes to the first row only if it never was on any.
    pub fn take(&mut self, order: Order, total: usize) {
        self.order = order;
        self.total = total;
        self.stale = false;
        if let Some(row) = self.order.position(&self.cursor) {
            self.row = row;
        } else if self.cursor == NOWHERE {
            self.put(0);
        }
    }

    /// Keeps the cursor's row inside a window of `height` rows.
    pub fn scroll(&mut self, height: usize) {
        let row = self.at().unwrap_or(self.row);
        if row < self.top {
            self.top = row;
        } else if height > 0 && row >= self.top + height {
            self.top = row + 1 - height;
        }
        self.top = self.top.min(self.order.len().saturating_sub(height.max(1)));
    }
}

/// A full screen, reached by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tab {
    Dash,
    Swarms,
    Hosts,
    Procs,
    Builds,
    Dispatches,
    Ingredients,
    Events,
    Strays,
}

impl Tab {
    pub const ALL: [Tab; 9] =
        [Tab::Dash, Tab::Swarms, Tab::Hosts, Tab::Procs, Tab::Builds, Tab::Dispatches, Tab::Ingredients, Tab::Events, Tab::Strays];
    pub fn word(self) -> &'static str {
        match self {
            Tab::Dash => "dash",
            Tab::Swarms => "swarms",
            Tab::Hosts => "hosts",
            Tab::Procs => "procs",
            Tab::Builds => "builds",
            Tab::Dispatches => "dispatches",
            Tab::Ingredients => "ingredients",
            Tab::Events => "events",
            Tab::Strays => "strays",
        }
    }
    /// By the key that goes there, from 1.
    pub fn number(number: u8) -> Option<Tab> {
        Tab::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }
    /// The pane that fills it.
    pub fn slot(self) -> Slot {
        match self {
            Tab::Dash => Slot::DashSwarms,
            Tab::Swarms => Slot::Swarms,
            Tab::Hosts => Slot::Hosts,
            Tab::Procs => Slot::Procs,
            Tab::Builds => Slot::Builds,
            Tab::Dispatches => Slot::Dispatches,
            Tab::Ingredients => Slot::Ingredients,
            Tab::Events => Slot::Events,
            Tab::Strays => Slot::Strays,
        }
    }
}

/// Every pane that stays: those of the dash, and one for each tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    Needs,
    DashSwarms,
    DashHosts,
    DashProcs,
    Latest,
    Swarms,
    Hosts,
    Procs,
    Builds,
    Dispatches,
    Ingredients,
    Events,
    Strays,
}

impl Slot {
    pub const ALL: [Slot; 13] = [
        Slot::Needs,
        Slot::DashHosts,
        Slot::DashSwarms,
        Slot::DashProcs,
        Slot::Latest,
        Slot::Swarms,
        Slot::Hosts,
        Slot::Procs,
        Slot::Builds,
        Slot::Dispatches,
        Slot::Ingredients,
        Slot::Events,
        Slot::Strays,
    ];
    pub fn kind(self) -> Kind {
        match self {
            Slot::Needs => Kind::Needs,
            Slot::DashSwarms | Slot::Swarms => Kind::Swarms,
            Slot::DashHosts | Slot::Hosts => Kind::Hosts,
            Slot::DashProcs | Slot::Procs => Kind::Procs,
            Slot::Latest | Slot::Events => Kind::Events,
            Slot::Builds => Kind::Builds,
            Slot::Dispatches => Kind::Dispatches,
            Slot::Ingredients => Kind::Ingredients,
            Slot::Strays => Kind::Strays,
        }
    }
}
