//! The one document form: read with places, checked, written back with ids; each item keeps its operator's own text.

mod check;
mod host_text;
mod hosts;
pub mod schema;
mod text;

pub use host_text::{with_active, with_host};
pub use hosts::{balancer_hosts, resolve_hosts};

use super::Result;
use super::entity::{App, Balancer, Buildpack, Ingredient, Squad, Swarm};
use super::yaml_text::{self, Node, tree};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The kinds of objects that a document holds, in the order in which they refer to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Buildpack,
    App,
    Ingredient,
    Squad,
    Balancer,
    Swarm,
}

impl Kind {
    pub const ALL: [Kind; 6] = [Kind::Buildpack, Kind::App, Kind::Ingredient, Kind::Squad, Kind::Balancer, Kind::Swarm];
    /// `swarm`: the word for one.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Buildpack => "buildpack",
            Kind::App => "app",
            Kind::Ingredient => "ingredient",
            Kind::Squad => "squad",
            Kind::Balancer => "balancer",
            Kind::Swarm => "swarm",
        }
    }
    /// `swarms`: the document's key.
    pub fn section(self) -> &'static str {
        match self {
            Kind::Buildpack => "buildpacks",
            Kind::App => "apps",
            Kind::Ingredient => "ingredients",
            Kind::Squad => "squads",
            Kind::Balancer => "balancers",
            Kind::Swarm => "swarms",
        }
    }
    /// From either word.
    pub fn from_word(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.word() == word || kind.section() == word)
    }
}

/// What one section of a document holds.
pub trait Item: Serialize + DeserializeOwned + Clone + PartialEq + std::fmt::Debug {
    const KIND: Kind;
    /// The name that is unique among its kind; a swarm's is `app-config-proc@squad`.
    fn name(&self) -> String;
    fn id(&self) -> Option<&str>;
    fn set_id(&mut self, id: Option<String>);
    /// What the types do not say: names, paths, units; the path leads to the value that is wrong.
    fn check(&self) -> Vec<Wrong>;
}

/// A value that breaks a rule, and the path to it inside its item.
#[derive(Debug, Clone, PartialEq)]
pub struct Wrong {
    pub path: Vec<String>,
    pub fault: super::Fault,
}

macro_rules! items {
    ($($kind:ident $name:expr),* $(,)?) => {$(
        impl Item for $kind {
            const KIND: Kind = Kind::$kind;
            fn name(&self) -> String {
                let name: fn(&$kind) -> String = $name;
                name(self)
            }
            fn id(&self) -> Option<&str> {
                self.id.as_deref()
            }
            fn set_id(&mut self, id: Option<String>) {
                self.id = id;
            }
            fn check(&self) -> Vec<Wrong> {
                check::Check::wrong(self)
            }
        }
    )*};
}
items!(
    Buildpack | it | it.name.clone(),
    App | it | it.name.clone(),
    Ingredient | it | it.name.clone(),
    Squad | it | it.name.clone(),
    Balancer | it | it.name.clone(),
    Swarm | it | it.full_name(),
);

/// One item: its value, and its operator's own text of it as a block mapping (comments kept).
#[derive(Debug, Clone, PartialEq)]
pub struct Written<T> {
    pub body: T,
    pub text: String,
    /// Where it stood in the document, from 1.
    pub line: usize,
}

impl<T: Item> Written<T> {
    /// An item that nobody wrote yet: its text comes from its value.
    pub fn new(body: T) -> Result<Written<T>> {
        Ok(Written { text: yaml_text::emit(&body)?, body, line: 1 })
    }
}

/// Everything that one text holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    pub buildpacks: Vec<Written<Buildpack>>,
    pub apps: Vec<Written<App>>,
    pub ingredients: Vec<Written<Ingredient>>,
    pub squads: Vec<Written<Squad>>,
    pub balancers: Vec<Written<Balancer>>,
    pub swarms: Vec<Written<Swarm>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Sections {
    buildpacks: Vec<Buildpack>,
    apps: Vec<App>,
    ingredients: Vec<Ingredient>,
    squads: Vec<Squad>,
    balancers: Vec<Balancer>,
    swarms: Vec<Swarm>,
}

/// Reads and checks a document. Every error says `SOURCE:LINE:COLUMN`.
pub fn parse(text: &str, source: &str) -> Result<Document> {
    let Some(root) = tree(text).map_err(|problem| problem.fault(source))? else { return Ok(Document::default()) };
    let sections: Sections = yaml_text::read(text).map_err(|problem| problem.fault(source))?;
    let place = Place { text, source, root: &root };
    let document = Document {
        buildpacks: place.items(sections.buildpacks)?,
        apps: place.items(sections.apps)?,
        ingredients: place.items(sections.ingredients)?,
        squads: place.items(sections.squads)?,
        balancers: place.items(sections.balancers)?,
        swarms: place.items(sections.swarms)?,
    };
    check::host_names(&document.squads, &place)?;
    Ok(document)
}

/// Reads and checks one item by itself: what the editor saves.
pub fn parse_item<T: Item>(text: &str, source: &str) -> Result<Written<T>> {
    let body: T = yaml_text::read(text).map_err(|problem| problem.fault(source))?;
    if let (Some(root), Some(wrong)) = (tree(text).ok().flatten(), body.check().into_iter().next()) {
        return Err(wrong.at(&root, source));
    }
    let dedented = yaml_text::dedent(text);
    let block = tree(&dedented).ok().flatten().is_some_and(|root| root.is_block_mapping() && root.column == 1);
    let kept = block && yaml_text::read::<T>(&dedented).is_ok_and(|read| read == body);
    Ok(Written { text: if kept { dedented } else { yaml_text::emit(&body)? }, body, line: 1 })
}

/// What is wrong with the text of one item, by its types and its kind's rules, each at its place.
pub fn problems(kind: Kind, text: &str) -> Vec<yaml_text::Problem> {
    fn of<T: Item>(text: &str) -> Vec<yaml_text::Problem> {
        let body: T = match yaml_text::read(text) {
            Ok(body) => body,
            Err(problem) => return vec![problem],
        };
        let Some(root) = tree(text).ok().flatten() else { return Vec::new() };
        let wrong = body.check();
        wrong.iter().map(|wrong| wrong.problem(&root)).collect()
    }
    match kind {
        Kind::Buildpack => of::<Buildpack>(text),
        Kind::App => of::<App>(text),
        Kind::Ingredient => of::<Ingredient>(text),
        Kind::Squad => of::<Squad>(text),
        Kind::Balancer => of::<Balancer>(text),
        Kind::Swarm => of::<Swarm>(text),
    }
}

/// A document of the one item that a text is, with its id where it has one already. An id in the text is no part of it and goes.
pub fn single(kind: Kind, text: &str, source: &str, id: Option<&str>) -> Result<Document> {
    fn of<T: Item>(text: &str, source: &str, id: Option<&str>) -> Result<Vec<Written<T>>> {
        let mut item = parse_item::<T>(text, source)?;
        if item.body.id().is_some() {
            item.text = yaml_text::remove(&item.text, "id")?;
        }
        item.body.set_id(id.map(str::to_string));
        Ok(vec![item])
    }
    let mut document = Document::default();
    match kind {
        Kind::Buildpack => document.buildpacks = of(text, source, id)?,
        Kind::App => document.apps = of(text, source, id)?,
        Kind::Ingredient => document.ingredients = of(text, source, id)?,
        Kind::Squad => document.squads = of(text, source, id)?,
        Kind::Balancer => document.balancers = of(text, source, id)?,
        Kind::Swarm => document.swarms = of(text, source, id)?,
    }
    Ok(document)
}

/// The document of these items, each in its operator's own words, with its id.
pub fn export(document: &Document) -> Result<String> {
    let mut out = String::new();
    text::section(&mut out, &document.buildpacks)?;
    text::section(&mut out, &document.apps)?;
    text::section(&mut out, &document.ingredients)?;
    text::section(&mut out, &document.squads)?;
    text::section(&mut out, &document.balancers)?;
    text::section(&mut out, &document.swarms)?;
    Ok(out)
}

/// A document's text with its tree, to say where in it something stands.
struct Place<'t> {
    text: &'t str,
    source: &'t str,
    root: &'t Node,
}

impl Place<'_> {
    fn section(&self, kind: Kind) -> Option<&(Node, Node)> {
        self.root.entry(kind.section())
    }
    fn item(&self, kind: Kind, number: usize) -> &Node {
        self.section(kind).and_then(|(_, section)| section.items().get(number)).unwrap_or(self.root)
    }

    fn items<T: Item>(&self, bodies: Vec<T>) -> Result<Vec<Written<T>>> {
        let mut items: Vec<Written<T>> = Vec::with_capacity(bodies.len());
        for (number, body) in bodies.into_iter().enumerate() {
            let node = self.item(T::KIND, number);
            if let Some(wrong) = body.check().into_iter().next() {
                return Err(wrong.at(node, self.source));
            }
            let same = |other: &&Written<T>| other.body.name() == body.name() || (body.id().is_some() && other.body.id() == body.id());
            if let Some(other) = items.iter().find(same) {
                let what = format!("{} {} is already on line {}", T::KIND.word(), body.name(), other.line);
                return Err(check::wrong(&["name"], super::Fault::bad(what).next("keep one of them")).at(node, self.source));
            }
            let text = match self.section(T::KIND).and_then(|section| text::own(self.text, section, number)) {
                Some(own) if yaml_text::read::<T>(&own).is_ok_and(|read| read == body) => own,
                _ => yaml_text::emit(&body)?,
            };
            // An id says which object is meant; it is no part of what the operator wrote about it.
            let text = if body.id().is_some() { yaml_text::remove(&text, "id")? } else { text };
            items.push(Written { body, text, line: node.line });
        }
        Ok(items)
    }
}

impl Wrong {
    /// At its place in an item's own text.
    fn problem(&self, item: &Node) -> yaml_text::Problem {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let node = item.nearest(&path);
        yaml_text::Problem {
            line: node.line,
            column: node.column,
            what: self.fault.what.clone(),
            fix: self.fault.next.clone().unwrap_or_default(),
        }
    }

    /// As an error with the place of the value that is wrong.
    fn at(&self, item: &Node, source: &str) -> super::Fault {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let node = item.nearest(&path);
        let mut fault = self.fault.clone();
        fault.what = super::shown::shown(&format!("{source}:{}:{}: {}", node.line, node.column, fault.what));
        fault
    }
}

#[cfg(test)]
mod tests;
