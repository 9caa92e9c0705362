//! Work on the network, as the person at this machine sees it: through the API of their node.

pub mod account;
pub mod board;
pub mod checking;
pub mod ending;
pub mod explain;
pub mod follow;
pub mod giving;
pub mod hint;
pub mod listing;
pub mod moment;
pub mod order;
pub mod quote;
pub mod reach;
#[cfg(test)]
pub mod samples;
pub mod status;
pub mod tables;
pub mod target;
