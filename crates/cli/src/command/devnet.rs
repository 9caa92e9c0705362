//! `opensky devnet`: a network of real processes on this machine.

use std::{
    cell::RefCell,
    io::{IsTerminal as _, stderr},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use opensky_api::Amount;
use serde_json::json;

use crate::{
    Exit, Problem,
    devnet::{
        Devnet, Stop, chain,
        current::Current,
        folder::Folder,
        names::Names,
        plan::{self, BadOnes, Plan},
    },
    foreign,
    progress::Spinner,
    signals::Signals,
    term::{self, Format, NOTE, PLAIN},
};

/// As many as it takes that two outvote one that lies.
const PROVIDERS: usize = 3;

/// What a provider on a chain has at stake.
const STAKE: Amount = Amount(100 * 1_000_000_000_000);

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
  opensky devnet --chain                     settles on a chain of its own
  opensky devnet --format json               a line of JSON when it is ready,
                                             and one for each node that is
                                             started again
  opensky devnet --data here                 keeps everything in that folder")]
pub struct Args {
    /// How many providers, the bad ones among them.
    #[arg(long, value_name = "N", default_value_t = PROVIDERS)]
    providers: usize,
    /// Providers that misbehave: lie, crash, slow, silent or copy, and how many of each. Their program is built
    /// beside this one, or named by OPENSKY_BAD_NODE.
    #[arg(long, value_name = "HABIT:N", value_delimiter = ',')]
    bad: Vec<BadOnes>,
    /// Makes the same nodes every time: what their keys are made of.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Keeps what the nodes have: started again with the same folder it goes on with the same ledger,
    /// money and jobs [default: a folder that is removed].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Settles on a chain: starts one of this machine, and no ledger of one node's. Its node and its runtime
    /// are built by `cargo xtask runtime --node`, which prints the variables that name them to an `opensky` that
    /// is installed elsewhere: OPENSKY_CHAIN_NODE and OPENSKY_RUNTIME.
    #[arg(long)]
    chain: bool,
    /// What each honest provider has at stake, as in 5SKY [default: 100SKY on a chain, where whoever has nothing at
    /// stake is not asked for what contracts want; else nothing].
    #[arg(long, value_name = "AMOUNT")]
    stake: Option<Amount>,
    /// How to say that it is ready, and what happens then: JSON is lines on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Starts it, and ends it when it is told to.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let begun = Instant::now();
    plan(&args, Names::default()).check()?;
    let end = Signals::end()?;
    let steps = Steps::start(args.format);
    let folder = Folder::of(args.data.as_deref(), &|what| steps.say(what))?;
    keeps_its_books(folder.path(), &args)?;
    let plan = plan(&args, Names::of(folder.path())?);
    let started = Devnet::start(&plan, &folder, &end, &|what| steps.say(what));
    drop(steps);
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
    term::to_stderr(&ending(&folder, &args));
    drop(current);
    drop(devnet);
    Ok(Exit::Success)
}

/// What is under way until it is ready: a spinner on a terminal, and lines where none is.
struct Steps {
    spinner: Spinner,
    has_lines: bool,
    last: RefCell<String>,
}

impl Steps {
    fn start(format: Format) -> Self {
        Self {
            spinner: Spinner::start("starting"),
            has_lines: format == Format::Text && !stderr().is_terminal(),
            last: RefCell::default(),
        }
    }

    /// The same again is no news.
    fn say(&self, what: &str) {
        self.spinner.say(what);
        if self.has_lines && self.last.replace(what.into()) != what {
            term::to_stderr(&format!("  {what}\n"));
        }
    }
}

fn plan(args: &Args, names: Names) -> Plan {
    let bad = args.bad.iter();
    let processors = thread::available_parallelism().map_or(1, usize::from);
    Plan {
        providers: args.providers,
        bad: bad
            .flat_map(|ones| std::iter::repeat_n(ones.habit, ones.count))
            .collect(),
        seed: args.seed,
        names,
        cores: (processors / args.providers.max(1)).max(1),
        stake: args.stake.unwrap_or(match args.chain {
            true => STAKE,
            false => Amount(0),
        }),
        chain: args.chain.then(String::new),
    }
}

/// Refuses to go on with a network on another ledger than the one that it began with: its nodes would, one by one.
fn keeps_its_books(folder: &Path, args: &Args) -> Result<(), Problem> {
    let other = Args {
        chain: !args.chain,
        ..args.clone()
    };
    let (own, begun) = match args.chain {
        true => (chain::NAME, plan::LEDGER),
        false => (plan::LEDGER, chain::NAME),
    };
    if folder.join(own).exists() || !folder.join(begun).exists() {
        return Ok(());
    }
    let with = match other.chain {
        true => "with --chain",
        false => "without --chain",
    };
    Err(Problem::usage(format!(
        "the network in `{}` was begun {with}",
        folder.display()
    ))
    .help(format!("go on with it: {}", typed(folder, &other))))
}

/// What happens now, and what is left.
fn ending(folder: &Folder, args: &Args) -> String {
    // After `^C` of a terminal.
    match folder {
        Folder::Passing(..) => "\n  ending: all that the nodes have is removed\n".into(),
        Folder::Kept(folder, _) => {
            let same = format!("{NOTE}{}{PLAIN}", typed(folder, args));
            format!("\n  ending: what the nodes have is kept, and this goes on with it: {same}\n")
        }
    }
}

/// What is typed to go on with a network that is kept.
fn typed(folder: &Path, args: &Args) -> String {
    let mut typed = "opensky devnet".to_owned();
    if args.providers != PROVIDERS {
        typed += &format!(" --providers {}", args.providers);
    }
    let bad = args.bad.iter();
    let bad: Vec<_> = bad
        .map(|ones| format!("{}:{}", ones.habit, ones.count))
        .collect();
    if !bad.is_empty() {
        typed += &format!(" --bad {}", bad.join(","));
    }
    if args.chain {
        typed += " --chain";
    }
    if let Some(stake) = args.stake {
        let stake = stake.to_string().replace(' ', "");
        typed += &format!(" --stake {stake}");
    }
    if let Some(seed) = args.seed {
        typed += &format!(" --seed {seed}");
    }
    format!("{typed} --data {}", term::typed(folder))
}

/// That it is ready, and where, in a line.
fn ready_json(plan: &Plan, devnet: &Devnet, took: Duration) -> String {
    let bad: Vec<_> = plan.bad.iter().map(ToString::to_string).collect();
    let ready = json!({
        "event": "ready",
        "node": term::path(devnet.requester()),
        "join": term::path(devnet.join()),
        "network": plan.names.network,
        "providers": plan.providers,
        "bad": bad,
        "chain": devnet.chain(),
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
    if let Some(url) = devnet.chain() {
        let look = format!("{NOTE}opensky chain status{at}{PLAIN}");
        rows.push(("chain", format!("{url}, {look}")));
    }
    if !is_current {
        rows.push((
            "or first",
            format!("{NOTE}export OPENSKY_NODE={folder}{PLAIN}"),
        ));
    }
    rows.push(("end", "Ctrl-C".into()));
    term::columns(rows)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn what_goes_on_with_a_network_is_the_line_that_began_it() {
        let line =
            "opensky devnet --providers 4 --bad lie:1 --chain --stake 2.5SKY --seed 7 --data /net";
        let words = line.split(' ').skip(1);
        let Line { args } = Line::try_parse_from(words).expect("a line");
        assert_eq!(typed(Path::new("/net"), &args), line);
    }

    #[test]
    fn network_that_is_kept_goes_on_with_the_ledger_that_it_began_with() {
        let folder = tempfile::tempdir().expect("a folder");
        let look = |line: &str| {
            let Line { args } = Line::try_parse_from(line.split(' ')).expect("a line");
            keeps_its_books(folder.path(), &args)
        };
        assert!(look("devnet").is_ok() && look("devnet --chain").is_ok());
        std::fs::create_dir(folder.path().join(chain::NAME)).expect("a folder");
        assert!(look("devnet --chain").is_ok());
        let problem = look("devnet --seed 7").expect_err("a problem");
        let said = crate::problem::describe(&problem.into());
        for told in [
            "was begun with --chain",
            "opensky devnet --chain --seed 7 --data",
        ] {
            assert!(said.contains(told), "{said}");
        }
    }
}
