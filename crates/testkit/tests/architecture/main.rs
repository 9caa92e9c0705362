//! The design, as tests: what may know what, and what every file keeps to.
//!
//! A rule that is broken is a failure that names the place and the reason for the rule. Budgets that
//! judgement may exceed are printed as warnings.

mod circles;
mod code_map;
mod dependencies;
mod rooms;
mod sources;
mod spec;
mod workspace;
