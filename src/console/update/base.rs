//! Keys of lists and of the screens that only look.

use super::{bulk, goto, leaving, palette, sheets, travel, verbs};
use crate::console::effect::Effect;
use crate::console::keys::Action;
use crate::console::rows::{columns, find};
use crate::console::state::{Ask, Asks, Field, Kind, Layer, Sort, State, Tab, TextKind};
use crate::console::view::layout;
use crate::deck::look::Target;
use crossterm::event::{KeyCode, KeyEvent};

/// An action where no question, plan or log is open.
pub fn act(state: &mut State, act: Action) -> Vec<Effect> {
    let page = layout::page(state) as isize;
    match act {
        Action::Down => step(state, 1),
        Action::Up => step(state, -1),
        Action::Top => step(state, isize::MIN / 2),
        Action::Bottom => step(state, isize::MAX / 2),
        Action::HalfDown => step(state, (page / 2).max(1)),
        Action::HalfUp => step(state, -(page / 2).max(1)),
        Action::PageDown => step(state, page.max(1)),
        Action::PageUp => step(state, -page.max(1)),
        Action::In => {
            // On a dispatch the rows are its hosts.
            let target = match state.screen() {
                Some(Layer::Dispatch { pane, .. }) => pane.cursor.0.clone(),
                Some(Layer::Text { .. } | Layer::Sheet(_)) => state.pointed(),
                Some(Layer::List { pane, .. }) if pane.kind == Kind::Undo => {
                    let target = pane.cursor.0.clone();
                    return super::undo::begin(state, &target);
                }
                // The row itself, though its verbs may be those of something near.
                _ => state.pane().filter(|pane| pane.at().is_some()).map_or(Target::Nothing, |pane| pane.cursor.0.clone()),
            };
            return goto::open(state, &target);
        }
        Action::Right if travel::unfold(state) => {}
        Action::Right => return self::act(state, Action::In),
        Action::Left if travel::fold(state) => {}
        Action::Left => return self::act(state, Action::Out),
        Action::Out => {
            if state.zoom && matches!(state.layers.last(), None | Some(Layer::Dispatch { .. })) {
                state.zoom = false;
                return Vec::new();
            }
            // A range ends before anything else.
            if state.range.take().is_some() {
                return Vec::new();
            }
            if state.layers.is_empty() {
                if let Some(pane) = state.pane_mut().filter(|pane| !pane.filter.is_empty() || pane.trouble_only) {
                    pane.filter.clear();
                    pane.trouble_only = false;
                    pane.stale = true;
                    state.last_key_ms = 0;
                }
                state.toast = None;
                return Vec::new();
            }
            // As the empty list says.
            if let Some(Layer::List { pane, .. }) = state.layers.last_mut()
                && pane.order.is_empty()
                && (!pane.filter.is_empty() || pane.trouble_only)
            {
                pane.filter.clear();
                pane.trouble_only = false;
                pane.stale = true;
                state.last_key_ms = 0;
                return Vec::new();
            }
            return goto::pop(state);
        }
        Action::Leave => return if state.layers.is_empty() || is_ours_live(state) { leaving::leave(state) } else { goto::pop(state) },
        Action::Stop => return leaving::leave(state),
        Action::NextPane => goto::next_pane(state, 1),
        Action::PreviousPane => goto::next_pane(state, -1),
        Action::Tab(number) => return Tab::number(number).map(|tab| goto::tab(state, tab)).unwrap_or_default(),
        Action::Palette => palette::open(state),
        Action::Filter if state.pane().is_some() => {
            let before = state.pane().map(|pane| pane.filter.clone()).unwrap_or_default();
            state.layers.push(Layer::Filter { field: Field::new(&before), before });
        }
        Action::TroubleOnly => {
            if let Some(pane) = state.pane_mut() {
                pane.trouble_only = !pane.trouble_only;
                reorder(state);
            }
        }
        Action::Tree => travel::toggle_tree(state),
        Action::Zoom => travel::zoom(state),
        Action::Back => return travel::back(state),
        Action::Forward => return travel::forward(state),
        Action::Yaml => return sheets::yaml(state),
        Action::Difference => return sheets::difference(state),
        Action::History => return sheets::history(state),
        Action::Refresh => return vec![Effect::Refresh],
        Action::Suspend => return vec![Effect::Suspend],
        // What cannot be seen is not marked, nor sorted.
        Action::Mark | Action::MarkAll | Action::MarkRange | Action::ClearMarks | Action::SortColumn if is_covered(state) => {}
        Action::SortColumn => {
            if let Some(pane) = state.pane_mut() {
                let count = columns(pane.kind).len();
                pane.sort = match pane.sort {
                    Sort::Trouble => Sort::Column { column: 0, down: false },
                    Sort::Column { column, down: false } => Sort::Column { column, down: true },
                    Sort::Column { column, .. } if column + 1 < count => Sort::Column { column: column + 1, down: false },
                    Sort::Column { .. } => Sort::Trouble,
                };
                reorder(state);
            }
        }
        Action::Mark => mark(state),
        Action::MarkAll => {
            let all: Vec<Target> = state
                .pane()
                .map(|pane| pane.order.iter().map(|(target, _)| target.clone()).filter(bulk::markable).collect())
                .unwrap_or_default();
            state.marks.extend(all);
        }
        Action::MarkRange => bulk::range(state),
        Action::ClearMarks => {
            state.marks.clear();
            state.range = None;
        }
        Action::Undo => return verbs::start(state, "undo", &Target::Nothing),
        Action::Menu => verbs::open_menu(state),
        Action::Describe => text(state, TextKind::Describe),
        Action::Why => {
            text(state, TextKind::Why);
            let target = state.pointed();
            if matches!(
                target,
                Target::Swarm(_) | Target::Proc(..) | Target::Host(_) | Target::Dispatch(_) | Target::Balancer(_) | Target::Pool(..)
            ) {
                // What is known here is shown at once; what the hosts say takes its place.
                state.why = None;
                return vec![Effect::Why { target }];
            }
        }
        Action::Logs => return goto::logs(state, &state.pointed()),
        Action::LastLife => return goto::last_life(state, &state.pointed()),
        Action::Shell => return verbs::start(state, "shell", &state.pointed()),
        Action::Events => goto::events(state, &state.pointed()),
        Action::Edit => {
            let target = state.pointed();
            return verbs::start(state, "edit", &target);
        }
        Action::Copy if matches!(state.layers.last(), Some(Layer::Sheet(_))) => {
            if let Some(Layer::Sheet(sheet)) = state.layers.last()
                && let Some(Ok(lines)) = &sheet.lines
            {
                let (text, count) = (lines.join("\n"), lines.len());
                state.say(format!("copied: {count} lines"), false);
                return vec![Effect::Copy(text)];
            }
        }
        Action::Copy => {
            let name = find::name(&state.look, &state.pointed());
            if !name.is_empty() {
                state.say(format!("copied: {name}"), false);
                return vec![Effect::Copy(name)];
            }
        }
        Action::Help if !matches!(state.layers.last(), Some(Layer::Help { .. })) => state.layers.push(Layer::Help { top: 0 }),
        _ => {}
    }
    Vec::new()
}

/// Whether a text stands over the rows.
fn is_covered(state: &State) -> bool {
    matches!(state.layers.last(), Some(Layer::Help { .. } | Layer::Text { .. }))
}

/// Whether the screen on top is of a dispatch under way that this process carries: `q` there leaves it going.
fn is_ours_live(state: &State) -> bool {
    matches!(state.layers.last(), Some(Layer::Dispatch { id, .. }) if state.look.carried.contains(id)
        && find::dispatch(&state.look, id).is_some_and(|dispatch| dispatch.outcome.is_none()))
}

/// Moves the cursor, or scrolls the text on top; on the dash the cursor goes on into the next pane.
fn step(state: &mut State, by: isize) {
    let top = match state.layers.last_mut() {
        Some(Layer::Help { top } | Layer::Text { top, .. }) => Some(top),
        Some(Layer::Sheet(sheet)) => Some(&mut sheet.top),
        _ => None,
    };
    if let Some(top) = top {
        *top = top.saturating_add_signed(by.clamp(-1_000_000, 1_000_000)).min(1_000_000);
        layout::clamp_text(state);
        return;
    }
    let moved = state.pane_mut().is_some_and(|pane| pane.step(by));
    bulk::extend(state);
    if !moved && by.abs() == 1 && state.tab == Tab::Dash && state.layers.is_empty() {
        goto::flow(state, by);
    }
}

fn reorder(state: &mut State) {
    // The operator asked for another order: it comes at once.
    state.last_key_ms = 0;
    state.marks.clear();
    state.range = None;
    if let Some(pane) = state.pane_mut() {
        pane.stale = true;
        pane.top = 0;
    }
}

fn mark(state: &mut State) {
    let target = state.pointed();
    if state.pane().is_none() || !bulk::markable(&target) {
        return;
    }
    // One by one from here on.
    state.range = None;
    if !state.marks.remove(&target) {
        state.marks.insert(target);
    }
    step(state, 1);
}

fn text(state: &mut State, kind: TextKind) {
    let target = state.pointed();
    if target != Target::Nothing && !matches!(state.layers.last(), Some(Layer::Text { kind: open, .. }) if *open == kind) {
        state.layers.push(Layer::Text { kind, target, top: 0 });
    }
}

/// A CAPITAL sorts by the column that begins with it, up; again, down; again, by the next one that begins so; then by trouble.
pub fn sort_key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    if is_covered(state) {
        return Vec::new();
    }
    let KeyCode::Char(letter) = key.code else { return Vec::new() };
    if !letter.is_ascii_uppercase() || !key.modifiers.difference(crossterm::event::KeyModifiers::SHIFT).is_empty() {
        return Vec::new();
    }
    let Some(pane) = state.pane_mut() else { return Vec::new() };
    let all = columns(pane.kind).iter().enumerate();
    let begins: Vec<usize> = all.filter(|(_, column)| column.title.starts_with(letter)).map(|(number, _)| number).collect();
    let up = |column: Option<&usize>| column.map_or(Sort::Trouble, |column| Sort::Column { column: *column, down: false });
    let next = match pane.sort {
        Sort::Column { column, down: false } if begins.contains(&column) => Sort::Column { column, down: true },
        Sort::Column { column, down: true } if begins.contains(&column) => up(begins.iter().find(|number| **number > column)),
        _ => up(begins.first()),
    };
    if !begins.is_empty() {
        pane.sort = next;
        reorder(state);
    }
    Vec::new()
}

/// Keys of the filter line: the rows follow while it is typed.
pub fn filter_key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    match key.code {
        KeyCode::Enter | KeyCode::Down | KeyCode::Up => {
            state.layers.pop();
        }
        KeyCode::Esc => {
            if let Some(Layer::Filter { before, .. }) = state.layers.pop()
                && let Some(pane) = state.pane_mut()
            {
                pane.filter = before;
                reorder(state);
            }
        }
        _ => {
            if let Some(Layer::Filter { field, .. }) = state.layers.last_mut() {
                field.key(key);
            }
            apply_filter(state);
        }
    }
    Vec::new()
}

/// Gives the pane the text of the filter line.
pub fn apply_filter(state: &mut State) {
    let Some(Layer::Filter { field, .. }) = state.layers.last() else { return };
    let written = field.text.clone();
    if let Some(pane) = state.pane_mut()
        && pane.filter != written
    {
        pane.filter = written;
        reorder(state);
    }
}

/// The welcome screen's own keys.
pub fn welcome_key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    match key.code {
        KeyCode::Char('d') => verbs::confirm_demo(state),
        KeyCode::Char('h') => {
            let fields = vec![("host", Field::new("local"))];
            state.layers.push(Layer::Ask(Box::new(Ask {
                title: "A first host: a name that ssh knows, or local".into(),
                asks: Asks::AddHost,
                fields,
                focus: 0,
            })));
        }
        KeyCode::Char('a') => {
            let fields = vec![("file", Field::default())];
            state.layers.push(Layer::Ask(Box::new(Ask { title: "Apply a document".into(), asks: Asks::Apply, fields, focus: 0 })));
        }
        _ => {}
    }
    Vec::new()
}
