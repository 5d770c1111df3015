//! `adopt` of procs that run: our stamp with a swarm's id, nothing else changes and no process is touched (VR-93; DESIGN part 3).

use super::strays::StrayPlan;
use super::{Catalog, Deck, Entry};
use crate::hosts::procs::{self, Adoptee, Fence};
use crate::model::entity::Swarm;
use crate::model::world::{HostSeen, Owner, Proc, ProcState, World};
use crate::model::{Fault, Result};
use std::collections::{BTreeMap, BTreeSet};

/// A proc and the swarm (by id) that it is adopted into.
pub(super) struct Adopted {
    proc: Proc,
    swarm: Swarm,
    swarm_id: String,
}

impl Deck {
    /// What would be done: one proc, or all of a host that match a swarm.
    pub(super) async fn adoption(&self, catalog: &Catalog, world: &World, plan: StrayPlan) -> Result<(StrayPlan, Vec<Adopted>)> {
        let known = catalog.host(&plan.place)?;
        let host = world.hosts.get(&known.name).filter(|host| host.is_ok());
        let host = host.ok_or_else(|| {
            Fault::unreachable("it does not answer now").on(&known.name).next(format!("swarmdeck hosts check {}", known.name))
        })?;
        let whole = plan.name.is_empty();
        let wanted = |proc: &&Proc| if whole { proc.owner != Owner::Ours && can_be_adopted(proc).is_ok() } else { proc.name == plan.name };
        let (mut lines, mut asks, mut adopted) = (Vec::new(), Vec::new(), Vec::new());
        for proc in host.procs.iter().filter(wanted) {
            can_be_adopted(proc).map_err(|fault| fault.on(&host.name))?;
            let entry = match self.swarm_for(catalog, host, proc, &plan.swarm) {
                Ok(entry) => entry,
                Err(fault) if whole => {
                    lines.push(format!("leave {} as it is: {}", proc.name, fault.what));
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            let swarm = &entry.body;
            let matches = names(proc) == (swarm.app.as_str(), swarm.config_name.as_str(), swarm.proc_name.as_str());
            let pid = proc.pid.map(|pid| format!(", pid {pid} stays")).unwrap_or_default();
            lines.push(format!("stamp {} on {} as a proc of {} ({}{pid})", proc.name, host.name, entry.name, proc.state.word()));
            if !matches {
                let (app, config, name) = names(proc);
                asks.push(format!(
                    "{} runs {app}-{config}-{name}, not {}: it would count as that until it is retired",
                    proc.name, entry.name
                ));
            }
            if let Some(of) = proc.foreign_of.as_ref().filter(|_| proc.owner == Owner::Foreign) {
                asks.push(format!("{} is foreign, of {of}: nothing else may change it from then on", proc.name));
            }
            adopted.push(Adopted { proc: proc.clone(), swarm: swarm.clone(), swarm_id: entry.id.clone() });
        }
        if lines.is_empty() {
            let what = if whole { "no proc on it can be adopted".to_string() } else { format!("there is no proc '{}'", plan.name) };
            return Err(Fault::bad(what).on(&host.name).next("swarmdeck strays"));
        }
        if !adopted.is_empty() {
            lines.push("the next dispatch of each swarm replaces them by procs of its own release, drained first".into());
        }
        Ok((StrayPlan { lines, asks, ..plan }, adopted))
    }

    /// The swarm that is named, or the one that the proc was deployed as.
    fn swarm_for<'a>(&self, catalog: &'a Catalog, host: &HostSeen, proc: &Proc, wanted: &str) -> Result<&'a Entry<Swarm>> {
        let (app, config, name) = names(proc);
        let entry = if wanted.is_empty() {
            catalog.swarm(&format!("{app}-{config}-{name}@{}", host.squad)).map_err(|_| {
                Fault::refused(format!("no swarm is {app}-{config}-{name}@{}, as which {} was deployed", host.squad, proc.name))
                    .on(&host.name)
                    .next("apply a document with that swarm, or say another: --swarm NAME")
            })?
        } else {
            catalog.swarm(wanted)?
        };
        if entry.body.squad != host.squad {
            return Err(Fault::refused(format!("{} is of squad {}, and {} of {}", entry.name, entry.body.squad, host.name, host.squad))
                .on(&host.name)
                .next("adopt it into a swarm of its own squad, or move the host first"));
        }
        Ok(entry)
    }

    /// Carries it out, under the lease and fence of each swarm, and of the one that an orphan was stamped for.
    pub(super) async fn adopt_procs(&self, catalog: &Catalog, world: &World, adopted: &[Adopted]) -> Result<String> {
        let mut by_swarm: BTreeMap<&str, Vec<&Adopted>> = BTreeMap::new();
        for one in adopted {
            by_swarm.entry(&one.swarm_id).or_default().push(one);
        }
        for (swarm_id, procs) in by_swarm {
            let mut leases = BTreeSet::from([format!("swarm/{swarm_id}")]);
            leases.extend(procs.iter().map(|one| self.fence_key(catalog, &one.proc).map(|(_, lease)| lease)).collect::<Result<Vec<_>>>()?);
            let seen = procs.iter().filter_map(|one| world.hosts.get(&one.proc.host)?.fences.get(swarm_id).copied()).max().unwrap_or(0);
            let held = self.acquire_all(&leases, "adopt", seen).await?;
            let own = held.get(&format!("swarm/{swarm_id}")).ok_or_else(|| Fault::failed("a lease is missing"))?;
            let hosts: BTreeSet<&str> = procs.iter().map(|one| one.proc.host.as_str()).collect();
            for name in hosts {
                let host = catalog.host(name)?;
                let link = self.links.link(&host).await?;
                let fence = Fence {
                    root: host.root.clone(),
                    installation: self.store.installation().to_string(),
                    key: swarm_id.to_string(),
                    epoch: own.epoch(),
                };
                let here: Vec<Adoptee> = procs.iter().filter(|one| one.proc.host == name).map(|one| self.adoptee(one)).collect();
                own.may_act()?;
                procs::adopt(link.as_ref(), &fence, &host.supervisor, &here).await?;
            }
            for (_, held) in held {
                held.release().await?;
            }
        }
        Ok(format!("{} procs adopted", adopted.len()))
    }

    fn adoptee(&self, one: &Adopted) -> Adoptee {
        let (proc, swarm) = (&one.proc, &one.swarm);
        let stamp = proc.stamp.clone().unwrap_or_default();
        // What carries an instance in its environment keeps it, so that its processes are still known by it.
        let instance = if stamp.instance.is_empty() { self.new_id() } else { stamp.instance.clone() };
        let dispatch = if stamp.dispatch.is_empty() { "adopted".to_string() } else { stamp.dispatch };
        Adoptee {
            name: proc.name.clone(),
            seen: stamp.instance,
            pid: proc.pid,
            stamp: vec![
                ("installation", self.store.installation().to_string()),
                ("swarm", one.swarm_id.clone()),
                ("dispatch", dispatch),
                ("instance", instance),
                ("app", swarm.app.clone()),
                ("version", proc.version.clone()),
                ("config", swarm.config_name.clone()),
                ("release", proc.release.clone()),
                ("proc", swarm.proc_name.clone()),
                ("port", proc.port.unwrap_or(0).to_string()),
            ],
        }
    }
}

fn names(proc: &Proc) -> (&str, &str, &str) {
    (&proc.app, &proc.config, &proc.proc)
}

fn can_be_adopted(proc: &Proc) -> Result<()> {
    let (what, next) = match (proc.owner, &proc.foreign_of) {
        _ if proc.state == ProcState::Ghost => ("is a directory without a Supervisor program; nothing runs there", "swarmdeck retire"),
        (Owner::Ours, _) => ("is ours already", "swarmdeck get procs"),
        (Owner::Foreign, None) => {
            ("has no proc.yaml: only what swarmdeck or Velociraptor deployed can be adopted", "deploy it as an app, or: swarmdeck ignore")
        }
        _ => return Ok(()),
    };
    Err(Fault::refused(format!("{} {what}", proc.name)).next(next))
}
