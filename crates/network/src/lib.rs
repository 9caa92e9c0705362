//! Peers, gossip, requests and verified blobs over libp2p.
//!
//! [`Network::start`] gives a handle, which asks, announces and fetches, and an [`Inbox`], out of
//! which comes what others ask and announce. This crate carries bytes: what they mean is for whoever
//! holds the handle. One task owns the swarm; every channel is bounded, and so is what strangers may
//! take ([`Limits`]). A node's key is its libp2p identity.

mod behaviour;
mod blob;
mod command;
mod config;
mod control;
mod dialer;
mod driver;
mod error;
mod identity;
mod inbound;
mod network;
mod porter;
mod records;
mod status;
mod streams;
mod transport;

pub use blob::{BlobReader, Blobs, Fetched, Sink};
pub use config::{Config, Exposure, Limits};
pub use error::{AnnounceError, AskError, FetchError, FindError, StartError};
pub use inbound::{Inbound, Inbox, Reply, Verdict};
pub use network::Network;
pub use status::{Reachability, Status};
