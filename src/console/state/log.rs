//! A log that is followed: bounded lines, what is hidden and found, what folds together.

use super::Field;
use crate::deck::logs::LogRequest;
use crate::deck::look::{LogLine, Target};
use crate::model::Fault;
use crate::model::stamped::{same_but_for_time, time_of};
use regex::{Regex, RegexBuilder};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

/// Lines of a log that are kept, and their bytes.
pub const LOG_KEPT: usize = 10_000;
const BYTES_KEPT: usize = 8 << 20;
/// What a line takes beside its text.
const LINE_COSTS: usize = 160;

/// How far back `0` to `6` go: what the operator reads, and ms; 0 is all that is kept, none the end.
pub const SINCE: [(&str, Option<i64>); 7] = [
    ("the end", None),
    ("1m", Some(60_000)),
    ("5m", Some(300_000)),
    ("15m", Some(900_000)),
    ("1h", Some(3_600_000)),
    ("1d", Some(86_400_000)),
    ("all that is kept", Some(0)),
];

/// Whose log it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogSource {
    /// Of a proc, swarm, host, squad or dispatch.
    Logs(Target),
    /// Of the lives of a proc that have ended.
    LastLives(Target),
    Build(String),
    /// What a verb says while it runs: check, provision, uptest, run, demo.
    Verb(Target),
}

impl LogSource {
    pub fn target(&self) -> Target {
        match self {
            LogSource::Build(id) => Target::Build(id.clone()),
            LogSource::Logs(target) | LogSource::LastLives(target) | LogSource::Verb(target) => target.clone(),
        }
    }
}

/// What a kept line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    Said,
    /// This console's own word about the log: a gap.
    Own,
    /// A line that the operator drew.
    Mark,
    /// A stage of a build begins.
    Stage,
}

/// A line that is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    pub line: LogLine,
    pub kind: LineKind,
    /// How often it came in a row.
    pub times: u32,
    /// Where its own time stands in it.
    time: Option<Range<usize>>,
    /// Whether it matches what is searched for.
    pub hit: bool,
    pub hidden: bool,
}

/// A pattern that the operator wrote: a regular expression, without regard to case unless it has a capital.
#[derive(Debug, Clone, Default)]
pub struct Pattern {
    pub text: String,
    regex: Option<Regex>,
    /// Only lines that do not match.
    not: bool,
    /// Why it is taken as plain text.
    pub wrong: Option<String>,
}

impl Pattern {
    /// Reads it; `!x` is lines without x.
    pub fn new(text: &str) -> Pattern {
        let (not, wanted) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        if wanted.is_empty() {
            return Pattern { text: text.into(), ..Pattern::default() };
        }
        let build =
            |text: &str| RegexBuilder::new(text).case_insensitive(!text.chars().any(char::is_uppercase)).size_limit(1 << 20).build();
        match build(wanted) {
            Ok(regex) => Pattern { text: text.into(), regex: Some(regex), not, wrong: None },
            Err(_) => {
                let wrong = Some("no regular expression: taken as plain text".to_string());
                Pattern { text: text.into(), regex: build(&regex::escape(wanted)).ok(), not, wrong }
            }
        }
    }
    pub fn is_empty(&self) -> bool {
        self.regex.is_none()
    }
    fn matches(&self, text: &str) -> bool {
        self.regex.as_ref().is_some_and(|regex| regex.is_match(text) != self.not)
    }
}

/// A log that is followed.
#[derive(Debug, Clone)]
pub struct LogLayer {
    pub ticket: u64,
    pub title: String,
    pub source: LogSource,
    pub lines: VecDeque<Kept>,
    bytes: usize,
    /// Lines that fell off the top.
    pub dropped: u64,
    /// Every source that was heard, and whether its lines carry times.
    pub sources: BTreeMap<String, bool>,
    /// Whether the newest line stays in sight.
    pub follow: bool,
    /// Lines that came while paused; they are shown when it goes on.
    pub paused: Option<VecDeque<LogLine>>,
    paused_bytes: usize,
    pub wrap: bool,
    pub times: bool,
    /// Which of [`SINCE`] was chosen.
    pub since: usize,
    /// The first line shown when it does not follow.
    pub top: usize,
    /// The line that is written: a search, or with `filtering` what alone is shown.
    pub find: Field,
    pub finding: bool,
    pub filtering: bool,
    pub search: Pattern,
    pub filter: Pattern,
    /// Only this source is shown.
    pub only: Option<String>,
    /// The line of the current match.
    pub found: Option<usize>,
    pub ended: bool,
    pub fault: Option<Fault>,
}

impl LogLayer {
    pub fn new(ticket: u64, title: String, source: LogSource) -> LogLayer {
        LogLayer {
            ticket,
            title,
            source,
            lines: VecDeque::new(),
            bytes: 0,
            dropped: 0,
            sources: BTreeMap::new(),
            follow: true,
            paused: None,
            paused_bytes: 0,
            wrap: false,
            times: false,
            since: 0,
            top: 0,
            find: Field::default(),
            finding: false,
            filtering: false,
            search: Pattern::default(),
            filter: Pattern::default(),
            only: None,
            found: None,
            ended: false,
            fault: None,
        }
    }

    /// The request that it follows; none where there is nothing on hosts to follow.
    pub fn request(&self, now_ms: i64) -> Option<LogRequest> {
        let LogSource::Logs(target) = &self.source else { return None };
        let back = SINCE.get(self.since).and_then(|(_, back)| *back);
        let since_ms = back.map(|back| if back == 0 { 0 } else { now_ms - back });
        Some(LogRequest { since_ms, ..LogRequest::follow(target.clone()) })
    }

    /// Begins again, empty, under another ticket.
    pub fn restart(&mut self, ticket: u64) {
        let new = LogLayer::new(ticket, self.title.clone(), self.source.clone());
        let old = std::mem::replace(self, new);
        (self.wrap, self.times, self.since, self.only) = (old.wrap, old.times, old.since, old.only);
        (self.find, self.search, self.filter) = (old.find, old.search, old.filter);
    }

    /// Takes lines; when paused they wait (bounded too).
    pub fn push(&mut self, lines: Vec<LogLine>) {
        if let Some(waiting) = &mut self.paused {
            self.paused_bytes += lines.iter().map(cost).sum::<usize>();
            waiting.extend(lines);
            while waiting.len() > LOG_KEPT || self.paused_bytes > BYTES_KEPT {
                let Some(line) = waiting.pop_front() else { break };
                self.paused_bytes = self.paused_bytes.saturating_sub(cost(&line));
                self.dropped += 1;
            }
            return;
        }
        for line in lines {
            self.take(line);
        }
        self.trim();
    }

    /// Pauses, or goes on with what came meanwhile.
    pub fn pause(&mut self) {
        self.paused_bytes = 0;
        match self.paused.take() {
            Some(waiting) => self.push(waiting.into()),
            None => self.paused = Some(VecDeque::new()),
        }
    }

    /// Draws a line, so that what comes after it is told from what was before.
    pub fn draw_mark(&mut self, now_ms: i64) {
        let line = LogLine { at_ms: now_ms, from: String::new(), text: String::new() };
        self.keep(Kept { line, kind: LineKind::Mark, times: 1, time: None, hit: false, hidden: false });
        self.trim();
    }

    fn take(&mut self, line: LogLine) {
        let time = time_of(&line.text, line.at_ms).map(|found| found.place);
        let kind = if line.from.is_empty() {
            LineKind::Own
        } else if matches!(self.source, LogSource::Build(_)) && line.text.starts_with("=== ") {
            LineKind::Stage
        } else {
            LineKind::Said
        };
        if kind == LineKind::Said {
            // A start that we wrote down ourselves says nothing about the lines of the proc.
            let timed = time.is_some() && !line.text.starts_with("-- swarmdeck: ");
            *self.sources.entry(line.from.clone()).or_default() |= timed;
        }
        if let Some(last) = self.lines.back_mut()
            && last.kind == LineKind::Said
            && kind == LineKind::Said
            && last.line.from == line.from
            && !line.text.is_empty()
            && same_but_for_time(&last.line.text, last.time.as_ref(), &line.text, time.as_ref())
        {
            last.times = last.times.saturating_add(1);
            (last.line, last.time) = (line, time);
            return;
        }
        let mut kept = Kept { line, kind, times: 1, time, hit: false, hidden: false };
        self.judge(&mut kept);
        self.keep(kept);
    }

    fn keep(&mut self, kept: Kept) {
        self.bytes += cost(&kept.line);
        self.lines.push_back(kept);
    }

    fn trim(&mut self) {
        while self.lines.len() > LOG_KEPT || self.bytes > BYTES_KEPT {
            let Some(gone) = self.lines.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(cost(&gone.line));
            self.dropped += 1;
            self.top = self.top.saturating_sub(1);
            self.found = self.found.and_then(|at| at.checked_sub(1));
        }
    }

    fn judge(&self, kept: &mut Kept) {
        if kept.kind == LineKind::Mark {
            return;
        }
        let other = self.only.as_ref().is_some_and(|only| only != &kept.line.from);
        let words = crate::model::shown::without_colour(&kept.line.text);
        kept.hidden = kept.kind == LineKind::Said && (other || (!self.filter.is_empty() && !self.filter.matches(&words)));
        kept.hit = !kept.hidden && self.search.matches(&words);
    }

    /// Looks at every line again, after what is searched for or shown was changed.
    pub fn judge_all(&mut self) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.iter_mut().for_each(|kept| self.judge(kept));
        self.lines = lines;
        if self.found.and_then(|at| self.lines.get(at)).is_some_and(|kept| !kept.hit) {
            self.found = None;
        }
    }

    /// The numbers of the lines that are shown.
    pub fn shown(&self) -> Vec<usize> {
        self.lines.iter().enumerate().filter(|(_, kept)| !kept.hidden).map(|(row, _)| row).collect()
    }

    /// The numbers of the lines that match the search.
    pub fn matches(&self) -> Vec<usize> {
        self.lines.iter().enumerate().filter(|(_, kept)| kept.hit).map(|(row, _)| row).collect()
    }

    /// Whether a line's time is only that of its arrival.
    pub fn by_arrival(&self, kept: &Kept) -> bool {
        kept.kind == LineKind::Said && !self.sources.get(&kept.line.from).copied().unwrap_or(false)
    }

    /// All shown lines as text for a file or the clipboard.
    pub fn text(&self, rows: &[usize]) -> String {
        let several = self.sources.len() > 1;
        let mut text = String::new();
        for kept in rows.iter().filter_map(|row| self.lines.get(*row)) {
            let words = crate::model::shown::without_colour(&kept.line.text);
            let words = match kept.kind {
                LineKind::Own => format!("-- {words}"),
                LineKind::Mark => "-".repeat(40),
                _ if several => format!("{}  {words}", kept.line.label()),
                _ => words,
            };
            let times = if kept.times > 1 { format!("  x{}", kept.times) } else { String::new() };
            text.push_str(&crate::model::shown::shown_lines(&words));
            text.push_str(&times);
            text.push('\n');
        }
        text
    }
}

fn cost(line: &LogLine) -> usize {
    line.text.len() + line.from.len() + LINE_COSTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(from: &str, text: &str) -> LogLine {
        LogLine { at_ms: 1_795_257_720_000, from: from.into(), text: text.into() }
    }
    fn layer() -> LogLayer {
        LogLayer::new(1, "x".into(), LogSource::Logs(Target::Swarm("s".into())))
    }

    #[test]
    fn repeated_lines_fold_to_a_count() {
        let mut log = layer();
        log.push((0..5).map(|second| line("a", &format!("2026-11-21T10:41:5{second}Z lost"))).collect());
        log.push(vec![line("b", "2026-11-21T10:41:54Z lost"), line("b", "other"), line("b", ""), line("b", "")]);
        let got: Vec<(u32, &str)> = log.lines.iter().map(|kept| (kept.times, kept.line.text.as_str())).collect();
        assert_eq!(got, [(5, "2026-11-21T10:41:54Z lost"), (1, "2026-11-21T10:41:54Z lost"), (1, "other"), (1, ""), (1, "")]);
        assert!(log.text(&[0]).contains("x5"));
    }

    #[test]
    fn a_gigabyte_through_it_stays_small() {
        let mut log = layer();
        let long = "y".repeat(16 << 10);
        for number in 0..2_000 {
            log.push(vec![line("a", &format!("{number} {long}"))]);
        }
        assert!(log.bytes <= BYTES_KEPT && log.dropped > 1_000, "{}", log.bytes);
        log.pause();
        for number in 0..2_000 {
            log.push(vec![line("a", &format!("{number} {long}"))]);
        }
        assert!(log.paused_bytes <= BYTES_KEPT);
        log.pause();
        assert!(log.bytes <= BYTES_KEPT && log.lines.back().unwrap().line.text.starts_with("1999 "));
    }

    #[test]
    fn filters_hide_and_searches_find() {
        let mut log = layer();
        log.push(vec![line("a", "GET /a 200"), line("b", "GET /b 500"), line("", "b: gone"), line("a", "\x1b[31mGET\x1b[0m /c 500")]);
        log.filter = Pattern::new("get .* 500");
        log.judge_all();
        assert_eq!(log.shown(), [1, 2, 3]);
        log.only = Some("a".into());
        log.judge_all();
        assert_eq!(log.shown(), [2, 3], "what this says itself stays");
        (log.only, log.filter, log.search) = (None, Pattern::new("!500"), Pattern::new("GET"));
        log.judge_all();
        assert_eq!((log.shown(), log.matches()), (vec![0, 2], vec![0]));
        assert!(Pattern::new("(").wrong.is_some() && Pattern::new("(").matches("a(b") && !Pattern::new("Get").matches("get"));
    }

    proptest! {
        #[test]
        fn no_pattern_panics(pattern in "\\PC{0,30}", text in "\\PC{0,60}") {
            let found = Pattern::new(&pattern).matches(&text);
            if !pattern.is_empty() && !pattern.starts_with('!') {
                prop_assert_ne!(found, Pattern::new(&format!("!{pattern}")).matches(&text));
            }
        }
    }
}
