//! The whole thing without a face: open, look, verbs.

mod adopting;
mod apply;
mod balancing;
mod build_end;
mod busy;
mod cancelling;
mod carry;
mod catalog;
mod debts;
pub mod demo;
mod edit;
mod edited;
mod external;
mod following;
pub mod habits;
mod handing_over;
mod hearing;
mod hold;
mod hooks;
mod journal;
mod leasing;
mod listing;
pub mod lists;
pub mod logs;
pub mod look;
mod looking;
mod making_ready;
mod masked;
mod observe;
mod observing;
pub mod outlet;
mod owed;
pub mod past;
mod pools;
mod prepare;
mod proc_verbs;
pub mod reading;
mod renames;
mod report;
mod retiring;
pub mod running;
mod service;
mod shells;
mod strays;
pub mod undo;
pub mod verbs;
pub mod wave;
pub mod why;
mod writing;

#[cfg(test)]
mod past_tests;
#[cfg(test)]
mod tests;

pub use apply::{Applied, ObjectChange};
pub use busy::{Hear, OnBusy, Said};
pub use carry::{Carried, Stop, Upkept};
pub use catalog::{Catalog, Entry};
pub use external::{Edited, edit_outside};
pub use listing::{KINDS, as_text};
pub use pools::{PoolPlan, PoolVerb};
pub use prepare::Lines;
pub use proc_verbs::{Tell, UptestReport};
pub use renames::Orphaned;
pub use strays::StrayPlan;
pub use why::Why;

pub use crate::hosts::{NoPrompt, Prompt, Question, Secret};
pub use crate::store::Home;

use crate::build::Workspace;
use crate::hosts::Pool;
use crate::model::release::Release;
use crate::model::secret::Secrets;
use crate::model::times::Times;
use crate::model::world::World;
use crate::model::writing::Writing;
use crate::model::{Fault, Result};
use crate::store::{HolderLock, Store, config};
use look::Look;
use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};

/// What comes from outside: the clock, ids, and whom to ask.
#[derive(Clone)]
pub struct Outside {
    /// ms since the epoch.
    pub now_ms: fn() -> i64,
    /// A new unique id.
    pub new_id: fn() -> String,
    /// Time since boot, suspended time included: leases are measured by it.
    pub since_boot: fn() -> Duration,
    pub prompt: Arc<dyn Prompt>,
    /// Variables for commands on the local host (the demo's own programs).
    pub local_env: BTreeMap<String, String>,
}

/// The deck: cheap to clone.
#[derive(Clone)]
pub struct Deck(Arc<Inner>);

impl Deref for Deck {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// What a deck is made of.
pub struct Inner {
    pub home: Home,
    pub store: Store,
    pub who: String,
    secrets: Secrets,
    links: Pool,
    workspace: Workspace,
    outside: Outside,
    /// This process, in leases; its lock file is held while it lives.
    holder: String,
    _alive: HolderLock,
    /// The newest world that this process saw or read.
    world: Mutex<Arc<World>>,
    look: watch::Sender<Arc<Look>>,
    version: watch::Sender<u64>,
    /// Rung when the look should be made anew at once.
    bell: Notify,
    /// Dispatches that this process carries, by id.
    carried: Mutex<HashMap<String, mpsc::Sender<crate::dispatch::driver::Wish>>>,
    hints: Mutex<Vec<String>>,
    /// Dispatches that are being handed to a process without a screen.
    handing: Mutex<std::collections::HashSet<String>>,
    /// What is said when the screen is gone: who carries on what was left going.
    farewells: Mutex<Vec<String>>,
    /// True when builds of this process shall end.
    no_builds: watch::Sender<bool>,
    /// Releases that were read; they never change.
    releases: Mutex<HashMap<String, Arc<Release>>>,
    /// Rung when hosts should be asked at once.
    observe_now: Notify,
    /// Dispatches of the past that somebody looks at, the last one last.
    attended: Mutex<std::collections::VecDeque<String>>,
    /// The hosts on the screen of this console.
    view: watch::Sender<std::collections::BTreeSet<String>>,
    /// Whether this process asks the hosts for all consoles of the home, and whether some read what it sees.
    observes: AtomicBool,
    read_by_others: AtomicBool,
    /// When what the store keeps of each host was seen, by host id, ms since the epoch; as this process last read or wrote it.
    kept_at: Mutex<BTreeMap<String, i64>>,
    /// What was written down when the look was last made.
    known: Mutex<Arc<Catalog>>,
    /// Whether it was lifted here that the fleet is read-only.
    lifted: Mutex<Writing>,
    /// Dispatches whose cancel could not be written down yet.
    cancels: Mutex<std::collections::BTreeSet<String>>,
    /// In which zone times are shown here.
    times: Mutex<Times>,
}

impl Deck {
    /// Opens a home. Nothing on a host is touched.
    pub async fn open(home: Home, outside: Outside) -> Result<Deck> {
        let store = Store::open(&home).await?;
        let who = crate::store::home::who(std::env::var("SUDO_USER").ok().as_deref());
        let secrets = home.config.secrets()?;
        let ssh_config = home.config.ssh.config_file.as_ref().map(PathBuf::from);
        let mut local_env = outside.local_env.clone();
        let bin = home.path.join("bin");
        if !home.shared && bin.is_dir() {
            // The demo's own programs: whoever opens its home needs them on this machine.
            local_env.entry("PATH".into()).or_insert_with(|| format!("{}:{}", bin.display(), crate::hosts::script::PATH));
        }
        let links =
            local_env.iter().fold(Pool::new(ssh_config, Arc::clone(&outside.prompt)), |pool, (key, value)| pool.with_local_env(key, value));
        let mut workspace = Workspace::new(&home.path);
        workspace.shared = home.shared;
        let holder = (outside.new_id)();
        let alive = HolderLock::take(&home, &holder)?;
        let (look, _) = watch::channel(Arc::new(Look::default()));
        let (version, _) = watch::channel(0);
        let inner = Inner {
            home,
            store,
            who,
            secrets,
            links,
            workspace,
            outside,
            holder,
            _alive: alive,
            world: Mutex::default(),
            look,
            version,
            bell: Notify::new(),
            carried: Mutex::default(),
            hints: Mutex::default(),
            handing: Mutex::default(),
            farewells: Mutex::default(),
            no_builds: watch::channel(false).0,
            releases: Mutex::default(),
            observe_now: Notify::new(),
            attended: Mutex::default(),
            view: watch::channel(Default::default()).0,
            observes: AtomicBool::new(false),
            read_by_others: AtomicBool::new(false),
            kept_at: Mutex::default(),
            known: Mutex::default(),
            lifted: Mutex::new(Writing::ReadOnly),
            times: Mutex::default(),
            cancels: Mutex::default(),
        };
        let deck = Deck(Arc::new(inner));
        deck.show_times(deck.home.config.times == config::Zone::Local);
        Ok(deck)
    }

    /// Shows times in this machine's zone, or in UTC; answers with the zone's name.
    pub fn show_times(&self, local: bool) -> String {
        let times = if local { Times::of(jiff::tz::TimeZone::system()) } else { Times::default() };
        let word = times.word(self.now_ms());
        *locked(&self.times) = times;
        self.refresh_soon();
        word
    }

    /// Everything that operators wrote down.
    pub async fn catalog(&self) -> Result<Catalog> {
        Catalog::load(&self.store).await
    }

    /// Our clock.
    pub fn now_ms(&self) -> i64 {
        (self.outside.now_ms)()
    }

    fn new_id(&self) -> String {
        (self.outside.new_id)()
    }

    /// Has the look made anew soon.
    pub fn refresh_soon(&self) {
        self.bell.notify_one();
    }

    /// Has every host asked soon.
    pub fn observe_soon(&self) {
        self.observe_now.notify_one();
    }

    /// What is to be said when the screen is gone.
    pub fn farewells(&self) -> Vec<String> {
        std::mem::take(&mut *locked(&self.farewells))
    }

    /// What the footer says to try next.
    pub fn set_hints(&self, hints: Vec<String>) {
        if let Ok(mut there) = self.hints.lock() {
            *there = hints;
        }
        self.refresh_soon();
    }

    /// Ends connections and the store.
    pub async fn close(&self) {
        self.links.close().await;
        self.store.close().await;
    }
}

/// The home: `--home` (or `SWARMDECK_HOME`), `home:` of /etc/swarmdeck/config.yaml, else the user's data directory.
pub fn find_home(flag: Option<&Path>) -> Result<Home> {
    let data = directories::ProjectDirs::from("", "", "swarmdeck").map(|dirs| dirs.data_dir().to_path_buf());
    Home::find(flag, None, Path::new(crate::store::home::ETC), data.as_deref())
}

/// Makes a home for this user alone, or for all users of a Unix group.
pub fn init_home(path: &Path, group: Option<&str>) -> Result<Home> {
    let Some(name) = group else { return Home::open(path) };
    let group = nix::unistd::Group::from_name(name)
        .ok()
        .flatten()
        .ok_or_else(|| Fault::bad(format!("there is no Unix group '{name}'")).next(format!("groupadd {name}, or name another")))?;
    Home::init_shared(path, group.gid)
}

/// Where a home would be, for `init` without a directory.
pub fn home_place(flag: Option<&Path>) -> Result<PathBuf> {
    let data = directories::ProjectDirs::from("", "", "swarmdeck").map(|dirs| dirs.data_dir().to_path_buf());
    Home::place(flag, None, Path::new(crate::store::home::ETC), data.as_deref())
}

/// A lock that a panic elsewhere cannot make unusable.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What a shown name is when a value is missing.
fn unknown(what: &str, name: &str, list: &str) -> Fault {
    Fault::bad(format!("there is no {what} '{name}'")).next(format!("swarmdeck get {list}"))
}
