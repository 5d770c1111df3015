//! A scenario that breaks a promise, made smaller as long as it breaks the same one.

use super::play::play;
use super::scenario::{Happening, Scenario};

/// The smallest scenario found that still breaks `promise`.
pub fn shrink(scenario: &Scenario, promise: &str) -> Scenario {
    let mut best = scenario.clone();
    let breaks = |scenario: &Scenario| play(scenario, false).broken.is_some_and(|broken| broken.promise == promise);
    loop {
        let before = best.clone();
        let mut size = best.happenings.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < best.happenings.len() {
                let mut smaller = best.clone();
                smaller.happenings.drain(at..(at + size).min(best.happenings.len()));
                if breaks(&smaller) { best = smaller } else { at += size }
            }
            size /= 2;
        }
        for smaller in simpler(&best) {
            if breaks(&smaller) {
                best = smaller;
            }
        }
        if best == before {
            return best;
        }
    }
}

/// The same with one thing less.
fn simpler(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Scenario)| {
        let mut smaller = scenario.clone();
        change(&mut smaller);
        let (hosts, edges, machines, consoles, swarms) =
            (smaller.hosts, smaller.edges, smaller.machines, smaller.consoles, smaller.swarms.len());
        smaller.happenings.retain(|(_, what)| within(what, hosts, edges, machines, consoles, swarms));
        if smaller != *scenario {
            all.push(smaller);
        }
    };
    with(&|scenario| scenario.automatic = false);
    with(&|scenario| scenario.hosts = (scenario.hosts - 1).max(1));
    with(&|scenario| scenario.edges = 1);
    with(&|scenario| scenario.machines = 1);
    with(&|scenario| scenario.consoles = (scenario.consoles - 1).max(1));
    with(&|scenario| scenario.swarms.truncate(1));
    with(&|scenario| scenario.swarms.iter_mut().for_each(|swarm| (swarm.size, swarm.soak, swarm.settle) = (1, 0, 0)));
    with(&|scenario| scenario.swarms.iter_mut().for_each(|swarm| swarm.pool = false));
    with(&|scenario| scenario.swarms.iter_mut().for_each(|swarm| (swarm.batch, swarm.canary) = (None, None)));
    with(&|scenario| scenario.swarms.iter_mut().for_each(|swarm| swarm.in_place = false));
    with(&|scenario| scenario.swarms.iter_mut().for_each(|swarm| swarm.absent = "abort"));
    all
}

/// Whether everything that a happening names is there.
fn within(what: &Happening, hosts: usize, edges: usize, machines: usize, consoles: usize, swarms: usize) -> bool {
    match *what {
        Happening::Dispatch { console, swarm, .. }
        | Happening::Cancel { console, swarm }
        | Happening::Resume { console, swarm }
        | Happening::Promote { console, swarm }
        | Happening::Rename { console, swarm }
        | Happening::Edit { console, swarm } => console < consoles && swarm < swarms,
        Happening::Replace { console, swarm, host } | Happening::Hold { console, swarm, host, .. } => {
            console < consoles && swarm < swarms && host.is_none_or(|host| host < hosts)
        }
        Happening::GoWithout { console, swarm, host } => console < consoles && swarm < swarms && host < hosts,
        Happening::Upkeep { console }
        | Happening::Leave { console }
        | Happening::Crash { console, .. }
        | Happening::CrashAt { console, .. }
        | Happening::Freeze { console, .. } => console < consoles,
        Happening::StoreAway { machine, .. } | Happening::CommitsUnknown { machine, .. } => machine < machines,
        Happening::StoreFull { .. } => true,
        Happening::Cut { host, machine, .. } => host < hosts && machine.is_none_or(|machine| machine < machines),
        Happening::AnswersLost { host, .. }
        | Happening::Reboot { host, .. }
        | Happening::Slow { host, .. }
        | Happening::DiskFull { host, .. }
        | Happening::SupervisorDown { host, .. }
        | Happening::ProcDies { host, .. }
        | Happening::Inactive { host, .. }
        | Happening::Stranger { host, .. } => host < hosts,
        Happening::EdgeCut { edge, .. } | Happening::EdgeRefuses { edge, .. } => edge < edges,
    }
}
