//! `opensky-simulator`: small worlds by seed, or a large one from a file.

use std::{
    fs,
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use clap::Parser;
use mimalloc::MiMalloc;
use opensky_core::{Ending, JobState};
use opensky_simulator::{
    Scenario,
    small::{self, Outcome},
};

/// Worlds are made of small values that come and go: with the C library they take half as long again.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Runs whole networks in one thread each: participants of the core, with every kind of fault.
///
/// Without a scenario it runs small worlds that a seed alone makes, each twice: both runs have to be
/// the same, and no law may be broken. A scenario is one large world, and gives figures.
#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo xtask sim",
    max_term_width = 100,
    after_help = "Exit codes: 0 all laws held, 1 one was broken (the command to repeat it is printed), 2 usage."
)]
struct Args {
    /// How many small worlds.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first one's seed. Alone, it is the only one.
    #[arg(long)]
    seed: Option<u64>,
    /// A scenario's file.
    #[arg(long, conflicts_with_all = ["seeds", "seed"])]
    scenario: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let is_well = match &args.scenario {
        Some(file) => run_scenario(file),
        None => run_seeds(&args),
    };
    match is_well {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Shows how far it is, where somebody looks.
fn show(text: &str) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        // Whoever has closed the terminal does not want to know.
        let _ = write!(stderr, "\r\x1b[K{text}");
    }
}

fn run_seeds(args: &Args) -> bool {
    let first = args.seed.unwrap_or(0);
    let explicit = std::env::args().any(|arg| arg.starts_with("--seeds"));
    let count = match args.seed.is_some() && !explicit {
        true => 1,
        false => args.seeds,
    };
    let began = Instant::now();
    let (next, all) = (AtomicU64::new(0), Mutex::new(Totals::default()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let seed = first + number;
                    let result = try_seed(seed);
                    let mut all = all.lock().expect("nobody panics while it is locked");
                    all.add(seed, result);
                    show(&format!("{} of {count} worlds", all.worlds));
                }
            });
        }
    });
    let all = all.into_inner().expect("nobody panics while it is locked");
    show("");
    all.print(began);
    all.failed.is_empty()
}

/// What one seed came to; a panic is a failure like any other.
fn try_seed(seed: u64) -> Result<Outcome, String> {
    match std::panic::catch_unwind(|| small::check(seed)) {
        Ok(result) => result.map_err(|failure| failure.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Err(format!("it panicked: {}", text.unwrap_or_default()))
        }
    }
}

#[derive(Default)]
struct Totals {
    worlds: u64,
    handled: u64,
    executions: u64,
    done: u64,
    failed_jobs: u64,
    failed: Vec<u64>,
}

impl Totals {
    fn add(&mut self, seed: u64, result: Result<Outcome, String>) {
        self.worlds += 1;
        match result {
            Ok(outcome) => {
                self.handled += 2 * outcome.handled;
                self.executions += 2 * outcome.executions;
                let is_done = |state: &&JobState| **state == JobState::Over(Ending::Done);
                let done = outcome.endings.iter().filter(is_done).count() as u64;
                self.done += done;
                self.failed_jobs += outcome.endings.len() as u64 - done;
            }
            Err(why) => {
                self.failed.push(seed);
                eprintln!("\nseed {seed}: {why}\n  repeat it: cargo xtask sim --seed {seed}");
            }
        }
    }

    fn print(&self, began: Instant) {
        println!("worlds: {} (each twice)", self.worlds);
        println!("worlds_with_broken_laws: {}", self.failed.len());
        println!("jobs_done: {}", self.done);
        println!("jobs_ended_otherwise: {}", self.failed_jobs);
        println!("events: {}", self.handled);
        println!("executions: {}", self.executions);
        println!("seconds: {:.1}", began.elapsed().as_secs_f64());
    }
}

fn run_scenario(file: &Path) -> bool {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{}: {error}", file.display());
            return false;
        }
    };
    let scenario = match Scenario::read(&text) {
        Ok(scenario) => scenario,
        Err(error) => {
            eprintln!("{} is no scenario: {error}", file.display());
            return false;
        }
    };
    let mut is_well = true;
    for choice in scenario.replicas.iter().copied() {
        let began = Instant::now();
        let progress = |done: u64, of: u64| {
            show(&format!("replicas {choice}: {done} of {of} units"));
        };
        match scenario.run(choice, progress) {
            Ok(figures) => {
                show("");
                println!("replicas: {choice}");
                for (name, value) in &figures.lines {
                    println!("  {name}: {value}");
                }
                println!("  seconds: {:.1}", began.elapsed().as_secs_f64());
            }
            Err(broken) => {
                is_well = false;
                eprintln!("\nreplicas {choice}: {broken}");
                eprintln!("  repeat it: cargo xtask sim --scenario {}", file.display());
            }
        }
    }
    is_well
}
