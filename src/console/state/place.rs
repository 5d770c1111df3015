//! Where somebody was: a tab and the screens over it, so that `[` and `]` lead back and forth.

use super::{Layer, LogLayer, Pane, Slot, State, Tab};
use crate::deck::look::Target;

/// How many places are remembered.
const REMEMBERED: usize = 50;

/// A place in the console.
#[derive(Debug, Clone)]
pub struct Place {
    pub tab: Tab,
    pub focus: Slot,
    /// Lists, texts and dispatches; what is followed or asked cannot be gone back to.
    pub layers: Vec<Layer>,
}

/// The log beside a wide dash.
#[derive(Debug, Clone)]
pub struct Peek {
    /// What the cursor rests on; nothing where nothing is followed.
    pub target: Target,
    /// Since when it does, ms.
    pub since_ms: i64,
    pub log: Option<Box<LogLayer>>,
}

impl Default for Peek {
    fn default() -> Peek {
        Peek { target: Target::Nothing, since_ms: 0, log: None }
    }
}

/// The places before and after this one, the nearest last.
#[derive(Debug, Clone, Default)]
pub struct Travel {
    back: Vec<Place>,
    forward: Vec<Place>,
    /// The last message was itself a step back or forward.
    stepped: bool,
}

impl Place {
    /// Where the state is.
    pub fn of(state: &State) -> Place {
        Place { tab: state.tab, focus: state.focus, layers: state.layers.iter().filter_map(kept).collect() }
    }

    /// What tells two places apart.
    fn sign(&self) -> (Tab, Vec<String>) {
        let word = |layer: &Layer| match layer {
            Layer::List { title, .. } => format!("list {title}"),
            Layer::Text { kind, target, .. } => format!("{kind:?} {target:?}"),
            Layer::Sheet(sheet) => format!("sheet {}", sheet.title),
            Layer::Dispatch { id, .. } => format!("dispatch {id}"),
            _ => String::new(),
        };
        (self.tab, self.layers.iter().map(word).collect())
    }
}

/// A layer as it is remembered: without its rows, which are found again.
fn kept(layer: &Layer) -> Option<Layer> {
    let bare = |pane: &Pane| {
        Box::new(Pane {
            cursor: pane.cursor.clone(),
            row: pane.row,
            top: pane.top,
            filter: pane.filter.clone(),
            trouble_only: pane.trouble_only,
            sort: pane.sort,
            flat: pane.flat,
            turned: pane.turned.clone(),
            ..Pane::new(pane.kind, pane.scope.clone())
        })
    };
    match layer {
        Layer::List { title, pane } => Some(Layer::List { title: title.clone(), pane: bare(pane) }),
        Layer::Dispatch { id, pane } => Some(Layer::Dispatch { id: id.clone(), pane: bare(pane) }),
        Layer::Text { .. } => Some(layer.clone()),
        Layer::Sheet(sheet) if sheet.lines.is_some() => Some(layer.clone()),
        _ => None,
    }
}

impl Travel {
    /// Remembers where the state was, if it is somewhere else now.
    pub fn note(state: &mut State, before: Place) {
        if std::mem::take(&mut state.travel.stepped) || Place::of(state).sign() == before.sign() {
            return;
        }
        state.travel.forward.clear();
        state.travel.back.push(before);
        let over = state.travel.back.len().saturating_sub(REMEMBERED);
        state.travel.back.drain(..over);
    }

    /// The place before this one, which becomes the one after it.
    pub fn back(state: &mut State) -> Option<Place> {
        let place = state.travel.back.pop()?;
        let here = Place::of(state);
        state.travel.forward.push(here);
        state.travel.stepped = true;
        Some(place)
    }

    /// The place after this one.
    pub fn forward(state: &mut State) -> Option<Place> {
        let place = state.travel.forward.pop()?;
        let here = Place::of(state);
        state.travel.back.push(here);
        state.travel.stepped = true;
        Some(place)
    }
}
