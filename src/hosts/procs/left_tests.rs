//! Evidence outlives its proc and whoever removes it: on a real Supervisor, cut off at the worst moments.

use super::super::rig::{Rig, eventually};
use super::super::{remove, start};
use super::*;

#[tokio::test]
async fn what_a_removed_proc_leaves_waits_on_the_host_until_it_is_stored() {
    let rig = Rig::new().await;
    let mut spec = rig.spec("i-1");
    spec.release.command = "printf '100%% %%s \\033[2J\\000\\377 done\\n'; exit 3".into();
    start(&rig.link, &rig.fence(), &rig.at, std::slice::from_ref(&spec)).await.unwrap();
    eventually("it gave up or tries again", async || {
        rig.process(&spec.name).await.is_some_and(|process| process.spawnerr.contains("too quickly"))
    })
    .await;
    // Whoever removed it died before its answer was stored: the answer is lost here, the next one asks the same.
    let lost = remove(&rig.link, &rig.fence(), &rig.at, "retire", &[rig.target(&spec)]).await.unwrap();
    assert_eq!(rig.dirs(), [".left"]);
    let again = remove(&rig.link, &rig.fence(), &rig.at, "retire", &[rig.target(&spec)]).await.unwrap();
    assert_eq!(lost, again);
    let evidence = &again[0];
    assert!(evidence.found && evidence.exit_status == Some(3) && evidence.spawn_error.contains("too quickly"), "{evidence:?}");
    assert!(evidence.log.windows(14).any(|bytes| bytes == b"100% %s \x1b[2J\0\xff"), "{:?}", String::from_utf8_lossy(&evidence.log));
    assert_eq!((evidence.swarm.as_str(), evidence.dispatch.as_str(), evidence.port), ("swarm-1", "d1", spec.port));
    assert_eq!(evidence.lines(1), ["100% %s \u{241b}[2J\u{2400}\u{fffd} done"]);
    assert!(evidence.start > 1_700_000_000 && !evidence.life().stopped && evidence.life().exit_status == Some(3), "{evidence:?}");
    let text = serde_json::to_string(evidence).unwrap();
    assert_eq!(&serde_json::from_str::<Evidence>(&text).unwrap(), evidence);

    // A process that has nothing to do with that dispatch finds it too; another installation does not.
    assert!(left(&rig.link, &rig.root, "there-2").await.unwrap().is_empty());
    assert_eq!(&left(&rig.link, &rig.root, "here-1").await.unwrap(), &again);
    let place = format!("{}/procs/.left/{}@{}", rig.root, spec.name, spec.instance);
    let mode = |path: &str| std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777;
    assert_eq!((mode(&place), mode(&format!("{}/procs/.left", rig.root))), (0o700, 0o700));
    let mut kept: Vec<_> = std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    kept.sort();
    assert_eq!(kept, [".end", "log", "stamp"], "no env, no settings");
    for _ in 0..2 {
        forget(&rig.link, &rig.root, &[evidence]).await.unwrap();
        assert!(rig.dirs().is_empty(), "{:?}", rig.dirs());
    }
    let gone = remove(&rig.link, &rig.fence(), &rig.at, "retire", &[rig.target(&spec)]).await.unwrap();
    assert!(!gone[0].found);
}

#[tokio::test]
async fn a_removal_cut_off_between_its_steps_still_hands_over() {
    let rig = Rig::new().await;
    let spec = rig.spec("i-1");
    start(&rig.link, &rig.fence(), &rig.at, std::slice::from_ref(&spec)).await.unwrap();
    rig.running(&spec.name).await;
    eventually("it said something", async || {
        std::fs::read_to_string(format!("{}/log", spec.dir())).is_ok_and(|log| log.contains("listening"))
    })
    .await;
    // Cut off after Supervisor let go, before anything was put aside: half of the directory is gone, Supervisor knows nothing.
    let ctl = |words: &[&str]| {
        let said = std::process::Command::new("supervisorctl").args(["-c", &rig.at.conf]).args(words).output().unwrap();
        String::from_utf8_lossy(&said.stdout).into_owned()
    };
    std::fs::write(format!("{}/.end", spec.dir()), "status RUNNING pid 1\nstart 1700000000\n").unwrap();
    std::fs::remove_file(format!("{}/proc.conf", spec.dir())).unwrap();
    ctl(&["stop", &spec.name]);
    ctl(&["remove", &spec.name]);
    std::fs::remove_dir_all(format!("{}/app", spec.dir())).unwrap();
    let evidence = rig.remove(&[&spec]).await.unwrap().remove(0);
    assert!(evidence.found && evidence.state() == "RUNNING" && evidence.start == 1_700_000_000, "{evidence:?}");
    assert!(evidence.lines(9).iter().any(|line| line.contains("listening on")), "{evidence:?}");
    assert!(rig.dirs().is_empty(), "{:?}", rig.dirs());
}
