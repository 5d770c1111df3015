//! The difference that is shown before anything is saved, with its two buttons.

use super::mask::masked;
use crate::model::secret::Secrets;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use similar::{ChangeTag, TextDiff};

/// Keys are ignored for so long after the difference was first on the screen, ms.
const DEAD_MS: i64 = 300;

/// One line of the difference; holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// ` `, `-`, `+`, or `@` between parts.
    pub sign: char,
    pub text: String,
}

/// The layer.
#[derive(Debug, Clone)]
pub struct Review {
    pub lines: Vec<Line>,
    pub added: usize,
    pub removed: usize,
    pub then_plan: bool,
    pub scroll: usize,
    /// Save has the focus; Cancel has it first.
    pub on_save: bool,
    /// When it was first on the screen.
    painted_ms: Option<i64>,
}

/// What a key in the layer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Nothing,
    Cancel,
    Save,
}

impl Review {
    /// The difference between what is saved and what would be.
    pub fn new(saved: &str, text: &str, then_plan: bool, secrets: &Secrets) -> Review {
        let (before, after) = (masked(saved, secrets), masked(text, secrets));
        let diff = TextDiff::from_lines(saved, text);
        let mut lines = Vec::new();
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
        Review { lines, added, removed, then_plan, scroll: 0, on_save: false, painted_ms: None }
    }

    /// The layer's frame was flushed.
    pub fn painted(&mut self, now_ms: i64) {
        self.painted_ms.get_or_insert(now_ms);
    }

    pub fn key(&mut self, key: KeyEvent, now_ms: i64) -> Answer {
        let awake = self.painted_ms.is_some_and(|at| now_ms.saturating_sub(at) >= DEAD_MS);
        if !awake || key.kind == KeyEventKind::Release {
            return Answer::Nothing;
        }
        if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
            return Answer::Nothing;
        }
        let last = self.lines.len().saturating_sub(1);
        match key.code {
            KeyCode::Char('y') => return Answer::Save,
            KeyCode::Enter if self.on_save => return Answer::Save,
            KeyCode::Enter | KeyCode::Esc | KeyCode::Char('c' | 'n' | 'q') => return Answer::Cancel,
            KeyCode::Tab | KeyCode::BackTab | KeyCode::Left | KeyCode::Right => self.on_save = !self.on_save,
            KeyCode::Up | KeyCode::Char('k') => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.scroll = (self.scroll + 1).min(last),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(10),
            KeyCode::PageDown => self.scroll = (self.scroll + 10).min(last),
            KeyCode::Home => self.scroll = 0,
            KeyCode::End => self.scroll = last,
            _ => {}
        }
        Answer::Nothing
    }
}
