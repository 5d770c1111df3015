//! The demo's own supervisord and nginx: configured, started in sessions of their own where they do not run, stopped.

use super::home::{Places, Record, io, private_dir, replace};
use super::tools::Tools;
use crate::balancers::nginx::file::{self, Pool};
use crate::hosts::{Local, script, supervisor};
use crate::model::{Fault, Result};
use nix::unistd::{Uid, User};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

/// Where nginx listens: the first free one of these.
const FRONT: std::ops::Range<u16> = 21080..21280;
const START_LIMIT: Duration = Duration::from_secs(20);

/// What is configured and where its pid is.
pub struct Daemon {
    pub name: &'static str,
    pidfile: PathBuf,
    /// What only its own command line has.
    conf: String,
}

/// supervisord of these places.
pub fn supervisord(places: &Places) -> Daemon {
    Daemon { name: "supervisord", pidfile: places.at("supervisor/pid"), conf: places.text("supervisor/supervisord.conf") }
}

/// nginx of these places.
pub fn nginx(places: &Places) -> Daemon {
    Daemon { name: "nginx", pidfile: places.at("nginx/pid"), conf: places.text("nginx/nginx.conf") }
}

impl Daemon {
    /// Its pid, if that process is really the one that was started with our configuration: a number in a file may be old.
    pub fn pid(&self) -> Option<i32> {
        let pid: i32 = fs::read_to_string(&self.pidfile).ok()?.trim().parse().ok()?;
        let argv = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let argv = String::from_utf8_lossy(&argv).replace('\0', " ");
        (argv.contains(self.name) && argv.split(' ').any(|word| word == self.conf)).then_some(pid)
    }
}

/// The name of the user of this process: what `run_as` must be.
pub fn me() -> Result<String> {
    let uid = Uid::effective();
    let user = User::from_uid(uid).ok().flatten();
    user.map(|user| user.name)
        .ok_or_else(|| Fault::refused(format!("uid {uid} has no name")).next("run the demo as a user of this machine"))
}

/// Starts supervisord if it does not run. It reads the procs that are there, so that a demo comes back as it was after a reboot.
pub async fn up_supervisord(places: &Places) -> Result<bool> {
    for part in ["supervisor", "apps"] {
        private_dir(&places.at(part))?;
    }
    let socket = places.socket();
    if let Some(parent) = socket.parent() {
        private_dir(parent)?;
    }
    let conf = places.at("supervisor/supervisord.conf");
    let user = if Uid::effective().is_root() { "user=root\n" } else { "" };
    let text = format!(
        "; Made by swarmdeck demo.\n[unix_http_server]\nfile={socket}\nchmod=0700\n\
         [supervisord]\n{user}logfile={at}/log\nlogfile_maxbytes=1MB\nlogfile_backups=1\npidfile={at}/pid\nchildlogdir={at}\n\
         identifier=swarmdeck-demo\n\
         [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
         [supervisorctl]\nserverurl=unix://{socket}\n[include]\nfiles={home}/apps/procs/*/proc.conf\n",
        socket = socket.display(),
        at = places.text("supervisor"),
        home = places.home.display(),
    );
    let daemon = supervisord(places);
    let link = Local::new("here");
    let path = socket.display().to_string();
    let begun = Instant::now();
    let started = daemon.pid().is_none();
    if started {
        replace(&conf, &text, 0o600)?;
        let mut command = Command::new(places.at("bin/supervisord"));
        command.arg("-c").arg(&conf);
        detached(command, &places.at("supervisor/start.log"), "supervisord").await?;
    }
    loop {
        match supervisor::processes(&link, &path).await {
            Ok(_) if daemon.pid().is_some() => return Ok(started),
            Err(fault) if begun.elapsed() > START_LIMIT => return Err(fault.next(format!("look at {}/log", places.text("supervisor")))),
            _ if begun.elapsed() > START_LIMIT => return Err(Fault::failed("supervisord runs, but not by our pid file")),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Writes nginx's configuration and an empty pool that is ours, and starts it if it does not run; its port is in the record then.
pub async fn up_nginx(places: &Places, record: &mut Record, tools: &Tools, installation: &str) -> Result<bool> {
    for part in ["nginx", "nginx/conf.d", "nginx/temp", "lb"] {
        private_dir(&places.at(part))?;
    }
    let daemon = nginx(places);
    let started = daemon.pid().is_none();
    if started {
        if record.port == 0 || !is_free(record.port).await {
            record.port = free().await?;
            places.write(record)?;
        }
        let pool = places.at("nginx/conf.d/shop.conf");
        if !pool.exists() {
            // `proxy_pass http://shop` needs the pool to be there at the first start; from then on it is the balancer's.
            let empty = Pool { name: "shop".into(), extra: vec!["keepalive 8".into()], ..Pool::default() };
            replace(&pool, &file::render(&empty, installation), 0o644)?;
        }
        replace(&places.at("nginx/nginx.conf"), &conf(places, record.port)?, 0o600)?;
        let program = tools.nginx.as_ref().ok_or_else(|| Fault::failed("there is no nginx"))?;
        detached(Command::new(program), &places.at("nginx/start.log"), "nginx").await?;
    }
    let begun = Instant::now();
    while daemon.pid().is_none() || TcpStream::connect(("127.0.0.1", record.port)).await.is_err() {
        if begun.elapsed() > START_LIMIT {
            return Err(Fault::failed("nginx does not answer").next(format!("look at {}", places.text("nginx/error.log"))));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(started)
}

fn conf(places: &Places, port: u16) -> Result<String> {
    let at = places.text("nginx");
    // Root's workers would become another user, who cannot come into this home.
    let user = if Uid::effective().is_root() { format!("user {me} {me};\n", me = me()?) } else { String::new() };
    let temps: String =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("  {kind}_temp_path {at}/temp/{kind};\n")).concat();
    Ok(format!(
        "# Made by swarmdeck demo. The pool is in conf.d; it is the balancer's.\n{user}pid {at}/pid;\nerror_log {at}/error.log;\n\
         worker_processes 1;\nevents {{ worker_connections 512; }}\nhttp {{\n  access_log off;\n{temps}  include {at}/conf.d/*.conf;\n\
         \x20 server {{\n    listen 127.0.0.1:{port};\n    location / {{\n      proxy_pass http://shop;\n      proxy_http_version 1.1;\n\
         \x20     proxy_set_header Connection \"\";\n      # No second node is tried: what a client sees is what a dispatch does.\n\
         \x20     proxy_next_upstream off;\n    }}\n  }}\n}}\n"
    ))
}

async fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).await.is_ok()
}

async fn free() -> Result<u16> {
    for port in FRONT {
        if is_free(port).await {
            return Ok(port);
        }
    }
    Err(Fault::failed(format!("no port from {} to {} is free", FRONT.start, FRONT.end - 1)).next("end what listens there"))
}

/// Runs a program that makes itself a daemon, with nothing of ours open: its words go to a file.
async fn detached(mut command: Command, log: &Path, name: &str) -> Result<()> {
    let file = File::create(log).map_err(io(log))?;
    let again = file.try_clone().map_err(io(log))?;
    command.stdin(Stdio::null()).stdout(file).stderr(again).current_dir("/").env_clear();
    command.env("PATH", script::PATH).env("LANG", script::LOCALE).env("HOME", std::env::var_os("HOME").unwrap_or_else(|| "/".into()));
    let status = command.status().await.map_err(|error| Fault::failed(format!("{name} cannot be started: {error}")))?;
    if status.success() {
        return Ok(());
    }
    let said = fs::read_to_string(log).unwrap_or_default();
    let said = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().to_string();
    Err(Fault::failed(format!("{name} ended with {status}: {said}")).next(format!("look at {}", log.display())))
}
