//! One SSH connection: dialled straight, through jump hosts or a ProxyCommand; the host's key checked; logged in.

use super::auth::{self, Keyring};
use super::config::{self, Config};
use super::known_hosts::{self, Key, KnownHosts, Verdict};
use crate::hosts::kept::Kept;
use crate::hosts::link::Stream;
use crate::hosts::local::{Group, session as command};
use crate::hosts::prompt::{self, Prompt, Question};
use crate::model::{Fault, Result};
use russh::client::{self, Handle};
use russh::keys::{Algorithm, PublicKey, PublicKeyBase64, PublicKeyOrCertificate};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex as PlainMutex};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore};

/// The library's handle, with our key check.
pub type Session = Handle<Checker>;

/// Handshakes at once: in all, and through one jump host (sshd's MaxStartups drops more than 10).
const HANDSHAKES: usize = 32;
const HANDSHAKES_PER_JUMP: usize = 8;
/// Session channels at once on one connection: sshd's default MaxSessions.
pub const SESSIONS: usize = 10;

/// What to do about a host that does not answer.
pub const LOOK: &str = "see that it runs and that the network leads there";

/// A connection that is logged in.
pub struct Connection {
    pub session: Session,
    /// The login name, for questions.
    pub user: String,
    pub sessions: Arc<Semaphore>,
    /// The jump host's connection that carries this one.
    _via: Option<Arc<Connection>>,
}

impl Connection {
    /// Whether it can no longer be used.
    pub fn dead(&self) -> bool {
        self.session.is_closed()
    }
    /// Says goodbye.
    pub async fn close(&self) {
        drop(self.session.disconnect(russh::Disconnect::ByApplication, "", "").await);
    }
}

type Slot = Arc<Mutex<Option<Arc<Connection>>>>;
/// Address, port and user as they were asked for.
type Asked = (String, Option<u16>, Option<String>);

/// Makes connections, and shares those to jump hosts.
pub struct Dialer {
    config_file: Option<PathBuf>,
    prompt: Arc<dyn Prompt>,
    keyring: Keyring,
    jumps: Mutex<HashMap<String, (Slot, Arc<Semaphore>)>>,
    handshakes: Semaphore,
    /// Keys accepted in this process, for those whose file keeps nothing (`/dev/null`).
    accepted: PlainMutex<HashSet<(String, Vec<u8>)>>,
    /// `HostName` by address, port and user, asked of ssh once.
    names: PlainMutex<HashMap<Asked, String>>,
}

impl Dialer {
    /// `config_file` as `ssh -F`.
    pub fn new(config_file: Option<PathBuf>, prompt: Arc<dyn Prompt>) -> Dialer {
        Dialer {
            config_file,
            prompt,
            keyring: Keyring::default(),
            jumps: Mutex::default(),
            handshakes: Semaphore::new(HANDSHAKES),
            accepted: PlainMutex::default(),
            names: PlainMutex::default(),
        }
    }

    /// The prompt layer.
    pub fn prompt(&self) -> &dyn Prompt {
        self.prompt.as_ref()
    }

    /// Connects and logs in. `name` is the host's name for faults; `port` and `user` win over ssh_config.
    pub async fn dial(&self, name: &str, address: &str, port: Option<u16>, user: Option<&str>) -> Result<Arc<Connection>> {
        let config = config::resolve(self.config_file.as_deref(), address, port, user).await.map_err(|fault| fault.on(name))?;
        let jumps = config.proxy_jump.clone();
        self.open(name, &config, jumps.as_deref()).await
    }

    /// What ssh_config makes of an address (`HostName`); does not connect.
    pub async fn host_name(&self, address: &str, port: Option<u16>, user: Option<&str>) -> Result<String> {
        let key = (address.to_string(), port, user.map(str::to_string));
        let known = self.names.lock().ok().and_then(|names| names.get(&key).cloned());
        if let Some(name) = known {
            return Ok(name);
        }
        let name = config::resolve(self.config_file.as_deref(), address, port, user).await?.hostname;
        if let Ok(mut names) = self.names.lock() {
            names.insert(key, name.clone());
        }
        Ok(name)
    }

    /// Says goodbye on every jump host's connection.
    pub async fn close(&self) {
        for (slot, _) in self.jumps.lock().await.drain().map(|(_, jump)| jump) {
            if let Some(connection) = slot.lock().await.take() {
                connection.close().await;
            }
        }
    }

    async fn open(&self, name: &str, config: &Config, jumps: Option<&str>) -> Result<Arc<Connection>> {
        let via = match jumps {
            Some(jumps) => Some(Box::pin(self.jump(name, jumps)).await?),
            None => None,
        };
        let turns = via.as_ref().map(|(_, turns)| turns.clone());
        let via = via.map(|(connection, _)| connection);
        // Once more after an unknown key was accepted: nothing is asked while a host waits in its handshake.
        for again in [true, false] {
            let _turn = match &turns {
                Some(turns) => Some(turns.acquire().await),
                None => None,
            };
            let _permit = self.handshakes.acquire().await;
            let mut session = match self.shake(name, config, via.as_deref()).await {
                Ok(session) => session,
                Err(Refusal::Unknown(key)) if again => {
                    drop((_turn, _permit));
                    self.accept(name, config, &key).await?;
                    continue;
                }
                Err(refusal) => return Err(fault_of(name, config, refusal)),
            };
            auth::login(name, config, self.prompt.as_ref(), &self.keyring, &mut session).await?;
            let sessions = Arc::new(Semaphore::new(SESSIONS));
            return Ok(Arc::new(Connection { session, user: config.user.clone(), sessions, _via: via }));
        }
        Err(Fault::refused("its host key is still unknown after it was accepted").on(name))
    }

    /// The shared connection to the last of `jumps` (`[user@]host[:port],…`), and its turns.
    async fn jump(&self, name: &str, jumps: &str) -> Result<(Arc<Connection>, Arc<Semaphore>)> {
        let (before, last) = jumps.rsplit_once(',').map_or((None, jumps), |(before, last)| (Some(before), last));
        let (slot, turns) = self
            .jumps
            .lock()
            .await
            .entry(jumps.to_string())
            .or_insert_with(|| (Slot::default(), Arc::new(Semaphore::new(HANDSHAKES_PER_JUMP))))
            .clone();
        let mut live = slot.lock().await;
        if let Some(connection) = live.as_ref().filter(|connection| !connection.dead()) {
            return Ok((connection.clone(), turns));
        }
        let (user, host, port) =
            split_hop(last).ok_or_else(|| Fault::bad(format!("ProxyJump {last:?} is not [user@]host[:port]")).on(name))?;
        let config = config::resolve(self.config_file.as_deref(), host, port, user).await?;
        // The jumps named before this one take the place of its own ProxyJump, as with ssh -J.
        let own = config.proxy_jump.clone();
        let opened = self.open(host, &config, before.or(own.as_deref())).await;
        let connection = opened.map_err(|fault| Fault {
            what: format!("its jump host {host}: {}", fault.what),
            host: Some(name.to_string()),
            ..fault
        })?;
        *live = Some(connection.clone());
        Ok((connection, turns))
    }

    async fn accept(&self, name: &str, config: &Config, key: &Key) -> Result<()> {
        let file = config.user_known_hosts.first().cloned().unwrap_or_else(|| PathBuf::from("/dev/null"));
        let lookup = lookup(config);
        if config.strict {
            return Err(Fault::refused(format!("its host key {} is not known, and StrictHostKeyChecking is yes", key.fingerprint()))
                .on(name)
                .next(format!("check the key, then put it into {}", file.display())));
        }
        let question = Question::HostKey { host: name.to_string(), fingerprint: key.fingerprint(), file: file.display().to_string() };
        if prompt::ask(self.prompt.as_ref(), name, question).await?.0 != "yes" {
            return Err(Fault::refused(format!("the unknown host key {} was not accepted", key.fingerprint())).on(name));
        }
        if let Ok(mut accepted) = self.accepted.lock() {
            accepted.insert((lookup.clone(), key.blob.clone()));
        }
        known_hosts::append(&file, &lookup, key, config.hash_known_hosts).map_err(|fault| fault.on(name))
    }

    /// Transport, key exchange and the check of the host's key, within the connect timeout.
    async fn shake(&self, name: &str, config: &Config, via: Option<&Connection>) -> Result<Session, Refusal> {
        let files: Vec<PathBuf> = config.user_known_hosts.iter().chain(&config.global_known_hosts).cloned().collect();
        let known = KnownHosts::read(&files).map_err(Refusal::Fault)?;
        let lookup = lookup(config);
        let accepted =
            self.accepted.lock().map(|all| all.iter().filter(|(host, _)| *host == lookup).map(|(_, blob)| blob.clone()).collect());
        let preferred = preferred(&known, &lookup);
        let checker =
            Checker { name: name.to_string(), hostname: config.hostname.clone(), lookup, known, accepted: accepted.unwrap_or_default() };
        let settings = client::Config {
            nodelay: true,
            keepalive_interval: Some(config.alive_interval),
            keepalive_max: config.alive_count,
            window_size: 16 << 20,
            preferred,
            ..client::Config::default()
        };
        let work = async {
            let stream = transport(config, via).await.map_err(Refusal::Fault)?;
            client::connect_stream(Arc::new(settings), stream, checker).await
        };
        tokio::time::timeout(config.connect_timeout, work).await.map_err(|_| Refusal::Slow)?
    }
}

fn lookup(config: &Config) -> String {
    known_hosts::lookup_name(&config.hostname, config.port, config.host_key_alias.as_deref())
}

/// `[user@]host[:port]`, also as `ssh://…` and with an IPv6 address in brackets.
fn split_hop(hop: &str) -> Option<(Option<&str>, &str, Option<u16>)> {
    let hop = hop.trim().trim_start_matches("ssh://").trim_end_matches('/');
    let (user, place) = hop.rsplit_once('@').map_or((None, hop), |(user, place)| (Some(user), place));
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None if place.matches(':').count() == 1 => place.split_once(':').map(|(host, port)| (host, Some(port)))?,
        None => (place, None),
    };
    let port = port.map(str::parse).transpose().ok()?;
    (!host.is_empty()).then_some((user, host, port))
}

/// The byte stream that SSH runs over.
async fn transport(config: &Config, via: Option<&Connection>) -> Result<Box<dyn Stream>> {
    let place = format!("{}:{}", config.hostname, config.port);
    if let Some(jump) = via {
        let channel = jump.session.channel_open_direct_tcpip(config.hostname.clone(), config.port.into(), "127.0.0.1", 0).await;
        let channel = channel.map_err(|error| Fault::unreachable(format!("its jump host cannot reach {place}: {error}")))?;
        return Ok(Box::new(channel.into_stream()));
    }
    if let Some(line) = &config.proxy_command {
        // As OpenSSH runs it: by the user's shell; in its own session, and ended with the connection.
        let shell = std::env::var("SHELL").unwrap_or_else(|_| "/bin/sh".to_string());
        let line = format!("exec {line}");
        let mut child = command(&[&shell, "-c", &line])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Fault::unreachable(format!("its ProxyCommand does not start: {error}")))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Fault::unreachable("its ProxyCommand has no input and output"));
        };
        return Ok(Box::new(Kept::new(tokio::io::join(stdout, stdin), Group::new(child))));
    }
    let stream = TcpStream::connect((config.hostname.as_str(), config.port)).await;
    let stream = stream.map_err(|error| Fault::unreachable(format!("{place} does not answer: {error}")).next(LOOK))?;
    drop(stream.set_nodelay(true));
    Ok(Box::new(stream))
}

/// The types of the recorded keys first, so that a host is asked for the key that is known.
fn preferred(known: &KnownHosts, lookup: &str) -> russh::Preferred {
    let kinds = known.kinds(lookup);
    let recorded = |algorithm: &Algorithm| match algorithm {
        Algorithm::Rsa { .. } => kinds.iter().any(|kind| kind == "ssh-rsa"),
        other => kinds.iter().any(|kind| kind == other.as_str()),
    };
    let mut key = russh::Preferred::DEFAULT.key.into_owned();
    key.sort_by_key(|algorithm| !recorded(algorithm));
    let certificates = if known.authorities(lookup).is_empty() { Vec::new() } else { key.clone() };
    // AES in hardware costs a host a fraction of ChaCha20; where a host does not offer it, the order goes on as it was.
    let mut cipher = russh::Preferred::DEFAULT.cipher.into_owned();
    cipher.sort_by_key(|name| *name != russh::cipher::AES_256_GCM);
    russh::Preferred { key: key.into(), host_key_certificates: certificates.into(), cipher: cipher.into(), ..russh::Preferred::DEFAULT }
}

/// Why there is no session.
#[derive(Debug)]
pub enum Refusal {
    Ssh(russh::Error),
    Unknown(Key),
    Fault(Fault),
    Slow,
}

impl From<russh::Error> for Refusal {
    fn from(error: russh::Error) -> Refusal {
        Refusal::Ssh(error)
    }
}

fn fault_of(name: &str, config: &Config, refusal: Refusal) -> Fault {
    let place = format!("{}:{}", config.hostname, config.port);
    match refusal {
        Refusal::Fault(fault) => fault.on(name),
        Refusal::Ssh(error) => Fault::unreachable(format!("no SSH with {place}: {error}")).on(name).next(LOOK),
        Refusal::Unknown(key) => {
            Fault::refused(format!("its host key {} is still unknown after it was accepted", key.fingerprint())).on(name)
        }
        Refusal::Slow => {
            let limit = humantime::format_duration(Duration::from_secs(config.connect_timeout.as_secs()));
            Fault::unreachable(format!("{place} does not answer within {limit}")).on(name).next(LOOK)
        }
    }
}

/// A library error during login, as a fault.
pub fn login_fault(host: &str, error: &russh::Error) -> Fault {
    Fault::unreachable(format!("the connection was lost during login: {error}")).on(host)
}

/// Checks the key that a host sends.
pub struct Checker {
    name: String,
    hostname: String,
    lookup: String,
    known: KnownHosts,
    accepted: Vec<Vec<u8>>,
}

impl client::Handler for Checker {
    type Error = Refusal;

    async fn check_server_key(&mut self, sent: &PublicKeyOrCertificate) -> Result<bool, Refusal> {
        match sent {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.key(key),
            PublicKeyOrCertificate::Certificate(certificate) => self.certificate(certificate),
        }
    }

    // A host may open nothing towards us.
    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: russh::Channel<client::Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: client::ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Refusal> {
        Ok(())
    }
    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: russh::Channel<client::Msg>,
        _: &str,
        _: client::ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Refusal> {
        Ok(())
    }
    async fn server_channel_open_agent_forward(
        &mut self,
        _: russh::Channel<client::Msg>,
        _: client::ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Refusal> {
        Ok(())
    }
}

impl Checker {
    fn key(&self, key: &PublicKey) -> Result<bool, Refusal> {
        let kind = key.algorithm();
        let kind = if matches!(kind, Algorithm::Rsa { .. }) { "ssh-rsa" } else { kind.as_str() };
        let key = Key { kind: kind.to_string(), blob: key.public_key_bytes() };
        let refused = |fault: Fault| Err(Refusal::Fault(fault.on(&self.name)));
        match self.known.judge(&self.lookup, &key) {
            Verdict::Known => Ok(true),
            Verdict::Unknown if self.accepted.contains(&key.blob) => Ok(true),
            Verdict::Unknown => Err(Refusal::Unknown(key)),
            Verdict::Revoked(at) => {
                refused(Fault::refused(format!("its host key {} is revoked by {}:{}", key.fingerprint(), at.file.display(), at.line)))
            }
            Verdict::Changed(recorded) => {
                let known: Vec<String> =
                    recorded.iter().map(|at| format!("{} ({}:{})", at.key.fingerprint(), at.file.display(), at.line)).collect();
                let what = format!(
                    "its host key CHANGED: it sent {}, but {} was known. Someone may be in between",
                    key.fingerprint(),
                    known.join(", ")
                );
                let file = recorded.first().map(|at| at.file.display().to_string()).unwrap_or_default();
                let next = format!(
                    "if the host was really made anew: ssh-keygen -f {} -R {}",
                    crate::model::quote::quote(&file),
                    crate::model::quote::quote(&self.lookup)
                );
                refused(Fault::refused(what).next(next))
            }
        }
    }

    /// A host certificate holds when an authority for this host signed it, for this name, for now (sshd(8), PROTOCOL.certkeys).
    fn certificate(&self, certificate: &russh::keys::Certificate) -> Result<bool, Refusal> {
        let authorities = self.known.authorities(&self.lookup);
        let signer = PublicKey::from(certificate.signature_key().clone());
        let blob = signer.public_key_bytes();
        let trusted = authorities.iter().any(|key| key.blob == blob);
        let named = certificate.valid_principals().iter().any(|name| known_hosts::wildcard(name, &self.hostname) || *name == self.lookup);
        let fingerprint = signer.fingerprint(russh::keys::HashAlg::Sha256);
        let valid =
            certificate.cert_type() == russh::keys::ssh_key::certificate::CertType::Host && certificate.validate([&fingerprint]).is_ok();
        if trusted && named && valid && certificate.critical_options().is_empty() {
            return Ok(true);
        }
        let why = if !trusted {
            "no @cert-authority line has its signer"
        } else if !named {
            "it is for another name"
        } else {
            "it is not valid now"
        };
        Err(Refusal::Fault(
            Fault::refused(format!("its host certificate \"{}\" does not hold: {why}", certificate.key_id())).on(&self.name),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_read() {
        assert_eq!(split_hop("me@gate:2200"), Some((Some("me"), "gate", Some(2200))));
        assert_eq!(split_hop("ssh://a@b@gate/"), Some((Some("a@b"), "gate", None)));
        assert_eq!(split_hop("[::1]:22"), Some((None, "::1", Some(22))));
        assert_eq!(split_hop("fe80::1"), Some((None, "fe80::1", None)));
        assert_eq!(split_hop("gate:x"), None);
        assert_eq!(split_hop(""), None);
    }
}
