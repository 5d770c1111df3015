//! The words of all balancers: nodes and their state, what a host reports, snapshots, fences, and what may be written.

pub use crate::model::world::{EditedByHand, NodeState};
use crate::model::{Fault, Result, name};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// Who may change a pool now: the lease's epoch, compared on the balancer host under its lock (DESIGN part 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// Id of the store that holds the lease.
    pub installation: String,
    /// What the epoch belongs to, as `pool/<balancer>/<pool>`; has a `/`, so that its file is none of the directory's own.
    pub key: String,
    /// Of the lease; a script with a lower one than the host has seen changes nothing.
    pub epoch: u64,
    /// The balancer host's root directory, `/apps` by default; the fence is in `<root>/fence/`.
    pub root: String,
}

impl Fence {
    /// The key as one file name: bytes outside `[A-Za-z0-9_-]` as `%XX`, so that two keys never share a file.
    pub fn file_name(&self) -> String {
        let mut name = String::new();
        for byte in self.key.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(byte)),
                other => name.push_str(&format!("%{other:02X}")),
            }
        }
        name
    }
}

/// Whose a pool is on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// There is no such pool, or a placeholder that routes to nobody.
    Nobody,
    /// Marked by this installation's id.
    Installation(String),
    /// Without a mark, exactly as Velociraptor writes it.
    Velociraptor,
    /// Anything else.
    Stranger,
}

/// A pool as one balancer host has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostNodes {
    pub host: String,
    /// By `host:port`.
    pub nodes: BTreeMap<String, NodeState>,
    /// Established connections from this host to a node; a node that is missing here cannot be counted.
    pub connections: BTreeMap<String, u32>,
    /// Whose it is; only one that carries our installation's id may be changed without `adopt`.
    pub owner: Owner,
    /// What somebody changed in it since it was last written; none when nobody did.
    pub edited_by_hand: Option<EditedByHand>,
    /// The pool's file, byte for byte; none when it is absent.
    pub text: Option<Vec<u8>>,
    /// What we last wrote there; equals the text unless somebody edited it. None when we never did, or it is not remembered.
    pub written: Option<Vec<u8>>,
}

impl HostNodes {
    /// The nodes that get nothing new.
    pub fn out(&self) -> BTreeSet<String> {
        self.nodes.iter().filter(|(_, state)| **state != NodeState::Up).map(|(node, _)| node.clone()).collect()
    }
}

/// A pool as it was on each balancer host, to go back to. Goes into the journal (bytes as base64).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Snapshot(pub BTreeMap<String, Was>);

/// What a host had.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Was {
    /// The pool's file; none: there was none.
    #[serde(with = "coded", default)]
    pub text: Option<Vec<u8>>,
    /// What we had last written there.
    #[serde(with = "coded", default)]
    pub written: Option<Vec<u8>>,
}

impl Snapshot {
    /// What [`super::Balancer::nodes`] has just reported.
    pub fn of(hosts: &[HostNodes]) -> Snapshot {
        let was = |host: &HostNodes| Was { text: host.text.clone(), written: host.written.clone() };
        Snapshot(hosts.iter().map(|host| (host.host.clone(), was(host))).collect())
    }

    /// What was last written on each host where somebody edited it since: going back to it repairs those, and only those.
    pub fn written(hosts: &[HostNodes]) -> Snapshot {
        let edited = hosts.iter().filter(|host| host.edited_by_hand.is_some() && host.written.is_some());
        let was = |host: &HostNodes| Was { text: host.written.clone(), written: host.written.clone() };
        Snapshot(edited.map(|host| (host.host.clone(), was(host))).collect())
    }
}

mod coded {
    use super::{Deserialize, Deserializer, Engine, STANDARD, Serialize, Serializer};

    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        bytes.as_ref().map(|bytes| STANDARD.encode(bytes)).serialize(serializer)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| STANDARD.decode(text).map_err(serde::de::Error::custom)).transpose()
    }
}

/// How a drain ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    /// Per balancer host, how many of the balancer's processes still serve by the state before; empty: all are gone.
    pub left: BTreeMap<String, u32>,
}

impl Drained {
    /// Whether nothing can reach the removed nodes any more; otherwise the limit ended the wait.
    pub fn gone(&self) -> bool {
        self.left.is_empty()
    }
}

/// What a balancer is, for a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    pub name: String,
    pub backend: &'static str,
    pub hosts: Vec<String>,
    /// Where its pools are, in words.
    pub place: String,
    /// Whether requests go through it.
    pub moves_traffic: bool,
}

/// How often a probe asks through each balancer host, one request after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// Until one answer is good, at most so often: while old nodes are in the pool, which may be what a dispatch mends.
    Any(u32),
    /// So often, and every answer must be good.
    Each(u32),
}

/// Refuses a pool name or a node that could be anything else in a balancer's configuration.
pub(super) fn check(pool: &str, desired: &BTreeSet<String>) -> Result<()> {
    check_pool(pool)?;
    desired.iter().try_for_each(|node| check_node(node))
}

/// A pool's name is also a file name and a word in a balancer's configuration.
pub(super) fn check_pool(pool: &str) -> Result<()> {
    name::label("pool", pool)
}

/// `host:port`; the host a name or an IPv4 address, or an IPv6 address in brackets.
pub(super) fn check_node(node: &str) -> Result<()> {
    let wrong = || Fault::bad(format!("node `{node}` is not host:port")).next("look at the address of its host");
    let (host, port) = node.rsplit_once(':').ok_or_else(wrong)?;
    let host_ok = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && !host.starts_with(['-', '.']) && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)),
    };
    let port_ok = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    if host_ok && port_ok { Ok(()) } else { Err(wrong()) }
}

/// Whether every host has exactly the desired nodes, all up; the fault tells per host what is missing and what is too much.
pub(super) fn same(pool: &str, hosts: &[HostNodes], desired: &BTreeSet<String>) -> Result<()> {
    let differs = |host: &HostNodes| {
        let up = |node: &str| host.nodes.get(node) == Some(&NodeState::Up);
        let missing: Vec<&str> = desired.iter().map(String::as_str).filter(|node| !up(node)).collect();
        let extra: Vec<&str> = host.nodes.keys().map(String::as_str).filter(|node| !desired.contains(*node)).collect();
        let mut parts = Vec::new();
        if !missing.is_empty() {
            parts.push(format!("without {}", missing.join(" ")));
        }
        if !extra.is_empty() {
            parts.push(format!("with {} too", extra.join(" ")));
        }
        (!parts.is_empty()).then(|| format!("{}: pool {pool} is {}", host.host, parts.join(" and ")))
    };
    let differences: Vec<String> = hosts.iter().filter_map(differs).collect();
    if differences.is_empty() {
        Ok(())
    } else {
        Err(Fault::failed(differences.join("; ")).next("dispatch again, or look who else writes the pool"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_cannot_carry_configuration() {
        for good in ["web01:5000", "10.0.0.1:1", "web-1.example:65535", "[::1]:80"] {
            check_node(good).unwrap();
        }
        for bad in ["web01", ":80", "web01:0", "web01:65536", "a b:1", "a:1;", "a{:1", "-a:1", "unix:/x", "web01:+80", "[x]:1", "a:1\n"] {
            assert!(check_node(bad).is_err(), "{bad}");
        }
        for bad in ["", "a/b", "../x", ".x", "a b", "a;b", "a{"] {
            assert!(check_pool(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_snapshot_survives_the_journal_byte_for_byte() {
        let edited = Was { text: Some(vec![0, 255, 10, 13]), written: Some(b"ours".to_vec()) };
        let before = Snapshot(BTreeMap::from([("lb01".into(), edited), ("lb02".into(), Was::default())]));
        let text = serde_json::to_string(&before).unwrap();
        assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), before);
    }

    #[test]
    fn two_fence_keys_never_share_a_file() {
        let file = |key: &str| Fence { installation: "i".into(), key: key.into(), epoch: 1, root: "/apps".into() }.file_name();
        assert_eq!(file("pool/edge/shop"), "pool%2Fedge%2Fshop");
        assert_ne!(file("pool/a_b"), file("pool_a/b"));
        assert_eq!(file(".."), "%2E%2E");
    }
}
