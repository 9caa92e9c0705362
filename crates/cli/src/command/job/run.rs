//! `opensky job run` and `submit`: hands a job to the network, and waits for what comes of it.

use std::path::{Path, PathBuf};

use opensky_api::{Client, JobId, JobRequest, Submitted};

use super::hand_out::{HandOut, Places};
use crate::{
    Exit, Problem, foreign, local,
    remote::{
        ending,
        follow::{self, Followed, Left, Presence, Show},
        hint,
        order::{Order, Ready},
        quote,
        reach::{self, At},
    },
    signals::Signals,
    source,
    term::{self, DIM, Format, NOTE, PLAIN},
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
    /// Say exactly what would be run, and the most that it can cost. Nothing is given to the node.
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
    if args.dry_run {
        return dry(&client, &args.order.rehearse(&client)?, args.format);
    }
    let ready = args.order.prepare(&client, &local::store()?)?;
    let name = ready.name.clone();
    let signals = Signals::interrupt()?;
    let Some((job, submitted)) = hand_in(client, ready, &args.at, &signals)? else {
        return Ok(unsure(args.format, &args.at));
    };
    if args.format == Format::Text {
        let escrow = submitted.quote.escrow;
        term::to_stderr(&format!(
            "  job {NOTE}{}{PLAIN}, at most {escrow}\n",
            job.short()
        ));
        warn(&submitted);
    }
    let show = Show::of(args.format);
    match follow::follow(&node, (job, &name), show, &signals)? {
        Followed::Left(then) => Ok(left(job, &then, args.format, &args.at)),
        Followed::Ended(job) => HandOut {
            client: node.client().map_err(reach::problem)?,
            job: *job,
            places: args.places,
            format: args.format,
            at: args.at,
        }
        .unless(&signals),
    }
}

/// Hands it in.
pub fn submit(args: SubmitArgs) -> anyhow::Result<Exit> {
    check_stdin(&args.order)?;
    let client = args.at.client()?;
    let ready = args.order.prepare(&client, &local::store()?)?;
    let signals = Signals::interrupt()?;
    let Some((job, submitted)) = hand_in(client, ready, &args.at, &signals)? else {
        return Ok(unsure(args.format, &args.at));
    };
    match args.format {
        Format::Text => {
            term::to_stdout(&format!("{}\n", job.short()))?;
            warn(&submitted);
        }
        Format::Json => term::json_to_stdout(&serde_json::to_value(&submitted)?)?,
    }
    let commands = [
        ("see it", "show"),
        ("get it", "result --wait"),
        ("end it", "cancel"),
    ];
    hint::of_job(args.format, &args.at, job, &commands);
    Ok(Exit::Success)
}

/// What may keep the job from a result, as far as the node knows.
fn warn(submitted: &Submitted) {
    let warnings = submitted.quote.warnings.iter();
    warnings.for_each(|warning| term::warn(&foreign::message(warning)));
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

/// Has the node take the job on. `None` if a signal came before it has said whether it does.
fn hand_in(
    client: Client,
    ready: Ready,
    at: &At,
    signals: &Signals,
) -> Result<Option<(JobId, Submitted)>, Problem> {
    let at = at.clone();
    let Some(submitted) = signals.unless(move || ready.hand_in(&client, || at.client())) else {
        return Ok(None);
    };
    let submitted = submitted?;
    let job = submitted.job;
    let job = job.ok_or_else(|| Problem::host("the node did not say which job it is"))?;
    let quote = &submitted.quote;
    tracing::info!(%job, units = ?quote.units, escrow = %quote.escrow, "the job is taken on");
    Ok(Some((job, submitted)))
}

/// The person does not wait until the node has said whether there is a job.
fn unsure(format: Format, at: &At) -> Exit {
    match format {
        Format::Json => term::json_to_stderr(&ending::unknown()),
        Format::Text => {
            term::to_stderr("\n  interrupted: the node may have taken the job on, or may yet\n");
            hint::next(format, at, &[("see", "job list")]);
        }
    }
    Exit::Interrupted
}

fn dry(client: &Client, request: &JobRequest, format: Format) -> anyhow::Result<Exit> {
    let quote = client.submit(request).map_err(reach::problem)?.quote;
    match format {
        Format::Text => {
            term::to_stdout(&quote::text(&quote))?;
            let same = "  the same command without --dry-run runs it\n";
            term::to_stderr(&format!("{DIM}{same}{PLAIN}"));
        }
        Format::Json => term::json_to_stdout(&serde_json::to_value(&quote)?)?,
    }
    Ok(Exit::Success)
}

/// The person does not wait any longer for a job, which was so `then`.
pub fn left(job: JobId, then: &Left, format: Format, at: &At) -> Exit {
    match format {
        Format::Json => term::json_to_stderr(&ending::left(job, then.job.as_deref())),
        Format::Text => {
            let goes_on = match then.node {
                Presence::There => "the job goes on",
                Presence::Away => "the node does not answer, and the job goes on when it does",
            };
            term::to_stderr(&format!("  not waiting any longer: {goes_on}\n"));
            let commands = [
                ("wait again", "show --wait"),
                ("get it", "result --wait"),
                ("end it", "cancel"),
            ];
            hint::of_job(format, at, job, &commands);
        }
    }
    Exit::Interrupted
}
