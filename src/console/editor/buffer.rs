//! The text being edited: a text area without its own keys, with undo by word, indentation and comments as YAML wants them.

use tui_textarea::{CursorMove, TextArea};

/// What an edit is, for undo: edits of one kind in a row are one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edit {
    /// Typed characters, up to the end of the word.
    Type,
    Backspace,
    Other,
}

#[derive(Debug, Clone)]
struct Snapshot {
    text: String,
    cursor: (usize, usize),
}

/// Bytes of undo that are kept.
const UNDO_BYTES: usize = 8 << 20;

/// Text, cursor, selection and undo. Rows and columns count from 0, columns in characters.
#[derive(Debug, Clone)]
pub struct Buffer {
    area: TextArea<'static>,
    undo: Vec<Snapshot>,
    redo: Vec<Snapshot>,
    /// The last edit's kind, where it left the cursor, and whether it was a space.
    last: Option<(Edit, (usize, usize), bool)>,
    /// Rises with every change.
    pub version: u64,
}

impl Buffer {
    pub fn new(text: &str) -> Buffer {
        Buffer { area: area(text, (0, 0)), undo: Vec::new(), redo: Vec::new(), last: None, version: 0 }
    }
    pub fn text(&self) -> String {
        self.area.lines().join("\n")
    }
    pub fn lines(&self) -> &[String] {
        self.area.lines()
    }
    pub fn line(&self, row: usize) -> &str {
        self.area.lines().get(row).map_or("", String::as_str)
    }
    pub fn cursor(&self) -> (usize, usize) {
        let at = self.area.cursor();
        (at.0, at.1)
    }
    /// Start (inside) and end (outside) of what is selected.
    pub fn selection(&self) -> Option<((usize, usize), (usize, usize))> {
        self.area.selection_range().filter(|(start, end)| start != end)
    }
    pub fn cancel_selection(&mut self) {
        self.area.cancel_selection();
    }
    pub fn select_all(&mut self) {
        self.area.select_all();
    }

    /// Remembers the text for undo, unless this edit goes on with the last one.
    fn before(&mut self, edit: Edit, space: bool) {
        let goes_on = self.selection().is_none()
            && edit != Edit::Other
            && self.last.is_some_and(|(last, at, was_space)| last == edit && at == self.cursor() && (space || !was_space));
        if !goes_on {
            self.undo.push(Snapshot { text: self.text(), cursor: self.cursor() });
            let mut bytes: usize = self.undo.iter().map(|s| s.text.len()).sum();
            while bytes > UNDO_BYTES && self.undo.len() > 1 {
                bytes -= self.undo.remove(0).text.len();
            }
        }
        self.redo.clear();
    }
    fn after(&mut self, edit: Edit, space: bool) {
        self.last = Some((edit, self.cursor(), space));
        self.version += 1;
    }

    pub fn type_char(&mut self, c: char) {
        let space = !c.is_alphanumeric();
        self.before(Edit::Type, space);
        self.area.insert_char(c);
        self.after(Edit::Type, space);
    }
    /// A paste: one edit, one undo step. Line ends become `\n`.
    pub fn paste(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.before(Edit::Other, false);
        self.area.insert_str(text.replace("\r\n", "\n").replace('\r', "\n"));
        self.area.cancel_selection();
        self.after(Edit::Other, false);
    }
    pub fn backspace(&mut self) {
        let (row, col) = self.cursor();
        let indent = self.line(row).chars().take(col).all(|c| c == ' ') && col > 0 && self.selection().is_none();
        self.before(Edit::Backspace, false);
        // In the indentation, back by one level.
        for _ in 0..if indent { (col - 1) % 2 + 1 } else { 1 } {
            self.area.delete_char();
        }
        self.after(Edit::Backspace, false);
    }
    pub fn delete(&mut self) {
        self.before(Edit::Other, false);
        self.area.delete_next_char();
        self.after(Edit::Other, false);
    }
    pub fn delete_word_back(&mut self) {
        self.before(Edit::Other, false);
        self.area.delete_word();
        self.after(Edit::Other, false);
    }
    /// A new line, indented like this one; deeper after `key:`, and under the text of `- item:`.
    pub fn newline(&mut self) {
        self.before(Edit::Other, false);
        let (row, col) = self.cursor();
        let head: String = self.line(row).chars().take(col).collect();
        self.area.insert_newline();
        self.area.insert_str(" ".repeat(next_indent(&head)));
        self.after(Edit::Other, false);
    }
    /// Spaces to the next level; with a selection, its lines go one level deeper.
    pub fn indent(&mut self) {
        if self.selection().is_some() {
            return self.edit_lines(|line| if line.is_empty() { line.into() } else { format!("  {line}") });
        }
        self.before(Edit::Other, false);
        let (_, col) = self.cursor();
        self.area.insert_str(" ".repeat(2 - col % 2));
        self.after(Edit::Other, false);
    }
    /// The line, or the selected lines, one level out.
    pub fn outdent(&mut self) {
        self.edit_lines(|line| {
            let spaces = line.chars().take(2).take_while(|c| *c == ' ').count();
            line.chars().skip(spaces).collect()
        });
    }
    /// The line, or the selected lines, into a comment or out of it.
    pub fn toggle_comment(&mut self) {
        let (first, last) = self.rows();
        let lines: Vec<&String> = self.lines().get(first..=last).unwrap_or_default().iter().filter(|l| !l.trim().is_empty()).collect();
        let all = lines.iter().all(|l| l.trim_start().starts_with('#'));
        let column = lines.iter().map(|l| l.chars().take_while(|c| *c == ' ').count()).min().unwrap_or(0);
        self.edit_lines(move |line| {
            let spaces = line.chars().take_while(|c| *c == ' ').count();
            if line.trim().is_empty() {
                line.into()
            } else if all {
                let rest: String = line.chars().skip(spaces + 1).collect();
                format!("{}{}", " ".repeat(spaces), rest.strip_prefix(' ').unwrap_or(&rest))
            } else {
                let rest: String = line.chars().skip(column).collect();
                format!("{}# {rest}", " ".repeat(column))
            }
        });
    }
    /// First and last row of the selection, or the cursor's.
    fn rows(&self) -> (usize, usize) {
        match self.selection() {
            Some(((first, _), (last, 0))) if last > first => (first, last - 1),
            Some(((first, _), (last, _))) => (first, last),
            None => (self.cursor().0, self.cursor().0),
        }
    }
    fn edit_lines(&mut self, change: impl Fn(&str) -> String) {
        let (first, last) = self.rows();
        let selected = self.selection().is_some();
        let (row, col) = self.cursor();
        let old = self.line(row).chars().count();
        let changed = |(i, line): (usize, &String)| if (first..=last).contains(&i) { change(line) } else { line.clone() };
        let lines: Vec<String> = self.lines().iter().enumerate().map(changed).collect();
        if lines == self.lines() {
            return;
        }
        let new = lines.get(row).map_or(0, |l| l.chars().count());
        let col = (col + new).saturating_sub(old).min(new);
        self.replace(&lines.join("\n"), (row, col));
        if selected {
            self.jump((first, 0));
            self.area.start_selection();
            self.jump((last, usize::MAX));
        }
    }
    /// Another text in place of this one, as one undo step.
    pub fn replace(&mut self, text: &str, cursor: (usize, usize)) {
        self.before(Edit::Other, false);
        self.area = self.fresh(text, cursor);
        self.after(Edit::Other, false);
    }
    /// Replaces the characters `from..to` of a row.
    pub fn replace_range(&mut self, row: usize, from: usize, to: usize, with: &str) {
        let mut lines = self.lines().to_vec();
        let Some(line) = lines.get_mut(row) else { return };
        let head: String = line.chars().take(from).collect();
        let tail: String = line.chars().skip(to).collect();
        *line = format!("{head}{with}{tail}");
        self.replace(&lines.join("\n"), (row, from + with.chars().count()));
    }

    pub fn undo(&mut self) -> bool {
        let Some(back) = self.undo.pop() else { return false };
        self.redo.push(Snapshot { text: self.text(), cursor: self.cursor() });
        self.restore(back);
        true
    }
    pub fn redo(&mut self) -> bool {
        let Some(again) = self.redo.pop() else { return false };
        self.undo.push(Snapshot { text: self.text(), cursor: self.cursor() });
        self.restore(again);
        true
    }
    fn restore(&mut self, snapshot: Snapshot) {
        self.area = self.fresh(&snapshot.text, snapshot.cursor);
        self.last = None;
        self.version += 1;
    }
    fn fresh(&self, text: &str, cursor: (usize, usize)) -> TextArea<'static> {
        let mut area = area(text, cursor);
        area.set_yank_text(self.area.yank_text());
        area
    }

    /// Moves; `select` keeps or begins a selection.
    pub fn go(&mut self, to: CursorMove, select: bool) {
        self.keep_selection(select);
        self.area.move_cursor(to);
    }
    /// Moves by rows, the column kept where the row has it.
    pub fn go_rows(&mut self, rows: isize, select: bool) {
        self.keep_selection(select);
        let (row, col) = self.cursor();
        let last = self.lines().len().saturating_sub(1);
        self.jump((row.saturating_add_signed(rows).min(last), col));
    }
    /// To the first character of the line that is not a space, then to its very head.
    pub fn go_head(&mut self, select: bool) {
        self.keep_selection(select);
        let (row, col) = self.cursor();
        let text = self.line(row).chars().take_while(|c| *c == ' ').count();
        self.jump((row, if col == text { 0 } else { text }));
    }
    /// Puts the cursor at a place, without a selection.
    pub fn place(&mut self, at: (usize, usize)) {
        self.area.cancel_selection();
        self.jump(at);
    }
    fn keep_selection(&mut self, select: bool) {
        if !select {
            self.area.cancel_selection();
        } else if !self.area.is_selecting() {
            self.area.start_selection();
        }
    }
    fn jump(&mut self, (row, col): (usize, usize)) {
        jump(&mut self.area, (row, col));
    }

    /// What is selected, also kept for [`Buffer::yank`].
    pub fn copy(&mut self) -> Option<String> {
        self.selection()?;
        self.area.copy();
        Some(self.area.yank_text())
    }
    /// Pastes what was copied.
    pub fn yank(&mut self) {
        let text = self.area.yank_text();
        self.paste(&text);
    }
    /// To the next (or the last) place of a text; letters match both cases unless one is a capital.
    pub fn find(&mut self, wanted: &str, forward: bool, here: bool) -> bool {
        if wanted.is_empty() {
            return false;
        }
        let fold = if wanted.chars().any(char::is_uppercase) { "" } else { "(?i)" };
        let found = self.area.set_search_pattern(format!("{fold}{}", regex::escape(wanted))).is_ok()
            && if forward { self.area.search_forward(here) } else { self.area.search_back(here) };
        self.area.cancel_selection();
        found
    }
}

fn area(text: &str, cursor: (usize, usize)) -> TextArea<'static> {
    let mut area = TextArea::new(text.split('\n').map(String::from).collect());
    area.set_max_histories(0); // undo is ours
    jump(&mut area, cursor);
    area
}

fn jump(area: &mut TextArea<'static>, (row, col): (usize, usize)) {
    let last = area.lines().len().saturating_sub(1);
    let row = row.min(last);
    let col = col.min(area.lines().get(row).map_or(0, |l| l.chars().count()));
    area.move_cursor(CursorMove::Jump(u16::try_from(row).unwrap_or(u16::MAX), u16::try_from(col).unwrap_or(u16::MAX)));
}

/// How deep the line after this text begins.
pub(super) fn next_indent(head: &str) -> usize {
    let spaces = head.chars().take_while(|c| *c == ' ').count();
    let code = head.split(" #").next().unwrap_or("").trim_end();
    let body = code.trim_start();
    if body.starts_with('#') {
        return spaces;
    }
    let dash = if body.starts_with("- ") { body.len() - body.trim_start_matches(['-', ' ']).len() } else { 0 };
    let opens = body.ends_with([':', '[', '{']);
    let block = body.rsplit(": ").next().is_some_and(|v| matches!(v, "|" | "|-" | "|+" | ">" | ">-" | ">+"));
    spaces
        + if opens || block {
            dash + 2
        } else if dash > 0 && body.contains(": ") {
            dash
        } else {
            0
        }
}
