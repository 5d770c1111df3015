//! Runs uptests on hosts and judges procs: the contract of velociraptor.md part 5, with a time limit each.

pub mod prove;
pub mod run;

pub use prove::{Answer, Settled, port_answers, settled};
pub use run::{OUTPUT_KEPT, UptestResult, UptestSpec, run};
