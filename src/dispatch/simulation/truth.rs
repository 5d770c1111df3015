//! What must hold at every moment (items 1-11): each change of a host or balancer is judged as it happens, with what nobody in the
//! play knows: everything.

use super::fleet::{Fleet, edge_name, host_name};
use super::scripts::Fence;
use super::sim::Place;
use super::time::Ms;
use crate::model::record::{Dispatch, Outcome};
use crate::plan::{Plan, PlannedProc, PoolChange};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Who changes something: a dispatch under the epoch of its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    pub dispatch: String,
    pub swarm: String,
    pub epoch: u64,
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    pub promise: &'static str,
    pub how: String,
}

/// What a dispatch has done so far, in truth.
pub struct Course {
    pub plan: Rc<Plan>,
    pub before: Before,
    /// (host, port, name).
    started: BTreeSet<(String, u16, String)>,
    /// (host, name) of old procs.
    stopped: BTreeSet<(String, String)>,
    sent: BTreeMap<String, u64>,
    /// The epoch under which each (host, name) was last proven.
    proven: BTreeMap<(String, String), u64>,
    /// Hosts that it went on without.
    lost: BTreeSet<String>,
    /// Balancer hosts that its plan does not leave out.
    edges: Vec<usize>,
    pool_changed: Ms,
    /// What a balancer host held when the holder with an epoch first changed it.
    found: BTreeMap<(Place, u64), BTreeSet<String>>,
    turned: bool,
    pub outcome: Option<Outcome>,
    /// A later dispatch of the swarm began since: what was before is not any more.
    overtaken: bool,
}

/// The world of one swarm as it was when its dispatch began.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Before {
    /// (host number, name) -> (instance, pid).
    pub procs: BTreeMap<(usize, String), (String, Option<u32>)>,
    pub pools: Vec<Option<Vec<u8>>>,
}

#[derive(Default)]
pub struct Truth {
    pub courses: BTreeMap<String, Course>,
    pub broken: Option<Broken>,
    /// The highest epoch that reached a place, per key.
    reached: BTreeMap<(Place, String), u64>,
}

/// The world of a swarm now.
pub fn swarm_now(fleet: &Fleet, swarm: &str, pool: Option<&PoolChange>) -> Before {
    let mut procs = BTreeMap::new();
    for (number, host) in fleet.hosts.iter().enumerate() {
        for proc in host.procs.values().filter(|proc| proc.swarm() == swarm) {
            procs.insert((number, proc.name.clone()), (proc.instance().to_string(), proc.pid));
        }
    }
    let pools = pool.map(|pool| fleet.edges.iter().map(|edge| edge.pools.get(&pool.pool).cloned()).collect()).unwrap_or_default();
    Before { procs, pools }
}

impl Truth {
    pub fn break_promise(&mut self, promise: &'static str, how: String) {
        self.broken.get_or_insert(Broken { promise, how });
    }

    pub fn begun(&mut self, plan: &Rc<Plan>, fleet: &Fleet, others: &[Dispatch]) {
        if let Some(other) = others.iter().find(|other| other.swarm_id == plan.swarm_id && other.id != plan.id) {
            self.break_promise("one at a time", format!("{} began while {} has not ended", plan.id, other.id));
        }
        for course in self.courses.values_mut().filter(|course| course.plan.swarm_id == plan.swarm_id) {
            course.overtaken = true;
        }
        let left_out = plan.pool.as_ref().map(|pool| pool.left_out.clone()).unwrap_or_default();
        let course = Course {
            plan: Rc::clone(plan),
            before: swarm_now(fleet, &plan.swarm_id, plan.pool.as_ref()),
            started: BTreeSet::new(),
            stopped: BTreeSet::new(),
            sent: BTreeMap::new(),
            proven: BTreeMap::new(),
            lost: BTreeSet::new(),
            edges: (0..fleet.edges.len()).filter(|edge| !left_out.contains(&edge_name(*edge))).collect(),
            pool_changed: 0,
            found: BTreeMap::new(),
            turned: false,
            outcome: None,
            overtaken: false,
        };
        if self.courses.insert(plan.id.clone(), course).is_some() {
            self.break_promise("one at a time", format!("{} began twice", plan.id));
        }
    }

    /// The fence of a place was passed.
    pub fn reached(&mut self, place: Place, fence: &Fence) {
        let highest = self.reached.entry((place, fence.key.clone())).or_default();
        *highest = (*highest).max(fence.by.epoch);
    }

    /// The course of who changes something, after what holds for every change.
    fn acting(&mut self, by: &By, place: Place, key: &str) -> Option<&mut Course> {
        let highest = self.reached.get(&(place, key.to_string())).copied().unwrap_or(0);
        if highest > by.epoch {
            self.break_promise("fenced", format!("{by:?} changed {place:?} after epoch {highest} had reached it"));
        }
        let ended = self.courses.get(&by.dispatch).and_then(|course| course.outcome);
        if matches!(ended, Some(Outcome::Done | Outcome::Undone)) {
            self.break_promise("ended is ended", format!("{by:?} changed {place:?} after it ended {ended:?}"));
        }
        // Upkeep brings balancer hosts right without a dispatch.
        if !self.courses.contains_key(&by.dispatch) && !by.dispatch.is_empty() {
            self.break_promise("nothing before the journal", format!("{by:?} changed {place:?} and is in no journal"));
        }
        self.courses.get_mut(&by.dispatch)
    }

    pub fn sent(&mut self, by: &By, host: usize, bytes: u64) {
        if let Some(course) = self.courses.get_mut(&by.dispatch) {
            course.sent.insert(host_name(host), bytes);
        }
    }

    pub fn started(&mut self, by: &By, host: usize, name: &str, fleet: &Fleet) {
        let Some(course) = self.acting(by, Place::Host(host), &by.swarm) else { return };
        let Some(proc) = fleet.hosts[host].procs.get(name) else { return };
        course.started.insert((host_name(host), proc.port, name.to_string()));
    }

    /// Nature ran a proc anew, or ended it: what was before is so under another pid.
    pub fn run_by_nature(&mut self, host: usize, name: &str, pid: Option<u32>) {
        for course in self.courses.values_mut() {
            if let Some((_, before)) = course.before.procs.get_mut(&(host, name.to_string())) {
                *before = pid;
            }
        }
    }

    pub fn proven(&mut self, by: &By, procs: &[PlannedProc]) {
        if let Some(course) = self.courses.get_mut(&by.dispatch) {
            for proc in procs {
                // A former holder may hear its answer after a new one heard the same.
                let epoch = course.proven.entry((proc.host.clone(), proc.name.clone())).or_default();
                *epoch = (*epoch).max(by.epoch);
            }
        }
    }

    /// Just before SIGTERM.
    pub fn stopping(&mut self, by: &By, host: usize, name: &str, fleet: &Fleet, now: Ms) {
        let Some(proc) = fleet.hosts[host].procs.get(name) else { return };
        if proc.swarm() != by.swarm {
            self.break_promise("others are spared", format!("{by:?} stops {name} of '{}'", proc.swarm()));
        }
        let Some(course) = self.acting(by, Place::Host(host), &by.swarm) else { return };
        let node = format!("{}:{}", host_name(host), proc.port);
        let of_pool = course.plan.pool.as_ref();
        let routed = of_pool.is_some_and(|pool| course.pools(fleet, pool).any(|(_, nodes)| nodes.contains(&node)));
        let is_new = course.plan.start.iter().any(|new| new.instance == proc.instance());
        let early = if is_new { None } else { course.too_early(proc.instance(), fleet, now) };
        if !is_new {
            course.stopped.insert((host_name(host), name.to_string()));
        }
        // What another dispatch paid meanwhile is not as it was before.
        for other in self.courses.iter_mut().filter(|(id, _)| **id != by.dispatch).map(|(_, other)| other) {
            other.before.procs.remove(&(host, name.to_string()));
        }
        if routed {
            self.break_promise("removed before it is stopped", format!("{by:?} stops {name} on web{host}, which is in the pool"));
        }
        if let Some(why) = early {
            self.break_promise("old procs stay till the new ones serve", format!("{by:?} stops {name} on web{host}: {why}"));
        }
    }

    /// A pool was changed on one balancer host.
    pub fn pool_set(&mut self, by: &By, place: Place, pool: &str, nodes: (&BTreeSet<String>, &BTreeSet<String>), fleet: &Fleet, now: Ms) {
        let (before, after) = nodes;
        let Some(course) = self.acting(by, place, &format!("pool/edge/{pool}")) else { return };
        course.pool_changed = now;
        // Where another balancer host refuses, what was changed here is put back as it was found.
        let found = course.found.entry((place, by.epoch)).or_insert_with(|| before.clone()).clone();
        let Some(planned) = course.plan.pool.as_ref() else { return };
        let own = planned.pool == pool;
        let emptied = after.is_empty() && !before.is_empty() && course.plan.size > 0 && !planned.before.is_empty();
        let unproven: Vec<&String> = after
            .iter()
            .filter(|node| !before.contains(*node) && !found.contains(*node) && !course.may_route(node, by.epoch, fleet))
            .collect();
        let unproven = (!unproven.is_empty()).then(|| format!("{by:?} routes {unproven:?} in {pool} on {place:?}"));
        if !own {
            self.break_promise("others are spared", format!("{by:?} changes the pool {pool}"));
        }
        if emptied {
            self.break_promise("a pool is never emptied", format!("{by:?} leaves {pool} on {place:?} empty"));
        }
        if let Some(how) = unproven {
            self.break_promise("nothing unproven is routed", how);
        }
    }

    /// Hosts that a dispatch goes on without, by its journal.
    pub fn gone_without(&mut self, dispatch: &str, hosts: BTreeSet<String>) {
        if let Some(course) = self.courses.get_mut(dispatch) {
            course.lost = hosts;
        }
    }

    /// A dispatch that ended pays what it owes: it may act again.
    pub fn pays(&mut self, dispatch: &str) {
        if let Some(course) = self.courses.get_mut(dispatch) {
            course.outcome = None;
        }
    }

    /// Judges how a dispatch ended, at the moment at which that is written down.
    pub fn ended(&mut self, dispatch: &Dispatch, fleet: &Fleet) {
        let Some(outcome) = dispatch.outcome.filter(|outcome| *outcome != Outcome::Interrupted) else { return };
        let Some(course) = self.courses.get_mut(&dispatch.id) else { return };
        course.outcome = Some(outcome);
        let wrong = match outcome {
            Outcome::Undone => course.not_before(fleet).map(|how| ("undone is before", how)),
            Outcome::Done if course.turned => Some(("who turns round does not end done", "it did".into())),
            Outcome::Done => course.not_planned(dispatch, fleet).map(|how| ("the plan is what happens", how)),
            _ if dispatch.debts.is_empty() && !course.plan.in_place && !course.overtaken => {
                Some(("what is owed is listed", "it failed and lists no debt".into()))
            }
            _ => None,
        };
        if let Some((promise, how)) = wrong {
            self.break_promise(promise, format!("{}: {how}", dispatch.id));
        }
    }
}

impl Course {
    /// The nodes of a pool on each balancer host that its plan does not leave out.
    fn pools<'a>(&'a self, fleet: &'a Fleet, pool: &'a PoolChange) -> impl Iterator<Item = (usize, BTreeSet<String>)> + 'a {
        let nodes = |edge: &usize| (*edge, super::fleet::pool_nodes(fleet.edges[*edge].pools.get(&pool.pool)));
        self.edges.iter().map(nodes)
    }

    /// Whether a node that was not in the pool may be: this holder has proven who answers there, or it was there before.
    fn may_route(&self, node: &str, epoch: u64, fleet: &Fleet) -> bool {
        // On the way back nothing is proven any more: who was, may be put back.
        let good = |by: &u64| *by == epoch || self.turned;
        let proven = |proc: &PlannedProc| self.proven.get(&(proc.host.clone(), proc.name.clone())).is_some_and(good);
        let stands = |proc: &&PlannedProc| {
            let host = super::fleet::host_number(&proc.host).and_then(|host| fleet.hosts.get(host));
            proc.node == node && host.is_some_and(|host| host.procs.get(&proc.name).is_some_and(|there| there.instance() == proc.instance))
        };
        if let Some(new) = self.plan.start.iter().find(stands) {
            return proven(new);
        }
        let was = self.plan.pool.as_ref().is_some_and(|pool| pool.before.iter().any(|before| before == node));
        was || self.plan.keep.iter().any(|kept| kept.node == node && proven(kept))
    }

    fn too_early(&self, instance: &str, fleet: &Fleet, now: Ms) -> Option<String> {
        let old = self.plan.retire.iter().chain(&self.plan.lost).find(|old| old.instance == instance);
        let Some(old) = old else { return Some("the plan does not retire it".into()) };
        // In place, the batches before it must serve.
        let serves = |proc: &&PlannedProc| !self.lost.contains(&proc.host) && (!self.plan.in_place || proc.batch < old.batch);
        let stay = || self.plan.start.iter().filter(serves).chain(self.plan.keep.iter().filter(serves));
        if let Some(proc) = stay().find(|proc| !self.proven.contains_key(&(proc.host.clone(), proc.name.clone()))) {
            return Some(format!("{} is not proven", proc.name));
        }
        if self.overtaken {
            return None;
        }
        let Some(pool) = &self.plan.pool else { return None };
        for (number, nodes) in self.pools(fleet, pool) {
            if let Some(proc) = stay().find(|proc| !nodes.contains(&proc.node)) {
                return Some(format!("{} is not in the pool on {}", proc.node, edge_name(number)));
            }
        }
        let soaked = now.saturating_sub(self.pool_changed);
        let soaks = !self.plan.start.is_empty() && !self.plan.in_place;
        (soaks && soaked < self.plan.timing.soak_ms).then(|| format!("soaked only {soaked} ms"))
    }

    fn not_before(&self, fleet: &Fleet) -> Option<String> {
        let now = swarm_now(fleet, &self.plan.swarm_id, self.plan.pool.as_ref());
        // Balancer hosts that were away are brought right by themselves.
        let pools = |of: &Before| self.edges.iter().map(|edge| of.pools.get(*edge).cloned()).collect::<Vec<_>>();
        let same = now.procs == self.before.procs && pools(&now) == pools(&self.before);
        (!self.overtaken && !same).then(|| format!("before {:?}, now {now:?}", self.before))
    }

    /// Effects against the plan's lists; what is on a host that something is owed to is left out.
    fn not_planned(&self, dispatch: &Dispatch, fleet: &Fleet) -> Option<String> {
        let owed = |host: &str| self.lost.contains(host) || dispatch.debts.iter().any(|debt| debt.host == host);
        let start = self.plan.start.iter().filter(|proc| !owed(&proc.host));
        let start: BTreeSet<_> = start.map(|proc| (proc.host.clone(), proc.port, proc.name.clone())).collect();
        let started: BTreeSet<_> = self.started.iter().filter(|(host, ..)| !owed(host)).cloned().collect();
        if start != started {
            return Some(format!("started {started:?}, planned {start:?}"));
        }
        // Another dispatch of the swarm may have retired what this one owed.
        let there = |old: &PlannedProc| {
            let host = super::fleet::host_number(&old.host).and_then(|host| fleet.hosts.get(host));
            let stopped = self.stopped.contains(&(old.host.clone(), old.name.clone()));
            stopped || host.is_some_and(|host| host.procs.get(&old.name).is_some_and(|proc| proc.instance() == old.instance))
        };
        let retire = self.plan.retire.iter().chain(&self.plan.lost).filter(|proc| !owed(&proc.host) && there(proc));
        let retire: BTreeSet<_> = retire.map(|proc| (proc.host.clone(), proc.name.clone())).collect();
        let stopped: BTreeSet<_> = self.stopped.iter().filter(|(host, _)| !owed(host)).cloned().collect();
        if retire != stopped {
            return Some(format!("retired {stopped:?}, planned {retire:?}"));
        }
        let sends = self.plan.send.iter().filter(|send| send.bytes > 0 && !owed(&send.host));
        let sends: BTreeMap<_, _> = sends.map(|send| (send.host.clone(), send.bytes)).collect();
        let sent: BTreeMap<_, _> = self.sent.iter().filter(|(host, _)| !owed(host)).map(|(host, bytes)| (host.clone(), *bytes)).collect();
        if sends != sent {
            return Some(format!("sent {sent:?}, planned {sends:?}"));
        }
        let pool = self.plan.pool.as_ref().filter(|_| !self.overtaken)?;
        let absent = |node: &String| self.plan.start.iter().any(|proc| &proc.node == node && self.lost.contains(&proc.host));
        let after: BTreeSet<String> = pool.after.iter().filter(|node| !absent(node)).cloned().collect();
        let differs = self.pools(fleet, pool).find(|(_, nodes)| *nodes != after);
        differs.map(|(_, nodes)| format!("the pool holds {nodes:?}, planned {after:?}"))
    }

    /// Kept procs on hosts that it went on without: they may be there still when those answer again, or not.
    pub fn may_own(&self) -> BTreeSet<(String, String)> {
        let lost = self.plan.keep.iter().filter(|proc| self.lost.contains(&proc.host));
        lost.map(|proc| (proc.host.clone(), proc.instance.clone())).collect()
    }

    /// The procs that are this swarm's when it ended done: (host, instance).
    pub fn owned(&self) -> BTreeSet<(String, String)> {
        let there = self.plan.start.iter().chain(&self.plan.keep).filter(|proc| !self.lost.contains(&proc.host));
        there.map(|proc| (proc.host.clone(), proc.instance.clone())).collect()
    }
}

impl Truth {
    /// It is written down that a dispatch goes back.
    pub fn turned_round(&mut self, dispatch: &str) {
        if let Some(course) = self.courses.get_mut(dispatch) {
            course.turned = true;
        }
    }
}
