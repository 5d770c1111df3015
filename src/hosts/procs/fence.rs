//! The fence: no script changes a host for a dispatch that lost its lease, or for another installation (DESIGN part 4).

use super::script::{self, PRELUDE};
use crate::hosts::{Link, Output};
use crate::model::{Fault, Result, quote::quote};
use std::time::Duration;

/// Exit status of a fenced script: a higher epoch was seen here.
pub const LOWER: i32 = 97;
/// Exit status of a fenced script: the host belongs to another installation.
pub const OTHER: i32 = 98;
/// Exit status of a fenced script: another script held the lock all the time.
pub const BUSY: i32 = 95;
/// How long a script waits for the one before it.
pub const WAIT: Duration = Duration::from_secs(90);

/// Who is allowed to act: an installation, and for one key (a swarm's id, or `pool/<balancer>/<pool>`) the holder of an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The host's root directory.
    pub root: String,
    pub installation: String,
    pub key: String,
    /// Of the lease; only rises.
    pub epoch: u64,
}

impl Fence {
    /// The key as a file name: `/` becomes `+`, which no id, balancer or pool may hold.
    pub(super) fn file(&self) -> Result<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        if self.key.is_empty() || self.key.starts_with(['.', '/']) || self.key.len() > 180 || !self.key.chars().all(plain) {
            return Err(Fault::bad(format!("'{}' cannot be the key of a fence", self.key)));
        }
        Ok(self.key.replace('/', "+"))
    }
}

/// The key that a fence file name stands for.
pub fn key_of(file: &str) -> String {
    file.replace('+', "/")
}

/// The script that runs `body` under the fence: takes the lock, claims a host that belongs to nobody, compares and raises the
/// epoch (on disk before anything else happens), then acts. The lock is free when the script and all that it called have ended.
/// In the body `$ROOT` is the root directory and the functions of [`PRELUDE`] are there; it must not exit with 95 to 98.
pub fn wrap(fence: &Fence, body: &str) -> Result<String> {
    script::check_root(&fence.root)?;
    script::check_id("installation", &fence.installation)?;
    Ok(format!(
        r#"{PRELUDE}ROOT={root}
KEY={key} EPOCH={epoch} INSTALLATION={installation}
mkdir -p "$ROOT/fence" || fail failed "cannot make $ROOT/fence"
exec 9>>"$ROOT/fence/$KEY.lock" || fail failed "cannot write in $ROOT/fence"
flock -w {wait} 9 || exit {BUSY}
if [ ! -e "$ROOT/fence/installation" ]; then
  mine="$ROOT/fence/.installation-$$"
  {{ printf '%s\n' "$INSTALLATION" >"$mine" && sync "$mine"; }} || fail failed "cannot write in $ROOT/fence"
  ln "$mine" "$ROOT/fence/installation" 2>/dev/null
  rm -f "$mine"
fi
read -r SEEN <"$ROOT/fence/installation" || SEEN=
[ "$SEEN" = "$INSTALLATION" ] || {{ printf '%s\n' "$SEEN"; exit {OTHER}; }}
SEEN=0
[ ! -s "$ROOT/fence/$KEY.epoch" ] || read -r SEEN <"$ROOT/fence/$KEY.epoch"
case $SEEN in '' | *[!0-9]*) fail failed "$ROOT/fence/$KEY.epoch does not hold a number";; esac
[ "$SEEN" -le "$EPOCH" ] || {{ printf '%s\n' "$SEEN"; exit {LOWER}; }}
if [ "$SEEN" -lt "$EPOCH" ]; then
  {{ printf '%s\n' "$EPOCH" >"$ROOT/fence/.$KEY.new" && sync "$ROOT/fence/.$KEY.new" &&
    mv "$ROOT/fence/.$KEY.new" "$ROOT/fence/$KEY.epoch" && sync "$ROOT/fence"; }} || fail failed "cannot write in $ROOT/fence"
fi
{body}
"#,
        root = quote(&fence.root),
        key = quote(&fence.file()?),
        epoch = fence.epoch,
        installation = quote(&fence.installation),
        wait = WAIT.as_secs(),
    ))
}

/// Runs `body` on the host under the fence, at most `limit` (the wait for the lock comes on top).
///
/// # Errors
/// Refused when a higher epoch or another installation was seen, or the lock stayed held; else what the script said.
pub async fn run(link: &dyn Link, fence: &Fence, step: &str, body: &str, limit: Duration) -> Result<Output> {
    let output = link.run(&wrap(fence, body)?, limit + WAIT).await.map_err(|fault| fault.at(step))?;
    let seen = output.text().lines().next().unwrap_or_default().to_string();
    let refused = match output.status {
        LOWER => Fault::refused(format!("the lease was lost: epoch {seen} was seen here for '{}', ours is {}", fence.key, fence.epoch))
            .next("another process has taken this over; see swarmdeck get dispatches"),
        OTHER => Fault::refused(format!("the host belongs to installation '{seen}', this is '{}'", fence.installation))
            .next(format!("swarmdeck hosts claim {}, if that installation no longer works with it", link.host())),
        BUSY => Fault::refused(format!("another change of '{}' is under way here and did not end", fence.key)).next("try again"),
        _ => return script::judge(link.host(), step, &output).map(|()| output),
    };
    Err(refused.on(link.host()).at(step))
}

/// Raises the fence to its epoch; when this returns, no script of a lower epoch runs or will run here (DESIGN part 4).
///
/// # Errors
/// As [`run`].
pub async fn raise(link: &dyn Link, fence: &Fence) -> Result<()> {
    run(link, fence, "fence", ":", Duration::from_secs(20)).await.map(drop)
}

/// The installation that the host belongs to; none when it is nobody's yet.
///
/// # Errors
/// Unreachable, or the host's root cannot be read.
pub async fn holder(link: &dyn Link, root: &str) -> Result<Option<String>> {
    script::check_root(root)?;
    let body = format!("file={}/fence/installation\n[ ! -e \"$file\" ] || head -n 1 \"$file\"", quote(root));
    let output = link.run(&body, Duration::from_secs(20)).await?;
    script::judge(link.host(), "look", &output)?;
    Ok(output.text().lines().next().map(crate::model::shown::shown).filter(|holder| !holder.is_empty()))
}

/// Makes the host belong to `installation`, if it still belongs to `holder`; answers with the one that had it. For `hosts claim`,
/// which says first whose it is.
///
/// # Errors
/// Refused when it belongs to another one than `holder`.
pub async fn claim(link: &dyn Link, root: &str, installation: &str, holder: Option<&str>) -> Result<Option<String>> {
    script::check_root(root)?;
    script::check_id("installation", installation)?;
    let body = format!(
        r#"{PRELUDE}ROOT={root}
mkdir -p "$ROOT/fence" || fail failed "cannot make $ROOT/fence"
exec 9>>"$ROOT/fence/.claim.lock" && flock -w 20 9 || fail failed "cannot lock $ROOT/fence"
SEEN=
[ ! -e "$ROOT/fence/installation" ] || read -r SEEN <"$ROOT/fence/installation"
[ "$SEEN" = {holder} ] || fail refused "the host belongs to installation '$SEEN' by now || look again"
printf '%s\n' "$SEEN"
mine="$ROOT/fence/.installation-$$"
{{ printf '%s\n' {installation} >"$mine" && sync "$mine" && mv "$mine" "$ROOT/fence/installation"; }} || fail failed "cannot write in $ROOT/fence"
"#,
        root = quote(root),
        installation = quote(installation),
        holder = quote(holder.unwrap_or_default())
    );
    let output = link.run(&body, Duration::from_secs(40)).await?;
    script::judge(link.host(), "claim", &output)?;
    Ok(output.text().lines().next().map(str::to_string).filter(|before| !before.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::Local;
    use crate::model::FaultKind;

    fn fence(root: &std::path::Path, epoch: u64) -> Fence {
        Fence { root: root.display().to_string(), installation: "here-1".into(), key: "pool/edge/shop".into(), epoch }
    }

    #[tokio::test]
    async fn a_lower_epoch_does_nothing_and_says_which_it_saw() {
        let dir = tempfile::tempdir().unwrap();
        let link = Local::new("web01");
        raise(&link, &fence(dir.path(), 7)).await.unwrap();
        let mark = dir.path().join("mark");
        let body = format!("touch {}", mark.display());
        let limit = Duration::from_secs(20);
        let fault = run(&link, &fence(dir.path(), 6), "start", &body, limit).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Refused);
        assert!(fault.line().contains("epoch 7 was seen"), "{fault}");
        assert!(!mark.exists());
        run(&link, &fence(dir.path(), 7), "start", &body, limit).await.unwrap();
        assert!(mark.exists());
        run(&link, &fence(dir.path(), 12), "start", ":", limit).await.unwrap();
        assert!(run(&link, &fence(dir.path(), 7), "start", ":", limit).await.is_err());
        let file = dir.path().join("fence/pool+edge+shop.epoch");
        assert_eq!(std::fs::read_to_string(file).unwrap(), "12\n");
    }

    #[tokio::test]
    async fn another_installation_changes_nothing_until_it_claims() {
        let dir = tempfile::tempdir().unwrap();
        let link = Local::new("web01");
        raise(&link, &fence(dir.path(), 1)).await.unwrap();
        let other = Fence { installation: "there-2".into(), ..fence(dir.path(), 99) };
        let fault = raise(&link, &other).await.unwrap_err();
        assert!(fault.line().contains("'here-1'") && fault.line().contains("hosts claim web01"), "{fault}");
        assert_eq!(holder(&link, &other.root).await.unwrap().as_deref(), Some("here-1"));
        let fault = claim(&link, &other.root, "there-2", None).await.unwrap_err();
        assert!(fault.kind == FaultKind::Refused && fault.line().contains("'here-1' by now"), "{fault}");
        assert_eq!(claim(&link, &other.root, "there-2", Some("here-1")).await.unwrap().as_deref(), Some("here-1"));
        raise(&link, &other).await.unwrap();
        assert!(raise(&link, &fence(dir.path(), 100)).await.is_err());
    }

    #[tokio::test]
    async fn two_scripts_of_one_key_never_run_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let link = Local::new("web01");
        let file = dir.path().join("order");
        let body = format!("for n in 1 2 3 4 5; do echo $$ >>{}; sleep 0.05; done", file.display());
        let (one, two) = (fence(dir.path(), 3), fence(dir.path(), 3));
        let limit = Duration::from_secs(20);
        let (a, b) = tokio::join!(run(&link, &one, "x", &body, limit), run(&link, &two, "x", &body, limit));
        a.unwrap();
        b.unwrap();
        let order = std::fs::read_to_string(file).unwrap();
        let mut runs: Vec<&str> = order.lines().collect();
        assert_eq!(runs.len(), 10);
        runs.dedup();
        assert_eq!(runs.len(), 2, "interleaved: {order}");
    }

    #[tokio::test]
    async fn a_raise_waits_for_the_script_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let link = Local::new("web01");
        let (begun, ended) = (dir.path().join("begun"), dir.path().join("ended"));
        let body = format!("touch {}; sleep 0.5; touch {}", begun.display(), ended.display());
        let old = fence(dir.path(), 1);
        let raising = async {
            while !begun.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            raise(&link, &fence(dir.path(), 2)).await.unwrap();
            assert!(ended.exists());
        };
        let (first, ()) = tokio::join!(run(&link, &old, "x", &body, Duration::from_secs(20)), raising);
        first.unwrap();
    }
}
