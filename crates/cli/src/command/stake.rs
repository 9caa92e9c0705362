//! `opensky stake` and `opensky unstake`: money that stands for the work of the node's account.

use opensky_api::{Amount, ClientError, Code};

use super::wallet;
use crate::{
    Exit, Problem,
    remote::{hint, reach::At},
    term::Format,
    value,
};

/// Set money aside that stands for the node's work
///
/// It is lost, in part, where the account's results turn out to be wrong. On a chain where a penalty
/// is set, providers need at least as much to claim work that a requester does not pay for. `unstake`
/// takes it back.
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  opensky stake 5SKY
  opensky stake 250mSKY --node DIR")]
pub struct Args {
    #[command(flatten)]
    asked: Asked,
}

/// Take money back that stands for the node's work
///
/// It can be lost for as long as disputes about earlier work may take: `wallet balance` says until
/// when. Then the node takes it out by itself.
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  opensky unstake 5SKY
  opensky wallet balance                     says when it is free")]
pub struct BackArgs {
    #[command(flatten)]
    asked: Asked,
}

#[derive(Clone, Debug, clap::Args)]
struct Asked {
    /// How much, as in 5SKY or 250mSKY.
    #[arg(value_name = "AMOUNT", value_parser = value::sum)]
    amount: Amount,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    at: At,
}

/// Sets it aside.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    let Asked { amount, format, at } = &args.asked;
    wallet::shown(at.client()?.stake(*amount), *format, at)
}

/// Begins to take it back.
pub fn take_back(args: &BackArgs) -> anyhow::Result<Exit> {
    let Asked { amount, format, at } = &args.asked;
    let client = at.client()?;
    let taken = client.unstake(*amount);
    // Why it was refused is a word of the ledger's, and how much there is the person's next question.
    if matches!(&taken, Err(ClientError::Problem(problem)) if problem.code == Code::Refused)
        && let Ok(wallet) = client.wallet()
        && wallet.bonded < *amount
    {
        return Err(too_much(wallet.bonded, at).into());
    }
    wallet::shown(taken, *format, at)
}

fn too_much(staked: Amount, at: &At) -> Problem {
    let balance = hint::command(at, "wallet balance");
    Problem::refused(format!("you have {staked} at stake")).help(format!(
        "what leaves the bond already is no part of it: {balance}"
    ))
}
