//! A difference with its question: what would be saved, or what a draft that was kept would bring back.

use super::mask::masked;
use crate::model::secret::Secrets;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use similar::{ChangeTag, TextDiff};

/// Keys are ignored for so long after the difference was first on the screen, ms.
const DEAD_MS: i64 = 300;

/// One line of the difference; holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// ` `, `-`, `+`, `@` between parts, `!` for what must be read, `.` for what may be.
    pub sign: char,
    pub text: String,
}

/// What a key in the layer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Nothing,
    Cancel,
    Save,
    SaveAndPlan,
    /// Go on with the draft.
    Take,
    /// Forget the draft.
    Drop,
    /// Leave, the draft stays kept.
    Leave,
}

/// A button: its letter, its word, what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Button {
    pub key: char,
    pub word: &'static str,
    pub answer: Answer,
}

const fn button(key: char, word: &'static str, answer: Answer) -> Button {
    Button { key, word, answer }
}

/// The layer.
#[derive(Debug, Clone)]
pub struct Review {
    /// `SAVE`, `YOUR DRAFT, kept 3m ago,`: what stands before the title.
    pub head: String,
    pub lines: Vec<Line>,
    pub added: usize,
    pub removed: usize,
    pub scroll: usize,
    pub buttons: Vec<Button>,
    /// The one with the focus.
    pub focus: usize,
    /// When it was first on the screen.
    pub painted_ms: Option<i64>,
}

impl Review {
    /// What would be saved; Cancel has the focus. `plans`: there is something to plan then. `notes` stand above the difference.
    pub fn save(saved: &str, text: &str, then_plan: bool, plans: bool, notes: Vec<Line>, secrets: &Secrets) -> Review {
        let mut buttons = vec![button('n', "Cancel", Answer::Cancel)];
        if then_plan {
            buttons.push(button('y', "save+plan", Answer::SaveAndPlan));
        } else {
            buttons.push(button('y', "save", Answer::Save));
            if plans {
                buttons.push(button('p', "save+plan", Answer::SaveAndPlan));
            }
        }
        let head = if then_plan { "SAVE, THEN PLAN".into() } else { "SAVE".into() };
        Review::new(head, saved, text, buttons, notes, secrets)
    }

    /// What a draft would bring back; taking it has the focus, for nothing is lost by it.
    pub fn draft(age: &str, saved: &str, text: &str, notes: Vec<Line>, secrets: &Secrets) -> Review {
        let buttons =
            vec![button('y', "go on with it", Answer::Take), button('d', "drop it", Answer::Drop), button('q', "leave it", Answer::Leave)];
        Review::new(format!("YOUR DRAFT, kept {age} ago, of"), saved, text, buttons, notes, secrets)
    }

    fn new(head: String, saved: &str, text: &str, buttons: Vec<Button>, notes: Vec<Line>, secrets: &Secrets) -> Review {
        let (before, after) = (masked(saved, secrets), masked(text, secrets));
        let diff = TextDiff::from_lines(saved, text);
        let mut lines = notes;
        let (mut added, mut removed) = (0, 0);
        for group in diff.grouped_ops(3) {
            let first = group.first().map_or(0, |op| op.new_range().start);
            lines.push(Line { sign: '@', text: format!("line {}", first + 1) });
            for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
                let at = |of: &[String], index: Option<usize>| index.and_then(|n| of.get(n)).cloned().unwrap_or_default();
                let (sign, text) = match change.tag() {
                    ChangeTag::Equal => (' ', at(&after, change.new_index())),
                    ChangeTag::Insert => ('+', at(&after, change.new_index())),
                    ChangeTag::Delete => ('-', at(&before, change.old_index())),
                };
                added += usize::from(sign == '+');
                removed += usize::from(sign == '-');
                lines.push(Line { sign, text });
            }
        }
        Review { head, lines, added, removed, scroll: 0, buttons, focus: 0, painted_ms: None }
    }

    /// Whether it takes keys by now.
    pub fn is_awake(&self, now_ms: i64) -> bool {
        self.painted_ms.is_some_and(|at| now_ms.saturating_sub(at) >= DEAD_MS)
    }

    pub fn key(&mut self, key: KeyEvent, now_ms: i64) -> Answer {
        if !self.is_awake(now_ms) || key.kind == KeyEventKind::Release {
            return Answer::Nothing;
        }
        if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
            return Answer::Nothing;
        }
        let last = self.lines.len().saturating_sub(1);
        let count = self.buttons.len().max(1);
        match key.code {
            KeyCode::Enter => return self.buttons.get(self.focus).map_or(Answer::Nothing, |button| button.answer),
            KeyCode::Esc | KeyCode::Char('q') => return if self.asks_for_draft() { Answer::Leave } else { Answer::Cancel },
            KeyCode::Tab | KeyCode::Right => self.focus = (self.focus + 1) % count,
            KeyCode::BackTab | KeyCode::Left => self.focus = (self.focus + count - 1) % count,
            KeyCode::Up | KeyCode::Char('k') => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.scroll = (self.scroll + 1).min(last),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(10),
            KeyCode::PageDown => self.scroll = (self.scroll + 10).min(last),
            KeyCode::Home => self.scroll = 0,
            KeyCode::End => self.scroll = last,
            KeyCode::Char('c') => return if self.asks_for_draft() { Answer::Nothing } else { Answer::Cancel },
            KeyCode::Char(letter) => {
                return self.buttons.iter().find(|button| button.key == letter).map_or(Answer::Nothing, |button| button.answer);
            }
            _ => {}
        }
        Answer::Nothing
    }

    pub fn asks_for_draft(&self) -> bool {
        self.buttons.iter().any(|button| button.answer == Answer::Take)
    }
}
