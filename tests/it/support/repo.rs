//! Real git repositories made from `fixtures/`: the shop with its good and broken versions, and buildpacks that work, hang or fail.

use super::fixture;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A bare repository of the shop in `directory`, returned as a path that git takes as a URL. Its tags:
/// `v1`; `v2` (another greeting); `v-badtest` (its web uptest fails); `v-crash` (web dies at start with a KeyError);
/// `v-noprocfile`. The branch `main` is at v2.
pub fn shop(directory: &Path) -> PathBuf {
    let work = directory.join("shop-work");
    copy(&fixture("shop"), &work);
    git(&work, &["init", "-q", "-b", "main"]);
    commit(&work, "v1");
    copy(&fixture("shop-v2"), &work);
    commit(&work, "v2");
    variant(&work, "v-badtest", |tree| {
        write_executable(&tree.join("uptests/web/02-fails"), "#!/bin/sh\necho '100% wrong on purpose'\nexit 1\n");
    });
    variant(&work, "v-crash", |tree| {
        let web = fs::read_to_string(tree.join("web.py")).unwrap();
        fs::write(tree.join("web.py"), web.replace("os.environ[\"PORT\"]", "os.environ[\"NOBODY_SETS_THIS\"]")).unwrap();
    });
    variant(&work, "v-noprocfile", |tree| fs::remove_file(tree.join("Procfile")).unwrap());
    bare(&work, &directory.join("shop.git"))
}

/// A bare repository of the working buildpack of `fixtures/`.
pub fn buildpack(directory: &Path) -> PathBuf {
    let work = directory.join("buildpack-work");
    copy(&fixture("buildpack"), &work);
    git(&work, &["init", "-q", "-b", "main"]);
    commit(&work, "v1");
    bare(&work, &directory.join("buildpack.git"))
}

/// A buildpack whose compile prints a line and then never ends.
pub fn hanging_buildpack(directory: &Path) -> PathBuf {
    broken_buildpack(directory, "hanging", "echo 'about to hang'\nexec sleep 2147483647\n")
}

/// A buildpack whose compile prints a line, sleeps for so many seconds, and fails when that sleep has ended.
pub fn stuck_buildpack(directory: &Path, seconds: u64) -> PathBuf {
    broken_buildpack(directory, "stuck", &format!("echo 'about to hang'\nsleep {seconds}\nexit 3\n"))
}

/// A buildpack whose compile prints a line and then fails with exit 3.
pub fn failing_buildpack(directory: &Path) -> PathBuf {
    broken_buildpack(directory, "failing", "echo 'about to fail'\nexit 3\n")
}

/// A bare repository of these files (path, mode, text), tagged v1; each of `later` is a tag after it in which one file is another.
pub fn tree(directory: &Path, name: &str, files: &[(&str, u32, &str)], later: &[(&str, &str, &str)]) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let work = directory.join(format!("{name}-work"));
    for (path, mode, text) in files {
        let path = work.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
    }
    git(&work, &["init", "-q", "-b", "main"]);
    commit(&work, "v1");
    for (tag, path, text) in later {
        fs::write(work.join(path), text).unwrap();
        commit(&work, tag);
    }
    bare(&work, &directory.join(format!("{name}.git")))
}

/// The commit that a name (tag, branch) stands for.
pub fn commit_of(repository: &Path, name: &str) -> String {
    git(repository, &["rev-parse", &format!("{name}^{{commit}}")])
}

fn broken_buildpack(directory: &Path, name: &str, compile: &str) -> PathBuf {
    let work = directory.join(format!("{name}-work"));
    copy(&fixture("buildpack"), &work);
    write_executable(&work.join("bin/compile"), &format!("#!/bin/sh\n{compile}"));
    git(&work, &["init", "-q", "-b", "main"]);
    commit(&work, "v1");
    bare(&work, &directory.join(format!("{name}.git")))
}

/// A tag beside main, made from v1 by `change`.
fn variant(work: &Path, tag: &str, change: impl FnOnce(&Path)) {
    git(work, &["checkout", "-q", "--detach", "v1"]);
    change(work);
    fs::write(work.join("VERSION"), format!("{tag}\n")).unwrap();
    commit(work, tag);
    git(work, &["checkout", "-q", "main"]);
}

fn commit(work: &Path, tag: &str) {
    git(work, &["add", "-A", "-f"]);
    git(work, &["commit", "-q", "-m", tag]);
    git(work, &["tag", tag]);
}

fn bare(work: &Path, bare: &Path) -> PathBuf {
    let (from, to) = (work.to_str().unwrap(), bare.to_str().unwrap());
    git(work, &["clone", "-q", "--bare", from, to]);
    bare.to_owned()
}

/// Runs git with a fixed identity and without the user's own configuration.
fn git(directory: &Path, argv: &[&str]) -> String {
    let mut command = Command::new("git");
    command.arg("-C").arg(directory).args(["-c", "user.name=shop", "-c", "user.email=shop@example.org", "-c", "commit.gpgsign=false"]);
    command.args(argv).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.output().expect("git");
    assert!(output.status.success(), "git {argv:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    // Times of now: git takes a file of the same size with an older time for unchanged.
    let status = Command::new("cp").args(["-a", "--no-preserve=timestamps"]).arg(from.join(".")).arg(to).status().unwrap();
    assert!(status.success());
}

fn write_executable(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
