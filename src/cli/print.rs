//! Results on stdout: tables for people, exactly one JSON or YAML value for programs. Control bytes are shown, not sent.

use super::args::Format;
use crate::deck::look::LogLine;
use crate::deck::outlet::Outlet;
use crate::deck::{Lines, as_text};
use crate::model::Fault;
use crate::model::shown::{shown, shown_lines};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::OnceLock;
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

/// How long a reader of standard error may read nothing before the end does not wait for it any more.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a verb gives back.
pub struct Report {
    /// What programs get.
    pub value: Value,
    /// What people get; none = made from the value.
    pub text: Option<String>,
    /// Columns of the table that is made from a list of objects.
    pub columns: &'static [&'static str],
    pub exit: u8,
}

impl Report {
    pub fn nothing() -> Report {
        Report { value: Value::Null, text: Some(String::new()), columns: &[], exit: 0 }
    }
    pub fn value(value: Value) -> Report {
        Report { value, text: None, columns: &[], exit: 0 }
    }
    pub fn text(text: String, value: Value) -> Report {
        Report { value, text: Some(text), columns: &[], exit: 0 }
    }
    pub fn table(rows: Vec<Value>, columns: &'static [&'static str]) -> Report {
        Report { value: Value::Array(rows), text: None, columns, exit: 0 }
    }
    pub fn with_exit(mut self, exit: u8) -> Report {
        self.exit = exit;
        self
    }

    /// Prints it; answers with the exit code.
    pub fn print(self, format: Format) -> u8 {
        let text = match format {
            Format::Json if self.value.is_null() && self.text.as_deref() == Some("") => String::new(),
            Format::Json => format!("{:#}\n", self.value),
            Format::Yaml => yaml(&self.value),
            Format::Table => match (&self.text, &self.value) {
                (Some(text), _) => shown_lines(text),
                (None, Value::Array(rows)) => table(rows, self.columns),
                (None, value) => shown_lines(&yaml(value)),
            },
        };
        flush();
        out(&text);
        self.exit
    }
}

/// A fault: on stdout as the one value with json, on stderr for people. Answers with its exit code.
pub fn fault(fault: &Fault, format: Format) -> u8 {
    let value = json!({"error": {"what": fault.what, "host": fault.host, "step": fault.step, "next": fault.next}});
    match format {
        Format::Json => out(&format!("{value:#}\n")),
        Format::Yaml => out(&yaml(&value)),
        Format::Table => err(&format!("swarmdeck: {}\n", fault.line())),
    }
    flush();
    fault.exit_code()
}

/// A line of progress; waits for no reader.
pub fn err(text: &str) {
    // Nobody may be left to read it, or the terminal may be stopped; that is no reason to wait.
    progress().send(shown_lines(text).into_bytes());
}

/// Waits until what was said is written, as long as somebody reads it.
pub fn flush() {
    progress().flush(PATIENCE);
}

/// Lines of a build, written as they come; ends with its sender.
pub fn lines() -> (Lines, tokio::task::JoinHandle<()>) {
    let (sender, mut lines): (Lines, tokio::sync::mpsc::Receiver<LogLine>) = tokio::sync::mpsc::channel(1024);
    let printing = tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            err(&format!("{:<9} {}\n", line.from, line.text));
        }
    });
    (sender, printing)
}

fn progress() -> &'static Outlet {
    static PROGRESS: OnceLock<Outlet> = OnceLock::new();
    PROGRESS.get_or_init(|| Outlet::new(std::io::stderr()))
}

/// A piece of the result.
pub fn out(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
    let _ = std::io::stdout().flush();
}

fn yaml(value: &Value) -> String {
    match serde_yaml::to_string(value) {
        Ok(text) if text.ends_with('\n') => text,
        Ok(text) => text + "\n",
        Err(error) => format!("# cannot be written as YAML: {error}\n"),
    }
}

/// Columns as wide as their widest cell; times that end in `_ms` as UTC.
fn table(rows: &[Value], columns: &[&str]) -> String {
    if rows.is_empty() {
        return "none\n".into();
    }
    let head: Vec<String> = columns.iter().map(|column| column.trim_end_matches("_ms").to_uppercase()).collect();
    let mut lines = vec![head];
    for row in rows {
        lines.push(columns.iter().map(|column| cell(column, row.get(column).unwrap_or(&Value::Null))).collect());
    }
    let width = |n: usize| lines.iter().filter_map(|line| line.get(n)).map(|cell| cell.width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width())))).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn cell(column: &str, value: &Value) -> String {
    if column.ends_with("_ms") {
        return match value.as_i64() {
            None | Some(0) => "-".into(),
            Some(ms) => jiff::Timestamp::from_millisecond(ms).map(|at| at.strftime("%F %T").to_string()).unwrap_or_default(),
        };
    }
    let text = shown(&as_text(value));
    if matches!(column, "id" | "release" | "commit" | "build") { text.chars().take(8).collect() } else { text }
}
