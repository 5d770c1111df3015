//! What one host's answer says of a pool: its nodes with their connections, whose it is, and what was edited by hand.

use super::super::pool::{Fence, HostNodes, NodeState, Owner};
use super::super::written::{Written, edit};
use super::file::{self, Pool};
use crate::hosts::link::Output;
use crate::model::{Fault, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;

/// The output of a read script: the file, and how many connections go to each of its nodes.
pub struct Answer {
    text: Option<Vec<u8>>,
    connections: BTreeMap<String, u32>,
}

impl Answer {
    /// `connections` lines `COUNT NODE` behind the coded file.
    pub fn of(output: &Output) -> Result<Answer> {
        let all = output.text();
        let unexpected = || Fault::failed(format!("unexpected answer: {all}"));
        let (file, counts) = all.split_once("connections\n").ok_or_else(unexpected)?;
        let text = match file.split_once('\n') {
            Some(("absent", _)) => None,
            Some(("present", coded)) => {
                let coded: String = coded.split_whitespace().collect();
                Some(STANDARD.decode(coded).map_err(|_| Fault::failed("the pool's file was cut off on its way"))?)
            }
            _ => return Err(unexpected()),
        };
        let count = |line: &str| line.split_once(' ').and_then(|(count, node)| Some((node.to_string(), count.parse().ok()?)));
        Ok(Answer { text, connections: counts.lines().filter_map(count).collect() })
    }
}

/// The pool on one host. Its own mark says whether it is as we wrote it; what it was is remembered by us.
pub async fn seen(host: &str, pool: &str, answer: Answer, written: &Written) -> Result<HostNodes> {
    let Answer { text, connections } = answer;
    let none = BTreeMap::new();
    let mut nodes =
        HostNodes { host: host.into(), nodes: none, connections, owner: Owner::Nobody, edited_by_hand: None, text, written: None };
    let mut why = None;
    let mut is_marked = false;
    if let Some(bytes) = &nodes.text {
        let read = file::read(pool, bytes);
        is_marked = matches!(read.owner, Owner::Installation(_));
        nodes.owner = read.owner;
        match read.pool {
            Ok(pool) => {
                nodes.nodes = pool.nodes();
                why = read.edited.then(|| file::edits(&pool));
            }
            Err(what) => why = Some(format!("it cannot be read as a pool: {what}")),
        }
        for (node, state) in &mut nodes.nodes {
            // It gets nothing new, and still serves what it has.
            if *state == NodeState::Down && nodes.connections.get(node).is_some_and(|count| *count > 0) {
                *state = NodeState::Draining;
            }
        }
    }
    if is_marked && why.is_none() {
        nodes.written = nodes.text.clone();
        return Ok(nodes);
    }
    nodes.written = written.last(pool, host).await?;
    if !is_marked && nodes.written.is_some() {
        why = Some(if nodes.text.is_some() { "our mark in it is gone: it was written anew" } else { "its file is gone" }.into());
    }
    // A file that never was ours has not been edited, however odd it is.
    nodes.edited_by_hand =
        why.filter(|_| is_marked || nodes.written.is_some()).map(|why| edit(&why, nodes.written.as_deref(), nodes.text.as_deref()));
    Ok(nodes)
}

/// The pool in a file that is ours to change.
pub fn ours(nodes: &HostNodes, pool: &str, fence: &Fence) -> Result<Pool> {
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

/// The pool in a file of any author.
pub fn readable(nodes: &HostNodes, pool: &str) -> Result<Pool> {
    file::read(pool, nodes.text.as_deref().unwrap_or_default()).pool.map_err(|why| {
        Fault::refused(format!("the file of pool {pool} cannot be read as one upstream block: {why}"))
            .on(&nodes.host)
            .next("leave only `upstream POOL { … }` in it, or take it away")
    })
}
