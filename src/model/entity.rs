//! The things an operator writes down: apps, buildpacks, ingredients, squads with hosts, balancers, swarms.
//!
//! Each is exactly one item of the document form (issue: "One document form"); unknown keys are refused.

use super::units::{Absent, Bytes, Span};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A YAML mapping with its order kept.
pub type Mapping = serde_json::Map<String, serde_json::Value>;
/// Environment variables in order; values are text whatever YAML would make of them.
pub type Env = IndexMap<String, String>;

/// git or hg (VR-2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RepoType {
    #[default]
    Git,
    Hg,
}

/// Where source comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repo {
    pub url: String,
    #[serde(default, rename = "type")]
    pub repo_type: RepoType,
}

/// An app: a name and a repository (VR-1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub name: String,
    pub repo: Repo,
    /// Pinned buildpack by name; none = detect (VR-3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buildpack: Option<String>,
}

/// A Heroku-style buildpack; a `#rev` fragment of the URL pins it (VR-5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Buildpack {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub name: String,
    pub url: String,
    #[serde(default, rename = "type")]
    pub repo_type: RepoType,
    /// Lower is asked first (VR-4).
    #[serde(default)]
    pub order: i64,
}

/// How an ingredient's mappings join those below it (VR-13, W31).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Merge {
    /// Top-level keys replace each other whole, as in Velociraptor.
    #[default]
    Shallow,
    /// Nested mappings merge key by key.
    Deep,
}

/// Shared config (VR-12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ingredient {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub name: String,
    #[serde(default, skip_serializing_if = "Mapping::is_empty")]
    pub config: Mapping,
    #[serde(default, skip_serializing_if = "Env::is_empty")]
    pub env: Env,
    #[serde(default, skip_serializing_if = "is_default")]
    pub merge: Merge,
}

/// What carries commands to a host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    #[default]
    Ssh,
    Local,
}

/// How the SSH user becomes root.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Become {
    #[default]
    None,
    Sudo,
}

/// A host as written: every key but the name may be left to the squad's `defaults`, to ssh, or to our default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostKeys {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A name or a pattern `web[02-09].example`; empty in a squad's `defaults`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, rename = "become", skip_serializing_if = "Option::is_none")]
    pub become_: Option<Become>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<super::units::Ports>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supervisor: Option<SupervisorAt>,
    /// Whoever changes what runs on it types its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protect: Option<bool>,
}

/// Where a host's Supervisor is; Debian's places by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SupervisorAt {
    pub socket: String,
    pub conf: String,
}

impl Default for SupervisorAt {
    fn default() -> Self {
        SupervisorAt { socket: "/var/run/supervisor.sock".into(), conf: "/etc/supervisor/supervisord.conf".into() }
    }
}

/// A squad: alike hosts (VR-6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Squad {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub name: String,
    /// What its hosts have where they say nothing themselves.
    #[serde(default, skip_serializing_if = "is_default")]
    pub defaults: HostKeys,
    #[serde(default)]
    pub hosts: Vec<HostKeys>,
    /// Whoever changes what runs on its hosts types its name.
    #[serde(default, skip_serializing_if = "is_default")]
    pub protect: bool,
}

/// A host with every rule applied: what the floors above work with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Stable id; a name may change.
    pub id: String,
    pub name: String,
    /// The squad's name; empty for a balancer host.
    pub squad: String,
    pub transport: Transport,
    /// Goes to `ssh -G` as it would to ssh.
    pub address: String,
    pub port: Option<u16>,
    pub user: Option<String>,
    pub become_: Become,
    /// `/apps` unless said otherwise.
    pub root: String,
    pub ports: super::units::Ports,
    /// An inactive host receives no new procs (VR-7).
    pub active: bool,
    pub supervisor: SupervisorAt,
    /// Whoever changes what runs on it types its name.
    #[serde(default)]
    pub protect: bool,
}

/// A host of a balancer: an ssh name, or an object as in squads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum BalancerHost {
    Name(String),
    Keys(Box<HostKeys>),
}

/// By hand, because serde's untagged enums forget where in the text the error was and which key was unknown.
impl<'de> Deserialize<'de> for BalancerHost {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrKeys;
        impl<'de> serde::de::Visitor<'de> for NameOrKeys {
            type Value = BalancerHost;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a host name, or a host's keys")
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<BalancerHost, E> {
                Ok(BalancerHost::Name(name.to_string()))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<BalancerHost, A::Error> {
                let keys = HostKeys::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(BalancerHost::Keys(Box::new(keys)))
            }
        }
        deserializer.deserialize_any(NameOrKeys)
    }
}

/// A balancer: a backend and its keys (velociraptor.md part 7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Balancer {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub name: String,
    /// `dummy` or `nginx`.
    pub backend: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<BalancerHost>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_dir: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reload_cmd: Option<String>,
    /// nginx: the command that tests a configuration; `nginx -t` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_cmd: Option<String>,
}

/// What is done when a swarm's app has no uptests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoUptests {
    #[default]
    Warn,
    Refuse,
}

/// A swarm: procs of one app, config and proc name, all alike (VR-36).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Swarm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub app: String,
    pub config_name: String,
    pub proc_name: String,
    pub squad: String,
    #[serde(default = "one")]
    pub size: u32,
    /// Tag, branch, bookmark or revision.
    pub version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balancer: Option<String>,
    /// The request that must be answered through every balancer host once the pool is routed; without it nothing is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<super::probe::Probe>,
    #[serde(default, skip_serializing_if = "Mapping::is_empty")]
    pub config: Mapping,
    #[serde(default, skip_serializing_if = "Env::is_empty")]
    pub env: Env,
    /// In the order of their precedence: later wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ingredients: Vec<String>,
    /// `[host directory, mount point]` pairs (VR-17).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<(String, String)>,
    #[serde(default = "nobody", skip_serializing_if = "is_nobody")]
    pub run_as: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mem_limit: Option<Bytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memsw_limit: Option<Bytes>,
    /// Whether its port must answer before it counts as proven; true when it has a pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listens: Option<bool>,
    #[serde(default = "settle", skip_serializing_if = "is_settle")]
    pub settle: Span,
    #[serde(default = "uptest_timeout", skip_serializing_if = "is_uptest_timeout")]
    pub uptest_timeout: Span,
    #[serde(default = "drain_timeout", skip_serializing_if = "is_drain_timeout")]
    pub drain_timeout: Span,
    #[serde(default = "stop_timeout", skip_serializing_if = "is_stop_timeout")]
    pub stop_timeout: Span,
    #[serde(default, skip_serializing_if = "is_default")]
    pub soak: Span,
    #[serde(default, skip_serializing_if = "is_default")]
    pub no_uptests: NoUptests,
    /// What a dispatch does about hosts that do not answer: `abort`, `quorum 3`, `go-on`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub absent: Absent,
    /// How long a host may be silent during a dispatch before that rule is applied.
    #[serde(default = "lost_after", skip_serializing_if = "is_lost_after")]
    pub lost_after: Span,
    /// So many new procs at a time; none: all at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// So many new procs first; the others when it is promoted by hand, or after `soak` with uptests still passing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<u32>,
    /// There is no room for old and new at once: old procs stop before the new ones of their batch start, so there is no exact undo.
    #[serde(default, skip_serializing_if = "is_default")]
    pub in_place: bool,
    /// Whoever changes what runs of it types its name.
    #[serde(default, skip_serializing_if = "is_default")]
    pub protect: bool,
}

impl Swarm {
    /// `app-config-proc`: what people call it.
    pub fn short_name(&self) -> String {
        format!("{}-{}-{}", self.app, self.config_name, self.proc_name)
    }
    /// `app-config-proc@squad`: never ambiguous (VR-37).
    pub fn full_name(&self) -> String {
        format!("{}@{}", self.short_name(), self.squad)
    }
    /// Whether the port must answer.
    pub fn must_listen(&self) -> bool {
        self.listens.unwrap_or(self.pool.is_some())
    }
}

fn one() -> u32 {
    1
}
fn nobody() -> String {
    "nobody".into()
}
fn is_nobody(user: &str) -> bool {
    user == "nobody"
}
fn settle() -> Span {
    Span(Duration::from_secs(5))
}
fn is_settle(span: &Span) -> bool {
    *span == settle()
}
fn uptest_timeout() -> Span {
    Span(Duration::from_secs(60))
}
fn is_uptest_timeout(span: &Span) -> bool {
    *span == uptest_timeout()
}
fn drain_timeout() -> Span {
    Span(Duration::from_secs(30))
}
fn is_drain_timeout(span: &Span) -> bool {
    *span == drain_timeout()
}
fn stop_timeout() -> Span {
    Span(Duration::from_secs(10))
}
fn is_stop_timeout(span: &Span) -> bool {
    *span == stop_timeout()
}
fn lost_after() -> Span {
    Span(Duration::from_secs(30))
}
fn is_lost_after(span: &Span) -> bool {
    *span == lost_after()
}
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
