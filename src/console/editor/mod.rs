//! The editor of whole objects and of a swarm's or ingredient's config and env: its state, and what keys, time and others' saves do to it. Pure.

pub mod buffer;
pub mod check;
mod complete;
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
mod users;
mod view;
mod view_panes;
mod view_popup;
mod view_text;

pub use keys::{HINTS, MORE};
#[cfg(test)]
pub use testing::document as example;

use crate::deck::look::{Draft, EditDocument, EditTarget};
use crate::model::document::Kind as Object;
use crate::model::secret::Secrets;
use crate::model::yaml_text::{Node, parse_mapping, tree};
use buffer::Buffer;
use check::Problem;
use complete::Completion;
use effective::Row;
use join::Clash;
use review::Review;
use std::cell::Cell;
use std::collections::BTreeSet;
use users::Impact;

/// The text is checked so long after the last change, ms.
pub const CHECK_MS: i64 = 150;
/// A draft is kept at most this long after a change, ms.
pub const DRAFT_MS: i64 = 2_000;

/// What the editor asks of who runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditorAct {
    /// Keep this draft.
    Draft(Draft),
    /// The text is the saved one again, or the draft is not wanted: none is needed.
    DropDraft,
    /// Say what saving would mean; answered by [`Editor::tried`].
    Try { text: String, rev: i64 },
    /// Save; answered by [`Editor::saved`] or [`Editor::not_saved`].
    Save { text: String, rev: i64, then_plan: bool },
    /// Open the text in `$EDITOR`; answered by [`Editor::external_done`].
    External { text: String },
    /// To the clipboard.
    Copy { text: String },
    /// Stop the program, as the shell does it.
    Suspend,
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

/// A draft that is offered.
#[derive(Debug, Clone)]
struct Offered {
    text: String,
    clashes: Vec<(Clash, String)>,
    /// What others did since, one line, and whether keys clash.
    since: Option<(String, bool)>,
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
    /// What is offered at the cursor.
    completion: Option<Completion>,
    review: Option<Review>,
    /// A draft from an earlier session that is offered, joined with what was saved since.
    offered: Option<Offered>,
    /// What saving would mean is asked for, of this version of the text; and whether a plan shall follow.
    trying: Option<(u64, bool)>,
    /// What the text means for the swarms that use the ingredient.
    impact: Vec<Impact>,
    /// Keys that others saved too, and who did.
    clashes: Vec<(Clash, String)>,
    /// One line for the operator, and whether it is bad news.
    message: Option<(String, bool)>,
    /// What others did: a sentence, and whether keys clash.
    others: Option<(String, bool)>,
    /// Saved by someone else while our text could not be read.
    waiting: Option<Box<EditDocument>>,
    saving: bool,
    /// Somebody else saved this meanwhile; it comes in when this is saved.
    newer: Option<Box<EditDocument>>,
    /// A save was refused because of that: it comes in at once.
    behind: bool,
    /// The newest event that was known when others were last asked after.
    pub asked_event: i64,
    window: Cell<Window>,
}

impl Editor {
    /// Opens a document.
    pub fn open(document: EditDocument, now_ms: i64) -> Editor {
        let mut buffer = Buffer::new(&document.text);
        buffer.place(document.at);
        let secrets = document.secrets.clone();
        let mut editor = Editor {
            document,
            secrets,
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
            completion: None,
            review: None,
            offered: None,
            trying: None,
            impact: Vec::new(),
            clashes: Vec::new(),
            message: None,
            others: None,
            waiting: None,
            saving: false,
            newer: None,
            behind: false,
            asked_event: 0,
            window: Cell::default(),
        };
        if matches!(&editor.document.target, EditTarget::New(_, from) if from.is_empty()) {
            let text = "what it may have besides stands in comments: ^k takes a line out of them";
            editor.message = Some((text.into(), false));
        }
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
    /// Whether saving is allowed now: that may change while it is open.
    pub fn with_write(&mut self, can_write: bool) -> &mut Editor {
        self.can_write = can_write;
        self
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
    /// Whether a question is open that takes keys by now.
    pub fn is_seen(&self, now_ms: i64) -> bool {
        self.review.as_ref().is_some_and(|review| review.is_awake(now_ms))
    }
    /// When [`Editor::tick`] next has something to do, ms; none while all is quiet.
    pub fn next_tick(&self) -> Option<i64> {
        let check = (self.checked != self.buffer.version).then_some(self.edited_ms + CHECK_MS);
        let draft = (self.drafted != self.buffer.version)
            .then_some(self.draft_ms.unwrap_or(self.edited_ms).max(self.edited_ms - DRAFT_MS) + DRAFT_MS);
        check.into_iter().chain(draft).min()
    }

    /// When the question that is open was drawn; none where none is.
    pub fn drawn(&mut self) -> Option<&mut Option<i64>> {
        self.review.as_mut().map(|review| &mut review.painted_ms)
    }
    /// Time passes: the check after a pause, the draft while there are changes.
    pub fn tick(&mut self, now_ms: i64) -> Vec<EditorAct> {
        if self.checked != self.buffer.version && now_ms - self.edited_ms >= CHECK_MS {
            self.check();
            if let Some(document) = self.waiting.take() {
                self.merge_saved(*document);
            }
            self.look_at_newer();
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
            return vec![EditorAct::Draft(Draft { text: self.text(), base: self.document.text.clone(), rev: self.document.rev })];
        }
        if std::mem::take(&mut self.has_draft) { vec![EditorAct::DropDraft] } else { Vec::new() }
    }

    /// The draft that is not kept yet, now: the terminal is gone, or somebody ends the program.
    pub fn last_draft(&mut self, now_ms: i64) -> Vec<EditorAct> {
        self.draft(now_ms)
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

    /// Problems, the effective view, and what it means for others.
    fn check(&mut self) {
        if self.checked == self.buffer.version {
            return;
        }
        self.checked = self.buffer.version;
        let text = self.buffer.text();
        let mine = parse_mapping(&text);
        if let Ok(mine) = &mine {
            self.clashes.retain(|(clash, _)| !clash.is_settled(mine));
        }
        self.problems = check::check(&text, &self.document, &self.clashes, &self.secrets);
        self.problem = self.problem.min(self.problems.len().saturating_sub(1));
        if let Ok(mine) = mine {
            let mine = if self.is_env() { env_texts(&text, mine) } else { mine };
            self.rows = effective::effective(&mine, &self.document, &self.secrets);
            self.row = self.row.min(self.rows.len().saturating_sub(1));
            self.stale = false;
        } else {
            self.stale = true;
        }
        if let Some(impact) = users::impact(&text, &self.document) {
            self.impact = impact;
        }
        let lines: BTreeSet<usize> = self.problems.iter().map(|p| p.line).collect();
        self.marked.clear();
        if let (false, Ok(Some(root))) = (lines.is_empty(), tree(&text)) {
            mark(&root, "", &lines, &mut self.marked);
        }
    }

    fn is_env(&self) -> bool {
        self.document.target.block() == Some("env")
    }

    /// Whether there is something to plan once this is saved: a swarm's dispatch, or the wave of an ingredient.
    fn plans(&self) -> bool {
        match self.document.target.kind() {
            Object::Swarm => true,
            Object::Ingredient => !self.document.users.is_empty(),
            _ => false,
        }
    }

    /// Keys for the foot of the screen, most needed first.
    pub fn hints(&self) -> Vec<(&'static str, &'static str)> {
        match (&self.review, &self.find, self.pane) {
            (Some(review), _, _) if review.asks_for_draft() => {
                vec![("y", "go on with it"), ("d", "drop it"), ("tab", "next button"), ("j k", "scroll"), ("esc", "leave it")]
            }
            (Some(review), _, _) => {
                let mut hints = vec![("y", "save"), ("tab", "next button"), ("j k", "scroll"), ("esc", "cancel")];
                if review.buttons.len() > 2 {
                    hints.insert(1, ("p", "save+plan"));
                }
                hints
            }
            (None, Some(_), _) => vec![("enter", "next"), ("up", "last"), ("esc", "done")],
            (None, None, Pane::Text) if self.completion.is_some() => {
                vec![("tab", "next"), ("s-tab", "last"), ("enter", "take"), ("esc", "close")]
            }
            (None, None, Pane::Text) => HINTS.iter().copied().filter(|(key, _)| *key != "^x" || self.plans()).collect(),
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
