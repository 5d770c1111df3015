//! What an editor is given and gives back: the target, the operator's own text, and everything around it that helps to write it.

use crate::model::document::Kind;
use crate::model::document::schema::Named;
use crate::model::entity::{Ingredient, Mapping, Swarm};
use crate::model::secret::Secrets;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What an editor edits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EditTarget {
    /// A swarm's config or env, by the swarm's id.
    SwarmConfig(String),
    SwarmEnv(String),
    /// An ingredient's config or env, by its id.
    IngredientConfig(String),
    IngredientEnv(String),
    /// A whole object, by its id (or, to open it, its name).
    Whole(Kind, String),
    /// A host, by its name: the whole of the squad or balancer that it is written in, at its place.
    Host(String),
    /// An object that is not there yet: a skeleton, or what is written of the one with this id ("" for none).
    New(Kind, String),
}

impl EditTarget {
    /// `config` or `env` where only that part of an object is edited.
    pub fn block(&self) -> Option<&'static str> {
        match self {
            EditTarget::SwarmConfig(_) | EditTarget::IngredientConfig(_) => Some("config"),
            EditTarget::SwarmEnv(_) | EditTarget::IngredientEnv(_) => Some("env"),
            EditTarget::Whole(..) | EditTarget::Host(_) | EditTarget::New(..) => None,
        }
    }
    /// The kind of a whole object.
    pub fn whole(&self) -> Option<Kind> {
        match self {
            EditTarget::Whole(kind, _) | EditTarget::New(kind, _) => Some(*kind),
            _ => None,
        }
    }
    /// The kind of object that it is, or is part of.
    pub fn kind(&self) -> Kind {
        match self {
            EditTarget::SwarmConfig(_) | EditTarget::SwarmEnv(_) => Kind::Swarm,
            EditTarget::IngredientConfig(_) | EditTarget::IngredientEnv(_) => Kind::Ingredient,
            EditTarget::Whole(kind, _) | EditTarget::New(kind, _) => *kind,
            EditTarget::Host(_) => Kind::Squad,
        }
    }
    /// The object's id; "" for one that is not there yet.
    pub fn id(&self) -> &str {
        match self {
            EditTarget::SwarmConfig(id)
            | EditTarget::SwarmEnv(id)
            | EditTarget::IngredientConfig(id)
            | EditTarget::IngredientEnv(id)
            | EditTarget::Whole(_, id)
            | EditTarget::Host(id) => id,
            EditTarget::New(..) => "",
        }
    }
    /// What its drafts are kept under.
    pub fn draft_name(&self) -> String {
        match self {
            EditTarget::New(kind, from) => format!("new {}/{from}", kind.word()),
            EditTarget::Whole(_, id) => format!("{id}/whole"),
            other => format!("{}/{}", other.id(), other.block().unwrap_or("host")),
        }
    }
}

/// A key that siblings set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SiblingKey {
    /// How many set it.
    pub count: usize,
    /// Its values with how many have each, most first; none for mappings.
    pub values: Vec<(Value, usize)>,
}

/// What objects alike set here: swarms of the same app, or the swarms that use an ingredient.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Siblings {
    /// How many there are.
    pub count: usize,
    /// By path; the paths are those of the text that is edited.
    pub keys: BTreeMap<Vec<String>, SiblingKey>,
}

/// A swarm that uses an ingredient, with everything that its config and env are made of but the build's own.
#[derive(Debug, Clone, PartialEq)]
pub struct UsedBy {
    pub swarm: Swarm,
    /// In its order; the one that is edited among them.
    pub ingredients: Vec<Ingredient>,
}

/// What an editor needs to open. Holds secrets; views mask them.
#[derive(Debug, Clone)]
pub struct EditDocument {
    pub target: EditTarget,
    /// `shop-prod-web config`.
    pub title: String,
    /// Verbatim text of the mapping.
    pub text: String,
    /// The object's revision that the text is from; 0 = it is not there yet.
    pub rev: i64,
    /// Where the cursor begins: row and column from 0.
    pub at: (usize, usize),
    /// The layers below this one, lowest first, each with its mapping (env values as strings) and whether it merges deep.
    pub below: Vec<(String, Mapping, bool)>,
    /// What runs now, compiled; empty when nothing does.
    pub running: Mapping,
    /// Top-level keys that what runs can be compared in; empty: all.
    pub compared: Vec<&'static str>,
    pub siblings: Siblings,
    /// Names of the objects that the text may name.
    pub known: BTreeMap<Named, Vec<String>>,
    /// Who uses it, by name.
    pub used_by: Vec<String>,
    /// The swarms that use an ingredient.
    pub users: Vec<UsedBy>,
    /// Who saved it last, and when.
    pub saved_by: String,
    pub saved_ms: i64,
    /// The operator's own rule for what is secret.
    pub secrets: Secrets,
}

impl EditDocument {
    /// Nothing but the target.
    pub fn bare(target: EditTarget) -> EditDocument {
        EditDocument {
            target,
            title: String::new(),
            text: String::new(),
            rev: 0,
            at: (0, 0),
            below: Vec::new(),
            running: Mapping::new(),
            compared: Vec::new(),
            siblings: Siblings::default(),
            known: BTreeMap::new(),
            used_by: Vec::new(),
            users: Vec::new(),
            saved_by: String::new(),
            saved_ms: 0,
            secrets: Secrets::default(),
        }
    }
}

/// A text that was not saved yet, with what it was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    pub text: String,
    /// The saved text that it was made from, and its revision.
    pub base: String,
    pub rev: i64,
}

/// A save that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditSaved {
    /// What is edited from now on: a new object has an id now.
    pub target: EditTarget,
    /// The new revision.
    pub rev: i64,
    /// What it is called now.
    pub title: String,
    /// What it means, one line.
    pub said: String,
}
