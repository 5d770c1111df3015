//! What the scripts on hosts share: checked names, a few shell functions, and what their failures mean.

use crate::hosts::Output;
use crate::model::{Fault, FaultKind, Result, shown::shown_lines};

/// Shell functions that every script here opens with. `fail KIND TEXT` ends a script with one line that [`judge`] reads;
/// `listening PORT` prints the socket inode of everything that listens there (proc(5), /proc/net/tcp, state 0A).
pub const PRELUDE: &str = r#"set -u
umask 022
fail() {
  kind=$1; shift
  # A shell's own printf says only that there was an error.
  case $*:$(df -P "${ROOT:-/}" 2>/dev/null | awk 'NR == 2 { print $4 }') in cannot*:0) echo 'No space left on device' >&2;; esac
  printf 'fault %s %s\n' "$kind" "$*" >&2
  exit 1
}
listening() {
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    awk -v port=":$(printf %04X "$1")" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10 }'
}
stamped() { sed -n "s/^$2=//p" "$ROOT/procs/$1/stamp" 2>/dev/null | head -n 1; }
"#;

/// A host's root directory: absolute, plain, and nothing in it that a shell, Supervisor's ini form or a glob reads otherwise.
pub fn check_root(root: &str) -> Result<()> {
    let plain = |c: char| c.is_alphanumeric() || "._/@+-,=".contains(c);
    let parts = root.split('/').skip(1);
    if !root.starts_with('/') || root.len() < 2 || !root.chars().all(plain) || parts.into_iter().any(|part| matches!(part, "" | "." | ".."))
    {
        return Err(Fault::bad(format!("'{root}' cannot be a host's root directory"))
            .next("give an absolute path of letters, digits and ._@+-,= without spaces, '..' or a final '/'"));
    }
    Ok(())
}

/// A proc's name as a directory and Supervisor program: nothing that leads out of `<root>/procs`.
pub fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.len() > 200 || name.starts_with(['.', '-']) || !name.chars().all(plain) {
        return Err(Fault::bad(format!("'{name}' cannot be a proc's name")).next("use letters, digits, '.', '_' and '-', at most 200"));
    }
    Ok(())
}

/// An id that becomes part of a file name (instance, artifact).
pub fn check_id(what: &str, id: &str) -> Result<()> {
    if id.is_empty() || id.len() > 100 || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err(Fault::bad(format!("'{id}' cannot be the id of a {what}")));
    }
    Ok(())
}

/// What a finished script means: nothing when it ended well, else the fault it named (`fail`), or the end of what it said.
pub fn judge(host: &str, step: &str, output: &Output) -> Result<()> {
    if output.status == 0 {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // GNU tar says only "Wrote only N of M bytes" when the last write was a short one.
    if ["No space left on device", "Disk quota exceeded", "Wrote only "].iter().any(|words| said.contains(words)) {
        return Err(Fault::failed("the disk is full; what was begun is taken away again")
            .on(host)
            .at(step)
            .next(format!("free space on {host} (old builds: swarmdeck gc {host}), then try again")));
    }
    let named = said.lines().rev().find_map(|line| line.strip_prefix("fault "));
    let fault = match named.and_then(|text| text.split_once(' ')) {
        Some(("refused", text)) => with_next(FaultKind::Refused, text),
        Some(("bad", text)) => with_next(FaultKind::BadInput, text),
        Some((_, text)) => with_next(FaultKind::Failed, text),
        None => {
            let tail: Vec<&str> = said.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
            let tail = tail.into_iter().rev().collect::<Vec<_>>().join(" / ");
            let said = if tail.is_empty() { String::new() } else { format!(": {}", shown_lines(&tail)) };
            Fault::failed(format!("the script ended with status {}{said}", output.status))
        }
    };
    Err(fault.on(host).at(step))
}

/// `text || next`: what a script says, and what it advises.
fn with_next(kind: FaultKind, text: &str) -> Fault {
    match text.split_once(" || ") {
        Some((what, next)) => Fault::new(kind, what).next(next),
        None => Fault::new(kind, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(status: i32, stderr: &str) -> Output {
        Output { status, stdout: Vec::new(), stderr: stderr.into() }
    }

    #[test]
    fn a_script_names_its_own_fault() {
        let fault = judge("web01", "start", &ended(1, "noise\nfault refused port 5000 is taken || stop it\n")).unwrap_err();
        assert_eq!((fault.kind, fault.line()), (FaultKind::Refused, "web01, start: port 5000 is taken. Next: stop it".into()));
        assert!(judge("web01", "start", &ended(0, "whatever")).is_ok());
        assert!(
            judge("web01", "start", &ended(2, "tar: x: Cannot write: No space left on device\nmore")).unwrap_err().what.contains("full")
        );
        assert!(judge("web01", "start", &ended(7, "a\n\x1b[2J\n")).unwrap_err().what.contains("status 7: a / \u{241b}[2J"));
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for bad in ["", "/", "apps", "/apps/", "/apps/../etc", "/a b", "/a;b", "/a%b", "/a\nb", "/a*"] {
            assert!(check_root(bad).is_err(), "{bad:?}");
        }
        assert!(check_root("/apps").is_ok() && check_root("/tmp/.tmpAb1/root").is_ok());
        for bad in ["", "..", ".new-1", "-x", "a/b", "a b", "a\nb", "*"] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        assert!(check_name("shop-v1.2-prod-0a0b0c0d-web-5000").is_ok());
    }
}
