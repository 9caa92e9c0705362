//! How fast the core is: what happened in a world happens again to participants of their own, with
//! nothing but the core on the clock.

use std::{collections::HashMap, time::Duration};

use opensky_core::{Event, Identity, Participant, Policy, Time};
use rustix::time::{ClockId, clock_gettime};

/// Events that are kept before they are replayed: few enough to be in a cache, as those of a node
/// that has just received them are, and many enough for the clock.
const SLICE: usize = 2_048;

enum Step {
    Join(usize, Identity),
    Handle(usize, Time, Event),
    Drain(usize),
}

/// Records what happens to participants, and replays it.
pub struct Recorder {
    policy: Policy,
    slice: Vec<Step>,
    participants: HashMap<usize, Participant>,
    handled: u64,
    took: Duration,
}

impl Recorder {
    /// One that has nothing yet. All nodes of its world have that policy.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            slice: Vec::new(),
            participants: HashMap::new(),
            handled: 0,
            took: Duration::ZERO,
        }
    }

    pub(crate) fn join(&mut self, place: usize, who: Identity) {
        self.slice.push(Step::Join(place, who));
    }

    pub(crate) fn handle(&mut self, place: usize, now: Time, event: Event) {
        self.slice.push(Step::Handle(place, now, event));
    }

    pub(crate) fn drain(&mut self, place: usize) {
        self.slice.push(Step::Drain(place));
        if self.slice.len() >= SLICE {
            self.replay();
        }
    }

    fn replay(&mut self) {
        let mut slice = std::mem::take(&mut self.slice);
        let began = cpu_time();
        for step in slice.drain(..) {
            match step {
                Step::Join(place, who) => {
                    let rows = std::iter::empty();
                    let new = Participant::restore(who, self.policy.clone(), who.node.0, rows);
                    let new = new.expect("no rows are no wrong rows");
                    self.participants.insert(place, new);
                }
                Step::Handle(place, now, event) => {
                    self.handled += 1;
                    if let Some(one) = self.participants.get_mut(&place) {
                        one.handle(now, event);
                    }
                }
                Step::Drain(place) => {
                    if let Some(one) = self.participants.get_mut(&place) {
                        while one.poll_effect().is_some() {}
                    }
                }
            }
        }
        self.took += cpu_time().saturating_sub(began);
        self.slice = slice;
    }

    /// Calls of `handle`, and the CPU time of them and of all effects that were asked for.
    pub fn measured(&mut self) -> (u64, Duration) {
        self.replay();
        (self.handled, self.took)
    }
}

/// What this thread has used.
fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}
