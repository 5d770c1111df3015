//! A wave: several swarms dispatched as one. First one alone, then some at a time; the first failure stops it.

use super::record::{Dispatch, Outcome};
use serde::{Deserialize, Serialize};

/// How many go at a time after the first, when nothing else is said.
pub const AT_ONCE: usize = 4;

/// A wave as it is stored. How far each member is, its dispatch says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wave {
    pub id: String,
    /// 7: what people call it.
    pub number: i64,
    /// `dispatch`, `rollback`, `restart`, `evacuate` or `re-place`.
    pub verb: String,
    /// The host that it is about, or "".
    #[serde(default)]
    pub place: String,
    pub who: String,
    pub why: String,
    pub at_once: usize,
    /// The wave that this one rolls back; 0 is none.
    pub of: i64,
    /// In the order in which they go.
    pub members: Vec<Member>,
    pub started_ms: i64,
}

/// One swarm of a wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub swarm_id: String,
    pub swarm: String,
    /// Its plan, which is its dispatch's id once that has begun.
    pub plan: String,
    pub from_version: String,
    pub to_version: String,
    pub to_release: String,
    /// What kept it from beginning, the last time that it was tried.
    pub refused: String,
}

/// How far a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    NotStarted,
    UnderWay,
    Done,
    /// Undone, failed, refused.
    Failed,
    /// Stopped between steps; its dispatch is carried on first.
    Interrupted,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            State::NotStarted => "not started",
            State::UnderWay => "under way",
            State::Done => "done",
            State::Failed => "failed",
            State::Interrupted => "interrupted",
        }
    }
    /// Of a member, from its dispatch if there is one.
    pub fn of(member: &Member, dispatch: Option<&Dispatch>) -> State {
        match dispatch.map(|dispatch| dispatch.outcome) {
            None if member.refused.is_empty() => State::NotStarted,
            None => State::Failed,
            Some(None) => State::UnderWay,
            Some(Some(Outcome::Done)) => State::Done,
            Some(Some(Outcome::Interrupted)) => State::Interrupted,
            Some(Some(Outcome::Undone | Outcome::Refused | Outcome::Failed)) => State::Failed,
        }
    }
}

/// What a wave does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Members to begin, by their place.
    Begin(Vec<usize>),
    /// Some are under way.
    Wait,
    /// Nothing more is begun: all done, or stopped.
    Over,
}

/// The next thing to do. `stopping`: the operator wants no more of it.
pub fn next(states: &[State], at_once: usize, stopping: bool) -> Next {
    let count = |state: State| states.iter().filter(|found| **found == state).count();
    let under_way = count(State::UnderWay);
    let stopped = stopping || count(State::Failed) + count(State::Interrupted) > 0;
    // The first goes alone: what is wrong with all of them is found on one.
    let most = if count(State::Done) == 0 { 1 } else { at_once.max(1) };
    let waiting = states.iter().enumerate().filter(|(_, state)| **state == State::NotStarted).map(|(place, _)| place);
    let begin: Vec<usize> = if stopped { Vec::new() } else { waiting.take(most.saturating_sub(under_way)).collect() };
    match (begin.is_empty(), under_way) {
        (false, _) => Next::Begin(begin),
        (true, 0) => Next::Over,
        (true, _) => Next::Wait,
    }
}

/// The wave in one word.
pub fn word(states: &[State], driven: bool) -> &'static str {
    let has = |state: State| states.contains(&state);
    if states.iter().all(|state| *state == State::Done) {
        "done"
    } else if driven || has(State::UnderWay) {
        "under way"
    } else if has(State::Failed) {
        "stopped at a failure"
    } else {
        "stopped"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_alone_then_some_at_a_time_and_nothing_after_a_failure(
            size in 1usize..12, at_once in 0usize..5, fails in prop::collection::vec(any::<bool>(), 12), order in prop::collection::vec(0usize..12, 60)
        ) {
            let mut states = vec![State::NotStarted; size];
            let mut order = order.into_iter();
            loop {
                let before = states.clone();
                match next(&states, at_once, false) {
                    Next::Begin(places) => {
                        for place in &places {
                            prop_assert_eq!(before[*place], State::NotStarted);
                            prop_assert!(before[..*place].iter().all(|state| *state != State::NotStarted) || places.iter().any(|other| other < place), "in order");
                            states[*place] = State::UnderWay;
                        }
                        prop_assert!(!before.contains(&State::Failed), "nothing begins after a failure");
                    }
                    Next::Wait => {
                        let flying: Vec<usize> = (0..size).filter(|place| states[*place] == State::UnderWay).collect();
                        let Some(roll) = order.next() else { return Ok(()) };
                        let ends = flying[roll % flying.len()];
                        states[ends] = if fails[ends] { State::Failed } else { State::Done };
                    }
                    Next::Over => break,
                }
                let under_way = states.iter().filter(|state| **state == State::UnderWay).count();
                prop_assert!(under_way <= at_once.max(1), "{under_way} at once");
                if !states.contains(&State::Done) {
                    prop_assert!(under_way <= 1, "the first goes alone");
                }
            }
            let failed = states.contains(&State::Failed);
            prop_assert!(!states.contains(&State::UnderWay));
            prop_assert_eq!(states.contains(&State::NotStarted) && !failed, false, "without a failure all go");
            prop_assert_eq!(word(&states, false), if failed { "stopped at a failure" } else { "done" });
        }
    }

    #[test]
    fn one_that_was_interrupted_stops_it_too_and_so_does_the_operator() {
        assert_eq!(next(&[State::Interrupted, State::NotStarted], 4, false), Next::Over);
        assert_eq!(next(&[State::Done, State::UnderWay, State::NotStarted], 4, true), Next::Wait);
        assert_eq!(next(&[State::Done, State::NotStarted, State::NotStarted], 4, false), Next::Begin(vec![1, 2]));
        assert_eq!(word(&[State::Done, State::NotStarted], false), "stopped");
        assert_eq!(word(&[State::Done, State::NotStarted], true), "under way");
    }
}
