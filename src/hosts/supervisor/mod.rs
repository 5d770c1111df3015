//! Supervisor on a host, asked over its own socket. It is only read here; every change is in the fenced scripts.

pub mod rpc;
pub mod xmlrpc;

pub use rpc::{Daemon, Process, multicall, processes, state};
