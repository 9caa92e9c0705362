//! Requests for compute on the real runtime: operators who are drawn, promise and show; and those who do not.
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test

#[path = "../contracts/chain.rs"]
mod chain;
mod committee;
mod refused;
mod world;
