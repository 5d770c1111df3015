//! What the conformance suite needs of a backend that is put to it, and the stages of the backends that this binary knows.

use super::rig::{Memory, Rig, Web};
use super::{Balancer, Fence, Links, Remember, dummy, open};
use crate::hosts::link::{Chunk, Link, Output, Stream};
use crate::hosts::local::Local;
use crate::model::probe::Probe;
use crate::model::{Fault, Result, entity};
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::sync::mpsc;

/// A backend with hosts that can be broken. Whoever adds a backend writes one of these; the suite does the rest.
#[async_trait]
pub trait Stage: Send + Sync {
    /// Its hosts, in order; at least one.
    fn hosts(&self) -> Vec<String>;
    /// A new opening on these of its hosts, as another process would: all openings share what is remembered.
    fn open(&self, hosts: &[String]) -> Arc<dyn Balancer>;
    /// The fence of the pool `shop` at this epoch.
    fn fence(&self, epoch: u64) -> Fence;
    /// Changes the pool `shop` on a host as an operator would, with its nodes kept; answers with words that the difference must show.
    async fn edit(&self, host: &str) -> &'static str;
    /// Takes the pool `shop` away from a host, behind our back.
    async fn lose(&self, host: &str);
    /// Makes a host unreachable, or brings it back; false: no host of this backend can be away.
    fn cut(&self, _host: &str, _away: bool) -> bool {
        false
    }
    /// Makes the balancer of a host refuse every change, or stops that; false: this one never does.
    fn refuse(&self, _host: &str, _refuses: bool) -> bool {
        false
    }
    /// How many points there are at which the next change of a host can be made to die.
    fn deaths(&self) -> usize {
        0
    }
    /// The next change of this host dies at that point.
    fn die(&self, _host: &str, _point: usize) {}
    /// A probe, and a node that answers it with 200; none: no traffic goes through this backend.
    fn serve(&self) -> Option<(Probe, String)> {
        None
    }
}

/// `dummy` on a memory of its own.
#[derive(Default)]
pub struct Dummy(Arc<Memory>);

#[async_trait]
impl Stage for Dummy {
    fn hosts(&self) -> Vec<String> {
        vec![dummy::HOST.into()]
    }
    fn open(&self, _: &[String]) -> Arc<dyn Balancer> {
        let document: entity::Balancer = serde_json::from_str(r#"{"name": "edge", "backend": "dummy"}"#).unwrap();
        open(&document, Vec::new(), self.0.clone()).unwrap()
    }
    fn fence(&self, epoch: u64) -> Fence {
        Fence { installation: "inst".into(), key: "pool/edge/shop".into(), epoch, root: "/apps".into() }
    }
    async fn edit(&self, _: &str) -> &'static str {
        let text = self.0.get("edge", "shop").await.unwrap().unwrap();
        self.0.put("edge", "shop", Some(&text.replacen('\n', " down\n", 1))).await.unwrap();
        "+127.0.0.1:18001 down"
    }
    async fn lose(&self, _: &str) {
        self.0.put("edge", "shop", None).await.unwrap();
    }
}

/// Where a change of an nginx host can die: before its test, before its reload, behind it.
const DEATHS: [&str; 3] = ["test", "reload", "reloaded"];
/// Stands in a probe for the port of the host's own nginx.
const PORT: &str = "65000";

/// Several real nginx, each with its own files, under one document: `$RIG` and `/RIG/` are each host's own directory.
pub struct Nginx {
    pub rigs: Vec<(String, Rig, Arc<AtomicBool>)>,
    memory: Arc<Memory>,
    web: Web,
}

impl Nginx {
    pub fn start(hosts: &[&str]) -> Nginx {
        let rig = |name: &&str| (name.to_string(), Rig::start(), Arc::default());
        Nginx { rigs: hosts.iter().map(rig).collect(), memory: Arc::default(), web: Web::start() }
    }
    pub fn rig(&self, host: &str) -> &Rig {
        self.rigs.iter().find(|(name, ..)| name == host).map(|(_, rig, _)| rig).unwrap()
    }
    pub fn all(&self) -> Arc<dyn Balancer> {
        self.open(&self.hosts())
    }
}

#[async_trait]
impl Stage for Nginx {
    fn hosts(&self) -> Vec<String> {
        self.rigs.iter().map(|(name, ..)| name.clone()).collect()
    }
    fn open(&self, hosts: &[String]) -> Arc<dyn Balancer> {
        let mut document = self.rigs[0].1.document();
        let die = |point: &str| format!("if [ -e \"$RIG/die-{point}\" ]; then rm \"$RIG/die-{point}\"; kill -9 $PPID; exit 9; fi;");
        let nginx = "nginx -p \"$RIG\" -c \"$RIG/nginx.conf\"";
        document.include_dir = Some("/RIG/conf.d".into());
        document.test_cmd = Some(format!("{} {nginx} -t", die("test")));
        document.reload_cmd = Some(format!("{} echo >>\"$RIG/reloads\"; {nginx} -s reload; {}", die("reload"), die("reloaded")));
        let links: Links = self
            .rigs
            .iter()
            .filter(|(name, ..)| hosts.contains(name))
            .map(|(name, rig, away)| {
                let to = rig.dir.path().display().to_string();
                let inner = Local::new(name).with_env("RIG", &to);
                let link = Moved { inner, to, port: rig.port.to_string(), away: Arc::clone(away) };
                (name.clone(), Arc::new(link) as Arc<dyn Link>)
            })
            .collect();
        open(&document, links, self.memory.clone()).unwrap()
    }
    fn fence(&self, epoch: u64) -> Fence {
        Fence { root: "/RIG/root".into(), ..self.rigs[0].1.fence(epoch) }
    }
    async fn edit(&self, host: &str) -> &'static str {
        let rig = self.rig(host);
        std::fs::write(rig.file("shop.conf"), rig.text().replace("18001;", "18001 weight=5;")).unwrap();
        "+  server 127.0.0.1:18001 weight=5;"
    }
    async fn lose(&self, host: &str) {
        std::fs::remove_file(self.rig(host).file("shop.conf")).unwrap();
    }
    fn cut(&self, host: &str, away: bool) -> bool {
        let (_, _, flag) = self.rigs.iter().find(|(name, ..)| name == host).unwrap();
        flag.store(away, Ordering::SeqCst);
        true
    }
    fn refuse(&self, host: &str, refuses: bool) -> bool {
        let file = self.rig(host).file("broken.conf");
        if refuses { std::fs::write(file, "no_such_directive on;\n") } else { std::fs::remove_file(file) }.unwrap();
        true
    }
    fn deaths(&self) -> usize {
        DEATHS.len()
    }
    fn die(&self, host: &str, point: usize) {
        std::fs::write(self.rig(host).dir.path().join(format!("die-{}", DEATHS[point])), "").unwrap();
    }
    fn serve(&self) -> Option<(Probe, String)> {
        self.rigs.iter().for_each(|(_, rig, _)| rig.serve());
        Some((Probe { url: format!("http://127.0.0.1:{PORT}/health"), host: Some("shop.example".into()) }, self.web.node.clone()))
    }
}

/// A link that puts its host's own directory and port in place of the document's, and that can be cut.
struct Moved {
    inner: Local,
    to: String,
    port: String,
    away: Arc<AtomicBool>,
}

impl Moved {
    fn there(&self) -> Result<&Local> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Fault::unreachable("no route to host").on(self.inner.host()));
        }
        Ok(&self.inner)
    }
    fn own(&self, body: &str) -> String {
        body.replace("/RIG/", &format!("{}/", self.to)).replace(PORT, &self.port)
    }
}

#[async_trait]
impl Link for Moved {
    fn host(&self) -> &str {
        self.inner.host()
    }
    async fn run(&self, body: &str, limit: Duration) -> Result<Output> {
        self.there()?.run(&self.own(body), limit).await
    }
    async fn feed(&self, argv: &[&str], source: &mut (dyn AsyncRead + Send + Unpin), limit: Duration) -> Result<Output> {
        self.there()?.feed(argv, source, limit).await
    }
    async fn follow(&self, body: &str) -> Result<mpsc::Receiver<Chunk>> {
        self.there()?.follow(&self.own(body)).await
    }
    async fn socket(&self, path: &str) -> Result<Box<dyn Stream>> {
        self.there()?.socket(path).await
    }
}
