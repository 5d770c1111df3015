//! The shell scripts that read, change and watch nginx's pools on one balancer host; one round trip each.

use super::super::pool::Fence;
use crate::model::quote::quote;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::time::Duration;

/// Exit codes of the scripts, each one kind of fault.
pub const LOWER_EPOCH: i32 = 10;
pub const OTHER_INSTALLATION: i32 = 11;
pub const MOVED: i32 = 12;
pub const TEST_FAILED: i32 = 13;
pub const RELOAD_FAILED: i32 = 14;
pub const NOT_TAKEN_UP: i32 = 15;
pub const BUSY: i32 = 16;
pub const NO_PLACE: i32 = 17;
pub const UNFINISHED: i32 = 18;
pub const OUT_OF_REACH: i32 = 19;

/// How long a script waits for the lock of its balancer host.
const LOCK_SECONDS: u64 = 30;
/// How long nginx may take to start its new workers after a reload.
const TAKE_UP_SECONDS: u64 = 30;
/// The most that a change may take: two configuration tests, the lock, and two waits for workers.
pub const CHANGE_LIMIT: Duration = Duration::from_secs(180);

/// Where nginx's pools are on a balancer host, and how it is told.
#[derive(Debug, Clone)]
pub struct Place {
    pub include_dir: String,
    /// Shell text of the operator's, as are all commands of a document.
    pub test_cmd: String,
    pub reload_cmd: String,
}

/// What must be in the pool's file for a change to go ahead.
#[derive(Debug, Clone, Copy)]
pub enum Expect<'a> {
    Anything,
    /// None: no file.
    Exactly(Option<&'a [u8]>),
}

fn sum(text: Option<&[u8]>) -> String {
    text.map_or("absent".into(), |bytes| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Shell assignments, each value quoted.
pub fn variables(pairs: &[(&str, &str)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name}={}\n", quote(value))).collect()
}

/// Names of files that no include matches: globs skip names with a leading dot (glob(7)).
const FILES: &str = r#"
file=$dir/$pool.conf before=$dir/.$pool.conf.swarmdeck-before absent=$dir/.$pool.conf.swarmdeck-absent
"#;

fn place(place: &Place, pool: &str) -> String {
    let dir = place.include_dir.trim_end_matches('/');
    variables(&[("dir", dir), ("pool", pool), ("test", &place.test_cmd), ("reload", &place.reload_cmd)]) + FILES
}

/// Prints `present` or `absent`, the file's bytes as base64, and behind `connections` how many established connections go from this
/// host to each node that is written as an IPv4 address: a name or an IPv6 address is not counted, and nothing is where awk is not.
pub fn read(at: &Place, pool: &str) -> String {
    place(at, pool) + READ
}

const READ: &str = r#"
count() { # /proc/net/tcp holds addresses as the bytes of a little-endian number
  tr ';{}' '\n\n\n' <"$file" | awk '
    NR == FNR {
      if ($1 == "server" && split($2, part, /[.:]/) == 5 && $2 ~ /^[0-9.:]+$/) {
        key = sprintf("%02X%02X%02X%02X:%04X", part[4], part[3], part[2], part[1], part[5]); node[key] = $2; count[key] = 0
      }
      next
    }
    $4 == "01" && ($3 in node) { count[$3]++ }
    END { for (key in node) print count[key], node[key] }' - /proc/net/tcp
}
if [ -e "$file" ]; then
  echo present
  base64 <"$file" || exit 17
  echo connections
  ! command -v awk >/dev/null || count 2>/dev/null || true
  exit 0
fi
[ -d "$dir" ] || { echo "$dir is not a directory" >&2; exit 17; }
echo absent
echo connections
"#;

/// The lock of this balancer host, then the fence under it: descriptor 9 holds the lock until the script ends.
fn fenced(fence: &Fence) -> String {
    variables(&[
        ("root", fence.root.trim_end_matches('/')),
        ("installation", &fence.installation),
        ("key", &fence.file_name()),
        ("epoch", &fence.epoch.to_string()),
        ("lock_seconds", &LOCK_SECONDS.to_string()),
    ]) + r#"
say() { printf '%s\n' "$*" >&2; }
umask 022
mkdir -p "$root/fence" || exit 17
exec 9>>"$root/fence/balancer.lock" || exit 17
flock -w "$lock_seconds" 9 || exit 16
owner=$(cat "$root/fence/installation" 2>/dev/null)
[ -z "$owner" ] || [ "$owner" = "$installation" ] || { say "$owner"; exit 11; }
held=$(cat "$root/fence/$key" 2>/dev/null)
case $held in '' | *[!0-9]*) held=0 ;; esac
if [ "$epoch" -gt "$held" ]; then
  # Whole or not at all, and on the disk before anything is done under it.
  { printf '%s\n' "$epoch" >"$root/fence/$key.next" && sync "$root/fence/$key.next" && mv -f "$root/fence/$key.next" "$root/fence/$key"; } || exit 17
  held=$epoch
fi
"#
}

/// Raises the fence; prints the epoch that is held now. Epoch 0 makes no file.
pub fn raise(fence: &Fence) -> String {
    fenced(fence) + "echo \"$held\"\n"
}

/// nginx's master by its own pid file, wherever the configuration puts that, and its workers.
pub const WATCH: &str = r#"
dump() { sh -c "$test -T" 2>/dev/null 9>&-; }
find_master() {
  pidfile=$({ printf '%s\n' "$test"; dump; } | sed -nE 's/#.*//; s/^(.*[^a-zA-Z_])?pid[[:space:]]+([^;[:space:]]+);.*/\2/p' | head -n 1)
  built=$(set -- $test; "$1" -V 2>&1 9>&- | tr ' ' '\n')
  [ -n "$pidfile" ] || pidfile=$(printf '%s\n' "$built" | sed -n 's/^--pid-path=//p')
  case ${pidfile:=/run/nginx.pid} in /*) ;; *) pidfile=$(printf '%s\n' "$built" | sed -n 's/^--prefix=//p')/$pidfile ;; esac
  master=$(cat "$pidfile" 2>/dev/null)
  [ -n "$master" ] && [ -d "/proc/$master" ]
}
workers() { # serving | leaving: the master's workers that take new connections | that only finish what they have
  for status in $(grep -ls "^PPid:[[:space:]]*$master\$" /proc/[0-9]*/status 2>/dev/null); do
    one=${status#/proc/}; one=${one%/status}
    case $({ tr '\0' ' ' <"/proc/$one/cmdline"; } 2>/dev/null) in
      "nginx: worker process is shutting down"*) [ "$1" = leaving ] && echo "$one" ;;
      "nginx: worker process"*) [ "$1" = serving ] && echo "$one" ;;
    esac
  done
}
seconds() { read -r up _ </proc/uptime; echo "${up%.*}"; }
"#;

/// Replaces the pool's file by `new` (none: takes it away), whole or not at all: test, reload, wait for the new workers, read back.
///
/// `reload-owed` in the fence directory stands from before the first rename until nginx is known to serve by the files; the old
/// file stays beside as long. Whatever a crash leaves of them, of any pool, the next script here puts right first.
pub fn change(at: &Place, pool: &str, new: Option<&[u8]>, expect: Expect, fence: &Fence) -> String {
    let expected = match expect {
        Expect::Anything => "any".into(),
        Expect::Exactly(text) => sum(text),
    };
    let told = variables(&[
        ("new", &STANDARD.encode(new.unwrap_or_default())),
        ("want", &sum(new)),
        ("expected", &expected),
        ("take_up_seconds", &TAKE_UP_SECONDS.to_string()),
    ]);
    place(at, pool) + &fenced(fence) + "[ \"$held\" -le \"$epoch\" ] || { say \"$held\"; exit 10; }\n" + &told + WATCH + CHANGE
}

const CHANGE: &str = r#"
[ -n "$owner" ] || printf '%s\n' "$installation" >"$root/fence/installation" || exit 17
[ -d "$dir" ] || { say "$dir is not a directory"; exit 17; }
owed=$root/fence/reload-owed said=$root/fence/balancer.out
sum() { if [ -e "$file" ]; then sha256sum <"$file" | cut -d ' ' -f 1; else echo absent; fi; }
seen=$(sum)
dirty=0
[ -e "$owed" ] && dirty=1
for left in "$dir"/.*.conf.swarmdeck-before; do
  [ -e "$left" ] || [ -L "$left" ] || continue
  dirty=1; : >"$owed" || exit 17
  name=${left##*/.}
  { mv -f "$left" "$dir/${name%.swarmdeck-before}" && rm -f "$left"; } || exit 17
done
for left in "$dir"/.*.conf.swarmdeck-absent; do
  [ -e "$left" ] || continue
  dirty=1; : >"$owed" || exit 17
  name=${left##*/.}
  rm -f "$dir/${name%.swarmdeck-absent}" "$left" || exit 17
done
rm -f "$dir"/.*.conf.swarmdeck-next
[ "$expected" = any ] || [ "$seen" = "$expected" ] || [ "$(sum)" = "$expected" ] || exit 12
[ "$dirty" = 1 ] || [ "$(sum)" != "$want" ] || exit 0

put_back() {
  if [ -e "$before" ] || [ -L "$before" ]; then mv -f "$before" "$file"; rm -f "$before"; fi
  if [ -e "$absent" ]; then rm -f "$file" "$absent"; fi
}
fail() { # after nginx may have taken the new file up: back, and told so
  put_back
  sh -c "$reload" >/dev/null 2>&1 9>&- </dev/null && rm -f "$owed"
  exit "$1"
}
: >"$owed" || exit 17
if [ -e "$file" ]; then ln "$file" "$before" || cp -pP "$file" "$before" || { rm -f "$before"; exit 17; }; else : >"$absent" || exit 17; fi
if [ "$want" = absent ]; then
  rm -f "$file"
else
  next=$dir/.$pool.conf.swarmdeck-next
  { printf '%s' "$new" | base64 -d >"$next" && chmod 0644 "$next" && sync "$next" && mv -f "$next" "$file"; } || {
    rm -f "$next"; put_back; [ "$dirty" = 1 ] || rm -f "$owed"; exit 17
  }
fi
sync "$dir"
if ! sh -c "$test" >"$said" 2>&1 9>&- </dev/null; then
  put_back
  [ "$dirty" = 1 ] || rm -f "$owed"
  tail -n 20 "$said" >&2
  exit 13
fi
if ! find_master; then put_back; say "nginx does not run: no process by $pidfile"; exit 14; fi
old=$(workers serving)
if ! sh -c "$reload" >"$said" 2>&1 9>&- </dev/null; then tail -n 20 "$said" >&2; fail 14; fi
end=$(($(seconds) + take_up_seconds))
while :; do
  now=$(workers serving)
  taken=0
  [ -n "$now" ] && taken=1
  for one in $now; do for two in $old; do [ "$one" != "$two" ] || taken=0; done; done
  [ "$taken" = 0 ] || break
  if [ "$(seconds)" -ge "$end" ]; then say "its workers are still those from before after $take_up_seconds s"; fail 15; fi
  sleep 0.05
done
[ "$(sum)" = "$want" ] || exit 12
rm -f "$before" "$absent" "$owed"
"#;

/// Waits until no worker from before a reload is left; prints how many are when the limit ends the wait.
pub fn drained(at: &Place, pool: &str, limit: Duration) -> String {
    place(at, pool)
        + &variables(&[("limit", &limit.as_millis().div_ceil(1000).to_string())])
        + WATCH
        + r#"
find_master || { echo "nginx does not run: no process by $pidfile" >&2; exit 14; }
end=$(($(seconds) + limit))
while :; do
  left=$(workers leaving | wc -l)
  [ "$left" -gt 0 ] && [ "$(seconds)" -lt "$end" ] || break
  sleep 0.1
done
echo $left
"#
}

/// Whether nginx itself reads the pool's file, runs, and no change is half done. Needs nginx's own `-T`; a test command that has
/// none is not asked.
pub fn verify(at: &Place, pool: &str) -> String {
    place(at, pool)
        + WATCH
        + r#"
for left in "$before" "$absent"; do [ ! -e "$left" ] || exit 18; done
find_master || { echo "nginx does not run: no process by $pidfile" >&2; exit 14; }
reads=$(dump | sed -n 's/^# configuration file \(.*\):$/\1/p')
[ -z "$reads" ] || printf '%s\n' "$reads" | grep -qF "/$pool.conf" || { echo "nginx does not include $file" >&2; exit 13; }
"#
}

/// Connects to each node, all at once; prints those that did not answer. A host with neither bash nor python3 cannot ask and says yes.
pub fn reaches(nodes: &BTreeSet<String>) -> String {
    let pairs = nodes.iter().filter_map(|node| node.rsplit_once(':'));
    let asks: String = pairs
        .map(|(host, port)| {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            format!("{{ ask {} {} || echo {} ; }} &\n", quote(host), quote(port), quote(&format!("{host}:{port}")))
        })
        .collect();
    format!(
        r#"if command -v bash >/dev/null; then ask() {{ timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>/dev/null; }}
elif command -v python3 >/dev/null; then
  ask() {{ timeout 5 python3 -c 'import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 4)' "$1" "$2" 2>/dev/null; }}
else exit 0; fi
away=$({{
{asks}wait; }} | sort | tr '\n' ' ')
[ -z "$away" ] || {{ echo "$away"; exit {OUT_OF_REACH}; }}
"#
    )
}
