//! Taking procs away: evidence first, then proc.conf, then the process and what it left running, then the directory (W16, W17).

use super::fence::{self, Fence};
use super::left::{self, Evidence};
use super::{script, start};
use crate::hosts::Link;
use crate::hosts::supervisor::{self, Process};
use crate::model::shown::shown;
use crate::model::{Fault, Result, entity::SupervisorAt, quote::quote};
use std::fmt::Write as _;
use std::time::Duration;

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
  for pid in $pids; do echo "leftover $pid"; done
  kill -TERM $pids 2>/dev/null
  for try in 1 2 3 4 5 6 7 8 9 10; do
    pids=$(living "$2" "$3")
    [ -n "$pids" ] || return 0
    sleep 0.2
  done
  kill -KILL $pids 2>/dev/null
}
"#;

const REMOVE: &str = r#"# end NAME GUARD VALUE SECONDS KNOWN: everything before the program leaves Supervisor
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
  # Where Supervisor does not know it any more, this was written down before.
  if [ -n "$state" ] && [ -d "$dir" ] && [ ! -e "$dir/.end" ]; then
    {
      printf '%s\n' "$STATUS" | awk -v name="$1" '$1 == name { sub(/^[^ ]+ +/, ""); print "status " $0 }'
      printf '%s' "$5"
      case $state in
        RUNNING | STOPPING) echo "stop $(date +%s)";;
        # Supervisor forgets the status of what ended too quickly; its log does not.
        STARTING | BACKOFF | EXITED | FATAL) CTL maintail -60000 | grep -F "exited: $1 (" | tail -n 1 | sed "s/^/exit /";;
      esac
    } 2>/dev/null >"$dir/.end.new" && mv "$dir/.end.new" "$dir/.end" 2>/dev/null
  fi
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
  OVER=$(leftovers "$1" "$2" "$3")
  [ -z "$OVER" ] || printf '%s\n' "$OVER" >>"$dir/.end" 2>/dev/null
  aside "$1" "$3"
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

/// What Supervisor's own answer says beyond its status line, for the file that outlives the proc.
fn known_lines(process: &Process) -> String {
    let mut lines = format!("start {}\nstop {}\n", process.start, process.stop);
    if process.statename == "EXITED" && process.exitstatus >= 0 {
        lines.push_str(&format!("exit_status {}\n", process.exitstatus));
    }
    if !process.spawnerr.is_empty() {
        lines.push_str(&format!("spawn_error {}\n", shown(&process.spawnerr)));
    }
    lines
}

fn render(fence: &Fence, at: &SupervisorAt, targets: &[Target], known: &[Process]) -> Result<(String, Duration)> {
    let mut body = start::supervisorctl(at);
    body.push_str(FUNCTIONS);
    body.push_str(left::FUNCTIONS);
    body.push_str(REMOVE);
    let wrong = |_| Fault::failed("a script could not be written");
    let names: Vec<String> = targets.iter().map(|target| quote(&target.name)).collect();
    writeln!(body, "KEPT={} CONF={}\nstatus {}", left::LOG_KEPT, quote(&at.conf), names.join(" ")).map_err(wrong)?;
    let mut longest = Duration::ZERO;
    for (n, target) in targets.iter().enumerate() {
        script::check_name(&target.name)?;
        longest = longest.max(target.stop_timeout);
        let (guard, value) = guard_words(&target.guard, fence)?;
        let (name, value, seconds) = (quote(&target.name), quote(value), target.stop_timeout.as_secs() + 20);
        let said = known.iter().find(|process| process.name == target.name).map(known_lines).unwrap_or_default();
        writeln!(body, "todo{n}= pid{n}=$(pid_of {name}) id{n}=$(stamped {name} instance)").map_err(wrong)?;
        if let Guard::Instance(_) = target.guard {
            writeln!(body, "id{n}={value}").map_err(wrong)?;
        }
        writeln!(body, "if end {name} {guard} {value} {seconds} {}; then todo{n}=1; else leftovers {name} '' \"$id{n}\"; rm -rf \"$ROOT/procs/.new-${{id{n}:-none}}\"; fi", quote(&said)).map_err(wrong)?;
    }
    body.push_str("wait\n");
    for (n, target) in targets.iter().enumerate() {
        let name = quote(&target.name);
        writeln!(body, "[ -z \"$todo{n}\" ] || finish {name} \"$pid{n}\" \"$id{n}\"\nhand {name} \"$id{n}\"").map_err(wrong)?;
    }
    // What is gone stays gone after a power cut.
    body.push_str("[ ! -d \"$ROOT/procs\" ] || sync \"$ROOT/procs\" || fail failed \"cannot write to the disk under $ROOT\"\n");
    Ok((body, longest + Duration::from_secs(60 + 15 * targets.len() as u64)))
}

/// Stops and removes these procs of one host, under the fence; a proc that is gone, or whose name another instance has now, is no
/// fault. What they leave behind is handed back, and stays on the host until [`left::forget`]. Repeatable at any point.
///
/// # Errors
/// Refused (fence; not ours), or failed when Supervisor does not answer or a proc does not end: it is not called gone then (VR-51).
pub async fn remove(link: &dyn Link, fence: &Fence, at: &SupervisorAt, step: &str, targets: &[Target]) -> Result<Vec<Evidence>> {
    let mut all = Vec::new();
    for batch in targets.chunks(BATCH) {
        let known = supervisor::processes(link, &at.socket).await.unwrap_or_default();
        let (body, limit) = render(fence, at, batch, &known).map_err(|fault| fault.on(link.host()).at(step))?;
        let output = fence::run(link, fence, step, &body, limit).await?;
        all.extend(batch.iter().map(|target| left::read(link.host(), &target.name, &output)));
    }
    Ok(all)
}
