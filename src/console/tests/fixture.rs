//! A made-up fleet: that of `screens/dash.txt`.

use crate::console::effect::Effect;
use crate::console::keys::parse_key;
use crate::console::msg::Msg;
use crate::console::state::State;
use crate::console::theme::{self, Depth};
use crate::console::update::update;
use crate::console::view::view;
use crate::deck::look::*;
use crate::model::document::Kind;
use crate::model::entity::*;
use crate::model::hold::{Hold, HoldOn};
use crate::model::record::*;
use crate::model::release::{Build, BuildStatus};
use crate::model::stray::{Stray, StrayKind};
use crate::model::waiting::Waiting;
use crate::model::world::*;
use crate::plan::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub const NOW: i64 = 1_795_226_551_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

pub fn proc(host: &str, app: &str, port: u16, state: ProcState, swarm: Option<&str>) -> Proc {
    Proc {
        host: host.into(),
        name: format!("{app}-v5.3.0-prod-9c1e77aa-web-{port}"),
        app: app.into(),
        version: "v5.3.0".into(),
        config: "prod".into(),
        release: "9c1e77aa".into(),
        proc: "web".into(),
        port: Some(port),
        state,
        pid: (state == ProcState::Running).then_some(3000 + u32::from(port)),
        start: 1000,
        stop: 0,
        now: 1000 + 7300,
        exit_status: (state == ProcState::Fatal).then_some(1),
        spawn_error: if state == ProcState::Fatal { "exited too quickly: KeyError 'db_host'".into() } else { String::new() },
        description: String::new(),
        stamp: None,
        owner: if swarm.is_some() { Owner::Ours } else { Owner::Foreign },
        swarm: swarm.map(str::to_string),
        foreign_of: None,
        routed: swarm.map(|_| state == ProcState::Running),
        cpu_percent: None,
        rss_bytes: None,
        cpu: None,
    }
}

fn host(name: &str, state: HostState, seen_ms: i64, procs: Vec<Proc>) -> HostSeen {
    HostSeen {
        id: format!("h-{name}"),
        name: name.into(),
        squad: "web".into(),
        active: true,
        state,
        seen_ms,
        asked_ms: NOW,
        address: format!("{name}.example"),
        installation: None,
        procs,
        listening: BTreeSet::new(),
        builds: BTreeSet::new(),
        fences: BTreeMap::new(),
        load: Some(0.42),
        memory_total: Some(8 << 30),
        memory_free: Some(2_254_857_830),
        disk_free: Some(41 << 30),
    }
}

fn swarm(short: &str, state: SwarmState, ready: u32, size: u32, version: &str, not_live: &str, ago: i64) -> SwarmLook {
    let mut parts = short.split('-');
    let mut part = || parts.next().unwrap_or_default().to_string();
    SwarmLook {
        id: format!("s-{short}"),
        name: format!("{short}@web"),
        short: short.into(),
        app: part(),
        config_name: part(),
        proc_name: part(),
        squad: "web".into(),
        size,
        version: version.into(),
        running: version.into(),
        release: "9c1e77aa".into(),
        pool: "shop".into(),
        balancer: "edge".into(),
        ingredients: vec!["db".into()],
        state,
        ready,
        procs: Vec::new(),
        not_live: not_live.into(),
        held: Vec::new(),
        last_ms: NOW - ago,
        dispatch: String::new(),
        who_changed: "op2".into(),
        changed_ms: NOW - 4 * HOUR,
    }
}

pub fn hold(name: &str, on: HoldOn, id: &str, object: &str) -> Hold {
    let (name, id, object, who) = (name.into(), id.into(), object.into(), "op1".into());
    Hold { name, on, id, object, who, why: "v5.3.0 over the sale OPS-871".into(), since_ms: NOW - DAY, until_ms: 0 }
}

fn step(phase: Phase, place: &str, state: StepState, from: i64, to: i64, detail: &str) -> Step {
    Step {
        batch: 0,
        phase,
        place: place.into(),
        state,
        started_ms: NOW - from * 1000,
        ended_ms: if to < 0 { 0 } else { NOW - to * 1000 },
        detail: detail.into(),
    }
}

pub fn dispatch() -> Dispatch {
    use Phase::{Build, Distribute, Drain, Fence, Plan, Prove, Release, Resolve, Route, Soak, Start};
    use StepState::*;
    let mut steps = vec![
        step(Resolve, "", Done, 112, 112, "ok"),
        step(Build, "", Done, 112, 111, "reused"),
        step(Release, "", Done, 111, 111, "41b0aa"),
        step(Plan, "", Done, 111, 110, ""),
    ];
    for (host, way) in [("web01", 6), ("web02", 6), ("web04", 1), ("web05", 3)] {
        steps.push(step(Fence, host, Done, 110, 110, ""));
        for (number, (phase, took)) in
            [(Distribute, 3), (Start, 2), (Prove, 11), (Route, 1), (Drain, 30), (Soak, 60)].into_iter().enumerate()
        {
            if number < way - 1 || way == 6 {
                steps.push(step(phase, host, Done, 100, 100 - took, if phase == Soak { "old kept warm" } else { "" }));
            } else if number == way - 1 {
                steps.push(step(phase, host, Intent, 4, -1, if phase == Prove { "uptest login" } else { "sending" }));
            } else {
                steps.push(step(phase, host, Pending, 0, -1, ""));
            }
        }
    }
    Dispatch {
        id: "d-412".into(),
        number: 412,
        swarm_id: "s-shop-prod-web".into(),
        swarm: "shop-prod-web@web".into(),
        verb: "dispatch".into(),
        who: "op1".into(),
        why: "checkout timeout OPS-880".into(),
        from_version: "v5.3.0".into(),
        to_version: "v5.3.1".into(),
        from_release: "9c1e77aa".into(),
        to_release: "41b0aabb".into(),
        phase: Prove,
        undoing: false,
        outcome: None,
        fault: None,
        debts: vec![Debt { host: "web04".into(), what: "2 procs to remove there before it may serve again".into() }],
        steps,
        started_ms: NOW - 112_000,
        ended_ms: 0,
        holder: "p1".into(),
    }
}

fn event(seq: i64, ago: i64, who: &str, place: &str, what: &str) -> Event {
    Event {
        seq,
        at_ms: NOW - ago,
        kind: "deploy".into(),
        run: if what.contains("412") { "d-412".into() } else { String::new() },
        who: who.into(),
        what: what.into(),
        place: place.into(),
        ..Event::default()
    }
}

fn need(glyph: char, target: Target, object: &str, text: &str, ago: i64) -> Need {
    Need { glyph, object: object.into(), target, text: text.into(), since_ms: NOW - ago }
}

/// One of each kind, as hosts and balancers with hostile names make them.
fn strays() -> Vec<Stray> {
    let stray = |kind: StrayKind, place: &str, name: &str, port: Option<u16>, whose: &str, evidence: &str, can: &str, ago: i64| Stray {
        kind,
        place: place.into(),
        name: name.into(),
        port,
        whose: whose.into(),
        evidence: vec![evidence.into()],
        since_ms: if ago == 0 { 0 } else { NOW - ago },
        can: can.split(' ').map(String::from).collect(),
        ignored: false,
    };
    let (all, some) = ("adopt retire ignore", "retire ignore");
    let changed = "stamped as a proc of the swarm that is shop-next-web@web now: config was prod, is next";
    let mut known = stray(
        StrayKind::Foreign,
        "web02",
        "cron\x1b[31mjob",
        Some(8080),
        "nobody known",
        "no stamp of ours is with it on web02",
        "ignore",
        DAY,
    );
    known.ignored = true;
    vec![
        stray(StrayKind::Orphan, "web02", "shop-v5.2.9-prod-77aa0011-web-5011", Some(5011), "shop-prod-web", changed, all, 3 * HOUR),
        stray(
            StrayKind::Node,
            "shop@edge",
            "web02.example:5077",
            Some(5077),
            "shop-prod-web@web",
            "no proc on web02 has that port",
            some,
            0,
        ),
        stray(
            StrayKind::Ghost,
            "web02",
            "pay-v1-prod-0a0b0c0d-web-5040",
            Some(5040),
            "pay-prod-web",
            "Supervisor has no program for it",
            some,
            0,
        ),
        stray(
            StrayKind::Port,
            "web02",
            "port-5088",
            Some(5088),
            "dispatch 398",
            "leased to dispatch 398, which ended: undone",
            some,
            2 * DAY,
        ),
        stray(
            StrayKind::Foreign,
            "web02",
            "cart-v2-prod-1b1b1b1b-web-5060",
            Some(5060),
            "velociraptor",
            "a proc.yaml of Velociraptor's form",
            all,
            9 * DAY,
        ),
        known,
    ]
}

pub fn look() -> Look {
    use SwarmState::*;
    let mut swarms = vec![
        swarm("shop-eu-web", Failing, 3, 6, "v5.3.0", "", 12 * MINUTE),
        swarm("blog-prod-web", Lost, 3, 4, "a1f9c02", "", 9 * DAY),
        swarm("shop-prod-web", Moving, 8, 8, "v5.3.1", "dispatch 412", MINUTE),
        swarm("shop-prod-worker", Ok, 4, 4, "v5.3.0", "2 edits op2", 2 * HOUR),
        swarm("shop-stage-web", Ok, 2, 2, "main", "3 commits", 25 * HOUR),
        swarm("mail-prod-web", Ok, 6, 6, "v2.0.4", "ingredient db", 9 * DAY),
        swarm("mail-prod-cron", Ok, 1, 1, "v2.0.4", "ingredient db", 9 * DAY),
        swarm("api-prod-web", Ok, 24, 24, "v9.1.0", "", 3 * HOUR),
        swarm("old-prod-web", Off, 0, 0, "v1.8.2", "", 60 * DAY),
    ];
    let held = hold("rollback-97", HoldOn::Swarm, "s-old-prod-web", "old-prod-web@web");
    for swarm in swarms.iter_mut().filter(|swarm| swarm.short == "old-prod-web") {
        swarm.held = vec![held.clone()];
    }
    let mut hosts: BTreeMap<String, HostSeen> = BTreeMap::new();
    for number in 1..=5 {
        let name = format!("web{number:02}");
        let state = if number == 3 { HostState::Unreachable("connect timed out after 10s".into()) } else { HostState::Ok };
        let seen = if number == 3 { NOW - 4 * MINUTE } else { NOW - 3000 };
        hosts.insert(name.clone(), host(&name, state, seen, Vec::new()));
    }
    let mut port = 5000;
    for swarm in &mut swarms {
        for number in 0..swarm.size {
            let on = if swarm.state == Lost && number == 3 {
                "web03".to_string()
            } else {
                ["web01", "web02", "web04", "web05"][number as usize % 4].to_string()
            };
            port += 1;
            let state = match swarm.state {
                Failing if number >= 3 => ProcState::Fatal,
                Moving if number >= 6 => ProcState::Starting,
                _ => ProcState::Running,
            };
            let made = proc(&on, &swarm.app, port, state, Some(&swarm.name));
            swarm.procs.push((on.clone(), made.name.clone()));
            hosts.get_mut(&on).unwrap().procs.push(made);
        }
    }
    let mut stranger = proc("web02", "nginx", 8080, ProcState::Running, None);
    stranger.name = "cron\x1b[31mjob".into();
    hosts.get_mut("web02").unwrap().procs.push(stranger);
    let squad_hosts = hosts.keys().map(|name| HostKeys { name: name.clone(), ..HostKeys::default() }).collect();
    Look {
        version: 1,
        now_ms: NOW,
        fleet: "PROD-EU".into(),
        who: "op1@jump1".into(),
        squads: vec![Squad { id: None, name: "web".into(), defaults: HostKeys::default(), hosts: squad_hosts, protect: false }],
        hosts: Vec::new(),
        world: Arc::new(World { hosts, pools: vec![pool()] }),
        strays: strays(),
        swarms,
        apps: ["api", "blog", "mail", "old", "shop"].map(app).into(),
        buildpacks: vec![Buildpack {
            id: Some("bp1".into()),
            name: "python".into(),
            url: "https://ci:token@git.example/bp.git#v12".into(),
            repo_type: RepoType::Git,
            order: 10,
        }],
        ingredients: vec![IngredientLook {
            id: "i-db".into(),
            name: "db".into(),
            keys: 3,
            used_by: vec!["mail-prod-web@web".into(), "mail-prod-cron@web".into()],
            changed_ms: NOW - HOUR,
            who_changed: "ci".into(),
        }],
        balancers: vec![Balancer {
            id: Some("lb1".into()),
            name: "edge".into(),
            backend: "nginx".into(),
            hosts: vec![BalancerHost::Name("lb01".into()), BalancerHost::Name("lb02".into())],
            include_dir: None,
            reload_cmd: None,
            test_cmd: None,
        }],
        lists: Arc::new(lists()),
        builds: vec![build("b1", BuildStatus::Success, ""), build("b2", BuildStatus::Failed, "compile: exit 1")],
        dispatches: vec![dispatch()],
        events: Arc::new(vec![
            event(1204, 0, "op2", "shop-prod-web@web", "dispatch 412: web01 in pool, 5001 draining"),
            event(1203, 36_000, "", "shop-eu-web", "web07 :5002 died, exit 1, third time in 2m"),
            event(1202, 251_000, "", "web03", "unreachable: connect timed out after 10s"),
            event(1201, 1_349_000, "ci", "mail-prod-web", "ingredient db saved: 1 key; 7 swarms not live yet"),
        ]),
        last_event: 1204,
        needs: vec![
            need(
                '!',
                Target::Swarm("s-shop-eu-web".into()),
                "shop-eu-web",
                "3 of 6 procs die at start, exit 1: KeyError 'db_host'",
                40_000,
            ),
            need('?', Target::Host("web03".into()), "web03", "unreachable; its 9 procs unseen, left in pool, not moved", 4 * MINUTE),
            need('~', Target::Swarm("s-shop-prod-web".into()), "shop-prod-web", "dispatch 412 by op2: drain 1 of 2, 18s to go", MINUTE),
            need('.', Target::Nothing, "22 strays", "14 orphan, 8 foreign, on 5 hosts", 9 * DAY),
        ],
        hints: vec![],
        holds: vec![held],
        waits: BTreeMap::from([(
            "d-412".to_string(),
            Waiting { what: "host".into(), on: "web05 (prove)".into(), since_ms: NOW - 9_000, until_ms: 0 },
        )]),
        carried: BTreeSet::from(["d-412".to_string()]),
        ..Look::default()
    }
}

fn app(name: &str) -> App {
    App {
        id: Some(format!("a-{name}")),
        name: name.into(),
        repo: Repo { url: format!("https://git.example/{name}.git"), repo_type: RepoType::Git },
        buildpack: (name == "shop").then(|| "python".into()),
    }
}

/// Two balancer hosts that disagree: one was edited by hand and drains a node.
fn pool() -> PoolSeen {
    let node = |number: u16| format!("web01.example:{number}");
    let nodes = |state: NodeState| BTreeMap::from([(node(5001), NodeState::Up), (node(5005), state)]);
    let host = |name: &str, state| PoolHost {
        host: name.into(),
        nodes: nodes(state),
        connections: BTreeMap::from([(node(5001), 12), (node(5005), 3)]),
        ..PoolHost::default()
    };
    let mut edited = host("lb02", NodeState::Draining);
    edited.edited_by_hand =
        Some(EditedByHand { what: "it has: web01.example:5005 down".into(), difference: "-server a;\n+server b;".into() });
    PoolSeen {
        balancer: "edge".into(),
        pool: "shop".into(),
        nodes: BTreeSet::from([node(5001), node(5005)]),
        trouble: vec![],
        hosts: vec![host("lb01", NodeState::Up), edited],
        moves_traffic: true,
    }
}

/// The versions of a swarm.
pub fn versions() -> Vec<crate::deck::past::VersionLook> {
    let version = |rev: i64, who: &str, ago: i64, why: &str, added: usize| crate::deck::past::VersionLook {
        id: "s-shop-eu-web".into(),
        kind: crate::model::document::Kind::Swarm,
        name: "shop-eu-web@web".into(),
        rev,
        who: who.into(),
        at_ms: NOW - ago,
        why: why.into(),
        deleted: false,
        current: rev == 3,
        added,
        removed: 1,
    };
    vec![
        version(3, "op2", 4 * HOUR, "primary moved, OPS-880", 2),
        version(2, "op1", 9 * DAY, "", 1),
        version(1, "ci", 60 * DAY, "import", 14),
    ]
}

fn lists() -> crate::deck::lists::Lists {
    use crate::deck::UptestReport;
    use crate::deck::lists::{Lists, ReleaseLook, Saved, UptestRun, WaveLook};
    use crate::model::wave::{Member, State as Stage, Wave};
    let release = |id: &str, version: &str, current: bool, ago: i64| ReleaseLook {
        swarm_id: "s-shop-eu-web".into(),
        id: id.into(),
        version: version.into(),
        commit: "91dd0be0123456789".into(),
        build: "b1".into(),
        config_keys: 24,
        env_keys: 6,
        current,
        dispatch: "d-412".into(),
        at_ms: NOW - ago,
        created_ms: NOW - ago,
    };
    let member = |swarm: &str, plan: &str, refused: &str| Member {
        swarm_id: format!("s-{swarm}"),
        swarm: format!("{swarm}@web"),
        plan: plan.into(),
        from_version: "v5.3.0".into(),
        to_version: "v5.3.1".into(),
        to_release: String::new(),
        refused: refused.into(),
    };
    let wave = Wave {
        id: "w-7".into(),
        number: 7,
        verb: "dispatch".into(),
        place: String::new(),
        who: "op1".into(),
        why: "ingredient db, OPS-880".into(),
        at_once: 4,
        of: 0,
        members: vec![
            member("shop-prod-web", "d-412", ""),
            member("shop-eu-web", "p-9", "held by op2"),
            member("mail-prod-web", "p-10", ""),
        ],
        started_ms: NOW - 3 * MINUTE,
    };
    let report = |host: &str, test: &str, passed: bool| UptestReport {
        host: host.into(),
        proc: "shop-v5.3.0-prod-9c1e77aa-web-5001".into(),
        test: test.into(),
        passed,
        seconds: 0.21,
        output: if passed { "200 OK\n".into() } else { "GET /login\n\u{1b}[31mexpected 200, got 500\n".into() },
    };
    let run = |id: &str, reports: Vec<UptestReport>, ago: i64| UptestRun {
        id: id.into(),
        swarm_id: "s-shop-eu-web".into(),
        swarm: "shop-eu-web@web".into(),
        who: "op1".into(),
        at_ms: NOW - ago,
        reports,
    };
    let audit = |seq: i64, ago: i64, who: &str, verb: &str, object: &str, why: &str| Audit {
        seq,
        at_ms: NOW - ago,
        who: who.into(),
        verb: verb.into(),
        object: object.into(),
        run: if verb == "dispatch" { "d-412".into() } else { String::new() },
        result: "done".into(),
        why: why.into(),
    };
    let saved = |kind: Kind, name: &str, who: &str, ago: i64| Saved { kind, name: name.into(), rev: 3, who: who.into(), at_ms: NOW - ago };
    Lists {
        saved: BTreeMap::from([
            ("a-shop".to_string(), saved(Kind::App, "shop", "op1", HOUR)),
            ("bp1".to_string(), saved(Kind::Buildpack, "python", "ci", 9 * DAY)),
            ("s-shop-eu-web".to_string(), saved(Kind::Swarm, "shop-eu-web@web", "op2", 4 * HOUR)),
        ]),
        releases: vec![
            release("9c1e77aa00", "v5.3.0", true, 12 * MINUTE),
            release("41b0aabb00", "v5.2.9", false, 3 * DAY),
            release("77aa001100", "v5.2.8", false, 9 * DAY),
        ],
        waves: vec![WaveLook { wave, states: vec![Stage::UnderWay, Stage::Failed, Stage::NotStarted], word: "stopped at a failure" }],
        uptests: vec![
            run("u2", vec![report("web01", "health", true), report("web02", "login", false)], 12 * MINUTE),
            run("u1", vec![report("web01", "health", true)], 9 * DAY),
        ],
        audit: vec![
            audit(31, MINUTE, "op1", "dispatch", "shop-prod-web@web", "checkout timeout OPS-880"),
            audit(30, HOUR, "ci", "edit", "ingredient db config", ""),
            audit(29, 3 * DAY, "op2", "hold", "swarm old-prod-web@web", "v5.3.0 over the sale OPS-871"),
        ],
        debts: BTreeMap::from([(
            "web03".to_string(),
            vec![(398, Debt { host: "web03".into(), what: "2 procs to remove there before it may serve again".into() })],
        )]),
        ..Lists::default()
    }
}

fn build(id: &str, status: BuildStatus, error: &str) -> BuildLook {
    let build = Build {
        id: id.into(),
        app: "shop".into(),
        version: "v5.3.1".into(),
        commit: "91dd0be0123456789".into(),
        identity: "x".into(),
        status,
        artifact: "sha".into(),
        size: 41 << 20,
        env: Env::new(),
        procfile: Env::from_iter([("web".to_string(), "python web.py".to_string())]),
        uptests: BTreeMap::new(),
        buildpack_url: "/srv/git/bp.git".into(),
        buildpack_commit: "abc".into(),
        sandboxed: false,
        started_ms: NOW - 3 * MINUTE,
        ended_ms: NOW - 2 * MINUTE,
        error: error.into(),
        by: "d-412".into(),
    };
    BuildLook { build, status }
}

pub fn plan() -> Plan {
    let facts = |release: &str, version: &str, commit: &str| ReleaseFacts {
        release: release.into(),
        version: version.into(),
        commit: commit.into(),
        ..ReleaseFacts::default()
    };
    let planned = |host: &str, port: u16| PlannedProc {
        host: host.into(),
        name: format!("shop-{port}"),
        port,
        node: format!("{host}:{port}"),
        instance: format!("i{port}"),
        pid: None,
        release: "r".into(),
        batch: 0,
    };
    let line = |host: &str, start: Vec<u16>, retire: Vec<u16>, free: u64, send: u64, note: &str, warn: bool| HostLine {
        host: host.into(),
        start,
        retire,
        keep: vec![],
        memory_free: Some(free),
        send,
        note: note.into(),
        warn,
    };
    let change = |file: &str, key: &str, before: Option<&str>, after: Option<&str>, layer: &str, secret: bool| KeyChange {
        file: file.into(),
        key: key.into(),
        before: before.map(str::to_string),
        after: after.map(str::to_string),
        layer: layer.into(),
        secret,
    };
    Plan {
        id: "p-1".into(),
        verb: "dispatch".into(),
        swarm_id: "s-shop-prod-web".into(),
        swarm: "shop-prod-web@web".into(),
        from: Some(facts("9c1e77aa", "v5.3.0", "7ac01f2aaaa")),
        to: facts("41b0aabb", "v5.3.1", "91dd0be0123"),
        size_before: 8,
        size: 8,
        start: [("web01", 5007), ("web02", 5003), ("web04", 5002), ("web05", 5001)]
            .iter()
            .map(|(host, port)| planned(host, *port))
            .collect(),
        retire: [("web01", 5001)].iter().map(|(host, port)| planned(host, *port)).collect(),
        pool: Some(PoolChange {
            balancer: "edge".into(),
            pool: "shop".into(),
            before: vec!["a".into()],
            stages: vec![],
            after: vec!["b".into()],
            ..PoolChange::default()
        }),
        uptests: vec!["health".into(), "login".into(), "cart".into()],
        listens: true,
        timing: Timing {
            settle_ms: 10_000,
            uptest_timeout_ms: 60_000,
            drain_timeout_ms: 30_000,
            stop_timeout_ms: 10_000,
            soak_ms: 60_000,
            lost_after_ms: 30_000,
        },
        changes: vec![
            change("config", "db_host", Some("db1"), Some("db2"), "swarm", false),
            change("config", "db_password", Some("h1"), Some("h2"), "swarm", true),
            change("env", "TZ", None, Some("Europe/Berlin"), "ingredient base", false),
        ],
        hosts: vec![
            line("web01", vec![5007, 5011], vec![5001, 5002], 2_254_857_830, 41 << 20, "", false),
            line("web02", vec![5003, 5009], vec![5001, 5004], 2_040_109_466, 0, "has this build", false),
            line("web04", vec![5002, 5010], vec![5001, 5003], 3 << 30, 41 << 20, "", false),
            line("web05", vec![5001, 5006], vec![5002, 5004], 429_496_729, 41 << 20, "asks 512 M: tight", true),
            HostLine {
                host: "web03".into(),
                start: vec![],
                retire: vec![],
                keep: vec![],
                memory_free: None,
                send: 0,
                note: "unreachable 4m".into(),
                warn: true,
            },
        ],
        warnings: vec!["web03 is unreachable; 2 procs that may run there are left as they are".into()],
        back: "exact undo until the last soak ends; the 8 old procs stay warm till then".into(),
        build_reused: true,
        ..Plan::default()
    }
}

/// A console on the made-up fleet.
pub fn state(width: u16, height: u16) -> State {
    let mut state = State::new(Arc::new(look()), (width, height), "dark");
    update(&mut state, Msg::Tick { now_ms: NOW });
    state
}

/// Presses keys by their names, two seconds apart, each after its frame was painted.
pub fn press(state: &mut State, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for name in keys.split(' ') {
        let now_ms = state.now_ms;
        update(state, Msg::Painted { now_ms });
        effects.extend(update(state, Msg::Key { key: parse_key(name).unwrap(), now_ms: now_ms + 400 }));
    }
    effects
}

/// Writes a line after `:` and presses enter.
pub fn command(state: &mut State, line: &str) -> Vec<Effect> {
    press(state, ":");
    update(state, Msg::Paste(line.into()));
    press(state, "enter")
}

/// The frame as text, one line per row, blanks at the ends cut.
pub fn frame(state: &State, depth: Depth) -> (String, Buffer) {
    let area = Rect::new(0, 0, state.size.0, state.size.1);
    let mut buffer = Buffer::empty(area);
    let theme = theme::load("dark", None, depth).unwrap();
    view(state, &theme, area, &mut buffer);
    let mut text = String::new();
    for y in 0..area.height {
        let line: String = (0..area.width).map(|x| buffer[(x, y)].symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    (text, buffer)
}
