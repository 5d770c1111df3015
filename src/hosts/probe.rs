//! A deep look at one host, for `why`: disk, inodes, clock, tools, and what is wrong with its Supervisor. Reads only.

use super::provision::{self, Missing};
use super::{Link, procs::script, supervisor};
use crate::model::entity::Host;
use crate::model::quote::quote;
use crate::model::shown::shown;
use crate::model::{Result, shown::shown_lines};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

/// What a host says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostProbe {
    /// Its clock, seconds since 1970.
    pub clock: i64,
    /// Where the root directory's file system is mounted; its size and what is free, in KiB.
    pub mount: String,
    pub disk_size: u64,
    pub disk_free: u64,
    /// Inodes of it; 0 and 0 where it does not count them.
    pub inodes: u64,
    pub inodes_free: u64,
    /// The root directory cannot be written to, by root.
    pub read_only: bool,
    /// supervisord's process by its pid file.
    pub supervisor_pid: Option<u32>,
    pub socket_there: bool,
    /// Supervisor's version, where it answers.
    pub version: String,
    /// What supervisord says about its configuration files: the broken one is in it; "" when they are well.
    pub conf_error: String,
    /// What a host must have and this one does not.
    pub missing: Vec<Missing>,
}

/// Reads the configuration as supervisord would, in a process of its own.
const CONF: &str = r#"
import sys
from supervisor.options import ServerOptions
options = ServerOptions()
try:
    options.realize(['-c', sys.argv[1]], doc='')
except SystemExit:
    pass
except Exception as error:
    print('Error: %s' % error)
"#;

const SCRIPT: &str = r#"
echo "clock $(date +%s)"
place=$ROOT
while [ ! -d "$place" ]; do place=${place%/*}; [ -n "$place" ] || place=/; done
[ ! -d "$place/procs" ] || place=$place/procs
df -Pk "$place" 2>/dev/null | awk 'NR == 2 { print "disk " $2 " " $4 " " $6 }'
df -Pi "$place" 2>/dev/null | awk 'NR == 2 { print "inodes " $2 " " $4 }'
[ -w "$place" ] || echo "readonly $place"
pidfile=$(sed -n 's/^[[:space:]]*pidfile[[:space:]]*=[[:space:]]*\([^;[:space:]]*\).*/\1/p' "$CONF_FILE" 2>/dev/null | head -n 1)
pid=$(head -n 1 "${pidfile:-/nonexistent}" 2>/dev/null)
case $pid in '' | *[!0-9]*) ;; *) grep -qa supervisord "/proc/$pid/cmdline" 2>/dev/null && echo "supervisord $pid";; esac
[ ! -S "$SOCKET" ] || echo socket
if [ -f "$CONF_FILE" ]; then
  python=$(sed -n '1s/^#! *\([^ ]*\).*/\1/p' "$(command -v supervisord)" 2>/dev/null)
  [ ! -x "${python:-/nonexistent}" ] || timeout -k 2 15 "$python" -c "$READ" "$CONF_FILE" 2>&1 </dev/null | grep -v '^For help' | sed 's/^/conf /' | head -n 5
fi
exit 0
"#;

/// Looks at a host.
///
/// # Errors
/// It cannot be reached, or its shell does not do what it should.
pub async fn probe(link: &dyn Link, host: &Host) -> Result<HostProbe> {
    let body = format!(
        "set -u\nROOT={} CONF_FILE={} SOCKET={} READ={}\n{SCRIPT}",
        quote(&host.root),
        quote(&host.supervisor.conf),
        quote(&host.supervisor.socket),
        quote(CONF)
    );
    let asked = supervisor::state(link, &host.supervisor.socket);
    let (output, missing, daemon) = tokio::join!(link.run(&body, LIMIT), provision::check(link, host), asked);
    let output = output?;
    script::judge(link.host(), "probe", &output)?;
    let mut probe = read(&output.text());
    probe.missing = missing.unwrap_or_default();
    probe.version = daemon.map(|daemon| shown(&daemon.version)).unwrap_or_default();
    Ok(probe)
}

fn read(text: &str) -> HostProbe {
    let mut probe = HostProbe::default();
    let mut conf = Vec::new();
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut parts = rest.split(' ');
        let mut number = || parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
        match word {
            "clock" => probe.clock = rest.parse().unwrap_or(0),
            "disk" => {
                (probe.disk_size, probe.disk_free) = (number(), number());
                probe.mount = shown(parts.next().unwrap_or_default());
            }
            "inodes" => (probe.inodes, probe.inodes_free) = (number(), number()),
            "readonly" => probe.read_only = true,
            "supervisord" => probe.supervisor_pid = rest.parse().ok(),
            "socket" => probe.socket_there = true,
            "conf" => conf.push(shown_lines(rest)),
            _ => {}
        }
    }
    if conf.iter().any(|line| line.contains("rror")) {
        probe.conf_error = conf.join(" ");
    }
    probe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::procs::rig::Rig;

    #[tokio::test]
    async fn a_host_says_how_it_is_and_names_a_broken_file_without_touching_anything() {
        let rig = Rig::new().await;
        let well = probe(&rig.link, &rig.host()).await.unwrap();
        assert!(well.disk_size > well.disk_free && well.clock > 1_700_000_000 && !well.mount.is_empty() && !well.read_only, "{well:?}");
        assert!(well.supervisor_pid.is_some() && well.socket_there && well.conf_error.is_empty() && !well.version.is_empty(), "{well:?}");
        let broken = rig.dir.path().join("conf.d/theirs.conf");
        for text in ["[program:x]\nautostart=true\n", "no section\n", "[program:x]\ncommand=/bin/true\nstartsecs=soon\n"] {
            std::fs::write(&broken, text).unwrap();
            let found = probe(&rig.link, &rig.host()).await.unwrap();
            assert!(found.conf_error.contains("theirs.conf"), "{text}: {found:?}");
        }
        std::fs::remove_file(&broken).unwrap();
        std::fs::remove_file(&rig.at.socket).unwrap();
        let silent = probe(&rig.link, &rig.host()).await.unwrap();
        assert!(silent.supervisor_pid.is_some() && !silent.socket_there, "{silent:?}");
        assert!(silent.missing.iter().any(|lack| matches!(lack, Missing::Supervisor(_))), "{silent:?}");
    }
}
