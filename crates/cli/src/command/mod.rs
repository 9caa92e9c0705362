//! The commands, one file each.

use clap::Subcommand;

use crate::Exit;

pub mod build;
pub mod doctor;
pub mod new;

/// What `opensky` can do. A command's own file has its help text.
#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum Command {
    New(new::Args),
    Build(build::Args),
    Doctor(doctor::Args),
}

impl Command {
    /// Does it.
    pub fn run(self) -> anyhow::Result<Exit> {
        match self {
            Self::New(args) => new::run(args),
            Self::Build(args) => build::run(args),
            Self::Doctor(args) => doctor::run(args),
        }
    }
}
