//! What lies over a screen: menu, palette, filter line, help, questions.

use super::{Pen, layout};
use crate::console::keys::{Keymap, Where};
use crate::console::rows::find;
use crate::console::state::{Ask, Columns, Confirm, Field, HostQuestion, Layer, Palette, State, verbs_on};
use crate::console::theme::Role;
use crate::deck::verbs::{Danger, VERBS};
use crate::model::shown::shown;
use ratatui::layout::{Position, Rect};
use unicode_width::UnicodeWidthStr;

/// Draws one layer; answers where the cursor belongs, if it is here.
pub fn draw(pen: &mut Pen<'_>, state: &State, layer: &Layer) -> Option<Position> {
    match layer {
        Layer::Columns(columns) => self::columns(pen, columns),
        Layer::Menu { target, cursor } => menu(pen, state, target, *cursor),
        Layer::Palette(palette) => self::palette(pen, palette),
        Layer::Filter { field, .. } => {
            let y = pen.area.bottom().saturating_sub(2);
            pen.clear(Rect { y, height: 1, ..pen.area });
            let end = pen.text(pen.area.x, y, pen.area.width, "/", Role::Focus);
            Some(input(pen, end, y, pen.area.right().saturating_sub(end), field))
        }
        Layer::Help { top } => help(pen, state, *top),
        Layer::Ask(ask) => self::ask(pen, ask),
        Layer::Question(question) => self::question(pen, question),
        Layer::Confirm(confirm) => self::confirm(pen, confirm),
        Layer::Leaving { said, .. } => leaving(pen, said),
        _ => None,
    }
}

/// A box of that inside, in the middle.
fn middle(pen: &Pen<'_>, width: u16, height: u16) -> Rect {
    let width = width.saturating_add(4).min(pen.area.width);
    // Below the first line, which says whose fleet it is.
    let top = u16::from(pen.area.height > 4);
    let height = height.saturating_add(2).min(pen.area.height - top);
    let y = pen.area.y + ((pen.area.height - height) / 2).max(top);
    Rect { x: pen.area.x + (pen.area.width - width) / 2, y, width, height }
}

fn input(pen: &mut Pen<'_>, x: u16, y: u16, width: u16, field: &Field) -> Position {
    let skip = field.cursor.saturating_sub(usize::from(width.max(2)) - 2);
    let seen: String = field.text.chars().skip(skip).collect();
    pen.text(x, y, width, &seen, Role::Input);
    Position::new(x + (field.cursor - skip) as u16, y)
}

fn menu(pen: &mut Pen<'_>, state: &State, target: &crate::deck::look::Target, cursor: usize) -> Option<Position> {
    let verbs = verbs_on(target);
    let several = state.marks.len() > 1 && state.marks.contains(target);
    let several = if several { format!("{} marked; ", state.marks.len()) } else { String::new() };
    let title = format!("{several}{} {}", find::kind(target), find::name(&state.look, target));
    let width = verbs.iter().map(|verb| verb.title.len() + 8).max().unwrap_or(20).max(title.chars().count() + 4);
    let area = middle(pen, width as u16, verbs.len() as u16);
    let inside = pen.frame(area, &title);
    let mut at = None;
    let top = (cursor + 1).saturating_sub(usize::from(inside.height.max(1)));
    for (y, (number, verb)) in (inside.y..inside.bottom()).zip(verbs.iter().enumerate().skip(top)) {
        let key = verb.typed();
        let danger = if verb.danger == Danger::High { "!" } else { " " };
        pen.text(inside.x, y, inside.width, &format!("  {key:<3}"), Role::Key);
        pen.text(
            inside.x + 5,
            y,
            inside.width.saturating_sub(5),
            &format!("{danger} {}", verb.title),
            if verb.danger == Danger::High { Role::Wrong } else { Role::Text },
        );
        if number == cursor {
            pen.lay(Rect { y, height: 1, ..inside }, Role::Selection);
            pen.text(inside.x, y, 1, ">", Role::Selection);
            at = Some(Position::new(inside.x, y));
        }
    }
    at
}

/// The columns of a list, each with its tick.
fn columns(pen: &mut Pen<'_>, layer: &Columns) -> Option<Position> {
    let all = crate::console::rows::columns(layer.kind);
    let area = middle(pen, 34, layer.rows.len() as u16);
    let inside = pen.frame(area, &format!("columns of {}", layer.kind.word()));
    let top = (layer.cursor + 1).saturating_sub(usize::from(inside.height.max(1)));
    let mut at = None;
    for (y, (number, (column, shown))) in (inside.y..inside.bottom()).zip(layer.rows.iter().enumerate().skip(top)) {
        let title = all.get(*column).map_or("", |column| column.title);
        let tick = if *shown { "[x]" } else { "[ ]" };
        pen.text(inside.x, y, inside.width, &format!("  {tick} {title}"), if *shown { Role::Text } else { Role::Dim });
        if number == layer.cursor {
            pen.lay(Rect { y, height: 1, ..inside }, Role::Selection);
            pen.text(inside.x, y, 1, ">", Role::Selection);
            at = Some(Position::new(inside.x, y));
        }
    }
    at
}

fn palette(pen: &mut Pen<'_>, palette: &Palette) -> Option<Position> {
    let width = pen.area.width.saturating_sub(8).min(100);
    let height = pen.area.height.saturating_sub(6).min(20);
    let area = middle(pen, width, height);
    let inside = pen.frame(area, "go");
    if inside.height == 0 {
        return None;
    }
    pen.text(inside.x, inside.y, inside.width, ":", Role::Focus);
    let at = input(pen, inside.x + 1, inside.y, inside.width.saturating_sub(1), &palette.field);
    let rows = usize::from(inside.height.saturating_sub(1));
    let top = (palette.cursor + 1).saturating_sub(rows.max(1));
    if palette.items.is_empty() {
        pen.text(inside.x + 2, inside.y + 1, inside.width.saturating_sub(2), "nothing is called so", Role::Dim);
    }
    for (number, item) in palette.items.iter().enumerate().skip(top).take(rows) {
        let y = inside.y + 1 + (number - top) as u16;
        let note = pen.width(&item.note).min(inside.width);
        pen.text(inside.x + 2, y, inside.width.saturating_sub(note + 3), &item.text, Role::Text);
        pen.right(inside.x, y, inside.width, &item.note, Role::Key);
        if number == palette.cursor {
            pen.lay(Rect { y, height: 1, ..inside }, Role::Selection);
            pen.text(inside.x, y, 1, ">", Role::Selection);
        }
    }
    Some(at)
}

/// The help, made from the live keymap and the table of verbs.
pub fn help_lines(keys: &Keymap) -> Vec<(Role, String)> {
    let mut lines = vec![(Role::Title, "small letters look - CAPITALS sort by the column with that letter - . acts".to_string())];
    for place in Where::ALL {
        lines.push((Role::Text, String::new()));
        lines.push((Role::Title, place.title().to_uppercase()));
        for binding in keys.bound().iter().filter(|binding| binding.place == place) {
            lines.push((Role::Text, format!("  {:<14}{}", binding.keys.join("  "), binding.title)));
        }
    }
    lines.push((Role::Text, String::new()));
    lines.push((Role::Title, "VERBS  each opens a plan or one question; Cancel has the focus; + several marked rows at once".into()));
    lines.push((Role::Title, "  key  on         danger   : line           what it does, and the same on the command line".into()));
    for verb in VERBS {
        let key = if verb.typed().is_empty() { ":".to_string() } else { verb.typed() };
        let many = if verb.many { '+' } else { ' ' };
        let role = if verb.danger == Danger::High { Role::Wrong } else { Role::Text };
        let (on, danger) = (verb.on.word(), verb.danger.word());
        lines.push((role, format!(" {many}{key:<5}{on:<11}{danger:<8}{:<17}{}", verb.id, verb.title)));
        lines.push((Role::Dim, format!("{:44}swarmdeck {}", "", verb.cli)));
    }
    lines.push((Role::Text, String::new()));
    lines.push((Role::Title, "GLYPHS  * ok  ~ moving  ! wrong  ? not seen  o off  . note  > cursor  + marked".into()));
    lines.push((
        Role::Title,
        "LISTS   :apps :buildpacks :squads :releases [SWARM] :balancers :pools :uptests :holds :waves :audit :undo  :columns".into(),
    ));
    lines.push((Role::Title, "VIEWS   :dash save NAME  :dash NAME  :dash default NAME (opens first)  :dash forget NAME".into()));
    lines.push((Role::Title, "FILTER  text  !not  ~fuzzy  state:fatal  host:web*  app:  squad:  swarm:  version:  user:  type:  since:2h  until:9:00  - all must hold".into()));
    lines.push((
        Role::Title,
        "HERE    :write 15m WHY, :write off (a read-only fleet)  :utc :local  :mouse  :theme NAME  - keys: keys.yaml beside your themes"
            .into(),
    ));
    lines
}

fn help(pen: &mut Pen<'_>, state: &State, top: usize) -> Option<Position> {
    let lines = help_lines(&state.keys);
    let inside = pen.frame(layout::help(pen.area), "help");
    let top = top.min(lines.len().saturating_sub(usize::from(inside.height)));
    for (y, (role, text)) in (inside.y..inside.bottom()).zip(lines.iter().skip(top)) {
        pen.text(inside.x, y, inside.width, text, *role);
    }
    Some(Position::new(inside.x, inside.y))
}

fn ask(pen: &mut Pen<'_>, ask: &Ask) -> Option<Position> {
    let width = pen.area.width.saturating_sub(12).min(64);
    let area = middle(pen, width, ask.fields.len() as u16 + 2);
    let inside = pen.frame(area, &ask.title);
    let mut at = None;
    for (number, (label, field)) in ask.fields.iter().enumerate() {
        let y = inside.y + 1 + number as u16;
        if y >= inside.bottom() {
            break;
        }
        let focused = number == ask.focus;
        pen.text(inside.x, y, 10, label, if focused { Role::Focus } else { Role::Title });
        let room = inside.width.saturating_sub(10);
        pen.text(inside.x + 10, y, room, &"_".repeat(usize::from(room)), Role::Dim);
        let place = input(pen, inside.x + 10, y, room, field);
        if focused {
            at = Some(place);
        }
    }
    at
}

/// A host asks; what must not be seen is one star a character.
fn question(pen: &mut Pen<'_>, question: &HostQuestion) -> Option<Position> {
    let width = pen.area.width.saturating_sub(12).min(70);
    let area = middle(pen, width, question.lines.len() as u16 + 2);
    let inside = pen.frame(area, "A host asks");
    for (y, line) in (inside.y..inside.bottom()).zip(&question.lines) {
        pen.text(inside.x, y, inside.width, &shown(line), Role::Title);
    }
    let y = inside.y + question.lines.len() as u16 + 1;
    if y >= inside.bottom() {
        return None;
    }
    let mut field = question.field.clone();
    if !question.echo {
        field.text = "*".repeat(field.text.chars().count());
    }
    pen.text(inside.x, y, inside.width, &"_".repeat(usize::from(inside.width)), Role::Dim);
    Some(input(pen, inside.x, y, inside.width, &field))
}

/// The screen is about to go; it stays when that fails.
fn leaving(pen: &mut Pen<'_>, said: &str) -> Option<Position> {
    let width = pen.area.width.saturating_sub(12).min(70);
    let lines = super::footer::wrap(&shown(said), usize::from(width.max(1)));
    let area = middle(pen, width, lines.len() as u16 + 2);
    let inside = pen.frame(area, "Leaving");
    for (y, line) in (inside.y..inside.bottom()).zip(&lines) {
        pen.text(inside.x, y, inside.width, line, Role::Moving);
    }
    let y = inside.bottom().saturating_sub(1);
    pen.text(inside.x, y, inside.width, "If that fails you stay, and it is said why.", Role::Dim);
    None
}

/// How a question stands on a screen.
struct Stands {
    width: u16,
    lines: Vec<String>,
    /// The buttons one under the other.
    stacked: bool,
    /// Rows for buttons, and for the name of what is protected.
    rows: u16,
}

fn label(confirm: &Confirm, number: usize, text: &str) -> String {
    if number == confirm.focus { format!("[[ {text} ]]") } else { format!(" [ {text} ] ") }
}

fn stands(width: u16, confirm: &Confirm) -> Stands {
    let wide = |text: &str| u16::try_from(shown(text).width()).unwrap_or(u16::MAX);
    let mut said = confirm.lines.clone();
    said.extend(confirm.protected.iter().map(|by| format!("! {}: type {} to go on", by.line(), by.asked())));
    let labels = confirm.buttons.iter().enumerate().map(|(number, button)| wide(&label(confirm, number, &button.label)).saturating_add(2));
    let buttons = labels.fold(0u16, u16::saturating_add);
    let widest = said.iter().map(|line| wide(line)).max().unwrap_or(0);
    let width = buttons.max(widest).max(wide(&confirm.title).saturating_add(4)).min(width.saturating_sub(4));
    let lines: Vec<String> = said.iter().flat_map(|line| super::footer::wrap(line, usize::from(width.max(1)))).collect();
    let stacked = buttons > width;
    let rows = if stacked { confirm.buttons.len() as u16 } else { 1 } + u16::from(confirm.protected.is_some());
    Stands { width, lines, stacked, rows }
}

/// How many lines a question has, and how many of them a screen of this size shows at once.
pub fn confirm_room(size: (u16, u16), confirm: &Confirm) -> (usize, usize) {
    let stands = stands(size.0, confirm);
    let room = usize::from(size.1.saturating_sub(3 + stands.rows));
    (stands.lines.len(), if stands.lines.len() > room { room.saturating_sub(1) } else { stands.lines.len() })
}

fn confirm(pen: &mut Pen<'_>, confirm: &Confirm) -> Option<Position> {
    let label = |number: usize, text: &str| label(confirm, number, text);
    let Stands { width, lines, stacked, rows } = stands(pen.area.width, confirm);
    let (total, seen) = confirm_room((pen.area.width, pen.area.height), confirm);
    let area = middle(pen, width, (lines.len() as u16).saturating_add(1 + rows));
    let inside = pen.frame(area, &confirm.title);
    let top = confirm.top.min(total.saturating_sub(seen));
    for (y, line) in (inside.y..inside.bottom().saturating_sub(rows)).zip(lines.iter().skip(top).take(seen)) {
        pen.text(inside.x, y, inside.width, line, if line.starts_with('!') { Role::Wrong } else { Role::Text });
    }
    if total > seen {
        let y = inside.bottom().saturating_sub(rows + 1).max(inside.y);
        let more = format!("-- {} of {total} lines; pgdn, pgup --", (top + seen).min(total));
        pen.text(inside.x, y, inside.width, &more, Role::Note);
    }
    let mut y = inside.bottom().saturating_sub(rows);
    let mut x = inside.x;
    let mut at = None;
    let named = confirm.protected.is_some().then(|| {
        pen.text(inside.x, y, 5, "NAME", Role::Title);
        let room = inside.width.saturating_sub(5);
        pen.text(inside.x + 5, y, room, &"_".repeat(usize::from(room)), Role::Dim);
        y += 1;
        input(pen, inside.x + 5, y - 1, room, &confirm.name)
    });
    for (number, button) in confirm.buttons.iter().enumerate() {
        let text = label(number, &button.label);
        let focused = number == confirm.focus;
        let end = pen.text(x, y, inside.right().saturating_sub(x), &text, if focused { Role::ButtonFocus } else { Role::Button });
        if focused {
            at = Some(Position::new((x + 3).min(end), y));
        }
        if stacked {
            y += 1;
        } else {
            x = end + 2;
        }
    }
    // While the name is not there yet, that is where one types.
    let whole = confirm.protected.as_ref().is_none_or(|by| by.is_named(&confirm.name.text));
    if whole { at } else { named.or(at) }
}
