//! The rule for several balancer hosts: asked and changed in parallel, and one fault that tells of all of them.

use super::Links;
use crate::hosts::link::Link;
use crate::model::{Fault, Result};
use futures::future::join_all;
use std::future::Future;
use std::sync::Arc;

/// Does the same on every host at once; the answers come in host order, every fault names its host.
pub(super) async fn on_each<T, F, W>(links: &Links, work: W) -> Vec<(String, Result<T>)>
where
    F: Future<Output = Result<T>>,
    W: Fn(String, Arc<dyn Link>) -> F,
{
    join_all(links.iter().map(|(host, link)| {
        let doing = work(host.clone(), Arc::clone(link));
        async move { (host.clone(), doing.await.map_err(|fault| fault.on(host))) }
    }))
    .await
}

/// All answers, or one fault: the first, with the other hosts' behind it.
pub(super) fn all<T>(answers: Vec<(String, Result<T>)>) -> Result<Vec<(String, T)>> {
    let mut good = Vec::new();
    let mut faults = Vec::new();
    for (host, answer) in answers {
        match answer {
            Ok(value) => good.push((host, value)),
            Err(fault) => faults.push(fault),
        }
    }
    match joined(faults) {
        Some(fault) => Err(fault),
        None => Ok(good),
    }
}

/// Several faults as one: the first, its sentence followed by the others'.
pub(super) fn joined(faults: Vec<Fault>) -> Option<Fault> {
    let mut faults = faults.into_iter();
    let mut first = faults.next()?;
    for other in faults {
        first.what.push_str(&format!("; and {}", Fault { next: None, ..other }.line()));
    }
    Some(first)
}
