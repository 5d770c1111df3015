//! Heroku-style buildpacks, unmodified: `bin/detect`, `bin/compile`, `bin/release`, `export`.

use super::job::{Job, disk};
use super::log::Log;
use super::process::{self, Pipe};
use super::sandbox::{Room, Sandbox};
use super::tree;
use crate::model::{Fault, Result};
use indexmap::IndexMap;
use serde::Deserialize;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitStatus;

/// The directory of the room where the buildpack that is being asked lies.
pub const PACK: &str = "buildpack";
/// What compile gets as its cache lies one deeper than what is kept, because some packs delete the directory (velociraptor.md part 3).
const CACHE: &str = "cache/buildpack_cache";

/// What `bin/release` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Release {
    /// The build's part of the env.
    #[serde(default, deserialize_with = "texts")]
    pub config_vars: IndexMap<String, String>,
    /// Commands for processes that the Procfile does not have.
    #[serde(default, deserialize_with = "texts")]
    pub default_process_types: IndexMap<String, String>,
}

/// An absent, empty or filled mapping, scalars as they are written.
fn texts<'de, D: serde::Deserializer<'de>>(from: D) -> Result<IndexMap<String, String>, D::Error> {
    Ok(Option::<IndexMap<String, String>>::deserialize(from)?.unwrap_or_default())
}

/// One buildpack, checked out in the room of one build.
pub struct Buildpack<'a> {
    pub name: &'a str,
    pub room: &'a Room,
    pub sandbox: &'a Sandbox,
    pub log: &'a Log<'a>,
    pub job: &'a Job,
    pub commit: &'a str,
}

impl Buildpack<'_> {
    /// Makes the checked out files fit to run.
    pub fn prepare(&self) -> Result<()> {
        let path = self.room.path(PACK);
        for script in ["detect", "compile", "release"] {
            let script = path.join("bin").join(script);
            if tree::is_dir(&path.join("bin")) && script.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
                std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).map_err(|error| disk(&script, &error))?;
            }
        }
        self.sandbox.give(&path)
    }

    /// Does it know this app?
    pub async fn detect(&self) -> Result<bool> {
        if !self.has("bin/detect") {
            self.log.warn(format!("buildpack {}: it has no bin/detect", self.name));
            return Ok(false);
        }
        let mut said = String::new();
        let status = self.run(&[self.at("bin/detect"), self.at_build()], |_, line| said = line).await?;
        let known = status.success();
        let word = if known { "yes" } else { "no" };
        self.log.note(format!(
            "buildpack {}: {word} ({}{}{said})",
            self.name,
            process::ended(status),
            if said.is_empty() { "" } else { ", " }
        ));
        Ok(known)
    }

    /// Builds the app in place.
    pub async fn compile(&self) -> Result<()> {
        if !self.has("bin/compile") {
            return Err(Fault::failed(format!("buildpack {} has no bin/compile", self.name)));
        }
        let cache = self.room.path(CACHE);
        std::fs::create_dir_all(&cache).map_err(|error| disk(&cache, &error))?;
        self.sandbox.give(&self.room.path(""))?;
        let inside = |name: &str| self.sandbox.inside(self.room, name).into_os_string();
        let mut full = false;
        let argv = [self.at("bin/compile"), inside("build"), inside(CACHE), inside("env")];
        let status = self
            .run(&argv, |_, line| {
                full |= line.contains("No space left on device");
                self.log.output(line);
            })
            .await?;
        match (status.success(), full) {
            (true, _) => Ok(()),
            (false, true) => {
                Err(Fault::failed(format!("the disk is full, and buildpack {} ended with {}", self.name, process::ended(status))))
            }
            (false, false) => Err(Fault::failed(format!("buildpack {}: bin/compile ended with {}", self.name, process::ended(status)))),
        }
    }

    /// Asks for env and default processes; a pack without `bin/release` has none to give.
    pub async fn release(&self) -> Result<Release> {
        if !self.has("bin/release") {
            self.log.note(format!("buildpack {}: it has no bin/release", self.name));
            return Ok(Release::default());
        }
        let mut text = String::new();
        // What compile exported for those that come after it, as Heroku's build does.
        let script = r#"if [ -f "$1/export" ]; then . "$1/export"; fi; exec "$1/bin/release" "$2""#;
        let shell = if std::path::Path::new("/bin/bash").exists() { "bash" } else { "sh" };
        let argv: Vec<OsString> = vec![shell.into(), "-c".into(), script.into(), "release".into(), self.at(""), self.at_build()];
        let status = self
            .run(&argv, |pipe, line| match pipe {
                Pipe::Out if text.len() < 1 << 20 => {
                    text.push_str(&line);
                    text.push('\n');
                }
                _ => self.log.output(line),
            })
            .await?;
        if !status.success() {
            return Err(Fault::failed(format!("buildpack {}: bin/release ended with {}", self.name, process::ended(status))));
        }
        parse_release(&text)
            .map_err(|why| Fault::failed(format!("buildpack {}: what bin/release printed is not as it must be: {why}", self.name)))
    }

    fn has(&self, path: &str) -> bool {
        let pack = self.room.path(PACK);
        tree::is_dir(&pack) && pack.join(path).exists()
    }

    fn at(&self, path: &str) -> OsString {
        let pack = self.sandbox.inside(self.room, PACK);
        if path.is_empty() { pack.into_os_string() } else { pack.join(path).into_os_string() }
    }

    fn at_build(&self) -> OsString {
        self.sandbox.inside(self.room, "build").into_os_string()
    }

    async fn run(&self, argv: &[OsString], each: impl FnMut(Pipe, String)) -> Result<ExitStatus> {
        let mut command = self.sandbox.command(self.room, argv);
        command.env("STACK", self.job.stack.as_deref().unwrap_or("none")).env("SOURCE_VERSION", self.commit);
        process::lines(command, self.name, each).await
    }
}

fn parse_release(text: &str) -> Result<Release, String> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim() == "---" || line.trim_start().starts_with('#')) {
        return Ok(Release::default());
    }
    serde_yaml::from_str::<Option<Release>>(text).map(Option::unwrap_or_default).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_text_of_real_buildpacks_is_read() {
        let release = parse_release("---\naddons: []\nconfig_vars:\n  PATH: /app/bin:$PATH\n  V: 3.10\n  ON: yes\n  Q: \"x: y\"\ndefault_process_types:\n  web: ./serve\n").unwrap();
        assert_eq!(release.config_vars.values().collect::<Vec<_>>(), ["/app/bin:$PATH", "3.10", "yes", "x: y"]);
        assert_eq!(release.default_process_types.get("web").unwrap(), "./serve");
        for empty in ["", "---\n", "--- {}\n", "{}", "--- \nconfig_vars:\ndefault_process_types: {}\n"] {
            assert_eq!(parse_release(empty).unwrap(), Release::default(), "{empty:?}");
        }
        assert!(parse_release("config_vars: [1]").is_err());
    }
}
