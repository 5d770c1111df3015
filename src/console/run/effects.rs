//! Effects as tasks that answer with a message; one that is stopped answers no more.

use super::several;
use crate::console::effect::Effect;
use crate::console::msg::Msg;
use crate::console::port::Port;
use crate::deck::look::LogLine;
use crate::model::Result;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Free places among the answers before more lines of a log are sent: a flood must not fill memory, nor keep other answers waiting.
const ROOM: usize = 1008;
/// Lines that are taken into one message.
const BATCH: usize = 500;

/// Starts effects.
pub struct Runner {
    port: Arc<dyn Port>,
    pub answers: mpsc::Sender<Msg>,
    /// What can be stopped, by ticket.
    under_way: HashMap<u64, AbortHandle>,
}

impl Runner {
    pub fn new(port: Arc<dyn Port>, answers: mpsc::Sender<Msg>) -> Runner {
        Runner { port, answers, under_way: HashMap::new() }
    }

    pub fn start_all(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.start(effect);
        }
    }

    /// Starts one; those of the terminal are the loop's own.
    pub fn start(&mut self, effect: Effect) {
        let port = self.port.clone();
        self.under_way.retain(|_, task| !task.is_finished());
        match effect {
            Effect::Plan { ticket, request } => {
                let progress = self.progress(ticket);
                self.task(Some(ticket), async move { Msg::Planned { ticket, plan: Box::new(port.plan(request, progress).await) } });
            }
            Effect::Execute { plan_id, why, lift } => {
                self.task(None, async move { Msg::Executed(port.execute(&plan_id, &why, &lift).await) });
            }
            Effect::WaitFree { ticket, plan_id, supersede } => {
                let progress = self.progress(ticket);
                self.task(Some(ticket), async move { Msg::Freed { ticket, moved: port.wait_free(&plan_id, supersede, progress).await } });
            }
            Effect::PlanWave { ticket, request } => {
                let (progress, why) = (self.progress(ticket), request.why.clone());
                self.task(Some(ticket), async move {
                    Msg::WavePlanned { ticket, why, plan: Box::new(port.plan_wave(request, progress).await) }
                });
            }
            Effect::BeginWave(go) => self.task(None, async move { Msg::WaveBegun(port.begin_wave(&go).await) }),
            Effect::Procs { .. } | Effect::Bulk { .. } => {
                let answers = self.answers.clone();
                // Not stopped by closing its screen: a change under way is not torn.
                self.task(None, async move { several::carried(port, effect, answers).await });
            }
            Effect::PlanStrays { verb, all } => self.task(None, async move {
                let plans = port.stray_plans(verb, &all).await;
                let named = |plans: Vec<_>| all.iter().map(|(place, name)| format!("{place}  {name}")).zip(plans).collect();
                Msg::StraysPlanned { verb, plans: plans.map(named) }
            }),
            Effect::HandOver { ticket } => {
                let progress = self.progress(ticket);
                self.task(None, async move { Msg::HandedOver { ticket, result: port.hand_over(progress).await } });
            }
            Effect::PlanPool { pool, verb } => self.task(None, async move { Msg::PoolPlanned(port.pool_plan(&pool, verb).await) }),
            Effect::Host { ticket, verb, host } => {
                let progress = self.progress(ticket);
                // A change under way is not torn by closing its screen.
                let stoppable = (verb == "check").then_some(ticket);
                self.task(stoppable, async move { ended(ticket, port.host_verb(verb, &host, progress).await) });
            }
            Effect::Uptest { ticket, swarm } => {
                let progress = self.progress(ticket);
                self.task(Some(ticket), async move { ended(ticket, port.uptest(&swarm, progress).await) });
            }
            Effect::PlanStray { verb, place, name } => {
                self.task(None, async move { Msg::StrayPlanned(port.stray_plan(verb, &place, &name).await) })
            }
            Effect::Build { swarm, again } => self.task(None, async move { Msg::BuildStarted(port.build(&swarm, again).await) }),
            Effect::Why { target } => self.task(None, async move { Msg::Why { lines: port.why(target.clone()).await, target } }),
            Effect::Refresh => self.task(None, async move { Msg::Said(port.refresh().await.map(|()| "observed".into())) }),
            Effect::OpenEditor(target) => self.task(None, async move {
                let document = port.edit_open(target).await;
                let draft = match &document {
                    Ok(document) => port.kept_draft(document.target.clone()).await,
                    Err(_) => None,
                };
                Msg::EditorOpened { document: Box::new(document), draft }
            }),
            Effect::ReadAgain(target) => self.task(None, async move { Msg::ReadAgain(Box::new(port.edit_open(target).await)) }),
            Effect::TrySave { target, text, rev } => self.task(None, async move {
                let result = port.try_save(target.clone(), &text, rev).await;
                Msg::Tried { target, result }
            }),
            Effect::SaveEditor { target, text, rev, why, then_plan } => self.task(None, async move {
                let result = port.save(target.clone(), &text, rev, &why).await;
                Msg::Saved { target, text, then_plan, result }
            }),
            Effect::SaveDraft { target, draft } => {
                let answers = self.answers.clone();
                tokio::spawn(async move {
                    if let Err(fault) = port.draft(target, draft.as_ref()).await {
                        let _ = answers.send(Msg::Said(Err(fault))).await;
                    }
                });
            }
            Effect::FollowLog { ticket, request } => {
                let lines = async move { port.follow_log(&request).await };
                self.follow(ticket, lines);
            }
            Effect::LastLives { ticket, host, name } => {
                let answers = self.answers.clone();
                self.task(Some(ticket), async move {
                    match port.last_lives(&host, &name).await {
                        Ok(lines) => drop(answers.send(Msg::LogLines { ticket, lines }).await),
                        Err(fault) => return Msg::LogEnded { ticket, fault: Some(fault) },
                    }
                    Msg::LogEnded { ticket, fault: None }
                });
            }
            Effect::Report { dispatch } => {
                self.task(None, async move { Msg::Reported { lines: port.report(&dispatch).await, dispatch } });
            }
            Effect::Run { ticket, request } => {
                let (sender, lines) = mpsc::channel(BATCH);
                let answers = self.answers.clone();
                self.task(Some(ticket), async move {
                    let run = port.run(&request, sender);
                    let (said, ()) = tokio::join!(run, batches(ticket, lines, answers));
                    ended(ticket, said)
                });
            }
            Effect::SaveText { path, text } => {
                self.task(None, async move { Msg::Said(super::saving::save(&path, &text).await) });
            }
            Effect::FollowBuild { ticket, build } => {
                let lines = async move { port.follow_build(&build).await };
                self.follow(ticket, lines);
            }
            Effect::Stop { ticket } => {
                if let Some(task) = self.under_way.remove(&ticket) {
                    task.abort();
                }
            }
            Effect::Read { ticket, inquiry } => {
                self.task(Some(ticket), async move { Msg::Read { ticket, lines: port.read(&inquiry).await } });
            }
            Effect::History { ticket, target } => {
                self.task(Some(ticket), async move { Msg::History { ticket, versions: port.history(&target).await, target } });
            }
            Effect::Attend { dispatch } => port.attend(&dispatch),
            Effect::KeepHabits(habits) => {
                let answers = self.answers.clone();
                tokio::spawn(async move {
                    if let Err(fault) = port.keep_habits(&habits).await {
                        let _ = answers.send(Msg::Said(Err(fault))).await;
                    }
                });
            }
            Effect::Times { local } => {
                self.task(None, async move { Msg::Said(Ok(format!("times are shown in {}", port.show_times(local)))) });
            }
            Effect::Writing { for_ms: 0, .. } => self.task(None, async move { Msg::Said(port.read_only_again().await) }),
            Effect::Writing { for_ms, why } => self.task(None, async move { Msg::Said(port.lift_read_only(for_ms, &why).await) }),
            Effect::ExportEvents { wanted, path } => self.task(None, async move { Msg::Said(port.export_events(&wanted, &path).await) }),
            // Those that answer with one line.
            effect @ (Effect::Hold { .. }
            | Effect::Lift { .. }
            | Effect::Proc { .. }
            | Effect::Pool(_)
            | Effect::Stray(_)
            | Effect::Unignore { .. }
            | Effect::Cancel { .. }
            | Effect::CancelBuild { .. }
            | Effect::Tell { .. }
            | Effect::Resume { .. }
            | Effect::Apply(_)
            | Effect::AddHost(_)
            | Effect::HostAdd { .. }
            | Effect::Service { .. }
            | Effect::Delete { .. }
            | Effect::Note { .. }
            | Effect::Upkeep
            | Effect::Revert { .. }
            | Effect::ExportAudit { .. }) => self.task(None, async move { Msg::Said(several::one(port.as_ref(), &effect).await) }),
            Effect::Quit
            | Effect::QuitAndStop
            | Effect::QuitAndUndo(_)
            | Effect::Suspend
            | Effect::Answer { .. }
            | Effect::Demo
            | Effect::ExternalEditor { .. }
            | Effect::Shell { .. }
            | Effect::Bell
            | Effect::Copy(_)
            | Effect::Mouse(_)
            | Effect::Theme(_) => {}
        }
    }

    fn task(&mut self, ticket: Option<u64>, work: impl Future<Output = Msg> + Send + 'static) {
        let answers = self.answers.clone();
        let task = tokio::spawn(async move {
            let answer = work.await;
            // The console is gone: nobody waits for it.
            let _ = answers.send(answer).await;
        });
        if let Some(ticket) = ticket {
            self.under_way.insert(ticket, task.abort_handle());
        }
    }

    fn progress(&self, ticket: u64) -> mpsc::Sender<LogLine> {
        let (sender, mut lines) = mpsc::channel(256);
        let answers = self.answers.clone();
        tokio::spawn(async move {
            while let Some(line) = lines.recv().await {
                if answers.send(Msg::Progress { ticket, line }).await.is_err() {
                    break;
                }
            }
        });
        sender
    }

    fn follow(&mut self, ticket: u64, lines: impl Future<Output = Result<mpsc::Receiver<LogLine>>> + Send + 'static) {
        let answers = self.answers.clone();
        self.task(Some(ticket), async move {
            match lines.await {
                Ok(lines) => batches(ticket, lines, answers).await,
                Err(fault) => return Msg::LogEnded { ticket, fault: Some(fault) },
            }
            Msg::LogEnded { ticket, fault: None }
        });
    }
}

/// Hands lines on, as many at once as there are; the console is what sets the pace.
async fn batches(ticket: u64, mut lines: mpsc::Receiver<LogLine>, answers: mpsc::Sender<Msg>) {
    let mut batch = Vec::new();
    while lines.recv_many(&mut batch, BATCH).await > 0 {
        if answers.send(Msg::LogLines { ticket, lines: std::mem::take(&mut batch) }).await.is_err() {
            break;
        }
        // Lines that come while the console is busy go into one message.
        let _room = answers.reserve_many(ROOM).await;
    }
}

fn ended(ticket: u64, result: Result<String>) -> Msg {
    match result {
        Ok(text) => Msg::VerbEnded { ticket, text },
        Err(fault) => Msg::LogEnded { ticket, fault: Some(fault) },
    }
}
