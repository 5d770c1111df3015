//! Texts that are read when they are opened: YAML and differences, coloured by line.

use super::{Pen, header, layout};
use crate::console::state::Sheet;
use crate::console::state::State;
use crate::console::theme::Role;
use ratatui::layout::{Position, Rect};

/// Draws it.
pub fn draw(pen: &mut Pen<'_>, state: &State, sheet: &Sheet) -> Option<Position> {
    header::draw(pen, state, &sheet.title);
    let body = layout::body(pen.area);
    let inside = Rect { x: body.x + 1, width: body.width.saturating_sub(1), ..body };
    match &sheet.lines {
        None => {
            pen.text(inside.x, inside.y, inside.width, "~ reading", Role::Moving);
        }
        Some(Err(fault)) => {
            for (y, line) in (inside.y..inside.bottom()).zip(super::footer::wrap(&fault.line(), usize::from(inside.width.max(1)))) {
                pen.text(inside.x, y, inside.width, &line, Role::Wrong);
            }
        }
        Some(Ok(lines)) => {
            let difference = lines.first().is_some_and(|line| line.starts_with("@@"));
            for (y, line) in (inside.y..inside.bottom()).zip(lines.iter().skip(sheet.top)) {
                if difference {
                    pen.text(inside.x, y, inside.width, line, changed(line));
                } else {
                    yaml(pen, Rect { y, height: 1, ..inside }, line);
                }
            }
            let shown = sheet.top + usize::from(body.height);
            if lines.len() > shown {
                pen.right(body.x, body.bottom(), body.width, &format!("{} more below", lines.len() - shown), Role::Dim);
            }
        }
    }
    Some(Position::new(body.x, body.y))
}

/// The role of a line of a difference.
fn changed(line: &str) -> Role {
    match line.as_bytes().first() {
        Some(b'+') => Role::DiffAdd,
        Some(b'-') => Role::DiffRemove,
        Some(b'@') => Role::DiffHunk,
        _ => Role::Text,
    }
}

/// A line of YAML: keys stand out, comments and what is masked step back.
fn yaml(pen: &mut Pen<'_>, area: Rect, line: &str) {
    if let Some((glyph @ ('*' | '!' | '~'), true)) = line.chars().next().map(|first| (first, line.get(1..2) == Some(" "))) {
        pen.text(area.x, area.y, area.width, line, crate::console::rows::cells::role_of(glyph));
        return;
    }
    let trimmed = line.trim_start();
    if trimmed.starts_with('#') || line == "---" {
        pen.text(area.x, area.y, area.width, line, Role::Comment);
        return;
    }
    let key = trimmed.trim_start_matches("- ");
    let Some((before, after)) =
        key.split_once(':').filter(|(before, after)| !before.contains(' ') && (after.is_empty() || after.starts_with(' ')))
    else {
        pen.text(area.x, area.y, area.width, line, Role::Text);
        return;
    };
    let lead = line.len() - key.len();
    let end = pen.text(area.x, area.y, area.width, line.get(..lead).unwrap_or_default(), Role::Punctuation);
    let end = pen.text(end, area.y, area.right().saturating_sub(end), before, Role::Key);
    let end = pen.text(end, area.y, area.right().saturating_sub(end), ":", Role::Punctuation);
    let role = if after.contains("****") { Role::Secret } else { Role::Text };
    pen.text(end, area.y, area.right().saturating_sub(end), after, role);
}
