//! What can go wrong with the ledger's file.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

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
    /// The file's bytes are not those that were written, or some are missing.
    #[error(
        "the ledger's file `{}` is damaged or cut short ({why}): put back a copy of it, or begin another \
         ledger in another data folder; the money of this one is in that file alone",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The same of what a node remembers of its chain.
    #[error(
        "`{}`, what this node knows of its chain, is damaged or cut short ({why}): put back a copy of it, or remove it. \
         The money is on the chain; what is lost with the file is the history up to now, and what was asked for and is in \
         no block yet",
        path.display()
    )]
    Journal {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
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

impl LedgerError {
    /// The same of a ledger's file that was opened just now, whose damage shows then.
    pub(crate) fn in_file(self, path: &Path) -> Self {
        let path = path.to_owned();
        match self.damage() {
            Some(why) => Self::Damaged { path, why },
            None => self,
        }
    }

    /// The same of a journal.
    #[cfg(feature = "chain")]
    pub(crate) fn in_journal(self, path: &Path) -> Self {
        let path = path.to_owned();
        match self.damage() {
            Some(why) => Self::Journal { path, why },
            None => self,
        }
    }

    /// What is wrong with a file, if its bytes are not those that were written.
    fn damage(&self) -> Option<String> {
        match self {
            Self::Row(error) => Some(error.to_string()),
            Self::Storage(error) => match &**error {
                redb::Error::Corrupted(why) => Some(why.clone()),
                redb::Error::Io(error) if is_damage(error.kind()) => Some(error.to_string()),
                _ => None,
            },
            _ => None,
        }
    }
}

fn is_damage(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
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
