//! The commands, one file each.

use clap::Subcommand;

use crate::Exit;

pub mod doctor;

/// What `opensky` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find and mend what is missing on this machine.
    Doctor(doctor::Args),
}

impl Command {
    /// Does it.
    pub fn run(self) -> anyhow::Result<Exit> {
        match self {
            Self::Doctor(args) => doctor::run(args),
        }
    }
}
