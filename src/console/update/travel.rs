//! `[` and `]`: back to where one was, and forward again. Also tree, zoom and the lists that `:` opens.

use super::goto;
use crate::console::effect::Effect;
use crate::console::rows::{find, tree};
use crate::console::state::{Kind, Layer, Pane, Place, Scope, State, Tab, Travel};
use crate::deck::look::{Look, Target};

/// One place back.
pub fn back(state: &mut State) -> Vec<Effect> {
    match Travel::back(state) {
        Some(place) => arrive(state, place),
        None => {
            state.say("this is where you began", false);
            Vec::new()
        }
    }
}

/// One place forward.
pub fn forward(state: &mut State) -> Vec<Effect> {
    match Travel::forward(state) {
        Some(place) => arrive(state, place),
        None => Vec::new(),
    }
}

fn arrive(state: &mut State, place: Place) -> Vec<Effect> {
    let mut effects = Vec::new();
    while !state.layers.is_empty() {
        effects.extend(goto::pop(state));
    }
    state.marks.clear();
    (state.tab, state.focus, state.layers) = (place.tab, place.focus, place.layers);
    state.last_key_ms = 0;
    effects
}

/// List to tree and back; the cursor stays on its object where that has a row.
pub fn toggle_tree(state: &mut State) {
    state.last_key_ms = 0;
    if !state.pane_mut().is_none_or(Pane::toggle_tree) {
        state.say("swarms and procs have a tree", false);
    }
}

/// Right in a tree: opens what is folded; false where there is nothing to open.
pub fn unfold(state: &mut State) -> bool {
    state.last_key_ms = 0;
    let Some(pane) = state.pane_mut().filter(|pane| pane.kind == Kind::Tree) else { return false };
    let target = pane.cursor.0.clone();
    if matches!(target, Target::Proc(..)) || !pane.is_folded(&target) {
        return false;
    }
    turn(pane, target);
    true
}

/// Left in a tree: folds what is open, else goes to what stands over it; false at the root.
pub fn fold(state: &mut State) -> bool {
    let look = state.look.clone();
    let Some(pane) = state.pane_mut() else { return false };
    if pane.kind != Kind::Tree || !pane.is_plain() {
        return false;
    }
    let target = pane.cursor.0.clone();
    if !matches!(target, Target::Proc(..)) && !pane.is_folded(&target) {
        turn(pane, target);
    } else {
        let Some(parent) = tree::parent(&look, &target) else { return false };
        let Some(row) = pane.order.iter().position(|(known, _)| *known == parent) else { return false };
        pane.put(row);
    }
    state.last_key_ms = 0;
    true
}

fn turn(pane: &mut Pane, target: Target) {
    if !pane.turned.remove(&target) {
        pane.turned.insert(target);
    }
    pane.stale = true;
}

/// The focused pane of the dash alone, or all of them again.
pub fn zoom(state: &mut State) {
    if state.tab == Tab::Dash && state.layers.is_empty() {
        state.zoom = !state.zoom;
    } else if !matches!(state.layers.last(), Some(Layer::Dispatch { .. })) {
        state.say("it fills the screen already", false);
    } else {
        state.zoom = !state.zoom;
    }
}

/// Opens a list with the words after its name: an object that it belongs to, or a filter.
pub fn list(state: &mut State, kind: Kind, words: &str) -> Vec<Effect> {
    let scope = scope_of(&state.look, kind, words);
    let filter = if scope == Scope::All { words.to_string() } else { String::new() };
    if let Some(tab) = Tab::ALL.into_iter().find(|tab| tab.slot().kind() == kind && *tab != Tab::Dash)
        && scope == Scope::All
    {
        let effects = goto::tab(state, tab);
        set_filter(state, filter);
        return effects;
    }
    let title = if words.is_empty() { kind.word().to_uppercase() } else { format!("{} {words}", kind.word().to_uppercase()) };
    goto::list(state, title, kind, scope);
    set_filter(state, filter);
    Vec::new()
}

fn set_filter(state: &mut State, filter: String) {
    state.last_key_ms = 0;
    if let Some(pane) = state.pane_mut().filter(|pane| pane.filter != filter) {
        (pane.filter, pane.stale) = (filter, true);
    }
}

/// What a name means for a list: `:releases shop-prod-web` is that swarm's, `:pools edge` that balancer's.
fn scope_of(look: &Look, kind: Kind, name: &str) -> Scope {
    let swarm = || {
        let mut named = look.swarms.iter().filter(|swarm| swarm.short == name || swarm.name == name);
        let only = named.next()?;
        named.next().is_none().then(|| Scope::Swarm(only.id.clone()))
    };
    let app = || find::app(look, name).map(|app| Scope::App(app.name.clone()));
    let found = match kind {
        Kind::Releases => swarm().or_else(app),
        Kind::Uptests | Kind::Dispatches | Kind::Procs => swarm(),
        Kind::Builds | Kind::Swarms => app(),
        Kind::Pools => find::balancer(look, name).map(|balancer| Scope::Balancer(balancer.name.clone())),
        Kind::Hosts => look.squads.iter().find(|squad| squad.name == name).map(|squad| Scope::Squad(squad.name.clone())),
        _ => None,
    };
    found.unwrap_or(Scope::All)
}
