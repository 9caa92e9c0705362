//! Whole networks in one thread: participants of the core, a clock that is moved by hand, a ledger in
//! memory, and a wire and machines that fail, all under one seed.
//!
//! A [`World`] has nodes of every [`Character`]; [`Laws`] say what must hold whatever happens. A seed
//! alone makes a [`small`] world with faults of every kind. A [`Scenario`] is a large one that is
//! written down, and gives figures.

mod bank;
mod behaviour;
mod calendar;
mod character;
mod concluding;
mod dice;
mod errands;
mod figures;
mod gossip;
pub mod guest;
mod laws;
mod node;
mod objecting;
pub mod orders;
mod recorder;
mod scenario;
pub mod small;
mod strangers;
mod tally;
mod trace;
mod weather;
mod wire;
mod world;
mod worth;

pub use bank::Bank;
pub use character::Character;
pub use dice::Dice;
pub use figures::Figures;
pub use laws::{Broken, Laws};
pub use node::{Node, State};
pub use recorder::Recorder;
pub use scenario::{Choice, Scenario, ScenarioError};
pub use tally::{JobTally, Tally};
pub use trace::Trace;
pub use weather::Weather;
pub use world::{BEGIN, World};
