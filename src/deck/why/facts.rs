//! What is known when somebody asks why: gathered once, judged by pure rules.

use crate::balancers::nginx::examine::Examined;
use crate::hosts::probe::HostProbe;
use crate::hosts::procs::ProcProbe;
use crate::model::life::Life;
use crate::model::record::Dispatch;
use crate::model::world::{HostState, ProcState};
use crate::uptest::UptestResult;

/// Everything about the thing that was asked for.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub now_ms: i64,
    pub hosts: Vec<HostFacts>,
    pub procs: Vec<ProcFacts>,
    /// What our own steps said when they failed: dispatches, plans that were refused, builds.
    pub said: Vec<Said>,
    pub uptests: Vec<UptestFacts>,
    pub pools: Vec<PoolFacts>,
    pub examined: Vec<Examined>,
    pub dispatch: Option<Dispatch>,
}

/// A host, as seen and as probed.
#[derive(Debug, Clone)]
pub struct HostFacts {
    pub name: String,
    pub root: String,
    pub socket: String,
    pub state: HostState,
    pub installation: Option<String>,
    /// The installation that asks.
    pub ours: String,
    /// None where it could not be asked.
    pub probe: Option<HostProbe>,
    /// Our clock when it was probed, seconds.
    pub our_clock: i64,
}

/// A proc: one that is there, or what one left behind.
#[derive(Debug, Clone)]
pub struct ProcFacts {
    pub host: String,
    pub name: String,
    pub port: Option<u16>,
    pub state: ProcState,
    /// Whether it was removed: the facts are its evidence.
    pub gone: bool,
    /// Seconds since its start; 0 when it does not run.
    pub uptime: i64,
    pub spawn_error: String,
    /// Oldest first, the one that goes on included.
    pub lives: Vec<Life>,
    /// What it said in the life that matters.
    pub lines: Vec<String>,
    pub probe: Option<ProcProbe>,
    pub must_listen: bool,
    /// Who stopped it by hand and when, if somebody did.
    pub stopped_by: String,
}

impl ProcFacts {
    /// The last life that ended though nobody asked, not longer ago than matters (ten minutes, for one that runs).
    pub fn last_death(&self) -> Option<&Life> {
        let recent = |life: &&Life| self.uptime == 0 || self.uptime < 600 || life.end == 0;
        self.lives.iter().rev().find(|life| life.died()).filter(recent)
    }
    /// How often it died in its last ten minutes that are known.
    pub fn deaths(&self) -> usize {
        let last = self.lives.iter().map(|life| life.end).max().unwrap_or(0);
        self.lives.iter().filter(|life| life.died() && life.end > last - 600).count()
    }
    /// Whether something is wrong with it: only then its log is searched for causes.
    pub fn troubled(&self) -> bool {
        self.gone || self.state.is_bad() || self.state == ProcState::Starting || self.last_death().is_some() || self.is_deaf()
    }
    /// It runs, should listen where others reach it, and does not.
    pub fn is_deaf(&self) -> bool {
        let port = self.port.unwrap_or(0);
        let Some(probe) = self.probe.as_ref().filter(|_| self.state == ProcState::Running && self.must_listen && port > 0) else {
            return false;
        };
        !probe.listens.iter().any(|(address, at)| *at == port && !address.is_loopback())
    }
    /// `web01 shop-v1-…-5000`.
    pub fn place(&self) -> String {
        format!("{} {}", self.host, self.name)
    }
}

/// What one of our own steps said.
#[derive(Debug, Clone)]
pub struct Said {
    /// `dispatch 412, start`, `plan of root`.
    pub by: String,
    pub host: String,
    pub text: String,
    pub next: String,
}

/// How an uptest ended.
#[derive(Debug, Clone)]
pub struct UptestFacts {
    pub place: String,
    pub result: UptestResult,
}

/// A pool on one balancer host.
#[derive(Debug, Clone, Default)]
pub struct PoolFacts {
    pub balancer: String,
    pub pool: String,
    pub host: String,
    pub edited: Option<String>,
    /// Whose it is, if it is not ours.
    pub not_ours: String,
    /// Nodes that the host cannot connect to, with its words.
    pub out_of_reach: String,
    /// Why it could not be read.
    pub unread: String,
    /// What this host holds otherwise than the first one.
    pub differs: String,
}
