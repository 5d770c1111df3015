//! Builds of real git and hg repositories with real buildpacks.

use super::source::Reference;
use super::*;
use crate::model::entity::RepoType;
use crate::model::{Fault, FaultKind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

/// A place with repositories and a home.
struct Bed {
    dir: TempDir,
}

const PACK: &str = r#"#!/usr/bin/env bash
set -euo pipefail
BUILD_DIR=$1 CACHE_DIR=$2 ENV_DIR=$3
test -d "$ENV_DIR"
cd "$BUILD_DIR"
echo "-----> building with stack ${STACK:?}"
if [ -f "$CACHE_DIR/dep" ]; then echo "cache hit"; else mkdir -p "$CACHE_DIR"; echo dep > "$CACHE_DIR/dep"; fi
cp "$CACHE_DIR/dep" dep
mkdir -p .profile.d bin
echo 'export FROM_PROFILE=1' > .profile.d/x.sh
echo "$BUILD_DIR" > where
(umask 077; printf '#!/bin/sh\necho hi\n' > bin/hi; chmod +x bin/hi)
echo 'export EXPORTED=yes' > "$(dirname "$0")/../export"
"#;
const RELEASE: &str = "#!/bin/sh\nprintf -- '---\\nconfig_vars:\\n  LANGUAGE: x\\n  EXPORTED: \"%s\"\\ndefault_process_types:\\n  console: ./bin/hi\\n' \"$EXPORTED\"\n";

impl Bed {
    /// Not below `/tmp`, so that what hides it is the sandbox's own rule.
    fn new() -> Bed {
        let exe = std::env::current_exe().unwrap();
        let mut named = tempfile::Builder::new();
        named.prefix("bed-");
        let dir = named.tempdir_in(exe.parent().unwrap()).or_else(|_| named.tempdir()).unwrap();
        Bed { dir }
    }
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    fn workspace(&self, name: &str) -> Workspace {
        Workspace::new(self.path(name))
    }
    fn write(&self, repo: &str, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = self.path(repo).join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }
    /// Commits these files to a git repository (made when it is missing) and tags them.
    fn git(&self, repo: &str, files: &[(&str, &str)], tag: Option<&str>) -> String {
        self.write(repo, files);
        let git = |args: &[&str]| {
            let base = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"];
            let out = Command::new("git").args(base).args(args).current_dir(self.path(repo)).output().unwrap();
            assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
            String::from_utf8(out.stdout).unwrap().trim().to_string()
        };
        git(&["init", "-q"]);
        git(&["add", "-A"]);
        git(&["commit", "-q", "--allow-empty", "-m", "x"]);
        if let Some(tag) = tag {
            git(&["tag", "-a", "-m", tag, tag]);
        }
        git(&["rev-parse", "HEAD"])
    }
    fn hg(&self, repo: &str, args: &[&str]) {
        let out = Command::new("hg").args(args).env("HGUSER", "t").env("HGPLAIN", "1").current_dir(self.path(repo)).output().unwrap();
        assert!(out.status.success(), "hg {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    }
    /// A buildpack that knows apps with the file `marker`.
    fn pack(&self, name: &str, marker: &str, compile: &str) -> BuildpackRef {
        let detect = format!("#!/bin/sh\ntest -f \"$1/{marker}\" && echo {name}\n");
        self.git(name, &[("bin/detect", &detect), ("bin/compile", compile), ("bin/release", RELEASE)], None);
        BuildpackRef { name: name.into(), url: self.path(name).display().to_string(), repo_type: RepoType::Git, order: 0, commit: None }
    }
    fn job(&self, id: &str, version: &str, buildpacks: Vec<BuildpackRef>) -> Job {
        Job {
            id: id.into(),
            app: "shop".into(),
            repo_url: self.path("shop").display().to_string(),
            repo_type: RepoType::Git,
            version: version.into(),
            commit: None,
            buildpacks,
            pinned: None,
            stack: None,
            limit: Duration::from_secs(120),
            force: false,
        }
    }
}

const APP: &[(&str, &str)] =
    &[("Procfile", "web: ./bin/hi\n"), ("marker", ""), (".slugignore", "docs/\n\n../other\n"), ("docs/a", "x"), ("src/docs/b", "x")];

async fn run(job: &Job, workspace: &Workspace) -> (Result<Built, Fault>, Vec<LogLine>) {
    let (sink, mut lines) = mpsc::unbounded_channel();
    let (_keep, cancel) = watch::channel(false);
    let built = build(job, workspace, &sink, cancel).await;
    drop(sink);
    let mut all = Vec::new();
    while let Some(line) = lines.recv().await {
        all.push(line);
    }
    (built, all)
}

fn text(lines: &[LogLine]) -> String {
    lines.iter().map(|line| format!("{}\n", line.text)).collect()
}

fn unpack(workspace: &Workspace, sha: &str, into: &Path) {
    std::fs::create_dir(into).unwrap();
    let path = Artifacts::of(workspace).unwrap().open(sha).unwrap();
    assert!(Command::new("tar").arg("-xzf").arg(path).arg("-C").arg(into).status().unwrap().success());
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().unwrap().permissions().mode() & 0o777
}

fn can_sandbox() -> bool {
    Command::new("bwrap")
        .args(["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-pid", "true"])
        .status()
        .is_ok_and(|s| s.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_becomes_the_same_artifact_wherever_it_is_built() {
    let bed = Bed::new();
    let commit = bed.git("shop", APP, Some("v1"));
    let mut first = bed.pack("first", "nothing-like-it", "#!/bin/sh\nexit 1\n");
    let mut second = bed.pack("second", "marker", PACK);
    let third = bed.pack("a-third", "marker", "#!/bin/sh\nexit 1\n");
    (first.order, second.order) = (1, 2);
    let job = bed.job("b1", "v1", vec![BuildpackRef { order: 3, ..third }, second, first]);
    let home = bed.workspace("home");
    let (built, lines) = run(&job, &home).await;
    let built = built.unwrap_or_else(|fault| panic!("{fault}\n{}", text(&lines)));
    assert_eq!((built.commit.as_str(), built.reference, built.buildpack.as_str()), (commit.as_str(), Reference::Tag, "second"));
    assert_eq!(built.env.get("LANGUAGE").unwrap(), "x");
    assert_eq!(built.env.get("EXPORTED").unwrap(), "yes", "export is sourced before release");
    assert_eq!(built.procfile.names(), "web, console");
    let stages: Vec<Stage> = lines.iter().filter(|line| line.kind == LineKind::Stage).map(|line| line.stage).collect();
    assert_eq!(stages, Stage::ALL);
    assert!(lines.iter().any(|line| line.kind == LineKind::Output
        && line.stage == Stage::Compile
        && line.text.contains("-----> building with stack none")));
    assert!(lines.iter().any(|line| line.kind == LineKind::Warning && line.text.contains("../other")));
    assert!(!text(&lines).contains("cache hit"));
    let kept = std::fs::read_to_string(&built.log_path).unwrap();
    assert_eq!(kept.lines().count(), lines.len());
    assert_eq!(mode(&built.log_path), 0o600);
    assert_eq!(mode(&home.data), 0o700);

    let out = bed.path("out");
    unpack(&home, &built.artifact, &out);
    for (file, there) in
        [("bin/hi", true), (".profile.d/x.sh", true), ("src/docs/b", false), ("docs/a", false), ("Procfile", true), (".git", false)]
    {
        assert_eq!(out.join(file).exists(), there, "{file}");
    }
    assert_eq!(mode(&out.join("bin/hi")), 0o755, "the umask of a build does not reach the host");

    // The job from the log, read back, is the same build (VR-23).
    let yaml: String = lines.iter().filter_map(|line| line.text.strip_prefix("  ")).map(|line| format!("{line}\n")).collect();
    let again: Job = serde_yaml::from_str(&yaml).unwrap();
    assert_eq!((again.commit.as_deref(), again.version.as_str()), (Some(commit.as_str()), "v1"));

    let (warm, lines) = run(&again, &home).await;
    let warm = warm.unwrap();
    assert!(text(&lines).contains("cache hit"), "{}", text(&lines));
    assert_eq!((&warm.artifact, &warm.identity), (&built.artifact, &built.identity));
    let (forced, lines) = run(&Job { force: true, ..job.clone() }, &home).await;
    assert!(!text(&lines).contains("cache hit"));
    assert_eq!(forced.unwrap().artifact, built.artifact);
    assert_eq!(std::fs::read_dir(home.own_dir("work").unwrap()).unwrap().count(), 0, "rooms are cleared");
    if can_sandbox() {
        assert!(built.sandboxed);
        let (other, _) = run(&job, &bed.workspace("elsewhere")).await;
        assert_eq!(other.unwrap().artifact, built.artifact);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_branch_or_buildpack_is_another_build() {
    let bed = Bed::new();
    let old = bed.git("shop", APP, Some("v1"));
    let pack = bed.pack("pack", "marker", PACK);
    let home = bed.workspace("home");
    let job = bed.job("b1", "main", vec![pack.clone()]);
    let before = identify(&job, &home, &|_| {}).await.unwrap();
    assert_eq!((before.commit.as_str(), before.reference), (old.as_str(), Reference::Branch));
    assert_eq!(identify(&bed.job("b2", "v1", vec![pack.clone()]), &home, &|_| {}).await.unwrap().identity, before.identity);
    assert_eq!(identify(&bed.job("b3", &old[..10], vec![pack.clone()]), &home, &|_| {}).await.unwrap().reference, Reference::Revision);

    let new = bed.git("shop", &[("news", "x")], None);
    let after = identify(&job, &home, &|_| {}).await.unwrap();
    assert_eq!(after.commit, new);
    // A git that was killed while it fetched leaves locks; they are no one's.
    for mirror in std::fs::read_dir(home.own_dir("mirrors").unwrap()).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        for lock in ["packed-refs.lock", "HEAD.lock", "refs/heads/main.lock"] {
            std::fs::write(mirror.path().join(lock), "").unwrap();
        }
    }
    let newest = bed.git("shop", &[("news", "y")], None);
    assert_eq!(identify(&job, &home, &|_| {}).await.unwrap().commit, newest);
    let after = identify(&job, &home, &|_| {}).await.unwrap();
    assert_ne!(after.identity, before.identity);
    let (built, _) = run(&job.pinned_to(&before), &home).await;
    assert_eq!(built.unwrap().commit, old, "what was identified is what is built");

    let was = before.buildpacks[0].commit.clone();
    bed.git("pack", &[("more", "x")], None);
    let newer = identify(&job, &home, &|_| {}).await.unwrap();
    assert_ne!((&newer.identity, &newer.buildpacks[0].commit), (&after.identity, &was));
    let pinned = BuildpackRef { url: format!("{}#{was}", pack.url), ..pack };
    assert_eq!(identify(&bed.job("b4", "main", vec![pinned]), &home, &|_| {}).await.unwrap().identity, after.identity);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_compile_says_its_stage_and_last_lines_and_keeps_the_log() {
    let bed = Bed::new();
    bed.git("shop", APP, Some("v1"));
    let pack = bed.pack("pack", "marker", "#!/bin/sh\necho one\nprintf '\\033[31mno such package: left-pad\\033[0m\\n' >&2\nexit 7\n");
    let home = bed.workspace("home");
    let (built, _) = run(&bed.job("b1", "v1", vec![pack]), &home).await;
    let fault = built.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Failed);
    let line = fault.line();
    for part in ["build, compile: ", "exit 7", "no such package: left-pad", "build-b1.log"] {
        assert!(line.contains(part), "{line}");
    }
    let log = std::fs::read_to_string(home.data.join("logs/build-b1.log")).unwrap();
    assert!(log.contains("    \u{1b}[31mno such package: left-pad\u{1b}[0m\n") && log.contains("!!! failed: build, compile"), "{log}");
    assert_eq!(std::fs::read_dir(home.own_dir("cache").unwrap()).unwrap().count(), 0);
    assert!(Artifacts::of(&home).unwrap().list().unwrap().is_empty());
}

/// Is there a process with this word on its command line?
fn runs(word: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).split('\0').any(|part| part == word)
    })
}

async fn gone(word: &str) {
    for _ in 0..200 {
        if !runs(word) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("sleep {word} still runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_or_cancelled_build_ends_with_all_its_processes() {
    let bed = Bed::new();
    bed.git("shop", APP, Some("v1"));
    for (at, plain) in [false, true].into_iter().enumerate() {
        let word = format!("9{}{at}.5", std::process::id());
        let compile = format!("#!/bin/sh\necho begun\nsleep {word} &\nsleep {word}\n");
        let pack = bed.pack(&format!("pack{at}"), "marker", &compile);
        let home = Workspace { plain, ..bed.workspace(&format!("home{at}")) };
        let mut job = bed.job("b1", "v1", vec![pack]);

        let (sink, mut lines) = mpsc::unbounded_channel();
        let (stop, cancel) = watch::channel(false);
        let (task, whole) = (job.clone(), home.clone());
        let building = tokio::spawn(async move { build(&task, &whole, &sink, cancel).await });
        while lines.recv().await.is_some_and(|line| line.text != "begun") {}
        assert!(!building.is_finished(), "it streams while it runs");
        for _ in 0..200 {
            if runs(&word) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        assert!(runs(&word));
        stop.send(true).unwrap();
        assert_eq!(building.await.unwrap().unwrap_err().kind, FaultKind::Interrupted);
        gone(&word).await;

        job.limit = Duration::from_secs(3);
        let (built, lines) = run(&job, &home).await;
        let fault = built.unwrap_err();
        assert!(fault.what.contains("longer than 3s; it hung at compile"), "{fault}");
        assert!(text(&lines).contains("begun"));
        gone(&word).await;
        assert_eq!(
            text(&lines).contains("not sandboxed: bubblewrap cannot be used here because"),
            plain || !can_sandbox(),
            "{}",
            text(&lines)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_one_clear_fault() {
    let bed = Bed::new();
    bed.git("shop", &[("x", "")], Some("v1"));
    let pack = bed.pack("pack", "marker", PACK);
    let home = bed.workspace("home");
    for version in ["v1;touch pwned", "$(touch pwned)", "--upload-pack=touch", "`id`", "v1..v2"] {
        let fault = run(&bed.job("b1", version, vec![pack.clone()]), &home).await.0.unwrap_err();
        assert_eq!(fault.kind, FaultKind::BadInput, "{fault}");
    }
    assert!(!home.data.exists(), "nothing was begun");
    let missing = run(&bed.job("b1", "v9", vec![pack.clone()]), &home).await.0.unwrap_err();
    assert!(
        missing.kind == FaultKind::BadInput && missing.line().contains("build, source: ") && missing.what.contains("`v9`"),
        "{missing}"
    );
    let unknown = run(&bed.job("b1", "v1", vec![pack.clone()]), &home).await.0.unwrap_err();
    assert!(unknown.line().contains("build, detect: no buildpack knows this app; asked were pack"), "{unknown}");
    let job = Job { pinned: Some("nope".into()), ..bed.job("b1", "v1", vec![pack.clone()]) };
    assert!(run(&job, &home).await.0.unwrap_err().what.contains("no buildpack `nope`"));
    let job = Job { pinned: Some("pack".into()), ..bed.job("b1", "v1", vec![pack.clone()]) };
    let (built, lines) = run(&job, &home).await;
    assert_eq!(built.unwrap().procfile.names(), "console", "the default process stands in");
    assert!(text(&lines).contains("detect is skipped"));
    bed.git("shop", &[("Procfile", "web: x\nweb-2: y\n")], Some("v2"));
    let bad = run(&Job { version: "v2".into(), ..job }, &home).await.0.unwrap_err();
    assert!(bad.line().contains("build, procfile: Procfile:2: `web-2`"), "{bad}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hg_repositories_build_too() {
    let bed = Bed::new();
    bed.write("shop", APP);
    bed.hg("shop", &["init"]);
    bed.hg("shop", &["commit", "-A", "-q", "-m", "x"]);
    bed.hg("shop", &["tag", "v1"]);
    bed.hg("shop", &["bookmark", "-r", "0", "stable"]);
    let pack = bed.pack("pack", "marker", PACK);
    bed.write("hgpack", &[]);
    std::fs::create_dir_all(bed.path("hgpack/bin")).unwrap();
    for script in ["detect", "compile"] {
        std::fs::copy(bed.path("pack/bin").join(script), bed.path("hgpack/bin").join(script)).unwrap();
    }
    bed.hg("hgpack", &["init"]);
    bed.hg("hgpack", &["commit", "-A", "-q", "-m", "x"]);
    let hgpack = BuildpackRef { url: bed.path("hgpack").display().to_string(), repo_type: RepoType::Hg, ..pack.clone() };
    let home = bed.workspace("home");
    let job = Job { repo_type: RepoType::Hg, ..bed.job("b1", "v1", vec![hgpack]) };
    let (built, lines) = run(&job, &home).await;
    let built = built.unwrap_or_else(|fault| panic!("{fault}\n{}", text(&lines)));
    assert_eq!((built.reference, built.procfile.names().as_str()), (Reference::Tag, "web"));
    let out = bed.path("out");
    unpack(&home, &built.artifact, &out);
    assert!(out.join("bin/hi").exists() && !out.join(".hg").exists() && !out.join(".hg_archival.txt").exists());
    for (version, reference) in
        [("stable", Reference::Bookmark), ("default", Reference::Branch), (&built.commit[..12], Reference::Revision)]
    {
        let found = identify(&Job { version: version.into(), ..job.clone() }, &home, &|_| {}).await.unwrap();
        assert_eq!(found.reference, reference, "{version}");
    }
    let missing = identify(&Job { version: "v9".into(), ..job.clone() }, &home, &|_| {}).await.unwrap_err();
    assert!(missing.kind == FaultKind::BadInput && missing.what.contains("`v9`"), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandboxed_build_sees_no_home_and_writes_nothing_outside() {
    if !can_sandbox() {
        eprintln!("skipped: needs bubblewrap");
        return;
    }
    let bed = Bed::new();
    bed.git("shop", APP, Some("v1"));
    let home = Workspace { hide: vec![bed.path("hidden")], ..bed.workspace("home") };
    std::fs::create_dir_all(&home.data).unwrap();
    std::fs::create_dir_all(bed.path("hidden")).unwrap();
    for place in [home.data.join("secret"), bed.path("hidden/secret"), bed.path("seen")] {
        std::fs::write(place, "s").unwrap();
    }
    let compile = format!(
        "#!/bin/sh\ncd {0}\nfor f in home/secret hidden/secret home/mirrors $HOME/.ssh /run/user; do test -e $f && echo \"sees $f\"; done\n\
         test -r seen && echo control\ntouch {0}/made 2>/dev/null && echo wrote\nls -A /root /home {0}/home 2>/dev/null | grep -v : | grep . && echo listed\n\
         ls /proc | grep -c '^[0-9]' | sed 's/^/procs /'\nid -u | sed 's/^/uid /'\nenv | sort | sed 's/=.*//' | grep -v PWD | tr '\\n' ' '\n",
        bed.dir.path().display()
    );
    let pack = bed.pack("pack", "marker", &compile);
    let (built, lines) = run(&bed.job("b1", "v1", vec![pack]), &home).await;
    let out = text(&lines);
    assert!(built.unwrap_or_else(|fault| panic!("{fault}\n{out}")).sandboxed);
    let elsewhere = ["/home", "/root", "/tmp", "/var/tmp"].iter().any(|place| bed.dir.path().starts_with(place));
    let own = std::env::var_os("HOME").is_some_and(|place| bed.dir.path().starts_with(place));
    assert!(out.contains("\ncontrol\n") || elsewhere || own, "{out}");
    for not in ["sees ", "wrote", "listed"] {
        assert!(!out.lines().any(|line| line.starts_with(not)), "{not}: {out}");
    }
    assert!(!bed.path("made").exists());
    if nix::unistd::geteuid().is_root() {
        assert!(out.contains("\nuid 65534\n"), "{out}");
    }
    let procs = out.lines().find_map(|line| line.strip_prefix("procs ")).unwrap();
    assert!(procs.parse::<u32>().unwrap() < 10, "{procs}");
    assert!(out.contains("HOME LANG PATH SOURCE_VERSION STACK TMPDIR"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_build_of_an_app_waits_and_says_so() {
    let bed = Bed::new();
    bed.git("shop", APP, Some("v1"));
    let pack = bed.pack("pack", "marker", &format!("{PACK}\nwhile [ ! -e /usr/share/doc/none ] && [ ! -e \"$CACHE_DIR/go\" ]; do sleep 0.05; i=$((${{i:-0}}+1)); [ $i -lt 30 ] || break; done\n"));
    let home = bed.workspace("home");
    let (one, two) = (bed.job("one", "v1", vec![pack.clone()]), bed.job("two", "v1", vec![pack]));
    let ((a, first), (b, second)) = tokio::join!(run(&one, &home), run(&two, &home));
    assert_eq!(a.unwrap().artifact, b.unwrap().artifact);
    let waited = |lines: &[LogLine], other: &str| text(lines).contains(&format!("waiting for build {other} of shop v1, pid "));
    assert!(waited(&first, "two") || waited(&second, "one"), "{}\n{}", text(&first), text(&second));
    assert!(text(&first).contains("cache hit") != text(&second).contains("cache hit"));
}

/// A web server that gives files only to `op` with the password `s3cr@t`; it ends with its standard input.
const SERVER: &str = r#"
import base64, http.server, sys, threading
want = 'Basic ' + base64.b64encode(b'op:s3cr@t').decode()
class H(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get('Authorization') != want:
            self.send_response(401); self.send_header('WWW-Authenticate', 'Basic realm="x"'); self.end_headers(); return
        super().do_GET()
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), H)
print(s.server_port, flush=True)
threading.Thread(target=s.serve_forever, daemon=True).start()
sys.stdin.read()
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_a_url_works_and_is_shown_nowhere() {
    use std::io::BufRead;
    let bed = Bed::new();
    bed.git("shop", APP, Some("v1"));
    let pack = bed.pack("pack", "marker", PACK);
    assert!(Command::new("git").arg("update-server-info").current_dir(bed.path("shop")).status().unwrap().success());
    let mut server = Command::new("python3");
    server.args(["-c", SERVER]).current_dir(bed.path("shop")).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut server = server.spawn().unwrap();
    let mut port = String::new();
    std::io::BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let job = |password: &str| Job {
        repo_url: format!("http://op:{password}@127.0.0.1:{}/.git", port.trim()),
        ..bed.job("b1", "v1", vec![pack.clone()])
    };
    let home = bed.workspace("home");
    let (built, lines) = run(&job("s3cr%40t"), &home).await;
    let (refused, worse) = run(&job("wr0ng"), &bed.workspace("other")).await;
    drop(server.stdin.take());
    server.wait().unwrap();
    built.unwrap_or_else(|fault| panic!("{fault}\n{}", text(&lines)));
    let refused = refused.unwrap_err();
    assert!(refused.line().contains("build, source: "), "{refused}");
    let said = text(&lines) + &text(&worse) + &refused.line();
    assert!(!said.contains("s3cr") && !said.contains("wr0ng"), "{said}");
    let kept = Command::new("grep").arg("-rlE").arg("s3cr|wr0ng").args([&home.data, &bed.path("other")]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&kept.stdout), "");
}
