//! A terminal on a machine for a person: a shell whose keys and screen travel both ways; and file descriptors of terminals as streams.

use super::Chunk;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

/// What a person does at a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    Bytes(Vec<u8>),
    /// The terminal has another size: columns, rows.
    Size(u16, u16),
}

/// What is started on a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// A POSIX shell script; on a command line there, so nothing secret may be in it.
    pub script: String,
    /// As the host's privileged user, or as the one who logs in.
    pub privileged: bool,
    /// `TERM` of the operator's terminal.
    pub term: String,
    /// Columns, rows.
    pub size: (u16, u16),
}

/// A terminal that is open: it ends (the last thing said is the exit status) with its program, or when it is dropped.
pub struct Terminal {
    pub keys: mpsc::Sender<Typed>,
    pub screen: mpsc::Receiver<Chunk>,
}

/// `TERM` as it may be given on: a plain word.
pub fn term(wanted: &str) -> String {
    let plain = !wanted.is_empty() && wanted.len() < 60 && wanted.chars().all(|c| c.is_ascii_alphanumeric() || "-+._".contains(c));
    if plain { wanted.to_string() } else { "xterm".into() }
}

/// A terminal's file descriptor, read and written without blocking a thread: a read that is given up takes no key with it.
pub struct Device(AsyncFd<File>);

impl Device {
    /// Takes a descriptor that nobody else reads.
    ///
    /// # Errors
    /// The system's.
    pub fn new(fd: OwnedFd) -> std::io::Result<Device> {
        use nix::fcntl::{FcntlArg, OFlag, fcntl};
        let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
        fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        #[allow(deprecated, reason = "its successor is unsafe; what makes it sound holds: a File owns its descriptor and never changes it")]
        let device = AsyncFd::new(File::from(fd))?;
        Ok(Device(device))
    }

    /// The process's own controlling terminal, as a description of its own: other readers of the terminal stay as they are.
    ///
    /// # Errors
    /// There is none.
    pub fn controlling() -> std::io::Result<Device> {
        Device::new(std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty")?.into())
    }

    /// What there is to read; empty at the end. A pseudo-terminal whose program is gone is at its end.
    ///
    /// # Errors
    /// The system's.
    pub async fn read(&self) -> std::io::Result<Vec<u8>> {
        let mut buffer = vec![0; 16 << 10];
        match self.0.async_io(Interest::READABLE, |mut file: &File| file.read(&mut buffer)).await {
            Ok(count) => {
                buffer.truncate(count);
                Ok(buffer)
            }
            Err(error) if error.raw_os_error() == Some(nix::libc::EIO) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// The system's.
    pub async fn write(&self, mut bytes: &[u8]) -> std::io::Result<()> {
        while !bytes.is_empty() {
            let count = self.0.async_io(Interest::WRITABLE, |mut file: &File| file.write(bytes)).await?;
            bytes = bytes.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// The terminal itself, for its settings.
    pub fn file(&self) -> &File {
        self.0.get_ref()
    }
}
