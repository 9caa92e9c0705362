//! The commands, one file each.

use clap::Subcommand;

use crate::Exit;

pub mod build;
pub mod doctor;

/// What `opensky` can do. A command's own file has its help text.
#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum Command {
    Build(build::Args),
    Doctor(doctor::Args),
}

impl Command {
    /// Does it.
    pub fn run(self) -> anyhow::Result<Exit> {
        match self {
            Self::Build(args) => build::run(args),
            Self::Doctor(args) => doctor::run(args),
        }
    }
}
