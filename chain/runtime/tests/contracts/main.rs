//! Contracts that ask for compute, on the real runtime.
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test

mod asking;
mod called_back;
mod chain;
mod solidity;
