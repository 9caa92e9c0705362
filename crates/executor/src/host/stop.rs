//! Why a guest does not go on, as host functions say it to the engine.

use opensky_protocol::Abort;

/// Ends the guest from inside a host call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// The program called `exit`: with a code that is not 0, or as a command.
    #[error("exit with code {0}")]
    Exit(u8),
    /// The guest has used more than its limit of what is named.
    #[error("the limit on {0} was reached")]
    Limit(&'static str),
    /// A host call cost more fuel than was left.
    #[error("out of fuel in a host call")]
    OutOfFuel,
    /// The guest broke a rule of the interface for which WASI prescribes a trap.
    #[error("{0}")]
    Trap(&'static str),
    /// The host cannot go on.
    #[error(transparent)]
    Abort(Abort),
}
