//! Holds and waves: each change of one is a transaction with the event and the audit line that tell of it.

use super::{Store, Write, body, parsed, written};
use crate::model::hold::Hold;
use crate::model::record::{Audit, Event};
use crate::model::wave::Wave;
use crate::model::{Fault, Result};

/// What is told of a change.
#[derive(Debug, Clone, Default)]
pub struct Telling {
    pub event: Event,
    pub audit: Audit,
}

impl Store {
    /// Every hold, those whose end has come included.
    pub async fn holds(&self) -> Result<Vec<Hold>> {
        Ok(self.all_kept("hold").await?.into_iter().map(|(_, _, hold)| hold).collect())
    }

    /// Places a hold and gives it its name; `told` makes what is told of it.
    pub async fn place_hold(&self, hold: &Hold, told: impl FnOnce(&Hold) -> Telling) -> Result<Hold> {
        let mut write = self.write().await?;
        let hold = Hold { name: format!("hold-{}", write.number("holds").await?), ..hold.clone() };
        write.place_hold(&hold, &told(&hold)).await?;
        write.commit().await?;
        Ok(hold)
    }

    /// Lifts a hold; refused when it is there no more.
    pub async fn lift_hold(&self, name: &str, told: &Telling) -> Result<()> {
        let mut write = self.write().await?;
        write.lift_hold(name, told).await?;
        write.commit().await
    }

    /// Every wave, the newest first.
    pub async fn waves(&self) -> Result<Vec<Wave>> {
        let mut all: Vec<Wave> = self.all_kept("wave").await?.into_iter().map(|(_, _, wave)| wave).collect();
        all.sort_by_key(|wave| -wave.number);
        Ok(all)
    }

    /// A new wave; gives it its number. `told` makes what is told of it.
    pub async fn create_wave(&self, wave: &mut Wave, told: impl FnOnce(&Wave) -> Telling) -> Result<()> {
        let mut write = self.write().await?;
        let mut numbered = wave.clone();
        numbered.number = write.number("waves").await?;
        write.keep("wave", &numbered.number.to_string(), &body(&numbered)?, numbered.started_ms).await?;
        let told = told(&numbered);
        write.events(&[told.event]).await?;
        write.audit(&told.audit).await?;
        write.commit().await?;
        *wave = numbered;
        Ok(())
    }

    /// A wave as it is now, with what happened.
    pub async fn put_wave(&self, wave: &Wave, events: &[Event]) -> Result<()> {
        let mut write = self.write().await?;
        write.keep("wave", &wave.number.to_string(), &body(wave)?, wave.started_ms).await?;
        write.events(events).await?;
        write.commit().await
    }
}

impl Write<'_> {
    pub(super) async fn place_hold(&mut self, hold: &Hold, told: &Telling) -> Result<()> {
        self.keep("hold", &hold.name, &body(hold)?, hold.since_ms).await?;
        self.events(std::slice::from_ref(&told.event)).await?;
        self.audit(&told.audit).await
    }

    pub(super) async fn lift_hold(&mut self, name: &str, told: &Telling) -> Result<()> {
        let there: Option<Hold> = self.find_kept("hold", name).await?.map(|body| parsed("hold", &body)).transpose()?;
        if there.is_none() {
            return Err(Fault::refused(format!("the hold {name} is there no more")).next("swarmdeck holds"));
        }
        self.forget("hold", name).await?;
        self.events(std::slice::from_ref(&told.event)).await?;
        self.audit(&told.audit).await
    }

    /// The next of a series that begins with its first use.
    async fn number(&mut self, series: &str) -> Result<i64> {
        sqlx::query("INSERT INTO counters (name, value) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING")
            .bind(series.to_string())
            .execute(&mut *self.tx)
            .await
            .map_err(written)?;
        self.count(series).await
    }
}
