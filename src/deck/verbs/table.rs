//! The table of verbs: a new one is a line here, and the test of the four routes says what it lacks.

use super::Danger::{High, Low, Middle, None as Looks};
use super::Key::{Act, Look, None as NoKey};
use super::{Danger, Key, On, Verb};

const fn one(on: On, id: &'static str, key: Key, danger: Danger, cli: &'static str, title: &'static str) -> Verb {
    Verb { id, title, key, on, danger, many: false, cli }
}
/// One that several marked rows can have at once.
const fn many(on: On, id: &'static str, key: Key, danger: Danger, cli: &'static str, title: &'static str) -> Verb {
    Verb { id, title, key, on, danger, many: true, cli }
}

const HOLD: &str = "hold: nobody dispatches it; or lift what holds it";
const LIFT: &str = "lift a hold";
const BY_HOLD: Key = NoKey("`.h` lifts what is held");
const NO_ROW: Key = NoKey("the fleet has no row");
const NEW: &str = "new: begins with what it must have";
const CLONE: &str = "clone: a new one like this";
const EDIT: &str = "edit it";
const CONFIG: &str = "edit its config";
const ENV: &str = "edit its env";
const WHOLE: &str = "edit the whole of it";
const DELETE: &str = "delete it; refused while it is used, with the list";
const NOTE: &str = "note: a line about it, for everybody";
const PROMOTE: &str = "promote the canary: the other procs follow";

/// Every verb, in the order of menus.
pub const VERBS: &[Verb] = &[
    many(On::Swarm, "dispatch", Act('d'), Middle, "dispatch SWARM --version VERSION", "dispatch: plan a version, prove it, route it"),
    many(On::Swarm, "rollback", Act('b'), Middle, "rollback SWARM", "roll back to the release that ran before"),
    many(On::Swarm, "restart", Act('r'), Middle, "restart SWARM", "rolling restart: new procs of its release, batch by batch"),
    one(On::Swarm, "promote", Act('m'), Middle, "promote DISPATCH", PROMOTE),
    one(On::Swarm, "size", Act('='), Middle, "size SWARM N", "change the number of procs"),
    one(On::Swarm, "build", Act('g'), Looks, "build APP VERSION", "build its version now; or again"),
    one(On::Swarm, "uptest", Act('t'), Looks, "uptest SWARM", "run its uptests now"),
    many(On::Swarm, "hold", Act('h'), Low, "hold swarm SWARM -m WHY", HOLD),
    many(On::Swarm, "lift", BY_HOLD, Low, "lift HOLD", LIFT),
    one(On::Swarm, "repair", Act('f'), Middle, "balancers repair POOL", "fix drift: its pool as we last wrote it"),
    one(On::Swarm, "run", Act('>'), Middle, "run SWARM -m WHY -- COMMAND", "run a one-off command on one or all of its procs"),
    one(On::Swarm, "edit", Act('e'), Low, "edit swarm SWARM", CONFIG),
    one(On::Swarm, "edit-env", Act('v'), Low, "edit swarm SWARM --env", ENV),
    one(On::Swarm, "edit-whole", Act('w'), Low, "edit swarm SWARM --whole", WHOLE),
    one(On::Swarm, "new", Act('n'), Low, "edit swarm --new", NEW),
    one(On::Swarm, "clone", Act('c'), Low, "edit swarm --like SWARM", CLONE),
    one(On::Swarm, "note", Act('#'), Low, "note swarm SWARM TEXT", NOTE),
    many(On::Swarm, "delete", Act('-'), Low, "delete swarm SWARM", DELETE),
    many(On::Proc, "start", Act('s'), Middle, "start HOST PROC", "start a proc"),
    many(On::Proc, "stop", Act('k'), Middle, "stop HOST PROC", "stop a proc"),
    many(On::Proc, "restart", Act('r'), Middle, "restart HOST PROC", "restart a proc"),
    one(On::Proc, "run", Act('>'), Middle, "run HOST:PROC -m WHY -- COMMAND", "run a one-off command in its environment"),
    one(On::Proc, "drain", Act('o'), Middle, "balancers drain POOL NODE", "take its node out of the pool"),
    one(On::Proc, "put-back", Act('u'), Middle, "balancers put-back POOL NODE", "put its node back into the pool"),
    one(On::Proc, "shell", Look('s'), Looks, "shell HOST:PROC", "a shell in its environment"),
    one(On::Proc, "note", Act('#'), Low, "note proc HOST:PROC TEXT", NOTE),
    many(On::Proc, "retire", Act('q'), High, "retire HOST PROC", "retire a proc: out of its pool, drained, stopped, removed"),
    many(On::Proc, "destroy", Act('!'), High, "destroy HOST PROC", "destroy a proc: stop and remove it, no drain"),
    many(On::Stray, "adopt", Act('a'), Middle, "adopt proc HOST PROC", "adopt it into the swarm that it was deployed as"),
    many(On::Stray, "ignore", Act('i'), Low, "ignore PLACE NAME", "ignore: known, no trouble (again: take that back)"),
    many(On::Stray, "retire", Act('q'), High, "retire PLACE NAME", "retire: out of its pool, drained, stopped, removed"),
    one(On::Host, "provision", Act('p'), Middle, "hosts provision HOST", "put on a host what is missing"),
    one(On::Host, "check", Act('j'), Looks, "hosts check HOST", "say what a host is missing"),
    one(On::Host, "evacuate", Act('v'), Middle, "hosts evacuate HOST", "evacuate: its procs are replaced elsewhere"),
    one(On::Host, "re-place", Act('l'), Middle, "hosts re-place HOST", "re-place what is lost on it, elsewhere"),
    many(On::Host, "in-service", Act('1'), Low, "hosts in-service HOST", "in service: new procs may be placed on it"),
    many(On::Host, "out-of-service", Act('0'), Low, "hosts out-of-service HOST", "out of service: no new procs; what runs goes on"),
    many(On::Host, "hold", Act('h'), Low, "hold host HOST -m WHY", "hold: nothing is placed on it or changed; or lift it"),
    many(On::Host, "lift", BY_HOLD, Low, "lift HOLD", LIFT),
    one(On::Host, "shell", Look('s'), Looks, "shell HOST", "a shell on it"),
    one(On::Host, "edit", Act('e'), Low, "edit host HOST", "edit it, where its squad is written"),
    one(On::Host, "new", Act('n'), Low, "hosts add HOST --squad SQUAD", "new: another host in its squad"),
    one(On::Host, "clone", Act('c'), Low, "hosts add HOST --like LIKE", "clone: another host with the same keys"),
    one(On::Host, "note", Act('#'), Low, "note host HOST TEXT", NOTE),
    many(On::Squad, "hold", Act('h'), Low, "hold squad SQUAD -m WHY", HOLD),
    many(On::Squad, "lift", BY_HOLD, Low, "lift HOLD", LIFT),
    one(On::Squad, "edit", Act('e'), Low, "edit squad SQUAD", EDIT),
    one(On::Squad, "new", Act('n'), Low, "edit squad --new", NEW),
    one(On::Squad, "clone", Act('c'), Low, "edit squad --like SQUAD", CLONE),
    one(On::Squad, "note", Act('#'), Low, "note squad SQUAD TEXT", NOTE),
    many(On::Squad, "delete", Act('-'), Low, "delete squad SQUAD", DELETE),
    one(On::Ingredient, "edit", Act('e'), Low, "edit ingredient INGREDIENT", CONFIG),
    one(On::Ingredient, "edit-env", Act('v'), Low, "edit ingredient INGREDIENT --env", ENV),
    one(On::Ingredient, "edit-whole", Act('w'), Low, "edit ingredient INGREDIENT --whole", WHOLE),
    one(On::Ingredient, "wave", Act('d'), Middle, "wave INGREDIENT", "dispatch every swarm that uses it, as one wave"),
    one(On::Ingredient, "new", Act('n'), Low, "edit ingredient --new", NEW),
    one(On::Ingredient, "clone", Act('c'), Low, "edit ingredient --like INGREDIENT", CLONE),
    one(On::Ingredient, "note", Act('#'), Low, "note ingredient INGREDIENT TEXT", NOTE),
    many(On::Ingredient, "delete", Act('-'), Low, "delete ingredient INGREDIENT", DELETE),
    one(On::App, "edit", Act('e'), Low, "edit app APP", EDIT),
    one(On::App, "new", Act('n'), Low, "edit app --new", NEW),
    one(On::App, "clone", Act('c'), Low, "edit app --like APP", CLONE),
    one(On::App, "note", Act('#'), Low, "note app APP TEXT", NOTE),
    many(On::App, "delete", Act('-'), Low, "delete app APP", DELETE),
    one(On::Buildpack, "edit", Act('e'), Low, "edit buildpack BUILDPACK", EDIT),
    one(On::Buildpack, "new", Act('n'), Low, "edit buildpack --new", NEW),
    one(On::Buildpack, "clone", Act('c'), Low, "edit buildpack --like BUILDPACK", CLONE),
    one(On::Buildpack, "note", Act('#'), Low, "note buildpack BUILDPACK TEXT", NOTE),
    many(On::Buildpack, "delete", Act('-'), Low, "delete buildpack BUILDPACK", DELETE),
    one(On::Balancer, "edit", Act('e'), Low, "edit balancer BALANCER", EDIT),
    one(On::Balancer, "new", Act('n'), Low, "edit balancer --new", NEW),
    one(On::Balancer, "clone", Act('c'), Low, "edit balancer --like BALANCER", CLONE),
    one(On::Balancer, "note", Act('#'), Low, "note balancer BALANCER TEXT", NOTE),
    many(On::Balancer, "delete", Act('-'), Low, "delete balancer BALANCER", DELETE),
    one(On::Pool, "repair", Act('f'), Middle, "balancers repair POOL@BALANCER", "fix drift: as we last wrote it"),
    one(On::Pool, "adopt", Act('a'), Middle, "adopt pool POOL@BALANCER", "adopt it: its nodes stay, dispatches may change it"),
    one(On::Node, "drain", Act('o'), Middle, "balancers drain POOL NODE", "take it out: it gets nothing new"),
    one(On::Node, "put-back", Act('u'), Middle, "balancers put-back POOL NODE", "put it back into the pool"),
    many(On::Dispatch, "cancel", Act('x'), Middle, "cancel DISPATCH", "cancel a dispatch and undo it"),
    many(On::Dispatch, "resume", Act('y'), Middle, "resume DISPATCH", "carry an interrupted dispatch on"),
    one(On::Dispatch, "promote", Act('m'), Middle, "promote DISPATCH", PROMOTE),
    one(On::Dispatch, "wait", Act('w'), Low, "wait DISPATCH 5m", "wait 5m longer for a host that does not answer"),
    one(On::Dispatch, "go-on", Act('o'), Middle, "go-on DISPATCH HOST", "go on without a host that does not answer"),
    one(On::Dispatch, "note", Act('#'), Low, "note dispatch DISPATCH TEXT", NOTE),
    one(On::Wave, "rollback", Act('b'), Middle, "rollback wave NUMBER", "roll back every swarm that it brought live, as one wave"),
    one(On::Wave, "resume", Act('y'), Middle, "resume wave NUMBER", "carry on: plan what of it is not done, and go"),
    one(On::Build, "cancel", Act('x'), Low, "cancel BUILD", "cancel it; whoever waits for it is told"),
    one(On::Build, "shell", Look('s'), Looks, "shell BUILD", "a shell in its directory"),
    many(On::Hold, "lift", Act('h'), Low, "lift HOLD", "lift it"),
    one(On::Release, "rollback", Act('b'), Middle, "rollback SWARM --to RELEASE", "back to this release; needs no build"),
    one(On::Version, "revert", Act('b'), Low, "revert KIND NAME NUMBER", "write it down again as it was then; live when it is dispatched"),
    one(On::Fleet, "hold", NO_ROW, Low, "hold fleet -m WHY", HOLD),
    one(On::Fleet, "lift", NO_ROW, Low, "lift HOLD", LIFT),
    one(On::Fleet, "apply", NO_ROW, Low, "apply -f FILE", "apply a document: replaces what it names, deletes nothing"),
    one(On::Fleet, "upkeep", NO_ROW, Middle, "upkeep", "finish or undo what was left behind, fetch evidence, forget what is old"),
    one(On::Fleet, "undo", Look('u'), Looks, "undo", "what can be undone: a list, each with its plan or question"),
];
