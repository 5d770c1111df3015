//! Procs that a dispatch made and nobody has seen since: a host that falls silent right after it is not empty (DESIGN promise 4).

use super::{Deck, Entry};
use crate::model::Result;
use crate::model::entity::Swarm;
use crate::model::world::{HostSeen, Owner, Proc, ProcState, Stamp, World};
use crate::plan::Plan;

impl Deck {
    /// Adds what the swarm's last dispatch left on hosts that do not answer now and did not since it ended.
    pub(super) async fn add_made_and_never_seen(&self, entry: &Entry<Swarm>, world: &mut World) -> Result<()> {
        let Some(run) = self.store.current_run(&entry.id).await? else { return Ok(()) };
        let Some(plan) = self.store.kept::<Plan>("plan", &run.dispatch_id).await? else { return Ok(()) };
        add(world, &plan, run.at_ms, entry, self.store.installation());
        Ok(())
    }
}

fn add(world: &mut World, plan: &Plan, ended_ms: i64, entry: &Entry<Swarm>, installation: &str) {
    for made in plan.start.iter().chain(&plan.keep) {
        let silent_since = |seen: &&mut HostSeen| !seen.is_ok() && seen.seen_ms < ended_ms;
        let Some(seen) = world.hosts.get_mut(&made.host).filter(silent_since) else { continue };
        if seen.procs.iter().any(|proc| proc.name == made.name) {
            continue;
        }
        seen.procs.push(Proc {
            host: made.host.clone(),
            name: made.name.clone(),
            app: plan.app.clone(),
            version: plan.to.version.clone(),
            config: entry.body.config_name.clone(),
            release: made.release.clone(),
            proc: plan.proc_name.clone(),
            port: Some(made.port),
            state: ProcState::Unknown,
            pid: None,
            start: 0,
            stop: 0,
            now: 0,
            exit_status: None,
            spawn_error: String::new(),
            description: String::new(),
            stamp: Some(Stamp {
                installation: installation.to_string(),
                swarm: entry.id.clone(),
                dispatch: plan.id.clone(),
                instance: made.instance.clone(),
            }),
            owner: Owner::Ours,
            swarm: Some(entry.name.clone()),
            foreign_of: None,
            routed: None,
            cpu_percent: None,
            rss_bytes: None,
            cpu: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::world::HostState;
    use crate::plan::PlannedProc;

    #[test]
    fn what_was_made_on_a_host_that_fell_silent_before_anybody_looked_is_not_forgotten() {
        let host = crate::fleet::classify::tests::host();
        let made = PlannedProc {
            host: host.name.clone(),
            name: "shop-v1-prod-r-web-5000".into(),
            port: 5000,
            node: "h:5000".into(),
            instance: "i1".into(),
            pid: None,
            release: "r".into(),
            batch: 0,
        };
        let plan = Plan { start: vec![made], ..Plan::default() };
        let body: Swarm =
            serde_json::from_str(r#"{"app":"shop","config_name":"prod","proc_name":"web","squad":"web","version":"v1"}"#).unwrap();
        let entry =
            Entry { id: "s1".into(), name: body.full_name(), rev: 1, text: String::new(), body, changed_ms: 0, changed_by: String::new() };
        let after = |state: HostState, seen_ms: i64| {
            let mut world = World::default();
            world.hosts.insert(host.name.clone(), HostSeen { state, seen_ms, ..crate::fleet::observe::unseen(&host) });
            add(&mut world, &plan, 100, &entry, "me");
            add(&mut world, &plan, 100, &entry, "me");
            world.procs().map(|proc| proc.stamp.clone().unwrap().instance).collect::<Vec<_>>()
        };
        let silent = || HostState::Unreachable("no route".into());
        assert_eq!(after(silent(), 99), ["i1"]);
        assert!(after(silent(), 101).is_empty(), "it was looked at since: what is not there is gone");
        assert!(after(HostState::Ok, 99).is_empty());
    }
}
