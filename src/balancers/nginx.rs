//! The `nginx` balancer: one upstream file per pool in an include directory, on one or several hosts at once (VR-82).

pub mod examine;
pub mod file;
mod script;
#[cfg(test)]
mod tests;

use super::all_or_none::{all, joined, on_each};
use super::pool::{Description, Drained, Fence, HostNodes, Owner, Snapshot, check, check_pool, same};
use super::{Balancer, Links, Remember};
use crate::hosts::link::{Link, Output};
use crate::model::{Fault, Result, entity};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use file::Pool;
use script::{Expect, Place};
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
}

/// Opens it; connects to nothing yet.
pub(super) fn open(balancer: &entity::Balancer, links: Links, _: Arc<dyn Remember>) -> Result<Arc<dyn Balancer>> {
    if links.is_empty() {
        return Err(Fault::bad(format!("balancer {} has no hosts", balancer.name)).next("give it hosts: [NAME]"));
    }
    let place = Place::of(balancer);
    if !place.include_dir.starts_with('/') {
        return Err(Fault::bad(format!("balancer {}: include_dir `{}` is not absolute", balancer.name, place.include_dir)));
    }
    Ok(Arc::new(Nginx { name: balancer.name.clone(), place, links }))
}

impl Nginx {
    async fn read(&self, pool: &str) -> Result<Vec<HostNodes>> {
        check_pool(pool)?;
        let body = script::read(&self.place, pool);
        let answers = on_each(&self.links, |host, link| {
            let body = &body;
            async move {
                let output = link.run(body, READ_LIMIT).await?;
                self.judge(&output, pool)?;
                Ok(seen(&host, pool, content(&output)?))
            }
        });
        Ok(all(answers.await)?.into_iter().map(|(_, nodes)| nodes).collect())
    }

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

    async fn change(&self, link: &dyn Link, pool: &str, new: Option<&[u8]>, expect: Expect<'_>, fence: &Fence) -> Result<()> {
        let body = script::change(&self.place, pool, new, expect, fence);
        self.judge(&link.run(&body, script::CHANGE_LIMIT).await?, pool)
    }

    /// Changes every host to its new text, or none: those that succeeded go back when another failed.
    async fn change_all(&self, pool: &str, before: &[HostNodes], new: &BTreeMap<String, Vec<u8>>, fence: &Fence) -> Result<()> {
        let text = |host: &str| before.iter().find(|nodes| nodes.host == host).and_then(|nodes| nodes.text.as_deref());
        let answers = on_each(&self.links, |host, link| async move {
            let old = text(&host);
            self.change(link.as_ref(), pool, new.get(&host).map(Vec::as_slice).or(old), Expect::Exactly(old), fence).await
        })
        .await;
        let changed: BTreeSet<String> = answers.iter().filter(|(_, answer)| answer.is_ok()).map(|(host, _)| host.clone()).collect();
        let Err(fault) = all(answers) else { return Ok(()) };
        let back: BTreeMap<_, _> = changed.iter().map(|host| (host.clone(), text(host).map(<[u8]>::to_vec))).collect();
        match self.restore(pool, &Snapshot(back), fence).await {
            Ok(()) => Err(fault),
            Err(worse) => {
                Err(joined(vec![fault, Fault { what: format!("could not be put back, so hosts disagree: {}", worse.what), ..worse }])
                    .unwrap_or_else(|| Fault::failed("hosts disagree")))
            }
        }
    }
}

/// The file in a read script's output.
fn content(output: &Output) -> Result<Option<Vec<u8>>> {
    let text = output.text();
    match text.split_once('\n') {
        Some(("absent", _)) => Ok(None),
        Some(("present", coded)) => {
            let coded: String = coded.split_whitespace().collect();
            STANDARD.decode(coded).map(Some).map_err(|_| Fault::failed("the pool's file was cut off on its way"))
        }
        _ => Err(Fault::failed(format!("unexpected answer: {text}"))),
    }
}

fn seen(host: &str, pool: &str, text: Option<Vec<u8>>) -> HostNodes {
    let mut nodes = HostNodes { host: host.into(), nodes: BTreeMap::new(), owner: Owner::Nobody, edited_by_hand: None, text };
    if let Some(bytes) = &nodes.text {
        let read = file::read(pool, bytes);
        nodes.owner = read.owner;
        match read.pool {
            Ok(pool) => {
                nodes.nodes = pool.nodes();
                nodes.edited_by_hand = read.edited.then(|| crate::model::shown::shown(&file::edits(&pool)));
            }
            Err(why) => nodes.edited_by_hand = Some(crate::model::shown::shown(&format!("it cannot be read as a pool: {why}"))),
        }
    }
    nodes
}

/// The pool in a file that is ours to change.
fn ours(nodes: &HostNodes, pool: &str, fence: &Fence) -> Result<Pool> {
    let adopt = |whose: String| {
        Err(Fault::refused(format!("the file of pool {pool} is not ours: {whose}"))
            .on(&nodes.host)
            .next(format!("swarmdeck adopt pool {pool}@BALANCER, or name another pool")))
    };
    match &nodes.owner {
        Owner::Nobody => Ok(Pool { name: pool.into(), ..Pool::default() }),
        Owner::Installation(id) if *id == fence.installation => readable(nodes, pool),
        Owner::Installation(id) => adopt(format!("it belongs to installation {id}")),
        Owner::Velociraptor => adopt("it has Velociraptor's form".into()),
        Owner::Stranger => adopt("somebody else wrote it".into()),
    }
}

fn readable(nodes: &HostNodes, pool: &str) -> Result<Pool> {
    file::read(pool, nodes.text.as_deref().unwrap_or_default()).pool.map_err(|why| {
        Fault::refused(format!("the file of pool {pool} cannot be read as one upstream block: {why}"))
            .on(&nodes.host)
            .next("leave only `upstream POOL { … }` in it, or take it away")
    })
}

#[async_trait]
impl Balancer for Nginx {
    fn describe(&self) -> Description {
        Description {
            name: self.name.clone(),
            backend: "nginx",
            hosts: self.links.iter().map(|(host, _)| host.clone()).collect(),
            place: format!("{}/POOL.conf", self.place.include_dir.trim_end_matches('/')),
        }
    }

    async fn nodes(&self, pool: &str) -> Result<Vec<HostNodes>> {
        self.read(pool).await
    }

    async fn set(&self, pool: &str, desired: &BTreeSet<String>, fence: &Fence) -> Result<()> {
        check(pool, desired)?;
        let before = self.read(pool).await?;
        let mut new = BTreeMap::new();
        for nodes in &before {
            let mut wanted = ours(nodes, pool, fence)?;
            wanted.hold(desired);
            new.insert(nodes.host.clone(), file::render(&wanted, &fence.installation).into_bytes());
        }
        self.change_all(pool, &before, &new, fence).await
    }

    async fn restore(&self, pool: &str, before: &Snapshot, fence: &Fence) -> Result<()> {
        check_pool(pool)?;
        let answers = on_each(&self.links, |host, link| async move {
            match before.0.get(&host) {
                Some(text) => self.change(link.as_ref(), pool, text.as_deref(), Expect::Anything, fence).await,
                None => Ok(()),
            }
        });
        all(answers.await).map(drop)
    }

    async fn adopt(&self, pool: &str, fence: &Fence) -> Result<()> {
        let before = self.read(pool).await?;
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
        let hosts = self.read(pool).await?;
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
