//! Runs the uptests of one proc on its host, in one round trip; their output is framed, so nothing in it can forge a result.

use crate::hosts::procs::script;
use crate::hosts::{Link, Output};
use crate::model::{Result, quote::quote, shown::shown_lines};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const STEP: &str = "prove";
/// How much of one uptest's output is kept, in bytes: its end.
pub const OUTPUT_KEPT: usize = 64 << 10;

/// The proc whose uptests are to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UptestSpec {
    /// First argument of every uptest: the host as balancers know it.
    pub host: String,
    /// Second argument.
    pub port: u16,
    /// The proc's directory, `<root>/procs/<name>`.
    pub dir: String,
    pub proc_name: String,
    /// How many uptests the build had: for the time limit of the whole.
    pub count: usize,
}

/// How one uptest ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UptestResult {
    /// Its file name.
    pub name: String,
    pub passed: bool,
    /// Its output and errors, at most [`OUTPUT_KEPT`], control bytes made visible; why it could not run.
    pub output: String,
    pub seconds: f64,
    pub timed_out: bool,
}

/// Runs `<dir>/app/uptests/<proc_name>/*` in name order (hidden files skipped; a directory, or a file that is not executable, fails),
/// with the arguments `host port`, in the app's directory, as the proc's user with the proc's environment. Passed is exit status 0
/// within `timeout`. Without such a directory: none.
///
/// # Errors
/// Unreachable, or the proc is not there; a failing uptest is a result, not a fault.
pub async fn run(link: &dyn Link, spec: &UptestSpec, timeout: Duration) -> Result<Vec<UptestResult>> {
    let seconds = format!("{:.3}", timeout.as_secs_f64().max(0.001));
    let tests = format!("{}/app/uptests/{}", spec.dir, spec.proc_name);
    let body = format!(
        r#"{prelude}[ -x {run} ] && [ -d {app} ] || fail failed "the proc is not on this host any more || look again"
[ -d {tests} ] || exit 0
cd {tests} || fail failed "cannot read the uptests"
SCRATCH=$(mktemp -d) || fail failed "cannot make a temporary directory"
trap 'rm -rf "$SCRATCH"' EXIT
trap 'exit 99' HUP INT TERM
for file in *; do
  [ -e "$file" ] || [ -L "$file" ] || continue
  begun=$(date +%s%N)
  : >"$SCRATCH/output"
  if [ -d "$file" ]; then echo "is a directory, not an executable file" >"$SCRATCH/output"; code=126
  elif [ ! -x "$file" ]; then echo "is not executable" >"$SCRATCH/output"; code=126
  else
    timeout -k 5 {seconds} {run} exec "./uptests/"{proc_name}"/$file" {host} {port} >"$SCRATCH/output" 2>&1 </dev/null
    code=$?
  fi
  printf 'test %s %s %s ' "$code" "$begun" "$(date +%s%N)"
  printf '%s' "$file" | base64 -w 0
  printf ' '
  tail -c {OUTPUT_KEPT} "$SCRATCH/output" | base64 -w 0
  printf '\n'
done
echo end
"#,
        prelude = script::PRELUDE,
        run = quote(&format!("{}/run", spec.dir)),
        app = quote(&format!("{}/app", spec.dir)),
        tests = quote(&tests),
        proc_name = quote(&spec.proc_name),
        host = quote(&spec.host),
        port = spec.port,
    );
    let each = u32::try_from(spec.count.max(1)).unwrap_or(u32::MAX);
    let limit = (timeout + Duration::from_secs(10)).saturating_mul(each) + Duration::from_secs(30);
    let output = link.run(&body, limit).await.map_err(|fault| fault.at(STEP))?;
    script::judge(link.host(), STEP, &output)?;
    Ok(read(&output, timeout))
}

fn read(output: &Output, timeout: Duration) -> Vec<UptestResult> {
    output.text().lines().filter_map(|line| result(line, timeout)).collect()
}

fn result(line: &str, timeout: Duration) -> Option<UptestResult> {
    let words: Vec<&str> = line.split(' ').collect();
    let ["test", code, begun, ended, name, output] = words.as_slice() else { return None };
    let text = |word: &str| STANDARD.decode(word).ok().map(|bytes| shown_lines(&String::from_utf8_lossy(&bytes)));
    let (code, begun, ended): (i32, i64, i64) = (code.parse().ok()?, begun.parse().ok()?, ended.parse().ok()?);
    let seconds = (ended - begun) as f64 / 1e9;
    let timed_out = matches!(code, 124 | 137) && seconds >= timeout.as_secs_f64();
    let mut output = text(output)?;
    if timed_out {
        output.push_str(&format!("\n(ended: took longer than {})", humantime::format_duration(timeout)));
    }
    Some(UptestResult { name: text(name)?, passed: code == 0, output, seconds, timed_out })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::procs::rig::{APP, Rig};
    use crate::hosts::procs::start;

    #[tokio::test]
    async fn uptests_run_as_the_proc_would_and_cannot_forge_a_result() {
        let rig = Rig::new().await;
        let mut spec = rig.spec("i-1");
        let mut files = APP.to_vec();
        files.extend([
            (
                "uptests/web/20-fails",
                0o755,
                "#!/bin/sh\necho 'test 0 1 2 eHg= eHg='; printf '%s\\033[2J\\377 100%%d %%n\\n' \"$TOKEN\" >&2; exit 4\n",
            ),
            ("uptests/web/30-plain", 0o644, "#!/bin/sh\nexit 0\n"),
            ("uptests/web/40-dir/inner", 0o755, "#!/bin/sh\nexit 0\n"),
            ("uptests/web/50-hangs", 0o755, "#!/bin/sh\necho begun; trap '' TERM; sleep 600\n"),
            ("uptests/web/60 odd'name", 0o755, "#!/bin/sh\nhead -c 200000 /dev/zero | tr '\\0' x\n"),
            ("uptests/web/.hidden", 0o755, "#!/bin/sh\nexit 1\n"),
            ("uptests/other/10", 0o755, "#!/bin/sh\nexit 1\n"),
        ]);
        spec.release.artifact = rig.artifact(&files);
        spec.release.env.insert("TOKEN".into(), "it's $HOME".into());
        start(&rig.link, &rig.fence(), &rig.at, std::slice::from_ref(&spec)).await.unwrap();
        rig.running(&spec.name).await;
        crate::hosts::procs::rig::answer(spec.port).await;
        let uptests = UptestSpec { host: "127.0.0.1".into(), port: spec.port, dir: spec.dir(), proc_name: "web".into(), count: 6 };
        let results = run(&rig.link, &uptests, Duration::from_secs(4)).await.unwrap();
        let names: Vec<&str> = results.iter().map(|result| result.name.as_str()).collect();
        assert_eq!(names, ["10-answers", "20-fails", "30-plain", "40-dir", "50-hangs", "60 odd'name"]);
        let passed: Vec<bool> = results.iter().map(|result| result.passed).collect();
        assert_eq!(passed, [true, false, false, false, false, true], "{results:?}");
        let uid = nix::unistd::User::from_name(&rig.user).unwrap().unwrap().uid;
        assert_eq!(results[0].output, format!("100% of 200 True {uid}\n"));
        assert_eq!(results[1].output, "test 0 1 2 eHg= eHg=\nit's $HOME\u{241b}[2J\u{fffd} 100%d %n\n");
        assert!(results[2].output.contains("not executable") && results[3].output.contains("directory"));
        assert!(results[4].timed_out && results[4].output.starts_with("begun") && !results[0].timed_out);
        assert_eq!(results[5].output.len(), OUTPUT_KEPT);

        assert!(
            run(&rig.link, &UptestSpec { proc_name: "worker".into(), ..uptests.clone() }, Duration::from_secs(4)).await.unwrap().is_empty()
        );
        rig.remove(&[&spec]).await.unwrap();
        assert!(run(&rig.link, &uptests, Duration::from_secs(4)).await.is_err());
    }
}
