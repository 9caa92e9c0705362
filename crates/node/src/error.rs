//! What can go wrong with a node as a whole.

use std::path::PathBuf;

use opensky_core::Refused;
use opensky_ledger::LedgerError;
use opensky_network::StartError as NetworkError;
use opensky_protocol::{Digest, NodeKey};
use opensky_storage::{KeyError as SealError, RowsError, StoreError};

use crate::{
    depot::BringError,
    identity::KeyError,
    ledger::{LedgerAway, short_ledger},
};

/// Why a node does not start. Nothing of it runs then.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its folder cannot be made.
    #[error("cannot make the data folder `{path}`: {source}")]
    Folder {
        /// The folder.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Its key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key that it seals what it stores with.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Its rows: among others, another process has them open.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// Its rows are not those of a participant.
    #[error(transparent)]
    Restore(#[from] opensky_core::RestoreError),
    /// Its blobs.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its part in the network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The ledger that it keeps.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger that another node keeps was never reached, so its id is not known.
    #[error("it is not known yet which ledger it is: {0}")]
    LedgerAway(#[from] LedgerAway),
    /// Its folder has escrows, nonces and vouchers of another ledger than the one that it is told to use.
    #[error(
        "its data folder belongs to ledger {}, and the ledger that it is told to use is {}",
        short_ledger(own),
        short_ledger(found)
    )]
    OtherLedger {
        /// The folder's own.
        own: Digest,
        /// The one that answers, or would be begun.
        found: Digest,
    },
    /// It kept a ledger, whose file is not there any more. A new one would be taken for the old one by everybody,
    /// without anything that they have.
    #[error("the ledger that it keeps is gone: there is no `{}`", .0.display())]
    LedgerLost(PathBuf),
}

/// Why a node ended by itself.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// Its rows cannot be written: what it would say next would not be true after a restart.
    #[error("its rows cannot be written: {0}")]
    Rows(#[from] RowsError),
    /// One of its tasks died.
    #[error("one of its tasks died: {0}")]
    Task(String),
}

/// Why a job was not taken on.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The core says why.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// An input is not in this node's store.
    #[error("the input {0} is not in this node's store: put it there first")]
    Missing(Digest),
    /// The program is not here, and nobody who is known has it.
    #[error("nobody who can be reached has the program {0}: deploy it again")]
    NotPinned(Digest),
    /// The program did not come.
    #[error("the program did not come: {0}")]
    Bring(#[from] BringError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is kept for the job could not be written down.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// The node has ended.
    #[error("the node has ended")]
    Ended,
}

/// Why a program was not deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The name or the description is not as it has to be.
    #[error(
        "a deployment's name is 1 to 64 of a-z, 0-9 and -, and what it is about at most 200 bytes"
    )]
    Unbounded,
    /// The program is not in this node's store.
    #[error("the program is not in this node's store: put it there first")]
    Missing(#[from] StoreError),
    /// No provider is known.
    #[error("no provider is known that could pin the program")]
    NoProvider,
    /// Fewer pinned it than have to.
    #[error("only {pinned} of {wanted} operators have pinned the program")]
    NotPinned {
        /// How many did.
        pinned: usize,
        /// How many have to.
        wanted: usize,
        /// Who was asked and did not, and why.
        refused: Vec<(NodeKey, Unpinned)>,
    },
}

/// Why a provider has not pinned a program.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, thiserror::Error)]
pub enum Unpinned {
    /// It was asked twice whether it is there.
    #[error("it does not answer")]
    Silent,
    /// Nobody knows where it is, or it takes no connection.
    #[error("it cannot be reached")]
    Unreachable,
    /// It was asked several times.
    #[error("it is busy")]
    Busy,
    /// It said no.
    #[error("it does not want to")]
    Unwilling,
    /// It hung up, or talks nonsense.
    #[error("it gave no reply")]
    NoReply,
    /// There was no time left for it to fetch the program.
    #[error("it was still fetching the program")]
    Late,
}
