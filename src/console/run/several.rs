//! Effects that answer with one line, and several of them as rows of one screen.

use crate::console::effect::Effect;
use crate::console::msg::Msg;
use crate::console::port::{Port, Said};
use crate::model::Fault;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Does one that answers with one line.
pub async fn one(port: &dyn Port, effect: &Effect) -> Said {
    match effect {
        Effect::Hold { on, object, why, until_ms } => port.hold(*on, object, why, *until_ms).await,
        Effect::Lift { name } => port.lift(name).await,
        Effect::Proc { verb, host, name } => port.proc_verb(verb, host, name).await,
        Effect::Pool(plan) => port.pool_do(plan).await,
        Effect::Stray(plan) => port.stray_do(plan).await,
        Effect::Unignore { place, name } => port.stray_unignore(place, name).await,
        Effect::Cancel { dispatch } => port.cancel(dispatch).await,
        Effect::CancelBuild { build } => port.cancel_build(build).await,
        Effect::Tell { dispatch, word } => port.tell(dispatch, word).await,
        Effect::Resume { dispatch } => port.resume(dispatch).await,
        Effect::Apply(path) => port.apply(path).await,
        Effect::AddHost(name) => port.add_host(name).await,
        Effect::HostAdd { name, squad, like } => port.host_add(name, squad, like).await,
        Effect::Service { host, active } => port.service(host, *active).await,
        Effect::Delete { kind, name } => port.delete(*kind, name).await,
        Effect::Note { kind, name, text } => port.note(kind, name, text).await,
        Effect::Upkeep => port.upkeep().await,
        Effect::Revert { id, rev } => port.revert(id, *rev).await,
        Effect::ExportAudit { wanted, path } => port.export_audit(wanted, path).await,
        other => Err(Fault::failed(format!("{other:?} does not answer with a line"))),
    }
}

/// Does several; each row is told when it is there. Answers with the sum of it.
pub async fn carried(port: Arc<dyn Port>, effect: Effect, answers: mpsc::Sender<Msg>) -> Msg {
    let Some((ticket, title, names)) = effect.rows() else { return Msg::Said(Err(Fault::failed("nothing was to be done"))) };
    let title = title.to_string();
    let (sender, mut told) = mpsc::unbounded_channel();
    let work = async {
        let all = match &effect {
            Effect::Procs { verb, procs, .. } => port.procs_verb(verb, procs, sender).await,
            Effect::Bulk { acts, .. } => {
                for (number, (_, act)) in acts.iter().enumerate() {
                    // Nobody listens only when the console is gone.
                    let _ = sender.send((number, one(port.as_ref(), act).await));
                }
                drop(sender);
                Ok(())
            }
            _ => Ok(()),
        };
        all.err()
    };
    let rows = async {
        let mut lines: Vec<String> = names.iter().map(|name| format!("~ {name}")).collect();
        let (mut done, mut first) = (0, None);
        while let Some((number, said)) = told.recv().await {
            let name = names.get(number).map(String::as_str).unwrap_or_default();
            let line = match &said {
                // What the row is called already is not said twice.
                Ok(said) => {
                    format!("* {name}  {}", said.strip_prefix(name.rsplit(' ').next().unwrap_or_default()).unwrap_or(said).trim_start())
                }
                Err(fault) => format!("! {name}  {}", fault.line()),
            };
            match said {
                Ok(_) => done += 1,
                Err(fault) => drop(first.get_or_insert(fault)),
            }
            if let Some(row) = lines.get_mut(number) {
                *row = line;
            }
            let _ = answers.send(Msg::Read { ticket, lines: Ok(lines.clone()) }).await;
        }
        (done, first)
    };
    let (whole, (done, first)) = tokio::join!(work, rows);
    match whole.or(first) {
        None => Msg::Said(Ok(format!("{title}: done"))),
        Some(fault) => {
            let what = format!("{title}: {done} of {} done; {}", names.len(), fault.what);
            Msg::Said(Err(Fault { what, ..fault }))
        }
    }
}
