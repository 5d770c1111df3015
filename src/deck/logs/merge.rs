//! Puts the lines of several logs into one order: by the time that each carries, else by when it came. Pure.

use crate::deck::look::LogLine;
use crate::model::stamped::time_of;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How long a line waits for an earlier one of another log, ms.
const WAIT_MS: i64 = 250;
/// What may wait at once; more goes on at once, the earliest first.
const MOST_BYTES: usize = 16 << 20;
/// What a line takes beside its text.
const LINE_COSTS: usize = 120;

/// Lines that wait for their turn.
#[derive(Debug, Default)]
pub struct Merge {
    /// The time of the last line of each source that carried one: lines without, as those of a traceback, belong to it.
    last: HashMap<String, i64>,
    /// Sources of which a line of the proc's own carried a time.
    timed: BTreeSet<String>,
    /// The first time of each source.
    first: BTreeMap<String, i64>,
    /// By key and number; with when it came.
    waiting: BTreeMap<(i64, u64), (i64, LogLine)>,
    bytes: usize,
    count: u64,
    /// Lines that gave way to later ones before they were read.
    left_out: u64,
}

impl Merge {
    /// Takes a line, whose `at_ms` is when it came; a `mark` of ours says a time that the proc's own lines may not carry.
    pub fn take(&mut self, mut line: LogLine, mark: bool) {
        let came = line.at_ms;
        let own = if line.from.is_empty() { None } else { time_of(&line.text, came).map(|found| found.at_ms) };
        if let Some(at_ms) = own {
            self.last.insert(line.from.clone(), at_ms);
            if !mark {
                self.timed.insert(line.from.clone());
                self.first.entry(line.from.clone()).or_insert(at_ms);
            }
        }
        let key = own.or_else(|| self.last.get(&line.from).copied()).unwrap_or(came);
        line.at_ms = key;
        self.bytes += line.text.len() + LINE_COSTS;
        self.count += 1;
        self.waiting.insert((key, self.count), (came, line));
    }

    /// Whether a source's own lines carry times.
    pub fn is_timed(&self, from: &str) -> bool {
        self.timed.contains(from)
    }
    /// The first time that a source's own lines carry.
    pub fn first(&self, from: &str) -> Option<i64> {
        self.first.get(from).copied()
    }

    /// Forgets the earliest lines when there are too many to hold; for the beginning, where nothing is shown before all is read.
    pub fn trim(&mut self) {
        while self.bytes > MOST_BYTES {
            let Some((_, (_, line))) = self.waiting.pop_first() else { return };
            self.bytes = self.bytes.saturating_sub(line.text.len() + LINE_COSTS);
            self.left_out += 1;
        }
    }
    /// How many [`Merge::trim`] forgot.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// All that wait, in order: of sources that carry times those since then, and the last `most`.
    pub fn all(&mut self, since_ms: Option<i64>, most: Option<usize>) -> Vec<LogLine> {
        self.bytes = 0;
        let waiting = std::mem::take(&mut self.waiting);
        let early = |line: &LogLine| since_ms.is_some_and(|since| line.at_ms < since && self.timed.contains(&line.from));
        let mut lines: Vec<LogLine> = waiting.into_values().map(|(_, line)| line).filter(|line| !early(line)).collect();
        if let Some(most) = most {
            let over = lines.len().saturating_sub(most);
            lines.drain(..over);
        }
        lines
    }

    /// Those that have waited long enough, in order; all that came before them in time go with them.
    pub fn due(&mut self, now_ms: i64) -> Vec<LogLine> {
        let ripe = self.waiting.iter().filter(|(_, (came, _))| came + WAIT_MS <= now_ms).map(|(key, _)| *key).next_back();
        let mut due = Vec::new();
        while let Some(entry) = self.waiting.first_entry() {
            if ripe.is_none_or(|ripe| *entry.key() > ripe) && self.bytes <= MOST_BYTES / 4 {
                break;
            }
            let (_, line) = entry.remove();
            self.bytes = self.bytes.saturating_sub(line.text.len() + LINE_COSTS);
            due.push(line);
        }
        due
    }

    /// When the next line is due, ms; none when none waits.
    pub fn next_due(&self) -> Option<i64> {
        self.waiting.values().map(|(came, _)| came + WAIT_MS).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_795_257_720_000;

    fn line(from: &str, came: i64, text: &str) -> LogLine {
        LogLine { at_ms: came, from: from.into(), text: text.into() }
    }
    fn texts(lines: &[LogLine]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn lines_are_in_the_order_of_their_times_and_a_traceback_stays_with_its_line() {
        let mut merge = Merge::default();
        merge.take(line("a", NOW, "2026-11-21T10:41:57Z third"), false);
        merge.take(line("a", NOW, "  Traceback of the third"), false);
        merge.take(line("b", NOW, "2026-11-21T10:41:55Z first"), false);
        merge.take(line("b", NOW, "2026-11-21T10:41:56Z second"), false);
        merge.take(line("c", NOW, "no time at all"), false);
        let mut later = Merge::default();
        std::mem::swap(&mut later, &mut merge);
        let got = later.all(None, None);
        assert_eq!(
            texts(&got),
            [
                "2026-11-21T10:41:55Z first",
                "2026-11-21T10:41:56Z second",
                "2026-11-21T10:41:57Z third",
                "  Traceback of the third",
                "no time at all"
            ]
        );
        assert!(later.is_timed("a") && !later.is_timed("c"));
    }

    #[test]
    fn since_holds_where_lines_carry_times_and_a_mark_of_ours_is_no_time_of_theirs() {
        let mut merge = Merge::default();
        merge.take(line("a", NOW, "2026-11-21T10:41:55Z early"), false);
        merge.take(line("a", NOW, "2026-11-21T10:41:57Z late"), false);
        merge.take(line("c", NOW, "-- swarmdeck: started as pid 7 at 2026-11-21T10:00:00Z"), true);
        merge.take(line("c", NOW, "plain"), false);
        let got = merge.all(Some(1_795_257_716_000), None);
        assert_eq!(texts(&got), ["-- swarmdeck: started as pid 7 at 2026-11-21T10:00:00Z", "plain", "2026-11-21T10:41:57Z late"]);
        assert_eq!((merge.first("a"), merge.first("c")), (Some(1_795_257_715_000), None));
    }

    #[test]
    fn a_flood_is_bounded() {
        let mut merge = Merge::default();
        for number in 0..3_000 {
            merge.take(line("a", NOW, &format!("{number} {}", "x".repeat(16_000))), false);
            merge.trim();
        }
        assert!(merge.bytes <= MOST_BYTES && merge.left_out() > 1_500);
        assert!(!merge.due(NOW).is_empty(), "what is too much does not wait");
        assert!(merge.bytes <= MOST_BYTES / 4);
    }

    proptest! {
        #[test]
        fn every_line_comes_out_once_and_those_of_one_log_in_their_order(
            lines in prop::collection::vec((0usize..3, 0i64..20, any::<bool>(), 0i64..400), 0..60)
        ) {
            let mut merge = Merge::default();
            let (mut now, mut out, mut ends) = (NOW, Vec::new(), [0i64; 3]);
            for (number, (source, step, timed, pass)) in lines.iter().enumerate() {
                now += pass;
                ends[*source] += step;
                let time = if *timed { format!("{} ", 1_795_257_000_000i64 + ends[*source]) } else { String::new() };
                merge.take(line(&source.to_string(), now, &format!("{time}#{number}")), false);
                out.extend(merge.due(now));
            }
            out.extend(merge.due(now + 1_000));
            prop_assert!(merge.next_due().is_none());
            let number = |line: &LogLine| line.text.rsplit('#').next().unwrap().parse::<usize>().unwrap();
            let mut all: Vec<usize> = out.iter().map(number).collect();
            for source in ["0", "1", "2"] {
                let of: Vec<usize> = out.iter().filter(|line| line.from == source).map(number).collect();
                // A source without any time yet is ordered by arrival; with its first it may jump back, once.
                let timed_from = lines.iter().position(|(of, _, timed, _)| of.to_string() == source && *timed).unwrap_or(usize::MAX);
                let after: Vec<usize> = of.iter().copied().filter(|number| *number >= timed_from).collect();
                prop_assert!(after.is_sorted(), "{of:?}");
            }
            all.sort_unstable();
            prop_assert_eq!(all, (0..lines.len()).collect::<Vec<_>>());
        }
    }
}
