//! What outlives a proc, in the store: what it left behind, and its last lives.

use super::{EVIDENCE, LIVES};
use crate::deck::{Catalog, Deck};
use crate::hosts::procs::{self, Evidence};
use crate::model::Result;
use crate::model::entity::Host;
use crate::model::life::{KEPT, Life, prefix};
use crate::model::record::{DIED, Event};
use crate::model::world::{HostSeen, Owner, Proc, ProcState};
use std::collections::BTreeMap;
use std::time::Duration;

/// Whose end is longer ago is no news, ms.
const RECENT: i64 = 600_000;
/// How long a host may take to say how its procs ended.
const LIMIT: Duration = Duration::from_secs(20);

impl Deck {
    /// Stores what a removed proc left behind, with its last life.
    pub(in crate::deck) async fn keep_evidence(&self, evidence: &Evidence) -> Result<()> {
        self.store.keep(EVIDENCE, &evidence.key(), evidence, self.now_ms()).await?;
        let life = evidence.life();
        if life.start > 0 && !life.swarm.is_empty() {
            self.keep_lives(&[life]).await?;
        }
        Ok(())
    }

    /// Fetches from hosts what was put aside there and never stored; how many procs that were.
    pub async fn collect_left(&self, catalog: &Catalog) -> Result<usize> {
        let hosts = catalog.hosts()?;
        let each = hosts.iter().map(|host| async move {
            let link = self.links.link(host).await?;
            let left = procs::left(link.as_ref(), &host.root, self.store.installation()).await?;
            for evidence in &left {
                self.keep_evidence(evidence).await?;
            }
            procs::forget(link.as_ref(), &host.root, &left.iter().collect::<Vec<_>>()).await?;
            Ok::<usize, crate::model::Fault>(left.len())
        });
        // A host that does not answer keeps what it has for the next time.
        Ok(futures::future::join_all(each).await.into_iter().filter_map(Result::ok).sum())
    }

    /// Writes lives down that are not known yet: each write wakes every console.
    async fn keep_lives(&self, lives: &[Life]) -> Result<()> {
        let mut by_proc: BTreeMap<String, Vec<&Life>> = BTreeMap::new();
        for life in lives {
            by_proc.entry(prefix(&life.swarm, &life.host, &life.name)).or_default().push(life);
        }
        for (prefix, lives) in by_proc {
            let names = self.store.kept_names(LIVES, &prefix).await?;
            let known: Vec<(i64, u32)> = names.iter().filter_map(|(name, _)| start_and_pid(name.strip_prefix(&prefix)?)).collect();
            // Supervisor's answer and its log may differ by a moment about one start.
            let same = |life: &Life| known.iter().any(|(start, pid)| *pid == life.pid.unwrap_or(0) && (start - life.start).abs() <= 2);
            let new: Vec<(String, &Life)> = lives.into_iter().filter(|life| !same(life)).map(|life| (life.key(), life)).collect();
            if !new.is_empty() {
                self.store.keep_last(LIVES, &prefix, &new, KEPT, self.now_ms()).await?;
                let died: Vec<Event> = new.iter().filter_map(|(_, life)| self.died_event(life)).collect();
                if !died.is_empty() {
                    self.store.note(&died, None).await?;
                }
            }
        }
        Ok(())
    }

    /// That a proc ended though nobody asked; none for what is long over, as at the first look at a host.
    fn died_event(&self, life: &Life) -> Option<Event> {
        let now_ms = self.now_ms();
        let ended_ms = if life.end > 0 { life.end * 1000 } else { now_ms };
        (life.died() && now_ms - ended_ms < RECENT).then(|| Event {
            at_ms: now_ms,
            kind: DIED.into(),
            what: format!("{} on {} died: {}", life.name, life.host, life.how()),
            place: life.host.clone(),
            result: "failed".into(),
            ..Event::default()
        })
    }

    /// The last lives of a proc, newest first.
    pub async fn lives(&self, swarm_id: &str, host: &str, name: &str) -> Result<Vec<Life>> {
        let mut lives = Vec::new();
        for (key, _) in self.store.kept_names(LIVES, &prefix(swarm_id, host, name)).await?.into_iter().rev() {
            lives.extend(self.store.kept::<Life>(LIVES, &key).await.ok().flatten());
        }
        Ok(lives)
    }

    /// Records the lives that ended since the last look; called by whoever looks. What cannot be asked now is asked at the next look.
    pub(in crate::deck) async fn note_lives(&self, catalog: &Catalog, looks: &[(Option<&HostSeen>, &HostSeen)]) {
        let hosts = catalog.hosts().unwrap_or_default();
        let each = looks.iter().filter(|(_, now)| now.is_ok()).filter_map(|(before, now)| {
            let host = hosts.iter().find(|host| host.name == now.name)?;
            let ended: Vec<&Proc> = now.procs.iter().filter(|proc| has_ended(*before, proc)).collect();
            (!ended.is_empty()).then_some((host, ended))
        });
        let all = each.map(|(host, ended)| async move { self.lives_of(host, &ended).await.map(drop) });
        futures::future::join_all(all).await;
    }

    /// Asks a host about procs of ours and records the lives that ended; answers with what it said.
    pub(super) async fn lives_of(&self, host: &Host, of: &[&Proc]) -> Result<Vec<procs::ProcProbe>> {
        let link = self.links.link(host).await?;
        let probes = procs::probe(link.as_ref(), &host.root, &host.supervisor, of, LIMIT).await?;
        let ended: Vec<Life> =
            probes.iter().flat_map(|probe| &probe.lives).filter(|life| life.end > 0 && !life.swarm.is_empty()).cloned().collect();
        if !ended.is_empty() && self.store.look_only().is_none() {
            self.keep_lives(&ended).await?;
        }
        Ok(probes)
    }
}

/// The end of a life's name in the store.
fn start_and_pid(key: &str) -> Option<(i64, u32)> {
    let (start, pid) = key.split_once('-')?;
    Some((start.parse().ok()?, pid.parse().ok()?))
}

/// Whether a life of a proc of ours ended since the last look: it runs under another start, or does not run and did.
fn has_ended(before: Option<&HostSeen>, now: &Proc) -> bool {
    if now.owner == Owner::Foreign || now.stamp.is_none() || now.state == ProcState::Ghost {
        return false;
    }
    let before = before.and_then(|before| before.procs.iter().find(|proc| proc.name == now.name && proc.stamp == now.stamp));
    match before {
        Some(before) if before.start > 0 => before.start != now.start || (now.pid.is_none() && now.stop != before.stop),
        // Seen for the first time: a stop that Supervisor knows of was the end of a life that nobody saw.
        _ => now.state.is_bad() || now.stop > 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proc(start: i64, stop: i64, state: ProcState) -> Proc {
        let text = format!(
            r#"{{"host": "web01", "name": "p", "app": "a", "version": "v", "config": "c", "release": "r", "proc": "p", "port": 5000, "state": "{}",
            "pid": {}, "start": {start}, "stop": {stop}, "now": 9, "exit_status": null, "spawn_error": "", "description": "",
            "stamp": {{"installation": "i", "swarm": "s", "dispatch": "d", "instance": "n"}}, "owner": "ours", "swarm": null, "foreign_of": null,
            "routed": null}}"#,
            state.word(),
            if state == ProcState::Running { "7" } else { "null" }
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_life_has_ended_when_another_began_or_it_does_not_run() {
        let seen = |proc: Proc| HostSeen { procs: vec![proc], ..crate::fleet::observe::unseen(&crate::fleet::classify::tests::host()) };
        let runs = seen(proc(5, 0, ProcState::Running));
        assert!(!has_ended(None, &proc(5, 0, ProcState::Running)));
        assert!(!has_ended(Some(&runs), &proc(5, 0, ProcState::Running)));
        assert!(has_ended(Some(&runs), &proc(6, 0, ProcState::Running)), "started anew");
        assert!(has_ended(Some(&runs), &proc(5, 8, ProcState::Stopped)), "stopped");
        assert!(has_ended(None, &proc(5, 8, ProcState::Fatal)), "dead when first seen");
        assert!(!has_ended(Some(&seen(proc(5, 8, ProcState::Fatal))), &proc(5, 8, ProcState::Fatal)), "known");
    }
}
