//! What the tests of balancers stand on: a real nginx on loopback ports, real web servers behind it, a memory for `dummy`.

use super::{Balancer, Fence, Links, Remember, open};
use crate::hosts::link::Link;
use crate::hosts::local::Local;
use crate::model::{Result, entity};
use async_trait::async_trait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[derive(Default)]
pub struct Memory(Mutex<BTreeMap<(String, String), String>>);

#[async_trait]
impl Remember for Memory {
    async fn get(&self, balancer: &str, pool: &str) -> Result<Option<String>> {
        Ok(self.0.lock().unwrap().get(&(balancer.into(), pool.into())).cloned())
    }
    async fn put(&self, balancer: &str, pool: &str, text: Option<&str>) -> Result<()> {
        let key = (balancer.to_string(), pool.to_string());
        match text {
            Some(text) => self.0.lock().unwrap().insert(key, text.into()),
            None => self.0.lock().unwrap().remove(&key),
        };
        Ok(())
    }
}

pub fn nodes(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(ToString::to_string).collect()
}

/// Waits on a condition, at most 10 s.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(10), "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A real nginx of its own: configuration, pid and logs in a temporary directory; the pool `shop` behind a loopback port.
pub struct Rig {
    pub dir: tempfile::TempDir,
    pub port: u16,
    nginx: Child,
}

impl Rig {
    pub fn start() -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = dir.path().display();
        std::fs::create_dir(dir.path().join("conf.d")).unwrap();
        let temps: String =
            ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path {at}/{kind}; ")).concat();
        let server = format!("server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://shop; }} }}");
        std::fs::write(dir.path().join("site"), server).unwrap();
        let conf = format!(
            "pid {at}/nginx.pid; error_log {at}/error.log; worker_processes 1; events {{ worker_connections 512; }}\n\
             http {{ access_log off; {temps} include {at}/conf.d/*; include {at}/sites*; }}\n"
        );
        std::fs::write(dir.path().join("nginx.conf"), conf).unwrap();
        let nginx = Command::new("nginx")
            .args(["-p", &at.to_string(), "-c", &format!("{at}/nginx.conf"), "-g", "daemon off;"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let rig = Rig { nginx, port, dir };
        until("nginx runs", || std::fs::read_to_string(rig.dir.path().join("nginx.pid")).is_ok_and(|pid| pid.ends_with('\n')));
        rig
    }
    /// Ends nginx and waits until its pid file is gone.
    pub fn stop(&self) {
        kill(Pid::from_raw(self.nginx.id() as i32), Signal::SIGTERM).unwrap();
        until("nginx is gone", || !self.dir.path().join("nginx.pid").exists());
    }
    /// The server block refers to the pool, so it can only stand while the pool is valid.
    pub fn serve(&self) {
        std::fs::rename(self.dir.path().join("site"), self.dir.path().join("sites")).unwrap();
    }
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join("conf.d").join(name)
    }
    pub fn text(&self) -> String {
        std::fs::read_to_string(self.file("shop.conf")).unwrap()
    }
    /// Every name in the include directory.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.dir.path().join("conf.d"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
    pub fn fence(&self, epoch: u64) -> Fence {
        Fence { installation: "inst".into(), key: "pool/edge/shop".into(), epoch, root: self.dir.path().join("root").display().to_string() }
    }
    pub fn document(&self) -> entity::Balancer {
        let at = self.dir.path().display();
        let nginx = format!("nginx -p {at} -c {at}/nginx.conf");
        entity::Balancer {
            id: None,
            name: "edge".into(),
            backend: "nginx".into(),
            hosts: Vec::new(),
            include_dir: Some(format!("{at}/conf.d")),
            // Each reload is counted, so that a test can see that there was none.
            reload_cmd: Some(format!("echo >>{at}/reloads; {nginx} -s reload")),
            test_cmd: Some(format!("{nginx} -t")),
        }
    }
    pub fn reloads(&self) -> usize {
        std::fs::read(self.dir.path().join("reloads")).map_or(0, |text| text.len())
    }
    pub fn link() -> Links {
        vec![("lb01".into(), Arc::new(Local::new("lb01")) as Arc<dyn Link>)]
    }
    pub fn balancer(&self) -> Arc<dyn Balancer> {
        open(&self.document(), Rig::link(), Arc::new(Memory::default())).unwrap()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.nginx.id() as i32), Signal::SIGTERM);
        let _ = self.nginx.wait();
    }
}

/// A web server that answers every request with its own address; dropping it closes its port at once.
pub struct Web {
    pub node: String,
    stop: Arc<AtomicBool>,
}

impl Web {
    pub fn start() -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let node = listener.local_addr().unwrap().to_string();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, name) = (Arc::clone(&stop), node.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let name = name.clone();
                std::thread::spawn(move || answer(stream.unwrap(), &name));
            }
        });
        Web { node, stop }
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.node);
    }
}

fn answer(stream: TcpStream, name: &str) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let mut stream = stream;
    let _ = write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    Answered {
        status: u16,
        body: String,
    },
    /// A reused connection closed before any byte of the answer: RFC 9112, 9.3.1 lets the client retry.
    MayRetry,
    Failed(String),
}

/// A client that keeps its connection alive.
pub struct Client {
    port: u16,
    open: Option<BufReader<TcpStream>>,
}

impl Client {
    pub fn new(port: u16) -> Client {
        Client { port, open: None }
    }
    pub fn ask(&mut self) -> Asked {
        let reused = self.open.is_some();
        let mut stream = match self.open.take() {
            Some(stream) => stream,
            None => match TcpStream::connect(("127.0.0.1", self.port)) {
                Ok(stream) => BufReader::new(stream),
                Err(error) => return Asked::Failed(error.to_string()),
            },
        };
        stream.get_ref().set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let sent = stream.get_mut().write_all(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n");
        let mut status = String::new();
        let first = sent.and_then(|()| stream.read_line(&mut status));
        if !matches!(first, Ok(1..)) {
            return if reused && status.is_empty() { Asked::MayRetry } else { Asked::Failed(format!("{first:?} {status}")) };
        }
        let (mut length, mut close) = (0, false);
        loop {
            let mut line = String::new();
            match stream.read_line(&mut line) {
                Ok(1..) => {}
                other => return Asked::Failed(format!("in the head: {other:?}")),
            }
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            close |= line == "connection: close";
        }
        let mut body = vec![0; length];
        if let Err(error) = stream.read_exact(&mut body) {
            return Asked::Failed(format!("in the body: {error}"));
        }
        if !close {
            self.open = Some(stream);
        }
        let status = status.split(' ').nth(1).unwrap().parse().unwrap();
        Asked::Answered { status, body: String::from_utf8(body).unwrap() }
    }
}
