//! How a script body becomes what a shell reads: empty input for the body, nothing done when only half arrived.

use std::time::Duration;

/// The `PATH` of every command on every host.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The locale of every command: bytes sorted as bytes, messages in English, UTF-8 text.
pub const LOCALE: &str = "C.UTF-8";
/// Standard output or error above this is a fault: nothing that we ask a host for is so long.
pub const OUTPUT_MAX: usize = 64 << 20;
/// How much longer than a command's limit its end is waited for, before the host counts as gone.
pub const GRACE: Duration = Duration::from_secs(15);
/// How long after a command's end its output is still waited for: a process that it left behind may hold it open for ever.
pub const LEFT_OPEN: Duration = Duration::from_secs(2);
/// The limit of a followed script, which in truth ends with its reader.
pub const FOLLOW_LIMIT: Duration = Duration::from_secs(366 * 86400);

/// The body as `sh -s` is to read it: one group, so that the shell has read all of it before it does any of it
/// (a body cut short is a syntax error, and does nothing), with an empty standard input.
pub fn whole(body: &str) -> Vec<u8> {
    format!("{{ :\n{body}\n}} </dev/null\n").into_bytes()
}

/// Like [`whole`], but the script ends (SIGTERM, 5 s later SIGKILL, by the `timeout` above it) when its standard input
/// does: so that it does not outlive its reader, nor a lost connection.
pub fn followed(body: &str) -> Vec<u8> {
    format!(
        "{{ exec 3<&0\n{{ read -r _ <&3; kill -TERM \"$PPID\"; }} >/dev/null 2>&1 & watch=$!\n(:\n{body}\n) </dev/null 3<&-\n\
         code=$?; kill \"$watch\"; exit \"$code\"; }}\n"
    )
    .into_bytes()
}

/// The argument vector that runs `argv` for at most `limit`, and 5 s later kills what is left of it.
pub fn limited<'a>(limit: &'a str, argv: &[&'a str]) -> Vec<&'a str> {
    [&["timeout", "-k", "5", limit], argv].concat()
}

/// A duration as `timeout` (coreutils) reads it.
pub fn seconds(limit: Duration) -> String {
    format!("{:.3}", limit.as_secs_f64().max(0.001))
}

/// Whether `status` after `elapsed` says that `timeout` ended the command (124, or 137 when it had to be killed).
pub fn ran_out(status: i32, elapsed: Duration, limit: Duration) -> bool {
    matches!(status, 124 | 137) && elapsed >= limit
}
