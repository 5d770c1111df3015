//! Protection: whoever changes what runs on something protected types its name, where otherwise a `y` is enough.

use super::hold::HoldOn;
use std::collections::{BTreeMap, BTreeSet};

/// Something that is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protected {
    pub on: HoldOn,
    /// A swarm's is `app-config-proc@squad`.
    pub name: String,
}

impl Protected {
    /// What is to be typed; of a swarm its name without the squad.
    pub fn asked(&self) -> &str {
        match self.on {
            HoldOn::Swarm => self.name.split('@').next().unwrap_or(&self.name),
            _ => &self.name,
        }
    }
    /// Whether this is its name.
    pub fn is_named(&self, typed: &str) -> bool {
        let typed = typed.trim();
        !typed.is_empty() && (typed == self.name || typed == self.asked())
    }
    /// `swarm shop-prod-web is protected`.
    pub fn line(&self) -> String {
        match self.on {
            HoldOn::Fleet => format!("the fleet {} is protected", self.name),
            on => format!("{} {} is protected", on.word(), self.asked()),
        }
    }
    /// The wider it is the more is at stake.
    fn reach(&self) -> u8 {
        match self.on {
            HoldOn::Swarm => 0,
            HoldOn::Host => 1,
            HoldOn::Squad => 2,
            HoldOn::Fleet => 3,
        }
    }
}

/// What an act changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Ids.
    pub swarms: BTreeSet<String>,
    /// Names.
    pub hosts: BTreeSet<String>,
    /// Names.
    pub balancers: BTreeSet<String>,
}

impl Touched {
    /// A host, or `POOL@BALANCER`, as places are written.
    pub fn place(&mut self, place: &str) {
        match place.split_once('@') {
            Some((_, balancer)) => self.balancers.insert(balancer.to_string()),
            None => self.hosts.insert(place.to_string()),
        };
    }
    /// And what another act changes.
    pub fn and(&mut self, other: Touched) {
        self.swarms.extend(other.swarms);
        self.hosts.extend(other.hosts);
        self.balancers.extend(other.balancers);
    }
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.swarms.is_empty() && self.hosts.is_empty() && self.balancers.is_empty()
    }
}

/// What is protected in a fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Protection {
    fleet: Option<Protected>,
    /// The widest that protects each swarm (by id), host and balancer (by name); its squad or itself.
    swarms: BTreeMap<String, Protected>,
    hosts: BTreeMap<String, Protected>,
    balancers: BTreeMap<String, Protected>,
}

impl Protection {
    /// All of the fleet.
    pub fn fleet(&mut self, name: &str) {
        self.fleet = Some(Protected { on: HoldOn::Fleet, name: name.to_string() });
    }
    /// A swarm, by itself or by its squad.
    pub fn swarm(&mut self, id: &str, by: Protected) {
        put(&mut self.swarms, id, by);
    }
    /// A host, by itself or by its squad.
    pub fn host(&mut self, name: &str, by: Protected) {
        put(&mut self.hosts, name, by);
    }
    /// A balancer, by a host of it.
    pub fn balancer(&mut self, name: &str, by: Protected) {
        put(&mut self.balancers, name, by);
    }
    /// What protects a host.
    pub fn of_host(&self, name: &str) -> Option<&Protected> {
        self.hosts.get(name)
    }

    /// The most protected of what is touched: its name is asked for. The fleet, else a squad, else a host, else a swarm.
    pub fn over(&self, touched: &Touched) -> Option<&Protected> {
        if touched.is_empty() {
            return None;
        }
        let swarms = touched.swarms.iter().filter_map(|id| self.swarms.get(id));
        let hosts = touched.hosts.iter().filter_map(|name| self.hosts.get(name));
        let balancers = touched.balancers.iter().filter_map(|name| self.balancers.get(name));
        let all = self.fleet.iter().chain(swarms).chain(hosts).chain(balancers);
        // The first of those that reach as far.
        all.min_by_key(|by| std::cmp::Reverse(by.reach()))
    }
}

fn put(all: &mut BTreeMap<String, Protected>, key: &str, by: Protected) {
    if all.get(key).is_none_or(|known| known.reach() < by.reach()) {
        all.insert(key.to_string(), by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(on: HoldOn, name: &str) -> Protected {
        Protected { on, name: name.into() }
    }
    fn touched(swarms: &[&str], places: &[&str]) -> Touched {
        let mut touched = Touched { swarms: swarms.iter().map(|id| id.to_string()).collect(), ..Touched::default() };
        places.iter().for_each(|place| touched.place(place));
        touched
    }

    #[test]
    fn the_widest_name_is_asked_for() {
        let mut protection = Protection::default();
        protection.swarm("s1", by(HoldOn::Swarm, "shop-prod-web@web"));
        protection.swarm("s2", by(HoldOn::Squad, "prod"));
        protection.swarm("s2", by(HoldOn::Swarm, "mail-prod-web@prod"));
        protection.host("web01", by(HoldOn::Host, "web01"));
        protection.balancer("edge", by(HoldOn::Host, "lb01"));
        let name = |protection: &Protection, swarms: &[&str], places: &[&str]| {
            protection.over(&touched(swarms, places)).map(|by| by.asked().to_string()).unwrap_or_default()
        };
        assert_eq!(name(&protection, &["s0"], &["web02", "shop@other"]), "");
        assert_eq!(name(&protection, &["s1"], &[]), "shop-prod-web");
        assert_eq!(name(&protection, &["s1"], &["web01", "web02"]), "web01");
        assert_eq!(name(&protection, &["s0"], &["shop@edge"]), "lb01");
        assert_eq!(name(&protection, &["s1", "s2"], &["web01"]), "prod", "the squad, though the swarm is too");
        protection.fleet("PROD-EU");
        assert_eq!(name(&protection, &["s0"], &[]), "PROD-EU");
        assert_eq!(name(&protection, &[], &[]), "", "what changes nothing is asked of nobody");
    }

    #[test]
    fn only_its_name_is_its_name() {
        let swarm = by(HoldOn::Swarm, "shop-prod-web@web");
        for (typed, is) in [("shop-prod-web", true), (" shop-prod-web@web ", true), ("shop-prod", false), ("y", false), ("", false)] {
            assert_eq!(swarm.is_named(typed), is, "{typed}");
        }
        assert!(!by(HoldOn::Squad, "a@b").is_named("a"));
        assert_eq!(swarm.line(), "swarm shop-prod-web is protected");
    }
}
