//! `opensky node`: one participant of the network.

use crate::Exit;

mod start;
mod status;

/// Take part in the network: run programs for others, and ask others to run programs
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    Start(start::Args),
    Status(status::Args),
}

impl Args {
    /// Whether it runs for days.
    pub fn is_service(&self) -> bool {
        matches!(self.command, Command::Start(_))
    }
}

/// Does it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    match args.command {
        Command::Start(args) => start::run(&args),
        Command::Status(args) => status::run(&args),
    }
}
