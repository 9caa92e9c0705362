//! Streams of our own protocols: opened to a peer that is connected, and taken from strangers within
//! limits.

mod behaviour;
mod handler;
mod share;

pub use behaviour::Behaviour;
pub use handler::{Incoming, Open, OpenError};
pub use share::{Held, STEP, Share};

/// Our two protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One request, one reply.
    Control,
    /// Pieces of one blob.
    Blob,
}
