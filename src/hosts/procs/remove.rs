//! Taking procs away: evidence first, then proc.conf, then the process and what it left running, then the directory (W16, W17).

use super::fence::{self, Fence};
use super::{script, start};
use crate::hosts::{Link, Output, supervisor};
use crate::model::{Fault, Result, entity::SupervisorAt, quote::quote};
use base64::Engine as _;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::time::Duration;

/// How much of a log outlives its proc (DESIGN part 4).
pub const LOG_KEPT: usize = 1 << 20;
/// So many at once: their logs come back in one answer.
const BATCH: usize = 24;

/// What must be true of a proc before something is done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// It is this making of it; a later proc of the same name is spared (W17).
    Instance(String),
    /// It is stamped with the installation that acts.
    Installation,
    /// Whatever it is: the operator was asked.
    Any,
}

/// A proc to be taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub name: String,
    pub guard: Guard,
    /// How long it may take to end after SIGTERM; Supervisor keeps to what its proc.conf said.
    pub stop_timeout: Duration,
}

/// What is left of a proc: kept in the store for 14 days.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub host: String,
    pub name: String,
    /// Whether there was anything to take away. False: it was gone before.
    pub found: bool,
    /// Supervisor's last word: state, pid, uptime, or why it did not start.
    pub status: String,
    pub exit_status: Option<i64>,
    pub spawn_error: String,
    /// The last MiB of its log, as it was written; not yet safe for a terminal.
    pub log: Vec<u8>,
    /// Processes of it that outlived their parent and were killed.
    pub leftovers: Vec<u32>,
}

/// `guarded NAME GUARD VALUE` ends the script unless the guard holds; `leftovers` ends what carries the proc's own mark (its
/// environment has its instance) or belongs to its process group. Shared with `act`.
pub(super) const FUNCTIONS: &str = r#"guarded() {
  case $2 in
    instance) HAVE=$(stamped "$1" instance);;
    installation) HAVE=$(stamped "$1" installation);;
    any) HAVE=$3;;
  esac
  [ "$HAVE" = "$3" ]
}
# of_group PID: processes of that process group, each by its own stat file
of_group() {
  [ -n "$1" ] || return 0
  for entry in /proc/[0-9]*; do
    { read -r line <"$entry/stat"; } 2>/dev/null || continue
    set -- "$1" ${line##*) }
    [ "${4-}" != "$1" ] || echo "${entry#/proc/}"
  done
}
carrying() {
  [ -n "$1" ] || return 0
  grep -lzxF "SWARMDECK_INSTANCE=$1" /proc/[0-9]*/environ 2>/dev/null | cut -d / -f 3
}
living() { { of_group "$1"; carrying "$2"; } | grep -vx "$$" | sort -un; }
# leftovers NAME PID INSTANCE
leftovers() {
  pids=$(living "$2" "$3")
  [ -n "$pids" ] || return 0
  for pid in $pids; do echo "leftover $1 $pid"; done
  kill -TERM $pids 2>/dev/null
  for try in 1 2 3 4 5 6 7 8 9 10; do
    pids=$(living "$2" "$3")
    [ -n "$pids" ] || return 0
    sleep 0.2
  done
  kill -KILL $pids 2>/dev/null
}
"#;

const REMOVE: &str = r#"# end NAME GUARD VALUE SECONDS: everything before the program leaves Supervisor
end() {
  dir=$ROOT/procs/$1
  state=$(state_of "$1")
  case $state in ERROR*) state=;; esac
  if [ -e "$dir" ] || [ -L "$dir" ]; then
    guarded "$1" "$2" "$3" || { [ "$2" = instance ] || fail refused "$1 is not ours || say so explicitly to remove it all the same"; echo "gone $1"; return 1; }
  elif [ -z "$state" ]; then
    echo "gone $1"
    return 1
  elif [ "$2" = installation ]; then
    fail refused "$1 is not ours || say so explicitly to remove it all the same"
  elif [ "$2" = instance ] && pid=$(pid_of "$1") && [ -n "$pid" ] && ! carrying "$3" | grep -qx "$pid"; then
    echo "gone $1"
    return 1
  fi
  printf 'log %s ' "$1"
  tail -c "$KEPT" "$dir/log" 2>/dev/null | base64 -w 0
  printf '\n'
  printf '%s\n' "$STATUS" | awk -v name="$1" '$1 == name { sub(/^[^ ]+ +/, ""); print "status " name " " $0 }'
  # Supervisor forgets the status of what ended too quickly; its log does not.
  case $state in BACKOFF | FATAL) CTL maintail -60000 | grep -F "exited: $1 (" | tail -n 1 | sed "s/^/exit $1 /";; esac
  rm -f "$dir/proc.conf" || fail failed "cannot remove $dir/proc.conf"
  case $state in
    '' | STOPPED | EXITED | FATAL) ;;
    *) timeout -k 5 "$4" supervisorctl -c "$CONF" stop "$1" >/dev/null 2>&1 & ;;
  esac
}
# finish NAME PID INSTANCE
finish() {
  dir=$ROOT/procs/$1
  SAID=$(CTL remove "$1")
  case $SAID in
    *"removed process group"* | *"no such process/group"*) ;;
    *) fail failed "Supervisor does not let go of $1: $(printf '%s' "$SAID" | tr '\n' ' ') || look at its state, then try again";;
  esac
  leftovers "$1" "$2" "$3"
  rm -rf --one-file-system "$dir" || fail failed "cannot remove $dir"
  [ ! -e "$dir" ] || fail failed "$dir is still there"
  echo "removed $1"
}
"#;

pub(super) fn guard_words<'a>(guard: &'a Guard, fence: &'a Fence) -> Result<(&'static str, &'a str)> {
    Ok(match guard {
        Guard::Instance(id) => {
            script::check_id("proc instance", id)?;
            ("instance", id.as_str())
        }
        Guard::Installation => ("installation", fence.installation.as_str()),
        Guard::Any => ("any", ""),
    })
}

fn render(fence: &Fence, at: &SupervisorAt, targets: &[Target]) -> Result<(String, Duration)> {
    let mut body = start::supervisorctl(at);
    body.push_str(FUNCTIONS);
    body.push_str(REMOVE);
    let wrong = |_| Fault::failed("a script could not be written");
    let names: Vec<String> = targets.iter().map(|target| quote(&target.name)).collect();
    writeln!(body, "KEPT={LOG_KEPT} CONF={}\nstatus {}", quote(&at.conf), names.join(" ")).map_err(wrong)?;
    let mut longest = Duration::ZERO;
    for (n, target) in targets.iter().enumerate() {
        script::check_name(&target.name)?;
        longest = longest.max(target.stop_timeout);
        let (guard, value) = guard_words(&target.guard, fence)?;
        let (name, value, seconds) = (quote(&target.name), quote(value), target.stop_timeout.as_secs() + 20);
        writeln!(body, "todo{n}= pid{n}=$(pid_of {name}) id{n}=$(stamped {name} instance)").map_err(wrong)?;
        if let Guard::Instance(_) = target.guard {
            writeln!(body, "id{n}={value}").map_err(wrong)?;
        }
        writeln!(body, "if end {name} {guard} {value} {seconds}; then todo{n}=1; else leftovers {name} '' \"$id{n}\"; rm -rf \"$ROOT/procs/.new-${{id{n}:-none}}\"; fi").map_err(wrong)?;
    }
    body.push_str("wait\n");
    for (n, target) in targets.iter().enumerate() {
        writeln!(body, "[ -z \"$todo{n}\" ] || finish {} \"$pid{n}\" \"$id{n}\"", quote(&target.name)).map_err(wrong)?;
    }
    // What is gone stays gone after a power cut.
    body.push_str("[ ! -d \"$ROOT/procs\" ] || sync \"$ROOT/procs\" || fail failed \"cannot write to the disk under $ROOT\"\n");
    Ok((body, longest + Duration::from_secs(60 + 15 * targets.len() as u64)))
}

/// Stops and removes these procs of one host, under the fence; a proc that is gone, or whose name another instance has now, is no
/// fault. What they leave behind is handed back. Repeatable at any point.
///
/// # Errors
/// Refused (fence; not ours), or failed when Supervisor does not answer or a proc does not end: it is not called gone then (VR-51).
pub async fn remove(link: &dyn Link, fence: &Fence, at: &SupervisorAt, step: &str, targets: &[Target]) -> Result<Vec<Evidence>> {
    let mut all = Vec::new();
    for batch in targets.chunks(BATCH) {
        let known = supervisor::processes(link, &at.socket).await.unwrap_or_default();
        let (body, limit) = render(fence, at, batch).map_err(|fault| fault.on(link.host()).at(step))?;
        let output = fence::run(link, fence, step, &body, limit).await?;
        all.extend(batch.iter().map(|target| {
            let mut evidence = read(link.host(), &target.name, &output);
            if let Some(process) = known.iter().find(|process| process.name == target.name) {
                evidence.exit_status = evidence.exit_status.or((process.statename == "EXITED").then_some(process.exitstatus));
                evidence.spawn_error.clone_from(&process.spawnerr);
            }
            evidence
        }));
    }
    Ok(all)
}

fn read(host: &str, name: &str, output: &Output) -> Evidence {
    let mut evidence = Evidence { host: host.into(), name: name.into(), ..Evidence::default() };
    for line in output.text().lines() {
        let mut words = line.splitn(3, ' ');
        let (Some(word), Some(of)) = (words.next(), words.next()) else { continue };
        let rest = words.next().unwrap_or_default();
        if of != name {
            continue;
        }
        match word {
            "log" => evidence.log = base64::engine::general_purpose::STANDARD.decode(rest).unwrap_or_default(),
            "status" => evidence.status = crate::model::shown::shown(rest),
            "exit" => {
                evidence.exit_status =
                    rest.split_once("exit status ").and_then(|(_, rest)| rest.split([';', ')']).next()?.trim().parse().ok())
            }
            "leftover" => evidence.leftovers.extend(rest.parse::<u32>()),
            "removed" => evidence.found = true,
            _ => {}
        }
    }
    evidence
}
