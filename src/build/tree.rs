//! Directory trees that a build wrote: listed in one order, given away, removed; links are never followed.

use super::job::disk;
use crate::model::{Fault, Result};
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One thing in a tree.
#[derive(Debug)]
pub struct Entry {
    /// Relative to the root of the tree.
    pub path: PathBuf,
    /// Of the thing itself, not of what a link points to.
    pub meta: Metadata,
}

/// Everything below `root` (without `root`), parents before children, by the bytes of the path.
pub fn list(root: &Path) -> Result<Vec<Entry>> {
    if !is_dir(root) {
        return Err(Fault::failed(format!("{} is no directory any more", root.display())));
    }
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(dir) = open.pop() {
        let place = root.join(&dir);
        for entry in std::fs::read_dir(&place).map_err(|error| disk(&place, &error))? {
            let entry = entry.map_err(|error| disk(&place, &error))?;
            let meta = entry.metadata().map_err(|error| disk(&entry.path(), &error))?;
            let path = dir.join(entry.file_name());
            if meta.is_dir() {
                open.push(path.clone());
            }
            found.push(Entry { path, meta });
        }
    }
    found.sort_by(|a, b| a.path.as_os_str().as_bytes().cmp(b.path.as_os_str().as_bytes()));
    Ok(found)
}

/// Gives the whole tree to a user; only root can.
pub fn give(root: &Path, uid: u32, gid: u32) -> Result<()> {
    let own = |path: &Path| std::os::unix::fs::lchown(path, Some(uid), Some(gid)).map_err(|error| disk(path, &error));
    own(root)?;
    list(root)?.iter().try_for_each(|entry| own(&root.join(&entry.path)))
}

/// A real directory, no link to one: what a build was given can have become anything.
pub fn is_dir(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| meta.is_dir())
}

/// Removes a tree that processes which are just being ended may still write to. What stays is left to `gc`.
pub async fn remove(path: &Path) {
    for _ in 0..20 {
        match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => tokio::time::sleep(Duration::from_millis(50)).await,
            _ => return,
        }
    }
}
