//! The keys of every kind of object: what each holds, what it is when nobody writes it, what it is for.
//! The editor completes and checks by it, and a new object begins with it.

use super::Kind;

/// What a value names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Named {
    App,
    Buildpack,
    Ingredient,
    Squad,
    Balancer,
    Pool,
    Host,
    /// By `app-config-proc@squad`.
    Swarm,
}

impl Named {
    /// The names that objects of a kind have.
    pub fn of(kind: Kind) -> Named {
        match kind {
            Kind::App => Named::App,
            Kind::Buildpack => Named::Buildpack,
            Kind::Ingredient => Named::Ingredient,
            Kind::Squad => Named::Squad,
            Kind::Balancer => Named::Balancer,
            Kind::Swarm => Named::Swarm,
        }
    }
}

/// What a key's value is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Holds {
    Text,
    Truth,
    /// One of these words, most often.
    Word(&'static [&'static str]),
    /// The name of another object.
    Name(Named),
    /// A list of such names.
    Names(Named),
    /// A mapping with these keys.
    Keys(&'static [Key]),
    /// A list of mappings with these keys.
    Items(&'static [Key]),
    /// A list of something else.
    List,
    /// Any keys and values.
    Config,
    /// Environment variables.
    Env,
}

/// One key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    pub name: &'static str,
    pub holds: Holds,
    /// Whether an object cannot be without it.
    pub required: bool,
    /// What it is when it is not written; "" where that is nothing, or is left to somebody else.
    pub default: &'static str,
    /// What a new object shows for it.
    pub example: &'static str,
    /// One line.
    pub about: &'static str,
}

const fn must(name: &'static str, holds: Holds, example: &'static str, about: &'static str) -> Key {
    Key { name, holds, required: true, default: "", example, about }
}
const fn may(name: &'static str, holds: Holds, example: &'static str, about: &'static str) -> Key {
    Key { name, holds, required: false, default: "", example, about }
}
const fn usual(name: &'static str, holds: Holds, default: &'static str, about: &'static str) -> Key {
    Key { name, holds, required: false, default, example: default, about }
}

const REPO_TYPE: Holds = Holds::Word(&["git", "hg"]);
const REPO: &[Key] =
    &[must("url", Holds::Text, "git@git.example:shop.git", "where its source is"), usual("type", REPO_TYPE, "git", "git or hg")];
const PROBE: &[Key] = &[
    must("url", Holds::Text, "http://127.0.0.1/health", "asked by each balancer host itself"),
    may("host", Holds::Text, "shop.example", "the name that the request asks for"),
];
const SUPERVISOR: &[Key] = &[
    usual("socket", Holds::Text, "/var/run/supervisor.sock", "its socket"),
    usual("conf", Holds::Text, "/etc/supervisor/supervisord.conf", "its configuration"),
];
const HOST: &[Key] = &[
    must("name", Holds::Text, "web01.example", "a name as ssh knows it, or several: web[01-09].example"),
    usual("transport", Holds::Word(&["ssh", "local"]), "ssh", "local: this machine, without ssh"),
    may("address", Holds::Text, "10.0.0.7", "what ssh is given; the name where it is absent"),
    may("port", Holds::Text, "22", "ssh's own where it is absent"),
    may("user", Holds::Text, "deploy", "ssh's own where it is absent"),
    usual("become", Holds::Word(&["none", "sudo"]), "none", "how the ssh user becomes root"),
    usual("root", Holds::Text, "/apps", "where procs, builds and images are kept"),
    usual("ports", Holds::Text, "5000-5999", "the ports that procs are given"),
    usual("active", Holds::Truth, "true", "false: it gets no new procs"),
    may("supervisor", Holds::Keys(SUPERVISOR), "", "where its Supervisor is"),
    usual("protect", Holds::Truth, "false", "true: whoever changes what runs on it types its name"),
];
const DEFAULTS: &[Key] = &[
    usual("transport", Holds::Word(&["ssh", "local"]), "ssh", "local: this machine, without ssh"),
    may("port", Holds::Text, "22", "ssh's own where it is absent"),
    may("user", Holds::Text, "deploy", "ssh's own where it is absent"),
    usual("become", Holds::Word(&["none", "sudo"]), "none", "how the ssh user becomes root"),
    usual("root", Holds::Text, "/apps", "where procs, builds and images are kept"),
    usual("ports", Holds::Text, "5000-5999", "the ports that procs are given"),
    usual("active", Holds::Truth, "true", "false: they get no new procs"),
    may("supervisor", Holds::Keys(SUPERVISOR), "", "where their Supervisor is"),
    usual("protect", Holds::Truth, "false", "true: whoever changes what runs on one types its name"),
];
const BUILDPACK: &[Key] = &[
    must("name", Holds::Text, "python", "what apps pin it by"),
    must("url", Holds::Text, "https://git.example/buildpack-python.git#v1", "where it is; #REV pins it"),
    usual("type", REPO_TYPE, "git", "git or hg"),
    usual("order", Holds::Text, "0", "lower is asked first whether it can build an app"),
];
const APP: &[Key] = &[
    must("name", Holds::Text, "shop", "letters, digits and _"),
    must("repo", Holds::Keys(REPO), "", "where its source is"),
    may("buildpack", Holds::Name(Named::Buildpack), "python", "pins one; else the first that can build it"),
];
const INGREDIENT: &[Key] = &[
    must("name", Holds::Text, "db", "what swarms list it by"),
    may("config", Holds::Config, "db_host: db1", "config that swarms share"),
    may("env", Holds::Env, "TZ: UTC", "environment that they share"),
    usual("merge", Holds::Word(&["shallow", "deep"]), "shallow", "deep: nested mappings are joined key by key"),
];
const SQUAD: &[Key] = &[
    must("name", Holds::Text, "web", "what swarms name it by"),
    may("defaults", Holds::Keys(DEFAULTS), "", "what its hosts have where they say nothing themselves"),
    may("hosts", Holds::Items(HOST), "name: web01.example", "alike machines"),
    usual("protect", Holds::Truth, "false", "true: whoever changes what runs on its hosts types its name"),
];
const BALANCER: &[Key] = &[
    must("name", Holds::Text, "edge", "what swarms name it by"),
    must("backend", Holds::Word(&["nginx", "dummy"]), "nginx", "nginx, or dummy that only remembers its nodes"),
    may("hosts", Holds::Items(HOST), "name: lb01.example", "where it runs"),
    may("include_dir", Holds::Text, "/etc/nginx/conf.d", "where pools are written"),
    may("reload_cmd", Holds::Text, "nginx -s reload", "how it takes them up"),
    may("test_cmd", Holds::Text, "nginx -t", "how they are tested first"),
];
const SWARM: &[Key] = &[
    must("app", Holds::Name(Named::App), "shop", "whose code runs"),
    must("config_name", Holds::Text, "prod", "its name is app-config_name-proc_name"),
    must("proc_name", Holds::Text, "web", "a line of the Procfile"),
    must("squad", Holds::Name(Named::Squad), "web", "where it runs"),
    must("version", Holds::Text, "main", "tag, branch, bookmark or revision"),
    usual("size", Holds::Text, "1", "how many procs"),
    may("pool", Holds::Name(Named::Pool), "shop", "the pool that its procs serve in; needs a balancer"),
    may("balancer", Holds::Name(Named::Balancer), "edge", "where that pool is"),
    may("probe", Holds::Keys(PROBE), "", "a request that must be answered through every balancer host"),
    may("config", Holds::Config, "greeting: hi", "its own config, over that of its ingredients"),
    may("env", Holds::Env, "LOG: info", "its own environment"),
    may("ingredients", Holds::Names(Named::Ingredient), "db", "shared config, later over earlier"),
    may("volumes", Holds::List, "[/var/data, /data]", "[directory of the host, mount point]"),
    usual("run_as", Holds::Text, "nobody", "the user that it runs as"),
    may("mem_limit", Holds::Text, "256M", "memory of each proc"),
    may("memsw_limit", Holds::Text, "512M", "memory and swap of each proc"),
    may("listens", Holds::Truth, "true", "whether its port must answer; true where it has a pool"),
    usual("settle", Holds::Text, "5s", "how long a proc must have run to count"),
    usual("uptest_timeout", Holds::Text, "60s", "for each uptest"),
    usual("drain_timeout", Holds::Text, "30s", "how long old nodes may finish what they have"),
    usual("stop_timeout", Holds::Text, "10s", "from TERM to KILL"),
    usual("soak", Holds::Text, "0s", "how long old procs stay warm after the new ones serve"),
    usual("no_uptests", Holds::Word(&["warn", "refuse"]), "warn", "when its app has none"),
    usual("absent", Holds::Word(&["abort", "quorum 3", "go-on"]), "abort", "what a dispatch does about hosts that do not answer"),
    usual("lost_after", Holds::Text, "30s", "how long a host may be silent before that rule is applied"),
    may("batch", Holds::Text, "2", "so many new procs at a time; all at once where it is absent"),
    may("canary", Holds::Text, "1", "so many new procs first"),
    usual("in_place", Holds::Truth, "false", "true: no room for old and new at once, so no exact undo"),
    usual("protect", Holds::Truth, "false", "true: whoever changes what runs of it types its name"),
];

/// The keys of a kind, in the order in which people write them.
pub fn keys(kind: Kind) -> &'static [Key] {
    match kind {
        Kind::Buildpack => BUILDPACK,
        Kind::App => APP,
        Kind::Ingredient => INGREDIENT,
        Kind::Squad => SQUAD,
        Kind::Balancer => BALANCER,
        Kind::Swarm => SWARM,
    }
}

/// What is at a path of keys inside an object of a kind; items of lists take a step each (`["hosts", "0", "port"]`).
/// None where there is no such key, or below something that has no keys of its own to know.
pub fn at(kind: Kind, path: &[&str]) -> Option<Holds> {
    let mut here = Holds::Keys(keys(kind));
    for part in path {
        here = match here {
            Holds::Keys(keys) => keys.iter().find(|key| key.name == *part)?.holds,
            Holds::Items(keys) => Holds::Keys(keys),
            Holds::Names(named) => Holds::Name(named),
            _ => return None,
        };
    }
    Some(here)
}

/// The text that a new object begins with: what it must have, and what it may have as comments. `only` gives the one object that
/// there is of what a key names, where there is one.
pub fn skeleton(kind: Kind, only: &dyn Fn(Named) -> Option<String>) -> String {
    let mut text = String::new();
    for key in keys(kind) {
        lines(&mut text, key, if key.required { "" } else { "# " }, "", only);
    }
    text
}

fn lines(text: &mut String, key: &Key, comment: &str, indent: &str, only: &dyn Fn(Named) -> Option<String>) {
    let value = match key.holds {
        Holds::Name(named) => only(named).unwrap_or_else(|| if key.required { String::new() } else { key.example.into() }),
        Holds::Text if key.required && key.name == "name" && indent.is_empty() => String::new(),
        Holds::Keys(_) | Holds::Items(_) | Holds::Names(_) | Holds::List | Holds::Config | Holds::Env => String::new(),
        _ => key.example.into(),
    };
    let head = format!("{comment}{indent}{}: {value}", key.name);
    text.push_str(&format!("{:<29} # {}\n", head.trim_end(), key.about));
    match key.holds {
        Holds::Keys(below) if key.required => {
            for inner in below {
                lines(text, inner, if inner.required { comment } else { "# " }, "  ", only);
            }
        }
        Holds::Keys(below) => {
            let first = below.iter().find(|inner| inner.required).or(below.first());
            first.iter().for_each(|inner| text.push_str(&format!("{comment}  {}: {}\n", inner.name, inner.example)));
        }
        Holds::Items(_) | Holds::Names(_) | Holds::List => text.push_str(&format!("{comment}  - {}\n", key.example)),
        Holds::Config | Holds::Env => text.push_str(&format!("{comment}  {}\n", key.example)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Item, parse_item, problems};
    use super::*;
    use crate::model::entity::{App, Balancer, Buildpack, HostKeys, Ingredient, Squad, Swarm};
    use crate::model::yaml_text;

    fn known_to_the_reader<T: serde::de::DeserializeOwned + std::fmt::Debug>() -> Vec<String> {
        let told = yaml_text::read::<T>("zzzzzzzzzzzzzzzzzz: 1\n").unwrap_err().fix;
        told.trim_start_matches("use one of: ").split(", ").filter(|key| *key != "id").map(String::from).collect()
    }
    fn same(keys: &[Key], mut read: Vec<String>) {
        let mut ours: Vec<String> = keys.iter().map(|key| key.name.to_string()).collect();
        ours.sort();
        read.sort();
        assert_eq!(ours, read);
    }

    #[test]
    fn the_keys_are_those_that_are_read() {
        same(BUILDPACK, known_to_the_reader::<Buildpack>());
        same(APP, known_to_the_reader::<App>());
        same(INGREDIENT, known_to_the_reader::<Ingredient>());
        same(SQUAD, known_to_the_reader::<Squad>());
        same(BALANCER, known_to_the_reader::<Balancer>());
        same(SWARM, known_to_the_reader::<Swarm>());
        same(HOST, known_to_the_reader::<HostKeys>());
        same(PROBE, known_to_the_reader::<crate::model::probe::Probe>());
        let defaults: Vec<&Key> = HOST.iter().filter(|key| !["name", "address"].contains(&key.name)).collect();
        assert_eq!(defaults.iter().map(|key| key.name).collect::<Vec<_>>(), DEFAULTS.iter().map(|key| key.name).collect::<Vec<_>>());
    }

    #[test]
    fn the_defaults_are_those_that_are_meant() {
        let least: Swarm = yaml_text::read("{app: a, config_name: c, proc_name: p, squad: s, version: v}").unwrap();
        let all: String =
            SWARM.iter().filter(|key| !key.default.is_empty()).map(|key| format!("{}: {}\n", key.name, key.default)).collect();
        let written: Swarm = yaml_text::read(&format!("app: a\nconfig_name: c\nproc_name: p\nsquad: s\nversion: v\n{all}")).unwrap();
        assert_eq!(least, written);
        let least: Ingredient = yaml_text::read("name: a").unwrap();
        assert_eq!(least, yaml_text::read("name: a\nmerge: shallow").unwrap());
    }

    #[test]
    fn a_new_text_lacks_nothing_but_its_names() {
        for kind in Kind::ALL {
            let text = skeleton(kind, &|_| Some("one".into()));
            // Every commented line can be taken into the text as it stands.
            let all: String = text.lines().map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or(line))).collect();
            let named = |text: &str| text.replace("name:        ", "name: some   ");
            let (least, all) = (named(&text), named(&all));
            assert_eq!(problems(kind, &least), [], "{least}");
            assert_eq!(problems(kind, &all), [], "{all}");
            assert!(text.lines().all(|line| line.chars().count() < 120), "{text}");
        }
        let text = skeleton(Kind::Swarm, &|_| None);
        assert!(text.starts_with("app:  ") && text.contains("\n# pool: shop "), "{text}");
        assert!(parse_item::<Swarm>(&text, "new").is_err());
        assert_eq!(
            parse_item::<Swarm>(&text.replace("app:", "app: a").replace("squad:", "squad: b"), "new").unwrap().body.name(),
            "a-prod-web@b"
        );
    }

    #[test]
    fn what_is_at_a_path_is_known() {
        assert_eq!(at(Kind::Swarm, &["app"]), Some(Holds::Name(Named::App)));
        assert_eq!(at(Kind::Swarm, &["ingredients", "0"]), Some(Holds::Name(Named::Ingredient)));
        assert_eq!(at(Kind::Squad, &["hosts", "3", "active"]), Some(Holds::Truth));
        assert_eq!(at(Kind::Squad, &["hosts", "3", "supervisor", "conf"]), Some(Holds::Text));
        assert_eq!(at(Kind::Swarm, &["config", "x"]), None);
        assert_eq!(at(Kind::Swarm, &["appp"]), None);
    }
}
