//! Where the blobs of a job go: to the node, and here, so that its receipt can be checked without
//! asking anybody.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    thread,
};

use opensky_api::{Blob, Bytes, Client, Hex};
use opensky_protocol::Digest;
use opensky_storage::Store;

use super::reach;
use crate::{Problem, local};

/// Blobs that are brought to the node at once: each waits for two disks.
pub const AT_ONCE: usize = 16;

/// What becomes of all that a job is about.
pub enum Giving<'a> {
    /// The node gets it, and all of it is kept here.
    Kept(&'a Client, &'a Store),
    /// The node gets it, and only what anybody may see anyway is kept here: the store here is not encrypted.
    /// What an encrypted job is about is secret, and copies of it would not help: the receipt names what
    /// it was encrypted to.
    Secret(&'a Client, &'a Store),
    /// It goes nowhere: how long each blob is, is noted.
    Noted(Mutex<BTreeMap<Hex, u64>>),
}

impl Giving<'_> {
    /// What a job hides if it is encrypted. Answers how it is called.
    pub fn own(&self, bytes: &[u8]) -> Result<Hex, Problem> {
        let client = match self {
            Self::Noted(noted) => {
                let digest = Digest::of(bytes).into();
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                noted.insert(digest, bytes.len() as u64);
                return Ok(digest);
            }
            Self::Kept(client, store) => {
                local::keep(store, bytes)?;
                client
            }
            Self::Secret(client, _) => client,
        };
        let digest = give(client, bytes)?;
        tracing::info!(%digest, bytes = bytes.len(), "the node has a blob");
        Ok(digest)
    }

    /// Some of them, in their order.
    pub fn all(&self, blobs: &[&[u8]]) -> Result<Vec<Hex>, Problem> {
        if let Self::Noted(_) = self {
            return blobs.iter().map(|blob| self.own(blob)).collect();
        }
        thread::scope(|scope| {
            let mut given = Vec::with_capacity(blobs.len());
            for &blob in blobs {
                given.push(scope.spawn(move || self.own(blob)));
            }
            let given = given.into_iter().map(|one| match one.join() {
                Ok(given) => given,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            given.collect()
        })
    }

    /// A program that is deployed: the node finds it.
    pub fn deployed(&self, bytes: &[u8]) -> Result<(), Problem> {
        match self {
            Self::Kept(_, store) | Self::Secret(_, store) => local::keep(store, bytes),
            Self::Noted(_) => Ok(()),
        }
    }

    /// What went nowhere.
    pub fn noted(self) -> Vec<Blob> {
        let Self::Noted(noted) = self else {
            return Vec::new();
        };
        let noted = noted.into_inner().unwrap_or_else(PoisonError::into_inner);
        let blob = |(digest, len)| Blob {
            digest,
            len: Bytes::saturating(len),
        };
        noted.into_iter().map(blob).collect()
    }
}

/// Gives bytes to the node, and answers how they are called there.
pub fn give(client: &Client, bytes: &[u8]) -> Result<Hex, Problem> {
    let blob = client.put_blob(bytes, Some(bytes.len() as u64));
    Ok(blob.map_err(reach::problem)?.digest)
}
