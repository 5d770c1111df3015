//! Keys of a followed log.

use super::{base, goto};
use crate::console::effect::Effect;
use crate::console::keys::Action;
use crate::console::state::{Ask, Asks, Field, Layer, LogLayer, LogSource, Pattern, SINCE, State};
use crate::console::view::layout;
use crossterm::event::{KeyCode, KeyEvent};

/// An action on the log on top.
pub fn act(state: &mut State, act: Action) -> Vec<Effect> {
    let page = layout::screen_rows(state.size).max(1);
    let now_ms = state.now_ms;
    let Some(Layer::Log(log)) = state.layers.last_mut() else { return Vec::new() };
    match act {
        Action::Out | Action::Leave | Action::Stop => return goto::pop(state),
        Action::Follow | Action::Bottom | Action::Logs => log.follow = true,
        Action::Pause | Action::Mark => log.pause(),
        Action::DrawMark => log.draw_mark(now_ms),
        Action::Wrap => log.wrap = !log.wrap,
        Action::Times => log.times = !log.times,
        Action::Since(number) => return since(state, usize::from(number)),
        Action::Find => (log.finding, log.filtering, log.find) = (true, false, Field::default()),
        Action::OnlyThis => only(log, page),
        Action::Next => jump(log, true, page),
        Action::Previous => jump(log, false, page),
        Action::Down => scroll(log, 1, page),
        Action::Up => scroll(log, -1, page),
        Action::Top => scroll(log, isize::MIN / 2, page),
        Action::HalfDown => scroll(log, page as isize / 2, page),
        Action::HalfUp => scroll(log, -(page as isize) / 2, page),
        Action::PageDown => scroll(log, page as isize, page),
        Action::PageUp => scroll(log, -(page as isize), page),
        Action::Copy => {
            let rows = log.found.map_or_else(|| in_sight(log, page), |at| vec![at]);
            let text = log.text(&rows);
            let said = if rows.len() == 1 { "copied: 1 line".to_string() } else { format!("copied: the {} lines in sight", rows.len()) };
            state.say(said, false);
            return vec![Effect::Copy(text)];
        }
        Action::Save => {
            let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
            let name: String = log.title.chars().take(60).map(plain).collect();
            let when: String = state.look.times.date(now_ms).chars().filter(char::is_ascii_digit).collect();
            let field = Field::new(&format!("{}-{when}.log", name.trim_matches('-')));
            let (asks, title) = (Asks::SaveLog(log.ticket), "Save the lines that are shown to a new file".to_string());
            state.layers.push(Layer::Ask(Box::new(Ask { title, asks, fields: vec![("file", field)], focus: 0 })));
        }
        Action::LastLife => {
            let target = log.source.target();
            return goto::last_life(state, &target);
        }
        Action::Palette
        | Action::Help
        | Action::Refresh
        | Action::Suspend
        | Action::Describe
        | Action::Events
        | Action::Shell
        | Action::Menu
        | Action::Tab(_) => return base::act(state, act),
        _ => {}
    }
    Vec::new()
}

/// Keys of the search line; Tab makes it a filter and back.
pub fn find_key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let page = layout::screen_rows(state.size).max(1);
    let Some(Layer::Log(log)) = state.layers.last_mut() else { return Vec::new() };
    match key.code {
        KeyCode::Enter => {
            log.finding = false;
            if !log.filtering {
                jump(log, false, page);
            }
        }
        KeyCode::Esc => {
            log.finding = false;
            if log.filtering {
                log.filter = Pattern::default();
            } else {
                log.search = Pattern::default();
                log.found = None;
            }
            log.judge_all();
        }
        KeyCode::Tab => {
            log.filtering = !log.filtering;
            let other = if log.filtering { log.filter.text.clone() } else { log.search.text.clone() };
            // What was typed so far goes along when there is nothing there yet.
            if !other.is_empty() {
                log.find = Field::new(&other);
            }
            written(log);
        }
        _ => {
            log.find.key(key);
            written(log);
        }
    }
    Vec::new()
}

/// Takes the search line as it is now.
pub fn written(log: &mut LogLayer) {
    let pattern = Pattern::new(&log.find.text);
    if log.filtering {
        log.filter = pattern;
    } else {
        log.search = pattern;
    }
    log.judge_all();
}

/// Follows it again from another time on; what cannot says so.
fn since(state: &mut State, number: usize) -> Vec<Effect> {
    let (ticket, now_ms) = (state.ticket(), state.now_ms);
    let Some(Layer::Log(log)) = state.layers.last_mut() else { return Vec::new() };
    if !matches!(log.source, LogSource::Logs(_)) {
        state.say("this log is shown whole; since is for logs of procs", false);
        return Vec::new();
    }
    let old = log.ticket;
    log.since = number.min(SINCE.len() - 1);
    log.restart(ticket);
    let request = log.request(now_ms);
    let follow = request.map(|request| Effect::FollowLog { ticket, request });
    std::iter::once(Effect::Stop { ticket: old }).chain(follow).collect()
}

/// Only the proc of the line that was found, else of the last line in sight; again: all.
fn only(log: &mut LogLayer, page: usize) {
    if log.only.take().is_none() {
        let at = log.found.or_else(|| {
            in_sight(log, page).into_iter().rev().find(|row| log.lines.get(*row).is_some_and(|kept| !kept.line.from.is_empty()))
        });
        log.only = at.and_then(|at| log.lines.get(at)).map(|kept| kept.line.from.clone()).filter(|from| !from.is_empty());
    }
    log.judge_all();
}

/// The lines on the screen.
fn in_sight(log: &LogLayer, page: usize) -> Vec<usize> {
    let shown = log.shown();
    let first = if log.follow { shown.len().saturating_sub(page) } else { shown.partition_point(|row| *row < log.top) };
    shown.into_iter().skip(first).take(page).collect()
}

fn scroll(log: &mut LogLayer, by: isize, page: usize) {
    let shown = log.shown();
    let last = shown.len().saturating_sub(page);
    let from = if log.follow { last } else { shown.partition_point(|row| *row < log.top) };
    let to = from.saturating_add_signed(by).min(last);
    log.top = shown.get(to).copied().unwrap_or(0);
    // Only the way down to the very end follows again.
    log.follow = by > 0 && to == last;
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
        let shown = log.shown();
        let at = shown.partition_point(|shown| *shown < row);
        log.found = Some(row);
        log.follow = false;
        log.top = shown.get(at.saturating_sub(page / 2).min(shown.len().saturating_sub(page))).copied().unwrap_or(0);
    }
}
