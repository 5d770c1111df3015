//! The answer as lines, for people: the same on the command line and on the screen.

use super::{Cause, Why};

/// How many lives are told in a text.
const LIVES: usize = 8;

impl Why {
    /// A heading or fact a line; evidence indented below its cause.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{} {}: {}", self.kind, self.name, self.verdict)];
        if let Some(cause) = &self.cause {
            lines.push(String::new());
            lines.push(format!("CAUSE  {}", of_cause(cause)));
            lines.extend(cause.evidence.iter().map(|line| format!("  | {line}")));
        }
        if !self.also.is_empty() {
            lines.push(String::new());
            lines.push("ALSO".into());
            for cause in &self.also {
                lines.push(format!("  {}", of_cause(cause)));
                lines.extend(cause.evidence.iter().take(3).map(|line| format!("    | {line}")));
            }
        }
        if !self.changed.is_empty() {
            lines.push(String::new());
            lines.push("CHANGED since it last ran well".into());
            lines.extend(self.changed.iter().map(|line| format!("  {line}")));
        }
        if !self.lives.is_empty() {
            lines.push(String::new());
            lines.push(format!("LIVES  the last {}, newest first", self.lives.len()));
            for life in self.lives.iter().take(LIVES) {
                let last = life.lines.iter().rev().find(|line| !line.trim().is_empty()).cloned().unwrap_or_default();
                let lasted = if life.end > 0 && life.start > 0 { format!("{} s", life.end - life.start) } else { "-".into() };
                lines.push(format!("  {}  {:<8} {:>7}  {}  {last}", at(life.start), life.version, lasted, life.how()));
            }
        }
        if !self.next.is_empty() {
            lines.push(String::new());
            lines.push(format!("NEXT  {}", self.next));
        }
        lines
    }
}

fn of_cause(cause: &Cause) -> String {
    let place = if cause.place.is_empty() { String::new() } else { format!("{}: ", cause.place) };
    format!("{}  {place}{}", cause.id, cause.sentence)
}

fn at(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map(|at| at.strftime("%F %T").to_string()).unwrap_or_default()
}
