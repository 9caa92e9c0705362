//! `opensky job cancel`: gives a job up.

use opensky_api::{JobState, JobSummary};

use super::Known;
use crate::{
    Exit,
    remote::{ending, hint, reach},
    term::{self, Format},
};

/// Give a job up. What providers have done until then is paid
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    known: Known,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Cancels it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let client = args.known.at.client()?;
    let job = client.cancel(&args.known.job).map_err(reach::problem)?;
    match args.format {
        Format::Json => term::json_to_stdout(&serde_json::to_value(&job)?)?,
        Format::Text => {
            let (id, state) = (job.job.short(), ending::state(&job));
            let figures = ending::figures(&job, None);
            term::to_stdout(&format!("  {id}  {state}\n  {figures}\n"))?;
            term::to_stderr(&to_come(&job));
        }
    }
    hint::of_job(args.format, &args.known.at, job.job, &[("see it", "show")]);
    Ok(Exit::Success)
}

/// What it may yet cost, if it may.
fn to_come(job: &JobSummary) -> String {
    if job.state == JobState::Ended {
        return String::new();
    }
    let results = term::count(job.promised.into(), "result");
    let most = job.price_under_way.rounded();
    format!("  still to be shown and paid: {results} promised before, at most {most} more\n")
}

#[cfg(test)]
mod tests {
    use opensky_api::Amount;

    use super::*;
    use crate::remote::samples;

    #[test]
    fn what_was_promised_before_is_said_to_cost_more() {
        let mut job = samples::job(JobState::Settling);
        (job.promised, job.price_under_way) = (2, Amount(3_000_000));
        let said = "  still to be shown and paid: 2 results promised before, at most 3 µSKY more\n";
        assert_eq!(to_come(&job), said);
        job.state = JobState::Ended;
        assert_eq!(to_come(&job), "");
    }
}
