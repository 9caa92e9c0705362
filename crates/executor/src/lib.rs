//! Runs one unit in a deterministic sandbox: same work in, same outcome, output, transcript and
//! fuel out, on every host.
//!
//! [`Sandbox::run`] is the whole of it. What comes back is either a [`Run`], which is the guest's
//! own result whatever it did, or an [`Abort`](opensky_protocol::Abort), which says that this host
//! has no result and another may have.

mod adapt;
mod admission;
mod artifact;
mod cache;
mod engine;
mod fuel;
mod host;
pub mod inspect;
mod profile;
mod program;
mod run;
pub mod worker;
mod world;

pub use adapt::adapt;
pub use admission::{Admitted, admit};
pub use artifact::Artifact;
pub use cache::Cache;
pub use engine::{Backend, Sandbox, SandboxError};
pub use host::{Blob, Inputs, Observer};
pub use profile::{Counter, PROFILE_0, PROFILE_1, Rules};
pub use program::{CompileError, Export, Program};
pub use run::{Run, RunError, Within, on_guest_thread};
