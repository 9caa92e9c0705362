//! `opensky job result`: what came out of a job.

use opensky_api::JobState;

use super::{
    Known,
    hand_out::{HandOut, Places},
    run::left,
};
use crate::{
    Exit, Problem,
    remote::{
        follow::{self, Followed, Show},
        hint, reach,
    },
    signals::Signals,
    term::Format,
};

/// Get the output of a job
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    known: Known,
    /// Wait until there is one. Ctrl-C stops waiting: the job goes on.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    places: Places,
    /// How to report on stderr.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Gets it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    args.places.check()?;
    let (format, at) = (args.format, args.known.at);
    let node = at.find()?;
    let client = node.client().map_err(reach::problem)?;
    let job = client.job(&args.known.job).map_err(reach::problem)?.summary;
    let hand_out = |client, job| HandOut {
        client,
        job,
        places: args.places,
        format,
        at: at.clone(),
    };
    match (job.state, &job.ending, args.wait) {
        (JobState::Ended, ..) | (_, Some(_), false) => hand_out(client, job).all(),
        (_, None, false) => {
            let id = job.job.short();
            let wait = hint::command(&at, &format!("job result --wait {id}"));
            Err(Problem::refused(format!("{id} has no result yet"))
                .help(format!("wait for it: {wait}"))
                .into())
        }
        (.., true) => {
            let signals = Signals::interrupt()?;
            match follow::follow(&node, (job.job, ""), Show::of(format), &signals)? {
                Followed::Left(then) => Ok(left(job.job, &then, format, &at)),
                Followed::Ended(ended) => {
                    let client = node.client().map_err(reach::problem)?;
                    hand_out(client, *ended).unless(&signals)
                }
            }
        }
    }
}
