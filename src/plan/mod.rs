//! What to do: (desired swarm, world) -> Plan; placement, ports, differences. Pure.

pub mod change;
mod make;
mod moved;
mod orphans;
mod place;
mod rollout;
pub mod types;
mod unseen;

pub use change::Shown;
pub use make::{Replace, Want, make};
pub use moved::moved;
pub use orphans::concerns;
pub use types::{HostLine, KeyChange, Plan, PlannedProc, PoolChange, PoolStage, ReleaseFacts, Send, Timing};
pub use unseen::{add_made_and_never_seen, that_left_procs};
