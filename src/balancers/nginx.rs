//! The `nginx` balancer: one upstream file per pool in an include directory, on one or several hosts at once (VR-82).

pub mod examine;
pub mod file;
mod script;
mod seen;
#[cfg(test)]
mod tests;

use super::all_or_none::{all, joined, on_each};
use super::pool::{Asks, Description, Drained, Fence, HostNodes, Snapshot, Was, check, check_pool, same};
use super::written::Written;
use super::{Balancer, Links, Remember, probe};
use crate::hosts::link::{Link, Output};
use crate::model::probe::Probe;
use crate::model::{Fault, Result, entity};
use async_trait::async_trait;
use file::Pool;
use script::{Expect, Place};
use seen::{Answer, ours, readable, seen};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const READ_LIMIT: Duration = Duration::from_secs(30);

impl Place {
    /// Defaults: `/etc/nginx/conf.d`, `nginx -t`, `nginx -s reload`.
    fn of(balancer: &entity::Balancer) -> Place {
        let or = |key: &Option<String>, default: &str| key.clone().unwrap_or_else(|| default.into());
        Place {
            include_dir: or(&balancer.include_dir, "/etc/nginx/conf.d"),
            test_cmd: or(&balancer.test_cmd, "nginx -t"),
            reload_cmd: or(&balancer.reload_cmd, "nginx -s reload"),
        }
    }
}

struct Nginx {
    name: String,
    place: Place,
    links: Links,
    written: Written,
}

/// Opens it; connects to nothing yet.
pub(super) fn open(balancer: &entity::Balancer, links: Links, memory: Arc<dyn Remember>) -> Result<Arc<dyn Balancer>> {
    if links.is_empty() {
        return Err(Fault::bad(format!("balancer {} has no hosts", balancer.name)).next("give it hosts: [NAME]"));
    }
    let place = Place::of(balancer);
    if !place.include_dir.starts_with('/') {
        return Err(Fault::bad(format!("balancer {}: include_dir `{}` is not absolute", balancer.name, place.include_dir)));
    }
    let written = Written::new(&balancer.name, memory);
    Ok(Arc::new(Nginx { name: balancer.name.clone(), place, links, written }))
}

impl Nginx {
    /// Turns a script's exit into a fault with nginx's own words.
    fn judge(&self, output: &Output, pool: &str) -> Result<()> {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_string();
        let file = format!("{}/{pool}.conf", self.place.include_dir.trim_end_matches('/'));
        Err(match output.status {
            0 => return Ok(()),
            script::LOWER_EPOCH => Fault::refused(format!("another holder has taken over pool {pool} (epoch {said})"))
                .next("look at the dispatch that holds the pool"),
            script::OTHER_INSTALLATION => {
                Fault::refused(format!("this host belongs to installation {said}")).next("swarmdeck hosts claim HOST, if that one is gone")
            }
            script::MOVED => Fault::refused(format!("{file} was changed meanwhile")).next("plan again"),
            script::TEST_FAILED => Fault::failed(format!("nginx refuses its configuration; nothing was changed: {said}"))
                .next(format!("correct what `{}` says", self.place.test_cmd)),
            script::RELOAD_FAILED => Fault::failed(format!("nginx was not reloaded; {file} is as before: {said}"))
                .next(format!("see why `{}` fails", self.place.reload_cmd)),
            script::NOT_TAKEN_UP => {
                Fault::failed(format!("nginx did not take up {file}, which is as before: {said}")).next("look at nginx's error log")
            }
            script::BUSY => Fault::refused("another change of this balancer host is under way").next("try again"),
            script::UNFINISHED => {
                Fault::failed(format!("a change of a pool was cut off half way beside {file}")).next("dispatch again: that puts it right")
            }
            script::NO_PLACE => {
                Fault::failed(format!("{file} cannot be written or read: {said}")).next("look at the directory, its rights and the disk")
            }
            status => Fault::failed(format!("the script for pool {pool} ended with {status}: {said}")),
        }
        .at(format!("balancer {}", self.name)))
    }

    /// Changes one host; what it was changed to is remembered as `written`.
    async fn change(&self, host: &str, link: &dyn Link, pool: &str, to: &Was, expect: Expect<'_>, fence: &Fence) -> Result<()> {
        let body = script::change(&self.place, pool, to.text.as_deref(), expect, fence);
        self.judge(&link.run(&body, script::CHANGE_LIMIT).await?, pool)?;
        self.written.keep(pool, host, to.written.as_deref()).await
    }

    /// Changes every host to its new text, or none: those that succeeded go back when another failed. A host without a new text
    /// is left alone.
    async fn change_all(&self, pool: &str, before: &[HostNodes], new: &BTreeMap<String, Vec<u8>>, fence: &Fence) -> Result<()> {
        let was = Snapshot::of(before);
        let answers = on_each(&self.links, |host, link| {
            let (was, new) = (was.0.get(&host), new.get(&host));
            async move {
                let Some(new) = new else { return Ok(()) };
                let to = Was { text: Some(new.clone()), written: Some(new.clone()) };
                let old = was.and_then(|was| was.text.as_deref());
                self.change(&host, link.as_ref(), pool, &to, Expect::Exactly(old), fence).await
            }
        })
        .await;
        let changed: BTreeSet<String> = answers.iter().filter(|(_, answer)| answer.is_ok()).map(|(host, _)| host.clone()).collect();
        let Err(fault) = all(answers) else { return Ok(()) };
        let back = was.0.into_iter().filter(|(host, _)| changed.contains(host) && new.contains_key(host)).collect();
        match self.restore(pool, &Snapshot(back), fence).await {
            Ok(()) => Err(fault),
            Err(worse) => {
                Err(joined(vec![fault, Fault { what: format!("could not be put back, so hosts disagree: {}", worse.what), ..worse }])
                    .unwrap_or_else(|| Fault::failed("hosts disagree")))
            }
        }
    }

    /// Changes the pool of every host by `edit`, where it is ours.
    async fn edit_all(&self, pool: &str, fence: &Fence, edit: impl Fn(&mut Pool)) -> Result<()> {
        let before = self.nodes(pool).await?;
        let mut new = BTreeMap::new();
        for nodes in &before {
            let mut wanted = ours(nodes, pool, fence)?;
            edit(&mut wanted);
            new.insert(nodes.host.clone(), file::render(&wanted, &fence.installation).into_bytes());
        }
        self.change_all(pool, &before, &new, fence).await
    }
}

#[async_trait]
impl Balancer for Nginx {
    fn describe(&self) -> Description {
        Description {
            name: self.name.clone(),
            backend: "nginx",
            hosts: self.links.iter().map(|(host, _)| host.clone()).collect(),
            place: format!("{}/POOL.conf", self.place.include_dir.trim_end_matches('/')),
            moves_traffic: true,
        }
    }

    async fn look(&self, pool: &str) -> Result<Vec<(String, Result<HostNodes>)>> {
        check_pool(pool)?;
        let body = script::read(&self.place, pool);
        let answers = on_each(&self.links, |host, link| {
            let body = &body;
            async move {
                let output = link.run(body, READ_LIMIT).await?;
                self.judge(&output, pool)?;
                seen(&host, pool, Answer::of(&output)?, &self.written).await
            }
        });
        Ok(answers.await)
    }

    async fn set(&self, pool: &str, desired: &BTreeSet<String>, fence: &Fence) -> Result<()> {
        check(pool, desired)?;
        self.edit_all(pool, fence, |wanted| wanted.hold(desired)).await
    }

    async fn drain(&self, pool: &str, out: &BTreeSet<String>, fence: &Fence) -> Result<()> {
        check(pool, out)?;
        self.edit_all(pool, fence, |wanted| wanted.put_out(out)).await
    }

    async fn restore(&self, pool: &str, before: &Snapshot, fence: &Fence) -> Result<()> {
        check_pool(pool)?;
        let answers = on_each(&self.links, |host, link| async move {
            match before.0.get(&host) {
                Some(was) => self.change(&host, link.as_ref(), pool, was, Expect::Anything, fence).await,
                None => Ok(()),
            }
        });
        all(answers.await).map(drop)
    }

    async fn adopt(&self, pool: &str, fence: &Fence) -> Result<()> {
        let before = self.nodes(pool).await?;
        let mut new = BTreeMap::new();
        for nodes in before.iter().filter(|nodes| nodes.text.is_some()) {
            new.insert(nodes.host.clone(), file::render(&readable(nodes, pool)?, &fence.installation).into_bytes());
        }
        self.change_all(pool, &before, &new, fence).await
    }

    async fn drained(&self, pool: &str, _: &BTreeSet<String>, limit: Duration) -> Result<Drained> {
        check_pool(pool)?;
        // A request that an old worker is still receiving has no connection to a node yet, so the workers are what counts.
        let body = script::drained(&self.place, pool, limit);
        let answers = on_each(&self.links, |_, link| {
            let body = &body;
            async move {
                let output = link.run(body, limit + READ_LIMIT).await?;
                self.judge(&output, pool)?;
                let text = output.text();
                text.trim().parse::<u32>().map_err(|_| Fault::failed(format!("unexpected answer: {text}")))
            }
        });
        Ok(Drained { left: all(answers.await)?.into_iter().filter(|(_, left)| *left > 0).collect() })
    }

    async fn verify(&self, pool: &str, desired: &BTreeSet<String>) -> Result<()> {
        let hosts = self.nodes(pool).await?;
        let body = script::verify(&self.place, pool);
        let answers = on_each(&self.links, |_, link| {
            let body = &body;
            async move {
                let output = link.run(body, READ_LIMIT).await?;
                match output.status {
                    script::TEST_FAILED => Err(Fault::failed(String::from_utf8_lossy(&output.stderr).trim())
                        .next(format!("include {}/*.conf in nginx's http block", self.place.include_dir))),
                    _ => self.judge(&output, pool),
                }
            }
        });
        all(answers.await)?;
        same(pool, &hosts, desired)
    }

    async fn reaches(&self, nodes: &BTreeSet<String>) -> Result<()> {
        let body = script::reaches(nodes);
        let answers = on_each(&self.links, |_, link| {
            let body = &body;
            async move {
                let output = link.run(body, READ_LIMIT).await?;
                let said = output.text();
                match output.status {
                    0 => Ok(()),
                    script::OUT_OF_REACH => Err(Fault::failed(format!("cannot connect to {}", said.trim()))
                        .next("see that routes and firewalls let this host reach the squad's, then dispatch again")),
                    _ => self.judge(&output, ""),
                }
            }
        });
        all(answers.await).map(drop)
    }

    async fn probe(&self, probe: &Probe, asks: Asks) -> Result<Option<String>> {
        probe::through(&self.links, probe, asks).await.map(Some)
    }

    async fn raise(&self, fence: &Fence) -> Result<u64> {
        let body = script::raise(fence);
        let answers = on_each(&self.links, |_, link| {
            let body = &body;
            async move {
                let output = link.run(body, script::CHANGE_LIMIT).await?;
                self.judge(&output, &fence.key)?;
                let text = output.text();
                text.trim().parse::<u64>().map_err(|_| Fault::failed(format!("unexpected answer: {text}")))
            }
        });
        Ok(all(answers.await)?.into_iter().map(|(_, held)| held).max().unwrap_or(fence.epoch))
    }
}
