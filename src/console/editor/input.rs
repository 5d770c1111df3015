//! What keys and pastes do.

use super::complete::complete;
use super::keys::{self, Command};
use super::review::Answer;
use super::{Editor, EditorAct, Pane};
use crate::model::yaml_text::tree;
use crossterm::event::{KeyCode, KeyEvent};
use tui_textarea::CursorMove;

impl Editor {
    /// A bracketed paste: one edit. Nothing while a question is open.
    pub fn paste(&mut self, text: &str, now_ms: i64) -> Vec<EditorAct> {
        if self.review.is_some() {
            return Vec::new();
        }
        self.completion = None;
        if let Some(find) = &mut self.find {
            find.extend(text.chars().filter(|c| !c.is_control()));
            self.search(true, true);
        } else if self.pane == Pane::Text {
            self.buffer.paste(text);
            self.edited(now_ms);
        }
        Vec::new()
    }

    /// A key.
    pub fn key(&mut self, key: KeyEvent, now_ms: i64) -> Vec<EditorAct> {
        if let Some(review) = &mut self.review {
            let answer = review.key(key, now_ms);
            return self.answered(answer, now_ms);
        }
        let Some(command) = keys::command(key) else { return Vec::new() };
        self.message = None;
        if self.find.is_some() {
            return self.find_key(key, command);
        }
        if self.completion.is_some() && self.completion_key(command, now_ms) {
            return Vec::new();
        }
        match command {
            Command::Leave => return self.leave(now_ms),
            Command::Save => return self.ask(false),
            Command::SaveAndPlan => return self.ask(true),
            Command::External => return vec![EditorAct::External { text: self.text() }],
            Command::Suspend => return vec![EditorAct::Suspend],
            Command::Pane => {
                self.pane = match self.pane {
                    Pane::Text => Pane::Effective,
                    Pane::Effective if !self.problems.is_empty() => Pane::Problems,
                    _ => Pane::Text,
                }
            }
            Command::NextProblem => self.next_problem(),
            Command::Fix => self.fix(now_ms),
            Command::Find => {
                self.pane = Pane::Text;
                self.find = Some(String::new());
            }
            Command::Copy => return self.buffer.copy().map(|text| EditorAct::Copy { text }).into_iter().collect(),
            Command::Indent if self.pane == Pane::Text && self.complete(now_ms) => {}
            command if self.pane == Pane::Text => self.edit(command, now_ms),
            command => self.list_key(command),
        }
        Vec::new()
    }

    /// What was answered to the difference.
    fn answered(&mut self, answer: Answer, now_ms: i64) -> Vec<EditorAct> {
        match answer {
            Answer::Nothing => return Vec::new(),
            Answer::Cancel => self.review = None,
            Answer::Save | Answer::SaveAndPlan => {
                self.review = None;
                self.saving = true;
                self.message = Some(("saving".into(), false));
                return vec![EditorAct::Save { text: self.text(), rev: self.document.rev, then_plan: answer == Answer::SaveAndPlan }];
            }
            Answer::Take => self.take_draft(now_ms),
            Answer::Drop => {
                (self.review, self.offered, self.has_draft) = (None, None, false);
                self.message = Some(("the draft is gone".into(), false));
                return vec![EditorAct::DropDraft];
            }
            Answer::Leave => {
                (self.review, self.offered) = (None, None);
                return vec![EditorAct::Close];
            }
        }
        Vec::new()
    }

    /// Tab where something is known: one thing is taken at once, of several a list is opened.
    fn complete(&mut self, now_ms: i64) -> bool {
        if self.buffer.selection().is_some() {
            return false;
        }
        let found = complete(self.buffer.lines(), self.buffer.cursor(), &self.document, &self.secrets);
        let Some(found) = found else { return false };
        let only = found.items.len() == 1 && found.from < found.to;
        self.completion = Some(found);
        if only {
            self.take_completion(now_ms);
        }
        true
    }

    /// A key while the list is open; whether that is all that it does.
    fn completion_key(&mut self, command: Command, now_ms: i64) -> bool {
        let Some(open) = &mut self.completion else { return false };
        let count = open.items.len().max(1);
        match command {
            Command::Indent | Command::Rows(1, false, false) => open.at = (open.at + 1) % count,
            Command::Outdent | Command::Rows(-1, false, false) => open.at = (open.at + count - 1) % count,
            Command::Enter => self.take_completion(now_ms),
            Command::Leave => self.completion = None,
            Command::Type(_) | Command::Backspace => {
                let chosen = open.items.get(open.at).map(|item| item.name.clone());
                self.edit(command, now_ms);
                let mut again = complete(self.buffer.lines(), self.buffer.cursor(), &self.document, &self.secrets);
                if let Some(open) = &mut again {
                    open.at = open.items.iter().position(|item| Some(&item.name) == chosen.as_ref()).unwrap_or(0);
                }
                self.completion = again;
            }
            _ => {
                self.completion = None;
                return false;
            }
        }
        true
    }

    fn take_completion(&mut self, now_ms: i64) {
        let Some(open) = self.completion.take() else { return };
        if let Some(item) = open.items.get(open.at) {
            self.buffer.replace_range(open.row, open.from, open.to, &item.text);
            self.edited(now_ms);
        }
    }

    /// Keys for the text; every edit is followed by [`Editor::edited`].
    pub(super) fn edit(&mut self, command: Command, now_ms: i64) {
        let before = self.buffer.version;
        let page = isize::try_from(self.window.get().height.max(2) - 1).unwrap_or(1);
        match command {
            Command::Undo if !self.buffer.undo() => self.message = Some(("nothing left to undo".into(), false)),
            Command::Redo if !self.buffer.redo() => self.message = Some(("nothing to redo".into(), false)),
            Command::Comment => self.buffer.toggle_comment(),
            Command::Indent => self.buffer.indent(),
            Command::Outdent => self.buffer.outdent(),
            Command::Enter => self.buffer.newline(),
            Command::Backspace => self.buffer.backspace(),
            Command::WordBack => self.buffer.delete_word_back(),
            Command::Delete => self.buffer.delete(),
            Command::Type(c) => self.buffer.type_char(c),
            Command::Go(to, select) => self.buffer.go(to, select),
            Command::Head(select) => self.buffer.go_head(select),
            Command::Rows(rows, pages, select) => self.buffer.go_rows(if pages { rows * page } else { rows }, select),
            Command::Yank => self.buffer.yank(),
            Command::All => self.buffer.select_all(),
            _ => {}
        }
        if self.buffer.version != before {
            self.edited(now_ms);
        }
    }

    /// Keys for the lists: effective keys, problems.
    pub(super) fn list_key(&mut self, command: Command) {
        let (at, len) = match self.pane {
            Pane::Effective => (&mut self.row, self.rows.len()),
            _ => (&mut self.problem, self.problems.len()),
        };
        let last = len.saturating_sub(1);
        match command {
            Command::Rows(rows, pages, _) => *at = at.saturating_add_signed(if pages { rows * 10 } else { rows }).min(last),
            Command::Type('j') => *at = (*at + 1).min(last),
            Command::Type('k') => *at = at.saturating_sub(1),
            Command::Type('g') | Command::Head(_) | Command::Go(CursorMove::Top, _) => *at = 0,
            Command::Type('G') | Command::Go(CursorMove::End | CursorMove::Bottom, _) => *at = last,
            Command::Enter if self.pane == Pane::Problems => {
                self.go_to_problem();
                self.pane = Pane::Text;
            }
            Command::Enter => self.go_to_key(),
            _ => {}
        }
    }

    pub(super) fn find_key(&mut self, key: KeyEvent, command: Command) -> Vec<EditorAct> {
        let Some(find) = &mut self.find else { return Vec::new() };
        match command {
            Command::Type(c) => {
                find.push(c);
                self.search(true, true);
            }
            Command::Backspace => {
                find.pop();
                self.search(true, true);
            }
            Command::Enter | Command::Find | Command::NextProblem => self.search(true, false),
            Command::Rows(rows, _, _) => self.search(rows > 0, false),
            _ if matches!(key.code, KeyCode::Esc | KeyCode::Left | KeyCode::Right | KeyCode::Tab) => self.find = None,
            _ => {}
        }
        Vec::new()
    }
    pub(super) fn search(&mut self, forward: bool, here: bool) {
        let Some(find) = self.find.clone() else { return };
        let found = self.buffer.find(&find, forward, here);
        self.message = (!found && !find.is_empty()).then(|| ("not found".into(), true));
    }

    /// Esc: first the selection goes, then the pane, then the editor; the draft is kept.
    pub(super) fn leave(&mut self, now_ms: i64) -> Vec<EditorAct> {
        if self.buffer.selection().is_some() {
            self.buffer.cancel_selection();
            return Vec::new();
        }
        if self.pane != Pane::Text {
            self.pane = Pane::Text;
            return Vec::new();
        }
        let mut acts = self.draft(now_ms);
        acts.push(EditorAct::Close);
        acts
    }

    /// To the next problem after the cursor, around the end.
    pub(super) fn next_problem(&mut self) {
        self.check();
        if self.problems.is_empty() {
            self.message = Some(("no problems".into(), false));
            return;
        }
        let (row, col) = self.buffer.cursor();
        self.problem = self.problems.iter().position(|p| (p.line, p.column) > (row + 1, col + 1)).unwrap_or(0);
        self.pane = Pane::Text;
        self.go_to_problem();
    }
    pub(super) fn go_to_problem(&mut self) {
        if let Some(problem) = self.problems.get(self.problem) {
            self.buffer.place((problem.line - 1, problem.column - 1));
        }
    }
    /// From a row of the effective view to where this text sets it.
    pub(super) fn go_to_key(&mut self) {
        let Some(row) = self.rows.get(self.row) else { return };
        let path: Vec<&str> = row.key.split('.').collect();
        let place = tree(&self.buffer.text()).ok().flatten().map(|root| {
            let node = root.nearest(&path);
            (node.line - 1, node.column - 1)
        });
        match place.filter(|_| row.ours) {
            Some(place) => {
                self.buffer.place(place);
                self.pane = Pane::Text;
            }
            None => {
                self.message =
                    Some((format!("{} is set by {}, not here", row.key, if row.from.is_empty() { "nobody" } else { &row.from }), false))
            }
        }
    }
    /// Mends the problem under the cursor, else the chosen one.
    pub(super) fn fix(&mut self, now_ms: i64) {
        self.check();
        let at = self.current_problem();
        let Some((problem, fix)) = at.and_then(|at| self.problems.get(at)).and_then(|p| Some((p.clone(), p.fix.clone()?))) else {
            let text = if self.problems.is_empty() { "no problems" } else { "this one only you can mend" };
            self.message = Some((text.into(), false));
            return;
        };
        self.buffer.replace_range(problem.line - 1, fix.from, fix.to, &fix.with);
        self.edited(now_ms);
        self.check();
    }
    /// The chosen problem; with the keys in the text, the one on the cursor's line nearest to it.
    pub(super) fn current_problem(&self) -> Option<usize> {
        if self.pane != Pane::Text {
            return (!self.problems.is_empty()).then_some(self.problem);
        }
        let (row, col) = self.buffer.cursor();
        let here = self.problems.iter().enumerate().filter(|(_, p)| p.line == row + 1);
        here.min_by_key(|(_, p)| p.column.abs_diff(col + 1))
            .map(|(n, _)| n)
            .or_else(|| self.problems.get(self.problem).map(|_| self.problem))
    }
}
