//! What the demo deploys: repositories of the sample shop (tags v1 and v2) and of its buildpack, made from what this binary carries.

use super::home::io;
use crate::model::{Fault, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tokio::process::Command;

/// Path and text.
type File = (&'static str, &'static str);

macro_rules! files {
    ($dir:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../../fixtures/", $dir, "/", $path)))),+]
    };
}

const V1: &[File] = files!("shop": ".profile.d/shop.sh", ".slugignore", "Procfile", "README.md", "VERSION", "greeting.txt", "settings.py",
    "web.py", "worker.py", "uptests/web/01-health", "uptests/worker/01-settings");
const V2: &[File] = files!("shop-v2": "VERSION", "greeting.txt");
const BUILDPACK: &[File] = files!("buildpack": "bin/detect", "bin/compile", "bin/release");

/// Makes the repositories `shop` and `buildpack` below `dir` where they are not there yet; whole or not at all.
pub async fn make(git: &Path, dir: &Path) -> Result<()> {
    repository(git, dir, "shop", &[(V1, "v1"), (V2, "v2")]).await?;
    repository(git, dir, "buildpack", &[(BUILDPACK, "v1")]).await
}

async fn repository(git: &Path, dir: &Path, name: &str, versions: &[(&[File], &str)]) -> Result<()> {
    let place = dir.join(name);
    if place.exists() {
        return Ok(());
    }
    let making = dir.join(format!(".{name}"));
    if making.exists() {
        fs::remove_dir_all(&making).map_err(io(&making))?;
    }
    fs::create_dir_all(&making).map_err(io(&making))?;
    run(git, &making, &["init", "--quiet"]).await?;
    run(git, &making, &["symbolic-ref", "HEAD", "refs/heads/main"]).await?;
    for (files, tag) in versions {
        for (path, text) in *files {
            let program = path.starts_with("bin/") || path.starts_with("uptests/");
            let file = making.join(path);
            let parent = file.parent().unwrap_or(&making);
            fs::create_dir_all(parent).map_err(io(parent))?;
            fs::write(&file, text).map_err(io(&file))?;
            fs::set_permissions(&file, fs::Permissions::from_mode(if program { 0o755 } else { 0o644 })).map_err(io(&file))?;
        }
        run(git, &making, &["add", "--all", "--force", "."]).await?;
        run(git, &making, &["commit", "--quiet", "--message", &format!("The {name}, {tag}")]).await?;
        run(git, &making, &["tag", tag]).await?;
    }
    fs::rename(&making, &place).map_err(io(&place))
}

/// git with nothing of the user's own configuration, hooks, keys or environment.
async fn run(git: &Path, dir: &Path, argv: &[&str]) -> Result<()> {
    let mut command = Command::new(git);
    command.args(["-c", "user.name=swarmdeck demo", "-c", "user.email=demo@localhost", "-c", "core.hooksPath=/dev/null"]);
    command.args(["-c", "core.fileMode=true"]).args(argv).current_dir(dir).stdin(std::process::Stdio::null());
    for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("GIT_")) {
        command.env_remove(key);
    }
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let done = command.output().await.map_err(|error| Fault::failed(format!("git cannot be run: {error}")))?;
    if done.status.success() {
        return Ok(());
    }
    let what = argv.first().copied().unwrap_or_default();
    Err(Fault::failed(format!("git {what} in {}: {}", dir.display(), String::from_utf8_lossy(&done.stderr).trim())))
}
