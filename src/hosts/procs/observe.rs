//! What a host says about itself: one script and one question to Supervisor for each look; nothing is changed, no secret leaves it.

use super::{fence, script};
use crate::hosts::supervisor::{self, Process};
use crate::hosts::{Link, Output};
use crate::model::world::{CpuTime, Stamp};
use crate::model::{Result, entity, quote::quote, shown::shown};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A directory under `<root>/procs`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcDir {
    pub name: String,
    /// The stamp's keys: `installation swarm dispatch instance app version config release proc port run_as artifact`; empty when
    /// it has none. Control bytes made visible.
    pub keys: BTreeMap<String, String>,
    /// Of a `proc.yaml` without our stamp, the plain keys that say what it is (velociraptor.md part 4): `app_name version config_name
    /// proc_name port release_hash user`; never its settings or env. Control bytes made visible.
    pub theirs: BTreeMap<String, String>,
    /// Whether it has a `proc.yaml`: Velociraptor's and ours have.
    pub proc_yaml: bool,
    /// Whether it has a `proc.conf`: without one, Supervisor does not start it at boot.
    pub proc_conf: bool,
}

impl ProcDir {
    /// A key of the stamp, or "".
    pub fn key(&self, key: &str) -> &str {
        self.keys.get(key).map(String::as_str).unwrap_or_default()
    }
    /// A key of somebody else's `proc.yaml`, or "".
    pub fn theirs(&self, key: &str) -> &str {
        self.theirs.get(key).map(String::as_str).unwrap_or_default()
    }
    /// The proof of ownership, where there is one.
    pub fn stamp(&self) -> Option<Stamp> {
        (!self.key("installation").is_empty()).then(|| Stamp {
            installation: self.key("installation").into(),
            swarm: self.key("swarm").into(),
            dispatch: self.key("dispatch").into(),
            instance: self.key("instance").into(),
        })
    }
}

/// Everything one look at a host brings.
#[derive(Debug, Clone, PartialEq)]
pub struct HostReport {
    /// Which installation claimed it.
    pub installation: Option<String>,
    /// Epoch per key of a fence (swarm id, or `pool/<balancer>/<pool>`).
    pub fences: BTreeMap<String, u64>,
    pub dirs: Vec<ProcDir>,
    /// Every TCP port something listens on.
    pub listening: BTreeSet<u16>,
    /// Artifacts (sha256), as named; their bytes are checked by `distribute::has`.
    pub builds: BTreeSet<String>,
    /// Over one minute.
    pub load: Option<f64>,
    /// Bytes.
    pub memory_total: Option<u64>,
    pub memory_free: Option<u64>,
    pub disk_free: Option<u64>,
    /// The host's clock, seconds since 1970.
    pub clock: i64,
    /// By the pid that Supervisor started: processor time and memory (bytes) of it and its children.
    pub usage: BTreeMap<u32, (CpuTime, u64)>,
    /// What Supervisor said, or why it did not.
    pub processes: Result<Vec<Process>>,
}

/// The script: `word value…` lines. A directory's lines follow its `dir` line.
fn render(root: &str, conf: &str) -> Result<String> {
    script::check_root(root)?;
    Ok(format!(
        r#"ROOT={root}
echo "clock $(date +%s)"
[ ! -r "$ROOT/fence/installation" ] || echo "installation $(head -n 1 "$ROOT/fence/installation")"
for file in "$ROOT"/fence/*.epoch; do
  [ ! -f "$file" ] || {{ name=${{file##*/}}; echo "fence ${{name%.epoch}} $(head -c 30 "$file" | head -n 1)"; }}
done
for file in "$ROOT"/builds/*; do [ ! -f "$file" ] || echo "build ${{file##*/}}"; done
for dir in "$ROOT"/procs/*; do
  [ -d "$dir" ] && [ ! -L "$dir" ] || continue
  case ${{dir##*/}} in *[!A-Za-z0-9._-]*) continue;; esac
  echo "dir ${{dir##*/}}"
  [ ! -f "$dir/proc.yaml" ] || echo yaml
  [ ! -f "$dir/proc.conf" ] || echo conf
  if [ -f "$dir/stamp" ]; then head -c 4096 "$dir/stamp" | sed -n 's/^\([a-z_]*=\)/stamp \1/p'
  elif [ -f "$dir/proc.yaml" ]; then
    head -c 262144 "$dir/proc.yaml" | sed -nE 's/^(app_name|version|config_name|proc_name|port|release_hash|user): /theirs \1=/p'
  fi
done
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" {{ n = split($2, part, ":"); print "port " part[n] }}' | sort -u
awk '{{ print "load " $1 }}' /proc/loadavg
awk '$1 == "MemTotal:" {{ print "memory_total " $2 }} $1 == "MemAvailable:" {{ print "memory_free " $2 }}' /proc/meminfo
place=$ROOT
while [ ! -d "$place" ]; do place=${{place%/*}}; [ -n "$place" ] || place=/; done
df -Pk "$place" 2>/dev/null | awk 'NR == 2 {{ print "disk_free " $4 }}'
pidfile=$(sed -n 's/^[[:space:]]*pidfile[[:space:]]*=[[:space:]]*\([^;[:space:]]*\).*/\1/p' {conf} 2>/dev/null | head -n 1)
daemon=$(head -n 1 "${{pidfile:-/var/run/supervisord.pid}}" 2>/dev/null)
case $daemon in '' | *[!0-9]*) ;; *)
  cat /proc/uptime /proc/[0-9]*/stat 2>/dev/null | awk -v daemon="$daemon" -v tick="$(getconf CLK_TCK)" -v page="$(getconf PAGESIZE)" '
    NR == 1 {{ now = $1 * 1000; next }}
    {{ pid = $1; if (!sub(/^.*\) /, "")) next; up[pid] = $2; used[pid] = $12 + $13; held[pid] = $22 }}
    END {{
      for (pid in up) {{
        top = pid
        for (deep = 0; deep < 64 && (top in up) && up[top] != daemon; deep++) top = up[top]
        if (top in up && up[top] == daemon) {{ time[top] += used[pid]; rss[top] += held[pid] }}
      }}
      for (top in time) printf "use %d %d %d %d\n", top, time[top] * 1000 / tick, now, rss[top] * page
    }}';;
esac
exit 0
"#,
        root = quote(root),
        conf = quote(conf),
    ))
}

/// Looks at a host once, at most `limit`.
///
/// # Errors
/// Unreachable, or a script that did not run. A Supervisor that does not answer is in the report, not a fault.
pub async fn observe(link: &dyn Link, host: &entity::Host, limit: Duration) -> Result<HostReport> {
    let body = render(&host.root, &host.supervisor.conf)?;
    let asked = async {
        match tokio::time::timeout(limit, supervisor::processes(link, &host.supervisor.socket)).await {
            Ok(answer) => answer,
            Err(_) => Err(crate::model::Fault::failed("Supervisor did not answer in time").on(link.host())),
        }
    };
    let (output, processes) = tokio::join!(link.run(&body, limit), asked);
    let output = output?;
    script::judge(link.host(), "observe", &output)?;
    Ok(read(&output, processes))
}

fn read(output: &Output, processes: Result<Vec<Process>>) -> HostReport {
    let mut report = HostReport {
        installation: None,
        fences: BTreeMap::new(),
        dirs: Vec::new(),
        listening: BTreeSet::new(),
        builds: BTreeSet::new(),
        load: None,
        memory_total: None,
        memory_free: None,
        disk_free: None,
        clock: 0,
        usage: BTreeMap::new(),
        processes,
    };
    for line in output.text().lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let bytes = || rest.parse::<u64>().ok().map(|kib| kib.saturating_mul(1024));
        match word {
            "clock" => report.clock = rest.parse().unwrap_or(0),
            "installation" if !rest.is_empty() => report.installation = Some(shown(rest)),
            "fence" => {
                if let Some((file, Ok(epoch))) = rest.rsplit_once(' ').map(|(file, epoch)| (file, epoch.parse())) {
                    report.fences.insert(fence::key_of(&shown(file)), epoch);
                }
            }
            "build" if rest.len() == 64 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                report.builds.insert(rest.to_string());
            }
            "dir" => report.dirs.push(ProcDir { name: shown(rest), ..ProcDir::default() }),
            "port" => report.listening.extend(u16::from_str_radix(rest, 16)),
            "load" => report.load = rest.parse().ok(),
            "memory_total" => report.memory_total = bytes(),
            "memory_free" => report.memory_free = bytes(),
            "disk_free" => report.disk_free = bytes(),
            "use" => {
                let mut numbers = rest.split(' ').map_while(|number| number.parse::<u64>().ok());
                if let (Some(pid), Some(used_ms), Some(at_ms), Some(rss)) = (numbers.next(), numbers.next(), numbers.next(), numbers.next())
                {
                    report.usage.extend(u32::try_from(pid).ok().map(|pid| (pid, (CpuTime { used_ms, at_ms }, rss))));
                }
            }
            _ => {
                if let Some(dir) = report.dirs.last_mut() {
                    match (word, rest.split_once('=')) {
                        ("yaml", _) => dir.proc_yaml = true,
                        ("conf", _) => dir.proc_conf = true,
                        ("stamp", Some((key, value))) => drop(dir.keys.insert(key.to_string(), shown(value))),
                        ("theirs", Some((key, value))) => drop(dir.theirs.insert(key.to_string(), shown(&plain(value)))),
                        _ => {}
                    }
                }
            }
        }
    }
    report
}

/// A YAML scalar on one line: without its quotes, and null as nothing. Velociraptor quotes every text that reads as something else.
fn plain(value: &str) -> String {
    let value = value.trim();
    let quoted = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    match (quoted('\''), quoted('"')) {
        (Some(text), _) => text.replace("''", "'"),
        (_, Some(text)) => text.to_string(),
        _ if matches!(value, "null" | "~") => String::new(),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::Local;

    #[tokio::test]
    async fn a_host_without_anything_of_ours_still_says_how_it_is() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let body = render("/nowhere/at/all", "/nowhere.conf").unwrap();
        let output = Local::new("web01").run(&body, Duration::from_secs(20)).await.unwrap();
        assert_eq!(output.status, 0, "{}", String::from_utf8_lossy(&output.stderr));
        let report = read(&output, Ok(vec![]));
        assert!(report.listening.contains(&listener.local_addr().unwrap().port()));
        assert!(
            report.memory_total > report.memory_free && report.disk_free > Some(0) && report.load.is_some() && report.clock > 1_700_000_000
        );
        assert!(report.dirs.is_empty() && report.installation.is_none());
        assert!(report.usage.is_empty(), "no Supervisor, nothing to reckon with");
    }

    #[tokio::test]
    async fn what_a_procs_children_use_is_its_own_use() {
        let dir = tempfile::tempdir().unwrap();
        // This process plays supervisord; a shell with a child is its proc.
        let pidfile = dir.path().join("pid");
        std::fs::write(&pidfile, format!("{}\n", std::process::id())).unwrap();
        let conf = dir.path().join("supervisord.conf");
        std::fs::write(&conf, format!("[supervisord]\npidfile = {} ; ours\n", pidfile.display())).unwrap();
        let mut proc = tokio::process::Command::new("sh").args(["-c", "sleep 60 & wait"]).kill_on_drop(true).spawn().unwrap();
        let body = render("/nowhere/at/all", &conf.display().to_string()).unwrap();
        let output = Local::new("web01").run(&body, Duration::from_secs(20)).await.unwrap();
        let report = read(&output, Ok(vec![]));
        let (time, rss) = report.usage.get(&proc.id().unwrap()).copied().unwrap();
        assert!(time.at_ms > 0 && rss > 64 << 10, "{time:?} {rss}");
        assert_eq!(report.usage.values().filter(|(_, rss)| *rss == 0).count(), 0);
        proc.kill().await.unwrap();
    }

    #[tokio::test]
    async fn what_lies_in_the_root_is_reported_and_hostile_text_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("fence/installation", "here-1\n");
        write("fence/swarm-1.epoch", "7\n");
        write("fence/pool+edge+shop.epoch", "3\n");
        write("fence/broken.epoch", "x\n");
        write(&format!("builds/{}", "a".repeat(64)), "");
        write("builds/.new-1", "");
        write("procs/a/stamp", "installation=here-1\nswarm=swarm-1\nport=5000\nversion=v\x1b[2J\ninstallation \nbuild x\n");
        write("procs/a/proc.yaml", "env: {SECRET: hunter2}");
        write("procs/.new-2/stamp", "installation=here-1\n");
        let theirs = "app_name: cart\nenv: {SECRET: hunter2}\nport: 5007\nproc_name: web\nsettings:\n  version: nested\nversion: '1.10'\nuser: null\n";
        write("procs/cart-1.10-prod-0a0b0c0d-web-5007/proc.yaml", theirs);
        std::fs::create_dir_all(root.join("procs/evil\nport 0001")).unwrap();
        let body = render(&root.display().to_string(), "/nowhere.conf").unwrap();
        let output = Local::new("web01").run(&body, Duration::from_secs(20)).await.unwrap();
        assert!(!output.text().contains("hunter2"));
        let report = read(&output, Ok(vec![]));
        assert_eq!(report.installation.as_deref(), Some("here-1"));
        assert_eq!(report.fences, BTreeMap::from([("swarm-1".into(), 7), ("pool/edge/shop".into(), 3)]));
        assert_eq!(report.builds.len(), 1);
        let a = report.dirs.iter().find(|dir| dir.name == "a").unwrap();
        assert!(a.proc_yaml && !a.proc_conf && a.stamp().unwrap().swarm == "swarm-1" && a.key("version").contains('\u{241b}'));
        let cart = report.dirs.iter().find(|dir| dir.name.starts_with("cart-")).unwrap();
        let keys = ["app_name", "version", "port", "proc_name", "user"].map(|key| cart.theirs(key));
        assert_eq!((keys, cart.stamp()), (["cart", "1.10", "5007", "web", ""], None));
        assert!(!report.listening.contains(&1) && report.dirs.len() == 2);
        assert!(!report.dirs.iter().any(|dir| dir.name.starts_with('.')));
    }
}
