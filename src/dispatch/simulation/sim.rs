//! One play: time, chance, the fleet, the store, the consoles, and the watchers that see every change.

use super::chance::Chance;
use super::fleet::{Edge, Fleet, SimHost, SimProc};
use super::scenario::Scenario;
use super::time::{Mailbox, Ms, Owner, TaskId, Time};
use super::truth::Truth;
use crate::dispatch::driver::Wish;
use crate::model::hold::Hold;
use crate::model::world::HostSeen;
use crate::model::{Fault, Result};
use crate::plan::Plan;
use crate::store::Liveness;
use crate::store::memory::Memory;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::rc::Rc;

/// A process that operators work with.
#[derive(Default)]
pub struct Console {
    pub machine: usize,
    pub up: bool,
    /// Counts its processes: each is another holder.
    pub life: u64,
    pub frozen_until: Ms,
    /// Writes and effects so far, and the one at which it is killed.
    pub points: u64,
    pub killed_at: Option<(u64, Ms)>,
    /// What it carries: the dispatch and where its wishes go.
    pub carried: BTreeMap<String, Mailbox<Heard>>,
}

/// What the driver of a dispatch hears.
pub enum Heard {
    Answer(crate::dispatch::machine::Event, crate::dispatch::machine::StepName),
    Wish(Wish),
}

/// How the store answers.
#[derive(Debug, Default)]
pub struct StoreTrouble {
    pub away: BTreeMap<usize, Ms>,
    pub unknown: BTreeMap<usize, Ms>,
    pub full_until: Ms,
}

/// A place that scripts run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Host(usize),
    Edge(usize),
}

pub struct Sim {
    pub scenario: Scenario,
    pub time: Time,
    pub chance: Chance,
    pub store: Memory,
    pub fleet: RefCell<Fleet>,
    pub consoles: RefCell<Vec<Console>>,
    pub truth: RefCell<Truth>,
    pub trouble: RefCell<StoreTrouble>,
    /// Stored plans.
    pub plans: RefCell<BTreeMap<String, Rc<Plan>>>,
    /// Hosts as any process saw them last.
    pub seen: RefCell<BTreeMap<String, HostSeen>>,
    /// Balancer hosts that are owed a swarm's pool (swarm, balancer host), as the store keeps it.
    pub owed_pools: RefCell<BTreeSet<(usize, usize)>>,
    /// Who holds what, as the store keeps it.
    pub holds: RefCell<Vec<Hold>>,
    /// What happened, for a seed that failed; none when nobody reads it.
    pub trace: RefCell<Option<Vec<String>>>,
    pub calm: Cell<bool>,
}

impl Sim {
    pub fn new(scenario: Scenario, traced: bool) -> Rc<Sim> {
        let fleet = Fleet {
            hosts: (0..scenario.hosts).map(|_| SimHost { up: true, active: true, slow: 1, ..SimHost::default() }).collect(),
            edges: vec![Edge::default(); scenario.edges],
            pids: 100,
        };
        let machine = |n: usize| Console { machine: n % scenario.machines, up: true, ..Console::default() };
        let sim = Sim {
            time: Time::default(),
            chance: Chance::new(scenario.seed ^ 0x5eed),
            store: Memory::default(),
            fleet: RefCell::new(fleet),
            consoles: RefCell::new((0..scenario.consoles).map(machine).collect()),
            truth: RefCell::default(),
            trouble: RefCell::default(),
            plans: RefCell::default(),
            seen: RefCell::default(),
            owed_pools: RefCell::default(),
            holds: RefCell::default(),
            trace: RefCell::new(traced.then(Vec::new)),
            calm: Cell::new(false),
            scenario,
        };
        for host in 0..sim.scenario.hosts {
            sim.make_neighbour(host);
        }
        Rc::new(sim)
    }

    /// A proc that is none of ours, on a port of our range.
    fn make_neighbour(&self, host: usize) {
        if self.chance.once_in("neighbour", host as u64, 2) {
            return;
        }
        let mut fleet = self.fleet.borrow_mut();
        let pid = fleet.pid();
        let proc = SimProc {
            name: "neighbour".into(),
            stamp: None,
            port: super::scenario::PORTS.0 + self.chance.between("its port", host as u64, 0, 9) as u16,
            release: String::new(),
            app: super::scenario::App::Good,
            conf: true,
            known: true,
            pid: Some(pid),
            running_from: 0,
            listens_from: 0,
            dies_at: Ms::MAX,
        };
        fleet.hosts[host].procs.insert(proc.name.clone(), proc);
    }

    pub fn say(&self, line: impl FnOnce() -> String) {
        if let Some(trace) = self.trace.borrow_mut().as_mut() {
            trace.push(format!("{:>7} {}", self.time.now(), line()));
        }
    }
    pub fn now_ms(&self) -> i64 {
        i64::try_from(self.time.now()).unwrap_or(i64::MAX)
    }

    pub fn holder(&self, console: usize) -> String {
        format!("c{console}.{}", self.consoles.borrow()[console].life)
    }
    /// What the holder's lock says to a console: only processes on one machine share it.
    pub fn look(&self, console: usize, holder: &str) -> Liveness {
        let consoles = self.consoles.borrow();
        let parts = holder.strip_prefix('c').and_then(|rest| rest.split_once('.'));
        let Some((Ok(other), Ok(life))) = parts.map(|(other, life)| (other.parse::<usize>(), life.parse::<u64>())) else {
            return Liveness::Unknown;
        };
        match consoles.get(other) {
            Some(there) if there.machine != consoles[console].machine => Liveness::Unknown,
            Some(there) if there.up && there.life == life => Liveness::Alive,
            _ => Liveness::Dead,
        }
    }
    /// `kill -9`.
    pub fn crash(self: &Rc<Sim>, console: usize, back: Ms) {
        {
            let mut consoles = self.consoles.borrow_mut();
            let there = &mut consoles[console];
            if !there.up {
                return;
            }
            (there.up, there.killed_at, there.frozen_until) = (false, None, 0);
            there.carried.clear();
        }
        self.say(|| format!("console {console} is killed"));
        self.time.kill(Owner::Console(console));
        let sim = Rc::clone(self);
        self.time.spawn(Owner::Nature, async move {
            sim.time.sleep(back).await;
            sim.begin_console(console);
        });
    }
    /// A process where the last one ended.
    pub fn begin_console(self: &Rc<Sim>, console: usize) {
        {
            let mut consoles = self.consoles.borrow_mut();
            let there = &mut consoles[console];
            if there.up {
                return;
            }
            there.up = true;
            there.life += 1;
        }
        self.say(|| format!("console {console} is started again"));
        super::console::keep_resuming(self, console);
    }
    pub fn spawn(&self, console: usize, future: impl Future<Output = ()> + 'static) -> TaskId {
        self.time.spawn(Owner::Console(console), future)
    }

    /// A moment between two instructions: a little time goes by, and here a process may be killed.
    pub async fn point(self: &Rc<Sim>, console: usize) {
        self.time.sleep(self.chance.between("instruction", console as u64, 0, 12)).await;
        let killed = {
            let mut consoles = self.consoles.borrow_mut();
            let there = &mut consoles[console];
            there.points += 1;
            there.killed_at.filter(|(at, _)| *at <= there.points)
        };
        if let Some((_, back)) = killed {
            self.crash(console, back);
            std::future::pending::<()>().await;
        }
    }

    /// One transaction: it may fail, or happen without an answer.
    pub async fn ask_store<T>(self: &Rc<Sim>, console: usize, writes: bool, op: impl FnOnce(&Memory) -> Result<T>) -> Result<T> {
        self.point(console).await;
        let machine = self.consoles.borrow()[console].machine;
        let until = |of: fn(&StoreTrouble) -> &BTreeMap<usize, Ms>| of(&self.trouble.borrow()).get(&machine).copied().unwrap_or(0);
        if until(|trouble| &trouble.away) > self.time.now() {
            self.time.sleep(2_000).await;
            return Err(Fault::failed("the store does not answer"));
        }
        if writes && self.trouble.borrow().full_until > self.time.now() {
            return Err(Fault::failed("the store cannot be written: No space left on device"));
        }
        let result = op(&self.store);
        if writes && until(|trouble| &trouble.unknown) > self.time.now() {
            return Err(Fault::failed("the connection to the store was lost"));
        }
        self.point(console).await;
        result
    }

    pub fn reachable(&self, console: usize, place: Place) -> bool {
        let machine = self.consoles.borrow()[console].machine;
        let fleet = self.fleet.borrow();
        match place {
            Place::Host(host) => fleet.hosts[host].up && !fleet.hosts[host].cut.contains(&machine),
            Place::Edge(edge) => !fleet.edges[edge].cut.contains(&machine),
        }
    }

    /// Runs a script on a host: it goes on whatever becomes of who sent it; the answer may be lost.
    pub async fn call<T: 'static, F>(self: &Rc<Sim>, console: usize, place: Place, work: impl FnOnce(Script) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>> + 'static,
    {
        self.point(console).await;
        let (number, owner) = match place {
            Place::Host(host) => (host as u64, Owner::Host(host)),
            Place::Edge(edge) => (100 + edge as u64, Owner::Edge(edge)),
        };
        self.time.sleep(self.chance.between("on the way", number, 1, 40)).await;
        if !self.reachable(console, place) {
            self.time.sleep(self.chance.between("no answer", number, 10, 3_000)).await;
            return Err(Fault::unreachable("it does not answer"));
        }
        let life = self.consoles.borrow()[console].life;
        let cut_off = self.chance.once_in("cut off", number, 2);
        let script = Script { sim: Rc::clone(self), place, console, life, cut_off };
        let answer = Mailbox::new();
        let (to, sim) = (answer.clone(), Rc::clone(self));
        let working = work(script);
        self.time.spawn(owner, async move {
            let result = working.await;
            let lost = matches!(place, Place::Host(host) if sim.fleet.borrow().hosts[host].answers_lost);
            if !lost && sim.reachable(console, place) {
                to.send(&sim.time, result);
            }
        });
        let answered = answer.receive(&self.time, 30_000).await;
        self.point(console).await;
        answered.unwrap_or_else(|| Err(Fault::unreachable("the connection was lost")))
    }
}

/// A script on its host.
pub struct Script {
    pub sim: Rc<Sim>,
    pub place: Place,
    console: usize,
    life: u64,
    /// Whether it is hung up when its console dies; else it goes on to its end.
    cut_off: bool,
}

impl Script {
    /// One command of the script takes its time. A fault when the script is hung up: its traps run.
    pub async fn act(&self, low: Ms, high: Ms) -> Result<()> {
        let (number, slow) = match self.place {
            Place::Host(host) => (host as u64, self.sim.fleet.borrow().hosts[host].slow),
            Place::Edge(edge) => (100 + edge as u64, 1),
        };
        self.sim.time.sleep(self.sim.chance.between("command", number, low, high) * slow).await;
        let gone = {
            let consoles = self.sim.consoles.borrow();
            !consoles[self.console].up || consoles[self.console].life != self.life
        };
        if gone && self.cut_off { Err(Fault::interrupted("hung up")) } else { Ok(()) }
    }
}
