//! Artifacts: a tree as one reproducible archive, kept in a directory by the sha256 of its bytes.

use super::job::{Workspace, disk};
use super::tree;
use crate::model::{Fault, Result};
use flate2::{Compression, GzBuilder, write::GzEncoder};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// The local artifact store, `<data>/artifacts/<sha256>`.
#[derive(Debug, Clone)]
pub struct Artifacts {
    dir: PathBuf,
    mode: u32,
}

/// What was packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Of the archive's bytes, hex.
    pub sha256: String,
    /// Of the archive, bytes.
    pub size: u64,
    /// What is no file, directory or link, and was left out.
    pub skipped: Vec<String>,
}

impl Artifacts {
    /// The store of this home.
    pub fn of(workspace: &Workspace) -> Result<Artifacts> {
        Ok(Artifacts { dir: workspace.dir("artifacts")?, mode: workspace.file_mode() })
    }

    /// Where an artifact lies; a fault when it is not here.
    pub fn open(&self, sha256: &str) -> Result<PathBuf> {
        let path = self.dir.join(digest(sha256)?);
        if path.is_file() {
            return Ok(path);
        }
        Err(Fault::failed(format!("artifact {sha256} is not in the store")).next("build the version again"))
    }

    /// Is it here? Nothing is read.
    pub fn has(&self, sha256: &str) -> bool {
        self.open(sha256).is_ok()
    }

    /// Reads all of it and compares the digest. Blocks.
    pub fn verify(&self, sha256: &str) -> Result<()> {
        let path = self.open(sha256)?;
        let mut file = File::open(&path).map_err(|error| disk(&path, &error))?;
        let mut hash = Sha256::new();
        io::copy(&mut file, &mut hash).map_err(|error| disk(&path, &error))?;
        let found = format!("{:x}", hash.finalize());
        if found == sha256 {
            return Ok(());
        }
        Err(Fault::failed(format!("artifact {sha256} is damaged: its bytes have {found}")).next("build the version again with --force"))
    }

    /// Removes one; a missing one is fine.
    pub fn remove(&self, sha256: &str) -> Result<()> {
        let path = self.dir.join(digest(sha256)?);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk(&path, &error)),
            _ => Ok(()),
        }
    }

    /// The digests of all that are here, sorted.
    pub fn list(&self) -> Result<Vec<String>> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(&self.dir).map_err(|error| disk(&self.dir, &error))? {
            let name = entry.map_err(|error| disk(&self.dir, &error))?.file_name().to_string_lossy().into_owned();
            all.extend(digest(&name).is_ok().then_some(name));
        }
        all.sort();
        Ok(all)
    }

    /// Packs a tree: the same files give the same bytes, whoever built them, when and where. The archive appears under its
    /// digest when all of it is on the disk, or not at all. Blocks; ends early when `stop` is set.
    pub fn pack(&self, root: &Path, stop: &AtomicBool) -> Result<Packed> {
        let temp = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.dir).map_err(|error| disk(&self.dir, &error))?;
        let full = |error: io::Error| disk(&self.dir, &error);
        let digesting = Digesting { file: temp.as_file(), hash: Sha256::new(), size: 0 };
        let gzip = GzBuilder::new().mtime(0).write(digesting, Compression::new(6));
        let (gzip, skipped) = archive(root, gzip, stop, &self.dir)?;
        let Digesting { hash, size, .. } = gzip.finish().map_err(full)?;
        let sha256 = format!("{:x}", hash.finalize());
        temp.as_file().set_permissions(std::fs::Permissions::from_mode(self.mode)).map_err(full)?;
        temp.as_file().sync_all().map_err(full)?;
        temp.persist(self.dir.join(&sha256)).map_err(|error| full(error.error))?;
        File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(full)?;
        Ok(Packed { sha256, size, skipped })
    }
}

/// Writes the archive's members: sorted, no time, no owner, only the executable bit of the mode.
fn archive<W: Write>(root: &Path, gzip: GzEncoder<W>, stop: &AtomicBool, store: &Path) -> Result<(GzEncoder<W>, Vec<String>)> {
    let mut tar = tar::Builder::new(gzip);
    let mut skipped = Vec::new();
    let full = |error: io::Error| disk(store, &error);
    for entry in tree::list(root)? {
        if stop.load(Ordering::Relaxed) {
            return Err(Fault::interrupted("packing was stopped"));
        }
        let path = root.join(&entry.path);
        let mut header = tar::Header::new_gnu();
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        header.set_mode(0o755);
        if entry.meta.is_dir() {
            header.set_entry_type(tar::EntryType::Directory);
            tar.append_data(&mut header, entry.path.join(""), io::empty()).map_err(full)?;
        } else if entry.meta.is_symlink() {
            let target = std::fs::read_link(&path).map_err(|error| disk(&path, &error))?;
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_mode(0o777);
            tar.append_link(&mut header, &entry.path, &target).map_err(full)?;
        } else if entry.meta.is_file() {
            let mut options = File::options();
            let file =
                options.read(true).custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits()).open(&path).map_err(|error| disk(&path, &error))?;
            let size = entry.meta.len();
            header.set_size(size);
            if entry.meta.permissions().mode() & 0o111 == 0 {
                header.set_mode(0o644);
            }
            // Exactly as many bytes as the header says, or a fault: the archive is never shifted.
            let mut exact = Exact { file, left: size };
            tar.append_data(&mut header, &entry.path, &mut exact).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => Fault::failed(format!("{} changed while it was packed", entry.path.display())),
                _ => full(error),
            })?;
        } else {
            skipped.push(entry.path.display().to_string());
        }
    }
    Ok((tar.into_inner().map_err(full)?, skipped))
}

/// A file that must have exactly this many bytes left.
struct Exact {
    file: File,
    left: u64,
}

impl Read for Exact {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let got = self.file.read(buffer.get_mut(..most).unwrap_or_default())?;
        if got == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= got as u64;
        Ok(got)
    }
}

/// Writes to a file and knows the digest of what it wrote.
struct Digesting<'a> {
    file: &'a File,
    hash: Sha256,
    size: u64,
}

impl Write for Digesting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        self.size += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn digest(name: &str) -> Result<&str> {
    if name.len() == 64 && name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return Ok(name);
    }
    Err(Fault::bad(format!("`{name}` is no sha256 digest in hex")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree_in(dir: &Path, backwards: bool) -> PathBuf {
        let root = dir.join("tree");
        let mut files = vec!["a/run", "b", "long/".to_string().as_str().repeat(30).leak()];
        if backwards {
            files.reverse();
        }
        for file in files {
            let path = root.join(file).join("x");
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, file).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(if backwards { 0o700 } else { 0o755 })).unwrap();
        }
        std::os::unix::fs::symlink("/nowhere/x", root.join("link")).unwrap();
        root
    }

    #[test]
    fn the_same_tree_is_the_same_artifact_and_tar_reads_it() {
        let home = tempfile::tempdir().unwrap();
        let store = Artifacts::of(&Workspace::new(home.path())).unwrap();
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = store.pack(&tree_in(one.path(), false), &AtomicBool::new(false)).unwrap();
        let second = store.pack(&tree_in(two.path(), true), &AtomicBool::new(false)).unwrap();
        assert_eq!(first, second);
        assert_eq!(store.list().unwrap(), std::slice::from_ref(&first.sha256));
        store.verify(&first.sha256).unwrap();
        let path = store.open(&first.sha256).unwrap();
        assert_eq!(path.metadata().unwrap().len(), first.size);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let known = std::process::Command::new("sha256sum").arg(&path).output().unwrap();
        assert!(String::from_utf8_lossy(&known.stdout).starts_with(&first.sha256));
        let out = home.path().join("out");
        std::fs::create_dir(&out).unwrap();
        assert!(std::process::Command::new("tar").arg("-xzf").arg(&path).arg("-C").arg(&out).status().unwrap().success());
        assert!(
            std::process::Command::new("diff")
                .arg("-r")
                .arg("--no-dereference")
                .arg(&out)
                .arg(one.path().join("tree"))
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(out.join("a/run/x").metadata().unwrap().permissions().mode() & 0o777, 0o755);
        std::fs::write(&path, "rotten").unwrap();
        assert!(store.verify(&first.sha256).unwrap_err().what.contains("damaged"));
        assert!(store.open("../../etc/passwd").is_err());
    }

    #[test]
    fn a_full_disk_is_one_clear_fault_and_leaves_nothing() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: needs root");
            return;
        }
        // In a mount namespace of its own, so that nothing is left mounted whatever happens.
        if std::env::var_os("SMALL_DISK").is_none() {
            let me = std::env::current_exe().unwrap();
            let name = "build::artifact::tests::a_full_disk_is_one_clear_fault_and_leaves_nothing";
            let out = std::process::Command::new("unshare")
                .arg("--mount")
                .arg(me)
                .args([name, "--exact", "--nocapture"])
                .env("SMALL_DISK", "1")
                .output()
                .unwrap();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            assert!(String::from_utf8_lossy(&out.stdout).contains("1 passed"));
            return;
        }
        let home = tempfile::tempdir().unwrap();
        let mounted =
            std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "small"]).arg(home.path()).status().unwrap();
        assert!(mounted.success());
        let big = tempfile::tempdir().unwrap();
        let mut noise = vec![0u8; 1 << 20];
        File::open("/dev/urandom").unwrap().read_exact(&mut noise).unwrap();
        std::fs::write(big.path().join("big"), noise).unwrap();
        let store = Artifacts::of(&Workspace::new(home.path())).unwrap();
        let fault = store.pack(big.path(), &AtomicBool::new(false)).unwrap_err();
        let left = std::fs::read_dir(home.path().join("artifacts")).unwrap().count();
        assert!(std::process::Command::new("umount").arg(home.path()).status().unwrap().success());
        assert!(fault.what.contains("the disk is full"), "{fault}");
        assert_eq!(left, 0);
    }
}
