//! Every action is one verb with one name: reachable by key, `.` menu, `:` line and command line. This is the one list of them.

mod table;

pub use table::VERBS;

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

impl Danger {
    /// As the help says it.
    pub fn word(self) -> &'static str {
        match self {
            Danger::None => "looks",
            Danger::Low => "writes",
            Danger::Middle => "acts",
            Danger::High => "! acts",
        }
    }
}

/// What a verb is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// A release that a swarm ran or runs.
    Release,
    App,
    Buildpack,
    Balancer,
    Pool,
    /// A node of a pool.
    Node,
    Hold,
    Wave,
    /// The fleet as a whole.
    Fleet,
}

impl On {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            On::Swarm => "swarm",
            On::Proc => "proc",
            On::Host => "host",
            On::Build => "build",
            On::Dispatch => "dispatch",
            On::Ingredient => "ingredient",
            On::Stray => "stray",
            On::Squad => "squad",
            On::Version => "version",
            On::Release => "release",
            On::App => "app",
            On::Buildpack => "buildpack",
            On::Balancer => "balancer",
            On::Pool => "pool",
            On::Node => "node",
            On::Hold => "hold",
            On::Wave => "wave",
            On::Fleet => "fleet",
        }
    }
}

/// The key of a verb in the console (`screens/keymap.txt`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// This letter after `.`, on the row.
    Act(char),
    /// This key by itself, on the row or anywhere: it only looks.
    Look(char),
    /// None, and why: the menu and the `:` line have it all the same.
    None(&'static str),
}

/// A verb as faces list it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verb {
    /// Its name everywhere: `dispatch`.
    pub id: &'static str,
    /// One line for menu and help.
    pub title: &'static str,
    pub key: Key,
    pub on: On,
    pub danger: Danger,
    /// Whether it is done to several marked rows as one plan.
    pub many: bool,
    /// The same on the command line; what is to be filled in stands in capitals.
    pub cli: &'static str,
}

impl Verb {
    /// The letter after `.`.
    pub fn letter(&self) -> Option<char> {
        match self.key {
            Key::Act(letter) => Some(letter),
            Key::Look(_) | Key::None(_) => None,
        }
    }

    /// Its key as it is typed: `.d`, `s`, or nothing.
    pub fn typed(&self) -> String {
        match self.key {
            Key::Act(letter) => format!(".{letter}"),
            Key::Look(key) => key.to_string(),
            Key::None(_) => String::new(),
        }
    }
}

/// A verb by its id, of what it is done to.
pub fn verb(id: &str, on: On) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.id == id && verb.on == on)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_verbs_of_a_thing_share_a_letter_or_a_name_and_each_says_all_of_itself() {
        let (mut letters, mut names) = (BTreeSet::new(), BTreeSet::new());
        for verb in VERBS {
            assert!(names.insert((verb.on, verb.id)), "{} on {:?} twice", verb.id, verb.on);
            if let Some(letter) = verb.letter() {
                assert!(letters.insert((verb.on, letter)), ".{letter} on {:?} twice", verb.on);
            }
            if let Key::None(why) = verb.key {
                assert!(why.len() > 10, "{} on {:?} has no key and does not say why", verb.id, verb.on);
            }
            assert!(!verb.title.is_empty() && !verb.cli.is_empty(), "{verb:?}");
            assert_eq!(self::verb(verb.id, verb.on), Some(verb));
        }
    }
}
