//! What happens in one play: the fleet, the swarms, the operators, and everything that goes wrong, all from a seed.

use super::chance::Chance;
use super::time::Ms;

/// How a version of the app behaves once it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum App {
    Good,
    /// RUNNING, then dead, on some hosts.
    Dies,
    /// Its uptest fails on some hosts.
    Fails,
    /// Never listens.
    Deaf,
    /// Passes everything, dies a little later.
    DiesLate,
}

/// The versions that operators dispatch; most are good.
pub const VERSIONS: [App; 7] = [App::Good, App::Good, App::Good, App::Dies, App::Fails, App::Deaf, App::DiesLate];

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// An operator plans, looks at it for a while, and executes it, from two consoles at once when `twice`.
    Dispatch {
        console: usize,
        swarm: usize,
        version: usize,
        size: u32,
        think: Ms,
        twice: bool,
        /// Names every hold over it, so that it may go.
        lifts: bool,
    },
    /// Somebody holds the swarm, or what is on a host: for a while, or (0) until it is lifted.
    Hold {
        console: usize,
        swarm: usize,
        host: Option<usize>,
        during: Ms,
    },
    /// The swarm is called something else: its next dispatch retires what is called as before.
    Rename {
        console: usize,
        swarm: usize,
    },
    /// Every proc is replaced by one of the same release, or only those on a host, which is emptied.
    Replace {
        console: usize,
        swarm: usize,
        host: Option<usize>,
    },
    Cancel {
        console: usize,
        swarm: usize,
    },
    Resume {
        console: usize,
        swarm: usize,
    },
    Upkeep {
        console: usize,
    },
    /// SIGTERM: stops between steps.
    Leave {
        console: usize,
    },
    /// An operator saves the swarm's text.
    Edit {
        console: usize,
        swarm: usize,
    },
    /// The canary is promoted by hand.
    Promote {
        console: usize,
        swarm: usize,
    },
    /// It goes on without a host that does not answer.
    GoWithout {
        console: usize,
        swarm: usize,
        host: usize,
    },
    /// `kill -9`; another process is there after a while.
    Crash {
        console: usize,
        back: Ms,
    },
    /// `kill -9` at the n-th write or effect from now.
    CrashAt {
        console: usize,
        point: u64,
        back: Ms,
    },
    /// SIGSTOP, then SIGCONT.
    Freeze {
        console: usize,
        during: Ms,
    },
    /// The store cannot be reached from a machine.
    StoreAway {
        machine: usize,
        during: Ms,
    },
    /// The store's disk is full.
    StoreFull {
        during: Ms,
    },
    /// Commits happen, but their answers are lost.
    CommitsUnknown {
        machine: usize,
        during: Ms,
    },
    /// A host cannot be reached, from one machine or from all.
    Cut {
        host: usize,
        machine: Option<usize>,
        during: Ms,
    },
    /// What a host did happened; its answers are lost.
    AnswersLost {
        host: usize,
        during: Ms,
    },
    /// Power off, and on again.
    Reboot {
        host: usize,
        during: Ms,
    },
    Slow {
        host: usize,
        factor: u64,
        during: Ms,
    },
    DiskFull {
        host: usize,
        during: Ms,
    },
    SupervisorDown {
        host: usize,
        during: Ms,
    },
    /// A proc dies; Supervisor starts it again, or gives up.
    ProcDies {
        host: usize,
        for_good: bool,
    },
    /// The host is taken out of service.
    Inactive {
        host: usize,
        during: Ms,
    },
    /// Somebody else takes a port.
    Stranger {
        host: usize,
        port: u16,
    },
    EdgeCut {
        edge: usize,
        during: Ms,
    },
    /// The balancer refuses its configuration.
    EdgeRefuses {
        edge: usize,
        during: Ms,
    },
}

/// A swarm of the play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwarmOf {
    pub size: u32,
    pub pool: bool,
    pub soak: Ms,
    pub settle: Ms,
    pub batch: Option<u32>,
    pub canary: Option<u32>,
    pub in_place: bool,
    pub absent: &'static str,
}

/// A mistake that somebody could make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Scripts do not compare epochs.
    NoFence,
    /// What does not pass its uptests counts as proven.
    NoProof,
    /// Ports are not given back.
    PortsKept,
}

/// Everything that a play is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    pub seed: u64,
    pub hosts: usize,
    /// Balancer hosts.
    pub edges: usize,
    /// Jump hosts; console n runs on machine n % machines.
    pub machines: usize,
    pub consoles: usize,
    /// Whether consoles resume by themselves what a dead process left.
    pub automatic: bool,
    pub swarms: Vec<SwarmOf>,
    /// What is broken on purpose, to see that it is found.
    pub sabotage: Option<Sabotage>,
    /// When what happens.
    pub happenings: Vec<(Ms, Happening)>,
}

/// When nothing happens any more and everything is mended.
pub const CALM: Ms = 240_000;
/// Ports of each host.
pub const PORTS: (u16, u16) = (5000, 5029);

impl Scenario {
    pub fn of(seed: u64) -> Scenario {
        let chance = Chance::new(seed);
        let to = |label, high: u64| chance.between(label, 0, 0, high);
        let hosts = 1 + to("hosts", 3) as usize;
        let swarms = (0..1 + to("swarms", 1))
            .map(|n| SwarmOf {
                size: chance.between("size", n, 1, 4) as u32,
                pool: !chance.once_in("pool", n, 5),
                soak: [0, 0, 3_000][chance.between("soak", n, 0, 2) as usize],
                settle: chance.between("settle", n, 0, 2) * 1_000,
                batch: [None, None, Some(1), Some(2)][chance.between("batch", n, 0, 3) as usize],
                canary: [None, None, None, Some(1)][chance.between("canary", n, 0, 3) as usize],
                in_place: chance.once_in("in place", n, 8),
                absent: ["abort", "abort", "go-on", "quorum 2"][chance.between("absent", n, 0, 3) as usize],
            })
            .collect::<Vec<_>>();
        let consoles = 1 + to("consoles", 2) as usize;
        let mut scenario = Scenario {
            seed,
            hosts,
            edges: 1 + to("edges", 1) as usize,
            machines: 1 + to("machines", 1) as usize,
            consoles,
            automatic: chance.once_in("automatic", 0, 2),
            swarms,
            sabotage: None,
            happenings: Vec::new(),
        };
        for swarm in 0..scenario.swarms.len() {
            let size = scenario.swarms[swarm].size;
            let first = Happening::Dispatch { console: 0, swarm, version: 0, size, think: 500, twice: false, lifts: false };
            scenario.happenings.push((swarm as u64 * 100, first));
        }
        for n in 0..2 + to("operators", 3) {
            let at = chance.between("when", n, 20_000, 160_000);
            scenario.happenings.push((at, scenario.by_operator(&chance, n, true)));
            if chance.once_in("more", n, 2) {
                let happening = scenario.by_operator(&chance, n + 100, false);
                scenario.happenings.push((at + chance.between("later", n, 500, 30_000), happening));
            }
            // Faults come while somebody is at work: that is where they hurt.
            for fault in 0..to("faults", 3) {
                let n = n * 10 + fault;
                let at = at + chance.between("fault when", n, 0, 25_000);
                scenario.happenings.push((at, scenario.by_nature(&chance, n)));
            }
        }
        scenario.happenings.sort_by_key(|(at, _)| *at);
        scenario
    }

    fn by_operator(&self, chance: &Chance, n: u64, dispatches: bool) -> Happening {
        let console = chance.between("who", n, 0, self.consoles as u64 - 1) as usize;
        let swarm = chance.between("which", n, 0, self.swarms.len() as u64 - 1) as usize;
        if dispatches && chance.once_in("replaces", n, 5) {
            let host = chance.once_in("evacuates", n, 2).then(|| chance.between("from", n, 0, self.hosts as u64 - 1) as usize);
            return Happening::Replace { console, swarm, host };
        }
        if dispatches {
            return Happening::Dispatch {
                console,
                swarm,
                version: chance.between("version", n, 0, VERSIONS.len() as u64 - 1) as usize,
                size: chance.between("to size", n, 0, 5) as u32,
                think: chance.between("think", n, 100, 4_000),
                twice: chance.once_in("twice", n, 8),
                lifts: chance.once_in("lifts", n, 2),
            };
        }
        match chance.between("what", n, 0, 18) {
            15..=16 => {
                let host = chance.once_in("holds a host", n, 2).then(|| chance.between("held", n, 0, self.hosts as u64 - 1) as usize);
                Happening::Hold { console, swarm, host, during: chance.between("how long", n, 0, 4) * 10_000 }
            }
            17..=18 => Happening::Rename { console, swarm },
            10..=12 => Happening::Promote { console, swarm },
            13..=14 => {
                let host = chance.between("without", n, 0, self.hosts as u64 - 1) as usize;
                Happening::GoWithout { console, swarm, host }
            }
            0..=2 => Happening::Cancel { console, swarm },
            3..=4 => Happening::Resume { console, swarm },
            5 => Happening::Upkeep { console },
            6..=7 => Happening::Leave { console },
            8 => Happening::Edit { console, swarm },
            _ => Happening::Crash { console, back: chance.between("back", n, 1_000, 40_000) },
        }
    }

    fn by_nature(&self, chance: &Chance, n: u64) -> Happening {
        let of = |label, count: usize| chance.between(label, n, 0, count as u64 - 1) as usize;
        let (console, machine, host, edge) =
            (of("console", self.consoles), of("machine", self.machines), of("host", self.hosts), of("edge", self.edges));
        let during = chance.between("during", n, 1_000, 45_000);
        match chance.between("fault", n, 0, 23) {
            0..=3 => Happening::CrashAt { console, point: chance.between("point", n, 1, 60), back: during },
            4 => Happening::Crash { console, back: during },
            5..=6 => Happening::Freeze { console, during },
            7 => Happening::StoreAway { machine, during },
            8 => Happening::StoreFull { during: during / 4 },
            9 => Happening::CommitsUnknown { machine, during: during / 4 },
            10..=11 => Happening::Cut { host, machine: chance.once_in("one way", n, 2).then_some(machine), during },
            12 => Happening::AnswersLost { host, during: during / 2 },
            13..=14 => Happening::Reboot { host, during },
            15 => Happening::Slow { host, factor: chance.between("factor", n, 2, 30), during },
            16 => Happening::DiskFull { host, during },
            17 => Happening::SupervisorDown { host, during },
            18 => Happening::ProcDies { host, for_good: chance.once_in("for good", n, 2) },
            19 => Happening::Inactive { host, during },
            20 => Happening::Stranger { host, port: chance.between("port", n, u64::from(PORTS.0), u64::from(PORTS.1)) as u16 },
            21..=22 => Happening::EdgeCut { edge, during },
            _ => Happening::EdgeRefuses { edge, during },
        }
    }

    /// One happening a line, as it is printed for a seed that failed.
    pub fn lines(&self) -> String {
        let happenings: Vec<String> = self.happenings.iter().map(|(at, what)| format!("  {:>7} ms {what:?}", at)).collect();
        format!(
            "{} hosts, {} balancer hosts, {} consoles on {} machines{}, swarms {:?}\n{}",
            self.hosts,
            self.edges,
            self.consoles,
            self.machines,
            if self.automatic { ", resuming by themselves" } else { "" },
            self.swarms,
            happenings.join("\n")
        )
    }
}
