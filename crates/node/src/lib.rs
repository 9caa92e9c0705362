//! One running participant: drives the core with the adapters.
//!
//! [`Node::start`] opens what is in the data folder, joins the network, finds its ledger, takes up
//! what was left undone, and gives a handle, by which jobs are submitted and looked at. One task owns
//! the participant; rows are durable before anything that follows from them is done; every channel
//! is bounded. [`run`] is the life of a node that is a process of its own.

mod asides;
mod asking;
mod bond;
mod cashier;
mod clock;
mod collector;
pub mod config;
mod content;
mod deploy;
mod deployments;
mod depot;
mod door;
mod drive;
mod duties;
mod errands;
mod error;
mod execute;
mod ground;
mod held;
mod identity;
mod jobs;
mod keepsake;
mod ledger;
mod machine;
mod market;
mod metrics;
#[cfg(test)]
mod nearby;
mod node;
mod objections;
mod pace;
mod pinning;
mod pins;
mod post;
mod programs;
mod receipts;
mod rows;
mod run;
mod seal;
mod shares;
mod status;
mod supply;
mod tasks;
mod upkeep;
mod wallet;
mod workshop;

pub use asides::Log;
pub use bond::AccountError;
pub use config::{Config, ConfigError};
pub use deploy::Deployed;
pub use depot::BringError;
pub use error::{DeployError, Failure, StartError, SubmitError, Unpinned};
pub use execute::{Batch, Execute, Sandboxed};
pub use held::{Held, Returning};
pub use identity::KeyError;
pub use jobs::{Privacy, Wish};
pub use ledger::LedgerAway;
pub use node::Node;
pub use opensky_ledger::{ChainStatus, Finalized};
pub use receipts::{JobOutputs, ReceiptError};
pub use run::{RunError, run, sandboxed, serve};
pub use status::{Hindrance, Status};
pub use wallet::Turnover;
