//! Start, stop, restart, destroy procs; uptests, host check, provision and claim.

use super::leasing::Held;
use super::{Catalog, Deck, locked};
use crate::hosts::procs::{self, Action, Fence, Guard, Target};
use crate::hosts::provision;
use crate::model::entity::Host;
use crate::model::record::Event;
use crate::model::world::{HostSeen, Owner, Proc};
use crate::model::{Fault, Result};
use crate::uptest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// What one proc's uptests said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UptestReport {
    pub host: String,
    pub proc: String,
    pub test: String,
    pub passed: bool,
    pub seconds: f64,
    pub output: String,
}

/// Hears what became of each of several, by its place among them.
pub type Tell<'t> = &'t (dyn Fn(usize, &Result<String>) + Send + Sync);

/// A proc that something is to be done to, as it was found.
struct Wanted {
    number: usize,
    host: Host,
    proc: Proc,
    /// The lease that guards it, and the key of its fence.
    lease: String,
    key: String,
    /// The highest epoch that its host has seen of that key.
    min: i64,
}

impl Wanted {
    fn new(number: usize, host: &Host, seen: &HostSeen, name: &str) -> Result<Wanted> {
        let proc = seen.procs.iter().find(|proc| proc.name == name).cloned().ok_or_else(|| {
            let known: Vec<&str> = seen.procs.iter().map(|proc| proc.name.as_str()).collect();
            Fault::bad(format!("there is no proc '{name}'")).on(&host.name).next(format!("one of: {}", known.join(", ")))
        })?;
        if !seen.is_ok() {
            return Err(Fault::unreachable("it does not answer now").on(&host.name).next(format!("swarmdeck hosts check {}", host.name)));
        }
        let swarm = proc.stamp.as_ref().filter(|_| proc.owner != Owner::Foreign).map(|stamp| stamp.swarm.clone());
        let key = swarm.clone().unwrap_or_else(|| host.id.clone());
        let lease = if swarm.is_some() { format!("swarm/{key}") } else { format!("host/{key}") };
        let min = i64::try_from(seen.fences.get(&key).copied().unwrap_or(0)).unwrap_or(0);
        Ok(Wanted { number, host: host.clone(), proc, lease, key, min })
    }
}

/// What is kept of an uptest's output, in bytes.
const OUTPUT_KEPT: usize = 16 << 10;

/// The end of a long text: what went wrong is said last.
fn end_of(text: &str) -> &str {
    let from = text.len().saturating_sub(OUTPUT_KEPT);
    let from = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    text.get(from..).unwrap_or_default()
}

impl Deck {
    /// `start`, `stop`, `restart` or `destroy`; answers with what was done. Under the swarm's lease, so that it never meets a dispatch.
    pub async fn proc_verb(&self, verb: &str, host: &str, name: &str, why: &str) -> Result<String> {
        let done = Mutex::new(None);
        let tell = |_, result: &Result<String>| drop(locked(&done).replace(result.clone()));
        self.procs_verb(verb, &[(host.to_string(), name.to_string())], why, &tell).await?;
        let done = locked(&done).take();
        done.unwrap_or_else(|| Err(Fault::failed(format!("nothing was said of {name}")).on(host)))
    }

    /// The same of several procs (host and name) as one: those of a swarm under one lease, different hosts at the same time. `tell`
    /// hears what became of each, by its place in `procs`, when it is there.
    pub async fn procs_verb(&self, verb: &str, procs: &[(String, String)], why: &str, tell: Tell<'_>) -> Result<()> {
        let catalog = self.catalog().await?;
        let (mut hosts, mut refused): (BTreeMap<&str, Host>, BTreeMap<&str, Fault>) = Default::default();
        for (name, _) in procs {
            let found = async {
                let host = catalog.host(name)?;
                self.refuse_held(&host).await.map(|()| host)
            };
            match found.await {
                Ok(host) => drop(hosts.insert(name, host)),
                Err(fault) => drop(refused.insert(name, fault)),
            }
        }
        let asked: Vec<Host> = hosts.values().cloned().collect();
        let seen = self.ask_hosts(&catalog, &asked).await?;
        let mut groups: BTreeMap<String, Vec<Wanted>> = BTreeMap::new();
        for (number, (on, name)) in procs.iter().enumerate() {
            let wanted = match (hosts.get(on.as_str()), seen.iter().find(|seen| seen.name == *on), refused.get(on.as_str())) {
                (_, _, Some(fault)) => Err(fault.clone()),
                (Some(host), Some(seen), None) => Wanted::new(number, host, seen, name),
                _ => Err(Fault::failed("it could not be asked").on(on)),
            };
            match wanted {
                Ok(wanted) => groups.entry(wanted.lease.clone()).or_default().push(wanted),
                Err(fault) => tell(number, &Err(fault)),
            }
        }
        let all = groups.iter().map(|(lease, group)| self.procs_under(&catalog, lease, group, (verb, why), tell));
        futures::future::join_all(all).await.into_iter().collect()
    }

    /// Procs of one swarm (or of none, on one host), under its lease.
    async fn procs_under(&self, catalog: &Catalog, lease: &str, group: &[Wanted], (verb, why): (&str, &str), tell: Tell<'_>) -> Result<()> {
        let reason = match group {
            [one] => format!("{verb} {}", one.proc.name),
            several => format!("{verb} {} procs", several.len()),
        };
        let min = group.iter().map(|wanted| wanted.min).max().unwrap_or(0);
        let held = match self.acquire(lease, &reason, "", min).await {
            Ok(held) => held,
            Err(fault) => {
                group.iter().for_each(|wanted| tell(wanted.number, &Err(fault.clone())));
                return Ok(());
            }
        };
        let mut by_host: BTreeMap<&str, Vec<&Wanted>> = BTreeMap::new();
        for wanted in group {
            by_host.entry(&wanted.host.name).or_default().push(wanted);
        }
        let on_host = async |all: Vec<&Wanted>| {
            for wanted in all {
                let done = self.act_on(catalog, &wanted.host, &wanted.proc, verb, &held, &wanted.key).await;
                let done = match done {
                    Ok(done) => self.proc_told(wanted, verb, &done, why).await.map(|()| done),
                    Err(fault) => Err(fault),
                };
                tell(wanted.number, &done);
            }
        };
        if verb == "destroy" {
            // Each takes its node out of the pool: two at once would not see each other's change.
            on_host(by_host.into_values().flatten().collect()).await;
        } else {
            futures::future::join_all(by_host.into_values().map(on_host)).await;
        }
        held.release().await?;
        self.observe_soon();
        Ok(())
    }

    async fn proc_told(&self, wanted: &Wanted, verb: &str, done: &str, why: &str) -> Result<()> {
        let (host, name) = (&wanted.host.name, &wanted.proc.name);
        let event = Event {
            at_ms: self.now_ms(),
            kind: "proc".into(),
            who: self.who.clone(),
            what: done.into(),
            place: host.clone(),
            result: "success".into(),
            why: why.into(),
            ..Event::default()
        };
        self.store.note(&[event], None).await?;
        self.told(verb, &format!("{host}:{name}"), "done", why).await
    }

    async fn act_on(&self, catalog: &Catalog, host: &Host, proc: &Proc, verb: &str, held: &Held, key: &str) -> Result<String> {
        let link = self.links.link(host).await?;
        let fence = Fence {
            root: host.root.clone(),
            installation: self.store.installation().to_string(),
            key: key.to_string(),
            epoch: held.epoch(),
        };
        held.may_act()?;
        let ours = proc.owner != Owner::Foreign;
        let guard = if ours { Guard::Installation } else { Guard::Any };
        let stop_timeout = self.stop_timeout(catalog, proc);
        let action = match verb {
            "start" => Action::Start,
            "stop" => Action::Stop,
            "restart" => Action::Restart,
            "destroy" if !ours => {
                let of = proc.foreign_of.as_deref().unwrap_or("nobody that is known");
                return Err(Fault::refused(format!("{} is foreign (of {of}); only what this installation made is destroyed", proc.name))
                    .on(&host.name)
                    .next("remove it with the tool that made it"));
            }
            "destroy" => {
                self.unroute(catalog, host, proc, held).await?;
                let target = Target { name: proc.name.clone(), guard, stop_timeout };
                let left = procs::remove(link.as_ref(), &fence, &host.supervisor, "destroy", &[target]).await?;
                let left: Vec<_> = left.iter().filter(|evidence| evidence.found).collect();
                for evidence in &left {
                    self.keep_evidence(evidence).await?;
                }
                // It is stored; what stays on the host is found again by the next upkeep.
                procs::forget(link.as_ref(), &host.root, &left).await.ok();
                return Ok(format!("{} destroyed; its log is kept", proc.name));
            }
            other => return Err(Fault::bad(format!("there is no verb '{other}' for procs"))),
        };
        procs::act(link.as_ref(), &fence, &host.supervisor, action, &proc.name, &guard, stop_timeout).await?;
        Ok(format!(
            "{} {}",
            proc.name,
            match action {
                Action::Start => "started",
                Action::Stop => "stopped",
                Action::Restart => "restarted",
            }
        ))
    }

    pub(super) fn stop_timeout(&self, catalog: &Catalog, proc: &Proc) -> Duration {
        let swarm = proc.stamp.as_ref().and_then(|stamp| catalog.swarm(&stamp.swarm).ok());
        swarm.map_or(Duration::from_secs(10), |entry| entry.body.stop_timeout.0)
    }

    /// Takes a proc that is about to go out of its pool.
    async fn unroute(&self, catalog: &Catalog, host: &Host, proc: &Proc, held: &Held) -> Result<()> {
        let Some(swarm) = proc.stamp.as_ref().and_then(|stamp| catalog.swarm(&stamp.swarm).ok()) else { return Ok(()) };
        let (Some(pool), Some(name), Some(port)) = (&swarm.body.pool, &swarm.body.balancer, proc.port) else { return Ok(()) };
        let opened = self.open_balancer(catalog, name).await?;
        let node = format!("{}:{port}", self.address(host).await);
        let mut nodes = crate::balancers::up(&opened.balancer.nodes(pool).await?);
        if nodes.remove(&node) {
            let mut fence = self.pool_fence(&opened, name, pool, 0);
            fence.epoch = held.epoch().max(opened.balancer.raise(&fence).await?);
            opened.balancer.set(pool, &nodes, &fence).await?;
        }
        Ok(())
    }

    /// The highest epoch that a host of a pool's balancer has seen.
    pub(super) async fn pool_epoch(&self, opened: &super::balancing::Opened, name: &str, pool: &str) -> Result<u64> {
        let key = format!("pool/{name}/{pool}");
        opened
            .balancer
            .raise(&crate::balancers::Fence { installation: self.store.installation().to_string(), key, epoch: 0, root: opened.root() })
            .await
    }

    /// Runs a swarm's uptests on its procs that run, now.
    pub async fn uptest(&self, swarm: &str) -> Result<Vec<UptestReport>> {
        let catalog = self.catalog().await?;
        let entry = catalog.swarm(swarm)?.clone();
        let world = self.observe(&catalog, Some(&entry.body)).await?;
        let mut reports = Vec::new();
        for proc in
            world.procs().filter(|proc| proc.owner == Owner::Ours && proc.stamp.as_ref().is_some_and(|stamp| stamp.swarm == entry.id))
        {
            let host = catalog.host(&proc.host)?;
            let link = self.links.link(&host).await?;
            let release = self.store.release(&proc.release).await?;
            let spec = uptest::UptestSpec {
                host: self.address(&host).await,
                port: proc.port.unwrap_or(0),
                dir: format!("{}/procs/{}", host.root, proc.name),
                proc_name: entry.body.proc_name.clone(),
                count: release.map_or(1, |release| release.uptests.len()),
            };
            for result in uptest::run(link.as_ref(), &spec, entry.body.uptest_timeout.0).await? {
                reports.push(UptestReport {
                    host: host.name.clone(),
                    proc: proc.name.clone(),
                    test: result.name,
                    passed: result.passed,
                    seconds: result.seconds,
                    output: result.output,
                });
            }
        }
        let failed = reports.iter().filter(|report| !report.passed).count();
        let event = Event {
            at_ms: self.now_ms(),
            kind: "uptest".into(),
            who: self.who.clone(),
            what: format!("uptests of {}: {} passed, {failed} failed", entry.name, reports.len() - failed),
            place: entry.name.clone(),
            result: if failed == 0 { "success".into() } else { "failed".into() },
            ..Event::default()
        };
        self.store.note(&[event], None).await?;
        let kept = |report: &UptestReport| UptestReport { output: self.secrets.mask_text(end_of(&report.output)), ..report.clone() };
        let run = super::lists::UptestRun {
            id: self.new_id(),
            swarm_id: entry.id.clone(),
            swarm: entry.name.clone(),
            who: self.who.clone(),
            at_ms: self.now_ms(),
            reports: reports.iter().map(kept).collect(),
        };
        self.keep_uptests(run).await?;
        self.refresh_soon();
        Ok(reports)
    }

    /// What a host is missing, a sentence each; empty when nothing.
    pub async fn host_check(&self, name: &str) -> Result<Vec<String>> {
        let host = self.any_host(name).await?;
        let link = self.links.link(&host).await?;
        Ok(provision::check(link.as_ref(), &host).await?.iter().map(ToString::to_string).collect())
    }

    /// Puts on a host what it is missing; says each thing that was done.
    pub async fn host_provision(&self, name: &str, why: &str) -> Result<Vec<String>> {
        let host = self.any_host(name).await?;
        self.refuse_held(&host).await?;
        let link = self.links.link(&host).await?;
        // Whoever it belongs to, looking is free; changing it is not.
        if let Some(other) = procs::holder(link.as_ref(), &host.root).await?.filter(|holder| holder != self.store.installation()) {
            return Err(Fault::refused(format!("the host belongs to installation '{other}', this is '{}'", self.store.installation()))
                .on(&host.name)
                .at("provision")
                .next(format!("swarmdeck hosts claim {}, if that installation no longer works with it", host.name)));
        }
        let done = provision::provision(link.as_ref(), &host).await?;
        self.told("provision", &host.name, &format!("{} things done", done.len()), why).await?;
        self.observe_soon();
        Ok(done)
    }

    /// The installation that a host belongs to; none: nobody's yet. Asked before it is claimed.
    pub async fn host_holder(&self, name: &str) -> Result<Option<String>> {
        let host = self.any_host(name).await?;
        let link = self.links.link(&host).await?;
        procs::holder(link.as_ref(), &host.root).await
    }

    /// Makes a host belong to this installation, if it still belongs to `holder`; answers with the one that had it.
    pub async fn host_claim(&self, name: &str, holder: Option<&str>, why: &str) -> Result<Option<String>> {
        let host = self.any_host(name).await?;
        let link = self.links.link(&host).await?;
        let before = procs::claim(link.as_ref(), &host.root, self.store.installation(), holder).await?;
        self.told("claim", &host.name, &format!("was of {}", before.as_deref().unwrap_or("nobody")), why).await?;
        self.observe_soon();
        Ok(before)
    }

    /// A host of a squad, or of a balancer.
    pub(super) async fn any_host(&self, name: &str) -> Result<Host> {
        let catalog = self.catalog().await?;
        let squads = catalog.hosts()?;
        for balancer in &catalog.balancers {
            let hosts = crate::model::document::balancer_hosts(&balancer.body, &squads)?;
            if let Some(host) = hosts.into_iter().find(|host| host.name == name) {
                return Ok(host);
            }
        }
        catalog.host(name)
    }
}
