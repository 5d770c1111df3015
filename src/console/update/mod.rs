//! What each message does to the state, and which effects it asks for. Pure: no clock, disk, network or terminal.

mod answers;
mod ask;
mod base;
mod bulk;
mod confirm;
mod drawn;
pub(super) mod edit;
mod goto;
pub(super) mod guard;
mod holding;
mod leaving;
mod log;
mod mouse;
mod palette;
mod peek;
mod plan;
mod pools;
mod question;
mod running;
mod settle;
mod sheets;
mod strays;
mod travel;
mod undo;
mod verbs;
mod views;
mod waves;
mod writing;

use super::effect::Effect;
use super::keys::{Action, Pressed};
use super::msg::Msg;
use super::state::{Field, HostQuestion, Layer, Place, PlanFocus, SENT, State, Travel};
use crate::deck::look::{Draft, EditTarget, Target};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Applies one message.
pub fn update(state: &mut State, msg: Msg) -> Vec<Effect> {
    // What only tells the time or redraws leads nowhere.
    let before =
        (!matches!(msg, Msg::Tick { .. } | Msg::Painted { .. } | Msg::Sent | Msg::Arrived { .. } | Msg::Look(_) | Msg::LogLines { .. }))
            .then(|| Place::of(state));
    let mut effects = match msg {
        Msg::Key { key, now_ms } => {
            state.now_ms = state.now_ms.max(now_ms);
            state.last_key_ms = state.now_ms;
            on_key(state, key)
        }
        Msg::Paste(text) => paste(state, &text),
        Msg::Resize(width, height) => {
            state.size = (width, height);
            Vec::new()
        }
        Msg::Tick { now_ms } => {
            state.now_ms = state.now_ms.max(now_ms);
            if state.toast.as_ref().is_some_and(|toast| toast.until_ms <= state.now_ms) {
                state.toast = None;
            }
            edit::tick(state)
        }
        Msg::Sent => {
            drawn::sent(state);
            return Vec::new();
        }
        Msg::Arrived { now_ms } => {
            drawn::arrived(state, now_ms);
            return Vec::new();
        }
        Msg::Painted { now_ms } => {
            drawn::painted(state, now_ms);
            return Vec::new();
        }
        Msg::Mouse { mouse, x, y, now_ms } => {
            state.now_ms = state.now_ms.max(now_ms);
            state.last_key_ms = state.now_ms;
            mouse::act(state, mouse, x, y)
        }
        Msg::Look(look) => {
            if look.habits != state.look.habits {
                state.habits = look.habits.clone();
            }
            // Of what came since the look before; at the first one all is history.
            let told = state.look.last_event;
            let rings = told > 0 && look.events.iter().take_while(|event| event.seq > told).any(|event| event.alert().is_some());
            state.look = look;
            for pane in settle::panes_mut(state) {
                (pane.stale, pane.prepared) = (true, None);
            }
            let mut effects = edit::looked(state);
            if rings {
                effects.push(Effect::Bell);
            }
            effects
        }
        Msg::Asked { ticket, lines, echo } => {
            state.layers.push(Layer::Question(Box::new(HostQuestion { ticket, lines, echo, field: Field::default(), painted_ms: None })));
            Vec::new()
        }
        answer => answers::take(state, answer),
    };
    settle::settle(state);
    if let Some(before) = before {
        Travel::note(state, before);
    }
    effects.extend(peek::follow(state));
    effects
}

/// What is shown first: the view that this user chose, else the dash.
pub fn begin(state: &mut State) {
    views::begin(state);
    settle::settle(state);
}

/// The drafts of open editors that were not kept yet.
pub fn last_drafts(state: &mut State, now_ms: i64) -> Vec<(EditTarget, Option<Draft>)> {
    edit::last_drafts(state, now_ms)
}

/// Opens an object over the dash, as Enter does.
pub fn open(state: &mut State, target: &Target) -> Vec<Effect> {
    let effects = goto::open(state, target);
    settle::settle(state);
    effects
}

/// A paste goes into the text field that has the focus, and nowhere else.
fn paste(state: &mut State, text: &str) -> Vec<Effect> {
    match state.layers.last_mut() {
        Some(Layer::Editor(_)) => return edit::paste(state, text),
        Some(Layer::Palette(palette)) => {
            palette.field.insert(text);
            palette::search(state);
        }
        Some(Layer::Filter { field, .. }) => {
            field.insert(text);
            base::apply_filter(state);
        }
        Some(Layer::Question(question)) if question.painted_ms.is_some_and(|at| at != SENT) => question.field.insert(text),
        Some(Layer::Ask(ask)) => {
            let focus = ask.focus;
            if let Some((_, field)) = ask.fields.get_mut(focus) {
                field.insert(text);
            }
        }
        Some(Layer::Plan(plan)) if plan.focus == PlanFocus::Why => plan.why.insert(text),
        Some(Layer::Log(log)) if log.finding => {
            log.find.insert(text);
            log::written(log);
        }
        _ => {}
    }
    Vec::new()
}

fn on_key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    if matches!(state.layers.last(), Some(Layer::Leaving { .. })) {
        return Vec::new();
    }
    if !drawn::is_heard(state) {
        return Vec::new();
    }
    let interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    if matches!(state.layers.last(), Some(Layer::Editor(_))) {
        return edit::key(state, key);
    }
    if interrupt && matches!(state.layers.last(), Some(Layer::Question(_))) {
        return question::key(state, KeyEvent::from(KeyCode::Esc));
    }
    if interrupt && !state.layers.is_empty() {
        return goto::pop(state);
    }
    // Text fields and menus take their keys whole.
    match state.layers.last() {
        Some(Layer::Palette(_)) => return palette::key(state, key),
        Some(Layer::Filter { .. }) => return base::filter_key(state, key),
        Some(Layer::Ask(_)) => return ask::key(state, key),
        Some(Layer::Question(_)) => return question::key(state, key),
        Some(Layer::Menu { .. }) => return verbs::menu_key(state, key),
        Some(Layer::Columns(_)) => return views::columns_key(state, key),
        Some(Layer::Plan(plan)) if plan.focus == PlanFocus::Why => {
            if let Some(effects) = plan::why_key(state, key) {
                return effects;
            }
        }
        Some(Layer::Plan(plan)) if plan.focus == PlanFocus::Name => {
            if let Some(effects) = plan::name_key(state, key) {
                return effects;
            }
        }
        Some(Layer::Confirm(question)) if question.protected.is_some() => {
            if let Some(effects) = confirm::name_key(state, key) {
                return effects;
            }
        }
        Some(Layer::Log(log)) if log.finding => return log::find_key(state, key),
        _ => {}
    }
    let places = state.places();
    let pending = state.pending.take();
    let pressed = match state.keys.action(places, pending, key) {
        // The chord came to nothing: the key counts by itself.
        Pressed::Nothing if pending.is_some() => state.keys.action(places, None, key),
        pressed => pressed,
    };
    let act = match pressed {
        Pressed::Begins => {
            state.pending = Some(key);
            return Vec::new();
        }
        Pressed::Nothing => {
            if state.is_empty_home() && state.layers.is_empty() {
                return base::welcome_key(state, key);
            }
            if matches!(state.layers.last(), Some(Layer::Plan(_))) {
                return plan::typed(state, key);
            }
            return base::sort_key(state, key);
        }
        Pressed::Action(act) => act,
    };
    // Only lists have a left and a right of their own.
    let act = match (act, state.layers.last()) {
        (Action::Left, Some(Layer::Plan(_) | Layer::Log(_))) => Action::Out,
        (act, _) => act,
    };
    if state.is_empty_home() && state.layers.is_empty() && matches!(act, Action::Logs | Action::Describe | Action::In) {
        return base::welcome_key(state, key);
    }
    match state.layers.last() {
        Some(Layer::Confirm(_)) => confirm::act(state, act),
        Some(Layer::Plan(_)) => plan::act(state, act),
        Some(Layer::Log(_)) => log::act(state, act),
        _ => base::act(state, act),
    }
}
