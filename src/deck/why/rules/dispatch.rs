//! What became of a dispatch, where nothing before it in the chain explains that.

use super::{Cause, Facts, said};
use crate::model::record::{Outcome, StepState};

pub fn find(facts: &Facts, all: &mut Vec<Cause>) {
    for said in facts.said.iter().filter(|said| !said::known(&said.text)) {
        let place = if said.host.is_empty() { said.by.clone() } else { format!("{} ({})", said.host, said.by) };
        all.push(
            Cause::new("said", place, said.text.trim_end_matches('.').to_string())
                .shows([format!("{}: {}", said.by, said.text)])
                .next(said.next.clone()),
        );
    }
    let Some(dispatch) = &facts.dispatch else { return };
    let place = format!("dispatch {}", dispatch.number);
    for debt in &dispatch.debts {
        all.push(
            Cause::new("owed", &place, format!("it owes {}: {}", debt.host, debt.what))
                .shows([format!("{}: {}", debt.host, debt.what)])
                .next(format!("bring {} back; what is owed is paid before it serves again", debt.host)),
        );
    }
    match dispatch.outcome {
        Some(Outcome::Interrupted) => all.push(
            Cause::new("interrupted", &place, format!("the process that carried it stopped at {}", dispatch.phase.word()))
                .shows(
                    dispatch
                        .steps
                        .iter()
                        .filter(|step| step.state == StepState::Intent)
                        .map(|step| format!("{} {} was begun and not ended", step.phase.word(), step.place)),
                )
                .next(format!("swarmdeck resume {}, or cancel it", dispatch.number)),
        ),
        None => {
            let word = if dispatch.undoing { "is being undone" } else { "is under way" };
            let step = dispatch.steps.iter().find(|step| step.state == StepState::Intent);
            let at = step.map_or_else(|| dispatch.phase.word().to_string(), |step| format!("{} {}", step.phase.word(), step.place));
            all.push(
                Cause::new("under-way", &place, format!("{} of {} {word}, at {at}", dispatch.verb, dispatch.who))
                    .shows([format!(
                        "step {at}, begun {} s ago",
                        (facts.now_ms - step.map_or(facts.now_ms, |step| step.started_ms)) / 1000
                    )])
                    .next(format!("wait, or swarmdeck cancel {}", dispatch.number)),
            );
        }
        _ => {}
    }
}
