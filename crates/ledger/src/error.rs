//! What can go wrong with the ledger's file.

use opensky_protocol::{Digest, codec::CodecError, ledger::GenesisError};

/// Why the ledger did not do what was asked. After any of these but [`Genesis`](Self::Genesis) the
/// ledger has to be opened again: then it stands where the last durable transaction left it.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// No ledger can begin so.
    #[error("the genesis makes no sense: {0}")]
    Genesis(#[from] GenesisError),
    /// The file is that of another ledger.
    #[error(
        "the file holds another ledger, which began with another name, other terms or other balances: say again what was said then, or begin another one elsewhere"
    )]
    Other {
        /// What was asked for.
        expected: Digest,
        /// What is there.
        found: Digest,
    },
    /// A row is not what was written.
    #[error("a row of the ledger is damaged: {0}")]
    Row(#[from] CodecError),
    /// A write failed before; nothing is known about it until the ledger is opened again.
    #[error("an earlier write failed: open the ledger again")]
    Failed,
    /// The file could not be read or written.
    #[error("cannot read or write the ledger: {0}")]
    Storage(Box<redb::Error>),
}

impl From<std::io::Error> for LedgerError {
    fn from(error: std::io::Error) -> Self {
        redb::StorageError::Io(error).into()
    }
}

macro_rules! storage {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for LedgerError {
            fn from(error: redb::$error) -> Self {
                Self::Storage(Box::new(error.into()))
            }
        }
    )*};
}

storage!(
    StorageError,
    TableError,
    DatabaseError,
    TransactionError,
    CommitError
);
