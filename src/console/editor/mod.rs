//! The editor of a swarm's or ingredient's config and env: its state, and what keys, time and others' saves do to it. Pure.

pub mod buffer;
pub mod check;
pub mod effective;
mod input;
mod join;
mod keys;
pub mod lex;
mod mask;
mod review;
mod saving;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod view;
mod view_panes;
mod view_text;

pub use keys::{HINTS, MORE};

use crate::deck::look::{EditDocument, EditTarget};
use crate::model::secret::Secrets;
use crate::model::yaml_text::{Node, parse_mapping, tree};
use buffer::Buffer;
use check::Problem;
use effective::Row;
use review::Review;
use std::cell::Cell;
use std::collections::BTreeSet;

/// The text is checked so long after the last change, ms.
pub const CHECK_MS: i64 = 150;
/// A draft is kept at most this long after a change, ms.
pub const DRAFT_MS: i64 = 2_000;

/// What the editor asks of who runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditorAct {
    /// Keep this draft.
    Draft { text: String },
    /// The text is the saved one again: no draft is needed.
    DropDraft,
    /// Save; answered by [`Editor::saved`] or [`Editor::not_saved`].
    Save { text: String, rev: i64, then_plan: bool },
    /// Open the text in `$EDITOR`; answered by [`Editor::external_done`].
    External { text: String },
    /// To the clipboard.
    Copy { text: String },
    /// Leave; a draft was asked for before when one is needed.
    Close,
}

/// Which part has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    Text,
    Effective,
    Problems,
}

/// The first row and display column on the screen, and the height of the text; renewed by each frame.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    top: usize,
    left: usize,
    height: usize,
}

/// The editor. Times are ms of one clock, given by the caller.
#[derive(Debug, Clone)]
pub struct Editor {
    document: EditDocument,
    secrets: Secrets,
    /// For the title: the fleet's name, and whether saving is allowed.
    pub fleet: String,
    pub can_write: bool,
    buffer: Buffer,
    lexed: Vec<(lex::State, Vec<lex::Token>)>,
    hidden: Vec<Option<usize>>,
    /// Per line, whether it differs from what is saved; and how many lines do, those that are gone included.
    changed: Vec<bool>,
    changes: usize,
    /// The version of the text that each of these is from.
    shaped: u64,
    checked: u64,
    drafted: u64,
    /// When the text last changed and when a draft was last asked for.
    edited_ms: i64,
    draft_ms: Option<i64>,
    /// Whether a draft is kept somewhere.
    has_draft: bool,
    problems: Vec<Problem>,
    problem: usize,
    rows: Vec<Row>,
    /// Dotted keys that have a problem.
    marked: BTreeSet<String>,
    /// The text cannot be read: `rows` are from before.
    stale: bool,
    pane: Pane,
    row: usize,
    find: Option<String>,
    review: Option<Review>,
    /// One line for the operator, and whether it is bad news.
    message: Option<(String, bool)>,
    /// What others did: a sentence, and whether keys clash.
    others: Option<(String, bool)>,
    /// Saved by someone else while our text could not be read.
    waiting: Option<Box<EditDocument>>,
    saving: bool,
    window: Cell<Window>,
}

impl Editor {
    /// Opens a document.
    pub fn open(document: EditDocument, now_ms: i64) -> Editor {
        let buffer = Buffer::new(&document.text);
        let mut editor = Editor {
            document,
            secrets: Secrets::default(),
            fleet: String::new(),
            can_write: true,
            buffer,
            lexed: Vec::new(),
            hidden: Vec::new(),
            changed: Vec::new(),
            changes: 0,
            shaped: u64::MAX,
            checked: u64::MAX,
            drafted: 0,
            edited_ms: now_ms,
            draft_ms: None,
            has_draft: false,
            problems: Vec::new(),
            problem: 0,
            rows: Vec::new(),
            marked: BTreeSet::new(),
            stale: false,
            pane: Pane::Text,
            row: 0,
            find: None,
            review: None,
            message: None,
            others: None,
            waiting: None,
            saving: false,
            window: Cell::default(),
        };
        editor.shape();
        editor.check();
        editor
    }
    /// With the fleet's name for the title, and whether saving is allowed.
    #[must_use]
    pub fn with_fleet(mut self, fleet: &str, can_write: bool) -> Editor {
        (self.fleet, self.can_write) = (fleet.into(), can_write);
        self
    }
    /// With the operator's own rule for what is secret.
    #[must_use]
    pub fn with_secrets(mut self, secrets: Secrets) -> Editor {
        self.secrets = secrets;
        (self.shaped, self.checked) = (u64::MAX, u64::MAX);
        self.shape();
        self.check();
        self
    }
    /// A draft from an earlier session, put in as one edit: `^u` takes it back.
    pub fn offer_draft(&mut self, text: &str, kept_ms: i64, now_ms: i64) {
        if text == self.buffer.text() {
            return;
        }
        self.buffer.replace(text, (0, 0));
        self.has_draft = true;
        (self.drafted, self.draft_ms) = (self.buffer.version, Some(kept_ms));
        self.message = Some((format!("your draft, kept {} ago; ^u takes it back", view::age(now_ms - kept_ms)), false));
        self.shape();
        self.check();
    }

    pub fn target(&self) -> &EditTarget {
        &self.document.target
    }
    pub fn text(&self) -> String {
        self.buffer.text()
    }
    /// The revision that the text is based on.
    pub fn rev(&self) -> i64 {
        self.document.rev
    }
    /// Whether the text differs from what is saved.
    pub fn is_changed(&self) -> bool {
        self.buffer.text() != self.document.text
    }
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
    pub fn effective(&self) -> &[Row] {
        &self.rows
    }
    /// Whether a question is open that takes no type-ahead: its first frame must be told by [`Editor::painted`].
    pub fn is_asking(&self) -> bool {
        self.review.is_some()
    }
    /// When [`Editor::tick`] next has something to do, ms; none while all is quiet.
    pub fn next_tick(&self) -> Option<i64> {
        let check = (self.checked != self.buffer.version).then_some(self.edited_ms + CHECK_MS);
        let draft = (self.drafted != self.buffer.version)
            .then_some(self.draft_ms.unwrap_or(self.edited_ms).max(self.edited_ms - DRAFT_MS) + DRAFT_MS);
        check.into_iter().chain(draft).min()
    }

    /// The frame was flushed to the terminal.
    pub fn painted(&mut self, now_ms: i64) {
        if let Some(review) = &mut self.review {
            review.painted(now_ms);
        }
    }

    /// Time passes: the check after a pause, the draft while there are changes.
    pub fn tick(&mut self, now_ms: i64) -> Vec<EditorAct> {
        if self.checked != self.buffer.version && now_ms - self.edited_ms >= CHECK_MS {
            self.check();
            if let Some(document) = self.waiting.take() {
                self.merge_saved(*document);
            }
        }
        let due = self.draft_ms.unwrap_or(self.edited_ms).max(self.edited_ms - DRAFT_MS) + DRAFT_MS;
        if self.drafted != self.buffer.version && now_ms >= due { self.draft(now_ms) } else { Vec::new() }
    }
    fn draft(&mut self, now_ms: i64) -> Vec<EditorAct> {
        if self.drafted == self.buffer.version {
            return Vec::new();
        }
        self.drafted = self.buffer.version;
        self.draft_ms = Some(now_ms);
        if self.is_changed() {
            self.has_draft = true;
            return vec![EditorAct::Draft { text: self.text() }];
        }
        if std::mem::take(&mut self.has_draft) { vec![EditorAct::DropDraft] } else { Vec::new() }
    }

    fn edited(&mut self, now_ms: i64) {
        self.edited_ms = now_ms;
        self.shape();
    }

    /// What a frame needs of every line: tokens, masks, marks.
    fn shape(&mut self) {
        if self.shaped == self.buffer.version {
            return;
        }
        self.shaped = self.buffer.version;
        let lines = self.buffer.lines();
        self.lexed = lex::lex(lines);
        self.hidden = mask::hidden_from(lines, &self.lexed, &self.secrets);
        let saved: Vec<&str> = self.document.text.split('\n').collect();
        let now: Vec<&str> = lines.iter().map(String::as_str).collect();
        self.changed = vec![false; now.len()];
        self.changes = 0;
        for op in similar::capture_diff_slices(similar::Algorithm::Myers, &saved, &now) {
            if op.tag() == similar::DiffTag::Equal {
                continue;
            }
            self.changes += op.new_range().len().max(op.old_range().len());
            for row in op.new_range() {
                if let Some(mark) = self.changed.get_mut(row) {
                    *mark = true;
                }
            }
        }
    }

    /// Problems and the effective view.
    fn check(&mut self) {
        if self.checked == self.buffer.version {
            return;
        }
        self.checked = self.buffer.version;
        let text = self.buffer.text();
        self.problems = check::check(&text, self.is_env(), &self.document, &self.secrets);
        self.problem = self.problem.min(self.problems.len().saturating_sub(1));
        if let Ok(mine) = parse_mapping(&text) {
            let mine = if self.is_env() { env_texts(&text, mine) } else { mine };
            self.rows = effective::effective(&mine, &self.document, &self.secrets);
            self.row = self.row.min(self.rows.len().saturating_sub(1));
            self.stale = false;
        } else {
            self.stale = true;
        }
        let lines: BTreeSet<usize> = self.problems.iter().map(|p| p.line).collect();
        self.marked.clear();
        if let (false, Ok(Some(root))) = (lines.is_empty(), tree(&text)) {
            mark(&root, "", &lines, &mut self.marked);
        }
    }
    fn is_env(&self) -> bool {
        matches!(self.document.target, EditTarget::SwarmEnv(_) | EditTarget::IngredientEnv(_))
    }

    /// Keys for the foot of the screen, most needed first.
    pub fn hints(&self) -> Vec<(&'static str, &'static str)> {
        match (&self.review, &self.find, self.pane) {
            (Some(_), _, _) => vec![("y", "save"), ("tab", "other button"), ("j k", "scroll"), ("esc", "cancel")],
            (None, Some(_), _) => vec![("enter", "next"), ("up", "last"), ("esc", "done")],
            (None, None, Pane::Text) => HINTS.to_vec(),
            (None, None, _) => vec![("j k", "move"), ("enter", "go there"), ("^e", "pane"), ("^t", "fix"), ("^s", "save"), ("esc", "text")],
        }
    }
}

/// Env values as they are written: text, whatever YAML would make of them.
fn env_texts(text: &str, mine: crate::model::entity::Mapping) -> crate::model::entity::Mapping {
    match crate::model::yaml_text::parse_env(text) {
        Ok(env) => crate::deck::look::env_mapping(&env),
        Err(_) => mine,
    }
}

/// Dotted keys of the entries on these lines.
fn mark(node: &Node, path: &str, lines: &BTreeSet<usize>, marked: &mut BTreeSet<String>) {
    for (key, value) in node.entries() {
        let name = key.scalar().unwrap_or("");
        let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        if lines.contains(&key.line) || (lines.contains(&value.line) && value.entries().is_empty()) {
            marked.insert(path.clone());
        }
        mark(value, &path, lines, marked);
    }
}
