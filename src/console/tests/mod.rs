//! The console as a whole: frames of every screen, keys in and effects out.

mod bulk;
mod fake;
pub mod fixture;
pub mod frames;
mod guard;
mod logs;
mod own;
mod random;
mod seeing;
mod speed;
mod terminal;
mod verbs;
mod ways;
