//! Hands out what came of a job: its output, the others, the receipt, and a report.

use std::{io, path::PathBuf};

use opensky_api::{
    BlobReader, Client, ClientError, Code, EndingKind, JobId, JobOutput, JobResult, JobSpec,
    JobSummary, Plan,
};

use crate::{
    Exit, Problem, deliver,
    remote::{
        checking, ending, hint,
        reach::{self, At},
    },
    signals::Signals,
    term::{self, Format},
};

/// Where things go that come back.
#[derive(Clone, Debug, clap::Args)]
pub struct Places {
    /// Where the output goes, `-` for stdout [default: -].
    #[arg(short, long, value_name = "FILE|-")]
    pub output: Option<PathBuf>,
    /// Where the other outputs go: files under /out, and blobs by digest [default: nowhere].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Where the receipt goes [default: it stays with the node].
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
}

impl Places {
    /// Whether everything can go where it was asked for.
    pub fn check(&self) -> Result<(), Problem> {
        deliver::check(
            self.output.as_deref(),
            self.receipt.as_deref(),
            self.out.as_deref(),
        )
    }
}

/// A job whose ending is known, and where to what of it goes.
#[derive(Clone)]
pub struct HandOut {
    /// The node that has it.
    pub client: Client,
    /// The job.
    pub job: JobSummary,
    /// Where its outputs go.
    pub places: Places,
    /// How to report.
    pub format: Format,
    /// What was typed to find the node.
    pub at: At,
}

impl HandOut {
    /// Does it, unless a signal comes first.
    pub fn unless(self, signals: &Signals) -> anyhow::Result<Exit> {
        let all = self.clone();
        let done = signals.unless(move || all.all());
        done.unwrap_or_else(|| Ok(self.broken_off()))
    }

    /// Does it, and says what came of the job.
    pub fn all(&self) -> anyhow::Result<Exit> {
        let (mut check, mut file) = (Vec::new(), None);
        let result = self.result()?;
        if let Some(result) = &result {
            let spec = self.client.job(&result.job.into());
            let spec = spec.map_err(reach::problem)?.spec;
            self.outputs(result, &spec)
                .map_err(|problem| self.undelivered(problem))?;
            file = self
                .places
                .receipt
                .as_deref()
                .filter(|_| result.receipt.is_some());
            if let Some(file) = file {
                deliver::file(file, receipt(&self.client, self.job.job)?, "the receipt")
                    .map_err(|problem| self.undelivered(problem))?;
                check = checking::rows(&self.job, &spec, file, &self.at);
            }
        }
        let (job, result) = (&self.job, result.as_ref());
        match self.format {
            Format::Text => term::to_stderr(&ending::text(job, result, check, &self.at)),
            Format::Json => term::json_to_stderr(&ending::json(job, result, file)),
        }
        Ok(job.ending.as_ref().map_or(Exit::NoResult, ending::exit))
    }

    /// Not all of it is where it was asked for. The node still has it.
    fn undelivered(&self, problem: Problem) -> Problem {
        let again = format!("job result {}", self.job.job.short());
        let again = hint::command(&self.at, &again);
        problem.help(format!(
            "the node keeps what came of the job: choose another place, then: {again}"
        ))
    }

    /// What came out, if the program came to a result at all.
    fn result(&self) -> Result<Option<JobResult>, Problem> {
        match self.job.ending.as_ref().map(|ending| ending.kind) {
            Some(EndingKind::Result(_)) => {
                let result = self.client.result(&self.job.job.into());
                result.map(Some).map_err(reach::problem)
            }
            _ => Ok(None),
        }
    }

    /// One output after the other, none of them in memory as a whole.
    fn outputs(&self, result: &JobResult, spec: &JobSpec) -> Result<(), Problem> {
        let job = result.job.into();
        let place = self.places.output.as_deref();
        match (result.parts.is_empty(), &spec.plan) {
            (false, _) => {
                if let Some(output) = self.unless_lost(self.client.output(&job))? {
                    deliver::output(place, output)?;
                }
            }
            // Whoever asks for a file gets one, as from `opensky run`.
            (true, Plan::One { .. }) => deliver::output(place, io::empty())?,
            (true, _) => {}
        }
        let Some(dir) = &self.places.out else {
            return Ok(());
        };
        let read = |output: &JobOutput| -> Result<BlobReader, ClientError> {
            match spec.encrypt {
                true => self.client.other(&job, &output.name),
                false => self.client.blob(output.digest, 0),
            }
        };
        let folder = deliver::Folder::make(dir)?;
        let others = result.others.iter();
        let mut taken = others.filter(|output| deliver::Folder::takes(&output.name));
        taken.try_for_each(|output| match self.unless_lost(read(output))? {
            Some(bytes) => folder.put(&output.name, bytes),
            None => Ok(()),
        })
    }

    /// What is read. Outputs of a program that has failed are waited for until the job's deadline: it has
    /// failed without them, too.
    fn unless_lost(
        &self,
        read: Result<BlobReader, ClientError>,
    ) -> Result<Option<BlobReader>, Problem> {
        let has_failed = self.job.ending.as_ref().is_some_and(ending::has_failed);
        match read {
            Err(ClientError::Problem(problem)) if has_failed && problem.code == Code::NotFound => {
                if self.format == Format::Text {
                    term::to_stderr("  nobody gave an output of it before the deadline\n");
                }
                Ok(None)
            }
            read => read.map(Some).map_err(reach::problem),
        }
    }

    /// A signal came before all was handed out.
    fn broken_off(&self) -> Exit {
        match self.format {
            Format::Json => term::json_to_stderr(&ending::json(&self.job, None, None)),
            Format::Text => {
                term::to_stderr("\n  interrupted: not all that came of the job is here\n");
                let again = [("get it", "result")];
                hint::of_job(self.format, &self.at, self.job.job, &again);
            }
        }
        Exit::Interrupted
    }
}

/// The receipt file's bytes.
pub fn receipt(client: &Client, job: JobId) -> Result<BlobReader, Problem> {
    client.receipt(&job.into()).map_err(reach::problem)
}
