//! What can go wrong with rows.

use std::{
    io::{self, ErrorKind},
    path::PathBuf,
    sync::Arc,
};

/// Why rows were not read or written. One failure may be told to many who waited for it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RowsError {
    /// Another process, or this one, has the file open.
    #[error("the rows in `{0}` are in use: stop the node that has them open")]
    InUse(PathBuf),
    /// The file is something else.
    #[error("`{0}` is not a file of rows: move it away, or choose another path")]
    NotRows(PathBuf),
    /// Another version of this program wrote the file.
    #[error(
        "the rows in `{path}` are of version {found}, and this program reads version {known}: \
         use the program that wrote them, or move the file away to start without them"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says of itself.
        found: String,
        /// What this program reads.
        known: &'static str,
    },
    /// The key is not the one that the file was made with; or one of both is without.
    #[error(
        "the rows in `{0}` were sealed with another key, or with none: use the key they were made \
         with, or move the file away to start without them"
    )]
    WrongKey(PathBuf),
    /// The file's bytes are not those that were written.
    #[error(
        "the rows are damaged ({0}): put back a copy of the file, or move it away to start \
         without them"
    )]
    Damaged(String),
    /// The batch is larger than all that may wait.
    #[error("a batch of {bytes} bytes is too large: {most} at most, split it")]
    TooLarge {
        /// Bytes of its keys and values.
        bytes: usize,
        /// Bytes that a batch may have.
        most: usize,
    },
    /// The file system has no room, or not for this user.
    #[error(
        "the disk is full (to {doing} rows): free some space and start again, what was \
         acknowledged is safe"
    )]
    DiskFull {
        /// What was being done.
        doing: &'static str,
    },
    /// The operating system refused.
    #[error("cannot {doing} rows: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why it could not.
        source: Arc<io::Error>,
    },
    /// The writer ended before the batch was written: it was not told why.
    #[error("the rows' writer has stopped: start again, what was acknowledged is safe")]
    Stopped,
}

/// Names what was being done when the operating system refused.
pub(super) fn at(doing: &'static str, source: io::Error) -> RowsError {
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            RowsError::DiskFull { doing }
        }
        _ => RowsError::Io {
            doing,
            source: Arc::new(source),
        },
    }
}
