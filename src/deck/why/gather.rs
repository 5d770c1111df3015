//! Gathers what the rules judge: asks hosts and balancers, reads the store.

use super::facts::{Facts, HostFacts, PoolFacts, ProcFacts, Said, UptestFacts};
use super::refused::Refused;
use super::{EVIDENCE, REFUSED, UPTEST, Why};
use crate::balancers::{HostNodes, NodeState, nginx};
use crate::deck::look::SwarmState;
use crate::deck::{Catalog, Deck, balancing};
use crate::hosts::probe;
use crate::hosts::procs::{Evidence, ProcProbe};
use crate::model::entity::Host;
use crate::model::record::{Dispatch, Outcome};
use crate::model::world::{HostSeen, HostState, Owner, Proc, ProcState};
use crate::model::{Fault, Result};
use crate::uptest::UptestResult;
use std::collections::{BTreeMap, BTreeSet};

/// How many lines of a log are searched for a cause.
const LINES: usize = 60;
/// How many pieces of evidence of one dispatch are read.
const MOST: usize = 12;

impl Deck {
    pub(super) async fn of_swarm(&self, catalog: &Catalog, id: &str) -> Result<(Why, Facts)> {
        let entry = catalog.swarm(id)?.clone();
        let mut facts = Facts { now_ms: self.now_ms(), ..Facts::default() };
        let world = self.observe(catalog, Some(&entry.body)).await?;
        let mut dispatches = self.store.dispatches(Some(&entry.id), 10).await?;
        let look = self.swarm_look(catalog, &entry, &world, &dispatches).await?;
        let hosts = catalog.squad_hosts(&entry.body.squad)?;
        for host in &hosts {
            let Some(seen) = world.hosts.get(&host.name) else { continue };
            let of_it = |proc: &&Proc| proc.owner == Owner::Ours && proc.stamp.as_ref().is_some_and(|stamp| stamp.swarm == entry.id);
            let procs: Vec<&Proc> = seen.procs.iter().filter(of_it).collect();
            let before = facts.procs.len();
            if seen.is_ok() {
                facts.procs.extend(self.proc_facts(catalog, host, &procs).await);
            }
            let troubled = facts.procs.iter().skip(before).any(ProcFacts::troubled);
            if !seen.is_ok() || troubled {
                facts.hosts.push(self.host_facts(host, seen).await);
            }
        }
        let refused: Option<Refused> = self.store.kept(REFUSED, &entry.id).await.ok().flatten();
        let last = dispatches.first().map_or(0, |dispatch| dispatch.started_ms);
        // Where procs are in trouble, a plan that was refused is not why.
        let refused = refused.filter(|refused| refused.at_ms > last && !facts.procs.iter().any(ProcFacts::troubled));
        if let Some(refused) = &refused {
            facts.said.push(refused.said());
        }
        if let Some(newest) = dispatches.first_mut().filter(|newest| newest.outcome != Some(Outcome::Done)) {
            newest.steps = self.store.steps(&newest.id).await?;
            let dispatch = newest.clone();
            self.add_dispatch(&dispatch, &mut facts).await?;
            if let Some(host) = dispatch.fault.as_ref().and_then(|fault| fault.host.clone())
                && !facts.hosts.iter().any(|known| known.name == host)
                && let (Some(host), Some(seen)) = (hosts.iter().find(|known| known.name == host), world.hosts.get(&host))
                && dispatch.outcome.is_none()
            {
                facts.hosts.push(self.host_facts(host, seen).await);
            }
        }
        let well = look.state == SwarmState::Ok && facts.said.is_empty() && facts.dispatch.is_none();
        if let (Some(balancer), Some(pool)) = (&entry.body.balancer, &entry.body.pool) {
            let trouble = world.pool(balancer, pool).is_some_and(|seen| !seen.trouble.is_empty());
            if trouble || (!well && look.state != SwarmState::New) {
                self.add_balancer(catalog, balancer, Some(pool), &mut facts).await?;
            }
        }
        let verdict = match look.state {
            SwarmState::Ok => format!("It is well: {} of {} procs run {}.", look.ready, look.size, look.running),
            SwarmState::Off => "Its size is 0: nothing is meant to run.".into(),
            SwarmState::New => "It has never run.".into(),
            SwarmState::Moving => "A dispatch of it is under way.".into(),
            SwarmState::Failing => format!("It fails: {} of {} procs run {}.", look.ready, look.size, look.running),
            SwarmState::Lost => "Procs of it are on hosts that cannot be reached: what they do now is not known.".into(),
            SwarmState::Short => format!("{} of {} procs run {}, and no dispatch is under way.", look.ready, look.size, look.running),
        };
        let held = look.held.iter().map(|hold| format!(" It is HELD by {}.", hold.line()));
        let not_live = Some(&look.not_live).filter(|not_live| !not_live.is_empty()).map(|not_live| format!(" Not live yet: {not_live}."));
        let verdict = verdict + &held.chain(not_live).collect::<String>();
        let next = match look.state {
            SwarmState::New | SwarmState::Short => format!("swarmdeck dispatch {}", look.short),
            SwarmState::Ok if refused.is_none() && !look.held.is_empty() => {
                look.held.first().map_or_else(String::new, |hold| format!("swarmdeck lift {}", hold.name))
            }
            SwarmState::Ok if refused.is_none() && !look.not_live.is_empty() => format!("swarmdeck dispatch {}", look.short),
            _ => String::new(),
        };
        let changed = self.changed(catalog, &entry.id, None).await?;
        Ok((Why { kind: "swarm".into(), name: entry.name.clone(), verdict, changed, next, ..Why::default() }, facts))
    }

    pub(super) async fn of_dispatch(&self, id: &str) -> Result<(Why, Facts)> {
        let catalog = self.catalog().await?;
        let dispatch = self.dispatch_named(id).await?;
        let mut facts = Facts { now_ms: self.now_ms(), ..Facts::default() };
        self.add_dispatch(&dispatch, &mut facts).await?;
        let outcome = dispatch.outcome.map_or("under way", Outcome::word);
        let verdict = format!(
            "{} {} of {} to {} by {}: {outcome}.",
            dispatch.verb, dispatch.number, dispatch.swarm, dispatch.to_version, dispatch.who
        );
        let changed = self.changed(&catalog, &dispatch.swarm_id, Some(&dispatch)).await?;
        let next = match dispatch.outcome {
            Some(Outcome::Done) => format!("swarmdeck rollback {}", dispatch.swarm),
            _ => String::new(),
        };
        Ok((Why { kind: "dispatch".into(), name: dispatch.number.to_string(), verdict, changed, next, ..Why::default() }, facts))
    }

    pub(super) async fn of_host(&self, catalog: &Catalog, name: &str) -> Result<(Why, Facts)> {
        let host = self.any_host(name).await?;
        let seen = self.observe_host(catalog, &host).await?;
        let mut facts = Facts { now_ms: self.now_ms(), ..Facts::default() };
        facts.hosts.push(self.host_facts(&host, &seen).await);
        let verdict = match &seen.state {
            HostState::Ok if host.active => "It answers.".to_string(),
            HostState::Ok => "It answers; it is out of service and takes no new procs.".to_string(),
            HostState::Degraded(why) => format!("It is reached, but: {why}"),
            HostState::Unreachable(why) => format!("It cannot be reached: {why}"),
            HostState::Unseen => "It was never asked.".to_string(),
        };
        Ok((Why { kind: "host".into(), name: name.into(), verdict, ..Why::default() }, facts))
    }

    pub(super) async fn of_balancer(&self, catalog: &Catalog, name: &str) -> Result<(Why, Facts)> {
        let mut facts = Facts { now_ms: self.now_ms(), ..Facts::default() };
        self.add_balancer(catalog, name, None, &mut facts).await?;
        let pools: BTreeSet<&str> = facts.pools.iter().map(|pool| pool.pool.as_str()).collect();
        let verdict =
            format!("Its pools: {}.", if pools.is_empty() { "none".into() } else { pools.into_iter().collect::<Vec<_>>().join(", ") });
        Ok((Why { kind: "balancer".into(), name: name.into(), verdict, ..Why::default() }, facts))
    }

    pub(super) async fn of_pool(&self, catalog: &Catalog, balancer: &str, pool: &str) -> Result<(Why, Facts)> {
        let mut facts = Facts { now_ms: self.now_ms(), ..Facts::default() };
        self.add_balancer(catalog, balancer, Some(pool), &mut facts).await?;
        let (kind, name) = ("pool".to_string(), format!("{pool}@{balancer}"));
        let of = catalog
            .swarms
            .iter()
            .find(|swarm| swarm.body.balancer.as_deref() == Some(balancer) && swarm.body.pool.as_deref() == Some(pool));
        let of = of.map_or_else(|| "It is no swarm's any more.".into(), |swarm| format!("It is {}'s.", swarm.name));
        let known = super::of_look(&self.look(), &crate::deck::look::Target::Pool(balancer.into(), pool.into()));
        // What was seen of it speaks where asking it anew brings nothing against it.
        let verdict = known.filter(|known| known.cause.is_none()).map_or(of, |known| known.verdict);
        Ok((Why { kind, name, verdict, ..Why::default() }, facts))
    }

    pub(super) async fn of_proc(&self, catalog: &Catalog, host: &str, name: &str) -> Result<(Why, Facts)> {
        let mut facts = Facts { now_ms: self.now_ms(), ..Facts::default() };
        let mut why = Why { kind: "proc".into(), name: format!("{host}:{name}"), ..Why::default() };
        let mut swarm = String::new();
        if let Ok(host) = catalog.host(host) {
            let seen = self.observe_host(catalog, &host).await?;
            if let Some(proc) = seen.procs.iter().find(|proc| proc.name == name) {
                swarm = proc.stamp.as_ref().map(|stamp| stamp.swarm.clone()).unwrap_or_default();
                why.verdict = match proc.state {
                    ProcState::Unknown => {
                        format!("It is not seen; {} was last seen {} s ago.", host.name, (self.now_ms() - seen.seen_ms) / 1000)
                    }
                    state => format!("It is {}.", state.word()),
                };
                if seen.is_ok() {
                    facts.procs.extend(self.proc_facts(catalog, &host, &[proc]).await);
                }
                if !seen.is_ok() || facts.procs.iter().any(ProcFacts::troubled) {
                    facts.hosts.push(self.host_facts(&host, &seen).await);
                }
            }
        }
        if why.verdict.is_empty() {
            // It is gone: what it left behind speaks for it.
            let names = self.store.kept_names(EVIDENCE, "").await?;
            let of_it = |key: &str| key.splitn(3, '/').nth(2).and_then(|rest| rest.split('@').next()) == Some(name);
            let newest = names.iter().filter(|(key, _)| of_it(key) && key.split('/').nth(1) == Some(host)).max_by_key(|(_, at_ms)| *at_ms);
            if let Some((key, at_ms)) = newest
                && let Some(evidence) = self.store.kept::<Evidence>(EVIDENCE, key).await.ok().flatten()
            {
                why.verdict = format!("It was removed {} s ago; this is what it left behind.", (self.now_ms() - at_ms) / 1000);
                swarm.clone_from(&evidence.swarm);
                facts.procs.push(of_evidence(&evidence));
            }
        }
        why.lives = self.lives(&swarm, host, name).await?;
        why.changed = self.changed(catalog, &swarm, None).await?;
        Ok((why, facts))
    }

    /// A host, probed where it answers.
    async fn host_facts(&self, host: &Host, seen: &HostSeen) -> HostFacts {
        let reached = !matches!(seen.state, HostState::Unreachable(_) | HostState::Unseen);
        let our_clock = self.now_ms() / 1000;
        let probe = match (reached, self.links.link(host).await) {
            (true, Ok(link)) => probe::probe(link.as_ref(), host).await.ok(),
            _ => None,
        };
        HostFacts {
            name: host.name.clone(),
            root: host.root.clone(),
            socket: host.supervisor.socket.clone(),
            state: seen.state.clone(),
            installation: seen.installation.clone(),
            ours: self.store.installation().to_string(),
            probe,
            our_clock,
        }
    }

    /// Procs of one host, with what the host says of them; where it does not say anything, with what was seen.
    async fn proc_facts(&self, catalog: &Catalog, host: &Host, procs: &[&Proc]) -> Vec<ProcFacts> {
        let mut probes: BTreeMap<String, ProcProbe> = BTreeMap::new();
        if !procs.is_empty() {
            let asked = self.lives_of(host, procs).await.unwrap_or_default();
            probes.extend(asked.into_iter().map(|probe| (probe.name.clone(), probe)));
        }
        let mut all = Vec::new();
        for proc in procs {
            let probe = probes.remove(&proc.name);
            let swarm = proc.stamp.as_ref().and_then(|stamp| catalog.swarm(&stamp.swarm).ok());
            let mut facts = ProcFacts {
                host: host.name.clone(),
                name: proc.name.clone(),
                port: proc.port,
                state: proc.state,
                gone: false,
                uptime: proc.uptime(),
                spawn_error: proc.spawn_error.clone(),
                lives: probe.as_ref().map(|probe| probe.lives.clone()).unwrap_or_default(),
                lines: Vec::new(),
                probe,
                must_listen: swarm.is_some_and(|entry| entry.body.must_listen()),
                stopped_by: String::new(),
            };
            let log = facts.probe.as_ref().map(|probe| probe.log.clone()).unwrap_or_default();
            let last = facts.last_death().map(|life| life.lines.clone()).filter(|lines| !lines.is_empty());
            facts.lines = last.unwrap_or(log);
            facts.lines.drain(..facts.lines.len().saturating_sub(LINES));
            if proc.state == ProcState::Stopped {
                facts.stopped_by = self.stopper(host, proc).await;
            }
            all.push(facts);
        }
        all
    }

    /// Who stopped a proc last, and when.
    async fn stopper(&self, host: &Host, proc: &Proc) -> String {
        let object = format!("{}:{}", host.name, proc.name);
        let lines = self.store.audit("", "stop", &object, 20).await.unwrap_or_default();
        let last = lines.iter().max_by_key(|line| line.seq);
        let why = |text: &str| if text.is_empty() { String::new() } else { format!(" ({text})") };
        last.map(|line| format!("{}, {} s ago{}", line.who, (self.now_ms() - line.at_ms) / 1000, why(&line.why))).unwrap_or_default()
    }

    /// A dispatch: what its steps said, what its procs left behind, which uptests failed.
    async fn add_dispatch(&self, dispatch: &Dispatch, facts: &mut Facts) -> Result<()> {
        let by = format!("dispatch {}", dispatch.number);
        if let Some(fault) = &dispatch.fault {
            facts.said.push(said(&by, fault));
        }
        let prefix = format!("{}/", dispatch.id);
        for (key, _) in self.store.kept_names(EVIDENCE, &prefix).await?.into_iter().take(MOST) {
            if let Some(evidence) = self.store.kept::<Evidence>(EVIDENCE, &key).await.ok().flatten() {
                // One that came to nothing else than being taken back has nothing to say when another was the cause.
                facts.procs.push(of_evidence(&evidence));
            }
        }
        for (key, _) in self.store.kept_names(UPTEST, &format!("{prefix}failed/")).await?.into_iter().take(MOST) {
            let parts: Vec<&str> = key.split('/').collect();
            if let Some(result) = self.store.kept::<UptestResult>(UPTEST, &key).await.ok().flatten() {
                let place = parts.get(2..4).unwrap_or_default().join(" ");
                facts.uptests.push(UptestFacts { place, result });
            }
        }
        facts.dispatch = Some(dispatch.clone());
        Ok(())
    }

    /// A balancer with its hosts and pools, or one pool.
    async fn add_balancer(&self, catalog: &Catalog, name: &str, only: Option<&str>, facts: &mut Facts) -> Result<()> {
        let entry = catalog.balancer(name)?;
        let of_it = catalog.swarms.iter().filter(|swarm| swarm.body.balancer.as_deref() == Some(name));
        let pools: BTreeSet<String> =
            of_it.filter_map(|swarm| swarm.body.pool.clone()).filter(|pool| only.is_none_or(|only| only == pool)).collect();
        let opened = self.open_balancer(catalog, name).await?;
        let mut away = BTreeSet::new();
        for host in &opened.hosts {
            let seen = self.observe_host(catalog, host).await?;
            if matches!(seen.state, HostState::Unreachable(_)) {
                away.insert(host.name.clone());
                facts.hosts.push(self.host_facts(host, &seen).await);
                continue;
            }
            if entry.body.backend == "nginx" {
                let link = self.links.link(host).await?;
                let names: Vec<String> = pools.iter().cloned().collect();
                facts.examined.extend(nginx::examine::examine(&entry.body, &host.name, link.as_ref(), &names).await.ok());
            }
        }
        for pool in &pools {
            let empty = PoolFacts { balancer: name.into(), pool: pool.clone(), ..PoolFacts::default() };
            match opened.balancer.nodes(pool).await {
                Ok(hosts) => self.add_pool(name, pool, &hosts, &*opened.balancer, &empty, facts).await,
                Err(_) if !away.is_empty() => {}
                Err(fault) => {
                    let host = fault.host.clone().unwrap_or_default();
                    facts.pools.push(PoolFacts { unread: fault.line(), host, ..empty });
                }
            }
        }
        Ok(())
    }

    async fn add_pool(
        &self,
        name: &str,
        pool: &str,
        hosts: &[HostNodes],
        balancer: &dyn crate::balancers::Balancer,
        empty: &PoolFacts,
        facts: &mut Facts,
    ) {
        let up = |host: &HostNodes| -> BTreeSet<String> {
            host.nodes.iter().filter(|(_, state)| **state == NodeState::Up).map(|(node, _)| node.clone()).collect()
        };
        let all: BTreeSet<String> = hosts.iter().flat_map(up).collect();
        let reach = balancer.reaches(&all).await.err().map(|fault| fault.line()).unwrap_or_default();
        let first = hosts.first().map(up);
        for host in hosts {
            let mut known = PoolFacts { host: host.host.clone(), ..empty.clone() };
            known.edited = host.edited_by_hand.as_ref().map(|edit| format!("{}\n{}", edit.what, edit.difference));
            known.not_ours = balancing::not_ours(name, pool, self.store.installation(), std::slice::from_ref(host)).unwrap_or_default();
            known.out_of_reach.clone_from(&reach);
            if first.as_ref().is_some_and(|first| *first != up(host)) {
                known.differs = format!("it holds [{}]", up(host).into_iter().collect::<Vec<_>>().join(" "));
            }
            facts.pools.push(known);
        }
    }
}

/// A fault of our own as a fact.
pub(super) fn said(by: &str, fault: &Fault) -> Said {
    let by = fault.step.as_ref().map_or_else(|| by.to_string(), |step| format!("{by}, {step}"));
    Said { by, host: fault.host.clone().unwrap_or_default(), text: fault.what.clone(), next: fault.next.clone().unwrap_or_default() }
}

/// A removed proc by what it left behind.
fn of_evidence(evidence: &Evidence) -> ProcFacts {
    let life = evidence.life();
    ProcFacts {
        host: evidence.host.clone(),
        name: evidence.name.clone(),
        port: Some(evidence.port).filter(|port| *port > 0),
        state: ProcState::from_word(evidence.state()),
        gone: true,
        uptime: 0,
        spawn_error: evidence.spawn_error.clone(),
        lines: if life.lines.is_empty() { evidence.lines(LINES) } else { life.lines.clone() },
        lives: vec![life],
        probe: None,
        must_listen: false,
        stopped_by: String::new(),
    }
}
