//! Saved views (`:dash`), and the columns of a list (`:columns`): what this user keeps.

use super::goto;
use crate::console::effect::Effect;
use crate::console::rows::{chosen, columns};
use crate::console::state::{Columns, Kind, Layer, Pane, Slot, Sort, State, Tab};
use crate::deck::habits::Dash;
use crossterm::event::{KeyCode, KeyEvent};

/// Opens the view that this user wants first, if there is one.
pub fn begin(state: &mut State) {
    let first = state.habits.first.clone();
    if !first.is_empty() && state.habits.dashes.iter().any(|dash| dash.name == first) && !state.is_empty_home() {
        open(state, &first);
    }
}

/// Keeps the list that is shown, with its filter and order, under a name.
pub fn save(state: &mut State, name: &str) -> Vec<Effect> {
    // On the dash what is seen is the swarms.
    let on_dash = state.layers.is_empty() && state.tab == Tab::Dash;
    let pane = if on_dash { state.panes.get(&Slot::DashSwarms) } else { state.pane() };
    let Some(pane) = pane.filter(|pane| word_of(pane.flat).is_some()) else {
        state.say("open a list, filter it, then save it: :dash save NAME", true);
        return Vec::new();
    };
    let (sort, down) = match pane.sort {
        Sort::Trouble => (String::new(), false),
        Sort::Column { column, down } => (columns(pane.kind).get(column).map(|column| column.title.to_string()).unwrap_or_default(), down),
    };
    let dash = Dash {
        name: name.to_string(),
        list: if on_dash { Tab::Dash.word().into() } else { pane.flat.word().into() },
        filter: pane.filter.clone(),
        trouble_only: pane.trouble_only,
        sort,
        down,
        tree: pane.kind == Kind::Tree,
    };
    state.habits.dashes.retain(|known| known.name != name);
    state.habits.dashes.push(dash);
    state.habits.dashes.sort_by(|a, b| a.name.cmp(&b.name));
    state.say(format!("saved: :dash {name} opens it, :dash default {name} opens it first"), false);
    keep(state)
}

/// Opens a saved view.
pub fn open(state: &mut State, name: &str) -> Vec<Effect> {
    let Some(dash) = state.habits.dashes.iter().find(|dash| dash.name == name).cloned() else {
        state.say(format!("no view is called {name}; :dash save {name} keeps this one"), true);
        return Vec::new();
    };
    let tab = Tab::ALL.into_iter().find(|tab| tab.word() == dash.list);
    let effects = match (tab, kind_of(&dash.list)) {
        (Some(tab), _) => goto::tab(state, tab),
        (None, Some(kind)) => super::travel::list(state, kind, ""),
        (None, None) => Vec::new(),
    };
    state.last_key_ms = 0;
    let pane = if tab == Some(Tab::Dash) { state.panes.get_mut(&Slot::DashSwarms) } else { state.pane_mut() };
    if let Some(pane) = pane {
        apply(pane, &dash);
    }
    effects
}

fn apply(pane: &mut Pane, dash: &Dash) {
    if dash.tree != (pane.kind == Kind::Tree) {
        pane.toggle_tree();
    }
    pane.filter.clone_from(&dash.filter);
    pane.trouble_only = dash.trouble_only;
    let column = columns(pane.kind).iter().position(|column| column.title == dash.sort);
    pane.sort = column.map_or(Sort::Trouble, |column| Sort::Column { column, down: dash.down });
    (pane.stale, pane.top) = (true, 0);
}

/// Which view opens first from now on; "" or one that is not there is none.
pub fn first(state: &mut State, name: &str) -> Vec<Effect> {
    if !state.habits.dashes.iter().any(|dash| dash.name == name) {
        state.say(format!("no view is called {name}"), true);
        return Vec::new();
    }
    state.habits.first = name.to_string();
    state.say(format!("{name} opens first from now on; :dash forget {name} takes that back"), false);
    keep(state)
}

/// Forgets a view.
pub fn forget(state: &mut State, name: &str) -> Vec<Effect> {
    state.habits.dashes.retain(|dash| dash.name != name);
    if state.habits.first == name {
        state.habits.first.clear();
    }
    state.say(format!("{name} is forgotten"), false);
    keep(state)
}

fn keep(state: &State) -> Vec<Effect> {
    vec![Effect::KeepHabits(state.habits.clone())]
}

/// The list's word, if a view may be of it: what belongs to one object may be gone tomorrow.
fn word_of(kind: Kind) -> Option<&'static str> {
    kind_of(kind.word()).map(Kind::word)
}

fn kind_of(word: &str) -> Option<Kind> {
    let tabs = Tab::ALL.into_iter().filter(|tab| *tab != Tab::Dash).map(|tab| tab.slot().kind());
    tabs.chain(Kind::LISTED).find(|kind| kind.word() == word)
}

/// Opens the chooser of the columns of the list that is shown.
pub fn choose_columns(state: &mut State) {
    let Some(kind) = state.pane().map(|pane| pane.kind) else {
        state.say("open a list first", true);
        return;
    };
    let shown = chosen(kind, &state.habits);
    let mut rows: Vec<(usize, bool)> = shown.iter().map(|(number, _)| (*number, true)).collect();
    rows.extend((0..columns(kind).len()).filter(|number| !shown.iter().any(|(known, _)| known == number)).map(|number| (number, false)));
    state.layers.push(Layer::Columns(Box::new(Columns { kind, rows, cursor: 0 })));
}

/// A key of the chooser: space ticks, left and right move a column, enter keeps, `*` takes all as they were at first.
pub fn columns_key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let Some(Layer::Columns(layer)) = state.layers.last_mut() else { return Vec::new() };
    let last = layer.rows.len().saturating_sub(1);
    match key.code {
        KeyCode::Down | KeyCode::Char('j') => layer.cursor = (layer.cursor + 1).min(last),
        KeyCode::Up | KeyCode::Char('k') => layer.cursor = layer.cursor.saturating_sub(1),
        KeyCode::Char(' ') => {
            if let Some((_, shown)) = layer.rows.get_mut(layer.cursor) {
                *shown = !*shown;
            }
        }
        KeyCode::Left | KeyCode::Char('h') if layer.cursor > 0 => {
            layer.rows.swap(layer.cursor, layer.cursor - 1);
            layer.cursor -= 1;
        }
        KeyCode::Right | KeyCode::Char('l') if layer.cursor < last => {
            layer.rows.swap(layer.cursor, layer.cursor + 1);
            layer.cursor += 1;
        }
        KeyCode::Char('*') => layer.rows = (0..columns(layer.kind).len()).map(|number| (number, true)).collect(),
        KeyCode::Enter => {
            let (kind, rows) = (layer.kind, layer.rows.clone());
            state.layers.pop();
            let titles: Vec<String> = rows
                .iter()
                .filter(|(_, shown)| *shown)
                .filter_map(|(number, _)| columns(kind).get(*number))
                .map(|column| column.title.to_string())
                .collect();
            let untouched = rows.iter().enumerate().all(|(place, (number, shown))| *shown && place == *number);
            if untouched || titles.is_empty() {
                state.habits.columns.remove(kind.word());
            } else {
                state.habits.columns.insert(kind.word().to_string(), titles);
            }
            return keep(state);
        }
        KeyCode::Esc | KeyCode::Char('q') => {
            state.layers.pop();
        }
        _ => {}
    }
    Vec::new()
}
