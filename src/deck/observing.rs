//! One observer per home asks the hosts: those in view every 2 s, the others every 15 s. Other consoles read what it saw, and tell it
//! what they show.

use super::{Catalog, Deck, locked};
use crate::model::Result;
use crate::model::world::PoolSeen;
use crate::store::{HolderLock, Liveness};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Between two looks at hosts that somebody has on his screen, and at all.
const IN_VIEW: Duration = Duration::from_secs(2);
const OTHERS: Duration = Duration::from_secs(15);
/// Every how many looks all that is shown is made anew, changed or not.
const ANYWAY: u32 = 15;
/// What each console but the observer shows, by its holder: host names.
const VIEW: &str = "view";
/// Pools as the observer saw them, by balancer and pool.
pub(super) const POOLS: &str = "pool seen";

impl Deck {
    /// The hosts that are on the screen of this console.
    pub fn set_view(&self, hosts: BTreeSet<String>) {
        self.view.send_if_modified(|view| {
            let news = *view != hosts;
            *view = hosts;
            news
        });
    }

    /// Whether this process asks the hosts for all consoles of the home.
    pub fn is_observer(&self) -> bool {
        self.observes.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Keeps what is known of the hosts fresh, as observer or as reader; ends with the process.
    pub async fn keep_observing(self) {
        loop {
            // A store that can only be looked at has no observer that could write into it.
            let alone = self.store.look_only().is_some();
            match HolderLock::try_take(&self.home, "observer") {
                Ok(Some(lock)) => self.as_observer(lock).await,
                Err(_) | Ok(None) if alone => {
                    self.observe_all().await.ok();
                    self.asked_or(IN_VIEW).await;
                }
                Err(_) | Ok(None) => self.as_reader().await,
            }
        }
    }

    /// Returns true when hosts should be asked at once.
    async fn asked_or(&self, wait: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(wait) => false,
            () = self.observe_now.notified() => true,
        }
    }

    async fn as_observer(&self, lock: HolderLock) {
        let _lock = lock;
        self.observes.store(true, std::sync::atomic::Ordering::Relaxed);
        // It stays the observer as long as this process lives.
        tokio::join!(self.clone().keep_hooks(), self.look_again_and_again());
    }

    async fn look_again_and_again(&self) {
        let (mut all_at, mut asked) = (None::<Instant>, true);
        let (mut view, mut changes) = (self.view.subscribe(), self.store.changes());
        // What the other consoles show; and whether the store changed since that, or what was written down, was read.
        let (mut readers, mut old_readers, mut old_catalog) = (Vec::new(), true, true);
        // What ends by the clock alone (a hold) is seen then.
        let mut rounds = 0u32;
        loop {
            let all = asked || all_at.is_none_or(|at| at.elapsed() >= OTHERS);
            if changes.noticed() {
                (old_readers, old_catalog) = (true, true);
            }
            // A process without a screen makes no look that would read it.
            if all
                && (asked || old_catalog)
                && let Ok(catalog) = self.catalog().await
            {
                old_catalog = false;
                *locked(&self.known) = Arc::new(catalog);
            }
            let catalog = locked(&self.known).clone();
            let same = if all {
                all_at = Some(Instant::now());
                self.observe_known(&catalog).await
            } else {
                if old_readers && let Ok(known) = self.readers().await {
                    (readers, old_readers) = (known, false);
                }
                self.observe_view(&catalog, &readers).await
            };
            rounds = rounds.wrapping_add(1);
            match same {
                Ok(true) if !rounds.is_multiple_of(ANYWAY) => self.show_world().await,
                _ => self.refresh_soon(),
            }
            asked = tokio::select! {
                asked = self.asked_or(IN_VIEW) => asked,
                // What comes into view is old by up to 15 s.
                Ok(()) = view.changed() => false,
            };
        }
    }

    /// What the other consoles of the home show, by their holders.
    async fn readers(&self) -> Result<Vec<(String, BTreeSet<String>)>> {
        let all = self.store.all_kept::<BTreeSet<String>>(VIEW).await?;
        Ok(all.into_iter().map(|(holder, _, theirs)| (holder, theirs)).collect())
    }

    /// Asks the hosts that somebody has on his screen.
    async fn observe_view(&self, catalog: &Catalog, readers: &[(String, BTreeSet<String>)]) -> Result<bool> {
        let mut view = self.view.borrow().clone();
        let mut read = false;
        for (holder, theirs) in readers {
            if HolderLock::look(&self.home, holder) == Liveness::Alive {
                read = true;
                view.extend(theirs.iter().cloned());
            } else {
                self.store.forget(VIEW, holder).await?;
            }
        }
        self.read_by_others.store(read, std::sync::atomic::Ordering::Relaxed);
        if view.is_empty() {
            return Ok(true);
        }
        let hosts: Vec<_> = catalog.hosts()?.into_iter().filter(|host| view.contains(&host.name)).collect();
        let before = self.last_world().await;
        let after = self.look_at(catalog, &hosts, &BTreeSet::new()).await?;
        Ok(super::observe::is_same(&before, &after))
    }

    /// Reads what the observer saw until there is none any more.
    async fn as_reader(&self) {
        let (mut changes, mut view) = (self.store.changes(), self.view.subscribe());
        view.mark_changed();
        // What is there is shown at once; a host that nobody has asked for a while is asked here, once.
        let mut asked = self.take_seen().await.is_err();
        loop {
            if asked {
                self.observe_all().await.ok();
            }
            asked = tokio::select! {
                () = changes.changed() => {
                    self.take_seen().await.ok();
                    false
                }
                Ok(()) = view.changed() => {
                    let shown = view.borrow_and_update().clone();
                    self.store.keep(VIEW, &self.holder, &shown, self.now_ms()).await.ok();
                    false
                }
                asked = self.asked_or(IN_VIEW) => asked,
            };
            if HolderLock::look(&self.home, "observer") != Liveness::Alive {
                self.store.forget(VIEW, &self.holder).await.ok();
                return;
            }
        }
    }

    /// Takes hosts and pools as the observer wrote them down last.
    async fn take_seen(&self) -> Result<()> {
        let seen = self.store.seen().await?;
        let pools: Vec<PoolSeen> = self.store.all_kept(POOLS).await?.into_iter().map(|(_, _, pool)| pool).collect();
        let catalog = self.catalog().await?;
        let known: BTreeSet<String> = catalog.hosts()?.into_iter().map(|host| host.name).collect();
        let mut world = (*self.last_world().await).clone();
        world.hosts.retain(|name, _| known.contains(name));
        for host in seen.into_iter().filter(|host| known.contains(&host.name)) {
            if world.hosts.get(&host.name).is_none_or(|have| have.asked_ms < host.asked_ms) {
                world.hosts.insert(host.name.clone(), host);
            }
        }
        world.pools = pools.into_iter().filter(|pool| catalog.balancer(&pool.balancer).is_ok()).collect();
        super::observe::mark_routed(self.store.installation(), &catalog, &mut world);
        *locked(&self.world) = Arc::new(world);
        self.refresh_soon();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deck::{Home, tests};

    /// Waits until it is so.
    async fn until(what: &str, mut holds: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !holds() {
            assert!(Instant::now() < end, "{what} never came");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_asks_the_other_reads_and_takes_over() {
        let (dir, first) = tests::deck().await;
        let document = format!("squads: [{{name: web, hosts: [{{name: here, transport: local, root: {}}}]}}]\n", dir.path().display());
        first.apply(&document, "document", false, "").await.unwrap();
        let second = Deck::open(Home::open(&dir.path().join("home")).unwrap(), first.outside.clone()).await.unwrap();
        let asking = tokio::spawn(first.clone().keep_observing());
        until("an observer", || first.is_observer()).await;
        let reading = tokio::spawn(second.clone().keep_observing());
        second.set_view(["here".to_string()].into());
        let seen_by = |deck: &Deck| locked(&deck.world).hosts.get("here").map_or(0, |host| host.asked_ms);
        until("what the observer saw", || seen_by(&second) > 0).await;
        // The reader's view makes the observer ask that host again, and write it down for him.
        let before = seen_by(&first);
        until("another look", || seen_by(&first) > before).await;
        assert!(!second.is_observer() && first.read_by_others.load(std::sync::atomic::Ordering::Relaxed));
        let views = first.store.all_kept::<BTreeSet<String>>(VIEW).await.unwrap();
        assert_eq!(views.iter().map(|(holder, _, hosts)| (holder, hosts.len())).collect::<Vec<_>>(), [(&second.holder, 1)]);
        asking.abort();
        until("the next observer", || second.is_observer()).await;
        reading.abort();
    }
}
