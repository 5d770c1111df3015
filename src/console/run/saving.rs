//! Writes what an operator saves from the screen: a new file, for his eyes only.

use crate::model::{Fault, Result};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Makes the file; `~/` is the home directory.
///
/// # Errors
/// It is there already, or cannot be written.
pub async fn save(path: &str, text: &str) -> Result<String> {
    let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_path_buf());
    let place = match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    };
    let (shown, text) = (place.display().to_string(), text.to_string());
    let cannot = |error: std::io::Error| {
        let next = if error.kind() == std::io::ErrorKind::AlreadyExists { "choose another name" } else { "choose another place" };
        Fault::failed(format!("{shown} cannot be written: {error}")).next(next)
    };
    let lines = text.lines().count();
    let written = tokio::task::spawn_blocking(move || {
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&place)?.write_all(text.as_bytes())
    });
    written.await.map_err(|error| Fault::failed(error.to_string()))?.map_err(cannot)?;
    Ok(format!("{lines} lines saved to {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn a_file_is_made_for_the_operator_only_and_never_over_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let name = path.to_str().unwrap();
        assert!(save(name, "a\nb\n").await.unwrap().starts_with("2 lines"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(save(name, "c\n").await.unwrap_err().line().contains("choose another name"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nb\n");
    }
}
