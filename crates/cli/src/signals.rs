//! Signals that would kill a command: heard instead, from when it has something to say or to clear away.

use std::{
    convert::Infallible,
    fs,
    future::poll_fn,
    io, panic,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError},
    task::Poll,
    thread,
    time::Duration,
};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Problem;

/// How soon somebody who works hears of a signal.
const LOOK: Duration = Duration::from_millis(50);

/// Whether a signal has come. From its making on none of its kinds kills this process any more, not even
/// after it is dropped: whoever made one looks at it until the end.
pub struct Signals {
    /// Closed by the first of them.
    told: Receiver<Infallible>,
    /// Where no signal is heard it stays open.
    _open: Option<Sender<Infallible>>,
}

impl Signals {
    /// Ctrl-C.
    pub fn interrupt() -> Result<Self, Problem> {
        Self::of(&[SignalKind::interrupt()])
    }

    /// None: this process dies of all of them, as usual.
    pub fn none() -> Self {
        let (open, told) = mpsc::channel();
        Self {
            told,
            _open: Some(open),
        }
    }

    /// All that end something which goes on for long: Ctrl-C, SIGTERM, and the end of the terminal, but
    /// under `nohup`.
    pub fn end() -> Result<Self, Problem> {
        let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
        kinds.extend(Some(SignalKind::hangup()).filter(|kind| !is_ignored(*kind)));
        Self::of(&kinds)
    }

    fn of(kinds: &[SignalKind]) -> Result<Self, Problem> {
        let failed = |error: io::Error| Problem::host("cannot wait for signals").because(error);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(failed)?;
        let signals: io::Result<Vec<Signal>> = {
            let _inside = runtime.enter();
            kinds.iter().map(|kind| signal(*kind)).collect()
        };
        let mut signals = signals.map_err(failed)?;
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            runtime.block_on(first(&mut signals));
            drop(tell);
        });
        Ok(Self { told, _open: None })
    }

    /// Whether one has come.
    pub fn came(&self) -> bool {
        matches!(self.told.try_recv(), Err(TryRecvError::Disconnected))
    }

    /// Waits for one. Whether it came in that time.
    pub fn come_within(&self, most: Duration) -> bool {
        matches!(
            self.told.recv_timeout(most),
            Err(RecvTimeoutError::Disconnected)
        )
    }

    /// Does something on a thread of its own. `None` if a signal came first: it is left alone then, and
    /// ends with this process.
    pub fn unless<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (send, done) = mpsc::sync_channel(1);
        let worker = thread::spawn(move || {
            // Nobody waits any more if it cannot be said.
            let _ = send.send(work());
        });
        loop {
            match done.recv_timeout(LOOK) {
                Ok(done) => return Some(done),
                Err(RecvTimeoutError::Timeout) if self.came() => return None,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let panicked = worker.join().expect_err("else it says that it is done");
                    panic::resume_unwind(panicked);
                }
            }
        }
    }
}

/// Until the first of them comes.
async fn first(signals: &mut [Signal]) {
    poll_fn(|context| {
        let mut each = signals.iter_mut();
        match each.any(|signal| signal.poll_recv(context).is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

/// Whether this process was started so that it does not hear a signal. Where that cannot be told it does.
fn is_ignored(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let ignored = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    /// Both in one test: a signal is for the whole process.
    #[test]
    fn signal_ends_waiting_and_what_is_under_way_is_left() {
        let signals = Signals::interrupt().expect("signals are heard");
        assert!(!signals.came());
        assert_eq!(signals.unless(|| 7), Some(7));
        // It would work for ever.
        let (begun, has_begun) = mpsc::channel();
        let (_keep, never) = mpsc::channel::<()>();
        thread::spawn(move || {
            has_begun.recv().expect("it begins");
            kill_process(getpid(), Signal::INT).expect("it is this process");
        });
        let work = move || {
            begun.send(()).expect("somebody listens");
            never.recv()
        };
        assert!(signals.unless(work).is_none());
        assert!(signals.came() && signals.came());
        assert!(signals.come_within(Duration::ZERO));
    }

    #[test]
    fn ignored_signals_are_told_from_others() {
        // Rust's own start has this one ignored.
        assert!(is_ignored(SignalKind::pipe()));
        assert!(!is_ignored(SignalKind::user_defined1()));
    }
}
