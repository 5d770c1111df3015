//! The nginx balancer against a real nginx: refusals, repair, undo, several hosts, and load while pools change.

use crate::balancers::rig::{Asked, Client, Memory, Rig, Web, nodes, until};
use crate::balancers::{Balancer, NodeState, Owner, Snapshot, open};
use crate::hosts::link::Link;
use crate::hosts::local::Local;
use crate::model::FaultKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_broken_configuration_of_the_operator_changes_nothing_and_reloads_nothing() {
    let rig = Rig::start();
    let edge = rig.balancer();
    edge.set("shop", &nodes(&["127.0.0.1:18001"]), &rig.fence(1)).await.unwrap();
    let (before, reloads) = (rig.text(), rig.reloads());
    std::fs::write(rig.file("broken.conf"), "no_such_directive on;\n").unwrap();
    let fault = edge.set("shop", &nodes(&["127.0.0.1:18002"]), &rig.fence(1)).await.unwrap_err();
    assert!(fault.what.contains("unknown directive \"no_such_directive\""), "{fault}");
    assert_eq!((fault.kind, fault.host.as_deref()), (FaultKind::Failed, Some("lb01")));
    let fault = edge.set("new", &nodes(&["127.0.0.1:18002"]), &rig.fence(1)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Failed);
    assert_eq!((rig.text(), rig.reloads()), (before, reloads));
    assert_eq!(rig.names(), ["broken.conf", "shop.conf"]);
    std::fs::remove_file(rig.file("broken.conf")).unwrap();
    edge.set("shop", &nodes(&["127.0.0.1:18002"]), &rig.fence(1)).await.unwrap();
    assert_eq!(rig.reloads(), reloads + 1);
}

#[tokio::test]
async fn a_file_that_is_not_ours_is_only_taken_over_when_asked() {
    let rig = Rig::start();
    let edge = rig.balancer();
    for (text, owner) in [
        ("upstream shop {\n  server 127.0.0.1:18001;\n}\n", Owner::Velociraptor),
        ("upstream shop { least_conn; server 127.0.0.1:18001 weight=2; }\n", Owner::Stranger),
        (
            "# swarmdeck pool shop, installation other, nodes 0\nupstream shop { server 127.0.0.1:18001; }\n",
            Owner::Installation("other".into()),
        ),
    ] {
        std::fs::write(rig.file("shop.conf"), text).unwrap();
        assert_eq!(edge.nodes("shop").await.unwrap()[0].owner, owner);
        let fault = edge.set("shop", &nodes(&["127.0.0.1:18002"]), &rig.fence(1)).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Refused);
        assert!(fault.next.unwrap().contains("adopt"));
        assert_eq!(rig.text(), text);
        edge.adopt("shop", &rig.fence(1)).await.unwrap();
        edge.verify("shop", &nodes(&["127.0.0.1:18001"])).await.unwrap();
        edge.set("shop", &nodes(&["127.0.0.1:18001", "127.0.0.1:18002"]), &rig.fence(1)).await.unwrap();
        assert_eq!(rig.text().contains("weight=2"), text.contains("weight=2"));
    }
    std::fs::write(rig.file("shop.conf"), "server { listen 127.0.0.1:1; }\n").unwrap();
    assert_eq!(edge.adopt("shop", &rig.fence(1)).await.unwrap_err().kind, FaultKind::Refused);
}

#[tokio::test]
async fn what_a_crash_left_of_any_pool_is_put_right_by_the_next_script() {
    let rig = Rig::start();
    let edge = rig.balancer();
    edge.set("shop", &nodes(&["127.0.0.1:18001"]), &rig.fence(1)).await.unwrap();
    let good = rig.text();
    // Cut off behind the rename of a bad file, and of a first file: what was before stands beside.
    std::fs::rename(rig.file("shop.conf"), rig.file(".shop.conf.swarmdeck-before")).unwrap();
    std::fs::write(rig.file("shop.conf"), "broken").unwrap();
    std::fs::write(rig.file("fresh.conf"), "broken too").unwrap();
    std::fs::write(rig.file(".fresh.conf.swarmdeck-absent"), "").unwrap();
    std::fs::write(rig.file(".shop.conf.swarmdeck-next"), "hal").unwrap();
    assert_eq!(edge.verify("shop", &nodes(&["127.0.0.1:18001"])).await.unwrap_err().kind, FaultKind::Failed);
    edge.set("shop2", &nodes(&["127.0.0.1:18003"]), &rig.fence(1)).await.unwrap();
    assert_eq!(rig.text(), good);
    assert_eq!(rig.names(), ["shop.conf", "shop2.conf"]);
    // Cut off before the reload: the file is as wanted, but nginx has not been told.
    let (owed, reloads) = (rig.dir.path().join("root/fence/reload-owed"), rig.reloads());
    std::fs::write(&owed, "").unwrap();
    edge.set("shop", &nodes(&["127.0.0.1:18001"]), &rig.fence(1)).await.unwrap();
    assert_eq!(rig.reloads(), reloads + 1);
    assert!(!owed.exists());
}

#[tokio::test]
async fn edits_by_hand_are_seen_kept_and_given_back() {
    let rig = Rig::start();
    let edge = rig.balancer();
    let two = nodes(&["127.0.0.1:18001", "127.0.0.1:18002"]);
    edge.set("shop", &two, &rig.fence(1)).await.unwrap();
    let edited = rig.text().replace("18001;", "18001 weight=5;").replace("18002;", "18002 down;");
    std::fs::write(rig.file("shop.conf"), &edited).unwrap();
    let seen = edge.nodes("shop").await.unwrap();
    assert_eq!(seen[0].nodes["127.0.0.1:18002"], NodeState::Down);
    assert_eq!(seen[0].edited_by_hand.as_deref(), Some("it has: 127.0.0.1:18001 weight=5; 127.0.0.1:18002 down"));
    edge.set("shop", &two, &rig.fence(1)).await.unwrap();
    edge.verify("shop", &two).await.unwrap();
    assert!(rig.text().contains("server 127.0.0.1:18001 weight=5;\n"));
    edge.restore("shop", &Snapshot::of(&seen), &rig.fence(1)).await.unwrap();
    assert_eq!(rig.text(), edited);
}

#[tokio::test]
async fn a_host_of_another_installation_and_a_pool_that_nginx_does_not_include_are_told() {
    let rig = Rig::start();
    let edge = rig.balancer();
    edge.set("shop", &nodes(&["127.0.0.1:18001"]), &rig.fence(1)).await.unwrap();
    let mut fence = rig.fence(2);
    fence.installation = "second".into();
    let fault = edge.set("other", &nodes(&["127.0.0.1:18001"]), &fence).await.unwrap_err();
    assert!(fault.kind == FaultKind::Refused && fault.what.contains("installation inst"), "{fault}");
    let mut document = rig.document();
    document.include_dir = Some(rig.dir.path().join("elsewhere").display().to_string());
    std::fs::create_dir(rig.dir.path().join("elsewhere")).unwrap();
    let elsewhere = open(&document, Rig::link(), Arc::new(Memory::default())).unwrap();
    elsewhere.set("aside", &nodes(&["127.0.0.1:18001"]), &rig.fence(2)).await.unwrap();
    let fault = elsewhere.verify("aside", &nodes(&["127.0.0.1:18001"])).await.unwrap_err();
    assert!(fault.what.contains("does not include"), "{fault}");
}

/// One balancer on two hosts that have the same document but each its own files and nginx: `$RIG` tells the commands which.
fn two_hosts(first: &Rig, second: &Rig) -> Arc<dyn Balancer> {
    let mut document = first.document();
    document.include_dir = Some("/RIG/conf.d".into());
    document.test_cmd = Some("nginx -p \"$RIG\" -c \"$RIG/nginx.conf\" -t".into());
    document.reload_cmd = Some("echo >>\"$RIG/reloads\"; nginx -p \"$RIG\" -c \"$RIG/nginx.conf\" -s reload".into());
    let link = |name: &str, rig: &Rig| -> (String, Arc<dyn Link>) {
        let to = rig.dir.path().display().to_string();
        (name.into(), Arc::new(Moved { inner: Local::new(name).with_env("RIG", &to), to }))
    };
    open(&document, vec![link("lb01", first), link("lb02", second)], Arc::new(Memory::default())).unwrap()
}

/// A link that puts its host's own directory in place of `/RIG/`.
struct Moved {
    inner: Local,
    to: String,
}

#[async_trait::async_trait]
impl Link for Moved {
    fn host(&self) -> &str {
        self.inner.host()
    }
    async fn run(&self, body: &str, limit: Duration) -> crate::model::Result<crate::hosts::link::Output> {
        self.inner.run(&body.replace("/RIG/", &format!("{}/", self.to)), limit).await
    }
    async fn feed(
        &self,
        argv: &[&str],
        source: &mut (dyn tokio::io::AsyncRead + Send + Unpin),
        limit: Duration,
    ) -> crate::model::Result<crate::hosts::link::Output> {
        self.inner.feed(argv, source, limit).await
    }
    async fn follow(&self, body: &str) -> crate::model::Result<tokio::sync::mpsc::Receiver<crate::hosts::link::Chunk>> {
        self.inner.follow(body).await
    }
    async fn socket(&self, path: &str) -> crate::model::Result<Box<dyn crate::hosts::link::Stream>> {
        self.inner.socket(path).await
    }
}

#[tokio::test]
async fn two_hosts_change_together_or_not_at_all() {
    let (first, second) = (Rig::start(), Rig::start());
    let edge = two_hosts(&first, &second);
    let mut fence = first.fence(1);
    fence.root = "/RIG/root".into();
    let old = nodes(&["127.0.0.1:18001"]);
    edge.set("shop", &old, &fence).await.unwrap();
    edge.verify("shop", &old).await.unwrap();
    let before = Snapshot::of(&edge.nodes("shop").await.unwrap());
    let reloads = first.reloads();

    std::fs::write(second.file("broken.conf"), "no_such_directive on;\n").unwrap();
    let fault = edge.set("shop", &nodes(&["127.0.0.1:18002"]), &fence).await.unwrap_err();
    assert_eq!(fault.host.as_deref(), Some("lb02"));
    assert_eq!(Snapshot::of(&edge.nodes("shop").await.unwrap()), before);
    assert_eq!(first.reloads(), reloads + 2, "there and back");
    std::fs::remove_file(second.file("broken.conf")).unwrap();

    // One host edited by hand: the disagreement is told by host.
    std::fs::write(second.file("shop.conf"), second.text().replace("18001", "18009")).unwrap();
    let fault = edge.verify("shop", &old).await.unwrap_err();
    assert!(fault.what.starts_with("lb02: pool shop is without 127.0.0.1:18001 and with 127.0.0.1:18009 too"), "{fault}");
    assert!(edge.nodes("shop").await.unwrap()[1].edited_by_hand.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_while_a_pool_is_swapped_ten_times() {
    let rig = Rig::start();
    let edge = rig.balancer();
    let mut serving = Web::start();
    edge.set("shop", &nodes(&[&serving.node]), &rig.fence(1)).await.unwrap();
    rig.serve();
    edge.set("shop", &nodes(&[]), &rig.fence(1)).await.unwrap();
    // An emptied pool is a valid upstream: nginx answers for it.
    assert!(matches!(Client::new(rig.port).ask(), Asked::Answered { status: 502, .. }));
    edge.set("shop", &nodes(&[&serving.node]), &rig.fence(1)).await.unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let (answered, retried) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (stop, answered, retried, port) = (stop.clone(), answered.clone(), retried.clone(), rig.port);
            std::thread::spawn(move || {
                let mut client = Client::new(port);
                let mut failed = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    let mut asked = client.ask();
                    if asked == Asked::MayRetry {
                        retried.fetch_add(1, Ordering::SeqCst);
                        asked = client.ask();
                    }
                    match asked {
                        Asked::Answered { status: 200, .. } => drop(answered.fetch_add(1, Ordering::SeqCst)),
                        other => failed.push(format!("{other:?}")),
                    }
                }
                failed
            })
        })
        .collect();
    for _ in 0..10 {
        let next = Web::start();
        edge.set("shop", &nodes(&[&next.node]), &rig.fence(1)).await.unwrap();
        assert_eq!(
            Client::new(rig.port).ask(),
            Asked::Answered { status: 200, body: next.node.clone() },
            "set returns when nginx serves by it"
        );
        let drained = edge.drained("shop", &nodes(&[&serving.node]), WAIT).await.unwrap();
        assert!(drained.gone(), "{drained:?}");
        // The old one dies the moment the drain says so: whatever still reached it would fail.
        serving = next;
        let mark = answered.load(Ordering::SeqCst);
        until("requests flow", || answered.load(Ordering::SeqCst) > mark + 20);
    }
    stop.store(true, Ordering::SeqCst);
    let failed: Vec<String> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    println!("{} requests, {} retried, {} failed", answered.load(Ordering::SeqCst), retried.load(Ordering::SeqCst), failed.len());
    assert_eq!(failed, Vec::<String>::new());
}

#[tokio::test]
async fn a_drain_ends_at_its_limit_and_says_what_is_left() {
    let rig = Rig::start();
    let edge = rig.balancer();
    edge.set("shop", &nodes(&["127.0.0.1:18001"]), &rig.fence(1)).await.unwrap();
    rig.serve();
    edge.set("shop", &nodes(&["127.0.0.1:18002"]), &rig.fence(1)).await.unwrap();
    // A request that is still being received holds its worker.
    let mut slow = std::net::TcpStream::connect(("127.0.0.1", rig.port)).unwrap();
    std::io::Write::write_all(&mut slow, b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n").unwrap();
    let mut goes_on = [0; 12];
    std::io::Read::read_exact(&mut slow, &mut goes_on).unwrap();
    assert_eq!(&goes_on, b"HTTP/1.1 100");
    edge.set("shop", &nodes(&["127.0.0.1:18003"]), &rig.fence(1)).await.unwrap();
    let drained = edge.drained("shop", &nodes(&["127.0.0.1:18002"]), Duration::from_secs(1)).await.unwrap();
    assert_eq!(drained.left.get("lb01"), Some(&1));
    drop(slow);
    assert!(edge.drained("shop", &nodes(&["127.0.0.1:18002"]), WAIT).await.unwrap().gone());
}

#[tokio::test]
async fn a_script_that_is_killed_half_way_leaves_what_the_next_one_puts_right() {
    let rig = Rig::start();
    let edge = rig.balancer();
    let old = nodes(&["127.0.0.1:18001"]);
    edge.set("shop", &old, &rig.fence(1)).await.unwrap();
    let good = rig.text();
    let mut document = rig.document();
    document.test_cmd = Some("sleep 60".into());
    let stuck = open(&document, Rig::link(), Arc::new(Memory::default())).unwrap();
    let fence = rig.fence(2);
    let killed = tokio::spawn(async move { stuck.set("shop", &nodes(&["127.0.0.1:18002"]), &fence).await });
    while rig.text() == good {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    killed.abort();
    assert!(killed.await.unwrap_err().is_cancelled());
    assert!(rig.file(".shop.conf.swarmdeck-before").exists());
    let mut fence = rig.fence(1);
    fence.key = "pool/edge/shop2".into();
    edge.set("shop2", &nodes(&["127.0.0.1:18003"]), &fence).await.unwrap();
    assert_eq!(rig.text(), good);
    assert_eq!(rig.names(), ["shop.conf", "shop2.conf"]);
    edge.verify("shop", &old).await.unwrap();
}

#[tokio::test]
async fn an_nginx_that_does_not_run_or_does_not_reload_keeps_its_files() {
    let rig = Rig::start();
    let edge = rig.balancer();
    edge.set("shop", &nodes(&["127.0.0.1:18001"]), &rig.fence(1)).await.unwrap();
    let good = rig.text();
    let mut document = rig.document();
    document.reload_cmd = Some("echo no rights >&2; exit 1".into());
    let mute = open(&document, Rig::link(), Arc::new(Memory::default())).unwrap();
    let fault = mute.set("shop", &nodes(&["127.0.0.1:18002"]), &rig.fence(1)).await.unwrap_err();
    assert!(fault.what.contains("no rights"), "{fault}");
    assert_eq!(rig.text(), good);
    rig.stop();
    let fault = edge.set("shop", &nodes(&["127.0.0.1:18002"]), &rig.fence(1)).await.unwrap_err();
    assert!(fault.what.contains("nginx does not run"), "{fault}");
    assert_eq!((rig.text(), rig.names()), (good, vec!["shop.conf".to_string()]));
}
