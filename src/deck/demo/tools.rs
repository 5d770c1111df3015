//! The programs that the demo needs: found on this machine, else unpacked from Debian's packages into the demo's own home.
//! Nothing is installed system-wide, so an ordinary user can do it too.

use super::home::{Places, io, private_dir, replace};
use crate::model::quote::quote;
use crate::model::{Fault, Result};
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// What was gathered. Supervisor's programs, nginx and, where it was unpacked, python3 are in `<home>/bin`: small scripts that give
/// each what it needs to find its libraries, and nothing to anybody else.
#[derive(Debug, Clone)]
pub struct Tools {
    pub git: PathBuf,
    /// None: it can neither be found nor had; the demo uses the `dummy` balancer.
    pub nginx: Option<PathBuf>,
    /// python3 came out of packages: procs find it only in `<home>/bin`.
    pub own_python: bool,
}

/// Where programs are looked for besides `PATH` (an ordinary user's PATH lacks the sbin directories).
const PLACES: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// What every Debian system has, and what an unpacked program must not bring along in another version.
const NEVER: [&str; 4] = ["libc6", "libc-bin", "libc-l10n", "locales"];

/// Finds everything, unpacking what is missing below the demo's home; `say` tells what is done. Without `with_nginx` nginx is not
/// looked for: this demo was made without it.
///
/// # Errors
/// Failed: no git; or Supervisor neither here nor to be had.
pub async fn gather(places: &Places, with_nginx: bool, say: super::Say<'_>) -> Result<Tools> {
    let unpacked = places.at("tools");
    let git =
        find("git", &unpacked).ok_or_else(|| Fault::failed("git is not on this machine").next("install git, then run the demo again"))?;
    let mut all = vec![("python3", "python3"), ("supervisord", "supervisor")];
    if with_nginx {
        all.push(("nginx", "nginx"));
    }
    let (mut missing, mut not_of_the_machine) = (Vec::new(), Vec::new());
    for (program, package) in all {
        match find(program, &unpacked) {
            Some(path) if !path.starts_with(&unpacked) => say(format!("{program:<12} found at {}", path.display())),
            found => {
                not_of_the_machine.push(package);
                match found {
                    Some(_) => say(format!("{program:<12} unpacked here before")),
                    None => missing.push(package),
                }
            }
        }
    }
    if !missing.is_empty() {
        say(format!("{} not here: unpacking Debian's packages into {} (nothing is installed)", missing.join(", "), unpacked.display()));
        let wanted: Vec<&str> = not_of_the_machine.iter().copied().filter(|package| *package != "nginx").collect();
        let mut done = unpack(places, &unpacked, &not_of_the_machine).await;
        if let Err(fault) = &done
            && wanted != not_of_the_machine
        {
            say(format!("nginx cannot be had here: {}", fault.line()));
            done = if wanted.is_empty() { Ok(Vec::new()) } else { unpack(places, &unpacked, &wanted).await };
        }
        let names = done.map_err(|fault| fault.next(format!("install it (Debian: apt install {})", wanted.join(" "))))?;
        if !names.is_empty() {
            say(format!("unpacked     {}", names.join(" ")));
        }
    }
    let need = |program: &str, package: &str| {
        find(program, &unpacked).ok_or_else(|| {
            Fault::failed(format!("{program} is neither on this machine nor in the packages that could be unpacked"))
                .next(format!("install it (Debian: apt install {package})"))
        })
    };
    let bin = places.at("bin");
    private_dir(&bin)?;
    let python = need("python3", "python3")?;
    let own_python = python.starts_with(&unpacked);
    let wrapped = |program: &str, words: &[&str]| {
        let line = words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
        let text = format!("#!/bin/sh\n# Made by swarmdeck demo.\n{}exec {line} \"$@\"\n", environment(&unpacked, words, own_python));
        replace(&bin.join(program), &text, 0o700)
    };
    let python = python.display().to_string();
    if own_python {
        wrapped("python3", &[&python])?;
    }
    for program in ["supervisord", "supervisorctl"] {
        let path = need(program, "supervisor")?;
        let text = path.display().to_string();
        // What came out of a package names the system's python3 in its first line, which need not be there.
        let words = [python.as_str(), &text];
        wrapped(program, words.get(usize::from(!path.starts_with(&unpacked))..).unwrap_or(&words))?;
    }
    let nginx = find("nginx", &unpacked).filter(|_| with_nginx);
    if let Some(path) = &nginx {
        let (path, prefix, conf) = (path.display().to_string(), places.text("nginx/"), places.text("nginx/nginx.conf"));
        let log = places.text("nginx/error.log");
        wrapped("nginx", &[&path, "-p", &prefix, "-c", &conf])?;
        // Since 1.19.5; without it nginx opens, or complains about, the system's log before it has read its configuration.
        let help = Command::new(bin.join("nginx")).arg("-h").output().await.map_err(io(&bin.join("nginx")))?;
        let help = [help.stdout, help.stderr].concat();
        if String::from_utf8_lossy(&help).contains("-e filename") {
            wrapped("nginx", &[&path, "-e", &log, "-p", &prefix, "-c", &conf])?;
        }
    }
    Ok(Tools { git, nginx: nginx.map(|_| bin.join("nginx")), own_python })
}

/// A program in the usual places, on PATH, or unpacked before. python3 is not looked for on PATH: procs find it in the usual places.
fn find(program: &str, unpacked: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").filter(|_| program != "python3").unwrap_or_default();
    let ours = PLACES.iter().map(|place| unpacked.join(place.trim_start_matches('/')));
    let all = PLACES.iter().map(PathBuf::from).chain(std::env::split_paths(&path).filter(|place| place.is_absolute())).chain(ours);
    all.map(|place| place.join(program)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// What a program out of a package needs to find its libraries and modules, as lines of a shell script.
fn environment(unpacked: &Path, words: &[&str], own_python: bool) -> String {
    let at = |part: &str| unpacked.join(part).display().to_string();
    let mut text = String::new();
    if !words.iter().any(|word| Path::new(word).starts_with(unpacked)) {
        return text;
    }
    let modules = at("usr/lib/python3/dist-packages");
    text.push_str(&format!("PYTHONPATH={}\nPYTHONDONTWRITEBYTECODE=1\nexport PYTHONPATH PYTHONDONTWRITEBYTECODE\n", quote(&modules)));
    let first_is_ours = words.first().is_some_and(|word| Path::new(word).starts_with(unpacked));
    if first_is_ours {
        let arch = format!("{}-linux-gnu", std::env::consts::ARCH);
        let libraries = [at("lib"), at("usr/lib"), at(&format!("lib/{arch}")), at(&format!("usr/lib/{arch}"))].join(":");
        text.push_str(&format!("LD_LIBRARY_PATH={}\nexport LD_LIBRARY_PATH\n", quote(&libraries)));
    }
    if own_python {
        text.push_str(&format!("PYTHONHOME={}\nexport PYTHONHOME\n", quote(&at("usr"))));
    }
    text
}

/// Downloads packages and those that they depend on and that are not installed, and unpacks them. Answers with their names.
async fn unpack(places: &Places, into: &Path, packages: &[&str]) -> Result<Vec<String>> {
    let private = places.at("apt");
    let archives = private.join("cache/archives");
    clear(&private)?;
    for part in ["lists/partial", "cache/archives/partial"] {
        let part = private.join(part);
        std::fs::create_dir_all(&part).map_err(io(&part))?;
    }
    let options = [
        format!("Dir::State::lists={}", private.join("lists").display()),
        format!("Dir::Cache={}", private.join("cache").display()),
        format!("Dir::Log={}", private.display()),
        "Debug::NoLocking=1".to_string(),
        // As root, apt would read and write as another user, who cannot come into this home.
        "APT::Sandbox::User=root".to_string(),
        "Acquire::Languages=none".to_string(),
        "Acquire::Retries=2".to_string(),
    ];
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        for option in &options {
            command.arg("-o").arg(option);
        }
        command.args(arguments).current_dir(&archives);
        command
    };
    run(apt(&["-q", "update"]), "apt-get update").await?;
    let mut install = apt(&["-q", "-s", "-y", "--no-install-recommends", "install"]);
    install.args(packages);
    let simulated = run(install, "apt-get install, simulated").await?;
    let names: Vec<String> = simulated
        .lines()
        .filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next())
        .filter(|name| !NEVER.contains(name))
        .map(str::to_string)
        .collect();
    if names.is_empty() {
        return Err(Fault::failed(format!("Debian says that {} is installed, but its programs are not there", packages.join(", "))));
    }
    let mut download = apt(&["-q", "download"]);
    download.args(&names);
    run(download, "apt-get download").await?;
    // Under its name only when it is whole: a demo that was cut off here must not find half a program.
    let making = into.with_extension("making");
    clear(&making)?;
    std::fs::create_dir_all(&making).map_err(io(&making))?;
    let files = std::fs::read_dir(&archives).map_err(io(&archives))?;
    for archive in files.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|ending| ending == "deb")) {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg("-x").arg(&archive).arg(&making);
        run(dpkg, "dpkg -x").await?;
    }
    clear(into)?;
    std::fs::rename(&making, into).map_err(io(into))?;
    clear(&private)?;
    Ok(names)
}

fn clear(dir: &Path) -> Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(dir)(error)),
        _ => Ok(()),
    }
}

async fn run(mut command: Command, what: &str) -> Result<String> {
    command.stdin(std::process::Stdio::null()).env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C");
    let output = command.output().await.map_err(|error| {
        Fault::failed(format!("{what}: {error}")).next("is this a Debian machine? Install supervisor and nginx by hand otherwise")
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| line.starts_with("E:")).or_else(|| said.lines().last()).unwrap_or_default();
    Err(Fault::failed(format!("{what} ended with {}: {last}", output.status)))
}
