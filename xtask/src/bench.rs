//! `cargo xtask bench`: one question about cost, answered on this machine.

use crate::run;

/// Measure what something costs here, and print one `name: value` line per figure.
///
/// benches/README.md has recorded figures and says what each means.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The question: a file of benches/.
    #[arg(default_value = "executor")]
    question: String,
    /// For the benchmark, as they are.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// Builds with optimisation and runs.
pub fn run(args: Args) -> anyhow::Result<()> {
    let mut command = run::cargo();
    command.args([
        "run",
        "--locked",
        "--release",
        "--package",
        "opensky-benches",
    ]);
    command
        .args(["--bin", &args.question, "--"])
        .args(&args.args);
    run::run(&mut command)
}
