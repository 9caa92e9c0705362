//! A network of real processes on this machine, for development.

pub mod current;
