//! `opensky offers`: who would run work, and for how much.

use crate::{
    Exit,
    remote::{
        hint, listing,
        reach::{self, At},
        tables,
    },
    term::{DIM, Format, PLAIN},
    value,
};

/// List who would run work, for how much, and what is known of them
///
/// `ends` is when an offer is not believed any more, unless its provider has made it anew before: one that runs
/// does so by itself.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The most offers to list.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = value::limit)]
    limit: usize,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    at: At,
}

/// Lists them.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let client = args.at.client()?;
    let offers = reach::all(args.limit, |page| client.offers(page))?;
    let is_empty = offers.0.is_empty();
    let status = hint::command(&args.at, "node status");
    let none =
        format!("the node knows no offers; {DIM}{status}{PLAIN} says whether it is connected\n");
    listing::print("offers", offers, args.format, tables::offers, Some(&none))?;
    if !is_empty {
        hint::next(
            args.format,
            &args.at,
            &[("run", "job run FILE --input FILE")],
        );
    }
    Ok(Exit::Success)
}
