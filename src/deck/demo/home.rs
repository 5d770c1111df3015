//! The demo's own directory: where it is, what lies where in it, whose it is, and one demo at a time.

use crate::model::{Fault, Result, release};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A socket's path may have 107 bytes (unix(7)); Supervisor appends its pid to it while it opens it.
const SOCKET_MAX: usize = 95;
const RECORD: &str = "demo.json";
const LOCK: &str = "demo.lock";

/// What is decided once, when the demo's home is made. It also marks the directory as one that `demo --down` may remove.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// nginx's loopback port; 0 until it has one.
    pub port: u16,
    /// None until the tools were gathered.
    pub nginx: Option<bool>,
}

/// The places of a demo.
#[derive(Debug, Clone)]
pub struct Places {
    pub home: PathBuf,
}

impl Places {
    /// Refuses a path that a shell, Supervisor's ini form or nginx would read as something else.
    pub fn of(home: &Path) -> Result<Places> {
        let home = std::path::absolute(home).map_err(io(home))?;
        let plain = |c: char| c.is_alphanumeric() || "._/@+-,=".contains(c);
        if !home.to_str().is_some_and(|text| text.chars().all(plain)) || home.components().any(|part| part.as_os_str() == "..") {
            return Err(Fault::bad(format!(
                "the demo cannot live in {}: only letters, digits and ._/@+-,= may be in its path",
                home.display()
            ))
            .next("choose another place with --home DIR"));
        }
        Ok(Places { home })
    }

    pub fn at(&self, part: &str) -> PathBuf {
        self.home.join(part)
    }

    /// A place as text for a configuration.
    pub fn text(&self, part: &str) -> String {
        self.at(part).display().to_string()
    }

    /// Supervisor's socket: in the home, or where that is too long, in a private directory with a short name.
    pub fn socket(&self) -> PathBuf {
        let near = self.at("supervisor/sock");
        if near.as_os_str().len() <= SOCKET_MAX { near } else { self.short_dir().join("sock") }
    }

    /// The directory of a socket whose place in the home would be too long.
    pub fn short_dir(&self) -> PathBuf {
        let digest = release::hex(&Sha256::digest(self.home.as_os_str().as_encoded_bytes()));
        PathBuf::from(format!("/tmp/swarmdeck-{}-{}", nix::unistd::geteuid(), digest.get(..12).unwrap_or_default()))
    }

    /// Makes the home, or takes the one that is there, if it is a demo's; holds its lock until the file is dropped.
    pub fn take(&self) -> Result<(File, Record)> {
        private_dir(&self.home)?;
        let empty = fs::read_dir(&self.home).map_err(io(&self.home))?.next().is_none();
        if !empty && !self.is_demo() && !self.at(LOCK).exists() {
            return Err(
                Fault::refused(format!("{} is there and is not a demo's home", self.home.display())).next("choose another with --home DIR")
            );
        }
        let lock = self.lock()?;
        let record = match self.record()? {
            Some(record) => record,
            None => {
                self.write(&Record::default())?;
                Record::default()
            }
        };
        Ok((lock, record))
    }

    pub fn is_demo(&self) -> bool {
        self.at(RECORD).is_file()
    }

    pub fn lock(&self) -> Result<File> {
        let path = self.at(LOCK);
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io(&path))?;
        file.try_lock().map_err(|_| Fault::refused("another demo command is under way in this home").next("wait for it"))?;
        Ok(file)
    }

    /// None: the demo was cut off before it wrote one.
    pub fn record(&self) -> Result<Option<Record>> {
        let path = self.at(RECORD);
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text)
                .map(Some)
                .map_err(|error| Fault::failed(format!("{} cannot be read: {error}", path.display())).next("swarmdeck demo --down")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io(&path)(error)),
        }
    }

    pub fn write(&self, record: &Record) -> Result<()> {
        let text = serde_json::to_string(record).map_err(|error| Fault::failed(error.to_string()))?;
        replace(&self.at(RECORD), &text, 0o600)
    }
}

/// A fault of a file operation, with its place.
pub fn io(path: &Path) -> impl Fn(std::io::Error) -> Fault + use<> {
    let path = path.display().to_string();
    move |error| match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Fault::failed(format!("the disk is full at {path}")).next("free space there"),
        _ => Fault::failed(format!("{path}: {error}")),
    }
}

/// Writes a file whole or not at all.
pub fn replace(path: &Path, text: &str, mode: u32) -> Result<()> {
    let next = path.with_extension("next");
    fs::write(&next, text).map_err(io(&next))?;
    fs::set_permissions(&next, fs::Permissions::from_mode(mode)).map_err(io(&next))?;
    fs::rename(&next, path).map_err(io(path))
}

/// A directory of this user alone; one that somebody else has put there, or a link, is refused.
pub fn private_dir(path: &Path) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io(parent))?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io(path)(error)),
    }
    let meta = fs::symlink_metadata(path).map_err(io(path))?;
    if !meta.is_dir() || meta.uid() != nix::unistd::geteuid().as_raw() {
        return Err(Fault::refused(format!("{} is not a directory of this user", path.display())).next("choose another with --home DIR"));
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_never_has_too_long_a_path() {
        let near = Places::of(Path::new("/home/op/demo")).unwrap();
        assert_eq!(near.socket(), Path::new("/home/op/demo/supervisor/sock"));
        let far = Places::of(Path::new(&format!("/{}", "long/".repeat(30)))).unwrap();
        assert!(far.socket().starts_with(far.short_dir()) && far.socket().as_os_str().len() < SOCKET_MAX);
        for bad in ["/a b", "/a;b", "/a/../b", "/a%b"] {
            assert!(Places::of(Path::new(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_directory_that_is_not_a_demos_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis"), "mine").unwrap();
        assert!(Places::of(dir.path()).unwrap().take().unwrap_err().what.contains("is not a demo's home"));
        let home = dir.path().join("demo");
        let (lock, record) = Places::of(&home).unwrap().take().unwrap();
        assert_eq!((record, fs::metadata(&home).unwrap().permissions().mode() & 0o777), (Record::default(), 0o700));
        assert!(Places::of(&home).unwrap().take().unwrap_err().what.contains("another demo"));
        drop(lock);
        assert!(Places::of(&home).unwrap().take().is_ok());
    }
}
