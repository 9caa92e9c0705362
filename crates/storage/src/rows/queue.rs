//! Batches that wait to be written together, and those who wait for them.

use std::{
    collections::VecDeque,
    mem,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use super::{error::RowsError, row::Row};

/// Batches that may wait. A writer takes all of them at once, so more would only be memory.
const MOST_BATCHES: usize = 1024;
/// Bytes of batches that may wait: 64 MiB. As many again may be being written.
const MOST_BYTES: usize = 64 << 20;
/// How long a batch that nobody waits for may wait for one that somebody waits for. Many times what
/// a disk needs, so that hardly any costs a transaction of its own; and short for whoever reads.
const LATER: Duration = Duration::from_millis(200);

/// First in, first written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    work: Condvar,
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// When they have to be written at the latest, if any wait.
    due: Option<Instant>,
    closed: bool,
    stopped: Option<RowsError>,
}

impl State {
    fn has_room(&self, bytes: usize) -> bool {
        self.waiting.len() < MOST_BATCHES && self.bytes + bytes <= MOST_BYTES
    }

    /// How long the writer may sleep; zero if there is something to do.
    fn pause(&self, now: Instant) -> Duration {
        if self.closed || self.stopped.is_some() {
            return Duration::ZERO;
        }
        match self.due {
            Some(due) => due.saturating_duration_since(now),
            None => Duration::MAX,
        }
    }
}

impl Queue {
    /// Waits for room, unless the queue is stopped. It is written as soon as can be.
    pub fn push(&self, batch: Vec<Row>) -> Result<Pending, RowsError> {
        self.push_within(batch, Duration::ZERO)
    }

    /// The same for a batch that is written with the next one, or some time.
    pub fn push_later(&self, batch: Vec<Row>) -> Result<(), RowsError> {
        self.push_within(batch, LATER).map(drop)
    }

    fn push_within(&self, batch: Vec<Row>, most: Duration) -> Result<Pending, RowsError> {
        let bytes = batch.iter().map(Row::bytes).sum();
        if bytes > MOST_BYTES {
            let most = MOST_BYTES;
            return Err(RowsError::TooLarge { bytes, most });
        }
        let is_full = |state: &mut State| state.stopped.is_none() && !state.has_room(bytes);
        let mut state = self.lock();
        if is_full(&mut state) {
            // Whoever waits for room waits for the writer.
            state.due = Some(Instant::now());
            self.work.notify_one();
        }
        let held = self.room.wait_while(state, is_full);
        let mut state = held.unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = &state.stopped {
            return Err(error.clone());
        }
        let told = Arc::new(Told::default());
        state.bytes += bytes;
        state.waiting.push_back(Waiting(batch, told.clone()));
        let due = Instant::now() + most;
        state.due = Some(state.due.map_or(due, |sooner| sooner.min(due)));
        self.work.notify_one();
        Ok(Pending(told))
    }

    /// All that wait, at least one; nothing once the queue is closed and empty, or stopped.
    pub fn take(&self) -> Option<VecDeque<Waiting>> {
        let mut state = self.lock();
        loop {
            let pause = state.pause(Instant::now());
            if pause.is_zero() {
                break;
            }
            let woken = self.work.wait_timeout(state, pause);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        (state.bytes, state.due) = (0, None);
        let taken = mem::take(&mut state.waiting);
        self.room.notify_all();
        (!taken.is_empty()).then_some(taken)
    }

    /// No more will come.
    pub fn close(&self) {
        self.lock().closed = true;
        self.work.notify_all();
    }

    /// Whoever waits, or comes from now on, is told `error`, unless it was stopped before.
    pub fn stop(&self, error: &RowsError) {
        let mut state = self.lock();
        state.stopped.get_or_insert_with(|| error.clone());
        let waiting = mem::take(&mut state.waiting);
        drop(state);
        self.room.notify_all();
        for batch in waiting {
            batch.tell(Err(error.clone()));
        }
    }

    /// Stops the queue when what is returned is dropped.
    pub fn stop_when_dropped(&self) -> impl Drop + '_ {
        Stop(self)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Stop<'a>(&'a Queue);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop(&RowsError::Stopped);
    }
}

/// A batch, and whom to tell. If it is dropped untold, they are told that the writer has stopped.
#[derive(Debug)]
pub(super) struct Waiting(Vec<Row>, Arc<Told>);

impl Waiting {
    pub fn batch(&self) -> &[Row] {
        &self.0
    }

    pub fn tell(self, result: Result<(), RowsError>) {
        self.1.set(result);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.1.set(Err(RowsError::Stopped));
    }
}

#[derive(Debug, Default)]
struct Told {
    news: Mutex<News>,
    some: Condvar,
}

#[derive(Debug, Default)]
struct News {
    result: Option<Result<(), RowsError>>,
    waker: Option<Waker>,
}

impl Told {
    /// The first time counts.
    fn set(&self, result: Result<(), RowsError>) {
        let mut news = self.lock();
        news.result.get_or_insert(result);
        let waker = news.waker.take();
        drop(news);
        self.some.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A batch that was handed in. To be waited for, by a thread or by a task; dropping it changes nothing
/// for the batch, which is written all the same.
#[derive(Debug)]
#[must_use = "a batch is not on the disk before this says so"]
pub struct Pending(Arc<Told>);

impl Pending {
    /// Blocks until the batch is on the disk, or never will be.
    ///
    /// # Errors
    /// [`RowsError::DiskFull`], [`RowsError::Io`], [`RowsError::Damaged`] or [`RowsError::Stopped`].
    /// A batch that failed while it was written may be there when the file is opened again, whole,
    /// like one whose writer was killed before it could acknowledge it.
    pub fn wait(self) -> Result<(), RowsError> {
        let mut news = self.0.lock();
        loop {
            if let Some(result) = &news.result {
                return result.clone();
            }
            let woken = self.0.some.wait(news);
            news = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What [`wait`](Pending::wait) returns.
impl Future for Pending {
    type Output = Result<(), RowsError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut news = self.0.lock();
        if let Some(result) = &news.result {
            return Poll::Ready(result.clone());
        }
        news.waker = Some(context.waker().clone());
        Poll::Pending
    }
}
