//! Everything that operators wrote down, typed, with the rules that cross objects: references, uniqueness, who uses what.

use crate::model::document::{self, Kind};
use crate::model::entity::{App, Balancer, Buildpack, Host, Ingredient, Squad, Swarm};
use crate::model::{Fault, Result};
use std::collections::{BTreeMap, BTreeSet};

/// One object: its value, the operator's text, and its history's head.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry<T> {
    pub id: String,
    pub name: String,
    pub rev: i64,
    pub text: String,
    pub body: T,
    pub changed_ms: i64,
    pub changed_by: String,
}

/// All objects, each kind in name order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalog {
    pub buildpacks: Vec<Entry<Buildpack>>,
    pub apps: Vec<Entry<App>>,
    pub ingredients: Vec<Entry<Ingredient>>,
    pub squads: Vec<Entry<Squad>>,
    pub balancers: Vec<Entry<Balancer>>,
    pub swarms: Vec<Entry<Swarm>>,
}

impl Catalog {
    /// Whether nobody wrote anything yet.
    pub fn is_empty(&self) -> bool {
        self.apps.is_empty() && self.squads.is_empty() && self.swarms.is_empty() && self.buildpacks.is_empty()
    }

    /// Every squad's hosts, resolved.
    pub fn hosts(&self) -> Result<Vec<Host>> {
        let mut all = Vec::new();
        for squad in &self.squads {
            let body = Squad { id: Some(squad.id.clone()), ..squad.body.clone() };
            all.extend(document::resolve_hosts(&body, &BTreeMap::new())?);
        }
        Ok(all)
    }

    /// The hosts of a squad by its name.
    pub fn squad_hosts(&self, squad: &str) -> Result<Vec<Host>> {
        Ok(self.hosts()?.into_iter().filter(|host| host.squad == squad).collect())
    }

    /// A host of a squad by its name.
    pub fn host(&self, name: &str) -> Result<Host> {
        let all = self.hosts()?;
        all.iter().find(|host| host.name == name).cloned().ok_or_else(|| {
            Fault::bad(format!("there is no host '{name}' in any squad"))
                .next(format!("one of: {}", list(all.iter().map(|host| host.name.as_str()))))
        })
    }

    /// A balancer by its name.
    pub fn balancer(&self, name: &str) -> Result<&Entry<Balancer>> {
        find("balancer", &self.balancers, name)
    }
    pub fn app(&self, name: &str) -> Result<&Entry<App>> {
        find("app", &self.apps, name)
    }
    pub fn ingredient(&self, name: &str) -> Result<&Entry<Ingredient>> {
        find("ingredient", &self.ingredients, name)
    }

    /// A swarm by id, `app-config-proc@squad`, or `app-config-proc` where that is one; the error lists the candidates.
    pub fn swarm(&self, name: &str) -> Result<&Entry<Swarm>> {
        if let Some(entry) = self.swarms.iter().find(|entry| entry.id == name || entry.body.full_name() == name) {
            return Ok(entry);
        }
        let matching: Vec<&Entry<Swarm>> = self.swarms.iter().filter(|entry| entry.body.short_name() == name).collect();
        match matching.as_slice() {
            [one] => Ok(one),
            [] => Err(Fault::bad(format!("there is no swarm '{name}'"))
                .next(format!("one of: {}", list(self.swarms.iter().map(|entry| entry.name.as_str()))))),
            several => Err(Fault::bad(format!("'{name}' is more than one swarm"))
                .next(format!("say which: {}", list(several.iter().map(|entry| entry.name.as_str()))))),
        }
    }

    /// A swarm's ingredients, in its order.
    pub fn ingredients_of(&self, swarm: &Swarm) -> Result<Vec<&Entry<Ingredient>>> {
        swarm.ingredients.iter().map(|name| self.ingredient(name)).collect()
    }

    /// What refers to an object, by full name; empty when nothing does.
    pub fn users_of(&self, kind: Kind, name: &str) -> Vec<String> {
        let swarms = |uses: &dyn Fn(&Swarm) -> bool| -> Vec<String> {
            self.swarms.iter().filter(|entry| uses(&entry.body)).map(|entry| format!("swarm {}", entry.name)).collect()
        };
        match kind {
            Kind::Buildpack => {
                let uses = |app: &&Entry<App>| app.body.buildpack.as_deref() == Some(name);
                self.apps.iter().filter(uses).map(|entry| format!("app {}", entry.name)).collect()
            }
            Kind::App => swarms(&|swarm| swarm.app == name),
            Kind::Ingredient => swarms(&|swarm| swarm.ingredients.iter().any(|used| used == name)),
            Kind::Squad => swarms(&|swarm| swarm.squad == name),
            Kind::Balancer => swarms(&|swarm| swarm.balancer.as_deref() == Some(name)),
            Kind::Swarm => Vec::new(),
        }
    }

    /// The rules that cross objects; the first that is broken, naming the object.
    pub fn check(&self) -> Result<()> {
        for app in &self.apps {
            if let Some(pack) = &app.body.buildpack {
                find("buildpack", &self.buildpacks, pack).map_err(|fault| refers("app", &app.name, fault))?;
            }
        }
        let mut hosts: BTreeMap<String, String> = BTreeMap::new();
        for host in self.hosts()? {
            if let Some(other) = hosts.insert(host.name.clone(), host.squad.clone()) {
                return Err(Fault::bad(format!("host {} is in squads {other} and {}; a host is in at most one", host.name, host.squad))
                    .next("take it out of one of them"));
            }
        }
        let all = self.hosts()?;
        for balancer in &self.balancers {
            document::balancer_hosts(&balancer.body, &all).map_err(|fault| refers("balancer", &balancer.name, fault))?;
        }
        let mut names = BTreeSet::new();
        let mut pools: BTreeMap<(String, String), String> = BTreeMap::new();
        for entry in &self.swarms {
            let swarm = &entry.body;
            let of = |fault| refers("swarm", &entry.name, fault);
            self.app(&swarm.app).map_err(of)?;
            find("squad", &self.squads, &swarm.squad).map_err(of)?;
            self.ingredients_of(swarm).map_err(of)?;
            if let Some(balancer) = &swarm.balancer {
                self.balancer(balancer).map_err(of)?;
            }
            if !names.insert(swarm.full_name()) {
                return Err(Fault::bad(format!("swarm {} is there twice", swarm.full_name()))
                    .next("app, config_name, proc_name and squad together must be unique"));
            }
            if let (Some(pool), Some(balancer)) = (&swarm.pool, &swarm.balancer)
                && let Some(other) = pools.insert((balancer.clone(), pool.clone()), entry.name.clone())
            {
                return Err(Fault::bad(format!(
                    "pool {pool}@{balancer} would belong to {other} and to {}; a pool belongs to one swarm",
                    entry.name
                ))
                .next("give one of them another pool"));
            }
        }
        Ok(())
    }
}

fn find<'a, T>(kind: &str, all: &'a [Entry<T>], name: &str) -> Result<&'a Entry<T>> {
    all.iter().find(|entry| entry.name == name || entry.id == name).ok_or_else(|| {
        Fault::bad(format!("there is no {kind} '{name}'")).next(format!("one of: {}", list(all.iter().map(|entry| entry.name.as_str()))))
    })
}

fn refers(kind: &str, name: &str, fault: Fault) -> Fault {
    Fault { what: format!("{kind} {name}: {}", fault.what), ..fault }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = names.collect();
    if all.is_empty() { "(none yet; swarmdeck apply -f FILE)".into() } else { all.join(", ") }
}

macro_rules! sections {
    ($($kind:ident $section:ident $name:expr),* $(,)?) => {
        impl Catalog {
            /// Everything in a store.
            pub async fn load(store: &crate::store::Store) -> Result<Catalog> {
                let mut catalog = Catalog::default();
                $(for object in store.list(Kind::$kind).await? {
                    let item = object.item::<$kind>()?;
                    catalog.$section.push(Entry {
                        id: object.id, name: object.name, rev: object.rev, text: object.text,
                        body: item.body, changed_ms: object.changed_ms, changed_by: object.changed_by,
                    });
                })*
                Ok(catalog)
            }

            /// (id, name, revision, text) of an object by its id or name.
            pub fn head(&self, kind: Kind, id: Option<&str>, name: &str) -> Option<(&str, &str, i64, &str)> {
                match kind {
                    $(Kind::$kind => {
                        let found = self.$section.iter().find(|entry| Some(entry.id.as_str()) == id)
                            .or_else(|| self.$section.iter().find(|entry| entry.name == name));
                        found.map(|entry| (entry.id.as_str(), entry.name.as_str(), entry.rev, entry.text.as_str()))
                    })*
                }
            }

            /// The document of everything, or of one kind or object.
            pub fn document(&self, kind: Option<Kind>, name: Option<&str>) -> document::Document {
                let wanted = |of: Kind, entry: &str| kind.is_none_or(|kind| kind == of) && name.is_none_or(|name| name == entry);
                document::Document {
                    $($section: self.$section.iter().filter(|entry| wanted(Kind::$kind, &entry.name)).map(|entry| document::Written {
                        body: entry.body.clone(), text: entry.text.clone(), line: 1,
                    }).collect(),)*
                }
            }

            /// The catalog as it would be with these items in it.
            #[must_use]
            pub fn with(&self, document: &document::Document) -> Catalog {
                let mut after = self.clone();
                $(for item in &document.$section {
                    let name: fn(&$kind) -> String = $name;
                    let name = name(&item.body);
                    let id = item.body.id.clone();
                    let there = after.$section.iter_mut().find(|entry| id.as_ref().map_or(entry.name == name, |id| &entry.id == id));
                    match there {
                        Some(entry) => {
                            let mut body = item.body.clone();
                            body.id = Some(entry.id.clone());
                            (entry.name, entry.text, entry.body) = (name, item.text.clone(), body);
                        }
                        None => after.$section.push(Entry {
                            id: id.unwrap_or_else(|| format!("new {name}")), name, rev: 0, text: item.text.clone(), body: item.body.clone(),
                            changed_ms: 0, changed_by: String::new(),
                        }),
                    }
                })*
                after
            }
        }
    };
}
sections!(
    Buildpack buildpacks |it| it.name.clone(),
    App apps |it| it.name.clone(),
    Ingredient ingredients |it| it.name.clone(),
    Squad squads |it| it.name.clone(),
    Balancer balancers |it| it.name.clone(),
    Swarm swarms |it| it.full_name(),
);
