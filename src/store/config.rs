//! `config.yaml` of a home: few keys, each with a default, unknown ones refused with their line.

use crate::model::colour::Colour;
use crate::model::secret::Secrets;
use crate::model::units::Span;
use crate::model::{Result, yaml_text};
use serde::Deserialize;

/// What a home's config.yaml says.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The fleet's name, shown in the console's head.
    pub name: Option<String>,
    /// The colour of the console's head, as a name (red, yellow, green, blue, magenta, cyan, grey, white) or `#rrggbb`.
    pub colour: Option<Colour>,
    /// Whoever changes what runs in this fleet types its name.
    pub protect: bool,
    /// It is only looked at until `:write` (or `--write`) lifts that for a while, with a reason.
    pub read_only: bool,
    /// `postgres://…`; none = `store.sqlite` in the home.
    pub store: Option<String>,
    pub ssh: SshConfig,
    /// A regular expression for keys whose values are secret.
    pub secret_keys: Option<String>,
    /// How long a buildpack may take; an hour when nothing is said.
    pub build_limit: Option<Span>,
    /// In which zone the console shows times: utc, or local (this machine's).
    pub times: Zone,
    /// A theme's name: dark, light, mono, or a file in the user's themes.
    pub theme: Option<String>,
    /// A program and its arguments that is told, as JSON on its standard input, of what went wrong or ended.
    pub on_event: Vec<String>,
    /// Where a home is kept; only read from /etc/swarmdeck/config.yaml.
    pub home: Option<String>,
}

/// In which zone times are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Zone {
    #[default]
    Utc,
    Local,
}

/// How ssh is configured.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SshConfig {
    /// As `ssh -F`.
    pub config_file: Option<String>,
}

impl Config {
    /// Reads a config; errors say `SOURCE:LINE:COLUMN`.
    pub fn parse(text: &str, source: &str) -> Result<Config> {
        yaml_text::parse_mapping(text).map_err(|problem| problem.fault(source))?;
        if yaml_text::tree(text).is_ok_and(|tree| tree.is_none_or(|root| root.entries().is_empty())) {
            return Ok(Config::default());
        }
        let config: Config = yaml_text::read(text).map_err(|problem| problem.fault(source))?;
        config.secrets().map_err(|mut fault| {
            fault.what = format!("{source}: {}", fault.what);
            fault
        })?;
        Ok(config)
    }
    /// The rule for what is secret.
    pub fn secrets(&self) -> Result<Secrets> {
        self.secret_keys.as_deref().map_or_else(|| Ok(Secrets::default()), Secrets::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_refused_with_their_line() {
        let config = Config::parse("name: east # ours\nssh: {config_file: /etc/x}\nstore: postgres://db/x\n", "config.yaml").unwrap();
        assert_eq!((config.name.as_deref(), config.ssh.config_file.as_deref()), (Some("east"), Some("/etc/x")));
        assert_eq!(Config::parse("# nothing yet\n", "c").unwrap(), Config::default());
        let fault = Config::parse("name: x\nstroe: y\n", "config.yaml").unwrap_err();
        assert_eq!(fault.line(), "config.yaml:2:1: unknown key 'stroe'. Next: did you mean 'store'?");
        assert!(Config::parse("secret_keys: '('\n", "config.yaml").is_err());
    }
}
