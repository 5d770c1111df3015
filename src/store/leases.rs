//! Who may change what: leases with a beat and an epoch that only rises, leases of ports, and who owns a pool (DESIGN part 4).

use super::{Home, Store, Write, get, read, written};
use crate::model::record::Lease;
use crate::model::{Fault, Result};
use sqlx::any::AnyRow;
use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;

/// Whether a lease was to be had.
#[derive(Debug, Clone, PartialEq)]
pub enum Acquired {
    /// Ours, with its new epoch.
    Held(Lease),
    /// Somebody else's.
    Busy(Lease),
}

impl Store {
    /// Takes a free lease. Its epoch is above the last one and above `min_epoch` (the highest that a host has seen).
    pub async fn acquire(&self, wanted: &Lease, min_epoch: i64) -> Result<Acquired> {
        self.take(wanted, min_epoch, None).await
    }
    /// Takes a lease from a holder that was seen dead at `seen`'s beat; refused as busy when it beat again or changed hands.
    pub async fn take_over(&self, seen: &Lease, wanted: &Lease, min_epoch: i64) -> Result<Acquired> {
        self.take(wanted, min_epoch, Some(seen)).await
    }
    async fn take(&self, wanted: &Lease, min_epoch: i64, dead: Option<&Lease>) -> Result<Acquired> {
        let mut write = self.write().await?;
        let there = write.lease(&wanted.name).await?;
        if let Some(there) = &there
            && !there.holder.is_empty()
            && dead.is_none_or(|dead| (&dead.holder, dead.beat, dead.epoch) != (&there.holder, there.beat, there.epoch))
        {
            return Ok(Acquired::Busy(there.clone()));
        }
        let last = there.map_or(0, |there| there.epoch);
        let lease = Lease { beat: 1, epoch: last.max(min_epoch) + 1, ..wanted.clone() };
        write.set_lease(&lease).await?;
        write.commit().await?;
        Ok(Acquired::Held(lease))
    }
    /// Raises the beat and says the step; the lease as it is now. Refused when it is no longer ours: stop at once.
    pub async fn renew(&self, lease: &Lease, step: &str) -> Result<Lease> {
        let mut write = self.write().await?;
        let there = write.lease(&lease.name).await?;
        let Some(there) = there.filter(|there| there.holder == lease.holder && there.epoch == lease.epoch) else {
            return Err(Fault::refused(format!("the lease {} is no longer ours", lease.name)).next("look at who holds it now"));
        };
        let renewed = Lease { beat: there.beat + 1, step: step.to_string(), ..there };
        write.set_lease(&renewed).await?;
        write.commit().await?;
        Ok(renewed)
    }
    /// Gives a lease back; nothing when it is no longer ours. Its epoch stays remembered.
    pub async fn release_lease(&self, lease: &Lease) -> Result<()> {
        let mut write = self.write().await?;
        sqlx::query(
            "UPDATE leases SET holder = '', who = '', why = '', step = '', run = '' WHERE name = $1 AND holder = $2 AND epoch = $3",
        )
        .bind(lease.name.clone())
        .bind(lease.holder.clone())
        .bind(lease.epoch)
        .execute(&mut *write.tx)
        .await
        .map_err(written)?;
        write.commit().await
    }
    /// The lease of this name, when somebody holds it.
    pub async fn lease(&self, name: &str) -> Result<Option<Lease>> {
        Ok(self.leases().await?.into_iter().find(|lease| lease.name == name))
    }
    /// Every lease that is held.
    pub async fn leases(&self) -> Result<Vec<Lease>> {
        let rows = sqlx::query("SELECT name, holder, who, why, step, run, beat, epoch FROM leases WHERE holder <> '' ORDER BY name")
            .fetch_all(&self.pool)
            .await;
        rows.map_err(read)?.iter().map(lease).collect()
    }

    /// Leases ports of a host for a dispatch: all of them, or none. Its own it may take again.
    pub async fn take_ports(&self, host_id: &str, ports: &[u16], dispatch_id: &str) -> Result<()> {
        let mut write = self.write().await?;
        for port in ports {
            let row = sqlx::query("SELECT dispatch_id FROM port_leases WHERE host_id = $1 AND port = $2")
                .bind(host_id.to_string())
                .bind(i64::from(*port));
            if let Some(row) = row.fetch_optional(&mut *write.tx).await.map_err(read)? {
                let other: String = get(&row, 0)?;
                if other != dispatch_id {
                    return Err(Fault::refused(format!("port {port} is leased by dispatch {other}"))
                        .next("plan again: another port will be chosen"));
                }
                continue;
            }
            sqlx::query("INSERT INTO port_leases (host_id, port, dispatch_id) VALUES ($1, $2, $3)")
                .bind(host_id.to_string())
                .bind(i64::from(*port))
                .bind(dispatch_id.to_string())
                .execute(&mut *write.tx)
                .await
                .map_err(written)?;
        }
        write.commit().await
    }
    /// Gives back every port of a dispatch.
    pub async fn release_ports(&self, dispatch_id: &str) -> Result<()> {
        let mut write = self.write().await?;
        write.release_ports(dispatch_id).await?;
        write.commit().await
    }
    /// Gives back the ports of dispatches that have ended, and of those that a dead process never began: no lease is held for them.
    pub async fn free_ports_of_nobody(&self) -> Result<()> {
        let mut write = self.write().await?;
        let query = "DELETE FROM port_leases \
             WHERE dispatch_id NOT IN (SELECT id FROM dispatches WHERE outcome = '' OR outcome = 'interrupted') \
             AND dispatch_id NOT IN (SELECT run FROM leases WHERE holder <> '')";
        sqlx::query(query).execute(&mut *write.tx).await.map_err(written)?;
        write.commit().await
    }
    /// The leased ports: per host id, port and dispatch id.
    pub async fn port_leases(&self) -> Result<BTreeMap<String, BTreeMap<u16, String>>> {
        let rows = sqlx::query("SELECT host_id, port, dispatch_id FROM port_leases").fetch_all(&self.pool).await.map_err(read)?;
        let mut leases: BTreeMap<String, BTreeMap<u16, String>> = BTreeMap::new();
        for row in &rows {
            let port = u16::try_from(get::<i64, _>(row, 1)?).unwrap_or(0);
            leases.entry(get(row, 0)?).or_default().insert(port, get(row, 2)?);
        }
        Ok(leases)
    }
}

impl Write<'_> {
    pub(super) async fn release_ports(&mut self, dispatch_id: &str) -> Result<()> {
        let query = sqlx::query("DELETE FROM port_leases WHERE dispatch_id = $1").bind(dispatch_id.to_string());
        query.execute(&mut *self.tx).await.map(drop).map_err(written)
    }
    async fn lease(&mut self, name: &str) -> Result<Option<Lease>> {
        let row = sqlx::query("SELECT name, holder, who, why, step, run, beat, epoch FROM leases WHERE name = $1").bind(name.to_string());
        row.fetch_optional(&mut *self.tx).await.map_err(read)?.as_ref().map(lease).transpose()
    }
    async fn set_lease(&mut self, lease: &Lease) -> Result<()> {
        sqlx::query(
            "INSERT INTO leases (name, holder, who, why, step, run, beat, epoch) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, who = excluded.who, why = excluded.why, step = excluded.step, \
             run = excluded.run, beat = excluded.beat, epoch = excluded.epoch",
        )
        .bind(lease.name.clone())
        .bind(lease.holder.clone())
        .bind(lease.who.clone())
        .bind(lease.why.clone())
        .bind(lease.step.clone())
        .bind(lease.run.clone())
        .bind(lease.beat)
        .bind(lease.epoch)
        .execute(&mut *self.tx)
        .await
        .map(drop)
        .map_err(written)
    }
}

fn lease(row: &AnyRow) -> Result<Lease> {
    Ok(Lease {
        name: get(row, 0)?,
        holder: get(row, 1)?,
        who: get(row, 2)?,
        why: get(row, 3)?,
        step: get(row, 4)?,
        run: get(row, 5)?,
        beat: get(row, 6)?,
        epoch: get(row, 7)?,
    })
}

/// Watches one lease from outside: dead when its beat has not changed for its life on the observer's own clock. No wall clocks.
#[derive(Debug, Clone, Default)]
pub struct LeaseWatch {
    seen: Option<(String, i64, i64, Duration)>,
}

impl LeaseWatch {
    /// One look at the lease at `now` (any clock that only rises). True when it has not beaten for `life`.
    pub fn is_dead(&mut self, lease: &Lease, now: Duration, life: Duration) -> bool {
        match &self.seen {
            Some((holder, epoch, beat, since)) if (holder, *epoch, *beat) == (&lease.holder, lease.epoch, lease.beat) => {
                now.saturating_sub(*since) >= life
            }
            _ => {
                self.seen = Some((lease.holder.clone(), lease.epoch, lease.beat, now));
                false
            }
        }
    }
    /// How long it has not beaten: "renewed 4 s ago".
    pub fn silent(&self, now: Duration) -> Duration {
        self.seen.as_ref().map_or(Duration::ZERO, |(_, _, _, since)| now.saturating_sub(*since))
    }
}

/// What the holder's lock in the home says; only processes on one machine share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    Alive,
    Dead,
    /// No such file here: the holder may be on another machine.
    Unknown,
}

/// Held by a process as long as it lives; the kernel frees it at its death, however it dies.
#[derive(Debug)]
pub struct HolderLock {
    /// None where nothing can be written: there nothing is held either.
    _file: Option<File>,
    path: std::path::PathBuf,
}

impl HolderLock {
    /// Takes `run/<holder>.lock` in the home.
    pub fn take(home: &Home, holder: &str) -> Result<HolderLock> {
        let path = home.path.join("run").join(format!("{holder}.lock"));
        let fault = |error: &dyn std::fmt::Display| {
            Fault::failed(format!("{} cannot be locked: {error}", path.display())).next("check the rights of the home")
        };
        if home.look_only.is_some() {
            return Ok(HolderLock { _file: None, path: std::path::PathBuf::new() });
        }
        home.make_file(&path)?;
        let file = File::options().read(true).write(true).open(&path).map_err(|error| fault(&error))?;
        file.lock().map_err(|error| fault(&error))?;
        Ok(HolderLock { _file: Some(file), path })
    }
    /// Takes it if nobody has it. The file stays when it is given back: whoever takes it next finds the same one.
    pub fn try_take(home: &Home, holder: &str) -> Result<Option<HolderLock>> {
        let path = home.path.join("run").join(format!("{holder}.lock"));
        let fault = |error: &dyn std::fmt::Display| Fault::failed(format!("{} cannot be locked: {error}", path.display()));
        home.make_file(&path)?;
        let file = File::options().read(true).write(true).open(&path).map_err(|error| fault(&error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(HolderLock { _file: Some(file), path: std::path::PathBuf::new() })),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(error) => Err(fault(&error)),
        }
    }
    /// Whether the process that took this holder's lock lives.
    pub fn look(home: &Home, holder: &str) -> Liveness {
        let path = home.path.join("run").join(format!("{holder}.lock"));
        match File::open(&path) {
            Ok(file) => match file.try_lock_shared() {
                Ok(()) => Liveness::Dead,
                Err(_) => Liveness::Alive,
            },
            Err(_) => Liveness::Unknown,
        }
    }
}

impl Drop for HolderLock {
    fn drop(&mut self) {
        // A clean end leaves nothing; after a crash the file stays, free, and says so.
        if !self.path.as_os_str().is_empty() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_dies_only_by_silence_on_the_observers_clock() {
        let at = Duration::from_secs;
        let mut lease = Lease { holder: "a".into(), beat: 1, epoch: 1, ..Lease::default() };
        let mut watch = LeaseWatch::default();
        assert!(!watch.is_dead(&lease, at(1000), at(30)), "the first look never says dead");
        assert!(!watch.is_dead(&lease, at(1029), at(30)));
        lease.beat = 2;
        assert!(!watch.is_dead(&lease, at(1031), at(30)));
        assert_eq!(watch.silent(at(1035)), at(4));
        assert!(watch.is_dead(&lease, at(1061), at(30)));
        lease.holder = "b".into();
        assert!(!watch.is_dead(&lease, at(1062), at(30)));
    }
}
