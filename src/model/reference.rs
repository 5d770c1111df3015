//! What may be written as a version (tag, branch, bookmark, revision) and as a repository's URL.

use super::{Fault, Result};

/// The longest reference in bytes.
pub const LONGEST: usize = 200;

/// Checks a version that an operator wrote: a git tag, branch or revision, an hg tag, bookmark, branch or revision.
///
/// The rules of `git check-ref-format`, and nothing that a shell or an hg revset reads as more than a name.
/// A bad one is a [`Fault::bad`] that names the character and its place.
pub fn check(version: &str) -> Result<()> {
    let bad = |why: String| {
        Err(Fault::bad(format!("version `{version}`: {why}")).next("give a tag, branch or revision, as `git tag` or `git branch` lists it"))
    };
    if version.is_empty() {
        return bad("it is empty".into());
    }
    if version.len() > LONGEST {
        return bad(format!("it has {} bytes; {LONGEST} are allowed", version.len()));
    }
    for (at, c) in version.chars().enumerate() {
        let why = match c {
            '-' if at == 0 => "a leading `-` would be read as an option".to_string(),
            c if c.is_control() => "a control character is not allowed".to_string(),
            c if c.is_whitespace() => "white space is not allowed".to_string(),
            '~' | '^' | ':' | '?' | '*' | '[' | '\\' => format!("`{c}` is not allowed in a git reference"),
            ';' | '$' | '`' | '&' | '|' | '<' | '>' | '(' | ')' | '"' | '\'' | '!' => format!("`{c}` is not allowed"),
            _ => continue,
        };
        return bad(format!("character {}: {why}", at + 1));
    }
    if let Some(at) = version.find("..") {
        return bad(format!("character {}: `..` is not allowed", at + 1));
    }
    if let Some(at) = version.find("@{") {
        return bad(format!("character {}: `@{{` is not allowed", at + 1));
    }
    if version == "@" {
        return bad("`@` alone is not a name".into());
    }
    if version.ends_with('.') {
        return bad("it must not end with `.`".into());
    }
    for part in version.split('/') {
        if part.is_empty() {
            return bad("a `/` must stand between two names".into());
        }
        if part.starts_with('.') || part.ends_with(".lock") {
            return bad(format!("`{part}` must not begin with `.` or end with `.lock`"));
        }
    }
    Ok(())
}

/// Checks the URL of a repository: an absolute path, `user@host:path`, or `http`, `https`, `ssh`, `git`, `file`.
/// Helpers that run commands (`ext::…`) and anything that reads as an option are refused. Never shows user info.
pub fn check_url(url: &str) -> Result<()> {
    let bad = |why: &str| {
        Err(Fault::bad(format!("repository `{}`: {why}", without_user(url)))
            .next("give an absolute path, an http(s), ssh, git or file URL, or user@host:path"))
    };
    if url.is_empty() {
        return bad("it is empty");
    }
    if url.starts_with('-') {
        return bad("a leading `-` would be read as an option");
    }
    if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return bad("white space and control characters are not allowed");
    }
    if url.contains("::") {
        return bad("a remote helper (`name::`) is not allowed");
    }
    if url.starts_with('/') {
        return Ok(());
    }
    if let Some((scheme, rest)) = url.split_once("://") {
        if !["http", "https", "ssh", "git", "file"].contains(&scheme) {
            return bad("this scheme is not known");
        }
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        return if host.is_empty() || host.starts_with('-') { bad("it has no host or path") } else { Ok(()) };
    }
    match url.split_once(':') {
        Some((host, path)) if !host.is_empty() && !host.contains('/') && !path.is_empty() && !host.contains("@-") => Ok(()),
        _ => bad("it is no absolute path and no URL"),
    }
}

/// The URL as it may be shown and hashed: no user and password of a web URL, no password of an ssh URL.
pub fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_string() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (place, path) = rest.split_at(end);
    let Some((user, host)) = place.rsplit_once('@') else { return url.to_string() };
    match user.split(':').next() {
        Some(name) if scheme == "ssh" && !name.is_empty() => format!("{scheme}://{name}@{host}{path}"),
        _ => format!("{scheme}://{host}{path}"),
    }
}

/// User and password of a web URL, still percent-encoded, when it holds any.
pub fn user_info(url: &str) -> Option<(String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.starts_with("http") {
        return None;
    }
    let place = rest.split(['/', '?', '#']).next()?;
    let (info, _) = place.rsplit_once('@')?;
    let (user, password) = info.split_once(':').unwrap_or((info, ""));
    Some((user.to_string(), password.to_string()))
}

/// The URL and the revision that its `#fragment` pins (Velociraptor's form for buildpacks).
pub fn split_pin(url: &str) -> (&str, Option<&str>) {
    match url.split_once('#') {
        Some((url, pin)) if !pin.is_empty() => (url, Some(pin)),
        Some((url, _)) => (url, None),
        None => (url, None),
    }
}

/// The short name of a repository: the last part of its URL without `.git`, fragment and slash, fit for a file name.
pub fn basename(url: &str) -> String {
    let (url, _) = split_pin(url);
    let last = url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    let last = last.strip_suffix(".git").unwrap_or(last);
    let name: String = last.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    if name.trim_matches('.').is_empty() { "repo".to_string() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_shell_or_git_would_misread_is_refused_with_its_place() {
        for good in ["v1", "1.2.3", "release/2024-01", "feature/#12", "deadbeef", "v1-rc+1", "ünï", "a@b"] {
            check(good).unwrap();
        }
        for bad in [
            "",
            "-v",
            "--upload-pack=x",
            "v1;rm -rf",
            "v1;id",
            "$(id)",
            "`id`",
            "a b",
            "a..b",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[",
            "a\\b",
            "@{u}",
            "@",
            "a\nb",
            "a\0",
            "a/",
            "/a",
            "a//b",
            ".a",
            "a.lock",
            "a.",
            "a|b",
            "max(all())",
            "\"x\"",
        ] {
            check(bad).expect_err(bad);
        }
        check(&"x".repeat(LONGEST)).unwrap();
        check(&"x".repeat(LONGEST + 1)).unwrap_err();
        assert_eq!(check("v1;id").unwrap_err().what, "version `v1;id`: character 3: `;` is not allowed");
    }

    proptest! {
        #[test]
        fn whatever_passes_is_a_reference_for_git_too(name in "[a-z0-9./@{}~^:;$`_+#%-]{1,12}") {
            if check(&name).is_ok() {
                let known = std::process::Command::new("git").args(["check-ref-format", &format!("refs/tags/{name}")]).status().unwrap();
                prop_assert!(known.success(), "{}", name);
            }
        }
    }

    #[test]
    fn urls_lose_their_secrets_and_odd_ones_are_refused() {
        assert_eq!(without_user("https://op:s3cret@git.example/a@b.git"), "https://git.example/a@b.git");
        assert_eq!(without_user("https://token@git.example"), "https://git.example");
        assert_eq!(without_user("postgres://op:p@w@db.example?x=a@b"), "postgres://db.example?x=a@b");
        assert_eq!(without_user("ssh://git:pw@git.example/x"), "ssh://git@git.example/x");
        assert_eq!(without_user("https://op:p@ss@git.example/x"), "https://git.example/x");
        assert_eq!(user_info("https://op:s3cret@git.example/x"), Some(("op".into(), "s3cret".into())));
        for good in ["/srv/git/shop.git", "git@host.example:shop.git", "https://x.example/y", "ssh://h/p", "file:///srv/x"] {
            check_url(good).unwrap();
        }
        for bad in [
            "",
            "-x",
            "ext::sh -c id",
            "ext::id",
            "--upload-pack=id",
            "relative/path",
            "ftp://x/y",
            "ssh://-oProxyCommand=id/x",
            "ssh://a@-ox/y",
            "a b",
        ] {
            check_url(bad).expect_err(bad);
        }
        assert!(!check_url("https://op:s3cret@git.example/a b").unwrap_err().line().contains("s3cret"));
    }

    #[test]
    fn pins_and_names() {
        assert_eq!(split_pin("/srv/bp.git#v3"), ("/srv/bp.git", Some("v3")));
        assert_eq!(split_pin("/srv/bp.git#"), ("/srv/bp.git", None));
        assert_eq!(basename("/srv/git/python.git#v3"), "python");
        assert_eq!(basename("git@host:shop/"), "shop");
        assert_eq!(basename("file:///.."), "repo");
    }
}
