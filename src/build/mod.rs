//! How source becomes an artifact: checkout, buildpacks, sandbox, artifact store.

pub mod artifact;
pub mod builder;
pub mod buildpack;
pub mod cache;
pub mod identity;
pub mod job;
pub mod lock;
pub mod log;
pub mod process;
pub mod sandbox;
pub mod slugignore;
pub mod source;
pub mod tree;
pub mod uptests;

#[cfg(test)]
mod tests;

pub use artifact::Artifacts;
pub use builder::{Built, build, identify};
pub use identity::Identity;
pub use job::{BuildpackRef, Job, Workspace};
pub use log::{LineKind, LogLine, LogSink, Stage};
