//! `.slugignore`: what of the app does not go into the artifact.

use super::job::disk;
use super::tree;
use crate::model::Result;
use globset::{GlobBuilder, GlobMatcher};
use std::path::Path;

/// One line of the file.
struct Pattern {
    matcher: GlobMatcher,
    /// Only directories (the line ended with `/`).
    dirs: bool,
}

/// What was done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    /// How many files, links and directories are gone.
    pub removed: usize,
    /// Lines that were not followed, with the reason.
    pub warnings: Vec<String>,
}

/// Removes from `root` what its `.slugignore` names: lines as in a gitignore file, without `!`. A line that is blank, a
/// comment, or that would reach outside of the app or take all of it removes nothing (W20).
pub fn apply(root: &Path) -> Result<Ignored> {
    let file = root.join(".slugignore");
    let mut done = Ignored::default();
    if !file.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
        return Ok(done);
    }
    let text = std::fs::read(&file).map_err(|error| disk(&file, &error))?;
    let mut patterns = Vec::new();
    for (at, line) in String::from_utf8_lossy(&text).lines().enumerate() {
        match pattern(line) {
            Ok(Some(pattern)) => patterns.push(pattern),
            Ok(None) => {}
            Err(why) => done.warnings.push(format!(".slugignore:{}: `{}` is not followed: {why}", at + 1, line.trim())),
        }
    }
    for entry in tree::list(root)? {
        let path = root.join(&entry.path);
        let dir = entry.meta.is_dir();
        if !patterns.iter().any(|pattern| (dir || !pattern.dirs) && pattern.matcher.is_match(&entry.path)) {
            continue;
        }
        // It may have gone with the directory that it was in.
        let gone = if dir { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        match gone {
            Ok(()) => done.removed += 1,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(disk(&path, &error)),
        }
    }
    Ok(done)
}

fn pattern(line: &str) -> Result<Option<Pattern>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    if line.starts_with('!') {
        return Err("`!` is not supported".into());
    }
    let dirs = line.ends_with('/');
    let bare = line.trim_end_matches('/');
    let anchored = bare.contains('/');
    let bare = bare.trim_start_matches('/');
    let bare = bare.strip_prefix("./").unwrap_or(bare);
    if bare.split('/').any(|part| part == "..") {
        return Err("it reaches outside of the app".into());
    }
    if bare.is_empty() || bare == "." {
        return Err("it is the app itself".into());
    }
    let glob = if anchored { bare.to_string() } else { format!("**/{bare}") };
    let glob = GlobBuilder::new(&glob).literal_separator(true).backslash_escape(true).build().map_err(|error| error.to_string())?;
    Ok(Some(Pattern { matcher: glob.compile_matcher(), dirs }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_inside_goes() {
        let outer = tempfile::tempdir().unwrap();
        let app = outer.path().join("app");
        for file in [
            "web.py",
            "docs/a.md",
            "src/deep/docs/b.md",
            "src/deep/x.pyc",
            "x.pyc",
            "build/keep",
            "src/build/out",
            "logs",
            "only/this/one",
            "a/only/this/one",
        ] {
            let path = app.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        std::fs::write(outer.path().join("precious"), "x").unwrap();
        std::os::unix::fs::symlink(outer.path(), app.join("out")).unwrap();
        let lines = "# comment\n\n   \n*.pyc\ndocs/\n/build\nlogs/\nonly/this\n../precious\n/\n..\n/..\n.\nout/precious\n./src/../../precious\n!web.py\n";
        std::fs::write(app.join(".slugignore"), lines).unwrap();
        let done = apply(&app).unwrap();
        let mut left: Vec<String> =
            tree::list(&app).unwrap().iter().filter(|e| !e.meta.is_dir()).map(|e| e.path.display().to_string()).collect();
        left.sort();
        assert_eq!(left, [".slugignore", "a/only/this/one", "logs", "out", "src/build/out", "web.py"]);
        assert!(outer.path().join("precious").exists());
        assert_eq!(done.warnings.len(), 7, "{:?}", done.warnings);
        assert!(done.warnings[0].starts_with(".slugignore:9: `../precious`"), "{:?}", done.warnings);
    }
}
