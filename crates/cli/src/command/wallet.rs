//! `opensky wallet`: the money of the node's account.

use opensky_api::{Amount, ClientError, Wallet};

use crate::{
    Exit,
    remote::{
        account, hint, listing, moment,
        reach::{self, At},
    },
    term::{self, Format},
    value,
};

/// Show what the node's account has, and what happened to it; fill it from a faucet
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    /// What it has, what is set aside, and what it is owed
    Balance {
        /// How to report on stdout.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        #[command(flatten)]
        at: At,
    },
    /// What happened to it, the newest first
    History {
        /// The most entries to list.
        #[arg(long, value_name = "N", default_value_t = 30)]
        limit: usize,
        /// How to report on stdout.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        #[command(flatten)]
        at: At,
    },
    /// Take money from the ledger's faucet, where it has one: it is worth nothing there
    Fund {
        /// How much, as in 5SKY [default: as much as the faucet gives at once].
        #[arg(value_name = "AMOUNT", value_parser = value::sum)]
        amount: Option<Amount>,
        /// How to report on stdout.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        #[command(flatten)]
        at: At,
    },
}

/// Does it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    match args.command {
        Command::Balance { format, at } => balance(format, &at),
        Command::History { limit, format, at } => history(limit, format, &at),
        Command::Fund { amount, format, at } => fund(amount, format, &at),
    }
}

fn balance(format: Format, at: &At) -> anyhow::Result<Exit> {
    shown(at.client()?.wallet(), format, at)
}

fn fund(amount: Option<Amount>, format: Format, at: &At) -> anyhow::Result<Exit> {
    shown(at.client()?.fund(amount), format, at)
}

/// Shows what the account has after that.
pub fn shown(wallet: Result<Wallet, ClientError>, format: Format, at: &At) -> anyhow::Result<Exit> {
    let wallet = wallet.map_err(reach::problem)?;
    match format {
        Format::Text => term::to_stdout(&account::wallet(&wallet, moment::now()))?,
        Format::Json => term::json_to_stdout(&serde_json::to_value(&wallet)?)?,
    }
    hint::next(format, at, &[("why", "wallet history")]);
    Ok(Exit::Success)
}

fn history(limit: usize, format: Format, at: &At) -> anyhow::Result<Exit> {
    let client = at.client()?;
    let entries = reach::all(limit, |page| client.history(page))?;
    listing::print("entries", entries, format, account::history, None)?;
    hint::next(format, at, &[("the sum", "wallet balance")]);
    Ok(Exit::Success)
}
