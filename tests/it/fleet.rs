//! The test fleet itself: what the other tests take for granted about it.

use crate::support::fleet::{Fleet, HOSTS, POOL_FILE};
use std::process::Output;

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn every_host_answers_over_ssh_as_root_and_as_deploy_with_sudo() {
    let Some(fleet) = Fleet::shared() else { return };
    for host in HOSTS {
        let root = fleet.ssh("root", host, "hostname; id -un");
        assert_eq!(text(&root), format!("{host}\nroot"), "{root:?}");
        let deploy = fleet.ssh("deploy", host, "id -un; sudo -n id -un");
        assert_eq!(text(&deploy), "deploy\nroot", "{deploy:?}");
    }
}

#[test]
fn web03_is_reached_only_through_the_jump_host() {
    let Some(fleet) = Fleet::shared() else { return };
    let mut ssh = std::process::Command::new("ssh");
    let direct = ssh.arg("-F").arg(fleet.ssh_config()).args(["-oProxyJump=none", "-oConnectTimeout=4", "web03", "true"]).output().unwrap();
    assert!(!direct.status.success(), "web03 answered without its jump host");
    let client = text(&fleet.ssh("root", "web03", "echo $SSH_CLIENT"));
    assert_eq!(client.split(' ').next(), Some(fleet.text("jump", "hostname -I").split_whitespace().last().unwrap()));
}

#[test]
fn a_host_key_that_is_not_known_is_refused() {
    let Some(fleet) = Fleet::shared() else { return };
    let mut ssh = std::process::Command::new("ssh");
    let refused = ssh.arg("-F").arg(fleet.ssh_config()).args(["-oUserKnownHostsFile=/dev/null", "web01", "true"]).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Host key verification failed"), "{refused:?}");
}

#[test]
fn supervisor_is_as_debian_leaves_it() {
    let Some(fleet) = Fleet::shared() else { return };
    for host in HOSTS {
        let status = fleet.ssh("root", host, "supervisorctl pid && supervisorctl status");
        assert_eq!(status.stdout, fleet.exec(host, "cat /run/supervisord.pid").stdout, "its own, with no programs: {status:?}");
        assert_eq!(fleet.text(host, "stat -L -c '%a %U' /var/run/supervisor.sock").trim(), "700 root");
        assert!(!fleet.ssh("deploy", host, "supervisorctl pid").status.success(), "only root may");
    }
}

#[test]
fn the_load_balancer_serves_with_an_empty_pool() {
    let Some(fleet) = Fleet::shared() else { return };
    let alive = "import urllib.request as u; print(u.urlopen('http://127.0.0.1/nginx-is-alive').read().decode().strip())";
    assert_eq!(fleet.text("lb01", &format!("python3 -c \"{alive}\"")).trim(), "lb01");
    assert!(fleet.text("lb01", &format!("nginx -t 2>&1 && cat {POOL_FILE}")).contains("down;"));
}

#[test]
fn hosts_can_be_cut_frozen_and_killed_and_come_back_with_their_disk() {
    let Some(fleet) = Fleet::of(&["web01", "web02"]) else { return };
    let quick = |script: &str| {
        let mut ssh = std::process::Command::new("ssh");
        let output = ssh.arg("-F").arg(fleet.ssh_config()).args(["-oConnectTimeout=2", "web01", script]).output().unwrap();
        output.status.success().then(|| text(&output))
    };
    assert_eq!(quick("echo kept > /var/kept; sync; echo yes"), Some("yes".into()));
    fleet.cut("web01");
    assert_eq!(quick("true"), None);
    fleet.heal("web01");
    assert_eq!(quick("echo back"), Some("back".into()));
    fleet.freeze("web01");
    assert_eq!(quick("true"), None);
    fleet.thaw("web01");
    assert_eq!(quick("echo back"), Some("back".into()));
    fleet.kill("web01");
    assert_eq!(quick("true"), None);
    assert_eq!(text(&fleet.ssh("root", "web02", "hostname")), "web02");
    fleet.boot("web01");
    assert_eq!(quick("cat /var/kept"), Some("kept".into()));
}

#[test]
fn nothing_is_left_when_a_fleet_goes() {
    let Some(fleet) = Fleet::of(&["web01"]) else { return };
    let interfaces = || text(&std::process::Command::new("ip").args(["-o", "link"]).output().unwrap());
    let (directory, cable) = (fleet.ssh_config().parent().unwrap().to_owned(), fleet.console_addr());
    let cable = format!("fleet{}:", cable.split('.').nth(2).unwrap()).replace(':', "@");
    assert!(interfaces().contains(&cable), "{} lacks {cable}", interfaces());
    drop(fleet);
    assert!(!directory.exists());
    crate::support::until(std::time::Duration::from_secs(20), "the cable is gone", || !interfaces().contains(&cable));
}
