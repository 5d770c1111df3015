//! The nginx balancer against a real nginx: refusals, repair, undo, several hosts, and load while pools change.

use crate::balancers::rig::{Asked, Client, Memory, Rig, Web, nodes, until};
use crate::balancers::stage::{Nginx, Stage};
use crate::balancers::{Asks, NodeState, Owner, Snapshot, open};
use crate::hosts::local::Local;
use crate::model::FaultKind;
use crate::model::probe::Probe;
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
    let edit = seen[0].edited_by_hand.as_ref().unwrap();
    assert_eq!(edit.what, "it has: 127.0.0.1:18001 weight=5; 127.0.0.1:18002 down");
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

#[tokio::test]
async fn two_hosts_change_together_or_not_at_all() {
    let stage = Nginx::start(&["lb01", "lb02"]);
    let (edge, fence) = (stage.all(), stage.fence(1));
    let (first, second) = (stage.rig("lb01"), stage.rig("lb02"));
    let old = nodes(&["127.0.0.1:18001"]);
    edge.set("shop", &old, &fence).await.unwrap();
    edge.verify("shop", &old).await.unwrap();
    let before = Snapshot::of(&edge.nodes("shop").await.unwrap());
    let reloads = first.reloads();

    stage.refuse("lb02", true);
    let fault = edge.set("shop", &nodes(&["127.0.0.1:18002"]), &fence).await.unwrap_err();
    assert_eq!(fault.host.as_deref(), Some("lb02"));
    assert_eq!(Snapshot::of(&edge.nodes("shop").await.unwrap()), before);
    assert_eq!(first.reloads(), reloads + 2, "there and back");
    stage.refuse("lb02", false);

    // One host edited by hand: the disagreement is told by host.
    std::fs::write(second.file("shop.conf"), second.text().replace("18001", "18009")).unwrap();
    let fault = edge.verify("shop", &old).await.unwrap_err();
    assert!(fault.what.starts_with("lb02: pool shop is without 127.0.0.1:18001 and with 127.0.0.1:18009 too"), "{fault}");
    assert!(edge.nodes("shop").await.unwrap()[1].edited_by_hand.is_some());
}

#[tokio::test]
async fn a_probe_asks_each_host_for_the_name_and_path_and_says_what_was_wrong() {
    let stage = Nginx::start(&["lb01", "lb02"]);
    let (edge, fence) = (stage.all(), stage.fence(1));
    let (probe, good) = {
        edge.set("shop", &nodes(&["127.0.0.1:9"]), &fence).await.unwrap();
        stage.serve().unwrap()
    };
    let dead = "127.0.0.1:1".to_string();
    // Beside a node that is dead, requests are answered by the other one; alone it is told.
    edge.set("shop", &nodes(&[&good, &dead]), &fence).await.unwrap();
    edge.probe(&probe, Asks::Any(4)).await.unwrap();
    edge.set("shop", &nodes(&[&dead]), &fence).await.unwrap();
    let fault = edge.probe(&probe, Asks::Any(2)).await.unwrap_err();
    assert!(fault.what.contains("502") && fault.what.contains("lb02"), "{fault}");
    // The name and the path arrive as they were written.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a%20b?c='d'$(e)", listener.local_addr().unwrap());
    let asking = tokio::spawn(async move { edge.probe(&Probe { url, host: Some("shop.example".into()) }, Asks::Each(1)).await });
    let heard = tokio::task::spawn_blocking(move || {
        (0..2)
            .map(|_| {
                let mut stream = listener.accept().unwrap().0;
                let lines = std::io::BufRead::lines(std::io::BufReader::new(stream.try_clone().unwrap())).map(Result::unwrap);
                let heard: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                std::io::Write::write_all(&mut stream, b"HTTP/1.1 404 Not\x1b[31mFound\r\n\r\n").unwrap();
                heard.join("\r\n")
            })
            .collect::<Vec<_>>()
    });
    for request in heard.await.unwrap() {
        assert!(request.starts_with("GET /a%20b?c='d'$(e) HTTP/1.1\r\nHost: shop.example\r\n"), "{request}");
    }
    let fault = asking.await.unwrap().unwrap_err();
    assert!(fault.what.contains("404") && !fault.what.contains('\x1b'), "{fault}");
}

#[tokio::test]
async fn a_probe_that_nobody_answers_ends_by_itself_and_one_that_cannot_connect_says_so() {
    let rig = Rig::start();
    let edge = rig.balancer();
    // It takes the connection, and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ask = async |url: String| edge.probe(&Probe { url, host: None }, Asks::Each(2)).await.unwrap_err();
    let fault = ask(format!("http://{}/", silent.local_addr().unwrap())).await;
    assert!(fault.what.contains("no answer within 10 s") && fault.host.as_deref() == Some("lb01"), "{fault}");
    let fault = ask("http://127.0.0.1:1/".into()).await;
    assert!(fault.what.contains("Connection refused"), "{fault}");
}

#[tokio::test]
async fn a_host_with_only_python_can_probe_and_one_with_neither_says_so() {
    let stage = Nginx::start(&["lb01"]);
    let (edge, fence) = (stage.all(), stage.fence(1));
    edge.set("shop", &nodes(&["127.0.0.1:9"]), &fence).await.unwrap();
    let (probe, good) = stage.serve().unwrap();
    edge.set("shop", &nodes(&[&good]), &fence).await.unwrap();
    for (tools, works) in [(&["python3"][..], true), (&[], false)] {
        let bin = tempfile::tempdir().unwrap();
        for tool in ["setsid", "sh", "timeout", "tr", "grep", "tail", "head", "env"].iter().chain(tools) {
            let place = ["/usr/bin", "/bin"].iter().map(|dir| std::path::Path::new(dir).join(tool)).find(|path| path.exists()).unwrap();
            std::os::unix::fs::symlink(place, bin.path().join(tool)).unwrap();
        }
        let port = stage.rig("lb01").port;
        let bare = Local::new("lb01").with_env("PATH", bin.path().display().to_string());
        let links: crate::balancers::Links = vec![("lb01".into(), Arc::new(bare))];
        let bare = open(&stage.rig("lb01").document(), links, Arc::new(Memory::default())).unwrap();
        let probe = Probe { url: format!("http://127.0.0.1:{port}/"), ..probe.clone() };
        let answer = bare.probe(&probe, Asks::Each(2)).await;
        match works {
            true => assert_eq!(answer.unwrap().as_deref(), Some("lb01: 2 of 2 requests answered")),
            false => assert!(answer.unwrap_err().what.contains("neither bash nor python3")),
        }
    }
}

#[tokio::test]
async fn connections_to_a_node_are_counted_and_a_node_that_is_out_drains_until_they_are_gone() {
    let rig = Rig::start();
    let edge = rig.balancer();
    // Two nodes that take a request and do not answer it before they are told to.
    let slow: Vec<std::net::TcpListener> = (0..2).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let at: Vec<String> = slow.iter().map(|node| node.local_addr().unwrap().to_string()).collect();
    let both: Vec<&str> = at.iter().map(String::as_str).collect();
    edge.set("shop", &nodes(&both[..1]), &rig.fence(1)).await.unwrap();
    rig.serve();
    edge.set("shop", &nodes(&both[..1]), &rig.fence(1)).await.unwrap();
    edge.set("shop", &nodes(&[]), &rig.fence(1)).await.unwrap();
    edge.set("shop", &nodes(&both[..1]), &rig.fence(1)).await.unwrap();
    let port = rig.port;
    let client = std::thread::spawn(move || Client::new(port).ask());
    let mut held = slow[0].accept().unwrap().0;
    edge.set("shop", &nodes(&both), &rig.fence(1)).await.unwrap();
    let seen = edge.nodes("shop").await.unwrap().remove(0);
    assert_eq!((seen.connections[&at[0]], seen.connections[&at[1]]), (1, 0));
    assert_eq!(seen.nodes[&at[0]], NodeState::Up);

    edge.drain("shop", &nodes(&both[..1]), &rig.fence(1)).await.unwrap();
    let seen = edge.nodes("shop").await.unwrap().remove(0);
    assert_eq!((seen.nodes[&at[0]], seen.nodes[&at[1]]), (NodeState::Draining, NodeState::Up));
    assert_eq!(seen.edited_by_hand, None);
    assert!(!edge.drained("shop", &nodes(&both[..1]), Duration::from_secs(1)).await.unwrap().gone());

    let mut request = [0; 4096];
    while std::io::Read::read(&mut held, &mut request).unwrap() == request.len() {}
    std::io::Write::write_all(&mut held, b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
    drop(held);
    assert_eq!(client.join().unwrap(), Asked::Answered { status: 200, body: "hi".into() });
    assert!(edge.drained("shop", &nodes(&both[..1]), WAIT).await.unwrap().gone());
    assert_eq!(edge.nodes("shop").await.unwrap()[0].nodes[&at[0]], NodeState::Down);
}

#[tokio::test]
async fn a_node_that_no_balancer_host_can_connect_to_is_told_in_time() {
    let rig = Rig::start();
    let web = Web::start();
    let edge = rig.balancer();
    edge.reaches(&nodes(&[&web.node])).await.unwrap();
    let dead = "127.0.0.1:1".to_string();
    let fault = edge.reaches(&nodes(&[&web.node, &dead])).await.unwrap_err();
    assert!(fault.what == format!("cannot connect to {dead}") && fault.host.as_deref() == Some("lb01"), "{fault}");
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
