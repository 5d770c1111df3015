//! What things are: entities, names, validation, config merge, hashes, documents. No IO, no async.

pub mod colour;
pub mod cut;
pub mod document;
pub mod entity;
pub mod fault;
pub mod hold;
pub mod life;
pub mod merge;
pub mod name;
pub mod probe;
pub mod procfile;
pub mod protect;
pub mod quote;
pub mod record;
pub mod reference;
pub mod release;
pub mod secret;
pub mod shown;
pub mod stamped;
pub mod stray;
pub mod times;
pub mod units;
pub mod waiting;
pub mod wave;
pub mod world;
pub mod writing;
pub mod yaml_text;

pub use fault::{Fault, FaultKind, Result};
