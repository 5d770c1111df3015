//! Giving procs that run our stamp, under the fence: two files change, no process does (DESIGN part 3, "adopt").

use super::fence::{self, Fence};
use super::{script, start};
use crate::hosts::Link;
use crate::model::{Fault, Result, entity::SupervisorAt, quote::quote};
use std::fmt::Write as _;
use std::time::Duration;

/// A proc that is taken over as it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoptee {
    pub name: String,
    /// The instance in its stamp as it was seen, or "": a proc that was made anew since is not the one that was shown.
    pub seen: String,
    /// Its pid as it was shown, for the same reason.
    pub pid: Option<u32>,
    /// What its stamp says from now on; keys of an earlier stamp that are not among these stay.
    pub stamp: Vec<(&'static str, String)>,
}

impl Adoptee {
    fn key(&self, key: &str) -> &str {
        self.stamp.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

/// `take NAME SEEN PID KEYS STAMP BLOCK INSTANCE`: proc.yaml gets the block in place of an earlier one, then the stamp is written; each file
/// appears whole, with the owner and mode that it had.
const FUNCTIONS: &str = r#"take() {
  dir=$ROOT/procs/$1
  [ -d "$dir" ] && [ ! -L "$dir" ] && [ -f "$dir/proc.yaml" ] || fail refused "$1 has no directory with a proc.yaml || look again: swarmdeck strays"
  have=$(stamped "$1" instance)
  # The second: done by an earlier run of this very step.
  { [ "$have" = "$2" ] || { [ -z "$2" ] && [ "$have" = "$7" ]; }; } && [ "$(pid_of "$1")" = "$3" ] || fail refused "$1 was made anew or restarted since || look again: swarmdeck strays"
  grep -qE '^[A-Za-z_]+:' "$dir/proc.yaml" || fail refused "$dir/proc.yaml is not written one key a line || write it so, then adopt again"
  new=$dir/.adopt-$$
  cp -p "$dir/proc.yaml" "$new" &&
    awk '/^swarmdeck:/ { inside = 1; next } inside && /^[ \t]/ { next } { inside = 0; print }' "$dir/proc.yaml" >"$new" &&
    printf '%s' "$6" >>"$new" && sync "$new" && mv "$new" "$dir/proc.yaml" || fail failed "cannot write $dir/proc.yaml"
  { printf '%s' "$5"; [ ! -f "$dir/stamp" ] || grep -vE "^($4)=" "$dir/stamp"; } >"$new"
  chmod 0644 "$new" && sync "$new" && mv "$new" "$dir/stamp" || fail failed "cannot write $dir/stamp"
  echo "adopted $1"
}
"#;

/// Adopts these procs of one host. Repeatable; on a fault those before it are adopted and say so at the next look.
///
/// # Errors
/// Refused (fence; another proc than was shown; a proc.yaml that cannot be stamped), or a file cannot be written.
pub async fn adopt(link: &dyn Link, fence: &Fence, at: &SupervisorAt, adoptees: &[Adoptee]) -> Result<()> {
    let body = render(fence, at, adoptees).map_err(|fault| fault.on(link.host()).at("adopt"))?;
    fence::run(link, fence, "adopt", &body, Duration::from_secs(60)).await.map(drop)
}

fn render(fence: &Fence, at: &SupervisorAt, adoptees: &[Adoptee]) -> Result<String> {
    let mut body = start::supervisorctl(at);
    body.push_str(FUNCTIONS);
    body.push_str("status\n");
    for adoptee in adoptees {
        script::check_name(&adoptee.name)?;
        let plain = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
        let stamp: String = adoptee.stamp.iter().map(|(key, value)| format!("{key}={}\n", plain(value))).collect();
        let mut block = "swarmdeck:\n".to_string();
        for key in ["installation", "swarm", "dispatch", "instance"] {
            script::check_id(key, adoptee.key(key))?;
            block.push_str(&format!("  {key}: \"{}\"\n", adoptee.key(key)));
        }
        if adoptee.key("installation") != fence.installation {
            return Err(Fault::failed(format!("{} would be stamped for another installation", adoptee.name)));
        }
        let keys: Vec<&str> = adoptee.stamp.iter().map(|(key, _)| *key).collect();
        let pid = adoptee.pid.map(|pid| pid.to_string()).unwrap_or_default();
        let words = [&adoptee.name, &adoptee.seen, &pid, &keys.join("|"), &stamp, &block, adoptee.key("instance")];
        let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
        writeln!(body, "take {}", words.join(" ")).map_err(|_| Fault::failed("a script could not be written"))?;
    }
    Ok(body)
}
