//! plan, dispatch, rollback, size, resume, cancel on the command line; the plan as text.

use super::args::{Busy, DispatchArgs, Format, Go, Named};
use super::print::{Report, err};
use super::signals::{Signals, unless_stopped};
use super::{print, wave};
use crate::deck::look::DispatchRequest;
use crate::deck::wave::WaveRequest;
use crate::deck::{Carried, Deck, Said, Stop, Upkept};
use crate::model::record::{Dispatch, Outcome};
use crate::model::waiting::Waiting;
use crate::model::{Fault, FaultKind, Result};
use crate::plan::Plan;
use serde_json::{Value, json};
use std::time::Duration;

pub async fn plan(deck: &Deck, args: &DispatchArgs) -> Result<Report> {
    if args.swarms.len() > 1 {
        return wave::plan(deck, &several(args)?).await;
    }
    let plan = match &args.plan {
        Some(id) => deck.stored_plan(id).await?,
        None => made(deck, &request(args)).await?,
    };
    let value = serde_json::to_value(&plan).map_err(|error| Fault::failed(error.to_string()))?;
    Ok(Report::text(format!("{}plan {}\n", text(&plan), plan.id), value))
}

pub async fn dispatch(deck: &Deck, args: &DispatchArgs, format: Format) -> Result<Report> {
    if args.swarms.len() > 1 {
        return wave::dispatch(deck, &several(args)?, args.at_once, &args.go, format).await;
    }
    let request = request(args);
    let wanted = args.plan.as_deref().map_or(Wanted::Request(&request), Wanted::Stored);
    ended(deck, carried(deck, wanted, &args.go, format).await, &request.swarm).await
}

pub async fn rollback(deck: &Deck, swarm: &str, to: Option<String>, go: &Go, format: Format) -> Result<Report> {
    let request = DispatchRequest {
        swarm: swarm.into(),
        why: go.yes.why.clone(),
        rollback_to: Some(to.unwrap_or_default()),
        ..DispatchRequest::default()
    };
    ended(deck, carried(deck, Wanted::Request(&request), go, format).await, swarm).await
}

pub async fn size(deck: &Deck, swarm: &str, size: u32, go: &Go, format: Format) -> Result<Report> {
    let request = DispatchRequest {
        swarm: swarm.into(),
        why: go.yes.why.clone(),
        size: Some(size),
        same_release: true,
        ..DispatchRequest::default()
    };
    ended(deck, carried(deck, Wanted::Request(&request), go, format).await, swarm).await
}

/// Takes a dispatch over from a console that is being left, and carries it to its end without anybody.
pub async fn unattended(deck: &Deck, name: &str) -> Result<Report> {
    let dispatch = deck.dispatch_named(name).await?;
    let carried = deck.take_over(&dispatch).await?;
    ended(deck, watch(deck, carried).await, &dispatch.swarm).await
}

pub async fn resume(deck: &Deck, name: Option<&str>, named: &Named) -> Result<Report> {
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
    super::named_or_stopped(deck, format!("Carry dispatch {} of {} on?", dispatch.number, dispatch.swarm), &dispatch.touched(), named)
        .await?;
    let carried = deck.resume(&dispatch, None).await?;
    ended(deck, watch(deck, carried).await, &dispatch.swarm).await
}

pub async fn cancel(deck: &Deck, name: &str, named: &Named) -> Result<Report> {
    let dispatch = match deck.dispatch_named(name).await {
        Ok(dispatch) => dispatch,
        Err(_) if deck.store.build(name).await?.is_some() => {
            let said = deck.cancel_build(name).await?;
            return Ok(Report::text(format!("{said}\n"), json!({"cancelled": name})));
        }
        Err(fault) => return Err(fault),
    };
    if let Some(outcome) = dispatch.outcome.filter(|outcome| *outcome != Outcome::Interrupted) {
        return Err(
            Fault::refused(format!("dispatch {} has ended already: {}", dispatch.number, outcome.word())).next("swarmdeck rollback SWARM")
        );
    }
    super::named_or_stopped(deck, format!("Cancel dispatch {} of {}?", dispatch.number, dispatch.swarm), &dispatch.touched(), named)
        .await?;
    match deck.cancel(&dispatch).await? {
        Some(carried) => ended(deck, watch(deck, carried).await, &dispatch.swarm).await,
        None => Ok(Report::text(format!("dispatch {}: told to undo\n", dispatch.number), json!({"cancelled": dispatch.number}))),
    }
}

fn request(args: &DispatchArgs) -> DispatchRequest {
    DispatchRequest {
        swarm: args.swarms.first().cloned().unwrap_or_default(),
        version: args.version.clone(),
        size: args.size,
        why: args.go.yes.why.clone(),
        rebuild: args.rebuild,
        leave_orphans: args.leave_orphans,
        ..DispatchRequest::default()
    }
}

/// Several swarms: a wave. What is said for one swarm alone is refused.
fn several(args: &DispatchArgs) -> Result<WaveRequest> {
    let alone = [("--size", args.size.is_some()), ("--rebuild", args.rebuild), ("--plan", args.plan.is_some())];
    if let Some((flag, _)) = alone.iter().find(|(_, said)| *said) {
        return Err(Fault::bad(format!("{flag} is for one swarm")).next("leave it out, or dispatch that swarm alone"));
    }
    Ok(WaveRequest { swarms: args.swarms.clone(), version: args.version.clone(), why: args.go.yes.why.clone(), ..WaveRequest::default() })
}

/// A plan, its build's lines on stderr while it is made.
async fn made(deck: &Deck, request: &DispatchRequest) -> Result<Plan> {
    let (sender, printing) = print::lines();
    let plan = unless_stopped(deck, deck.plan(request, Some(sender))).await;
    printing.await.ok();
    plan
}

/// What is to be carried out.
#[derive(Clone, Copy)]
pub enum Wanted<'w> {
    /// Is planned first, and planned anew when the world moved while it waited.
    Request(&'w DispatchRequest),
    /// This very plan, or nothing.
    Stored(&'w str),
}

impl Wanted<'_> {
    async fn plan(self, deck: &Deck) -> Result<Plan> {
        match self {
            Wanted::Request(request) => made(deck, request).await,
            Wanted::Stored(id) => deck.stored_plan(id).await,
        }
    }
}

/// Plans, asks, and carries it out. When somebody else is at the swarm, what `--on-busy` says is done; what changed meanwhile is
/// planned and shown anew.
pub async fn carried(deck: &Deck, wanted: Wanted<'_>, go: &Go, format: Format) -> Result<Dispatch> {
    let mut plan = wanted.plan(deck).await?;
    confirm(deck, &plan, go, format).await?;
    loop {
        let busy = match deck.execute_lifting(&plan.id, &go.yes.why, &go.lift).await {
            Err(fault) if fault.kind == FaultKind::Busy && go.on_busy != Busy::Refuse => fault,
            carried => return watch(deck, carried?).await,
        };
        err(&format!("{}\n", busy.what));
        let hear = |waiting: &Waiting| err(&format!("  {}\n", waiting.line(deck.now_ms())));
        unless_stopped(deck, async {
            match go.on_busy {
                Busy::Supersede => deck.supersede(&plan.swarm_id, &hear).await,
                Busy::Wait | Busy::Refuse => deck.wait_until_free(&plan.swarm_id, &hear).await,
            }
        })
        .await?;
        let moved = deck.moved_since(&plan).await?;
        if moved.is_empty() {
            continue;
        }
        let moved = format!("the world moved while this waited: {}", moved.join("; "));
        if matches!(wanted, Wanted::Stored(_)) {
            return Err(Fault::refused(moved).next("plan again"));
        }
        err(&format!("{moved}\n"));
        plan = wanted.plan(deck).await?;
        confirm(deck, &plan, go, format).await?;
    }
}

/// Shows the plan, refuses what is held and not lifted, asks.
async fn confirm(deck: &Deck, plan: &Plan, go: &Go, format: Format) -> Result<()> {
    if format == Format::Table {
        print::out(&crate::model::shown::shown_lines(&text(plan)));
    }
    deck.may_go(plan, &go.lift).await?;
    let protected = deck.protected(&plan.touched()).await?;
    super::confirmed_or_stopped(format!("{} {} of {}?", plan.verb, plan.to.version, plan.swarm), &go.yes, protected).await
}

/// Follows a dispatch to its end on stderr. The first ctrl-c cancels and undoes, the second (or SIGTERM) stops it resumable; a lost
/// terminal does not stop it.
async fn watch(deck: &Deck, carried: Carried) -> Result<Dispatch> {
    let mut signals = Signals::heard()?;
    let Carried { id, number, mut done } = carried;
    err(&format!("dispatch {number} is under way\n"));
    let mut cursor = 0;
    let mut changes = deck.store.changes();
    let (mut interrupted, mut waits) = (false, Said::default());
    loop {
        for event in deck.store.events_of(&id, 10_000).await.unwrap_or_default() {
            if event.seq > cursor {
                cursor = event.seq;
                err(&format!("  {:<22} {}\n", event.place, event.what));
            }
        }
        if let Ok(Some(dispatch)) = deck.store.dispatch(&id).await
            && let Some(waiting) = deck.waiting(&dispatch).await
        {
            waits.say(waiting, deck.now_ms(), &|waiting| err(&format!("  {}\n", waiting.line(deck.now_ms()))));
        }
        tokio::select! {
            ended = &mut done => {
                for event in deck.store.events_of(&id, 10_000).await.unwrap_or_default().iter().filter(|event| event.seq > cursor) {
                    err(&format!("  {:<22} {}\n", event.place, event.what));
                }
                let ended = ended.map_err(|error| Fault::interrupted(format!("the dispatch broke off: {error}")).next("swarmdeck resume"))?;
                return Ok(cancelled(deck, ended, &mut signals).await);
            }
            () = changes.changed() => {}
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            _ = signals.interrupt.recv() => {
                if interrupted {
                    err("stopping between steps; swarmdeck resume carries it on\n");
                    deck.stop(&id, Stop::Leave).await;
                } else {
                    err("cancelling: everything is undone (ctrl-c again stops at once, resumable)\n");
                    deck.stop(&id, Stop::Undo).await;
                }
                interrupted = true;
            }
            _ = signals.terminate.recv() => deck.stop(&id, Stop::Leave).await,
            _ = signals.hang_up.recv() => {}
        }
    }
}

/// Waits for a cancel that could not be written down; a signal ends the waiting.
async fn cancelled(deck: &Deck, dispatch: Dispatch, signals: &mut Signals) -> Dispatch {
    if !deck.kept_cancels().contains(&dispatch.id) {
        return dispatch;
    }
    let number = dispatch.number;
    err(&format!("the cancel cannot be written down yet; this waits till it can (ctrl-c stops that: then swarmdeck cancel {number})\n"));
    while deck.kept_cancels().contains(&dispatch.id) || deck.carrying().contains(&dispatch.id) {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            _ = signals.interrupt.recv() => return dispatch,
            _ = signals.terminate.recv() => return dispatch,
        }
    }
    deck.store.dispatch(&dispatch.id).await.ok().flatten().unwrap_or(dispatch)
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
                FaultKind::Refused | FaultKind::Busy | FaultKind::Unreachable => Outcome::Refused,
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
    for hold in &plan.held {
        text.push_str(&format!("  HELD {} by {}\n", hold.object, hold.line()));
    }
    for warning in &plan.warnings {
        text.push_str(&format!("  ! {warning}\n"));
    }
    text.push_str(&format!("  back: {}\n", plan.back));
    if plan.is_empty() {
        text.push_str("  nothing is started or retired: what runs is proven and routed again\n");
    }
    text
}
