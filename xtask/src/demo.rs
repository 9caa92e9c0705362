//! `cargo xtask demo`: a real job on real input, and its receipt checked.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use crate::{
    binary, report, run,
    setup::{self, Consent},
    sources,
    stages::Stages,
};

/// The job that is run.
const EXAMPLE: &str = "examples/unsafe-census";

/// Reduce units: enough to show that there are several.
const PARTITIONS: &str = "4";

/// Run a real job on real input, and check its receipt.
///
/// Counts what is unsafe in the sources of the crates that this workspace depends on: one shard per
/// .crate file of cargo's registry cache. Prints a table, then the fuel, the time and the receipt, and
/// runs everything again to verify the receipt.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    consent: Consent,
}

/// Sets up, builds, runs, shows, verifies.
pub fn run(args: Args) -> anyhow::Result<()> {
    let mut stages = Stages::start();
    let opensky = stages.step("build opensky", binary::build)?;
    stages.run("set up", &mut setup::doctor(&opensky, args.consent))?;
    let mut build = Command::new(&opensky);
    build.args(["build", EXAMPLE]).current_dir(run::root());
    stages.run("build the job", &mut build)?;
    let files = sources::crate_files()?;
    let results = results(&opensky)?;
    let title = "run it on the sources of every crate used here";
    stages.step(title, || census(&opensky, &files, &results))?;
    let output = fs::read(&results.output).context("the job left no output")?;
    let mut verify = verify(&opensky, &results.receipt);
    writeln!(
        std::io::stdout(),
        "\n{}\nThe job's receipt: {}\nAnybody can check it: {}\n",
        report::table(&output)?,
        results.receipt.display(),
        run::shown(&verify)
    )
    .context("cannot print the table")?;
    stages.run("verify the receipt", &mut verify)?;
    stages.summary();
    Ok(())
}

struct Results {
    output: PathBuf,
    receipt: PathBuf,
}

/// In the folder of the build, which is never a part of the sources.
fn results(opensky: &Path) -> anyhow::Result<Results> {
    let folder = opensky
        .ancestors()
        .nth(2)
        .context("opensky is not in a build folder")?
        .join("demo");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(Results {
        output: folder.join("census.json"),
        receipt: folder.join("census.receipt"),
    })
}

fn census(opensky: &Path, files: &[PathBuf], results: &Results) -> anyhow::Result<()> {
    let sizes = files.iter().filter_map(|file| fs::metadata(file).ok());
    let bytes: u64 = sizes.map(|file| file.len()).sum();
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    eprintln!("    {} shards, {mebibytes:.1} MiB compressed", files.len());
    let mut command = Command::new(opensky);
    command.args(["run", EXAMPLE, "--partitions", PARTITIONS]);
    command.arg("--output").arg(&results.output);
    command.arg("--receipt").arg(&results.receipt);
    for file in files {
        command.arg("--input").arg(file);
    }
    command.current_dir(run::root());
    // Its command line has hundreds of files, so a failure is not shown with all of it.
    let status = command.status().context("cannot start opensky")?;
    anyhow::ensure!(
        status.success(),
        "the job failed ({status}); its own words are above"
    );
    Ok(())
}

fn verify(opensky: &Path, receipt: &Path) -> Command {
    let mut command = Command::new(opensky);
    command.arg("verify").arg(receipt).current_dir(run::root());
    command
}
