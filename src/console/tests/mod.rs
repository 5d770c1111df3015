//! The console as a whole: frames of every screen, keys in and effects out.

mod bulk;
mod fake;
pub mod fixture;
mod forms;
pub mod frames;
mod guard;
mod logs;
mod own;
mod random;
mod readme;
mod seeing;
mod speed;
mod terminal;
mod verbs;
mod ways;
