//! Every number that the console promises, measured on a real pseudo-terminal, each beside its floor or a peer in the same run: a row of a table each.
//!
//! usage: cargo bench --bench console -- [key] [filter] [paint] [idle] [scroll] [memory] [link]
//! `BENCH_HOME` is a home whose hosts answer (the demo's), for the rows that run the real binary; without it those rows are left out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement that fails ends the run"
)]

#[path = "../../src/console/tests/fake.rs"]
mod fake;
mod fleet;
mod terminal;

use fleet::Play;
use std::io::{Read, Write};
use std::process::Command;
use std::time::{Duration, Instant};
use terminal::{Line, NEAR, Terminal};

const BINARY: &str = env!("CARGO_BIN_EXE_swarmdeck");
const STILL: Play = Play { procs: 5_000, updates: 0, log_bytes: 0, log_every_ms: 0 };

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    match words.first().map(String::as_str) {
        Some("play") => return fleet::play(Play::read(&words[1..]).unwrap()),
        Some("floor") => return floor(words[1].parse().unwrap()),
        _ => {}
    }
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    let parts: [(&str, fn()); 7] =
        [("key", key), ("filter", filter), ("paint", paint), ("idle", idle), ("scroll", scroll), ("memory", memory), ("link", link)];
    for (name, part) in parts {
        if wanted(name) {
            part();
        }
    }
}

/// The least that a program can do: so many bytes for a key, in one write, and nothing else.
fn floor(bytes: usize) {
    let raw = Command::new("stty").args(["raw", "-echo"]).status().unwrap();
    assert!(raw.success());
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut frame = vec![b'x'; bytes];
    frame[0] = b'\r';
    output.write_all(b"READY").and_then(|()| output.flush()).unwrap();
    let mut buffer = [0; 64];
    while let Ok(1..) = input.read(&mut buffer) {
        output.write_all(&frame).and_then(|()| output.flush()).unwrap();
    }
}

fn ours(play: Play, columns: u16, rows: u16, line: Line) -> Terminal {
    let this = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
    let mut argv = vec![this, "play".to_owned()];
    argv.extend(play.words());
    let terminal = Terminal::start(&argv, columns, rows, line);
    terminal.shows("NEEDS YOU");
    terminal
}

fn procs(play: Play, columns: u16, rows: u16, line: Line) -> Terminal {
    let terminal = ours(play, columns, rows, line);
    terminal.press("4");
    terminal.shows("PROCS 5,000");
    terminal.still(Duration::from_millis(if play.updates > 0 { 0 } else { 1500 }));
    terminal
}

fn row(what: &str, ours: &str, beside: &str, reach: &str, fine: bool) {
    println!("| {what} | {ours} | {beside} | {reach} | {} |", if fine { "ok" } else { "MISSED" });
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The `percent`th percentile.
fn of(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

/// What the cursor is on: its row on the screen and the text of that.
fn focused(screen: &vt100::Screen) -> (u16, String) {
    let (row, _) = screen.cursor_position();
    (row, screen.rows(0, screen.size().1).nth(usize::from(row)).unwrap_or_default())
}

fn key() {
    let busy = Play { updates: 50, ..STILL };
    let terminal = procs(busy, 80, 24, NEAR);
    let mut times = Vec::new();
    let before = terminal.bytes();
    for number in 0..600u32 {
        // Not in step with the updates.
        std::thread::sleep(Duration::from_micros(23_000 + u64::from(number * 7_919 % 17_000)));
        let was = focused(terminal.parser.lock().unwrap().screen());
        let pressed = terminal.press(if number % 120 < 90 { "j" } else { "k" });
        let painted = terminal.until("the next row", |screen| focused(screen) != was);
        times.push(painted.saturating_duration_since(pressed));
    }
    let each = (terminal.bytes() - before) / 600;
    let this = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
    let least = Terminal::start(&[this, "floor".into(), each.max(1).to_string()], 80, 24, NEAR);
    least.shows("READY");
    let mut floor = Vec::new();
    for _ in 0..600 {
        let had = least.bytes();
        let pressed = least.press("j");
        while least.bytes() < had + each {
            std::thread::sleep(Duration::from_micros(100));
        }
        floor.push(least.seen.lock().unwrap().last.unwrap().saturating_duration_since(pressed));
    }
    let (p50, p99) = (of(&mut times, 50), of(&mut times, 99));
    row(
        "key to last byte painted, 5,000 procs on 200 hosts, 50 updates a second",
        &format!("p50 {:.1} ms, p99 {:.1} ms ({each} bytes a key, updates included)", ms(p50), ms(p99)),
        &format!("a bare write of as many: p50 {:.1}, p99 {:.1} ms", ms(of(&mut floor, 50)), ms(of(&mut floor, 99))),
        "p50 <= 2, p99 <= 8 ms",
        ms(p50) <= 2.0 && ms(p99) <= 8.0,
    );
}

fn filter() {
    let terminal = ours(Play { procs: 20_000, ..STILL }, 80, 24, NEAR);
    terminal.press("4");
    terminal.shows("PROCS 20,000");
    terminal.still(Duration::from_millis(1500));
    terminal.press("/");
    terminal.still(Duration::from_millis(300));
    let mut times = Vec::new();
    for _ in 0..10 {
        for keys in [
            "w", "e", "b", "0", "1", " ", "s", "h", "o", "p", "3", "\x7f", "\x7f", "\x7f", "\x7f", "\x7f", "\x7f", "\x7f", "\x7f", "\x7f",
            "\x7f", "\x7f",
        ] {
            let pressed = terminal.press(keys);
            // The last byte before it is still.
            let settled = terminal.still(Duration::from_millis(120));
            times.push(settled.saturating_duration_since(pressed));
        }
    }
    let (p50, p99) = (of(&mut times, 50), of(&mut times, 99));
    row(
        "20,000 procs: filter keystroke to settled list",
        &format!("p50 {:.1} ms, p99 {:.1} ms", ms(p50), ms(p99)),
        "",
        "p99 <= 30 ms",
        ms(p99) <= 30.0,
    );
}

/// Programs of the same kind, those that are installed, each with a word that its first whole frame shows.
fn peers() -> Vec<(&'static str, &'static str)> {
    let has = |program: &str| Command::new("which").arg(program).output().is_ok_and(|found| found.status.success());
    [("htop", "PID"), ("btm", "Processes")].into_iter().filter(|(program, _)| has(program)).collect()
}

fn home() -> Option<String> {
    std::env::var("BENCH_HOME").ok()
}

fn real(home: &str) -> Vec<String> {
    vec![BINARY.into(), "--home".into(), home.into()]
}

fn paint() {
    let Some(home) = home() else { return };
    let peers = peers();
    let (mut mine, mut theirs) = (Vec::new(), vec![Vec::new(); peers.len()]);
    // In turns, so that both have the same neighbours.
    for _ in 0..11 {
        let terminal = Terminal::start(&real(&home), 80, 24, NEAR);
        mine.push(
            terminal
                .until("a swarm's row", |screen| screen.contents().contains("SWARM ") && screen.contents().contains("shop-demo-web"))
                .duration_since(terminal.begun),
        );
        drop(terminal);
        for ((program, word), theirs) in peers.iter().zip(&mut theirs) {
            let terminal = Terminal::start(&[program.to_string()], 80, 24, NEAR);
            theirs.push(terminal.shows(word).duration_since(terminal.begun));
        }
    }
    let (low, middle, high) = (of(&mut mine, 0), of(&mut mine, 50), of(&mut mine, 100));
    let beside: Vec<String> =
        peers.iter().zip(&mut theirs).map(|((program, _), theirs)| format!("{program} {:.0} ms", ms(of(theirs, 50)))).collect();
    let beside = if beside.is_empty() { "no peer here".into() } else { beside.join(", ") };
    row(
        "first useful frame, the demo",
        &format!("{:.0} ms ({:.0} to {:.0})", ms(middle), ms(low), ms(high)),
        &beside,
        "<= 40 ms",
        ms(middle) <= 40.0,
    );
}

/// Bytes and CPU over a time in which no displayed value changes; a minute that turns in an age is one: then the next time counts.
fn quiet(terminal: &Terminal, time: Duration) -> (usize, f64) {
    let mut found = (0, 0.0);
    for _ in 0..4 {
        let (bytes, cpu) = (terminal.bytes(), terminal.cpu());
        std::thread::sleep(time);
        found = (terminal.bytes() - bytes, (terminal.cpu() - cpu).as_secs_f64() * 100.0 / time.as_secs_f64());
        if found.0 == 0 {
            break;
        }
    }
    found
}

fn idle() {
    let time = Duration::from_secs(30);
    let mut beside: Vec<String> = Vec::new();
    for (program, word) in peers() {
        let terminal = Terminal::start(&[program.to_string()], 80, 24, NEAR);
        terminal.shows(word);
        let (bytes, cpu) = (terminal.bytes(), terminal.cpu());
        std::thread::sleep(Duration::from_secs(10));
        let (bytes, cpu) = (terminal.bytes() - bytes, (terminal.cpu() - cpu).as_secs_f64());
        beside.push(format!("{program} {} bytes, {:.2} %", bytes * 3, cpu * 10.0));
    }
    let beside = beside.join("; ");
    let terminal = procs(STILL, 80, 24, NEAR);
    terminal.still(Duration::from_secs(3));
    let (bytes, cpu) = quiet(&terminal, time);
    row(
        "nothing changes for 30 s: the console on 5,000 procs",
        &format!("{bytes} bytes, {cpu:.3} % CPU"),
        &beside,
        "0 bytes, < 0.1 % CPU",
        bytes == 0 && cpu < 0.1,
    );
    drop(terminal);
    let Some(home) = home() else { return };
    let terminal = Terminal::start(&real(&home), 80, 24, NEAR);
    terminal.shows("shop-demo-web");
    // Until every host was asked some times.
    std::thread::sleep(Duration::from_secs(15));
    let (bytes, cpu) = quiet(&terminal, time);
    row(
        "the same: the whole program on the demo, which it observes",
        &format!("{bytes} bytes, {cpu:.3} % CPU"),
        &beside,
        "0 bytes, < 0.1 % CPU",
        bytes == 0 && cpu < 0.1,
    );
    let (now, most) = terminal.memory();
    row("memory, resident, the demo (most)", &format!("{now:.1} MB ({most:.1})"), "", "<= 40 MB", most <= 40.0);
}

fn scroll() {
    let terminal = procs(STILL, 200, 60, NEAR);
    // To the foot of the window, then beyond.
    terminal.press(&"j".repeat(80));
    terminal.still(Duration::from_millis(1500));
    let mut each = Vec::new();
    for _ in 0..60 {
        let had = terminal.bytes();
        terminal.press("j");
        terminal.still(Duration::from_millis(60));
        each.push(terminal.bytes() - had);
    }
    let most = *each.iter().max().unwrap();
    let middle = {
        each.sort_unstable();
        each[each.len() / 2]
    };
    let text = focused(terminal.parser.lock().unwrap().screen()).1.trim_end().len();
    row(
        "one-row scroll of a table of 5,000 at 200 columns",
        &format!("{middle} bytes, most {most}"),
        &format!("that row's text: {text} bytes"),
        "<= 250 bytes",
        most <= 250,
    );
    drop(terminal);
    let terminal = procs(Play { log_bytes: 1 << 20, log_every_ms: 100, ..STILL }, 200, 60, NEAR);
    terminal.press("l");
    terminal.shows("following");
    // Until the window is full.
    std::thread::sleep(Duration::from_secs(7));
    let (frames, bytes) = (terminal.frames(), terminal.bytes());
    std::thread::sleep(Duration::from_secs(5));
    let (frames, bytes) = (terminal.frames() - frames, terminal.bytes() - bytes);
    let one = bytes / frames.max(1);
    row(
        "a followed log line of 150 columns at 200 columns",
        &format!("{one} bytes ({frames} lines)"),
        "its text: 150 bytes",
        "<= 250 bytes",
        one <= 250 && frames > 40,
    );
}

fn memory() {
    let resident = |procs: usize| {
        let terminal = ours(Play { procs, ..STILL }, 80, 24, NEAR);
        terminal.press("4");
        terminal.still(Duration::from_millis(1500));
        for keys in ["j", "G", "gg", "2", "3", "4", "1"] {
            terminal.press(keys);
            terminal.still(Duration::from_millis(200));
        }
        terminal.memory()
    };
    let (empty, full) = (resident(0), resident(5_000));
    let more = full.1 - empty.1;
    row(
        "memory with 5,000 procs more than with none, most",
        &format!("{more:.1} MB ({:.1} against {:.1})", full.1, empty.1),
        "",
        "<= 25 MB",
        more <= 25.0,
    );
    let gigabyte = Play { procs: 50, log_bytes: 1 << 30, ..STILL };
    let terminal = ours(gigabyte, 200, 60, NEAR);
    terminal.press("4");
    terminal.shows("PROCS 50");
    let begun = terminal.press("l");
    let done = terminal.shows("THE LAST LINE");
    let most = terminal.memory().1;
    row(
        "memory with 1 GB of log streamed through, most",
        &format!("{most:.1} MB ({:.1} s)", (done - begun).as_secs_f64()),
        "",
        "<= 64 MB",
        most <= 64.0,
    );
}

fn link() {
    let line = Line { trip: Duration::from_millis(200), rate: 8_000 };
    let terminal = procs(STILL, 80, 24, line);
    let reach = 2 * terminal.trip() + Duration::from_millis(300);
    let mut worst = Duration::ZERO;
    let mut frames = Vec::new();
    for keys in ["\x1b[B", "\x1b[A"] {
        let had = terminal.frames();
        let mut last = Instant::now();
        for _ in 0..100 {
            std::thread::sleep(Duration::from_millis(33));
            last = terminal.press(keys);
        }
        let painted = terminal.still(Duration::from_millis(1500));
        worst = worst.max(painted.saturating_duration_since(last));
        frames.push(terminal.frames() - had);
    }
    // Back where it began: no key was lost.
    let first = focused(terminal.parser.lock().unwrap().screen()).0;
    row(
        "100 held arrows over 200 ms and 64 kbit/s, 80x24: the last frame after the last key",
        &format!("{:.0} ms, {} frames for 200 keys", ms(worst), frames.iter().sum::<usize>()),
        &format!("the trip itself: {:.0} ms", ms(terminal.trip())),
        &format!("<= {:.0} ms", ms(reach)),
        worst <= reach && first == 3,
    );
}
