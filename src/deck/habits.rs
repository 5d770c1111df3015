//! What one user keeps of the console: saved views (dashboards), the one that opens first, and the columns of each list.

use super::Deck;
use crate::model::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The kind under which they are kept, a value for each user, as drafts are.
const HABITS: &str = "habits";

/// A saved view: a list with its filter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dash {
    pub name: String,
    /// The list's word: `swarms`, `procs`, `dash` …
    pub list: String,
    pub filter: String,
    pub trouble_only: bool,
    /// The column's title that it is sorted by; "" is by trouble.
    pub sort: String,
    /// Whether from the highest to the lowest.
    pub down: bool,
    /// Whether as a tree.
    pub tree: bool,
}

/// What one user keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Habits {
    /// In name order.
    pub dashes: Vec<Dash>,
    /// The one that opens with the console; "" is none.
    pub first: String,
    /// The titles of the columns of a list, by the list's word, in the order shown.
    pub columns: BTreeMap<String, Vec<String>>,
}

impl Deck {
    /// What this user keeps.
    pub async fn habits(&self) -> Result<Habits> {
        Ok(self.store.kept(HABITS, &self.who).await?.unwrap_or_default())
    }

    /// Keeps it.
    pub async fn keep_habits(&self, habits: &Habits) -> Result<()> {
        self.store.keep(HABITS, &self.who, habits, self.now_ms()).await?;
        self.refresh_soon();
        Ok(())
    }
}
