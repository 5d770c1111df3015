//! What Supervisor, the kernel and a proc's own sockets say about it, where its log says nothing.

use super::{Cause, Facts};
use crate::deck::why::facts::ProcFacts;
use crate::model::world::ProcState;

/// From how many ends on in ten minutes it is a loop.
const LOOP: usize = 3;
/// How long a proc may take until it listens before that is called a fault (seconds).
const SLOW: i64 = 10;

pub fn find(facts: &Facts, all: &mut Vec<Cause>) {
    for proc in &facts.procs {
        is(proc, all);
        ended(proc, all);
        if proc.is_deaf() {
            deaf(proc, all);
        }
    }
}

/// What it is, however it came to that.
fn is(proc: &ProcFacts, all: &mut Vec<Cause>) {
    let place = proc.place();
    if let Some(probe) = &proc.probe {
        if !probe.missing_user.is_empty() {
            all.push(
                Cause::new("user-missing", &place, format!("the user {} that it runs as is not on the host any more", probe.missing_user))
                    .shows([format!("id {}: no such user", probe.missing_user), proc.lines.last().cloned().unwrap_or_default()])
                    .next("make that user there again, or change run_as and dispatch"),
            );
        }
        if probe.app_gone {
            all.push(
                Cause::new("app-gone", &place, "its unpacked app is not there any more")
                    .shows([format!("no directory app/ in that of {}", proc.name)])
                    .next("dispatch again: it is unpacked anew"),
            );
        }
        if probe.letter == Some('T') {
            all.push(
                Cause::new("proc-frozen", &place, "its process is stopped by a signal (SIGSTOP): it runs and does nothing")
                    .shows([format!("state T of process {}", probe.processes.first().map_or(0, |(pid, _)| *pid))])
                    .next("kill -CONT it there, or swarmdeck restart it"),
            );
        }
    }
    match proc.state {
        ProcState::Ghost => all.push(
            Cause::new("ghost", &place, "its directory is there, but Supervisor has no such program")
                .shows([format!("a directory {} without a program", proc.name)])
                .next(format!("swarmdeck destroy {} {} removes it", proc.host, proc.name)),
        ),
        ProcState::Stopped if !proc.gone => all.push(
            Cause::new(
                "stopped-by-hand",
                &place,
                if proc.stopped_by.is_empty() {
                    "it was stopped, not through swarmdeck".into()
                } else {
                    format!("{} stopped it", proc.stopped_by)
                },
            )
            .shows(["Supervisor: STOPPED".to_string(), proc.stopped_by.clone()])
            .next(format!("swarmdeck start {} {}", proc.host, proc.name)),
        ),
        _ => {}
    }
}

/// How it ended, if it did.
fn ended(proc: &ProcFacts, all: &mut Vec<Cause>) {
    if !proc.troubled() {
        return;
    }
    let place = proc.place();
    let logs = format!("swarmdeck logs {} {}", proc.host, proc.name);
    if proc.spawn_error.contains("can't find command")
        || proc.spawn_error.contains("couldn't")
        || proc.spawn_error.contains("making dispatchers")
        || proc.spawn_error.contains("not executable")
    {
        all.push(
            Cause::new("spawn-failed", &place, format!("Supervisor could not start it: {}", proc.spawn_error))
                .shows([proc.spawn_error.clone()])
                .next("mend what Supervisor names; swarmdeck hosts check says more about the host"),
        );
    }
    let Some(death) = proc.last_death() else { return };
    if let Some(oom) = &death.oom {
        let how =
            if oom.sure { "the kernel ended it for want of memory" } else { "it was killed, most likely by the kernel for want of memory" };
        all.push(
            Cause::new("oom-killed", &place, how)
                .shows([oom.sign.clone(), format!("ended: {}", death.how())])
                .next("give the host more memory, or the app less to do; mem_limit needs a runtime that keeps it"),
        );
    }
    let words: Vec<String> = last_words(&proc.lines, 3);
    if !death.signal.is_empty() {
        let hint = match death.signal.as_str() {
            "SIGSEGV" | "SIGBUS" | "SIGILL" => "a fault in native code: look for a core, and at what was changed in extensions",
            "SIGABRT" => "it gave up itself: its last lines say why",
            "SIGKILL" => "somebody or something killed it; the kernel's log says nothing of memory",
            _ => "see who sent it",
        };
        all.push(
            Cause::new("signalled", &place, format!("{} ended it", death.signal))
                .shows([format!("Supervisor: terminated by {}", death.signal)])
                .shows(words.clone())
                .next(hint),
        );
    } else if death.exit_status == Some(0) {
        let left: Vec<String> =
            proc.probe.iter().flat_map(|probe| &probe.processes).map(|(pid, name)| format!("pid {pid} ({name})")).collect();
        if left.is_empty() {
            all.push(
                Cause::new("exits-at-once", &place, "it ends by itself, without a failure")
                    .shows(["Supervisor: exit status 0".to_string()])
                    .shows(words.clone())
                    .next("a proc must stay in the foreground; give the Procfile a command that does not end"),
            );
        } else {
            all.push(
                Cause::new("daemonised", &place, "it put itself into the background, so Supervisor saw it end")
                    .shows(["Supervisor: exit status 0".to_string(), format!("still there: {}", left.join(", "))])
                    .next("run it in the foreground (--no-daemon, `daemon off`, no `&`)"),
            );
        }
    } else if let Some(status) = death.exit_status {
        all.push(
            Cause::new("exit-status", &place, format!("it ended with exit status {status}, for no reason that is known here"))
                .shows([format!("Supervisor: exit status {status}")])
                .shows(words.clone())
                .next(logs.clone()),
        );
    }
    let deaths = proc.deaths();
    if deaths >= LOOP && death.exit_status != Some(0) {
        let how: Vec<String> = proc.lives.iter().filter(|life| life.died()).map(|life| life.how()).collect();
        all.push(
            Cause::new("crash-loop", &place, format!("it died {deaths} times within ten minutes, for no reason that is known here"))
                .shows([how.iter().skip(how.len().saturating_sub(8)).cloned().collect::<Vec<_>>().join(", ")])
                .shows(words)
                .next(logs),
        );
    }
}

/// It runs, and its port is not to be reached.
fn deaf(proc: &ProcFacts, all: &mut Vec<Cause>) {
    let (Some(probe), Some(port)) = (&proc.probe, proc.port) else { return };
    let place = proc.place();
    let there: Vec<String> = probe.listens.iter().map(|(address, at)| format!("{address}:{at}")).collect();
    let cause = if probe.listens.iter().any(|(_, at)| *at == port) {
        Cause::new("loopback-only", &place, format!("it listens at 127.0.0.1:{port} only, where no balancer reaches it"))
            .next("have the app bind 0.0.0.0 (or ::)")
    } else if !there.is_empty() {
        Cause::new("wrong-port", &place, format!("it listens at {} and not at its port {port}", there.join(", ")))
            .next("make the app listen on $PORT")
    } else if proc.uptime < SLOW {
        Cause::new("slow-start", &place, format!("it started {} s ago and does not listen yet", proc.uptime))
            .next("wait; if it stays so, look at its log")
    } else {
        Cause::new("no-listen", &place, format!("it has run for {} s and listens nowhere", proc.uptime))
            .next("make the app listen on $PORT at 0.0.0.0, or say `listens: false`")
    };
    let listens =
        if there.is_empty() { "its processes listen nowhere".to_string() } else { format!("its processes listen at {}", there.join(", ")) };
    let holder = if probe.port_holder.is_empty() { String::new() } else { format!("port {port} is held by {}", probe.port_holder) };
    all.push(cause.shows([listens, holder]).shows(last_words(&proc.lines, 2)));
}

/// The last lines that say something.
fn last_words(lines: &[String], most: usize) -> Vec<String> {
    let said: Vec<&String> = lines.iter().filter(|line| !line.trim().is_empty()).collect();
    said.iter().skip(said.len().saturating_sub(most)).map(|line| (*line).clone()).collect()
}
