//! What the user's ssh_config says of a host, as OpenSSH itself understands it (`ssh -G`).

use crate::hosts::local::session;
use crate::model::{Fault, Result};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// How the agent is found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Agent {
    /// `SSH_AUTH_SOCK`.
    #[default]
    Environment,
    Socket(PathBuf),
    None,
}

/// The keys of ssh_config that are honoured. Ciphers and key exchanges are the library's own; forwards, `RemoteCommand`
/// and agent forwarding are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    pub hostname: String,
    pub user: String,
    pub port: u16,
    pub identity_files: Vec<PathBuf>,
    pub certificate_files: Vec<PathBuf>,
    pub identities_only: bool,
    pub agent: Agent,
    /// `[user@]host[:port],…`, nearest first.
    pub proxy_jump: Option<String>,
    /// With its `%` tokens replaced.
    pub proxy_command: Option<String>,
    /// The first one is where accepted keys go.
    pub user_known_hosts: Vec<PathBuf>,
    pub global_known_hosts: Vec<PathBuf>,
    pub host_key_alias: Option<String>,
    /// `StrictHostKeyChecking yes`: unknown keys are refused without asking. Every other value asks.
    pub strict: bool,
    pub hash_known_hosts: bool,
    pub connect_timeout: Duration,
    pub alive_interval: Duration,
    pub alive_count: usize,
    pub public_key: bool,
    pub keyboard_interactive: bool,
    pub password: bool,
}

/// Asks `ssh -G`; `file` as `ssh -F`, `port` and `user` win over the file. Costs a few milliseconds, once a connection.
pub async fn resolve(file: Option<&Path>, address: &str, port: Option<u16>, user: Option<&str>) -> Result<Config> {
    if address.is_empty() || address.starts_with('-') || address.contains(|c: char| c.is_control() || c == ' ') {
        return Err(Fault::bad(format!("{address:?} is not an address")));
    }
    let mut argv: Vec<String> = vec!["ssh".into(), "-G".into()];
    if let Some(file) = file {
        argv.extend(["-F".into(), file.display().to_string()]);
    }
    if let Some(port) = port {
        argv.extend(["-p".into(), port.to_string()]);
    }
    if let Some(user) = user {
        argv.extend(["-l".into(), user.to_string()]);
    }
    argv.extend(["--".into(), address.to_string()]);
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    let output = session(&words).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(15), output)
        .await
        .map_err(|_| Fault::failed(format!("ssh -G {address} took longer than 15 s")).next("look for a slow Match exec in ssh_config"))?
        .map_err(|error| Fault::failed(format!("ssh cannot be run: {error}")).next("install openssh-client"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(Fault::bad(format!("ssh does not accept its configuration: {}", words.trim())).next("ssh -G HOST shows the same"));
    }
    Ok(parse(&String::from_utf8_lossy(&output.stdout), address, &home()))
}

fn home() -> PathBuf {
    std::env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from)
}

/// Reads the output of `ssh -G` for the address `original`.
pub fn parse(text: &str, original: &str, home: &Path) -> Config {
    let mut config = Config {
        hostname: original.to_string(),
        port: 22,
        connect_timeout: Duration::from_secs(10),
        alive_interval: Duration::from_secs(15),
        alive_count: 3,
        public_key: true,
        keyboard_interactive: true,
        password: true,
        ..Config::default()
    };
    let (mut files, mut certificates, mut user_files, mut global_files) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut agent, mut command, mut methods) = (None, None, None);
    let paths = |value: &str| value.split_ascii_whitespace().map(str::to_string).collect::<Vec<_>>();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(' ') else { continue };
        let (yes, value) = (matches!(value, "yes" | "true"), value.trim());
        match key.to_ascii_lowercase().as_str() {
            "hostname" => config.hostname = value.to_string(),
            "user" => config.user = value.to_string(),
            "port" => config.port = value.parse().unwrap_or(22),
            "identityfile" => files.push(value.to_string()),
            "certificatefile" => certificates.push(value.to_string()),
            "identitiesonly" => config.identities_only = yes,
            "identityagent" => agent = Some(value.to_string()),
            "proxyjump" if value != "none" => config.proxy_jump = Some(value.to_string()),
            "proxycommand" if value != "none" => command = Some(value.to_string()),
            "userknownhostsfile" => user_files = paths(value),
            "globalknownhostsfile" => global_files = paths(value),
            "hostkeyalias" => config.host_key_alias = Some(value.to_string()),
            "stricthostkeychecking" => config.strict = yes,
            "hashknownhosts" => config.hash_known_hosts = yes,
            "connecttimeout" => config.connect_timeout = positive(value).unwrap_or(config.connect_timeout),
            "serveraliveinterval" => config.alive_interval = positive(value).unwrap_or(config.alive_interval),
            "serveralivecountmax" => config.alive_count = value.parse().unwrap_or(3),
            "pubkeyauthentication" => config.public_key = value != "no" && value != "false",
            "kbdinteractiveauthentication" => config.keyboard_interactive = yes,
            "passwordauthentication" => config.password = yes,
            "preferredauthentications" => methods = Some(value.to_string()),
            _ => {}
        }
    }
    if let Some(methods) = methods {
        let has = |name: &str| methods.split(',').any(|method| method == name);
        config.public_key &= has("publickey");
        config.keyboard_interactive &= has("keyboard-interactive");
        config.password &= has("password");
    }
    let tokens = |text: &str| expand(text, &config, original, home);
    let path = |text: &String| PathBuf::from(tokens(text));
    let none = |text: &&String| text.as_str() != "none";
    let identity_files = files.iter().filter(none).map(path).collect();
    let certificate_files = certificates.iter().filter(none).map(path).collect();
    let user_known_hosts = user_files.iter().filter(none).map(path).collect();
    let global_known_hosts = global_files.iter().filter(none).map(path).collect();
    let proxy_command = command.as_deref().map(tokens);
    let agent = match agent.as_deref() {
        None | Some("SSH_AUTH_SOCK") => Agent::Environment,
        Some("none") => Agent::None,
        Some(named) => match named.strip_prefix('$') {
            Some(name) => std::env::var_os(name.trim_matches(['{', '}'])).map_or(Agent::None, |at| Agent::Socket(at.into())),
            None => Agent::Socket(tokens(named).into()),
        },
    };
    Config { identity_files, certificate_files, user_known_hosts, global_known_hosts, proxy_command, agent, ..config }
}

fn positive(value: &str) -> Option<Duration> {
    value.parse().ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

/// Replaces `~/` and the `%` tokens (ssh_config(5), TOKENS) that make sense before a connection.
fn expand(text: &str, config: &Config, original: &str, home: &Path) -> String {
    let text = text.strip_prefix("~/").map_or_else(|| text.to_string(), |rest| home.join(rest).display().to_string());
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            out.push(char);
            continue;
        }
        match chars.next() {
            Some('%') => out.push('%'),
            Some('h') => out.push_str(&config.hostname),
            Some('n') => out.push_str(original),
            Some('p') => out.push_str(&config.port.to_string()),
            Some('r') => out.push_str(&config.user),
            Some('k') => out.push_str(config.host_key_alias.as_deref().unwrap_or(original)),
            Some('d') => out.push_str(&home.display().to_string()),
            Some('u') => {
                out.push_str(&nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map_or_else(String::new, |user| user.name))
            }
            Some('i') => out.push_str(&nix::unistd::getuid().to_string()),
            Some(other) => out.extend(['%', other]),
            None => out.push('%'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_prints_is_read() {
        let text = "user deploy\nhostname 10.0.0.5\nport 2201\nidentityfile ~/.ssh/id_%h_%r\nidentityfile none\nidentitiesonly yes\nidentityagent none\n\
                    proxycommand nc -X 5 %h %p 100%%\nuserknownhostsfile /a/b ~/c\nstricthostkeychecking true\nhashknownhosts yes\nconnecttimeout none\n\
                    serveraliveinterval 7\nserveralivecountmax 9\npreferredauthentications publickey,password\nkbdinteractiveauthentication yes\npasswordauthentication no\n";
        let config = parse(text, "web01", Path::new("/home/me"));
        assert_eq!((config.hostname.as_str(), config.user.as_str(), config.port), ("10.0.0.5", "deploy", 2201));
        assert_eq!(config.identity_files, [PathBuf::from("/home/me/.ssh/id_10.0.0.5_deploy")]);
        assert_eq!(config.proxy_command.as_deref(), Some("nc -X 5 10.0.0.5 2201 100%"));
        assert_eq!(config.user_known_hosts, [PathBuf::from("/a/b"), PathBuf::from("/home/me/c")]);
        assert!(config.strict && config.identities_only && config.hash_known_hosts && config.agent == Agent::None);
        assert_eq!((config.connect_timeout.as_secs(), config.alive_interval.as_secs(), config.alive_count), (10, 7, 9));
        assert_eq!((config.public_key, config.keyboard_interactive, config.password), (true, false, false));
    }

    #[tokio::test]
    async fn the_real_ssh_resolves_and_our_keys_win() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        std::fs::write(
            &file,
            "Host web*\n HostName %h.example\n User deploy\n Port 2222\n ProxyJump me@gate:2200,inner\nHost other\n ProxyCommand cat %n\n",
        )
        .unwrap();
        let config = resolve(Some(&file), "web01", None, None).await.unwrap();
        assert_eq!((config.hostname.as_str(), config.user.as_str(), config.port), ("web01.example", "deploy", 2222));
        assert_eq!(config.proxy_jump.as_deref(), Some("me@gate:2200,inner"));
        let config = resolve(Some(&file), "web01", Some(9), Some("root")).await.unwrap();
        assert_eq!((config.user.as_str(), config.port), ("root", 9));
        assert_eq!(resolve(Some(&file), "other", None, None).await.unwrap().proxy_command.as_deref(), Some("cat other"));
        assert!(resolve(None, "-oProxyCommand=touch x", None, None).await.is_err());
        std::fs::write(&file, "Nonsense yes\n").unwrap();
        assert!(resolve(Some(&file), "x", None, None).await.unwrap_err().line().to_lowercase().contains("nonsense"));
    }
}
