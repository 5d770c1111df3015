//! A real supervisord in a temporary directory, for the tests of scripts.

use super::files::{ProcSpec, tests::spec};
use super::{Evidence, Fence, Guard, Target};
use crate::hosts::supervisor::{Process, processes};
use crate::hosts::{Chunk, Link, Local, Output, Stream, script};
use crate::model::entity::{Become, Host, SupervisorAt, Transport};
use crate::model::release::hex;
use crate::model::{Result, world::ProcState};
use async_trait::async_trait;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::AsyncRead;
use tokio::sync::mpsc;

/// A web app that answers with its environment, and the files around it.
pub const APP: &[(&str, u32, &str)] = &[
    (
        "app.py",
        0o644,
        "import http.server, json, os, sys\n\
         class H(http.server.BaseHTTPRequestHandler):\n\
         \x20   def do_GET(self):\n\
         \x20       self.send_response(200); self.end_headers()\n\
         \x20       self.wfile.write(json.dumps({'env': dict(os.environ), 'uid': os.getuid(), 'cwd': os.getcwd()}).encode())\n\
         \x20   def log_message(self, *a): pass\n\
         print('listening on', os.environ['PORT'], flush=True)\n\
         http.server.HTTPServer(('0.0.0.0', int(os.environ['PORT'])), H).serve_forever()\n",
    ),
    ("Procfile", 0o644, "web: python3 app.py\n"),
    (
        ".profile.d/00-app.sh",
        0o644,
        "export FROM_PROFILE=yes PORT=1 APP_SETTINGS_YAML=/etc/passwd GREETING=profile\nset -- a b c; here=/; cd .\n",
    ),
    (
        "uptests/web/10-answers",
        0o755,
        "#!/usr/bin/env python3\nimport os, sys, urllib.request\nassert os.environ['PORT'] == sys.argv[2]\n\
         print('100% of', urllib.request.urlopen('http://127.0.0.1:%s/' % sys.argv[2]).status, os.getcwd().endswith('/app'), os.getuid())\n",
    ),
];

pub struct Rig {
    pub dir: tempfile::TempDir,
    pub root: String,
    pub at: SupervisorAt,
    pub link: Local,
    pub user: String,
    pub is_root: bool,
    child: Child,
}

impl Rig {
    /// A supervisord of its own, as the user of the tests.
    pub async fn new() -> Rig {
        Rig::started(None).await
    }
    /// The same as another Unix user (root only).
    pub async fn of_user(user: &str) -> Rig {
        Rig::started(Some(user)).await
    }
    async fn started(user: Option<&str>) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        // The procs' user must reach their directory.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(if user.is_some() { 0o777 } else { 0o755 })).unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let (root, socket, conf) = (at("apps"), at("sup.sock"), at("supervisord.conf"));
        std::fs::create_dir(at("conf.d")).unwrap();
        let text = format!(
            "[unix_http_server]\nfile={socket}\n[supervisord]\nlogfile={log}\npidfile={pid}\nnodaemon=true\nidentifier=rig\n\
             [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
             [supervisorctl]\nserverurl=unix://{socket}\n[include]\nfiles={root}/procs/*/proc.conf {confd}/*.conf\n",
            log = at("sup.log"),
            pid = at("sup.pid"),
            confd = at("conf.d"),
        );
        std::fs::write(&conf, text).unwrap();
        let mut argv = vec!["supervisord", "-n", "-c", &conf];
        let group = "nogroup";
        if let Some(user) = user {
            argv.splice(0..0, ["setpriv", "--reuid", user, "--regid", group, "--clear-groups", "--"]);
        }
        let child =
            Command::new(argv[0]).args(&argv[1..]).stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null()).spawn().unwrap();
        let is_root = nix::unistd::Uid::effective().is_root() && user.is_none();
        let me = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).unwrap().unwrap().name;
        let user = user.map_or(if is_root { "nobody".to_string() } else { me }, str::to_string);
        let at = SupervisorAt { socket, conf };
        let rig = Rig { dir, root, at, link: Local::new("web01"), user, is_root, child };
        eventually("supervisord answers", async || processes(&rig.link, &rig.at.socket).await.is_ok()).await;
        rig
    }

    pub fn host(&self) -> Host {
        Host {
            id: "h1".into(),
            name: "web01".into(),
            squad: "web".into(),
            transport: Transport::Local,
            address: "127.0.0.1".into(),
            port: None,
            user: None,
            become_: Become::None,
            root: self.root.clone(),
            ports: Default::default(),
            active: true,
            supervisor: self.at.clone(),
            protect: false,
        }
    }

    pub fn fence(&self) -> Fence {
        Fence { root: self.root.clone(), installation: "here-1".into(), key: "swarm-1".into(), epoch: 1 }
    }

    /// Puts an artifact of these files on the host; answers with its sha256.
    pub fn artifact(&self, files: &[(&str, u32, &str)]) -> String {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, mode, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(*mode);
            tar.append_data(&mut header, path, text.as_bytes()).unwrap();
        }
        let bytes = tar.into_inner().unwrap().finish().unwrap();
        let sha = hex(&Sha256::digest(&bytes));
        let builds = PathBuf::from(format!("{}/builds", self.root));
        std::fs::create_dir_all(&builds).unwrap();
        if nix::unistd::Uid::effective().is_root() && !self.is_root {
            std::fs::set_permissions(&self.root, std::fs::Permissions::from_mode(0o777)).unwrap();
            std::fs::set_permissions(&builds, std::fs::Permissions::from_mode(0o777)).unwrap();
        }
        std::fs::write(builds.join(&sha), bytes).unwrap();
        sha
    }

    /// A proc of the sample app on a free port. Its instance is unique on this machine, as it must be: what carries it dies with it.
    pub fn spec(&self, instance: &str) -> ProcSpec {
        let mut spec = spec(&self.root);
        spec.release.artifact = self.artifact(APP);
        spec.release.run_as.clone_from(&self.user);
        spec.release.command = "exec python3 app.py".into();
        spec.port = free_port();
        spec.name = format!("shop-v1-prod-00000000-web-{}", spec.port);
        spec.instance = format!("{instance}-{}", uuid::Uuid::now_v7());
        spec
    }

    pub fn target(&self, spec: &ProcSpec) -> Target {
        Target { name: spec.name.clone(), guard: Guard::Instance(spec.instance.clone()), stop_timeout: spec.stop_timeout }
    }

    pub async fn process(&self, name: &str) -> Option<Process> {
        processes(&self.link, &self.at.socket).await.unwrap().into_iter().find(|process| process.name == name)
    }

    pub async fn running(&self, name: &str) {
        let is = async || self.process(name).await.is_some_and(|process| ProcState::from_word(&process.statename) == ProcState::Running);
        eventually(&format!("{name} runs"), is).await;
    }

    pub async fn remove(&self, specs: &[&ProcSpec]) -> Result<Vec<Evidence>> {
        let targets: Vec<Target> = specs.iter().map(|spec| self.target(spec)).collect();
        let left = super::remove(&self.link, &self.fence(), &self.at, "retire", &targets).await?;
        super::forget(&self.link, &self.root, &left.iter().filter(|evidence| evidence.found).collect::<Vec<_>>()).await?;
        Ok(left)
    }

    /// Names in `<root>/procs`, private ones too.
    pub fn dirs(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(format!("{}/procs", self.root)) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let begun = Instant::now();
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            if begun.elapsed() > Duration::from_secs(20) {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}

pub async fn eventually(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What the sample app answers.
pub async fn answer(port: u16) -> serde_json::Value {
    let mut found = None;
    eventually(&format!("port {port} answers"), async || {
        let out = Command::new("python3")
            .args(["-c", "import sys, urllib.request; print(urllib.request.urlopen('http://127.0.0.1:%s/' % sys.argv[1]).read().decode())"])
            .arg(port.to_string())
            .stderr(Stdio::null())
            .output()
            .unwrap();
        found = serde_json::from_slice(&out.stdout).ok();
        found.is_some()
    })
    .await;
    found.unwrap()
}

/// A link that does everything as another Unix user.
pub struct AsUser<'a> {
    pub inner: &'a Local,
    pub user: &'a str,
}

#[async_trait]
impl Link for AsUser<'_> {
    fn host(&self) -> &str {
        self.inner.host()
    }
    async fn run(&self, body: &str, limit: Duration) -> Result<Output> {
        let text = script::whole(body);
        self.feed(&["sh", "-s"], &mut text.as_slice(), limit).await
    }
    async fn feed(&self, argv: &[&str], source: &mut (dyn AsyncRead + Send + Unpin), limit: Duration) -> Result<Output> {
        let argv = [&["setpriv", "--reuid", self.user, "--regid", "nogroup", "--clear-groups", "--"], argv].concat();
        self.inner.feed(&argv, source, limit).await
    }
    async fn follow(&self, body: &str) -> Result<mpsc::Receiver<Chunk>> {
        self.inner.follow(body).await
    }
    async fn socket(&self, path: &str) -> Result<Box<dyn Stream>> {
        self.inner.socket(path).await
    }
}
