//! The console's prompt layer: what hosts ask (passphrases, codes, unknown keys, sudo passwords) comes up over the screen.

use crate::deck::{Prompt, Question, Secret};
use async_trait::async_trait;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// One question on its way to the screen, and where its answer goes.
pub struct Asked {
    pub question: Question,
    pub answer: oneshot::Sender<Option<Secret>>,
}

/// Questions as the console's loop takes them.
pub type Questions = mpsc::UnboundedReceiver<Asked>;

/// Asks on the screen; when the screen is gone there is no answer.
struct ScreenPrompt(mpsc::UnboundedSender<Asked>);

/// A prompt for the deck, and its questions for the console.
pub fn prompt() -> (Arc<dyn Prompt>, Questions) {
    let (sender, questions) = mpsc::unbounded_channel();
    (Arc::new(ScreenPrompt(sender)), questions)
}

#[async_trait]
impl Prompt for ScreenPrompt {
    async fn ask(&self, question: Question) -> Option<Secret> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Asked { question, answer }).ok()?;
        answered.await.ok().flatten()
    }
    fn why_not(&self) -> &'static str {
        "it was not answered"
    }
}

/// What is asked, as lines for the screen.
pub fn lines(question: &Question) -> Vec<String> {
    match question {
        Question::Passphrase { file } => vec![format!("Passphrase of {file}")],
        Question::Password { user, host } => vec![format!("Password of {user} on {host}")],
        Question::OneTimeCode { host, text } => vec![format!("{host} asks: {text}")],
        Question::HostKey { host, fingerprint, file } => {
            vec![format!("The host key of {host} is not known."), fingerprint.clone(), format!("Compare it; yes keeps it in {file}.")]
        }
        Question::SudoPassword { user, host } => vec![format!("sudo password of {user} on {host}")],
    }
}
