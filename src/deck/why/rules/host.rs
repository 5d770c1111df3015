//! What is wrong with a host that answers: disk, clock, tools, Supervisor.

use super::{Cause, Facts};
use crate::deck::why::facts::HostFacts;
use crate::hosts::probe::HostProbe;
use crate::hosts::provision::Missing;
use crate::model::world::HostState;

/// Below this a proc can hardly be made or write its log (KiB).
const DISK: u64 = 2 << 10;
/// As many inodes as one unpacked app may need.
const INODES: u64 = 64;
/// How far a clock may be off, in seconds.
const CLOCK: i64 = 60;

pub fn find(facts: &Facts, all: &mut Vec<Cause>) {
    for host in &facts.hosts {
        if let Some(installation) = host.installation.as_ref().filter(|installation| **installation != host.ours) {
            all.push(
                Cause::new(
                    "installation-other",
                    &host.name,
                    format!("the host belongs to installation {installation}, this is {}", host.ours),
                )
                .shows([format!("{}/fence/installation says {installation}", host.root)])
                .next(format!("swarmdeck hosts claim {}, if that installation no longer works with it", host.name)),
            );
        }
        if let Some(probe) = &host.probe {
            disk(host, probe, all);
            clock(host, probe, all);
            missing(host, probe, all);
            supervisor(host, probe, all);
        }
    }
}

fn disk(host: &HostFacts, probe: &HostProbe, all: &mut Vec<Cause>) {
    let free = format!("{}: {} KiB free of {} KiB", probe.mount, probe.disk_free, probe.disk_size);
    if probe.read_only {
        all.push(
            Cause::new("disk-read-only", &host.name, format!("the file system of {} is read-only", host.root))
                .shows([format!("{} is mounted at {}; root may not write there", host.root, probe.mount)])
                .next("look at the kernel's log for the disk's errors, mend it, mount it for writing"),
        );
    }
    // A small file system is full at a hundredth, a large one at a few MiB.
    if probe.disk_size > 0 && probe.disk_free < DISK.min(probe.disk_size / 50).max(1) {
        all.push(
            Cause::new("disk-full", &host.name, format!("its disk is full: nothing is free at {}", probe.mount))
                .shows([free])
                .next(format!("free space there: du -x {} says what takes it", probe.mount)),
        );
    }
    if probe.inodes > 0 && probe.inodes_free < INODES.min(probe.inodes / 50).max(1) {
        all.push(
            Cause::new("inodes-gone", &host.name, format!("no inode is free at {}: too many files", probe.mount))
                .shows([format!("{}: {} inodes free of {}", probe.mount, probe.inodes_free, probe.inodes)])
                .next(format!("remove files there: du -x --inodes {} says where they are", probe.mount)),
        );
    }
}

fn clock(host: &HostFacts, probe: &HostProbe, all: &mut Vec<Cause>) {
    let off = probe.clock - host.our_clock;
    if probe.clock > 0 && off.abs() > CLOCK {
        let side = if off > 0 { "ahead" } else { "behind" };
        let span = humantime::format_duration(std::time::Duration::from_secs(off.unsigned_abs()));
        all.push(
            Cause::new("clock-off", &host.name, format!("its clock is {span} {side}"))
                .shows([format!("its clock says {}, ours {} (seconds since 1970)", probe.clock, host.our_clock)])
                .next("start time synchronisation there (systemd-timesyncd, chrony)"),
        );
    }
}

fn missing(host: &HostFacts, probe: &HostProbe, all: &mut Vec<Cause>) {
    let provision = format!("swarmdeck hosts provision {}", host.name);
    for lack in &probe.missing {
        let (id, sentence, next) = match lack {
            Missing::Tool(tool) => ("tool-missing", format!("{tool} is not installed there"), provision.clone()),
            Missing::Privilege(user) => {
                ("privilege", format!("{user} is not root there and does not become it"), "set become: sudo, or user: root".into())
            }
            Missing::Directory(path, mode) => ("directory-missing", format!("{path} is not a directory of mode {mode}"), provision.clone()),
            Missing::Conf(path) => ("supervisor-conf-missing", format!("{path} is not there"), provision.clone()),
            Missing::Include { conf, pattern } => ("supervisor-include", format!("{conf} does not include {pattern}"), provision.clone()),
            // Said more exactly below.
            Missing::Supervisor(_) => continue,
        };
        all.push(Cause::new(id, &host.name, sentence).shows([format!("hosts check: {lack}")]).next(next));
    }
}

fn supervisor(host: &HostFacts, probe: &HostProbe, all: &mut Vec<Cause>) {
    let silent = probe.missing.iter().find_map(|lack| match lack {
        Missing::Supervisor(why) => Some(why.clone()),
        _ => None,
    });
    let silent = silent.or_else(|| match &host.state {
        HostState::Degraded(why) => Some(why.clone()),
        _ => None,
    });
    if !probe.conf_error.is_empty() {
        all.push(
            Cause::new("supervisor-file-broken", &host.name, format!("supervisord cannot read its files: {}", probe.conf_error))
                .shows([probe.conf_error.clone()])
                .next("mend or move away that file; until then nothing can be started or removed there"),
        );
    }
    let major = probe.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major < 3) {
        all.push(
            Cause::new("supervisor-old", &host.name, format!("its Supervisor is {}, older than 3.0", probe.version))
                .shows([format!("Supervisor says version {}", probe.version)])
                .next("install a newer Supervisor there"),
        );
    }
    let Some(why) = silent else { return };
    let cause = match (probe.supervisor_pid, probe.socket_there) {
        (None, _) => Cause::new("supervisor-down", &host.name, "no supervisord runs there")
            .next(format!("swarmdeck hosts provision {} starts it; its own log says why it ended", host.name)),
        (Some(pid), false) => Cause::new(
            "supervisor-socket-missing",
            &host.name,
            format!("supervisord (pid {pid}) runs, but its socket {} is gone", host.socket),
        )
        .next("restart supervisord there when its procs may restart: it makes its socket only then"),
        (Some(pid), true) => Cause::new("supervisor-silent", &host.name, format!("supervisord (pid {pid}) runs and does not answer"))
            .next("look at supervisord's log there"),
    };
    all.push(cause.shows([why]));
}
