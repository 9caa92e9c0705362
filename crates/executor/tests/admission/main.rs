//! What is admitted, what is refused, by what name, and that no bytes whatever upset the reader.

#![allow(clippy::unwrap_used)] // a helper that fails fails the test

mod components;
mod damage;
mod features;
mod interfaces;
mod kinds;
mod limits;
mod preview1;
