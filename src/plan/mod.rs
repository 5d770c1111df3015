//! What to do: (desired swarm, world) -> Plan; placement, ports, differences. Pure.

pub mod change;
mod make;
mod moved;
mod orphans;
mod place;
pub mod types;

pub use change::Shown;
pub use make::{Want, make};
pub use moved::moved;
pub use orphans::concerns;
pub use types::{HostLine, KeyChange, Plan, PlannedProc, PoolChange, ReleaseFacts, Send, Timing};
