//! Whether this process may change anything (`read_only` of the fleet, a store that cannot be written), and what is protected.

use super::{Catalog, Deck, locked};
use crate::model::hold::HoldOn;
use crate::model::protect::{Protected, Protection, Touched};
use crate::model::record::{Audit, Event};
use crate::model::writing::{LONGEST_MS, Writing};
use crate::model::{Fault, Result, document};
use std::time::Duration;

impl Deck {
    /// Whether anything may be changed from here.
    pub fn writing(&self) -> Writing {
        match self.store.look_only() {
            Some(why) => Writing::Never(why),
            None if !self.home.config.read_only => Writing::Always,
            None => locked(&self.lifted).clone(),
        }
    }

    /// Refuses where nothing may be changed from here.
    pub fn may_change(&self) -> Result<()> {
        self.writing().refusal(self.now_ms()).map_or(Ok(()), Err)
    }

    /// Lifts that the fleet is read-only, for this process alone: for a while (ms), or (0) while it lives. It is an event and an audit line.
    pub async fn lift_read_only(&self, for_ms: i64, why: &str) -> Result<String> {
        let why = why.trim();
        match self.writing() {
            Writing::Always => return Ok("this fleet is not read-only".into()),
            Writing::Never(why) => {
                return Err(Fault::refused(format!("nothing can be written: {why}")).next("be the user who may write it"));
            }
            Writing::Until { .. } | Writing::ReadOnly => {}
        }
        if why.is_empty() {
            return Err(Fault::bad("say why this is changed by hand: others will read it").next(":write 15m WHY, or --write WHY"));
        }
        if !(0..=LONGEST_MS).contains(&for_ms) {
            return Err(Fault::bad("it is lifted for 12h at most").next(":write 15m WHY"));
        }
        let until_ms = if for_ms == 0 { 0 } else { self.now_ms() + for_ms };
        let end = if for_ms == 0 { "while this command runs".to_string() } else { format!("until {}", minute(until_ms)) };
        self.tell_of_writing(&format!("may change this fleet {end}"), &end, why).await?;
        *locked(&self.lifted) = Writing::Until { until_ms, why: why.to_string() };
        self.refresh_soon();
        if for_ms > 0 {
            let deck = self.clone();
            // The look says it at once when it has fallen back.
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(u64::try_from(for_ms).unwrap_or(0))).await;
                deck.refresh_soon();
            });
        }
        Ok(format!("this console may change things {end}"))
    }

    /// Looks only again, before the time is over.
    pub async fn read_only_again(&self) -> Result<String> {
        if matches!(self.writing(), Writing::Until { .. }) && self.may_change().is_ok() {
            self.tell_of_writing("only looks again", "read-only", "").await?;
            *locked(&self.lifted) = Writing::ReadOnly;
            self.refresh_soon();
        }
        match self.writing() {
            Writing::Always => Ok("this fleet is not read-only: read_only: true in its config.yaml makes it so".into()),
            _ => Ok("this console only looks".into()),
        }
    }

    async fn tell_of_writing(&self, what: &str, end: &str, why: &str) -> Result<()> {
        let (at_ms, who, place) = (self.now_ms(), self.who.clone(), self.fleet_name());
        let what = format!("{who} {what}");
        let event = Event {
            at_ms,
            kind: "write".into(),
            who: who.clone(),
            what,
            place: place.clone(),
            result: "warning".into(),
            why: why.into(),
            ..Event::default()
        };
        let audit = Audit { at_ms, who, verb: "write".into(), object: place, result: end.into(), why: why.into(), ..Audit::default() };
        self.store.note(&[event], Some(&audit)).await
    }

    /// What the fleet is called.
    pub fn fleet_name(&self) -> String {
        self.home.config.name.clone().unwrap_or_else(|| "FLEET".into())
    }

    /// What is protected now.
    pub(super) fn protection_in(&self, catalog: &Catalog) -> Result<Protection> {
        let mut all = Protection::default();
        if self.home.config.protect {
            all.fleet(&self.fleet_name());
        }
        let by = |on: HoldOn, name: &str| Protected { on, name: name.to_string() };
        let squads: Vec<&str> = catalog.squads.iter().filter(|squad| squad.body.protect).map(|squad| squad.name.as_str()).collect();
        for swarm in &catalog.swarms {
            if swarm.body.protect {
                all.swarm(&swarm.id, by(HoldOn::Swarm, &swarm.name));
            }
            if squads.contains(&swarm.body.squad.as_str()) {
                all.swarm(&swarm.id, by(HoldOn::Squad, &swarm.body.squad));
            }
        }
        let hosts = catalog.hosts()?;
        let host = |all: &mut Protection, host: &crate::model::entity::Host| {
            if host.protect {
                all.host(&host.name, by(HoldOn::Host, &host.name));
            }
            if squads.contains(&host.squad.as_str()) {
                all.host(&host.name, by(HoldOn::Squad, &host.squad));
            }
        };
        hosts.iter().for_each(|known| host(&mut all, known));
        for balancer in &catalog.balancers {
            for known in document::balancer_hosts(&balancer.body, &hosts)? {
                host(&mut all, &known);
                if let Some(by) = all.of_host(&known.name).cloned() {
                    all.balancer(&balancer.name, by);
                }
            }
        }
        Ok(all)
    }

    /// The most protected of what an act changes; none when a `y` is enough.
    pub async fn protected(&self, touched: &Touched) -> Result<Option<Protected>> {
        Ok(self.protection_in(&self.catalog().await?)?.over(touched).cloned())
    }

    /// What a verb on a proc changes: its host, and the swarm that it is known to belong to.
    pub async fn touched_by_proc(&self, host: &str, name: &str) -> Touched {
        let mut touched = Touched::default();
        touched.place(host);
        // What this process saw, else what any saw last.
        let mut seen = self.last_world().await.hosts.get(host).cloned();
        if seen.is_none() {
            seen = self.store.seen().await.unwrap_or_default().into_iter().find(|seen| seen.name == host);
        }
        let proc = seen.and_then(|seen| seen.procs.into_iter().find(|proc| proc.name == name));
        touched.swarms.extend(proc.and_then(|proc| proc.stamp).map(|stamp| stamp.swarm));
        touched
    }

    /// What a verb on a pool changes: its balancer, and the swarm whose pool it is.
    pub async fn touched_by_pool(&self, balancer: &str, pool: &str) -> Result<Touched> {
        let mut touched = Touched { balancers: [balancer.to_string()].into(), ..Touched::default() };
        let catalog = self.catalog().await?;
        let its = catalog
            .swarms
            .iter()
            .filter(|swarm| swarm.body.balancer.as_deref() == Some(balancer) && swarm.body.pool.as_deref() == Some(pool));
        touched.swarms.extend(its.map(|swarm| swarm.id.clone()));
        Ok(touched)
    }
}

fn minute(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|at| at.strftime("%H:%M UTC").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deck::tests::{DOCUMENT, deck};
    use crate::deck::{Home, Outside};

    async fn with(config: &str) -> (tempfile::TempDir, Deck) {
        let (dir, first) = deck().await;
        first.apply(DOCUMENT, "document", false, "").await.unwrap();
        std::fs::write(dir.path().join("home/config.yaml"), config).unwrap();
        let outside = Outside { now_ms: || 1_795_226_551_000, ..first.outside.clone() };
        (dir, Deck::open(reopened(&first), outside).await.unwrap())
    }
    fn reopened(deck: &Deck) -> Home {
        Home::open(&deck.home.path).unwrap()
    }

    #[tokio::test]
    async fn a_read_only_fleet_is_lifted_for_a_while_with_a_reason_that_is_written_down() {
        let (_dir, deck) = with("name: PROD-EU\nread_only: true\n").await;
        let fault = deck.may_change().unwrap_err();
        assert_eq!(fault.exit_code(), 3);
        assert!(fault.line().contains("--write WHY"), "{fault}");
        assert_eq!(deck.lift_read_only(900_000, "  ").await.unwrap_err().exit_code(), 2);
        assert_eq!(deck.lift_read_only(LONGEST_MS + 1, "OPS-1").await.unwrap_err().exit_code(), 2);
        assert!(deck.may_change().is_err() && deck.store.audit("", "write", "", 10).await.unwrap().is_empty());
        let said = deck.lift_read_only(900_000, "OPS-880").await.unwrap();
        assert_eq!(said, "this console may change things until 02:17 UTC");
        assert!(deck.may_change().is_ok());
        assert_eq!(deck.writing(), Writing::Until { until_ms: 1_795_226_551_000 + 900_000, why: "OPS-880".into() });
        let events = deck.store.events_latest(1).await.unwrap();
        let (event, who) = (&events[0], deck.who.clone());
        assert_eq!((event.kind.as_str(), event.place.as_str(), event.why.as_str()), ("write", "PROD-EU", "OPS-880"));
        assert_eq!(event.what, format!("{who} may change this fleet until 02:17 UTC"));
        let audit = &deck.store.audit("", "write", "", 10).await.unwrap()[0];
        assert_eq!((audit.who.as_str(), audit.result.as_str(), audit.why.as_str()), (who.as_str(), "until 02:17 UTC", "OPS-880"));
        deck.read_only_again().await.unwrap();
        assert!(deck.may_change().is_err());
        // Another process of the same fleet was never lifted.
        let (_dir, plain) = with("name: TEST\n").await;
        assert!(plain.may_change().is_ok() && plain.lift_read_only(0, "").await.is_ok());
        assert!(plain.store.audit("", "write", "", 10).await.unwrap().is_empty(), "nothing was lifted");
    }

    #[tokio::test]
    async fn what_is_protected_comes_from_what_is_written() {
        let (dir, deck) = with("name: PROD-EU\n").await;
        let name = async |deck: &Deck, touched: Touched| deck.protected(&touched).await.unwrap().map(|by| by.asked().to_string());
        let id = deck.catalog().await.unwrap().swarm("shop-prod-web").unwrap().id.clone();
        let swarm = || Touched { swarms: [id.clone()].into(), ..Touched::default() };
        let place = |place: &str| {
            let mut touched = Touched::default();
            touched.place(place);
            touched
        };
        assert_eq!(name(&deck, swarm()).await, None);
        let document = DOCUMENT.replace("    version: v1\n", "    version: v1\n    protect: true\n").replace(
            "squads: [{name: web, hosts: []}]",
            "squads:\n  - {name: web, hosts: [{name: web01}, {name: web02, protect: true}]}\n  - {name: db, protect: true, hosts: [{name: db01}]}",
        );
        let document = document.replace("backend: dummy}", "backend: dummy, hosts: [web02]}");
        deck.apply(&document, "document", false, "").await.unwrap();
        assert_eq!(name(&deck, swarm()).await.as_deref(), Some("shop-prod-web"));
        assert_eq!(name(&deck, place("web01")).await, None);
        assert_eq!(name(&deck, place("web02")).await.as_deref(), Some("web02"));
        assert_eq!(name(&deck, place("db01")).await.as_deref(), Some("db"));
        assert_eq!(name(&deck, deck.touched_by_pool("edge", "shop").await.unwrap()).await.as_deref(), Some("web02"), "its balancer's host");
        std::fs::write(dir.path().join("home/config.yaml"), "name: PROD-EU\nprotect: true\n").unwrap();
        let fleet = Deck::open(reopened(&deck), deck.outside.clone()).await.unwrap();
        assert_eq!(name(&fleet, place("web01")).await.as_deref(), Some("PROD-EU"));
    }
}
