//! Following a build's log from its beginning to its end.

use super::Deck;
use super::look::LogLine;
use crate::model::cut::Lines;
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
        let (sender, receiver) = mpsc::channel(256);
        let (deck, id) = (self.clone(), id.to_string());
        tokio::spawn(async move {
            if let Err(fault) = deck.copy_log(&id, &sender).await {
                let _ = sender.send(LogLine { at_ms: deck.now_ms(), from: String::new(), text: fault.line() }).await;
            }
        });
        Ok(receiver)
    }

    async fn copy_log(&self, id: &str, sender: &mpsc::Sender<LogLine>) -> Result<()> {
        let path = self.build_log_path(id);
        let cannot = |error: std::io::Error| Fault::failed(format!("the log {} cannot be read: {error}", path.display()));
        let (mut file, mut lines, mut piece) = (None, Lines::default(), vec![0; 64 << 10]);
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
            while let Some(file) = &mut file {
                let count = file.read(&mut piece).await.map_err(cannot)?;
                if count == 0 {
                    break;
                }
                for text in lines.push(piece.get(..count).unwrap_or_default()) {
                    if sender.send(LogLine { at_ms: self.now_ms(), from: "build".into(), text }).await.is_err() {
                        return Ok(());
                    }
                }
            }
            if !going || sender.is_closed() {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
