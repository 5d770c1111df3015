//! Text through the operator's own `$EDITOR`, in a private file that is removed afterwards.

use crate::model::{Fault, Result};
use std::io::Write;

/// The edited text; none when it is the same. The caller has released the terminal.
///
/// # Errors
/// The editor could not be started or failed, or its file cannot be read.
pub async fn edit(text: &str) -> Result<Option<String>> {
    let command = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))
        .unwrap_or_else(|| "vi".into());
    let mut words = command.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let wrong = |what: String| Fault::failed(format!("{program}: {what}")).next("set EDITOR to an editor that waits until you are done");
    // tempfile makes it 0600, and removes it on drop.
    let mut file = tempfile::Builder::new().prefix("swarmdeck-").suffix(".yaml").tempfile().map_err(|error| wrong(error.to_string()))?;
    file.write_all(text.as_bytes()).and_then(|()| file.flush()).map_err(|error| wrong(error.to_string()))?;
    let status =
        tokio::process::Command::new(program).args(words).arg(file.path()).status().await.map_err(|error| wrong(error.to_string()))?;
    if !status.success() {
        return Err(wrong(format!("ended with {status}; the text is as it was")));
    }
    // By path: many editors write a new file in the old one's place.
    let edited = std::fs::read_to_string(file.path()).map_err(|error| wrong(error.to_string()))?;
    Ok((edited != text).then_some(edited))
}
