//! Proof over the whole: tests that look at the workspace from outside live in this package's tests/.

pub mod bad;
