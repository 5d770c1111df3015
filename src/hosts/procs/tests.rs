//! Procs on a real supervisord: made, served, observed, acted on, taken away; and every way in which that can go wrong.

use super::files::ProcSpec;
use super::rig::{APP, AsUser, Rig, answer, eventually};
use super::{Action, Adoptee, Guard, Target, act, adopt, observe, remove, start};
use crate::hosts::Local;
use crate::model::FaultKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(5);

async fn up(rig: &Rig, spec: &ProcSpec) -> crate::model::Result<()> {
    start(&rig.link, &rig.fence(), &rig.at, std::slice::from_ref(spec)).await
}

#[tokio::test]
async fn a_proc_is_made_serves_and_is_taken_away_with_its_evidence() {
    let rig = Rig::new().await;
    let mut spec = rig.spec("i-1");
    let hostile = "a $HOME `id` $(id) \"double\" 'single' \\ % \n second line\t!*?";
    for (key, value) in
        [("QUOTED", hostile), ("PORT", "1"), ("APP_SETTINGS_YAML", "/etc/shadow"), ("LITERAL", "$$PATH"), ("OF_HOST", "$PATH")]
    {
        spec.release.env.insert(key.into(), value.into());
    }
    spec.release.env.insert("GREETING".into(), "env".into());
    up(&rig, &spec).await.unwrap();
    rig.running(&spec.name).await;
    let said = answer(spec.port).await;
    let env = &said["env"];
    assert_eq!(env["QUOTED"], hostile);
    assert_eq!(env["PORT"], spec.port.to_string());
    assert_eq!(env["APP_SETTINGS_YAML"], format!("{}/settings.yaml", spec.dir()));
    assert_eq!(env["LITERAL"], "$PATH");
    assert_eq!(env["OF_HOST"], crate::hosts::script::PATH);
    assert_eq!((&env["FROM_PROFILE"], &env["GREETING"]), (&"yes".into(), &"env".into()));
    assert_eq!(env["HOME"], format!("{}/app", spec.dir()));
    assert_eq!(said["cwd"], env["HOME"]);
    assert_eq!(env["USER"], rig.user.as_str());
    let user = nix::unistd::User::from_name(&rig.user).unwrap().unwrap();
    assert_eq!(said["uid"], user.uid.as_raw());

    let meta = |file: &str| std::fs::metadata(format!("{}/{file}", spec.dir())).unwrap();
    for (file, mode) in [("proc.yaml", 0o600), ("proc.conf", 0o600), ("env", 0o400), ("settings.yaml", 0o400), ("", 0o750), ("run", 0o755)]
    {
        assert_eq!(meta(file).permissions().mode() & 0o7777, mode, "{file}");
    }
    assert_eq!((meta("env").uid(), meta("app/app.py").uid()), (user.uid.as_raw(), user.uid.as_raw()));
    assert_eq!(meta("proc.yaml").uid(), nix::unistd::Uid::effective().as_raw());

    // The same again is the same: same pid.
    let before = rig.process(&spec.name).await.unwrap();
    up(&rig, &spec).await.unwrap();
    assert_eq!(rig.process(&spec.name).await.unwrap().pid, before.pid);

    let report = observe(&rig.link, &rig.host(), WAIT).await.unwrap();
    let dir = report.dirs.iter().find(|dir| dir.name == spec.name).unwrap();
    assert_eq!((dir.key("app"), dir.key("version"), &dir.stamp().unwrap().instance), ("shop", "v1", &spec.instance));
    assert!(report.listening.contains(&spec.port) && report.builds.contains(&spec.release.artifact));
    assert_eq!((report.fences["swarm-1"], report.installation.as_deref()), (1, Some("here-1")));
    assert_eq!(report.processes.unwrap()[0].pid, before.pid);

    let evidence = rig.remove(&[&spec]).await.unwrap();
    assert!(evidence[0].found && evidence[0].status.starts_with("RUNNING"), "{evidence:?}");
    assert!(String::from_utf8_lossy(&evidence[0].log).contains(&format!("listening on {}", spec.port)));
    assert!(rig.process(&spec.name).await.is_none());
    assert!(rig.dirs().is_empty(), "{:?}", rig.dirs());
    assert!(!std::path::Path::new(&format!("/proc/{}", before.pid.unwrap())).exists());
    let again = rig.remove(&[&spec]).await.unwrap();
    assert!(!again[0].found);
}

#[tokio::test]
async fn several_procs_are_one_script_and_a_later_instance_is_spared() {
    let rig = Rig::new().await;
    let (one, two) = (rig.spec("i-1"), rig.spec("i-2"));
    start(&rig.link, &rig.fence(), &rig.at, &[one.clone(), two.clone()]).await.unwrap();
    rig.running(&one.name).await;
    rig.running(&two.name).await;
    // A late removal of an earlier proc of that name (W17).
    let late = Target { guard: Guard::Instance("i-0".into()), ..rig.target(&one) };
    let evidence = remove(&rig.link, &rig.fence(), &rig.at, "retire", &[late]).await.unwrap();
    assert!(!evidence[0].found && rig.process(&one.name).await.is_some());
    // And a new proc does not take a name that is in use.
    let fault = up(&rig, &ProcSpec { instance: "i-9".into(), ..one.clone() }).await.unwrap_err();
    assert!(fault.kind == FaultKind::Refused && fault.line().contains("is another proc"), "{fault}");
    assert!(rig.remove(&[&one, &two]).await.unwrap().iter().all(|evidence| evidence.found));
    assert!(rig.dirs().is_empty());
}

#[tokio::test]
async fn what_a_proc_left_running_ends_with_it_and_nothing_else_does() {
    let rig = Rig::new().await;
    let mut spec = rig.spec("i-1");
    let pids = format!("{}/pids", rig.dir.path().display());
    std::fs::write(&pids, "").unwrap();
    std::fs::set_permissions(&pids, std::fs::Permissions::from_mode(0o666)).unwrap();
    spec.release.command = format!(
        "trap '' TERM; setsid sh -c 'echo $$ >>{pids}; exec sleep 600' & (trap '' TERM; sh -c 'echo $$ >>{pids}; exec sleep 600') & exec python3 app.py"
    );
    let mut stranger = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    up(&rig, &spec).await.unwrap();
    rig.running(&spec.name).await;
    let read = || std::fs::read_to_string(&pids).unwrap().lines().map(str::to_string).collect::<Vec<_>>();
    eventually("both children are there", async || read().len() == 2).await;
    let evidence = rig.remove(&[&spec]).await.unwrap();
    assert!(!evidence[0].leftovers.is_empty(), "{evidence:?}");
    for pid in read() {
        eventually("no child is left", async || {
            !std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
        })
        .await;
    }
    assert!(stranger.try_wait().unwrap().is_none(), "a stranger was killed");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_port_taken_by_a_stranger_is_named_and_nothing_is_left() {
    let rig = Rig::new().await;
    let spec = rig.spec("i-1");
    let _stranger = std::net::TcpListener::bind(("127.0.0.1", spec.port)).unwrap();
    let fault = up(&rig, &spec).await.unwrap_err();
    assert!(fault.kind == FaultKind::Refused && fault.what.contains(&format!("port {} is taken", spec.port)), "{fault}");
    assert!(fault.what.contains(&format!("pid {}", std::process::id())), "{fault}");
    assert!(rig.dirs().is_empty());
}

#[tokio::test]
async fn a_broken_foreign_file_is_named_and_nothing_is_left() {
    let rig = Rig::new().await;
    let spec = rig.spec("i-1");
    let broken = rig.dir.path().join("conf.d/theirs.conf");
    for text in ["[program:theirs]\nautostart=true\n", "[program:theirs]\ncommand=/bin/true\nstartsecs=soon\n", "no section\n"] {
        std::fs::write(&broken, text).unwrap();
        let fault = up(&rig, &spec).await.unwrap_err();
        assert!(fault.line().contains(&broken.display().to_string()), "{text:?}: {fault}");
        assert!(rig.dirs().is_empty());
    }
    std::fs::remove_file(broken).unwrap();
    up(&rig, &spec).await.unwrap();
    rig.running(&spec.name).await;
}

#[tokio::test]
async fn a_supervisor_that_is_gone_or_does_not_include_us_is_said() {
    let rig = Rig::new().await;
    let spec = rig.spec("i-1");
    let mut at = rig.at.clone();
    let text = std::fs::read_to_string(&at.conf).unwrap();
    at.conf = rig.dir.path().join("other.conf").display().to_string();
    std::fs::write(&at.conf, text.replace("sup.sock", "no.sock")).unwrap();
    let fault = start(&rig.link, &rig.fence(), &at, std::slice::from_ref(&spec)).await.unwrap_err();
    assert!(fault.line().contains("Supervisor does not answer"), "{fault}");
    assert!(rig.dirs().is_empty());
    std::fs::write(&rig.at.conf, text.replace("/procs/*/proc.conf", "/nothing/*.conf")).unwrap();
    let fault = up(&rig, &spec).await.unwrap_err();
    assert!(fault.line().contains("hosts provision"), "{fault}");
    assert!(rig.dirs().is_empty());
}

#[tokio::test]
async fn a_bad_artifact_user_or_host_variable_leaves_nothing() {
    let rig = Rig::new().await;
    let mut bad = Vec::new();
    let mut spec = rig.spec("i-1");
    spec.release.artifact = "f".repeat(64);
    bad.push((spec, "is not on this host"));
    let mut spec = rig.spec("i-2");
    spec.release.artifact = "e".repeat(64);
    std::fs::write(format!("{}/builds/{}", rig.root, spec.release.artifact), "not a tar").unwrap();
    bad.push((spec, "cannot be unpacked"));
    let mut spec = rig.spec("i-3");
    spec.release.run_as = "nosuchuser".into();
    bad.push((spec, "nosuchuser"));
    let mut spec = rig.spec("i-4");
    spec.release.env.insert("X".into(), "$NO_SUCH_VARIABLE_HERE".into());
    bad.push((spec, "NO_SUCH_VARIABLE_HERE"));
    let good = rig.spec("i-5");
    for (spec, words) in bad {
        // The good one before it is not left either: Supervisor was not told of any.
        let fault = start(&rig.link, &rig.fence(), &rig.at, &[good.clone(), spec]).await.unwrap_err();
        assert!(fault.line().contains(words), "{fault}");
        assert!(rig.dirs().is_empty(), "{:?}", rig.dirs());
        assert!(rig.process(&good.name).await.is_none());
    }
}

#[tokio::test]
async fn a_step_cut_off_half_way_is_done_again_from_its_leavings() {
    let rig = Rig::new().await;
    let spec = rig.spec("i-1");
    // Cut off while unpacking, and cut off before Supervisor was told.
    std::fs::create_dir_all(format!("{}/procs/.new-{}/app/half", rig.root, spec.instance)).unwrap();
    std::fs::create_dir_all(format!("{}/app", spec.dir())).unwrap();
    std::fs::write(format!("{}/stamp", spec.dir()), format!("installation=here-1\ninstance={}\n", spec.instance)).unwrap();
    up(&rig, &spec).await.unwrap();
    rig.running(&spec.name).await;
    assert_eq!(rig.dirs(), std::slice::from_ref(&spec.name));
    rig.remove(&[&spec]).await.unwrap();
    // Undo of a start that was cut off: all goes.
    std::fs::create_dir_all(format!("{}/procs/.new-{}/app/half", rig.root, spec.instance)).unwrap();
    rig.remove(&[&spec]).await.unwrap();
    assert!(rig.dirs().is_empty(), "{:?}", rig.dirs());
}

#[tokio::test]
async fn a_proc_that_cannot_start_leaves_its_last_words() {
    let rig = Rig::new().await;
    let mut spec = rig.spec("i-1");
    spec.release.command = "echo 'no database'; exit 3".into();
    up(&rig, &spec).await.unwrap();
    eventually("it gave up or tries again", async || {
        rig.process(&spec.name).await.is_some_and(|process| process.spawnerr.contains("too quickly"))
    })
    .await;
    let evidence = rig.remove(&[&spec]).await.unwrap().remove(0);
    assert!(evidence.found && String::from_utf8_lossy(&evidence.log).contains("no database"), "{evidence:?}");
    assert_eq!(evidence.exit_status, Some(3));
    assert!(evidence.spawn_error.contains("Exited too quickly"), "{evidence:?}");
}

#[tokio::test]
async fn verbs_on_one_proc_keep_to_what_is_ours() {
    let rig = Rig::new().await;
    let spec = rig.spec("i-1");
    up(&rig, &spec).await.unwrap();
    rig.running(&spec.name).await;
    let pid = rig.process(&spec.name).await.unwrap().pid;
    let go = async |action, guard: &Guard, name: &str| act(&rig.link, &rig.fence(), &rig.at, action, name, guard, WAIT).await;
    go(Action::Restart, &Guard::Installation, &spec.name).await.unwrap();
    let restarted = rig.process(&spec.name).await.unwrap().pid;
    assert!(restarted.is_some() && restarted != pid);
    go(Action::Start, &Guard::Installation, &spec.name).await.unwrap();
    assert_eq!(rig.process(&spec.name).await.unwrap().pid, restarted);
    go(Action::Stop, &Guard::Instance(spec.instance.clone()), &spec.name).await.unwrap();
    go(Action::Stop, &Guard::Instance(spec.instance.clone()), &spec.name).await.unwrap();
    assert_eq!(rig.process(&spec.name).await.unwrap().statename, "STOPPED");
    go(Action::Restart, &Guard::Installation, &spec.name).await.unwrap();
    assert_eq!(go(Action::Stop, &Guard::Instance("i-2".into()), &spec.name).await.unwrap_err().kind, FaultKind::Refused);

    std::fs::write(rig.dir.path().join("conf.d/theirs.conf"), "[program:theirs]\ncommand=sleep 600\n").unwrap();
    let ctl = std::process::Command::new("supervisorctl").args(["-c", &rig.at.conf, "update"]).output().unwrap();
    assert!(ctl.status.success());
    rig.running("theirs").await;
    assert_eq!(go(Action::Stop, &Guard::Installation, "theirs").await.unwrap_err().kind, FaultKind::Refused);
    let target = Target { name: "theirs".into(), guard: Guard::Installation, stop_timeout: WAIT };
    let evidence = remove(&rig.link, &rig.fence(), &rig.at, "destroy", &[target]).await;
    assert!(evidence.is_err() && rig.process("theirs").await.unwrap().pid.is_some(), "{evidence:?}");
    go(Action::Stop, &Guard::Any, "theirs").await.unwrap();
    assert!(go(Action::Start, &Guard::Any, "no-such").await.unwrap_err().line().contains("no such process"));
}

#[tokio::test]
async fn a_lost_lease_makes_nothing_and_takes_nothing_away() {
    let rig = Rig::new().await;
    let spec = rig.spec("i-1");
    up(&rig, &spec).await.unwrap();
    super::raise(&rig.link, &super::Fence { epoch: 5, ..rig.fence() }).await.unwrap();
    assert!(rig.remove(&[&spec]).await.unwrap_err().line().contains("epoch 5"));
    assert!(up(&rig, &rig.spec("i-2")).await.is_err());
    assert!(act(&rig.link, &rig.fence(), &rig.at, Action::Stop, &spec.name, &Guard::Any, WAIT).await.is_err());
    rig.running(&spec.name).await;
    assert_eq!(rig.dirs(), std::slice::from_ref(&spec.name));
}

#[tokio::test]
async fn two_starts_at_once_of_two_swarms_and_of_the_same_proc_end_well() {
    let rig = Rig::new().await;
    let (one, two) = (rig.spec("i-1"), rig.spec("i-2"));
    let other = super::Fence { key: "swarm-2".into(), ..rig.fence() };
    let (a, b, c) = tokio::join!(up(&rig, &one), start(&rig.link, &other, &rig.at, std::slice::from_ref(&two)), up(&rig, &one));
    a.unwrap();
    b.unwrap();
    c.unwrap();
    rig.running(&one.name).await;
    rig.running(&two.name).await;
    let mut dirs = rig.dirs();
    dirs.sort();
    let mut names = [one.name.clone(), two.name.clone()];
    names.sort();
    assert_eq!(dirs, names);
}

#[tokio::test]
async fn a_full_disk_is_said_and_nothing_is_left() {
    if !nix::unistd::Uid::effective().is_root() {
        println!("skipped: needs root");
        return;
    }
    let rig = Rig::new().await;
    let mut spec = rig.spec("i-1");
    let procs = format!("{}/procs", rig.root);
    let noise: String = (0..60_000u32).map(|n| format!("{:x}", n.wrapping_mul(2_654_435_761))).collect();
    let mut files = APP.to_vec();
    files.push(("big", 0o644, &noise));
    spec.release.artifact = rig.artifact(&files);
    std::fs::create_dir_all(&procs).unwrap();
    let mount = |on: bool, place: &str| {
        let mut argv = if on { vec!["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "none"] } else { vec!["umount"] };
        argv.push(place);
        assert!(std::process::Command::new(argv[0]).args(&argv[1..]).status().unwrap().success());
    };
    mount(true, &procs);
    let fault = up(&rig, &spec).await.unwrap_err();
    let left = rig.dirs();
    mount(false, &procs);
    assert!(fault.what.contains("disk is full"), "{fault}");
    assert!(left.is_empty(), "{left:?}");

    let builds = format!("{}/builds", rig.root);
    let source = rig.dir.path().join("artifact");
    std::fs::copy(format!("{builds}/{}", spec.release.artifact), &source).unwrap();
    let size = std::fs::metadata(&source).unwrap().len();
    mount(true, &builds);
    std::fs::write(format!("{builds}/filler"), vec![1u8; 200 << 10]).unwrap();
    let sent = super::send(&rig.link, &rig.root, &spec.release.artifact, &source, size, &|_| ()).await;
    let left = std::fs::read_dir(&builds).unwrap().count();
    mount(false, &builds);
    assert!(sent.unwrap_err().what.contains("disk is full"));
    assert_eq!(left, 1);
}

#[tokio::test]
async fn an_ordinary_user_runs_procs_as_himself_only() {
    if !nix::unistd::Uid::effective().is_root() {
        println!("skipped: needs root");
        return;
    }
    let rig = Rig::of_user("nobody").await;
    let local = Local::new("web01");
    let link = AsUser { inner: &local, user: "nobody" };
    let mut spec = rig.spec("i-1");
    start(&link, &rig.fence(), &rig.at, std::slice::from_ref(&spec)).await.unwrap();
    rig.running(&spec.name).await;
    assert_eq!(answer(spec.port).await["env"]["USER"], "nobody");
    let evidence = remove(&link, &rig.fence(), &rig.at, "retire", &[rig.target(&spec)]).await.unwrap();
    super::forget(&link, &rig.root, &evidence.iter().collect::<Vec<_>>()).await.unwrap();
    assert!(evidence[0].found && rig.dirs().is_empty());
    spec.release.run_as = "root".into();
    let fault = start(&link, &rig.fence(), &rig.at, &[spec]).await.unwrap_err();
    assert!(fault.line().contains("only run as 'nobody'"), "{fault}");
}

/// What is stamped into a proc that is adopted into `swarm`.
fn adoptee(name: &str, seen: &str, pid: Option<u32>, instance: &str, swarm: &str) -> Adoptee {
    let stamp = [
        ("installation", "here-1"),
        ("swarm", swarm),
        ("dispatch", "adopted"),
        ("instance", instance),
        ("app", "shop"),
        ("config", "next"),
    ];
    let stamp = stamp.into_iter().map(|(key, value)| (key, value.to_string())).collect();
    Adoptee { name: name.into(), seen: seen.into(), pid, stamp }
}

#[tokio::test]
async fn what_runs_is_adopted_as_it_runs_and_only_if_it_is_what_was_shown() {
    let rig = Rig::new().await;
    let spec = rig.spec("i-1");
    up(&rig, &spec).await.unwrap();
    rig.running(&spec.name).await;
    // As Velociraptor leaves one: a proc.yaml with secrets, a program, no stamp.
    let theirs = format!("{}/procs/cart-v1-prod-0a0b0c0d-web-5999", rig.root);
    std::fs::create_dir(&theirs).unwrap();
    let yaml = "app_name: cart\nconfig_name: prod\nenv:\n  SECRET: hunter2\nport: 5999\nproc_name: web\nversion: v1\n";
    std::fs::write(format!("{theirs}/proc.yaml"), yaml).unwrap();
    std::fs::set_permissions(format!("{theirs}/proc.yaml"), std::fs::Permissions::from_mode(0o640)).unwrap();
    std::fs::write(format!("{theirs}/proc.conf"), "[program:cart-v1-prod-0a0b0c0d-web-5999]\ncommand=/bin/sleep 2147483647\nstartsecs=0\n")
        .unwrap();
    let told = std::process::Command::new("supervisorctl").args(["-c", &rig.at.conf, "update"]).output().unwrap();
    assert!(told.status.success(), "{told:?}");
    let name = "cart-v1-prod-0a0b0c0d-web-5999";
    rig.running(name).await;
    let pids = async || (rig.process(&spec.name).await.unwrap().pid, rig.process(name).await.unwrap().pid);
    let before = pids().await;

    let wrong = [adoptee(&spec.name, "another", before.0, &spec.instance, "swarm-2"), adoptee(name, "", Some(1), "i-new", "swarm-2")];
    for adoptee in wrong {
        let fault = adopt(&rig.link, &rig.fence(), &rig.at, &[adoptee]).await.unwrap_err();
        assert!(fault.kind == FaultKind::Refused && fault.what.contains("made anew or restarted"), "{fault}");
    }
    let both = [adoptee(&spec.name, &spec.instance, before.0, &spec.instance, "swarm-2"), adoptee(name, "", before.1, "i-new", "swarm-2")];
    for _ in 0..2 {
        adopt(&rig.link, &rig.fence(), &rig.at, &both).await.unwrap();
        let report = observe(&rig.link, &rig.host(), WAIT).await.unwrap();
        let dir = |name: &str| report.dirs.iter().find(|dir| dir.name == name).unwrap().clone();
        let (ours, cart) = (dir(&spec.name), dir(name));
        assert_eq!(
            (ours.key("swarm"), ours.key("config"), ours.key("version"), ours.key("run_as")),
            ("swarm-2", "next", "v1", rig.user.as_str())
        );
        assert_eq!((cart.key("swarm"), cart.key("instance"), cart.stamp().is_some()), ("swarm-2", "i-new", true));
    }
    let read = |path: String| std::fs::read_to_string(path).unwrap();
    let text = read(format!("{theirs}/proc.yaml"));
    assert!(text.starts_with(yaml) && text.matches("swarmdeck:").count() == 1, "{text}");
    let parsed: serde_json::Value = serde_yaml::from_str(&read(format!("{}/proc.yaml", spec.dir()))).unwrap();
    assert_eq!((&parsed["swarmdeck"]["swarm"], &parsed["cmd"]), (&"swarm-2".into(), &"exec python3 app.py".into()));
    let mode = |path: String| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(format!("{theirs}/proc.yaml")), mode(format!("{}/proc.yaml", spec.dir()))), (0o640, 0o600));
    assert_eq!(pids().await, before, "no process is touched");

    // From then on they are taken away as ours are.
    let target = |name: &str, instance: &str| Target { name: name.into(), guard: Guard::Instance(instance.into()), stop_timeout: WAIT };
    let targets = [target(&spec.name, &spec.instance), target(name, "i-new")];
    let left = remove(&rig.link, &rig.fence(), &rig.at, "retire", &targets).await.unwrap();
    assert!(left.iter().all(|evidence| evidence.found) && rig.dirs() == [".left"], "{:?}", rig.dirs());
}
