//! Whose each proc is, by its stamp and never by its name (DESIGN part 3); pure.

use crate::hosts::procs::{HostReport, ProcDir};
use crate::hosts::supervisor::Process;
use crate::model::entity::{Host, Swarm};
use crate::model::name::ProcName;
use crate::model::shown::shown;
use crate::model::world::{Owner, PoolSeen, Proc, ProcState};
use std::collections::BTreeMap;

/// What we know of ourselves.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    pub installation: &'a str,
    /// Every swarm of the store, with its id.
    pub swarms: &'a [Swarm],
}

impl Known<'_> {
    fn swarm(&self, id: &str) -> Option<&Swarm> {
        self.swarms.iter().find(|swarm| swarm.id.as_deref() == Some(id))
    }
}

/// Ours: our installation, and a swarm that still owns it. Orphan: our installation, but the swarm is gone, or its app, config,
/// proc or squad changed. Foreign: everything else. With the swarm's full name when ours, and whose it is when foreign.
pub fn owner(known: &Known, squad: &str, name: &str, dir: Option<&ProcDir>) -> (Owner, Option<String>, Option<String>) {
    let Some((dir, stamp)) = dir.and_then(|dir| dir.stamp().map(|stamp| (dir, stamp))) else {
        // Its name alone is not enough: an operator's own program may be called anything.
        let form = |dir: &ProcDir| {
            dir.proc_yaml && (ProcName::parse(name).is_some() || !(dir.theirs("app_name").is_empty() || dir.theirs("proc_name").is_empty()))
        };
        let theirs = dir.is_some_and(form);
        return (Owner::Foreign, None, theirs.then(|| "velociraptor".to_string()));
    };
    if stamp.installation != known.installation {
        return (Owner::Foreign, None, Some(stamp.installation));
    }
    let owns = |swarm: &&Swarm| {
        swarm.app == dir.key("app") && swarm.config_name == dir.key("config") && swarm.proc_name == dir.key("proc") && swarm.squad == squad
    };
    match known.swarm(&stamp.swarm).filter(owns) {
        Some(swarm) => (Owner::Ours, Some(swarm.full_name()), None),
        None => (Owner::Orphan, None, None),
    }
}

/// Every proc of a host: what Supervisor has, and directories that it does not know (ghosts). Without an answer of Supervisor's,
/// those of `before` with state UNKNOWN: not seen is never gone.
pub fn procs(known: &Known, host: &Host, report: &HostReport, before: &[Proc]) -> Vec<Proc> {
    let Ok(processes) = &report.processes else { return not_seen(before) };
    let dirs: BTreeMap<&str, &ProcDir> = report.dirs.iter().map(|dir| (dir.name.as_str(), dir)).collect();
    let mut all: Vec<Proc> =
        processes.iter().map(|process| of_process(known, host, process, dirs.get(process.name.as_str()).copied())).collect();
    for proc in &mut all {
        let Some((cpu, rss)) = proc.pid.and_then(|pid| report.usage.get(&pid)).copied() else { continue };
        let earlier = before.iter().find(|before| before.name == proc.name && before.pid == proc.pid && before.start == proc.start);
        proc.cpu_percent = earlier.and_then(|before| cpu.percent_since(before.cpu?));
        (proc.cpu, proc.rss_bytes) = (Some(cpu), Some(rss));
    }
    for dir in &report.dirs {
        if !processes.iter().any(|process| process.name == dir.name && process.group == dir.name) {
            all.push(of_dir(known, host, dir, report.clock));
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// The procs of a host that does not answer: as last seen, in state UNKNOWN.
pub fn not_seen(before: &[Proc]) -> Vec<Proc> {
    before
        .iter()
        .map(|proc| Proc { state: ProcState::Unknown, pid: None, cpu_percent: None, rss_bytes: None, cpu: None, ..proc.clone() })
        .collect()
}

/// Whether each proc of ours, orphans too, is in its swarm's pool; unknown (none) without a pool, or when the pool was not read.
pub fn mark_routed(procs: &mut [Proc], address: &str, known: &Known, pools: &[PoolSeen]) {
    for proc in procs {
        let swarm = proc.stamp.as_ref().filter(|_| proc.owner != Owner::Foreign).and_then(|stamp| known.swarm(&stamp.swarm));
        let pool = swarm.and_then(|swarm| {
            pools.iter().find(|seen| Some(&seen.balancer) == swarm.balancer.as_ref() && Some(&seen.pool) == swarm.pool.as_ref())
        });
        proc.routed = pool.zip(proc.node(address)).map(|(pool, node)| pool.nodes.contains(&node));
    }
}

fn of_process(known: &Known, host: &Host, process: &Process, dir: Option<&ProcDir>) -> Proc {
    // A program of another group with our name is not the one whose directory that is.
    let dir = dir.filter(|_| process.group == process.name);
    let name = if process.group == process.name { process.name.clone() } else { format!("{}:{}", process.group, process.name) };
    let state = ProcState::from_word(&process.statename);
    Proc {
        state,
        pid: process.pid,
        start: process.start,
        stop: process.stop,
        now: process.now,
        exit_status: (state == ProcState::Exited).then_some(process.exitstatus),
        spawn_error: shown(&process.spawnerr),
        description: shown(&process.description),
        ..named(known, host, &name, dir)
    }
}

fn of_dir(known: &Known, host: &Host, dir: &ProcDir, clock: i64) -> Proc {
    let description = match dir.proc_conf {
        true => "a directory that Supervisor has no program for; its proc.conf would bring it back at the next reboot",
        false => "a directory that Supervisor has no program for, without a proc.conf",
    };
    Proc { state: ProcState::Ghost, now: clock, description: description.into(), ..named(known, host, &dir.name, Some(dir)) }
}

/// Who it is: from the stamp where there is one, else from Velociraptor's proc.yaml, else from the six-part name, else the name alone
/// (velociraptor.md part 1).
fn named(known: &Known, host: &Host, name: &str, dir: Option<&ProcDir>) -> Proc {
    let (owner, swarm, foreign_of) = owner(known, &host.squad, name, dir);
    let stamped = dir.filter(|dir| dir.stamp().is_some());
    let parsed = ProcName::parse(name);
    let part = |key: &str, their_key: &str, of_name: fn(&ProcName) -> &String, other: &str| match (stamped, &parsed) {
        (Some(dir), _) => dir.key(key).to_string(),
        (None, _) if dir.is_some_and(|dir| !dir.theirs(their_key).is_empty()) => {
            dir.map(|dir| dir.theirs(their_key).to_string()).unwrap_or_default()
        }
        (None, Some(parsed)) => shown(of_name(parsed)),
        (None, None) => other.to_string(),
    };
    let port = match stamped {
        Some(dir) => dir.key("port").parse().ok(),
        None => dir.and_then(|dir| dir.theirs("port").parse().ok()).or(parsed.as_ref().map(|parsed| parsed.port)),
    };
    let whole = shown(name);
    Proc {
        app: part("app", "app_name", |name| &name.app, &whole),
        version: part("version", "version", |name| &name.version, "UNKNOWN"),
        config: part("config", "config_name", |name| &name.config, "UNKNOWN"),
        release: part("release", "release_hash", |name| &name.release, "UNKNOWN"),
        proc: part("proc", "proc_name", |name| &name.proc, &whole),
        port: port.filter(|port| *port != 0),
        stamp: stamped.and_then(ProcDir::stamp),
        swarm,
        foreign_of,
        ..Proc::unknown(&host.name, &whole, owner)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::model::entity::{Become, Transport};
    use crate::model::world::CpuTime;
    use proptest::prelude::*;

    pub fn host() -> Host {
        Host {
            id: "h1".into(),
            name: "web01".into(),
            squad: "web".into(),
            transport: Transport::Local,
            address: "web01".into(),
            port: None,
            user: None,
            become_: Become::None,
            root: "/apps".into(),
            ports: Default::default(),
            active: true,
            supervisor: Default::default(),
            protect: false,
        }
    }

    pub fn swarm() -> Swarm {
        serde_json::from_str(
            r#"{"id": "s1", "app": "shop", "config_name": "prod", "proc_name": "web", "squad": "web", "version": "v1", "pool": "shop", "balancer": "edge"}"#,
        )
        .unwrap()
    }

    fn dir(name: &str, keys: &[(&str, &str)]) -> ProcDir {
        let keys = keys.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        ProcDir { name: name.into(), keys, proc_yaml: true, proc_conf: true, ..ProcDir::default() }
    }

    const MINE: &[(&str, &str)] = &[
        ("installation", "i1"),
        ("swarm", "s1"),
        ("app", "shop"),
        ("config", "prod"),
        ("proc", "web"),
        ("port", "5000"),
        ("version", "feature/x"),
    ];

    fn with(key: &str, value: &str) -> ProcDir {
        let mut dir = dir("n", MINE);
        dir.keys.insert(key.into(), value.into());
        dir
    }

    #[test]
    fn each_kind_of_proc_is_told_by_its_stamp() {
        let swarms = [swarm()];
        let known = Known { installation: "i1", swarms: &swarms };
        let of = |dir: &ProcDir| owner(&known, "web", &dir.name, Some(dir));
        assert_eq!(of(&dir("any-name", MINE)), (Owner::Ours, Some("shop-prod-web@web".into()), None));
        for (key, value) in [("swarm", "s2"), ("app", "other"), ("config", "test"), ("proc", "worker")] {
            assert_eq!(of(&with(key, value)).0, Owner::Orphan, "{key}");
        }
        assert_eq!(owner(&known, "db", "n", Some(&dir("n", MINE))).0, Owner::Orphan, "squad");
        assert_eq!(of(&with("installation", "i2")), (Owner::Foreign, None, Some("i2".into())));
        assert_eq!(of(&dir("a-v1-prod-00000000-web-5000", &[])), (Owner::Foreign, None, Some("velociraptor".into())));
        assert_eq!(of(&dir("a-v1-prod", &[])), (Owner::Foreign, None, None));
        assert_eq!(owner(&known, "web", "a-v1-prod-00000000-web-5000", None), (Owner::Foreign, None, None));
        let mut theirs = dir("a-v-1-prod-web", &[]);
        theirs.theirs = [("app_name".to_string(), "a".to_string()), ("proc_name".into(), "web".into())].into();
        assert_eq!(of(&theirs), (Owner::Foreign, None, Some("velociraptor".into())), "by its proc.yaml, whatever it is called");
    }

    #[test]
    fn ghosts_groups_and_the_true_ref_are_seen() {
        let swarms = [swarm()];
        let known = Known { installation: "i1", swarms: &swarms };
        let process = |group: &str, name: &str| Process {
            name: name.into(),
            group: group.into(),
            statename: "RUNNING".into(),
            pid: Some(7),
            ..Process::default()
        };
        let report = HostReport {
            installation: None,
            fences: Default::default(),
            dirs: vec![dir("mine", MINE), dir("ghost", MINE), dir("grouped", MINE)],
            listening: Default::default(),
            builds: Default::default(),
            load: None,
            memory_total: None,
            memory_free: None,
            disk_free: None,
            clock: 9,
            usage: [(7, (CpuTime { used_ms: 900, at_ms: 5_000 }, 4096))].into(),
            processes: Ok(vec![process("mine", "mine"), process("cats", "grouped"), process("redis", "redis")]),
        };
        let mut all = procs(&known, &host(), &report, &[]);
        let of = |all: &[Proc], name: &str| all.iter().find(|proc| proc.name == name).cloned().unwrap();
        assert_eq!(all.len(), 5);
        let mine = of(&all, "mine");
        assert_eq!((mine.owner, mine.version.as_str(), mine.port, mine.pid), (Owner::Ours, "feature/x", Some(5000), Some(7)));
        assert_eq!(of(&all, "ghost").state, ProcState::Ghost);
        assert_eq!((of(&all, "cats:grouped").owner, of(&all, "grouped").state), (Owner::Foreign, ProcState::Ghost));
        assert_eq!((of(&all, "redis").app.as_str(), of(&all, "redis").port), ("redis", None));
        assert_eq!((mine.cpu_percent, mine.rss_bytes), (None, Some(4096)), "one look is no measure of time");
        let mut earlier = all.clone();
        for proc in &mut earlier {
            proc.cpu = Some(CpuTime { used_ms: 400, at_ms: 3_000 });
        }
        assert_eq!(of(&procs(&known, &host(), &report, &earlier), "mine").cpu_percent, Some(25));
        earlier.iter_mut().for_each(|proc| proc.start = 99);
        assert_eq!(of(&procs(&known, &host(), &report, &earlier), "mine").cpu_percent, None, "another life");
        let pool =
            PoolSeen { balancer: "edge".into(), pool: "shop".into(), nodes: ["web01:5000".to_string()].into(), ..PoolSeen::default() };
        mark_routed(&mut all, "web01", &known, std::slice::from_ref(&pool));
        assert_eq!((of(&all, "mine").routed, of(&all, "redis").routed), (Some(true), None));
        mark_routed(&mut all, "web02", &known, &[pool]);
        assert_eq!(of(&all, "mine").routed, Some(false));
    }

    proptest! {
        #[test]
        fn only_our_stamp_with_a_swarm_that_owns_it_makes_a_proc_ours(
            installation in "i[123]", id in "s[12]", app in "shop|cart", config in "prod|test", proc in "web|job", squad in "web|db", stamped: bool, name in "[a-z]{1,3}(-[a-z0-9]{1,3}){0,6}"
        ) {
            let swarms = [swarm()];
            let known = Known { installation: "i1", swarms: &swarms };
            let keys = [("installation", installation.as_str()), ("swarm", &id), ("app", &app), ("config", &config), ("proc", &proc)];
            let dir = dir(&name, if stamped { &keys } else { &[] });
            let (owner, swarm, foreign_of) = owner(&known, &squad, &name, Some(&dir));
            let own = stamped && installation == "i1";
            let all = id == "s1" && app == "shop" && config == "prod" && proc == "web" && squad == "web";
            prop_assert_eq!(owner, if own && all { Owner::Ours } else if own { Owner::Orphan } else { Owner::Foreign });
            prop_assert_eq!(swarm.is_some(), owner == Owner::Ours);
            prop_assert!(foreign_of.is_none() || owner == Owner::Foreign);
        }
    }
}
