//! Properties of plans over random worlds: what must never be in one, and what must always follow from one.

use super::*;
use crate::model::entity::{Become, SupervisorAt, Transport};
use crate::model::release::BuildStatus;
use crate::model::units::{Absent, Ports};
use crate::model::world::{HostSeen, PoolSeen, Stamp};
use crate::plan::{Replace, moved};
use proptest::prelude::*;

const ME: &str = "swarm-1";

fn host(n: usize, active: bool) -> Host {
    Host {
        id: format!("h{n}"),
        name: format!("web{n:02}"),
        squad: "web".into(),
        transport: Transport::Ssh,
        address: format!("10.0.0.{n}"),
        port: None,
        user: None,
        become_: Become::None,
        root: "/apps".into(),
        ports: Ports { first: 5000, last: 5040 },
        active,
        supervisor: SupervisorAt::default(),
        protect: false,
    }
}

fn proc(host: &str, port: u16, kind: u8, release: &str) -> Proc {
    let swarm = if kind < 3 { ME } else { "swarm-2" };
    Proc {
        host: host.into(),
        name: format!("p-{port}"),
        app: "shop".into(),
        version: "v1".into(),
        config: "prod".into(),
        release: release.into(),
        proc: "web".into(),
        port: Some(port),
        state: if kind == 1 { ProcState::Fatal } else { ProcState::Running },
        pid: Some(u32::from(port)),
        start: 0,
        stop: 0,
        now: 0,
        exit_status: None,
        spawn_error: String::new(),
        description: String::new(),
        stamp: (kind != 5).then(|| Stamp {
            installation: "i".into(),
            swarm: swarm.into(),
            dispatch: "d".into(),
            instance: format!("x{port}"),
        }),
        owner: if kind == 5 { Owner::Foreign } else { Owner::Ours },
        swarm: None,
        foreign_of: None,
        routed: Some(kind != 2),
        cpu_percent: None,
        rss_bytes: None,
        cpu: None,
    }
}

fn seen(host: &Host, procs: Vec<Proc>, listening: &[u16], state: HostState) -> HostSeen {
    HostSeen {
        id: host.id.clone(),
        name: host.name.clone(),
        squad: host.squad.clone(),
        active: host.active,
        state,
        seen_ms: 1,
        asked_ms: 1,
        address: host.address.clone(),
        installation: Some("i".into()),
        procs,
        listening: listening.iter().copied().collect(),
        builds: BTreeSet::new(),
        fences: BTreeMap::new(),
        load: None,
        memory_total: None,
        memory_free: Some(1 << 30),
        disk_free: None,
    }
}

fn release(config: &str) -> Release {
    let config = serde_json::from_str(config).unwrap();
    Release {
        id: String::new(),
        build: "b".into(),
        artifact: "a".repeat(64),
        app: "shop".into(),
        app_repo_url: String::new(),
        app_repo_type: Default::default(),
        version: "v2".into(),
        commit: "c".into(),
        proc_name: "web".into(),
        config_name: "prod".into(),
        command: "./web".into(),
        config,
        env: Default::default(),
        volumes: Vec::new(),
        run_as: "nobody".into(),
        mem_limit: None,
        memsw_limit: None,
        runtime: "process".into(),
        uptests: vec!["01-health".into()],
        buildpack_url: String::new(),
        buildpack_commit: String::new(),
        created_ms: 0,
    }
    .sealed()
}

fn build() -> Build {
    Build {
        id: "b".into(),
        app: "shop".into(),
        version: "v2".into(),
        commit: "c".into(),
        identity: "x".into(),
        status: BuildStatus::Success,
        artifact: "a".repeat(64),
        size: 1000,
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

fn swarm(size: u32) -> Swarm {
    let text = format!(
        r#"{{"app":"shop","config_name":"prod","proc_name":"web","squad":"web","size":{size},"version":"v2","pool":"shop","balancer":"edge"}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn try_make(world: &World, hosts: &[Host], swarm: &Swarm, release: &Release) -> Result<Plan> {
    try_replace(world, hosts, swarm, release, Replace::None)
}

fn try_replace(world: &World, hosts: &[Host], swarm: &Swarm, release: &Release, replace: Replace) -> Result<Plan> {
    try_make_with(world, hosts, swarm, release, replace, &[], false)
}

fn try_make_with(
    world: &World,
    hosts: &[Host],
    swarm: &Swarm,
    release: &Release,
    replace: Replace,
    former: &[(String, String)],
    leave_orphans: bool,
) -> Result<Plan> {
    let leased = BTreeMap::from([("web01".to_string(), BTreeSet::from([5001, 5002]))]);
    make(&Want {
        id: "d1",
        verb: "dispatch",
        who: "op1",
        now_ms: 1,
        swarm_id: ME,
        swarm_rev: 1,
        swarm,
        size: swarm.size,
        release,
        build: &build(),
        build_reused: false,
        running: None,
        hosts,
        world,
        leased: &leased,
        former,
        leave_orphans,
        layer: &|_, _| "swarm".into(),
        show: &|_, value| Shown { text: value.into(), secret: false },
        replace,
        indebted: &BTreeSet::new(),
        go_on: false,
    })
}

proptest! {
    #[test]
    fn a_plan_keeps_its_promises(
        hosts in proptest::collection::vec((any::<bool>(), proptest::collection::btree_map(5000u16..5040, (0u8..6, any::<bool>()), 0..8), proptest::collection::vec(5000u16..5040, 0..4), 0u8..8), 1..5),
        size in 0u32..12,
        stranger in any::<bool>(),
        form in (proptest::option::of(1u32..4), proptest::option::of(1u32..4), proptest::bool::weighted(0.2), 0u8..3, proptest::bool::weighted(0.2)),
    ) {
        let wanted = release("{}");
        let all: Vec<Host> = hosts.iter().enumerate().map(|(n, (active, ..))| host(n + 1, *active)).collect();
        let mut world = World::default();
        for (host, (_, procs, listening, state)) in all.iter().zip(&hosts) {
            let procs = procs.iter().map(|(port, (kind, new))| proc(&host.name, *port, *kind, if *new { &wanted.id } else { "old" })).collect();
            let state = if *state == 0 { HostState::Unreachable("timed out".into()) } else { HostState::Ok };
            world.hosts.insert(host.name.clone(), seen(host, procs, listening, state));
        }
        let mut nodes: BTreeSet<String> = world.procs().filter(|p| p.stamp.as_ref().is_some_and(|s| s.swarm == ME)).filter_map(|p| p.node(&world.hosts[&p.host].address)).collect();
        if stranger { nodes.insert("10.9.9.9:1".into()); }
        world.pools.push(PoolSeen { balancer: "edge".into(), pool: "shop".into(), nodes, ..PoolSeen::default() });
        let (batch, canary, in_place, absent, restart) = form;
        let absent = [Absent::Abort, Absent::Quorum(2), Absent::GoOn][usize::from(absent)];
        let swarm = Swarm { batch, canary, in_place, absent, ..swarm(size) };
        let replace = if restart { Replace::All } else { Replace::None };
        let answering = all.iter().filter(|h| world.hosts[&h.name].is_ok()).count();
        let may_go_on = absent.hosts_needed().is_some_and(|needed| answering >= needed as usize);
        let mine: Vec<&Proc> = world.procs().filter(|p| p.stamp.as_ref().is_some_and(|s| s.swarm == ME) && p.owner == Owner::Ours).collect();
        let unseen_with_mine = mine.iter().any(|p| !world.hosts[&p.host].is_ok());
        match try_replace(&world, &all, &swarm, &wanted, replace) {
            Err(fault) => {
                let room = all.iter().any(|h| h.active && world.hosts[&h.name].is_ok());
                let in_place = in_place && fault.what.contains("in place");
                prop_assert!(unseen_with_mine && !may_go_on || !room || in_place || fault.what.contains("port"), "{fault}");
            }
            Ok(plan) => {
                prop_assert!(!unseen_with_mine || may_go_on, "planned although procs are not seen");
                prop_assert_eq!(plan.start.len() + plan.keep.len(), size as usize);
                // every proc of the swarm is kept or retired, and nobody else's is touched
                let touched: BTreeSet<(String, String)> = plan.keep.iter().chain(&plan.retire).chain(&plan.lost).map(|p| (p.host.clone(), p.name.clone())).collect();
                prop_assert!(plan.lost.iter().all(|p| !world.hosts[&p.host].is_ok()));
                let own: BTreeSet<(String, String)> = mine.iter().map(|p| (p.host.clone(), p.name.clone())).collect();
                prop_assert_eq!(touched, own);
                for new in &plan.start {
                    let seen = &world.hosts[&new.host];
                    prop_assert!(seen.is_ok() && seen.active);
                    let instead = plan.in_place && plan.retire.iter().any(|old| old.host == new.host && old.port == new.port && old.batch == new.batch);
                    if instead { continue; }
                    prop_assert!(!seen.listening.contains(&new.port) && !seen.procs.iter().any(|p| p.port == Some(new.port)));
                    prop_assert!(!(new.host == "web01" && (new.port == 5001 || new.port == 5002)), "a leased port was taken");
                }
                for kept in &plan.keep { prop_assert!(kept.release == wanted.id && !restart); }
                let pool = plan.pool.as_ref().unwrap();
                let after: BTreeSet<String> = plan.start.iter().chain(&plan.keep).map(|p| p.node.clone()).collect();
                prop_assert_eq!(pool.after.iter().cloned().collect::<BTreeSet<_>>(), after);
                prop_assert!(size == 0 || !pool.after.is_empty(), "a pool emptied while size > 0");
                prop_assert_eq!(pool.stages.len(), plan.batches() as usize);
                let (mut served, mut started) = (BTreeSet::new(), 0);
                let lost: BTreeSet<&String> = plan.lost.iter().map(|p| &p.node).collect();
                let alive = pool.before.iter().filter(|node| !lost.contains(node)).count();
                for (n, stage) in pool.stages.iter().enumerate() {
                    let of = plan.start.iter().filter(|p| p.batch as usize == n).count();
                    prop_assert!(of > 0 || plan.start.is_empty(), "an empty batch");
                    if n == 0 && plan.canary > 0 { prop_assert_eq!(of, plan.canary as usize); } else if let Some(batch) = swarm.batch { prop_assert!(of <= batch as usize); }
                    started += of;
                    served.extend(plan.start.iter().filter(|p| p.batch as usize <= n).map(|p| p.node.clone()));
                    for nodes in [&stage.route, &stage.drain] {
                        prop_assert!(nodes.iter().all(|node| !lost.contains(node)), "a lost node is routed");
                        prop_assert!(size == 0 || !nodes.is_empty(), "the pool is emptied on the way");
                        let early = plan.start.iter().filter(|p| p.batch as usize > n).any(|p| nodes.contains(&p.node) && !pool.before.contains(&p.node));
                        prop_assert!(!early, "routed before it is started");
                    }
                    if plan.in_place && n == 0 {
                        prop_assert!(stage.drain.iter().all(|node| pool.before.contains(node)), "routed before it is proven");
                    }
                    if !plan.in_place {
                        prop_assert!(served.iter().all(|node| stage.route.contains(node)));
                        prop_assert!(stage.drain.len() >= alive.min(size as usize).min(alive + started - plan.retire.len().min(started)).min(pool.after.len()), "fewer serve on the way than before and after: {plan:?}");
                    }
                }
                let end = pool.stages.last().unwrap();
                prop_assert_eq!(if plan.in_place { &end.route } else { &end.drain }, &pool.after);
                // the plan holds in the world that it was made from, and making it again makes the same
                prop_assert_eq!(moved(&plan, &world, &BTreeSet::new()), Vec::<String>::new());
                prop_assert_eq!(&try_replace(&world, &all, &swarm, &wanted, replace).unwrap(), &plan);
                // it does not hold once a proc that stays was restarted; one that goes only while it runs
                for (old, differences) in plan.keep.first().map(|old| (old, 1)).into_iter().chain(plan.retire.first().map(|old| (old, 0))) {
                    let mut later = world.clone();
                    for p in &mut later.hosts.get_mut(&old.host).unwrap().procs { if p.name == old.name { p.pid = Some(1); p.state = if differences == 0 { ProcState::Backoff } else { ProcState::Running }; } }
                    prop_assert_eq!(moved(&plan, &later, &BTreeSet::new()).len(), differences);
                }
            }
        }
    }
}

#[test]
fn equal_size_and_release_tests_and_routes_again_but_deploys_nothing() {
    let wanted = release("{}");
    let all = [host(1, true)];
    let mut world = World::default();
    world.hosts.insert("web01".into(), seen(&all[0], vec![proc("web01", 5005, 0, &wanted.id)], &[5005], HostState::Ok));
    let plan = try_make(&world, &all, &swarm(1), &wanted).unwrap();
    assert!(plan.start.is_empty() && plan.retire.is_empty());
    assert_eq!(plan.pool.unwrap().after, ["10.0.0.1:5005"]);
}

#[test]
fn a_secret_is_a_hash_in_the_plan_and_nested_keys_are_dotted() {
    let before = release(r#"{"db":{"host":"db1","password":"old"},"same":1}"#);
    let after = release(r#"{"db":{"host":"db2","password":"new"},"same":1}"#);
    let show = |key: &str, value: &str| {
        if key.contains("password") {
            Shown { text: format!("#{}", value.len()), secret: true }
        } else {
            Shown { text: value.into(), secret: false }
        }
    };
    let changes = changes(Some(&before), &after, &|_, _| "swarm".into(), &show);
    let lines: Vec<String> =
        changes.iter().map(|c| format!("{} {} {:?} {:?} {}", c.file, c.key, c.before.as_deref(), c.after.as_deref(), c.secret)).collect();
    assert_eq!(lines, [r#"config db.host Some("db1") Some("db2") false"#, r##"config db.password Some("#3") Some("#3") true"##]);
}

/// A proc of a random world around a swarm that was renamed: what its stamp says, and whether this swarm's dispatch has to do with it.
fn renamed(host: &Host, port: u16, kind: u8, release: &str) -> (Proc, bool) {
    let (swarm, config, owner) = match kind {
        0 | 1 => (ME, "prod", if host.squad == "web" { Owner::Ours } else { Owner::Orphan }),
        2 => (ME, "old", Owner::Orphan),
        3 => ("swarm-9", "prod", Owner::Orphan),
        4 => ("swarm-9", "old", Owner::Orphan),
        5 => ("swarm-2", "prod", Owner::Ours),
        _ => ("swarm-1", "prod", Owner::Foreign),
    };
    let mut made = proc(&host.name, port, 0, release);
    (made.config, made.owner) = (config.into(), owner);
    made.stamp = made.stamp.map(|stamp| Stamp { swarm: swarm.into(), ..stamp });
    (made, kind <= 2 || (kind == 3 && host.squad == "web"))
}

proptest! {
    #[test]
    fn a_renamed_swarm_retires_what_it_lost_sight_of_and_nobody_elses(
        hosts in proptest::collection::vec((any::<bool>(), proptest::collection::btree_map(5000u16..5040, (0u8..8, any::<bool>(), 0u8..4), 0..8), 0u8..10), 1..5),
        size in 0u32..8,
        leave in any::<bool>(),
        strange_node in proptest::option::of(5000u16..5040),
    ) {
        let wanted = release("{}");
        let mut all: Vec<Host> = Vec::new();
        let mut world = World::default();
        let (mut mine, mut orphans) = (BTreeSet::new(), BTreeSet::new());
        // The swarm's pool, one that it had before, one of another swarm.
        let mut nodes = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
        for (n, (in_squad, procs, state)) in hosts.iter().enumerate() {
            let mut made = host(n + 1, true);
            if !in_squad { made.squad = "db".into(); }
            let mut list = Vec::new();
            for (port, (kind, new, pool)) in procs {
                let (proc, concerned) = renamed(&made, *port, *kind, if *new { &wanted.id } else { "old" });
                if concerned && proc.owner == Owner::Ours { mine.insert((made.name.clone(), proc.name.clone())); }
                if concerned && proc.owner == Owner::Orphan { orphans.insert((made.name.clone(), proc.name.clone())); }
                if let Some(pool) = nodes.get_mut(usize::from(*pool)) { pool.insert(format!("{}:{port}", made.address)); }
                list.push(proc);
            }
            let state = if *state == 0 { HostState::Unreachable("timed out".into()) } else { HostState::Ok };
            world.hosts.insert(made.name.clone(), HostSeen { squad: made.squad.clone(), ..seen(&made, list, &[], state) });
            all.push(made);
        }
        if let Some(port) = strange_node { nodes[1].insert(format!("10.0.0.1:{port}")); }
        for (pool, nodes) in ["shop", "earlier", "theirs"].iter().zip(nodes) {
            world.pools.push(PoolSeen { balancer: "edge".into(), pool: (*pool).into(), nodes, ..PoolSeen::default() });
        }
        let squad: Vec<Host> = all.iter().filter(|host| host.squad == "web").cloned().collect();
        let swarm = swarm(size);
        let former = [("edge".to_string(), "earlier".to_string())];
        let touched: BTreeSet<(String, String)> = if leave { mine.clone() } else { mine.union(&orphans).cloned().collect() };
        let node = |(host, name): &(String, String)| {
            let seen = &world.hosts[host];
            seen.procs.iter().find(|proc| &proc.name == name).unwrap().node(&seen.address).unwrap()
        };
        match try_make_with(&world, &squad, &swarm, &wanted, Replace::None, &former, leave) {
            Err(fault) => {
                let unseen = touched.iter().any(|(host, _)| !world.hosts[host].is_ok());
                let room = squad.iter().any(|h| world.hosts[&h.name].is_ok());
                let theirs = touched.iter().any(|proc| world.pools[2].nodes.contains(&node(proc)));
                prop_assert!(unseen || !room || theirs || fault.what.contains("port"), "{fault}");
            }
            Ok(plan) => {
                let kept: BTreeSet<_> = plan.keep.iter().map(|p| (p.host.clone(), p.name.clone())).collect();
                let gone: BTreeSet<_> = plan.retire.iter().map(|p| (p.host.clone(), p.name.clone())).collect();
                prop_assert!(kept.is_disjoint(&gone));
                prop_assert_eq!(&kept.union(&gone).cloned().collect::<BTreeSet<_>>(), &touched);
                prop_assert!(kept.is_subset(&mine), "an orphan is never kept");
                prop_assert_eq!(plan.start.len() + plan.keep.len(), size as usize);
                // Nothing that goes is in any pool by then, and no pool but those that were shown is changed.
                let pools: Vec<&PoolChange> = plan.pool.iter().chain(&plan.other_pools).collect();
                for old in &plan.retire {
                    for seen in &world.pools {
                        let after = pools.iter().find(|pool| pool.pool == seen.pool).map_or_else(|| seen.nodes.iter().cloned().collect(), |pool| pool.after.clone());
                        prop_assert!(!after.contains(&old.node), "{} stays in {}", old.node, seen.pool);
                    }
                }
                for other in &plan.other_pools {
                    prop_assert_eq!(&other.pool, "earlier");
                    prop_assert!(other.added().is_empty() && !other.removed().is_empty());
                    prop_assert!(other.removed().iter().all(|node| plan.retire.iter().any(|old| &&old.node == node)));
                }
                for new in &plan.start {
                    prop_assert!(!world.pools.iter().any(|pool| pool.nodes.contains(&new.node)), "a node without its proc would route to {}", new.node);
                }
                // Every host that loses a proc has its line, and every orphan is spoken of.
                for old in &plan.retire { prop_assert!(plan.hosts.iter().any(|line| line.host == old.host && line.retire.contains(&old.port))); }
                let spoken = plan.warnings.iter().any(|line| line.contains("orphans"));
                prop_assert_eq!(spoken, !leave && !orphans.is_empty());
                prop_assert_eq!(moved(&plan, &world, &BTreeSet::new()), Vec::<String>::new());
                if let Some(other) = plan.other_pools.first() {
                    let mut later = world.clone();
                    later.pools.iter_mut().find(|pool| pool.pool == other.pool).unwrap().nodes.insert("10.0.0.9:1".into());
                    prop_assert_eq!(moved(&plan, &later, &BTreeSet::new()).len(), 1);
                }
            }
        }
    }
}
