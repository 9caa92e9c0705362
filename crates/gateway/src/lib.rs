//! A node's HTTP API, served to programs on the same machine.
//!
//! What can be asked is listed in `opensky_api`; here each of it is answered from a running node.
//! [`Gateway::start`] listens on a loopback address and leaves it in the data folder, with a token that
//! every request has to bring. Everything is bounded: connections, requests at once, bodies, heads, and
//! how long each may take.

mod answer;
mod blobs;
mod crowd;
mod deployments;
mod desk;
mod guard;
mod jobs;
mod live;
mod market;
mod names;
mod outputs;
mod plan;
mod refusal;
mod route;
mod server;
mod show;
mod submit;
mod wallet;

pub use server::{Gateway, GatewayError, Patience};
