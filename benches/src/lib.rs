//! What the sandbox and the network cost: each question is a module, each comparison is made side by
//! side in one process, and every variant has to give the same answer before its time counts.

mod chain;
mod figures;
mod guest;
mod host;
mod kernels;
mod layout;
mod machine;
mod measure;
mod meter;
mod network;
mod noop;
mod plain;
pub mod program;
mod sign;
mod start;
mod worker;

use opensky_executor::{
    Backend, Cache, Rules, Sandbox, on_guest_thread,
    worker::{Compiler, Launcher},
};

pub use chain::chain;
pub use figures::{Figures, Impossible};
pub use measure::Differs;
pub use network::network;

/// Why there is no answer: whatever failed, as it says it itself.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// How much time an answer is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effort {
    /// Small sizes, few rounds: that everything runs and agrees. The figures mean nothing.
    Quick,
    /// Minutes: figures to write down.
    Full,
}

impl Effort {
    /// `quick` or `full`, whichever this is.
    fn pick<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// What one unit costs, in all its parts. Prints tables to stdout while it measures. `launcher` says
/// how this binary is started as a worker process.
pub fn executor(effort: Effort, launcher: &Launcher) -> Result<Figures, Error> {
    on_guest_thread(|| measure_executor(effort, launcher))?
}

fn measure_executor(effort: Effort, launcher: &Launcher) -> Result<Figures, Error> {
    println!("{}", machine::describe()?);
    let guests = guest::build()?;
    let sandbox = Sandbox::new(&Rules::DEFAULT.profile(), Backend::Cranelift)?;
    let mut figures = Figures::default();
    host::measure(effort, &sandbox, &guests.kernels, &mut figures)?;
    kernels::measure(effort, &sandbox, &guests.kernels, &mut figures)?;
    let statement = noop::measure(effort, &sandbox, &guests.hello, &mut figures)?;
    let folder = tempfile::tempdir()?;
    let cache = Cache::open(&folder.path().join("native"), Cache::DEFAULT_LIMIT);
    let compiler = Compiler::new(cache, launcher.clone());
    let artifact = compiler.artifact(&sandbox, &guests.hello)?;
    worker::measure(effort, launcher, &guests.hello, &artifact, &mut figures)?;
    start::measure(effort, &sandbox, &guests, &compiler, &mut figures)?;
    sign::measure(effort, &statement, &mut figures)?;
    meter::measure(effort, &guests.kernels, &mut figures)?;
    Ok(figures)
}
