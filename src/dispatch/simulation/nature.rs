//! What goes wrong, and how procs behave by themselves.

use super::console;
use super::scenario::{App, Happening};
use super::sim::{Heard, Sim};
use super::time::{Ms, Owner};
use crate::dispatch::driver::Wish;
use crate::model::world::ProcState;
use std::rc::Rc;

impl Sim {
    /// Supervisor starts a program: a new pid, and a fate by its version and host.
    pub fn run_proc(&self, host: usize, name: &str) {
        let now = self.time.now();
        let mut fleet = self.fleet.borrow_mut();
        let pid = fleet.pid();
        let Some(proc) = fleet.hosts[host].procs.get_mut(name) else { return };
        let of = host as u64;
        // A bad version is bad on half of the hosts.
        let bad = self.chance.once_in("bad here", of, 2);
        proc.known = true;
        proc.pid = Some(pid);
        proc.running_from = now + self.chance.between("starting", of, 100, 1_500);
        proc.listens_from = proc.running_from + self.chance.between("listening", of, 0, 1_000);
        proc.dies_at = Ms::MAX;
        match proc.app {
            App::Dies if bad => proc.dies_at = now + self.chance.between("dies", of, 50, 3_000),
            App::DiesLate if bad => proc.dies_at = now + self.chance.between("dies late", of, 3_000, 15_000),
            App::Deaf => proc.listens_from = Ms::MAX,
            App::Fails if !bad => proc.app = App::Good,
            _ => {}
        }
        self.truth.borrow_mut().run_by_nature(host, name, Some(pid));
    }

    /// Makes it so for a while: `on` now, `off` afterwards.
    fn during(self: &Rc<Sim>, during: Ms, on: impl FnOnce(&Rc<Sim>), off: impl FnOnce(&Rc<Sim>) + 'static) {
        on(self);
        let sim = Rc::clone(self);
        self.time.spawn(Owner::Nature, async move {
            sim.time.sleep(during).await;
            if !sim.calm.get() {
                off(&sim);
            }
        });
    }

    pub fn happen(self: &Rc<Sim>, happening: Happening) {
        self.say(|| format!("* {happening:?}"));
        match happening {
            Happening::Dispatch { .. }
            | Happening::Replace { .. }
            | Happening::Hold { .. }
            | Happening::Rename { .. }
            | Happening::Cancel { .. }
            | Happening::Resume { .. }
            | Happening::Upkeep { .. }
            | Happening::Promote { .. }
            | Happening::GoWithout { .. }
            | Happening::Edit { .. } => console::operate(self, happening),
            Happening::Leave { console } => {
                let carried: Vec<_> = self.consoles.borrow()[console].carried.values().cloned().collect();
                carried.iter().for_each(|wishes| wishes.send(&self.time, Heard::Wish(Wish::Leave)));
            }
            Happening::Crash { console, back } => self.crash(console, back),
            Happening::CrashAt { console, point, back } => {
                let there = &mut self.consoles.borrow_mut()[console];
                there.killed_at = Some((there.points + point, back));
            }
            Happening::Freeze { console, during } => {
                let until = self.time.now() + during;
                let there = &mut self.consoles.borrow_mut()[console];
                there.frozen_until = there.frozen_until.max(until);
            }
            Happening::StoreAway { machine, during } => {
                let until = self.time.now() + during;
                self.trouble.borrow_mut().away.insert(machine, until);
            }
            Happening::CommitsUnknown { machine, during } => {
                let until = self.time.now() + during;
                self.trouble.borrow_mut().unknown.insert(machine, until);
            }
            Happening::StoreFull { during } => self.trouble.borrow_mut().full_until = self.time.now() + during,
            other => self.happen_to_host(other),
        }
    }

    fn happen_to_host(self: &Rc<Sim>, happening: Happening) {
        let machines = self.scenario.machines;
        match happening {
            Happening::Cut { host, machine, during } => {
                let from = machine.map_or_else(|| (0..machines).collect(), |machine| vec![machine]);
                let back = from.clone();
                self.during(
                    during,
                    |sim| sim.fleet.borrow_mut().hosts[host].cut.extend(from),
                    move |sim| sim.fleet.borrow_mut().hosts[host].cut.retain(|machine| !back.contains(machine)),
                );
            }
            Happening::AnswersLost { host, during } => self.during(
                during,
                |sim| sim.fleet.borrow_mut().hosts[host].answers_lost = true,
                move |sim| sim.fleet.borrow_mut().hosts[host].answers_lost = false,
            ),
            Happening::Reboot { host, during } => self.during(during, |sim| sim.power_off(host), move |sim| sim.power_on(host)),
            Happening::Slow { host, factor, during } => self.during(
                during,
                |sim| sim.fleet.borrow_mut().hosts[host].slow = factor,
                move |sim| sim.fleet.borrow_mut().hosts[host].slow = 1,
            ),
            Happening::DiskFull { host, during } => self.during(
                during,
                |sim| sim.fleet.borrow_mut().hosts[host].disk_full = true,
                move |sim| sim.fleet.borrow_mut().hosts[host].disk_full = false,
            ),
            Happening::SupervisorDown { host, during } => self.during(
                during,
                |sim| sim.fleet.borrow_mut().hosts[host].supervisor_down = true,
                move |sim| sim.fleet.borrow_mut().hosts[host].supervisor_down = false,
            ),
            Happening::ProcDies { host, for_good } => self.kill_proc(host, for_good),
            Happening::Inactive { host, during } => self.during(
                during,
                |sim| sim.fleet.borrow_mut().hosts[host].active = false,
                move |sim| sim.fleet.borrow_mut().hosts[host].active = true,
            ),
            Happening::Stranger { host, port } => {
                let now = self.time.now();
                let mut fleet = self.fleet.borrow_mut();
                if !fleet.hosts[host].listening(now).contains(&port) {
                    fleet.hosts[host].strangers.insert(port);
                }
            }
            Happening::EdgeCut { edge, during } => self.during(
                during,
                |sim| sim.fleet.borrow_mut().edges[edge].cut.extend(0..machines),
                move |sim| sim.fleet.borrow_mut().edges[edge].cut.clear(),
            ),
            Happening::EdgeRefuses { edge, during } => self.during(
                during,
                |sim| sim.fleet.borrow_mut().edges[edge].refuses = true,
                move |sim| sim.fleet.borrow_mut().edges[edge].refuses = false,
            ),
            _ => {}
        }
    }

    /// Scripts end where they stand, without their traps; locks are gone with them.
    fn power_off(self: &Rc<Sim>, host: usize) {
        self.time.kill(Owner::Host(host));
        let mut fleet = self.fleet.borrow_mut();
        let there = &mut fleet.hosts[host];
        there.up = false;
        there.locks.clear();
        for proc in there.procs.values_mut() {
            (proc.known, proc.pid) = (false, None);
            self.truth.borrow_mut().run_by_nature(host, &proc.name, None);
        }
    }

    /// Supervisor starts what has a `proc.conf`.
    fn power_on(self: &Rc<Sim>, host: usize) {
        let named: Vec<String> = {
            let mut fleet = self.fleet.borrow_mut();
            let there = &mut fleet.hosts[host];
            if there.up {
                return;
            }
            there.up = true;
            there.procs.values().filter(|proc| proc.conf).map(|proc| proc.name.clone()).collect()
        };
        for name in named {
            self.run_proc(host, &name);
        }
    }

    fn kill_proc(self: &Rc<Sim>, host: usize, for_good: bool) {
        let now = self.time.now();
        let running: Vec<String> = {
            let fleet = self.fleet.borrow();
            let runs = fleet.hosts[host].procs.values().filter(|proc| proc.stamp.is_some() && proc.state(now) == ProcState::Running);
            runs.map(|proc| proc.name.clone()).collect()
        };
        if running.is_empty() {
            return;
        }
        let victim = &running[self.chance.draw("victim", host as u64) as usize % running.len()];
        self.say(|| format!("web{host}: {victim} dies"));
        if !for_good {
            return self.run_proc(host, victim);
        }
        if let Some(proc) = self.fleet.borrow_mut().hosts[host].procs.get_mut(victim) {
            proc.dies_at = now;
        }
    }

    /// Nothing goes wrong any more: everything that was wrong is mended, and every console lives.
    pub fn becalm(self: &Rc<Sim>) {
        self.say(|| "* calm".into());
        self.calm.set(true);
        *self.trouble.borrow_mut() = super::sim::StoreTrouble::default();
        for host in 0..self.scenario.hosts {
            self.power_on(host);
            let mut fleet = self.fleet.borrow_mut();
            let there = &mut fleet.hosts[host];
            there.cut.clear();
            (there.answers_lost, there.slow, there.disk_full, there.supervisor_down, there.active) = (false, 1, false, false, true);
        }
        for edge in &mut self.fleet.borrow_mut().edges {
            edge.cut.clear();
            edge.refuses = false;
        }
        for console in 0..self.scenario.consoles {
            self.begin_console(console);
            let there = &mut self.consoles.borrow_mut()[console];
            (there.frozen_until, there.killed_at) = (0, None);
        }
    }
}
