//! Compiled programs that are held in memory, each made once for all who want it at the same time.
//! Whoever wants another one does not wait for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use opensky_executor::Artifact;
use opensky_protocol::{Abort, Digest, NodeKey, Profile};

/// Programs that are held.
const MOST: usize = 64;
/// Bytes of native code that are held: it is in memory, beside what is given to units. The one that was
/// made last is held however long it is, so that a batch of its units does not compile it each time.
const BYTES: u64 = 512 << 20;
/// How long it is remembered that a compilation was cut off, at first and at most: it may have taken long, and each unit of
/// a batch would begin another. Each time twice as long, so that a program that never compiles does not keep a core busy.
const CUT_OFF: Duration = Duration::from_secs(60);
const CUT_OFF_OFTEN: Duration = Duration::from_secs(86_400);

/// What is known of programs. The ones that were not used for longest are forgotten.
#[derive(Default)]
pub(crate) struct Programs {
    state: Mutex<State>,
    /// Something was made, or not.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    known: BTreeMap<Key, Held>,
    making: BTreeSet<Name>,
    bytes: u64,
    uses: u64,
}

/// A program and its profile.
pub(crate) type Name = (Digest, Profile);
/// The same, and for whom it was opened, if it is encrypted: others do not get it.
type Key = (Name, Option<NodeKey>);
/// A refusal is remembered like code.
type Made = Result<Artifact, Abort>;

struct Held {
    made: Made,
    bytes: u64,
    used: u64,
    /// If it counts for a while only.
    cut_off: Option<CutOff>,
}

#[derive(Clone, Copy)]
struct CutOff {
    until: Instant,
    times: u32,
}

impl CutOff {
    fn after(before: Option<Self>, now: Instant) -> Self {
        let times = before.map_or(0, |before| before.times);
        let pause = CUT_OFF.saturating_mul(2u32.saturating_pow(times));
        Self {
            until: now + pause.min(CUT_OFF_OFTEN),
            times: times.saturating_add(1),
        }
    }
}

/// What came of making a program.
pub(crate) enum New {
    /// It follows from the component's bytes: it is true next time, for everybody.
    Public(Made),
    /// The same for the requester alone.
    Secret(Made),
    /// It was cut off: the same may be made later, but not at once.
    CutOff {
        /// Why.
        abort: Abort,
        /// For all who want it, or for the requester alone.
        is_public: bool,
    },
    /// It says nothing about the component.
    Nothing(Abort),
}

impl Programs {
    /// The program for that requester, as it is known, or as `make` makes it. Blocks while somebody else
    /// makes it.
    pub fn find_or_make(&self, name: Name, requester: NodeKey, make: impl FnOnce() -> New) -> Made {
        let mut state = self.lock();
        loop {
            if let Some(known) = state.find(&name, requester, Instant::now()) {
                return known;
            }
            if state.making.insert(name.clone()) {
                break;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        let making = Making(self, name);
        let (made, is_public, is_cut_off) = match make() {
            New::Public(made) => (made, true, false),
            New::Secret(made) => (made, false, false),
            New::CutOff { abort, is_public } => (Err(abort), is_public, true),
            New::Nothing(abort) => return Err(abort),
        };
        let of = (!is_public).then_some(requester);
        let bytes = made.as_ref().map_or(0, Artifact::native_len);
        let key = (making.1.clone(), of);
        let mut state = self.lock();
        let before = state.known.get(&key).and_then(|held| held.cut_off);
        let held = Held {
            made: made.clone(),
            bytes,
            used: 0,
            cut_off: is_cut_off.then(|| CutOff::after(before, Instant::now())),
        };
        state.keep(key, held);
        drop(state);
        made
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While somebody makes the program of that name.
struct Making<'a>(&'a Programs, Name);

impl Drop for Making<'_> {
    fn drop(&mut self) {
        self.0.lock().making.remove(&self.1);
        self.0.changed.notify_all();
    }
}

impl State {
    fn find(&mut self, name: &Name, requester: NodeKey, now: Instant) -> Option<Made> {
        self.uses += 1;
        let counts = |held: &&mut Held| held.cut_off.is_none_or(|cut_off| now < cut_off.until);
        for key in [(name.clone(), None), (name.clone(), Some(requester))] {
            if let Some(held) = self.known.get_mut(&key).filter(counts) {
                held.used = self.uses;
                return Some(held.made.clone());
            }
        }
        None
    }

    fn keep(&mut self, key: Key, held: Held) {
        self.forget(&key);
        while self.known.len() >= MOST || self.bytes + held.bytes > BYTES {
            let oldest = self.known.iter().min_by_key(|(_, held)| held.used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                break;
            };
            self.forget(&oldest);
        }
        self.bytes += held.bytes;
        let used = self.uses;
        self.known.insert(key, Held { used, ..held });
    }

    fn forget(&mut self, key: &Key) {
        if let Some(held) = self.known.remove(key) {
            self.bytes -= held.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            atomic::{AtomicUsize, Ordering::SeqCst},
            mpsc,
        },
        thread,
        time::Duration,
    };

    use super::*;

    const ONE: NodeKey = NodeKey([1; 32]);
    const OTHER: NodeKey = NodeKey([2; 32]);

    fn name(number: u8) -> Name {
        (Digest([number; 32]), Profile::new("1"))
    }

    /// A refusal stands for code here: it is kept like that.
    fn made(number: usize) -> Made {
        Err(Abort::Compile(number.to_string()))
    }

    fn is_made(programs: &Programs, name: &Name, requester: NodeKey) -> bool {
        let unknown = || New::Nothing(Abort::Watchdog);
        let found = programs.find_or_make(name.clone(), requester, unknown);
        !matches!(found, Err(Abort::Watchdog))
    }

    fn held(number: usize, bytes: u64) -> Held {
        Held {
            made: made(number),
            bytes,
            used: 0,
            cut_off: None,
        }
    }

    #[test]
    fn program_that_is_being_made_keeps_nobody_from_another() {
        let programs = Programs::default();
        let known = || New::Public(made(2));
        let _ = programs.find_or_make(name(2), ONE, known);
        let (finish, wait) = mpsc::channel::<()>();
        let (begin, begun) = mpsc::channel();
        let programs = &programs;
        thread::scope(|scope| {
            scope.spawn(move || {
                programs.find_or_make(name(1), ONE, || {
                    begin.send(()).unwrap();
                    wait.recv().unwrap();
                    New::Public(made(1))
                })
            });
            begun.recv().unwrap();
            let (tell, told) = mpsc::channel();
            scope.spawn(move || {
                let found = is_made(programs, &name(2), OTHER);
                let _ = programs.find_or_make(name(3), ONE, || New::Public(made(3)));
                tell.send(found).unwrap();
            });
            let found = told.recv_timeout(Duration::from_secs(60));
            finish.send(()).unwrap();
            assert_eq!(found, Ok(true), "another program has to wait");
        });
        assert!(is_made(programs, &name(1), OTHER));
    }

    #[test]
    fn program_that_many_want_at_once_is_made_once() {
        let programs = Programs::default();
        let count = AtomicUsize::new(0);
        let make = || {
            programs.find_or_make(name(1), ONE, || {
                // Time for the others to want it.
                thread::sleep(Duration::from_millis(20));
                New::Public(made(count.fetch_add(1, SeqCst)))
            })
        };
        thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            for found in all {
                assert!(matches!(found.join().unwrap(), Err(Abort::Compile(text)) if text == "0"));
            }
        });
        assert_eq!(count.load(SeqCst), 1);
    }

    #[test]
    fn what_says_nothing_is_tried_again_and_what_is_secret_is_not_shown() {
        let programs = Programs::default();
        assert!(!is_made(&programs, &name(1), ONE));
        let _ = programs.find_or_make(name(1), ONE, || New::Secret(made(1)));
        assert!(is_made(&programs, &name(1), ONE));
        assert!(!is_made(&programs, &name(1), OTHER));
    }

    #[test]
    fn what_was_cut_off_is_tried_again_but_not_by_all_at_once() {
        let programs = Programs::default();
        let cut_off = || New::CutOff {
            abort: Abort::WorkerDied("compiling took too long".into()),
            is_public: true,
        };
        let found = programs.find_or_make(name(1), ONE, cut_off);
        assert!(matches!(found, Err(Abort::WorkerDied(_))));
        assert!(is_made(&programs, &name(1), OTHER));
        let later = Instant::now() + CUT_OFF;
        assert!(programs.lock().find(&name(1), OTHER, later).is_none());
    }

    #[test]
    fn what_never_compiles_is_tried_ever_less_often() {
        let (now, mut last) = (Instant::now(), None);
        let mut pauses = Vec::new();
        for _ in 0..40 {
            let cut_off = CutOff::after(last, now);
            pauses.push((cut_off.until - now).as_secs());
            last = Some(cut_off);
        }
        assert_eq!(pauses[..4], [60, 120, 240, 480]);
        assert_eq!(pauses[39], CUT_OFF_OFTEN.as_secs());
    }

    #[test]
    fn programs_are_bounded_by_number_and_by_bytes() {
        let mut state = State::default();
        let key = |number: usize| (name(number as u8), None);
        for number in 0..MOST + 10 {
            state.keep(key(number), held(number, 1));
            // The first one is used all the time.
            let _ = state.find(&name(0), ONE, Instant::now());
        }
        assert_eq!((state.known.len(), state.bytes), (MOST, MOST as u64));
        assert!(state.known.contains_key(&key(0)) && !state.known.contains_key(&key(1)));

        let half = BYTES / 2;
        state.keep(key(200), held(200, half));
        state.keep(key(201), held(201, half));
        assert_eq!(state.bytes, BYTES);
        assert_eq!(state.known.len(), 2);
        state.keep(key(202), held(202, 2 * BYTES));
        assert_eq!((state.known.len(), state.bytes), (1, 2 * BYTES));
        state.keep(key(203), held(203, 5));
        assert_eq!((state.known.len(), state.bytes), (1, 5));
    }
}
