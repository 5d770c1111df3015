//! `logs`: what procs said, of one proc, a swarm, a host, a squad or a dispatch; on standard output, gaps on standard error.

use super::args::{Format, LogArgs};
use super::print::{Report, err};
use super::signals::Signals;
use crate::deck::Deck;
use crate::deck::logs::LogRequest;
use crate::deck::look::{LogLine, Target};
use crate::model::shown::{shown, without_colour};
use crate::model::{Fault, Result};
use serde_json::{Value, json};
use std::io::Write;

pub async fn logs(deck: &Deck, args: &LogArgs, format: Format) -> Result<Report> {
    let of = match &args.proc {
        Some(proc) => Target::Proc(args.target.clone(), proc.clone()),
        // A removed proc has a last life too.
        None if args.last_life => match args.target.split_once(':') {
            Some((host, proc)) => Target::Proc(host.into(), proc.into()),
            None => deck.target_named(&args.target).await?,
        },
        None => deck.target_named(&args.target).await?,
    };
    let grep = match &args.grep {
        Some(text) => Some(regex::Regex::new(text).map_err(|error| Fault::bad(format!("--grep is not a regular expression: {error}")))?),
        None => None,
    };
    let several = !matches!(of, Target::Proc(..) | Target::Build(_));
    let mut writer = Writer { format, several, grep, values: Vec::new(), lines: 0, own: None, text: String::new() };
    if args.last_life {
        let Target::Proc(host, proc) = &of else {
            return Err(Fault::bad("only a proc has lives").next("swarmdeck logs HOST:PROC --last-life"));
        };
        for line in deck.last_lives(host, proc).await? {
            writer.write(&line, args.follow, true);
        }
        writer.flush();
        return writer.end();
    }
    let since_ms = args.since.as_deref().map(|since| since_of(since, deck.now_ms())).transpose()?;
    let request = LogRequest { of, follow: args.follow, since_ms, lines: args.lines, skip: false };
    let mut signals = Signals::heard()?;
    let mut lines = deck.logs(&request).await?;
    let mut batch = Vec::new();
    loop {
        let count = tokio::select! {
            count = lines.recv_many(&mut batch, 256) => count,
            () = signals.any() => return Ok(Report::nothing()),
        };
        for line in batch.drain(..) {
            writer.write(&line, args.follow, false);
        }
        if !writer.flush() {
            return Ok(Report::nothing());
        }
        if count == 0 {
            return writer.end();
        }
    }
}

/// `15m`, a time (RFC 3339), or `all`; as ms since the epoch.
fn since_of(text: &str, now_ms: i64) -> Result<i64> {
    if text == "all" {
        return Ok(0);
    }
    if let Ok(span) = humantime::parse_duration(text) {
        return Ok(now_ms - i64::try_from(span.as_millis()).unwrap_or(i64::MAX));
    }
    let at = text.parse::<jiff::Timestamp>();
    at.map(|at| at.as_millisecond())
        .map_err(|_| Fault::bad(format!("'{text}' is no time")).next("write 15m, 2h, all, or 2026-11-21T10:00:00Z"))
}

struct Writer {
    format: Format,
    several: bool,
    grep: Option<regex::Regex>,
    values: Vec<Value>,
    lines: usize,
    own: Option<String>,
    /// What is to be written at once.
    text: String,
}

impl Writer {
    /// Takes a line, to be written with the next [`Writer::flush`].
    fn write(&mut self, line: &LogLine, follow: bool, heads: bool) {
        let text = shown(&without_colour(&line.text).replace('\t', "    "));
        if line.from.is_empty() {
            self.own = Some(text.clone());
            if heads && self.format == Format::Table {
                self.text.push_str(&format!("-- {text}\n"));
                return;
            }
            if !heads && (self.format == Format::Table || !follow) {
                err(&format!("-- {text}\n"));
                return;
            }
        } else if self.grep.as_ref().is_some_and(|grep| !grep.is_match(&text)) {
            return;
        }
        self.lines += 1;
        let value = || json!({"at_ms": line.at_ms, "from": shown(&line.from), "text": text});
        match self.format {
            Format::Table if self.several => self.text.push_str(&format!("{}  {text}\n", shown(&line.label()))),
            Format::Table => self.text.push_str(&format!("{text}\n")),
            _ if follow => self.text.push_str(&format!("{}\n", value())),
            _ => self.values.push(value()),
        }
    }

    /// Writes what there is; false when nobody reads any more.
    fn flush(&mut self) -> bool {
        let mut out = std::io::stdout().lock();
        let written = out.write_all(self.text.as_bytes()).and_then(|()| out.flush());
        self.text.clear();
        written.is_ok()
    }

    fn end(self) -> Result<Report> {
        match (self.lines, self.own) {
            (0, Some(own)) if self.grep.is_none() => Err(Fault::unreachable(own).next("swarmdeck why")),
            _ if self.format == Format::Table => Ok(Report::nothing()),
            _ => Ok(Report::value(Value::Array(self.values))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_span_a_time_or_all() {
        assert_eq!(since_of("15m", 1_000_000_000).unwrap(), 1_000_000_000 - 900_000);
        assert_eq!((since_of("all", 9).unwrap(), since_of("1970-01-01T00:00:01Z", 9).unwrap()), (0, 1000));
        assert!(since_of("soon", 9).unwrap_err().line().contains("15m"));
    }
}
