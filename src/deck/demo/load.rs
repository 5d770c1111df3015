//! Requests through the balancer all the time, counted: what was answered, what was retried as RFC 9112 9.3.1 allows, what failed.

use crate::model::{Fault, Result as Outcome};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Running totals.
#[derive(Debug, Default)]
struct Counts {
    answered: AtomicU64,
    /// Sent once more because a *reused* connection closed before any byte of the answer.
    retried: AtomicU64,
    failed: AtomicU64,
    stop: AtomicBool,
    /// Versions of the shop that may answer now.
    allowed: Mutex<Vec<String>>,
    first_failure: Mutex<Option<String>>,
}

/// A few clients that ask again and again, each over its own kept connection.
pub struct Load {
    counts: Arc<Counts>,
    tasks: Vec<JoinHandle<()>>,
}

/// What became of all requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub answered: u64,
    pub retried: u64,
    pub failed: u64,
    pub first_failure: Option<String>,
}

impl Load {
    /// Starts `clients` that request `url` with a short pause between. An answer of another version than `version` has failed.
    pub fn start(url: &str, clients: usize, version: &str) -> Load {
        Load::of(url, clients, version, true)
    }

    /// The same with `Connection: close`: each request over a connection of its own, and none is ever sent twice.
    pub fn start_closing(url: &str, clients: usize, version: &str) -> Load {
        Load::of(url, clients, version, false)
    }

    fn of(url: &str, clients: usize, version: &str, keep: bool) -> Load {
        let counts = Arc::new(Counts { allowed: Mutex::new(vec![version.to_string()]), ..Counts::default() });
        let tasks = (0..clients)
            .map(|_| {
                let (counts, url) = (Arc::clone(&counts), url.to_string());
                tokio::spawn(async move {
                    let mut client = Client::new(keep);
                    while !counts.stop.load(Ordering::Relaxed) {
                        if let Err(failure) = client.ask(&url, &counts).await {
                            locked(&counts.first_failure).get_or_insert(failure);
                            counts.failed.fetch_add(1, Ordering::Relaxed);
                        }
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                })
            })
            .collect();
        Load { counts, tasks }
    }

    /// From now on this version may answer, too.
    pub fn also(&self, version: &str) {
        locked(&self.counts.allowed).push(version.to_string());
    }

    /// Requests that begin from now on may only be answered by this version.
    pub fn only(&self, version: &str) {
        *locked(&self.counts.allowed) = vec![version.to_string()];
    }

    /// Answered, failed.
    pub fn so_far(&self) -> (u64, u64) {
        (self.counts.answered.load(Ordering::Relaxed), self.counts.failed.load(Ordering::Relaxed))
    }

    /// Ends it, when every client has its last answer.
    pub async fn end(self) -> Ended {
        self.counts.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.ok();
        }
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Ended {
            answered: get(&self.counts.answered),
            retried: get(&self.counts.retried),
            failed: get(&self.counts.failed),
            first_failure: locked(&self.counts.first_failure).clone(),
        }
    }
}

/// Asks once, over a new connection.
///
/// # Errors
/// Failed: no answer, or one of another version.
pub async fn ask_once(url: &str, version: &str) -> Outcome<()> {
    let asked = Client::new(true).once(url, &[version.to_string()]).await;
    asked.map_err(|(_, failure)| Fault::failed(format!("{url}: {failure}")))
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One client that keeps its connection, when it is to, and knows whether it was used before.
struct Client {
    client: Option<reqwest::Client>,
    used: bool,
    keep: bool,
}

impl Client {
    fn new(keep: bool) -> Client {
        // reqwest is built without a provider of its own; that one is installed already is no fault.
        rustls::crypto::ring::default_provider().install_default().ok();
        Client { client: None, used: false, keep }
    }

    async fn ask(&mut self, url: &str, counts: &Counts) -> Result<(), String> {
        let allowed = locked(&counts.allowed).clone();
        let first = self.once(url, &allowed).await;
        let again = match first {
            Ok(()) => None,
            Err((true, _)) => Some(()),
            Err((false, failure)) => return Err(failure),
        };
        if again.is_some() {
            counts.retried.fetch_add(1, Ordering::Relaxed);
            *self = Client::new(self.keep);
            self.once(url, &allowed).await.map_err(|(_, failure)| failure)?;
        }
        counts.answered.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Err(may be retried, what happened).
    async fn once(&mut self, url: &str, allowed: &[String]) -> Result<(), (bool, String)> {
        let client = match &self.client {
            Some(client) => client.clone(),
            None => {
                let made = reqwest::Client::builder()
                    .pool_max_idle_per_host(1)
                    .timeout(Duration::from_secs(30))
                    .retry(reqwest::retry::never())
                    .no_proxy()
                    .build()
                    .map_err(|error| (false, error.to_string()))?;
                self.client.insert(made).clone()
            }
        };
        let reused = std::mem::replace(&mut self.used, self.keep);
        let request = if self.keep { client.get(url) } else { client.get(url).header("Connection", "close") };
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let retry = reused && closed_before_any_answer(&error);
                *self = Client::new(self.keep);
                return Err((retry, chain(&error)));
            }
        };
        let status = response.status();
        match response.bytes().await {
            Ok(body) => {
                let body = String::from_utf8_lossy(&body);
                let version = body.lines().find_map(|line| line.strip_prefix("version: ")).unwrap_or_default();
                let right = status.is_success() && allowed.iter().any(|allowed| allowed == version);
                if right {
                    Ok(())
                } else {
                    Err((false, format!("{status}, from {version:?}: {}", body.chars().take(200).collect::<String>())))
                }
            }
            Err(error) => Err((false, chain(&error))),
        }
    }
}

fn closed_before_any_answer(error: &reqwest::Error) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if let Some(http) = cause.downcast_ref::<hyper::Error>() {
            return http.is_incomplete_message() || http.is_canceled() || http.is_closed() || reset(http);
        }
        source = cause.source();
    }
    false
}

/// A reset instead of a close is the same event seen a moment later: the peer had already closed when our request arrived.
fn reset(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    cause.is_some_and(|cause| matches!(cause.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe))
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut all = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        all.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    all
}
