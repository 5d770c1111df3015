//! The log of one build: streamed while it runs, kept in a file, its last lines for the fault.

use super::job::{Workspace, disk};
use crate::model::shown::shown;
use crate::model::{Fault, Result};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A log never grows beyond this; a build that prints without end must not fill the disk.
const LONGEST: u64 = 64 << 20;
/// How many last lines a fault can quote.
const TAIL: usize = 5;

/// The stages of a build, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    Source,
    Buildpack,
    Detect,
    Compile,
    Release,
    Slugignore,
    Procfile,
    Pack,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Stage; 8] =
        [Stage::Source, Stage::Buildpack, Stage::Detect, Stage::Compile, Stage::Release, Stage::Slugignore, Stage::Procfile, Stage::Pack];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Stage::Source => "source",
            Stage::Buildpack => "buildpack",
            Stage::Detect => "detect",
            Stage::Compile => "compile",
            Stage::Release => "release",
            Stage::Slugignore => "slugignore",
            Stage::Procfile => "procfile",
            Stage::Pack => "pack",
        }
    }
}

/// What a line of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineKind {
    /// A stage begins.
    Stage,
    /// The builder says something.
    Note,
    /// The builder warns.
    Warning,
    /// A process of the build printed it.
    Output,
}

/// One line of a build's log; safe for a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub stage: Stage,
    pub kind: LineKind,
    pub text: String,
    /// Milliseconds since the build began.
    pub ms: u64,
}

/// Who listens to a build while it runs. Must not block.
pub trait LogSink: Send + Sync {
    fn line(&self, line: LogLine);
}

impl LogSink for () {
    fn line(&self, _: LogLine) {}
}

impl LogSink for tokio::sync::mpsc::UnboundedSender<LogLine> {
    fn line(&self, line: LogLine) {
        // Nobody listens any more; the file still has it.
        let _ = self.send(line);
    }
}

/// The log of one build.
pub struct Log<'a> {
    sink: &'a dyn LogSink,
    begun: Instant,
    path: PathBuf,
    inner: Mutex<Inner>,
}

struct Inner {
    stage: Stage,
    file: Option<std::fs::File>,
    written: u64,
    tail: VecDeque<String>,
}

impl<'a> Log<'a> {
    /// Opens `<data>/logs/build-<id>.log`; an older one of the same id is replaced.
    pub fn open(workspace: &Workspace, id: &str, sink: &'a dyn LogSink) -> Result<Log<'a>> {
        let path = workspace.dir("logs")?.join(format!("build-{id}.log"));
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(disk(&path, &error)),
            _ => {}
        }
        let mode = workspace.file_mode();
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&path).map_err(|error| disk(&path, &error))?;
        let inner = Inner { stage: Stage::Source, file: Some(file), written: 0, tail: VecDeque::new() };
        Ok(Log { sink, begun: Instant::now(), path, inner: Mutex::new(inner) })
    }

    /// Where it is kept.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// How long the build runs.
    pub fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// The stage that runs now.
    pub fn stage(&self) -> Stage {
        self.lock().stage
    }

    /// A stage begins.
    pub fn begin(&self, stage: Stage) {
        let mut inner = self.lock();
        inner.stage = stage;
        inner.tail.clear();
        drop(inner);
        self.write(LineKind::Stage, stage.word());
    }

    /// The builder says something.
    pub fn note(&self, text: impl AsRef<str>) {
        self.write(LineKind::Note, text.as_ref());
    }

    /// The builder warns.
    pub fn warn(&self, text: impl AsRef<str>) {
        self.write(LineKind::Warning, text.as_ref());
    }

    /// A process printed a line.
    pub fn output(&self, text: impl AsRef<str>) {
        self.write(LineKind::Output, text.as_ref());
    }

    /// The last lines that processes printed in this stage, in one line.
    pub fn tail(&self) -> String {
        let inner = self.lock();
        inner.tail.iter().map(String::as_str).collect::<Vec<_>>().join(" / ")
    }

    /// Completes a fault: the stage, the log's last lines, the path of the log.
    pub fn explain(&self, fault: Fault) -> Fault {
        let tail = self.tail();
        let mut fault = fault.at(format!("build, {}", self.stage().word())).next(format!("read {}", self.path.display()));
        if !tail.is_empty() && !fault.what.contains(&tail) {
            fault.what = format!("{}; its last lines: {tail}", fault.what);
        }
        self.write(LineKind::Warning, &format!("failed: {}", fault.line()));
        fault
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, kind: LineKind, text: &str) {
        let coloured = coloured(text);
        let text = readable(text);
        let mut inner = self.lock();
        if kind == LineKind::Output && !text.trim().is_empty() {
            inner.tail.push_back(text.clone());
            while inner.tail.len() > TAIL {
                inner.tail.pop_front();
            }
        }
        let line = match kind {
            LineKind::Stage => format!("=== {text}\n"),
            LineKind::Note => format!("--- {text}\n"),
            LineKind::Warning => format!("!!! {text}\n"),
            LineKind::Output => format!("    {coloured}\n"),
        };
        inner.keep(&line);
        let ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let line = LogLine { stage: inner.stage, kind, text, ms };
        // Sent under the lock, so that listeners see the order of the file.
        self.sink.line(line);
    }
}

impl Inner {
    /// A log that cannot be written must not fail a good build (W36): it ends, and the listeners still see everything.
    fn keep(&mut self, line: &str) {
        let Some(file) = &mut self.file else { return };
        self.written += line.len() as u64;
        let cut = self.written > LONGEST;
        let text = if cut { "!!! the log is cut here: it is too long\n" } else { line };
        if file.write_all(text.as_bytes()).is_err() || cut {
            self.file = None;
        }
    }
}

/// What a progress bar leaves on the line, without colours, control bytes shown.
fn readable(text: &str) -> String {
    static COLOUR: LazyLock<Option<regex::Regex>> = LazyLock::new(|| regex::Regex::new("\x1b\\[[0-9;?]*[A-Za-z]").ok());
    let last = text.trim_end_matches(['\r', '\n']).rsplit('\r').next().unwrap_or_default();
    let plain = COLOUR.as_ref().map_or(last.into(), |colour| colour.replace_all(last, ""));
    shown(&plain.replace('\t', "    "))
}

/// [`readable`] with its colours (SGR) left in, for the file: the screen shows them, and drops whatever else is a sequence.
fn coloured(text: &str) -> String {
    static COLOUR: LazyLock<Option<regex::Regex>> = LazyLock::new(|| regex::Regex::new("\x1b\\[[0-9;]*m").ok());
    let last = text.trim_end_matches(['\r', '\n']).rsplit('\r').next().unwrap_or_default();
    let Some(colour) = COLOUR.as_ref() else { return readable(text) };
    let (mut out, mut from) = (String::new(), 0);
    for found in colour.find_iter(last) {
        out.push_str(&readable(last.get(from..found.start()).unwrap_or_default()));
        out.push_str(found.as_str());
        from = found.end();
    }
    out.push_str(&readable(last.get(from..).unwrap_or_default()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_keeps_colours_and_nothing_else_that_a_terminal_acts_on() {
        assert_eq!(coloured("10%\r\x1b[32mdone\x1b[0m\x1b[2J\x07 \x1b]0;t\r\n"), "\x1b[32mdone\x1b[0m\u{2407} \u{241b}]0;t");
        assert_eq!(coloured("plain\n"), "plain");
    }

    #[test]
    fn progress_and_colours_become_plain_text() {
        assert_eq!(readable("10%\r50%\r\x1b[32mdone\x1b[0m\x07\r\n"), "done\u{2407}");
    }
}
