//! Provisioning against a real supervisord, as the local user: from nothing, into a foreign configuration, into a broken one.

use super::*;
use crate::hosts::Local;
use crate::model::entity::{SupervisorAt, Transport};

fn host(dir: &std::path::Path) -> Host {
    let at = |name: &str| dir.join(name).display().to_string();
    Host {
        id: "h".into(),
        name: "here".into(),
        squad: String::new(),
        transport: Transport::Local,
        address: String::new(),
        port: None,
        user: None,
        become_: Default::default(),
        root: at("apps"),
        ports: Default::default(),
        active: true,
        supervisor: SupervisorAt { socket: at("s.sock"), conf: at("s.conf") },
        protect: false,
    }
}

/// Ends the supervisord that provisioning started.
struct End(std::path::PathBuf);
impl Drop for End {
    fn drop(&mut self) {
        if let Some(pid) = std::fs::read_to_string(&self.0).ok().and_then(|text| text.trim().parse().ok()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        }
    }
}

async fn pids(link: &Local, host: &Host) -> Vec<(String, Option<u32>)> {
    let list = supervisor::processes(link, &host.supervisor.socket).await.unwrap();
    list.into_iter().map(|process| (process.name, process.pid)).collect()
}

#[tokio::test]
async fn from_nothing_and_again_and_beside_what_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (link, host) = (Local::new("here"), host(dir.path()));
    let _end = End(dir.path().join("s.pid"));
    let missing = check(&link, &host).await.unwrap();
    assert!(
        missing.contains(&Missing::Conf(host.supervisor.conf.clone())) && missing.iter().any(|lack| matches!(lack, Missing::Supervisor(_))),
        "{missing:?}"
    );

    // A foreign configuration with a program that runs, an include of its own, comments.
    let at = dir.path().display();
    let conf = format!(
        "; mine\n[unix_http_server]\nfile={at}/s.sock ; here\n[supervisord]\nlogfile={at}/s.log\npidfile={at}/s.pid\nchildlogdir={at}\n\
         [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
         [include]\nfiles = {at}/conf.d/*.conf   ; as ever\n  {at}/more/*.conf\n; the end\n[program:other]\ncommand=sleep 600\nstartsecs=0\n"
    );
    std::fs::write(dir.path().join("s.conf"), &conf).unwrap();
    let done = provision(&link, &host).await.unwrap();
    assert!(done.iter().any(|line| line.starts_with("started supervisord")), "{done:?}");
    let text = std::fs::read_to_string(dir.path().join("s.conf")).unwrap();
    assert_eq!(text, conf.replace("/more/*.conf\n", &format!("/more/*.conf {at}/apps/procs/*/proc.conf\n")));
    assert_eq!(std::fs::read_to_string(dir.path().join("s.conf.before-swarmdeck")).unwrap(), conf);
    assert_eq!(check(&link, &host).await.unwrap(), []);
    let before = pids(&link, &host).await;
    assert_eq!(provision(&link, &host).await.unwrap(), Vec::<String>::new());

    // The include taken out by hand under a running supervisord: put back, nothing restarted.
    std::fs::write(dir.path().join("s.conf"), &conf).unwrap();
    let done = provision(&link, &host).await.unwrap();
    assert!(done.len() == 1 && done[0].starts_with("added "), "{done:?}");
    assert_eq!(pids(&link, &host).await, before);
    // A proc.conf that appears is found by reread alone: the running daemon follows the new include.
    std::fs::create_dir(dir.path().join("apps/procs/p")).unwrap();
    std::fs::write(dir.path().join("apps/procs/p/proc.conf"), "[program:p]\ncommand=sleep 600\nstartsecs=0\n").unwrap();
    let socket = &host.supervisor.socket;
    let out = link.run(&format!("supervisorctl -s unix://{socket} reread; supervisorctl -s unix://{socket} add p"), SHORT).await.unwrap();
    assert!(out.text().contains("p: available") && out.text().contains("p: added"), "{}", out.text());

    // A broken foreign file: named, and nothing changed.
    std::fs::create_dir(dir.path().join("conf.d")).unwrap();
    std::fs::write(dir.path().join("conf.d/bad.conf"), "[program:bad]\nno command\n").unwrap();
    std::fs::write(dir.path().join("s.conf"), &conf).unwrap();
    let fault = provision(&link, &host).await.unwrap_err();
    assert!(fault.line().contains("does not accept its configuration as it is") && fault.line().contains("bad.conf"), "{fault}");
    assert_eq!(std::fs::read_to_string(dir.path().join("s.conf")).unwrap(), conf);
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().starts_with("s.conf.") && name != "s.conf.before-swarmdeck"), "{names:?}");
}

#[tokio::test]
async fn a_host_without_a_configuration_gets_one() {
    let dir = tempfile::tempdir().unwrap();
    let (link, host) = (Local::new("here"), host(dir.path()));
    let _end = End(dir.path().join("supervisord.pid"));
    let done = provision(&link, &host).await.unwrap();
    assert!(done.iter().any(|line| line.starts_with("wrote ")), "{done:?}");
    assert_eq!(check(&link, &host).await.unwrap(), []);
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(dir.path().join("apps/fence")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn every_shape_of_include_is_extended_and_the_rest_stays() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("edit.py"), include_str!("include.py")).unwrap();
    for (n, (old, new)) in [
        ("[supervisord]\na=1", "[supervisord]\na=1\n\n[include]\nfiles = /p\n"),
        ("[include]\nfiles = a b", "[include]\nfiles = a b /p\n"),
        ("[include]\nFiles: a ; note\n[x]\n", "[include]\nFiles: a /p ; note\n[x]\n"),
        ("[include]\nfiles =\n  a\n  b\n\n[x]\nfiles = c\n", "[include]\nfiles =\n  a\n  b /p\n\n[x]\nfiles = c\n"),
        ("[include]\n[x]\n", "[include]\nfiles = /p\n[x]\n"),
        ("[include]\nfiles = /p\n", "[include]\nfiles = /p\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let conf = at(&format!("{n}.conf"));
        std::fs::write(&conf, old).unwrap();
        let run =
            std::process::Command::new("/usr/bin/python3").arg(at("edit.py")).arg(&conf).arg("/p").arg(at("backup")).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        assert_eq!(std::fs::read_to_string(&conf).unwrap(), new);
        assert_eq!(run.stdout, if old == new { b"kept\n".to_vec() } else { b"added\n".to_vec() });
    }
}
