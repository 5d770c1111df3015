//! Sizes from nothing to huge, and keys at random: no panic, and nothing changes without a confirm that was seen.

use super::fixture::{NOW, frame, look, plan, state, versions};
use super::frames::screens;
use crate::console::effect::Effect;
use crate::console::keys::{BINDINGS, parse_key};
use crate::console::msg::Msg;
use crate::console::rows::find;
use crate::console::state::{Layer, State};
use crate::console::term::{LOCAL, Parser, Typed};
use crate::console::theme::Depth;
use crate::console::update::update;
use crate::deck::StrayPlan;
use crate::deck::wave::WavePlan;
use crate::model::Fault;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn keys() -> Vec<KeyEvent> {
    let mut keys: Vec<KeyEvent> =
        BINDINGS.iter().flat_map(|binding| binding.keys).flat_map(|keys| keys.split(' ')).filter_map(parse_key).collect();
    keys.extend(" abcdefghijklmnopqrstuvwxyz.:/!?=-[]0123456789SRV".chars().map(|c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
    keys
}

/// A small generator of our own: a run is repeated by its seed.
struct Dice(u64);
impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % sides
    }
}

fn answer(state: &mut State, effects: &[Effect]) {
    for effect in effects {
        match effect {
            Effect::Plan { ticket, .. } => drop(update(state, Msg::Planned { ticket: *ticket, plan: Box::new(Ok(plan())) })),
            Effect::Execute { lift, .. } if !lift.is_empty() => drop(update(state, Msg::Executed(Err(Fault::busy("held by op2"))))),
            Effect::Execute { .. } => drop(update(state, Msg::Executed(Ok("d-412".into())))),
            Effect::PlanStray { verb, place, name } => {
                let (verb, place, name) = ((*verb).into(), place.clone(), name.clone());
                let plan = StrayPlan { verb, place, name, lines: vec!["stop it".into()], ..StrayPlan::default() };
                drop(update(state, Msg::StrayPlanned(Ok(plan))));
            }
            Effect::PlanStrays { verb, all } => {
                let plan = |(place, name): &(String, String)| {
                    let (verb, place, name) = ((*verb).into(), place.clone(), name.clone());
                    Ok(StrayPlan { verb, place, name, lines: vec!["stop it".into()], ..StrayPlan::default() })
                };
                let plans = Ok(all.iter().map(|at| (at.1.clone(), plan(at))).collect());
                drop(update(state, Msg::StraysPlanned { verb, plans }));
            }
            Effect::Read { ticket, .. } => drop(update(state, Msg::Read { ticket: *ticket, lines: Ok(vec!["@@ -1 +1 @@".into(); 90]) })),
            Effect::History { ticket, target } => {
                drop(update(state, Msg::History { ticket: *ticket, target: target.clone(), versions: Ok(versions()) }))
            }
            Effect::WaitFree { ticket, .. } => drop(update(state, Msg::Freed { ticket: *ticket, moved: Ok(vec!["it moved".into()]) })),
            Effect::PlanWave { ticket, .. } => {
                let planned = WavePlan { plans: vec![plan()], ..WavePlan::default() };
                update(state, Msg::WavePlanned { ticket: *ticket, why: String::new(), plan: Box::new(Ok(planned)) });
            }
            Effect::HandOver { ticket } => {
                update(state, Msg::HandedOver { ticket: *ticket, result: Err(Fault::failed("it stays")) });
            }
            Effect::OpenEditor(target) => {
                let example = crate::console::editor::example();
                let document = crate::deck::look::EditDocument { target: target.clone(), ..example };
                let draft = crate::deck::look::Draft { text: "a: 1\n".into(), base: "b: 1\n".into(), rev: 1 };
                drop(update(state, Msg::EditorOpened { document: Box::new(Ok(document)), draft: Some((draft, NOW)) }));
            }
            Effect::TrySave { target, .. } => {
                drop(update(state, Msg::Tried { target: target.clone(), result: Ok(vec!["procs become orphans".into()]) }));
            }
            Effect::Build { .. } => drop(update(state, Msg::BuildStarted(Ok("b1".into())))),
            _ => {}
        }
    }
}

/// What a terminal may send at once: keys, sequences, pastes, the mouse, answers.
fn bytes_of(keys: &[KeyEvent], dice: &mut Dice) -> Vec<u8> {
    const SEQUENCES: [&str; 14] = [
        "\x1b[A",
        "\x1b[B",
        "\x1b[C",
        "\x1b[D",
        "\x1bOB",
        "\x1b[5~",
        "\x1b[6~",
        "\x1b[Z",
        "\x1b[1;5D",
        "\x1bOP",
        "\x1b",
        "\x1b[0n",
        "\x1b[24~",
        "\x1by",
    ];
    const PASTES: [&str; 4] = ["y\ny .!y dispatch", ".!y", "\x1b[By\r", "q\x03\r\ry"];
    match dice.roll(20) {
        0..3 => SEQUENCES[dice.roll(SEQUENCES.len())].as_bytes().to_vec(),
        3 => format!("\x1b[200~{}\x1b[201~", PASTES[dice.roll(PASTES.len())]).into_bytes(),
        4 => format!("\x1b[<{};{};{}M", [0, 64, 65, 2, 35][dice.roll(5)], dice.roll(90), dice.roll(30)).into_bytes(),
        _ => match keys[dice.roll(keys.len())] {
            KeyEvent { code: KeyCode::Char(c), modifiers, .. } if modifiers.contains(KeyModifiers::CONTROL) => vec![c as u8 & 0x1f],
            KeyEvent { code: KeyCode::Char(c), .. } => c.to_string().into_bytes(),
            KeyEvent { code: KeyCode::Enter, .. } => b"\r".to_vec(),
            KeyEvent { code: KeyCode::Tab, .. } => b"\t".to_vec(),
            KeyEvent { code: KeyCode::Backspace, .. } => b"\x7f".to_vec(),
            _ => SEQUENCES[dice.roll(SEQUENCES.len())].as_bytes().to_vec(),
        },
    }
}

/// An operator who types without looking, at a console whose terminal, fleet and size do what they like.
struct Played {
    seed: u64,
    dice: Dice,
    state: State,
    parser: Parser,
    clock: Instant,
    changes: usize,
    /// Whether all of the fleet is protected: nobody types its name by chance.
    protected: bool,
}

impl Played {
    fn new(seed: u64) -> Played {
        Played {
            seed,
            dice: Dice(seed),
            state: state(80, 24),
            parser: Parser::new(LOCAL),
            clock: Instant::now(),
            changes: 0,
            protected: false,
        }
    }

    fn wait(&mut self, ms: usize) {
        self.clock += Duration::from_millis(ms as u64);
        self.state.now_ms += ms as i64;
    }

    /// One thing typed: nothing may change but by a key, on a question that was seen for long enough.
    fn typed(&mut self, typed: Typed) {
        let now_ms = self.state.now_ms;
        let drawn = |at: Option<i64>| at.is_some_and(|at| now_ms >= at.saturating_add(300));
        let seen = match self.state.layers.last() {
            Some(Layer::Confirm(confirm)) => drawn(confirm.painted_ms),
            Some(Layer::Editor(editor)) => editor.is_seen(now_ms),
            Some(Layer::Plan(plan)) => plan.plan.is_some() && drawn(plan.painted_ms),
            _ => false,
        };
        let (msg, is_key) = match typed.clone() {
            Typed::Key(key) => (Msg::Key { key, now_ms }, true),
            Typed::Paste(text) => (Msg::Paste(text), false),
            Typed::Mouse { mouse, x, y } => (Msg::Mouse { mouse, x, y, now_ms }, false),
            Typed::Answer => (Msg::Arrived { now_ms }, false),
        };
        let effects = update(&mut self.state, msg);
        for effect in effects.iter().filter(|effect| effect.changes_something()) {
            assert!(seen && is_key, "seed {}, {typed:?}: {effect:?} without a confirm that was seen", self.seed);
            let runs = matches!(effect, Effect::Execute { .. } | Effect::BeginWave(_));
            let acts = runs || !crate::console::update::guard::touched(&self.state, effect).is_empty();
            assert!(!self.protected || !acts, "seed {}, {typed:?}: {effect:?} without the fleet's name", self.seed);
            self.changes += 1;
        }
        answer(&mut self.state, &effects);
    }

    /// The fleet moves: the cursor stays on its object.
    fn moved(&mut self, number: usize) {
        let mut moved = look();
        moved.swarms.rotate_left(self.dice.roll(9));
        moved.needs.rotate_left(self.dice.roll(3));
        if self.dice.roll(3) == 0 {
            moved.swarms.truncate(5);
        }
        moved.version = number as u64;
        moved.protection = self.state.look.protection.clone();
        let was = self.state.pane().map(|pane| pane.cursor.clone());
        update(&mut self.state, Msg::Look(Arc::new(moved)));
        let is = self.state.pane().map(|pane| pane.cursor.clone());
        if let (Some(was), Some(is)) = (was, is)
            && find::exists(&self.state.look, &was.0)
        {
            assert_eq!(was, is, "seed {}: the cursor went to another object", self.seed);
        }
    }

    fn play(mut self, count: usize, painted: bool) -> usize {
        let keys = keys();
        for number in 0..count {
            let ms = self.dice.roll(700);
            self.wait(ms);
            if painted && self.dice.roll(2) == 0 {
                let now_ms = self.state.now_ms;
                // A frame goes out; it may be drawn at once, or only after more was typed.
                let drawn = [Msg::Painted { now_ms }, Msg::Sent, Msg::Arrived { now_ms }][self.dice.roll(3)].clone();
                update(&mut self.state, drawn);
            }
            if self.dice.roll(50) == 0 {
                self.moved(number);
            }
            if self.dice.roll(200) == 0 {
                let (width, height) = (1 + self.dice.roll(220) as u16, 1 + self.dice.roll(70) as u16);
                update(&mut self.state, Msg::Resize(width, height));
            }
            let mut bytes = bytes_of(&keys, &mut self.dice);
            // A slow link splits it; what is late may come after the wait for it.
            if bytes.len() > 1 && self.dice.roll(4) == 0 {
                let rest = bytes.split_off(1 + self.dice.roll(bytes.len() - 1));
                for typed in self.parser.feed(&bytes, self.clock) {
                    self.typed(typed);
                }
                let late = self.dice.roll(120);
                self.wait(late);
                bytes = rest;
            }
            for typed in self.parser.feed(&bytes, self.clock) {
                self.typed(typed);
            }
            if self.dice.roll(3) > 0 {
                self.wait(600);
                for typed in self.parser.expire(self.clock) {
                    self.typed(typed);
                }
            }
            if number % 97 == 0 {
                frame(&self.state, Depth::True);
            }
        }
        self.changes
    }
}

/// How many keys each test plays: `SWARMDECK_RANDOM_KEYS=1000000` is the long run.
fn how_many() -> usize {
    std::env::var("SWARMDECK_RANDOM_KEYS").ok().and_then(|text| text.parse().ok()).unwrap_or(50_000)
}

#[test]
fn keys_at_random_change_nothing_without_a_confirm() {
    let each = 5_000;
    let changes: usize = (0..how_many().div_ceil(each) as u64).map(|seed| Played::new(seed * 7919 + 1).play(each, true)).sum();
    assert!(changes > 0, "the keys do get as far as confirming");
}

#[test]
fn keys_at_random_change_nothing_that_runs_in_a_protected_fleet() {
    let each = 5_000;
    let play = |seed: u64| {
        let mut played = Played::new(seed * 6_151 + 3);
        let mut fleet = look();
        std::sync::Arc::make_mut(&mut fleet.protection).fleet("PROD-EU");
        update(&mut played.state, Msg::Look(Arc::new(fleet)));
        played.protected = true;
        played.play(each, true)
    };
    let changes: usize = (0..(how_many() / 2).div_ceil(each) as u64).map(play).sum();
    assert!(changes > 0, "what is only written down needs no name");
}

#[test]
fn what_was_never_painted_is_never_confirmed() {
    let each = 5_000;
    let seeds = 0..(how_many() / 3).div_ceil(each) as u64;
    assert_eq!(seeds.map(|seed| Played::new(seed * 104_729 + 5).play(each, false)).sum::<usize>(), 0);
}

#[test]
fn a_question_that_came_while_a_frame_was_on_its_way_is_not_drawn_by_it() {
    let mut state = state(80, 24);
    let key = |state: &mut State, c: char| {
        let now_ms = state.now_ms;
        update(state, Msg::Key { key: KeyEvent::from(KeyCode::Char(c)), now_ms })
    };
    let drawn = |state: &State| match state.layers.last() {
        Some(Layer::Confirm(confirm)) => confirm.painted_ms,
        other => panic!("{other:?}"),
    };
    update(&mut state, Msg::Sent);
    for c in "4.!".chars() {
        key(&mut state, c);
    }
    assert_eq!(drawn(&state), None);
    update(&mut state, Msg::Arrived { now_ms: NOW + 1 });
    assert_eq!(drawn(&state), None, "that was the frame before");
    update(&mut state, Msg::Sent);
    state.now_ms += 5_000;
    assert_eq!(key(&mut state, 'y'), [], "it is on its way");
    let now_ms = state.now_ms;
    update(&mut state, Msg::Arrived { now_ms });
    assert_eq!(drawn(&state), Some(now_ms));
    assert_eq!(key(&mut state, 'y'), []);
    state.now_ms += 300;
    assert!(key(&mut state, 'y').iter().any(Effect::changes_something));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_size_and_no_state_panics(
        width in 1u16..=300,
        height in 1u16..=100,
        screen in 0..screens().len(),
        rolls in prop::collection::vec(0usize..10_000, 0..30),
    ) {
        let keys = keys();
        // The way to the screen needs room to be shown; then it becomes as small, or as large.
        let mut state = state(80, 24);
        screens()[screen].1(&mut state);
        update(&mut state, Msg::Resize(width, height));
        frame(&state, Depth::True);
        for roll in rolls {
            let now_ms = state.now_ms;
            update(&mut state, Msg::Painted { now_ms });
            let effects = update(&mut state, Msg::Key { key: keys[roll % keys.len()], now_ms: now_ms + 350 });
            answer(&mut state, &effects);
        }
        frame(&state, Depth::Sixteen);
        update(&mut state, Msg::Resize(height, width.min(100)));
        frame(&state, Depth::Mono);
        prop_assert!(state.now_ms >= NOW);
    }
}
