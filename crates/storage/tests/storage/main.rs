//! What a store and rows promise, also to those whose disk fails and whose process is killed.
#![allow(clippy::unwrap_used)] // a helper that fails fails the test

mod again;
mod collect;
mod crash;
mod receiving;
mod rows;
mod samples;
mod sealed;
mod store;
