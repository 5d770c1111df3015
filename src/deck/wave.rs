//! Waves: several swarms planned, shown and confirmed as one, then carried out: first one alone, then some at a time.

mod planning;

use super::{Carried, Deck, Stop};
use crate::model::hold::{self, Hold};
use crate::model::record::{Audit, Dispatch, Event, Outcome};
use crate::model::wave::{self, Member, Next, State, Wave};
use crate::model::{Fault, Result};
use crate::plan::Plan;
use crate::store::Telling;
use std::collections::BTreeSet;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What a wave is asked to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaveRequest {
    /// Swarms by name or id, in the order in which they go.
    pub swarms: Vec<String>,
    /// Or all that use this ingredient and would change.
    pub ingredient: Option<String>,
    /// None = each its own.
    pub version: Option<String>,
    pub why: String,
    /// What is done with each of them.
    pub what: WaveOf,
}

/// What is done with every swarm of a wave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WaveOf {
    /// A version is dispatched.
    #[default]
    Version,
    /// A rolling restart.
    Restart,
    /// Back to the release that ran before.
    Back,
    /// Its procs on this host are replaced elsewhere; all swarms that have some there, where none is named.
    Evacuate(String),
    /// What is lost on this host is replaced elsewhere; likewise.
    RePlace(String),
    /// Back from what this wave, by its number, brought live.
    BackOf(i64),
    /// What of this wave is not done.
    RestOf(i64),
}

/// A wave as it is shown before it is confirmed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WavePlan {
    pub plans: Vec<Plan>,
    /// Swarms that do not go with it, and why not.
    pub left_out: Vec<(String, String)>,
    /// The wave that is rolled back, or 0.
    pub of: i64,
    /// What was asked for.
    pub what: WaveOf,
}

/// A shown wave as it is begun: exactly these plans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaveGo {
    /// The plans' ids, in order.
    pub plans: Vec<String>,
    pub what: WaveOf,
    pub why: String,
    /// Holds of its swarms that are lifted with it, by name.
    pub lift: Vec<String>,
}

/// How the operator stops a wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaveStop {
    /// What is under way is cancelled and undone; nothing more begins.
    Undo,
    /// What is under way stops between steps; nothing more begins.
    Leave,
}

/// A wave under way in this process.
pub struct CarriedWave {
    pub wave: Wave,
    pub stop: watch::Sender<Option<WaveStop>>,
    /// Ends with how far each member is.
    pub done: JoinHandle<Result<Vec<MemberNow>>>,
}

/// A member and how far it is.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberNow {
    pub member: Member,
    pub state: State,
    pub dispatch: Option<Dispatch>,
}

impl Deck {
    /// Refuses unless every hold in the way of these plans is named, and every name is one of them.
    pub async fn wave_may_go(&self, plans: &[Plan], lift: &[String]) -> Result<()> {
        let mut unused: BTreeSet<&String> = lift.iter().collect();
        for plan in plans {
            let own = self.own_lifts(plan, lift).await?;
            unused.retain(|name| !own.contains(name));
        }
        match unused.first() {
            None => Ok(()),
            Some(name) => Err(Fault::refused(format!("'{name}' holds no swarm of this wave"))
                .next("swarmdeck holds; leave it out, or name the right one")),
        }
    }

    /// Of the named holds those that are this plan's; refused when one in its way is not named.
    async fn own_lifts(&self, plan: &Plan, lift: &[String]) -> Result<Vec<String>> {
        let catalog = self.catalog().await?;
        let entry = catalog.swarm(&plan.swarm_id)?;
        let holds = self.holds_over(&catalog, entry, plan).await?;
        let own: Vec<String> = lift.iter().filter(|name| holds.iter().any(|hold| hold.name == **name)).cloned().collect();
        let holds: Vec<&Hold> = holds.iter().collect();
        Ok(hold::lifted(&holds, &own, &entry.name)?.into_iter().map(|hold| hold.name.clone()).collect())
    }

    /// Writes a confirmed wave down and begins it.
    pub async fn begin_wave(&self, planned: &WavePlan, why: &str, at_once: usize, lift: &[String]) -> Result<CarriedWave> {
        self.wave_may_go(&planned.plans, lift).await?;
        let (verb, place) = planned.what.verb();
        let mut wave = Wave {
            id: self.new_id(),
            number: 0,
            verb: verb.into(),
            place: place.into(),
            who: self.who.clone(),
            why: why.into(),
            at_once,
            of: planned.of,
            members: planned.plans.iter().map(member).collect(),
            started_ms: self.now_ms(),
        };
        let names: Vec<&str> = wave.members.iter().map(|member| member.swarm.as_str()).collect();
        let names = names.join(", ");
        let doing = if verb == "dispatch" { String::new() } else { format!(", {verb} {place}").trim_end().to_string() };
        let told = |wave: &Wave| Telling {
            event: self.wave_event(wave, format!("wave {} of {} swarms began{doing}: {names}", wave.number, wave.members.len()), ""),
            audit: Audit {
                at_ms: wave.started_ms,
                who: wave.who.clone(),
                verb: verb.into(),
                object: format!("wave {}", wave.number),
                run: wave.id.clone(),
                result: "begun".into(),
                why: wave.why.clone(),
                ..Audit::default()
            },
        };
        self.store.create_wave(&mut wave, told).await?;
        self.carry_wave(wave, lift).await
    }

    /// Begins a wave that was shown, or takes one up again.
    pub async fn go_wave(&self, go: &WaveGo, at_once: usize) -> Result<CarriedWave> {
        let mut planned = WavePlan { what: go.what.clone(), ..WavePlan::default() };
        for id in &go.plans {
            planned.plans.push(self.stored_plan(id).await?);
        }
        match &go.what {
            WaveOf::RestOf(number) => {
                let wave = self.wave_named(&number.to_string()).await?;
                self.take_up_wave(&wave, &planned, &go.lift).await
            }
            WaveOf::BackOf(number) => self.begin_wave(&WavePlan { of: *number, ..planned }, &go.why, at_once, &go.lift).await,
            _ => self.begin_wave(&planned, &go.why, at_once, &go.lift).await,
        }
    }

    /// Takes a wave up again with new plans for what is not done; what was left on its way is carried on first.
    pub async fn take_up_wave(&self, wave: &Wave, planned: &WavePlan, lift: &[String]) -> Result<CarriedWave> {
        self.wave_may_go(&planned.plans, lift).await?;
        let mut wave = wave.clone();
        for plan in &planned.plans {
            if let Some(place) = wave.members.iter_mut().find(|known| known.swarm_id == plan.swarm_id) {
                *place = member(plan);
            }
        }
        let event = self.wave_event(&wave, format!("wave {} goes on with {} swarms", wave.number, planned.plans.len()), "");
        self.store.put_wave(&wave, &[event]).await?;
        self.carry_wave(wave, lift).await
    }

    /// Carries a wave out from where it is; its lease says that somebody does.
    async fn carry_wave(&self, wave: Wave, lift: &[String]) -> Result<CarriedWave> {
        let held = self.acquire(&wave_lease(wave.number), &format!("wave {}", wave.number), &wave.id, 0).await?;
        let (stop, stopped) = watch::channel(None);
        let (deck, lift, of) = (self.clone(), lift.to_vec(), wave.clone());
        let done = tokio::spawn(async move {
            let ended = deck.drive_wave(of, &lift, stopped).await;
            held.release().await?;
            ended
        });
        Ok(CarriedWave { wave, stop, done })
    }

    async fn drive_wave(&self, mut wave: Wave, lift: &[String], mut stopped: watch::Receiver<Option<WaveStop>>) -> Result<Vec<MemberNow>> {
        let mut flying: JoinSet<usize> = JoinSet::new();
        let mut states = Vec::new();
        for (place, now) in self.members(&wave).await?.into_iter().enumerate() {
            let mut state = now.state;
            if let (State::UnderWay | State::Interrupted, Some(dispatch)) = (now.state, &now.dispatch) {
                let carried = self.resume(dispatch, None).await?;
                fly(&mut flying, place, carried);
                state = State::UnderWay;
            }
            states.push(state);
        }
        loop {
            let stop = *stopped.borrow();
            match wave::next(&states, wave.at_once, stop.is_some()) {
                Next::Begin(places) => {
                    for place in places {
                        let begun = self.begin_member(&mut wave, place, lift).await?;
                        if let (Some(state), carried) = (states.get_mut(place), begun) {
                            *state = if carried.is_some() { State::UnderWay } else { State::Failed };
                            if let Some(carried) = carried {
                                fly(&mut flying, place, carried);
                            }
                        }
                    }
                }
                Next::Over => break,
                Next::Wait => {
                    tokio::select! {
                        ended = flying.join_next() => {
                            let members = self.members(&wave).await?;
                            for (state, now) in states.iter_mut().zip(&members) {
                                *state = now.state;
                            }
                            if ended.is_none() {
                                // Carried by somebody else now: it is theirs.
                                break;
                            }
                        }
                        _ = stopped.changed() => {
                            let stop = *stopped.borrow();
                            for member in &wave.members {
                                match stop {
                                    Some(WaveStop::Undo) => self.stop(&member.plan, Stop::Undo).await,
                                    Some(WaveStop::Leave) => self.stop(&member.plan, Stop::Leave).await,
                                    None => {}
                                }
                            }
                        }
                    }
                }
            }
        }
        let members = self.members(&wave).await?;
        let states: Vec<State> = members.iter().map(|now| now.state).collect();
        let rest = states.iter().filter(|state| **state == State::NotStarted).count();
        let rest = if rest > 0 { format!(", {rest} not started") } else { String::new() };
        let (word, result) =
            (wave::word(&states, false), if states.iter().all(|state| *state == State::Done) { "success" } else { "failed" });
        let event = self.wave_event(&wave, format!("wave {} {word}{rest}", wave.number), result);
        self.store.note(&[event], None).await?;
        self.refresh_soon();
        Ok(members)
    }

    /// Begins one member; none when it was refused, which is written down.
    async fn begin_member(&self, wave: &mut Wave, place: usize, lift: &[String]) -> Result<Option<Carried>> {
        let Some(member) = wave.members.get(place).cloned() else { return Ok(None) };
        let begun = async {
            let plan = self.stored_plan(&member.plan).await?;
            let own = self.own_lifts(&plan, lift).await?;
            self.execute_lifting(&member.plan, &wave.why, &own).await
        };
        match begun.await {
            Ok(carried) => {
                let event =
                    self.wave_event(wave, format!("wave {}: {} goes as dispatch {}", wave.number, member.swarm, carried.number), "");
                self.store.note(&[event], None).await?;
                Ok(Some(carried))
            }
            Err(fault) => {
                if let Some(member) = wave.members.get_mut(place) {
                    member.refused = fault.line();
                }
                let event =
                    self.wave_event(wave, format!("wave {}: {} does not begin: {}", wave.number, member.swarm, fault.line()), "failed");
                self.store.put_wave(wave, &[event]).await?;
                Ok(None)
            }
        }
    }

    /// Every member of a wave and how far it is.
    pub async fn members(&self, wave: &Wave) -> Result<Vec<MemberNow>> {
        let mut all = Vec::new();
        for member in &wave.members {
            let dispatch = self.store.dispatch(&member.plan).await?;
            all.push(MemberNow { member: member.clone(), state: State::of(member, dispatch.as_ref()), dispatch });
        }
        Ok(all)
    }

    /// A wave by its number.
    pub async fn wave_named(&self, number: &str) -> Result<Wave> {
        let found = self.store.waves().await?.into_iter().find(|wave| wave.number.to_string() == number || wave.id == number);
        found.ok_or_else(|| super::unknown("wave", number, "waves"))
    }

    /// Waves for `get waves`, the newest first.
    pub(super) async fn list_waves(&self) -> Result<Vec<serde_json::Value>> {
        let mut rows = Vec::new();
        for wave in self.store.waves().await? {
            rows.push(self.wave_value(&wave).await?);
        }
        Ok(rows)
    }

    /// A wave as programs get it.
    pub async fn wave_value(&self, wave: &Wave) -> Result<serde_json::Value> {
        let members = self.members(wave).await?;
        let states: Vec<State> = members.iter().map(|now| now.state).collect();
        let driven = self.store.lease(&wave_lease(wave.number)).await?.is_some();
        let count = |state: State| states.iter().filter(|found| **found == state).count();
        let shown: Vec<serde_json::Value> = members
            .iter()
            .map(|now| {
                let fault = now.dispatch.as_ref().and_then(|dispatch| dispatch.fault.as_ref()).map(Fault::line);
                let error = fault.or_else(|| Some(now.member.refused.clone()).filter(|refused| !refused.is_empty()));
                serde_json::json!({
                    "swarm": now.member.swarm, "state": now.state.word(), "from": now.member.from_version, "to": now.member.to_version,
                    "dispatch": now.dispatch.as_ref().map(|dispatch| dispatch.number), "error": error,
                })
            })
            .collect();
        Ok(serde_json::json!({
            "number": wave.number, "verb": wave.verb, "place": wave.place, "who": wave.who, "why": wave.why, "result": wave::word(&states, driven),
            "done": count(State::Done), "failed": count(State::Failed), "not_started": count(State::NotStarted), "at_once": wave.at_once,
            "rolls_back": (wave.of > 0).then_some(wave.of), "started_ms": wave.started_ms, "members": shown, "id": wave.id,
        }))
    }

    fn wave_event(&self, wave: &Wave, what: String, result: &str) -> Event {
        Event {
            at_ms: self.now_ms(),
            kind: "wave".into(),
            run: wave.id.clone(),
            who: wave.who.clone(),
            what,
            place: format!("wave {}", wave.number),
            result: result.into(),
            why: wave.why.clone(),
            ..Event::default()
        }
    }
}

/// The exit code of a wave (DESIGN part 7).
pub fn exit_of(members: &[MemberNow]) -> u8 {
    let outcome = |now: &MemberNow| now.dispatch.as_ref().and_then(|dispatch| dispatch.outcome);
    let began = members.iter().any(|now| now.dispatch.is_some());
    if members.iter().any(|now| matches!(now.state, State::Interrupted | State::UnderWay)) {
        5
    } else if members.iter().any(|now| now.dispatch.as_ref().is_some_and(|dispatch| !dispatch.debts.is_empty())) {
        4
    } else if members.iter().all(|now| now.state == State::Done) {
        0
    } else if members.iter().any(|now| matches!(outcome(now), Some(Outcome::Undone | Outcome::Failed))) {
        1
    } else if began && !members.iter().any(|now| now.state == State::Failed) {
        // Stopped by the operator between two swarms.
        5
    } else {
        3
    }
}

fn fly(flying: &mut JoinSet<usize>, place: usize, carried: Carried) {
    flying.spawn(async move {
        // What became of it, its journal says.
        carried.done.await.ok();
        place
    });
}

fn member(plan: &Plan) -> Member {
    Member {
        swarm_id: plan.swarm_id.clone(),
        swarm: plan.swarm.clone(),
        plan: plan.id.clone(),
        from_version: plan.from.as_ref().map(|from| from.version.clone()).unwrap_or_default(),
        to_version: plan.to.version.clone(),
        to_release: plan.to.release.clone(),
        refused: String::new(),
    }
}

pub(super) fn wave_lease(number: i64) -> String {
    format!("wave/{number}")
}
