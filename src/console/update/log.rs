//! Keys of a followed log.

use super::{base, goto};
use crate::console::effect::Effect;
use crate::console::keys::Action;
use crate::console::state::{Layer, LogLayer, State};
use crate::console::view::layout;
use crossterm::event::{KeyCode, KeyEvent};

/// An action on the log on top.
pub fn act(state: &mut State, act: Action) -> Vec<Effect> {
    let page = layout::screen_rows(state.size).max(1);
    let Some(Layer::Log(log)) = state.layers.last_mut() else { return Vec::new() };
    match act {
        Action::Out | Action::Leave | Action::Stop => return goto::pop(state),
        Action::Follow | Action::Bottom | Action::Logs => log.follow = true,
        Action::Pause | Action::Mark => match log.paused.take() {
            Some(waiting) => log.push(waiting),
            None => log.paused = Some(Vec::new()),
        },
        Action::Wrap => log.wrap = !log.wrap,
        Action::Times => log.times = !log.times,
        Action::Find => log.finding = true,
        Action::Next => jump(log, true, page),
        Action::Previous => jump(log, false, page),
        Action::Down => scroll(log, 1, page),
        Action::Up => scroll(log, -1, page),
        Action::Top => scroll(log, isize::MIN / 2, page),
        Action::HalfDown => scroll(log, page as isize / 2, page),
        Action::HalfUp => scroll(log, -(page as isize) / 2, page),
        Action::PageDown => scroll(log, page as isize, page),
        Action::PageUp => scroll(log, -(page as isize), page),
        Action::Palette
        | Action::Help
        | Action::Refresh
        | Action::Suspend
        | Action::Describe
        | Action::Events
        | Action::Copy
        | Action::Menu
        | Action::Tab(_) => return base::act(state, act),
        _ => {}
    }
    Vec::new()
}

/// Keys of the search line.
pub fn find_key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let page = layout::screen_rows(state.size).max(1);
    let Some(Layer::Log(log)) = state.layers.last_mut() else { return Vec::new() };
    match key.code {
        KeyCode::Enter => {
            log.finding = false;
            jump(log, false, page);
        }
        KeyCode::Esc => {
            log.finding = false;
            log.find = Default::default();
            log.found = None;
        }
        _ => {
            log.find.key(key);
        }
    }
    Vec::new()
}

fn last_top(log: &LogLayer, page: usize) -> usize {
    log.lines.len().saturating_sub(page)
}

fn scroll(log: &mut LogLayer, by: isize, page: usize) {
    let from = if log.follow { last_top(log, page) } else { log.top };
    log.top = from.saturating_add_signed(by).min(last_top(log, page));
    // Only the way down to the very end follows again.
    log.follow = by > 0 && log.top == last_top(log, page);
}

/// To the next match below, or the next above; round at the ends.
fn jump(log: &mut LogLayer, down: bool, page: usize) {
    let matches = log.matches();
    let from = log.found;
    let next = match (down, from) {
        (true, Some(at)) => matches.iter().find(|row| **row > at).or(matches.first()),
        (false, Some(at)) => matches.iter().rev().find(|row| **row < at).or(matches.last()),
        (true, None) => matches.first(),
        (false, None) => matches.last(),
    };
    if let Some(row) = next.copied() {
        log.found = Some(row);
        log.follow = false;
        log.top = row.saturating_sub(page / 2).min(last_top(log, page));
    }
}
