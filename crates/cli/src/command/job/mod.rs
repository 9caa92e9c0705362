//! `opensky job`: jobs on the network.

use opensky_api::{Prefix, kind};

use crate::{Exit, remote::reach::At};

mod cancel;
mod hand_out;
mod key;
mod list;
mod logs;
mod receipt;
mod result;
mod run;
mod show;
mod why;

/// Run jobs on the network: other machines compute, and their results are compared
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  opensky job run examples/hello --input name.txt
  opensky job run d-0123456789 --input a.csv --input b.csv --replicas 3
  opensky job submit hello --input name.txt   and go home
  opensky job result j-0123456789 --wait
  opensky job why j-0123456789

A node has to run: opensky devnet, or opensky node start.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    Run(Box<run::Args>),
    Submit(Box<run::SubmitArgs>),
    List(list::Args),
    Show(show::Args),
    Logs(logs::Args),
    Result(result::Args),
    Receipt(receipt::Args),
    Why(why::Args),
    Key(key::Args),
    Cancel(cancel::Args),
}

/// A job that is there already.
#[derive(Clone, Debug, clap::Args)]
struct Known {
    /// The job: its id, or the first ten characters of it.
    #[arg(value_name = "JOB")]
    job: Prefix<kind::Job>,
    #[command(flatten)]
    at: At,
}

/// Does it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    match args.command {
        Command::Run(args) => run::run(*args),
        Command::Submit(args) => run::submit(*args),
        Command::List(args) => list::run(args),
        Command::Show(args) => show::run(args),
        Command::Logs(args) => logs::run(args),
        Command::Result(args) => result::run(args),
        Command::Receipt(args) => receipt::run(args),
        Command::Why(args) => why::run(args),
        Command::Key(args) => key::run(args),
        Command::Cancel(args) => cancel::run(args),
    }
}
