//! After every message: rows get their order where they may move, and the windows follow the cursors.

use crate::console::rows::order;
use crate::console::state::{Layer, Order, Pane, RowId, STILL_MS, Slot, State, Tab};
use crate::console::view::layout;
use std::collections::HashSet;

/// Every pane there is.
pub fn panes_mut(state: &mut State) -> impl Iterator<Item = &mut Pane> {
    state.panes.values_mut().chain(state.layers.iter_mut().filter_map(|layer| match layer {
        Layer::List { pane, .. } | Layer::Dispatch { pane, .. } => Some(pane.as_mut()),
        _ => None,
    }))
}

/// Orders what is visible and stale; keeps the windows around the cursors.
pub fn settle(state: &mut State) {
    if state.tab == Tab::Dash && !layout::dash(state).iter().any(|(slot, _)| *slot == state.focus) {
        state.focus = Slot::DashSwarms;
    }
    // Rows hold still for a second after a key, and while anything is marked or lies open on top.
    let menu_open = state.layers.last().is_some_and(|layer| !layer.is_screen() && !matches!(layer, Layer::Filter { .. }));
    let still = state.now_ms - state.last_key_ms < STILL_MS || !state.marks.is_empty() || menu_open;
    let look = state.look.clone();
    let now_ms = state.now_ms;
    let heights = layout::heights(state);
    let places = layout::visible(state);
    // The operator asked for another order or filter: where the cursor's object is not among the rows it begins at the first.
    let asked = state.last_key_ms == 0;
    if asked {
        state.last_key_ms = now_ms - STILL_MS;
    }
    let refresh = |pane: &mut Pane, height: usize| {
        if pane.stale || (pane.unordered && !still) {
            let fresh = order(&look, now_ms, pane);
            pane.prepared = fresh.prepared;
            if still && !pane.order.is_empty() {
                // What is gone goes, what is new comes at the end; nothing else moves before the rows may.
                let kept = keep_places(&pane.order, &fresh.rows);
                pane.take(kept.into(), fresh.total);
                pane.unordered = true;
            } else {
                pane.take(fresh.rows, fresh.total);
                pane.unordered = false;
            }
        }
        if asked && pane.at().is_none() {
            pane.put(0);
        }
        pane.scroll(height);
    };
    for slot in places {
        let height = heights.get(&slot).copied().unwrap_or(1);
        // On the dash a pane without the focus follows what it shows: the newest events, and the first row when its object is gone.
        let unfocused = state.tab == Tab::Dash && slot != state.focus;
        // The panes that it follows come before it.
        let selected = (slot == Slot::DashProcs).then(|| selected_scope(state));
        if let Some(pane) = state.panes.get_mut(&slot) {
            if let Some(scope) = selected.filter(|scope| *scope != pane.scope) {
                *pane = Pane::new(pane.kind, scope);
            }
            if unfocused && slot == Slot::Latest && pane.stale {
                *pane = Pane { filter: pane.filter.clone(), trouble_only: pane.trouble_only, ..Pane::new(pane.kind, pane.scope.clone()) };
            }
            refresh(pane, height);
            if unfocused && pane.at().is_none() {
                pane.put(0);
            }
        }
    }
    let height = layout::screen_rows(state.size);
    if let Some(Layer::List { pane, .. } | Layer::Dispatch { pane, .. }) = state.layers.iter_mut().rev().find(|layer| layer.is_screen()) {
        refresh(pane, height);
    }
    let gone: Vec<_> = state.marks.iter().filter(|target| !crate::console::rows::find::exists(&state.look, target)).cloned().collect();
    for target in gone {
        state.marks.remove(&target);
    }
}

fn keep_places(old: &Order, fresh: &Order) -> Vec<RowId> {
    let there: HashSet<&RowId> = fresh.iter().collect();
    let known: HashSet<&RowId> = old.iter().collect();
    let mut kept: Vec<RowId> = old.iter().filter(|id| there.contains(id)).cloned().collect();
    kept.extend(fresh.iter().filter(|id| !known.contains(id)).cloned());
    kept
}

/// What the dash's procs pane shows: the procs of what is selected beside it.
fn selected_scope(state: &State) -> crate::console::state::Scope {
    use crate::console::state::Scope;
    use crate::deck::look::Target;
    let slot = if state.focus == Slot::DashHosts { Slot::DashHosts } else { Slot::DashSwarms };
    match state.panes.get(&slot).map(|pane| &pane.cursor.0) {
        Some(Target::Swarm(id)) => Scope::Swarm(id.clone()),
        Some(Target::Host(name)) => Scope::Host(name.clone()),
        _ => Scope::All,
    }
}
