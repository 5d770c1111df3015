//! Face 1: the verbs as subcommands; tables, YAML, JSON. stdout holds the result, progress goes to stderr.

pub mod args;
mod balancers;
mod dispatch;
mod edit;
mod history;
mod hold;
mod logs;
mod moving;
mod print;
mod prompt;
mod running;
mod signals;
mod strays;
mod verbs;
mod watch;
mod wave;
mod why;

pub use prompt::TerminalPrompt;
pub use verbs::demo_up;

use crate::deck::wave::WaveRequest;
use crate::deck::{Deck, Outside};
use crate::model::protect::{Protected, Touched};
use crate::model::shown::shown;
use crate::model::{Fault, Result};
use args::{Cli, Command, Format, HostCommand, Named, ProcArgs, Yes};
use print::Report;
use std::io::IsTerminal;

/// Runs one verb; answers with the exit code (DESIGN part 7).
pub async fn run(cli: Cli, outside: Outside) -> u8 {
    let format = cli.output;
    let code = match verb(cli, outside, format).await {
        Ok(report) => report.print(format),
        Err(fault) => print::fault(&fault, format),
    };
    print::flush();
    code
}

async fn verb(cli: Cli, outside: Outside, format: Format) -> Result<Report> {
    let Some(command) = cli.command else { return Err(Fault::bad("no command").next("swarmdeck --help")) };
    match command {
        Command::Completions { shell } => return Ok(verbs::completions(shell)),
        Command::Demo(demo) => return verbs::demo(&demo, cli.home.as_deref(), outside, format).await,
        Command::Init { shared, dir } => return verbs::init(cli.home.as_deref(), dir.as_deref(), shared.as_deref()),
        _ => {}
    }
    let home = crate::deck::find_home(cli.home.as_deref())?;
    let deck = Deck::open(home, outside).await?;
    let report = match may(&deck, &command, cli.write.as_deref()).await {
        Ok(()) => on_deck(&deck, command, format).await,
        Err(fault) => Err(fault),
    };
    deck.close().await;
    report
}

/// Refuses what would change a fleet that is read-only, unless that is lifted with a reason (`--write`), which is written down.
async fn may(deck: &Deck, command: &Command, write: Option<&str>) -> Result<()> {
    if !command.changes() {
        return Ok(());
    }
    if let Some(why) = write {
        deck.lift_read_only(0, why).await?;
    }
    deck.may_change()
}

async fn on_deck(deck: &Deck, command: Command, format: Format) -> Result<Report> {
    match command {
        Command::Get { kind, name } => verbs::get(deck, &kind, name.as_deref()).await,
        Command::Describe { kind, name } => Ok(Report::value(deck.describe(&kind, &name).await?)),
        Command::Apply { file, dry_run, why } => verbs::apply(deck, &file, dry_run, &why).await,
        Command::Export { kind, name } => verbs::export(deck, kind.as_deref(), name.as_deref()).await,
        Command::Delete { kind, name, why } => verbs::delete(deck, &kind, &name, &why).await,
        Command::Edit(args) => edit::edit(deck, &args).await,
        Command::Plan(args) => dispatch::plan(deck, &args).await,
        Command::Dispatch(args) => dispatch::dispatch(deck, &args, format).await,
        Command::Wave { ingredient, at_once, go } => {
            let request = WaveRequest { ingredient: Some(ingredient), why: go.yes.why.clone(), ..WaveRequest::default() };
            wave::dispatch(deck, &request, at_once, &go, format).await
        }
        Command::Rollback { swarm, wave: Some(number), to: None, go } if swarm == "wave" => {
            wave::rollback(deck, &number, &go, format).await
        }
        Command::Resume { dispatch, wave: Some(number), go, .. } if dispatch.as_deref() == Some("wave") => {
            wave::resume(deck, &number, &go, format).await
        }
        Command::Rollback { wave: Some(extra), .. } | Command::Resume { wave: Some(extra), .. } => {
            Err(Fault::bad(format!("what is '{extra}' here?")).next("write `wave NUMBER`, or leave it out"))
        }
        Command::Rollback { swarm, to, go, .. } => dispatch::rollback(deck, &swarm, to, &go, format).await,
        Command::Size { swarm, size, go } => dispatch::size(deck, &swarm, size, &go, format).await,
        Command::Resume { dispatch: Some(name), unattended: true, .. } => dispatch::unattended(deck, &name).await,
        Command::Resume { dispatch, go, .. } => dispatch::resume(deck, dispatch.as_deref(), &go.yes.named).await,
        Command::Hold(args) => hold::hold(deck, &args).await,
        Command::Lift { hold, why } => hold::lift(deck, &hold, &why).await,
        Command::Holds => verbs::get(deck, "holds", None).await,
        Command::Cancel { dispatch, named } => dispatch::cancel(deck, &dispatch, &named).await,
        Command::Note { kind, name, text } => history::note(deck, &kind, &name, &text.join(" ")).await,
        Command::Undo => history::undo(deck).await,
        Command::Upkeep { follow } => why::upkeep(deck, follow, format).await,
        Command::Why { name } => why::why(deck, name.as_deref()).await,
        Command::Build { app, version, again } => verbs::build(deck, &app, &version, again).await,
        Command::Start(args) => verbs::proc(deck, "start", &args).await,
        Command::Stop(args) => verbs::proc(deck, "stop", &args).await,
        Command::Restart { on, proc: Some(proc), go } => verbs::proc(deck, "restart", &ProcArgs { host: on, proc, yes: go.yes }).await,
        Command::Restart { on, proc: None, go } => moving::restart(deck, &on, &go, format).await,
        Command::Promote { dispatch, named } => moving::promote(deck, &dispatch, &named).await,
        Command::GoOn { dispatch, host, named } => moving::go_on(deck, &dispatch, &host, &named).await,
        Command::Wait { dispatch, more } => moving::wait(deck, &dispatch, more).await,
        Command::Hosts { command: Some(HostCommand::Evacuate { name, go }) } => moving::evacuate(deck, &name, &go, format).await,
        Command::Hosts { command: Some(HostCommand::RePlace { name, go }) } => moving::re_place(deck, &name, &go, format).await,
        Command::Destroy(args) => verbs::proc(deck, "destroy", &args).await,
        Command::Uptest { swarm } => verbs::uptest(deck, &swarm).await,
        Command::Shell { target } => running::shell(deck, &target).await,
        Command::Run(args) => running::run(deck, &args, format).await,
        Command::Logs(args) => logs::logs(deck, &args, format).await,
        Command::Events { after, follow, dispatch, kind, wanted } => {
            let file = wanted.export.clone();
            let wanted = history::wanted(deck, &wanted, kind)?;
            match file {
                Some(_) if follow => Err(Fault::bad("a file ends where the events end now").next("leave --follow out, or use watch")),
                Some(file) => history::export_events(deck, &wanted, &file).await,
                None => verbs::events(deck, after, follow, dispatch.as_deref(), &wanted, format).await,
            }
        }
        Command::Audit { verb, wanted } => history::audit(deck, &history::wanted(deck, &wanted, verb)?, wanted.export.as_deref()).await,
        Command::History { kind, name, version } => history::history(deck, &kind, &name, version).await,
        Command::Revert { kind, name, version, yes } => history::revert(deck, &kind, &name, version, &yes).await,
        Command::Watch { after } => watch::watch(deck, after, format).await,
        Command::Report { dispatch } => watch::report(deck, &dispatch).await,
        Command::Hosts { command } => verbs::hosts(deck, command).await,
        Command::Adopt { what } => strays::adopt(deck, what, format).await,
        Command::Strays { all } => strays::list(deck, all).await,
        Command::Retire { place, name, anyway, yes } => strays::retire(deck, &place, &name, anyway, &yes, format).await,
        Command::Ignore { place, name, take_back, why } => strays::ignore(deck, &place, &name, take_back, &why, format).await,
        Command::Balancers { command } => balancers::run(deck, command).await,
        Command::Completions { .. } | Command::Keys { .. } | Command::Themes { .. } | Command::Init { .. } | Command::Demo(_) => {
            Err(Fault::bad("this verb needs no home"))
        }
    }
}

/// What another face says of itself, for people as text and for programs as one value; answers with the exit code.
pub fn tell(text: String, value: serde_json::Value, format: Format) -> u8 {
    Report::text(text, value).print(format)
}

/// A fault for people; answers with its exit code.
pub fn say(fault: &Fault) -> u8 {
    let code = print::fault(fault, Format::Table);
    print::flush();
    code
}

/// Waits for what this process still carries when its screen is gone; says so where somebody may read it.
pub async fn finish(deck: &Deck, somebody: bool) -> u8 {
    let mut exit = 0;
    for line in deck.farewells().iter().filter(|_| somebody) {
        print::err(&format!("{line}\n"));
    }
    // A wave may begin another one meanwhile.
    while let Some(id) = deck.carrying().into_iter().next() {
        if let (true, Ok(dispatch)) = (somebody, deck.dispatch_named(&id).await) {
            let word = if dispatch.undoing { "is being undone" } else { "goes on" };
            print::err(&format!("dispatch {} of {} {word}; this ends with it\n", dispatch.number, dispatch.swarm));
        }
        let ended = deck.wait_for(&id).await;
        if let Some(dispatch) = ended {
            print::err(&format!("dispatch {} {}\n", dispatch.number, dispatch.outcome.map_or("under way", |outcome| outcome.word())));
            exit = exit.max(dispatch::exit_of(&dispatch));
        }
    }
    for id in deck.kept_cancels() {
        if let (true, Ok(dispatch)) = (somebody, deck.dispatch_named(&id).await) {
            print::err(&format!(
                "its cancel was never written down: swarmdeck cancel {}, once the store can be written\n",
                dispatch.number
            ));
        }
        exit = exit.max(5);
    }
    deck.close().await;
    print::flush();
    exit
}

/// Asks yes or no on the terminal; without one there is no yes (exit 3). Of what is protected the name is asked for, and `--yes` is no answer.
fn confirmed(question: &str, yes: &Yes, protected: Option<&Protected>) -> Result<()> {
    if let Some(by) = protected {
        return named(question, by, &yes.named);
    }
    if yes.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Fault::refused(format!("{question} Nobody can be asked: there is no terminal")).next("say --yes"));
    }
    if matches!(answer(&format!("{question} [y/N] "))?.trim(), "y" | "yes") {
        Ok(())
    } else {
        Err(Fault::refused("not confirmed; nothing was changed"))
    }
}

/// Asks for the name of what is protected, unless `--confirm` said it.
fn named(question: &str, by: &Protected, said: &Named) -> Result<()> {
    let line = shown(&by.line());
    let next = format!("--confirm {}", crate::model::quote::quote(by.asked()));
    match &said.confirm {
        Some(name) if by.is_named(name) => Ok(()),
        Some(name) => Err(Fault::refused(format!("{question} {line}, and '{name}' is not its name; nothing was changed")).next(next)),
        None if !std::io::stdin().is_terminal() => Err(Fault::refused(format!("{question} {line}: --yes is not enough")).next(next)),
        None if by.is_named(&answer(&format!("{question}\n{line}. Type its name to go on: "))?) => Ok(()),
        None => Err(Fault::refused("that is not its name; nothing was changed").next(next)),
    }
}

/// What is typed on the terminal.
fn answer(question: &str) -> Result<String> {
    print::flush();
    eprint!("{question}");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|error| Fault::failed(error.to_string()))?;
    Ok(answer)
}

/// What only asks where something is protected.
async fn named_or_stopped(deck: &Deck, question: String, touched: &Touched, said: &Named) -> Result<()> {
    match deck.protected(touched).await? {
        Some(by) => confirmed_or_stopped(question, &Yes { yes: true, why: String::new(), named: said.clone() }, Some(by)).await,
        None => Ok(()),
    }
}

/// [`confirmed`], which ctrl-c, SIGTERM and a lost terminal answer with no.
async fn confirmed_or_stopped(question: String, yes: &Yes, protected: Option<Protected>) -> Result<()> {
    let mut signals = signals::Signals::heard()?;
    let yes = yes.clone();
    let asking = tokio::task::spawn_blocking(move || confirmed(&question, &yes, protected.as_ref()));
    tokio::select! {
        answer = asking => answer.unwrap_or_else(|error| Err(Fault::failed(error.to_string()))),
        () = signals.any() => Err(Fault::refused("not confirmed; nothing was changed")),
    }
}
