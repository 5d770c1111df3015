//! Face 2: state, msg, update, view; panes, editor, keys, theme, term.

mod asking;
pub mod editor;
pub mod effect;
pub mod keys;
pub mod msg;
mod over_deck;
pub mod port;
pub mod reference;
pub mod rows;
pub mod run;
pub mod state;
pub mod term;
#[cfg(test)]
mod tests;
pub mod theme;
pub mod update;
pub mod view;

pub use asking::{Questions, prompt};
pub use port::Port;
pub use run::{Ended, Options, run};
