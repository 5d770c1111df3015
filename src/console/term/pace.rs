//! When the next frame may go: once the terminal said that it drew the last one. Pure: the clock is passed in.

use std::time::{Duration, Instant};

/// Asked at the end of a frame; a terminal answers `ESC [ 0 n` when it got so far.
pub const QUERY: &[u8] = b"\x1b[5n";
/// That answer.
pub const ANSWER: &[u8] = b"\x1b[0n";

/// After a frame the next one waits so long for more to come.
const COALESCE: Duration = Duration::from_millis(8);
/// A terminal that answered nothing for so long never does.
const NEVER: Duration = Duration::from_secs(3);
/// How many queries it has to leave unanswered, too.
const UNANSWERED: u32 = 3;
/// One that does answer is waited for so long at least, and at most.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(20));

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Answers {
    /// Not known yet: it is asked, and not waited for.
    #[default]
    Unknown,
    Yes,
    /// It is not asked any more.
    No,
}

/// At most one frame is on its way to a terminal that answers.
#[derive(Debug, Default)]
pub struct Pace {
    answers: Answers,
    /// Queries without an answer.
    open: u32,
    /// Since when there are some.
    since: Option<Instant>,
    last_sent: Option<Instant>,
    /// The longest that an answer took lately.
    trip: Duration,
    /// How often in a row it was waited for in vain.
    in_vain: u32,
}

impl Pace {
    /// A frame goes; whether it ends with the query.
    pub fn sent(&mut self, now: Instant) -> bool {
        self.last_sent = Some(now);
        if self.answers == Answers::Unknown && self.open >= UNANSWERED && self.since.is_some_and(|since| now.duration_since(since) >= NEVER)
        {
            self.answers = Answers::No;
            (self.open, self.since) = (0, None);
        }
        if self.answers == Answers::No {
            return false;
        }
        if self.answers == Answers::Yes && self.open > 0 {
            // Waited for in vain: what is still open is given up.
            self.in_vain += 1;
            (self.open, self.since) = (0, None);
            if self.in_vain >= UNANSWERED {
                self.answers = Answers::Unknown;
            }
        }
        self.open += 1;
        self.since.get_or_insert(now);
        true
    }

    /// The terminal answered; whether nothing is on its way any more.
    pub fn answered(&mut self, now: Instant) -> bool {
        if let Some(since) = self.since {
            let took = now.duration_since(since);
            self.trip = if took > self.trip { took } else { (self.trip * 7 + took) / 8 };
        }
        self.answers = Answers::Yes;
        self.in_vain = 0;
        self.open = self.open.saturating_sub(1);
        self.since = (self.open > 0).then_some(now);
        self.open == 0
    }

    /// When the next frame may go, if no answer comes before; none: at once.
    pub fn next(&self) -> Option<Instant> {
        if self.answers == Answers::Yes && self.open > 0 {
            let patience = (self.trip * 4).clamp(PATIENCE.0, PATIENCE.1);
            return self.since.map(|since| since + patience);
        }
        // The answer was the pause already.
        self.last_sent.filter(|_| self.answers != Answers::Yes).map(|sent| sent + COALESCE)
    }

    /// Whether it may go now.
    pub fn is_free(&self, now: Instant) -> bool {
        self.next().is_none_or(|next| now >= next)
    }

    /// Whether a frame is on its way that the terminal will answer.
    pub fn waits(&self) -> bool {
        self.answers == Answers::Yes && self.open > 0
    }

    /// Whether answers may still come: whoever gets the terminal next must not get them.
    pub fn owes(&self) -> bool {
        self.open > 0
    }

    /// How long the answers may take to come.
    pub fn patience(&self) -> Duration {
        if self.answers == Answers::Yes {
            (self.trip * 3).max(Duration::from_millis(200)).min(PATIENCE.0)
        } else {
            Duration::from_millis(100)
        }
    }

    /// Somebody else had the terminal: it may be another one now.
    pub fn forget(&mut self) {
        *self = Pace::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_frame_is_on_its_way_to_a_terminal_that_answers() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut pace = Pace::default();
        assert!(pace.is_free(start) && pace.sent(start));
        assert!(!pace.is_free(at(7)) && pace.is_free(at(8)), "not known yet: only what comes close together is one frame");
        assert!(pace.sent(at(8)));
        assert!(!pace.answered(at(200)), "one is still on its way");
        assert!(!pace.is_free(at(207)));
        assert!(pace.answered(at(208)));
        assert!(pace.is_free(at(208)) && pace.sent(at(208)));
        assert!(!pace.is_free(at(400)) && pace.waits() && pace.owes());
        assert!(pace.answered(at(408)) && pace.is_free(at(408)));
        assert!(pace.patience() >= Duration::from_millis(400));
    }

    #[test]
    fn a_terminal_that_never_answers_is_not_waited_for_and_not_asked_for_ever() {
        let start = Instant::now();
        let mut pace = Pace::default();
        let mut asked = 0;
        for number in 0..100u64 {
            let now = start + Duration::from_millis(100 * number);
            assert!(pace.is_free(now));
            asked += u32::from(pace.sent(now));
        }
        assert!((3..=31).contains(&asked), "{asked}");
        assert!(!pace.owes());
        pace.forget();
        assert!(pace.sent(start));
    }

    #[test]
    fn one_that_falls_silent_is_waited_for_a_while_and_then_asked_as_if_new() {
        let start = Instant::now();
        let mut pace = Pace::default();
        let mut now = start;
        pace.sent(now);
        pace.answered(now);
        for _ in 0..3 {
            pace.sent(now);
            assert!(!pace.is_free(now + Duration::from_secs(1)));
            now += Duration::from_secs(2);
            assert!(pace.is_free(now));
        }
        pace.sent(now);
        assert!(pace.is_free(now + COALESCE), "it is not waited for any more");
        assert!(pace.answered(now) && pace.sent(now) && !pace.is_free(now + COALESCE), "until it answers");
    }
}
