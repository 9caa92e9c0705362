//! Requests for compute on the real runtime: operators who are drawn, promise and show; and those who do not.
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test
#![allow(dead_code)] // each test takes its share of what they have in common

#[path = "../contracts/chain.rs"]
mod chain;
mod committee;
mod contract;
mod refused;
#[path = "../contracts/solidity.rs"]
mod solidity;
mod world;
