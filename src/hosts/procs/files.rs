//! The files of a proc, rendered from its release: proc.yaml, settings.yaml, env, run, stamp, proc.conf (velociraptor.md part 4).

use super::script;
use crate::model::entity::RepoType;
use crate::model::quote::quote;
use crate::model::release::Release;
use crate::model::{Fault, Result, name};
use serde_json::json;
use std::time::Duration;

/// One proc to be: what its files are rendered from.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcSpec {
    /// Supervisor program and directory ([`name::ProcName`]).
    pub name: String,
    /// Unique to this making of the proc: a later proc of the same name is another instance (W17).
    pub instance: String,
    pub installation: String,
    pub swarm_id: String,
    pub dispatch_id: String,
    pub host_name: String,
    /// 0 is none.
    pub port: u16,
    pub release: Release,
    /// How long it may take to end after SIGTERM.
    pub stop_timeout: Duration,
    /// The host's root directory.
    pub root: String,
}

impl ProcSpec {
    /// `<root>/procs/<name>`.
    pub fn dir(&self) -> String {
        format!("{}/procs/{}", self.root, self.name)
    }

    /// Refuses what no file could carry safely.
    ///
    /// # Errors
    /// Bad input: names, root, user, artifact, environment names, NUL bytes; a volume or limit that `process` cannot keep.
    pub fn check(&self) -> Result<()> {
        script::check_root(&self.root)?;
        script::check_name(&self.name)?;
        for (what, id) in [("proc instance", &self.instance), ("installation", &self.installation), ("artifact", &self.release.artifact)] {
            script::check_id(what, id)?;
        }
        name::user(&self.release.run_as)?;
        refuse_unkeepable(&self.release)?;
        if self.release.command.trim().is_empty() {
            return Err(Fault::bad(format!("the Procfile's command for '{}' is empty", self.release.proc_name)).next("mend the Procfile"));
        }
        for (key, value) in &self.release.env {
            let head = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if !head || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(Fault::bad(format!("'{key}' cannot be the name of an environment variable"))
                    .next("use letters, digits and '_', not starting with a digit"));
            }
            if value.contains('\0') {
                return Err(Fault::bad(format!("the environment variable {key} holds a NUL byte")).next("take it out"));
            }
        }
        if self.release.command.contains('\0') {
            return Err(Fault::bad("the Procfile's command holds a NUL byte"));
        }
        Ok(())
    }
}

/// Refuses, by name, what the release asks for and its runtime cannot keep; nothing is ever ignored (DESIGN part 5).
///
/// # Errors
/// Bad input, naming the volume or limit.
pub fn refuse_unkeepable(release: &Release) -> Result<()> {
    let next = "take it out of the swarm, or choose a runtime that has containers";
    if !matches!(release.runtime.as_str(), "" | "process") {
        return Err(Fault::bad(format!("the runtime '{}' is not known", release.runtime)).next("use process"));
    }
    if let Some((outside, inside)) = release.volumes.first() {
        return Err(Fault::bad(format!("the runtime 'process' cannot mount the volume {outside} at {inside}")).next(next));
    }
    for (key, limit) in [("mem_limit", release.mem_limit), ("memsw_limit", release.memsw_limit)] {
        if let Some(limit) = limit {
            return Err(Fault::bad(format!("the runtime 'process' cannot keep {key} {limit}")).next(next));
        }
    }
    Ok(())
}

fn yaml(value: &serde_json::Value) -> Result<String> {
    let mut text =
        serde_yaml::to_string(value).map_err(|error| Fault::bad(format!("a file of the proc cannot be written as YAML: {error}")))?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// `proc.yaml`: every key of Velociraptor's that applies, and our stamp. Holds secrets: 0600, root's.
pub fn proc_yaml(spec: &ProcSpec) -> Result<String> {
    let release = &spec.release;
    let repo_type = if release.app_repo_type == RepoType::Hg { "hg" } else { "git" };
    // Velociraptor's group is always nogroup; ours is the user's own, which only for nobody is the same.
    let group = if release.run_as == "nobody" { json!("nogroup") } else { json!(null) };
    yaml(&json!({
        "app_name": release.app,
        "app_repo_url": release.app_repo_url,
        "app_repo_type": repo_type,
        "version": release.version,
        "commit": release.commit,
        "release_hash": release.short(),
        "release": release.id,
        "config_name": release.config_name,
        "proc_name": release.proc_name,
        "host": spec.host_name,
        "port": spec.port,
        "settings": release.config,
        "env": release.env,
        "user": release.run_as,
        "group": group,
        "build_url": format!("file://{}/builds/{}", spec.root, release.artifact),
        "build_sha256": release.artifact,
        "buildpack_url": release.buildpack_url,
        "buildpack_version": release.buildpack_commit,
        "volumes": release.volumes,
        "mem_limit": release.mem_limit,
        "memsw_limit": release.memsw_limit,
        "cmd": release.command,
        "swarmdeck": {
            "installation": spec.installation,
            "swarm": spec.swarm_id,
            "dispatch": spec.dispatch_id,
            "instance": spec.instance,
        },
    }))
}

/// `settings.yaml`: the compiled config. May hold secrets: 0400, its user's.
pub fn settings_yaml(spec: &ProcSpec) -> Result<String> {
    yaml(&serde_json::Value::Object(spec.release.config.clone()))
}

/// `stamp`: `key=value` lines for the observer, without secrets.
pub fn stamp(spec: &ProcSpec) -> String {
    let release = &spec.release;
    let port = spec.port.to_string();
    let pairs = [
        ("installation", spec.installation.as_str()),
        ("swarm", &spec.swarm_id),
        ("dispatch", &spec.dispatch_id),
        ("instance", &spec.instance),
        ("app", &release.app),
        ("version", &release.version),
        ("config", &release.config_name),
        ("release", &release.id),
        ("proc", &release.proc_name),
        ("port", &port),
        ("run_as", &release.run_as),
        ("artifact", &release.artifact),
    ];
    let plain = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
    pairs.iter().map(|(key, value)| format!("{key}={}\n", plain(value))).collect()
}

/// An environment value, as the host is to understand it (VR-16).
///
/// A value that is `$NAME` and nothing else (`NAME`: capitals, digits and `_`) is the variable NAME of the host when the proc is
/// set up: of the privileged user's environment there, else of `/etc/environment`; a host without it refuses. A value that is
/// `$$NAME` means the text `$NAME`. Every other value is the text that it is: no `$`, backtick or quote in it does anything.
#[derive(Debug, PartialEq, Eq)]
pub enum EnvValue<'a> {
    Text(&'a str),
    OfHost(&'a str),
}

/// Reads a value by the rule of [`EnvValue`].
pub fn env_value(value: &str) -> EnvValue<'_> {
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
            && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    match value.strip_prefix('$') {
        Some(rest) if is_name(rest) => EnvValue::OfHost(rest),
        Some(rest) if rest.strip_prefix('$').is_some_and(is_name) => EnvValue::Text(rest),
        _ => EnvValue::Text(value),
    }
}

/// `env`: one `export` per variable, each value quoted (W23). Holds secrets: 0400, its user's. Variables of the host are
/// appended there ([`env_of_host`]).
pub fn env(spec: &ProcSpec) -> String {
    let text = |(key, value): (&String, &String)| match env_value(value) {
        EnvValue::Text(text) => Some(format!("export {key}={}\n", quote(text))),
        EnvValue::OfHost(_) => None,
    };
    spec.release.env.iter().filter_map(text).collect()
}

/// (variable of the proc, variable of the host) for the values that the host knows.
pub fn env_of_host(spec: &ProcSpec) -> Vec<(&str, &str)> {
    let mut pairs = Vec::new();
    for (key, value) in &spec.release.env {
        if let EnvValue::OfHost(name) = env_value(value) {
            pairs.push((key.as_str(), name));
        }
    }
    pairs
}

/// `run`: what Supervisor starts. Called as the privileged user it becomes the proc's user with an empty environment; then env,
/// `.profile.d`, env again, and last, by an `env` that nothing in those can reach, the settings' place and the port (VR-57).
/// Each start is a line of the log ([`super::logs::START`]): where one life ends and the next begins.
/// `run exec COMMAND…` does the same for another command (uptests, a shell). bash where there is one: `.profile.d` scripts
/// of Heroku's buildpacks are written for it.
pub fn run(spec: &ProcSpec) -> String {
    let dir = spec.dir();
    let user = quote(&spec.release.run_as);
    let last = format!(
        "/usr/bin/env PORT={} APP_SETTINGS_YAML={} SWARMDECK_INSTANCE={}",
        spec.port,
        quote(&format!("{dir}/settings.yaml")),
        quote(&spec.instance)
    );
    format!(
        r#"#!/bin/sh
# The entry of the proc {name}; made by swarmdeck, replaced with each dispatch.
if [ "${{1-}}" != inside ]; then
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  [ "${{1-}}" = exec ] || echo "{mark}$$ at $(date -u +%FT%TZ)"
  shell=/bin/sh
  [ ! -x /bin/bash ] || shell=/bin/bash
  set -- "$shell" {file} inside "$shell" "$@"
  if [ "$(id -u)" = 0 ]; then
    set -- setpriv --reuid {user} --regid "$(id -g {user})" --init-groups --inh-caps=-all -- "$@"
  fi
  exec env -i PATH="$PATH" LANG=C.UTF-8 USER={user} LOGNAME={user} SHELL="$shell" SWARMDECK_INSTANCE={instance} "$@"
fi
shift
cd {app} || exit 111
HOME={app} TMPDIR=/tmp
export HOME TMPDIR
load() {{
  . {env}
  for file in .profile.d/*.sh; do [ ! -f "$file" ] || . "./$file"; done
  . {env}
}}
load
set +efu
if [ "${{2-}}" = exec ]; then
  shift 2
  exec {last} "$@"
fi
exec {last} "$1" -c {command}
"#,
        name = spec.name,
        mark = super::logs::START,
        file = quote(&format!("{dir}/run")),
        app = quote(&format!("{dir}/app")),
        env = quote(&format!("{dir}/env")),
        instance = quote(&spec.instance),
        command = quote(&spec.release.command),
    )
}

/// `proc.conf`: the Supervisor program. No environment in it, and every `%` doubled for Supervisor's expansion.
pub fn proc_conf(spec: &ProcSpec) -> String {
    let dir = spec.dir().replace('%', "%%");
    let seconds = spec.stop_timeout.as_secs() + u64::from(spec.stop_timeout.subsec_nanos() > 0);
    format!(
        "; Made by swarmdeck; removed with its proc.\n[program:{name}]\ncommand={dir}/run\ndirectory={dir}/app\nautostart=true\n\
         autorestart=true\nstartsecs=1\nstopsignal=TERM\nstopwaitsecs={seconds}\nstopasgroup=true\nkillasgroup=true\n\
         redirect_stderr=true\nstdout_logfile={dir}/log\nstdout_logfile_maxbytes=10MB\nstdout_logfile_backups=1\n",
        name = spec.name,
    )
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use indexmap::IndexMap;

    /// A spec to change in tests.
    pub fn spec(root: &str) -> ProcSpec {
        let release = Release {
            id: String::new(),
            build: "b1".into(),
            artifact: "ab".repeat(32),
            app: "shop".into(),
            app_repo_url: "/srv/git/shop.git".into(),
            app_repo_type: RepoType::Git,
            version: "v1".into(),
            commit: "c0ffee".into(),
            proc_name: "web".into(),
            config_name: "prod".into(),
            command: "python3 app.py $PORT".into(),
            config: json!({"greeting": "hi"}).as_object().unwrap().clone(),
            env: IndexMap::new(),
            volumes: vec![],
            run_as: "nobody".into(),
            mem_limit: None,
            memsw_limit: None,
            runtime: "process".into(),
            uptests: vec![],
            buildpack_url: "/srv/git/bp.git".into(),
            buildpack_commit: "beef".into(),
            created_ms: 0,
        }
        .sealed();
        ProcSpec {
            name: "shop-v1-prod-00000000-web-5000".into(),
            instance: "0199-instance".into(),
            installation: "here-1".into(),
            swarm_id: "swarm-1".into(),
            dispatch_id: "d1".into(),
            host_name: "web01".into(),
            port: 5000,
            release,
            stop_timeout: Duration::from_secs(3),
            root: root.into(),
        }
    }

    #[test]
    fn proc_yaml_has_every_key_and_the_stamp() {
        let text = proc_yaml(&spec("/apps")).unwrap();
        let read: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        for key in [
            "app_name",
            "app_repo_url",
            "app_repo_type",
            "version",
            "release_hash",
            "config_name",
            "proc_name",
            "host",
            "port",
            "settings",
            "env",
            "user",
            "group",
            "build_url",
            "build_sha256",
            "buildpack_url",
            "buildpack_version",
            "volumes",
            "mem_limit",
            "memsw_limit",
            "cmd",
        ] {
            assert!(read.get(key).is_some(), "{key} is missing in\n{text}");
        }
        assert_eq!(read["swarmdeck"], json!({"installation": "here-1", "swarm": "swarm-1", "dispatch": "d1", "instance": "0199-instance"}));
        assert_eq!(read["group"], "nogroup");
    }

    #[test]
    fn no_secret_is_in_the_files_that_others_may_read() {
        let mut spec = spec("/apps");
        spec.release.env.insert("DB_PASSWORD".into(), "hunter2".into());
        spec.release.config.insert("token".into(), json!("hunter2"));
        for text in [stamp(&spec), run(&spec), proc_conf(&spec)] {
            assert!(!text.contains("hunter2"), "{text}");
        }
        assert!(env(&spec).contains("hunter2") && settings_yaml(&spec).unwrap().contains("hunter2"));
    }

    #[test]
    fn what_the_process_runtime_cannot_keep_is_refused_by_name() {
        let mut spec = spec("/apps");
        assert!(refuse_unkeepable(&spec.release).is_ok());
        spec.release.mem_limit = Some("256M".parse().unwrap());
        assert!(refuse_unkeepable(&spec.release).unwrap_err().what.contains("mem_limit 256M"));
        spec.release.volumes.push(("/var/data".into(), "/data".into()));
        assert!(spec.check().unwrap_err().what.contains("/var/data at /data"));
    }

    #[test]
    fn a_value_of_the_host_is_only_a_whole_name_in_capitals() {
        assert_eq!(env_value("$HOSTNAME"), EnvValue::OfHost("HOSTNAME"));
        assert_eq!(env_value("$$HOSTNAME"), EnvValue::Text("$HOSTNAME"));
        for text in ["$ecret", "$", "$$", "$HOME/x", "a$HOME", "${HOME}", "$(id)", "$1A", "$$x"] {
            assert_eq!(env_value(text), EnvValue::Text(text));
        }
    }

    #[test]
    fn names_and_bytes_that_no_shell_can_carry_are_refused() {
        for (key, value) in [("A B", "x"), ("1A", "x"), ("A;id", "x"), ("", "x"), ("A", "x\0y")] {
            let mut spec = spec("/apps");
            spec.release.env.insert(key.into(), value.into());
            assert!(spec.check().is_err(), "{key:?} {value:?}");
        }
    }

    #[test]
    fn a_percent_sign_is_doubled_for_supervisor() {
        let mut spec = spec("/apps");
        spec.root = "/ap%ps".into();
        assert!(proc_conf(&spec).contains("command=/ap%%ps/procs/"));
        assert!(spec.check().is_err(), "a root is plain anyway");
    }
}
