//! The one layer through which a machine asks a person something: passphrases, codes, unknown host keys, sudo passwords.

use crate::model::{Fault, Result};
use async_trait::async_trait;
use tokio::sync::Mutex;

/// What is asked. Texts in it are as a host may have sent them: show them only through [`crate::model::shown`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// The passphrase of a private key file.
    Passphrase { file: String },
    /// The user's password on a host.
    Password { user: String, host: String },
    /// Whatever else a host asks at login (a one-time code, mostly), in its own words.
    OneTimeCode { host: String, text: String },
    /// Whether a key never seen before is the host's; the answer `yes` writes it to `file`.
    HostKey { host: String, fingerprint: String, file: String },
    /// The user's password for `sudo` on a host.
    SudoPassword { user: String, host: String },
}

impl Question {
    /// What is asked for, as the object of "asks for".
    pub fn subject(&self) -> String {
        match self {
            Question::Passphrase { file } => format!("the passphrase of {file}"),
            Question::Password { user, .. } => format!("the password of {user}"),
            Question::OneTimeCode { text, .. } => format!("\"{}\"", text.trim()),
            Question::HostKey { host, fingerprint, .. } => format!("a yes to the unknown host key of {host}, {fingerprint}"),
            Question::SudoPassword { user, .. } => format!("the sudo password of {user}"),
        }
    }
    /// Whether the answer may be seen while it is typed.
    pub fn echo(&self) -> bool {
        matches!(self, Question::HostKey { .. })
    }
}

/// An answer that is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Whoever can be asked: the console's overlay, a terminal, nobody.
#[async_trait]
pub trait Prompt: Send + Sync {
    /// The answer, or `None` when there is none to be had.
    async fn ask(&self, question: Question) -> Option<Secret>;
    /// Why [`Prompt::ask`] gives `None`, for the fault.
    fn why_not(&self) -> &'static str {
        "it was not answered"
    }
}

/// Nobody to ask: cron, CI, a console whose terminal is gone.
pub struct NoPrompt;

#[async_trait]
impl Prompt for NoPrompt {
    async fn ask(&self, _: Question) -> Option<Secret> {
        None
    }
    fn why_not(&self) -> &'static str {
        "no terminal to ask on"
    }
}

/// One question at a time in this process.
static TURN: Mutex<()> = Mutex::const_new(());

/// Asks in turn, for `host`; no answer is a fault that names what was asked.
pub async fn ask(prompt: &dyn Prompt, host: &str, question: Question) -> Result<Secret> {
    let _turn = TURN.lock().await;
    let subject = question.subject();
    let hint = match &question {
        Question::Passphrase { file } => format!("ssh-add {file}, or run this with a terminal"),
        Question::HostKey { .. } => "compare the fingerprint and connect once with ssh, or run this with a terminal".to_string(),
        Question::SudoPassword { user, .. } => format!("allow {user} sudo without a password there, or run this with a terminal"),
        _ => "run this with a terminal, or log in by key".to_string(),
    };
    let answer = prompt.ask(question).await;
    answer.ok_or_else(|| Fault::refused(format!("{host} asks for {subject}; {}", prompt.why_not())).on(host).next(hint))
}
