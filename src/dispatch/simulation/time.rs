//! Virtual time: tasks wait on one heap and are woken in its order, so that the same seed always plays the same way.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Milliseconds since the play began.
pub type Ms = u64;
pub type TaskId = u64;

/// Whose a task is: it ends when its owner dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Nature,
    Console(usize),
    Host(usize),
    Edge(usize),
}

struct Task {
    owner: Owner,
    /// Away while it is polled.
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

/// The heap of what wakes when.
#[derive(Default)]
pub struct Time {
    now: Cell<Ms>,
    count: Cell<u64>,
    heap: RefCell<BinaryHeap<Reverse<(Ms, u64, TaskId)>>>,
    tasks: RefCell<BTreeMap<TaskId, Task>>,
    current: Cell<TaskId>,
}

impl Time {
    pub fn now(&self) -> Ms {
        self.now.get()
    }
    fn number(&self) -> u64 {
        self.count.set(self.count.get() + 1);
        self.count.get()
    }
    fn wake_at(&self, at: Ms, task: TaskId) {
        let number = self.number();
        self.heap.borrow_mut().push(Reverse((at.max(self.now.get()), number, task)));
    }
    /// A task that begins now.
    pub fn spawn(&self, owner: Owner, future: impl Future<Output = ()> + 'static) -> TaskId {
        let task = self.number();
        self.tasks.borrow_mut().insert(task, Task { owner, future: Some(Box::pin(future)) });
        self.wake_at(self.now.get(), task);
        task
    }
    /// Ends every task of an owner, wherever it stands.
    pub fn kill(&self, owner: Owner) {
        self.end(|_, task| task.owner == owner);
    }
    /// Ends these tasks.
    pub fn abort(&self, ids: &[TaskId]) {
        self.end(|id, _| ids.contains(id));
    }
    pub fn kill_all(&self) {
        self.end(|_, _| true);
    }
    fn end(&self, which: impl Fn(&TaskId, &Task) -> bool) {
        let mut ended = Vec::new();
        self.tasks.borrow_mut().retain(|id, task| {
            let ends = which(id, task);
            ended.extend(ends.then(|| task.future.take()).flatten());
            !ends
        });
    }
    /// Wakes what is next. `frozen` says until when an owner does not run. False when nothing is left to wake, or only after `end`.
    pub fn step(&self, end: Ms, frozen: impl Fn(Owner) -> Ms) -> bool {
        let Some(Reverse((at, _, id))) = self.heap.borrow_mut().pop() else { return false };
        if at > end {
            return false;
        }
        self.now.set(at);
        let taken = self.tasks.borrow_mut().get_mut(&id).map(|task| (task.owner, task.future.take()));
        let Some((owner, Some(mut future))) = taken else { return true };
        let until = frozen(owner);
        let done = if until > at {
            self.wake_at(until, id);
            false
        } else {
            self.current.set(id);
            future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
        };
        if done {
            self.tasks.borrow_mut().remove(&id);
        } else if let Some(task) = self.tasks.borrow_mut().get_mut(&id) {
            task.future = Some(future);
        }
        true
    }
    /// Waits.
    pub async fn sleep(&self, for_ms: Ms) {
        let at = self.now() + for_ms;
        let mut asked = false;
        poll_fn(|_| {
            if self.now() >= at {
                return Poll::Ready(());
            }
            if !asked {
                asked = true;
                self.wake_at(at, self.current.get());
            }
            Poll::Pending
        })
        .await;
    }
}

/// Messages to one task.
pub struct Mailbox<M>(Rc<Letters<M>>);

struct Letters<M> {
    unread: RefCell<VecDeque<M>>,
    waiting: Cell<Option<TaskId>>,
}

impl<M> Clone for Mailbox<M> {
    fn clone(&self) -> Mailbox<M> {
        Mailbox(Rc::clone(&self.0))
    }
}

impl<M> Mailbox<M> {
    pub fn new() -> Mailbox<M> {
        Mailbox(Rc::new(Letters { unread: RefCell::default(), waiting: Cell::default() }))
    }
    pub fn send(&self, time: &Time, message: M) {
        self.0.unread.borrow_mut().push_back(message);
        if let Some(task) = self.0.waiting.take() {
            time.wake_at(time.now(), task);
        }
    }
    pub fn take(&self) -> Option<M> {
        self.0.unread.borrow_mut().pop_front()
    }
    /// The next message, when it is such a one.
    pub fn take_if(&self, which: impl Fn(&M) -> bool) -> Option<M> {
        let mut messages = self.0.unread.borrow_mut();
        if messages.front().is_some_and(which) { messages.pop_front() } else { None }
    }
    /// The next message, or none when `limit` has passed.
    pub async fn receive(&self, time: &Time, limit: Ms) -> Option<M> {
        let end = time.now().saturating_add(limit);
        let mut asked = false;
        poll_fn(|_| {
            if let Some(message) = self.take() {
                return Poll::Ready(Some(message));
            }
            if time.now() >= end {
                return Poll::Ready(None);
            }
            if !asked && limit < Ms::MAX {
                asked = true;
                time.wake_at(end, time.current.get());
            }
            self.0.waiting.set(Some(time.current.get()));
            Poll::Pending
        })
        .await
    }
}
