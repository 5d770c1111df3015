//! `why`: the cause of what is wrong in one sentence, the evidence, what changed since it last ran well, and the next verb.

mod changed;
pub mod facts;
mod gather;
mod kept;
mod listed;
mod refused;
pub mod rules;
mod sweep;
mod text;

pub use listed::of_look;
pub use rules::{CATALOGUE, Cause};
pub use sweep::Swept;

use super::look::Target;
use super::{Catalog, Deck};
use crate::model::life::Life;
use crate::model::{Fault, Result};
use serde::Serialize;

/// What a removed proc left behind, by [`crate::hosts::procs::Evidence::key`].
pub(super) const EVIDENCE: &str = "evidence";
/// What uptests said, by dispatch, `passed` or `failed`, host, proc and test.
pub(super) const UPTEST: &str = "uptest output";
/// Lives of procs, by [`Life::key`].
pub(super) const LIVES: &str = "life";
/// The last plan or dispatch of a swarm that was refused before anything began, by the swarm's id.
const REFUSED: &str = "refused";
/// How many causes are told besides the first.
const ALSO: usize = 6;

/// The answer.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Why {
    /// What kind of thing it is: swarm, proc, host, balancer, dispatch, app …
    pub kind: String,
    pub name: String,
    /// How it is, in one sentence.
    pub verdict: String,
    pub cause: Option<Cause>,
    /// What follows from the cause, or is wrong besides.
    pub also: Vec<Cause>,
    /// What changed since it last ran well, a line each.
    pub changed: Vec<String>,
    /// A proc's last lives, newest first.
    pub lives: Vec<Life>,
    pub next: String,
}

/// What a name means.
enum Subject {
    Swarm(String),
    Host(String),
    Balancer(String),
    /// Host and name.
    Proc(String, String),
    Dispatch(String),
    /// Balancer and pool.
    Pool(String, String),
    /// Judged by what is known, without asking anybody.
    Listed(Target),
}

impl Deck {
    /// Why a swarm, proc (`NAME` or `HOST:NAME`), host, balancer, dispatch (by number) or anything else that lists show is as it is: by its
    /// name, or as `app:NAME`, `pool:NAME@BALANCER` and so on where that is the name of several.
    ///
    /// # Errors
    /// Bad input for a name that nothing has; the store cannot be read. What cannot be reached is an answer, not a fault.
    pub async fn why(&self, name: &str) -> Result<Why> {
        let catalog = self.catalog().await?;
        let subject = self.named(&catalog, name).await?;
        self.answer(&catalog, subject).await
    }

    /// Why what a face points at is as it is; none for what has no why.
    ///
    /// # Errors
    /// It is not there any more; the store cannot be read.
    pub async fn why_of(&self, target: &Target) -> Result<Option<Why>> {
        let subject = match target.clone() {
            Target::Swarm(id) => Subject::Swarm(id),
            Target::Dispatch(id) => Subject::Dispatch(id),
            Target::Host(name) => Subject::Host(name),
            Target::Proc(host, name) => Subject::Proc(host, name),
            Target::Balancer(name) => Subject::Balancer(name),
            Target::Pool(balancer, pool) => Subject::Pool(balancer, pool),
            other if of_look(&self.look(), &other).is_some() => Subject::Listed(other),
            _ => return Ok(None),
        };
        let catalog = self.catalog().await?;
        self.answer(&catalog, subject).await.map(Some)
    }

    async fn answer(&self, catalog: &Catalog, subject: Subject) -> Result<Why> {
        let (mut why, facts) = match &subject {
            Subject::Swarm(id) => self.of_swarm(catalog, id).await?,
            Subject::Host(name) => self.of_host(catalog, name).await?,
            Subject::Balancer(name) => self.of_balancer(catalog, name).await?,
            Subject::Proc(host, name) => self.of_proc(catalog, host, name).await?,
            Subject::Dispatch(id) => self.of_dispatch(id).await?,
            Subject::Pool(balancer, pool) => self.of_pool(catalog, balancer, pool).await?,
            Subject::Listed(target) => {
                let found = of_look(&self.look(), target).ok_or_else(|| Fault::bad("it is not there any more"))?;
                let (cause, also) = (found.cause.map(|cause| self.masked(cause)), found.also.into_iter());
                return Ok(Why { cause, also: also.map(|cause| self.masked(cause)).collect(), ..found });
            }
        };
        let mut causes = rules::judge(&facts).into_iter().map(|cause| self.masked(cause));
        why.cause = causes.next();
        why.also = causes.take(ALSO).collect();
        if let Some(cause) = &why.cause {
            why.next.clone_from(&cause.next);
        }
        if why.cause.is_none() {
            // What runs well needs no history.
            why.changed.clear();
        }
        Ok(why)
    }

    /// Lines from hosts and procs may name a URL with a password in it.
    fn masked(&self, cause: Cause) -> Cause {
        let secrets = self.secrets();
        Cause {
            sentence: secrets.mask_text(&cause.sentence),
            evidence: cause.evidence.iter().map(|line| secrets.mask_text(line)).collect(),
            ..cause
        }
    }

    async fn named(&self, catalog: &Catalog, name: &str) -> Result<Subject> {
        match catalog.swarm(name) {
            Ok(entry) => return Ok(Subject::Swarm(entry.id.clone())),
            Err(fault) if fault.what.contains("is more than one") => return Err(fault),
            Err(_) => {}
        }
        if let Ok(dispatch) = self.dispatch_named(name).await {
            return Ok(Subject::Dispatch(dispatch.id));
        }
        if self.any_host(name).await.is_ok() {
            return Ok(Subject::Host(name.into()));
        }
        if catalog.balancer(name).is_ok() {
            return Ok(Subject::Balancer(name.into()));
        }
        if catalog.hosts()?.iter().all(|host| !name.starts_with(&format!("{}:", host.name))) {
            self.read_seen().await?;
            self.make_look().await?;
            if let Some(target) = listed::named(&self.look(), name) {
                return Ok(match target {
                    Target::Pool(balancer, pool) => Subject::Pool(balancer, pool),
                    other => Subject::Listed(other),
                });
            }
        }
        let mut places = self.places_of(catalog, name).await?;
        if places.len() > 1 {
            let all: Vec<String> = places.iter().map(|(host, name)| format!("{host}:{name}")).collect();
            return Err(Fault::bad(format!("'{name}' is a proc of several hosts")).next(format!("say which: {}", all.join(", "))));
        }
        match places.pop() {
            Some((host, name)) => Ok(Subject::Proc(host, name)),
            None => Err(Fault::bad(format!("there is no swarm, proc, host, balancer, dispatch or anything else that is called '{name}'"))
                .next("swarmdeck get swarms, procs, hosts, balancers or dispatches; of another kind: KIND:NAME")),
        }
    }

    /// Where a proc of this name is, or was.
    async fn places_of(&self, catalog: &Catalog, name: &str) -> Result<Vec<(String, String)>> {
        let (on, name) = name.split_once(':').map_or((None, name), |(host, name)| (Some(host), name));
        let wanted = |host: &str| on.is_none_or(|on| on == host);
        let find = |world: &crate::model::world::World| -> Vec<(String, String)> {
            let procs = world.procs().filter(|proc| proc.name == name && wanted(&proc.host));
            procs.map(|proc| (proc.host.clone(), proc.name.clone())).collect()
        };
        self.read_seen().await?;
        let mut places = find(&*self.last_world().await);
        if places.is_empty() {
            places = find(&self.observe(catalog, None).await?);
        }
        if places.is_empty() {
            for (key, _) in self.store.kept_names(EVIDENCE, "").await? {
                let mut parts = key.splitn(3, '/').skip(1);
                if let (Some(host), Some(rest)) = (parts.next(), parts.next())
                    && rest.split('@').next() == Some(name)
                    && wanted(host)
                    && !places.iter().any(|(known, _)| known == host)
                {
                    places.push((host.to_string(), name.to_string()));
                }
            }
        }
        Ok(places)
    }
}
