//! `run` and `shell`: a command, or a shell, as procs run.

use super::args::{Format, RunArgs};
use super::print;
use super::print::{Report, err};
use super::signals::Signals;
use crate::deck::Deck;
use crate::deck::look::{LogLine, Target};
use crate::deck::running::RunRequest;
use crate::model::protect::Touched;
use crate::model::shown::{shown, without_colour};
use crate::model::{Fault, Result};
use serde_json::json;

/// Its exit status is the command's.
pub async fn run(deck: &Deck, args: &RunArgs, format: Format) -> Result<Report> {
    let of = deck.target_named(&args.target).await?;
    let touched = match &of {
        Target::Proc(host, name) => deck.touched_by_proc(host, name).await,
        Target::Swarm(id) => Touched { swarms: [id.clone()].into(), ..Touched::default() },
        _ => Touched::default(),
    };
    super::named_or_stopped(deck, format!("Run a command on {}?", args.target), &touched, &args.named).await?;
    let request = RunRequest { of, argv: args.argv.clone(), all: args.all, why: args.why.clone() };
    let (sender, mut lines) = tokio::sync::mpsc::channel::<LogLine>(256);
    let mut said = Vec::new();
    let mut signals = Signals::heard()?;
    let heard = async {
        while let Some(line) = lines.recv().await {
            let text = shown(&without_colour(&line.text));
            match (line.from.is_empty(), format) {
                (true, _) => err(&format!("-- {text}\n")),
                (false, Format::Table) if args.all => print::out(&format!("{}  {text}\n", shown(&line.label()))),
                (false, Format::Table) => print::out(&format!("{text}\n")),
                (false, _) => said.push(json!({"from": line.from, "text": text})),
            }
        }
    };
    let ran = tokio::select! {
        (ran, ()) = async { tokio::join!(deck.run(&request, sender), heard) } => ran?,
        () = signals.any() => return Err(Fault::interrupted("stopped: the command is ended there")),
    };
    let status = u8::try_from(ran.status()).unwrap_or(255);
    let text = Some(String::new());
    Ok(Report { value: json!({"ran": ran, "said": said}), text, columns: &[], exit: status })
}

pub async fn shell(deck: &Deck, target: &str) -> Result<Report> {
    let target = deck.target_named(target).await?;
    let status = deck.shell(&target, || crossterm::terminal::size().unwrap_or((80, 24))).await?;
    Ok(Report::nothing().with_exit(u8::try_from(status).unwrap_or(255)))
}
