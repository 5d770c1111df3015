//! Strays of every kind with their evidence, and properties over random worlds: nothing of ours is called a stray, nothing else is missed.

use super::super::classify::tests::{host, swarm};
use super::*;
use crate::fleet::observe::unseen;
use crate::model::world::Stamp;
use proptest::prelude::*;

fn proc(name: &str, port: Option<u16>, owner: Owner, state: ProcState) -> Proc {
    let part = |n: usize| name.split('-').nth(n).unwrap_or_default().to_string();
    Proc {
        host: "web01".into(),
        name: name.into(),
        app: part(0),
        version: "v1".into(),
        config: part(1),
        release: "r".into(),
        proc: part(2),
        port,
        state,
        pid: (state == ProcState::Running).then_some(7),
        start: if state == ProcState::Running { 1_000 } else { 0 },
        stop: 0,
        now: 1_090,
        exit_status: None,
        spawn_error: String::new(),
        description: String::new(),
        stamp: None,
        owner,
        swarm: None,
        foreign_of: None,
        routed: None,
        cpu_percent: None,
        rss_bytes: None,
        cpu: None,
    }
}

fn stamped(mut proc: Proc, installation: &str, swarm: &str, dispatch: &str) -> Proc {
    let (installation, swarm, dispatch) = (installation.into(), swarm.into(), dispatch.into());
    proc.stamp = Some(Stamp { installation, swarm, dispatch, instance: "x".into() });
    proc
}

/// Everything that strays are found in, to be changed.
#[derive(Default)]
struct Scene {
    procs: Vec<Proc>,
    nodes: BTreeSet<String>,
    listening: BTreeSet<u16>,
    unreachable: bool,
    trouble: Vec<String>,
    leases: BTreeMap<u16, String>,
    runs: BTreeMap<String, RunState>,
    busy: BTreeSet<String>,
    ignored: BTreeSet<String>,
}

impl Scene {
    fn strays(&self) -> Vec<Stray> {
        let (swarms, host) = ([swarm()], host());
        let state = if self.unreachable { HostState::Unreachable("no route".into()) } else { HostState::Ok };
        let seen = HostSeen { state, seen_ms: 1_000_000, procs: self.procs.clone(), listening: self.listening.clone(), ..unseen(&host) };
        let pool = PoolSeen {
            balancer: "edge".into(),
            pool: "shop".into(),
            nodes: self.nodes.clone(),
            trouble: self.trouble.clone(),
            ..PoolSeen::default()
        };
        let theirs =
            PoolSeen { balancer: "edge".into(), pool: "theirs".into(), nodes: ["web01:9".to_string()].into(), ..PoolSeen::default() };
        let world = World { hosts: [("web01".to_string(), seen)].into(), pools: vec![pool, theirs] };
        strays(&Facts {
            known: Known { installation: "i1", swarms: &swarms },
            world: &world,
            hosts: &[host],
            pools: &[(("edge".to_string(), "shop".to_string()), Some("s1".to_string()))].into(),
            leases: &[("h1".to_string(), self.leases.clone())].into(),
            runs: &self.runs,
            busy: &self.busy,
            ignored: &self.ignored,
        })
    }
}

#[test]
fn every_kind_is_listed_with_its_evidence() {
    let foreign = |name: &str, of: &str| Proc { foreign_of: Some(of.into()), ..proc(name, Some(5002), Owner::Foreign, ProcState::Running) };
    let scene = Scene {
        procs: vec![
            stamped(proc("shop-prod-web", Some(5000), Owner::Ours, ProcState::Running), "i1", "s1", "d1"),
            stamped(proc("shop-old-web", Some(5001), Owner::Orphan, ProcState::Running), "i1", "s1", "d1"),
            stamped(proc("gone-prod-web", None, Owner::Orphan, ProcState::Stopped), "i1", "s7", "d1"),
            foreign("cart-prod-web", "velociraptor"),
            foreign("a-b-c", "i2"),
            proc("redis", None, Owner::Foreign, ProcState::Running),
            stamped(proc("half", Some(5009), Owner::Ours, ProcState::Ghost), "i1", "s1", "d9"),
            stamped(proc("left", Some(5008), Owner::Ours, ProcState::Ghost), "i1", "s1", "d1"),
        ],
        nodes: ["web01:5000", "web01:5001", "web01:5002", "web01:5003", "web01:5004", "far:1"].map(String::from).into(),
        listening: [5003].into(),
        leases: [(5010, "d1".to_string()), (5011, "d9".into()), (5012, "never".into())].into(),
        runs: [("d1".to_string(), RunState::Ended { number: 412, word: "undone".into(), at_ms: 77 }), ("d9".to_string(), RunState::Open)]
            .into(),
        ignored: ["web01/redis".to_string()].into(),
        ..Scene::default()
    };
    let all = scene.strays();
    let lines: Vec<String> = all
        .iter()
        .map(|s| format!("{} {} {} | {} | {} | {}", s.kind.word(), s.place, s.name, s.whose, s.evidence.join("; "), s.can.join(" ")))
        .collect();
    assert_eq!(
        lines,
        [
            "orphan web01 gone-prod-web | gone-prod-web | stamped with swarm s7, which is deleted; Supervisor says STOPPED | adopt retire ignore",
            "orphan web01 shop-old-web | shop-old-web | stamped as a proc of the swarm that is shop-prod-web@web now: config was old, is prod; \
             Supervisor says RUNNING, pid 7; it is in pool shop@edge | adopt retire ignore",
            "node shop@edge far:1 | shop-prod-web@web | far is no host of any squad | retire ignore",
            "node shop@edge web01:5002 | shop-prod-web@web | cart-prod-web on web01 has that port, which is not ours | retire ignore",
            "node shop@edge web01:5003 | shop-prod-web@web | no proc on web01 has that port; a stranger listens there | retire ignore",
            "node shop@edge web01:5004 | shop-prod-web@web | no proc on web01 has that port, and nothing listens there | retire ignore",
            "ghost web01 left | left-- |  | retire ignore",
            "port web01 port-5010 | dispatch 412 | leased to dispatch 412, which ended: undone | retire ignore",
            "port web01 port-5012 | dispatch never | leased to dispatch never, which is unknown and not about to begin | retire ignore",
            "foreign web01 a-b-c | installation i2 | stamped by installation i2, as swarm ; this one is i1; Supervisor says RUNNING, pid 7; \
             it is in pool shop@edge | adopt retire ignore",
            "foreign web01 cart-prod-web | velociraptor | its directory has a proc.yaml of Velociraptor's form and no stamp of ours; \
             Supervisor says RUNNING, pid 7; it is in pool shop@edge | adopt retire ignore",
            "foreign web01 redis | nobody known | no stamp of ours is with it on web01; Supervisor says RUNNING, pid 7 | ignore",
        ]
    );
    assert!(all.iter().all(|stray| stray.ignored == (stray.name == "redis")), "{all:#?}");
    let since = |name: &str| all.iter().find(|stray| stray.name == name).unwrap().since_ms;
    assert_eq!((since("shop-old-web"), since("port-5010"), since("gone-prod-web")), (1_000_000 - 90_000, 77, 0));
}

proptest! {
    #[test]
    fn ours_is_never_a_stray_and_everything_else_is_listed_once(
        procs in proptest::collection::btree_map(5000u16..5020, (0u8..3, 0u8..3, 0u8..3), 0..10),
        nodes in proptest::collection::btree_set(5000u16..5020, 0..10),
        leases in proptest::collection::btree_map(5000u16..5020, 0u8..3, 0..4),
        unreachable: bool, busy: bool, trouble: bool,
    ) {
        let mut scene = Scene { unreachable, ..Scene::default() };
        for (port, (owner, state, dispatch)) in &procs {
            let owner = [Owner::Ours, Owner::Orphan, Owner::Foreign][usize::from(*owner)];
            let state = [ProcState::Running, ProcState::Fatal, ProcState::Ghost][usize::from(*state)];
            let made = proc(&format!("shop-prod-web-{port}"), Some(*port), owner, state);
            let dispatch = ["open", "ended", "unknown"][usize::from(*dispatch)];
            scene.procs.push(if owner == Owner::Foreign { made } else { stamped(made, "i1", "s1", dispatch) });
        }
        scene.nodes = nodes.iter().map(|port| format!("web01:{port}")).collect();
        scene.leases = leases.iter().map(|(port, run)| (*port, ["open", "ended", "unknown"][usize::from(*run)].to_string())).collect();
        scene.runs = [("open".to_string(), RunState::Open), ("ended".to_string(), RunState::Ended { number: 1, word: "done".into(), at_ms: 1 })].into();
        if busy { scene.busy.insert("s1".into()); }
        if trouble { scene.trouble.push("its hosts disagree".into()); }
        let all = scene.strays();
        let ids: BTreeSet<String> = all.iter().map(Stray::id).collect();
        prop_assert_eq!(ids.len(), all.len(), "one is listed twice");
        for (port, (owner, state, dispatch)) in &procs {
            let listed = ids.contains(&format!("web01/shop-prod-web-{port}"));
            let moves = *state == 2 && *owner != 2 && (busy || *dispatch == 0);
            prop_assert_eq!(listed, !moves && (*owner != 0 || *state == 2));
        }
        for port in &nodes {
            let behind = procs.get(port).is_some_and(|(owner, state, _)| *owner != 2 && *state != 2);
            prop_assert_eq!(ids.contains(&format!("shop@edge/web01:{port}")), !behind && !unreachable && !busy && !trouble);
        }
        for (port, run) in &leases {
            prop_assert_eq!(ids.contains(&format!("web01/port-{port}")), *run != 0);
        }
        for stray in &all {
            prop_assert!(!stray.evidence.is_empty() && !stray.whose.is_empty() && stray.can("ignore"));
            // What cannot be looked at now is only looked at; what nobody made known is not taken away.
            let proc = scene.procs.iter().find(|proc| proc.name == stray.name);
            prop_assert_eq!(stray.can("retire"), proc.is_none_or(|proc| !unreachable && proc.owner != Owner::Foreign));
        }
    }
}
