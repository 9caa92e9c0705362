//! The exit codes: one meaning each, for every command.

use std::process::ExitCode;

/// How a command ended. Scripts rely on the numbers: they never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The guest succeeded; the command did what was asked; `verify`: the receipt matches.
    Success = 0,
    /// The guest's own failure (error, trap, out of fuel, limit); `verify`: the receipt does not
    /// match; `build`: the project does not compile.
    Failure = 1,
    /// The command line makes no sense, or names something that is not there.
    Usage = 2,
    /// Refused before anything ran; `verify`: it cannot be judged.
    Refused = 3,
    /// The host failed: disk, memory, a missing tool, no node that answers. Nothing is known about
    /// the guest.
    Host = 4,
    /// A job on the network ended without a result: it cannot be run, nobody could decide, it was
    /// cancelled, too late or too expensive.
    NoResult = 5,
    /// Interrupted while waiting: the job goes on.
    Interrupted = 130,
}

impl Exit {
    /// Every code, in order.
    pub const ALL: [Self; 7] = [
        Self::Success,
        Self::Failure,
        Self::Usage,
        Self::Refused,
        Self::Host,
        Self::NoResult,
        Self::Interrupted,
    ];
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The section of `--help` about exit codes.
pub const HELP: &str = "\
Exit codes:
  0  the guest succeeded (verify: the receipt matches)
  1  the guest's own failure: error, trap, out of fuel, limit
     (verify: it does not match; build: it does not compile)
  2  usage: the command line makes no sense, or names what is not there
  3  refused before anything ran (verify: it cannot be judged)
  4  the host failed, or no node answers: nothing is known about the guest
  5  a job on the network ended without a result: it cannot be run, nobody
     could decide, it was cancelled, too late or too expensive
  130  interrupted while waiting: the job goes on

Environment:
  OPENSKY_LOG      what is logged to stderr, whatever -v says: `debug`, or
                   `opensky_executor=trace`
  OPENSKY_NODE     the data folder of the node to talk to (else that of the
                   devnet that runs, else $XDG_DATA_HOME/opensky/node)
  NO_COLOR         no colours, even on a terminal
  XDG_DATA_HOME    $XDG_DATA_HOME/opensky keeps the key, receipts, and the
                   programs and inputs that receipts are about (else
                   ~/.local/share/opensky)
  XDG_CACHE_HOME   $XDG_CACHE_HOME/opensky has compiled code and toolchains:
                   what can be made again (else ~/.cache/opensky)";
