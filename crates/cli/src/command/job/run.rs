//! `opensky job run` and `submit`: hands a job to the network, and waits for what comes of it.

use std::path::{Path, PathBuf};

use opensky_api::{Client, JobId, JobResult, JobSummary, Submitted};

use super::{next, result::take};
use crate::{
    Exit, Problem, deliver, local,
    remote::{
        ending, explain,
        follow::{self, Followed, Show},
        order::Order,
        reach::{self, At},
    },
    source,
    term::{self, Format, NOTE, PLAIN},
};

/// Run a program on the network and wait for the result
///
/// Takes inputs, limits and parameters as `opensky run` does. What is computed here and there has the
/// same id, the same output and the same fuel. Ctrl-C stops waiting: the job goes on.
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  opensky job run hello.wasm --input name.txt     like opensky run, elsewhere
  opensky job run census -i a.crate -i b.crate --partitions 4 -o out.json
  opensky job run d-0123456789 --replicas 3 --max-price 5mSKY --deadline 10m
  opensky job run hello --require region=eu --dry-run
                                                  what it would be and cost")]
pub struct Args {
    #[command(flatten)]
    order: Order,
    /// Say exactly what would be run, and the most that it can cost.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    places: Places,
    /// How to report on stderr.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    at: At,
}

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

/// Hand a program to the network and do not wait
///
/// Takes what `opensky job run` takes, and prints the job's id.
#[derive(Clone, Debug, clap::Args)]
pub struct SubmitArgs {
    #[command(flatten)]
    order: Order,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    at: At,
}

/// Runs it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    check_stdin(&args.order)?;
    args.places.check()?;
    let node = args.at.find()?;
    let client = node.client().map_err(reach::problem)?;
    let (submitted, name) = order(&args.order, &client, args.dry_run)?;
    let Some(job) = submitted.job else {
        return dry(&submitted, args.format);
    };
    if args.format == Format::Text {
        let escrow = submitted.quote.escrow;
        term::to_stderr(&format!(
            "  job {NOTE}{}{PLAIN}, at most {escrow}\n",
            job.short()
        ));
    }
    let show = match args.format {
        Format::Text => Show::Progress,
        Format::Json => Show::Nothing,
    };
    match follow::follow(&node, job, &name, show)? {
        Followed::Left => Ok(left(job, &args.at)),
        Followed::Ended(ended) => {
            let client = node.client().map_err(reach::problem)?;
            deliver_all(&client, &ended, &args.places, args.format, &args.at)
        }
    }
}

/// Hands it in.
pub fn submit(args: SubmitArgs) -> anyhow::Result<Exit> {
    check_stdin(&args.order)?;
    let client = args.at.client()?;
    let (submitted, _) = order(&args.order, &client, false)?;
    let job = submitted
        .job
        .ok_or_else(|| Problem::host("the node did not say which job it is"))?;
    match args.format {
        Format::Text => term::to_stdout(&format!("{}\n", job.short()))?,
        Format::Json => term::json_to_stdout(&serde_json::to_value(&submitted)?)?,
    }
    let commands = [
        ("see it", "show"),
        ("get it", "result --wait"),
        ("end it", "cancel"),
    ];
    next(args.format, job, &args.at, &commands);
    Ok(Exit::Success)
}

fn check_stdin(order: &Order) -> Result<(), Problem> {
    let named = order.unit.named.iter().map(|(_, file)| file.as_path());
    let inputs = order.unit.input.iter().map(PathBuf::as_path);
    let target = Path::new(&order.target);
    let all = inputs.chain(named).chain([target]);
    match all.filter(|file| source::is_dash(file)).count() {
        0 | 1 => Ok(()),
        _ => Err(Problem::usage("standard input is named more than once")
            .help("it can be read only once: save it in a file, and name that")),
    }
}

fn order(order: &Order, client: &Client, dry: bool) -> Result<(Submitted, String), Problem> {
    let mut ready = order.prepare(client, &local::store()?)?;
    ready.request.dry_run = dry;
    let submitted = client.submit(&ready.request).map_err(reach::problem)?;
    Ok((submitted, ready.name))
}

fn dry(submitted: &Submitted, format: Format) -> anyhow::Result<Exit> {
    match format {
        Format::Text => term::to_stdout(&explain::quote(&submitted.quote))?,
        Format::Json => term::json_to_stdout(&serde_json::to_value(&submitted.quote)?)?,
    }
    Ok(Exit::Success)
}

/// The person does not wait any longer.
pub fn left(job: JobId, at: &At) -> Exit {
    term::to_stderr("  not waiting any longer: the job goes on\n");
    let commands = [
        ("wait again", "show --wait"),
        ("get it", "result --wait"),
        ("end it", "cancel"),
    ];
    next(Format::Text, job, at, &commands);
    Exit::Interrupted
}

/// Hands out what came of a job, and says what it was.
pub fn deliver_all(
    client: &Client,
    job: &JobSummary,
    places: &Places,
    format: Format,
    at: &At,
) -> anyhow::Result<Exit> {
    let result = take::result(client, job)?;
    if let Some(result) = &result {
        hand_out(client, result, places)?;
    }
    let signed = result.as_ref().and_then(|result| result.receipt);
    let receipt = match (&places.receipt, signed) {
        (Some(file), Some(_)) => {
            deliver::file(file, &take::receipt(client, job.job)?, "the receipt")?;
            Some(file.as_path())
        }
        _ => None,
    };
    match format {
        Format::Text => term::to_stderr(&ending::text(job, result.as_ref(), receipt, &at.typed())),
        Format::Json => term::json_to_stderr(&ending::json(job, result.as_ref(), receipt)),
    }
    Ok(job.ending.as_ref().map_or(Exit::NoResult, ending::exit))
}

fn hand_out(client: &Client, result: &JobResult, places: &Places) -> anyhow::Result<()> {
    if !result.parts.is_empty() {
        let output = take::output(client, result.job)?;
        deliver::output(places.output.as_deref(), &output)?;
    }
    if let Some(dir) = &places.out {
        deliver::others(dir, &take::others(client, result)?)?;
    }
    Ok(())
}
