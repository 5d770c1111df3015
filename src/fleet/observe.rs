//! Looks at hosts, all at once, each with a deadline: one dead host never delays the others, and not seen is never gone.

use super::classify::{self, Known};
use crate::hosts::Link;
use crate::hosts::procs::{self, HostReport};
use crate::model::entity::Host;
use crate::model::world::{HostSeen, HostState};
use crate::model::{Fault, Result};
use futures::future::{BoxFuture, join_all};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long one look at a host may take.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// A host that can be talked to.
#[derive(Clone)]
pub struct Reached {
    pub link: Arc<dyn Link>,
    /// The address under which balancers and uptests know it.
    pub address: String,
}

/// What a look brought, put together with what was seen before. Pure: `now_ms` is our clock, ms since 1970.
pub fn seen(host: &Host, known: &Known, before: Option<&HostSeen>, now_ms: i64, look: Result<(HostReport, String)>) -> HostSeen {
    let mut seen = before.cloned().unwrap_or_else(|| unseen(host));
    (seen.id, seen.name, seen.squad, seen.active) = (host.id.clone(), host.name.clone(), host.squad.clone(), host.active);
    seen.asked_ms = now_ms;
    let (report, address) = match look {
        Ok(look) => look,
        Err(fault) => {
            seen.state = HostState::Unreachable(fault.what);
            seen.procs = classify::not_seen(&seen.procs);
            return seen;
        }
    };
    seen.procs = classify::procs(known, host, &report, &seen.procs);
    seen.state = match &report.processes {
        Ok(_) => HostState::Ok,
        Err(fault) => HostState::Degraded(fault.what.clone()),
    };
    if seen.state == HostState::Ok {
        seen.seen_ms = now_ms;
    }
    seen.address = address;
    seen.installation = report.installation;
    seen.listening = report.listening;
    seen.builds = report.builds;
    seen.fences = report.fences;
    (seen.load, seen.disk_free) = (report.load, report.disk_free);
    (seen.memory_total, seen.memory_free) = (report.memory_total, report.memory_free);
    seen
}

/// A host that was never asked.
pub fn unseen(host: &Host) -> HostSeen {
    HostSeen {
        id: host.id.clone(),
        name: host.name.clone(),
        squad: host.squad.clone(),
        active: host.active,
        state: HostState::Unseen,
        seen_ms: 0,
        asked_ms: 0,
        address: host.address.clone(),
        installation: None,
        procs: Vec::new(),
        listening: Default::default(),
        builds: Default::default(),
        fences: BTreeMap::new(),
        load: None,
        memory_total: None,
        memory_free: None,
        disk_free: None,
    }
}

/// Looks at one host: connects, runs the script, asks Supervisor, all within `deadline`.
pub async fn poll(
    host: &Host,
    known: &Known<'_>,
    before: Option<&HostSeen>,
    now_ms: i64,
    deadline: Duration,
    reach: BoxFuture<'_, Result<Reached>>,
) -> HostSeen {
    let look = async {
        let reached = reach.await?;
        let report = procs::observe(&*reached.link, host, deadline).await?;
        Ok((report, reached.address))
    };
    let late = || Fault::unreachable(format!("no answer within {}", humantime::format_duration(deadline))).on(&host.name);
    let look = tokio::time::timeout(deadline, look).await.unwrap_or_else(|_| Err(late()));
    seen(host, known, before, now_ms, look)
}

/// Looks at all hosts at once; the answer is in their order and takes at most `deadline` however many are dead. `reach` gives the
/// link to a host (it keeps connections; it is called once per host).
pub async fn poll_all<'a>(
    hosts: &[Host],
    known: &Known<'_>,
    before: &BTreeMap<String, HostSeen>,
    now_ms: i64,
    deadline: Duration,
    reach: impl Fn(&Host) -> BoxFuture<'a, Result<Reached>>,
) -> Vec<HostSeen> {
    join_all(hosts.iter().map(|host| poll(host, known, before.get(&host.name), now_ms, deadline, reach(host)))).await
}

#[cfg(test)]
mod tests {
    use super::super::classify::tests::{host, swarm};
    use super::*;
    use crate::hosts::Local;
    use crate::hosts::procs::rig::Rig;
    use crate::model::world::{Owner, ProcState};
    use std::time::Instant;

    const SHORT: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_dead_host_delays_nobody_and_keeps_its_procs_unseen() {
        let rig = Rig::new().await;
        let spec = rig.spec("i-1");
        procs::start(&rig.link, &rig.fence(), &rig.at, std::slice::from_ref(&spec)).await.unwrap();
        rig.running(&spec.name).await;
        let mut own = swarm();
        own.id = Some("swarm-1".into());
        let swarms = [own];
        let known = Known { installation: "here-1", swarms: &swarms };
        let hosts = [rig.host(), Host { name: "dead".into(), ..host() }];
        let alive = |host: &Host| -> BoxFuture<'static, Result<Reached>> {
            let (dead, name) = (host.name == "dead", host.name.clone());
            Box::pin(async move {
                if dead {
                    std::future::pending::<()>().await;
                }
                Ok(Reached { link: Arc::new(Local::new(name)), address: "127.0.0.1".into() })
            })
        };
        let begun = Instant::now();
        let all = poll_all(&hosts, &known, &BTreeMap::new(), 1000, SHORT, alive).await;
        assert!(begun.elapsed() < SHORT + Duration::from_secs(3));
        assert_eq!((&all[0].state, all[0].seen_ms), (&HostState::Ok, 1000));
        assert!(matches!(&all[1].state, HostState::Unreachable(why) if why.contains("5s")), "{:?}", all[1].state);
        let mine = &all[0].procs[0];
        assert_eq!((mine.owner, mine.state, mine.swarm.as_deref()), (Owner::Ours, ProcState::Running, Some("shop-prod-web@web")));

        // The same host when it does not answer, and when only its Supervisor does not.
        let before: BTreeMap<_, _> = all.into_iter().map(|seen| (seen.name.clone(), seen)).collect();
        let gone = Host { name: "web01".into(), ..rig.host() };
        let refused = |_: &Host| -> BoxFuture<'static, Result<Reached>> { Box::pin(async { Err(Fault::unreachable("no route")) }) };
        let all = poll_all(std::slice::from_ref(&gone), &known, &before, 2000, SHORT, refused).await;
        assert_eq!((&all[0].state, all[0].seen_ms, all[0].asked_ms), (&HostState::Unreachable("no route".into()), 1000, 2000));
        assert_eq!((all[0].procs.len(), all[0].procs[0].state), (1, ProcState::Unknown));
        let mut silent = rig.host();
        silent.supervisor.socket = "/nowhere.sock".into();
        let all = poll_all(std::slice::from_ref(&silent), &known, &before, 3000, SHORT, alive).await;
        assert!(matches!(all[0].state, HostState::Degraded(_)));
        assert_eq!((all[0].procs.len(), all[0].procs[0].state, all[0].seen_ms), (1, ProcState::Unknown, 1000));
        assert!(all[0].listening.contains(&spec.port));
    }
}
