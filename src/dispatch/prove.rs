//! Prove: RUNNING and still so after `settle`, the port answers, every uptest passes within its time (DESIGN part 4).

use super::hands::{Ear, Reach, unless};
use crate::hosts::procs;
use crate::hosts::supervisor::{self, Process};
use crate::model::release::Release;
use crate::model::world::ProcState;
use crate::model::{Fault, Result};
use crate::plan::{Plan, PlannedProc};
use crate::uptest;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often Supervisor is asked while procs settle.
const ASK: Duration = Duration::from_millis(250);
/// How often it is asked while they soak.
const WATCH: Duration = Duration::from_secs(1);
/// How long a proc may take to become RUNNING, besides `settle`.
const START: Duration = Duration::from_secs(60);

/// Proves procs of one host; answers with one line. The fault of a proc that died holds its log's last lines.
pub async fn prove(
    reach: &Reach,
    here: &[&PlannedProc],
    plan: &Plan,
    release: &Release,
    ear: &dyn Ear,
    give_up: watch::Receiver<bool>,
) -> Result<String> {
    unless(give_up.clone(), settle(reach, here, plan)).await??;
    let tests = uptests(reach, here, plan, release, ear, give_up).await?;
    Ok(format!("{} RUNNING, {tests} uptests passed", here.len()))
}

/// Runs every uptest of procs of one host; answers with how many passed.
pub async fn uptests(
    reach: &Reach,
    here: &[&PlannedProc],
    plan: &Plan,
    release: &Release,
    ear: &dyn Ear,
    give_up: watch::Receiver<bool>,
) -> Result<usize> {
    let mut tests = 0;
    for proc in here {
        let spec = uptest::UptestSpec {
            host: reach.address.clone(),
            port: proc.port,
            dir: format!("{}/procs/{}", reach.host.root, proc.name),
            proc_name: plan.proc_name.clone(),
            count: release.uptests.len(),
        };
        let timeout = Duration::from_millis(plan.timing.uptest_timeout_ms);
        let results = unless(give_up.clone(), uptest::run(reach.link.as_ref(), &spec, timeout)).await??;
        for result in &results {
            ear.uptest(&reach.host.name, &proc.name, result).await;
        }
        if let Some(failed) = results.iter().find(|result| !result.passed) {
            let how = if failed.timed_out { "ran out of time" } else { "failed" };
            return Err(Fault::failed(format!("uptest {} of :{} {how}: {}", failed.name, proc.port, last_lines(&failed.output)))
                .on(&reach.host.name)
                .next("mend the app or the test; the old procs still serve"));
        }
        if results.len() < release.uptests.len() {
            return Err(Fault::failed(format!("{} uptests were expected of :{}, {} ran", release.uptests.len(), proc.port, results.len()))
                .on(&reach.host.name));
        }
        tests += results.len();
    }
    // A test may have killed what it tested.
    still_running(reach, here).await?;
    Ok(tests)
}

/// Waits until every proc has been RUNNING under one pid for `settle`, and its port answers.
async fn settle(reach: &Reach, here: &[&PlannedProc], plan: &Plan) -> Result<()> {
    let settle = Duration::from_millis(plan.timing.settle_ms);
    let begun = Instant::now();
    // Per proc: the pid that it runs under, and since when that was seen.
    let mut steady: BTreeMap<&str, (u32, Instant)> = BTreeMap::new();
    loop {
        let all = supervisor::processes(reach.link.as_ref(), &reach.host.supervisor.socket).await?;
        let mut waiting = None;
        for proc in here {
            let Some(process) = all.iter().find(|process| process.name == proc.name) else {
                return Err(Fault::failed(format!("Supervisor has no program {}", proc.name)).on(&reach.host.name));
            };
            let state = ProcState::from_word(&process.statename);
            let pid = process.pid.unwrap_or(0);
            match (state, steady.get(proc.name.as_str())) {
                (ProcState::Running, Some((seen, _))) if *seen != pid => return Err(died(reach, proc, process).await),
                (ProcState::Running, Some((_, since))) if since.elapsed() >= settle => {}
                (ProcState::Running, Some(_)) => waiting = Some(proc),
                (ProcState::Running, None) => {
                    steady.insert(&proc.name, (pid, Instant::now()));
                    if !settle.is_zero() {
                        waiting = Some(proc);
                    }
                }
                (ProcState::Starting, None) => waiting = Some(proc),
                _ => return Err(died(reach, proc, process).await),
            }
        }
        match waiting {
            None => break,
            Some(proc) if begun.elapsed() > START + settle => {
                return Err(Fault::failed(format!("{} did not become RUNNING and stay so within {:?}", proc.name, START + settle))
                    .on(&reach.host.name));
            }
            Some(_) => tokio::time::sleep(ASK).await,
        }
    }
    if plan.listens {
        for proc in here {
            listens(reach, proc).await?;
        }
    }
    Ok(())
}

/// Waits until the proc's port answers.
async fn listens(reach: &Reach, proc: &PlannedProc) -> Result<()> {
    let begun = Instant::now();
    while let uptest::Answer::No(why) = uptest::port_answers(reach.link.as_ref(), &reach.address, proc.port).await? {
        if begun.elapsed() > START {
            return Err(Fault::failed(format!("{} runs but its port does not answer: {why}", proc.name))
                .on(&reach.host.name)
                .next("make the app listen on $PORT, or say `listens: false`"));
        }
        tokio::time::sleep(ASK).await;
    }
    Ok(())
}

/// Watches that procs stay RUNNING under the pids that they have now, for so long; without a limit, for ever.
pub async fn stays(reach: &Reach, here: &[&PlannedProc], limit: Option<Duration>) -> Result<()> {
    let begun = Instant::now();
    let mut pids: BTreeMap<&str, Option<u32>> = BTreeMap::new();
    loop {
        let all = supervisor::processes(reach.link.as_ref(), &reach.host.supervisor.socket).await?;
        for proc in here {
            let Some(process) = all.iter().find(|process| process.name == proc.name) else {
                return Err(Fault::failed(format!("Supervisor has no program {} any more", proc.name)).on(&reach.host.name));
            };
            let same = *pids.entry(&proc.name).or_insert(process.pid) == process.pid;
            if !same || ProcState::from_word(&process.statename) != ProcState::Running {
                return Err(died(reach, proc, process).await);
            }
        }
        match limit.map(|limit| limit.saturating_sub(begun.elapsed())) {
            Some(left) if left.is_zero() => return Ok(()),
            left => tokio::time::sleep(left.unwrap_or(WATCH).min(WATCH)).await,
        }
    }
}

/// One look: every proc runs under some pid.
async fn still_running(reach: &Reach, here: &[&PlannedProc]) -> Result<()> {
    if here.is_empty() {
        return Ok(());
    }
    let all = supervisor::processes(reach.link.as_ref(), &reach.host.supervisor.socket).await?;
    for proc in here {
        match all.iter().find(|process| process.name == proc.name) {
            Some(process) if ProcState::from_word(&process.statename) == ProcState::Running => {}
            Some(process) => return Err(died(reach, proc, process).await),
            None => return Err(Fault::failed(format!("Supervisor has no program {} any more", proc.name)).on(&reach.host.name)),
        }
    }
    Ok(())
}

/// The fault of a proc that does not run: what Supervisor says, and the end of its log.
async fn died(reach: &Reach, proc: &PlannedProc, process: &Process) -> Fault {
    let path = procs::logs::path(&reach.host.root, &proc.name);
    let log = procs::logs::tail(reach.link.as_ref(), &path, 4096).await.unwrap_or_default();
    let said = |line: &&String| !line.trim().is_empty() && procs::logs::start_of(line).is_none();
    let end = log.iter().rev().find(said).cloned().unwrap_or_else(|| "its log is empty".into());
    let said = if process.spawnerr.is_empty() { process.description.clone() } else { process.spawnerr.clone() };
    Fault::failed(format!(":{} does not stay up: {} {said}: {end}", proc.port, process.statename))
        .on(&reach.host.name)
        .next("its whole log is kept: swarmdeck events")
}

fn last_lines(output: &str) -> String {
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(3);
    lines.get(from..).unwrap_or_default().join(" / ")
}
