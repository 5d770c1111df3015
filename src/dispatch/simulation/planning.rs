//! What an operator of a play has before anything runs: swarms, releases, plans.

use super::fleet::edge_name;
use super::sim::Sim;
use crate::dispatch::machine;
use crate::model::document::Kind;
use crate::model::entity::Host;
use crate::model::record::{Dispatch, Phase};
use crate::model::release::{Build, BuildStatus, Release};
use crate::model::world::{NodeState, PoolHost, PoolSeen, World};
use crate::model::{Fault, Result};
use crate::plan::{self, Plan, Shown, Want};
use crate::store::{Change, Put};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

pub fn swarm_id(swarm: usize) -> String {
    format!("s{swarm}")
}

pub fn swarm_number(id: &str) -> usize {
    id.trim_start_matches('s').parse().unwrap_or(0)
}

/// The swarm as an operator wrote it first.
pub fn create_swarm(sim: &Sim, swarm: usize) {
    let of = &sim.scenario.swarms[swarm];
    let pool = if of.pool { format!(r#","pool":"p{swarm}","balancer":"edge""#) } else { String::new() };
    let body = format!(
        r#"{{"app":"shop","config_name":"prod{swarm}","proc_name":"web","squad":"web","size":{},"version":"v0","settle":"{}s","soak":"{}s","drain_timeout":"2s","stop_timeout":"1s","absent":"{}","lost_after":"6s","in_place":{}{pool}{}{}}}"#,
        of.size,
        of.settle / 1_000,
        of.soak / 1_000,
        of.absent,
        of.in_place,
        of.batch.map(|batch| format!(r#","batch":{batch}"#)).unwrap_or_default(),
        of.canary.map(|canary| format!(r#","canary":{canary}"#)).unwrap_or_default(),
    );
    let id = Some(swarm_id(swarm));
    let put = Put { id, kind: Kind::Swarm, name: format!("shop-prod{swarm}-web@web"), text: String::new(), body, expected: Some(0) };
    sim.store.apply(&[Change::Put(put)], "op", 0).unwrap();
}

/// An operator saves the swarm's text.
pub async fn edit(sim: &Rc<Sim>, console: usize, swarm: usize) -> Result<()> {
    let now_ms = sim.now_ms();
    sim.ask_store(console, true, |store| {
        let object = store.by_id(&swarm_id(swarm)).ok_or_else(|| Fault::refused("the swarm is deleted"))?;
        let put = Put {
            id: Some(object.id),
            kind: Kind::Swarm,
            name: object.name,
            text: format!("# saved at {now_ms}"),
            body: object.body,
            expected: Some(object.rev),
        };
        store.apply(&[Change::Put(put)], "op", now_ms).map(drop)
    })
    .await
}

/// An operator takes `in_place` away, as the fault says that may be needed.
pub fn not_in_place(sim: &Sim, swarm: usize) {
    let Some(object) = sim.store.by_id(&swarm_id(swarm)) else { return };
    let body = object.body.replace(r#""in_place":true"#, r#""in_place":false"#);
    let (id, name, text) = (Some(object.id), object.name, format!("{}# not in place\n", object.text));
    let put = Put { id, kind: Kind::Swarm, name, text, body, expected: Some(object.rev) };
    sim.store.apply(&[Change::Put(put)], "op", sim.now_ms()).unwrap();
}

fn release(swarm: usize, version: usize, config: &str) -> Release {
    let text = |text: &str| text.to_string();
    Release {
        id: format!("{version:08}{swarm:016}{:016}", config.len()),
        build: format!("b{version}"),
        artifact: format!("artifact{version}"),
        app: text("shop"),
        app_repo_url: String::new(),
        app_repo_type: Default::default(),
        version: format!("v{version}"),
        commit: String::new(),
        proc_name: text("web"),
        config_name: config.to_string(),
        command: text("web"),
        config: Default::default(),
        env: Default::default(),
        volumes: Vec::new(),
        run_as: text("nobody"),
        mem_limit: None,
        memsw_limit: None,
        runtime: text("process"),
        uptests: vec![text("01")],
        buildpack_url: String::new(),
        buildpack_commit: String::new(),
        created_ms: 0,
    }
}

fn build(version: usize) -> Build {
    Build {
        id: format!("b{version}"),
        app: "shop".into(),
        version: format!("v{version}"),
        commit: String::new(),
        identity: String::new(),
        status: BuildStatus::Success,
        artifact: format!("artifact{version}"),
        size: 1_000,
        env: Default::default(),
        procfile: Default::default(),
        uptests: Default::default(),
        buildpack_url: String::new(),
        buildpack_commit: String::new(),
        sandboxed: true,
        started_ms: 0,
        ended_ms: 0,
        error: String::new(),
        by: String::new(),
    }
}

/// Hosts and pools that something is owed to.
pub fn indebted(owing: &[Dispatch]) -> BTreeSet<String> {
    owing.iter().flat_map(|dispatch| dispatch.debts.iter().map(|debt| debt.host.clone())).collect()
}

impl Sim {
    /// Observes and plans; answers with the stored plan's id.
    pub async fn plan(
        self: &Rc<Sim>,
        console: usize,
        swarm: usize,
        version: usize,
        size: u32,
        replace: plan::Replace<'_>,
    ) -> Result<String> {
        let (body, rev) = self.swarm(swarm)?;
        let hosts: Vec<Host> = self.hosts_for_placing(console).await?;
        let mut world = self.observe(console, swarm).await?;
        self.add_made_and_never_seen(console, swarm, &mut world).await?;
        let (leases, owing) = self.ask_store(console, false, |store| Ok((store.port_leases(), store.owing_dispatches()))).await?;
        let indebted = indebted(&owing);
        let leased: BTreeMap<String, BTreeSet<u16>> =
            hosts.iter().filter_map(|host| Some((host.name.clone(), leases.get(&host.id)?.keys().copied().collect()))).collect();
        let id = format!("d{}-{swarm}", self.plans.borrow().len() + 1);
        let plan = plan::make(&Want {
            id: &id,
            verb: "dispatch",
            who: "op",
            now_ms: self.now_ms(),
            swarm_id: &swarm_id(swarm),
            swarm_rev: rev,
            swarm: &body,
            size,
            release: &release(swarm, version, &body.config_name),
            build: &build(version),
            build_reused: true,
            running: None,
            hosts: &hosts,
            world: &world,
            leased: &leased,
            layer: &|_, _| String::new(),
            show: &|_, value| Shown { text: value.into(), secret: false },
            former: &[],
            leave_orphans: false,
            replace,
            indebted: &indebted,
            go_on: false,
        })?;
        self.judge_plan(&plan, &world, &hosts);
        self.plans.borrow_mut().insert(id.clone(), Rc::new(plan));
        Ok(id)
    }

    /// What dispatches of the swarm left on hosts that nobody has seen since.
    pub async fn add_made_and_never_seen(self: &Rc<Sim>, console: usize, swarm: usize, world: &mut World) -> Result<()> {
        let body = self.swarm(swarm)?.0;
        let mut all = self.ask_store(console, false, |store| Ok(store.dispatches())).await?;
        all.retain(|dispatch| dispatch.swarm_id == swarm_id(swarm));
        all.sort_by_key(|dispatch| std::cmp::Reverse(dispatch.number));
        for dispatch in plan::that_left_procs(&all) {
            let of = self.plans.borrow().get(&dispatch.id).cloned();
            let of = of.ok_or_else(|| Fault::bad("there is no such plan"))?;
            plan::add_made_and_never_seen(world, &of, dispatch, &body.config_name, &body.full_name(), "i");
        }
        Ok(())
    }

    /// Placement never uses a host that does not answer or is out of service, nor a port that is taken.
    fn judge_plan(&self, plan: &Plan, world: &World, hosts: &[Host]) {
        let instead = |new: &plan::PlannedProc| plan.retire.iter().any(|old| plan.in_place && old.node == new.node);
        for new in &plan.start {
            let active = hosts.iter().any(|host| host.name == new.host && host.active);
            let free = world.hosts.get(&new.host).is_some_and(|host| host.is_ok() && (!host.listening.contains(&new.port) || instead(new)));
            if !active || !free {
                self.truth.borrow_mut().break_promise("placed where it can serve", format!("{new:?} of {}", plan.id));
            }
        }
        self.say(|| {
            let names = |procs: &[plan::PlannedProc]| procs.iter().map(|proc| proc.node.clone()).collect::<Vec<_>>().join(" ");
            let (start, keep, retire, lost) = (names(&plan.start), names(&plan.keep), names(&plan.retire), names(&plan.lost));
            format!("plan {} {}: start [{start}] keep [{keep}] retire [{retire}] lost [{lost}]", plan.id, plan.to.version)
        });
    }
}

/// What is wrong with a pool whose hosts hold different nodes.
pub const DISAGREE: &str = "its balancer hosts disagree";

/// The pool of a swarm as its balancer hosts report it.
pub async fn pool_seen(sim: &Rc<Sim>, console: usize, swarm: usize) -> PoolSeen {
    let pool = format!("p{swarm}");
    let mut seen = PoolSeen { balancer: "edge".into(), pool: pool.clone(), ..PoolSeen::default() };
    let owed = sim.owed_edges(swarm);
    for edge in 0..sim.scenario.edges {
        let mut line = PoolHost { host: edge_name(edge), owed: owed.contains(&edge).then(String::new), ..PoolHost::default() };
        match sim.read_pool(console, edge, &pool).await {
            Ok(nodes) => line.nodes = nodes.into_iter().map(|node| (node, NodeState::Up)).collect(),
            Err(fault) => line.away = Some(fault.what),
        }
        seen.hosts.push(line);
    }
    let counted: Vec<_> = seen.hosts.iter().filter(|host| host.counts()).collect();
    seen.nodes = counted.iter().flat_map(|host| host.up()).collect();
    if counted.is_empty() {
        seen.trouble.push("no balancer host can be asked".into());
    } else if counted.iter().any(|host| host.up() != seen.nodes) {
        seen.trouble.push(DISAGREE.into());
    }
    seen
}

pub fn header(plan: &Plan, holder: &str) -> Dispatch {
    Dispatch {
        id: plan.id.clone(),
        number: 0,
        swarm_id: plan.swarm_id.clone(),
        swarm: plan.swarm.clone(),
        verb: plan.verb.clone(),
        who: "op".into(),
        why: String::new(),
        from_version: String::new(),
        to_version: plan.to.version.clone(),
        from_release: String::new(),
        to_release: plan.to.release.clone(),
        phase: Phase::Fence,
        undoing: false,
        outcome: None,
        fault: None,
        debts: Vec::new(),
        steps: machine::steps(plan),
        started_ms: 0,
        ended_ms: 0,
        holder: holder.into(),
    }
}
