//! Processes for strangers' code: one compiles one component, another runs one program for one
//! requester, and neither holds a key, a file or a connection. Either may die at any time.
//!
//! The parent's side is [`Compiler`] and [`Pool`]. The worker's side is [`main`], which the binary
//! that [`Launcher`] names calls when it is started that way.

mod compile;
mod compiler;
mod filter;
mod hand;
mod judge;
mod line;
mod lockdown;
mod message;
mod pace;
mod pool;
mod process;
mod run;
pub(crate) mod sealed;
mod stops;

use std::{ffi::OsString, path::PathBuf};

pub use self::{
    compiler::{CompileLimits, Compiler},
    hand::Watchdog,
    lockdown::SandboxReport,
    pool::{Pool, PoolOptions},
    stops::Stops,
};
use self::{
    line::{Lost, WorkerEnd},
    message::{Ready, Setup},
};

/// How a worker is started: `program`, `args`, and then the kind of worker, which is `compile` or
/// `run`. It must call [`main`] with that kind before it does anything else.
#[derive(Clone, Debug)]
pub struct Launcher {
    /// The binary, usually the one that is running.
    pub program: PathBuf,
    /// What comes before the kind of worker.
    pub args: Vec<OsString>,
}

/// What a worker process does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Compiles one component and exits. It never runs it.
    Compile,
    /// Runs units of one program for one requester.
    Run,
}

impl Kind {
    /// The argument that a [`Launcher`] adds.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compile => "compile",
            Self::Run => "run",
        }
    }
}

/// Exit codes of a worker, for whoever looks at one that died.
const DONE: i32 = 0;
const NO_PARENT: i32 = 2;
const BROKEN: i32 = 3;

/// The whole life of a worker process: locks itself in, serves its parent over the socket that is
/// its standard input, and ends the process. Prints nothing.
///
/// Call it first thing in `main`, before any thread or descriptor is made: it closes every descriptor
/// but the standard ones.
pub fn main(kind: Kind) -> ! {
    std::process::exit(match serve(kind) {
        Ok(()) | Err(Lost::Closed) => DONE,
        Err(Lost::Io(_)) => NO_PARENT,
        Err(Lost::Late | Lost::Rules(_)) => BROKEN,
    })
}

fn serve(kind: Kind) -> Result<(), Lost> {
    lockdown::detach()?;
    let mut parent = WorkerEnd::inherited()?;
    let (setup, _) = parent.receive::<Setup>()?;
    let report = lockdown::give_up_rights(&setup);
    match kind {
        Kind::Compile => {
            let report = lockdown::close_files(report)?;
            compile::serve(&mut parent, &setup, report)
        }
        Kind::Run => {
            let sandbox = run::sandbox(&setup, report);
            let report = lockdown::close_files(report)?;
            run::serve(&mut parent, &setup, sandbox, report)
        }
    }
}

/// Says that the worker is locked in and serves from here on, or why it cannot.
fn ready(parent: &mut WorkerEnd, report: Result<SandboxReport, String>) -> Result<(), Lost> {
    parent.send(&Ready(report), &[])
}
