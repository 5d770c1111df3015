//! Logging in: the agent's keys and certificates, key files, keyboard-interactive and passwords, in OpenSSH's order.

use super::config::{Agent, Config};
use super::connection::{Session, login_fault};
use crate::hosts::prompt::{self, Prompt, Question};
use crate::model::{Fault, Result};
use russh::client::{AuthResult, KeyboardInteractiveAuthResponse as Interactive};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::{AgentClient, AgentStream};
use russh::keys::{Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey};
use russh::{AgentAuthError, MethodKind, MethodSet};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;

/// How often a wrong password or passphrase may be typed again (`NumberOfPasswordPrompts`).
const TRIES: usize = 3;

/// Keys from files whose passphrase was typed, kept while the process lives so that each is asked for once.
#[derive(Default)]
pub struct Keyring(Mutex<HashMap<PathBuf, Arc<PrivateKey>>>);

type AnyAgent = AgentClient<Box<dyn AgentStream + Send + Unpin>>;

/// One login under way.
struct Login<'a> {
    host: &'a str,
    config: &'a Config,
    prompt: &'a dyn Prompt,
    keyring: &'a Keyring,
    session: &'a mut Session,
    /// What was offered, for the fault.
    tried: Vec<String>,
    /// The fault of a question that nobody answered.
    unasked: Option<Fault>,
    methods: MethodSet,
    rsa: Option<Option<HashAlg>>,
}

/// Logs in, or says what was tried. `host` is the name for faults and questions.
pub async fn login(host: &str, config: &Config, prompt: &dyn Prompt, keyring: &Keyring, session: &mut Session) -> Result<()> {
    let methods = match session.authenticate_none(config.user.clone()).await.map_err(|error| login_fault(host, &error))? {
        AuthResult::Success => return Ok(()),
        AuthResult::Failure { remaining_methods, .. } => remaining_methods,
    };
    let mut login = Login { host, config, prompt, keyring, session, tried: Vec::new(), unasked: None, methods, rsa: None };
    // A server may want several methods one after the other; each partial success opens the next round.
    for _ in 0..4 {
        if login.round().await? {
            return Ok(());
        }
        if !login.partial() {
            break;
        }
    }
    if let Some(fault) = login.unasked {
        return Err(fault);
    }
    login.tried.retain(|tried| tried != PARTIAL);
    let tried = if login.tried.is_empty() { "nothing to offer".to_string() } else { login.tried.join(", ") };
    let methods: Vec<String> = login.methods.iter().map(String::from).collect();
    let what = format!("login as {} was refused; tried: {tried}; the host takes: {}", config.user, methods.join(", "));
    Err(Fault::unreachable(what).on(host).next("log in once with ssh -v, which says which key it wants"))
}

const PARTIAL: &str = "(partial success)";

impl Login<'_> {
    fn offers(&self, method: MethodKind) -> bool {
        self.methods.contains(&method)
    }

    /// One round over all methods: whether we are in.
    async fn round(&mut self) -> Result<bool> {
        self.tried.retain(|tried| tried != PARTIAL);
        if self.config.public_key && self.offers(MethodKind::PublicKey) && self.keys().await? {
            return Ok(true);
        }
        if self.partial() {
            return Ok(false);
        }
        if self.config.keyboard_interactive && self.offers(MethodKind::KeyboardInteractive) && self.interactive().await? {
            return Ok(true);
        }
        if self.partial() {
            return Ok(false);
        }
        Ok(self.config.password && self.offers(MethodKind::Password) && self.password().await?)
    }

    fn partial(&self) -> bool {
        self.tried.last().is_some_and(|last| last == PARTIAL)
    }

    fn judge(&mut self, what: &str, result: AuthResult) -> bool {
        match result {
            AuthResult::Success => true,
            AuthResult::Failure { remaining_methods, partial_success } => {
                self.tried.push(what.to_string());
                if partial_success {
                    self.methods = remaining_methods;
                    self.tried.push(PARTIAL.to_string());
                }
                false
            }
        }
    }

    async fn keys(&mut self) -> Result<bool> {
        let files: Vec<Candidate> = self.config.identity_files.iter().filter_map(|file| Candidate::read(file)).collect();
        let mut agent = self.agent().await;
        let mut held: Vec<AgentIdentity> = match agent.as_mut() {
            Some(agent) => agent.request_identities().await.unwrap_or_default(),
            None => Vec::new(),
        };
        let named = |identity: &AgentIdentity| files.iter().any(|file| file.public.as_ref().is_some_and(|public| same(public, identity)));
        if self.config.identities_only {
            held.retain(named);
        }
        // The keys that the configuration names come first: a server counts wrong ones.
        held.sort_by_key(|identity| !named(identity));
        if let Some(agent) = agent.as_mut() {
            for identity in &held {
                if self.agent_key(agent, identity).await? {
                    return Ok(true);
                }
                if self.partial() {
                    return Ok(false);
                }
            }
        }
        for file in files.iter().filter(|file| file.usable()) {
            if file.public.as_ref().is_some_and(|public| held.iter().any(|identity| same(public, identity))) {
                continue;
            }
            if self.key_file(file).await? {
                return Ok(true);
            }
            if self.partial() {
                return Ok(false);
            }
        }
        Ok(false)
    }

    async fn agent(&self) -> Option<AnyAgent> {
        let path = match &self.config.agent {
            Agent::None => return None,
            Agent::Socket(path) => path.clone(),
            Agent::Environment => PathBuf::from(std::env::var_os("SSH_AUTH_SOCK")?),
        };
        let mut agent = AgentClient::connect_uds(path).await.ok()?.dynamic();
        if let Some(binding) = self.session.agent_session_binding() {
            // Only agents with destination-constrained keys need it; others answer that they do not know it.
            drop(agent.bind_session(binding, false).await);
        }
        Some(agent)
    }

    async fn rsa_hash(&mut self, rsa: bool) -> Option<HashAlg> {
        if !rsa {
            return None;
        }
        if self.rsa.is_none() {
            // A server that does not say what it takes is offered SHA-2 all the same: SHA-1 is never used.
            let best = self.session.best_supported_rsa_hash().await.ok().flatten().flatten();
            self.rsa = Some(best.or(Some(HashAlg::Sha512)));
        }
        self.rsa.flatten()
    }

    async fn agent_key(&mut self, agent: &mut AnyAgent, identity: &AgentIdentity) -> Result<bool> {
        let user = self.config.user.clone();
        let (what, result) = match identity {
            AgentIdentity::PublicKey { key, .. } => {
                let hash = self.rsa_hash(key.algorithm().is_rsa()).await;
                let what = format!("agent key {}", key.fingerprint(HashAlg::Sha256));
                (what, self.session.authenticate_publickey_with(user, key.clone(), hash, agent).await)
            }
            AgentIdentity::Certificate { certificate, .. } => {
                let hash = self.rsa_hash(certificate.algorithm().is_rsa()).await;
                let what = format!("agent certificate {}", certificate.key_id());
                (what, self.session.authenticate_certificate_with(user, certificate.clone(), hash, agent).await)
            }
        };
        match result {
            Ok(result) => Ok(self.judge(&what, result)),
            Err(error) if self.session.is_closed() => Err(self.closed(&error.to_string())),
            Err(error) => {
                self.tried.push(format!("{what} (the agent: {error})"));
                Ok(false)
            }
        }
    }

    async fn key_file(&mut self, file: &Candidate) -> Result<bool> {
        let what = format!("key {}", file.path.display());
        let certificates = self.certificates(file);
        let key = match &file.key {
            Some(key) => key.clone(),
            None => match self.unlock(file).await? {
                Some(key) => key,
                None => return Ok(false),
            },
        };
        let user = self.config.user.clone();
        for certificate in certificates {
            let name = format!("certificate {} of {}", certificate.key_id(), file.path.display());
            let result = self.session.authenticate_openssh_cert(user.clone(), key.clone(), certificate).await;
            let result = result.map_err(|error| self.closed(&error.to_string()))?;
            if self.judge(&name, result) {
                return Ok(true);
            }
        }
        let hash = self.rsa_hash(key.algorithm().is_rsa()).await;
        let result = self.session.authenticate_publickey(user, PrivateKeyWithHashAlg::new(key, hash)).await;
        let result = result.map_err(|error| self.closed(&error.to_string()))?;
        Ok(self.judge(&what, result))
    }

    fn certificates(&self, file: &Candidate) -> Vec<Certificate> {
        let beside = PathBuf::from(format!("{}-cert.pub", file.path.display()));
        let all = self.config.certificate_files.iter().chain([&beside]);
        let read = all.filter_map(|path| russh::keys::load_openssh_certificate(path).ok());
        read.filter(|certificate| file.public.as_ref().is_none_or(|public| public.key_data() == certificate.public_key())).collect()
    }

    /// The key of an encrypted file, its passphrase asked for; but only when the host says that it would take the key.
    async fn unlock(&mut self, file: &Candidate) -> Result<Option<Arc<PrivateKey>>> {
        if let Some(public) = &file.public {
            let hash = self.rsa_hash(public.algorithm().is_rsa()).await;
            let mut probe = Probe(false);
            let result = self.session.authenticate_publickey_with(self.config.user.clone(), public.clone(), hash, &mut probe).await;
            if !probe.0 && self.certificates(file).is_empty() {
                if let Ok(result) = result {
                    self.judge(&format!("key {}", file.path.display()), result);
                }
                return Ok(None);
            }
        }
        // Held while asking: a hundred hosts that take the same key ask for its passphrase once.
        let mut keys = self.keyring.0.lock().await;
        if let Some(key) = keys.get(&file.path) {
            return Ok(Some(key.clone()));
        }
        for _ in 0..TRIES {
            let question = Question::Passphrase { file: file.path.display().to_string() };
            let passphrase = match prompt::ask(self.prompt, self.host, question).await {
                Ok(passphrase) => passphrase,
                Err(fault) => {
                    self.unasked.get_or_insert(fault);
                    return Ok(None);
                }
            };
            if let Ok(key) = russh::keys::decode_secret_key(&file.text, Some(&passphrase.0)) {
                let key = Arc::new(key);
                keys.insert(file.path.clone(), key.clone());
                return Ok(Some(key));
            }
        }
        self.tried.push(format!("key {} (wrong passphrase)", file.path.display()));
        Ok(None)
    }

    async fn interactive(&mut self) -> Result<bool> {
        for _ in 0..TRIES {
            let mut step = self.session.authenticate_keyboard_interactive_start(self.config.user.clone(), None).await;
            let mut asked = false;
            loop {
                match step.map_err(|error| self.closed(&error.to_string()))? {
                    Interactive::Success => return Ok(true),
                    Interactive::Failure { remaining_methods, partial_success } => {
                        self.judge("keyboard-interactive", AuthResult::Failure { remaining_methods, partial_success });
                        break;
                    }
                    Interactive::InfoRequest { prompts, .. } => {
                        let mut answers = Vec::new();
                        for one in prompts {
                            asked = true;
                            let question =
                                if !one.echo && one.prompt.trim().trim_end_matches(':').to_ascii_lowercase().ends_with("password") {
                                    Question::Password { user: self.config.user.clone(), host: self.host.to_string() }
                                } else {
                                    Question::OneTimeCode { host: self.host.to_string(), text: one.prompt }
                                };
                            match prompt::ask(self.prompt, self.host, question).await {
                                Ok(answer) => answers.push(answer.0),
                                Err(fault) => {
                                    self.unasked.get_or_insert(fault);
                                    return Ok(false);
                                }
                            }
                        }
                        step = self.session.authenticate_keyboard_interactive_respond(answers).await;
                    }
                }
            }
            if !asked || self.partial() {
                return Ok(false);
            }
        }
        Ok(false)
    }

    async fn password(&mut self) -> Result<bool> {
        for _ in 0..TRIES {
            let question = Question::Password { user: self.config.user.clone(), host: self.host.to_string() };
            let answer = match prompt::ask(self.prompt, self.host, question).await {
                Ok(answer) => answer,
                Err(fault) => {
                    self.unasked.get_or_insert(fault);
                    return Ok(false);
                }
            };
            let result = self.session.authenticate_password(self.config.user.clone(), answer.0).await;
            let result = result.map_err(|error| self.closed(&error.to_string()))?;
            if self.judge("password", result) {
                return Ok(true);
            }
            if self.partial() {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// The host hung up during the login.
    fn closed(&self, why: &str) -> Fault {
        let tried: Vec<&str> = self.tried.iter().map(String::as_str).filter(|tried| *tried != PARTIAL).collect();
        let after = if tried.is_empty() { String::new() } else { format!(" after {}", tried.join(", ")) };
        Fault::unreachable(format!("the host hung up during login as {}{after}: {why}", self.config.user))
            .on(self.host)
            .next("set IdentitiesOnly and IdentityFile for it in ssh_config if it counts wrong keys")
    }
}

fn same(public: &PublicKey, identity: &AgentIdentity) -> bool {
    match identity {
        AgentIdentity::PublicKey { key, .. } => key.key_data() == public.key_data(),
        AgentIdentity::Certificate { certificate, .. } => certificate.public_key() == public.key_data(),
    }
}

/// An identity file that exists: unlocked, locked, or only the public half of a key that the agent holds.
struct Candidate {
    path: PathBuf,
    text: String,
    public: Option<PublicKey>,
    key: Option<Arc<PrivateKey>>,
}

impl Candidate {
    fn read(path: &Path) -> Option<Candidate> {
        let beside = russh::keys::load_public_key(format!("{}.pub", path.display())).ok();
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let key = russh::keys::decode_secret_key(&text, None).ok().map(Arc::new);
        let inside = PrivateKey::from_openssh(&text).ok().map(|key| key.public_key().clone());
        let itself = PublicKey::from_openssh(&text).ok();
        let public = key.as_ref().map(|key| key.public_key().clone()).or(inside).or(beside).or(itself);
        (key.is_some() || public.is_some() || text.contains("PRIVATE KEY")).then(|| Candidate {
            path: path.to_path_buf(),
            text,
            public,
            key,
        })
    }
    fn usable(&self) -> bool {
        self.text.contains("PRIVATE KEY")
    }
}

/// Notes that the host would take the key, and signs nothing.
struct Probe(bool);

impl russh::Signer for Probe {
    type Error = AgentAuthError;
    async fn auth_sign(&mut self, _: &AgentIdentity, _: Option<HashAlg>, _: Vec<u8>) -> Result<Vec<u8>, AgentAuthError> {
        self.0 = true;
        Err(AgentAuthError::Key(russh::keys::Error::AgentFailure))
    }
}
