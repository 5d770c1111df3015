//! What is asked of procs that died or do not do what they should: their lives by Supervisor's log, what they said last, where they
//! listen, whom they left running. Reads only.

use super::remove::FUNCTIONS;
use super::{logs, script, start};
use crate::hosts::Link;
use crate::model::entity::SupervisorAt;
use crate::model::life::{LINES, Life, Oom};
use crate::model::shown::shown;
use crate::model::world::Proc;
use crate::model::{Result, quote::quote};
use base64::Engine as _;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

/// How much of a log is looked at.
const TAIL: usize = 64 << 10;
/// So many procs in one script.
const BATCH: usize = 24;
/// How far an entry of the kernel's log may be from an end that it explains, in seconds.
const NEAR: i64 = 3;

/// What a host says about one proc.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcProbe {
    pub name: String,
    /// Oldest first; the last may still be going on. Their lines are in them.
    pub lives: Vec<Life>,
    /// The end of its log, without our own marks; safe for a terminal.
    pub log: Vec<String>,
    /// The letter of its main process in `/proc/PID/status`: `T` is stopped by a signal.
    pub letter: Option<char>,
    /// Where its processes listen.
    pub listens: Vec<(IpAddr, u16)>,
    /// Processes that carry its mark: pid and name.
    pub processes: Vec<(u32, String)>,
    /// Who else listens on its port: `pid 12 (nginx)`.
    pub port_holder: String,
    /// Its user, if the host has no such user.
    pub missing_user: String,
    /// Its unpacked app is not there.
    pub app_gone: bool,
}

const ABOUT: &str = r#"
SAID=$(printf 'pid\nmaintail -200000\n' | CTL)
MASTER=$(printf '%s\n' "$SAID" | sed -n 's/^supervisor> \([0-9][0-9]*\)$/\1/p' | head -n 1)
echo "zone $(date +%z)"
echo "clock $(date +%s)"
read -r up _ </proc/uptime && echo "up ${up%.*}"
{ dmesg || cat /var/log/kern.log; } 2>/dev/null | grep -iE 'killed process [0-9]+' | tail -n 20 | sed 's/^/kernel /'
if [ -n "$MASTER" ]; then
  two=$(sed -n 's/^0:://p' "/proc/$MASTER/cgroup" 2>/dev/null)
  one=$(sed -n 's/^[0-9]*:[^:]*memory[^:]*://p' "/proc/$MASTER/cgroup" 2>/dev/null)
  for file in "/sys/fs/cgroup$two/memory.events" "/sys/fs/cgroup/memory$one/memory.oom_control"; do
    [ ! -r "$file" ] || awk '$1 == "oom_kill" { print "oom_kills " $2 }' "$file"
  done
fi
# about NAME PID
about() {
  dir=$ROOT/procs/$1
  echo "proc $1"
  printf '%s\n' "$SAID" | grep -F "$1" | grep -E "spawned: '$1' with pid|(exited|stopped): $1 \(" | tail -n 80 | sed 's/^/main /'
  printf 'log '
  { cat "$dir/log.1"; cat "$dir/log"; } 2>/dev/null | tail -c "$TAIL" | base64 -w 0
  printf '\n'
  id=$(stamped "$1" instance) port=$(stamped "$1" port) user=$(stamped "$1" run_as)
  [ -z "$2" ] || sed -n 's/^State:[[:space:]]*\(.\).*/letter \1/p' "/proc/$2/status" 2>/dev/null
  pids=$(living "$2" "$id")
  sockets=
  for pid in $pids; do
    echo "process $pid $(head -c 64 "/proc/$pid/comm" 2>/dev/null)"
    sockets="$sockets $(ls -l "/proc/$pid/fd" 2>/dev/null | sed -n 's/.*socket:\[\([0-9]*\)\].*/\1/p' | tr '\n' ' ')"
  done
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v mine="$sockets" 'BEGIN { n = split(mine, all, " "); for (i = 1; i <= n; i++) own[all[i]] = 1 }
    $4 == "0A" && ($10 in own) { print "listens " $2 }'
  if [ -n "$port" ] && [ "$port" != 0 ]; then
    for inode in $(listening "$port"); do
      case " $sockets " in *" $inode "*) continue;; esac
      for entry in /proc/[0-9]*; do
        if ls -l "$entry/fd" 2>/dev/null | grep -qF "socket:[$inode]"; then
          echo "holder pid ${entry#/proc/} ($(head -c 64 "$entry/comm" 2>/dev/null))"
          break
        fi
      done
    done
  fi
  [ -z "$user" ] || id -u "$user" >/dev/null 2>&1 || echo "nouser $user"
  [ ! -d "$dir" ] || [ -d "$dir/app" ] || echo noapp
}
"#;

fn render(root: &str, at: &SupervisorAt, procs: &[&Proc]) -> Result<String> {
    script::check_root(root)?;
    let mut body = format!("{}ROOT={} TAIL={TAIL}\n", script::PRELUDE, quote(root));
    body.push_str(&start::supervisorctl(at));
    body.push_str(FUNCTIONS);
    body.push_str(ABOUT);
    for proc in procs {
        script::check_name(&proc.name)?;
        let pid = proc.pid.map(|pid| pid.to_string()).unwrap_or_default();
        writeln!(body, "about {} '{pid}'", quote(&proc.name)).map_err(|_| crate::model::Fault::failed("a script could not be written"))?;
    }
    body.push_str("exit 0\n");
    Ok(body)
}

/// Asks a host about some of its procs, in one round trip. Names that no proc of ours can have are left out.
///
/// # Errors
/// Unreachable, or a script that did not run.
pub async fn probe(link: &dyn Link, root: &str, at: &SupervisorAt, procs: &[&Proc], limit: Duration) -> Result<Vec<ProcProbe>> {
    let mut all = Vec::new();
    let plain: Vec<&Proc> = procs.iter().filter(|proc| script::check_name(&proc.name).is_ok()).copied().collect();
    for batch in plain.chunks(BATCH) {
        let output = link.run(&render(root, at, batch)?, limit).await?;
        script::judge(link.host(), "probe", &output)?;
        all.extend(read(&output.text(), batch));
    }
    Ok(all)
}

/// What holds for the host as a whole.
#[derive(Default)]
struct Whole {
    zone: i64,
    booted: Option<i64>,
    /// The kernel's words about processes that it ended for want of memory, each with the second since 1970, where it says it.
    kernel: Vec<(Option<i64>, String)>,
    oom_kills: u64,
}

fn read(text: &str, procs: &[&Proc]) -> Vec<ProcProbe> {
    let (mut whole, mut clock, mut up, mut all) = (Whole::default(), 0, None, Vec::<(ProcProbe, Vec<Life>, Vec<u8>)>::new());
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, all.last_mut()) {
            ("zone", _) => whole.zone = zone(rest),
            ("clock", _) => clock = rest.parse().unwrap_or(0),
            ("up", _) => up = rest.parse::<i64>().ok(),
            ("oom_kills", _) => whole.oom_kills = whole.oom_kills.max(rest.parse().unwrap_or(0)),
            ("kernel", _) => whole.kernel.push((None, shown(rest))),
            ("proc", _) => all.push((ProcProbe { name: rest.into(), ..ProcProbe::default() }, Vec::new(), Vec::new())),
            ("main", Some((_, lives, _))) => event(lives, rest, whole.zone),
            ("log", Some((_, _, log))) => *log = base64::engine::general_purpose::STANDARD.decode(rest).unwrap_or_default(),
            ("letter", Some((probe, ..))) => probe.letter = rest.chars().next(),
            ("process", Some((probe, ..))) => {
                if let Some((pid, name)) = rest.split_once(' ') {
                    probe.processes.extend(pid.parse().ok().map(|pid| (pid, shown(name))));
                }
            }
            ("listens", Some((probe, ..))) => probe.listens.extend(address(rest)),
            ("holder", Some((probe, ..))) => probe.port_holder = shown(rest),
            ("nouser", Some((probe, ..))) => probe.missing_user = shown(rest),
            ("noapp", Some((probe, ..))) => probe.app_gone = true,
            _ => {}
        }
    }
    whole.booted = up.map(|up| clock - up);
    for entry in &mut whole.kernel {
        entry.0 = uptime_of(&entry.1).zip(whole.booted).map(|(second, booted)| booted + second);
    }
    all.into_iter()
        .filter_map(|(probe, lives, log)| {
            let proc = procs.iter().find(|proc| proc.name == probe.name)?;
            Some(put_together(probe, lives, &log, proc, &whole))
        })
        .collect()
}

fn put_together(mut probe: ProcProbe, mut lives: Vec<Life>, log: &[u8], proc: &Proc, whole: &Whole) -> ProcProbe {
    let said = logs::lives(log);
    // Supervisor's own word of the last life, where its log was rotated away or it never came to a process.
    if lives.is_empty() && proc.start > 0 {
        lives.push(Life { start: proc.start, pid: proc.pid, ..Life::default() });
    }
    if let Some(last) = lives.last_mut() {
        if last.end == 0 && proc.pid.is_none() && proc.stop >= proc.start && proc.stop > 0 {
            last.end = proc.stop;
        }
        if last.exit_status.is_none() && last.signal.is_empty() && proc.pid.is_none() {
            last.exit_status = proc.exit_status.filter(|status| *status >= 0);
        }
    }
    if !proc.spawn_error.is_empty() && proc.pid.is_none() {
        match lives.last_mut().filter(|last| last.end > 0) {
            Some(last) => last.spawn_error.clone_from(&proc.spawn_error),
            None => lives.push(Life { spawn_error: proc.spawn_error.clone(), start: proc.start, end: proc.stop, ..Life::default() }),
        }
    }
    for life in &mut lives {
        (life.host, life.name) = (proc.host.clone(), proc.name.clone());
        (life.version, life.release) = (proc.version.clone(), proc.release.clone());
        life.swarm = proc.stamp.as_ref().map(|stamp| stamp.swarm.clone()).unwrap_or_default();
        life.oom = oom(life, whole);
        if let Some((_, lines)) = said.iter().rev().find(|(pid, _)| *pid == life.pid && pid.is_some()) {
            life.lines = lines.iter().skip(lines.len().saturating_sub(LINES)).cloned().collect();
        }
    }
    let all: Vec<String> = said.into_iter().flat_map(|(_, lines)| lines).collect();
    if let Some(last) = lives.last_mut()
        && last.lines.is_empty()
        && last.end > 0
        && last.pid.is_none()
    {
        last.lines = all.iter().skip(all.len().saturating_sub(LINES)).cloned().collect();
    }
    (probe.lives, probe.log) = (lives, all);
    probe
}

/// `2026-11-21 10:41:55,965 INFO spawned: 'a' with pid 12421`, `… WARN exited: a (terminated by SIGKILL; not expected)`.
fn event(lives: &mut Vec<Life>, line: &str, zone: i64) {
    let mut words = line.splitn(4, ' ');
    let (Some(day), Some(time), Some(_), Some(what)) = (words.next(), words.next(), words.next(), words.next()) else { return };
    let at = time.split(',').next().and_then(|time| format!("{day}T{time}").parse::<jiff::civil::DateTime>().ok());
    let at = at.and_then(|at| at.to_zoned(jiff::tz::TimeZone::UTC).ok()).map_or(0, |at| at.timestamp().as_second() - zone);
    if let Some(pid) = what.strip_prefix("spawned: ").and_then(|rest| rest.rsplit_once(" with pid ")) {
        lives.push(Life { start: at, pid: pid.1.trim().parse().ok(), ..Life::default() });
        return;
    }
    let (stopped, how) = match (what.strip_prefix("exited: "), what.strip_prefix("stopped: ")) {
        (Some(how), _) => (false, how),
        (_, Some(how)) => (true, how),
        _ => return,
    };
    let Some(life) = lives.last_mut().filter(|life| life.end == 0) else { return };
    (life.end, life.stopped) = (at, stopped);
    let (status, signal) = ending(how);
    (life.exit_status, life.signal) = (status, signal);
}

/// `a (exit status 3; not expected)`, `a (terminated by SIGKILL (core dumped); …)`: the status, or the signal.
pub fn ending(how: &str) -> (Option<i64>, String) {
    let status = how.split_once("exit status ").and_then(|(_, rest)| rest.split([';', ')']).next()?.trim().parse().ok());
    let signal = how.split_once("terminated by ").and_then(|(_, rest)| rest.split([';', ')', ' ']).next());
    (status, shown(signal.unwrap_or_default()))
}

/// Whether the kernel ended a life for want of memory: its log names the pid, or one that it does not name fits the second; or a
/// SIGKILL that nobody sent, where the memory of Supervisor's own group ran out before.
fn oom(life: &Life, whole: &Whole) -> Option<Oom> {
    let killed = life.signal == "SIGKILL" || life.exit_status == Some(137);
    if !killed || life.stopped {
        return None;
    }
    let named = |line: &str| {
        let pid = line.to_ascii_lowercase().split_once("killed process ").and_then(|(_, rest)| rest.split(' ').next()?.parse::<u32>().ok());
        pid.is_some() && pid == life.pid
    };
    let near = |at: Option<i64>| at.is_some_and(|at| (at - life.end).abs() <= NEAR);
    if let Some((_, line)) = whole.kernel.iter().rev().find(|(at, line)| named(line) && at.is_none_or(|at| (at - life.end).abs() < 60)) {
        return Some(Oom { sign: line.clone(), sure: true });
    }
    if let Some((_, line)) = whole.kernel.iter().rev().find(|(at, _)| near(*at)) {
        return Some(Oom { sign: line.clone(), sure: false });
    }
    (whole.oom_kills > 0)
        .then(|| Oom { sign: format!("the memory group of Supervisor counted {} such ends", whole.oom_kills), sure: false })
}

/// `[  752.094483] …`: seconds since the boot.
fn uptime_of(line: &str) -> Option<i64> {
    line.trim_start().strip_prefix('[')?.trim_start().split(['.', ']']).next()?.parse().ok()
}

/// `+0130` in seconds.
fn zone(text: &str) -> i64 {
    let (sign, digits) = match text.split_at_checked(1) {
        Some(("-", digits)) => (-1, digits),
        Some((_, digits)) => (1, digits),
        None => return 0,
    };
    let number: i64 = digits.parse().unwrap_or(0);
    sign * (number / 100 * 3600 + number % 100 * 60)
}

/// `0100007F:1388` as proc(5) has it: each 32-bit word in the host's byte order, which is little-endian wherever we run.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (host, port) = text.trim().split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Option<Vec<u8>> = (0..host.len() / 8)
        .map(|n| u32::from_str_radix(host.get(n * 8..n * 8 + 8)?, 16).ok())
        .collect::<Option<Vec<u32>>>()
        .map(|words| words.into_iter().flat_map(u32::to_le_bytes).collect());
    let bytes = words?;
    if let Ok(four) = <[u8; 4]>::try_from(bytes.as_slice()) {
        return Some((IpAddr::from(four), port));
    }
    let sixteen = <[u8; 16]>::try_from(bytes.as_slice()).ok()?;
    Some((IpAddr::from(sixteen).to_canonical(), port))
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
