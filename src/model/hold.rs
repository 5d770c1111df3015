//! A hold: nobody dispatches until it is lifted or its end has come. Who, why, since when, and what it holds.

use super::record::Dispatch;
use super::units::Span;
use super::{Fault, Result};
use serde::{Deserialize, Serialize};

/// What is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HoldOn {
    Swarm,
    /// Every swarm of it.
    Squad,
    /// Nothing is placed on it, and nothing on it is changed.
    Host,
    /// Every swarm.
    Fleet,
}

impl HoldOn {
    pub fn word(self) -> &'static str {
        match self {
            HoldOn::Swarm => "swarm",
            HoldOn::Squad => "squad",
            HoldOn::Host => "host",
            HoldOn::Fleet => "fleet",
        }
    }
    pub fn from_word(word: &str) -> Option<HoldOn> {
        [HoldOn::Swarm, HoldOn::Squad, HoldOn::Host, HoldOn::Fleet].into_iter().find(|on| on.word() == word)
    }
}

/// One hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// By which it is lifted: `hold-7`, `rollback-412`. Never used twice.
    pub name: String,
    pub on: HoldOn,
    /// The held object's id; "" for the fleet.
    pub id: String,
    /// What people called it when it was held.
    pub object: String,
    pub who: String,
    pub why: String,
    pub since_ms: i64,
    /// When it ends by itself; 0 is never.
    pub until_ms: i64,
}

impl Hold {
    /// The one that a rollback leaves: what was rolled back does not come again by accident.
    pub fn after_rollback(dispatch: &Dispatch, now_ms: i64) -> Hold {
        let why = if dispatch.why.is_empty() { String::new() } else { format!(": {}", dispatch.why) };
        Hold {
            name: format!("rollback-{}", dispatch.number),
            on: HoldOn::Swarm,
            id: dispatch.swarm_id.clone(),
            object: dispatch.swarm.clone(),
            who: dispatch.who.clone(),
            why: format!("rolled back from {} to {}{why}", dispatch.from_version, dispatch.to_version),
            since_ms: now_ms,
            until_ms: 0,
        }
    }

    /// Whether it still counts.
    pub fn counts(&self, now_ms: i64) -> bool {
        self.until_ms == 0 || now_ms < self.until_ms
    }

    /// `rollback-412 by op1 since 2026-11-21 10:00 UTC until it is lifted: reason`.
    pub fn line(&self) -> String {
        let until = if self.until_ms == 0 { "it is lifted".to_string() } else { minute(self.until_ms) };
        format!("{} by {} since {} until {until}: {}", self.name, self.who, minute(self.since_ms), self.why)
    }

    /// What a dispatch that it stops is told.
    pub fn refusal(&self, swarm: &str) -> Fault {
        let what = match self.on {
            HoldOn::Swarm => format!("{swarm} is held: {}", self.line()),
            HoldOn::Fleet => format!("the fleet is held: {}", self.line()),
            on => format!("{} {} is held: {}", on.word(), self.object, self.line()),
        };
        Fault::refused(what).next(match self.on {
            HoldOn::Swarm => format!("if it may go: say --lift {0}, or swarmdeck lift {0}", self.name),
            _ => format!("wait, or ask {} and then: swarmdeck lift {}", self.who, self.name),
        })
    }
}

/// The holds that stop a dispatch of a swarm, worst first: those of the fleet, of its squad, its own.
pub fn over_swarm<'h>(holds: &'h [Hold], swarm_id: &str, squad_id: &str, now_ms: i64) -> Vec<&'h Hold> {
    let mut found: Vec<&Hold> = holds
        .iter()
        .filter(|hold| hold.counts(now_ms))
        .filter(|hold| match hold.on {
            HoldOn::Fleet => true,
            HoldOn::Squad => hold.id == squad_id,
            HoldOn::Swarm => hold.id == swarm_id,
            HoldOn::Host => false,
        })
        .collect();
    found.sort_by_key(|hold| (std::cmp::Reverse(hold.on), hold.since_ms));
    found
}

/// The hold on a host, if there is one.
pub fn over_host<'h>(holds: &'h [Hold], host_id: &str, now_ms: i64) -> Option<&'h Hold> {
    holds.iter().find(|hold| hold.on == HoldOn::Host && hold.id == host_id && hold.counts(now_ms))
}

/// Which of these holds a dispatch may go past, having named them: `Err` when one stays or a name is none of them, naming the right one.
pub fn lifted<'h>(holds: &[&'h Hold], named: &[String], swarm: &str) -> Result<Vec<&'h Hold>> {
    if let Some(stays) = holds.iter().find(|hold| hold.on != HoldOn::Swarm) {
        return Err(stays.refusal(swarm));
    }
    let own: Vec<&str> = holds.iter().map(|hold| hold.name.as_str()).collect();
    if let Some(wrong) = named.iter().find(|name| !own.contains(&name.as_str())) {
        return Err(match holds.first() {
            Some(right) => Fault::refused(format!("'{wrong}' does not hold {swarm}; what does is {}", right.line()))
                .next(format!("if it may go: --lift {}", own.join(" --lift "))),
            None => Fault::refused(format!("'{wrong}' does not hold {swarm}; nothing does")).next("leave --lift out"),
        });
    }
    match holds.iter().find(|hold| !named.contains(&hold.name)) {
        Some(stays) => Err(stays.refusal(swarm)),
        None => Ok(holds.to_vec()),
    }
}

/// When a hold ends: after a while, at a time, or (0) never.
pub fn end(now_ms: i64, after: Option<&str>, at: Option<&str>) -> Result<i64> {
    let end = match (after, at) {
        (None, None) => return Ok(0),
        (Some(_), Some(_)) => return Err(Fault::bad("a hold has one end").next("say --for or --until")),
        (Some(after), None) => {
            let span: Span = after.parse().map_err(Fault::bad)?;
            now_ms.saturating_add(i64::try_from(span.0.as_millis()).unwrap_or(i64::MAX))
        }
        (None, Some(at)) => time(now_ms, at)?,
    };
    if end <= now_ms {
        return Err(Fault::bad(format!("the hold would end at {}, which has passed", minute(end))).next("say a later time"));
    }
    Ok(end)
}

/// `2h`, or a time: what one field of a form takes. "" is never.
pub fn end_of(now_ms: i64, text: &str) -> Result<i64> {
    match text.trim() {
        "" => Ok(0),
        text if text.parse::<Span>().is_ok() => end(now_ms, Some(text), None),
        text => end(now_ms, None, Some(text)),
    }
}

/// A time as it is written: with its zone, or in UTC; `18:00` is the next one.
fn time(now_ms: i64, text: &str) -> Result<i64> {
    let utc = jiff::tz::TimeZone::UTC;
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(at.as_millisecond());
    }
    if let Ok(at) = text.parse::<jiff::civil::DateTime>()
        && let Ok(at) = utc.to_timestamp(at)
    {
        return Ok(at.as_millisecond());
    }
    let bad = || Fault::bad(format!("'{text}' is not a time")).next("write 2026-11-22T18:00Z, or 18:00 (UTC)");
    let clock: jiff::civil::Time = text.parse().map_err(|_| bad())?;
    let today = jiff::Timestamp::from_millisecond(now_ms).map_err(|_| bad())?.to_zoned(utc.clone()).date();
    let at = |date: jiff::civil::Date| utc.to_timestamp(date.to_datetime(clock)).map(|at| at.as_millisecond()).map_err(|_| bad());
    let first = at(today)?;
    if first > now_ms { Ok(first) } else { at(today.tomorrow().map_err(|_| bad())?) }
}

fn minute(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|at| at.strftime("%F %H:%M UTC").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_226_551_000; // 2026-11-21 02:02:31 UTC

    fn hold(name: &str, on: HoldOn, id: &str) -> Hold {
        let (object, who, why) = (id.to_string(), "op1".to_string(), "the sale".to_string());
        Hold { name: name.into(), on, id: id.into(), object, who, why, since_ms: NOW - 60_000, until_ms: 0 }
    }

    #[test]
    fn it_holds_what_it_names_and_nothing_else_and_ends_at_its_end() {
        let mut holds = vec![
            hold("hold-1", HoldOn::Swarm, "s1"),
            hold("hold-2", HoldOn::Squad, "q1"),
            hold("hold-3", HoldOn::Host, "h1"),
            hold("hold-4", HoldOn::Fleet, ""),
        ];
        let names = |holds: &[Hold], swarm: &str, squad: &str| {
            over_swarm(holds, swarm, squad, NOW).iter().map(|hold| hold.name.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(&holds, "s1", "q1"), "hold-4 hold-2 hold-1");
        assert_eq!(names(&holds, "s2", "q1"), "hold-4 hold-2");
        assert_eq!(names(&holds, "s2", "q2"), "hold-4");
        holds.iter_mut().for_each(|hold| hold.until_ms = NOW);
        assert_eq!(names(&holds, "s1", "q1"), "", "its end has come");
        assert!(over_host(&holds, "h1", NOW - 1).is_some() && over_host(&holds, "h1", NOW).is_none());
        assert!(over_host(&holds, "s1", NOW - 1).is_none());
    }

    #[test]
    fn a_dispatch_lifts_its_swarms_holds_by_name_and_no_other() {
        let (own, squad) = (hold("rollback-412", HoldOn::Swarm, "s1"), hold("hold-2", HoldOn::Squad, "q1"));
        let named = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(lifted(&[&own], &named(&["rollback-412"]), "shop").unwrap(), [&own]);
        assert!(lifted(&[], &[], "shop").unwrap().is_empty());
        let fault = lifted(&[&own], &[], "shop").unwrap_err();
        assert_eq!(fault.exit_code(), 3);
        for word in ["shop is held", "rollback-412 by op1 since 2026-11-21 02:01 UTC until it is lifted: the sale", "--lift rollback-412"] {
            assert!(fault.line().contains(word), "{word}: {fault}");
        }
        let fault = lifted(&[&own], &named(&["rollback-411"]), "shop").unwrap_err();
        assert!(fault.line().contains("'rollback-411' does not hold shop") && fault.line().contains("--lift rollback-412"), "{fault}");
        let fault = lifted(&[&squad, &own], &named(&["rollback-412", "hold-2"]), "shop").unwrap_err();
        assert!(fault.line().contains("squad q1 is held") && fault.line().contains("swarmdeck lift hold-2"), "{fault}");
        assert!(lifted(&[], &named(&["x"]), "shop").unwrap_err().what.contains("nothing does"));
    }

    #[test]
    fn an_end_is_a_while_or_a_time() {
        assert_eq!(end(NOW, None, None).unwrap(), 0);
        assert_eq!(end(NOW, Some("2h"), None).unwrap(), NOW + 7_200_000);
        assert_eq!(end(NOW, None, Some("2026-11-21T03:02:31Z")).unwrap(), NOW + 3_600_000);
        assert_eq!(end(NOW, None, Some("2026-11-21 03:02:31")).unwrap(), NOW + 3_600_000);
        assert_eq!(end(NOW, None, Some("03:02:31")).unwrap(), NOW + 3_600_000);
        assert_eq!(end(NOW, None, Some("02:02:31")).unwrap(), NOW + 86_400_000, "tomorrow");
        assert_eq!(end_of(NOW, " 2h ").unwrap(), NOW + 7_200_000);
        assert_eq!(end_of(NOW, "").unwrap(), 0);
        for (after, at) in [(Some("2h"), Some("03:00")), (Some("soon"), None), (None, Some("2020-01-01T00:00Z")), (Some("0s"), None)] {
            assert_eq!(end(NOW, after, at).unwrap_err().exit_code(), 2, "{after:?} {at:?}");
        }
    }
}
