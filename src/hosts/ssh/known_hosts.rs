//! Whether a host's key is the one that the user's known_hosts files have (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).

use crate::model::{Fault, Result};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A public key: its type's name and its wire form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub kind: String,
    pub blob: Vec<u8>,
}

impl Key {
    /// `ssh-ed25519 SHA256:…`, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        format!("{} SHA256:{}", self.kind, STANDARD_NO_PAD.encode(Sha256::digest(&self.blob)))
    }
}

/// A recorded key and where it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
    pub key: Key,
}

/// What the files say of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Known,
    /// Nothing is recorded for the host.
    Unknown,
    /// Other keys are recorded for the host, of the same type or only of others.
    Changed(Vec<Recorded>),
    /// Recorded as revoked, for every use.
    Revoked(Recorded),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Plain,
    Authority,
    Revoked,
}

#[derive(Debug, Clone)]
struct Line {
    mark: Mark,
    names: String,
    at: Recorded,
}

/// The lines of all known_hosts files of one host's configuration.
#[derive(Debug, Clone, Default)]
pub struct KnownHosts {
    lines: Vec<Line>,
}

impl KnownHosts {
    /// Reads the files in order; one that does not exist is empty. Lines that cannot be read are passed over, as OpenSSH does.
    pub fn read(files: &[PathBuf]) -> Result<KnownHosts> {
        let mut all = KnownHosts::default();
        for file in files {
            match std::fs::read(file) {
                Ok(bytes) => all.add(file, &String::from_utf8_lossy(&bytes)),
                Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {}
                Err(error) => return Err(Fault::failed(format!("{} cannot be read: {error}", file.display()))),
            }
        }
        Ok(all)
    }

    /// Adds the lines of one file's text.
    pub fn add(&mut self, file: &Path, text: &str) {
        self.lines.extend(text.lines().enumerate().filter_map(|(index, line)| {
            let mut words = line.split_ascii_whitespace().peekable();
            let mark = match words.peek()? {
                word if word.starts_with('#') => return None,
                &"@cert-authority" => Mark::Authority,
                &"@revoked" => Mark::Revoked,
                word if word.starts_with('@') => return None,
                _ => Mark::Plain,
            };
            if mark != Mark::Plain {
                words.next();
            }
            let (names, kind, blob) = (words.next()?, words.next()?, STANDARD.decode(words.next()?).ok()?);
            let at = Recorded { file: file.to_path_buf(), line: index + 1, key: Key { kind: kind.to_string(), blob } };
            Some(Line { mark, names: names.to_string(), at })
        }));
    }

    fn of<'a>(&'a self, name: &'a str, mark: Mark) -> impl Iterator<Item = &'a Recorded> {
        self.lines.iter().filter(move |line| line.mark == mark && matches(&line.names, name)).map(|line| &line.at)
    }

    /// Judges the key that the host of this name (see [`lookup_name`]) sent.
    pub fn judge(&self, name: &str, key: &Key) -> Verdict {
        let name = name.to_ascii_lowercase();
        if let Some(revoked) = self.of(&name, Mark::Revoked).find(|recorded| recorded.key.blob == key.blob) {
            return Verdict::Revoked(revoked.clone());
        }
        let recorded: Vec<Recorded> = self.of(&name, Mark::Plain).cloned().collect();
        if recorded.iter().any(|recorded| recorded.key.blob == key.blob) {
            return Verdict::Known;
        }
        if recorded.is_empty() {
            // As OpenSSH: a key recorded for the bare name holds for its other ports.
            if let Some(bare) = name.strip_prefix('[').and_then(|rest| rest.rsplit_once("]:")).map(|(bare, _)| bare)
                && self.of(bare, Mark::Plain).any(|recorded| recorded.key.blob == key.blob)
            {
                return Verdict::Known;
            }
            return Verdict::Unknown;
        }
        let same: Vec<Recorded> = recorded.iter().filter(|recorded| recorded.key.kind == key.kind).cloned().collect();
        Verdict::Changed(if same.is_empty() { recorded } else { same })
    }

    /// The key types recorded for the host: those to ask it for first, as OpenSSH does.
    pub fn kinds(&self, name: &str) -> Vec<String> {
        let mut kinds: Vec<String> = self.of(&name.to_ascii_lowercase(), Mark::Plain).map(|recorded| recorded.key.kind.clone()).collect();
        kinds.dedup();
        kinds
    }

    /// The authorities whose certificates are believed for the host.
    pub fn authorities(&self, name: &str) -> Vec<Key> {
        self.of(&name.to_ascii_lowercase(), Mark::Authority).map(|recorded| recorded.key.clone()).collect()
    }
}

/// The name under which a host is recorded: its alias as it is, else its name, with the port unless that is 22.
pub fn lookup_name(hostname: &str, port: u16, alias: Option<&str>) -> String {
    match (alias, port) {
        (Some(alias), _) => alias.to_ascii_lowercase(),
        (None, 22) => hostname.to_ascii_lowercase(),
        (None, port) => format!("[{}]:{port}", hostname.to_ascii_lowercase()),
    }
}

/// Writes an accepted key to the end of `file`, made with mode 0600 (its directory 0700) when it is not there.
pub fn append(file: &Path, name: &str, key: &Key, hashed: bool) -> Result<()> {
    let work = || -> std::io::Result<()> {
        if let Some(directory) = file.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let names = if hashed {
            let mut salt = [0; 20];
            std::fs::File::open("/dev/urandom")?.read_exact(&mut salt)?;
            format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(digest(&salt, name)))
        } else {
            name.to_string()
        };
        let old = std::fs::read(file).unwrap_or_default();
        let start = if old.last().is_some_and(|byte| *byte != b'\n') { "\n" } else { "" };
        let line = format!("{start}{names} {} {}\n", key.kind, STANDARD.encode(&key.blob));
        std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(file)?.write_all(line.as_bytes())
    };
    work().map_err(|error| Fault::failed(format!("the host key cannot be written to {}: {error}", file.display())))
}

fn digest(salt: &[u8], name: &str) -> Vec<u8> {
    Hmac::<Sha1>::new_from_slice(salt).map(|mac| mac.chain_update(name.as_bytes()).finalize().into_bytes().to_vec()).unwrap_or_default()
}

/// Whether the first field of a line means the host `name` (in small letters).
fn matches(names: &str, name: &str) -> bool {
    if let Some(hashed) = names.strip_prefix("|1|") {
        let Some((salt, hash)) = hashed.split_once('|') else { return false };
        let (Ok(salt), Ok(hash)) = (STANDARD.decode(salt), STANDARD.decode(hash)) else { return false };
        return !hash.is_empty() && digest(&salt, name) == hash;
    }
    let mut found = false;
    for pattern in names.split(',') {
        let (negated, pattern) = pattern.strip_prefix('!').map_or((false, pattern), |rest| (true, rest));
        if wildcard(&pattern.to_ascii_lowercase(), name) {
            if negated {
                return false;
            }
            found = true;
        }
    }
    found
}

/// `*` is any run of characters, `?` one; everything else itself.
pub fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let mut reach = vec![false; text.len() + 1];
    if let Some(first) = reach.first_mut() {
        *first = true;
    }
    for char in pattern {
        let mut next = vec![false; text.len() + 1];
        let mut run = false;
        for (at, slot) in next.iter_mut().enumerate() {
            let here = reach.get(at).copied().unwrap_or(false);
            let before = at.checked_sub(1).and_then(|at| Some((reach.get(at).copied()?, text.get(at).copied()?)));
            run |= here;
            *slot = match (char, before) {
                ('*', _) => run,
                ('?', Some((reached, _))) => reached,
                (char, Some((reached, letter))) => reached && letter == char,
                (_, None) => false,
            };
        }
        reach = next;
    }
    reach.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: &str, n: u8) -> Key {
        Key { kind: kind.into(), blob: vec![n; 8] }
    }
    fn line(names: &str, key: &Key) -> String {
        format!("{names} {} {} comment here\n", key.kind, STANDARD.encode(&key.blob))
    }
    fn hosts(text: &str) -> KnownHosts {
        let mut hosts = KnownHosts::default();
        hosts.add(Path::new("/kh"), text);
        hosts
    }

    #[test]
    fn names_wildcards_negation_ports_and_case() {
        let (a, b) = (key("ssh-ed25519", 1), key("ssh-ed25519", 2));
        let text = format!("# note\n\nnonsense\n{}", line("Web*.example,!web9.example,10.0.0.?", &a) + &line("[db]:2222", &b));
        let all = hosts(&text);
        assert_eq!(all.judge("web1.example", &a), Verdict::Known);
        assert_eq!(all.judge("WEB1.Example", &a), Verdict::Known);
        assert_eq!(all.judge("web9.example", &a), Verdict::Unknown);
        assert_eq!(all.judge("10.0.0.7", &a), Verdict::Known);
        assert_eq!(all.judge("10.0.0.77", &a), Verdict::Unknown);
        assert_eq!(all.judge("[db]:2222", &b), Verdict::Known);
        assert_eq!(all.judge("db", &b), Verdict::Unknown);
        assert_eq!(all.judge("[10.0.0.7]:2200", &a), Verdict::Known, "a bare name holds for its other ports");
        assert_eq!(all.judge("[10.0.0.7]:2200", &b), Verdict::Unknown);
        assert_eq!(lookup_name("Web1", 22, None), "web1");
        assert_eq!(lookup_name("web1", 2200, None), "[web1]:2200");
        assert_eq!(lookup_name("web1", 2200, Some("Alias")), "alias");
    }

    #[test]
    fn changed_revoked_and_another_type() {
        let (a, b, rsa) = (key("ssh-ed25519", 1), key("ssh-ed25519", 2), key("ssh-rsa", 3));
        let all = hosts(&(line("web", &a) + &line("@revoked *", &rsa) + "broken ssh-ed25519 !!!\n"));
        let Verdict::Changed(recorded) = all.judge("web", &b) else { panic!() };
        assert_eq!((recorded[0].line, &recorded[0].key), (1, &a));
        assert!(matches!(all.judge("web", &key("ecdsa-sha2-nistp256", 4)), Verdict::Changed(recorded) if recorded[0].key == a));
        assert!(matches!(all.judge("other", &rsa), Verdict::Revoked(_)));
        assert_eq!(all.kinds("web"), ["ssh-ed25519"]);
        let all = hosts(&(line("web", &a) + &line("@cert-authority *.example", &b)));
        assert_eq!(all.judge("x.example", &b), Verdict::Unknown, "an authority's key is not a host's key");
        assert_eq!(all.authorities("x.example"), [b]);
    }

    #[test]
    fn ssh_keygen_and_we_agree_on_hashed_names_and_fingerprints() {
        let dir = tempfile::tempdir().unwrap();
        let id = dir.path().join("id");
        let run = |argv: &[&str]| String::from_utf8(std::process::Command::new(argv[0]).args(&argv[1..]).output().unwrap().stdout).unwrap();
        run(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", id.to_str().unwrap()]);
        let public = std::fs::read_to_string(dir.path().join("id.pub")).unwrap();
        let mut words = public.split(' ');
        let key = Key { kind: words.next().unwrap().into(), blob: STANDARD.decode(words.next().unwrap()).unwrap() };
        let printed = run(&["ssh-keygen", "-lf", id.to_str().unwrap()]);
        assert!(printed.contains(key.fingerprint().split_once(' ').unwrap().1), "{printed}");

        let file = dir.path().join("deep/known_hosts");
        append(&file, "[web1]:2200", &key, true).unwrap();
        append(&file, "web2", &key, false).unwrap();
        let at = file.to_str().unwrap();
        assert!(run(&["ssh-keygen", "-F", "[web1]:2200", "-f", at]).contains("found: line 1"));
        run(&["ssh-keygen", "-H", "-f", at]);
        let all = KnownHosts::read(&[file, dir.path().join("absent")]).unwrap();
        for name in ["[web1]:2200", "web2"] {
            assert_eq!(all.judge(name, &key), Verdict::Known);
        }
        assert_eq!(all.judge("web3", &key), Verdict::Unknown);
    }
}
