//! How long a key takes on a fleet of 20,000 procs: `cargo test --release --lib console::tests::speed -- --ignored --nocapture`.

use super::fixture::{NOW, look, proc};
use crate::console::keys::parse_key;
use crate::console::msg::Msg;
use crate::console::state::State;
use crate::console::theme::{self, Depth};
use crate::console::update::update;
use crate::console::view::view;
use crate::deck::look::Look;
use crate::model::world::{HostSeen, ProcState, World};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// So many procs of 500 swarms on 200 hosts.
pub fn fleet(procs: usize) -> Look {
    let mut look = look();
    let (sample_host, sample_swarm) = (look.world.hosts["web01"].clone(), look.swarms[7].clone());
    let mut hosts: BTreeMap<String, HostSeen> = BTreeMap::new();
    look.swarms = (0..500)
        .map(|number| {
            let mut swarm = sample_swarm.clone();
            (swarm.short, swarm.app) = (format!("app{number}-prod-web"), format!("app{number}"));
            (swarm.id, swarm.name) = (format!("s-{number}"), format!("app{number}-prod-web@web"));
            swarm.procs.clear();
            swarm
        })
        .collect();
    for number in 0..procs {
        let (on, of) = (format!("web{:03}", number % 200), number / 200 % 500);
        let state = if number % 50 == 0 { ProcState::Fatal } else { ProcState::Running };
        let swarm = &mut look.swarms[of];
        let mut made = proc(&on, &swarm.app, 5000 + (number / 200) as u16, state, Some(&swarm.name));
        made.name = format!("{}-v5.3.0-prod-9c1e77aa-web-{}", swarm.app, made.port.unwrap());
        swarm.procs.push((on.clone(), made.name.clone()));
        let host = hosts.entry(on.clone()).or_insert_with(|| HostSeen { name: on, procs: Vec::new(), ..sample_host.clone() });
        host.procs.push(made);
    }
    look.world = Arc::new(World { hosts, pools: Vec::new() });
    look
}

/// The processor time that this thread took: other work on the machine does not count.
fn spent() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

fn say(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
    println!("{what:<44} p50 {:>7.2?}  p99 {:>7.2?}  max {:>7.2?}  ({} times)", at(50), at(99), at(100), times.len());
}

#[test]
#[ignore = "measured by hand, in release"]
fn keys_on_twenty_thousand_procs() {
    let look = Arc::new(fleet(20_000));
    let theme = theme::load("dark", None, Depth::True).unwrap();
    let area = Rect::new(0, 0, 200, 60);
    let mut state = State::new(look.clone(), (200, 60), "dark");
    let mut now_ms = NOW;
    let draw = |state: &State| view(state, &theme, area, &mut Buffer::empty(area));
    let mut press = |state: &mut State, key: &str| {
        now_ms += 2000;
        let begun = spent();
        update(state, Msg::Key { key: parse_key(key).unwrap(), now_ms });
        draw(state);
        spent() - begun
    };
    press(&mut state, "4");
    let (mut typed, mut fuzzy, mut moved, mut sorted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..20 {
        for (filter, is_fuzzy) in [("app17 fatal !web03", false), ("state:fatal host:web1*", false), ("~p4web", true)] {
            let times = if is_fuzzy { &mut fuzzy } else { &mut typed };
            press(&mut state, "/");
            press(&mut state, "^u");
            for c in filter.chars() {
                times.push(press(&mut state, if c == ' ' { "space".to_string() } else { c.to_string() }.as_str()));
            }
            press(&mut state, "enter");
            assert!(!state.pane().unwrap().order.is_empty(), "{filter}");
        }
        press(&mut state, "esc");
        for key in ["j", "^f", "G", "k", "g", "g"] {
            moved.push(press(&mut state, key));
        }
        sorted.push(press(&mut state, ["P", "U", "S", "V"][round % 4]));
    }
    assert_eq!(state.pane().unwrap().order.len(), 20_000);
    say("filter keystroke, 20,000 procs", typed);
    say("fuzzy filter keystroke, 20,000 procs", fuzzy);
    say("motion, 20,000 procs", moved);
    say("sort by a column, 20,000 procs", sorted);

    let small = Arc::new(fleet(5_000));
    let mut state = State::new(small.clone(), (200, 60), "dark");
    for key in ["1", "4"] {
        press(&mut state, key);
        let mut looks = Vec::new();
        for _ in 0..50 {
            let begun = spent();
            update(&mut state, Msg::Look(small.clone()));
            let now_ms = state.now_ms + 2000;
            update(&mut state, Msg::Tick { now_ms });
            view(&state, &theme, area, &mut Buffer::empty(area));
            looks.push(spent() - begun);
        }
        say(&format!("a new look of 5,000 procs, tab {key}"), looks);
    }
    assert!(state.pane().is_some());
}
