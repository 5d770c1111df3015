//! How a machine is reached: ssh, local; scripts under a fence; Supervisor's XML-RPC; provisioning.

mod kept;
pub mod link;
pub mod local;
pub mod pool;
pub mod probe;
pub mod procs;
pub mod prompt;
pub mod provision;
pub mod script;
pub mod ssh;
pub mod supervisor;
pub mod terminal;

pub use link::{Chunk, Link, Output, Stream};
pub use local::Local;
pub use pool::Pool;
pub use prompt::{NoPrompt, Prompt, Question, Secret};
