//! The home: where the store, artifacts and locks are, who may read them, and who is asking (DESIGN part 7).

use super::Config;
use crate::model::{Fault, Result, shown};
use nix::unistd::{Gid, Uid, User};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A home directory with its config.
#[derive(Debug, Clone, PartialEq)]
pub struct Home {
    pub path: PathBuf,
    pub config: Config,
    /// Made by `init --shared GROUP`: several Unix users work in it.
    pub shared: bool,
    /// Why nothing can be written in it: it opens to look only.
    pub look_only: Option<String>,
}

/// Where the home's place is written for the whole machine.
pub const ETC: &str = "/etc/swarmdeck/config.yaml";

impl Home {
    /// Finds and opens the home: `--home`, `SWARMDECK_HOME`, `home:` of [`ETC`], else the user's data directory; makes it when it is not there.
    pub fn find(flag: Option<&Path>, variable: Option<&Path>, etc: &Path, data_dir: Option<&Path>) -> Result<Home> {
        Home::open(&Home::place(flag, variable, etc, data_dir)?)
    }

    /// Where the home is, without touching it.
    pub fn place(flag: Option<&Path>, variable: Option<&Path>, etc: &Path, data_dir: Option<&Path>) -> Result<PathBuf> {
        if let Some(path) = flag.or(variable.filter(|path| !path.as_os_str().is_empty())) {
            return std::path::absolute(path).map_err(|error| Fault::bad(format!("the home {} has no place: {error}", path.display())));
        }
        match fs::read_to_string(etc) {
            Ok(text) => {
                if let Some(home) = Config::parse(&text, &etc.display().to_string())?.home {
                    return Ok(PathBuf::from(home));
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Fault::failed(format!("{} cannot be read: {error}", etc.display()))),
        }
        let data_dir = data_dir.ok_or_else(|| Fault::bad("this user has no home directory").next("say where with --home DIR"))?;
        Ok(data_dir.join("swarmdeck"))
    }

    /// Opens a home; a new one is for this user alone (0700, files 0600).
    pub fn open(path: &Path) -> Result<Home> {
        let mut home = Home { path: path.to_path_buf(), config: Config::default(), shared: false, look_only: None };
        match fs::metadata(path) {
            Ok(meta) => home.shared = meta.permissions().mode() & 0o2070 == 0o2070,
            Err(error) if error.kind() == ErrorKind::NotFound => home.make_dir(path)?,
            Err(error) => return Err(at(path, "opened", error)),
        }
        home.look_only = unwritable(path);
        for dir in ["run", "artifacts", "logs"].iter().filter(|_| home.look_only.is_none()) {
            home.make_dir(&path.join(dir))?;
        }
        let config = path.join("config.yaml");
        match fs::read_to_string(&config) {
            Ok(text) => home.config = Config::parse(&text, &config.display().to_string())?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(at(&config, "read", error)),
        }
        Ok(home)
    }

    /// Makes a home for several Unix users, all in this group: directories 2770, files 0660.
    pub fn init_shared(path: &Path, group: Gid) -> Result<Home> {
        let home = Home { path: path.to_path_buf(), config: Config::default(), shared: true, look_only: None };
        home.make_dir(path)?;
        nix::unistd::chown(path, None, Some(group)).map_err(|error| {
            Fault::failed(format!("{} cannot be given to the group: {error}", path.display())).next("be a member of the group, or root")
        })?;
        // chown takes the set-group-id bit away.
        fs::set_permissions(path, fs::Permissions::from_mode(0o2770)).map_err(|error| at(path, "shared", error))?;
        Home::open(path)
    }

    /// Makes a directory of the home with its rights, whatever the umask is; one that is there stays as it is.
    pub fn make_dir(&self, path: &Path) -> Result<()> {
        let mode = if self.shared { 0o2770 } else { 0o700 };
        if let Some(parent) = path.parent().filter(|parent| !parent.exists()) {
            fs::create_dir_all(parent).map_err(|error| at(parent, "made", error))?;
        }
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|error| at(path, "given its rights", error)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(at(path, "made", error).next("check the rights of the home, or choose another with --home")),
        }
    }

    /// Makes an empty file of the home with its rights, whatever the umask is; one that is there stays as it is.
    pub fn make_file(&self, path: &Path) -> Result<()> {
        let mode = if self.shared { 0o660 } else { 0o600 };
        match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(file) => file.set_permissions(fs::Permissions::from_mode(mode)).map_err(|error| at(path, "given its rights", error)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(at(path, "made", error).next("check the rights of the home, or choose another with --home")),
        }
    }
}

/// Why something cannot be written to; none when it can.
pub(super) fn unwritable(path: &Path) -> Option<String> {
    let error = nix::unistd::access(path, nix::unistd::AccessFlags::W_OK).err()?;
    let is_closed = matches!(error, nix::errno::Errno::EACCES | nix::errno::Errno::EROFS | nix::errno::Errno::EPERM);
    is_closed.then(|| format!("{} cannot be written: {}", path.display(), error.desc()))
}

fn at(path: &Path, what: &str, error: std::io::Error) -> Fault {
    Fault::failed(format!("{} cannot be {what}: {error}", path.display()))
}

/// Who is asking: the real uid's name, with `sudo_user` (SUDO_USER) when root was reached through sudo. Never `$USER`, which anybody can set.
pub fn who(sudo_user: Option<&str>) -> String {
    let uid = Uid::current();
    match sudo_user.filter(|name| uid.is_root() && crate::model::name::user(name).is_ok() && *name != "root") {
        Some(user) => format!("{} (sudo)", shown::shown(user)),
        None => User::from_uid(uid).ok().flatten().map_or_else(|| format!("uid {uid}"), |user| user.name),
    }
}

/// SQLite's locks do not hold on a network file system: two consoles would ruin the store.
pub(super) fn refuse_network(file: &Path) -> Result<()> {
    let dir = file.parent().unwrap_or(file);
    let Ok(system) = nix::sys::statfs::statfs(dir) else { return Ok(()) };
    // linux/magic.h: NFS, SMB, SMB2, CIFS, AFS, Coda, NCP, 9p, Ceph, GFS2, OCFS2, Lustre, FUSE (sshfs).
    let network = [
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xfe53_4d42, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0x5346_414f, "AFS"),
        (0x7375_7245, "Coda"),
        (0x564c, "NCP"),
        (0x0102_1997, "9p"),
        (0x00c3_6400, "Ceph"),
        (0x0116_1970, "GFS2"),
        (0x7461_636f, "OCFS2"),
        (0x0bd0_0bd0, "Lustre"),
        (0x6573_5546, "FUSE"),
    ];
    let magic = i128::from(system.filesystem_type().0) & 0xffff_ffff;
    match network.iter().find(|(number, name)| *number == magic && !(*name == "FUSE" && is_local_fuse(dir))) {
        None => Ok(()),
        Some((_, name)) => {
            Err(Fault::refused(format!("{} is on a network file system ({name}), where SQLite's locks do not hold", dir.display()))
                .next("put the home on a local disk (--home DIR), or use a store on PostgreSQL (store: postgres://… in config.yaml)"))
        }
    }
}

/// FUSE carries sshfs and its like, but also the overlay of a rootless container and NTFS, which are local.
fn is_local_fuse(dir: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_path_buf());
    let mount = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?.to_string(), fields.next()?.to_string()))
    };
    let over = mounts.lines().filter_map(mount).filter(|(point, _)| dir.starts_with(point));
    over.max_by_key(|(point, _)| point.len()).is_some_and(|(_, kind)| kind == "fuse.fuse-overlayfs" || kind == "fuseblk")
}
