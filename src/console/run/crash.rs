//! For tests of what a panic leaves behind, in debug builds only: with `SWARMDECK_TEST_PANIC=update|view|task` that panics once the help is open.

#![expect(clippy::panic, reason = "the panic is what is tested, and a release build has none")]

use crate::console::state::{Layer, State};

fn asked(place: &str, state: &State) -> bool {
    cfg!(debug_assertions)
        && matches!(state.layers.last(), Some(Layer::Help { .. }))
        && std::env::var_os("SWARMDECK_TEST_PANIC").is_some_and(|wanted| wanted == place)
}

/// Panics where it is called.
pub fn point(place: &str, state: &State) {
    if asked(place, state) {
        std::panic::panic_any("SWARMDECK_TEST_PANIC");
    }
}

/// Panics in a task of its own.
pub fn in_task(state: &State) {
    if asked("task", state) {
        tokio::spawn(async { std::panic::panic_any("SWARMDECK_TEST_PANIC") });
    }
}
