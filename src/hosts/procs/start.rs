//! Making procs on a host: one script for all of them, all or none until Supervisor is told, repeatable (DESIGN part 5).

use super::fence::{self, Fence};
use super::files::{self, ProcSpec};
use crate::hosts::Link;
use crate::model::{Fault, Result, entity::SupervisorAt, quote::quote};
use std::fmt::Write as _;
use std::time::Duration;

const STEP: &str = "start";

/// `CTL` is supervisorctl with its own time limit; `asks` refuses a Supervisor that does not answer. Shared with the other scripts.
pub(super) fn supervisorctl(at: &SupervisorAt) -> String {
    format!(
        r#"CTL() {{ TERM=dumb timeout -k 5 60 supervisorctl -c {conf} "$@" 2>&1; }}
# answered CODE TEXT: a Supervisor that does not answer is a fault
answered() {{
  case $1:$2 in
    124:* | 137:*) fail failed "Supervisor did not answer within 60 s || look at supervisord's log";;
    127:* | *:unix:*"refused connection"* | *:unix:*"no such file"* | *:error:* | *:Error:* | *SHUTDOWN_STATE*)
      fail failed "Supervisor does not answer: $(printf '%s' "$2" | tail -n 1) || start supervisord; swarmdeck hosts check says what is missing";;
  esac
}}
# The status lines of some programs, or all.
status() {{
  STATUS=$(CTL status "$@")
  answered $? "$STATUS"
}}
# Whether $STATUS holds a program, and its state.
state_of() {{ printf '%s\n' "$STATUS" | awk -v name="$1" '$1 == name {{ print $2 }}'; }}
pid_of() {{ printf '%s\n' "$STATUS" | awk -v name="$1" '$1 == name && $3 == "pid" {{ sub(/,$/, "", $4); print $4 }}'; }}
"#,
        conf = quote(&at.conf)
    )
}

/// The functions of this script; `prepare` builds one proc's directory under a private name and then names it.
const FUNCTIONS: &str = r#"MADE= NAMES=
undo() { for made in $MADE; do rm -f "$made/proc.conf"; rm -rf "$made"; done; }
trap undo EXIT
trap 'exit 99' HUP INT TERM
mkdir -p "$ROOT/procs" || fail failed "cannot make $ROOT/procs"
# put FILE MODE OWNER TEXT: a file of the proc under construction, never readable by others on the way
put() {
  (umask 077; printf '%s' "$4" >"$NEW/$1") && { [ -z "$3" ] || chown "$3" "$NEW/$1"; } && chmod "$2" "$NEW/$1" ||
    fail failed "cannot write $1 of $NAME"
}
# of_host KEY VARIABLE: a variable of this host becomes one of the proc
of_host() {
  value=$(grep -z "^$2=" "/proc/$$/environ" 2>/dev/null | tr -d '\0')
  [ -n "$value" ] || value=$(grep "^$2=" /etc/environment 2>/dev/null | tail -n 1)
  [ -n "$value" ] ||
    fail refused "the environment variable $1 is to be this host's $2, which it does not have || set it in /etc/environment, or write \$\$$2 for that text"
  value=${value#*=}
  case $value in \"*\") value=${value#?} value=${value%?};; esac
  printf "export %s='%s'\n" "$1" "$(printf '%s' "$value" | sed "s/'/'\\\\''/g")" >>"$NEW/env" || fail failed "cannot write env of $NAME"
}
# free PORT: nothing may listen there
free() {
  inode=$(listening "$1" | head -n 1)
  [ -n "$inode" ] || return 0
  holder=
  for entry in /proc/[0-9]*; do
    if ls -l "$entry/fd" 2>/dev/null | grep -qF "socket:[$inode]"; then
      holder=" (pid ${entry#/proc/}, $(tr -d '\n' <"$entry/comm" 2>/dev/null))"
      break
    fi
  done
  fail refused "port $1 is taken by a stranger$holder || dispatch again: another port is chosen"
}
# prepare NAME INSTANCE PORT USER ARTIFACT: false when this very proc is there already
prepare() {
  NAME=$1 INSTANCE=$2 DIR=$ROOT/procs/$1 NEW=$ROOT/procs/.new-$2
  if [ -e "$DIR" ] || [ -L "$DIR" ]; then
    [ "$(stamped "$NAME" instance)" = "$INSTANCE" ] || fail refused "$DIR is there already and is another proc || swarmdeck strays"
    status "$NAME"
    state=$(state_of "$NAME")
    case $state in '' | ERROR*) ;; *) return 1;; esac
    # Half made by an earlier run of this very step: Supervisor was never told.
    rm -f "$DIR/proc.conf"
    rm -rf "$DIR"
  fi
  [ "$3" = 0 ] || free "$3"
  if [ "$(id -u)" = 0 ]; then
    id -u "$4" >/dev/null 2>&1 || fail bad "there is no user '$4' on this host || make that user there, or change run_as"
    OWNER=$4:$(id -g "$4")
  else
    [ "$4" = "$(id -un)" ] || fail bad "run_as is '$4', but procs here can only run as '$(id -un)' || set run_as: $(id -un)"
    OWNER=
  fi
  [ -f "$ROOT/builds/$5" ] || fail failed "the artifact $5 is not on this host || dispatch again"
  MADE="$MADE $NEW"
  rm -rf "$NEW"
  mkdir -m 0700 "$NEW" && mkdir "$NEW/app" || fail failed "cannot make $NEW"
  tar --no-same-owner -xf "$ROOT/builds/$5" -C "$NEW/app" || fail failed "the artifact cannot be unpacked on this host || swarmdeck get builds"
  chmod -R u+rwX,u-s,g-s,o-w "$NEW/app" || fail failed "cannot set the modes of $NEW/app"
  [ -z "$OWNER" ] || chown -R -h "$OWNER" "$NEW/app" || fail failed "cannot give $NEW/app to $OWNER"
}
# named: the finished directory gets its name; whoever runs the proc may enter it, others may not
named() {
  [ -z "$OWNER" ] || chown "root:${OWNER#*:}" "$NEW" || fail failed "cannot set the owner of $NEW"
  chmod 0750 "$NEW" && mv -T "$NEW" "$DIR" || fail failed "cannot make $DIR"
  MADE="${MADE% *} $DIR" NAMES="$NAMES $NAME"
}
# enter: Supervisor reads our files and takes the programs in NAMES; what it did not take stays there. One session, since every
# supervisorctl starts a Python; once more when a neighbour's file vanished between Supervisor's listing and its reading.
enter() {
  for try in 1 2 3; do
    SAID=$(printf 'reread\nadd%s\n' "$NAMES" | CTL)
    code=$?
    # It begins with the status of everything, which is not about us.
    SAID=$(printf '%s\n' "${SAID#*supervisor> }" | sed 's/^\(supervisor> \)*//; /^$/d')
    answered $code "$SAID"
    waiting=
    for name in $NAMES; do
      printf '%s\n' "$SAID" | grep -qxF "$name: added process group" && echo "added $name" || waiting="$waiting $name"
    done
    NAMES=$waiting MADE=
    for name in $NAMES; do MADE="$MADE $ROOT/procs/$name"; done
    case $NAMES:$SAID in :*) return;; *CANT_REREAD*) sleep 0.3;; *) break;; esac
  done
}
"#;

/// The script for these procs on one host; for inspection and tests.
///
/// # Errors
/// Bad input, as [`ProcSpec::check`].
pub fn render(at: &SupervisorAt, specs: &[ProcSpec]) -> Result<String> {
    let mut body = supervisorctl(at);
    body.push_str(FUNCTIONS);
    let mut push = |text: std::fmt::Arguments<'_>| body.write_fmt(text).map_err(|_| Fault::failed("a script could not be written"));
    for spec in specs {
        spec.check()?;
        let release = &spec.release;
        let words = [&spec.name, &spec.instance, &spec.port.to_string(), &release.run_as, &release.artifact];
        push(format_args!("if prepare {}; then\n", crate::model::quote::command(&words)))?;
        push(format_args!("put stamp 0644 '' {}\n", quote(&files::stamp(spec))))?;
        push(format_args!("put proc.yaml 0600 '' {}\n", quote(&files::proc_yaml(spec)?)))?;
        push(format_args!("put settings.yaml 0400 \"$OWNER\" {}\n", quote(&files::settings_yaml(spec)?)))?;
        push(format_args!("put env 0600 '' {}\n", quote(&files::env(spec))))?;
        for (key, variable) in files::env_of_host(spec) {
            push(format_args!("of_host {} {}\n", quote(key), quote(variable)))?;
        }
        push(format_args!("[ -z \"$OWNER\" ] || chown \"$OWNER\" \"$NEW/env\"\nchmod 0400 \"$NEW/env\"\n"))?;
        push(format_args!("put run 0755 '' {}\n", quote(&files::run(spec))))?;
        push(format_args!("put .proc.conf 0600 '' {}\nnamed\nfi\n", quote(&files::proc_conf(spec))))?;
    }
    body.push_str(
        r#"[ -n "$NAMES" ] || { trap - EXIT; exit 0; }
# A power cut leaves no proc.conf beside half a proc, and takes away none that was reported.
sync -f "$ROOT/procs" || fail failed "cannot write to the disk under $ROOT"
for name in $NAMES; do
  mv "$ROOT/procs/$name/.proc.conf" "$ROOT/procs/$name/proc.conf" && sync "$ROOT/procs/$name" || fail failed "cannot write proc.conf of $name"
done
enter
said=$(printf '%s\n' "$SAID" | grep -v '^ERROR: no such process/group' | tr '\n' ' ')
[ -z "$NAMES" ] || case $SAID in
  *CANT_REREAD*)
    place=$(printf '%s\n' "$said" | grep -oE "(/[^ ':,\"]+)+\.(conf|ini)" | head -n 1)
    fail failed "Supervisor cannot read its files${place:+, because of $place}: $said || mend or move away ${place:-that file}; nothing of ours is in it";;
  *"already active"*) fail refused "Supervisor has a program already that has no directory:$NAMES || swarmdeck strays";;
  *"no such process/group"*) fail failed "Supervisor does not read $ROOT/procs/*/proc.conf || swarmdeck hosts provision puts that into its configuration";;
  *) fail failed "Supervisor did not take$NAMES: $said";;
esac
"#,
    );
    Ok(body)
}

/// Makes these procs on one host and tells its Supervisor, which starts them; waits for no state. Procs that are there already
/// (same instance) are left as they are. On a fault, nothing of those that Supervisor did not take is left; those that it took are
/// the undo's to remove.
///
/// # Errors
/// Bad input (names, users, what the runtime cannot keep); refused (port or name taken, fence); failed (disk full, artifact,
/// Supervisor's files, naming the broken one).
pub async fn start(link: &dyn Link, fence: &Fence, at: &SupervisorAt, specs: &[ProcSpec]) -> Result<()> {
    if specs.is_empty() {
        return Ok(());
    }
    if let Some(other) = specs.iter().find(|spec| spec.root != fence.root) {
        return Err(Fault::bad(format!("the proc {} is not under the root {}", other.name, fence.root)).on(link.host()));
    }
    let limit = Duration::from_secs(120 + 60 * specs.len() as u64);
    fence::run(link, fence, STEP, &render(at, specs).map_err(|fault| fault.on(link.host()).at(STEP))?, limit).await.map(drop)
}
