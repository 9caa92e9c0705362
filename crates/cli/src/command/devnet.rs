//! `opensky devnet`: a network of real processes on this machine.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    Exit, Problem,
    devnet::{
        Devnet, Stop,
        current::Current,
        plan::{BadOnes, Plan},
    },
    foreign,
    progress::Spinner,
    signals::Signals,
    term::{self, Format, NOTE, PLAIN},
};

/// How often the processes are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Start a whole network on this machine: a ledger, providers, and a node to hand jobs to
///
/// Every participant is a process of its own, on loopback addresses. While it runs, `opensky job` and
/// the other commands talk to it. Its money is worth nothing. Ctrl-C ends all of it and leaves nothing
/// behind. A node that dies, or that you kill to see what happens, is started again.
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  opensky devnet                             three honest providers
  opensky devnet --providers 5 --bad lie:1,silent:1
                                             five, of which two are bad
  opensky devnet --format json               a line of JSON when it is ready,
                                             and one for each node that is
                                             started again
  opensky devnet --data here                 keeps everything in that folder")]
pub struct Args {
    /// How many providers, the bad ones among them.
    #[arg(long, value_name = "N", default_value_t = 3)]
    providers: usize,
    /// Providers that misbehave: lie, crash, slow, silent or copy, and how many of each.
    #[arg(long, value_name = "HABIT:N", value_delimiter = ',')]
    bad: Vec<BadOnes>,
    /// Makes the same nodes every time: what their keys are made of.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Keeps what the nodes have, and goes on from there [default: a folder that is removed].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How to say that it is ready, and what happens then: JSON is lines on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Starts it, and ends it when it is told to.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let begun = Instant::now();
    let plan = plan(&args)?;
    plan.check()?;
    let end = Signals::end()?;
    let folder = Folder::of(args.data.as_deref())?;
    let spinner = Spinner::start("starting");
    let started = Devnet::start(&plan, folder.path(), &end, &|what| spinner.say(what));
    drop(spinner);
    let mut devnet = match started {
        Ok(devnet) => devnet,
        Err(Stop::Told) => return Ok(Exit::Success),
        Err(Stop::Failed(problem)) => return Err(problem.into()),
    };
    let current = Current::set(devnet.requester())?;
    match args.format {
        Format::Text => {
            term::to_stderr(&ready(&plan, &devnet, current.is_some(), begun.elapsed()));
        }
        Format::Json => term::to_stdout(&ready_json(&plan, &devnet, begun.elapsed()))?,
    }
    while !end.come_within(LOOK) {
        for casualty in devnet.mend()? {
            match args.format {
                Format::Text => term::to_stderr(&format!("{casualty}: starting it again\n")),
                Format::Json => term::to_stdout(&again_json(&casualty))?,
            }
        }
    }
    if std::io::stderr().is_terminal() {
        term::to_stderr("\n  ending\n");
    }
    drop(current);
    drop(devnet);
    Ok(Exit::Success)
}

fn plan(args: &Args) -> Result<Plan, Problem> {
    let bad = args.bad.iter();
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let mut name = [0; 4];
    getrandom::fill(&mut name)
        .map_err(|error| Problem::host("the system gives no random numbers").because(error))?;
    Ok(Plan {
        providers: args.providers,
        bad: bad
            .flat_map(|ones| std::iter::repeat_n(ones.habit, ones.count))
            .collect(),
        seed: args.seed,
        network: format!("opensky-devnet-{:08x}", u32::from_le_bytes(name)),
        cores: (processors / args.providers.max(1)).max(1),
    })
}

/// Where the nodes keep their things.
enum Folder {
    /// Removed at the end.
    Passing(tempfile::TempDir),
    /// The person's.
    Kept(PathBuf),
}

impl Folder {
    fn of(kept: Option<&Path>) -> Result<Self, Problem> {
        let failed = |error: std::io::Error| {
            Problem::host("cannot make a folder for the devnet")
                .because(error)
                .help("name one with --data")
        };
        match kept {
            Some(folder) => {
                std::fs::create_dir_all(folder).map_err(failed)?;
                Ok(Self::Kept(std::path::absolute(folder).map_err(failed)?))
            }
            None => {
                let folder = tempfile::Builder::new().prefix("opensky-devnet-").tempdir();
                Ok(Self::Passing(folder.map_err(failed)?))
            }
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Passing(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}

/// That it is ready, and where, in a line.
fn ready_json(plan: &Plan, devnet: &Devnet, took: Duration) -> String {
    let bad: Vec<_> = plan.bad.iter().map(ToString::to_string).collect();
    let ready = json!({
        "event": "ready",
        "node": term::path(devnet.requester()),
        "join": term::path(devnet.join()),
        "network": plan.network,
        "providers": plan.providers,
        "bad": bad,
        "wall_us": u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
    });
    foreign::json(&format!("{ready}\n"))
}

/// That a node has ended and is started again, in a line.
fn again_json(casualty: &Problem) -> String {
    let again = json!({ "event": "started-again", "because": casualty.to_string() });
    foreign::json(&format!("{again}\n"))
}

/// What to type next.
fn ready(plan: &Plan, devnet: &Devnet, is_current: bool, took: Duration) -> String {
    let folder = term::typed(devnet.requester());
    let bad: Vec<_> = plan.bad.iter().map(ToString::to_string).collect();
    let bad = match bad.is_empty() {
        true => String::new(),
        false => format!(", of which bad: {}", bad.join(", ")),
    };
    let at = match is_current {
        true => String::new(),
        false => format!(" --node {folder}"),
    };
    let mut rows = vec![
        (
            "ready",
            format!(
                "{} providers{bad}, after {:.1} s",
                plan.providers,
                took.as_secs_f64()
            ),
        ),
        ("node", folder.clone()),
        ("see", format!("{NOTE}opensky offers{at}{PLAIN}")),
        (
            "run",
            format!("{NOTE}opensky job run FILE --input FILE{at}{PLAIN}"),
        ),
        ("deploy", format!("{NOTE}opensky deploy DIR{at}{PLAIN}")),
        (
            "join",
            format!(
                "{NOTE}opensky node start --config {}{PLAIN}",
                term::typed(devnet.join())
            ),
        ),
    ];
    if !is_current {
        rows.push((
            "or first",
            format!("{NOTE}export OPENSKY_NODE={folder}{PLAIN}"),
        ));
    }
    rows.push(("end", "Ctrl-C".into()));
    term::columns(rows)
}
