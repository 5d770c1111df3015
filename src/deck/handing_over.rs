//! Leaving a dispatch going: it is handed to a process of its own session, without a terminal, which has its hosts open before it takes over.

use super::{Carried, Deck, Stop, locked};
use crate::hosts::local::session;
use crate::model::record::Dispatch;
use crate::model::{Fault, FaultKind, Result};
use serde::{Deserialize, Serialize};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Child;

/// How long the other process may take to reach its hosts, and then to take over.
const LIMIT: Duration = Duration::from_secs(30);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// The process that takes a dispatch over, as it says itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Heir {
    holder: String,
    /// What keeps it from taking over; none = all its connections are open.
    fault: Option<Fault>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy)]
enum Awaited {
    /// The other process has its hosts open, or says why not.
    Ready,
    /// It carries the dispatch.
    Taken,
}

impl Deck {
    /// Hands a dispatch that this process carries to one without a screen. On a fault this process carries it as before. `say` hears
    /// what is waited for.
    pub async fn hand_over(&self, id: &str, say: &(dyn Fn(String) + Send + Sync)) -> Result<()> {
        let Some(dispatch) = self.store.dispatch(id).await? else { return Err(Fault::failed("the dispatch is gone from the store")) };
        let log = self.home.path.join("logs").join(format!("dispatch-{}.log", dispatch.number));
        self.store.forget("heir", id).await?;
        let mut child = self.spawn_heir(&dispatch, &log)?;
        let handed = self.hand_to(&dispatch, &mut child, say).await;
        self.store.forget("heir", id).await.ok();
        let Err(fault) = handed else {
            let said = format!("dispatch {} of {} goes on without a screen; any console shows it", dispatch.number, dispatch.swarm);
            locked(&self.farewells).push(format!("{said}; its lines: {}", log.display()));
            return Ok(());
        };
        // It must not take over what stays here.
        child.start_kill().ok();
        child.wait().await.ok();
        locked(&self.handing).remove(id);
        let now = self.store.dispatch(id).await?;
        if !self.carrying().iter().any(|carried| carried == id)
            && let Some(now) = now.filter(|now| now.outcome.is_none())
        {
            self.resume(&now, None).await?;
        }
        Err(fault)
    }

    async fn hand_to(&self, dispatch: &Dispatch, child: &mut Child, say: &(dyn Fn(String) + Send + Sync)) -> Result<()> {
        let (id, number) = (dispatch.id.as_str(), dispatch.number);
        let what = format!("dispatch {number}: the process without a screen reaches its hosts");
        let heir = self.until(id, Awaited::Ready, &what, child, say).await?;
        if let Some(fault) = heir.and_then(|heir| heir.fault) {
            let what = format!("dispatch {number} stays here: the process without a screen cannot take it over: {}", fault.what);
            return Err(Fault { what, ..fault });
        }
        locked(&self.handing).insert(id.to_string());
        self.stop(id, Stop::Leave).await;
        let what = format!("dispatch {number}: the process without a screen takes over");
        let taken = self.until(id, Awaited::Taken, &what, child, say).await;
        locked(&self.handing).remove(id);
        taken.map(drop)
    }

    /// Whether what is awaited has come.
    async fn has_come(&self, id: &str, awaited: Awaited) -> Result<Option<Option<Heir>>> {
        match awaited {
            Awaited::Ready => Ok(self.store.kept::<Heir>("heir", id).await?.map(Some)),
            Awaited::Taken if self.carrying().iter().any(|carried| carried == id) => Ok(None),
            Awaited::Taken => {
                let now = self.store.dispatch(id).await?;
                Ok(now.filter(|now| now.outcome.is_some() || now.holder != self.holder).map(|_| None))
            }
        }
    }

    /// Waits for it, says what for and how long yet, and gives up when the process ends or the time is over.
    async fn until(
        &self,
        id: &str,
        awaited: Awaited,
        what: &str,
        child: &mut Child,
        say: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Option<Heir>> {
        let begun = (self.outside.since_boot)();
        let mut said = None;
        loop {
            // Whether it has ended is asked first: what it wrote before counts.
            let ended = child.try_wait().ok().flatten();
            if let Some(come) = self.has_come(id, awaited).await? {
                return Ok(come);
            }
            if let Some(status) = ended {
                return Err(Fault::failed(format!("the process without a screen ended with {status}"))
                    .next("its lines are in the home, under logs/"));
            }
            let gone = (self.outside.since_boot)().saturating_sub(begun);
            if gone > LIMIT {
                return Err(Fault::failed(format!("{what}: not within {} s", LIMIT.as_secs())).next("try again, or stay"));
            }
            if said != Some(gone.as_secs()) {
                said = Some(gone.as_secs());
                say(format!("{what}; {} s left", LIMIT.saturating_sub(gone).as_secs()));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn spawn_heir(&self, dispatch: &Dispatch, log: &std::path::Path) -> Result<Child> {
        let cannot = |error: std::io::Error| Fault::failed(format!("the process without a screen cannot be started: {error}"));
        self.home.make_file(log)?;
        let file = std::fs::OpenOptions::new().append(true).open(log).map_err(cannot)?;
        let again = file.try_clone().map_err(cannot)?;
        let (exe, home) = (std::env::current_exe().map_err(cannot)?, self.home.path.clone());
        let (exe, home, id) = (exe.to_string_lossy().into_owned(), home.to_string_lossy().into_owned(), dispatch.id.as_str());
        let mut command = session(&[&exe, "--home", &home, "resume", id, "--unattended"]);
        command.stdin(Stdio::null()).stdout(file).stderr(again).current_dir("/");
        command.spawn().map_err(cannot)
    }

    /// The other side: opens every connection that the dispatch needs, says so, and carries it on as soon as its holder lets go.
    pub async fn take_over(&self, dispatch: &Dispatch) -> Result<Carried> {
        let reached = self.reach(dispatch).await;
        let heir = Heir { holder: self.holder.clone(), fault: reached.as_ref().err().cloned() };
        self.store.keep("heir", &dispatch.id, &heir, self.now_ms()).await?;
        reached?;
        let begun = (self.outside.since_boot)();
        loop {
            let now = self.dispatch_named(&dispatch.id).await?;
            if let Some(outcome) = now.outcome {
                return Err(Fault::refused(format!("dispatch {} has ended meanwhile: {}", now.number, outcome.word())));
            }
            match self.resume(&now, None).await {
                Err(fault) if fault.kind == FaultKind::Busy && (self.outside.since_boot)().saturating_sub(begun) < LIMIT * 2 => {
                    tokio::time::sleep(LOOK).await;
                }
                taken => return taken,
            }
        }
    }

    /// Every host of the dispatch and of its balancer, connected.
    async fn reach(&self, dispatch: &Dispatch) -> Result<()> {
        let plan = self.stored_plan(&dispatch.id).await?;
        let catalog = self.catalog().await?;
        let mut hosts = Vec::new();
        for name in plan.touched_hosts() {
            hosts.push(catalog.host(&name)?);
        }
        if let Some(pool) = &plan.pool {
            hosts.extend(self.open_balancer(&catalog, &pool.balancer).await?.hosts);
        }
        futures::future::try_join_all(hosts.iter().map(|host| self.links.connect(host))).await.map(drop)
    }
}
