//! The console's loop: wait for one thing, take everything else that is there, then paint at most once.

mod crash;
mod effects;
mod face;
mod saving;
mod several;
mod ticks;

use super::asking::{self, Questions};
use super::keys;
use super::msg::Msg;
use super::port::Port;
use super::rows;
use super::state::State;
use super::term;
use super::theme::{self, Depth, Theme};
use super::update::update;
use super::view::title::title;
use super::view::view;
use crate::deck::look::Target;
use crate::deck::{Edited, Secret, edit_outside};
use crate::model::colour::Colour;
pub(in crate::console) use effects::Runner;
use face::{Face, Signals, interrupted};
use futures::FutureExt;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// How many messages are taken at once: a burst costs one frame, and a flood does not keep keys waiting.
const AT_ONCE: usize = 512;
/// How often what changes is shown at most: nobody reads faster, and keys need not wait behind it.
const LOOKS: Duration = Duration::from_millis(100);

/// How the console begins.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A theme's name; "" is dark.
    pub theme: String,
    /// The user's own themes.
    pub theme_dir: Option<PathBuf>,
    /// Where the user's own `keys.yaml` may be.
    pub keys_dir: Option<PathBuf>,
    /// The fleet's own colour, for the first line of every screen.
    pub band: Option<Colour>,
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

async fn on_screen(port: Arc<dyn Port>, options: Options, questions: Questions) -> color_eyre::Result<Ended> {
    let env = |name: &str| std::env::var(name).ok();
    let depth = Depth::detect(env("NO_COLOR").as_deref(), env("COLORTERM").as_deref(), env("TERM").as_deref());
    let name = if options.theme.is_empty() { "dark" } else { &options.theme };
    // A theme that cannot be read is said on the screen; it does not keep anybody from it.
    let loaded = theme::load(name, options.theme_dir.as_deref(), depth);
    let wrong_theme = loaded.as_ref().err().map(|fault| fault.line());
    let look = loaded.or_else(|_| theme::load("dark", None, depth)).unwrap_or_default().with_band(options.band);

    let signals = Signals::new()?;
    let face = Face::enter(env("SSH_CONNECTION").is_some(), term::has_titles(env("TERM").as_deref()))?;
    let mut state = State::new(port.look(), crossterm::terminal::size()?, &look.name);
    update(&mut state, Msg::Tick { now_ms: now_ms() });
    if let Some(line) = wrong_theme {
        state.say(line, true);
    }
    // Wrong keys are said on the screen too; the keymap's own hold till they are mended.
    match keys::load(options.keys_dir.as_deref()) {
        Ok(own) => state.keys = Arc::new(own),
        Err(fault) => state.say(fault.line(), true),
    }
    let screen = Running { port: &port, options: &options, depth, look, signals, face, questions };
    let ended = std::panic::AssertUnwindSafe(screen.run(&mut state)).catch_unwind().await.unwrap_or(Ok(Ended::Lost));
    keep_drafts(&port, &mut state).await;
    ended
}

/// What was typed in an editor and is not kept yet is kept now, in every end; a store that does not answer is not waited for.
async fn keep_drafts(port: &Arc<dyn Port>, state: &mut State) {
    for (target, draft) in super::update::last_drafts(state, now_ms()) {
        let _ = tokio::time::timeout(Duration::from_secs(2), port.draft(target, draft.as_ref())).await;
    }
}

/// What the loop runs with.
struct Running<'a> {
    port: &'a Arc<dyn Port>,
    options: &'a Options,
    depth: Depth,
    look: Theme,
    signals: Signals,
    face: Face,
    questions: Questions,
}

impl Running<'_> {
    async fn run(self, state: &mut State) -> color_eyre::Result<Ended> {
        let Running { port, options, depth, mut look, mut signals, mut face, mut questions } = self;
        let env = |name: &str| std::env::var(name).ok();
        let (answers, mut answered) = mpsc::channel(1024);
        let mut runner = Runner::new(port.clone(), answers);
        let mut changes = port.changes();
        if options.first_screen.is_none() {
            super::update::begin(state);
        }
        if let Some(target) = &options.first_screen {
            let effects = super::update::open(state, target);
            runner.start_all(effects);
        }
        // When a look was last taken.
        let mut looked: Option<Instant> = None;
        // Whether something happened since the last frame was drawn from the state.
        let mut dirty = true;
        // Hosts that wait for an answer, by ticket.
        let mut asked: HashMap<u64, oneshot::Sender<Option<Secret>>> = HashMap::new();
        let mut questions_asked = 0;
        loop {
            if face.guard.is_lost() {
                return Ok(Ended::Lost);
            }
            if face.out.is_broken() {
                return Ok(Ended::HungUp);
            }
            if face.arrived() {
                let now_ms = now_ms();
                update(state, if dirty { Msg::Arrived { now_ms } } else { Msg::Painted { now_ms } });
            }
            face.guard.title(&title(state));
            // While a frame is on its way there is no next one: what happens meanwhile is painted together, once it is drawn.
            if dirty && face.is_free() {
                dirty = false;
                let sent = face.paint(|buffer| {
                    crash::point("view", state);
                    let area = buffer.area;
                    view(state, &look, area, buffer)
                });
                update(state, if sent { Msg::Sent } else { Msg::Painted { now_ms: now_ms() } });
            }
            let tick = Instant::now() + ticks::until(state);
            let next_look = looked.map(|at| at + LOOKS).filter(|at| *at > Instant::now());
            // Asked once: between two questions it may have ended, and nobody would tell.
            let writing = face.is_writing();
            let wake = [face.wake(dirty, writing), face.parser.due(), next_look].into_iter().flatten().fold(tick, Instant::min);
            let mut messages: Vec<Msg> = Vec::new();
            tokio::select! {
                biased;
                _ = signals.terminate.recv() => {
                    let _ = port.interrupt().await;
                    return Ok(Ended::Stopped);
                }
                _ = signals.hang_up.recv() => return Ok(Ended::HungUp),
                () = face.guard.lost() => return Ok(Ended::Lost),
                _ = signals.stop.recv() => {
                    face.suspend()?;
                    dirty = true;
                    continue;
                }
                _ = signals.interrupt.recv() => messages.push(interrupted(now_ms())),
                _ = signals.resize.recv() => messages.extend(face.resized()),
                typed = face.typed() => {
                    let Ok(bytes) = typed else { return Ok(Ended::HungUp) };
                    let typed = face.parser.feed(&bytes, Instant::now());
                    messages.extend(face.take(typed, now_ms()));
                }
                Some(answer) = answered.recv() => messages.push(answer),
                Some(question) = questions.recv() => {
                    questions_asked += 1;
                    messages.push(Msg::Asked { ticket: questions_asked, lines: asking::lines(&question.question), echo: question.question.echo() });
                    asked.insert(questions_asked, question.answer);
                }
                Ok(()) = changes.changed(), if next_look.is_none() => {
                    looked = Some(Instant::now());
                    messages.push(Msg::Look(port.look()));
                }
                () = face.out.idle(), if writing => {}
                () = tokio::time::sleep_until(wake.into()) => {
                    let typed = face.parser.expire(Instant::now());
                    messages.extend(face.take(typed, now_ms()));
                    if Instant::now() >= tick {
                        messages.push(Msg::Tick { now_ms: now_ms() });
                    }
                }
            }
            while messages.len() < AT_ONCE
                && let Ok(answer) = answered.try_recv()
            {
                messages.push(answer);
            }
            if messages.is_empty() {
                continue;
            }
            messages.push(Msg::Tick { now_ms: now_ms() });
            dirty = true;
            for message in messages {
                crash::point("update", state);
                let old = matches!(message, Msg::Look(_)).then(|| state.look.clone());
                let effects = update(state, message);
                if let Some(old) = old {
                    // Thousands of procs are not freed while somebody waits for a key.
                    tokio::task::spawn_blocking(move || drop(old));
                }
                for effect in effects {
                    use super::effect::Effect;
                    match effect {
                        // Begun so short ago that the screen does not show it yet.
                        Effect::Quit if port.carries() => runner.start_all(update(state, Msg::Leaving)),
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
                        Effect::Suspend => face.suspend()?,
                        Effect::ExternalEditor { text } => {
                            let mut edited = None;
                            let lent = face.lend(&mut signals, async { edited = Some(edit_outside(&text).await) }).await;
                            // Taken at once, whatever became of the terminal: what was written is kept as a draft.
                            if let Some(edited) = edited {
                                runner.start_all(update(state, Msg::ExternalEditorDone(edited.map(Edited::text))));
                            }
                            lent?;
                        }
                        Effect::Shell { target } => {
                            let shell = port.shell(&target, || crossterm::terminal::size().unwrap_or((80, 24)));
                            let said = face.lend(&mut signals, shell).await?;
                            let _ = runner.answers.try_send(Msg::Said(said));
                        }
                        Effect::Answer { ticket, text } => {
                            // A host that does not wait any more needs no answer.
                            let _ = asked.remove(&ticket).map(|answer| answer.send(text));
                        }
                        Effect::Bell => face.guard.show(b"\x07".to_vec()),
                        Effect::Copy(text) => face.guard.show(term::copy(&text, env("TMUX").is_some())),
                        Effect::Mouse(ours) => face.guard.mouse(ours),
                        Effect::Theme(name) => match theme::load(&name, options.theme_dir.as_deref(), depth) {
                            Ok(found) => look = found.with_band(options.band),
                            Err(fault) => state.say(fault.line(), true),
                        },
                        effect => runner.start(effect),
                    }
                }
            }
            port.in_view(rows::in_view(state));
            crash::in_task(state);
        }
    }
}

fn now_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
