//! Following a build's log from its beginning to its end.

use super::Deck;
use super::look::LogLine;
use crate::model::release::BuildStatus;
use crate::model::{Fault, Result};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

/// How often a log that is being written is looked at.
const LOOK: Duration = Duration::from_millis(200);

impl Deck {
    /// Lines of a build's log; the channel ends with the build.
    pub async fn follow_build(&self, id: &str) -> Result<mpsc::Receiver<LogLine>> {
        let (sender, receiver) = mpsc::channel(1024);
        let (deck, id) = (self.clone(), id.to_string());
        tokio::spawn(async move {
            if let Err(fault) = deck.copy_log(&id, &sender).await {
                let _ = sender.send(LogLine { at_ms: deck.now_ms(), from: "log".into(), text: fault.line() }).await;
            }
        });
        Ok(receiver)
    }

    async fn copy_log(&self, id: &str, sender: &mpsc::Sender<LogLine>) -> Result<()> {
        let path = self.build_log_path(id);
        let cannot = |error: std::io::Error| Fault::failed(format!("the log {} cannot be read: {error}", path.display()));
        let mut file = None;
        let mut rest: Vec<u8> = Vec::new();
        loop {
            // Asked before the file is read to its end, so that nothing written before the end is missed.
            let going = match self.store.build(id).await? {
                Some(build) => matches!(build.status, BuildStatus::Pending | BuildStatus::Started),
                None => true,
            };
            if file.is_none() {
                file = match tokio::fs::File::open(&path).await {
                    Ok(opened) => Some(opened),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound && going => None,
                    Err(error) => return Err(cannot(error)),
                };
            }
            if let Some(file) = &mut file {
                file.read_to_end(&mut rest).await.map_err(cannot)?;
            }
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                let text = String::from_utf8_lossy(&line).trim_end().to_string();
                if sender.send(LogLine { at_ms: self.now_ms(), from: "build".into(), text }).await.is_err() {
                    return Ok(());
                }
            }
            if !going || sender.is_closed() {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
