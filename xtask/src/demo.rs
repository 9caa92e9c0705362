//! `cargo xtask demo`: a real job on real input, run by machines of which one lies, and its receipt
//! checked.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use crate::{
    binary, contracts,
    devnet::Devnet,
    report, run,
    setup::{self, Consent},
    sources,
    stages::Stages,
};

/// The job that is run.
const EXAMPLE: &str = "examples/unsafe-census";

/// Reduce units: enough to show that there are several.
const PARTITIONS: &str = "4";

/// How many machines have to agree on each unit.
const REPLICAS: &str = "2";

/// Run a real job on a network of real processes, one of which lies, and check its receipt.
///
/// Counts what is unsafe in the sources of the crates that this workspace depends on: one shard per
/// .crate file of cargo's registry cache. Three providers run it, each unit on two of them, and one
/// provider signs wrong results. Prints a table, who was caught, the price and the receipt, and runs
/// everything again on this machine to verify the receipt.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Another one: a Solidity contract on a chain asks for a computation, a committee of providers who settle
    /// there answers, and the chain calls the contract back. Builds the chain's node first, which takes twenty
    /// minutes once.
    #[arg(long)]
    chain: bool,
    #[command(flatten)]
    consent: Consent,
}

/// Sets up, builds, starts a network, runs, shows, verifies.
pub fn run(args: Args) -> anyhow::Result<()> {
    let mut stages = Stages::start();
    if args.chain {
        contracts::demo(&mut stages, args.consent)?;
        stages.summary();
        return Ok(());
    }
    let opensky = stages.step("build opensky", binary::build)?;
    stages.run("build a provider that lies", &mut binary::bad_node())?;
    stages.run("set up", &mut setup::doctor(&opensky, args.consent))?;
    let mut build = Command::new(&opensky);
    build.args(["build", EXAMPLE]).current_dir(run::root());
    stages.run("build the job", &mut build)?;
    let files = sources::crate_files()?;
    let results = Results::of(&opensky)?;
    let title = "start a ledger, three providers of which one lies, and a requester";
    let bad = ["--providers", "3", "--bad", "lie:1"];
    let start = || Devnet::start(&opensky, &bad, &results.network);
    let devnet = stages.step(title, start)?;
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
    let mut offers = Command::new(&opensky);
    offers.arg("offers").arg("--node").arg(&results.requester);
    stages.run("who was caught", &mut offers)?;
    stages.step("end the network", || devnet.end())?;
    stages.run("verify the receipt", &mut verify)?;
    stages.summary();
    Ok(())
}

struct Results {
    output: PathBuf,
    receipt: PathBuf,
    /// What the network keeps.
    network: PathBuf,
    /// What its requester keeps.
    requester: PathBuf,
}

impl Results {
    /// In the folder of the build, which is never a part of the sources.
    fn of(opensky: &Path) -> anyhow::Result<Self> {
        let folder = opensky
            .ancestors()
            .nth(2)
            .context("opensky is not in a build folder")?
            .join("demo");
        let network = folder.join("network");
        Ok(Self {
            output: folder.join("census.json"),
            receipt: folder.join("census.receipt"),
            requester: network.join("requester"),
            network,
        })
    }
}

fn census(opensky: &Path, files: &[PathBuf], results: &Results) -> anyhow::Result<()> {
    let sizes = files.iter().filter_map(|file| fs::metadata(file).ok());
    let bytes: u64 = sizes.map(|file| file.len()).sum();
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    eprintln!("    {} shards, {mebibytes:.1} MiB compressed", files.len());
    let mut command = Command::new(opensky);
    command.args(["job", "run", EXAMPLE, "--partitions", PARTITIONS]);
    command.args(["--replicas", REPLICAS]);
    command.arg("--node").arg(&results.requester);
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
