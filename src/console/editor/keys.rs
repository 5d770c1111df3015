//! Which key does what in the editor (`screens/keymap.txt`, editor).

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_textarea::CursorMove;

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Save,
    SaveAndPlan,
    Fix,
    NextProblem,
    Pane,
    Undo,
    Redo,
    Comment,
    Find,
    External,
    Suspend,
    Leave,
    Indent,
    Outdent,
    Enter,
    Backspace,
    WordBack,
    Delete,
    Type(char),
    /// With whether it selects.
    Go(CursorMove, bool),
    Head(bool),
    /// Rows, in pages when the second is true; whether it selects.
    Rows(isize, bool, bool),
    Copy,
    Yank,
    All,
}

/// Keys for the hint line and for help, most needed first.
pub const HINTS: [(&str, &str); 8] = [
    ("^s", "save"),
    ("^x", "save+plan"),
    ("^t", "fix"),
    ("^n", "next"),
    ("^e", "pane"),
    ("^u", "undo"),
    ("^o", "$EDITOR"),
    ("esc", "keep"),
];

/// The other keys, for help.
pub const MORE: [(&str, &str); 9] = [
    ("^r", "redo"),
    ("^k", "comment"),
    ("^f", "find"),
    ("tab", "complete, or indent"),
    ("s-tab", "outdent"),
    ("s-arrows", "select"),
    ("^a", "select all"),
    ("^c", "copy"),
    ("^v", "paste what was copied"),
];

/// The command of a key; none for keys that mean nothing here.
pub fn command(key: KeyEvent) -> Option<Command> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    let shift = key.modifiers.contains(KeyModifiers::SHIFT);
    let word = ctrl || alt;
    Some(match key.code {
        KeyCode::Char(c) if ctrl && !alt => match c.to_ascii_lowercase() {
            's' => Command::Save,
            'x' => Command::SaveAndPlan,
            't' => Command::Fix,
            'n' => Command::NextProblem,
            'e' => Command::Pane,
            'u' => Command::Undo,
            'r' | 'y' => Command::Redo,
            'k' => Command::Comment,
            'f' => Command::Find,
            'o' => Command::External,
            'z' => Command::Suspend,
            'c' => Command::Copy,
            'v' => Command::Yank,
            'a' => Command::All,
            'w' => Command::WordBack,
            'h' => Command::Backspace,
            'd' => Command::Delete,
            _ => return None,
        },
        KeyCode::Char('b') if alt && !ctrl => Command::Go(CursorMove::WordBack, shift),
        KeyCode::Char('f') if alt && !ctrl => Command::Go(CursorMove::WordForward, shift),
        KeyCode::Char(_) if alt && !ctrl => return None,
        KeyCode::Char(c) if !c.is_control() => Command::Type(c),
        KeyCode::Esc => Command::Leave,
        KeyCode::Tab if shift => Command::Outdent,
        KeyCode::Tab => Command::Indent,
        KeyCode::BackTab => Command::Outdent,
        KeyCode::Enter => Command::Enter,
        KeyCode::Backspace if word => Command::WordBack,
        KeyCode::Backspace => Command::Backspace,
        KeyCode::Delete => Command::Delete,
        KeyCode::Left if word => Command::Go(CursorMove::WordBack, shift),
        KeyCode::Right if word => Command::Go(CursorMove::WordForward, shift),
        KeyCode::Left => Command::Go(CursorMove::Back, shift),
        KeyCode::Right => Command::Go(CursorMove::Forward, shift),
        KeyCode::Up => Command::Rows(-1, false, shift),
        KeyCode::Down => Command::Rows(1, false, shift),
        KeyCode::PageUp => Command::Rows(-1, true, shift),
        KeyCode::PageDown => Command::Rows(1, true, shift),
        KeyCode::Home if ctrl => Command::Go(CursorMove::Top, shift),
        KeyCode::End if ctrl => Command::Go(CursorMove::Bottom, shift),
        KeyCode::Home => Command::Head(shift),
        KeyCode::End => Command::Go(CursorMove::End, shift),
        _ => return None,
    })
}
