//! The rules for names, and how names are put together (velociraptor.md part 1 "Derived names", DESIGN part 3).

use super::{Fault, Result};

/// What a name may hold; the words are for the error.
fn check(what: &str, name: &str, limit: usize, ok: impl Fn(char) -> bool, rule: &str) -> Result<()> {
    let bad = name.chars().find(|c| !ok(*c));
    if name.is_empty() {
        Err(Fault::bad(format!("{what} name is empty")).next(format!("give it a name of {rule}")))
    } else if let Some(c) = bad {
        Err(Fault::bad(format!("{what} name '{name}' holds '{c}'")).next(format!("use {rule}")))
    } else if name.chars().count() > limit {
        Err(Fault::bad(format!("{what} name '{name}' is longer than {limit} characters")).next("shorten it"))
    } else {
        Ok(())
    }
}

/// App, config and proc names: letters, digits and `_`, at most 50 (VR-1; a `-` would make swarm names ambiguous, W2).
pub fn word(what: &str, name: &str) -> Result<()> {
    check(what, name, 50, |c| c.is_ascii_alphanumeric() || c == '_', "letters, digits and _ (no '-', space or '/')")
}

/// Squads, ingredients, balancers, buildpacks and pools: letters, digits, `_`, `-` and `.`, at most 50, not starting with `-` or `.`.
pub fn label(what: &str, name: &str) -> Result<()> {
    check(what, name, 50, |c| c.is_ascii_alphanumeric() || "_-.".contains(c), "letters, digits, '_', '-' and '.'")?;
    if name.starts_with(['-', '.']) {
        return Err(Fault::bad(format!("{what} name '{name}' starts with '-' or '.'")).next("start it with a letter or digit"));
    }
    Ok(())
}

/// Host names: like [`label`], up to 200 characters (velociraptor.md: Host.name).
pub fn host(name: &str) -> Result<()> {
    check("host", name, 200, |c| c.is_ascii_alphanumeric() || "_-.".contains(c), "letters, digits, '_', '-' and '.'")?;
    if name.starts_with(['-', '.']) {
        return Err(Fault::bad(format!("host name '{name}' starts with '-' or '.'")).next("start it with a letter or digit"));
    }
    Ok(())
}

/// A Unix user name for `run_as`.
pub fn user(name: &str) -> Result<()> {
    check("user", name, 32, |c| c.is_ascii_alphanumeric() || "_-.".contains(c), "a Unix user name")?;
    if name.starts_with(['-', '.']) {
        return Err(Fault::bad(format!("user name '{name}' starts with '-' or '.'")));
    }
    Ok(())
}

/// `web[02-09].example` → `web02.example` … `web09.example`; the width of the first bound is kept. At most 1,000 names.
pub fn expand_hosts(pattern: &str) -> Result<Vec<String>> {
    let Some((before, rest)) = pattern.split_once('[') else {
        host(pattern)?;
        return Ok(vec![pattern.to_string()]);
    };
    let wrong =
        || Fault::bad(format!("host pattern '{pattern}' is not of the form name[FROM-TO]rest")).next("write it like web[02-09].example");
    let (range, after) = rest.split_once(']').ok_or_else(wrong)?;
    let (from, to) = range.split_once('-').ok_or_else(wrong)?;
    let (low, high): (u32, u32) = (from.parse().map_err(|_| wrong())?, to.parse().map_err(|_| wrong())?);
    if high < low || high - low >= 1000 {
        return Err(Fault::bad(format!("host pattern '{pattern}' names no host or more than 1,000")).next("mend the range"));
    }
    let mut names = Vec::new();
    for n in low..=high {
        names.extend(expand_hosts(&format!("{before}{n:0width$}{after}", width = from.len()))?);
    }
    Ok(names)
}

/// A part of a proc name: every character outside `[A-Za-z0-9._]` becomes `_` (DESIGN part 3).
pub fn part(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c } else { '_' }).collect()
}

/// The parts of a proc's name, for people; ownership is decided by the stamp, never by this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcName {
    pub app: String,
    pub version: String,
    pub config: String,
    pub release: String,
    pub proc: String,
    pub port: u16,
}

impl ProcName {
    /// `{app}-{version}-{config}-{release hash}-{proc}-{port}`: Supervisor program and directory.
    pub fn format(&self) -> String {
        let hash: String = self.release.chars().take(8).collect();
        let version: String = part(&self.version).chars().take(60).collect();
        format!("{}-{}-{}-{}-{}-{}", part(&self.app), version, part(&self.config), part(&hash), part(&self.proc), self.port)
    }

    /// The reverse, as Velociraptor's own tools read it: exactly six parts, the last a port.
    pub fn parse(name: &str) -> Option<ProcName> {
        let parts: Vec<&str> = name.split('-').collect();
        let [app, version, config, release, proc, port] = parts.as_slice() else { return None };
        Some(ProcName {
            app: app.to_string(),
            version: version.to_string(),
            config: config.to_string(),
            release: release.to_string(),
            proc: proc.to_string(),
            port: port.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_app_name_with_a_dash_is_refused_with_the_reason() {
        let fault = word("app", "my-app").unwrap_err();
        assert!(fault.line().contains("'-'"), "{fault}");
        assert!(word("app", "my_app2").is_ok());
        assert!(word("app", "").is_err());
    }

    #[test]
    fn a_host_range_keeps_its_width() {
        assert_eq!(expand_hosts("web[08-10].example").unwrap(), ["web08.example", "web09.example", "web10.example"]);
        assert_eq!(expand_hosts("here").unwrap(), ["here"]);
        assert!(expand_hosts("web[9-1]").is_err());
        assert!(expand_hosts("web[1-99999999]").is_err());
        assert!(expand_hosts("-oProxyCommand=x").is_err());
    }

    proptest! {
        #[test]
        fn a_formatted_proc_name_has_six_parts_whatever_the_version(version in "\\PC{1,40}", port in 1u16..) {
            let name = ProcName { app: "shop".into(), version, config: "prod".into(), release: "41b0aa77c0".into(), proc: "web".into(), port };
            let parsed = ProcName::parse(&name.format()).unwrap();
            prop_assert_eq!(parsed.port, port);
            prop_assert_eq!(parsed.app, "shop");
            prop_assert_eq!(parsed.release, "41b0aa77");
        }
    }
}
