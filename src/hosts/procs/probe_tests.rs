//! Lives read from a real Supervisor's log, and what cannot be made to happen here.

use super::super::rig::{Rig, eventually};
use super::super::start;
use super::*;
use crate::model::world::{Owner, ProcState, Stamp};

const WAIT: Duration = Duration::from_secs(30);

fn proc_of(process: &crate::hosts::supervisor::Process, swarm: &str) -> Proc {
    Proc {
        host: "web01".into(),
        name: process.name.clone(),
        app: "shop".into(),
        version: "v1".into(),
        config: "prod".into(),
        release: "r1".into(),
        proc: "web".into(),
        port: None,
        state: ProcState::from_word(&process.statename),
        pid: process.pid,
        start: process.start,
        stop: process.stop,
        now: process.now,
        exit_status: Some(process.exitstatus),
        spawn_error: process.spawnerr.clone(),
        description: process.description.clone(),
        stamp: Some(Stamp { swarm: swarm.into(), ..Stamp::default() }),
        owner: Owner::Ours,
        swarm: None,
        foreign_of: None,
        routed: None,
        cpu_percent: None,
        rss_bytes: None,
        cpu: None,
    }
}

#[tokio::test]
async fn the_lives_of_a_proc_have_their_ends_and_the_lines_before_them() {
    let rig = Rig::new().await;
    let (mut dies, mut stays) = (rig.spec("i-1"), rig.spec("i-2"));
    dies.release.command = "echo 100% \u{1b}[2J of $$; printf '\\377\\n'; sleep 1.3; kill -SEGV $$".into();
    stays.release.command = "echo up; exec python3 -m http.server --bind 127.0.0.1 $PORT".into();
    start(&rig.link, &rig.fence(), &rig.at, &[dies.clone(), stays.clone()]).await.unwrap();
    let mut probes = Vec::new();
    eventually("two lives have ended and one listens", async || {
        let (one, two) = (rig.process(&dies.name).await.unwrap(), rig.process(&stays.name).await.unwrap());
        let (one, two) = (proc_of(&one, "swarm-1"), proc_of(&two, "swarm-1"));
        probes = probe(&rig.link, &rig.root, &rig.at, &[&one, &two], WAIT).await.unwrap();
        probes[0].lives.iter().filter(|life| life.end > 0).count() >= 2 && !probes[1].listens.is_empty()
    })
    .await;
    let first = &probes[0].lives[0];
    assert_eq!((first.signal.as_str(), first.stopped, first.died(), first.oom.clone()), ("SIGSEGV", false, true, None));
    assert!(first.start > 1_700_000_000 && first.end >= first.start && first.pid.is_some(), "{first:?}");
    let pid = first.pid.unwrap();
    assert_eq!(first.lines, [format!("100% \u{241b}[2J of {pid}"), "\u{fffd}".to_string()]);
    assert_eq!(first.key(), format!("swarm-1/web01/{}/{:012}-{pid}", dies.name, first.start));
    let local: IpAddr = "127.0.0.1".parse().unwrap();
    assert_eq!(probes[1].listens, [(local, stays.port)]);
    assert_eq!((probes[1].lives.len(), probes[1].lives[0].how().as_str(), probes[1].letter), (1, "runs", Some('S')));
    assert!(probes[1].port_holder.is_empty() && probes[1].missing_user.is_empty() && !probes[1].app_gone);
    assert_eq!(probes[1].log.first().map(String::as_str), Some("up"));
}

#[test]
fn an_end_for_want_of_memory_is_said_as_surely_as_it_is_known() {
    let killed = Life { pid: Some(77), end: 1000, signal: "SIGKILL".into(), ..Life::default() };
    let line = |pid: u32| format!("[  900.5] Memory cgroup out of memory: Killed process {pid} (python3) total-vm:1kB");
    let whole = |at, line: String, oom_kills| Whole { kernel: vec![(at, line)], oom_kills, ..Whole::default() };
    assert!(oom(&killed, &whole(Some(999), line(77), 0)).unwrap().sure);
    assert!(!oom(&killed, &whole(Some(999), line(5), 0)).unwrap().sure, "another pid namespace");
    assert!(oom(&killed, &whole(Some(500), line(5), 0)).is_none());
    assert!(!oom(&killed, &whole(Some(500), line(5), 2)).unwrap().sure);
    assert!(oom(&Life { stopped: true, ..killed.clone() }, &whole(Some(999), line(77), 1)).is_none(), "it was stopped");
    assert!(oom(&Life { signal: "SIGTERM".into(), ..killed }, &whole(Some(999), line(77), 1)).is_none());
}

#[test]
fn what_proc_and_supervisor_write_is_read() {
    assert_eq!(address("0100007F:1388"), Some(("127.0.0.1".parse().unwrap(), 5000)));
    assert_eq!(address("00000000000000000000000000000000:0050"), Some(("::".parse().unwrap(), 80)));
    assert_eq!(address("0000000000000000FFFF00000100007F:0050"), Some(("127.0.0.1".parse().unwrap(), 80)));
    assert_eq!((zone("+0130"), zone("-0200"), zone("x")), (5400, -7200, 0));
    assert_eq!(ending("a (exit status 3; not expected)"), (Some(3), String::new()));
    assert_eq!(ending("a (terminated by SIGSEGV (core dumped); not expected)"), (None, "SIGSEGV".into()));
    assert_eq!(uptime_of("[  752.094483] x"), Some(752));
    let mut lives = Vec::new();
    event(&mut lives, "2026-11-21 10:41:55,965 INFO spawned: 'a' with pid 7", 3600);
    event(&mut lives, "2026-11-21 10:41:56,965 WARN stopped: a (terminated by SIGTERM)", 3600);
    assert_eq!((lives[0].start, lives[0].end, lives[0].stopped), (1_795_254_115, 1_795_254_116, true));
    assert_eq!(lives[0].how(), "SIGTERM, stopped");
}
