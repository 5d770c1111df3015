//! Logs read from this machine: tails, rotations, going on after a break, procs that come and go.

use super::*;
use crate::hosts::Local;
use proptest::prelude::*;
use std::io::Write;
use std::path::Path;

type Said = mpsc::Receiver<Result<Heard>>;

async fn next(said: &mut Said) -> Heard {
    tokio::time::timeout(std::time::Duration::from_secs(60), said.recv()).await.unwrap().unwrap().unwrap()
}

/// The bytes up to and with `end`, and where they ended; what else was said on the way.
async fn bytes_to(said: &mut Said, end: &str) -> (String, (String, u64), Vec<Heard>) {
    let (mut text, mut others) = (String::new(), Vec::new());
    loop {
        match next(said).await {
            Heard::Bytes { bytes, at, .. } => {
                text.push_str(&String::from_utf8_lossy(&bytes));
                if text.ends_with(end) {
                    return (text, at, others);
                }
            }
            other => others.push(other),
        }
    }
}

fn one_file(path: &Path, bytes: u64) -> Wanted {
    Wanted { files: [("p".to_string(), path.display().to_string())].into(), bytes, follow: true, ..Wanted::default() }
}

fn add(path: &Path, text: &str) {
    write!(std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap(), "{text}").unwrap();
}

#[tokio::test]
async fn a_log_is_followed_through_rotations_and_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("it's a log");
    let (link, older) = (Local::new("web01"), dir.path().join("it's a log.1"));
    add(&file, "one\ntwo\nthree\n");
    // The end begins with a whole line; the rotated file before it counts.
    let mut said = read(&link, &one_file(&file, 7)).await.unwrap();
    assert_eq!(next(&mut said).await, Heard::Older("p".into()));
    assert_eq!(bytes_to(&mut said, "three\n").await.0, "three\n");
    assert_eq!(next(&mut said).await, Heard::Ready);
    add(&file, "half");
    add(&file, " whole\n");
    assert_eq!(bytes_to(&mut said, "whole\n").await.0, "half whole\n");
    std::fs::rename(&file, &older).unwrap();
    add(&older, "last words\n");
    add(&file, "after\n");
    let (text, at, others) = bytes_to(&mut said, "after\n").await;
    assert_eq!(text, "last words\nafter\n");
    assert_eq!(others, [Heard::Gap { name: "p".into(), what: "its file was rotated".into() }]);
    drop(said);

    // Meanwhile it went on, and was rotated once more.
    add(&file, "unheard\n");
    std::fs::rename(&file, &older).unwrap();
    add(&file, "new\n");
    let again = Wanted { at: [("p".to_string(), at)].into(), ..one_file(&file, 1 << 20) };
    let mut said = read(&link, &again).await.unwrap();
    let (text, at, others) = bytes_to(&mut said, "new\n").await;
    assert_eq!(text, "unheard\nnew\n", "neither twice nor missing");
    assert!(matches!(&others[..], [Heard::Gap { what, .. }] if what.contains("nothing is missing")), "{others:?}");
    drop(said);
    for _ in 0..2 {
        std::fs::rename(&file, &older).unwrap();
        add(&file, "much later\n");
    }
    let again = Wanted { at: [("p".to_string(), at)].into(), follow: false, ..one_file(&file, 1 << 20) };
    let mut said = read(&link, &again).await.unwrap();
    assert!(matches!(next(&mut said).await, Heard::Gap { what, .. } if what.contains("may be missing")));
    let mut rest = Vec::new();
    while let Some(heard) = said.recv().await {
        rest.push(heard.unwrap());
    }
    assert_eq!(rest.last(), Some(&Heard::Ready), "without following it ends");
    std::fs::write(&file, "").unwrap();
    let mut said = read(&link, &one_file(&dir.path().join("no"), 9)).await.unwrap();
    assert_eq!(next(&mut said).await, Heard::Ready, "a log that is not there yet is empty");
    add(&dir.path().join("no"), "now\n");
    assert_eq!(bytes_to(&mut said, "now\n").await.0, "now\n");
}

#[tokio::test]
async fn procs_of_the_swarm_come_and_go_and_others_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let proc = |name: &str, swarm: &str, log: &str| {
        let at = dir.path().join("procs").join(name);
        std::fs::create_dir_all(&at).unwrap();
        std::fs::write(at.join("log"), log).unwrap();
        std::fs::write(at.join("stamp"), format!("installation=i\nswarm={swarm}\n")).unwrap();
    };
    proc("a", "s1", "from a\n");
    proc("b", "s2", "of another swarm\n");
    let wanted = Wanted {
        root: dir.path().display().to_string(),
        stamped: [("installation".to_string(), "i".to_string()), ("swarm".into(), "s1".into())].into(),
        bytes: 100,
        follow: true,
        ..Wanted::default()
    };
    let link = Local::new("web01");
    let mut said = read(&link, &wanted).await.unwrap();
    assert_eq!(bytes_to(&mut said, "from a\n").await.0, "from a\n");
    assert_eq!(next(&mut said).await, Heard::Ready);
    proc("c", "s1", "the replacement\n");
    assert_eq!(next(&mut said).await, Heard::Appeared("c".into()));
    assert_eq!(bytes_to(&mut said, "replacement\n").await.0, "the replacement\n");
    std::fs::remove_dir_all(dir.path().join("procs/a")).unwrap();
    assert_eq!(next(&mut said).await, Heard::Gone("a".into()));
}

#[tokio::test]
async fn who_cannot_keep_up_goes_on_at_the_end_and_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("log");
    let wanted = Wanted { behind: 1 << 20, ..one_file(&file, 100) };
    let link = Local::new("web01");
    let mut said = read(&link, &wanted).await.unwrap();
    assert_eq!(next(&mut said).await, Heard::Ready);
    let line = "x".repeat(99) + "\n";
    add(&dir.path().join("flood"), &(line.repeat(30_000) + "end\n"));
    std::fs::rename(dir.path().join("flood"), &file).unwrap();
    let Heard::Gap { what, .. } = next(&mut said).await else { panic!() };
    assert!(what.contains("bytes left out"), "{what}");
    let (text, ..) = bytes_to(&mut said, "end\n").await;
    assert!(text.len() < 1 << 20 && text.starts_with(&line), "it begins with a whole line");
}

proptest! {
    #[test]
    fn frames_are_read_however_they_arrive_and_garbage_is_refused(cuts in prop::collection::vec(0usize..60, 0..6), noise in prop::collection::vec(any::<u8>(), 0..600)) {
        let bytes = b"D 1 8 7:9@12\npa\nD 1 2\nG 1 2 -\npxyR 0 0 -\n";
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
        cuts.sort_unstable();
        let mut frames = Frames::default();
        let heard: Vec<Heard> = cuts.windows(2).flat_map(|cut| frames.push(&bytes[cut[0]..cut[1]]).unwrap()).collect();
        prop_assert_eq!(heard, [
            Heard::Bytes { name: "p".into(), bytes: b"a\nD 1 2\n".to_vec(), at: ("7:9".into(), 12) },
            Heard::Gap { name: "p".into(), what: "xy".into() },
            Heard::Ready,
        ]);
        drop(Frames::default().push(&noise));
    }
}
