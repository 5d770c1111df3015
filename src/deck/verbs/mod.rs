//! Every action is one verb with one name: reachable by key, `.` menu, `:` line and command line.

/// How much a verb can hurt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Danger {
    /// Looks only.
    None,
    /// Changes what is written down; can be taken back.
    Low,
    /// Changes what runs; shown as a plan or one question first.
    Middle,
    /// Cannot be taken back.
    High,
}

/// What a verb is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    Swarm,
    Proc,
    Host,
    Build,
    Dispatch,
    Ingredient,
    /// Something out of place.
    Stray,
    Squad,
    /// A version of what was written down.
    Version,
    App,
    Buildpack,
    Balancer,
    /// The fleet as a whole.
    Fleet,
}

/// A verb as faces list it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verb {
    /// Its name everywhere: `dispatch`.
    pub id: &'static str,
    /// One line for menu and help.
    pub title: &'static str,
    /// The letter after `.` in the console (`screens/keymap.txt`); none = only by `:` and command line.
    pub key: Option<char>,
    pub on: On,
    pub danger: Danger,
}

const HOLD: &str = "hold: nobody dispatches it; or lift what holds it";
const LIFT: &str = "lift a hold";
const NEW: &str = "new: begins with what it must have";
const CLONE: &str = "clone: a new one like this";

/// Every verb.
pub const VERBS: &[Verb] = &[
    Verb { id: "dispatch", title: "dispatch: plan a version, prove it, route it", key: Some('d'), on: On::Swarm, danger: Danger::Middle },
    Verb { id: "rollback", title: "roll back to the release that ran before", key: Some('b'), on: On::Swarm, danger: Danger::Middle },
    Verb {
        id: "restart",
        title: "rolling restart: new procs of its release, batch by batch",
        key: Some('r'),
        on: On::Swarm,
        danger: Danger::Middle,
    },
    Verb { id: "promote", title: "promote the canary: the other procs follow", key: Some('m'), on: On::Swarm, danger: Danger::Middle },
    Verb { id: "size", title: "change the number of procs", key: Some('='), on: On::Swarm, danger: Danger::Middle },
    Verb { id: "build", title: "build its version now", key: Some('g'), on: On::Swarm, danger: Danger::None },
    Verb { id: "uptest", title: "run its uptests now", key: Some('t'), on: On::Swarm, danger: Danger::None },
    Verb { id: "hold", title: HOLD, key: Some('h'), on: On::Swarm, danger: Danger::Low },
    Verb { id: "lift", title: LIFT, key: None, on: On::Swarm, danger: Danger::Low },
    Verb { id: "hold", title: HOLD, key: Some('h'), on: On::Squad, danger: Danger::Low },
    Verb { id: "lift", title: LIFT, key: None, on: On::Squad, danger: Danger::Low },
    Verb { id: "hold", title: "hold: nothing is placed on it or changed; or lift it", key: Some('h'), on: On::Host, danger: Danger::Low },
    Verb { id: "lift", title: LIFT, key: None, on: On::Host, danger: Danger::Low },
    Verb { id: "hold", title: HOLD, key: None, on: On::Fleet, danger: Danger::Low },
    Verb { id: "lift", title: LIFT, key: None, on: On::Fleet, danger: Danger::Low },
    Verb { id: "repair", title: "fix drift: its pool as we last wrote it", key: Some('f'), on: On::Swarm, danger: Danger::Middle },
    Verb { id: "edit", title: "edit its config", key: Some('e'), on: On::Swarm, danger: Danger::Low },
    Verb { id: "edit-env", title: "edit its env", key: Some('v'), on: On::Swarm, danger: Danger::Low },
    Verb { id: "edit-whole", title: "edit the whole of it", key: Some('w'), on: On::Swarm, danger: Danger::Low },
    Verb { id: "new", title: NEW, key: Some('n'), on: On::Swarm, danger: Danger::Low },
    Verb { id: "clone", title: CLONE, key: Some('c'), on: On::Swarm, danger: Danger::Low },
    Verb { id: "edit", title: "edit its config", key: Some('e'), on: On::Ingredient, danger: Danger::Low },
    Verb { id: "edit-env", title: "edit its env", key: Some('v'), on: On::Ingredient, danger: Danger::Low },
    Verb { id: "edit-whole", title: "edit the whole of it", key: Some('w'), on: On::Ingredient, danger: Danger::Low },
    Verb { id: "new", title: NEW, key: Some('n'), on: On::Ingredient, danger: Danger::Low },
    Verb { id: "clone", title: CLONE, key: Some('c'), on: On::Ingredient, danger: Danger::Low },
    Verb { id: "edit", title: "edit it", key: Some('e'), on: On::App, danger: Danger::Low },
    Verb { id: "new", title: NEW, key: Some('n'), on: On::App, danger: Danger::Low },
    Verb { id: "clone", title: CLONE, key: Some('c'), on: On::App, danger: Danger::Low },
    Verb { id: "edit", title: "edit it", key: Some('e'), on: On::Buildpack, danger: Danger::Low },
    Verb { id: "new", title: NEW, key: Some('n'), on: On::Buildpack, danger: Danger::Low },
    Verb { id: "clone", title: CLONE, key: Some('c'), on: On::Buildpack, danger: Danger::Low },
    Verb { id: "edit", title: "edit it", key: Some('e'), on: On::Balancer, danger: Danger::Low },
    Verb { id: "new", title: NEW, key: Some('n'), on: On::Balancer, danger: Danger::Low },
    Verb { id: "clone", title: CLONE, key: Some('c'), on: On::Balancer, danger: Danger::Low },
    Verb { id: "edit", title: "edit it", key: Some('e'), on: On::Squad, danger: Danger::Low },
    Verb { id: "new", title: NEW, key: Some('n'), on: On::Squad, danger: Danger::Low },
    Verb { id: "clone", title: CLONE, key: Some('c'), on: On::Squad, danger: Danger::Low },
    Verb { id: "edit", title: "edit it, where its squad is written", key: Some('e'), on: On::Host, danger: Danger::Low },
    Verb { id: "start", title: "start a proc", key: Some('s'), on: On::Proc, danger: Danger::Middle },
    Verb { id: "stop", title: "stop a proc", key: Some('k'), on: On::Proc, danger: Danger::Middle },
    Verb { id: "restart", title: "restart a proc", key: Some('r'), on: On::Proc, danger: Danger::Middle },
    Verb { id: "drain", title: "take its node out of the pool", key: Some('o'), on: On::Proc, danger: Danger::Middle },
    Verb { id: "put-back", title: "put its node back into the pool", key: Some('u'), on: On::Proc, danger: Danger::Middle },
    Verb { id: "destroy", title: "destroy a proc: stop and remove it, no drain", key: Some('!'), on: On::Proc, danger: Danger::High },
    Verb {
        id: "retire",
        title: "retire a proc: out of its pool, drained, stopped, removed",
        key: Some('q'),
        on: On::Proc,
        danger: Danger::High,
    },
    Verb { id: "adopt", title: "adopt it into the swarm that it was deployed as", key: Some('a'), on: On::Stray, danger: Danger::Middle },
    Verb {
        id: "retire-stray",
        title: "retire: out of its pool, drained, stopped, removed",
        key: Some('q'),
        on: On::Stray,
        danger: Danger::High,
    },
    Verb { id: "ignore", title: "ignore: known, no trouble (again: take that back)", key: Some('i'), on: On::Stray, danger: Danger::Low },
    Verb { id: "run", title: "run a one-off command in its environment", key: Some('>'), on: On::Proc, danger: Danger::Middle },
    Verb { id: "run", title: "run a one-off command on one or all of its procs", key: Some('>'), on: On::Swarm, danger: Danger::Middle },
    Verb { id: "shell", title: "a shell in its environment (key s)", key: None, on: On::Proc, danger: Danger::None },
    Verb { id: "shell", title: "a shell on it (key s)", key: None, on: On::Host, danger: Danger::None },
    Verb { id: "shell", title: "a shell in its directory (key s)", key: None, on: On::Build, danger: Danger::None },
    Verb { id: "provision", title: "put on a host what is missing", key: Some('p'), on: On::Host, danger: Danger::Middle },
    Verb { id: "evacuate", title: "evacuate: its procs are replaced elsewhere", key: Some('v'), on: On::Host, danger: Danger::Middle },
    Verb { id: "re-place", title: "re-place what is lost on it, elsewhere", key: Some('l'), on: On::Host, danger: Danger::Middle },
    Verb { id: "check", title: "say what a host is missing", key: Some('j'), on: On::Host, danger: Danger::None },
    Verb { id: "cancel", title: "cancel a dispatch and undo it", key: Some('x'), on: On::Dispatch, danger: Danger::Middle },
    Verb { id: "promote", title: "promote the canary: the other procs follow", key: Some('m'), on: On::Dispatch, danger: Danger::Middle },
    Verb { id: "wait", title: "wait 5m longer for a host that does not answer", key: Some('w'), on: On::Dispatch, danger: Danger::Low },
    Verb { id: "go-on", title: "go on without a host that does not answer", key: Some('o'), on: On::Dispatch, danger: Danger::Middle },
    Verb {
        id: "revert",
        title: "write it down again as it was then; live when it is dispatched",
        key: Some('b'),
        on: On::Version,
        danger: Danger::Low,
    },
    Verb { id: "resume", title: "carry an interrupted dispatch on", key: Some('y'), on: On::Dispatch, danger: Danger::Middle },
];

/// A verb by its id.
pub fn verb(id: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.id == id)
}
