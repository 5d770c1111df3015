//! One lock file that is waited for, visibly (W14): the kernel frees it when its holder dies.

use super::job::disk;
use crate::model::{Fault, Result};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

/// How often a held lock is tried again.
const AGAIN: Duration = Duration::from_millis(100);

/// Held until it is dropped.
pub struct Lock(#[expect(dead_code, reason = "held for its drop")] Flock<File>);

/// Takes the lock; while another process has it, `waiting` is told once, with what the holder wrote about itself.
pub async fn take(path: &Path, mode: u32, about: &str, waiting: impl Fn(&str)) -> Result<Lock> {
    let open = || std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(mode).open(path);
    let mut file = open().map_err(|error| disk(path, &error))?;
    // The umask must not take the group's right to it away; another user's file is already right.
    let _ = file.set_permissions(std::fs::Permissions::from_mode(mode));
    let mut told = false;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut lock) => {
                // What is written here only helps whoever waits.
                let _ = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| writeln!(lock, "{about}, pid {}", std::process::id()));
                return Ok(Lock(lock));
            }
            Err((back, Errno::EWOULDBLOCK)) => file = back,
            Err((_, errno)) => return Err(Fault::failed(format!("{}: {errno}", path.display()))),
        }
        if !told {
            told = true;
            let mut holder = String::new();
            let _ = file.rewind().and_then(|()| (&file).take(400).read_to_string(&mut holder));
            waiting(holder.trim());
        }
        tokio::time::sleep(AGAIN).await;
    }
}
