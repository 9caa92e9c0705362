//! `wasi:clocks`: virtual time, the same for both clocks. It starts at the work's virtual time,
//! goes on by a microsecond whenever it is looked at, and jumps to a timer that is waited for.

use wasmtime::component::{ComponentType, Lift, Linker, Lower};

use super::{VERSION, io::Pollable};
use crate::{
    host::{Host, Interface, Record, Recorder},
    profile::Rules,
};

/// What one look at the clock takes, in nanoseconds. A loop that waits for time to pass comes to
/// its end, and two looks never give the same instant.
const LOOK: u64 = 1_000;

const SECOND: u64 = 1_000_000_000;

/// Nanoseconds since the instance started. At the end of its range, after 584 years, it stands
/// still.
#[derive(Clone, Copy, Default)]
pub(super) struct Clock(u64);

impl Clock {
    /// The time; it goes on by one look.
    pub fn look(&mut self) -> u64 {
        let now = self.0;
        self.0 = now.saturating_add(LOOK);
        now
    }

    /// Whether that time has come.
    pub fn reached(self, deadline: u64) -> bool {
        self.0 >= deadline
    }

    /// Waits for that time, at no cost.
    pub fn wait(&mut self, deadline: u64) {
        self.0 = self.0.max(deadline);
    }
}

/// `wasi:clocks/wall-clock.datetime`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct Datetime {
    #[component(name = "seconds")]
    pub seconds: u64,
    #[component(name = "nanoseconds")]
    pub nanoseconds: u32,
}

impl Record for Datetime {
    fn record(&self, to: &mut Recorder) {
        self.seconds.record(to);
        self.nanoseconds.record(to);
    }
}

impl Host {
    /// What the wall clock shows; it goes on by one look.
    pub(super) fn wall_clock(&mut self) -> Datetime {
        let now = self.wasi.clock.look();
        Datetime {
            seconds: self.unit.work.virtual_time.saturating_add(now / SECOND),
            nanoseconds: (now % SECOND) as u32,
        }
    }
}

pub(super) fn define(linker: &mut Linker<Host>, rules: &'static Rules) -> wasmtime::Result<()> {
    let mut monotonic = Interface::new(linker, "wasi:clocks/monotonic-clock", VERSION, rules)?;
    monotonic.func("now", |call, ()| Ok((call.wasi.clock.look(),)))?;
    monotonic.func("resolution", |_, ()| Ok((1_u64,)))?;
    monotonic.func("subscribe-instant", |call, (when,): (u64,)| {
        Ok((call.keep(Pollable::At(when))?,))
    })?;
    monotonic.func("subscribe-duration", |call, (duration,): (u64,)| {
        let when = call.wasi.clock.0.saturating_add(duration);
        Ok((call.keep(Pollable::At(when))?,))
    })?;

    let mut wall = Interface::new(linker, "wasi:clocks/wall-clock", VERSION, rules)?;
    wall.func("now", |call, ()| Ok((call.wall_clock(),)))?;
    wall.func("resolution", |_, ()| {
        let resolution = Datetime {
            seconds: 0,
            nanoseconds: 1,
        };
        Ok((resolution,))
    })
}
