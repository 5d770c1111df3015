//! Every verb of the registry by each of its routes: its key, the `.` menu, the `:` line, the command line. The command line is the
//! other face, so it is named from outside, as users have it.

use super::fixture::{NOW, hold, look, press, state, versions};
use crate::console::effect::Effect;
use crate::console::msg::Msg;
use crate::console::state::{Layer, PaletteGo, State, verbs_on};
use crate::console::update::update;
use crate::console::view::overlay;
use crate::deck::look::{EditTarget, Look, Target};
use crate::deck::verbs::{Key, On, VERBS, Verb};
use crate::model::document::Kind;
use crate::model::hold::HoldOn;
use crate::model::record::StepState;
use crate::model::release::BuildStatus;
use clap::{CommandFactory, Parser};
use std::collections::BTreeSet;
use std::sync::Arc;
use swarmdeck::cli::args::Cli;

/// A fleet in which each verb has something to be done to.
fn full() -> Look {
    let mut full = look();
    full.swarms[2].dispatch = "d-412".into();
    let silent = full.dispatches[0].steps.iter_mut().find(|step| step.place == "web04" && step.ended_ms == 0).unwrap();
    (silent.state, silent.detail) = (StepState::Intent, "does not answer: no route".into());
    full.holds.push(hold("hold-3", HoldOn::Host, "h-web01", "web01"));
    full.holds.push(hold("hold-4", HoldOn::Squad, "web", "web"));
    full.holds.push(hold("hold-5", HoldOn::Fleet, "", "the fleet"));
    full.builds[0].status = BuildStatus::Started;
    for number in [0, 3] {
        let dispatch = &mut full.dispatches[0];
        dispatch.number += number;
    }
    full
}

/// The row that a verb is tried on.
fn row(verb: &Verb) -> Target {
    let text = String::from;
    match (verb.on, verb.id) {
        (On::Swarm, "lift") => Target::Swarm(text("s-old-prod-web")),
        (On::Swarm, "promote") => Target::Swarm(text("s-shop-prod-web")),
        (On::Swarm, _) => Target::Swarm(text("s-shop-eu-web")),
        (On::Proc, _) => {
            let look = look();
            let proc = look.world.procs().find(|proc| proc.host == "web01").unwrap();
            Target::Proc(proc.host.clone(), proc.name.clone())
        }
        (On::Host, _) => Target::Host(text("web01")),
        (On::Build, _) => Target::Build(text("b1")),
        (On::Dispatch, _) => Target::Dispatch(text("d-412")),
        (On::Ingredient, _) => Target::Ingredient(text("i-db")),
        (On::Stray, _) => Target::Stray(text("web02"), text("shop-v5.2.9-prod-77aa0011-web-5011")),
        (On::Squad, _) => Target::Squad(text("web")),
        (On::Version, _) => Target::Version(text("s-shop-eu-web"), 2),
        (On::Release, _) => Target::Release(text("s-shop-eu-web"), text("41b0aabb00")),
        (On::App, _) => Target::App(text("shop")),
        (On::Buildpack, _) => Target::Buildpack(text("python")),
        (On::Balancer, _) => Target::Balancer(text("edge")),
        (On::Pool, _) => Target::Pool(text("edge"), text("shop")),
        (On::Node, _) => Target::Node { balancer: text("edge"), pool: text("shop"), host: text("lb01"), node: text("web01.example:5001") },
        (On::Hold, _) => Target::Hold(text("rollback-97")),
        (On::Wave, _) => Target::Wave(7),
        (On::Fleet, _) => Target::Nothing,
    }
}

/// A console with the cursor on that row, in the list where an operator finds it.
fn at(target: &Target) -> State {
    let mut state = state(100, 40);
    update(&mut state, Msg::Look(Arc::new(full())));
    let keys = match target {
        Target::Swarm(_) => "2",
        Target::Host(_) | Target::Squad(_) => "3",
        Target::Proc(..) => "4",
        Target::Build(_) => "5",
        Target::Dispatch(_) => "6",
        Target::Ingredient(_) => "7",
        Target::Stray(..) => "9",
        Target::App(_) => ": a p p s enter",
        Target::Buildpack(_) => ": b u i l d p a c k s enter",
        Target::Balancer(_) => ": b a l a n c e r s enter",
        Target::Pool(..) => ": p o o l s enter",
        Target::Node { .. } => ": p o o l s enter enter",
        Target::Hold(_) => ": h o l d s enter",
        Target::Wave(_) => ": w a v e s enter",
        Target::Release(..) => ": r e l e a s e s enter",
        Target::Version(..) => "2 h",
        _ => "1",
    };
    let asked = press(&mut state, keys);
    if let Some(Effect::History { ticket, target }) = asked.last().cloned() {
        update(&mut state, Msg::History { ticket, target, versions: Ok(versions()) });
    }
    if *target != Target::Nothing {
        let pane = state.pane_mut().unwrap();
        let place =
            pane.order.iter().position(|(row, _)| row == target).unwrap_or_else(|| panic!("{target:?} is not among {:?}", pane.order));
        pane.put(place);
        assert_eq!(state.pointed(), *target);
    }
    state
}

/// What came of it: the effects, what lies on top, and what is said.
fn outcome(mut effects: Vec<Effect>, before: &State, after: &State) -> String {
    effects.retain(|effect| !matches!(effect, Effect::Stop { .. }));
    let layer = match after.layers.last() {
        _ if after.layers.len() <= before.layers.len() => "nothing on top".to_string(),
        Some(Layer::Ask(ask)) => format!("{ask:?}"),
        Some(Layer::Confirm(confirm)) => format!("{confirm:?}"),
        Some(Layer::Plan(plan)) => format!("{:?}", plan.request),
        Some(Layer::Log(log)) => log.title.clone(),
        Some(Layer::List { title, .. }) => title.clone(),
        other => panic!("{other:?}"),
    };
    let said = after.toast.as_ref().filter(|toast| toast.error || toast.text.contains("nothing"));
    assert_eq!(said.map(|toast| toast.text.as_str()), None);
    assert!(!effects.is_empty() || layer != "nothing on top", "nothing came of it");
    format!("{effects:?}\n{layer}")
}

fn by_keys(verb: &Verb, keys: &str) -> String {
    let mut state = at(&row(verb));
    let before = state.clone();
    let effects = press(&mut state, keys);
    outcome(effects, &before, &state)
}

/// The line finds it first by its name and its object's, and shows its live key.
fn by_line(verb: &Verb) -> String {
    let target = row(verb);
    let mut state = at(&target);
    let before = state.clone();
    let name = match verb.on {
        On::Fleet => verb.title.to_string(),
        _ => crate::console::rows::find::name(&state.look, &target),
    };
    let line = match (verb.on, verb.id) {
        (On::Fleet, "hold" | "lift") => format!("{} the fleet", verb.id),
        (On::Fleet, _) => name,
        (On::Host, "new") => format!("new {name}"),
        (on, "new") => format!("new {}", on.word()),
        _ => format!("{} {name}", verb.id),
    };
    press(&mut state, ":");
    update(&mut state, Msg::Paste(line.clone()));
    let Some(Layer::Palette(palette)) = state.layers.last() else { panic!("{:?}", state.layers) };
    let is = |go: &PaletteGo| match go {
        PaletteGo::Verb(id, on) => *id == verb.id && *on == target,
        PaletteGo::New(kind) => verb.id == "new" && verb.on.word() == kind.word(),
        _ => false,
    };
    let place = palette.items.iter().position(|item| is(&item.go));
    let place = place.unwrap_or_else(|| panic!(":{line} does not find {} on {target:?}: {:?}", verb.id, palette.items.first()));
    assert!(place < 3, ":{line} has it only at {place}");
    if !matches!(palette.items[place].go, PaletteGo::New(_)) {
        assert_eq!(palette.items[place].note, verb.typed(), ":{line}");
    }
    let keys = format!("{}enter", "down ".repeat(place));
    let effects = press(&mut state, &keys);
    outcome(effects, &before, &state)
}

/// The command line takes its form, with what stands in capitals filled in.
fn by_command(verb: &Verb) -> Cli {
    let fill = |word: &str| match word {
        "N" | "NUMBER" => "3".to_string(),
        word if word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase() || ":@".contains(c)) => word.to_lowercase(),
        word => word.to_string(),
    };
    let words = std::iter::once("swarmdeck".to_string()).chain(verb.cli.split(' ').map(fill));
    Cli::try_parse_from(words).unwrap_or_else(|error| panic!("swarmdeck {}: {error}", verb.cli))
}

#[test]
fn every_verb_is_reached_by_key_by_menu_by_line_and_by_command_and_does_the_same() {
    for verb in VERBS {
        let what = format!("{} on {:?}", verb.id, verb.on);
        let line = by_line(verb);
        match verb.key {
            Key::Act(letter) => assert_eq!(by_keys(verb, &format!(". {letter}")), line, "{what} by its key"),
            Key::Look(key) => assert_eq!(by_keys(verb, &key.to_string()), line, "{what} by its key"),
            // Why there is none is in the registry, and held by its own test.
            Key::None(_) => {}
        }
        if verb.on != On::Fleet {
            let place = verbs_on(&row(verb)).iter().position(|listed| listed.id == verb.id);
            let place = place.unwrap_or_else(|| panic!("{what} is in no menu"));
            assert_eq!(by_keys(verb, &format!(". {}enter", "down ".repeat(place))), line, "{what} by the menu");
        }
        assert!(by_command(verb).command.is_some(), "{what}");
    }
}

#[test]
fn whatever_the_command_line_changes_is_a_verb_of_the_registry() {
    // What only looks, and what is done before there is a console or without one.
    const OTHERS: &[&str] = &[
        "demo",
        "init",
        "get",
        "describe",
        "export",
        "plan",
        "holds",
        "logs",
        "events",
        "watch",
        "report",
        "audit",
        "history",
        "hosts",
        "strays",
        "balancers",
        "why",
        "completions",
        "help",
        "keys",
        "themes",
    ];
    let known: BTreeSet<&str> = VERBS.iter().filter_map(|verb| verb.cli.split(' ').next()).collect();
    let mut command = Cli::command();
    command.build();
    for sub in command.get_subcommands().map(clap::Command::get_name) {
        assert!(known.contains(sub) || OTHERS.contains(&sub), "{sub} is no verb of the registry");
    }
    let on_hosts: BTreeSet<&str> = VERBS.iter().filter_map(|verb| verb.cli.strip_prefix("hosts ")?.split(' ').next()).collect();
    let hosts = command.get_subcommands().find(|sub| sub.get_name() == "hosts").unwrap();
    for sub in hosts.get_subcommands().map(clap::Command::get_name).filter(|name| !["help", "claim"].contains(name)) {
        assert!(on_hosts.contains(sub), "hosts {sub} is no verb of the registry");
    }
}

#[test]
fn the_help_lists_every_verb_with_its_danger_and_its_command() {
    let lines: Vec<String> = overlay::help_lines(&Default::default()).into_iter().map(|(_, line)| line).collect();
    for verb in VERBS {
        let listed = lines
            .iter()
            .position(|line| line.contains(&format!("{:<11}{:<8}{:<17}{}", verb.on.word(), verb.danger.word(), verb.id, verb.title)));
        let listed = listed.unwrap_or_else(|| panic!("{} on {:?} is not in the help", verb.id, verb.on));
        assert!(lines[listed + 1].ends_with(&format!("swarmdeck {}", verb.cli)), "{}", lines[listed + 1]);
    }
}

#[test]
fn what_is_used_is_not_deleted_and_what_is_not_is_asked_about() {
    let delete = |target: Target| {
        let mut state = at(&target);
        assert!(press(&mut state, ". -").is_empty());
        let Some(Layer::Confirm(confirm)) = state.layers.last().cloned() else { panic!("{:?}", state.layers) };
        (confirm, press(&mut state, "y"))
    };
    for (target, user) in [
        (Target::App("shop".into()), "swarm shop-eu-web"),
        (Target::Buildpack("python".into()), "app shop"),
        (Target::Ingredient("i-db".into()), "swarm mail-prod-web@web"),
        (Target::Squad("web".into()), "swarm api-prod-web"),
        (Target::Balancer("edge".into()), "swarm api-prod-web"),
        (Target::Swarm("s-shop-eu-web".into()), "-web-5001 on web01"),
    ] {
        let (confirm, effects) = delete(target);
        assert!(confirm.lines.iter().any(|line| line.contains(user)), "{confirm:?}");
        assert!(confirm.buttons.len() == 1 && effects.is_empty(), "{confirm:?}");
    }
    let (_, effects) = delete(Target::Swarm("s-old-prod-web".into()));
    assert_eq!(effects, [Effect::Delete { kind: Kind::Swarm, name: "old-prod-web@web".into() }]);
}

#[test]
fn hosts_are_taken_out_of_service_noted_at_and_added_behind_a_question() {
    let on_host = |keys: &str| {
        let mut state = at(&Target::Host("web02".into()));
        let asked = press(&mut state, keys);
        assert!(asked.is_empty(), "{asked:?}");
        press(&mut state, "y")
    };
    assert_eq!(on_host(". 0"), [Effect::Service { host: "web02".into(), active: false }]);
    assert_eq!(on_host(". 1"), [Effect::Service { host: "web02".into(), active: true }]);
    let noted = Effect::Note { kind: "host", name: "web02".into(), text: "new disk".into() };
    assert_eq!(on_host(". # n e w space d i s k enter"), [noted]);
    let added = |like: &str| Effect::HostAdd { name: "web09".into(), squad: "web".into(), like: like.into() };
    assert_eq!(on_host(". n w e b 0 9 enter"), [added("")]);
    assert_eq!(on_host(". c w e b 0 9 enter"), [added("web02")]);
    let mut state = at(&Target::Swarm("s-shop-eu-web".into()));
    assert_eq!(press(&mut state, ". c"), [Effect::OpenEditor(EditTarget::New(Kind::Swarm, "s-shop-eu-web".into()))]);
    assert!(state.now_ms > NOW);
}
