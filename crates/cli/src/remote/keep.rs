//! What of a job stays on this machine, so that its receipt can be checked without asking anybody.

use opensky_storage::Store;

use crate::{Problem, local};

/// What is kept here of all that is given to the node. The store here is not encrypted.
#[derive(Clone, Copy)]
pub enum Keep<'a> {
    /// All of it.
    All(&'a Store),
    /// Only what anybody may see anyway. What an encrypted job is about is secret, and copies of it
    /// would not help: the receipt names what it was encrypted to.
    Public(&'a Store),
}

impl Keep<'_> {
    /// Keeps what a job hides if it is encrypted.
    pub fn own(self, bytes: &[u8]) -> Result<(), Problem> {
        match self {
            Self::All(store) => local::keep(store, bytes),
            Self::Public(_) => Ok(()),
        }
    }

    /// Keeps what is deployed.
    pub fn deployed(self, bytes: &[u8]) -> Result<(), Problem> {
        match self {
            Self::All(store) | Self::Public(store) => local::keep(store, bytes),
        }
    }
}
