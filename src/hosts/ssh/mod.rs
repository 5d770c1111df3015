//! SSH to hosts, in this process: the user's own ssh_config, agent, keys and known_hosts; one connection per host.

pub mod auth;
pub mod config;
pub mod connection;
pub mod known_hosts;
pub mod link;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod tests;

pub use connection::Dialer;
pub use link::{Spec, SshLink};
