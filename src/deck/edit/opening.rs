//! What an editor needs to open, for every target.

use super::siblings::siblings;
use crate::deck::look::{EditDocument, EditTarget, UsedBy, env_mapping};
use crate::deck::{Catalog, Deck, Entry};
use crate::model::document::schema::{self, Holds, Named};
use crate::model::document::{Item, Kind};
use crate::model::entity::{Env, Ingredient, Mapping, Merge, Swarm};
use crate::model::release::Release;
use crate::model::{Fault, Result, name, yaml_text};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The keys of a swarm that its release holds, so that what runs can be compared.
const OF_A_RELEASE: [&str; 10] =
    ["app", "config_name", "proc_name", "version", "config", "env", "volumes", "run_as", "mem_limit", "memsw_limit"];

/// A layer below the text: its name, its mapping, whether it merges deep.
type Layer = (String, Mapping, bool);

impl Deck {
    /// What an editor needs to open.
    pub async fn edit_open(&self, target: EditTarget) -> Result<EditDocument> {
        let catalog = self.catalog().await?;
        match &target {
            EditTarget::SwarmConfig(id) | EditTarget::SwarmEnv(id) => {
                let entry = catalog.swarm(id)?;
                let mut document = self.document(&catalog, target.clone(), entry)?;
                let key = target.block().unwrap_or("config");
                (document.below, document.running) = self.around_swarm(&catalog, entry, Some(key)).await?;
                Ok(document)
            }
            EditTarget::IngredientConfig(id) | EditTarget::IngredientEnv(id) => {
                self.document(&catalog, target.clone(), catalog.ingredient(id)?)
            }
            EditTarget::Whole(kind, id) => self.whole(&catalog, *kind, id).await,
            EditTarget::Host(host) => self.host(&catalog, host).await,
            EditTarget::New(kind, from) => self.fresh(&catalog, *kind, from),
        }
    }

    async fn whole(&self, catalog: &Catalog, kind: Kind, id: &str) -> Result<EditDocument> {
        let target = |id: &str| EditTarget::Whole(kind, id.to_string());
        let find = || Fault::bad(format!("there is no {} '{id}'", kind.word())).next(format!("swarmdeck get {}", kind.section()));
        fn of<'a, T>(all: &'a [Entry<T>], id: &str) -> Option<&'a Entry<T>> {
            all.iter().find(|entry| entry.id == id).or_else(|| all.iter().find(|entry| entry.name == id))
        }
        match kind {
            Kind::Swarm => {
                let entry = catalog.swarm(id)?;
                let mut document = self.document(catalog, target(&entry.id), entry)?;
                (document.below, document.running) = self.around_swarm(catalog, entry, None).await?;
                document.compared = OF_A_RELEASE.to_vec();
                Ok(document)
            }
            Kind::Ingredient => {
                of(&catalog.ingredients, id).map(|entry| self.document(catalog, target(&entry.id), entry)).ok_or_else(find)?
            }
            Kind::App => of(&catalog.apps, id).map(|entry| self.document(catalog, target(&entry.id), entry)).ok_or_else(find)?,
            Kind::Squad => of(&catalog.squads, id).map(|entry| self.document(catalog, target(&entry.id), entry)).ok_or_else(find)?,
            Kind::Balancer => of(&catalog.balancers, id).map(|entry| self.document(catalog, target(&entry.id), entry)).ok_or_else(find)?,
            Kind::Buildpack => {
                of(&catalog.buildpacks, id).map(|entry| self.document(catalog, target(&entry.id), entry)).ok_or_else(find)?
            }
        }
    }

    /// The squad or balancer that a host is written in, with the cursor on it.
    async fn host(&self, catalog: &Catalog, host: &str) -> Result<EditDocument> {
        let squads = catalog.squads.iter().map(|entry| (Kind::Squad, &entry.id, &entry.text));
        let balancers = catalog.balancers.iter().map(|entry| (Kind::Balancer, &entry.id, &entry.text));
        for (kind, id, text) in squads.chain(balancers) {
            if let Some(at) = place_of(text, host) {
                let mut document = self.whole(catalog, kind, id).await?;
                document.at = at;
                return Ok(document);
            }
        }
        Err(Fault::bad(format!("host {host} is written in no squad or balancer")).next("swarmdeck get hosts"))
    }

    /// An object that is not there yet.
    fn fresh(&self, catalog: &Catalog, kind: Kind, from: &str) -> Result<EditDocument> {
        let known = known(catalog);
        let only = |named: Named| known.get(&named).filter(|names| names.len() == 1).and_then(|names| names.first().cloned());
        let (text, title, like) = if from.is_empty() {
            (schema::skeleton(kind, &only), format!("new {}", kind.word()), None)
        } else {
            let name = if kind == Kind::Swarm { catalog.swarm(from)?.name.clone() } else { from.to_string() };
            let found = catalog.head(kind, Some(from), &name);
            let (id, name, _, text) = found.ok_or_else(|| Fault::bad(format!("there is no {} '{from}'", kind.word())))?;
            let like = catalog.swarms.iter().find(|entry| entry.id == id).map(|entry| entry.body.clone());
            (text.to_string(), format!("new {}, like {name}", kind.word()), like)
        };
        let target = EditTarget::New(kind, from.to_string());
        Ok(EditDocument {
            title,
            at: first_to_fill(&text, kind, !from.is_empty()),
            below: defaults(kind).into_iter().collect(),
            siblings: siblings(catalog, &target, like.as_ref()),
            known,
            text,
            ..self.empty(target)
        })
    }

    fn empty(&self, target: EditTarget) -> EditDocument {
        EditDocument { secrets: self.secrets().clone(), ..EditDocument::bare(target) }
    }

    /// What is the same for every object that is there.
    fn document<T: Item>(&self, catalog: &Catalog, target: EditTarget, entry: &Entry<T>) -> Result<EditDocument> {
        let kind = T::KIND;
        let title = title(kind, &entry.name);
        let (title, text) = match target.block() {
            Some(key) => {
                let called = if kind == Kind::Swarm { entry.name.split('@').next().unwrap_or_default() } else { &title };
                (format!("{called} {key}"), yaml_text::block(&entry.text, key).unwrap_or_default())
            }
            None => (title, entry.text.clone()),
        };
        let like = catalog.swarms.iter().find(|swarm| swarm.id == entry.id).map(|swarm| &swarm.body);
        let users = if kind == Kind::Ingredient { users(catalog, &entry.name) } else { Vec::new() };
        let used_by = catalog.users_of(kind, &entry.name).iter().map(|user| short(user)).collect();
        Ok(EditDocument {
            title,
            text,
            rev: entry.rev,
            below: if target.block().is_some() { Vec::new() } else { defaults(kind).into_iter().collect() },
            siblings: siblings(catalog, &target, like),
            known: known(catalog),
            used_by,
            users,
            saved_by: entry.changed_by.clone(),
            saved_ms: entry.changed_ms,
            ..self.empty(target)
        })
    }

    /// The layers below a swarm, and what runs of it: of its config or env, or (no key) of the whole.
    async fn around_swarm(&self, catalog: &Catalog, entry: &Entry<Swarm>, key: Option<&str>) -> Result<(Vec<Layer>, Mapping)> {
        let run = self.store.current_run(&entry.id).await?;
        let release = match run {
            Some(run) => self.store.release(&run.release_id).await?,
            None => None,
        };
        let build = match &release {
            Some(release) => self.store.build(&release.build).await?,
            None => None,
        };
        let layer = |config: &Mapping, env: &Env| -> Mapping {
            match key {
                Some("env") => env_mapping(env),
                Some(_) => config.clone(),
                None => [("config", Value::Object(config.clone())), ("env", Value::Object(env_mapping(env)))]
                    .into_iter()
                    .filter(|(_, value)| value.as_object().is_some_and(|mapping| !mapping.is_empty()))
                    .map(|(key, value)| (key.to_string(), value))
                    .collect(),
            }
        };
        let mut below: Vec<Layer> = if key.is_none() { defaults(Kind::Swarm).into_iter().collect() } else { Vec::new() };
        if let Some(build) = build.filter(|build| key != Some("config") && !build.env.is_empty()) {
            below.push(("build".to_string(), layer(&Mapping::new(), &build.env), false));
        }
        for ingredient in catalog.ingredients_of(&entry.body)? {
            let mapping = layer(&ingredient.body.config, &ingredient.body.env);
            below.push((format!("ingredient {}", ingredient.name), mapping, ingredient.body.merge == Merge::Deep));
        }
        let running = match (&release, key) {
            (Some(release), Some("env")) => env_mapping(&release.env),
            (Some(release), Some(_)) => release.config.clone(),
            (Some(release), None) => of_release(release),
            (None, _) => Mapping::new(),
        };
        Ok((below, running))
    }
}

/// What a whole object is called: `swarm shop-prod-web`, `app shop`.
pub fn title(kind: Kind, name: &str) -> String {
    let short = if kind == Kind::Swarm { name.split('@').next().unwrap_or(name) } else { name };
    format!("{} {short}", kind.word())
}

/// A release as the text of a swarm would say it.
fn of_release(release: &Release) -> Mapping {
    let mut all = Mapping::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() && value != json!([]) && value != json!({}) {
            all.insert(key.to_string(), value);
        }
    };
    put("app", json!(release.app));
    put("config_name", json!(release.config_name));
    put("proc_name", json!(release.proc_name));
    put("version", json!(release.version));
    put("config", Value::Object(release.config.clone()));
    put("env", Value::Object(env_mapping(&release.env)));
    put("volumes", json!(release.volumes));
    put("run_as", json!(release.run_as));
    put("mem_limit", json!(release.mem_limit));
    put("memsw_limit", json!(release.memsw_limit));
    all
}

/// What the keys of a kind are when nobody writes them, as the lowest layer.
fn defaults(kind: Kind) -> Option<Layer> {
    let usual = schema::keys(kind).iter().filter(|key| !key.default.is_empty());
    let all: String = usual.map(|key| format!("{}: {}\n", key.name, key.default)).collect();
    let mapping = yaml_text::parse_mapping(&all).unwrap_or_default();
    (!mapping.is_empty()).then(|| ("default".to_string(), mapping, false))
}

/// Names of everything that a text may name.
fn known(catalog: &Catalog) -> BTreeMap<Named, Vec<String>> {
    fn names<T>(all: &[Entry<T>]) -> Vec<String> {
        all.iter().map(|entry| entry.name.clone()).collect()
    }
    let mut pools: Vec<String> = catalog.swarms.iter().filter_map(|entry| entry.body.pool.clone()).collect();
    pools.sort();
    pools.dedup();
    BTreeMap::from([
        (Named::App, names(&catalog.apps)),
        (Named::Buildpack, names(&catalog.buildpacks)),
        (Named::Ingredient, names(&catalog.ingredients)),
        (Named::Squad, names(&catalog.squads)),
        (Named::Balancer, names(&catalog.balancers)),
        (Named::Swarm, names(&catalog.swarms)),
        (Named::Pool, pools),
        (Named::Host, catalog.hosts().unwrap_or_default().into_iter().map(|host| host.name).collect()),
    ])
}

fn users(catalog: &Catalog, ingredient: &str) -> Vec<UsedBy> {
    let uses = catalog.swarms.iter().filter(|swarm| swarm.body.ingredients.iter().any(|name| name == ingredient));
    uses.map(|swarm| {
        let ingredients: Vec<Ingredient> =
            catalog.ingredients_of(&swarm.body).unwrap_or_default().into_iter().map(|entry| entry.body.clone()).collect();
        UsedBy { swarm: swarm.body.clone(), ingredients }
    })
    .collect()
}

/// `swarm shop-prod-web@web` → `shop-prod-web@web`.
fn short(user: &str) -> String {
    user.strip_prefix("swarm ").unwrap_or(user).to_string()
}

/// Where a host is written in a squad's or balancer's text: row and column of its name, from 0.
fn place_of(text: &str, host: &str) -> Option<(usize, usize)> {
    let root = yaml_text::tree(text).ok()??;
    let (_, hosts) = root.entry("hosts")?;
    hosts.items().iter().find_map(|item| {
        let node = item.entry("name").map_or(item, |(_, name)| name);
        let named = name::expand_hosts(node.scalar()?).ok()?;
        named.iter().any(|name| name == host).then_some((node.line.saturating_sub(1), node.column.saturating_sub(1)))
    })
}

/// Where to begin to write: the first key that must have a value and has none; in a copy, what names it.
fn first_to_fill(text: &str, kind: Kind, copy: bool) -> (usize, usize) {
    let named = if kind == Kind::Swarm { "config_name" } else { "name" };
    let fills = |line: &str| -> Option<usize> {
        let (key, rest) = line.split_once(':')?;
        let required = schema::keys(kind).iter().any(|known| known.name == key && known.required && !matches!(known.holds, Holds::Keys(_)));
        let empty = rest.trim_start().is_empty() || rest.trim_start().starts_with('#');
        let column = key.chars().count() + 2;
        match copy {
            true => (key == named).then_some(column),
            false => (required && empty).then_some(column),
        }
    };
    text.lines().enumerate().find_map(|(row, line)| Some((row, fills(line)?))).unwrap_or((0, 0))
}
