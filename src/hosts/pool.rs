//! The links of all hosts, one each, kept and shared.

use super::ssh::{Dialer, Spec, SshLink};
use super::{Link, Local, Prompt};
use crate::model::Result;
use crate::model::entity::{Become, Host, Transport};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Gives links. Cheap to share; connections open at their first use.
pub struct Pool {
    dialer: Arc<Dialer>,
    ssh: Mutex<HashMap<Spec, Arc<SshLink>>>,
    local_env: Vec<(String, String)>,
}

impl Pool {
    /// `ssh_config_file` as `ssh -F`; whatever must be asked goes through `prompt`.
    pub fn new(ssh_config_file: Option<PathBuf>, prompt: Arc<dyn Prompt>) -> Pool {
        Pool { dialer: Arc::new(Dialer::new(ssh_config_file, prompt)), ssh: Mutex::default(), local_env: Vec::new() }
    }

    /// Sets a variable for every command on local hosts (a demo that brought its own Supervisor).
    #[must_use]
    pub fn with_local_env(mut self, key: impl Into<String>, value: impl Into<String>) -> Pool {
        self.local_env.push((key.into(), value.into()));
        self
    }

    /// The link to a host; does not connect. Hosts that are reached the same way share it, and one whose address,
    /// port, user or `become` changed gets a new one.
    pub async fn link(&self, host: &Host) -> Result<Arc<dyn Link>> {
        if host.transport == Transport::Local {
            let local = self.local_env.iter().fold(Local::new(&host.name), |local, (key, value)| local.with_env(key, value));
            return Ok(Arc::new(local));
        }
        Ok(self.over_ssh(host).await)
    }

    /// Opens the connection of a host now, so that its questions are asked before anything is done. Local hosts: nothing.
    pub async fn connect(&self, host: &Host) -> Result<()> {
        match host.transport {
            Transport::Local => Ok(()),
            Transport::Ssh => self.over_ssh(host).await.connect().await,
        }
    }

    /// The address under which balancers and uptests reach the host: what ssh_config makes of its name; 127.0.0.1 for this machine.
    pub async fn address(&self, host: &Host) -> Result<String> {
        match host.transport {
            Transport::Local => Ok("127.0.0.1".into()),
            Transport::Ssh => self.dialer.host_name(&host.address, host.port, host.user.as_deref()).await,
        }
    }

    async fn over_ssh(&self, host: &Host) -> Arc<SshLink> {
        let address = if host.address.is_empty() { host.name.clone() } else { host.address.clone() };
        let sudo = host.become_ == Become::Sudo;
        let spec = Spec { name: host.name.clone(), address, port: host.port, user: host.user.clone(), sudo };
        let mut links = self.ssh.lock().await;
        links.entry(spec.clone()).or_insert_with(|| Arc::new(SshLink::new(spec, self.dialer.clone()))).clone()
    }

    /// Closes every connection. Links stay usable; they connect anew.
    pub async fn close(&self) {
        let links: Vec<Arc<SshLink>> = self.ssh.lock().await.drain().map(|(_, link)| link).collect();
        for link in links {
            link.close().await;
        }
        self.dialer.close().await;
    }
}
