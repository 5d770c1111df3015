//! The verb `run`: the question for a one-off command, and the confirm behind it.

use super::verbs;
use crate::console::effect::Effect;
use crate::console::rows::find;
use crate::console::state::{Ask, Asks, Button, Confirm, Field, Layer, LogLayer, LogSource, State};
use crate::deck::look::Target;
use crate::deck::running::RunRequest;

/// Asks for the command, of a swarm also on which procs, and why.
pub fn ask(state: &mut State, target: &Target) {
    let mut fields = vec![("command", Field::default())];
    if matches!(target, Target::Swarm(_)) {
        fields.push(("one or all procs", Field::new("one")));
    }
    fields.push(("why", Field::default()));
    let title = format!("Run a command in the environment of {}", find::name(&state.look, target));
    state.layers.push(Layer::Ask(Box::new(Ask { title, asks: Asks::Run(target.clone()), fields, focus: 0 })));
}

/// Shows what will be run, and where.
pub fn confirm(state: &mut State, target: &Target, command: String, all: bool, why: String) {
    let ticket = state.ticket();
    let name = find::name(&state.look, target);
    let place = match target {
        Target::Proc(host, _) => format!("in the environment of {name} on {host}, as its user"),
        _ if all => format!("in the environment of each running proc of {name}, as its user"),
        _ => format!("in the environment of one running proc of {name}, as its user"),
    };
    let lines =
        vec![format!("sh -c {command}"), place, "Closing its screen stops it there. It is written down, with its exit status.".into()];
    let argv = vec!["sh".to_string(), "-c".into(), command];
    let request = RunRequest { of: target.clone(), argv, all, why };
    let log = LogLayer::new(ticket, format!("run on {name}"), LogSource::Verb(target.clone()));
    let go = Button { label: "run".into(), effects: vec![Effect::Run { ticket, request }], log: Some(Box::new(log)) };
    verbs::confirm(state, Confirm::new("Run this command?", lines, vec![go]));
}
