//! `opensky job result`: what came out of a job.

use opensky_api::JobState;

use super::{
    Known,
    run::{Places, deliver_all, left},
};
use crate::{
    Exit, Problem,
    remote::{
        follow::{self, Followed, Show},
        reach,
    },
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
    let node = args.known.at.find()?;
    let client = node.client().map_err(reach::problem)?;
    let job = client.job(&args.known.job).map_err(reach::problem)?.summary;
    let ended = match (job.state, &job.ending, args.wait) {
        (JobState::Ended, ..) | (_, Some(_), false) => job,
        (_, None, false) => {
            let id = job.job.short();
            return Err(Problem::refused(format!("{id} has no result yet"))
                .help(format!("wait for it: opensky job result --wait {id}"))
                .into());
        }
        (.., true) => {
            let show = match args.format {
                Format::Text => Show::Progress,
                Format::Json => Show::Nothing,
            };
            match follow::follow(&node, job.job, "", show)? {
                Followed::Left => return Ok(left(job.job, &args.known.at)),
                Followed::Ended(ended) => *ended,
            }
        }
    };
    let client = node.client().map_err(reach::problem)?;
    deliver_all(&client, &ended, &args.places, args.format, &args.known.at)
}

pub mod take {
    //! Gets bytes from the node.

    use std::{collections::BTreeMap, io::Read as _};

    use opensky_api::{BlobReader, Client, ClientError, EndingKind, JobId, JobResult, JobSummary};

    use crate::{Problem, remote::reach};

    /// What came out, if the program came to a result at all.
    pub fn result(client: &Client, job: &JobSummary) -> Result<Option<JobResult>, Problem> {
        let kind = job.ending.as_ref().map(|ending| ending.kind);
        match kind {
            Some(EndingKind::Result(_)) => client
                .result(&job.job.into())
                .map(Some)
                .map_err(reach::problem),
            _ => Ok(None),
        }
    }

    /// The output's bytes.
    pub fn output(client: &Client, job: JobId) -> Result<Vec<u8>, Problem> {
        bytes(client.output(&job.into()), "the output")
    }

    /// The receipt file's bytes.
    pub fn receipt(client: &Client, job: JobId) -> Result<Vec<u8>, Problem> {
        bytes(client.receipt(&job.into()), "the receipt")
    }

    /// The other outputs by name.
    pub fn others(
        client: &Client,
        result: &JobResult,
    ) -> Result<BTreeMap<String, Vec<u8>>, Problem> {
        let job = result.job.into();
        let is_encrypted = client.job(&job).map_err(reach::problem)?.spec.encrypt;
        let get = |output: &opensky_api::JobOutput| {
            let reply = match is_encrypted {
                true => client.other(&job, &output.name),
                false => client.blob(output.digest, 0),
            };
            Ok((output.name.clone(), bytes(reply, "an output")?))
        };
        result.others.iter().map(get).collect()
    }

    fn bytes(reply: Result<BlobReader, ClientError>, what: &str) -> Result<Vec<u8>, Problem> {
        let mut reader = reply.map_err(reach::problem)?;
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(|error| {
            Problem::host(format!("cannot get {what} from the node")).because(error)
        })?;
        Ok(bytes)
    }
}
