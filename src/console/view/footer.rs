//! The last two lines: what was said last, and the keys that matter here, from the live keymap.

use super::Pen;
use crate::console::keys::Action;
use crate::console::rows::find;
use crate::console::state::{Kind, Layer, PlanFocus, State};
use crate::console::theme::Role;
use crate::model::record::Outcome;
use ratatui::layout::Rect;

/// Draws them.
pub fn draw(pen: &mut Pen<'_>, state: &State) {
    let Rect { x, width, height, .. } = pen.area;
    if height < 2 {
        return;
    }
    let bottom = pen.area.bottom() - 1;
    pen.text(x, bottom, width, &keys(state), Role::Footer);
    if height < 4 {
        return;
    }
    if let Some(toast) = &state.toast {
        let role = if toast.error { Role::ToastError } else { Role::Toast };
        let text = if toast.error { format!("! {}", toast.text) } else { format!(". {}", toast.text) };
        // A long one takes the lines that it needs, upwards.
        let wide = usize::from(width.max(1));
        let lines = wrap(&text, wide);
        let count = lines.len().min(usize::from(height) - 2).min(4) as u16;
        for (row, line) in lines.iter().take(usize::from(count)).enumerate() {
            let y = bottom - count + row as u16;
            pen.clear(Rect { x, y, width, height: 1 });
            pen.lay(Rect { x, y, width, height: 1 }, role);
            pen.text(x, y, width, line, role);
        }
    } else if !state.marks.is_empty() {
        pen.text(x, bottom - 1, width, &format!("{} marked  \\ clear", state.marks.len()), Role::Marked);
    } else if !state.look.hints.is_empty() && state.layers.is_empty() {
        let hints: Vec<String> = state.look.hints.iter().enumerate().map(|(number, hint)| format!("{} {hint}", number + 1)).collect();
        pen.text(x, bottom - 1, width, &format!("TRY  {}", hints.join("   ")), Role::Note);
    }
}

/// Breaks text into lines at blanks.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let length = word.chars().count();
        let Some(line) = lines.last_mut() else { break };
        let used = line.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(word.to_string());
        } else {
            if used > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

fn keys(state: &State) -> String {
    let written = |items: &[(Action, &str)]| {
        items.iter().map(|(action, label)| format!("{} {label}", state.key_of(*action))).collect::<Vec<_>>().join("  ")
    };
    let key = |action: Action| state.key_of(action);
    let compare = || format!("{0} {0} {1} compare", key(Action::Mark), key(Action::Difference));
    let base = match state.layers.last() {
        None if state.is_empty_home() => return "d demo  h a first host  a apply a document  : go  ? help  q leave".into(),
        None => written(&[
            (Action::In, "open"),
            (Action::Why, "why"),
            (Action::Logs, "logs"),
            (Action::Menu, "act"),
            (Action::TroubleOnly, "trouble"),
            (Action::Filter, "filter"),
            (Action::Palette, "go"),
            (Action::NextPane, "pane"),
        ]),
        Some(Layer::List { pane, .. }) if pane.kind == Kind::Undo => {
            "enter its plan or question  h history  / filter: revert, host:web*, user:op1  esc back".into()
        }
        Some(Layer::List { pane, .. }) if pane.kind == Kind::Versions => {
            let before = written(&[(Action::In, "what it changed"), (Action::Difference, "against now")]);
            let after = format!("{}b back to it  {} back", key(Action::Menu), key(Action::Out));
            format!("{before}  {}  {}  {after}", compare(), written(&[(Action::Yaml, "text")]))
        }
        Some(Layer::List { pane, .. }) if pane.kind == Kind::Releases => {
            let before = written(&[(Action::In, "open"), (Action::Difference, "against what runs")]);
            let after = written(&[(Action::Yaml, "all of it"), (Action::Filter, "filter"), (Action::Out, "back")]);
            format!("{before}  {}  {after}", compare())
        }
        Some(Layer::List { pane, .. })
            if matches!(
                pane.kind,
                Kind::Apps
                    | Kind::Buildpacks
                    | Kind::Squads
                    | Kind::Balancers
                    | Kind::Pools
                    | Kind::Nodes
                    | Kind::Waves
                    | Kind::Holds
                    | Kind::Members
                    | Kind::Uptests
            ) =>
        {
            written(&[
                (Action::In, "open"),
                (Action::Describe, "describe"),
                (Action::Yaml, "YAML"),
                (Action::Menu, "act"),
                (Action::Filter, "filter"),
                (Action::Palette, "go"),
                (Action::Back, "before"),
                (Action::Out, "back"),
            ])
        }
        Some(Layer::List { pane, .. }) if pane.kind == Kind::Audit => written(&[
            (Action::In, "open"),
            (Action::Filter, "type:edit user:op1 app:shop since:2d until:9:00"),
            (Action::Palette, "audit export FILE"),
            (Action::Out, "back"),
        ]),
        Some(Layer::List { pane, .. }) if pane.kind == Kind::Events => {
            written(&[(Action::In, "open"), (Action::Filter, "filter"), (Action::Palette, "go"), (Action::Out, "back")])
        }
        Some(Layer::List { .. }) => written(&[
            (Action::In, "open"),
            (Action::Why, "why"),
            (Action::Logs, "logs"),
            (Action::Menu, "act"),
            (Action::TroubleOnly, "trouble"),
            (Action::Filter, "filter"),
            (Action::Palette, "go"),
            (Action::Out, "back"),
        ]),
        Some(Layer::Sheet(sheet)) => {
            let is_version = matches!(sheet.target, crate::deck::look::Target::Version(..));
            let back = if is_version { format!("{}b back to it  ", key(Action::Menu)) } else { String::new() };
            format!(
                "{back}{}",
                written(&[
                    (Action::Down, "down"),
                    (Action::Up, "up"),
                    (Action::Copy, "copy all"),
                    (Action::Back, "before"),
                    (Action::Out, "back")
                ])
            )
        }
        Some(Layer::Columns(_)) => "space shows or hides  left right move it  * all as at first  enter keep  esc cancel".into(),
        Some(Layer::Text { .. }) => written(&[
            (Action::Down, "down"),
            (Action::Up, "up"),
            (Action::Why, "why"),
            (Action::Logs, "logs"),
            (Action::Menu, "act"),
            (Action::Events, "events"),
            (Action::Out, "back"),
        ]),
        Some(Layer::Editor(_)) => return String::new(),
        Some(Layer::Plan(layer)) if layer.focus == PlanFocus::Name => "enter go  tab next  esc clear".into(),
        Some(Layer::Plan(layer)) if let Some(Ok(plan)) = &layer.plan => written(&[
            (Action::NextField, "next"),
            (Action::Accept, plan.verb.as_str()),
            (Action::Out, "cancel"),
            (Action::AllDifferences, "all diffs"),
            (Action::Copy, "copy as command"),
        ]),
        Some(Layer::Plan(_)) => written(&[(Action::Out, "cancel")]),
        Some(Layer::Dispatch { id, .. }) => {
            let act = key(Action::Menu);
            let look = written(&[(Action::In, "host"), (Action::Logs, "logs"), (Action::Events, "events"), (Action::Out, "back")]);
            match find::dispatch(&state.look, id).map(|dispatch| dispatch.outcome) {
                Some(Some(Outcome::Interrupted)) => format!("{act}y carry on  {act}x stop and undo  {look}"),
                Some(Some(Outcome::Done)) => format!("{act}b roll back  {act} act on the swarm  {look}"),
                Some(Some(_)) => format!("{act}d dispatch  {act} act on the swarm  {look}"),
                _ => {
                    let leave = written(&[(Action::Leave, "leave, it goes on")]);
                    format!("{leave}  {act}x stop and undo  {act} act  {}", written(&[(Action::In, "host"), (Action::Logs, "logs")]))
                }
            }
        }
        Some(Layer::Log(log)) if log.finding && log.filtering => "enter keep  tab search instead  !x without x  esc all lines".into(),
        Some(Layer::Log(log)) if log.finding => "enter search  tab only these lines  esc cancel".into(),
        Some(Layer::Log(_)) => {
            let items = [
                (Action::Follow, "follow"),
                (Action::Pause, "pause"),
                (Action::Wrap, "wrap"),
                (Action::Times, "times"),
                (Action::Find, "search"),
                (Action::OnlyThis, "this proc"),
                (Action::DrawMark, "mark"),
                (Action::Out, "back"),
            ];
            written(&items)
        }
        Some(Layer::Menu { .. }) => "letter or enter does it  esc cancel".into(),
        Some(Layer::Palette(_)) => "type to find, or: releases NAME  audit  columns  dash save NAME  report N".into(),
        Some(Layer::Filter { .. }) => "enter keep  esc undo   text !x ~x state:fatal host:web* app: squad: user: since:2h".into(),
        Some(Layer::Ask(_)) => "tab next field  enter go on (shows the plan or asks first)  esc cancel".into(),
        Some(Layer::Question(_)) => "enter answer  esc no answer".into(),
        Some(Layer::Confirm(confirm)) if confirm.protected.is_some() => "type its name  tab choose  enter press  esc cancel".into(),
        Some(Layer::Confirm(_)) => written(&[
            (Action::NextField, "choose"),
            (Action::Choose, "press"),
            (Action::Accept, "yes"),
            (Action::Refuse, "no"),
            (Action::Out, "cancel"),
        ]),
        Some(Layer::Leaving { .. }) => "it takes 30 s at most".into(),
        Some(Layer::Help { .. }) => written(&[(Action::Down, "down"), (Action::Up, "up"), (Action::Out, "back")]),
    };
    if matches!(
        state.layers.last(),
        Some(
            Layer::Menu { .. }
                | Layer::Columns(_)
                | Layer::Palette(_)
                | Layer::Filter { .. }
                | Layer::Ask(_)
                | Layer::Question(_)
                | Layer::Confirm(_)
                | Layer::Help { .. }
                | Layer::Leaving { .. }
        )
    ) {
        return base;
    }
    let help = if state.layers.is_empty() { format!("{} help", key(Action::Help)) } else { key(Action::Help).to_string() };
    // Where it is narrow the last ones go; the help never does.
    let room = usize::from(state.size.0).saturating_sub(help.len() + 2);
    let mut line = String::new();
    for item in base.split("  ") {
        if line.len() + item.len() + 2 > room {
            break;
        }
        line.push_str(item);
        line.push_str("  ");
    }
    format!("{line}{help}")
}
