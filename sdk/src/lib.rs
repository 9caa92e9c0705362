//! Write OpenSky jobs in Rust.
//!
//! A job is a function from bytes to bytes that any machine can run and get the same bytes out. It
//! is built to a WebAssembly component, runs in a sandbox that shows it nothing but its input, and
//! what it cost is counted exactly. This crate is all that a job depends on.
//!
//! # A first job
//!
//! `Cargo.toml` (what `opensky new` writes):
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib", "rlib"]     # the component, and what tests link
//!
//! [dependencies]
//! opensky = { package = "opensky-sdk", version = "0.1" }
//! serde = { version = "1", features = ["derive"] }
//! ```
//!
//! `src/lib.rs`:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Query {
//!     numbers: Vec<u64>,
//! }
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Answer {
//!     sum: u64,
//! }
//!
//! #[opensky::job]
//! fn sum(query: Query) -> Result<Answer, opensky::Error> {
//!     let add = |sum: u64, n: &u64| sum.checked_add(*n);
//!     let sum = query.numbers.iter().try_fold(0, add);
//!     let sum = sum.ok_or_else(|| opensky::Error::failed("the sum is over 64 bits"))?;
//!     Ok(Answer { sum })
//! }
//!
//! // In a test, natively:
//! let answer = opensky::test::run(sum, Query { numbers: vec![1, 2, 39] });
//! assert_eq!(answer, Ok(Answer { sum: 42 }));
//! ```
//!
//! ```console
//! $ echo '{"numbers": [1, 2, 39]}' | opensky run --input -
//! {"sum":42}
//! ```
//!
//! The input may be `Vec<u8>` (the bytes as they are), `String` (UTF-8 text), or any type that serde
//! reads (JSON); the output likewise. [`Input`] and [`Output`] have the exact rules. The error may be
//! anything that can be displayed; [`Error`] says whose fault it is, and takes every
//! [`std::error::Error`] through `?`. An error is a result too: it is compared, and paid for.
//!
//! # Map-reduce
//!
//! For an input that comes in many parts. Parts are mapped on many machines at once, brought
//! together by key, and reduced; see [`MapReduce`], and [`Finish`] for one last step over all of it.
//!
//! ```
//! use opensky::{Error, MapReduce};
//!
//! struct WordCount;
//!
//! #[opensky::map_reduce]
//! impl MapReduce for WordCount {
//!     type Shard = String;
//!     type Key = String;
//!     type Value = u64;
//!     type Output = String;
//!
//!     fn map(shard: String) -> Result<Vec<(String, u64)>, Error> {
//!         Ok(shard.split_whitespace().map(|word| (word.to_lowercase(), 1)).collect())
//!     }
//!
//!     fn combine(_: &String, counts: Vec<u64>) -> Result<Vec<u64>, Error> {
//!         Ok(vec![counts.iter().sum()])
//!     }
//!
//!     fn reduce(word: String, counts: Vec<u64>) -> Result<String, Error> {
//!         Ok(format!("{word} {}\n", counts.iter().sum::<u64>()))
//!     }
//! }
//!
//! let unit = opensky::test::Unit::new();
//! let output = unit.map_reduce::<WordCount>(["to be or", "not to be"]);
//! assert_eq!(output, Ok(b"be 2\nnot 1\nor 1\nto 2\n".to_vec()));
//! ```
//!
//! # Steppers
//!
//! For a computation too long for one unit: cut it into steps, each a unit of its own that starts
//! from the state the last one left. See [`Stepper`].
//!
//! ```
//! use opensky::{Error, Step, Stepper};
//!
//! struct Collatz;
//!
//! #[opensky::stepper]
//! impl Stepper for Collatz {
//!     type Input = u64;
//!     type State = (u64, u32);
//!     type Output = u32;
//!
//!     fn init(start: u64) -> Result<(u64, u32), Error> {
//!         Ok((start, 0))
//!     }
//!
//!     fn step((n, steps): (u64, u32)) -> Result<Step<(u64, u32), u32>, Error> {
//!         Ok(match n {
//!             0 => return Err(Error::invalid_input("0 never reaches 1")),
//!             1 => Step::Done(steps),
//!             n if n % 2 == 0 => Step::More((n / 2, steps + 1)),
//!             n => Step::More((3 * n + 1, steps + 1)),
//!         })
//!     }
//! }
//!
//! assert_eq!(opensky::test::Unit::new().stepper::<Collatz>(27), Ok(111));
//! ```
//!
//! # What a job sees, and what it tells
//!
//! * Parameters (`--param KEY=VALUE`): [`param`], [`param_or`].
//! * Named inputs (`--in NAME=FILE`) and outputs beside the return value: [`blobs`].
//! * The unit itself: [`unit_id`], [`shard`], [`seed`], [`virtual_time`].
//! * Random numbers, drawn from the unit's seed, or from that of the step: [`rng()`].
//! * To whoever watches: [`info!`] and its siblings, [`progress`].
//!
//! # Testing
//!
//! On every target but wasm, calls to the host are answered by the [`test`](mod@test) module, so plain `cargo
//! test` runs the job, steps into it with a debugger, and measures its coverage.
//!
//! # Same input, same output
//!
//! The sandbox makes a job deterministic whatever it does; nothing breaks when one forgets about
//! this. These are worth knowing:
//!
//! * **Time** is virtual: `SystemTime::now` starts at [`virtual_time`], goes on by rule, and sleeping
//!   moves it on without waiting. It measures nothing; the report of a run has the fuel.
//! * **Random numbers**, those of the `rand` crate and of `HashMap`'s hash seeds too, come from the
//!   unit's seed. So the order of a `HashMap` is the same on all machines, yet another one for every
//!   input and in native tests: let no output depend on it, use `BTreeMap`.
//! * **Floating point** is exact to the bit, including which NaN comes out. Native tests agree as long as
//!   they go by `+ - * /` and `sqrt`; functions such as `sin` are another library's there.
//! * **Network, threads, environment**: there are none (the environment has what the requester set).
//! * **`usize`** has 32 bits in the sandbox: 4 GiB is the end of memory, and `as usize` may cut.
//! * **A panic** is a result as well, and paid for. What it prints goes to standard error.
#![warn(missing_docs)]

// The macros and the bindings name this crate by its path, here too.
extern crate self as opensky;

#[doc(hidden)]
#[path = "export.rs"]
pub mod __private;
#[doc(hidden)]
pub mod bindings;
pub mod blobs;
mod context;
mod digest;
mod error;
mod host;
mod key;
mod map_reduce;
pub mod report;
mod rng;
mod stepper;
#[cfg(not(target_arch = "wasm32"))]
pub mod test;
mod wire;

pub use opensky_sdk_macros::{job, map_reduce, stepper};
pub use rand_core;

pub use crate::{
    context::{param, param_or, params, seed, shard, unit_id, virtual_time},
    digest::{Digest, ParseDigestError},
    error::Error,
    key::Key,
    map_reduce::{Finish, MapReduce, Pairs},
    report::{Level, progress},
    rng::{Rng, rng},
    stepper::{Step, Stepper},
    wire::{Input, Json, Output},
};
