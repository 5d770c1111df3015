//! A whole object against its kind: keys that there are not, names of objects that there are not, and what its types refuse.

use super::near::nearest;
use super::{Fix, Problem, Severity, instead, problem};
use crate::deck::look::{EditDocument, EditTarget};
use crate::model::document::schema::{Holds, Named, keys};
use crate::model::document::{self, Kind as Object};
use crate::model::yaml_text::{Kind, Node};

/// What is wrong with a text of this kind.
pub fn typed(text: &str, root: Option<&Node>, kind: Object, document: &EditDocument, found: &mut Vec<Problem>) {
    let before = found.len();
    if let Some(root) = root {
        if let Some((id, _)) = root.entry("id") {
            found.push(problem(id.line, id.column, Severity::Warning, "an id is no part of the text; it goes when this is saved", None));
        }
        walk(text, root, Holds::Keys(keys(kind)), true, document, found);
        name_is_free(text, root, kind, document, found);
    }
    let told = found.len() > before && found.iter().skip(before).any(|p| p.severity == Severity::Error);
    for wrong in document::problems(kind, text) {
        // The reader stops at the first thing that it does not know: that was said already, with its fix.
        if (told && wrong.what.starts_with("unknown key")) || found.iter().any(|p| p.line == wrong.line && p.severity == Severity::Error) {
            continue;
        }
        let says = if wrong.fix.is_empty() { wrong.what.clone() } else { format!("{}; {}", wrong.what, wrong.fix) };
        let fix = wrong.fix.strip_prefix("did you mean '").and_then(|rest| rest.strip_suffix("'?")).and_then(|with| {
            let node = at(root?, wrong.line, wrong.column)?;
            instead(text, node, with)
        });
        found.push(problem(wrong.line, wrong.column, Severity::Error, &says, fix));
    }
}

fn walk(text: &str, node: &Node, holds: Holds, top: bool, document: &EditDocument, found: &mut Vec<Problem>) {
    match holds {
        Holds::Keys(keys) => {
            for (key, value) in node.entries() {
                let Some(name) = key.scalar() else { continue };
                match keys.iter().find(|known| known.name == name) {
                    Some(known) => walk(text, value, known.holds, false, document, found),
                    // Hosts may have one too.
                    None if name == "id" => {}
                    None => {
                        let free = keys.iter().map(|known| known.name).filter(|known| node.entry(known).is_none());
                        let near = nearest(name, free);
                        let says = match near {
                            Some(near) => format!("there is no key '{name}' here; {near} is one"),
                            None if top => format!("there is no key '{name}' here; Tab on an empty line lists those that there are"),
                            None => format!("there is no key '{name}' here"),
                        };
                        let fix = near.and_then(|near| instead(text, key, near));
                        found.push(problem(key.line, key.column, Severity::Error, &says, fix));
                    }
                }
            }
        }
        Holds::Items(keys) => {
            node.items()
                .iter()
                .filter(|item| !item.entries().is_empty())
                .for_each(|item| walk(text, item, Holds::Keys(keys), false, document, found));
        }
        Holds::Names(named) => node.items().iter().for_each(|item| walk(text, item, Holds::Name(named), false, document, found)),
        Holds::Name(named) => {
            // A pool is there as soon as a swarm names it.
            if named == Named::Pool {
                return;
            }
            let Some(name) = node.scalar().filter(|name| !name.is_empty() && !matches!(node.kind, Kind::Scalar { block: true, .. })) else {
                return;
            };
            let known = document.known.get(&named).map(Vec::as_slice).unwrap_or_default();
            if known.iter().any(|known| known == name) || matches!(name, "null" | "~") {
                return;
            }
            let near = nearest(name, known.iter().map(String::as_str));
            let what = word(named);
            let says = match near {
                Some(near) => format!("there is no {what} '{name}'; {near} is one"),
                None if known.is_empty() => format!("there is no {what} '{name}', and no other yet"),
                None => format!("there is no {what} '{name}'"),
            };
            let fix: Option<Fix> = near.and_then(|near| instead(text, node, near));
            found.push(problem(node.line, node.column, Severity::Error, &says, fix));
        }
        _ => {}
    }
}

/// Another object has the name already.
fn name_is_free(text: &str, root: &Node, kind: Object, document: &EditDocument, found: &mut Vec<Problem>) {
    let value = |key: &str| root.entry(key).and_then(|(_, value)| value.scalar()).unwrap_or_default();
    let (name, key) = match kind {
        Object::Swarm => (format!("{}-{}-{}@{}", value("app"), value("config_name"), value("proc_name"), value("squad")), "config_name"),
        _ => (value("name").to_string(), "name"),
    };
    let own = match &document.target {
        EditTarget::New(..) => String::new(),
        _ => {
            let saved = crate::model::yaml_text::parse_mapping(&document.text).unwrap_or_default();
            let was = |key: &str| saved.get(key).map(crate::deck::as_text).unwrap_or_default();
            match kind {
                Object::Swarm => format!("{}-{}-{}@{}", was("app"), was("config_name"), was("proc_name"), was("squad")),
                _ => was("name"),
            }
        }
    };
    let taken = document.known.get(&Named::of(kind)).is_some_and(|names| names.contains(&name));
    if taken
        && name != own
        && let Some((_, node)) = root.entry(key)
    {
        let says = match kind {
            Object::Swarm => format!("there is a swarm {name} already; change app, config_name, proc_name or squad"),
            _ => format!("there is a {} {name} already; choose another name", kind.word()),
        };
        let fix = instead(text, node, &format!("{}_2", node.scalar().unwrap_or_default()));
        found.push(problem(node.line, node.column, Severity::Error, &says, fix));
    }
}

/// The scalar at a place.
fn at(root: &Node, line: usize, column: usize) -> Option<&Node> {
    let mut here = None;
    root.walk(false, &mut |node, _| {
        if (node.line, node.column) == (line, column) {
            here = Some(node);
        }
    });
    here
}

fn word(named: Named) -> &'static str {
    match named {
        Named::App => "app",
        Named::Buildpack => "buildpack",
        Named::Ingredient => "ingredient",
        Named::Squad => "squad",
        Named::Balancer => "balancer",
        Named::Pool => "pool",
        Named::Host => "host",
        Named::Swarm => "swarm",
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::whole;
    use super::super::check;
    use crate::model::document::Kind;
    use crate::model::secret::Secrets;

    fn told(kind: Kind, text: &str) -> Vec<String> {
        let found = check(text, &whole(kind), &[], &Secrets::default());
        found
            .iter()
            .map(|p| format!("{}:{} {}{}", p.line, p.column, p.text, p.fix.as_ref().map_or(String::new(), |f| format!(" [{}]", f.with))))
            .collect()
    }

    #[test]
    fn a_whole_swarm_is_checked_as_it_will_be_read() {
        let text = "app: shpo\nconfig_name: prod\nproc_name: web\nsquad: web\nversoin: v1\nsize: two\nlistens: yes\ningredients: [db, wbe]\nconfig:\n  grteing: hi\n  cache_ttl: 12:30\nenv:\n  A: [x]\n";
        assert_eq!(
            told(Kind::Swarm, text),
            [
                "1:6 there is no app 'shpo'; shop is one [shop]",
                "5:1 there is no key 'versoin' here; version is one [version]",
                "8:19 there is no ingredient 'wbe'; web is one [web]",
                "10:3 grteing is new to all 12 siblings; 11 of them set greeting [greeting]",
                "11:14 12:30 is the number 750 to a YAML 1.1 reader; write \"12:30\" [\"12:30\"]",
                "13:6 A is a list; the environment holds text only: write it in quotes ['[x]']",
            ]
        );
        let text = "app: shop\nconfig_name: prod\nproc_name: web\nsquad: web\nversion: v1\nsize: two\n";
        let found = told(Kind::Swarm, text);
        assert!(found.len() == 1 && found[0].starts_with("6:7 "), "{found:?}");
        let found = told(Kind::Swarm, "app: shop\nconfig_name: stage\nproc_name: web\nsquad: web\nversion: v1\nno_uptests: wran\n");
        assert_eq!(
            found,
            [
                "2:14 there is a swarm shop-stage-web@web already; change app, config_name, proc_name or squad [stage_2]",
                "6:13 'wran' is not known here; did you mean 'warn'? [warn]",
            ]
        );
        assert_eq!(told(Kind::App, "# nothing yet\n").len(), 1);
        assert_eq!(told(Kind::App, "name: shop\n"), ["1:1 the key 'repo' is missing; add `repo:`"]);
        assert_eq!(
            told(Kind::Squad, "name: web\nhosts:\n  - name: web01\n    prot: 22\n"),
            ["4:5 there is no key 'prot' here; port is one [port]"]
        );
        assert_eq!(told(Kind::Balancer, "name: edge\nbackend: nginx\nhosts: [lb01, {name: lb02, port: 22}]\n"), [] as [&str; 0]);
    }
}
