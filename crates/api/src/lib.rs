//! The HTTP API of a node: its types, its OpenAPI document, and a client that speaks it.
//!
//! Everything that is JSON is made and read here, and nowhere else. [`Op`] lists what can be asked;
//! a server matches on it, so it cannot forget one, and [`document`] describes the same list. The
//! [`Client`] is blocking, talks to a node on this machine only, and finds it by the files that the
//! node leaves in its data folder ([`Endpoint`]).
//!
//! Rules of all JSON here: amounts of money and fuel are decimal strings, because they go beyond
//! 2^53; times and lengths are numbers below that; what is not known is left out. Requests with
//! fields that are not known are refused, replies may get new ones.

mod client;
mod deployment;
mod document;
mod endpoint;
mod hex;
mod id;
mod job;
mod live;
mod money;
mod node;
mod number;
mod offer;
mod operation;
mod page;
mod problem;
mod progress;
mod sse;
mod submit;
mod wallet;

pub use client::{BlobReader, Client, ClientError, Events};
pub use deployment::{Deployed, Deployment, DeploymentRef, DeploymentRequest, NotADeployment};
pub use document::document;
pub use endpoint::{Endpoint, EndpointError, Posted, Token};
pub use hex::{Hex, Nonce};
pub use id::{
    DeploymentId, Id, IdError, JobId, Kind, NodeId, NotOne, Prefix, ReceiptId, UnitId, kind,
};
pub use job::{
    Ending, EndingKind, GuestError, Held, Job, JobKey, JobOutput, JobResult, JobState, JobSummary,
    Wrong,
};
pub use live::JobEvent;
pub use money::{Amount, NotAnAmount, Prices};
pub use node::{
    Block, Bookkeeping, Chain, Ledger, Network, NodeStatus, Provider, Reachability, Reached,
    Refusals, Requester,
};
pub use number::{Bytes, Count, Fuel, Span, Time, TooLarge};
pub use offer::{Capacity, Offer, Record};
pub use operation::{Body, Method, Op, Operation, Parameter};
pub use page::{Cursor, Page, PageQuery};
pub use problem::{Code, Problem};
pub use progress::{Class, Passed, Stage, Turn, Unit, UnitLog, UnitState, Why};
pub use submit::{
    Blob, JobRequest, JobSpec, Limits, Need, Plan, ProgramRef, Quote, Replicas, Submitted, World,
};
pub use wallet::{Entry, EntryKind, Fund, Sum, Unbonding, Wallet};

/// The most bytes that a request or a reply of JSON has: the spec of a job of 65,536 shards fits.
pub const MAX_JSON_BYTES: usize = 16 << 20;
