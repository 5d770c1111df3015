//! Everything that changes a host's procs, and what is read back: batched POSIX scripts under a fence (DESIGN part 5).

pub mod act;
pub mod adopt;
pub mod distribute;
pub mod fence;
pub mod files;
pub mod left;
pub mod logs;
pub mod observe;
pub mod probe;
pub mod reading;
pub mod remove;
pub mod script;
pub mod start;

#[cfg(test)]
pub(crate) mod rig;
#[cfg(test)]
mod tests;

pub use act::{Action, act};
pub use adopt::{Adoptee, adopt};
pub use distribute::{has, send};
pub use fence::{Fence, claim, holder, raise};
pub use files::{ProcSpec, refuse_unkeepable};
pub use left::{Evidence, forget, left};
pub use observe::{HostReport, ProcDir, observe};
pub use probe::{ProcProbe, probe};
pub use remove::{Guard, Target, remove};
pub use start::start;
