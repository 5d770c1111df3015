//! What is out of place on hosts, balancers and in the store, each with the evidence for it (DESIGN part 3, "stray"). Plain data.

use serde::{Deserialize, Serialize};

/// What kind of stray it is; in the order of how much it needs somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StrayKind {
    /// A proc that we deployed and that no swarm owns any more.
    Orphan,
    /// A node in a pool of ours with no proc of ours behind it.
    Node,
    /// A proc directory without a Supervisor program.
    Ghost,
    /// A port that is leased to a dispatch that has ended or that nobody knows.
    Port,
    /// A proc of somebody else.
    Foreign,
}

impl StrayKind {
    pub const ALL: [StrayKind; 5] = [StrayKind::Orphan, StrayKind::Node, StrayKind::Ghost, StrayKind::Port, StrayKind::Foreign];
    pub fn word(self) -> &'static str {
        match self {
            StrayKind::Orphan => "orphan",
            StrayKind::Node => "node",
            StrayKind::Ghost => "ghost",
            StrayKind::Port => "port",
            StrayKind::Foreign => "foreign",
        }
    }
}

/// Something out of place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    pub kind: StrayKind,
    /// A host's name, or `pool@balancer`.
    pub place: String,
    /// A proc's name, a node `host:port`, or `port-5003`.
    pub name: String,
    pub port: Option<u16>,
    /// Whose it is, as far as is known: `shop-prod-web`, `installation i2`, `velociraptor`, `dispatch 412`, `nobody known`.
    pub whose: String,
    /// Why we say so, a sentence each.
    pub evidence: Vec<String>,
    /// Since when by our clock, ms; 0 is not known.
    pub since_ms: i64,
    /// Ids of the verbs that can be done to it.
    pub can: Vec<String>,
    /// An operator said that it is known and no trouble.
    pub ignored: bool,
}

impl Stray {
    /// What it is remembered by: `place/name`.
    pub fn id(&self) -> String {
        id(&self.place, &self.name)
    }
    /// Whether a verb can be done to it.
    pub fn can(&self, verb: &str) -> bool {
        self.can.iter().any(|known| known == verb)
    }
}

/// What a stray is remembered by.
pub fn id(place: &str, name: &str) -> String {
    format!("{place}/{name}")
}
