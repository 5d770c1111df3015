//! The one way to the terminal: a thread of its own writes, so that a terminal that is stopped or gone stops nobody.

use crate::deck::outlet::Outlet;
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::time::Duration;

/// How long a terminal may take nothing before nobody waits for it any more.
const PATIENCE: Duration = Duration::from_secs(1);

/// The screen's outlet.
pub fn screen() -> &'static Outlet {
    static SCREEN: OnceLock<Outlet> = OnceLock::new();
    // Not by the standard library's buffer, which cuts a frame at its line ends.
    SCREEN.get_or_init(|| match std::io::stdout().as_fd().try_clone_to_owned() {
        Ok(terminal) => Outlet::new(std::fs::File::from(terminal)),
        Err(_) => Outlet::new(std::io::stdout()),
    })
}

/// Has this written, and waits for it as long as the terminal takes anything.
pub fn write_now(bytes: &[u8]) -> std::io::Result<()> {
    screen().send(bytes.to_vec());
    screen().flush(PATIENCE);
    if screen().is_broken() { Err(std::io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
}
