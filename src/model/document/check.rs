//! What the types do not say about an item: names, paths, refs and what belongs together (velociraptor.md parts 1 and 2).

use super::{Kind, Place, Written, Wrong};
use crate::model::entity::{App, Balancer, BalancerHost, Buildpack, Env, HostKeys, Ingredient, Squad, Swarm};
use crate::model::yaml_text::env_name;
use crate::model::{Fault, Result, name, reference};
use std::collections::BTreeMap;

/// The rules of one kind.
pub trait Check {
    fn wrong(&self) -> Vec<Wrong>;
}

/// A broken rule at a path.
pub fn wrong(path: &[&str], fault: Fault) -> Wrong {
    Wrong { path: path.iter().map(|part| part.to_string()).collect(), fault }
}

/// Collects what is wrong.
#[derive(Default)]
struct Rules(Vec<Wrong>);

impl Rules {
    fn rule(&mut self, path: &[&str], outcome: Result<()>) {
        if let Err(fault) = outcome {
            self.0.push(wrong(path, fault));
        }
    }
    fn refuse(&mut self, when: bool, path: &[&str], what: impl AsRef<str>, next: &str) {
        if when {
            self.0.push(wrong(path, Fault::bad(what).next(next)));
        }
    }
    fn env(&mut self, env: &Env) {
        for (key, value) in env {
            self.rule(&["env", key], env_name(key).map_err(|what| Fault::bad(what).next("use letters, digits and _")));
            self.refuse(value.contains('\0'), &["env", key], format!("the value of {key} holds a NUL byte"), "take it out");
        }
    }
    fn path(&mut self, at: &[&str], path: &str) {
        let odd = !path.starts_with('/') || path.split('/').any(|part| part == "..") || path.chars().any(char::is_control);
        self.refuse(odd, at, format!("'{path}' is not an absolute path"), "start it with /, without ..");
    }
    fn host(&mut self, at: &[&str], host: &HostKeys) {
        let at = |key: &'static str| -> Vec<&str> { at.iter().copied().chain([key]).collect() };
        if let Some(address) = &host.address {
            let odd = address.is_empty() || address.starts_with('-') || address.chars().any(|c| c.is_control() || c.is_whitespace());
            self.refuse(
                odd,
                &at("address"),
                format!("'{address}' is not an address"),
                "write a name or address as you would give it to ssh",
            );
        }
        if let Some(user) = &host.user {
            self.rule(&at("user"), name::user(user));
        }
        if let Some(root) = &host.root {
            self.path(&at("root"), root);
            self.refuse(root.trim_end_matches('/').is_empty(), &at("root"), "the root of procs cannot be / itself", "write /apps");
        }
        if let Some(supervisor) = &host.supervisor {
            self.path(&at("supervisor"), &supervisor.socket);
            self.path(&at("supervisor"), &supervisor.conf);
        }
        self.refuse(host.port == Some(0), &at("port"), "port 0 is none", "write 22, or leave it to ssh");
    }
    /// A host that has a name: one, or a pattern for several.
    fn named_host(&mut self, at: &[&str], host: &HostKeys) {
        let key = |key: &'static str| -> Vec<&str> { at.iter().copied().chain([key]).collect() };
        self.rule(&key("name"), name::expand_hosts(&host.name).map(drop));
        let several = host.name.contains('[');
        self.refuse(several && host.id.is_some(), &key("id"), "one id cannot be that of several hosts", "take the id away");
        self.refuse(
            several && host.address.is_some(),
            &key("address"),
            "one address cannot be that of several hosts",
            "leave it to the names",
        );
        self.host(at, host);
    }
}

impl Check for Buildpack {
    fn wrong(&self) -> Vec<Wrong> {
        let mut rules = Rules::default();
        rules.rule(&["name"], name::label("buildpack", &self.name));
        let (url, pin) = reference::split_pin(&self.url);
        rules.rule(&["url"], reference::check_url(url));
        if let Some(pin) = pin {
            rules.rule(&["url"], reference::check(pin));
        }
        rules.0
    }
}

impl Check for App {
    fn wrong(&self) -> Vec<Wrong> {
        let mut rules = Rules::default();
        rules.rule(&["name"], name::word("app", &self.name));
        rules.rule(&["repo", "url"], reference::check_url(&self.repo.url));
        if let Some(buildpack) = &self.buildpack {
            rules.rule(&["buildpack"], name::label("buildpack", buildpack));
        }
        rules.0
    }
}

impl Check for Ingredient {
    fn wrong(&self) -> Vec<Wrong> {
        let mut rules = Rules::default();
        rules.rule(&["name"], name::label("ingredient", &self.name));
        rules.env(&self.env);
        rules.0
    }
}

impl Check for Squad {
    fn wrong(&self) -> Vec<Wrong> {
        let mut rules = Rules::default();
        rules.rule(&["name"], name::label("squad", &self.name));
        let own = !self.defaults.name.is_empty() || self.defaults.id.is_some() || self.defaults.address.is_some();
        rules.refuse(own, &["defaults"], "defaults cannot hold name, id or address: they are each host's own", "take them out");
        rules.host(&["defaults"], &self.defaults);
        for (number, host) in self.hosts.iter().enumerate() {
            rules.named_host(&["hosts", &number.to_string()], host);
        }
        rules.0
    }
}

impl Check for Balancer {
    fn wrong(&self) -> Vec<Wrong> {
        let mut rules = Rules::default();
        rules.rule(&["name"], name::label("balancer", &self.name));
        rules.rule(&["backend"], name::label("backend", &self.backend));
        for (number, host) in self.hosts.iter().enumerate() {
            let number = number.to_string();
            match host {
                BalancerHost::Name(host) => rules.rule(&["hosts", &number], name::expand_hosts(host).map(drop)),
                BalancerHost::Keys(keys) => rules.named_host(&["hosts", &number], keys),
            }
        }
        if let Some(dir) = &self.include_dir {
            rules.path(&["include_dir"], dir);
        }
        rules.0
    }
}

impl Check for Swarm {
    fn wrong(&self) -> Vec<Wrong> {
        let mut rules = Rules::default();
        rules.rule(&["app"], name::word("app", &self.app));
        rules.rule(&["config_name"], name::word("config", &self.config_name));
        rules.rule(&["proc_name"], name::word("proc", &self.proc_name));
        rules.rule(&["squad"], name::label("squad", &self.squad));
        rules.refuse(self.size > 10_000, &["size"], format!("a size of {} is more than 10,000", self.size), "write the number of procs");
        rules.rule(&["version"], reference::check(&self.version));
        if let Some(pool) = &self.pool {
            rules.rule(&["pool"], name::label("pool", pool));
            rules.refuse(self.balancer.is_none(), &["pool"], format!("the pool '{pool}' needs a balancer"), "add `balancer:` (VR-38)");
        }
        if let Some(balancer) = &self.balancer {
            rules.rule(&["balancer"], name::label("balancer", balancer));
        }
        if let Some(probe) = &self.probe {
            rules.rule(&["probe", "url"], probe.request().map(drop));
            rules.refuse(self.pool.is_none(), &["probe"], "a probe needs a pool to go through", "add `pool:`, or take the probe out");
        }
        for (number, ingredient) in self.ingredients.iter().enumerate() {
            let at = number.to_string();
            rules.rule(&["ingredients", &at], name::label("ingredient", ingredient));
            let twice = self.ingredients.iter().take(number).any(|other| other == ingredient);
            rules.refuse(
                twice,
                &["ingredients", &at],
                format!("the ingredient '{ingredient}' is listed twice"),
                "keep the one that counts",
            );
        }
        for (number, (from, to)) in self.volumes.iter().enumerate() {
            let at = number.to_string();
            rules.path(&["volumes", &at], from);
            rules.path(&["volumes", &at], to);
            let twice = self.volumes.iter().take(number).any(|(_, other)| other == to);
            rules.refuse(twice, &["volumes", &at], format!("two volumes are mounted at {to}"), "keep one of them");
        }
        rules.rule(&["run_as"], name::user(&self.run_as));
        let limit = self.mem_limit.map_or(0, |limit| limit.0);
        rules.refuse(
            self.mem_limit.is_some_and(|limit| limit.0 == 0),
            &["mem_limit"],
            "a memory limit of 0 lets nothing run",
            "write 256M",
        );
        let below = self.memsw_limit.is_some_and(|both| both.0 < limit);
        rules.refuse(below, &["memsw_limit"], "memsw_limit (memory and swap) is below mem_limit", "make it at least mem_limit");
        rules.env(&self.env);
        rules.0
    }
}

/// No host stands in two squads, or twice in one: what is placed on it would be counted twice.
pub fn host_names(squads: &[Written<Squad>], place: &Place) -> Result<()> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (number, squad) in squads.iter().enumerate() {
        for (host, keys) in squad.body.hosts.iter().enumerate() {
            for name in name::expand_hosts(&keys.name)? {
                if let Some(other) = seen.insert(name.clone(), &squad.body.name) {
                    let fault = Fault::bad(format!("the host {name} is already in squad {other}")).next("keep it in one place");
                    return Err(wrong(&["hosts", &host.to_string(), "name"], fault).at(place.item(Kind::Squad, number), place.source));
                }
            }
        }
    }
    Ok(())
}
