//! What a face sees: one immutable snapshot of everything, and the parts that are asked for one by one. Plain data.

use super::habits::Habits;
use super::lists::Lists;
use crate::model::entity::{App, Balancer, Buildpack, Env, Host, Mapping, Squad};
use crate::model::hold::Hold;
use crate::model::protect::Protection;
use crate::model::record::{Dispatch, Event};
use crate::model::release::{Build, BuildStatus};
use crate::model::stray::Stray;
use crate::model::times::Times;
use crate::model::waiting::Waiting;
use crate::model::world::World;
use crate::model::writing::Writing;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Everything that is known now. Cheap to clone and to compare by `version`.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// Rises when anything in it changes.
    pub version: u64,
    /// Our clock when it was made, ms since the epoch.
    pub now_ms: i64,
    /// The fleet's name, for the title: `PROD-EU`.
    pub fleet: String,
    pub who: String,
    /// Whether anything may be changed from here.
    pub writing: Writing,
    /// In which zone times are shown.
    pub times: Times,
    /// What is protected.
    pub protection: Arc<Protection>,
    pub squads: Vec<Squad>,
    /// Every squad's hosts, resolved, in squad and name order.
    pub hosts: Vec<Host>,
    pub world: Arc<World>,
    pub swarms: Vec<SwarmLook>,
    pub apps: Vec<App>,
    pub buildpacks: Vec<Buildpack>,
    pub ingredients: Vec<IngredientLook>,
    pub balancers: Vec<Balancer>,
    /// Newest first.
    pub builds: Vec<BuildLook>,
    /// Newest first, those under way before the others.
    pub dispatches: Vec<Dispatch>,
    /// Newest first, the last 1,000.
    pub events: Arc<Vec<Event>>,
    /// The newest event's number.
    pub last_event: i64,
    /// What is out of place, those that need somebody most first.
    pub strays: Vec<Stray>,
    /// Ids of the dispatches that this process carries.
    pub carried: BTreeSet<String>,
    /// What dispatches under way wait for, by id.
    pub waits: BTreeMap<String, Waiting>,
    /// The holds that count, the newest first.
    pub holds: Vec<Hold>,
    /// What there is beside the fleet: releases, waves, uptest runs, audit.
    pub lists: Arc<Lists>,
    /// What this user keeps of the console.
    pub habits: Habits,
    /// What needs the operator, worst first.
    pub needs: Vec<Need>,
    /// Next things to try, shown in the footer by the demo; empty otherwise.
    pub hints: Vec<String>,
}

/// A swarm's state in one word (`screens/dash.txt`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SwarmState {
    /// Procs die or do not start.
    Failing,
    /// Procs are on hosts that cannot be reached.
    Lost,
    /// Fewer procs than wanted, nothing under way.
    Short,
    /// A dispatch is under way.
    Moving,
    Ok,
    /// Size 0.
    Off,
    /// Written down, never dispatched.
    New,
}

impl SwarmState {
    pub fn word(self) -> &'static str {
        match self {
            SwarmState::Failing => "failing",
            SwarmState::Lost => "lost",
            SwarmState::Short => "short",
            SwarmState::Moving => "moving",
            SwarmState::Ok => "ok",
            SwarmState::Off => "off",
            SwarmState::New => "new",
        }
    }
    /// ASCII glyph (`screens/keymap.txt`, GLYPHS).
    pub fn glyph(self) -> char {
        match self {
            SwarmState::Failing | SwarmState::Short => '!',
            SwarmState::Lost => '?',
            SwarmState::Moving => '~',
            SwarmState::Ok => '*',
            SwarmState::Off | SwarmState::New => 'o',
        }
    }
}

/// A swarm with what is known of its procs.
#[derive(Debug, Clone)]
pub struct SwarmLook {
    pub id: String,
    /// `app-config-proc@squad`.
    pub name: String,
    /// `app-config-proc`.
    pub short: String,
    pub app: String,
    pub config_name: String,
    pub proc_name: String,
    pub squad: String,
    pub size: u32,
    /// Wanted version, and the version that runs ("" when none).
    pub version: String,
    pub running: String,
    /// Release that runs ("" when none).
    pub release: String,
    pub pool: String,
    pub balancer: String,
    pub ingredients: Vec<String>,
    pub state: SwarmState,
    /// Procs RUNNING of the release that should run.
    pub ready: u32,
    /// (host, proc name) of its procs, in that order.
    pub procs: Vec<(String, String)>,
    /// What is saved but not live: `2 edits`, `version`, `ingredient db`, `dispatch 412`; "" when nothing.
    pub not_live: String,
    /// The holds that keep it from being dispatched: the fleet's, its squad's, its own.
    pub held: Vec<Hold>,
    /// When something last happened to it, ms; 0 never.
    pub last_ms: i64,
    /// The dispatch under way, or "".
    pub dispatch: String,
    pub who_changed: String,
    pub changed_ms: i64,
}

/// An ingredient and who uses it.
#[derive(Debug, Clone)]
pub struct IngredientLook {
    pub id: String,
    pub name: String,
    pub keys: usize,
    /// Full names of swarms.
    pub used_by: Vec<String>,
    pub changed_ms: i64,
    pub who_changed: String,
}

/// A build for lists.
#[derive(Debug, Clone)]
pub struct BuildLook {
    pub build: Build,
    pub status: BuildStatus,
}

/// A line of NEEDS YOU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// `!`, `?`, `~` or `.`.
    pub glyph: char,
    /// What it is about (a swarm's short name, a host …), and where Enter goes.
    pub object: String,
    pub target: Target,
    pub text: String,
    pub since_ms: i64,
}

/// An object that a face can point at; ids, never row numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    Swarm(String),
    Host(String),
    Squad(String),
    /// Host and proc name.
    Proc(String, String),
    Build(String),
    Dispatch(String),
    Ingredient(String),
    Event(i64),
    /// Place and name of something out of place.
    Stray(String, String),
    /// All that is out of place, as one.
    Strays,
    /// By name.
    App(String),
    Buildpack(String),
    Balancer(String),
    /// Balancer and pool.
    Pool(String, String),
    /// A node (`host:port`) of a pool on one host of its balancer.
    Node {
        balancer: String,
        pool: String,
        host: String,
        node: String,
    },
    /// Swarm id and release id.
    Release(String, String),
    /// A run of uptests, by its id.
    Uptests(String),
    /// By name.
    Hold(String),
    /// By number.
    Wave(i64),
    /// A wave's number and a swarm's id.
    Member(i64, String),
    /// An audit line, by its number.
    Audit(i64),
    /// A version of an object: its id and revision.
    Version(String, i64),
    /// The procs of a swarm (by id) on one host.
    Share(String, String),
    Nothing,
}

pub use super::edited::{Draft, EditDocument, EditSaved, EditTarget, SiblingKey, Siblings, UsedBy};

/// What a dispatch is asked to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DispatchRequest {
    /// Swarm id, `app-config-proc` or `app-config-proc@squad`.
    pub swarm: String,
    /// None = the swarm's own.
    pub version: Option<String>,
    pub size: Option<u32>,
    pub why: String,
    /// Build again even where a build could be reused.
    pub rebuild: bool,
    /// Leave orphans of the swarm's earlier names as they are.
    pub leave_orphans: bool,
    /// Some = roll back: to this release, or ("") to the one that ran before.
    pub rollback_to: Option<String>,
    /// Ports that are spoken for, by host name: those of plans that go with this one.
    pub taken: BTreeMap<String, BTreeSet<u16>>,
    /// The release that runs now, not a new one: `size`, `restart` and the like. One that never ran is built as usual.
    pub same_release: bool,
    /// Procs that are replaced although they are of the right release.
    pub replace: Option<Replaced>,
    /// Goes on without hosts that do not answer, whatever the swarm's rule.
    pub go_on: bool,
}

/// A word to a dispatch under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// The canary is good: the other procs follow.
    Promote,
    /// Go on without this host, which does not answer.
    GoWithout(String),
    /// Wait so many minutes longer for hosts that do not answer.
    Wait(u64),
}

/// Which procs are replaced by new ones of the same release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replaced {
    /// All: a rolling restart.
    All,
    /// Those on a host, which is emptied.
    OnHost(String),
}

impl DispatchRequest {
    /// The verb that a plan of it is shown under.
    pub fn verb(&self) -> &'static str {
        match (&self.rollback_to, &self.replace) {
            (Some(_), _) => "rollback",
            (None, Some(Replaced::All)) => "restart",
            (None, Some(Replaced::OnHost(_))) => "evacuate",
            (None, None) if self.go_on && self.same_release => "re-place",
            (None, None) if self.same_release => "size",
            (None, None) => "dispatch",
        }
    }
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// ms since the epoch: the time that the line carries where it carries one that can be read, else when it came, by our clock.
    pub at_ms: i64,
    /// `HOST:PROC`, host or stage that it is from; "" is this console itself, about the log: a gap, a host that does not answer.
    pub from: String,
    /// May hold ANSI colours; not yet safe for a terminal.
    pub text: String,
}

impl LogLine {
    /// Where it is from, short enough for a column: `web01:5001` of `web01:shop-v5.3.0-prod-9c1e77aa-web-5001`.
    pub fn label(&self) -> String {
        let Some((host, name)) = self.from.split_once(':') else { return self.from.clone() };
        match name.rsplit_once('-') {
            Some((_, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => format!("{host}:{port}"),
            _ => self.from.clone(),
        }
    }
}

/// Environment as a mapping, for the editor's layers.
pub fn env_mapping(env: &Env) -> Mapping {
    env.iter().map(|(key, value)| (key.clone(), serde_json::Value::String(value.clone()))).collect()
}
