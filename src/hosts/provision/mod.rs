//! What a host must have before it can carry procs: checked, and put there on Debian, restarting nothing that runs.

use super::Link;
use super::supervisor;
use crate::model::entity::Host;
use crate::model::quote::quote;
use crate::model::{Fault, Result};
use std::fmt;
use std::time::Duration;

/// The programs that scripts on hosts use, each with the Debian package that has it.
const TOOLS: [(&str, &str); 11] = [
    ("sh", "dash"),
    ("tar", "tar"),
    ("gzip", "gzip"),
    ("flock", "util-linux"),
    ("setsid", "util-linux"),
    ("timeout", "coreutils"),
    ("sha256sum", "coreutils"),
    ("stat", "coreutils"),
    ("python3", "python3"),
    ("supervisord", "supervisor"),
    ("supervisorctl", "supervisor"),
];
/// Directories under a host's root, with their modes: artifacts and fences are nobody else's business.
const DIRECTORIES: [(&str, &str); 5] = [("", "755"), ("/builds", "700"), ("/images", "755"), ("/procs", "755"), ("/fence", "700")];
const SHORT: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(900);

/// One thing that a host lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// Neither root nor allowed to become it.
    Privilege(String),
    /// A program is not in `PATH`.
    Tool(String),
    /// A directory is not there, or not of this mode.
    Directory(String, String),
    /// supervisord's configuration file is not there.
    Conf(String),
    /// `[include] files` in the file lacks the pattern.
    Include { conf: String, pattern: String },
    /// Supervisor does not answer on its socket, and why.
    Supervisor(String),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::Privilege(user) => write!(f, "{user} is not root and does not become it"),
            Missing::Tool(tool) => write!(f, "{tool} is not installed"),
            Missing::Directory(path, mode) => write!(f, "{path} is not a directory of mode {mode}"),
            Missing::Conf(path) => write!(f, "{path} is not there"),
            Missing::Include { conf, pattern } => write!(f, "{conf} does not include {pattern}"),
            Missing::Supervisor(why) => write!(f, "Supervisor does not answer: {why}"),
        }
    }
}

/// The files that supervisord must include on a host.
pub fn include_pattern(host: &Host) -> String {
    format!("{}/procs/*/proc.conf", host.root.trim_end_matches('/'))
}

/// What is missing on a host; nothing is changed. Faults: the host cannot be reached, or sudo is refused.
pub async fn check(link: &dyn Link, host: &Host) -> Result<Vec<Missing>> {
    let tools: Vec<&str> = TOOLS.iter().map(|(tool, _)| *tool).collect();
    let mut body = variables(host);
    body.push_str(&format!("for tool in {}; do command -v \"$tool\" >/dev/null || echo \"tool $tool\"; done\n", tools.join(" ")));
    for (path, mode) in DIRECTORIES {
        // The root itself may be the operator's own, of any mode that can be passed through.
        let wanted = if path.is_empty() { String::new() } else { format!(" && [ \"$(stat -c %a \"$root{path}\")\" = {mode} ]") };
        body.push_str(&format!("[ -d \"$root{path}\" ]{wanted} || echo \"directory {mode} $root{path}\"\n"));
    }
    body.push_str(
        "echo \"uid $(id -u) $(id -un)\"\nif [ ! -f \"$conf\" ]; then echo conf\nelif command -v python3 >/dev/null; then python3 - \"$conf\" \"$pattern\" <<'PY'\n\
         import configparser, sys\nparser = configparser.RawConfigParser(inline_comment_prefixes=(';', '#'), strict=False)\nparser.read(sys.argv[1])\n\
         files = parser.get('include', 'files').split() if parser.has_option('include', 'files') else []\nif sys.argv[2] not in files: print('include')\nPY\nfi\n",
    );
    let out = link.run(&body, SHORT).await?;
    let text = out.text();
    if !text.lines().any(|line| line.starts_with("uid ")) {
        let words = String::from_utf8_lossy(&out.stderr).trim().to_string();
        return Err(Fault::failed(format!("its shell does not do what it should (exit {}): {words}", out.status))
            .on(link.host())
            .at("check"));
    }
    let mut missing = Vec::new();
    for line in text.lines() {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (kind, rest.split_once(' ')) {
            ("tool", _) => missing.push(Missing::Tool(rest.to_string())),
            ("directory", Some((mode, path))) => missing.push(Missing::Directory(path.to_string(), mode.to_string())),
            ("uid", Some((uid, user))) if uid != "0" && !own(host) => missing.push(Missing::Privilege(user.to_string())),
            ("conf", _) => missing.push(Missing::Conf(host.supervisor.conf.clone())),
            ("include", _) => missing.push(Missing::Include { conf: host.supervisor.conf.clone(), pattern: include_pattern(host) }),
            _ => {}
        }
    }
    if let Err(fault) = supervisor::state(link, &host.supervisor.socket).await {
        missing.push(Missing::Supervisor(fault.what));
    }
    Ok(missing)
}

/// Puts on a Debian host what is missing; each thing done is one line of the answer, none when nothing was missing.
/// Nothing that runs is restarted. Faults: a step did not work (what was done before it stays), or something is still missing.
pub async fn provision(link: &dyn Link, host: &Host) -> Result<Vec<String>> {
    let mut done = Vec::new();
    let missing = check(link, host).await?;
    if let Some(lack) = missing.iter().find(|lack| matches!(lack, Missing::Privilege(_))) {
        return Err(Fault::refused(lack.to_string()).on(link.host()).next("set become: sudo, or user: root"));
    }
    packages(link, &missing, &mut done).await?;
    directories(link, &missing, &mut done).await?;
    // Installing Supervisor may have brought its configuration, and started it.
    let missing = if done.is_empty() { missing } else { check(link, host).await? };
    configuration(link, host, &missing, &mut done).await?;
    if missing.iter().any(|lack| matches!(lack, Missing::Supervisor(_))) {
        start(link, host, &mut done).await?;
    }
    if done.is_empty() && missing.is_empty() {
        return Ok(done);
    }
    let left: Vec<String> = check(link, host).await?.iter().map(Missing::to_string).collect();
    if left.is_empty() {
        return Ok(done);
    }
    Err(Fault::failed(format!("still missing: {}", left.join("; "))).on(link.host()).at("provision"))
}

/// The local host of an ordinary user, who needs no root there.
fn own(host: &Host) -> bool {
    host.transport == crate::model::entity::Transport::Local
}

fn variables(host: &Host) -> String {
    let root = host.root.trim_end_matches('/');
    let (conf, socket, pattern) = (&host.supervisor.conf, &host.supervisor.socket, include_pattern(host));
    format!("root={}\nconf={}\nsocket={}\npattern={}\n", quote(root), quote(conf), quote(socket), quote(&pattern))
}

/// Runs a step; a status other than 0 is its fault, with the last lines of what it said.
async fn step(link: &dyn Link, name: &str, body: &str, limit: Duration) -> Result<String> {
    let out = link.run(body, limit).await?;
    if out.status == 0 {
        return Ok(out.text().trim().to_string());
    }
    let words = format!("{}\n{}", out.text(), String::from_utf8_lossy(&out.stderr));
    let lines: Vec<&str> = words.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = lines.get(lines.len().saturating_sub(4)..).unwrap_or_default().join("; ");
    Err(Fault::failed(format!("exit {}: {tail}", out.status)).on(link.host()).at(name))
}

async fn packages(link: &dyn Link, missing: &[Missing], done: &mut Vec<String>) -> Result<()> {
    let lacks = |tool: &str| missing.iter().any(|lack| matches!(lack, Missing::Tool(name) if name == tool));
    let mut names: Vec<&str> = TOOLS.iter().filter(|(tool, _)| lacks(tool)).map(|(_, package)| *package).collect();
    names.dedup();
    if names.is_empty() {
        return Ok(());
    }
    let names = names.join(" ");
    let body = format!(
        "command -v apt-get >/dev/null || {{ echo 'not a Debian host: install {names} by its own means'; exit 1; }}\n\
         export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 NEEDRESTART_MODE=l\n\
         get() {{ apt-get install -y --no-install-recommends --no-upgrade -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=120 {names}; }}\n\
         get || {{ apt-get update && get; }}\n"
    );
    step(link, "install packages", &body, LONG).await?;
    done.push(format!("installed {names}"));
    Ok(())
}

async fn directories(link: &dyn Link, missing: &[Missing], done: &mut Vec<String>) -> Result<()> {
    let mut body = String::from("set -e\n");
    let mut said = Vec::new();
    for lack in missing {
        if let Missing::Directory(path, mode) = lack {
            body.push_str(&format!("mkdir -p {0}\nchmod {mode} {0}\n", quote(path)));
            said.push(format!("made the directory {path} (mode {mode})"));
        }
    }
    if !said.is_empty() {
        step(link, "make directories", &body, SHORT).await?;
        done.append(&mut said);
    }
    Ok(())
}

/// The configuration file and its `[include]`; what a running supervisord does not accept is taken back.
async fn configuration(link: &dyn Link, host: &Host, missing: &[Missing], done: &mut Vec<String>) -> Result<()> {
    let conf = &host.supervisor.conf;
    if missing.iter().any(|lack| matches!(lack, Missing::Conf(_))) {
        let body = variables(host) + MINIMAL;
        step(link, "write supervisord.conf", &body, SHORT).await?;
        done.push(format!("wrote {conf}"));
        return Ok(());
    }
    if !missing.iter().any(|lack| matches!(lack, Missing::Include { .. })) {
        return Ok(());
    }
    let runs = !missing.iter().any(|lack| matches!(lack, Missing::Supervisor(_)));
    let reread = if runs { "reread() { LC_ALL=C.UTF-8 supervisorctl -s \"unix://$socket\" reread 2>&1; }" } else { "reread() { :; }" };
    // supervisorctl says errors of a reread on standard output, with status 0 in older versions.
    let body = format!(
        "{}{reread}\nbackup=\"$conf.before-swarmdeck\"\ncopy=$(mktemp \"$conf.XXXXXX\")\ntrap 'rm -f \"$copy\"' EXIT\ncp -p \"$conf\" \"$copy\"\n\
         said=$(reread) || bad=1\ncase $said in *ERROR*|*rror:*) bad=1;; esac\n\
         [ -z \"$bad\" ] || {{ echo \"supervisord does not accept its configuration as it is: $said\"; exit 1; }}\n\
         python3 - \"$conf\" \"$pattern\" \"$backup\" <<'PY' || exit 1\n{}\nPY\n\
         said=$(reread) || bad=1\ncase $said in *ERROR*|*rror:*) bad=1;; esac\n\
         [ -z \"$bad\" ] || {{ cat \"$copy\" > \"$conf\"; reread >/dev/null; echo \"supervisord does not accept the change, it was taken back: $said\"; exit 1; }}\n",
        variables(host),
        include_str!("include.py")
    );
    step(link, "extend supervisord.conf", &body, SHORT).await?;
    done.push(format!("added {} to [include] in {conf} (before: {conf}.before-swarmdeck)", include_pattern(host)));
    Ok(())
}

/// A configuration for a host that has none.
const MINIMAL: &str = "set -e\numask 077\nmkdir -p \"$(dirname \"$conf\")\" \"$(dirname \"$socket\")\"\ndir=$(dirname \"$conf\")\n\
    cat > \"$conf\" <<EOF\n[unix_http_server]\nfile=$socket\nchmod=0700\n\n[supervisord]\nlogfile=$dir/supervisord.log\npidfile=$dir/supervisord.pid\nchildlogdir=$dir\n\n\
    [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\n[supervisorctl]\nserverurl=unix://$socket\n\n\
    [include]\nfiles = $pattern\nEOF\n";

async fn start(link: &dyn Link, host: &Host, done: &mut Vec<String>) -> Result<()> {
    // By the host's init where that knows Supervisor and its usual file, so that it comes back after a reboot.
    let body = variables(host)
        + "usual=; [ \"$conf\" = /etc/supervisor/supervisord.conf ] && [ \"$(id -u)\" = 0 ] && usual=1\n\
           if [ -n \"$usual\" ] && [ -d /run/systemd/system ] && systemctl cat supervisor >/dev/null 2>&1; then systemctl start supervisor && echo systemd\n\
           elif [ -n \"$usual\" ] && [ -x /etc/init.d/supervisor ]; then /etc/init.d/supervisor start </dev/null >/dev/null 2>&1 && echo init\n\
           else setsid supervisord -c \"$conf\" </dev/null >/dev/null && echo itself; fi || exit 1\n\
           for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do [ -S \"$socket\" ] && exit 0; sleep 0.5; done\n\
           echo \"$socket did not appear\"; exit 1\n";
    let how = step(link, "start supervisord", &body, SHORT).await?;
    done.push(match how.as_str() {
        "systemd" => "started supervisor by systemd".to_string(),
        "init" => "started supervisor by its init script".to_string(),
        _ => format!("started supervisord -c {}; it does not start by itself after a reboot", host.supervisor.conf),
    });
    Ok(())
}

#[cfg(test)]
mod tests;
