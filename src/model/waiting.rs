//! What a dispatch waits for at this moment, since when, and how long at most.

use super::record::{Dispatch, Phase, StepState};
use serde::{Deserialize, Serialize};

/// How long a step on a host may take before the host is called slow (ms).
const SLOW: i64 = 5_000;

/// One wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// `build`, `lease`, `host`, `drain`, `promote` or `soak`.
    #[serde(rename = "for")]
    pub what: String,
    /// What it waits for there: a host, a pool, who holds it.
    pub on: String,
    pub since_ms: i64,
    /// When it ends at the latest; 0 when nobody knows.
    pub until_ms: i64,
}

/// How long what may take (ms), from the plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    pub drain_ms: u64,
    pub soak_ms: u64,
}

impl Waiting {
    /// The time left at most, if that is known.
    pub fn left_ms(&self, now_ms: i64) -> Option<i64> {
        (self.until_ms > 0).then(|| (self.until_ms - now_ms).max(0))
    }

    /// `waits 12 s for drain of shop@edge, 18 s left at most`.
    pub fn line(&self, now_ms: i64) -> String {
        let left = self.left_ms(now_ms).map_or_else(String::new, |left| format!(", {} s left at most", (left + 999) / 1000));
        let since = (now_ms - self.since_ms).max(0) / 1000;
        match self.what.as_str() {
            "drain" => format!("waits {since} s for connections of {} to end{left}", self.on),
            "soak" => format!("soaks for {since} s{left}"),
            "promote" => format!("waits {since} s for somebody to promote or cancel {}", self.on),
            "host" => format!("waits {since} s for {}{left}", self.on),
            what => format!("waits {since} s for the {what}: {}{left}", self.on),
        }
    }

    /// What programs get.
    pub fn json(&self, now_ms: i64) -> serde_json::Value {
        serde_json::json!({"for": self.what, "on": self.on, "since_ms": self.since_ms, "left_ms": self.left_ms(now_ms)})
    }
}

/// What a dispatch under way waits for: the drain, the soak, or hosts that take long over a step.
pub fn of(dispatch: &Dispatch, limits: Limits, now_ms: i64) -> Option<Waiting> {
    if dispatch.outcome.is_some() {
        return None;
    }
    let open: Vec<_> = dispatch.steps.iter().filter(|step| matches!(step.state, StepState::Intent | StepState::Undoing)).collect();
    let first = open.first()?;
    let since_ms = open.iter().map(|step| step.started_ms).filter(|at| *at > 0).min()?;
    let until = |limit_ms: u64| since_ms.saturating_add(i64::try_from(limit_ms).unwrap_or(i64::MAX));
    let going_on = first.state == StepState::Intent;
    match first.phase {
        Phase::Drain if going_on => {
            // A place is `balancer/pool`; people say pool@balancer.
            let (balancer, pool) = first.place.split_once('/').unwrap_or(("", first.place.as_str()));
            let on = if balancer.is_empty() { pool.to_string() } else { format!("{pool}@{balancer}") };
            Some(Waiting { what: "drain".into(), on, since_ms, until_ms: until(limits.drain_ms) })
        }
        Phase::Promote if going_on => {
            Some(Waiting { what: "promote".into(), on: format!("dispatch {}", dispatch.number), since_ms, until_ms: 0 })
        }
        Phase::Soak if going_on => {
            Some(Waiting { what: "soak".into(), on: dispatch.swarm.clone(), since_ms, until_ms: until(limits.soak_ms) })
        }
        _ => {
            let slow: Vec<String> = open
                .iter()
                .filter(|step| step.started_ms > 0 && now_ms - step.started_ms >= SLOW)
                .map(|step| format!("{} ({})", step.place, step.phase.word()))
                .collect();
            if slow.is_empty() {
                return None;
            }
            Some(Waiting { what: "host".into(), on: slow.join(", "), since_ms, until_ms: 0 })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::Step;

    fn dispatch(phase: Phase, place: &str, state: StepState) -> Dispatch {
        let step = Step { phase, place: place.into(), state, started_ms: 1_000, ended_ms: 0, detail: String::new(), batch: 0 };
        serde_json::from_value(serde_json::json!({
            "id": "d", "number": 7, "swarm_id": "s", "swarm": "shop-prod-web@web", "verb": "dispatch", "who": "op", "why": "",
            "from_version": "", "to_version": "", "from_release": "", "to_release": "", "phase": phase, "undoing": false, "outcome": null,
            "fault": null, "debts": [], "steps": [step], "started_ms": 1, "ended_ms": 0, "holder": ""
        }))
        .unwrap()
    }

    #[test]
    fn a_drain_a_soak_and_a_slow_host_are_said_with_the_time_left() {
        let limits = Limits { drain_ms: 30_000, soak_ms: 60_000 };
        let drain = of(&dispatch(Phase::Drain, "edge/shop", StepState::Intent), limits, 13_000).unwrap();
        assert_eq!(drain.line(13_000), "waits 12 s for connections of shop@edge to end, 18 s left at most");
        assert_eq!(drain.json(13_000).to_string(), r#"{"for":"drain","on":"shop@edge","since_ms":1000,"left_ms":18000}"#);
        let soak = of(&dispatch(Phase::Soak, "", StepState::Intent), limits, 13_000).unwrap();
        assert_eq!(soak.line(13_000), "soaks for 12 s, 48 s left at most");
        let prove = dispatch(Phase::Prove, "web01", StepState::Intent);
        assert!(of(&prove, limits, 2_000).is_none(), "a second is no wait");
        assert_eq!(of(&prove, limits, 7_000).unwrap().line(7_000), "waits 6 s for web01 (prove)");
        assert!(of(&dispatch(Phase::Drain, "edge/shop", StepState::Done), limits, 13_000).is_none());
        let mut ended = drain;
        ended.until_ms = 5_000;
        assert_eq!(ended.left_ms(13_000), Some(0));
    }
}
