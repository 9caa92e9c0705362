//! `opensky node`: one participant of the network.

use crate::Exit;

mod status;

/// Look at the node that takes part in the network for you
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    Status(status::Args),
}

/// Does it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    match args.command {
        Command::Status(args) => status::run(&args),
    }
}
