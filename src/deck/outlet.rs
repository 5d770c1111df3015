//! Writing to a terminal that may be slow, stopped or gone: from a thread of its own, so that nobody else ever waits for it.

use super::locked;
use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// What may wait to be written; beyond it the oldest is left out.
const MOST: usize = 1 << 20;

/// A writer with a thread of its own. What is sent is written in order, or, where nobody reads, left out.
#[derive(Clone)]
pub struct Outlet(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Rung when there is something to write, and when something was written.
    bell: Condvar,
    idle: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
    writing: bool,
    broken: bool,
    /// How many pieces were written.
    written: u64,
}

impl State {
    fn is_idle(&self) -> bool {
        self.broken || (self.waiting.is_empty() && !self.writing)
    }
}

impl Outlet {
    /// Begins to write to `to`; the thread ends with the process.
    pub fn new(to: impl Write + Send + 'static) -> Outlet {
        let shared = Arc::new(Shared { state: Mutex::default(), bell: Condvar::new(), idle: Notify::new() });
        let its = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("outlet".into()).spawn(move || its.write_all(to));
        if thread.is_err() {
            locked(&shared.state).broken = true;
        }
        Outlet(shared)
    }

    /// Has this written; never waits.
    pub fn send(&self, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let mut state = locked(&self.0.state);
        if state.broken {
            return;
        }
        state.bytes += bytes.len();
        state.waiting.push_back(bytes);
        while state.bytes > MOST && state.waiting.len() > 1 {
            let left_out = state.waiting.pop_front().map_or(0, |piece| piece.len());
            state.bytes -= left_out;
        }
        self.0.bell.notify_all();
    }

    /// Whether everything was written.
    pub fn is_idle(&self) -> bool {
        locked(&self.0.state).is_idle()
    }

    /// Whether nobody can be written to any more.
    pub fn is_broken(&self) -> bool {
        locked(&self.0.state).broken
    }

    /// Waits until everything was written.
    pub async fn idle(&self) {
        loop {
            let rung = self.0.idle.notified();
            if self.is_idle() {
                return;
            }
            rung.await;
        }
    }

    /// Waits until everything was written, and gives up when nothing was for `patience`. Whether it was.
    pub fn flush(&self, patience: Duration) -> bool {
        let mut state = locked(&self.0.state);
        let (mut seen, mut since) = (state.written, Instant::now());
        while !state.is_idle() {
            if state.written != seen {
                (seen, since) = (state.written, Instant::now());
            }
            let Some(left) = patience.checked_sub(since.elapsed()) else { return false };
            state = self.0.bell.wait_timeout(state, left).map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
        }
        true
    }
}

impl Shared {
    fn write_all(&self, mut to: impl Write) {
        loop {
            let piece = {
                let mut state = locked(&self.state);
                loop {
                    if let Some(piece) = state.waiting.pop_front() {
                        state.bytes -= piece.len();
                        state.writing = true;
                        break piece;
                    }
                    state = self.bell.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
                }
            };
            let written = to.write_all(&piece).and_then(|()| to.flush());
            let mut state = locked(&self.state);
            state.writing = false;
            state.written += 1;
            if written.is_err() {
                state.broken = true;
                state.waiting.clear();
                state.bytes = 0;
            }
            let over = state.broken;
            drop(state);
            self.bell.notify_all();
            self.idle.notify_waiters();
            if over {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// A terminal that takes nothing until it is told to, and then says what it took.
    struct Stopped(mpsc::Receiver<bool>, Arc<Mutex<Vec<u8>>>);

    impl Write for Stopped {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if !self.0.recv().unwrap() {
                return Err(std::io::ErrorKind::BrokenPipe.into());
            }
            locked(&self.1).extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_a_terminal_that_is_stopped_and_one_that_is_gone_is_said_to_be() {
        let (go, taken) = (mpsc::channel(), Arc::new(Mutex::new(Vec::new())));
        let outlet = Outlet::new(Stopped(go.1, Arc::clone(&taken)));
        outlet.send(b"one ".to_vec());
        outlet.send(b"two ".to_vec());
        assert!(!outlet.is_idle() && !outlet.flush(Duration::from_millis(20)), "nothing was taken");
        // More than may wait: the oldest is left out, and still nobody waits.
        for _ in 0..3 {
            outlet.send(vec![b'x'; MOST / 2]);
        }
        outlet.send(b"three".to_vec());
        assert!(locked(&outlet.0.state).bytes <= MOST);
        // "one" was under way; of the rest one large piece and the last are kept.
        for _ in 0..3 {
            go.0.send(true).unwrap();
        }
        assert!(outlet.flush(Duration::from_secs(20)));
        outlet.idle().await;
        let text = String::from_utf8(locked(&taken).clone()).unwrap();
        assert!(text.starts_with("one ") && text.ends_with("three") && !text.contains("two"), "{}", text.len());
        go.0.send(false).unwrap();
        outlet.send(b"gone".to_vec());
        outlet.idle().await;
        assert!(outlet.is_broken());
        outlet.send(b"nobody reads this".to_vec());
        assert!(outlet.flush(Duration::ZERO));
    }
}
