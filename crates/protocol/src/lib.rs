//! OpenSky's nouns: what work is, what a receipt says, what a job is made of, and the canonical
//! bytes of each.
//!
//! Nothing here decides or does anything. A value is built, encoded by [`codec`], hashed under a
//! domain string and signed; whoever holds the same value holds the same bytes. The crate is
//! `no_std`, so a chain's runtime can use it as it is.
#![no_std]

extern crate alloc;

mod account;
mod aside;
mod assignment;
pub mod codec;
mod content;
mod deployment;
mod digest;
mod job;
mod key;
pub mod ledger;
mod merkle;
mod message;
mod money;
mod offer;
mod outcome;
mod output;
mod receipt;
mod shuffle;
mod signed;
mod ticket;
mod transcript;
mod voucher;
mod work;

pub use account::Account;
pub use aside::Aside;
pub use assignment::{Assignment, Commit, Order, Reveal, Summons, Turn};
pub use content::{ContentKey, WrappedKey};
pub use deployment::{Deployment, Manifest};
pub use digest::{Digest, ParseDigestError};
pub use job::{JobError, JobPlan, JobReceipt, JobSpec};
pub use key::{Check, NodeKey, SecretKey, Signature};
pub use merkle::{MerklePath, merkle_paths, merkle_root};
pub use message::{MAX_MESSAGE_BYTES, Message, Refusal, Reply, Request, Settlement};
pub use money::PriceTerms;
pub use offer::{Capacity, Offer};
pub use outcome::{Abort, Class, GuestError};
pub use output::{Output, Outputs, names};
pub use receipt::{Receipt, ReceiptError, Statement};
pub use shuffle::{Group, Partition, merge, partition_of};
pub use signed::{Seal, Signable, Signed, Verified};
pub use ticket::Ticket;
pub use transcript::{Call, Transcript};
pub use voucher::Voucher;
pub use work::{Limits, MAX_SHARDS, Profile, Shard, Work, WorkError, World};
