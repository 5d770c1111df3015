//! The console's loop: wait for one thing, take everything else that is there, then paint at most once.

mod effects;

use super::asking::{self, Questions};
use super::msg::Msg;
use super::port::Port;
use super::state::{Layer, State};
use super::term::{self, Guard, Screen, Tail, Typed};
use super::theme::{self, Depth, Theme};
use super::update::update;
use super::view::view;
use crate::deck::Secret;
use crate::deck::look::Target;
use crossterm::event::{Event, EventStream, KeyEventKind};
use effects::Runner;
use futures::{FutureExt, StreamExt};
use ratatui::layout::Rect;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// After a frame the next one waits so long for more to come.
const COALESCE: Duration = Duration::from_millis(8);

/// How the console begins.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A theme's name; "" is dark.
    pub theme: String,
    /// The user's own themes.
    pub theme_dir: Option<PathBuf>,
    /// Opened at once, over the dash.
    pub first_screen: Option<Target>,
}

/// Why the console ended; what becomes of dispatches under way is the caller's (DESIGN part 4, hang-up).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The operator left: they go on.
    Left,
    /// The operator left and had them stopped, or SIGTERM did.
    Stopped,
    /// SIGHUP, or the terminal is gone: they are finished without a screen.
    HungUp,
    /// A panic took the screen.
    Lost,
    /// The operator asked for the demo from the welcome screen: it has a home of its own.
    Demo,
}

/// Runs the console until it is left; the terminal is restored whatever happens, a panic of the screen included.
///
/// # Errors
/// There is no terminal, or it cannot be written to.
pub async fn run(port: Arc<dyn Port>, options: Options, questions: Questions) -> color_eyre::Result<Ended> {
    // What dispatches need lives in other tasks: only the screen is lost, and the caller finishes them.
    std::panic::AssertUnwindSafe(on_screen(port, options, questions)).catch_unwind().await.unwrap_or(Ok(Ended::Lost))
}

async fn on_screen(port: Arc<dyn Port>, options: Options, mut questions: Questions) -> color_eyre::Result<Ended> {
    let env = |name: &str| std::env::var(name).ok();
    let depth = Depth::detect(env("NO_COLOR").as_deref(), env("COLORTERM").as_deref(), env("TERM").as_deref());
    let name = if options.theme.is_empty() { "dark" } else { &options.theme };
    // A theme that cannot be read is said on the screen; it does not keep anybody from it.
    let loaded = theme::load(name, options.theme_dir.as_deref(), depth);
    let wrong_theme = loaded.as_ref().err().map(|fault| fault.line());
    let mut look = loaded.or_else(|_| theme::load("dark", None, depth)).unwrap_or_default();

    let (mut terminate, mut hang_up, mut stop) =
        (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?, signal(SignalKind::from_raw(nix::libc::SIGTSTP))?);
    let guard = Guard::enter()?;
    let size = crossterm::terminal::size()?;
    let mut state = State::new(port.look(), size, &look.name);
    update(&mut state, Msg::Tick { now_ms: now_ms() });
    if let Some(line) = wrong_theme {
        state.say(line, true);
    }
    let (answers, mut answered) = mpsc::channel(1024);
    let mut runner = Runner::new(port.clone(), answers);
    let mut changes = port.changes();
    let mut events = EventStream::new();
    let mut tail = Tail::new(if env("SSH_CONNECTION").is_some() { term::REMOTE } else { term::LOCAL });
    let mut screen = Screen::new(area(size));
    let out = term::screen();
    if options.first_screen.is_none() {
        super::update::begin(&mut state);
    }
    if let Some(target) = &options.first_screen {
        let effects = super::update::open(&mut state, target);
        runner.start_all(effects);
    }
    let mut painted = Instant::now().checked_sub(COALESCE).unwrap_or_else(Instant::now);
    let mut dirty = true;
    // Hosts that wait for an answer, by ticket.
    let mut asked: HashMap<u64, oneshot::Sender<Option<Secret>>> = HashMap::new();
    let mut questions_asked = 0;
    loop {
        if guard.is_lost() {
            return Ok(Ended::Lost);
        }
        if out.is_broken() {
            return Ok(Ended::HungUp);
        }
        // While the terminal still takes a frame there is no next one: what happens meanwhile is painted together, once it has.
        if dirty && painted.elapsed() >= COALESCE && out.is_idle() {
            crash_point(&state);
            let bytes = paint(&mut screen, &state, &look);
            painted = Instant::now();
            if bytes.is_empty() {
                // The terminal shows the state as it is.
                dirty = false;
                update(&mut state, Msg::Painted { now_ms: now_ms() });
            } else {
                out.send(bytes);
            }
        }
        let writing = !out.is_idle();
        let wake = if dirty && !writing { painted + COALESCE } else { Instant::now() + until_tick(&state) };
        let wake = tail.due().map_or(wake, |due| wake.min(due.into()));
        let mut messages: Vec<Msg> = Vec::new();
        tokio::select! {
            biased;
            _ = terminate.recv() => {
                let _ = port.interrupt().await;
                return Ok(Ended::Stopped);
            }
            _ = hang_up.recv() => return Ok(Ended::HungUp),
            _ = stop.recv() => {
                suspend(&guard, &mut screen)?;
                dirty = true;
                continue;
            }
            event = events.next() => match event {
                Some(Ok(event)) => message(event, &mut tail, &mut messages),
                Some(Err(_)) | None => return Ok(Ended::HungUp),
            },
            Some(answer) = answered.recv() => messages.push(answer),
            Some(question) = questions.recv() => {
                questions_asked += 1;
                messages.push(Msg::Asked { ticket: questions_asked, lines: asking::lines(&question.question), echo: question.question.echo() });
                asked.insert(questions_asked, question.answer);
            }
            Ok(()) = changes.changed() => messages.push(Msg::Look(port.look())),
            () = out.idle(), if writing => {}
            () = tokio::time::sleep_until(wake) => messages.push(Msg::Tick { now_ms: now_ms() }),
        }
        // What else is there already, so that a burst costs one frame.
        while let Ok(answer) = answered.try_recv() {
            messages.push(answer);
            if messages.len() > 512 {
                break;
            }
        }
        // Polled with this task's own waker: the stream keeps the first that it is given, and another one would let a key wait for the next tick.
        while let Poll::Ready(Some(event)) = futures::poll!(events.next()) {
            match event {
                Ok(event) => message(event, &mut tail, &mut messages),
                Err(_) => return Ok(Ended::HungUp),
            }
        }
        messages.extend(tail.expire(std::time::Instant::now()).into_iter().map(typed));
        messages.push(Msg::Tick { now_ms: now_ms() });
        for message in messages {
            if let Msg::Resize(width, height) = message {
                screen.forget(area((width, height)));
            }
            for effect in update(&mut state, message) {
                use super::effect::Effect;
                match effect {
                    // Begun so short ago that the screen does not show it yet.
                    Effect::Quit if port.carries() => runner.start_all(update(&mut state, Msg::Leaving)),
                    Effect::Quit => return Ok(Ended::Left),
                    Effect::Demo => return Ok(Ended::Demo),
                    Effect::QuitAndStop => {
                        let _ = port.interrupt().await;
                        return Ok(Ended::Stopped);
                    }
                    Effect::QuitAndUndo(ids) => {
                        for id in ids {
                            let _ = port.cancel(&id).await;
                        }
                        return Ok(Ended::Left);
                    }
                    Effect::Suspend => suspend(&guard, &mut screen)?,
                    Effect::ExternalEditor { text } => {
                        // The stream reads the keyboard: it must be gone while somebody else does.
                        drop(events);
                        guard.release();
                        let result = term::edit(&text).await;
                        guard.resume()?;
                        events = EventStream::new();
                        screen.forget(area(crossterm::terminal::size().unwrap_or(state.size)));
                        let _ = runner.answers.try_send(Msg::ExternalEditorDone(result));
                    }
                    Effect::Answer { ticket, text } => {
                        // A host that does not wait any more needs no answer.
                        let _ = asked.remove(&ticket).map(|answer| answer.send(text));
                    }
                    Effect::Copy(text) => out.send(term::copy(&text, env("TMUX").is_some())),
                    Effect::Theme(name) => match theme::load(&name, options.theme_dir.as_deref(), depth) {
                        Ok(found) => look = found,
                        Err(fault) => state.say(fault.line(), true),
                    },
                    effect => runner.start(effect),
                }
            }
        }
        dirty = true;
    }
}

/// For tests of what a panic leaves behind, in debug builds only: with `SWARMDECK_TEST_PANIC=screen` the help panics.
#[allow(clippy::panic, reason = "a crash point, in debug builds, behind a variable of the environment")]
fn crash_point(state: &State) {
    let asked = cfg!(debug_assertions) && matches!(state.layers.last(), Some(Layer::Help { .. }));
    if asked && std::env::var_os("SWARMDECK_TEST_PANIC").is_some_and(|place| place == "screen") {
        std::panic::panic_any("SWARMDECK_TEST_PANIC");
    }
}

/// The bytes that bring the terminal from what it shows to the state as it is.
fn paint(screen: &mut Screen, state: &State, theme: &Theme) -> Vec<u8> {
    screen.frame(|buffer| {
        let area = buffer.area;
        view(state, theme, area, buffer)
    })
}

/// ^z: gives the terminal back, stops, and takes it again when continued.
fn suspend(guard: &Guard, screen: &mut Screen) -> color_eyre::Result<()> {
    guard.release();
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP)?;
    guard.resume()?;
    screen.forget(area(crossterm::terminal::size()?));
    Ok(())
}

fn area((width, height): (u16, u16)) -> Rect {
    Rect::new(0, 0, width, height)
}

fn message(event: Event, tail: &mut Tail, messages: &mut Vec<Msg>) {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => {
            messages.extend(tail.take(key, std::time::Instant::now()).into_iter().map(typed));
        }
        Event::Paste(text) => messages.push(Msg::Paste(text)),
        Event::Resize(width, height) => messages.push(Msg::Resize(width, height)),
        _ => {}
    }
}

fn typed(typed: Typed) -> Msg {
    match typed {
        Typed::Key(key) => Msg::Key { key, now_ms: now_ms() },
        Typed::Paste(text) => Msg::Paste(text),
    }
}

/// When a visible text may change by itself: each second while something is under way or rows wait to be ordered, else seldom.
fn until_tick(state: &State) -> Duration {
    let editor = state.layers.iter().find_map(|layer| match layer {
        Layer::Editor(editor) => editor.next_tick(),
        _ => None,
    });
    if let Some(at) = editor {
        return Duration::from_millis(u64::try_from(at - state.now_ms).unwrap_or(0).clamp(10, 1000));
    }
    let waiting = state.layers.iter().any(|layer| matches!(layer, Layer::Plan(plan) if plan.plan.is_none() || plan.waits_since.is_some()));
    let live =
        matches!(state.screen(), Some(Layer::Dispatch { .. })) && state.look.dispatches.iter().any(|dispatch| dispatch.outcome.is_none());
    let fresh_key = state.now_ms - state.last_key_ms < 2000;
    if waiting || live || fresh_key || state.toast.is_some() { Duration::from_secs(1) } else { Duration::from_secs(10) }
}

fn now_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
