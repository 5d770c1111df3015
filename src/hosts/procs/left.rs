//! What a removed proc leaves behind, from the moment of its removal until the store has it: the script puts it aside on the host,
//! whoever reads it next stores it, and only then it is deleted there.

use super::probe::ending;
use super::script;
use crate::hosts::{Link, Output};
use crate::model::life::{LINES, Life};
use crate::model::shown::shown;
use crate::model::{Fault, Result, quote::quote};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::time::Duration;

/// How much of a log outlives its proc (DESIGN part 4).
pub const LOG_KEPT: usize = 1 << 20;
const LIMIT: Duration = Duration::from_secs(120);

/// What is left of a proc: kept in the store for 14 days.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    pub host: String,
    pub name: String,
    /// Whether there was anything to take away. False: it was gone before.
    pub found: bool,
    /// Supervisor's last word: state, pid, uptime, or why it did not start.
    pub status: String,
    pub exit_status: Option<i64>,
    /// `SIGKILL` where a signal had ended it before it was removed.
    pub signal: String,
    pub spawn_error: String,
    /// The last MiB of its log, as it was written; not yet safe for a terminal.
    #[serde(with = "coded")]
    pub log: Vec<u8>,
    /// Processes of it that outlived their parent and were killed.
    pub leftovers: Vec<u32>,
    /// Of its stamp.
    pub instance: String,
    pub swarm: String,
    /// The dispatch that made it.
    pub dispatch: String,
    pub version: String,
    pub release: String,
    pub port: u16,
    /// Unix seconds by the host's clock of its last start and end; 0 is not known.
    pub start: i64,
    pub end: i64,
}

/// Bytes as base64 text: a log as a list of numbers would be four times its size.
mod coded {
    use super::STANDARD;
    use base64::Engine as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}

impl Evidence {
    /// Its name in the store: by the dispatch that made the proc.
    pub fn key(&self) -> String {
        let or_none = |text: &str| if text.is_empty() { "none".to_string() } else { text.to_string() };
        format!("{}/{}/{}@{}", or_none(&self.dispatch), self.host, self.name, or_none(&self.instance))
    }

    /// Supervisor's word for its state before it was removed; "" where Supervisor did not know it.
    pub fn state(&self) -> &str {
        self.status.split(' ').next().unwrap_or_default()
    }

    /// The end of its log, without our own marks; safe for a terminal.
    pub fn lines(&self, most: usize) -> Vec<String> {
        let all: Vec<String> = super::logs::lives(&self.log).into_iter().flat_map(|(_, lines)| lines).collect();
        all.iter().skip(all.len().saturating_sub(most)).cloned().collect()
    }

    /// Its last life.
    pub fn life(&self) -> Life {
        let last = super::logs::lives(&self.log).pop();
        let (pid, lines) = last.unwrap_or_default();
        Life {
            host: self.host.clone(),
            name: self.name.clone(),
            swarm: self.swarm.clone(),
            version: self.version.clone(),
            release: self.release.clone(),
            pid,
            start: self.start,
            end: self.end,
            exit_status: self.exit_status.filter(|status| *status >= 0),
            signal: self.signal.clone(),
            stopped: matches!(self.state(), "RUNNING" | "STOPPING"),
            spawn_error: self.spawn_error.clone(),
            oom: None,
            lines: lines.iter().skip(lines.len().saturating_sub(LINES)).cloned().collect(),
        }
    }
}

/// `aside NAME INSTANCE`: the directory of a removed proc becomes what it leaves behind (a rename needs no room on a full disk);
/// `hand NAME INSTANCE`: prints that, if it is there.
pub(super) const FUNCTIONS: &str = r#"aside() {
  dir=$ROOT/procs/$1 left=$ROOT/procs/.left/$1@${2:-none}
  if [ ! -d "$dir" ] || [ -L "$dir" ]; then rm -rf "$dir"; return; fi
  for entry in "$dir"/* "$dir"/.[!.]*; do
    [ -e "$entry" ] || [ -L "$entry" ] || continue
    case ${entry##*/} in log | log.1 | .end | stamp) continue;; esac
    rm -rf --one-file-system "$entry" || fail failed "cannot remove $entry"
  done
  (umask 077; mkdir -p "$ROOT/procs/.left") && chmod 0700 "$dir" && rm -rf "$left" && mv -T "$dir" "$left" || rm -rf --one-file-system "$dir"
}
hand() {
  left=$ROOT/procs/.left/$1@${2:-none}
  [ -d "$left" ] || return 0
  printf 'log %s ' "$1"
  { cat "$left/log.1"; cat "$left/log"; } 2>/dev/null | tail -c "$KEPT" | base64 -w 0
  printf '\n'
  sed "s/^/end $1 /" "$left/.end" 2>/dev/null
  sed -n "s/^\([a-z_]*=\)/stamp $1 \1/p" "$left/stamp" 2>/dev/null
  echo "removed $1"
}
"#;

/// What a script handed over about one proc.
pub(super) fn read(host: &str, name: &str, output: &Output) -> Evidence {
    let text = output.text();
    let of_it = text.lines().filter_map(|line| {
        let mut words = line.splitn(3, ' ');
        let (word, of) = (words.next()?, words.next()?);
        (of == name).then(|| (word, words.next().unwrap_or_default()))
    });
    gathered(host, name, of_it)
}

fn gathered<'a>(host: &str, name: &str, lines: impl Iterator<Item = (&'a str, &'a str)>) -> Evidence {
    let mut evidence = Evidence { host: host.into(), name: name.into(), ..Evidence::default() };
    for (word, rest) in lines {
        match word {
            "log" => evidence.log = STANDARD.decode(rest).unwrap_or_default(),
            "removed" => evidence.found = true,
            "stamp" => match rest.split_once('=') {
                Some(("instance", value)) => evidence.instance = shown(value),
                Some(("swarm", value)) => evidence.swarm = shown(value),
                Some(("dispatch", value)) => evidence.dispatch = shown(value),
                Some(("version", value)) => evidence.version = shown(value),
                Some(("release", value)) => evidence.release = shown(value),
                Some(("port", value)) => evidence.port = value.parse().unwrap_or(0),
                _ => {}
            },
            "end" => match rest.split_once(' ').unwrap_or((rest, "")) {
                ("status", value) => evidence.status = shown(value),
                ("exit_status", value) => evidence.exit_status = value.parse().ok(),
                ("exit", value) => {
                    let (status, signal) = ending(value);
                    (evidence.exit_status, evidence.signal) = (status.or(evidence.exit_status), signal);
                }
                ("spawn_error", value) => evidence.spawn_error = shown(value),
                ("start", value) => evidence.start = value.parse().unwrap_or(0),
                ("stop", value) => evidence.end = value.parse().unwrap_or(0),
                ("leftover", value) => evidence.leftovers.extend(value.parse::<u32>()),
                _ => {}
            },
            _ => {}
        }
    }
    evidence
}

/// Everything of this installation that was put aside on a host and that nobody stored.
///
/// # Errors
/// Unreachable, or a script that did not run.
pub async fn left(link: &dyn Link, root: &str, installation: &str) -> Result<Vec<Evidence>> {
    script::check_root(root)?;
    let body = format!(
        r#"{}ROOT={} KEPT={LOG_KEPT}
{FUNCTIONS}for entry in "$ROOT"/procs/.left/*@*; do
  [ -d "$entry" ] || continue
  name=${{entry##*/}} id=${{entry##*@}}
  name=${{name%@*}}
  case $name$id in *[!A-Za-z0-9._-]*) continue;; esac
  [ "$(sed -n 's/^installation=//p' "$entry/stamp" 2>/dev/null | head -n 1)" = {} ] || continue
  echo "left $name $id"
  hand "$name" "$id"
done
exit 0
"#,
        script::PRELUDE,
        quote(root),
        quote(installation)
    );
    let output = link.run(&body, LIMIT).await?;
    script::judge(link.host(), "left", &output)?;
    let text = output.text();
    let mut all: Vec<(String, Vec<(&str, &str)>)> = Vec::new();
    for line in text.lines() {
        let mut words = line.splitn(3, ' ');
        let (Some(word), Some(name)) = (words.next(), words.next()) else { continue };
        let rest = words.next().unwrap_or_default();
        match (word, all.last_mut()) {
            ("left", _) => all.push((name.into(), Vec::new())),
            (_, Some((of, lines))) if of == name => lines.push((word, rest)),
            _ => {}
        }
    }
    Ok(all.into_iter().map(|(name, lines)| gathered(link.host(), &name, lines.into_iter())).collect())
}

/// Deletes on a host what was put aside there and is in the store now.
///
/// # Errors
/// Unreachable, or a script that did not run.
pub async fn forget(link: &dyn Link, root: &str, stored: &[&Evidence]) -> Result<()> {
    if stored.is_empty() {
        return Ok(());
    }
    script::check_root(root)?;
    let mut body = format!("{}ROOT={}\n", script::PRELUDE, quote(root));
    for evidence in stored {
        script::check_name(&evidence.name)?;
        let instance = if evidence.instance.is_empty() { "none" } else { &evidence.instance };
        script::check_id("proc instance", instance)?;
        let place = quote(&format!("{}@{instance}", evidence.name));
        writeln!(body, "rm -rf --one-file-system \"$ROOT\"/procs/.left/{place} || fail failed \"cannot remove what {place} left\"")
            .map_err(|_| Fault::failed("a script could not be written"))?;
    }
    body.push_str("rmdir \"$ROOT/procs/.left\" 2>/dev/null\nexit 0\n");
    let output = link.run(&body, LIMIT).await?;
    script::judge(link.host(), "left", &output)
}

#[cfg(test)]
#[path = "left_tests.rs"]
mod tests;
