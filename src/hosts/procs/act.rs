//! Start, stop, restart of one proc by an operator's verb, under the fence, and only of what the guard allows (VR-67).

use super::fence::{self, Fence};
use super::remove::{FUNCTIONS, Guard, guard_words};
use super::{script, start};
use crate::hosts::Link;
use crate::model::{Result, entity::SupervisorAt, quote::quote};
use std::time::Duration;

/// What is done to a proc. Destroy is [`super::remove()`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Start,
    Stop,
    Restart,
}

impl Action {
    /// The verb's word.
    pub fn word(self) -> &'static str {
        match self {
            Action::Start => "start",
            Action::Stop => "stop",
            Action::Restart => "restart",
        }
    }
}

/// Does it and waits until Supervisor says that it is so; a proc that is so already is no fault. `name` may be any Supervisor
/// program (`group:name` too) when the guard is [`Guard::Any`].
///
/// # Errors
/// Refused (fence; not ours), failed with Supervisor's own words.
pub async fn act(
    link: &dyn Link,
    fence: &Fence,
    at: &SupervisorAt,
    action: Action,
    name: &str,
    guard: &Guard,
    stop_timeout: Duration,
) -> Result<()> {
    let step = action.word();
    let for_name = |fault: crate::model::Fault| fault.on(link.host()).at(step);
    for part in name.splitn(2, ':') {
        script::check_name(part).map_err(for_name)?;
    }
    let (word, value) = guard_words(guard, fence).map_err(for_name)?;
    let seconds = stop_timeout.as_secs() + 90;
    let body = format!(
        r#"{ctl}{FUNCTIONS}NAME={name}
guarded "$NAME" {word} {value} || fail refused "$NAME is not ours, or was made anew since || look again"
SAID=$(timeout -k 5 {seconds} supervisorctl -c {conf} {step} "$NAME" 2>&1)
code=$?
case $code:{step}:$SAID in
  124:* | 137:*) fail failed "$NAME did not {step} within {seconds} s || swarmdeck why $NAME";;
  *:start:*": started"* | *:start:*"already started"* | *:restart:*": started"* | *:stop:*": stopped"* | *:stop:*"not running"*) ;;
  *) fail failed "Supervisor says: $(printf '%s' "$SAID" | tr '\n' ' ') || swarmdeck logs $NAME";;
esac
"#,
        ctl = start::supervisorctl(at),
        name = quote(name),
        value = quote(value),
        conf = quote(&at.conf),
    );
    fence::run(link, fence, step, &body, Duration::from_secs(seconds + 15)).await.map(drop)
}
