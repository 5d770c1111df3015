//! Arguments, hooks, the clock, ids and randomness; hands over to a face.

use clap::Parser;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use swarmdeck::cli::{TerminalPrompt, args::Cli};
use swarmdeck::deck::Outside;

fn main() -> ExitCode {
    if let Err(error) = color_eyre::install() {
        eprintln!("swarmdeck: {error}");
    }
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("swarmdeck: no runtime: {error}");
            return ExitCode::from(1);
        }
    };
    let code = runtime.block_on(swarmdeck::run(cli, outside()));
    runtime.shutdown_timeout(Duration::from_secs(1));
    ExitCode::from(code)
}

fn outside() -> Outside {
    Outside {
        now_ms: || {
            i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_millis())
                .unwrap_or(i64::MAX)
        },
        new_id: || uuid::Uuid::now_v7().to_string(),
        since_boot,
        prompt: Arc::new(TerminalPrompt),
        local_env: Default::default(),
    }
}

/// Suspended time counts: a lease that ran out while the machine slept has run out.
fn since_boot() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}
