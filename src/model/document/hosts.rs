//! Hosts as the floors above work with them: patterns expanded, squad defaults and our own defaults applied.

use crate::model::entity::{Balancer, BalancerHost, Host, HostKeys, Squad};
use crate::model::{Result, name, release};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The hosts of a squad, in its order. `known` holds the ids of hosts that were seen before, by name; a host without a given or
/// known id gets one that is derived from the squad (its id where it has one) and the host's name, the same every time.
pub fn resolve_hosts(squad: &Squad, known: &BTreeMap<String, String>) -> Result<Vec<Host>> {
    let origin = squad.id.as_deref().unwrap_or(&squad.name);
    let mut hosts = Vec::new();
    for keys in &squad.hosts {
        for name in name::expand_hosts(&keys.name)? {
            let id = keys.id.clone().or_else(|| known.get(&name).cloned());
            hosts.push(host(keys, &squad.defaults, &squad.name, origin, &name, id));
        }
    }
    Ok(hosts)
}

/// The hosts of a balancer, in its order: a plain name is the squad host of that name where there is one, else a host that ssh
/// knows by that name. `squad_hosts` are all resolved hosts of all squads.
pub fn balancer_hosts(balancer: &Balancer, squad_hosts: &[Host]) -> Result<Vec<Host>> {
    let origin = format!("balancer/{}", balancer.id.as_deref().unwrap_or(&balancer.name));
    let none = HostKeys::default();
    let mut hosts = Vec::new();
    for entry in &balancer.hosts {
        let (keys, pattern) = match entry {
            BalancerHost::Name(name) => (None, name),
            BalancerHost::Keys(keys) => (Some(keys), &keys.name),
        };
        for name in name::expand_hosts(pattern)? {
            let same = squad_hosts.iter().find(|host| keys.is_none() && host.name == name);
            let id = keys.and_then(|keys| keys.id.clone());
            hosts.push(match same {
                Some(host) => host.clone(),
                None => host(keys.map_or(&none, |keys| keys), &none, "", &origin, &name, id),
            });
        }
    }
    Ok(hosts)
}

fn host(keys: &HostKeys, defaults: &HostKeys, squad: &str, origin: &str, name: &str, id: Option<String>) -> Host {
    let derived = || release::hex(&Sha256::digest(format!("host/{origin}/{name}"))).chars().take(32).collect();
    Host {
        id: id.unwrap_or_else(derived),
        name: name.to_string(),
        squad: squad.to_string(),
        transport: keys.transport.or(defaults.transport).unwrap_or_default(),
        address: keys.address.clone().unwrap_or_else(|| name.to_string()),
        port: keys.port.or(defaults.port),
        user: keys.user.clone().or_else(|| defaults.user.clone()),
        become_: keys.become_.or(defaults.become_).unwrap_or_default(),
        root: keys.root.clone().or_else(|| defaults.root.clone()).unwrap_or_else(|| "/apps".into()),
        ports: keys.ports.or(defaults.ports).unwrap_or_default(),
        active: keys.active.or(defaults.active).unwrap_or(true),
        supervisor: keys.supervisor.clone().or_else(|| defaults.supervisor.clone()).unwrap_or_default(),
        protect: keys.protect.or(defaults.protect).unwrap_or_default(),
    }
}
