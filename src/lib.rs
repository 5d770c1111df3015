//! swarmdeck: a terminal operations console that is a platform-as-a-service.
//!
//! The floors, from the ground up. A room may use the floors below it, never above; rooms on one
//! floor do not know each other unless `ARCHITECTURE.md` says so. `tests/it/boundaries.rs` holds it.

// The tests' own deck is the benches' too, which see the crate from outside.
#[cfg(test)]
extern crate self as swarmdeck;

pub mod model;

pub mod plan;
pub mod store;

pub mod hosts;

pub mod balancers;
pub mod build;
pub mod fleet;
pub mod uptest;

pub mod dispatch;
pub mod upkeep;

pub mod deck;

pub mod cli;
pub mod console;

/// Hands over to a face: the console without a command (or for the demo), else the command line. Answers with the exit code.
pub async fn run(cli: cli::args::Cli, outside: deck::Outside) -> u8 {
    let (prompt, questions) = console::prompt();
    let again = outside.clone();
    let opened = match &cli.command {
        None => match deck::find_home(cli.home.as_deref()) {
            Ok(home) => deck::Deck::open(home, deck::Outside { prompt, ..outside }).await,
            Err(fault) => Err(fault),
        },
        Some(cli::args::Command::Demo(demo)) if !demo.headless && !demo.down => cli::demo_up(cli.home.as_deref(), outside).await,
        Some(cli::args::Command::Keys { markdown }) => {
            let text = if *markdown { console::reference::keys_markdown() } else { console::reference::keys() };
            return cli::tell(text.clone(), text.into(), cli.output);
        }
        Some(cli::args::Command::Themes { svg }) => {
            if *svg {
                return match console::reference::svg() {
                    Ok(picture) => cli::tell(picture.clone(), picture.into(), cli.output),
                    Err(fault) => cli::say(&fault),
                };
            }
            let names = console::theme::names(theme_dir().as_deref());
            return cli::tell(names.join("\n") + "\n", names.into(), cli.output);
        }
        Some(_) => return cli::run(cli, outside).await,
    };
    let (code, demo) = match opened {
        Ok(deck) => on_screen(deck, cli.theme.clone(), questions).await,
        Err(fault) => (cli::say(&fault), false),
    };
    if !demo {
        return code;
    }
    // Asked for on the welcome screen; the demo has a home of its own.
    match cli::demo_up(None, again).await {
        Ok(deck) => on_screen(deck, cli.theme, console::prompt().1).await.0,
        Err(fault) => cli::say(&fault),
    }
}

/// Where this user keeps themes of his own.
fn theme_dir() -> Option<std::path::PathBuf> {
    directories::ProjectDirs::from("", "", "swarmdeck").map(|dirs| dirs.config_dir().join("themes"))
}

/// The console on a deck; dispatches under way when it is left are finished without a screen (DESIGN part 4, hang-up).
/// Answers with the exit code, and whether the operator wants the demo.
async fn on_screen(deck: deck::Deck, theme: Option<String>, questions: console::Questions) -> (u8, bool) {
    if let Err(fault) = deck.keep_looking().await {
        return (cli::say(&fault), false);
    }
    let own = directories::ProjectDirs::from("", "", "swarmdeck").map(|dirs| dirs.config_dir().to_path_buf());
    let options = console::Options {
        theme: theme.or_else(|| deck.home.config.theme.clone()).unwrap_or_default(),
        theme_dir: theme_dir(),
        keys_dir: own,
        band: deck.home.config.colour,
        first_screen: None,
    };
    let ended = match console::run(std::sync::Arc::new(deck.clone()), options, questions).await {
        Ok(ended) => ended,
        Err(error) => {
            let fault = model::Fault::failed(format!("the console cannot be shown: {error}")).next("run it in a terminal");
            return (cli::say(&fault), false);
        }
    };
    (finish(&deck, ended == console::Ended::Left).await, ended == console::Ended::Demo)
}

/// Waits for what is still carried; SIGTERM and ctrl-c stop it between steps, resumable.
async fn finish(deck: &deck::Deck, somebody: bool) -> u8 {
    use tokio::signal::unix::{SignalKind, signal};
    let finishing = cli::finish(deck, somebody);
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return finishing.await;
    };
    tokio::pin!(finishing);
    tokio::select! {
        code = &mut finishing => return code,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    for id in deck.carrying() {
        deck.stop(&id, deck::Stop::Leave).await;
    }
    finishing.await
}
