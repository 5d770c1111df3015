//! The `:` line: every verb, object and screen, found by a few letters, with its live key.

use super::{goto, leaving, travel, verbs, views};
use crate::console::effect::Effect;
use crate::console::keys::Action;
use crate::console::rows::{Filter, find};
use crate::console::state::{Kind, Layer, Palette, PaletteGo, PaletteItem, State, Tab, TextKind, verbs_on};
use crate::console::theme;
use crate::deck::look::{DispatchRequest, EditTarget, Target};
use crate::deck::past::AuditWanted;
use crate::deck::verbs::{On, VERBS};
use crate::model::document;
use crate::model::units::Span;
use crossterm::event::{KeyCode, KeyEvent};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// How many are offered at once.
const OFFERED: usize = 200;

/// Opens it.
pub fn open(state: &mut State) {
    state.layers.push(Layer::Palette(Palette::default()));
    search(state);
}

/// A key of the palette on top.
pub fn key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let control = key.modifiers.contains(crossterm::event::KeyModifiers::CONTROL);
    let Some(Layer::Palette(palette)) = state.layers.last_mut() else { return Vec::new() };
    match key.code {
        KeyCode::Esc => return goto::pop(state),
        KeyCode::Down | KeyCode::Tab => palette.cursor = (palette.cursor + 1).min(palette.items.len().saturating_sub(1)),
        KeyCode::Char('n') if control => palette.cursor = (palette.cursor + 1).min(palette.items.len().saturating_sub(1)),
        KeyCode::Up | KeyCode::BackTab => palette.cursor = palette.cursor.saturating_sub(1),
        KeyCode::Char('p') if control => palette.cursor = palette.cursor.saturating_sub(1),
        KeyCode::Backspace if palette.field.text.is_empty() => return goto::pop(state),
        KeyCode::Enter => {
            let chosen = palette.items.get(palette.cursor).map(|item| item.go.clone());
            state.layers.pop();
            return chosen.map(|go| run(state, go)).unwrap_or_default();
        }
        _ => {
            palette.field.key(key);
            search(state);
        }
    }
    Vec::new()
}

fn run(state: &mut State, go: PaletteGo) -> Vec<Effect> {
    match go {
        PaletteGo::Tab(tab) => goto::tab(state, tab),
        PaletteGo::Object(target) => goto::open(state, &target),
        PaletteGo::Verb(verb, target) => verbs::start(state, verb, &target),
        PaletteGo::Theme(name) => {
            state.theme.clone_from(&name);
            vec![Effect::Theme(name)]
        }
        PaletteGo::Plan(request) => verbs::plan(state, request),
        PaletteGo::Apply(path) => {
            verbs::confirm_apply(state, path);
            Vec::new()
        }
        PaletteGo::History(target) => super::sheets::history_of(state, target),
        PaletteGo::List(kind, words) => travel::list(state, kind, &words),
        PaletteGo::Columns => {
            views::choose_columns(state);
            Vec::new()
        }
        PaletteGo::DashSave(name) => views::save(state, &name),
        PaletteGo::DashOpen(name) => views::open(state, &name),
        PaletteGo::DashFirst(name) => views::first(state, &name),
        PaletteGo::DashForget(name) => views::forget(state, &name),
        PaletteGo::ExportAudit(path) => vec![Effect::ExportAudit { wanted: wanted(state, Kind::Audit), path }],
        PaletteGo::ExportEvents(path) => vec![Effect::ExportEvents { wanted: wanted(state, Kind::Events), path }],
        PaletteGo::Report(dispatch) => {
            state.report = None;
            let target = Target::Dispatch(dispatch.clone());
            state.layers.push(Layer::Text { kind: TextKind::Report, target, top: 0 });
            vec![Effect::Report { dispatch }]
        }
        PaletteGo::New(kind) => vec![Effect::OpenEditor(EditTarget::New(kind, String::new()))],
        PaletteGo::Refresh => vec![Effect::Refresh],
        PaletteGo::Help => {
            state.layers.push(Layer::Help { top: 0 });
            Vec::new()
        }
        PaletteGo::Quit => leaving::leave(state),
        PaletteGo::Times(local) => vec![Effect::Times { local }],
        PaletteGo::Write(for_ms, why) => vec![Effect::Writing { for_ms, why }],
        PaletteGo::Mouse => {
            state.mouse = !state.mouse;
            let text = if state.mouse {
                "the mouse is ours: a click selects, the wheel moves; :mouse gives it back"
            } else {
                "the mouse is the terminal's"
            };
            state.say(text, false);
            vec![Effect::Mouse(state.mouse)]
        }
    }
}

/// What the filter of the list of a kind asks for, where that list is open.
fn wanted(state: &State, kind: Kind) -> AuditWanted {
    let filter = state.pane().filter(|pane| pane.kind == kind).map(|pane| pane.filter.clone()).unwrap_or_default();
    Filter::new(&filter, state.now_ms, &state.look.times).wanted()
}

/// Finds what the written text means, best first.
pub fn search(state: &mut State) {
    let pointed = state.pointed();
    let Some(Layer::Palette(palette)) = state.layers.last() else { return };
    let wanted = palette.field.text.clone();
    let pattern = Pattern::parse(&wanted, CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let mut found: Vec<(u32, usize, PaletteItem)> = everything(state, &pointed)
        .enumerate()
        .filter_map(|(number, item)| {
            let score = pattern.score(Utf32Str::new(&item.text, &mut buffer), &mut matcher)?;
            // The very name wins over a longer one that holds it.
            let score = if item.text == wanted { u32::MAX } else { score };
            Some((score, number, item))
        })
        .collect();
    found.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    found.truncate(OFFERED);
    let line = line(state, &wanted);
    if let Some(Layer::Palette(palette)) = state.layers.last_mut() {
        palette.items = line.into_iter().collect();
        palette.items.extend(found.into_iter().map(|(_, _, item)| item));
        palette.cursor = 0;
    }
}

/// What a whole line with words of its own means; none when it is a search.
fn line(state: &State, text: &str) -> Option<PaletteItem> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let swarm = |name: &str| {
        let mut named = state.look.swarms.iter().filter(|swarm| swarm.short == name || swarm.name == name || swarm.id == name);
        let only = named.next()?;
        named.next().is_none().then_some(only)
    };
    let item = |text: String, note: &str, go: PaletteGo| Some(PaletteItem { text, note: note.into(), go });
    match words.as_slice() {
        ["q"] => item("quit".into(), state.key_of(Action::Leave), PaletteGo::Quit),
        ["apply", _, ..] => {
            let path = text.trim_start().strip_prefix("apply")?.trim();
            item(format!("apply {path}"), "asks", PaletteGo::Apply(path.into()))
        }
        ["dispatch", name, version] => {
            let swarm = swarm(name)?;
            let request = DispatchRequest { swarm: swarm.id.clone(), version: Some((*version).into()), ..DispatchRequest::default() };
            item(format!("dispatch {} {version}", find::called(&state.look, swarm)), "plan", PaletteGo::Plan(request))
        }
        ["size", name, number] => {
            let (swarm, size) = (swarm(name)?, number.parse().ok()?);
            let request = DispatchRequest { swarm: swarm.id.clone(), size: Some(size), ..DispatchRequest::default() };
            item(format!("size {} {size}", find::called(&state.look, swarm)), "plan", PaletteGo::Plan(request))
        }
        ["dash", "save", name] => item(format!("dash save {name}: keep this list and its filter"), "", PaletteGo::DashSave((*name).into())),
        ["dash", "default", name] => item(format!("dash default {name}: it opens first"), "", PaletteGo::DashFirst((*name).into())),
        ["dash", "forget", name] => item(format!("dash forget {name}"), "", PaletteGo::DashForget((*name).into())),
        ["dash", name] => item(format!("dash {name}"), "saved view", PaletteGo::DashOpen((*name).into())),
        ["columns"] => item("columns: choose those of this list".into(), "", PaletteGo::Columns),
        ["audit", "export", _, ..] => {
            let path = text.trim_start().strip_prefix("audit")?.trim_start().strip_prefix("export")?.trim();
            item(format!("audit export {path}: what the filter of the audit shows"), "", PaletteGo::ExportAudit(path.into()))
        }
        ["events", "export", _, ..] => {
            let path = text.trim_start().strip_prefix("events")?.trim_start().strip_prefix("export")?.trim();
            item(format!("events export {path}: what the filter of the events shows"), "", PaletteGo::ExportEvents(path.into()))
        }
        [list, ..] if let Some(kind) = listed(list) => {
            let words = text.trim_start().strip_prefix(list)?.trim();
            item(text.trim().into(), "list", PaletteGo::List(kind, words.into()))
        }
        ["history", kind, name] => {
            let target = find::named(&state.look, kind, name)?;
            let gone = if matches!(target, Target::Version(..)) { "gone; its versions" } else { "versions" };
            item(format!("history {kind} {name}"), gone, PaletteGo::History(target))
        }
        ["report", number] => {
            let dispatch =
                state.look.dispatches.iter().find(|dispatch| dispatch.number.to_string() == *number || dispatch.id == *number)?;
            item(format!("report {}", dispatch.number), "text", PaletteGo::Report(dispatch.id.clone()))
        }
        ["write"] => item("write 15m WHY: lifts that this fleet is read-only".into(), "", PaletteGo::Write(15 * 60_000, String::new())),
        ["write", "off"] => item("write off: this console only looks again".into(), "", PaletteGo::Write(0, String::new())),
        ["write", span, ..] => {
            let why = text.trim_start().strip_prefix("write")?.trim_start().strip_prefix(span)?.trim();
            let for_ms = i64::try_from(span.parse::<Span>().ok()?.0.as_millis()).ok().filter(|ms| *ms > 0)?;
            let shown = if why.is_empty() { "WHY".to_string() } else { why.to_string() };
            item(format!("write {span} {shown}: may change things so long, written down"), "", PaletteGo::Write(for_ms, why.into()))
        }
        ["theme", name] => item(format!("theme {name}"), "", PaletteGo::Theme((*name).into())),
        _ => None,
    }
}

/// The list of a name: one with a tab or without.
fn listed(word: &str) -> Option<Kind> {
    let tabs = Tab::ALL.into_iter().filter(|tab| *tab != Tab::Dash).map(|tab| tab.slot().kind());
    tabs.chain(Kind::LISTED).find(|kind| kind.word() == word)
}

/// Verbs on what the cursor is on, screens, objects, and every verb on every swarm, host and dispatch.
fn everything<'a>(state: &'a State, pointed: &'a Target) -> impl Iterator<Item = PaletteItem> + 'a {
    let look = &state.look;
    let verb_item = |verb: &'static crate::deck::verbs::Verb, target: &Target| PaletteItem {
        text: format!("{} {}", verb.id, find::name(look, target)),
        note: verb.typed(),
        go: PaletteGo::Verb(verb.id, target.clone()),
    };
    // What is new is not done to an object; it has a line of its own.
    let verbs_on =
        |target: &Target| -> Vec<_> { verbs_on(target).into_iter().filter(|verb| verb.id != "new" || verb.on == On::Host).collect() };
    let here = verbs_on(pointed).into_iter().map(move |verb| verb_item(verb, pointed));
    let tabs = Tab::ALL.iter().enumerate().map(|(number, tab)| PaletteItem {
        text: tab.word().into(),
        note: format!("{}", number + 1),
        go: PaletteGo::Tab(*tab),
    });
    let lists = Kind::LISTED.into_iter().map(|kind| PaletteItem {
        text: kind.word().into(),
        note: "list".into(),
        go: PaletteGo::List(kind, String::new()),
    });
    let views = state.habits.dashes.iter().map(|dash| PaletteItem {
        text: format!("dash {}", dash.name),
        note: if dash.name == state.habits.first { "opens first".into() } else { "saved view".into() },
        go: PaletteGo::DashOpen(dash.name.clone()),
    });
    let fixed = [
        ("columns: choose those of this list", PaletteGo::Columns, Action::Palette),
        ("help", PaletteGo::Help, Action::Help),
        ("mouse: a click selects, or the terminal's own again", PaletteGo::Mouse, Action::Palette),
        ("refresh: observe every host now", PaletteGo::Refresh, Action::Refresh),
        ("quit", PaletteGo::Quit, Action::Leave),
        ("utc: times in UTC", PaletteGo::Times(false), Action::Palette),
        ("local: times in this machine's zone", PaletteGo::Times(true), Action::Palette),
        ("write 15m WHY: lifts that this fleet is read-only, for so long", PaletteGo::Write(15 * 60_000, String::new()), Action::Palette),
    ];
    let fixed = fixed.into_iter().map(|(text, go, action)| PaletteItem { text: text.into(), note: state.key_of(action).into(), go });
    let fleet = VERBS.iter().filter(|verb| verb.on == On::Fleet).map(|verb| PaletteItem {
        text: if matches!(verb.id, "hold" | "lift") { format!("{} the fleet", verb.id) } else { verb.title.into() },
        note: verb.typed(),
        go: PaletteGo::Verb(verb.id, Target::Nothing),
    });
    let themes = theme::EMBEDDED.iter().map(|(name, _)| PaletteItem {
        text: format!("theme {name}"),
        note: String::new(),
        go: PaletteGo::Theme((*name).into()),
    });
    let new = document::Kind::ALL.into_iter().map(|kind| PaletteItem {
        text: format!("new {}", kind.word()),
        note: String::new(),
        go: PaletteGo::New(kind),
    });
    let swarms = look.swarms.iter().map(|swarm| Target::Swarm(swarm.id.clone()));
    let hosts = look.world.hosts.keys().map(|name| Target::Host(name.clone()));
    let squads = look.squads.iter().map(|squad| Target::Squad(squad.name.clone()));
    let ingredients = look.ingredients.iter().map(|ingredient| Target::Ingredient(ingredient.id.clone()));
    let dispatches = look.dispatches.iter().take(50).map(|dispatch| Target::Dispatch(dispatch.id.clone()));
    let builds = look.builds.iter().take(50).map(|build| Target::Build(build.build.id.clone()));
    let apps = look.apps.iter().map(|app| Target::App(app.name.clone()));
    let packs = look.buildpacks.iter().map(|pack| Target::Buildpack(pack.name.clone()));
    let balancers = look.balancers.iter().map(|balancer| Target::Balancer(balancer.name.clone()));
    let pools = find::pools(look, None).into_iter().map(|(balancer, pool)| Target::Pool(balancer.into(), pool.into()));
    let objects: Vec<Target> = swarms
        .chain(hosts)
        .chain(squads)
        .chain(ingredients)
        .chain(apps)
        .chain(packs)
        .chain(balancers)
        .chain(pools)
        .chain(dispatches)
        .chain(builds)
        .collect();
    let acting: Vec<Target> = objects.iter().filter(|target| *target != pointed).cloned().collect();
    let object_items = objects.into_iter().map(move |target| PaletteItem {
        text: find::name(look, &target),
        note: find::kind(&target).into(),
        go: PaletteGo::Object(target),
    });
    // Procs are too many to be listed before something is typed.
    let typed = matches!(state.layers.last(), Some(Layer::Palette(palette)) if palette.field.text.len() > 1);
    let procs = look.world.procs().filter(move |_| typed).map(move |proc| {
        let target = Target::Proc(proc.host.clone(), proc.name.clone());
        PaletteItem { text: find::name(look, &target), note: "proc".into(), go: PaletteGo::Object(target) }
    });
    let acts =
        acting.into_iter().flat_map(move |target| verbs_on(&target).into_iter().map(|verb| verb_item(verb, &target)).collect::<Vec<_>>());
    here.chain(tabs)
        .chain(lists)
        .chain(views)
        .chain(object_items)
        .chain(fixed)
        .chain(fleet)
        .chain(new)
        .chain(themes)
        .chain(acts)
        .chain(procs)
}
