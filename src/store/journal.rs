//! The journal of dispatches: what each intends and has done, written only by the holder of its lease.

use super::{Change, Store, SwarmRun, Telling, Write, body, get, parsed, read, written};
use crate::model::hold::Hold;
use crate::model::record::{Audit, Dispatch, Event, Lease, Outcome, Step};
use crate::model::{Fault, Result};
use sqlx::any::AnyRow;

/// What is written together, or not at all.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'e> {
    /// The dispatch as it is now; its steps are taken from `steps`.
    pub dispatch: &'e Dispatch,
    /// The lease under which it is carried out: its name, our holder, our epoch.
    pub lease: &'e Lease,
    /// The steps that changed.
    pub steps: &'e [Step],
    pub events: &'e [Event],
    /// Changes of objects that go live with it: the swarm's text at the end of a dispatch with `--version` or `--size`.
    pub changes: &'e [Change],
    pub now_ms: i64,
}

impl Store {
    /// A new dispatch; gives it its number. Its lease must be held already.
    pub async fn create_dispatch(&self, dispatch: &mut Dispatch, lease: &Lease, events: &[Event]) -> Result<()> {
        self.begin_dispatch(dispatch, lease, events, &[]).await
    }

    /// [`Store::create_dispatch`] that lifts these holds in the same transaction; refused when one is there no more.
    pub async fn begin_dispatch(
        &self,
        dispatch: &mut Dispatch,
        lease: &Lease,
        events: &[Event],
        lifts: &[(String, Telling)],
    ) -> Result<()> {
        let mut write = self.write().await?;
        write.hold(lease).await?;
        for (name, told) in lifts {
            write.lift_hold(name, told).await?;
        }
        let number = write.count("dispatches").await?;
        let mut header = dispatch.clone();
        header.number = number;
        write.header(&header).await?;
        for (position, step) in dispatch.steps.iter().enumerate() {
            write.step(&dispatch.id, step, position as i64).await?;
        }
        write.events(events).await?;
        write.commit().await?;
        dispatch.number = number;
        Ok(())
    }

    /// Keeps a value, as long as the lease is ours: what somebody else began meanwhile rests on what they kept.
    pub async fn keep_under<T: serde::Serialize>(&self, lease: &Lease, kind: &str, name: &str, value: &T, now_ms: i64) -> Result<()> {
        let mut write = self.write().await?;
        write.hold(lease).await?;
        write.keep(kind, name, &super::body(value)?, now_ms).await?;
        write.commit().await
    }

    /// Gives the ports of a dispatch back that was not begun after all. Refused when the lease is not ours any more.
    pub async fn give_back_unbegun(&self, lease: &Lease, dispatch_id: &str) -> Result<()> {
        let mut write = self.write().await?;
        write.hold(lease).await?;
        let query = "DELETE FROM port_leases WHERE dispatch_id = $1 AND dispatch_id NOT IN (SELECT id FROM dispatches)";
        sqlx::query(query).bind(dispatch_id.to_string()).execute(&mut *write.tx).await.map_err(super::written)?;
        write.commit().await
    }

    /// One entry of the journal. Refused when somebody else holds the lease or raised its epoch: then nothing more may be done.
    /// A dispatch that ends `done` makes its release the one that the swarm runs; one that ends gives its ports back, and never
    /// becomes one that has not ended.
    pub async fn record(&self, entry: &Entry<'_>) -> Result<()> {
        let mut write = self.write().await?;
        write.hold(entry.lease).await?;
        let before = write.outcome(&entry.dispatch.id).await?;
        let goes_on = entry.dispatch.outcome.is_none_or(|outcome| outcome == Outcome::Interrupted);
        if goes_on && !before.is_empty() && before != Outcome::Interrupted.word() {
            // Its end may have been written although the answer was lost.
            return Err(Fault::refused(format!("dispatch {} has ended: {before}", entry.dispatch.number)));
        }
        let ended = before == Outcome::Done.word();
        write.header(entry.dispatch).await?;
        let last = write.last_position(&entry.dispatch.id).await?;
        for (step, position) in entry.steps.iter().zip(last + 1..) {
            write.step(&entry.dispatch.id, step, position).await?;
        }
        write.events(entry.events).await?;
        write.changes(entry.changes, &entry.dispatch.who, &entry.dispatch.why, entry.now_ms).await?;
        if entry.dispatch.outcome.is_some_and(|outcome| outcome != Outcome::Interrupted) {
            write.release_ports(&entry.dispatch.id).await?;
            write.forget("wish", &entry.dispatch.id).await?;
        }
        let done = entry.dispatch.outcome == Some(Outcome::Done) && !ended;
        if done && !entry.dispatch.to_release.is_empty() {
            let (swarm_id, release_id) = (entry.dispatch.swarm_id.clone(), entry.dispatch.to_release.clone());
            write.swarm_runs(&SwarmRun { swarm_id, release_id, dispatch_id: entry.dispatch.id.clone(), at_ms: entry.now_ms }).await?;
        }
        if done && entry.dispatch.verb == "rollback" {
            let hold = Hold::after_rollback(entry.dispatch, entry.now_ms);
            write.place_hold(&hold, &placed(&hold, &entry.dispatch.id)).await?;
        }
        write.commit().await
    }

    /// A dispatch with its steps, by id.
    pub async fn dispatch(&self, id: &str) -> Result<Option<Dispatch>> {
        let row = sqlx::query("SELECT body FROM dispatches WHERE id = $1").bind(id.to_string()).fetch_optional(&self.pool).await;
        self.whole(row.map_err(read)?).await
    }
    /// A dispatch with its steps, by number.
    pub async fn dispatch_number(&self, number: i64) -> Result<Option<Dispatch>> {
        let row = sqlx::query("SELECT body FROM dispatches WHERE number = $1").bind(number).fetch_optional(&self.pool).await;
        self.whole(row.map_err(read)?).await
    }
    /// The newest dispatches, without steps; of one swarm when its id is given.
    pub async fn dispatches(&self, swarm_id: Option<&str>, limit: i64) -> Result<Vec<Dispatch>> {
        let query = match swarm_id {
            Some(id) => sqlx::query("SELECT body FROM dispatches WHERE swarm_id = $1 ORDER BY number DESC LIMIT $2").bind(id.to_string()),
            None => sqlx::query("SELECT body FROM dispatches ORDER BY number DESC LIMIT $1"),
        };
        headers(&query.bind(limit).fetch_all(&self.pool).await.map_err(read)?)
    }
    /// Dispatches that have not ended, or were interrupted: to be resumed or undone.
    pub async fn open_dispatches(&self) -> Result<Vec<Dispatch>> {
        self.whole_where("SELECT body FROM dispatches WHERE outcome = '' OR outcome = 'interrupted' ORDER BY number").await
    }
    /// Dispatches that ended and owe something to a host or balancer still.
    pub async fn owing_dispatches(&self) -> Result<Vec<Dispatch>> {
        self.whole_where("SELECT body FROM dispatches WHERE debts > 0 AND outcome IN ('done', 'failed', 'undone') ORDER BY number").await
    }
    async fn whole_where(&self, query: &'static str) -> Result<Vec<Dispatch>> {
        let rows = sqlx::query(query).fetch_all(&self.pool).await;
        let mut whole = headers(&rows.map_err(read)?)?;
        for dispatch in &mut whole {
            dispatch.steps = self.steps(&dispatch.id).await?;
        }
        Ok(whole)
    }
    /// The steps of a dispatch, in the order in which they were first written.
    pub async fn steps(&self, dispatch_id: &str) -> Result<Vec<Step>> {
        let rows = sqlx::query("SELECT body FROM steps WHERE dispatch_id = $1 ORDER BY position").bind(dispatch_id.to_string());
        let rows = rows.fetch_all(&self.pool).await.map_err(read)?;
        rows.iter().map(|row| parsed("step", &get::<String, _>(row, 0)?)).collect()
    }

    async fn whole(&self, row: Option<AnyRow>) -> Result<Option<Dispatch>> {
        let Some(row) = row else { return Ok(None) };
        let mut dispatch: Dispatch = parsed("dispatch", &get::<String, _>(&row, 0)?)?;
        dispatch.steps = self.steps(&dispatch.id).await?;
        Ok(Some(dispatch))
    }

    /// Writes down events and an audit line with no dispatch.
    pub async fn note(&self, events: &[Event], audit: Option<&Audit>) -> Result<()> {
        let mut write = self.write().await?;
        write.events(events).await?;
        if let Some(audit) = audit {
            write.audit(audit).await?;
        }
        write.commit().await
    }
}

impl Write<'_> {
    /// Refuses unless the lease is held by this holder at this epoch.
    async fn hold(&mut self, lease: &Lease) -> Result<()> {
        let row = sqlx::query("SELECT holder, who, epoch FROM leases WHERE name = $1").bind(lease.name.clone());
        let row = row.fetch_optional(&mut *self.tx).await.map_err(read)?;
        let (holder, who, epoch) = match &row {
            Some(row) => (get::<String, _>(row, 0)?, get::<String, _>(row, 1)?, get::<i64, _>(row, 2)?),
            None => Default::default(),
        };
        if holder == lease.holder && epoch == lease.epoch && !holder.is_empty() {
            return Ok(());
        }
        let now = if holder.is_empty() { "nobody".to_string() } else { who };
        Err(Fault::refused(format!(
            "the lease {} is no longer ours: {now} holds it at epoch {epoch}, ours was {}",
            lease.name, lease.epoch
        ))
        .next("look at who dispatches now; nothing more was done here"))
    }
    /// How a dispatch ended by what is stored; "" when it has not.
    async fn outcome(&mut self, id: &str) -> Result<String> {
        let row = sqlx::query("SELECT outcome FROM dispatches WHERE id = $1").bind(id.to_string()).fetch_optional(&mut *self.tx).await;
        let row = row.map_err(read)?.ok_or_else(|| Fault::failed(format!("the dispatch {id} is not in the store")))?;
        get(&row, 0)
    }
    async fn header(&mut self, dispatch: &Dispatch) -> Result<()> {
        let header = Dispatch { steps: Vec::new(), ..dispatch.clone() };
        sqlx::query(
            "INSERT INTO dispatches (id, number, swarm_id, outcome, debts, started_ms, body) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome, debts = excluded.debts, body = excluded.body",
        )
        .bind(header.id.clone())
        .bind(header.number)
        .bind(header.swarm_id.clone())
        .bind(header.outcome.map_or("", Outcome::word))
        .bind(header.debts.len() as i64)
        .bind(header.started_ms)
        .bind(body(&header)?)
        .execute(&mut *self.tx)
        .await
        .map(drop)
        .map_err(written)
    }
    async fn last_position(&mut self, dispatch_id: &str) -> Result<i64> {
        let row = sqlx::query("SELECT CAST(COALESCE(MAX(position), -1) AS BIGINT) AS last FROM steps WHERE dispatch_id = $1");
        get(&row.bind(dispatch_id.to_string()).fetch_one(&mut *self.tx).await.map_err(read)?, 0)
    }
    async fn step(&mut self, dispatch_id: &str, step: &Step, position: i64) -> Result<()> {
        sqlx::query(
            "INSERT INTO steps (dispatch_id, batch, phase, place, position, body) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (dispatch_id, batch, phase, place) DO UPDATE SET body = excluded.body",
        )
        .bind(dispatch_id.to_string())
        .bind(i64::from(step.batch))
        .bind(step.phase.word())
        .bind(step.place.clone())
        .bind(position)
        .bind(body(step)?)
        .execute(&mut *self.tx)
        .await
        .map(drop)
        .map_err(written)
    }
}

/// What is told of the hold that a rollback leaves.
fn placed(hold: &Hold, run: &str) -> Telling {
    let event = Event {
        at_ms: hold.since_ms,
        kind: "hold".into(),
        run: run.into(),
        who: hold.who.clone(),
        what: format!("{} holds {}", hold.name, hold.object),
        place: hold.object.clone(),
        result: "warning".into(),
        why: hold.why.clone(),
        ..Event::default()
    };
    let audit = Audit {
        at_ms: hold.since_ms,
        who: hold.who.clone(),
        verb: "hold".into(),
        object: hold.object.clone(),
        run: run.into(),
        result: hold.name.clone(),
        why: hold.why.clone(),
        ..Audit::default()
    };
    Telling { event, audit }
}

fn headers(rows: &[AnyRow]) -> Result<Vec<Dispatch>> {
    rows.iter().map(|row| parsed("dispatch", &get::<String, _>(row, 0)?)).collect()
}
