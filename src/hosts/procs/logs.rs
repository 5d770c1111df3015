//! A proc's log: where it is, its end as lines that are safe for a terminal, and its lives. Following logs is in `reading.rs`.

use crate::hosts::Link;
use crate::model::cut::Lines;
use crate::model::shown::shown;
use crate::model::{Fault, Result, quote::quote};
use std::time::Duration;

/// How the line begins that each start of a proc writes into its log; then its pid, ` at `, and the time.
pub const START: &str = "-- swarmdeck: started as pid ";

/// The pid of a line that is our mark of a start; `None` for the proc's own words.
pub fn start_of(line: &str) -> Option<u32> {
    line.strip_prefix(START)?.split(' ').next()?.parse().ok()
}

/// A piece of a log cut into lives, oldest first: the pid of each (none before the first mark) and its lines, safe for a terminal.
pub fn lives(bytes: &[u8]) -> Vec<(Option<u32>, Vec<String>)> {
    let mut lines = Lines::default();
    let mut all: Vec<String> = lines.push(bytes);
    all.extend(lines.rest());
    let all = all.iter().map(|line| safe(line));
    let mut lives: Vec<(Option<u32>, Vec<String>)> = Vec::new();
    for line in all {
        match (start_of(&line), lives.last_mut()) {
            (Some(pid), _) => lives.push((Some(pid), Vec::new())),
            (None, Some((_, lines))) => lines.push(line),
            (None, None) => lives.push((None, vec![line])),
        }
    }
    lives
}

/// `<root>/procs/<name>/log`; of other Supervisor programs, what Supervisor calls `logfile`.
pub fn path(root: &str, name: &str) -> String {
    format!("{root}/procs/{name}/log")
}

/// The last `bytes` of the log, as lines; the first may be the end of one. A log that is not there yet is empty.
pub async fn tail(link: &dyn Link, path: &str, bytes: usize) -> Result<Vec<String>> {
    let file = checked(path)?;
    let body = format!("[ -f {file} ] || exit 0\ntail -c {} {file}", bytes.min(32 << 20));
    let output = link.run(&body, Duration::from_secs(30)).await?;
    super::script::judge(link.host(), "logs", &output)?;
    let mut lines = Lines::default();
    let mut all = lines.push(&output.stdout);
    all.extend(lines.rest());
    Ok(all.iter().map(|line| safe(line)).collect())
}

fn safe(line: &str) -> String {
    shown(&line.replace('\t', "    "))
}

fn checked(path: &str) -> Result<String> {
    if !path.starts_with('/') || path.contains('\0') {
        return Err(Fault::bad(format!("'{path}' is not the path of a log")));
    }
    Ok(quote(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::Local;

    #[test]
    fn a_log_is_cut_into_lives() {
        let log = "old end\n-- swarmdeck: started as pid 7 at 2026-11-21T10:41:55Z\none\ntwo\n-- swarmdeck: started as pid 9 at x\n";
        let cut = lives(log.as_bytes());
        assert_eq!(cut, [(None, vec!["old end".into()]), (Some(7), vec!["one".into(), "two".into()]), (Some(9), vec![])]);
        assert_eq!(start_of("-- swarmdeck: started as pid x"), None);
    }

    #[tokio::test]
    async fn a_logs_end_never_reaches_the_terminal_raw() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log");
        std::fs::write(&file, "old\none \x1b[2J\n").unwrap();
        let link = Local::new("web01");
        let path = file.display().to_string();
        assert_eq!(tail(&link, &path, 9).await.unwrap(), ["one \u{241b}[2J"]);
        assert!(tail(&link, &format!("{path}.no"), 9).await.unwrap().is_empty());
    }
}
