//! `opensky chain`: the chain that the node settles on.

use crate::{
    Exit,
    remote::{
        account, hint, moment,
        reach::{self, At},
    },
    term::{self, Format},
};

/// Show the chain that the node settles on
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    /// Whether it answers, how far it is, and what of this node waits for it
    Status {
        /// How to report on stdout.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        #[command(flatten)]
        at: At,
    },
}

/// Shows it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let Command::Status { format, at } = args.command;
    let ledger = at.client()?.node().map_err(reach::problem)?.ledger;
    match format {
        Format::Text => term::to_stdout(&account::chain(&ledger, moment::now()))?,
        Format::Json => term::json_to_stdout(&serde_json::to_value(&ledger)?)?,
    }
    hint::next(format, &at, &[("money", "wallet balance")]);
    Ok(Exit::Success)
}
