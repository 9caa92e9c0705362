//! Work on the network, as the person at this machine sees it: through the API of their node.

pub mod board;
pub mod ending;
pub mod explain;
pub mod follow;
pub mod listing;
pub mod order;
pub mod reach;
#[cfg(test)]
pub mod samples;
pub mod tables;
pub mod target;
