//! Logs, shells, one-off commands and `watch` on real hosts: replacements, rotations, a lost connection, endless lines, a flood.

use crate::support::deck::{Deck, Program, programs};
use crate::support::fleet::Fleet;
use crate::support::terminal::Terminal;
use crate::support::until;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const TWO: [&str; 2] = ["web01", "web02"];

/// A run of the binary whose both outputs are read as they come; ended when dropped.
struct Follow {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Follow {
    fn start(deck: &Deck, args: &[&str]) -> Self {
        let mut child = deck.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let outputs: [Box<dyn Read + Send>; 2] = [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for output in outputs {
            let into = Arc::clone(&said);
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    into.lock().unwrap().push_str(&(line + "\n"));
                }
            });
        }
        Self { child, said }
    }
    fn text(&self) -> String {
        self.said.lock().unwrap().clone()
    }
    fn says(&self, words: &str) {
        let end = Instant::now() + Duration::from_secs(90);
        while !self.text().contains(words) {
            assert!(Instant::now() < end, "{words:?} never came:\n{}", cut(&self.text()));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    fn count(&self, words: &str) -> usize {
        self.text().matches(words).count()
    }
    /// The most memory that it ever held, KiB, without the pages of its own program file: the debug build's are many, and no log fills them.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let of = |key: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        println!("peak {} KiB, of its file {} KiB", of("VmHWM:"), of("RssFile:"));
        of("VmHWM:") - of("RssFile:")
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cut(text: &str) -> String {
    text.lines().map(|line| line.chars().take(200).collect::<String>()).collect::<Vec<_>>().join("\n")
}

fn log_of(program: &Program) -> String {
    format!("/apps/procs/{}/log", program.name)
}

fn on<'a>(all: &'a [Program], host: &str) -> &'a Program {
    all.iter().find(|program| program.host == host).unwrap()
}

#[test]
fn logs_shells_commands_and_watch_on_real_hosts() {
    let Some(fleet) = Fleet::of(&["web01", "web02", "lb01"]) else { return };
    let deck = Deck::ready(&fleet, &TWO);
    deck.notices_soon();
    let told = deck.path("told");
    let config = std::fs::read_to_string(deck.path("home/config.yaml")).unwrap();
    std::fs::write(deck.path("home/config.yaml"), format!("{config}on_event: [sh, -c, 'cat >>{}']\n", told.display())).unwrap();
    deck.done(&["--version", "v1", "-m", "the first one"]);
    let watch = Follow::start(&deck, &["watch", "--after", "0"]);
    let lines = Follow::start(&deck, &["watch", "--after", "0", "-o", "json"]);
    watch.says("the first one");

    swarm_with_its_replacements(&fleet, &deck);
    let procs = programs(&fleet, &TWO, "shop-");
    gaps(&fleet, &deck, &procs);
    commands(&deck, &procs);
    lives(&fleet, &deck, &procs, &watch);
    until(Duration::from_secs(60), "the program is told", || std::fs::read_to_string(&told).unwrap_or_default().contains("proc-died"));
    for line in std::fs::read_to_string(&told).unwrap().lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value["event"]["seq"].as_i64().unwrap() > 0 && value["fleet"] == "test", "{value}");
    }
    assert!(!watch.text().chars().any(|c| c.is_control() && c != '\n'));
    // Without gaps: every number once.
    lines.says("died");
    let numbers: Vec<i64> = lines
        .text()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|_| panic!("{line}"))["seq"].as_i64().unwrap())
        .collect();
    assert_eq!(numbers, (numbers[0]..numbers[0] + numbers.len() as i64).collect::<Vec<_>>());

    let report = deck.run(&["report", "2"]).ended(0).stdout;
    for words in ["REPORT of dispatch 2", "the second one", "v1 -> v2", "start   web01", "STEPS", "prove", "EVENTS", "AROUND IT"] {
        assert!(report.contains(words), "{words} is not in {report}");
    }
    drop((watch, lines));
    shells(&fleet, &deck, &procs);
}

fn swarm_with_its_replacements(fleet: &Fleet, deck: &Deck) {
    let before = deck.run(&["logs", "shop-prod-web", "-n", "40"]).ended(0).stdout;
    for host in TWO {
        assert!(before.lines().any(|line| line.starts_with(&format!("{host}:5")) && line.contains("started as pid")), "{before}");
    }
    let follow = Follow::start(deck, &["logs", "-f", "shop-prod-web"]);
    follow.says("web02:5");
    deck.done(&["--version", "v2", "-m", "the second one"]);
    // Each new proc appears by itself, with its log from the beginning; the old ones go.
    for program in programs(fleet, &TWO, "shop-v2-") {
        follow.says(&format!("{}:{} is new here", program.host, program.name));
        follow.says(&format!("{}:{}  -- swarmdeck: started as pid", program.host, program.port()));
    }
    follow.says("is gone: it was removed");
    // The dispatch's own lines stand among those of its hosts.
    let of_dispatch = deck.run(&["logs", "2"]).ended(0).stdout;
    assert!(of_dispatch.contains("dispatch  ") && of_dispatch.contains("started as pid"), "{of_dispatch}");
    let squad = deck.json(&["logs", "web", "--grep", "started as pid"]);
    assert_eq!(squad.as_array().unwrap().len(), 2, "{squad}");
    deck.run(&["logs", "nothing"]).refused(2, &["no swarm, dispatch, host"]);
}

fn gaps(fleet: &Fleet, deck: &Deck, procs: &[Program]) {
    let (one, two) = (on(procs, "web01"), on(procs, "web02"));
    let follow = Follow::start(deck, &["logs", "-f", "shop-prod-web"]);
    follow.says("web01:5");
    // By the times in them, not by arrival: what comes later but is earlier goes first.
    fleet.text("web01", &format!("printf '2026-11-21T10:00:02Z later\\n' >>{}", log_of(one)));
    fleet.text("web02", &format!("printf '2026-11-21T10:00:01Z earlier\\n\\033[31mred\\033[0m \\033[2J\\n' >>{}", log_of(two)));
    follow.says("later");
    follow.says("earlier");
    let text = follow.text();
    assert!(text.contains("red ") && !text.contains('\u{1b}') && !text.contains("[31m"), "{}", cut(&text));
    // Ten megabytes without an end are a line that is cut.
    fleet.text("web01", &format!("head -c 10000000 /dev/zero | tr '\\0' x >>{0}; printf '\\nafter the long one\\n' >>{0}", log_of(one)));
    follow.says("after the long one");
    assert!(follow.text().contains("cut here, 9983616 bytes more") && follow.text().len() < 1 << 20);
    fleet.text("web01", &format!("mv {0} {0}.1; echo 'the last of the old' >>{0}.1; echo 'the first of the new' >{0}", log_of(one)));
    follow.says("its file was rotated");
    assert_eq!((follow.count("the last of the old"), follow.count("the first of the new")), (1, 1));
    // A host goes away and comes back: it is said, and nothing comes twice or is missing.
    fleet.cut("web02");
    fleet.text("web02", &format!("echo 'while nobody listened' >>{}", log_of(two)));
    follow.says("web02: the connection was lost");
    fleet.heal("web02");
    follow.says("web02: answers again");
    follow.says("while nobody listened");
    fleet.text("web02", &format!("echo 'and goes on' >>{}", log_of(two)));
    follow.says("and goes on");
    assert_eq!((follow.count("while nobody listened"), follow.count("earlier")), (1, 1));
    // A flood passes through a little memory.
    let place = format!("web01:{}", one.name);
    let flood = Follow::start(deck, &["logs", "-f", &place, "--grep", "end of the flood"]);
    fleet.text("web01", &format!("yes 'a line of a flood of lines, each of them with seventy bytes in it, more' | head -c 150000000 >>{0}; printf '\\nend of the flood\\n' >>{0}", log_of(one)));
    flood.says("end of the flood");
    assert!(flood.peak() < 40 << 10, "{} KiB", flood.peak());
    fleet.text("web01", &format!(": >{}", log_of(one)));
}

fn commands(deck: &Deck, procs: &[Program]) {
    let one = on(procs, "web01");
    let place = format!("web01:{}", one.name);
    let script = "echo $LOG $TZ $PORT; id -un; pwd; echo also >&2";
    let ran = deck.run(&["run", &place, "-m", "OPS-1", "--", "sh", "-c", script]).ended(0);
    let app = format!("/apps/procs/{}/app", one.name);
    for words in [&format!("info UTC {}", one.port()), "nobody", &app, "also"] {
        assert!(ran.stdout.contains(words), "{words} is not in {ran:?}");
    }
    let all = deck.run(&["run", "shop-prod-web", "--all", "--", "sh", "-c", "DB_PASSWORD=hunter2; echo $PORT; exit 3"]).ended(3);
    assert_eq!(all.stdout.lines().count(), 2, "{all:?}");
    let events = deck.run(&["events"]).ended(0).stdout;
    assert!(events.contains("exit 3") && events.contains("OPS-1") && !events.contains("hunter2"), "{events}");
    assert!(deck.run(&["audit"]).ended(0).stdout.contains("run "));
    let value = deck.run(&["-o", "json", "run", "shop-prod-web", "--", "true"]).ended(0).json();
    assert_eq!((value["ran"].as_array().unwrap().len(), &value["ran"][0]["status"]), (1, &serde_json::json!(0)));
    deck.run(&["run", "web", "--", "true"]).refused(2, &["a proc or a swarm"]);
}

fn lives(fleet: &Fleet, deck: &Deck, procs: &[Program], watch: &Follow) {
    let two = on(procs, "web02");
    fleet.text("web02", &format!("echo 'last words' >>{}; kill -9 {}", log_of(two), two.pid.unwrap()));
    watch.says(&format!("{} on web02 died: SIGKILL", two.name));
    let place = format!("web02:{}", two.name);
    let lives = deck.run(&["logs", &place, "--last-life"]).ended(0).stdout;
    assert!(lives.contains("SIGKILL") && lives.contains("last words"), "{lives}");
}

/// In the console: a shell in the proc's environment and back, and one that is killed.
fn shells(fleet: &Fleet, deck: &Deck, procs: &[Program]) {
    let env = [("SWARMDECK_HOME", deck.path("home").display().to_string()), ("HOME", deck.path("user").display().to_string())];
    let mut screen = Terminal::start(&[env!("CARGO_BIN_EXE_swarmdeck")], &env);
    screen.shows("SWARMS");
    screen.press("4");
    screen.line(&["web01", "RUNNING"]);
    screen.press("/web01\r");
    screen.until("only web01", |screen| !screen.contents().contains("web02"));
    screen.press("s");
    screen.shows("$ ");
    screen.press("echo in-$LOG-$(id -un)-$(tput cols)\r");
    screen.shows("in-info-nobody-80");
    screen.press("kill -9 $$\r");
    screen.shows("the shell ended with status 137");
    // The log of a swarm on the screen: replacements, a mark, a filter.
    screen.press("2");
    screen.shows("shop-prod-web");
    screen.press("l");
    screen.shows("all procs");
    screen.line(&["web01:5"]);
    fleet.text("web01", &format!("for n in 1 2 3; do echo over and over; done >>{}", log_of(on(procs, "web01"))));
    screen.line(&["over and over", "x3"]);
    screen.press("m");
    screen.shows("---- mark");
    screen.press("/over");
    screen.shows("1 found");
    screen.press("\t");
    screen.shows("only lines with");
    screen.press("\r");
    screen.lacks("started as pid");
    screen.press("q");
    screen.lacks("all procs");
    // One that is opened on the command line passes its status on.
    drop(screen);
    let mut shell = Terminal::start(&[env!("CARGO_BIN_EXE_swarmdeck"), "shell", "web02"], &env);
    shell.shows("# ");
    shell.press("hostname; exit 7\r");
    shell.shows("web02");
    assert_eq!(shell.ended(), 7);
    let events = deck.run(&["events"]).ended(0).stdout;
    assert!(events.contains("shell of web02: ended with status 7"), "{events}");
}
