//! plan, dispatch, rollback, size, resume, cancel on the command line; the plan as text.

use super::args::{DispatchArgs, Format, Yes};
use super::print::{Report, err};
use super::{confirmed, print};
use crate::deck::look::{DispatchRequest, LogLine};
use crate::deck::{Carried, Deck, Lines, Stop, Upkept};
use crate::model::record::{Dispatch, Outcome};
use crate::model::{Fault, FaultKind, Result};
use crate::plan::Plan;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

pub async fn plan(deck: &Deck, args: &DispatchArgs) -> Result<Report> {
    let plan = match &args.plan {
        Some(id) => deck.stored_plan(id).await?,
        None => made(deck, &request(args)).await?,
    };
    let value = serde_json::to_value(&plan).map_err(|error| Fault::failed(error.to_string()))?;
    Ok(Report::text(format!("{}plan {}\n", text(&plan), plan.id), value))
}

pub async fn dispatch(deck: &Deck, args: &DispatchArgs, format: Format) -> Result<Report> {
    let swarm = args.swarm.clone().unwrap_or_default();
    let plan = match &args.plan {
        Some(id) => deck.stored_plan(id).await,
        None => made(deck, &request(args)).await,
    };
    ended(deck, carried(deck, plan, &args.yes, format).await, &swarm).await
}

pub async fn rollback(deck: &Deck, swarm: &str, to: Option<String>, yes: &Yes, format: Format) -> Result<Report> {
    let request = DispatchRequest {
        swarm: swarm.into(),
        why: yes.why.clone(),
        rollback_to: Some(to.unwrap_or_default()),
        ..DispatchRequest::default()
    };
    let plan = deck.plan(&request, None).await;
    ended(deck, carried(deck, plan, yes, format).await, swarm).await
}

pub async fn size(deck: &Deck, swarm: &str, size: u32, yes: &Yes, format: Format) -> Result<Report> {
    let request =
        DispatchRequest { swarm: swarm.into(), why: yes.why.clone(), size: Some(size), same_release: true, ..DispatchRequest::default() };
    let plan = made(deck, &request).await;
    ended(deck, carried(deck, plan, yes, format).await, swarm).await
}

pub async fn resume(deck: &Deck, name: Option<&str>) -> Result<Report> {
    let Some(name) = name else {
        let Upkept { ended, paid } = deck.upkeep().await?;
        let owed = if paid.iter().any(|dispatch| !dispatch.debts.is_empty()) { 4 } else { 0 };
        let exit = ended.iter().map(exit_of).max().unwrap_or(0).max(owed);
        let mut text = if ended.is_empty() && paid.is_empty() {
            "nothing was left behind\n".to_string()
        } else {
            ended.iter().map(|dispatch| format!("dispatch {} of {}: {}\n", dispatch.number, dispatch.swarm, word(dispatch))).collect()
        };
        for dispatch in &paid {
            text.push_str(&match dispatch.debts.len() {
                0 => format!("dispatch {} of {}: its debts are paid\n", dispatch.number, dispatch.swarm),
                left => format!("dispatch {} of {}: {left} debts are left\n", dispatch.number, dispatch.swarm),
            });
        }
        let mut rows = Vec::new();
        for dispatch in ended.iter().chain(&paid) {
            rows.push(result(deck, dispatch).await);
        }
        return Ok(Report { value: Value::Array(rows), text: Some(text), columns: &[], exit });
    };
    let dispatch = deck.dispatch_named(name).await?;
    let carried = deck.resume(&dispatch, None).await?;
    ended(deck, watch(deck, carried).await, &dispatch.swarm).await
}

pub async fn cancel(deck: &Deck, name: &str) -> Result<Report> {
    let dispatch = deck.dispatch_named(name).await?;
    if let Some(outcome) = dispatch.outcome.filter(|outcome| *outcome != Outcome::Interrupted) {
        return Err(
            Fault::refused(format!("dispatch {} has ended already: {}", dispatch.number, outcome.word())).next("swarmdeck rollback SWARM")
        );
    }
    match deck.cancel(&dispatch).await? {
        Some(carried) => ended(deck, watch(deck, carried).await, &dispatch.swarm).await,
        None => Ok(Report::text(format!("dispatch {}: told to undo\n", dispatch.number), json!({"cancelled": dispatch.number}))),
    }
}

fn request(args: &DispatchArgs) -> DispatchRequest {
    DispatchRequest {
        swarm: args.swarm.clone().unwrap_or_default(),
        version: args.version.clone(),
        size: args.size,
        why: args.yes.why.clone(),
        rebuild: args.rebuild,
        rollback_to: None,
        ..DispatchRequest::default()
    }
}

/// A plan, its build's lines on stderr while it is made.
async fn made(deck: &Deck, request: &DispatchRequest) -> Result<Plan> {
    let (sender, mut lines): (Lines, mpsc::Receiver<LogLine>) = mpsc::channel(1024);
    let printing = tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            err(&format!("{:<9} {}\n", line.from, line.text));
        }
    });
    let plan = deck.plan(request, Some(sender)).await;
    printing.await.ok();
    plan
}

pub(super) async fn carried(deck: &Deck, plan: Result<Plan>, yes: &Yes, format: Format) -> Result<Dispatch> {
    let plan = plan?;
    if format == Format::Table {
        print::out(&crate::model::shown::shown_lines(&text(&plan)));
    }
    confirmed(&format!("{} {} of {}?", plan.verb, plan.to.version, plan.swarm), yes.yes)?;
    watch(deck, deck.execute(&plan.id, &yes.why).await?).await
}

/// Follows a dispatch to its end on stderr. The first ctrl-c cancels and undoes, the second (or SIGTERM) stops it resumable; a lost
/// terminal does not stop it.
async fn watch(deck: &Deck, carried: Carried) -> Result<Dispatch> {
    let cannot = |error: std::io::Error| Fault::failed(format!("signals cannot be heard: {error}"));
    let mut interrupts = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut ends = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut hangups = signal(SignalKind::hangup()).map_err(cannot)?;
    let Carried { id, number, mut done } = carried;
    err(&format!("dispatch {number} is under way\n"));
    let mut cursor = 0;
    let mut changes = deck.store.changes();
    let mut interrupted = false;
    loop {
        for event in deck.store.events_of(&id, 10_000).await.unwrap_or_default() {
            if event.seq > cursor {
                cursor = event.seq;
                err(&format!("  {:<22} {}\n", event.place, event.what));
            }
        }
        tokio::select! {
            ended = &mut done => {
                for event in deck.store.events_of(&id, 10_000).await.unwrap_or_default().iter().filter(|event| event.seq > cursor) {
                    err(&format!("  {:<22} {}\n", event.place, event.what));
                }
                return ended.map_err(|error| Fault::interrupted(format!("the dispatch broke off: {error}")).next("swarmdeck resume"));
            }
            () = changes.changed() => {}
            _ = interrupts.recv() => {
                if interrupted {
                    err("stopping between steps; swarmdeck resume carries it on\n");
                    deck.stop(&id, Stop::Leave).await;
                } else {
                    err("cancelling: everything is undone (ctrl-c again stops at once, resumable)\n");
                    deck.stop(&id, Stop::Undo).await;
                }
                interrupted = true;
            }
            _ = ends.recv() => deck.stop(&id, Stop::Leave).await,
            _ = hangups.recv() => {}
        }
    }
}

/// The report of a dispatch that was carried, or of the fault that kept it from beginning.
pub(super) async fn ended(deck: &Deck, dispatch: Result<Dispatch>, swarm: &str) -> Result<Report> {
    match dispatch {
        Ok(dispatch) => {
            let fault = dispatch.fault.as_ref().map(|fault| format!(": {}", fault.line())).unwrap_or_default();
            let debts: String = dispatch.debts.iter().map(|debt| format!("owed to {}: {}\n", debt.host, debt.what)).collect();
            let text = format!("dispatch {} of {} {}{fault}\n{debts}", dispatch.number, dispatch.swarm, word(&dispatch));
            let exit = exit_of(&dispatch);
            Ok(Report::text(text, result(deck, &dispatch).await).with_exit(exit))
        }
        Err(fault) if fault.kind == FaultKind::BadInput => Err(fault),
        Err(fault) => {
            let word = match fault.kind {
                FaultKind::Refused | FaultKind::Unreachable => Outcome::Refused,
                FaultKind::Interrupted => Outcome::Interrupted,
                FaultKind::Failed | FaultKind::BadInput => Outcome::Failed,
            };
            let value = json!({
                "dispatch": null, "swarm": swarm, "result": word.word(), "release": null, "procs": [], "steps": [], "debts": [],
                "error": {"what": fault.what, "host": fault.host, "step": fault.step, "next": fault.next},
            });
            err(&format!("swarmdeck: {}\n", fault.line()));
            Ok(Report::text(String::new(), value).with_exit(fault.exit_code()))
        }
    }
}

fn word(dispatch: &Dispatch) -> &'static str {
    dispatch.outcome.map_or("under way", Outcome::word)
}

pub fn exit_of(dispatch: &Dispatch) -> u8 {
    match dispatch.outcome {
        Some(Outcome::Done) if dispatch.debts.is_empty() => 0,
        Some(Outcome::Done | Outcome::Undone | Outcome::Failed) if !dispatch.debts.is_empty() => 4,
        Some(Outcome::Refused) => 3,
        Some(Outcome::Interrupted) | None => 5,
        Some(_) => 1,
    }
}

/// What programs get of a dispatch; `procs` are those that serve after it by its plan.
async fn result(deck: &Deck, dispatch: &Dispatch) -> Value {
    let error =
        dispatch.fault.as_ref().map(|fault| json!({"what": fault.what, "host": fault.host, "step": fault.step, "next": fault.next}));
    let plan = deck.stored_plan(&dispatch.id).await.unwrap_or_default();
    let procs = match dispatch.outcome {
        Some(Outcome::Done) => plan.keep.iter().chain(&plan.start),
        Some(Outcome::Undone) => plan.keep.iter().chain(&plan.retire),
        _ => [].iter().chain(&[]),
    };
    let procs: Vec<Value> = procs
        .map(|proc| json!({"host": proc.host, "name": proc.name, "port": proc.port, "node": proc.node, "release": proc.release}))
        .collect();
    json!({
        "dispatch": dispatch.number, "swarm": dispatch.swarm, "result": word(dispatch), "release": dispatch.to_release,
        "procs": procs, "steps": dispatch.steps, "debts": dispatch.debts, "error": error,
    })
}

/// The plan for people, the same parts as on the console's screen.
pub fn text(plan: &Plan) -> String {
    let from = plan.from.as_ref().map_or("nothing", |from| from.version.as_str());
    let mut text = format!("PLAN {} {}  {from} -> {}\n", plan.verb, plan.swarm, plan.to.version);
    let short = |id: &str| id.chars().take(8).collect::<String>();
    let release = plan.from.as_ref().map_or("none".to_string(), |from| short(&from.release));
    text.push_str(&format!(
        "  {} procs, now {}; release {release} -> {}; commit {}",
        plan.size,
        plan.size_before,
        short(&plan.to.release),
        short(&plan.to.commit)
    ));
    text.push_str(if plan.build_reused { "; build reused\n" } else { "; built now\n" });
    for change in &plan.changes {
        let before = change.before.as_deref().unwrap_or("-");
        let after = change.after.as_deref().unwrap_or("-");
        text.push_str(&format!("  {:<7} {:<24} {before} -> {after}  ({})\n", change.file, change.key, change.layer));
    }
    for host in &plan.hosts {
        let ports = |ports: &[u16]| {
            if ports.is_empty() { "-".to_string() } else { ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ") }
        };
        text.push_str(&format!(
            "  {:<16} start {:<12} keep {:<12} retire {:<12} send {:>10}  {}\n",
            host.host,
            ports(&host.start),
            ports(&host.keep),
            ports(&host.retire),
            host.send,
            host.note
        ));
    }
    if let Some(pool) = &plan.pool {
        text.push_str(&format!("  pool {}@{}: +{} -{}\n", pool.pool, pool.balancer, pool.added().len(), pool.removed().len()));
    }
    if !plan.lost.is_empty() {
        let lost: Vec<String> = plan.lost.iter().map(|proc| format!("{} :{}", proc.host, proc.port)).collect();
        text.push_str(&format!("  not seen, unrouted, owed: {}\n", lost.join(", ")));
    }
    if let Some(form) = plan.form() {
        text.push_str(&format!("  {form}\n"));
    }
    text.push_str(&format!("  uptests: {}\n", if plan.uptests.is_empty() { "none".into() } else { plan.uptests.join(", ") }));
    for warning in &plan.warnings {
        text.push_str(&format!("  ! {warning}\n"));
    }
    text.push_str(&format!("  back: {}\n", plan.back));
    if plan.is_empty() {
        text.push_str("  nothing is started or retired: what runs is proven and routed again\n");
    }
    text
}
