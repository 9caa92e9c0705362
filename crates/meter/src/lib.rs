//! A deterministic profile for WebAssembly, as a pass from binary to binary: exact fuel, canonical
//! NaNs and a limit on the depth of calls, with no engine in it.
//!
//! Any engine that keeps to the WebAssembly specification runs the result: the same input bytes give
//! the same output bytes on every host, and a metered program has the same outcome, fuel included,
//! wherever it runs. `SPEC.md` beside this crate says what is counted, and how exactly.
//!
//! ```
//! let empty = b"\0asm\x01\0\0\0";
//! let metered = opensky_meter::module(empty, &opensky_meter::Context::default())?;
//! assert_eq!(metered.startup, opensky_meter::cost::PART);
//! # Ok::<(), opensky_meter::MeterError>(())
//! ```
//!
//! # Running what comes out
//!
//! Of a component: link [`FUEL_LIMIT`] and [`FUEL_REPORT`] and, when the program has ended well, call
//! [`FUEL_LEFT`]. The counters are inside.
//!
//! Of a core module: give it the imports from [`METER`] that [`module`] lists. Set `fuel` to the limit
//! less [`Metered::startup`], and `depth` to [`DEPTH`]; read `fuel` when the program has ended.
//!
//! In both, fuel is whole units and may be less than 0 at the end: then the program needed more than its
//! limit, however it ended. A trap by `unreachable` in the program's own code is the meter saying so
//! early; `panic` is called for the `unreachable`s of the program itself. Run it on a thread with
//! [`NATIVE_STACK`] bytes of stack. The engine need not count, nor make NaNs canonical, but bound how
//! large memories and tables may grow: growth is paid for once it has happened.

mod calls;
mod charges;
mod classes;
mod component;
pub mod cost;
mod dues;
mod edits;
mod error;
mod features;
mod flow;
mod instrument;
mod loops;
mod module;
mod nan;
mod room;
mod scan;
#[cfg(test)]
mod shapes;

pub use self::{
    component::{FUEL_LEFT, FUEL_LIMIT, FUEL_REPORT, component},
    error::MeterError,
    features::features,
    module::{Context, Metered, module},
};

/// The rules. They are frozen: a program that is charged anything else, or that ends anywhere else, was
/// metered by another profile, whose number is another. How the pass reaches it may change.
pub const VERSION: &str = "1";

/// The module that a metered module imports its meter from.
pub const METER: &str = "opensky:meter";

/// Bytes of counted frames that may be under way: what the global `depth` starts with.
pub const DEPTH: i32 = 8 << 20;

/// Bytes of native stack with which no engine we know overflows before [`DEPTH`] is used up.
pub const NATIVE_STACK: usize = 512 << 20;
