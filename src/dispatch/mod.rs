//! Carries plans out: machine (pure), driver (the loop), hands (IO).

pub mod driver;
pub mod hands;
pub mod machine;
mod prove;
pub mod rules;
#[cfg(test)]
mod simulation;
#[cfg(debug_assertions)]
pub mod stop_at;
