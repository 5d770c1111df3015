//! SSH against real daemons: logins, host keys, jumps, commands, sockets, limits, lost connections.

use super::rig::*;
use super::*;
use crate::hosts::prompt::{Prompt, Question, Secret};
use crate::hosts::{Chunk, Link};
use async_trait::async_trait;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Answers by a table and remembers what was asked.
struct Scripted(fn(&Question) -> Option<&'static str>, Mutex<Vec<Question>>);

#[async_trait]
impl Prompt for Scripted {
    async fn ask(&self, question: Question) -> Option<Secret> {
        let answer = (self.0)(&question).map(|text| Secret(text.to_string()));
        self.1.lock().unwrap().push(question);
        answer
    }
}

fn scripted(answers: fn(&Question) -> Option<&'static str>) -> Arc<Scripted> {
    Arc::new(Scripted(answers, Mutex::default()))
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_uploads_output_and_sockets_on_one_connection() {
    if !rooted() {
        return;
    }
    let sshd = Sshd::start("");
    sshd.trust();
    let link = Arc::new(link(sshd.dir.path(), &sshd.block("web01", ""), "web01", false));

    let out = link.run("printf 'é'; echo no >&2; cat; test \"$LC_ALL\" = C.UTF-8 || exit 9; exit 3", LIMIT).await.unwrap();
    assert_eq!((out.status, out.stdout.as_slice(), out.stderr.as_slice()), (3, "é".as_bytes(), &b"no\n"[..]));
    let out = link.run("kill -9 $$", LIMIT).await.unwrap();
    assert_eq!(out.status, 137);

    // What a script leaves running does not hold it up: the limit is far below.
    let out = link.run("sleep 600 & echo $!", LIMIT).await.unwrap();
    sh(&format!("kill {}", out.text().trim()));

    let data: Vec<u8> = (0..5_000_011u32).map(|n| (n.wrapping_mul(2654435761) >> 13) as u8).collect();
    let file = sshd.at("it's here");
    let line = format!("umask 077; exec cat > {}", crate::model::quote::quote(&file.display().to_string()));
    let out = link.feed(&["sh", "-c", &line], &mut &data[..], LIMIT).await.unwrap();
    assert!(out.status == 0 && std::fs::read(&file).unwrap() == data);
    // A command that does not read its input ends all the same.
    assert_eq!(link.feed(&["sh", "-c", "exit 7"], &mut &data[..], LIMIT).await.unwrap().status, 7);
    let out = link.run(&format!("cat {}", crate::model::quote::quote(&file.display().to_string())), LIMIT).await.unwrap();
    assert!(out.stdout == data);

    // Several run at once: each waits until it is not alone.
    let begun = sshd.at("begun");
    let runs = (0..20).map(|n| {
        let (link, begun) = (link.clone(), begun.display().to_string());
        let body = format!("echo {n} >>{begun}; until [ $(wc -l <{begun}) -ge 4 ]; do sleep 0.05; done; echo {n}");
        tokio::spawn(async move { link.run(&body, LIMIT).await.unwrap().text() })
    });
    for (n, run) in runs.enumerate().collect::<Vec<_>>() {
        assert_eq!(run.await.unwrap(), format!("{n}\n"));
    }
    assert_eq!(sshd.logins(), 1, "{}", sshd.log());

    let path = sshd.at("echo.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut read, mut write) = stream.split();
            let _ = tokio::io::copy(&mut read, &mut write).await;
        }
    });
    let mut stream = link.socket(path.to_str().unwrap()).await.unwrap();
    stream.write_all(&data[..300_000]).await.unwrap();
    let mut back = vec![0; 300_000];
    stream.read_exact(&mut back).await.unwrap();
    assert!(back == data[..300_000]);
    let fault = link.socket("/no/such").await.err().unwrap();
    assert!(fault.line().contains("web01: the socket /no/such does not open"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_readers_that_leave_end_what_runs_on_the_host() {
    if !rooted() {
        return;
    }
    let sshd = Sshd::start("");
    sshd.trust();
    let link = link(sshd.dir.path(), &sshd.block("web01", ""), "web01", false);
    let gone = async |pid: i32| {
        let begun = Instant::now();
        while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(begun.elapsed() < LIMIT, "process {pid} still lives");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let file = sshd.at("pid");
    let fault = link.run(&format!("sleep 600 & echo $! > {}; wait", file.display()), Duration::from_secs(3)).await.unwrap_err();
    assert!(fault.line().contains("longer than its limit of 3s"), "{fault}");
    gone(std::fs::read_to_string(&file).unwrap().trim().parse().unwrap()).await;

    let mut lines = link.follow("echo one; exit 4").await.unwrap();
    assert_eq!(lines.recv().await, Some(Chunk::Out(b"one\n".to_vec())));
    assert_eq!(lines.recv().await, Some(Chunk::End(4)));
    // More than may be followed at once, so that places come back too.
    for _ in 0..8 {
        let mut lines = link.follow("sleep 600 & echo $!; wait").await.unwrap();
        let Some(Chunk::Out(pid)) = lines.recv().await else { panic!("no pid") };
        drop(lines);
        gone(String::from_utf8(pid).unwrap().trim().parse().unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_said_and_the_next_call_connects_anew() {
    if !rooted() {
        return;
    }
    let mut sshd = Sshd::start("");
    sshd.trust();
    let link = Arc::new(link(sshd.dir.path(), &sshd.block("web01", " ConnectTimeout 3"), "web01", false));
    let mark = sshd.at("mark");
    let (body, runner) = (format!("touch {}; sleep 30", mark.display()), link.clone());
    let run = tokio::spawn(async move { runner.run(&body, LIMIT).await });
    let begun = Instant::now();
    while !mark.exists() {
        assert!(begun.elapsed() < LIMIT);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sshd.down();
    let fault = run.await.unwrap().unwrap_err();
    assert_eq!(fault.kind, crate::model::FaultKind::Unreachable);
    assert!(fault.line().contains("web01: the connection was lost while a command ran"), "{fault}");
    let fault = link.run("true", LIMIT).await.unwrap_err();
    assert!(fault.line().contains("does not answer"), "{fault}");
    sshd.up();
    assert_eq!(link.run("echo back", LIMIT).await.unwrap().text(), "back\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_from_agent_certificate_and_locked_files() {
    if !rooted() {
        return;
    }
    let sshd = Sshd::start("TrustedUserCAKeys {at}/ca.pub");
    sshd.trust();
    let dir = sshd.dir.path();
    for (name, passphrase) in [("ca", ""), ("certified", ""), ("locked", "open sesame"), ("stranger", "")] {
        keygen(&dir.join(name), passphrase);
    }
    sh(&format!("ssh-keygen -q -s {0}/ca -I alice -n root {0}/certified.pub", dir.display()));
    let user = dir.join("user");
    let block = |more: &str| sshd.block("web01", "").replace(&format!(" IdentityFile {}\n", user.display()), &format!(" {more}\n"));
    let id = async |more: &str| {
        let config = block(more);
        link(dir, &config, "web01", false).run("echo in", LIMIT).await.map(|out| out.text())
    };

    // The agent, by a key that no file names; then one whose certificate it holds.
    let agent = Agent::start(dir, &[dir.join("stranger"), user.clone()]);
    let with = format!("IdentityFile none\n IdentityAgent {}", agent.socket.display());
    assert_eq!(id(&with).await.unwrap(), "in\n");
    drop(agent);
    std::fs::remove_file(dir.join("agent")).ok();
    let agent = Agent::start(dir, &[dir.join("certified")]);
    let with = format!("IdentityFile none\n IdentityAgent {}", agent.socket.display());
    assert_eq!(id(&with).await.unwrap(), "in\n");
    assert!(sshd.log().contains("ED25519-CERT"), "{}", sshd.log());
    drop(agent);

    assert_eq!(id(&format!("IdentityFile {}/certified", dir.display())).await.unwrap(), "in\n", "certificate beside its key");
    let fault = id(&format!("IdentityFile {}/stranger", dir.display())).await.unwrap_err();
    assert!(fault.line().contains("login as root was refused; tried: key") && fault.line().contains("stranger"), "{fault}");

    // A locked file that the host would not take is not asked for; one that it takes is, once for two hosts.
    let fault = id(&format!("IdentityFile {}/locked", dir.display())).await.unwrap_err();
    assert!(fault.line().contains("was refused"), "{fault}");
    std::fs::copy(dir.join("locked.pub"), dir.join("more.pub")).unwrap();
    let fault = id(&format!("IdentityFile {}/locked", dir.display())).await.unwrap_err();
    assert!(fault.line().contains("web01 asks for the passphrase of") && fault.line().contains("no terminal to ask on"), "{fault}");
    let prompt = scripted(|question| matches!(question, Question::Passphrase { .. }).then_some("open sesame"));
    let two = block(&format!("IdentityFile {}/locked", dir.display())).replace("Host web01", "Host web01 web02");
    let dialer = dialer(dir, &two, prompt.clone());
    let (one, two) = (SshLink::new(spec("web01", false), dialer.clone()), SshLink::new(spec("web02", false), dialer));
    let (one, two) = tokio::join!(one.run("echo 1", LIMIT), two.run("echo 2", LIMIT));
    assert_eq!((one.unwrap().text(), two.unwrap().text()), ("1\n".into(), "2\n".into()));
    assert_eq!(prompt.1.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn host_keys_are_always_checked() {
    if !rooted() {
        return;
    }
    let sshd = Sshd::start("");
    let dir = sshd.dir.path();
    let print = |name: &str| sh(&format!("ssh-keygen -lf {}/{name}.pub", dir.display())).split(' ').nth(1).unwrap().to_string();

    let fault = link(dir, &sshd.block("web01", " StrictHostKeyChecking no"), "web01", false).run("true", LIMIT).await.unwrap_err();
    assert!(fault.line().contains("web01 asks for a yes to the unknown host key") && fault.line().contains(&print("host")), "{fault}");
    assert!(fault.line().contains("no terminal to ask on") && !sshd.at("known_hosts").exists(), "{fault}");

    let prompt = scripted(|question| matches!(question, Question::HostKey { .. }).then_some("yes"));
    let strict = SshLink::new(spec("web01", false), dialer(dir, &sshd.block("web01", " StrictHostKeyChecking yes"), prompt.clone()));
    let fault = strict.run("true", LIMIT).await.unwrap_err();
    assert!(fault.line().contains("StrictHostKeyChecking") && fault.line().contains(&print("host")), "{fault}");
    assert!(prompt.1.lock().unwrap().is_empty() && !sshd.at("known_hosts").exists(), "neither asked nor kept");

    let yes = SshLink::new(spec("web01", false), dialer(dir, &sshd.block("web01", " HashKnownHosts yes"), prompt.clone()));
    assert_eq!(yes.run("echo in", LIMIT).await.unwrap().text(), "in\n");
    assert!(std::fs::read_to_string(sshd.at("known_hosts")).unwrap().starts_with("|1|"));
    yes.close().await;
    assert_eq!(yes.run("echo again", LIMIT).await.unwrap().text(), "again\n");
    assert_eq!(prompt.1.lock().unwrap().len(), 1);

    keygen(&dir.join("other"), "");
    let other = std::fs::read_to_string(dir.join("other.pub")).unwrap();
    std::fs::write(sshd.at("known_hosts"), format!("[127.0.0.1]:{} {other}", sshd.port)).unwrap();
    let logins = sshd.logins();
    let changed = SshLink::new(spec("web01", false), dialer(dir, &sshd.block("web01", ""), prompt.clone()));
    let fault = changed.run("true", LIMIT).await.unwrap_err();
    assert!(fault.line().contains("CHANGED") && fault.line().contains(&print("host")) && fault.line().contains(&print("other")), "{fault}");
    assert_eq!((sshd.logins(), prompt.1.lock().unwrap().len()), (logins, 1), "neither logged in nor asked");

    std::fs::write(sshd.at("known_hosts"), format!("{}@revoked {}", sshd.known_line(), sshd.known_line())).unwrap();
    let fault = link(dir, &sshd.block("web01", ""), "web01", false).run("true", LIMIT).await.unwrap_err();
    assert!(fault.line().contains("revoked"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn host_certificates_hold_for_their_authority_and_name_only() {
    if !rooted() {
        return;
    }
    let mut sshd = Sshd::start("HostCertificate {at}/host-cert.pub");
    keygen(&sshd.at("ca"), "");
    let at = sshd.dir.path().display().to_string();
    let ca = std::fs::read_to_string(sshd.at("ca.pub")).unwrap();
    std::fs::write(sshd.at("known_hosts"), format!("@cert-authority [127.0.0.1]:* {ca}")).unwrap();
    for (principal, good) in [("127.0.0.1", true), ("elsewhere", false)] {
        sh(&format!("ssh-keygen -q -s {at}/ca -h -I host -n {principal} {at}/host.pub"));
        sshd.down();
        sshd.up();
        let result = link(sshd.dir.path(), &sshd.block("web01", ""), "web01", false).run("true", LIMIT).await;
        match result {
            Ok(_) => assert!(good),
            Err(fault) => assert!(!good && fault.line().contains("for another name"), "{fault}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jump_hosts_are_shared_and_proxy_commands_run() {
    if !rooted() {
        return;
    }
    let (gate, inner, web) = (Sshd::start(""), Sshd::start(""), Sshd::start(""));
    [&gate, &inner, &web].iter().for_each(|sshd| sshd.trust());
    let config = [
        gate.block("gate", ""),
        inner.block("inner", " ProxyJump gate"),
        web.block("web01 web02", " ProxyJump inner"),
        web.block("web03", " ProxyJump gate,inner"),
    ];
    let config = config.join("\n");
    let dialer = dialer(gate.dir.path(), &config, Arc::new(crate::hosts::NoPrompt));
    let link = |name: &str| SshLink::new(spec(name, false), dialer.clone());
    let (one, two, three) = (link("web01"), link("web02"), link("web03"));
    let (a, b) = tokio::join!(one.run("echo $SSH_CONNECTION", LIMIT), two.run("echo $SSH_CONNECTION", LIMIT));
    assert!(a.unwrap().text().ends_with(&format!(" {}\n", web.port)));
    b.unwrap();
    assert_eq!((gate.logins(), inner.logins(), web.logins()), (1, 1, 2));
    three.run("true", LIMIT).await.unwrap();
    assert_eq!((gate.logins(), web.logins()), (1, 3), "the same first hop carries the longer way too");

    let script = gate.at("proxy");
    std::fs::write(&script, format!("echo $$ > {}; exec 3<>/dev/tcp/$1/$2; cat <&3 & cat >&3", gate.at("pid").display())).unwrap();
    let config = web.block("web05", &format!(" ProxyCommand /bin/bash {} %h %p", script.display()));
    let link = super::rig::link(gate.dir.path(), &config, "web05", false);
    assert_eq!(link.run("echo through", LIMIT).await.unwrap().text(), "through\n");
    let pid = std::fs::read_to_string(gate.at("pid")).unwrap().trim().to_string();
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists());
    link.close().await;
    drop(link);
    let begun = Instant::now();
    while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(begun.elapsed() < LIMIT, "the ProxyCommand still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let config = gate.block("gate", "").replace(&gate.port.to_string(), "1") + &web.block("web06", " ProxyJump gate");
    let fault = super::rig::link(gate.dir.path(), &config, "web06", false).run("true", LIMIT).await.unwrap_err();
    assert!(fault.line().contains("web06: its jump host gate: 127.0.0.1:1 does not answer"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sudo_with_and_without_a_password_and_its_relay() {
    if !rooted() {
        return;
    }
    // A sudo that wants a password, as far as its words and arguments go.
    let fake = "#!/bin/sh\nfor arg; do case $arg in -n) n=1;; -S) s=1;; -k) ;; -p) ;; '') ;; *) break;; esac; shift; done\n\
                if [ -n \"$n\" ]; then echo 'sudo: a password is required' >&2; exit 1; fi\nread -r word; [ \"$word\" = 'open sesame' ] || exit 1\nexec \"$@\"\n";
    let sshd = Sshd::start("AllowStreamLocalForwarding no\nSetEnv PATH={at}/bin:/usr/bin:/bin");
    sshd.trust();
    let path = sshd.at("echo.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut read, mut write) = stream.split();
            let _ = tokio::io::copy(&mut read, &mut write).await;
        }
    });
    let check = async |link: &SshLink| {
        let out = link.run("cat; id -u", LIMIT).await.unwrap();
        assert_eq!((out.status, out.text()), (0, "0\n".into()));
        let out = link.feed(&["cat"], &mut &b"fed"[..], LIMIT).await.unwrap();
        assert_eq!(out.stdout, b"fed");
        for _ in 0..12 {
            let mut stream = link.socket(path.to_str().unwrap()).await.unwrap();
            stream.write_all(&[7; 200_000]).await.unwrap();
            let mut back = vec![0; 200_000];
            stream.read_exact(&mut back).await.unwrap();
            assert!(back.iter().all(|byte| *byte == 7));
        }
        let fault = link.socket("/no/such").await.err().unwrap();
        assert!(fault.line().contains("No such file"), "{fault}");
    };
    let plain = link(sshd.dir.path(), &sshd.block("web01", ""), "web01", true);
    check(&plain).await;

    std::fs::create_dir(sshd.at("bin")).unwrap();
    std::fs::write(sshd.at("bin/sudo"), fake).unwrap();
    sh(&format!("chmod 755 {}", sshd.at("bin/sudo").display()));
    let prompt = scripted(|question| matches!(question, Question::SudoPassword { .. }).then_some("open sesame"));
    let asking = SshLink::new(spec("web01", true), dialer(sshd.dir.path(), &sshd.block("web01", ""), prompt.clone()));
    check(&asking).await;
    assert_eq!(*prompt.1.lock().unwrap(), [Question::SudoPassword { user: "root".into(), host: "web01".into() }]);
    let fault = link(sshd.dir.path(), &sshd.block("web01", ""), "web01", true).run("true", LIMIT).await.unwrap_err();
    assert!(fault.line().contains("web01 asks for the sudo password of root; no terminal to ask on"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pool_keeps_one_connection_a_host() {
    if !rooted() {
        return;
    }
    use crate::model::entity::{Become, Host, Transport};
    let sshd = Sshd::start("");
    sshd.trust();
    let file = sshd.at("config");
    // Port and user of the host win over these wrong ones.
    let config = sshd.block("web01.example", "").replace("User root", "User nobody").replace(&format!("Port {}", sshd.port), "Port 1");
    std::fs::write(&file, format!("{config}\nHost *\n IdentityAgent none\n")).unwrap();
    let pool = crate::hosts::Pool::new(Some(file), Arc::new(crate::hosts::NoPrompt));
    let host = Host {
        id: "h".into(),
        name: "web01".into(),
        squad: String::new(),
        transport: Transport::Ssh,
        address: "web01.example".into(),
        port: Some(sshd.port),
        user: Some("root".into()),
        become_: Become::None,
        root: "/apps".into(),
        ports: Default::default(),
        active: true,
        supervisor: Default::default(),
        protect: false,
    };
    pool.connect(&host).await.unwrap();
    for _ in 0..3 {
        let link = pool.link(&host).await.unwrap();
        assert_eq!((link.host(), link.run("id -u", LIMIT).await.unwrap().text().as_str()), ("web01", "0\n"));
    }
    assert_eq!(sshd.logins(), 1);
    pool.close().await;
    assert_eq!(pool.link(&host).await.unwrap().run("echo anew", LIMIT).await.unwrap().text(), "anew\n");
    assert_eq!(sshd.logins(), 2);
    let moved = Host { port: Some(1), ..host.clone() };
    assert!(
        pool.link(&moved).await.unwrap().run("true", LIMIT).await.unwrap_err().line().starts_with("web01: 127.0.0.1:1 does not answer")
    );
    let local = Host { transport: Transport::Local, ..host };
    assert_eq!(pool.link(&local).await.unwrap().run("echo here", LIMIT).await.unwrap().text(), "here\n");
}
