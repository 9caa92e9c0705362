//! OpenSky's nouns: what work is, what a receipt says, what a job is made of, and the canonical
//! bytes of each.
//!
//! Nothing here decides or does anything. A value is built, encoded by [`codec`], hashed under a
//! domain string and signed; whoever holds the same value holds the same bytes. The crate is
//! `no_std`, so a chain's runtime can use it as it is.
#![no_std]

extern crate alloc;

pub mod codec;
mod digest;
mod job;
mod key;
mod merkle;
mod outcome;
mod output;
mod receipt;
mod shuffle;
mod ticket;
mod transcript;
mod work;

pub use digest::{Digest, ParseDigestError};
pub use job::{JobError, JobPlan, JobReceipt, JobSpec};
pub use key::{NodeKey, SecretKey, Signature};
pub use merkle::merkle_root;
pub use outcome::{Abort, Class, GuestError};
pub use output::{Output, Outputs, names};
pub use receipt::{Receipt, ReceiptError, Statement, compare_key};
pub use shuffle::{Group, Partition, merge, partition_of};
pub use ticket::{PriceTerms, Ticket};
pub use transcript::{Call, Transcript};
pub use work::{Limits, MAX_SHARDS, Profile, Shard, Work, WorkError, World};
