//! The terminal's side that is read: bytes as they come, never waited for by a thread.

use std::fs::File;
use std::io::{ErrorKind, Read, Result};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::OnceLock;
use tokio::net::unix::pipe::Receiver;

/// How much is read at once.
const PIECE: usize = 4096;

/// The terminal, opened anew: that reads of it do not block is not for the shell that started us, nor for what we write.
///
/// # Errors
/// There is none.
pub fn terminal() -> Result<&'static File> {
    static TERMINAL: OnceLock<File> = OnceLock::new();
    if let Some(terminal) = TERMINAL.get() {
        return Ok(terminal);
    }
    let open = |path| {
        let flags = nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY;
        std::fs::OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)
    };
    // After `su` the terminal's own name may be somebody else's file; without a session of our own there is no /dev/tty.
    let opened = open("/dev/tty").or_else(|_| open("/proc/self/fd/0"))?;
    nix::sys::termios::tcgetattr(&opened)?;
    Ok(TERMINAL.get_or_init(|| opened))
}

/// What was typed; nothing when nothing was.
///
/// # Errors
/// The terminal is gone.
pub fn read() -> Result<Vec<u8>> {
    let mut bytes = vec![0; PIECE];
    match terminal()?.read(&mut bytes) {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(count) => {
            bytes.truncate(count);
            Ok(bytes)
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Waits for what is typed. While somebody else reads there must be none.
// The runtime has no name for a terminal; what it calls a pipe is any file that is read without blocking.
pub struct Keyboard(Receiver);

impl Keyboard {
    /// Begins to listen.
    ///
    /// # Errors
    /// There is no terminal.
    pub fn new() -> Result<Keyboard> {
        Receiver::from_file_unchecked(terminal()?.try_clone()?).map(Keyboard)
    }

    /// The next bytes.
    ///
    /// # Errors
    /// The terminal is gone.
    pub async fn next(&self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; PIECE];
        loop {
            self.0.readable().await?;
            match self.0.try_read(&mut bytes) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    bytes.truncate(count);
                    return Ok(bytes);
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
