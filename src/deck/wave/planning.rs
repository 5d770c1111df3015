//! How a wave is planned: what each of its swarms is asked to be, and all of them planned beside each other.

use super::{WaveOf, WavePlan, WaveRequest};
use crate::deck::look::{DispatchRequest, Replaced};
use crate::deck::{Deck, Lines};
use crate::model::wave::{State, Wave};
use crate::model::{Fault, Result};
use crate::plan::Plan;
use std::collections::{BTreeMap, BTreeSet};

impl WaveOf {
    /// The verb that it is remembered under, and the host that it is about.
    pub fn verb(&self) -> (&'static str, &str) {
        match self {
            WaveOf::Version => ("dispatch", ""),
            WaveOf::Restart => ("restart", ""),
            WaveOf::Back | WaveOf::BackOf(_) => ("rollback", ""),
            WaveOf::Evacuate(host) => ("evacuate", host),
            WaveOf::RePlace(host) => ("re-place", host),
            WaveOf::RestOf(_) => ("resume", ""),
        }
    }

    /// What a wave that was remembered did.
    fn of(wave: &Wave) -> WaveOf {
        match wave.verb.as_str() {
            "rollback" => WaveOf::Back,
            "restart" => WaveOf::Restart,
            "evacuate" => WaveOf::Evacuate(wave.place.clone()),
            "re-place" => WaveOf::RePlace(wave.place.clone()),
            _ => WaveOf::Version,
        }
    }

    /// A request made to be that.
    fn ask(&self, request: DispatchRequest) -> DispatchRequest {
        let replaces = |replace| DispatchRequest { same_release: true, version: None, replace, ..request.clone() };
        match self {
            WaveOf::Restart => replaces(Some(Replaced::All)),
            WaveOf::Evacuate(host) => replaces(Some(Replaced::OnHost(host.clone()))),
            WaveOf::RePlace(_) => DispatchRequest { go_on: true, ..replaces(None) },
            WaveOf::Back => DispatchRequest { rollback_to: Some(String::new()), version: None, ..request },
            WaveOf::Version | WaveOf::BackOf(_) | WaveOf::RestOf(_) => request,
        }
    }
}

impl Deck {
    /// Plans every swarm of a wave, none on the ports of another; the first that cannot be planned refuses the whole.
    pub async fn plan_wave(&self, request: &WaveRequest, lines: Option<Lines>) -> Result<WavePlan> {
        match request.what {
            WaveOf::BackOf(number) => return self.plan_wave_back(&self.wave_named(&number.to_string()).await?, &request.why, lines).await,
            WaveOf::RestOf(number) => return self.plan_wave_rest(&self.wave_named(&number.to_string()).await?, lines).await,
            _ => {}
        }
        let catalog = self.catalog().await?;
        let mut swarms: Vec<String> = Vec::new();
        let on_host = match &request.what {
            WaveOf::Evacuate(host) | WaveOf::RePlace(host) if request.swarms.is_empty() => self.swarms_on(host).await?,
            _ => Vec::new(),
        };
        for name in request.swarms.iter().chain(&on_host) {
            let id = catalog.swarm(name)?.id.clone();
            if swarms.contains(&id) {
                return Err(Fault::bad(format!("{name} is named twice")).next("name each swarm once"));
            }
            swarms.push(id);
        }
        if let Some(name) = &request.ingredient {
            let ingredient = catalog.ingredient(name)?.name.clone();
            let uses = catalog.swarms.iter().filter(|entry| entry.body.ingredients.contains(&ingredient));
            swarms.extend(uses.map(|entry| entry.id.clone()));
            if swarms.is_empty() {
                return Err(Fault::bad(format!("no swarm uses the ingredient {ingredient}")).next("swarmdeck get ingredients"));
            }
        }
        let asked = swarms.into_iter().map(|swarm| {
            let version = request.version.clone();
            request.what.ask(DispatchRequest { swarm, version, why: request.why.clone(), ..DispatchRequest::default() })
        });
        let mut planned = self.plan_each(asked.collect(), lines).await?;
        let mut left_out = Vec::new();
        if request.ingredient.is_some() {
            // Not asked for by name: what runs already as it should does not go along.
            planned.retain(|plan| {
                let goes = !plan.is_empty();
                if !goes {
                    left_out.push((plan.swarm.clone(), "runs this already".to_string()));
                }
                goes
            });
        }
        whole(WavePlan { plans: planned, left_out, of: 0, what: request.what.clone() })
    }

    /// Plans the way back of every member that a wave brought live, in reverse order.
    pub async fn plan_wave_back(&self, wave: &Wave, why: &str, lines: Option<Lines>) -> Result<WavePlan> {
        let (mut asked, mut left_out) = (Vec::new(), Vec::new());
        for now in self.members(wave).await?.into_iter().rev() {
            let Some(dispatch) = now.dispatch.filter(|_| now.state == State::Done) else { continue };
            let current = self.store.current_run(&now.member.swarm_id).await?;
            let why_not = if dispatch.from_release.is_empty() {
                Some("ran nothing before")
            } else if dispatch.from_release == dispatch.to_release {
                Some("runs the release that it ran before")
            } else if current.is_none_or(|run| run.dispatch_id != dispatch.id) {
                Some("was dispatched again since")
            } else {
                None
            };
            match why_not {
                Some(why_not) => left_out.push((now.member.swarm, why_not.to_string())),
                None => asked.push(DispatchRequest {
                    swarm: now.member.swarm_id,
                    why: why.to_string(),
                    rollback_to: Some(dispatch.from_release),
                    ..DispatchRequest::default()
                }),
            }
        }
        let what = WaveOf::BackOf(wave.number);
        whole(WavePlan { plans: self.plan_each(asked, lines).await?, left_out, of: wave.number, what })
    }

    /// Plans anew what of a wave is not done: what failed, and what never began. What was left on its way is carried on as it is.
    pub async fn plan_wave_rest(&self, wave: &Wave, lines: Option<Lines>) -> Result<WavePlan> {
        let members = self.members(wave).await?;
        let rest = members.into_iter().filter(|now| matches!(now.state, State::NotStarted | State::Failed));
        let asked = rest.map(|now| {
            let base = DispatchRequest { swarm: now.member.swarm_id, why: wave.why.clone(), ..DispatchRequest::default() };
            match WaveOf::of(wave) {
                WaveOf::Back => DispatchRequest { rollback_to: Some(now.member.to_release), ..base },
                WaveOf::Version => DispatchRequest { version: Some(now.member.to_version), ..base },
                what => what.ask(base),
            }
        });
        let what = WaveOf::RestOf(wave.number);
        Ok(WavePlan { plans: self.plan_each(asked.collect(), lines).await?, left_out: Vec::new(), of: wave.of, what })
    }

    async fn plan_each(&self, asked: Vec<DispatchRequest>, lines: Option<Lines>) -> Result<Vec<Plan>> {
        let mut taken: BTreeMap<String, BTreeSet<u16>> = BTreeMap::new();
        let mut plans = Vec::new();
        for request in asked {
            let request = DispatchRequest { taken: taken.clone(), ..request };
            let plan = self.plan(&request, lines.clone()).await;
            let plan = match plan {
                Ok(plan) => plan,
                Err(fault) => {
                    let name = self.catalog().await?.swarm(&request.swarm).map(|entry| entry.name.clone()).unwrap_or_default();
                    return Err(Fault { what: format!("{name}: {}", fault.what), ..fault });
                }
            };
            for proc in &plan.start {
                taken.entry(proc.host.clone()).or_default().insert(proc.port);
            }
            plans.push(plan);
        }
        Ok(plans)
    }
}

fn whole(planned: WavePlan) -> Result<WavePlan> {
    if !planned.plans.is_empty() {
        return Ok(planned);
    }
    let why: Vec<String> = planned.left_out.iter().map(|(swarm, why)| format!("{swarm} {why}")).collect();
    let why = if why.is_empty() { "it brought nothing live".into() } else { why.join("; ") };
    Err(Fault::refused(format!("there is nothing to do: {why}")).next("swarmdeck get waves"))
}
