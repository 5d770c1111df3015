//! What can be undone: each with the verb that takes it back. Pure; nothing is done here.

use super::look::{Look, Target};
use crate::model::document::Kind;
use crate::model::quote::quote;
use crate::model::record::{Dispatch, Outcome};
use std::collections::BTreeSet;

/// How many saves are listed, the newest.
const SAVES: usize = 50;

/// One thing that can be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undoable {
    /// What the verb is done to.
    pub target: Target,
    pub verb: &'static str,
    /// What was done: `dispatch 412: v1 -> v2`.
    pub what: String,
    /// What it was done to.
    pub object: String,
    pub who: String,
    /// ms since the epoch; 0 is not known.
    pub at_ms: i64,
    /// What taking it back does.
    pub back: String,
    /// The same on the command line.
    pub command: String,
}

/// Everything that can be taken back now, the newest first.
pub fn undoable(look: &Look) -> Vec<Undoable> {
    let mut all: Vec<Undoable> = dispatches(look);
    all.extend(saves(look));
    all.extend(look.holds.iter().map(|hold| Undoable {
        target: Target::Hold(hold.name.clone()),
        verb: "lift",
        what: format!("hold: {}", hold.why),
        object: if hold.object.is_empty() { hold.on.word().into() } else { hold.object.clone() },
        who: hold.who.clone(),
        at_ms: hold.since_ms,
        back: format!("lift {}", hold.name),
        command: format!("swarmdeck lift {}", quote(&hold.name)),
    }));
    all.extend(look.hosts.iter().filter(|host| !host.active).map(|host| {
        let line = look.lists.audit.iter().find(|line| line.verb == "out-of-service" && line.object == host.name);
        Undoable {
            target: Target::Host(host.name.clone()),
            verb: "in-service",
            what: "out of service".into(),
            object: host.name.clone(),
            who: line.map(|line| line.who.clone()).unwrap_or_default(),
            at_ms: line.map_or(0, |line| line.at_ms),
            back: "in service".into(),
            command: format!("swarmdeck hosts in-service {}", quote(&host.name)),
        }
    }));
    all.extend(look.lists.deleted.iter().map(|gone| Undoable {
        target: Target::Version(gone.id.clone(), gone.rev - 1),
        verb: "revert",
        what: "deleted".into(),
        object: format!("{} {}", gone.kind.word(), gone.name),
        who: gone.who.clone(),
        at_ms: gone.at_ms,
        back: "write it again".into(),
        command: format!("swarmdeck revert {} {} {}", gone.kind.word(), quote(&gone.name), gone.rev - 1),
    }));
    all.extend(look.strays.iter().filter(|stray| stray.ignored).map(|stray| Undoable {
        target: Target::Stray(stray.place.clone(), stray.name.clone()),
        verb: "ignore",
        what: "said to be known".into(),
        object: format!("{}:{}", stray.place, stray.name),
        who: String::new(),
        at_ms: 0,
        back: "show it as trouble".into(),
        command: format!("swarmdeck ignore {} {} --take-back", quote(&stray.place), quote(&stray.name)),
    }));
    all.sort_by_key(|undo| std::cmp::Reverse(undo.at_ms));
    all
}

/// Those under way are cancelled; of those that are done the one that a swarm runs now is rolled back.
fn dispatches(look: &Look) -> Vec<Undoable> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut newest: Vec<&Dispatch> = look.dispatches.iter().collect();
    newest.sort_by_key(|dispatch| -dispatch.number);
    let mut all = Vec::new();
    for dispatch in newest {
        let way = format!("{} {}: {} -> {}", dispatch.verb, dispatch.number, or_nothing(&dispatch.from_version), dispatch.to_version);
        let undo = |target: Target, verb: &'static str, back: String, command: String| Undoable {
            target,
            verb,
            what: way.clone(),
            object: dispatch.swarm.clone(),
            who: dispatch.who.clone(),
            at_ms: dispatch.ended_ms.max(dispatch.started_ms),
            back,
            command,
        };
        match dispatch.outcome {
            None | Some(Outcome::Interrupted) if !dispatch.undoing => {
                let command = format!("swarmdeck cancel {}", dispatch.number);
                all.push(undo(Target::Dispatch(dispatch.id.clone()), "cancel", "cancel it".into(), command));
            }
            Some(Outcome::Done) if seen.insert(&dispatch.swarm_id) => {
                let there = look.swarms.iter().any(|swarm| swarm.id == dispatch.swarm_id);
                if there && !dispatch.from_release.is_empty() && dispatch.from_release != dispatch.to_release {
                    let back = format!("roll back to {}", or_nothing(&dispatch.from_version));
                    let command = format!("swarmdeck rollback {}", quote(&dispatch.swarm));
                    all.push(undo(Target::Swarm(dispatch.swarm_id.clone()), "rollback", back, command));
                }
            }
            _ => {}
        }
    }
    all
}

fn saves(look: &Look) -> Vec<Undoable> {
    let had_another =
        |(id, saved): &(&String, &super::lists::Saved)| saved.rev > 1 && !look.lists.ends.contains(&((*id).clone(), saved.rev - 1));
    let mut saves: Vec<_> = look.lists.saved.iter().filter(had_another).collect();
    saves.sort_by_key(|(_, saved)| std::cmp::Reverse(saved.at_ms));
    let undo = |(id, saved): (&String, &super::lists::Saved)| {
        let object = if saved.kind == Kind::Swarm { saved.name.clone() } else { format!("{} {}", saved.kind.word(), saved.name) };
        Undoable {
            target: Target::Version(id.clone(), saved.rev - 1),
            verb: "revert",
            what: format!("saved, version {}", saved.rev),
            object,
            who: saved.who.clone(),
            at_ms: saved.at_ms,
            back: format!("write version {} again", saved.rev - 1),
            command: format!("swarmdeck revert {} {} {}", saved.kind.word(), quote(&saved.name), saved.rev - 1),
        }
    };
    saves.into_iter().take(SAVES).map(undo).collect()
}

fn or_nothing(version: &str) -> &str {
    if version.is_empty() { "nothing" } else { version }
}
